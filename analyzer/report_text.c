/* SPDX-License-Identifier: ISC
 *
 * report_text: for people at a terminal: findings first, then where the time goes.
 */
#include "report_text.h"

#include <jansson.h>

const char *text_ink(const struct out *o, enum ink i)
{
	static const char *const codes[] = {
		"\033[0m", "\033[1m", "\033[2m", "\033[31m", "\033[33m", "\033[34m", "\033[32m"};

	return o->r->opt.color ? codes[i] : "";
}

void text_heading(struct out *o, const char *text)
{
	fprintf(o->to, "\n%s%s%s\n", text_ink(o, INK_BOLD), text, text_ink(o, INK_NONE));
}

/* How many columns the next character takes, and its bytes: no wide characters are known, which
 * errs to the short side. */
static size_t char_bytes(const char *p, size_t n)
{
	size_t i = 1;

	while (i < n && ((unsigned char)p[i] & 0xc0) == 0x80)
		i++;
	return i;
}

void text_wrapped(struct out *o, struct str s, int indent)
{
	int room = o->width - indent, col = 0;
	size_t i = 0;

	room = room < 20 ? 20 : room;
	fprintf(o->to, "%*s", indent, "");
	while (i < s.n) {
		size_t word = 0, cols = 0;
		while (i + word < s.n && s.p[i + word] != ' ' && s.p[i + word] != '\n') {
			word += char_bytes(s.p + i + word, s.n - i - word);
			cols++;
		}
		if (col > 0 && col + (int)cols > room) {
			fprintf(o->to, "\n%*s", indent, "");
			col = 0;
		}
		fwrite(s.p + i, 1, word, o->to);
		col += (int)cols;
		i += word;
		if (i < s.n) {
			bool nl = s.p[i] == '\n';
			if (nl || col >= room) {
				fprintf(o->to, "\n%*s", indent, "");
				col = 0;
			} else if (col > 0) {
				fputc(' ', o->to);
				col++;
			}
			i++;
		}
	}
	fputc('\n', o->to);
}

void text_shape(struct out *o, uint32_t shape, int indent)
{
	const struct shape *s;

	if (shape == NO_SHAPE)
		return;
	s = o->r->facts->shape.at[shape];
	struct str sql = report_shape_sql(o->r, s);
	size_t room = o->width > indent + 60 ? (size_t)(o->width - indent - 19) : 40;
	fprintf(o->to, "%*s%s%s  ", indent, "", text_ink(o, INK_DIM), s->id);
	size_t i = 0, n;
	for (size_t cols = 0; i < sql.n && cols < room; i += n, cols++) {
		n = char_bytes(sql.p + i, sql.n - i);
		if (sql.p[i] == '\n')
			fputc(' ', o->to);
		else
			fwrite(sql.p + i, 1, n, o->to);
	}
	fprintf(o->to, "%s%s\n", i < sql.n ? "…" : "", text_ink(o, INK_NONE));
}

static void print_input(struct out *o)
{
	struct report *r = o->r;
	struct facts *f = r->facts;
	bool is_log = strcmp(r->command, "lint") != 0;
	uint64_t bytes = 0;
	char from[32], to[32];

	if (r->plans && strcmp(r->command, "plan") == 0) {
		fprintf(o->to, "%spgassay %s%s: %zu plans\n", text_ink(o, INK_BOLD), r->command,
			text_ink(o, INK_NONE), json_array_size(r->plans));
		return;
	}
	for (int c = 0; r->input && c < LOG_CLASSES; c++)
		bytes += r->input->bytes[c];
	fprintf(o->to, "%spgassay %s%s: %.*s statements, %.*s shapes", text_ink(o, INK_BOLD),
		r->command, text_ink(o, INK_NONE), STR_ARGS(report_count(r, f->statements)),
		STR_ARGS(report_count(r, r->shapes)));
	if (bytes)
		fprintf(o->to, ", %.*s", STR_ARGS(report_bytes(r, (double)bytes)));
	if (f->first_ts) {
		time_format(f->first_ts, from, sizeof(from));
		time_format(f->last_ts, to, sizeof(to));
		fprintf(o->to, ", %s to %s UTC", from, to);
	}
	fputc('\n', o->to);
	for (size_t i = 0; r->input && i < r->input->file.n && i < 8; i++) {
		const struct input_file *x = r->input->file.at[i];
		fprintf(o->to, "%s  %s: %s", text_ink(o, INK_DIM), x->name,
			x->format ? x->format->name
			: is_log  ? "not recognised"
				  : "SQL");
		if (x->format && x->format->prefix)
			fprintf(o->to, ", log_line_prefix '%s' (fits %d %%)",
				prefix_text(x->format->prefix), x->prefix_fit);
		fprintf(o->to, "%s\n", text_ink(o, INK_NONE));
	}
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
		text_wrapped(o,
			arena_printf(&r->arena, "%s  %.*s", s->id,
				STR_ARGS(str_before(report_shape_sql(r, s), 600))),
			4);
		fprintf(o->to, "%s    %.*s calls", text_ink(o, INK_NONE),
			STR_ARGS(report_count(r, x->count)));
		if (s->time.total)
			fprintf(o->to, ", %.*s in all",
				STR_ARGS(report_duration(r, (double)s->time.sum)));
		for (uint32_t i = 0; i < x->places && i < 2; i++)
			fprintf(o->to, "%s%.*s", i ? ", " : "; ",
				STR_ARGS(report_place(r, &x->place[i])));
		if (x->source_file.n)
			fprintf(o->to, "; source %.*s:%u", STR_ARGS(x->source_file),
				x->source_line);
		fputc('\n', o->to);
	}
	if (x->source_action.n)
		fprintf(o->to, "    sent by %.*s\n",
			STR_ARGS(utf8_clean(&r->arena, x->source_action)));
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
		fprintf(o->to, "    index: see below, no. %d\n", x->index + 1);
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

