/* SPDX-License-Identifier: ISC
 *
 * plan_example: the plans, in EXPLAIN's text format, that show what each plan rule means.
 *
 *   plan_bad_PL001    a plan that fires the rule
 *   plan_good_PL001   a near miss: as like it as can be, and the rule is silent
 *
 * Every row of plan_rule_table.h has both; `pgassay rules` prints them, and the unit test reads
 * both and asks the rule, so what the manual says is what happens.  Each plan_example_*.c has
 * those of one family of checks.
 */
#ifndef ANALYZER_PLAN_EXAMPLE_H
#define ANALYZER_PLAN_EXAMPLE_H

#define PLAN_RULE(id_, name_, severity_, check_, title_, why_, fix_)                               \
	extern const char plan_bad_##id_[], plan_good_##id_[];
#include "plan_rule_table.h"
#undef PLAN_RULE

#define PLAN_EXAMPLE(id_, bad_, good_)                                                             \
	const char plan_bad_##id_[] = bad_;                                                        \
	const char plan_good_##id_[] = good_;

#endif
