/* SPDX-License-Identifier: ISC
 *
 * How a worker gets its CPU, with a clock and an account of the test's own: when waits become long
 * it interrupts again, comes back after a while, and after a longer one each time that it did not
 * last.
 */
#include "worker_pace.h"

#include <check.h>

static struct pace p;
static usec_t now;
static uint64_t waited, slices;

static void setup(void)
{
	now = 1000 * USEC_SEC;
	waited = slices = 0;
	p = (struct pace){.fd = -1, .is_batch = true, .since = now, .away = PACE_AWAY};
}

/* A second with so many wake-ups that waited for so long each; does it change? */
static bool second(unsigned wakes, usec_t each)
{
	now += USEC_SEC;
	waited += wakes * (uint64_t)each * 1000;
	slices += wakes;
	return pace_judge(&p, now, waited, slices);
}

/* Seconds until it is batch again. */
static unsigned absence(void)
{
	unsigned n = 0;

	while (!p.is_batch) {
		second(1000, 10 * USEC_MSEC); /* what it waits meanwhile says nothing */
		n++;
	}
	return n;
}

START_TEST(short_waits_change_nothing)
{
	for (int i = 0; i < 1000; i++)
		ck_assert(!second(1000, PACE_WAIT));
	ck_assert(p.is_batch);
}
END_TEST

START_TEST(long_waits_end_it_for_a_while)
{
	ck_assert(second(1000, PACE_WAIT + 1));
	ck_assert(!p.is_batch);
	ck_assert_uint_eq(absence(), PACE_AWAY / USEC_SEC);
}
END_TEST

START_TEST(few_wakes_say_nothing)
{
	ck_assert(!second(PACE_SLICES - 1, USEC_SEC));
	ck_assert(!second(0, 0));
	ck_assert(second(PACE_SLICES, PACE_WAIT * 2));
}
END_TEST

START_TEST(it_stays_away_longer_each_time_it_did_not_last)
{
	for (usec_t away = PACE_AWAY; away <= PACE_AWAY_MAX; away *= 2) {
		second(1000, 5 * USEC_MSEC);
		ck_assert_uint_eq(absence(), away / USEC_SEC);
	}
	second(1000, 5 * USEC_MSEC);
	ck_assert_uint_eq(absence(), PACE_AWAY_MAX / USEC_SEC);
}
END_TEST

START_TEST(where_it_lasted_it_begins_anew)
{
	for (int i = 0; i < 3; i++) {
		second(1000, 5 * USEC_MSEC);
		absence();
	}
	for (usec_t t = 0; t < PACE_TRUST; t += USEC_SEC)
		ck_assert(!second(1000, 100));
	second(1000, 5 * USEC_MSEC);
	ck_assert_uint_eq(absence(), PACE_AWAY / USEC_SEC);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("worker_pace");
	TCase *tc = tcase_create("pace");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, short_waits_change_nothing);
	tcase_add_test(tc, long_waits_end_it_for_a_while);
	tcase_add_test(tc, few_wakes_say_nothing);
	tcase_add_test(tc, it_stays_away_longer_each_time_it_did_not_last);
	tcase_add_test(tc, where_it_lasted_it_begins_anew);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
