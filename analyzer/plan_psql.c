/* SPDX-License-Identifier: ISC
 *
 * psql's tables -> what stands in their cells, whatever \pset drew them.
 *
 *	border 0, 1		QUERY PLAN		\x	-[ RECORD 1 ]----
 *			------------------			QUERY PLAN | Limit…
 *			 Limit  (cost=0.1.			           |. loops=1)
 *			.2 rows=1 width=4)		\x, 0	* Record 1
 *	border 2, 3	| Limit  (cost=0.1.|			QUERY PLAN Limit…
 *			|.2 rows=1 width=4)|			          . loops=1)
 *
 * A cell that is longer than the terminal ("wrapped") has a mark at the edge of its line, "." or
 * "…", and mostly one before the next; a line break in the cell has "+" or "↵".  old-ascii's mark
 * is a blank, at the edge of a line that would else have none; where the paste has lost it, or bars
 * hide it, a cell that fills its line may go on (plan_line.is_full).
 *
 * Each table of the paste is looked at for itself: from a header or a first record on.
 */
#include "plan.h"

#include <ctype.h>

#define LABEL "QUERY PLAN"

enum mark { MARK_NONE = 0, MARK_BREAK, MARK_WRAP };

struct table {
	struct plan_line *line;
	size_t lines;
	bool has_bars;	     /* border 2 and up: each line ends with one */
	bool is_record;	     /* \x: a label before each cell */
	bool has_margin;     /* a column before the cell, blank or a mark */
	bool has_wraps;	     /* marks are drawn */
	bool has_blanks;     /* the marks are blanks */
	bool is_each;	     /* a record for each line: what has no label goes on */
	bool has_inner;	     /* something is drawn between label and cell */
	bool has_semicolons; /* old-ascii's records draw these for marks, before a cell's rest */
	size_t edge;	     /* the column behind the cells; 0: not known */
};

struct cell {
	struct str text;
	enum mark before, behind;
	bool is_one; /* the line is a part of the table */
	bool is_labelled;
};

/* --- columns ---------------------------------------------------------------------------- */

/* The bytes of the character at s.p[0], and the columns a terminal gives it. */
static size_t character(struct str s, size_t *columns)
{
	static const struct {
		unsigned from, to;
	} wide[] = {{0x1100, 0x115f}, {0x2e80, 0x303e}, {0x3041, 0xa4cf}, {0xac00, 0xd7a3},
		{0xf900, 0xfaff}, {0xfe30, 0xfe6f}, {0xff00, 0xff60}, {0xffe0, 0xffe6},
		{0x1f300, 0x1faff}, {0x20000, 0x3fffd}};
	unsigned char c = (unsigned char)s.p[0];
	size_t n = c < 0xc0 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
	unsigned code = c < 0x80 ? c : c & (0xffu >> (n + 1));

	for (size_t i = 1; i < n && i < s.n; i++)
		code = code << 6 | ((unsigned char)s.p[i] & 63u);
	*columns = 1;
	for (size_t i = 0; i < ARRAY_LEN(wide); i++)
		*columns += code >= wide[i].from && code <= wide[i].to;
	return n < s.n ? n : s.n;
}

static size_t width(struct str s)
{
	size_t sum = 0, columns;

	for (size_t i = 0; i < s.n; sum += columns) {
		columns = 1;
		i += (unsigned char)s.p[i] < 0x80 ? 1 : character(str_skip(s, i), &columns);
	}
	return sum;
}

static struct str trim_end(struct str s)
{
	while (s.n && isspace((unsigned char)s.p[s.n - 1]))
		s.n--;
	return s;
}

/* --- what is drawn ------------------------------------------------------------------------ */

static size_t begins_with(struct str s, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (str_starts(s, list[i]))
			return strlen(list[i]);
	return 0;
}

static size_t bar_at(struct str s)
{
	static const char *const bars[] = {"|", "\xe2\x94\x82", "\xe2\x95\x91", "\xe2\x94\x83"};

	return begins_with(s, bars, ARRAY_LEN(bars));
}

static size_t bar_behind(struct str s)
{
	size_t n = str_ends(s, "|") ? 1 : 3;

	return s.n >= n && !str_ends(s, "||") ? bar_at(str_skip(s, s.n - n)) : 0;
}

static enum mark mark_at(struct str s, size_t *bytes)
{
	static const char *const wraps[] = {".", "\xe2\x80\xa6"};
	static const char *const breaks[] = {"+", "\xe2\x86\xb5"};

