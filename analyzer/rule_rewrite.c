/* SPDX-License-Identifier: ISC
 *
 * rule_rewrite: a condition written so that an index on the bare column serves it.
 *
 * A rewrite is given only where it means the same for every row, NULLs included; where that
 * hangs on the column's type, only with a schema.  tests/live/test_fixes.py executes them.
 */
#include "rule_sargable.h"

#include <math.h>

static bool number_of(const struct sql_side *s, double *v)
{
	char *end = NULL;

	if (s->kind != SIDE_CONST || !s->value.n || s->is_bool)
		return false;
	*v = strtod(s->value.p, &end);
	return end == s->value.p + s->value.n;
}

static bool holds(enum sql_pred p, double a, double b)
{
	switch ((int)p) {
	case PRED_EQ:
		return !(a < b) && !(a > b);
	case PRED_LT:
		return a < b;
	case PRED_LE:
		return a <= b;
	case PRED_GT:
		return a > b;
	}
	return a >= b;
}

static struct str compare(struct rule_check *c, const struct sql_cond *k, struct str value)
{
	return arena_printf(c->arena, "%.*s %.*s %.*s", STR_ARGS(sarg_column(c, &k->left)),
		STR_ARGS(k->op), STR_ARGS(value));
}

static struct str column_type(struct rule_check *c, const struct sql_cond *k)
{
	const struct schema_column *col;

	return schema_resolve(c->schema, c->o, &k->left.col, NULL, &col) ? col->type : STR("");
}

struct str rewrite_integer(struct rule_check *c, const struct sql_cond *k, double v)
{
	bool whole = v >= -1e15 && v <= 1e15 && floor(v) >= v;
	bool up = k->pred == PRED_LT || k->pred == PRED_GE;

	if (!whole && k->pred != PRED_GT && k->pred != PRED_GE && k->pred != PRED_LT &&
		k->pred != PRED_LE)
		return STR_NONE; /* never true, or always */
	return compare(c, k, arena_printf(c->arena, "%.0f", up ? ceil(v) : floor(v)));
}

/* An integer column cast to a wider type or to text, a char(n) to text: the bare column. */
struct str rewrite_cast(struct rule_check *c, const struct sql_cond *k)
{
	struct str type = column_type(c, k), to = k->left.by;
	bool integer = str_is(type, "int2") || str_is(type, "int4") || str_is(type, "int8");
	bool wider = str_is(to, "int8") || str_is(to, "numeric") || str_is(to, "float8") ||
		     (str_is(to, "int4") && !str_is(type, "int8"));
	double v = 0;

	if (k->pred > PRED_GE || k->pred == PRED_NE || k->right.kind != SIDE_CONST ||
		node_len(node_get(k->left.node, "type_name"), "typmods"))
		return STR_NONE;
	if (str_is(type, "bpchar") && k->right.is_string && k->pred == PRED_EQ &&
		!str_ends(k->right.value, " "))
		return compare(c, k, sql_quote_literal(c->arena, k->right.value));
	if (!integer || !number_of(&k->right, &v))
		return STR_NONE;
	if (str_is(to, "text")) { /* '05' is the text of no number */
		struct str shown = arena_printf(c->arena, "%.0f", v);
		return k->pred == PRED_EQ && k->right.is_string && str_eq(shown, k->right.value)
			       ? compare(c, k, shown)
			       : STR_NONE;
	}
	return wider ? rewrite_integer(c, k, v) : STR_NONE;
}

/* COALESCE(col, v) OP w: col OP w, and the NULLs where v OP w; NULLIF(col, v) = w. */
/* A word that no type reads like another one: not a date, a number, a truth. */
static bool is_word(struct str v)
{
	static const char *const others[] = {"t", "f", "true", "false", "y", "n", "yes", "no", "on",
		"off", "now", "today", "tomorrow", "yesterday", "epoch", "infinity", "nan", "inf"};

	for (size_t i = 0; i < v.n; i++)
		if (!((v.p[i] >= 'a' && v.p[i] <= 'z') || v.p[i] == '_'))
			return false;
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		if (str_is(v, others[i]))
			return false;
	return v.n > 0;
}

