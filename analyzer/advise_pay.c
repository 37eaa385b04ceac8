/* SPDX-License-Identifier: ISC
 *
 * Does each chosen index pay?  The selection takes whatever saves something; whoever has to keep
 * an index wants more than that.  It must take a share off the workload's whole cost
 * (--min-gain; less where a budget has room), its writes subtracted, or half off the cost of one
 * query.  Asked of the planner: the queries that use it, planned once more with all the others but
 * without it.  What does not pay is left out, the least useful first, and said.
 */
#include "advise_workload.h"

#include <math.h>

#define HALF 0.5
/* This part of the budget, or more, must bring all that is asked.  With less of it an index need
 * bring only as much less: room that is left over is worth nothing. */
#define WHOLE_PART 0.05

struct pay {
	double gain; /* of the workload's weighted cost, upkeep subtracted */
	double mean; /* of the average call, as a part */
	double best; /* of one query: its cost with the index, by that without */
};

static bool uses(const struct query *q, uint32_t id)
{
	for (size_t i = 0; i < q->n_used; i++)
		if (q->used[i] == id)
			return true;
	return false;
}

/* The query's cost with what is tried now, or by another chosen index that is only guessed. */
static double cost_without(struct workload *w, const struct query *q, const struct choice *c,
	uint32_t id)
{
	struct plan *p = query_plan(w, q);
	double cost = p ? fmin(p->root->total_cost, q->before) : q->before;

	for (size_t i = 0; i < q->guesses; i++)
		for (size_t k = 0; k < c->count; k++)
			if (q->guess[i].id == c->index[k] && q->guess[i].id != id)
				cost = fmin(cost, q->guess[i].cost);
	arena_reset(&w->plans);
	return cost;
}

static struct pay pay_of(struct workload *w, const struct choice *c, uint32_t id)
{
	uint32_t *rest = mem_zalloc((c->count + 1) * sizeof(*rest));
	struct pay pay = {.gain = -w->upkeep[id], .best = 1};
	size_t n = 0;

	for (size_t i = 0; i < c->count; i++)
		if (c->index[i] != id && !w->is_guessed[c->index[i]])
			rest[n++] = c->index[i];
	whatif_try(&w->whatif, rest, n);
	for (size_t i = 0; i < w->query.n; i++) {
		const struct query *q = &w->query.at[i];
		double without;

		if (!uses(q, id))
			continue;
		without = cost_without(w, q, c, id);
		pay.gain += (without - q->after) * q->weight;
		if (without <= 0)
			continue;
		pay.best = fmin(pay.best, q->after / without);
		pay.mean += (1 - q->after / without) * q->calls / w->calls;
	}
	free(rest);
	return pay;
}

double pay_asked(const struct workload *w, const struct workload_limits *l, uint32_t id)
{
	if (l->bytes == 0 || !l->is_gain_scaled)
		return 1;
	return fmin(1, (double)w->size[id] / ((double)l->bytes * WHOLE_PART));
}

static bool does_pay(const struct workload *w, const struct pay *p, double least)
{
	return p->gain > 0 && (p->gain >= least * w->total || p->mean >= least || p->best <= HALF);
}

static void leave_out(struct choice *c, uint32_t id)
{
	size_t kept = 0;

	for (size_t i = 0; i < c->count; i++)
		if (c->index[i] != id)
			c->index[kept++] = c->index[i];
	c->count = kept;
}

static void say_left_out(struct workload *w, uint32_t id, const struct pay *pay, double least,
	struct workload_result *r)
{
	const struct candidate *c = &w->pool.at.at[id];
	struct str on = candidate_definition(&w->found->arena, c);
	struct text t = {0};

	text_printf(&t,
		"left out: an index on %.*s %.*s (%.1f MB) would take %.1f %% off the "
		"workload's cost and %.1f %% off the average query's",
		STR_ARGS(c->table), STR_ARGS(on), (double)w->size[id] / 1e6,
		fmax(100 * pay->gain / w->total, 0), fmax(100 * pay->mean, 0));
	if (w->upkeep[id] > 0)
		text_puts(&t, ", its writes subtracted");
	text_printf(&t, "; %g %% is asked of it (--min-gain), or half off one query's",
		100 * least);
	*VEC_PUSH(&r->say) =
		(struct workload_note){.text = arena_str(&w->found->arena, text_slice(&t))};
	text_release(&t);
}

/* The index whose queries would lose least without it, of those that do not pay; UINT32_MAX: none.
 */
static uint32_t find_worst(struct workload *w, const struct choice *c, const bool *is_needed,
	const struct workload_limits *l, struct pay *low)
{
	uint32_t worst = UINT32_MAX;

	low->gain = INFINITY;
	for (size_t i = 0; i < c->count; i++) {
		struct pay pay;

		if (is_needed[c->index[i]])
			continue;
		pay = pay_of(w, c, c->index[i]);
		if (does_pay(w, &pay, l->gain * pay_asked(w, l, c->index[i])) ||
			pay.gain >= low->gain)
			continue;
		*low = pay;
		worst = c->index[i];
	}
	return worst;
}

void workload_pay(struct workload *w, struct choice *c, const struct workload_limits *l,
	struct workload_result *r)
{
	size_t n = w->pool.at.n;
	bool *is_needed = ARENA_ARRAY(&w->arena, bool, n + 1);
	bool *barred = ARENA_ARRAY(&w->arena, bool, n + 1);
	uint32_t *whole = ARENA_ARRAY(&w->arena, uint32_t, c->count + 1);
	struct pay pay;
	uint32_t worst;

	while ((worst = find_worst(w, c, is_needed, l, &pay)) != UINT32_MAX) {
		size_t count = c->count;

		memcpy(barred, w->barred, n * sizeof(*barred));
		memcpy(whole, c->index, count * sizeof(*whole));
		leave_out(c, worst);
		if (!workload_prove(w, c)) {
			say_left_out(w, worst, &pay, l->gain * pay_asked(w, l, worst), r);
			continue;
		}
		/* Without it a query would fall for another one: it is needed after all. */
		memcpy(w->barred, barred, n * sizeof(*barred));
		memcpy(c->index, whole, count * sizeof(*whole));
		c->count = count;
		is_needed[worst] = true;
		workload_prove(w, c);
	}
}
