/* SPDX-License-Identifier: ISC
 *
 * advise_whatif.h: the planner's cost of a query with indexes that do not exist (HypoPG).
 *
 * Private to the advise family.  Generic plans: every ask prepares the statement anew, since a
 * cached plan would not see a hypothetical index that came after it.  Nothing is executed, and
 * whatever a function does that the planner evaluates is rolled back (db_try).
 */
#ifndef ADVISE_WHATIF_H
#define ADVISE_WHATIF_H

#include "advise.h"
#include "db.h"
#include "plan.h"

struct whatif {
	struct db *db;
	const struct candidate *candidate; /* the pool that ids point into */
	size_t asked;
	struct err why; /* of the last statement that the planner refused */
	size_t failed;	/* plans refused because of the indexes tried, and the last reason */
	struct err failure;
	/* The indexes tried now: their ids and the names the planner shows. */
	bool is_known; /* id is what the server has; false: nothing was tried yet */
	VEC(uint32_t) id;
	VEC(struct str) name;
	struct arena names;
};

/* Forgets what was tried, tries these; false: HypoPG refused one (it is left out). */
bool whatif_try(struct whatif *w, const uint32_t *id, size_t n);
/* HypoPG's size of the only index tried now, -1 when there is none. */
int64_t whatif_size(struct whatif *w, uint32_t id);
/* The plan with what is tried now; NULL when the planner refuses the statement.  args: the
 * parameters' values as SQL; without them the plan is the generic one. */
struct plan *whatif_plan(struct whatif *w, struct arena *a, struct str sql, unsigned params,
	struct str args);
/* The same, executed: for a copy only. */
struct plan *whatif_run(struct whatif *w, struct arena *a, struct str sql, unsigned params,
	struct str args);
/* Which of the tried indexes the plan uses, ascending; the caller gives room for all. */
size_t whatif_used(const struct whatif *w, const struct plan *p, uint32_t *used);
void whatif_release(struct whatif *w);

#endif
