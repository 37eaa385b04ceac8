/* SPDX-License-Identifier: ISC
 *
 * schema_live: the live catalog, by the statements of sql/assay_*.sql.
 */
#include "schema_live.h"

#include "sql_text.h"

struct reader {
	struct schema *s;
	struct schema_table *table;
	struct schema_index *index;
	struct schema_foreign *foreign;
};

static void read_database(void *ctx, const struct db_row *r)
{
	struct reader *x = ctx;
	struct str ext = db_get(r, 2);

	x->s->server_version = (int)db_int(r, 0);
	x->s->collate = arena_str(&x->s->arena, db_get(r, 1));
	x->s->stats_days = (int)db_int(r, 3);
	while (ext.n) {
		size_t n = str_find(ext, " ");
		*VEC_PUSH(&x->s->extension) = arena_str(&x->s->arena, str_before(ext, n));
		ext = str_skip(ext, n + 1);
	}
}

/* "_int4" is int4[]. */
static struct str type_of(struct arena *a, struct str t)
{
	if (t.n > 1 && t.p[0] == '_')
		return arena_printf(a, "%.*s[]", STR_ARGS(str_skip(t, 1)));
	return arena_str(a, t);
}

static void read_column(void *ctx, const struct db_row *r)
{
	struct reader *x = ctx;
	struct schema *s = x->s;
	struct str schema = db_get(r, 0), name = db_get(r, 1);

	if (!x->table || !str_eq(x->table->schema, schema) || !str_eq(x->table->name, name)) {
		char kind = db_get(r, 2).p[0];
		x->table = schema_add_table(s, schema, name);
		x->table->is_view = kind == 'v' || kind == 'm';
		x->table->is_foreign = kind == 'f';
		x->table->is_stored = kind == 'm';
		x->table->is_foreign = kind == 'f';
		x->table->is_partitioned = kind == 'p';
		x->table->is_temp = str_is(db_get(r, 3), "t");
		x->table->is_unlogged = str_is(db_get(r, 3), "u");
		x->table->rows = db_real(r, 4);
		x->table->bytes = db_int(r, 5);
		x->table->hot_part = db_real(r, 16);
		if (db_get(r, 15).n)
			x->table->parent = arena_str(&s->arena, db_get(r, 15));
	}
	*VEC_PUSH(&x->table->column) =
		(struct schema_column){.name = arena_str(&s->arena, db_get(r, 6)),
			.type = type_of(&s->arena, db_get(r, 7)),
			.not_null = db_true(r, 8),
			.collation = db_get(r, 9).n ? arena_str(&s->arena, db_get(r, 9)) : STR_NONE,
			.n_distinct = db_real(r, 10),
			.null_frac = db_real(r, 11),
			.correlation = db_real(r, 12),
			.width = (int)db_int(r, 13),
			.length = db_int(r, 14),
			.elements = db_real(r, 17),
			.element_kinds = db_real(r, 18),
			.element_width = db_real(r, 19)};
}

/* An expression as the rules compare it: as libpg_query writes it. */
static struct str respell(struct schema *s, struct str expr)
{
	const struct sql_node *n = expr.n ? sql_parse_expr(&s->arena, expr, NULL) : NULL;
	struct str out = n ? sql_deparse(&s->arena, n) : STR_NONE;

	return out.n ? out : arena_str(&s->arena, expr);
}

static void read_key(void *ctx, const struct db_row *r)
{
	struct reader *x = ctx;
	struct schema *s = x->s;
	struct schema_table *t = schema_find(s, db_get(r, 0), db_get(r, 1));
	struct str name = db_get(r, 2);
	struct schema_index *i = x->index;

	if (!t)
		return;
	if (!i || i->table != t || !str_eq(i->name, name)) {
		i = x->index = schema_add_index(s, t, name);
		i->method = arena_str(&s->arena, db_get(r, 3));
		i->unique = db_true(r, 4);
		i->primary = db_true(r, 5);
		i->valid = db_true(r, 6);
		i->constraint = db_true(r, 7);
		i->replica = db_true(r, 18);
		i->bytes = db_int(r, 8);
		i->scans = db_int(r, 9);
		i->where = db_get(r, 10).n ? respell(s, db_get(r, 10)) : STR_NONE;
		i->key = ARENA_ARRAY(&s->arena, struct schema_key, 33);
		i->include = ARENA_ARRAY(&s->arena, int, 33);
	}
	int column = db_get(r, 12).n ? schema_column_of(t, db_get(r, 12)) : -1;
	if (db_true(r, 11)) {
		if (i->includes < 32)
			i->include[i->includes++] = column;
	} else if (i->keys < 32) {
		i->key[i->keys++] = (struct schema_key){.column = column,
			.expr = column < 0 ? respell(s, db_get(r, 13)) : STR_NONE,
			.opclass = arena_str(&s->arena, db_get(r, 14)),
			.collation = arena_str(&s->arena, db_get(r, 15)),
			.desc = db_true(r, 16),
			.nulls_first = db_true(r, 17)};
	}
}

