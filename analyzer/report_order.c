/* SPDX-License-Identifier: ISC
 *
 * report_order: the shapes in every order that is asked for, by type, and the server's figures in
 * words: what all formats that people read share.
 */
#include "report.h"

static double total(const struct shape *s)
{
	return (double)s->time.sum;
}

static double calls(const struct shape *s)
{
	return (double)s->calls;
}

static double mean(const struct shape *s)
{
	return sketch_mean(&s->time);
}

static double p99(const struct shape *s)
{
	return sketch_quantile(&s->time, .99);
}

static double slowest(const struct shape *s)
{
	return s->time.total ? (double)s->time.max : 0;
}

static double planning(const struct shape *s)
{
	return (double)s->plan_usec;
}

static double rows(const struct shape *s)
{
	return (double)s->rows;
}

static double temp(const struct shape *s)
{
	return (double)s->temp_bytes;
}

static double waited(const struct shape *s)
{
	return (double)s->lock_usec;
}

static double cancelled(const struct shape *s)
{
	return (double)s->cancels;
}

static double failed(const struct shape *s)
{
	return (double)s->errors;
}

const struct report_sort report_sorts[] = {
	{"total", "most time in all (the default)", "Where the time goes", UNIT_TIME, total},
	{"calls", "called most often", "Most frequent", UNIT_COUNT, calls},
	{"mean", "slowest on average", "Slowest on average", UNIT_TIME, mean},
	{"p99", "slowest for one call in a hundred", "Slowest at p99", UNIT_TIME, p99},
	{"max", "the slowest single call", "Slowest calls by statement", UNIT_TIME, slowest},
	{"planning", "most time in parse and bind", "Most time in parse and bind", UNIT_TIME,
		planning},
	{"rows", "most rows, where the log has them", "Most rows", UNIT_COUNT, rows},
	{"temp", "most bytes in temporary files", "Most in temporary files", UNIT_BYTES, temp},
	{"waited", "longest waits for locks", "Waited longest for locks", UNIT_TIME, waited},
	{"cancelled", "cancelled most often", "Cancelled most often", UNIT_COUNT, cancelled},
	{"failed", "most errors", "Failed most often", UNIT_COUNT, failed},
	{NULL, NULL, NULL, UNIT_COUNT, NULL},
};

const struct report_sort *report_sort_find(const char *name)
{
	for (const struct report_sort *s = report_sorts; s->name; s++)
		if (strcmp(s->name, name) == 0)
			return s;
	return NULL;
}

struct ranked { /* a shape, and its value in the order asked for: quantiles are no look-up */
	const struct shape *shape;
	double value;
	uint32_t at;
};

/* Greatest first; of equals the dearer, so that the order never hangs on chance. */
static int before(const void *pa, const void *pb)
{
	const struct ranked *ra = pa, *rb = pb;
	const struct shape *a = ra->shape, *b = rb->shape;

	if (ra->value != rb->value)
		return ra->value > rb->value ? -1 : 1;
	if (a->time.sum != b->time.sum)
		return a->time.sum > b->time.sum ? -1 : 1;
	if (a->calls != b->calls)
		return a->calls > b->calls ? -1 : 1;
	return (a->hash > b->hash) - (a->hash < b->hash);
}

void report_sort_shapes(const struct report *r, const struct report_sort *by, uint32_t *shape,
	size_t n)
{
	struct ranked *rank = mem_alloc((n + 1) * sizeof(*rank));

	for (size_t i = 0; i < n; i++) {
		const struct shape *s = r->facts->shape.at[shape[i]];
		rank[i] = (struct ranked){s, by->value(s), shape[i]};
	}
	qsort(rank, n, sizeof(*rank), before);
	for (size_t i = 0; i < n; i++)
		shape[i] = rank[i].at;
	free(rank);
}

size_t report_sorted(struct report *r, const struct report_sort *by, uint32_t **out)
{
	uint32_t *at = ARENA_ARRAY(&r->arena, uint32_t, r->shapes + 1);
	size_t n = 0;

	for (size_t i = 0; i < r->shapes; i++)
		if (by->value(r->facts->shape.at[r->shape[i]]) > 0)
			at[n++] = r->shape[i];
	report_sort_shapes(r, by, at, n);
	*out = at;
	return n;
}

struct str report_amount(struct report *r, enum counter_unit unit, double v)
{
	switch (unit) {
	case UNIT_TIME:
	case UNIT_MS:
		return report_duration(r, v);
	case UNIT_BYTES:
		return report_bytes(r, v);
	case UNIT_COUNT:
		break;
	}
	return report_count(r, (uint64_t)v);
}

/* --- by type --------------------------------------------------------------------------- */

