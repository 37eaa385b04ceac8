/* SPDX-License-Identifier: ISC
 *
 * What the shards of one pool give each other, and when, with a clock of the test's own: nobody
 * waits for longer than POOL_REST while a connection rests elsewhere, whichever of the two came
 * first, and what does not rest stays where it is.
 */
#include "pool.h"

#include <check.h>

#define SHARDS 3
#define SLOTS  8

static struct shard s[SHARDS];
static struct cap cap;
static struct slot slots[SLOTS];
static struct waiter w[64];
static usec_t now;
static usec_t look_at[SHARDS]; /* when each has said that it looks again */

static void setup(void)
{
	struct pool_limits lim = {.max_open = SLOTS, .max_idle = -1};

	now = 1000 * USEC_SEC;
	memset(slots, 0, sizeof slots);
	memset(w, 0, sizeof w);
	cap_init(&cap, SLOTS);
	for (int i = 0; i < SHARDS; i++) {
		shard_init(&s[i], &lim, 42);
		s[i].caps[0] = &cap;
		s[i].n_caps = 1;
		if (i > 0)
			shard_join(&s[i], &s[0]);
		look_at[i] = USEC_NEVER;
	}
}

static struct slot *open_in(struct shard *in, int i)
{
	ck_assert(cap_take(&cap, 0));
	pool_dial_begin(in, &slots[i], now);
	pool_dialed(in, &slots[i], now);
	(void)pool_show(in);
	return &slots[i];
}

static void queue(struct shard *in, int i)
{
	struct slot *slot;

	ck_assert_int_eq(pool_ask(in, &w[i], now, &slot), POOL_QUEUED);
}

START_TEST(what_rests_is_asked_for)
{
	usec_t again;

	open_in(&s[1], 0);
	ck_assert_ptr_null(pool_rested(&s[0], now, &again)); /* nobody waits */
	ck_assert_uint_eq(again, USEC_NEVER);
	queue(&s[0], 0);
	ck_assert(pool_show(&s[0]));
	ck_assert(!pool_show(&s[0])); /* nothing new */
	ck_assert_ptr_null(pool_rested(&s[0], now, &again));
	ck_assert_uint_eq(again, now + POOL_REST);
	ck_assert_ptr_null(pool_surplus(&s[1], now));
	now = again;
	ck_assert_ptr_eq(pool_rested(&s[0], now, &again), &s[1]);
	ck_assert_ptr_eq(pool_surplus(&s[1], now), &slots[0]);
	s[0].paused = true;
	ck_assert_ptr_null(pool_rested(&s[0], now, &again));
}
END_TEST

START_TEST(what_comes_to_rest_is_given)
{
	struct slot *slot;
	struct waiter *next;
	usec_t again;

	open_in(&s[1], 0);
	ck_assert_int_eq(pool_ask(&s[1], &w[1], now, &slot), POOL_LEASED);
	(void)pool_show(&s[1]);
	queue(&s[0], 0);
	ck_assert(pool_show(&s[0]));
	ck_assert_ptr_null(pool_rested(&s[0], now, &again)); /* none is idle: nothing to look at */
	ck_assert_uint_eq(again, USEC_NEVER);
	now += 10 * USEC_SEC;
	ck_assert_int_eq(pool_give_back(&s[1], slot, now, &next), POOL_KEEP);
	ck_assert(pool_show(&s[1]));
	ck_assert_ptr_null(pool_needy(&s[1], now, &again)); /* it has not rested yet */
	ck_assert_uint_eq(again, now + POOL_REST);
	now = again;
	ck_assert_ptr_eq(pool_needy(&s[1], now, &again), &s[0]);
	pool_served(&s[0]);
	ck_assert_ptr_null(pool_needy(&s[1], now, &again)); /* not twice for one client */
	ck_assert(pool_show(&s[0]));			    /* who waits on is seen again */
	ck_assert_ptr_eq(pool_needy(&s[1], now, &again), &s[0]);
}
END_TEST

/* The place goes along, and what nobody should have stays. */
START_TEST(what_rests_goes_with_its_place)
{
	struct slot *slot, *got;
	struct waiter *next;

	open_in(&s[1], 0);
	now += USEC_SEC;
	open_in(&s[1], 1);
	now += POOL_REST;
	queue(&s[0], 0);
	s[0].n_coming = 1;
	ck_assert(!pool_dial_needed(&s[0], now)); /* it was asked for */
	slot = pool_surplus(&s[1], now);
	ck_assert_ptr_eq(slot, &slots[0]); /* the one that has rested longest */
	pool_leave(&s[1], slot);
	ck_assert_int_eq(s[1].n_idle, 1);
	ck_assert_int_eq(atomic_load(&cap.used), 2);
	pool_arrive(&s[0], slot, now);
	s[0].n_coming = 0;
	ck_assert(pool_pair(&s[0], now, &got, &next));
	ck_assert_ptr_eq(got, &slots[0]);
	ck_assert_ptr_eq(next, &w[0]);

	slots[1].doomed = true;
	ck_assert_ptr_null(pool_surplus(&s[1], now));
	slots[1].doomed = false;
	slots[1].die_at = now;
	ck_assert_ptr_null(pool_surplus(&s[1], now));
	slots[1].die_at = USEC_NEVER;
	s[1].paused = true;
	ck_assert_ptr_null(pool_surplus(&s[1], now));
	ck_assert(!pool_show(&s[1])); /* what is paused has nothing for others */
	s[1].paused = false;
	ck_assert_int_eq(pool_ask(&s[1], &w[1], now, &slot), POOL_LEASED);
	queue(&s[1], 2);
	ck_assert_ptr_null(pool_surplus(&s[1], now)); /* it is needed here */

	pool_remove(&s[0], &slots[0]);
	pool_remove(&s[1], &slots[1]);
	ck_assert_int_eq(atomic_load(&cap.used), 0);
}
END_TEST

