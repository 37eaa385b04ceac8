/* SPDX-License-Identifier: ISC
 *
 * The pool's policy with a clock of the test's own: who is served first, when a connection
 * is opened, closed, kept or given to another shard, and that the sums stay right whatever
 * happens in whatever order.
 */
#include "pool.h"

#include <check.h>

#define SEC USEC_SEC

static struct shard s;
static struct cap cap;
static usec_t now;
static struct pool_limits lim;
static struct slot slots[64];
static struct waiter w[64];

static void start(void)
{
	shard_init(&s, &lim, 42);
	s.caps[0] = &cap;
	s.n_caps = 1;
}

static void setup(void)
{
	now = 1000 * SEC;
	memset(slots, 0, sizeof slots);
	memset(w, 0, sizeof w);
	lim = (struct pool_limits){.max_open = 4, .max_idle = -1, .retry = 15 * SEC};
	cap_init(&cap, 4);
	start();
}

/* Slot i is dialled, as it should be when needed. */
static struct slot *open_slot(int i)
{
	ck_assert(cap_take(s.caps[0], 0));
	pool_dial_begin(&s, &slots[i], now);
	pool_dialed(&s, &slots[i], now);
	return &slots[i];
}

static struct slot *lease(int i)
{
	struct slot *slot;

	ck_assert_int_eq(pool_ask(&s, &w[i], now, &slot), POOL_LEASED);
	ck_assert_int_eq(slot->state, SLOT_BUSY);
	return slot;
}

static void queue(int i)
{
	struct slot *slot;

	ck_assert_int_eq(pool_ask(&s, &w[i], now, &slot), POOL_QUEUED);
	ck_assert_ptr_null(slot);
}

static struct waiter *give_back(struct slot *slot, enum pool_fate want)
{
	struct waiter *next;

	ck_assert_int_eq(pool_give_back(&s, slot, now, &next), want);
	return next;
}

/* A connection of one client's own: it makes idle ones go, waits for busy ones, is nobody
 * else's, and is not taken for one that could serve the others. */
START_TEST(one_of_his_own)
{
	struct slot *spare;
	struct waiter *who, *next;

	cap_init(&cap, 2);
	open_slot(0);
	open_slot(1);
	lease(0);
	pool_own_wait(&s, &w[5], now);
	ck_assert(!pool_own_dial(&s, &who, &spare));
	ck_assert_ptr_eq(spare, &slots[0]); /* the idle one: last in, first out */
	pool_remove(&s, spare);
	ck_assert(pool_own_dial(&s, &who, &spare));
	ck_assert_ptr_eq(who, &w[5]);
	pool_own_begin(&s, &slots[2], now);
	ck_assert_int_eq(s.n_own_dialing, 1);
	queue(1);
	ck_assert(!pool_dial_needed(&s, now));
	ck_assert_ptr_eq(s.starved, &cap); /* the one under way is not for him */
	pool_dialed(&s, &slots[2], now);
	ck_assert_int_eq(slots[2].state, SLOT_BUSY);
	ck_assert_int_eq(s.n_own_dialing, 0);
	ck_assert_int_eq(pool_shared(&s), 1);

	/* the busy one comes back while another wants one of his own */
	pool_own_wait(&s, &w[6], now);
	ck_assert(!pool_own_dial(&s, &who, &spare));
	ck_assert_ptr_null(spare);
	ck_assert_int_eq(pool_give_back(&s, &slots[1], now, &next), POOL_CLOSE_FOR_OTHERS);
	pool_remove(&s, &slots[1]);
	ck_assert(pool_own_dial(&s, &who, &spare));
	ck_assert_ptr_eq(who, &w[6]);
	pool_own_begin(&s, &slots[3], now);
	pool_remove(&s, &slots[3]);
	pool_remove(&s, &slots[2]);
	ck_assert_int_eq(atomic_load(&cap.used), 0);
	ck_assert_int_eq(s.n_own, 0);

	/* who has gone waits no more */
	pool_own_wait(&s, &w[7], now);
	pool_own_forget(&w[7]);
	ck_assert(!pool_own_dial(&s, &who, &spare));
	ck_assert_int_eq(s.n_waiting, 1);
}
END_TEST

