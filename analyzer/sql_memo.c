/* SPDX-License-Identifier: ISC
 *
 * sql_memo: shapes by skeleton.
 *
 * A statement's *skeleton* is its bytes without the bodies of its plain literals: numbers of
 * digits, strings in single quotes.  The lexer's answer hangs on the skeleton alone, but for the
 * hash of the literals and the numbers behind LIMIT and OFFSET, so it is remembered by the
 * skeleton's hash, and those three are put in.  A log has few skeletons and many statements: most
 * of it is hashed in blocks of 16 bytes and never taken apart.
 *
 * What a skeleton cannot tell goes to the lexer, always: comments, dollar quotes, E'…' and its
 * kin, strings in pieces, numbers of another form, text cut off inside a quote, and statements
 * whose shape hangs on more of a literal than tell() knows (sql_shape.telling).
 */
#include "sql_memo.h"

#include "base.h"
#include "sql_lex_own.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define SETS 2048 /* of two entries */
#define LAST 64	  /* literals whose places are known behind the scan */

struct memo_entry {
	uint64_t key;
	uint32_t raw, literals; /* the skeleton's length, its literals: both must agree as well */
	bool known;
	struct sql_shape shape;
};

struct sql_memo {
	struct memo_entry set[SETS][2]; /* the later one first */
};

struct scan {
	const unsigned char *text, *end;
	const unsigned char *from; /* of the part of the skeleton that is not hashed yet */
	uint64_t key, lit_hash;
	uint32_t raw, literals, telling;
	bool in_name;		    /* between double quotes */
	struct sql_place lit[LAST]; /* of literal n: at n % LAST */
};

struct sql_memo *memo_new(void)
{
	return mem_zalloc(sizeof(struct sql_memo));
}

void memo_free(struct sql_memo **m)
{
	mem_free(m);
}

/* --- the bytes of a skeleton that need a look ---------------------------------------------- */

/* Bit i: the byte at p + i is of that kind. */
struct kinds {
	uint32_t digit, name, string, quote, minus, slash, dollar;
};

#ifdef __SSE2__
static inline __m128i between(__m128i v, char low, char span)
{
	__m128i d = _mm_sub_epi8(v, _mm_set1_epi8(low));

	return _mm_cmpeq_epi8(_mm_min_epu8(d, _mm_set1_epi8(span)), d);
}

static inline uint32_t bits(__m128i v)
{
	return (uint32_t)_mm_movemask_epi8(v);
}

static inline __m128i is(__m128i v, char c)
{
	return _mm_cmpeq_epi8(v, _mm_set1_epi8(c));
}

static inline struct kinds kinds_of(const unsigned char *p)
{
	__m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
	__m128i letter = between(_mm_or_si128(v, _mm_set1_epi8(0x20)), 'a', 25);
	struct kinds k = {.digit = bits(between(v, '0', 9)),
		.string = bits(is(v, '\'')),
		.quote = bits(is(v, '"')),
		.minus = bits(is(v, '-')),
		.slash = bits(is(v, '/')),
		.dollar = bits(is(v, '$'))};

	k.name = k.digit | k.dollar | bits(_mm_or_si128(_mm_or_si128(letter, is(v, '_')), v));
	return k;
}
#else
static inline struct kinds kinds_of(const unsigned char *p)
{
	struct kinds k = {0};

	for (uint32_t i = 0; i < 16; i++) {
		unsigned char c = p[i];
		k.digit |= (uint32_t)is_digit(c) << i;
		k.name |= (uint32_t)is_name(c) << i;
		k.string |= (uint32_t)(c == '\'') << i;
		k.quote |= (uint32_t)(c == '"') << i;
		k.minus |= (uint32_t)(c == '-') << i;
		k.slash |= (uint32_t)(c == '/') << i;
		k.dollar |= (uint32_t)(c == '$') << i;
	}
	return k;
}
#endif

/* Where a literal begins, or what only the lexer understands may; x->end: nowhere.  A digit within
 * a name and the $ of `$1` are neither.  Quotes of names are counted on the way. */
static const unsigned char *next_stop(struct scan *x, const unsigned char *p)
{
	uint32_t name = p > x->text && is_name(p[-1]), minus = p > x->text && p[-1] == '-';
	unsigned char tail[16] = {0};

	for (; p < x->end; p += 16) {
		const unsigned char *at = p;
		if (x->end - p < 16) {
			memcpy(tail, p, (size_t)(x->end - p));
			at = tail;
		}
		struct kinds k = kinds_of(at);
		uint32_t stop = k.string | k.slash | (k.minus & (k.minus << 1 | minus)) |
				(k.dollar & ~(k.digit >> 1)) | (k.digit & ~(k.name << 1 | name));
		if (stop) {
			int i = __builtin_ctz(stop);
			x->in_name ^= __builtin_parity(k.quote & ((1u << i) - 1));
			return p + i;
		}
		x->in_name ^= __builtin_parity(k.quote);
		name = k.name >> 15 & 1;
		minus = k.minus >> 15;
	}
	return x->end;
}

/* --- literals ------------------------------------------------------------------------------ */

/* A literal from `from` to `to`, its body n bytes: the skeleton goes on behind it. */
static void take(struct scan *x, const unsigned char *from, const unsigned char *body, size_t n,
	const unsigned char *to)
{
	size_t raw = (size_t)(from - x->from);

	x->key = sql_hash_bytes(x->from, raw, x->key ^ *from >> 4); /* '…' or a number */
	x->raw += (uint32_t)raw;
	x->from = to;
	x->literals++;
	x->lit_hash = lex_mix_literal(x->lit_hash, body, n, x->literals);
	x->lit[x->literals % LAST] = (struct sql_place){(uint32_t)(body - x->text), (uint32_t)n};
}

