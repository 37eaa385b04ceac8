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

static struct schema_index *make_index(struct schema *s, struct schema_table *t, struct str name,
	size_t keys)
{
	struct schema_index *i = schema_add_index(s, t, name);

	i->key = ARENA_ARRAY(&s->arena, struct schema_key, keys + 1);
	i->include = ARENA_ARRAY(&s->arena, int, 33);
	return i;
}

static bool has_index(const struct schema_table *t, struct str name)
{
	for (size_t i = 0; i < t->index.n; i++)
		if (str_eq(t->index.at[i]->name, name))
			return true;
	return false;
}

static void include_columns(struct schema_index *x, const struct sql_node *n, const char *list)
{
	for (size_t i = 0; i < node_len(n, list) && x->includes < 32; i++) {
		const struct sql_node *e = node_item(n, list, i);
		const char *name =
			node_is(e, "IndexElem") ? node_str(e, "name") : node_str(e, "sval");
		x->include[x->includes++] = schema_column_of(x->table, str_of(name));
	}
}

/* ADD CONSTRAINT … PRIMARY KEY USING INDEX: the index is there already. */
static void adopt_index(struct schema_table *t, struct str name, bool primary)
{
	for (size_t i = 0; i < t->index.n; i++) {
		struct schema_index *x = t->index.at[i];
		if (!str_eq(x->name, name))
			continue;
		x->constraint = x->unique = true;
		x->primary = primary;
		for (size_t k = 0; primary && k < x->keys; k++)
			if (x->key[k].column >= 0)
				t->column.at[x->key[k].column].not_null = true;
	}
}

/* The name PostgreSQL gives: t_a_b_key, t_pkey. */
static struct str key_name(struct schema *s, const struct schema_table *t, const struct sql_node *c,
	struct str column, bool primary)
{
	struct str name = arena_str(&s->arena, t->name);

	if (primary)
		return arena_printf(&s->arena, "%.*s_pkey", STR_ARGS(name));
	for (size_t i = 0; i < node_len(c, "keys"); i++)
		name = arena_printf(&s->arena, "%.*s_%s", STR_ARGS(name),
			node_str(node_item(c, "keys", i), "sval"));
	if (column.n)
		name = arena_printf(&s->arena, "%.*s_%.*s", STR_ARGS(name), STR_ARGS(column));
	return arena_printf(&s->arena, "%.*s_key", STR_ARGS(name));
}

/* PRIMARY KEY (a, b), UNIQUE (a): an index of its own. */
static void add_key(struct schema *s, struct schema_table *t, const struct sql_node *c,
	struct str column)
{
	bool primary = strcmp(node_enum(c, "contype"), "CONSTR_PRIMARY") == 0;
	size_t n = node_len(c, "keys");
	struct str name = str_of(node_str(c, "conname")), use = str_of(node_str(c, "indexname"));

	if (use.n) {
		adopt_index(t, use, primary);
		return;
	}
	if (!name.n)
		name = key_name(s, t, c, column, primary);
	if (has_index(t, name))
		return; /* read twice */
	struct schema_index *i = make_index(s, t, name, n ? n : 1);

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
	include_columns(i, c, "including");
}

static void read_keys(struct schema *s, struct schema_index *x, const struct sql_node *elem);

/* EXCLUDE USING gist (a WITH =, …): an index that is no unique one. */
static void add_exclusion(struct schema *s, struct schema_table *t, const struct sql_node *c)
{
	size_t n = node_len(c, "exclusions");
	struct schema_index *x = make_index(s, t, str_of(node_str(c, "conname")), n);

	x->constraint = true;
	x->method = arena_str(&s->arena, str_of(node_str(c, "access_method")));
	for (size_t i = 0; i < n; i++)
		read_keys(s, x, node_item(node_item(c, "exclusions", i), "items", 0));
	if (node_get(c, "where_clause"))
		x->where = sql_deparse(&s->arena, node_get(c, "where_clause"));
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
	f->parent_schema = arena_str(&s->arena, str_of(node_str(parent, "schemaname")));
	f->parent = schema_find(s, f->parent_schema, f->parent_name);
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
	else if (strcmp(type, "CONSTR_EXCLUSION") == 0)
		add_exclusion(s, t, c);
}

static const struct schema_domain *domain_of(const struct schema *s, const struct sql_node *type)
{
	struct str name = node_last_name(type, "names");

	for (size_t i = 0; i < s->domain.n && !node_len(type, "array_bounds"); i++)
		if (str_eq(s->domain.at[i].name, name))
			return &s->domain.at[i];
	return NULL;
}