START_TEST(the_last_one_back_goes_out_first)
{
	struct slot *a, *b;

	open_slot(0);
	open_slot(1);
	a = lease(0);
	b = lease(1);
	give_back(a, POOL_KEEP);
	give_back(b, POOL_KEEP);
	ck_assert_ptr_eq(lease(2), b);
	give_back(b, POOL_KEEP);
	ck_assert_ptr_eq(lease(2), b);
}
END_TEST

START_TEST(round_robin_turns_it_around)
{
	lim.round_robin = true;
	start();
	for (int i = 0; i < 3; i++)
		open_slot(i);
	for (int i = 0; i < 9; i++) {
		struct slot *a = lease(0);

		ck_assert_ptr_eq(a, &slots[i % 3]);
		give_back(a, POOL_KEEP);
	}
}
END_TEST

START_TEST(waiters_are_served_in_their_order)
{
	struct slot *a, *slot;
	struct waiter *next;

	a = open_slot(0);
	lease(0);
	queue(1);
	queue(2);
	queue(3);
	pool_forget(&s, &w[2]);
	pool_forget(&s, &w[2]);
	ck_assert_ptr_eq(give_back(a, POOL_HAND_ON), &w[1]);
	/* its connection vanished: before all others again */
	pool_requeue(&s, &w[1], now);
	ck_assert_ptr_eq(give_back(a, POOL_HAND_ON), &w[1]);
	ck_assert_ptr_eq(give_back(a, POOL_HAND_ON), &w[3]);
	/* whoever waits goes before who comes, also when a slot is idle */
	give_back(a, POOL_KEEP);
	s.paused = true;
	queue(4);
	s.paused = false;
	queue(5);
	ck_assert(pool_pair(&s, now, &slot, &next));
	ck_assert_ptr_eq(next, &w[4]);
	ck_assert(!pool_pair(&s, now, &slot, &next));
}
END_TEST

/* What cannot be handed on just now is as before: the slot idle, he the first of those who wait. */
START_TEST(handing_on_can_be_put_off)
{
	struct slot *a = open_slot(0), *slot;
	struct waiter *next;
	usec_t since;

	lease(0);
	queue(1);
	queue(2);
	since = w[1].since;
	now += SEC;
	next = give_back(a, POOL_HAND_ON);
	pool_put_off(&s, a, next, now);
	ck_assert_int_eq(s.n_waiting, 2);
	ck_assert_int_eq(s.n_idle, 1);
	ck_assert_int_eq(s.n_busy, 0);
	ck_assert_uint_eq(w[1].since, since);
	queue(3); /* nobody overtakes him */
	ck_assert(pool_pair(&s, now, &slot, &next));
	ck_assert_ptr_eq(slot, a);
	ck_assert_ptr_eq(next, &w[1]);
	ck_assert_ptr_eq(give_back(a, POOL_HAND_ON), &w[2]);
}
END_TEST

START_TEST(the_queue_has_a_limit)
{
	struct slot *slot;

	lim.queue_limit = 2;
	start();
	queue(0);
	queue(1);
	ck_assert_int_eq(pool_ask(&s, &w[2], now, &slot), POOL_REFUSED);
	ck_assert(!waiter_is_queued(&w[2]));
	pool_forget(&s, &w[0]);
	queue(2);
	pool_requeue(&s, &w[0], now); /* had been served already: is not refused */
	ck_assert_int_eq(s.n_waiting, 3);
}
END_TEST

START_TEST(one_dial_for_each_who_waits)
{
	ck_assert(!pool_dial_needed(&s, now));
	queue(0);
	ck_assert(pool_dial_needed(&s, now));
	pool_dial_begin(&s, &slots[0], now);
	ck_assert(!pool_dial_needed(&s, now)); /* it is coming */
	queue(1);
	ck_assert(pool_dial_needed(&s, now));
	pool_dial_begin(&s, &slots[1], now);
	pool_forget(&s, &w[0]);
	pool_forget(&s, &w[1]);
	ck_assert(!pool_dial_needed(&s, now));
	ck_assert_int_eq(atomic_load(&cap.used), 2);
	pool_dialed(&s, &slots[0], now);
	pool_dialed(&s, &slots[1], now);
	ck_assert_int_eq(s.n_idle, 2);
}
END_TEST

