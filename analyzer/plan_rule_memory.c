/* SPDX-License-Identifier: ISC
 *
 * Plan rules about memory: sorts, hashes and what they write to disk; LIMIT and OFFSET.
 */
#include "plan_rule.h"

#include <math.h>

#define MB 1024.0 /* in kB */

static double sort_disk_kb(const struct plan_node *n)
{
	double kb = str_is(n->sort_type, "Disk") ? plan_num(n->sort_kb) : 0;

	for (size_t i = 0; i < n->worker.n; i++)
		if (str_is(n->worker.at[i].sort_type, "Disk"))
			kb = fmax(kb, plan_num(n->worker.at[i].sort_kb));
	return kb;
}

/* The only scan below, joins excluded. */
static const struct plan_node *one_scan(const struct plan_node *n)
{
	while (n && !plan_is_scan(n)) {
		if (n->kind == PLAN_AGGREGATE || plan_is_join(n) || plan_inner(n) ||
			n->kind == PLAN_WINDOW_AGG || n->kind == PLAN_UNIQUE)
			return NULL;
		n = plan_outer(n);
	}
	return n && n->relation.n ? n : NULL;
}

static bool is_plain_key(struct str s)
{
	return str_find(s, "(") == s.n && str_find(s, "::") == s.n;
}

/* Could an index give this order: columns of one table, read without a detour? */
static bool is_index_order(const struct plan_node *sort)
{
	const struct plan_prop *key = plan_prop(sort, "Sort Key");
	const struct plan_node *scan = one_scan(plan_outer(sort));

	for (size_t i = 0; key && i < key->values; i++)
		if (!is_plain_key(key->value[i]))
			return false;
	return key && scan;
}

CHECK(sort_spill)
{
	double kb = sort_disk_kb(n);
	const struct plan_prop *groups =
		plan_prop(n, "Full-sort Groups.Sort Space Disk.Peak Sort Space Used");
	struct plan_finding *f;

	if (groups)
		kb = fmax(kb, strtod(arena_cstr(c->a, groups->value[0]), NULL));
	if (kb < MB)
		return;
	f = plan_report(c, n, "sorts by way of %s on disk", say_kb(c, kb));
	f->advice = plan_say(c,
		"%swork_mem of at least %.0f MB for this query (in memory a sort takes two to "
		"three times the disk space)",
		is_index_order(n) ? "an index in this order, or " : "", ceil(kb * 2.5 / MB));
}

CHECK(hash_batches)
{
	double batches = plan_num(n->batches), planned = plan_num(n->batches_planned);
	struct plan_finding *f;

	if (n->kind != PLAN_HASH || batches <= 1)
		return;
	if (n->is_parallel && batches <= planned)
		return;
	f = plan_report(c, n, "the hash table was split into %.0f batches%s", batches,
		batches > planned ? ", more than planned" : "");
	f->advice = plan_say(c,
		"work_mem times hash_mem_multiplier of about %.0f MB would hold it (the latter is "
		"for hashes alone); look first whether the estimate below is off",
		ceil(fmax(plan_num(n->peak_kb), 64) * batches / MB));
}

CHECK(hashagg_spill)
{
	struct plan_finding *f;

	if (n->kind != PLAN_AGGREGATE ||
		(plan_num(n->disk_kb) <= 0 && plan_num(n->agg_batches) <= 1))
		return;
	f = plan_report(c, n, "grouping went to disk: %s in %.0f batches",
		say_kb(c, plan_num(n->disk_kb)), plan_num(n->agg_batches));
	f->advice = STR("more work_mem or hash_mem_multiplier; or an index on the grouping "
			"columns, which are then read in order");
}

CHECK(top_n_sort)
{
	const struct plan_node *limit = n->up, *scan, *input = plan_outer(n);
	double rows, out;

	while (limit && (limit->kind == PLAN_GATHER_MERGE || limit->kind == PLAN_LOCK_ROWS))
		limit = limit->up;
	if (n->kind != PLAN_SORT || !limit || limit->kind != PLAN_LIMIT || !input ||
		!is_index_order(n))
		return;
	scan = one_scan(input);
	rows = c->p->is_analyzed ? plan_num(input->all_rows) : plan_num(input->plan_rows);
	/* With an OFFSET the sort gives more than the LIMIT; each worker gives that many. */
	out = c->p->is_analyzed ? fmax(plan_num(n->rows), plan_num(limit->all_rows))
				: plan_num(limit->plan_rows);
	if (rows < 10000 || rows < 10 * out || !gate_whole(c, n))
		return;
	about_whole(c, plan_report(c, n, "sorts %s rows of %.*s to give the first %s",
			       say_count(c, rows), STR_ARGS(scan->relation), say_count(c, out)));
}

