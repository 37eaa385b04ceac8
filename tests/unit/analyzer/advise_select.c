/* SPDX-License-Identifier: ISC
 *
 * The selection against brute force: small matrices whose optimum is known by trying every set.
 */
#include <check.h>
#include <math.h>
#include <stdlib.h>

#include "advise.h"
#include "advise_matrix.h"

#define INDEXES 12
#define QUERIES 6

static uint64_t seed;

static uint32_t draw(uint32_t below)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (seed >> 33) % below;
}

/* A matrix of its own for each number: singles, pairs and triples, some useless, some free. */
static struct matrix *invent(unsigned number)
{
	struct matrix *m = matrix_new(INDEXES, QUERIES);

	seed = number * 7919 + 1;
	for (size_t i = 0; i < INDEXES; i++)
		matrix_index(m, i, draw(100), number % 3 == 0 ? draw(20) : 0);
	for (size_t q = 0; q < QUERIES; q++)
		matrix_query(m, q, 500 + draw(500), 1 + draw(3));
	for (size_t k = 0; k < 60; k++) {
		uint32_t member[3] = {draw(INDEXES), draw(INDEXES), draw(INDEXES)};

		matrix_entry(m, draw(QUERIES), member, number % 2 ? 1 + draw(3) : 1, draw(1000));
	}
	return m;
}

static double cost_of(const struct matrix *m, unsigned set)
{
	struct tray *t = tray_new(m);
	double cost;

	for (unsigned i = 0; i < INDEXES; i++)
		if (set >> i & 1)
			tray_add(t, i);
	cost = t->total;
	tray_free(&t);
	return cost;
}

static double brute_force(const struct matrix *m, uint64_t bytes, size_t count)
{
	double best = INFINITY;

	for (unsigned set = 0; set < 1u << INDEXES; set++) {
		uint64_t size = 0;

		for (unsigned i = 0; i < INDEXES; i++)
			if (set >> i & 1)
				size += m->size[i];
		if (size > bytes || (count && (size_t)__builtin_popcount(set) > count))
			continue;
		best = fmin(best, cost_of(m, set));
	}
	return best;
}

START_TEST(small_matrices_are_solved_exactly)
{
	struct matrix *m = invent(_i);
	struct select_limits limits = {.effort = 3000000};
	struct choice c;

	matrix_seal(m);
	for (limits.bytes = 40; limits.bytes < 700; limits.bytes += 220) {
		limits.indexes = _i % 5 == 4 ? 3 : 0;
		c = select_indexes(m, &limits);
		ck_assert_uint_le(c.bytes, limits.bytes);
		ck_assert_double_eq_tol(c.cost, brute_force(m, limits.bytes, limits.indexes), 1e-6);
		choice_release(&c);
	}
	matrix_free(&m);
}
END_TEST

START_TEST(the_tray_agrees_with_a_fresh_count)
{
	struct matrix *m = invent(_i);
	struct tray *t;
	unsigned set = 0;

	matrix_seal(m);
	t = tray_new(m);
	for (int k = 0; k < 300; k++) {
		uint32_t i = draw(INDEXES);
		double before = t->total;

		if (set >> i & 1) {
			double loss = tray_loss(t, i);

			tray_drop(t, i);
			ck_assert_double_eq_tol(t->total - before, loss, 1e-6);
		} else {
			double gain = t->gain[i] - m->upkeep[i];

			tray_add(t, i);
			ck_assert_double_eq_tol(before - t->total, gain, 1e-6);
		}
		set ^= 1u << i;
		ck_assert_double_eq_tol(t->total, cost_of(m, set), 1e-6);
	}
	tray_free(&t);
	matrix_free(&m);
}
END_TEST

START_TEST(nothing_to_choose_from_is_no_error)
{
	struct matrix *m = matrix_new(0, 1);
	struct choice c;

	matrix_query(m, 0, 10, 1);
	matrix_seal(m);
	c = select_indexes(m, &(struct select_limits){.bytes = 1000});
	ck_assert_uint_eq(c.count, 0);
	ck_assert_double_eq(c.cost, 10);
	choice_release(&c);
	matrix_free(&m);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("advise_select");
	TCase *tc = tcase_create("select");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, small_matrices_are_solved_exactly, 0, 20);
	tcase_add_loop_test(tc, the_tray_agrees_with_a_fresh_count, 0, 10);
	tcase_add_test(tc, nothing_to_choose_from_is_no_error);
	suite_add_tcase(s, tc);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
