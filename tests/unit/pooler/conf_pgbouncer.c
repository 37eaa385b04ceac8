/* SPDX-License-Identifier: ISC
 *
 * The drop-in promise: every key of PgBouncer is known with PgBouncer's default and its
 * need of a restart, and a pgbouncer.ini that sets them all is read and echoed as it is.
 */
#include "conf.h"

#include <check.h>

#define EVERY_KEY "tests/unit/pooler/conf_every_key.ini"
#define RESTART	  true

/* From PgBouncer's own table: key, default (NULL: none), cannot be changed while running. */
static const struct key {
	const char *name, *def;
	bool restart;
} keys[] = {
	{"admin_users", "", false},
	{"application_name_add_host", "0", false},
	{"auth_dbname", NULL, false},
	{"auth_file", NULL, false},
	{"auth_hba_file", "", false},
	{"auth_ident_file", NULL, false},
	{"auth_ldap_options", NULL, false},
	{"auth_query",
		"SELECT rolname, CASE WHEN rolvaliduntil < now() THEN NULL ELSE rolpassword END "
		"FROM pg_authid WHERE rolname=$1 AND rolcanlogin",
		false},
	{"auth_type", "md5", false},
	{"auth_user", NULL, false},
	{"autodb_idle_timeout", "3600", false},
	{"cancel_wait_timeout", "10", false},
	{"client_idle_timeout", "0", false},
	{"client_login_timeout", "60", false},
	{"client_tls13_ciphers", NULL, false},
	{"client_tls_ca_file", "", false},
	{"client_tls_cert_file", "", false},
	{"client_tls_ciphers", "default", false},
	{"client_tls_dheparams", "auto", false},
	{"client_tls_ecdhcurve", "auto", false},
	{"client_tls_key_file", "", false},
	{"client_tls_protocols", "secure", false},
	{"client_tls_sslmode", "disable", false},
	{"conffile", NULL, false},
	{"default_pool_size", "20", false},
	{"disable_pqexec", "0", RESTART},
	{"dns_max_ttl", "15", false},
	{"dns_nxdomain_ttl", "15", false},
	{"dns_zone_check_period", "0", false},
	{"idle_transaction_timeout", "0", false},
	{"ignore_startup_parameters", "", false},
	{"job_name", "pgbouncer", RESTART},
	{"listen_addr", "", RESTART},
	{"listen_backlog", "128", RESTART},
	{"listen_port", "6432", RESTART},
	{"log_connections", "1", false},
	{"log_disconnections", "1", false},
	{"log_pooler_errors", "1", false},
	{"log_stats", "1", false},
	{"logfile", "", false},
	{"login_notify_message", "", false},
	{"max_client_conn", "100", false},
	{"max_db_client_connections", "0", false},
	{"max_db_connections", "0", false},
	{"max_packet_size", "2147483647", false},
	{"max_prepared_statements", "200", false},
	{"max_user_client_connections", "0", false},
	{"max_user_connections", "0", false},
	{"min_pool_size", "0", false},
	{"peer_id", "0", RESTART} /* there it is not; ours is in keys that clients hold */,
	{"pidfile", "", RESTART},
	{"pkt_buf", "4096", RESTART},
	{"pool_idle_timeout", "0", false},
	{"pool_mode", "session", false},
	{"query_timeout", "0", false},
	{"query_wait_notify", "5", false},
	{"query_wait_timeout", "120", false},
	{"reserve_pool_size", "0", false},
	{"reserve_pool_timeout", "5", false},
	{"resolv_conf", "", RESTART},
	{"sbuf_loopcnt", "5", false},
	{"scram_iterations", "4096", false},
	{"server_check_delay", "30", false},
	{"server_check_query", "<empty>", false},
	{"server_connect_timeout", "15", false},
	{"server_fast_close", "0", false},
	{"server_idle_timeout", "600", false},
	{"server_lifetime", "3600", false},
	{"server_login_retry", "15", false},
	{"server_reset_query", "DISCARD ALL", false},
	{"server_reset_query_always", "0", false},
	{"server_round_robin", "0", false},
	{"server_tls13_ciphers", NULL, false},
	{"server_tls_ca_file", "", false},
	{"server_tls_cert_file", "", false},
	{"server_tls_ciphers", "default", false},
	{"server_tls_key_file", "", false},
	{"server_tls_protocols", "secure", false},
	{"server_tls_sslmode", "prefer", false},
	{"so_reuseport", "0", RESTART},
	{"stats_period", "60", false},
	{"stats_users", "", false},
	{"suspend_timeout", "10", false},
	{"syslog", "0", false},
	{"syslog_facility", "daemon", false},
	{"syslog_ident", "pgbouncer", false},
	{"tcp_defer_accept", "1", false},
	{"tcp_keepalive", "1", false},
	{"tcp_keepcnt", "0", false},
	{"tcp_keepidle", "0", false},
	{"tcp_keepintvl", "0", false},
	{"tcp_socket_buffer", "0", false},
	{"tcp_user_timeout", "0", false},
	{"track_extra_parameters", "IntervalStyle", RESTART},
	{"transaction_timeout", "0", false},
	{"unix_socket_dir", "/tmp", RESTART},
	{"unix_socket_group", "", RESTART},
	{"unix_socket_mode", "0777", RESTART},
	{"user", NULL, RESTART},
	{"verbose", "0", false},
};

