/* SPDX-License-Identifier: ISC
 *
 * rule_subquery: how the tables and subqueries of a statement hang together.
 */
#include "rule_checks.h"

#define RELS_MAX 64

/* --- JN001: tables that nothing connects -------------------------------------------------- */

struct graph {
	const struct sql_outline *o;
	int root[RELS_MAX + 1]; /* the last one stands for constants and outer queries */
	int seen[RELS_MAX + 1], n;
	bool unknown;
};

static int find(struct graph *g, int i)
{
	while (g->root[i] != i)
		i = g->root[i];
	return i;
}

static void connect(struct graph *g, int a, int b)
{
	g->root[find(g, a)] = find(g, b);
}

static enum walk note_column(void *ctx, const struct sql_path *at)
{
	struct graph *g = ctx;
	size_t n;

	if (!node_is(at->node, "ColumnRef"))
		return WALK_ON;
	n = node_len(at->node, "fields");
	struct str qual =
		n > 1 ? str_of(node_str(node_item(at->node, "fields", n - 2), "sval")) : STR("");
	g->unknown |= qual.n == 0;
	for (size_t i = 0; qual.n && i < g->o->rels; i++)
		if (str_eq(g->o->rel[i].alias, qual) && g->n < RELS_MAX)
			g->seen[g->n++] = (int)i;
	return WALK_ON;
}

/* false: a column could belong to any table, so nothing can be said. */
static bool add_edges(struct graph *g, const struct sql_cond *k, int constants)
{
	g->n = 0;
	g->unknown = false;
	sql_walk(k->node, note_column, g);
	for (int i = 1; i < g->n; i++)
		connect(g, g->seen[0], g->seen[i]);
	if (g->n && k->pred == PRED_EQ &&
		(k->right.cols == 0 || k->right.col.rel == -2 || k->left.col.rel == -2))
		connect(g, g->seen[0], constants);
	return !g->unknown;
}

static bool is_one_row(const struct sql_rel *r)
{
	const struct sql_outline *s = r->sub;
	bool all = s && s->rels > 0 && !s->is_setop && s->verb == SQL_SELECT;

	for (size_t i = 0; all && i < s->rels; i++) /* of one row each: a CTE behind a CTE */
		all = s->rel[i].sub && s->rel[i].sub != s && is_one_row(&s->rel[i]);
	return s && (all || (s->has_aggregate && !s->has_group) || s->value_rows == 1 ||
			    (s->rels == 0 && !s->is_setop) ||
			    (s->limit == BOUND_CONST && s->limit_value <= 1));
}

/* Does the subquery itself pick its rows by a value?  Then it is joined with what others pick by
 * one. */
static bool is_picked(const struct sql_rel *r)
{
	for (size_t i = 0; r->sub && i < r->sub->conds; i++) {
		const struct sql_cond *k = &r->sub->cond[i];
		if (k->clause == CLAUSE_WHERE && k->pred == PRED_EQ && k->left.cols &&
			(k->right.cols == 0 || k->right.col.rel == -2))
			return true;
	}
	return false;
}

