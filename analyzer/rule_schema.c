/* SPDX-License-Identifier: ISC
 *
 * rule_schema: what is wrong with tables and indexes whatever is asked of them.
 */
#include "rule_checks.h"
#include "rule_ddl.h"

static bool key_equal(const struct schema_key *a, const struct schema_key *b)
{
	if (a->column < 0 && !a->expr.n)
		return false; /* a column that is not known */
	return a->column == b->column && str_eq(a->expr, b->expr) &&
	       str_eq(a->opclass, b->opclass) && str_eq(a->collation, b->collation) &&
	       a->desc == b->desc && a->nulls_first == b->nulls_first;
}

/* Do the first keys of b equal all keys of a, over the same rows? */
static bool is_prefix(const struct schema_index *a, const struct schema_index *b)
{
	if (a->keys == 0 || a->keys > b->keys || !str_eq(a->method, b->method) ||
		!str_eq(a->where, b->where) || !a->valid || !b->valid)
		return false;
	for (size_t i = 0; i < a->keys; i++)
		if (!key_equal(&a->key[i], &b->key[i]))
			return false;
	return true;
}

static bool same_include(const struct schema_index *a, const struct schema_index *b)
{
	if (a->includes != b->includes)
		return false;
	for (size_t i = 0; i < a->includes; i++)
		if (a->include[i] != b->include[i])
			return false;
	return true;
}

#define FEW_PARENTS 100 /* rows that may be a list of values */

/* --- IX001: foreign keys ------------------------------------------------------------- */

static bool is_foreign_column(const struct schema_foreign *f, int column)
{
	for (size_t i = 0; i < f->columns; i++)
		if (f->column[i] == column)
			return true;
	return false;
}

static bool covers(const struct schema_index *x, const struct schema_foreign *f)
{
	if (!x->valid || x->keys < f->columns || !str_is(x->method, "btree"))
		return str_is(x->method, "hash") && x->valid && f->columns == 1 && x->keys == 1 &&
		       x->key[0].column == f->column[0];
	if (x->where.p && !str_ends(x->where, " IS NOT NULL"))
		return false;
	for (size_t i = 0; i < f->columns; i++)
		if (!is_foreign_column(f, x->key[i].column))
			return false;
	return true;
}

/* Is a unique key among the foreign key's columns?  Then it finds the one row there can be. */
static bool has_unique_part(const struct schema_index *x, const struct schema_foreign *f)
{
	bool all = x->valid && x->unique && !x->where.p && x->keys > 0;

	for (size_t i = 0; all && i < x->keys; i++)
		all = is_foreign_column(f, x->key[i].column);
	return all;
}

/* Does it look like a list of values that hardly ever change: order_status (id, name), an enum
 * that is kept in a table?  Without rows there, nothing is looked up on behalf of a DELETE. */
static bool is_list(const struct schema_table *t)
{
	static const char *const ends[] = {"_type", "_types", "_status", "_statuses", "_state",
		"_states", "_kind", "_kinds", "_enum", "_level", "_levels", "_priority",
		"_priorities", "_category", "countries", "country", "currencies", "currency",
		"languages", "language", "statuses", "roles"};
	struct schema_index *key = NULL;
	bool named = false;

	if (!t || t->column.n > 4 || t->foreign.n)
		return false;
	for (size_t i = 0; i < t->index.n; i++)
		key = t->index.at[i]->primary ? t->index.at[i] : key;
	for (size_t i = 0; i < ARRAY_LEN(ends); i++)
		named |= str_ends(t->name, ends[i]);
	if (named || !key || t->column.n > 2 || key->key[0].column < 0)
		return named;
	struct str type = t->column.at[key->key[0].column].type;
	return schema_type_is_text(type) || str_is(type, "int2") || str_is(type, "char");
}

static void check_foreign(struct rule_check *c, const struct schema_foreign *f)
{
	const struct schema_table *t = f->table;
	struct text list = {0};

	for (size_t i = 0; i < t->index.n; i++)
		if (covers(t->index.at[i], f) || has_unique_part(t->index.at[i], f))
			return;
	for (size_t i = 0; i < f->columns; i++) {
		if (f->column[i] < 0) {
			text_release(&list);
			return;
		}
		text_printf(&list, "%s%.*s", i ? ", " : "",
			STR_ARGS(sql_quote_ident(c->arena, t->column.at[f->column[i]].name)));
	}
	bool few = f->parent && f->parent->rows >= 0 ? f->parent->rows < FEW_PARENTS
						     : is_list(f->parent);
	struct finding *x = rule_find(c, few ? CONF_POSSIBLE : CONF_CERTAIN,
		"no index begins with %.*s (%s), which references %.*s%s", STR_ARGS(t->name),
		list.p, STR_ARGS(f->parent_name),
		few ? ": of use where rows of that list of values are deleted, or looked for" : "");
	x->key = arena_printf(&c->findings->arena, "%.*s(%s)", STR_ARGS(t->name), list.p);
	finding_str(x, "table", t->name);
	finding_fix(c->findings, x, ddl_index(c, t, "", text_slice(&list)),
		"a DELETE or a change of the key in %.*s reads the whole table without it",
		STR_ARGS(f->parent_name));
	text_release(&list);
}

