/* SPDX-License-Identifier: ISC
 *
 * advise_scan.h: one scan of a table and what stands around it; private to the advise family.
 */
#ifndef ADVISE_SCAN_H
#define ADVISE_SCAN_H

#include "advise.h"
#include "plan.h"

struct scan { /* one table scan and what stands around it */
	const struct plan_node *n;
	struct wants w;
	const struct plan_node *sort, *limit, *group; /* above it, reached without a join */
	double read, kept;			      /* rows */
};

bool scan_is_of_table(const struct plan_node *n);
/* Finds the sort, limit and grouping above. */
void scan_look_up(struct scan *s);
/* Counts the rows read and kept; by the estimates when the plan was not run. */
void scan_count(const struct plan *p, struct scan *s);
bool scan_is_small(const struct plan *p, const struct scan *s);
bool scan_is_walked(const struct plan *p, const struct plan_node *n);
/* Its own time, or cost. */
double scan_weight(const struct plan *p, const struct plan_node *n);

#endif
