/* SPDX-License-Identifier: ISC
 *
 * report_text: for people at a terminal: findings first, then where the time goes.
 */
#include "report_text.h"

#include <jansson.h>
#include <locale.h>

static void print_file(struct out *o, const struct input_file *x)
{
	bool is_log = strcmp(o->r->command, "lint") != 0 && !str_ends(str_of(x->name), ".sql");
	struct arena *a = &o->r->arena;
	struct str text = arena_printf(a, "%s: %s", x->name,
		x->format ? x->format->name
		: is_log  ? "not recognised"
			  : "SQL");

	if (x->format && x->format->prefix)
		text = arena_printf(a, "%.*s, log_line_prefix '%s' (fits %d %%)", STR_ARGS(text),
			prefix_text(x->format->prefix), x->prefix_fit);
	if (x->prefix_doubt)
		text = arena_printf(a, "%.*s; %s", STR_ARGS(text), x->prefix_doubt);
	fputs(text_ink(o, INK_DIM), o->to);
	text_wrapped(o, utf8_clean(a, text), 2);
	fputs(text_ink(o, INK_NONE), o->to);
}

/* What an operator looks for first, in a few lines; what there is none of is not named. */
static void print_glance(struct out *o)
{
	struct report *r = o->r;
	const struct server_facts *s = &r->facts->server;
	const struct tx_facts *tx = &r->facts->tx;
	uint64_t errors = 0, usec = 0;
	struct text t = {0};

	for (size_t i = 0; i < r->shapes; i++)
		usec += r->facts->shape.at[r->shape[i]]->time.sum;
	for (size_t i = 0; i < r->facts->fault.n; i++)
		errors += r->facts->fault.at[i].count;
	const struct {
		uint64_t n, amount;
		enum counter_unit unit;
		const char *one, *many;
		enum ink ink;
	} sign[] = {
		{r->facts->statements, usec, UNIT_TIME, "in statements", "in statements", INK_NONE},
		{errors, 0, UNIT_COUNT, "error", "errors", INK_RED},
		{s->cancels, 0, UNIT_COUNT, "cancelled", "cancelled", INK_RED},
		{s->deadlocks, 0, UNIT_COUNT, "deadlock", "deadlocks", INK_RED},
		{s->lock_waits, s->lock_usec, UNIT_TIME, "of waiting for locks",
			"of waiting for locks", INK_YELLOW},
		{tx->idle.sum >= 1000000, tx->idle.sum, UNIT_TIME, "idle in transaction",
			"idle in transaction", INK_YELLOW},
		{s->temp_files, s->temp_bytes, UNIT_BYTES, "in temporary files",
			"in temporary files", INK_YELLOW},
		{s->checkpoint_warnings, 0, UNIT_COUNT, "checkpoint too early",
			"checkpoints too early", INK_YELLOW},
	};
	for (size_t i = 0; i < ARRAY_LEN(sign); i++) {
		if (!sign[i].n || (sign[i].unit != UNIT_COUNT && !sign[i].amount))
			continue;
		struct str v = report_amount(r, sign[i].unit,
			(double)(sign[i].unit == UNIT_COUNT ? sign[i].n : sign[i].amount));
		text_printf(&t, "%s%s%.*s %s%s", t.n ? ", " : "", text_ink(o, sign[i].ink),
			STR_ARGS(v), sign[i].n == 1 ? sign[i].one : sign[i].many,
			sign[i].ink ? text_ink(o, INK_NONE) : "");
	}
	if (t.n)
		text_wrapped(o, arena_str(&r->arena, text_slice(&t)), 2);
	text_release(&t);
}

