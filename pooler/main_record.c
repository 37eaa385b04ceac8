/* SPDX-License-Identifier: ISC
 *
 * pgsluice record: starts a pooler on a free port of loopback, runs a command whose environment
 * leads there, stops, and ends as the command did.
 *
 *	record ──fork──▶ pooler      its own process group: Ctrl-C is the command's business
 *	       ──fork──▶ command     INT and QUIT reach it from the terminal, TERM and HUP from us
 *	       ──fork──▶ pgassay     with --check, when the command is done
 *
 * The listening socket is made here and handed over (as systemd would), so no port is lost
 * between choosing and using it; that the pooler is up it says itself (NOTIFY_SOCKET).
 *
 * Exit status: the command's, 128 + n when signal n ended it, 126 or 127 when it could not be
 * run; then, with --check, the gate's; 2 wrong usage, 75 our own failure.
 */
#include "main_record.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { STATUS_USAGE = 2, STATUS_FAILED = 75 };

struct record {
	const char *dsn, *output, *format, *report;
	bool check;
	char **command;
	struct record_server server;
	char dir[PATH_MAX];
	char log[PATH_MAX]; /* absolute path of the query log */
	int listener, port;
	pid_t pooler;
};

static volatile pid_t running; /* the command: TERM and HUP go to it */

static int failed(const char *what)
{
	fprintf(stderr, "pgsluice record: %s: %s\n", what, strerror(errno));
	return STATUS_FAILED;
}

/* --- the command line ----------------------------------------------------------------------- */

static void usage(FILE *to)
{
	fputs("usage: pgsluice record [OPTION…] -- COMMAND…\n"
	      "\n"
	      "Runs COMMAND with a pooler before its PostgreSQL and writes every statement to a "
	      "log:\n"
	      "\n"
	      "  pgsluice record -o queries.jsonl -- make test\n"
	      "  pgsluice record --check --dsn 'host=db user=postgres password=postgres' -- "
	      "pytest\n"
	      "\n"
	      "  -o, --output FILE  the query log (pgassay log FILE reads it); with --check it may "
	      "be "
	      "left out\n"
	      "      --dsn DSN      the server: a conninfo or URL; default: DATABASE_URL, else "
	      "PGHOST,\n"
	      "                     PGPORT, PGUSER, PGPASSWORD, PGDATABASE as libpq reads them\n"
	      "      --check        then run `pgassay log --gate`: findings fail the command, as\n"
	      "                     .pgassay.conf says, without it from warnings on\n"
	      "      --format NAME  its format (pgassay log --help lists them)\n"
	      "      --report FILE  where its report goes; default: standard output\n"
	      "\n"
	      "COMMAND finds the pooler by PGHOST, PGPORT and DATABASE_URL; PGUSER, PGPASSWORD "
	      "and\n"
	      "PGDATABASE are the server's.  It works in session mode: whatever a session may do "
	      "works.\n"
	      "Clients are not asked for a password; the server is given that of the DSN or of\n"
	      "DATABASE_URL, for other users that of ~/.pgpass.  To name tests in the findings "
	      "send\n"
	      "SELECT 'pgassay:test NAME' when one begins, or set application_name to its name.\n"
	      "\n"
	      "Exit status: COMMAND's, 128 + n when a signal ended it; else with --check "
	      "pgassay's.\n",
		to);
}

