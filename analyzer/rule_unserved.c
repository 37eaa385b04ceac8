/* SPDX-License-Identifier: ISC
 *
 * rule_unserved: SG025, what no other rule has a name for.
 *
 * The column has an index, and the schema shows that it does not serve: another kind of index,
 * a partial one, a form that hides the column.  It comes after the rules that know a form, and
 * is silent where one of them spoke, or where another condition finds the table's rows.
 */
#include "rule_sargable.h"

/* Has a rule that knows the form spoken of this condition? */
static bool is_said(const struct rule_check *c, struct str text)
{
	for (size_t i = c->found_from; i < c->findings->at.n; i++) {
		const struct finding *x = &c->findings->at.at[i];
		if (strncmp(x->rule->id, "SG", 2) == 0 && str_eq(x->key, text))
			return true;
	}
	return false;
}

/* Has any rule spoken of this condition or a part of it? */
static bool is_spoken_of(struct rule_check *c, const struct sql_cond *k)
{
	for (size_t i = 0; i < k->arms; i++)
		if (is_spoken_of(c, &k->arm[i]))
			return true;
	return is_said(c, sarg_text(c, k));
}

static const char *reason(const struct sql_cond *k, enum schema_why why, bool hidden)
{
	if (k->right.kind == SIDE_QUERY && (k->pred == PRED_NOT_IN || k->pred == PRED_ALL))
		return "is tested row by row";
	switch (why) {
	case WHY_PARTIAL:
		return "may ask for rows that the partial index leaves out";
	case WHY_SAME_ROW:
		return "compares columns of one row, which no index finds";
	case WHY_COLLATION:
		return "is in another collation than the index";
	case WHY_TYPE:
		return "has a value of a type that the index does not know";
	case WHY_NO_INDEX:
		if (hidden)
			return "is about what is made of the column, which the index does not hold";
		break;
	case WHY_SERVED:
	case WHY_NOT_LEADING:
	case WHY_PREFIX:
	case WHY_VOLATILE:
	case WHY_OPERATOR:
		break;
	}
	return "is not among the operators the index has";
}

/* An index whose key is the column that the side is about; NULL: none. */
static const struct schema_index *index_of(struct rule_check *c, const struct sql_side *s)
{
	const struct schema_table *t;
	const struct schema_column *col;

	if (!s->cols || !schema_resolve(c->schema, c->o, &s->col, &t, &col))
		return NULL;
	for (size_t i = 0; i < t->index.n; i++) {
		const struct schema_index *x = t->index.at[i];
		for (size_t k = 0; x->valid && k < x->keys; k++)
			if (x->key[k].column >= 0 && &t->column.at[x->key[k].column] == col)
				return x;
	}
	return NULL;
}

/* Does another conjunct find the rows of the table?  Then this one is no fault. */
static bool is_accompanied(struct rule_check *c, const struct sql_cond *self, int rel)
{
	for (size_t i = 0; i < c->o->conds; i++) {
		const struct sql_cond *k = &c->o->cond[i];
		/* what takes rows out is no fault where anything else says which are wanted */
		if (k != self && self->pred == PRED_NE && k->clause == CLAUSE_WHERE &&
			k->pred != PRED_NE && k->pred != PRED_CONST && !k->right.cols &&
			(k->arms || k->left.col.rel == rel))
			return true;
		bool about = c->o->rels == 1 || rel < 0 || k->arms || k->left.col.rel == rel ||
			     k->right.col.rel == rel || k->left.col.rel == -1;
		if (k != self && about && k->clause != CLAUSE_HAVING && k->pred != PRED_CONST &&
			schema_serves(c->schema, c->arena, c->o, k, NULL) != SERVE_NO)
			return true;
	}
	return false;
}

/* The arm of OR, or the part of AND, for which no index is there. */
static const struct sql_cond *culprit(struct rule_check *c, const struct sql_cond *k)
{
	while (k->pred == PRED_OR || k->pred == PRED_AND) {
		size_t bad = 0;
		while (bad < k->arms &&
			schema_serves(c->schema, c->arena, c->o, &k->arm[bad], NULL) != SERVE_NO)
			bad++;
		if (bad == k->arms) /* a semi-join below OR */
			return NULL;
		k = &k->arm[bad];
	}
	return k;
}

/* Those of the arms of an OR that no index serves: "a > 5, b < 6". */
static struct str unserved_arms(struct rule_check *c, const struct sql_cond *whole)
{
	struct text all = {0};

	for (size_t i = 0; i < whole->arms; i++) {
		const struct sql_cond *arm = &whole->arm[i];
		bool same = str_eq(sarg_column(c, &arm->left), sarg_column(c, &arm->right));
		if (schema_serves(c->schema, c->arena, c->o, arm, NULL) != SERVE_YES || same)
			text_printf(&all, "%s%.*s", all.n ? ", " : "", STR_ARGS(sarg_text(c, arm)));
	}
	struct str out = arena_str(c->arena, text_slice(&all));
	text_release(&all);
	return out;
}

static void look_sg025(struct rule_check *c, const struct sql_cond *whole)
{
	struct schema_served miss;

	if (schema_serves(c->schema, c->arena, c->o, whole, NULL) != SERVE_NO)
		return;
	const struct sql_cond *k = culprit(c, whole);
	if (!k)
		k = whole;
	schema_serves(c->schema, c->arena, c->o, k, &miss);
	const struct sql_side *s = k->pred == PRED_NOT ? &k->arm[0].left
				   : k->left.cols      ? &k->left
						       : &k->right; /* 5 < ANY (column) */
	const struct schema_index *x = miss.index ? miss.index : index_of(c, s);
	bool row = s->kind == SIDE_WRAPPED && s->wrap == WRAP_ROW;
	if ((!x && !row && miss.why != WHY_SAME_ROW && k != whole) ||
		(!x && !row && k == whole && miss.why == WHY_NO_INDEX) ||
		sarg_is_served(c, whole) || is_accompanied(c, whole, s->cols ? s->col.rel : -1) ||
		is_spoken_of(c, whole))
		return;
	struct str text = sarg_text(c, whole->pred == PRED_OR ? whole : k);
	struct str index = x ? x->name : STR("");
	struct finding *f;
	if (whole->pred == PRED_OR)
		f = rule_find(c, CONF_POSSIBLE,
			"the OR is tested row by row, for no index serves %.*s",
			STR_ARGS(unserved_arms(c, whole)));
	else
		f = rule_find(c, CONF_POSSIBLE, "%.*s %s%s%.*s", STR_ARGS(text),
			reason(k, miss.why, s->kind == SIDE_WRAPPED), index.n ? ": " : "",
			STR_ARGS(index));
	finding_str(f, "predicate", text);
	f->key = arena_str(&c->findings->arena, sarg_text(c, whole));
	if (x)
		finding_str(f, "method", x->method);
}

void check_sg025(struct rule_check *c)
{
	for (size_t i = 0; i < c->o->conds; i++)
		if (c->o->cond[i].clause != CLAUSE_HAVING)
			look_sg025(c, &c->o->cond[i]);
}
