/* SPDX-License-Identifier: ISC
 *
 * What the workload's own writes pay for an index.
 *
 *	INSERT	an entry for each row
 *	UPDATE	HOT, when it sets no column that any index has: no entry at all.  An index that has
 *		such a column ends that: one entry of its own, and one in each index of the table.
 *		An UPDATE that is not HOT anyway writes an entry into every index, the new one, too.
 *
 * Not every UPDATE that may be HOT is (its page may be full): what part is, the server has counted.
 */
#include "advise_workload.h"

#include <math.h>

#define WRITE_COST 0.6 /* in the planner's unit, for one index entry written */
#define GIN_WRITES 4.0 /* times that: one row is many entries */

struct write { /* a shape that writes */
	const struct schema_table *table;
	enum sql_verb verb;
	struct str *set; /* columns that an UPDATE sets, raw names */
	size_t sets;
	double rows; /* of all its calls */
	uint64_t calls;
	bool may_be_hot; /* with the indexes there are */
};

/* --- columns of indexes ---------------------------------------------------------------------- */

static bool candidate_has(struct arena *a, const struct candidate *c, struct str column)
{
	for (size_t i = 0; i < c->keys; i++)
		if (candidate_names(a, c->key[i].expr, column))
			return true;
	for (size_t i = 0; i < c->includes; i++)
		if (candidate_names(a, c->include[i], column))
			return true;
	return candidate_names(a, c->where, column);
}

static bool index_has(struct arena *a, const struct schema_table *t, const struct schema_index *x,
	struct str column)
{
	for (size_t i = 0; i < x->keys; i++)
		if (x->key[i].column < 0 ? candidate_names(a, x->key[i].expr, column)
					 : str_eq(t->column.at[x->key[i].column].name, column))
			return true;
	for (size_t i = 0; i < x->includes; i++)
		if (x->include[i] >= 0 && str_eq(t->column.at[x->include[i]].name, column))
			return true;
	return candidate_names(a, x->where, column);
}

/* Since 16 a BRIN index, which has no entries of rows, ends nothing. */
static bool may_be_hot(struct workload *w, const struct write *u)
{
	for (size_t k = 0; k < u->table->index.n; k++) {
		const struct schema_index *x = u->table->index.at[k];

		if (w->schema->server_version >= 160000 && str_is(x->method, "brin"))
			continue;
		for (size_t i = 0; i < u->sets; i++)
			if (index_has(&w->plans, u->table, x, u->set[i]))
				return false;
	}
	return true;
}

/* --- the workload's writes ------------------------------------------------------------------- */

/* Rows of one call: as pg_stat_statements or the pooler counted them, as many as VALUES has, or as
 * the planner expects. */
static double rows_of(const struct workload *w, uint32_t shape, const struct sql_outline *o)
{
	const struct shape *s = w->facts->shape.at[shape];

	if (s->rows_calls)
		return (double)s->rows / (double)s->rows_calls;
	if (o->value_rows)
		return (double)o->value_rows;
	for (size_t i = 0; i < w->query.n; i++)
		if (w->query.at[i].shape == shape && w->query.at[i].rows_written >= 0)
			return w->query.at[i].rows_written;
	return 1;
}

static bool read_write(struct workload *w, uint32_t shape, struct write *out)
{
	const struct shape *s = w->facts->shape.at[shape];
	struct sql_tree *tree = NULL;
	const struct sql_outline *o;

	if ((s->verb == SQL_INSERT || s->verb == SQL_UPDATE) && s->calls)
		tree = sql_parse(&w->arena, s->example, NULL);
	if (tree == NULL || tree->statements != 1)
		return false;
	o = sql_outline(&w->arena, sql_statement(tree, 0));
	*out = (struct write){.verb = o->verb, .calls = s->calls};
	if (o->rels)
		out->table = schema_find(w->schema, o->rel[0].schema, o->rel[0].name);
	if (out->table == NULL || (o->verb != SQL_INSERT && o->verb != SQL_UPDATE))
		return false;
	out->rows = rows_of(w, shape, o) * (double)s->calls;
	if (o->verb == SQL_INSERT)
		return true;
	out->set = ARENA_ARRAY(&w->arena, struct str, o->sets + 1);
	for (size_t i = 0; i < o->sets; i++)
		out->set[out->sets++] = o->set[i].name;
	out->may_be_hot = may_be_hot(w, out);
	return true;
}

/* The part of what is written there that meets the candidate's table: all, or of a partitioned
 * table as much as it has of its rows. */
static double met_part(const struct workload *w, const struct write *u, const struct candidate *c,
	const struct schema_table *t)
{
	if (u->table == t)
		return 1;
	if (u->table->is_partitioned && partition_root(w->schema, c) == u->table)
		return 1e6 / fmax((double)partition_size(w->schema, c, 1000000, u->table), 1);
	return 0;
}

/* Entries that the write puts into the candidate, and into others because of it. */
static void count_entries(struct workload *w, const struct write *u, const struct candidate *c,
	const struct schema_table *t, double *own, double *others)
{
	double hot = t->hot_part >= 0 ? t->hot_part : 1;
	bool has = false;

	*own = 1;
	*others = 0;
	if (u->verb == SQL_INSERT || !u->may_be_hot)
		return;
	for (size_t i = 0; i < u->sets && !has; i++)
		has = candidate_has(&w->plans, c, u->set[i]);
	if (has && !(strcmp(c->method, "brin") == 0 && w->schema->server_version >= 160000))
		*others = hot * (double)t->index.n;
	else
		*own = 1 - hot;
}

static void charge(struct workload *w, uint32_t id, const struct write *u, size_t n)
{
	const struct candidate *c = &w->pool.at.at[id];
	const struct schema_table *t = schema_find(w->schema, c->schema, c->table);
	double each = strcmp(c->method, "gin") == 0 ? GIN_WRITES : 1;

	for (size_t i = 0; i < n && t; i++) {
		double part = met_part(w, &u[i], c, t), own, others;

		if (part <= 0)
			continue;
		count_entries(w, &u[i], c, t, &own, &others);
		w->upkeep[id] += WRITE_COST * w->unit * part * u[i].rows * (own * each + others);
		w->hot_lost[id] += others > 0 ? (uint64_t)llround((double)u[i].calls * part) : 0;
		arena_reset(&w->plans);
	}
}

void workload_writes(struct workload *w)
{
	struct write *u = ARENA_ARRAY(&w->arena, struct write, w->facts->shape.n + 1);
	size_t n = 0;

	for (uint32_t i = 0; i < w->facts->shape.n; i++)
		n += read_write(w, i, &u[n]);
	for (uint32_t i = 0; i < w->pool.at.n; i++)
		if (w->size[i] >= 0)
			charge(w, i, u, n);
}
