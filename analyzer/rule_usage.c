/* SPDX-License-Identifier: ISC
 *
 * rule_usage: what statistics and logs tell of indexes, writes and plans.
 */
#include "rule_checks.h"
#include "rule_ddl.h"

#include <math.h>

#define MANY_INDEXES 10
#define HOT_CALLS    1000
#define FULL_SHARE   0.7 /* of a key's range */

static void drop_fix(struct rule_check *c, struct finding *x, const struct schema_index *i,
	const char *note)
{
	finding_fix(c->findings, x, ddl_drop(c, i), "%s", note);
}

/* --- IX004: an index nobody reads ---------------------------------------------------------------
 */

static bool serves_foreign_key(const struct schema_index *x)
{
	for (size_t i = 0; i < x->table->foreign.n; i++)
		if (x->keys && x->table->foreign.at[i]->columns &&
			x->key[0].column == x->table->foreign.at[i]->column[0])
			return true;
	return false;
}

void check_ix004(struct rule_check *c)
{
	for (size_t i = 0; c->schema->has_statistics && i < c->schema->table.n; i++) {
		const struct schema_table *t = c->schema->table.at[i];
		for (size_t k = 0; k < t->index.n; k++) {
			const struct schema_index *x = t->index.at[k];
			bool expression = x->keys && x->key[0].column < 0;
			if (x->scans != 0 || x->unique || x->constraint || x->replica ||
				!x->valid || t->rows < 1000 || serves_foreign_key(x) ||
				schema_is_attached(c->schema, x) ||
				(c->schema->stats_days >= 0 && c->schema->stats_days < 30))
				continue;
			struct finding *f = rule_find(c,
				expression || c->schema->stats_days < 0 ? CONF_POSSIBLE
									: CONF_LIKELY,
				"index %.*s of %.*s was never read%s", STR_ARGS(x->name),
				STR_ARGS(t->name),
				c->schema->stats_days < 0 ? " since statistics began" : "");
			f->key = arena_str(&c->findings->arena, x->name);
			finding_int(f, "bytes", x->bytes);
			drop_fix(c, f, x,
				"look at the replicas first: their reads are counted there");
		}
	}
}

/* --- IX007: few values
 * ---------------------------------------------------------------------------- */

void check_ix007(struct rule_check *c)
{
	for (size_t i = 0; c->schema->has_statistics && i < c->schema->table.n; i++) {
		const struct schema_table *t = c->schema->table.at[i];
		for (size_t k = 0; k < t->index.n; k++) {
			const struct schema_index *x = t->index.at[k];
			const struct schema_column *col = x->keys && x->key[0].column >= 0
								  ? &t->column.at[x->key[0].column]
								  : NULL;
			if (!col || x->keys != 1 || x->unique || x->where.p || t->rows < 10000 ||
				!str_is(x->method, "btree") || col->n_distinct < 1 ||
				col->n_distinct > 5)
				continue;
			struct finding *f = rule_find(c, CONF_LIKELY,
				"index %.*s is on %.*s, which has %.0f values", STR_ARGS(x->name),
				STR_ARGS(col->name), col->n_distinct);
			f->key = arena_str(&c->findings->arena, x->name);
			finding_fix(c->findings, f, STR_NONE,
				"index what is looked for among the rows of the rare value: CREATE "
				"INDEX … WHERE %.*s = …",
				STR_ARGS(col->name));
		}
	}
}

/* --- IX008: more indexes than writes can bear
 * -------------------------------------------------------- */

struct traffic {
	uint64_t reads, writes;
};

static struct traffic traffic_of(const struct rule_check *c, struct str table)
{
	struct traffic sum = {0, 0};

	for (size_t i = 0; c->facts && i < c->facts->shape.n; i++) {
		const struct shape *s = c->facts->shape.at[i];
		if (str_find(s->norm, table.p) == s->norm.n)
			continue;
		if (s->verb == SQL_INSERT || s->verb == SQL_UPDATE || s->verb == SQL_DELETE)
			sum.writes += s->calls;
		else if (s->verb == SQL_SELECT)
			sum.reads += s->calls;
	}
	return sum;
}

