/* SPDX-License-Identifier: ISC
 *
 * Plan rules about the plan as a whole: planning, JIT, triggers, workers, caches, settings.
 * Each is asked at the root only, or at the node that has the number.
 */
#include "plan_rule.h"

#include <math.h>

#define LOOK_UP_MS 0.1 /* what finding a row by an index takes at most */

static bool is_root(const struct plan_node *n)
{
	return n->up == NULL;
}

CHECK(jit_overhead)
{
	const struct plan *p = c->p;
	struct plan_finding *f;

	if (!is_root(n) || isnan(p->jit_ms) || !p->is_timed || p->elapsed_ms >= 1000 ||
		p->jit_ms < 5 || p->jit_ms < 0.2 * p->elapsed_ms)
		return;
	if (p->jit_ms < p->elapsed_ms)
		f = plan_report(c, NULL, "compiling took %.1f of %.1f ms", p->jit_ms,
			p->elapsed_ms);
	else /* the workers' compiling is counted, too */
		f = plan_report(c, NULL,
			"compiling took %.1f ms in all its processes, the query %.1f", p->jit_ms,
			p->elapsed_ms);
	f->share = fmin(1, p->jit_ms / p->elapsed_ms);
	f->ms = p->jit_ms;
}

CHECK(planning_dominates)
{
	const struct plan *p = c->p;
	struct plan_finding *f;

	if (!is_root(n) || isnan(p->planning_ms) || isnan(p->execution_ms) || p->planning_ms < 5 ||
		p->planning_ms < p->execution_ms || plan_num(p->planning_read) > 0)
		return;
	f = plan_report(c, NULL, "planned for %.1f ms, ran for %.1f", p->planning_ms,
		p->execution_ms);
	f->share = p->planning_ms / (p->planning_ms + p->execution_ms);
	f->ms = p->planning_ms;
}

/* A row that comes in is looked up by the key that it refers to, which has an index; one that goes
 * is looked up by the columns that refer to it, which may have none. */
bool trigger_lacks_index(const struct plan *p, const struct plan_trigger *t)
{
	for (size_t i = 0; i < p->nodes; i++)
		if (p->node[i]->kind == PLAN_MODIFY_TABLE &&
			str_is(p->node[i]->operation, "Insert"))
			return false;
	return t->ms >= LOOK_UP_MS * fmax(plan_num(t->calls), 1);
}

CHECK(trigger_time)
{
	const struct plan *p = c->p;

	for (size_t i = 0; is_root(n) && i < p->trigger.n; i++) {
		const struct plan_trigger *t = &p->trigger.at[i];
		struct plan_finding *f;

		if (isnan(t->ms) || t->ms < 5 || t->ms < 0.1 * plan_num(p->elapsed_ms))
			continue;
		f = plan_report(c, NULL, "the trigger %.*s took %.1f ms in %s calls",
			STR_ARGS(t->constraint.n ? t->constraint : t->name), t->ms,
			say_count(c, plan_num(t->calls)));
		f->share = p->elapsed_ms > 0 ? fmin(1, t->ms / p->elapsed_ms) : 0;
		f->ms = t->ms;
		if (t->constraint.n == 0)
			f->advice = STR("what its function does is done for each row: a statement "
					"trigger with a transition table does it once");
		else if (trigger_lacks_index(p, t))
			f->advice = plan_say(c,
				"the foreign key %.*s is checked by a query on the "
				"referencing table: index its columns",
				STR_ARGS(t->constraint));
		else
			f->advice = plan_say(c,
				"the foreign key %.*s is checked by an index, row by row: no other "
				"index helps; load many rows before the constraint is added, or "
				"without those that did not change",
				STR_ARGS(t->constraint));
	}
}

CHECK(workers_not_launched)
{
	if (isnan(n->workers_planned) || isnan(n->workers_launched) ||
		n->workers_launched >= n->workers_planned)
		return;
	plan_report(c, n, "%.0f of %.0f planned workers were there", n->workers_launched,
		n->workers_planned);
}

CHECK(parallel_skew)
{
	double most = 0, sum = 0;

	if ((n->kind == PLAN_GATHER || n->kind == PLAN_GATHER_MERGE) && c->p->is_timed &&
		plan_num(c->p->elapsed_ms) < 10 && plan_num(n->workers_launched) > 0 &&
		node_loops(n) == 1) {
		plan_report(c, n, "started %.0f workers for a query of %.1f ms",
			n->workers_launched, c->p->elapsed_ms);
		return;
	}
	if (n->worker.n < 2 || !n->is_parallel || !gate_self(c, n))
		return;
	for (size_t i = 0; i < n->worker.n; i++) {
		sum += plan_num(n->worker.at[i].rows);
		most = fmax(most, plan_num(n->worker.at[i].rows));
	}
	if (most < 10000 || most < 2 * sum / (double)n->worker.n)
		return;
	plan_report(c, n, "one worker had %s of the workers' %s rows", say_count(c, most),
		say_count(c, sum));
}

