/* SPDX-License-Identifier: ISC
 *
 * sql_cond: boolean expressions -> conjuncts.
 *
 * NOT is pushed down to the leaves where that keeps the meaning under three-valued logic: AND
 * and OR by De Morgan, comparisons to their opposite, IN, LIKE, BETWEEN and the null tests to
 * their NOT form.  A column ends up on the left where it stands alone on one side.
 */
#include "sql.h"
#include "sql_build.h"

static const struct {
	const char *op;
	enum sql_pred pred;
	const char *swapped, *negated;
} operators[] = {
	{"=", PRED_EQ, "=", "<>"},
	{"<>", PRED_NE, "<>", "="},
	{"!=", PRED_NE, "<>", "="},
	{"<", PRED_LT, ">", ">="},
	{"<=", PRED_LE, ">=", ">"},
	{">", PRED_GT, "<", "<="},
	{">=", PRED_GE, "<=", "<"},
	{"~", PRED_REGEX, NULL, "!~"},
	{"~*", PRED_REGEX, NULL, "!~*"},
	{"!~", PRED_REGEX, NULL, "~"},
	{"!~*", PRED_REGEX, NULL, "~*"},
	{"~~", PRED_LIKE, NULL, "!~~"},
	{"!~~", PRED_NOT_LIKE, NULL, "~~"},
	{"~~*", PRED_ILIKE, NULL, "!~~*"},
	{"!~~*", PRED_NOT_ILIKE, NULL, "~~*"},
	{"@>", PRED_OP, "<@", NULL},
	{"<@", PRED_OP, "@>", NULL},
	{"&&", PRED_OP, "&&", NULL},
	{"@@", PRED_OP, "@@", NULL},
	{"<<", PRED_OP, ">>", NULL},
	{">>", PRED_OP, "<<", NULL},
	{"<<=", PRED_OP, ">>=", NULL},
	{">>=", PRED_OP, "<<=", NULL},
	{"-|-", PRED_OP, "-|-", NULL},
	{"~=", PRED_OP, "~=", NULL},
	{"<%", PRED_OP, "%>", NULL}, /* word_similarity() */
	{"%>", PRED_OP, "<%", NULL},
	{"<<%", PRED_OP, "%>>", NULL},
	{"%>>", PRED_OP, "<<%", NULL},
	{"&<", PRED_OP, NULL, NULL},
	{"&>", PRED_OP, NULL, NULL},
	{"<<|", PRED_OP, NULL, NULL},
	{"|>>", PRED_OP, NULL, NULL},
	{"&<|", PRED_OP, NULL, NULL},
	{"|&>", PRED_OP, NULL, NULL},
	{"^@", PRED_OP, NULL, NULL},
	{"@?", PRED_OP, NULL, NULL},
	{"?", PRED_OP, NULL, NULL},
	{"?|", PRED_OP, NULL, NULL},
	{"?&", PRED_OP, NULL, NULL},
	{"~<~", PRED_OP, "~>~", "~>=~"},
	{"~<=~", PRED_OP, "~>=~", "~>~"},
	{"~>~", PRED_OP, "~<~", "~<=~"},
	{"~>=~", PRED_OP, "~<=~", "~<~"},
};

static int operator_find(struct str op)
{
	for (size_t i = 0; i < ARRAY_LEN(operators); i++)
		if (str_is(op, operators[i].op))
			return (int)i;
	return -1;
}

static void cond_wrap_not(struct arena *a, struct sql_cond *c)
{
	struct sql_cond *arm = ARENA_NEW(a, struct sql_cond);

	*arm = *c;
	memset(c, 0, sizeof(*c));
	c->pred = PRED_NOT;
	c->arm = arm;
	c->arms = 1;
	c->loc = arm->loc;
	c->node = arm->node;
	c->negated = arm->negated;
}

static bool side_is_value(const struct sql_side *s)
{
	return s->cols == 0;
}

/* The column to the left. */
static void cond_orient(struct sql_cond *c, int op)
{
	if (!side_is_value(&c->left) || side_is_value(&c->right) || op < 0 ||
		!operators[op].swapped)
		return;
	struct sql_side t = c->left;
	c->left = c->right;
	c->right = t;
	c->swapped = true;
	c->op = str_of(operators[op].swapped);
	c->pred = operators[operator_find(c->op)].pred;
}

static void cond_operator(struct arena *a, struct sql_cond *c, const struct sql_node *n,
	bool negate)
{
	int op;

	c->op = node_last_name(n, "name");
	op = operator_find(c->op);
	c->pred = op >= 0 ? operators[op].pred : PRED_OP;
	c->left = sql_side(a, node_get(n, "lexpr"));
	c->right = sql_side(a, node_get(n, "rexpr"));
	cond_orient(c, op);
	if (!negate)
		return;
	op = operator_find(c->op);
	bool order_of_rows = node_is(c->left.node, "RowExpr") && c->pred > PRED_NE;
	if (op >= 0 && operators[op].negated && !order_of_rows) {
		c->op = str_of(operators[op].negated);
		c->pred = operators[operator_find(c->op)].pred;
	} else {
		cond_wrap_not(a, c);
	}
}

