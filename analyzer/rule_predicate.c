/* SPDX-License-Identifier: ISC
 *
 * rule_predicate: forms of predicate that hide the column from every index: COALESCE, CASE,
 * date_trunc, extract, JSON fields, concatenation, optional filters, OR over tables.
 *
 * A rewrite is printed only where it means the same for every row, NULLs included.
 */
#include "rule_sargable.h"

static bool is_outer(const struct sql_cond *k)
{
	return k->left.col.rel == -2;
}

static bool is_wrapped(struct rule_check *c, const struct sql_cond *k, enum sql_wrap wrap)
{
	return k->left.kind == SIDE_WRAPPED && k->left.wrap == wrap && !is_outer(k) &&
	       !sarg_is_served(c, k);
}

/* --- SG008: COALESCE and its kin ------------------------------------------------------ */

static void look_sg008(struct rule_check *c, const struct sql_cond *k)
{
	bool compared = sarg_is_comparison(k) || k->pred == PRED_BOOL ||
			(k->pred == PRED_NE && k->right.is_bool);

	if (!compared || !is_wrapped(c, k, WRAP_COALESCE) || (k->right.cols && c->o->rels > 1))
		return;
	struct finding *x =
		sarg_report(c, k, sarg_sure(c, k), "a function is applied to", k->left.by);
	bool extreme = str_is(k->left.by, "greatest") || str_is(k->left.by, "least");
	finding_fix(c->findings, x, rewrite_coalesce(c, k),
		extreme ? "compare each of its arguments by itself, joined with OR or AND"
		: k->left.cols > 1 && !str_is(k->left.by, "nullif")
			? "compare each column by itself: a = v OR (a IS NULL AND b = v)"
		: str_is(k->left.by, "nullif") ? "compare the column itself: col = v AND col <> "
						 "the value that counts as NULL"
					       : "compare the column itself and say what is meant "
						 "for NULL: col = v OR col "
						 "IS NULL");
}

void check_sg008(struct rule_check *c)
{
	sarg_each(c, look_sg008);
}

/* --- SG012: a field of a document --------------------------------------------------------- */

static void look_sg012(struct rule_check *c, const struct sql_cond *k)
{
	bool compared = sarg_is_comparison(k) || k->pred == PRED_BOOL;
	const struct sql_side *s = &k->left;
	const struct sql_node *inner = s->wrap == WRAP_CAST ? node_get(s->node, "arg") : NULL;
	struct sql_side field = inner ? sql_side(c->arena, inner) : *s;

	if (!compared || s->kind != SIDE_WRAPPED || field.wrap != WRAP_JSON || s->cols != 1 ||
		is_outer(k) || sarg_is_served(c, k))
		return;
	struct finding *x = sarg_report(c, k, sarg_sure(c, k), "a field is taken out of", field.by);
	if (k->right.cols && c->o->rels == 1) {
		finding_fix(c->findings, x, STR_NONE,
			"both sides need the row: only an index on the whole comparison would "
			"know");
		return;
	}
	if (k->pred == PRED_OP) { /* @>, ?: not a B-tree's */
		finding_fix(c->findings, x, STR_NONE,
			"a GIN index on the expression serves it as it is, where it is a jsonb");
		return;
	}
	finding_fix(c->findings, x, sarg_expression_index(c, s, sarg_opclass(k)),
		node_is(field.node, "A_Indirection")
			? "an index on the expression serves it as it is"
			: "an index on the expression serves it as it is; a GIN index serves "
			  "containment, column @> '{\"key\": value}'");
}

void check_sg012(struct rule_check *c)
{
	sarg_each(c, look_sg012);
}

/* --- SG013: value = ANY (array column) ------------------------------------------------------ */

/* A value looked for among the elements of an array, one by one. */
struct search {
	struct sql_side array, value; /* value SIDE_NONE: elements are tested in another way */
	struct str by;		      /* the function that takes it apart; "": = ANY */
};

