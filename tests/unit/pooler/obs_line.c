/* SPDX-License-Identifier: ISC
 *
 * A line of the query log is what PostgreSQL 15 writes to its jsonlog, byte for byte, with
 * the key `pooler` behind it; and it is valid JSON whatever bytes a client sent.
 */
#include "obs_inner.h"

#include <check.h>
#include <jansson.h>

static struct line line;
static struct buf out;

static void setup(void)
{
	setenv("TZ", "UTC", 1);
	tzset();
	line.o = (struct qlog_options){.sample_rate = 1};
	out.len = 0;
}

static void teardown(void)
{
	line_release(&line);
	buf_free(&out);
}

/* A real line's session: 2026-11-21 08:04:12 UTC, pid 9678. */
static struct qlog_session *someone(const char *host)
{
	struct qlog_session_info i = {.user = "postgres",
		.dbname = "postgres",
		.application_name = "a \"q\" app",
		.remote_host = host,
		.remote_port = 50770,
		.pid = 9678,
		.start = 1795248252000000,
		.number = 3};

	return qlog_session_new(&i);
}

static const char *put(struct qlog_statement *s)
{
	out.len = 0;
	line_put(&line, &out, s, 17);
	return buf_cstr(&out);
}

static const char head[] =
	"\"user\":\"postgres\",\"dbname\":\"postgres\",\"pid\":9678,\"remote_host\":\"127.0.0.1\","
	"\"remote_port\":50770,\"session_id\":\"6b01507c.25ce\",\"line_num\":17,";
static const char mid[] = "\"session_start\":\"2026-11-21 08:04:12 UTC\",";
static const char tail[] =
	"\"application_name\":\"a \\\"q\\\" app\",\"backend_type\":\"client backend\",";

static void expect(struct qlog_statement *s, const char *stamp, const char *ps, const char *what,
	const char *pooler)
{
	char *want = mem_printf("{\"timestamp\":\"%s\",%s%s%s%s%s\"query_id\":0,\"pooler\":{%s}}\n",
		stamp, head, ps, mid, what, tail, pooler);

	ck_assert_str_eq(put(s), want);
	free(want);
}

static const char nothing[] =
	"\"wait_us\":0,\"server_us\":0,\"fetch_us\":0,\"drain_us\":0,\"rows\":0,"
	"\"bytes_in\":0,\"bytes_out\":0,\"server_pid\":0,\"truncated\":false";

START_TEST(a_statement_is_postgresqls_line)
{
	static const char text[] = "select 'a\tb\x7f\x02\xc3\xa9/\"'";
	struct qlog_statement s = {.session = someone("127.0.0.1"),
		.start = 1795248252626000,
		.transaction = 15,
		.text = text,
		.text_len = sizeof text - 1,
		.tag = "SELECT 1",
		.wait_us = 500,
		.server_us = 1234,
		.fetch_us = 5,
		.drain_us = 7,
		.rows = 1,
		.bytes_in = 30,
		.bytes_out = 99,
		.server_pid = 4711,
		.mode = "transaction"};

	expect(&s, "2026-11-21 08:04:12.627 UTC", "\"ps\":\"SELECT\",",
		"\"vxid\":\"3/15\",\"txid\":0,\"error_severity\":\"LOG\",\"message\":\"duration: "
		"1.239 ms  "
		"statement: select 'a\\tb\x7f\\u0002\xc3\xa9/\\\"'\",",
		"\"wait_us\":500,\"server_us\":1234,\"fetch_us\":5,\"drain_us\":7,\"rows\":1,"
		"\"bytes_in\":30,"
		"\"bytes_out\":99,\"server_pid\":4711,\"mode\":\"transaction\",\"truncated\":"
		"false");
	session_drop(s.session);
}
END_TEST

/* portal "", statement "_pg3_0", one format (text), values 42, o'b\x<nl><tab>, NULL */
static const char bind[] =
	"\0_pg3_0\0\0\1\0\0\0\3\0\0\0\00242\0\0\0\10o'b\\x\n\t\1\xff\xff\xff\xff\0\0";

START_TEST(an_execute_names_statement_and_parameters)
{
	struct qlog_statement s = {.session = someone("127.0.0.1"),
		.start = 1795248252627000,
		.transaction = 3,
		.kind = QLOG_EXECUTE,
		.name = "_pg3_0",
		.text = "select $1",
		.text_len = 9,
		.tag = "SELECT 1",
		.bind = bind,
		.bind_len = sizeof bind - 1};

	expect(&s, "2026-11-21 08:04:12.627 UTC", "\"ps\":\"SELECT\",",
		"\"vxid\":\"3/3\",\"txid\":0,\"error_severity\":\"LOG\",\"message\":\"duration: "
		"0.000 ms  "
		"execute _pg3_0: select $1\",\"detail\":\"parameters: $1 = '42', $2 = "
		"'o''b\\\\x\\n\\t\\u0001', $3 = NULL\",",
		nothing);
	s.name = NULL;
	ck_assert_ptr_nonnull(strstr(put(&s), "ms  execute <unnamed>: select $1\""));
	s.bind = "cur\0\0\0\0\0\0\0\0";
	s.bind_len = 11;
	ck_assert_ptr_nonnull(strstr(put(&s), "ms  execute <unnamed>/cur: select $1\",\"appl"));
	s.kind = QLOG_FETCH;
	ck_assert_ptr_nonnull(strstr(put(&s), "ms  execute fetch from <unnamed>/cur: select $1\""));
	session_drop(s.session);
}
END_TEST

