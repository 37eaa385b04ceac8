/* SPDX-License-Identifier: ISC
 *
 * One scan of a table as the adviser sees it: what stands around it, how many rows it read for
 * those it kept, whether it is worth an index at all.
 */
#include "advise_scan.h"

#include <ctype.h>
#include <math.h>

#include "plan_rule.h"

#define SMALL_ROWS  500.0 /* tables below are read faster whole */
#define SMALL_COST  25.0
#define WALKED_COST 20.0 /* for each row found: five random pages */

bool scan_is_of_table(const struct plan_node *n)
{
	return n->relation.n &&
	       (n->kind == PLAN_SEQ_SCAN || n->kind == PLAN_INDEX_SCAN ||
		       n->kind == PLAN_INDEX_ONLY_SCAN || n->kind == PLAN_BITMAP_HEAP_SCAN);
}

void scan_look_up(struct scan *s)
{
	for (const struct plan_node *up = s->n->up; up; up = up->up) {
		switch (up->kind) {
		case PLAN_SORT:
		case PLAN_INCREMENTAL_SORT:
			if (s->sort || s->group)
				return;
			s->sort = up;
			break;
		case PLAN_LIMIT:
			s->limit = up;
			return;
		case PLAN_AGGREGATE:
		case PLAN_GROUP:
		case PLAN_UNIQUE:
			if (s->group == NULL && s->sort == NULL)
				s->group = up;
			else if (!str_is(up->partial_mode, "Finalize"))
				return;
			break;
		case PLAN_GATHER:
		case PLAN_GATHER_MERGE:
		case PLAN_LOCK_ROWS:
		case PLAN_APPEND:
		case PLAN_MERGE_APPEND:
		case PLAN_RESULT:
		case PLAN_SUBQUERY_SCAN:
		case PLAN_PROJECT_SET:
			break;
		case PLAN_NESTED_LOOP:
		case PLAN_HASH_JOIN: /* the outer side's order can be kept by a nested loop */
			if (s->sort || s->group || plan_outer(up) == NULL ||
				str_is(up->join, "Full") || str_is(up->join, "Right"))
				return;
			break;
		case PLAN_WINDOW_AGG:
			return;
		default: /* hashes, merges, materialized inputs: the order ends there */
			if (up->kind != PLAN_HASH)
				return;
			break;
		}
	}
}

void scan_count(const struct plan *p, struct scan *s)
{
	const struct plan_node *n = s->n;

	if (p->is_analyzed) {
		s->kept = plan_num(n->rows) + n->all_rows_err / fmax(node_loops(n), 1);
		s->read = s->kept + plan_num(n->removed_filter) + plan_num(n->removed_recheck);
		if (n->is_parallel) { /* each process saw a part */
			s->kept *= node_loops(n);
			s->read *= node_loops(n);
		}
		return;
	}
	/* Not measured: a sequential scan costs about 1/80 of a page and a hundredth a row. */
	s->kept = plan_num(n->plan_rows);
	s->read = fmax(s->kept, p->has_cost ? plan_num(n->total_cost) * 40 : INFINITY);
}

bool scan_is_small(const struct plan *p, const struct scan *s)
{
	if (p->is_analyzed)
		return s->read < SMALL_ROWS && !is_cut_short(s->n);
	return p->has_cost && plan_num(s->n->total_cost) < SMALL_COST;
}

/* The index's first column is not asked for, so that all of it is walked: many times the price of
 * the rows it finds, where a search costs a few pages and one for each row. */
bool scan_is_walked(const struct plan *p, const struct plan_node *n)
{
	double rows = fmax(plan_num(n->plan_rows), p->is_analyzed ? plan_num(n->rows) : 0);

	return (n->kind == PLAN_INDEX_SCAN || n->kind == PLAN_INDEX_ONLY_SCAN) &&
	       plan_prop(n, "Index Cond") && !plan_prop(n, "Filter") && p->has_cost &&
	       plan_num(n->total_cost) > WALKED_COST * (rows + 5);
}

double scan_weight(const struct plan *p, const struct plan_node *n)
{
	return p->is_timed ? plan_num(n->self_ms) : n->self_cost;
}
