/* SPDX-License-Identifier: ISC
 *
 * schema_takes: does the key of an index take the condition?
 *
 * Is the operator one of the key's operator class after both sides' types have chosen it, and
 * does the collation agree.
 */
#include "schema_ask.h"

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
	{"gist", NULL, "cidr", " && = <> < <= > >= << <<= >> >>= "},
	{"spgist", NULL, "inet", " && = <> < <= > >= << <<= >> >>= "},
	{"spgist", NULL, "cidr", " && = <> < <= > >= << <<= >> >>= "},
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
	if (str_starts(op, "<<") || str_starts(op, ">>")) /* subnets are ranges, once known */
		return str_is(x->method, "btree") && str_starts(op, "<<") &&
		       (str_is(q->type, "inet") || str_is(q->type, "cidr")) &&
		       (q->k->right.kind == SIDE_CONST || q->k->right.kind == SIDE_PARAM);
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
		return str_is(q->collation, "C") ||
		       (is_default(q->collation) && !q->explicit_collation);
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
	if ((!str_is(x->method, "btree") && !str_is(x->method, "brin")) ||
		str_ends(key->opclass, "_bloom_ops"))
		return false;
	return is_c(own) || str_is(q->type, "name") || (is_default(own) && is_c(q->s->collate));
}

/* --- does a key take the condition? --------------------------------------------------------- */

static struct str side_type(const struct ask *q, const struct sql_side *s)
{
	struct str type = schema_type(q->s, q->a, q->o, s->node);
	const struct sql_node *n = s->node;

	while (node_is(n, "TypeCast"))
		n = node_get(n, "arg");
	if (n != s->node && schema_type_is_text(type) &&
		str_is(schema_type(q->s, q->a, q->o, n), "name"))
		return STR("name"); /* a cast to text keeps its collation */
	return type;
}

static enum schema_why takes_values(const struct ask *q, const struct schema_index *x,
	const struct schema_key *key, struct str op, struct str value)
{
	if (!takes_operator(q, x, key, op))
		return WHY_OPERATOR;
	if (schema_fit(q->type, value) == FIT_CASTS ||
		!schema_fit_family(x->method, key->opclass, q->type, value))
		return WHY_TYPE;
	/* A name brings its own collation, which is C. */
	if (str_is(value, "name") && !str_is(q->type, "name") && !q->explicit_collation)
		return str_is(key_collation(q, key), "C") &&
				       (is_default(q->collation) || str_is(q->collation, "C"))
			       ? WHY_SERVED
			       : WHY_COLLATION;
	return collation_fits(q, key) ? WHY_SERVED : WHY_COLLATION;
}

static enum schema_why takes_list(const struct ask *q, const struct schema_index *x,
	const struct schema_key *key, struct str op)
{
	struct str type = side_type(q, &q->k->right);

	if (str_ends(type, "[]"))
		type = str_before(type, type.n - 2);
	/* a list takes the common type of the column and its elements */
	if (q->k->pred == PRED_IN && schema_type_common(q->type, type).n &&
		!schema_type_is_text(type))
		type = schema_type_common(q->type, type);
	if (q->k->pred == PRED_IN && q->k->right.list > 1 && str_is(q->type, "bpchar") &&
		str_is(type, "text"))
		type = q->type; /* text is turned into char(n) here, unlike by = */
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
	if (ops && !schema_type_is_text(q->type) && !bytes) /* ltree ~ lquery */
		return in_ops(ops, op) ? WHY_SERVED : WHY_OPERATOR;
	if (str_is(q->type, "citext") || (!schema_type_is_text(q->type) && !bytes))
		return WHY_OPERATOR;
	if (!schema_fit_family(x->method, key->opclass, q->type, STR("text")))
		return WHY_TYPE;
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

bool schema_has_nulls(const struct schema_index *x)
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

static enum schema_why takes_bound(const struct ask *q, const struct schema_index *x,
	const struct schema_key *key, struct str op, const struct sql_side *bound)
{
	return bound->is_volatile ? WHY_VOLATILE : takes_values(q, x, key, op, side_type(q, bound));
}

/* What lies in a box a box finds; in a circle or polygon only GiST; a point no other shape.  And
 * left of a shape is no operator that could be turned around. */
static bool shapes_fit(const struct ask *q, const struct schema_index *x)
{
	struct str value = side_type(q, &q->k->right);
	bool point = str_is(q->type, "point");
	bool shape = point || str_is(q->type, "box") || str_is(q->type, "polygon") ||
		     str_is(q->type, "circle");

	if (str_is(value, "point") && !point)
		return false;
	if (point && str_is(x->method, "spgist") &&
		(str_is(value, "circle") || str_is(value, "polygon")))
		return false;
	return !(shape && q->k->swapped && q->k->op.n &&
		 (str_starts(q->k->op, "<<") || str_starts(q->k->op, ">>")));
}

enum schema_why schema_key_takes(const struct ask *q, const struct schema_index *x,
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
		enum schema_why low = takes_bound(q, x, key, STR(">="), &k->right);
		enum schema_why high = takes_bound(q, x, key, STR("<="), &k->upper);
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
		return schema_has_nulls(x) ? WHY_SERVED : WHY_OPERATOR;
	case PRED_BOOL:
	case PRED_IS_BOOL:
	case PRED_NOT:
		return takes_boolean(q, x, key);
	case PRED_NE:
		if (str_is(q->type, "bool") && !k->right.cols && k->right.kind != SIDE_PARAM &&
			k->right.kind != SIDE_QUERY)
			return takes_boolean(q, x, key);
		return takes_values(q, x, key, STR("<>"), side_type(q, &k->right));
	case PRED_OP:
		if (str_is(k->op, "^@"))
			return takes_pattern(q, x, key, k->op);
		if (!shapes_fit(q, x))
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
