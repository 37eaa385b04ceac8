/* SPDX-License-Identifier: ISC
 *
 * The policy of one shard: see pool.h for the states and for what each answer asks of the
 * caller.  Every function is O(1).
 */
#include "pool.h"

/* A place that was given up for another shard is left alone for so long: its thread must
 * hear of it first, or the one that gave it would take it again. */
#define YIELD_TIME (20 * USEC_MSEC)

void shard_init(struct shard *s, const struct pool_limits *lim, uint64_t seed)
{
	memset(s, 0, sizeof *s);
	s->lim = *lim;
	list_init(&s->dialing);
	list_init(&s->idle);
	list_init(&s->busy);
	list_init(&s->waiting);
	list_init(&s->own_waiting);
	s->next = s;
	s->jitter = seed | 1;
}

/* Moves a slot to the list of its new state. */
static void slot_move(struct shard *s, struct slot *slot, enum slot_state to, usec_t now)
{
	switch (slot->state) {
	case SLOT_GONE:
		break;
	case SLOT_DIALING:
		s->n_dialing--;
		s->n_own_dialing -= slot->own;
		break;
	case SLOT_IDLE:
		s->n_idle--;
		break;
	case SLOT_BUSY:
		s->n_busy--;
		break;
	}
	if (slot->state != SLOT_GONE)
		list_del(&slot->link);
	slot->state = to;
	slot->since = now;
	switch (to) {
	case SLOT_GONE:
		break;
	case SLOT_DIALING:
		s->n_dialing++;
		s->n_own_dialing += slot->own;
		list_push_back(&s->dialing, &slot->link);
		break;
	case SLOT_IDLE:
		/* The front is the most recently used; the back has been idle longest. */
		s->n_idle++;
		list_push_front(&s->idle, &slot->link);
		break;
	case SLOT_BUSY:
		s->n_busy++;
		list_push_back(&s->busy, &slot->link);
		break;
	}
}

static struct slot *take_idle(struct shard *s, usec_t now)
{
	struct slot *slot;

	if (s->paused || s->n_idle == 0)
		return NULL;
	slot = s->lim.round_robin ? list_last(&s->idle, struct slot, link)
				  : list_first(&s->idle, struct slot, link);
	slot_move(s, slot, SLOT_BUSY, now);
	return slot;
}

static struct waiter *take_waiter(struct shard *s)
{
	struct waiter *w;

	if (s->paused || s->n_waiting == 0)
		return NULL;
	w = list_first(&s->waiting, struct waiter, link);
	pool_forget(s, w);
	return w;
}

enum pool_answer pool_ask(struct shard *s, struct waiter *w, usec_t now, struct slot **slot)
{
	/* Whoever waits already goes first. */
	if (s->n_waiting == 0 && (*slot = take_idle(s, now)))
		return POOL_LEASED;
	*slot = NULL;
	if (s->lim.queue_limit > 0 && s->n_waiting >= s->lim.queue_limit)
		return POOL_REFUSED;
	pool_queue(s, w, now);
	return POOL_QUEUED;
}

void pool_requeue(struct shard *s, struct waiter *w, usec_t now)
{
	w->since = now;
	list_push_front(&s->waiting, &w->link);
	s->n_waiting++;
}

void pool_own_wait(struct shard *s, struct waiter *w, usec_t now)
{
	w->since = now;
	list_push_back(&s->own_waiting, &w->link);
}

void pool_forget(struct shard *s, struct waiter *w)
{
	if (!waiter_is_queued(w))
		return;
	list_del(&w->link);
	s->n_waiting--;
}

void pool_own_forget(struct waiter *w)
{
	if (waiter_is_queued(w))
		list_del(&w->link);
}

static bool reserve_is_due(const struct shard *s, usec_t now)
{
	const struct waiter *oldest;

	if (s->lim.reserve <= 0 || s->n_waiting == 0)
		return false;
	oldest = list_first(&s->waiting, struct waiter, link);
	return now - oldest->since >= s->lim.reserve_timeout;
}

bool cap_is_hungry(const struct cap *c, const struct shard *s)
{
	int hungry = atomic_load_explicit(&c->hungry, memory_order_relaxed);

	return UNLIKELY(hungry != 0) && hungry > (c == s->claimed);
}

/* Does a shard that shares a cap with this one need a place more?  It does when nobody
 * waits here, or when it would still have less than this one afterwards. */
static bool others_are_hungry(const struct shard *s)
{
	for (int i = 0; i < s->n_caps; i++) {
		const struct cap *c = s->caps[i];

		if (LIKELY(!cap_is_hungry(c, s)))
			continue;
		if (s->n_waiting == 0 || atomic_load(&c->neediest) + 1 < pool_open(s))
			return true;
	}
	return false;
}