static void print_input(struct out *o)
{
	struct report *r = o->r;
	struct facts *f = r->facts;
	uint64_t bytes = 0;
	char from[32], to[32];

	if (r->plans && strcmp(r->command, "plan") == 0) {
		fprintf(o->to, "%spgassay %s%s: %zu plan%s\n", text_ink(o, INK_BOLD), r->command,
			text_ink(o, INK_NONE), json_array_size(r->plans),
			json_array_size(r->plans) == 1 ? "" : "s");
		return;
	}
	for (int c = 0; r->input && c < LOG_CLASSES; c++)
		bytes += r->input->bytes[c];
	struct str head = arena_printf(&r->arena, "pgassay %s: %.*s, %.*s%s%.*s", r->command,
		STR_ARGS(report_several(r, f->statements, "statement")),
		STR_ARGS(report_several(r, r->shapes, "shape")), bytes ? ", " : "",
		STR_ARGS(bytes ? report_bytes(r, (double)bytes) : STR("")));
	if (f->first_ts) {
		time_format(f->first_ts, from, sizeof(from));
		time_format(f->last_ts, to, sizeof(to));
		head = arena_printf(&r->arena, "%.*s, %s to %s UTC", STR_ARGS(head), from, to);
	}
	fputs(text_ink(o, INK_BOLD), o->to);
	text_wrapped(o, head, 0);
	fputs(text_ink(o, INK_NONE), o->to);
	for (size_t i = 0; r->input && i < r->input->file.n && i < 8; i++)
		print_file(o, r->input->file.at[i]);
	if (r->input && r->input->file.n > 8)
		text_line(o, arena_printf(&r->arena, "… and %zu more files", r->input->file.n - 8),
			2);
	if (r->input && r->input->bytes[LOG_NOT_UNDERSTOOD])
		fprintf(o->to, "  not understood: %.*s of %.*s\n",
			STR_ARGS(report_bytes(r, (double)r->input->bytes[LOG_NOT_UNDERSTOOD])),
			STR_ARGS(report_bytes(r, (double)bytes)));
	for (size_t i = 0; i < r->note.n; i++) {
		fprintf(o->to, "%s", text_ink(o, INK_YELLOW));
		text_wrapped(o, arena_printf(&r->arena, "note: %.*s", STR_ARGS(r->note.at[i].text)),
			2);
		fprintf(o->to, "%s", text_ink(o, INK_NONE));
	}
}

static void print_finding(struct out *o, const struct finding *x)
{
	static const enum ink inks[] = {INK_DIM, INK_BLUE, INK_YELLOW, INK_RED};
	struct report *r = o->r;

	fprintf(o->to, "\n%s%s%s %s%s %s%s (%s)\n", text_ink(o, inks[x->severity]),
		severity_name(x->severity), text_ink(o, INK_NONE), text_ink(o, INK_BOLD),
		x->rule->id, x->rule->name, text_ink(o, INK_NONE), confidence_name(x->confidence));
	text_wrapped(o, x->message, 4);
	if (x->shape != NO_SHAPE) {
		const struct shape *s = r->facts->shape.at[x->shape];
		fprintf(o->to, "%s", text_ink(o, INK_DIM));
		text_hanging(o, arena_printf(&r->arena, "    %s  ", s->id),
			utf8_before(report_shape_sql(r, s), 600));
		fputs(text_ink(o, INK_NONE), o->to);
		struct str where = report_several(r, x->count, "call");
		if (s->time.total)
			where = arena_printf(&r->arena, "%.*s, %.*s in all", STR_ARGS(where),
				STR_ARGS(report_duration(r, (double)s->time.sum)));
		for (uint32_t i = 0; i < x->places && i < 2; i++)
			where = arena_printf(&r->arena, "%.*s%s %.*s", STR_ARGS(where),
				i ? "," : ";", STR_ARGS(report_place(r, &x->place[i])));
		if (x->source_file.n)
			where = arena_printf(&r->arena, "%.*s; source %.*s:%u", STR_ARGS(where),
				STR_ARGS(x->source_file), x->source_line);
		text_wrapped(o, utf8_clean(&r->arena, where), 4);
	}
	if (x->source_action.n)
		text_wrapped(o,
			arena_printf(&r->arena, "sent by %.*s",
				STR_ARGS(utf8_clean(&r->arena, x->source_action))),
			4);
	if (x->tests)
		text_wrapped(o,
			arena_printf(&r->arena, "in test %.*s%s", STR_ARGS(report_tests(r, x)),
				x->tests == TESTS_MAX ? ", …" : ""),
			4);
	if (x->fix_note.n)
		text_wrapped(o, arena_printf(&r->arena, "fix: %.*s", STR_ARGS(x->fix_note)), 4);
	if (x->fix_sql.n) {
		fprintf(o->to, "%s", text_ink(o, INK_GREEN));
		text_wrapped(o, report_sql(r, x->fix_sql, 2000), 8);
		fprintf(o->to, "%s", text_ink(o, INK_NONE));
	}
	if (x->index >= 0)
		fprintf(o->to, "    index: no. %d of the indexes\n", x->index + 1);
}

static void print_findings(struct out *o)
{
	size_t count[4] = {0}, shown = 0;
	struct findings *f = o->r->findings;

	for (size_t i = 0; i < f->at.n; i++)
		count[f->at.at[i].suppressed ? 0 : f->at.at[i].severity]++;
	text_heading(o, "Findings");
	if (f->at.n == 0)
		fprintf(o->to, "  none\n");
	for (size_t i = 0; i < f->at.n; i++) {
		if (f->at.at[i].suppressed)
			continue;
		if (o->r->opt.top && shown++ >= o->r->opt.top * 2)
			break;
		print_finding(o, &f->at.at[i]);
	}
	if (f->at.n)
		fprintf(o->to, "\n  %zu error, %zu warning, %zu info%s\n", count[SEVERITY_ERROR],
			count[SEVERITY_WARNING], count[SEVERITY_INFO],
			shown > o->r->opt.top * 2 && o->r->opt.top ? "; the rest: --top 0" : "");
}

