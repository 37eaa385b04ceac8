/* SPDX-License-Identifier: ISC
 *
 * The greedy steps of the selection: fill the room that is left, take out what is of no use,
 * throw out until the set fits.
 *
 * Combinations that save only when several indexes are there are added as one unit.
 */
#include <math.h>
#include <string.h>

#include "advise_search.h"

/* 1 / bytes^(slope / 4), which pow() is slow at. */
double search_price(uint64_t bytes, size_t slope)
{
	double quarter = sqrt(sqrt(bytes ? (double)bytes : 1)), price = 1;

	for (size_t k = 0; k < slope; k++)
		price /= quarter;
	return price;
}

bool search_beats(double a, double b)
{
	return a < b - 1e-9 * (fabs(b) + 1e-9);
}

bool search_has_room(const struct search *s, uint64_t bytes, size_t count)
{
	return s->t->bytes + bytes <= s->limits.bytes &&
	       (s->limits.indexes == 0 || s->t->count + count <= s->limits.indexes);
}

bool search_is_over(const struct search *s)
{
	return !search_has_room(s, 0, 0);
}

void search_move(struct search *s, const bool *set)
{
	for (size_t k = 0; k < s->n_useful; k++)
		if (s->t->in[s->useful[k]] && !set[s->useful[k]])
			tray_drop(s->t, s->useful[k]);
	for (size_t k = 0; k < s->n_useful; k++)
		if (!s->t->in[s->useful[k]] && set[s->useful[k]])
			tray_add(s->t, s->useful[k]);
}

void search_keep_best(struct search *s)
{
	struct tray *t = s->t;

	if (search_is_over(s) || search_beats(s->best_total, t->total))
		return;
	if (!search_beats(t->total, s->best_total) && t->bytes >= s->best_bytes)
		return;
	memcpy(s->best, t->in, s->m->indexes * sizeof(*s->best));
	s->best_total = t->total;
	s->best_bytes = t->bytes;
}

/* The absent single index with the best saving for its price, UINT32_MAX when none saves. */
static uint32_t best_single(struct search *s, size_t slope, double *score)
{
	uint32_t best = UINT32_MAX;

	*score = 0;
	for (size_t k = 0; k < s->n_useful; k++) {
		uint32_t i = s->useful[k];
		double saving = s->t->gain[i] - s->m->upkeep[i];

		if (saving * s->price[slope][i] <= *score || s->t->in[i] || s->t->barred[i] ||
			!search_has_room(s, s->m->size[i], 1) || saving <= 1e-9 * s->t->total)
			continue;
		best = i;
		*score = saving * s->price[slope][i];
	}
	s->t->work += 2 * s->n_useful;
	return best;
}

/* What adding all the missing members of the entry's combination would save at least. */
static double unit_saving(const struct search *s, const struct matrix_entry *e, uint64_t *bytes)
{
	const struct matrix *m = s->m;
	double saving = s->t->cost[e->query] - e->cost;

	*bytes = 0;
	for (uint32_t k = m->member_at[e->combo]; k < m->member_at[e->combo + 1]; k++) {
		uint32_t i = m->member[k];

		if (s->t->in[i])
			continue;
		if (s->t->barred[i])
			return 0;
		*bytes += m->size[i];
		saving += s->t->gain[i] - s->t->share[m->member_group[k]] - m->upkeep[i];
	}
	return saving;
}

/* The entry whose missing members, two or more, are worth most as one unit; must beat *score. */
static uint32_t best_unit(struct search *s, size_t slope, double *score)
{
	uint32_t best = UINT32_MAX;

	s->t->work += s->n_unit;
	for (size_t k = 0; k < s->n_unit; k++) {
		const struct matrix_entry *e = s->m->entry + s->unit[k];
		uint64_t bytes;
		double saving;

		if (e->cost >= s->t->cost[e->query] || s->t->missing[e->combo] < 2)
			continue;
		saving = unit_saving(s, e, &bytes);
		s->t->work += 4;
		if (saving <= 1e-9 * s->t->total ||
			!search_has_room(s, bytes, s->t->missing[e->combo]))
			continue;
		saving *= search_price(bytes, slope);
		if (saving <= *score)
			continue;
		*score = saving;
		best = s->unit[k];
	}
	return best;
}

void search_fill(struct search *s, size_t slope)
{
	const struct matrix *m = s->m;

	for (;;) {
		double score;
		uint32_t index = best_single(s, slope, &score), unit = UINT32_MAX;

		if (m->has_multi)
			unit = best_unit(s, slope, &score);
		if (unit != UINT32_MAX) {
			uint32_t c = m->entry[unit].combo;

			for (uint32_t k = m->member_at[c]; k < m->member_at[c + 1]; k++)
				if (!s->t->in[m->member[k]])
					tray_add(s->t, m->member[k]);
		} else if (index != UINT32_MAX) {
			tray_add(s->t, index);
		} else {
			return;
		}
	}
}

void search_prune(struct search *s)
{
	for (size_t k = s->n_useful; k-- > 0;)
		if (s->t->in[s->useful[k]] && tray_loss(s->t, s->useful[k]) <= 1e-12 * s->t->total)
			tray_drop(s->t, s->useful[k]);
}

void search_shrink(struct search *s, uint32_t spared)
{
	while (search_is_over(s)) {
		uint32_t worst = UINT32_MAX;
		double least = INFINITY;
		bool by_count = s->t->bytes <= s->limits.bytes;

		for (size_t k = 0; k < s->n_useful; k++) {
			uint32_t i = s->useful[k];
			double loss;

			if (!s->t->in[i] || i == spared)
				continue;
			loss = tray_loss(s->t, i);
			if (!by_count && loss > 0)
				loss /= s->m->size[i] ? s->m->size[i] : 1;
			if (loss < least) {
				least = loss;
				worst = i;
			}
		}
		s->t->work += s->n_useful;
		if (worst == UINT32_MAX)
			return;
		tray_drop(s->t, worst);
	}
}
