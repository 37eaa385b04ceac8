/* SPDX-License-Identifier: ISC
 *
 * The best indexes for a whole workload.
 *
 *	1. Each query's plan as it is; generous candidates from it (advise_ask.c).
 *	2. The planner's cost of each query with each candidate that concerns it; with all of
 *	   them; with all but one of those used; with the best of two tables together.
 *	3. The matrix of these costs, weighted by the time (or calls) of each query, the
 *	   writes' upkeep beside it; selection under the budget (advise_select.c).  Then each
 *	   candidate beside those chosen, and the selection once more.
 *	4. Proof: all chosen at once, each query planned again.  An index that only lures the
 *	   planner into walking its order below a LIMIT, or puts too much at stake
 *	   (advise_risk.c), is taken back and the choice repeated; one that no plan uses, or that
 *	   does not pay (advise_pay.c), is left out.
 *
 * Deterministic: the same workload, catalog and statistics give the same advice.
 */
#include "advise_workload.h"

#include <math.h>
#include <time.h>

#define BYTES_PART                                                                                 \
	0.15 /* without a budget: of the workload, what bytes as many as the tables' cost */
#define MIN_PART     0.001 /* of the workload: an index must save at least this */
#define PROOF_ROUNDS 12	   /* with a choice made anew; then what is barred only goes */
#define SLOW_ROUNDS  3
/* How many plans a query is asked about beside one for each candidate, by experience: with others
 * together, beside those chosen, and in the end with all. */
#define ASKED_PAIRS   3.0
#define PAIRS_UP_TO   8
#define AROUND_PART   0.8
#define ASKED_PROVING 8.0
#define AROUND_ROUNDS 2	    /* questions about the neighbours of a choice, and a new choice */
#define AROUND_MAX    12000 /* plans asked for in one of them: the dearest queries' first */

/* --- 2: what bytes and calls weigh ------------------------------------------------------- */

/* Without a budget bytes are not free: an index must be worth its part of the database. */
static void price_bytes(struct workload *w)
{
	double bytes = 1;

	for (size_t i = 0; i < w->schema->table.n; i++)
		bytes += w->schema->table.at[i]->bytes > 0 ? (double)w->schema->table.at[i]->bytes
							   : 0;
	for (size_t i = 0; i < w->pool.at.n; i++)
		if (w->size[i] > 0)
			w->rent[i] = BYTES_PART * w->total * (double)w->size[i] / bytes;
}

static void list_candidates(struct workload *w)
{
	size_t n = w->pool.at.n;

	w->size = ARENA_ARRAY(&w->arena, int64_t, n + 1);
	w->extent = ARENA_ARRAY(&w->arena, struct extent, n + 1);
	w->upkeep = ARENA_ARRAY(&w->arena, double, n + 1);
	w->hot_lost = ARENA_ARRAY(&w->arena, uint64_t, n + 1);
	w->rent = ARENA_ARRAY(&w->arena, double, n + 1);
	w->barred = ARENA_ARRAY(&w->arena, bool, n + 1);
	w->is_guessed = ARENA_ARRAY(&w->arena, bool, n + 1);
	w->is_built = ARENA_ARRAY(&w->arena, bool, n + 1);
	for (size_t i = 0; i < n; i++)
		w->is_guessed[i] = strcmp(w->pool.at.at[i].method, "gin") == 0 ||
				   strcmp(w->pool.at.at[i].method, "gist") == 0;
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
		double calls = (s->calls ? (double)s->calls : 1) * q->part_of_calls;

		q->weight = q->calls = calls;
		if (timed * 2 > w->query.n)
			q->weight = fmax((double)s->time.sum, 1) * q->part_of_time / 1000 /
				    fmax(q->before, 0.01);
		weight += q->weight * q->before;
		cost += calls * q->before;
		w->calls += calls;
	}
	w->total = weight;
	w->unit = cost > 0 ? weight / cost : 1;
}

/* --- 3: selection
 * -------------------------------------------------------------------------------------- */

/* Another chosen index has its keys, and more behind them. */
static bool is_redundant(const struct workload *w, const struct tray *t, const struct choice *c,
	uint32_t id)
{
	const struct candidate *a = &w->pool.at.at[id];

	for (size_t i = 0; i < c->count; i++) {
		const struct candidate *b = &w->pool.at.at[c->index[i]];
		size_t k = 0;

		if (c->index[i] == id || !t->in[c->index[i]] || !str_eq(a->table, b->table) ||
			strcmp(a->method, b->method) != 0 || !str_eq(a->where, b->where) ||
			a->keys > b->keys)
			continue;
		while (k < a->keys && str_eq(a->key[k].expr, b->key[k].expr))
			k++;
		if (k == a->keys)
			return true;
	}
	return false;
}

