/* SPDX-License-Identifier: ISC
 *
 * What each node itself took.
 *
 * EXPLAIN's times and rows are averages over a node's loops, and its times, costs and blocks
 * include the children's.  Made comparable here:
 *	rows	rows x loops; PostgreSQL before 18 rounds the average, so the true number may
 *		be off by half a row for each loop
 *	wall	time x loops, divided by the processes that shared the work below a Gather
 *	self	wall less the inputs' wall, less the InitPlans, SubPlans and CTEs it ran itself:
 *		an InitPlan counts against the node that uses its result, a CTE against the
 *		scans that read it, in proportion to their time
 * Differences are never below zero: the averages are rounded and the clock has a grain.
 */
#include "plan.h"

#include <math.h>

struct measure {
	struct arena *a;
	struct plan *p;
	size_t n;
};

/* --- numbering ----------------------------------------------------------------------- */

static size_t count(const struct plan_node *n)
{
	size_t sum = 1;

	for (size_t i = 0; i < n->children; i++)
		sum += count(n->child[i]);
	return sum;
}

static void number(struct plan *p, struct plan_node *n)
{
	p->node[p->nodes++] = n;
	n->number = p->nodes;
	for (size_t i = 0; i < n->children; i++)
		number(p, n->child[i]);
}

/* --- inclusive ------------------------------------------------------------------------ */

static bool is_whole(double x)
{
	return x == floor(x);
}

/* processes: how many share the loops here; 1 outside of Gather. */
static void set_wall(struct plan *p, struct plan_node *n, double processes)
{
	/* a paste cut off within the measures: the time is there, the loops are not */
	double loops = isnan(n->loops) && !isnan(n->total_ms) ? 1 : plan_num(n->loops);
	double below = processes, inputs = 0;

	if (p->is_analyzed) {
		bool is_fraction = !is_whole(plan_num(n->rows));

		n->all_rows = plan_num(n->rows) * loops;
		n->all_rows_err = loops > 1 ? loops * (is_fraction ? 0.005 : 0.5) : 0;
		n->all_removed = (plan_num(n->removed_filter) + plan_num(n->removed_join) +
					 plan_num(n->removed_recheck)) *
				 loops;
	}
	if (n->is_never || !isnan(n->total_ms)) {
		double share = loops < processes ? loops : processes;

		n->wall_ms = n->is_never ? 0 : n->total_ms * loops / (share > 1 ? share : 1);
	}
	if (n->kind == PLAN_GATHER || n->kind == PLAN_GATHER_MERGE) {
		const struct plan_node *input = plan_outer(n);

		below = input ? plan_num(input->loops) / (loops > 0 ? loops : 1) : 1;
		if (below < 1)
			below = 1;
	}
	for (size_t i = 0; i < n->children; i++) {
		set_wall(p, n->child[i], plan_is_input(n->child[i]) ? below : processes);
		inputs += plan_is_input(n->child[i]) ? plan_num(n->child[i]->wall_ms) : 0;
	}
	/* "Task" and its kin of custom nodes are only there for what is below them. */
	if (isnan(n->wall_ms) && inputs > 0)
		n->wall_ms = inputs;
}

/* --- subplans ------------------------------------------------------------------------- */

static bool mentions(const struct plan_node *n, struct str what)
{
	for (size_t i = 0; i < n->prop.n; i++)
		for (size_t k = 0; k < n->prop.at[i].values; k++) {
			struct str s = n->prop.at[i].value[k];

			for (size_t at = 0; at + what.n <= s.n; at++)
				if (memcmp(s.p + at, what.p, what.n) == 0 &&
					(at + what.n == s.n ||
						!strchr("0123456789", s.p[at + what.n])))
					return true;
		}
	return false;
}

/* "InitPlan 1 (returns $0)" -> "$0"; PostgreSQL 17's "InitPlan 1" -> "InitPlan 1" */
static struct str result_name(struct str subplan)
{
	size_t at = str_find(subplan, "(returns ");
	struct str s = str_skip(subplan, at + 9);

	if (at == subplan.n)
		return subplan;
	at = str_find(s, ",");
	return str_before(s, at < s.n ? at : str_find(s, ")"));
}

/* The first node at or below n that uses the InitPlan's result, else n. */
static struct plan_node *user_of(struct plan_node *n, struct str result, bool *found)
{
	if (mentions(n, result)) {
		*found = true;
		return n;
	}
	for (size_t i = 0; i < n->children; i++) {
		struct plan_node *u = user_of(n->child[i], result, found);

		if (*found)
			return u;
	}
	return n;
}

static bool is_cte(const struct plan_node *n)
{
	return str_starts(n->subplan, "CTE ");
}

/* --- exclusive ------------------------------------------------------------------------ */

static void take(struct plan_node *n, double ms)
{
	n->self_ms -= plan_num(ms);
}

/* The CTE's time was spent inside its scans: each gives up its part. */
static void charge_cte(const struct plan *p, const struct plan_node *cte)
{
	struct str name = str_skip(cte->subplan, 4);
	double sum = 0;

	for (size_t i = 0; i < p->nodes; i++)
		if (p->node[i]->kind == PLAN_CTE_SCAN && str_eq(p->node[i]->cte, name))
			sum += plan_num(p->node[i]->wall_ms);
	for (size_t i = 0; i < p->nodes && sum > 0; i++)
		if (p->node[i]->kind == PLAN_CTE_SCAN && str_eq(p->node[i]->cte, name))
			take(p->node[i], cte->wall_ms * plan_num(p->node[i]->wall_ms) / sum);
}

