/* SPDX-License-Identifier: ISC
 *
 * Buffers that connections borrow while they have something unfinished.  Three size
 * classes with free lists of a relay, so that a busy pool allocates nothing and a quiet one
 * keeps little; what is bigger comes from malloc and goes back to it.
 */
#include "session.h"

#include <malloc.h>

static const uint32_t class_size[CHUNK_CLASSES] = {CHUNK_SMALL, 4096, 65536 + 1024};
/* What a free list keeps: 128 KB, 512 KB and 1 MB. */
static const unsigned class_keep[CHUNK_CLASSES] = {CHUNK_SMALL_KEEP, 128, 16};

/* The class that a buffer for so many bytes comes from; -1: none, it is too large. */
static int class_of(size_t bytes)
{
	for (int i = 0; i < CHUNK_CLASSES; i++)
		if (LIKELY(bytes + sizeof(struct chunk) <= class_size[i]))
			return i;
	return -1;
}

void chunk_tell(struct chunk_store *st)
{
	__atomic_fetch_add(st->process, (uint64_t)st->untold, __ATOMIC_RELAXED);
	st->untold = 0;
}

static struct chunk *chunk_get(struct chunk_store *st, size_t bytes)
{
	int class = class_of(bytes);
	struct chunk *c;
	size_t size;

	if (class < 0) {
		size = bytes + bytes / 2 + sizeof *c;
		c = mem_alloc(size);
	} else {
		size = class_size[class];
		c = st->free[class];
		if (c) {
			memcpy(&st->free[class], c, sizeof(void *));
			st->count[class]--;
		} else {
			c = mem_alloc(size);
		}
	}
	c->size = (uint32_t)(size - sizeof *c);
	c->off = c->len = 0;
	chunk_account(st, (int64_t)size);
	return c;
}

void chunk_free(struct chunk_store *st, struct chunk **cp)
{
	struct chunk *c = *cp;
	size_t size;
	int class;

	if (!c)
		return;
	*cp = NULL;
	size = c->size + sizeof *c;
	class = class_of(c->size);
	chunk_account(st, -(int64_t)size);
	if (class < 0 || class_size[class] != size || st->count[class] >= class_keep[class]) {
		free(c);
		st->surplus += size;
		if (UNLIKELY(st->surplus >= CHUNK_SURPLUS && st->on_surplus))
			st->on_surplus(st);
		return;
	}
	memcpy(c, &st->free[class], sizeof(void *));
	st->free[class] = c;
	st->count[class]++;
}

void chunk_reserve(struct chunk_store *st, struct chunk **cp, size_t room)
{
	struct chunk *c = *cp, *bigger;
	size_t left = chunk_left(c);

	if (!c) {
		*cp = chunk_get(st, room);
		return;
	}
	if (c->size - c->len >= room)
		return;
	if (c->size - left >= room && c->off >= left) {
		memmove(c->data, c->data + c->off, left);
		c->off = 0;
		c->len = (uint32_t)left;
		return;
	}
	bigger = chunk_get(st, left + room);
	memcpy(bigger->data, c->data + c->off, left);
	bigger->len = (uint32_t)left;
	chunk_free(st, cp);
	*cp = bigger;
}

void chunk_append(struct chunk_store *st, struct chunk **c, const void *p, size_t n)
{
	if (LIKELY(!*c))
		*c = chunk_get(st, n);
	else
		chunk_reserve(st, c, n);
	memcpy((*c)->data + (*c)->len, p, n);
	(*c)->len += (uint32_t)n;
}

void chunk_trim(struct chunk_store *st)
{
	for (int i = 0; i < CHUNK_CLASSES; i++) {
		while (st->free[i]) {
			void *c = st->free[i];

			memcpy(&st->free[i], c, sizeof(void *));
			free(c);
		}
		st->count[i] = 0;
	}
	malloc_trim(0);
	st->surplus = 0;
}
