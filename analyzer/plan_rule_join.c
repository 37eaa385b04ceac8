/* SPDX-License-Identifier: ISC
 *
 * Plan rules about joins, estimates and subplans.
 */
#include "plan_rule.h"

#include <ctype.h>
#include <math.h>

#define MANY	       1000.0
#define NAME_LENGTH    63
#define MAX_STATISTICS 8 /* columns of one CREATE STATISTICS */

static const struct plan_node *below_store(const struct plan_node *n)
{
	while (n && (n->kind == PLAN_MATERIALIZE || n->kind == PLAN_MEMOIZE) && n->children)
		n = plan_outer(n);
	return n;
}

/* Is this side a column of the table that an index could look up? */
static bool is_column_of(struct str side, const struct plan_node *scan)
{
	struct str owner;

	return plan_column(side, &owner).n &&
	       (str_eq(owner, scan->alias) || str_eq(owner, scan->relation));
}

/* Would an index of the inner table find the rows of the other side?  Not where the condition is
 * of another kind, nor where none joins the two. */
static bool is_indexable_join(const struct plan_check *c, const struct plan_node *join,
	const struct plan_node *scan)
{
	static const char *const both[] = {"=", "<", "<=", ">", ">="};
	struct plan_conjunct j[8];
	size_t n = plan_conjuncts(node_text(c, join, "Join Filter"), j, ARRAY_LEN(j));

	if (n == 0) /* joined by what the scan itself compares with the outer row */
		return plan_prop(scan, "Filter") != NULL;
	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < ARRAY_LEN(both); k++)
			if (str_is(j[i].op, both[k]) &&
				(is_column_of(j[i].left, scan) || is_column_of(j[i].right, scan)))
				return true;
		if ((str_is(j[i].op, "&&") || str_is(j[i].op, "@>") || str_is(j[i].op, "<@")) &&
			is_column_of(j[i].left, scan))
			return true;
	}
	return false;
}

/* The scan that a nested loop repeats for the sake of a few rows; NULL. */
static const struct plan_node *wasted_scan(const struct plan_check *c, const struct plan_node *n,
	double *loops, double *each)
{
	const struct plan_node *inner, *scan;

	if (n->kind != PLAN_NESTED_LOOP || !gate_whole(c, n))
		return NULL;
	inner = plan_inner(n);
	scan = below_store(inner);
	if (scan == NULL || scan->kind != PLAN_SEQ_SCAN || inner->is_never ||
		!is_indexable_join(c, n, scan))
		return NULL;
	*loops = c->p->is_analyzed ? node_loops(inner) : plan_num(plan_outer(n)->plan_rows);
	*each = c->p->is_analyzed ? plan_num(inner->rows) + plan_num(inner->removed_filter)
				  : plan_num(inner->plan_rows);
	if (*loops < 2 || *loops * *each < 10 * MANY)
		return NULL;
	/* Rows that all pass are the join's result, not waste. */
	if (c->p->is_analyzed && node_removed(inner) + node_removed_join(n) < 0.5 * *loops * *each)
		return NULL;
	return scan;
}

/* A finding about a join's own work and that of its inner side. */
static void about_inner(struct plan_check *c, struct plan_finding *f, const struct plan_node *join)
{
	f->share = join->share + whole_share(c, plan_inner(join));
	f->ms = join->self_ms + plan_inner(join)->wall_ms;
}

CHECK(inner_seq_scan)
{
	double each, loops;
	const struct plan_node *scan = wasted_scan(c, n, &loops, &each);

	if (scan == NULL)
		return;
	about_inner(c,
		plan_report(c, scan,
			"the inner side of a nested loop: %.*s is gone through %s times, %s "
			"rows in all",
			STR_ARGS(plan_source(scan)), say_count(c, loops),
			say_count(c, loops * each)),
		n);
}

