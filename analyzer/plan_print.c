/* SPDX-License-Identifier: ISC
 *
 * The tree for people: each node's number, by which findings name it, the time it took itself,
 * its title, rows as they came and as they were expected, and its conditions.  The hottest nodes
 * are marked.
 *
 *	node   self ms  share
 *	   1     0.020     0%  Limit  (10 rows)
 *	   2   812.400    97%  └─ Seq Scan on orders  (10 rows, 1,199,990 thrown away)  ◀ hot
 *	                          Filter: (customer_id = 42)
 */
#include "plan_rule.h"

#include "sql.h"

#include <math.h>

#define HOT	 0.2 /* of the whole: marked */
#define MAX_WIDE 400 /* bytes of one condition shown */

static void put_count(struct text *t, double x)
{
	char digits[64];
	int n = snprintf(digits, sizeof(digits), "%.0f", x < 1e18 ? x : 1e18);

	for (int i = 0; i < n; i++) {
		if (i && (n - i) % 3 == 0 && digits[i - 1] != '-')
			text_char(t, ',');
		text_char(t, digits[i]);
	}
}

static void put_rows(struct text *t, const struct plan *p, const struct plan_node *n)
{
	double expected = plan_num(n->plan_rows) * (plan_num(n->loops) > 1 ? n->loops : 1);
	double ratio;

	if (n->is_never) {
		text_puts(t, "  (never executed)");
		return;
	}
	if (!p->is_analyzed) {
		if (isnan(n->plan_rows))
			return;
		text_puts(t, "  (expects ");
		put_count(t, n->plan_rows);
		text_puts(t, " rows)");
		return;
	}
	text_puts(t, "  (");
	if (n->all_rows_err > 0 && n->all_rows < n->all_rows_err) {
		text_puts(t, "at most ");
		put_count(t, n->all_rows + n->all_rows_err);
	} else {
		put_count(t, n->all_rows);
	}
	text_puts(t, n->all_rows == 1 ? " row" : " rows");
	if (n->all_removed > 0) {
		text_puts(t, ", ");
		put_count(t, n->all_removed);
		text_puts(t, " thrown away");
	}
	if (plan_num(n->loops) > 1) {
		text_puts(t, ", ");
		put_count(t, n->loops);
		text_puts(t, " loops");
	}
	ratio = expected > n->all_rows ? expected / fmax(n->all_rows, 1)
				       : n->all_rows / fmax(expected, 1);
	if (!isnan(n->plan_rows) && ratio >= 10 && (n->all_rows > expected || !is_cut_short(n))) {
		text_puts(t, "; expected ");
		put_count(t, expected);
	}
	text_char(t, ')');
}

static void put_left(struct text *t, const struct plan *p, const struct plan_node *n)
{
	bool has_figures = p->is_timed || p->has_cost;

	if (n == NULL)
		text_printf(t, "%*s", has_figures ? 23 : 6, "");
	else if (p->is_timed)
		text_printf(t, "%4zu %10.3f  %3.0f%%  ", n->number, plan_num(n->self_ms),
			n->share * 100);
	else if (p->has_cost)
		text_printf(t, "%4zu %10.2f  %3.0f%%  ", n->number, n->self_cost, n->share * 100);
	else
		text_printf(t, "%4zu  ", n->number);
}

static void put_property(struct text *t, const struct plan *p, const char *indent, struct arena *a,
	const struct plan_node *n, const struct plan_prop *prop, bool mask)
{
	static const char *const dull[] = {"Parallel Aware", "Async Capable", "Inner Unique",
		"Single Copy", "Output", "Cache Mode"};
	struct str s = plan_get(a, n, prop->key.p ? arena_cstr(a, prop->key) : "");

	for (size_t i = 0; i < ARRAY_LEN(dull); i++)
		if (str_is(prop->key, dull[i]))
			return;
	if (mask)
		s = sql_mask(a, s);
	put_left(t, p, NULL);
	text_printf(t, "%s%.*s: ", indent, STR_ARGS(prop->key));
	text_str(t, str_before(utf8_clean(a, s), MAX_WIDE));
	text_puts(t, s.n > MAX_WIDE ? " ...\n" : "\n");
}

