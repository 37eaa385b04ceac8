/* SPDX-License-Identifier: ISC
 *
 * sql: text -> shape, tree, outline, and back to text.  The only layer that sees libpg_query.
 *
 *   sql_lex.[ch]     the shape: literals out, hash, traits; see there
 *   sql_parse.c      text -> tree, guarded against what crashes or stalls libpg_query
 *   sql_import.c     libpg_query's tree copied into an arena, instead of packed and unpacked
 *   sql_memo.c       shapes that were seen already, by what is left without plain literals
 *   sql_comment.c    the comments of a statement, and what they tell us
 *   sql_node.c       reading a tree: fields by name, a generic walk
 *   sql_outline.c    tree -> outline: tables, conjuncts, order, limit; what rules ask for
 *   sql_cond.c       boolean expressions -> conjuncts
 *   sql_term.c       one side of a comparison: which column, wrapped in what
 *   sql_split.c      a script -> statements
 *   sql_text.c       tree -> text; identifiers quoted; literals masked
 *   sql_batch.c      a lookup -> one for many keys
 *
 * Everything is allocated in the arena the caller gives and lives as long as it.
 *
 * Threads: libpg_query leaks one pthread key for each thread that ever called it and needs a
 * deep stack.  Call sql_parse() and the deparsing functions only from threads that were
 * started by sql_run_deep(): main() runs the whole program in one.
 */
#ifndef ANALYZER_SQL_H
#define ANALYZER_SQL_H

#include "base.h"
#include "sql_lex.h"

/* Runs fn(arg) on a thread with a stack deep enough for libpg_query's recursion and waits for
 * it; returns what it returned. */
int sql_run_deep(int (*fn)(void *arg), void *arg);

/* --- trees ------------------------------------------------------------------ */

/* A node of a parse tree: a message of libpg_query.  Never freed by itself. */
struct sql_node;

struct sql_tree {
	struct str text;	     /* what was asked for: locations are byte offsets into it */
	const struct sql_node *root; /* "ParseResult" */
	size_t statements;
	bool substituted; /* parsed only after ?, %s, :name were replaced */
};

/* Parses a text of one or more statements.  NULL: it could not be parsed, *why says why (the
 * grammar is PostgreSQL 15's).  Never crashes: what is too deep or too long is refused. */
struct sql_tree *sql_parse(struct arena *a, struct str text, struct err *why);

/* The i-th statement: "SelectStmt", "IndexStmt", …  */
const struct sql_node *sql_statement(const struct sql_tree *t, size_t i);
/* Its text, blanks and comments around it left out. */
struct str sql_statement_text(const struct sql_tree *t, size_t i);

/* Parses a bare expression, as plans print them ("(a > 5) AND (b = 1)"): its node, or NULL. */
const struct sql_node *sql_parse_expr(struct arena *a, struct str expr, struct err *why);

/* Fields are named as in pg_query.proto (snake_case).  A `Node` wrapper is never seen: it is
 * looked through.  Asking for a field a node does not have gives NULL, 0, "" or -1. */
const char *node_kind(const struct sql_node *n); /* "ColumnRef"; "" for NULL */
bool node_is(const struct sql_node *n, const char *kind);
const struct sql_node *node_get(const struct sql_node *n, const char *field);
size_t node_len(const struct sql_node *n, const char *list);
const struct sql_node *node_item(const struct sql_node *n, const char *list, size_t i);
const char *node_str(const struct sql_node *n, const char *field);
int64_t node_int(const struct sql_node *n, const char *field);	    /* numbers, booleans */
const char *node_enum(const struct sql_node *n, const char *field); /* "JOIN_LEFT" */
int node_loc(const struct sql_node *n); /* byte offset; -1: the node has none */
/* The least location in the subtree, -1 when there is none: where its text begins, nearly. */
int node_start(const struct sql_node *n);
/* The strings of a list of String nodes, joined: "pg_catalog.lower", "<=". */
struct str node_name(struct arena *a, const struct sql_node *n, const char *list);
/* The last of them: "lower". */
struct str node_last_name(const struct sql_node *n, const char *list);

enum walk { WALK_ON = 0, WALK_PRUNE, WALK_STOP };

