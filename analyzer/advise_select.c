/* SPDX-License-Identifier: ISC
 *
 * Choosing indexes under a budget: greedy starts, then a deterministic iterated local search.
 *
 * The problem is a knapsack whose items help each other and stand in for each other, so no
 * greedy order is safe: benefit per byte fills the budget with crumbs, benefit alone with one
 * boulder, and either can be 15 points from the optimum.  So:
 *	1. several starts: greedy by saving / bytes^a for a from 0 to 1.25, and the other way
 *	   round, everything useful first and then the least loss per byte thrown out;
 *	2. each is improved until no step helps: one index out and the room filled again (by
 *	   saving, and by saving per byte); an index that does not fit in and the cheapest ones
 *	   out until it fits;
 *	3. a lower bound is climbed to (advise_bound.c): its fractional set is one more start,
 *	   shows which indexes are in doubt, and proves many not worth another look;
 *	4. the same once more among the few indexes that the bound holds a trace of, where a
 *	   step costs a fraction;
 *	5. a tabu search (advise_tabu.c); and from the same set, again and again: some indexes out
 *(some of them barred for a while) or a strange one in, refill, improve; kept when it is not worse,
 *until the effort is spent or the bound is reached. The greedy steps are advise_fill.c's.
 *
 * Effort is counted in matrix entries looked at and the random numbers have a fixed seed: the
 * same input gives the same set everywhere.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "advise_search.h"

#define DEFAULT_EFFORT 160000000u
#define KERNEL_MIN     60
#define KERNEL_MAX     400

/* --- improving ----------------------------------------------------------------------------- */

bool search_is_tired(const struct search *s)
{
	return s->t->work >= s->limits.effort ||
	       s->best_total - s->bound->value <= 1e-7 * fabs(s->best_total);
}

/* One out, the room filled again: the way that ends cheapest is kept. */
static bool try_without(struct search *s, uint32_t index)
{
	static const size_t ways[] = {0, 4, 2};
	double before = s->t->total;

	memcpy(s->home, s->t->in, s->m->indexes * sizeof(*s->home));
	for (size_t w = 0; w < sizeof(ways) / sizeof(ways[0]); w++) {
		tray_drop(s->t, index);
		s->t->barred[index] = true;
		search_fill(s, ways[w]);
		s->t->barred[index] = false;
		search_fill(s, ways[w]);
		if (search_beats(s->t->total, before))
			return true;
		search_move(s, s->home);
	}
	return false;
}

/* One in, whether there is room or not; others out until it fits; the rest filled again. */
static bool try_with(struct search *s, uint32_t index)
{
	double before = s->t->total;

	memcpy(s->home, s->t->in, s->m->indexes * sizeof(*s->home));
	tray_add(s->t, index);
	search_shrink(s, index);
	if (!search_is_over(s))
		search_fill(s, 4);
	if (!search_is_over(s) && search_beats(s->t->total, before))
		return true;
	search_move(s, s->home);
	return false;
}

/* Steps until none helps any more, or the effort is spent. */
static void improve(struct search *s)
{
	bool better = true;

	search_prune(s);
	search_fill(s, 0);
	while (better && !search_is_tired(s)) {
		better = false;
		for (size_t k = 0; k < s->n_useful && !search_is_tired(s); k++)
			if (s->t->in[s->useful[k]] && try_without(s, s->useful[k]))
				better = true;
		for (size_t k = 0; k < s->n_useful && !search_is_tired(s); k++) {
			uint32_t i = s->useful[k];

			if (!s->t->in[i] && s->bound->held[i] > 0.01 && try_with(s, i))
				better = true;
		}
		search_prune(s);
		search_fill(s, 0);
	}
	search_keep_best(s);
}

/* Greedy ways to begin, not improved: only the best of them is remembered. Where many units
 * make each step dear, two ways must do. */
