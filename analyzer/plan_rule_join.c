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

CHECK(inner_seq_scan)
{
	const struct plan_node *inner, *scan;
	double each, loops;

	if (n->kind != PLAN_NESTED_LOOP || !gate_whole(c, n))
		return;
	inner = plan_inner(n);
	scan = below_store(inner);
	if (scan == NULL || scan->kind != PLAN_SEQ_SCAN || inner->is_never)
		return;
	loops = c->p->is_analyzed ? node_loops(inner) : plan_num(plan_outer(n)->plan_rows);
	each = c->p->is_analyzed ? plan_num(inner->rows) + plan_num(inner->removed_filter)
				 : plan_num(inner->plan_rows);
	if (loops < 2 || loops * each < 10 * MANY)
		return;
	/* Rows that all pass are the join's result, not waste. */
	if (c->p->is_analyzed && node_removed(inner) + node_removed_join(n) < 0.5 * loops * each)
		return;
	plan_report(c, scan,
		"the inner side of a nested loop: %.*s is gone through %s times, %s "
		"rows in all",
		STR_ARGS(plan_source(scan)), say_count(c, loops), say_count(c, loops * each));
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
		return; /* how many rows a recursion's next step has, nothing can tell the planner
			 */
	f = plan_report(c, n, "chosen for about %s outer rows, run for %s",
		say_count(c, outer->plan_rows), say_count(c, plan_num(outer->rows)));
	if (outer->kind == PLAN_FUNCTION_SCAN)
		f->advice = plan_say(c,
			"say how many rows %.*s returns (ROWS in its definition), or keep them "
			"in a temporary table and ANALYZE it",
			STR_ARGS(plan_source(outer)));
}

/* How far the estimate is off, 1 when it is right or cannot be judged. */
static double off_by(const struct plan_node *n)
{
	double loops = node_loops(n), rows = plan_num(n->rows), est = n->plan_rows;
	double low = rows - (loops > 1 ? 0.5 : 0), high = rows + (loops > 1 ? 0.5 : 0);

	if (isnan(est) || isnan(n->rows) || n->is_never || loops < 1)
		return 1;
	est = fmax(est, 1);
	if (low > est)
		return low / est;
	if (is_cut_short(n))
		return 1; /* fewer rows than it could have given */
	high = fmax(high, 1);
	return est > high ? est / high : 1;
}

static bool is_estimated(const struct plan_node *n)
{
	if (n->kind == PLAN_FUNCTION_SCAN || n->kind == PLAN_CTE_SCAN ||
		n->kind == PLAN_WORKTABLE_SCAN || n->kind == PLAN_VALUES_SCAN)
		return false;
	return plan_is_scan(n) || plan_is_join(n) || n->kind == PLAN_AGGREGATE;
}

static bool input_is_off(const struct plan_node *n)
{
	for (size_t i = 0; i < n->children; i++)
		if (((is_estimated(n->child[i]) || plan_is_scan(n->child[i])) &&
			    off_by(n->child[i]) >= 10) ||
			input_is_off(n->child[i]))
			return true;
	return false;
}

static size_t conjuncts(struct str s)
{
	size_t n = s.n > 0;

	while (s.n) {
		size_t at = str_find(s, " AND ");

		if (at == s.n)
			break;
		n++;
		s = str_skip(s, at + 5);
	}
	return n;
}

/* Columns of a condition, simple ones only: the names before an operator. */
static size_t columns_of(struct plan_check *c, const struct plan_node *n, struct str *name,
	size_t max)
{
	static const char *const keys[] = {"Filter", "Index Cond", "Recheck Cond"};
	size_t found = 0;

	for (size_t k = 0; k < ARRAY_LEN(keys); k++) {
		struct str s = node_text(c, n, keys[k]);

		while (s.n && found < max) {
			size_t len = 0, at = 0;
			bool is_new = true;
			struct str word;

			while (at < s.n && s.p[at] == '(')
				at++;
			s = str_skip(s, at);
			while (len < s.n && (s.p[len] == '_' || s.p[len] == '.' ||
						    (s.p[len] >= 'a' && s.p[len] <= 'z') ||
						    (len && s.p[len] >= '0' && s.p[len] <= '9')))
				len++;
			word = str_before(s, len);
			if (str_find(word, ".") < word.n)
				word = str_skip(word, str_find(word, ".") + 1);
			for (size_t i = 0; i < found; i++)
				is_new &= !str_eq(name[i], word);
			if (word.n && len < s.n && (s.p[len] == ' ' || s.p[len] == ')') && is_new)
				name[found++] = word;
			at = str_find(s, " AND ");
			s = str_skip(s, at + 5);
		}
	}
	return found;
}

