/* SPDX-License-Identifier: ISC
 *
 * schema_serve: does an index serve this condition?
 *
 * The planner's own questions, in its order: is the column (or the expression, spelled as any
 * index has it) a key; are the rows asked for among those of a partial index; is the operator
 * one of the key's operator class after both sides' types have chosen it; does the collation
 * agree; is the other side known before the row is read.  `no` is said only where all of that
 * is known.
 */
#include "schema_ask.h"

/* --- indexes of the table ------------------------------------------------------------------- */

static bool is_key(struct ask *q, const struct schema_key *key)
{
	if (key->column >= 0)
		return key->column == q->column;
	if (!q->canon.p)
		q->canon = schema_canon(q->s, q->a, q->o, q->node);
	return str_eq(q->canon, key->canon);
}

/* Is the index's first key looked for, too?  Without it a B-tree is read whole. */
static bool leads(const struct ask *q, const struct schema_index *x, size_t at)
{
	if (at == 0 || !str_is(x->method, "btree"))
		return true;
	for (size_t i = 0; i < q->o->conds; i++) {
		const struct sql_cond *k = &q->o->cond[i];
		if (k->left.kind == SIDE_COLUMN && x->key[0].column >= 0 &&
			str_eq(k->left.col.name, q->t->column.at[x->key[0].column].name) &&
			(k->pred <= PRED_GE || k->pred == PRED_IN || k->pred == PRED_ANY ||
				k->pred == PRED_BETWEEN) &&
			k->pred != PRED_NE)
			return true;
	}
	return false;
}

static void look_at(struct ask *q, const struct schema_index *x, size_t i)
{
	enum schema_why why = schema_has_rows(&(struct schema_asked){q->s, q->a, q->o}, x)
				      ? schema_key_takes(q, x, &x->key[i])
				      : WHY_PARTIAL;

	if (why == WHY_SERVED && !leads(q, x, i))
		why = WHY_NOT_LEADING;
	if (q->out->why != WHY_SERVED &&
		(why == WHY_SERVED || q->out->why == WHY_NO_INDEX || why < q->out->why)) {
		q->out->why = why;
		q->out->index = x;
	}
}

/* A cast to a domain is work, which checks the value, unless the column is of it. */
static bool is_into_domain(const struct ask *q, const struct sql_node *arg,
	const struct sql_node *type)
{
	struct str name = node_last_name(type, "names");
	const struct schema_column *col;
	struct sql_side s = sql_side(q->a, arg);

	if (s.kind == SIDE_COLUMN && schema_resolve(q->s, q->o, &s.col, NULL, &col) &&
		col->domain.n && str_eq(col->domain, name))
		return false;
	for (size_t i = 0; i < q->s->domain.n; i++)
		if (str_eq(q->s->domain.at[i].name, name))
			return true;
	return false;
}

/* From under casts that are no work: the bare column, or what is left of the expression. */
static const struct sql_node *uncast(struct ask *q, const struct sql_node *n)
{
	for (;;) {
		if (node_is(n, "CollateClause")) {
			q->collation = node_last_name(n, "collname");
			q->explicit_collation = true;
			n = node_get(n, "arg");
			continue;
		}
		if (node_is(n, "FuncCall") && node_len(n, "args") == 1 &&
			schema_type_is_relabel(schema_type(q->s, q->a, q->o,
						       node_item(n, "args", 0)),
				node_last_name(n, "funcname"))) { /* date(a date), text(…) */
			n = node_item(n, "args", 0);
			continue;
		}
		if (!node_is(n, "TypeCast"))
			return n;
		const struct sql_node *arg = node_get(n, "arg"), *type = node_get(n, "type_name");
		struct str from = schema_type(q->s, q->a, q->o, arg),
			   to = schema_type_name(q->a, q->s, type);
		if (!schema_type_is_relabel(from, to) || is_into_domain(q, arg, type))
			return n;
		if (node_len(type, "typmods")) { /* wider than the column: no work either */
			struct sql_side s = sql_side(q->a, arg);
			struct sql_side size = sql_side(q->a, node_item(type, "typmods", 0));
			const struct schema_column *col;
			int64_t max = 0;
			bool wide = str_is(to, "varchar");
			if (s.kind != SIDE_COLUMN || !str_eq(from, to) ||
				(!wide && !str_is(to, "bpchar")) ||
				!schema_resolve(q->s, q->o, &s.col, NULL, &col) ||
				col->length <= 0 || !str_to_i64(size.value, &max) ||
				(wide ? max < col->length : max != col->length))
				return n;
		}
		n = arg;
	}
}

