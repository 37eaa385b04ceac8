/* SPDX-License-Identifier: ISC
 *
 * The heap of deadlines against a sorted model: whatever is armed, moved and stopped, what
 * is due comes out in order, and lazily: an armed timer never moves to a later time.
 */
#include "base.h"

#include <check.h>

/* ck_assert() writes to the runner each time, which is too dear for millions of them. */
#define ALWAYS(cond)                                                                               \
	do {                                                                                       \
		if (!(cond))                                                                       \
			ck_abort_msg("%s", #cond);                                                 \
	} while (0)

#define N 300

static struct timers h;
static struct timer t[N];
static usec_t model[N]; /* USEC_NEVER: not armed */

static usec_t least(void)
{
	usec_t at = USEC_NEVER;

	for (int i = 0; i < N; i++)
		at = model[i] < at ? model[i] : at;
	return at;
}

START_TEST(an_empty_heap_answers)
{
	ck_assert_uint_eq(timers_next(&h), USEC_NEVER);
	ck_assert_ptr_null(timers_pop(&h, USEC_NEVER));
	timer_stop(&h, &t[0]);
	timer_ensure(&h, &t[0], USEC_NEVER); /* no deadline at all */
	ck_assert_uint_eq(t[0].pos, 0);
	timers_release(&h);
}
END_TEST

START_TEST(a_deadline_comes_nearer_not_farther)
{
	memset(t, 0, sizeof t);
	timer_ensure(&h, &t[0], 100);
	timer_ensure(&h, &t[0], 200);
	ck_assert_uint_eq(timers_next(&h), 100);
	timer_ensure(&h, &t[0], 50);
	ck_assert_uint_eq(timers_next(&h), 50);
	timer_ensure(&h, &t[0], USEC_NEVER);
	ck_assert_uint_eq(timers_next(&h), 50);
	ck_assert_ptr_null(timers_pop(&h, 49));
	ck_assert_ptr_eq(timers_pop(&h, 50), &t[0]);
	ck_assert_ptr_null(timers_pop(&h, USEC_NEVER));
	timer_ensure(&h, &t[0], 200);
	ck_assert_ptr_eq(timers_pop(&h, 200), &t[0]);
	timers_release(&h);
}
END_TEST

START_TEST(any_order_comes_out_sorted)
{
	unsigned seed = 4711 + (unsigned)_i;
	usec_t now = 0;

	memset(t, 0, sizeof t);
	for (int i = 0; i < N; i++)
		model[i] = USEC_NEVER;
	for (int step = 0; step < 20000; step++) {
		int i = rand_r(&seed) % N;
		usec_t at = now + (usec_t)(rand_r(&seed) % 1000);

		switch (rand_r(&seed) % 5) {
		case 0:
			timer_stop(&h, &t[i]);
			model[i] = USEC_NEVER;
			break;
		case 1:
			now += (usec_t)(rand_r(&seed) % 50);
			for (struct timer *due; (due = timers_pop(&h, now));) {
				ALWAYS((due->pos) == (0));
				ALWAYS((due->at) == (model[due - t]));
				ALWAYS((due->at) == (least()));
				model[due - t] = USEC_NEVER;
			}
			ALWAYS(least() > now);
			break;
		default:
			timer_ensure(&h, &t[i], at);
			if (at < model[i])
				model[i] = at;
		}
		ALWAYS((timers_next(&h)) == (least()));
	}
	timers_release(&h);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("base_timer");
	TCase *c = tcase_create("timer");
	SRunner *r;
	int failed;

	tcase_add_test(c, an_empty_heap_answers);
	tcase_add_test(c, a_deadline_comes_nearer_not_farther);
	tcase_add_loop_test(c, any_order_comes_out_sorted, 0, 5);
	suite_add_tcase(s, c);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