static void cond_between(struct arena *a, struct sql_cond *c, const struct sql_node *n, bool not )
{
	const struct sql_node *bounds = node_get(n, "rexpr");

	c->pred = not ? PRED_NOT_BETWEEN : PRED_BETWEEN;
	c->op = not							 ? STR("not between")
		: strcmp(node_enum(n, "kind"), "AEXPR_BETWEEN_SYM") == 0 ? STR("between symmetric")
									 : STR("between");
	c->left = sql_side(a, node_get(n, "lexpr"));
	c->right = sql_side(a, node_item(bounds, "items", 0));
	c->upper = sql_side(a, node_item(bounds, "items", 1));
}

/* op ANY (array), op ALL (array): NOT x <> ALL (array) is x = ANY (array). */
static void cond_array(struct arena *a, struct sql_cond *c, bool any, bool negate)
{
	int op = operator_find(c->op);
	bool turns = negate && op >= 0 && operators[op].negated;

	c->pred = any != turns ? PRED_ANY : PRED_ALL;
	if (turns)
		c->op = str_of(operators[op].negated);
	else if (negate)
		cond_wrap_not(a, c);
}

static void cond_special(struct arena *a, struct sql_cond *c, const struct sql_node *n,
	const char *kind, bool negate)
{
	struct str op = node_last_name(n, "name");

	c->op = op;
	c->left = sql_side(a, node_get(n, "lexpr"));
	c->right = sql_side(a, node_get(n, "rexpr"));
	if (strcmp(kind, "AEXPR_IN") == 0) {
		c->pred = str_is(op, "=") != negate ? PRED_IN : PRED_NOT_IN;
		c->op = c->pred == PRED_IN ? STR("in") : STR("not in");
	} else if (strcmp(kind, "AEXPR_LIKE") == 0) {
		c->pred = str_is(op, "~~") != negate ? PRED_LIKE : PRED_NOT_LIKE;
		c->op = c->pred == PRED_LIKE ? STR("like") : STR("not like");
	} else if (strcmp(kind, "AEXPR_ILIKE") == 0) {
		c->pred = str_is(op, "~~*") != negate ? PRED_ILIKE : PRED_NOT_ILIKE;
		c->op = c->pred == PRED_ILIKE ? STR("ilike") : STR("not ilike");
	} else if (strcmp(kind, "AEXPR_DISTINCT") == 0 || strcmp(kind, "AEXPR_NOT_DISTINCT") == 0) {
		bool distinct = (strcmp(kind, "AEXPR_DISTINCT") == 0) != negate;
		c->pred = distinct ? PRED_DISTINCT : PRED_NOT_DISTINCT;
		if (c->right.kind == SIDE_CONST && c->right.is_null) /* the null test */
			c->pred = distinct ? PRED_NOT_NULL : PRED_IS_NULL;
	} else if (strcmp(kind, "AEXPR_SIMILAR") == 0) { /* it is a regular expression */
		bool not = str_is(op, "!~") != negate;
		c->pred = not ? PRED_REGEX : PRED_SIMILAR;
		c->op = not ? STR("!~") : STR("~");
	} else if (strcmp(kind, "AEXPR_OP_ANY") == 0 || strcmp(kind, "AEXPR_OP_ALL") == 0) {
		cond_array(a, c, strcmp(kind, "AEXPR_OP_ANY") == 0, negate);
	} else {
		c->pred = PRED_BOOL;
		if (negate)
			cond_wrap_not(a, c);
	}
}

static void cond_expr(struct arena *a, struct sql_cond *c, const struct sql_node *n, bool negate)
{
	const char *kind = node_enum(n, "kind");

	if (strcmp(kind, "AEXPR_OP") == 0)
		cond_operator(a, c, n, negate);
	else if (strcmp(kind, "AEXPR_BETWEEN") == 0 || strcmp(kind, "AEXPR_BETWEEN_SYM") == 0)
		cond_between(a, c, n, negate);
	else if (strcmp(kind, "AEXPR_NOT_BETWEEN") == 0 ||
		 strcmp(kind, "AEXPR_NOT_BETWEEN_SYM") == 0)
		cond_between(a, c, n, !negate);
	else
		cond_special(a, c, n, kind, negate);
}

