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

struct ask {
	const struct schema *s;
	struct arena *a;
	const struct sql_outline *o;
	const struct sql_cond *k;
	const struct schema_table *t;
	struct schema_served *out;
	/* the indexed side */
	int column;	  /* of t; -1: an expression */
	struct str canon; /* then its text; STR_NONE until asked for */
	const struct sql_node *node;
	struct str type, collation;
	bool explicit_collation;
};

/* --- operator classes ----------------------------------------------------------------- */

/* Operators of classes that do not simply order values.  `type` ends with, or `opclass` is. */
static const struct {
	const char *method, *opclass, *type, *ops;
} classes[] = {
	{"gin", "gin_trgm_ops", NULL, " ~~ ~~* ~ ~* = % %> <% %>> <<% "},
	{"gist", "gist_trgm_ops", NULL, " ~~ ~~* ~ ~* = % %> <% %>> <<% "},
	{"gin", "jsonb_path_ops", NULL, " @> @? @@ "},
	{"gin", "gin__int_ops", NULL, " @> <@ && = @@ "},
	{"gist", "gist__int_ops", NULL, " @> <@ && = @@ "},
	{"gin", NULL, "[]", " @> <@ && = "},
	{"gin", NULL, "jsonb", " @> ? ?| ?& @? @@ "},
	{"gin", NULL, "tsvector", " @@ @@@ "},
	{"gist", NULL, "tsvector", " @@ "},
	{"gin", NULL, "hstore", " @> ? ?| ?& "},
	{"gist", NULL, "hstore", " @> ? ?| ?& "},
	{"gist", NULL, "ltree", " < <= = >= > @> <@ ~ ? @ "},
	{"gist", NULL, "range", " << &< && &> >> -|- @> <@ = "},
	{"spgist", NULL, "range", " << &< && &> >> -|- @> <@ = "},
	{"brin", NULL, "range", " << &< && &> >> -|- @> <@ = < <= > >= "},
	{"gist", NULL, "inet", " && = <> < <= > >= << <<= >> >>= "},
	{"spgist", NULL, "inet", " && = <> < <= > >= << <<= >> >>= "},
	{"gist", NULL, "box", " << &< && &> >> ~= @> <@ &<| <<| |>> |&> ~ @ "},
	{"spgist", NULL, "box", " << &< && &> >> ~= @> <@ &<| <<| |>> |&> "},
	{"spgist", NULL, "polygon", " << &< && &> >> ~= @> <@ &<| <<| |>> |&> "},
	{"brin", NULL, "box", " << &< && &> >> ~= @> <@ &<| <<| |>> |&> "},
	{"gist", NULL, "polygon", " << &< && &> >> ~= @> <@ &<| <<| |>> |&> ~ @ "},
	{"gist", NULL, "circle", " << &< && &> >> ~= @> <@ &<| <<| |>> |&> ~ @ "},
	{"gist", NULL, "point", " << >> ~= <@ <<| |>> <^ >^ "},
	{"spgist", NULL, "point", " << >> ~= <@ <<| |>> <^ >^ "},
	{"spgist", NULL, "text", " = < <= > >= ~<~ ~<=~ ~>~ ~>=~ ^@ "},
	{"brin", "minmax", NULL, NULL},
	{"brin", NULL, "inet", " = && << <<= >> >>= "},
	{"brin", NULL, "cidr", " = && << <<= >> >>= "},
	{"hash", NULL, "", " = "},
	{"brin", "bloom", "", " = "},
	{"bloom", NULL, "", " = "},
};

static bool in_ops(const char *ops, struct str op)
{
	char probe[16];

	if (op.n == 0 || op.n > 10)
		return false;
	snprintf(probe, sizeof(probe), " %.*s ", STR_ARGS(op));
	return strstr(ops, probe) != NULL;
}

