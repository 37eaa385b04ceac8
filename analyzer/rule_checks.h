/* SPDX-License-Identifier: ISC
 *
 * rule_checks.h: the checks that rule_table.c names; private to the rule family.
 */
#ifndef RULE_CHECKS_H
#define RULE_CHECKS_H

#include "rule.h"

/* rule_nplus.c */
void check_np001(struct rule_check *c);
/* rule_limit.c */
void check_lm001(struct rule_check *c);
/* rule_sargable.c */
void check_sg001(struct rule_check *c);
void check_sg002(struct rule_check *c);
void check_sg003(struct rule_check *c);
void check_sg004(struct rule_check *c);
void check_sg005(struct rule_check *c);
/* The rows of the tables included below: rule_predicate.c, rule_operator.c, rule_query.c,
 * rule_loop.c. */
#define QUERY_RULE(id, name, severity, scope, needs, check, title, why, fix, bad, good)            \
	void check(struct rule_check *c);
#include "rule_more_table.h"
#include "rule_sequence_table.h"
#include "rule_statement_table.h"
#include "rule_catalog_table.h"
#undef QUERY_RULE

#endif
