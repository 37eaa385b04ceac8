/* SPDX-License-Identifier: ISC
 *
 * SHOW QUERIES tells the truth: counts are exact, sums stay true when shapes are dropped,
 * workers are merged, and an N+1 is one while its healthy neighbours are not.
 */
#include "obs_queries_inner.h"

#include <check.h>
#include <unistd.h>

static struct queries *q;
static usec_t clock_now;

static void setup(void)
{
	q = queries_new(100);
	clock_now = 1795248252000000;
}

static void teardown(void)
{
	queries_free(&q);
}

/* One statement of a client, 1 ms after the one before. */
static void run(struct queries_client *c, uint32_t tx, bool in_tx, const char *text)
{
	struct query_sample s = {.client = c,
		.user = "u",
		.database = "d",
		.application = "a",
		.text = text,
		.text_len = strlen(text),
		.transaction = tx,
		.in_transaction = in_tx,
		.weight = 1,
		.wait_us = 10,
		.server_us = 100,
		.rows = 2,
		.bytes_in = 3,
		.bytes_out = 4};

	queries_key(q, text, strlen(text), &s.key);
	clock_now += 1000;
	s.ended = clock_now;
	queries_done(q, &s);
}

static struct query_table report(enum query_table_kind kind)
{
	struct query_table t;

	queries_report(&q, 1, kind, &t);
	return t;
}

static const struct query_row *find(const struct query_table *t, const char *text)
{
	for (size_t i = 0; i < t->count; i++)
		if (strcmp(t->row[i].text, text) == 0)
			return &t->row[i];
	ck_abort_msg("no row for %s", text);
	return NULL;
}

START_TEST(literals_and_parameters_are_one_shape)
{
	struct queries_client c = {0};
	struct query_table t;
	const struct query_row *r;
	char text[64];

	for (int i = 0; i < 1000; i++) {
		snprintf(text, sizeof text, "SELECT a FROM t WHERE id = %d", i);
		run(&c, (uint32_t)i, false, text);
		run(&c, (uint32_t)i, false, "select a from t where id = $1");
		clock_now += USEC_SEC;
	}
	t = report(QUERIES_SHAPES);
	ck_assert_uint_eq(t.count, 1);
	r = find(&t, "select a from t where id = ?");
	ck_assert_uint_eq(r->s.calls, 2000);
	ck_assert_uint_eq(r->s.rows, 4000);
	ck_assert_uint_eq(r->s.bytes_in, 6000);
	ck_assert_uint_eq(r->s.bytes_out, 8000);
	ck_assert_uint_eq(r->s.errors, 0);
	ck_assert_uint_eq(r->s.server.sum, 200000);
	ck_assert_uint_eq(r->s.wait.sum, 20000);
	ck_assert_uint_eq(hist_quantile(&r->s.server, 0.5), 100);
	ck_assert_uint_eq(r->s.first, 1795248252001000);
	ck_assert_uint_eq(r->s.last, clock_now - USEC_SEC);
	query_table_release(&t);
	t = report(QUERIES_USERS);
	ck_assert_uint_eq(t.count, 1);
	ck_assert_uint_eq(find(&t, "u")->s.calls, 2000);
	query_table_release(&t);
}
END_TEST

/* What the shortcut for numbers makes of a text is what the lexer makes of it. */
START_TEST(the_skeleton_changes_no_shape)
{
	static const char *const texts[] = {"select a from t where id = %d",
		"select a from t where id=%d and b<%d", "select a from t where a ->> 'k=%d' = 'x'",
		"select a from t where b -> %d = 5", "select %d",
		"select a from t where x >= %d.%d", "select \"c=%d\" from t",
		"select a from t%d where b = %d::int", "select a from t where b like 'x=%d%%'",
		"select a from t limit %d", "select f(a => %d)",
		"select a from t where b = E'\\'=%d'", "select $$ = %d $$",
		"select a /* = %d ' */ from t where c = 'x =%d'", "select a from t where b = $%d",
		"select a -- don't = %d\nfrom t where c = %d and d = 'k = %d'",
		"select a from t where b in (%d, %d)", "select a from t where b = '%d",
		"select 1 where 1=%d--", "", "select c->>'x=%d' from t where e = %d", "values (%d)",
		"select a from t where b <= -%d or c != %d"};
	char text[200];

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		for (int v = 1; v < 200; v += 7) {
			struct query_key k;
			struct sql_shape s;
			size_t n = (size_t)snprintf(text, sizeof text, texts[i], v, v * 3, v + 1);
			sql_lex(text, n, &s, NULL, 0);
			queries_key(q, text, n, &k);
			ck_assert_msg(k.shape == s.hash, "%s", text);
			ck_assert_msg((k.values != 0) == (s.literals != 0), "%s", text);
		}
	}
}
END_TEST

