/* SPDX-License-Identifier: ISC
 *
 * input_catalog: what a server says in another language, put back into English.
 *
 * A row of the table (input_catalog_table.c) is a message's format as PostgreSQL's catalogues have
 * it, and the same in English.  A line that fits a translated format is written again with the
 * English one and its own values, so that whatever reads messages knows English only.  Lines are
 * asked for that were not recognised in English: a row is found by the first byte of its text, so
 * that in an English log the few of them cost a comparison or two.
 */
#include "input_words.h"

#include <pthread.h>

#define VALUES 24 /* of a message */
#define PLACE  " at character %d"
#define TRIES  500 /* places looked at where a text may end */

/* catalog_rows[from[c]] up to catalog_rows[from[c + 1]] begin with the byte c. */
static uint16_t from[257];
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void index_rows(void)
{
	size_t at = 0;

	for (unsigned c = 0; c <= 256; c++) {
		from[c] = (uint16_t)at;
		while (at < catalog_row_count && (unsigned char)catalog_rows[at].text[0] == c)
			at++;
	}
}

/* --- formats -------------------------------------------------------------------------- */

/* `%2$s`, `%.1f`, `%03d` at p: behind it.  *at is the value's place, counted from *next on. */
static const char *conversion(const char *p, unsigned *at, unsigned *next, char *kind)
{
	const char *q = p + 1;
	unsigned n = 0;

	while (*q >= '0' && *q <= '9')
		n = n * 10 + (unsigned)(*q++ - '0');
	if (*q == '$') {
		*at = n - 1;
		q++;
	} else {
		*at = (*next)++;
	}
	q += strspn(q, "0123456789.l");
	*kind = *q;
	return q + 1;
}

/* The literal that begins at p: how long it is, as it stands in a message ("%%" is one byte). */
static size_t literal(const char **p, char *out, size_t size)
{
	const char *q = *p;
	size_t n = 0;

	while (*q && (*q != '%' || q[1] == '%') && n < size) {
		out[n++] = *q;
		q += *q == '%' ? 2 : 1;
	}
	*p = q;
	return n;
}

struct match {
	struct str value[VALUES];
	unsigned tries;
};

static size_t number_length(struct str s, char kind)
{
	size_t n = s.n && s.p[0] == '-';

	while (n < s.n && ((s.p[n] >= '0' && s.p[n] <= '9') || (kind == 'f' && s.p[n] == '.')))
		n++;
	return n;
}

static bool fits(struct match *m, const char *format, unsigned next, struct str s);

/* A text ends where what is behind it in the format fits; it has no line end, since several
 * messages in a row have. */
static bool text_fits(struct match *m, const char *format, unsigned at, unsigned next, struct str s)
{
	const char *behind = format;
	char lit[128];
	size_t line = str_find(s, "\n"), n = literal(&behind, lit, sizeof(lit));
	if (n == 0) { /* %s%s: the first one has it all */
		m->value[at] = s;
		return line == s.n && (!*format || fits(m, format, next, str_skip(s, s.n)));
	}
	for (size_t end = 0; m->tries > 0; end++, m->tries--) {
		const char *hit = memmem(s.p + end, s.n - end, lit, n);
		if (!hit)
			return false;
		end = (size_t)(hit - s.p);
		if (end > line)
			return false;
		m->value[at] = str_before(s, end);
		if (fits(m, behind, next, str_skip(s, end + n)))
			return true;
	}
	return false;
}

static bool fits(struct match *m, const char *format, unsigned next, struct str s)
{
	while (*format) {
		char kind;
		unsigned at;
		if (*format != '%' || format[1] == '%') {
			if (!s.n || *s.p != *format)
				return false;
			s = str_skip(s, 1);
			format += *format == '%' ? 2 : 1;
			continue;
		}
		format = conversion(format, &at, &next, &kind);
		if (at >= VALUES)
			return false;
		if (kind == 's' || kind == 'm')
			return text_fits(m, format, at, next, s);
		size_t n = number_length(s, kind);
		if (n == 0)
			return false;
		m->value[at] = str_before(s, n);
		s = str_skip(s, n);
	}
	return s.n == 0;
}

static const struct catalog_row *find(struct str s, struct match *m)
{
	const unsigned char c = s.n ? (unsigned char)s.p[0] : 0;

	pthread_once(&once, index_rows);
	m->tries = TRIES;
	for (size_t i = from[c]; i < from[c + 1]; i++)
		if (fits(m, catalog_rows[i].text, 0, s))
			return &catalog_rows[i];
	for (size_t k = 0; k < s.n; k++) {
		if (!(s.p[k] & 0x80))
			continue;
		/* only in languages that need such letters does a message begin with a value */
		for (size_t i = from['%']; i < from['%' + 1]; i++)
			if (fits(m, catalog_rows[i].text, 0, s))
				return &catalog_rows[i];
		break;
	}
	return NULL;
}