void check_ix008(struct rule_check *c)
{
	for (size_t i = 0; i < c->schema->table.n; i++) {
		const struct schema_table *t = c->schema->table.at[i];
		if (t->index.n <= MANY_INDEXES)
			continue;
		struct traffic seen = traffic_of(c, t->name);
		bool logged = seen.reads + seen.writes > 100;
		if (logged && seen.writes < seen.reads)
			continue;
		struct finding *x = rule_find(c, logged ? CONF_LIKELY : CONF_POSSIBLE,
			"every row written to %.*s is written to %zu indexes, too",
			STR_ARGS(t->name), t->index.n);
		x->key = arena_str(&c->findings->arena, t->name);
		finding_int(x, "indexes", (int64_t)t->index.n);
		if (logged)
			finding_int(x, "writes", (int64_t)seen.writes);
	}
}

/* --- IX011: the range before the equality
 * --------------------------------------------------------------- */

static const struct sql_cond *cond_on(const struct sql_outline *o, struct str column, bool equal)
{
	for (size_t i = 0; i < o->conds; i++) {
		const struct sql_cond *k = &o->cond[i];
		bool range = (k->pred >= PRED_LT && k->pred <= PRED_GE) || k->pred == PRED_BETWEEN;
		if (k->clause == CLAUSE_WHERE && k->left.kind == SIDE_COLUMN && !k->right.cols &&
			k->left.col.rel <= 0 && str_eq(k->left.col.name, column) &&
			(equal ? k->pred == PRED_EQ || k->pred == PRED_IN : range))
			return k;
	}
	return NULL;
}

/* Does another statement ask for the range alone?  Then the index serves both as it is. */
static bool range_alone(struct rule_check *c, struct str table, struct str range, struct str equal)
{
	const struct facts *f = c->facts;

	for (uint32_t i = 0; f && i < f->shape.n; i++) {
		const struct shape *s = f->shape.at[i];
		if (i == c->shape_at || str_find(s->norm, table.p) == s->norm.n ||
			str_find(s->norm, range.p) == s->norm.n)
			continue;
		const struct sql_outline *o = rule_outline(c, i, NULL);
		if (o && o->rels == 1 && str_eq(o->rel[0].name, table) &&
			cond_on(o, range, false) && !cond_on(o, equal, true))
			return true;
	}
	return false;
}

static bool starts_with_equality(const struct sql_outline *o, const struct schema_table *t)
{
	for (size_t i = 0; i < t->index.n; i++) {
		const struct schema_index *x = t->index.at[i];
		if (x->valid && x->keys && x->key[0].column >= 0 &&
			cond_on(o, t->column.at[x->key[0].column].name, true))
			return true;
	}
	return false;
}

void check_ix011(struct rule_check *c)
{
	const struct sql_outline *o = c->o;
	const struct schema_table *t =
		o->rels == 1 && o->rel[0].kind == REL_TABLE
			? schema_find(c->schema, o->rel[0].schema, o->rel[0].name)
			: NULL;

	if (!t || rule_is_small(c, o, 0) || starts_with_equality(o, t))
		return;
	for (size_t i = 0; i < t->index.n; i++) {
		const struct schema_index *x = t->index.at[i];
		if (x->keys < 2 || !x->valid || !str_is(x->method, "btree") || x->where.p ||
			x->key[0].column < 0 || x->key[1].column < 0)
			continue;
		struct str range = t->column.at[x->key[0].column].name;
		struct str equal = t->column.at[x->key[1].column].name;
		if (!cond_on(o, range, false) || !cond_on(o, equal, true) ||
			range_alone(c, t->name, range, equal))
			continue;
		struct finding *f = rule_find(c, CONF_POSSIBLE,
			"index %.*s has the range column %.*s before %.*s, which is compared for "
			"equality: the whole range is read",
			STR_ARGS(x->name), STR_ARGS(range), STR_ARGS(equal));
		f->key = arena_str(&c->findings->arena, x->name);
		finding_fix(c->findings, f,
			ddl_index(c, t, "",
				arena_printf(c->arena, "%.*s, %.*s",
					STR_ARGS(sql_quote_ident(c->arena, equal)),
					STR_ARGS(sql_quote_ident(c->arena, range)))),
			"equality first; keep the other one only for queries by range alone");
		return;
	}
}