/* n of varchar(n), char(n). */
static int64_t length_of(struct schema *s, const struct sql_node *type, struct str name)
{
	struct sql_side size = sql_side(&s->arena, node_item(type, "typmods", 0));
	int64_t n = 0;

	return (str_is(name, "varchar") || str_is(name, "bpchar")) && str_to_i64(size.value, &n)
		       ? n
		       : 0;
}

static void set_type(struct schema *s, struct schema_column *c, const struct sql_node *type)
{
	c->type = schema_type_name(&s->arena, s, type);
	c->length = length_of(s, type, c->type);
}

static void add_column(struct schema *s, struct schema_table *t, const struct sql_node *d)
{
	struct schema_column *c = VEC_PUSH(&t->column);
	struct str collation = node_last_name(node_get(d, "coll_clause"), "collname");

	memset(c, 0, sizeof(*c));
	c->name = arena_str(&s->arena, str_of(node_str(d, "colname")));
	set_type(s, c, node_get(d, "type_name"));
	c->not_null = node_int(d, "is_not_null") != 0 ||
		      str_ends(node_last_name(node_get(d, "type_name"), "names"), "serial");
	c->collation = collation.n ? arena_str(&s->arena, collation) : STR_NONE;
	const struct schema_domain *domain = domain_of(s, node_get(d, "type_name"));
	c->domain = domain ? domain->name : STR_NONE;
	if (domain && !c->collation.n)
		c->collation = domain->collation;
	c->not_null |= domain && domain->not_null;
	struct str name = c->name;
	for (size_t i = 0; i < node_len(d, "constraints"); i++)
		add_constraint(s, t, node_item(d, "constraints", i), name);
}

/* --- statements ------------------------------------------------------------------------ */

/* Unqualified names are of the schema that SET search_path names first, as a pg_dump of
 * PostgreSQL 9.6 and older has it. */
static struct schema_table *table_of(struct schema *s, const struct sql_node *rel, bool make)
{
	struct str schema = str_of(node_str(rel, "schemaname")),
		   name = str_of(node_str(rel, "relname"));
	struct schema_table *t = schema.n || !s->path.n ? NULL : schema_find(s, s->path, name);

	if (!t && !(make && !schema.n && s->path.n))
		t = schema_find(s, schema, name);
	return t || !make ? t : schema_add_table(s, schema.n ? schema : s->path, name);
}

/* INHERITS, PARTITION OF, LIKE: the columns of another table come first. */
static void copy_columns(struct schema *s, struct schema_table *t, const struct sql_node *rel)
{
	const struct schema_table *from = table_of(s, rel, false);

	for (size_t i = 0; from && from != t && i < from->column.n; i++)
		if (schema_column_of(t, from->column.at[i].name) < 0)
			*VEC_PUSH(&t->column) = from->column.at[i];
}

static void set_parent(struct schema *s, struct schema_table *t, const struct sql_node *parent)
{
	t->parent = arena_str(&s->arena, str_of(node_str(parent, "relname")));
}

static void create_table(struct schema *s, const struct sql_node *n)
{
	struct schema_table *t = table_of(s, node_get(n, "relation"), true);

	if (t->column.n)
		return; /* IF NOT EXISTS */
	for (size_t i = 0; i < node_len(n, "inh_relations"); i++)
		copy_columns(s, t, node_item(n, "inh_relations", i));
	t->is_partitioned = node_get(n, "partspec") != NULL;
	if (node_get(n, "partbound") && node_len(n, "inh_relations"))
		set_parent(s, t, node_item(n, "inh_relations", 0));
	t->is_temp = strcmp(node_str(node_get(n, "relation"), "relpersistence"), "t") == 0;
	t->is_unlogged = strcmp(node_str(node_get(n, "relation"), "relpersistence"), "u") == 0;
	for (size_t i = 0; i < node_len(n, "table_elts"); i++)
		if (node_is(node_item(n, "table_elts", i), "ColumnDef"))
			add_column(s, t, node_item(n, "table_elts", i));
		else if (node_is(node_item(n, "table_elts", i), "TableLikeClause"))
			copy_columns(s, t, node_get(node_item(n, "table_elts", i), "relation"));
	for (size_t i = 0; i < node_len(n, "table_elts"); i++)
		if (node_is(node_item(n, "table_elts", i), "Constraint"))
			add_constraint(s, t, node_item(n, "table_elts", i), STR(""));
	for (size_t i = 0; i < node_len(n, "constraints"); i++)
		add_constraint(s, t, node_item(n, "constraints", i), STR(""));
}