/* The function that takes an array apart; NULL: it is another one. */
static const struct sql_node *unnested(const struct sql_node *call)
{
	static const char *const names[] = {"unnest", "jsonb_array_elements_text",
		"jsonb_array_elements", "json_array_elements_text", "json_array_elements"};

	for (size_t i = 0; node_is(call, "FuncCall") && i < ARRAY_LEN(names); i++)
		if (str_is(node_last_name(call, "funcname"), names[i]) &&
			node_len(call, "args") == 1)
			return call;
	return NULL;
}

/* SELECT unnest(column): nothing else. */
static const struct sql_node *selected(const struct sql_outline *s)
{
	return s->rels || s->targets != 1 || s->conds ? NULL : unnested(s->target[0].val.node);
}

/* SELECT … FROM unnest(column) AS x WHERE x = value. */
static const struct sql_node *filtered(const struct sql_outline *s, struct search *out)
{
	const struct sql_node *from = s->rels == 1 && s->conds ? s->rel[0].node : NULL;
	const struct sql_node *call =
		unnested(node_item(node_item(from, "functions", 0), "items", 0));

	if (!call || node_len(from, "functions") != 1 || s->rel[0].kind != REL_FUNCTION)
		return NULL;
	const struct sql_cond *k = &s->cond[0];
	if (s->conds == 1 && k->pred == PRED_EQ && k->left.kind == SIDE_COLUMN &&
		k->left.col.rel == 0 && k->right.kind != SIDE_QUERY && !k->right.cols)
		out->value = k->right;
	return call;
}

/* Is a value looked for in an array of a table of FROM?  = ANY (column), IN (SELECT
 * unnest(column)), EXISTS (SELECT … FROM unnest(column) …). */
static bool find_search(struct rule_check *c, const struct sql_cond *k, struct search *out)
{
	const struct sql_outline *s = k->right.sub;
	const struct sql_node *call = NULL;

	*out = (struct search){.value = k->left, .by = STR("")};
	if (k->pred == PRED_ANY && str_is(k->op, "=")) {
		out->array = k->right;
		return out->array.kind == SIDE_COLUMN;
	}
	if (k->pred == PRED_IN && s) {
		call = selected(s);
	} else if (k->pred == PRED_EXISTS && s) {
		out->value.kind = SIDE_NONE;
		call = filtered(s, out);
	}
	if (!call)
		return false;
	out->by = node_last_name(call, "funcname");
	struct sql_side *a = &out->array;
	*a = sql_side(c->arena, node_item(call, "args", 0));
	a->col.rel = !a->col.qual.n && c->o->rels == 1 ? 0 : -1;
	for (size_t i = 0; a->col.qual.n && i < c->o->rels; i++)
		if (str_eq(c->o->rel[i].alias, a->col.qual))
			a->col.rel = (int)i;
	return a->cols == 1 && a->col.rel >= 0;
}

/* A JSON string, where it needs no escapes; else STR_NONE. */
static struct str json_string(struct arena *a, struct str text)
{
	for (size_t i = 0; i < text.n; i++)
		if (text.p[i] == '"' || text.p[i] == '\\' || (unsigned char)text.p[i] < ' ')
			return STR_NONE;
	return text.p ? arena_printf(a, "\"%.*s\"", STR_ARGS(text)) : STR_NONE;
}

/* May an element that is no string read like that: a number, a truth, a list, a document? */
static bool reads_as_other(struct str text)
{
	return !text.n || strchr("-0123456789[{", text.p[0]) || str_is(text, "true") ||
	       str_is(text, "false") || str_is(text, "null");
}

/* document @> '["value"]', of strings in a jsonb; of those below a key the same around it, since it
 * is the document that is indexed. */
static struct str holds(struct rule_check *c, const struct search *x, struct str v)
{
	struct str type = schema_type(c->schema, c->arena, c->o, x->value.node), made;
	const struct sql_node *n = x->array.node;