CHECK(cold_cache)
{
	double read = plan_num(n->read), all = read + plan_num(n->hit);
	double io = plan_num(n->io_read_ms) + plan_num(n->shared_io_read_ms);
	struct plan_finding *f;

	if (!is_root(n) || read < 1000 || read < 0.5 * all)
		return;
	f = plan_report(c, NULL, "%s of %s blocks were not in the cache", say_count(c, read),
		say_count(c, all));
	if (c->p->is_timed && c->p->elapsed_ms > 0 && io > 0) { /* workers read side by side */
		f->ms = fmin(io, c->p->elapsed_ms);
		f->share = f->ms / c->p->elapsed_ms;
	}
}

CHECK(select_dirties)
{
	double blocks = plan_num(n->dirtied) + plan_num(n->written);

	if (!is_root(n) || blocks < 100)
		return;
	for (size_t i = 0; i < c->p->nodes; i++)
		if (c->p->node[i]->kind == PLAN_MODIFY_TABLE ||
			c->p->node[i]->kind == PLAN_LOCK_ROWS)
			return;
	plan_report(c, NULL, "a query that only reads changed or wrote %s blocks",
		say_count(c, blocks));
}

CHECK(modify_hot_spot)
{
	struct plan_finding *f;

	if (n->kind != PLAN_MODIFY_TABLE)
		return;
	/* An upsert's conflicts are its updates. */
	if (plan_num(n->tuples_conflicting) > 1000 &&
		plan_num(n->tuples_conflicting) > 10 * fmax(plan_num(n->tuples_inserted), 1) &&
		!str_is(node_text(c, n, "Conflict Resolution"), "UPDATE")) {
		f = plan_report(c, n, "%s rows conflicted, %s were inserted",
			say_count(c, n->tuples_conflicting),
			say_count(c, plan_num(n->tuples_inserted)));
		f->advice = STR("leave out the rows that are there already, by a join with the "
				"table or by what was sent before");
		return;
	}
	if (!c->p->is_timed || plan_num(n->self_ms) < 50 || n->share < 0.5)
		return;
	f = plan_report(c, n, "changing the rows%s took %.1f ms of %.1f",
		str_is(n->operation, "Delete") ? "" : " and their indexes", n->self_ms,
		plan_num(c->p->elapsed_ms));
	if (str_is(n->operation, "Delete"))
		f->advice = STR("batches; where whole ranges of rows go, partitions that are "
				"dropped");
}

/* Nodes of which the planner has no opinion, or whose time is that of waiting, of storing what
 * others gave, or of being asked many times. */
static bool has_no_cost(const struct plan_node *n)
{
	return n->kind == PLAN_MODIFY_TABLE || n->kind == PLAN_GATHER ||
	       n->kind == PLAN_GATHER_MERGE || n->kind == PLAN_HASH ||
	       n->kind == PLAN_MATERIALIZE || n->kind == PLAN_MEMOIZE || n->kind == PLAN_APPEND ||
	       n->kind == PLAN_MERGE_APPEND || n->kind == PLAN_NESTED_LOOP ||
	       n->kind == PLAN_CTE_SCAN || n->kind == PLAN_LOCK_ROWS;
}

CHECK(cost_time_inversion)
{
	double cost = plan_num(c->p->root->total_cost), part;
	double io = plan_num(n->io_read_ms) + plan_num(n->shared_io_read_ms);
	struct plan_finding *f;

	if (!c->p->is_timed || cost <= 0 || n->share < 0.3 || plan_num(n->self_ms) < 50 ||
		has_no_cost(n) || is_cut_short(n))
		return;
	part = n->self_cost * fmax(1, node_loops(n)) / cost;
	if (part * 10 > n->share)
		return;
	f = plan_report(c, n, "takes %.0f %% of the time; the planner expected %.1f %% of the cost",
		n->share * 100, part * 100);
	if (n->kind == PLAN_FOREIGN_SCAN)
		f->advice = STR("the other server's time and the way there are not in the cost: "
				"use_remote_estimate; a condition that can be sent there");
	else if (n->kind == PLAN_AGGREGATE)
		f->advice =
			STR("its functions take it: one of your own may say its COST; DISTINCT or "
			    "ORDER BY within an aggregate sorts each group, which a subquery that "
			    "does it first spares");
	else if (n->children == 0 && io > 0.5 * n->self_ms)
		f->advice =
			STR("it waited for the disk: random_page_cost and effective_io_concurrency "
			    "that fit the machine, or fewer blocks");
}

CHECK(settings_smell)
{
	const struct plan *p = c->p;

	for (size_t i = 0; is_root(n) && i < p->setting.n; i++) {
		struct plan_finding *f;

		if (!str_starts(p->setting.at[i].name, "enable_") ||
			!str_is_nocase(p->setting.at[i].value, "off"))
			continue;
		f = plan_report(c, NULL, "%.*s is off: the planner may not choose freely",
			STR_ARGS(p->setting.at[i].name));
		f->fix_sql = plan_say(c, "RESET %.*s;", STR_ARGS(p->setting.at[i].name));
	}
}
