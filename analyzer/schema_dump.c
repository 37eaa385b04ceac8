/* SPDX-License-Identifier: ISC
 *
 * schema_dump: DDL text -> schema.  A `pg_dump -s`, or migrations in their order.
 *
 * Statement by statement, so that one that does not parse (psql's \commands, newer syntax)
 * costs only itself.  Sizes and statistics are not known from text.
 */
#include "schema.h"

#include <errno.h>

/* --- columns and constraints -------------------------------------------------------- */

static struct str type_name(struct arena *a, const struct sql_node *t)
{
	struct str n = node_last_name(t, "names");

	/* serial is a default, not a type */
	n = str_is(n, "serial")			       ? STR("int4")
	    : str_is(n, "bigserial")		       ? STR("int8")
	    : str_is(n, "smallserial")		       ? STR("int2")
	    : str_is(n, "int") || str_is(n, "integer") ? STR("int4")
						       : n;
	return node_len(t, "array_bounds") ? arena_printf(a, "%.*s[]", STR_ARGS(n))
					   : arena_str(a, n);
}

static struct schema_index *make_index(struct schema *s, struct schema_table *t, struct str name,
	size_t keys)
{
	struct schema_index *i = schema_add_index(s, t, name);

	i->key = ARENA_ARRAY(&s->arena, struct schema_key, keys + 1);
	i->include = ARENA_ARRAY(&s->arena, int, 33);
	return i;
}

static struct str table_name(const struct schema_table *t)
{
	return t->name;
}

/* PRIMARY KEY (a, b), UNIQUE (a): an index of its own; REFERENCES: a foreign key. */
static void add_key(struct schema *s, struct schema_table *t, const struct sql_node *c,
	struct str column)
{
	bool primary = strcmp(node_enum(c, "contype"), "CONSTR_PRIMARY") == 0;
	size_t n = node_len(c, "keys");
	struct str name = str_of(node_str(c, "conname"));
	struct schema_index *i = make_index(s, t,
		name.n ? name
		       : arena_printf(&s->arena, "%.*s_%s", STR_ARGS(table_name(t)),
				 primary ? "pkey" : "key"),
		n ? n : 1);

	i->unique = i->constraint = true;
	i->primary = primary;
	for (size_t k = 0; k < (n ? n : 1); k++) {
		struct str col = n ? str_of(node_str(node_item(c, "keys", k), "sval")) : column;
		int at = schema_column_of(t, col);
		if (at < 0)
			continue;
		i->key[i->keys++] = (struct schema_key){
			.column = at, .expr = STR_NONE, .opclass = STR(""), .collation = STR("")};
		if (primary)
			t->column.at[at].not_null = true;
	}
}

static void add_foreign(struct schema *s, struct schema_table *t, const struct sql_node *c,
	struct str column)
{
	struct schema_foreign *f = ARENA_NEW(&s->arena, struct schema_foreign);
	const struct sql_node *parent = node_get(c, "pktable");
	size_t n = node_len(c, "fk_attrs");

	f->name = arena_str(&s->arena, str_of(node_str(c, "conname")));
	f->table = t;
	f->parent_name = arena_str(&s->arena, str_of(node_str(parent, "relname")));
	f->parent = schema_find(s, str_of(node_str(parent, "schemaname")), f->parent_name);
	f->column = ARENA_ARRAY(&s->arena, int, n + 1);
	for (size_t k = 0; k < (n ? n : 1); k++) {
		struct str col = n ? str_of(node_str(node_item(c, "fk_attrs", k), "sval")) : column;
		f->column[f->columns++] = schema_column_of(t, col);
	}
	*VEC_PUSH(&t->foreign) = f;
}

static void add_constraint(struct schema *s, struct schema_table *t, const struct sql_node *c,
	struct str column)
{
	const char *type = node_enum(c, "contype");
	int at = schema_column_of(t, column);

