/* SPDX-License-Identifier: ISC
 *
 * The best indexes for a whole workload.
 *
 *	1. Each query's plan as it is; generous candidates from it (advise_ask.c).
 *	2. The planner's cost of each query with each candidate that concerns it; with all of
 *	   them; with all but one of those used; with the best of two tables together.
 *	3. The matrix of these costs, weighted by the time (or calls) of each query, the
 *	   writes' upkeep beside it; selection under the budget (advise_select.c).
 *	4. Proof: all chosen at once, each query planned again.  An index that only lures the
 *	   planner into walking its order below a LIMIT is taken back and the choice repeated;
 *	   one that no plan uses is left out.
 *
 * Deterministic: the same workload, catalog and statistics give the same advice.
 */
#include <math.h>

#include "advise_matrix.h"
#include "advise_whatif.h"
#include "rule.h"
#include "schema.h"
#include "sql.h"

#define QUERIES_MAX   300
#define CONCERNED_MAX 64    /* candidates asked about for one query */
#define MIN_GAIN      0.98  /* of the cost: a smaller gain is noise */
#define MIN_PART      0.001 /* of the workload: an index must save at least this */
#define WRITE_COST    0.6   /* in the planner's unit, for one index entry written */
#define TRAP_ROUNDS   3

struct query {
	uint32_t shape;
	struct str sql;
	unsigned params;
	double before, after; /* the planner's cost */
	double weight;
	uint32_t concerned[CONCERNED_MAX];
	size_t n_concerned;
	uint32_t *used; /* in the final plan */
	size_t n_used;
};

struct workload {
	struct arena arena; /* of the whole run */
	struct arena plans; /* of one plan; reset often */
	struct facts *facts;
	const struct schema *schema;
	struct findings *found;
	struct whatif whatif;
	VEC(struct query) query;
	struct candidates pool;
	int64_t *size;
	double *upkeep;
	bool *barred;
	double unit; /* weight of one cost unit on average: what upkeep is counted in */
	struct matrix *matrix;
};

/* --- 1: queries and candidates -----------------------------------------------------------------
 */

static bool is_worth_asking(const struct shape *s)
{
	return (s->verb == SQL_SELECT || s->verb == SQL_UPDATE || s->verb == SQL_DELETE) &&
	       !s->unparsed.p && !s->is_cut && s->lex.statements == 1 &&
	       !(s->lex.traits & SQL_HAS_PLACEHOLDER) && s->lex.traits & SQL_HAS_FROM;
}

struct needs {
	struct workload *w;
	const struct plan *p;
	struct needed_columns *at;
	size_t n;
};

static void need(struct needed_columns *n, struct str column)
{
	for (size_t i = 0; i < n->columns; i++)
		if (str_eq(n->column[i], column))
			return;
	if (n->columns == ARRAY_LEN(n->column))
		n->is_all = true;
	else
		n->column[n->columns++] = column;
}

static bool table_has(const struct needs *s, struct str alias, struct str column)
{
	for (size_t i = 0; i < s->p->nodes; i++) {
		const struct plan_node *n = s->p->node[i];
		const struct schema_table *t;

		if (!str_eq(n->alias, alias) || n->relation.n == 0)
			continue;
		t = schema_find(s->w->schema, n->schema, n->relation);
		return t && schema_column_of(t, column) >= 0;
	}
	return false;
}

static enum walk note_column(void *ctx, const struct sql_path *at)
{
	struct needs *s = ctx;
	size_t parts;
	struct str qual = STR_NONE, name;
	const struct sql_node *last;

	if (!node_is(at->node, "ColumnRef"))
		return WALK_ON;
	parts = node_len(at->node, "fields");
	last = node_item(at->node, "fields", parts - 1);
	if (parts > 1)
		qual = str_of(node_str(node_item(at->node, "fields", parts - 2), "sval"));
	name = str_of(node_str(last, "sval"));
	for (size_t i = 0; i < s->n; i++) {
		struct needed_columns *n = &s->at[i];

		if (qual.n && !str_eq(qual, n->alias))
			continue;
		if (node_is(last, "A_Star"))
			n->is_all = true;
		else if (qual.n || table_has(s, n->alias, name))
			need(n, name);
	}
	return WALK_PRUNE;
}

