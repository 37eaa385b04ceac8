/* SPDX-License-Identifier: ISC
 *
 * rule_sequence_key: which condition a loop varies, what ties it to a parent, how sure that is.
 *
 * A run of lookups by one key is an N+1 when something ties it to a parent: the names of its
 * key and the parent's tables, a foreign key, as many parent rows as there were lookups, a
 * LIMIT of that many.  Without such a tie a busy session that answers one request after the
 * other looks the same, so outside of a transaction or a tagged request nothing is said.
 */
#include "rule_sequence.h"

/* --- names ------------------------------------------------------------------------- */

/* "users" -> "user", "categories" -> "category", "boxes" -> "box". */
static struct str singular(struct arena *a, struct str t)
{
	if (t.n > 4 && str_ends(t, "ies"))
		return arena_printf(a, "%.*sy", (int)t.n - 3, t.p);
	if (t.n > 4 && (str_ends(t, "xes") || str_ends(t, "ses") || str_ends(t, "ches") ||
			       str_ends(t, "shes")))
		return str_before(t, t.n - 2);
	if (t.n > 2 && t.p[t.n - 1] == 's' && t.p[t.n - 2] != 's')
		return str_before(t, t.n - 1);
	return t;
}

/* Does `column` name a row of `table`: user_id, userid, author_id does not. */
bool names_table(struct arena *a, struct str column, struct str table)
{
	struct str one = singular(a, table);

	if (column.n < 3 || !str_ends(column, "id"))
		return false;
	column = str_before(column, column.n - 2);
	if (column.n && column.p[column.n - 1] == '_')
		column.n--;
	if (str_eq(column, one) || str_eq(column, table))
		return true;
	/* app_user_id, or a table with the application's name in front: shop_user */
	if (column.n > one.n + 1 && str_ends(column, arena_cstr(a, one)) &&
		column.p[column.n - one.n - 1] == '_')
		return true;
	return one.n > column.n + 1 && column.n > 2 && str_ends(one, arena_cstr(a, column)) &&
	       one.p[one.n - column.n - 1] == '_';
}

bool reads_rel(const struct sql_outline *o, struct str table)
{
	for (size_t i = 0; i < o->rels; i++)
		if (o->rel[i].kind == REL_TABLE && str_eq(o->rel[i].name, table))
			return true;
	return false;
}

bool only_system(const struct sql_outline *o)
{
	for (size_t i = 0; i < o->rels; i++)
		if (str_is(o->rel[i].schema, "pg_catalog") ||
			str_is(o->rel[i].schema, "information_schema") ||
			str_starts(o->rel[i].name, "pg_"))
			return !str_starts(o->rel[i].name, "pgbench_");
	return o->rels == 0 || o->rel[0].name.n == 0;
}

/* --- the key -------------------------------------------------------------------------- */

const struct sql_outline *loop_lookup(const struct sql_outline *top)
{
	if (top->rels == 0 && top->subs == 1 && top->sub[0]->role == ROLE_EXISTS)
		return top->sub[0];
	return top;
}

static const struct sql_outline *level_of(const struct sql_outline *other,
	const struct sql_outline *o)
{
	if (o->role == ROLE_FROM && other->rels == 1 && other->rel[0].sub) /* count(*) FROM (…) */
		return other->rel[0].sub;
	return o->role == ROLE_EXISTS ? loop_lookup(other) : other;
}

/* The counterpart of `side` (of outline o) in another call's outline. */
static const struct sql_side *counterpart(const struct sql_outline *o,
	const struct sql_outline *other, const struct sql_side *side)
{
	other = level_of(other, o);
	for (size_t i = 0; i < o->conds && i < other->conds; i++)
		if (side == &o->cond[i].right)
			return &other->cond[i].right;
	for (size_t i = 0; i < o->sets && i < other->sets; i++)
		if (side == &o->set[i].val)
			return &other->set[i].val;
	return NULL;
}

