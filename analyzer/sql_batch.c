/* SPDX-License-Identifier: ISC
 *
 * sql_batch: the batched form of a lookup.
 *
 * Statements are rewritten in their own text at the places the tree names, not through
 * libpg_query's deparser, so that the reader finds his query again; every rewrite is parsed as a
 * check before it is given out.
 *
 *	SELECT a FROM t WHERE k = 1            SELECT t.k, a FROM t WHERE k = ANY ($1)
 *	… ORDER BY d LIMIT 1, k not unique     SELECT DISTINCT ON (k) k, a … ORDER BY k, d
 *	SELECT count(*) FROM t WHERE k = 1     SELECT k, count(*) … GROUP BY k
 *	SELECT 1 FROM t WHERE k = 1 LIMIT 1    SELECT DISTINCT k FROM t WHERE k = ANY ($1)
 *	SELECT EXISTS (SELECT … WHERE k = 1)   the same
 *	DELETE FROM t WHERE k = 1              DELETE FROM t WHERE k = ANY ($1), UPDATE likewise
 */
#include "sql.h"

struct edit { /* replace text[from, to) */
	size_t from, to;
	struct str with;
};

#define EDITS 6

struct batch {
	struct arena *a;
	struct str text;
	const struct sql_outline *o; /* the level that looks up */
	const struct sql_cond *key;
	struct str column; /* the key, as SQL */
	struct edit e[EDITS];
	size_t n;
};

static size_t literal_end(struct str text, size_t off)
{
	struct sql_shape s;
	size_t n = 0, end = off;

	if (off < text.n && text.p[off] == '$') {
		for (end = off + 1; end < text.n && text.p[end] >= '0' && text.p[end] <= '9';)
			end++;
		return end;
	}
	sql_lex(text.p, text.n, &s, NULL, 0);
	struct sql_place *lit = mem_alloc((s.literals + 1) * sizeof(*lit));
	sql_lex_places(text.p, text.n, &s, NULL, 0, lit, s.literals, &n);
	for (size_t i = 0; i < n; i++)
		if (lit[i].off == off)
			end = off + lit[i].len;
	free(lit);
	return end;
}

