/* SPDX-License-Identifier: ISC
 *
 * Every index that could matter to one query: the planner, asked about each, decides.
 *
 * A plan names all conditions of the query, whichever scan or join they ended up at; for each
 * table they are gathered from the whole plan, so that an index is found even where the present
 * plan has no use for it (a hash join today, a nested loop with the index).
 */
#include "advise_workload.h"

#include <math.h>

#define INCLUDE_WIDTH 100.0 /* bytes of a row that may ride along */
#define IN_ORDER      0.9   /* correlation of a column that the rows lie in the order of */

struct asker {
	struct arena *a;
	const struct plan *p;
	const struct schema *schema;
	const struct needed_columns *needed;
	size_t n_needed;
	const struct constants *constants; /* NULL: none */
	struct candidates *out;
	const struct plan_node *n; /* the scan at hand */
	struct wants w;
};

static const struct schema_table *table_of(const struct asker *k)
{
	return k->schema ? schema_find(k->schema, k->n->schema, k->n->relation) : NULL;
}

static bool same(const struct candidate *a, const struct candidate *b)
{
	return str_eq(a->ddl, b->ddl);
}

/* PostgreSQL takes an index of several columns to lie in the table's order three quarters as well
 * as its first column does.  Where that is nearly the table's order, the first column by itself is
 * so much cheaper to it that it takes other plans; there an index of several does not serve one of
 * one. */
static bool is_cheaper_alone(const struct asker *k, const struct candidate *c)
{
	const struct schema_table *t = schema_find(k->schema, c->schema, c->table);
	int at = t && c->keys == 1 && c->includes == 0 && c->where.n == 0 &&
				 strcmp(c->method, "btree") == 0
			 ? candidate_column(t, c->key[0].expr)
			 : -1;

	if (at < 0 || fabs(t->column.at[at].correlation) < IN_ORDER)
		return false;
	for (size_t i = 0; i < t->index.n; i++)
		if (t->index.at[i]->valid && t->index.at[i]->keys == 1 &&
			t->index.at[i]->key[0].column == at)
			return false;
	return true;
}

static void put(struct asker *k, struct candidate *c)
{
	struct str there;

	c->beside = STR_NONE;
	if (c->keys == 0)
		return;
	there = k->needed ? candidate_existing(k->a, k->schema, c) : STR_NONE;
	if (there.n && !is_cheaper_alone(k, c))
		return;
	c->beside = there;
	candidate_finish(k->a, c, true);
	for (size_t i = 0; i < k->out->at.n; i++)
		if (same(&k->out->at.at[i], c))
			return;
	*VEC_PUSH(&k->out->at) = *c;
}

static struct candidate begin(const struct asker *k)
{
	return (struct candidate){
		.schema = k->n->schema, .table = k->n->relation, .method = "btree"};
}

static bool has_key(const struct candidate *c, struct str expr)
{
	for (size_t i = 0; i < c->keys; i++)
		if (str_eq(c->key[i].expr, expr))
			return true;
	return false;
}

static void add_key(struct candidate *c, struct index_key key)
{
	if (c->keys < INDEX_KEYS_MAX && !has_key(c, key.expr))
		c->key[c->keys++] = key;
}

static void add_want(struct candidate *c, const struct want *w)
{
	add_key(c, (struct index_key){.expr = w->expr,
			   .is_expr = w->is_expr,
			   .is_assumed = w->is_assumed,
			   .opclass = w->opclass});
}

static bool add_keys(struct asker *k, struct candidate *c, const struct plan_prop *list)
{
	struct index_key key;
	bool any = false;

	for (size_t i = 0; list && i < list->values; i++) {
		if (!wants_key(k->a, table_of(k), list->value[i], k->n->alias, k->n->relation,
			    &key))
			return any;
		if (c->keys == INDEX_KEYS_MAX || has_key(c, key.expr))
			continue;
		c->key[c->keys++] = key;
		any = true;
	}
	return any;
}

