/* SPDX-License-Identifier: ISC
 *
 * rule_arithmetic: SG003, arithmetic on a column, and what of it can be moved to the other side so
 * that the same rows are found.
 */
#include "rule_sargable.h"

/* --- SG003: arithmetic on column ----------------------------------------------------------------
 */

/* A value as it stands alone: an untyped literal takes the column's type with it. */
static struct str typed(struct rule_check *c, const struct sql_cond *k, const struct sql_side *v)
{
	struct str text = sql_deparse(c->arena, v->node);
	const struct schema_column *col;

	if (v->kind != SIDE_CONST || !v->is_string || v->cast.n)
		return text;
	if (!schema_resolve(c->schema, c->o, &k->left.col, NULL, &col) || col->length)
		return STR_NONE;
	return arena_printf(c->arena, "%.*s %.*s", STR_ARGS(col->type), STR_ARGS(text));
}

static bool is_integer(struct str type)
{
	return str_is(type, "int2") || str_is(type, "int4") || str_is(type, "int8");
}

static bool has_months(struct str text)
{
	return str_find(text, "mon") < text.n || str_find(text, "year") < text.n;
}

static bool is_past_int4(struct str v, struct str w)
{
	int64_t a, b;

	return str_to_i64(v, &a) && str_to_i64(w, &b) &&
	       (a > INT32_MAX / 2 || b > INT32_MAX / 2 || a < INT32_MIN / 2 || b < INT32_MIN / 2);
}

static bool has_days(struct str text)
{
	return str_find(text, "day") < text.n || str_find(text, "week") < text.n;
}

/* '2 days'::interval as hours; STR_NONE: it is not of that kind. */
static struct str in_hours(struct rule_check *c, const struct sql_node *n)
{
	const struct sql_node *type = node_get(n, "type_name"), *v = node_get(n, "arg");
	struct str text = str_of(node_str(node_get(v, "sval"), "sval"));
	size_t at = str_find(text, " ");
	struct str unit = str_skip(text, at < text.n ? at + 1 : text.n);
	int64_t days;

	if (!node_is(n, "TypeCast") || !str_is(node_last_name(type, "names"), "interval") ||
		node_len(type, "typmods") > 1 || !str_to_i64(str_before(text, at), &days) ||
		days < 0 || days > 100000)
		return STR_NONE;
	if (str_is(unit, "week") || str_is(unit, "weeks"))
		days *= 7;
	else if (!str_is(unit, "day") && !str_is(unit, "days"))
		return STR_NONE;
	return arena_printf(c->arena, "interval '%lld hours'", (long long)days * 24);
}

/* Is the comparison one of times without zones, whose days all have 24 hours? */
static bool is_zoneless(struct rule_check *c, const struct sql_cond *k, struct str v, struct str w)
{
	const struct schema_column *col;

	return schema_resolve(c->schema, c->o, &k->left.col, NULL, &col) &&
	       !str_is(col->type, "timestamptz") && !str_is(v, "timestamptz") &&
	       !str_is(w, "timestamptz");
}

/* Does the moved value keep every row?  Months have no length, sums of floats are not exact, a
 * time of day goes round, NaN is the greatest on either side of an order that is turned around;
 * and an integer column must be left with integers. */
static bool can_move(struct rule_check *c, const struct sql_cond *k, const struct sql_node *moved,
	bool turns)
{
	const struct schema_column *col;
	struct str v = schema_type(c->schema, c->arena, c->o, moved);
	struct str w = schema_type(c->schema, c->arena, c->o, k->right.node);
	struct str v_text = sql_deparse(c->arena, moved),
		   w_text = sql_deparse(c->arena, k->right.node);

	if (has_months(v_text) || has_months(w_text) || is_past_int4(v_text, w_text))
		return false;
	if (is_integer(v) && str_starts(w, "timestamp")) /* days are added to dates only */
		return false;
	if (!is_zoneless(c, k, v, w) && (has_days(v_text) || str_is(v, "unknown")) && !turns)
		return false; /* where clocks are put forward a day is not 24 hours */
	if (!schema_resolve(c->schema, c->o, &k->left.col, NULL, &col)) /* it adds up in integers */
		return str_starts(v, "timestamp") || str_starts(w, "timestamp") ||
		       str_is(v, "date") || str_is(w, "date") ||
		       (!turns && is_integer(v) && is_integer(w));
	if (str_starts(col->type, "float") ||
		str_starts(col->type, "time") != str_starts(col->type, "timestamp"))
		return false;
	if (is_integer(col->type))
		return (is_integer(v) || str_is(v, "unknown")) &&
		       (is_integer(w) || str_is(w, "unknown"));
	if (str_is(col->type, "numeric"))
		return !turns && !str_starts(v, "float") && !str_starts(w, "float");
	return true;
}

