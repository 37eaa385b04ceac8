/* SPDX-License-Identifier: ISC
 *
 * The plan rules against their own manual: each rule's bad plan fires it, its near miss does
 * not; the four formats of a plan give the same findings.
 */
#include <check.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "plan_rule.h"

static struct arena arena;

static struct plan_findings check_text(struct str text, size_t which, size_t *plans)
{
	struct plan_list list = {0};
	struct plan_findings found = {0};

	plan_find(&arena, text, &list);
	*plans = list.plan.n;
	if (which < list.plan.n)
		plan_check(&arena, list.plan.at[which], &found);
	plan_list_release(&list);
	return found;
}

static bool fires(const struct plan_rule *rule, const char *plan)
{
	size_t plans;
	struct plan_findings found = check_text(str_of(plan), 0, &plans);
	bool is_there = false;

	ck_assert_msg(plans == 1, "%s: not one plan: %s", rule->id, plan);
	for (size_t i = 0; i < found.at.n; i++) {
		is_there |= found.at.at[i].rule == rule;
		ck_assert(found.at.at[i].message.n > 0);
	}
	plan_findings_release(&found);
	return is_there;
}

START_TEST(every_rule_fires_on_its_example_only)
{
	size_t n = 0;

	for (const struct plan_rule *r = plan_rules; r->id; r++, n++) {
		ck_assert(r->title[0] && r->why[0] && r->fix[0]);
		if (r->check == NULL)
			continue;
		ck_assert_msg(fires(r, r->bad), "%s does not fire", r->id);
		ck_assert_msg(!fires(r, r->good), "%s fires on its near miss", r->id);
	}
	ck_assert_uint_eq(n, 45);
}
END_TEST

static struct str read_whole(const char *folder, const char *name)
{
	struct text path = {0}, text = {0};
	char bytes[4096];
	size_t n;
	struct str s;
	FILE *f;

	text_printf(&path, "%s/%s", folder, name);
	f = fopen(path.p, "r");
	ck_assert(f != NULL);
	while ((n = fread(bytes, 1, sizeof(bytes), f)) > 0)
		text_add(&text, bytes, n);
	fclose(f);
	s = arena_str(&arena, text_slice(&text));
	text_release(&text);
	text_release(&path);
	return s;
}

START_TEST(four_formats_give_the_same_findings)
{
	static const char folder[] = "tests/golden/plan/formats";
	DIR *dir = opendir(folder);
	struct dirent *entry;
	size_t seen = 0;

	ck_assert_msg(dir != NULL, "run from the root of the tree");
	while ((entry = readdir(dir)) != NULL) {
		struct str text;
		size_t plans;
		struct plan_findings first;

		if (entry->d_name[0] == '.')
			continue;
		text = read_whole(folder, entry->d_name);
		first = check_text(text, 0, &plans);
		seen += first.at.n;
		for (size_t i = 1; i < 4; i++) {
			struct plan_findings f = check_text(text, i, &plans);

			ck_assert_msg(f.at.n == first.at.n, "%s, format %zu: %zu and %zu findings",
				entry->d_name, i, first.at.n, f.at.n);
			for (size_t k = 0; k < f.at.n; k++) {
				ck_assert_str_eq(f.at.at[k].rule->id, first.at.at[k].rule->id);
				ck_assert_msg(str_eq(f.at.at[k].message, first.at.at[k].message),
					"%s: '%.*s' and '%.*s'", entry->d_name,
					STR_ARGS(first.at.at[k].message),
					STR_ARGS(f.at.at[k].message));
			}
			plan_findings_release(&f);
		}
		plan_findings_release(&first);
	}
	closedir(dir);
	ck_assert_uint_gt(seen, 10);
}
END_TEST

/* A LIMIT of 100 over a scan that found 7: the scan was read whole. */
START_TEST(a_limit_that_was_not_met_cut_nothing_short)
{
	static const struct {
		const char *planned, *got;
		bool is_cut;
	} cases[] = {{"100", "7", false}, {"100", "100", true}, {"500", "7", true}}; /* LIMIT $1 */

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct plan_list found = {0};
		struct str text = arena_printf(&arena,
			"Limit  (cost=0.00..9.00 rows=%s width=4) (actual time=0.1..9.0 rows=%s "
			"loops=1)\n"
			"  ->  Seq Scan on t  (cost=0.00..90.00 rows=5000 width=4) (actual "
			"time=0.1..9.0 rows=%s loops=1)\n"
			"        Filter: (a = 1)\n",
			cases[i].planned, cases[i].got, cases[i].got);

		plan_find(&arena, text, &found);
		ck_assert_uint_eq(found.plan.n, 1);
		ck_assert(is_cut_short(found.plan.at[0]->node[1]) == cases[i].is_cut);
		plan_list_release(&found);
	}
}
END_TEST

