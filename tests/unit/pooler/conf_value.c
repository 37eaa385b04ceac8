/* SPDX-License-Identifier: ISC
 *
 * Every type of setting at its edges: what is read, what it becomes, how it is printed
 * again, and that nothing doubtful is guessed at.
 */
#include "conf_own.h"

#include <check.h>

/* Parses a value of [pooler] and answers how SHOW CONFIG prints it, or "error". */
static const char *shown(const char *key, const char *text)
{
	static char out[256];
	const struct conf_setting *s = conf_setting_find(CONF_IN_POOLER, key);
	union conf_value v = {0};
	struct buf err = {0}, b = {0};

	ck_assert_msg(s != NULL, "no setting %s", key);
	if (value_parse(s, text, &v, &err)) {
		value_print(s, &v, &b);
		snprintf(out, sizeof out, "%s", buf_cstr(&b));
		ck_assert_uint_eq(err.len, 0);
	} else {
		snprintf(out, sizeof out, "error");
		ck_assert_uint_gt(err.len, 0);
	}
	buf_free(&b);
	buf_free(&err);
	return out;
}

static const char *complaint(const char *key, const char *text)
{
	static char out[512];
	union conf_value v = {0};
	struct buf err = {0};

	ck_assert(!value_parse(conf_setting_find(CONF_IN_POOLER, key), text, &v, &err));
	snprintf(out, sizeof out, "%s", buf_cstr(&err));
	buf_free(&err);
	return out;
}

#define READS(key, text, want) ck_assert_str_eq(shown(key, text), want)
#define REFUSES(key, text)     ck_assert_str_eq(shown(key, text), "error")

START_TEST(switches)
{
	static const char *const on[] = {"1", "on", "ON", "true", "yes", "Yes", "2", "007"};
	static const char *const off[] = {"0", "off", "Off", "false", "no", "00"};
	static const char *const bad[] = {"", "2x", "-1", "maybe", "o", "1.0", " 1", "9999999999"};

	for (size_t i = 0; i < ARRAY_LEN(on); i++)
		READS("log_connections", on[i], "1");
	for (size_t i = 0; i < ARRAY_LEN(off); i++)
		READS("log_connections", off[i], "0");
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		REFUSES("log_connections", bad[i]);
}
END_TEST

START_TEST(whole_numbers)
{
	READS("max_open", "0", "0");
	READS("max_open", "+7", "7");
	READS("max_open", "1000000", "1000000");
	READS("listen_port", "08", "8"); /* decimal, whatever C says of it */
	REFUSES("max_open", "1000001");
	REFUSES("max_open", "-1");
	REFUSES("max_open", "");
	REFUSES("max_open", "1O");
	REFUSES("max_open", "0x10");
	REFUSES("max_open", "1e3");
	REFUSES("max_open", "5 5");
	REFUSES("max_open", "99999999999999999999");
	REFUSES("listen_port", "0");
	REFUSES("listen_port", "65536");
	READS("listen_port", "65535", "65535");
}
END_TEST

START_TEST(a_word_may_stand_for_zero)
{
	READS("workers", "auto", "auto");
	READS("workers", "AUTO", "auto");
	READS("workers", "0", "auto");
	READS("workers", "8", "8");
	REFUSES("max_open", "auto");
	REFUSES("workers", "autos");
}
END_TEST

START_TEST(octal_numbers)
{
	READS("unix_socket_mode", "0777", "511");
	READS("unix_socket_mode", "0", "0");
	REFUSES("unix_socket_mode", "777"); /* 0777 or 01411? */
	REFUSES("unix_socket_mode", "0888");
	REFUSES("unix_socket_mode", "010000");
	REFUSES("unix_socket_mode", "rwxr-xr-x");
}
END_TEST

START_TEST(numbers)
{
	READS("query_log_sample_rate", "0.25", "0.25");
	READS("query_log_sample_rate", ".5", "0.5");
	READS("query_log_sample_rate", "1e-3", "0.001");
	READS("query_log_sample_rate", "1", "1");
	REFUSES("query_log_sample_rate", "1.1");
	REFUSES("query_log_sample_rate", "-0.1");
	REFUSES("query_log_sample_rate", "nan");
	REFUSES("query_log_sample_rate", "inf");
	REFUSES("query_log_sample_rate", "0x1p-1");
	REFUSES("query_log_sample_rate", "50%");
}
END_TEST