struct sql_path {		   /* the way down to the node visited */
	const struct sql_path *up; /* NULL at the root */
	const struct sql_node *node;
	const char *field; /* of up->node, through which this one is reached */
};

/* Visits every node below and including n, parents first.  Returns true when visit() said
 * WALK_STOP. */
bool sql_walk(const struct sql_node *n, enum walk (*visit)(void *ctx, const struct sql_path *at),
	void *ctx);

/* --- outlines ----------------------------------------------------------------- */

enum sql_join { JOIN_NONE = 0, JOIN_INNER, JOIN_LEFT, JOIN_RIGHT, JOIN_FULL, JOIN_CROSS };

enum sql_rel_kind { REL_TABLE = 0, REL_CTE, REL_SUBQUERY, REL_FUNCTION, REL_VALUES, REL_OTHER };

struct sql_outline;

/* An item of FROM (or the target of INSERT, UPDATE, DELETE: always rel[0]). */
struct sql_rel {
	enum sql_rel_kind kind;
	struct str schema, name; /* as written, folded; name "" for a subquery */
	struct str alias;	 /* the name columns are qualified with: alias, else name */
	struct sql_outline *sub; /* REL_SUBQUERY, REL_CTE: what it selects */
	enum sql_join join; /* how it was joined to those before it; JOIN_NONE: comma or first */
	bool nullable;	    /* on the side of an outer join that may be filled with NULLs */
	bool lateral;
	bool is_natural; /* joined NATURAL or by USING: connected without a condition */
	bool is_target;	 /* of INSERT, UPDATE, DELETE, MERGE */
	int loc;
	const struct sql_node *node;
};

struct sql_col {
	struct str qual, name; /* `qual.name` as written */
	int rel;	       /* index in sql_outline.rel; -1: not known; -2: an outer query's */
	int loc;
};

enum sql_side_kind {
	SIDE_NONE = 0,
	SIDE_COLUMN,  /* a bare column */
	SIDE_WRAPPED, /* an expression over one or more columns */
	SIDE_CONST,   /* a literal, perhaps cast */
	SIDE_PARAM,   /* $n, perhaps cast */
	SIDE_STABLE,  /* an expression without columns: now() - interval '1 day' */
	SIDE_LIST,    /* (1, 2, 3), ARRAY[…] of such */
	SIDE_QUERY    /* a subquery */
};

enum sql_wrap { /* what stands between a column and its comparison, the outermost */
	WRAP_NONE = 0,
	WRAP_CAST,     /* col::type */
	WRAP_FUNC,     /* f(col) */
	WRAP_ARITH,    /* col + 1, -col, now() - col */
	WRAP_COALESCE, /* COALESCE, NULLIF, GREATEST, LEAST */
	WRAP_CASE,
	WRAP_CONCAT,   /* col || 'x', concat(col, …) */
	WRAP_JSON,     /* col -> 'k', col ->> 'k', col #>> '{…}', col['k'] */
	WRAP_TIMEZONE, /* col AT TIME ZONE 'x' */
	WRAP_EXTRACT,  /* EXTRACT(f FROM col), date_part */
	WRAP_TRUNC,    /* date_trunc('day', col) */
	WRAP_COLLATE,
	WRAP_BOOL, /* (a = 5) IS TRUE, NOT … */
	WRAP_ROW,  /* (a, b) */
	WRAP_OTHER
};

struct sql_side {
	enum sql_side_kind kind;
	struct sql_col col; /* SIDE_COLUMN, SIDE_WRAPPED: the first column in it */
	size_t cols;	    /* how many column references are in it */
	enum sql_wrap wrap;
	struct str by;	  /* WRAP_FUNC: the function; WRAP_CAST: the type; else the operator */
	struct str cast;  /* the type a constant or parameter is cast to; STR_NONE: none */
	struct str value; /* SIDE_CONST: the literal's value; NULL gives STR_NONE */
	bool is_string, is_null, is_bool;
	int param;		 /* SIDE_PARAM: n of $n */
	bool is_volatile;	 /* calls random(), clock_timestamp(), nextval() … */
	size_t list;		 /* SIDE_LIST: elements */
	struct sql_outline *sub; /* SIDE_QUERY */
	const struct sql_node *node;
};

