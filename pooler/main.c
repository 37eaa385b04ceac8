/* SPDX-License-Identifier: ISC
 *
 * pgsluice: the command line, and the life of the daemon: settings, log, privileges,
 * listeners, workers, signals, the end.
 *
 *   TERM   leave when the clients have gone; a second TERM leaves at once
 *   INT    leave when no transaction is running; a second INT leaves at once
 *   QUIT   leave at once
 *   HUP    reload the settings, reopen the logs
 *   USR1   pause      USR2  resume
 */
#include "main.h"
#include "console.h"
#include "main_record.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

struct command_line {
	const char *file;
	bool daemon, quiet, reboot, check;
	int verbose;
	const char *user;
};

static struct {
	struct command_line args;
	ev_signal signals[7];
	ev_timer deadline; /* of a graceful shutdown */
	int stopping;	   /* hub.stopping's word */
	char *pidfile;
} daemon_state;

static void usage(FILE *to)
{
	fprintf(to,
		"pgsluice %s: a PostgreSQL connection pooler that knows who sent what\n"
		"\n"
		"usage: pgsluice [OPTION…] FILE        run with the settings in FILE\n"
		"       pgsluice --check FILE          validate the settings, say all errors, "
		"start nothing\n"
		"       pgsluice record -o LOG -- COMMAND…   run a test suite through a pooler, "
		"record it; see\n"
		"                                      pgsluice record --help\n"
		"       pgsluice --print-sample        print a settings file with every setting "
		"explained\n"
		"\n"
		"  -d, --daemon       go to the background (needs logfile or syslog, and pidfile)\n"
		"  -R, --reboot       take over from a running pgsluice: not needed; see "
		"so_reuseport\n"
		"  -v, --verbose      say more; twice, say everything\n"
		"  -q, --quiet        say nothing on standard error once it runs\n"
		"  -u, --user NAME    become this user after binding the sockets\n"
		"  -V, --version      print the version\n"
		"  -h, --help         print this; --help=settings lists all settings\n"
		"\n"
		"FILE is in the INI form of PgBouncer; a pgbouncer.ini works as it is:\n"
		"\n"
		"  [databases]\n"
		"  shop = host=127.0.0.1 port=5432 dbname=shop\n"
		"  [pooler]\n"
		"  listen_addr = 127.0.0.1\n"
		"  listen_port = 6432\n"
		"  auth_type = scram-sha-256\n"
		"  auth_file = /etc/pgsluice/userlist.txt\n"
		"  pool_mode = transaction\n"
		"  max_open = 20\n"
		"\n"
		"Then: psql -p 6432 shop;  the console: psql -p 6432 pgbouncer -c 'SHOW HELP'.\n"
		"Signals: HUP reload, TERM wait for clients, INT wait for transactions, QUIT "
		"now.\n",
		PGSLUICE_VERSION);
}

static void print_version(void)
{
	printf("pgsluice %s\nlibev %d.%d, libpq %d\n", PGSLUICE_VERSION, ev_version_major(),
		ev_version_minor(), PQlibVersion());
}

