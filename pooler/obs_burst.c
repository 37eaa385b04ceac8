/* SPDX-License-Identifier: ISC
 *
 * The online N+1 counter: one statement lists things, then one statement for each of them.
 *
 * In a transaction block the statements of a shape are counted wherever they stand, so that
 * two loops in one (items, then product, of each order) are seen.  In autocommit a run must
 * not be interrupted: there, other work of the same client looks just like a second loop.
 *
 * What counts is a SELECT with a condition that has values, that are not the same every
 * time, and with another statement before the first of them: its parent.  A client that
 * sends one statement for ever has no N+1, nor has one that asks the same again and again.
 */
#include "obs_queries_inner.h"

#define RUNS ARRAY_LEN(((struct queries_client *)0)->run)

/* Statements that are no data access are looked through. */
static bool is_control(const struct shape_row *r)
{
	switch ((enum sql_verb)r->verb) {
	case SQL_SELECT:
	case SQL_INSERT:
	case SQL_UPDATE:
	case SQL_DELETE:
	case SQL_MERGE:
	case SQL_VALUES:
	case SQL_TABLE:
	case SQL_COPY:
	case SQL_EXECUTE:
	case SQL_FETCH:
	case SQL_CALL:
		return false;
	default:
		return true;
	}
}

static bool can_repeat(const struct shape_row *r)
{
	const uint32_t no = SQL_HAS_IN_LIST | SQL_HAS_ANY | SQL_HAS_FOR_UPDATE | SQL_IS_MULTI;

	return r->verb == SQL_SELECT && (r->traits & SQL_HAS_WHERE) && !(r->traits & no);
}

static void count_run(struct shape_row *r, uint64_t before, uint32_t n, uint32_t weight)
{
	if (n < QUERIES_RUN || !before)
		return;
	if (n == QUERIES_RUN)
		stats_add_weighted(&r->runs, 1, weight);
	stats_add_weighted(&r->run_calls, n == QUERIES_RUN ? QUERIES_RUN : 1, weight);
	if (n > r->run_longest)
		__atomic_store_n(&r->run_longest, n, __ATOMIC_RELAXED);
	__atomic_store_n(&r->before, before, __ATOMIC_RELAXED);
}

void burst_note(struct shape_row *row, const struct query_sample *s)
{
	struct queries_client *c = s->client;
	uint64_t began = s->ended - s->server_us - s->wait_us, before;
	bool together = s->in_transaction ? c->transaction == s->transaction
					  : began < c->ended + QUERIES_GAP;
	size_t i;

	c->transaction = s->transaction;
	c->ended = s->ended;
	if (!together) {
		c->last = 0;
		memset(c->run, 0, sizeof c->run);
	}
	if (is_control(row))
		return;
	before = c->last;
	c->last = row->shape;
	if (!s->in_transaction && before != row->shape)
		memset(c->run, 0, sizeof c->run);
	if (!can_repeat(row))
		return;
	for (i = 0; i < RUNS && c->run[i].shape != row->shape; i++)
		;
	if (i == RUNS) { /* the one that was not seen for longest makes room */
		memmove(&c->run[1], &c->run[0], (RUNS - 1) * sizeof c->run[0]);
		i = 0;
		c->run[0].shape = row->shape;
		c->run[0].before = before;
		c->run[0].values = s->key.values;
		c->run[0].count = 1;
		return;
	}
	if (!s->key.values || s->key.values == c->run[i].values)
		return; /* the same again, not the next one */
	c->run[i].values = s->key.values;
	count_run(row, c->run[i].before, ++c->run[i].count, s->weight);
}
