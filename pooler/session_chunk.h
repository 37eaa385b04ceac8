/* SPDX-License-Identifier: ISC
 *
 * chunk: the buffers that connections borrow: bytes received and not yet processed, or not yet
 * sent.  An idle connection has none.
 */
#ifndef POOLER_SESSION_CHUNK_H
#define POOLER_SESSION_CHUNK_H

#include "base.h"

/* A borrowed buffer: bytes received and not yet processed, or not yet sent.  Size classes
 * of 512 B, 4 KB and 64 KB come from the relay's free lists; beyond that from malloc. */
struct chunk {
	uint32_t size; /* of data */
	uint32_t off;  /* bytes already taken from the front */
	uint32_t len;  /* bytes valid, counted from data */
	char data[];
};

#define CHUNK_CLASSES 3
struct chunk_store {
	void *free[CHUNK_CLASSES]; /* singly linked */
	unsigned count[CHUNK_CLASSES];
	uint64_t lent;	   /* bytes that connections hold */
	uint64_t *process; /* the same for the process, shared by all relays */
	int64_t untold;	   /* of it, what *process does not hold yet */
	/* Bytes given back to malloc, which keeps them, since chunk_trim(); at CHUNK_SURPLUS
	 * of them on_surplus is called (NULL: nobody cares). */
	uint64_t surplus;
	void (*on_surplus)(struct chunk_store *st);
};

/* Appends to *c (NULL: none yet), growing it class by class. */
void chunk_append(struct chunk_store *st, struct chunk **c, const void *p, size_t n);
/* At least `room` writable bytes behind len. */
void chunk_reserve(struct chunk_store *st, struct chunk **c, size_t room);
void chunk_free(struct chunk_store *st, struct chunk **c);
/* Gives what the free lists hold, and what malloc keeps of earlier times, back to the
 * kernel.  May take milliseconds: for when a crowd has left. */
void chunk_trim(struct chunk_store *st);
#define CHUNK_SURPLUS (1U << 20)
/* The process' sum is told of larger steps only: it is one number for all threads. */
#define CHUNK_TELL (64 * 1024)
void chunk_tell(struct chunk_store *st);
/* chunk_append() to none and chunk_free(), for what a client mostly waits with: a request that
 * finds a chunk of the smallest class in the free list. */
#define CHUNK_SMALL	 512U /* its size, with the head */
#define CHUNK_SMALL_KEEP 256U /* the most that the free list keeps */
static inline void chunk_account(struct chunk_store *st, int64_t bytes)
{
	st->lent += (uint64_t)bytes;
	st->untold += bytes;
	if (UNLIKELY(st->untold >= CHUNK_TELL || st->untold <= -CHUNK_TELL))
		chunk_tell(st);
}

static inline struct chunk *chunk_keep_small(struct chunk_store *st, const void *p, size_t n)
{
	struct chunk *c = st->free[0];

	if (UNLIKELY(!c || n > CHUNK_SMALL - sizeof *c)) {
		c = NULL;
		chunk_append(st, &c, p, n);
		return c;
	}
	memcpy(&st->free[0], c, sizeof(void *));
	st->count[0]--;
	chunk_account(st, CHUNK_SMALL);
	c->size = (uint32_t)(CHUNK_SMALL - sizeof *c);
	c->off = 0;
	c->len = (uint32_t)n;
	memcpy(c->data, p, n);
	return c;
}

static inline void chunk_give_small(struct chunk_store *st, struct chunk *c)
{
	if (UNLIKELY(c->size != CHUNK_SMALL - sizeof *c || st->count[0] >= CHUNK_SMALL_KEEP)) {
		chunk_free(st, &c);
		return;
	}
	chunk_account(st, -(int64_t)CHUNK_SMALL);
	memcpy(c, &st->free[0], sizeof(void *));
	st->free[0] = c;
	st->count[0]++;
}

static inline size_t chunk_left(const struct chunk *c)
{
	return c ? c->len - c->off : 0;
}

#endif
