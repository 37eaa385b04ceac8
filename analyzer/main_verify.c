/* SPDX-License-Identifier: ISC
 *
 * --verify: runs a loop's lookups, one for each value that was seen, and the one statement that is
 * to replace them, and compares what they return; then the parent, the lookups for each of its
 * rows, and the join of the two.
 *
 * Everything happens in read-only, repeatable-read transactions that are rolled back, under the
 * session's statement timeout.  A fix that returns something else is taken back; one that writes
 * is not run: the server is asked whether it could plan it.
 */
#include "db.h"
#include "main.h"

#include <jansson.h>

struct rows {
	struct arena *a;
	bool key_first; /* the first column is the key, and no part of the row */
	VEC(struct str) key;
	VEC(struct str) at; /* a row's other columns, one text */
};

static void put_value(struct text *t, struct str v)
{
	text_printf(t, "%s%zu:", v.p ? "v" : "n", v.n);
	text_str(t, v);
}

static void take_row(void *ctx, const struct db_row *r)
{
	struct rows *rows = ctx;
	struct text t = {0};
	int n = db_columns(r);

	for (int i = rows->key_first; i < n; i++)
		put_value(&t, db_get(r, i));
	*VEC_PUSH(&rows->key) = n ? arena_str(rows->a, db_get(r, 0)) : STR("");
	*VEC_PUSH(&rows->at) = arena_str(rows->a, text_slice(&t));
	text_release(&t);
}

static void rows_release(struct rows *r)
{
	VEC_RELEASE(&r->key);
	VEC_RELEASE(&r->at);
}

