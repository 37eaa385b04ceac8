/* SPDX-License-Identifier: ISC
 *
 * rule_loop: writes one row at a time, and statements that are parsed anew each time.
 *
 * Loops count only inside explicit transactions: one write for each of many transactions is
 * what an application is for.
 */
#include "rule_checks.h"

#define HOT_CALLS 1000

static bool is_loop(const struct rule_check *c)
{
	return c->run->tx_runs > 0 && c->top && c->top->rels > 0 && c->tree->statements == 1;
}

static void loop_evidence(struct rule_check *c, struct finding *x)
{
	finding_int(x, "runs", (int64_t)c->run->runs);
	finding_int(x, "longest_run", (int64_t)c->run->longest);
	finding_int(x, "distinct_values", (int64_t)c->run->distinct);
	finding_real(x, "database_ms", (double)c->run->usec / 1000);
	finding_real(x, "gap_ms", (double)c->run->gap_usec / 1000);
}

/* INSERT … SELECT * FROM unnest($1::type[], …), where the schema knows all types. */
static struct str insert_unnest(struct rule_check *c)
{
	const struct schema_table *t =
		schema_find(c->schema, c->top->rel[0].schema, c->top->rel[0].name);
	struct text columns = {0}, arrays = {0};
	struct str sql = STR_NONE;
	bool known = t && c->top->sets > 0 && !c->top->has_conflict && !c->top->targets;

	for (size_t i = 0; known && i < c->top->sets; i++) {
		int at = schema_column_of(t, c->top->set[i].name);
		known = at >= 0 && !str_ends(t->column.at[at].type, "[]");
		if (!known)
			break;
		text_printf(&columns, "%s%.*s", i ? ", " : "",
			STR_ARGS(sql_quote_ident(c->arena, c->top->set[i].name)));
		text_printf(&arrays, "%s$%zu::%.*s[]", i ? ", " : "", i + 1,
			STR_ARGS(t->column.at[at].type));
	}
	if (known)
		sql = arena_printf(c->arena, "INSERT INTO %.*s (%s) SELECT * FROM unnest(%s)",
			STR_ARGS(sql_quote_ident(c->arena, t->name)), columns.p, arrays.p);
	text_release(&columns);
	text_release(&arrays);
	return sql;
}

void check_np003(struct rule_check *c)
{
	if (c->shape->verb != SQL_INSERT || !is_loop(c) || c->top->value_rows != 1)
		return;
	bool returning = c->top->targets > 0;
	struct finding *x = rule_find(c, returning ? CONF_POSSIBLE : CONF_LIKELY,
		"rows are inserted into %.*s one at a time: %llu in one transaction",
		STR_ARGS(c->top->rel[0].name), (unsigned long long)c->run->longest);
	loop_evidence(c, x);
	finding_fix(c->findings, x, insert_unnest(c), "send many rows in one INSERT, or COPY%s",
		returning ? "; RETURNING gives all their keys at once" : "");
}

/* The one condition of the lookup; NULL when there is none or the key is not alone. */
static const struct sql_cond *only_key(const struct sql_outline *o, bool *alone)
{
	const struct sql_cond *key = NULL;

	*alone = o->conds == 1;
	for (size_t i = 0; i < o->conds; i++) {
		const struct sql_cond *k = &o->cond[i];
		if (k->pred != PRED_EQ || k->left.kind != SIDE_COLUMN ||
			(k->right.kind != SIDE_PARAM && k->right.kind != SIDE_CONST))
			return NULL;
		if (!key || str_is(k->left.col.name, "id"))
			key = k;
	}
	return key;
}

void check_np004(struct rule_check *c)
{
	const struct sql_cond *key;
	bool alone, is_delete = c->shape->verb == SQL_DELETE;

	if ((c->shape->verb != SQL_UPDATE && !is_delete) || !is_loop(c) || c->top->rels != 1 ||
		(key = only_key(c->top, &alone)) == NULL)
		return;
	struct finding *x = rule_find(c, alone ? CONF_LIKELY : CONF_POSSIBLE,
		"rows of %.*s are %s one at a time by %.*s: %llu in one transaction",
		STR_ARGS(c->top->rel[0].name), is_delete ? "deleted" : "updated",
		STR_ARGS(key->left.col.name), (unsigned long long)c->run->longest);
	loop_evidence(c, x);
	finding_str(x, "key", key->left.col.name);
	if (is_delete)
		finding_fix(c->findings, x,
			alone ? sql_batch(c->arena, c->tree, key, "") : STR_NONE,
			"delete all of them in one statement, the keys passed as one array");
	else
		finding_fix(c->findings, x, STR_NONE,
			"update all of them in one statement: UPDATE … FROM unnest($1, $2) AS "
			"v(key, value) WHERE key = v.key");
}

void check_ps002(struct rule_check *c)
{
	const struct shape *s = c->shape;

	if (s->calls < HOT_CALLS || s->params_seen || s->lex.params || s->lex.literals == 0 ||
		s->lex.lit_hash == 0 || s->time.total == 0)
		return;
	if (s->verb != SQL_SELECT && s->verb != SQL_INSERT && s->verb != SQL_UPDATE &&
		s->verb != SQL_DELETE)
		return;
	struct finding *x = rule_find(c, CONF_POSSIBLE,
		"sent %llu times with its values in the text: parsed and planned anew each time",
		(unsigned long long)s->calls);
	finding_fix(c->findings, x, STR_NONE,
		"pass values as parameters of a prepared statement (transaction pooling needs one "
		"that keeps track of them)");
}