/* Wide columns make an index a second table. */
static double width_of(const struct asker *k, struct str column)
{
	const struct schema_table *t = table_of(k);
	int at = t ? schema_column_of(t, column) : -1;

	return at >= 0 && t->column.at[at].width > 0 ? t->column.at[at].width : 8;
}

/* The same with the other columns the query reads riding along. */
static void put_covering(struct asker *k, const struct candidate *of)
{
	struct candidate c = *of;
	double width = 0;

	for (size_t i = 0; i < k->n_needed; i++) {
		const struct needed_columns *need = &k->needed[i];

		if (!str_eq(need->alias, k->n->alias) || need->is_all)
			continue;
		for (size_t j = 0; j < need->columns; j++) {
			struct str column = sql_quote_ident(k->a, need->column[j]);

			if (has_key(&c, column))
				continue;
			width += width_of(k, need->column[j]);
			if (c.includes == 6 || width > INCLUDE_WIDTH)
				return;
			c.include[c.includes++] = column;
		}
		if (c.includes)
			put(k, &c);
		return;
	}
}

static void put_both(struct asker *k, struct candidate *c)
{
	put(k, c);
	if (c->keys)
		put_covering(k, c);
}

/* --- what the whole plan says of a table --------------------------------------------------- */

static void gather(struct asker *k)
{
	static const char *const own[] = {"Filter", "Index Cond", "Recheck Cond"};
	static const char *const joins[] = {"Hash Cond", "Merge Cond", "Join Filter"};

	for (size_t i = 0; i < ARRAY_LEN(own); i++)
		wants_add(k->a, &k->w, plan_get(k->a, k->n, own[i]), k->n->alias, k->n->relation);
	for (size_t i = 0; i < k->n->children; i++) /* the bitmap index scans below */
		if (k->n->child[i]->kind == PLAN_BITMAP_INDEX_SCAN)
			wants_add(k->a, &k->w, plan_get(k->a, k->n->child[i], "Index Cond"),
				k->n->alias, k->n->relation);
	for (size_t j = 0; j < k->p->nodes; j++)
		for (size_t i = 0; i < ARRAY_LEN(joins); i++)
			wants_add(k->a, &k->w, plan_get(k->a, k->p->node[j], joins[i]), k->n->alias,
				k->n->relation);
	/* A nested loop's inner index names our column on its right side. */
	for (size_t j = 0; j < k->p->nodes; j++)
		if (k->p->node[j] != k->n && k->n->alias.n) {
			struct str s = plan_get(k->a, k->p->node[j], "Index Cond");
			struct str dotted = arena_printf(k->a, "%.*s.", STR_ARGS(k->n->alias));

			if (s.n && str_find(s, dotted.p) < s.n)
				wants_add(k->a, &k->w, s, k->n->alias, STR("\x01"));
		}
}

static void add_equalities(const struct wants *w, struct candidate *c, int joins)
{
	for (size_t i = 0; i < w->n; i++)
		if (w->at[i].kind == WANT_EQ && w->at[i].arm == 0 &&
			(joins < 0 || w->at[i].is_join == (joins > 0)))
			add_want(c, &w->at[i]);
}

static void put_with_order(struct asker *k, const struct candidate *of)
{
	bool has_filter = plan_prop(k->n, "Filter") != NULL;

	for (size_t i = 0; i < k->p->nodes; i++) {
		const struct plan_prop *sort = plan_prop(k->p->node[i], "Sort Key");
		const struct plan_prop *group = plan_prop(k->p->node[i], "Group Key");
		struct candidate c = *of;

		/* An order alone, past a filter, is a trap: the planner may walk all of it. */
		if (sort && (c.keys || c.where.n || !has_filter) && add_keys(k, &c, sort))
			put_both(k, &c);
		c = *of;
		if (group && add_keys(k, &c, group))
			put_both(k, &c);
	}
}