static void starts(struct search *s)
{
	bool is_large = s->n_unit > 5000;

	for (size_t slope = is_large ? 2 : 0; slope < SLOPES; slope += is_large ? 2 : 1) {
		tray_empty(s->t);
		search_fill(s, slope);
		search_prune(s);
		search_fill(s, 0);
		search_keep_best(s);
	}
	if (s->n_useful > 500)
		return; /* the bound's start is as good and quicker */
	tray_empty(s->t);
	for (size_t k = 0; k < s->n_useful; k++)
		tray_add(s->t, s->useful[k]);
	search_prune(s);
	search_shrink(s, UINT32_MAX);
	search_fill(s, 4);
	search_keep_best(s);
}

/* --- wandering ----------------------------------------------------------------------------- */

uint64_t search_draw(struct search *s, uint64_t below)
{
	s->seed ^= s->seed >> 12;
	s->seed ^= s->seed << 25;
	s->seed ^= s->seed >> 27;
	return (s->seed * 2685821657736338717u >> 33) % below;
}

/* One of the useful indexes, in or out of the tray, drawn by how doubtful its place is. */
static uint32_t draw_doubtful(struct search *s, bool in)
{
	double sum = 0, mark;
	uint32_t last = UINT32_MAX;

	for (int pass = 0; pass < 2; pass++) {
		mark = pass ? search_draw(s, 1u << 30) / (double)(1u << 30) * sum : INFINITY;
		for (size_t k = 0; k < s->n_useful; k++) {
			uint32_t i = s->useful[k];
			double held = s->bound->held[i];

			if (s->t->in[i] != in || s->t->barred[i])
				continue;
			last = i;
			held = (in ? 1 - held : held) + 0.02;
			if (pass == 0)
				sum += held;
			else if ((mark -= held) <= 0)
				return i;
		}
	}
	s->t->work += 5 * s->n_useful;
	return last;
}

static void kick(struct search *s)
{
	struct tray *t = s->t;
	size_t out = t->count ? 1 + search_draw(s, 1 + t->count / 3) : 0;
	bool bar = search_draw(s, 2);

	for (size_t in = search_draw(s, 4); in > 0; in--) {
		uint32_t strange = draw_doubtful(s, false);

		if (strange == UINT32_MAX)
			break;
		tray_add(t, strange);
		search_shrink(s, strange);
	}
	while (out-- > 0 && t->count > 0) {
		uint32_t i = draw_doubtful(s, true);

		if (i == UINT32_MAX)
			break;
		tray_drop(t, i);
		t->barred[i] = bar;
	}
	search_fill(s, search_draw(s, SLOPES));
	memset(t->barred, 0, s->m->indexes * sizeof(*t->barred));
}

/* --- the bound ----------------------------------------------------------------------------- */

/* Only units that the relaxed optimum has at least a trace of are tried as a whole. */
static void narrow_units(struct search *s)
{
	size_t kept = 0;

	for (size_t k = 0; k < s->n_unit; k++) {
		uint32_t c = s->m->entry[s->unit[k]].combo;
		bool has_all = true;

		for (uint32_t i = s->m->member_at[c]; i < s->m->member_at[c + 1] && has_all; i++)
			has_all =
				s->best[s->m->member[i]] || s->bound->held[s->m->member[i]] > 0.01;
		if (has_all)
			s->unit[kept++] = s->unit[k];
	}
	s->n_unit = kept;
}

/* Forget the indexes that the bound proves useless: with them no set beats the best one. */
static void narrow(struct search *s)
{
	size_t kept = 0;

	search_move(s, s->best);
	for (size_t k = 0; k < s->n_useful; k++) {
		uint32_t i = s->useful[k];

		if (s->best[i] || s->bound->value + s->bound->lacking[i] < s->best_total)
			s->useful[kept++] = i;
	}
	s->n_useful = kept;
	narrow_units(s);
}

static void climb(struct search *s, size_t rounds)
{
	s->t->work += bound_climb(s->m, s->bound, s->limits.bytes, s->best_total, rounds);
	narrow(s);
}

static int by_held(const void *a, const void *b, void *held)
{
	const double *h = held;
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	if (h[x] != h[y])
		return h[x] > h[y] ? -1 : 1;
	return (x > y) - (x < y);
}

