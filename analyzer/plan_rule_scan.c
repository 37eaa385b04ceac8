/* SPDX-License-Identifier: ISC
 *
 * Plan rules about scans: those that read much more than they give.
 */
#include "plan_rule.h"

#include <math.h>

#define MANY	    1000.0  /* rows thrown away before it is worth a word */
#define FEW_EACH    3.0	    /* rows thrown away by each of many look-ups */
#define FEW_BLOCKS  50.0    /* a table this small is read whole in no time */
#define HUGE_BLOCKS 131072. /* 1 GB */

static struct str source(const struct plan_node *n)
{
	return plan_source(n);
}

/* Estimated: what is read costs far more than what comes out of it. */
static bool is_costly_for_rows(const struct plan_node *n)
{
	return plan_num(n->total_cost) >= 500 && plan_num(n->plan_rows) * 0.2 < n->total_cost;
}

CHECK(seq_scan_filter)
{
	double removed = node_removed(n), rows = plan_num(n->all_rows);

	if (n->kind != PLAN_SEQ_SCAN || !plan_prop(n, "Filter") || !gate_self(c, n))
		return;
	if (!c->p->is_analyzed) {
		if (c->p->has_cost && is_costly_for_rows(n) && !is_cut_short(n))
			plan_report(c, n, "reads all of %.*s to find about %s rows",
				STR_ARGS(source(n)), say_count(c, plan_num(n->plan_rows)));
		return;
	}
	if (removed < MANY || removed < 0.9 * (rows + removed))
		return;
	if (c->p->has_buffers && n->self_blocks < FEW_BLOCKS)
		return;
	if (is_cut_short(n) && removed < 10 * MANY)
		return;
	plan_report(c, n, "reads %s rows of %.*s and throws %s of them (%.1f %%) away",
		say_count(c, rows + removed), STR_ARGS(source(n)), say_count(c, removed),
		100 * removed / (rows + removed));
}

CHECK(index_filter_waste)
{
	double removed = node_removed(n), rows = plan_num(n->all_rows);

	if ((n->kind != PLAN_INDEX_SCAN && n->kind != PLAN_INDEX_ONLY_SCAN &&
		    n->kind != PLAN_BITMAP_HEAP_SCAN) ||
		!plan_prop(n, "Filter") || removed < MANY || removed < 10 * rows ||
		!gate_self(c, n))
		return;
	if (removed < FEW_EACH * node_loops(n))
		return; /* look-ups of a row or two: a longer key saves nothing */
	plan_report(c, n, "the index finds %s rows of %.*s, the filter keeps %s",
		say_count(c, rows + removed), STR_ARGS(source(n)), say_count(c, rows));
}

CHECK(lossy_bitmap)
{
	double lossy = plan_num(n->lossy_blocks), all = lossy + plan_num(n->exact_blocks);

	if (n->kind != PLAN_BITMAP_HEAP_SCAN || lossy <= 0 || lossy < 0.1 * all || !gate_self(c, n))
		return;
	plan_report(c, n, "the bitmap did not fit work_mem: %s of %s blocks are only known by page",
		say_count(c, lossy), say_count(c, all));
}

CHECK(heap_fetches)
{
	double fetches = plan_num(n->heap_fetches), rows = plan_num(n->all_rows);
	struct plan_finding *f;

	if (n->kind != PLAN_INDEX_ONLY_SCAN || fetches < MANY || fetches < 0.1 * rows ||
		!gate_self(c, n))
		return;
	f = plan_report(c, n, "an index-only scan that went to the table %s times for %s rows",
		say_count(c, fetches), say_count(c, rows));
	if (n->relation.n)
		f->fix_sql = plan_say(c, "VACUUM %.*s;", STR_ARGS(n->relation));
}

CHECK(bitmap_and)
{
	const struct plan_node *heap = above(n, PLAN_BITMAP_HEAP_SCAN);
	double least = INFINITY, rows = heap ? plan_num(heap->all_rows) : 0;

	if (n->kind != PLAN_BITMAP_AND || n->children < 2 || heap == NULL || !gate_whole(c, heap))
		return;
	for (size_t i = 0; i < n->children; i++)
		least = fmin(least, c->p->is_analyzed ? plan_num(n->child[i]->all_rows)
						      : plan_num(n->child[i]->plan_rows));
	if (!c->p->is_analyzed)
		rows = plan_num(heap->plan_rows);
	if (least < MANY || rows * 10 > least)
		return;
	plan_report(c, n, "combines %zu indexes, each finding at least %s rows, to keep %s",
		n->children, say_count(c, least), say_count(c, rows));
}

CHECK(bitmap_or)
{
	struct str index;

	if (n->kind != PLAN_BITMAP_OR || n->children < 5)
		return;
	index = n->child[0]->index;
	for (size_t i = 1; i < n->children; i++)
		if (!str_eq(n->child[i]->index, index))
			return;
	plan_report(c, n, "looks %zu times into %.*s, once for each OR", n->children,
		STR_ARGS(index));
}

CHECK(wrong_index_for_order)
{
	double removed = node_removed(n) + plan_num(n->removed_recheck);
	const struct plan_node *limit = above(n, PLAN_LIMIT);

	if ((n->kind != PLAN_INDEX_SCAN && n->kind != PLAN_INDEX_ONLY_SCAN) || limit == NULL ||
		!is_cut_short(n) || !plan_prop(n, "Filter") || !gate_self(c, n))
		return;
	/* Whatever stands between must keep the order and pass rows on. */
	for (const struct plan_node *up = n->up; up != limit; up = up->up)
		if (up->kind == PLAN_SORT || up->kind == PLAN_HASH || up->kind == PLAN_AGGREGATE)
			return;
	if (removed < MANY || removed < 100 * fmax(plan_num(limit->all_rows), 1))
		return;
	plan_report(c, n,
		"walks %.*s in its order for %s rows of the LIMIT and throws %s away on the way",
		STR_ARGS(n->index), say_count(c, plan_num(limit->all_rows)), say_count(c, removed));
}

