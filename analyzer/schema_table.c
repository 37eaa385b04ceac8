/* SPDX-License-Identifier: ISC
 *
 * schema_table: the model of tables and indexes, and the questions rules ask it.
 */
#include "schema.h"

struct schema *schema_new(void)
{
	struct schema *s = mem_zalloc(sizeof(*s));

	s->stats_days = -1;
	return s;
}

void schema_free(struct schema **ps)
{
	struct schema *s = *ps;

	if (!s)
		return;
	for (size_t i = 0; i < s->table.n; i++) {
		VEC_RELEASE(&s->table.at[i]->column);
		VEC_RELEASE(&s->table.at[i]->index);
		VEC_RELEASE(&s->table.at[i]->foreign);
	}
	VEC_RELEASE(&s->table);
	VEC_RELEASE(&s->extension);
	VEC_RELEASE(&s->domain);
	VEC_RELEASE(&s->enums);
	VEC_RELEASE(&s->policy);
	VEC_RELEASE(&s->function);
	VEC_RELEASE(&s->level);
	map_release(&s->by_name);
	arena_release(&s->arena);
	free(s);
	*ps = NULL;
}

struct schema_table *schema_find(const struct schema *s, struct str schema, struct str name)
{
	if (!s)
		return NULL;
	for (uint32_t i = map_get(&s->by_name, str_hash(name)); i != MAP_NONE;
		i = s->table.at[i]->next) {
		struct schema_table *t = s->table.at[i];
		if (str_eq(t->name, name) && (schema.n == 0 || str_eq(t->schema, schema)))
			return t;
	}
	return NULL;
}

/* Behind those of its name: an unqualified name finds the first. */
static void enter(struct schema *s, struct schema_table *t)
{
	uint32_t *at = map_put(&s->by_name, str_hash(t->name));

	while (*at != MAP_NONE)
		at = &s->table.at[*at]->next;
	t->next = MAP_NONE;
	*at = (uint32_t)s->table.n;
	*VEC_PUSH(&s->table) = t;
}

struct schema_table *schema_add_table(struct schema *s, struct str schema, struct str name)
{
	struct schema_table *t = schema.n ? schema_find(s, schema, name) : NULL;

	if (t)
		return t;
	t = ARENA_NEW(&s->arena, struct schema_table);
	t->schema = arena_str(&s->arena, schema.n ? schema : STR("public"));
	t->name = arena_str(&s->arena, name);
	t->rows = -1;
	t->bytes = -1;
	t->hot_part = -1;
	enter(s, t);
	return t;
}

struct schema_index *schema_add_index(struct schema *s, struct schema_table *t, struct str name)
{
	struct schema_index *i = ARENA_NEW(&s->arena, struct schema_index);

	i->name = arena_str(&s->arena, name);
	i->table = t;
	i->method = STR("btree");
	i->valid = true;
	i->bytes = i->scans = -1;
	i->where = STR_NONE;
	*VEC_PUSH(&t->index) = i;
	return i;
}

int schema_column_of(const struct schema_table *t, struct str column)
{
	for (size_t i = 0; t && i < t->column.n; i++)
		if (str_eq(t->column.at[i].name, column))
			return (int)i;
	return -1;
}

static bool in_set(struct str name, const struct str *set, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(name, set[i]))
			return true;
	return false;
}

bool schema_unique_by(const struct schema_table *t, const struct str *set, size_t n)
{
	for (size_t i = 0; t && i < t->index.n; i++) {
		const struct schema_index *x = t->index.at[i];
		bool all = x->unique && !x->where.p && x->keys > 0;
		for (size_t k = 0; k < x->keys && all; k++)
			all = x->key[k].column >= 0 &&
			      in_set(t->column.at[x->key[k].column].name, set, n);
		if (all)
			return true;
	}
	return false;
}

const struct schema_index *schema_led_by(const struct schema_table *t, struct str column)
{
	int c = schema_column_of(t, column);

	for (size_t i = 0; c >= 0 && i < t->index.n; i++) {
		const struct schema_index *x = t->index.at[i];
		if (x->valid && x->keys && x->key[0].column == c)
			return x;
	}
	return NULL;
}