/* Round the relaxed optimum: the most held first, as far as there is room. */
static void start_from_bound(struct search *s)
{
	uint32_t *order = malloc((s->n_useful + 1) * sizeof(*order));

	if (order == NULL)
		abort();
	memcpy(order, s->useful, s->n_useful * sizeof(*order));
	qsort_r(order, s->n_useful, sizeof(*order), by_held, s->bound->held);
	for (int share = 0; share < 3; share++) {
		tray_empty(s->t);
		for (size_t k = 0; k < s->n_useful; k++)
			if (s->bound->held[order[k]] > 0.25 * share &&
				search_has_room(s, s->m->size[order[k]], 1))
				tray_add(s->t, order[k]);
		search_prune(s);
		search_fill(s, 4);
		improve(s);
	}
	free(order);
}

static void wander(struct search *s)
{
	bool *camp = malloc((s->m->indexes + 1) * sizeof(*camp));
	double camp_total = s->best_total;
	unsigned idle = 0, tried = 0;
	if (camp == NULL)
		abort();
	memcpy(camp, s->best, s->m->indexes * sizeof(*camp));
	if (!search_is_tired(s))
		search_tabu(s, (s->limits.effort - s->t->work) / 3);
	while (!search_is_tired(s)) {
		search_move(s, camp);
		kick(s);
		improve(s);
		idle = search_beats(s->t->total, camp_total) ? 0 : idle + 1;
		/* A little worse is let through now and then, so that a ridge can be crossed. */
		if (!search_is_over(s) &&
			!search_beats(camp_total * (1 + (idle % 8 == 7) * 0.002), s->t->total)) {
			memcpy(camp, s->t->in, s->m->indexes * sizeof(*camp));
			camp_total = s->t->total;
		}
		if (++tried % 256 == 0)
			climb(s, 50);
		if (idle % 64 == 63) {
			memcpy(camp, s->best, s->m->indexes * sizeof(*camp));
			camp_total = s->best_total;
		}
	}
	free(camp);
}

/* --- the door ------------------------------------------------------------------------------ */

static void *zeroed(size_t n, size_t size)
{
	void *p = calloc(n ? n : 1, size);

	if (p == NULL)
		abort();
	return p;
}

static void find_useful(struct search *s)
{
	s->useful = zeroed(s->m->indexes, sizeof(*s->useful));
	for (size_t i = 0; i < s->m->indexes; i++)
		if (s->m->index_group[i] < s->m->index_group[i + 1] &&
			s->m->size[i] <= s->limits.bytes)
			s->useful[s->n_useful++] = i;
	s->unit = zeroed(s->m->entries, sizeof(*s->unit));
	for (size_t e = 0; e < s->m->entries; e++) {
		uint32_t c = s->m->entry[e].combo;

		if (s->m->member_at[c + 1] - s->m->member_at[c] > 1)
			s->unit[s->n_unit++] = e;
	}
	for (size_t p = 0; p < SLOPES; p++) {
		s->price[p] = zeroed(s->m->indexes, sizeof(**s->price));
		for (size_t k = 0; k < s->n_useful; k++)
			s->price[p][s->useful[k]] = search_price(s->m->size[s->useful[k]], p);
	}
}

/* The set as an answer; its cost is summed afresh, free of the search's rounding. */
static struct choice answer(struct search *s)
{
	struct choice c = {.index = zeroed(s->m->indexes, sizeof(*c.index))};

	tray_empty(s->t);
	for (size_t i = 0; i < s->m->indexes; i++) {
		if (!s->best[i])
			continue;
		tray_add(s->t, i);
		c.index[c.count++] = i;
		c.cost += s->m->upkeep[i];
	}
	for (size_t q = 0; q < s->m->queries; q++)
		c.cost += s->t->cost[q];
	c.bytes = s->t->bytes;
	return c;
}

static void search_open(struct search *s, const struct matrix *m, const struct select_limits *l,
	uint64_t effort)
{
	*s = (struct search){.m = m, .limits = *l, .seed = 0x9e3779b97f4a7c15u};
	s->limits.effort = effort;
	s->t = tray_new(m);
	s->best = zeroed(m->indexes, sizeof(*s->best));
	s->home = zeroed(m->indexes, sizeof(*s->home));
	s->best_total = s->t->total;
	s->bound = bound_new(m);
	find_useful(s);
}

