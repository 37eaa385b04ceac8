/* SPDX-License-Identifier: ISC
 *
 * The chosen indexes, told: which queries they help and how much, what writes pay, what would have
 * been the next best in their place, and why it is not.
 */
#include "advise_workload.h"

#include <inttypes.h>
#include <math.h>

#define WIDE 1.5 /* times the least size: the greatest is told, too */

/* The index of the same table that would be best in the place of this one: the total with it. */
static uint32_t next_best(const struct workload *w, struct tray *t, uint32_t id, double *total)
{
	uint32_t best = UINT32_MAX;

	tray_drop(t, id);
	*total = t->total;
	for (uint32_t i = 0; i < w->pool.at.n; i++) {
		double with = t->total + w->upkeep[i] + w->rent[i] - t->gain[i];

		if (i == id || t->in[i] || w->size[i] < 0 || w->barred[i] || t->gain[i] <= 0 ||
			!str_eq(w->pool.at.at[i].table, w->pool.at.at[id].table))
			continue;
		if (with < *total) {
			*total = with;
			best = i;
		}
	}
	return best;
}

static void say_alternative(struct workload *w, struct text *why, uint32_t id, uint32_t next,
	double saves, double lost)
{
	double percent = saves > 0 ? 100 * lost / saves : 0;

	text_printf(why, "; not %.*s in its place, which ",
		STR_ARGS(candidate_definition(&w->found->arena, &w->pool.at.at[next])));
	if (percent >= 0.5)
		text_printf(why, "would save %.0f %% less", fmin(percent, 100));
	else if (w->size[next] > w->size[id])
		text_printf(why, "would be %.1f MB larger and save as much",
			(double)(w->size[next] - w->size[id]) / 1e6);
	else
		text_puts(why, "would save as much");
	if (percent >= 0.5 && w->size[next] * 10 < w->size[id] * 9)
		text_printf(why, " (at %.1f MB)", (double)w->size[next] / 1e6);
}

static struct str say_why(struct workload *w, const struct choice *c, size_t at, size_t queries)
{
	struct tray *t = tray_new(w->matrix);
	uint32_t id = c->index[at], next;
	double with, without, saves, total;
	struct text why = {0};
	struct str s;

	for (size_t i = 0; i < c->count; i++)
		tray_add(t, c->index[i]);
	with = t->total;
	saves = tray_loss(t, id) + w->upkeep[id] + w->rent[id];
	without = with + tray_loss(t, id);
	next = next_best(w, t, id, &total);
	text_printf(&why, "%zu %s cheaper", queries, queries == 1 ? "query is" : "queries are");
	if (w->pool.at.at[id].is_of_value)
		text_printf(&why,
			"; it has only the rows that the calls looked at ask for, about %.2g %% of "
			"the "
			"table's: a call with another value would not use it",
			100 * workload_part(w, &w->pool.at.at[id]));
	if (w->upkeep[id] > 0 && saves > 0)
		text_printf(&why, "; its writes take back %.1f %% of what it saves",
			100 * w->upkeep[id] / saves);
	if (w->hot_lost[id])
		text_printf(&why,
			"; %" PRIu64
			" %s can be HOT no more and will write to every index of the table",
			w->hot_lost[id], w->hot_lost[id] == 1 ? "UPDATE" : "UPDATEs");
	if (w->is_guessed[id] && !w->is_built[id])
		text_puts(&why, "; HypoPG cannot try this method, so gain and size are guessed: "
				"--scratch builds it in a copy");
	if (next != UINT32_MAX)
		say_alternative(w, &why, id, next, without - with, total - with);
	s = arena_str(&w->found->arena, text_slice(&why));
	text_release(&why);
	tray_free(&t);
	return s;
}

struct index_advice *candidate_report(struct findings *f, const struct candidate *c)
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
		.size_least = -1,
		.size_most = -1,
	};
	for (size_t i = 0; i < c->keys; i++)
		x->column[x->columns++] = arena_str(a, c->key[i].expr);
	for (size_t i = 0; i < c->includes; i++)
		x->include[x->includes++] = arena_str(a, c->include[i]);
	if (c->replaces.n)
		*VEC_PUSH(&x->replaces) = arena_str(a, c->replaces);
	return x;
}

/* --- partitions ---------------------------------------------------------------------------------
 */

/* The index of a part, said of the whole: CONCURRENTLY does not go on a partitioned table, but
 * on its parts one by one. */
static void raise_to_root(struct workload *w, const struct schema_table *root, struct candidate *c)
{
	c->schema = root->schema;
	c->table = root->name;
	candidate_finish_apart(&w->arena, w->schema, c, false);
}

static struct index_advice *find_advice(struct findings *f, size_t first, const struct candidate *c)
{
	struct str ddl = str_before(c->ddl, c->ddl.n - str_ends(c->ddl, ";"));

	for (size_t i = first; i < f->index.n; i++)
		if (str_eq(f->index.at[i].ddl, ddl))
			return &f->index.at[i];
	return NULL;
}

/* --- queries
 * --------------------------------------------------------------------------------------- */

/* The shapes whose last plans use it, with what a call of them costs before and after on average.
 */
