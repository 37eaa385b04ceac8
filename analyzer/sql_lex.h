/* SPDX-License-Identifier: ISC
 *
 * sql_lex: one pass over a statement's bytes, giving its shape.
 *
 * A shape is what stays of a statement when everything that varies from call to call is
 * taken out: literals and parameters become `?`, comments and layout go, unquoted names are
 * folded to lower case, lists after IN, in ARRAY[] and of VALUES rows are folded.  What a
 * rule must tell apart stays apart: `= 1`, `IN (1, 2)` and `= ANY ($1)` are three shapes, so
 * are `LIKE 'x%'` and `LIKE '%x'`, one VALUES row and many, `->> 'a'` and `->> 'b'`.
 *
 * The pooler links this file too.  It therefore stands alone: no other header of the
 * analyzer, no allocation, no global state, any bytes for input (NUL, invalid UTF-8, text
 * cut off in the middle), time linear in the length.  It never fails.
 *
 *	struct sql_shape s;
 *	char norm[512];
 *	size_t n = sql_lex(text, len, &s, norm, sizeof(norm));
 *	-> s.hash identifies the shape; norm[0..n) is its text, cut at 512 bytes
 */
#ifndef ANALYZER_SQL_LEX_H
#define ANALYZER_SQL_LEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a statement does, by its leading keyword (behind WITH: by its main verb). */
enum sql_verb {
	SQL_EMPTY = 0, /* nothing but blanks, comments, semicolons */
	SQL_SELECT,
	SQL_INSERT,
	SQL_UPDATE,
	SQL_DELETE,
	SQL_MERGE,
	SQL_VALUES,
	SQL_TABLE,
	SQL_COPY,
	SQL_BEGIN,     /* BEGIN, START TRANSACTION */
	SQL_COMMIT,    /* COMMIT, END, PREPARE TRANSACTION, COMMIT PREPARED */
	SQL_ROLLBACK,  /* ROLLBACK, ABORT; not ROLLBACK TO */
	SQL_SAVEPOINT, /* SAVEPOINT, RELEASE, ROLLBACK TO */
	SQL_SET,       /* SET, RESET */
	SQL_SHOW,
	SQL_DISCARD,
	SQL_EXPLAIN,
	SQL_PREPARE,
	SQL_EXECUTE,
	SQL_DEALLOCATE,
	SQL_DECLARE,
	SQL_FETCH, /* FETCH, MOVE */
	SQL_CLOSE,
	SQL_CALL,
	SQL_DO,
	SQL_LOCK,
	SQL_LISTEN, /* LISTEN, NOTIFY, UNLISTEN */
	SQL_TRUNCATE,
	SQL_DDL,      /* CREATE, ALTER, DROP, COMMENT, GRANT, REVOKE, REFRESH, … */
	SQL_MAINTAIN, /* VACUUM, ANALYZE, CLUSTER, REINDEX, CHECKPOINT */
	SQL_OTHER,
	SQL_VERBS /* how many there are */
};

/* Traits: facts about the text that need no grammar. */
enum {
	SQL_HAS_WHERE = 1 << 0,
	SQL_HAS_LIMIT = 1 << 1, /* LIMIT or FETCH FIRST */
	SQL_HAS_OFFSET = 1 << 2,
	SQL_HAS_FROM = 1 << 3,
	SQL_HAS_JOIN = 1 << 4,
	SQL_HAS_ORDER = 1 << 5,
	SQL_HAS_GROUP = 1 << 6,
	SQL_HAS_UNION = 1 << 7,	      /* UNION, INTERSECT, EXCEPT */
	SQL_HAS_IN_LIST = 1 << 8,     /* IN (…), not IN (SELECT …) */
	SQL_HAS_ANY = 1 << 9,	      /* ANY ( */
	SQL_HAS_FOR_UPDATE = 1 << 10, /* FOR UPDATE | SHARE | NO KEY … */
	SQL_HAS_RETURNING = 1 << 11,
	SQL_HAS_CONFLICT = 1 << 12, /* ON CONFLICT */
	SQL_HAS_WITH = 1 << 13,
	SQL_HAS_STAR = 1 << 14,
	SQL_HAS_COMMENT = 1 << 15,
	SQL_HAS_SUBSELECT = 1 << 16,
	SQL_HAS_PLACEHOLDER = 1 << 17, /* ?, %s, :name: not PostgreSQL's own syntax */
	SQL_IS_MULTI = 1 << 18,	       /* more than one statement */
	SQL_IS_TRUNCATED = 1 << 19,    /* ends inside a string, comment or parenthesis */
	SQL_HAS_PASSWORD = 1 << 20,    /* the word PASSWORD before a literal */
	SQL_HAS_NUL = 1 << 21	       /* a NUL byte: libpg_query would stop there */
};

/* A comment of the statement, as a place in the text (without its marks). */
struct sql_place {
	uint32_t off, len;
};

struct sql_shape {
	uint64_t hash;	   /* identifies the shape; never 0 */
	uint64_t lit_hash; /* of the literals' own bytes, in order; 0: there are none */
	enum sql_verb verb;
	uint32_t traits;   /* SQL_HAS_… */
	uint32_t literals; /* how many were taken out, lists counted in full */
	uint32_t
		telling; /* which of them the hash hangs on (patterns, JSON keys), mixed; 0: none */
	uint32_t params; /* the highest $n */
	uint32_t longest_list;		/* elements of the longest folded list */
	uint32_t rows;			/* rows of VALUES; 0: no VALUES */
	uint32_t statements;		/* statements in the text that are not empty */
	int64_t limit, offset;		/* the literal; SQL_ABSENT, SQL_PARAM or SQL_EXPR */
	uint32_t limit_lit, offset_lit; /* which literal that is, from 1; 0: none */
	struct sql_place first_comment, last_comment; /* len 0: there is none */
	/* What a parser with a recursive tree must be guarded against. */
	uint32_t depth;		/* deepest nesting of ( and [ */
	uint32_t comment_depth; /* deepest nesting of comments */
	uint32_t chain;		/* operators, casts, joins and set operations together */
};

#define SQL_ABSENT (-1) /* no such clause */
#define SQL_PARAM  (-2) /* a parameter stands there */
#define SQL_EXPR   (-3) /* ALL, NULL or an expression */

/* Reads text[0..len).  Fills *out; writes at most normcap bytes of the shape's text (no NUL
 * is added) and returns how many were written.  norm may be NULL when normcap is 0. */
size_t sql_lex(const char *text, size_t len, struct sql_shape *out, char *norm, size_t normcap);

/* The same, and notes where the literals stand: the first litcap of them.  A literal's place
 * covers its quotes and prefix; `$1` is none.  Returns what sql_lex() returns; *nlit is how
 * many places were written. */
size_t sql_lex_places(const char *text, size_t len, struct sql_shape *out, char *norm,
	size_t normcap, struct sql_place *lit, size_t litcap, size_t *nlit);

/* "SELECT", "INSERT", … */
const char *sql_verb_name(enum sql_verb verb);

/* The hash the shape uses, for those who need one over bytes. */
uint64_t sql_hash_bytes(const void *p, size_t n, uint64_t seed);

#endif
