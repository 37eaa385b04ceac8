/* SPDX-License-Identifier: ISC
 *
 * The store of query statistics, as obs_queries.c fills it, obs_burst.c adds to it and
 * obs_report.c reads it.
 *
 * What a row is about (used, shape, text) changes only under the lock; what it counts are
 * relaxed atomics of the worker.  The worker only ever tries the lock: when a reader holds
 * it, which is for the copy of one row, the statement is counted as "other".
 */
#ifndef POOLER_OBS_QUERIES_INNER_H
#define POOLER_OBS_QUERIES_INNER_H

#include "obs_queries.h"
#include "sql_lex.h"

#include <pthread.h>

#define GROUP_KINDS 3
#define GROUP_MAX   1000 /* users, databases, applications kept apart; more are "other" */
#define TEXT_MAX    1024 /* bytes of a shape's text that are kept */
#define CACHE_SIZE  1024 /* exact texts whose shape is remembered */

struct shape_row {
	struct query_stats s;
	uint64_t shape;
	char *text;
	uint32_t text_len, traits;
	uint8_t verb;  /* enum sql_verb */
	uint8_t usage; /* seen again and again; the clock hand takes it down */
	bool used;
	uint64_t runs, run_calls, run_longest, before;
};

struct group_row {
	struct query_stats s;
	char *name; /* NULL: free; row 0 is "other" and has none */
	uint64_t hash;
};

struct cached_text {
	uint64_t text; /* hash of the exact bytes and their number */
	struct query_key key;
};

struct queries {
	pthread_mutex_t lock;
	bool reset_asked;
	size_t max, count, hand; /* rows, used ones, where the clock hand stands */
	struct shape_row *rows;
	struct shape_row other;
	uint32_t *slot; /* hash table: row number + 1, 0: empty; linear probing */
	size_t slots;	/* a power of two, at least twice max */
	uint32_t epoch; /* of the groups; a client that knows another asks again */
	struct group_row *groups[GROUP_KINDS]; /* GROUP_MAX + 1 */
	size_t group_count[GROUP_KINDS];
	struct cached_text cache[CACHE_SIZE];
};

/* The worker's: adds to a counter that readers see. */
static inline void stats_add_weighted(uint64_t *counter, uint64_t n, uint32_t weight)
{
	stats_add(counter, n * weight);
}

/* obs_burst.c: looks at one finished statement of a client; `row` is its shape's. */
void burst_note(struct shape_row *row, const struct query_sample *s);

#endif
