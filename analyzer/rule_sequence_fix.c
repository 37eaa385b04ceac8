/* SPDX-License-Identifier: ISC
 *
 * rule_sequence_fix: one statement for a whole loop.
 *
 * Arrays need types: the schema's, else what the values seen look like (42 is a bigint), else a
 * form that needs none, else nothing is printed.
 */
#include "rule_sequence.h"

#include <ctype.h>

/* --- types ------------------------------------------------------------------------------- */

static bool all_of(struct str v, int (*is)(int))
{
	for (size_t i = 0; i < v.n; i++)
		if (!is((unsigned char)v.p[i]))
			return false;
	return v.n > 0;
}

static bool is_uuid(struct str v)
{
	if (v.n != 36)
		return false;
	for (size_t i = 0; i < v.n; i++)
		if (i == 8 || i == 13 || i == 18 || i == 23 ? v.p[i] != '-'
							    : !isxdigit((unsigned char)v.p[i]))
			return false;
	return true;
}

static bool is_date(struct str v)
{
	return v.n >= 10 && all_of(str_before(v, 4), isdigit) && v.p[4] == '-' && v.p[7] == '-' &&
	       isdigit((unsigned char)v.p[5]) && isdigit((unsigned char)v.p[8]);
}

/* The type a value looks like; NULL: hard to say. */
static const char *type_of_value(struct str v)
{
	struct str digits = v.n && v.p[0] == '-' ? str_skip(v, 1) : v;
	size_t dot = str_find(digits, ".");

	if (!v.p || v.n == 0 || v.n > 200)
		return NULL;
	if (all_of(digits, isdigit))
		return digits.n <= 18 ? "bigint" : "numeric";
	if (dot < digits.n && all_of(str_before(digits, dot), isdigit) &&
		all_of(str_skip(digits, dot + 1), isdigit))
		return "numeric";
	if (is_uuid(v))
		return "uuid";
	if (is_date(v))
		return v.n > 10 ? "timestamptz" : "date";
	if (str_is(v, "t") || str_is(v, "f") || str_is(v, "true") || str_is(v, "false"))
		return "boolean";
	return isalpha((unsigned char)v.p[0]) ? "text" : NULL;
}

static const char *column_type(struct rule_check *c, const struct schema_table *t,
	struct str column)
{
	int at = t ? schema_column_of(t, column) : -1;

	if (at < 0 || str_ends(t->column.at[at].type, "[]"))
		return NULL;
	return arena_cstr(c->arena, t->column.at[at].type);
}

const char *key_array(struct rule_check *c, const struct sql_outline *o, const struct loop_key *k)
{
	const struct schema_column *col;
	const char *type = k->values ? type_of_value(k->value[0]) : NULL;
	bool is_id = str_ends(k->cond->left.col.name, "id");

	if (schema_resolve(c->schema, o, &k->cond->left.col, NULL, &col))
		return str_ends(col->type, "[]")
			       ? ""
			       : arena_printf(c->arena, "%.*s[]", STR_ARGS(col->type)).p;
	if (k->cond->right.kind == SIDE_CONST && !k->cond->right.is_string)
		type = type_of_value(k->cond->right.value);
	else if (!is_id)
		return ""; /* '42' may be a text */
	return type && (str_is(str_of(type), "bigint") || str_is(str_of(type), "uuid"))
		       ? arena_printf(c->arena, "%s[]", type).p
		       : "";
}

/* --- reads and deletes --------------------------------------------------------------------- */

static bool is_unique(struct rule_check *c, const struct sql_outline *o)
{
	bool habit;

	return o->rels == 1 && rule_one_row(c, o, &habit);
}

struct str batch_read(struct rule_check *c, const struct loop_key *k)
{
	const struct sql_outline *o = loop_lookup(c->top);

	return sql_batch(c->arena, c->tree, o, k->cond, key_array(c, o, k), is_unique(c, o));
}

struct str batch_delete(struct rule_check *c, const struct loop_key *k)
{
	return sql_batch(c->arena, c->tree, c->top, k->cond, key_array(c, c->top, k), true);
}

