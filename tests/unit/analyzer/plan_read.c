/* SPDX-License-Identifier: ISC
 *
 * Reading plans: the four formats of one plan give one tree, every habit of pasting gives the
 * plan that was pasted, and what is no plan gives none.
 */
#include <check.h>
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "plan.h"

static struct arena arena;
static struct plan_list found;

static void read_text(const char *text)
{
	plan_list_release(&found);
	arena_reset(&arena);
	plan_find(&arena, str_of(text), &found);
}

static void read_file(const char *folder, const char *name)
{
	struct text path = {0}, text = {0};
	char bytes[4096];
	size_t n;
	FILE *f;

	text_printf(&path, "%s/%s", folder, name);
	f = fopen(path.p, "r");
	ck_assert_msg(f != NULL, "%s", path.p);
	while ((n = fread(bytes, 1, sizeof(bytes), f)) > 0)
		text_add(&text, bytes, n);
	fclose(f);
	plan_list_release(&found);
	plan_find(&arena, text_slice(&text), &found);
	text_release(&text);
	text_release(&path);
}

static bool same_number(double a, double b)
{
	return fabs(plan_num(a) - plan_num(b)) < 0.0051;
}

/* Empty when the trees are the same, else what differs first. */
static struct str difference(const struct plan_node *a, const struct plan_node *b)
{
	struct str title = plan_title(&arena, a), t;

#define X(field, key)                                                                              \
	if (!same_number(a->field, b->field))                                                      \
		return arena_printf(&arena, "%.*s: %s %g, %g", STR_ARGS(title), key, a->field,     \
			b->field);
	PLAN_NUMBERS(X)
#undef X
#define X(field, key)                                                                              \
	if (!str_eq(a->field, b->field) && strcmp(key, "Parent Relationship") != 0 &&              \
		strcmp(key, "Partial Mode") != 0)                                                  \
		return arena_printf(&arena, "%.*s: %s '%.*s', '%.*s'", STR_ARGS(title), key,       \
			STR_ARGS(a->field), STR_ARGS(b->field));
	PLAN_STRINGS(X)
#undef X
	if (a->prop.n != b->prop.n || a->children != b->children || a->is_never != b->is_never)
		return arena_printf(&arena, "%.*s: %zu and %zu properties, %zu and %zu children",
			STR_ARGS(title), a->prop.n, b->prop.n, a->children, b->children);
	for (size_t i = 0; i < a->prop.n; i++) {
		const char *key = arena_cstr(&arena, a->prop.at[i].key);

		if (!str_eq(plan_get(&arena, a, key), plan_get(&arena, b, key)))
			return arena_printf(&arena, "%.*s: %s", STR_ARGS(title), key);
	}
	for (size_t i = 0; i < a->children; i++) {
		t = difference(a->child[i], b->child[i]);
		if (t.n)
			return t;
	}
	return STR_NONE;
}

