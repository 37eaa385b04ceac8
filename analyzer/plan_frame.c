/* SPDX-License-Identifier: ISC
 *
 * A paste -> the lines that EXPLAIN wrote.  People paste plans out of psql (aligned, unaligned,
 * wrapped, with ASCII or Unicode frames), pgAdmin and DBeaver (quotes, bars), mails ("> "),
 * comments ("-- "), tickets (```), logs (a tab before each line), numbered listings.
 *
 * What a habit does to every line is decided by counting lines, not by looking at one: a "+" at
 * the end is psql's mark only when most lines have it.  Indentation is the plan's structure and
 * is kept; leading tabs count as eight blanks.
 */
#include "plan.h"

#include <ctype.h>

/* What is done to every line, counted over those that are not blank: first outside of a table … */
struct outer {
	size_t lines;
	size_t mailed;	 /* begin with > */
	size_t comment;	 /* begin with -- */
	size_t changed;	 /* begin with the + or - of a diff */
	size_t numbered; /* begin with the number that is due */
};

/* … then inside of its cells. */
struct inner {
	size_t lines;
	size_t plus;   /* end in psql's mark for "goes on in the next line" */
	size_t quoted; /* begin and end with a double quote */
	size_t ticked; /* begin and end with a single one */
	size_t bars;   /* begin or end with a bar */
};

static bool ends_cell(struct str s)
{
	return s.n && (s.p[s.n - 1] == '+' || str_ends(s, "\xe2\x86\xb5"));
}

static struct str trim_end(struct str s)
{
	while (s.n && isspace((unsigned char)s.p[s.n - 1]))
		s.n--;
	return s;
}

/* --- one line -------------------------------------------------------------------- */

static size_t bar_at(struct str s)
{
	if (s.n == 0 || (s.p[0] != '|' && s.p[0] != '\xe2'))
		return 0;
	if (str_starts(s, "|"))
		return 1;
	if (str_starts(s, "\xe2\x94\x82") || str_starts(s, "\xe2\x95\x91") ||
		str_starts(s, "\xe2\x94\x83"))
		return 3;
	return 0;
}

static size_t bar_behind(struct str s)
{
	if (s.n == 0 || (s.p[s.n - 1] != '|' && (unsigned char)s.p[s.n - 1] < 0x80))
		return 0;
	if (str_ends(s, "||")) /* the operator, at a wrap */
		return 0;
	if (str_ends(s, "|"))
		return 1;
	if (str_ends(s, "\xe2\x94\x82") || str_ends(s, "\xe2\x95\x91") ||
		str_ends(s, "\xe2\x94\x83"))
		return 3;
	return 0;
}

/* "(12 rows)", "(1 Zeile)" */
static bool is_row_count(struct str s)
{
	size_t i = 1;

	if (s.n < 4 || s.p[0] != '(' || s.p[s.n - 1] != ')' || !isdigit((unsigned char)s.p[1]))
		return false;
	while (i < s.n && isdigit((unsigned char)s.p[i]))
		i++;
	return i < s.n && s.p[i] == ' ' && str_find(s, "=") == s.n;
}

static bool is_header(struct str s)
{
	s = str_trim(s);
	if (s.n < 3 || s.n > 20 || !strchr("QqEe`\"", s.p[0]))
		return false;
	if (s.p[0] == '"' && s.p[s.n - 1] == '"')
		s = (struct str){s.p + 1, s.n - 2};
	return str_is_nocase(s, "QUERY PLAN") || str_is(s, "```") || str_is(s, "```sql") ||
	       str_is(s, "```text") || str_is(s, "EXPLAIN");
}

static struct str expand_tabs(struct arena *a, struct str s)
{
	size_t blanks = 0, column = 0;
	char *out;

	for (; blanks < s.n && (s.p[blanks] == ' ' || s.p[blanks] == '\t'); blanks++)
		column = s.p[blanks] == '\t' ? (column / 8 + 1) * 8 : column + 1;
	if (column == blanks)
		return s;
	out = arena_alloc(a, column + s.n - blanks + 1);
	memset(out, ' ', column);
	memcpy(out + column, s.p + blanks, s.n - blanks);
	return (struct str){out, column + s.n - blanks};
}

static struct str unescape(struct arena *a, struct str s, const char *what, char with)
{
	size_t len = strlen(what), n = 0;
	char *out;

	if (str_find(s, what) == s.n)
		return s;
	out = arena_alloc(a, s.n + 1);
	for (size_t i = 0; i < s.n; i++) {
		out[n++] = s.p[i];
		if (str_starts(str_skip(s, i), what)) {
			out[n - 1] = with;
			i += len - 1;
		}
	}
	return (struct str){out, n};
}

/* --- outside of a table ------------------------------------------------------------ */