/* Of now() - col compared with an interval: does it hang on the zone, and may it be of days? */
static bool is_time_span(struct rule_check *c, const struct sql_cond *k,
	const struct sql_node *from)
{
	struct str v = schema_type(c->schema, c->arena, c->o, from);
	struct str w = schema_type(c->schema, c->arena, c->o, k->right.node);
	struct str text = sql_deparse(c->arena, k->right.node);
	bool times = str_starts(v, "timestamp") || str_is(v, "date");
	bool literal = node_is(k->right.node, "TypeCast") &&
		       node_is(node_get(k->right.node, "arg"), "A_Const");

	return times && !is_integer(w) && !is_zoneless(c, k, v, w) && (has_days(text) || !literal);
}

/* col + v OP w -> col OP w - v; v - col OP w -> col FLIP v - w. */
static struct str move_across(struct rule_check *c, const struct sql_cond *k)
{
	const struct sql_node *l = node_get(k->left.node, "lexpr"),
			      *r = node_get(k->left.node, "rexpr");
	struct str op = node_last_name(k->left.node, "name");
	static const char *const flip[][2] = {
		{"=", "="}, {"<", ">"}, {">", "<"}, {"<=", ">="}, {">=", "<="}};
	bool plus = str_is(op, "+"), first = node_is(l, "ColumnRef");

	if (!l || !r || k->right.cols || k->left.cols != 1 || k->pred > PRED_GE ||
		(!plus && !str_is(op, "-")) || (!first && !node_is(r, "ColumnRef")))
		return STR_NONE;
	/* in v - col the result is of another type than the column: an interval, a number */
	struct str w =
		!first && !plus ? sql_deparse(c->arena, k->right.node) : typed(c, k, &k->right);
	struct str col = sarg_column(c, &k->left);
	struct str v = sql_deparse(c->arena, first ? r : l);
	bool turns = !first && !plus;
	if (!w.n || !v.n || !can_move(c, k, first ? r : l, turns))
		return STR_NONE;
	/* times are subtracted by the hour, intervals of days by the calendar */
	if (turns && is_time_span(c, k, l) && !str_starts(w, "interval '") &&
		!(w = in_hours(c, k->right.node)).n)
		return STR_NONE;
	if (first || plus)
		return arena_printf(c->arena, "%.*s %.*s %.*s %s %.*s", STR_ARGS(col),
			STR_ARGS(k->op), STR_ARGS(w), plus ? "-" : "+", STR_ARGS(v));
	for (size_t i = 0; i < ARRAY_LEN(flip); i++)
		if (str_is(k->op, flip[i][0]))
			return arena_printf(c->arena, "%.*s %s %.*s - %.*s", STR_ARGS(col),
				flip[i][1], STR_ARGS(v), STR_ARGS(w));
	return STR_NONE;
}

/* Can what the operator did be undone on the other side? */
static bool is_invertible(struct str op)
{
	return str_is(op, "+") || str_is(op, "-") || str_is(op, "*") || str_is(op, "/");
}

/* The remainder, the bits: of a number and a constant, and so immutable. */
static bool is_exact(const struct sql_cond *k)
{
	const struct sql_node *l = node_get(k->left.node, "lexpr");
	const struct sql_node *v = node_get(node_get(k->left.node, "rexpr"), "ival");
	struct str op = k->left.by;

	return node_is(l, "ColumnRef") && v &&
	       (str_is(op, "%") || str_is(op, "&") || str_is(op, "|") || str_is(op, "#"));
}

static void look_sg003(struct rule_check *c, const struct sql_cond *k)
{
	const struct sql_side *s = &k->left;

	if (s->kind != SIDE_WRAPPED || s->wrap != WRAP_ARITH || !sarg_is_comparison(k) ||
		s->is_volatile || s->col.rel == -2 || (s->cols > 1 && c->o->rels > 1) ||
		sarg_is_served(c, k))
		return;
	struct finding *x = sarg_report(c, k, sarg_sure(c, k), "arithmetic is done on", s->by);
	if (k->right.cols && c->o->rels == 1)
		finding_fix(c->findings, x, STR_NONE,
			"both sides need the row: what is compared would have to be a column, or "
			"the expression of an index");
	else if (s->cols > 1 || !is_invertible(s->by) || k->pred == PRED_LIKE)
		finding_fix(c->findings, x,
			is_exact(k) ? sarg_expression_index(c, s, "") : STR_NONE,
			"no rewrite leaves the column alone: an index on the expression serves it");
	else
		finding_fix(c->findings, x, move_across(c, k),
			"move the arithmetic to the other side, so that the column stands alone");
}

void check_sg003(struct rule_check *c)
{
	sarg_each(c, look_sg003);
}
