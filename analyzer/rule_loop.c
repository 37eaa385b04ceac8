/* SPDX-License-Identifier: ISC
 *
 * rule_loop: writes one row at a time.
 *
 * In a transaction, or in one tagged request, a run of writes is a loop.  Outside of them one
 * write for each of many transactions is what an application is for: there it needs a parent
 * that the rows come from.  Silent where the transaction was rolled back (that is what tests do
 * with their fixtures), among DDL (a migration fills what it made) and behind a parent that locks
 * (a queue's worker says of each job when it is done).
 */
#include "rule_sequence.h"

static bool is_loop(const struct rule_check *c)
{
	const struct run *r = c->run;

	return c->top && c->top->rels > 0 && c->tree->statements == 1 && !only_system(c->top) &&
	       r->rolled_runs + r->script_runs < r->runs &&
	       !(c->parent_top && c->parent_top->is_locking);
}

/* Of a loop of writes; -1: it is none. */
static int judge_writes(const struct rule_check *c, enum tie tie)
{
	const struct run *r = c->run;

	if (r->tx_runs + r->traced_runs > 0)
		return r->distinct == 0 || r->distinct * 10 >= r->longest * 8 ? CONF_LIKELY
									      : CONF_POSSIBLE;
	int sure = loop_judge(c, tie);
	return sure > CONF_LIKELY ? CONF_LIKELY : sure;
}

/* Does the INSERT name the parent's rows: a column that refers to one of its tables? */
static enum tie insert_tie(struct rule_check *c)
{
	const struct sql_outline *p = c->parent_top;

	for (size_t i = 0; p && i < c->top->sets; i++)
		for (size_t k = 0; k < p->rels; k++)
			if (names_table(c->arena, c->top->set[i].name, p->rel[k].name))
				return TIE_STRONG;
	return TIE_NONE;
}

/* Is it a part of a round in which another INSERT gives the key that it needs? */
static bool needs_key(struct rule_check *c)
{
	const struct facts *f = c->facts;

	for (size_t i = 0; i < f->cycle.n; i++) {
		const struct cycle *y = &f->cycle.at[i];
		bool here = false, gives = false;
		for (uint32_t k = 0; k < y->length && y->most * 10 >= c->run->longest * 8; k++) {
			const struct shape *s = f->shape.at[y->shape[k]];
			here |= y->shape[k] == c->shape_at;
			gives |= y->shape[k] != c->shape_at && s->verb == SQL_INSERT &&
				 s->lex.traits & SQL_HAS_RETURNING;
		}
		if (here && gives)
			return true;
	}
	return false;
}

void check_np003(struct rule_check *c)
{
	const struct run *r = c->run;

	if (c->shape->verb != SQL_INSERT || !is_loop(c) || c->top->value_rows != 1)
		return;
	bool returning = c->top->targets > 0;
	/* parents and children: the key that came back is what the next statement needs */
	if ((returning && r->others + 1 >= r->longest) || needs_key(c))
		return;
	int sure = judge_writes(c, insert_tie(c));
	if (sure < 0)
		return;
	struct finding *x = rule_find(c, (enum confidence)sure,
		"rows are inserted into %.*s one at a time: %llu in %s",
		STR_ARGS(c->top->rel[0].name), (unsigned long long)r->longest,
		r->tx_runs ? "one transaction" : "a row");
	loop_evidence(c, x, NULL);
	finding_fix(c->findings, x, batch_insert(c), "send many rows in one INSERT, or COPY%s",
		returning ? "; RETURNING gives all their keys at once" : "");
}

/* Nothing but equality restricts it; *alone: by one condition. */
static bool only_equal(const struct sql_outline *o, bool *alone)
{
	*alone = o->conds == 1;
	for (size_t i = 0; i < o->conds; i++)
		if ((o->cond[i].pred != PRED_EQ && o->cond[i].pred != PRED_IN) ||
			o->cond[i].left.kind != SIDE_COLUMN ||
			(o->cond[i].right.kind != SIDE_PARAM &&
				o->cond[i].right.kind != SIDE_CONST && o->cond[i].right.list != 1))
			return false;
	return o->conds > 0;
}

void check_np004(struct rule_check *c)
{
	bool alone, is_delete = c->shape->verb == SQL_DELETE;
	struct loop_key key;

	if ((c->shape->verb != SQL_UPDATE && !is_delete) || !is_loop(c) || c->top->rels != 1 ||
		!only_equal(c->top, &alone) || !loop_key(c, c->top, &key))
		return;
	int sure = judge_writes(c, tie_of(c, c->top, key.cond));
	if (sure < 0)
		return;
	struct finding *x = rule_find(c, alone ? (enum confidence)sure : CONF_POSSIBLE,
		"rows of %.*s are %s one at a time by %.*s: %llu in %s",
		STR_ARGS(c->top->rel[0].name), is_delete ? "deleted" : "updated",
		STR_ARGS(key.cond->left.col.name), (unsigned long long)c->run->longest,
		c->run->tx_runs ? "one transaction" : "a row");
	loop_evidence(c, x, &key);
	if (is_delete)
		finding_fix(c->findings, x, alone ? batch_delete(c, &key) : STR_NONE,
			"delete all of them in one statement, the keys passed as one array");
	else
		finding_fix(c->findings, x, alone ? batch_update(c, &key) : STR_NONE,
			"update all of them in one statement: UPDATE … FROM unnest($1, $2) AS "
			"v(key, value) WHERE key = v.key");
}
