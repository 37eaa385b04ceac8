/* SPDX-License-Identifier: ISC
 *
 * schema_canon: expressions as keys, so that what a query says and what an index was made on
 * compare as texts.
 *
 * The catalog prints what the parser resolved (`lower((email)::text)`, `'day'::text`), a query
 * what its author typed (`lower(u.email)`, `'day'`).  Both lose here: tables in front of
 * columns, casts of literals, casts between kinds of text that are no work, and spellings of
 * the same function.
 */
#include "schema.h"

struct canon {
	const struct schema *s;
	struct arena *a;
	const struct sql_outline *o;
	struct text out;
};

static void put(struct canon *c, const struct sql_node *n, bool as_text);

static void put_list(struct canon *c, const struct sql_node *n, const char *field, bool as_text)
{
	for (size_t i = 0; i < node_len(n, field); i++) {
		if (i)
			text_char(&c->out, ',');
		put(c, node_item(n, field, i), as_text);
	}
}

static void put_const(struct canon *c, const struct sql_node *n)
{
	struct sql_side s = sql_side(c->a, n);

	if (s.is_null)
		text_puts(&c->out, "null");
	else
		text_printf(&c->out, "'%.*s'", STR_ARGS(s.value));
}

static void put_cast(struct canon *c, const struct sql_node *n, bool as_text)
{
	const struct sql_node *arg = node_get(n, "arg"), *type = node_get(n, "type_name");
	struct str from, to;

	while (node_is(arg, "TypeCast") && node_is(node_get(arg, "arg"), "A_Const"))
		arg = node_get(arg, "arg");
	if (node_is(arg, "A_Const")) {
		put_const(c, arg);
		return;
	}
	from = schema_type(c->s, c->a, c->o, arg);
	to = schema_type_name(c->a, c->s, type);
	bool sized = node_len(type, "typmods") > 0;
	if (!sized && (schema_type_is_relabel(from, to) ||
			      (as_text && str_is(to, "text") && schema_type_is_text(from)))) {
		put(c, arg, as_text);
		return;
	}
	text_char(&c->out, '(');
	put(c, arg, false);
	text_printf(&c->out, ")::%.*s", STR_ARGS(to));
	if (sized) {
		text_char(&c->out, '(');
		put_list(c, type, "typmods", false);
		text_char(&c->out, ')');
	}
}

static void put_call(struct canon *c, const struct sql_node *n)
{
	struct str name = node_last_name(n, "funcname");

	if (str_is(name, "date") && node_len(n, "args") == 1) { /* the same function as the cast */
		text_char(&c->out, '(');
		put(c, node_item(n, "args", 0), false);
		text_puts(&c->out, ")::date");
		return;
	}
	if (str_is(name, "char_length") || str_is(name, "character_length"))
		name = STR("length");
	text_printf(&c->out, "%.*s(", STR_ARGS(name));
	put_list(c, n, "args", true);
	text_char(&c->out, ')');
}

static void put_operator(struct canon *c, const struct sql_node *n)
{
	const char *kind = node_enum(n, "kind");
	struct str op = node_last_name(n, "name");
	const struct sql_node *l = node_get(n, "lexpr"), *r = node_get(n, "rexpr");
	bool joins = str_is(op, "||");

	if (strcmp(kind, "AEXPR_NULLIF") == 0)
		op = STR("nullif");
	else if (strcmp(kind, "AEXPR_DISTINCT") == 0)
		op = STR("is distinct");
	else if (strcmp(kind, "AEXPR_NOT_DISTINCT") == 0)
		op = STR("is not distinct");
	else if (strcmp(kind, "AEXPR_OP_ANY") == 0 ||
		 (strcmp(kind, "AEXPR_IN") == 0 && str_is(op, "=")))
		op = arena_printf(c->a, "%.*s any", STR_ARGS(op));
	else if (strcmp(kind, "AEXPR_OP_ALL") == 0 || strcmp(kind, "AEXPR_IN") == 0)
		op = arena_printf(c->a, "%.*s all", STR_ARGS(op));
	else if (strncmp(kind, "AEXPR_", 6) == 0 && strstr(kind, "BETWEEN"))
		op = str_of(kind);
	else if (str_is(op, "!="))
		op = STR("<>");
	text_char(&c->out, '(');
	if (l)
		put(c, l, joins);
	text_printf(&c->out, " %.*s ", STR_ARGS(op));
	put(c, r, joins);
	text_char(&c->out, ')');
}