/* Answers a status, or -1: go on. */
static int parse(int argc, char **argv, struct record *r)
{
	enum { OPT_DSN = 256, OPT_CHECK, OPT_FORMAT, OPT_REPORT };
	static const struct option longs[] = {
		{"output", required_argument, NULL, 'o'},
		{"dsn", required_argument, NULL, OPT_DSN},
		{"check", no_argument, NULL, OPT_CHECK},
		{"format", required_argument, NULL, OPT_FORMAT},
		{"report", required_argument, NULL, OPT_REPORT},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	int o;

	/* + : the first word that is no option begins the command. */
	while ((o = getopt_long(argc, argv, "+o:h", longs, NULL)) != -1) {
		switch (o) {
		case 'o':
			r->output = optarg;
			break;
		case OPT_DSN:
			r->dsn = optarg;
			break;
		case OPT_CHECK:
			r->check = true;
			break;
		case OPT_FORMAT:
			r->format = optarg;
			break;
		case OPT_REPORT:
			r->report = optarg;
			break;
		case 'h':
			usage(stdout);
			return 0;
		default:
			fputs("Try 'pgsluice record --help'.\n", stderr);
			return STATUS_USAGE;
		}
	}
	r->command = argv + optind;
	if (optind == argc)
		fputs("pgsluice record: which command?  pgsluice record -o FILE -- COMMAND…\n",
			stderr);
	else if (!r->output && !r->check)
		fputs("pgsluice record: where to?  -o FILE, or --check to analyse it at once\n",
			stderr);
	else if ((r->format || r->report) && !r->check)
		fputs("pgsluice record: --format and --report are for --check\n", stderr);
	else
		return -1;
	return STATUS_USAGE;
}

/* --- preparing ------------------------------------------------------------------------------- */

/* The query log begins empty, wherever it is. */
static bool prepare_log(struct record *r)
{
	char here[PATH_MAX];
	int fd, n;

	if (!r->output)
		n = snprintf(r->log, sizeof r->log, "%s/queries.jsonl", r->dir);
	else if (r->output[0] == '/')
		n = snprintf(r->log, sizeof r->log, "%s", r->output);
	else if (getcwd(here, sizeof here))
		n = snprintf(r->log, sizeof r->log, "%s/%s", here, r->output);
	else
		return false;
	if (n < 0 || (size_t)n >= sizeof r->log) {
		errno = ENAMETOOLONG;
		return false;
	}
	fd = open(r->log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	return fd >= 0 && close(fd) == 0;
}

static bool make_dir(struct record *r)
{
	const char *tmp = getenv("TMPDIR");

	if (!tmp || tmp[0] != '/')
		tmp = "/tmp";
	if ((size_t)snprintf(r->dir, sizeof r->dir, "%s/pgsluice-record-XXXXXX", tmp) >=
		sizeof r->dir)
		return false;
	return mkdtemp(r->dir) != NULL;
}

static bool open_listener(struct record *r)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof a;

	r->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (r->listener < 0 || bind(r->listener, (struct sockaddr *)&a, sizeof a) < 0 ||
		listen(r->listener, 1024) < 0 ||
		getsockname(r->listener, (struct sockaddr *)&a, &n) < 0)
		return false;
	r->port = ntohs(a.sin_port);
	return true;
}

static int open_notify(const char *dir)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 ||
		(size_t)snprintf(a.sun_path, sizeof a.sun_path, "%s/notify", dir) >=
			sizeof a.sun_path ||
		bind(fd, (struct sockaddr *)&a, sizeof a) < 0) {
		if (fd >= 0)
			close(fd);
		return -1;
	}
	setenv("NOTIFY_SOCKET", a.sun_path, 1);
	return fd;
}

/* --- the pooler --------------------------------------------------------------------------------
 */

static _Noreturn void become_pooler(const struct record *r)
{
	char conf[PATH_MAX + 16], number[16], quiet[] = "--quiet", name[] = "pgsluice";
	char *words[] = {name, quiet, conf, NULL};

	prctl(PR_SET_PDEATHSIG, SIGTERM);
	setpgid(0, 0);
	snprintf(conf, sizeof conf, "%s/pooler.conf", r->dir);
	snprintf(number, sizeof number, "%d", (int)getpid());
	setenv("LISTEN_FDS", "1", 1);
	setenv("LISTEN_PID", number, 1);
	if (r->listener == 3)
		fcntl(3, F_SETFD, 0);
	else if (dup2(r->listener, 3) < 0)
		_exit(STATUS_FAILED);
	execv("/proc/self/exe", words);
	_exit(STATUS_FAILED);
}