	if (!str_is(x->by, "jsonb_array_elements_text") || x->value.kind == SIDE_NONE || !v.n ||
		(!str_is(type, "unknown") && !schema_type_is_text(type)) || x->value.is_null)
		return STR_NONE;
	/* a list's number 5 reads '5', too, and is no string */
	if (!x->value.is_string || reads_as_other(x->value.value))
		return STR_NONE;
	made = json_string(c->arena, x->value.value);
	if (!made.p)
		return STR_NONE;
	made = arena_printf(c->arena, "[%.*s]", STR_ARGS(made));
	for (; node_is(n, "A_Expr"); n = node_get(n, "lexpr")) {
		const struct sql_node *key = node_get(node_get(n, "rexpr"), "sval");
		struct str name =
			key ? json_string(c->arena, str_of(node_str(key, "sval"))) : STR_NONE;

		if (!str_is(node_last_name(n, "name"), "->") || !name.p)
			return STR_NONE;
		made = arena_printf(c->arena, "{%.*s: %.*s}", STR_ARGS(name), STR_ARGS(made));
	}
	return node_is(n, "ColumnRef")
		       ? arena_printf(c->arena, "%.*s @> %.*s", STR_ARGS(sql_deparse(c->arena, n)),
				 STR_ARGS(sql_quote_literal(c->arena, made)))
		       : STR_NONE;
}

/* column @> ARRAY[value]: there is an operator only for arrays of one type. */
static struct str contains(struct rule_check *c, const struct search *x, struct str v)
{
	const struct schema_column *col;
	const struct sql_side *array = &x->array, *value = &x->value;

	if (str_ends(x->by, "_text"))
		return holds(c, x, v);
	if (array->kind != SIDE_COLUMN || value->kind == SIDE_NONE || str_ends(x->by, "_elements"))
		return STR_NONE;
	struct str type = schema_type(c->schema, c->arena, c->o, value->node);
	bool known = schema_resolve(c->schema, c->o, &array->col, NULL, &col);
	if (!v.n || value->is_null || (!known && str_is(type, "unknown") && !value->is_string))
		return STR_NONE;
	struct str made = arena_printf(c->arena, "%.*s[]",
		STR_ARGS(str_is(type, "unknown") ? STR("text") : type));
	return arena_printf(c->arena, "%.*s @> ARRAY[%.*s]%s%.*s", STR_ARGS(sarg_column(c, array)),
		STR_ARGS(v), known && !str_eq(made, col->type) ? "::" : "",
		STR_ARGS(known && !str_eq(made, col->type) ? col->type : STR("")));
}

static void look_sg013(struct rule_check *c, const struct sql_cond *k)
{
	struct search s;
	struct str v;

	if (!find_search(c, k, &s) || s.value.cols || k->negated ||
		sarg_is_beyond(c->o, &s.array) || s.array.col.rel == -2)
		return;
	struct sql_cond flipped = *k;
	flipped.left = s.array;
	flipped.right = s.value;
	if (sarg_is_found(c, k, &flipped.left))
		return;
	v = s.value.kind == SIDE_NONE ? STR_NONE : sql_deparse(c->arena, s.value.node);
	bool document = str_starts(s.by, "json");
	struct finding *x = sarg_report(c, &flipped, CONF_LIKELY,
		document  ? "a function takes apart the document"
		: !s.by.n ? "= ANY looks into the array"
			  : "unnest looks into the array",
		STR(""));
	finding_fix(c->findings, x, contains(c, &s, v),
		document ? "containment is what a GIN index serves: column @> '[…]', or column ? "
			   "'string'"
		: s.value.kind == SIDE_NONE
			? "an index looks up whole elements only; what is asked of a part of "
			  "them wants a table of its own for them"
			: "containment means the same and a GIN index on the array serves it");
}

void check_sg013(struct rule_check *c)
{
	sarg_each(c, look_sg013);
}

/* --- SG017: concatenation ----------------------------------------------------------------- */

static void look_sg017(struct rule_check *c, const struct sql_cond *k)
{
	if (!sarg_is_comparison(k) || !is_wrapped(c, k, WRAP_CONCAT) ||
		(k->right.cols && c->o->rels > 1))
		return;
	struct finding *x = sarg_report(c, k, sarg_sure(c, k), "a concatenation hides", k->left.by);
	finding_fix(c->findings, x, rewrite_concat(c, k),
		k->left.cols > 1 ? "compare each column with its own value"
				 : "compare the column itself with the rest of the value");
}

