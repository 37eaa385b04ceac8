/* SPDX-License-Identifier: ISC
 *
 * Plans of every PostgreSQL since 9.6 and of its extensions, as people paste them: for each
 * NAME.txt of tests/golden/plan/wild, NAME.tree is what must be understood.
 *
 *	Limit (rows 10, self 1)                       a node: its rows over all loops, its own ms
 *	  Seq Scan on t (rows 10, self 3; Filter)     its properties' names behind them
 *	= 90 %, planning 0.1, execution 5, …          the plan: the sum of the nodes' shares
 */
#include <check.h>
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "plan.h"

#define FOLDER "tests/golden/plan/wild/"

static struct arena arena;

static void read_file(struct text *out, const char *name)
{
	char path[300], bytes[4096];
	size_t n;
	FILE *f;

	snprintf(path, sizeof(path), FOLDER "%s", name);
	f = fopen(path, "r");
	ck_assert_msg(f != NULL, "%s", path);
	while ((n = fread(bytes, 1, sizeof(bytes), f)) > 0)
		text_add(out, bytes, n);
	fclose(f);
}

static void put_number(struct text *out, const char *name, double x)
{
	if (!isnan(x))
		text_printf(out, "%s %.6g", name, x);
}

static void put_node(struct text *out, const struct plan *p, const struct plan_node *n)
{
	for (const struct plan_node *up = n->up; up; up = up->up)
		text_puts(out, "  ");
	text_str(out, plan_title(&arena, n));
	if (n->subplan.n)
		text_printf(out, " [%.*s]", STR_ARGS(n->subplan));
	text_puts(out, n->is_never ? " (never" : p->is_analyzed ? " (" : " (plain");
	if (!n->is_never)
		put_number(out, "rows", n->all_rows);
	put_number(out, ", self", n->self_ms);
	put_number(out, ", hit", n->hit);
	put_number(out, ", read", n->read);
	put_number(out, ", removed", n->removed_filter);
	put_number(out, ", peak", n->peak_kb);
	put_number(out, ", sort", n->sort_kb);
	put_number(out, ", searches", n->index_searches);
	put_number(out, ", wal", n->wal_bytes);
	put_number(out, ", io", n->shared_io_read_ms);
	put_number(out, ", fetches", n->heap_fetches);
	put_number(out, ", lossy", n->lossy_blocks);
	if (n->worker.n)
		text_printf(out, ", workers seen %zu", n->worker.n);
	if (n->is_disabled)
		text_puts(out, ", disabled");
	for (size_t i = 0; i < n->prop.n; i++)
		text_printf(out, "%s%.*s", i ? ", " : "; ", STR_ARGS(n->prop.at[i].key));
	text_puts(out, ")\n");
}

static void put_plan(struct text *out, const struct plan *p)
{
	double sum = 0;

	for (size_t i = 0; i < p->nodes; i++) {
		put_node(out, p, p->node[i]);
		sum += plan_num(p->node[i]->share);
	}
	text_printf(out, "= %.0f %%", sum * 100);
	put_number(out, ", planning", p->planning_ms);
	put_number(out, ", execution", p->execution_ms);
	put_number(out, ", planning hit", p->planning_hit);
	put_number(out, ", JIT", p->jit_ms);
	for (size_t i = 0; i < p->trigger.n; i++)
		text_printf(out, ", trigger %.*s%.*s on %.*s %.6g ms %.6g calls",
			STR_ARGS(p->trigger.at[i].name), STR_ARGS(p->trigger.at[i].constraint),
			STR_ARGS(p->trigger.at[i].relation), p->trigger.at[i].ms,
			p->trigger.at[i].calls);
	for (size_t i = 0; i < p->setting.n; i++)
		text_printf(out, ", %.*s=%.*s", STR_ARGS(p->setting.at[i].name),
			STR_ARGS(p->setting.at[i].value));
	if (p->query_id.n)
		text_printf(out, ", query %.*s", STR_ARGS(p->query_id));
	text_puts(out, "\n");
	ck_assert_msg(sum < 1.0001, "the shares make %g of the whole", sum);
}

static void check_file(const char *name)
{
	struct text paste = {0}, tree = {0}, seen = {0};
	struct plan_list found = {0};
	char expected[300];

	read_file(&paste, name);
	snprintf(expected, sizeof(expected), "%.*s.tree", (int)(strlen(name) - 4), name);
	read_file(&tree, expected);
	plan_find(&arena, text_slice(&paste), &found);
	ck_assert_msg(found.broken == 0, "%s: %s", name, found.why.text);
	text_puts(&seen, "");
	for (size_t i = 0; i < found.plan.n; i++)
		put_plan(&seen, found.plan.at[i]);
	ck_assert_msg(str_eq(text_slice(&seen), text_slice(&tree)), "%s gives\n%s", name, seen.p);
	plan_list_release(&found);
	text_release(&paste);
	text_release(&tree);
	text_release(&seen);
}

START_TEST(every_paste_gives_its_tree)
{
	DIR *dir = opendir(FOLDER);
	struct dirent *entry;
	size_t n = 0;

	ck_assert_msg(dir != NULL, "run from the root of the tree");
	while ((entry = readdir(dir)) != NULL)
		if (str_ends(str_of(entry->d_name), ".txt")) {
			check_file(entry->d_name);
			n++;
		}
	closedir(dir);
	ck_assert_uint_gt(n, 30);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("plan_wild");
	TCase *tc = tcase_create("read");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_test(tc, every_paste_gives_its_tree);
	tcase_set_timeout(tc, 60);
	suite_add_tcase(s, tc);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
