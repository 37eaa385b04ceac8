/* SPDX-License-Identifier: ISC
 *
 * rule_wrapped: a function or a cast between the column and its comparison, and patterns that
 * begin with a wildcard: SG001, SG002, SG004, SG005.
 */
#include "rule_sargable.h"

#include <ctype.h>

/* --- days --------------------------------------------------------------------------- */

/* A value as a date that stands before `+ 1`; STR_NONE: it has a time of day, which the cast would
 * take from it, or is no day of the calendar. */
static struct str as_date(struct rule_check *c, const struct sql_side *v)
{
	struct str text = sql_deparse(c->arena, v->node);
	struct str type = v->node ? schema_type(c->schema, c->arena, c->o, v->node) : STR("");

	if (v->cols || !text.n || v->is_null || str_find(text, "infinity") < text.n)
		return STR_NONE;
	if (v->kind == SIDE_CONST && !v->cast.n && v->is_string)
		return arena_printf(c->arena, "date %.*s", STR_ARGS(text));
	if (v->kind == SIDE_PARAM && !v->cast.n)
		return arena_printf(c->arena, "%.*s::date", STR_ARGS(text));
	if (!str_is(type, "date"))
		return STR_NONE;
	return node_is(v->node, "A_Expr") ? arena_printf(c->arena, "(%.*s)", STR_ARGS(text)) : text;
}

/* date(col) = v, col::date >= v …: a half-open range. */
static struct str day_range(struct rule_check *c, const struct sql_cond *k)
{
	struct str col = sarg_column(c, &k->left), v = as_date(c, &k->right), u;

	if (!v.n)
		return STR_NONE;
	switch ((int)k->pred) {
	case PRED_EQ:
		return arena_printf(c->arena, "%.*s >= %.*s AND %.*s < %.*s + 1", STR_ARGS(col),
			STR_ARGS(v), STR_ARGS(col), STR_ARGS(v));
	case PRED_GE:
	case PRED_LT:
		return arena_printf(c->arena, "%.*s %.*s %.*s", STR_ARGS(col), STR_ARGS(k->op),
			STR_ARGS(v));
	case PRED_GT:
		return arena_printf(c->arena, "%.*s >= %.*s + 1", STR_ARGS(col), STR_ARGS(v));
	case PRED_LE:
		return arena_printf(c->arena, "%.*s < %.*s + 1", STR_ARGS(col), STR_ARGS(v));
	case PRED_BETWEEN:
		u = as_date(c, &k->upper);
		if (u.n && str_is(k->op, "between"))
			return arena_printf(c->arena, "%.*s >= %.*s AND %.*s < %.*s + 1",
				STR_ARGS(col), STR_ARGS(v), STR_ARGS(col), STR_ARGS(u));
	}
	return STR_NONE;
}

