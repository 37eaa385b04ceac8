/* SPDX-License-Identifier: ISC
 *
 * What a statement's text may do to the session it runs in.
 *
 * Three passes, each for what the one before it did not let go.  The quick one looks at the
 * first word and, sixteen bytes at a time, for pairs of letters that look like those without
 * which no session effect can be spelled, and for a semicolon that is not the last thing; more
 * than nine of ten statements of an application end there.  The second looks for the letters
 * themselves ("dv" of advisory, "emp" of temp, "_c" of set_config, "g_s" of pg_settings).  The
 * third reads words outside of strings, quoted names and comments.
 */
#include "wire_text.h"

#include <ctype.h>
#include <strings.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* Longer texts are not read to their end (TEXT_LONG). */
#define TEXT_READ_MAX (256U * 1024)

static bool is_word_byte(unsigned char c)
{
	static const bool table[256] = {['0' ... '9'] = true,
		['a' ... 'z'] = true,
		['A' ... 'Z'] = true,
		['_'] = true,
		['$'] = true,
		[0x80 ... 0xff] = true};

	return table[c];
}

static bool is_space(char c)
{
	return c == ' ' || (unsigned char)(c - '\t') <= '\r' - '\t'; /* \t \n \v \f \r */
}

/* Behind blanks and comments. */
static const char *skip_blank(const char *p, const char *end)
{
	while (p < end) {
		if (is_space(*p)) {
			p++;
		} else if (end - p >= 2 && p[0] == '-' && p[1] == '-') {
			const char *nl = memchr(p, '\n', (size_t)(end - p));
			p = nl ? nl + 1 : end;
		} else if (end - p >= 2 && p[0] == '/' && p[1] == '*') {
			unsigned depth = 1;
			p += 2;
			while (p < end && depth) {
				if (end - p >= 2 && p[0] == '*' && p[1] == '/') {
					depth--;
					p += 2;
				} else if (end - p >= 2 && p[0] == '/' && p[1] == '*') {
					depth++;
					p += 2;
				} else {
					p++;
				}
			}
		} else {
			break;
		}
	}
	return p;
}

/* The next word, lower-cased into w (cut at the buffer); p moves behind it. */
static size_t read_word(const char **p, const char *end, char *w, size_t cap)
{
	size_t n = 0;

	while (*p < end && is_word_byte((unsigned char)**p)) {
		if (n + 1 < cap)
			w[n++] = (char)tolower((unsigned char)**p);
		(*p)++;
	}
	w[n] = '\0';
	return n;
}

/* Behind a string, a quoted name or a dollar-quoted body that starts at p. */
static const char *skip_quoted(const char *p, const char *end, bool escapes)
{
	char quote = *p++;

	if (quote == '$') {
		const char *tag = p;
		size_t n;

		while (p < end && *p != '$' && is_word_byte((unsigned char)*p))
			p++;
		if (p == end || *p != '$' || isdigit((unsigned char)*tag))
			return p; /* $1, or nothing at all */
		n = (size_t)(++p - tag);
		for (; p < end; p++) {
			p = memchr(p, '$', (size_t)(end - p));
			if (!p)
				return end;
			if ((size_t)(end - p) > n && memcmp(p + 1, tag, n) == 0)
				return p + 1 + n;
		}
		return end;
	}
	for (; p < end; p++) {
		if (escapes && *p == '\\' && p + 1 < end)
			p++;
		else if (*p == quote && p + 1 < end && p[1] == quote)
			p++;
		else if (*p == quote)
			return p + 1;
	}
	return end;
}

/* With the names that SET has for some of them (TIME ZONE, NAMES, SCHEMA, XML OPTION). */
static const char *const read_under[] = {"search_path", "schema", "role", "session_authorization",
	"authorization", "datestyle", "intervalstyle", "timezone", "time", "timezone_abbreviations",
	"client_encoding", "names", "standard_conforming_strings", "backslash_quote",
	"transform_null_equals", "array_nulls", "xmloption", "xml", "lc_monetary"};

bool wire_text_is_read_under(const char *parameter)
{
	for (size_t i = 0; i < ARRAY_LEN(read_under); i++)
		if (strcasecmp(read_under[i], parameter) == 0)
			return true;
	return false;
}