	if (strcmp(type, "CONSTR_NOTNULL") == 0 && at >= 0)
		t->column.at[at].not_null = true;
	else if (strcmp(type, "CONSTR_PRIMARY") == 0 || strcmp(type, "CONSTR_UNIQUE") == 0)
		add_key(s, t, c, column);
	else if (strcmp(type, "CONSTR_FOREIGN") == 0)
		add_foreign(s, t, c, column);
}

static void add_column(struct schema *s, struct schema_table *t, const struct sql_node *d)
{
	struct schema_column *c = VEC_PUSH(&t->column);
	struct str collation = node_last_name(node_get(d, "coll_clause"), "collname");

	memset(c, 0, sizeof(*c));
	c->name = arena_str(&s->arena, str_of(node_str(d, "colname")));
	c->type = type_name(&s->arena, node_get(d, "type_name"));
	c->not_null = node_int(d, "is_not_null") != 0;
	c->collation = collation.n ? arena_str(&s->arena, collation) : STR_NONE;
	struct str name = c->name;
	for (size_t i = 0; i < node_len(d, "constraints"); i++)
		add_constraint(s, t, node_item(d, "constraints", i), name);
}

/* --- statements ------------------------------------------------------------------------ */

static struct schema_table *table_of(struct schema *s, const struct sql_node *rel, bool make)
{
	struct str schema = str_of(node_str(rel, "schemaname")),
		   name = str_of(node_str(rel, "relname"));
	struct schema_table *t = schema_find(s, schema, name);

	return t || !make ? t : schema_add_table(s, schema, name);
}

static void create_table(struct schema *s, const struct sql_node *n)
{
	struct schema_table *t = table_of(s, node_get(n, "relation"), true);

	if (t->column.n)
		return; /* IF NOT EXISTS */
	t->is_partitioned = node_get(n, "partspec") != NULL;
	t->is_temp = strcmp(node_str(node_get(n, "relation"), "relpersistence"), "t") == 0;
	for (size_t i = 0; i < node_len(n, "table_elts"); i++)
		if (node_is(node_item(n, "table_elts", i), "ColumnDef"))
			add_column(s, t, node_item(n, "table_elts", i));
	for (size_t i = 0; i < node_len(n, "table_elts"); i++)
		if (node_is(node_item(n, "table_elts", i), "Constraint"))
			add_constraint(s, t, node_item(n, "table_elts", i), STR(""));
	for (size_t i = 0; i < node_len(n, "constraints"); i++)
		add_constraint(s, t, node_item(n, "constraints", i), STR(""));
}

static void alter_table(struct schema *s, const struct sql_node *n)
{
	struct schema_table *t = table_of(s, node_get(n, "relation"), false);

	for (size_t i = 0; t && i < node_len(n, "cmds"); i++) {
		const struct sql_node *c = node_item(n, "cmds", i), *def = node_get(c, "def");
		const char *type = node_enum(c, "subtype");
		int at = schema_column_of(t, str_of(node_str(c, "name")));
		if (strcmp(type, "AT_AddConstraint") == 0)
			add_constraint(s, t, def, STR(""));
		else if (strcmp(type, "AT_AddColumn") == 0)
			add_column(s, t, def);
		else if (strcmp(type, "AT_SetNotNull") == 0 && at >= 0)
			t->column.at[at].not_null = true;
		else if (strcmp(type, "AT_AlterColumnType") == 0 && at >= 0)
			t->column.at[at].type = type_name(&s->arena, node_get(def, "type_name"));
	}
}

