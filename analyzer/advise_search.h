/* SPDX-License-Identifier: ISC
 *
 * advise_search.h: the search for a set of indexes at work; private to advise_select.c, which
 * decides where to look, advise_fill.c, whose greedy steps it looks with, and advise_tabu.c, which
 * looks where no step helps at once.
 */
#ifndef ADVISE_SEARCH_H
#define ADVISE_SEARCH_H

#include "advise.h"
#include "advise_matrix.h"

/* Greedy steps weigh an index by saving / bytes^(slope / 4). */
#define SLOPES 6
double search_price(uint64_t bytes, size_t slope);

struct search {
	const struct matrix *m;
	struct select_limits limits;
	struct tray *t;
	uint32_t *useful; /* the indexes worth looking at that could fit at all */
	size_t n_useful;
	uint32_t *unit; /* entries that need several indexes and may enter a fill as one */
	size_t n_unit;
	double *price[SLOPES]; /* search_price() of each index */
	bool *best;	       /* the best set so far */
	double best_total;
	uint64_t best_bytes;
	bool *home; /* the set the current trial started from */
	struct bound *bound;
	uint64_t seed;
};

/* a is cheaper than b by more than rounding. */
bool search_beats(double a, double b);
bool search_has_room(const struct search *s, uint64_t bytes, size_t count);
bool search_is_over(const struct search *s); /* the tray is beyond a limit */

/* Makes the tray this set. */
void search_move(struct search *s, const bool *set);
/* Remembers the tray when it is within the limits and cheaper than the best so far. */
void search_keep_best(struct search *s);

/* A number below `below`; the same ones in every run. */
uint64_t search_draw(struct search *s, uint64_t below);
/* The effort is spent, or the bound is met. */
bool search_is_tired(const struct search *s);

/* Adds the best saving for its price (slope) until nothing saves or fits. */
void search_fill(struct search *s, size_t slope);
/* Takes out what saves nothing (any more). */
void search_prune(struct search *s);
/* Throws out the least loss per byte until the set fits; `spared` stays (UINT32_MAX: none). */
void search_shrink(struct search *s, uint32_t spared);

/* advise_tabu.c: drifts from the best set for so much effort; what it finds is the new best. */
void search_tabu(struct search *s, uint64_t effort);

#endif
