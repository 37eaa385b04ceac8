/* SPDX-License-Identifier: ISC
 *
 * rule_origin: is a condition's column one of a table, so that an index could hold it?
 *
 * A column of a subquery or a CTE is, when the planner can push the condition down to the table
 * that it comes from: not through LIMIT, aggregates, windows and DISTINCT ON, and not into what
 * is run once and kept (MATERIALIZED, named twice, recursive).  Rows of functions, of VALUES and
 * of system catalogs are nobody's to index.
 */
#include "rule_sargable.h"

#define NESTED 8 /* query levels looked into */

enum whose { WHOSE_UNKNOWN = 0, WHOSE_TABLE, WHOSE_NOBODY };

static enum whose origin_of(const struct sql_outline *o, const struct sql_col *col, int deep);

static bool is_catalog(const struct sql_rel *r)
{
	return str_is(r->schema, "pg_catalog") || str_is(r->schema, "information_schema") ||
	       (str_starts(r->name, "pg_") && !str_starts(r->name, "pgbench_"));
}

/* Which output the item's column is: by the item's own list of names, or by the output's name;
 * -1: by no name seen here. */
static int output_at(const struct sql_rel *r, const struct sql_outline *s, struct str name)
{
	const struct sql_node *alias = node_get(r->node, "alias");
	size_t named = node_len(alias, "colnames");

	for (size_t i = 0; i < named; i++)
		if (str_is(name, node_str(node_item(alias, "colnames", i), "sval")))
			return (int)i;
	for (size_t i = named; i < s->targets; i++)
		if (s->target[i].kind != TARGET_STAR && str_eq(s->target[i].name, name))
			return (int)i;
	return -1;
}

/* Does a condition on the rows of the subquery stay outside of it? */
static bool keeps_out(const struct sql_rel *r, const struct sql_outline *s)
{
	bool once = r->kind == REL_CTE && (s->is_materialized || s->uses > 1);

	return once || s->limit != BOUND_NONE || s->offset != BOUND_NONE || s->has_window ||
	       s->is_distinct_on || s->verb != SQL_SELECT;
}

static enum whose origin_in_query(const struct sql_rel *r, const struct sql_outline *s,
	struct str name, int deep)
{
	if (keeps_out(r, s))
		return WHOSE_NOBODY;
	if (s->is_setop) { /* the arms are asked one by one: what the first says stands for all */
		for (size_t i = 0; i < s->subs; i++)
			if (s->sub[i]->role == ROLE_ARM)
				return origin_in_query(r, s->sub[i], name, deep + 1);
		return WHOSE_UNKNOWN;
	}
	if (!s->rels)
		return WHOSE_NOBODY;
	int at = output_at(r, s, name);
	if (at >= 0 && (size_t)at < s->targets && s->target[at].kind != TARGET_STAR)
		return s->target[at].kind == TARGET_COLUMN
			       ? origin_of(s, &s->target[at].val.col, deep + 1)
			       : WHOSE_NOBODY;
	struct sql_col own = {.name = name, .rel = s->rels == 1 ? 0 : -1};
	return origin_of(s, &own, deep + 1);
}

static enum whose origin_in(const struct sql_rel *r, struct str name, int deep)
{
	if (deep > NESTED)
		return WHOSE_UNKNOWN;
	switch (r->kind) {
	case REL_TABLE:
		return is_catalog(r) ? WHOSE_NOBODY : WHOSE_TABLE;
	case REL_CTE:
	case REL_SUBQUERY:
		return r->sub ? origin_in_query(r, r->sub, name, deep) : WHOSE_NOBODY;
	case REL_FUNCTION:
	case REL_VALUES:
	case REL_OTHER:
		break;
	}
	return WHOSE_NOBODY;
}

/* Could it have columns that the text does not name?  A subquery without a star has not. */
static bool may_have(const struct sql_rel *r)
{
	for (size_t i = 0; r->sub && !r->sub->is_setop && i <= r->sub->targets; i++) {
		if (i == r->sub->targets)
			return false;
		if (r->sub->target[i].kind == TARGET_STAR)
			break;
	}
	return true;
}

static enum whose origin_of(const struct sql_outline *o, const struct sql_col *col, int deep)
{
	int r = col->rel >= 0 ? col->rel : o->rels == 1 ? 0 : -1;
	enum whose all = WHOSE_UNKNOWN;

	if (r >= 0 && (size_t)r < o->rels)
		return origin_in(&o->rel[r], col->name, deep);
	for (size_t i = 0; i < o->rels; i++) { /* it could be any's */
		const struct sql_rel *rel = &o->rel[i];
		bool shown =
			rel->sub && !rel->sub->is_setop && output_at(rel, rel->sub, col->name) >= 0;
		enum whose one = shown || may_have(rel) ? origin_in(rel, col->name, deep) : all;
		if (shown || one == WHOSE_NOBODY)
			return one;
		all = one == WHOSE_TABLE ? one : all;
	}
	return all;
}

bool sarg_is_beyond(const struct sql_outline *o, const struct sql_side *s)
{
	if (!s->col.name.n && s->cols) /* whole rows */
		return true;
	return origin_of(o, &s->col, 0) == WHOSE_NOBODY;
}