static bool is_immutable(struct str f)
{
	static const char *const names[] = {"lower", "upper", "abs", "length", "char_length", "md5",
		"btrim", "ltrim", "rtrim", "trim", "substr", "substring", "left", "right", "floor",
		"ceil", "ceiling", "round", "trunc", "replace", "reverse", "initcap", "sign",
		"split_part", "regexp_replace", "translate"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (str_is(f, names[i]))
			return true;
	return false;
}

/* --- patterns ------------------------------------------------------------------------ */

/* The pattern's leading literal: '%…' itself, or the left end of '%' || $1. */
static bool leads_with_wildcard(const struct sql_node *n)
{
	if (node_is(n, "TypeCast"))
		return leads_with_wildcard(node_get(n, "arg"));
	if (node_is(n, "A_Expr") && str_is(node_last_name(n, "name"), "||"))
		return leads_with_wildcard(node_get(n, "lexpr"));
	if (node_is(n, "FuncCall") &&
		(str_is(node_last_name(n, "funcname"), "concat") ||
			str_is(node_last_name(n, "funcname"), "similar_to_escape")))
		return leads_with_wildcard(node_item(n, "args", 0));
	const char *v = node_str(node_get(n, "sval"), "sval");
	return v[0] == '%' || v[0] == '_';
}

static bool is_unanchored(const struct sql_cond *k)
{
	if (k->pred == PRED_LIKE || k->pred == PRED_ILIKE || k->pred == PRED_SIMILAR)
		return leads_with_wildcard(k->right.node);
	if (k->pred == PRED_REGEX && k->op.n && k->op.p[0] == '~' && k->right.kind == SIDE_CONST)
		return k->right.value.n > 0 && k->right.value.p[0] != '^';
	return false;
}

/* --- SG001: function on column ------------------------------------------------------------ */

/* Functions that are a condition themselves; others may have an index's support (PostGIS). */
static bool is_test(struct str f)
{
	static const char *const names[] = {"starts_with", "isfinite", "isempty", "overlaps",
		"jsonb_path_exists", "jsonb_path_match", "regexp_like", "jsonb_exists"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (str_is(f, names[i]))
			return true;
	return false;
}

/* Extensions whose planner support turns the call into a range or an index's operator. */
static bool has_own_support(struct str f)
{
	return str_starts(f, "time_bucket") || str_starts(f, "st_");
}

const char *sarg_opclass(const struct sql_cond *k)
{
	if (k->pred == PRED_LIKE)
		return is_unanchored(k) ? "gin_trgm_ops" : "text_pattern_ops";
	return k->pred == PRED_REGEX || k->pred == PRED_ILIKE || k->pred == PRED_SIMILAR
		       ? "gin_trgm_ops"
		       : "";
}

static void look_sg001(struct rule_check *c, const struct sql_cond *k)
{
	const struct sql_side *s = &k->left;
	struct schema_served miss;

	if (s->kind != SIDE_WRAPPED || s->wrap != WRAP_FUNC ||
		!(sarg_is_comparison(k) || (k->pred == PRED_BOOL && is_test(s->by))) ||
		s->is_volatile || s->col.rel == -2 || has_own_support(s->by) ||
		is_unanchored(k) /* SG005 */ || sarg_is_served(c, k))
		return;
	if (schema_serves(c->schema, c->arena, c->o, k, &miss) == SERVE_NO && miss.index)
		return; /* the expression is indexed: it is something else */
	struct finding *x = sarg_report(c, k, sarg_sure(c, k), "a function is applied to", s->by);
	if (str_is(s->by, "date"))
		finding_fix(c->findings, x, day_range(c, k), "%s", sarg_range_advice(c, s));
	else if (str_is(s->by, "to_char"))
		finding_fix(c->findings, x, rewrite_to_char(c, k), "%s", sarg_range_advice(c, s));
	else if (is_immutable(s->by))
		finding_fix(c->findings, x, sarg_expression_index(c, s, sarg_opclass(k)),
			"an index on the expression serves it as it is");
	else
		finding_fix(c->findings, x, STR_NONE,
			"move the function to the other side, or index the expression if it is "
			"immutable");
}

void check_sg001(struct rule_check *c)
{
	sarg_each(c, look_sg001);
}

/* --- SG002: explicit cast on column ---------------------------------------------------------- */

static bool is_text(struct str t)
{
	return str_is(t, "text") || str_is(t, "varchar");
}

static void look_sg002(struct rule_check *c, const struct sql_cond *k)
{
	const struct sql_side *s = &k->left;
	const struct schema_column *col;
	enum confidence sure = sarg_sure(c, k);

	if (s->kind != SIDE_WRAPPED || s->wrap != WRAP_CAST || !sarg_is_comparison(k) ||
		!node_is(node_get(s->node, "arg"), "ColumnRef") || s->col.rel == -2 ||
		sarg_is_served(c, k))
		return;
	if (schema_resolve(c->schema, c->o, &s->col, NULL, &col)) {
		if (schema_type_is_relabel(col->type, s->by) &&
			!node_len(node_get(s->node, "type_name"), "typmods"))
			return; /* indexes see through it */
		if (str_is(col->type, "bpchar") && is_text(s->by))
			return; /* SG021 */
	} else if (is_text(s->by)) {
		sure = CONF_POSSIBLE; /* nothing, when the column is a varchar */
	}
	struct finding *x = sarg_report(c, k, sure, "a cast is applied to", s->by);
	if (str_is(s->by, "date"))
		finding_fix(c->findings, x, day_range(c, k), "%s", sarg_range_advice(c, s));
	else
		finding_fix(c->findings, x, rewrite_cast(c, k),
			"cast the value to the column's type instead of the column");
}

void check_sg002(struct rule_check *c)
{
	sarg_each(c, look_sg002);
}

/* --- SG004: implicit cast on column
 * ----------------------------------------------------------------- */

/* Does comparing with that side cast the column? */
static bool casts_column(struct rule_check *c, struct str column, const struct sql_side *v)
{
	struct str type = v->node ? schema_type(c->schema, c->arena, c->o, v->node) : STR("");

	if (str_ends(type, "[]") && !str_ends(column, "[]")) /* = ANY (array) */
		type = str_before(type, type.n - 2);
	return schema_fit(column, type) == FIT_CASTS;
}

/* The same comparison in the column's own type, where that means the same for every row. */
static struct str in_own_type(struct rule_check *c, const struct sql_cond *k, struct str type)
{
	const struct sql_side *v = &k->right;
	bool integer = str_is(type, "int2") || str_is(type, "int4") || str_is(type, "int8");
	char *end = NULL;

	if (v->kind != SIDE_CONST || !v->value.n || k->pred > PRED_GE)
		return STR_NONE;
	double number = strtod(v->value.p, &end);
	if (end == v->value.p + v->value.n && (integer || str_is(type, "numeric")))
		return integer ? rewrite_integer(c, k, number)
			       : arena_printf(c->arena, "%.*s %.*s %.*s",
					 STR_ARGS(sarg_column(c, &k->left)), STR_ARGS(k->op),
					 STR_ARGS(v->value));
	if (str_is(type, "bpchar") && v->is_string && !str_ends(v->value, " "))
		return arena_printf(c->arena, "%.*s %.*s %.*s", STR_ARGS(sarg_column(c, &k->left)),
			STR_ARGS(k->op), STR_ARGS(sql_quote_literal(c->arena, v->value)));
	return STR_NONE;
}

/* Is the value that of a subquery which needs the row itself?  Then no type would help. */
static bool needs_same_row(const struct sql_side *s)
{
	for (size_t i = 0; s->sub && i < s->sub->conds; i++)
		if (s->sub->cond[i].left.col.rel == -2 || s->sub->cond[i].right.col.rel == -2)
			return true;
	return false;
}

static void look_sg004(struct rule_check *c, const struct sql_cond *k)
{
	const struct schema_column *col;

	if (needs_same_row(&k->right) || k->pred == PRED_LIKE || k->pred == PRED_ILIKE ||
		k->pred == PRED_SIMILAR || k->pred == PRED_REGEX) /* patterns are of text for all */
		return;
	if (k->left.kind != SIDE_COLUMN || !sarg_is_comparison(k) || k->right.cols ||
		!schema_resolve(c->schema, c->o, &k->left.col, NULL, &col))
		return;
	if ((!casts_column(c, col->type, &k->right) && !casts_column(c, col->type, &k->upper)) ||
		sarg_is_served(c, k))
		return;
	struct finding *x =
		sarg_report(c, k, CONF_CERTAIN, "the value's type forces a cast of", col->type);
	finding_fix(c->findings, x, in_own_type(c, k, col->type),
		"give the value the column's type, %.*s", STR_ARGS(col->type));
}

void check_sg004(struct rule_check *c)
{
	sarg_each(c, look_sg004);
}

/* --- SG005: leading wildcard
 * ------------------------------------------------------------------------- */

/* Are there three letters or digits in a row, which a trigram index looks up? */
static bool has_trigram(struct str pattern)
{
	size_t row = 0;

	for (size_t i = 0; i < pattern.n && row < 3; i++) {
		unsigned char ch = (unsigned char)pattern.p[i];
		row = isalnum(ch) || ch >= 128 ? row + 1 : 0;
	}
	return row >= 3;
}

static void look_sg005(struct rule_check *c, const struct sql_cond *k)
{
	const struct sql_side *s = &k->left;

	if ((s->kind != SIDE_COLUMN && s->wrap != WRAP_FUNC) || !is_unanchored(k) ||
		s->col.rel == -2 || sarg_is_served(c, k))
		return;
	struct finding *x =
		sarg_report(c, k, sarg_sure(c, k), "the pattern is not anchored on", STR(""));
	bool any = k->right.kind != SIDE_CONST || has_trigram(k->right.value);
	finding_fix(c->findings, x, any ? sarg_column_index(c, s, "gin", "gin_trgm_ops") : STR_NONE,
		any ? "a trigram index (extension pg_trgm) serves patterns with three characters "
		      "or "
		      "more in a row"
		    : "a trigram index would serve it with three characters or more in a row; with "
		      "fewer, keep what is looked for in a column of its own");
}

void check_sg005(struct rule_check *c)
{
	sarg_each(c, look_sg005);
}