/* The index of a constraint, the foreign key, or the index of that name. */
static void drop_named(struct schema_table *t, struct str name)
{
	for (size_t i = 0; i < t->index.n; i++)
		if (str_eq(t->index.at[i]->name, name)) {
			t->index.at[i--] = t->index.at[--t->index.n];
		}
	for (size_t i = 0; i < t->foreign.n; i++)
		if (str_eq(t->foreign.at[i]->name, name))
			t->foreign.at[i--] = t->foreign.at[--t->foreign.n];
}

/* Its place stays, so that keys still count right; its indexes and foreign keys go with it. */
static void drop_column(struct schema_table *t, int at)
{
	t->column.at[at].name = STR("");
	for (size_t i = 0; i < t->foreign.n; i++) {
		bool uses = false;
		for (size_t k = 0; k < t->foreign.at[i]->columns; k++)
			uses |= t->foreign.at[i]->column[k] == at;
		if (uses)
			t->foreign.at[i--] = t->foreign.at[--t->foreign.n];
	}
	for (size_t i = 0; i < t->index.n; i++) {
		bool uses = false;
		for (size_t k = 0; k < t->index.at[i]->keys; k++)
			uses |= t->index.at[i]->key[k].column == at;
		if (uses)
			t->index.at[i--] = t->index.at[--t->index.n];
	}
}

static void replica_identity(struct schema_table *t, struct str name)
{
	for (size_t i = 0; name.n && i < t->index.n; i++)
		if (str_eq(t->index.at[i]->name, name))
			t->index.at[i]->replica = true;
}

static void alter_table(struct schema *s, const struct sql_node *n)
{
	struct schema_table *t = table_of(s, node_get(n, "relation"), false);

	for (size_t i = 0; t && i < node_len(n, "cmds"); i++) {
		const struct sql_node *c = node_item(n, "cmds", i), *def = node_get(c, "def");
		const char *type = node_enum(c, "subtype");
		int at = schema_column_of(t, str_of(node_str(c, "name")));
		struct schema_table *part;

		if (strcmp(type, "AT_AttachPartition") == 0 &&
			(part = table_of(s, node_get(def, "name"), false)) != NULL)
			set_parent(s, part, node_get(n, "relation"));
		if (strcmp(type, "AT_AddConstraint") == 0)
			add_constraint(s, t, def, STR(""));
		else if (strcmp(type, "AT_AddColumn") == 0)
			add_column(s, t, def);
		else if (strcmp(type, "AT_SetNotNull") == 0 && at >= 0)
			t->column.at[at].not_null = true;
		else if (strcmp(type, "AT_DropNotNull") == 0 && at >= 0)
			t->column.at[at].not_null = false;
		else if (strcmp(type, "AT_AlterColumnType") == 0 && at >= 0)
			set_type(s, &t->column.at[at], node_get(def, "type_name"));
		else if (strcmp(type, "AT_DropConstraint") == 0)
			drop_named(t, str_of(node_str(c, "name")));
		else if (strcmp(type, "AT_DropColumn") == 0 && at >= 0)
			drop_column(t, at);
		else if (strcmp(type, "AT_ReplicaIdentity") == 0)
			replica_identity(t, str_of(node_str(def, "name")));
	}
}

/* What migrations take back. */
static void drop(struct schema *s, const struct sql_node *n)
{
	const char *type = node_enum(n, "remove_type");

	for (size_t i = 0; i < node_len(n, "objects"); i++) {
		struct str name = node_last_name(node_item(n, "objects", i), "items");
		for (size_t k = 0; k < s->table.n && strcmp(type, "OBJECT_INDEX") == 0; k++)
			drop_named(s->table.at[k], name);
		struct schema_table *t =
			strcmp(type, "OBJECT_TABLE") == 0 ? schema_find(s, STR(""), name) : NULL;
		if (t) { /* a table without columns is not known */
			t->column.n = t->index.n = t->foreign.n = 0;
		}
	}
}

static void rename_object(struct schema *s, const struct sql_node *n)
{
	struct schema_table *t = table_of(s, node_get(n, "relation"), false);
	int at = schema_column_of(t, str_of(node_str(n, "subname")));

	if (t && at >= 0 && strcmp(node_enum(n, "rename_type"), "OBJECT_COLUMN") == 0)
		t->column.at[at].name = arena_str(&s->arena, str_of(node_str(n, "newname")));
}