static void add_candidates(struct workload *w, const struct plan *p, struct str sql)
{
	struct needs s = {.w = w, .p = p};
	struct sql_tree *tree = sql_parse(&w->arena, sql, NULL);

	s.at = ARENA_ARRAY(&w->arena, struct needed_columns, p->nodes + 1);
	for (size_t i = 0; tree && i < p->nodes; i++)
		if (p->node[i]->relation.n)
			s.at[s.n++] = (struct needed_columns){.alias = p->node[i]->alias};
	if (tree)
		sql_walk(tree->root, note_column, &s);
	advise_generously(&w->arena, p, w->schema, s.at, s.n, &w->pool);
}

static void collect(struct workload *w, const uint32_t *shape, size_t n, size_t most)
{
	for (size_t i = 0; i < n && w->query.n < most; i++) {
		const struct shape *s = w->facts->shape.at[shape[i]];
		struct query *q;
		struct plan *p;

		if (!is_worth_asking(s))
			continue;
		p = whatif_plan(&w->whatif, &w->arena, s->example, s->lex.params);
		if (p == NULL || !p->has_cost)
			continue;
		add_candidates(w, p, s->example);
		q = VEC_PUSH(&w->query);
		*q = (struct query){.shape = shape[i],
			.sql = s->example,
			.params = s->lex.params,
			.before = p->root->total_cost,
			.after = p->root->total_cost};
	}
	w->whatif.candidate = w->pool.at.at;
}

/* By time where the log has it, else by calls; the unit is what a cost of 1 weighs. */
static void weigh(struct workload *w)
{
	size_t timed = 0;
	double weight = 0, cost = 0;

	for (size_t i = 0; i < w->query.n; i++)
		timed += w->facts->shape.at[w->query.at[i].shape]->time.total > 0;
	for (size_t i = 0; i < w->query.n; i++) {
		struct query *q = &w->query.at[i];
		const struct shape *s = w->facts->shape.at[q->shape];
		double calls = s->calls ? (double)s->calls : 1;

		q->weight = calls;
		if (timed * 2 > w->query.n)
			q->weight = fmax((double)s->time.sum, 1) / 1000 / fmax(q->before, 0.01);
		weight += q->weight * q->before;
		cost += calls * q->before;
	}
	w->unit = cost > 0 ? weight / cost : 1;
}

/* --- sizes and writes ----------------------------------------------------------------------------
 */

static const struct schema_column *column_of(const struct schema_table *t, struct str name)
{
	int at = t ? schema_column_of(t, name) : -1;

	return at >= 0 ? &t->column.at[at] : NULL;
}

/* HypoPG knows no deduplication: equal keys are stored once, with a list of rows. */
static int64_t true_size(const struct workload *w, const struct candidate *c, int64_t hypo)
{
	const struct schema_table *t = schema_find(w->schema, c->schema, c->table);
	double distinct = 1, width = 0, rows = t ? t->rows : -1, own;

	if (rows < 1 || c->where.n || c->includes)
		return hypo;
	for (size_t i = 0; i < c->keys; i++) {
		const struct schema_column *col = column_of(t, c->key[i].expr);

		if (col == NULL || col->width == 0 || col->n_distinct >= 0)
			distinct *= col && col->n_distinct > 0 ? col->n_distinct : rows;
		else
			distinct *= -col->n_distinct * rows;
		width += col && col->width ? col->width : 8;
	}
	distinct = fmin(distinct, rows);
	if (rows < 2 * distinct)
		return hypo;
	own = (rows * 6.5 + distinct * (16 + width)) / 0.9 + 16384;
	return hypo >= 0 && (double)hypo < own ? hypo : (int64_t)own;
}

static bool has_column(const struct candidate *c, struct str name)
{
	for (size_t i = 0; i < c->keys; i++)
		if (name.n && memmem(c->key[i].expr.p, c->key[i].expr.n, name.p, name.n))
			return true;
	for (size_t i = 0; i < c->includes; i++)
		if (str_eq(c->include[i], name))
			return true;
	return false;
}

