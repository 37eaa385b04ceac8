/* SPDX-License-Identifier: ISC
 *
 * rule_made: tables that the input itself makes: nobody else uses them yet, and what is temporary
 * is nobody else's at all.
 *
 * All CREATE TABLE … of the input are read when a check asks first; most inputs are never asked.
 */
#include "rule.h"

/* The table that a statement makes: CREATE TABLE, CREATE TABLE AS, SELECT INTO, a materialized
 * view; NULL: none. */
const struct sql_node *rule_makes(const struct sql_node *stmt)
{
	if (node_is(stmt, "CreateStmt"))
		return node_get(stmt, "relation");
	if (node_is(stmt, "CreateTableAsStmt"))
		return node_get(node_get(stmt, "into"), "rel");
	if (node_is(stmt, "SelectStmt"))
		return node_get(node_get(stmt, "into_clause"), "rel");
	return NULL;
}

static void note(struct made_tables *m, const struct sql_tree *t, struct place at)
{
	for (size_t i = 0; t && i < t->statements; i++) {
		const struct sql_node *rel = rule_makes(sql_statement(t, i));
		if (!rel)
			continue;
		*VEC_PUSH(&m->at) = (struct made){
			.schema = arena_str(&m->arena, str_of(node_str(rel, "schemaname"))),
			.name = arena_str(&m->arena, str_of(node_str(rel, "relname"))),
			.is_temp = strcmp(node_str(rel, "relpersistence"), "t") == 0,
			.at = at};
	}
}

static bool may_make(const struct shape *s)
{
	return s->verb == SQL_DDL ||
	       (s->verb == SQL_SELECT && str_find(s->norm, " into ") < s->norm.n);
}

static void read_all(struct rule_check *c)
{
	const struct facts *f = c->facts;
	struct made_tables *m = c->made;

	m->is_read = true;
	for (size_t i = 0; i < f->variant.n; i++)
		if (may_make(f->shape.at[f->variant.at[i].shape]))
			note(m, sql_parse(c->arena, f->variant.at[i].text, NULL),
				f->variant.at[i].place[0]);
	for (size_t i = 0; i < f->shape.n && !f->variant.n; i++)
		if (may_make(f->shape.at[i]))
			note(m, sql_parse(c->arena, f->shape.at[i]->example, NULL),
				f->shape.at[i]->place[0]);
}

const struct made *rule_made(struct rule_check *c, struct str schema, struct str name)
{
	struct place here = {0};

	if (!c->facts || !name.n)
		return NULL;
	if (!c->made->is_read)
		read_all(c);
	if (c->variant)
		here = c->variant->place[0];
	else if (c->shape && c->shape->places)
		here = c->shape->place[0];
	for (size_t i = 0; i < c->made->at.n; i++) {
		const struct made *m = &c->made->at.at[i];
		bool before = m->at.file == here.file && m->at.line <= here.line;
		if (str_eq(m->name, name) && (before || m->is_temp) &&
			(!schema.n || !m->schema.n || str_eq(schema, m->schema)) &&
			(schema.n || !m->schema.n || m->is_temp || str_is(m->schema, "public")))
			return m;
	}
	return NULL;
}

void made_release(struct made_tables *m)
{
	VEC_RELEASE(&m->at);
	arena_release(&m->arena);
}
