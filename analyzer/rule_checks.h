/* SPDX-License-Identifier: ISC
 *
 * rule_checks.h: the checks that rule_table.c names; private to the rule family.
 */
#ifndef RULE_CHECKS_H
#define RULE_CHECKS_H

#include "rule.h"

/* One for each row of the tables included below. */
#define QUERY_RULE(id, name, severity, scope, needs, check, confidence, title, why, fix, bad,      \
	good)                                                                                      \
	void check(struct rule_check *c);
#include "rule_sequence_table.h"
#include "rule_predicate_table.h"
#include "rule_statement_table.h"
#include "rule_catalog_table.h"
#undef QUERY_RULE

#endif
