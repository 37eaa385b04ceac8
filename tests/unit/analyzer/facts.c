/* SPDX-License-Identifier: ISC
 *
 * facts: the sketch keeps its word; entries become calls; which sequences are runs.
 */
#include "facts.h"
#include "rule.h"

#include <check.h>
#include <math.h>

/* --- sketch ------------------------------------------------------------------------ */

static int ascending(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

START_TEST(quantiles_are_within_the_stated_error)
{
	enum { N = 20000 };
	static uint64_t v[N];
	struct sketch all = {0}, half[2] = {{0}, {0}}, merged = {0};
	unsigned seed = 11;
	const double qs[] = {0, .5, .9, .95, .99, .999, 1};

	for (int i = 0; i < N; i++) {
		v[i] = (uint64_t)exp((double)(rand_r(&seed) % 20000) / 1000);
		sketch_add(&all, v[i]);
		sketch_add(&half[i % 2], v[i]);
	}
	qsort(v, N, sizeof(*v), ascending);
	for (size_t k = 0; k < ARRAY_LEN(qs); k++) {
		size_t rank = (size_t)ceil(qs[k] * N);
		double exact = (double)v[rank ? rank - 1 : 0], got = sketch_quantile(&all, qs[k]);
		ck_assert_msg(fabs(got - exact) <= exact * SKETCH_ERROR + 0.5, "q %g: %g, not %g",
			qs[k], got, exact);
	}
	sketch_merge(&merged, &half[0]);
	sketch_merge(&merged, &half[1]);
	ck_assert(merged.total == all.total && merged.sum == all.sum && merged.max == all.max);
	for (size_t k = 0; k < ARRAY_LEN(qs); k++)
		ck_assert(sketch_quantile(&merged, qs[k]) == sketch_quantile(&all, qs[k]));
	sketch_release(&all);
	sketch_release(&half[0]);
	sketch_release(&half[1]);
	sketch_release(&merged);
}
END_TEST

/* --- a log, line by line ----------------------------------------------------------------- */

struct feed {
	struct input in;
	struct facts *f;
	struct input_sink sink;
	struct log_format format;
	struct text lines;
	int64_t ms; /* the log's clock */
};

static void feed_init(struct feed *x)
{
	memset(x, 0, sizeof(*x));
	x->f = facts_new(&x->in);
	x->sink = facts_sink(x->f);
	x->format = *log_format_find("stderr");
	x->format.prefix = prefix_new("%m [%p] ", NULL);
	x->ms = 1000;
}

/* One line of session `pid`, `gap` ms after the one before it. */
static void say(struct feed *x, int pid, int gap, const char *fmt, ...)
{
	va_list ap;

	x->ms += gap;
	text_printf(&x->lines, "2024-01-05 10:%02d:%02d.%03d UTC [%d] ", (int)(x->ms / 60000),
		(int)(x->ms / 1000 % 60), (int)(x->ms % 1000), pid);
	va_start(ap, fmt);
	text_vprintf(&x->lines, fmt, ap);
	va_end(ap);
	text_char(&x->lines, '\n');
}

static void sql(struct feed *x, int pid, int gap, const char *text)
{
	say(x, pid, gap, "LOG:  duration: 0.500 ms  statement: %s", text);
}

/* Everything said so far goes through the layers; the runs found. */
static size_t runs(struct feed *x)
{
	struct chunk c = {.p = x->lines.p, .n = x->lines.n, .line = 1};

	x->format.parse(&x->format, &c);
	x->sink.prepare(x->sink.ctx, &c);
	x->sink.commit(x->sink.ctx, c.entry.at, c.entry.n);
	facts_finish(x->f);
	VEC_RELEASE(&c.entry);
	arena_release(&c.arena);
	return x->f->run.n;
}

static void feed_release(struct feed *x)
{
	struct log_prefix *p = NULL;

	memcpy(&p, &x->format.prefix, sizeof(p));
	prefix_free(&p);
	facts_free(&x->f);
	text_release(&x->lines);
}

static const struct shape *shape_like(const struct feed *x, const char *part)
{
	for (size_t i = 0; i < x->f->shape.n; i++)
		if (str_find(x->f->shape.at[i]->norm, part) < x->f->shape.at[i]->norm.n)
			return x->f->shape.at[i];
	return NULL;
}

/* A SELECT's plan stands behind its execute, after the next parse even; a DML's before it. */
START_TEST(plans_are_no_calls_of_their_own)
{
	static const char plan[] = "plan:\n\tQuery Text: SELECT a FROM t WHERE b = $1\n\t"
				   "Seq Scan on t  (cost=0.00..1.01 rows=1 width=4)";
	static const char dml[] = "plan:\n\tQuery Text: UPDATE t SET a = $1\n\t"
				  "Update on t  (cost=0.00..1.01 rows=0 width=0)";
	struct feed x;

	feed_init(&x);
	for (int i = 0; i < 3; i++) {
		say(&x, 1, 1, "LOG:  duration: 9.000 ms  execute s1: SELECT a FROM t WHERE b = $1");
		say(&x, 1, 0, "DETAIL:  parameters: $1 = '5'");
		if (i == 1)
			say(&x, 1, 1, "LOG:  duration: 0.100 ms  parse <unnamed>: SELECT 1");
		say(&x, 1, 1, "LOG:  duration: 8.900 ms  %s", plan);
		if (i == 1)
			say(&x, 1, 1, "LOG:  duration: 0.200 ms  execute <unnamed>: SELECT 1");
		say(&x, 1, 1, "LOG:  duration: 2.900 ms  %s", dml);
		say(&x, 1, 1, "LOG:  duration: 3.000 ms  execute s2: UPDATE t SET a = $1");
	}
	/* log_statement: the text at the begin, the time only in the plan, or behind it */
	say(&x, 2, 1, "LOG:  statement: SELECT a FROM t WHERE b = 6");
	say(&x, 2, 1, "LOG:  duration: 4.000 ms  %s", plan);
	say(&x, 2, 1, "LOG:  statement: SELECT a FROM t WHERE b = 6");
	say(&x, 2, 1, "LOG:  duration: 4.000 ms  %s", plan);
	say(&x, 2, 1, "LOG:  duration: 5.000 ms");
	/* slower than the call before it: another, of which nothing else is logged */
	say(&x, 3, 1, "LOG:  duration: 1.000 ms  execute s1: SELECT a FROM t WHERE b = $1");
	say(&x, 3, 1, "LOG:  duration: 7.000 ms  %s", plan);
	runs(&x);
	ck_assert_uint_eq(shape_like(&x, "select a from t")->calls, 7);
	ck_assert_uint_eq(shape_like(&x, "select a from t")->plans, 6);
	ck_assert_uint_eq(shape_like(&x, "select a from t")->time.total, 7);
	ck_assert_uint_eq(shape_like(&x, "select a from t")->time.sum, 3 * 9000 + 9000 + 8000);
	ck_assert_uint_eq(shape_like(&x, "update t")->calls, 3);
	ck_assert_uint_eq(x.f->statements, 11);
	feed_release(&x);
}
END_TEST

/* EXECUTE by SQL: what it ran stands in a DETAIL, or (terse) in the plan alone. */
START_TEST(a_plan_of_an_execute_is_no_call_of_its_own)
{
	static const char plan[] = "plan:\n\tQuery Text: PREPARE p (int) AS\n\tSELECT a FROM t "
				   "WHERE b = $1;\n\t"
				   "Seq Scan on t  (cost=0.00..1.01 rows=1 width=4)";
	static const char detail[] =
		"DETAIL:  prepare: PREPARE p (int) AS SELECT a FROM t WHERE b = $1;";
	struct feed x;

	feed_init(&x);
	for (int terse = 0; terse < 2; terse++) {
		say(&x, 1, 1, "LOG:  duration: 2.900 ms  %s", plan);
		say(&x, 1, 0, "LOG:  duration: 3.000 ms  statement: EXECUTE p(5);");
		if (!terse)
			say(&x, 1, 0, "%s", detail);
		sql(&x, 1, 1, "SELECT 1");
		/* log_statement: before the plan, which tells the time */
		say(&x, 1, 1, "LOG:  statement: EXECUTE p(6);");
		if (!terse)
			say(&x, 1, 0, "%s", detail);
		say(&x, 1, 1, "LOG:  duration: 4.000 ms  %s", plan);
		sql(&x, 1, 1, "SELECT 1");
	}
	runs(&x);
	ck_assert_uint_eq(shape_like(&x, "select a from t")->calls, 4);
	ck_assert_uint_eq(shape_like(&x, "select a from t")->plans, 4);
	ck_assert_uint_eq(shape_like(&x, "select a from t")->time.sum, 2 * (3000 + 4000));
	ck_assert_str_eq(shape_like(&x, "select a from t")->slow[0].params, "EXECUTE p(6);");
	ck_assert_ptr_null(shape_like(&x, "prepare"));
	ck_assert_uint_eq(x.f->statements, 8);
	feed_release(&x);
}
END_TEST

START_TEST(three_durations_are_one_call)
{
	struct feed x;
	const struct shape *s;

	feed_init(&x);
	say(&x, 1, 1, "LOG:  duration: 0.100 ms  parse <unnamed>: SELECT $1");
	say(&x, 1, 0, "LOG:  duration: 0.200 ms  bind <unnamed>: SELECT $1");
	say(&x, 1, 0, "DETAIL:  parameters: $1 = '5'");
	say(&x, 1, 0, "LOG:  duration: 1.000 ms  execute <unnamed>: SELECT $1");
	say(&x, 1, 0, "DETAIL:  parameters: $1 = '5'");
	/* below the threshold but for its bind: still one call */
	say(&x, 1, 1, "LOG:  duration: 9.000 ms  bind <unnamed>: SELECT $1, 2");
	say(&x, 1, 1, "LOG:  duration: 1.000 ms  execute <unnamed>: SELECT $1");
	runs(&x);
	s = shape_like(&x, "select ?");
	ck_assert_uint_eq(s->calls, 2);
	ck_assert_uint_eq(s->time.sum, 2300);
	ck_assert_uint_eq(s->plan_usec, 300);
	ck_assert_uint_eq(shape_like(&x, "select ?, ?")->calls, 1);
	feed_release(&x);
}
END_TEST

START_TEST(a_duration_on_its_own_line_belongs_to_the_statement_before_it)
{
	struct feed x;

	feed_init(&x);
	say(&x, 1, 1, "LOG:  statement: SELECT 1");
	say(&x, 2, 1, "LOG:  statement: SELECT 2 FROM b");
	say(&x, 2, 1, "LOG:  duration: 7.000 ms");
	say(&x, 1, 1, "LOG:  duration: 5.000 ms");
	runs(&x);
	ck_assert_uint_eq(shape_like(&x, "select ?")->time.sum, 5000);
	ck_assert_uint_eq(shape_like(&x, "from b")->time.sum, 7000);
	ck_assert_uint_eq(x.f->no_duration, 0);
	feed_release(&x);
}
END_TEST

START_TEST(an_error_belongs_to_its_statement_even_interleaved)
{
	struct feed x;

	feed_init(&x);
	say(&x, 1, 1, "ERROR:  canceling statement due to statement timeout");
	say(&x, 2, 0, "LOG:  duration: 1.000 ms  statement: SELECT 2 FROM b");
	say(&x, 1, 0, "STATEMENT:  SELECT * FROM slow");
	say(&x, 1, 0, "LOG:  temporary file: path \"base/pgsql_tmp/1\", size 4096");
	say(&x, 1, 0, "STATEMENT:  SELECT * FROM slow");
	runs(&x);
	ck_assert_uint_eq(shape_like(&x, "from slow")->errors, 1);
	ck_assert_uint_eq(shape_like(&x, "from slow")->temp_bytes, 4096);
	ck_assert_uint_eq(x.f->server.cancels, 1);
	feed_release(&x);
}
END_TEST

START_TEST(a_loop_behind_a_parent_is_a_run)
{
	struct feed x;
	char q[80];

	feed_init(&x);
	for (int page = 0; page < 2; page++) {
		sql(&x, 1, 500, "SELECT * FROM posts LIMIT 7");
		for (int i = 0; i < 7; i++) {
			snprintf(q, sizeof(q), "SELECT * FROM users WHERE id = %d", page * 10 + i);
			sql(&x, 1, 1, q);
		}
	}
	ck_assert_uint_eq(runs(&x), 1);
	ck_assert_uint_eq(x.f->run.at[0].runs, 2);
	ck_assert_uint_eq(x.f->run.at[0].calls, 14);
	ck_assert_uint_eq(x.f->run.at[0].longest, 7);
	ck_assert(x.f->run.at[0].parent != NO_SHAPE);
	feed_release(&x);
}
END_TEST

START_TEST(two_statements_that_alternate_are_none)
{
	struct feed x;
	char q[80];

	feed_init(&x);
	for (int i = 0; i < 50; i++) {
		snprintf(q, sizeof(q), "SELECT * FROM sessions WHERE token = 't%d'", i);
		sql(&x, 1, 1, q);
		snprintf(q, sizeof(q), "SELECT * FROM users WHERE id = %d", i);
		sql(&x, 1, 1, q);
	}
	ck_assert_uint_eq(runs(&x), 0);
	feed_release(&x);
}
END_TEST

START_TEST(the_same_lookup_for_ever_is_none)
{
	struct feed x;
	char q[80];

	feed_init(&x);
	for (int i = 0; i < 500; i++) {
		snprintf(q, sizeof(q), "SELECT abalance FROM pgbench_accounts WHERE aid = %d", i);
		sql(&x, 1, 1, q);
	}
	ck_assert_uint_eq(runs(&x), 0);
	feed_release(&x);
}
END_TEST

START_TEST(equal_values_are_none)
{
	struct feed x;

	feed_init(&x);
	sql(&x, 1, 1, "BEGIN");
	sql(&x, 1, 1, "SELECT * FROM posts LIMIT 20");
	for (int i = 0; i < 20; i++)
		sql(&x, 1, 1, "SELECT * FROM settings WHERE id = 1");
	sql(&x, 1, 1, "COMMIT");
	ck_assert_uint_eq(runs(&x), 0);
	feed_release(&x);
}
END_TEST

START_TEST(interleaved_sessions_are_kept_apart)
{
	struct feed x;
	char q[80];

	feed_init(&x);
	for (int pid = 1; pid <= 6; pid++)
		sql(&x, pid, 1, "SELECT * FROM posts LIMIT 1");
	for (int pid = 1; pid <= 6; pid++) {
		snprintf(q, sizeof(q), "SELECT * FROM users WHERE id = %d", pid);
		sql(&x, pid, 1, q);
	}
	ck_assert_uint_eq(runs(&x), 0);
	feed_release(&x);
}
END_TEST

START_TEST(a_pause_of_the_client_ends_a_burst)
{
	struct feed x;
	char q[80];

	feed_init(&x);
	sql(&x, 1, 1, "SELECT * FROM posts LIMIT 7");
	for (int i = 0; i < 20; i++) {
		snprintf(q, sizeof(q), "SELECT * FROM users WHERE id = %d", i);
		sql(&x, 1, 900, q);
	}
	ck_assert_uint_eq(runs(&x), 0);
	feed_release(&x);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("facts");
	TCase *t = tcase_create("facts");

	tcase_add_test(t, quantiles_are_within_the_stated_error);
	tcase_add_test(t, three_durations_are_one_call);
	tcase_add_test(t, plans_are_no_calls_of_their_own);
	tcase_add_test(t, a_plan_of_an_execute_is_no_call_of_its_own);
	tcase_add_test(t, a_duration_on_its_own_line_belongs_to_the_statement_before_it);
	tcase_add_test(t, an_error_belongs_to_its_statement_even_interleaved);
	tcase_add_test(t, a_loop_behind_a_parent_is_a_run);
	tcase_add_test(t, two_statements_that_alternate_are_none);
	tcase_add_test(t, the_same_lookup_for_ever_is_none);
	tcase_add_test(t, equal_values_are_none);
	tcase_add_test(t, interleaved_sessions_are_kept_apart);
	tcase_add_test(t, a_pause_of_the_client_ends_a_burst);
	suite_add_tcase(s, t);
	SRunner *r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
