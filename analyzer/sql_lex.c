/* SPDX-License-Identifier: ISC
 *
 * sql_lex: the literal-stripping lexer and shape hash.
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

/* Sorted by length; words of more than eight letters are told by their first eight. */
/* clang-format off */
static const struct word {
	char text[8];
	unsigned char len, kw;
} words[] = {
	{"in", 2, KW_IN}, {"or", 2, KW_PLAIN}, {"on", 2, KW_PLAIN}, {"by", 2, KW_PLAIN},
	{"as", 2, KW_PLAIN}, {"to", 2, KW_TO}, {"is", 2, KW_PLAIN}, {"and", 3, KW_PLAIN},
	{"not", 3, KW_PLAIN}, {"any", 3, KW_ANY}, {"set", 3, KW_PLAIN}, {"for", 3, KW_FOR},
	{"all", 3, KW_ALL}, {"from", 4, KW_FROM}, {"join", 4, KW_JOIN}, {"like", 4, KW_LIKE},
	{"then", 4, KW_PLAIN}, {"else", 4, KW_PLAIN}, {"when", 4, KW_PLAIN}, {"case", 4, KW_PLAIN},
	{"some", 4, KW_ANY}, {"with", 4, KW_WITH}, {"null", 4, KW_ALL}, {"over", 4, KW_PLAIN},
	{"next", 4, KW_PLAIN}, {"where", 5, KW_WHERE}, {"limit", 5, KW_LIMIT},
	{"group", 5, KW_GROUP}, {"order", 5, KW_ORDER}, {"union", 5, KW_UNION},
	{"ilike", 5, KW_LIKE}, {"fetch", 5, KW_FETCH}, {"array", 5, KW_ARRAY},
	{"using", 5, KW_PLAIN}, {"share", 5, KW_LOCKING}, {"merge", 5, KW_DML},
	{"first", 5, KW_PLAIN}, {"select", 6, KW_SELECT}, {"values", 6, KW_VALUES},
	{"offset", 6, KW_OFFSET}, {"insert", 6, KW_DML}, {"update", 6, KW_DML},
	{"delete", 6, KW_DML}, {"except", 6, KW_UNION}, {"having", 6, KW_PLAIN},
	{"exists", 6, KW_PLAIN}, {"between", 7, KW_PLAIN}, {"similar", 7, KW_PLAIN},
	{"lateral", 7, KW_PLAIN}, {"conflict", 8, KW_CONFLICT}, {"password", 8, KW_PASSWORD},
	{"distinct", 8, KW_PLAIN}, {"returnin", 9, KW_RETURNING}, {"intersec", 9, KW_UNION},
	{"transact", 11, KW_TRANSACTION},
};
/* clang-format on */
/* words_at[n]: the first word of length n. */
static const unsigned char words_at[13] = {0, 0, 0, 7, 13, 25, 37, 46, 49, 52, 54, 54, 55};

/* words_first[n]: the letters words of length n begin with. */
#define F(c) (1u << ((c) - 'a'))
static const uint32_t words_first[12] = {
	[2] = F('a') | F('b') | F('i') | F('o') | F('t'),
	[3] = F('a') | F('f') | F('n') | F('s'),
	[4] = F('c') | F('e') | F('f') | F('j') | F('l') | F('n') | F('o') | F('s') | F('t') |
	      F('w'),
	[5] = F('a') | F('f') | F('g') | F('i') | F('l') | F('m') | F('o') | F('s') | F('u') |
	      F('w'),
	[6] = F('d') | F('e') | F('h') | F('i') | F('o') | F('s') | F('u') | F('v'),
	[7] = F('b') | F('l') | F('s'),
	[8] = F('c') | F('d') | F('p'),
	[9] = F('i') | F('r'),
	[11] = F('t'),
};
#undef F

/* clang-format off */
static const struct verb {
	char text[12];
	enum sql_verb verb;
} verbs[] = {
	{"select", SQL_SELECT}, {"insert", SQL_INSERT}, {"update", SQL_UPDATE},
	{"delete", SQL_DELETE}, {"begin", SQL_BEGIN}, {"commit", SQL_COMMIT}, {"with", SQL_SELECT},
	{"end", SQL_COMMIT}, {"start", SQL_BEGIN}, {"rollback", SQL_ROLLBACK},
	{"abort", SQL_ROLLBACK}, {"savepoint", SQL_SAVEPOINT}, {"release", SQL_SAVEPOINT},
	{"set", SQL_SET}, {"reset", SQL_SET}, {"show", SQL_SHOW}, {"discard", SQL_DISCARD},
	{"explain", SQL_EXPLAIN}, {"prepare", SQL_PREPARE}, {"execute", SQL_EXECUTE},
	{"deallocate", SQL_DEALLOCATE}, {"declare", SQL_DECLARE}, {"fetch", SQL_FETCH},
	{"move", SQL_FETCH}, {"close", SQL_CLOSE}, {"call", SQL_CALL}, {"do", SQL_DO},
	{"lock", SQL_LOCK}, {"listen", SQL_LISTEN}, {"notify", SQL_LISTEN},
	{"unlisten", SQL_LISTEN}, {"truncate", SQL_TRUNCATE}, {"merge", SQL_MERGE},
	{"values", SQL_VALUES}, {"table", SQL_TABLE}, {"copy", SQL_COPY}, {"create", SQL_DDL},
	{"alter", SQL_DDL}, {"drop", SQL_DDL}, {"comment", SQL_DDL}, {"grant", SQL_DDL},
	{"revoke", SQL_DDL}, {"refresh", SQL_DDL}, {"import", SQL_DDL}, {"security", SQL_DDL},
	{"reassign", SQL_DDL}, {"vacuum", SQL_MAINTAIN}, {"analyze", SQL_MAINTAIN},
	{"analyse", SQL_MAINTAIN}, {"cluster", SQL_MAINTAIN}, {"reindex", SQL_MAINTAIN},
	{"checkpoint", SQL_MAINTAIN},
};
/* clang-format on */

