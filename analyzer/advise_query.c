/* SPDX-License-Identifier: ISC
 *
 * The planner asked about one query: with each candidate that concerns it, with all of them, with
 * all but one of those then used, with the best of two tables; and, when a first choice is known,
 * with each beside those chosen.  Each answer is an entry of the matrix, under the indexes the plan
 * really used.
 */
#include "advise_workload.h"

#include <math.h>

#define MIN_GAIN      0.98 /* of the cost: a smaller gain is noise */
#define DOUBT	      1.0  /* of what look-ups may cost more than the planner says, believed */
#define RELATIVE_PART 1.0  /* of the workload's cost: what relative speed counts in all */
#define RELATIVE_SPAN 6.0  /* natural logarithm of the gain beyond which nothing more counts */

struct plan *query_plan(struct workload *w, const struct query *q)
{
	w->asking = q->shape;
	return whatif_plan(&w->whatif, &w->plans, q->sql, q->params, q->args);
}

double query_felt(const struct workload *w, const struct query *q, double cost)
{
	double relative = q->before > 0 ? log(fmax(cost, 0.01) / q->before) : 0;

	relative = fmax(0, 1 + fmin(relative, 0) / RELATIVE_SPAN);
	return q->weight * cost +
	       RELATIVE_PART * w->total * (w->calls > 0 ? q->calls / w->calls : 0) * relative;
}

/* An order walked below a LIMIT, past a filter, by an index that finds nothing itself. */
bool is_order_trap(const struct plan_node *n)
{
	if ((n->kind != PLAN_INDEX_SCAN && n->kind != PLAN_INDEX_ONLY_SCAN) ||
		plan_prop(n, "Index Cond") || !plan_prop(n, "Filter"))
		return false;
	for (const struct plan_node *up = n->up; up; up = up->up)
		if (up->kind == PLAN_LIMIT)
			return true;
	return false;
}

/* Does the plan fall into the trap by an index that is only tried? */
static bool has_trap(const struct whatif *w, const struct plan *p)
{
	for (size_t k = 0; k < p->nodes; k++)
		for (size_t j = 0; j < w->name.n; j++)
			if (str_eq(p->node[k]->index, w->name.at[j]) && is_order_trap(p->node[k]))
				return true;
	return false;
}

/* Plans with these indexes; notes the cost under those it used. The used set goes to *used. */
static double ask(struct workload *w, size_t at, const uint32_t *id, size_t n, uint32_t *used,
	size_t *n_used)
{
	struct query *q = &w->query.at[at];
	struct plan *p;
	double cost, worst;

	whatif_try(&w->whatif, id, n);
	p = query_plan(w, q);
	*n_used = p ? whatif_used(&w->whatif, p, used) : 0;
	cost = p ? p->root->total_cost : INFINITY;
	worst = *n_used ? risk_cost(w, p) : cost;
	if (*n_used && cost < q->before * MIN_GAIN && worst < q->before && !has_trap(&w->whatif, p))
		matrix_entry(w->matrix, at, used, *n_used,
			query_felt(w, q, cost + DOUBT * (worst - cost)));
	arena_reset(&w->plans);
	return cost;
}

/* What the plan finds by an index of several columns it finds by the first of them alone as
 * quickly, whatever the planner says: such an index is only for other plans than today's. */
static bool has_its_use(const struct plan *p, const struct candidate *c)
{
	for (size_t i = 0; p && c->beside.n && i < p->nodes; i++)
		if (str_eq(p->node[i]->index, c->beside))
			return true;
	return false;
}