/* Is it what a partial index holds?  Then that index is read, whatever its keys are. */
static bool is_predicate(struct ask *q)
{
	const struct schema_asked asked = {q->s, q->a, q->o};

	for (size_t i = 0; !q->of_row && i < q->t->index.n; i++) {
		const struct schema_index *x = q->t->index.at[i];
		bool is = false;
		for (size_t w = 0; x->valid && schema_has_nulls(x) && w < x->wheres && !is; w++)
			is = schema_implies(&asked, q->k, &x->where_cond[w]);
		if (!is || (x->wheres > 1 && !schema_has_rows(&asked, x)))
			continue;
		q->out->why = WHY_SERVED;
		q->out->index = x;
		return true;
	}
	return false;
}

struct str schema_collation_of(const struct sql_node *n)
{
	while (node_is(n, "TypeCast"))
		n = node_get(n, "arg");
	if (node_is(n, "CollateClause"))
		return node_last_name(n, "collname");
	const char *field = node_is(n, "A_ArrayExpr") ? "elements" : "items";
	for (size_t i = 0; i < node_len(n, field); i++)
		if (node_is(node_item(n, field, i), "CollateClause"))
			return node_last_name(node_item(n, field, i), "collname");
	return STR_NONE;
}

static void ask_table(struct ask *q, const struct sql_node *n)
{
	if (node_is(n, "FuncCall") && q->k->pred == PRED_BOOL &&
		str_is(node_last_name(n, "funcname"), "starts_with"))
		n = node_item(n, "args", 0);
	q->node = n = uncast(q, n);
	struct sql_side s = sql_side(q->a, n);
	q->column = s.kind == SIDE_COLUMN ? schema_column_of(q->t, s.col.name) : -1;
	q->type = schema_type(q->s, q->a, q->o, n);
	if (!q->explicit_collation && schema_collation_of(q->k->right.node).n) {
		q->collation = schema_collation_of(q->k->right.node);
		q->explicit_collation = true;
	}
	if (!q->explicit_collation && q->column >= 0)
		q->collation = q->t->column.at[q->column].collation;
	for (size_t i = 0; i < q->t->index.n; i++) {
		const struct schema_index *x = q->t->index.at[i];
		for (size_t k = 0; x->valid && k < x->keys; k++)
			if (is_key(q, &x->key[k]))
				look_at(q, x, k);
	}
}

/* --- conditions ----------------------------------------------------------------------------- */

static enum serve serve_cond(struct ask *q, const struct sql_cond *k);

/* A row: its first column serves a comparison, any of its columns equality. */
static enum serve serve_row(struct ask *q, const struct sql_cond *k)
{
	const struct sql_node *l = k->left.node, *r = k->right.node;
	bool equal = k->pred == PRED_EQ;
	enum serve best = SERVE_NO;

	if (k->pred == PRED_NE)
		return SERVE_NO;
	for (size_t i = 0; i < node_len(l, "args") && (equal || i == 0); i++) {
		struct sql_cond one = *k;
		one.left = sql_side(q->a, node_item(l, "args", i));
		one.left.col.rel = q->o->rels == 1 ? 0 : one.left.col.rel;
		one.right = sql_side(q->a, node_item(r, "args", i));
		q->of_row = !equal;
		enum serve v = serve_cond(q, &one);
		q->of_row = false;
		if (v == SERVE_YES && !equal && q->out->index &&
			!str_is(q->out->index->method, "btree"))
			v = SERVE_NO; /* only a B-tree orders rows */
		if (v != SERVE_NO)
			best = v == SERVE_YES || best == SERVE_NO ? v : best;
	}
	return best;
}

/* (a, b) IN ((1, 2), (3, 4)): an OR of rows. */
static enum serve serve_rows(struct ask *q, const struct sql_cond *k)
{
	enum serve worst = SERVE_YES;

	for (size_t i = 0; i < node_len(k->right.node, "items") && worst != SERVE_NO; i++) {
		struct sql_cond one = *k;
		one.pred = PRED_EQ;
		one.op = STR("=");
		one.right = sql_side(q->a, node_item(k->right.node, "items", i));
		enum serve v = serve_row(q, &one);
		worst = v == SERVE_YES ? worst : v;
	}
	return worst;
}

/* IN (SELECT …), = ANY (SELECT …); not = ANY (ARRAY (SELECT …)), which is a value. */
static bool is_join_with_query(const struct sql_cond *k)
{
	return (k->pred == PRED_IN || k->pred == PRED_ANY) && node_is(k->right.node, "SubLink") &&
	       strcmp(node_enum(k->right.node, "sub_link_type"), "ARRAY_SUBLINK") != 0;
}

