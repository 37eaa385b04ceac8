/* SPDX-License-Identifier: ISC
 *
 * A paste -> plain lines: what a tool did to the text as a whole is undone before plan_frame.c
 * looks at its lines.  Kinds of white space, HTML, a string literal's escapes, psql's expanded
 * display, a driver's tuples, and what a log or a comment put before every line.
 *
 * Each step leaves the text alone unless it sees its own mark, and none adds or drops a line
 * that was one: a finding names the line of the input.
 */
#include "plan.h"

#include <ctype.h>

/* --- characters ---------------------------------------------------------------------- */

struct spelling {
	const char *written, *means;
};

/* Blanks that are none to isspace(), and arrows as word processors and blogs write them. */
static const struct spelling spellings[] = {
	{"\xc2\xa0", " "},
	{"\xe2\x80\x82", " "},
	{"\xe2\x80\x83", " "},
	{"\xe2\x80\x87", " "},
	{"\xe2\x80\x89", " "},
	{"\xe2\x80\xaf", " "},
	{"\xe3\x80\x80", " "},
	{"\xef\xbb\xbf", ""},
	{"\xe2\x80\x8b", ""},
	{"\xe2\x86\x92  ", "->  "},
	{"\xe2\x80\x93>  ", "->  "},
	{"\xe2\x80\x94>  ", "->  "},
};
static const struct spelling entities[] = {
	{"&gt;", ">"},
	{"&lt;", "<"},
	{"&quot;", "\""},
	{"&apos;", "'"},
	{"&#39;", "'"},
	{"&#039;", "'"},
	{"&#x27;", "'"},
	{"&nbsp;", " "},
	{"&#160;", " "},
	{"&amp;", "&"},
};
static const struct spelling escapes[] = {
	{"\\n", "\n"}, {"\\t", "\t"}, {"\\\"", "\""}, {"\\'", "'"}, {"\\\\", "\\"}};

/* Every spelling of the list replaced, in one pass. */
static struct str respell(struct arena *a, struct str s, const struct spelling *list, size_t n)
{
	char *out = arena_alloc(a, s.n + 1);
	size_t len = 0;

	while (s.n) {
		size_t used = 1, i = 0;

		while (i < n && !str_starts(s, list[i].written))
			i++;
		if (i < n) {
			struct str means = str_of(list[i].means);

			used = strlen(list[i].written);
			memcpy(out + len, means.p, means.n);
			len += means.n;
		} else {
			out[len++] = s.p[0];
		}
		s = str_skip(s, used);
	}
	return (struct str){out, len};
}

static bool has(struct str s, const char *what)
{
	return str_find(s, what) < s.n;
}

static struct str plain_characters(struct arena *a, struct str s)
{
	char *out;

	if (memchr(s.p, 0xc2, s.n) || memchr(s.p, 0xe2, s.n) || memchr(s.p, 0xe3, s.n) ||
		memchr(s.p, 0xef, s.n))
		s = respell(a, s, spellings, ARRAY_LEN(spellings));
	if (s.n < 2 || memchr(s.p, '\n', s.n - 1) || !memchr(s.p, '\r', s.n))
		return s;
	out = arena_alloc(a, s.n);
	for (size_t i = 0; i < s.n; i++)
		out[i] = s.p[i] == '\r' ? '\n' : s.p[i];
	return (struct str){out, s.n};
}

/* The whole plan as one line of a program's string: "Limit  (cost=…)\n  ->  Sort …" */
static struct str unescaped(struct arena *a, struct str s)
{
	struct str t = str_trim(s);

	if (t.n < 2 || memchr(t.p, '\n', t.n) || !has(t, "\\n") || !strchr("\"'", t.p[0]) ||
		t.p[t.n - 1] != t.p[0])
		return s;
	return respell(a, (struct str){t.p + 1, t.n - 2}, escapes, ARRAY_LEN(escapes));
}

/* --- HTML ------------------------------------------------------------------------------ */

