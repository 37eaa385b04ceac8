/* SPDX-License-Identifier: ISC
 *
 * Binary values read as PostgreSQL writes them, and nothing that is not one is accepted or
 * read beyond its end.
 */
#include "obs_inner.h"

#include <check.h>

static const struct {
	uint32_t oid;
	const char *hex, *text;
} rows[] = {
#include "pooler/obs_value.h"
};

static size_t unhex(const char *hex, unsigned char *out)
{
	size_t n = strlen(hex) / 2;

	for (size_t i = 0; i < n; i++) {
		unsigned v;
		ck_assert_int_eq(sscanf(hex + 2 * i, "%2x", &v), 1);
		out[i] = (unsigned char)v;
	}
	return n;
}

START_TEST(as_postgresql_writes_it)
{
	unsigned char v[512];
	struct buf b = {0};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		size_t n = unhex(rows[i].hex, v);
		b.len = 0;
		ck_assert_msg(param_text(&b, rows[i].oid, v, n), "type %u, value %s is refused",
			rows[i].oid, rows[i].text);
		ck_assert_msg(strcmp(buf_cstr(&b), rows[i].text) == 0, "type %u: %s instead of %s",
			rows[i].oid, b.data, rows[i].text);
	}
	buf_free(&b);
}
END_TEST

/* Every value cut at every byte, in a block of exactly that size (ASan looks). */
START_TEST(what_is_cut_is_not_overread)
{
	struct buf b = {0};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		unsigned char v[512];
		size_t n = unhex(rows[i].hex, v);
		for (size_t cut = 0; cut < n; cut++) {
			unsigned char *p = mem_alloc(cut);
			bool ok;
			memcpy(p, v, cut);
			b.len = 0;
			ok = param_text(&b, rows[i].oid, p, cut);
			ck_assert(ok || b.len == 0);
			free(p);
		}
	}
	buf_free(&b);
}
END_TEST

START_TEST(what_cannot_be_is_refused)
{
	struct buf b = {0};
	unsigned char v[64] = {0};

	ck_assert(!param_text(&b, 0, v, 4));	/* no type known */
	ck_assert(!param_text(&b, 600, v, 16)); /* a point: not decoded */
	ck_assert(!param_text(&b, 23, v, 5));	/* an int of five bytes */
	memset(v, 0xff, sizeof v);
	ck_assert(!param_text(&b, 1007, v, 64)); /* an array of 2^32 dimensions */
	ck_assert(!param_text(&b, 1700, v, 8));
	ck_assert(!param_text(&b, 869, v, 8));
	ck_assert(!param_text(&b, 3802, v, 8)); /* a jsonb of version 255 */
	ck_assert_uint_eq(b.len, 0);
	buf_free(&b);
}
END_TEST

/* Eight bytes that ask for 131072 digits, in front, behind, or all of them zeros. */
START_TEST(a_number_costs_no_more_than_it_is_worth)
{
	static const char *const numbers[] = {"00007fff00000000", "00007fff40000000",
		"0000000000003fff", "0000800000000000",
		"000180000000"
		"3fff"
		"0001",
		"00010400"
		"0000"
		"0000"
		"0001"};
	struct buf b = {0};
	unsigned char v[32];

	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		ck_assert_msg(!param_text(&b, 1700, v, unhex(numbers[i], v)), "%s", numbers[i]);
	ck_assert(param_text(&b, 1700, v, unhex("000100f9000000000001", v)));
	ck_assert_uint_eq(b.len, 1 + 4 * 0xf9); /* 1e996 */
	buf_free(&b);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("obs_value");
	TCase *t = tcase_create("value");
	SRunner *r;
	int failed;

	tcase_add_test(t, as_postgresql_writes_it);
	tcase_add_test(t, what_is_cut_is_not_overread);
	tcase_add_test(t, what_cannot_be_is_refused);
	tcase_add_test(t, a_number_costs_no_more_than_it_is_worth);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
