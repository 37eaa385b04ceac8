/* SPDX-License-Identifier: ISC
 *
 * rule_order: ORDER BY that no index gives, that gets lost, or that is read by position.
 */
#include "rule_sargable.h"

/* --- AG007: order inside, none outside ------------------------------------------------------- */

static bool keeps_order(const struct sql_outline *o)
{
	for (size_t i = 0; i < o->targets; i++)
		if (o->target[i].kind == TARGET_WINDOW || o->target[i].has_aggregate)
			return true; /* array_agg() and its kin take rows as they come */
	return o->has_window || o->limit != BOUND_NONE || o->is_distinct_on;
}

void check_ag007(struct rule_check *c)
{
	const struct sql_outline *o = c->o;

	if (o->role != ROLE_FROM || !o->orders || o->limit != BOUND_NONE ||
		o->offset != BOUND_NONE || o->is_distinct_on || o->is_locking || !o->up ||
		!o->rels || o->up->role == ROLE_ARRAY || keeps_order(o->up))
		return;
	bool lost = o->up->orders || o->up->rels > 1 || o->up->is_distinct || o->up->has_group;
	rule_find(c, lost ? CONF_LIKELY : CONF_POSSIBLE, "the order of a subquery in FROM %s",
		lost ? "is lost on the way out" : "is nowhere promised to last");
}

/* --- AG008: by position -------------------------------------------------------------------------
 */

void check_ag008(struct rule_check *c)
{
	bool found = false;

	for (size_t i = 0; i < c->o->orders; i++)
		found |= c->o->order[i].position > 0;
	for (size_t i = 0; i < c->o->groups; i++)
		found |= c->o->group[i].kind == SIDE_CONST && !c->o->group[i].is_string;
	if (found)
		rule_find(c, CONF_CERTAIN,
			"GROUP BY or ORDER BY a position: a column added in front changes it");
}

/* --- AG011, AG013: an index that nearly gives the order ------------------------------------------
 */

enum match { MATCH_NO = 0, MATCH_DIRECTIONS, MATCH_NULLS, MATCH_YES };

static bool is_fixed(const struct sql_outline *o, const struct schema_column *col)
{
	for (size_t i = 0; i < o->conds; i++) {
		const struct sql_cond *k = &o->cond[i];
		if (k->pred == PRED_EQ && k->clause == CLAUSE_WHERE &&
			k->left.kind == SIDE_COLUMN && str_eq(k->left.col.name, col->name))
			return true;
	}
	return false;
}

/* How ORDER BY compares with the index read forwards or backwards, keys that are fixed by an
 * equality left out. */
static enum match match_index(const struct sql_outline *o, const struct schema_index *x)
{
	size_t at = 0;
	int same = 0, turned = 0, nulls_same = 0, nulls_turned = 0, n = (int)o->orders;

	for (size_t k = 0; k < x->keys && at < o->orders; k++) {
		const struct schema_key *key = &x->key[k];
		const struct schema_column *col =
			key->column >= 0 ? &x->table->column.at[key->column] : NULL;
		if (!col)
			return MATCH_NO;
		const struct sql_order *by = &o->order[at];
		if (!str_eq(by->by.col.name, col->name)) {
			if (is_fixed(o, col))
				continue;
			return MATCH_NO;
		}
		same += by->desc == key->desc;
		turned += by->desc != key->desc;
		nulls_same += by->nulls_first == key->nulls_first;
		nulls_turned += by->nulls_first != key->nulls_first;
		at++;
	}
	if (at < o->orders)
		return MATCH_NO;
	if ((same == n && nulls_same == n) || (turned == n && nulls_turned == n))
		return MATCH_YES;
	return same == n || turned == n ? MATCH_NULLS : MATCH_DIRECTIONS;
}

static enum match best_match(struct rule_check *c, const struct schema_table **table)
{
	const struct sql_outline *o = c->o;
	enum match best = MATCH_NO;

	if (o->limit == BOUND_NONE || !o->orders || o->rels != 1 || o->has_group ||
		o->is_distinct || o->rel[0].kind != REL_TABLE || rule_is_small(c, o, 0))
		return MATCH_NO;
	for (size_t i = 0; i < o->orders; i++)
		if (o->order[i].by.kind != SIDE_COLUMN)
			return MATCH_NO;
	*table = schema_find(c->schema, o->rel[0].schema, o->rel[0].name);
	for (size_t i = 0; *table && i < (*table)->index.n; i++) {
		const struct schema_index *x = (*table)->index.at[i];
		enum match m = x->valid && str_is(x->method, "btree") && !x->where.p
				       ? match_index(o, x)
				       : MATCH_NO;
		best = m > best ? m : best;
	}
	return best;
}

/* The columns that are equal in all rows of the result first, then the order. */
static struct str ordered_index(struct rule_check *c, const struct schema_table *t)
{
	struct text list = {0};

	for (size_t i = 0; i < t->column.n; i++)
		if (is_fixed(c->o, &t->column.at[i]))
			text_printf(&list, "%.*s, ",
				STR_ARGS(sql_quote_ident(c->arena, t->column.at[i].name)));
	for (size_t i = 0; i < c->o->orders; i++) {
		const struct sql_order *by = &c->o->order[i];
		text_printf(&list, "%s%.*s%s%s", i ? ", " : "",
			STR_ARGS(sql_quote_ident(c->arena, by->by.col.name)),
			by->desc ? " DESC" : "",
			by->nulls_first == by->desc ? ""
			: by->nulls_first	    ? " NULLS FIRST"
						    : " NULLS LAST");
	}
	struct str ddl = ddl_index(c, t, "", text_slice(&list));
	text_release(&list);
	return ddl;
}

void check_ag011(struct rule_check *c)
{
	const struct schema_table *t = NULL;

	if (best_match(c, &t) != MATCH_DIRECTIONS)
		return;
	struct finding *x = rule_find(c, CONF_LIKELY,
		"the index of %.*s has these columns in other directions, so all rows are sorted "
		"for the first few",
		STR_ARGS(t->name));
	finding_str(x, "table", t->name);
	finding_fix(c->findings, x, ordered_index(c, t), "an index in the order asked for");
}

void check_ag013(struct rule_check *c)
{
	const struct schema_table *t = NULL;

	if (best_match(c, &t) != MATCH_NULLS)
		return;
	struct finding *x = rule_find(c, CONF_LIKELY,
		"the index of %.*s puts NULLs at the other end, so all rows are sorted for the "
		"first few",
		STR_ARGS(t->name));
	finding_str(x, "table", t->name);
	finding_fix(c->findings, x, ordered_index(c, t),
		"leave NULLS FIRST or LAST out where no NULL comes, or index it so");
}
