/* SPDX-License-Identifier: ISC
 *
 * rule_operator: operators and collations that the column's index does not have.
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
