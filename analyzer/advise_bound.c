/* SPDX-License-Identifier: ISC
 *
 * How good could any set be?  A lower bound on the workload's cost under a budget of bytes, and
 * the fractional set that comes with it, which tells the search where to look.
 *
 * The budget problem as an integer program: each query picks one entry (or its base cost), an
 * entry may be picked only when its indexes are chosen, the chosen ones fit the budget.  We
 * relax "only when chosen", with a price w >= 0 for each (query, index) pair:
 *
 *	L(w) = sum over queries of min(base, cheapest entry + its pairs' prices)
 *	     - the most that a fractional knapsack earns, index i being worth sum of w(., i)
 *
 * L(w) is a lower bound for every w.  Prices climb by Polyak's subgradient step towards the
 * cost of the best set known; a running mean of the knapsacks is close to the optimum of the
 * linear relaxation.  At the best w, what an index lacks to enter the knapsack is what the bound
 * rises by when the index is forced in: more than the gap, and it can be left out for good.
 */
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "advise_matrix.h"

struct climb {
	const struct matrix *m;
	uint64_t room;	 /* the budget */
	double *price;	 /* of each group */
	double *worth;	 /* of each index: its groups' prices less its upkeep */
	double *packed;	 /* of each index: how much of it this round's knapsack holds */
	uint32_t *pick;	 /* of each query: its entry this round, UINT32_MAX for the base */
	double *slope;	 /* of each group */
	double marginal; /* what a byte earns at the knapsack's edge */
	uint64_t work;
};

struct ranked {
	double density;
	uint32_t index;
};

static void *zeroed(size_t n, size_t size)
{
	void *p = calloc(n ? n : 1, size);

	if (p == NULL)
		abort();
	return p;
}

static bool is_denser(const struct ranked *x, const struct ranked *y)
{
	return x->density != y->density ? x->density > y->density : x->index < y->index;
}

static void swap(struct ranked *x, struct ranked *y)
{
	struct ranked z = *x;

	*x = *y;
	*y = z;
}

/* The denser ones of ranked[0..n) come first, around one of the middle; answers how many are denser
 * than that one, which then stands at this place. */
static size_t part(struct ranked *ranked, size_t n)
{
	size_t kept = 0;

	swap(&ranked[n / 2], &ranked[n - 1]);
	for (size_t k = 0; k + 1 < n; k++)
		if (is_denser(&ranked[k], &ranked[n - 1]))
			swap(&ranked[k], &ranked[kept++]);
	swap(&ranked[kept], &ranked[n - 1]);
	return kept;
}

/* Fills the room with the densest, in linear time: which of them are whole is all that counts, not
 * their order.  Answers what they earn; *edge is the one that fits in part, UINT32_MAX when all
 * fit. */
static double fill(struct climb *c, struct ranked *ranked, size_t n, struct ranked *edge)
{
	uint64_t left = c->room;
	double earned = 0;

	edge->index = UINT32_MAX;
	while (n > 0) {
		size_t denser = part(ranked, n);
		uint64_t bytes = 0;

		for (size_t k = 0; k < denser && bytes <= left; k++)
			bytes += c->m->size[ranked[k].index];
		if (bytes > left) {
			n = denser;
			continue;
		}
		for (size_t k = 0; k < denser; k++) {
			c->packed[ranked[k].index] = 1;
			earned += c->worth[ranked[k].index];
		}
		left -= bytes;
		*edge = ranked[denser];
		if (c->m->size[edge->index] > left) {
			c->packed[edge->index] = (double)left / c->m->size[edge->index];
			return earned + c->worth[edge->index] * c->packed[edge->index];
		}
		left -= c->m->size[edge->index];
		c->packed[edge->index] = 1;
		earned += c->worth[edge->index];
		edge->index = UINT32_MAX;
		ranked += denser + 1;
		n -= denser + 1;
	}
	return earned;
}

/* The fractional knapsack at these prices; answers what it earns. */
static double pack(struct climb *c, struct ranked *ranked)
{
	const struct matrix *m = c->m;
	struct ranked edge;
	double earned;
	size_t n = 0;

	for (size_t i = 0; i < m->indexes; i++) {
		c->packed[i] = 0;
		if (m->index_group[i] == m->index_group[i + 1])
			continue;
		c->worth[i] = -m->upkeep[i];
		for (uint32_t k = m->index_group[i]; k < m->index_group[i + 1]; k++)
			c->worth[i] += c->price[m->group_of[k]];
		if (c->worth[i] > 0 && m->size[i] <= c->room)
			ranked[n++] = (struct ranked){c->worth[i] / (m->size[i] + 1.0), i};
	}
	c->work += m->groups + 8 * n;
	earned = fill(c, ranked, n, &edge);
	c->marginal = edge.index == UINT32_MAX ? 0 : edge.density;
	return earned;
}