static bool has_number(struct str s, size_t number, size_t *skip)
{
	size_t i = 0, x = 0;

	s = trim_end(s);
	while (i < s.n && s.p[i] == ' ')
		i++;
	for (; i < s.n && isdigit((unsigned char)s.p[i]) && x < 100000; i++)
		x = x * 10 + (size_t)(s.p[i] - '0');
	if (x != number || i == s.n || !strchr(" \t|:.,", s.p[i]))
		return false;
	if (str_starts(str_skip(s, i), " |")) /* "12 | Limit" */
		i += str_starts(str_skip(s, i), " | ") ? 3 : 2;
	else
		i += (s.p[i] != ' ' && s.p[i] != '\t') +
		     (s.p[i] == '\t' && i + 1 < s.n && s.p[i + 1] == '"');
	*skip = i;
	return true;
}

static bool is_drawn(struct str t)
{
	return t.n == 0 || plan_is_rule(t) || is_header(t) || is_row_count(t);
}

static void note_outer(struct outer *h, struct str s)
{
	size_t skip;

	if (is_drawn(str_trim(s)) || str_starts(s, "@@ "))
		return;
	h->lines++;
	h->mailed += str_starts(s, ">");
	h->comment += str_starts(s, "--");
	h->changed += (str_starts(s, "+") || str_starts(s, "-")) && !str_starts(s, "--");
	h->numbered += has_number(s, h->numbered + 1, &skip);
}

static struct str apply_outer(const struct outer *h, struct str s, size_t *number)
{
	size_t skip;

	if (h->mailed * 2 > h->lines)
		while (str_starts(s, ">"))
			s = str_skip(s, str_starts(s, "> >") ? 2 : 1);
	if (h->comment * 2 > h->lines && str_starts(s, "--"))
		s = str_skip(s, 2);
	if (h->changed * 2 > h->lines && (str_starts(s, "+") || str_starts(s, "-")) &&
		!str_starts(s, "->"))
		s = str_skip(s, 1);
	if (h->numbered > 1 && h->numbered == h->lines && has_number(s, *number, &skip)) {
		s = str_skip(s, skip);
		(*number)++;
	}
	return s;
}

/* A fence of Markdown or a tracker's macro, alone or stuck to the first or last line. */
static struct str unfence(struct str s)
{
	static const char *const opening[] = {"```", "{code}", "{noformat}", "[code]"};
	size_t cdata = str_find(s, "<![CDATA[");
	static const char *const closing[] = {"```", "{code}", "{noformat}", "[/code]"};

	for (size_t i = 0; i < ARRAY_LEN(opening); i++)
		if (str_starts(s, opening[i]))
			s = str_skip(s, strlen(opening[i]));
	if (cdata < s.n)
		s = str_skip(s, cdata + strlen("<![CDATA["));
	s = str_before(s, str_find(s, "]]>"));
	for (size_t i = 0; i < ARRAY_LEN(closing); i++)
		if (str_ends(s, closing[i]))
			s.n -= strlen(closing[i]);
	return s;
}

/* --- inside of its cells ----------------------------------------------------------- */

/* One cell of a CSV that quotes what has a comma in it: each quote inside is doubled. */
static bool is_csv_cell(struct str s)
{
	if (s.n < 2 || s.p[0] != '"' || s.p[s.n - 1] != '"')
		return false;
	for (size_t i = 1; i + 1 < s.n; i++)
		if (s.p[i] == '"' && s.p[++i] != '"')
			return false;
	return true;
}

static void note_inner(struct inner *h, struct str s)
{
	struct str t = str_trim(s);

	if (is_drawn(t))
		return;
	h->lines++;
	h->bars += bar_at(t) > 0 || bar_behind(t) > 0;
	if (bar_behind(t))
		t = trim_end(str_before(t, t.n - bar_behind(t)));
	h->plus += ends_cell(t);
	h->quoted += t.n > 1 && s.n && s.p[0] == '"' && (str_ends(t, "\"") || str_ends(t, "\","));
	h->ticked += t.n > 1 && s.p[0] == '\'' && (str_ends(t, "'") || str_ends(t, "',"));
}

static struct str apply_inner(struct arena *a, const struct inner *h, struct str s)
{
	struct str t = str_trim(s);

