/* SPDX-License-Identifier: ISC
 *
 * report_model: facts and findings -> what every writer prints, in its final order.
 */
#include "report.h"

#include <math.h>

const struct report_format report_formats[] = {
	{"text", "for a terminal", report_text, false},
	{"json", "everything, versioned; the contract scripts rely on", report_json, false},
	{"html", "one file with charts, sortable tables, drill-down; no external address",
		report_html, false},
	{"markdown", "for pull requests and wikis", report_markdown, false},
	{"csv", "the shapes, one row each", report_csv, false},
	{"sarif", "SARIF 2.1.0: GitHub code scanning, IDEs", report_sarif, true},
	{"github", "annotations of a GitHub Actions step", report_github, true},
	{"gitlab", "GitLab's Code Quality report", report_gitlab, true},
	{"junit", "JUnit XML: Jenkins and every other build server", report_junit, true},
	{NULL, NULL, NULL, false},
};

const struct report_format *report_format_find(const char *name)
{
	for (const struct report_format *f = report_formats; f->name; f++)
		if (strcmp(f->name, name) == 0)
			return f;
	return NULL;
}

static void note(struct report *r, enum severity s, const char *text)
{
	*VEC_PUSH(&r->note) = (struct report_note){s, str_of(text)};
}

/* What the numbers cannot say, and why. */
static void make_notes(struct report *r)
{
	struct facts *f = r->facts;
	struct input *in = r->input;

	if (!in)
		return;
	if (f->has_totals)
		note(r, SEVERITY_INFO,
			"pg_stat_statements has totals only: of these statements quantiles are not "
			"known "
			"(the mean stands in their place), nor sequences such as N+1");
	if (f->statements > 0 && f->no_duration == f->statements)
		note(r, SEVERITY_WARNING,
			"no statement has a duration: set log_min_duration_statement = 0 (or "
			"log_duration "
			"= on with log_statement = all) to get times");
	if (facts_has_threshold(f))
		note(r, SEVERITY_WARNING,
			"no statement is faster than 1 ms: log_min_duration_statement seems to "
			"hide the others, so counts are lower bounds and loops of fast queries are "
			"not seen");
	if (facts_is_sampled(f))
		note(r, SEVERITY_WARNING,
			"the log is sampled (log_statement_sample_rate or "
			"log_transaction_sample_rate; many a BEGIN or COMMIT lacks the other): all "
			"counts and sums are lower bounds, and sequences such as N+1 are not seen "
			"whole");
	if (strcmp(r->command, "log") == 0 && f->statements > 0 && !f->has_session &&
		!f->has_totals && strcmp(r->command, "lint") && strcmp(r->command, "plan"))
		note(r, SEVERITY_WARNING,
			"the log does not say which session sent a statement (no %p, no %c in "
			"log_line_prefix): sequences such as N+1 cannot be told");
	if (f->lang)
		*VEC_PUSH(&r->note) = (struct report_note){
			SEVERITY_INFO, arena_printf(&r->arena,
					       "the server's messages are in another language "
					       "(%s): they are read as PostgreSQL 15's catalogue "
					       "words them; what another release words otherwise "
					       "counts as 'other'; lc_messages = 'C' would leave "
					       "no doubt",
					       f->lang)};
	if (facts_has_twins(f))
		*VEC_PUSH(&r->note) = (struct report_note){SEVERITY_WARNING,
			arena_printf(&r->arena,
				"%llu statements are in two files, with the same process, text and "
				"duration (%s and %s): the same log in two formats "
				"(log_destination), or a copy; they are counted twice, give one of "
				"the files",
				(unsigned long long)f->twins, in->file.at[f->twin_file[0]]->name,
				in->file.at[f->twin_file[1]]->name)};
	for (size_t i = 0; i < in->file.n; i++)
		if (in->file.at[i]->bytes && !in->file.at[i]->format)
			*VEC_PUSH(&r->note) = (struct report_note){SEVERITY_WARNING,
				arena_printf(&r->arena, "%s: the format was not recognised",
					in->file.at[i]->name)};
}

/* Shapes that have no call, but are said to have waited, deadlocked or written a file. */
static bool *named_shapes(struct report *r)
{
	const struct facts *f = r->facts;
	bool *named = ARENA_ARRAY(&r->arena, bool, f->shape.n + 1);

	for (size_t i = 0; i < f->shape.n; i++)
		named[i] = f->shape.at[i]->lock_waits || f->shape.at[i]->temp_files;
	for (size_t i = 0; i < f->wait.n; i++) {
		const uint32_t ends[] = {f->wait.at[i].waiter, f->wait.at[i].holder};
		for (int k = 0; k < 2; k++)
			if (ends[k] != NO_SHAPE)
				named[ends[k]] = true;
	}
	for (size_t i = 0; i < f->deadlock.n; i++)
		for (uint32_t k = 0; k < f->deadlock.at[i].sides; k++)
			if (f->deadlock.at[i].side[k].shape != NO_SHAPE)
				named[f->deadlock.at[i].side[k].shape] = true;
	return named;
}