/* A number at p: behind it; NULL: not of plain digits. */
static const unsigned char *number(struct scan *x, const unsigned char *p)
{
	const unsigned char *q = p;

	if (p > x->text && p[-1] == '.')
		return NULL;
	while (q < x->end && is_digit(*q))
		q++;
	if (q < x->end && *q == '.')
		for (q++; q < x->end && is_digit(*q);)
			q++;
	if (q < x->end && (*q == '.' || is_name(*q)))
		return NULL;
	take(x, p, p, (size_t)(q - p), q);
	return q;
}

/* What a string says that the shape hangs on goes into the key: the kind of a pattern, a JSON key.
 * `at`: what stands before the string. */
static void tell(struct scan *x, const unsigned char *at, const unsigned char *body, size_t n)
{
	size_t left = (size_t)(at - x->text);
	unsigned char last = left > 1 ? at[-1] : 0;
	uint64_t says;

	if (left > 3 && (last | 0x20) == 'e' &&
		(load4(at - 4) | 0x20202020) == load4((const unsigned char *)"like"))
		says = lex_like_pattern(body, n);
	else if (last == '~' || (last == '*' && at[-2] == '~'))
		says = lex_regex_pattern(body, n);
	else if (last == '>' && (at[-2] == '-' || at[-2] == '#' || at[-2] == '>'))
		says = sql_hash_bytes(body, n, 3);
	else
		return;
	x->telling = lex_mix_telling(x->telling, x->literals);
	x->key = mum(x->key ^ says, 0xd6e8feb86659fd93ULL);
}

static bool is_blank(unsigned char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* A string at p: behind it; NULL: it is prefixed, continues another one, or does not end. */
static const unsigned char *string(struct scan *x, const unsigned char *p)
{
	const unsigned char *q = p + 1, *before = p;

	while (before > x->text && is_blank(before[-1]))
		before--;
	if (before > x->text && (before[-1] == '\'' || (before == p && is_name(p[-1]))))
		return NULL;
	for (;;) {
		q = memchr(q, '\'', (size_t)(x->end - q));
		if (!q)
			return NULL;
		if (q + 1 == x->end || q[1] != '\'')
			break;
		q += 2;
	}
	take(x, p, p + 1, (size_t)(q - p - 1), q + 1);
	tell(x, before, p + 1, (size_t)(q - p - 1));
	return q + 1;
}

/* Reads the whole text; false: it is the lexer's. */
static bool scan(struct scan *x)
{
	const unsigned char *p = x->text;

	while ((p = next_stop(x, p)) < x->end) {
		unsigned char c = *p;
		if (x->in_name) {
			p = memchr(p, '"', (size_t)(x->end - p));
		} else if (is_digit(c)) {
			p = number(x, p);
		} else if (c == '\'') {
			p = string(x, p);
		} else if ((c == '/' && (p + 1 == x->end || p[1] != '*')) ||
			   (c == '$' && p + 1 < x->end && is_digit(p[1]))) {
			p++;
		} else {
			return false;
		}
		if (!p)
			return false;
	}
	size_t raw = (size_t)(x->end - x->from);
	x->key = sql_hash_bytes(x->from, raw, x->key);
	x->raw += (uint32_t)raw;
	return !x->in_name;
}

/* --- the memo ------------------------------------------------------------------------------ */

/* The number behind LIMIT or OFFSET, when a literal stood there. */
static void fill_limit(const struct scan *x, uint32_t lit, int64_t *v)
{
	if (lit)
		*v = lex_number(x->text + x->lit[lit % LAST].off, x->lit[lit % LAST].len);
}

static struct memo_entry *find(struct memo_entry *set, const struct scan *x)
{
	for (int i = 0; i < 2; i++)
		if (set[i].key == x->key && set[i].raw == x->raw &&
			set[i].literals == x->literals && set[i].known)
			return &set[i];
	return NULL;
}

static bool is_in_reach(const struct scan *x, uint32_t lit)
{
	return !lit || x->literals - lit < LAST;
}

void memo_lex(struct sql_memo *m, const char *text, size_t len, struct sql_shape *out)
{
	struct scan x;
	const unsigned char *t = (const unsigned char *)text;

	memset(&x, 0, offsetof(struct scan, lit));
	x.text = x.from = t;
	x.end = t + len;
	if (len >= UINT32_MAX || !scan(&x)) {
		sql_lex(text, len, out, NULL, 0);
		return;
	}
	struct memo_entry *set = m->set[x.key % SETS], *e = find(set, &x);
	if (e && e->shape.telling == x.telling && is_in_reach(&x, e->shape.limit_lit) &&
		is_in_reach(&x, e->shape.offset_lit)) {
		*out = e->shape;
		out->lit_hash = x.lit_hash;
		fill_limit(&x, out->limit_lit, &out->limit);
		fill_limit(&x, out->offset_lit, &out->offset);
		return;
	}
	sql_lex(text, len, out, NULL, 0);
	if (e)
		return;
	set[1] = set[0];
	set[0] = (struct memo_entry){x.key, x.raw, x.literals, true, *out};
	if (memmem(text, len, "%(", 2)) /* `%(name)s` ends at a parenthesis, wherever that stands */
		set[0].shape.telling = UINT32_MAX;
}
