/* SPDX-License-Identifier: ISC
 *
 * rule_sequence_unit: what a whole transaction or request shows: the same question again, a few
 * statements round and round, very many statements.
 */
#include "rule_sequence.h"

#define CHATTY	     200 /* statements of one transaction */
#define REPEAT_SURE  5
#define POLLING_USEC 1000000

/* --- NP002 ----------------------------------------------------------------------------- */

/* Functions whose answer may be another each time, or that are called for what they do. */
static enum walk see_volatile(void *ctx, const struct sql_path *at)
{
	static const char *const names[] = {"nextval", "setval", "now", "clock_timestamp",
		"statement_timestamp", "timeofday", "random", "gen_random_uuid", "txid_current",
		"pg_current_wal_lsn", "set_config", "dblink"};
	struct str name;

	(void)ctx;
	if (node_is(at->node, "SQLValueFunction"))
		return WALK_STOP;
	if (!node_is(at->node, "FuncCall"))
		return WALK_ON;
	name = node_last_name(at->node, "funcname");
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (str_is(name, names[i]))
			return WALK_STOP;
	return str_starts(name, "pg_") ? WALK_STOP : WALK_ON;
}

static bool reads_tables_of(const struct sql_outline *o, const struct sql_outline *write)
{
	if (write->rels == 0)
		return true;
	for (size_t i = 0; i < o->rels; i++)
		if (str_eq(o->rel[i].name, write->rel[0].name))
			return true;
	for (size_t i = 0; i < o->subs; i++)
		if (reads_tables_of(o->sub[i], write))
			return true;
	return false;
}

/* WITH x AS (DELETE …) … */
static bool writes_more(const struct sql_outline *w)
{
	for (size_t i = 0; i < w->subs; i++)
		if (w->sub[i]->verb != SQL_SELECT)
			return true;
	return false;
}

/* May something between two of the reads have changed what they return? */
static bool is_disturbed(struct rule_check *c, const struct repeat *r, const struct sql_outline *o)
{
	if (r->writes > WRITES_MAX)
		return true;
	for (uint32_t i = 0; i < r->writes; i++) {
		enum sql_verb v = c->facts->shape.at[r->write[i]]->verb;
		if (v != SQL_INSERT && v != SQL_UPDATE && v != SQL_DELETE)
			return true; /* CALL, DO, SET, DDL: who knows */
		const struct sql_outline *w = rule_outline(c, r->write[i], NULL);
		if (!w || writes_more(w) || reads_tables_of(o, w))
			return true;
	}
	return false;
}

void check_np002(struct rule_check *c)
{
	for (size_t i = 0; i < c->facts->repeat.n; i++) {
		const struct repeat *r = &c->facts->repeat.at[i];
		about_shape(c, r->shape);
		if (r->gap_usec > POLLING_USEC * (r->calls - r->units))
			continue; /* it waits for a change */
		const struct sql_tree *tree;
		const struct sql_outline *o = rule_outline(c, r->shape, &tree);
		if (!o || o->verb != SQL_SELECT || o->is_locking || only_system(o) ||
			sql_walk(sql_statement(tree, 0), see_volatile, NULL) ||
			is_disturbed(c, r, o))
			continue;
		struct finding *x = rule_find(c,
			r->traced || r->most >= REPEAT_SURE ? CONF_LIKELY : CONF_POSSIBLE,
			"the same statement with the same values is sent %llu times in one %s, and "
			"nothing it reads was written in between",
			(unsigned long long)r->most, r->traced ? "request" : "transaction");
		x->count = r->calls;
		x->weight = (double)(r->usec + r->gap_usec);
		set_places(x, r->place, r->places);
		finding_int(x, "units", (int64_t)r->units);
		finding_int(x, "most_in_one", (int64_t)r->most);
		finding_int(x, "saved_round_trips", (int64_t)(r->calls - r->units));
		finding_real(x, "database_ms", (double)r->usec / 1000);
		finding_real(x, "gap_ms", (double)r->gap_usec / 1000);
		finding_fix(c->findings, x, STR_NONE,
			"ask once and keep the answer for the transaction or the request");
	}
}

/* --- NP005 ------------------------------------------------------------------------------- */

static bool is_keyset(const struct sql_outline *o)
{
	for (size_t i = 0; i < o->conds; i++)
		if (o->cond[i].pred == PRED_GT || o->cond[i].pred == PRED_LT ||
			o->cond[i].pred == PRED_GE || o->cond[i].pred == PRED_LE)
			return o->limit != BOUND_NONE;
	return false;
}

