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

struct habits {
	size_t lines;	 /* that are not blank */
	size_t plus;	 /* end in psql's mark for "goes on in the next line" */
	size_t quoted;	 /* begin and end with a double quote */
	size_t ticked;	 /* begin and end with a single one */
	size_t mailed;	 /* begin with > */
	size_t comment;	 /* begin with -- */
	size_t numbered; /* begin with the number that is due */
	size_t bars;	 /* begin or end with a bar */
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

/* Only dashes, crosses and box drawing: a frame's rule. */
static bool is_rule(struct str s)
{
	size_t drawn = 0;

	for (size_t i = 0; i < s.n;) {
		unsigned char c = (unsigned char)s.p[i];

		if (c == 0xe2 && i + 2 < s.n &&
			((unsigned char)s.p[i + 1] == 0x94 || (unsigned char)s.p[i + 1] == 0x95)) {
			i += 3;
			drawn++;
			continue;
		}
		if (!strchr("-+=|_ \t", c))
			return false;
		drawn += c != ' ' && c != '\t' && c != '|';
		i++;
	}
	return drawn >= 3;
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

/* --- habits ---------------------------------------------------------------------- */

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
	*skip = i + (s.p[i] != ' ' && s.p[i] != '\t') + (s.p[i] == '\t' && s.p[i + 1] == '"');
	return true;
}

static void note(struct habits *h, struct str s)
{
	struct str t = str_trim(s);
	size_t skip;

	if (t.n == 0 || is_rule(t) || is_header(t) || is_row_count(t))
		return;
	h->lines++;
	h->bars += bar_at(t) > 0 || bar_behind(t) > 0;
	if (bar_behind(t))
		t = trim_end(str_before(t, t.n - bar_behind(t)));
	h->plus += ends_cell(t);
	h->quoted += t.n > 1 && s.n && s.p[0] == '"' && (str_ends(t, "\"") || str_ends(t, "\","));
	h->ticked += t.n > 1 && s.p[0] == '\'' && (str_ends(t, "'") || str_ends(t, "',"));
	h->mailed += str_starts(s, ">");
	h->comment += str_starts(s, "--");
	h->numbered += has_number(s, h->numbered + 1, &skip);
}

static struct str apply(struct arena *a, const struct habits *h, struct str s, size_t *number)
{
	struct str t = str_trim(s);
	size_t skip;

	if (t.n == 0 || is_rule(t) || is_header(t) || is_row_count(t))
		return STR_NONE;
	if (h->mailed * 2 > h->lines && str_starts(s, ">"))
		s = str_skip(s, 1);
	if (h->comment * 2 > h->lines && str_starts(s, "--"))
		s = str_skip(s, 2);
	if (h->numbered > 1 && h->numbered == h->lines && has_number(s, *number, &skip)) {
		s = str_skip(s, skip);
		(*number)++;
	}
	if (h->bars * 2 > h->lines) {
		t = str_trim(s);
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
	if (h->ticked * 2 > h->lines && str_starts(s, "'")) {
		s = trim_end(s);
		s.n -= str_ends(s, ",");
		if (s.n > 1 && str_ends(s, "'"))
			s = (struct str){s.p + 1, s.n - 2};
	}
	if (h->bars + h->plus + h->quoted + h->ticked + h->mailed + h->comment == 0)
		return s;
	return is_header(s) || is_rule(str_trim(s)) ? STR_NONE : s;
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

/* psql's wrapped format: a mark at the end of the line and one where the next goes on. */
static size_t wrap_mark(struct str line, struct str next)
{
	static const char *const marks[] = {".", "\xe2\x80\xa6"};

	for (size_t i = 0; i < ARRAY_LEN(marks); i++)
		if (str_ends(line, marks[i]) && str_starts(next, marks[i]))
			return strlen(marks[i]);
	return 0;
}

/* Are the marks psql's?  Then every line of the full width that has one is met by one; a
 * terminal that broke "0.1..0.2" between its dots met something else at other lines. */
static bool has_wrap_marks(const struct plan_lines *l)
{
	size_t longest = 0, met = 0, other = 0;

	for (size_t i = 0; i < l->line.n; i++) {
		struct str s = trim_end(l->line.at[i].text);

		longest = s.n > longest ? s.n : longest;
	}
	for (size_t i = 0; i + 1 < l->line.n; i++) {
		struct str s = l->line.at[i].text;

		if (wrap_mark(s, l->line.at[i + 1].text))
			met++;
		else if (trim_end(s).n == longest && l->line.at[i + 1].text.n &&
			 l->line.at[i + 1].text.p[0] != ' ')
			other++;
	}
	return met > other;
}

static void unwrap(struct arena *a, struct plan_lines *l)
{
	size_t kept = 0;

	if (!has_wrap_marks(l))
		return;
	for (size_t i = 0; i < l->line.n; i++) {
		struct plan_line *last = kept ? &l->line.at[kept - 1] : NULL;
		struct str s = l->line.at[i].text;
		size_t mark = last ? wrap_mark(last->text, s) : 0;

		if (mark)
			last->text = arena_printf(a, "%.*s%.*s", (int)(last->text.n - mark),
				last->text.p, (int)(s.n - mark), s.p + mark);
		else
			l->line.at[kept++] = l->line.at[i];
	}
	l->line.n = kept;
}

/* A terminal's width: several lines are as long as any, and none is longer. */
static size_t broken_at(const struct plan_lines *l)
{
	size_t longest = 0, times = 0;

	for (size_t i = 0; i < l->line.n; i++) {
		size_t n = l->line.at[i].text.n;

		times = n > longest ? 1 : times + (n == longest);
		longest = n > longest ? n : longest;
	}
	return times > 1 && longest >= 40 ? longest : 0;
}

void plan_unframe(struct arena *a, struct str text, struct plan_lines *out)
{
	struct habits h = {0};
	size_t due = 1;
	int number = 0;

	out->line.n = 0;
	if (text.n == 0)
		return;
	text = one_cell(a, plan_unmark(a, text));
	for (int pass = 0; pass < 2; pass++) {
		struct str rest = text;

		while (rest.n) {
			const char *end = memchr(rest.p, '\n', rest.n);
			size_t eol = end ? (size_t)(end - rest.p) : rest.n;
			struct str s = str_before(rest, eol);

			rest = str_skip(rest, eol < rest.n ? eol + 1 : eol);
			if (s.n && s.p[s.n - 1] == '\r')
				s.n--;
			if (pass == 0) {
				note(&h, s);
				continue;
			}
			number++;
			s = apply(a, &h, s, &due);
			if (s.p)
				*VEC_PUSH(&out->line) =
					(struct plan_line){expand_tabs(a, s), number};
		}
	}
	unwrap(a, out);
	out->width = broken_at(out);
	for (size_t i = 0; i < out->line.n; i++)
		out->line.at[i].text = trim_end(out->line.at[i].text);
}