/* 5,000 shapes in room for 100, hot ones among them: sums are exact, the hot ones stay. */
START_TEST(sums_stay_true_when_shapes_are_dropped)
{
	struct queries_client c = {0};
	struct query_table t;
	uint64_t calls = 0, server = 0, hot = 0;
	char text[64];

	for (int i = 0; i < 5000; i++) {
		snprintf(text, sizeof text, "select c%d from t", i);
		run(&c, 1, false, text);
		for (int k = 0; k < 5; k++) {
			snprintf(text, sizeof text, "select hot%d from t where id = %d", k, i);
			run(&c, 1, false, text);
		}
	}
	t = report(QUERIES_SHAPES);
	ck_assert_uint_le(t.count, 101);
	ck_assert(t.row[t.count - 1].other);
	ck_assert_str_eq(t.row[t.count - 1].text, "other");
	for (size_t i = 0; i < t.count; i++) {
		calls += t.row[i].s.calls;
		server += t.row[i].s.server.sum;
		ck_assert_uint_eq(t.row[i].s.server.count, t.row[i].s.calls);
		if (strncmp(t.row[i].text, "select hot", 10) == 0) {
			ck_assert_uint_eq(t.row[i].s.calls, 5000);
			hot++;
		}
	}
	ck_assert_uint_eq(calls, 30000);
	ck_assert_uint_eq(server, 3000000);
	ck_assert_uint_eq(hot, 5);
	query_table_release(&t);
}
END_TEST

START_TEST(a_dropped_shape_comes_back_by_its_text)
{
	struct queries_client c = {0};
	struct query_sample s = {.client = &c,
		.text = "select old from t",
		.text_len = 17,
		.weight = 1,
		.ended = clock_now};
	struct query_table t;
	char text[64];

	queries_key(q, s.text, s.text_len, &s.key);
	for (int i = 0; i < 1000; i++) {
		snprintf(text, sizeof text, "select c%d from t", i);
		run(&c, 1, false, text);
	}
	queries_done(q, &s);
	t = report(QUERIES_SHAPES);
	ck_assert_uint_eq(find(&t, "select old from t")->s.calls, 1);
	query_table_release(&t);
}
END_TEST

START_TEST(a_loop_in_a_transaction_is_an_n_plus_one)
{
	struct queries_client c = {0};
	struct query_table t;
	const struct query_row *r;
	char text[64];

	for (uint32_t tx = 1; tx <= 3; tx++) {
		run(&c, tx, true, "begin");
		run(&c, tx, true, "select id from orders limit 20");
		for (int i = 0; i < 20; i++) {
			snprintf(text, sizeof text, "select * from items where order_id = %d", i);
			run(&c, tx, true, text);
			snprintf(text, sizeof text, "select * from products where id = %d", i * 7);
			run(&c, tx, true, text);
		}
		run(&c, tx, true, "commit");
	}
	t = report(QUERIES_SHAPES);
	r = find(&t, "select * from items where order_id = ?");
	ck_assert_uint_eq(r->runs, 3);
	ck_assert_uint_eq(r->run_calls, 60);
	ck_assert_uint_eq(r->run_longest, 20);
	ck_assert_uint_eq(r->before, find(&t, "select id from orders limit ?")->shape);
	r = find(&t, "select * from products where id = ?");
	ck_assert_uint_eq(r->runs, 3);
	ck_assert_uint_eq(find(&t, "select id from orders limit ?")->runs, 0);
	query_table_release(&t);
}
END_TEST

START_TEST(a_loop_in_autocommit_is_one_too)
{
	struct queries_client c = {0};
	struct query_table t;
	const struct query_row *r;
	char text[64];
	uint32_t tx = 0;

	run(&c, ++tx, false, "select id from orders");
	for (int i = 0; i < 8; i++) {
		snprintf(text, sizeof text, "select * from items where order_id = %d", i);
		run(&c, ++tx, false, text);
	}
	t = report(QUERIES_SHAPES);
	r = find(&t, "select * from items where order_id = ?");
	ck_assert_uint_eq(r->runs, 1);
	ck_assert_uint_eq(r->run_calls, 8);
	query_table_release(&t);
}
END_TEST