void check_jn001(struct rule_check *c)
{
	const struct sql_outline *o = c->o;
	int constants = (int)o->rels, apart = -1;
	struct graph g = {.o = o};

	if (o->rels < 2 || o->rels >= RELS_MAX || o->verb == SQL_MERGE)
		return;
	for (int i = 0; i <= constants; i++)
		g.root[i] = i;
	for (size_t i = 0; i < o->conds; i++)
		if (!add_edges(&g, &o->cond[i], constants) ||
			(o->cond[i].clause == CLAUSE_ON && o->cond[i].pred == PRED_CONST))
			return;
	for (size_t i = 0; i < o->rels; i++) {
		const struct sql_rel *r = &o->rel[i];
		g.n = 0;
		sql_walk(r->lateral ? r->node : NULL, note_column, &g);
		for (int k = 0; k < g.n; k++) /* LATERAL joins by what it names */
			connect(&g, (int)i, g.seen[k]);
		if (r->is_natural || r->lateral || r->join == JOIN_CROSS || is_one_row(r) ||
			(r->kind != REL_TABLE && r->kind != REL_CTE && r->kind != REL_SUBQUERY))
			connect(&g, (int)i, i ? (int)i - 1 : 1);
		if (is_picked(r))
			connect(&g, (int)i, constants);
	}
	for (int i = 1; i < constants && apart < 0; i++)
		if (find(&g, i) != find(&g, 0))
			apart = i;
	if (apart < 0)
		return;
	for (size_t i = 0; i < o->rels; i++)
		if (rule_is_small(c, o, (int)i) || str_starts(o->rel[i].name, "pg_"))
			return;
	struct finding *x = rule_find(c, CONF_LIKELY,
		"nothing joins %.*s with %.*s: every row of one comes with every row of the other",
		STR_ARGS(o->rel[apart].alias), STR_ARGS(o->rel[0].alias));
	finding_fix(c->findings, x, STR_NONE,
		"add the join condition; write CROSS JOIN where the product is meant");
}

/* --- JN003: an outer join that is none ----------------------------------------------------- */

static bool is_strict(const struct sql_cond *k)
{
	return k->pred <= PRED_ILIKE || k->pred == PRED_IN || k->pred == PRED_BETWEEN ||
	       k->pred == PRED_NOT_NULL;
}

void check_jn003(struct rule_check *c)
{
	for (size_t i = 0; i < c->o->conds; i++) {
		const struct sql_cond *k = &c->o->cond[i];
		int rel = k->left.kind == SIDE_COLUMN ? k->left.col.rel : -1;
		if (k->clause != CLAUSE_WHERE || !is_strict(k) || rel < 0 || !k->left.col.qual.n ||
			!c->o->rel[rel].nullable || c->o->rel[rel].join != JOIN_LEFT)
			continue;
		struct finding *x = rule_find(c, CONF_CERTAIN,
			"the condition on %.*s.%.*s takes out what the LEFT JOIN would add",
			STR_ARGS(k->left.col.qual), STR_ARGS(k->left.col.name));
		x->key = arena_str(&c->findings->arena, k->left.col.qual);
		finding_fix(c->findings, x, STR_NONE,
			"write JOIN; or move the condition into ON when rows without a partner are "
			"wanted");
		return;
	}
}

/* --- SQ001: NOT IN over what may be NULL ------------------------------------------------------ */

static bool excludes_null(const struct sql_outline *s, struct str column)
{
	for (size_t i = 0; i < s->conds; i++) {
		const struct sql_cond *k = &s->cond[i];
		if (k->clause == CLAUSE_WHERE && k->left.kind == SIDE_COLUMN &&
			str_eq(k->left.col.name, column) && is_strict(k))
			return true;
	}
	return false;
}

void check_sq001(struct rule_check *c)
{
	for (size_t i = 0; i < c->o->conds; i++) {
		const struct sql_cond *k = &c->o->cond[i];
		const struct sql_outline *s = k->right.sub;
		const struct schema_column *col = NULL;
		if (k->pred != PRED_NOT_IN || !s || s->targets != 1 || s->is_setop || !s->rels ||
			str_starts(s->rel[0].name, "pg_") || s->target[0].kind != TARGET_COLUMN)
			continue;
		struct str name = s->target[0].val.col.name;
		bool known = schema_resolve(c->schema, s, &s->target[0].val.col, NULL, &col);
		if ((known && col->not_null) || str_is(name, "id") || excludes_null(s, name))
			continue;
		struct finding *x = rule_find(c, known ? CONF_LIKELY : CONF_POSSIBLE,
			"one NULL in %.*s makes NOT IN find nothing at all", STR_ARGS(name));
		x->key = arena_str(&c->findings->arena, name);
		finding_fix(c->findings, x, STR_NONE,
			"write NOT EXISTS (SELECT … WHERE %.*s = outer column), which is planned "
			"as "
			"an anti join too",
			STR_ARGS(name));
	}
}

