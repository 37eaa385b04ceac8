/* SPDX-License-Identifier: ISC
 *
 * schema_partial: are the rows asked for among those of a partial index?
 *
 * Each conjunct of the index's predicate must follow from one of the query's: because it is the
 * same, because a comparison with a value excludes NULL, or because a number lies within.  What
 * the planner would have to calculate for more is not tried by it either.
 */
#include "schema_ask.h"

/* Is the condition never true where its column is NULL, and does the planner see it? */
static bool is_strict(const struct sql_cond *k)
{
	bool hides = k->left.kind == SIDE_WRAPPED &&
		     (k->left.wrap == WRAP_COALESCE || k->left.wrap == WRAP_CASE ||
			     k->left.wrap == WRAP_BOOL ||
			     (k->left.wrap == WRAP_ROW && k->pred != PRED_EQ));

	if (hides || (k->right.kind == SIDE_QUERY && k->pred == PRED_NOT_IN))
		return false;
	return k->pred <= PRED_ANY || k->pred == PRED_BETWEEN || k->pred == PRED_NOT_BETWEEN ||
	       (k->pred == PRED_NOT_NULL && k->left.kind == SIDE_COLUMN) || k->pred == PRED_OP ||
	       k->pred == PRED_BOOL || (k->pred == PRED_IS_BOOL && str_starts(k->op, "is true"));
}

/* Is the literal k compares with beyond the one p names, in p's direction? */
static bool is_within(const struct sql_cond *k, const struct sql_cond *p)
{
	char *end;
	double bound = p->right.value.n ? strtod(p->right.value.p, &end) : 0;
	const struct sql_side *v =
		k->pred == PRED_BETWEEN && (p->pred == PRED_LT || p->pred == PRED_LE) ? &k->upper
										      : &k->right;
	double value = v->value.n ? strtod(v->value.p, &end) : 0;
	bool number = p->right.kind == SIDE_CONST && !p->right.is_string && p->right.value.n &&
		      v->kind == SIDE_CONST && !v->is_string && v->value.n;
	bool equal = k->pred == PRED_EQ || k->pred == PRED_BETWEEN;

	if (!number ||
		str_is(k->op, "between symmetric")) /* the bounds may be the other way round */
		return false;
	switch ((int)p->pred) {
	case PRED_GT:
		return (k->pred == PRED_GT && value >= bound) ||
		       ((k->pred == PRED_GE || equal) && value > bound);
	case PRED_GE:
		return (k->pred == PRED_GT || k->pred == PRED_GE || equal) && value >= bound;
	case PRED_LT:
		return (k->pred == PRED_LT && value <= bound) ||
		       ((k->pred == PRED_LE || equal) && value < bound);
	case PRED_LE:
		return (k->pred == PRED_LT || k->pred == PRED_LE || equal) && value <= bound;
	case PRED_NE:
		return k->pred == PRED_EQ && (value < bound || value > bound);
	}
	return false;
}

/* flag, flag = true: one thing; NOT flag, flag = false: another. */
static int truth_of(const struct sql_cond *k)
{
	struct str v = k->right.value;
	bool t = str_is(v, "true") || str_is(v, "t"), f = str_is(v, "false") || str_is(v, "f");

	if (k->pred == PRED_BOOL)
		return 1;
	if (k->pred == PRED_NOT)
		return k->arm[0].pred == PRED_BOOL ? 0 : -1;
	if (k->right.kind == SIDE_CONST && (t || f) && (k->pred == PRED_EQ || k->pred == PRED_NE))
		return (k->pred == PRED_EQ) == t;
	return -1;
}

static struct str column_of(const struct sql_cond *k)
{
	return k->pred == PRED_NOT ? k->arm[0].left.col.name : k->left.col.name;
}

/* Every arm of an OR, every value of a list. */
static bool all_imply(const struct schema_asked *q, const struct sql_cond *k,
	const struct schema_where *p)
{
	bool array = node_is(k->right.node, "A_ArrayExpr");
	const char *field = array ? "elements" : "items";
	size_t n = k->arms ? k->arms : k->right.list;

	for (size_t i = 0; i < n; i++) {
		struct sql_cond one = k->arms ? k->arm[i] : *k;
		if (!k->arms) {
			one.pred = PRED_EQ;
			one.right = sql_side(q->a, node_item(k->right.node, field, i));
			one.node = NULL;
		}
		if (!schema_implies(q, &one, p))
			return false;
	}
	return n > 0;
}

/* One text before another: by bytes where the column is ordered so.  Another collation's order is
 * not known here: then it may be. */
static bool may_be_within(const struct schema_asked *q, const struct sql_cond *k,
	const struct sql_cond *w)
{
	const struct schema_column *col;
	int order = str_cmp(k->right.value, w->right.value);
	bool bytes = schema_resolve(q->s, q->o, &k->left.col, NULL, &col) &&
		     (str_is(col->type, "name") || str_is(col->collation, "C"));

	switch ((int)w->pred) {
	case PRED_LT:
		return !bytes || order < 0;
	case PRED_LE:
		return !bytes || order <= 0;
	case PRED_GT:
		return !bytes || order > 0;
	case PRED_GE:
		return !bytes || order >= 0;
	}
	return false;
}

