/* SPDX-License-Identifier: ISC
 *
 * rule_rows: which columns and rows a query asks for: stars, UNION, DISTINCT, counts.
 */
#include "rule_checks.h"

#define FEW_COLUMNS 5
#define MANY_ROWS   100000

static const struct schema_table *table_of(const struct rule_check *c, const struct sql_rel *r)
{
	return r->kind == REL_TABLE ? schema_find(c->schema, r->schema, r->name) : NULL;
}

/* --- AG001: SELECT * ------------------------------------------------------------------------- */

void check_ag001(struct rule_check *c)
{
	const struct sql_outline *o = c->o;

	if (o->role != ROLE_TOP || o->verb != SQL_SELECT)
		return;
	for (size_t i = 0; i < o->targets; i++) {
		struct str qual = o->target[i].val.col.qual;
		for (size_t k = 0; o->target[i].kind == TARGET_STAR && k < o->rels; k++) {
			const struct sql_rel *r = &o->rel[k];
			const struct schema_table *t = table_of(c, r);
			if ((qual.n && !str_eq(qual, r->alias)) || r->kind != REL_TABLE ||
				(t && t->column.n <= FEW_COLUMNS))
				continue;
			struct finding *x = rule_find(c, CONF_POSSIBLE,
				"all columns of %.*s are read, whatever they become",
				STR_ARGS(r->name));
			x->key = arena_str(&c->findings->arena, r->name);
			if (t)
				finding_int(x, "columns", (int64_t)t->column.n);
			return;
		}
	}
}

/* --- AG002: UNION ------------------------------------------------------------------------------
 */

/* Do the arms differ in a constant, so that no row can come from both? */
static bool are_disjoint(const struct sql_outline *a, const struct sql_outline *b)
{
	for (size_t i = 0; i < a->targets && i < b->targets; i++) {
		const struct sql_side *x = &a->target[i].val, *y = &b->target[i].val;
		if (x->kind == SIDE_CONST && y->kind == SIDE_CONST && !x->is_null && !y->is_null &&
			!str_eq(x->value, y->value))
			return true;
	}
	return false;
}

void check_ag002(struct rule_check *c)
{
	const struct sql_outline *o = c->o;
	const struct sql_outline *arm[2] = {NULL, NULL};
	size_t n = 0;

	if (!o->is_setop || o->setop_all || strcmp(o->setop, "UNION") != 0 || o->is_recursive)
		return;
	for (size_t i = 0; i < o->subs && n < 2; i++)
		if (o->sub[i]->role == ROLE_ARM)
			arm[n++] = o->sub[i];
	if (n < 2 || arm[0]->is_setop || arm[1]->is_setop || (!arm[0]->rels && !arm[1]->rels))
		return;
	bool apart = are_disjoint(arm[0], arm[1]);
	rule_find(c, apart ? CONF_CERTAIN : CONF_POSSIBLE,
		"UNION sorts or hashes all rows to find "
		"equal ones%s",
		apart ? ", and the arms cannot have any between them"
		      : "; UNION ALL does not, where there are none or they may stay");
}

/* --- AG003: DISTINCT over a join
 * -------------------------------------------------------------------- */

void check_ag003(struct rule_check *c)
{
	const struct sql_outline *o = c->o;
	int from = -1;

	if (!o->is_distinct || o->is_distinct_on || o->rels < 2 || o->has_group || o->has_aggregate)
		return;
	for (size_t i = 0; i < o->targets; i++) {
		const struct sql_target *t = &o->target[i];
		int rel = t->kind == TARGET_COLUMN ? t->val.col.rel : -1;
		for (size_t k = 0; t->kind == TARGET_STAR && t->val.col.qual.n && k < o->rels; k++)
			if (str_eq(o->rel[k].alias, t->val.col.qual))
				rel = (int)k;
		if (rel < 0 || (from >= 0 && rel != from) || o->rel[rel].kind == REL_FUNCTION)
			return;
		from = rel;
	}
	for (size_t i = 0; from >= 0 && i < o->rels; i++) {
		const struct sql_rel *r = &o->rel[i];
		const struct schema_table *t = table_of(c, r);
		struct str set[16];
		size_t n = 0;
		if ((int)i == from || (c->schema && !t) || str_starts(r->name, "pg_") ||
			str_is(r->schema, "information_schema"))
			continue;
		for (size_t k = 0; k < o->conds && n < 16; k++) {
			const struct sql_cond *q = &o->cond[k];
			if (q->pred == PRED_EQ && q->left.kind == SIDE_COLUMN &&
				q->left.col.rel == (int)i)
				set[n++] = q->left.col.name;
			else if (q->pred == PRED_EQ && q->right.kind == SIDE_COLUMN &&
				 q->right.col.rel == (int)i)
				set[n++] = q->right.col.name;
		}
		bool habit = false;
		for (size_t k = 0; k < n; k++)
			habit |= str_is(set[k], "id");
		if (n == 0 || (t ? schema_unique_by(t, set, n) : habit))
			continue;
		struct finding *x = rule_find(c, t ? CONF_LIKELY : CONF_POSSIBLE,
			"DISTINCT takes out what the join with %.*s multiplied", STR_ARGS(r->name));
		x->key = arena_str(&c->findings->arena, r->alias);
		finding_fix(c->findings, x, STR_NONE,
			"WHERE EXISTS (SELECT 1 FROM %.*s …) asks for each row once and stops at "
			"the "
			"first match",
			STR_ARGS(r->name));
		return;
	}
}

/* --- AG006: counting a big table
 * ------------------------------------------------------------------------ */

void check_ag006(struct rule_check *c)
{
	const struct sql_outline *o = c->o;

	if (o->role != ROLE_TOP || o->verb != SQL_SELECT || o->rels != 1 || o->conds ||
		o->has_group || o->targets != 1 || node_get(o->node, "where_clause"))
		return;
	const struct schema_table *t = table_of(c, &o->rel[0]);
	const struct sql_node *f = o->target[0].val.node;
	bool plain = node_is(f, "FuncCall") && str_is(node_last_name(f, "funcname"), "count") &&
		     node_int(f, "agg_star");
	if (!t || t->is_view || !plain || t->rows < MANY_ROWS)
		return;
	struct finding *x = rule_find(c, CONF_CERTAIN,
		"all of %.*s is read to count it: about %.0f rows", STR_ARGS(t->name), t->rows);
	finding_real(x, "rows", t->rows);
	finding_fix(c->findings, x,
		arena_printf(c->arena,
			"SELECT reltuples::bigint FROM pg_class WHERE oid = %.*s::regclass",
			STR_ARGS(sql_quote_literal(c->arena, t->name))),
		"an estimate, as good as the last VACUUM or ANALYZE, costs nothing");
}
