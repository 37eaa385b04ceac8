/* SPDX-License-Identifier: ISC
 *
 * rule_table: the catalogue.  One row per rule; docs/rules.md and `pgassay rules` are made
 * from it.
 */
#include "plan_example.h"
#include "rule_checks.h"

/* What sarg_sure(), loop_judge() and judge_writes() go by. */
#define SURE_OF_PREDICATE                                                                          \
	"likely; possible where an equality beside it can be looked up, or where the other side "  \
	"is a joined table's column or a subquery"
#define SURE_OF_LOOP                                                                               \
	"certain where names or a foreign key link the loop to a query before it and the log has " \
	"its rows; likely with that link alone, or where rows, its LIMIT or a request's tag "      \
	"agree; "                                                                                  \
	"else possible"
#define SURE_OF_WRITES                                                                             \
	"likely in one transaction or tagged request, or where a query before it is its cause; "   \
	"possible in autocommit without that, or where few values differ"

const struct rule rules[] = {
#define QUERY_RULE(id_, name_, severity_, scope_, needs_, check_, confidence_, title_, why_, fix_, \
	bad_, good_)                                                                               \
	{.id = #id_,                                                                               \
		.name = name_,                                                                     \
		.severity = SEVERITY_##severity_,                                                  \
		.scope = SCOPE_##scope_,                                                           \
		.needs = needs_,                                                                   \
		.confidence = confidence_,                                                         \
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
		.confidence = "likely; possible where the plan was not measured (EXPLAIN without " \
			      "ANALYZE)",                                                          \
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
		.confidence = "certain",                                                           \
		.title = title_,                                                                   \
		.why = why_,                                                                       \
		.fix = fix_,                                                                       \
		.bad = bad_,                                                                       \
		.good = good_},
#include "rule_gate_table.h"
#undef GATE_RULE
	{.id = NULL},
};