void check_sg017(struct rule_check *c)
{
	sarg_each(c, look_sg017);
}

/* --- SG019: boolean tests around a comparison ------------------------------------------------ */

static void look_sg019(struct rule_check *c, const struct sql_cond *k)
{
	const struct sql_side *s = &k->left;
	bool certain = str_is(k->op, "is true") || str_is(k->op, "is false");

	if (s->cols == 0 || is_outer(k) || sarg_is_served(c, k))
		return;
	bool wrapped = k->pred == PRED_IS_BOOL &&
		       (s->kind == SIDE_WRAPPED ? s->wrap == WRAP_BOOL : !certain);
	wrapped |= s->kind == SIDE_WRAPPED && s->wrap == WRAP_BOOL && sarg_is_comparison(k);
	bool is_case = s->wrap == WRAP_CASE && s->kind == SIDE_WRAPPED &&
		       (k->pred == PRED_BOOL || sarg_is_comparison(k)) && !k->right.cols;
	if (!wrapped && !is_case)
		return;
	struct finding *x =
		sarg_report(c, k, s->wrap == WRAP_BOOL ? sarg_sure(c, k) : CONF_POSSIBLE,
			is_case ? "CASE hides" : "a boolean test hides", is_case ? STR("") : k->op);
	bool drop = k->pred == PRED_IS_BOOL && str_is(k->op, "is true") && s->kind == SIDE_WRAPPED;
	bool null = s->kind == SIDE_COLUMN && str_is(k->op, "is unknown");
	bool value = s->kind == SIDE_COLUMN && str_is(k->op, "is not unknown");
	finding_fix(c->findings, x,
		drop		? sql_deparse(c->arena, s->node)
		: is_case	? rewrite_case(c, k)
		: null || value ? arena_printf(c->arena, "%.*s IS%s NULL",
					  STR_ARGS(sarg_column(c, s)), value ? " NOT" : "")
				: STR_NONE,
		is_case ? "write the condition itself with AND and OR"
		: drop	? "in WHERE a condition that is NULL does not hold anyway: leave the test "
			  "out"
		: null || value
			? "unknown is NULL, and IS NULL uses the index"
			: "it holds where the condition is NULL, too: write that out, as in NOT a "
			  "OR a "
			  "IS NULL, so that each arm can use an index");
}

void check_sg019(struct rule_check *c)
{
	sarg_each(c, look_sg019);
}

/* --- SG021: bpchar to text -------------------------------------------------------------------- */

static void look_sg021(struct rule_check *c, const struct sql_cond *k)
{
	const struct schema_column *col;
	const struct sql_side *s = &k->left;

	if (!sarg_is_comparison(k) || s->kind != SIDE_WRAPPED || s->wrap != WRAP_CAST ||
		(!str_is(s->by, "text") && !str_is(s->by, "varchar")) || is_outer(k) ||
		!node_is(node_get(s->node, "arg"), "ColumnRef") || sarg_is_served(c, k) ||
		!schema_resolve(c->schema, c->o, &s->col, NULL, &col) ||
		!str_is(col->type, "bpchar"))
		return;
	struct finding *x =
		sarg_report(c, k, sarg_sure(c, k), "a cast of char(n) is applied to", s->by);
	finding_fix(c->findings, x, rewrite_cast(c, k),
		"compare the column without the cast; char(n) ignores trailing blanks");
}

void check_sg021(struct rule_check *c)
{
	sarg_each(c, look_sg021);
}

/* --- SG022: date_trunc, extract, AT TIME ZONE ---------------------------------------------------
 */

