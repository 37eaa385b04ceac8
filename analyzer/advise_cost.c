/* SPDX-License-Identifier: ISC
 *
 * What an index costs: its bytes, and what the workload's writes pay for it.
 */
#include "advise_workload.h"

#include <ctype.h>
#include <math.h>

#define WRITE_COST 0.6 /* in the planner's unit, for one index entry written */
#define GIN_WRITES 4.0 /* times that: one row is many entries */
#define VALUE_PART 0.2 /* of the rows: a value that more have is no partial index's predicate */

/* --- sizes ------------------------------------------------------------------------------------ */

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
	double of_key[INDEX_KEYS_MAX], distinct, width = 0,
						 rows = t ? t->rows * workload_part(w, c) : -1;
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
			of_key[i] = col->n_distinct > 0	  ? col->n_distinct
				    : col->n_distinct < 0 ? -col->n_distinct * rows
							  : rows;
	}
	width = 8 * ceil(width / 8);
	distinct = fmin(joined_values(w, c, of_key), rows);
	plain = rows * (8 + width + 4) / 0.88 + 16384;
	packed = (rows * 6.5 + distinct * (16 + width)) / 0.88 + 16384;
	if (is_packed && rows >= 2 * distinct)
		plain = fmin(plain, packed);
	return hypo >= 0 && (double)hypo < plain ? hypo : (int64_t)plain;
}

/* Bytes that a GIN index has for each byte of the values, by what was built: a pattern's trigrams
 * are about as many as the bytes; a text has 0.4 where its words are a language's and 2.3 where
 * each row has one of its own (a key, a hash); the parts of a document or an array are fewer. */
static double gin_density(const struct index_key *k)
{
	if (k->opclass && strcmp(k->opclass, "gin_trgm_ops") == 0)
		return 3.0;
	return str_find(k->expr, "to_tsvector(") < k->expr.n ? 1.0 : 0.6;
}

static bool is_of_word(char c)
{
	return isalnum((unsigned char)c) || c == '_' || c == '$' || (unsigned char)c >= 0x80;
}

/* The key, a column or an expression, reads the column. */
static bool does_name(struct str key, struct str column)
{
	for (size_t at = 0, n; column.n && at < key.n; at += n + 1) {
		n = str_find(str_skip(key, at), column.p);
		if (at + n + column.n > key.n)
			return false;
		if ((at + n == 0 || !is_of_word(key.p[at + n - 1])) &&
			(at + n + column.n == key.n || !is_of_word(key.p[at + n + column.n])))
			return true;
	}
	return false;
}

/* The column of the key, or the widest that its expression reads; NULL: not known. */
static const struct schema_column *widest_of(const struct schema_table *t, struct str key)
{
	const struct schema_column *widest = NULL;

	for (size_t i = 0; t && i < t->column.n; i++) {
		const struct schema_column *c = &t->column.at[i];

		if (does_name(key, c->name) && (widest == NULL || c->width > widest->width))
			widest = c;
	}
	return widest;
}

/* What is not a B-tree, by the width of its column; NULLs are in none of these. */
static int64_t guessed_size(const struct workload *w, const struct candidate *c)
{
	const struct schema_table *t = schema_find(w->schema, c->schema, c->table);
	const struct schema_column *col = widest_of(t, c->key[0].expr);
	double rows = t ? t->rows : -1, width = col && col->width ? col->width : 32, bytes;

	if (rows < 0)
		return -1;
	rows *= 1 - (col ? col->null_frac : 0);
	if (strcmp(c->method, "gin") == 0)
		bytes = rows * width * gin_density(&c->key[0]);
	else if (strcmp(c->method, "brin") == 0)
		bytes = t->bytes > 0 ? (double)t->bytes / 8192 / 128 * (2 * width + 16) : 8192;
	else if (strcmp(c->method, "hash") == 0)
		bytes = rows * 28;
	else
		bytes = rows * (width + 24) * 1.4;
	return (int64_t)bytes + 24576;
}

static bool has_column(const struct candidate *c, struct str name)
{
	for (size_t i = 0; i < c->keys; i++)
		if (does_name(c->key[i].expr, name))
			return true;
	for (size_t i = 0; i < c->includes; i++)
		if (str_eq(c->include[i], name))
			return true;
	return false;
}

/* None of the table's indexes has a column that the UPDATE sets. */
static bool is_hot(const struct schema_table *t, const struct sql_outline *o)
{
	for (size_t i = 0; i < o->sets; i++)
		for (size_t k = 0; k < t->index.n; k++)
			for (size_t j = 0; j < t->index.at[k]->keys; j++) {
				int column = t->index.at[k]->key[j].column;

				if (column < 0 || str_eq(t->column.at[column].name, o->set[i].name))
					return false;
			}
	return true;
}

/* What one write statement costs the candidate, in the planner's unit for one call. */
static double write_cost(struct workload *w, const struct candidate *c, const struct shape *s,
	bool *ends_hot)
{
	struct sql_tree *tree = sql_parse(&w->plans, s->example, NULL);
	const struct sql_outline *o;
	const struct schema_table *t;

	if (tree == NULL || tree->statements != 1)
		return 0;
	o = sql_outline(&w->plans, sql_statement(tree, 0));
	if (o->rels == 0 || !str_eq(o->rel[0].name, c->table) ||
		(o->rel[0].schema.n && c->schema.n && !str_eq(o->rel[0].schema, c->schema)))
		return 0;
	if (o->verb == SQL_INSERT)
		return WRITE_COST * (double)(o->value_rows ? o->value_rows : 1);
	if (o->verb != SQL_UPDATE)
		return 0;
	for (size_t i = 0; i < o->sets; i++)
		if (has_column(c, o->set[i].name)) {
			/* The update is HOT no more: every index of the table gets an entry. */
			t = schema_find(w->schema, c->schema, c->table);
			*ends_hot = t && is_hot(t, o);
			return WRITE_COST * (double)(1 + (t ? t->index.n : 1));
		}
	return 0;
}

void workload_cost(struct workload *w)
{
	size_t n = w->pool.at.n;

	for (size_t i = 0; i < n; i++) {
		const struct candidate *c = &w->pool.at.at[i];

		w->size[i] = w->is_guessed[i] ? guessed_size(w, c)
					      : whatif_size(&w->whatif, (uint32_t)i);
		if (w->size[i] >= 0 && !w->is_guessed[i])
			w->size[i] = true_size(w, c, w->size[i]);
		if (c->is_of_value && workload_part(w, c) > VALUE_PART)
			w->size[i] = -1;
		for (size_t k = 0; k < w->facts->shape.n && w->size[i] >= 0; k++) {
			const struct shape *s = w->facts->shape.at[k];
			bool ends_hot = false;

			if ((s->verb == SQL_INSERT || s->verb == SQL_UPDATE) && s->calls)
				w->upkeep[i] += write_cost(w, c, s, &ends_hot) * (double)s->calls *
						w->unit *
						(strcmp(c->method, "gin") == 0 ? GIN_WRITES : 1);
			w->hot_lost[i] += ends_hot ? s->calls : 0;
		}
		arena_reset(&w->plans);
	}
}
