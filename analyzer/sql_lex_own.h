/* SPDX-License-Identifier: ISC
 *
 * sql_lex_own.h: the lexer's state and the steps its files share; private to them.
 *
 *   sql_lex.c           operators, punctuation, comments; the loop
 *   sql_lex_word.c      keywords, verbs, names
 *   sql_lex_literal.c   strings, numbers, parameters
 *   sql_lex_fold.c      the window; lists and rows folded
 *   sql_hash.c          the hash
 *   sql_memo.c          what the lexer said of a statement with other literals (analyzer only)
 *
 * Tokens are written to a window on the stack; what has become final is hashed from there in
 * blocks of a fixed size, so that the hash does not depend on how the window was emptied.
 * Folding a list is an undo: when an element of a list equals the one before it, the window
 * is cut back to where that one ended.  A list whose element does not fit the window is not
 * folded, which costs a finer shape and nothing else.
 *
 *	window  [ hashed blocks … | hold … elements that may be undone … | free ]
 *
 * Nothing recurses: nesting is a counter with a small stack for the innermost LEVELS.
 */
#ifndef SQL_LEX_OWN_H
#define SQL_LEX_OWN_H

#include "sql_lex.h"

#include <string.h>

#define WINDOW 8192
#define BLOCK  1024
#define LEVELS 48

enum tok { /* what stands before the next token */
	T_START = 0,
	T_WORD, /* a name */
	T_KEY,	/* a keyword after which an operand comes */
	T_LIT,
	T_OPEN,
	T_CLOSE,
	T_COMMA,
	T_OP,
	T_DOT,
	T_CAST
};

enum kw {
	KW_NONE = 0,
	KW_PLAIN,
	KW_SELECT,
	KW_FROM,
	KW_WHERE,
	KW_JOIN,
	KW_ORDER,
	KW_GROUP,
	KW_UNION,
	KW_LIMIT,
	KW_OFFSET,
	KW_FETCH,
	KW_IN,
	KW_ANY,
	KW_ARRAY,
	KW_VALUES,
	KW_LIKE,
	KW_FOR,
	KW_LOCKING,
	KW_RETURNING,
	KW_CONFLICT,
	KW_WITH,
	KW_DML,
	KW_TO,
	KW_ALL,
	KW_PASSWORD,
	KW_TRANSACTION
};

enum {
	NOTE_JSON_KEY = 1, /* ->, ->>, #> or #>> */
	NOTE_STRING = 2,   /* a string literal */
	NOTE_REGEX = 4	   /* an operator that takes a regular expression */
};

enum pattern { PATTERN_NONE = 0, PATTERN_OPEN, PATTERN_ANCHORED }; /* 'x', '%x', 'x%' */

enum fold { FOLD_NONE = 0, FOLD_LIST, FOLD_ROW };

struct level {
	unsigned char fold;
	bool row_folded;	 /* a VALUES row was undone */
	bool in_values;		 /* a VALUES keyword stands at this level, rows follow */
	uint32_t elem;		 /* window: where the current element began */
	uint32_t prev, prev_end; /* window: the element (row) before it; prev_end 0: none */
	uint32_t count, distinct;
	uint32_t row, row_end, rows; /* window: the VALUES row before this one */
};

struct lex {
	const unsigned char *text, *p, *end;
	struct sql_shape *out;
	char *norm;
	size_t normcap, normlen;
	struct sql_place *lit;
	size_t litcap, nlit;
	uint64_t hash, extra; /* extra: what is part of the shape but not of its text */
	uint32_t used, done;  /* window: written, already hashed */
	uint32_t depth, limit_depth, offset_depth;
	unsigned char prev;  /* enum tok: the token before the next one */
	unsigned char key;   /* enum kw: when it was a keyword, else KW_NONE */
	unsigned char note;  /* NOTE_…: what else is to be known of it */
	bool rows_open;	     /* some level may have VALUES rows to fold */
	bool main_verb_open; /* WITH …: the main verb is still to come */
	bool names;	     /* names are taken out as literals are: savepoints, cursors */
	struct level level[LEVELS];
	char w[WINDOW + 16];
};

/* --- hash ---------------------------------------------------------------------------- */

static inline uint64_t mum(uint64_t a, uint64_t b)
{
	unsigned __int128 m = (unsigned __int128)a * b;
	return (uint64_t)m ^ (uint64_t)(m >> 64);
}

static inline uint64_t load8(const unsigned char *p)
{
	uint64_t v;
	memcpy(&v, p, 8);
	return v;
}

static inline uint64_t load4(const unsigned char *p)
{
	uint32_t v;
	memcpy(&v, p, 4);
	return v;
}

