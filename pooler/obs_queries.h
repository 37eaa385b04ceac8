/* SPDX-License-Identifier: ISC
 *
 * queries: what SHOW QUERIES tells.  For every shape of statement (its text without the
 * literals, analyzer/sql_lex.h), and for every user, database and application: calls, rows,
 * errors, bytes, when first and last, how long clients waited and servers worked; and for
 * shapes how often one was the N of an N+1.
 *
 *   obs_queries.c   the store of one worker: shapes, groups, bounded memory
 *   obs_shape.c     from a text to its shape
 *   obs_burst.c     the N+1 counter
 *   obs_report.c    all workers' stores as one sorted table; the columns
 *
 * One store for each worker.  A statement passes twice: when its text is known
 * (queries_key), and when it has ended (queries_done).  Between the two only the key is
 * kept; a prepared statement keeps its key for good.
 *
 *	if (queries_wants(track, client_number, transaction))
 *		queries_key(q, text, len, &key);
 *	...
 *	queries_done(q, &(struct query_sample){.key = key, ...});
 *
 * At most `max` shapes are kept; when another comes, one that was not seen for long goes
 * and what it had counted is added to the row "other", so that sums stay true.
 */
#ifndef POOLER_OBS_QUERIES_H
#define POOLER_OBS_QUERIES_H

#include "obs.h"

enum queries_track { QUERIES_OFF = 0, QUERIES_SAMPLE, QUERIES_ALL };

/* With QUERIES_SAMPLE one transaction in so many counts, for so many. */
#define QUERIES_SAMPLE_WEIGHT 16

/* This many statements of one shape in a row, or in one transaction, are an N+1. */
#define QUERIES_RUN 5

/* In autocommit statements belong together when no more than this lies between them. */
#define QUERIES_GAP (50 * USEC_MSEC)

struct queries;

/* Before the worker starts.  Freed when it has been joined and nobody reads. */
struct queries *queries_new(size_t max) MUSTCHECK;
void queries_free(struct queries **q);
/* Any thread: forget everything, as soon as the worker comes by; it looks empty at once. */
void queries_reset(struct queries *q);

struct shape_row;

struct query_key {
	struct shape_row *row; /* its row when it was looked for; may have become another's */
	uint64_t shape;	       /* 0: none */
	uint64_t values;       /* differs when the literals do; 0: there are none */
};

/* (worker) The key of a statement's text; may allocate when the text is new. */
void queries_key(struct queries *q, const char *text, size_t len, struct query_key *out);
/* (worker) The same for a key that was kept, zero at first: costs nothing while it holds. */
void queries_rekey(struct queries *q, const char *text, size_t len, struct query_key *key);

/* What is remembered of a client between its statements; zeroed: a new client. */
struct queries_client {
	uint32_t epoch, group; /* its row of user, database and application; epoch 0: unknown */
	uint32_t transaction;
	uint64_t ended; /* when its last statement did */
	uint64_t last;	/* shape of its last statement */
	struct {
		uint64_t shape, before, values;
		uint32_t count;
	} run[3]; /* shapes that repeat, latest first */
};

/* It has another application_name now. */
static inline void queries_client_renamed(struct queries_client *c)
{
	c->epoch = 0;
}

/* A statement that has ended.  Names are borrowed and read when the client is new. */
struct query_sample {
	struct query_key key;
	struct queries_client *client;
	const char *user, *database, *application;
	const char *text; /* for the case that its shape was dropped meanwhile; may be NULL */
	size_t text_len;
	uint32_t transaction; /* number of the client's transaction */
	bool in_transaction;  /* a transaction block was open before it or is open behind it */
	bool goes_on;	      /* more of a portal that was counted already: no call of its own */
	bool error;
	uint32_t weight;	     /* 1, or QUERIES_SAMPLE_WEIGHT; not 0 */
	usec_t ended;		     /* wall clock */
	uint32_t wait_us, server_us; /* server_us: until the last byte of the answer */
	uint64_t rows, bytes_in, bytes_out;
};

/* (worker) */
void queries_done(struct queries *q, const struct query_sample *s);

/* Whole transactions are sampled, so that the N+1 counter sees all of one or nothing. */
static inline bool queries_wants(enum queries_track t, uint64_t client, uint32_t transaction)
{
	uint64_t h = (client * 0x9E3779B97F4A7C15u) ^ ((uint64_t)transaction * 0xC2B2AE3D27D4EB4Fu);

	if (t != QUERIES_SAMPLE)
		return t == QUERIES_ALL;
	return ((h ^ (h >> 29)) * 0xBF58476D1CE4E5B9u) >> 60 == 0;
}

/* --- what was counted ------------------------------------------------------- */

struct query_stats {
	uint64_t calls, rows, errors, bytes_in, bytes_out;
	uint64_t first, last; /* wall clock, microseconds */
	struct hist wait, server;
};

enum query_table_kind {
	QUERIES_SHAPES = 0,
	QUERIES_USERS,
	QUERIES_DATABASES,
	QUERIES_APPLICATIONS
};

/* One row of a report: a copy, of all workers together. */
struct query_row {
	uint64_t shape; /* 0 for groups and for "other" */
	char *text;	/* the shape, or the group's name; "other" */
	bool other;
	struct query_stats s;
	uint64_t runs, run_calls, run_longest; /* N+1: how often, calls in them, the longest N */
	uint64_t before;		       /* the shape before the last such run */
};

struct query_table {
	struct query_row *row; /* by total server time, largest first; "other" last */
	size_t count;
};

/* Any thread, beside the workers. */
void queries_report(struct queries *const *q, size_t n, enum query_table_kind kind,
	struct query_table *out);
void query_table_release(struct query_table *t);

/* The columns of SHOW QUERIES, and a row's value in one of them.  Times are microseconds;
 * `shape` and `before` 16 hex digits; first and last as "2026-11-21 08:04:12 UTC". */
struct query_column {
	const char *name;
	bool number, shapes_only;
};
extern const struct query_column query_columns[];
extern const size_t query_column_count;
void query_cell(const struct query_row *r, size_t column, struct buf *out);

#endif