void prove_read(struct rule_check *c, struct finding *x, const struct loop_key *k,
	enum proof_kind kind)
{
	const struct sql_outline *o = loop_lookup(c->top);
	struct arena *a = &c->findings->arena;
	struct str one = sql_lookup(c->arena, c->tree, o, k->cond);
	struct proof p = {.kind = kind, .param = k->cond->right.param ? k->cond->right.param : 1};
	struct err why;

	if (!one.n || !x->fix_sql.n || k->values == 0 || c->shape->is_cut ||
		c->shape->lex.params > ARRAY_LEN(p.other))
		return;
	struct sql_tree *t = sql_parse(c->arena, x->fix_sql, &why);
	p.one = arena_str(a, one);
	p.key_first = t && sql_outline(c->arena, sql_statement(t, 0))->targets > o->targets;
	p.params = c->shape->lex.params ? c->shape->lex.params : 1;
	for (size_t i = 0; i < p.params; i++) {
		struct str v = params_value(str_of(c->run->values[0]), (uint32_t)i + 1);
		p.other[i] = v.p ? arena_str(a, v) : STR_NONE;
	}
	for (size_t i = 0; i < k->values; i++)
		p.value[p.values++] = arena_str(a, k->value[i]);
	x->proof = arena_alloc(a, sizeof(p));
	*x->proof = p;
}

/* --- inserts ------------------------------------------------------------------------------- */

/* The tail of the statement behind its row of values: ON CONFLICT, RETURNING. */
static struct str insert_tail(struct rule_check *c, const struct sql_node *last)
{
	struct str text = c->tree->text;
	int at = last ? node_start(last) : -1;
	size_t i = at < 0 ? text.n : (size_t)at;
	int depth = 1;
	bool quoted = false;

	for (; i < text.n && depth > 0; i++) {
		quoted ^= text.p[i] == '\'';
		depth += !quoted && text.p[i] == '(';
		depth -= !quoted && text.p[i] == ')';
	}
	text = str_trim(str_skip(text, i));
	size_t end = str_find(text, "/*");
	text = str_trim(str_before(text, end));
	while (text.n && text.p[text.n - 1] == ';')
		text = str_trim(str_before(text, text.n - 1));
	return text;
}

struct insert {
	const struct sql_node *row; /* a List of the values */
	size_t columns;
	struct str table;
	const struct schema_table *schema;
};

static bool read_insert(struct rule_check *c, struct insert *in)
{
	const struct sql_node *stmt = sql_statement(c->tree, 0);
	const struct sql_node *select = node_get(stmt, "select_stmt");

	*in = (struct insert){.row = node_item(select, "values_lists", 0),
		.columns = node_len(stmt, "cols"),
		.schema = schema_find(c->schema, c->top->rel[0].schema, c->top->rel[0].name)};
	struct str name = sql_quote_ident(c->arena, c->top->rel[0].name);
	in->table = c->top->rel[0].schema.n
			    ? arena_printf(c->arena, "%.*s.%.*s",
				      STR_ARGS(sql_quote_ident(c->arena, c->top->rel[0].schema)),
				      STR_ARGS(name))
			    : name;
	return in->row && node_len(in->row, "items") == in->columns && in->columns > 0;
}

static struct str column_name(struct rule_check *c, size_t i)
{
	return sql_quote_ident(c->arena, c->top->set[i].name);
}

/* The value of column i in the first call kept. */
static struct str insert_value(struct rule_check *c, const struct sql_side *v)
{
	if (v->kind == SIDE_CONST)
		return v->value;
	for (uint32_t i = 0; i < c->run->nvalues; i++) {
		struct str s = params_value(str_of(c->run->values[i]), (uint32_t)v->param);
		if (s.p)
			return s;
	}
	return STR_NONE;
}

