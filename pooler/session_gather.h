/* SPDX-License-Identifier: ISC
 *
 * gather: what goes out after one read, in one send.  Neighbouring stretches of the input
 * are not copied; the first gap or inserted message makes it a copy.
 */
#ifndef POOLER_SESSION_GATHER_H
#define POOLER_SESSION_GATHER_H

#include "base.h"

struct gather {
	const char *p; /* the stretch that is open; NULL: none */
	size_t n;
	struct buf *copy; /* empty unless there was a gap */
};

/* Bytes of the input, which stay valid until gather_end(). */
static inline void gather_add(struct gather *g, const char *p, size_t n)
{
	if (g->p && g->p + g->n == p) {
		g->n += n;
		return;
	}
	if (g->p)
		buf_put(g->copy, g->p, g->n);
	g->p = p;
	g->n = n;
}

/* Where to put a message of our own. */
static inline struct buf *gather_insert(struct gather *g)
{
	if (g->p)
		buf_put(g->copy, g->p, g->n);
	g->p = NULL;
	g->n = 0;
	return g->copy;
}

/* All of it, as one stretch; 0 bytes when there is nothing. */
static inline size_t gather_end(struct gather *g, const char **p)
{
	if (g->copy->len == 0) {
		*p = g->p;
		return g->p ? g->n : 0;
	}
	gather_insert(g);
	*p = g->copy->data;
	return g->copy->len;
}

#endif