START_TEST(healthy_clients_have_none)
{
	struct queries_client c[8];
	struct query_table t;
	char text[64];
	uint32_t tx = 0;

	memset(c, 0, sizeof c);
	for (int i = 0; i < 50; i++) {
		/* one statement for ever */
		snprintf(text, sizeof text, "select a from t where id = %d", i);
		run(&c[0], ++tx, false, text);
		/* two in turn, under load */
		snprintf(text, sizeof text, "select b from t where id = %d", i);
		run(&c[1], ++tx, false, text);
		snprintf(text, sizeof text, "select c from t where id = %d", i);
		run(&c[1], ++tx, false, text);
		/* pgbench's transaction */
		++tx;
		run(&c[2], tx, true, "begin");
		run(&c[2], tx, true, "update t set a = 1 where id = 5");
		snprintf(text, sizeof text, "select d from t where id = %d", i);
		run(&c[2], tx, true, text);
		run(&c[2], tx, true, "commit");
		/* pauses between */
		run(&c[3], ++tx, false, "select 1 from t");
		snprintf(text, sizeof text, "select e from t where id = %d", i);
		run(&c[3], tx, false, text);
		clock_now += USEC_SEC;
	}
	/* batches and the same again and again */
	++tx;
	for (int i = 0; i < 50; i++) {
		if (i == 0)
			run(&c[4], tx, true, "select id from t limit 3");
		run(&c[4], tx, true, "select f from t where id = 17");
		snprintf(text, sizeof text, "select g from t where id in (%d, %d)", i, i + 1);
		run(&c[4], tx, true, text);
		snprintf(text, sizeof text, "select h from t where id = %d for update", i);
		run(&c[4], tx, true, text);
		snprintf(text, sizeof text, "insert into t values (%d)", i);
		run(&c[4], tx, true, text);
	}
	t = report(QUERIES_SHAPES);
	for (size_t i = 0; i < t.count; i++)
		ck_assert_msg(t.row[i].runs == 0, "%s", t.row[i].text);
	query_table_release(&t);
}
END_TEST

START_TEST(reset_forgets_everything)
{
	struct queries_client c = {0};
	struct query_table t;

	run(&c, 1, false, "select 1");
	queries_reset(q);
	t = report(QUERIES_SHAPES);
	ck_assert_uint_eq(t.count, 0);
	query_table_release(&t);
	run(&c, 2, false, "select 2, 3");
	t = report(QUERIES_SHAPES);
	ck_assert_uint_eq(t.count, 1);
	ck_assert_uint_eq(t.row[0].s.calls, 1);
	query_table_release(&t);
	t = report(QUERIES_APPLICATIONS);
	ck_assert_uint_eq(find(&t, "a")->s.calls, 1);
	query_table_release(&t);
}
END_TEST

START_TEST(groups_are_bounded)
{
	struct query_table t;
	uint64_t calls = 0;
	char app[32];

	for (int i = 0; i < 3000; i++) {
		struct queries_client c = {0};
		struct query_sample s = {.client = &c, .application = app, .weight = 1, .ended = 1};
		snprintf(app, sizeof app, "worker-%d", i);
		queries_done(q, &s);
	}
	t = report(QUERIES_APPLICATIONS);
	ck_assert_uint_eq(t.count, GROUP_MAX + 1);
	for (size_t i = 0; i < t.count; i++)
		calls += t.row[i].s.calls;
	ck_assert_uint_eq(calls, 3000);
	query_table_release(&t);
	t = report(QUERIES_DATABASES); /* no name known */
	ck_assert_uint_eq(t.count, 1);
	query_table_release(&t);
}
END_TEST

START_TEST(a_sample_counts_for_all)
{
	unsigned wanted = 0;

	for (uint64_t client = 0; client < 100; client++)
		for (uint32_t tx = 0; tx < 1000; tx++)
			wanted += queries_wants(QUERIES_SAMPLE, client, tx);
	ck_assert_uint_gt(wanted * QUERIES_SAMPLE_WEIGHT, 95000);
	ck_assert_uint_lt(wanted * QUERIES_SAMPLE_WEIGHT, 105000);
	ck_assert(!queries_wants(QUERIES_OFF, 1, 1));
	ck_assert(queries_wants(QUERIES_ALL, 1, 1));
}
END_TEST