/* max(t.a), min(t.a): the last or first entry of an index on a. */
static void put_extremes(struct asker *k, const struct candidate *of)
{
	for (size_t i = 0; i < k->p->nodes; i++) {
		const struct plan_prop *output = plan_prop(k->p->node[i], "Output");

		if (k->p->node[i]->kind != PLAN_AGGREGATE)
			continue;
		for (size_t j = 0; output && j < output->values; j++) {
			struct candidate c = *of;
			struct str s = str_trim(output->value[j]);
			struct index_key key;

			if (c.keys == INDEX_KEYS_MAX || !str_ends(s, ")") ||
				(!str_starts(s, "max(") && !str_starts(s, "min(")))
				continue;
			s = (struct str){s.p + 4, s.n - 5};
			if (!wants_key(k->a, table_of(k), s, k->n->alias, k->n->relation, &key) ||
				has_key(&c, key.expr))
				continue;
			c.key[c.keys++] = key;
			put(k, &c);
		}
	}
}

static void put_flags(struct asker *k, const struct candidate *of)
{
	for (size_t i = 0; i < k->w.n; i++)
		if (k->w.at[i].kind == WANT_BOOL || k->w.at[i].kind == WANT_THERE) {
			struct candidate c = *of;

			if (c.keys == 0)
				add_want(&c, &k->w.at[i]);
			c.where = k->w.at[i].predicate;
			put(k, &c);
		}
}

static void drop_key(struct candidate *c, struct str expr)
{
	size_t kept = 0;

	for (size_t i = 0; i < c->keys; i++)
		if (!str_eq(c->key[i].expr, expr))
			c->key[kept++] = c->key[i];
	c->keys = kept;
}

static bool is_stable(const struct asker *k, const struct want *w)
{
	for (size_t i = 0; k->constants && i < k->constants->at.n; i++)
		if (str_eq(k->constants->at.at[i].table, k->n->relation) &&
			str_eq(k->constants->at.at[i].schema, k->n->schema) &&
			str_eq(k->constants->at.at[i].predicate, w->predicate))
			return true;
	return false;
}

/* Only the rows with a constant that every call asks for: what else it asks for, by itself, with
 * each range and each order behind it. */
static void put_of_value(struct asker *k, const struct candidate *eq, const struct candidate *both)
{
	for (size_t i = 0; i < k->w.n; i++) {
		const struct want *w = &k->w.at[i];
		struct candidate c = *eq, joined = *both, one = begin(k);

		if (w->kind != WANT_EQ || w->arm || w->predicate.n == 0 || !is_stable(k, w))
			continue;
		drop_key(&c, w->expr);
		drop_key(&joined, w->expr);
		c.where = joined.where = one.where = w->predicate;
		c.is_of_value = joined.is_of_value = one.is_of_value = true;
		add_want(&one, w);
		put_both(k, &one);
		put_both(k, &c);
		put_both(k, &joined);
		put_with_order(k, &c);
		for (size_t j = 0; j < k->w.n; j++) {
			struct candidate ranged = c;

			if (k->w.at[j].kind != WANT_RANGE || k->w.at[j].arm)
				continue;
			add_want(&ranged, &k->w.at[j]);
			put_both(k, &ranged);
		}
	}
}

/* A huge table whose rows lie in the range's order. */
static void put_brin(struct asker *k, const struct want *w)
{
	const struct schema_table *t = table_of(k);
	int at = t ? candidate_column(t, w->expr) : -1;
	struct candidate c = begin(k);

	if (at < 0 || t->bytes < 1 << 30 || fabs(t->column.at[at].correlation) < IN_ORDER ||
		w->kind != WANT_RANGE)
		return;
	add_want(&c, w);
	c.method = "brin";
	put(k, &c);
}