static void set_self_ms(struct plan *p)
{
	for (size_t i = 0; i < p->nodes; i++) {
		struct plan_node *n = p->node[i];

		n->self_ms = n->wall_ms;
	}
	for (size_t i = 0; i < p->nodes; i++) {
		struct plan_node *n = p->node[i], *up = n->up;
		bool found = false;

		if (up == NULL)
			continue;
		if (is_cte(n))
			charge_cte(p, n);
		else if (str_is(n->relationship, "InitPlan"))
			take(user_of(up, result_name(n->subplan), &found), n->wall_ms);
		else
			take(up, n->wall_ms);
	}
	for (size_t i = 0; i < p->nodes; i++)
		if (p->node[i]->self_ms < 0)
			p->node[i]->self_ms = 0;
}

/* A nested loop pays for its inner side once for each outer row. */
static double input_cost(const struct plan_node *n, const struct plan_node *input)
{
	const struct plan_node *outer = plan_outer(n);

	if (n->kind == PLAN_NESTED_LOOP && outer && input != outer &&
		input->kind != PLAN_MATERIALIZE && plan_num(outer->plan_rows) > 1)
		return plan_num(input->total_cost) * outer->plan_rows;
	return plan_num(input->total_cost);
}

static void set_self_cost(struct plan_node *n)
{
	double cost = plan_num(n->total_cost);

	for (size_t i = 0; i < n->children; i++)
		if (plan_is_input(n->child[i]))
			cost -= input_cost(n, n->child[i]);
	/* Below a Limit the inputs' costs are those of running to the end. */
	n->self_cost = cost > 0 ? cost : 0;
}

/* Blocks of a CTE were read by its scans, those of an InitPlan by the node that asked for it. */
static double blocks_of(const struct plan_node *n)
{
	return plan_num(n->hit) + plan_num(n->read);
}

static double temp_of(const struct plan_node *n)
{
	return plan_num(n->temp_read) + plan_num(n->temp_written);
}

static void take_blocks(struct plan_node *n, const struct plan_node *input, double part)
{
	n->self_blocks -= part * blocks_of(input);
	n->self_read -= part * plan_num(input->read);
	n->self_temp -= part * temp_of(input);
}

static void take_blocks_of_cte(const struct plan *p, const struct plan_node *cte)
{
	struct str name = str_skip(cte->subplan, 4);
	double sum = 0;

	for (size_t pass = 0; pass < 2; pass++)
		for (size_t i = 0; i < p->nodes; i++) {
			struct plan_node *n = p->node[i];
			double weight = blocks_of(n) + temp_of(n);

			if (n->kind != PLAN_CTE_SCAN || !str_eq(n->cte, name))
				continue;
			if (pass == 0)
				sum += weight;
			else if (sum > 0)
				take_blocks(n, cte, weight / sum);
		}
}

static void set_self_blocks(struct plan *p)
{
	for (size_t i = 0; i < p->nodes; i++) {
		struct plan_node *n = p->node[i];

		n->self_blocks = blocks_of(n);
		n->self_read = plan_num(n->read);
		n->self_temp = temp_of(n);
	}
	for (size_t i = 1; i < p->nodes; i++) {
		const struct plan_node *n = p->node[i];
		bool found = false;

		if (is_cte(n))
			take_blocks_of_cte(p, n);
		else if (str_is(n->relationship, "InitPlan"))
			take_blocks(user_of(n->up, result_name(n->subplan), &found), n, 1);
		else
			take_blocks(n->up, n, 1);
	}
	for (size_t i = 0; i < p->nodes; i++) {
		struct plan_node *n = p->node[i];

		n->self_blocks = fmax(n->self_blocks, 0);
		n->self_read = fmax(n->self_read, 0);
		n->self_temp = fmax(n->self_temp, 0);
	}
}

static void set_shares(struct plan *p)
{
	double whole = 0;

	for (size_t i = 0; i < p->nodes; i++)
		whole += p->is_timed ? plan_num(p->node[i]->self_ms) : p->node[i]->self_cost;
	if (p->is_timed && p->elapsed_ms > whole)
		whole = p->elapsed_ms;
	for (size_t i = 0; i < p->nodes && whole > 0; i++)
		p->node[i]->share =
			plan_num(p->is_timed ? p->node[i]->self_ms : p->node[i]->self_cost) / whole;
}

void plan_measure(struct arena *a, struct plan *p)
{
	struct plan_node *root = p->root;

	p->node = ARENA_ARRAY(a, struct plan_node *, count(root));
	p->nodes = 0;
	number(p, root);
	p->is_analyzed = !isnan(root->loops) || root->is_never;
	p->is_timed = !isnan(root->total_ms);
	p->has_cost = !isnan(root->total_cost);
	for (size_t i = 0; i < p->nodes; i++)
		p->has_buffers |= plan_num(p->node[i]->hit) + plan_num(p->node[i]->read) > 0;
	p->elapsed_ms = !isnan(p->execution_ms) ? p->execution_ms
			: p->is_timed		? root->total_ms * plan_num(root->loops)
						: p->duration_ms;
	set_wall(p, root, 1);
	set_self_ms(p);
	set_self_blocks(p);
	for (size_t i = 0; i < p->nodes; i++)
		set_self_cost(p->node[i]);
	set_shares(p);
}
