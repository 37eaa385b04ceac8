/* SPDX-License-Identifier: ISC
 *
 * No secret of a role statement or a connection string reaches the query log.
 */
#include "obs_inner.h"

#include <check.h>

static const struct {
	const char *in, *out;
} texts[] = {
	{"alter role x password 'secret'", "alter role x password '***'"},
	{"CREATE ROLE x LOGIN ENCRYPTED PASSWORD 'secret' VALID UNTIL 'infinity'",
		"CREATE ROLE x LOGIN ENCRYPTED PASSWORD '***' VALID UNTIL 'infinity'"},
	{"create user x PassWord\t\n E'se\\'cret' ;", "create user x PassWord\t\n '***' ;"},
	{"create user x password U&'\\0441' nologin", "create user x password '***' nologin"},
	{"alter user x password $$secret$$ login", "alter user x password '***' login"},
	{"alter user x password $a$se$$cret$a$ login", "alter user x password '***' login"},
	{"alter user x password 'it''s secret' login", "alter user x password '***' login"},
	{"alter user x password '''secret''' login", "alter user x password '***' login"},
	{"alter user x password /* old */ 'secret'", "alter user x password /* old */ '***'"},
	{"alter user x password -- 'no\n'secret'", "alter user x password -- 'no\n'***'"},
	{"alter user x password 'secre", "alter user x password '***'"}, /* cut off */
	{"alter user x password '' login", "alter user x password '***' login"},
	{"alter user x password null", "alter user x password null"},
	{"do $$ begin execute 'alter role x password ''secret'''; end $$",
		"do $$ begin execute 'alter role x password '***''; end $$"},
	{"do $$ begin execute format('alter role %I password %L', 'x', 'secret'); end $$",
		"do $$ begin execute format('alter role %I password***"},
	{"select exec('alter role x password ' || quote_literal(E'se\\'cret') || ' login')",
		"select exec('alter role x password***"},
	{"select exec(concat('alter role x password ', quote_literal($s$secret$s$), $1))",
		"select exec(concat('alter role x password***"},
	{"create user mapping for a server s options (user 'a', password 'secret')",
		"create user mapping for a server s options (user 'a', password '***')"},
	{"create user mapping for a server s options (\"password\" 'secret')",
		"create user mapping for a server s options (\"password\" '***')"},
	{"create subscription s connection 'host=a password=secret dbname=b' publication p",
		"create subscription s connection 'host=a password=*** dbname=b' publication p"},
	{"select dblink('password=secret', 'select 1')",
		"select dblink('password=***', 'select 1')"},
	{"select dblink('password=''se cret'' host=a')", "select dblink('password='***' host=a')"},
	{"select * from users where password = 'x' and id = 1",
		"select * from users where password = '***' and id = 1"},
	{"select * from u where password=hash and id = 1",
		"select * from u where password=hash and id = 1"},
	{"select password, passwd from u where id = $1",
		"select password, passwd from u where id = $1"},
	{"update u set password = $1 where id = $2", "update u set password = $1 where id = $2"},
	{"select 1", "select 1"},
	{"", ""},
};

START_TEST(secrets_are_masked_and_nothing_else)
{
	struct buf b = {0};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		b.len = 0;
		mask_put(&b, texts[i].in, strlen(texts[i].in), false);
		ck_assert_str_eq(buf_cstr(&b), texts[i].out);
		ck_assert(mask_wants(texts[i].in, strlen(texts[i].in)) ||
			  strcmp(texts[i].in, texts[i].out) == 0);
	}
	buf_free(&b);
}
END_TEST

START_TEST(a_value_is_masked_too)
{
	struct buf b = {0};
	const char *v = "host=a password=secret";

	mask_put(&b, v, strlen(v), true);
	ck_assert_str_eq(buf_cstr(&b), "host=a password=***");
	buf_free(&b);
}
END_TEST

/* Wherever the text was cut, what is shown of the secret is nothing. */
START_TEST(cut_anywhere_shows_nothing)
{
	struct buf b = {0};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		for (size_t n = 0; n <= strlen(texts[i].in); n++) {
			char *p = mem_strndup(texts[i].in, n);
			b.len = 0;
			mask_put(&b, p, n, false);
			ck_assert_msg(!strstr(buf_cstr(&b), "secr"), "%s -> %s", p, b.data);
			free(p);
		}
	}
	buf_free(&b);
}
END_TEST

START_TEST(the_word_is_found_wherever_it_stands)
{
	char text[64];

	for (size_t at = 0; at + 5 <= sizeof text; at++) {
		static const char fill[] = "pasw SA\n";
		for (size_t f = 0; f < sizeof fill - 1; f++) {
			memset(text, fill[f], sizeof text);
			ck_assert(!mask_wants(text, sizeof text));
			memcpy(text + at, at % 2 ? "passw" : "PaSsW", 5);
			ck_assert(mask_wants(text, sizeof text));
			ck_assert(!mask_wants(text, at + 4));
		}
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("obs_mask");
	TCase *t = tcase_create("mask");
	SRunner *r;
	int failed;

	tcase_add_test(t, secrets_are_masked_and_nothing_else);
	tcase_add_test(t, a_value_is_masked_too);
	tcase_add_test(t, cut_anywhere_shows_nothing);
	tcase_add_test(t, the_word_is_found_wherever_it_stands);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
