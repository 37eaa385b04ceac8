/* SPDX-License-Identifier: ISC
 *
 * Plan rules about estimates: the first node that gave another number of rows than expected, and
 * the statistics that would have told the planner.
 */
#include "plan_rule.h"

#include <ctype.h>
#include <math.h>

#define FEW	       100.0 /* rows: an estimate that is off among so few matters to nobody */
#define NAME_LENGTH    63
#define MAX_STATISTICS 8 /* columns of one CREATE STATISTICS */
#define MAX_CONJUNCTS  16
#define OFF_BY	       10.0
#define OFF_BY_A_LOT   100.0
#define STALE_ROWS     1000.0

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

static bool is_append(const struct plan_node *n)
{
	return n && n->children > 1 && (n->kind == PLAN_APPEND || n->kind == PLAN_MERGE_APPEND);
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
	if (is_append(n))
		return off_by(n) >= OFF_BY; /* its parts may be off as long as the sum is right */
	for (size_t i = 0; i < n->children; i++)
		if (((is_estimated(n->child[i]) || plan_is_scan(n->child[i])) &&
			    off_by(n->child[i]) >= OFF_BY) ||
			input_is_off(n->child[i]))
			return true;
	return false;
}

/* Of a table's partitions one speaks for all: that with the most rows too many or too few. */
static bool speaks_for_parts(const struct plan_node *n)
{
	const struct plan_node *most = n;

	if (!is_append(n->up))
		return true;
	if (off_by(n->up) < OFF_BY)
		return false;
	for (size_t i = 0; i < n->up->children; i++) {
		const struct plan_node *c = n->up->child[i];

		if (!c->is_never && fabs(plan_num(c->all_rows) - plan_num(c->plan_rows)) >
					    fabs(plan_num(most->all_rows) - most->plan_rows))
			most = c;
	}
	return most == n;
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

	if (!c->p->is_analyzed || !is_estimated(n) || off < OFF_BY || !speaks_for_parts(n))
		return 0;
	if (fmax(rows, n->plan_rows) < FEW || input_is_off(n))
		return 0; /* too few to matter; or the cause is below */
	if (n->kind == PLAN_SEQ_SCAN && !plan_prop(n, "Filter"))
		return 0; /* stale-statistics says it */
	if (str_find(node_text(c, n, "Filter"), "SubPlan ") < node_text(c, n, "Filter").n)
		return 0; /* half of the rows, always: nothing to collect helps */
	if (!gate_whole(c, n) && !(n->up && gate_whole(c, n->up)))
		return 0;
	return off;
}

/* --- which statistics ------------------------------------------------------------------------ */

/* What the conditions compare: columns, and expressions, which statistics are collected of too. */
struct compared {
	struct str what[MAX_STATISTICS]; /* as CREATE STATISTICS wants it */
	size_t n, known;		 /* compared at all; with what extended statistics know */
	bool is_expr[MAX_STATISTICS], is_known[MAX_STATISTICS];
};

/* Extended statistics are asked for these operators only, and for constants. */
static bool is_known(const struct plan_conjunct *j)
{
	static const char *const ops[] = {"=", "<>", "<", "<=", ">", ">="};

	if (j->op.n == 0 || str_is(j->op, "IS"))
		return true;
	for (size_t i = 0; i < ARRAY_LEN(ops); i++)
		if (str_is(j->op, ops[i]))
			return plan_is_constant(j->right);
	return false;
}

static void add_compared(struct plan_check *c, const struct plan_node *n, struct compared *out,
	const struct plan_conjunct *j)
{
	struct str owner, left = j->left, what;
	bool knows = is_known(j);

	if (j->op.n == 0 && str_starts(left, "NOT "))
		left = str_skip(left, 4);
	what = plan_column(left, &owner);
	if (owner.n && !str_eq(owner, n->alias) && !str_eq(owner, n->relation))
		return;
	bool is_expr = what.n == 0;

	if (is_expr && (j->op.n == 0 || str_is(j->op, "OR") || str_starts(left, "ROW(") ||
			       plan_is_constant(left) || str_find(left, "$") < left.n))
		return;
	if (is_expr)
		what = arena_printf(c->a, "(%.*s)",
			STR_ARGS(plan_unqualified(c->a, plan_unqualified(c->a, left, n->alias),
				n->relation)));
	if (str_starts(what, "((") && str_ends(what, "))"))
		what = (struct str){what.p + 1, what.n - 2};
	for (size_t i = 0; i < out->n; i++)
		if (str_eq(out->what[i], what)) {
			out->known += knows && !out->is_known[i];
			out->is_known[i] |= knows;
			return;
		}
	if (out->n == MAX_STATISTICS)
		return;
	out->what[out->n] = what;
	out->is_expr[out->n] = is_expr;
	out->is_known[out->n++] = knows;
	out->known += knows;
}

static void find_compared(struct plan_check *c, const struct plan_node *n, struct compared *out)
{
	static const char *const keys[] = {"Filter", "Index Cond", "Recheck Cond"};

	*out = (struct compared){0};
	for (size_t k = 0; n->relation.n && k < ARRAY_LEN(keys); k++) {
		struct plan_conjunct at[MAX_CONJUNCTS];
		size_t found = plan_conjuncts(node_text(c, n, keys[k]), at, ARRAY_LEN(at));

		for (size_t i = 0; i < found; i++)
			add_compared(c, n, out, &at[i]);
	}
}