/* Drop what saves next to nothing, and what saves little beside one that is much the same. */
static void thin_out(struct workload *w, const struct workload_limits *l, struct choice *c)
{
	struct tray *t = tray_new(w->matrix);
	size_t kept = 0;
	double total;

	for (size_t i = 0; i < c->count; i++)
		tray_add(t, c->index[i]);
	total = t->total;
	for (size_t i = c->count; i-- > 0;)
		if (tray_loss(t, c->index[i]) <
			MIN_PART * total * pay_asked(w, l, c->index[i]) *
				(is_redundant(w, t, c, c->index[i]) ? 5 : 1))
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
			w->upkeep[i] + w->rent[i]);
	c = select_indexes(w->matrix, &limits);
	thin_out(w, l, &c);
	return c;
}

/* Asks what each candidate would do beside those chosen: the first questions were about one alone,
 * or about all, and a choice lies between.  The next choice knows it. */
static void ask_around(struct workload *w, const struct workload_limits *l, int rounds)
{
	for (int round = 0; round < rounds; round++) {
		struct choice c = choose(w, l);
		size_t until = w->whatif.asked + AROUND_MAX;

		for (size_t i = 0; i < w->query.n && w->whatif.asked < until; i++)
			query_ask_around(w, i, &c);
		matrix_seal(w->matrix);
		choice_release(&c);
	}
}

/* --- 4: proof
 * ------------------------------------------------------------------------------------------ */

/* A guessed index that was chosen, where it is better than the planner's best without it. */
static void prove_guesses(struct query *q, const struct choice *c)
{
	for (size_t i = 0; i < q->guesses; i++)
		for (size_t k = 0; k < c->count; k++)
			if (q->guess[i].id == c->index[k] && q->guess[i].cost < q->after) {
				q->after = q->worst = q->guess[i].cost;
				q->used[0] = q->guess[i].id;
				q->n_used = 1;
			}
}

bool workload_prove(struct workload *w, const struct choice *c)
{
	uint32_t *tried = ARENA_ARRAY(&w->arena, uint32_t, c->count + 1);
	bool any = false;
	size_t n = 0;

	for (size_t i = 0; i < c->count; i++)
		if (!w->is_guessed[c->index[i]])
			tried[n++] = c->index[i];
	whatif_try(&w->whatif, tried, n);
	for (size_t i = 0; i < w->query.n; i++) {
		struct query *q = &w->query.at[i];
		struct plan *p = query_plan(w, q);

		q->after = p ? p->root->total_cost : q->before;
		q->worst = p ? risk_cost(w, p) : q->before;
		q->used = ARENA_ARRAY(&w->arena, uint32_t, c->count + 1);
		q->n_used = p ? whatif_used(&w->whatif, p, q->used) : 0;
		for (size_t k = 0; p && k < p->nodes; k++)
			for (size_t j = 0; j < w->whatif.id.n; j++)
				if (str_eq(p->node[k]->index, w->whatif.name.at[j]) &&
					is_order_trap(p->node[k])) {
					w->barred[w->whatif.id.at[j]] = true;
					any = true;
				}
		prove_guesses(q, c);
		arena_reset(&w->plans);
	}
	if (risk_bar(w, c))
		any = true;
	return any;
}

static void workload_release(struct workload *w)
{
	scratch_close(w);
	matrix_free(&w->matrix);
	candidates_release(&w->pool);
	whatif_release(&w->whatif);
	VEC_RELEASE(&w->joined);
	VEC_RELEASE(&w->query);
	VEC_RELEASE(&w->part);
	arena_release(&w->plans);
	arena_release(&w->arena);
}

static void drop_barred(const struct workload *w, struct choice *c)
{
	size_t kept = 0;

	for (size_t i = 0; i < c->count; i++)
		if (!w->barred[c->index[i]])
			c->index[kept++] = c->index[i];
	c->count = kept;
}

/* Chooses until the proof takes nothing back; in the end only takes out, so that it ends. */
static struct choice decide(struct workload *w, const struct workload_limits *l)
{
	struct choice c = choose(w, l);

	for (int round = 1; workload_prove(w, &c); round++) {
		if (round > PROOF_ROUNDS) {
			drop_barred(w, &c);
			continue;
		}
		choice_release(&c);
		ask_around(w, l, 1);
		c = choose(w, l);
	}
	return c;
}

/* Runs the choice in the copy; what made a query slower is barred and the choice made anew.  Of
 * the rounds the last that made none slower is taken, unless it gives up half of the gain. */
static struct choice run_and_decide(struct workload *w, const struct workload_limits *l,
	struct choice c, struct workload_result *r)
{
	bool *barred = ARENA_ARRAY(&w->arena, bool, w->pool.at.n + 1);
	bool *best = ARENA_ARRAY(&w->arena, bool, w->pool.at.n + 1);
	struct scratch_verdict v, least = {.after = INFINITY};

	for (int round = 0; round <= SLOW_ROUNDS; round++) {
		bool again;

		memcpy(barred, w->barred, w->pool.at.n * sizeof(*barred));
		again = scratch_run(w, &c, &v);
		if (isinf(least.after) || (v.slower < least.slower && v.after < 2 * least.after) ||
			v.after * 2 < least.after) {
			least = v;
			memcpy(best, barred, w->pool.at.n * sizeof(*best));
		}
		if (!again)
			break;
		choice_release(&c);
		c = decide(w, l);
	}
	memcpy(w->barred, best, w->pool.at.n * sizeof(*best));
	choice_release(&c);
	r->ran = least.ran;
	r->slower = least.slower;
	r->ms_before = least.before;
	r->ms_after = least.after;
	return decide(w, l);
}

