/* SPDX-License-Identifier: ISC
 *
 * From lines to a snapshot and from one to the next: unknown keys, what must fit together,
 * who goes before whom, RELOAD, SET, differences, references.
 */
#include "conf.h"

#include <check.h>
#include <pthread.h>
#include <syslog.h>
#include <unistd.h>

static struct conf_report report;

static void drop_report(void)
{
	conf_report_release(&report);
}

static const struct conf *load(const char *text)
{
	drop_report();
	return conf_load_text("t.conf", text, strlen(text), &report);
}

static const struct conf *load_good(const char *text)
{
	const struct conf *c = load(text);

	ck_assert_msg(c != NULL, "%s", report.n_errors ? report.errors[0].text : "");
	return c;
}

static void refuses(const char *text, const char *error)
{
	const struct conf *c = load(text);

	ck_assert_msg(c == NULL, "accepted: %s", text);
	ck_assert_uint_eq(report.n_errors, 1);
	ck_assert_str_eq(report.errors[0].text, error);
}

/* Loads well, and warns of exactly this. */
static void warns(const char *text, int line, const char *warning)
{
	const struct conf *c = load_good(text);

	ck_assert_uint_eq(report.n_warnings, 1);
	ck_assert_str_eq(report.warnings[0].text, warning);
	ck_assert_int_eq(report.warnings[0].line, line);
	conf_release(&c);
}

#define DB "[databases]\na = host=h\n[pooler]\n"

START_TEST(keys_that_are_not)
{
	refuses("[pooler]\nlisten_prot = 1\n",
		"no setting \"listen_prot\" in [pooler]; did you mean \"listen_port\"?");
	refuses("[pooler]\ndefault_poolsize = 1\n",
		"no setting \"default_poolsize\" in [pooler]; did you mean \"default_pool_size\"?");
	refuses("[pooler]\nxyzzy = 1\n", "no setting \"xyzzy\" in [pooler]");
	refuses("[pooler]\nhost = x\n",
		"\"host\" cannot be set in [pooler], but in [databases] or [peers]");
	refuses("[databases]\na = listen_port=1\n",
		"a: \"listen_port\" cannot be set in [databases], but in [pooler]");
	refuses("[databases]\na = hots=h\n",
		"a: no setting \"hots\" in [databases]; did you mean \"host\"?");
	refuses("[users]\nu = max_user_conections=1\n",
		"u: no setting \"max_user_conections\" in [users]; did you mean "
		"\"max_user_connections\"?");
	refuses("[users]\nu = max_db_connections=1\n",
		"u: \"max_db_connections\" cannot be set in [users], but in [pooler] or "
		"[databases]");
}
END_TEST

START_TEST(lines_that_are_wrong)
{
	refuses("[databases]\npgbouncer = host=h\n",
		"the database name \"pgbouncer\" is reserved for the console");
	refuses("[databases]\npgsluice = host=h\n",
		"the database name \"pgsluice\" is reserved for the console");
	refuses("[databases]\na = port=0\n",
		"a: port = \"0\": must be a port from 1 to 65535, or several of them separated by "
		"commas");
	refuses("[databases]\na = pool_mode=tx\n",
		"a: pool_mode = \"tx\": must be one of session, transaction, statement, auto");
	refuses("[databases]\na = target_session_attrs=rw\n",
		"a: target_session_attrs = \"rw\": must be one of any, read-write, read-only, "
		"primary, standby, prefer-standby");
	refuses("[users]\nu = pool_size=-2\n",
		"u: max_open = \"-2\": must be a whole number from 0 to 1000000");
	refuses("[peers]\nzero = host=h\n", "\"zero\" is no peer_id: a number from 1 to 65535 is");
	refuses("[peers]\n65536 = host=h\n",
		"\"65536\" is no peer_id: a number from 1 to 65535 is");
	refuses("[peers]\n1 = port=1\n", "1: a peer needs a host");
	refuses("[peers]\n1 = host=a\n01 = host=b\n", "peer 1 is given twice, under two spellings");
	/* A line that a later one replaces is judged all the same. */
	refuses("[databases]\na = portt=1\na = host=h\n",
		"a: no setting \"portt\" in [databases]; did you mean \"port\"?");
	warns("[databases]\na = password=p host=h\n", 2, "a: password has no effect without user");
}
END_TEST