static bool same_keys(const struct schema_index *a, const struct schema_index *b)
{
	if (a->keys != b->keys || !str_eq(a->method, b->method))
		return false;
	for (size_t i = 0; i < a->keys; i++) {
		const struct schema_key *x = &a->key[i], *y = &b->key[i];
		struct str column = x->column >= 0 ? a->table->column.at[x->column].name : x->expr;

		if (x->desc != y->desc || (x->column < 0) != (y->column < 0) ||
			!str_eq(column,
				y->column >= 0 ? b->table->column.at[y->column].name : y->expr))
			return false;
	}
	return true;
}

bool schema_is_attached(const struct schema *s, const struct schema_index *x)
{
	const struct schema_table *whole =
		x->table->parent.n ? schema_find(s, x->table->schema, x->table->parent) : NULL;

	for (size_t i = 0; whole && i < whole->index.n; i++)
		if (same_keys(whole->index.at[i], x))
			return true;
	return false;
}

bool schema_has_extension(const struct schema *s, const char *name)
{
	for (size_t i = 0; s && i < s->extension.n; i++)
		if (str_is(s->extension.at[i], name))
			return true;
	return false;
}

double schema_enum_labels(const struct schema *s, struct str type)
{
	for (size_t i = 0; s && i < s->enums.n; i++)
		if (str_eq(s->enums.at[i].name, type))
			return (double)s->enums.at[i].labels;
	return 0;
}

#define VIEWS_DEEP 4

static bool resolve(const struct schema *s, const struct sql_outline *o, const struct sql_col *c,
	const struct schema_table **table, const struct schema_column **column, int deep);

/* The column of a view or subquery is the column it shows, when it shows one as it is. */
static bool resolve_output(const struct schema *s, const struct sql_outline *v, struct str name,
	const struct schema_table **table, const struct schema_column **column, int deep)
{
	for (size_t i = 0; deep < VIEWS_DEEP && i < v->targets; i++) {
		const struct sql_target *t = &v->target[i];
		struct sql_col c = t->val.col;
		if (t->kind == TARGET_STAR && v->rels == 1)
			c = (struct sql_col){.name = name, .rel = 0};
		else if (t->kind != TARGET_COLUMN || !str_eq(t->name, name))
			continue;
		return resolve(s, v, &c, table, column, deep + 1);
	}
	return false;
}

/* The query of a subquery or CTE that the planner makes part of the one around it; else NULL. */
static const struct sql_outline *pulled_up(const struct sql_rel *r)
{
	const struct sql_outline *q = r->sub;
	bool once = r->kind == REL_SUBQUERY || (r->kind == REL_CTE && q && q->uses <= 1 &&
						       !q->is_materialized && !q->is_recursive);

	return once && q && q->verb == SQL_SELECT && !q->is_values && !q->is_setop &&
			       !q->has_group && !q->has_aggregate && !q->has_window &&
			       !q->is_distinct && !q->is_distinct_on && q->limit == BOUND_NONE &&
			       q->offset == BOUND_NONE &&
			       !node_len(node_get(r->node, "alias"), "colnames")
		       ? q
		       : NULL;
}

static bool resolve(const struct schema *s, const struct sql_outline *o, const struct sql_col *c,
	const struct schema_table **table, const struct schema_column **column, int deep)
{
	for (size_t i = 0; s && i < o->rels; i++) {
		const struct sql_rel *r = &o->rel[i];
		if (c->rel >= 0 && (size_t)c->rel != i)
			continue;
		if (pulled_up(r) && resolve_output(s, pulled_up(r), c->name, table, column, deep))
			return true;
		if (r->kind != REL_TABLE)
			continue;
		const struct schema_table *t = schema_find(s, r->schema, r->name);
		if (t && t->is_view && t->view && !t->is_stored) {
			if (resolve_output(s, t->view, c->name, table, column, deep))
				return true;
			continue;
		}
		int at = t ? schema_column_of(t, c->name) : -1;
		if (at < 0)
			continue;
		if (table)
			*table = t;
		if (column)
			*column = &t->column.at[at];
		return true;
	}
	return false;
}

bool schema_resolve(const struct schema *s, const struct sql_outline *o, const struct sql_col *c,
	const struct schema_table **table, const struct schema_column **column)
{
	return resolve(s, o, c, table, column, 0);
}

/* --- made comparable --------------------------------------------------------------------- */

