/* SPDX-License-Identifier: ISC
 *
 * A candidate's name and DDL; what is the same or covered among candidates and indexes.
 */
#include "advise.h"

#include <ctype.h>

#include "schema.h"
#include "sql.h"

#define NAME_MAX_BYTES 63

/* --- DDL ------------------------------------------------------------------------------------ */

/* Letters and digits of an expression, for a name. */
static void put_word(struct text *t, struct str s)
{
	bool gap = false;

	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (isalnum(c) || c == '_' || c >= 0x80) {
			if (gap && t->n && t->p[t->n - 1] != '_')
				text_char(t, '_');
			text_char(t, (char)(c < 0x80 ? tolower(c) : c));
			gap = false;
		} else {
			gap = true;
		}
	}
}

static struct str make_name(struct arena *a, const struct candidate *c)
{
	struct text t = {0};
	struct str s;
	uint64_t hash;

	put_word(&t, c->table);
	for (size_t i = 0; i < c->keys; i++) {
		text_char(&t, '_');
		put_word(&t, c->key[i].expr);
		if (c->key[i].desc)
			text_puts(&t, "_desc");
	}
	if (strcmp(c->method, "btree") != 0)
		text_printf(&t, "_%s", c->method);
	if (c->where.n)
		text_puts(&t, "_partial");
	if (c->includes)
		text_puts(&t, "_covering");
	text_puts(&t, "_idx");
	if (t.n > NAME_MAX_BYTES) {
		size_t cut = NAME_MAX_BYTES - 13;

		hash = str_hash(text_slice(&t));
		while (cut && ((unsigned char)t.p[cut] & 0xc0) == 0x80)
			cut--;
		t.n = cut;
		text_printf(&t, "_%08x_idx", (unsigned)(hash ^ hash >> 32));
	}
	if (c->nth) {
		char tail[12];
		int n = snprintf(tail, sizeof(tail), "%u", c->nth);

		if (t.n + (size_t)n > NAME_MAX_BYTES)
			t.n = utf8_before(text_slice(&t), NAME_MAX_BYTES - (size_t)n).n;
		text_puts(&t, tail);
	}
	s = arena_str(a, text_slice(&t));
	text_release(&t);
	return s;
}

static bool is_call(struct str expr)
{
	size_t i = 0;
	int open = 0;

	while (i < expr.n && (isalnum((unsigned char)expr.p[i]) || expr.p[i] == '_'))
		i++;
	if (i == 0 || i >= expr.n || expr.p[i] != '(' || expr.p[expr.n - 1] != ')')
		return false;
	for (; i < expr.n; i++) {
		open += expr.p[i] == '(' ? 1 : expr.p[i] == ')' ? -1 : 0;
		if (open == 0 && i + 1 < expr.n)
			return false;
	}
	return true;
}

static void put_key(struct text *t, const struct index_key *k)
{
	if (k->is_expr && !is_call(k->expr))
		text_printf(t, "(%.*s)", STR_ARGS(k->expr));
	else
		text_str(t, k->expr);
	if (k->opclass)
		text_printf(t, " %s", k->opclass);
	if (k->desc)
		text_puts(t, " DESC");
	if (k->nulls_first)
		text_puts(t, " NULLS FIRST");
	if (k->nulls_last)
		text_puts(t, " NULLS LAST");
}

void candidate_finish(struct arena *a, struct candidate *c, bool concurrently)
{
	struct text t = {0};

	c->name = make_name(a, c);
	text_printf(&t, "CREATE INDEX %s%.*s ON ", concurrently ? "CONCURRENTLY " : "",
		STR_ARGS(sql_quote_ident(a, c->name)));
	if (c->schema.n)
		text_printf(&t, "%.*s.", STR_ARGS(sql_quote_ident(a, c->schema)));
	text_printf(&t, "%.*s ", STR_ARGS(sql_quote_ident(a, c->table)));
	if (strcmp(c->method, "btree") != 0)
		text_printf(&t, "USING %s ", c->method);
	text_char(&t, '(');
	for (size_t i = 0; i < c->keys; i++) {
		if (i)
			text_puts(&t, ", ");
		put_key(&t, &c->key[i]);
	}
	text_char(&t, ')');
	for (size_t i = 0; i < c->includes; i++)
		text_printf(&t, "%s%.*s", i ? ", " : " INCLUDE (", STR_ARGS(c->include[i]));
	if (c->includes)
		text_char(&t, ')');
	if (c->where.n)
		text_printf(&t, " WHERE %.*s", STR_ARGS(c->where));
	text_char(&t, ';');
	c->ddl = arena_str(a, text_slice(&t));
	text_release(&t);
}