static void read_foreign(void *ctx, const struct db_row *r)
{
	struct reader *x = ctx;
	struct schema *s = x->s;
	struct schema_table *t = schema_find(s, db_get(r, 0), db_get(r, 1));
	struct schema_foreign *f = x->foreign;

	if (!t)
		return;
	if (!f || f->table != t || !str_eq(f->name, db_get(r, 2))) {
		f = x->foreign = ARENA_NEW(&s->arena, struct schema_foreign);
		f->name = arena_str(&s->arena, db_get(r, 2));
		f->table = t;
		f->parent = schema_find(s, db_get(r, 3), db_get(r, 4));
		f->parent_schema = arena_str(&s->arena, db_get(r, 3));
		f->parent_name = arena_str(&s->arena, db_get(r, 4));
		f->column = ARENA_ARRAY(&s->arena, int, 33);
		*VEC_PUSH(&t->foreign) = f;
	}
	if (f->columns < 32)
		f->column[f->columns++] = schema_column_of(t, db_get(r, 5));
}

static void read_view(void *ctx, const struct db_row *r)
{
	struct reader *x = ctx;
	struct schema_table *t = schema_find(x->s, db_get(r, 0), db_get(r, 1));
	struct sql_tree *tree = sql_parse(&x->s->arena, db_get(r, 2), NULL);

	if (t && tree && tree->statements == 1)
		t->view = sql_outline(&x->s->arena, sql_statement(tree, 0));
}

static void read_policy(void *ctx, const struct db_row *r)
{
	struct reader *x = ctx;
	struct arena *a = &x->s->arena;

	*VEC_PUSH(&x->s->policy) = (struct schema_policy){.name = arena_str(a, db_get(r, 0)),
		.table = arena_str(a, db_get(r, 1)),
		.expr = respell(x->s, db_get(r, 2))};
}

static void read_function(void *ctx, const struct db_row *r)
{
	struct reader *x = ctx;
	struct schema_function f = {.name = db_get(r, 0),
		.is_volatile = db_true(r, 1),
		.type = type_of(&x->s->arena, db_get(r, 2))};

	schema_add_function(x->s, f, db_get(r, 3));
}

static void read_level(void *ctx, const struct db_row *r)
{
	struct reader *x = ctx;
	struct arena *a = &x->s->arena;

	*VEC_PUSH(&x->s->level) = (struct schema_level){.role = arena_str(a, db_get(r, 0)),
		.db = arena_str(a, db_get(r, 1)),
		.level = arena_str(a, db_get(r, 2))};
}

static void read_sequence(void *ctx, const struct db_row *r)
{
	struct reader *x = ctx;
	struct schema_table *t = schema_find(x->s, db_get(r, 0), db_get(r, 1));
	int at = schema_column_of(t, db_get(r, 2));

	if (at >= 0)
		t->column.at[at].last_value = db_int(r, 3);
}

bool schema_read_live(struct schema *s, struct db *db, struct err *why)
{
	struct reader x = {.s = s};

	s->live = s->has_statistics = true;
	if (!db_each(db, sql_assay_database, NULL, 0, read_database, &x, why) ||
		!db_each(db, sql_assay_tables, NULL, 0, read_column, &x, why) ||
		!db_each(db, sql_assay_indexes, NULL, 0, read_key, &x, why) ||
		!db_each(db, sql_assay_foreign, NULL, 0, read_foreign, &x, why) ||
		!db_each(db, sql_assay_views, NULL, 0, read_view, &x, why) ||
		!db_each(db, sql_assay_policies, NULL, 0, read_policy, &x, why) ||
		!db_each(db, sql_assay_functions, NULL, 0, read_function, &x, why) ||
		!db_each(db, sql_assay_levels, NULL, 0, read_level, &x, why) ||
		!db_each(db, sql_assay_sequences, NULL, 0, read_sequence, &x, why))
		return false;
	schema_settle(s);
	return true;
}
