/* SPDX-License-Identifier: ISC
 *
 * pool: who gets which server connection, and when one is opened or closed.
 *
 * Pure policy: it is told `now`, it answers; it opens no socket, frees nothing and reads
 * no clock.  What it decides about is embedded in the caller's structures:
 *
 *   struct slot    one server connection, as the policy sees it
 *   struct waiter  one client that wants a server connection
 *   struct shard   the slots and waiters of one pool on one worker
 *   struct cap     a limit on open connections that several shards share
 *
 *                    pool_dial_begin            pool_dialed
 *        (nothing) -------------------> DIALING ------------> IDLE <---------+
 *                                          |                   |  pool_lease |
 *                       pool_remove        |                   v             | pool_give_back
 *        GONE <------------------------- any state            BUSY ----------+
 *
 * A slot's state is the list it is on; only the functions below move it.  Waiters are
 * served first come, first served.  Idle slots are reused last in, first out, so that the
 * surplus grows old and is closed (round_robin turns that around).
 *
 * A shard belongs to one thread.  Only struct cap is shared between threads.
 */
#ifndef POOLER_POOL_H
#define POOLER_POOL_H

#include "base.h"

#include <pthread.h>
#include <stdatomic.h>

/* --- cap: a limit shared by shards; pool_cap.c ------------------------------ */

/* Somebody who was refused a place and wants to know when there is one. */
struct cap_claim {
	struct list link; /* on cap->claims while `queued` */
	bool queued;
	int open; /* what the claimant has already: whoever has least is served first */
	/* Called without locks held, from the thread that freed a place. */
	void (*wake)(struct cap_claim *claim);
};

struct cap {
	atomic_int used;
	atomic_int max;	     /* 0: no limit */
	bool reserves;	     /* reserve_pool_size goes beyond it, too */
	atomic_int hungry;   /* claims that wait */
	atomic_int neediest; /* the least `open` among them */
	pthread_mutex_t lock;
	struct list claims;
};

void cap_init(struct cap *c, int max);
bool cap_take(struct cap *c, int extra) MUSTCHECK; /* one place, of max + extra */
void cap_give(struct cap *c);			   /* gives it back and wakes the neediest claim */
void cap_claim_add(struct cap *c, struct cap_claim *claim, int open);
void cap_claim_drop(struct cap *c, struct cap_claim *claim);
struct shard;
/* Does another shard than this one claim a place? */
bool cap_is_hungry(const struct cap *c, const struct shard *s);
/* After max was raised: wakes every claim. */
void cap_set_max(struct cap *c, int max);

/* --- shard ------------------------------------------------------------------ */

struct pool_limits {
	int max_open;	  /* server connections of the pool; 0: no limit */
	int max_idle;	  /* idle ones kept by this shard; -1: no limit */
	int min_open;	  /* kept open by this shard */
	int min_together; /* and by all shards of its pool; 0: it is the only one */
	int reserve;	  /* more than max_open, for clients that waited reserve_timeout */
	int queue_limit;  /* clients that may wait; 0: no limit */
	int max_dialing;  /* at once, by this shard; 0: no limit */
	usec_t reserve_timeout;
	usec_t max_idle_time; /* 0: for ever */
	usec_t max_lifetime;  /* 0: for ever */
	usec_t retry;	      /* wait after a failed login before the next try */
	bool round_robin;
};

enum slot_state { SLOT_GONE, SLOT_DIALING, SLOT_IDLE, SLOT_BUSY };

struct slot {
	struct list link; /* on the shard's list for its state */
	enum slot_state state;
	bool doomed;   /* close it instead of giving it to another client */
	bool own;      /* opened for one client (pool_own_dial), and closed with him */
	usec_t since;  /* when it came into this state */
	usec_t born;   /* when it was connected */
	usec_t die_at; /* end of its lifetime, jitter included; USEC_NEVER: none */
};

struct waiter {
	struct list link; /* on shard->waiting or own_waiting while it waits */
	usec_t since;	  /* when it began to wait; the caller's while it does not */
};

/* All zeros, it waits for nothing. */
static inline bool waiter_is_queued(const struct waiter *w)
{
	return w->link.next && w->link.next != &w->link;
}

#define SHARD_CAPS 4