static bool feeds_a_choice(const struct plan_node *n)
{
	for (n = n->up; n; n = n->up)
		if (plan_is_join(n) || n->kind == PLAN_SORT || n->kind == PLAN_HASH)
			return true;
	return false;
}

/* Is this node the first whose number of rows was wrong, and by how much?  0: no. */
static double misestimate(const struct plan_check *c, const struct plan_node *n)
{
	double off = off_by(n), rows = plan_num(n->rows);

	if (!c->p->is_analyzed || !is_estimated(n) || off < 10)
		return 0;
	if (fmax(rows, n->plan_rows) < 100 || input_is_off(n))
		return 0; /* too few to matter; or the cause is below */
	if (n->kind == PLAN_SEQ_SCAN && !plan_prop(n, "Filter"))
		return 0; /* stale-statistics says it */
	if (!gate_whole(c, n) && !(n->up && gate_whole(c, n->up)))
		return 0;
	return off;
}

/* Conditions on several columns of one table: how they depend on each other is not known. */
static size_t dependent_columns(struct plan_check *c, const struct plan_node *n, struct str *name,
	size_t max)
{
	size_t conds =
		conjuncts(node_text(c, n, "Filter")) + conjuncts(node_text(c, n, "Index Cond"));
	size_t cols = columns_of(c, n, name, max);

	return n->relation.n && conds > 1 && cols > 1 ? cols : 0;
}

/* A name for the statistics, which PostgreSQL asks for before version 16. */
static struct str statistics_name(struct plan_check *c, struct str table, const struct str *column,
	size_t columns)
{
	struct text t = {0};

	text_puts(&t, "stats_");
	for (size_t i = 0; i < table.n; i++)
		if (islower((unsigned char)table.p[i]) || isdigit((unsigned char)table.p[i]) ||
			table.p[i] == '_')
			text_char(&t, table.p[i]);
	for (size_t i = 0; i < columns; i++)
		text_printf(&t, "_%.*s", STR_ARGS(column[i]));
	struct str name = arena_str(c->a, str_before(text_slice(&t), NAME_LENGTH));
	text_release(&t);
	return name;
}

/* "((l_order % 2) = 0)": the expression that the only condition compares, "(l_order % 2)";
 * STR_NONE when it is a column, or cannot be told. */
static struct str compared_expression(const struct plan_check *c, const struct plan_node *n)
{
	struct str s = node_text(c, n, "Filter"), e;
	int open = 0;
	size_t end = 1;

	if (!str_starts(s, "((") || conjuncts(s) != 1 || str_find(s, " OR ") < s.n ||
		str_find(s, "Plan ") < s.n || str_find(s, "'") < s.n)
		return STR_NONE;
	for (; end < s.n; end++) {
		open += s.p[end] == '(' ? 1 : s.p[end] == ')' ? -1 : 0;
		if (open == 0)
			break;
	}
	e = str_before(str_skip(s, 1), end);
	if (end + 1 >= s.n || s.p[end + 1] != ' ' || str_find(e, " ") == e.n ||
		str_find(e, ".") < e.n)
		return STR_NONE;
	return e;
}

static struct plan_finding *report_misestimate(struct plan_check *c, const struct plan_node *n,
	double off)
{
	struct plan_finding *f =
		plan_report(c, n, "expected %s rows%s, got %s%s: off by %.0f times",
			say_count(c, n->plan_rows), node_loops(n) > 1 ? " each time" : "",
			n->all_rows_err > 0 ? "about " : "", say_count(c, plan_num(n->rows)), off);

	if (off >= 100 && feeds_a_choice(n))
		f->grade = GRADE_ERROR;
	return f;
}

