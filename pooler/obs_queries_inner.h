/* SPDX-License-Identifier: ISC
 *
 * The store of query statistics, which several files share:
 *
 *   obs_queries.c   rows of shapes, rows of clients; a statement has ended
 *   obs_shape.c     from a text to its shape
 *   obs_burst.c     the N+1 counter
 *   obs_report.c    reads it
 *
 * What a row counts are relaxed atomics of the worker.  What it is about (shape, text, names)
 * is there before the row is published by `count`; of a row that is given to another shape it
 * changes under the lock.  The worker only ever tries the lock: when a reader holds it, which
 * is for the copy of one row, the new shape's statement is counted as "other", as others are
 * anyway when rows must be given away.
 */
#ifndef POOLER_OBS_QUERIES_INNER_H
#define POOLER_OBS_QUERIES_INNER_H

#include "obs_queries.h"
#include "sql_lex.h"

#include <pthread.h>

#define GROUP_MAX    1000 /* combinations of user, database and application kept apart */
#define TEXT_MAX     1024 /* bytes of a shape's text that are kept */
#define SKELETON_MAX 4096 /* longer texts are lexed each time */
#define CACHE_SIZE   2048 /* texts whose shape is remembered */

struct shape_row {
	struct query_stats s;
	uint64_t shape; /* 0: the row is free */
	char *text;
	uint32_t text_len, traits;
	uint8_t verb;  /* enum sql_verb */
	uint8_t usage; /* seen again and again; the clock hand takes it down */
	uint64_t runs, run_calls, run_longest, before;
};

/* Who sends: one row for each combination, summed up for SHOW by one of the three.  When there
 * are too many, application names are no longer kept apart (NULL), and when even that does not
 * help, row 0 takes the rest. */
struct group_row {
	struct query_stats s;
	char *name[3]; /* by enum query_table_kind - 1; NULL: "other" */
	uint64_t hash;
};

struct cached_text {
	char *text; /* NULL: free */
	uint64_t hash;
	struct shape_row *row; /* while its shape is `shape`; NULL: look again */
	uint64_t shape;
	uint32_t len;
	uint32_t literals; /* in the text */
	bool finer;	   /* the shape is not that of every text with this skeleton */
};

struct queries {
	pthread_mutex_t lock;
	bool reset_asked;
	size_t max, count, hand; /* rows, used ones, where the clock hand stands */
	struct shape_row *rows;
	struct shape_row other;
	uint32_t *slot;		  /* hash table: row number + 1, 0: empty; linear probing */
	size_t slots;		  /* a power of two, at least twice max */
	uint32_t epoch;		  /* of the groups; a client that knows another asks again */
	struct group_row *groups; /* 2 * GROUP_MAX + 1; the upper half is without applications */
	size_t group_count;
	struct cached_text cache[CACHE_SIZE]; /* pairs */
};

/* The worker's: adds to a counter that readers see. */
static inline void stats_add_weighted(uint64_t *counter, uint64_t n, uint32_t weight)
{
	stats_add(counter, n * weight);
}

/* The shape of a text by the lexer, and the row for it; NULL: it has none now. */
struct shape_row *row_learn(struct queries *q, const char *text, size_t len, struct sql_shape *s);
/* obs_shape.c: forgets all texts. */
void cache_clear(struct queries *q);
/* obs_burst.c: looks at one finished statement of a client; `row` is its shape's. */
void burst_note(struct shape_row *row, const struct query_sample *s);

#endif