/* clang-format off */
static const char *const verb_names[SQL_VERBS] = {
	[SQL_EMPTY] = "EMPTY", [SQL_SELECT] = "SELECT", [SQL_INSERT] = "INSERT",
	[SQL_UPDATE] = "UPDATE", [SQL_DELETE] = "DELETE", [SQL_MERGE] = "MERGE",
	[SQL_VALUES] = "VALUES", [SQL_TABLE] = "TABLE", [SQL_COPY] = "COPY", [SQL_BEGIN] = "BEGIN",
	[SQL_COMMIT] = "COMMIT", [SQL_ROLLBACK] = "ROLLBACK", [SQL_SAVEPOINT] = "SAVEPOINT",
	[SQL_SET] = "SET", [SQL_SHOW] = "SHOW", [SQL_DISCARD] = "DISCARD",
	[SQL_EXPLAIN] = "EXPLAIN", [SQL_PREPARE] = "PREPARE", [SQL_EXECUTE] = "EXECUTE",
	[SQL_DEALLOCATE] = "DEALLOCATE", [SQL_DECLARE] = "DECLARE", [SQL_FETCH] = "FETCH",
	[SQL_CLOSE] = "CLOSE", [SQL_CALL] = "CALL", [SQL_DO] = "DO", [SQL_LOCK] = "LOCK",
	[SQL_LISTEN] = "LISTEN", [SQL_TRUNCATE] = "TRUNCATE", [SQL_DDL] = "DDL",
	[SQL_MAINTAIN] = "MAINTAIN", [SQL_OTHER] = "OTHER",
};
/* clang-format on */

const char *sql_verb_name(enum sql_verb verb)
{
	return verb < SQL_VERBS ? verb_names[verb] : "OTHER";
}

/* --- hash ------------------------------------------------------------------ */

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

static inline uint64_t load_tail(const unsigned char *p, size_t n)
{
	uint64_t v = 0;
	memcpy(&v, p, n);
	return v;
}

uint64_t sql_hash_bytes(const void *bytes, size_t n, uint64_t seed)
{
	const unsigned char *p = bytes;
	uint64_t h = seed ^ (n * 0x9e3779b97f4a7c15ULL);

	for (; n >= 16; n -= 16, p += 16)
		h = mum(load8(p) ^ 0xa0761d6478bd642fULL, load8(p + 8) ^ h ^ 0xe7037ed1a0b428dbULL);
	if (n >= 8) {
		h = mum(load8(p) ^ 0x8ebc6af09c88c6e3ULL, h ^ 0x589965cc75374cc3ULL);
		p += 8;
		n -= 8;
	}
	return mum(load_tail(p, n) ^ 0x1d8e4e27c47d124fULL, h ^ 0xeb44accab455d165ULL);
}

/* --- the lexer's state ----------------------------------------------------- */

enum {
	NOTE_JSON_KEY = 1, /* ->, ->>, #> or #>> */
	NOTE_STRING = 2,   /* a string literal */
	NOTE_REGEX = 4	   /* an operator that takes a regular expression */
};

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

static void lex_drop_folds(struct lex *x)
{
	for (unsigned i = 0; i < LEVELS && i <= x->depth; i++) {
		x->level[i].fold = FOLD_NONE;
		x->level[i].in_values = false;
		x->level[i].prev_end = x->level[i].row_end = 0;
	}
}

static uint32_t lex_hold(const struct lex *x)
{
	uint32_t hold = x->used;

	for (unsigned i = 0; i < LEVELS && i <= x->depth; i++) {
		const struct level *l = &x->level[i];
		if (l->in_values && l->row_end && l->row < hold)
			hold = l->row;
		if (l->fold) {
			uint32_t from = l->prev_end ? l->prev : l->elem;
			if (from < hold)
				hold = from;
		}
	}
	return hold;
}

static void lex_shift(struct lex *x, uint32_t n)
{
	if (x->normlen < x->normcap) {
		size_t room = x->normcap - x->normlen, take = n < room ? n : room;
		memcpy(x->norm + x->normlen, x->w, take);
		x->normlen += take;
	}
	memmove(x->w, x->w + n, x->used - n);
	x->used -= n;
	for (unsigned i = 0; i < LEVELS && i <= x->depth; i++) {
		struct level *l = &x->level[i];
		l->elem -= n;
		l->prev -= n;
		l->prev_end -= l->prev_end ? n : 0;
		l->row -= n;
		l->row_end -= l->row_end ? n : 0;
	}
}

/* Makes room: hashes whole blocks that can no longer be undone. */
static void lex_flush(struct lex *x)
{
	uint32_t hold = lex_hold(x), n = 0;

	if (hold < BLOCK) {
		lex_drop_folds(x);
		hold = x->used;
	}
	for (; n + BLOCK <= hold; n += BLOCK)
		x->hash = sql_hash_bytes(x->w + n, BLOCK, x->hash);
	lex_shift(x, n);
}

static inline void put1(struct lex *x, char c)
{
	if (x->used >= WINDOW)
		lex_flush(x);
	x->w[x->used++] = c;
}

static void put(struct lex *x, const char *s, size_t n)
{
	while (n > 0) {
		if (x->used >= WINDOW)
			lex_flush(x);
		size_t room = WINDOW - x->used, take = n < room ? n : room;
		memcpy(x->w + x->used, s, take);
		x->used += (uint32_t)take;
		s += take;
		n -= take;
	}
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
		put1(x, ' ');
}

