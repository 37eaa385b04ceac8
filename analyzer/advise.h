/* SPDX-License-Identifier: ISC
 *
 * advise.h: which indexes would a workload be better with?
 *
 * Three steps, one file or two each:
 *	candidates   from plans and from queries: which indexes could help at all
 *	what-if      the planner's cost with each of them, asked through HypoPG
 *	selection    the best set under a budget of bytes and a number of indexes
 *
 * Selection, pure arithmetic over a sealed matrix (advise_matrix.h):
 *	struct choice c = select_indexes(matrix, &(struct select_limits){.bytes = budget});
 *	... c.index[0 .. c.count) ascending, c.cost, c.bytes ...
 *	choice_release(&c);
 * The same matrix and limits give the same choice on every machine: effort is counted in
 * entries looked at, not in seconds.
 */
#ifndef ADVISE_H
#define ADVISE_H

#include <stddef.h>
#include <stdint.h>

struct matrix;

struct select_limits {
	uint64_t bytes;	 /* the chosen indexes together may not be larger */
	size_t indexes;	 /* nor more than these; 0: as many as fit */
	uint64_t effort; /* entries to look at; 0: the default, a fraction of a second */
};

struct choice {
	uint32_t *index; /* owned */
	size_t count;
	uint64_t bytes;
	double cost; /* of the workload under the set, upkeep included */
};

struct choice select_indexes(const struct matrix *m, const struct select_limits *limits);
void choice_release(struct choice *c);

#endif
