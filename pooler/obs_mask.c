/* SPDX-License-Identifier: ISC
 *
 * Secrets out of statement texts.  Two forms are known:
 *
 *   … PASSWORD 'secret' …           CREATE/ALTER ROLE|USER|GROUP, USER MAPPING options;
 *                                   the literal may be '…', E'…', U&'…', $tag$…$tag$
 *   'host=x password=secret …'      connection strings of dblink, subscriptions, servers
 *
 * The literal that follows the word is replaced as a whole, wherever the statement stands
 * (a comparison with a column called password is masked too: better one too many).  Where
 * the word stands in a literal that is put together with others ('… PASSWORD %L', 'secret' or
 * '… PASSWORD ' || 'secret'), all that is behind it goes.  This is a scanner for one word, not a
 * parser; a literal whose end was cut off is masked up to the end of the text.
 */
#include "obs_inner.h"

#include <ctype.h>

static const char mark[] = "***";

/* "passw" of any case, by Horspool's skip of the last letter. */
static const char *find_word(const char *p, const char *end)
{
	static const char word[] = "passw";
	const size_t n = sizeof word - 1;

	while ((size_t)(end - p) >= n) {
		switch (p[n - 1] | 0x20) {
		case 'w':
			if (strncasecmp(p, word, n) == 0)
				return p;
			p += n;
			break;
		case 's':
			p += 1;
			break;
		case 'a':
			p += 3;
			break;
		case 'p':
			p += 4;
			break;
		default:
			p += n;
		}
	}
	return NULL;
}

bool mask_wants(const char *text, size_t len)
{
	return find_word(text, text + len) != NULL;
}

static bool is_word(char c)
{
	return isalnum((unsigned char)c) || c == '_' || (unsigned char)c >= 0x80;
}

static const char *skip_blank(const char *p, const char *end)
{
	while (p < end) {
		if (isspace((unsigned char)*p)) {
			p++;
		} else if (end - p >= 2 && p[0] == '-' && p[1] == '-') {
			while (p < end && *p != '\n')
				p++;
		} else if (end - p >= 2 && p[0] == '/' && p[1] == '*') {
			p += 2;
			while (p < end && !(p[0] == '*' && end - p >= 2 && p[1] == '/'))
				p++;
			p = end - p >= 2 ? p + 2 : end;
		} else {
			break;
		}
	}
	return p;
}

/* Behind a quoted literal whose opening quote is at p.  A statement inside a literal has
 * its quotes doubled (''secret''), and so on with every level: an even run of quotes opens
 * such a literal and an odd multiple of that run closes it; an odd run is one quote and
 * doubled ones that belong to the secret. */
static const char *skip_quoted(const char *p, const char *end, bool backslash)
{
	size_t depth = 0;

	while (p + depth < end && p[depth] == '\'')
		depth++;
	if (depth % 2)
		depth = 1;
	p += depth;
	if (depth == 2 && (p == end || isspace((unsigned char)*p) || strchr(";,)", *p)))
		return p; /* the empty literal */
	while (p < end) {
		size_t run = 0;
		if (backslash && *p == '\\' && end - p >= 2) {
			p += 2;
			continue;
		}
		while (p < end && *p == '\'') {
			p++;
			run++;
		}
		if (run / depth % 2)
			return p - run % depth;
		if (run == 0)
			p++;
	}
	return end;
}

/* Behind $tag$…$tag$ at p, or p when there is none. */
static const char *skip_dollar(const char *p, const char *end)
{
	const char *q = p + 1, *close;
	size_t n;

	while (q < end && is_word(*q))
		q++;
	if (q >= end || *q != '$')
		return p;
	n = (size_t)(q + 1 - p);
	close = memmem(q + 1, (size_t)(end - q - 1), p, n);
	return close ? close + n : end;
}

/* p stands behind the word: masks what follows if that is a secret, says where it ended.
 * `inside`: the word stands in a literal. */
static const char *mask_value(struct buf *out, const char *p, const char *end, bool inside)
{
	const char *q = skip_blank(p, end), *lit, *behind;

	while (q < end && (*q == '=' || *q == ':' || *q == '>'))
		q = skip_blank(q + 1, end);
	lit = q;
	if (q < end && (*q == 'E' || *q == 'e' || *q == 'N' || *q == 'n') && end - q >= 2 &&
		q[1] == '\'')
		q++;
	else if (end - q >= 3 && (*q == 'U' || *q == 'u') && q[1] == '&' && q[2] == '\'')
		q += 2;
	if (q < end && *q == '\'') {
		behind = skip_quoted(q, end, *lit == 'E' || *lit == 'e');
	} else if (q < end && *q == '$' && skip_dollar(q, end) != q) {
		behind = skip_dollar(q, end);
	} else if (inside && p < end && *p == '=') {
		/* password=secret of a connection string: up to a blank or its end */
		buf_put(out, p, (size_t)(q - p));
		buf_put_str(out, mark);
		while (q < end && !isspace((unsigned char)*q) && *q != '\'' && *q != '&' &&
			*q != '"')
			q++;
		return q;
	} else {
		return p;
	}
	buf_put(out, p, (size_t)(lit - p));
	buf_put_str(out, "'***'");
	return behind;
}

/* p stands behind the word, in a literal.  Is that literal a part of what will be executed, and
 * the secret in another one? */
static bool is_pieced_together(const char *p, const char *end)
{
	p = skip_blank(p, end);
	if (p < end && *p == '%')
		return true;
	if (p == end || *p != '\'')
		return false;
	p = skip_blank(p + 1, end);
	return p < end && (*p == '|' || *p == ',');
}

void mask_put(struct buf *out, const char *text, size_t len, bool inside)
{
	const char *p = text, *end = text + len, *hit;

	while ((hit = find_word(p, end))) {
		const char *q = hit + 5;
		for (const char *c = p; c < hit; c++)
			inside ^= *c == '\'';
		while (q < end && is_word(*q))
			q++;
		if (q < end && *q == '"') /* "password" as a quoted name */
			q++;
		buf_put(out, p, (size_t)(q - p));
		if (inside && is_pieced_together(q, end)) {
			buf_put_str(out, mark);
			return;
		}
		p = mask_value(out, q, end, inside);
		for (const char *c = q; c < p; c++)
			inside ^= *c == '\'';
	}
	buf_put(out, p, (size_t)(end - p));
}