void query_find_concerned(struct workload *w, size_t at)
{
	struct query *q = &w->query.at[at];
	struct candidates own = {0};
	struct plan *p;

	whatif_try(&w->whatif, NULL, 0);
	p = query_plan(w, q);
	if (p)
		advise_generously(&w->plans, p, w->schema, NULL, 0, NULL, &own);
	for (size_t i = 0; i < w->pool.at.n && q->n_concerned < CONCERNED_MAX; i++) {
		const struct candidate *c = &w->pool.at.at[i];
		bool leads = false;

		for (size_t k = 0; k < own.at.n && !leads && w->size[i] >= 0; k++)
			leads = !w->is_guessed[i] && str_eq(own.at.at[k].table, c->table) &&
				str_eq(own.at.at[k].schema, c->schema) &&
				str_eq(own.at.at[k].key[0].expr, c->key[0].expr);
		if (c->is_of_value) /* an order alone may lead it */
			leads = p && w->size[i] >= 0 && constants_has(w, p, c);
		if (leads && !has_its_use(p, c))
			q->concerned[q->n_concerned++] = (uint32_t)i;
	}
	candidates_release(&own);
	arena_reset(&w->plans);
}

/* The cheapest two singles of each table, for the pairs. */
static size_t find_pairs(const struct workload *w, const struct query *q, const double *alone,
	uint32_t pair[][2], size_t most)
{
	size_t n = 0, best[8] = {0}, bests = 0;

	for (size_t i = 0; i < q->n_concerned && bests < ARRAY_LEN(best); i++) {
		size_t better = 0;

		for (size_t k = 0; k < q->n_concerned; k++)
			better += str_eq(w->pool.at.at[q->concerned[k]].table,
					  w->pool.at.at[q->concerned[i]].table) &&
				  (alone[k] < alone[i] || (alone[k] == alone[i] && k < i));
		if (better < 2)
			best[bests++] = i;
	}
	for (size_t i = 0; i < bests; i++)
		for (size_t k = i + 1; k < bests && n < most; k++) {
			pair[n][0] = q->concerned[best[i]];
			pair[n++][1] = q->concerned[best[k]];
		}
	return n;
}

void query_ask(struct workload *w, size_t at)
{
	struct query *q = &w->query.at[at];
	double alone[CONCERNED_MAX];
	uint32_t used[CONCERNED_MAX], other[CONCERNED_MAX], pair[24][2];
	size_t n_used, n_other, pairs;

	matrix_query(w->matrix, at, query_felt(w, q, q->before), 1);
	for (size_t i = 0; i < q->guesses; i++)
		if (q->guess[i].cost < q->before * MIN_GAIN)
			matrix_entry(w->matrix, at, &q->guess[i].id, 1,
				query_felt(w, q, q->guess[i].cost));
	for (size_t i = 0; i < q->n_concerned; i++)
		alone[i] = ask(w, at, &q->concerned[i], 1, other, &n_other);
	if (q->n_concerned < 2)
		return;
	ask(w, at, q->concerned, q->n_concerned, used, &n_used);
	for (size_t i = 0; i < n_used; i++) { /* what it would do without each of these */
		uint32_t rest[CONCERNED_MAX];
		size_t n = 0;

		for (size_t k = 0; k < q->n_concerned; k++)
			if (q->concerned[k] != used[i])
				rest[n++] = q->concerned[k];
		ask(w, at, rest, n, other, &n_other);
	}
	pairs = find_pairs(w, q, alone, pair, ARRAY_LEN(pair));
	for (size_t i = 0; i < pairs; i++)
		ask(w, at, pair[i], 2, other, &n_other);
}

void query_ask_around(struct workload *w, size_t at, const struct choice *c)
{
	struct query *q = &w->query.at[at];
	uint32_t set[CONCERNED_MAX + 1], used[CONCERNED_MAX + 1];
	size_t n = 0, n_used;

	for (size_t i = 0; i < q->n_concerned; i++)
		for (size_t k = 0; k < c->count; k++)
			if (c->index[k] == q->concerned[i])
				set[n++] = q->concerned[i];
	if (n == q->n_around && memcmp(set, q->around, n * sizeof(*set)) == 0)
		return;
	memcpy(q->around, set, n * sizeof(*set));
	q->n_around = n;
	ask(w, at, set, n, used, &n_used);
	for (size_t i = 0; i < q->n_concerned; i++) {
		bool is_in = w->barred[q->concerned[i]];

		for (size_t k = 0; k < n && !is_in; k++)
			is_in = set[k] == q->concerned[i];
		if (is_in)
			continue;
		set[n] = q->concerned[i];
		ask(w, at, set, n + 1, used, &n_used);
	}
}