static size_t for_each(const char *folder, void (*check)(const char *folder, const char *name))
{
	DIR *dir = opendir(folder);
	struct dirent *entry;
	size_t n = 0;

	ck_assert_msg(dir != NULL, "run from the root of the tree");
	while ((entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		check(folder, entry->d_name);
		n++;
	}
	closedir(dir);
	return n;
}

static void check_formats(const char *folder, const char *name)
{
	read_file(folder, name);
	ck_assert_msg(found.plan.n == 4 && found.broken == 0, "%s: %zu plans, %s", name,
		found.plan.n, found.why.text);
	for (size_t i = 1; i < 4; i++) {
		struct str d = difference(found.plan.at[0]->root, found.plan.at[i]->root);

		ck_assert_uint_eq(found.plan.at[i]->format, i);
		ck_assert_msg(d.n == 0, "%s: text and format %zu: %.*s", name, i, STR_ARGS(d));
	}
}

START_TEST(four_formats_give_one_tree)
{
	ck_assert_uint_gt(for_each("tests/golden/plan/formats", check_formats), 30);
}
END_TEST

static void check_paste(const char *folder, const char *name)
{
	static struct plan *plain;
	struct str d;

	read_file(folder, "plain.txt");
	ck_assert_uint_eq(found.plan.n, 1);
	plain = found.plan.at[0];
	read_file(folder, name);
	ck_assert_msg(found.plan.n == 1 && found.broken == 0, "%s: %zu plans, %s", name,
		found.plan.n, found.why.text);
	d = difference(plain->root, found.plan.at[0]->root);
	ck_assert_msg(d.n == 0, "%s: %.*s", name, STR_ARGS(d));
}

START_TEST(pastes_give_the_plan_that_was_pasted)
{
	ck_assert_uint_gt(for_each("tests/golden/plan/pastes", check_paste), 20);
}
END_TEST

START_TEST(log_line_and_statement_belong_to_the_plan)
{
	read_file("tests/golden/plan/pastes", "log.txt");
	ck_assert_double_eq(found.plan.at[0]->duration_ms, 39.811);
	ck_assert(str_starts(found.plan.at[0]->query, "select c.email, count(*)\nfrom"));
}
END_TEST

static const char *const no_plans[] = {
	"",
	"\n\n",
	"hello",
	"{\"a\": [1, 2, {\"b\": null}]}",
	"[]",
	"SELECT * FROM t WHERE a = (SELECT 1);\n",
	"Limit\n\nA limit is a limit.\n",
	"Hash: the order of things\n",
	"<html><body>Seq</body></html>",
	"2024-01-01 LOG:  duration: 1.0 ms  statement: SELECT 1\n",
	"- a: b\n- c: d\n",
	"\"\"\"\"",
	"(((((((\n",
};

START_TEST(what_is_no_plan_gives_none)
{
	read_text(no_plans[_i]);
	ck_assert_uint_eq(found.plan.n, 0);
	ck_assert_uint_eq(found.broken, 0);
}
END_TEST

START_TEST(unknown_nodes_are_kept)
{
	const struct plan_node *n;

	read_text("Custom Scan (ChunkAppend) on conditions  (cost=0.00..10.00 rows=5 width=8)\n"
		  "  Chunks excluded during startup: 3\n"
		  "  ->  Quantum Scan on q x  (cost=0.00..10.00 rows=5 width=8)\n"
		  "        Entanglement: high\n");
	ck_assert_uint_eq(found.plan.n, 1);
	n = found.plan.at[0]->root;
	ck_assert(str_is(n->provider, "ChunkAppend"));
	ck_assert(str_is(plan_title(&arena, n->child[0]), "Quantum Scan on q x"));
	ck_assert(str_is(plan_get(&arena, n->child[0], "Entanglement"), "high"));
}
END_TEST

START_TEST(postgresql_18_and_9)
{
	const struct plan_node *n;

	read_text("Nested Loop  (cost=0.29..8.33 rows=1 width=8) "
		  "(actual time=0.01..0.02 rows=1.00 loops=1)\n"
		  "  Disabled: true\n"
		  "  ->  Index Scan using i on t  (cost=0.29..8.30 rows=1 width=4) "
		  "(actual time=0.010..0.011 rows=0.33 loops=300)\n"
		  "        Index Cond: (id = 5)\n"
		  "        Index Searches: 300\n"
		  "Planning Time: 0.1 ms\nExecution Time: 4.5 ms\n");
	n = found.plan.at[0]->root;
	ck_assert(n->is_disabled);
	ck_assert_double_eq_tol(n->child[0]->all_rows, 99, 1e-6);
	ck_assert_double_eq_tol(n->child[0]->all_rows_err, 1.5, 1e-6);
	ck_assert_double_eq(n->child[0]->index_searches, 300);
	read_text("Seq Scan on t  (cost=0.00..1.00 rows=1 width=4) (actual time=0.0..0.1 rows=1 "
		  "loops=1)\nTotal runtime: 0.12 ms\n");
	ck_assert_double_eq(found.plan.at[0]->elapsed_ms, 0.12);
}
END_TEST

START_TEST(parts_and_broken_lines)
{
	/* a part of a plan, from an arrow on */
	read_text("   ->  Sort  (cost=1.00..2.00 rows=3 width=4)\n"
		  "         Sort Key: a\n"
		  "         ->  Seq Scan on t  (cost=0.00..1.00 rows=3 width=4)\n");
	ck_assert_uint_eq(found.plan.n, 1);
	ck_assert_uint_eq(found.plan.at[0]->nodes, 2);
	/* single quotes around lines, as pgAdmin III copied them */
	read_text("'Limit  (cost=0.00..1.00 rows=3 width=4)'\n"
		  "'  ->  Seq Scan on t  (cost=0.00..1.00 rows=3 width=4)'\n"
		  "'        Filter: (s = 'x'::text)'\n");
	ck_assert_uint_eq(found.plan.n, 1);
	ck_assert(str_is(plan_get(&arena, found.plan.at[0]->node[1], "Filter"), "(s = 'x'::text)"));
	/* measures broken in the middle of words and numbers */
	read_text("Seq Scan on t  (cos\nt=1.25..2.5\n0 rows=7 wid\nth=4) (actu\nal "
		  "time=1.5\n00..2.500 "
		  "\nrows=7 loops=1)\n");
	ck_assert_uint_eq(found.plan.n, 1);
	ck_assert_double_eq(found.plan.at[0]->root->total_cost, 2.5);
	ck_assert_double_eq(found.plan.at[0]->root->total_ms, 2.5);
	/* without costs, the first line below the root is a subplan's label */
	read_text("Limit\n  InitPlan 1 (returns $0)\n    ->  Result\n  ->  Seq Scan on t\n");
	ck_assert_uint_eq(found.plan.n, 1);
	ck_assert_uint_eq(found.plan.at[0]->nodes, 3);
}
END_TEST

START_TEST(what_belongs_to_workers_and_to_the_plan)
{
	const struct plan *p;

	read_text(
		"Gather  (cost=1.00..2.00 rows=3 width=4) (actual time=1.0..2.0 rows=3 loops=1)\n"
		"  Workers Launched: 1\n"
		"  ->  Parallel Seq Scan on t  (cost=1.00..2.00 rows=3 width=4) (actual "
		"time=1.0..2.0 rows=2 loops=2)\n"
		"        Buffers: shared hit=5\n"
		"        Worker 0:  actual time=1.0..2.0 rows=1 loops=1\n"
		"          JIT:\n"
		"            Functions: 4\n"
		"            Timing: Generation 1.0 ms, Inlining 0.0 ms, Optimization 1.0 ms, "
		"Emission 1.0 ms, Total 3.0 ms\n"
		"        ->  Result  (cost=0.00..0.01 rows=1 width=4) (actual time=0.1..0.1 rows=1 "
		"loops=2)\n"
		"              Storage: Memory  Maximum Storage: 17kB\n"
		"Serialization: time=0.1 ms  output=1kB  format=text\n"
		"  Buffers: shared hit=99\n"
		"Execution Time: 2.5 ms\n");
	ck_assert_uint_eq(found.plan.n, 1);
	p = found.plan.at[0];
	ck_assert_uint_eq(p->nodes, 3);
	ck_assert(isnan(p->jit_ms));
	ck_assert_double_eq(p->node[1]->hit, 5);
	ck_assert(isnan(p->node[2]->hit));
	ck_assert_double_eq(p->node[2]->storage_kb, 17);
	ck_assert_double_eq(p->execution_ms, 2.5);
}
END_TEST

START_TEST(times_are_exclusive)
{
	struct plan *p;

	read_text("Nested Loop  (cost=0.00..100.00 rows=10 width=8) "
		  "(actual time=1.000..100.000 rows=10 loops=1)\n"
		  "  CTE c\n"
		  "    ->  Seq Scan on a  (cost=0.00..10.00 rows=10 width=8) "
		  "(actual time=0.010..30.000 rows=10 loops=1)\n"
		  "  InitPlan 2 (returns $1)\n"
		  "    ->  Seq Scan on b  (cost=0.00..10.00 rows=10 width=8) "
		  "(actual time=0.010..5.000 rows=1 loops=1)\n"
		  "  ->  CTE Scan on c  (cost=0.00..10.00 rows=10 width=8) "
		  "(actual time=0.010..40.000 rows=10 loops=1)\n"
		  "        Filter: (x > $1)\n"
		  "  ->  Index Scan using i on t  (cost=0.00..1.00 rows=1 width=8) "
		  "(actual time=0.010..4.000 rows=1 loops=10)\n"
		  "Execution Time: 101.000 ms\n");
	p = found.plan.at[0];
	ck_assert_uint_eq(p->nodes, 5);
	ck_assert_double_eq_tol(p->node[0]->self_ms, 20, 1e-6); /* 100 - 40 - 40 */
	ck_assert_double_eq_tol(p->node[1]->self_ms, 30, 1e-6);
	ck_assert_double_eq_tol(p->node[3]->self_ms, 5, 1e-6); /* 40 - 30 (CTE) - 5 ($1) */
	ck_assert_double_eq_tol(p->node[4]->self_ms, 40, 1e-6);
}
END_TEST

START_TEST(workers_share_their_time)
{
	struct plan *p;

	read_text("Gather  (cost=0.00..100.00 rows=10 width=8) "
		  "(actual time=1.000..110.000 rows=9 loops=1)\n"
		  "  Workers Planned: 2\n  Workers Launched: 2\n"
		  "  ->  Parallel Seq Scan on a  (cost=0.00..10.00 rows=10 width=8) "
		  "(actual time=0.010..100.000 rows=3 loops=3)\n"
		  "        Worker 0:  actual time=0.010..90.000 rows=1 loops=1\n"
		  "          Buffers: shared hit=5\n"
		  "        Worker 1:  actual time=0.010..95.000 rows=2 loops=1\n");
	p = found.plan.at[0];
	ck_assert_double_eq_tol(p->node[1]->wall_ms, 100, 1e-6);
	ck_assert_double_eq_tol(p->node[0]->self_ms, 10, 1e-6);
	ck_assert_uint_eq(p->node[1]->worker.n, 2);
	ck_assert_double_eq(p->node[1]->all_rows, 9);
	ck_assert_double_eq(plan_num(p->node[1]->hit), 0);
}
END_TEST

static size_t plans_seen;
static int last_line;

static void count_plan(void *ctx, struct arena *a, struct plan *p)
{
	(void)ctx;
	(void)a;
	ck_assert_uint_eq(p->nodes, 1);
	ck_assert_int_eq(p->line, last_line + 3);
	last_line = p->line;
	plans_seen++;
}

START_TEST(long_logs_are_read_in_parts)
{
	struct text t = {0};
	struct plan_counts counts;
	size_t n = 60000;

	for (size_t i = 0; i < n; i++)
		text_printf(&t,
			"2024-01-01 00:00:00 UTC [1] LOG:  duration: %zu.5 ms  plan:\n"
			"\t{\"Query Text\": \"select 'a\\\"{'\", \"Plan\": {\"Node Type\": "
			"\"Result\", \"Actual Rows\": 1, \"Actual Loops\": 1}}\n"
			"2024-01-01 00:00:00 UTC [1] LOG:  checkpoint starting: time\n",
			i);
	last_line = -1;
	plan_each(text_slice(&t), count_plan, NULL, &counts);
	ck_assert_uint_eq(counts.plans, n);
	ck_assert_uint_eq(counts.broken, 0);
	ck_assert_uint_eq(plans_seen, n);
	text_release(&t);
}
END_TEST

START_TEST(broken_plans_are_counted)
{
	read_text("[{\"Plan\": {\"Node Type\": \"Seq Scan\", \"Rel");
	ck_assert_uint_eq(found.plan.n, 0);
	ck_assert_uint_eq(found.broken, 1);
	read_text("<explain><Query><Plan><Node-Type>Sort</Node-Type>");
	ck_assert_uint_eq(found.broken, 1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("plan_read");
	TCase *tc = tcase_create("read");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, parts_and_broken_lines);
	tcase_add_test(tc, what_belongs_to_workers_and_to_the_plan);
	tcase_add_test(tc, four_formats_give_one_tree);
	tcase_add_test(tc, pastes_give_the_plan_that_was_pasted);
	tcase_add_test(tc, log_line_and_statement_belong_to_the_plan);
	tcase_add_loop_test(tc, what_is_no_plan_gives_none, 0, (int)ARRAY_LEN(no_plans));
	tcase_add_test(tc, unknown_nodes_are_kept);
	tcase_add_test(tc, postgresql_18_and_9);
	tcase_add_test(tc, times_are_exclusive);
	tcase_add_test(tc, workers_share_their_time);
	tcase_add_test(tc, long_logs_are_read_in_parts);
	tcase_add_test(tc, broken_plans_are_counted);
	suite_add_tcase(s, tc);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