/* The length of the tag that s begins with, 0 for anything else; *breaks: a line ends there. */
static size_t tag_length(struct str s, bool *breaks)
{
	static const struct {
		const char *name;
		bool breaks;
	} tags[] = {{"br", true}, {"pre", false}, {"code", false}, {"table", false},
		{"tbody", false}, {"thead", false}, {"tr", false}, {"th", false}, {"td", false},
		{"p", false}, {"div", false}, {"span", false}};
	size_t at = str_starts(s, "</") ? 2 : 1, n = 0;

	while (at + n < s.n && isalpha((unsigned char)s.p[at + n]))
		n++;
	for (size_t i = 0; i < ARRAY_LEN(tags); i++)
		if (n == strlen(tags[i].name) && strncasecmp(s.p + at, tags[i].name, n) == 0) {
			size_t end = str_find(s, ">");

			*breaks = tags[i].breaks && end + 1 < s.n && s.p[end + 1] != '\n' &&
				  s.p[end + 1] != '\r';
			return end < s.n ? end + 1 : 0;
		}
	return 0;
}

static struct str without_tags(struct arena *a, struct str s)
{
	char *out = arena_alloc(a, s.n + 1);
	size_t len = 0;

	while (s.n) {
		bool breaks = false;
		size_t used = s.p[0] == '<' ? tag_length(s, &breaks) : 0;

		/* the page's own indentation is none of the cell's */
		if (used && (str_starts(s, "<td") || str_starts(s, "<th")))
			while (len && out[len - 1] == ' ')
				len--;
		if (used == 0 || breaks)
			out[len++] = breaks ? '\n' : s.p[0];
		s = str_skip(s, used ? used : 1);
	}
	return (struct str){out, len};
}

static struct str without_html(struct arena *a, struct str s)
{
	bool is_escaped;

	if (!memchr(s.p, '&', s.n) && !memchr(s.p, '<', s.n))
		return s;
	is_escaped = has(s, "-&gt;") || has(s, "&lt;explain") || has(s, "&quot;Node Type");
	if (has(s, "<explain") || (!is_escaped && !has(s, "<pre") && !has(s, "<td")))
		return s;
	if (!has(s, "->  "))
		s = without_tags(a, s);
	return respell(a, s, entities, ARRAY_LEN(entities));
}

/* --- lines ------------------------------------------------------------------------------- */

/* Each line of s (without its end) through `change`, which answers a part of it. */
static struct str each_line(struct arena *a, struct str s,
	struct str (*change)(const void *ctx, struct str line), const void *ctx)
{
	char *out = arena_alloc(a, s.n + 1);
	size_t len = 0;

	while (s.n) {
		size_t eol = str_find(s, "\n");
		struct str line = change(ctx, str_before(s, eol));

		if (line.n)
			memcpy(out + len, line.p, line.n);
		len += line.n;
		if (eol < s.n)
			out[len++] = '\n';
		s = str_skip(s, eol < s.n ? eol + 1 : eol);
	}
	return (struct str){out, len};
}

static size_t bar(struct str s)
{
	static const char *const bars[] = {"|", ":", "\xe2\x94\x82", "\xe2\x95\x91"};

	for (size_t i = 0; i < ARRAY_LEN(bars); i++)
		if (str_starts(s, bars[i]))
			return strlen(bars[i]);
	return 0;
}

/* psql \x: "QUERY PLAN | Limit …" below "-[ RECORD 1 ]---", with or without bars; a cell's
 * further lines stand behind a label of blanks. */
static struct str unlabelled(const void *ctx, struct str line)
{
	static const char label[] = "QUERY PLAN", blank[] = "          ";
	const bool *is_record = ctx;
	struct str s = line;
	size_t n;