void report_order(struct report *r)
{
	struct facts *f = r->facts;

	if (r->shape)
		return;
	r->shape = ARENA_ARRAY(&r->arena, uint32_t, f->shape.n + 1);
	bool *named = named_shapes(r);
	for (uint32_t i = 0; i < f->shape.n; i++)
		if (f->shape.at[i]->calls || f->shape.at[i]->errors || named[i])
			r->shape[r->shapes++] = i;
	report_sort_shapes(r, r->opt.sort ? report_sort_find(r->opt.sort) : report_sorts, r->shape,
		r->shapes);
}

void report_make(struct report *r)
{
	report_order(r);
	findings_sort(r->findings);
	make_notes(r);
}

void report_release(struct report *r)
{
	VEC_RELEASE(&r->note);
	arena_release(&r->arena);
}

/* --- texts ------------------------------------------------------------------------ */

struct str report_sql(struct report *r, struct str sql, size_t max)
{
	if (r->opt.mask)
		sql = sql_mask(&r->arena, sql);
	sql = utf8_clean(&r->arena, sql);
	if (max && sql.n > max)
		return arena_printf(&r->arena, "%.*s …", STR_ARGS(utf8_before(sql, max)));
	return sql;
}

struct str report_sample(struct report *r, const struct shape *s, const struct sample *x,
	size_t max)
{
	bool named = s->verb == SQL_SAVEPOINT || s->verb == SQL_DECLARE || s->verb == SQL_FETCH ||
		     s->verb == SQL_CLOSE || s->verb == SQL_DEALLOCATE;

	return report_sql(r, r->opt.mask && named ? s->norm : str_of(x->sql), max);
}

struct str report_shape_sql(struct report *r, const struct shape *s)
{
	return utf8_clean(&r->arena, s->norm);
}

struct str report_reason(struct report *r, struct str why)
{
	if (r->opt.mask)
		why = str_before(why, str_find(why, " at or near"));
	return utf8_clean(&r->arena, why);
}

struct str report_params(struct report *r, const char *params)
{
	if (r->opt.mask || !params)
		return STR_NONE;
	return utf8_clean(&r->arena, str_of(params));
}

struct str report_fault(struct report *r, const struct fault *f)
{
	if (r->opt.mask && !fault_is_known(f))
		return STR("(message masked)");
	return utf8_clean(&r->arena, f->text);
}

struct str report_place(struct report *r, const struct place *p)
{
	const char *name = r->input && p->file < r->input->file.n ? r->input->file.at[p->file]->name
								  : r->opt.title;

	return arena_printf(&r->arena, "%s:%llu", name ? name : "?", (unsigned long long)p->line);
}

struct str report_duration(struct report *r, double usec)
{
	if (usec < 1000)
		return arena_printf(&r->arena, "%.0f us", usec);
	if (usec < 10000)
		return arena_printf(&r->arena, "%.2f ms", usec / 1e3);
	if (usec < 1e6)
		return arena_printf(&r->arena, "%.1f ms", usec / 1e3);
	if (usec < 120e6)
		return arena_printf(&r->arena, "%.2f s", usec / 1e6);
	if (usec < 7200e6)
		return arena_printf(&r->arena, "%.1f min", usec / 60e6);
	return arena_printf(&r->arena, "%.1f h", usec / 3600e6);
}

struct str report_count(struct report *r, uint64_t n)
{
	char plain[24], out[40];
	int len = snprintf(plain, sizeof(plain), "%llu", (unsigned long long)n), to = 0;

	for (int i = 0; i < len; i++) {
		if (i && (len - i) % 3 == 0)
			out[to++] = ',';
		out[to++] = plain[i];
	}
	return arena_str(&r->arena, (struct str){out, (size_t)to});
}

struct str report_several(struct report *r, uint64_t n, const char *thing)
{
	return arena_printf(&r->arena, "%.*s %s%s", STR_ARGS(report_count(r, n)), thing,
		n == 1 ? "" : "s");
}

struct str report_bytes(struct report *r, double n)
{
	static const char *const units[] = {"B", "kB", "MB", "GB", "TB"};
	size_t u = 0;

	for (; n >= 1024 && u + 1 < ARRAY_LEN(units); u++)
		n /= 1024;
	return arena_printf(&r->arena, n == floor(n) ? "%.0f %s" : "%.1f %s", n, units[u]);
}
