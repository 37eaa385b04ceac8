/* SPDX-License-Identifier: ISC
 *
 * rule_ddl: CREATE INDEX and DROP INDEX that can be run as they are printed.
 *
 * Names outside of `public` carry their schema.  CONCURRENTLY stands where PostgreSQL takes it:
 * not for the index of a partitioned table.
 */
#include "rule_ddl.h"

static struct str qualified(struct rule_check *c, struct str schema, struct str name)
{
	struct str n = sql_quote_ident(c->arena, name);

	return schema.n && !str_is(schema, "public")
		       ? arena_printf(c->arena, "%.*s.%.*s",
				 STR_ARGS(sql_quote_ident(c->arena, schema)), STR_ARGS(n))
		       : n;
}

static const char *concurrently(const struct schema_table *t)
{
	return t && t->is_partitioned ? "" : "CONCURRENTLY ";
}

struct str ddl_index(struct rule_check *c, const struct schema_table *t, const char *method,
	struct str keys)
{
	return ddl_index_on(c, t, qualified(c, t->schema, t->name), method, keys);
}

struct str ddl_index_on(struct rule_check *c, const struct schema_table *t, struct str table,
	const char *method, struct str keys)
{
	return arena_printf(c->arena, "CREATE INDEX %sON %.*s%s%s (%.*s)", concurrently(t),
		STR_ARGS(table), *method ? " USING " : "", method, STR_ARGS(keys));
}

struct str ddl_drop(struct rule_check *c, const struct schema_index *x)
{
	return arena_printf(c->arena, "DROP INDEX %s%.*s", concurrently(x->table),
		STR_ARGS(qualified(c, x->table->schema, x->name)));
}

struct str ddl_reindex(struct rule_check *c, const struct schema_index *x)
{
	return arena_printf(c->arena, "REINDEX INDEX CONCURRENTLY %.*s",
		STR_ARGS(qualified(c, x->table->schema, x->name)));
}