/* How many plans are still to be asked of the planner: as query_ask() and what follows it do it. */
static size_t plans_ahead(const struct workload *w)
{
	double n = 0;

	for (size_t i = 0; i < w->query.n; i++) {
		double c = w->query.at[i].n_concerned;

		n += c + ASKED_PAIRS * fmin(c, PAIRS_UP_TO) + AROUND_PART * AROUND_ROUNDS * c +
		     ASKED_PROVING;
	}
	return (size_t)n;
}

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* What it will cost, said before it begins; the first plans have shown how long one takes. */
static void announce(struct workload *w, const struct workload_limits *l, double since)
{
	size_t plans = plans_ahead(w);
	double each = w->whatif.asked ? (seconds() - since) / (double)w->whatif.asked : 0;
	struct text t = {0};

	text_printf(&t,
		"%zu queries, %zu candidate indexes: some %zu plans will be asked of the planner, "
		"in about %.0f s; no query is run%s",
		w->shapes, w->pool.at.n, plans, ceil(each * (double)plans),
		l->scratch ? " here" : "");
	if (l->scratch) {
		int64_t bytes = scratch_bytes(w);

		text_printf(&t,
			"; to the copy go %.1f MB%s, where indexes are built and the queries run",
			fmin((double)bytes, (double)l->scratch_bytes) / 1e6,
			bytes > (int64_t)l->scratch_bytes ? " (a sample)" : "");
	}
	l->announce(t.p);
	text_release(&t);
}

void workload_result_release(struct workload_result *r)
{
	VEC_RELEASE(&r->say);
	VEC_RELEASE(&r->judged);
}

/* The server has gone, or has thrown us out: at which statement?  Asking it again might do the same
 * to the server once more. */
static bool say_lost(struct workload *w, struct workload_result *r)
{
	if (!db_is_lost(w->whatif.db) || db_stop_signal())
		return false;
	r->lost = arena_printf(&w->found->arena,
		"the connection to the database was lost while query %s was planned: %s; nothing "
		"is "
		"advised",
		w->facts->shape.at[w->asking]->id, w->whatif.why.text);
	return true;
}

struct workload_result advise_workload(struct db *db, struct facts *f, const uint32_t *shape,
	size_t n, const struct schema *schema, const struct workload_limits *limits,
	struct findings *found)
{
	struct workload w = {.facts = f,
		.schema = schema,
		.found = found,
		.mask = limits->mask,
		.whatif = {.db = db}};
	struct workload_result r = {.note = STR("")};
	struct choice choice;
	struct err why = {""};
	double began = seconds();

	r.lost = STR_NONE;
	if (!schema_has_extension(schema, "hypopg")) {
		r.note = STR(
			"no index advice: the database has no extension hypopg, and without it the "
			"planner cannot be asked.  CREATE EXTENSION hypopg brings it, after the "
			"server's package for it is installed (postgresql-15-hypopg on Debian "
			"for version 15)");
		return r;
	}
	workload_collect(&w, shape, n, limits->queries ? limits->queries : SHAPES_MAX, &r);
	weigh(&w);
	list_candidates(&w);
	workload_sizes(&w);
	workload_writes(&w);
	if (limits->bytes == 0)
		price_bytes(&w);
	workload_guess(&w);
	for (size_t i = 0; i < w.query.n; i++)
		query_find_concerned(&w, i);
	if (limits->announce)
		announce(&w, limits, began);
	if (limits->is_dry) {
		r.note = STR("");
		workload_release(&w);
		return r;
	}
	if (limits->scratch) {
		if (!scratch_open(&w, limits, &why)) {
			r.note = arena_printf(&found->arena,
				"no copy could be made, so nothing was built or run: %s", why.text);
		} else {
			scratch_build(&w);
		}
	}
	w.matrix = matrix_new(w.pool.at.n, w.query.n);
	for (size_t i = 0; i < w.query.n; i++)
		query_ask(&w, i);
	/* What another index beats may be needed when that one is barred. */
	w.matrix->keeps_all = true;
	matrix_seal(w.matrix);
	ask_around(&w, limits, AROUND_ROUNDS);
	choice = decide(&w, limits);
	if (w.scratch)
		choice = run_and_decide(&w, limits, choice, &r);
	workload_pay(&w, &choice, limits, &r);
	if (!say_lost(&w, &r)) {
		risk_say(&w, &r);
		workload_report(&w, &choice, &r);
	}
	whatif_try(&w.whatif, NULL, 0);
	r.queries = w.shapes;
	r.candidates = w.pool.at.n;
	r.asked = w.whatif.asked;
	choice_release(&choice);
	workload_release(&w);
	return r;
}
