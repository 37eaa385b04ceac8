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

/* A sequence: it has one row. */
static bool is_sequence(const struct sql_outline *o)
{
	return o->rels == 1 && str_ends(o->rel[0].name, "_seq") && o->targets &&
	       str_is(o->target[0].name, "last_value");
}

static bool is_bounded(struct rule_check *c, const struct sql_outline *o)
{
	return o->is_setop || o->rels == 0 || is_sequence(o) || rule_is_bound(c, o);
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
	struct str sql = o->orders && !o->is_locking ? sql_deparse(c->arena, o->node) : STR_NONE;
	finding_fix(c->findings, x,
		sql.n ? arena_printf(c->arena, "%.*s LIMIT 100", STR_ARGS(sql)) : STR_NONE,
		"add ORDER BY on a unique key and LIMIT, and page by key: WHERE (key) > (last key "
		"seen)");
}

/* --- pages ------------------------------------------------------------------------------- */

#define PEOPLE_PAGES 5 /* that somebody turns by hand */

/* Does the order tell all rows of the one table apart? */
static bool order_is_unique(const struct schema_table *t, const struct sql_outline *o)
{
	struct str set[32];
	size_t n = 0;

	for (size_t i = 0; i < o->orders && n < 32; i++)
		if (o->order[i].by.kind == SIDE_COLUMN)
			set[n++] = o->order[i].by.col.name;
		else if (o->order[i].position > 0 && (size_t)o->order[i].position <= o->targets)
			set[n++] = o->target[o->order[i].position - 1].val.col.name;
	/* what is equal in all rows of the result tells as much as a column of the order */
	for (size_t i = 0; i < o->conds && n < 32; i++)
		if (o->cond[i].clause == CLAUSE_WHERE && o->cond[i].pred == PRED_EQ &&
			o->cond[i].left.kind == SIDE_COLUMN && o->cond[i].right.cols == 0)
			set[n++] = o->cond[i].left.col.name;
	return schema_unique_by(t, set, n);
}

static bool has_unique(const struct schema_table *t)
{
	for (size_t i = 0; i < t->index.n; i++)
		if (t->index.at[i]->unique)
			return true;
	return false;
}

void check_lm004(struct rule_check *c)
{
	const struct sql_outline *o = c->o;

	if (o->verb != SQL_SELECT || o->role != ROLE_TOP || o->orders == 0 ||
		o->limit == BOUND_NONE || o->offset == BOUND_NONE || o->rels != 1 || o->has_group ||
		o->is_distinct || o->is_distinct_on || o->is_setop || o->has_aggregate)
		return;
	const struct schema_table *t = schema_find(c->schema, o->rel[0].schema, o->rel[0].name);
	if (!t || t->is_view || order_is_unique(t, o))
		return;
	for (size_t i = 0; i < o->orders; i++)
		if (o->order[i].by.kind != SIDE_COLUMN && !o->order[i].position)
			return; /* an expression: it may well tell them apart */
	struct finding *x = rule_find(c, CONF_LIKELY,
		"rows of %.*s that are equal in the order may come on two pages or on none",
		STR_ARGS(t->name));
	finding_fix(c->findings, x, STR_NONE, "%s",
		has_unique(t) ? "add the primary key to the end of ORDER BY"
			      : "the table has no unique key to order by");
}

void check_lm005(struct rule_check *c)
{
	for (uint32_t i = 0; i < c->facts->shape.n; i++) {
		struct shape *s = c->facts->shape.at[i];
		if (s->pages <= PEOPLE_PAGES)
			continue;
		c->shape = s;
		c->shape_at = i;
		struct finding *x = rule_find(c, s->pages >= 20 ? CONF_LIKELY : CONF_POSSIBLE,
			"a session turned %llu pages by OFFSET, up to %lld",
			(unsigned long long)s->pages, (long long)s->page_offset);
		x->places = 1;
		x->place[0] = s->page_at;
		finding_int(x, "pages", (int64_t)s->pages);
		finding_int(x, "last_offset", s->page_offset);
		finding_fix(c->findings, x, STR_NONE,
			"page by key: WHERE (sort key) > (last one seen) ORDER BY sort key LIMIT "
			"n");
	}
}
