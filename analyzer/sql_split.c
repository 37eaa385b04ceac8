/* SPDX-License-Identifier: ISC
 *
 * sql_split: where one statement of a script ends.
 *
 * By the rules of the scanner alone, so that a statement that does not parse does not take its
 * neighbours along: quotes, dollar quotes, comments (nested), parentheses are stepped over.  The
 * body of CREATE FUNCTION … BEGIN ATOMIC … END holds semicolons of its own.  A backslash is psql's:
 * at the beginning of a statement a command of one line, farther on (\gset) the statement's end.
 */
#include "sql.h"

static size_t skip_comment(const char *p, size_t n, size_t i)
{
	size_t deep = 0;

	for (; i + 1 < n; i++) {
		if (p[i] == '/' && p[i + 1] == '*') {
			deep++;
			i++;
		} else if (p[i] == '*' && p[i + 1] == '/') {
			i++;
			if (--deep == 0)
				return i + 1;
		}
	}
	return n;
}

static size_t skip_quotes(const char *p, size_t n, size_t i, bool backslash)
{
	char q = p[i];

	for (i++; i < n; i++) {
		if (backslash && p[i] == '\\')
			i++;
		else if (p[i] == q)
			return i + 1;
	}
	return n;
}

static bool is_word(char c)
{
	return c == '_' || (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') ||
	       (c & 0x80);
}

static size_t skip_dollars(const char *p, size_t n, size_t i)
{
	size_t t = i + 1;

	if (i > 0 && is_word(p[i - 1]))
		return i + 1;
	while (t < n && is_word(p[t]) && !(t == i + 1 && p[t] >= '0' && p[t] <= '9'))
		t++;
	if (t >= n || p[t] != '$')
		return i + 1;
	size_t tag = t - i + 1;
	const char *e = memmem(p + t + 1, n - t - 1, p + i, tag);
	return e ? (size_t)(e - p) + tag : n;
}

static size_t line_end(const char *p, size_t n, size_t i)
{
	const char *e = memchr(p + i, '\n', n - i);

	return e ? (size_t)(e - p) + 1 : n;
}

/* Behind blanks and comments. */
static size_t first_token(const char *p, size_t n)
{
	size_t i = 0;

	while (i < n) {
		if (p[i] == ' ' || p[i] == '\t' || p[i] == '\n' || p[i] == '\r')
			i++;
		else if (p[i] == '-' && i + 1 < n && p[i + 1] == '-')
			i = line_end(p, n, i);
		else if (p[i] == '/' && i + 1 < n && p[i + 1] == '*')
			i = skip_comment(p, n, i);
		else
			break;
	}
	return i;
}

bool sql_is_psql(struct str statement)
{
	size_t i = first_token(statement.p, statement.n);

	return i < statement.n && statement.p[i] == '\\';
}

/* Does it name the word anywhere? */
static bool has_word(struct str s, const char *word)
{
	size_t n = strlen(word);

	for (size_t i = 0; i + n <= s.n; i++)
		if (strncasecmp(s.p + i, word, n) == 0 && (i == 0 || !is_word(s.p[i - 1])) &&
			(i + n == s.n || !is_word(s.p[i + n])))
			return true;
	return false;
}

size_t sql_copy_data(struct str statement, const char *rest, size_t n)
{
	struct str s = str_skip(statement, first_token(statement.p, statement.n));
	size_t i = n ? line_end(rest, n, 0) : 0; /* what stands behind the semicolon */

	if (s.n < 5 || strncasecmp(s.p, "copy", 4) != 0 || is_word(s.p[4]) || !has_word(s, "stdin"))
		return 0;
	while (i < n) {
		size_t end = line_end(rest, n, i);
		if (end - i >= 2 && memcmp(rest + i, "\\.", 2) == 0 &&
			(end - i == 2 || rest[i + 2] == '\n' || rest[i + 2] == '\r'))
			return end;
		i = end;
	}
	return 0;
}

size_t sql_statement_end(const char *p, size_t n)
{
	size_t i = 0, atomic = 0, cases = 0;

	while (i < n) {
		char c = p[i];
		if (c == ';' && atomic == 0)
			return i + 1;
		if (c == '\\')
			return first_token(p, n) == i ? line_end(p, n, i) : i;
		if (c == '\'' || c == '"') {
			i = skip_quotes(p, n, i,
				c == '\'' && i > 0 && (p[i - 1] | 0x20) == 'e' &&
					(i < 2 || !is_word(p[i - 2])));
		} else if (c == '-' && i + 1 < n && p[i + 1] == '-') {
			const char *e = memchr(p + i, '\n', n - i);
			i = e ? (size_t)(e - p) + 1 : n;
		} else if (c == '/' && i + 1 < n && p[i + 1] == '*') {
			i = skip_comment(p, n, i);
		} else if (c == '$') {
			i = skip_dollars(p, n, i);
		} else if (is_word(c)) {
			size_t from = i;
			while (i < n && is_word(p[i]))
				i++;
			if (i - from == 6 && strncasecmp(p + from, "atomic", 6) == 0)
				atomic = 1;
			else if (atomic && i - from == 4 && strncasecmp(p + from, "case", 4) == 0)
				cases++;
			else if (atomic && i - from == 3 && strncasecmp(p + from, "end", 3) == 0) {
				if (cases)
					cases--;
				else
					atomic = 0;
			}
		} else {
			i++;
		}
	}
	return n;
}