START_TEST(sizes)
{
	READS("max_memory", "0", "0");
	READS("max_memory", "4096", "4096");
	READS("max_memory", "64kB", "65536");
	READS("max_memory", "64 KB", "65536");
	READS("max_memory", "1.5MB", "1572864");
	READS("max_memory", "2gb", "2147483648");
	READS("max_memory", "1TB", "1099511627776");
	READS("max_memory", "10B", "10");
	REFUSES("max_memory", "2TB");
	REFUSES("max_memory", "64k");
	REFUSES("max_memory", "-1kB");
	REFUSES("max_memory", "kB");
	REFUSES("max_memory", "1e300");
	REFUSES("max_memory", "1e999");
	READS("max_packet_size", "2147483647", "2147483647");
	REFUSES("max_packet_size", "2147483648");
}
END_TEST

START_TEST(times_in_seconds)
{
	READS("query_wait_timeout", "120", "120");
	READS("query_wait_timeout", "120.5", "120.5");
	READS("query_wait_timeout", "0.000001", "1e-06");
	READS("query_wait_timeout", "250ms", "0.25");
	READS("query_wait_timeout", "10us", "1e-05");
	READS("query_wait_timeout", "10s", "10");
	READS("query_wait_timeout", "10 sec", "10");
	READS("query_wait_timeout", "5min", "300");
	READS("query_wait_timeout", "1h", "3600");
	READS("query_wait_timeout", "2d", "172800");
	READS("query_wait_timeout", "2147483647", "2147483647"); /* "never", as people write it */
	REFUSES("query_wait_timeout", "5m");			 /* minutes, metres, milli? */
	REFUSES("query_wait_timeout", "5 MIN");
	REFUSES("query_wait_timeout", "-1");
	REFUSES("query_wait_timeout", "1h30min");
	REFUSES("query_wait_timeout", "101y");
	REFUSES("query_wait_timeout", "99999d");
	REFUSES("query_wait_timeout", "");
	REFUSES("query_wait_timeout", "s");
	REFUSES("stats_period", "0");
	READS("stats_period", "1", "1");
}
END_TEST

START_TEST(times_in_milliseconds)
{
	READS("query_log_min_duration", "250", "250");
	READS("query_log_min_duration", "1s", "1000");
	READS("query_log_min_duration", "0.5", "0.5");
	READS("tcp_user_timeout", "30000", "30000");
	READS("tcp_user_timeout", "30s", "30000");
}
END_TEST

START_TEST(words)
{
	READS("pool_mode", "transaction", "transaction");
	READS("pool_mode", "Transaction", "transaction");
	READS("pool_mode", "auto", "auto");
	READS("auth_type", "SCRAM-SHA-256", "scram-sha-256");
	READS("client_tls_sslmode", "verify-full", "verify-full");
	REFUSES("pool_mode", "tx");
	REFUSES("pool_mode", "");
	REFUSES("auth_type", "scram");
}
END_TEST

START_TEST(checked_texts)
{
	READS("metrics_listen", "127.0.0.1:9127", "127.0.0.1:9127");
	READS("metrics_listen", "*:9127", "*:9127");
	READS("metrics_listen", "[::1]:9127", "[::1]:9127");
	READS("metrics_listen", "", "");
	REFUSES("metrics_listen", "::1:9127");
	REFUSES("metrics_listen", "[]:9127");
	REFUSES("metrics_listen", "9127");
	REFUSES("metrics_listen", ":9127");
	REFUSES("metrics_listen", "host:");
	REFUSES("metrics_listen", "host:0");
	REFUSES("metrics_listen", "host:123456");
	READS("log_levels", "pool=debug, net = warning", "pool=debug, net = warning");
	REFUSES("log_levels", "pool");
	REFUSES("log_levels", "pool=loud");
	REFUSES("log_levels", "swimming=debug");
	REFUSES("log_levels", "pool=fatal");
	REFUSES("log_levels", "=");
	READS("syslog_facility", "local7", "local7");
	REFUSES("syslog_facility", "local8");
	READS("client_tls_protocols", "tlsv1.2,tlsv1.3", "tlsv1.2,tlsv1.3");
	READS("client_tls_protocols", "all:!tlsv1.0", "all:!tlsv1.0");
	REFUSES("client_tls_protocols", "sslv3");
	REFUSES("client_tls_protocols", "!");
	REFUSES("auth_dbname", "pgbouncer");
	READS("auth_dbname", "shop", "shop");
}
END_TEST