enum sql_pred {
	PRED_EQ = 0,
	PRED_NE,
	PRED_LT,
	PRED_LE,
	PRED_GT,
	PRED_GE,
	PRED_LIKE,
	PRED_NOT_LIKE,
	PRED_ILIKE,
	PRED_NOT_ILIKE,
	PRED_SIMILAR,
	PRED_REGEX, /* ~ ~* !~ !~*: see op */
	PRED_IN,
	PRED_NOT_IN,
	PRED_ANY, /* left op ANY (right) */
	PRED_ALL,
	PRED_BETWEEN, /* right, upper */
	PRED_NOT_BETWEEN,
	PRED_IS_NULL,
	PRED_NOT_NULL,
	PRED_DISTINCT,	   /* IS DISTINCT FROM */
	PRED_NOT_DISTINCT, /* IS NOT DISTINCT FROM */
	PRED_BOOL,	   /* a bare boolean: column, function; right is empty */
	PRED_IS_BOOL,	   /* IS [NOT] TRUE | FALSE | UNKNOWN: see op */
	PRED_EXISTS,
	PRED_NOT_EXISTS,
	PRED_OP,   /* any other operator: @>, &&, @@, ? */
	PRED_OR,   /* arm[] */
	PRED_AND,  /* inside an OR: arm[] */
	PRED_NOT,  /* NOT over something that could not be turned around: arm[0] */
	PRED_CONST /* TRUE, FALSE, 1 = 1 */
};

enum sql_clause { CLAUSE_WHERE = 0, CLAUSE_ON, CLAUSE_HAVING };

/* One conjunct.  Where a column stands on one side only, it is `left` (5 < a is a > 5). */
struct sql_cond {
	enum sql_pred pred;
	enum sql_clause clause;
	enum sql_join join; /* CLAUSE_ON: of which kind of join */
	struct str op;	    /* the operator as written: "=", "@>" */
	bool swapped;	    /* the column stood on the right */
	bool negated;	    /* `node` stands below a NOT, which `pred` has taken in */
	struct sql_side left, right, upper;
	struct sql_cond *arm;
	size_t arms;
	int loc;
	const struct sql_node *node;
};

struct sql_order {
	struct sql_side by;
	bool desc;
	bool nulls_given, nulls_first;
	int position; /* ORDER BY 1; 0: not by position */
};

enum sql_target_kind {
	TARGET_EXPR = 0,
	TARGET_STAR,
	TARGET_COLUMN,
	TARGET_CONST,
	TARGET_AGGREGATE,
	TARGET_WINDOW,
	TARGET_QUERY
};

struct sql_target { /* an output column; for UPDATE … SET, INSERT (…): the column assigned */
	enum sql_target_kind kind;
	struct str name;     /* the output's or the assigned column's name, "" when it has none */
	struct sql_side val; /* TARGET_STAR: col.qual is what stands before the star */
	bool has_aggregate;
	bool assigned; /* val is assigned to column `name` */
	const struct sql_node *node;
};

enum sql_bound { BOUND_NONE = 0, BOUND_CONST, BOUND_PARAM, BOUND_EXPR };

enum sql_role {
	ROLE_TOP = 0,
	ROLE_FROM,
	ROLE_CTE,
	ROLE_ARM,
	ROLE_EXISTS,
	ROLE_IN,
	ROLE_SCALAR,
	ROLE_ARRAY,
	ROLE_INSERT,
	ROLE_INNER /* of EXPLAIN, COPY, DECLARE, CREATE TABLE AS … */
};

/* What one query level does.  A statement's outline is a tree of these by `sub`. */
struct sql_outline {
	enum sql_verb verb; /* SQL_SELECT also for VALUES lists in a query; SQL_DDL, … */
	enum sql_role role;
	const struct sql_node *node;
	struct sql_outline *up;	  /* the query around it; NULL at the top */
	struct sql_outline **sub; /* every query level directly inside this one */
	size_t subs;
	struct str cte; /* ROLE_CTE: its name */
	bool is_recursive, is_materialized;
	size_t uses; /* ROLE_CTE: how often FROM names it */

