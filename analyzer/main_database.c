/* SPDX-License-Identifier: ISC
 *
 * main_database: what --schema and --dsn add: keys and types for the rules, and for the dearest
 * statements their plan and the index a sequential scan's filter asks for.
 *
 * The index is validated by HypoPG where the database has the extension: it is kept when the
 * planner uses it and the statement gets cheaper.
 */
#include "db.h"
#include "main.h"
#include "plan.h"
#include "schema_live.h"
#include "sql_text.h"

#include <math.h>

#define EXPLAIN_MAX 200	 /* statements looked at */
#define MIN_ROWS    1000 /* a smaller table needs no index */
#define MAX_SHARE   0.25 /* a filter that keeps more of the table is better off with the scan */
#define KEYS_MAX    3

struct schema *options_schema(const struct options *o, bool *ok)
{
	struct schema *s = schema_new();
	struct err why = {""};
	struct db *db = NULL;

	*ok = true;
	if (o->schema && !schema_read_dump(s, o->schema, &why))
		*ok = false;
	if (*ok && o->dsn) {
		db = db_open(o->dsn, &why);
		*ok = db && schema_read_live(s, db, &why);
		db_close(&db);
	}
	if (!*ok)
		fprintf(stderr, "pgassay: %s\n", why.text);
	if (!*ok || (!o->schema && !o->dsn))
		schema_free(&s);
	return s;
}

/* --- candidates ------------------------------------------------------------------------ */

struct adviser {
	struct db *db;
	struct arena arena;
	struct facts *facts;
	const struct schema *schema;
	struct findings *found;
	bool has_hypopg;
};

struct candidate {
	const struct schema_table *table;
	struct str key[KEYS_MAX]; /* columns, or expressions in parentheses */
	size_t keys;
};

static bool is_equality(const struct sql_cond *c)
{
	return c->pred == PRED_EQ || c->pred == PRED_IN ||
	       (c->pred == PRED_ANY && str_is(c->op, "=")) || c->pred == PRED_IS_NULL;
}

static bool is_range(const struct sql_cond *c)
{
	return c->pred == PRED_LT || c->pred == PRED_LE || c->pred == PRED_GT ||
	       c->pred == PRED_GE || c->pred == PRED_BETWEEN;
}

static void add_key(struct candidate *x, struct str key)
{
	for (size_t i = 0; i < x->keys; i++)
		if (str_eq(x->key[i], key))
			return;
	if (x->keys < KEYS_MAX)
		x->key[x->keys++] = key;
}

/* Functions whose result depends on nothing but their argument. */
static bool is_immutable(struct str f)
{
	return str_is(f, "lower") || str_is(f, "upper") || str_is(f, "abs") ||
	       str_is(f, "length") || str_is(f, "md5");
}

static struct str key_of(struct adviser *a, const struct candidate *x, const struct sql_cond *c)
{
	const struct sql_side *s = &c->left;

	if (c->right.cols > 0)
		return STR_NONE;
	if (s->kind == SIDE_COLUMN && schema_column_of(x->table, s->col.name) >= 0)
		return sql_quote_ident(&a->arena, s->col.name);
	if (s->kind == SIDE_WRAPPED && s->wrap == WRAP_FUNC && s->cols == 1 && is_equality(c) &&
		is_immutable(s->by))
		return arena_printf(&a->arena, "%.*s(%.*s)", STR_ARGS(s->by),
			STR_ARGS(sql_quote_ident(&a->arena, s->col.name)));
	return STR_NONE;
}

/* Equality first, then one range: the order an index serves. */
static bool make_candidate(struct adviser *a, const struct plan_node *n, struct candidate *x)
{
	struct str filter = plan_get(&a->arena, n, "Filter"), range = STR_NONE;
	const struct sql_node *expr = filter.n ? sql_parse_expr(&a->arena, filter, NULL) : NULL;
	size_t conds = 0;
	struct sql_cond *c = expr ? sql_conjuncts(&a->arena, expr, &conds) : NULL;

	memset(x, 0, sizeof(*x));
	x->table = schema_find(a->schema, n->schema, n->relation);
	if (!c || !x->table || x->table->rows < MIN_ROWS ||
		plan_num(n->plan_rows) > x->table->rows * MAX_SHARE)
		return false;
	for (size_t i = 0; i < conds; i++) {
		struct str key = key_of(a, x, &c[i]);
		if (!key.n)
			continue;
		if (is_equality(&c[i]))
			add_key(x, key);
		else if (is_range(&c[i]) && !range.n)
			range = key;
	}
	if (range.n)
		add_key(x, range);
	return x->keys > 0;
}