static int by_calls(const void *pa, const void *pb)
{
	const struct verb_sum *a = pa, *b = pb;

	if (a->calls != b->calls)
		return a->calls > b->calls ? -1 : 1;
	return (int)a->verb - (int)b->verb;
}

size_t report_verbs(struct report *r, struct verb_sum **out)
{
	struct verb_sum *v = ARENA_ARRAY(&r->arena, struct verb_sum, SQL_VERBS);
	size_t n = 0;

	memset(v, 0, SQL_VERBS * sizeof(*v));
	for (size_t i = 0; i < r->shapes; i++) {
		const struct shape *s = r->facts->shape.at[r->shape[i]];
		v[s->verb].calls += s->calls;
		v[s->verb].usec += s->time.sum;
		v[s->verb].errors += s->errors;
	}
	for (int k = 0; k < SQL_VERBS; k++)
		if (v[k].calls || v[k].errors) {
			struct verb_sum x = v[k];
			x.verb = (enum sql_verb)k;
			v[n++] = x;
		}
	qsort(v, n, sizeof(*v), by_calls);
	*out = v;
	return n;
}

/* --- figures ---------------------------------------------------------------------------- */

struct list {
	struct report *r;
	struct figure *at;
	size_t n;
};

static void add(struct list *l, const char *group, const char *what, struct str text)
{
	l->at[l->n++] = (struct figure){group, what, text};
}

static void add_peaks(struct list *l)
{
	const struct series *m = &l->r->facts->minutes;
	const char *const per = m->step == 60	  ? "busiest minute"
				: m->step == 3600 ? "busiest hour"
						  : "busiest day";
	const struct slot *top = NULL;
	char at[32];

	for (size_t i = 0; i < m->row.n; i++)
		if (m->row.at[i].at && (!top || m->row.at[i].calls > top->calls))
			top = &m->row.at[i];
	if (!top || !top->calls)
		return;
	time_format(top->at * m->step * 1000000, at, sizeof(at));
	add(l, "Statements", per,
		arena_printf(&l->r->arena, "%.*s, %.1f/s, at %.16s",
			STR_ARGS(report_several(l->r, top->calls, "statement")),
			(double)top->calls / (double)m->step, at));
}

/* The most sessions open at the end of a minute: connections less disconnections, those added
 * that must have been open when the log began. */
static void add_open(struct list *l)
{
	const struct series *m = &l->r->facts->minutes;
	int64_t open = 0, low = 0, most = 0;
	int64_t when = 0;
	char at[32];

	for (size_t i = 0; i < m->row.n; i++) {
		open += (int64_t)m->row.at[i].connections - (int64_t)m->row.at[i].disconnections;
		low = open < low ? open : low;
		if (open > most || !when) {
			most = open;
			when = m->row.at[i].at * m->step;
		}
	}
	time_format(when * 1000000, at, sizeof(at));
	if (most - low > 0)
		add(l, "Sessions", "most open at once",
			arena_printf(&l->r->arena, "%.*s at %.16s",
				STR_ARGS(report_count(l->r, (uint64_t)(most - low))), at));
}

static void add_ratios(struct list *l, const char *group)
{
	const struct facts *f = l->r->facts;
	const struct server_facts *s = &f->server;
	struct arena *a = &l->r->arena;

	if (strcmp(group, "Sessions") == 0 && s->disconnections) {
		add(l, group, "p50", report_duration(l->r, sketch_quantile(&s->sessions, .5)));
		add(l, group, "p95", report_duration(l->r, sketch_quantile(&s->sessions, .95)));
		add(l, group, "longest", report_duration(l->r, (double)s->sessions.max));
		add(l, group, "statements for each",
			arena_printf(a, "%.1f", (double)f->statements / (double)s->disconnections));
		if (s->connections)
			add_open(l);
	}
	if (strcmp(group, "Extended protocol") == 0 && s->parses)
		add(l, group, "bound for each parsed",
			arena_printf(a, "%.2f", (double)s->binds / (double)s->parses));
	if (strcmp(group, "Extended protocol") == 0 && s->executes && f->statements)
		add(l, group, "of all statements",
			arena_printf(a, "%.1f %%",
				100 * (double)s->executes / (double)f->statements));
}

size_t report_figures(struct report *r, struct figure **out)
{
	const struct server_facts *s = &r->facts->server;
	struct list l = {.r = r};
	const struct counter *c;
	size_t most = 32;

	for (c = server_counters; c->key; c++)
		most++;
	l.at = ARENA_ARRAY(&r->arena, struct figure, most);
	add_peaks(&l);
	for (c = server_counters; c->key; c++) {
		uint64_t v = counter_get(c, s);
		if (v)
			add(&l, c->group, c->what, report_amount(r, c->unit, (double)v));
		if (!c[1].key || strcmp(c[1].group, c->group) != 0)
			add_ratios(&l, c->group);
	}
	*out = l.at;
	return l.n;
}