	struct sql_rel *rel;
	size_t rels;
	struct sql_cond *cond; /* conjuncts of WHERE, ON, HAVING */
	size_t conds;
	struct sql_target *target; /* outputs, or RETURNING */
	size_t targets;
	struct sql_target *set; /* UPDATE … SET, ON CONFLICT … SET, INSERT's columns */
	size_t sets;
	struct sql_order *order;
	size_t orders;
	struct sql_side *group;
	size_t groups;
	bool has_group, has_having, has_window, has_aggregate;
	bool is_distinct, is_distinct_on;
	bool is_setop, setop_all; /* UNION …: the arms are in sub[] with ROLE_ARM */
	const char *setop;	  /* "UNION", "INTERSECT", "EXCEPT" */
	enum sql_bound limit, offset;
	int64_t limit_value, offset_value; /* BOUND_CONST */
	int limit_param, offset_param;	   /* BOUND_PARAM */
	bool is_locking, skip_locked, no_wait;
	size_t value_rows; /* VALUES */
	bool has_conflict;
	bool is_values;
	bool has_params;
};

/* The outline of one statement (of sql_statement()); never NULL.  For statements that hold a
 * query (EXPLAIN, COPY (…), DECLARE, PREPARE, CREATE TABLE AS) it is in sub[0]. */
struct sql_outline *sql_outline(struct arena *a, const struct sql_node *stmt);

/* The conjuncts of a bare expression (sql_parse_expr()), left.rel and right.rel all -1. */
struct sql_cond *sql_conjuncts(struct arena *a, const struct sql_node *expr, size_t *n);

/* One side alone. */
struct sql_side sql_side(struct arena *a, const struct sql_node *expr);

/* --- back to text ----------------------------------------------------------------- */

/* SQL of an expression or of a whole statement, in libpg_query's spelling.  STR_NONE when it
 * cannot be written. */
struct str sql_deparse(struct arena *a, const struct sql_node *n);
/* `name`, or `"Name"` where it must be quoted. */
struct str sql_quote_ident(struct arena *a, struct str name);
struct str sql_quote_literal(struct arena *a, struct str value);
/* The text with every literal replaced by `?` and comments taken out, layout kept. */
struct str sql_mask(struct arena *a, struct str text);
/* EXTRACTs key/value tags of sqlcommenter (a comment of key=value pairs) and marginalia
 * (key:value). STR_NONE when the tag is not there.  The value is decoded. */
struct str sql_tag(struct arena *a, struct str text, const struct sql_shape *shape,
	const char *key);
/* The comments of a text: call with *at = 0 until it says false.  `comment` is without its marks
 * (-- or the stars) and blanks at its ends. */
bool sql_comment_next(struct str text, size_t *at, struct str *comment);
/* What stands behind `mark` ("pgassay:ignore") when the comment begins with it; else STR_NONE. */
struct str sql_mark(struct str comment, const char *mark);
/* One statement for many keys: the lookup of query level `o` (the statement's, or what its EXISTS
 * asks) with its conjunct `key`, col = value, turned into col = ANY ($1), and the key among what is
 * returned; STR_NONE when that would change what it means.  `type` may be "" or an array type
 * such as "bigint[]"; `unique`: the key finds at most one row, so that a LIMIT does nothing. */
struct str sql_batch(struct arena *a, const struct sql_tree *t, const struct sql_outline *o,
	const struct sql_cond *key, const char *type, bool unique);

/* The lookup itself with the key's literal turned into $1 (a parameter stays). */
struct str sql_lookup(struct arena *a, const struct sql_tree *t, const struct sql_outline *o,
	const struct sql_cond *key);

/* Where the first statement of a script ends: behind its semicolon. */
size_t sql_statement_end(const char *p, size_t n);
/* Is it no SQL but a command of psql, \set …? */
bool sql_is_psql(struct str statement);
/* The rows behind COPY … FROM stdin; and the line \. that ends them, in bytes of what comes after
 * the statement; 0: it is another one, or nothing ends them. */
size_t sql_copy_data(struct str statement, const char *rest, size_t n);

/* SQL keywords that cannot be a bare identifier. */
bool sql_is_reserved(struct str word);

#endif
