/* SPDX-License-Identifier: ISC
 *
 * struct cap: a limit on open server connections that shards of several threads share (a
 * pool's max_open over its shards, max_db_connections, max_user_connections).  Taking and
 * giving a place is one atomic operation; the lock is only for those who had to wait.
 */
#include "pool.h"

void cap_init(struct cap *c, int max)
{
	atomic_init(&c->used, 0);
	atomic_init(&c->max, max);
	atomic_init(&c->hungry, 0);
	atomic_init(&c->neediest, 0);
	c->reserves = false;
	pthread_mutex_init(&c->lock, NULL);
	list_init(&c->claims);
}

bool cap_take(struct cap *c, int extra)
{
	int used = atomic_load(&c->used);

	do {
		int max = atomic_load(&c->max);
		if (max > 0 && used >= max + extra)
			return false;
	} while (!atomic_compare_exchange_weak(&c->used, &used, used + 1));
	return true;
}

/* The claim with the least, the oldest among equals.  The lock is held. */
static struct cap_claim *neediest(struct cap *c)
{
	struct cap_claim *best = NULL;
	struct list *l;

	list_each (l, &c->claims) {
		struct cap_claim *claim = list_entry(l, struct cap_claim, link);

		if (!best || claim->open < best->open)
			best = claim;
	}
	return best;
}

/* Takes a claim off the list.  The lock is held. */
static void unlink_claim(struct cap *c, struct cap_claim *claim)
{
	struct cap_claim *next;

	list_del(&claim->link);
	claim->queued = false;
	atomic_fetch_sub(&c->hungry, 1);
	next = neediest(c);
	atomic_store(&c->neediest, next ? next->open : 0);
}

static struct cap_claim *pop_claim(struct cap *c)
{
	struct cap_claim *claim;

	pthread_mutex_lock(&c->lock);
	claim = neediest(c);
	if (claim)
		unlink_claim(c, claim);
	pthread_mutex_unlock(&c->lock);
	return claim;
}

void cap_give(struct cap *c)
{
	struct cap_claim *claim;

	atomic_fetch_sub(&c->used, 1);
	if (atomic_load(&c->hungry) > 0 && (claim = pop_claim(c)))
		claim->wake(claim);
}

void cap_claim_add(struct cap *c, struct cap_claim *claim, int open)
{
	pthread_mutex_lock(&c->lock);
	if (!claim->queued) {
		claim->open = open;
		claim->queued = true;
		list_push_back(&c->claims, &claim->link);
		atomic_fetch_add(&c->hungry, 1);
		atomic_store(&c->neediest, neediest(c)->open);
	}
	pthread_mutex_unlock(&c->lock);
}

void cap_claim_drop(struct cap *c, struct cap_claim *claim)
{
	pthread_mutex_lock(&c->lock);
	if (claim->queued)
		unlink_claim(c, claim);
	pthread_mutex_unlock(&c->lock);
}

void cap_set_max(struct cap *c, int max)
{
	struct cap_claim *claim;

	atomic_store(&c->max, max);
	while ((claim = pop_claim(c)))
		claim->wake(claim);
}