/* The operators of the key's class; NULL: it orders values, as a B-tree does. */
static const char *ops_of(const struct schema_index *x, const struct schema_key *key,
	struct str type)
{
	for (size_t i = 0; i < ARRAY_LEN(classes); i++) {
		if (!str_is(x->method, classes[i].method))
			continue;
		if (classes[i].opclass ? str_find(key->opclass, classes[i].opclass) < key->opclass.n
				       : str_ends(type, classes[i].type))
			return classes[i].ops;
	}
	return NULL;
}

/* jsonb and most containers order values in a B-tree, but nobody's GIN does by default. */
static bool takes_operator(const struct ask *q, const struct schema_index *x,
	const struct schema_key *key, struct str op)
{
	const char *ops = ops_of(x, key, q->type);

	if (ops)
		return in_ops(ops, op);
	if (str_is(op, "<>"))
		return str_is(x->method, "gist");
	if (str_starts(op, "<<") || str_starts(op, ">>")) /* subnets are ranges */
		return str_is(x->method, "btree") &&
		       (str_is(q->type, "inet") || str_is(q->type, "cidr")) && str_starts(op, "<<");
	if (str_ends(key->opclass, "_pattern_ops"))
		return str_is(op, "=") || in_ops(" ~<~ ~<=~ ~>~ ~>=~ ", op);
	return in_ops(" = < <= > >= ", op);
}

/* --- collations -------------------------------------------------------------------------- */

static bool is_c(struct str collation)
{
	return str_is(collation, "C") || str_is(collation, "POSIX") ||
	       str_is(collation, "ucs_basic");
}

static struct str key_collation(const struct ask *q, const struct schema_key *key)
{
	if (key->collation.n)
		return key->collation;
	if (key->column >= 0)
		return q->t->column.at[key->column].collation;
	return q->explicit_collation ? STR("") : q->collation;
}

static bool is_default(struct str collation)
{
	return !collation.n || str_is(collation, "default");
}

static bool collation_fits(const struct ask *q, const struct schema_key *key)
{
	struct str own = key_collation(q, key);

	if (!schema_type_is_text(q->type))
		return true;
	if (str_is(q->type, "name")) /* always in the order of C */
		return is_default(q->collation) || str_is(q->collation, "C");
	return str_eq(own, q->collation) || (is_default(own) && is_default(q->collation));
}

/* Do strings that begin alike stand together in this index? */
static bool keeps_prefixes(const struct ask *q, const struct schema_index *x,
	const struct schema_key *key)
{
	struct str own = key_collation(q, key);

	if (str_ends(key->opclass, "_pattern_ops"))
		return true;
	if (str_is(x->method, "spgist"))
		return true;
	if (!str_is(x->method, "btree") && !str_is(x->method, "brin"))
		return false;
	return is_c(own) || str_is(q->type, "name") || (is_default(own) && is_c(q->s->collate));
}

/* --- does a key take the condition? --------------------------------------------------------- */

static struct str side_type(const struct ask *q, const struct sql_side *s)
{
	struct str type = schema_type(q->s, q->a, q->o, s->node);

	return type;
}

static enum schema_why takes_values(const struct ask *q, const struct schema_index *x,
	const struct schema_key *key, struct str op, struct str value)
{
	if (!takes_operator(q, x, key, op))
		return WHY_OPERATOR;
	if (str_ends(key->opclass, "_bloom_ops") && value.n && !str_is(value, "unknown") &&
		!str_eq(value, q->type))
		return WHY_TYPE; /* it hashes its own type only */
	if (schema_fit(q->type, value) == FIT_CASTS ||
		!schema_fit_family(x->method, q->type, value))
		return WHY_TYPE;
	/* A name brings its own collation, which is C. */
	if (str_is(value, "name") && !str_is(q->type, "name") && !q->explicit_collation)
		return str_is(key_collation(q, key), "C") &&
				       (is_default(q->collation) || str_is(q->collation, "C"))
			       ? WHY_SERVED
			       : WHY_COLLATION;
	return collation_fits(q, key) ? WHY_SERVED : WHY_COLLATION;
}

static bool is_integer(struct str type)
{
	return str_is(type, "int2") || str_is(type, "int4") || str_is(type, "int8");
}

