/* SPDX-License-Identifier: ISC
 *
 * From a statement's text to its shape, without the lexer for nearly all of them.
 *
 *   text ──skeleton──▶ cache ──▶ shape and its row
 *                        └─ not there: sql_lex(), and the cache knows it from then on
 *
 * A skeleton is the text in which plain numbers are one 0, plain strings are empty and
 * comments have nothing in them.  Texts with equal skeletons have one shape, unless the
 * lexer says that a literal tells something (sql_shape.telling: the pattern of a LIKE, a
 * JSON key); such texts are known by all their bytes.  What is not plain (an escape string,
 * a dollar quote, 1e5) ends the skeleton: from there on the text is kept as it is.
 */
#include "obs_queries_inner.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

struct skeleton {
	size_t len;
	uint32_t removed;	      /* literals */
	uint64_t values;	      /* hash of them */
	char text[SKELETON_MAX + 16]; /* copy_plain() writes more than it copies */
};

/* --- the skeleton ----------------------------------------------------------- */

/* Bytes that may begin something that a skeleton has less of. */
enum { PLAIN = 0, DIGIT, QUOTE, NAME, DOLLAR, SLASH, DASH, PERCENT };

static const uint8_t meaning[256] = {
	['0' ... '9'] = DIGIT,
	['\''] = QUOTE,
	['"'] = NAME,
	['$'] = DOLLAR,
	['/'] = SLASH,
	['-'] = DASH,
	['%'] = PERCENT,
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* What makes a number beside it part of something else. */
static bool is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) || c == '_' ||
	       c == '.' || c == '$' || (unsigned char)c >= 0x80;
}

#ifdef __SSE2__
/* The n bytes at p, n < 8, as the low bytes of a number. */
static inline uint64_t tail_bytes(const char *p, size_t n)
{
	uint32_t a, b;
	const unsigned char *u = (const unsigned char *)p;

	if (n >= 4) {
		memcpy(&a, p, 4);
		memcpy(&b, p + n - 4, 4);
		return a | (uint64_t)b << 8 * (n - 4);
	}
	if (n == 0)
		return 0;
	return u[0] | (uint64_t)u[n / 2] << 8 * (n / 2) | (uint64_t)u[n - 1] << 8 * (n - 1);
}
#endif

/* Copies bytes without a meaning, and answers the place of the first one that has (len: there
 * is none).  May write up to fifteen bytes more than it copies. */
static inline size_t copy_plain(char *out, const char *text, size_t at, size_t len)
{
#ifdef __SSE2__
	while (at < len) {
		__m128i v, hit, digit;
		unsigned mask;
		size_t n = len - at;

		if (LIKELY(n >= 16)) {
			v = _mm_loadu_si128((const __m128i *)(const void *)(text + at));
			n = 16;
		} else {
			uint64_t low = 0, high = 0;

			if (n >= 8) {
				memcpy(&low, text + at, 8);
				high = tail_bytes(text + at + 8, n - 8);
			} else {
				low = tail_bytes(text + at, n);
			}
			v = _mm_set_epi64x((long long)high, (long long)low);
		}
		_mm_storeu_si128((__m128i *)(void *)out, v);
		digit = _mm_sub_epi8(v, _mm_set1_epi8((char)('0' + 128)));
		hit = _mm_cmplt_epi8(digit, _mm_set1_epi8((char)(-128 + 10)));
		hit = _mm_or_si128(hit, _mm_cmpeq_epi8(v, _mm_set1_epi8('\'')));
		hit = _mm_or_si128(hit, _mm_cmpeq_epi8(v, _mm_set1_epi8('"')));
		hit = _mm_or_si128(hit, _mm_cmpeq_epi8(v, _mm_set1_epi8('$')));
		hit = _mm_or_si128(hit, _mm_cmpeq_epi8(v, _mm_set1_epi8('/')));
		hit = _mm_or_si128(hit, _mm_cmpeq_epi8(v, _mm_set1_epi8('-')));
		hit = _mm_or_si128(hit, _mm_cmpeq_epi8(v, _mm_set1_epi8('%')));
		mask = (unsigned)_mm_movemask_epi8(hit);
		if (mask)
			return at + (unsigned)__builtin_ctz(mask);
		at += n;
		out += n;
	}
#else
	for (; at < len && meaning[(unsigned char)text[at]] == PLAIN; at++)
		*out++ = text[at];
#endif
	return at;
}