/* One key of CREATE INDEX or EXCLUDE, added to x. */
static void read_keys(struct schema *s, struct schema_index *x, const struct sql_node *e)
{
	const char *nulls = node_enum(e, "nulls_ordering");
	struct schema_key *k = &x->key[x->keys++];

	k->column = schema_column_of(x->table, str_of(node_str(e, "name")));
	k->expr = node_get(e, "expr") ? sql_deparse(&s->arena, node_get(e, "expr")) : STR_NONE;
	k->opclass = arena_str(&s->arena, node_last_name(e, "opclass"));
	k->collation = arena_str(&s->arena, node_last_name(e, "collation"));
	k->desc = strcmp(node_enum(e, "ordering"), "SORTBY_DESC") == 0;
	k->nulls_first = strcmp(nulls, "SORTBY_NULLS_FIRST") == 0 ||
			 (k->desc && strcmp(nulls, "SORTBY_NULLS_LAST") != 0);
}

static void create_index(struct schema *s, const struct sql_node *n)
{
	struct schema_table *t = table_of(s, node_get(n, "relation"), false);
	size_t keys = node_len(n, "index_params");
	struct str name = str_of(node_str(n, "idxname"));
	struct schema_index *x;

	if (!t || (name.n && has_index(t, name)))
		return; /* IF NOT EXISTS, or read twice */
	x = make_index(s, t, name, keys);
	x->unique = node_int(n, "unique") != 0;
	if (*node_str(n, "access_method"))
		x->method = arena_str(&s->arena, str_of(node_str(n, "access_method")));
	if (node_get(n, "where_clause"))
		x->where = sql_deparse(&s->arena, node_get(n, "where_clause"));
	for (size_t i = 0; i < keys; i++)
		read_keys(s, x, node_item(n, "index_params", i));
	include_columns(x, n, "index_including_params");
}

static void show_columns(struct schema *s, struct schema_table *t, const struct sql_node *query,
	const struct sql_node *names, const char *list)
{
	t->is_view = true;
	t->view = sql_outline(&s->arena, query);
	const struct sql_outline *o = t->view;
	while (o->is_setop && o->subs) /* the first arm names the columns */
		o = o->sub[0];
	for (size_t i = 0; i < o->targets && t->column.n <= i; i++) {
		const char *given = node_str(node_item(names, list, i), "sval");
		struct str name = *given ? str_of(given) : o->target[i].name;
		struct schema_column c = {.name = arena_str(&s->arena, name), .type = STR("")};
		if (name.n)
			*VEC_PUSH(&t->column) = c;
	}
}

static void create_view(struct schema *s, const struct sql_node *n)
{
	show_columns(s, table_of(s, node_get(n, "view"), true), node_get(n, "query"), n, "aliases");
}

/* CREATE MATERIALIZED VIEW, CREATE TABLE AS. */
static void create_as(struct schema *s, const struct sql_node *n)
{
	const struct sql_node *into = node_get(n, "into");
	struct schema_table *t = table_of(s, node_get(into, "rel"), true);

	if (!node_is(node_get(n, "query"), "SelectStmt"))
		return;
	show_columns(s, t, node_get(n, "query"), into, "col_names");
	t->is_temp = strcmp(node_str(node_get(into, "rel"), "relpersistence"), "t") == 0;
	t->is_stored = true;
	t->is_view = strcmp(node_enum(n, "objtype"), "OBJECT_MATVIEW") == 0;
}

static void create_domain(struct schema *s, const struct sql_node *n)
{
	struct schema_domain d = {.name = arena_str(&s->arena, node_last_name(n, "domainname")),
		.base = schema_type_name(&s->arena, s, node_get(n, "type_name")),
		.collation = arena_str(&s->arena,
			node_last_name(node_get(n, "coll_clause"), "collname"))};

	if (!d.collation.n)
		d.collation = STR_NONE;
	for (size_t i = 0; i < node_len(n, "constraints"); i++)
		d.not_null |= strcmp(node_enum(node_item(n, "constraints", i), "contype"),
				      "CONSTR_NOTNULL") == 0;
	*VEC_PUSH(&s->domain) = d;
}

static void create_enum(struct schema *s, const struct sql_node *n)
{
	*VEC_PUSH(&s->enums) = (struct schema_enum){
		arena_str(&s->arena, node_last_name(n, "type_name")), node_len(n, "vals")};
}

/* ALTER TYPE … ADD VALUE. */
static void alter_enum(struct schema *s, const struct sql_node *n)
{
	struct str name = node_last_name(n, "type_name");

	for (size_t i = 0; i < s->enums.n; i++)
		if (str_eq(s->enums.at[i].name, name) && !*node_str(n, "old_val"))
			s->enums.at[i].labels++;
}

