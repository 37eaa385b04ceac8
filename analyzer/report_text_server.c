/* SPDX-License-Identifier: ISC
 *
 * report_text_server: for a terminal: the slowest calls, transactions, locks, errors, who sent
 * what when, and the server's own work.
 */
#include "report_text.h"

#define ROWS 10 /* of each table; the JSON report has all */

static struct str who(struct report *r, uint32_t user, uint32_t db, uint32_t app)
{
	struct str u = facts_name(r->facts, user), d = facts_name(r->facts, db),
		   a = facts_name(r->facts, app);

	return utf8_clean(&r->arena,
		arena_printf(&r->arena, "%.*s%s%.*s%s%.*s", STR_ARGS(u), d.n ? "@" : "",
			STR_ARGS(d), a.n ? "/" : "", STR_ARGS(a)));
}

static const char *at(int64_t ts, char buf[32])
{
	if (ts)
		time_format(ts, buf, 32);
	else
		buf[0] = '\0';
	return buf;
}

/* --- slowest calls ---------------------------------------------------------------------- */

struct slow {
	const struct shape *shape;
	const struct sample *call;
};

static int slower(const void *pa, const void *pb)
{
	const struct sample *a = ((const struct slow *)pa)->call,
			    *b = ((const struct slow *)pb)->call;

	if (a->usec != b->usec)
		return a->usec > b->usec ? -1 : 1;
	return (a->at.line > b->at.line) - (a->at.line < b->at.line);
}

static void print_samples(struct out *o)
{
	struct report *r = o->r;
	VEC(struct slow) all = {0};

	for (size_t i = 0; i < r->shapes; i++) {
		const struct shape *s = r->facts->shape.at[r->shape[i]];
		for (uint32_t k = 0; k < s->samples; k++)
			if (s->slow[k].usec >= 0)
				*VEC_PUSH(&all) = (struct slow){s, &s->slow[k]};
	}
	if (all.n) {
		qsort(all.at, all.n, sizeof(*all.at), slower);
		text_heading(o, "Slowest calls");
	}
	for (size_t i = 0; i < all.n && i < ROWS; i++) {
		const struct sample *x = all.at[i].call;
		struct str params = report_params(r, x->params);
		char when[32];
		text_line(o,
			arena_printf(&r->arena, "%10.*s  %s  %.*s  %.*s",
				STR_ARGS(report_duration(r, (double)x->usec)), at(x->ts, when),
				STR_ARGS(who(r, x->user, x->db, x->app)),
				STR_ARGS(report_place(r, &x->at))),
			0);
		text_wrapped(o, report_sample(r, all.at[i].shape, x, 300), 12);
		if (params.n)
			text_wrapped(o,
				arena_printf(&r->arena, "parameters: %.*s",
					STR_ARGS(utf8_before(params, 300))),
				12);
	}
	VEC_RELEASE(&all);
}

/* --- transactions ----------------------------------------------------------------------- */

static void put_tx(struct out *o, struct table *t, const struct tx *x)
{
	struct report *r = o->r;
	char when[32];

	table_cell(t, report_duration(r, (double)x->usec));
	table_cell(t, report_duration(r, x->usec > x->busy ? (double)(x->usec - x->busy) : 0));
	table_cell(t, report_count(r, x->statements));
	table_cell(t, arena_printf(&r->arena, "%s", at(x->begin, when)));
	table_cell(t, who(r, x->user, x->db, x->app));
	table_cell(t, x->rolled_back ? STR("rolled back") : STR(""));
	table_cell(t, report_place(r, &x->at));
	if (x->shape != NO_SHAPE) {
		const struct shape *s = r->facts->shape.at[x->shape];
		struct str sql = report_shape_sql(r, s);
		table_note(t, arena_printf(&r->arena, "%s  %.*s", s->id,
				      STR_ARGS(utf8_before(sql, 160))));
	}
}

