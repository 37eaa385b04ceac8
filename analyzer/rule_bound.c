/* SPDX-License-Identifier: ISC
 *
 * rule_bound: does anything bound how many rows a query level returns?
 *
 * Each item of FROM must be bound by itself or by the others: equality of all of a unique key
 * (of an expression, too; of a partial index whose rows are asked for) with values or with
 * columns of items that are bound already; a small table; a subquery that is bound.  Without a
 * schema `id` and `table_id` count as keys, by habit.  Groups are bound by how many values
 * their keys can have.
 */
#include "rule_checks.h"

#define NESTED	8 /* query levels looked into */
#define ITEMS	64
#define FEW	1000 /* groups, or numbers between two bounds */
#define LETTERS 30   /* values that a char(1), a code, has */

static bool is_bound(struct rule_check *c, const struct sql_outline *o, int deep);

static bool is_system(const struct sql_rel *r)
{
	return str_is(r->schema, "pg_catalog") || str_is(r->schema, "information_schema") ||
	       (str_starts(r->name, "pg_") && !str_starts(r->name, "pgbench_"));
}

/* What asks the catalog asks about the database, not about its data. */
static bool reads_system(const struct sql_outline *o, int deep)
{
	for (size_t i = 0; i < o->rels; i++)
		if (is_system(&o->rel[i]) ||
			(o->rel[i].sub && deep < NESTED && reads_system(o->rel[i].sub, deep + 1)))
			return true;
	return false;
}

/* --- what conditions pin -------------------------------------------------------------- */

struct pins { /* which items of FROM are bound, so far */
	struct rule_check *c;
	const struct sql_outline *o;
	bool item[ITEMS];
	int deep;
};

static const struct schema_table *table_of(const struct rule_check *c, const struct sql_rel *r)
{
	return r->kind == REL_TABLE ? schema_find(c->schema, r->schema, r->name) : NULL;
}

/* Is the side an expression over the item `rel` alone, as far as the names tell? */
static bool is_of(const struct pins *p, const struct sql_side *s, int rel)
{
	if (s->cols != 1)
		return false;
	if (s->col.rel >= 0)
		return s->col.rel == rel;
	const struct schema_table *t = table_of(p->c, &p->o->rel[rel]);
	return s->col.rel == -1 &&
	       (p->o->rels == 1 || (t && schema_column_of(t, s->col.name) >= 0));
}

/* A value, or a column of an item that is bound. */
static bool is_known(const struct pins *p, const struct sql_side *s)
{
	if (!s->cols)
		return true;
	return s->cols == 1 &&
	       (s->col.rel == -2 || (s->col.rel >= 0 && s->col.rel < ITEMS && p->item[s->col.rel]));
}

/* Does the clause hold for every row that the item gives? */
static bool restricts(const struct sql_outline *o, const struct sql_cond *k, int rel)
{
	if (k->clause == CLAUSE_HAVING || (k->clause == CLAUSE_ON && k->join == JOIN_FULL))
		return false;
	bool outer = k->clause == CLAUSE_ON && (k->join == JOIN_LEFT || k->join == JOIN_RIGHT);
	return !outer || o->rel[rel].nullable;
}

static bool is_near(const struct sql_cond *k)
{
	int64_t low, high;

	return str_to_i64(k->right.value, &low) && str_to_i64(k->upper.value, &high) &&
	       high - low < FEW;
}

/* The expression of the item that the condition holds to a few values; NULL: none. */
static const struct sql_side *pinned(const struct pins *p, const struct sql_cond *k, int rel)
{
	if (k->pred == PRED_OR) { /* id = 1 OR id = 2 */
		const struct sql_side *one = k->arms ? pinned(p, &k->arm[0], rel) : NULL;
		for (size_t i = 1; one && i < k->arms; i++) {
			const struct sql_side *also = pinned(p, &k->arm[i], rel);
			if (!also || one->kind != SIDE_COLUMN || also->kind != SIDE_COLUMN ||
				!str_eq(one->col.name, also->col.name))
				return NULL;
		}
		return one;
	}
	if (k->pred == PRED_EQ && is_of(p, &k->right, rel) && is_known(p, &k->left) &&
		k->left.col.rel != rel)
		return &k->right;
	if (!is_of(p, &k->left, rel))
		return NULL;
	if ((k->pred == PRED_IN || (k->pred == PRED_ANY && str_is(k->op, "="))) && !k->right.cols)
		return !node_is(k->right.node, "SubLink") || !k->right.sub ||
				       is_bound(p->c, k->right.sub, p->deep + 1)
			       ? &k->left
			       : NULL;
	if (k->pred == PRED_BETWEEN && is_near(k))
		return &k->left;
	bool other = k->pred == PRED_EQ && is_known(p, &k->right) &&
		     !(k->right.cols && k->right.col.rel == rel);
	return other ? &k->left : NULL;
}