CHECK(row_misestimate)
{
	double off = misestimate(c, n);
	struct str name[MAX_STATISTICS], expr, what = STR("expression");

	if (off == 0 || dependent_columns(c, n, name, ARRAY_LEN(name)))
		return; /* missing-extended-statistics says it */
	struct plan_finding *f = report_misestimate(c, n, off);
	if (n->relation.n == 0)
		return;
	expr = compared_expression(c, n);
	if (expr.n) {
		f->fix_sql = plan_say(c, "CREATE STATISTICS %.*s ON %.*s FROM %.*s; ANALYZE %.*s;",
			STR_ARGS(statistics_name(c, n->relation, &what, 1)), STR_ARGS(expr),
			STR_ARGS(n->relation), STR_ARGS(n->relation));
		f->advice = STR("the condition is on an expression, of which the planner knows "
				"nothing: collect statistics of it before thinking of an index");
		return;
	}
	f->fix_sql = plan_say(c, "ANALYZE %.*s;", STR_ARGS(n->relation));
	f->advice = columns_of(c, n, name, ARRAY_LEN(name)) == 1
			    ? plan_say(c,
				      "collect fresh statistics; if that does not help, ALTER "
				      "TABLE %.*s ALTER COLUMN %.*s SET STATISTICS 1000",
				      STR_ARGS(n->relation), STR_ARGS(name[0]))
			    : STR("collect fresh statistics before thinking of an index");
}

CHECK(missing_extended_statistics)
{
	double off = misestimate(c, n);
	struct str name[MAX_STATISTICS];
	size_t cols = off > 0 ? dependent_columns(c, n, name, ARRAY_LEN(name)) : 0;
	struct text list = {0};

	if (!cols)
		return;
	for (size_t i = 0; i < cols; i++)
		text_printf(&list, "%s%.*s", i ? ", " : "", STR_ARGS(name[i]));
	struct plan_finding *f = report_misestimate(c, n, off);
	f->fix_sql = plan_say(c,
		"CREATE STATISTICS %.*s (dependencies, ndistinct, mcv) ON %s FROM %.*s; "
		"ANALYZE %.*s;",
		STR_ARGS(statistics_name(c, n->relation, name, cols)), list.p,
		STR_ARGS(n->relation), STR_ARGS(n->relation));
	f->advice = STR("the conditions' columns seem to depend on each other: collect extended "
			"statistics before thinking of an index; where the table has them, ANALYZE "
			"alone may do");
	text_release(&list);
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

	if (!plan_is_join(n) || removed < 10 * fmax(rows, 1) || removed < 10 * MANY ||
		!gate_self(c, n))
		return;
	if (str_find(filter, " OR ") < filter.n)
		return; /* late-or-join-filter says it */
	plan_report(c, n, "joins %s pairs of rows and throws %s away", say_count(c, removed + rows),
		say_count(c, removed));
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
	left = c->p->is_analyzed ? plan_num(outer->all_rows) : plan_num(outer->plan_rows);
	right = c->p->is_analyzed ? plan_num(inner->rows) : plan_num(inner->plan_rows);
	if (left < 2 || right < 2 || left * right < 100 * MANY || has_parameter(c, inner, outer))
		return;
	plan_report(c, n,
		"pairs every one of %s rows with every one of %s: no condition joins them",
		say_count(c, left), say_count(c, right));
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

CHECK(subplan_per_row)
{
	if (!str_is(n->relationship, "SubPlan") || !str_starts(n->subplan, "SubPlan") ||
		node_loops(n) < 100 || !c->p->is_analyzed || is_hashed(c, n) || !gate_whole(c, n))
		return;
	plan_report(c, n, "a subquery that ran %s times, once for each row",
		say_count(c, node_loops(n)));
}

CHECK(not_in_unhashed)
{
	struct str filter = node_text(c, n, "Filter");
	const struct plan_node *sub = NULL;

	if (str_find(filter, "NOT (SubPlan") == filter.n &&
		str_find(filter, "NOT (ANY (") == filter.n) /* since PostgreSQL 17 */
		return;
	for (size_t i = 0; i < n->children; i++)
		if (str_is(n->child[i]->relationship, "SubPlan"))
			sub = n->child[i];
	if (sub == NULL || (c->p->is_analyzed && node_loops(sub) < 100) || is_hashed(c, sub) ||
		!gate_whole(c, n))
		return;
	plan_report(c, n, "NOT IN is answered by going through its list again for every row");
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
