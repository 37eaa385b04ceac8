/* SPDX-License-Identifier: ISC
 *
 * Conditions as PostgreSQL prints them, taken apart.
 */
#include <check.h>
#include <stdlib.h>

#include "plan_rule.h"

static struct arena arena;

static struct str taken_apart(const char *condition)
{
	struct plan_conjunct at[8];
	size_t n = plan_conjuncts(str_of(condition), at, ARRAY_LEN(at));
	struct text t = {0};
	struct str s;

	for (size_t i = 0; i < n; i++)
		text_printf(&t, "%s%.*s|%.*s|%.*s", i ? "; " : "", STR_ARGS(at[i].left),
			STR_ARGS(at[i].op), STR_ARGS(at[i].right));
	s = arena_str(&arena, text_slice(&t));
	text_release(&t);
	return s;
}

START_TEST(conjuncts)
{
	static const char *const cases[][2] = {
		{"(a = 1)", "a|=|1"},
		{"((a = 1) AND (b > 'x AND (y'::text))", "a|=|1; b|>|'x AND (y'::text"},
		{"((lower(name) = 'x'::text) AND hidden AND (NOT gone))",
			"lower(name)|=|'x'::text; hidden||; NOT gone||"},
		{"((at)::date = '2024-03-05'::date)", "(at)::date|=|'2024-03-05'::date"},
		{"((a IS NOT NULL) AND (b IS NULL))", "a|IS|NOT NULL; b|IS|NULL"},
		{"((meta ->> 'k'::text) = 'it''s'::text)", "(meta ->> 'k'::text)|=|'it''s'::text"},
		{"((a = 1) OR ((b = 2) AND (c = 3)))", "(a = 1) OR ((b = 2) AND (c = 3))|OR|"},
		{"((k >= 1) AND ((a = 1) OR (b = 2)))", "k|>=|1; (a = 1) OR (b = 2)|OR|"},
		{"(ROW(a, b) < ROW(1, 2))", "ROW(a, b)|<|ROW(1, 2)"},
		{"(id = ANY ('{1,2}'::integer[]))", "id|=|ANY ('{1,2}'::integer[])"},
		{"(NOT (SubPlan 1))", "NOT (SubPlan 1)||"},
		{"(tags @> '{a}'::text[])", "tags|@>|'{a}'::text[]"},
		{"(\"a AND b\" <> 3)", "\"a AND b\"|<>|3"}, {"", ""},
		{"((a = 1", "((a = 1||"}, /* cut off */
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct str s = taken_apart(cases[i][0]);

		ck_assert_msg(str_is(s, cases[i][1]), "%s: %.*s", cases[i][0], STR_ARGS(s));
	}
}
END_TEST

START_TEST(sides)
{
	static const struct {
		const char *side, *column, *owner;
		bool is_constant;
	} cases[] = {{"a", "a", "", false}, {"o.\"Mixed Case\"", "\"Mixed Case\"", "o", false},
		{"(name)::text", "name", "", false}, {"(u.name)::text", "name", "u", false},
		{"(at)::date", "", "", false}, {"lower(name)", "", "", false},
		{"'x'::text", "", "", true}, {"ANY ('{1,2}'::integer[])", "", "", true},
		{"'-1'::integer", "", "", true}, {"42", "", "", true}, {"$1", "$1", "", false},
		{"(a % 2)", "", "", false}};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct str side = str_of(cases[i].side), owner, column = plan_column(side, &owner);

		ck_assert_msg(str_is(column, cases[i].column), "%s: %.*s", cases[i].side,
			STR_ARGS(column));
		ck_assert_msg(cases[i].column[0] == 0 || str_is(owner, cases[i].owner), "%s: %.*s",
			cases[i].side, STR_ARGS(owner));
		ck_assert(plan_is_constant(side) == cases[i].is_constant);
	}
	ck_assert(str_is(plan_unqualified(&arena, STR("(o.a + lower(o.\"B\") + po.a + 'o.a')"),
				 STR("o")),
		"(a + lower(\"B\") + po.a + 'o.a')"));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("plan_condition");
	TCase *tc = tcase_create("conditions");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(tc, conjuncts);
	tcase_add_test(tc, sides);
	suite_add_tcase(s, tc);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	arena_release(&arena);
	return failed != 0;
}
