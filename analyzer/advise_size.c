/* SPDX-License-Identifier: ISC
 *
 * How large an index would be.
 */
#include "advise_workload.h"

#include <math.h>

#define VALUE_PART 0.2 /* of the rows: a value that more have is no partial index's predicate */

static const struct schema_column *column_of(const struct schema_table *t, struct str name)
{
	int at = t ? candidate_column(t, name) : -1;

	return at >= 0 ? &t->column.at[at] : NULL;
}

/* Equal keys of these are not always equal bytes: PostgreSQL stores each on its own (char(n), too).
 */
static bool is_deduplicated(const struct schema_column *c)
{
	static const char *const not [] = {"numeric", "float4", "float8", "interval", "jsonb",
		"bpchar", "tsvector", "tsquery", "record"};

	for (size_t i = 0; i < ARRAY_LEN(not ); i++)
		if (str_is(c->type, not [i]))
			return false;
	return !str_ends(c->type, "[]") && !str_ends(c->type, "range");
}

/* The rows that the planner expects; < 0: it refuses. */
static double rows_where(struct workload *w, struct str table, struct str where)
{
	struct str sql = arena_printf(&w->arena, "SELECT FROM ONLY %.*s%s%.*s", STR_ARGS(table),
		where.n ? " WHERE " : "", STR_ARGS(where));
	struct plan *p = whatif_plan(&w->whatif, &w->plans, sql, 0, STR_NONE);

	return p ? plan_num(p->root->plan_rows) : -1;
}

double workload_part(struct workload *w, const struct candidate *c)
{
	struct str table;
	double all, some;

	if (c->where.n == 0)
		return 1;
	for (size_t i = 0; i < w->part.n; i++)
		if (str_eq(w->part.at[i].schema, c->schema) &&
			str_eq(w->part.at[i].table, c->table) &&
			str_eq(w->part.at[i].where, c->where))
			return w->part.at[i].part;
	table = arena_printf(&w->arena, "%.*s%s%.*s",
		STR_ARGS(sql_quote_ident(&w->arena, c->schema)), c->schema.n ? "." : "",
		STR_ARGS(sql_quote_ident(&w->arena, c->table)));
	whatif_try(&w->whatif, NULL, 0);
	all = rows_where(w, table, STR_NONE);
	some = rows_where(w, table, c->where);
	*VEC_PUSH(&w->part) = (struct part){.schema = c->schema,
		.table = c->table,
		.where = c->where,
		.part = all > 0 && some >= 0 ? fmin(some / all, 1) : 1};
	return w->part.at[w->part.n - 1].part;
}

/* HypoPG's pages hold half of what PostgreSQL's do, and it knows no deduplication: equal keys are
 * stored once, with a list of rows. */
static int64_t true_size(struct workload *w, const struct candidate *c, int64_t hypo)
{
	const struct schema_table *t = schema_find(w->schema, c->schema, c->table);
	double distinct = 1, width = 0, rows = t ? t->rows * workload_part(w, c) : -1;
	double plain, packed;
	bool is_packed = c->includes == 0;

	if (rows < 1 || strcmp(c->method, "btree") != 0)
		return hypo;
	for (size_t i = 0; i < c->keys + c->includes; i++) {
		struct str name = i < c->keys ? c->key[i].expr : c->include[i - c->keys];
		const struct schema_column *col = column_of(t, name);

		if (col == NULL || col->width == 0)
			return hypo;
		width += col->width;
		is_packed = is_packed && is_deduplicated(col);
		if (i < c->keys)
			distinct *= col->n_distinct > 0	  ? col->n_distinct
				    : col->n_distinct < 0 ? -col->n_distinct * rows
							  : rows;
	}
	width = 8 * ceil(width / 8);
	distinct = fmin(distinct, rows);
	plain = rows * (8 + width + 4) / 0.88 + 16384;
	packed = (rows * 6.5 + distinct * (16 + width)) / 0.88 + 16384;
	if (is_packed && rows >= 2 * distinct)
		plain = fmin(plain, packed);
	return hypo >= 0 && (double)hypo < plain ? hypo : (int64_t)plain;
}

/* Bytes that a GIN index has for each byte of the values, by what was built: a pattern's trigrams
 * are about as many as the bytes, the parts of a document or an array fewer. */
static double gin_density(const char *opclass)
{
	if (opclass && strcmp(opclass, "gin_trgm_ops") == 0)
		return 3.0;
	return 0.6;
}

/* What is not a B-tree, by the width of its column; NULLs are in none of these. */
static int64_t guessed_size(const struct workload *w, const struct candidate *c)
{
	const struct schema_table *t = schema_find(w->schema, c->schema, c->table);
	const struct schema_column *col = column_of(t, c->key[0].expr);
	double rows = t ? t->rows : -1, width = col && col->width ? col->width : 32, bytes;

	if (rows < 0)
		return -1;
	rows *= 1 - (col ? col->null_frac : 0);
	if (strcmp(c->method, "gin") == 0)
		bytes = rows * width * gin_density(c->key[0].opclass);
	else if (strcmp(c->method, "brin") == 0)
		bytes = t->bytes > 0 ? (double)t->bytes / 8192 / 128 * (2 * width + 16) : 8192;
	else if (strcmp(c->method, "hash") == 0)
		bytes = rows * 28;
	else
		bytes = rows * (width + 24) * 1.4;
	return (int64_t)bytes + 24576;
}

void workload_sizes(struct workload *w)
{
	for (size_t i = 0; i < w->pool.at.n; i++) {
		const struct candidate *c = &w->pool.at.at[i];

		w->size[i] = w->is_guessed[i] ? guessed_size(w, c)
					      : whatif_size(&w->whatif, (uint32_t)i);
		if (w->size[i] >= 0 && !w->is_guessed[i])
			w->size[i] = true_size(w, c, w->size[i]);
		if (c->is_of_value && workload_part(w, c) > VALUE_PART)
			w->size[i] = -1;
		arena_reset(&w->plans);
	}
}