static inline bool lex_wants_operand(const struct lex *x)
{
	return !(1u << x->prev &
		 (1u << T_WORD | 1u << T_LIT | 1u << T_CLOSE | 1u << T_DOT | 1u << T_CAST));
}

static void lex_end_open_rows(struct lex *x)
{
	struct level *l = lex_level(x);

	if (l && l->in_values && l->row_end) {
		if (l->row_folded)
			put(x, ", ...", 5);
		l->in_values = false;
		l->row_end = 0;
		if (x->prev == T_COMMA)
			x->prev = T_CLOSE;
	}
}

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

/* --- literals --------------------------------------------------------------- */

static int64_t lex_number(const unsigned char *p, size_t n)
{
	int64_t v = 0;

	for (size_t i = 0; i < n; i++) {
		if (p[i] < '0' || p[i] > '9' || v > INT64_MAX / 10 - 10)
			return SQL_EXPR;
		v = v * 10 + (p[i] - '0');
	}
	return v;
}

static void lex_note_limit(struct lex *x, int64_t v)
{
	if (x->key == KW_LIMIT && x->depth <= x->limit_depth) {
		x->out->limit = v;
		x->limit_depth = x->depth;
	} else if (x->key == KW_OFFSET && x->depth <= x->offset_depth) {
		x->out->offset = v;
		x->offset_depth = x->depth;
	}
}

/* The text a literal leaves: `?`, or its wildcard class where a pattern is expected. */
static void lex_put_literal(struct lex *x, const unsigned char *body, size_t n, bool string)
{
	if (string && x->key == KW_LIKE) {
		const unsigned char *pct = memchr(body, '%', n), *bar = memchr(body, '_', n);
		if (n > 0 && (body[0] == '%' || body[0] == '_'))
			put(x, "'%?'", 4);
		else if (pct || bar)
			put(x, "'?%'", 4);
		else
			put(x, "'?'", 3);
	} else if (string && (x->note & NOTE_REGEX) && n > 0 && body[0] == '^') {
		put(x, "'^?'", 4);
	} else {
		put1(x, '?');
	}
}

static void lex_literal(struct lex *x, const unsigned char *from, const unsigned char *body,
	size_t n, bool string)
{
	uint64_t h = sql_hash_bytes(body, n, x->out->literals + 1);

	if (string && (x->note & NOTE_STRING)) { /* 'a' newline 'b' is one literal */
		x->out->lit_hash ^= h;
		if (x->nlit > 0)
			x->lit[x->nlit - 1].len =
				(uint32_t)(x->p - x->text) - x->lit[x->nlit - 1].off;
		return;
	}
	lex_end_rows(x);
	x->out->literals++;
	x->out->lit_hash = mum(x->out->lit_hash ^ h, 0x9fb21c651e98df25ULL);
	if (x->nlit < x->litcap)
		x->lit[x->nlit++] =
			(struct sql_place){(uint32_t)(from - x->text), (uint32_t)(x->p - from)};
	if (x->note & NOTE_JSON_KEY)
		x->extra = mum(x->extra ^ sql_hash_bytes(body, n, 7), 0xd6e8feb86659fd93ULL);
	if (x->key == KW_PASSWORD)
		x->out->traits |= SQL_HAS_PASSWORD;
	lex_note_limit(x, string ? SQL_EXPR : lex_number(body, n));
	lex_space(x);
	lex_put_literal(x, body, n, string);
	lex_token(x, T_LIT);
	x->note = string ? NOTE_STRING : 0;
}

/* A quoted run from x->p (behind the opening quote): to behind the closing one. */
static size_t lex_quoted(struct lex *x, unsigned char q, bool backslash)
{
	const unsigned char *body = x->p;

	for (;;) {
		const unsigned char *e = memchr(x->p, q, (size_t)(x->end - x->p));
		if (backslash) {
			const unsigned char *stop = e ? e : x->end;
			const unsigned char *b = memchr(x->p, '\\', (size_t)(stop - x->p));
			if (b) {
				x->p = b + 2 < x->end ? b + 2 : x->end;
				continue;
			}
		}
		if (!e) {
			x->p = x->end;
			x->out->traits |= SQL_IS_TRUNCATED;
			return (size_t)(x->end - body);
		}
		x->p = e + 1;
		if (x->p >= x->end || *x->p != q)
			return (size_t)(e - body);
		x->p++;
	}
}

static void lex_string(struct lex *x, const unsigned char *from, bool backslash)
{
	const unsigned char *body = ++x->p;
	size_t n = lex_quoted(x, '\'', backslash);

	lex_literal(x, from, body, n, true);
}

static inline bool is_digit(unsigned char c)
{
	return c >= '0' && c <= '9';
}