/* Is there an index whose first keys are these? */
static bool exists(const struct candidate *x)
{
	for (size_t i = 0; i < x->table->index.n; i++) {
		const struct schema_index *k = x->table->index.at[i];
		size_t same = 0;
		while (same < x->keys && same < k->keys && k->key[same].column >= 0 &&
			str_eq(x->table->column.at[k->key[same].column].name, x->key[same]))
			same++;
		if (k->valid && !k->where.p && same == x->keys)
			return true;
	}
	return false;
}

/* --- naming and asking the planner ----------------------------------------------------------- */

static struct str index_name(struct adviser *a, const struct candidate *x)
{
	struct text t = {0};

	text_str(&t, x->table->name);
	for (size_t i = 0; i < x->keys; i++) {
		text_char(&t, '_');
		for (size_t k = 0; k < x->key[i].n; k++) {
			char c = x->key[i].p[k];
			if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_')
				text_char(&t, c);
			else if (c == '(')
				text_char(&t, '_');
		}
	}
	text_str(&t, STR("_idx"));
	struct str name = arena_str(&a->found->arena, str_before(text_slice(&t), 63));
	text_release(&t);
	return name;
}

static struct str index_ddl(struct adviser *a, const struct candidate *x, const char *head)
{
	struct text t = {0};
	struct str schema = x->table->schema;

	text_printf(&t, "%s ON ", head);
	if (!str_is(schema, "public"))
		text_printf(&t, "%.*s.", STR_ARGS(sql_quote_ident(&a->arena, schema)));
	text_printf(&t, "%.*s (", STR_ARGS(sql_quote_ident(&a->arena, x->table->name)));
	for (size_t i = 0; i < x->keys; i++)
		text_printf(&t, "%s%.*s", i ? ", " : "", STR_ARGS(x->key[i]));
	text_char(&t, ')');
	struct str ddl = arena_str(&a->found->arena, text_slice(&t));
	text_release(&t);
	return ddl;
}

static struct plan *explain(struct adviser *a, const struct shape *s)
{
	struct plan_list l = {0};
	struct str json;
	struct plan *p = NULL;

	if (db_explain(a->db, &a->arena, s->example, s->lex.params, &json, NULL))
		plan_find(&a->arena, json, &l);
	if (l.plan.n)
		p = l.plan.at[0];
	plan_list_release(&l);
	return p;
}

static bool uses_hypothetical(const struct plan *p)
{
	for (size_t i = 0; i < p->nodes; i++)
		if (str_find(p->node[i]->index, "<") < p->node[i]->index.n)
			return true;
	return false;
}

static void hypo_size(void *ctx, const struct db_row *r)
{
	*(int64_t *)ctx = db_int(r, 0);
}

/* The statement's cost with the index; < 0: the planner does not use it, or cannot be asked. */
static double what_if(
	struct adviser *a, const struct shape *s, const struct candidate *x, int64_t *size)
{
	struct str ddl = index_ddl(a, x, "CREATE INDEX");
	const char *param[1] = {ddl.p};
	double cost = -1;

	*size = -1;
	if (!a->has_hypopg ||
		!db_each(a->db, sql_assay_hypo_create, param, 1, hypo_size, size, NULL))
		return -1;
	struct plan *p = explain(a, s);
	if (p && uses_hypothetical(p))
		cost = p->root->total_cost;
	db_run(a->db, sql_assay_hypo_reset, NULL);
	return cost;
}

/* --- collecting ---------------------------------------------------------------------------------
 */

static struct index_advice *find_advice(struct findings *f, struct str ddl)
{
	for (size_t i = 0; i < f->index.n; i++)
		if (str_eq(f->index.at[i].ddl, ddl))
			return &f->index.at[i];
	return NULL;
}

static struct index_advice *new_advice(
	struct adviser *a, const struct candidate *x, struct str ddl, struct str name)
{
	struct index_advice *to = VEC_PUSH(&a->found->index);

