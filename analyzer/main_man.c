/* SPDX-License-Identifier: ISC
 *
 * main_man: pgassay(1), from the tables that --help is printed from.
 */
#include "main.h"

static void print_synopsis(FILE *to)
{
	for (const struct command *c = commands; c->name; c++) {
		fprintf(to, "%s.B pgassay %s\n.RI [ option ...]\n.I ", c == commands ? "" : ".br\n",
			c->name);
		roff_put(to, c->args);
		fputc('\n', to);
	}
	fputs(".br\n.B pgassay \\-\\-print\\-sample\n", to);
}

/* Paragraphs as they are; lines that begin with two blanks are examples to be typed. */
static void print_help(FILE *to, const char *help)
{
	bool example = false;

	while (*help) {
		size_t n = strcspn(help, "\n");
		bool typed = n > 2 && help[0] == ' ' && help[1] == ' ';
		char line[512];

		if (typed != example)
			fputs(typed ? ".PP\n.nf\n.RS\n" : ".RE\n.fi\n.PP\n", to);
		else if (n == 0 && !example)
			fputs(".PP\n", to);
		example = typed;
		if (n) {
			snprintf(line, sizeof(line), "%.*s", (int)n, help);
			roff_put(to, typed ? line + 2 : line);
			fputc('\n', to);
		}
		help += n + (help[n] == '\n');
	}
	if (example)
		fputs(".RE\n.fi\n", to);
}

void man_print(FILE *to)
{
	fprintf(to,
		".\\\" Written by `pgassay \\-\\-print\\-man`.\n"
		".TH PGASSAY 1 \"\" \"pgassay %s\" \"User commands\"\n.SH NAME\n"
		"pgassay \\- reads PostgreSQL logs, SQL and plans, and says what to change\n"
		".SH SYNOPSIS\n",
		PGSLUICE_VERSION);
	print_synopsis(to);
	fputs(".SH DESCRIPTION\n.B pgassay\nfinds what is slow or wrong in what applications ask "
	      "of PostgreSQL: loops of queries that one would replace, lists without an end, "
	      "predicates that no index serves, indexes that are missing.\n"
	      "Each finding has its evidence, its place and, where one can be written, the SQL "
	      "that "
	      "mends it.\n"
	      "A file may be \\-, standard input.\n.SH COMMANDS\n",
		to);
	for (const struct command *c = commands; c->name; c++) {
		fprintf(to, ".SS pgassay %s ", c->name);
		roff_put(to, c->args);
		fputc('\n', to);
		print_help(to, c->help);
	}
	fputs(".SH OPTIONS\nIn brackets the commands that take it, unless all do.\n", to);
	options_print_man(to);
	fputs(".SH \"EXIT STATUS\"\n", to);
	for (const struct exit_row *e = exit_rows; e->what; e++)
		fprintf(to, ".TP\n.B %d\n%s.\n", e->status, e->what);
	fputs(".SH FILES\n.TP\n.I .pgassay.conf\nwhat fails a build; see\n.BR pgassay.conf (5).\n"
	      ".SH ENVIRONMENT\n.TP\n.B NO_COLOR\ntext without colours.\n.TP\n"
	      ".B COLUMNS\nthe width of the text report; else the terminal's, else 100.\n.TP\n"
	      ".BR LC_ALL \", \" LC_CTYPE \", \" LANG\nwhere these are not UTF-8, the text report "
	      "says "
	      "... and x for signs outside of ASCII.\n.TP\n"
	      ".BR PGHOST \" and the like\"\nwhat a DSN leaves out, as libpq reads them.\n"
	      ".SH \"SEE ALSO\"\n.BR pgsluice (1),\n.BR pgassay.conf (5)\n",
		to);
}