static int by_text(const void *a, const void *b)
{
	return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

static bool same_rows(struct rows *a, struct rows *b)
{
	if (a->at.n != b->at.n)
		return false;
	if (a->at.n == 0)
		return true;
	qsort(a->at.at, a->at.n, sizeof(struct str), by_text);
	qsort(b->at.at, b->at.n, sizeof(struct str), by_text);
	for (size_t i = 0; i < a->at.n; i++)
		if (!str_eq(a->at.at[i], b->at.at[i]))
			return false;
	return true;
}

/* A PostgreSQL array of the values, each once. */
static struct str array_of(struct arena *a, const struct proof *p)
{
	struct text t = {0};
	struct str out;

	text_char(&t, '{');
	for (size_t i = 0; i < p->values; i++) {
		text_puts(&t, i ? ",\"" : "\"");
		for (size_t k = 0; k < p->value[i].n; k++) {
			char c = p->value[i].p[k];
			if (c == '"' || c == '\\')
				text_char(&t, '\\');
			text_char(&t, c);
			k += c == '\'' && k + 1 < p->value[i].n && p->value[i].p[k + 1] == '\'';
		}
		text_char(&t, '"');
	}
	text_char(&t, '}');
	out = arena_str(a, text_slice(&t));
	text_release(&t);
	return out;
}

static bool run(struct db *db, struct arena *a, const struct proof *p, struct str sql,
	struct str key, struct rows *rows, struct err *why)
{
	const char *params[ARRAY_LEN(p->other)] = {NULL};

	for (size_t i = 0; i < p->params; i++)
		params[i] = p->other[i].p ? arena_cstr(a, p->other[i]) : NULL;
	params[p->param - 1] = arena_cstr(a, key);
	/* LIMIT's parameter may be gone from the batched form: then it has no use for it */
	size_t n = p->params;
	struct sql_shape lex;
	sql_lex(sql.p, sql.n, &lex, NULL, 0);
	if (lex.params < n)
		n = lex.params;
	return db_each(db, arena_cstr(a, sql), params, (int)n, take_row, rows, why);
}

/* Does the value stand among the batched form's keys, and what behind it? */
static const struct str *row_of(const struct rows *all, struct str value)
{
	for (size_t i = 0; i < all->key.n; i++)
		if (str_eq(all->key.at[i], value))
			return &all->at.at[i];
	return NULL;
}

static bool is_zero(const struct rows *one)
{
	return one->at.n == 1 &&
	       (str_is(one->at.at[0], "v1:0") || str_starts(one->at.at[0], "n0:"));
}

static bool agrees(enum proof_kind kind, const struct rows *one, const struct str *found)
{
	bool is = one->at.n > 0 && !str_is(one->at.at[0], "v1:f");

	if (kind == PROOF_EXISTS)
		return is == (found != NULL);
	return found ? one->at.n == 1 && str_eq(one->at.at[0], *found) : is_zero(one);
}

/* 1: the same; 0: not; -1: could not be run, *why says why. */
static int compare(struct db *db, const struct finding *x, uint64_t *rows, struct err *why)
{
	const struct proof *p = x->proof;
	struct arena a = {0};
	struct rows all = {.a = &a, .key_first = p->key_first || p->kind == PROOF_COUNT},
		    each = {.a = &a};
	struct map seen = {0};
	int same = run(db, &a, p, x->fix_sql, array_of(&a, p), &all, why) ? 1 : -1;

	for (size_t i = 0; i < p->values && same == 1; i++) {
		struct rows one = {.a = &a};
		uint32_t *mark = map_put(&seen, str_hash(p->value[i]));
		if (*mark != MAP_NONE)
			continue;
		*mark = 0;
		struct rows *into = p->kind == PROOF_ROWS ? &each : &one;
		same = run(db, &a, p, p->one, p->value[i], into, why) ? 1 : -1;
		if (same == 1 && p->kind != PROOF_ROWS)
			same = agrees(p->kind, &one, row_of(&all, p->value[i]));
		rows_release(&one);
	}
	if (same == 1 && p->kind == PROOF_ROWS)
		same = same_rows(&each, &all);
	*rows = all.at.n;
	map_release(&seen);
	rows_release(&all);
	rows_release(&each);
	arena_release(&a);
	return same;
}

/* --- the join with the parent ----------------------------------------------------------- */

#define PARENTS_MAX 1000 /* rows of the parent for which the lookup is run */

struct named_rows {
	struct arena *a;
	struct str wanted;   /* of the parent: the output that is the key */
	VEC(struct str) key; /* its values; of NULL no lookup finds anything */
	size_t parents;
	VEC(struct str) name;  /* a lookup's columns, by which those of the join are found */
	struct rows each, all; /* of the lookups; of the join */
	bool missing;	       /* a column that the other side does not have */
};

static int column_named(const struct db_row *r, struct str name)
{
	for (int i = 0; i < db_columns(r); i++)
		if (str_eq(db_name(r, i), name))
			return i;
	return -1;
}

static void take_parent(void *ctx, const struct db_row *r)
{
	struct named_rows *n = ctx;
	int at = column_named(r, n->wanted);

	n->parents++;
	n->missing |= at < 0;
	if (at >= 0 && db_get(r, at).p)
		*VEC_PUSH(&n->key) = arena_str(n->a, db_get(r, at));
}

static void take_looked_up(void *ctx, const struct db_row *r)
{
	struct named_rows *n = ctx;

	for (int i = 0; n->each.at.n == 0 && i < db_columns(r); i++)
		*VEC_PUSH(&n->name) = arena_str(n->a, db_name(r, i));
	take_row(&n->each, r);
}

static void take_joined(void *ctx, const struct db_row *r)
{
	struct named_rows *n = ctx;
	struct text t = {0};

	for (size_t i = 0; i < n->name.n; i++) { /* the child's columns stand first */
		int at = column_named(r, n->name.at[i]);
		n->missing |= at < 0;
		if (at >= 0)
			put_value(&t, db_get(r, at));
	}
	*VEC_PUSH(&n->all.at) = arena_str(n->a, text_slice(&t));
	text_release(&t);
}

static bool fetch_join(struct db *db, const struct proof *p, struct named_rows *n, struct err *why)
{
	const char *params[ARRAY_LEN(p->join_other)] = {NULL};
	const char *key[ARRAY_LEN(p->other)] = {NULL};

	for (size_t i = 0; i < p->join_params; i++)
		params[i] = p->join_other[i].p ? arena_cstr(n->a, p->join_other[i]) : NULL;
	if (!db_each(db, arena_cstr(n->a, p->parent), params, (int)p->join_params, take_parent, n,
		    why))
		return false;
	if (n->parents > PARENTS_MAX)
		return err_set(why, "the parent returns %zu rows", n->parents);
	for (size_t i = 0; i < p->params; i++)
		key[i] = p->other[i].p ? arena_cstr(n->a, p->other[i]) : NULL;
	for (size_t i = 0; i < n->key.n; i++) {
		key[p->param - 1] = arena_cstr(n->a, n->key.at[i]);
		if (!db_each(db, arena_cstr(n->a, p->one), key, (int)p->params, take_looked_up, n,
			    why))
			return false;
	}
	if (!db_each(db, arena_cstr(n->a, p->join), params, (int)p->join_params, take_joined, n,
		    why))
		return false;
	return !n->missing || err_set(why, "the join has no column of that name");
}

/* Says in the finding what came of it; a join that returns other rows is taken back. */
static void verify_join(struct db *db, struct finding *x)
{
	struct arena a = {0};
	struct named_rows n = {
		.a = &a, .wanted = x->proof->parent_key, .each = {.a = &a}, .all = {.a = &a}};
	struct err why = {""};
	struct str what;

	if (!x->proof->join.n) {
		what = STR("not verified: the log does not have the parent's values");
	} else if (!fetch_join(db, x->proof, &n, &why)) {
		what = arena_printf(&a, "not verified: %s", why.text);
	} else if (same_rows(&n.each, &n.all)) {
		what = arena_printf(&a, "verified: the same %zu rows for %zu of the parent's",
			n.all.at.n, n.parents);
	} else {
		what = STR("taken back: it does not return the loop's rows here");
		json_object_del(x->evidence, "join_sql");
	}
	finding_str(x, "join_verified", what);
	rows_release(&n.each);
	rows_release(&n.all);
	VEC_RELEASE(&n.key);
	VEC_RELEASE(&n.name);
	arena_release(&a);
}

/* --- findings ---------------------------------------------------------------------------- */

static void say(struct findings *found, struct finding *x, const char *what)
{
	finding_str(x, "verified", str_of(what));
	if (x->fix_note.n)
		x->fix_note = arena_printf(&found->arena, "%.*s (%s)", STR_ARGS(x->fix_note), what);
}

static void verify(struct db *db, struct findings *found, struct finding *x)
{
	char what[700];
	struct err why = {""};
	struct arena a = {0};
	uint64_t rows = 0;

	if (x->proof) {
		int same = compare(db, x, &rows, &why);
		if (same < 0)
			snprintf(what, sizeof(what), "not verified: %s", why.text);
		else if (same)
			snprintf(what, sizeof(what),
				"verified: the same rows for %zu values, %llu of them",
				x->proof->values, (unsigned long long)rows);
		else
			snprintf(what, sizeof(what),
				"taken back: it does not return the loop's rows here");
		if (same == 0)
			x->fix_sql = STR_NONE;
	} else {
		struct sql_shape lex;
		struct str json;
		sql_lex(x->fix_sql.p, x->fix_sql.n, &lex, NULL, 0);
		snprintf(what, sizeof(what), "%s",
			db_explain(db, &a, x->fix_sql, lex.params, &json, &why)
				? "not run: it writes, and --verify only reads; the server can "
				  "plan it"
				: "");
		if (!what[0])
			snprintf(what, sizeof(what), "the server does not take it: %s", why.text);
	}
	say(found, x, what);
	arena_release(&a);
}

bool options_verify(const struct options *o, struct findings *found)
{
	struct err why = {""};
	struct db *db;

	if (!o->dsn) {
		fprintf(stderr, "pgassay: --verify needs the database: --dsn\n");
		return false;
	}
	db = db_open(o->dsn, &why);
	if (!db) {
		fprintf(stderr, "pgassay: --verify: %s\n", why.text);
		return false;
	}
	for (size_t i = 0; i < found->at.n; i++) {
		struct finding *x = &found->at.at[i];
		if (!x->fix_sql.n || x->rule->scope != SCOPE_RUN)
			continue;
		/* one transaction each: an error ends it */
		if (!db_run(db, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", &why))
			break;
		verify(db, found, x);
		db_run(db, "ROLLBACK", NULL);
		if (!x->proof || !finding_has(x, "join_sql"))
			continue;
		if (!db_run(db, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", &why))
			break;
		verify_join(db, x);
		db_run(db, "ROLLBACK", NULL);
	}
	db_close(&db);
	return true;
}