CHECK(nested_loop_explosion)
{
	const struct plan_node *outer, *inner;
	struct plan_finding *f;

	if (n->kind != PLAN_NESTED_LOOP || !c->p->is_analyzed)
		return;
	outer = plan_outer(n);
	inner = plan_inner(n);
	if (!outer || !inner || node_loops(inner) < MANY || isnan(outer->plan_rows) ||
		fmax(outer->plan_rows, 1) * 10 > plan_num(outer->rows) || !gate_whole(c, n))
		return;
	if (c->p->is_timed && plan_num(n->wall_ms) < 10)
		return;
	if (outer->kind == PLAN_WORKTABLE_SCAN)
		return; /* nothing can tell the planner how many rows a recursion's step has */
	f = plan_report(c, n, "chosen for about %s outer rows, run for %s",
		say_count(c, outer->plan_rows), say_count(c, plan_num(outer->rows)));
	about_inner(c, f, n);
	if (outer->kind == PLAN_FUNCTION_SCAN)
		f->advice = plan_say(c,
			"say how many rows %.*s returns (ROWS in its definition, if it is yours), "
			"or keep them in a temporary table and ANALYZE it",
			STR_ARGS(plan_source(outer)));
}

CHECK(or_join_filter)
{
	struct str filter = node_text(c, n, "Join Filter");

	if (!plan_is_join(n) || str_find(filter, " OR ") == filter.n ||
		node_removed_join(n) < 10 * MANY || !gate_self(c, n))
		return;
	if (n->join.n && !str_is(n->join, "Inner"))
		return; /* a UNION of outer joins is another query */
	plan_report(c, n, "an OR over two relations is tried on %s pairs of rows",
		say_count(c, node_removed_join(n) + plan_num(n->all_rows)));
}

CHECK(join_filter_waste)
{
	double removed = node_removed_join(n), rows = plan_num(n->all_rows);
	struct str filter = node_text(c, n, "Join Filter");
	struct plan_finding *f;
	double loops, each;

	if (!plan_is_join(n) || removed < 10 * fmax(rows, 1) || removed < 10 * MANY ||
		!gate_self(c, n))
		return;
	if (str_find(filter, " OR ") < filter.n)
		return; /* late-or-join-filter says it */
	if (wasted_scan(c, n, &loops, &each))
		return; /* nested-loop-inner-seq-scan says it */
	f = plan_report(c, n, "joins %s pairs of rows and throws %s away",
		say_count(c, removed + rows), say_count(c, removed));
	if (n->kind == PLAN_HASH_JOIN || n->kind == PLAN_MERGE_JOIN)
		f->advice =
			STR("the columns that are equal leave too many pairs: another equality, "
			    "or an index on them followed by the filter's column");
}

/* Does a condition below n use a column of what stands outside? Then the loop is a join. */
static bool has_parameter(const struct plan_check *c, const struct plan_node *n,
	const struct plan_node *outer)
{
	static const char *const keys[] = {"Index Cond", "Filter", "Join Filter", "Hash Cond",
		"Merge Cond", "Cache Key", "TID Cond", "Function Call", "Recheck Cond"};

	for (const struct plan_node *o = outer; o; o = NULL)
		for (size_t k = 0; k < ARRAY_LEN(keys); k++) {
			struct str s = node_text(c, n, keys[k]);

			if (n->kind == PLAN_MEMOIZE && s.n)
				return true;
			for (size_t i = 0; i < c->p->nodes; i++) {
				const struct plan_node *m = c->p->node[i], *up = m;
				struct str dotted;

				while (up && up != outer)
					up = up->up;
				if (up == NULL || m->alias.n == 0)
					continue;
				dotted = arena_printf(c->a, "%.*s.", STR_ARGS(m->alias));
				if (s.n && str_find(s, dotted.p) < s.n)
					return true;
			}
		}
	for (size_t i = 0; i < n->children; i++)
		if (has_parameter(c, n->child[i], outer))
			return true;
	return false;
}