START_TEST(min_open_is_kept_warm)
{
	lim.min_open = 2;
	start();
	for (int i = 0; i < 2; i++) {
		ck_assert(pool_dial_needed(&s, now));
		pool_dial_begin(&s, &slots[i], now);
	}
	ck_assert(!pool_dial_needed(&s, now));
	pool_dialed(&s, &slots[0], now);
	pool_dialed(&s, &slots[1], now);
	pool_remove(&s, &slots[0]);
	ck_assert(pool_dial_needed(&s, now));
}
END_TEST

/* Two shards keep two warm together: who gave its own away opens none, until the other's is gone.
 */
START_TEST(what_was_given_away_is_warm_elsewhere)
{
	lim.min_open = 1;
	lim.min_together = 2;
	start();
	open_slot(0);
	ck_assert(cap_take(&cap, 0)); /* the other shard's own */
	pool_leave(&s, &slots[0]);
	ck_assert(!pool_dial_needed(&s, now));
	ck_assert_uint_eq(pool_next_check(&s, now), now + SEC);
	cap_give(&cap);
	ck_assert(pool_dial_needed(&s, now));
}
END_TEST

START_TEST(the_warm_come_after_the_needed)
{
	struct cap_claim other = {0};

	lim.min_open = 1;
	start();
	cap_claim_add(&cap, &other, 0);
	ck_assert(!pool_dial_needed(&s, now));
	queue(0);
	ck_assert(pool_dial_needed(&s, now));
	pool_forget(&s, &w[0]);
	cap_claim_drop(&cap, &other);
	ck_assert(pool_dial_needed(&s, now));
}
END_TEST

START_TEST(greeters_want_one_connection_only)
{
	s.n_greeters = 5;
	ck_assert_uint_eq(pool_next_check(&s, now), USEC_NEVER);
	ck_assert(pool_dial_needed(&s, now));
	pool_dial_begin(&s, &slots[0], now);
	ck_assert(!pool_dial_needed(&s, now));
	pool_dial_failed(&s, &slots[0], now);
	/* they do not wait for an event that will not come */
	ck_assert(!pool_dial_needed(&s, now));
	ck_assert_uint_eq(pool_next_check(&s, now), now + 15 * SEC);
	now += 15 * SEC;
	ck_assert(pool_dial_needed(&s, now));
}
END_TEST

START_TEST(greeters_do_not_wait_for_a_session_to_end)
{
	open_slot(0);
	lease(0)->doomed = true; /* by RECONNECT, and its client stays */
	ck_assert(!pool_dial_needed(&s, now));
	s.n_greeters = 1;
	ck_assert(pool_dial_needed(&s, now));
	pool_dial_begin(&s, &slots[1], now);
	ck_assert(!pool_dial_needed(&s, now));
}
END_TEST

START_TEST(dialling_is_bounded)
{
	lim.max_dialing = 2;
	start();
	for (int i = 0; i < 4; i++)
		queue(i);
	for (int i = 0; i < 2; i++) {
		ck_assert(pool_dial_needed(&s, now));
		pool_dial_begin(&s, &slots[i], now);
	}
	ck_assert(!pool_dial_needed(&s, now));
	ck_assert_ptr_null(s.starved);
	ck_assert_int_eq(atomic_load(&cap.used), 2);
	pool_dialed(&s, &slots[0], now);
	ck_assert(pool_dial_needed(&s, now));
}
END_TEST

START_TEST(a_failed_login_waits_before_the_next)
{
	queue(0);
	ck_assert(pool_dial_needed(&s, now));
	pool_dial_begin(&s, &slots[0], now);
	pool_dial_failed(&s, &slots[0], now);
	ck_assert_int_eq(atomic_load(&cap.used), 0);
	ck_assert(!pool_dial_needed(&s, now));
	ck_assert_uint_eq(pool_next_check(&s, now), now + 15 * SEC);
	now += 15 * SEC - 1;
	ck_assert(!pool_dial_needed(&s, now));
	ck_assert(pool_is_down(&s, now));
	s.paused = true; /* who waits for RESUME waits for more than this try */
	ck_assert(!pool_is_down(&s, now));
	s.paused = false;
	now++;
	ck_assert(!pool_is_down(&s, now));
	ck_assert(pool_dial_needed(&s, now));
	pool_dial_begin(&s, &slots[0], now);
	pool_dialed(&s, &slots[0], now);
	ck_assert_uint_eq(s.dial_after, 0);
}
END_TEST