static void create_index(struct schema *s, const struct sql_node *n)
{
	struct schema_table *t = table_of(s, node_get(n, "relation"), false);
	size_t keys = node_len(n, "index_params");
	struct schema_index *x;

	if (!t)
		return;
	x = make_index(s, t, str_of(node_str(n, "idxname")), keys);
	x->unique = node_int(n, "unique") != 0;
	if (*node_str(n, "access_method"))
		x->method = arena_str(&s->arena, str_of(node_str(n, "access_method")));
	if (node_get(n, "where_clause"))
		x->where = sql_deparse(&s->arena, node_get(n, "where_clause"));
	for (size_t i = 0; i < keys; i++) {
		const struct sql_node *e = node_item(n, "index_params", i);
		const char *nulls = node_enum(e, "nulls_ordering");
		struct schema_key *k = &x->key[x->keys++];
		k->column = schema_column_of(t, str_of(node_str(e, "name")));
		k->expr = node_get(e, "expr") ? sql_deparse(&s->arena, node_get(e, "expr"))
					      : STR_NONE;
		k->opclass = arena_str(&s->arena, node_last_name(e, "opclass"));
		k->collation = arena_str(&s->arena, node_last_name(e, "collation"));
		k->desc = strcmp(node_enum(e, "ordering"), "SORTBY_DESC") == 0;
		k->nulls_first = strcmp(nulls, "SORTBY_NULLS_FIRST") == 0 ||
				 (k->desc && strcmp(nulls, "SORTBY_NULLS_LAST") != 0);
	}
	for (size_t i = 0; i < node_len(n, "index_including_params") && i < 32; i++)
		x->include[x->includes++] = schema_column_of(t,
			str_of(node_str(node_item(n, "index_including_params", i), "name")));
}

static void create_view(struct schema *s, const struct sql_node *n)
{
	struct schema_table *t = table_of(s, node_get(n, "view"), true);

	t->is_view = true;
	t->view = sql_outline(&s->arena, node_get(n, "query"));
	for (size_t i = 0; i < t->view->targets && !t->column.n; i++)
		if (t->view->target[i].name.n)
			*VEC_PUSH(&t->column) = (struct schema_column){
				.name = t->view->target[i].name, .type = STR("")};
}

static void read_statement(struct schema *s, const struct sql_node *n)
{
	if (node_is(n, "CreateStmt"))
		create_table(s, n);
	else if (node_is(n, "AlterTableStmt"))
		alter_table(s, n);
	else if (node_is(n, "IndexStmt"))
		create_index(s, n);
	else if (node_is(n, "ViewStmt"))
		create_view(s, n);
	else if (node_is(n, "CreateExtensionStmt"))
		*VEC_PUSH(&s->extension) = arena_str(&s->arena, str_of(node_str(n, "extname")));
}

/* Foreign keys may name tables that came later. */
static void settle(struct schema *s)
{
	for (size_t i = 0; i < s->table.n; i++)
		for (size_t k = 0; k < s->table.at[i]->foreign.n; k++) {
			struct schema_foreign *f = s->table.at[i]->foreign.at[k];
			if (!f->parent)
				f->parent = schema_find(s, STR(""), f->parent_name);
		}
}

void schema_read_ddl(struct schema *s, struct str text)
{
	struct err why;

	while (text.n) {
		size_t n = sql_statement_end(text.p, text.n);
		struct str one = str_trim(str_before(text, n));
		text = str_skip(text, n);
		while (one.n && one.p[0] == '\\') { /* a command of psql: one line */
			size_t nl = str_find(one, "\n");
			one = str_trim(str_skip(one, nl));
		}
		struct sql_tree *t = one.n ? sql_parse(&s->arena, one, &why) : NULL;
		for (size_t i = 0; t && i < t->statements; i++)
			read_statement(s, sql_statement(t, i));
	}
	settle(s);
}

bool schema_read_dump(struct schema *s, const char *path, struct err *why)
{
	FILE *f = fopen(path, "r");
	struct text t = {0};
	char buf[65536];
	size_t n;

	if (!f)
		return err_set(why, "%s: %s", path, strerror(errno));
	while ((n = fread(buf, 1, sizeof(buf), f)) > 0)
		text_add(&t, buf, n);
	bool ok = !ferror(f);
	fclose(f);
	if (ok)
		schema_read_ddl(s, text_slice(&t));
	else
		err_set(why, "%s: %s", path, strerror(errno));
	text_release(&t);
	return ok;
}