static void ask_table(struct asker *k)
{
	struct candidate eq = begin(k), join = begin(k), both = begin(k), none = begin(k), c;

	k->w = (struct wants){.table = table_of(k)};
	gather(k);
	add_equalities(&k->w, &eq, 0);
	add_equalities(&k->w, &join, 1);
	both = join;
	add_equalities(&k->w, &both, 0);
	put_both(k, &eq);
	put_both(k, &join);
	put_both(k, &both);
	c = eq;
	add_equalities(&k->w, &c, 1);
	put_both(k, &c);
	for (size_t i = 0; i < k->w.n; i++) {
		const struct want *w = &k->w.at[i];

		c = begin(k);
		add_want(&c, w);
		if (w->method)
			c.method = w->method;
		put(k, &c);
		for (size_t j = 0; j < w->n_also; j++)
			add_key(&c, (struct index_key){.expr = w->also[j]});
		if (w->n_also)
			put_both(k, &c);
		if (w->is_join) { /* each join column, with the constants behind it */
			add_equalities(&k->w, &c, 0);
			put_both(k, &c);
		}
		if ((w->kind != WANT_RANGE && w->kind != WANT_PREFIX) || w->arm)
			continue;
		put_brin(k, w);
		c = eq;
		add_want(&c, w);
		put_both(k, &c);
		c = both;
		add_want(&c, w);
		put_both(k, &c);
		for (size_t j = 0; j < k->w.n; j++) /* pairs, for others to share */
			if (k->w.at[j].kind == WANT_EQ && k->w.at[j].arm == 0) {
				c = begin(k);
				add_want(&c, &k->w.at[j]);
				add_want(&c, w);
				put(k, &c);
			}
	}
	put_with_order(k, &none);
	put_with_order(k, &eq);
	put_with_order(k, &both);
	put_extremes(k, &none);
	put_extremes(k, &eq);
	put_flags(k, &eq);
	put_flags(k, &none);
	put_of_value(k, &eq, &both);
}

/* Two of one table, one's keys the first of the other's: one index for both. */
static bool merge(const struct candidate *a, const struct candidate *b, struct candidate *out)
{
	if (!str_eq(a->table, b->table) || !str_eq(a->schema, b->schema) || a->where.n ||
		b->where.n || a->keys > b->keys || strcmp(a->method, "btree") != 0 ||
		strcmp(b->method, "btree") != 0 || a->includes == 0)
		return false;
	for (size_t i = 0; i < a->keys; i++)
		if (!str_eq(a->key[i].expr, b->key[i].expr) || a->key[i].desc != b->key[i].desc ||
			a->key[i].opclass != b->key[i].opclass)
			return false;
	*out = *b;
	for (size_t i = 0; i < a->includes; i++) {
		bool is_there = has_key(out, a->include[i]);

		for (size_t k = 0; k < out->includes && !is_there; k++)
			is_there = str_eq(out->include[k], a->include[i]);
		if (!is_there && out->includes == 6)
			return false;
		if (!is_there)
			out->include[out->includes++] = a->include[i];
	}
	return out->includes > b->includes && out->includes > a->includes;
}

void advise_merge(struct arena *a, struct candidates *list, size_t most)
{
	size_t n = list->at.n, added = 0;

	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < n && added < most; k++) {
			struct candidate c;
			bool is_there = i == k || !merge(&list->at.at[i], &list->at.at[k], &c);

			if (is_there)
				continue;
			candidate_finish(a, &c, true);
			for (size_t j = 0; j < list->at.n && !is_there; j++)
				is_there = same(&list->at.at[j], &c);
			if (is_there)
				continue;
			*VEC_PUSH(&list->at) = c;
			added++;
		}
}

void advise_generously(struct arena *a, const struct plan *p, const struct schema *schema,
	const struct needed_columns *needed, size_t n, const struct constants *constants,
	struct candidates *out)
{
	struct asker k = {.a = a,
		.p = p,
		.schema = schema,
		.needed = needed,
		.n_needed = n,
		.constants = constants,
		.out = out};

	for (size_t i = 0; i < p->nodes; i++) {
		k.n = p->node[i];
		if (k.n->relation.n && plan_is_scan(k.n) && k.n->kind != PLAN_FOREIGN_SCAN &&
			!str_starts(k.n->relation, "pg_"))
			ask_table(&k);
	}
}