static void cond_arms(struct arena *a, struct sql_cond *c, const struct sql_node *n, bool negate)
{
	size_t len = node_len(n, "args");
	bool is_or = strcmp(node_enum(n, "boolop"), "OR_EXPR") == 0;

	c->pred = is_or != negate ? PRED_OR : PRED_AND;
	c->arm = ARENA_ARRAY(a, struct sql_cond, len);
	c->arms = len;
	for (size_t i = 0; i < len; i++)
		c->arm[i] = build_cond(a, node_item(n, "args", i), negate);
}

static void cond_sublink(struct arena *a, struct sql_cond *c, const struct sql_node *n, bool negate)
{
	const char *type = node_enum(n, "sub_link_type");
	struct str op = node_last_name(n, "oper_name");

	c->right = sql_side(a, n);
	if (strcmp(type, "EXISTS_SUBLINK") == 0) {
		c->pred = negate ? PRED_NOT_EXISTS : PRED_EXISTS;
		return;
	}
	c->left = sql_side(a, node_get(n, "testexpr"));
	c->op = op.n ? op : STR("=");
	if (strcmp(type, "ANY_SUBLINK") == 0 && op.n == 0) {
		c->pred = negate ? PRED_NOT_IN : PRED_IN;
		c->op = negate ? STR("not in") : STR("in");
		return;
	}
	if (strcmp(type, "ALL_SUBLINK") == 0 && str_is(op, "<>") && !negate) {
		c->pred = PRED_NOT_IN;
		return;
	}
	c->pred = strcmp(type, "ANY_SUBLINK") == 0   ? PRED_ANY
		  : strcmp(type, "ALL_SUBLINK") == 0 ? PRED_ALL
						     : PRED_BOOL;
	if (negate)
		cond_wrap_not(a, c);
}

/* TRUE and FALSE: 1, 0; -1: something else.  Beside a condition 't' is one, too. */
static int constant_truth(const struct sql_node *n)
{
	const struct sql_node *v = node_is(n, "A_Const") ? node_get(n, "boolval") : NULL;

	const char *word = node_is(n, "A_Const") ? node_str(node_get(n, "sval"), "sval") : "";

	if (strcmp(word, "t") == 0 || strcmp(word, "true") == 0)
		return 1;
	if (strcmp(word, "f") == 0 || strcmp(word, "false") == 0)
		return 0;
	return v ? node_int(v, "boolval") != 0 : -1;
}

/* NOT flag (below a test of truth), flag = true, flag <> true: the flag itself, and whether it is
 * turned around; NULL: it is something else. */
static const struct sql_node *flag_below(const struct sql_node *n, bool not, bool *turned)
{
	for (;;) {
		struct str op = node_is(n, "A_Expr") ? node_last_name(n, "name") : STR("");
		const struct sql_node *l = node_get(n, "lexpr"), *r = node_get(n, "rexpr");
		const struct sql_node *word = constant_truth(r) >= 0 ? r : l;
		bool equal = str_is(op, "=");
		if (not &&node_is(n, "BoolExpr") &&
			strcmp(node_enum(n, "boolop"), "NOT_EXPR") == 0) {
			*turned = !*turned;
			n = node_item(n, "args", 0);
		} else if ((equal || str_is(op, "<>")) &&
			   strcmp(node_enum(n, "kind"), "AEXPR_OP") == 0 &&
			   constant_truth(word) >= 0 && !node_get(word, "sval")) {
			*turned ^= equal != (constant_truth(word) == 1);
			n = word == r ? l : r;
		} else {
			return node_is(n, "ColumnRef") ? n : NULL;
		}
	}
}

/* IS TRUE of a condition turned around is IS FALSE. */
static struct str test_turned(struct str op)
{
	static const char *const pairs[][2] = {{"is true", "is false"}, {"is false", "is true"},
		{"is not true", "is not false"}, {"is not false", "is not true"}};

	for (size_t i = 0; i < ARRAY_LEN(pairs); i++)
		if (str_is(op, pairs[i][0]))
			return str_of(pairs[i][1]);
	return op;
}

static void cond_test(struct arena *a, struct sql_cond *c, const struct sql_node *n, bool negate)
{
	static const struct {
		const char *name, *op, *negated;
	} tests[] = {
		{"IS_TRUE", "is true", "is not true"},
		{"IS_NOT_TRUE", "is not true", "is true"},
		{"IS_FALSE", "is false", "is not false"},
		{"IS_NOT_FALSE", "is not false", "is false"},
		{"IS_UNKNOWN", "is unknown", "is not unknown"},
		{"IS_NOT_UNKNOWN", "is not unknown", "is unknown"},
	};

	bool turned = false;
	const struct sql_node *arg = node_get(n, "arg");
	const struct sql_node *flag = flag_below(arg, node_is(n, "BooleanTest"), &turned);

	c->left = sql_side(a, flag ? flag : arg);
	if (node_is(n, "NullTest")) {
		bool is = strcmp(node_enum(n, "nulltesttype"), "IS_NULL") == 0;
		c->pred = is != negate ? PRED_IS_NULL : PRED_NOT_NULL;
		c->op = c->pred == PRED_IS_NULL ? STR("is null") : STR("is not null");
		return;
	}
	c->pred = PRED_IS_BOOL;
	for (size_t i = 0; i < ARRAY_LEN(tests); i++)
		if (strcmp(node_enum(n, "booltesttype"), tests[i].name) == 0)
			c->op = str_of(negate ? tests[i].negated : tests[i].op);
	if (flag && turned)
		c->op = test_turned(c->op);
}