/* INSERT … SELECT … FROM unnest($1::type[], …): the types of all columns are known. */
static struct str insert_unnest(struct rule_check *c, const struct insert *in)
{
	struct text names = {0}, arrays = {0};
	struct str sql = STR_NONE;
	bool known = true;
	int n = 0;

	for (size_t i = 0; known && i < in->columns; i++) {
		const struct sql_node *item = node_item(in->row, "items", i);
		struct sql_side v = sql_side(c->arena, item);
		if (node_is(item, "SetToDefault"))
			continue;
		if (v.kind != SIDE_PARAM && v.kind != SIDE_CONST) {
			known = false;
			break;
		}
		const char *type = column_type(c, in->schema, c->top->set[i].name);
		if (!type && !in->schema)
			type = type_of_value(insert_value(c, &v));
		known = type != NULL;
		if (!known)
			break;
		text_printf(&names, "%s%.*s", n ? ", " : "", STR_ARGS(column_name(c, i)));
		text_printf(&arrays, "%s$%d::%s[]", n ? ", " : "", n + 1, type);
		n++;
	}
	if (known && n)
		sql = arena_printf(c->arena, "INSERT INTO %.*s (%s) SELECT * FROM unnest(%s)",
			STR_ARGS(in->table), names.p, arrays.p);
	text_release(&names);
	text_release(&arrays);
	return sql;
}

/* INSERT … VALUES (…), (…), (…): no types are needed. */
static struct str insert_rows(struct rule_check *c, const struct insert *in)
{
	struct text names = {0}, rows = {0};
	struct str sql = STR_NONE;
	int n = 0;

	for (size_t i = 0; i < in->columns; i++)
		text_printf(&names, "%s%.*s", i ? ", " : "", STR_ARGS(column_name(c, i)));
	for (int row = 0; row < 3; row++) {
		text_puts(&rows, row ? ", (" : "(");
		for (size_t i = 0; i < in->columns; i++) {
			const struct sql_node *item = node_item(in->row, "items", i);
			struct sql_side v = sql_side(c->arena, item);
			text_puts(&rows, i ? ", " : "");
			struct str expr = sql_deparse(c->arena, item);
			if (v.kind == SIDE_PARAM || v.kind == SIDE_CONST)
				text_printf(&rows, "$%d", ++n);
			else if (node_is(item, "SetToDefault"))
				text_puts(&rows, "DEFAULT");
			else if (expr.n && str_find(expr, "$") == expr.n)
				text_str(&rows, expr);
			else
				goto out;
		}
		text_puts(&rows, ")");
	}
	sql = arena_printf(c->arena, "INSERT INTO %.*s (%s) VALUES %s", STR_ARGS(in->table),
		names.p, rows.p);
out:
	text_release(&names);
	text_release(&rows);
	return sql;
}

struct str batch_insert(struct rule_check *c)
{
	struct insert in;
	struct str sql, tail;

	if (c->tree->substituted || !read_insert(c, &in))
		return STR_NONE;
	sql = insert_unnest(c, &in);
	if (!sql.n)
		sql = insert_rows(c, &in);
	tail = insert_tail(c, node_item(in.row, "items", in.columns - 1));
	if (!sql.n || str_find(tail, "$") < tail.n || str_find(tail, "'") < tail.n)
		return STR_NONE;
	return tail.n ? arena_printf(c->arena, "%.*s %.*s", STR_ARGS(sql), STR_ARGS(tail)) : sql;
}

/* --- updates -------------------------------------------------------------------------------- */

static enum walk see_value(void *ctx, const struct sql_path *at)
{
	(void)ctx;
	return node_is(at->node, "ParamRef") || node_is(at->node, "A_Const") ? WALK_STOP : WALK_ON;
}

/* Does the assigned value differ from call to call, as far as was seen? */
static bool set_varies(struct rule_check *c, const struct sql_side *v)
{
	struct str first = STR_NONE;

	for (uint32_t i = 0; i < c->run->nvalues; i++) {
		struct str s = call_value(c, c->top, v, str_of(c->run->values[i]));
		if (i && !str_eq(s, first))
			return true;
		first = s;
	}
	return c->run->nvalues < 2;
}