/* A name's byte in lower case; 0: no name goes on here. */
/* clang-format off */
static const unsigned char lower[256] = {
	['$'] = '$', ['_'] = '_', ['0'] = '0', ['1'] = '1', ['2'] = '2', ['3'] = '3', ['4'] = '4',
	['5'] = '5', ['6'] = '6', ['7'] = '7', ['8'] = '8', ['9'] = '9', ['a'] = 'a', ['b'] = 'b',
	['c'] = 'c', ['d'] = 'd', ['e'] = 'e', ['f'] = 'f', ['g'] = 'g', ['h'] = 'h', ['i'] = 'i',
	['j'] = 'j', ['k'] = 'k', ['l'] = 'l', ['m'] = 'm', ['n'] = 'n', ['o'] = 'o', ['p'] = 'p',
	['q'] = 'q', ['r'] = 'r', ['s'] = 's', ['t'] = 't', ['u'] = 'u', ['v'] = 'v', ['w'] = 'w',
	['x'] = 'x', ['y'] = 'y', ['z'] = 'z', ['A'] = 'a', ['B'] = 'b', ['C'] = 'c', ['D'] = 'd',
	['E'] = 'e', ['F'] = 'f', ['G'] = 'g', ['H'] = 'h', ['I'] = 'i', ['J'] = 'j', ['K'] = 'k',
	['L'] = 'l', ['M'] = 'm', ['N'] = 'n', ['O'] = 'o', ['P'] = 'p', ['Q'] = 'q', ['R'] = 'r',
	['S'] = 's', ['T'] = 't', ['U'] = 'u', ['V'] = 'v', ['W'] = 'w', ['X'] = 'x', ['Y'] = 'y',
	['Z'] = 'z', [128] = 128, [129] = 129, [130] = 130, [131] = 131, [132] = 132, [133] = 133,
	[134] = 134, [135] = 135, [136] = 136, [137] = 137, [138] = 138, [139] = 139, [140] = 140,
	[141] = 141, [142] = 142, [143] = 143, [144] = 144, [145] = 145, [146] = 146, [147] = 147,
	[148] = 148, [149] = 149, [150] = 150, [151] = 151, [152] = 152, [153] = 153, [154] = 154,
	[155] = 155, [156] = 156, [157] = 157, [158] = 158, [159] = 159, [160] = 160, [161] = 161,
	[162] = 162, [163] = 163, [164] = 164, [165] = 165, [166] = 166, [167] = 167, [168] = 168,
	[169] = 169, [170] = 170, [171] = 171, [172] = 172, [173] = 173, [174] = 174, [175] = 175,
	[176] = 176, [177] = 177, [178] = 178, [179] = 179, [180] = 180, [181] = 181, [182] = 182,
	[183] = 183, [184] = 184, [185] = 185, [186] = 186, [187] = 187, [188] = 188, [189] = 189,
	[190] = 190, [191] = 191, [192] = 192, [193] = 193, [194] = 194, [195] = 195, [196] = 196,
	[197] = 197, [198] = 198, [199] = 199, [200] = 200, [201] = 201, [202] = 202, [203] = 203,
	[204] = 204, [205] = 205, [206] = 206, [207] = 207, [208] = 208, [209] = 209, [210] = 210,
	[211] = 211, [212] = 212, [213] = 213, [214] = 214, [215] = 215, [216] = 216, [217] = 217,
	[218] = 218, [219] = 219, [220] = 220, [221] = 221, [222] = 222, [223] = 223, [224] = 224,
	[225] = 225, [226] = 226, [227] = 227, [228] = 228, [229] = 229, [230] = 230, [231] = 231,
	[232] = 232, [233] = 233, [234] = 234, [235] = 235, [236] = 236, [237] = 237, [238] = 238,
	[239] = 239, [240] = 240, [241] = 241, [242] = 242, [243] = 243, [244] = 244, [245] = 245,
	[246] = 246, [247] = 247, [248] = 248, [249] = 249, [250] = 250, [251] = 251, [252] = 252,
	[253] = 253, [254] = 254, [255] = 255,
};
/* clang-format on */

static inline bool is_name_start(unsigned char c)
{
	return lower[c] > '9';
}

static inline bool is_name(unsigned char c)
{
	return lower[c] != 0;
}

static void lex_digits(struct lex *x, const unsigned char *from)
{
	const unsigned char *body = x->p;

	while (x->p < x->end) {
		unsigned char c = *x->p;
		if ((c == '+' || c == '-') && (x->p[-1] | 0x20) == 'e' && x->p > body + 1 &&
			(body[1] | 0x20) != 'x' && x->p + 1 < x->end && is_digit(x->p[1])) {
			x->p++;
			continue;
		}
		if (c == '.' && x->p + 1 < x->end && x->p[1] == '.')
			break;
		if (!is_digit(c) && c != '.' && !is_name_start(c))
			break;
		x->p++;
	}
	lex_literal(x, from, body, (size_t)(x->p - body), false);
}

static void lex_placeholder(struct lex *x)
{
	lex_end_rows(x);
	lex_note_limit(x, SQL_PARAM);
	lex_space(x);
	put1(x, '?');
	lex_token(x, T_LIT);
}

/* `$1`, `$tag$ … $tag$`, or a lone dollar. */
static void lex_dollar(struct lex *x)
{
	const unsigned char *from = x->p, *t = from + 1;
	uint32_t n = 0;

	if (t < x->end && is_digit(*t)) {
		for (; t < x->end && is_digit(*t); t++)
			n = n < 100000 ? n * 10 + (*t - '0') : n;
		x->p = t;
		if (n > x->out->params)
			x->out->params = n;
		lex_placeholder(x);
		return;
	}
	while (t < x->end && is_name(*t) && *t != '$')
		t++;
	if (t >= x->end || *t != '$') {
		x->p++;
		lex_space(x);
		put1(x, '$');
		lex_token(x, T_OP);
		return;
	}
	size_t tag = (size_t)(t - from) + 1;
	const unsigned char *body = t + 1;
	const unsigned char *e = memmem(body, (size_t)(x->end - body), from, tag);
	if (!e) {
		x->out->traits |= SQL_IS_TRUNCATED;
		e = x->end;
		x->p = x->end;
	} else {
		x->p = e + tag;
	}
	x->note &= (unsigned char)~NOTE_STRING;
	lex_literal(x, from, body, (size_t)(e - body), true);
	x->note = 0;
}

/* --- comments ---------------------------------------------------------------- */

static void lex_note_comment(struct lex *x, const unsigned char *from, const unsigned char *to)
{
	struct sql_place c = {(uint32_t)(from - x->text), (uint32_t)(to > from ? to - from : 0)};

	x->out->traits |= SQL_HAS_COMMENT;
	if (!x->out->first_comment.len)
		x->out->first_comment = c;
	x->out->last_comment = c;
}