static bool holds_key(const struct pins *p, int rel, const struct schema_table *t,
	const struct schema_key *key)
{
	for (size_t i = 0; i < p->o->conds; i++) {
		const struct sql_cond *k = &p->o->cond[i];
		const struct sql_side *s = restricts(p->o, k, rel) ? pinned(p, k, rel) : NULL;
		const struct schema_column *col;
		if (!s)
			continue;
		if (key->column < 0) {
			if (str_eq(schema_canon(p->c->schema, p->c->arena, p->o, s->node),
				    key->canon))
				return true;
			continue;
		}
		struct sql_col at = s->col;
		at.rel = rel;
		if (s->kind == SIDE_COLUMN && schema_resolve(p->c->schema, p->o, &at, NULL, &col) &&
			col == &t->column.at[key->column])
			return true;
	}
	return false;
}

/* The table below an item: itself, or the only one of a view or subquery that shows its rows. */
static const struct schema_table *base_of(const struct rule_check *c, const struct sql_rel *r,
	int deep)
{
	const struct schema_table *t = table_of(c, r);
	const struct sql_outline *q = t && t->is_view && !t->is_stored ? t->view : r->sub;

	if (t && !t->is_view)
		return t;
	return q && q->rels == 1 && !q->is_setop && !q->is_recursive && deep < NESTED
		       ? base_of(c, &q->rel[0], deep + 1)
		       : NULL;
}

static bool by_unique_key(const struct pins *p, int rel)
{
	const struct schema_table *t = base_of(p->c, &p->o->rel[rel], 0);
	const struct schema_asked asked = {p->c->schema, p->c->arena, p->o};

	for (size_t i = 0; t && i < t->index.n; i++) {
		const struct schema_index *x = t->index.at[i];
		bool all = x->unique && x->valid && x->keys > 0;
		for (size_t k = 0; k < x->keys && all; k++)
			all = holds_key(p, rel, t, &x->key[k]);
		if (all && schema_has_rows(&asked, x))
			return true;
	}
	return false;
}

/* `id`, or the table's own name with _id: what nearly every schema calls its key. */
static bool is_key_by_habit(struct str table, struct str column)
{
	size_t n = table.n;

	if (str_is(column, "id") || str_is(column, "uuid") || str_is(column, "guid"))
		return true;
	if (!str_ends(column, "_id") || column.n < 4)
		return false;
	if (n > 1 && table.p[n - 1] == 's')
		n--;
	return column.n - 3 >= n - (n > 3 ? 2 : 0) && n > 0 &&
	       memcmp(column.p, table.p, n < column.n - 3 ? n : column.n - 3) == 0 &&
	       column.n - 3 <= table.n;
}

/* No schema: `id`, `orders.order_id`; and the row's own address. */
static bool by_habit(const struct pins *p, int rel)
{
	const struct schema_table *t = base_of(p->c, &p->o->rel[rel], 0);

	for (size_t i = 0; i < p->o->conds; i++) {
		const struct sql_cond *k = &p->o->cond[i];
		const struct sql_side *s = restricts(p->o, k, rel) ? pinned(p, k, rel) : NULL;
		if (s && s->kind == SIDE_COLUMN &&
			(str_is(s->col.name, "ctid") ||
				(!t && is_key_by_habit(p->o->rel[rel].name, s->col.name))))
			return true;
	}
	return false;
}

static bool is_item_bound(struct pins *p, int rel)
{
	const struct sql_rel *r = &p->o->rel[rel];
	const struct sql_outline *q = r->sub;

	switch (r->kind) {
	case REL_FUNCTION:
	case REL_VALUES:
	case REL_OTHER:
		return true;
	case REL_CTE: /* a recursion that refers to itself has no query here */
	case REL_SUBQUERY:
		if (!q || is_bound(p->c, q, p->deep + 1))
			return true;
		break;
	case REL_TABLE:
		if (rule_is_small(p->c, p->o, rel))
			return true;
		break;
	}
	return by_unique_key(p, rel) || by_habit(p, rel);
}

/* --- groups ----------------------------------------------------------------------------------- */

/* How many values a column may have; 0: not known. */
static double values_of_column(const struct rule_check *c, const struct sql_outline *o,
	const struct sql_col *at)
{
	const struct schema_table *t;
	const struct schema_column *col;

	if (!schema_resolve(c->schema, o, at, &t, &col))
		return 0;
	if (str_is(col->type, "bool"))
		return 3;
	if (col->n_distinct > 0)
		return col->n_distinct + 1; /* and NULL */
	if (t->rows >= 0)
		return col->n_distinct < 0 ? -col->n_distinct * t->rows + 1 : t->rows + 1;
	if (col->length == 1)
		return LETTERS;
	return schema_enum_labels(c->schema, col->type);
}

static double values_of_extract(struct str unit)
{
	static const struct {
		const char *unit;
		double values;
	} units[] = {{"year", 200}, {"isoyear", 200}, {"decade", 20}, {"century", 20},
		{"quarter", 4}, {"month", 12}, {"week", 53}, {"day", 31}, {"doy", 366}, {"dow", 7},
		{"isodow", 7}, {"hour", 24}, {"minute", 60}};

	for (size_t i = 0; i < ARRAY_LEN(units); i++)
		if (str_is_nocase(unit, units[i].unit))
			return units[i].values;
	return 0;
}

