/* SPDX-License-Identifier: ISC
 *
 * struct buf: what was put is there, a cap refuses whole pieces and is remembered, and
 * the front can be dropped.
 */
#include "base.h"

#include <check.h>

START_TEST(what_is_put_is_there)
{
	struct buf b = {0}, long_one = {0};

	buf_put_u8(&b, 0xab);
	buf_put_u16(&b, 0x0102);
	buf_put_u32(&b, 0x03040506);
	buf_put_str(&b, "xy");
	buf_put_cstr(&b, "z");
	buf_put(&b, "", 0);
	ck_assert_uint_eq(b.len, 11);
	ck_assert_mem_eq(b.data, "\xab\1\2\3\4\5\6xyz", 11);
	buf_free(&b);
	ck_assert_ptr_null(b.data);
	/* longer than what is formatted on the stack */
	for (int i = 250; i < 262; i++) {
		buf_printf(&long_one, "%*d|%s", i, i, "end");
		ck_assert_uint_eq(long_one.len, (size_t)i + 4);
		ck_assert_str_eq(buf_cstr(&long_one) + i, "|end");
		long_one.len = 0;
	}
	buf_free(&long_one);
}
END_TEST

START_TEST(a_view_of_nothing_is_an_empty_string)
{
	struct buf b = {0};

	ck_assert_str_eq(buf_cstr(&b), "");
	ck_assert_uint_eq(b.len, 0);
	/* the NUL is behind the end, at every fill */
	for (int i = 0; i < 300; i++) {
		buf_put_u8(&b, 'a');
		ck_assert_uint_eq(strlen(buf_cstr(&b)), (size_t)i + 1);
	}
	buf_free(&b);
}
END_TEST

START_TEST(a_cap_is_kept_and_remembered)
{
	struct buf b = {.cap = 8};

	buf_put(&b, "12345678", 8);
	ck_assert(!b.overflow);
	buf_put_u8(&b, 'x');
	ck_assert(b.overflow);
	ck_assert_uint_eq(b.len, 8);
	buf_drop_front(&b, 4);
	buf_put_str(&b, "abcde"); /* one too many: none of it */
	ck_assert_uint_eq(b.len, 4);
	buf_put(&b, "ab", SIZE_MAX - 2); /* no wrap-around */
	ck_assert_uint_eq(b.len, 4);
	ck_assert_mem_eq(b.data, "5678", 4);
	buf_free(&b);
	ck_assert(!b.overflow);
}
END_TEST

START_TEST(the_front_can_be_dropped)
{
	struct buf b = {0};
	size_t taken = 0, put = 0;

	for (int step = 0; step < 5000; step++) {
		for (int n = step * 7 % 40; n; n--)
			buf_put_u8(&b, (uint8_t)put++);
		if (b.len) {
			size_t n = (size_t)(step * 11 % 50);

			if (n > b.len)
				n = b.len;
			ck_assert_uint_eq((uint8_t)b.data[0], (uint8_t)taken);
			buf_drop_front(&b, n);
			taken += n;
		}
		ck_assert_uint_eq(b.len, put - taken);
	}
	buf_drop_front(&b, b.len + 1);
	ck_assert_uint_eq(b.len, 0);
	buf_free(&b);
}
END_TEST

START_TEST(copies_of_strings)
{
	char *a = mem_strndup("abcdef", 3), *b = mem_strndup("ab", 9),
	     *c = mem_printf("%d-%s", 7, "x");

	ck_assert_str_eq(a, "abc");
	ck_assert_str_eq(b, "ab");
	ck_assert_str_eq(c, "7-x");
	free(a);
	free(b);
	free(c);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("base_buf");
	TCase *c = tcase_create("buf");
	SRunner *r;
	int failed;

	tcase_add_test(c, what_is_put_is_there);
	tcase_add_test(c, a_view_of_nothing_is_an_empty_string);
	tcase_add_test(c, a_cap_is_kept_and_remembered);
	tcase_add_test(c, the_front_can_be_dropped);
	tcase_add_test(c, copies_of_strings);
	suite_add_tcase(s, c);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
