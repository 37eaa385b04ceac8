/* SPDX-License-Identifier: ISC
 *
 * sql_split: a script as psql reads it, cut into statements, commands of psql and rows of COPY.
 */
#include "sql.h"

#include <check.h>
#include <string.h>

/* What of the script is SQL, one statement a line, semicolons left out. */
static const char *statements(const char *script, size_t n)
{
	static char out[4096];
	size_t at = 0, to = 0;

	while (at < n) {
		size_t end = sql_statement_end(script + at, n - at);
		struct str one = str_trim((struct str){script + at, end});
		ck_assert_uint_gt(end, 0);
		ck_assert_uint_le(at + end, n);
		at += end;
		if (sql_is_psql(one))
			continue;
		at += sql_copy_data(one, script + at, n - at);
		ck_assert_uint_le(at, n);
		while (one.n && one.p[one.n - 1] == ';')
			one = str_trim(str_before(one, one.n - 1));
		if (one.n)
			to += (size_t)snprintf(out + to, sizeof(out) - to, "%.*s\n", STR_ARGS(one));
	}
	out[to] = '\0';
	return out;
}

static const struct {
	const char *script, *sql;
} scripts[] = {
	{"SELECT 1; SELECT 2", "SELECT 1\nSELECT 2\n"},
	{"SELECT ';', $$;$$, $a$;$a$, \";\" /* ; */ FROM t -- ; x\n;SELECT 2",
		"SELECT ';', $$;$$, $a$;$a$, \";\" /* ; */ FROM t -- ; x\nSELECT 2\n"},
	{"\\set ON_ERROR_STOP 1\nSELECT 1;", "SELECT 1\n"},
	{"\\restrict abc\n\n\\connect shop\nSELECT 1;\n\\unrestrict abc\n", "SELECT 1\n"},
	{"-- first\n\\d t\n/* then */ \\x\nSELECT 1", "SELECT 1\n"},
	{"SELECT a \\gset\nSELECT b;", "SELECT a\nSELECT b\n"},
	{"SELECT a\n\\g\nSELECT b", "SELECT a\nSELECT b\n"},
	{"SELECT 'C:\\temp', E'a\\'b;', \"x\\y\"; SELECT 2",
		"SELECT 'C:\\temp', E'a\\'b;', \"x\\y\"\nSELECT 2\n"},
	{"COPY t (a) FROM stdin;\n1;\nDELETE FROM t;\n\\.\nSELECT 1;",
		"COPY t (a) FROM stdin\nSELECT 1\n"},
	{"copy t from STDIN WITH (format csv);\r\n1\r\n\\.\r\nSELECT 1",
		"copy t from STDIN WITH (format csv)\nSELECT 1\n"},
	/* without an end mark nothing is skipped; nor for what only looks like it */
	{"COPY t FROM stdin; SELECT 1;", "COPY t FROM stdin\nSELECT 1\n"},
	{"COPY t FROM '/stdin_x';\nSELECT 1;\n\\.\n", "COPY t FROM '/stdin_x'\nSELECT 1\n"},
	{"CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT 2; END; SELECT 3",
		"CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT 2; END\nSELECT 3\n"},
	{"\\", ""},
	{"\\d", ""},
	{"", ""},
};

START_TEST(script_is_cut)
{
	ck_assert_str_eq(statements(scripts[_i].script, strlen(scripts[_i].script)),
		scripts[_i].sql);
}
END_TEST

/* Every prefix is cut without a step beyond its end. */
START_TEST(prefixes_end)
{
	for (size_t n = 0; n <= strlen(scripts[_i].script); n++) {
		char *exact = malloc(n ? n : 1);
		memcpy(exact, scripts[_i].script, n);
		statements(exact, n);
		free(exact);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("sql_split");
	TCase *t = tcase_create("split");

	tcase_add_loop_test(t, script_is_cut, 0, sizeof(scripts) / sizeof(scripts[0]));
	tcase_add_loop_test(t, prefixes_end, 0, sizeof(scripts) / sizeof(scripts[0]));
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
