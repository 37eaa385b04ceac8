/* SPDX-License-Identifier: ISC
 *
 * schema_table: the model of tables and indexes, and the questions rules ask it.
 */
#include "schema.h"

struct schema *schema_new(void)
{
	return mem_zalloc(sizeof(struct schema));
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
	map_release(&s->by_name);
	arena_release(&s->arena);
	free(s);
	*ps = NULL;
}

struct schema_table *schema_find(const struct schema *s, struct str schema, struct str name)
{
	if (!s)
		return NULL;
	for (size_t i = 0; i < s->table.n; i++) {
		struct schema_table *t = s->table.at[i];
		if (str_eq(t->name, name) && (schema.n == 0 || str_eq(t->schema, schema)))
			return t;
	}
	return NULL;
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
	*VEC_PUSH(&s->table) = t;
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

const struct schema_index *schema_led_by_expr(const struct schema_table *t, struct str expr)
{
	for (size_t i = 0; t && i < t->index.n; i++) {
		const struct schema_index *x = t->index.at[i];
		if (x->valid && x->keys && x->key[0].column < 0 && str_eq(x->key[0].expr, expr))
			return x;
	}
	return NULL;
}

bool schema_has_extension(const struct schema *s, const char *name)
{
	for (size_t i = 0; s && i < s->extension.n; i++)
		if (str_is(s->extension.at[i], name))
			return true;
	return false;
}

bool schema_resolve(const struct schema *s, const struct sql_outline *o, const struct sql_col *c,
	const struct schema_table **table, const struct schema_column **column)
{
	for (size_t i = 0; s && i < o->rels; i++) {
		const struct sql_rel *r = &o->rel[i];
		if (r->kind != REL_TABLE || (c->rel >= 0 && (size_t)c->rel != i))
			continue;
		const struct schema_table *t = schema_find(s, r->schema, r->name);
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