static enum schema_why takes_list(const struct ask *q, const struct schema_index *x,
	const struct schema_key *key, struct str op)
{
	struct str type = side_type(q, &q->k->right);

	if (str_ends(type, "[]"))
		type = str_before(type, type.n - 2);
	/* a list takes the common type of its elements and the column */
	if (q->k->pred == PRED_IN && is_integer(type) && is_integer(q->type) &&
		str_cmp(type, q->type) < 0)
		type = q->type;
	return takes_values(q, x, key, op, type);
}

static enum schema_why takes_pattern(const struct ask *q, const struct schema_index *x,
	const struct schema_key *key, struct str op)
{
	enum schema_pattern p = schema_pattern(q->k);
	const char *ops = ops_of(x, key, q->type);

	if (ops && (str_starts(key->opclass, "gin_trgm") || str_starts(key->opclass, "gist_trgm")))
		return !in_ops(ops, op)		? WHY_OPERATOR
		       : collation_fits(q, key) ? WHY_SERVED
						: WHY_COLLATION;
	if (str_is(op, "^@") && (str_is(q->type, "bpchar") || str_is(q->type, "name")))
		return WHY_TYPE; /* the column is cast to text */
	bool bytes = str_is(q->type, "bytea");
	if (str_is(q->type, "citext") || (!schema_type_is_text(q->type) && !bytes))
		return WHY_OPERATOR;
	if (p == PATTERN_UNKNOWN)
		return WHY_SERVED; /* a parameter: it may be a prefix */
	if (p == PATTERN_EXACT)	   /* in whatever collation: equal is equal */
		return takes_operator(q, x, key, STR("=")) ? WHY_SERVED : WHY_OPERATOR;
	if (p == PATTERN_PREFIX && bytes)
		return str_is(x->method, "btree") ? WHY_SERVED : WHY_OPERATOR;
	if (p == PATTERN_NONE)
		return WHY_OPERATOR;
	return keeps_prefixes(q, x, key) ? WHY_SERVED : WHY_PREFIX;
}

static bool has_nulls(const struct schema_index *x)
{
	return !str_is(x->method, "hash") && !str_is(x->method, "gin") &&
	       !str_is(x->method, "bloom");
}

/* LIKE as the operator it is. */
static struct str pattern_operator(const struct sql_cond *k)
{
	switch ((int)k->pred) {
	case PRED_LIKE:
		return STR("~~");
	case PRED_ILIKE:
		return STR("~~*");
	case PRED_SIMILAR:
		return STR("~");
	}
	return k->op;
}

static enum schema_why takes_boolean(const struct ask *q, const struct schema_index *x,
	const struct schema_key *key)
{
	const struct sql_cond *k = q->k;
	bool order = str_is(x->method, "btree") || str_is(x->method, "hash");
	struct sql_cond asked;

	(void)key;
	if (k->pred == PRED_IS_BOOL && !str_is(k->op, "is true") && !str_is(k->op, "is false"))
		return WHY_OPERATOR;
	if (k->pred == PRED_BOOL && node_is(k->left.node, "FuncCall") &&
		str_is(node_last_name(k->left.node, "funcname"), "starts_with")) {
		asked = *k;
		asked.pred = PRED_OP;
		asked.op = STR("^@");
		asked.right = sql_side(q->a, node_item(k->left.node, "args", 1));
		struct ask sub = *q;
		sub.k = &asked;
		return takes_pattern(&sub, x, key, asked.op);
	}
	return str_is(q->type, "bool") && order ? WHY_SERVED : WHY_OPERATOR;
}