/* Behind a cast that follows at `at`, `at` itself when none does. */
static size_t cast_end(struct str text, size_t at)
{
	size_t i = at;

	if (i + 2 >= text.n || text.p[i] != ':' || text.p[i + 1] != ':')
		return at;
	for (i += 2; i < text.n; i++) {
		char c = text.p[i];
		if (!((c | 0x20) >= 'a' && (c | 0x20) <= 'z') && !(c >= '0' && c <= '9') &&
			c != '_' && c != '.' && c != '"')
			break;
	}
	return i;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

/* Where the word that ends right before off (blanks between) begins; off: another stands there. */
static size_t word_before(struct str text, size_t off, const char *word)
{
	size_t i = off, n = strlen(word);

	while (i > 0 && is_blank(text.p[i - 1]))
		i--;
	if (i < n || strncasecmp(text.p + i - n, word, n) != 0)
		return off;
	return i - n;
}

static void edit(struct batch *b, size_t from, size_t to, struct str with)
{
	if (b->n < EDITS)
		b->e[b->n++] = (struct edit){from, to, with};
}

static int by_place(const void *pa, const void *pb)
{
	const struct edit *a = pa, *b = pb;

	return (a->from > b->from) - (a->from < b->from);
}

/* A comment behind the statement says where that one came from. */
static void drop_tag(struct batch *b)
{
	struct sql_shape s;

	sql_lex(b->text.p, b->text.n, &s, NULL, 0);
	struct sql_place c = s.last_comment;
	size_t end = (size_t)c.off + c.len + 2;
	if (c.off >= 2 && b->text.p[c.off - 2] == '/' && str_trim(str_skip(b->text, end)).n == 0)
		b->text = str_trim(str_before(b->text, c.off - 2));
}

static struct str apply(struct batch *b)
{
	struct text t = {0};
	size_t at = 0;

	qsort(b->e, b->n, sizeof(b->e[0]), by_place);
	for (size_t i = 0; i < b->n; i++) {
		if (b->e[i].from < at || b->e[i].to > b->text.n) {
			text_release(&t);
			return STR_NONE;
		}
		text_add(&t, b->text.p + at, b->e[i].from - at);
		text_str(&t, b->e[i].with);
		at = b->e[i].to;
	}
	text_add(&t, b->text.p + at, b->text.n - at);
	struct str out = str_trim(text_slice(&t));
	while (out.n && out.p[out.n - 1] == ';')
		out = str_trim(str_before(out, out.n - 1));
	out = arena_str(b->a, out);
	text_release(&t);
	return out;
}

static bool selects_key(const struct sql_outline *o, const struct sql_cond *key)
{
	for (size_t i = 0; i < o->targets; i++) {
		const struct sql_target *t = &o->target[i];
		if (t->kind == TARGET_STAR &&
			(t->val.col.qual.n == 0 || key->left.col.qual.n == 0 ||
				str_eq(t->val.col.qual, key->left.col.qual)))
			return true;
		if (t->kind == TARGET_COLUMN && str_eq(t->val.col.name, key->left.col.name))
			return true;
	}
	return false;
}

/* Where the ")" of the "(" before `from` stands. */
static size_t closing(struct str text, size_t from)
{
	int depth = 1;
	char quote = '\0';

	for (size_t i = from; i < text.n; i++) {
		char c = text.p[i];
		if (quote) {
			quote = c == quote ? '\0' : quote;
		} else if (c == '\'' || c == '"') {
			quote = c;
		} else if (c == '(') {
			depth++;
		} else if (c == ')' && --depth == 0) {
			return i;
		}
	}
	return text.n;
}

/* Behind a name that begins at `at`: t.a, "T"."a". */
static size_t name_end(struct str text, size_t at)
{
	bool quoted = false;

	for (; at < text.n; at++) {
		char c = text.p[at];
		if (c == '"')
			quoted = !quoted;
		else if (!quoted && !((c | 0x20) >= 'a' && (c | 0x20) <= 'z') &&
			 !(c >= '0' && c <= '9') && c != '_' && c != '.' && c != '$')
			break;
	}
	return at;
}

/* = ANY ($n::type[]) in place of = value; false: the text is not as it should be. */
static bool edit_key(struct batch *b, const char *type)
{
	int op = node_loc(b->key->node), val = node_start(b->key->right.node);
	int param = b->key->right.param ? b->key->right.param : 1;
	size_t end;

	if (op < 0 || val < 0 || (size_t)val >= b->text.n)
		return false;
	if (b->key->swapped) { /* 5 = col */
		int col = node_start(b->key->left.node);
		if (col < op)
			return false;
		edit(b, (size_t)val, name_end(b->text, (size_t)col),
			arena_printf(b->a, "%.*s = ANY ($%d%s%s)", STR_ARGS(b->column), param,
				*type ? "::" : "", type));
		return true;
	}
	if (val < op)
		return false;
	end = cast_end(b->text, literal_end(b->text, (size_t)val));
	if (b->key->pred == PRED_IN)
		end = closing(b->text, end) + 1;
	edit(b, (size_t)op, end,
		arena_printf(b->a, "= ANY ($%d%s%s)", param, *type ? "::" : "", type));
	return true;
}

/* One key at a time, as it was, but with the value as $n. */
static bool edit_one(struct batch *b)
{
	int val = node_start(b->key->right.node);

	if (val < 0 || (size_t)val >= b->text.n)
		return false;
	edit(b, (size_t)val, literal_end(b->text, (size_t)val),
		arena_printf(b->a, "$%d", b->key->right.param ? b->key->right.param : 1));
	return true;
}

static int first_target(const struct batch *b)
{
	return b->o->targets ? node_start(b->o->target[0].node) : -1;
}

/* Takes LIMIT n out, whose count the node is. */
static bool edit_limit(struct batch *b, const struct sql_node *limit)
{
	int off = node_start(limit);
	size_t end = off < 0 ? 0 : literal_end(b->text, (size_t)off);
	size_t from = off < 0 ? 0 : word_before(b->text, (size_t)off, "limit");

	if (end == 0 || from == (size_t)off)
		return false;
	edit(b, from, end, STR(""));
	return true;
}

/* Rows: with LIMIT 1 and a key that is not unique, one row of each key. */
static bool edit_rows(struct batch *b, const struct sql_node *limit, bool unique)
{
	bool one = limit && !unique;
	int at = first_target(b);

	if (one && b->o->limit == BOUND_CONST && b->o->limit_value != 1)
		return false;
	if (at < 0)
		return false;
	if (one)
		edit(b, (size_t)at, (size_t)at,
			arena_printf(b->a, "DISTINCT ON (%.*s) %.*s%s", STR_ARGS(b->column),
				selects_key(b->o, b->key) ? 0 : (int)b->column.n, b->column.p,
				selects_key(b->o, b->key) ? "" : ", "));
	else if (!selects_key(b->o, b->key))
		edit(b, (size_t)at, (size_t)at, arena_printf(b->a, "%.*s, ", STR_ARGS(b->column)));
	if (one && b->o->orders) {
		int order = node_start(b->o->order[0].by.node);
		if (order < 0 || b->o->order[0].position)
			return false;
		edit(b, (size_t)order, (size_t)order,
			arena_printf(b->a, "%.*s, ", STR_ARGS(b->column)));
	}
	return !limit || edit_limit(b, limit);
}

static bool edit_count(struct batch *b)
{
	int at = first_target(b);
	size_t end = b->text.n;

	while (end > 0 && (is_blank(b->text.p[end - 1]) || b->text.p[end - 1] == ';'))
		end--;
	if (at < 0 || b->o->orders || b->o->has_having)
		return false;
	edit(b, (size_t)at, (size_t)at, arena_printf(b->a, "%.*s, ", STR_ARGS(b->column)));
	edit(b, end, b->text.n, arena_printf(b->a, " GROUP BY %.*s", STR_ARGS(b->column)));
	return str_find(b->text, "--") == b->text.n; /* not into a comment */
}

/* SELECT DISTINCT key in front of FROM; what stands around an EXISTS goes. */
static bool edit_probe(struct batch *b, const struct sql_node *limit, bool inside)
{
	int rel = b->o->rels ? b->o->rel[0].loc : -1;
	size_t from = rel < 0 ? 0 : word_before(b->text, (size_t)rel, "from");

	if (rel < 0 || from == (size_t)rel)
		return false;
	edit(b, 0, from, arena_printf(b->a, "SELECT DISTINCT %.*s ", STR_ARGS(b->column)));
	if (inside)
		edit(b, closing(b->text, from), b->text.n, STR(""));
	return !limit || edit_limit(b, limit);
}

struct str sql_batch(struct arena *a, const struct sql_tree *t, const struct sql_outline *o,
	const struct sql_cond *key, const char *type, bool unique)
{
	const struct sql_node *limit = node_get(o->node, "limit_count");
	struct batch b = {.a = a, .text = t->text, .o = o, .key = key};
	bool inside = o->role == ROLE_EXISTS, ok;
	struct str out;
	struct err why;

	drop_tag(&b);
	if (t->statements != 1 || t->substituted ||
		(key->pred != PRED_EQ && key->pred != PRED_IN) || key->left.kind != SIDE_COLUMN ||
		o->has_group || o->is_distinct || o->offset != BOUND_NONE || o->is_setop ||
		o->has_window)
		return STR_NONE;
	if (key->right.kind != SIDE_CONST && key->right.kind != SIDE_PARAM &&
		!(key->right.kind == SIDE_LIST && key->right.list == 1))
		return STR_NONE;
	b.column = sql_deparse(a, key->left.node);
	if (!b.column.n || !edit_key(&b, type))
		return STR_NONE;
	if (o->verb != SQL_SELECT)
		ok = o->verb == SQL_DELETE || o->verb == SQL_UPDATE;
	else if (inside || (limit && o->targets == 1 && o->target[0].kind == TARGET_CONST))
		ok = edit_probe(&b, limit, inside);
	else if (o->has_aggregate)
		ok = !limit && edit_count(&b);
	else
		ok = edit_rows(&b, limit, unique);
	if (!ok)
		return STR_NONE;
	out = apply(&b);
	return out.n && sql_parse(a, out, &why) ? out : STR_NONE;
}

struct str sql_lookup(struct arena *a, const struct sql_tree *t, const struct sql_outline *o,
	const struct sql_cond *key)
{
	struct batch b = {.a = a, .text = t->text, .o = o, .key = key};
	struct str out;
	struct err why;

	drop_tag(&b);
	if (t->statements != 1 || t->substituted || !edit_one(&b))
		return STR_NONE;
	out = apply(&b);
	return out.n && sql_parse(a, out, &why) ? out : STR_NONE;
}