static bool has_query(const struct index_advice *x, uint32_t shape)
{
	for (size_t i = 0; i < x->query.n; i++)
		if (x->query.at[i] == shape)
			return true;
	return false;
}

static bool gains_by(const struct query *q, uint32_t id)
{
	bool uses = false;

	for (size_t j = 0; j < q->n_used; j++)
		uses |= q->used[j] == id;
	return uses && q->after < q->before;
}

/* Adds the shape of these queries; false: none of them gains. */
static bool add_shape(struct index_advice *x, const struct query *q, size_t n, uint32_t id)
{
	double calls = 0, before = 0, after = 0;
	bool gains = false;

	for (size_t i = 0; i < n; i++) {
		gains |= gains_by(&q[i], id);
		calls += q[i].calls;
		before += q[i].before * q[i].calls;
		after += q[i].after * q[i].calls;
	}
	if (!gains || has_query(x, q->shape)) /* by another partition's index */
		return gains;
	*VEC_PUSH(&x->query) = q->shape;
	*VEC_PUSH(&x->gain) = (struct index_gain){before / calls, after / calls};
	x->cost_before += before;
	x->cost_after += after;
	return true;
}

static size_t add_queries(const struct workload *w, struct index_advice *x, uint32_t id)
{
	size_t shapes = 0, n;

	if (x->cost_before < 0)
		x->cost_before = x->cost_after = 0;
	for (size_t k = 0; k < w->query.n; k += n) {
		n = 1;
		while (k + n < w->query.n && w->query.at[k + n].shape == w->query.at[k].shape)
			n++;
		shapes += add_shape(x, &w->query.at[k], n, id);
	}
	return shapes;
}

static bool is_used(const struct workload *w, uint32_t id)
{
	for (size_t k = 0; k < w->query.n; k++)
		if (gains_by(&w->query.at[k], id))
			return true;
	return false;
}

/* What could not be tried was not chosen: who is not told takes it for worthless. */
static void say_failed(const struct workload *w, struct workload_result *r)
{
	bool is_logged =
		str_starts(str_of(w->whatif.failure.text), "cache lookup failed for index");

	if (w->whatif.failed == 0)
		return;
	*VEC_PUSH(&r->say) = (struct workload_note){.is_warning = true,
		.text = arena_printf(&w->found->arena,
			"%zu of %zu plans with hypothetical indexes were refused, and advice is "
			"missing: %s%s",
			w->whatif.failed, w->whatif.asked,
			w->mask && !is_logged ? db_sqlstate(w->whatif.db) : w->whatif.failure.text,
			is_logged
				? "; auto_explain on that server logs the EXPLAINs of the role in "
				  "--dsn, too, and fails on indexes that do not exist: ALTER "
				  "ROLE … SET auto_explain.log_min_duration = -1 for that role "
				  "(as a superuser)"
				: "")};
}

/* With the extent where that is wide: a guess is called one. */
static void put_size(const struct workload *w, struct index_advice *x, uint32_t id,
	const struct schema_table *root)
{
	const struct candidate *c = &w->pool.at.at[id];
	const struct extent *e = &w->extent[id];

	x->size_bytes = root ? partition_size(w->schema, c, w->size[id], root) : w->size[id];
	if (w->is_built[id] || e->most <= WIDE * e->least)
		return;
	x->size_least = (int64_t)(e->least * (double)x->size_bytes / e->bytes);
	x->size_most = (int64_t)(e->most * (double)x->size_bytes / e->bytes);
}

void workload_report(struct workload *w, const struct choice *c, struct workload_result *r)
{
	size_t first = w->found->index.n;

	say_failed(w, r);
	for (size_t i = 0; i < c->count; i++) {
		uint32_t id = c->index[i];
		const struct schema_table *root;
		struct candidate own = w->pool.at.at[id];
		struct index_advice *x;

		if (!is_used(w, id))
			continue;
		root = partition_root(w->schema, &own);
		if (root)
			raise_to_root(w, root, &own);
		else
			candidate_finish_apart(&w->arena, w->schema, &own, true);
		candidate_existing(&w->arena, w->schema, &own);
		x = root ? find_advice(w->found, first, &own) : NULL;
		if (x) {
			add_queries(w, x, id);
			continue;
		}
		x = candidate_report(w->found, &own);
		x->status =
			w->is_guessed[id] && !w->is_built[id] ? INDEX_UNVALIDATED : INDEX_VALIDATED;
		put_size(w, x, id, root);
		x->why = say_why(w, c, i, add_queries(w, x, id));
		if (root) {
			x->why = arena_printf(&w->found->arena,
				"%.*s; as it stands it locks out writes while it builds",
				STR_ARGS(x->why));
			partition_steps(&w->found->arena, w->schema, &own, x);
		}
	}
	for (size_t k = 0; k < w->query.n; k++) {
		if (w->whatif.failed == 0 &&
			(k == 0 || w->query.at[k].shape != w->query.at[k - 1].shape))
			*VEC_PUSH(&r->judged) = w->query.at[k].shape;
		r->before += w->query.at[k].before * w->query.at[k].weight;
		r->after += w->query.at[k].after * w->query.at[k].weight;
	}
}