struct str call_value(struct rule_check *c, const struct sql_outline *o,
	const struct sql_side *side, struct str call)
{
	struct sql_side one = *side;
	struct err why;

	if (one.kind == SIDE_LIST && one.list == 1)
		one = sql_side(c->arena, node_item(one.node, "items", 0));
	if (one.kind == SIDE_PARAM)
		return str_starts(call, "$") ? params_value(call, (uint32_t)one.param) : STR_NONE;
	if (one.kind != SIDE_CONST || str_starts(call, "$"))
		return STR_NONE;
	struct sql_tree *t = sql_parse(c->arena, call, &why);
	if (!t || t->statements == 0)
		return STR_NONE;
	const struct sql_side *s = counterpart(o, sql_outline(c->arena, sql_statement(t, 0)), side);
	if (s && s->kind == SIDE_LIST && s->list == 1)
		return sql_side(c->arena, node_item(s->node, "items", 0)).value;
	return s && s->kind == side->kind ? s->value : STR_NONE;
}

/* The value that stands alone in a list: IN (5). */
static bool is_list_of_one(const struct sql_cond *k)
{
	return k->pred == PRED_IN && k->right.kind == SIDE_LIST && k->right.list == 1;
}

static bool is_key_cond(const struct sql_cond *k)
{
	if (k->clause != CLAUSE_WHERE || k->left.kind != SIDE_COLUMN || k->left.col.rel == -2)
		return false;
	return is_list_of_one(k) ||
	       (k->pred == PRED_EQ &&
		       (k->right.kind == SIDE_PARAM || k->right.kind == SIDE_CONST) &&
		       !k->right.is_bool && !k->right.is_null);
}

/* In how many of the kept calls the value is another than in the first. */
static size_t fill(struct rule_check *c, const struct sql_outline *o, struct loop_key *k)
{
	size_t other = 0;

	k->values = 0;
	for (uint32_t i = 0; i < c->run->nvalues && k->values < SAMPLES; i++) {
		struct str v = call_value(c, o, &k->cond->right, str_of(c->run->values[i]));
		if (!v.p)
			continue;
		other += k->values && !str_eq(v, k->value[0]);
		k->value[k->values++] = v;
	}
	return other;
}

bool loop_key(struct rule_check *c, const struct sql_outline *o, struct loop_key *best)
{
	size_t most = 0;

	best->cond = NULL;
	best->values = 0;
	for (size_t i = 0; i < o->conds; i++) {
		struct loop_key k = {.cond = &o->cond[i]};
		if (!is_key_cond(k.cond) || (k.cond->pred == PRED_IN && c->shape->longest_list > 1))
			continue;
		size_t other = fill(c, o, &k);
		bool better = !best->cond || other > most ||
			      (other == most && str_ends(k.cond->left.col.name, "id") &&
				      !str_ends(best->cond->left.col.name, "id"));
		if (!better)
			continue;
		*best = k;
		most = other;
	}
	return best->cond && (best->values < 2 || most > 0);
}

struct str rel_of_key(const struct sql_outline *o, const struct sql_cond *key)
{
	int r = key->left.col.rel >= 0 ? key->left.col.rel : 0;

	return (size_t)r < o->rels ? o->rel[r].name : STR("");
}

/* --- the parent ------------------------------------------------------------------------- */

static bool schema_ties(const struct schema *s, struct str from, struct str column, struct str to)
{
	const struct schema_table *t = schema_find(s, STR(""), from);

	for (size_t i = 0; t && i < t->foreign.n; i++) {
		const struct schema_foreign *k = t->foreign.at[i];
		if (!str_eq(k->parent_name, to))
			continue;
		for (size_t j = 0; j < k->columns && column.n; j++)
			if (str_eq(t->column.at[k->column[j]].name, column))
				return true;
		if (column.n == 0)
			return true;
	}
	return false;
}

/* Could the parent's output hold the child's own key?  It selects a column of the name, or some
 * reference, or `*`. */
static enum tie parent_outputs(struct rule_check *c, const struct sql_outline *p,
	struct str child_table)
{
	enum tie tie = TIE_NONE;