	*bytes = begins_with(s, wraps, ARRAY_LEN(wraps));
	if (*bytes)
		return MARK_WRAP;
	*bytes = begins_with(s, breaks, ARRAY_LEN(breaks));
	return *bytes ? MARK_BREAK : MARK_NONE;
}

/* The mark that the line ends with. */
static enum mark mark_behind(struct str s, size_t *bytes)
{
	enum mark m = MARK_NONE;

	*bytes = 0;
	if (s.n)
		m = mark_at(str_skip(s, s.n - 1), bytes);
	if (m == MARK_NONE && s.n > 2 && (unsigned char)s.p[s.n - 3] >= 0x80)
		m = mark_at(str_skip(s, s.n - 3), bytes);
	return m;
}

/* The columns of a rule of nothing but dashes, 0 for anything else. */
static size_t dashes(struct str s)
{
	size_t n = 0;

	s = trim_end(s);
	for (size_t i = 0; i < s.n; n++) {
		size_t used = s.p[i] == '-'				   ? 1
			      : str_starts(str_skip(s, i), "\xe2\x94\x80") ? 3
									   : 0;

		if (used == 0)
			return 0;
		i += used;
	}
	return n > 2 ? n : 0;
}

bool plan_is_rule(struct str s)
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

static bool is_header(struct str s)
{
	s = str_trim(s);
	s = str_skip(s, bar_at(s));
	s = str_trim(str_before(s, s.n - bar_behind(s)));
	return str_is_nocase(s, LABEL);
}

static bool is_record_line(struct str s)
{
	s = str_trim(s);
	return str_find(s, "[ RECORD ") < s.n || str_starts(s, "* Record ");
}

static bool is_first_record(struct str s)
{
	s = str_trim(s);
	return str_find(s, "[ RECORD 1 ]") < s.n || str_is(s, "* Record 1");
}

/* The label of a cell, a bar before it or not: the bytes up to its end. */
static size_t label(struct str s, const char *what)
{
	size_t n = bar_at(s), bytes;

	if (n && str_starts(str_skip(s, n), " "))
		n++;
	if (!str_starts(str_skip(s, n), what))
		return 0;
	n += strlen(what);
	s = str_skip(s, n);
	return s.n && (s.p[0] == ' ' || bar_at(s) ||
			      (what[0] == ' ' && mark_at(s, &bytes) == MARK_WRAP))
		       ? n
		       : 0;
}

/* --- a table's habits ----------------------------------------------------------------------- */

static bool is_plan(struct str s)
{
	struct str t = str_trim(s);

	return plan_text_begins(t) || str_starts(t, "[") || str_starts(t, "{") ||
	       str_starts(t, "<explain") || str_starts(t, "- Plan:");
}

/* What \x draws between a label and its cell. */
static size_t inner_at(struct str s)
{
	static const char *const inner[] = {
		" |", " :", " ;", " \xe2\x94\x82", " \xe2\x95\x91", " \xe2\x94\x83"};

	return begins_with(s, inner, ARRAY_LEN(inner));
}

static void note_shape(struct table *t)
{
	size_t bars = 0, labels = 0, lines = 0;
	bool is_seen = false;

	for (size_t i = 0; i < t->lines; i++) {
		struct str s = trim_end(t->line[i].text);

		if (s.n == 0 || plan_is_rule(s))
			continue;
		lines++;
		bars += bar_behind(s) > 0;
		labels += label(s, LABEL) > 0;
		t->has_inner |= label(s, LABEL) > 0 && inner_at(str_skip(s, label(s, LABEL))) > 0;
		t->has_semicolons |= label(s, "          ") > 0 &&
				     str_starts(str_skip(s, label(s, "          ")), " ; ");
		t->is_record |= is_record_line(s);
		s = str_skip(s, bar_at(s));
		if (!is_seen && is_plan(s)) {
			is_seen = true;
			t->has_margin = s.p[0] == ' ';
		}
	}
	t->has_bars = bars * 2 > lines;
	/* tuples only: a record has no head, but each of its cells a label */
	t->is_record |= labels > 1;
	t->is_record |= labels == 1 && !is_header(t->line[0].text);
	t->is_each = t->is_record && labels > 1;
}

/* A full line with one blank behind it: a table of one column pads none. */
static bool is_blank_wrap(const struct table *t, struct str s)
{
	return str_ends(s, " ") && width(s) == t->edge + 1 && !is_header(s);
}

/* old-ascii's marks: all lines that end with a blank are as long as the longest, and most have no
 * other blank before it, as if they were padded.  In JSON a break is marked so, too, at any width:
 * there the longest are taken for broken ones, which does no harm. */