static bool is_taken(const struct schema *s, struct str schema, struct str name)
{
	for (size_t i = 0; i < s->table.n; i++) {
		const struct schema_table *t = s->table.at[i];

		if (schema.n && t->schema.n && !str_eq(t->schema, schema))
			continue;
		if (str_eq(t->name, name))
			return true;
		for (size_t k = 0; k < t->index.n; k++)
			if (str_eq(t->index.at[k]->name, name))
				return true;
	}
	return false;
}

void candidate_finish_apart(struct arena *a, const struct schema *s, struct candidate *c,
	bool concurrently)
{
	candidate_finish(a, c, concurrently);
	while (s && is_taken(s, c->schema, c->name)) {
		c->nth++;
		candidate_finish(a, c, concurrently);
	}
}

/* --- the same, covered ------------------------------------------------------------------------ */

static bool same_key(const struct index_key *a, const struct index_key *b, bool reversed)
{
	if (!str_eq(a->expr, b->expr) || (a->desc != b->desc) != reversed)
		return false;
	if ((a->opclass == NULL) != (b->opclass == NULL) ||
		(a->opclass && strcmp(a->opclass, b->opclass) != 0))
		return false;
	if (reversed)
		return !a->nulls_first && !a->nulls_last && !b->nulls_first && !b->nulls_last;
	return a->nulls_first == b->nulls_first && a->nulls_last == b->nulls_last;
}

/* Are a's keys the first keys of b, in the same or wholly the other direction? */
static bool is_prefix(const struct candidate *a, const struct candidate *b)
{
	if (a->keys > b->keys)
		return false;
	for (int reversed = 0; reversed < 2; reversed++) {
		size_t i = 0;

		while (i < a->keys && same_key(&a->key[i], &b->key[i], reversed))
			i++;
		if (i == a->keys)
			return true;
	}
	return false;
}

static bool has_column(const struct candidate *c, struct str column)
{
	for (size_t i = 0; i < c->keys; i++)
		if (str_eq(c->key[i].expr, column))
			return true;
	for (size_t i = 0; i < c->includes; i++)
		if (str_eq(c->include[i], column))
			return true;
	return false;
}

/* Does b serve whatever a serves? */
static bool covers(const struct candidate *b, const struct candidate *a)
{
	if (!str_eq(a->table, b->table) ||
		!(a->schema.n == 0 || b->schema.n == 0 || str_eq(a->schema, b->schema)))
		return false;
	if (strcmp(a->method, b->method) != 0 || !str_eq(a->where, b->where) || !is_prefix(a, b))
		return false;
	for (size_t i = 0; i < a->includes; i++)
		if (!has_column(b, a->include[i]))
			return false;
	return strcmp(a->method, "btree") == 0 || a->keys == b->keys;
}

void candidates_add(struct candidates *list, const struct candidate *c)
{
	size_t kept = 0;
	struct candidate own = *c;

	for (size_t i = 0; i < list->at.n; i++)
		if (covers(&list->at.at[i], &own)) {
			if (list->at.at[i].node != own.node)
				list->at.at[i].weight += own.weight;
			return;
		}
	for (size_t i = 0; i < list->at.n; i++) {
		if (covers(&own, &list->at.at[i])) {
			if (list->at.at[i].node != own.node)
				own.weight += list->at.at[i].weight;
			continue;
		}
		list->at.at[kept++] = list->at.at[i];
	}
	list->at.n = kept;
	*VEC_PUSH(&list->at) = own;
}

void candidates_release(struct candidates *list)
{
	VEC_RELEASE(&list->at);
}