	memset(to, 0, sizeof(*to));
	to->ddl = ddl;
	to->name = name;
	to->table = arena_str(&a->found->arena, x->table->name);
	to->method = STR("btree");
	to->column = ARENA_ARRAY(&a->found->arena, struct str, x->keys + 1);
	for (size_t i = 0; i < x->keys; i++)
		to->column[to->columns++] = arena_str(&a->found->arena, x->key[i]);
	to->cost_before = to->cost_after = -1;
	to->size_bytes = -1;
	return to;
}

static void advise_scan(
	struct adviser *a, uint32_t at, const struct plan *p, const struct plan_node *n)
{
	const struct shape *s = a->facts->shape.at[at];
	struct candidate x;
	int64_t size;

	if (!make_candidate(a, n, &x) || exists(&x))
		return;
	double after = what_if(a, s, &x, &size);
	if (a->has_hypopg && (after < 0 || after > p->root->total_cost * 0.9))
		return; /* the planner would not use it, or gains nothing */
	struct str name = index_name(a, &x);
	struct str head = arena_printf(&a->arena, "CREATE INDEX CONCURRENTLY %.*s",
		STR_ARGS(sql_quote_ident(&a->arena, name)));
	struct str ddl = index_ddl(a, &x, head.p);
	struct index_advice *to = find_advice(a->found, ddl);
	if (!to)
		to = new_advice(a, &x, ddl, name);
	if (to->query.n && to->query.at[to->query.n - 1] == at)
		return;
	*VEC_PUSH(&to->query) = at;
	if (after >= 0) {
		double calls = (double)(s->calls ? s->calls : 1);
		to->status = INDEX_VALIDATED;
		to->cost_before = fmax(to->cost_before, 0) + p->root->total_cost * calls;
		to->cost_after = fmax(to->cost_after, 0) + after * calls;
		to->size_bytes = size;
	}
	to->why = arena_printf(&a->found->arena,
		"%.*s is read whole (%.0f rows) for about %.0f rows that pass the filter",
		STR_ARGS(x.table->name), x.table->rows, plan_num(n->plan_rows));
}

static void link_findings(struct findings *f)
{
	for (size_t i = 0; i < f->at.n; i++)
		for (size_t k = 0; k < f->index.n; k++)
			for (size_t q = 0; q < f->index.at[k].query.n; q++)
				if (f->index.at[k].query.at[q] == f->at.at[i].shape)
					f->at.at[i].index = (int)k;
}

static bool worth_explaining(const struct shape *s)
{
	return (s->verb == SQL_SELECT || s->verb == SQL_UPDATE || s->verb == SQL_DELETE) &&
	       !s->unparsed.p && !s->is_cut && s->lex.statements == 1 &&
	       !(s->lex.traits & SQL_HAS_PLACEHOLDER) && s->lex.traits & SQL_HAS_FROM;
}

static void advise_shape(struct adviser *a, uint32_t at)
{
	struct plan *p = explain(a, a->facts->shape.at[at]);

	for (size_t i = 0; p && i < p->nodes; i++)
		if (p->node[i]->kind == PLAN_SEQ_SCAN)
			advise_scan(a, at, p, p->node[i]);
	arena_reset(&a->arena);
}

void options_advise(struct options *o, struct facts *f, const struct schema *schema,
	struct findings *found, struct report *r)
{
	struct adviser a = {.facts = f, .schema = schema, .found = found};
	struct err why;

	if (!o->dsn || !schema)
		return;
	a.db = db_open(o->dsn, &why);
	if (!a.db) {
		fprintf(stderr, "pgassay: %s\n", why.text);
		return;
	}
	a.has_hypopg = schema_has_extension(schema, "hypopg");
	report_order(r);
	for (size_t i = 0, done = 0; i < r->shapes && done < EXPLAIN_MAX; i++)
		if (worth_explaining(f->shape.at[r->shape[i]])) {
			advise_shape(&a, r->shape[i]);
			done++;
		}
	link_findings(found);
	if (!a.has_hypopg && found->index.n)
		*VEC_PUSH(&r->note) = (struct report_note){SEVERITY_INFO,
			STR("the indexes were not checked with the planner: the database has no "
			    "extension hypopg")};
	db_close(&a.db);
	arena_release(&a.arena);
}