/* What set_config does, by what follows the word. */
static unsigned set_config_effects(const char *p, const char *end)
{
	char name[40];
	const char *from;
	size_t n;

	p = skip_blank(p, end);
	if (p == end || *p != '(') /* no call: it is some name */
		return p == end || *p != '.' ? 0 : TEXT_LONG;
	p = from = skip_blank(p + 1, end);
	if (p == end || *p != '\'')
		return TEXT_LONG;
	p = skip_quoted(p, end, false);
	n = (size_t)(p - from) - 2;
	snprintf(name, sizeof name, "%.*s", (int)(n < sizeof name ? n : 0), from + 1);
	p = skip_blank(p, end);
	return p == end || *p != ',' ? TEXT_LONG : wire_text_is_read_under(name) ? TEXT_READING : 0;
}

/* The state of one statement while its words pass by. */
struct statement {
	unsigned words; /* seen so far */
	char first[16];
	bool makes;  /* the word before may stand in front of TEMP: CREATE TEMP, INTO TEMP */
	bool inside; /* SET LOCAL, SET SESSION: the parameter comes behind it */
	unsigned effects;
	bool plain_begin; /* only words of BEGIN so far */
};

static unsigned first_word_effect(const char *w)
{
	static const struct {
		const char *word;
		unsigned effects;
	} table[] = {
		{"reset", TEXT_SET},
		{"prepare", TEXT_PREPARE},
		{"execute", TEXT_EXECUTE},
		{"deallocate", TEXT_DEALLOCATE},
		{"discard", TEXT_DISCARD_ALL},
		{"listen", TEXT_LISTEN},
		{"unlisten", TEXT_UNLISTEN},
		{"load", TEXT_LOAD},
		{"close", TEXT_CLOSE},
		{"do", TEXT_LONG}, /* what it does is not here to be read */
		{"call", TEXT_LONG},
		{"create", TEXT_SCHEMA},
		{"alter", TEXT_SCHEMA},
		{"drop", TEXT_SCHEMA},
		{"import", TEXT_SCHEMA},
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++)
		if (*w == table[i].word[0] && strcmp(w, table[i].word) == 0)
			return table[i].effects;
	return 0;
}

static bool starts(const char *w, const char *prefix)
{
	return strncmp(w, prefix, strlen(prefix)) == 0;
}

static void see_second_word(struct statement *s, const char *w)
{
	if (strcmp(s->first, "set") == 0) {
		/* SET LOCAL, SET TRANSACTION and SET CONSTRAINTS end with the transaction. */
		if (strcmp(w, "local") && strcmp(w, "transaction") && strcmp(w, "constraints"))
			s->effects |= TEXT_SET;
	} else if (strcmp(s->first, "prepare") == 0 && strcmp(w, "transaction") == 0) {
		s->effects &= ~(unsigned)TEXT_PREPARE;
	} else if (strcmp(s->first, "discard") == 0 && strcmp(w, "all") != 0) {
		/* TEMP, PLANS, SEQUENCES: statements and settings stay */
		s->effects &= ~(unsigned)TEXT_DISCARD_ALL;
		s->effects |= starts(w, "temp") ? TEXT_DROP_TEMP : 0;
	}
}

static void see_any_word(struct statement *s, const char *w)
{
	if (*w != 's' && *w != 'p' && *w != 't' && *w != 'h')
		return; /* none of the words below */
	if (strcmp(w, "set_config") == 0)
		s->effects |= TEXT_SET;
	else if (starts(w, "pg_advisory_unlock"))
		s->effects |= TEXT_UNLOCK;
	else if (starts(w, "pg_advisory_lock") || starts(w, "pg_try_advisory_lock"))
		s->effects |= TEXT_ADVISORY;
	else if (starts(w, "pg_temp"))
		s->effects |= TEXT_TEMP;
	else if ((strcmp(w, "temp") == 0 || strcmp(w, "temporary") == 0) && s->makes)
		s->effects |= TEXT_TEMP;
	else if (strcmp(w, "pg_settings") == 0 && strcmp(s->first, "select") != 0)
		s->effects |= TEXT_SET | TEXT_READING; /* UPDATE of it is set_config() */
	else if (strcmp(w, "hold") == 0 && strcmp(s->first, "declare") == 0)
		s->effects |= TEXT_HOLD;
	else if (strcmp(w, "password") == 0 &&
		 (strcmp(s->first, "alter") == 0 || strcmp(s->first, "create") == 0))
		s->effects |= TEXT_SECRET;
	else if (s->words == 1 && strcmp(w, "table") == 0 && strcmp(s->first, "drop") == 0)
		s->effects |= TEXT_DROP_TEMP;
}