static enum schema_why takes(const struct ask *q, const struct schema_index *x,
	const struct schema_key *key)
{
	const struct sql_cond *k = q->k;

	switch (k->pred) {
	case PRED_EQ:
	case PRED_LT:
	case PRED_LE:
	case PRED_GT:
	case PRED_GE:
		return takes_values(q, x, key, k->op, side_type(q, &k->right));
	case PRED_BETWEEN:
	case PRED_NOT_BETWEEN: {
		enum schema_why low = takes_values(q, x, key, STR(">="), side_type(q, &k->right));
		enum schema_why high = takes_values(q, x, key, STR("<="), side_type(q, &k->upper));
		if (k->pred == PRED_NOT_BETWEEN) /* both of x < low OR x > high */
			return low == WHY_SERVED ? high : low;
		return low == WHY_SERVED ? low : high; /* one bound is enough */
	}
	case PRED_IN:
		return takes_list(q, x, key, STR("="));
	case PRED_ANY:
		return str_is(k->op, "~~") || str_is(k->op, "~~*")
			       ? (takes_operator(q, x, key, k->op) ? WHY_SERVED : WHY_OPERATOR)
			       : takes_list(q, x, key, k->op);
	case PRED_LIKE:
	case PRED_ILIKE:
	case PRED_SIMILAR:
	case PRED_REGEX:
		return takes_pattern(q, x, key, pattern_operator(k));
	case PRED_IS_NULL:
	case PRED_NOT_NULL:
		return has_nulls(x) ? WHY_SERVED : WHY_OPERATOR;
	case PRED_BOOL:
	case PRED_IS_BOOL:
	case PRED_NOT:
		return takes_boolean(q, x, key);
	case PRED_NE:
		if (str_is(q->type, "bool") && k->right.kind == SIDE_CONST)
			return takes_boolean(q, x, key);
		return takes_values(q, x, key, STR("<>"), side_type(q, &k->right));
	case PRED_OP:
		if (str_is(k->op, "^@"))
			return takes_pattern(q, x, key, k->op);
		if (str_is(side_type(q, &k->right), "point") && !str_is(q->type, "point"))
			return WHY_OPERATOR;
		return takes_operator(q, x, key, k->op) ? WHY_SERVED : WHY_OPERATOR;
	case PRED_NOT_LIKE:
	case PRED_NOT_ILIKE:
	case PRED_NOT_IN:
	case PRED_ALL:
	case PRED_DISTINCT:
	case PRED_NOT_DISTINCT:
	case PRED_EXISTS:
	case PRED_NOT_EXISTS:
	case PRED_OR:
	case PRED_AND:
	case PRED_CONST:
		break;
	}
	return WHY_OPERATOR;
}

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
				      ? takes(q, x, &x->key[i])
				      : WHY_PARTIAL;

	if (why == WHY_SERVED && !leads(q, x, i))
		why = WHY_NOT_LEADING;
	if (q->out->why != WHY_SERVED &&
		(why == WHY_SERVED || q->out->why == WHY_NO_INDEX || why < q->out->why)) {
		q->out->why = why;
		q->out->index = x;
	}
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
		if (node_is(n, "FuncCall") && str_is(node_last_name(n, "funcname"), "date") &&
			node_len(n, "args") == 1 &&
			str_is(schema_type(q->s, q->a, q->o, node_item(n, "args", 0)), "date")) {
			n = node_item(n, "args", 0);
			continue;
		}
		if (!node_is(n, "TypeCast"))
			return n;
		const struct sql_node *arg = node_get(n, "arg"), *type = node_get(n, "type_name");
		struct str from = schema_type(q->s, q->a, q->o, arg),
			   to = schema_type_name(q->a, q->s, type);
		if (!schema_type_is_relabel(from, to))
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

	for (size_t i = 0; i < q->t->index.n; i++) {
		const struct schema_index *x = q->t->index.at[i];
		bool is = false;
		for (size_t w = 0; x->valid && has_nulls(x) && w < x->wheres && !is; w++)
			is = schema_implies(&asked, q->k, &x->where_cond[w]);
		if (!is || (x->wheres > 1 && !schema_has_rows(&asked, x)))
			continue;
		q->out->why = WHY_SERVED;
		q->out->index = x;
		return true;
	}
	return false;
}

