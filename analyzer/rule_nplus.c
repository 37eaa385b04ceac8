/* SPDX-License-Identifier: ISC
 *
 * rule_nplus: loops of queries, seen as runs (facts.h).
 *
 * A run of lookups by one key is an N+1 when something ties it to a parent: the names of its
 * key and the parent's tables, a foreign key, or as many parent rows as there were lookups.
 * Without such a tie a busy session that answers one request after the other looks the same,
 * so outside an explicit transaction nothing is said.
 */
#include "rule_checks.h"

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
static bool names_table(struct arena *a, struct str column, struct str table)
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

/* The condition a lookup is made by: column = value. */
static const struct sql_cond *find_key(const struct sql_outline *o)
{
	const struct sql_cond *best = NULL;

	for (size_t i = 0; i < o->conds; i++) {
		const struct sql_cond *k = &o->cond[i];
		if (k->clause != CLAUSE_WHERE || k->pred != PRED_EQ ||
			k->left.kind != SIDE_COLUMN ||
			(k->right.kind != SIDE_PARAM && k->right.kind != SIDE_CONST) ||
			k->right.is_bool || k->right.is_null)
			continue;
		if (!best ||
			(str_ends(k->left.col.name, "id") && !str_ends(best->left.col.name, "id")))
			best = k;
	}
	return best;
}

static struct str rel_of_key(const struct sql_outline *o, const struct sql_cond *key)
{
	int r = key->left.col.rel >= 0 ? key->left.col.rel : 0;

	return (size_t)r < o->rels ? o->rel[r].name : STR("");
}

enum tie { TIE_NONE = 0, TIE_WEAK, TIE_STRONG };

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

/* Could the parent's output hold the child's key?  It selects a column of the name, or `*`. */
static enum tie parent_outputs(struct rule_check *c, const struct sql_outline *p,
	struct str child_table)
{
	enum tie tie = TIE_NONE;

