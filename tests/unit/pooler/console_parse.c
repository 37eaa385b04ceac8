/* SPDX-License-Identifier: ISC
 *
 * The console's language: statements, words, quotes, comments; and the moments of SHOW WHO.
 */
#include "console.h"

#include <check.h>

static struct words w;
static const char *at, *end;

static void begin(const char *text)
{
	at = text;
	end = text + strlen(text);
}

static bool next(void)
{
	return words_next(&w, &at, end);
}

START_TEST(words_of_a_command)
{
	begin("  show\tPools ;");
	ck_assert(next());
	ck_assert_int_eq(w.n, 2);
	ck_assert(words_is(&w, 0, "SHOW"));
	ck_assert(words_is(&w, 1, "pools"));
	ck_assert(!words_is(&w, 2, "x"));
	ck_assert(!next());
}
END_TEST

START_TEST(several_statements)
{
	begin(";;PAUSE shop; RESUME \"shop\" ;; -- the end\n;");
	ck_assert(next());
	ck_assert_str_eq(w.word[1], "shop");
	ck_assert_int_eq(w.kind[1], WORD_BARE);
	ck_assert(next());
	ck_assert_str_eq(w.word[1], "shop");
	ck_assert_int_eq(w.kind[1], WORD_QUOTED);
	ck_assert(!next());
}
END_TEST

START_TEST(quotes_are_taken_off)
{
	begin("set x='it''s; -- no comment' \"a\"\"b\"");
	ck_assert(next());
	ck_assert_int_eq(w.n, 5);
	ck_assert_str_eq(w.word[2], "=");
	ck_assert_int_eq(w.kind[2], WORD_SIGN);
	ck_assert_str_eq(w.word[3], "it's; -- no comment");
	ck_assert_int_eq(w.kind[3], WORD_STRING);
	ck_assert_str_eq(w.word[4], "a\"b");
}
END_TEST

START_TEST(comments_are_blanks)
{
	begin("/* a /* nested */ b */ show--x\n/**/pools/* open");
	ck_assert(next());
	ck_assert_int_eq(w.n, 2);
	ck_assert_str_eq(w.word[0], "show");
	ck_assert_str_eq(w.word[1], "pools");
	ck_assert(!next());
}
END_TEST

START_TEST(what_cannot_be_read_says_why)
{
	char longer[WORDS_BYTES + 10], many[4 * WORDS_MAX];

	begin("show \"pools");
	ck_assert(next());
	ck_assert_ptr_nonnull(w.error);
	ck_assert(!next());
	begin("set a = 'b");
	ck_assert(next());
	ck_assert_ptr_nonnull(w.error);
	memset(longer, 'x', sizeof longer - 1);
	longer[sizeof longer - 1] = '\0';
	begin(longer);
	ck_assert(next());
	ck_assert_ptr_nonnull(w.error);
	memset(many, 0, sizeof many);
	for (size_t i = 0; i + 1 < sizeof many; i++)
		many[i] = i % 2 ? ' ' : 'x';
	begin(many);
	ck_assert(next());
	ck_assert_ptr_nonnull(w.error);
	begin("");
	ck_assert(!next());
	/* an empty string behind words that fill all room */
	memset(longer, 'x', WORDS_BYTES - 1);
	memcpy(longer + WORDS_BYTES - 1, " ''", 4);
	begin(longer);
	ck_assert(next());
	ck_assert_ptr_nonnull(w.error);
}
END_TEST

#define NOON 1795176000ULL /* 2026-11-20 12:00:00 UTC */

START_TEST(moments)
{
	usec_t now = NOON * USEC_SEC;

	ck_assert_uint_eq(who_moment("2026-11-20 12:00:00", now), now);
	ck_assert_uint_eq(who_moment("2026-11-20T12:00:00Z", now), now);
	ck_assert_uint_eq(who_moment("2026-11-20 12:00:00.5 UTC", now), now + USEC_SEC / 2);
	ck_assert_uint_eq(who_moment("2026-11-20 14:30:00+02:30", now), now);
	ck_assert_uint_eq(who_moment("2026-11-20 07:00:00 -05", now), now);
	ck_assert_uint_eq(who_moment("12:00:00", now), now);
	ck_assert_uint_eq(who_moment("yesterday", now), 0);
	ck_assert_uint_eq(who_moment("2026-11-20", now), 0);
	ck_assert_uint_eq(who_moment("2026-11-20 12:00:00 CET", now), 0);
	ck_assert_uint_eq(who_moment("", now), 0);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("console_parse");
	TCase *t = tcase_create("words");
	SRunner *r;
	int failed;

	tcase_add_test(t, words_of_a_command);
	tcase_add_test(t, several_statements);
	tcase_add_test(t, quotes_are_taken_off);
	tcase_add_test(t, comments_are_blanks);
	tcase_add_test(t, what_cannot_be_read_says_why);
	tcase_add_test(t, moments);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