/* --- MG004: keys that run out
 * ---------------------------------------------------------------------------- */

void check_mg004(struct rule_check *c)
{
	for (size_t i = 0; i < c->schema->table.n; i++) {
		const struct schema_table *t = c->schema->table.at[i];
		for (size_t k = 0; k < t->column.n; k++) {
			const struct schema_column *col = &t->column.at[k];
			double most = str_is(col->type, "int2")	  ? INT16_MAX
				      : str_is(col->type, "int4") ? INT32_MAX
								  : 0;
			if (most <= 0 || (double)col->last_value < most * FULL_SHARE)
				continue;
			struct finding *x = rule_find(c, CONF_CERTAIN,
				"%.*s.%.*s has used up %.0f %% of the numbers it can hold",
				STR_ARGS(t->name), STR_ARGS(col->name),
				100 * (double)col->last_value / most);
			x->key = arena_printf(&c->findings->arena, "%.*s.%.*s", STR_ARGS(t->name),
				STR_ARGS(col->name));
			finding_int(x, "last_value", col->last_value);
			finding_fix(c->findings, x, STR_NONE,
				"make it a bigint before it is full; columns that reference it, "
				"too");
		}
	}
}

/* --- SQ010: policies that ask again for every row
 * ---------------------------------------------------------- */

static enum walk find_row_call(void *ctx, const struct sql_path *at)
{
	struct str *name = ctx;
	struct sql_side s = {0};
	struct arena a = {0};

	if (node_is(at->node, "SubLink"))
		return WALK_PRUNE;
	if (!node_is(at->node, "FuncCall"))
		return WALK_ON;
	s = sql_side(&a, at->node);
	bool constant = s.cols == 0;
	arena_release(&a);
	if (constant)
		*name = node_last_name(at->node, "funcname");
	return constant ? WALK_STOP : WALK_ON;
}

void check_sq010(struct rule_check *c)
{
	for (size_t i = 0; i < c->schema->policy.n; i++) {
		const struct schema_policy *p = &c->schema->policy.at[i];
		const struct sql_node *n = sql_parse_expr(c->arena, p->expr, NULL);
		struct str name = STR("");
		if (n)
			sql_walk(n, find_row_call, &name);
		if (!name.n)
			continue;
		struct finding *x =
			rule_find(c, CONF_LIKELY, "policy %.*s of %.*s calls %.*s() for every row",
				STR_ARGS(p->name), STR_ARGS(p->table), STR_ARGS(name));
		x->key = arena_printf(&c->findings->arena, "%.*s.%.*s", STR_ARGS(p->table),
			STR_ARGS(p->name));
		finding_fix(c->findings, x, STR_NONE,
			"(SELECT %.*s(…)) is asked once for the whole statement", STR_ARGS(name));
	}
}

/* --- PS002: parsed and planned anew each time ------------------------------------------------ */

void check_ps002(struct rule_check *c)
{
	const struct shape *s = c->shape;

	if (s->calls < HOT_CALLS || s->params_seen || s->lex.params || s->lex.literals == 0 ||
		s->lex.lit_hash == 0 || s->time.total == 0)
		return;
	if (s->verb != SQL_SELECT && s->verb != SQL_INSERT && s->verb != SQL_UPDATE &&
		s->verb != SQL_DELETE)
		return;
	struct finding *x = rule_find(c, CONF_POSSIBLE,
		"sent %llu times with its values in the text: parsed and planned anew each time",
		(unsigned long long)s->calls);
	finding_fix(c->findings, x, STR_NONE,
		"pass values as parameters of a prepared statement (transaction pooling needs one "
		"that keeps track of them)");
}