static bool is_semijoin(const struct sql_cond *k)
{
	return k->pred == PRED_EXISTS || k->pred == PRED_NOT_EXISTS ||
	       (is_join_with_query(k) && k->left.cols);
}

static bool is_same_column(const struct sql_cond *k)
{
	return k->pred == PRED_EQ && k->left.kind == SIDE_COLUMN && k->right.kind == SIDE_COLUMN &&
	       k->left.col.rel != -2 && str_eq(k->left.col.name, k->right.col.name) &&
	       str_eq(k->left.col.qual, k->right.col.qual);
}

/* TRUE in an AND, FALSE in an OR: the planner leaves it out. */
static bool is_neutral(const struct sql_cond *k, bool truth)
{
	const struct sql_node *b = k->pred == PRED_CONST ? node_get(k->left.node, "boolval") : NULL;

	return b && (node_int(b, "boolval") != 0) == truth;
}

static enum serve serve_arms(struct ask *q, const struct sql_cond *k)
{
	bool all = k->pred == PRED_OR;
	enum serve verdict = all ? SERVE_YES : SERVE_NO;

	for (size_t i = 0; i < k->arms; i++) {
		if (is_neutral(&k->arm[i], !all))
			continue;
		enum serve v = serve_cond(q, &k->arm[i]);
		if (all && (is_semijoin(&k->arm[i]) || is_same_column(&k->arm[i])))
			v = SERVE_NO; /* below OR neither is a join: a test by row */
		if (all ? v == SERVE_NO : v == SERVE_YES)
			return v;
		if (v == SERVE_UNKNOWN)
			verdict = v;
	}
	return verdict;
}

struct same_row {
	const struct schema *s;
	const struct sql_outline *o;
	const struct sql_col *left;
	bool found;
};

/* A bare name of the only table: of its row, unless the table has no such column and the name
 * is the outer query's. */
static bool is_own(const struct same_row *r, const struct sql_node *ref)
{
	struct sql_col col = {
		.rel = 0, .name = str_of(node_str(node_item(ref, "fields", 0), "sval"))};

	return r->o->rels == 1 && (!r->o->up || schema_resolve(r->s, r->o, &col, NULL, NULL));
}

static enum walk find_same_row(void *ctx, const struct sql_path *at)
{
	struct same_row *r = ctx;
	size_t n = node_len(at->node, "fields");

	if (node_is(at->node, "SubLink"))
		return WALK_PRUNE;
	if (!node_is(at->node, "ColumnRef"))
		return WALK_ON;
	struct str qual =
		n > 1 ? str_of(node_str(node_item(at->node, "fields", n - 2), "sval")) : STR("");
	if (qual.n ? str_eq(qual, r->left->qual) ||
				(r->left->rel >= 0 && str_eq(qual, r->o->rel[r->left->rel].alias))
		   : is_own(r, at->node))
		r->found = true;
	return WALK_ON;
}

/* Does the other side need the same row? */
static bool needs_row(const struct ask *q, const struct sql_col *left, const struct sql_side *s)
{
	const struct sql_outline *o = q->o;
	struct same_row r = {q->s, o, left, false};

	for (size_t i = 0; s->sub && i < s->sub->conds; i++) { /* of a correlated subquery */
		const struct sql_cond *k = &s->sub->cond[i];
		const struct sql_col *out = k->left.cols && k->left.col.rel == -2 ? &k->left.col
					    : k->right.cols && k->right.col.rel == -2
						    ? &k->right.col
						    : NULL;
		if (out && left->rel >= 0 && str_eq(out->qual, o->rel[left->rel].alias))
			return true;
	}

	if (s->cols && s->col.rel != -2)
		sql_walk(s->node, find_same_row, &r);
	return r.found;
}

static bool is_volatile(const struct ask *q, const struct sql_side *s)
{
	return s->is_volatile || schema_is_volatile(q->s, s->node);
}

static enum serve serve_side(struct ask *q, const struct sql_cond *k)
{
	const struct sql_side *s = k->pred == PRED_NOT ? &k->arm[0].left : &k->left;

