/* SPDX-License-Identifier: ISC
 *
 * rule_operator: operators, negations and collations that the column's index does not have.
 *
 * What depends on an index is said only when the schema shows that there is one and that it
 * cannot serve; without a schema these rules are silent or only possible.
 */
#include "rule_sargable.h"

/* --- SG006: case-insensitive matches -------------------------------------------------- */

static bool is_pattern_free(struct str v)
{
	return !memchr(v.p ? v.p : "", '%', v.n) && !memchr(v.p ? v.p : "", '_', v.n);
}

static void look_sg006(struct rule_check *c, const struct sql_cond *k)
{
	const struct sql_side *s = &k->left;
	const struct schema_column *col;
	bool ilike = k->pred == PRED_ILIKE;
	bool regex = k->pred == PRED_REGEX && str_is(k->op, "~*");
	struct str v = k->right.value;

	if (s->kind != SIDE_COLUMN || (!ilike && !regex) || k->right.kind != SIDE_CONST || !v.n ||
		s->col.rel == -2 || sarg_is_served(c, k))
		return;
	if (ilike ? v.p[0] == '%' || v.p[0] == '_' : v.p[0] != '^')
		return; /* SG005 */
	if (schema_resolve(c->schema, c->o, &s->col, NULL, &col) && str_is(col->type, "citext"))
		return;
	struct finding *x =
		sarg_report(c, k, sarg_sure(c, k), "a match without case is made on", STR(""));
	finding_fix(c->findings, x, sarg_column_index(c, s, "gin", "gin_trgm_ops"),
		ilike && is_pattern_free(v)
			? "a trigram index (extension pg_trgm) serves it as it is; an index on "
			  "lower(column) serves lower(column) = lower(value)"
			: "a trigram index (extension pg_trgm) serves it as it is");
}

void check_sg006(struct rule_check *c)
{
	sarg_each(c, look_sg006);
}

/* --- SG007: prefix matches in a collation that is not C -------------------------------------- */

static void look_sg007(struct rule_check *c, const struct sql_cond *k)
{
	const struct sql_side *s = &k->left;
	const struct schema_column *col;
	struct schema_served miss;

	if (s->cols != 1 || s->col.rel == -2 ||
		schema_serves(c->schema, c->arena, c->o, k, &miss) != SERVE_NO ||
		miss.why != WHY_PREFIX || !schema_resolve(c->schema, c->o, &s->col, NULL, &col) ||
		sarg_is_served(c, k))
		return;
	bool known = col->collation.n || c->schema->collate.n;
	enum confidence sure = sarg_sure(c, k);
	struct finding *x = sarg_report(c, k, known || sure < CONF_LIKELY ? sure : CONF_LIKELY,
		"a prefix is matched in the collation of", STR(""));
	finding_fix(c->findings, x,
		sarg_column_index(c, s, "",
			str_is(col->type, "varchar")  ? "varchar_pattern_ops"
			: str_is(col->type, "bpchar") ? "bpchar_pattern_ops"
						      : "text_pattern_ops"),
		"the order of a language's collation does not keep a prefix together%s",
		known ? "" : "; the database's collation was not seen: this is wrong if it is C");
}

void check_sg007(struct rule_check *c)
{
	sarg_each(c, look_sg007);
}

/* --- SG009: nothing but negations ----------------------------------------------------------- */

static bool is_negative(const struct sql_cond *k)
{
	if (k->pred == PRED_OR || k->pred == PRED_AND) {
		for (size_t i = 0; i < k->arms; i++)
			if (!is_negative(&k->arm[i]) || k->arm[i].right.cols)
				return false;
		return k->arms > 0;
	}
	if (k->pred == PRED_NOT)
		return k->arm[0].pred != PRED_BOOL && k->arm[0].left.cols > 0;
	if (k->pred == PRED_NE && (k->right.is_bool || str_is(k->right.cast, "bool") ||
					  node_is(k->right.node, "BoolExpr")))
		return false; /* NOT flag */
	return k->pred == PRED_NE || k->pred == PRED_NOT_LIKE || k->pred == PRED_NOT_ILIKE ||
	       (k->pred == PRED_NOT_IN && k->right.kind != SIDE_QUERY) || /* SG026, SQ001, SQ003 */
	       (k->pred == PRED_ALL && str_is(k->op, "<>") && k->right.kind != SIDE_QUERY) ||
	       (k->pred == PRED_REGEX && k->op.n && k->op.p[0] == '!');
}