/* Judged by hand on real plans: what fires, once, and with which word or statement. */
START_TEST(real_plans)
{
	static const struct {
		const char *what, *rule;
		size_t times;
		const char *says; /* a part of message, advice or SQL; NULL: nothing to say */
		const char *plan;
	} cases[] = {
		{"partitions are one table", "PL001", 1, "and 2 partitions beside it",
			"Append  (cost=0.00..900.00 rows=3 width=8) (actual time=1.000..90.000 "
			"rows=3 loops=1)\n"
			"  ->  Seq Scan on t_a t_1  (cost=0.00..300.00 rows=1 width=8) (actual "
			"time=0.000..30.000 rows=1 loops=1)\n"
			"        Filter: (lower(k) = 'x'::text)\n        Rows Removed by Filter: "
			"50000\n"
			"  ->  Seq Scan on t_b t_2  (cost=0.00..300.00 rows=1 width=8) (actual "
			"time=0.000..30.000 rows=1 loops=1)\n"
			"        Filter: (lower(k) = 'x'::text)\n        Rows Removed by Filter: "
			"50000\n"
			"  ->  Seq Scan on t_c t_3  (cost=0.00..300.00 rows=1 width=8) (actual "
			"time=0.000..29.000 rows=1 loops=1)\n"
			"        Filter: (lower(k) = 'x'::text)\n        Rows Removed by Filter: "
			"50000\n"
			"Execution Time: 90.0 ms\n"},
		{"an estimate of partitions that is right in sum", "PL005", 0, NULL,
			"Append  (cost=0.00..900.00 rows=400 width=8) (actual time=1.000..90.000 "
			"rows=700 loops=1)\n"
			"  ->  Seq Scan on t_a t_1  (cost=0.00..300.00 rows=200 width=8) (actual "
			"time=0.000..30.000 rows=0 loops=1)\n"
			"        Filter: (k = 1)\n        Rows Removed by Filter: 50000\n"
			"  ->  Seq Scan on t_b t_2  (cost=0.00..300.00 rows=200 width=8) (actual "
			"time=0.000..30.000 rows=700 loops=1)\n"
			"        Filter: (k = 1)\n        Rows Removed by Filter: 50000\n"
			"Execution Time: 90.0 ms\n"},
		{"statistics of an expression", "PL005", 1,
			"CREATE STATISTICS stats_t_expression ON ((at)::date) FROM t; ANALYZE t;",
			"Seq Scan on t  (cost=0.00..300.00 rows=5 width=8) (actual "
			"time=0.000..30.000 rows=9000 loops=1)\n"
			"  Filter: ((at)::date = '2024-03-05'::date)\n  Rows Removed by Filter: "
			"50\n"},
		{"columns and expressions together", "IX010", 1, "ON lang, (karma % 10) FROM users",
			"Seq Scan on users u  (cost=0.00..300.00 rows=5 width=8) (actual "
			"time=0.000..30.000 rows=9000 loops=1)\n"
			"  Filter: ((u.lang = 'de'::text) AND ((u.karma % 10) = 0))\n"},
		{"LIKE is nothing that extended statistics know", "IX010", 0, NULL,
			"Seq Scan on users u  (cost=0.00..300.00 rows=5 width=8) (actual "
			"time=0.000..30.000 rows=9000 loops=1)\n"
			"  Filter: ((lang = 'de'::text) AND (name ~~ 'a%'::text))\n"},
		{"a subplan's half is no misestimate", "PL005", 0, NULL,
			"Seq Scan on t  (cost=0.00..300.00 rows=5000 width=8) (actual "
			"time=0.000..30.000 rows=0 loops=1)\n"
			"  Filter: (NOT (hashed SubPlan 1))\n"
			"  SubPlan 1\n"
			"    ->  Seq Scan on s  (cost=0.00..1.00 rows=1 width=4) (actual "
			"time=0.000..1.000 rows=1 loops=1)\n"},
		{"an OR of pairs is no list", "PL012", 0, NULL,
			"Bitmap Heap Scan on t  (cost=0.00..300.00 rows=5 width=8) (actual "
			"time=0.000..30.000 rows=9 loops=1)\n"
			"  ->  BitmapOr  (cost=0.00..300.00 rows=5 width=0) (actual "
			"time=0.000..30.000 rows=0 loops=1)\n"
			"        ->  Bitmap Index Scan on i  (cost=0.00..1.00 rows=1 width=0) "
			"(actual time=0.000..6.000 rows=1 loops=1)\n"
			"              Index Cond: ((a = 1) AND (b > 1))\n"
			"        ->  Bitmap Index Scan on i  (cost=0.00..1.00 rows=1 width=0) "
			"(actual time=0.000..6.000 rows=1 loops=1)\n"
			"              Index Cond: ((a = 2) AND (b > 1))\n"
			"        ->  Bitmap Index Scan on i  (cost=0.00..1.00 rows=1 width=0) "
			"(actual time=0.000..6.000 rows=1 loops=1)\n"
			"              Index Cond: ((a = 3) AND (b > 1))\n"
			"        ->  Bitmap Index Scan on i  (cost=0.00..1.00 rows=1 width=0) "
			"(actual time=0.000..6.000 rows=1 loops=1)\n"
			"              Index Cond: ((a = 4) AND (b > 1))\n"
			"        ->  Bitmap Index Scan on i  (cost=0.00..1.00 rows=1 width=0) "
			"(actual time=0.000..6.000 rows=1 loops=1)\n"
			"              Index Cond: ((a = 5) AND (b > 1))\n"},
		{"most of the rows are no top-N", "PL014", 0, NULL,
			"Limit  (cost=0.00..300.00 rows=60000 width=8) (actual time=0.000..300.000 "
			"rows=60000 loops=1)\n"
			"  ->  Sort  (cost=0.00..300.00 rows=80000 width=8) (actual "
			"time=0.000..290.000 rows=60000 loops=1)\n"
			"        Sort Key: balance\n"
			"        ->  Seq Scan on t  (cost=0.00..100.00 rows=80000 width=8) (actual "
			"time=0.000..30.000 rows=80000 loops=1)\n"},
		{"a row that comes in is looked up by a key", "PL027", 1, "no other index helps",
			"Insert on items  (cost=0.00..300.00 rows=0 width=8) (actual "
			"time=200.000..200.000 rows=0 loops=1)\n"
			"  ->  Seq Scan on t  (cost=0.00..100.00 rows=9000 width=8) (actual "
			"time=0.000..30.000 rows=9000 loops=1)\n"
			"Trigger for constraint items_order_id_fkey: time=900.000 calls=9000\n"
			"Execution Time: 1200.0 ms\n"},
		{"a row that goes is looked up by what refers to it", "PL027", 1,
			"index its columns",
			"Delete on orders  (cost=0.00..300.00 rows=0 width=8) (actual "
			"time=1.000..1.000 rows=0 loops=1)\n"
			"  ->  Seq Scan on orders  (cost=0.00..100.00 rows=9 width=8) (actual "
			"time=0.000..1.000 rows=9 loops=1)\n"
			"Trigger for constraint items_order_id_fkey: time=900.000 calls=9\n"
			"Execution Time: 902.0 ms\n"},
		{"a trigger of one's own is no foreign key", "PL027", 1, "statement trigger",
			"Update on t  (cost=0.00..300.00 rows=0 width=8) (actual time=1.000..1.000 "
			"rows=0 loops=1)\n"
			"  ->  Seq Scan on t  (cost=0.00..100.00 rows=9 width=8) (actual "
			"time=0.000..1.000 rows=9 loops=1)\n"
			"Trigger touch: time=900.000 calls=9\n"
			"Execution Time: 902.0 ms\n"},
		{"a small table read again and again is not huge", "PL030", 0, NULL,
			"Nested Loop  (cost=0.00..300.00 rows=5 width=8) (actual "
			"time=0.000..3000.000 rows=9 loops=1)\n"
			"  ->  Seq Scan on a  (cost=0.00..10.00 rows=500 width=8) (actual "
			"time=0.000..3.000 rows=500 loops=1)\n"
			"        Buffers: shared hit=3\n"
			"  ->  Seq Scan on b  (cost=0.00..10.00 rows=5 width=8) (actual "
			"time=0.000..5.000 rows=5 loops=500)\n"
			"        Buffers: shared hit=400000\n"},
		{"NOT IN says it alone", "PL020", 0, NULL,
			"Seq Scan on t  (cost=0.00..300.00 rows=5 width=8) (actual "
			"time=0.000..3000.000 rows=9 loops=1)\n"
			"  Filter: (NOT (SubPlan 1))\n"
			"  SubPlan 1\n"
			"    ->  Materialize  (cost=0.00..10.00 rows=5 width=8) (actual "
			"time=0.000..5.000 rows=50 loops=500)\n"
			"          ->  Seq Scan on b  (cost=0.00..10.00 rows=50 width=8) (actual "
			"time=0.000..1.000 rows=50 loops=1)\n"},
		{"a recursion is always built whole", "PL022", 0, NULL,
			"CTE Scan on t  (cost=0.00..300.00 rows=5 width=8) (actual "
			"time=0.000..300.000 rows=1 loops=1)\n"
			"  Filter: (depth = 1)\n  Rows Removed by Filter: 90000\n"
			"  CTE t\n"
			"    ->  Recursive Union  (cost=0.00..30.00 rows=5 width=8) (actual "
			"time=0.000..290.000 rows=90001 loops=1)\n"
			"          ->  Result  (cost=0.00..0.00 rows=1 width=8) (actual "
			"time=0.000..0.000 rows=1 loops=1)\n"
			"          ->  WorkTable Scan on t t_1  (cost=0.00..0.00 rows=1 width=8) "
			"(actual time=0.000..0.000 rows=1 loops=90000)\n"},
		{"what is held once is not counted for each loop", "PL043", 0, NULL,
			"Nested Loop  (cost=0.00..300.00 rows=5 width=8) (actual "
			"time=0.000..3000.000 rows=9 loops=1)\n"
			"  ->  Seq Scan on a  (cost=0.00..10.00 rows=30 width=8) (actual "
			"time=0.000..3.000 rows=30 loops=1)\n"
			"  ->  Materialize  (cost=0.00..10.00 rows=9000 width=1700) (actual "
			"time=0.000..5.000 rows=9000 loops=30)\n"
			"        ->  Seq Scan on b  (cost=0.00..10.00 rows=9000 width=1700) "
			"(actual time=0.000..5.000 rows=9000 loops=1)\n"},
		{"a calendar's product is meant", "PL019", 0, NULL,
			"Nested Loop  (cost=0.00..300.00 rows=500000 width=8) (actual "
			"time=0.000..3000.000 rows=500000 loops=1)\n"
			"  ->  Function Scan on generate_series d  (cost=0.00..10.00 rows=1000 "
			"width=8) (actual time=0.000..3.000 rows=1000 loops=1)\n"
			"  ->  Materialize  (cost=0.00..10.00 rows=500 width=8) (actual "
			"time=0.000..1.000 rows=500 loops=1000)\n"
			"        ->  Seq Scan on b  (cost=0.00..10.00 rows=500 width=8) (actual "
			"time=0.000..5.000 rows=500 loops=1)\n"},
		{"a CTE's blocks are not its scan's", "PL034", 0, NULL,
			"CTE Scan on x  (cost=0.00..300.00 rows=5 width=8) (actual "
			"time=0.000..300.000 rows=9 loops=1)\n"
			"  Buffers: temp read=3000 written=3000\n"
			"  CTE x\n"
			"    ->  Sort  (cost=0.00..30.00 rows=5 width=8) (actual "
			"time=0.000..290.000 rows=9 loops=1)\n"
			"          Sort Key: a\n          Sort Method: external merge  Disk: "
			"24000kB\n"
			"          Buffers: temp read=3000 written=3000\n"
			"          ->  Seq Scan on b  (cost=0.00..10.00 rows=500 width=8) (actual "
			"time=0.000..5.000 rows=500 loops=1)\n"},
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		size_t plans, times = 0;
		struct plan_findings found = check_text(str_of(cases[i].plan), 0, &plans);
		bool is_said = cases[i].says == NULL;

		ck_assert_msg(plans == 1, "%s: %zu plans", cases[i].what, plans);
		for (size_t k = 0; k < found.at.n; k++) {
			const struct plan_finding *f = &found.at.at[k];
			const char *says = cases[i].says;

			if (strcmp(f->rule->id, cases[i].rule) != 0)
				continue;
			times++;
			is_said |= says && (str_find(f->message, says) < f->message.n ||
						   str_find(f->advice, says) < f->advice.n ||
						   str_find(f->fix_sql, says) < f->fix_sql.n);
		}
		ck_assert_msg(times == cases[i].times, "%s: %s %zu times", cases[i].what,
			cases[i].rule, times);
		ck_assert_msg(is_said, "%s: does not say '%s'", cases[i].what, cases[i].says);
		plan_findings_release(&found);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("plan_rule");
	TCase *tc = tcase_create("rules");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, every_rule_fires_on_its_example_only);
	tcase_add_test(tc, four_formats_give_the_same_findings);
	tcase_add_test(tc, real_plans);
	tcase_add_test(tc, a_limit_that_was_not_met_cut_nothing_short);
	suite_add_tcase(s, tc);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