START_TEST(parameters_can_be_hashed_or_left_out)
{
	struct qlog_statement s = {.session = someone(NULL),
		.kind = QLOG_EXECUTE,
		.text = "select $1",
		.text_len = 9,
		.bind = bind,
		.bind_len = sizeof bind - 1};
	const char *p;
	char first[40], second[40];

	line.o.parameters = QLOG_PARAMETERS_OFF;
	ck_assert_ptr_null(strstr(put(&s), "parameters:"));
	line.o.parameters = QLOG_PARAMETERS_HASH;
	p = strstr(put(&s), "\"parameters: $1 = '#");
	ck_assert_ptr_nonnull(p);
	snprintf(first, sizeof first, "%.34s", p + 1);
	ck_assert_ptr_null(strstr(out.data, "'42'"));
	ck_assert_ptr_nonnull(strstr(out.data, "$3 = NULL"));
	/* the same number in binary is the same value */
	s.bind = "\0\0\0\1\0\1\0\1\0\0\0\4\0\0\0\52\0\0";
	s.bind_len = 18;
	s.types = (const uint32_t[]){23};
	s.type_count = 1;
	snprintf(second, sizeof second, "%.34s", strstr(put(&s), "\"parameters: ") + 1);
	ck_assert_str_eq(first, second);
	line.o.parameters = QLOG_PARAMETERS_ON;
	ck_assert_ptr_nonnull(strstr(put(&s), "parameters: $1 = '42'\""));
	s.type_count = 0; /* type not known */
	ck_assert_ptr_nonnull(strstr(put(&s), "parameters: $1 = '\\\\x0000002a'\""));
	session_drop(s.session);
}
END_TEST

START_TEST(an_error_is_postgresqls_line)
{
	static const char e[] =
		"SFEHLER\0VERROR\0C22012\0Mdivision by zero\0Pnone\0Fint.c\0L846\0Rint4div\0";
	struct qlog_statement s = {.session = someone("127.0.0.1"),
		.start = 1795248252629000,
		.transaction = 7,
		.text = "select 1/0",
		.text_len = 10,
		.tag = NULL,
		.error = e,
		.error_len = sizeof e};

	expect(&s, "2026-11-21 08:04:12.629 UTC", "",
		"\"vxid\":\"3/7\",\"txid\":0,\"error_severity\":\"ERROR\",\"state_code\":\"22012\","
		"\"message\":\"division by zero\",\"statement\":\"select 1/0\",",
		nothing);
	s.kind = QLOG_EXECUTE;
	s.bind = "\0\0\0\0\0\1\0\0\0\0010\0\0";
	s.bind_len = 13;
	expect(&s, "2026-11-21 08:04:12.629 UTC", "",
		"\"vxid\":\"3/7\",\"txid\":0,\"error_severity\":\"ERROR\",\"state_code\":\"22012\","
		"\"message\":\"division by zero\",\"context\":\"unnamed portal with parameters: $1 "
		"= '0'\","
		"\"statement\":\"select 1/0\",",
		nothing);
	session_drop(s.session);
}
END_TEST

START_TEST(an_error_tells_all_fields)
{
	static const char e[] = "SERROR\0C42703\0Mm\0Dd\0Hh\0P12\0p5\0qselect x\0Wa\nb\0";
	struct qlog_statement s = {.session = someone("127.0.0.1"),
		.start = 1795248252629000,
		.text = "select 1/0",
		.text_len = 10,
		.error = e,
		.error_len = sizeof e,
		.tag = ""};

	expect(&s, "2026-11-21 08:04:12.629 UTC", "",
		"\"vxid\":\"3/"
		"0\",\"txid\":0,\"error_severity\":\"ERROR\",\"state_code\":\"42703\",\"message\":"
		"\"m\",\"detail\":\"d\",\"hint\":\"h\",\"internal_query\":\"select "
		"x\",\"internal_position\":5,"
		"\"context\":\"a\\nb\",\"statement\":\"select 1/0\",\"cursor_position\":12,",
		nothing);
	for (size_t n = 0; n < sizeof e; n++) { /* cut anywhere */
		char *cut = mem_alloc(n);
		memcpy(cut, e, n);
		s.error = cut;
		s.error_len = n;
		put(&s);
		free(cut);
	}
	session_drop(s.session);
}
END_TEST