	for (size_t i = 0; i < p->targets; i++) {
		const struct sql_target *t = &p->target[i];
		if (t->kind == TARGET_COLUMN && names_table(c->arena, t->val.col.name, child_table))
			return TIE_STRONG;
		if (t->kind == TARGET_STAR ||
			(t->kind == TARGET_COLUMN && str_ends(t->val.col.name, "_id")))
			tie = TIE_WEAK;
	}
	for (size_t i = 0; i < p->rels; i++) {
		const struct schema_table *t =
			schema_find(c->schema, p->rel[i].schema, p->rel[i].name);
		for (size_t k = 0; t && k < t->column.n; k++)
			if (names_table(c->arena, t->column.at[k].name, child_table))
				return TIE_STRONG;
	}
	return tie;
}

static bool outputs_column(const struct sql_outline *p, struct str column)
{
	for (size_t i = 0; i < p->targets; i++)
		if (p->target[i].kind == TARGET_COLUMN && str_eq(p->target[i].val.col.name, column))
			return true;
	return false;
}

/* A loop in a loop: the key names what another loop behind the same parent reads. */
static bool ties_to_sibling(struct rule_check *c, struct str column)
{
	const struct facts *f = c->facts;

	for (size_t i = 0; i < f->run.n; i++) {
		const struct run *r = &f->run.at[i];
		if (r->parent != c->run->parent || r->child == c->run->child ||
			f->shape.at[r->child]->verb != SQL_SELECT)
			continue;
		const struct sql_outline *o = rule_outline(c, r->child, NULL);
		for (size_t k = 0; o && k < o->rels; k++)
			if (names_table(c->arena, column, o->rel[k].name))
				return true;
	}
	return false;
}

enum tie tie_of(struct rule_check *c, const struct sql_outline *child, const struct sql_cond *key)
{
	const struct sql_outline *p = c->parent_top;
	struct str column = key->left.col.name, table = rel_of_key(child, key);

	for (size_t i = 0; p && i < p->rels; i++) {
		const struct sql_rel *r = &p->rel[i];
		if (r->kind != REL_TABLE && r->kind != REL_CTE)
			continue;
		if (names_table(c->arena, column, r->name) ||
			schema_ties(c->schema, table, column, r->name) ||
			schema_ties(c->schema, r->name, STR(""), table))
			return TIE_STRONG;
	}
	if (!p)
		return TIE_NONE;
	/* a lookup by the child's own key: the parent must hold a reference to it */
	if (str_is(column, "id") || names_table(c->arena, column, table)) {
		/* the rows a parent of the same table has just found */
		if (reads_rel(p, table) && c->shape->verb != SQL_SELECT)
			return TIE_STRONG;
		return parent_outputs(c, p, table);
	}
	if (outputs_column(p, column) || ties_to_sibling(c, column))
		return TIE_STRONG;
	return str_ends(column, "id") ? TIE_WEAK : TIE_NONE;
}

/* --- how sure ------------------------------------------------------------------------------- */

/* Do the lengths of the runs speak against the parent? */
static bool contradicted(const struct run *r)
{
	if (r->parent_rows_known && r->parent_rows_over * 2 > r->parent_rows_known)
		return true; /* it did not return that many rows */
	return r->limit_known && r->limit_over * 2 > r->limit_known; /* it could not have */
}

/* One burst of a session says little: it may be several clients' behind another pooler.  Then the
 * child must not come alone more often than in runs. */
static bool burst_is_clean(const struct rule_check *c)
{
	const struct run *r = c->run;

	return r->tx_runs + r->traced_runs > 0 || c->shape->loose_calls <= r->calls;
}