START_TEST(a_paused_pool_does_nothing)
{
	struct slot *a = open_slot(0), *slot;
	struct waiter *next;

	lease(0);
	queue(1);
	queue(2);
	s.paused = true;
	ck_assert(!pool_dial_needed(&s, now));
	give_back(a, POOL_KEEP); /* although two wait */
	ck_assert(!pool_pair(&s, now, &slot, &next));
	s.paused = false;
	ck_assert(pool_pair(&s, now, &slot, &next));
	ck_assert_ptr_eq(next, &w[1]);
}
END_TEST

START_TEST(the_reserve_opens_after_its_time)
{
	lim.max_open = 1;
	lim.reserve = 1;
	lim.reserve_timeout = 5 * SEC;
	cap_set_max(&cap, 1);
	start();
	open_slot(0);
	lease(0);
	queue(1);
	ck_assert(!pool_dial_needed(&s, now));
	ck_assert_ptr_eq(s.starved, &cap);
	ck_assert_uint_eq(pool_next_check(&s, now), now + 5 * SEC);
	now += 5 * SEC;
	ck_assert(pool_dial_needed(&s, now));
	pool_dial_begin(&s, &slots[1], now);
	queue(2);
	ck_assert(!pool_dial_needed(&s, now));
	/* nothing more can be done: no check is due, above all not in the past */
	now += 60 * SEC;
	ck_assert(!pool_dial_needed(&s, now));
	ck_assert_uint_eq(pool_next_check(&s, now), USEC_NEVER);
}
END_TEST

START_TEST(places_of_other_caps_are_given_back)
{
	struct cap small;

	cap_init(&small, 1);
	s.caps[1] = &small;
	s.n_caps = 2;
	queue(0);
	queue(1);
	ck_assert(pool_dial_needed(&s, now));
	pool_dial_begin(&s, &slots[0], now);
	ck_assert(!pool_dial_needed(&s, now));
	ck_assert_ptr_eq(s.starved, &small);
	ck_assert_int_eq(atomic_load(&cap.used), 1);
	pool_remove(&s, &slots[0]);
	pool_remove(&s, &slots[0]); /* harmless */
	ck_assert_int_eq(atomic_load(&cap.used), 0);
	ck_assert_int_eq(atomic_load(&small.used), 0);
}
END_TEST

START_TEST(lifetimes_are_spread)
{
	usec_t least = USEC_NEVER, most = 0;
	struct slot *a;

	lim.max_lifetime = 3600 * SEC;
	cap_set_max(&cap, 0);
	start();
	for (int i = 0; i < 64; i++) {
		usec_t life = open_slot(i)->die_at - now;

		least = life < least ? life : least;
		most = life > most ? life : most;
	}
	ck_assert_uint_le(most, 3600 * SEC);
	ck_assert_uint_ge(least, 3240 * SEC);
	ck_assert_uint_gt(most - least, 200 * SEC);
	a = lease(0);
	now = a->die_at - 1;
	give_back(a, POOL_KEEP);
	a = lease(0);
	now = a->die_at;
	give_back(a, POOL_CLOSE_LIFETIME);
	ck_assert_int_eq(a->state, SLOT_BUSY); /* until the caller has closed it */
}
END_TEST

START_TEST(the_idle_expire_down_to_min_open)
{
	enum pool_fate why;
	struct slot *old;

	lim.max_idle_time = 600 * SEC;
	lim.min_open = 1;
	start();
	for (int i = 0; i < 3; i++) {
		open_slot(i);
		now += 10 * SEC;
	}
	ck_assert_ptr_null(pool_expired(&s, now, &why));
	ck_assert_uint_eq(pool_next_check(&s, now), 1600 * SEC);
	now = 1600 * SEC;
	old = pool_expired(&s, now, &why);
	ck_assert_ptr_eq(old, &slots[0]);
	ck_assert_int_eq(why, POOL_CLOSE_IDLE_MAX);
	pool_remove(&s, old);
	ck_assert_ptr_null(pool_expired(&s, now, &why));
	ck_assert_uint_eq(pool_next_check(&s, now), 1610 * SEC);
	now = 9999 * SEC;
	ck_assert_ptr_eq(pool_expired(&s, now, &why), &slots[1]);
	pool_remove(&s, &slots[1]);
	ck_assert_ptr_null(pool_expired(&s, now, &why));
	ck_assert_uint_eq(pool_next_check(&s, now), USEC_NEVER);
}
END_TEST

