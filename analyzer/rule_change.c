/* SPDX-License-Identifier: ISC
 *
 * rule_change: DDL that locks or rewrites, and types that one regrets; off by default, since
 * only their reader knows how big a table is and who is at work.
 */
#include "rule_checks.h"

static struct str table_name(const struct sql_node *n)
{
	return str_of(node_str(node_get(n, "relation"), "relname"));
}

/* Is the table made by the same file before this, so that nobody uses it yet? */
static bool is_new(struct rule_check *c, const struct sql_node *n)
{
	return rule_made(c, str_of(node_str(node_get(n, "relation"), "schemaname")),
		       table_name(n)) != NULL;
}

static const struct schema_table *known(const struct rule_check *c, const struct sql_node *n)
{
	return schema_find(c->schema, str_of(node_str(node_get(n, "relation"), "schemaname")),
		table_name(n));
}

/* --- MG001 ---------------------------------------------------------------------------------- */

void check_mg001(struct rule_check *c)
{
	const struct sql_node *n = c->top->node;
	const struct schema_table *t = known(c, n);

	if (!node_is(n, "IndexStmt") || node_int(n, "concurrent") || is_new(c, n) ||
		(t && t->is_partitioned))
		return;
	struct finding *x = rule_find(c, CONF_LIKELY,
		"no row of %.*s can be written while the index is built", STR_ARGS(table_name(n)));
	x->key = arena_str(&c->findings->arena, table_name(n));
	finding_fix(c->findings, x, STR_NONE,
		"CREATE INDEX CONCURRENTLY, outside of a transaction; it may fail and leave an "
		"invalid index to drop");
}

/* --- MG002, MG003, MG006: ALTER TABLE --------------------------------------------------------- */

/* Has the input a CHECK (column IS NOT NULL) of the table?  Once it is validated, SET NOT NULL
 * believes it. */
static bool is_checked(const struct rule_check *c, struct str table, struct str column)
{
	struct str check = arena_printf(c->arena, "%.*s is not null", STR_ARGS(column));

	for (size_t i = 0; i < c->facts->shape.n; i++) {
		const struct shape *s = c->facts->shape.at[i];
		if (s->verb == SQL_DDL && str_starts(s->norm, "alter table") &&
			str_find(s->norm, table.p) < s->norm.n &&
			str_find(s->norm, check.p) < s->norm.n)
			return true;
	}
	return false;
}

/* PRIMARY KEY and UNIQUE build their index first. */
static bool builds_index(const struct sql_node *def, const char *type)
{
	return (strcmp(type, "CONSTR_UNIQUE") == 0 || strcmp(type, "CONSTR_PRIMARY") == 0) &&
	       !*node_str(def, "indexname");
}

void check_mg002(struct rule_check *c)
{
	const struct sql_node *n = c->top->node;
	const struct schema_table *t = known(c, n);

	for (size_t i = 0; node_is(n, "AlterTableStmt") && i < node_len(n, "cmds"); i++) {
		const struct sql_node *cmd = node_item(n, "cmds", i), *def = node_get(cmd, "def");
		const char *sub = node_enum(cmd, "subtype"), *type = node_enum(def, "contype");
		bool foreign = strcmp(type, "CONSTR_FOREIGN") == 0;
		bool check = strcmp(type, "CONSTR_CHECK") == 0;
		bool null = strcmp(sub, "AT_SetNotNull") == 0, key = builds_index(def, type);
		bool add = strcmp(sub, "AT_AddConstraint") == 0 && (foreign || check || key) &&
			   !node_int(def, "skip_validation");
		struct str column = str_of(node_str(cmd, "name"));
		int at = null ? schema_column_of(t, column) : -1;
		if ((!null && !add) || is_new(c, n) || (at >= 0 && t->column.at[at].not_null) ||
			(null && is_checked(c, table_name(n), column)))
			continue;
		struct finding *x = rule_find(c, CONF_LIKELY,
			"all of %.*s is read under a lock that %s", STR_ARGS(table_name(n)),
			foreign ? "stops its writes and those of the table referenced"
				: "stops everything");
		x->key = arena_str(&c->findings->arena, table_name(n));
		finding_fix(c->findings, x, STR_NONE,
			null  ? "add CHECK (column IS NOT NULL) NOT VALID, validate it, then set "
				"NOT "
				"NULL: it is then believed"
			: key ? "CREATE UNIQUE INDEX CONCURRENTLY, then ADD CONSTRAINT … USING "
				"INDEX"
			      : "add it NOT VALID, then VALIDATE CONSTRAINT in a statement of its "
				"own");
		return;
	}
}

void check_mg003(struct rule_check *c)
{
	const struct sql_node *n = c->top->node;
	const struct schema_table *t = known(c, n);

	for (size_t i = 0; node_is(n, "AlterTableStmt") && i < node_len(n, "cmds"); i++) {
		const struct sql_node *cmd = node_item(n, "cmds", i);
		const struct sql_node *type = node_get(node_get(cmd, "def"), "type_name");
		int at = schema_column_of(t, str_of(node_str(cmd, "name")));
		if (strcmp(node_enum(cmd, "subtype"), "AT_AlterColumnType") != 0 || at < 0 ||
			is_new(c, n))
			continue;
		const struct schema_column *col = &t->column.at[at];
		struct str to = schema_type_name(c->arena, c->schema, type);
		struct sql_side size = sql_side(c->arena, node_item(type, "typmods", 0));
		int64_t length = 0;
		bool sized = str_to_i64(size.value, &length);
		bool wider =
			!sized || (str_eq(to, col->type) && col->length && length >= col->length);
		if (schema_type_is_relabel(col->type, to) && wider)
			continue;
		struct finding *x = rule_find(c, CONF_LIKELY,
			"%.*s is rewritten whole, with all its indexes, while nobody can read it: "
			"%.*s from %.*s to %.*s",
			STR_ARGS(t->name), STR_ARGS(col->name), STR_ARGS(col->type), STR_ARGS(to));
		x->key = arena_str(&c->findings->arena, col->name);
		finding_fix(c->findings, x, STR_NONE,
			"add a column of the new type, fill it in batches, change over");
	}
}