START_TEST(the_later_of_two_holds)
{
	const struct conf *c = load_good(DB "max_open = 1\nmax_open = 2\n[databases]\n"
					    "b = host=h1 pool_size=3\nb = host=h2\n");

	ck_assert_int_eq(c->p.max_open, 2);
	ck_assert_str_eq(conf_database_find(c, "b")->host, "h2");
	ck_assert_int_eq(conf_database_find(c, "b")->max_open, CONF_UNSET);
	ck_assert_uint_eq(c->n_databases, 2);
	conf_release(&c);
	warns(DB "max_open = 1\ndefault_pool_size = 2\n", 5,
		"default_pool_size is another word for max_open, which t.conf:4 set to \"1\": the "
		"later one holds");
	warns(DB "server_lifetime = 1\nmax_lifetime = 2\n", 5,
		"max_lifetime is another word for server_lifetime, which t.conf:4 set to \"1\": "
		"the later one holds");
}
END_TEST

START_TEST(both_dialects_say_the_same)
{
	const struct conf *a =
		load_good("[databases]\na = host=h pool_size=1 min_pool_size=2 reserve_pool=3 "
			  "server_lifetime=4 sslmode=require\n[pgbouncer]\ndefault_pool_size=5\n"
			  "min_pool_size=1\nserver_idle_timeout=7\nserver_lifetime=8\n"
			  "service_name=x\npgbouncer_error_codes=0\n");
	const struct conf *b =
		load_good("[databases]\na = host=h max_open=1 min_open=2 reserve_pool_size=3 "
			  "max_lifetime=4s server_tls_sslmode=require\n[pooler]\nmax_open=5\n"
			  "min_open=1\nmax_idle_time=7s\nmax_lifetime=8\njob_name=x\n");
	struct buf diff = {0};

	ck_assert_uint_eq(conf_diff(a, b, &diff), 0);
	ck_assert_int_eq(a->p.max_open, 5);
	ck_assert_uint_eq(a->p.max_idle_time, 7 * USEC_SEC);
	ck_assert_int_eq(conf_server_tls_sslmode(a, a->databases, NULL), SSLMODE_REQUIRE);
	buf_free(&diff);
	conf_release(&a);
	conf_release(&b);
}
END_TEST

START_TEST(what_must_fit_together)
{
	refuses(DB "client_tls_sslmode = require\n",
		"client_tls_sslmode needs client_tls_key_file and client_tls_cert_file");
	refuses(DB "client_tls_sslmode = verify-ca\nclient_tls_key_file = /dev/null\n"
		   "client_tls_cert_file = /dev/null\n",
		"client_tls_sslmode = verify-ca or verify-full needs client_tls_ca_file");
	refuses(DB "auth_type = cert\n", "auth_type = cert needs client_tls_sslmode = verify-full");
	refuses(DB "auth_type = hba\n", "auth_type = hba needs auth_hba_file");
	refuses(DB "server_tls_key_file = /dev/null\n",
		"server_tls_key_file and server_tls_cert_file need each other");
	refuses(DB "metrics_tls_cert_file = /dev/null\n",
		"metrics_tls_key_file and metrics_tls_cert_file need each other");
	refuses(DB "metrics_password = x\n", "metrics_user and metrics_password need each other");
}
END_TEST

START_TEST(what_an_operator_would_want_to_know)
{
	warns("", 0, "no database is defined: only the console will answer");
	warns(DB "max_open = 2\nmin_open = 3\n", 5,
		"min_open = 3 is more than max_open = 2 and is cut");
	warns(DB "max_idle = 2\nmin_open = 3\n", 4,
		"max_idle = 2 is less than min_open = 3: connections will be closed and opened "
		"again without end");
	warns(DB "unix_socket_dir =\n", 4,
		"neither listen_addr nor unix_socket_dir: only sockets of systemd are left to "
		"listen on");
	warns(DB "auth_dbname = nope\n", 4,
		"auth_dbname = \"nope\" is not among [databases]: auth_query will fail");
	warns(DB "auth_type = any\n", 2,
		"a: auth_type = any needs a user= here: nobody can log in");
	warns(DB "auth_file = /nowhere/users\n", 4,
		"auth_file: cannot read \"/nowhere/users\": No such file or directory");
	warns(DB "server_tls_sslmode = verify-full\n", 4,
		"server_tls_sslmode = verify-ca or verify-full without server_tls_ca_file: libpq "
		"looks for ~/.postgresql/root.crt");
	warns(DB "pkt_buf = 8192\n", 4,
		"pkt_buf has no effect: each worker has one buffer of 64 kB for all its "
		"connections");
}
END_TEST

