/* SPDX-License-Identifier: ISC
 *
 * advise_matrix.h: what every query would cost under every set of indexes.
 *
 * A matrix is the planner's answers, written down once: a query's cost with no index of ours,
 * and its cost when a *combination* of indexes is there.  A query's cost under a set is the
 * least over the combinations wholly inside the set.  It is private to the advise family: the
 * selection (advise_select.c, advise_fill.c, advise_tabu.c) walks it, advise_matrix.c keeps it.
 *
 * Life cycle: matrix_new(), then matrix_index() / matrix_query() / matrix_entry() in any order,
 * matrix_seal(), then any number of trays over it; matrix_free() last.  Entries may be added to a
 * sealed matrix, in today's costs times the weight, when it is sealed again and no tray is in use.
 *
 * A *tray* is a set of chosen indexes that knows, after every change, what each query costs and
 * what each index that is not chosen would save.  Invariants between calls:
 *	missing[c]  members of combination c that are not in the tray
 *	cost[q]     cost of the cheapest entry of q with missing 0 (or the base cost)
 *	gain[i]     for i outside: sum over the queries of what adding i alone would save,
 *	            upkeep not counted; for i inside: 0
 *	total       sum of cost[q] + sum of the chosen indexes' upkeep
 */
#ifndef ADVISE_MATRIX_H
#define ADVISE_MATRIX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct matrix_entry {
	uint32_t query;
	uint32_t combo;
	double cost; /* of the query, its weight included */
};

/* One (query, index) pair: the entries of that query that need the index, cheapest first. */
struct matrix_group {
	uint32_t query, index;
	uint32_t first, count; /* in group_entry[] */
};

struct matrix {
	size_t indexes, queries;
	uint64_t *size; /* bytes of each index */
	double *upkeep; /* what keeping it costs the workload's writes, in the costs' unit */
	double *base;	/* of each query: cost with none of our indexes */
	double *weight; /* of each query; entries and base are multiplied by it on sealing */
	bool *useful;	/* of each index, sealed: some entry needs it and no other beats it */

	size_t combos, combos_room;
	uint32_t *member_at; /* combo -> first of its members in member[]; combos + 1 of them */
	uint32_t *member;
	size_t members, members_room;

	struct matrix_entry *entry; /* sealed: by query, then by cost */
	size_t entries, entries_room;
	uint32_t *query_at; /* query -> first entry; queries + 1 of them */

	bool keeps_all; /* set before sealing: beaten indexes stay, sizes may change later */

	/* Sealed only. */
	bool has_multi;		    /* some combination needs more than one index */
	struct matrix_group *group; /* by query */
	size_t groups;
	uint32_t *group_entry;
	uint32_t *member_group; /* parallel to member[]: the (query, index) pair it belongs to */
	uint32_t *query_group;	/* query -> first group; queries + 1 */
	uint32_t *index_group;	/* index -> first of its groups in group_of[]; indexes + 1 */
	uint32_t *group_of;
	uint32_t *index_combo; /* index -> first of its combinations in combo_of[]; indexes + 1 */
	uint32_t *combo_of;
};

struct matrix *matrix_new(size_t indexes, size_t queries);
void matrix_free(struct matrix **m);
void matrix_index(struct matrix *m, size_t index, uint64_t bytes, double upkeep);
void matrix_query(struct matrix *m, size_t query, double base, double weight);

/* Say that `query` costs `cost` when all `n` members are there.  Members need no order and may
 * repeat.  Entries that save nothing, or no more than a part of them does, are left out. */
void matrix_entry(struct matrix *m, size_t query, const uint32_t *member, size_t n, double cost);
void matrix_seal(struct matrix *m);

struct tray {
	const struct matrix *m;
	bool *in;
	bool *barred;	   /* the search may not add these; not looked at here */
	uint32_t *missing; /* of each combination */
	double *cost;	   /* of each query */
	uint32_t *best;	   /* of each query: its entry in use, or UINT32_MAX */
	double *gain;	   /* of each index */
	double *share;	   /* of each group: its part of gain[] */
	double total;
	uint64_t bytes;
	size_t count;
	uint64_t work; /* entries and groups looked at so far: a clock that every machine shares */
};

struct tray *tray_new(const struct matrix *m);
void tray_free(struct tray **t);
void tray_add(struct tray *t, uint32_t index);
void tray_drop(struct tray *t, uint32_t index);
void tray_empty(struct tray *t);

/* What the chosen index saves now: how much dearer the workload is without it. Its upkeep
 * counts against it, so the answer may be negative. */
double tray_loss(struct tray *t, uint32_t index);

/* --- a bound (advise_bound.c) ---
 *
 * How cheap could any set within `bytes` be? bound_climb() may be called again with a cheaper
 * `known` cost: it goes on from the prices it has. It answers the work it did. */
struct bound {
	double value;	 /* no set within the bytes costs less */
	double *held;	 /* of each index: how much of it the relaxed optimum holds, 0..1 */
	double *lacking; /* the bound rises by this when the index is forced in (negative: out) */
	double *price;	 /* of each group; the climb's state */
};

struct bound *bound_new(const struct matrix *m);
void bound_free(struct bound **b);
uint64_t bound_climb(const struct matrix *m, struct bound *b, uint64_t bytes, double known,
	size_t rounds);

#endif
