/* SPDX-License-Identifier: ISC
 *
 * The counters' table and its struct are the same list.
 */
#include "obs.h"

#include <check.h>

START_TEST(rows_are_fields_in_order)
{
	for (size_t i = 0; i < stats_row_count; i++) {
		ck_assert_uint_eq(stats_rows[i].offset, i * sizeof(uint64_t));
		ck_assert_ptr_nonnull(stats_rows[i].help);
		for (size_t k = 0; k < i; k++)
			ck_assert_str_ne(stats_rows[i].metric, stats_rows[k].metric);
	}
	ck_assert_uint_eq(offsetof(struct stats, errors), stats_row_count * sizeof(uint64_t));
}
END_TEST

START_TEST(errors_count_by_class)
{
	struct stats s = {0};
	uint64_t all = 0;

	stats_error(&s, "23505");
	stats_error(&s, "23503");
	stats_error(&s, "XX000");
	stats_error(&s, "ZZ000");
	for (size_t i = 0; i < stats_error_count; i++) {
		if (strcmp(stats_error_class[i], "23") == 0)
			ck_assert_uint_eq(s.errors[i], 2);
		all += s.errors[i];
	}
	ck_assert_uint_eq(all, 4);
	ck_assert_uint_eq(s.errors[stats_error_count - 1], 1);
}
END_TEST

START_TEST(merge_adds_every_counter)
{
	struct stats a = {0}, b = {0};
	uint64_t *v = (uint64_t *)(void *)&b;

	for (size_t i = 0; i < sizeof b / sizeof *v; i++)
		v[i] = i + 1;
	stats_merge(&a, &b);
	stats_merge(&a, &b);
	v = (uint64_t *)(void *)&a;
	for (size_t i = 0; i < sizeof a / sizeof *v; i++)
		ck_assert_uint_eq(v[i], 2 * (i + 1));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("obs_stats");
	TCase *t = tcase_create("stats");
	SRunner *r;
	int failed;

	tcase_add_test(t, rows_are_fields_in_order);
	tcase_add_test(t, errors_count_by_class);
	tcase_add_test(t, merge_adds_every_counter);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