/* PgBouncer's order: user, then database, then pooler. */
START_TEST(who_goes_before_whom)
{
	const struct conf *c = load_good(
		"[databases]\nplain=\nown = pool_size=5 pool_mode=transaction query_wait_timeout=5 "
		"min_pool_size=9 server_lifetime=0 max_db_connections=0\n"
		"[users]\nu = pool_size=3 pool_mode=statement query_wait_timeout=0 "
		"query_timeout=0\n"
		"[pooler]\nmax_open=7\nquery_wait_timeout=70\nquery_timeout=90\nmin_open=1\n"
		"max_lifetime=100\nmax_db_connections=44\n");
	const struct conf_database *plain = conf_database_find(c, "plain");
	const struct conf_database *own = conf_database_find(c, "own");
	const struct conf_user *u = conf_user_find(c, "u");

	ck_assert_int_eq(conf_pool_max_open(c, NULL, NULL), 7);
	ck_assert_int_eq(conf_pool_max_open(c, plain, NULL), 7);
	ck_assert_int_eq(conf_pool_max_open(c, own, NULL), 5);
	ck_assert_int_eq(conf_pool_max_open(c, own, u), 3);
	ck_assert_int_eq(conf_pool_mode(c, plain, NULL), POOL_MODE_SESSION);
	ck_assert_int_eq(conf_pool_mode(c, own, NULL), POOL_MODE_TRANSACTION);
	ck_assert_int_eq(conf_pool_mode(c, own, u), POOL_MODE_STATEMENT);
	ck_assert_uint_eq(conf_query_wait_timeout(c, own, NULL), 5 * USEC_SEC);
	ck_assert_uint_eq(conf_query_wait_timeout(c, own, u), 0);
	/* min_open is cut to the pool's own max_open. */
	ck_assert_int_eq(conf_pool_min_open(c, plain, NULL), 1);
	ck_assert_int_eq(conf_pool_min_open(c, own, NULL), 5);
	ck_assert_int_eq(conf_pool_min_open(c, own, u), 3);
	/* In these a 0 means "not set", as it always has. */
	ck_assert_uint_eq(conf_query_timeout(c, own, u), 90 * USEC_SEC);
	ck_assert_uint_eq(conf_pool_max_lifetime(c, own, u), 100 * USEC_SEC);
	ck_assert_int_eq(conf_max_db_connections(c, own, NULL), 44);
	conf_release(&c);
}
END_TEST

START_TEST(set_makes_a_new_snapshot)
{
	const struct conf *c = load_good(DB "max_open = 1\n"), *d, *e;
	struct buf err = {0}, diff = {0};

	d = conf_set(c, "default_pool_size", "9", &err);
	ck_assert_ptr_nonnull(d);
	ck_assert_int_eq(c->p.max_open, 1);
	ck_assert_int_eq(d->p.max_open, 9);
	ck_assert_uint_eq(conf_diff(c, d, &diff), 1);
	ck_assert_str_eq(buf_cstr(&diff), "max_open: 1 -> 9\n");
	conf_release(&c); /* the second stands on its own */
	ck_assert_str_eq(conf_database_find(d, "a")->host, "h");

	e = conf_set(d, "query_wait_timeout", "5min", &err);
	ck_assert_int_eq(e->p.max_open, 9);
	ck_assert_uint_eq(e->p.query_wait_timeout, 300 * USEC_SEC);
	conf_release(&e);
	ck_assert_uint_eq(err.len, 0);

	ck_assert_ptr_null(conf_set(d, "max_opne", "9", &err));
	ck_assert_str_eq(buf_cstr(&err),
		"no setting \"max_opne\" in [pooler]; did you mean \"max_open\"?");
	err.len = 0;
	ck_assert_ptr_null(conf_set(d, "max_open", "x", &err));
	ck_assert_str_eq(buf_cstr(&err),
		"max_open = \"x\": must be a whole number from 0 to 1000000");
	err.len = 0;
	ck_assert_ptr_null(conf_set(d, "listen_port", "5", &err));
	ck_assert_str_eq(buf_cstr(&err),
		"listen_port cannot be changed while running: it needs a restart");
	err.len = 0;
	ck_assert_ptr_null(conf_set(d, "client_tls_sslmode", "require", &err));
	ck_assert_str_eq(buf_cstr(&err),
		"client_tls_sslmode needs client_tls_key_file and client_tls_cert_file");
	err.len = 0;
	ck_assert_ptr_null(conf_set(d, "host", "h", &err));
	ck_assert_uint_gt(err.len, 0);
	buf_free(&err);
	buf_free(&diff);
	conf_release(&d);
}
END_TEST