/* Answers the exit status, or -1: go on. */
static int parse(int argc, char **argv, struct command_line *a)
{
	enum { OPT_CHECK = 256, OPT_SAMPLE, OPT_MD, OPT_MAN };
	static const struct option longs[] = {
		{"daemon", no_argument, NULL, 'd'},
		{"reboot", no_argument, NULL, 'R'},
		{"verbose", no_argument, NULL, 'v'},
		{"quiet", no_argument, NULL, 'q'},
		{"user", required_argument, NULL, 'u'},
		{"version", no_argument, NULL, 'V'},
		{"help", optional_argument, NULL, 'h'},
		{"check", no_argument, NULL, OPT_CHECK},
		{"print-sample", no_argument, NULL, OPT_SAMPLE},
		{"print-settings", no_argument, NULL, OPT_MD},
		{"print-man", no_argument, NULL, OPT_MAN},
		{NULL, 0, NULL, 0},
	};
	int o;

	while ((o = getopt_long(argc, argv, "dRvqu:Vh", longs, NULL)) != -1) {
		switch (o) {
		case 'd':
			a->daemon = true;
			break;
		case 'R':
			a->reboot = true;
			break;
		case 'v':
			a->verbose++;
			break;
		case 'q':
			a->quiet = true;
			break;
		case 'u':
			a->user = optarg;
			break;
		case 'V':
			print_version();
			return 0;
		case 'h':
			if (optarg && strcmp(optarg, "settings") == 0)
				conf_print_help(stdout);
			else
				usage(stdout);
			return 0;
		case OPT_CHECK:
			a->check = true;
			break;
		case OPT_SAMPLE:
			conf_print_sample(stdout);
			return 0;
		case OPT_MD:
			conf_print_settings_md(stdout);
			return 0;
		case OPT_MAN:
			conf_print_man(stdout);
			return 0;
		default:
			fprintf(stderr, "Try 'pgsluice --help'.\n");
			return 2;
		}
	}
	if (optind + 1 != argc) {
		fprintf(stderr,
			optind == argc
				? "pgsluice: name the settings file. Try 'pgsluice --help'.\n"
				: "pgsluice: one settings file, please. Try 'pgsluice --help'.\n");
		return 2;
	}
	a->file = argv[optind];
	return -1;
}

/* --- log ------------------------------------------------------------------------- */

static bool setup_log(const struct conf *conf)
{
	struct log_options o = conf_log_options(conf);

	o.to_stderr = !daemon_state.args.daemon && !daemon_state.args.quiet;
	for (int i = 0; i < LOG_PART_COUNT && daemon_state.args.verbose; i++)
		if (o.level[i] < LOG_LEVEL_DEBUG)
			o.level[i] =
				daemon_state.args.verbose > 1 ? LOG_LEVEL_NOISE : LOG_LEVEL_DEBUG;
	return log_setup(&o);
}

/* --- the process -------------------------------------------------------------------- */

static void become_user(const char *name)
{
	struct passwd *pw;

	if (!name || !name[0]) {
		if (geteuid() == 0)
			log_line(LOG_PART_MAIN, LOG_LEVEL_WARNING,
				"running as root: set user= in [pooler] or give --user to run with "
				"less power");
		return;
	}
	pw = getpwnam(name);
	if (!pw)
		log_die(LOG_PART_MAIN, "user \"%s\" does not exist", name);
	if (pw->pw_uid == geteuid())
		return;
	if (geteuid() != 0)
		log_die(LOG_PART_MAIN, "only root can become user \"%s\"", name);
	front_chown(pw->pw_uid, pw->pw_gid);
	if (initgroups(name, pw->pw_gid) || setgid(pw->pw_gid) || setuid(pw->pw_uid))
		log_die(LOG_PART_MAIN, "cannot become user \"%s\": %s", name, strerror(errno));
	/* libpq looks for .pgpass and certificates there, and root's it may not even look into */
	setenv("HOME", pw->pw_dir, 1);
}

/* Another process of ours with the same pidfile? */
static void check_pidfile(const char *path)
{
	char old[32] = "";
	FILE *f = path[0] ? fopen(path, "re") : NULL;
	long pid;

	if (!f)
		return;
	pid = fgets(old, sizeof old, f) ? strtol(old, NULL, 10) : 0;
	fclose(f);
	if (pid > 0 && pid != getpid() && (kill((pid_t)pid, 0) == 0 || errno == EPERM))
		log_die(LOG_PART_MAIN,
			"pidfile %s names the running process %ld: is pgsluice running?%s", path,
			pid,
			daemon_state.args.reboot ? " Its connections cannot be taken over (-R): "
						   "with so_reuseport = 1, "
						   "and a pidfile and unix_socket_dir of its own, "
						   "the new process runs "
						   "beside the old one until SHUTDOWN "
						   "WAIT_FOR_CLIENTS has ended that"
						 : "");
}