static void lex_line_comment(struct lex *x)
{
	const unsigned char *from = x->p + 2;
	const unsigned char *e = memchr(x->p, '\n', (size_t)(x->end - x->p));

	x->p = e ? e : x->end;
	lex_note_comment(x, from, x->p);
}

static void lex_block_comment(struct lex *x)
{
	const unsigned char *from = x->p + 2, *p = from;
	uint32_t deep = 1;

	while (p < x->end && deep > 0) {
		const unsigned char *s = memchr(p, '/', (size_t)(x->end - p));
		if (!s) {
			p = x->end;
			break;
		}
		if (s > p && s[-1] == '*') {
			deep--;
			p = s + 1;
		} else if (s + 1 < x->end && s[1] == '*') {
			deep++;
			p = s + 2;
		} else {
			p = s + 1;
		}
		if (deep > x->out->comment_depth)
			x->out->comment_depth = deep;
	}
	if (!x->out->comment_depth)
		x->out->comment_depth = 1;
	if (deep > 0)
		x->out->traits |= SQL_IS_TRUNCATED;
	x->p = p;
	lex_note_comment(x, from, deep > 0 ? p : p - 2);
}

/* --- words -------------------------------------------------------------------- */

static inline enum kw lex_keyword(const char *w, size_t n)
{
	uint64_t a, b;

	if (n < 2 || n > 11 || w[0] < 'a' || w[0] > 'w' || !(words_first[n] & (1u << (w[0] - 'a'))))
		return KW_NONE;
	a = load_tail((const unsigned char *)w, n < 8 ? n : 8);
	for (unsigned i = words_at[n]; i < words_at[n + 1]; i++) {
		memcpy(&b, words[i].text, 8);
		if (a == b)
			return words[i].kw;
	}
	return KW_NONE;
}

/* The first word of a statement. */
static void lex_verb(struct lex *x, const char *w, size_t n)
{
	enum sql_verb v = SQL_OTHER;

	if (x->out->statements++ > 0) {
		x->out->traits |= SQL_IS_MULTI;
		return;
	}
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (n < sizeof(verbs[i].text) && memcmp(verbs[i].text, w, n) == 0 &&
			verbs[i].text[n] == '\0') {
			v = verbs[i].verb;
			break;
		}
	x->out->verb = v;
	x->main_verb_open = n == 4 && memcmp(w, "with", 4) == 0;
	x->names = v == SQL_SAVEPOINT || v == SQL_DEALLOCATE || v == SQL_FETCH || v == SQL_CLOSE ||
		   v == SQL_DECLARE;
}

static void lex_main_verb(struct lex *x, enum kw k, char first)
{
	if (!x->main_verb_open || x->depth > 0)
		return;
	if (k == KW_DML)
		x->out->verb = first == 'i'   ? SQL_INSERT
			       : first == 'u' ? SQL_UPDATE
			       : first == 'd' ? SQL_DELETE
					      : SQL_MERGE;
	else if (k == KW_VALUES)
		x->out->verb = SQL_VALUES;
	if (k == KW_DML || k == KW_VALUES || k == KW_SELECT)
		x->main_verb_open = false;
}

/* What a keyword says about the statement. */
static void lex_trait(struct lex *x, enum kw k, enum kw before)
{
	static const uint32_t trait[] = {
		[KW_FROM] = SQL_HAS_FROM,
		[KW_WHERE] = SQL_HAS_WHERE,
		[KW_JOIN] = SQL_HAS_JOIN,
		[KW_ORDER] = SQL_HAS_ORDER,
		[KW_GROUP] = SQL_HAS_GROUP,
		[KW_UNION] = SQL_HAS_UNION,
		[KW_LIMIT] = SQL_HAS_LIMIT,
		[KW_OFFSET] = SQL_HAS_OFFSET,
		[KW_RETURNING] = SQL_HAS_RETURNING,
		[KW_CONFLICT] = SQL_HAS_CONFLICT,
		[KW_WITH] = SQL_HAS_WITH,
		[KW_TRANSACTION] = 0,
	};
	struct sql_shape *o = x->out;

	o->traits |= trait[k];
	if (k == KW_JOIN || k == KW_UNION)
		o->chain++;
	if (k == KW_SELECT && x->depth > 0) {
		o->traits |= SQL_HAS_SUBSELECT;
		if (x->depth < LEVELS)
			x->level[x->depth].fold = FOLD_NONE; /* IN (SELECT …) is no list */
	}
	if ((k == KW_LIMIT || k == KW_OFFSET) && x->depth <= x->limit_depth) {
		x->key = k;
		lex_note_limit(x, SQL_EXPR);
	}
	if (k == KW_FETCH && o->verb != SQL_FETCH && x->depth <= x->limit_depth) {
		o->traits |= SQL_HAS_LIMIT;
		o->limit = 1;
		x->limit_depth = x->depth;
	}
	if (k == KW_ALL && before == KW_LIMIT && x->depth <= x->limit_depth) {
		o->limit = SQL_ABSENT;
		o->traits &= ~(uint32_t)SQL_HAS_LIMIT;
	}
	if (before == KW_FOR && (k == KW_DML || k == KW_LOCKING))
		o->traits |= SQL_HAS_FOR_UPDATE;
	if (k == KW_TO && o->verb == SQL_ROLLBACK) {
		o->verb = SQL_SAVEPOINT;
		x->names = true;
	}
	if (k == KW_TRANSACTION && o->verb == SQL_PREPARE && before == KW_NONE)
		o->verb = SQL_COMMIT;
}