/* --- against what is there ----------------------------------------------------------------------
 */

static const struct schema_table *find_table(const struct schema *s, const struct candidate *c)
{
	for (size_t i = 0; i < s->table.n; i++) {
		const struct schema_table *t = s->table.at[i];

		if (str_eq(t->name, c->table) &&
			(c->schema.n == 0 || t->schema.n == 0 || str_eq(t->schema, c->schema)))
			return t;
	}
	return NULL;
}

int candidate_column(const struct schema_table *t, struct str key)
{
	char name[NAME_MAX_BYTES + 1];
	size_t n = 0;

	if (!str_starts(key, "\""))
		return schema_column_of(t, key);
	for (size_t i = 1; i + 1 < key.n && n < sizeof(name); i++) {
		name[n++] = key.p[i];
		i += key.p[i] == '"'; /* doubled */
	}
	return schema_column_of(t, (struct str){name, n});
}

static bool is_word(char c)
{
	return isalnum((unsigned char)c) || c == '_' || c == '$' || (unsigned char)c >= 0x80;
}

bool candidate_names(struct arena *a, struct str expr, struct str column)
{
	struct str word = sql_quote_ident(a, column);

	for (size_t i = 0; word.n && i + word.n <= expr.n; i++)
		if (memcmp(expr.p + i, word.p, word.n) == 0 &&
			(i == 0 || !is_word(expr.p[i - 1])) &&
			(i + word.n == expr.n || !is_word(expr.p[i + word.n])))
			return true;
	return false;
}

/* The index of the schema in a candidate's terms; false: it has too many keys, or sorts otherwise.
 */
static bool as_candidate(struct arena *a, const struct schema_table *t,
	const struct schema_index *x, struct candidate *out)
{
	*out = (struct candidate){.schema = t->schema, .table = t->name, .where = x->where};
	out->method = str_is(x->method, "gin")	  ? "gin"
		      : str_is(x->method, "gist") ? "gist"
		      : str_is(x->method, "brin") ? "brin"
		      : str_is(x->method, "hash") ? "hash"
						  : "btree";
	if (x->keys > INDEX_KEYS_MAX)
		return false;
	for (size_t i = 0; i < x->keys; i++) {
		const struct schema_key *k = &x->key[i];
		struct index_key *to = &out->key[out->keys++];

		if (k->collation.n)
			return false;
		to->expr =
			k->column >= 0 ? sql_quote_ident(a, t->column.at[k->column].name) : k->expr;
		to->is_expr = k->column < 0;
		to->desc = k->desc;
		to->nulls_first = k->nulls_first && !k->desc;
		to->nulls_last = !k->nulls_first && k->desc;
		if (str_find(k->opclass, "pattern_ops") < k->opclass.n)
			to->opclass = "text_pattern_ops";
		else if (str_is(k->opclass, "jsonb_path_ops"))
			to->opclass = "jsonb_path_ops";
		else if (str_is(k->opclass, "gin_trgm_ops"))
			to->opclass = "gin_trgm_ops";
	}
	for (size_t i = 0; i < x->includes && i < INDEX_KEYS_MAX; i++)
		if (x->include[i] >= 0)
			out->include[out->includes++] =
				sql_quote_ident(a, t->column.at[x->include[i]].name);
	return true;
}

struct str candidate_existing(struct arena *a, const struct schema *s, struct candidate *c)
{
	const struct schema_table *t = s ? find_table(s, c) : NULL;
	struct candidate there;

	for (size_t i = 0; t && i < t->index.n; i++) {
		const struct schema_index *x = t->index.at[i];

		if (!x->valid || !as_candidate(a, t, x, &there))
			continue;
		if (covers(&there, c))
			return x->name;
		if (!x->unique && !x->constraint && covers(c, &there))
			c->replaces = x->name;
	}
	return STR_NONE;
}

struct str candidate_definition(struct arena *a, const struct candidate *c)
{
	size_t open = str_find(c->ddl, "(");

	return arena_str(a,
		str_before(str_skip(c->ddl, open), c->ddl.n - open - str_ends(c->ddl, ";")));
}
