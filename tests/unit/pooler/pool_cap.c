/* SPDX-License-Identifier: ISC
 *
 * Shards that share a cap: places move to who needs them, come to rest when all have the
 * same, and are counted rightly under random events and under threads.
 */
#include "pool.h"

#include <check.h>

/* ck_assert() writes to the runner each time, which is too dear for millions of them. */
#define ALWAYS(cond)                                                                               \
	do {                                                                                       \
		if (!(cond))                                                                       \
			ck_abort_msg("%s", #cond);                                                 \
	} while (0)

static struct cap cap;
static int woken[4];

static struct cap_claim claims[4];

static void note_wake(struct cap_claim *claim)
{
	woken[claim - claims]++;
}

static void setup(void)
{
	memset(woken, 0, sizeof woken);
	memset(claims, 0, sizeof claims);
	for (size_t i = 0; i < ARRAY_LEN(claims); i++)
		claims[i].wake = note_wake;
	cap_init(&cap, 2);
}

START_TEST(places_are_counted)
{
	ck_assert(cap_take(&cap, 0));
	ck_assert(cap_take(&cap, 0));
	ck_assert(!cap_take(&cap, 0));
	ck_assert(cap_take(&cap, 1)); /* the reserve */
	ck_assert(!cap_take(&cap, 1));
	cap_give(&cap);
	ck_assert(!cap_take(&cap, 0)); /* one of the reserve is still out */
	cap_give(&cap);
	ck_assert(cap_take(&cap, 0));
	cap_set_max(&cap, 0);
	for (int i = 0; i < 1000; i++)
		ck_assert(cap_take(&cap, 0));
	cap_set_max(&cap, 1);
	ck_assert(!cap_take(&cap, 0));
}
END_TEST

START_TEST(who_has_least_is_woken_first)
{
	ck_assert(cap_take(&cap, 0) && cap_take(&cap, 0));
	cap_claim_add(&cap, &claims[0], 3);
	cap_claim_add(&cap, &claims[1], 1);
	cap_claim_add(&cap, &claims[2], 1);
	cap_claim_add(&cap, &claims[1], 0); /* claims already */
	ck_assert_int_eq(atomic_load(&cap.hungry), 3);
	ck_assert_int_eq(atomic_load(&cap.neediest), 1);
	cap_give(&cap);
	ck_assert(woken[1] == 1 && woken[2] == 0 && woken[0] == 0);
	cap_claim_drop(&cap, &claims[2]);
	cap_claim_drop(&cap, &claims[2]);
	ck_assert_int_eq(atomic_load(&cap.neediest), 3);
	cap_give(&cap);
	ck_assert(woken[0] == 1 && woken[2] == 0);
	ck_assert_int_eq(atomic_load(&cap.hungry), 0);
	cap_claim_add(&cap, &claims[0], 0);
	cap_claim_add(&cap, &claims[3], 0);
	cap_set_max(&cap, 9);
	ck_assert(woken[0] == 2 && woken[3] == 1);
	ck_assert_int_eq(atomic_load(&cap.hungry), 0);
}
END_TEST

/* --- shards under one cap ------------------------------------------------------------ */

#define SHARDS	3
#define SLOTS	24
#define WAITERS 40

struct side {
	struct shard shard;
	struct cap_claim claim;
	struct slot slots[SLOTS];
	struct slot *of[WAITERS]; /* what waiter i has */
	struct waiter w[WAITERS];
	bool called;
};

static struct side side[SHARDS];
static struct cap own[SHARDS];
static usec_t now;
static unsigned seed;
static int closed_for_others;

static void call(struct cap_claim *claim)
{
	CONTAINER_OF(claim, struct side, claim)->called = true;
}

static unsigned below(unsigned n)
{
	return (unsigned)rand_r(&seed) % n;
}

static void take(struct side *x, struct slot *slot, struct waiter *waiter)
{
	size_t i = (size_t)(waiter - x->w);

	ALWAYS((x->of[i]) == NULL);
	for (size_t k = 0; k < WAITERS; k++)
		ALWAYS((x->of[k]) != (slot)); /* nobody else has it */
	ALWAYS((slot->state) == (SLOT_BUSY));
	ALWAYS(!waiter_is_queued(waiter));
	x->of[i] = slot;
}

/* What lane_tend() does after every event. */
static void tend(struct side *x)
{
	struct slot *slot;
	struct waiter *next;
	enum pool_fate why;

	while (pool_pair(&x->shard, now, &slot, &next))
		take(x, slot, next);
	while ((slot = pool_expired(&x->shard, now, &why)))
		pool_remove(&x->shard, slot);
	while (pool_dial_needed(&x->shard, now)) {
		for (slot = x->slots; slot->state != SLOT_GONE; slot++)
			ALWAYS(slot < x->slots + SLOTS - 1);
		pool_dial_begin(&x->shard, slot, now);
	}
	if (x->shard.starved) {
		x->shard.claimed = x->shard.starved;
		cap_claim_add(x->shard.claimed, &x->claim, pool_open(&x->shard));
	} else if (x->shard.claimed) {
		cap_claim_drop(x->shard.claimed, &x->claim);
		x->shard.claimed = NULL;
	}
}

static void tend_the_called(void)
{
	for (bool any = true; any;) {
		any = false;
		for (int i = 0; i < SHARDS; i++) {
			if (!side[i].called)
				continue;
			side[i].called = false;
			any = true;
			tend(&side[i]);
		}
	}
}

static void give_back(struct side *x, size_t i)
{
	struct slot *slot = x->of[i];
	struct waiter *next;
	enum pool_fate fate;

	x->of[i] = NULL;
	fate = pool_give_back(&x->shard, slot, now, &next);
	closed_for_others += fate == POOL_CLOSE_FOR_OTHERS;
	if (fate == POOL_HAND_ON)
		take(x, slot, next);
	else if (fate != POOL_KEEP)
		pool_remove(&x->shard, slot);
}

static int length(const struct list *head, enum slot_state state)
{
	struct list *l;
	int n = 0;

	list_each (l, head) {
		ALWAYS((list_entry(l, struct slot, link)->state) == (state));
		n++;
	}
	return n;
}

static void check_sums(void)
{
	int open = 0;

	for (int i = 0; i < SHARDS; i++) {
		struct shard *s = &side[i].shard;
		int waiting = 0, leased = 0;
		struct list *l;

		ALWAYS((length(&s->idle, SLOT_IDLE)) == (s->n_idle));
		ALWAYS((length(&s->busy, SLOT_BUSY)) == (s->n_busy));
		ALWAYS((length(&s->dialing, SLOT_DIALING)) == (s->n_dialing));
		list_each (l, &s->waiting) {
			ALWAYS(waiter_is_queued(list_entry(l, struct waiter, link)));
			waiting++;
		}
		ALWAYS((waiting) == (s->n_waiting));
		for (size_t k = 0; k < WAITERS; k++)
			leased += side[i].of[k] != NULL;
		ALWAYS((leased) == (s->n_busy));
		ALWAYS((atomic_load(&own[i].used)) == (pool_open(s)));
		ALWAYS(pool_next_check(s, now) > now);
		open += pool_open(s);
	}
	ALWAYS((atomic_load(&cap.used)) == (open));
}

static void start(int max)
{
	struct pool_limits lim = {.max_idle = -1, .retry = 0};

	now = 1;
	closed_for_others = 0;
	memset(side, 0, sizeof side);
	cap_init(&cap, max);
	for (int i = 0; i < SHARDS; i++) {
		cap_init(&own[i], 0);
		shard_init(&side[i].shard, &lim, (uint64_t)i + 1);
		side[i].shard.caps[0] = &own[i];
		side[i].shard.caps[1] = &cap;
		side[i].shard.n_caps = 2;
		side[i].claim.wake = call;
	}
}

static void ask(struct side *x, size_t i)
{
	struct slot *slot;

	if (waiter_is_queued(&x->w[i]) || x->of[i])
		return;
	if (pool_ask(&x->shard, &x->w[i], now, &slot) == POOL_LEASED)
		take(x, slot, &x->w[i]);
}

START_TEST(random_events_keep_the_sums)
{
	seed = 99 + (unsigned)_i;
	start(1 + (int)below(12));
	for (int i = 0; i < SHARDS; i++) {
		struct pool_limits *lim = &side[i].shard.lim;

		lim->max_open = (int)below(6);
		atomic_store(&own[i].max, lim->max_open);
		lim->max_idle = (int)below(5) - 1;
		lim->min_open = (int)below(3);
		lim->reserve = (int)below(3);
		lim->reserve_timeout = 50;
		lim->queue_limit = below(2) ? 20 : 0;
		lim->max_dialing = (int)below(4);
		lim->max_idle_time = below(2) ? 300 : 0;
		lim->max_lifetime = below(2) ? 2000 : 0;
		lim->retry = 100;
		lim->round_robin = below(2);
	}
	for (int step = 0; step < 20000; step++) {
		struct side *x = &side[below(SHARDS)];
		size_t i = below(WAITERS);
		struct slot *slot = &x->slots[below(SLOTS)];

		now += below(20);
		switch (below(12)) {
		case 0:
		case 1:
		case 2:
			ask(x, i);
			break;
		case 3:
		case 4:
		case 5:
			if (x->of[i])
				give_back(x, i);
			break;
		case 6:
		case 7:
			if (slot->state == SLOT_DIALING)
				pool_dialed(&x->shard, slot, now);
			break;
		case 8:
			if (slot->state == SLOT_DIALING && below(4) == 0)
				pool_dial_failed(&x->shard, slot, now);
			break;
		case 9:
			pool_forget(&x->shard, &x->w[i]);
			break;
		case 10: /* the connection dies, wherever it is */
			if (slot->state == SLOT_GONE || below(4))
				break;
			for (size_t k = 0; k < WAITERS; k++)
				if (x->of[k] == slot) {
					x->of[k] = NULL;
					pool_requeue(&x->shard, &x->w[k], now);
				}
			pool_remove(&x->shard, slot);
			break;
		case 11:
			slot->doomed = slot->state != SLOT_GONE && below(3) == 0;
			x->shard.paused = below(20) == 0;
			break;
		}
		tend(x);
		tend_the_called();
		check_sums();
	}
	/* when all is given back and nothing fails, everybody is served in the end */
	for (int i = 0; i < SHARDS; i++)
		side[i].shard.paused = false;
	for (int round = 0; round < 300; round++) {
		now += 5 * USEC_MSEC;
		for (int i = 0; i < SHARDS; i++) {
			for (size_t k = 0; k < SLOTS; k++)
				if (side[i].slots[k].state == SLOT_DIALING)
					pool_dialed(&side[i].shard, &side[i].slots[k], now);
			for (size_t k = 0; k < WAITERS; k++)
				if (side[i].of[k])
					give_back(&side[i], k);
			/* as hub_ask_spare() does when a claim has waited */
			for (int o = 0; o < SHARDS; o++) {
				struct slot *spare = pool_spare(&side[o].shard, now);

				if (spare && side[i].shard.claimed == &cap)
					pool_remove(&side[o].shard, spare);
			}
			tend(&side[i]);
			tend_the_called();
		}
		check_sums();
	}
	for (int i = 0; i < SHARDS; i++)
		ck_assert_msg(side[i].shard.n_waiting == 0, "%d of shard %d still wait",
			side[i].shard.n_waiting, i);
}
END_TEST

/* All shards are always hungry: each must get its share, and then they must rest. */
START_TEST(a_full_cap_is_shared_and_rests)
{
	int before;

	start(9);
	for (size_t k = 0; k < WAITERS; k++)
		ask(&side[0], k);
	tend(&side[0]); /* one takes all */
	ck_assert_int_eq(pool_open(&side[0].shard), 9);
	for (int round = 0; round < 400; round++) {
		if (round == 200)
			before = closed_for_others;
		now += 5 * USEC_MSEC;
		for (int i = 0; i < SHARDS; i++) {
			for (size_t k = 0; k < SLOTS; k++)
				if (side[i].slots[k].state == SLOT_DIALING)
					pool_dialed(&side[i].shard, &side[i].slots[k], now);
			for (size_t k = 0; k < WAITERS; k++)
				ask(&side[i], k);
			for (size_t k = 0; k < WAITERS; k++)
				if (side[i].of[k] && below(2)) {
					give_back(&side[i], k);
					tend(&side[i]);
					tend_the_called();
				}
			tend(&side[i]);
			tend_the_called();
		}
		check_sums();
	}
	for (int i = 0; i < SHARDS; i++)
		ck_assert_int_eq(pool_open(&side[i].shard), 3);
	ck_assert_int_eq(closed_for_others, before); /* no connection moved any more */
	ck_assert_int_ge(before, 6);
}
END_TEST

/* --- threads ----------------------------------------------------------------------------- */

static atomic_int over;

static void *take_and_give(void *arg)
{
	struct cap_claim *claim = arg;

	for (int i = 0; i < 20000; i++) {
		if (cap_take(&cap, 0)) {
			if (atomic_load(&cap.used) > 3)
				atomic_fetch_add(&over, 1);
			cap_give(&cap);
		} else {
			cap_claim_add(&cap, claim, i % 5);
			cap_claim_drop(&cap, claim);
		}
	}
	return NULL;
}

static void ignore(struct cap_claim *claim)
{
	(void)claim;
}

START_TEST(threads_never_exceed_it)
{
	pthread_t t[4];

	cap_set_max(&cap, 3);
	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		claims[i].wake = ignore;
		ck_assert_int_eq(pthread_create(&t[i], NULL, take_and_give, &claims[i]), 0);
	}
	for (size_t i = 0; i < ARRAY_LEN(t); i++)
		pthread_join(t[i], NULL);
	ck_assert_int_eq(atomic_load(&over), 0);
	ck_assert_int_eq(atomic_load(&cap.used), 0);
	ck_assert_int_eq(atomic_load(&cap.hungry), 0);
	ck_assert(list_empty(&cap.claims));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("pool_cap");
	TCase *t = tcase_create("cap");
	SRunner *r;
	int failed;

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, setup, NULL);
	tcase_add_test(t, places_are_counted);
	tcase_add_test(t, who_has_least_is_woken_first);
	tcase_add_loop_test(t, random_events_keep_the_sums, 0, 10);
	tcase_add_test(t, a_full_cap_is_shared_and_rests);
	tcase_add_test(t, threads_never_exceed_it);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