static bool makes_temp(const struct statement *s, const char *w)
{
	static const char *const words[] = {"create", "local", "global", "replace"};

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (strcmp(w, words[i]) == 0)
			return true;
	return strcmp(w, "into") == 0 && strcmp(s->first, "insert") != 0;
}

static bool is_begin_word(const struct statement *s, const char *w)
{
	static const char *const words[] = {"transaction", "work", "isolation", "level",
		"serializable", "repeatable", "read", "committed", "uncommitted", "only", "write",
		"not", "deferrable"};

	if (s->words == 0)
		return strcmp(w, "begin") == 0 || strcmp(w, "start") == 0;
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (strcmp(w, words[i]) == 0)
			return true;
	return false;
}

/* Stands the name of a parameter here, in SET or RESET? */
static bool is_parameter(const struct statement *s)
{
	return (s->words == 1 &&
		       (strcmp(s->first, "set") == 0 || strcmp(s->first, "reset") == 0)) ||
	       (s->words == 2 && s->inside);
}

static void see_parameter(struct statement *s, const char *w)
{
	s->inside = s->words == 1 && (strcmp(w, "local") == 0 || strcmp(w, "session") == 0);
	if (wire_text_is_read_under(w) || strcmp(w, "all") == 0)
		s->effects |= TEXT_READING;
}

static void see_word(struct statement *s, const char *w)
{
	if (is_parameter(s))
		see_parameter(s, w);
	s->plain_begin = s->plain_begin && is_begin_word(s, w);
	if (s->words == 0) {
		snprintf(s->first, sizeof s->first, "%.*s", (int)sizeof s->first - 1, w);
		s->effects |= first_word_effect(w);
	} else if (s->words == 1) {
		see_second_word(s, w);
	}
	see_any_word(s, w);
	s->makes = makes_temp(s, w);
	s->words++;
}

/* Is this dot in the name that SET sets, and not between two of its letters (SET my . var)?  Then
 * who looks for the name will not find it. */
static bool parts_name(const struct statement *s, const char *dot, const char *end)
{
	return strcmp(s->first, "set") == 0 && s->words <= 3 &&
	       !((is_word_byte((unsigned char)dot[-1]) || dot[-1] == '"') && dot + 1 < end &&
		       (is_word_byte((unsigned char)dot[1]) || dot[1] == '"'));
}

static NOINLINE unsigned scan(const char *p, const char *end)
{
	struct statement s = {.plain_begin = true};
	unsigned effects = 0, statements = 0;
	bool all_begin = true;
	char w[40];

	for (;;) {
		p = skip_blank(p, end);
		if (p == end || *p == ';' || *p == '\0') {
			if (s.words) {
				effects |= s.effects;
				all_begin = all_begin && s.plain_begin;
				statements++;
			}
			if (p == end || *p == '\0')
				break;
			s = (struct statement){.plain_begin = true};
			p++;
			continue;
		}
		if (*p == '\'' || *p == '$') {
			p = skip_quoted(p, end, false);
			s.plain_begin = false;
		} else if (*p == '"') {
			/* a quoted name may be a function's: "set_config"(…) */
			const char *name = p + 1, *past = skip_quoted(p, end, false);
			size_t n = 0;

			for (; name < past - 1 && n + 1 < sizeof w; name++)
				w[n++] = (char)*name;
			w[n] = '\0';
			if (s.words)
				see_any_word(&s, w);
			if (strcmp(w, "set_config") == 0)
				s.effects |= set_config_effects(past, end);
			if (is_parameter(&s) && wire_text_is_read_under(w))
				s.effects |= TEXT_READING;
			if (s.words == 1 && strcmp(s.first, "set") == 0)
				s.effects |= TEXT_SET; /* SET "work_mem": no keyword in quotes */
			s.plain_begin = s.makes = false;
			s.words++;
			p = past;
		} else if (is_word_byte((unsigned char)*p)) {
			size_t n = read_word(&p, end, w, sizeof w);

			if (p < end && *p == '\'' && n == 1 && strchr("ebxn", w[0])) {
				p = skip_quoted(p, end, w[0] == 'e');
				s.plain_begin = false;
			} else {
				see_word(&s, w);
				if (strcmp(w, "set_config") == 0)
					s.effects |= set_config_effects(p, end);
			}
		} else {
			if (*p == '.' && parts_name(&s, p, end))
				s.effects |= TEXT_LONG;
			if (*p != ',')
				s.plain_begin = false;
			p++;
		}
	}
	if (statements == 1 && all_begin)
		effects |= TEXT_BEGIN;
	if (statements > 1) /* beside others it always fails */
		effects &= ~(unsigned)TEXT_DISCARD_ALL;
	return effects;
}

