/* SPDX-License-Identifier: ISC
 *
 * How many values columns have together: where a query compares them with the whole key of another
 * table, at most as many as that has rows.  PostgreSQL's statistics do not tell (CREATE STATISTICS
 * aside), and an index on such columns is a third of what independent columns would make it.
 */
#include "advise_workload.h"

#include <math.h>

#define JOINED_MAX 64 /* columns that one query's joins compare */

struct compared {
	const struct plan_node *scan;
	struct str column;
	size_t class; /* equal in columns that are equal */
};

struct comparisons {
	struct workload *w;
	struct arena read; /* what conditions are parsed into */
	const struct plan *p;
	struct compared at[JOINED_MAX];
	size_t n;
};

static const struct plan_node *scan_of(const struct plan *p, struct str qual)
{
	for (size_t i = 0; i < p->nodes; i++)
		if (p->node[i]->relation.n &&
			(str_eq(p->node[i]->alias, qual) ||
				(p->node[i]->alias.n == 0 && str_eq(p->node[i]->relation, qual))))
			return p->node[i];
	return NULL;
}

/* The column's place in the list; an unqualified one is the node's own. */
static struct compared *find(struct comparisons *c, const struct sql_side *s,
	const struct plan_node *own)
{
	const struct plan_node *scan;

	if (s->kind != SIDE_COLUMN)
		return NULL;
	scan = s->col.qual.n ? scan_of(c->p, s->col.qual) : own->relation.n ? own : NULL;
	if (scan == NULL)
		return NULL;
	for (size_t i = 0; i < c->n; i++)
		if (c->at[i].scan == scan && str_eq(c->at[i].column, s->col.name))
			return &c->at[i];
	if (c->n == JOINED_MAX)
		return NULL;
	c->at[c->n] = (struct compared){scan, arena_str(&c->w->arena, s->col.name), c->n};
	return &c->at[c->n++];
}

static void note_condition(struct comparisons *c, const struct plan_node *node, struct str text)
{
	struct err why;
	const struct sql_node *expr = text.n ? sql_parse_expr(&c->read, text, &why) : NULL;
	size_t n;
	struct sql_cond *cond = expr ? sql_conjuncts(&c->read, expr, &n) : NULL;

	for (size_t i = 0; cond && i < n; i++) {
		struct compared *a, *b;
		size_t gone;

		if (cond[i].pred != PRED_EQ)
			continue;
		a = find(c, &cond[i].left, node);
		b = find(c, &cond[i].right, node);
		gone = a && b ? b->class : SIZE_MAX;
		for (size_t k = 0; gone != SIZE_MAX && k < c->n; k++)
			if (c->at[k].class == gone)
				c->at[k].class = a->class;
	}
}

/* The scan's column that is compared with this one of another scan. */
static struct str partner(const struct comparisons *c, const struct plan_node *scan,
	const struct plan_node *other, struct str column)
{
	for (size_t i = 0; i < c->n; i++) {
		if (c->at[i].scan != other || !str_eq(c->at[i].column, column))
			continue;
		for (size_t k = 0; k < c->n; k++)
			if (c->at[k].scan == scan && c->at[k].class == c->at[i].class)
				return c->at[k].column;
	}
	return STR_NONE;
}

/* The scan's columns that stand against the whole of the other table's key. */
static void note_key(struct comparisons *c, const struct plan_node *scan,
	const struct plan_node *other, const struct schema_index *key)
{
	struct joined j = {.schema = scan->schema, .table = scan->relation};

	if (!key->unique || key->where.n || key->keys < 2 || key->keys > ARRAY_LEN(j.column))
		return;
	for (size_t i = 0; i < key->keys; i++) {
		int at = key->key[i].column;
		struct str mine =
			at < 0 ? STR_NONE : partner(c, scan, other, key->table->column.at[at].name);

		if (mine.n == 0)
			return;
		j.column[j.columns++] = sql_quote_ident(&c->w->arena, mine);
	}
	j.most = key->table->rows;
	if (j.most > 0)
		*VEC_PUSH(&c->w->joined) = j;
}

void joined_note(struct workload *w, const struct plan *p)
{
	static const char *const conditions[] = {
		"Hash Cond", "Merge Cond", "Join Filter", "Index Cond"};
	struct comparisons c = {.w = w, .p = p};

	for (size_t i = 0; i < p->nodes; i++)
		for (size_t k = 0; k < ARRAY_LEN(conditions); k++)
			note_condition(&c, p->node[i],
				plan_get(&c.read, p->node[i], conditions[k]));
	for (size_t i = 0; i < p->nodes; i++)
		for (size_t k = 0; k < p->nodes; k++) {
			const struct plan_node *other = p->node[k];
			const struct schema_table *t =
				i != k && p->node[i]->relation.n && other->relation.n
					? schema_find(w->schema, other->schema, other->relation)
					: NULL;

			for (size_t x = 0; t && x < t->index.n; x++)
				note_key(&c, p->node[i], other, t->index.at[x]);
		}
	arena_release(&c.read);
}

/* Product of the columns' own numbers, but for those that the joined ones take the place of. */
static double with_joined(const struct candidate *c, const double *distinct, const struct joined *j)
{
	double product = j->most;
	size_t found = 0;

	for (size_t i = 0; i < c->keys; i++) {
		bool is_of = false;

		for (size_t k = 0; k < j->columns; k++)
			is_of = is_of || str_eq(c->key[i].expr, j->column[k]);
		found += is_of;
		product *= is_of ? 1 : distinct[i];
	}
	return found == j->columns ? product : INFINITY;
}

double joined_values(const struct workload *w, const struct candidate *c, const double *distinct)
{
	double product = 1;

	for (size_t i = 0; i < c->keys; i++)
		product *= distinct[i];
	for (size_t i = 0; i < w->joined.n; i++)
		if (str_eq(w->joined.at[i].table, c->table) &&
			str_eq(w->joined.at[i].schema, c->schema))
			product = fmin(product, with_joined(c, distinct, &w->joined.at[i]));
	return product;
}