static void settle_index(struct schema *s, struct schema_index *x)
{
	struct sql_rel rel = {.kind = REL_TABLE,
		.schema = x->table->schema,
		.name = x->table->name,
		.alias = x->table->name};
	struct sql_outline o = {.rel = &rel, .rels = 1};

	for (size_t k = 0; k < x->keys; k++) {
		const struct sql_node *n = x->key[k].column < 0 && x->key[k].expr.n
						   ? sql_parse_expr(&s->arena, x->key[k].expr, NULL)
						   : NULL;
		x->key[k].canon = n ? schema_canon(s, &s->arena, &o, n) : STR("");
	}
	const struct sql_node *w = x->where.n ? sql_parse_expr(&s->arena, x->where, NULL) : NULL;
	struct sql_cond *conds = w ? sql_conjuncts(&s->arena, w, &x->wheres) : NULL;
	x->where_cond = ARENA_ARRAY(&s->arena, struct schema_where, x->wheres + 1);
	for (size_t i = 0; i < x->wheres; i++)
		x->where_cond[i] = (struct schema_where){
			conds[i], schema_canon(s, &s->arena, &o, conds[i].node)};
}

/* Columns of views have the type of what they show. */
static void settle_view(struct schema *s, struct schema_table *t)
{
	for (size_t i = 0; t->view && i < t->view->targets && i < t->column.n; i++)
		if (!t->column.at[i].type.n && t->view->target[i].kind != TARGET_STAR)
			t->column.at[i].type =
				schema_type(s, &s->arena, t->view, t->view->target[i].val.node);
}

void schema_settle(struct schema *s)
{
	for (size_t i = 0; i < s->table.n; i++) {
		struct schema_table *t = s->table.at[i];
		for (size_t k = 0; k < t->foreign.n; k++) { /* may name tables that came later */
			struct schema_foreign *f = t->foreign.at[k];
			if (!f->parent)
				f->parent = schema_find(s, f->parent_schema, f->parent_name);
		}
		settle_view(s, t);
		for (size_t k = 0; k < t->index.n; k++)
			settle_index(s, t->index.at[k]);
	}
}

/* --- functions and levels ------------------------------------------------------------- */

/* Is the body one expression that no volatile function is called in? */
static bool is_steady(struct schema *s, struct str body)
{
	struct err why;
	struct sql_tree *t = body.n ? sql_parse(&s->arena, body, &why) : NULL;
	const struct sql_outline *o =
		t && t->statements == 1 ? sql_outline(&s->arena, sql_statement(t, 0)) : NULL;

	return o && o->verb == SQL_SELECT && o->targets == 1 && !o->rels && !o->conds && !o->subs &&
	       !o->target[0].val.is_volatile && !schema_is_volatile(s, o->target[0].val.node);
}

void schema_add_function(struct schema *s, struct schema_function f, struct str body)
{
	struct schema_function *known = NULL;

	if (f.is_volatile && is_steady(s, body))
		f.is_volatile = false;
	for (size_t i = 0; i < s->function.n; i++)
		if (str_eq(s->function.at[i].name, f.name))
			known = &s->function.at[i];
	if (known) {
		known->is_volatile &= f.is_volatile;
		known->type = str_eq(known->type, f.type) ? known->type : STR("");
		return;
	}
	f.name = arena_str(&s->arena, f.name);
	f.type = arena_str(&s->arena, f.type);
	*VEC_PUSH(&s->function) = f;
}

struct volatiles {
	const struct schema *s;
};

static enum walk find_volatile(void *ctx, const struct sql_path *at)
{
	const struct schema *s = ((struct volatiles *)ctx)->s;

	if (!node_is(at->node, "FuncCall"))
		return WALK_ON;
	struct str name = node_last_name(at->node, "funcname");
	for (size_t i = 0; i < s->function.n; i++)
		if (s->function.at[i].is_volatile && str_eq(s->function.at[i].name, name))
			return WALK_STOP;
	return WALK_ON;
}

bool schema_is_volatile(const struct schema *s, const struct sql_node *expr)
{
	return s && s->function.n && expr && sql_walk(expr, find_volatile, &(struct volatiles){s});
}

struct str schema_level_of(const struct schema *s, struct str role, struct str db)
{
	struct str found = STR("");
	int best = -1;

	for (size_t i = 0; s && i < s->level.n; i++) {
		const struct schema_level *l = &s->level.at[i];
		/* PostgreSQL's order: the role there, the role, the database, all */
		int rank = (l->role.n ? 2 : 0) + (l->db.n ? 1 : 0);
		if ((l->role.n && !str_eq(l->role, role)) || (l->db.n && !str_eq(l->db, db)) ||
			rank < best)
			continue;
		best = rank;
		found = l->level;
	}
	return found;
}