/* Each query takes its cheapest entry at these prices; answers the sum. */
static double pick(struct climb *c)
{
	const struct matrix *m = c->m;
	double sum = 0;

	for (size_t q = 0; q < m->queries; q++) {
		double least = m->base[q];
		uint32_t e;

		c->pick[q] = UINT32_MAX;
		for (e = m->query_at[q]; e < m->query_at[q + 1]; e++) {
			uint32_t combo = m->entry[e].combo;
			double cost = m->entry[e].cost;

			if (cost >= least)
				break;
			for (uint32_t k = m->member_at[combo]; k < m->member_at[combo + 1]; k++)
				cost += c->price[m->member_group[k]];
			if (cost < least) {
				least = cost;
				c->pick[q] = e;
			}
		}
		c->work += 2 * (e - m->query_at[q]);
		sum += least;
	}
	return sum;
}

/* Move the prices: a pair that is picked but not packed gets dearer, the reverse cheaper. */
static void step(struct climb *c, double length)
{
	const struct matrix *m = c->m;
	double norm = 0;

	for (size_t g = 0; g < m->groups; g++)
		c->slope[g] = -c->packed[m->group[g].index];
	for (size_t q = 0; q < m->queries; q++) {
		uint32_t e = c->pick[q];

		if (e == UINT32_MAX)
			continue;
		e = m->entry[e].combo;
		for (uint32_t k = m->member_at[e]; k < m->member_at[e + 1]; k++)
			c->slope[m->member_group[k]] += 1;
	}
	for (size_t g = 0; g < m->groups; g++) {
		if (c->slope[g] < 0 && c->price[g] <= 0)
			c->slope[g] = 0;
		norm += c->slope[g] * c->slope[g];
	}
	if (norm <= 0)
		return;
	for (size_t g = 0; g < m->groups; g++) {
		c->price[g] += length / norm * c->slope[g];
		if (c->price[g] < 0)
			c->price[g] = 0;
	}
	c->work += 2 * m->groups;
}

uint64_t bound_climb(const struct matrix *m, struct bound *b, uint64_t bytes, double known,
	size_t rounds)
{
	struct climb c = {.m = m, .room = bytes};
	struct ranked *ranked = zeroed(m->indexes, sizeof(*ranked));
	double theta = 1.5;
	size_t stale = 0;

	c.price = b->price;
	c.worth = zeroed(m->indexes, sizeof(*c.worth));
	c.packed = zeroed(m->indexes, sizeof(*c.packed));
	c.pick = zeroed(m->queries, sizeof(*c.pick));
	c.slope = zeroed(m->groups, sizeof(*c.slope));
	for (size_t r = 0; r < rounds && theta > 1e-4; r++) {
		double value = pick(&c) - pack(&c, ranked), mix = r == 0 ? 1 : 0.06;

		for (size_t i = 0; i < m->indexes; i++)
			b->held[i] += mix * (c.packed[i] - b->held[i]);
		if (value > b->value) {
			stale = value > b->value + 1e-6 * fabs(known) ? 0 : stale + 1;
			b->value = value;
			for (size_t i = 0; i < m->indexes; i++)
				b->lacking[i] = c.marginal * (m->size[i] + 1.0) - c.worth[i];
		} else {
			stale++;
		}
		if (stale >= 20) {
			theta /= 1.2;
			stale = 0;
		}
		if (known - value <= 1e-9 * fabs(known))
			break;
		step(&c, theta * (known - value));
	}
	free(ranked);
	free(c.worth);
	free(c.packed);
	free(c.pick);
	free(c.slope);
	return c.work;
}

struct bound *bound_new(const struct matrix *m)
{
	struct bound *b = zeroed(1, sizeof(*b));

	b->value = -INFINITY;
	b->price = zeroed(m->groups, sizeof(*b->price));
	b->held = zeroed(m->indexes, sizeof(*b->held));
	b->lacking = zeroed(m->indexes, sizeof(*b->lacking));
	return b;
}

void bound_free(struct bound **bp)
{
	struct bound *b = *bp;

	if (b == NULL)
		return;
	*bp = NULL;
	free(b->price);
	free(b->held);
	free(b->lacking);
	free(b);
}