/* Is the column a text whose values are equal only when they are spelled alike? */
static bool is_plain_text(struct rule_check *c, const struct sql_cond *k)
{
	const struct schema_column *col;

	return schema_resolve(c->schema, c->o, &k->left.col, NULL, &col) &&
	       (str_is(col->type, "text") || str_is(col->type, "varchar")) &&
	       (!col->collation.n || str_is(col->collation, "C") ||
		       str_is(col->collation, "default"));
}

struct str rewrite_coalesce(struct rule_check *c, const struct sql_cond *k)
{
	const struct sql_node *n = k->left.node;
	bool null_if = node_is(n, "A_Expr"), coalesce = node_is(n, "CoalesceExpr");
	const struct sql_node *first = null_if ? node_get(n, "lexpr") : node_item(n, "args", 0);
	const struct sql_node *second = null_if ? node_get(n, "rexpr") : node_item(n, "args", 1);
	struct sql_side v = sql_side(c->arena, second);
	double x = 0, w = 0;
	bool instead;

	if (k->pred > PRED_GE || k->pred == PRED_NE || (!null_if && !coalesce) ||
		(coalesce && node_len(n, "args") != 2) || !node_is(first, "ColumnRef") ||
		v.kind != SIDE_CONST || k->right.kind != SIDE_CONST || v.is_null ||
		k->right.is_null)
		return STR_NONE;
	if (v.is_string || k->right.is_string || v.is_bool || k->right.is_bool) {
		instead = str_eq(v.value, k->right.value);
		bool words = is_word(v.value) && is_word(k->right.value);
		if (k->pred != PRED_EQ || v.cast.n || k->right.cast.n ||
			(!instead && !words && !is_plain_text(c, k) && !v.is_bool))
			return STR_NONE;
	} else {
		if (str_starts(v.cast, "float") || str_starts(k->right.cast, "float"))
			return STR_NONE; /* it compares as one, which is no longer exact */
		if (!number_of(&v, &x) || !number_of(&k->right, &w))
			return STR_NONE;
		instead = holds(k->pred, x, w);
	}
	struct str bare = compare(c, k, sql_deparse(c->arena, k->right.node));
	if (schema_fit(column_type(c, k), schema_type(c->schema, c->arena, c->o, k->right.node)) ==
		FIT_CASTS)
		return STR_NONE; /* no index would serve it */
	if (null_if)
		return instead || k->pred != PRED_EQ ? STR_NONE : bare;
	return instead ? arena_printf(c->arena, "(%.*s OR %.*s IS NULL)", STR_ARGS(bare),
				 STR_ARGS(sarg_column(c, &k->left)))
		       : bare;
}

/* col || 'x' = 'yx': col = 'y'. */
struct str rewrite_concat(struct rule_check *c, const struct sql_cond *k)
{
	const struct sql_node *l = node_get(k->left.node, "lexpr"),
			      *r = node_get(k->left.node, "rexpr");
	bool first = node_is(l, "ColumnRef");
	struct sql_side part = sql_side(c->arena, first ? r : l);
	struct str v = k->right.value, type = column_type(c, k);

	if (k->pred != PRED_EQ || k->left.cols != 1 || (!first && !node_is(r, "ColumnRef")) ||
		part.kind != SIDE_CONST || !part.is_string || k->right.kind != SIDE_CONST ||
		!k->right.is_string || (!str_is(type, "text") && !str_is(type, "varchar")))
		return STR_NONE;
	struct str fixed = arena_str(c->arena, part.value);
	if (!fixed.p || (first ? !str_ends(v, fixed.p) : !str_starts(v, fixed.p)))
		return STR_NONE; /* never true */
	v = first ? str_before(v, v.n - fixed.n) : str_skip(v, fixed.n);
	return compare(c, k, sql_quote_literal(c->arena, v));
}

/* CASE WHEN x THEN true [ELSE false] END: x. */
struct str rewrite_case(struct rule_check *c, const struct sql_cond *k)
{
	const struct sql_node *n = k->left.node, *when = node_item(n, "args", 0);
	struct sql_side yes = sql_side(c->arena, node_get(when, "result"));
	struct sql_side no = sql_side(c->arena, node_get(n, "defresult"));