static void look_sg022(struct rule_check *c, const struct sql_cond *k)
{
	enum sql_wrap w = k->left.wrap;

	if (k->left.kind != SIDE_WRAPPED ||
		(w != WRAP_TRUNC && w != WRAP_EXTRACT && w != WRAP_TIMEZONE) ||
		!sarg_is_comparison(k) || !is_wrapped(c, k, w))
		return;
	struct finding *x =
		sarg_report(c, k, sarg_sure(c, k), "a date function is applied to", k->left.by);
	finding_fix(c->findings, x, rewrite_time(c, k), "%s",
		w == WRAP_TIMEZONE ? "convert the value to the column's zone instead of the column"
				   : sarg_range_advice(c, &k->left));
}

void check_sg022(struct rule_check *c)
{
	sarg_each(c, look_sg022);
}

/* --- SG018: optional filters ------------------------------------------------------------------ */

static bool is_null_test_of_param(const struct sql_cond *k)
{
	return k->pred == PRED_IS_NULL && k->left.kind == SIDE_PARAM;
}

static bool is_own_default(struct rule_check *c, const struct sql_cond *k)
{
	const struct sql_node *n = k->right.node;
	size_t args = node_len(n, "args");
	struct sql_side last;

	if (k->pred != PRED_EQ || k->left.kind != SIDE_COLUMN || !node_is(n, "CoalesceExpr") ||
		args < 2)
		return false;
	last = sql_side(c->arena, node_item(n, "args", args - 1));
	return last.kind == SIDE_COLUMN && str_eq(last.col.name, k->left.col.name) &&
	       str_eq(last.col.qual, k->left.col.qual) && k->right.cols == 1;
}

void check_sg018(struct rule_check *c)
{
	for (size_t i = 0; i < c->o->conds; i++) {
		const struct sql_cond *k = &c->o->cond[i], *col = NULL;
		bool test = false;
		for (size_t j = 0; k->pred == PRED_OR && k->arms == 2 && j < 2; j++) {
			test |= is_null_test_of_param(&k->arm[j]);
			if (k->arm[j].left.kind == SIDE_COLUMN && sarg_is_comparison(&k->arm[j]))
				col = &k->arm[j];
		}
		if (!(test && col) && !is_own_default(c, k))
			continue;
		if (!(test && col))
			col = k;
		if (k->clause == CLAUSE_HAVING || (c->schema && sarg_is_served(c, k)))
			continue;
		struct str text = rule_text(c, k->node);
		struct finding *x = rule_find(c, sarg_sure(c, col),
			"an optional filter on %.*s is decided row by row: %.*s",
			STR_ARGS(col->left.col.name), STR_ARGS(text));
		finding_str(x, "predicate", text);
		x->key = arena_str(&c->findings->arena, text);
		finding_fix(c->findings, x, STR_NONE,
			"leave the condition out of the statement when it is not wanted%s",
			test ? ""
			     : "; as it stands, rows where the column is NULL are never found");
	}
}

/* --- SG014: OR over tables ----------------------------------------------------------------------
 */

void check_sg014(struct rule_check *c)
{
	for (size_t i = 0; i < c->o->conds; i++) {
		const struct sql_cond *k = &c->o->cond[i];
		int first = -1, second = -1;
		bool plain = k->pred == PRED_OR && k->clause == CLAUSE_WHERE;
		for (size_t j = 0; plain && j < k->arms; j++) {
			const struct sql_cond *arm = &k->arm[j];
			int rel = arm->left.col.rel;
			plain = arm->arms == 0 && arm->left.kind == SIDE_COLUMN && rel >= 0 &&
				arm->right.cols == 0 && sarg_is_comparison(arm);
			if (first < 0)
				first = rel;
			else if (rel != first)
				second = rel;
		}
		if (!plain || second < 0 || c->o->rel[first].nullable || c->o->rel[second].nullable)
			continue;
		bool better = false;
		for (size_t j = 0; j < c->o->conds; j++)
			better |= j != i && c->o->cond[j].clause == CLAUSE_WHERE &&
				  c->o->cond[j].left.kind == SIDE_COLUMN &&
				  c->o->cond[j].right.cols == 0 &&
				  sarg_is_comparison(&c->o->cond[j]);
		if (rule_is_small(c, c->o, first) || rule_is_small(c, c->o, second))
			continue;
		struct str text = rule_text(c, k->node);
		struct finding *x = rule_find(c, better ? CONF_POSSIBLE : CONF_LIKELY,
			"OR joins conditions on %.*s and %.*s: neither can be looked up before the "
			"join: %.*s",
			STR_ARGS(c->o->rel[first].name), STR_ARGS(c->o->rel[second].name),
			STR_ARGS(text));
		finding_str(x, "predicate", text);
		x->key = arena_str(&c->findings->arena, text);
		finding_fix(c->findings, x, rewrite_union(c, k),
			"write a UNION of two queries, each with one of the conditions");
	}
}

