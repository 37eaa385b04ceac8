/* SPDX-License-Identifier: ISC
 *
 * sql_build.h: what sql_outline.c, sql_cond.c and sql_term.c share while an outline is made.
 * Private to the sql family.
 */
#ifndef SQL_BUILD_H
#define SQL_BUILD_H

#include "sql.h"

/* Vectors that are moved into the arena when the outline is complete. */
struct build {
	struct arena *a;
	struct sql_outline *o;
	VEC(struct sql_rel) rel;
	VEC(struct sql_cond) cond;
	VEC(struct sql_target) target, set;
	VEC(struct sql_outline *) sub;
};

struct sql_col build_column(const struct sql_node *ref);
bool build_is_volatile(struct str function);
/* Comments become blanks; every offset stays. */
void build_blank_comments(char *text, size_t n);
/* One attempt at parsing, in sql_import.c; NULL: *why says why not.  `packed`: by way of bytes, as
 * anybody else gets the tree. */
const struct sql_node *import_tree(struct arena *a, const char *text, bool packed, struct err *why);
bool build_is_aggregate(const struct sql_node *funccall);

/* Adds the conjuncts of an expression to b->cond. */
void build_conds(struct build *b, const struct sql_node *expr, enum sql_clause clause,
	enum sql_join join);
/* One condition, not added; AND becomes PRED_AND with arms. */
struct sql_cond build_cond(struct arena *a, const struct sql_node *expr, bool negate);

#endif
