/* SPDX-License-Identifier: ISC
 *
 * Regular expressions of the HBA and ident files.  The C library writes repetitions out: x+ is
 * two x, x{9} nine, and each repetition of a repetition multiplies, so that thirty characters can
 * ask for more memory or time than there is.  What would is refused before it is tried.
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

bool regex_compile(regex_t *re, const char *pattern, int flags, char *why, size_t size)
{
	const char *much = too_much(pattern);
	int rc;

	if (much) {
		snprintf(why, size, "%s", much);
		return false;
	}
	rc = regcomp(re, pattern, flags);
	if (rc != 0)
		regerror(rc, re, why, size);
	return rc == 0;
}