CHECK(function_scan_estimate)
{
	double est = plan_num(n->plan_rows), rows = plan_num(n->rows);

	if (n->kind != PLAN_FUNCTION_SCAN || !c->p->is_analyzed || (est != 1000 && est != 100))
		return;
	if (rows < 10 * est && (is_cut_short(n) || rows * 10 > est))
		return;
	if (!n->up || (c->p->is_timed && plan_num(c->p->elapsed_ms) < 5))
		return;
	plan_report(c, n, "the planner guesses %s rows for %.*s; it gave %s", say_count(c, est),
		STR_ARGS(source(n)), say_count(c, rows));
}

CHECK(no_parallel)
{
	double blocks = c->p->has_buffers ? n->self_blocks : plan_num(n->total_cost) / 2;

	if (n->kind != PLAN_SEQ_SCAN || n->is_parallel || blocks < HUGE_BLOCKS || is_cut_short(n) ||
		above(n, PLAN_GATHER) || above(n, PLAN_GATHER_MERGE) || !gate_self(c, n))
		return;
	plan_report(c, n, "one process reads about %s of %.*s", say_kb(c, blocks * 8),
		STR_ARGS(source(n)));
}

CHECK(buffers_per_row)
{
	double rows = plan_num(n->all_rows) + node_removed(n);

	if (!plan_is_scan(n) || n->kind == PLAN_CTE_SCAN || n->kind == PLAN_SUBQUERY_SCAN ||
		n->children || n->self_blocks < 1000 || rows < 1 || n->self_blocks < 100 * rows ||
		!gate_self(c, n))
		return;
	plan_report(c, n, "touches %s blocks of %.*s for %s rows", say_count(c, n->self_blocks),
		STR_ARGS(source(n)), say_count(c, rows));
}

CHECK(partition_no_prune)
{
	size_t scanned = 0, empty = 0;

	if ((n->kind != PLAN_APPEND && n->kind != PLAN_MERGE_APPEND) || !c->p->is_analyzed ||
		plan_num(n->subplans_removed) > 0 || is_cut_short(n) || !gate_whole(c, n))
		return;
	for (size_t i = 0; i < n->children; i++) {
		if (n->child[i]->is_never || !plan_is_scan(n->child[i]))
			continue;
		scanned++;
		empty += plan_num(n->child[i]->all_rows) < 0.5 && n->child[i]->all_rows_err < 1;
	}
	if (empty < 10 || empty * 10 < scanned * 5)
		return;
	plan_report(c, n, "%zu of %zu partitions were read and gave nothing", empty, scanned);
}

CHECK(trailing_column)
{
	double rows = plan_num(n->all_rows) + node_removed(n) + plan_num(n->removed_recheck);

	if ((n->kind != PLAN_INDEX_SCAN && n->kind != PLAN_INDEX_ONLY_SCAN &&
		    n->kind != PLAN_BITMAP_INDEX_SCAN) ||
		!plan_prop(n, "Index Cond") || n->self_blocks < 1000 ||
		n->self_blocks < 50 * fmax(rows, node_loops(n)) || !gate_self(c, n))
		return;
	plan_report(c, n,
		"reads %s blocks of %.*s to find %s rows: the condition is not on its "
		"first column, or it is bloated",
		say_count(c, n->self_blocks), STR_ARGS(n->index), say_count(c, rows));
}

CHECK(foreign_scan_pull)
{
	double removed = node_removed(n), rows = plan_num(n->all_rows);

	if (n->kind != PLAN_FOREIGN_SCAN || !plan_prop(n, "Filter") || removed < MANY ||
		removed < 0.9 * (removed + rows) || !gate_self(c, n))
		return;
	plan_report(c, n, "fetches %s rows from the other server and keeps %s",
		say_count(c, removed + rows), say_count(c, rows));
}

CHECK(stale_statistics)
{
	double est = plan_num(n->plan_rows), rows = plan_num(n->rows), ratio;
	struct plan_finding *f;

	if (n->kind != PLAN_SEQ_SCAN || !c->p->is_analyzed || plan_prop(n, "Filter") ||
		n->is_parallel || is_cut_short(n) || isnan(n->plan_rows))
		return;
	ratio = fmax(est, 1) > rows ? fmax(est, 1) / fmax(rows, 1) : rows / fmax(est, 1);
	if (ratio < 10 || fmax(rows, est) < MANY)
		return;
	f = plan_report(c, n, "%.*s has %s rows, its statistics say %s", STR_ARGS(source(n)),
		say_count(c, rows), say_count(c, est));
	if (n->relation.n)
		f->fix_sql = plan_say(c, "ANALYZE %.*s;", STR_ARGS(n->relation));
}

CHECK(cte_scan_filter)
{
	double removed = node_removed(n), rows = plan_num(n->all_rows);
	size_t readers = 0;

	if (n->kind != PLAN_CTE_SCAN || !plan_prop(n, "Filter") || removed < MANY ||
		removed < 0.9 * (removed + rows))
		return;
	for (size_t i = 0; i < c->p->nodes; i++)
		readers +=
			c->p->node[i]->kind == PLAN_CTE_SCAN && str_eq(c->p->node[i]->cte, n->cte);
	if (readers > 2)
		return;
	plan_report(c, n, "builds all %s rows of the CTE %.*s and keeps %s",
		say_count(c, removed + rows), STR_ARGS(n->cte), say_count(c, rows));
}