static void ask_table(struct ask *q, const struct sql_node *n)
{
	if (is_predicate(q))
		return;
	if (node_is(n, "FuncCall") && q->k->pred == PRED_BOOL &&
		str_is(node_last_name(n, "funcname"), "starts_with"))
		n = node_item(n, "args", 0);
	q->node = n = uncast(q, n);
	struct sql_side s = sql_side(q->a, n);
	q->column = s.kind == SIDE_COLUMN ? schema_column_of(q->t, s.col.name) : -1;
	q->type = schema_type(q->s, q->a, q->o, n);
	if (!q->explicit_collation && node_is(q->k->right.node, "CollateClause")) {
		q->collation = node_last_name(q->k->right.node, "collname");
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
	bool equal = k->pred == PRED_EQ || k->pred == PRED_IN;
	enum serve best = SERVE_NO;

	if (k->pred == PRED_NE || k->pred == PRED_NOT_IN)
		return SERVE_NO;
	for (size_t i = 0; i < node_len(l, "args") && (equal || i == 0); i++) {
		struct sql_cond one = *k;
		one.left = sql_side(q->a, node_item(l, "args", i));
		one.left.col.rel = q->o->rels == 1 ? 0 : one.left.col.rel;
		if (k->pred == PRED_IN) {
			one.pred = PRED_EQ;
			one.op = STR("=");
			one.right = sql_side(q->a, node_item(node_item(r, "items", 0), "args", i));
		} else {
			one.right = sql_side(q->a, node_item(r, "args", i));
		}
		enum serve v = serve_cond(q, &one);
		if (v == SERVE_YES && !equal && q->out->index &&
			!str_is(q->out->index->method, "btree"))
			v = SERVE_NO; /* only a B-tree orders rows */
		if (v != SERVE_NO)
			best = v == SERVE_YES || best == SERVE_NO ? v : best;
	}
	return best;
}

static bool is_semijoin(const struct sql_cond *k)
{
	return k->pred == PRED_EXISTS || k->pred == PRED_NOT_EXISTS ||
	       ((k->pred == PRED_IN || k->pred == PRED_ANY) && k->right.kind == SIDE_QUERY &&
		       k->left.cols);
}

static enum serve serve_arms(struct ask *q, const struct sql_cond *k)
{
	bool all = k->pred == PRED_OR;
	enum serve verdict = all ? SERVE_YES : SERVE_NO;

	for (size_t i = 0; i < k->arms; i++) {
		enum serve v = serve_cond(q, &k->arm[i]);
		if (all && is_semijoin(&k->arm[i])) /* below OR it is no join but a test by row */
			v = SERVE_NO;
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

static enum serve serve_side(struct ask *q, const struct sql_cond *k)
{
	const struct sql_side *s = k->pred == PRED_NOT ? &k->arm[0].left : &k->left;

	if (k->pred == PRED_NOT && k->arm[0].pred != PRED_BOOL)
		return s->cols ? SERVE_NO : SERVE_UNKNOWN;
	if (s->cols == 0 || s->col.rel == -2 || !schema_resolve(q->s, q->o, &s->col, &q->t, NULL) ||
		(q->t->is_view && !q->t->is_stored))
		return SERVE_UNKNOWN;
	if (s->kind == SIDE_WRAPPED && s->wrap == WRAP_ROW)
		return serve_row(q, k);
	if (k->right.is_volatile || k->upper.is_volatile) {
		q->out->why = WHY_VOLATILE;
		return SERVE_NO;
	}
	bool low = needs_row(q, &s->col, &k->right), high = needs_row(q, &s->col, &k->upper);
	if (k->pred == PRED_BETWEEN ? low && high : low || high) {
		q->out->why = WHY_SAME_ROW;
		return SERVE_NO;
	}
	q->k = k;
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
		if (k->right.kind == SIDE_QUERY)
			return SERVE_UNKNOWN; /* a join */
		break;
	default:
		break;
	}
	enum serve v = serve_side(q, k);
	bool join = k->right.cols && k->right.col.rel != k->left.col.rel && k->pred <= PRED_GE;
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
