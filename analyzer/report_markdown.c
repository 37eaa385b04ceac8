/* SPDX-License-Identifier: ISC
 *
 * report_markdown: for pull requests and wikis; CommonMark with GitHub's tables.
 */
#include "report.h"

#include <ctype.h>

/* The longest run of a character. */
static int longest_run(struct str s, char c)
{
	int most = 0, run = 0;

	for (size_t i = 0; i < s.n; i++) {
		run = s.p[i] == c ? run + 1 : 0;
		most = run > most ? run : most;
	}
	return most;
}

static void repeat(FILE *to, char c, int n)
{
	while (n-- > 0)
		fputc(c, to);
}

/* Words of one line: what Markdown or HTML would take for its own is escaped. */
static void words(FILE *to, struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		bool inside = i > 0 && i + 1 < s.n && isalnum((unsigned char)s.p[i - 1]) &&
			      isalnum((unsigned char)s.p[i + 1]);
		if (strchr("\\`*[<|", s.p[i]) || (s.p[i] == '_' && !inside))
			fputc('\\', to);
		fputc(s.p[i] == '\n' ? ' ' : s.p[i], to);
	}
}

/* Code in lines of its own; the fence is longer than any in it. */
static void code_block(FILE *to, struct str s)
{
	int fence = longest_run(s, '~') + 1;

	fputc('\n', to);
	repeat(to, '~', fence < 3 ? 3 : fence);
	fprintf(to, "sql\n%.*s\n", STR_ARGS(s));
	repeat(to, '~', fence < 3 ? 3 : fence);
	fputc('\n', to);
}

static void print_steps(struct report *r, FILE *to, const struct index_advice *x)
{
	struct text t = {0};

	if (x->online.n == 0)
		return;
	for (size_t i = 0; i < x->online.n; i++)
		text_printf(&t, "%s%.*s;", i ? "\n" : "", STR_ARGS(x->online.at[i]));
	fputs("\nWithout locking out writes:\n", to);
	code_block(to, arena_str(&r->arena, text_slice(&t)));
	text_release(&t);
}

/* Code inside of a line, also of a table's cell: there a bar is escaped even in code. */
static void code_span(FILE *to, struct str s)
{
	int ticks = longest_run(s, '`') + 1;

	repeat(to, '`', ticks);
	fputc(' ', to);
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '|')
			fputc('\\', to);
		fputc(s.p[i] == '\n' ? ' ' : s.p[i], to);
	}
	fputc(' ', to);
	repeat(to, '`', ticks);
}

static void print_finding(struct report *r, FILE *to, const struct finding *x)
{
	fprintf(to, "\n### %s %s %s (%s)\n\n", severity_name(x->severity), x->rule->id,
		x->rule->name, confidence_name(x->confidence));
	words(to, x->message);
	fputc('\n', to);
	if (x->shape != NO_SHAPE) {
		const struct shape *s = r->facts->shape.at[x->shape];
		code_block(to, report_sql(r, report_shape_sql(r, s), 1500));
		fprintf(to, "\n%.*s, %.*s in all", STR_ARGS(report_several(r, x->count, "call")),
			STR_ARGS(report_duration(r, (double)s->time.sum)));
		for (uint32_t i = 0; i < x->places && i < 2; i++) {
			fputs(i ? ", " : "; ", to);
			words(to, report_place(r, &x->place[i]));
		}
		fputc('\n', to);
	}
	if (x->source_file.n) {
		fputs("\nsent from ", to);
		words(to, utf8_clean(&r->arena, x->source_file));
		fprintf(to, ":%u\n", x->source_line);
	}
	if (x->tests) {
		fputs("\nin test ", to);
		words(to, report_tests(r, x));
		fputc('\n', to);
	}
	if (x->fix_note.n) {
		fputs("\n**Fix:** ", to);
		words(to, x->fix_note);
		fputc('\n', to);
	}
	if (x->fix_sql.n)
		code_block(to, report_sql(r, x->fix_sql, 4000));
}

static void print_errors(struct report *r, FILE *to)
{
	struct sqlstate_count *c;
	size_t n = report_sqlstates(r, &c);

	if (n)
		fputs("\n## Errors\n\n| count | SQLSTATE | condition |\n|--:|---|---|\n", to);
	for (size_t i = 0; i < n; i++)
		fprintf(to, "| %.*s | %s | %s |\n", STR_ARGS(report_count(r, c[i].count)),
			*c[i].state ? c[i].state : "?", sqlstate_name(c[i].state));
}