static struct conf_report report;

/* What SHOW CONFIG says of one key. */
struct wanted {
	const char *key;
	bool found, changeable;
	char value[256], source[128];
	char def[256];
	bool has_def;
};

static void look(void *arg, const struct conf_shown *s)
{
	struct wanted *w = arg;

	if (strcmp(s->key, w->key) != 0)
		return;
	ck_assert_msg(!w->found, "%s is shown twice", s->key);
	w->found = true;
	w->changeable = s->changeable;
	snprintf(w->value, sizeof w->value, "%s", s->value);
	snprintf(w->source, sizeof w->source, "%s", s->source);
	snprintf(w->def, sizeof w->def, "%s", s->def ? s->def : "");
	w->has_def = s->def != NULL;
}

static struct wanted show(const struct conf *c, const char *key)
{
	struct wanted w = {.key = key};

	conf_each_setting(c, look, &w);
	ck_assert_msg(w.found, "SHOW CONFIG lacks %s", key);
	return w;
}

START_TEST(every_key_has_its_default)
{
	const struct conf *c = conf_load_text("empty", "", 0, &report);

	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		struct wanted w = show(c, keys[i].name);

		ck_assert_str_eq(w.def, keys[i].def ? keys[i].def : "");
		ck_assert_msg(w.has_def == (keys[i].def != NULL), "%s", keys[i].name);
		ck_assert_msg(w.changeable != keys[i].restart, "%s", keys[i].name);
		ck_assert_str_eq(w.source, "default");
		if (keys[i].def && strcmp(keys[i].name, "unix_socket_mode") != 0)
			ck_assert_str_eq(w.value, keys[i].def);
	}
	ck_assert_str_eq(show(c, "unix_socket_mode").value, "511");
	ck_assert_str_eq(show(c, "conffile").value, "empty");
	conf_release(&c);
}
END_TEST

START_TEST(a_file_with_every_key_is_echoed)
{
	const struct conf *c = conf_load(EVERY_KEY, &report);
	FILE *f = fopen(EVERY_KEY, "r");
	char line[512], key[64], value[256], source[128];
	bool main_section = false;
	size_t n = 0;

	ck_assert_msg(c != NULL, "%s:%d: %s", report.errors ? report.errors[0].file : "",
		report.errors ? report.errors[0].line : 0,
		report.errors ? report.errors[0].text : "");
	ck_assert_ptr_nonnull(f);
	for (int number = 1; fgets(line, sizeof line, f); number++) {
		struct wanted w;

		if (line[0] == '[')
			main_section = strncmp(line, "[pgbouncer]", 11) == 0;
		if (!main_section || sscanf(line, "%63[a-z0-9_] = %255[^\n]", key, value) != 2)
			continue;
		w = show(c, key);
		if (strcmp(key, "unix_socket_mode") != 0)
			ck_assert_str_eq(w.value, value);
		ck_assert_msg(strcmp(w.value, w.def) != 0, "%s is at its default", key);
		snprintf(source, sizeof source, "%s:%d", EVERY_KEY, number);
		ck_assert_str_eq(w.source, source);
		n++;
	}
	fclose(f);
	ck_assert_uint_eq(n, ARRAY_LEN(keys));
	conf_release(&c);
}
END_TEST

START_TEST(what_has_no_effect_is_named_once)
{
	static const char *const ignored[] = {"pkt_buf", "sbuf_loopcnt", "dns_max_ttl",
		"dns_nxdomain_ttl", "dns_zone_check_period", "resolv_conf", "job_name",
		"server_tls_ciphers", "server_tls13_ciphers", "auth_ldap_options"};
	const struct conf *c = conf_load(EVERY_KEY, &report);

	for (size_t i = 0; i < ARRAY_LEN(ignored); i++) {
		char want[80];
		size_t said = 0;

		snprintf(want, sizeof want, "%s has no effect: ", ignored[i]);
		for (size_t j = 0; j < report.n_warnings; j++)
			said += strncmp(report.warnings[j].text, want, strlen(want)) == 0;
		ck_assert_msg(said == 1, "%s: said %zu times", ignored[i], said);
	}
	conf_release(&c);
}
END_TEST