static void note_blanks(struct table *t)
{
	size_t longest = 0, marked = 0, marks = 0, padded = 0;
	bool is_uneven = false, is_json = false;

	for (size_t i = 0; i < t->lines; i++) {
		struct str s = t->line[i].text;
		size_t n = width(s);

		if (is_header(s) || is_record_line(s) || plan_is_rule(s) || str_trim(s).n == 0 ||
			(i + 1 < t->lines && dashes(t->line[i + 1].text)))
			continue; /* a header may be centred, in any language */
		is_json |= str_is(str_trim(s), "[") || str_is(str_trim(s), "{");
		longest = n > longest ? n : longest;
		if (!str_ends(s, " "))
			continue;
		is_uneven |= marked && n != marked;
		marked = n > marked ? n : marked;
		marks++;
		padded += str_ends(s, "  ");
	}
	if (marked <= 10 || marked != longest || (padded > 1 && padded * 2 > marks) ||
		(is_uneven && !is_json))
		return;
	t->has_blanks = true;
	t->edge = marked - 1;
}

/* Where the cells end: at the rule below the header, or where the longest lines have a mark. */
static void note_edge(struct table *t)
{
	bool is_ruled = t->lines > 1 && is_header(t->line[0].text) && dashes(t->line[1].text) > 0;
	size_t longest = 0, plain = 0, bytes;

	if (t->has_bars || t->has_semicolons)
		return;
	if (!t->is_record && !is_ruled)
		note_blanks(t);
	if (t->has_blanks)
		return;
	if (is_ruled) {
		t->edge = dashes(t->line[1].text) - t->has_margin;
	} else {
		for (size_t i = 0; i < t->lines; i++) {
			struct str s = trim_end(t->line[i].text);
			size_t n = width(s);

			if (is_record_line(s) || dashes(s))
				continue;
			if (mark_behind(s, &bytes))
				longest = n > longest ? n : longest;
			else if (str_find(s, "->  ") < s.n || str_find(s, "(cost=") < s.n ||
				 str_find(s, "(actual ") < s.n || label(s, LABEL))
				plain = n > plain ? n : plain;
		}
		if (longest > plain)
			t->edge = longest - 1;
	}
	for (size_t i = 0; i < t->lines; i++) {
		struct str s = trim_end(t->line[i].text);

		t->has_wraps |=
			t->edge && width(s) == t->edge + 1 && mark_behind(s, &bytes) == MARK_WRAP;
	}
	for (size_t i = 2; i < t->lines && is_ruled && !t->has_wraps; i++)
		t->has_blanks |= is_blank_wrap(t, t->line[i].text);
}

/* --- a line ------------------------------------------------------------------------------- */

/* Takes label and column of marks off a record's line. False: it is none of them. */
static bool take_label(const struct table *t, struct str *s, enum mark *before)
{
	size_t n = label(*s, LABEL);
	struct str rest;

	*before = MARK_NONE;
	if (n == 0) {
		n = label(*s, "          ");
		*before = MARK_BREAK;
	}
	if (n == 0)
		return false;
	rest = str_skip(*s, n);
	n = t->has_inner ? inner_at(rest) : 0;
	if (n && rest.p[1] == ';')
		*before = MARK_WRAP;
	*s = str_skip(rest, n);
	return true;
}

static struct cell read_cell(const struct table *t, struct str line)
{
	struct cell c = {.text = line, .before = MARK_BREAK};
	struct str s = line;
	size_t bytes;

	if (t->has_bars) {
		s = trim_end(s);
		if (!bar_behind(s))
			return c;
		s = str_before(s, s.n - bar_behind(s));
		bytes = s.n && s.p[s.n - 1] == ' ';
		if (t->has_margin || t->is_record) /* else another program's table */
			c.behind = mark_behind(s, &bytes);
		s = str_before(s, s.n - (bytes ? bytes : s.n && s.p[s.n - 1] == ' '));
	} else if (t->has_blanks && is_blank_wrap(t, s)) {
		c.behind = MARK_WRAP;
		s = str_before(s, s.n - 1);
	} else if (t->edge && width(trim_end(s)) > t->edge) {
		s = trim_end(s);
		c.behind = mark_behind(s, &bytes);
		if (c.behind == MARK_WRAP && width(s) > t->edge + 1)
			c.behind = MARK_NONE;
		s = str_before(s, s.n - (c.behind ? bytes : 0));
	}
	c.is_labelled = t->is_record && label(s, LABEL) > 0;
	if (t->is_record && !take_label(t, &s, &c.before))
		return c;
	if (!t->is_record && t->has_bars && bar_at(s))
		s = str_skip(s, bar_at(s));
	if (t->is_record || t->has_margin) {
		if (mark_at(s, &bytes) == MARK_WRAP)
			c.before = MARK_WRAP;
		s = str_skip(s,
			str_starts(s, " ") || c.before == MARK_WRAP ? (bytes ? bytes : 1) : 0);
	}
	c.is_one = true;
	c.text = s;
	return c;
}