static const char *set_type(struct rule_check *c, const struct schema_table *t,
	const struct sql_target *set)
{
	const char *type = column_type(c, t, set->name);

	for (uint32_t i = 0; !type && !t && i < c->run->nvalues; i++)
		type = type_of_value(call_value(c, c->top, &set->val, str_of(c->run->values[i])));
	return type;
}

/* UPDATE t SET a = v.a FROM unnest($1::k[], $2::a[]) AS v (k, a) WHERE t.k = v.k */
struct str batch_update(struct rule_check *c, const struct loop_key *k)
{
	const struct sql_rel *rel = &c->top->rel[0];
	const struct schema_table *t = schema_find(c->schema, rel->schema, rel->name);
	struct str key = sql_quote_ident(c->arena, k->cond->left.col.name), sql = STR_NONE;
	struct text sets = {0}, names = {0}, arrays = {0};
	const char *array = key_array(c, c->top, k);
	bool varies = false, known = *array && c->top->conds == 1 && c->top->targets == 0;
	int n = 1;

	for (size_t i = 0; i < c->top->sets; i++) {
		const struct sql_target *s = &c->top->set[i];
		struct str name = sql_quote_ident(c->arena, s->name);
		bool plain = s->val.kind == SIDE_PARAM || s->val.kind == SIDE_CONST;
		varies |= plain ? set_varies(c, &s->val) : sql_walk(s->val.node, see_value, NULL);
		const char *type = plain ? set_type(c, t, s) : NULL;
		struct str expr = plain ? STR_NONE : sql_deparse(c->arena, s->val.node);
		known &= plain ? type != NULL : expr.n && !sql_walk(s->val.node, see_value, NULL);
		if (!known)
			continue;
		text_puts(&sets, i ? ", " : "");
		if (plain) {
			text_printf(&sets, "%.*s = v.%.*s", STR_ARGS(name), STR_ARGS(name));
			text_printf(&names, ", %.*s", STR_ARGS(name));
			text_printf(&arrays, ", $%d::%s[]", ++n, type);
		} else {
			text_printf(&sets, "%.*s = %.*s", STR_ARGS(name), STR_ARGS(expr));
		}
	}
	if (!varies) /* every row gets the same */
		sql = sql_batch(c->arena, c->tree, c->top, k->cond, array, true);
	else if (known)
		sql = arena_printf(c->arena,
			"UPDATE %.*s AS t SET %s FROM unnest($1::%s%s) AS v (%.*s%s) WHERE "
			"t.%.*s = v.%.*s",
			STR_ARGS(sql_quote_ident(c->arena, rel->name)), sets.p, array,
			arrays.n ? arrays.p : "", STR_ARGS(key), names.n ? names.p : "",
			STR_ARGS(key), STR_ARGS(key));
	text_release(&sets);
	text_release(&names);
	text_release(&arrays);
	return sql;
}

/* --- the parent joined ------------------------------------------------------------------------ */

struct str numbered_text(struct rule_check *c, const struct shape *s)
{
	struct str text = s->example, out;
	struct sql_shape lex;
	struct text t = {0};
	size_t n = 0, at = 0;

	if (s->is_cut || s->lex.traits & SQL_HAS_COMMENT)
		return STR_NONE;
	while (text.n && (text.p[text.n - 1] == ';' || text.p[text.n - 1] == '\n'))
		text.n--;
	if (s->lex.params)
		return text;
	sql_lex(text.p, text.n, &lex, NULL, 0);
	struct sql_place *lit = mem_alloc((lex.literals + 1) * sizeof(*lit));
	sql_lex_places(text.p, text.n, &lex, NULL, 0, lit, lex.literals, &n);
	for (size_t i = 0; i < n; i++) {
		text_add(&t, text.p + at, lit[i].off - at);
		text_printf(&t, "$%zu", i + 1);
		at = lit[i].off + lit[i].len;
	}
	text_add(&t, text.p + at, text.n - at);
	out = arena_str(c->arena, text_slice(&t));
	text_release(&t);
	free(lit);
	return out;
}