/* --- SQ002, SQ004, SQ006, SQ008 ------------------------------------------------------------------
 */

static bool is_correlated(const struct sql_outline *s)
{
	for (size_t i = 0; i < s->conds; i++)
		if (s->cond[i].left.col.rel == -2 || s->cond[i].right.col.rel == -2)
			return true;
	return false;
}

/* Rows that the statement itself lists, or that a function gives. */
static bool is_short(const struct sql_rel *r)
{
	const struct sql_outline *s = r->sub;

	return r->kind == REL_VALUES || r->kind == REL_FUNCTION ||
	       (s && (s->is_values || !s->rels || (s->rels == 1 && is_short(&s->rel[0]))));
}

void check_sq002(struct rule_check *c)
{
	const struct sql_outline *o = c->o;
	bool habit;

	if (o->role != ROLE_TOP || o->verb != SQL_SELECT || !o->rels || o->limit != BOUND_NONE ||
		is_short(&o->rel[0]) || str_starts(o->rel[0].name, "pg_") ||
		(o->rel[0].sub && o->rel[0].sub->limit != BOUND_NONE) ||
		rule_one_row(c, o, &habit) || rule_is_small(c, o, 0) ||
		(o->has_aggregate && !o->has_group))
		return;
	for (size_t i = 0; i < o->targets; i++) {
		const struct sql_target *t = &o->target[i];
		if (!t->val.sub || t->val.sub->role != ROLE_SCALAR || !is_correlated(t->val.sub))
			continue;
		struct str name = t->val.sub->rels ? t->val.sub->rel[0].name : STR("");
		struct finding *x = rule_find(c, CONF_LIKELY,
			"a subquery over %.*s runs once for every row of %.*s", STR_ARGS(name),
			STR_ARGS(o->rel[0].name.n ? o->rel[0].name : o->rel[0].alias));
		x->key = arena_str(&c->findings->arena, name);
		finding_fix(c->findings, x, STR_NONE,
			"join with the subquery grouped by its key; LEFT JOIN LATERAL where only "
			"few "
			"rows are read");
	}
}

static bool is_count(const struct sql_outline *s)
{
	return s && s->targets == 1 && !s->has_group && s->rels &&
	       node_is(s->target[0].val.node, "FuncCall") &&
	       str_is(node_last_name(s->target[0].val.node, "funcname"), "count");
}

/* (SELECT count(*) FROM …): its FROM's first table; STR_NONE: it is none, or has groups. */
static struct str counted(const struct sql_node *n)
{
	const struct sql_node *s = node_get(n, "subselect");
	const struct sql_node *f = node_get(node_item(s, "target_list", 0), "val");

	if (!node_is(n, "SubLink") || strcmp(node_enum(n, "sub_link_type"), "EXPR_SUBLINK") != 0 ||
		node_len(s, "target_list") != 1 || node_len(s, "group_clause") ||
		!node_is(f, "FuncCall") || !str_is(node_last_name(f, "funcname"), "count") ||
		node_len(s, "from_clause") == 0)
		return STR_NONE;
	return str_of(node_str(node_item(s, "from_clause", 0), "relname"));
}

/* Does `count op n` ask whether there is any (1), whether there is none (-1), or how many (0)? */
static int asks(struct str op, int64_t n, bool turned)
{
	bool less = str_is(op, turned ? ">" : "<"), more = str_is(op, turned ? "<" : ">");
	bool least = str_is(op, turned ? "<=" : ">="), most = str_is(op, turned ? ">=" : "<=");

	if ((n == 0 && (more || str_is(op, "<>"))) || (n == 1 && least))
		return 1;
	return (n == 0 && (str_is(op, "=") || most)) || (n == 1 && less) ? -1 : 0;
}

static enum walk find_counting(void *ctx, const struct sql_path *at)
{
	struct rule_check *c = ctx;
	const struct sql_node *l = node_get(at->node, "lexpr"), *r = node_get(at->node, "rexpr");
	bool turned = node_is(l, "A_Const");
	struct str table = counted(turned ? r : l);
	struct sql_side v = table.p ? sql_side(c->arena, turned ? l : r) : (struct sql_side){0};
	int64_t n;