/* --- SG023, SG024 -------------------------------------------------------------------------------
 */

static void look_sg023(struct rule_check *c, const struct sql_cond *k)
{
	size_t n = c->shape->longest_list > k->right.list ? c->shape->longest_list : k->right.list;

	if ((k->pred != PRED_IN && k->pred != PRED_NOT_IN) || k->right.kind != SIDE_LIST ||
		n <= 1000 || k->left.kind != SIDE_COLUMN)
		return;
	struct finding *x = rule_find(c, CONF_CERTAIN, "the list for %.*s has %zu elements",
		STR_ARGS(k->left.col.name), n);
	finding_int(x, "elements", (int64_t)n);
	x->key = arena_str(&c->findings->arena, k->left.col.name);
	finding_fix(c->findings, x,
		k->pred == PRED_IN ? arena_printf(c->arena, "%.*s = ANY ($1)",
					     STR_ARGS(sarg_column(c, &k->left)))
				   : STR_NONE,
		"pass one array parameter, or join with a temporary table");
}

void check_sg023(struct rule_check *c)
{
	sarg_each(c, look_sg023);
}

static bool same(struct rule_check *c, const struct sql_side *a, const struct sql_side *b)
{
	struct str x = sql_deparse(c->arena, a->node), y = sql_deparse(c->arena, b->node);

	return x.n && str_eq(x, y);
}

/* a > x OR (a = x AND b > y) */
void check_sg024(struct rule_check *c)
{
	for (size_t i = 0; i < c->o->conds; i++) {
		const struct sql_cond *k = &c->o->cond[i];
		if (k->pred != PRED_OR || k->arms != 2 || k->clause != CLAUSE_WHERE)
			continue;
		const struct sql_cond *one = &k->arm[0], *two = &k->arm[1];
		if (one->pred == PRED_AND) {
			one = &k->arm[1];
			two = &k->arm[0];
		}
		if (two->pred != PRED_AND || two->arms != 2 ||
			(one->pred != PRED_GT && one->pred != PRED_LT) ||
			one->left.kind != SIDE_COLUMN || one->right.cols)
			continue;
		const struct sql_cond *eq = &two->arm[0], *tie = &two->arm[1];
		bool up = tie->pred == one->pred ||
			  tie->pred == (one->pred == PRED_GT ? PRED_GE : PRED_LE);
		if (eq->pred != PRED_EQ || !up || tie->left.kind != SIDE_COLUMN ||
			tie->right.cols || !same(c, &eq->left, &one->left) ||
			!same(c, &eq->right, &one->right))
			continue;
		struct str text = rule_text(c, k->node);
		struct finding *x = rule_find(c, CONF_LIKELY,
			"paging by key is written with OR, which no index range serves: %.*s",
			STR_ARGS(text));
		x->key = arena_str(&c->findings->arena, text);
		finding_fix(c->findings, x,
			arena_printf(c->arena, "(%.*s, %.*s) %.*s (%.*s, %.*s)",
				STR_ARGS(sarg_column(c, &one->left)),
				STR_ARGS(sarg_column(c, &tie->left)), STR_ARGS(tie->op),
				STR_ARGS(sql_deparse(c->arena, one->right.node)),
				STR_ARGS(sql_deparse(c->arena, tie->right.node))),
			"compare rows: an index on both columns serves it as one range");
	}
}