	for (size_t i = 0; i < p->targets; i++) {
		const struct sql_target *t = &p->target[i];
		if (t->kind == TARGET_COLUMN && names_table(c->arena, t->val.col.name, child_table))
			return TIE_STRONG;
		if (t->kind == TARGET_STAR && tie == TIE_NONE)
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

static enum tie tie_of(struct rule_check *c, const struct sql_cond *key)
{
	struct sql_outline *p = c->parent_top;
	struct str column = key->left.col.name, table = rel_of_key(c->top, key);
	enum tie tie = TIE_NONE;

	for (size_t i = 0; p && i < p->rels; i++) {
		const struct sql_rel *r = &p->rel[i];
		if (r->kind != REL_TABLE && r->kind != REL_CTE)
			continue;
		if (names_table(c->arena, column, r->name) ||
			schema_ties(c->schema, table, column, r->name) ||
			schema_ties(c->schema, r->name, STR(""), table))
			return TIE_STRONG;
	}
	/* a lookup by the child's own key: the parent must hold a reference to it */
	if (p && (str_is(column, "id") || names_table(c->arena, column, table))) {
		tie = parent_outputs(c, p, table);
	} else if (p && str_ends(column, "id")) {
		for (size_t i = 0; i < p->targets; i++)
			if (p->target[i].kind == TARGET_COLUMN &&
				str_eq(p->target[i].val.col.name, column))
				return TIE_STRONG;
		tie = TIE_WEAK;
	}
	return tie;
}

static bool is_system(const struct sql_outline *o)
{
	for (size_t i = 0; i < o->rels; i++)
		if (str_is(o->rel[i].schema, "pg_catalog") ||
			str_is(o->rel[i].schema, "information_schema") ||
			str_starts(o->rel[i].name, "pg_"))
			return !str_starts(o->rel[i].name, "pgbench_");
	return o->rels == 0 || o->rel[0].name.n == 0;
}

/* How sure the sequence makes us; CONF_POSSIBLE - 1: not at all. */
static int judge(const struct rule_check *c, enum tie tie)
{
	const struct run *r = c->run;
	bool rows = r->parent_rows_known > 0;
	bool match = rows && r->parent_rows_match * 2 >= r->parent_rows_known;

	if (rows && !match)
		return -1; /* the parent did not return that many rows */
	if (r->distinct * 10 < r->longest * 8 && tie != TIE_STRONG)
		return -1; /* few values, and nothing says they are the parent's */
	if (!c->parent)
		return r->tx_runs > 0 ? CONF_POSSIBLE : -1;
	if (match && tie == TIE_STRONG)
		return CONF_CERTAIN;
	if (tie == TIE_STRONG)
		return CONF_LIKELY;
	if (match && tie == TIE_WEAK)
		return CONF_LIKELY;
	if (match)
		return r->runs > 1 || r->tx_runs > 0 ? CONF_LIKELY : CONF_POSSIBLE;
	if (r->tx_runs > 0 || (tie == TIE_WEAK && r->runs > 1 && r->longest <= 1000))
		return CONF_POSSIBLE;
	return -1;
}

static const char *array_type(struct rule_check *c, const struct sql_cond *key)
{
	const struct schema_column *col;

	if (schema_resolve(c->schema, c->top, &key->left.col, NULL, &col))
		return arena_printf(c->arena, "%.*s[]", STR_ARGS(col->type)).p;
	if (key->right.kind == SIDE_CONST)
		return key->right.is_string ? "text[]" : "bigint[]";
	return "";
}

static void evidence(struct rule_check *c, struct finding *x, const struct sql_cond *key)
{
	const struct run *r = c->run;
	double gap = r->calls > r->runs ? (double)r->gap_usec / (double)(r->calls - r->runs) : 0;
	double each = r->calls ? (double)r->usec / (double)r->calls : 0;

	finding_int(x, "runs", (int64_t)r->runs);
	finding_int(x, "longest_run", (int64_t)r->longest);
	finding_int(x, "distinct_values", (int64_t)r->distinct);
	finding_real(x, "database_ms", (double)r->usec / 1000);
	finding_real(x, "gap_ms", (double)r->gap_usec / 1000);
	/* What one statement instead of N would save: the other round trips. */
	finding_real(x, "saved_ms_per_run", ((double)r->longest - 1) * (gap + each) / 1000);
	finding_str(x, "key", key->left.col.name);
	if (c->parent) {
		finding_str(x, "parent", str_of(c->parent->id));
		finding_str(x, "parent_sql", c->parent->norm);
		if (r->parent_rows_known)
			finding_int(x, "parent_rows_match", (int64_t)r->parent_rows_match);
	}
}

void check_np001(struct rule_check *c)
{
	const struct run *r = c->run;
	const struct sql_cond *key;
	int sure;

	if (c->shape->verb != SQL_SELECT || !c->top || c->top->is_locking || c->top->is_setop ||
		is_system(c->top) || (key = find_key(c->top)) == NULL)
		return;
	sure = judge(c, c->parent_top ? tie_of(c, key) : TIE_NONE);
	if (sure < 0)
		return;
	struct str table = rel_of_key(c->top, key), col = key->left.col.name;
	struct finding *x;
	if (c->parent)
		x = rule_find(c, (enum confidence)sure,
			"%.*s is read by %.*s once for each row of another query: %llu times in a "
			"row",
			STR_ARGS(table), STR_ARGS(col), (unsigned long long)r->longest);
	else
		x = rule_find(c, (enum confidence)sure,
			"%.*s is read by %.*s in a loop: %llu times in one transaction",
			STR_ARGS(table), STR_ARGS(col), (unsigned long long)r->longest);
	evidence(c, x, key);
	struct str batch = sql_batch(c->arena, c->tree, key, array_type(c, key));
	finding_fix(c->findings, x, batch, "fetch all of them in one statement%s",
		batch.n ? ", the keys passed as one array" : "");
}