	if (has(s, "[ RECORD ") || str_starts(s, "* Record "))
		return STR_NONE;
	if (bar(s) && str_starts(str_skip(s, bar(s)), " "))
		s = str_skip(s, bar(s) + 1);
	if (!str_starts(s, label) && !(*is_record && str_starts(s, blank)))
		return line;
	s = str_skip(s, strlen(label));
	n = s.n && s.p[0] == ' ' ? 1 : 0;
	if (str_trim(s).n == 0)
		return line;
	if (s.p[0] == ',')
		return str_skip(s, 1);
	if (bar(str_skip(s, n)) == 0)
		return n ? str_skip(s, n) : line;
	s = str_skip(s, n + bar(str_skip(s, n)));
	return n && str_starts(s, " ") ? str_skip(s, 1) : s;
}

static struct str without_labels(struct arena *a, struct str s)
{
	bool is_record;

	if (!has(s, "QUERY PLAN"))
		return s;
	is_record = has(s, "[ RECORD 1 ]") || has(s, "* Record 1");
	if (is_record || has(s, "QUERY PLAN|") || has(s, "QUERY PLAN,") || has(s, "QUERY PLAN: "))
		return each_line(a, s, unlabelled, &is_record);
	return s;
}

/* Python prints a driver's rows as [('Limit  (cost=…)',), ('  ->  Sort …',)] */
static struct str untupled(const void *ctx, struct str line)
{
	struct str t = str_trim(line);
	size_t end;

	(void)ctx;
	if (str_starts(t, "["))
		t = str_skip(t, 1);
	end = str_ends(t, ",),") || str_ends(t, ",)]") ? 3 : 2;
	if (t.n < 6 || t.p[0] != '(' || !strchr("'\"", t.p[1]) ||
		!str_starts(str_skip(t, t.n - end), ",)") || t.p[t.n - end - 1] != t.p[1])
		return line;
	return (struct str){t.p + 2, t.n - end - 3};
}

/* --- what stands before every line --------------------------------------------------------- */

/* Does s begin with the head?  Digits stand for any digits: a log's times differ. */
static bool has_head(struct str s, struct str head)
{
	if (s.n < head.n)
		return false;
	for (size_t i = 0; i < head.n; i++)
		if (s.p[i] != head.p[i] &&
			!(isdigit((unsigned char)s.p[i]) && isdigit((unsigned char)head.p[i])))
			return false;
	return true;
}

static struct str beheaded(const void *ctx, struct str line)
{
	const struct str *head = ctx;

	return has_head(line, *head) ? str_skip(line, head->n) : line;
}

/* "2026-11-28 10:00:00 UTC LOG:", "#", "> >": what stands before the arrow of a node, when it is
 * no quote, bar or number (plan_frame.c counts those). */
static struct str head_of_arrow(struct str text)
{
	struct str rest = text;

	for (int tries = 0; tries < 50; tries++) {
		size_t at = str_find(rest, "->  "), from = at, n;
		bool is_head = false;

		if (at == rest.n)
			return STR_NONE;
		while (from > 0 && rest.p[from - 1] != '\n')
			from--;
		for (n = at - from; n > 0 && rest.p[from + n - 1] == ' ';)
			n--;
		for (size_t i = from; i < from + n; i++)
			is_head |= isalpha((unsigned char)rest.p[i]) || strchr("#/*>]", rest.p[i]);
		for (size_t i = from; i < from + n; i++)
			is_head &= strchr("\"'({<=", rest.p[i]) == NULL;
		if (n == 0 || is_head)
			return n ? (struct str){rest.p + from, n} : STR_NONE;
		rest = str_skip(rest, at + 4);
	}
	return STR_NONE;
}

static struct str without_heads(struct arena *a, struct str s)
{
	struct str head = head_of_arrow(s);

	return head.n && head.n < 120 ? each_line(a, s, beheaded, &head) : s;
}

struct str plan_unmark(struct arena *a, struct str text)
{
	text = unescaped(a, plain_characters(a, text));
	text = without_labels(a, without_html(a, text));
	if (has(text, ",)"))
		text = each_line(a, text, untupled, NULL);
	return without_heads(a, text);
}