/* A name for the statistics, which PostgreSQL asks for before version 16. */
static struct str statistics_name(struct plan_check *c, struct str table, const struct compared *x)
{
	struct text t = {0};
	struct str name;

	text_puts(&t, "stats_");
	for (size_t k = 0; k <= x->n; k++) {
		struct str s = k == 0		   ? table
			       : x->is_expr[k - 1] ? STR("expression")
						   : x->what[k - 1];

		if (k && !x->is_known[k - 1] && x->known > 1)
			continue;
		if (k)
			text_puts(&t, "_");
		for (size_t i = 0; i < s.n; i++)
			if (islower((unsigned char)s.p[i]) || isdigit((unsigned char)s.p[i]) ||
				s.p[i] == '_')
				text_char(&t, s.p[i]);
	}
	name = arena_str(c->a, str_before(text_slice(&t), NAME_LENGTH));
	text_release(&t);
	return name;
}

static struct plan_finding *report_misestimate(struct plan_check *c, const struct plan_node *n,
	double off)
{
	struct plan_finding *f =
		plan_report(c, n, "expected %s rows%s, got %s%s: off by %.0f times",
			say_count(c, n->plan_rows), node_loops(n) > 1 ? " each time" : "",
			n->all_rows_err > 0 ? "about " : "", say_count(c, plan_num(n->rows)), off);

	if (off >= OFF_BY_A_LOT && feeds_a_choice(n))
		f->grade = GRADE_ERROR;
	about_whole(c, f);
	return f;
}

/* The statement that would tell the planner: ANALYZE, statistics of an expression. */
static void advise_statistics(struct plan_check *c, const struct plan_node *n,
	struct plan_finding *f, const struct compared *x)
{
	size_t expr = 0, columns = 0, column = 0;

	for (size_t i = 0; i < x->n; i++) {
		expr = x->is_expr[i] ? i + 1 : expr;
		columns += !x->is_expr[i];
		column = x->is_expr[i] ? column : i;
	}
	if (expr) {
		struct compared only = {.what = {x->what[expr - 1]}, .n = 1, .known = 1};

		only.is_expr[0] = only.is_known[0] = true;
		f->fix_sql = plan_say(c, "CREATE STATISTICS %.*s ON %.*s FROM %s; ANALYZE %s;",
			STR_ARGS(statistics_name(c, n->relation, &only)), STR_ARGS(only.what[0]),
			say_table(c, n), say_table(c, n));
		f->advice = STR("the condition is on an expression, of which the planner knows "
				"nothing: collect statistics of it before thinking of an index");
		return;
	}
	f->fix_sql = plan_say(c, "ANALYZE %s;", say_table(c, n));
	f->advice = columns == 1 ? plan_say(c,
					   "collect fresh statistics; if that does not help, ALTER "
					   "TABLE %s ALTER COLUMN %.*s SET STATISTICS 1000",
					   say_table(c, n), STR_ARGS(x->what[column]))
				 : STR("collect fresh statistics before thinking of an index");
}

CHECK(row_misestimate)
{
	double off = misestimate(c, n);
	struct compared x;

	if (off == 0)
		return;
	find_compared(c, n, &x);
	if (x.known > 1)
		return; /* missing-extended-statistics says it */
	struct plan_finding *f = report_misestimate(c, n, off);

	if (n->relation.n)
		advise_statistics(c, n, f, &x);
}

/* Conditions on several columns of one table: how they depend on each other is not known. */
CHECK(missing_extended_statistics)
{
	double off = misestimate(c, n);
	struct compared x = {0};
	struct text list = {0};

	if (off > 0)
		find_compared(c, n, &x);
	if (x.known < 2)
		return;
	for (size_t i = 0; i < x.n; i++)
		if (x.is_known[i])
			text_printf(&list, "%s%.*s", list.n ? ", " : "", STR_ARGS(x.what[i]));
	struct plan_finding *f = report_misestimate(c, n, off);
	f->fix_sql = plan_say(c,
		"CREATE STATISTICS %.*s (dependencies, ndistinct, mcv) ON %s FROM %s; "
		"ANALYZE %s;",
		STR_ARGS(statistics_name(c, n->relation, &x)), list.p, say_table(c, n),
		say_table(c, n));
	f->advice = STR("the conditions' columns seem to depend on each other: collect extended "
			"statistics before thinking of an index; where the table has them, ANALYZE "
			"alone may do");
	text_release(&list);
}

CHECK(stale_statistics)
{
	double est = plan_num(n->plan_rows), rows = plan_num(n->rows), ratio;
	struct plan_finding *f;

	if (n->kind != PLAN_SEQ_SCAN || !c->p->is_analyzed || plan_prop(n, "Filter") ||
		n->is_parallel || is_cut_short(n) || isnan(n->plan_rows))
		return;
	ratio = fmax(est, 1) > rows ? fmax(est, 1) / fmax(rows, 1) : rows / fmax(est, 1);
	if (ratio < OFF_BY || fmax(rows, est) < STALE_ROWS)
		return;
	f = plan_report(c, n, "%.*s has %s rows, its statistics say %s", STR_ARGS(plan_source(n)),
		say_count(c, rows), say_count(c, est));
	if (n->relation.n)
		f->fix_sql = plan_say(c, "ANALYZE %s;", say_table(c, n));
}