/* --- back to English -------------------------------------------------------------------- */

/* The values that are messages themselves: what is locked, how much the CPU did. */
static bool holds_messages(const char *english)
{
	return strncmp(english, "process %d ", 11) == 0 ||
	       strncmp(english, "Process %d waits", 16) == 0 ||
	       strcmp(english, "system usage: %s") == 0;
}

static bool put(struct text *out, struct str s, int depth);

static void put_english(struct text *out, const struct catalog_row *r, const struct match *m,
	int depth)
{
	bool inner = depth == 0 && holds_messages(r->english);
	unsigned next = 0, at;
	char lit[128], kind;

	for (const char *p = r->english; *p;) {
		size_t n = literal(&p, lit, sizeof(lit));
		text_add(out, lit, n);
		if (n > 0)
			continue;
		p = conversion(p, &at, &next, &kind);
		if (!inner || kind != 's' || !put(out, m->value[at], depth + 1))
			text_str(out, m->value[at]);
	}
}

/* Adds it in English; false: no row fits, nothing was added. */
static bool put(struct text *out, struct str s, int depth)
{
	struct match m = {.tries = TRIES};
	const struct catalog_row *r = find(s, &m);

	if (r)
		put_english(out, r, &m, depth);
	return r != NULL;
}

/* Adds a message, or several of a line each: autovacuum's, a deadlock's detail. */
static const char *put_message(struct text *out, struct str s)
{
	struct match whole = {.tries = TRIES};
	const struct catalog_row *one = find(s, &whole);
	const char *lang = NULL;

	if (one) {
		put_english(out, one, &whole, 0);
		return one->lang;
	}
	for (size_t at = 0; at <= s.n;) {
		struct str line = str_skip(s, at);
		line = str_before(line, str_find(line, "\n"));
		struct match m = {.tries = TRIES};
		const struct catalog_row *r = find(line, &m);
		if (!r && at == 0)
			return NULL;
		if (at > 0)
			text_char(out, '\n');
		if (r)
			put_english(out, r, &m, 0);
		else
			text_str(out, line);
		lang = lang ? lang : r->lang;
		at += line.n + 1;
	}
	return lang;
}

/* It ends in a number, a parenthesis, or a letter that English lacks. */
static bool may_have_place(struct str s)
{
	char last = s.n ? s.p[s.n - 1] : 0;

	return (last >= '0' && last <= '9') || last == ')' || (last & 0x80);
}

/* " bei Zeichen 15", which is put behind an error's text: where it begins; s.n: it is not there. */
static size_t find_place(struct str s, const struct catalog_row **found, struct match *m)
{
	for (size_t i = 0; i < catalog_row_count; i++) {
		const char *format = catalog_rows[i].text, *hit = s.p;
		char lit[128];
		if (strcmp(catalog_rows[i].english, PLACE) != 0)
			continue;
		size_t n = literal(&format, lit, sizeof(lit)), at = 0;
		for (; (hit = memmem(s.p + at, s.n - at, lit, n)) != NULL; at++) {
			at = (size_t)(hit - s.p);
			m->tries = TRIES;
			*found = &catalog_rows[i];
			if (fits(m, catalog_rows[i].text, 0, str_skip(s, at)))
				return at;
		}
	}
	*found = NULL;
	return s.n;
}

/* Adds an error's text, and where in the statement it lies; the language, NULL: it is not known. */
static const char *put_error(struct text *out, struct str s)
{
	struct match m = {.tries = TRIES};
	const struct catalog_row *place = NULL, *r;
	size_t at = may_have_place(s) ? find_place(s, &place, &m) : s.n;

	if (!place) {
		r = find(s, &m);
		if (r)
			put_english(out, r, &m, 0);
		return r ? r->lang : NULL;
	}
	if (!put(out, str_before(s, at), 0))
		text_str(out, str_before(s, at));
	put_english(out, place, &m, 0);
	return place->lang;
}

const char *catalog_english(struct arena *a, struct str *s, bool is_error)
{
	struct text out = {0};
	const char *lang = is_error ? put_error(&out, *s) : put_message(&out, *s);

	if (lang)
		*s = arena_str(a, text_slice(&out));
	text_release(&out);
	return lang;
}