/* One place in every cap; the cap that refuses is s->starved. */
static bool take_places(struct shard *s, int extra)
{
	int i;

	for (i = 0; i < s->n_caps; i++)
		if (!cap_take(s->caps[i], i == 0 || s->caps[i]->reserves ? extra : 0))
			break;
	if (i == s->n_caps)
		return true;
	s->starved = s->caps[i];
	while (i-- > 0)
		cap_give(s->caps[i]);
	return false;
}

bool pool_own_dial(struct shard *s, struct waiter **w, struct slot **spare)
{
	*spare = NULL;
	if (list_empty(&s->own_waiting) || s->paused)
		return false;
	if (!take_places(s, 0)) {
		if (s->n_idle)
			*spare = list_last(&s->idle, struct slot, link);
		return false;
	}
	*w = list_first(&s->own_waiting, struct waiter, link);
	pool_own_forget(*w);
	return true;
}

/* Clients whose login waits for the first connection, which nobody is opening.  Those that are open
 * but doomed are no help: sessions may keep them for days. */
static bool greeters_wait(const struct shard *s)
{
	return s->n_greeters && !s->greets && s->n_dialing == s->n_own_dialing && !s->n_coming;
}

/* Are fewer open than are to be kept warm?  Where a shard gave one away its pool has it still. */
static bool too_few_are_warm(const struct shard *s)
{
	return pool_shared(s) < s->lim.min_open &&
	       (s->lim.min_together == 0 || atomic_load(&s->caps[0]->used) < s->lim.min_together);
}

bool pool_dial_needed(struct shard *s, usec_t now)
{
	int dialing = s->n_dialing - s->n_own_dialing;
	bool wanted = s->n_waiting > dialing + s->n_idle + s->n_coming || greeters_wait(s);

	s->starved = NULL;
	/* Those kept warm for later come after those that are needed now. */
	if (!wanted && too_few_are_warm(s))
		wanted = !others_are_hungry(s);
	if (!wanted || s->paused || now < s->dial_after || now < s->yield_until)
		return false;
	if (s->lim.max_dialing > 0 && s->n_dialing >= s->lim.max_dialing)
		return false;
	if (take_places(s, reserve_is_due(s, now) ? s->lim.reserve : 0))
		return true;
	if (s->n_waiting <= dialing && !greeters_wait(s))
		s->starved = NULL; /* nobody waits for it who would claim a place */
	return false;
}

static void dial_begin(struct shard *s, struct slot *slot, bool own, usec_t now)
{
	memset(slot, 0, sizeof *slot);
	slot->die_at = USEC_NEVER;
	slot->own = own;
	s->n_own += own;
	slot_move(s, slot, SLOT_DIALING, now);
}

void pool_dial_begin(struct shard *s, struct slot *slot, usec_t now)
{
	dial_begin(s, slot, false, now);
}

void pool_own_begin(struct shard *s, struct slot *slot, usec_t now)
{
	dial_begin(s, slot, true, now);
}

/* A lifetime between 90 and 100 percent of max_lifetime, so that connections opened
 * together are not closed together. */
static usec_t lifetime_with_jitter(struct shard *s)
{
	s->jitter ^= s->jitter << 13;
	s->jitter ^= s->jitter >> 7;
	s->jitter ^= s->jitter << 17;
	return s->lim.max_lifetime - s->lim.max_lifetime / 10 * (s->jitter % 1024) / 1024;
}

void pool_dialed(struct shard *s, struct slot *slot, usec_t now)
{
	slot->born = now;
	if (slot->own) {
		slot_move(s, slot, SLOT_BUSY, now);
		return;
	}
	slot->die_at = s->lim.max_lifetime ? now + lifetime_with_jitter(s) : USEC_NEVER;
	s->dial_after = 0;
	slot_move(s, slot, SLOT_IDLE, now);
}

void pool_dial_failed(struct shard *s, struct slot *slot, usec_t now)
{
	s->dial_after = now + s->lim.retry;
	pool_remove(s, slot);
}

/* After a change of limits: are more connections open than allowed? */
static bool is_over_limit(struct shard *s)
{
	for (int i = 0; i < s->n_caps; i++) {
		int max = atomic_load(&s->caps[i]->max);

		if (max > 0 && atomic_load(&s->caps[i]->used) > max + (i == 0 ? s->lim.reserve : 0))
			return true;
	}
	s->limits_are_new = false;
	return false;
}

enum pool_fate pool_keep(struct shard *s, struct slot *slot, usec_t now, struct waiter **next)
{
	*next = take_waiter(s);
	if (*next)
		return POOL_HAND_ON;
	if (s->lim.max_idle >= 0 && s->n_idle >= s->lim.max_idle)
		return POOL_CLOSE_IDLE_MAX;
	slot_move(s, slot, SLOT_IDLE, now);
	return POOL_KEEP;
}