/* What the pooler said last. */
static void print_log(const struct record *r)
{
	char path[PATH_MAX + 16], line[2048];
	FILE *f;

	snprintf(path, sizeof path, "%s/pooler.log", r->dir);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof line, f))
		fprintf(stderr, "  %s", line);
	if (f)
		fclose(f);
}

/* Waits until the pooler says that it is up, or ends. */
static bool wait_ready(const struct record *r, int notify)
{
	int self = pidfd_open(r->pooler, 0);
	struct pollfd fds[] = {{.fd = notify, .events = POLLIN}, {.fd = self, .events = POLLIN}};
	char text[512];
	bool ready = false;

	while (!ready && self >= 0 && (poll(fds, 2, -1) > 0 || errno == EINTR)) {
		ssize_t n = recv(notify, text, sizeof text - 1, 0);
		if (n > 0) {
			text[n] = '\0';
			ready = strstr(text, "READY=1") != NULL;
		} else if (fds[1].revents) {
			break;
		}
	}
	if (self >= 0)
		close(self);
	return ready;
}

static bool start_pooler(struct record *r)
{
	int notify = open_notify(r->dir);
	bool ready = false;

	if (notify < 0) {
		failed("notify socket");
		return false;
	}
	r->pooler = fork();
	if (r->pooler == 0)
		become_pooler(r);
	if (r->pooler > 0)
		ready = wait_ready(r, notify);
	if (!ready) {
		fprintf(stderr, "pgsluice record: the pooler did not start:\n");
		print_log(r);
	}
	unsetenv("NOTIFY_SOCKET");
	close(notify);
	close(r->listener);
	return ready;
}

static int wait_for(pid_t pid)
{
	int status = 0;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return STATUS_FAILED;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* Leaves when no transaction is running (shutdown_timeout: at the latest); the log is whole then.
 * false: it had ended before. */
static bool stop_pooler(struct record *r)
{
	int status;

	if (r->pooler <= 0)
		return true;
	if (waitpid(r->pooler, &status, WNOHANG) == r->pooler) {
		fprintf(stderr, "pgsluice record: the pooler ended before the command did:\n");
		print_log(r);
		return false;
	}
	kill(r->pooler, SIGINT);
	status = wait_for(r->pooler);
	if (status)
		fprintf(stderr, "pgsluice record: the pooler ended with status %d\n", status);
	return status == 0;
}

/* --- the command ---------------------------------------------------------------------------- */

static void on_signal(int sig)
{
	if (running > 0)
		kill(running, sig);
}

static void watch_signals(bool on)
{
	static const int passed[] = {SIGTERM, SIGHUP}, ignored[] = {SIGINT, SIGQUIT};
	struct sigaction a = {.sa_handler = on ? on_signal : SIG_DFL};

	for (size_t i = 0; i < ARRAY_LEN(passed); i++)
		sigaction(passed[i], &a, NULL);
	a.sa_handler = on ? SIG_IGN : SIG_DFL;
	for (size_t i = 0; i < ARRAY_LEN(ignored); i++)
		sigaction(ignored[i], &a, NULL);
}

/* As the shell: a name without a slash was found if a file of PATH has it. execvp() says EACCES
 * also when a directory of PATH may not be searched, or one has the command's name. */
static bool is_on_path(const char *name)
{
	const char *path = getenv("PATH"), *end;
	char file[PATH_MAX];
	struct stat st;

	for (; path; path = *end ? end + 1 : NULL) {
		end = strchrnul(path, ':');
		snprintf(file, sizeof file, "%.*s/%s", end > path ? (int)(end - path) : 1,
			end > path ? path : ".", name);
		if (stat(file, &st) == 0 && !S_ISDIR(st.st_mode))
			return true;
	}
	return false;
}

static _Noreturn void become(char **words)
{
	int why;

	execvp(words[0], words);
	why = errno;
	if (why == EACCES && !strchr(words[0], '/') && !is_on_path(words[0]))
		why = ENOENT;
	fprintf(stderr, "pgsluice record: %s: %s\n", words[0], strerror(why));
	_exit(why == ENOENT ? 127 : 126);
}

static int run_command(struct record *r)
{
	int status;

	/* A signal that comes before the command runs waits until it does. */
	sigset_t all, old;
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &old);
	running = fork();
	if (running == 0) {
		watch_signals(false);
		sigprocmask(SIG_SETMASK, &old, NULL);
		record_set_environment(&r->server, r->port);
		become(r->command);
	}
	sigprocmask(SIG_SETMASK, &old, NULL);
	if (running < 0)
		return failed("fork");
	status = wait_for(running);
	running = 0;
	return status;
}

