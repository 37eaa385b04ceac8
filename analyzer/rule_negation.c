/* SPDX-License-Identifier: ISC
 *
 * rule_negation: what is asked for is everything but a value: SG009 where nothing else restricts
 * a table, SG010 for IS [NOT] DISTINCT FROM.
 */
#include "rule_sargable.h"

/* --- SG009: nothing but negations ----------------------------------------------------------- */

static bool is_negative(const struct sql_cond *k)
{
	if (k->pred == PRED_OR || k->pred == PRED_AND) {
		for (size_t i = 0; i < k->arms; i++)
			if (!is_negative(&k->arm[i]) || k->arm[i].right.cols)
				return false;
		return k->arms > 0;
	}
	if (k->pred == PRED_NOT)
		return k->arm[0].pred != PRED_BOOL && k->arm[0].left.cols > 0;
	if (k->pred == PRED_NE && (k->right.is_bool || str_is(k->right.cast, "bool") ||
					  node_is(k->right.node, "BoolExpr")))
		return false; /* NOT flag */
	return k->pred == PRED_NE || k->pred == PRED_NOT_LIKE || k->pred == PRED_NOT_ILIKE ||
	       (k->pred == PRED_NOT_IN && k->right.kind != SIDE_QUERY) || /* SG026, SQ001, SQ003 */
	       (k->pred == PRED_ALL && str_is(k->op, "<>") && k->right.kind != SIDE_QUERY) ||
	       (k->pred == PRED_REGEX && k->op.n && k->op.p[0] == '!');
}

static bool served_by_partial(struct rule_check *c, const struct sql_cond *k)
{
	const struct schema_table *t;
	struct str text = sql_deparse(c->arena, k->node);

	if (!schema_resolve(c->schema, c->o, &k->left.col, &t, NULL))
		return false;
	for (size_t i = 0; i < t->index.n; i++)
		if (t->index.at[i]->where.p && str_eq(t->index.at[i]->where, text))
			return true;
	return false;
}

static const struct sql_cond *first_leaf(const struct sql_cond *k)
{
	while (k->arms)
		k = &k->arm[0];
	return k;
}

/* The item of FROM that the condition is about alone; -1: several, or not known. */
static int rel_of(const struct sql_outline *o, const struct sql_cond *k)
{
	int rel = -2;

	for (size_t i = 0; i < k->arms; i++) {
		int one = rel_of(o, &k->arm[i]);
		if (one == -1 || (rel >= 0 && one >= 0 && one != rel))
			return -1;
		rel = one >= 0 ? one : rel;
	}
	if (k->arms)
		return rel == -2 ? -1 : rel;
	int at = k->left.cols ? k->left.col.rel : k->right.col.rel;
	if (at == -1 && o->rels == 1)
		at = 0;
	return k->left.cols && k->right.cols && k->right.col.rel != at ? -1 : at;
}

/* Is the condition one that could find rows of the table: its own, or a join's with an index at
 * its side?  In a join only a schema can tell. */
static bool may_find(struct rule_check *c, const struct sql_cond *k, int rel)
{
	if (k->clause == CLAUSE_HAVING)
		return false;
	int about = rel_of(c->o, k);
	if (about >= 0 && about != rel)
		return false;
	if (about == rel)
		return !is_negative(k);
	return !c->schema || schema_serves(c->schema, c->arena, c->o, k, NULL) != SERVE_NO;
}

static void report(struct rule_check *c, const struct sql_cond *first)
{
	struct sql_cond shown = *first_leaf(first);

	if (!shown.left.cols) /* 5 <> ALL (column) */
		shown.left = shown.right;
	shown.node = first->node;
	struct finding *x =
		sarg_report(c, &shown, CONF_POSSIBLE, "only a negation restricts", STR(""));
	struct str text = sarg_text(c, first);
	if (memchr(text.p ? text.p : "", '$', text.n)) /* no index has a parameter in it */
		finding_fix(c->findings, x, STR_NONE, "name the values wanted");
	else
		finding_fix(c->findings, x, STR_NONE,
			"name the values wanted; or, when few rows are left, a partial index WHERE "
			"%.*s",
			STR_ARGS(text));
}

static void look_at_table(struct rule_check *c, int rel)
{
	const struct sql_outline *o = c->o;
	const struct sql_cond *first = NULL;

	for (size_t i = 0; i < o->conds; i++) {
		const struct sql_cond *k = &o->cond[i], *leaf = first_leaf(k);
		if (may_find(c, k, rel))
			return; /* something else may find the rows */
		if (rel_of(o, k) != rel || k->clause == CLAUSE_HAVING || !is_negative(k))
			continue;
		if ((leaf->left.cols == 0) == (leaf->right.cols == 0) ||
			schema_serves(c->schema, c->arena, o, k, NULL) == SERVE_YES)
			return;
		first = first ? first : k;
	}
	if (first && !sarg_is_served(c, first) && !served_by_partial(c, first))
		report(c, first);
}

void check_sg009(struct rule_check *c)
{
	const struct sql_outline *o = c->o;

	if (o->limit != BOUND_NONE || (o->rels > 1 && !c->schema))
		return;
	for (size_t i = 0; i < o->rels; i++)
		if (o->rel[i].kind == REL_TABLE ||
			(c->schema && o->rel[i].sub && !o->rel[i].sub->conds))
			look_at_table(c, (int)i);
}

/* --- SG010: IS [NOT] DISTINCT FROM ------------------------------------------------------- */

/* Does another conjunct say which rows are wanted?  Then this one only takes some of them out. */
static bool restricts_else(const struct sql_outline *o, const struct sql_cond *self)
{
	for (size_t i = 0; i < o->conds; i++) {
		const struct sql_cond *k = &o->cond[i];
		if (k != self && k->clause == CLAUSE_WHERE && k->pred != PRED_NE &&
			k->pred != PRED_DISTINCT && k->pred != PRED_NOT_NULL &&
			k->pred != PRED_NOT_IN && k->pred != PRED_NOT_LIKE && k->pred != PRED_CONST)
			return true;
	}
	return false;
}

static void look_sg010(struct rule_check *c, const struct sql_cond *k)
{
	bool same = k->pred == PRED_NOT_DISTINCT;
	bool bare = k->left.kind == SIDE_COLUMN;
	bool plain = same && bare && k->right.kind == SIDE_CONST && !k->right.is_null;

	if ((k->pred != PRED_DISTINCT && k->pred != PRED_NOT_DISTINCT) || k->left.col.rel == -2 ||
		k->right.is_null || !k->left.cols || k->left.wrap == WRAP_ROW || k->right.cols ||
		k->clause != CLAUSE_WHERE || (!same && restricts_else(c->o, k)) ||
		sarg_is_served(c, k))
		return;
	struct finding *x = sarg_report(c, k, sarg_sure(c, k),
		same ? "IS NOT DISTINCT FROM tests" : "IS DISTINCT FROM tests", STR(""));
	finding_fix(c->findings, x,
		plain ? arena_printf(c->arena, "%.*s = %.*s", STR_ARGS(sarg_column(c, &k->left)),
				STR_ARGS(sql_deparse(c->arena, k->right.node)))
		      : STR_NONE,
		same ? "with a value that is not NULL, = means the same and uses the index; "
		       "send IS NULL where the value is NULL"
		: k->right.kind == SIDE_CONST
			? "it finds all rows but those with the value: name the values wanted; or, "
			  "when few rows are left, index only them: CREATE INDEX … WHERE this "
			  "condition"
			: "it finds all rows but those with the value: name the values wanted");
}

void check_sg010(struct rule_check *c)
{
	sarg_each(c, look_sg010);
}