	if (!node_is(at->node, "A_Expr") || !table.p || v.kind != SIDE_CONST ||
		!str_to_i64(v.value, &n))
		return WALK_ON;
	int what = asks(node_last_name(at->node, "name"), n, turned);
	if (!what)
		return WALK_ON;
	struct finding *x = rule_find(c, CONF_CERTAIN,
		"rows of %.*s are counted only to see whether there is one", STR_ARGS(table));
	x->key = arena_str(&c->findings->arena, table);
	finding_fix(c->findings, x, STR_NONE, "%sEXISTS (SELECT 1 …) stops at the first",
		what < 0 ? "NOT " : "");
	return WALK_ON;
}

void check_sq004(struct rule_check *c)
{
	if (c->shape->counts && c->shape->lex.traits & SQL_HAS_SUBSELECT)
		sql_walk(c->top->node, find_counting, c);
}

void check_sq006(struct rule_check *c)
{
	const struct sql_outline *o = c->o;
	bool distinct = o->is_distinct;

	if ((o->role != ROLE_EXISTS && o->role != ROLE_IN) || o->limit != BOUND_NONE ||
		o->offset != BOUND_NONE || o->is_setop || o->is_distinct_on ||
		o->is_locking /* in that order */ || (!o->orders && !distinct))
		return;
	rule_find(c, CONF_CERTAIN, "%s in a subquery of %s changes nothing",
		distinct ? "DISTINCT" : "ORDER BY", o->role == ROLE_EXISTS ? "EXISTS" : "IN");
}

struct named {
	struct str name;
	bool found;
};

static enum walk find_table(void *ctx, const struct sql_path *at)
{
	struct named *n = ctx;

	if (node_is(at->node, "RangeVar") && str_is(n->name, node_str(at->node, "relname")))
		n->found = true;
	return n->found ? WALK_STOP : WALK_ON;
}

void check_sq008(struct rule_check *c)
{
	struct named n = {c->o->cte, false};

	if (c->o->role != ROLE_CTE || c->o->uses || c->o->verb != SQL_SELECT || c->o->is_recursive)
		return;
	sql_walk(c->top->node, find_table, &n);
	if (n.found)
		return;
	struct finding *x = rule_find(c, CONF_CERTAIN, "nothing reads the query named %.*s%s",
		STR_ARGS(c->o->cte),
		c->o->is_locking ? ": it is not run, and its FOR UPDATE locks nothing" : "");
	x->key = arena_str(&c->findings->arena, c->o->cte);
}

/* --- SQ003: subqueries in conditions that run for every row -------------------------------------
 */

/* Does it name a row of this very level?  One of farther out is known before. */
static bool depends_on(const struct sql_outline *s, const struct sql_outline *o)
{
	for (size_t i = 0; i < s->conds; i++) {
		const struct sql_cond *k = &s->cond[i];
		const struct sql_col *col = k->left.cols && k->left.col.rel == -2 ? &k->left.col
					    : k->right.cols && k->right.col.rel == -2
						    ? &k->right.col
						    : NULL;
		for (size_t r = 0; col && r < o->rels; r++)
			if (str_eq(o->rel[r].alias, col->qual))
				return true;
	}
	return false;
}