static bool is_made_up(const struct plan_node *n)
{
	return n && (n->kind == PLAN_FUNCTION_SCAN || n->kind == PLAN_VALUES_SCAN);
}

CHECK(cartesian)
{
	const struct plan_node *outer, *inner;
	double left, right;

	if (n->kind != PLAN_NESTED_LOOP || plan_prop(n, "Join Filter"))
		return;
	outer = plan_outer(n);
	inner = plan_inner(n);
	if (!outer || !inner || (n->join.n && !str_is(n->join, "Inner")))
		return;
	if (is_made_up(below_store(outer)) || is_made_up(below_store(inner)))
		return; /* a calendar, a list: this product is meant */
	left = c->p->is_analyzed ? plan_num(outer->all_rows) : plan_num(outer->plan_rows);
	right = c->p->is_analyzed ? plan_num(inner->rows) : plan_num(inner->plan_rows);
	if (left < 2 || right < 2 || left * right < 100 * MANY || has_parameter(c, inner, outer))
		return;
	about_inner(c,
		plan_report(c, n,
			"pairs every one of %s rows with every one of %s: no condition joins them",
			say_count(c, left), say_count(c, right)),
		n);
}

static bool is_hashed(const struct plan_check *c, const struct plan_node *sub)
{
	struct str name = str_before(sub->subplan, str_find(sub->subplan, " (returns"));
	const struct plan_node *up = sub->up;
	struct str mark = arena_printf(c->a, "hashed %.*s", STR_ARGS(name));

	for (size_t i = 0; up && i < up->prop.n; i++)
		for (size_t k = 0; k < up->prop.at[i].values; k++)
			if (str_find(up->prop.at[i].value[k], mark.p) < up->prop.at[i].value[k].n)
				return true;
	return false;
}

/* The subplan, not hashed, that a NOT IN at n goes through for each row; NULL. */
static const struct plan_node *list_of_not_in(const struct plan_check *c, const struct plan_node *n)
{
	struct str filter = n ? node_text(c, n, "Filter") : STR_NONE;
	const struct plan_node *sub = NULL;

	if (str_find(filter, "NOT (SubPlan") == filter.n &&
		str_find(filter, "NOT (ANY (") == filter.n) /* since PostgreSQL 17 */
		return NULL;
	for (size_t i = 0; i < n->children; i++)
		if (str_is(n->child[i]->relationship, "SubPlan"))
			sub = n->child[i];
	return sub && (!c->p->is_analyzed || node_loops(sub) >= 100) && !is_hashed(c, sub) ? sub
											   : NULL;
}

CHECK(subplan_per_row)
{
	if (!str_is(n->relationship, "SubPlan") || !str_starts(n->subplan, "SubPlan") ||
		node_loops(n) < 100 || !c->p->is_analyzed || is_hashed(c, n) || !gate_whole(c, n))
		return;
	if (list_of_not_in(c, n->up) == n)
		return; /* not-in-unhashed says it */
	about_whole(c, plan_report(c, n, "a subquery that ran %s times, once for each row",
			       say_count(c, node_loops(n))));
}

CHECK(not_in_unhashed)
{
	const struct plan_node *sub = list_of_not_in(c, n);
	struct plan_finding *f;

	if (sub == NULL || !gate_whole(c, n))
		return;
	f = plan_report(c, n, "NOT IN is answered by going through its list again for every row");
	about_whole(c, f);
}

CHECK(memoize_miss)
{
	double all = plan_num(n->cache_hits) + plan_num(n->cache_misses);

	if (n->kind != PLAN_MEMOIZE || all < MANY || !gate_whole(c, n))
		return;
	if (plan_num(n->cache_hits) >= 0.1 * all && plan_num(n->cache_evictions) == 0)
		return;
	plan_report(c, n, "a cache for the inner side with %s hits, %s misses and %s evictions",
		say_count(c, plan_num(n->cache_hits)), say_count(c, plan_num(n->cache_misses)),
		say_count(c, plan_num(n->cache_evictions)));
}