/* What one write statement costs the candidate, in the planner's unit for one call. */
static double write_cost(struct workload *w, const struct candidate *c, const struct shape *s)
{
	struct sql_tree *tree = sql_parse(&w->plans, s->example, NULL);
	const struct sql_outline *o;
	const struct schema_table *t;

	if (tree == NULL || tree->statements != 1)
		return 0;
	o = sql_outline(&w->plans, sql_statement(tree, 0));
	if (o->rels == 0 || !str_eq(o->rel[0].name, c->table) ||
		(o->rel[0].schema.n && c->schema.n && !str_eq(o->rel[0].schema, c->schema)))
		return 0;
	if (o->verb == SQL_INSERT)
		return WRITE_COST * (double)(o->value_rows ? o->value_rows : 1);
	if (o->verb != SQL_UPDATE)
		return 0;
	for (size_t i = 0; i < o->sets; i++)
		if (has_column(c, o->set[i].name)) {
			/* The update is HOT no more: every index of the table gets an entry. */
			t = schema_find(w->schema, c->schema, c->table);
			return WRITE_COST * (double)(1 + (t ? t->index.n : 1));
		}
	return 0;
}

static void cost_candidates(struct workload *w)
{
	size_t n = w->pool.at.n;

	w->size = ARENA_ARRAY(&w->arena, int64_t, n + 1);
	w->upkeep = ARENA_ARRAY(&w->arena, double, n + 1);
	w->barred = ARENA_ARRAY(&w->arena, bool, n + 1);
	for (size_t i = 0; i < n; i++) {
		const struct candidate *c = &w->pool.at.at[i];

		/* HypoPG refuses GIN and GiST: those are told, but not chosen among. */
		w->size[i] =
			strcmp(c->method, "btree") == 0 ? whatif_size(&w->whatif, (uint32_t)i) : -1;
		if (w->size[i] >= 0)
			w->size[i] = true_size(w, c, w->size[i]);
		for (size_t k = 0; k < w->facts->shape.n && w->size[i] >= 0; k++) {
			const struct shape *s = w->facts->shape.at[k];

			if ((s->verb == SQL_INSERT || s->verb == SQL_UPDATE) && s->calls)
				w->upkeep[i] += write_cost(w, c, s) * (double)s->calls * w->unit;
		}
		arena_reset(&w->plans);
	}
}

/* --- 2: the planner's answers
 * ----------------------------------------------------------------------- */

/* An order walked below a LIMIT, past a filter, by an index that finds nothing itself. */
static bool is_trap(const struct plan_node *n)
{
	if ((n->kind != PLAN_INDEX_SCAN && n->kind != PLAN_INDEX_ONLY_SCAN) ||
		plan_prop(n, "Index Cond") || !plan_prop(n, "Filter"))
		return false;
	for (const struct plan_node *up = n->up; up; up = up->up)
		if (up->kind == PLAN_LIMIT)
			return true;
	return false;
}

/* Does the plan fall into the trap by an index that is only tried? */
static bool has_trap(const struct whatif *w, const struct plan *p)
{
	for (size_t k = 0; k < p->nodes; k++)
		for (size_t j = 0; j < w->name.n; j++)
			if (str_eq(p->node[k]->index, w->name.at[j]) && is_trap(p->node[k]))
				return true;
	return false;
}

/* Plans with these indexes; notes the cost under those it used. The used set goes to *used. */
static double ask(struct workload *w, size_t at, const uint32_t *id, size_t n, uint32_t *used,
	size_t *n_used)
{
	struct query *q = &w->query.at[at];
	struct plan *p;
	double cost;

	whatif_try(&w->whatif, id, n);
	p = whatif_plan(&w->whatif, &w->plans, q->sql, q->params);
	*n_used = p ? whatif_used(&w->whatif, p, used) : 0;
	cost = p ? p->root->total_cost : INFINITY;
	if (*n_used && cost < q->before * MIN_GAIN && !has_trap(&w->whatif, p))
		matrix_entry(w->matrix, at, used, *n_used, cost);
	arena_reset(&w->plans);
	return cost;
}