/* The first words of nearly all statements, after which only the letters that
 * needs_scan() looks for can make an effect; by their first letter. */
static const struct plain_start {
	char word[8]; /* padded with zeros */
	char mask[8]; /* which of the eight bytes count */
	uint8_t n;
} plain_starts[26] = {
	['c' - 'a'] = {"commit", "\xff\xff\xff\xff\xff\xff", 6},
	['d' - 'a'] = {"delete", "\xff\xff\xff\xff\xff\xff", 6},
	['e' - 'a'] = {"end", "\xff\xff\xff", 3},
	['i' - 'a'] = {"insert", "\xff\xff\xff\xff\xff\xff", 6},
	['s' - 'a'] = {"select", "\xff\xff\xff\xff\xff\xff", 6},
	['u' - 'a'] = {"update", "\xff\xff\xff\xff\xff\xff", 6},
	['w' - 'a'] = {"with", "\xff\xff\xff\xff", 4},
};

/* Eight bytes as a number; only good to be compared. */
static inline uint64_t eight(const char *p)
{
	uint64_t w;

	memcpy(&w, p, 8);
	return w;
}

/* The text has at least eight bytes. */
static inline bool is_plain_start(const char *p)
{
	const struct plain_start *row;
	unsigned letter = (unsigned char)(*p | 0x20) - 'a';

	if (letter > 'z' - 'a')
		return false;
	row = &plain_starts[letter];
	return row->n &&
	       (((eight(p) | 0x2020202020202020u) ^ eight(row->word)) & eight(row->mask)) == 0 &&
	       !is_word_byte((unsigned char)p[row->n]);
}

#define BLOCK 16
/* A block, and the two bytes behind it that belong to letters beginning in it. */
#define BLOCK_READ (BLOCK + 2)

/* Does anything begin in this block that makes a closer look necessary: the letters, or a
 * semicolon? */
static inline bool block_is_odd(const char *p)
{
#ifdef __SSE2__
	const __m128i lower = _mm_set1_epi8(0x20);
	__m128i at = _mm_or_si128(_mm_loadu_si128((const __m128i *)(const void *)p), lower);
	__m128i next = _mm_or_si128(_mm_loadu_si128((const __m128i *)(const void *)(p + 1)), lower);
	__m128i third =
		_mm_or_si128(_mm_loadu_si128((const __m128i *)(const void *)(p + 2)), lower);
	__m128i emp = _mm_and_si128(_mm_and_si128(_mm_cmpeq_epi8(at, _mm_set1_epi8('e')),
					    _mm_cmpeq_epi8(next, _mm_set1_epi8('m'))),
		_mm_cmpeq_epi8(third, _mm_set1_epi8('p')));
	__m128i dv = _mm_and_si128(_mm_cmpeq_epi8(at, _mm_set1_epi8('d')),
		_mm_cmpeq_epi8(next, _mm_set1_epi8('v')));
	__m128i c = _mm_and_si128(_mm_cmpeq_epi8(at, _mm_set1_epi8('_' | 0x20)),
		_mm_cmpeq_epi8(next, _mm_set1_epi8('c')));
	__m128i gs = _mm_and_si128(_mm_and_si128(_mm_cmpeq_epi8(at, _mm_set1_epi8('g')),
					   _mm_cmpeq_epi8(next, _mm_set1_epi8('_' | 0x20))),
		_mm_cmpeq_epi8(third, _mm_set1_epi8('s')));
	__m128i semicolon = _mm_cmpeq_epi8(at, _mm_set1_epi8(';'));

	return _mm_movemask_epi8(_mm_or_si128(_mm_or_si128(_mm_or_si128(emp, dv), gs),
		_mm_or_si128(c, semicolon)));
#else
	for (int k = 0; k < BLOCK; k++) {
		char at = (char)(p[k] | 0x20), next = (char)(p[k + 1] | 0x20);

		if ((at == 'e' && next == 'm' && (p[k + 2] | 0x20) == 'p') ||
			(at == 'g' && next == ('_' | 0x20) && (p[k + 2] | 0x20) == 's') ||
			(at == 'd' && next == 'v') || (at == ('_' | 0x20) && next == 'c') ||
			at == ';')
			return true;
	}
	return false;
#endif
}