static void write_pidfile(const char *path)
{
	FILE *f;

	if (!path[0])
		return;
	f = fopen(path, "we");
	if (!f || fprintf(f, "%d\n", (int)getpid()) < 0 || fclose(f))
		log_die(LOG_PART_MAIN, "cannot write pidfile %s: %s", path, strerror(errno));
	daemon_state.pidfile = mem_strdup(path);
}

static void go_to_background(void)
{
	int null;
	pid_t pid = fork();

	if (pid < 0)
		log_die(LOG_PART_MAIN, "cannot fork: %s", strerror(errno));
	if (pid > 0)
		_exit(0);
	setsid();
	pid = fork();
	if (pid != 0)
		_exit(pid < 0);
	null = open("/dev/null", O_RDWR);
	if (null >= 0) {
		dup2(null, 0);
		dup2(null, 1);
		dup2(null, 2);
		if (null > 2)
			close(null);
	}
}

static void raise_descriptor_limit(const struct conf *conf)
{
	struct rlimit rl;

	if (getrlimit(RLIMIT_NOFILE, &rl))
		return;
	rl.rlim_cur = rl.rlim_max;
	(void)!setrlimit(RLIMIT_NOFILE, &rl);
	if (rl.rlim_cur != RLIM_INFINITY && rl.rlim_cur < (rlim_t)conf->p.max_client_conn + 64)
		log_line(LOG_PART_MAIN, LOG_LEVEL_WARNING,
			"max_client_conn is %d, but only %llu descriptors may be open (ulimit -n)",
			conf->p.max_client_conn, (unsigned long long)rl.rlim_cur);
}

/* Variables that libpq would take as settings for every server connection. */
static void clean_environment(void)
{
	extern char **environ;

	for (char **e = environ; e && *e;) {
		char name[64];
		size_t n = strcspn(*e, "=");

		if (strncmp(*e, "PG", 2) == 0 && n < sizeof name) {
			memcpy(name, *e, n);
			name[n] = '\0';
			unsetenv(name);
			e = environ;
		} else {
			e++;
		}
	}
}

/* --- leaving ------------------------------------------------------------------------------ */

static void leave(void)
{
	worker_stop(&hub.front);
}

static void on_deadline(struct ev_loop *loop, ev_timer *t, int revents)
{
	(void)loop;
	(void)t;
	(void)revents;
	log_line(LOG_PART_MAIN, LOG_LEVEL_WARNING, "shutdown_timeout: leaving now");
	main_shutdown(3);
}

void main_shutdown(int how)
{
	usec_t limit = hub.conf->p.shutdown_timeout;

	if (daemon_state.stopping)
		how = 3;
	if (how <= daemon_state.stopping)
		return;
	if (!daemon_state.stopping) {
		service_stopping();
		front_leave();
		if (limit && how < 3) {
			ev_timer_init(&daemon_state.deadline, on_deadline, (double)limit / USEC_SEC,
				0.);
			ev_timer_start(hub.front.loop, &daemon_state.deadline);
		}
	}
	daemon_state.stopping = how;
	log_line(LOG_PART_MAIN, LOG_LEVEL_INFO, "shutting down: %s",
		how == 1   ? "when all clients have gone"
		: how == 2 ? "when no transaction is running"
			   : "now");
	if (how == 3) {
		leave();
		return;
	}
	hub_stop(how);
}

/* --- the query log -----------------------------------------------------------------------------
 */

static void setup_qlog(const struct conf *conf)
{
	struct qlog_options o = {
		.file = conf->p.query_log,
		.min_duration = conf->p.query_log_min_duration,
		.sample_rate = conf->p.query_log_sample_rate,
		.parameters = (enum qlog_parameters)conf->p.query_log_parameters,
		.max_text = (size_t)conf->p.query_log_max_text,
	};

	if (!hub.qlog) {
		hub.qlog = qlog_new(&o);
		if (!hub.qlog)
			log_die(LOG_PART_OBS, "cannot open query_log %s: %s", o.file,
				strerror(errno));
	} else if (!qlog_reload(hub.qlog, &o)) {
		log_line(LOG_PART_OBS, LOG_LEVEL_ERROR,
			"cannot open query_log %s: %s; the old one goes on", o.file,
			strerror(errno));
	}
}