static void write_file(const char *name, const char *text)
{
	FILE *f = fopen(name, "w");

	fputs(text, f);
	fclose(f);
}

START_TEST(reload_keeps_what_needs_a_restart)
{
	char path[] = "/tmp/conf_load.XXXXXX";
	int fd = mkstemp(path);
	const struct conf *c, *d, *e;
	struct buf err = {0};

	ck_assert_int_ge(fd, 0);
	close(fd);
	write_file(path, DB "listen_port = 1\nuser = me\nmax_open = 1\n");
	c = conf_load(path, &report);
	d = conf_override(c, "verbose", "2", &err);
	ck_assert_ptr_nonnull(d);
	conf_release(&c);
	c = conf_set(d, "max_idle", "5", &err);
	ck_assert_int_eq(c->p.max_idle, 5);
	conf_release(&d);

	write_file(path, DB "listen_port = 2\nuser = you\nmax_open = 2\n");
	drop_report();
	d = conf_reload(path, c, &report);
	ck_assert_ptr_nonnull(d);
	ck_assert_int_eq(d->p.max_open, 2);
	ck_assert_int_eq(d->p.max_idle, 0);    /* SET lasts until the RELOAD */
	ck_assert_int_eq(d->p.verbose, 2);     /* the command line for good */
	ck_assert_int_eq(d->p.listen_port, 1); /* what needs a restart waits for it */
	ck_assert_str_eq(d->p.user, "me");
	ck_assert_uint_eq(report.n_warnings, 2);
	ck_assert_str_eq(report.warnings[0].text,
		"listen_port = \"2\" needs a restart: \"1\" stays in effect");
	ck_assert_int_eq(report.warnings[0].line, 4);
	ck_assert_str_eq(report.warnings[1].text,
		"user = \"you\" needs a restart: \"me\" stays in effect");

	/* ... through later changes, too. */
	e = conf_set(d, "max_open", "3", &err);
	ck_assert_int_eq(e->p.listen_port, 1);
	conf_release(&e);

	write_file(path, DB "listen_port = 2\nnonsense = 1\n");
	drop_report();
	ck_assert_ptr_null(conf_reload(path, d, &report));
	ck_assert_int_eq(d->p.max_open, 2);
	unlink(path);
	buf_free(&err);
	conf_release(&c);
	conf_release(&d);
}
END_TEST