/* The queries that it helps, the greatest part of a cost that it takes off first. */
static void print_gains(struct out *o, const struct index_advice *x)
{
	bool *is_told = ARENA_ARRAY(&o->r->arena, bool, x->gain.n + 1);
	size_t most = o->r->opt.top ? 3 : x->gain.n;

	for (size_t n = 0; n < x->gain.n && n < most; n++) {
		size_t best = SIZE_MAX;
		const struct shape *s;

		for (size_t i = 0; i < x->gain.n; i++)
			if (!is_told[i] &&
				(best == SIZE_MAX ||
					x->gain.at[i].after * x->gain.at[best].before <
						x->gain.at[best].after * x->gain.at[i].before))
				best = i;
		is_told[best] = true;
		s = o->r->facts->shape.at[x->query.at[best]];
		text_hanging(o,
			arena_printf(&o->r->arena, "     %s cost %.0f -> %.0f  ", s->id,
				x->gain.at[best].before, x->gain.at[best].after),
			str_before(report_shape_sql(o->r, s), 120));
	}
	if (x->gain.n > most)
		fprintf(o->to, "     … and %zu more: --top 0\n", x->gain.n - most);
}

static void print_steps(struct out *o, const struct index_advice *x)
{
	size_t most = o->r->opt.top ? 7 : x->online.n;

	if (x->online.n)
		fputs("     without locking out writes:\n", o->to);
	for (size_t i = 0; i < x->online.n && i < most; i++)
		fprintf(o->to, "       %.*s;\n", STR_ARGS(x->online.at[i]));
	if (x->online.n > most)
		fprintf(o->to, "       … and %zu more: --top 0\n", x->online.n - most);
}

static void print_indexes(struct out *o)
{
	struct findings *f = o->r->findings;
	struct arena *a = &o->r->arena;
	static const char *const status[] = {"not validated", "validated by the planner", "exists"};

	if (f->index.n == 0)
		return;
	text_heading(o, "Indexes");
	for (size_t i = 0; i < f->index.n; i++) {
		const struct index_advice *x = &f->index.at[i];
		fputc('\n', o->to);
		fputs(text_ink(o, INK_GREEN), o->to);
		text_wrapped(o, arena_printf(&o->r->arena, "%zu. %.*s;", i + 1, STR_ARGS(x->ddl)),
			2);
		fputs(text_ink(o, INK_NONE), o->to);
		struct str line = str_of(status[x->status]);
		if (x->cost_before >= 0 && x->cost_after >= 0)
			line = arena_printf(a, "%.*s, cost %.0f -> %.0f", STR_ARGS(line),
				x->cost_before, x->cost_after);
		if (x->size_bytes >= 0)
			line = arena_printf(a, "%.*s, about %.*s", STR_ARGS(line),
				STR_ARGS(report_bytes(o->r, (double)x->size_bytes)));
		if (x->size_least >= 0)
			line = arena_printf(a, "%.*s (%.*s to %.*s)", STR_ARGS(line),
				STR_ARGS(report_bytes(o->r, (double)x->size_least)),
				STR_ARGS(report_bytes(o->r, (double)x->size_most)));
		if (x->query.n)
			line = arena_printf(a, "%.*s; helps %zu %s", STR_ARGS(line), x->query.n,
				x->query.n == 1 ? "query" : "queries");
		for (size_t k = 0; k < x->replaces.n; k++)
			line = arena_printf(a, "%.*s; makes %.*s redundant", STR_ARGS(line),
				STR_ARGS(x->replaces.at[k]));
		text_wrapped(o, line, 5);
		if (x->why.n)
			text_wrapped(o, x->why, 5);
		print_gains(o, x);
		print_steps(o, x);
	}
}

