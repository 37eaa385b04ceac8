/* SPDX-License-Identifier: ISC
 *
 * struct timers: a heap of deadlines, ordered by time.  Pure: it is told `now`.
 */
#include "base.h"

static void place(struct timers *h, uint32_t i, struct timer *t)
{
	h->heap[i] = t;
	t->pos = i + 1;
}

static void sift_up(struct timers *h, uint32_t i, struct timer *t)
{
	while (i > 0) {
		uint32_t parent = (i - 1) / 2;

		if (h->heap[parent]->at <= t->at)
			break;
		place(h, i, h->heap[parent]);
		i = parent;
	}
	place(h, i, t);
}

static void sift_down(struct timers *h, uint32_t i, struct timer *t)
{
	for (;;) {
		uint32_t child = 2 * i + 1;

		if (child >= h->len)
			break;
		if (child + 1 < h->len && h->heap[child + 1]->at < h->heap[child]->at)
			child++;
		if (h->heap[child]->at >= t->at)
			break;
		place(h, i, h->heap[child]);
		i = child;
	}
	place(h, i, t);
}

void timer_ensure(struct timers *h, struct timer *t, usec_t at)
{
	if (at == USEC_NEVER)
		return;
	if (t->pos) {
		if (t->at <= at)
			return; /* it will look again when it fires */
		t->at = at;
		sift_up(h, t->pos - 1, t);
		return;
	}
	if (h->len == h->size) {
		h->size = h->size ? h->size * 2 : 64;
		h->heap = mem_realloc(h->heap, h->size * sizeof *h->heap);
	}
	t->at = at;
	sift_up(h, h->len++, t);
}

void timer_stop(struct timers *h, struct timer *t)
{
	uint32_t i = t->pos - 1;
	struct timer *last;

	if (!t->pos)
		return;
	t->pos = 0;
	last = h->heap[--h->len];
	if (last == t)
		return;
	if (last->at < t->at)
		sift_up(h, i, last);
	else
		sift_down(h, i, last);
}

usec_t timers_next(const struct timers *h)
{
	return h->len ? h->heap[0]->at : USEC_NEVER;
}

struct timer *timers_pop(struct timers *h, usec_t now)
{
	struct timer *t;

	if (!h->len || h->heap[0]->at > now)
		return NULL;
	t = h->heap[0];
	timer_stop(h, t);
	return t;
}

void timers_release(struct timers *h)
{
	free(h->heap);
	memset(h, 0, sizeof *h);
}
