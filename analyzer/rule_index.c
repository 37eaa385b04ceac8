/* SPDX-License-Identifier: ISC
 *
 * rule_index: indexes that are there and do not help: one arm of an OR without one, a leading
 * column that is not asked for; and statements that only a subquery restricts.
 *
 * All but the last need the schema; what it does not know is not spoken of.
 */
#include "rule_sargable.h"

/* --- SG015: OR with an arm that no index serves -------------------------------------------- */

static bool mentions_one_table(const struct sql_cond *k, int *rel)
{
	for (size_t i = 0; i < k->arms; i++)
		if (!mentions_one_table(&k->arm[i], rel))
			return false;
	if (k->arms || !k->left.cols)
		return true;
	if (*rel == -1)
		*rel = k->left.col.rel;
	return *rel == k->left.col.rel && *rel >= 0;
}

void check_sg015(struct rule_check *c)
{
	for (size_t i = 0; i < c->o->conds; i++) {
		const struct sql_cond *k = &c->o->cond[i], *bad = NULL;
		bool served = false, unknown = false;
		int rel = -1;
		if (k->pred != PRED_OR || k->clause == CLAUSE_HAVING ||
			!mentions_one_table(k, &rel) ||
			(rel >= 0 && c->o->rel[rel].nullable)) /* it is asked of the join's rows */
			continue;
		for (size_t j = 0; j < k->arms; j++) {
			struct schema_served by;
			enum serve v = schema_serves(c->schema, c->arena, c->o, &k->arm[j], &by);
			served |= v == SERVE_YES && by.why == WHY_SERVED;
			unknown |= v == SERVE_UNKNOWN;
			bad = v == SERVE_NO && !bad ? &k->arm[j] : bad;
		}
		if (!served || unknown || !bad || sarg_is_served(c, k))
			continue;
		struct str text = rule_text(c, bad->node);
		struct finding *x = rule_find(c, CONF_LIKELY,
			"no index serves %.*s, so those of the other arms of the OR are of no use",
			STR_ARGS(text));
		finding_str(x, "predicate", text);
		x->key = arena_str(&c->findings->arena, rule_text(c, k->node));
		finding_fix(c->findings, x, STR_NONE,
			"make an index for that arm, too: a bitmap then combines them");
	}
}

/* --- SG020: the index's leading column is not asked for ------------------------------------- */

/* Is the side's column one of the table? */
static bool is_of(const struct rule_check *c, const struct sql_side *s,
	const struct schema_table *t)
{
	const struct schema_table *own;

	return s->cols && schema_resolve(c->schema, c->o, &s->col, &own, NULL) && own == t;
}

static void look_sg020(struct rule_check *c, const struct sql_cond *k)
{
	struct schema_served found;

	if (schema_serves(c->schema, c->arena, c->o, k, &found) != SERVE_YES ||
		found.why != WHY_NOT_LEADING || k->pred == PRED_NOT_NULL || k->right.cols ||
		rule_is_small(c, c->o, k->left.col.rel) || k->left.kind != SIDE_COLUMN)
		return;
	const struct schema_index *x = found.index;
	const struct schema_table *t = x->table;
	const struct schema_key *first = &x->key[0];
	/* Few values there are skipped over from PostgreSQL 18 on. */
	bool skips = first->column >= 0 && t->column.at[first->column].n_distinct > 0 &&
		     t->column.at[first->column].n_distinct < 50 &&
		     c->schema->server_version >= 180000;
	bool habit, other = false;
	for (size_t i = 0; i < c->o->conds; i++) {
		struct schema_served also;
		const struct sql_cond *q = &c->o->cond[i];
		bool left = is_of(c, &q->left, t), right = is_of(c, &q->right, t);
		/* a join looks rows up by its own condition */
		other |= q->right.cols && q->pred == PRED_EQ && (left || right);
		other |= q != k && left && !q->right.cols && q->pred != PRED_NOT_NULL &&
			 schema_serves(c->schema, c->arena, c->o, q, &also) == SERVE_YES &&
			 also.why == WHY_SERVED;
	}
	if (skips || other || (c->o->rels == 1 && rule_one_row(c, c->o, &habit)))
		return;
	struct str lead = first->column >= 0 ? t->column.at[first->column].name : first->expr;
	struct finding *f = rule_find(c, CONF_LIKELY,
		"index %.*s has %.*s, but behind %.*s, which is not asked for: it is read whole or "
		"not at all",
		STR_ARGS(x->name), STR_ARGS(k->left.col.name), STR_ARGS(lead));
	f->key = arena_str(&c->findings->arena, k->left.col.name);
	finding_str(f, "table", t->name);
	finding_str(f, "column", k->left.col.name);
	finding_fix(c->findings, f, sarg_column_index(c, &k->left, "", ""),
		"an index that begins with the column; or ask for %.*s, too", STR_ARGS(lead));
}

/* Conjuncts alone: an arm of an OR is not looked up by itself. */
void check_sg020(struct rule_check *c)
{
	for (size_t i = 0; i < c->o->conds; i++)
		if (c->o->cond[i].clause != CLAUSE_HAVING && !c->o->cond[i].arms &&
			!sarg_is_beyond(c->o, &c->o->cond[i].left))
			look_sg020(c, &c->o->cond[i]);
}

/* --- SG026: only a subquery restricts -----------------------------------------------------------
 */

bool sarg_is_unrestricted(const struct sql_outline *s)
{
	if (!s || s->rels != 1 || s->rel[0].kind != REL_TABLE || s->limit != BOUND_NONE ||
		s->has_group || s->has_aggregate)
		return false;
	for (size_t i = 0; i < s->conds; i++) {
		const struct sql_cond *k = &s->cond[i];
		bool outward = (k->left.cols && k->left.col.rel == -2) ||
			       (k->right.cols && k->right.col.rel == -2);
		if (!outward)
			return false;
	}
	return true;
}

void check_sg026(struct rule_check *c)
{
	const struct sql_outline *o = c->o;
	const struct sql_cond *k = o->conds == 1 ? &o->cond[0] : NULL;
	bool habit;

	struct sql_side whole = {.col = {.rel = 0}};

	if (!k || o->rels != 1 || o->rel[0].kind != REL_TABLE || sarg_is_beyond(o, &whole) ||
		k->clause != CLAUSE_WHERE || o->role != ROLE_TOP || o->limit != BOUND_NONE ||
		o->verb != SQL_SELECT)
		return;
	bool semi = k->pred == PRED_EXISTS || k->pred == PRED_NOT_EXISTS ||
		    ((k->pred == PRED_IN || k->pred == PRED_NOT_IN || k->pred == PRED_ANY) &&
			    k->right.kind == SIDE_QUERY);
	const struct sql_outline *s = k->right.sub;
	if (!semi || !s || !sarg_is_unrestricted(s) || rule_is_small(c, o, 0) ||
		rule_is_small(c, s, 0) || rule_one_row(c, o, &habit))
		return;
	struct finding *x = rule_find(c, CONF_POSSIBLE,
		"only a subquery over all of %.*s restricts %.*s: both are read whole",
		STR_ARGS(s->rel[0].name), STR_ARGS(o->rel[0].name));
	x->key = arena_str(&c->findings->arena, rule_text(c, k->node));
	finding_str(x, "predicate", x->key);
	finding_fix(c->findings, x, STR_NONE,
		"restrict one of the two by a condition that an index serves, or page through it");
}