	if (k->pred != PRED_BOOL || node_len(n, "args") != 1 || node_get(n, "arg") ||
		!yes.is_bool || !str_is(yes.value, "true") ||
		(no.node && !(no.is_bool && str_is(no.value, "false")) && !no.is_null))
		return STR_NONE;
	return sql_deparse(c->arena, node_get(when, "expr"));
}

/* --- times ------------------------------------------------------------------------------- */

/* The comparison of a truncated column with the start of a unit: [v, v + 1 unit). */
static struct str unit_range(struct rule_check *c, struct str col, enum sql_pred pred, struct str v,
	struct str unit)
{
	struct str from = arena_printf(c->arena, "timestamp '%.*s'", STR_ARGS(v));
	struct str next =
		arena_printf(c->arena, "%.*s + interval '1 %.*s'", STR_ARGS(from), STR_ARGS(unit));

	switch ((int)pred) {
	case PRED_EQ:
		return arena_printf(c->arena, "%.*s >= %.*s AND %.*s < %.*s", STR_ARGS(col),
			STR_ARGS(from), STR_ARGS(col), STR_ARGS(next));
	case PRED_GE:
		return arena_printf(c->arena, "%.*s >= %.*s", STR_ARGS(col), STR_ARGS(from));
	case PRED_LT:
		return arena_printf(c->arena, "%.*s < %.*s", STR_ARGS(col), STR_ARGS(from));
	case PRED_GT:
		return arena_printf(c->arena, "%.*s >= %.*s", STR_ARGS(col), STR_ARGS(next));
	case PRED_LE:
		return arena_printf(c->arena, "%.*s < %.*s", STR_ARGS(col), STR_ARGS(next));
	}
	return STR_NONE;
}

static bool is_date(struct str v)
{
	for (size_t i = 0; i < v.n; i++)
		if (i == 4 || i == 7 ? v.p[i] != '-' : v.p[i] < '0' || v.p[i] > '9')
			return false;
	int year = 0, month = 0, day = 0;
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	if (v.n != 10 || sscanf(v.p, "%4d-%2d-%2d", &year, &month, &day) != 3 || year < 1 ||
		month < 1 || month > 12)
		return false;
	bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
	return day >= 1 && day <= days[month - 1] + (month == 2 && leap);
}

/* Is the literal's date where the unit begins, so that truncated = literal can be true? */
static bool begins(struct str unit, struct str v)
{
	if (!is_date(v))
		return false;
	return str_is(unit, "day") || (str_is(unit, "month") && str_ends(v, "-01")) ||
	       (str_is(unit, "year") && str_ends(v, "-01-01"));
}

static struct str zone_moved(struct rule_check *c, const struct sql_cond *k)
{
	const struct sql_node *n = k->left.node;
	struct str zone = str_of(node_str(node_get(node_item(n, "args", 0), "sval"), "sval"));
	struct str type = column_type(c, k);
	bool plain = str_is(type, "timestamp");

	/* Other zones have hours that come twice. */
	if (!str_is_nocase(zone, "utc") || k->pred > PRED_GE || k->pred == PRED_NE ||
		!k->right.is_string || k->right.cast.n ||
		(!plain && !str_is(type, "timestamptz")) ||
		!node_is(node_item(n, "args", 1), "ColumnRef"))
		return STR_NONE;
	return compare(c, k,
		arena_printf(c->arena, "%s %.*s AT TIME ZONE 'UTC'",
			plain ? "timestamptz" : "timestamp",
			STR_ARGS(sql_quote_literal(c->arena, k->right.value))));
}

struct str rewrite_time(struct rule_check *c, const struct sql_cond *k)
{
	const struct sql_node *n = k->left.node;
	struct str unit = str_of(node_str(node_get(node_item(n, "args", 0), "sval"), "sval"));
	struct str col = sarg_column(c, &k->left);
	int64_t year;