static void print_transactions(struct out *o)
{
	static const char *const heads[TX_ORDERS] = {"Transactions with the most statements",
		"Longest transactions", "Longest idle in transaction"};
	static const struct table_column columns[] = {{"took", true, 0, 0}, {"idle", true, 0, 0},
		{"statements", true, 1, 0}, {"began", false, 2, 0}, {"who", false, 3, 8},
		{"", false, 4, 0}, {"where", false, 5, 0}};
	struct report *r = o->r;
	const struct tx_facts *x = &r->facts->tx;

	if (x->count == 0)
		return;
	text_heading(o, "Transactions");
	text_wrapped(o,
		arena_printf(&r->arena,
			"%.*s, %.*s rolled back, %.1f statements each; p50 %.*s, p95 %.*s, max "
			"%.*s",
			STR_ARGS(report_count(r, x->count)),
			STR_ARGS(report_count(r, x->rollbacks)),
			(double)x->statements / (double)x->count,
			STR_ARGS(report_duration(r, sketch_quantile(&x->time, .5))),
			STR_ARGS(report_duration(r, sketch_quantile(&x->time, .95))),
			STR_ARGS(report_duration(r, (double)x->time.max))),
		2);
	text_wrapped(o,
		arena_printf(&r->arena, "idle in transaction: %.*s in all, p95 %.*s, max %.*s",
			STR_ARGS(report_duration(r, (double)x->idle.sum)),
			STR_ARGS(report_duration(r, sketch_quantile(&x->idle, .95))),
			STR_ARGS(report_duration(r, (double)x->idle.max))),
		2);
	for (int k = 0; k < TX_ORDERS; k++) {
		struct table t = {.column = columns, .columns = ARRAY_LEN(columns)};
		if (x->tops[k])
			text_heading(o, heads[k]);
		for (uint32_t i = 0; i < x->tops[k] && i < 3; i++)
			put_tx(o, &t, &x->top[k][i]);
		table_end(&t, o);
	}
}

/* --- locks ------------------------------------------------------------------------------ */

static int longer_wait(const void *pa, const void *pb)
{
	const struct wait_edge *a = *(const struct wait_edge *const *)pa,
			       *b = *(const struct wait_edge *const *)pb;

	if (a->usec != b->usec)
		return a->usec > b->usec ? -1 : 1;
	return (a->at.line > b->at.line) - (a->at.line < b->at.line);
}

static void print_waits(struct out *o)
{
	struct report *r = o->r;
	VEC(const struct wait_edge *) all = {0};

	for (size_t i = 0; i < r->facts->wait.n; i++)
		if (r->facts->wait.at[i].waits)
			*VEC_PUSH(&all) = &r->facts->wait.at[i];
	if (all.n) {
		qsort(all.at, all.n, sizeof(*all.at), longer_wait);
		text_heading(o, "Lock waits: who waited for whom");
	}
	for (size_t i = 0; i < all.n && i < ROWS; i++) {
		const struct wait_edge *w = all.at[i];
		fprintf(o->to, "%10.*s in %.*s of\n", STR_ARGS(report_duration(r, (double)w->usec)),
			STR_ARGS(report_several(r, w->waits, "wait")));
		text_shape(o, w->waiter, 12);
		if (w->holder != NO_SHAPE) {
			fprintf(o->to, "%10s for a session whose latest statement was\n", "");
			text_shape(o, w->holder, 12);
		}
	}
	VEC_RELEASE(&all);
}

static void print_deadlocks(struct out *o)
{
	struct report *r = o->r;

	if (r->facts->deadlock.n)
		text_heading(o, "Deadlocks");
	for (size_t i = 0; i < r->facts->deadlock.n && i < ROWS; i++) {
		const struct deadlock *d = &r->facts->deadlock.at[i];
		text_line(o,
			arena_printf(&r->arena, "%9.*s x  %.*s",
				STR_ARGS(report_count(r, d->count)),
				STR_ARGS(report_place(r, &d->at))),
			0);
		for (uint32_t k = 0; k < d->sides; k++) {
			const struct deadlock_side *s = &d->side[k];
			text_line(o,
				arena_printf(&r->arena,
					"process %lld waited for process %lld: %.*s",
					(long long)s->pid, (long long)s->blocked_by,
					STR_ARGS(utf8_clean(&r->arena, s->lock))),
				12);
			text_shape(o, s->shape, 14);
		}
	}
}