/* Each of these: the end of what begins at text[at]; 0: it is not plain, nor what follows. */

static size_t number_end(const char *text, size_t at, size_t len)
{
	while (at < len && is_digit(text[at]))
		at++;
	if (len - at >= 2 && text[at] == '.' && is_digit(text[at + 1]))
		for (at++; at < len && is_digit(text[at]); at++)
			;
	return at;
}

static size_t string_end(const char *text, size_t at, size_t len)
{
	const char *end;

	if (at > 0 && (is_word(text[at - 1]) || text[at - 1] == '&'))
		return 0; /* E'', B'', U&'' … */
	for (at++;; at++) {
		end = memchr(text + at, '\'', len - at);
		if (!end)
			return 0;
		at = (size_t)(end - text) + 1;
		if (at == len || text[at] != '\'')
			return at;
	}
}

static size_t name_end(const char *text, size_t at, size_t len)
{
	const char *end = memchr(text + at + 1, '"', len - at - 1);

	return end && (at == 0 || text[at - 1] != '&') ? (size_t)(end - text) + 1 : 0;
}

/* The end of a comment's inside. */
static size_t comment_end(const char *text, size_t at, size_t len)
{
	const char *end;

	if (text[at] == '-') {
		end = memchr(text + at, '\n', len - at);
		return end ? (size_t)(end - text) : len;
	}
	for (at += 2; at + 1 < len; at++) {
		if (text[at] == '*' && text[at + 1] == '/')
			return at;
		if (text[at] == '/' && text[at + 1] == '*')
			return 0;
	}
	return 0;
}

/* What begins at text[at] and has a meaning: its end, and what stands for it in a skeleton
 * (NULL: it stays).  0: it is not plain, nor what follows. */
static size_t literal_end(const char *text, size_t at, size_t len, const char **stand_in)
{
	size_t end;

	*stand_in = NULL;
	switch (meaning[(unsigned char)text[at]]) {
	case DIGIT:
		end = number_end(text, at, len);
		if ((at == 0 || !is_word(text[at - 1])) && (end == len || !is_word(text[end])))
			*stand_in = "0";
		return end;
	case QUOTE:
		*stand_in = "''";
		return string_end(text, at, len);
	case NAME:
		return name_end(text, at, len);
	case DOLLAR: /* $1 is a word, anything else a quote */
		return at + 1 < len && is_digit(text[at + 1]) ? at + 2 : 0;
	case PERCENT: /* %(name)s may have anything in it */
		return at + 1 < len && text[at + 1] == '(' ? 0 : at + 1;
	}
	if (at + 1 == len || text[at + 1] != (text[at] == '/' ? '*' : '-'))
		return at + 1;
	end = comment_end(text, at, len);
	*stand_in = text[at] == '/' ? "/*" : "--"; /* without what it says */
	return end;
}

static void skeleton_make(struct skeleton *k, const char *text, size_t len)
{
	size_t at = 0, end;
	const char *stand_in;
	char *out = k->text;

	k->removed = 0;
	k->values = 0;
	for (;;) {
		size_t from = at;

		at = copy_plain(out, text, at, len);
		out += at - from;
		if (at == len)
			break;
		end = literal_end(text, at, len, &stand_in);
		if (UNLIKELY(!end)) {
			memcpy(out, text + at, len - at);
			out += len - at;
			break;
		}
		if (LIKELY(stand_in != NULL)) {
			*out++ = stand_in[0];
			if (stand_in[1])
				*out++ = stand_in[1];
			if (LIKELY(stand_in[0] == '0' || stand_in[0] == '\'')) {
				k->values = sql_hash_bytes(text + at, end - at, k->values);
				k->removed++;
			} else if (*stand_in == '/') {
				memcpy(out, "*/", 2);
				out += 2;
				end += 2;
			}
		} else {
			memcpy(out, text + at, end - at);
			out += end - at;
		}
		at = end;
	}
	k->len = (size_t)(out - k->text);
}

