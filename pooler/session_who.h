/* SPDX-License-Identifier: ISC
 *
 * who: which client had which server connection, for SHOW WHO.
 */
#ifndef POOLER_SESSION_WHO_H
#define POOLER_SESSION_WHO_H

#include "base.h"

struct client;
struct pool;
struct server;

#define WHO_LONG  (10 * USEC_MSEC)
#define WHO_NOTES 8192U

struct who_note {
	usec_t from, until; /* wall clock */
	uint64_t client;
	struct pool *pool;
	uint32_t pid; /* of the server process */
};

struct who_book {
	struct who_note *ring[2]; /* short and long; NULL: nothing was noted */
	uint64_t count[2];
};

/* The memory of a ring; notes are made in session_turn.h. */
struct who_note *who_open(struct who_book *b, int which);
/* The notes of a ring, i = 0 the latest. */
bool who_mentions(const struct who_book *b, const struct pool *p);
uint64_t who_kept(const struct who_book *b, int which);
const struct who_note *who_at(const struct who_book *b, int which, uint64_t i);
void who_release(struct who_book *b);

#endif