static void print_indexes(struct out *o)
{
	struct findings *f = o->r->findings;
	static const char *const status[] = {"not validated", "validated by the planner", "exists"};

	if (f->index.n == 0)
		return;
	text_heading(o, "Indexes");
	for (size_t i = 0; i < f->index.n; i++) {
		const struct index_advice *x = &f->index.at[i];
		fprintf(o->to, "\n%3zu. %s", i + 1, text_ink(o, INK_GREEN));
		fprintf(o->to, "%.*s;%s\n", STR_ARGS(x->ddl), text_ink(o, INK_NONE));
		fprintf(o->to, "     %s", status[x->status]);
		if (x->cost_before >= 0 && x->cost_after >= 0)
			fprintf(o->to, ", cost %.0f -> %.0f", x->cost_before, x->cost_after);
		if (x->size_bytes >= 0)
			fprintf(o->to, ", about %.*s",
				STR_ARGS(report_bytes(o->r, (double)x->size_bytes)));
		if (x->query.n)
			fprintf(o->to, "; helps %zu %s", x->query.n,
				x->query.n == 1 ? "query" : "queries");
		for (size_t k = 0; k < x->replaces.n; k++)
			fprintf(o->to, "; makes %.*s redundant", STR_ARGS(x->replaces.at[k]));
		fputc('\n', o->to);
		if (x->why.n)
			text_wrapped(o, x->why, 5);
	}
}

static void print_shapes(struct out *o)
{
	struct report *r = o->r;
	size_t n = r->opt.top && r->opt.top < r->shapes ? r->opt.top : r->shapes;
	double all = 0;

	if (r->shapes == 0)
		return;
	for (size_t i = 0; i < r->shapes; i++)
		all += (double)r->facts->shape.at[r->shape[i]]->time.sum;
	text_heading(o, "Where the time goes");
	fprintf(o->to, "%s%6s %10s %9s %9s %9s %9s %9s%s\n", text_ink(o, INK_DIM), "share", "total",
		"calls", "mean", "p50", "p95", "p99", text_ink(o, INK_NONE));
	for (size_t i = 0; i < n; i++) {
		const struct shape *s = r->facts->shape.at[r->shape[i]];
		fprintf(o->to, "%5.1f%% %10.*s %9.*s",
			all > 0 ? 100 * (double)s->time.sum / all : 0,
			STR_ARGS(report_duration(r, (double)s->time.sum)),
			STR_ARGS(report_count(r, s->calls)));
		if (s->time.total) {
			const double q[] = {.5, .95, .99};
			fprintf(o->to, " %9.*s",
				STR_ARGS(report_duration(r, sketch_mean(&s->time))));
			for (size_t k = 0; k < ARRAY_LEN(q); k++)
				fprintf(o->to, " %9.*s",
					STR_ARGS(report_duration(r,
						sketch_quantile(&s->time, q[k]))));
		}
		fputc('\n', o->to);
		text_wrapped(o,
			arena_printf(&r->arena, "%s  %.*s", s->id,
				STR_ARGS(str_before(report_shape_sql(r, s), 400))),
			8);
	}
	if (n < r->shapes)
		fprintf(o->to, "  … and %zu more shapes: --top 0\n", r->shapes - n);
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
		fprintf(o->to, "\n%.*s", STR_ARGS(js_get_str(p, "tree")));
	}
	if (n > top)
		fprintf(o->to, "\n  ... and %zu more plans: --top 0\n", n - top);
}

void report_text(struct report *r, FILE *to)
{
	struct out o = {r, to, r->opt.width ? r->opt.width : 100};

	print_input(&o);
	print_plans(&o);
	print_findings(&o);
	print_indexes(&o);
	print_shapes(&o);
	if (strcmp(r->command, "log") == 0 || strcmp(r->command, "merge") == 0)
		text_server(&o);
}
