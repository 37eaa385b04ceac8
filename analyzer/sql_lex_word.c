/* SPDX-License-Identifier: ISC
 *
 * sql_lex_word: keywords and what they say about a statement, its verb, names.
 */
#include "sql_lex_own.h"

#include <endian.h>

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

static inline enum kw lex_keyword(const char *w, size_t n)
{
	uint64_t a, b;

	if (n < 2 || n > 11 || w[0] < 'a' || w[0] > 'w' || !(words_first[n] & (1u << (w[0] - 'a'))))
		return KW_NONE;
	a = n < 8 ? load_tail((const unsigned char *)w, n) : load8((const unsigned char *)w);
	for (unsigned i = words_at[n]; i < words_at[n + 1]; i++) {
		memcpy(&b, words[i].text, 8);
		if (a == b)
			return words[i].kw;
	}
	return KW_NONE;
}

/* The first word of a statement. */
void lex_verb(struct lex *x, const char *w, size_t n)
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
		lex_note_limit(x, SQL_EXPR, 0);
	}
	if (k == KW_FETCH && o->verb != SQL_FETCH && x->depth <= x->limit_depth) {
		o->traits |= SQL_HAS_LIMIT;
		o->limit = 1;
		o->limit_lit = 0;
		x->limit_depth = x->depth;
	}
	if (k == KW_ALL && before == KW_LIMIT && x->depth <= x->limit_depth) {
		o->limit = SQL_ABSENT;
		o->limit_lit = 0;
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
	lex_put1(x, '?');
	lex_token(x, T_LIT);
	if (x->out->verb == SQL_DECLARE)
		x->names = false;
}

/* Eight bytes of a text at once: how many of them, from the first on, are a name's (sql_lower
 * says which), and all eight in lower case.  Most names are shorter, so one step is enough and
 * there is no loop whose end the processor would have to guess. */
static inline size_t name_bytes(const unsigned char *p, uint64_t *lower)
{
	const uint64_t ones = 0x0101010101010101ULL, high = 0x80 * ones;
	uint64_t v, low, fold, letter, name;

	memcpy(&v, p, 8);
	v = le64toh(v);
	low = v & ~high;
	fold = low | 0x20 * ones; /* the high bit of each byte tells, here and below */
	letter = (fold + (0x80 - 'a') * ones) & ~(fold + (0x7f - 'z') * ones) & ~v & high;
	name = v | letter | ((low + (0x80 - '0') * ones) & ~(low + (0x7f - '9') * ones)) |
	       ~((low ^ '$' * ones) + 0x7f * ones) | ~((low ^ '_' * ones) + 0x7f * ones);
	*lower = htole64(v | letter >> 2);
	name = ~name & high;
	return name ? (size_t)__builtin_ctzll(name) / 8 : 8;
}

/* The name at x->p goes to the window in lower case. */
static inline void lex_name(struct lex *x)
{
	const unsigned char *p = x->p;
	uint64_t lower;
	size_t n = 8;

	for (; n == 8 && x->end - p >= 8 && x->used <= WINDOW - 8; p += n) {
		n = name_bytes(p, &lower);
		memcpy(x->w + x->used, &lower, 8);
		x->used += (uint32_t)n;
	}
	for (; n == 8 && p < x->end && sql_lower[*p]; p++)
		lex_put1(x, (char)sql_lower[*p]);
	x->p = p;
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
	lex_name(x);
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
	if (k != KW_PLAIN)
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

void lex_quoted_name(struct lex *x, const unsigned char *from)
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
	lex_put(x, (const char *)from, (size_t)(x->p - from));
	lex_token(x, T_WORD);
}

/* A word that may turn out to be the prefix of a string: E'', B'', X'', N'', U&'', U&"". */
void lex_word_or_prefix(struct lex *x)
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
