/* SPDX-License-Identifier: ISC
 *
 * gate_limit: thresholds of the run.  Counts are exact and the same in every run of the suite;
 * times are not, so a limit of time is exceeded only when it surely is.
 */
#include "gate.h"

static bool is_over(const struct gate *g, enum gate_limit which, uint64_t value)
{
	return g->conf.limit[which].value >= 0 && value > (uint64_t)g->conf.limit[which].value;
}

/* Shown where the limit is set, unless the statement's own place is known. */
static void show_at(struct gate *g, struct finding *x, enum gate_limit which)
{
	if (x->source_file.n)
		return;
	x->at = g->fallback.n ? g->fallback : STR(GATE_CONF);
	x->at_line = (uint32_t)g->conf.limit[which].line;
}

static void test_name(struct finding *x, const struct test *t, struct findings *fs,
	const struct facts *f)
{
	x->test[0] = t->name;
	x->tests = 1;
	x->key = arena_str(&fs->arena, facts_name(f, t->name));
}

static void check_test(struct gate *g, struct facts *f, struct findings *fs,
	const enum severity *severity, const struct test *t)
{
	struct str name = facts_name(f, t->name);
	struct finding *x;

	if (is_over(g, LIMIT_QUERIES_PER_TEST, t->queries) &&
		(x = gate_find(fs, f, severity, "GT001",
			 "test %.*s sends %llu statements; max_queries_per_test is %lld",
			 STR_ARGS(name), (unsigned long long)t->queries,
			 (long long)g->conf.limit[LIMIT_QUERIES_PER_TEST].value))) {
		x->count = t->queries;
		x->weight = (double)t->usec;
		test_name(x, t, fs, f);
		show_at(g, x, LIMIT_QUERIES_PER_TEST);
	}
	if (is_over(g, LIMIT_TIME_PER_TEST, t->usec) &&
		(x = gate_find(fs, f, severity, "GT003",
			 "the statements of test %.*s take %.1f ms; max_time_per_test is %.1f ms",
			 STR_ARGS(name), (double)t->usec / 1e3,
			 (double)g->conf.limit[LIMIT_TIME_PER_TEST].value / 1e3))) {
		x->count = t->queries;
		x->weight = (double)t->usec;
		test_name(x, t, fs, f);
		show_at(g, x, LIMIT_TIME_PER_TEST);
	}
	for (uint32_t i = t->first; i != UINT32_MAX; i = f->test_call.at[i].next) {
		const struct test_call *c = &f->test_call.at[i];
		if (!is_over(g, LIMIT_CALLS_PER_TEST, c->calls) ||
			!(x = gate_find(fs, f, severity, "GT002",
				  "test %.*s sends one statement %llu times; max_calls_per_test is "
				  "%lld",
				  STR_ARGS(name), (unsigned long long)c->calls,
				  (long long)g->conf.limit[LIMIT_CALLS_PER_TEST].value)))
			continue;
		x->shape = c->shape;
		x->count = c->calls;
		x->weight = (double)f->shape.at[c->shape]->time.sum;
		test_name(x, t, fs, f);
		show_at(g, x, LIMIT_CALLS_PER_TEST);
	}
}

static void of_shape(struct finding *x, struct facts *f, uint32_t at)
{
	const struct shape *s = f->shape.at[at];
	const struct origin *from = shape_origin(f, s);

	x->shape = at;
	x->count = s->calls;
	x->weight = (double)s->time.sum;
	x->tests = shape_tests(f, at, x->test);
	if (from && from->file) {
		x->source_file = facts_name(f, from->file);
		x->source_line = from->line;
	}
	x->places = s->places;
	memcpy(x->place, s->place, sizeof(x->place));
}

/* Does its time say how good a query is?  That of DDL, of waiting and of maintenance does not. */
static bool is_timed(enum sql_verb v)
{
	return v == SQL_SELECT || v == SQL_INSERT || v == SQL_UPDATE || v == SQL_DELETE ||
	       v == SQL_MERGE || v == SQL_VALUES || v == SQL_TABLE || v == SQL_EXECUTE ||
	       v == SQL_FETCH || v == SQL_CALL;
}

static void check_shape(struct gate *g, struct facts *f, struct findings *fs,
	const enum severity *severity, uint32_t at)
{
	const struct shape *s = f->shape.at[at];
	double low, high;
	struct finding *x;

	/* One-sided 95 %: a tail of five in a hundred below. */
	sketch_interval(&s->time, .95, .90, &low, &high);
	if (low > 0 && is_timed(s->verb) && is_over(g, LIMIT_P95, (uint64_t)low) &&
		(x = gate_find(fs, f, severity, "GT004",
			 "the 95th percentile of its time is at least %.1f ms (95 %% sure, of %llu "
			 "calls); max_p95 is %.1f ms",
			 low / 1e3, (unsigned long long)s->time.total,
			 (double)g->conf.limit[LIMIT_P95].value / 1e3))) {
		of_shape(x, f, at);
		show_at(g, x, LIMIT_P95);
	}
	if (is_over(g, LIMIT_ROWS, s->max_rows) &&
		(x = gate_find(fs, f, severity, "GT005",
			 "one call returned %llu rows; max_rows is %lld",
			 (unsigned long long)s->max_rows,
			 (long long)g->conf.limit[LIMIT_ROWS].value))) {
		of_shape(x, f, at);
		show_at(g, x, LIMIT_ROWS);
	}
}

static void check_new(struct gate *g, struct facts *f, struct findings *fs,
	const enum severity *severity)
{
	uint64_t fresh = 0;
	uint32_t example = NO_SHAPE;
	struct finding *x;

	for (uint32_t i = 0; i < f->shape.n; i++) {
		struct str id = canonical_id(&g->arena, f->shape.at[i]);
		if (f->shape.at[i]->calls == 0 || baseline_knows(g, "shape", id.p))
			continue;
		if (fresh++ == 0)
			example = i;
	}
	if (!is_over(g, LIMIT_NEW_SHAPES, fresh))
		return;
	x = gate_find(fs, f, severity, "GT006", "%llu statements are new; max_new_shapes is %lld",
		(unsigned long long)fresh, (long long)g->conf.limit[LIMIT_NEW_SHAPES].value);
	if (!x)
		return;
	of_shape(x, f, example);
	x->shape = NO_SHAPE; /* it is about all of them */
	x->count = fresh;
	x->key = STR("new");
	x->places = 0;
	x->tests = 0;
	x->source_file = STR_NONE;
	show_at(g, x, LIMIT_NEW_SHAPES);
}

void limits_apply(struct gate *g, struct facts *f, struct findings *fs,
	const enum severity *severity)
{
	for (size_t i = 0; i < f->test.n; i++)
		check_test(g, f, fs, severity, &f->test.at[i]);
	for (uint32_t i = 0; i < f->shape.n; i++)
		check_shape(g, f, fs, severity, i);
	if (g->conf.limit[LIMIT_NEW_SHAPES].value >= 0 && g->baseline)
		check_new(g, f, fs, severity);
}