static void print_shapes(struct out *o)
{
	static const struct table_column columns[] = {{"share", true, 6, 0}, {"total", true, 0, 0},
		{"calls", true, 0, 0}, {"mean", true, 1, 0}, {"p50", true, 4, 0},
		{"p95", true, 2, 0}, {"p99", true, 3, 0}, {"max", true, 5, 0}};
	struct report *r = o->r;
	const struct report_sort *by = r->opt.sort ? report_sort_find(r->opt.sort) : report_sorts;
	struct table t = {.column = columns, .columns = ARRAY_LEN(columns)};
	size_t n = r->opt.top && r->opt.top < r->shapes ? r->opt.top : r->shapes;
	double all = 0;

	if (r->shapes == 0)
		return;
	for (size_t i = 0; i < r->shapes; i++)
		all += (double)r->facts->shape.at[r->shape[i]]->time.sum;
	text_heading(o, by->heading);
	for (size_t i = 0; i < n; i++) {
		const struct shape *s = r->facts->shape.at[r->shape[i]];
		const double q[] = {.5, .95, .99};
		bool timed = s->time.total > 0;
		table_cell(&t, arena_printf(&r->arena, "%.1f%%",
				       all > 0 ? 100 * (double)s->time.sum / all : 0));
		table_cell(&t, report_duration(r, (double)s->time.sum));
		table_cell(&t, report_count(r, s->calls));
		table_cell(&t, timed ? report_duration(r, sketch_mean(&s->time)) : STR(""));
		for (size_t k = 0; k < ARRAY_LEN(q); k++)
			table_cell(&t, timed ? report_duration(r, sketch_quantile(&s->time, q[k]))
					     : STR(""));
		table_cell(&t, timed ? report_duration(r, (double)s->time.max) : STR(""));
		table_note(&t, arena_printf(&r->arena, "%s  %.*s", s->id,
				       STR_ARGS(utf8_before(report_shape_sql(r, s), 400))));
	}
	table_end(&t, o);
	if (n < r->shapes)
		text_line(o,
			arena_printf(&r->arena, "… and %zu more shapes: --top 0", r->shapes - n),
			2);
}

#define ORDER_ROWS 5

/* The same statements in the other orders, a line each. */
static void print_orders(struct out *o)
{
	struct report *r = o->r;

	for (const struct report_sort *by = report_sorts; by->name; by++) {
		uint32_t *at;
		size_t n = report_sorted(r, by, &at);
		if (n == 0 || by == report_sorts || (r->opt.sort && !strcmp(by->name, r->opt.sort)))
			continue;
		text_heading(o, by->heading);
		for (size_t i = 0; i < n && i < ORDER_ROWS; i++) {
			const struct shape *s = r->facts->shape.at[at[i]];
			struct str v = report_amount(r, by->unit, by->value(s));
			text_line(o,
				arena_printf(&r->arena, "%10.*s  %s  %.*s", STR_ARGS(v), s->id,
					STR_ARGS(report_shape_sql(r, s))),
				0);
		}
	}
}

static void print_statement_of(struct out *o, struct str id)
{
	struct report *r = o->r;

	for (uint32_t i = 0; i < r->facts->shape.n; i++) {
		const struct shape *s = r->facts->shape.at[i];

		if (!str_is(id, s->id))
			continue;
		text_line(o,
			arena_printf(&r->arena, "%s  %.*s", s->id,
				STR_ARGS(report_shape_sql(r, s))),
			0);
		return;
	}
}

static void print_plans(struct out *o)
{
	struct report *r = o->r;
	size_t n = json_array_size(r->plans), top = r->opt.top ? r->opt.top : n;

	if (n)
		text_heading(o, "Plans");
	for (size_t i = 0; i < n && i < top; i++) {
		json_t *p = json_array_get(r->plans, i);
		int64_t times = js_get_int(p, "times");

		fprintf(o->to, "\n%s%.*s:%lld%s", text_ink(o, INK_BOLD),
			STR_ARGS(js_get_str(p, "file")), (long long)js_get_int(p, "line"),
			text_ink(o, INK_NONE));
		if (times > 1)
			fprintf(o->to, ", the slowest of %lld", (long long)times);
		fputc('\n', o->to);
		print_statement_of(o, js_get_str(p, "shape"));
		fprintf(o->to, "%.*s", STR_ARGS(js_get_str(p, "tree")));
	}
	if (n > top)
		fprintf(o->to, "\n  ... and %zu more plans: --top 0\n", n - top);
}

static void print_all(struct out *o)
{
	bool is_log = strcmp(o->r->command, "log") == 0 || strcmp(o->r->command, "merge") == 0;
	bool is_advice = strcmp(o->r->command, "advise") == 0;

	print_input(o);
	if (is_log)
		print_glance(o);
	if (is_advice) /* what was asked for comes first */
		print_indexes(o);
	print_plans(o);
	print_findings(o);
	if (!is_advice)
		print_indexes(o);
	print_shapes(o);
	if (is_log) {
		print_orders(o);
		text_server(o);
	}
}

void report_text(struct report *r, FILE *to)
{
	struct out o = {r, to, r->opt.width ? r->opt.width : 100};
	locale_t utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
	locale_t before = utf8 ? uselocale(utf8) : (locale_t)0;

	print_all(&o);
	if (utf8) {
		uselocale(before);
		freelocale(utf8);
	}
}