static void search_close(struct search *s)
{
	tray_free(&s->t);
	for (size_t p = 0; p < SLOPES; p++)
		free(s->price[p]);
	bound_free(&s->bound);
	free(s->useful);
	free(s->unit);
	free(s->best);
	free(s->home);
}

/* The indexes the relaxed optimum holds a trace of, and the nearest beside them. */
static size_t find_kernel(struct search *s, uint32_t *kernel)
{
	size_t n = 0;

	memcpy(kernel, s->useful, s->n_useful * sizeof(*kernel));
	qsort_r(kernel, s->n_useful, sizeof(*kernel), by_held, s->bound->held);
	while (n < s->n_useful && n < KERNEL_MAX &&
		(n < KERNEL_MIN || s->bound->held[kernel[n]] > 0.001))
		n++;
	for (size_t k = n, end = s->n_useful; k < end; k++)
		if (s->best[kernel[k]])
			kernel[n++] = kernel[k];
	return n;
}

/* The matrix of these indexes alone; number[] says which of them an index became. */
static struct matrix *build_kernel(const struct matrix *m, const uint32_t *kernel, size_t n,
	uint32_t *number)
{
	struct matrix *k = matrix_new(n, m->queries);
	uint32_t *member = zeroed(m->members, sizeof(*member));

	for (size_t i = 0; i < m->indexes; i++)
		number[i] = UINT32_MAX;
	for (size_t i = 0; i < n; i++) {
		number[kernel[i]] = i;
		matrix_index(k, i, m->size[kernel[i]], m->upkeep[kernel[i]]);
	}
	for (size_t q = 0; q < m->queries; q++)
		matrix_query(k, q, m->base[q], 1);
	for (size_t e = 0; e < m->entries; e++) {
		uint32_t c = m->entry[e].combo;
		size_t members = m->member_at[c + 1] - m->member_at[c], have = 0;

		for (; have < members; have++) {
			member[have] = number[m->member[m->member_at[c] + have]];
			if (member[have] == UINT32_MAX)
				break;
		}
		if (have == members)
			matrix_entry(k, m->entry[e].query, member, members, m->entry[e].cost);
	}
	free(member);
	k->keeps_all = true; /* the best set so far must stay expressible */
	matrix_seal(k);
	return k;
}

/* Searches among the few indexes that matter, where a step costs a fraction; what is found is
 * the full search's new best. */
static void search_kernel(struct search *s)
{
	uint32_t *kernel = zeroed(s->m->indexes, sizeof(*kernel));
	uint32_t *number = zeroed(s->m->indexes, sizeof(*number));
	size_t n = find_kernel(s, kernel);
	struct matrix *m = build_kernel(s->m, kernel, n, number);
	struct search inner;
	bool *set = zeroed(s->m->indexes, sizeof(*set));

	search_open(&inner, m, &s->limits, (s->limits.effort - s->t->work) / 5 * 4);
	for (size_t i = 0; i < n; i++)
		if (s->best[kernel[i]])
			tray_add(inner.t, i);
	search_keep_best(&inner);
	starts(&inner);
	climb(&inner, 500);
	start_from_bound(&inner);
	wander(&inner);
	for (size_t i = 0; i < n; i++)
		set[kernel[i]] = inner.best[i];
	search_move(s, set);
	search_keep_best(s);
	s->t->work += inner.t->work;
	search_close(&inner);
	matrix_free(&m);
	free(set);
	free(kernel);
	free(number);
}

struct choice select_indexes(const struct matrix *m, const struct select_limits *limits)
{
	struct search s;
	struct choice c;

	search_open(&s, m, limits, limits->effort ? limits->effort : DEFAULT_EFFORT);
	if (s.n_useful > 0) {
		starts(&s);
		climb(&s, 1000);
		if (s.n_useful > KERNEL_MIN && !search_is_tired(&s))
			search_kernel(&s);
		else
			start_from_bound(&s);
		search_move(&s, s.best);
		improve(&s);
		wander(&s);
	}
	c = answer(&s);
	search_close(&s);
	return c;
}

void choice_release(struct choice *c)
{
	free(c->index);
	*c = (struct choice){0};
}
