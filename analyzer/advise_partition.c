/* SPDX-License-Identifier: ISC
 *
 * Partitions: what is advised for a part is said of the whole.
 *
 * CREATE INDEX CONCURRENTLY does not go on a partitioned table.  So the DDL for the whole locks out
 * writes while it builds; beside it stand the steps that do not: the index ON ONLY the whole, which
 * builds nothing, one CONCURRENTLY on each part, and ALTER INDEX … ATTACH PARTITION.
 */
#include "advise.h"
#include "rule.h"
#include "schema.h"
#include "sql.h"

#include <math.h>

#define DEPTH_MAX 16

const struct schema_table *partition_root(const struct schema *s, const struct candidate *c)
{
	const struct schema_table *t = schema_find(s, c->schema, c->table), *root = NULL;

	for (int i = 0; t && t->parent.n && i < DEPTH_MAX; i++) {
		t = schema_find(s, t->schema, t->parent);
		root = t ? t : root;
	}
	return root;
}

static bool is_part_of(const struct schema_table *part, const struct schema_table *whole)
{
	return part->parent.n && str_eq(part->parent, whole->name) &&
	       str_eq(part->schema, whole->schema);
}

static double rows_of(const struct schema *s, const struct schema_table *t, int depth)
{
	double rows = 0;

	if (!t->is_partitioned || depth > DEPTH_MAX)
		return fmax(t->rows, 0);
	for (size_t i = 0; i < s->table.n; i++)
		if (is_part_of(s->table.at[i], t))
			rows += rows_of(s, s->table.at[i], depth + 1);
	return rows;
}

int64_t partition_size(const struct schema *s, const struct candidate *part, int64_t bytes,
	const struct schema_table *root)
{
	const struct schema_table *t = schema_find(s, part->schema, part->table);

	if (t == NULL || t->rows < 1)
		return bytes;
	return (int64_t)((double)bytes * fmax(rows_of(s, root, 0), t->rows) / t->rows);
}

static struct str qualified(struct arena *a, struct str schema, struct str name)
{
	return arena_printf(a, "%.*s%s%.*s", STR_ARGS(sql_quote_ident(a, schema)),
		schema.n ? "." : "", STR_ARGS(sql_quote_ident(a, name)));
}

static void put_step(struct arena *a, struct index_advice *x, struct str ddl)
{
	*VEC_PUSH(&x->online) = arena_str(a, str_before(ddl, ddl.n - str_ends(ddl, ";")));
}

/* "ON" -> "ON ONLY": behind the index' name, which may hold the word in quotes. */
static void put_only(struct arena *a, struct index_advice *x, const struct candidate *c)
{
	size_t at = strlen("CREATE INDEX ") + sql_quote_ident(a, c->name).n + strlen(" ON ");

	put_step(a, x,
		arena_printf(a, "%.*sONLY %.*s", STR_ARGS(str_before(c->ddl, at)),
			STR_ARGS(str_skip(c->ddl, at))));
}

static void put_parts(struct arena *a, const struct schema *s, const struct schema_table *whole,
	const struct candidate *c, struct index_advice *x, int depth)
{
	for (size_t i = 0; i < s->table.n && depth < DEPTH_MAX; i++) {
		const struct schema_table *t = s->table.at[i];
		struct candidate part = *c;

		if (!is_part_of(t, whole) || t->is_foreign)
			continue;
		part.schema = t->schema;
		part.table = t->name;
		part.nth = 0;
		candidate_finish_apart(a, s, &part, !t->is_partitioned);
		if (t->is_partitioned) {
			put_only(a, x, &part);
			put_parts(a, s, t, &part, x, depth + 1);
		} else {
			put_step(a, x, part.ddl);
		}
		put_step(a, x,
			arena_printf(a, "ALTER INDEX %.*s ATTACH PARTITION %.*s",
				STR_ARGS(qualified(a, c->schema, c->name)),
				STR_ARGS(qualified(a, part.schema, part.name))));
	}
}

void partition_steps(struct arena *a, const struct schema *s, const struct candidate *whole,
	struct index_advice *x)
{
	const struct schema_table *root = s ? schema_find(s, whole->schema, whole->table) : NULL;

	if (root == NULL || !root->is_partitioned || x->online.n)
		return;
	put_only(a, x, whole);
	put_parts(a, s, root, whole, x, 0);
}
