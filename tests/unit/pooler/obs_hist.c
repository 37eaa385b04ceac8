/* SPDX-License-Identifier: ISC
 *
 * The histogram keeps its promise: no quantile is off by more than 1 %, merging loses
 * nothing, small values are exact.
 */
#include "obs.h"

#include <check.h>
#include <math.h>

static uint64_t seed;

static uint64_t next_random(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void check_close(uint64_t got, uint64_t want)
{
	double error = fabs((double)got - (double)want) / (want ? (double)want : 1);

	ck_assert_msg(error <= 0.01, "%llu is not within 1 %% of %llu", (unsigned long long)got,
		(unsigned long long)want);
}

START_TEST(empty_answers_zero)
{
	struct hist h = {0};

	ck_assert_uint_eq(hist_quantile(&h, 0.5), 0);
	ck_assert_uint_eq(hist_count_below(&h, 1000), 0);
	hist_release(&h);
}
END_TEST

START_TEST(every_value_stands_for_itself)
{
	for (unsigned bits = 0; bits < 40; bits++) {
		for (int k = -2; k <= 2; k++) {
			uint64_t v = ((uint64_t)1 << bits) + (uint64_t)(int64_t)k;
			struct hist h = {0};

			if (v >= (uint64_t)1 << 40)
				continue;
			hist_add(&h, v);
			hist_add(&h, (uint64_t)1 << 39); /* so that max does not help */
			check_close(hist_quantile(&h, 0.5),
				v < (uint64_t)1 << 39 ? v : (uint64_t)1 << 39);
			if (v < 128)
				ck_assert_uint_eq(hist_quantile(&h, 0.5), v);
			ck_assert_uint_eq(hist_quantile(&h, 1.0), h.max);
			hist_release(&h);
		}
	}
}
END_TEST

START_TEST(huge_values_are_kept)
{
	struct hist h = {0};

	hist_add(&h, UINT64_MAX / 2);
	hist_add(&h, 5);
	ck_assert_uint_eq(h.count, 2);
	ck_assert_uint_eq(h.max, UINT64_MAX / 2);
	ck_assert_uint_eq(hist_quantile(&h, 0.5), 5);
	hist_release(&h);
}
END_TEST

#define SAMPLES 20000

START_TEST(quantiles_are_within_one_percent)
{
	static uint64_t v[SAMPLES];
	static const double qs[] = {0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999};

	seed = 88172645463325252u + (uint64_t)_i;
	for (int shape = 0; shape < 4; shape++) {
		struct hist h = {0};
		uint64_t sum = 0;

		for (int i = 0; i < SAMPLES; i++) {
			double u = (double)(next_random() >> 11) / 9007199254740992.0;
			v[i] = shape == 0   ? next_random() % 1000
			       : shape == 1 ? (uint64_t)(-log(1 - u) * 1e5)
			       : shape == 2 ? (uint64_t)exp(u * 27)
					    : 1000 + next_random() % 3;
			hist_add(&h, v[i]);
			sum += v[i];
		}
		qsort(v, SAMPLES, sizeof v[0], by_value);
		for (size_t k = 0; k < ARRAY_LEN(qs); k++)
			check_close(hist_quantile(&h, qs[k]), v[(size_t)ceil(qs[k] * SAMPLES) - 1]);
		ck_assert_uint_eq(h.sum, sum);
		ck_assert_uint_eq(h.count, SAMPLES);
		ck_assert_uint_eq(h.max, v[SAMPLES - 1]);
		hist_release(&h);
	}
}
END_TEST

START_TEST(merging_equals_adding_to_one)
{
	struct hist parts[3] = {{0}}, all = {0}, merged = {0};

	seed = 4711;
	for (int i = 0; i < 10000; i++) {
		uint64_t v = next_random() % (1u << (i % 30));
		hist_add(&parts[i % 3], v);
		hist_add(&all, v);
	}
	for (int i = 0; i < 3; i++)
		hist_merge(&merged, &parts[i]);
	for (int i = 0; i <= 100; i++)
		ck_assert_uint_eq(hist_quantile(&merged, i / 100.0),
			hist_quantile(&all, i / 100.0));
	ck_assert_uint_eq(merged.count, all.count);
	ck_assert_uint_eq(merged.sum, all.sum);
	ck_assert_uint_eq(merged.max, all.max);
	for (uint64_t b = 1; b < (uint64_t)1 << 32; b *= 3)
		ck_assert_uint_eq(hist_count_below(&merged, b), hist_count_below(&all, b));
	ck_assert_uint_eq(hist_count_below(&merged, UINT64_MAX), merged.count);
	hist_reset(&merged);
	ck_assert_uint_eq(merged.count, 0);
	ck_assert_uint_eq(hist_quantile(&merged, 0.5), 0);
	hist_release(&merged);
	hist_release(&all);
	for (int i = 0; i < 3; i++)
		hist_release(&parts[i]);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("obs_hist");
	TCase *t = tcase_create("hist");
	SRunner *r;
	int failed;

	tcase_add_test(t, empty_answers_zero);
	tcase_add_test(t, every_value_stands_for_itself);
	tcase_add_test(t, huge_values_are_kept);
	tcase_add_loop_test(t, quantiles_are_within_one_percent, 0, 5);
	tcase_add_test(t, merging_equals_adding_to_one);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