START_TEST(lines_of_databases)
{
	const struct conf *c = conf_load(EVERY_KEY, &report);
	const struct conf_database *db = conf_database_find(c, "forcedb");

	ck_assert_str_eq(db->host, "localhost");
	ck_assert_str_eq(db->port, "300");
	ck_assert_str_eq(db->user, "baz");
	ck_assert_str_eq(db->password, "foo");
	ck_assert_str_eq(db->client_encoding, "UNICODE");
	ck_assert_str_eq(db->datestyle, "ISO");
	ck_assert_str_eq(db->timezone, "UTC");
	ck_assert_str_eq(db->connect_query, "SELECT 1");
	ck_assert_ptr_null(db->dbname);
	ck_assert_int_eq(db->max_open, CONF_UNSET);
	db = conf_database_find(c, "bardb");
	ck_assert_str_eq(db->dbname, "bazdb");
	ck_assert_str_eq(db->port, "5432");
	ck_assert_str_eq(conf_auth_query(c, db, NULL), "SELECT * FROM lookup($1)");
	db = conf_database_find(c, "pooldb");
	ck_assert_int_eq(db->max_open, 10);
	ck_assert_int_eq(db->min_open, 2);
	ck_assert_int_eq(db->reserve_pool_size, 3);
	ck_assert_int_eq(db->pool_mode, POOL_MODE_TRANSACTION);
	ck_assert_uint_eq(db->query_wait_timeout, 7 * USEC_SEC);
	ck_assert_str_eq(db->application_name, "pooled");
	db = conf_database_find(c, "limitdb");
	ck_assert_int_eq(db->reserve_pool_size, 4);
	ck_assert_int_eq(db->max_db_connections, 50);
	ck_assert_int_eq(db->max_db_client_connections, 500);
	ck_assert_uint_eq(db->max_lifetime, 300 * USEC_SEC);
	ck_assert_int_eq(db->load_balance_hosts, LOAD_BALANCE_HOSTS_DISABLE);
	ck_assert_str_eq(conf_database_find(c, "odd name")->host, "/var/run/postgresql");
	db = conf_database_find(c, "unset");
	ck_assert_int_eq(db->max_open, CONF_UNSET);
	ck_assert_uint_eq(db->query_wait_timeout, CONF_UNSET_TIME);
	ck_assert_int_eq(db->max_db_connections, CONF_UNSET);
	ck_assert_str_eq(conf_database_find(c, "whatever")->host, "testserver");
	conf_release(&c);
}
END_TEST

START_TEST(lines_of_users_and_peers)
{
	const struct conf *c = conf_load(EVERY_KEY, &report);
	const struct conf_user *user = conf_user_find(c, "maxedout");

	ck_assert_int_eq(user->pool_mode, POOL_MODE_SESSION);
	ck_assert_int_eq(user->max_user_connections, 5);
	ck_assert_int_eq(user->max_user_client_connections, 50);
	user = conf_user_find(c, "slow");
	ck_assert_int_eq(user->max_open, 2);
	ck_assert_int_eq(user->reserve_pool_size, 1);
	ck_assert_uint_eq(user->query_timeout, 60 * USEC_SEC);
	ck_assert_uint_eq(user->query_wait_timeout, 0);
	ck_assert_uint_eq(user->idle_transaction_timeout, 30 * USEC_SEC);
	ck_assert_uint_eq(user->transaction_timeout, 90 * USEC_SEC);
	ck_assert_uint_eq(user->client_idle_timeout, 300 * USEC_SEC);
	ck_assert_ptr_null(conf_user_find(c, "nobody"));
	ck_assert_str_eq(conf_peer_find(c, 1)->host, "/tmp/pgbouncer-1");
	ck_assert_int_eq(conf_peer_find(c, 1)->port, 6432);
	ck_assert_int_eq(conf_peer_find(c, 1)->pool_size, CONF_UNSET);
	ck_assert_int_eq(conf_peer_find(c, 2)->port, 5555);
	ck_assert_int_eq(conf_peer_find(c, 2)->pool_size, 3);
	ck_assert_ptr_null(conf_peer_find(c, 3));
	conf_release(&c);
}
END_TEST

static void drop_report(void)
{
	conf_report_release(&report);
}

int main(void)
{
	Suite *s = suite_create("conf_pgbouncer");
	TCase *t = tcase_create("drop-in");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, NULL, drop_report);
	tcase_add_test(t, every_key_has_its_default);
	tcase_add_test(t, a_file_with_every_key_is_echoed);
	tcase_add_test(t, what_has_no_effect_is_named_once);
	tcase_add_test(t, lines_of_databases);
	tcase_add_test(t, lines_of_users_and_peers);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