/* --- the cache -------------------------------------------------------------- */

/* The place of these bytes: theirs already (then its text is set), or free for them. */
static struct cached_text *cache_find(struct queries *q, const char *text, size_t len,
	uint64_t hash)
{
	struct cached_text *c = &q->cache[(hash % (CACHE_SIZE / 2)) * 2];

	for (int i = 0; i < 2; i++)
		if (LIKELY(c[i].hash == hash && c[i].len == len && c[i].text &&
			    memcmp(c[i].text, text, len) == 0))
			return &c[i];
	c += c[0].text && (!c[1].text || hash >> 63);
	free(c->text);
	*c = (struct cached_text){.hash = hash, .len = (uint32_t)len};
	return c;
}

static void cache_set(struct cached_text *c, const char *text, const struct cached_text *what)
{
	c->text = mem_alloc(c->len ? c->len : 1);
	memcpy(c->text, text, c->len);
	c->row = what->row;
	c->shape = what->shape;
	c->finer = what->finer;
	c->literals = what->literals;
}

/* A text whose literals tell something, or a long one: known by all its bytes. */
static void key_of_exact(struct queries *q, const char *text, size_t len, uint64_t hash,
	struct query_key *out)
{
	struct cached_text *c = NULL, what = {0};

	if (len <= SKELETON_MAX) {
		c = cache_find(q, text, len, ~hash);
		if (c->text)
			what = *c;
	}
	if (!what.shape) {
		struct sql_shape s;

		what.row = row_learn(q, text, len, &s);
		what.shape = s.hash;
		what.literals = s.literals;
		if (c)
			cache_set(c, text, &what);
	}
	*out = (struct query_key){
		.row = what.row, .shape = what.shape, .values = what.literals ? hash | 1 : 0};
}

void queries_key(struct queries *q, const char *text, size_t len, struct query_key *out)
{
	struct skeleton k;
	struct cached_text *c;
	uint64_t hash;

	if (UNLIKELY(len > SKELETON_MAX)) {
		key_of_exact(q, text, len, sql_hash_bytes(text, len, 0), out);
		return;
	}
	skeleton_make(&k, text, len);
	hash = sql_hash_bytes(k.text, k.len, 0);
	c = cache_find(q, k.text, k.len, hash);
	if (UNLIKELY(!c->text)) {
		struct cached_text what = {0};
		struct sql_shape s;

		what.row = row_learn(q, text, len, &s);
		what.shape = s.hash;
		what.literals = s.literals;
		what.finer = s.telling > 0;
		cache_set(c, k.text, &what);
	}
	if (UNLIKELY(c->finer)) {
		key_of_exact(q, text, len, sql_hash_bytes(text, len, 0), out);
		return;
	}
	out->row = c->row;
	out->shape = c->shape;
	out->values = c->literals ? k.values | 1 : 0;
	if (UNLIKELY(c->literals > k.removed)) /* some are in the skeleton */
		out->values ^= hash | 1;
	if (UNLIKELY(c->literals && !out->values))
		out->values = 1;
}

void queries_rekey(struct queries *q, const char *text, size_t len, struct query_key *key)
{
	if (UNLIKELY(!key->row || key->row->shape != key->shape))
		queries_key(q, text, len, key);
}

void cache_clear(struct queries *q)
{
	for (size_t i = 0; i < CACHE_SIZE; i++)
		free(q->cache[i].text);
	memset(q->cache, 0, sizeof q->cache);
}
