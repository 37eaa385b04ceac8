/* SPDX-License-Identifier: ISC
 *
 * What psql writes for typesetters -> the rows in it.
 *
 *	latex			  -\textgreater{}  Seq Scan on t \\
 *	latex-longtable		\raggedright{  -\textgreater{}  Seq Scan on t} \tabularnewline
 *	asciidoc		|  ->  Seq Scan on t
 *	troff-ms		  ->  Seq Scan on t
 *
 * and with \x each behind its label.  A paste is one of these when it has the mark that begins
 * such a table; any other is left alone.
 */
#include "plan.h"

#define LABEL "QUERY PLAN"

struct spelling {
	const char *written, *means;
};

static const struct spelling latex[] = {{"\\textgreater{}", ">"}, {"\\textless{}", "<"},
	{"\\textbackslash{}", "\\"}, {"\\textbar{}", "|"}, {"\\^{}", "^"}, {"\\~{}", "~"},
	{"\\#", "#"}, {"\\$", "$"}, {"\\%", "%"}, {"\\&", "&"}, {"\\_", "_"}, {"\\{", "{"},
	{"\\}", "}"}, {"\\\\", "\n"}, {NULL, NULL}};
static const struct spelling asciidoc[] = {{"\\|", "|"}, {NULL, NULL}};
static const struct spelling troff[] = {{"\\(rs", "\\"}, {NULL, NULL}};

static bool has(struct str s, const char *what)
{
	return str_find(s, what) < s.n;
}

static void put(struct text *out, struct str s, const struct spelling *list)
{
	while (s.n) {
		size_t i = 0;

		while (list[i].written && !str_starts(s, list[i].written))
			i++;
		if (list[i].written) {
			text_puts(out, list[i].means);
			s = str_skip(s, strlen(list[i].written));
		} else {
			text_char(out, s.p[0]);
			s = str_skip(s, 1);
		}
	}
}

static bool take(struct str *s, const char *prefix)
{
	if (!str_starts(*s, prefix))
		return false;
	*s = str_skip(*s, strlen(prefix));
	return true;
}

static void take_end(struct str *s, const char *suffix)
{
	if (str_ends(*s, suffix))
		s->n -= strlen(suffix);
}

/* A command of LaTeX's that draws, and says nothing of the plan. */
static bool is_command(struct str s)
{
	static const char *const commands[] = {"\\begin{", "\\end{", "\\hline", "\\midrule",
		"\\toprule", "\\bottomrule", "\\endfirsthead", "\\endhead", "\\endfoot",
		"\\endlastfoot", "\\multicolumn{", "\\noindent", "\\textit{", "\\small",
		"\\caption"};

	s = str_trim(s);
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		if (str_starts(s, commands[i]))
			return true;
	return false;
}

static struct str latex_cell(struct str s)
{
	if (is_command(s))
		return STR_NONE;
	take(&s, LABEL " & ");
	take(&s, "\\raggedright{");
	take_end(&s, "} \\tabularnewline");
	take_end(&s, " \\\\");
	return s;
}

static struct str asciidoc_cell(struct str s)
{
	if (str_starts(s, "|====") || str_starts(s, "[cols=") || str_starts(s, "[options=") ||
		str_starts(s, "2+") || str_starts(s, "^l|") || str_starts(s, "...."))
		return STR_NONE;
	take(&s, "<l|" LABEL " ");
	if (!take(&s, "<l|"))
		take(&s, "|");
	return s;
}

static struct str troff_cell(struct str s)
{
	static const char *const requests[] = {".LP", ".TS", ".TE", ".T&", ".DS", ".DE", "\\fI",
		"center", "c s.", "c l.", "c | l.", "l."};

	for (size_t i = 0; i < ARRAY_LEN(requests); i++)
		if (str_starts(s, requests[i]))
			return STR_NONE;
	if (str_is(s, "_"))
		return STR_NONE;
	take(&s, LABEL "\t");
	return s;
}

struct str plan_unset(struct arena *a, struct str text)
{
	struct str (*cell)(struct str s);
	const struct spelling *list;
	struct text out = {0};

	if (has(text, "\\begin{tabular}") || has(text, "\\begin{longtable}"))
		cell = latex_cell, list = latex;
	else if (has(text, "|====\n"))
		cell = asciidoc_cell, list = asciidoc;
	else if (has(text, ".TS\n"))
		cell = troff_cell, list = troff;
	else
		return text;
	while (text.n) {
		size_t eol = str_find(text, "\n");

		put(&out, cell(str_before(text, eol)), list);
		if (eol < text.n)
			text_char(&out, '\n');
		text = str_skip(text, eol + 1);
	}
	text = arena_str(a, text_slice(&out));
	text_release(&out);
	return text;
}