START_TEST(differences)
{
	const struct conf *a = load_good(
		"[databases]\na = host=h\nb = host=h user=u password=p\ngone =\n* = host=x\n"
		"[users]\nu = pool_size=1\n[peers]\n1 = host=p\n[pooler]\nlisten_port = 1\n"
		"pkt_buf = 1\nauth_file = /dev/null\n");
	const struct conf *b = load_good(
		"[databases]\na = host=h2 pool_size=4\nb = host=h user=u password=q\nnew =\n"
		"* = host=y\n[users]\nu = query_timeout=1min\n[peers]\n10 = host=p\n[pooler]\n"
		"listen_port = 2\npkt_buf = 2\nmetrics_user = m\nmetrics_password = s\n");
	struct buf out = {0};

	ck_assert_uint_eq(conf_diff(a, a, &out), 0);
	ck_assert_uint_eq(out.len, 0);
	ck_assert_uint_eq(conf_diff(a, b, &out), 15);
	ck_assert_str_eq(buf_cstr(&out), "listen_port: 1 -> 2 (needs a restart)\n"
					 "auth_file: /dev/null -> empty\n"
					 "metrics_user: empty -> m\n"
					 "metrics_password: changed\n"
					 "pkt_buf: 1 -> 2 (needs a restart)\n"
					 "database a: max_open: unset -> 4\n"
					 "database a: host: h -> h2\n"
					 "database b: password: changed\n"
					 "database gone: removed\n"
					 "database new: added\n"
					 "database *: host: x -> y\n"
					 "user u: max_open: 1 -> unset\n"
					 "user u: query_timeout: unset -> 60\n"
					 "peer 1: removed\n"
					 "peer 10: added\n");
	ck_assert(!conf_same_target(a, conf_database_find(a, "a"), b, conf_database_find(b, "a")));
	ck_assert(!conf_same_target(a, conf_database_find(a, "b"), b, conf_database_find(b, "b")));
	conf_release(&b);
	b = load_good("[databases]\na = host=h pool_size=7 query_wait_timeout=1\n");
	ck_assert(conf_same_target(a, conf_database_find(a, "a"), b, conf_database_find(b, "a")));
	conf_release(&b);
	b = load_good("[databases]\na = host=h\nb = host=h sslmode=disable\n[pooler]\n"
		      "server_tls_sslmode = require\n");
	ck_assert(!conf_same_target(a, conf_database_find(a, "a"), b, conf_database_find(b, "a")));
	buf_free(&out);
	conf_release(&a);
	conf_release(&b);
}
END_TEST

static void hosts_are(const struct conf *c, const char *name, unsigned n, const char *host,
	const char *hostaddr, const char *port)
{
	struct conf_hosts h = {0};

	conf_database_hosts(conf_database_find(c, name), n, &h);
	ck_assert_str_eq(buf_cstr(&h.host), host);
	ck_assert_str_eq(buf_cstr(&h.hostaddr), hostaddr);
	ck_assert_str_eq(buf_cstr(&h.port), port);
	conf_hosts_release(&h);
}

START_TEST(hosts_take_turns)
{
	const struct conf *c = load_good("[databases]\none = host=a\nmany = host=a,b,c port=1,2,3\n"
					 "same = host=a,b hostaddr=10.0.0.1,10.0.0.2 port=7\n"
					 "stay = host=a,b load_balance_hosts=disable\nsocket =\n"
					 "service = service=s\nportly = service=s port=9\n");

	for (unsigned n = 0; n < 3; n++)
		hosts_are(c, "one", n, "a", "", "5432");
	hosts_are(c, "many", 0, "a,b,c", "", "1,2,3");
	hosts_are(c, "many", 1, "b,c,a", "", "2,3,1");
	hosts_are(c, "many", 2, "c,a,b", "", "3,1,2");
	hosts_are(c, "many", 4294967295u, "a,b,c", "", "1,2,3");
	hosts_are(c, "same", 1, "b,a", "10.0.0.2,10.0.0.1", "7");
	hosts_are(c, "stay", 1, "a,b", "", "5432");
	hosts_are(c, "socket", 1, "", "", "5432");
	hosts_are(c, "service", 0, "", "", "");
	hosts_are(c, "portly", 0, "", "", "9");
	conf_release(&c);
}
END_TEST

