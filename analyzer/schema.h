/* SPDX-License-Identifier: ISC
 *
 * schema: what is known of the database: tables, columns, types, keys, indexes, sizes.
 *
 *   schema_table.c   the model: made by one of the two below, then only read
 *   schema_dump.c    from SQL text: a `pg_dump -s`, migrations (CREATE TABLE, CREATE INDEX, …)
 *   schema_live.c    from a live catalog (db.h), with row estimates and sizes
 *   schema_type.c    the type of an expression; which side of a comparison is cast
 *   schema_canon.c   expressions as keys: a query's and an index's compare as texts
 *   schema_pattern.c what of a pattern an index can look up
 *   schema_serve.c   does an index serve this condition?
 *   schema_takes.c   does a key of it take the condition: operator, types, collation
 *   schema_partial.c is what it asks for in a partial index?
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
	int64_t length;	      /* of varchar(n), char(n); 0: none */
	struct str collation; /* STR_NONE: the default */
	struct str domain;    /* the type's name, where it is a domain; STR_NONE: it is none */
	double n_distinct;    /* pg_stats; 0: not known */
	double null_frac;
	double correlation;
	int width; /* average bytes; 0: not known */
	/* Of an array, of a tsvector: parts of a value, different parts in all, bytes of one; 0:
	 * not known. */
	double elements, element_kinds, element_width;
	int64_t last_value; /* of the sequence that fills it; 0: not known */
};

struct schema_key {	      /* one column of an index */
	int column;	      /* index in the table's columns; -1: an expression */
	struct str expr;      /* deparsed, as libpg_query spells it */
	struct str canon;     /* of an expression: schema_canon() */
	struct str opclass;   /* "": the default */
	struct str collation; /* "": the column's */
	bool desc, nulls_first;
};

struct schema_where { /* a conjunct of a partial index's predicate */
	struct sql_cond cond;
	struct str canon;
};

struct schema_index {
	struct str name;
	struct schema_table *table;
	struct str method; /* "btree" */
	struct schema_key *key;
	size_t keys;
	int *include;
	size_t includes;
	struct str where;		 /* deparsed predicate; STR_NONE: not partial */
	struct schema_where *where_cond; /* its conjuncts, after schema_settle() */
	size_t wheres;
	bool unique, primary, constraint, valid;
	bool replica;	      /* the replica identity */
	int64_t bytes, scans; /* -1: not known */
};

struct schema_foreign { /* a foreign key */
	struct str name;
	struct schema_table *table, *parent; /* parent NULL: not in the schema */
	struct str parent_schema, parent_name;
	int *column;
	size_t columns;
};

struct schema_table {
	struct str schema, name;
	VEC(struct schema_column) column;
	VEC(struct schema_index *) index;
	VEC(struct schema_foreign *) foreign;
	uint32_t next;		 /* table of the same bare name in another schema; MAP_NONE */
	double rows;		 /* -1: not known */
	int64_t bytes;		 /* -1: not known */
	double hot_part;	 /* of its UPDATEs so far; -1: not known, or too few */
	bool is_view, is_stored; /* a view; a materialized one */
	bool is_partitioned, is_temp, is_unlogged;
	bool is_foreign;	  /* another server's: nothing here can index it */
	struct str parent;	  /* the partitioned table that this is a part of; STR_NONE */
	struct sql_outline *view; /* a view's query */
};

struct schema_domain { /* a domain and the type below it; an enum is its own */
	struct str name, base;
	struct str collation; /* STR_NONE: that of the type */
	bool not_null;
};

struct schema_enum { /* how many values a type has that lists them */
	struct str name;
	size_t labels;
};

struct schema_policy { /* of row security */
	struct str name, table, expr;
};

struct schema_function { /* not the server's own */
	struct str name;
	bool is_volatile; /* all of that name are */
	struct str
		type; /* what they return, in schema_type()'s spelling; "": not known, or several */
};

struct schema_level {	     /* ALTER ROLE, ALTER DATABASE … SET default_transaction_isolation */
	struct str role, db; /* "": all */
	struct str level;    /* "serializable" */
};