static bool served_by_partial(struct rule_check *c, const struct sql_cond *k)
{
	const struct schema_table *t;
	struct str text = sql_deparse(c->arena, k->node);

	if (!schema_resolve(c->schema, c->o, &k->left.col, &t, NULL))
		return false;
	for (size_t i = 0; i < t->index.n; i++)
		if (t->index.at[i]->where.p && str_eq(t->index.at[i]->where, text))
			return true;
	return false;
}

void check_sg009(struct rule_check *c)
{
	const struct sql_cond *first = NULL;

	for (size_t i = 0; i < c->o->conds; i++) {
		const struct sql_cond *k = &c->o->cond[i];
		if (k->clause == CLAUSE_HAVING)
			continue;
		const struct sql_cond *leaf = k;
		while (leaf->arms)
			leaf = &leaf->arm[0];
		const struct sql_side *s = &leaf->left;
		if (k->clause != CLAUSE_WHERE || !is_negative(k) ||
			(s->cols == 0) == (leaf->right.cols == 0) || s->col.rel == -2)
			return; /* something else may find the rows */
		if (schema_serves(c->schema, c->arena, c->o, k, NULL) == SERVE_YES)
			return;
		first = first ? first : k;
	}
	if (!first || c->o->rels != 1 || c->o->limit != BOUND_NONE ||
		c->o->rel[0].kind != REL_TABLE || sarg_is_served(c, first) ||
		served_by_partial(c, first))
		return;
	const struct sql_cond *leaf = first;
	while (leaf->arms)
		leaf = &leaf->arm[0];
	struct sql_cond shown = *leaf;
	if (!shown.left.cols) /* 5 <> ALL (column) */
		shown.left = shown.right;
	shown.node = first->node;
	struct finding *x =
		sarg_report(c, &shown, CONF_POSSIBLE, "only a negation restricts", STR(""));
	struct str text = sarg_text(c, first);
	if (memchr(text.p ? text.p : "", '$', text.n)) /* no index has a parameter in it */
		finding_fix(c->findings, x, STR_NONE, "name the values wanted");
	else
		finding_fix(c->findings, x, STR_NONE,
			"name the values wanted; or, when few rows are left, a partial index WHERE "
			"%.*s",
			STR_ARGS(text));
}

/* --- SG011: volatile functions ---------------------------------------------------------------- */

static void look_sg011(struct rule_check *c, const struct sql_cond *k)
{
	if (k->left.kind != SIDE_COLUMN || k->right.cols || k->right.kind == SIDE_QUERY ||
		(!k->right.is_volatile && !schema_is_volatile(c->schema, k->right.node)) ||
		!sarg_is_comparison(k) || k->left.col.rel == -2 || sarg_is_served(c, k))
		return;
	struct finding *x = sarg_report(c, k, sarg_sure(c, k),
		"a volatile function gives the value for", STR(""));
	finding_fix(c->findings, x, STR_NONE,
		"it is called again for every row; use now() or compute the value first, as a "
		"parameter or in a subquery: (SELECT …)");
}

void check_sg011(struct rule_check *c)
{
	sarg_each(c, look_sg011);
}

/* --- SG016: collations -------------------------------------------------------------------------
 */

static struct str collation_of(const struct sql_side *s)
{
	return schema_collation_of(s->node);
}

static void look_sg016(struct rule_check *c, const struct sql_cond *k)
{
	struct str coll =
		collation_of(&k->left).n ? collation_of(&k->left) : collation_of(&k->right);
	const struct sql_side *s = &k->left;
	struct schema_served miss;

	bool name =
		!coll.n && str_is(schema_type(c->schema, c->arena, c->o, k->right.node), "name");

	if (name)
		coll = STR("C");
	if (!coll.n || k->right.cols || s->cols != 1 ||
		schema_serves(c->schema, c->arena, c->o, k, &miss) != SERVE_NO ||
		miss.why != WHY_COLLATION || sarg_is_served(c, k))
		return;
	struct finding *x =
		sarg_report(c, k, sarg_sure(c, k), "another collation is asked of", coll);
	if (name) {
		finding_fix(c->findings, x,
			arena_printf(c->arena, "%.*s %.*s (%.*s)::text",
				STR_ARGS(sarg_column(c, s)), STR_ARGS(k->op),
				STR_ARGS(sql_deparse(c->arena, k->right.node))),
			"a name is compared in the collation C: make a text of it");
		return;
	}
	finding_fix(c->findings, x,
		sarg_column_index(c, s, "",
			arena_printf(c->arena, "COLLATE %.*s",
				STR_ARGS(sql_quote_ident(c->arena, coll)))
				.p),
		"leave COLLATE out, or index the column in that collation");
}

void check_sg016(struct rule_check *c)
{
	sarg_each(c, look_sg016);
}
