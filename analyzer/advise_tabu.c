/* SPDX-License-Identifier: ISC
 *
 * Tabu search over the edge of the budget: some indexes in, whether there is room or not, others
 * out until the set fits, the rest filled; and what has just moved may not move back for a while.
 *
 * A step that helps at once is found by advise_select.c's own; where the best sets lie apart, with
 * only worse ones between, it always comes home to the same.  Here nothing is undone because it is
 * worse, so that the set drifts; only the best that was met is remembered.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "advise_search.h"

#define IN_AT_MOST 3   /* indexes, or entries of several, that go in before others go out */
#define STALE	   600 /* swings without a new best: begin anew at the best */

struct tabu {
	uint64_t *free_at; /* of each index: the swing from which it may move again */
	uint64_t swing;
	size_t slope; /* of this swing: how much bytes count */
	bool *out;    /* of each index: went out lately, may not come in */
};

/* It stays where it is for some swings: fewer for those outside, of which there are more. */
static void hold(struct search *s, struct tabu *t, uint32_t index, bool is_in)
{
	size_t in = s->t->count, span = is_in ? 2 + in / 3 : 3 + in / 2;

	t->free_at[index] = t->swing + 1 + search_draw(s, span < 40 ? span : 40);
	s->t->barred[index] = !is_in;
	t->out[index] = !is_in;
}

static void put_in(struct search *s, struct tabu *t, uint32_t index)
{
	tray_add(s->t, index);
	hold(s, t, index, true);
}

/* All that the entry's combination lacks. */
static void put_unit(struct search *s, struct tabu *t, uint32_t entry)
{
	const struct matrix *m = s->m;
	uint32_t c = m->entry[entry].combo;

	for (uint32_t k = m->member_at[c]; k < m->member_at[c + 1]; k++)
		if (!s->t->in[m->member[k]])
			put_in(s, t, m->member[k]);
}

/* The index outside with most saving for its price, room or not; UINT32_MAX: none saves. */
static uint32_t most_wanted(struct search *s, const struct tabu *t)
{
	uint32_t best = UINT32_MAX;
	double most = 0;

	for (size_t k = 0; k < s->n_useful; k++) {
		uint32_t i = s->useful[k];
		double worth = (s->t->gain[i] - s->m->upkeep[i]) * s->price[t->slope][i];

		if (worth > most && !s->t->in[i] && !s->t->barred[i]) {
			most = worth;
			best = i;
		}
	}
	s->t->work += 2 * s->n_useful;
	return best;
}

/* The index inside whose loss, for its bytes, is least; those that came in lately only when there
 * is nothing else. */
static uint32_t least_missed(struct search *s, const struct tabu *t)
{
	uint32_t best = UINT32_MAX;
	double least = INFINITY;

	for (int lately = 0; lately < 2 && best == UINT32_MAX; lately++)
		for (size_t k = 0; k < s->n_useful; k++) {
			uint32_t i = s->useful[k];
			double loss;

			if (!s->t->in[i] || (!lately && t->free_at[i] > t->swing))
				continue;
			loss = tray_loss(s->t, i) * s->price[t->slope][i];
			if (loss < least) {
				least = loss;
				best = i;
			}
		}
	s->t->work += 2 * s->n_useful;
	return best;
}

static void go_in(struct search *s, struct tabu *t)
{
	for (size_t in = 1 + search_draw(s, IN_AT_MOST); in > 0; in--) {
		uint32_t i = UINT32_MAX;

		if (s->n_unit && search_draw(s, 3) == 0) {
			put_unit(s, t, s->unit[search_draw(s, s->n_unit)]);
			continue;
		}
		i = most_wanted(s, t);
		if (i == UINT32_MAX)
			return;
		put_in(s, t, i);
	}
}

static void go_out(struct search *s, struct tabu *t)
{
	do {
		uint32_t i = least_missed(s, t);

		if (i == UINT32_MAX)
			return;
		tray_drop(s->t, i);
		hold(s, t, i, false);
	} while (search_is_over(s));
}

static void let_go(struct search *s, struct tabu *t)
{
	for (size_t k = 0; k < s->n_useful; k++) {
		uint32_t i = s->useful[k];

		if (t->out[i] && t->free_at[i] <= t->swing)
			t->out[i] = s->t->barred[i] = false;
	}
	s->t->work += s->n_useful;
}

void search_tabu(struct search *s, uint64_t effort)
{
	struct tabu t = {.free_at = calloc(s->m->indexes + 1, sizeof(*t.free_at)),
		.out = calloc(s->m->indexes + 1, sizeof(*t.out))};
	uint64_t until = s->t->work + effort, seed = s->seed;
	double best = s->best_total;
	size_t stale = 0;

	if (t.free_at == NULL || t.out == NULL)
		abort();
	search_move(s, s->best);
	while (s->t->work < until && !search_is_tired(s)) {
		t.swing++;
		t.slope = search_draw(s, SLOPES);
		let_go(s, &t);
		go_in(s, &t);
		go_out(s, &t);
		search_fill(s, t.slope);
		search_keep_best(s);
		stale = search_beats(s->best_total, best) ? 0 : stale + 1;
		best = s->best_total;
		if (stale == STALE) {
			search_move(s, s->best);
			stale = 0;
		}
	}
	memset(s->t->barred, 0, s->m->indexes * sizeof(*s->t->barred));
	s->seed = seed; /* what comes next does not hang on how long this took */
	free(t.free_at);
	free(t.out);
}
