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

int main(void)
{
	Suite *s = suite_create("plan_rule");
	TCase *tc = tcase_create("rules");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, every_rule_fires_on_its_example_only);
	tcase_add_test(tc, four_formats_give_the_same_findings);
	tcase_add_test(tc, a_limit_that_was_not_met_cut_nothing_short);
	suite_add_tcase(s, tc);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
