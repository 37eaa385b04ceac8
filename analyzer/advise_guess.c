/* SPDX-License-Identifier: ISC
 *
 * What HypoPG cannot try: GIN, GiST.  The planner's own row estimate of the scan says how many rows
 * a bitmap would fetch; what that costs is told by its constants.  Such a gain is a guess and is
 * said to be one; --scratch replaces it by the planner's word.
 */
#include "advise_workload.h"

#include <math.h>

#define START_COST   25.0 /* descending, reading the lists, building the bitmap */
#define RANDOM_PAGE  4.0
#define RECHECK_COST 0.05 /* of one row, its tuple and its condition */

static bool asks_for(struct workload *w, const struct plan_node *n, const struct candidate *c)
{
	struct wants wants = {.table = schema_find(w->schema, n->schema, n->relation)};

	wants_add(&w->plans, &wants, plan_get(&w->plans, n, "Filter"), n->alias, n->relation);
	for (size_t i = 0; i < wants.n; i++)
		if (wants.at[i].method && strcmp(wants.at[i].method, c->method) == 0 &&
			str_eq(wants.at[i].expr, c->key[0].expr))
			return true;
	return false;
}

/* The whole plan's cost if this scan became a bitmap scan. */
static double cost_with(const struct workload *w, const struct plan *p, const struct plan_node *n)
{
	const struct schema_table *t = schema_find(w->schema, n->schema, n->relation);
	double pages = t && t->bytes > 0 ? (double)t->bytes / 8192 : INFINITY;
	double rows = plan_num(n->plan_rows), own = plan_num(n->total_cost), scan;

	/* Few rows: a page each; many: the pages in their order. */
	scan = START_COST + fmin(rows * RANDOM_PAGE, pages * 1.5 + rows * 0.02) +
	       rows * RECHECK_COST;
	if (scan >= own)
		return p->root->total_cost;
	return fmin(p->root->total_cost, fmax(scan, p->root->total_cost - own + scan));
}

static void guess_query(struct workload *w, struct query *q)
{
	struct plan *p;

	p = query_plan(w, q);
	for (size_t i = 0; p && i < w->pool.at.n; i++) {
		const struct candidate *c = &w->pool.at.at[i];
		double best = q->before;

		if (!w->is_guessed[i] || w->size[i] < 0 || q->guesses == GUESSES_MAX)
			continue;
		for (size_t k = 0; k < p->nodes; k++)
			if (str_eq(p->node[k]->relation, c->table) &&
				str_eq(p->node[k]->schema, c->schema) && asks_for(w, p->node[k], c))
				best = fmin(best, cost_with(w, p, p->node[k]));
		if (best < q->before)
			q->guess[q->guesses++] = (struct guess){(uint32_t)i, best};
	}
	arena_reset(&w->plans);
}

void workload_guess(struct workload *w)
{
	whatif_try(&w->whatif, NULL, 0);
	for (size_t i = 0; i < w->query.n; i++)
		guess_query(w, &w->query.at[i]);
}
