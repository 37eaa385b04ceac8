/* SPDX-License-Identifier: ISC
 *
 * rule_meaning: conditions that do not say what they look like: a day's end left out, a column
 * of no table, contradictions.
 */
#include "rule_sargable.h"

#include <math.h>

/* --- CC002: BETWEEN days over moments --------------------------------------------------------- */

static bool is_day(const struct sql_side *s)
{
	return s->kind == SIDE_CONST && s->value.n == 10 && s->value.p[4] == '-' &&
	       s->value.p[7] == '-';
}

static void look_cc002(struct rule_check *c, const struct sql_cond *k)
{
	const struct schema_column *col;

	if (k->pred != PRED_BETWEEN || k->left.kind != SIDE_COLUMN || !is_day(&k->right) ||
		!is_day(&k->upper) || !schema_resolve(c->schema, c->o, &k->left.col, NULL, &col) ||
		(!str_is(col->type, "timestamp") && !str_is(col->type, "timestamptz")))
		return;
	struct finding *x = rule_find(c, CONF_LIKELY,
		"%.*s is a time of day, too: BETWEEN ends with the first moment of the last day",
		STR_ARGS(k->left.col.name));
	x->key = arena_str(&c->findings->arena, k->left.col.name);
	finding_fix(c->findings, x, STR_NONE, "%.*s >= first day AND %.*s < the day after the last",
		STR_ARGS(k->left.col.name), STR_ARGS(k->left.col.name));
}

void check_cc002(struct rule_check *c)
{
	sarg_each(c, look_cc002);
}

/* --- CC003: columns without their table
 * ----------------------------------------------------------- */

struct bare {
	const struct sql_outline *o;
	struct str name;
};

static bool is_output(const struct sql_outline *o, struct str name)
{
	for (size_t i = 0; i < o->targets; i++)
		if (str_is(name, node_str(o->target[i].node, "name")))
			return true;
	return false;
}

static enum walk find_bare(void *ctx, const struct sql_path *at)
{
	struct bare *b = ctx;

	if (node_is(at->node, "SubLink") || node_is(at->node, "WithClause") ||
		(at->node != b->o->node && node_is(at->node, "SelectStmt")) ||
		(node_is(at->node, "ResTarget") && b->o->verb != SQL_SELECT))
		return WALK_PRUNE;
	if (!node_is(at->node, "ColumnRef") || node_len(at->node, "fields") != 1)
		return WALK_ON;
	struct str name = str_of(node_str(node_item(at->node, "fields", 0), "sval"));
	bool whole = false;
	for (size_t i = 0; i < b->o->rels; i++)
		whole |= str_eq(b->o->rel[i].alias, name); /* the row itself */
	if (name.n && !whole && !is_output(b->o, name))
		b->name = name;
	return b->name.n ? WALK_STOP : WALK_ON;
}

void check_cc003(struct rule_check *c)
{
	const struct sql_outline *o = c->o;
	struct bare b = {o, STR("")};
	size_t tables = 0;

	for (size_t i = 0; i < o->rels; i++) {
		enum sql_rel_kind kind = o->rel[i].kind;
		tables += kind == REL_TABLE || kind == REL_CTE || kind == REL_SUBQUERY;
		if (o->rel[i].is_natural)
			return; /* merged columns have no table */
	}
	if (tables < 2 || o->is_setop || o->verb == SQL_MERGE || o->verb == SQL_INSERT)
		return;
	sql_walk(o->node, find_bare, &b);
	if (!b.name.n)
		return;
	struct finding *x = rule_find(c, CONF_POSSIBLE,
		"%.*s does not say which table it is of: a column added to another one makes it "
		"ambiguous",
		STR_ARGS(b.name));
	x->key = arena_str(&c->findings->arena, b.name);
}

/* --- CC004: contradictions
 * -------------------------------------------------------------------------- */

static bool number_of(const struct sql_side *s, double *v)
{
	char *end;

	if (s->kind != SIDE_CONST || s->is_string || s->is_bool || !s->value.n)
		return false;
	*v = strtod(s->value.p, &end);
	return end == s->value.p + s->value.n;
}

/* Can no value make both true? */
static bool exclude(const struct sql_cond *a, const struct sql_cond *b)
{
	double x = 0, y = 0;
	bool above = b->pred == PRED_GT || b->pred == PRED_GE;
	bool below = b->pred == PRED_LT || b->pred == PRED_LE;

	if (a->left.kind != SIDE_COLUMN || b->left.kind != SIDE_COLUMN ||
		a->clause != CLAUSE_WHERE || b->clause != CLAUSE_WHERE ||
		a->left.col.rel != b->left.col.rel || !str_eq(a->left.col.name, b->left.col.name) ||
		!str_eq(a->left.col.qual, b->left.col.qual))
		return false;
	if ((a->pred == PRED_IS_NULL && b->pred <= PRED_GE) ||
		(a->pred == PRED_IS_NULL && b->pred == PRED_NOT_NULL))
		return true;
	if (!number_of(&a->right, &x) || !number_of(&b->right, &y))
		return a->pred == PRED_EQ && b->pred == PRED_EQ && a->right.kind == SIDE_CONST &&
		       b->right.kind == SIDE_CONST && a->right.is_string && b->right.is_string &&
		       !a->right.cast.n && !b->right.cast.n &&
		       !str_is_nocase(a->right.value, b->right.value.p ? b->right.value.p : "");
	if (a->pred == PRED_EQ)
		return (b->pred == PRED_EQ && fabs(x - y) > 0) || (above && x < y) ||
		       (below && x > y);
	return (a->pred == PRED_GT || a->pred == PRED_GE) && below && x > y;
}

void check_cc004(struct rule_check *c)
{
	for (size_t i = 0; i < c->o->conds; i++)
		for (size_t k = 0; k < c->o->conds; k++) {
			const struct sql_cond *a = &c->o->cond[i], *b = &c->o->cond[k];
			if (i == k || (a->pred == PRED_EQ && b->pred == PRED_EQ && k < i) ||
				!exclude(a, b))
				continue;
			struct str x = rule_text(c, a->node), y = rule_text(c, b->node);
			struct finding *f = rule_find(c, CONF_CERTAIN,
				"no row fulfils both %.*s and %.*s", STR_ARGS(x), STR_ARGS(y));
			f->key = arena_str(&c->findings->arena, a->left.col.name);
			return;
		}
}

/* --- ST001: the constant first
 * ------------------------------------------------------------------------ */

static void look_st001(struct rule_check *c, const struct sql_cond *k)
{
	if (!k->swapped || k->right.kind != SIDE_CONST || k->left.kind != SIDE_COLUMN)
		return;
	struct finding *x = rule_find(c, CONF_CERTAIN, "the value stands before its column: %.*s",
		STR_ARGS(rule_text(c, k->node)));
	x->key = arena_str(&c->findings->arena, k->left.col.name);
	finding_fix(c->findings, x,
		arena_printf(c->arena, "%.*s %.*s %.*s", STR_ARGS(sarg_column(c, &k->left)),
			STR_ARGS(k->op), STR_ARGS(sql_deparse(c->arena, k->right.node))),
		"for the eye only: the planner reads both alike");
}

void check_st001(struct rule_check *c)
{
	sarg_each(c, look_st001);
}
