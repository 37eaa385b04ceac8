/* SPDX-License-Identifier: ISC
 *
 * Asking the planner what it would do.
 */
#include "advise_whatif.h"

#include "sql_text.h"

struct tried {
	struct whatif *w;
	const uint32_t *id;
	size_t n; /* made so far */
	int64_t size;
};

static void on_tried(void *ctx, const struct db_row *r)
{
	struct tried *t = ctx;

	if (db_columns(r) < 2) /* the reset's */
		return;
	*VEC_PUSH(&t->w->id) = t->id[t->n++];
	*VEC_PUSH(&t->w->name) = arena_str(&t->w->names, db_get(r, 0));
	t->size = db_int(r, 1);
}

static bool is_tried(const struct whatif *w, const uint32_t *id, size_t n)
{
	return w->is_known && n == w->id.n &&
	       (n == 0 || memcmp(w->id.at, id, n * sizeof(*id)) == 0);
}

/* All in one round trip; false: HypoPG refused one, and those after it were not made. */
static bool try_all(struct whatif *w, struct tried *t, size_t n)
{
	struct arena a = {0};
	struct db_step *step = ARENA_ARRAY(&a, struct db_step, n + 1);
	bool ok;

	step[0] = (struct db_step){.sql = sql_assay_hypo_reset};
	w->id.n = w->name.n = 0;
	arena_reset(&w->names);
	for (size_t i = 0; i < n; i++) {
		struct candidate c = w->candidate[t->id[i]];
		const char **param = ARENA_ARRAY(&a, const char *, 1);

		candidate_finish(&a, &c, false);
		param[0] = c.ddl.p;
		step[i + 1] = (struct db_step){sql_assay_hypo_try, param, 1};
	}
	ok = db_try(w->db, DB_READ_ONLY, step, n + 1, on_tried, t, NULL);
	arena_release(&a);
	return ok;
}

bool whatif_try(struct whatif *w, const uint32_t *id, size_t n)
{
	struct tried t = {.w = w, .id = id};
	struct arena a = {0};
	uint32_t *left;
	bool ok = true;

	if (is_tried(w, id, n))
		return true;
	left = ARENA_ARRAY(&a, uint32_t, n + 1);
	for (size_t i = 0; i < n; i++)
		left[i] = id[i];
	t.id = left;
	while (!try_all(w, &t, n) && t.n < n) { /* the next was refused: without it */
		memmove(left + t.n, left + t.n + 1, (--n - t.n) * sizeof(*left));
		t.n = 0;
		ok = false;
	}
	w->is_known = true;
	arena_release(&a);
	return ok;
}

int64_t whatif_size(struct whatif *w, uint32_t id)
{
	struct tried t = {.w = w, .id = &id, .size = -1};

	try_all(w, &t, 1);
	w->is_known = true;
	return t.size;
}

static void take_text(void *ctx, const struct db_row *r)
{
	text_str(ctx, db_get(r, 0));
}

/* The plan of what EXPLAIN with these options says; a statement with parameters is prepared, in the
 * same round trip. */
static struct plan *explain(struct whatif *w, enum db_mode mode, const char *head, struct arena *a,
	struct str sql, unsigned params, struct str args)
{
	struct text prepare = {0}, q = {0}, json = {0};
	struct plan_list found = {0};
	struct db_step step[3];
	struct plan *p = NULL;
	size_t n = 0;

	w->asked++;
	text_puts(&q, head);
	if (params == 0) {
		text_str(&q, sql);
	} else {
		text_printf(&prepare, "PREPARE pgassay_whatif AS %.*s", STR_ARGS(sql));
		text_puts(&q, "EXECUTE pgassay_whatif(");
		for (unsigned i = 0; i < params && args.n == 0; i++)
			text_puts(&q, i ? ", NULL" : "NULL");
		text_printf(&q, "%.*s)", STR_ARGS(args));
		if (args.n)
			step[n++] = (struct db_step){
				.sql = "SET LOCAL plan_cache_mode = force_custom_plan"};
		step[n++] = (struct db_step){.sql = prepare.p};
	}
	step[n++] = (struct db_step){.sql = q.p};
	if (!db_is_lost(w->db) && db_try(w->db, mode, step, n, take_text, &json, &w->why))
		plan_find(a, text_slice(&json), &found);
	if (found.plan.n)
		p = found.plan.at[0];
	if (p == NULL && w->id.n) {
		w->failed++;
		w->failure = w->why;
	}
	plan_list_release(&found);
	text_release(&prepare);
	text_release(&q);
	text_release(&json);
	return p;
}

struct plan *whatif_plan(struct whatif *w, struct arena *a, struct str sql, unsigned params,
	struct str args)
{
	return explain(w, DB_READ_ONLY, "EXPLAIN (FORMAT JSON, VERBOSE) ", a, sql, params, args);
}

struct plan *whatif_run(struct whatif *w, struct arena *a, struct str sql, unsigned params,
	struct str args)
{
	return explain(w, DB_READ_WRITE, "EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) ", a, sql,
		params, args);
}

size_t whatif_used(const struct whatif *w, const struct plan *p, uint32_t *used)
{
	size_t n = 0;

	for (size_t i = 0; i < w->id.n; i++) {
		bool is_used = false;

		for (size_t k = 0; k < p->nodes && !is_used; k++)
			is_used = str_eq(p->node[k]->index, w->name.at[i]);
		if (is_used)
			used[n++] = w->id.at[i];
	}
	return n;
}

void whatif_release(struct whatif *w)
{
	VEC_RELEASE(&w->id);
	VEC_RELEASE(&w->name);
	arena_release(&w->names);
}