/* Names that no shape should keep: savepoints, cursors, prepared statements to drop. */
static bool lex_is_throwaway(const struct lex *x, const char *w, size_t n)
{
	static const char keep[] = " savepoint release to work transaction all prepare next prior "
				   "first last absolute relative forward backward from in ";
	char probe[16];

	if (!x->names || n > 12)
		return x->names;
	probe[0] = ' ';
	memcpy(probe + 1, w, n);
	probe[n + 1] = ' ';
	return memmem(keep, sizeof(keep) - 1, probe, n + 2) == NULL;
}

static void lex_throwaway(struct lex *x)
{
	x->used -= x->used > 0 && x->w[x->used - 1] == '"' ? 1 : 0;
	put1(x, '?');
	lex_token(x, T_LIT);
	if (x->out->verb == SQL_DECLARE)
		x->names = false;
}

static void lex_word(struct lex *x)
{
	const unsigned char *from = x->p;
	bool first = x->prev == T_START;
	enum kw k = KW_NONE, before = x->key;

	lex_end_rows(x);
	lex_space(x);
	if (x->used > WINDOW - 128)
		lex_flush(x);
	uint32_t start = x->used;
	const unsigned char *stop = x->end - from > 65 ? from + 65 : x->end, *p = from;
	for (char *to = x->w + start; p < stop && lower[*p]; p++)
		*to++ = (char)lower[*p];
	x->p = p;
	x->used += (uint32_t)(p - from);
	for (; x->p < x->end && lower[*x->p]; x->p++)
		put1(x, (char)lower[*x->p]);
	size_t n = (size_t)(x->p - from);
	const char *w = x->w + start;
	if (n > 64) { /* the window may have moved: it is no keyword anyway */
		lex_token(x, T_WORD);
		x->out->statements += first;
		return;
	}
	if (first)
		lex_verb(x, w, n);
	else if (lex_is_throwaway(x, w, n)) {
		x->used = start;
		lex_throwaway(x);
		return;
	}
	if (x->prev != T_DOT)
		k = lex_keyword(w, n);
	if (k == KW_NONE || k == KW_TRANSACTION) {
		if (k)
			lex_trait(x, k, before);
		lex_token(x, T_WORD);
		return;
	}
	lex_main_verb(x, k, w[0]);
	lex_trait(x, k, before);
	if (k == KW_VALUES) {
		struct level *l = lex_level(x);
		if (l) {
			x->rows_open = true;
			l->in_values = true;
			l->row_folded = false;
			l->row_end = l->rows = 0;
		}
	}
	lex_token(x, T_KEY);
	if (k == KW_PLAIN && before == KW_FETCH) /* FETCH FIRST n */
		k = KW_LIMIT;
	x->key = k;
}

static void lex_quoted_name(struct lex *x, const unsigned char *from)
{
	lex_end_rows(x);
	lex_space(x);
	x->p++;
	lex_quoted(x, '"', false);
	if (x->prev == T_START)
		lex_verb(x, "", 0);
	if (x->names) {
		lex_throwaway(x);
		return;
	}
	put(x, (const char *)from, (size_t)(x->p - from));
	lex_token(x, T_WORD);
}

/* A word that may turn out to be the prefix of a string: E'', B'', X'', N'', U&'', U&"". */
static void lex_word_or_prefix(struct lex *x)
{
	const unsigned char *from = x->p;
	unsigned char c = *from | 0x20;
	size_t left = (size_t)(x->end - from);

	if (left > 1 && from[1] == '\'' && (c == 'e' || c == 'b' || c == 'x' || c == 'n')) {
		x->p++;
		x->note &= (unsigned char)~NOTE_STRING;
		lex_string(x, from, c == 'e');
		return;
	}
	if (left > 2 && c == 'u' && from[1] == '&' && (from[2] == '\'' || from[2] == '"')) {
		x->p += 2;
		if (from[2] == '"') {
			lex_quoted_name(x, from);
			return;
		}
		x->note &= (unsigned char)~NOTE_STRING;
		lex_string(x, from, false);
		return;
	}
	lex_word(x);
}

/* --- operators and punctuation --------------------------------------------------- */

static inline bool is_op(unsigned char c)
{
	static const bool op[256] = {['+'] = true,
		['-'] = true,
		['*'] = true,
		['/'] = true,
		['<'] = true,
		['>'] = true,
		['='] = true,
		['~'] = true,
		['!'] = true,
		['@'] = true,
		['#'] = true,
		['%'] = true,
		['^'] = true,
		['&'] = true,
		['|'] = true,
		['`'] = true,
		['?'] = true};
	return op[c];
}

/* Placeholders of drivers and templates: ?, %s, %(name)s. */
static bool lex_foreign_placeholder(struct lex *x)
{
	const unsigned char *p = x->p;
	size_t left = (size_t)(x->end - p);

	if (!lex_wants_operand(x))
		return false;
	if (*p == '?' && (left == 1 || !is_op(p[1]))) {
		x->p++;
	} else if (*p == '%' && left > 1 && p[1] == 's' && (left == 2 || !is_name(p[2]))) {
		x->p += 2;
	} else if (*p == '%' && left > 3 && p[1] == '(') {
		const unsigned char *e = memchr(p, ')', left < 80 ? left : 80);
		if (!e || e + 1 >= x->end || e[1] != 's')
			return false;
		x->p = e + 2;
	} else {
		return false;
	}
	x->out->traits |= SQL_HAS_PLACEHOLDER;
	lex_placeholder(x);
	return true;
}

/* `%s` and `%(name)s` behind an operator: `a=%s`. */
static bool lex_is_template(const struct lex *x, const unsigned char *p)
{
	size_t left = (size_t)(x->end - p);

	return *p == '%' && left > 1 &&
	       ((p[1] == 's' && (left == 2 || !is_name(p[2]))) || p[1] == '(');
}