	if (k->pred == PRED_NOT && k->arm[0].pred != PRED_BOOL)
		return s->cols ? SERVE_NO : SERVE_UNKNOWN;
	bool into = !s->cols && (k->pred == PRED_ANY || k->pred == PRED_ALL) &&
		    !node_is(k->right.node, "SubLink");
	if (into) /* 5 = ANY (column): nothing looks into an array by that operator */
		s = &k->right;
	if (s->cols == 0 || s->col.rel == -2 || !schema_resolve(q->s, q->o, &s->col, &q->t, NULL) ||
		(q->t->is_view && !q->t->is_stored))
		return SERVE_UNKNOWN;
	if (s->kind == SIDE_WRAPPED && s->wrap == WRAP_ROW)
		return k->pred == PRED_NOT_IN		? SERVE_NO
		       : node_is(k->right.node, "List") ? serve_rows(q, k)
							: serve_row(q, k);
	if (into) {
		q->out->why = WHY_OPERATOR;
		return SERVE_NO;
	}
	q->k = k;
	if (is_predicate(q))
		return SERVE_YES;
	bool low_late = is_volatile(q, &k->right), high_late = is_volatile(q, &k->upper);
	if (k->pred == PRED_BETWEEN ? low_late && high_late : low_late || high_late) {
		q->out->why = WHY_VOLATILE;
		return SERVE_NO;
	}
	bool low = needs_row(q, &s->col, &k->right), high = needs_row(q, &s->col, &k->upper);
	if (k->pred == PRED_BETWEEN ? low && high : low || high) {
		q->out->why = WHY_SAME_ROW;
		return SERVE_NO;
	}
	q->out->why = WHY_NO_INDEX;
	q->out->index = NULL;
	q->canon = STR_NONE;
	q->collation = STR("");
	q->explicit_collation = false;
	ask_table(q, s->node);
	return q->out->why == WHY_SERVED || q->out->why == WHY_NOT_LEADING ? SERVE_YES : SERVE_NO;
}

static enum serve serve_cond(struct ask *q, const struct sql_cond *k)
{
	switch (k->pred) {
	case PRED_OR:
	case PRED_AND:
		return serve_arms(q, k);
	case PRED_EXISTS:
	case PRED_NOT_EXISTS:
	case PRED_CONST:
		return SERVE_UNKNOWN;
	case PRED_IN:
	case PRED_ANY:
		if (is_join_with_query(k) && !k->left.cols && k->right.sub && !k->right.sub->rels &&
			k->right.sub->targets && k->right.sub->target[0].val.cols)
			return SERVE_NO; /* 5 IN (SELECT unnest(column)) */
		if (is_join_with_query(k))
			return SERVE_UNKNOWN;
		break;
	default:
		break;
	}
	if (is_same_column(k)) { /* a = a: the planner knows that it says a IS NOT NULL */
		struct sql_cond test = *k;
		test.pred = PRED_NOT_NULL;
		memset(&test.right, 0, sizeof(test.right));
		return serve_side(q, &test);
	}
	if (node_is(k->right.node, "List") && node_len(k->right.node, "items") == 1 &&
		(k->pred == PRED_IN || k->pred == PRED_NOT_IN)) { /* IN (5) is = 5 */
		struct sql_cond one = *k;
		one.pred = k->pred == PRED_IN ? PRED_EQ : PRED_NE;
		one.op = k->pred == PRED_IN ? STR("=") : STR("<>");
		one.right = sql_side(q->a, node_item(k->right.node, "items", 0));
		return serve_cond(q, &one);
	}
	enum serve v = serve_side(q, k);
	bool join = k->right.cols && k->right.col.rel != k->left.col.rel && k->pred <= PRED_GE &&
		    k->right.col.rel != -2; /* of a query around it: a value */
	if (v == SERVE_YES || !join)
		return v;
	struct sql_cond turned = *k; /* a join condition serves from either side */
	struct schema_served first = *q->out;
	turned.left = k->right;
	turned.right = k->left;
	if (k->pred != PRED_EQ && k->pred != PRED_NE)
		turned.op = k->op.p[0] == '<' ? STR(">") : STR("<");
	enum serve other = serve_side(q, &turned);
	if (other == SERVE_YES)
		return other;
	*q->out = first;
	return v == SERVE_NO && other == SERVE_NO ? SERVE_NO : SERVE_UNKNOWN;
}

enum serve schema_serves(const struct schema *s, struct arena *a, const struct sql_outline *o,
	const struct sql_cond *k, struct schema_served *out)
{
	struct schema_served ignored;
	struct ask q = {.s = s, .a = a, .o = o, .out = out ? out : &ignored};

	*q.out = (struct schema_served){WHY_NO_INDEX, NULL};
	return s ? serve_cond(&q, k) : SERVE_UNKNOWN;
}
