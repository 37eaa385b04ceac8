/* SPDX-License-Identifier: ISC
 *
 * rule_table: the catalogue.  One row per rule; docs/rules.md and `pgassay rules` are made
 * from it.
 */
#include "plan_example.h"
#include "rule_checks.h"

const struct rule rules[] = {
#define QUERY_RULE(id_, name_, severity_, scope_, needs_, check_, title_, why_, fix_, bad_, good_) \
	{.id = #id_,                                                                               \
		.name = name_,                                                                     \
		.severity = SEVERITY_##severity_,                                                  \
		.scope = SCOPE_##scope_,                                                           \
		.needs = needs_,                                                                   \
		.title = title_,                                                                   \
		.why = why_,                                                                       \
		.fix = fix_,                                                                       \
		.bad = bad_,                                                                       \
		.good = good_,                                                                     \
		.check = check_},
#include "rule_sequence_table.h"
#include "rule_predicate_table.h"
#include "rule_statement_table.h"
#include "rule_catalog_table.h"
#undef QUERY_RULE
/* The plan rules are the plan family's: it checks them, here they are listed. */
#define PLAN_RULE(id_, name_, severity_, check_, title_, why_, fix_)                               \
	{.id = #id_,                                                                               \
		.name = name_,                                                                     \
		.severity = SEVERITY_##severity_,                                                  \
		.scope = SCOPE_PLAN,                                                               \
		.needs = NEED_PLAN,                                                                \
		.title = title_,                                                                   \
		.why = why_,                                                                       \
		.fix = fix_,                                                                       \
		.bad = plan_bad_##id_,                                                             \
		.good = plan_good_##id_},
#include "plan_rule_table.h"
#undef PLAN_RULE
/* So are the gate's. */
#define GATE_RULE(id_, name_, severity_, title_, why_, fix_, bad_, good_)                          \
	{.id = #id_,                                                                               \
		.name = name_,                                                                     \
		.severity = SEVERITY_##severity_,                                                  \
		.scope = SCOPE_GATE,                                                               \
		.needs = 0,                                                                        \
		.title = title_,                                                                   \
		.why = why_,                                                                       \
		.fix = fix_,                                                                       \
		.bad = bad_,                                                                       \
		.good = good_},
#include "rule_gate_table.h"
#undef GATE_RULE
	{.id = NULL},
};