static void lex_operator(struct lex *x)
{
	const unsigned char *from = x->p, *p = from;
	bool special = false;

	if (lex_foreign_placeholder(x))
		return;
	while (p < x->end && is_op(*p) && !(p[0] == '-' && p + 1 < x->end && p[1] == '-') &&
		!(p[0] == '/' && p + 1 < x->end && p[1] == '*')) {
		if (p > from && ((*p == '?' && strchr("=<>", p[-1])) || lex_is_template(x, p)))
			break;
		special |= *p != '+' && *p != '-' && *p != '*' && *p != '/' && *p != '<' &&
			   *p != '>' && *p != '=';
		p++;
	}
	while (!special && p > from + 1 && (p[-1] == '-' || p[-1] == '+'))
		p--;
	size_t n = (size_t)(p - from);
	if (n == 1 && *from == '-' && lex_wants_operand(x) && p < x->end &&
		(is_digit(*p) || (*p == '.' && p + 1 < x->end && is_digit(p[1])))) {
		x->p = p;
		lex_digits(x, from); /* a sign is part of the number */
		return;
	}
	x->p = p;
	lex_end_rows(x);
	if (n == 1 && *from == '*' && x->prev != T_LIT && x->prev != T_CLOSE)
		x->out->traits |= SQL_HAS_STAR;
	x->out->chain++;
	if (!(n == 1 && *from == '*' && x->prev == T_DOT))
		lex_space(x);
	put(x, (const char *)from, n);
	lex_token(x, T_OP);
	if (n >= 2 && from[n - 1] == '>' && (from[0] == '-' || from[0] == '#'))
		x->note = NOTE_JSON_KEY;
	else if (from[0] == '~' || (n > 1 && from[0] == '!' && from[1] == '~'))
		x->note = NOTE_REGEX;
}

static void lex_open(struct lex *x, char c)
{
	struct level *l = lex_level(x);
	enum fold fold = FOLD_NONE;
	enum kw key = x->key;

	if (c == '(' && l && l->in_values && (key == KW_VALUES || x->prev == T_COMMA))
		fold = FOLD_ROW;
	else if (l)
		lex_end_rows(x);
	if (c == '(' && key == KW_IN)
		fold = FOLD_LIST;
	if (c == '[' && (key == KW_ARRAY || (l && l->fold == FOLD_LIST && x->prev != T_WORD)))
		fold = FOLD_LIST;
	if (key == KW_ANY)
		x->out->traits |= SQL_HAS_ANY;
	if (!(x->prev == T_WORD || (c == '[' && (x->prev == T_CLOSE || key == KW_ARRAY))))
		lex_space(x);
	uint32_t row = x->used;
	put1(x, c);
	x->depth++;
	if (x->depth > x->out->depth)
		x->out->depth = x->depth;
	l = lex_level(x);
	if (l) {
		memset(l, 0, sizeof(*l));
		l->fold = fold;
		l->elem = fold == FOLD_ROW ? row : x->used;
	}
	lex_token(x, T_OPEN);
}

/* The current element of a list is complete: undo it when it repeats the one before. */
static void lex_fold(struct lex *x, struct level *l)
{
	uint32_t n = x->used - l->elem;

	l->count++;
	if (l->prev_end && l->prev_end - l->prev == n &&
		memcmp(x->w + l->prev, x->w + l->elem, n) == 0) {
		x->used = l->prev_end;
		return;
	}
	l->distinct++;
	l->prev = l->elem;
	l->prev_end = x->used;
}

static void lex_close_list(struct lex *x, struct level *l)
{
	lex_fold(x, l);
	if (l->count > x->out->longest_list)
		x->out->longest_list = l->count;
	if (l->distinct == 1 && l->prev_end - l->prev == 1 && x->w[l->prev] == '?') {
		x->used = l->prev;
		put(x, "...", 3);
	}
}

static void lex_close(struct lex *x, char c)
{
	struct level *l = lex_level(x);
	enum fold fold = FOLD_NONE;
	uint32_t row = 0;

	lex_end_rows(x);
	if (x->prev == T_COMMA && x->used > 0 && x->w[x->used - 1] == ' ')
		x->used--;
	if (l && l->fold == FOLD_LIST && x->prev != T_OPEN) {
		lex_close_list(x, l);
		if (c == ')')
			x->out->traits |= SQL_HAS_IN_LIST;
	}
	if (l && l->fold == FOLD_ROW) {
		fold = FOLD_ROW;
		row = l->elem;
	}
	put1(x, c);
	if (l)
		l->fold = FOLD_NONE;
	x->depth -= x->depth > 0;
	l = lex_level(x);
	if (fold == FOLD_ROW && l && l->in_values) {
		uint32_t n = x->used - row;
		l->rows++;
		x->out->rows++;
		if (l->row_end && l->row_end - l->row == n &&
			memcmp(x->w + l->row, x->w + row, n) == 0) {
			x->used = l->row_end;
			l->row_folded = true;
		} else {
			l->row = row;
			l->row_end = x->used;
		}
	}
	lex_token(x, T_CLOSE);
}

static void lex_comma(struct lex *x)
{
	struct level *l = lex_level(x);

	x->p++;
	if (l && l->in_values && l->row_end && x->prev == T_CLOSE) {
		/* between rows; when the next token opens no row this was no row list */
		put(x, ", ", 2);
		lex_token(x, T_COMMA);
		return;
	}
	if (l && l->fold == FOLD_LIST)
		lex_fold(x, l);
	put(x, ", ", 2);
	l = lex_level(x);
	if (l && l->fold == FOLD_LIST)
		l->elem = x->used;
	lex_token(x, T_COMMA);
}