struct schema {
	struct arena arena;
	VEC(struct schema_table *) table;
	struct map by_name; /* hash of the bare name -> its first table */
	VEC(struct schema_domain) domain;
	VEC(struct schema_enum) enums;
	VEC(struct schema_policy) policy;
	VEC(struct schema_function) function;
	VEC(struct schema_level) level;
	int stats_days;	     /* since statistics were reset; -1: not known */
	bool has_statistics; /* rows, sizes, scans are known */
	bool live;
	int server_version; /* 150004; 0: not known */
	VEC(struct str) extension;
	struct str collate; /* the database's LC_COLLATE; "": not known */
	struct str path;    /* while DDL is read: the schema of names without one; "": public */
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
/* Once, when all is read: keys and predicates are made comparable. */
void schema_settle(struct schema *s);
/* Is {col} (with others) a unique, non-partial key whose columns are all in `set`? */
bool schema_unique_by(const struct schema_table *t, const struct str *set, size_t n);
/* A function; of those with one name it is what all have in common.  `body`: of LANGUAGE sql, for
 * the planner looks into an expression and forgets what the function was declared; "": no other. */
void schema_add_function(struct schema *s, struct schema_function f, struct str body);
/* Does the expression call a function of the schema that is VOLATILE? */
bool schema_is_volatile(const struct schema *s, const struct sql_node *expr);
/* The isolation level that transactions of the role begin with there, as far as it was set; "":
 * not known. */
struct str schema_level_of(const struct schema *s, struct str role, struct str db);
/* Is there a valid index whose leading key is this column? */
const struct schema_index *schema_led_by(const struct schema_table *t, struct str column);
/* Is it a partition's part of an index of the whole (by its keys)?  It cannot be dropped alone. */
bool schema_is_attached(const struct schema *s, const struct schema_index *x);
bool schema_has_extension(const struct schema *s, const char *name);

/* How many values an enum type has; 0: it is none, or not known. */
double schema_enum_labels(const struct schema *s, struct str type);

/* The table and column a side of a condition names, by way of the outline's FROM, through a view,
 * a subquery or a CTE to the table below it; false: not known.  Either output may be NULL. */
bool schema_resolve(const struct schema *s, const struct sql_outline *o, const struct sql_col *c,
	const struct schema_table **table, const struct schema_column **column);

/* --- types -------------------------------------------------------------------------------- */

/* The type an expression has at a query level, domains looked through: "int4", "text[]";
 * "unknown": a literal or parameter that takes the type of what it meets; "": not known. */
struct str schema_type(const struct schema *s, struct arena *a, const struct sql_outline *o,
	const struct sql_node *expr);
/* The name of a TypeName node, in that spelling. */
struct str schema_type_name(struct arena *a, const struct schema *s, const struct sql_node *type);
bool schema_type_is_text(struct str type); /* of any kind */
/* Of two types that meet in COALESCE, a list or arithmetic. */
struct str schema_type_common(struct str a, struct str b);
/* Is the cast only another name for the same bytes, which an index sees through? */
bool schema_type_is_relabel(struct str from, struct str to);

enum schema_fit { FIT_UNKNOWN = 0, FIT_DIRECT, FIT_CASTS /* the column is cast */ };
enum schema_fit schema_fit(struct str column, struct str value);
/* Has the index's family operators for the two types of one family, int4 and int8 say?  Only
 * B-trees and most of BRIN have all of them. */
bool schema_fit_family(struct str method, struct str opclass, struct str column, struct str value);

/* --- is it served? -------------------------------------------------------------------------- */

/* The expression as text in which a query's and an index's are equal when they mean the same. */
struct str schema_canon(const struct schema *s, struct arena *a, const struct sql_outline *o,
	const struct sql_node *expr);

/* Of whom a question is: the schema, the query level, memory for the answer. */
struct schema_asked {
	const struct schema *s;
	struct arena *a;
	const struct sql_outline *o;
};

/* Are the rows that the query level asks for among those of the index: is it not partial, or do
 * the conditions imply all of its predicate? */
bool schema_has_rows(const struct schema_asked *q, const struct schema_index *x);

/* The collation a value brings with it, by COLLATE; STR_NONE: none. */
struct str schema_collation_of(const struct sql_node *value);

enum schema_pattern { PATTERN_UNKNOWN = 0, PATTERN_NONE, PATTERN_PREFIX, PATTERN_EXACT };
/* Of LIKE, ILIKE, SIMILAR TO, ~, ~*, ^@ against a literal. */
enum schema_pattern schema_pattern(const struct sql_cond *k);

enum serve { SERVE_UNKNOWN = 0, SERVE_YES, SERVE_NO };

/* Why an index on the column (or the expression) does not serve; the nearest miss first. */
enum schema_why {
	WHY_SERVED = 0,
	WHY_NOT_LEADING, /* its first key is not asked for: it would be read whole */
	WHY_PARTIAL,	 /* other rows may be asked for than it holds */
	WHY_PREFIX,	 /* a prefix, in the order of a language */
	WHY_COLLATION,
	WHY_TYPE, /* the column is cast */
	WHY_OPERATOR,
	WHY_VOLATILE,
	WHY_SAME_ROW, /* the other side needs the row itself */
	WHY_NO_INDEX
};

struct schema_served {
	enum schema_why why;
	const struct schema_index *index; /* that serves, or misses nearest; NULL */
};

/* Does an index serve the condition at this query level?  What is not known to the schema is
 * SERVE_UNKNOWN.  out may be NULL; of an OR it tells of the last arm that was looked at. */
enum serve schema_serves(const struct schema *s, struct arena *a, const struct sql_outline *o,
	const struct sql_cond *k, struct schema_served *out);

#endif
