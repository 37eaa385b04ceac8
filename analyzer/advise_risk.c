/* SPDX-License-Identifier: ISC
 *
 * Could an index make a query slower?  It can, when it lures the planner into another plan whose
 * cost is said too low.  Of all plans that is the nested loop over an index: each look-up is priced
 * as if the pages it reads were mostly there already and its rows were as many as estimated.  So
 * every plan has a second, pessimistic cost, with such look-ups LOOKUPS times as dear, or less
 * where the table lies in the index's order and a look-up's rows are on one page.  A plan that is
 * no cheaper than today's even so is a gain; one that is cheaper only by the planner's word earns
 * an index nothing; and an index that puts more at stake this way than a part of what it surely
 * saves is barred.  What stays doubtful is told, so that it can be tried (--scratch).
 */
#include "advise_workload.h"

#include <math.h>

#define LOOKUPS	      2.0
#define MUCH_OF_TABLE 0.1 /* of its rows, in a table of MANY_ROWS at least */
#define MANY_ROWS     10000
#define NEARBY	      1.25 /* the least, in a table that lies in the index's order */
/* A query that is slower than yesterday is felt, one that is quicker is not noticed: what is at
 * stake must be a tenth of what is surely saved. */
#define STAKE_WEIGHT 10.0
#define TELL	     1.1 /* how much dearer it may be before it is told */

static bool has_tried(const struct whatif *t, const struct plan_node *n, uint32_t *id)
{
	for (size_t j = 0; n->index.n && j < t->name.n; j++)
		if (str_eq(n->index, t->name.at[j])) {
			*id = t->id.at[j];
			return true;
		}
	for (size_t i = 0; i < n->children; i++)
		if (n->child[i]->kind != PLAN_NESTED_LOOP && has_tried(t, n->child[i], id))
			return true;
	return false;
}

/* How much dearer look-ups by this index might be than the planner says. */
static double lookups_by(const struct workload *w, uint32_t id)
{
	const struct candidate *c = &w->pool.at.at[id];
	const struct schema_table *t = schema_find(w->schema, c->schema, c->table);
	int at = t ? candidate_column(t, c->key[0].expr) : -1;
	double order = at >= 0 ? t->column.at[at].correlation : 0;

	return fmax(NEARBY, LOOKUPS - (LOOKUPS - 1) * order * order);
}

/* A tried index below n, not through another loop, that reads much of its table in an order of its
 * own: look-ups for its rows do not fall next to each other any more, as they did for those of a
 * table that was read from end to end. */
static bool is_scattered(const struct workload *w, const struct plan_node *n, uint32_t *id)
{
	for (size_t j = 0; n->index.n && j < w->whatif.name.n; j++)
		if (str_eq(n->index, w->whatif.name.at[j])) {
			const struct candidate *c = &w->pool.at.at[w->whatif.id.at[j]];
			const struct schema_table *t = schema_find(w->schema, c->schema, c->table);

			*id = w->whatif.id.at[j];
			return t && t->rows >= MANY_ROWS &&
			       plan_num(n->plan_rows) >= t->rows * MUCH_OF_TABLE;
		}
	for (size_t i = 0; i < n->children; i++)
		if (n->child[i]->kind != PLAN_NESTED_LOOP && is_scattered(w, n->child[i], id))
			return true;
	return false;
}

double risk_cost(const struct workload *w, const struct plan *p)
{
	double cost = p->root->total_cost;
	uint32_t id;

	for (size_t i = 0; i < p->nodes; i++) {
		const struct plan_node *n = p->node[i], *outer = plan_outer(n),
				       *inner = plan_inner(n);

		if (n->kind == PLAN_NESTED_LOOP && outer && inner &&
			(has_tried(&w->whatif, inner, &id) || is_scattered(w, outer, &id)))
			cost += (lookups_by(w, id) - 1) *
				fmax(n->total_cost - outer->total_cost, 0);
	}
	return cost;
}

/* What the queries that use the index surely gain, and what is at stake in those that may lose. */
static void weigh(const struct workload *w, uint32_t id, double *gain, double *stake)
{
	*gain = *stake = 0;
	for (size_t i = 0; i < w->query.n; i++) {
		const struct query *q = &w->query.at[i];
		double change = (q->before - q->worst) * q->weight;

		for (size_t k = 0; k < q->n_used; k++)
			if (q->used[k] == id)
				*(change > 0 ? gain : stake) += fabs(change);
	}
}

bool risk_bar(struct workload *w, const struct choice *c)
{
	bool any = false;

	for (size_t i = 0; i < c->count; i++) {
		double gain, stake;

		weigh(w, c->index[i], &gain, &stake);
		if (stake * STAKE_WEIGHT <= gain)
			continue;
		w->barred[c->index[i]] = true;
		any = true;
	}
	return any;
}

void risk_say(struct workload *w, struct workload_result *r)
{
	uint32_t told = NO_SHAPE;

	for (size_t i = 0; i < w->query.n; i++) {
		const struct query *q = &w->query.at[i];
		const struct shape *s = w->facts->shape.at[q->shape];
		struct text t = {0};

		/* Run in the copy: known. */
		if (q->shape == told || q->worst <= q->before * TELL || q->n_used == 0 ||
			!isnan(q->ms_after))
			continue;
		told = q->shape;
		text_printf(&t,
			"doubtful: query %s would look up rows one by one in %.*s, which the "
			"planner "
			"prices at %.0f %% of today's plan; were a look-up twice as dear, it would "
			"be slower.  "
			"--scratch runs it",
			s->id, STR_ARGS(w->pool.at.at[q->used[0]].name),
			100 * q->after / q->before);
		*VEC_PUSH(&r->say) = (struct workload_note){
			.is_warning = true, .text = arena_str(&w->found->arena, text_slice(&t))};
		text_release(&t);
	}
}