	if (k->right.kind != SIDE_CONST || k->right.is_null || node_len(n, "args") != 2)
		return STR_NONE;
	if (k->left.wrap == WRAP_TIMEZONE)
		return zone_moved(c, k);
	if (!node_is(node_item(n, "args", 1), "ColumnRef"))
		return STR_NONE;
	if (k->left.wrap == WRAP_TRUNC && k->right.is_string && begins(unit, k->right.value))
		return unit_range(c, col, k->pred, k->right.value, unit);
	if (k->left.wrap == WRAP_EXTRACT && str_is(unit, "year") && k->pred <= PRED_GE &&
		k->pred != PRED_NE && str_to_i64(k->right.value, &year) && year > 0 && year < 9999)
		return unit_range(c, col, k->pred, arena_printf(c->arena, "%04d-01-01", (int)year),
			STR("year"));
	return STR_NONE;
}

/* to_char(col, 'YYYY-MM-DD') = '2024-01-05': that day; months and years alike. */
struct str rewrite_to_char(struct rule_check *c, const struct sql_cond *k)
{
	static const struct {
		const char *format, *unit, *rest;
		size_t length;
	} formats[] = {{"YYYY-MM-DD", "day", "", 10}, {"YYYY-MM", "month", "-01", 7},
		{"YYYY", "year", "-01-01", 4}};
	const struct sql_node *n = k->left.node;
	struct str format = str_of(node_str(node_get(node_item(n, "args", 1), "sval"), "sval"));
	struct str type = column_type(c, k);

	if (k->pred != PRED_EQ || k->right.kind != SIDE_CONST || !k->right.is_string ||
		!node_is(node_item(n, "args", 0), "ColumnRef") ||
		(!str_is(type, "date") && !str_is(type, "timestamp") &&
			!str_is(type, "timestamptz")))
		return STR_NONE;
	for (size_t i = 0; i < ARRAY_LEN(formats); i++) {
		struct str from =
			arena_printf(c->arena, "%.*s%s", STR_ARGS(k->right.value), formats[i].rest);
		if (str_is(format, formats[i].format) && k->right.value.n == formats[i].length &&
			is_date(from))
			return unit_range(c, sarg_column(c, &k->left), PRED_EQ, from,
				str_of(formats[i].unit));
	}
	return STR_NONE;
}

/* --- OR over tables -------------------------------------------------------------------------- */

/* Is every row of the result another one, so that UNION takes none out? */
static bool has_keys(const struct rule_check *c, const struct sql_outline *o)
{
	for (size_t i = 0; i < o->rels; i++) {
		const struct schema_table *t =
			o->rel[i].kind == REL_TABLE
				? schema_find(c->schema, o->rel[i].schema, o->rel[i].name)
				: NULL;
		struct str set[32];
		size_t n = 0;
		bool all = false;
		for (size_t k = 0; k < o->targets && n < 32; k++) {
			const struct sql_target *x = &o->target[k];
			all |= x->kind == TARGET_STAR &&
			       (!x->val.col.qual.n || str_eq(x->val.col.qual, o->rel[i].alias));
			if (x->kind == TARGET_COLUMN && x->val.col.rel == (int)i)
				set[n++] = x->val.col.name;
		}
		for (size_t k = 0; t && all && k < t->column.n && n < 32; k++)
			set[n++] = t->column.at[k].name;
		if (!t || !schema_unique_by(t, set, n))
			return false;
	}
	return true;
}

struct str rewrite_union(struct rule_check *c, const struct sql_cond *k)
{
	const struct sql_outline *o = c->o;
	size_t where = 0;

	for (size_t i = 0; i < o->conds; i++)
		where += o->cond[i].clause == CLAUSE_WHERE;
	if (where != 1 || o->role != ROLE_TOP || o->verb != SQL_SELECT || o->orders ||
		o->has_group || o->has_aggregate || o->limit != BOUND_NONE ||
		o->offset != BOUND_NONE || o->is_locking || k->arms != 2 ||
		c->tree->statements != 1 || k->loc <= 0 || (!o->is_distinct && !has_keys(c, o)))
		return STR_NONE;
	struct str head = str_trim(str_before(c->tree->text, (size_t)k->loc));
	while (str_ends(head, "(")) /* WHERE (a OR b) */
		head = str_trim(str_before(head, head.n - 1));
	return arena_printf(c->arena, "%.*s %.*s UNION %.*s %.*s", STR_ARGS(head),
		STR_ARGS(sql_deparse(c->arena, k->arm[0].node)), STR_ARGS(head),
		STR_ARGS(sql_deparse(c->arena, k->arm[1].node)));
}