START_TEST(a_unix_socket_is_local_and_an_unknown_app_absent)
{
	struct qlog_session_info i = {.user = "u", .dbname = "d", .pid = 1};
	struct qlog_statement s = {.session = qlog_session_new(&i), .text = "x", .text_len = 1};

	ck_assert_ptr_nonnull(strstr(put(&s), "\"remote_host\":\"[local]\",\"session_id\":"));
	ck_assert_ptr_null(strstr(out.data, "application_name"));
	session_drop(s.session);
}
END_TEST

START_TEST(long_texts_are_clipped_between_characters)
{
	struct qlog_statement s = {
		.session = someone(NULL), .text = "select '\xc3\xa9\xc3\xa9'", .text_len = 13};

	line.o.max_text = 9;
	ck_assert_ptr_nonnull(strstr(put(&s), "statement: select '\","));
	ck_assert_ptr_nonnull(strstr(out.data, "\"truncated\":true"));
	line.o.max_text = 10;
	ck_assert_ptr_nonnull(strstr(put(&s), "statement: select '\xc3\xa9\","));
	line.o.max_text = 13;
	ck_assert_ptr_nonnull(strstr(put(&s), "\"truncated\":false"));
	s.text_truncated = true;
	ck_assert_ptr_nonnull(strstr(put(&s), "\"truncated\":true"));
	s.text_truncated = false;
	s.kind = QLOG_EXECUTE;
	s.bind = "\0\0\0\0\0\1\0\0\0\05hello\0\0";
	s.bind_len = 17;
	line.o.max_text = 4;
	ck_assert_ptr_nonnull(strstr(put(&s), "$1 = 'hell...'"));
	session_drop(s.session);
}
END_TEST

START_TEST(secrets_do_not_reach_the_line)
{
	static const char e[] =
		"SERROR\0C42601\0Mm\0WSQL statement \"alter role x password 'secret'\"\0";
	static const char text[] = "alter role x password 'secret'";
	struct qlog_statement s = {
		.session = someone(NULL), .text = text, .text_len = sizeof text - 1};

	ck_assert_ptr_null(strstr(put(&s), "secret"));
	s.error = e;
	s.error_len = sizeof e;
	ck_assert_ptr_null(strstr(put(&s), "secret"));
	s.error = NULL;
	s.kind = QLOG_EXECUTE;
	s.bind = "\0\0\0\0\0\1\0\0\0\017password=secret\0\0";
	s.bind_len = 27;
	ck_assert_ptr_null(strstr(put(&s), "secret"));
	ck_assert_ptr_nonnull(strstr(out.data, "$1 = 'password=***'"));
	session_drop(s.session);
}
END_TEST

START_TEST(every_byte_gives_valid_json)
{
	struct qlog_session_info i = {.user = "u\xff\"",
		.dbname = "d\x01",
		.application_name = "\xed\xa0\x80",
		.remote_host = "h\\"};
	struct qlog_statement s = {.session = qlog_session_new(&i), .tag = "\xc3 1"};

	for (unsigned a = 0; a < 256; a++) {
		for (unsigned b = 0; b < 256; b++) {
			char text[] = {
				'1', '2', '3', '4', '5', '6', (char)a, (char)b, (char)a, '0'};
			json_t *j;
			s.text = text;
			s.text_len = sizeof text;
			put(&s);
			j = json_loadb(out.data, out.len - 1, JSON_REJECT_DUPLICATES, NULL);
			ck_assert_msg(j != NULL, "bytes %02x %02x: %s", a, b, out.data);
			json_decref(j);
		}
	}
	session_drop(s.session);
}
END_TEST

START_TEST(a_bind_cut_anywhere_is_no_harm)
{
	struct qlog_statement s = {
		.session = someone(NULL), .kind = QLOG_EXECUTE, .text = "x", .text_len = 1};

	for (size_t n = 0; n < sizeof bind; n++) {
		char *cut = mem_alloc(n);
		json_t *j;
		memcpy(cut, bind, n);
		s.bind = cut;
		s.bind_len = n;
		j = json_loads(put(&s), 0, NULL);
		ck_assert_ptr_nonnull(j);
		ck_assert_int_eq(json_is_true(json_object_get(json_object_get(j, "pooler"),
					 "truncated")),
			n < sizeof bind - 3);
		json_decref(j);
		free(cut);
	}
	session_drop(s.session);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("obs_line");
	TCase *t = tcase_create("line");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, a_statement_is_postgresqls_line);
	tcase_add_test(t, an_execute_names_statement_and_parameters);
	tcase_add_test(t, parameters_can_be_hashed_or_left_out);
	tcase_add_test(t, an_error_is_postgresqls_line);
	tcase_add_test(t, an_error_tells_all_fields);
	tcase_add_test(t, a_unix_socket_is_local_and_an_unknown_app_absent);
	tcase_add_test(t, long_texts_are_clipped_between_characters);
	tcase_add_test(t, secrets_do_not_reach_the_line);
	tcase_add_test(t, every_byte_gives_valid_json);
	tcase_add_test(t, a_bind_cut_anywhere_is_no_harm);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