void check_sq003(struct rule_check *c)
{
	const struct sql_outline *o = c->o;
	bool habit;

	if (rule_one_row(c, o, &habit) || rule_is_small(c, o, 0))
		return;
	for (size_t i = 0; i < o->conds; i++) {
		const struct sql_cond *k = &o->cond[i];
		const struct sql_outline *s = k->right.sub ? k->right.sub : k->left.sub;
		if (!s || (s->role != ROLE_SCALAR && s->role != ROLE_IN) || !depends_on(s, o) ||
			!s->rels || k->clause == CLAUSE_HAVING || is_count(s))
			continue;
		struct str name = s->rel[0].name;
		struct finding *x = rule_find(c, CONF_LIKELY,
			"a subquery over %.*s runs for every row that is looked at",
			STR_ARGS(name));
		x->key = arena_str(&c->findings->arena, name);
		finding_fix(c->findings, x, STR_NONE,
			s->role != ROLE_IN ? "join with the subquery grouped by its key"
			: k->pred == PRED_NOT_IN || k->pred == PRED_ALL
				? "write NOT EXISTS, which becomes an anti join (and, unlike NOT "
				  "IN, "
				  "does not lose rows to a NULL)"
				: "write EXISTS, which becomes a join");
	}
}

/* --- SQ007: a CTE that keeps a condition out
 * ------------------------------------------------------ */

/* Does the level filter the CTE's rows?  -1: it does not read it. */
static int filters_cte(const struct sql_outline *o, const struct sql_outline *cte)
{
	int verdict = -1;

	for (size_t i = 0; i < o->rels; i++) {
		if (o->rel[i].sub != cte || o->rel[i].kind != REL_CTE)
			continue;
		verdict = 0;
		for (size_t k = 0; k < o->conds; k++)
			if (o->cond[k].left.cols == 1 && o->cond[k].left.col.rel == (int)i &&
				!o->cond[k].right.cols && o->cond[k].pred != PRED_NOT_NULL &&
				o->cond[k].clause != CLAUSE_HAVING)
				verdict = 1;
	}
	return verdict;
}

static void count_uses(const struct sql_outline *o, const struct sql_outline *cte, size_t *filtered,
	size_t *whole)
{
	int v = filters_cte(o, cte);

	*filtered += v == 1;
	*whole += v == 0;
	for (size_t i = 0; i < o->subs; i++)
		count_uses(o->sub[i], cte, filtered, whole);
}

/* Does it give another value each time it is run?  Then to run it once is what is meant. */
static bool is_volatile(const struct sql_outline *o)
{
	for (size_t i = 0; i < o->targets; i++)
		if (o->target[i].val.is_volatile)
			return true;
	for (size_t i = 0; i < o->conds; i++)
		if (o->cond[i].left.is_volatile || o->cond[i].right.is_volatile)
			return true;
	return false;
}

void check_sq007(struct rule_check *c)
{
	const struct sql_outline *o = c->o;
	size_t filtered = 0, whole = 0;

	if (o->role != ROLE_CTE || o->verb != SQL_SELECT || o->is_recursive || o->is_setop ||
		o->has_group || o->has_aggregate || o->has_window || o->is_distinct ||
		o->limit != BOUND_NONE || !o->rels || o->is_locking ||
		(!o->is_materialized && o->uses < 2) || is_volatile(o))
		return;
	count_uses(c->top, o, &filtered, &whole);
	if (!filtered || whole)
		return;
	struct finding *x = rule_find(c, o->is_materialized ? CONF_LIKELY : CONF_POSSIBLE,
		"the query named %.*s is run whole before the conditions on it are looked at",
		STR_ARGS(o->cte));
	x->key = arena_str(&c->findings->arena, o->cte);
	finding_fix(c->findings, x, STR_NONE,
		o->is_materialized ? "leave MATERIALIZED out"
				   : "AS NOT MATERIALIZED lets each use have its own plan");
}

/* --- SQ009: depth --------------------------------------------------------------------------------
 */

void check_sq009(struct rule_check *c)
{
	size_t deep = 0;

	if (c->top->verb == SQL_DDL)
		return; /* a view is what gives steps names */
	for (const struct sql_outline *o = c->o; o; o = o->up) {
		if (o->is_recursive)
			return;
		deep += o->role != ROLE_ARM && o->role != ROLE_INSERT && o->role != ROLE_INNER;
		if (o->role == ROLE_CTE)
			break; /* that has a name */
	}
	if (deep == 5)
		rule_find(c, CONF_CERTAIN, "subqueries are nested five deep");
}