/* USING alone: WITH CHECK is asked of written rows only. */
static void create_policy(struct schema *s, const struct sql_node *n)
{
	if (node_get(n, "qual"))
		*VEC_PUSH(&s->policy) = (struct schema_policy){
			.name = arena_str(&s->arena, str_of(node_str(n, "policy_name"))),
			.table = arena_str(&s->arena,
				str_of(node_str(node_get(n, "table"), "relname"))),
			.expr = sql_deparse(&s->arena, node_get(n, "qual"))};
}

static void create_function(struct schema *s, const struct sql_node *n)
{
	const struct sql_node *returns = node_get(n, "return_type");
	struct schema_function f = {.name = node_last_name(n, "funcname"),
		.is_volatile = true,
		.type = returns ? schema_type_name(&s->arena, s, returns) : STR("")};
	struct str body = STR("");
	bool is_sql = false;

	for (size_t i = 0; i < node_len(n, "options"); i++) {
		const struct sql_node *o = node_item(n, "options", i), *arg = node_get(o, "arg");
		const char *name = node_str(o, "defname");
		if (strcmp(name, "volatility") == 0)
			f.is_volatile = strcmp(node_str(arg, "sval"), "volatile") == 0;
		else if (strcmp(name, "language") == 0)
			is_sql = strcasecmp(node_str(arg, "sval"), "sql") == 0;
		else if (strcmp(name, "as") == 0)
			body = str_of(node_str(node_item(arg, "items", 0), "sval"));
	}
	schema_add_function(s, f, is_sql && !node_int(returns, "setof") ? body : STR(""));
}

/* ALTER ROLE, ALTER DATABASE, ALTER SYSTEM … SET. */
static void alter_settings(struct schema *s, const struct sql_node *n)
{
	const struct sql_node *set = node_get(n, "setstmt");
	const char *role = node_str(node_get(n, "role"), "rolename");
	const char *db = node_is(n, "AlterDatabaseSetStmt") ? node_str(n, "dbname")
							    : node_str(n, "database");
	struct sql_side v = sql_side(&s->arena, node_item(set, "args", 0));

	if (strcmp(node_str(set, "name"), "default_transaction_isolation") != 0)
		return;
	*VEC_PUSH(&s->level) = (struct schema_level){.role = arena_str(&s->arena, str_of(role)),
		.db = arena_str(&s->arena, str_of(db)),
		.level = arena_str(&s->arena, v.value)};
}

static void set_path(struct schema *s, const struct sql_node *n)
{
	if (strcmp(node_str(n, "name"), "search_path") != 0)
		return;
	struct sql_side first = sql_side(&s->arena, node_item(n, "args", 0));
	s->path = str_starts(first.value, "$") ? STR("") : arena_str(&s->arena, first.value);
}

static void read_statement(struct schema *s, const struct sql_node *n)
{
	static const struct {
		const char *kind;
		void (*read)(struct schema *s, const struct sql_node *n);
	} kinds[] = {
		{"CreateStmt", create_table},
		{"AlterTableStmt", alter_table},
		{"IndexStmt", create_index},
		{"ViewStmt", create_view},
		{"CreateTableAsStmt", create_as},
		{"CreateDomainStmt", create_domain},
		{"CreateEnumStmt", create_enum},
		{"AlterEnumStmt", alter_enum},
		{"CreatePolicyStmt", create_policy},
		{"CreateFunctionStmt", create_function},
		{"AlterRoleSetStmt", alter_settings},
		{"AlterDatabaseSetStmt", alter_settings},
		{"AlterSystemStmt", alter_settings},
		{"VariableSetStmt", set_path},
		{"DropStmt", drop},
		{"RenameStmt", rename_object},
	};

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (node_is(n, kinds[i].kind))
			kinds[i].read(s, n);
	if (node_is(n, "CreateExtensionStmt"))
		*VEC_PUSH(&s->extension) = arena_str(&s->arena, str_of(node_str(n, "extname")));
	if (node_is(n, "CreateForeignTableStmt")) {
		create_table(s, node_get(n, "base_stmt"));
		table_of(s, node_get(node_get(n, "base_stmt"), "relation"), true)->is_foreign =
			true;
	}
}

void schema_read_ddl(struct schema *s, struct str text)
{
	struct err why;

	while (text.n) {
		size_t n = sql_statement_end(text.p, text.n);
		struct str one = str_trim(str_before(text, n));
		text = str_skip(text, n);
		text = str_skip(text, sql_copy_data(one, text.p, text.n));
		struct sql_tree *t =
			one.n && !sql_is_psql(one) ? sql_parse(&s->arena, one, &why) : NULL;
		for (size_t i = 0; t && i < t->statements; i++)
			read_statement(s, sql_statement(t, i));
	}
	schema_settle(s);
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