int loop_judge(const struct rule_check *c, enum tie tie)
{
	const struct run *r = c->run;
	bool rows = r->parent_rows_known > 0 && r->parent_rows_match * 2 >= r->parent_rows_known;
	bool limit = r->limit_known && r->limit_match * 2 >= r->limit_known;
	bool one = r->tx_runs + r->traced_runs > 0;

	if (!c->parent) {
		if (!one || r->distinct * 10 < r->longest * 8)
			return -1;
		return r->traced_runs ? CONF_LIKELY : CONF_POSSIBLE;
	}
	if (contradicted(r) || !burst_is_clean(c))
		return -1;
	if (r->distinct == 0) /* no values were logged */
		return tie == TIE_STRONG && one ? CONF_POSSIBLE : -1;
	if (r->distinct * 10 < r->longest * 8 && tie != TIE_STRONG)
		return -1; /* few values, and nothing says they are the parent's */
	if (tie == TIE_STRONG)
		return rows ? CONF_CERTAIN : CONF_LIKELY;
	if (tie == TIE_WEAK)
		return rows || limit || r->traced_runs ? CONF_LIKELY : CONF_POSSIBLE;
	if (rows || limit)
		return r->runs > 1 || one ? CONF_LIKELY : CONF_POSSIBLE;
	return one ? CONF_POSSIBLE : -1;
}

/* --- evidence ----------------------------------------------------------------------------------
 */

/* What the log could not tell about a run. */
static struct str unknown(struct rule_check *c)
{
	const struct run *r = c->run;
	struct text t = {0};
	struct str out;

	if (c->parent && r->parent_rows_known == 0)
		text_puts(&t, "how many rows the parent returned");
	if (r->distinct == 0)
		text_printf(&t, "%sthe values of the parameters", t.n ? ", " : "");
	if (r->usec == 0)
		text_printf(&t, "%show long they took", t.n ? ", " : "");
	if (c->facts->min_usec != UINT64_MAX && c->facts->min_usec >= 1000)
		text_printf(&t,
			"%sfaster statements (none below %.1f ms is in the log): the loop "
			"may be longer",
			t.n ? ", " : "", (double)c->facts->min_usec / 1000);
	out = t.n ? arena_str(c->arena, text_slice(&t)) : STR_NONE;
	text_release(&t);
	return out;
}

void loop_evidence(struct rule_check *c, struct finding *x, const struct loop_key *key)
{
	const struct run *r = c->run;
	double gap = r->calls > r->runs ? (double)r->gap_usec / (double)(r->calls - r->runs) : 0;
	double each = r->calls ? (double)r->usec / (double)r->calls : 0;
	struct str lacks = unknown(c);

	finding_int(x, "runs", (int64_t)r->runs);
	finding_int(x, "longest_run", (int64_t)r->longest);
	finding_int(x, "distinct_values", (int64_t)r->distinct);
	finding_int(x, "saved_round_trips", (int64_t)(r->calls - r->runs));
	finding_real(x, "database_ms", (double)r->usec / 1000);
	finding_real(x, "gap_ms", (double)r->gap_usec / 1000);
	/* What one statement instead of N would save: the other round trips. */
	finding_real(x, "saved_ms_per_run", ((double)r->longest - 1) * (gap + each) / 1000);
	if (key && key->cond)
		finding_str(x, "key", key->cond->left.col.name);
	if (key && key->cond && key->cond->right.kind == SIDE_PARAM)
		finding_int(x, "key_parameter", key->cond->right.param);
	if (r->traced_runs)
		finding_int(x, "tagged_requests", (int64_t)r->traced_runs);
	if (c->parent) {
		finding_str(x, "parent", str_of(c->parent->id));
		finding_str(x, "parent_sql", c->parent->norm);
		if (r->parent_rows_known)
			finding_int(x, "parent_rows_match", (int64_t)r->parent_rows_match);
		if (r->limit_known)
			finding_int(x, "parent_limit_match", (int64_t)r->limit_match);
	}
	if (lacks.n)
		finding_str(x, "not_known", lacks);
}

/* --- subjects and places ------------------------------------------------------------- */

void about_shape(struct rule_check *c, uint32_t shape)
{
	c->shape = c->facts->shape.at[shape];
	c->shape_at = shape;
}

void set_places(struct finding *x, const struct place *at, uint32_t n)
{
	x->places = n;
	memcpy(x->place, at, n * sizeof(*at));
}
