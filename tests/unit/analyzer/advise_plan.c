/* SPDX-License-Identifier: ISC
 *
 * Index DDL from a plan alone: each case a plan, and the DDL that must come of it ("" for none).
 */
#include <check.h>
#include <stdlib.h>

#include "advise.h"
#include "plan.h"
#include "sql.h"

#define SCAN(filter)                                                                               \
	"Seq Scan on t  (cost=0.00..4500.00 rows=10 width=80) "                                    \
	"(actual time=0.010..80.000 rows=10 loops=1)\n  Filter: " filter                           \
	"\n  Rows Removed by Filter: 99990\nExecution Time: 80.000 ms\n"

#define EXTREME(before, output)                                                                    \
	before "Aggregate  (cost=4500.00..4500.01 rows=1 width=8) "                                \
	       "(actual time=80.000..80.000 rows=1 loops=1)\n" output                              \
	       "  ->  Seq Scan on t  (cost=0.00..4000.00 rows=100000 width=8) "                    \
	       "(actual time=0.010..40.000 rows=100000 loops=1)\nExecution Time: 80.000 ms\n"

static const struct {
	const char *plan, *ddl;
} cases[] = {
	{SCAN("(a = 42)"), "CREATE INDEX CONCURRENTLY t_a_idx ON t (a);"},
	{SCAN("((b > 5) AND (a = 42))"), "CREATE INDEX CONCURRENTLY t_a_b_idx ON t (a, b);"},
	{SCAN("((a = ANY ('{1,2}'::integer[])) AND (b IS NULL))"),
		"CREATE INDEX CONCURRENTLY t_a_partial_idx ON t (a) WHERE b IS NULL;"},
	{SCAN("((name)::text = 'x'::text)"), "CREATE INDEX CONCURRENTLY t_name_idx ON t (name);"},
	{SCAN("(lower(name) = 'x'::text)"),
		"CREATE INDEX CONCURRENTLY t_lower_name_idx ON t (lower(name));"},
	{SCAN("((\"Name\" || 'x'::text) = 'yx'::text)"),
		"CREATE INDEX CONCURRENTLY t_name_x_text_idx ON t ((\"Name\" || 'x'::text));"},
	{SCAN("(name ~~ 'abc%'::text)"),
		"CREATE INDEX CONCURRENTLY t_name_idx ON t (name text_pattern_ops);"},
	{SCAN("(name ~~ '%abc%'::text)"),
		"CREATE INDEX CONCURRENTLY t_name_gin_idx ON t USING gin (name gin_trgm_ops);"},
	{SCAN("(j @> '{\"a\": 1}'::jsonb)"),
		"CREATE INDEX CONCURRENTLY t_j_gin_idx ON t USING gin (j jsonb_path_ops);"},
	{SCAN("(span @> 5)"), "CREATE INDEX CONCURRENTLY t_span_gist_idx ON t USING gist (span);"},
	{SCAN("(during @> '2024-02-01 12:01:00+00'::timestamp with time zone)"),
		"CREATE INDEX CONCURRENTLY t_during_gist_idx ON t USING gist (during);"},
	{SCAN("(ip << '10.7.9.0/24'::inet)"), "CREATE INDEX CONCURRENTLY t_ip_idx ON t (ip);"},
	{SCAN("(ip && '10.7.9.0/24'::inet)"),
		"CREATE INDEX CONCURRENTLY t_ip_gist_idx ON t USING gist (ip inet_ops);"},
	{SCAN("(vip AND (a = 1))"),
		"CREATE INDEX CONCURRENTLY t_a_partial_idx ON t (a) WHERE vip;"},
	{SCAN("(NOT gone)"),
		"CREATE INDEX CONCURRENTLY t_gone_partial_idx ON t (gone) WHERE NOT gone;"},
	{SCAN("((hashed SubPlan 1) AND (a = 1))"), "CREATE INDEX CONCURRENTLY t_a_idx ON t (a);"},
	{SCAN("(gone_at IS NOT NULL)"),
		"CREATE INDEX CONCURRENTLY t_gone_at_partial_idx ON t (gone_at) WHERE gone_at IS "
		"NOT NULL;"},
	{SCAN("((gone_at IS NOT NULL) AND (a = 1))"),
		"CREATE INDEX CONCURRENTLY t_a_idx ON t (a);"},
	/* the last or first entry: from VERBOSE's output, or from the statement */
	{EXTREME("", "  Output: max(at)\n"), "CREATE INDEX CONCURRENTLY t_at_idx ON t (at);"},
	{EXTREME("Query Text: select min(at) from t\n", ""),
		"CREATE INDEX CONCURRENTLY t_at_idx ON t (at);"},
	{EXTREME("", "  Output: max(at), count(*)\n"), ""},
	{EXTREME("", ""), ""},
	/* nothing an index serves, or should */
	{SCAN("(a <> 42)"), ""},
	{SCAN("((at)::date = '2024-01-01'::date)"), ""},
	{SCAN("(name ~~ '%ab'::text)"), ""},
	{SCAN("((a = 1) OR (b <> 2))"), ""},
	{SCAN("(random() < '0.5'::double precision)"), ""},
	{"Seq Scan on t  (cost=0.00..4.50 rows=10 width=80) (actual time=0.010..0.080 rows=10 "
	 "loops=1)\n  Filter: (a = 1)\n  Rows Removed by Filter: 90\n",
		""},
	{"Seq Scan on t  (cost=0.00..4500.00 rows=60000 width=80) (actual time=0.010..80.000 "
	 "rows=60000 loops=1)\n  Filter: (a = 1)\n  Rows Removed by Filter: 40000\n",
		""},
	{"Seq Scan on pg_class  (cost=0.00..4500.00 rows=1 width=80) (actual time=0.010..80.000 "
	 "rows=1 loops=1)\n  Filter: (a = 1)\n  Rows Removed by Filter: 40000\n",
		""},
	/* order */
	{"Limit  (cost=1.00..2.00 rows=10 width=80) (actual time=60.0..60.1 rows=10 loops=1)\n"
	 "  ->  Sort  (cost=1.00..2.00 rows=5000 width=80) (actual time=60.0..60.1 rows=10 "
	 "loops=1)\n        Sort Key: at DESC, id\n"
	 "        ->  Seq Scan on t  (cost=0.00..4500.00 rows=5000 width=80) (actual "
	 "time=0.010..50.000 rows=5000 loops=1)\n              Filter: (a = 1)\n"
	 "              Rows Removed by Filter: 95000\n",
		"CREATE INDEX CONCURRENTLY t_a_at_desc_id_idx ON t (a, at DESC, id);"},
	/* a partition: the index is the partitioned table's */
	{"Append  (cost=0.00..9000.00 rows=20 width=80) (actual time=0.010..80.000 rows=20 "
	 "loops=1)\n"
	 "  ->  Seq Scan on reading_y2024 reading_1  (cost=0.00..4500.00 rows=10 width=80) "
	 "(actual time=0.010..80.000 rows=10 loops=1)\n        Filter: (sensor = 7)\n"
	 "        Rows Removed by Filter: 99990\nExecution Time: 80.000 ms\n",
		"CREATE INDEX reading_sensor_idx ON reading (sensor);"},
	/* partitions below a join, the whole one known by its alias only: an index for each part */
	{"Hash Join  (cost=1.00..4000.00 rows=10 width=80) (actual time=60.0..60.1 rows=10 "
	 "loops=1)\n"
	 "  Hash Cond: (v.r_id = r.id)\n"
	 "  ->  Append  (cost=0.00..3000.00 rows=90000 width=12) (actual time=0.010..50.000 "
	 "rows=90000 loops=1)\n"
	 "        ->  Seq Scan on visit_2024 v_1  (cost=0.00..1500.00 rows=90000 width=80) (actual "
	 "time=0.010..40.000 rows=90000 loops=1)\n"
	 "  ->  Hash  (cost=0.00..45.00 rows=2 width=80) (actual time=0.1..0.1 rows=2 loops=1)\n"
	 "        ->  Index Scan using r_pkey on r  (cost=0.00..45.00 rows=2 width=80) (actual "
	 "time=0.1..0.1 rows=2 loops=1)\n              Index Cond: (id < 3)\n",
		"CREATE INDEX CONCURRENTLY visit_2024_r_id_idx ON visit_2024 (r_id);"},
	/* the order of the whole, above its parts */
	{"Limit  (cost=1.00..2.00 rows=10 width=80) (actual time=60.0..60.1 rows=10 loops=1)\n"
	 "  ->  Sort  (cost=1.00..2.00 rows=90000 width=80) (actual time=60.0..60.1 rows=10 "
	 "loops=1)\n        Sort Key: visit.at DESC\n"
	 "        ->  Append  (cost=0.00..3000.00 rows=90000 width=12) (actual time=0.010..50.000 "
	 "rows=90000 loops=1)\n"
	 "              ->  Seq Scan on visit_2024 visit_1  (cost=0.00..1500.00 rows=90000 "
	 "width=80) "
	 "(actual time=0.010..40.000 rows=90000 loops=1)\n",
		"CREATE INDEX visit_at_desc_idx ON visit (at DESC);"},
	/* an index walked whole, for its first column is not asked for; one that is searched */
	{"Index Scan using t_pkey on t  (cost=0.29..1118.30 rows=1 width=20) (actual "
	 "time=0.666..0.922 rows=1 loops=1)\n  Index Cond: (b = 1661)\nExecution Time: 0.939 ms\n",
		"CREATE INDEX CONCURRENTLY t_b_idx ON t (b);"},
	{"Index Scan using t_pkey on t  (cost=0.29..118.30 rows=100 width=20) (actual "
	 "time=0.666..0.922 rows=100 loops=1)\n  Index Cond: (a < 100)\nExecution Time: 0.939 ms\n",
		""},
	/* a subplan by its name, as PostgreSQL 19 gives it */
	{SCAN("((ANY (b = (hashed SubPlan any_1).col1)) AND (a = (InitPlan expr_2).col1))"),
		"CREATE INDEX CONCURRENTLY t_a_idx ON t (a);"},
	/* a join */
	{"Hash Join  (cost=1.00..2.00 rows=10 width=80) (actual time=60.0..60.1 rows=10 loops=1)\n"
	 "  Hash Cond: (t.x_id = x.id)\n"
	 "  ->  Seq Scan on t  (cost=0.00..4500.00 rows=100000 width=80) (actual "
	 "time=0.010..50.000 rows=100000 loops=1)\n"
	 "  ->  Hash  (cost=0.00..45.00 rows=2 width=80) (actual time=0.1..0.1 rows=2 loops=1)\n"
	 "        ->  Index Scan using x_pkey on x  (cost=0.00..45.00 rows=2 width=80) (actual "
	 "time=0.1..0.1 rows=2 loops=1)\n              Index Cond: (id < 3)\n",
		"CREATE INDEX CONCURRENTLY t_x_id_idx ON t (x_id);"},
	/* the foreign key's trigger */
	{"Delete on x  (cost=0.28..8.30 rows=0 width=0) (actual time=1.0..1.0 rows=0 loops=1)\n"
	 "  ->  Index Scan using x_pkey on x  (cost=0.28..8.30 rows=1 width=6) (actual "
	 "time=0.1..0.1 rows=1 loops=1)\n        Index Cond: (id = 1)\n"
	 "Trigger for constraint order_items_x_id_fkey: time=930.000 calls=1\n",
		"CREATE INDEX CONCURRENTLY order_items_x_id_idx ON order_items (x_id);"},
};

