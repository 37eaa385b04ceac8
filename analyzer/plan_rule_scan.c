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

/* The partitions of one table, read alike side by side: one speaks for all. */
struct parts {
	const struct plan_node *most; /* has thrown away the most */
	size_t n;
	double rows, expected, removed, blocks, ms, share;
};

static bool is_part_beside(const struct plan_node *n, const struct plan_node *other)
{
	return other->kind == n->kind && !other->is_never && plan_prop(other, "Filter") &&
	       (other == n || (str_eq(plan_whole_alias(other), plan_whole_alias(n)) &&
				      !str_eq(other->relation, n->relation)));
}

static struct parts parts_of(const struct plan_node *n)
{
	const struct plan_node *up = n->up;
	bool is_whole = up == NULL || (up->kind != PLAN_APPEND && up->kind != PLAN_MERGE_APPEND);
	size_t children = is_whole ? 1 : up->children;
	struct parts x = {.most = NULL};

	for (size_t i = 0; i < children; i++) {
		const struct plan_node *part = is_whole ? n : up->child[i];

		if (!is_part_beside(n, part))
			continue;
		x.n++;
		x.rows += plan_num(part->all_rows);
		x.expected += plan_num(part->plan_rows);
		x.removed += node_removed(part);
		x.blocks += part->self_blocks;
		x.ms += plan_num(part->self_ms);
		x.share += part->share;
		if (x.most == NULL || plan_num(part->self_ms) > plan_num(x.most->self_ms) ||
			(isnan(part->self_ms) && part->share > x.most->share))
			x.most = part;
	}
	return x;
}

CHECK(seq_scan_filter)
{
	struct parts x;
	struct plan_finding *f;
	const char *beside = "";

	if (n->kind != PLAN_SEQ_SCAN || !plan_prop(n, "Filter"))
		return;
	x = parts_of(n);
	if (x.most != n || !gate_of(c, x.ms, x.share))
		return;
	if (x.n > 1)
		beside = arena_printf(c->a, " and %zu partitions beside it", x.n - 1).p;
	if (!c->p->is_analyzed) {
		if (!c->p->has_cost || !is_costly_for_rows(n) || is_cut_short(n))
			return;
		f = plan_report(c, n, "reads all of %.*s%s to find about %s rows",
			STR_ARGS(source(n)), beside, say_count(c, x.expected));
		f->share = x.share;
		return;
	}
	if (x.removed < MANY || x.removed < 0.9 * (x.rows + x.removed))
		return;
	if (c->p->has_buffers && x.blocks < FEW_BLOCKS)
		return;
	if (is_cut_short(n) && x.removed < 10 * MANY)
		return;
	f = plan_report(c, n, "reads %s rows of %.*s%s and throws %s of them (%.1f %%) away",
		say_count(c, x.rows + x.removed), STR_ARGS(source(n)), beside,
		say_count(c, x.removed), 100 * x.removed / (x.rows + x.removed));
	f->ms = c->p->is_timed ? x.ms : f->ms;
	f->share = c->p->is_timed || c->p->has_cost ? x.share : NAN;
}

/* An index walked in its order until a LIMIT is met, past many rows of others. */
static bool is_walked_for_order(const struct plan_check *c, const struct plan_node *n)
{
	double removed = node_removed(n) + plan_num(n->removed_recheck);
	const struct plan_node *limit = above(n, PLAN_LIMIT);

	if ((n->kind != PLAN_INDEX_SCAN && n->kind != PLAN_INDEX_ONLY_SCAN) || limit == NULL ||
		!is_cut_short(n) || !plan_prop(n, "Filter") || !gate_self(c, n))
		return false;
	/* Whatever stands between must keep the order and pass rows on. */
	for (const struct plan_node *up = n->up; up != limit; up = up->up)
		if (up->kind == PLAN_SORT || up->kind == PLAN_HASH || up->kind == PLAN_AGGREGATE)
			return false;
	return removed >= MANY && removed >= 100 * fmax(plan_num(limit->all_rows), 1);
}

CHECK(index_filter_waste)
{
	double removed = node_removed(n), rows = plan_num(n->all_rows);
	struct plan_finding *f;

	if ((n->kind != PLAN_INDEX_SCAN && n->kind != PLAN_INDEX_ONLY_SCAN &&
		    n->kind != PLAN_BITMAP_HEAP_SCAN) ||
		!plan_prop(n, "Filter") || removed < MANY || removed < 10 * rows ||
		!gate_self(c, n))
		return;
	if (removed < FEW_EACH * node_loops(n))
		return; /* look-ups of a row or two: a longer key saves nothing */
	if (is_walked_for_order(c, n))
		return; /* wrong-index-for-order says it */
	if (n->kind != PLAN_BITMAP_HEAP_SCAN && !plan_prop(n, "Index Cond")) {
		f = plan_report(c, n, "walks all of %.*s, %s rows, and keeps %s",
			STR_ARGS(n->index), say_count(c, rows + removed), say_count(c, rows));
		f->advice = STR("an index that begins with the filter's columns, those of the "
				"order behind them");
		return;
	}
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
		f->fix_sql = plan_say(c, "VACUUM %s;", say_table(c, n));
}