/* --- errors ----------------------------------------------------------------------------- */

static int more_often(const void *pa, const void *pb)
{
	const struct fault *a = *(const struct fault *const *)pa,
			   *b = *(const struct fault *const *)pb;

	if (a->count != b->count)
		return a->count > b->count ? -1 : 1;
	return (a->at.line > b->at.line) - (a->at.line < b->at.line);
}

static void print_faults(struct out *o)
{
	struct report *r = o->r;
	VEC(const struct fault *) all = {0};

	for (size_t i = 0; i < r->facts->fault.n; i++)
		*VEC_PUSH(&all) = &r->facts->fault.at[i];
	qsort(all.at, all.n, sizeof(*all.at), more_often);
	text_heading(o, "Errors");
	for (size_t i = 0; i < all.n && i < 2 * ROWS; i++)
		text_hanging(o,
			arena_printf(&r->arena, "%9.*s  %-5s  %-5s  ",
				STR_ARGS(report_count(r, all.at[i]->count)),
				log_severity_name(all.at[i]->severity), all.at[i]->state),
			arena_printf(&r->arena, "%.*s (%.*s)", STR_ARGS(report_fault(r, all.at[i])),
				STR_ARGS(report_place(r, &all.at[i]->at))));
	if (all.n > 2 * ROWS)
		text_line(o, arena_printf(&o->r->arena, "… and %zu more", all.n - 2 * ROWS), 2);
	VEC_RELEASE(&all);
}

static void print_errors(struct out *o)
{
	struct report *r = o->r;
	struct sqlstate_count *c;
	size_t n = report_sqlstates(r, &c);

	if (n == 0)
		return;
	text_heading(o, "Errors by SQLSTATE");
	for (size_t i = 0; i < n && i < ROWS; i++)
		fprintf(o->to, "%9.*s  %-5s %s\n", STR_ARGS(report_count(r, c[i].count)),
			*c[i].state ? c[i].state : "?", sqlstate_name(c[i].state));
	print_faults(o);
}

/* --- groups ----------------------------------------------------------------------------- */

static int by_time(const void *pa, const void *pb)
{
	const struct group *a = *(const struct group *const *)pa,
			   *b = *(const struct group *const *)pb;

	if (a->kind == GROUP_HOUR)
		return (a->name > b->name) - (a->name < b->name);
	if (a->time.sum != b->time.sum)
		return a->time.sum > b->time.sum ? -1 : 1;
	if (a->calls != b->calls)
		return a->calls > b->calls ? -1 : 1;
	return (a->name > b->name) - (a->name < b->name);
}

