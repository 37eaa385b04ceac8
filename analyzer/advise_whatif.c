/* SPDX-License-Identifier: ISC
 *
 * Asking the planner what it would do.
 */
#include "advise_whatif.h"

#include "sql_text.h"

struct tried {
	struct whatif *w;
	uint32_t id;
	int64_t size;
};

static void on_tried(void *ctx, const struct db_row *r)
{
	struct tried *t = ctx;

	*VEC_PUSH(&t->w->id) = t->id;
	*VEC_PUSH(&t->w->name) = arena_str(&t->w->names, db_get(r, 0));
	t->size = db_int(r, 1);
}

static bool try_one(struct whatif *w, uint32_t id, int64_t *size)
{
	struct tried t = {w, id, -1};
	struct candidate c = w->candidate[id];
	struct arena a = {0};
	const char *param[1];
	bool ok;

	candidate_finish(&a, &c, false);
	param[0] = c.ddl.p;
	ok = db_each(w->db, sql_assay_hypo_try, param, 1, on_tried, &t, NULL);
	arena_release(&a);
	if (size)
		*size = t.size;
	return ok;
}

bool whatif_try(struct whatif *w, const uint32_t *id, size_t n)
{
	bool ok = true;

	db_run(w->db, sql_assay_hypo_reset, NULL);
	w->id.n = w->name.n = 0;
	arena_reset(&w->names);
	for (size_t i = 0; i < n; i++)
		ok = try_one(w, id[i], NULL) && ok;
	return ok;
}

int64_t whatif_size(struct whatif *w, uint32_t id)
{
	int64_t size = -1;

	whatif_try(w, NULL, 0);
	try_one(w, id, &size);
	whatif_try(w, NULL, 0);
	return size;
}

static void take_text(void *ctx, const struct db_row *r)
{
	text_str(ctx, db_get(r, 0));
}

static struct plan *explain(struct whatif *w, const char *head, struct arena *a, struct str sql,
	unsigned params, struct str args)
{
	struct text q = {0}, json = {0};
	struct plan_list found = {0};
	struct plan *p = NULL;
	bool ok = true;

	w->asked++;
	if (params == 0) {
		text_printf(&q, "%s%.*s", head, STR_ARGS(sql));
	} else {
		text_printf(&q, "PREPARE pgassay_whatif AS %.*s", STR_ARGS(sql));
		ok = db_run(w->db, q.p, &w->why);
		text_clear(&q);
		text_printf(&q, "%sEXECUTE pgassay_whatif(", head);
		for (unsigned i = 0; i < params && args.n == 0; i++)
			text_puts(&q, i ? ", NULL" : "NULL");
		text_printf(&q, "%.*s)", STR_ARGS(args));
		if (args.n)
			db_run(w->db, "SET plan_cache_mode = force_custom_plan", NULL);
	}
	ok = ok && db_each(w->db, q.p, NULL, 0, take_text, &json, &w->why);
	if (params)
		db_run(w->db, "DEALLOCATE ALL", NULL);
	if (params && args.n)
		db_run(w->db, "SET plan_cache_mode = force_generic_plan", NULL);
	if (ok)
		plan_find(a, text_slice(&json), &found);
	if (found.plan.n)
		p = found.plan.at[0];
	plan_list_release(&found);
	text_release(&q);
	text_release(&json);
	return p;
}

struct plan *whatif_plan(struct whatif *w, struct arena *a, struct str sql, unsigned params,
	struct str args)
{
	return explain(w, "EXPLAIN (FORMAT JSON, VERBOSE) ", a, sql, params, args);
}

struct plan *whatif_run(struct whatif *w, struct arena *a, struct str sql, unsigned params,
	struct str args)
{
	return explain(w, "EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) ", a, sql, params, args);
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
