/* SPDX-License-Identifier: ISC
 *
 * rule_sargable: predicates an index on their column cannot serve.
 *
 * All of them look at the conjuncts of WHERE and ON.  They are silent where an expression index
 * serves the predicate as it is (schema), where the table is small (schema with statistics),
 * and where another conjunct already finds the rows by a unique key.
 */
#include "rule_sargable.h"

/* --- what they share -------------------------------------------------------------- */

static bool in_scope(const struct sql_cond *k)
{
	return k->clause == CLAUSE_WHERE || k->clause == CLAUSE_ON;
}

bool sarg_is_comparison(const struct sql_cond *k)
{
	switch (k->pred) {
	case PRED_EQ:
	case PRED_LT:
	case PRED_LE:
	case PRED_GT:
	case PRED_GE:
	case PRED_IN:
	case PRED_ANY:
	case PRED_BETWEEN:
	case PRED_LIKE:
	case PRED_ILIKE:
	case PRED_SIMILAR:
	case PRED_REGEX:
		return true;
	case PRED_IS_NULL:
	case PRED_NOT_NULL: /* of the bare column an index serves them */
	case PRED_NOT_BETWEEN:
	case PRED_OP:
		return k->left.kind == SIDE_WRAPPED;
	case PRED_ALL:
		return k->left.kind == SIDE_WRAPPED && !str_is(k->op, "<>");
	case PRED_NE:
	case PRED_NOT_LIKE:
	case PRED_NOT_ILIKE:
	case PRED_NOT_IN:
	case PRED_DISTINCT:
	case PRED_NOT_DISTINCT:
	case PRED_BOOL:
	case PRED_IS_BOOL:
	case PRED_EXISTS:
	case PRED_NOT_EXISTS:
	case PRED_OR:
	case PRED_AND:
	case PRED_NOT:
	case PRED_CONST:
		return false;
	}
	return false;
}

struct str sarg_table(const struct sql_outline *o, const struct sql_side *s)
{
	int r = s->col.rel >= 0 ? s->col.rel : o->rels == 1 ? 0 : -1;

	return r >= 0 && (size_t)r < o->rels ? o->rel[r].name : STR("");
}

/* The side's expression as an index would hold it: columns without their table. */
static struct str bare_expr(struct rule_check *c, const struct sql_side *s)
{
	struct str expr = sql_deparse(c->arena, s->node), out;
	struct text bare = {0};

	if (!s->col.qual.n || !expr.n)
		return expr;
	struct str qual =
		arena_printf(c->arena, "%.*s.", STR_ARGS(sql_quote_ident(c->arena, s->col.qual)));
	for (size_t at = 0; at < expr.n;) {
		if (str_starts(str_skip(expr, at), qual.p))
			at += qual.n;
		else
			text_char(&bare, expr.p[at++]);
	}
	out = arena_str(c->arena, text_slice(&bare));
	text_release(&bare);
	return out;
}

static bool holds(const struct sql_cond *whole, const struct sql_cond *part)
{
	for (size_t i = 0; i < whole->arms; i++)
		if (holds(&whole->arm[i], part))
			return true;
	return whole == part;
}

/* Is it looked up rather than walked along: an equality, a pattern, containment, not a range? */
static bool is_lookup(const struct sql_cond *k)
{
	return k->pred == PRED_EQ || k->pred == PRED_IN ||
	       (k->pred == PRED_ANY && str_is(k->op, "=")) || k->pred == PRED_LIKE ||
	       k->pred == PRED_REGEX || k->pred == PRED_OP || k->pred == PRED_IS_NULL;
}

/* Does a look-up beside it, served by an index, leave few rows to look at? */
static bool other_finds(struct rule_check *c, const struct sql_cond *self)
{
	for (size_t i = 0; i < c->o->conds; i++) {
		const struct sql_cond *k = &c->o->cond[i];
		const struct schema_column *col;
		struct schema_served by;
		if (holds(k, self) || k->clause == CLAUSE_HAVING)
			continue;
		if (schema_serves(c->schema, c->arena, c->o, k, &by) != SERVE_YES)
			continue;
		if (by.index && by.index->where.p) /* few rows are what it is for */
			return true;
		if (k->left.kind != SIDE_COLUMN || k->right.cols ||
			k->left.col.rel != self->left.col.rel || !is_lookup(k) ||
			!schema_resolve(c->schema, c->o, &k->left.col, NULL, &col) ||
			str_is(col->type, "bool"))
			continue;
		return true;
	}
	return false;
}