/* The n bytes at p, n < 8, as the low bytes of a number; nothing else is read. */
static inline uint64_t load_tail(const unsigned char *p, size_t n)
{
	if (n >= 4)
		return load4(p) | load4(p + n - 4) << 8 * (n - 4);
	if (n == 0)
		return 0;
	return p[0] | (uint64_t)p[n / 2] << 8 * (n / 2) | (uint64_t)p[n - 1] << 8 * (n - 1);
}

/* The hash of literals, with the next one's body; `count`: which one that is, from 1. */
static inline uint64_t lex_mix_literal(uint64_t hash, const unsigned char *body, size_t n,
	uint32_t count)
{
	return mum(hash ^ sql_hash_bytes(body, n, count), 0x9fb21c651e98df25ULL);
}

/* Which literals the shape hangs on, with one more. */
static inline uint32_t lex_mix_telling(uint32_t telling, uint32_t literal)
{
	return telling * 31 + literal;
}

/* --- bytes --------------------------------------------------------------------------- */

/* A name's byte in lower case; 0: no name goes on here. */
extern const unsigned char sql_lower[256];

static inline bool is_digit(unsigned char c)
{
	return c >= '0' && c <= '9';
}

static inline bool is_name_start(unsigned char c)
{
	return sql_lower[c] > '9';
}

static inline bool is_name(unsigned char c)
{
	return sql_lower[c] != 0;
}

/* --- writing to the window ------------------------------------------------------------ */

/* sql_lex_fold.c: makes room. */
void lex_flush(struct lex *x);
void lex_put_in_parts(struct lex *x, const char *s, size_t n);

static inline void lex_put(struct lex *x, const char *s, size_t n)
{
	if (n > WINDOW - x->used) {
		lex_put_in_parts(x, s, n);
		return;
	}
	memcpy(x->w + x->used, s, n);
	x->used += (uint32_t)n;
}

static inline void lex_put1(struct lex *x, char c)
{
	if (x->used >= WINDOW)
		lex_flush(x);
	x->w[x->used++] = c;
}

static inline struct level *lex_level(struct lex *x)
{
	return x->depth < LEVELS ? &x->level[x->depth] : NULL;
}

/* The blank between two tokens, where there is one. */
static inline void lex_space(struct lex *x)
{
	if (!(1u << x->prev &
		    (1u << T_START | 1u << T_OPEN | 1u << T_DOT | 1u << T_CAST | 1u << T_COMMA)))
		lex_put1(x, ' ');
}

static inline bool lex_wants_operand(const struct lex *x)
{
	return !(1u << x->prev &
		 (1u << T_WORD | 1u << T_LIT | 1u << T_CLOSE | 1u << T_DOT | 1u << T_CAST));
}

/* sql_lex_fold.c: the rows of VALUES are over. */
void lex_end_open_rows(struct lex *x);

/* Any token ends a run of VALUES rows, but for the commas and parentheses of the run. */
static inline void lex_end_rows(struct lex *x)
{
	if (x->rows_open)
		lex_end_open_rows(x);
}

static inline void lex_token(struct lex *x, enum tok t)
{
	x->prev = (unsigned char)t;
	x->key = KW_NONE;
	x->note = 0;
}

/* --- sql_lex_fold.c ------------------------------------------------------------------- */

void lex_open(struct lex *x, char c);
void lex_close(struct lex *x, char c);
void lex_comma(struct lex *x);

/* --- sql_lex_literal.c ---------------------------------------------------------------- */

/* A literal at `from`, read up to x->p; its body without quotes. */
void lex_literal(struct lex *x, const unsigned char *from, const unsigned char *body, size_t n,
	bool string);
/* A quoted run from x->p (behind the opening quote): to behind the closing one. */
size_t lex_quoted(struct lex *x, unsigned char q, bool backslash);
void lex_string(struct lex *x, const unsigned char *from, bool backslash);
void lex_digits(struct lex *x, const unsigned char *from);
void lex_dollar(struct lex *x);
void lex_placeholder(struct lex *x);
/* What stands behind LIMIT or OFFSET; `literal`: which one that is, 0: none. */
void lex_note_limit(struct lex *x, int64_t v, uint32_t literal);
/* The number the n digits at p are, or SQL_EXPR. */
int64_t lex_number(const unsigned char *p, size_t n);
/* What kind of pattern a string is, behind LIKE and behind ~. */
enum pattern lex_like_pattern(const unsigned char *body, size_t n);
enum pattern lex_regex_pattern(const unsigned char *body, size_t n);

/* --- sql_lex_word.c ------------------------------------------------------------------- */

void lex_word_or_prefix(struct lex *x);
void lex_quoted_name(struct lex *x, const unsigned char *from);
/* The first word of a statement. */
void lex_verb(struct lex *x, const char *w, size_t n);

#endif
