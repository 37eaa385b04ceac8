/* SPDX-License-Identifier: ISC
 *
 * diff_print: a comparison for a terminal, and for the comment of a pull request.
 *
 * A comment holds 65,536 characters, so of each kind only the first so many are written and the
 * others counted.
 */
#include "diff.h"

#define SHOWN 20

static size_t count(const struct diff *d, enum change_kind kind)
{
	size_t n = 0;

	for (size_t i = 0; i < d->change.n; i++)
		n += d->change.at[i].kind == kind;
	return n;
}

static const struct diff_finding *finding_of(const struct change *c)
{
	return c->finding[HEAD] ? c->finding[HEAD] : c->finding[BASE];
}

/* "tests a, b" of a finding; nothing when none is known. */
static struct str tests_of(struct diff *d, const struct diff_finding *x)
{
	struct str s = STR("");
	const json_t *t;
	size_t i;

	json_array_foreach(x->tests, i, t) s = arena_printf(&d->arena, "%.*s%s%s", STR_ARGS(s),
		i ? ", " : "", json_string_value(t));
	return s;
}

static struct str summary(struct diff *d)
{
	struct str s = arena_printf(&d->arena, "%llu -> %llu statements, %zu changes",
		(unsigned long long)d->statements[BASE], (unsigned long long)d->statements[HEAD],
		d->change.n);

	if (d->machine < 1 / 1.1 || d->machine > 1.1)
		s = arena_printf(&d->arena,
			"%.*s; times of the second run are taken as %.2f of the first's, which is "
			"the median of all",
			STR_ARGS(s), d->machine);
	return s;
}

void diff_text(struct diff *d, enum severity fail_on, FILE *to)
{
	fprintf(to, "pgassay diff: %s\n%.*s\n", diff_verdict(d, fail_on), STR_ARGS(summary(d)));
	for (int kind = 0; kind < CHANGE_KINDS; kind++) {
		size_t n = count(d, (enum change_kind)kind), shown = 0;
		if (n == 0)
			continue;
		fprintf(to, "\n%s\n", change_rows[kind].title);
		for (size_t i = 0; i < d->change.n && shown < SHOWN; i++) {
			const struct change *c = &d->change.at[i];
			if (c->kind != (enum change_kind)kind)
				continue;
			shown++;
			if (finding_of(c)) {
				const struct diff_finding *x = finding_of(c);
				fprintf(to, "  %s %.*s %.*s: %.*s\n", severity_name(x->severity),
					STR_ARGS(x->rule), STR_ARGS(x->name), STR_ARGS(c->text));
				if (x->source.n)
					fprintf(to, "    at %.*s\n", STR_ARGS(x->source));
				if (json_array_size(x->tests))
					fprintf(to, "    in test %.*s\n", STR_ARGS(tests_of(d, x)));
				continue;
			}
			fprintf(to, "  %.*s\n", STR_ARGS(c->text));
			if (c->shape != NO_SHAPE)
				fprintf(to, "    %.*s  %.120s\n",
					STR_ARGS(d->shape.at[c->shape].id),
					d->shape.at[c->shape].sql.p);
		}
		if (n > shown)
			fprintf(to, "  and %zu more\n", n - shown);
	}
}

/* --- Markdown ------------------------------------------------------------------------------ */

/* Text of a cell: nothing of it is markup. */
static void cell(FILE *to, struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (strchr("|\\`*_<>[]#~", s.p[i]) && s.p[i])
			fputc('\\', to);
		fputc(s.p[i] == '\n' || s.p[i] == '\r' ? ' ' : s.p[i], to);
	}
}

/* A statement in a cell: a bar would end it, a backtick the code. */
static void code(FILE *to, struct str s)
{
	s = str_before(s, 200);
	fputs("`` ", to);
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '|')
			fputs("\\|", to);
		else
			fputc(s.p[i] == '\n' || s.p[i] == '`' ? ' ' : s.p[i], to);
	}
	fputs(" ``", to);
}

static void markdown_row(struct diff *d, FILE *to, const struct change *c)
{
	const struct diff_finding *x = finding_of(c);

	fputs("| ", to);
	if (x) {
		fprintf(to, "%s **%.*s** %.*s | ", severity_name(x->severity), STR_ARGS(x->rule),
			STR_ARGS(x->name));
		cell(to, c->text);
		if (x->source.n) {
			fputs("<br>", to);
			code(to, x->source);
		}
		if (json_array_size(x->tests)) {
			fputs("<br>in test ", to);
			cell(to, tests_of(d, x));
		}
	} else {
		if (c->shape != NO_SHAPE)
			code(to, d->shape.at[c->shape].sql);
		fputs(" | ", to);
		cell(to, c->text);
	}
	fputs(" |\n", to);
}

static void markdown_kind(struct diff *d, FILE *to, enum change_kind kind)
{
	size_t n = count(d, kind), shown = 0;
	bool folded = change_rows[kind].severity <= SEVERITY_INFO;

	if (n == 0)
		return;
	if (folded)
		fprintf(to, "\n<details><summary>%s (%zu)</summary>\n", change_rows[kind].title, n);
	else
		fprintf(to, "\n### %s (%zu)\n", change_rows[kind].title, n);
	fputs("\n| | |\n|---|---|\n", to);
	for (size_t i = 0; i < d->change.n && shown < SHOWN; i++)
		if (d->change.at[i].kind == kind) {
			markdown_row(d, to, &d->change.at[i]);
			shown++;
		}
	if (n > shown)
		fprintf(to, "\nand %zu more\n", n - shown);
	if (folded)
		fputs("\n</details>\n", to);
}

void diff_markdown(struct diff *d, enum severity fail_on, FILE *to)
{
	fprintf(to, "## pgassay: %s\n\n", diff_verdict(d, fail_on));
	cell(to, summary(d));
	fputs("\n", to);
	for (int kind = 0; kind < CHANGE_KINDS; kind++)
		markdown_kind(d, to, (enum change_kind)kind);
}
