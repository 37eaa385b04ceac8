/* SPDX-License-Identifier: ISC
 *
 * rule_sargable: predicates an index on their column cannot serve: what the rules share.
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
static bool other_finds(struct rule_check *c, const struct sql_cond *self, int rel)
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
		if (k->left.kind != SIDE_COLUMN || k->right.cols || k->left.col.rel != rel ||
			!is_lookup(k) ||
			!schema_resolve(c->schema, c->o, &k->left.col, NULL, &col) ||
			str_is(col->type, "bool"))
			continue;
		return true;
	}
	return false;
}

bool sarg_is_found(struct rule_check *c, const struct sql_cond *k, const struct sql_side *s)
{
	const struct schema_table *t;
	bool habit;

	if (sarg_is_beyond(c->o, s) ||
		(schema_resolve(c->schema, c->o, &s->col, &t, NULL) && t->is_foreign))
		return true;
	if (rule_is_small(c, c->o, s->col.rel >= 0 ? s->col.rel : 0))
		return true;
	if (!c->schema) /* with one, other_finds() asks which conjunct finds the row */
		return c->o->rels == 1 && rule_one_row(c, c->o, &habit);
	return other_finds(c, k, s->col.rel);
}

bool sarg_is_served(struct rule_check *c, const struct sql_cond *k)
{
	if (sarg_is_found(c, k, &k->left))
		return true;
	if (!c->schema)
		return false;
	for (size_t i = 0; i < c->o->conds; i++) /* AND in an arm of an OR: one of them is enough */
		if (holds(&c->o->cond[i], k) &&
			schema_serves(c->schema, c->arena, c->o, &c->o->cond[i], NULL) == SERVE_YES)
			return true;
	return schema_serves(c->schema, c->arena, c->o, k, NULL) == SERVE_YES;
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

const char *sarg_range_advice(struct rule_check *c, const struct sql_side *s)
{
	const struct schema_column *col;

	if (schema_resolve(c->schema, c->o, &s->col, NULL, &col) &&
		str_is(col->type, "timestamptz"))
		return "compare the column itself with a half-open range: col >= start AND col < "
		       "end (in a zone whose clocks go back at midnight, as in Havana, the hour "
		       "that comes twice is told apart only by its offset)";
	return "compare the column itself with a half-open range: col >= start AND col < end";
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
	t = schema_find(c->schema, rel->schema, rel->name);
	if (t && t->is_view && !t->is_stored)
		return STR_NONE;
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

	if (!expr.n || s->cols != 1 || memchr(expr.p, '$', expr.n)) /* no parameter in an index */
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