void check_ix001(struct rule_check *c)
{
	for (size_t i = 0; i < c->schema->table.n; i++) {
		const struct schema_table *t = c->schema->table.at[i];
		if (t->rows >= 0 && t->rows < 1000)
			continue;
		for (size_t k = 0; k < t->foreign.n; k++)
			check_foreign(c, t->foreign.at[k]);
	}
}

/* --- IX002, IX003: indexes that others replace ------------------------------------------- */

static void report_drop(struct rule_check *c, const struct schema_index *drop,
	const struct schema_index *keep, const char *how)
{
	struct str other = keep->name.n ? keep->name : STR("another, which has no name here");
	struct finding *x = rule_find(c, CONF_CERTAIN, "index %.*s of %.*s %s %.*s",
		STR_ARGS(drop->name), STR_ARGS(drop->table->name), how, STR_ARGS(other));

	x->key = arena_str(&c->findings->arena, drop->name);
	finding_str(x, "table", drop->table->name);
	finding_fix(c->findings, x,
		drop->name.n && !drop->constraint ? ddl_drop(c, drop) : STR_NONE,
		"every write keeps both of them");
}

static void each_pair(struct rule_check *c,
	void (*look)(struct rule_check *c, const struct schema_index *a,
		const struct schema_index *b))
{
	for (size_t i = 0; i < c->schema->table.n; i++) {
		const struct schema_table *t = c->schema->table.at[i];
		for (size_t a = 0; a < t->index.n; a++)
			for (size_t b = 0; b < t->index.n; b++)
				if (a != b)
					look(c, t->index.at[a], t->index.at[b]);
	}
}

static size_t place_of(const struct schema_index *x)
{
	size_t i = 0;

	while (i < x->table->index.n && x->table->index.at[i] != x)
		i++;
	return i;
}

/* a is the one to drop: of two alike the one without a constraint, then the later. */
static void look_ix002(struct rule_check *c, const struct schema_index *a,
	const struct schema_index *b)
{
	if (a->keys != b->keys || !is_prefix(a, b) || !same_include(a, b) || a->constraint ||
		a->replica || (a->unique && !b->unique) || schema_is_attached(c->schema, a))
		return;
	if (!b->constraint && a->unique == b->unique && place_of(a) < place_of(b))
		return; /* said once, of the later */
	report_drop(c, a, b, "is the same as");
}

void check_ix002(struct rule_check *c)
{
	each_pair(c, look_ix002);
}

static void look_ix003(struct rule_check *c, const struct schema_index *a,
	const struct schema_index *b)
{
	if (a->keys >= b->keys || a->unique || a->constraint || a->includes ||
		!str_is(a->method, "btree") || !is_prefix(a, b) || schema_is_attached(c->schema, a))
		return;
	report_drop(c, a, b, "is the beginning of");
}

void check_ix003(struct rule_check *c)
{
	each_pair(c, look_ix003);
}

/* --- IX005, IX006 --------------------------------------------------------------------------- */

void check_ix005(struct rule_check *c)
{
	for (size_t i = 0; i < c->schema->table.n; i++)
		for (size_t k = 0; k < c->schema->table.at[i]->index.n; k++) {
			const struct schema_index *n = c->schema->table.at[i]->index.at[k];
			if (n->valid)
				continue;
			struct finding *x = rule_find(c, CONF_LIKELY,
				"index %.*s is not valid: it is written but never read",
				STR_ARGS(n->name));
			x->key = arena_str(&c->findings->arena, n->name);
			finding_fix(c->findings, x, ddl_reindex(c, n),
				"unless a build is going on now");
		}
}

static bool has_identity(const struct schema_table *t)
{
	for (size_t i = 0; i < t->index.n; i++) {
		const struct schema_index *x = t->index.at[i];
		bool full = x->unique && !x->where.p && x->keys > 0;
		for (size_t k = 0; full && k < x->keys && !x->primary; k++)
			full = x->key[k].column < 0 || t->column.at[x->key[k].column].not_null;
		if (full)
			return true;
	}
	return false;
}

void check_ix006(struct rule_check *c)
{
	for (size_t i = 0; i < c->schema->table.n; i++) {
		const struct schema_table *t = c->schema->table.at[i];
		if (t->is_view || t->is_partitioned || t->is_temp || t->is_foreign ||
			t->is_unlogged /* rows on their way to another table */ || !t->column.n ||
			has_identity(t))
			continue;
		struct finding *x = rule_find(c, CONF_LIKELY,
			"table %.*s has no primary key: its rows cannot be told apart",
			STR_ARGS(t->name));
		x->key = arena_str(&c->findings->arena, t->name);
	}
}