/* The column of the parent's output that the child's key is equal to; STR_NONE: not plain. */
static struct str parent_column(struct rule_check *c, const struct sql_outline *child,
	const struct sql_cond *key)
{
	const struct sql_outline *p = c->parent_top;
	struct str column = key->left.col.name, table = rel_of_key(child, key);
	bool star = false, id = false;

	for (size_t i = 0; i < p->targets; i++) {
		const struct sql_target *t = &p->target[i];
		star |= t->kind == TARGET_STAR;
		if (t->kind != TARGET_COLUMN || (t->name.n && !str_eq(t->name, t->val.col.name)))
			continue;
		id |= str_is(t->val.col.name, "id");
		if (str_is(column, "id") && names_table(c->arena, t->val.col.name, table))
			return t->val.col.name;
	}
	if (names_table(c->arena, column, p->rel[0].name) && (id || star))
		return STR("id");
	return STR_NONE;
}

/* Does the lookup return all rows of the key, each as it is?  A join does. */
static bool keeps_rows(struct rule_check *c, const struct sql_outline *child)
{
	bool bounded = child->limit != BOUND_NONE || child->offset != BOUND_NONE;

	return !child->has_aggregate && !child->has_group && !child->has_window &&
	       !child->is_distinct && !child->is_distinct_on && (!bounded || is_unique(c, child));
}

static struct str join_text(struct rule_check *c, const struct sql_outline *child,
	const struct sql_cond *key, struct str parent, struct str column)
{
	struct err why;
	struct str sql = arena_printf(c->arena,
		"SELECT child.*, parent.* FROM (%.*s) AS parent JOIN %.*s AS child ON child.%.*s = "
		"parent.%.*s",
		STR_ARGS(parent), STR_ARGS(sql_quote_ident(c->arena, child->rel[0].name)),
		STR_ARGS(sql_quote_ident(c->arena, key->left.col.name)),
		STR_ARGS(sql_quote_ident(c->arena, column)));

	return sql_parse(c->arena, sql, &why) ? sql : STR_NONE;
}

struct str join_parent(struct rule_check *c, const struct sql_outline *child,
	const struct sql_cond *key)
{
	const struct sql_outline *p = c->parent_top;
	struct str column, parent;

	if (!p || p->rels != 1 || p->rel[0].kind != REL_TABLE || p->is_setop || p->has_group ||
		p->has_aggregate || child->rels != 1 || child != c->top || child->conds != 1 ||
		!keeps_rows(c, child) || c->shape->verb != SQL_SELECT ||
		c->parent->verb != SQL_SELECT)
		return STR_NONE;
	column = parent_column(c, child, key);
	parent = numbered_text(c, c->parent);
	if (!column.n || !parent.n)
		return STR_NONE;
	return join_text(c, child, key, parent, column);
}

void prove_join(struct rule_check *c, struct finding *x, const struct sql_outline *child,
	const struct sql_cond *key)
{
	struct arena *a = &c->findings->arena;
	struct str values = str_of(c->run->parent_values), parent = values, column;
	struct proof *p = x->proof;
	size_t params = c->parent->lex.params;

	if (!p || !values.n || c->parent->is_cut || params > ARRAY_LEN(p->join_other) ||
		(params > 0) != str_starts(values, "$"))
		return;
	if (params)
		parent = numbered_text(c, c->parent);
	while (parent.n && (parent.p[parent.n - 1] == ';' || parent.p[parent.n - 1] == '\n'))
		parent.n--;
	column = parent_column(c, child, key);
	p->join = arena_str(a, join_text(c, child, key, parent, column));
	p->parent = arena_str(a, parent);
	p->parent_key = arena_str(a, column);
	p->join_params = params;
	for (size_t i = 0; i < params; i++) {
		struct str v = params_value(values, (uint32_t)i + 1);
		p->join_other[i] = v.p ? arena_str(a, v) : STR_NONE;
	}
}