static bool finds_one(const struct sql_outline *o)
{
	for (size_t i = 0; i < o->conds; i++)
		if (o->cond[i].clause == CLAUSE_WHERE && o->cond[i].pred == PRED_EQ &&
			o->cond[i].left.kind == SIDE_COLUMN &&
			(o->cond[i].right.kind == SIDE_PARAM ||
				o->cond[i].right.kind == SIDE_CONST))
			return true;
	return o->verb == SQL_INSERT && o->value_rows == 1;
}

/* How many of its statements work on one row by its key, another each time; -1: it is a queue's
 * worker, a batch that goes on by key, or the catalogs. */
static int lookups_of(struct rule_check *c, const struct cycle *y)
{
	int n = 0;

	for (uint32_t i = 0; i < y->length; i++) {
		const struct shape *s = c->facts->shape.at[y->shape[i]];
		if (s->is_aside || (s->verb != SQL_SELECT && s->verb != SQL_INSERT &&
					   s->verb != SQL_UPDATE && s->verb != SQL_DELETE))
			continue;
		const struct sql_outline *o = rule_outline(c, y->shape[i], NULL);
		if (!o || o->is_locking || is_keyset(o))
			return -1;
		n += (y->varies & 1u << i) && finds_one(o);
	}
	return n;
}

/* Has a rule about one of its statements said where the loop comes from? */
static bool is_told(const struct rule_check *c, const struct cycle *y)
{
	for (size_t i = 0; i < c->findings->at.n; i++) {
		const struct finding *x = &c->findings->at.at[i];
		if (x->rule->scope == SCOPE_RUN && finding_has(x, "parent"))
			for (uint32_t k = 0; k < y->length; k++)
				if (x->shape == y->shape[k])
					return true;
	}
	return false;
}

void check_np005(struct rule_check *c)
{
	for (size_t i = 0; i < c->facts->cycle.n; i++) {
		const struct cycle *y = &c->facts->cycle.at[i];
		if ((!y->traced && y->most < LOOP_MIN) || is_told(c, y))
			continue;
		int lookups = lookups_of(c, y);
		if (lookups < 1)
			continue;
		about_shape(c, y->shape[0]);
		struct finding *x =
			rule_find(c, y->traced && lookups > 1 ? CONF_LIKELY : CONF_POSSIBLE,
				"%u statements go round and round: %llu times in one %s", y->length,
				(unsigned long long)y->most, y->traced ? "request" : "transaction");
		x->count = y->calls;
		x->weight = (double)(y->usec + y->gap_usec);
		set_places(x, y->place, y->places);
		struct text t = {0};
		for (uint32_t k = 0; k < y->length; k++)
			text_printf(&t, "%s%s", k ? " " : "", c->facts->shape.at[y->shape[k]]->id);
		finding_str(x, "cycle", text_slice(&t));
		text_release(&t);
		finding_int(x, "rounds", (int64_t)y->most);
		finding_int(x, "units", (int64_t)y->units);
		finding_real(x, "database_ms", (double)y->usec / 1000);
		finding_real(x, "gap_ms", (double)y->gap_usec / 1000);
		finding_fix(c->findings, x, STR_NONE,
			"take each of the statements out of the loop: one for all keys");
	}
}

/* --- NP010 --------------------------------------------------------------------------------- */

static bool is_tool(struct str app)
{
	static const char *const names[] = {
		"psql", "pg_dump", "pg_restore", "pgbench", "flyway", "liquibase", "alembic"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (str_starts(app, names[i]))
			return true;
	return false;
}

void check_np010(struct rule_check *c)
{
	for (size_t i = 0; i < c->facts->tx_kind.n; i++) {
		const struct tx_kind *t = &c->facts->tx_kind.at[i];
		/* one statement again and again is another rule's; a migration is a script */
		if (t->most_calls < CHATTY || t->has_ddl || t->most_shapes < 10 ||
			t->most_same * 2 > t->most_calls || is_tool(facts_name(c->facts, t->app)))
			continue;
		about_shape(c, t->first);
		struct finding *x = rule_find(c, CONF_POSSIBLE,
			"%llu statements of %llu kinds in one transaction",
			(unsigned long long)t->most_calls, (unsigned long long)t->most_shapes);
		x->count = t->count;
		x->weight = (double)t->usec;
		set_places(x, &t->most_at, 1);
		finding_int(x, "statements", (int64_t)t->most_calls);
		finding_int(x, "kinds", (int64_t)t->most_shapes);
		finding_fix(c->findings, x, STR_NONE,
			"load what the request needs with a few statements, before the loop");
	}
}