	if (is_drawn(t))
		return STR_NONE;
	if (h->bars * 2 > h->lines) {
		if (bar_at(t))
			s = str_skip(t, bar_at(t));
		s = trim_end(s);
		s = str_before(s, s.n - bar_behind(s));
	}
	if (h->plus * 2 >= h->lines && h->plus > 0 && ends_cell(trim_end(s))) {
		s = trim_end(s);
		s = trim_end(str_before(s, s.n - (str_ends(s, "+") ? 1 : 3)));
	}
	if (h->quoted * 2 > h->lines && str_starts(s, "\"")) {
		s = trim_end(s);
		if (str_ends(s, ","))
			s.n--;
		if (s.n > 1 && str_ends(s, "\""))
			s = unescape(a, (struct str){s.p + 1, s.n - 2}, "\"\"", '"');
	}
	if (is_csv_cell(s))
		s = unescape(a, (struct str){s.p + 1, s.n - 2}, "\"\"", '"');
	if (h->ticked * 2 > h->lines && str_starts(s, "'")) {
		s = trim_end(s);
		s.n -= str_ends(s, ",");
		if (s.n > 1 && str_ends(s, "'"))
			s = (struct str){s.p + 1, s.n - 2};
	}
	return is_drawn(str_trim(s)) ? STR_NONE : s;
}

/* --- the whole text -------------------------------------------------------------- */

/* The whole paste is one quoted cell: "Seq Scan …\n  Filter: (""Name"" = 1)" */
static struct str one_cell(struct arena *a, struct str text)
{
	struct str t = str_trim(text);
	size_t eol = str_find(t, "\n");

	if (is_header(str_before(t, eol)) && eol < t.n) {
		t = str_trim(str_skip(t, eol));
		eol = str_find(t, "\n");
	}
	if (t.n < 4 || t.p[0] != '"' || t.p[t.n - 1] != '"' || eol == t.n)
		return text;
	if (str_ends(str_before(t, eol), "\"") || t.p[eol + 1] == '"')
		return text;
	return unescape(a, (struct str){t.p + 1, t.n - 2}, "\"\"", '"');
}

/* The rest of a measure at a line's begin: a mail was broken between words, not at a column. */
static bool is_word_break(struct str s)
{
	static const char *const rests[] = {
		"(cost=", "(actual ", "rows=", "width=", "loops=", "time="};

	for (size_t i = 0; i < ARRAY_LEN(rests); i++)
		if (str_starts(s, rests[i]))
			return true;
	return false;
}

/* A terminal's width: several lines are as long as any, none is longer, and no other is broken. */
static void note_full(struct plan_lines *l)
{
	size_t longest = 0, times = 0;
	bool is_mail = false;

	for (size_t i = 0; i < l->line.n; i++) {
		size_t n = trim_end(l->line.at[i].text).n;

		times = n > longest ? 1 : times + (n == longest);
		longest = n > longest ? n : longest;
	}
	for (size_t i = 0; i + 1 < l->line.n; i++)
		is_mail |= trim_end(l->line.at[i].text).n < longest &&
			   is_word_break(l->line.at[i + 1].text);
	for (size_t i = 0; i < l->line.n && times > 1 && longest >= 40 && !is_mail; i++)
		l->line.at[i].is_full |= trim_end(l->line.at[i].text).n >= longest;
}

static void split(struct str text, struct plan_lines *out)
{
	int number = 0;

	while (text.n) {
		const char *end = memchr(text.p, '\n', text.n);
		size_t eol = end ? (size_t)(end - text.p) : text.n;
		struct str s = str_before(text, eol);

		text = str_skip(text, eol + 1);
		while (s.n && s.p[s.n - 1] == '\r')
			s.n--;
		*VEC_PUSH(&out->line) = (struct plan_line){.text = s, .number = ++number};
	}
}

void plan_split(struct arena *a, struct str text, struct plan_lines *out)
{
	split(text, out);
	for (size_t i = 0; i < out->line.n; i++)
		out->line.at[i].text = trim_end(expand_tabs(a, out->line.at[i].text));
}

void plan_unframe(struct arena *a, struct str text, struct plan_lines *out)
{
	struct outer outer = {0};
	struct inner inner = {0};
	size_t due = 1, kept = 0;
	bool was_blank = false;
	struct plan_line *line;

	out->line.n = 0;
	if (text.n == 0)
		return;
	split(one_cell(a, plan_unmark(a, text)), out);
	line = out->line.at;
	for (size_t i = 0; i < out->line.n; i++)
		note_outer(&outer, line[i].text);
	for (size_t i = 0; i < out->line.n; i++)
		line[i].text = unfence(apply_outer(&outer, line[i].text, &due));
	plan_untable(a, out);
	for (size_t i = 0; i < out->line.n; i++)
		note_inner(&inner, line[i].text);
	note_full(out);
	for (size_t i = 0; i < out->line.n; i++) {
		struct str s = apply_inner(a, &inner, line[i].text);

		was_blank |= str_trim(line[i].text).n == 0;
		if (s.p == NULL)
			continue;
		line[kept] = line[i];
		line[kept].is_apart = was_blank;
		s = expand_tabs(a, s);
		line[kept].text = line[kept].is_full ? s : trim_end(s); /* it was cut at a blank */
		kept++;
		was_blank = false;
	}
	out->line.n = kept;
}