/* The candidates that could matter: on a table the plan reads, led by something it asks for. */
static void find_concerned(struct workload *w, struct query *q)
{
	struct candidates own = {0};
	struct plan *p;

	whatif_try(&w->whatif, NULL, 0);
	p = whatif_plan(&w->whatif, &w->plans, q->sql, q->params);
	if (p)
		advise_generously(&w->plans, p, NULL, NULL, 0, &own);
	for (size_t i = 0; i < w->pool.at.n && q->n_concerned < CONCERNED_MAX; i++) {
		const struct candidate *c = &w->pool.at.at[i];
		bool leads = false;

		for (size_t k = 0; k < own.at.n && !leads && w->size[i] >= 0; k++)
			leads = str_eq(own.at.at[k].table, c->table) &&
				str_eq(own.at.at[k].schema, c->schema) &&
				str_eq(own.at.at[k].key[0].expr, c->key[0].expr);
		if (leads)
			q->concerned[q->n_concerned++] = (uint32_t)i;
	}
	candidates_release(&own);
	arena_reset(&w->plans);
}

/* The cheapest two singles of each table, for the pairs. */
static size_t find_pairs(const struct workload *w, const struct query *q, const double *alone,
	uint32_t pair[][2], size_t most)
{
	size_t n = 0, best[8] = {0}, bests = 0;

	for (size_t i = 0; i < q->n_concerned && bests < ARRAY_LEN(best); i++) {
		size_t better = 0;

		for (size_t k = 0; k < q->n_concerned; k++)
			better += str_eq(w->pool.at.at[q->concerned[k]].table,
					  w->pool.at.at[q->concerned[i]].table) &&
				  (alone[k] < alone[i] || (alone[k] == alone[i] && k < i));
		if (better < 2)
			best[bests++] = i;
	}
	for (size_t i = 0; i < bests; i++)
		for (size_t k = i + 1; k < bests && n < most; k++) {
			pair[n][0] = q->concerned[best[i]];
			pair[n++][1] = q->concerned[best[k]];
		}
	return n;
}

static void ask_query(struct workload *w, size_t at)
{
	struct query *q = &w->query.at[at];
	double alone[CONCERNED_MAX];
	uint32_t used[CONCERNED_MAX], other[CONCERNED_MAX], pair[24][2];
	size_t n_used, n_other, pairs;

	find_concerned(w, q);
	matrix_query(w->matrix, at, q->before, q->weight);
	for (size_t i = 0; i < q->n_concerned; i++)
		alone[i] = ask(w, at, &q->concerned[i], 1, other, &n_other);
	if (q->n_concerned < 2)
		return;
	ask(w, at, q->concerned, q->n_concerned, used, &n_used);
	for (size_t i = 0; i < n_used; i++) { /* what it would do without each of these */
		uint32_t rest[CONCERNED_MAX];
		size_t n = 0;

		for (size_t k = 0; k < q->n_concerned; k++)
			if (q->concerned[k] != used[i])
				rest[n++] = q->concerned[k];
		ask(w, at, rest, n, other, &n_other);
	}
	pairs = find_pairs(w, q, alone, pair, ARRAY_LEN(pair));
	for (size_t i = 0; i < pairs; i++)
		ask(w, at, pair[i], 2, other, &n_other);
}

/* --- 3: selection
 * -------------------------------------------------------------------------------------- */

/* Drop what saves next to nothing. */
static void thin_out(struct workload *w, struct choice *c)
{
	struct tray *t = tray_new(w->matrix);
	size_t kept = 0;
	double total;

	for (size_t i = 0; i < c->count; i++)
		tray_add(t, c->index[i]);
	total = t->total;
	for (size_t i = c->count; i-- > 0;)
		if (tray_loss(t, c->index[i]) < MIN_PART * total)
			tray_drop(t, c->index[i]);
	for (size_t i = 0; i < c->count; i++)
		if (t->in[c->index[i]])
			c->index[kept++] = c->index[i];
	c->count = kept;
	tray_free(&t);
}

static struct choice choose(struct workload *w, const struct workload_limits *l)
{
	struct select_limits limits = {.bytes = l->bytes, .indexes = l->indexes};
	struct choice c;

	if (limits.bytes == 0)
		for (size_t i = 0; i < w->pool.at.n; i++)
			limits.bytes += w->size[i] > 0 ? (uint64_t)w->size[i] : 0;
	for (size_t i = 0; i < w->pool.at.n; i++)
		matrix_index(w->matrix, i,
			w->barred[i] || w->size[i] < 0 ? UINT64_MAX / 4 : (uint64_t)w->size[i],
			w->upkeep[i]);
	c = select_indexes(w->matrix, &limits);
	thin_out(w, &c);
	return c;
}