struct shard {
	struct pool_limits lim;
	struct list dialing, idle, busy; /* of struct slot */
	struct list waiting;		 /* of struct waiter */
	struct list own_waiting;	 /* of struct waiter: for a connection of their own */
	int n_dialing, n_idle, n_busy, n_waiting;
	int n_coming;		  /* asked of another shard of the pool */
	int n_own, n_own_dialing; /* of the open ones, of the dialing: those with slot.own */
	int n_greeters;		  /* clients whose login is not finished */
	bool greets;		  /* and who need not wait for a first connection: it was there */
	bool paused;		  /* leases nothing and dials nothing */
	bool limits_are_new;	  /* more may be open than they allow */
	usec_t dial_after;	  /* not before: the last login failed */
	usec_t yield_until;	  /* not before: a place was given up for another shard */
	struct cap *caps[SHARD_CAPS]; /* every open slot holds a place in each; [0] is the pool's */
	int n_caps;
	struct cap *claimed; /* the cap on which this shard has a claim, or NULL */
	struct cap *starved; /* the cap that refused the last wish to dial, or NULL */
	uint64_t jitter;     /* state of the generator that spreads lifetimes */

	/* the shards of one pool (pool_share.c) */
	struct shard *next;			/* of them, in a ring */
	usec_t _Atomic waits_since, idle_since; /* what they see; 0: nobody waits, none is idle */
};

void shard_init(struct shard *s, const struct pool_limits *lim, uint64_t seed);

enum pool_answer { POOL_LEASED, POOL_QUEUED, POOL_REFUSED };

/* A client wants a server connection.  LEASED: *slot is now BUSY and his.  QUEUED: he
 * waits; the caller asks pool_dial_needed().  REFUSED: queue_limit is reached. */
enum pool_answer pool_ask(struct shard *s, struct waiter *w, usec_t now,
	struct slot **slot) MUSTCHECK;

/* Does pool_ask() mean to wait, now? */
static inline bool pool_would_queue(const struct shard *s)
{
	return (s->n_waiting || !s->n_idle || s->paused) &&
	       (s->lim.queue_limit <= 0 || s->n_waiting < s->lim.queue_limit);
}

static inline void pool_queue(struct shard *s, struct waiter *w, usec_t now)
{
	w->since = now;
	list_push_back(&s->waiting, &w->link);
	s->n_waiting++;
}

/* His connection vanished before it was used: he waits again, before all others. */
void pool_requeue(struct shard *s, struct waiter *w, usec_t now);

/* A client needs a connection that is opened for him alone and that nobody has after him
 * (replication).  It takes a place like any other: he waits for one in a queue of its own,
 * and idle connections and those that are given back make room for him. */
void pool_own_wait(struct shard *s, struct waiter *w, usec_t now);
/* True: *w, who waited longest, may be dialled for; the places are taken and the caller must
 * call pool_own_begin().  False with *spare set: close that one and ask again. */
bool pool_own_dial(struct shard *s, struct waiter **w, struct slot **spare) MUSTCHECK;
void pool_own_begin(struct shard *s, struct slot *slot, usec_t now);

/* He no longer waits (gone, cancelled, timed out).  Harmless when he does not. */
void pool_forget(struct shard *s, struct waiter *w);
/* The same for one that waits for a connection of its own. */
void pool_own_forget(struct waiter *w);

/* Should one more connection be opened now?  True: the places in all caps are taken and
 * the caller must call pool_dial_begin().  False with s->starved set: a cap is full. */
bool pool_dial_needed(struct shard *s, usec_t now) MUSTCHECK;
void pool_dial_begin(struct shard *s, struct slot *slot, usec_t now);
/* It is IDLE now; one's own is BUSY. */
void pool_dialed(struct shard *s, struct slot *slot, usec_t now);
/* The login failed; no other is tried before lim.retry is over. */
void pool_dial_failed(struct shard *s, struct slot *slot, usec_t now);

enum pool_fate {
	POOL_KEEP,	   /* it is idle now */
	POOL_HAND_ON,	   /* it stays busy, with *next */
	POOL_CLOSE_DOOMED, /* recycled: reload, RECONNECT, leaked state */
	POOL_CLOSE_LIFETIME,
	POOL_CLOSE_IDLE_MAX,
	POOL_CLOSE_FOR_OTHERS, /* another shard under the same cap needs the place more */
	POOL_CLOSE_SURPLUS,    /* a limit is lower than it was */
};

/* A slot came free.  On POOL_CLOSE_* it is still BUSY: the caller closes the connection
 * and calls pool_remove(). */
enum pool_fate pool_give_back(struct shard *s, struct slot *slot, usec_t now,
	struct waiter **next) MUSTCHECK;

/* The same when it was to be closed for others who turned out not to need it: POOL_KEEP,
 * POOL_HAND_ON or POOL_CLOSE_IDLE_MAX. */
enum pool_fate pool_keep(struct shard *s, struct slot *slot, usec_t now,
	struct waiter **next) MUSTCHECK;