START_TEST(secrets_are_masked)
{
	READS("metrics_password", "hunter2", "********");
	READS("metrics_password", "", "");
	READS("auth_ldap_options", "ldapserver=h ldapbindpasswd=\"pw\" ldaptls=1",
		"ldapserver=h ldapbindpasswd=******** ldaptls=1");
	READS("server_check_query", "x Password=a;PASSWD=b", "x Password=********;PASSWD=********");
}
END_TEST

/* What an operator reads: what was found, what is allowed, and a guess. */
START_TEST(messages)
{
	ck_assert_str_eq(complaint("pool_mode", "transacion"),
		"pool_mode = \"transacion\": must be one of session, transaction, statement, "
		"auto; did you mean \"transaction\"?");
	ck_assert_str_eq(complaint("pool_mode", "x"),
		"pool_mode = \"x\": must be one of session, transaction, statement, auto");
	ck_assert_str_eq(complaint("pool_mode", "session ; the default"),
		"pool_mode = \"session ; the default\": must be one of session, transaction, "
		"statement, auto; a comment needs a line of its own");
	ck_assert_str_eq(complaint("max_open", "many"),
		"max_open = \"many\": must be a whole number from 0 to 1000000");
	ck_assert_str_eq(complaint("workers", "-1"),
		"workers = \"-1\": must be a whole number from 0 to 64, or \"auto\"");
	ck_assert_str_eq(complaint("log_stats", "si"),
		"log_stats = \"si\": must be 0 or 1 (off, on)");
	ck_assert_str_eq(complaint("query_wait_timeout", "5m"),
		"query_wait_timeout = \"5m\": must be a time of at least 0, in seconds or with a "
		"unit: us, ms, s, min, h, d; did you mean \"ms\"?");
	ck_assert_str_eq(complaint("tcp_user_timeout", "-5"),
		"tcp_user_timeout = \"-5\": must be a time from 0 to 2147483647 ms, in "
		"milliseconds or with a unit: us, ms, s, min, h, d");
	ck_assert_str_eq(complaint("max_packet_size", "1"),
		"max_packet_size = \"1\": must be a size from 1024 to 2147483647 bytes, in bytes "
		"or with a unit: kB, MB, GB, TB");
	ck_assert_str_eq(complaint("unix_socket_mode", "777"),
		"unix_socket_mode = \"777\": must be an octal number with a leading 0, up to "
		"07777");
	ck_assert_str_eq(complaint("query_log_sample_rate", "2"),
		"query_log_sample_rate = \"2\": must be a number from 0 to 1");
	ck_assert_str_eq(complaint("syslog_facility", "mail"),
		"syslog_facility = \"mail\": must be one of auth, authpriv, daemon, user, local0, "
		"local1, local2, local3, local4, local5, local6, local7");
}
END_TEST

START_TEST(lists_are_walked)
{
	const char *list = " a, b c ,,d ", *word;
	const char *want[] = {"a", "b c", "d"};
	size_t n, i = 0;

	while ((word = conf_list_next(&list, &n))) {
		ck_assert_uint_lt(i, 3);
		ck_assert_uint_eq(n, strlen(want[i]));
		ck_assert_int_eq(strncmp(word, want[i++], n), 0);
	}
	ck_assert_uint_eq(i, 3);
	ck_assert(conf_list_has("a, b", "b"));
	ck_assert(!conf_list_has("a, bb", "b"));
	ck_assert(!conf_list_has("", "b"));
	ck_assert(!conf_list_has("B", "b"));
	ck_assert(conf_list_has_nocase("DateStyle, IntervalStyle", "intervalstyle"));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("conf_value");
	TCase *t = tcase_create("value");
	SRunner *r;
	int failed;

	tcase_add_test(t, switches);
	tcase_add_test(t, whole_numbers);
	tcase_add_test(t, a_word_may_stand_for_zero);
	tcase_add_test(t, octal_numbers);
	tcase_add_test(t, numbers);
	tcase_add_test(t, sizes);
	tcase_add_test(t, times_in_seconds);
	tcase_add_test(t, times_in_milliseconds);
	tcase_add_test(t, words);
	tcase_add_test(t, checked_texts);
	tcase_add_test(t, secrets_are_masked);
	tcase_add_test(t, messages);
	tcase_add_test(t, lists_are_walked);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