START_TEST(surplus_is_closed_when_it_comes_back)
{
	struct slot *a, *b;

	lim.max_idle = 1;
	start();
	open_slot(0);
	open_slot(1);
	a = lease(0);
	b = lease(1);
	give_back(a, POOL_KEEP);
	give_back(b, POOL_CLOSE_IDLE_MAX);
	pool_remove(&s, b);
	ck_assert_int_eq(pool_open(&s), 1);
	lim.max_idle = 0;
	s.lim = lim;
	give_back(lease(0), POOL_CLOSE_IDLE_MAX);
}
END_TEST

START_TEST(the_doomed_are_never_lent_again)
{
	struct slot *a;
	enum pool_fate why;

	open_slot(0);
	a = lease(0);
	queue(1);
	a->doomed = true;
	ck_assert_ptr_null(give_back(a, POOL_CLOSE_DOOMED));
	pool_remove(&s, a);
	ck_assert(pool_dial_needed(&s, now)); /* for who waits */
	pool_forget(&s, &w[1]);
	cap_give(&cap);
	open_slot(1);
	slots[1].doomed = true;
	ck_assert_uint_eq(pool_next_check(&s, now), now + 1);
	ck_assert_ptr_eq(pool_expired(&s, now, &why), &slots[1]);
	ck_assert_int_eq(why, POOL_CLOSE_DOOMED);
}
END_TEST

START_TEST(only_what_nobody_needs_is_spared)
{
	open_slot(0);
	now += SEC;
	open_slot(1);
	ck_assert_ptr_eq(pool_spare(&s, now), &slots[0]);
	s.lim.min_open = 2; /* is for later; the asker needs it now */
	ck_assert_ptr_eq(pool_spare(&s, now), &slots[0]);
	s.paused = true;
	queue(0);
	ck_assert_ptr_null(pool_spare(&s, now));
	pool_forget(&s, &w[0]);
	s.paused = false;
	lease(1);
	lease(2);
	ck_assert_ptr_null(pool_spare(&s, now));
}
END_TEST

/* A shard knows its own claim from another's. */
START_TEST(hungry_are_the_others)
{
	struct cap_claim claim = {.wake = NULL};

	ck_assert(!cap_is_hungry(&cap, &s));
	cap_claim_add(&cap, &claim, 0);
	ck_assert(cap_is_hungry(&cap, &s));
	s.claimed = &cap;
	ck_assert(!cap_is_hungry(&cap, &s));
	cap_claim_drop(&cap, &claim);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("pool");
	TCase *t = tcase_create("policy");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, setup, NULL);
	tcase_add_test(t, the_last_one_back_goes_out_first);
	tcase_add_test(t, round_robin_turns_it_around);
	tcase_add_test(t, waiters_are_served_in_their_order);
	tcase_add_test(t, handing_on_can_be_put_off);
	tcase_add_test(t, one_of_his_own);
	tcase_add_test(t, the_queue_has_a_limit);
	tcase_add_test(t, one_dial_for_each_who_waits);
	tcase_add_test(t, min_open_is_kept_warm);
	tcase_add_test(t, what_was_given_away_is_warm_elsewhere);
	tcase_add_test(t, the_warm_come_after_the_needed);
	tcase_add_test(t, greeters_want_one_connection_only);
	tcase_add_test(t, greeters_do_not_wait_for_a_session_to_end);
	tcase_add_test(t, dialling_is_bounded);
	tcase_add_test(t, a_failed_login_waits_before_the_next);
	tcase_add_test(t, a_paused_pool_does_nothing);
	tcase_add_test(t, the_reserve_opens_after_its_time);
	tcase_add_test(t, places_of_other_caps_are_given_back);
	tcase_add_test(t, lifetimes_are_spread);
	tcase_add_test(t, the_idle_expire_down_to_min_open);
	tcase_add_test(t, surplus_is_closed_when_it_comes_back);
	tcase_add_test(t, the_doomed_are_never_lent_again);
	tcase_add_test(t, only_what_nobody_needs_is_spared);
	tcase_add_test(t, hungry_are_the_others);
	suite_add_tcase(suite, t);
	r = srunner_create(suite);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
