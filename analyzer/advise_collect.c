/* SPDX-License-Identifier: ISC
 *
 * The workload's queries, with their plans as they are, and the candidates that these ask for.
 */
#include "advise_workload.h"

#include <math.h>

#define MERGED_MAX    150
#define CALLS_MAX     4	  /* of one shape whose plans differ */
#define ALIKE	      1.1 /* times the cost */
#define REFUSED_TOLD  10  /* statements that the planner refuses, told one by one, with */
#define REFUSED_SHOWN 80  /* bytes of their texts */

static bool is_worth_asking(const struct shape *s)
{
	bool reads = s->lex.traits & SQL_HAS_FROM;

	return (s->verb == SQL_UPDATE ||
		       (reads && (s->verb == SQL_SELECT || s->verb == SQL_DELETE ||
					 s->verb == SQL_INSERT))) &&
	       !s->is_aside && !s->unparsed.p && !s->is_cut && s->lex.statements == 1 &&
	       !(s->lex.traits & SQL_HAS_PLACEHOLDER);
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

static void add_candidates(struct workload *w, const struct plan *p, struct str sql,
	const struct constants *constants)
{
	struct needs s = {.w = w, .p = p};
	struct sql_tree *tree = sql_parse(&w->arena, sql, NULL);

	s.at = ARENA_ARRAY(&w->arena, struct needed_columns, p->nodes + 1);
	for (size_t i = 0; tree && i < p->nodes; i++)
		if (p->node[i]->relation.n)
			s.at[s.n++] = (struct needed_columns){.alias = p->node[i]->alias};
	if (tree)
		sql_walk(tree->root, note_column, &s);
	advise_generously(&w->arena, p, w->schema, s.at, s.n, constants, &w->pool);
}

/* What the planner refuses gets no advice (a table that is not there, or may not be read): the
 * first few are told one by one. */
static void note_refused(struct workload *w, const struct shape *s, size_t refused,
	struct workload_result *r)
{
	const char *state = db_sqlstate(w->whatif.db);
	/* Names of tables and columns are told, what may be a value is not. */
	bool is_named = strncmp(state, "42", 2) == 0 && strcmp(state, "42601") != 0;

	if (refused > REFUSED_TOLD)
		return;
	*VEC_PUSH(&r->say) = (struct workload_note){.is_warning = true,
		.text = arena_printf(&w->found->arena,
			"query %s could not be planned here, and gets no advice: %s%s (%.*s%s)",
			s->id, w->mask && state[0] && !is_named ? "SQLSTATE " : "",
			w->mask && state[0] && !is_named ? state : w->whatif.why.text,
			STR_ARGS(utf8_before(s->norm, REFUSED_SHOWN)),
			s->norm.n > REFUSED_SHOWN ? " …" : "")};
}

static void say_refused(struct workload *w, size_t refused, struct workload_result *r)
{
	if (refused > REFUSED_TOLD)
		*VEC_PUSH(&r->say) = (struct workload_note){.is_warning = true,
			.text = arena_printf(&w->found->arena,
				"%zu more statements could not be planned here, and get no advice",
				refused - REFUSED_TOLD)};
}

/* The dearest are looked at; how many are not, and what part of the whole they are. */
static void say_left(struct workload *w, size_t left, double part, struct workload_result *r)
{
	if (left)
		*VEC_PUSH(&r->say) = (struct workload_note){.is_warning = part > 0.05,
			.text = arena_printf(&w->found->arena,
				"the dearest %zu queries were looked at; %zu others, %.1f %% of "
				"the "
				"workload, were not",
				w->shapes, left, 100 * part)};
}

/* The generic plan is that of an average value, which a skewed column has not. */
static void say_generic(struct workload *w, size_t generic, struct workload_result *r)
{
	if (generic)
		*VEC_PUSH(&r->say) = (struct workload_note){
			.text = arena_printf(&w->found->arena,
				"the input has no values of the parameters of %zu %s: planned as "
				"for a "
				"value of average frequency (the server logs the extended "
				"protocol's "
				"values with log_min_duration_statement)",
				generic, generic == 1 ? "query" : "queries")};
}

/* Its time in the log, or its calls. */
static double weight_of(const struct shape *s)
{
	return s->time.total > 0 ? (double)s->time.sum : (double)s->calls;
}

/* --- the calls of one shape ---------------------------------------------------------------- */

/* The plan of a call; a value that does not fit any more is left away. */
static struct plan *plan_call(struct workload *w, const struct shape *s, struct call *c)
{
	struct plan *p = whatif_plan(&w->whatif, &w->arena, c->sql, s->lex.params, c->args);

	if (p || c->args.n == 0)
		return p;
	c->args = STR_NONE;
	return whatif_plan(&w->whatif, &w->arena, c->sql, s->lex.params, c->args);
}

/* Would the planner's answers about one be those about the other? */
static bool is_alike(struct workload *w, const struct plan *a, const struct plan *b)
{
	double x = a->root->total_cost, y = b->root->total_cost;

	if (a->nodes != b->nodes || fmax(x, y) > ALIKE * fmin(x, y))
		return false;
	for (size_t i = 0; i < a->nodes; i++)
		if (a->node[i]->kind != b->node[i]->kind ||
			!str_eq(a->node[i]->index, b->node[i]->index) ||
			!str_eq(a->node[i]->relation, b->node[i]->relation))
			return false;
	return constants_are_equal(w, a, b);
}

static double rows_written(const struct plan *p)
{
	const struct plan_node *n = p->root;

	return n->kind == PLAN_MODIFY_TABLE && plan_outer(n) ? plan_num(plan_outer(n)->plan_rows)
							     : -1;
}

static void add_query(struct workload *w, uint32_t shape, const struct call *c, struct plan *p)
{
	const struct shape *s = w->facts->shape.at[shape];

	*VEC_PUSH(&w->query) = (struct query){.shape = shape,
		.sql = c->sql,
		.params = s->lex.params,
		.args = c->args,
		.part_of_time = c->time,
		.part_of_calls = c->calls,
		.ms_before = NAN,
		.ms_after = NAN,
		.before = p->root->total_cost,
		.after = p->root->total_cost,
		.rows_written = rows_written(p)};
}

/* Its calls become queries of the workload; false: none could be planned. */
static bool collect_shape(struct workload *w, uint32_t shape, bool *is_generic)
{
	const struct shape *s = w->facts->shape.at[shape];
	struct call call[DRAWN_MAX + 1];
	struct plan *plan[DRAWN_MAX + 1];
	struct constants constants = {0};
	size_t n = draw_calls(w, shape, call, ARRAY_LEN(call)), planned = 0, kept = 0;
	double time = 0, calls = 0;

	for (size_t i = 0; i < n && !db_is_lost(w->whatif.db); i++) {
		struct plan *p;

		w->asking = shape;
		p = plan_call(w, s, &call[i]);

		if (p == NULL || !p->has_cost)
			continue;
		call[planned] = call[i];
		plan[planned++] = p;
		constants_note(w, &constants, s, &call[planned - 1], p);
	}
	for (size_t i = 0; i < planned; i++) {
		size_t as = 0;

		while (as < kept && !is_alike(w, plan[as], plan[i]))
			as++;
		if (as == CALLS_MAX) /* the rest are the least of them */
			continue;
		if (as < kept) {
			call[as].time += call[i].time;
			call[as].calls += call[i].calls;
		} else {
			call[kept] = call[i];
			plan[kept++] = plan[i];
		}
		time += call[i].time;
		calls += call[i].calls;
	}
	constants_settle(&constants);
	*is_generic = false;
	for (size_t i = 0; i < kept; i++) {
		call[i].time /= time;
		call[i].calls /= calls;
		*is_generic |= s->lex.params && call[i].args.n == 0;
		add_candidates(w, plan[i], call[i].sql, &constants);
		joined_note(w, plan[i]);
		add_query(w, shape, &call[i], plan[i]);
	}
	constants_release(&constants);
	return kept > 0;
}

void workload_collect(struct workload *w, const uint32_t *shape, size_t n, size_t most,
	struct workload_result *r)
{
	size_t refused = 0, left = 0, generic = 0;
	double looked_at = 0, left_out = 0;

	for (size_t i = 0; i < n && !db_is_lost(w->whatif.db); i++) {
		const struct shape *s = w->facts->shape.at[shape[i]];
		bool is_generic;

		if (!is_worth_asking(s))
			continue;
		if (w->shapes == most) {
			left++;
			left_out += weight_of(s);
			continue;
		}
		looked_at += weight_of(s);
		if (collect_shape(w, shape[i], &is_generic)) {
			w->shapes++;
			generic += is_generic;
		} else {
			note_refused(w, s, ++refused, r);
		}
	}
	say_refused(w, refused, r);
	say_generic(w, generic, r);
	say_left(w, left, left ? left_out / (looked_at + left_out) : 0, r);
	advise_merge(&w->arena, &w->pool, MERGED_MAX);
	w->whatif.candidate = w->pool.at.at;
}
