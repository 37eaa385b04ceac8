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
/* What word processors make of quotes, and Outlook of an arrow: where the plan has them. */
static const struct spelling typeset[] = {{"\xe2\x80\x98", "'"}, {"\xe2\x80\x99", "'"},
	{"\xe2\x80\x9c", "\""}, {"\xe2\x80\x9d", "\""}};
static const struct spelling wingdings[] = {{"\xc3\xa0  ", "->  "}};
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

/* Every spelling of the list replaced, in one pass. */
static struct str respell(struct arena *a, struct str s, const struct spelling *list, size_t n)
{
	char *out = arena_alloc(a, s.n + 1);
	bool is_first[256] = {false};
	size_t len = 0;

	for (size_t i = 0; i < n; i++)
		is_first[(unsigned char)list[i].written[0]] = true;
	while (s.n) {
		size_t used = 1, i = is_first[(unsigned char)s.p[0]] ? 0 : n;

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

/* A terminal's colours. */
static struct str without_colours(struct arena *a, struct str s)
{
	char *out = arena_alloc(a, s.n + 1);
	size_t len = 0;

	for (size_t i = 0; i < s.n; i++) {
		size_t n = i + 2;

		if (s.p[i] != '\033' || i + 1 >= s.n || s.p[i + 1] != '[') {
			out[len++] = s.p[i];
			continue;
		}
		while (n < s.n && (isdigit((unsigned char)s.p[n]) || s.p[n] == ';'))
			n++;
		i = n;
	}
	return (struct str){out, len};
}

static struct str plain_characters(struct arena *a, struct str s)
{
	char *out;

	if (memchr(s.p, '\033', s.n))
		s = without_colours(a, s);
	if (has(s, "\xe2\x80\x99::") ||
		has(s, "\xe2\x80\x9d"
		       "Node Type\xe2\x80\x9d") ||
		has(s, "\xe2\x80\x9c"
		       "Node Type\xe2\x80\x9d"))
		s = respell(a, s, typeset, ARRAY_LEN(typeset));
	if (has(s, "\xc3\xa0  ") && !has(s, "->"))
		s = respell(a, s, wingdings, ARRAY_LEN(wingdings));

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

/* --- HTML ------------------------------------------------------------------------------ */

/* What a page says of the table, and not in it: a header, "Record 1" across the columns. */
static size_t heading_length(struct str s)
{
	static const char *const headings[][2] = {{"<th", "</th>"}, {"<td colspan", "</td>"}};

	for (size_t i = 0; i < ARRAY_LEN(headings); i++)
		if (str_starts(s, headings[i][0]) && !str_starts(s, "<thead")) {
			size_t end = str_find(s, headings[i][1]);

			return end < s.n ? end + strlen(headings[i][1]) : 0;
		}
	return 0;
}

/* The length of the tag that s begins with, 0 for anything else; *breaks: a line ends there. */
static size_t tag_length(struct str s, bool *breaks)
{
	static const struct {
		const char *name;
		bool breaks;
	} tags[] = {{"br", true}, {"tr", true}, {"li", true}, {"pre", true}, {"p", true},
		{"div", true}, {"code", false}, {"table", false}, {"tbody", false},
		{"thead", false}, {"th", false}, {"td", false}, {"span", false}, {"html", false},
		{"body", false}, {"b", false}, {"i", false}, {"em", false}, {"strong", false},
		{"mark", false}, {"font", false}, {"a", false}, {"tt", false}, {"samp", false},
		{"kbd", false}, {"ul", false}, {"ol", false}, {"blockquote", false}};
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
		size_t used = s.p[0] == '<' ? heading_length(s) : 0;

		if (used == 0 && s.p[0] == '<')
			used = tag_length(s, &breaks);
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
	is_escaped = has(s, "-&gt;") || has(s, "&lt;explain") || has(s, "&quot;Node Type") ||
		     has(s, "Node Type: &quot;") || has(s, "Node&nbsp;Type") ||
		     has(s, "&nbsp;(cost=");
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

/* psql's \x without frames, "QUERY PLAN|Limit …", "QUERY PLAN,Limit …", and what others make of
 * it; PHP's print_r has lines of its own around "[QUERY PLAN] => Limit …". */
static struct str unlabelled(const void *ctx, struct str line)
{
	static const char *const labels[] = {
		"QUERY PLAN|", "QUERY PLAN,", "QUERY PLAN: ", "[QUERY PLAN] => "};
	const bool *is_php = ctx;
	struct str t = str_trim(line);

	for (size_t i = 0; i < ARRAY_LEN(labels); i++) {
		struct str s = *is_php ? t : line;

		if (str_starts(s, labels[i]))
			return str_skip(*is_php ? str_skip(line, (size_t)(t.p - line.p)) : s,
				strlen(labels[i]));
	}
	if (*is_php && (str_is(t, "(") || str_is(t, ")") || str_ends(t, "Array")))
		return STR_NONE;
	return line;
}

static struct str without_labels(struct arena *a, struct str s)
{
	bool is_php = has(s, "[QUERY PLAN] => ");

	return is_php || has(s, "QUERY PLAN|") || has(s, "QUERY PLAN,") || has(s, "QUERY PLAN: ")
		       ? each_line(a, s, unlabelled, &is_php)
		       : s;
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

/* Can this stand before every line?  No blank, quote or bar (plan_frame.c counts those), nor
 * psql's label (plan_psql.c's). */
static bool is_head(struct str s)
{
	bool any = false;

	for (size_t i = 0; i < s.n; i++) {
		any |= isalpha((unsigned char)s.p[i]) || strchr("#/*>]", s.p[i]);
		if (strchr("\"'({<=", s.p[i]))
			return false;
	}
	return any && s.n < 120 && !has(s, "QUERY PLAN");
}

/* "2026-11-28 10:00:00 UTC LOG:", "#", "> >": what stands before the arrow of a node. */
static struct str head_of_arrow(struct str text)
{
	struct str rest = text;

	for (int tries = 0; tries < 50; tries++) {
		size_t at = str_find(rest, "->  "), from = at, n;

		if (at == rest.n)
			return STR_NONE;
		while (from > 0 && rest.p[from - 1] != '\n')
			from--;
		for (n = at - from; n > 0 && rest.p[from + n - 1] == ' ';)
			n--;
		if (n == 0 || is_head((struct str){rest.p + from, n}))
			return (struct str){rest.p + from, n};
		rest = str_skip(rest, at + 4);
	}
	return STR_NONE;
}

/* The same for a plan without an arrow: what most lines begin with, up to a blank. */
static struct str head_of_lines(struct str text)
{
	struct str rest = text, last = STR_NONE, head = STR_NONE;
	size_t lines = 0, with = 0;

	for (int i = 0; i < 6 && rest.n && head.n == 0; i++) {
		struct str line = str_before(rest, str_find(rest, "\n"));
		size_t n = 0;

		while (n < line.n && has_head(last, str_before(line, n + 1)))
			n++;
		while (n > 0 && line.p[n - 1] != ' ')
			n--;
		head = is_head(str_before(line, n)) ? str_before(line, n) : STR_NONE;
		last = line;
		rest = str_skip(rest, line.n + 1);
	}
	for (rest = text; rest.n && head.n;) {
		struct str line = str_before(rest, str_find(rest, "\n"));

		lines += str_trim(line).n > 0;
		with += has_head(line, head);
		rest = str_skip(rest, line.n + 1);
	}
	return with > 1 && with * 3 > lines * 2 ? head : STR_NONE;
}

static struct str without_heads(struct arena *a, struct str s)
{
	struct str head = has(s, "->  ") ? head_of_arrow(s) : head_of_lines(s);

	return head.n ? each_line(a, s, beheaded, &head) : s;
}

struct str plan_unmark(struct arena *a, struct str text)
{
	text = plan_unquote(a, plain_characters(a, text));
	text = without_labels(a, plan_unset(a, without_html(a, text)));
	return without_heads(a, text);
}
