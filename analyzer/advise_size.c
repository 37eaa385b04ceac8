/* SPDX-License-Identifier: ISC
 *
 * How large an index would be.
 *
 * HypoPG's B-trees are 1.5 to 4 times too large: its pages hold half of what PostgreSQL's do, and
 * it knows no deduplication (equal keys are stored once, with a list of rows).  So B-trees are
 * sized from the columns' widths and distinct values.  Of an expression neither is known, of a GIN
 * index not how often each part of a value occurs: these have a least and a greatest size, and one
 * between that is reckoned with.  What was told here of a B-tree's or a GIN's pages was measured on
 * PostgreSQL 15; BRIN and hash indexes are as HypoPG says.
 */
#include "advise_workload.h"

#include <math.h>

#define VALUE_PART    0.2  /* of the rows: a value that more have is no partial index's predicate */
#define FILL	      0.88 /* of a page, after its header */
#define META_BYTES    16384.0 /* the first page, and a root */
#define TEXT_PAD      3.5     /* bytes that rounding up to 8 adds to a width that varies */
#define POSTING_BYTES 1.6     /* times what a row's distance from the next takes */
#define GIN_MIN	      24576.0
#define WORDS_MAX     5000.0 /* different trigrams in texts of one kind */

struct entry { /* of a B-tree, as far as its columns say */
	double width;
	bool varies;   /* some column's width does */
	double offset; /* where the next column begins */
	double least, most, less_distinct;
	double distinct[INDEX_KEYS_MAX]; /* of each key */
	size_t keys;
	bool is_packed; /* equal keys are stored once */
};

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

/* --- rows --------------------------------------------------------------------------------- */

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

/* --- B-trees -------------------------------------------------------------------------------- */

static double alignment(struct str type)
{
	static const struct {
		const char *type;
		double to;
	} fixed[] = {{"int8", 8}, {"timestamptz", 8}, {"timestamp", 8}, {"float8", 8}, {"time", 8},
		{"timetz", 8}, {"interval", 8}, {"money", 8}, {"int4", 4}, {"date", 4},
		{"float4", 4}, {"oid", 4}, {"int2", 2}, {"bool", 1}, {"uuid", 1}, {"char", 1}};

	for (size_t i = 0; i < ARRAY_LEN(fixed); i++)
		if (str_is(type, fixed[i].type))
			return fixed[i].to;
	return 0;
}

static void put_width(struct entry *e, double width, double align)
{
	if (align > 1)
		e->offset = align * ceil(e->offset / align);
	e->varies |= align == 0;
	e->offset += width;
}

static void put_column(struct entry *e, const struct schema_column *c, double rows, bool is_key)
{
	double distinct = c->n_distinct > 0   ? c->n_distinct
			  : c->n_distinct < 0 ? -c->n_distinct * rows
					      : rows;

	put_width(e, c->width, alignment(c->type));
	e->is_packed = e->is_packed && is_key && is_deduplicated(c);
	if (is_key) {
		e->distinct[e->keys++] = distinct;
		e->less_distinct = fmax(e->less_distinct, distinct); /* one may tell the other */
	}
}

/* What a function makes of its column: bytes (0: as many as it has) and distinct values. */
static const struct change {
	const char *name;
	int width;
	bool keeps; /* as many distinct values */
} changes[] = {
	{"lower(", 0, true},
	{"upper(", 0, true},
	{"initcap(", 0, true},
	{"btrim(", 0, true},
	{"ltrim(", 0, true},
	{"rtrim(", 0, true},
	{"reverse(", 0, true},
	{"abs(", 0, true},
	{"md5(", 33, true},
	{"length(", 4, false},
	{"char_length(", 4, false},
	{"octet_length(", 4, false},
	{"hashtext(", 4, true},
	{"date_trunc(", 8, false},
	{"extract(", 8, false},
	{"left(", 0, false},
};

static bool is_number(struct str type)
{
	return str_is(type, "int2") || str_is(type, "int4") || str_is(type, "int8");
}

/* The column of the key, or the widest that its expression reads; NULL: not known. */
static const struct schema_column *widest_of(struct workload *w, const struct schema_table *t,
	struct str key)
{
	const struct schema_column *widest = NULL;

	for (size_t i = 0; t && i < t->column.n; i++) {
		const struct schema_column *c = &t->column.at[i];

		if (candidate_names(&w->plans, key, c->name) &&
			(widest == NULL || c->width > widest->width))
			widest = c;
	}
	return widest;
}

/* An expression: by what its function makes of the column; else all that is sure is that there are
 * no more values than rows, and hardly fewer than one. */
static void put_expression(struct workload *w, struct entry *e, const struct schema_table *t,
	struct str expr, double rows)
{
	const struct schema_column *c = widest_of(w, t, expr);
	const struct change *f = NULL;
	double distinct = rows;

	for (size_t i = 0; i < ARRAY_LEN(changes); i++)
		if (str_starts(expr, changes[i].name))
			f = &changes[i];
	if (c && c->n_distinct != 0)
		distinct = c->n_distinct > 0 ? c->n_distinct : -c->n_distinct * rows;
	e->distinct[e->keys++] = distinct;
	if (f && c && c->width) {
		put_width(e, f->width ? f->width : c->width,
			f->width == 4 || f->width == 8 ? f->width : 0);
		e->less_distinct = fmax(e->less_distinct, f->keeps ? distinct : 1);
	} else if (c && is_number(c->type)) { /* a + 1 */
		put_width(e, c->width, alignment(c->type));
		e->less_distinct = fmax(e->less_distinct, distinct);
	} else { /* data ->> 'key', and what else there is */
		put_width(e, 16, 0);
		e->least -= 8;
		e->most += 24;
	}
}