#ifdef __SSE2__
/* The pairs "vi" (advisory), "em" (temp), "fi" (set_config) and "ti" (pg_settings) with their
 * common bits, which makes them one comparison: of all pairs in a corpus of statements one in 250
 * has these bits. */
#define PAIR_BITS  0xDBCC
#define PAIR_VALUE ('e' & 0xCC) | ('m' & 0xDB) << 8
_Static_assert((('v' & 0xCC) | ('i' & 0xDB) << 8) == (PAIR_VALUE), "not one value: advisory");
_Static_assert((('f' & 0xCC) | ('i' & 0xDB) << 8) == (PAIR_VALUE), "not one value: set_config");
_Static_assert((('t' & 0xCC) | ('i' & 0xDB) << 8) == (PAIR_VALUE), "not one value: pg_settings");
_Static_assert((PAIR_BITS & 0x2020) == 0, "small and capital letters are the same");

/* Marks what may be odd among the pairs that begin in this block; it reads BLOCK + 1 bytes. */
static inline __m128i block_hints(const char *p)
{
	const __m128i bits = _mm_set1_epi16((short)PAIR_BITS);
	const __m128i value = _mm_set1_epi16((short)(PAIR_VALUE));
	__m128i even = _mm_loadu_si128((const __m128i *)(const void *)p);
	__m128i odd = _mm_loadu_si128((const __m128i *)(const void *)(p + 1));
	__m128i semicolon = _mm_cmpeq_epi8(even, _mm_set1_epi8(';'));

	return _mm_or_si128(semicolon,
		_mm_or_si128(_mm_cmpeq_epi16(_mm_and_si128(even, bits), value),
			_mm_cmpeq_epi16(_mm_and_si128(odd, bits), value)));
}
#endif

/* Can needs_scan() be true?  Far more often than it is, but for a third of its price. */
static inline bool has_hint(const char *p, const char *end)
{
#ifdef __SSE2__
	__m128i hints = block_hints(end - BLOCK_READ); /* it overlaps the one before it */

	for (; end - p > BLOCK_READ; p += BLOCK)
		hints = _mm_or_si128(hints, block_hints(p));
	return _mm_movemask_epi8(hints) != 0;
#else
	(void)p;
	(void)end;
	return true;
#endif
}

/* May the text, of BLOCK_READ bytes or more, hold what the scan has to look at, or a second
 * statement?  What begins with its last two bytes is too short for either. */
static NOINLINE bool needs_scan(const char *p, const char *end)
{
	for (; end - p > BLOCK_READ; p += BLOCK)
		if (UNLIKELY(block_is_odd(p)))
			return true;
	return block_is_odd(end - BLOCK_READ); /* it overlaps the one before it */
}

/* The same of a text that is shorter than what is read at once. */
static NOINLINE bool short_is_plain(const char *p, size_t len)
{
	char padded[BLOCK_READ];

	memset(padded, ' ', sizeof padded);
	memcpy(padded, p, len);
	return is_plain_start(padded) && !needs_scan(padded, padded + sizeof padded);
}

/* Is there nothing to it, as with nearly every statement? */
static inline bool is_plain(const char *p, const char *end)
{
	while (end > p && (end[-1] == ';' || is_space(end[-1])))
		end--;
	if (UNLIKELY(end - p < BLOCK_READ))
		return short_is_plain(p, (size_t)(end - p));
	return is_plain_start(p) && (LIKELY(!has_hint(p, end)) || !needs_scan(p, end));
}

unsigned wire_text_effects(const char *sql, size_t len)
{
	const char *p, *end;
	unsigned effects = 0;

	if (len && sql[len - 1] == '\0')
		len--;
	if (UNLIKELY(len > TEXT_READ_MAX)) {
		len = TEXT_READ_MAX;
		effects = TEXT_LONG;
	}
	end = sql + len;
	p = LIKELY(len && is_word_byte((unsigned char)*sql)) ? sql : skip_blank(sql, end);
	return LIKELY(is_plain(p, end)) ? effects : effects | scan(p, end);
}

/* --- DEALLOCATE ------------------------------------------------------------------------ */

