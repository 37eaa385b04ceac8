/* SPDX-License-Identifier: ISC
 *
 * rule_limit: results without a bound.
 *
 * The argument, not the keyword: a SELECT is bounded by LIMIT, by equality on a unique key, by
 * an aggregate, by what its FROM holds, or by what was seen: the rows it returned.
 */
#include "rule_checks.h"

#define MANY_ROWS 1000
#define FEW_ROWS  200

/* Does FROM read a table at all, directly or in a subquery that sets no bound itself? */
static bool reads_table(const struct sql_outline *o)
{
	for (size_t i = 0; i < o->rels; i++) {
		const struct sql_rel *r = &o->rel[i];
		if (r->kind == REL_TABLE)
			return true;
		if (r->sub && r->sub->limit == BOUND_NONE &&
			!(r->sub->has_aggregate && !r->sub->has_group) &&
			(reads_table(r->sub) || r->sub->is_setop))
			return true;
	}
	return false;
}

static bool is_system(const struct sql_outline *o)
{
	for (size_t i = 0; i < o->rels; i++)
		if (str_is(o->rel[i].schema, "pg_catalog") ||
			str_is(o->rel[i].schema, "information_schema") ||
			(str_starts(o->rel[i].name, "pg_") &&
				!str_starts(o->rel[i].name, "pgbench_")))
			return true;
	return false;
}

/* Is every other item of FROM joined by its own unique key, so that it multiplies nothing? */
static bool joins_multiply(const struct rule_check *c, const struct sql_outline *o)
{
	for (size_t i = 1; i < o->rels; i++) {
		struct str set[16];
		size_t n = 0;
		bool habit = false;
		for (size_t k = 0; k < o->conds && n < 16; k++) {
			const struct sql_cond *q = &o->cond[k];
			if (q->pred != PRED_EQ)
				continue;
			if (q->left.kind == SIDE_COLUMN && q->left.col.rel == (int)i)
				set[n++] = q->left.col.name;
			else if (q->right.kind == SIDE_COLUMN && q->right.col.rel == (int)i)
				set[n++] = q->right.col.name;
		}
		for (size_t k = 0; k < n; k++)
			habit |= str_is(set[k], "id");
		const struct schema_table *t =
			schema_find(c->schema, o->rel[i].schema, o->rel[i].name);
		if (t ? !schema_unique_by(t, set, n) : !habit)
			return true;
	}
	return false;
}

static bool all_small(const struct rule_check *c, const struct sql_outline *o)
{
	for (size_t i = 0; i < o->rels; i++)
		if (!rule_is_small(c, o, (int)i))
			return false;
	return o->rels > 0;
}

static bool is_bounded(struct rule_check *c, const struct sql_outline *o)
{
	bool habit;

	if (o->limit != BOUND_NONE || o->is_setop || o->is_values || o->rels == 0 ||
		(o->has_aggregate && !o->has_group) || o->skip_locked)
		return true;
	if (o->rels == 1 && str_ends(o->rel[0].name, "_seq") && o->targets &&
		str_is(o->target[0].name, "last_value"))
		return true; /* a sequence */
	if (!reads_table(o) || is_system(o) || all_small(c, o))
		return true;
	return rule_one_row(c, o, &habit) && !joins_multiply(c, o);
}

void check_lm001(struct rule_check *c)
{
	struct sql_outline *o = c->top;
	struct shape *s = c->shape;
	enum confidence sure;
	bool where = false;

	if (o->verb != SQL_SELECT || o->role != ROLE_TOP || s->calls == 0 || is_bounded(c, o))
		return;
	for (size_t i = 0; i < o->conds; i++)
		where |= o->cond[i].clause == CLAUSE_WHERE;
	if (s->rows_calls > 0) { /* the log has rows: believe it */
		if (s->max_rows < FEW_ROWS && s->rows_calls >= s->calls)
			return;
		sure = s->max_rows >= MANY_ROWS ? CONF_CERTAIN : CONF_LIKELY;
	} else if (o->has_group || o->is_distinct) {
		sure = CONF_POSSIBLE;
	} else {
		sure = where ? CONF_POSSIBLE : CONF_LIKELY;
	}
	struct str table = o->rel[0].name.n ? o->rel[0].name : o->rel[0].alias;
	struct finding *x = rule_find(c, sure, "nothing bounds how many rows of %.*s are returned",
		STR_ARGS(table));
	if (s->rows_calls > 0) {
		finding_int(x, "max_rows", (int64_t)s->max_rows);
		finding_real(x, "mean_rows", (double)s->rows / (double)s->rows_calls);
	}
	if (s->bytes_out)
		finding_int(x, "bytes", (int64_t)s->bytes_out);
	struct str sql = sql_deparse(c->arena, o->node);
	if (sql.n && !o->is_locking)
		sql = arena_printf(c->arena, "%.*s%s LIMIT 100", STR_ARGS(sql),
			o->orders ? "" : " ORDER BY …");
	finding_fix(c->findings, x, sql.n && o->orders ? sql : STR_NONE,
		"add ORDER BY on a unique key and LIMIT, and page by key: WHERE (key) > (last key "
		"seen)");
}