static double btree_bytes(double rows, double width, double distinct, bool is_packed)
{
	double plain = rows * (8 + width + 4) / FILL;

	distinct = fmin(distinct, rows);
	if (is_packed && rows >= 2 * distinct)
		plain = fmin(plain, (rows * 6.5 + distinct * (16 + width)) / FILL);
	return plain + META_BYTES;
}

static struct extent between(double least, double most)
{
	return (struct extent){.least = least,
		.most = most,
		.bytes = most <= 1.5 * least ? most : sqrt(least * most)};
}

static struct extent btree_size(struct workload *w, const struct candidate *c, int64_t hypo)
{
	const struct schema_table *t = schema_find(w->schema, c->schema, c->table);
	double rows = t ? t->rows * workload_part(w, c) : -1, width, least, most;
	struct entry e = {.less_distinct = 1, .is_packed = c->includes == 0};

	if (rows < 0)
		return between((double)hypo, (double)hypo);
	for (size_t i = 0; i < c->keys + c->includes; i++) {
		struct str name = i < c->keys ? c->key[i].expr : c->include[i - c->keys];
		const struct schema_column *col = column_of(t, name);

		if (col && col->width)
			put_column(&e, col, rows, i < c->keys);
		else if (col == NULL)
			put_expression(w, &e, t, name, rows);
		else /* never analyzed */
			return between((double)hypo / 4, (double)hypo);
	}
	width = e.varies ? e.offset + TEXT_PAD : 8 * ceil(e.offset / 8);
	least = btree_bytes(rows, fmax(width + e.least, 8), e.less_distinct, e.is_packed);
	most = btree_bytes(rows, width + e.most, joined_values(w, c, e.distinct), e.is_packed);
	return between(least < most ? 0.85 * least : least, most);
}

/* --- GIN and GiST ---------------------------------------------------------------------------- */

/* Rows are listed by their distance from the one before, 7 bits a byte; a row's number is its
 * page's, and 11 bits of its place in the page.  `each`: rows that have the same part. */
static double gin_bytes(double rows, double pages, double parts, double kinds, double part_width)
{
	double each, bits;

	kinds = fmax(fmin(kinds, rows * parts), 1);
	each = fmax(rows * parts / kinds, 1);
	bits = pages > each ? log2(2048 * pages / each) : log2(2 + rows / each);
	return rows * parts * POSTING_BYTES * ceil(bits / 7) + kinds * (part_width + 24) / 0.7 +
	       GIN_MIN;
}

static struct extent gin_size(const struct candidate *c, const struct schema_table *t,
	const struct schema_column *col, double rows)
{
	double width = col && col->width ? col->width : 32,
	       pages = fmax((double)t->bytes / 8192, 1);
	double values = col && col->n_distinct > 0   ? col->n_distinct
			: col && col->n_distinct < 0 ? -col->n_distinct * rows
						     : rows;
	const char *opclass = c->key[0].opclass ? c->key[0].opclass : "";
	double bytes;

	if (col && col->elements > 0) { /* an array, or a document's words: counted by ANALYZE */
		bytes = gin_bytes(rows, pages, col->elements, col->element_kinds,
			col->element_width);
		return (struct extent){bytes / 1.8, bytes, bytes * 1.8};
	}
	if (strcmp(opclass, "gin_trgm_ops") == 0) {
		bytes = gin_bytes(rows, pages, width, fmin(WORDS_MAX, values * width), 4);
		return (struct extent){bytes / 2.5, bytes / 1.3, bytes * 1.2};
	}
	if (col && str_is(col->type, "jsonb")) { /* all values new, or all seen often */
		bool paths = strcmp(opclass, "jsonb_path_ops") == 0;

		bytes = rows * width * (paths ? 0.9 : 1.5) + GIN_MIN;
		return (struct extent){
			bytes / 5, values * 10 < rows ? bytes / 3 : bytes * 0.8, bytes * 1.2};
	}
	/* A text has 0.4 of its bytes where its words are a language's, 2.3 where each row has one
	 * of its own. */
	bytes = rows * width + GIN_MIN;
	return (struct extent){bytes / 3, bytes, bytes * 2.5};
}

/* What HypoPG cannot try, by the width of its column; NULLs are in none of these. */
static struct extent guessed_size(struct workload *w, const struct candidate *c)
{
	const struct schema_table *t = schema_find(w->schema, c->schema, c->table);
	const struct schema_column *col = widest_of(w, t, c->key[0].expr);
	double rows = t ? t->rows : -1, width = col && col->width ? col->width : 32, bytes;

	if (rows < 0)
		return (struct extent){-1, -1, -1};
	rows *= 1 - (col ? col->null_frac : 0);
	if (strcmp(c->method, "gin") == 0)
		return gin_size(c, t, col, rows);
	bytes = rows * (width + 24) * 1.4 + GIN_MIN;
	return (struct extent){bytes / 1.8, bytes, bytes * 1.6};
}

void workload_sizes(struct workload *w)
{
	for (size_t i = 0; i < w->pool.at.n; i++) {
		const struct candidate *c = &w->pool.at.at[i];
		int64_t hypo = w->is_guessed[i] ? -1 : whatif_size(&w->whatif, (uint32_t)i);
		struct extent *x = &w->extent[i];

		if (w->is_guessed[i])
			*x = guessed_size(w, c);
		else if (hypo < 0 || strcmp(c->method, "btree") != 0)
			*x = between((double)hypo, (double)hypo);
		else
			*x = btree_size(w, c, hypo);
		w->size[i] = x->bytes < 0 ? -1 : (int64_t)x->bytes;
		if (c->is_of_value && workload_part(w, c) > VALUE_PART)
			w->size[i] = -1;
		arena_reset(&w->plans);
	}
}
