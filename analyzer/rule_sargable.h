/* SPDX-License-Identifier: ISC
 *
 * rule_sargable.h: what the files that judge predicates share; private to the rule family.
 *
 *   rule_sargable.c    the help declared here
 *   rule_wrapped.c     functions, casts, patterns that begin with a wildcard
 *   rule_arithmetic.c  what can be moved across
 *   rule_origin.c      is the column one of a table, that an index could hold?
 *   rule_predicate.c   the other forms of predicate
 *   rule_rewrite.c     conditions written anew, so that an index serves them
 *   rule_operator.c    operators and collations an index does not have
 *   rule_negation.c    everything but a value
 *   rule_unserved.c    what none of them has a name for
 */
#ifndef RULE_SARGABLE_H
#define RULE_SARGABLE_H

#include "rule_checks.h"
#include "rule_ddl.h"

/* Calls look() with every leaf of the conjuncts of WHERE and ON, the arms of OR included. */
void sarg_each(struct rule_check *c, void (*look)(struct rule_check *c, const struct sql_cond *k));
/* The condition with literals masked; with its NOT, where it has one. */
struct str sarg_text(struct rule_check *c, const struct sql_cond *k);
/* "WHAT column (BY): no index on the column serves PREDICATE", with the usual evidence. */
struct finding *sarg_report(struct rule_check *c, const struct sql_cond *k, enum confidence sure,
	const char *what, struct str by);
/* What to say of a rewrite into a range of days or hours. */
const char *sarg_range_advice(struct rule_check *c, const struct sql_side *s);
/* Is it no fault, whatever form it has: is the table of side `s` small, foreign or made by the
 * query, or does another conjunct find the rows? */
bool sarg_is_found(struct rule_check *c, const struct sql_cond *k, const struct sql_side *s);
/* An index serves it (schema), the table is small, or another conjunct finds the rows: by a
 * unique key, or by equality over an index. */
bool sarg_is_served(struct rule_check *c, const struct sql_cond *k);
/* Not anybody's to index: rows of functions and VALUES, system catalogs, whole rows, what a
 * subquery computes or keeps. */
bool sarg_is_beyond(const struct sql_outline *o, const struct sql_side *s);
/* Has a subquery no condition but its correlation, so that all of its table is read? */
bool sarg_is_unrestricted(const struct sql_outline *s);
/* Less sure where another conjunct can be looked up, or the other side is a column. */
enum confidence sarg_sure(const struct rule_check *c, const struct sql_cond *k);
bool sarg_is_comparison(const struct sql_cond *k);
struct str sarg_table(const struct sql_outline *o, const struct sql_side *s);
struct str sarg_column(struct rule_check *c, const struct sql_side *s); /* as SQL */
/* CREATE INDEX on the side's expression; STR_NONE where it cannot be said.  opclass "": the
 * default. */
struct str sarg_expression_index(struct rule_check *c, const struct sql_side *s,
	const char *opclass);
/* The operator class that an index needs for the condition; "": the default. */
const char *sarg_opclass(const struct sql_cond *k);
/* CREATE INDEX … (column opclass) by that method. */
struct str sarg_column_index(struct rule_check *c, const struct sql_side *s, const char *method,
	const char *opclass);

/* Rewrites, in rule_rewrite.c; STR_NONE where none means the same for every row. */
struct str rewrite_integer(struct rule_check *c, const struct sql_cond *k, double v);
struct str rewrite_cast(struct rule_check *c, const struct sql_cond *k);
struct str rewrite_coalesce(struct rule_check *c, const struct sql_cond *k);
struct str rewrite_concat(struct rule_check *c, const struct sql_cond *k);
struct str rewrite_case(struct rule_check *c, const struct sql_cond *k);
struct str rewrite_time(struct rule_check *c, const struct sql_cond *k);
struct str rewrite_to_char(struct rule_check *c, const struct sql_cond *k);
struct str rewrite_union(struct rule_check *c, const struct sql_cond *k);

#endif