/* Both of the same column with literals: equal, or different texts where the index wants <>. */
static bool is_literal_within(const struct schema_asked *q, const struct sql_cond *k,
	const struct sql_cond *w)
{
	const struct sql_side *a = &k->right, *b = &w->right;
	bool plain = k->pred == PRED_EQ && k->left.kind == SIDE_COLUMN &&
		     w->left.kind == SIDE_COLUMN && a->kind == SIDE_CONST &&
		     b->kind == SIDE_CONST && a->value.n && b->value.n &&
		     a->is_string == b->is_string;

	if (!plain)
		return false;
	return w->pred == PRED_EQ   ? str_eq(a->value, b->value)
	       : w->pred == PRED_NE ? a->is_string && !str_eq(a->value, b->value)
				    : a->is_string && may_be_within(q, k, w);
}

/* Is the literal one of the list the index's rows are in? */
static bool is_listed(const struct schema_asked *q, const struct sql_cond *k,
	const struct sql_cond *w)
{
	const char *field = node_is(w->right.node, "A_ArrayExpr") ? "elements" : "items";
	const struct sql_node *list = w->right.node;

	while (node_is(list, "TypeCast"))
		list = node_get(list, "arg");
	if (!node_is(list, "List"))
		field = "elements";
	for (size_t i = 0; i < node_len(list, field); i++) {
		struct sql_cond one = *w;
		one.pred = PRED_EQ;
		one.right = sql_side(q->a, node_item(list, field, i));
		if (is_literal_within(q, k, &one))
			return true;
	}
	return false;
}

/* Of the index's OR one arm is enough, of an AND below it all are needed. */
static bool implies_arms(const struct schema_asked *q, const struct sql_cond *k,
	const struct sql_cond *w)
{
	bool any = w->pred == PRED_OR;

	for (size_t i = 0; i < w->arms; i++) {
		const struct sql_cond *arm = &w->arm[i];
		struct schema_where one = {
			*arm, arm->arms ? STR("") : schema_canon(q->s, q->a, q->o, arm->node)};
		if (schema_implies(q, k, &one) == any)
			return any;
	}
	return !any;
}

bool schema_implies(const struct schema_asked *q, const struct sql_cond *k,
	const struct schema_where *p)
{
	const struct sql_cond *w = &p->cond;

	if (k->pred == PRED_OR && k->node && k->negated == w->negated && p->canon.n &&
		str_eq(schema_canon(q->s, q->a, q->o, k->node), p->canon))
		return true;
	if (k->pred == PRED_OR)
		return all_imply(q, k, p);
	if ((w->pred == PRED_OR || w->pred == PRED_AND) && implies_arms(q, k, w))
		return true;
	bool same_column = str_eq(column_of(k), column_of(w));

	if (w->pred == PRED_NOT_NULL && w->left.kind == SIDE_COLUMN && same_column && is_strict(k))
		return true;
	if (same_column && truth_of(k) >= 0 && truth_of(k) == truth_of(w))
		return true;
	if (same_column && w->left.kind == SIDE_COLUMN && k->left.kind == SIDE_COLUMN &&
		(is_within(k, w) || is_literal_within(q, k, w)))
		return true;
	if (same_column && (w->pred == PRED_IN || (w->pred == PRED_ANY && str_is(w->op, "="))) &&
		is_listed(q, k, w))
		return true;
	if (k->pred == PRED_IN && k->right.kind == SIDE_LIST && all_imply(q, k, p))
		return true;
	return k->node && k->negated == w->negated &&
	       str_eq(schema_canon(q->s, q->a, q->o, k->node), p->canon);
}

#define QUERIES_DEEP 4

/* What FROM reads through: a view's query, a subquery; NULL: it is a table. */
static const struct sql_outline *behind(const struct schema *s, const struct sql_rel *r)
{
	const struct schema_table *t =
		r->kind == REL_TABLE ? schema_find(s, r->schema, r->name) : NULL;

	return r->sub ? r->sub : t && t->is_view && !t->is_stored ? t->view : NULL;
}

/* By a condition of the query level, or of a view or subquery that it reads. */
static bool is_implied(const struct schema_asked *q, const struct schema_where *w, int deep)
{
	for (size_t k = 0; k < q->o->conds; k++)
		if (q->o->cond[k].clause != CLAUSE_HAVING && schema_implies(q, &q->o->cond[k], w))
			return true;
	for (size_t i = 0; deep < QUERIES_DEEP && i < q->o->rels; i++) {
		struct schema_asked in = {q->s, q->a, behind(q->s, &q->o->rel[i])};
		if (in.o && is_implied(&in, w, deep + 1))
			return true;
	}
	return false;
}

bool schema_has_rows(const struct schema_asked *q, const struct schema_index *x)
{
	for (size_t i = 0; i < x->wheres; i++)
		if (!is_implied(q, &x->where_cond[i], 0))
			return false;
	return true;
}
