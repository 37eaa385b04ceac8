/* SPDX-License-Identifier: ISC
 *
 * plan_rule: what is wrong in a measured plan, node by node.
 *
 *   plan_rule.c          the engine: every rule over every node, the gate, the order
 *   plan_rule_table.h    the rows: id, severity, title, why, fix
 *   plan_example.h       for each row a plan that shows it and a near miss
 *   plan_rule_scan.c     scans that read more than they give
 *   plan_rule_join.c     joins, subplans
 *   plan_rule_estimate.c rows expected and got, and the statistics that would have told
 *   plan_rule_memory.c   sorts, hashes, memory, temporary files
 *   plan_rule_whole.c    the plan as a whole: planning, JIT, triggers, workers, settings
 *   plan_condition.c     conditions taken apart, for all of these
 *
 * Three gates keep the list short.  Analyzed and timed: the node has 5 % of the time and 5 ms.
 * Analyzed without times: 10 % of the cost.  Not analyzed: 10 % of the cost, and the finding is
 * only a possibility.  Rules about the plan as a whole have gates of their own.
 */
#ifndef ANALYZER_PLAN_RULE_H
#define ANALYZER_PLAN_RULE_H

#include "plan.h"

enum plan_grade { GRADE_INFO = 0, GRADE_WARNING, GRADE_ERROR };

struct plan_check;

struct plan_rule {
	const char *id, *name;
	enum plan_grade grade;
	void (*check)(struct plan_check *c, const struct plan_node *n); /* for each node */
	const char *title, *why, *fix;
	const char *bad, *good; /* plans in the text format */
};

extern const struct plan_rule plan_rules[]; /* ends with a NULL id */

struct plan_finding {
	const struct plan_rule *rule;
	enum plan_grade grade;
	const struct plan_node *node; /* NULL: the plan as a whole */
	bool is_possible;	      /* estimated, not measured */
	double share;		      /* of the time (or cost) that it is about; NAN: not known */
	double ms;		      /* NAN: not timed */
	struct str message, advice;   /* the advice may be empty: the rule's fix says it */
	struct str fix_sql;
};

struct plan_findings {
	VEC(struct plan_finding) at;
};

struct plan_check {
	const struct plan_rule *rule;
	const struct plan *p;
	struct arena *a;
	struct plan_findings *out;
};

/* Runs every rule. Findings come most costly first; messages live in the arena. */
void plan_check(struct arena *a, const struct plan *p, struct plan_findings *out);
void plan_findings_release(struct plan_findings *f);
const char *plan_grade_name(enum plan_grade g);

/* --- for the checks ------------------------------------------------------------------------ */

/* The node alone, or with all below it, has its part of the time. */
bool gate_self(const struct plan_check *c, const struct plan_node *n);
bool gate_whole(const struct plan_check *c, const struct plan_node *n);
/* Something else has this much of the time. */
bool gate_of(const struct plan_check *c, double ms, double share);
double whole_share(const struct plan_check *c, const struct plan_node *n);
/* Adds the finding; the caller may fill in advice, fix_sql, grade.  It is about the node's own
 * time, or its cost. */
struct plan_finding *plan_report(struct plan_check *c, const struct plan_node *n, const char *fmt,
	...) PRINTF(3, 4);
struct str plan_say(struct plan_check *c, const char *fmt, ...) PRINTF(2, 3);
/* The finding is about its node with all below it. */
void about_whole(struct plan_check *c, struct plan_finding *f);

/* Numbers for messages: 1,234,567; 1.2 ms; 3.4 MB (of kB). */
const char *say_count(const struct plan_check *c, double x);
const char *say_kb(const struct plan_check *c, double kb);
/* The node's table as SQL names it. */
const char *say_table(const struct plan_check *c, const struct plan_node *n);

double node_loops(const struct plan_node *n);
double node_removed(const struct plan_node *n); /* by Filter, all loops */
double node_removed_join(const struct plan_node *n);
/* Somebody above stopped reading before the node was through: LIMIT, EXISTS, a merge. */
bool is_cut_short(const struct plan_node *n);
const struct plan_node *above(const struct plan_node *n, enum plan_kind kind);
struct str node_text(const struct plan_check *c, const struct plan_node *n, const char *key);
/* A foreign key's trigger that took long for want of an index on the columns that refer. */
bool trigger_lacks_index(const struct plan *p, const struct plan_trigger *t);

struct plan_conjunct {
	struct str left, op, right; /* no op: a flag, or what has no operator outside of a call */
};
/* The conditions joined by AND; "OR" is an op, its left side all of it. */
size_t plan_conjuncts(struct str condition, struct plan_conjunct *out, size_t max);
/* A literal, or an array of them. */
bool plan_is_constant(struct str side);
/* The column that this side is, and the table's name before it; STR_NONE: an expression. */
struct str plan_column(struct str side, struct str *owner);
/* The expression without "owner." before its columns. */
struct str plan_unqualified(struct arena *a, struct str expr, struct str owner);

#define CHECK(name) void name(struct plan_check *c, const struct plan_node *n)
CHECK(seq_scan_filter);
CHECK(index_filter_waste);
CHECK(lossy_bitmap);
CHECK(heap_fetches);
CHECK(bitmap_and);
CHECK(bitmap_or);
CHECK(wrong_index_for_order);
CHECK(function_scan_estimate);
CHECK(no_parallel);
CHECK(buffers_per_row);
CHECK(partition_no_prune);
CHECK(trailing_column);
CHECK(foreign_scan_pull);
CHECK(stale_statistics);
CHECK(cte_scan_filter);
CHECK(inner_seq_scan);
CHECK(nested_loop_explosion);
CHECK(row_misestimate);
CHECK(missing_extended_statistics);
CHECK(or_join_filter);
CHECK(join_filter_waste);
CHECK(cartesian);
CHECK(subplan_per_row);
CHECK(not_in_unhashed);
CHECK(memoize_miss);
CHECK(sort_spill);
CHECK(hash_batches);
CHECK(hashagg_spill);
CHECK(top_n_sort);
CHECK(incremental_sort);
CHECK(large_offset);
CHECK(temp_io);
CHECK(redundant_unique);
CHECK(wide_rows);
CHECK(jit_overhead);
CHECK(planning_dominates);
CHECK(trigger_time);
CHECK(workers_not_launched);
CHECK(parallel_skew);
CHECK(cold_cache);
CHECK(select_dirties);
CHECK(modify_hot_spot);
CHECK(cost_time_inversion);
CHECK(settings_smell);

#endif