CHECK(bitmap_and)
{
	const struct plan_node *heap = above(n, PLAN_BITMAP_HEAP_SCAN);
	double least = INFINITY, sum = 0, rows = heap ? plan_num(heap->all_rows) : 0;

	if (n->kind != PLAN_BITMAP_AND || n->children < 2 || heap == NULL || !gate_whole(c, n))
		return; /* what one index saves is the reading and combining of the others */
	for (size_t i = 0; i < n->children; i++) {
		double found = c->p->is_analyzed ? plan_num(n->child[i]->all_rows)
						 : plan_num(n->child[i]->plan_rows);

		least = fmin(least, found);
		sum += found;
	}
	if (!c->p->is_analyzed)
		rows = plan_num(heap->plan_rows);
	if (least < MANY || rows * 10 > sum || rows * 4 > least)
		return;
	about_whole(c,
		plan_report(c, n, "combines %zu indexes, each finding at least %s rows, to keep %s",
			n->children, say_count(c, least), say_count(c, rows)));
}

/* The column that the scan of one arm compares with one value; STR_NONE. */
static struct str only_equality(const struct plan_check *c, const struct plan_node *arm)
{
	struct plan_conjunct j[2];
	struct str owner;

	if (arm->kind != PLAN_BITMAP_INDEX_SCAN ||
		plan_conjuncts(node_text(c, arm, "Index Cond"), j, ARRAY_LEN(j)) != 1 ||
		!str_is(j[0].op, "="))
		return STR_NONE;
	return plan_column(j[0].left, &owner);
}

CHECK(bitmap_or)
{
	struct str column;

	if (n->kind != PLAN_BITMAP_OR || n->children < 5)
		return;
	column = only_equality(c, n->child[0]);
	for (size_t i = 0; i < n->children; i++)
		if (column.n == 0 || !str_eq(only_equality(c, n->child[i]), column))
			return;
	plan_report(c, n, "looks %zu times for one value of %.*s, once for each OR", n->children,
		STR_ARGS(column));
}

CHECK(wrong_index_for_order)
{
	double removed = node_removed(n) + plan_num(n->removed_recheck);

	if (!is_walked_for_order(c, n))
		return;
	plan_report(c, n,
		"walks %.*s in its order for %s rows of the LIMIT and throws %s away on the way",
		STR_ARGS(n->index), say_count(c, plan_num(above(n, PLAN_LIMIT)->all_rows)),
		say_count(c, removed));
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
	double each = fmax(node_loops(n), 1); /* run again and again, it may read little */
	double blocks = c->p->has_buffers ? n->self_blocks / each : plan_num(n->self_cost) / 2;

	if (n->kind != PLAN_SEQ_SCAN || n->is_parallel || blocks < HUGE_BLOCKS || is_cut_short(n) ||
		above(n, PLAN_GATHER) || above(n, PLAN_GATHER_MERGE) || !gate_self(c, n))
		return;
	if (!c->p->has_buffers && n->children)
		return; /* what its subplans cost is not the table's */
	plan_report(c, n, "one process reads about %s of %.*s", say_kb(c, blocks * 8),
		STR_ARGS(source(n)));
}

/* Far more of the index was read than so many rows need. */
static bool is_index_read_whole(const struct plan_check *c, const struct plan_node *n, double rows)
{
	return (n->kind == PLAN_INDEX_SCAN || n->kind == PLAN_INDEX_ONLY_SCAN ||
		       n->kind == PLAN_BITMAP_INDEX_SCAN) &&
	       plan_prop(n, "Index Cond") && n->self_blocks >= 1000 &&
	       n->self_blocks >= 50 * fmax(rows, node_loops(n)) && gate_self(c, n);
}

CHECK(buffers_per_row)
{
	double rows = plan_num(n->all_rows) + node_removed(n);

	if (!plan_is_scan(n) || n->kind == PLAN_CTE_SCAN || n->kind == PLAN_SUBQUERY_SCAN ||
		n->children || n->self_blocks < 1000 || rows < 1 || n->self_blocks < 100 * rows ||
		!gate_self(c, n) || is_index_read_whole(c, n, rows))
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
	about_whole(c, plan_report(c, n, "%zu of %zu partitions were read and gave nothing", empty,
			       scanned));
}

CHECK(trailing_column)
{
	double rows = plan_num(n->all_rows) + node_removed(n) + plan_num(n->removed_recheck);

	if (!is_index_read_whole(c, n, rows))
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

static const struct plan_node *cte_of(const struct plan *p, struct str name)
{
	for (size_t i = 0; i < p->nodes; i++)
		if (str_starts(p->node[i]->subplan, "CTE ") &&
			str_eq(str_skip(p->node[i]->subplan, 4), name))
			return p->node[i];
	return NULL;
}

CHECK(cte_scan_filter)
{
	double removed = node_removed(n), rows = plan_num(n->all_rows);
	const struct plan_node *cte = n->kind == PLAN_CTE_SCAN ? cte_of(c->p, n->cte) : NULL;
	struct plan_finding *f;
	size_t readers = 0;

	if (n->kind != PLAN_CTE_SCAN || !plan_prop(n, "Filter") || removed < MANY ||
		removed < 0.9 * (removed + rows) || !gate_whole(c, cte ? cte : n))
		return;
	if (cte && (cte->kind == PLAN_RECURSIVE_UNION || cte->kind == PLAN_MODIFY_TABLE))
		return; /* these are always built whole */
	for (size_t i = 0; i < c->p->nodes; i++)
		readers +=
			c->p->node[i]->kind == PLAN_CTE_SCAN && str_eq(c->p->node[i]->cte, n->cte);
	if (readers > 2)
		return;
	f = plan_report(c, n, "builds all %s rows of the CTE %.*s and keeps %s",
		say_count(c, removed + rows), STR_ARGS(n->cte), say_count(c, rows));
	f->share += cte ? whole_share(c, cte) : 0;
	f->ms += cte ? plan_num(cte->wall_ms) : 0;
}
