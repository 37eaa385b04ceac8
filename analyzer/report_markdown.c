/* SPDX-License-Identifier: ISC
 *
 * report_markdown: for pull requests and wikis; CommonMark with GitHub's tables.
 */
#include "report.h"

/* One line of a table cell: bars and line ends would break it. */
static void cell(FILE *to, struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '|')
			fputs("\\|", to);
		else if (s.p[i] == '\n')
			fputc(' ', to);
		else
			fputc(s.p[i], to);
	}
}

/* Code that may itself hold backticks. */
static void code_block(FILE *to, struct str s)
{
	fprintf(to, "\n~~~sql\n%.*s\n~~~\n", STR_ARGS(s));
}

static void code_span(FILE *to, struct str s)
{
	fputs("`` ", to);
	cell(to, s);
	fputs(" ``", to);
}

static void print_finding(struct report *r, FILE *to, const struct finding *x)
{
	fprintf(to, "\n### %s %s %s (%s)\n\n", severity_name(x->severity), x->rule->id,
		x->rule->name, confidence_name(x->confidence));
	cell(to, x->message);
	fputc('\n', to);
	if (x->shape != NO_SHAPE) {
		const struct shape *s = r->facts->shape.at[x->shape];
		code_block(to, report_sql(r, report_shape_sql(r, s), 1500));
		fprintf(to, "\n%.*s calls, %.*s in all", STR_ARGS(report_count(r, x->count)),
			STR_ARGS(report_duration(r, (double)s->time.sum)));
		for (uint32_t i = 0; i < x->places && i < 2; i++)
			fprintf(to, "%s%.*s", i ? ", " : "; ",
				STR_ARGS(report_place(r, &x->place[i])));
		fputc('\n', to);
	}
	if (x->source_file.n)
		fprintf(to, "\nsent from %.*s:%u\n",
			STR_ARGS(utf8_clean(&r->arena, x->source_file)), x->source_line);
	if (x->tests) {
		fputs("\nin test ", to);
		cell(to, report_tests(r, x));
		fputc('\n', to);
	}
	if (x->fix_note.n)
		fprintf(to, "\n**Fix:** %.*s\n", STR_ARGS(x->fix_note));
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

void report_markdown(struct report *r, FILE *to)
{
	size_t n = r->opt.top && r->opt.top < r->shapes ? r->opt.top : r->shapes, shown = 0;

	fprintf(to, "# pgassay %s\n\n%.*s statements, %.*s shapes\n", r->command,
		STR_ARGS(report_count(r, r->facts->statements)),
		STR_ARGS(report_count(r, r->shapes)));
	for (size_t i = 0; i < r->note.n; i++)
		fprintf(to, "\n> %.*s\n", STR_ARGS(r->note.at[i].text));
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
		fprintf(to, "\n%.*s\n", STR_ARGS(x->why));
	}
	print_transactions(r, to);
	print_errors(r, to);
	print_waits(r, to);
	if (n == 0)
		return;
	fputs("\n## Where the time goes\n\n| total | calls | mean | p95 | p99 | statement |\n"
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
}