/* --- reload --------------------------------------------------------------------------------- */

static bool load_again(struct buf *err)
{
	struct conf_report report = {0};
	const struct conf *fresh = conf_reload(hub.conf->p.conffile, hub.conf, &report);

	conf_report_log(&report);
	if (!fresh) {
		for (size_t i = 0; i < report.n_errors && i < 3; i++) {
			buf_put_str(err, i ? "; " : "");
			conf_note_print(&report.errors[i], err);
		}
		conf_report_release(&report);
		log_line(LOG_PART_MAIN, LOG_LEVEL_ERROR, "reload failed: nothing has changed");
		return false;
	}
	conf_report_release(&report);
	if (!main_apply(fresh, err)) {
		conf_release(&fresh);
		return false;
	}
	conf_release(&fresh);
	return true;
}

bool main_apply(const struct conf *fresh, struct buf *err)
{
	struct buf changes = {0};
	size_t n;

	if (!front_reload(fresh, err)) {
		log_line(LOG_PART_MAIN, LOG_LEVEL_ERROR, "reload: %s", buf_cstr(err));
		if (!front_reload(hub.conf, err))
			log_line(LOG_PART_MAIN, LOG_LEVEL_ERROR,
				"reload: and the old files cannot be read again");
		return false;
	}
	if (!setup_log(fresh))
		log_line(LOG_PART_MAIN, LOG_LEVEL_ERROR, "cannot open logfile %s: %s",
			fresh->p.logfile, strerror(errno));
	setup_qlog(fresh);
	observe_reload(fresh);
	n = conf_diff(hub.conf, fresh, &changes);
	for (char *line = changes.data, *end; n && line < changes.data + changes.len;
		line = end + 1) {
		end = memchr(line, '\n', (size_t)(changes.data + changes.len - line));
		if (!end)
			break;
		log_line(LOG_PART_MAIN, LOG_LEVEL_INFO, "reload: %.*s", (int)(end - line), line);
	}
	log_line(LOG_PART_MAIN, LOG_LEVEL_INFO, "reloaded: %zu changes", n);
	hub_reload(fresh);
	console_reload();
	buf_free(&changes);
	return true;
}

bool main_reload(struct buf *err)
{
	bool ok;

	service_reloading();
	ok = load_again(err);
	service_reloaded(ok);
	return ok;
}

static void said(const char *text)
{
	log_line(LOG_PART_MAIN, LOG_LEVEL_INFO, "%s", text);
}

static void on_signal(struct ev_loop *loop, ev_signal *sig, int revents)
{
	struct buf err = {0};

	(void)loop;
	(void)revents;
	switch (sig->signum) {
	case SIGTERM:
		main_shutdown(1);
		break;
	case SIGINT:
		main_shutdown(2);
		break;
	case SIGQUIT:
		main_shutdown(3);
		break;
	case SIGHUP:
		said("got SIGHUP, re-reading config");
		(void)!main_reload(&err);
		buf_free(&err);
		break;
	case SIGUSR1:
		if (hub.paused == HUB_RUNNING && !hub.stopping) {
			said("got SIGUSR1, pausing all activity");
			hub_pause(NULL, true);
		} else {
			said("got SIGUSR1, but already paused/suspended");
		}
		break;
	case SIGUSR2:
		if (hub.stopping) {
			said("got SIGUSR2 while shutting down, ignoring");
		} else if (hub.paused != HUB_RUNNING) {
			said("got SIGUSR2, continuing from PAUSE or SUSPEND");
			hub_resume();
		} else {
			said("got SIGUSR2, but not paused/suspended");
		}
		break;
	}
}

static void watch_signals(struct ev_loop *loop)
{
	static const int numbers[] = {SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2};

	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		ev_signal_init(&daemon_state.signals[i], on_signal, numbers[i]);
		ev_signal_start(loop, &daemon_state.signals[i]);
	}
	signal(SIGPIPE, SIG_IGN);
}

