/* SPDX-License-Identifier: ISC
 *
 * The user list, the cache of what was asked, and the count of failures: with a clock of the
 * test's own.
 */
#include "auth.h"

#include <check.h>

static struct buf err;

static struct auth_users *users_of(const char *text)
{
	err.len = 0;
	return auth_users_parse(text, strlen(text), "users", 4096, &err);
}

START_TEST(lists_as_pgbouncer_reads_them)
{
	struct auth_users *u = users_of(
		"; comment\n# another\n\n"
		"\"bob\" \"secret\"\n"
		"  \"ann\"\t\"md5900150983cd24fb0d6963f7d28e17f72\" and the rest is ignored\n"
		"\"q\"\"uote\" \"se\"\"cret\"\r\n"
		"\"\xc3\xa4\" \"\xc3\xb6\"\n"
		"\"none\" \"\"\n"
		"\"bob\" \"second\"");
	const struct auth_user *a;

	ck_assert_msg(u != NULL, "%s", buf_cstr(&err));
	ck_assert_uint_eq(auth_users_count(u), 5);
	a = auth_users_find(u, "bob");
	ck_assert_ptr_nonnull(a);
	ck_assert_uint_eq(a->count, 2);
	ck_assert_str_eq(a->secrets[0].text, "secret");
	ck_assert_str_eq(a->secrets[1].text, "second");
	/* one exchange can prove either: they share the salt */
	ck_assert_mem_eq(a->secrets[0].keys.salt, a->secrets[1].keys.salt, 16);
	ck_assert_int_eq(auth_users_find(u, "ann")->secrets[0].kind, SECRET_MD5);
	ck_assert_str_eq(auth_users_find(u, "q\"uote")->secrets[0].text, "se\"cret");
	ck_assert_ptr_nonnull(auth_users_find(u, "\xc3\xa4"));
	ck_assert_uint_eq(auth_users_find(u, "none")->count, 0);
	ck_assert_ptr_null(auth_users_find(u, "Bob"));
	ck_assert_ptr_null(auth_users_find(u, ""));
	ck_assert(auth_users_have_md5(u));
	auth_users_drop(&u);
	ck_assert_ptr_null(auth_users_find(NULL, "bob"));
}
END_TEST

START_TEST(every_error_is_told_with_its_line)
{
	struct auth_users *u =
		users_of("\"ok\" \"x\"\nbob secret\n\"bob\"\n\"bob\" secret\n\"bob\" \"sec\n"
			 "\"\" \"x\"\n\"s\" \"SCRAM-SHA-256$1:x\"\n\"bob \"x\"\n");

	ck_assert_ptr_null(u);
	for (int line = 2; line <= 8; line++) {
		char want[32];
		snprintf(want, sizeof want, "users:%d: ", line);
		ck_assert_msg(strstr(buf_cstr(&err), want) != NULL, "line %d is missing in\n%s",
			line, buf_cstr(&err));
	}
	ck_assert_ptr_null(strstr(buf_cstr(&err), "users:1: "));
	/* no secret is ever in an error */
	ck_assert_ptr_null(strstr(buf_cstr(&err), "$1:x"));
}
END_TEST

START_TEST(long_names_and_secrets_are_refused)
{
	char *text = mem_alloc(5000);

	memset(text, 'a', 4999);
	text[4999] = '\0';
	text[0] = '"';
	memcpy(text + 200, "\" \"x\"\n", 7);
	ck_assert_ptr_null(users_of(text));
	memcpy(text, "\"bob\" \"", 7);
	memset(text + 7, 'x', 4000);
	memcpy(text + 4007, "\"\n", 3);
	ck_assert_ptr_null(users_of(text));
	ck_assert_ptr_nonnull(strstr(buf_cstr(&err), "longer than 2048"));
	free(text);
}
END_TEST

START_TEST(many_users_are_found)
{
	struct buf text = {0};
	struct auth_users *u;
	char name[32];

	for (int i = 0; i < 5000; i++)
		buf_printf(&text, "\"user%d\" \"pw%d\"\n", i * 7919 % 5000, i);
	u = auth_users_parse(text.data, text.len, "users", 4096, &err);
	ck_assert_ptr_nonnull(u);
	ck_assert_uint_eq(auth_users_count(u), 5000);
	for (int i = 0; i < 5000; i++) {
		snprintf(name, sizeof name, "user%d", i);
		ck_assert_ptr_nonnull(auth_users_find(u, name));
	}
	auth_users_drop(&u);
	buf_free(&text);
}
END_TEST

/* --- cache ---------------------------------------------------------------------- */