enum pool_fate pool_give_back(struct shard *s, struct slot *slot, usec_t now, struct waiter **next)
{
	*next = NULL;
	if (slot->doomed)
		return POOL_CLOSE_DOOMED;
	if (now >= slot->die_at)
		return POOL_CLOSE_LIFETIME;
	if (UNLIKELY(!list_empty(&s->own_waiting)))
		return POOL_CLOSE_FOR_OTHERS;
	if (UNLIKELY(s->limits_are_new) && is_over_limit(s))
		return POOL_CLOSE_SURPLUS;
	if (UNLIKELY(pool_has_claims(s)) && others_are_hungry(s)) {
		s->yield_until = now + YIELD_TIME;
		return POOL_CLOSE_FOR_OTHERS;
	}
	return pool_keep(s, slot, now, next);
}

void pool_put_off(struct shard *s, struct slot *slot, struct waiter *w, usec_t now)
{
	list_push_front(&s->waiting, &w->link);
	s->n_waiting++;
	slot_move(s, slot, SLOT_IDLE, now);
}

bool pool_pair(struct shard *s, usec_t now, struct slot **slot, struct waiter **next)
{
	if (s->n_waiting == 0 || !(*slot = take_idle(s, now)))
		return false;
	*next = take_waiter(s);
	return true;
}

void pool_remove(struct shard *s, struct slot *slot)
{
	if (slot->state == SLOT_GONE)
		return;
	slot_move(s, slot, SLOT_GONE, slot->since);
	s->n_own -= slot->own;
	for (int i = s->n_caps - 1; i >= 0; i--)
		cap_give(s->caps[i]);
}

void pool_leave(struct shard *s, struct slot *slot)
{
	slot_move(s, slot, SLOT_GONE, slot->since);
}

void pool_arrive(struct shard *s, struct slot *slot, usec_t now)
{
	slot_move(s, slot, SLOT_IDLE, now);
}

struct slot *pool_expired(struct shard *s, usec_t now, enum pool_fate *why)
{
	struct slot *oldest;

	if (s->n_idle == 0)
		return NULL;
	oldest = list_last(&s->idle, struct slot, link);
	if (UNLIKELY(s->limits_are_new) && is_over_limit(s)) {
		*why = POOL_CLOSE_SURPLUS;
		return oldest;
	}
	if (oldest->doomed) {
		*why = POOL_CLOSE_DOOMED;
		return oldest;
	}
	if (now >= oldest->die_at) {
		*why = POOL_CLOSE_LIFETIME;
		return oldest;
	}
	if (s->lim.max_idle_time && now - oldest->since >= s->lim.max_idle_time &&
		pool_shared(s) > s->lim.min_open) {
		*why = POOL_CLOSE_IDLE_MAX;
		return oldest;
	}
	return NULL;
}

/* The earlier of two moments, of those that are still to come. */
static usec_t sooner(usec_t at, usec_t candidate, usec_t now)
{
	return candidate > now && candidate < at ? candidate : at;
}

usec_t pool_next_check(const struct shard *s, usec_t now)
{
	usec_t at = USEC_NEVER;

	if (s->n_idle) {
		const struct slot *oldest = list_last(&s->idle, struct slot, link);

		if (oldest->doomed)
			return now + 1;
		at = sooner(at, oldest->die_at, now);
		if (s->lim.max_idle_time && pool_shared(s) > s->lim.min_open)
			at = sooner(at, oldest->since + s->lim.max_idle_time, now);
	}
	if (s->n_waiting && s->lim.reserve > 0) {
		const struct waiter *w = list_first(&s->waiting, struct waiter, link);

		at = sooner(at, w->since + s->lim.reserve_timeout, now);
	}
	/* No other shard says when it closes what it was given. */
	if (s->lim.min_together && pool_shared(s) < s->lim.min_open)
		at = sooner(at, now + USEC_SEC, now);
	if (s->n_waiting || pool_shared(s) < s->lim.min_open || greeters_wait(s)) {
		at = sooner(at, s->dial_after, now);
		at = sooner(at, s->yield_until, now);
	}
	return at;
}

usec_t pool_claim_at(const struct shard *s)
{
	usec_t since = USEC_NEVER;

	if (greeters_wait(s))
		return 0;
	if (s->n_waiting)
		since = list_first(&s->waiting, struct waiter, link)->since;
	if (!list_empty(&s->own_waiting) &&
		list_first(&s->own_waiting, struct waiter, link)->since < since)
		since = list_first(&s->own_waiting, struct waiter, link)->since;
	return since == USEC_NEVER ? USEC_NEVER : since + POOL_CLAIM_AFTER;
}

struct slot *pool_spare(struct shard *s, usec_t now)
{
	struct slot *oldest;

	if (s->n_idle == 0 || s->n_waiting)
		return NULL;
	oldest = list_last(&s->idle, struct slot, link);
	if (now - oldest->since < POOL_SPARE_AFTER)
		return NULL;
	s->yield_until = now + YIELD_TIME;
	return oldest;
}