static int advise(void *arg)
{
	int i = *(int *)arg;
	struct arena a = {0};
	struct plan_list list = {0};
	struct candidates out = {0};
	struct str first = STR("");
	int wrong;

	plan_find(&a, str_of(cases[i].plan), &list);
	if (list.plan.n == 1)
		advise_plan(&a, list.plan.at[0], NULL, &out);
	if (out.at.n)
		first = out.at.at[0].ddl;
	wrong = list.plan.n != 1 || !str_is(first, cases[i].ddl);
	if (wrong)
		fprintf(stderr, "case %d: '%.*s'\n", i, STR_ARGS(first));
	candidates_release(&out);
	plan_list_release(&list);
	arena_release(&a);
	return wrong;
}

START_TEST(plans_ask_for_these_indexes)
{
	int i = _i;

	ck_assert_msg(sql_run_deep(advise, &i) == 0, "wanted: %s\n%s", cases[i].ddl, cases[i].plan);
}
END_TEST

static struct candidate make(const char *a, const char *b)
{
	struct candidate c = {.table = STR("t"), .method = "btree"};

	c.key[c.keys++].expr = str_of(a);
	if (b)
		c.key[c.keys++].expr = str_of(b);
	return c;
}

START_TEST(a_longer_index_replaces_its_prefix)
{
	struct candidates list = {0};
	struct candidate c = make("a", NULL);

	candidates_add(&list, &c);
	c = make("a", "b");
	candidates_add(&list, &c);
	c = make("a", NULL);
	candidates_add(&list, &c);
	ck_assert_uint_eq(list.at.n, 1);
	ck_assert_uint_eq(list.at.at[0].keys, 2);
	c = make("b", NULL);
	candidates_add(&list, &c);
	ck_assert_uint_eq(list.at.n, 2);
	candidates_release(&list);
}
END_TEST

START_TEST(long_names_are_cut_and_told_apart)
{
	struct arena a = {0};
	struct candidate c = make("a_column_with_a_rather_long_name", "another_one_that_is_longer");
	struct candidate d = make("a_column_with_a_rather_long_name", "another_one_that_is_longes");

	candidate_finish(&a, &c, true);
	candidate_finish(&a, &d, true);
	ck_assert_uint_le(c.name.n, 63);
	ck_assert(!str_eq(c.name, d.name));
	arena_release(&a);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("advise_plan");
	TCase *tc = tcase_create("advise");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, plans_ask_for_these_indexes, 0, (int)ARRAY_LEN(cases));
	tcase_add_test(tc, a_longer_index_replaces_its_prefix);
	tcase_add_test(tc, long_names_are_cut_and_told_apart);
	suite_add_tcase(s, tc);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
