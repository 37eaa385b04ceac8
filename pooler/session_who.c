/* SPDX-License-Identifier: ISC
 *
 * struct who_book: which client had which server connection, and when; for SHOW WHO.  One
 * book for each relay, of two rings: one for what lasted at least WHO_LONG, which is what
 * people look for (locks, long statements, sessions) and so reaches far back, and one for
 * the rest.  A note is made when the connection comes back; what is lent now is not in it.
 */
#include "session.h"

struct who_note *who_open(struct who_book *b, int which)
{
	b->ring[which] = mem_alloc(WHO_NOTES * sizeof **b->ring);
	return b->ring[which];
}

bool who_mentions(const struct who_book *b, const struct pool *p)
{
	for (int which = 0; which < 2; which++)
		for (uint64_t i = 0; i < who_kept(b, which); i++)
			if (b->ring[which][i].pool == p)
				return true;
	return false;
}

uint64_t who_kept(const struct who_book *b, int which)
{
	return b->count[which] < WHO_NOTES ? b->count[which] : WHO_NOTES;
}

const struct who_note *who_at(const struct who_book *b, int which, uint64_t i)
{
	return &b->ring[which][(b->count[which] - 1 - i) % WHO_NOTES];
}

void who_release(struct who_book *b)
{
	free(b->ring[0]);
	free(b->ring[1]);
	memset(b, 0, sizeof *b);
}