static void put_indirection(struct canon *c, const struct sql_node *n)
{
	put(c, node_get(n, "arg"), false);
	for (size_t i = 0; i < node_len(n, "indirection"); i++) {
		const struct sql_node *x = node_item(n, "indirection", i);
		if (node_is(x, "A_Indices")) {
			text_char(&c->out, '[');
			put(c, node_get(x, "lidx"), false);
			text_char(&c->out, ':');
			put(c, node_get(x, "uidx"), false);
			text_char(&c->out, ']');
		} else {
			text_printf(&c->out, ".%s", node_str(x, "sval"));
		}
	}
}

static void put_case(struct canon *c, const struct sql_node *n)
{
	text_puts(&c->out, "case ");
	put(c, node_get(n, "arg"), false);
	for (size_t i = 0; i < node_len(n, "args"); i++) {
		text_puts(&c->out, " when ");
		put(c, node_get(node_item(n, "args", i), "expr"), false);
		text_puts(&c->out, " then ");
		put(c, node_get(node_item(n, "args", i), "result"), false);
	}
	text_puts(&c->out, " else ");
	if (node_get(n, "defresult"))
		put(c, node_get(n, "defresult"), false);
	else
		text_puts(&c->out, "null");
}

static void put_test(struct canon *c, const struct sql_node *n)
{
	text_char(&c->out, '(');
	put(c, node_get(n, "arg"), false);
	text_printf(&c->out, " %s)",
		node_is(n, "NullTest") ? node_enum(n, "nulltesttype")
				       : node_enum(n, "booltesttype"));
}

static void put(struct canon *c, const struct sql_node *n, bool as_text)
{
	if (!n)
		return;
	if (node_is(n, "ColumnRef"))
		text_str(&c->out, sql_side(c->a, n).col.name);
	else if (node_is(n, "A_Const"))
		put_const(c, n);
	else if (node_is(n, "TypeCast"))
		put_cast(c, n, as_text);
	else if (node_is(n, "FuncCall"))
		put_call(c, n);
	else if (node_is(n, "A_Expr"))
		put_operator(c, n);
	else if (node_is(n, "CoalesceExpr") || node_is(n, "MinMaxExpr")) {
		text_printf(&c->out, "%s(",
			node_is(n, "CoalesceExpr") ? "coalesce" : node_enum(n, "op"));
		put_list(c, n, "args", false);
		text_char(&c->out, ')');
	} else if (node_is(n, "A_Indirection"))
		put_indirection(c, n);
	else if (node_is(n, "CollateClause")) {
		put(c, node_get(n, "arg"), as_text);
		text_printf(&c->out, " collate %.*s", STR_ARGS(node_last_name(n, "collname")));
	} else if (node_is(n, "A_ArrayExpr") || node_is(n, "List")) {
		text_char(&c->out, '[');
		put_list(c, n, node_is(n, "List") ? "items" : "elements", false);
		text_char(&c->out, ']');
	} else if (node_is(n, "NullTest") || node_is(n, "BooleanTest"))
		put_test(c, n);
	else if (node_is(n, "BoolExpr")) {
		text_printf(&c->out, "%s(", node_enum(n, "boolop"));
		put_list(c, n, "args", false);
		text_char(&c->out, ')');
	} else if (node_is(n, "CaseExpr"))
		put_case(c, n);
	else
		text_str(&c->out, sql_deparse(c->a, n));
}

struct str schema_canon(const struct schema *s, struct arena *a, const struct sql_outline *o,
	const struct sql_node *expr)
{
	struct canon c = {.s = s, .a = a, .o = o};

	put(&c, expr, false);
	struct str out = arena_str(a, text_slice(&c.out));
	text_release(&c.out);
	return out;
}