/* --- the analysis ---------------------------------------------------------------------------- */

static int run_gate(const struct record *r)
{
	char beside[PATH_MAX], self[PATH_MAX], plain[] = "pgassay", log[] = "log",
					       gate[] = "--gate", f[] = "--format",
					       o[] = "--output";
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
	char *words[10] = {plain, log, gate};
	char *slash, *format = r->format ? mem_strdup(r->format) : NULL,
		     *report = r->report ? mem_strdup(r->report) : NULL, *file = mem_strdup(r->log);
	size_t w = 3;
	pid_t pid;

	self[n > 0 ? n : 0] = '\0';
	slash = strrchr(self, '/');
	if (slash &&
		(size_t)snprintf(beside, sizeof beside, "%.*s/pgassay", (int)(slash - self), self) <
			sizeof beside &&
		access(beside, X_OK) == 0)
		words[0] = beside;
	if (format) {
		words[w++] = f;
		words[w++] = format;
	}
	if (report) {
		words[w++] = o;
		words[w++] = report;
	}
	words[w] = file;
	pid = fork();
	if (pid == 0) {
		watch_signals(false);
		become(words);
	}
	free(format);
	free(report);
	free(file);
	return pid < 0 ? failed("fork") : wait_for(pid);
}

static void remove_dir(const struct record *r)
{
	static const char *const names[] = {
		"notify", "users", "pooler.conf", "pooler.log", "queries.jsonl"};
	char path[PATH_MAX + 32];

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		snprintf(path, sizeof path, "%s/%s", r->dir, names[i]);
		unlink(path);
	}
	rmdir(r->dir);
}

/* --- all of it ------------------------------------------------------------------------------- */

static int record(struct record *r)
{
	struct stat st;
	int status;
	bool whole;

	if (!prepare_log(r))
		return failed(r->output ? r->output : "queries.jsonl");
	if (!open_listener(r))
		return failed("listening on 127.0.0.1");
	if (!record_write_settings(&r->server, r->dir, r->port, r->log))
		return STATUS_FAILED;
	watch_signals(true);
	if (!start_pooler(r)) {
		if (r->pooler > 0)
			wait_for(r->pooler);
		return STATUS_FAILED;
	}
	status = run_command(r);
	whole = stop_pooler(r);
	if (stat(r->log, &st) == 0 && st.st_size == 0)
		fputs("pgsluice record: no statement came through: does the command connect to "
		      "PGHOST and PGPORT, or to DATABASE_URL?\n",
			stderr);
	if (status == 0 && r->check)
		status = run_gate(r);
	else if (r->check)
		fprintf(stderr,
			"pgsluice record: the command failed (%d): its statements are not judged\n",
			status);
	return status == 0 && !whole ? STATUS_FAILED : status;
}

int record_main(int argc, char **argv)
{
	struct record r = {.listener = -1};
	int status = parse(argc, argv, &r);

	if (status >= 0)
		return status;
	if (!record_server_find(&r.server, r.dsn)) {
		record_server_release(&r.server);
		return STATUS_USAGE;
	}
	if (make_dir(&r)) {
		status = record(&r);
		remove_dir(&r);
	} else {
		status = failed("temporary directory");
	}
	record_server_release(&r.server);
	return status;
}