bool sarg_is_served(struct rule_check *c, const struct sql_cond *k)
{
	const struct sql_side *s = &k->left;
	const struct schema_table *t;
	bool habit;

	if (sarg_is_beyond(c->o, s) ||
		(schema_resolve(c->schema, c->o, &s->col, &t, NULL) && t->is_foreign))
		return true;
	if (rule_is_small(c, c->o, s->col.rel >= 0 ? s->col.rel : 0))
		return true;
	if (!c->schema) /* with one, other_finds() asks which conjunct finds the row */
		return c->o->rels == 1 && rule_one_row(c, c->o, &habit);
	for (size_t i = 0; i < c->o->conds; i++) /* AND in an arm of an OR: one of them is enough */
		if (holds(&c->o->cond[i], k) &&
			schema_serves(c->schema, c->arena, c->o, &c->o->cond[i], NULL) == SERVE_YES)
			return true;
	return schema_serves(c->schema, c->arena, c->o, k, NULL) == SERVE_YES || other_finds(c, k);
}

/* Another conjunct on the same table that an index could serve: then this one costs less. */
static bool has_better(const struct rule_check *c, const struct sql_cond *self)
{
	for (size_t i = 0; i < c->o->conds; i++) {
		const struct sql_cond *k = &c->o->cond[i];
		if (k != self && k->pred == PRED_EQ && k->left.kind == SIDE_COLUMN &&
			k->right.cols == 0 && k->left.col.rel == self->left.col.rel)
			return true;
	}
	return false;
}

enum confidence sarg_sure(const struct rule_check *c, const struct sql_cond *k)
{
	if (k->right.cols > 0 || k->right.kind == SIDE_QUERY)
		return CONF_POSSIBLE; /* a join condition: the other side may drive */
	return has_better(c, k) ? CONF_POSSIBLE : CONF_LIKELY;
}

struct each {
	struct rule_check *c;
	void (*look)(struct rule_check *c, const struct sql_cond *k);
};

static void look_at(const struct each *e, const struct sql_cond *k)
{
	if (!in_scope(k))
		return;
	for (size_t i = 0; i < k->arms; i++)
		look_at(e, &k->arm[i]);
	if (k->arms == 0)
		e->look(e->c, k);
}

void sarg_each(struct rule_check *c, void (*look)(struct rule_check *c, const struct sql_cond *k))
{
	struct each e = {c, look};

	for (size_t i = 0; i < c->o->conds; i++)
		look_at(&e, &c->o->cond[i]);
}

struct str sarg_text(struct rule_check *c, const struct sql_cond *k)
{
	struct str text = rule_text(c, k->node);

	return k->negated && text.n ? arena_printf(c->arena, "NOT (%.*s)", STR_ARGS(text)) : text;
}

struct finding *sarg_report(struct rule_check *c, const struct sql_cond *k, enum confidence sure,
	const char *what, struct str by)
{
	struct str text = sarg_text(c, k);
	struct finding *x =
		rule_find(c, sure, "%s %.*s%s%.*s%s: no index on the column serves %.*s", what,
			STR_ARGS(k->left.col.name), by.n ? " (" : "", STR_ARGS(by), by.n ? ")" : "",
			STR_ARGS(text));

	finding_str(x, "predicate", text);
	finding_str(x, "column", k->left.col.name);
	finding_str(x, "table", sarg_table(c->o, &k->left));
	x->key = arena_str(&c->findings->arena, text);
	return x;
}

/* --- rewrites ------------------------------------------------------------------------ */

struct str sarg_column(struct rule_check *c, const struct sql_side *s)
{
	struct str n = sql_quote_ident(c->arena, s->col.name);

	return s->col.qual.n
		       ? arena_printf(c->arena, "%.*s.%.*s",
				 STR_ARGS(sql_quote_ident(c->arena, s->col.qual)), STR_ARGS(n))
		       : n;
}

/* A value as a date that stands before `+ 1`. */
static struct str as_date(struct rule_check *c, const struct sql_side *v)
{
	struct str text = sql_deparse(c->arena, v->node);
	const struct sql_node *type = node_get(v->node, "type_name");

	if (v->cols || !text.n)
		return STR_NONE;
	if (v->kind == SIDE_CONST && !v->cast.n)
		return arena_printf(c->arena, "date %.*s", STR_ARGS(text));
	if (node_is(v->node, "TypeCast") && str_is(node_last_name(type, "names"), "date"))
		return text;
	return arena_printf(c->arena, node_is(v->node, "A_Expr") ? "(%.*s)::date" : "%.*s::date",
		STR_ARGS(text));
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

/* The table to index, with its schema where that is not the usual one; STR_NONE for a view. */
static struct str index_table(struct rule_check *c, const struct sql_side *s)
{
	int r = s->col.rel >= 0 ? s->col.rel : c->o->rels == 1 ? 0 : -1;
	const struct schema_table *t;