START_TEST(the_longest_wait_and_the_longest_rest_come_first)
{
	usec_t again;

	open_in(&s[0], 0);
	now += 10;
	open_in(&s[2], 1);
	now += POOL_REST;
	queue(&s[1], 0);
	(void)pool_show(&s[1]);
	ck_assert_ptr_eq(pool_rested(&s[1], now, &again), &s[0]);
	now += 5;
	pool_hide(&s[0]); /* it leaves */
	ck_assert_ptr_eq(pool_rested(&s[1], now, &again), &s[2]);
	pool_leave(&s[0], &slots[0]);
	queue(&s[0], 1);
	(void)pool_show(&s[0]);
	ck_assert_ptr_eq(pool_needy(&s[2], now, &again), &s[1]);
	ck_assert_ptr_eq(pool_needy_for(&s[2], now - 5), &s[1]);
	ck_assert_ptr_null(pool_needy_for(&s[2], now - 6));
}
END_TEST

/* --- any load whatever: as three relays play it, and nobody waits while something rests ---- */

static uint32_t dice;

static uint32_t roll(uint32_t n)
{
	dice = dice * 1664525 + 1013904223;
	return (dice >> 8) % n;
}

static void tend(int i);

static void move(struct shard *from, struct shard *to)
{
	struct slot *slot = pool_surplus(from, now), *got;
	struct waiter *next;

	ck_assert_ptr_nonnull(slot);
	pool_leave(from, slot);
	ck_assert(!pool_show(from));
	pool_arrive(to, slot, now);
	while (pool_pair(to, now, &got, &next))
		;
	tend((int)(to - s));
}

/* As session_share.c's share_tend(), but that what goes over is there at once. */
static void tend(int i)
{
	usec_t again;
	struct shard *other;

	(void)pool_show(&s[i]);
	while ((other = pool_rested(&s[i], now, &again)))
		move(other, &s[i]);
	look_at[i] = again;
	if (s[i].n_waiting)
		return;
	while ((other = pool_needy(&s[i], now, &again)))
		move(&s[i], other);
	look_at[i] = again;
}

/* Is there a client that waits, and elsewhere a connection that has rested for longer? */
static void check_nobody_waits(void)
{
	for (int i = 0; i < SHARDS; i++)
		for (int k = 0; k < SHARDS; k++) {
			usec_t waits, rests;

			if (s[i].n_waiting == 0 || s[k].n_idle == 0)
				continue;
			waits = list_first(&s[i].waiting, struct waiter, link)->since;
			rests = list_last(&s[k].idle, struct slot, link)->since;
			ck_assert_msg(now < waits + POOL_REST || now < rests + POOL_REST,
				"shard %d waits for %llu us, shard %d has one that rests for %llu",
				i, (unsigned long long)(now - waits), k,
				(unsigned long long)(now - rests));
		}
}

static void step(void)
{
	int i = (int)roll(SHARDS);
	struct slot *slot;
	struct waiter *next;

	if (roll(2)) { /* a client asks */
		struct waiter *c = &w[roll(ARRAY_LEN(w))];

		if (waiter_is_queued(c))
			return;
		if (pool_ask(&s[i], c, now, &slot) == POOL_QUEUED && s[i].n_waiting == 1)
			tend(i);
		else if (pool_show(&s[i]))
			tend(i);
	} else if (s[i].n_busy) { /* one is done */
		slot = list_first(&s[i].busy, struct slot, link);
		if (pool_give_back(&s[i], slot, now, &next) == POOL_CLOSE_DOOMED)
			ck_abort();
		if (pool_show(&s[i]))
			tend(i);
	}
}

START_TEST(nobody_waits_while_something_rests)
{
	dice = (uint32_t)_i + 1;
	for (int i = 0; i < SLOTS; i++)
		open_in(&s[roll(SHARDS)], i);
	for (int n = 0; n < 20000; n++) {
		usec_t until = now + roll(400); /* microseconds */

		/* what is due first happens first */
		for (;;) {
			int due = 0;

			for (int i = 1; i < SHARDS; i++)
				if (look_at[i] < look_at[due])
					due = i;
			if (look_at[due] > until)
				break;
			now = look_at[due];
			tend(due);
		}
		now = until;
		check_nobody_waits();
		step();
	}
	ck_assert_int_eq(atomic_load(&cap.used), SLOTS);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("pool_share");
	TCase *t = tcase_create("policy");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, setup, NULL);
	tcase_add_test(t, what_rests_is_asked_for);
	tcase_add_test(t, what_comes_to_rest_is_given);
	tcase_add_test(t, what_rests_goes_with_its_place);
	tcase_add_test(t, the_longest_wait_and_the_longest_rest_come_first);
	tcase_add_loop_test(t, nobody_waits_while_something_rests, 0, 20);
	suite_add_tcase(suite, t);
	r = srunner_create(suite);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