static void put_extras(struct text *t, const struct plan *p, const char *indent,
	const struct plan_node *n)
{
	struct text line = {0};

	if (n->sort_method.n) {
		text_printf(&line, "%.*s", STR_ARGS(n->sort_method));
		if (n->sort_type.n)
			text_printf(&line, ", %.0f kB %s", plan_num(n->sort_kb),
				str_is(n->sort_type, "Disk") ? "on disk" : "in memory");
	} else if (plan_num(n->batches) > 1) {
		text_printf(&line, "%.0f batches (planned %.0f), %.0f kB", n->batches,
			plan_num(n->batches_planned), plan_num(n->peak_kb));
	} else if (plan_num(n->disk_kb) > 0) {
		text_printf(&line, "%.0f batches, %.0f kB on disk", plan_num(n->agg_batches),
			n->disk_kb);
	} else if (!isnan(n->cache_hits)) {
		text_printf(&line, "%.0f hits, %.0f misses", n->cache_hits,
			plan_num(n->cache_misses));
	}
	if (n->self_blocks >= 1)
		text_printf(&line, "%s%.0f blocks, %.0f of them read", line.n ? "; " : "",
			n->self_blocks, n->self_read);
	if (line.n) {
		put_left(t, p, NULL);
		text_printf(t, "%s(%s)\n", indent, line.p);
	}
	text_release(&line);
}

static void put_node(struct text *t, struct arena *a, const struct plan *p,
	const struct plan_node *n, struct str indent, bool is_last, bool mask)
{
	struct str below = n->up == NULL ? STR("")
			   : is_last	 ? arena_printf(a, "%.*s   ", STR_ARGS(indent))
					 : arena_printf(a, "%.*s\xe2\x94\x82  ", STR_ARGS(indent));
	const char *inner = arena_printf(a, "%.*s   ", STR_ARGS(below)).p;

	if (n->subplan.n && n->up) {
		put_left(t, p, NULL);
		text_printf(t, "%.*s\xe2\x94\x82 %.*s\n", STR_ARGS(indent),
			STR_ARGS(utf8_clean(a, n->subplan)));
	}
	put_left(t, p, n);
	if (n->up)
		text_printf(t, "%.*s%s", STR_ARGS(indent),
			is_last ? "\xe2\x94\x94\xe2\x94\x80 " : "\xe2\x94\x9c\xe2\x94\x80 ");
	text_str(t, utf8_clean(a, plan_title(a, n)));
	put_rows(t, p, n);
	if (n->share >= HOT)
		text_puts(t, "  \xe2\x97\x80 hot");
	text_char(t, '\n');
	for (size_t i = 0; i < n->prop.n; i++)
		put_property(t, p, inner, a, n, &n->prop.at[i], mask);
	put_extras(t, p, inner, n);
	for (size_t i = 0; i < n->children; i++)
		put_node(t, a, p, n->child[i], below, i + 1 == n->children, mask);
}

void plan_print(struct text *out, const struct plan *p, bool mask)
{
	struct arena a = {0};

	text_puts(out, p->is_timed   ? "node    self ms  share\n"
		       : p->has_cost ? "node  self cost  share\n"
				     : "node\n");
	put_node(out, &a, p, p->root, STR(""), true, mask);
	if (!isnan(p->planning_ms))
		text_printf(out, "planning %.3f ms", p->planning_ms);
	if (!isnan(p->execution_ms))
		text_printf(out, "%sexecution %.3f ms", isnan(p->planning_ms) ? "" : ", ",
			p->execution_ms);
	if (!isnan(p->jit_ms))
		text_printf(out, ", JIT %.3f ms", p->jit_ms);
	if (!isnan(p->planning_ms) || !isnan(p->execution_ms))
		text_char(out, '\n');
	for (size_t i = 0; i < p->trigger.n; i++)
		text_printf(out, "trigger %.*s: %.3f ms, %.0f calls\n",
			STR_ARGS(p->trigger.at[i].constraint.n ? p->trigger.at[i].constraint
							       : p->trigger.at[i].name),
			plan_num(p->trigger.at[i].ms), plan_num(p->trigger.at[i].calls));
	arena_release(&a);
}

uint64_t plan_hash(const struct plan *p)
{
	struct arena a = {0};
	uint64_t h = 1469598103934665603u;

	for (size_t i = 0; i < p->nodes; i++) {
		const struct plan_node *n = p->node[i];

		h = (h ^ str_hash(plan_title(&a, n))) * 1099511628211u;
		h = (h ^ (n->up ? n->up->number : 0)) * 1099511628211u;
	}
	arena_release(&a);
	return h;
}