/* --- the table ------------------------------------------------------------------------------ */

/* The cells' width where no marks are drawn: several lines are as long as any.  Between bars one
 * line that reaches the other bar shows it; blanks may stand before the bar where a line was cut,
 * and what follows tells whether it was (begins_new of plan_text.c). */
static size_t filled(const struct table *t)
{
	size_t longest = 0, times = 0, cell = 0;
	bool is_marked = false, is_text = false;

	for (size_t i = 0; i < t->lines; i++) {
		struct cell c = read_cell(t, t->line[i].text);
		size_t n = c.is_one ? width(trim_end(c.text)) : 0;

		times = n > longest ? 1 : times + (n == longest);
		longest = n > longest ? n : longest;
		cell = c.is_one && width(c.text) > cell ? width(c.text) : cell;
		is_marked |= c.is_one && c.behind == MARK_WRAP;
		is_text |= c.is_one && plan_text_begins(str_trim(c.text));
	}
	if (t->has_bars && is_text && !is_marked && longest == cell && cell > 10)
		return cell - 2;
	return times > 1 && longest >= 40 ? longest : 0;
}

/* A table that stands indented, in a list or as code, is moved to the left. */
static void unindent(struct table *t)
{
	size_t by = 0, i;

	for (i = 0; i < t->lines && by == 0; i++) {
		struct str s = t->line[i].text, n = str_trim(s);

		if (dashes(n) || is_record_line(s) || label(n, LABEL) ||
			(bar_at(n) && bar_behind(n)))
			by = (size_t)(n.p - s.p);
		else
			continue;
		break;
	}
	for (i = 0; i < t->lines && by; i++) {
		struct str s = t->line[i].text;
		size_t n = 0;

		while (n < by && n < s.n && s.p[n] == ' ')
			n++;
		t->line[i].text = str_skip(s, n);
	}
}

static size_t read_table(struct arena *a, struct table *t)
{
	size_t kept = 0, full;
	bool goes_on = false, was_broken = false;

	unindent(t);
	note_shape(t);
	note_edge(t);
	full = t->has_wraps || t->has_blanks ? 0 : filled(t);
	if (!t->has_bars && !t->is_record && !t->edge && !(t->has_margin && full))
		return t->lines;
	for (size_t i = 0; i < t->lines; i++) {
		struct plan_line *last = kept ? &t->line[kept - 1] : NULL;
		struct cell c = read_cell(t, t->line[i].text);

		if (is_record_line(t->line[i].text) || plan_is_rule(t->line[i].text))
			continue;
		goes_on |= t->is_each && c.is_one && !c.is_labelled && !was_broken;
		if (last && c.is_one && (goes_on || c.before == MARK_WRAP)) {
			last->text =
				arena_printf(a, "%.*s%.*s", STR_ARGS(last->text), STR_ARGS(c.text));
		} else {
			last = &t->line[kept++];
			*last = t->line[i];
			last->text = c.text;
		}
		goes_on = c.is_one && c.behind == MARK_WRAP;
		was_broken = c.behind == MARK_BREAK;
		last->is_full = full && width(trim_end(c.text)) >= full;
	}
	return kept;
}

/* A header, or a record's label before a cell that begins with nothing but blanks? */
static bool begins_table(const struct plan_lines *l, size_t at)
{
	struct str s = l->line.at[at].text, before = at ? l->line.at[at - 1].text : STR_NONE;

	if (!is_header(s))
		return is_first_record(s);
	return !is_record_line(before) &&
	       !(plan_is_rule(before) && before.p[0] == '-' && str_starts(s, LABEL));
}

void plan_untable(struct arena *a, struct plan_lines *l)
{
	size_t kept = 0, from = 0;

	while (from < l->line.n) {
		struct table t = {.line = &l->line.at[from], .lines = 1};
		size_t n;

		while (from + t.lines < l->line.n && !begins_table(l, from + t.lines))
			t.lines++;
		from += t.lines;
		n = read_table(a, &t);
		memmove(&l->line.at[kept], t.line, n * sizeof(*t.line));
		kept += n;
	}
	l->line.n = kept;
}
