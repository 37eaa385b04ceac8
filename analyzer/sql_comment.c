/* SPDX-License-Identifier: ISC
 *
 * sql_comment: the comments of a statement, one after the other, and what they are addressed
 * to us with: `pgassay:ignore …`, `pgassay:test …`.
 *
 * The lexer notes only a statement's first and last comment, which is where tags stand; marks
 * stand anywhere.  What looks like a comment inside a literal or a quoted name is none.
 */
#include "sql.h"

/* Behind the quoted thing that begins at i; backslashes escape when `escapes`. */
static size_t quoted_end(struct str t, size_t i, bool escapes)
{
	char q = t.p[i++];

	while (i < t.n) {
		if (escapes && t.p[i] == '\\')
			i += 2;
		else if (t.p[i] != q)
			i++;
		else if (i + 1 < t.n && t.p[i + 1] == q)
			i += 2;
		else
			return i + 1;
	}
	return t.n;
}

static bool is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || (c & 0x80);
}

/* Behind $tag$ … $tag$; i + 1 when no such literal begins at i. */
static size_t dollar_end(struct str t, size_t i)
{
	size_t n = i + 1;

	while (n < t.n && is_word(t.p[n]))
		n++;
	if (n >= t.n || t.p[n] != '$' || (n > i + 1 && t.p[i + 1] >= '0' && t.p[i + 1] <= '9'))
		return i + 1;
	n++;
	struct str rest = str_skip(t, n);
	const char *end = memmem(rest.p, rest.n, t.p + i, n - i);
	return end ? (size_t)(end - t.p) + (n - i) : t.n;
}

/* Behind a block comment, which may hold others. */
static size_t block_end(struct str t, size_t i)
{
	int deep = 0;

	while (i + 1 < t.n) {
		if (t.p[i] == '/' && t.p[i + 1] == '*')
			deep++, i += 2;
		else if (t.p[i] == '*' && t.p[i + 1] == '/')
			deep--, i += 2;
		else
			i++;
		if (deep == 0)
			return i;
	}
	return t.n;
}

bool sql_comment_next(struct str t, size_t *at, struct str *comment)
{
	size_t i = *at;

	while (i < t.n) {
		char c = t.p[i], next = i + 1 < t.n ? t.p[i + 1] : '\0';
		size_t end;

		if (c == '-' && next == '-') {
			const char *nl = memchr(t.p + i, '\n', t.n - i);
			end = nl ? (size_t)(nl - t.p) : t.n;
			*comment = str_trim((struct str){t.p + i + 2, end - i - 2});
			*at = end;
			return true;
		}
		if (c == '/' && next == '*') {
			end = block_end(t, i);
			*comment = (struct str){t.p + i + 2, end - i - 2};
			if (str_ends(*comment, "*/"))
				comment->n -= 2;
			*comment = str_trim(*comment);
			*at = end;
			return true;
		}
		if (c == '\'')
			i = quoted_end(t, i,
				i > 0 && (t.p[i - 1] | 0x20) == 'e' &&
					(i < 2 || !is_word(t.p[i - 2])));
		else if (c == '"')
			i = quoted_end(t, i, false);
		else if (c == '$' && (i == 0 || !is_word(t.p[i - 1])))
			i = dollar_end(t, i);
		else
			i++;
	}
	*at = t.n;
	return false;
}

struct str sql_mark(struct str comment, const char *mark)
{
	size_t n = strlen(mark);

	if (!str_starts(comment, mark))
		return STR_NONE;
	comment = str_skip(comment, n);
	if (comment.n && comment.p[0] != ' ' && comment.p[0] != '\t' && comment.p[0] != '\n' &&
		comment.p[0] != ':')
		return STR_NONE;
	if (comment.n && comment.p[0] == ':')
		comment = str_skip(comment, 1);
	comment = str_trim(comment);
	return comment.p ? comment : STR("");
}