static void print_waits(struct report *r, FILE *to)
{
	const struct facts *f = r->facts;

	if (f->wait.n)
		fputs("\n## Who waited for whom\n\n| waits | time | deadlocks | waiter | holder |\n"
		      "|--:|--:|--:|---|---|\n",
			to);
	for (size_t i = 0; i < f->wait.n && i < 20; i++) {
		const struct wait_edge *w = &f->wait.at[i];
		fprintf(to, "| %.*s | %.*s | %.*s |", STR_ARGS(report_count(r, w->waits)),
			STR_ARGS(report_duration(r, (double)w->usec)),
			STR_ARGS(report_count(r, w->deadlocks)));
		for (int k = 0; k < 2; k++) {
			uint32_t shape = k ? w->holder : w->waiter;
			fputc(' ', to);
			if (shape != NO_SHAPE)
				code_span(to, report_sql(r, report_shape_sql(r, f->shape.at[shape]),
						      200));
			fputs(" |", to);
		}
		fputc('\n', to);
	}
}

static void print_transactions(struct report *r, FILE *to)
{
	const struct tx_facts *x = &r->facts->tx;

	if (x->count)
		fprintf(to,
			"\n%.*s transactions, %.*s rolled back, p95 %.*s; idle in transaction %.*s "
			"in "
			"all, at most %.*s\n",
			STR_ARGS(report_count(r, x->count)),
			STR_ARGS(report_count(r, x->rollbacks)),
			STR_ARGS(report_duration(r, sketch_quantile(&x->time, .95))),
			STR_ARGS(report_duration(r, (double)x->idle.sum)),
			STR_ARGS(report_duration(r, (double)x->idle.max)));
}

/* Statements by type, and the server's figures. */
static void print_figures(struct report *r, FILE *to)
{
	struct verb_sum *v;
	struct figure *f;
	size_t n = report_verbs(r, &v);

	if (n)
		fputs("\n## Statements by type\n\n| type | calls | total | errors |\n"
		      "|---|--:|--:|--:|\n",
			to);
	for (size_t i = 0; i < n; i++)
		fprintf(to, "| %s | %.*s | %.*s | %.*s |\n", sql_verb_name(v[i].verb),
			STR_ARGS(report_count(r, v[i].calls)),
			STR_ARGS(report_duration(r, (double)v[i].usec)),
			STR_ARGS(report_count(r, v[i].errors)));
	n = report_figures(r, &f);
	if (n)
		fputs("\n## Server\n\n| | | |\n|---|---|--:|\n", to);
	for (size_t i = 0; i < n; i++)
		fprintf(to, "| %s | %s | %.*s |\n",
			i && strcmp(f[i].group, f[i - 1].group) == 0 ? "" : f[i].group, f[i].what,
			STR_ARGS(f[i].text));
}

void report_markdown(struct report *r, FILE *to)
{
	size_t n = r->opt.top && r->opt.top < r->shapes ? r->opt.top : r->shapes, shown = 0;

	fprintf(to, "# pgassay %s\n\n%.*s, %.*s\n", r->command,
		STR_ARGS(report_several(r, r->facts->statements, "statement")),
		STR_ARGS(report_several(r, r->shapes, "shape")));
	for (size_t i = 0; i < r->note.n; i++) {
		fputs("\n> ", to);
		words(to, r->note.at[i].text);
		fputc('\n', to);
	}
	fputs("\n## Findings\n", to);
	for (size_t i = 0; i < r->findings->at.n; i++)
		if (!r->findings->at.at[i].suppressed) {
			print_finding(r, to, &r->findings->at.at[i]);
			shown++;
		}
	if (shown == 0)
		fputs("\nnone\n", to);
	for (size_t i = 0; i < r->findings->index.n; i++) {
		const struct index_advice *x = &r->findings->index.at[i];
		fputs(i ? "" : "\n## Indexes\n", to);
		code_block(to, arena_printf(&r->arena, "%.*s;", STR_ARGS(x->ddl)));
		fputc('\n', to);
		words(to, x->why);
		fputc('\n', to);
		print_steps(r, to, x);
	}
	print_transactions(r, to);
	print_errors(r, to);
	print_waits(r, to);
	if (n == 0)
		return;
	fprintf(to, "\n## %s\n",
		(r->opt.sort ? report_sort_find(r->opt.sort) : report_sorts)->heading);
	fputs("\n| total | calls | mean | p95 | p99 | statement |\n"
	      "|--:|--:|--:|--:|--:|---|\n",
		to);
	for (size_t i = 0; i < n; i++) {
		const struct shape *s = r->facts->shape.at[r->shape[i]];
		fprintf(to, "| %.*s | %.*s | %.*s | %.*s | %.*s | ",
			STR_ARGS(report_duration(r, (double)s->time.sum)),
			STR_ARGS(report_count(r, s->calls)),
			STR_ARGS(report_duration(r, sketch_mean(&s->time))),
			STR_ARGS(report_duration(r, sketch_quantile(&s->time, .95))),
			STR_ARGS(report_duration(r, sketch_quantile(&s->time, .99))));
		code_span(to, report_sql(r, report_shape_sql(r, s), 300));
		fputs(" |\n", to);
	}
	if (strcmp(r->command, "log") == 0 || strcmp(r->command, "merge") == 0)
		print_figures(r, to);
}