START_TEST(the_cache_forgets_by_time)
{
	struct auth_cache *c = auth_cache_new();
	struct auth_user *u, *got;
	usec_t now = 1000 * USEC_SEC;

	ck_assert_int_eq(auth_cache_get(c, "query:shop", "bob", now, &got), CACHE_MISS);
	u = auth_user_new("bob", "secret", 4096);
	auth_cache_put(c, "query:shop", "bob", CACHE_YES, u, now, 10 * USEC_SEC);
	auth_cache_put(c, "query:shop", "eve", CACHE_NO, NULL, now, 2 * USEC_SEC);
	ck_assert_int_eq(auth_cache_get(c, "query:shop", "bob", now + 9 * USEC_SEC, &got),
		CACHE_YES);
	ck_assert_ptr_eq(got, u);
	ck_assert_int_eq(auth_cache_get(c, "query:shop", "eve", now + USEC_SEC, &got), CACHE_NO);
	ck_assert_int_eq(auth_cache_get(c, "query:shop", "eve", now + 2 * USEC_SEC, &got),
		CACHE_MISS);
	ck_assert_int_eq(auth_cache_get(c, "query:shop", "bob", now + 10 * USEC_SEC, &got),
		CACHE_MISS);
	ck_assert_int_eq(auth_cache_get(c, "query:stock", "bob", now, &got), CACHE_MISS);
	ck_assert_int_eq(auth_cache_get(c, "query:shopb", "ob", now, &got), CACHE_MISS);
	/* a failed login forgets what is old enough */
	auth_cache_forget(c, "query:shop", "bob", now + USEC_SEC, 2 * USEC_SEC);
	ck_assert_int_eq(auth_cache_get(c, "query:shop", "bob", now + USEC_SEC, &got), CACHE_YES);
	auth_cache_forget(c, "query:shop", "bob", now + 3 * USEC_SEC, 2 * USEC_SEC);
	ck_assert_int_eq(auth_cache_get(c, "query:shop", "bob", now + 3 * USEC_SEC, &got),
		CACHE_MISS);
	auth_cache_free(&c);
}
END_TEST

START_TEST(a_flood_of_names_does_not_grow_the_cache)
{
	struct auth_cache *c = auth_cache_new();
	struct auth_user *got;
	char name[32];
	int left = 0;

	for (int i = 0; i < 100000; i++) {
		snprintf(name, sizeof name, "user%d", i);
		auth_cache_put(c, "query:shop", name, CACHE_NO, NULL, (usec_t)i + 1,
			USEC_SEC * 1000);
	}
	for (int i = 0; i < 100000; i++) {
		snprintf(name, sizeof name, "user%d", i);
		left += auth_cache_get(c, "query:shop", name, 100001, &got) == CACHE_NO;
	}
	ck_assert_int_le(left, 8192);
	ck_assert_int_ge(left, 7000);
	/* a user who is held stays alive when the cache lets go */
	auth_cache_put(c, "q", "bob", CACHE_YES, auth_user_new("bob", "pw", 1), 200000, USEC_SEC);
	ck_assert_int_eq(auth_cache_get(c, "q", "bob", 200001, &got), CACHE_YES);
	auth_user_ref(got);
	auth_cache_clear(c);
	ck_assert_str_eq(got->name, "bob");
	auth_user_drop(&got);
	auth_cache_free(&c);
}
END_TEST

/* --- rate ------------------------------------------------------------------------- */

START_TEST(failures_fill_a_bucket_that_drains)
{
	struct auth_rate *r = auth_rate_new(5, 60);
	uint8_t one[16] = {10, 0, 0, 1}, two[16] = {10, 0, 0, 2};
	usec_t now = 1000 * USEC_SEC;

	for (int i = 0; i < 5; i++) {
		ck_assert(auth_rate_allows(r, AF_INET, one, now));
		auth_rate_failed(r, AF_INET, one, now);
	}
	ck_assert(!auth_rate_allows(r, AF_INET, one, now));
	ck_assert(auth_rate_allows(r, AF_INET, two, now));
	ck_assert(auth_rate_allows(r, AF_INET, one, now + USEC_SEC));
	auth_rate_failed(r, AF_INET, one, now + USEC_SEC);
	ck_assert(!auth_rate_allows(r, AF_INET, one, now + USEC_SEC));
	ck_assert(auth_rate_allows(r, AF_INET, one, now + 10 * USEC_SEC));
	auth_rate_free(&r);
}
END_TEST

START_TEST(ipv6_counts_by_network)
{
	struct auth_rate *r = auth_rate_new(2, 1);
	uint8_t a[16] = {0x20, 1, 1, 1, 1, 1, 1, 1, 9}, b[16] = {0x20, 1, 1, 1, 1, 1, 1, 1, 8, 7};
	uint8_t other[16] = {0x20, 1, 1, 1, 1, 1, 1, 2};
	usec_t now = USEC_SEC;

	auth_rate_failed(r, AF_INET6, a, now);
	auth_rate_failed(r, AF_INET6, b, now);
	ck_assert(!auth_rate_allows(r, AF_INET6, a, now));
	ck_assert(auth_rate_allows(r, AF_INET6, other, now));
	auth_rate_free(&r);
}
END_TEST

START_TEST(a_flood_of_addresses_costs_nothing)
{
	struct auth_rate *r = auth_rate_new(3, 60);
	uint8_t ip[16] = {0}, mine[16] = {9, 9, 9, 9};
	usec_t now = USEC_SEC;

	for (uint32_t i = 0; i < 200000; i++) {
		memcpy(ip, &i, 4);
		auth_rate_failed(r, AF_INET, ip, now + i);
	}
	ck_assert(auth_rate_allows(r, AF_INET, mine, now + 200000));
	auth_rate_free(&r);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("auth_tables");
	TCase *tc = tcase_create("tables");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, lists_as_pgbouncer_reads_them);
	tcase_add_test(tc, every_error_is_told_with_its_line);
	tcase_add_test(tc, long_names_and_secrets_are_refused);
	tcase_add_test(tc, many_users_are_found);
	tcase_add_test(tc, the_cache_forgets_by_time);
	tcase_add_test(tc, a_flood_of_names_does_not_grow_the_cache);
	tcase_add_test(tc, failures_fill_a_bucket_that_drains);
	tcase_add_test(tc, ipv6_counts_by_network);
	tcase_add_test(tc, a_flood_of_addresses_costs_nothing);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