static void lex_colon(struct lex *x)
{
	const unsigned char *p = x->p;
	size_t left = (size_t)(x->end - p);

	if (left > 1 && p[1] == ':') {
		x->p += 2;
		x->out->chain++;
		put(x, "::", 2);
		lex_token(x, T_CAST);
		return;
	}
	if (left > 1 && is_name_start(p[1]) && lex_wants_operand(x)) {
		for (x->p++; x->p < x->end && is_name(*x->p);)
			x->p++;
		x->out->traits |= SQL_HAS_PLACEHOLDER;
		lex_placeholder(x);
		return;
	}
	size_t n = left > 1 && p[1] == '=' ? 2 : 1;
	x->p += n;
	lex_space(x);
	put(x, (const char *)p, n);
	lex_token(x, T_OP);
}

static void lex_semicolon(struct lex *x)
{
	x->p++;
	lex_end_rows(x);
	if (x->prev == T_START)
		return;
	put1(x, ';');
	put1(x, ' ');
	x->depth = 0;
	memset(&x->level[0], 0, sizeof(x->level[0]));
	x->names = false;
	lex_token(x, T_START);
}

static void lex_dot(struct lex *x)
{
	if (x->p + 1 < x->end && is_digit(x->p[1]) && x->prev != T_WORD && x->prev != T_CLOSE) {
		lex_digits(x, x->p);
		return;
	}
	x->p++;
	put1(x, '.');
	lex_token(x, T_DOT);
}

/* Bytes no token of SQL begins with: kept, so that garbage has a shape too. */
static void lex_other(struct lex *x)
{
	unsigned char c = *x->p++;

	if (c == 0)
		x->out->traits |= SQL_HAS_NUL;
	lex_space(x);
	put1(x, c < 0x20 || c == 0x7f ? '.' : (char)c);
	lex_token(x, T_OP);
}

/* A statement that begins with neither a word nor a parenthesis: garbage, or a fragment. */
static inline void lex_wordless(struct lex *x)
{
	if (x->prev == T_START) {
		lex_verb(x, "", 0);
		x->prev = T_OPEN;
	}
}

static void lex_parenthesis(struct lex *x, unsigned char c)
{
	x->p++;
	if (c == ')' || c == ']')
		lex_close(x, (char)c);
	else if (x->prev == T_START) /* (SELECT …) UNION …: the verb is inside */
		put1(x, (char)c);
	else
		lex_open(x, (char)c);
}

static bool lex_comment(struct lex *x, unsigned char c)
{
	if (x->p + 1 >= x->end)
		return false;
	if (c == '-' && x->p[1] == '-')
		lex_line_comment(x);
	else if (c == '/' && x->p[1] == '*')
		lex_block_comment(x);
	else
		return false;
	return true;
}

static void lex_symbol(struct lex *x, unsigned char c)
{
	if (c == ',')
		lex_comma(x);
	else if (c == '.')
		lex_dot(x);
	else if (c == '(' || c == ')' || c == '[' || c == ']')
		lex_parenthesis(x, c);
	else if (c == ':')
		lex_colon(x);
	else if (c == ';')
		lex_semicolon(x);
	else if (c == '"')
		lex_quoted_name(x, x->p);
	else if (c == '$')
		lex_dollar(x);
	else
		lex_other(x);
}

static inline void lex_next(struct lex *x)
{
	unsigned char c = *x->p;

	if (is_name_start(c)) {
		lex_word_or_prefix(x);
		return;
	}
	if (is_op(c)) {
		if (!lex_comment(x, c)) {
			lex_wordless(x);
			lex_operator(x);
		}
		return;
	}
	if (c != ';' && c != '(' && c != '"')
		lex_wordless(x);
	if (is_digit(c))
		lex_digits(x, x->p);
	else if (c == '\'')
		lex_string(x, x->p, false);
	else
		lex_symbol(x, c);
}

static void lex_finish(struct lex *x)
{
	uint32_t n = 0;

	lex_end_rows(x);
	if (x->depth > 0)
		x->out->traits |= SQL_IS_TRUNCATED;
	while (x->used > 0 && (x->w[x->used - 1] == ' ' || x->w[x->used - 1] == ';'))
		x->used--;
	if (x->normlen < x->normcap) {
		size_t room = x->normcap - x->normlen, take = x->used < room ? x->used : room;
		memcpy(x->norm + x->normlen, x->w, take);
		x->normlen += take;
	}
	for (; n + BLOCK <= x->used; n += BLOCK)
		x->hash = sql_hash_bytes(x->w + n, BLOCK, x->hash);
	x->hash = sql_hash_bytes(x->w + n, x->used - n, x->hash ^ x->extra);
	x->out->hash = x->hash ? x->hash : 1;
}

size_t sql_lex_places(const char *text, size_t len, struct sql_shape *out, char *norm,
	size_t normcap, struct sql_place *lit, size_t litcap, size_t *nlit)
{
	struct lex x;

	memset(&x, 0, offsetof(struct lex, level) + sizeof(struct level));
	memset(out, 0, sizeof(*out));
	out->limit = out->offset = SQL_ABSENT;
	x.text = x.p = (const unsigned char *)text;
	x.end = x.p + len;
	x.out = out;
	x.norm = norm;
	x.normcap = norm ? normcap : 0;
	x.lit = lit;
	x.litcap = lit ? litcap : 0;
	x.limit_depth = x.offset_depth = UINT32_MAX;
	while (x.p < x.end) {
		unsigned char c = *x.p;
		if (c == ' ' || (c >= '\t' && c <= '\r'))
			x.p++;
		else
			lex_next(&x);
	}
	lex_finish(&x);
	if (nlit)
		*nlit = x.nlit;
	return x.normlen;
}

size_t sql_lex(const char *text, size_t len, struct sql_shape *out, char *norm, size_t normcap)
{
	return sql_lex_places(text, len, out, norm, normcap, NULL, 0, NULL);
}