	if (r < 0 || (size_t)r >= c->o->rels || c->o->rel[r].kind != REL_TABLE)
		return STR_NONE;
	const struct sql_rel *rel = &c->o->rel[r];
	struct str name = sql_quote_ident(c->arena, rel->name), schema = rel->schema;
	if (schema_resolve(c->schema, c->o, &s->col, &t, NULL)) {
		if (!str_eq(t->name, rel->name))
			return STR_NONE;
		schema = str_is(t->schema, "public") ? rel->schema : t->schema;
	}
	return schema.n ? arena_printf(c->arena, "%.*s.%.*s",
				  STR_ARGS(sql_quote_ident(c->arena, schema)), STR_ARGS(name))
			: name;
}

static struct str index_on(struct rule_check *c, const struct sql_side *s, const char *method,
	struct str keys)
{
	struct str table = index_table(c, s);
	const struct schema_table *t = NULL;

	schema_resolve(c->schema, c->o, &s->col, &t, NULL);
	return table.n ? ddl_index_on(c, t, table, method, keys) : STR_NONE;
}

struct str sarg_expression_index(struct rule_check *c, const struct sql_side *s,
	const char *opclass)
{
	struct str expr = bare_expr(c, s);
	bool call = node_is(s->node, "FuncCall");

	if (!expr.n || s->cols != 1)
		return STR_NONE;
	return index_on(c, s, strstr(opclass, "gin_") ? "gin" : "",
		arena_printf(c->arena, call ? "%.*s%s%s" : "(%.*s)%s%s", STR_ARGS(expr),
			*opclass ? " " : "", opclass));
}

struct str sarg_column_index(struct rule_check *c, const struct sql_side *s, const char *method,
	const char *opclass)
{
	return index_on(c, s, method,
		arena_printf(c->arena, "%.*s%s%s", STR_ARGS(sql_quote_ident(c->arena, s->col.name)),
			*opclass ? " " : "", opclass));
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
		finding_fix(c->findings, x, day_range(c, k),
			"compare the column itself with a half-open range");
	else if (str_is(s->by, "to_char"))
		finding_fix(c->findings, x, rewrite_to_char(c, k),
			"compare the column itself with a half-open range");
	else if (is_immutable(s->by))
		finding_fix(c->findings, x,
			sarg_expression_index(c, s,
				k->pred == PRED_LIKE ? "text_pattern_ops"
				: k->pred == PRED_REGEX || k->pred == PRED_ILIKE ||
						k->pred == PRED_SIMILAR
					? "gin_trgm_ops"
					: ""),
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
		finding_fix(c->findings, x, day_range(c, k),
			"compare the column itself with a half-open range");
	else
		finding_fix(c->findings, x, rewrite_cast(c, k),
			"cast the value to the column's type instead of the column");
}

void check_sg002(struct rule_check *c)
{
	sarg_each(c, look_sg002);
}

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

/* Months have no length that could be moved across, fractions of floats none that is exact. */
static bool can_move(struct rule_check *c, const struct sql_cond *k, struct str moved, struct str w)
{
	const struct schema_column *col;
	bool known = schema_resolve(c->schema, c->o, &k->left.col, NULL, &col);
	bool fraction = str_find(moved, ".") < moved.n || str_find(w, ".") < w.n;

	if (str_find(moved, "mon") < moved.n || str_find(moved, "year") < moved.n ||
		str_find(w, "mon") < w.n || str_find(w, "year") < w.n)
		return false;
	return known ? !str_starts(col->type, "float") : !fraction;
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
	if (!w.n || !v.n || !can_move(c, k, v, w))
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

static void look_sg004(struct rule_check *c, const struct sql_cond *k)
{
	const struct schema_column *col;

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

static void look_sg005(struct rule_check *c, const struct sql_cond *k)
{
	const struct sql_side *s = &k->left;

	if ((s->kind != SIDE_COLUMN && s->wrap != WRAP_FUNC) || !is_unanchored(k) ||
		s->col.rel == -2 || sarg_is_served(c, k))
		return;
	struct finding *x =
		sarg_report(c, k, sarg_sure(c, k), "the pattern is not anchored on", STR(""));
	finding_fix(c->findings, x, sarg_column_index(c, s, "gin", "gin_trgm_ops"),
		"a trigram index (extension pg_trgm) serves patterns with three characters or more "
		"in a row");
}

void check_sg005(struct rule_check *c)
{
	sarg_each(c, look_sg005);
}