/* --- main
 * ------------------------------------------------------------------------------------------ */

static bool admit(void)
{
	int n = atomic_fetch_add(&hub.clients, 1);

	if (n < hub.conf->p.max_client_conn && !daemon_state.stopping)
		return true;
	hub_client_gone();
	return false;
}

static const struct front_ops front_ops = {
	.admit = admit,
	.dismiss = hub_client_gone,
	.on_session = hub_admit,
	.on_console = console_accept,
	.on_cancel = hub_cancel,
};

static const struct console_ops console_does = {
	.reload = main_reload,
	.apply = main_apply,
	.shutdown = main_shutdown,
};

static void serve(const struct conf *conf)
{
	struct buf err = {0};
	sigset_t all, old;

	/* Signals are the front's business: the threads started below never see one, and one that
	 * comes before the front listens to them waits until it does. */
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &old);
	pace_set_mode(conf->p.scheduling);
	worker_init(&hub.front, -1);
	if (!front_init(&hub.front, conf, &front_ops, &err))
		log_die(LOG_PART_MAIN, "%s", buf_cstr(&err));
	become_user(daemon_state.args.user ? daemon_state.args.user : conf->p.user);
	write_pidfile(conf->p.pidfile);
	setup_qlog(conf);
	hub.on_empty = leave;
	hub_start(conf);
	observe_start(conf);
	watch_signals(hub.front.loop);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	console_init(&console_does);
	front_resume();
	log_line(LOG_PART_MAIN, LOG_LEVEL_INFO, "process up: pgsluice %s, %d workers, pid %d",
		PGSLUICE_VERSION, hub.n_relays, (int)getpid());
	service_ready();
	worker_run(&hub.front);
	console_shutdown();
	front_shutdown();
	observe_stop();
	hub_join();
	qlog_free(&hub.qlog);
	if (daemon_state.pidfile)
		unlink(daemon_state.pidfile);
	log_line(LOG_PART_MAIN, LOG_LEVEL_INFO, "process down");
	buf_free(&err);
}

/* --check also reads the files of users, rules and certificates. */
static bool check_front(const struct conf *conf)
{
	struct buf err = {0};
	bool ok = front_check(conf, &err);

	if (!ok)
		fprintf(stderr, "%s\n", buf_cstr(&err));
	buf_free(&err);
	return ok;
}

int main(int argc, char **argv)
{
	struct conf_report report = {0};
	const struct conf *conf;
	int status;

	if (argc > 1 && strcmp(argv[1], "record") == 0)
		return record_main(argc - 1, argv + 1);
	status = parse(argc, argv, &daemon_state.args);

	if (status >= 0)
		return status;
	clean_environment();
	conf = conf_load(daemon_state.args.file, &report);
	if (!conf || daemon_state.args.check) {
		status = conf ? 0 : 1;
		conf_report_print(&report, stderr);
		if (conf && !check_front(conf))
			status = 1;
		if (status == 0)
			printf("%s: ok\n", daemon_state.args.file);
		conf_report_release(&report);
		conf_release(&conf);
		return status;
	}
	if (daemon_state.args.daemon && !conf->p.logfile[0] && !conf->p.syslog)
		log_die(LOG_PART_MAIN,
			"--daemon needs logfile or syslog: nobody would see the log");
	if (daemon_state.args.daemon && !conf->p.pidfile[0])
		log_die(LOG_PART_MAIN, "--daemon needs pidfile");
	if (!setup_log(conf))
		log_die(LOG_PART_MAIN, "cannot open logfile %s: %s", conf->p.logfile,
			strerror(errno));
	conf_report_log(&report);
	conf_report_release(&report);
	check_pidfile(conf->p.pidfile);
	raise_descriptor_limit(conf);
	if (daemon_state.args.daemon)
		go_to_background();
	serve(conf);
	conf_release(&conf);
	return 0;
}
