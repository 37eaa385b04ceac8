/* SPDX-License-Identifier: ISC
 *
 * A worker's loop: a tick that takes long is seen as such, deadlines come in their order and never
 * too early, also those that are nearer than the loop's own timers are fine.  And the helper
 * threads: what they are given is done.
 */
#include "worker.h"

#include <check.h>

static struct worker w;

static void setup(void)
{
	worker_init(&w, 0);
}

static void teardown(void)
{
	worker_release(&w);
}

static void run_stop(struct worker *worker, struct mail *m)
{
	(void)m;
	worker_stop(worker);
}

#define BUSY (50 * USEC_MSEC)

static void run_busy(struct worker *worker, struct mail *m)
{
	usec_t until = clock_mono() + BUSY;

	(void)worker;
	(void)m;
	while (clock_mono() < until)
		;
}

static struct mail stop = {.run = run_stop};

static void on_last(struct timer *t)
{
	(void)t;
	worker_stop(&w);
}

START_TEST(a_blocked_loop_shows)
{
	struct mail busy = {.run = run_busy};
	struct timer after = {.fire = on_last};

	worker_post(&w, &busy);
	timer_ensure(&w.timers, &after, w.now + USEC_MSEC); /* the tick after that one */
	worker_run(&w);
	ck_assert_uint_ge(worker_lag(&w), BUSY);
	ck_assert_uint_ge(worker_lag(&w), BUSY); /* to everyone who asks */
	ck_assert_uint_ge(w.ticks, 2);
}
END_TEST

/* Turns the loop once, `seconds` after the last time. */
static void turn_after(unsigned seconds)
{
	struct timer soon = {.fire = on_last};

	w.stop = false;
	w.lag_since -= seconds * USEC_SEC;
	w.compared = 0;
	timer_ensure(&w.timers, &soon, w.now);
	worker_run(&w);
}

START_TEST(what_blocked_it_is_forgotten_in_time)
{
	w.lag_max_usec = USEC_SEC * 1000;
	turn_after(29);
	ck_assert_uint_eq(worker_lag(&w), USEC_SEC * 1000);
	turn_after(2);
	ck_assert_uint_eq(worker_lag(&w), USEC_SEC * 1000);
	ck_assert_uint_lt(w.lag_max_usec, USEC_SEC * 1000);
	turn_after(31);
	ck_assert_uint_lt(worker_lag(&w), USEC_SEC * 1000);
	w.lag_max_usec = USEC_SEC * 1000;
	turn_after(61); /* it slept all the time */
	ck_assert_uint_lt(worker_lag(&w), USEC_SEC * 1000);
}
END_TEST

#define TIMERS 40

static struct timer timers[TIMERS];
static int fired;

static void on_fired(struct timer *t)
{
	ck_assert_uint_ge(w.now, t->at);
	ck_assert_ptr_eq(t, &timers[fired]);
	if (++fired == TIMERS)
		worker_stop(&w);
}

/* From a tenth of a millisecond to four: the kernel's timer and libev's by turns. */
START_TEST(deadlines_come_in_their_order)
{
	usec_t from = w.now;

	fired = 0;
	for (int i = TIMERS - 1; i >= 0; i--) {
		timers[i] = (struct timer){.fire = on_fired};
		timer_ensure(&w.timers, &timers[i], from + (usec_t)(i + 1) * 100);
	}
	worker_run(&w);
	ck_assert_int_eq(fired, TIMERS);
	ck_assert_uint_ge(clock_mono() - from, (usec_t)TIMERS * 100);
}
END_TEST

START_TEST(a_guest_runs_on_its_hosts_loop)
{
	struct worker guest;
	struct timer soon = {.fire = on_last};

	worker_share(&guest, 1, &w);
	timer_ensure(&guest.timers, &soon, guest.now + 300);
	worker_run(&w);
	ck_assert_uint_eq(guest.now, w.now);
	worker_post(&w, &stop);
	worker_release(&guest);
	w.guest = NULL;
}
END_TEST

/* --- helpers */

#define JOBS 30

static struct helpers helpers;
static struct job jobs[JOBS];
static int done;
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;

static void work(struct job *j)
{
	(void)j;
	pthread_mutex_lock(&gate); /* all wait until the test says so */
	pthread_mutex_unlock(&gate);
}

static void on_done(struct worker *worker, struct mail *m)
{
	(void)m;
	if (++done == JOBS)
		worker_stop(worker);
}

/* More jobs than threads: each is done once; with one thread, too, and when it is told to stop. */
START_TEST(jobs_are_done)
{
	done = 0;
	helpers_init(&helpers, "test", _i);
	pthread_mutex_lock(&gate);
	for (int i = 0; i < JOBS; i++) {
		jobs[i] = (struct job){.work = work, .reply = &w, .mail = {.run = on_done}};
		helpers_submit(&helpers, &jobs[i]);
	}
	ck_assert_int_le(helpers.threads, _i);
	ck_assert_int_ge(helpers_queued(&helpers), JOBS - _i);
	pthread_mutex_unlock(&gate);
	worker_run(&w);
	ck_assert_int_eq(done, JOBS);
	ck_assert_int_eq(helpers_queued(&helpers), 0);
	helpers_release(&helpers);
	ck_assert_int_eq(helpers.threads, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("worker");
	TCase *t = tcase_create("loop");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 120);
	tcase_add_test(t, a_blocked_loop_shows);
	tcase_add_test(t, what_blocked_it_is_forgotten_in_time);
	tcase_add_test(t, deadlines_come_in_their_order);
	tcase_add_test(t, a_guest_runs_on_its_hosts_loop);
	tcase_add_loop_test(t, jobs_are_done, 1, 5);
	suite_add_tcase(suite, t);
	r = srunner_create(suite);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
