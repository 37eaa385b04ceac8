/* SPDX-License-Identifier: ISC
 *
 * rule_nplus: loops of reads: of rows, of counts, of questions whether there is one.
 *
 * All three are runs (facts.h) of one lookup by a key that varies; which of the three a run is
 * depends on what the lookup returns.  Not a loop: what locks (a queue's worker takes one job
 * after the other), what reads system catalogs, what a queue's worker does for the jobs it took.
 */
#include "rule_sequence.h"

enum loop_kind { LOOP_NONE = 0, LOOP_ROWS, LOOP_COUNT, LOOP_EXISTS };

static bool is_probe(const struct sql_outline *o)
{
	return o->limit != BOUND_NONE && o->targets == 1 && o->target[0].kind == TARGET_CONST;
}

static enum loop_kind kind_of(const struct rule_check *c, const struct sql_outline *o)
{
	const struct sql_outline *top = c->top;

	if (c->shape->verb != SQL_SELECT || top->is_locking || top->is_setop || only_system(o) ||
		o->is_setop)
		return LOOP_NONE;
	if (o != top || is_probe(o))
		return LOOP_EXISTS;
	return o->has_aggregate && !o->has_group ? LOOP_COUNT : LOOP_ROWS;
}

/* A uniqueness validation asks before each row it writes: the loop is that of the writes. */
static bool is_validation(const struct rule_check *c, const struct sql_outline *o)
{
	const struct facts *f = c->facts;

	for (size_t i = 0; i < f->pair.n; i++) {
		const struct pair *p = &f->pair.at[i];
		if (p->first != c->shape_at || p->count * 2 < c->run->longest)
			continue;
		const struct shape *w = f->shape.at[p->second];
		if (w->verb == SQL_INSERT || w->verb == SQL_UPDATE) {
			struct rule_check probe = *c;
			const struct sql_outline *to = rule_outline(&probe, p->second, NULL);
			if (to && to->rels && reads_rel(o, to->rel[0].name))
				return true;
		}
	}
	return false;
}

static void check_reads(struct rule_check *c, enum loop_kind wanted, const char *what)
{
	const struct sql_outline *o = c->top ? loop_lookup(c->top) : NULL;
	struct loop_key key;

	if (!o || kind_of(c, o) != wanted || !loop_key(c, o, &key) ||
		(c->parent_top && c->parent_top->is_locking))
		return;
	int sure = loop_judge(c, tie_of(c, o, key.cond));
	if (sure < 0 || (wanted == LOOP_EXISTS && is_validation(c, o)))
		return;
	struct str table = rel_of_key(o, key.cond), col = key.cond->left.col.name;
	struct finding *x = rule_find(c, (enum confidence)sure,
		c->parent ? "%.*s is %s by %.*s once for each row of another query: %llu times in "
			    "a row"
			  : "%.*s is %s by %.*s in a loop: %llu times in one transaction",
		STR_ARGS(table), what, STR_ARGS(col), (unsigned long long)c->run->longest);
	loop_evidence(c, x, &key);
	struct str batch = batch_read(c, &key), join = join_parent(c, o, key.cond);
	if (join.n)
		finding_str(x, "join_sql", join);
	finding_fix(c->findings, x, batch, "%s%s%s",
		wanted == LOOP_ROWS    ? "fetch all of them in one statement"
		: wanted == LOOP_COUNT ? "count them all in one statement; keys without a row are "
					 "not in its result"
				       : "ask for all of them in one statement; keys without a row "
					 "are not in its result",
		batch.n ? ", the keys passed as one array" : "",
		join.n ? "; or read them with their parent (join_sql)" : "");
	prove_read(c, x, &key,
		wanted == LOOP_ROWS    ? PROOF_ROWS
		: wanted == LOOP_COUNT ? PROOF_COUNT
				       : PROOF_EXISTS);
	if (join.n)
		prove_join(c, x, o, key.cond);
}

void check_np001(struct rule_check *c)
{
	check_reads(c, LOOP_ROWS, "read");
}

void check_np006(struct rule_check *c)
{
	check_reads(c, LOOP_COUNT, "counted");
}

void check_np007(struct rule_check *c)
{
	check_reads(c, LOOP_EXISTS, "probed");
}
