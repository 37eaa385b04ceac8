/* SPDX-License-Identifier: ISC
 *
 * schema: what is known of the database: tables, columns, types, keys, indexes, sizes.
 *
 *   schema_table.c   the model: made by one of the two below, then only read
 *   schema_dump.c    from SQL text: a `pg_dump -s`, migrations (CREATE TABLE, CREATE INDEX, …)
 *   schema_live.c    from a live catalog (db.h), with row estimates and sizes
 *
 * A schema that knows nothing is legal: every question has the answer "not known", and rules
 * that need more stay silent or say less.
 */
#ifndef ANALYZER_SCHEMA_H
#define ANALYZER_SCHEMA_H

#include "base.h"
#include "sql.h"

struct schema_column {
	struct str name;
	struct str type; /* base name: "int4", "text", "timestamptz"; arrays end in "[]" */
	bool not_null;
	struct str collation; /* STR_NONE: the default */
	double n_distinct;    /* pg_stats; 0: not known */
	double null_frac;
	double correlation;
	int width; /* average bytes; 0: not known */
};

struct schema_key {	      /* one column of an index */
	int column;	      /* index in the table's columns; -1: an expression */
	struct str expr;      /* deparsed, as libpg_query spells it */
	struct str opclass;   /* "": the default */
	struct str collation; /* "": the column's */
	bool desc, nulls_first;
};

struct schema_index {
	struct str name;
	struct schema_table *table;
	struct str method; /* "btree" */
	struct schema_key *key;
	size_t keys;
	int *include;
	size_t includes;
	struct str where; /* deparsed predicate; STR_NONE: not partial */
	bool unique, primary, constraint, valid;
	int64_t bytes, scans; /* -1: not known */
};

struct schema_foreign { /* a foreign key */
	struct str name;
	struct schema_table *table, *parent; /* parent NULL: not in the schema */
	struct str parent_name;
	int *column;
	size_t columns;
};

struct schema_table {
	struct str schema, name;
	VEC(struct schema_column) column;
	VEC(struct schema_index *) index;
	VEC(struct schema_foreign *) foreign;
	double rows;   /* -1: not known */
	int64_t bytes; /* -1: not known */
	bool is_view, is_partitioned, is_temp;
	struct sql_outline *view; /* a view's query */
};

struct schema {
	struct arena arena;
	VEC(struct schema_table *) table;
	struct map by_name;  /* hash of the bare name -> first index */
	bool has_statistics; /* rows, sizes, scans are known */
	bool live;
	int server_version; /* 150004; 0: not known */
	VEC(struct str) extension;
	struct str collate; /* the database's LC_COLLATE; "": not known */
};

struct schema *schema_new(void);
void schema_free(struct schema **s);

/* Reads DDL; statements of other kinds are skipped.  false: the file cannot be read. */
bool schema_read_dump(struct schema *s, const char *path, struct err *why);
void schema_read_ddl(struct schema *s, struct str text);

/* NULL: not known.  `schema` may be empty. */
struct schema_table *schema_find(const struct schema *s, struct str schema, struct str name);
int schema_column_of(const struct schema_table *t, struct str column); /* -1 */
struct schema_table *schema_add_table(struct schema *s, struct str schema, struct str name);
struct schema_index *schema_add_index(struct schema *s, struct schema_table *t, struct str name);
/* Is {col} (with others) a unique, non-partial key whose columns are all in `set`? */
bool schema_unique_by(const struct schema_table *t, const struct str *set, size_t n);
/* Is there a valid index whose leading key is this column / this expression? */
const struct schema_index *schema_led_by(const struct schema_table *t, struct str column);
const struct schema_index *schema_led_by_expr(const struct schema_table *t, struct str expr);
bool schema_has_extension(const struct schema *s, const char *name);

/* The table and column a side of a condition names, by way of the outline's FROM; false: not
 * known.  Either output may be NULL. */
bool schema_resolve(const struct schema *s, const struct sql_outline *o, const struct sql_col *c,
	const struct schema_table **table, const struct schema_column **column);

#endif