/* --- 4: proof
 * ------------------------------------------------------------------------------------------ */

/* Plans every query with all chosen; true: some were taken back and the choice must be redone. */
static bool prove(struct workload *w, const struct choice *c)
{
	bool any = false;

	whatif_try(&w->whatif, c->index, c->count);
	for (size_t i = 0; i < w->query.n; i++) {
		struct query *q = &w->query.at[i];
		struct plan *p = whatif_plan(&w->whatif, &w->plans, q->sql, q->params);

		q->after = p ? p->root->total_cost : q->before;
		q->used = ARENA_ARRAY(&w->arena, uint32_t, c->count + 1);
		q->n_used = p ? whatif_used(&w->whatif, p, q->used) : 0;
		for (size_t k = 0; p && k < p->nodes; k++)
			for (size_t j = 0; j < w->whatif.id.n; j++)
				if (str_eq(p->node[k]->index, w->whatif.name.at[j]) &&
					is_trap(p->node[k])) {
					w->barred[w->whatif.id.at[j]] = true;
					any = true;
				}
		arena_reset(&w->plans);
	}
	return any;
}

/* --- report
 * ---------------------------------------------------------------------------------------------- */

static struct str say_why(struct workload *w, const struct choice *c, size_t at, size_t queries)
{
	struct tray *t = tray_new(w->matrix);
	uint32_t id = c->index[at], next = UINT32_MAX;
	double saves;
	struct text why = {0};
	struct str s;

	for (size_t i = 0; i < c->count; i++)
		tray_add(t, c->index[i]);
	saves = tray_loss(t, id) + w->upkeep[id];
	tray_drop(t, id);
	for (size_t i = 0; i < w->pool.at.n; i++)
		if (i != id && !t->in[i] && t->gain[i] > 0 &&
			str_eq(w->pool.at.at[i].table, w->pool.at.at[id].table) &&
			(next == UINT32_MAX || t->gain[i] > t->gain[next]))
			next = (uint32_t)i;
	text_printf(&why, "%zu %s cheaper", queries, queries == 1 ? "query is" : "queries are");
	if (w->upkeep[id] > 0 && saves > 0)
		text_printf(&why, "; its writes take back %.1f %% of what it saves",
			100 * w->upkeep[id] / saves);
	if (next != UINT32_MAX && saves > 0) {
		struct candidate alt = w->pool.at.at[next];
		size_t open = str_find(alt.ddl, "(");

		text_printf(&why, "; the next best, %.*s, would save %.0f %% of that",
			STR_ARGS(str_before(str_skip(alt.ddl, open),
				alt.ddl.n - open - str_ends(alt.ddl, ";"))),
			fmin(100, 100 * t->gain[next] / saves));
	}
	s = arena_str(&w->found->arena, text_slice(&why));
	text_release(&why);
	tray_free(&t);
	return s;
}

static struct index_advice *new_advice(struct findings *f, const struct candidate *c)
{
	struct arena *a = &f->arena;
	struct index_advice *x = VEC_PUSH(&f->index);

	*x = (struct index_advice){
		.ddl = arena_str(a, str_before(c->ddl, c->ddl.n - str_ends(c->ddl, ";"))),
		.table = arena_str(a, c->table),
		.method = str_of(c->method),
		.where = c->where.n ? arena_str(a, c->where) : STR_NONE,
		.name = arena_str(a, c->name),
		.column = ARENA_ARRAY(a, struct str, c->keys + 1),
		.include = ARENA_ARRAY(a, struct str, c->includes + 1),
		.cost_before = -1,
		.cost_after = -1,
		.size_bytes = -1,
	};
	for (size_t i = 0; i < c->keys; i++)
		x->column[x->columns++] = arena_str(a, c->key[i].expr);
	for (size_t i = 0; i < c->includes; i++)
		x->include[x->includes++] = arena_str(a, c->include[i]);
	if (c->replaces.n)
		*VEC_PUSH(&x->replaces) = arena_str(a, c->replaces);
	return x;
}