/* --- PS003, PS004, AG014, DM006: what the log shows ------------------------------------------ */

#define MANY_ARITIES 20

void check_ps003(struct rule_check *c)
{
	int n = 0;

	for (size_t i = 0; i < ARRAY_LEN(c->shape->arities); i++)
		n += __builtin_popcountll(c->shape->arities[i]);
	if (n < MANY_ARITIES || c->variant)
		return;
	struct finding *x = rule_find(c, CONF_CERTAIN,
		"its list came in %d lengths, each a statement of its own to prepare and to cache",
		n);
	finding_int(x, "lengths", n);
	finding_fix(c->findings, x, STR_NONE, "one array parameter: column = ANY ($1)");
}

void check_ps004(struct rule_check *c)
{
	const struct sketch *t = &c->shape->time;
	bool values =
		c->shape->params_seen || (c->shape->lex.literals && c->top->verb == SQL_SELECT);

	if (t->total < 100 || c->shape->calls > t->total || !values || c->top->verb != SQL_SELECT)
		return;
	double usual = sketch_quantile(t, 0.5), slow = sketch_quantile(t, 0.95);
	if (slow < 100e3 || usual <= 0 || slow < 50 * usual)
		return;
	struct finding *x = rule_find(c, CONF_POSSIBLE,
		"one call in twenty takes %.0f times as long as the usual one: %.0f against %.1f "
		"ms",
		slow / usual, slow / 1000, usual / 1000);
	finding_real(x, "p50_ms", usual / 1000);
	finding_real(x, "p95_ms", slow / 1000);
	finding_fix(c->findings, x, STR_NONE,
		"compare the plans of a usual and of a slow value; plan_cache_mode = "
		"force_custom_plan, or a partial index for the rare value");
}

#define SPILLS_MIN 5

void check_ag014(struct rule_check *c)
{
	const struct shape *s = c->shape;

	/* one call of a report may write many */
	if ((s->calls && s->calls < s->temp_files ? s->calls : s->temp_files) < SPILLS_MIN)
		return;
	struct finding *x = rule_find(c, CONF_CERTAIN,
		"it wrote %llu temporary files, %.0f MB in all: its sorts or hashes do not fit "
		"work_mem",
		(unsigned long long)s->temp_files, (double)s->temp_bytes / 1048576);
	finding_int(x, "temp_files", (int64_t)s->temp_files);
	finding_int(x, "temp_bytes", (int64_t)s->temp_bytes);
	finding_fix(c->findings, x, STR_NONE,
		"SET LOCAL work_mem for this statement, an index that gives the order, or fewer "
		"rows");
}

#define MASS_ROWS 100000

void check_dm006(struct rule_check *c)
{
	const struct shape *s = c->shape;

	if ((c->top->verb != SQL_UPDATE && c->top->verb != SQL_DELETE) || s->max_rows < MASS_ROWS)
		return;
	struct finding *x = rule_find(c, CONF_CERTAIN,
		"one statement %s %llu rows: they stay locked and dead until it ends",
		c->top->verb == SQL_DELETE ? "deleted" : "changed",
		(unsigned long long)s->max_rows);
	finding_int(x, "max_rows", (int64_t)s->max_rows);
	finding_fix(c->findings, x, STR_NONE,
		"batches by key: WHERE ctid = ANY (ARRAY(SELECT ctid FROM … LIMIT 5000)); for "
		"whole "
		"ranges of time, drop a partition");
}

/* --- DM007: updates that could be HOT
 * ---------------------------------------------------------------------------- */