/* Surely a boolean: a comparison, AND, OR, NOT, a test. */
static bool is_condition(const struct sql_node *n)
{
	const char *kind = node_is(n, "A_Expr") ? node_enum(n, "kind") : "";

	if (node_is(n, "BoolExpr") || node_is(n, "BooleanTest") || node_is(n, "NullTest"))
		return true;
	return *kind && strcmp(kind, "AEXPR_NULLIF") != 0 &&
	       (strcmp(kind, "AEXPR_OP") != 0 || operator_find(node_last_name(n, "name")) >= 0);
}

/* (a = 5) = true is a = 5, (a = 5) = false is NOT a = 5: the condition, and whether it is turned
 * around; NULL: it is not of that kind. */
static const struct sql_node *compared_with_truth(const struct sql_node *n, bool *turned)
{
	struct str op = node_last_name(n, "name");
	const struct sql_node *l = node_get(n, "lexpr"), *r = node_get(n, "rexpr");
	int truth = constant_truth(r) >= 0 ? constant_truth(r) : constant_truth(l);
	const struct sql_node *cond = constant_truth(r) >= 0 ? l : r;
	bool equal = str_is(op, "=");

	if (!node_is(n, "A_Expr") || strcmp(node_enum(n, "kind"), "AEXPR_OP") != 0 || truth < 0 ||
		(!equal && !str_is(op, "<>") && !str_is(op, "!=")) || !is_condition(cond))
		return NULL;
	*turned = equal != (truth == 1);
	return cond;
}

struct sql_cond build_cond(struct arena *a, const struct sql_node *n, bool negate)
{
	struct sql_cond c = {.node = n, .loc = node_start(n), .negated = negate};
	bool turned;
	const struct sql_node *inner = compared_with_truth(n, &turned);

	if (inner)
		return build_cond(a, inner, negate != turned);

	if (node_is(n, "BoolExpr") && strcmp(node_enum(n, "boolop"), "NOT_EXPR") == 0)
		return build_cond(a, node_item(n, "args", 0), !negate);
	if (node_is(n, "BoolExpr"))
		cond_arms(a, &c, n, negate);
	else if (node_is(n, "A_Expr"))
		cond_expr(a, &c, n, negate);
	else if (node_is(n, "SubLink"))
		cond_sublink(a, &c, n, negate);
	else if (node_is(n, "NullTest") || node_is(n, "BooleanTest"))
		cond_test(a, &c, n, negate);
	else {
		c.left = sql_side(a, n);
		c.pred = c.left.kind == SIDE_CONST ? PRED_CONST : PRED_BOOL;
		if (negate)
			cond_wrap_not(a, &c);
	}
	return c;
}

static void mark(struct sql_cond *c, enum sql_clause clause, enum sql_join join)
{
	c->clause = clause;
	c->join = join;
	for (size_t i = 0; i < c->arms; i++)
		mark(&c->arm[i], clause, join);
}

static void add_conds(struct build *b, const struct sql_cond *c)
{
	if (c->pred != PRED_AND) {
		*VEC_PUSH(&b->cond) = *c;
		return;
	}
	for (size_t i = 0; i < c->arms; i++)
		add_conds(b, &c->arm[i]);
}

void build_conds(struct build *b, const struct sql_node *expr, enum sql_clause clause,
	enum sql_join join)
{
	if (!expr)
		return;
	struct sql_cond c = build_cond(b->a, expr, false);
	mark(&c, clause, join);
	add_conds(b, &c);
}

struct sql_cond *sql_conjuncts(struct arena *a, const struct sql_node *expr, size_t *n)
{
	struct build b = {.a = a};

	build_conds(&b, expr, CLAUSE_WHERE, JOIN_NONE);
	struct sql_cond *out = ARENA_ARRAY(a, struct sql_cond, b.cond.n + 1);
	if (b.cond.n)
		memcpy(out, b.cond.at, b.cond.n * sizeof(*out));
	*n = b.cond.n;
	VEC_RELEASE(&b.cond);
	return out;
}