/* Workers count while somebody reads and resets: nothing breaks (TSan looks), and without a
 * reset nothing is lost. */
struct worker_arg {
	struct queries *q;
	unsigned id;
};

static void *work(void *arg)
{
	struct worker_arg *a = arg;
	struct queries_client c = {0};
	char text[64];

	for (unsigned i = 0; i < 20000; i++) {
		struct query_sample s = {.client = &c,
			.user = "u",
			.database = "d",
			.text = text,
			.weight = 1,
			.ended = i,
			.server_us = i % 1000};
		s.text_len = (size_t)snprintf(text, sizeof text, "select c%u from t where id = %u",
			i % 40, i);
		queries_key(a->q, text, s.text_len, &s.key);
		queries_done(a->q, &s);
	}
	return NULL;
}

START_TEST(workers_are_one_table)
{
	struct worker_arg a[3];
	struct queries *qs[3];
	pthread_t t[3];
	struct query_table table;
	uint64_t calls = 0;

	for (unsigned i = 0; i < 3; i++) {
		qs[i] = queries_new(60);
		a[i] = (struct worker_arg){qs[i], i};
		ck_assert_int_eq(pthread_create(&t[i], NULL, work, &a[i]), 0);
	}
	for (int k = 0; k < 50; k++) {
		queries_report(qs, 3, k % 2 ? QUERIES_SHAPES : QUERIES_USERS, &table);
		query_table_release(&table);
		if (_i && k % 10 == 0)
			queries_reset(qs[k % 3]);
		usleep(500);
	}
	for (unsigned i = 0; i < 3; i++)
		pthread_join(t[i], NULL);
	queries_report(qs, 3, QUERIES_SHAPES, &table);
	for (size_t i = 0; i < table.count; i++)
		calls += table.row[i].s.calls;
	if (_i == 0)
		ck_assert_uint_eq(calls, 60000);
	ck_assert_uint_le(table.count, 41);
	for (size_t i = 1; i < table.count && !table.row[i].other; i++)
		ck_assert_uint_le(table.row[i].s.server.sum, table.row[i - 1].s.server.sum);
	query_table_release(&table);
	for (unsigned i = 0; i < 3; i++)
		queries_free(&qs[i]);
}
END_TEST

START_TEST(every_column_has_a_value)
{
	struct queries_client c = {0};
	struct query_table t;
	struct buf b = {0};

	run(&c, 1, false, "select 1");
	t = report(QUERIES_SHAPES);
	for (size_t i = 0; i < query_column_count; i++) {
		b.len = 0;
		query_cell(&t.row[0], i, &b);
		if (query_columns[i].number) {
			ck_assert_uint_gt(b.len, 0);
			ck_assert_uint_eq(strspn(buf_cstr(&b), "0123456789"), b.len);
		}
		if (strcmp(query_columns[i].name, "shape") == 0)
			ck_assert_uint_eq(b.len, 16);
		if (strcmp(query_columns[i].name, "server_us_total") == 0)
			ck_assert_str_eq(buf_cstr(&b), "100");
		if (strcmp(query_columns[i].name, "wait_us_max") == 0)
			ck_assert_str_eq(buf_cstr(&b), "10");
	}
	buf_free(&b);
	query_table_release(&t);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("obs_queries");
	TCase *t = tcase_create("queries");
	SRunner *r;
	int failed;

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, literals_and_parameters_are_one_shape);
	tcase_add_test(t, the_skeleton_changes_no_shape);
	tcase_add_test(t, sums_stay_true_when_shapes_are_dropped);
	tcase_add_test(t, a_dropped_shape_comes_back_by_its_text);
	tcase_add_test(t, a_loop_in_a_transaction_is_an_n_plus_one);
	tcase_add_test(t, a_loop_in_autocommit_is_one_too);
	tcase_add_test(t, healthy_clients_have_none);
	tcase_add_test(t, reset_forgets_everything);
	tcase_add_test(t, groups_are_bounded);
	tcase_add_test(t, a_sample_counts_for_all);
	tcase_add_loop_test(t, workers_are_one_table, 0, 2);
	tcase_add_test(t, every_column_has_a_value);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? 1 : 0;
}