static bool indexed(const struct schema_table *t, struct str column, const struct schema_index **by)
{
	int at = schema_column_of(t, column);

	for (size_t i = 0; at >= 0 && i < t->index.n; i++)
		for (size_t k = 0; k < t->index.at[i]->keys && !t->index.at[i]->constraint; k++)
			if (t->index.at[i]->key[k].column == at &&
				!str_is(t->index.at[i]->method, "brin")) {
				*by = t->index.at[i];
				return true;
			}
	return false;
}

/* Calls of the table's updates, and of reads that ask for the column. */
static struct traffic traffic_on(struct rule_check *c, struct str table, struct str column)
{
	struct traffic sum = {0, 0};

	for (uint32_t i = 0; i < c->facts->shape.n; i++) {
		const struct shape *s = c->facts->shape.at[i];
		bool reads = s->verb == SQL_SELECT && str_find(s->norm, column.p) < s->norm.n;
		if ((!reads && s->verb != SQL_UPDATE) || str_find(s->norm, table.p) == s->norm.n)
			continue;
		const struct sql_outline *o = rule_outline(c, i, NULL);
		if (!o || !o->rels || !str_eq(o->rel[0].name, table))
			continue;
		sum.writes += s->verb == SQL_UPDATE ? s->calls : 0;
		for (size_t k = 0; reads && k < o->conds; k++)
			if (str_eq(o->cond[k].left.col.name, column)) {
				sum.reads += s->calls;
				break;
			}
	}
	return sum;
}

void check_dm007(struct rule_check *c)
{
	const struct sql_outline *o = c->top;
	const struct schema_index *x = NULL;

	if (o->verb != SQL_UPDATE || !o->rels || c->shape->calls < 1000)
		return;
	const struct schema_table *t = schema_find(c->schema, o->rel[0].schema, o->rel[0].name);
	if (!t)
		return;
	for (size_t i = 0; i < o->sets; i++) {
		if (!indexed(t, o->set[i].name, &x))
			continue;
		struct traffic seen = traffic_on(c, t->name, o->set[i].name);
		if (c->shape->calls * 5 < seen.writes)
			continue; /* most of the table's updates do not set it */
		struct finding *f = rule_find(c, CONF_POSSIBLE,
			"%llu updates set %.*s, which index %.*s holds: none of them can be HOT, "
			"and "
			"each writes to all %zu indexes",
			(unsigned long long)c->shape->calls, STR_ARGS(o->set[i].name),
			STR_ARGS(x->name), t->index.n);
		f->key = arena_str(&c->findings->arena, o->set[i].name);
		if (x->scans >= 0)
			finding_int(f, "index_scans", x->scans);
		finding_int(f, "updates_of_table", (int64_t)seen.writes);
		finding_int(f, "calls_that_ask_for_it", (int64_t)seen.reads);
		finding_fix(c->findings, f, STR_NONE,
			"is what reads the index worth it?  A BRIN index does not hinder HOT from "
			"PostgreSQL 16 on");
	}
}

/* --- DM008: workers that wait for the same row
 * ---------------------------------------------------------------------- */

void check_dm008(struct rule_check *c)
{
	const struct sql_outline *o = c->o;
	bool habit;

	if (!o->is_locking || o->skip_locked || o->no_wait || o->limit == BOUND_NONE ||
		rule_one_row(c, o, &habit))
		return;
	bool waits = c->shape->lock_waits > 0;
	if (!waits && !c->variant && c->facts->has_session && !c->shape->is_shared)
		return; /* one worker waits for nobody */
	struct finding *x = rule_find(c, waits ? CONF_LIKELY : CONF_POSSIBLE,
		"a second worker waits for the row that the first has locked, and then gets it "
		"anew");
	if (waits)
		finding_int(x, "lock_waits", (int64_t)c->shape->lock_waits);
	finding_fix(c->findings, x, STR_NONE, "FOR UPDATE SKIP LOCKED takes the next free one");
}