/* Does any shard that shares a cap with this one claim a place? */
static inline bool pool_has_claims(const struct shard *s)
{
	for (int i = 0; i < s->n_caps; i++)
		if (UNLIKELY(atomic_load_explicit(&s->caps[i]->hungry, memory_order_relaxed) != 0))
			return true;
	return false;
}

/* What pool_give_back() mostly comes to: the slot stays busy with the oldest waiter, whom this
 * takes off the queue.  NULL: nothing was done, ask pool_give_back(). */
static inline struct waiter *pool_hand_on(struct shard *s, const struct slot *slot, usec_t now)
{
	struct waiter *w;

	if (s->n_waiting == 0 ||
		UNLIKELY(s->paused || s->limits_are_new || slot->doomed || now >= slot->die_at ||
			 !list_empty(&s->own_waiting) || pool_has_claims(s)))
		return NULL;
	w = list_first(&s->waiting, struct waiter, link);
	list_del(&w->link);
	s->n_waiting--;
	return w;
}

/* POOL_HAND_ON was too much just now: the slot is idle, and *w waits before all others, as if he
 * had not been asked.  pool_pair() brings them together. */
void pool_put_off(struct shard *s, struct slot *slot, struct waiter *w, usec_t now);

/* After dialling, resuming or raised limits: pairs the oldest waiter with an idle slot. */
bool pool_pair(struct shard *s, usec_t now, struct slot **slot, struct waiter **next) MUSTCHECK;

/* The connection is closed: takes the slot off its list and gives back its places. */
void pool_remove(struct shard *s, struct slot *slot);

/* An idle slot whose time is over (max_idle_time beyond min_open, lifetime, doomed), or
 * NULL.  The caller closes it, calls pool_remove() and asks again. */
struct slot *pool_expired(struct shard *s, usec_t now, enum pool_fate *why);
/* When, after `now`, pool_expired() and pool_dial_needed() should next be asked; USEC_NEVER:
 * by events only. */
usec_t pool_next_check(const struct shard *s, usec_t now);

/* A place moves to another shard only when somebody has waited there for so long, and from a
 * connection that was idle for so long here: a login costs milliseconds, so that places that
 * follow every ripple of the load cost more than they bring. */
#define POOL_CLAIM_AFTER (20 * USEC_MSEC)
#define POOL_SPARE_AFTER (5 * USEC_MSEC)

/* When may the shard that was refused a place claim one?  USEC_NEVER: nobody waits. */
usec_t pool_claim_at(const struct shard *s);
/* The longest idle slot, for whoever needs its place elsewhere, also below min_open; NULL
 * when none can be spared. */
struct slot *pool_spare(struct shard *s, usec_t now);

/* --- shards of one pool: pool_share.c ------------------------------------------------------- */

/* An idle connection goes to the shard where a client waits when it has rested for so long: where
 * all shards are busy each has nobody waiting for an instant now and then, and to give away what
 * is idle in that instant moved a connection with every seventh transaction, for nothing. */
#define POOL_REST (USEC_MSEC / 2)

/* Makes `s` one of the pool that `ring` belongs to, before any thread looks at either. */
void shard_join(struct shard *s, struct shard *ring);
/* Shows the others who waits and what rests here.  True: somebody, or something, that was not to be
 * seen before; then pool_rested() or pool_needy() says what there is to do. */
bool pool_show(struct shard *s);
void pool_hide(struct shard *s); /* nothing more */
/* A client waits here: the shard to ask for what rests there.  NULL: none, before *again. */
struct shard *pool_rested(const struct shard *s, usec_t now, usec_t *again);
/* A connection rests here: the shard to give it to.  NULL: none, before *again. */
struct shard *pool_needy(const struct shard *s, usec_t now, usec_t *again);
/* The shard whose client waits since `than` or longer, rested or not. */
struct shard *pool_needy_for(const struct shard *s, usec_t than);
/* It was given a connection: the next one is not for the same client. */
void pool_served(struct shard *s);
/* The slot to give away (the longest idle; NULL: none has rested), then its way, with its places,
 * from one shard to the other.  Busy in between for nobody; the new shard has it idle. */
struct slot *pool_surplus(struct shard *s, usec_t now);
void pool_leave(struct shard *s, struct slot *slot);
void pool_arrive(struct shard *s, struct slot *slot, usec_t now);

static inline int pool_open(const struct shard *s)
{
	return s->n_dialing + s->n_idle + s->n_busy;
}

/* The same without those that belong to one client. */
static inline int pool_shared(const struct shard *s)
{
	return pool_open(s) - s->n_own;
}

/* No connection is open or coming, and until the retry none is tried: waiting is pointless. */
static inline bool pool_is_down(const struct shard *s, usec_t now)
{
	return now < s->dial_after && pool_shared(s) == 0 && s->n_coming == 0 && !s->paused;
}

#endif