size_t wire_text_statement(const char *sql, size_t len)
{
	const char *p = sql, *end = sql + len;

	while ((p = skip_blank(p, end)) < end && *p != ';') {
		if (*p == '\'' || *p == '"' || *p == '$') {
			p = skip_quoted(p, end, false);
		} else if (is_word_byte((unsigned char)*p)) {
			const char *word = p;

			while (p < end && is_word_byte((unsigned char)*p))
				p++;
			if (p < end && *p == '\'' && p - word == 1 && (*word | 0x20) == 'e')
				p = skip_quoted(p, end, true);
		} else {
			p++;
		}
	}
	return (size_t)(p - sql);
}

/* The next word or quoted name; p moves behind it.  False: there is none, or it is too long. */
static bool read_identifier(const char **p, const char *end, char name[WIRE_TEXT_NAME],
	bool *quoted)
{
	const char *past;
	size_t n = 0;

	*p = skip_blank(*p, end);
	*quoted = *p < end && **p == '"';
	if (!*quoted)
		return read_word(p, end, name, WIRE_TEXT_NAME) > 0;
	past = skip_quoted(*p, end, false);
	for (const char *at = *p + 1; at < past - 1; at++) {
		if (n + 1 == WIRE_TEXT_NAME)
			return false;
		name[n++] = *at;
		at += *at == '"'; /* two of them are one */
	}
	name[n] = '\0';
	*p = past;
	return true;
}

enum text_deallocates wire_text_deallocates(const char *sql, size_t len, char name[WIRE_TEXT_NAME])
{
	const char *p = sql, *end = sql + len;
	bool quoted;

	if (!read_identifier(&p, end, name, &quoted) || quoted || strcmp(name, "deallocate") != 0 ||
		!read_identifier(&p, end, name, &quoted))
		return TEXT_DEALLOCATES_NOTHING;
	if (!quoted && strcmp(name, "prepare") == 0 && skip_blank(p, end) < end &&
		!read_identifier(&p, end, name, &quoted))
		return TEXT_DEALLOCATES_NOTHING;
	if (skip_blank(p, end) < end)
		return TEXT_DEALLOCATES_NOTHING; /* PostgreSQL will say what is wrong */
	return !quoted && strcmp(name, "all") == 0 ? TEXT_DEALLOCATES_ALL : TEXT_DEALLOCATES_ONE;
}

/* --- the statement without what is said about it ------------------------------------- */

static bool is_comment(const char *p, const char *end)
{
	return end - p >= 2 && ((p[0] == '/' && p[1] == '*') || (p[0] == '-' && p[1] == '-'));
}

/* Can there be a comment at its end?  (Line comments there are not looked for.) */
static bool ends_in_comment(const char *p, const char *end)
{
	while (end > p && (is_space(end[-1]) || end[-1] == ';'))
		end--;
	return end - p >= 4 && end[-1] == '/' && end[-2] == '*';
}

/* Behind the last byte that is neither blank, comment nor semicolon; NULL: the text is not
 * understood (a backslash in a string means one thing or another, as the session is set). */
static const char *end_of_words(const char *p, const char *end)
{
	const char *last = p, *from;

	for (;;) {
		p = skip_blank(p, end);
		if (p == end)
			return last;
		from = p;
		if (*p == '\'' || *p == '"' || *p == '$') {
			p = skip_quoted(p, end, false);
			if (*from != '$' && (p[-1] != *from || p == from + 1 ||
						    memchr(from, '\\', (size_t)(p - from))))
				return NULL;
		} else if (is_word_byte((unsigned char)*p)) {
			while (p < end && is_word_byte((unsigned char)*p))
				p++;
			if (p < end && *p == '\'' && p - from == 1 && (*from | 0x20) == 'e')
				p = skip_quoted(p, end, true);
		} else {
			p++;
			if (*from == ';')
				continue;
		}
		last = p;
	}
}

bool wire_text_core(const char *sql, size_t len, size_t *from, size_t *to)
{
	const char *p = sql, *end = sql + len, *last;
	bool front;

	while (p < end && is_space(*p))
		p++;
	front = is_comment(p, end);
	if (LIKELY(!front && !ends_in_comment(p, end)))
		return false;
	if (len > TEXT_READ_MAX || memmem(sql, len, "/*+", 3))
		return false;
	p = front ? skip_blank(p, end) : sql;
	last = end_of_words(p, end);
	if (!last || last == p)
		return false;
	*from = (size_t)(p - sql);
	*to = (size_t)(last - sql);
	return true;
}