CHECK(incremental_sort)
{
	const struct plan_node *input = plan_outer(n);
	const struct plan_prop *key = plan_prop(n, "Sort Key");
	struct str cond, first;

	if (n->kind != PLAN_SORT || !input || !key || key->values < 2 ||
		(input->kind != PLAN_INDEX_SCAN && input->kind != PLAN_INDEX_ONLY_SCAN) ||
		!gate_self(c, n))
		return;
	first = str_before(key->value[0], str_find(key->value[0], " "));
	if (str_find(first, ".") < first.n)
		first = str_skip(first, str_find(first, ".") + 1);
	cond = node_text(c, input, "Index Cond");
	if (first.n == 0 || !is_plain_key(first) ||
		(str_find(cond, arena_printf(c->a, "%.*s >", STR_ARGS(first)).p) == cond.n &&
			str_find(cond, arena_printf(c->a, "%.*s <", STR_ARGS(first)).p) == cond.n))
		return;
	plan_report(c, n, "%.*s already gives the rows by %.*s; only the rest of the order is new",
		STR_ARGS(input->index), STR_ARGS(first));
}

CHECK(large_offset)
{
	const struct plan_node *input = plan_outer(n);
	double out, in;

	if (n->kind != PLAN_LIMIT || !c->p->is_analyzed || !input)
		return;
	out = plan_num(n->all_rows);
	in = plan_num(input->all_rows);
	if (in < 1000 || in < 10 * fmax(out, 1) || !gate_whole(c, n))
		return;
	about_whole(c,
		out < 1 ? plan_report(c, n, "produces %s rows and skips them all: a large OFFSET",
				  say_count(c, in))
			: plan_report(c, n,
				  "produces %s rows and skips all but the last %s: a large "
				  "OFFSET",
				  say_count(c, in), say_count(c, out)));
}

CHECK(temp_io)
{
	double kb = n->self_temp * 8;

	if (kb < MB || sort_disk_kb(n) > 0 || plan_num(n->batches) > 1 ||
		plan_num(n->disk_kb) > 0 || plan_num(n->agg_batches) > 1)
		return; /* its own rule says more */
	/* A hash join's batches are written by the join and its hash. */
	if (n->kind == PLAN_HASH_JOIN && plan_inner(n) && plan_num(plan_inner(n)->batches) > 1)
		return;
	plan_report(c, n, "moves %s through temporary files", say_kb(c, kb));
}

CHECK(redundant_unique)
{
	const struct plan_node *input = plan_outer(n);
	struct plan_finding *f;

	if (n->kind != PLAN_UNIQUE || !c->p->is_analyzed || !input || is_cut_short(n))
		return;
	if (plan_num(input->all_rows) < 1000 || input->all_rows != n->all_rows || !gate_whole(c, n))
		return;
	f = plan_report(c, n, "looks for duplicates among %s rows and finds none",
		say_count(c, n->all_rows));
	if (input->kind == PLAN_SORT) { /* it was sorted for this alone */
		f->share += input->share;
		f->ms += input->self_ms;
	}
}

CHECK(wide_rows)
{
	double rows = c->p->is_analyzed ? plan_num(n->all_rows) : plan_num(n->plan_rows);
	double kb;

	if (n->kind == PLAN_MATERIALIZE && c->p->is_analyzed) /* held once, read in each loop */
		rows = plan_num(n->rows);
	kb = plan_num(n->plan_width) * rows / 1024;

	if ((n->kind != PLAN_SORT && n->kind != PLAN_HASH && n->kind != PLAN_MATERIALIZE) ||
		plan_num(n->plan_width) < 1000 || kb < 64 * MB)
		return;
	plan_report(c, n, "holds rows of %.0f bytes, %s in all", n->plan_width, say_kb(c, kb));
}
