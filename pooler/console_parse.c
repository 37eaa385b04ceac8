/* SPDX-License-Identifier: ISC
 *
 * struct words: the console's language.  Statements are separated by `;`, made of bare
 * words, "quoted names", 'strings' and single signs; comments as in SQL.  Pure.
 */
#include "console.h"

#include <strings.h>

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v';
}

static bool is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '.' || c == '-' || c == '+' || c == '/' || c == ':' || c == '$' ||
	       c == '@' || c == '%' || (c & 0x80);
}

/* Behind a comment that starts at p, or p. */
static const char *skip_comment(const char *p, const char *end)
{
	int depth = 0;

	if (end - p < 2)
		return p;
	if (p[0] == '-' && p[1] == '-') {
		while (p < end && *p != '\n')
			p++;
		return p;
	}
	if (p[0] != '/' || p[1] != '*')
		return p;
	while (p < end) {
		if (end - p >= 2 && p[0] == '/' && p[1] == '*') {
			depth++;
			p += 2;
		} else if (end - p >= 2 && p[0] == '*' && p[1] == '/') {
			p += 2;
			if (--depth == 0)
				break;
		} else {
			p++;
		}
	}
	return p;
}

static const char *skip_blanks(const char *p, const char *end)
{
	const char *q;

	for (;;) {
		while (p < end && is_space(*p))
			p++;
		q = skip_comment(p, end);
		if (q == p)
			return p;
		p = q;
	}
}

static bool put(struct words *w, char c)
{
	if (w->used + 1 >= sizeof w->bytes) {
		w->error = "the command is too long";
		return false;
	}
	w->bytes[w->used++] = c;
	return true;
}

/* A quoted word; p at its first quote.  Answers where it ends. */
static const char *take_quoted(struct words *w, const char *p, const char *end)
{
	char quote = *p++;

	for (;; p++) {
		if (p == end) {
			w->error = quote == '"' ? "a quoted name is not closed (\")"
						: "a string is not closed (')";
			return end;
		}
		if (*p == quote) {
			if (end - p < 2 || p[1] != quote)
				return p + 1;
			p++;
		}
		if (!put(w, *p))
			return end;
	}
}

static const char *take_word(struct words *w, const char *p, const char *end)
{
	if (w->n == WORDS_MAX) {
		w->error = "the command has too many words";
		return end;
	}
	w->word[w->n] = w->bytes + w->used;
	if (*p == '"' || *p == '\'') {
		w->kind[w->n] = *p == '"' ? WORD_QUOTED : WORD_STRING;
		p = take_quoted(w, p, end);
	} else if (is_word(*p)) {
		w->kind[w->n] = WORD_BARE;
		while (p < end && is_word(*p) && skip_comment(p, end) == p && put(w, *p))
			p++;
	} else {
		w->kind[w->n] = WORD_SIGN;
		put(w, *p++);
	}
	if (!w->error && w->used == sizeof w->bytes)
		w->error = "the command is too long"; /* no room for the NUL of an empty word */
	if (w->error)
		return end;
	w->bytes[w->used++] = '\0';
	w->n++;
	return p;
}

/* Keeps the statement's own text for messages: what fits, without blanks at its end. */
static void keep_text(struct words *w, const char *from, const char *to)
{
	size_t n;

	while (to > from && is_space(to[-1]))
		to--;
	n = (size_t)(to - from);
	if (n >= sizeof w->text)
		for (n = sizeof w->text - 1; n > 0 && (from[n] & 0xc0) == 0x80;)
			n--; /* not within a character */
	if (n)
		memcpy(w->text, from, n);
	w->text[n] = '\0';
}

bool words_next(struct words *w, const char **text, const char *end)
{
	const char *p = *text, *start;

	w->n = 0;
	w->used = 0;
	w->error = NULL;
	while ((p = skip_blanks(p, end)) < end && *p == ';')
		p++;
	start = p;
	while (p < end && *p != ';') {
		p = take_word(w, p, end);
		p = skip_blanks(p, end);
	}
	keep_text(w, start, p);
	*text = p < end ? p + 1 : p;
	return w->n > 0 || w->error;
}

bool words_is(const struct words *w, int i, const char *s)
{
	return i < w->n && w->kind[i] == WORD_BARE && strcasecmp(w->word[i], s) == 0;
}