/* CASE with nothing but constants for results. */
static double values_of_case(struct rule_check *c, const struct sql_node *n)
{
	for (size_t i = 0; i < node_len(n, "args"); i++)
		if (sql_side(c->arena, node_get(node_item(n, "args", i), "result")).cols)
			return 0;
	const struct sql_node *rest = node_get(n, "defresult");
	return rest && sql_side(c->arena, rest).cols ? 0 : (double)node_len(n, "args") + 1;
}

static double values_of(struct rule_check *c, const struct sql_outline *o, const struct sql_side *s,
	int deep)
{
	int64_t n;

	if (s->kind == SIDE_CONST && str_to_i64(s->value, &n) && n > 0 && (size_t)n <= o->targets &&
		deep == 0) /* GROUP BY 1 */
		return values_of(c, o, &o->target[n - 1].val, deep + 1);
	if (!s->cols)
		return s->kind == SIDE_QUERY ? 0 : 1;
	if (s->kind == SIDE_COLUMN) {
		double own = values_of_column(c, o, &s->col);
		for (size_t i = 0; own <= 0 && !s->col.qual.n && deep == 0 && i < o->targets; i++)
			if (o->target[i].kind != TARGET_COLUMN && /* GROUP BY an output's name */
				str_eq(o->target[i].name, s->col.name))
				return values_of(c, o, &o->target[i].val, deep + 1);
		return own;
	}
	const struct sql_node *first = node_item(s->node, "args", 0);
	switch ((int)s->wrap) {
	case WRAP_EXTRACT:
		return values_of_extract(str_of(node_str(node_get(first, "sval"), "sval")));
	case WRAP_CASE:
		return values_of_case(c, s->node);
	case WRAP_BOOL:
		return 3;
	}
	/* no function has more values than its column, when it has only one */
	return s->cols == 1 && !s->is_volatile ? values_of_column(c, o, &s->col) : 0;
}

static bool are_groups_few(struct rule_check *c, const struct sql_outline *o)
{
	double all = 1;

	for (size_t i = 0; i < o->groups && all > 0; i++)
		all *= values_of(c, o, &o->group[i], 0);
	return all > 0 && all <= FEW;
}

/* Of DISTINCT. */
static bool are_outputs_few(struct rule_check *c, const struct sql_outline *o)
{
	double all = o->targets > 0;

	for (size_t i = 0; i < o->targets && all > 0; i++) {
		enum sql_target_kind kind = o->target[i].kind;
		bool known = kind == TARGET_COLUMN || kind == TARGET_CONST || kind == TARGET_EXPR;
		all *= known ? values_of(c, o, &o->target[i].val, 0) : 0;
	}
	return all > 0 && all <= FEW;
}

/* --- the query level ---------------------------------------------------------------------------
 */

static bool is_bound(struct rule_check *c, const struct sql_outline *o, int deep)
{
	struct pins p = {.c = c, .o = o, .deep = deep};
	bool more = true;

	if (deep > NESTED || o->rels > ITEMS)
		return false;
	if (o->verb == SQL_INSERT) /* … RETURNING */
		return o->value_rows > 0;
	if (o->limit != BOUND_NONE || o->is_values || (o->has_aggregate && !o->has_group) ||
		o->skip_locked)
		return true;
	if (o->is_setop) {
		for (size_t i = 0; i < o->subs; i++)
			if (o->sub[i]->role == ROLE_ARM && !is_bound(c, o->sub[i], deep + 1))
				return false;
		return true;
	}
	for (size_t i = 0; i < o->conds; i++) /* WHERE false: of programs that want the columns */
		if (o->cond[i].clause == CLAUSE_WHERE && o->cond[i].pred == PRED_CONST &&
			o->cond[i].left.is_bool && str_is(o->cond[i].left.value, "false"))
			return true;
	if (o->has_group && are_groups_few(c, o))
		return true;
	if (o->is_distinct && !o->is_distinct_on && !o->has_group && are_outputs_few(c, o))
		return true;
	while (more) {
		more = false;
		for (size_t i = 0; i < o->rels; i++)
			if (!p.item[i] && is_item_bound(&p, (int)i))
				p.item[i] = more = true;
	}
	for (size_t i = 0; i < o->rels; i++)
		if (!p.item[i])
			return false;
	return true;
}

bool rule_is_bound(struct rule_check *c, const struct sql_outline *o)
{
	return reads_system(o, 0) || is_bound(c, o, 0);
}

bool rule_one_row(struct rule_check *c, const struct sql_outline *o, bool *habit)
{
	struct pins p = {.c = c, .o = o};

	*habit = false;
	if (o->rels == 0 || o->rels > ITEMS || o->rel[0].kind != REL_TABLE)
		return false;
	if (by_unique_key(&p, 0))
		return true;
	*habit = by_habit(&p, 0);
	return *habit;
}