static void report(struct workload *w, const struct choice *c, struct workload_result *r)
{
	for (size_t i = 0; i < c->count; i++) {
		struct candidate own = w->pool.at.at[c->index[i]];
		struct index_advice *x = NULL;
		size_t queries = 0;

		for (size_t k = 0; k < w->query.n; k++) {
			const struct query *q = &w->query.at[k];
			double calls = fmax(1, (double)w->facts->shape.at[q->shape]->calls);

			for (size_t j = 0; j < q->n_used; j++) {
				if (q->used[j] != c->index[i] || q->after >= q->before)
					continue;
				if (x == NULL) {
					candidate_existing(w->schema, &own);
					x = new_advice(w->found, &own);
					x->cost_before = x->cost_after = 0;
				}
				*VEC_PUSH(&x->query) = q->shape;
				x->cost_before += q->before * calls;
				x->cost_after += q->after * calls;
				queries++;
			}
		}
		if (x == NULL)
			continue;
		x->status = INDEX_VALIDATED;
		x->size_bytes = w->size[c->index[i]];
		x->why = say_why(w, c, i, queries);
	}
	for (size_t k = 0; k < w->query.n; k++) {
		r->before += w->query.at[k].before * w->query.at[k].weight;
		r->after += w->query.at[k].after * w->query.at[k].weight;
	}
}

/* GIN and GiST cannot be tried: told with the queries that ask for them. */
static void report_untried(struct workload *w)
{
	whatif_try(&w->whatif, NULL, 0);
	for (size_t i = 0; i < w->pool.at.n; i++) {
		const struct candidate *c = &w->pool.at.at[i];
		struct index_advice *x = NULL;

		if (strcmp(c->method, "btree") == 0)
			continue;
		for (size_t k = 0; k < w->query.n; k++) {
			const struct query *q = &w->query.at[k];
			struct candidates own = {0};
			struct plan *p = q->after > 100 ? whatif_plan(&w->whatif, &w->plans, q->sql,
								  q->params)
							: NULL;

			if (p)
				advise_plan(&w->plans, p, w->schema, &own);
			for (size_t j = 0; j < own.at.n; j++)
				if (str_eq(own.at.at[j].ddl, c->ddl)) {
					if (x == NULL)
						x = new_advice(w->found, c);
					x->why = STR("HypoPG cannot try this method: build it in a "
						     "copy of the database to see");
					*VEC_PUSH(&x->query) = q->shape;
				}
			candidates_release(&own);
			arena_reset(&w->plans);
		}
	}
}

struct workload_result advise_workload(struct db *db, struct facts *f, const uint32_t *shape,
	size_t n, const struct schema *schema, const struct workload_limits *limits,
	struct findings *found)
{
	struct workload w = {.facts = f, .schema = schema, .found = found, .whatif = {.db = db}};
	struct workload_result r = {.note = STR("")};
	struct choice choice = {0};

	if (!schema_has_extension(schema, "hypopg")) {
		r.note = STR("no index advice: the database has no extension hypopg, and without "
			     "it the planner cannot be asked");
		return r;
	}
	collect(&w, shape, n, limits->queries ? limits->queries : QUERIES_MAX);
	weigh(&w);
	cost_candidates(&w);
	w.matrix = matrix_new(w.pool.at.n, w.query.n);
	for (size_t i = 0; i < w.query.n; i++)
		ask_query(&w, i);
	w.matrix->keeps_all =
		true; /* what another index beats may be needed when that one is barred */
	matrix_seal(w.matrix);
	for (int round = 0; round <= TRAP_ROUNDS; round++) {
		choice_release(&choice);
		choice = choose(&w, limits);
		if (!prove(&w, &choice))
			break;
	}
	report(&w, &choice, &r);
	report_untried(&w);
	whatif_try(&w.whatif, NULL, 0);
	r.queries = w.query.n;
	r.candidates = w.pool.at.n;
	r.asked = w.whatif.asked;
	choice_release(&choice);
	matrix_free(&w.matrix);
	candidates_release(&w.pool);
	whatif_release(&w.whatif);
	VEC_RELEASE(&w.query);
	arena_release(&w.plans);
	arena_release(&w.arena);
	return r;
}