struct use {
	struct str schema, table, column;
	bool table_seen, column_seen;
};

/* An unqualified name may be of any schema. */
static bool is_same_schema(struct str a, struct str b)
{
	return !a.n || !b.n || str_eq(a, b);
}

static enum walk find_use(void *ctx, const struct sql_path *at)
{
	struct use *u = ctx;
	size_t n = node_len(at->node, "fields");

	if (node_is(at->node, "RangeVar"))
		u->table_seen |=
			str_is(u->table, node_str(at->node, "relname")) &&
			is_same_schema(u->schema, str_of(node_str(at->node, "schemaname")));
	else if (node_is(at->node, "ColumnRef") && n)
		u->column_seen |=
			str_is(u->column, node_str(node_item(at->node, "fields", n - 1), "sval"));
	else if (node_is(at->node, "ResTarget"))
		u->column_seen |= str_is(u->column, node_str(at->node, "name"));
	return WALK_ON;
}

static const struct shape *user_of(const struct rule_check *c, struct str schema, struct str table,
	struct str column)
{
	for (size_t i = 0; i < c->facts->shape.n; i++) {
		const struct shape *s = c->facts->shape.at[i];
		struct use u = {schema, table, column, false, false};
		if (s == c->shape || s->verb == SQL_DDL || str_find(s->norm, column.p) == s->norm.n)
			continue;
		struct sql_tree *t = sql_parse(c->arena, s->example, NULL);
		if (t)
			sql_walk(t->root, find_use, &u);
		if (u.table_seen && u.column_seen)
			return s;
	}
	return NULL;
}

void check_mg006(struct rule_check *c)
{
	const struct sql_node *n = c->top->node;
	struct str table = table_name(n), column = STR("");

	if (node_is(n, "RenameStmt") && strcmp(node_enum(n, "rename_type"), "OBJECT_COLUMN") == 0)
		column = str_of(node_str(n, "subname"));
	for (size_t i = 0; node_is(n, "AlterTableStmt") && i < node_len(n, "cmds"); i++)
		if (strcmp(node_enum(node_item(n, "cmds", i), "subtype"), "AT_DropColumn") == 0)
			column = str_of(node_str(node_item(n, "cmds", i), "name"));
	for (size_t i = 0; column.n && i < node_len(n, "cmds"); i++)
		if (str_is(column, node_str(node_get(node_item(n, "cmds", i), "def"), "colname")))
			return; /* it comes back, of another type */
	struct str schema = str_of(node_str(node_get(n, "relation"), "schemaname"));
	const struct shape *s = column.n ? user_of(c, schema, table, column) : NULL;
	if (!s)
		return;
	struct finding *x = rule_find(c, CONF_POSSIBLE, "%.*s.%.*s goes away, and %s uses it",
		STR_ARGS(table), STR_ARGS(column), s->id);
	x->key = arena_str(&c->findings->arena, column);
	finding_str(x, "used_by", str_of(s->id));
	finding_fix(c->findings, x, STR_NONE, "let that statement go first");
}

/* --- MG005: types one regrets --------------------------------------------------------------------
 */

static enum walk find_type(void *ctx, const struct sql_path *at)
{
	static const struct {
		const char *type, *why;
	} regretted[] = {
		{"json", "json keeps the text and must parse it at every use: jsonb"},
		{"bpchar", "char(n) is padded with blanks and saves nothing: text"},
		{"timestamp", "timestamp names no moment: timestamptz"},
		{"money", "money depends on lc_monetary: numeric"},
		{"serial", "serial leaves its sequence's rights apart: GENERATED … AS IDENTITY"},
		{"bigserial",
			"bigserial leaves its sequence's rights apart: GENERATED … AS IDENTITY"},
		{"timetz", "timetz knows an offset and no zone: timestamptz"},
	};
	struct rule_check *c = ctx;

	if (!node_is(at->node, "ColumnDef"))
		return WALK_ON;
	struct str type = node_last_name(node_get(at->node, "type_name"), "names");
	for (size_t i = 0; i < ARRAY_LEN(regretted); i++) {
		if (!str_is(type, regretted[i].type))
			continue;
		struct finding *x = rule_find(c, CONF_CERTAIN, "column %s: %s",
			node_str(at->node, "colname"), regretted[i].why);
		x->key = arena_str(&c->findings->arena, str_of(node_str(at->node, "colname")));
	}
	return WALK_PRUNE;
}

void check_mg005(struct rule_check *c)
{
	if (node_is(c->top->node, "CreateStmt") || node_is(c->top->node, "AlterTableStmt"))
		sql_walk(c->top->node, find_type, c);
}
