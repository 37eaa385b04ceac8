/* SPDX-License-Identifier: ISC
 *
 * Shards of one pool share what they have: which idle connection goes to which shard, and when
 * that is looked at again.
 *
 * Each shard shows the others two moments: since when its oldest client waits (waits_since), and
 * since when its longest idle connection rests (idle_since).  Whoever shows something new looks
 * what the others show, so that of two threads that do it at once one sees the other.  What is old
 * in them costs a question in vain, or a connection too many here and too few there, which the next
 * wait puts right.
 */
#include "pool.h"

void shard_join(struct shard *s, struct shard *ring)
{
	s->next = ring->next;
	ring->next = s;
}

/* True: there was nothing to see before. */
static bool show(usec_t _Atomic *hint, usec_t value)
{
	usec_t old = atomic_load_explicit(hint, memory_order_relaxed);

	if (old == value)
		return false;
	if (old == 0) /* in one order with what is looked at next */
		atomic_store(hint, value);
	else
		atomic_store_explicit(hint, value, memory_order_relaxed);
	return old == 0;
}

bool pool_show(struct shard *s)
{
	usec_t waits = 0, idle = 0;
	bool new;

	if (s->n_waiting)
		waits = list_first(&s->waiting, struct waiter, link)->since;
	else if (s->n_idle && !s->paused)
		idle = list_last(&s->idle, struct slot, link)->since;
	new = show(&s->waits_since, waits);
	return show(&s->idle_since, idle) || new;
}

void pool_hide(struct shard *s)
{
	atomic_store(&s->waits_since, 0);
	atomic_store(&s->idle_since, 0);
}

/* The other shard whose hint (at this offset) is the oldest; NULL: none shows anything. */
static struct shard *oldest(const struct shard *s, size_t hint, usec_t *since)
{
	struct shard *found = NULL;

	*since = USEC_NEVER;
	for (struct shard *other = s->next; other != s; other = other->next) {
		usec_t at = atomic_load((usec_t _Atomic *)((char *)other + hint));

		if (at == 0 || at >= *since)
			continue;
		*since = at;
		found = other;
	}
	return found;
}

struct shard *pool_rested(const struct shard *s, usec_t now, usec_t *again)
{
	usec_t since;
	struct shard *other;

	*again = USEC_NEVER;
	if (s->n_waiting == 0 || s->paused)
		return NULL;
	other = oldest(s, offsetof(struct shard, idle_since), &since);
	if (!other)
		return NULL; /* who has one that comes to rest sees who waits */
	if (since + POOL_REST <= now)
		return other;
	*again = since + POOL_REST;
	return NULL;
}

struct shard *pool_needy(const struct shard *s, usec_t now, usec_t *again)
{
	usec_t since;
	struct shard *other;

	*again = USEC_NEVER;
	if (s->n_waiting || s->n_idle == 0 || s->paused)
		return NULL;
	other = oldest(s, offsetof(struct shard, waits_since), &since);
	if (!other)
		return NULL;
	since = list_last(&s->idle, struct slot, link)->since;
	if (since + POOL_REST <= now)
		return other;
	*again = since + POOL_REST;
	return NULL;
}

struct shard *pool_needy_for(const struct shard *s, usec_t than)
{
	usec_t since;
	struct shard *other = oldest(s, offsetof(struct shard, waits_since), &since);

	return other && since <= than ? other : NULL;
}

void pool_served(struct shard *s)
{
	atomic_store_explicit(&s->waits_since, 0, memory_order_relaxed);
}

struct slot *pool_surplus(struct shard *s, usec_t now)
{
	struct slot *last;

	if (s->paused || s->n_idle == 0 || s->n_waiting)
		return NULL;
	last = list_last(&s->idle, struct slot, link);
	return last->doomed || now >= last->die_at || last->since + POOL_REST > now ? NULL : last;
}