static uint64_t most_of(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static void put_group(struct report *r, struct table *t, const struct group *g)
{
	static const double qs[] = {.5, .95, .99, .999};
	bool timed = g->time.total > 0;

	table_cell(t, report_group_name(r, g));
	table_cell(t, report_count(r, g->calls));
	table_cell(t, report_count(r, g->errors));
	table_cell(t, report_duration(r, (double)g->time.sum));
	table_cell(t, timed ? report_duration(r, sketch_mean(&g->time)) : STR(""));
	for (size_t k = 0; k < ARRAY_LEN(qs); k++)
		table_cell(t,
			timed ? report_duration(r, sketch_quantile(&g->time, qs[k])) : STR(""));
	table_cell(t, timed ? report_duration(r, (double)g->time.max) : STR(""));
	if (g->kind == GROUP_HOUR)
		return;
	table_cell(t, g->sessions || g->ended ? report_count(r, most_of(g->sessions, g->ended))
					      : STR(""));
	table_cell(t, g->ended ? report_duration(r, (double)g->session_usec / (double)g->ended)
			       : STR(""));
}

static void print_groups(struct out *o, enum group_kind kind, const char *head, size_t most)
{
	static const struct table_column columns[] = {{"", false, 0, 12}, {"calls", true, 0, 0},
		{"errors", true, 2, 0}, {"total", true, 0, 0}, {"mean", true, 1, 0},
		{"p50", true, 5, 0}, {"p95", true, 3, 0}, {"p99", true, 4, 0},
		{"p99.9", true, 8, 0}, {"max", true, 6, 0}, {"sessions", true, 7, 0},
		{"lasted", true, 9, 0}};
	struct report *r = o->r;
	struct table t = {.column = columns,
		.columns = kind == GROUP_HOUR ? ARRAY_LEN(columns) - 2 : ARRAY_LEN(columns)};
	VEC(const struct group *) all = {0};

	for (size_t i = 0; i < r->facts->group.n; i++)
		if (r->facts->group.at[i].kind == kind && r->facts->group.at[i].calls)
			*VEC_PUSH(&all) = &r->facts->group.at[i];
	if (all.n) {
		qsort(all.at, all.n, sizeof(*all.at), by_time);
		text_heading(o, head);
	}
	for (size_t i = 0; i < all.n && i < most; i++)
		put_group(r, &t, all.at[i]);
	table_end(&t, o);
	if (all.n > most)
		text_line(o, arena_printf(&o->r->arena, "… and %zu more", all.n - most), 2);
	VEC_RELEASE(&all);
}

/* --- the server ------------------------------------------------------------------------- */

static void print_autovacuum(struct out *o)
{
	static const struct table_column columns[] = {{"autovacuum", false, 0, 16},
		{"vacuumed", true, 0, 0}, {"analyzed", true, 1, 0}, {"took", true, 0, 0},
		{"rows removed", true, 2, 0}, {"not yet removable", true, 4, 0},
		{"pages removed", true, 5, 0}, {"index scans", true, 6, 0},
		{"buffer hits", true, 8, 0}, {"read", true, 9, 0}, {"dirtied", true, 10, 0},
		{"WAL", true, 7, 0}};
	struct report *r = o->r;
	struct table t = {.column = columns, .columns = ARRAY_LEN(columns)};

	if (r->facts->vacuum.n)
		text_heading(o, "Autovacuum by table");
	for (size_t i = 0; i < r->facts->vacuum.n && i < ROWS; i++) {
		const struct vacuumed *v = &r->facts->vacuum.at[i];
		table_cell(&t, utf8_clean(&r->arena, v->table));
		for (const struct counter *c = vacuum_counters; c->key; c++)
			table_cell(&t, report_amount(r, c->unit, (double)counter_get(c, v)));
	}
	table_end(&t, o);
	if (r->facts->vacuum.n > ROWS)
		text_line(o,
			arena_printf(&o->r->arena, "… and %zu more tables",
				r->facts->vacuum.n - ROWS),
			2);
}

static void print_kinds(struct out *o, enum kind_of of, const char *head)
{
	static const struct table_column columns[] = {
		{"", false, 0, 16}, {"count", true, 0, 0}, {"time", true, 1, 0}};
	struct report *r = o->r;
	struct table t = {.column = columns, .columns = of == KIND_LOCK ? 3 : 2};

	for (size_t i = 0; i < r->facts->kind.n; i++) {
		const struct kind_count *k = &r->facts->kind.at[i];
		if (k->of != of)
			continue;
		table_cell(&t, utf8_clean(&r->arena, k->name));
		table_cell(&t, report_count(r, k->count));
		if (of == KIND_LOCK)
			table_cell(&t, report_duration(r, (double)k->usec));
	}
	if (t.cell.n)
		text_heading(o, head);
	table_end(&t, o);
}

/* Each group of figures is a paragraph: "connections received 61, sessions ended 58, …". */
static void print_figures(struct out *o)
{
	struct report *r = o->r;
	struct figure *f;
	size_t n = report_figures(r, &f);

	if (n)
		text_heading(o, "Server");
	for (size_t i = 0; i < n;) {
		struct text t = {0};
		size_t k = i;
		for (; k < n && strcmp(f[k].group, f[i].group) == 0; k++)
			text_printf(&t, "%s %s %.*s", k > i ? "," : ":", f[k].what,
				STR_ARGS(f[k].text));
		text_wrapped(o, arena_printf(&r->arena, "%s%s", f[i].group, t.p), 2);
		text_release(&t);
		i = k;
	}
}

static void print_verbs(struct out *o)
{
	static const struct table_column columns[] = {{"", false, 0, 8}, {"calls", true, 0, 0},
		{"of all", true, 0, 0}, {"total", true, 0, 0}, {"mean", true, 1, 0},
		{"errors", true, 2, 0}};
	struct report *r = o->r;
	struct table t = {.column = columns, .columns = ARRAY_LEN(columns)};
	struct verb_sum *v;
	size_t n = report_verbs(r, &v);
	double all = r->facts->statements ? (double)r->facts->statements : 1;

	if (n)
		text_heading(o, "Statements by type");
	for (size_t i = 0; i < n; i++) {
		table_cell(&t, str_of(sql_verb_name(v[i].verb)));
		table_cell(&t, report_count(r, v[i].calls));
		table_cell(&t, arena_printf(&r->arena, "%.1f%%", 100 * (double)v[i].calls / all));
		table_cell(&t, report_duration(r, (double)v[i].usec));
		table_cell(&t, v[i].calls
				       ? report_duration(r, (double)v[i].usec / (double)v[i].calls)
				       : STR(""));
		table_cell(&t, report_count(r, v[i].errors));
	}
	table_end(&t, o);
}

/* How many statements took how long, in powers of four. */
static void print_histogram(struct out *o)
{
	static const struct table_column columns[] = {{"", false, 0, 0}, {"statements", true, 0, 0},
		{"of all", true, 0, 0}, {"", false, 1, 0}};
	struct report *r = o->r;
	const struct series *m = &r->facts->minutes;
	struct table t = {.column = columns, .columns = ARRAY_LEN(columns)};
	uint64_t row[HEAT_ROWS / 2] = {0}, all = 0, most = 1;

	for (size_t i = 0; i < m->row.n; i++)
		for (int k = 0; k < HEAT_ROWS; k++)
			row[k / 2] += m->row.at[i].heat[k];
	for (int k = 0; k < HEAT_ROWS / 2; k++) {
		all += row[k];
		most = most_of(most, row[k]);
	}
	if (!all)
		return;
	text_heading(o, "Durations");
	for (int k = 0; k < HEAT_ROWS / 2; k++) {
		char bar[31] = "";
		if (!row[k])
			continue;
		memset(bar, '#', (size_t)((row[k] * 30 + most - 1) / most));
		double from = k ? (double)(1ull << 2 * k) : 0;
		table_cell(&t,
			k + 1 < HEAT_ROWS / 2
				? arena_printf(&r->arena, "below %.*s",
					  STR_ARGS(report_duration(r, (double)(4ull << 2 * k))))
				: arena_printf(&r->arena, "from %.*s",
					  STR_ARGS(report_duration(r, from))));
		table_cell(&t, report_count(r, row[k]));
		table_cell(&t,
			arena_printf(&r->arena, "%.1f%%", 100 * (double)row[k] / (double)all));
		table_cell(&t, arena_str(&r->arena, str_of(bar)));
	}
	table_end(&t, o);
}

void text_server(struct out *o)
{
	print_samples(o);
	print_transactions(o);
	print_waits(o);
	print_kinds(o, KIND_LOCK, "Locks by type");
	print_deadlocks(o);
	print_errors(o);
	print_verbs(o);
	print_histogram(o);
	print_groups(o, GROUP_USER, "Users", ROWS);
	print_groups(o, GROUP_DB, "Databases", ROWS);
	print_groups(o, GROUP_APP, "Applications", ROWS);
	print_groups(o, GROUP_HOST, "Hosts", ROWS);
	print_groups(o, GROUP_HOUR,
		o->r->facts->hour_step > 24  ? "Weeks (UTC)"
		: o->r->facts->hour_step > 1 ? "Days (UTC)"
					     : "Hours (UTC)",
		48);
	print_figures(o);
	print_kinds(o, KIND_CHECKPOINT_CAUSE, "Causes of checkpoints");
	print_autovacuum(o);
}
