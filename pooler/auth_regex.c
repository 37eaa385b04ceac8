/* SPDX-License-Identifier: ISC
 *
 * Regular expressions of the HBA and ident files, in PostgreSQL's notation.  The C library's
 * extended ones match the same way (the longest match); what PostgreSQL writes otherwise is
 * rewritten (\d, \w inside of brackets, \m, (?:…)), and what the C library cannot do (lazy
 * repetitions, look-ahead, embedded options) is refused: an expression never means something else
 * here than there.
 *
 * The C library writes repetitions out: x+ is two x, x{9} nine, and each repetition of a
 * repetition multiplies, so that thirty characters can ask for more memory or time than there is.
 * What would is refused before it is tried.
 */
#include "auth_token.h"

#include <stdlib.h>
#include <string.h>

#define PARTS_MAX 500U /* characters, classes and groups, when all is written out */
#define DEPTH_MAX 50U
#define NEST_MAX  2U /* (a+b)* is, (a**)* is not */

/* Behind a bracket expression that begins at p. */
static const char *skip_class(const char *p)
{
	p += p[1] == '^' ? 2 : 1;
	if (*p == ']')
		p++;
	while (*p && *p != ']') {
		if (p[0] == '[' && p[1] && strchr(":.=", p[1])) {
			const char end[] = {p[1], ']', '\0'}, *close = strstr(p + 2, end);

			if (close)
				p = close + 1;
		}
		p++;
	}
	return *p ? p + 1 : p;
}

/* How often {m}, {m,} or {m,n} writes out what is before it; 0: it is none. */
static unsigned long times(const char *p)
{
	char *end;
	unsigned long m, n;

	if (p[1] < '0' || p[1] > '9')
		return 0;
	m = n = strtoul(p + 1, &end, 10);
	if (*end == ',')
		n = end[1] >= '0' && end[1] <= '9' ? strtoul(end + 1, NULL, 10) : m + 1;
	n = n > m ? n : m;
	return n > PARTS_MAX ? PARTS_MAX : n ? n : 1;
}

/* What it comes to; NULL: that can be borne. */
static const char *too_much(const char *p)
{
	unsigned long sum[DEPTH_MAX] = {0}, last = 0, by;
	unsigned nest[DEPTH_MAX] = {0}, nested = 0, depth = 0;

	while (*p) {
		by = *p == '+' ? 2 : *p == '*' || *p == '?' ? 1 : *p == '{' ? times(p) : 0;
		if (by) {
			sum[depth] += last * (by - 1);
			last *= by;
			if (++nested > NEST_MAX)
				return "repetitions of repetitions of repetitions";
			p += *p == '{' ? strcspn(p, "}") : 0; /* its numbers are no characters */
			p += *p != '\0';
		} else if (*p == '(') {
			if (++depth == DEPTH_MAX)
				return "too many parentheses within each other";
			sum[depth] = last = nest[depth] = nested = 0;
			p++;
		} else if (*p == ')' && depth > 0) {
			last = sum[depth] + 1;
			nested = nest[depth--];
			sum[depth] += last;
			p++;
		} else {
			p = *p == '[' ? skip_class(p) : p + (p[0] == '\\' && p[1] ? 2 : 1);
			last = 1;
			nested = 0;
			sum[depth]++;
		}
		if (nest[depth] < nested)
			nest[depth] = nested;
		if (sum[depth] > PARTS_MAX)
			return "its repetitions make it too large";
	}
	return NULL;
}

/* What PostgreSQL's escapes are called here; outside of brackets, and inside. */
static const struct {
	char letter;
	const char *outside, *inside;
} escapes[] = {
	{'d', "[0-9]", "0-9"},
	{'D', "[^0-9]", NULL},
	{'w', "[[:alnum:]_]", "[:alnum:]_"},
	{'W', "[^[:alnum:]_]", NULL},
	{'s', "[[:space:]]", "[:space:]"},
	{'S', "[^[:space:]]", NULL},
	{'m', "\\<", NULL},
	{'M', "\\>", NULL},
	{'y', "\\b", NULL},
	{'Y', "\\B", NULL},
	{'A', "^", NULL},
	{'Z', "$", NULL},
	{'t', "\t", "\t"},
};

static bool is_alnum(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* The escape at p: its length, or 0 when there is no such thing here. */
static size_t put_escape(struct buf *out, const char *p, bool inside)
{
	for (size_t i = 0; i < ARRAY_LEN(escapes); i++)
		if (escapes[i].letter == p[1]) {
			const char *text = inside ? escapes[i].inside : escapes[i].outside;
			if (text)
				buf_put_str(out, text);
			return text ? 2 : 0;
		}
	if (!p[1] || is_alnum(p[1]))
		return 0;
	if (!inside) {
		buf_put(out, p, 2);
		return 2;
	}
	if (strchr("]^-[", p[1]))
		return 0; /* a bracket expression has other ways to hold these */
	buf_put_u8(out, (uint8_t)p[1]);
	return 2;
}

/* The bracket expression at p: its length, or 0 with *why. */
static size_t put_class(struct buf *out, const char *p, const char **why)
{
	const char *begin = p, *end = skip_class(p);
	size_t n = p[1] == '^' ? 2 : 1;

	if (p[n] == ']')
		n++;
	buf_put(out, p, n);
	for (p += n; p < end; p += n) {
		n = 1;
		if (*p == '\\')
			n = put_escape(out, p, true);
		else
			buf_put_u8(out, (uint8_t)*p);
		if (n == 0) {
			*why = "an escape in brackets that is not available here";
			return 0;
		}
	}
	return (size_t)(end - begin);
}

/* Writes the expression as the C library has it.  *group: which of its groups is the first that
 * captures; 0: none.  NULL, or why it cannot be. */
static const char *rewrite(struct buf *out, const char *p, unsigned *group)
{
	unsigned groups = 0;
	const char *why = NULL;
	size_t n;

	*group = 0;
	if (strncmp(p, "***", 3) == 0)
		return "directors (***) are not available here";
	for (; *p && !why; p += n) {
		n = 1;
		if (*p == '\\') {
			n = put_escape(out, p, false);
			why = n ? NULL : "an escape that is not available here";
		} else if (*p == '[') {
			n = put_class(out, p, &why);
		} else if (*p == '(') {
			bool bare = strncmp(p, "(?:", 3) == 0;
			groups++;
			if (!bare && p[1] == '?')
				why = "look-around and embedded options are not available here";
			else if (!bare && !*group)
				*group = groups;
			buf_put_u8(out, '(');
			n = bare ? 3 : 1;
		} else if (strchr("*+?}", *p) && p[1] == '?') {
			why = "lazy repetitions are not available here";
		} else {
			buf_put_u8(out, (uint8_t)*p);
		}
	}
	return !why && *group > REGEX_GROUPS ? "too many groups in front of the one for \\1" : why;
}

bool regex_compile(regex_t *re, const char *pattern, unsigned *group, char *why, size_t size)
{
	unsigned first;
	struct buf text = {0};
	const char *no = rewrite(&text, pattern, &first);
	int rc = 0;

	if (!no)
		no = too_much(buf_cstr(&text));
	if (no) {
		snprintf(why, size, "%s", no);
	} else {
		rc = regcomp(re, buf_cstr(&text), REG_EXTENDED | (group ? 0 : REG_NOSUB));
		if (rc != 0)
			regerror(rc, re, why, size);
	}
	if (group)
		*group = first;
	buf_free(&text);
	return !no && rc == 0;
}