START_TEST(versions_of_tls)
{
	static const struct {
		const char *list;
		unsigned versions;
		const char *min, *max;
	} cases[] = {
		{"", CONF_TLS_1_2 | CONF_TLS_1_3, "TLSv1.2", "TLSv1.3"},
		{"secure", CONF_TLS_1_2 | CONF_TLS_1_3, "TLSv1.2", "TLSv1.3"},
		{"all", CONF_TLS_ALL, "TLSv1", "TLSv1.3"},
		{"TLSv1.1,tlsv1.2", CONF_TLS_1_1 | CONF_TLS_1_2, "TLSv1.1", "TLSv1.2"},
		{"!tlsv1.0:!tlsv1.1", CONF_TLS_1_2 | CONF_TLS_1_3, "TLSv1.2", "TLSv1.3"},
		{"all !tlsv1.3", CONF_TLS_1_0 | CONF_TLS_1_1 | CONF_TLS_1_2, "TLSv1", "TLSv1.2"},
		{"tlsv1.3", CONF_TLS_1_3, "TLSv1.3", "TLSv1.3"},
		{"tlsv1.3,!tlsv1.3", 0, NULL, NULL},
		{"!all", 0, NULL, NULL},
		{"sslv3", 0, NULL, NULL},
		{"tlsv1.", 0, NULL, NULL},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *min, *max;

		ck_assert_uint_eq(conf_tls_versions(cases[i].list), cases[i].versions);
		conf_tls_range(cases[i].list, &min, &max);
		ck_assert_pstr_eq(min, cases[i].min);
		ck_assert_pstr_eq(max, cases[i].max);
	}
}
END_TEST

START_TEST(the_log_as_settings_want_it)
{
	const struct conf *c = load_good(DB "log_format = json\nlogfile = /x\nsyslog = 1\n"
					    "syslog_facility = local2\nverbose = 1\n"
					    "log_levels = pool = noise, NET=error\n");
	struct log_options o = conf_log_options(c);

	ck_assert(o.json && o.syslog);
	ck_assert_str_eq(o.file, "/x");
	ck_assert_int_eq(o.syslog_facility, LOG_LOCAL2);
	ck_assert_int_eq(o.level[LOG_PART_MAIN], LOG_LEVEL_DEBUG);
	ck_assert_int_eq(o.level[LOG_PART_POOL], LOG_LEVEL_NOISE);
	ck_assert_int_eq(o.level[LOG_PART_NET], LOG_LEVEL_ERROR);
	conf_release(&c);
}
END_TEST

static void *hold_and_release(void *arg)
{
	for (int i = 0; i < 20000; i++) {
		const struct conf *c = conf_retain(arg);

		if (!conf_database_find(c, "a"))
			return arg;
		conf_release(&c);
	}
	return NULL;
}

START_TEST(references_from_many_threads)
{
	const struct conf *c = load_good(DB);
	pthread_t threads[4];
	void *failed;

	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, hold_and_release,
					 (void *)(uintptr_t)c),
			0);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
		pthread_join(threads[i], &failed);
		ck_assert_ptr_null(failed);
	}
	conf_release(&c);
	ck_assert_ptr_null(c);
	conf_release(&c); /* of nothing: nothing */
}
END_TEST

START_TEST(a_thousand_databases)
{
	struct buf b = {0};
	const struct conf *c;
	char name[32], host[32];

	buf_put_str(&b, "[databases]\n");
	for (int i = 0; i < 10000; i++)
		buf_printf(&b, "db%d = host=h%d\n", i % 5000, i);
	c = conf_load_text("t.conf", b.data, b.len, &report);
	ck_assert_uint_eq(c->n_databases, 5000);
	for (int i = 0; i < 5000; i++) {
		snprintf(name, sizeof name, "db%d", i);
		snprintf(host, sizeof host, "h%d", i + 5000);
		ck_assert_str_eq(conf_database_find(c, name)->host, host);
	}
	buf_free(&b);
	conf_release(&c);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("conf_load");
	TCase *t = tcase_create("load");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, NULL, drop_report);
	tcase_add_test(t, keys_that_are_not);
	tcase_add_test(t, lines_that_are_wrong);
	tcase_add_test(t, the_later_of_two_holds);
	tcase_add_test(t, both_dialects_say_the_same);
	tcase_add_test(t, what_must_fit_together);
	tcase_add_test(t, what_an_operator_would_want_to_know);
	tcase_add_test(t, who_goes_before_whom);
	tcase_add_test(t, set_makes_a_new_snapshot);
	tcase_add_test(t, reload_keeps_what_needs_a_restart);
	tcase_add_test(t, differences);
	tcase_add_test(t, hosts_take_turns);
	tcase_add_test(t, versions_of_tls);
	tcase_add_test(t, the_log_as_settings_want_it);
	tcase_add_test(t, references_from_many_threads);
	tcase_add_test(t, a_thousand_databases);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
