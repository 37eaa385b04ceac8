/* SPDX-License-Identifier: ISC
 *
 * The query statistics of one worker.
 *
 *   key ──▶ shape_row                     by its pointer; by the slot table when that has
 *                                         become another's; by the text when it is gone
 *   new ──▶ a free row, or the one that the clock hand finds unused: what it had counted
 *           goes to "other"
 *
 * A statement that ends adds to two rows: its shape's, and that of who sent it.
 */
#include "obs_queries_inner.h"

#define USAGE_MAX 15
#define HAND_MOST 64 /* rows that the hand looks at for one new shape */

struct queries *queries_new(size_t max)
{
	struct queries *q = mem_zalloc(sizeof *q);

	q->max = max;
	q->rows = mem_zalloc(max * sizeof *q->rows);
	q->slots = 16;
	while (q->slots < 2 * max)
		q->slots *= 2;
	q->slot = mem_zalloc(q->slots * sizeof *q->slot);
	q->epoch = 1;
	q->groups = mem_zalloc((2 * GROUP_MAX + 1) * sizeof *q->groups);
	pthread_mutex_init(&q->lock, NULL);
	return q;
}

static void stats_forget(struct query_stats *s)
{
	struct query_stats fresh = {.wait = s->wait, .server = s->server};

	*s = fresh;
	hist_reset(&s->wait);
	hist_reset(&s->server);
}

static void row_forget(struct shape_row *r)
{
	stats_forget(&r->s);
	free(r->text);
	r->text = NULL;
	r->shape = r->runs = r->run_calls = r->run_longest = r->before = 0;
	r->usage = 0;
}

static void group_forget(struct group_row *g)
{
	stats_forget(&g->s);
	for (size_t k = 0; k < ARRAY_LEN(g->name); k++) {
		free(g->name[k]);
		g->name[k] = NULL;
	}
}

static void stats_release(struct query_stats *s)
{
	hist_release(&s->wait);
	hist_release(&s->server);
}

void queries_free(struct queries **qp)
{
	struct queries *q = *qp;

	if (!q)
		return;
	for (size_t i = 0; i <= q->max; i++) {
		struct shape_row *r = i < q->max ? &q->rows[i] : &q->other;
		row_forget(r);
		stats_release(&r->s);
	}
	for (size_t i = 0; i <= 2 * GROUP_MAX; i++) {
		group_forget(&q->groups[i]);
		stats_release(&q->groups[i].s);
	}
	cache_clear(q);
	free(q->groups);
	free(q->rows);
	free(q->slot);
	pthread_mutex_destroy(&q->lock);
	free(q);
	*qp = NULL;
}

void queries_reset(struct queries *q)
{
	__atomic_store_n(&q->reset_asked, true, __ATOMIC_RELEASE);
}

/* The worker does what was asked.  Rare, and as long as it takes to zero the counters. */
static void reset_now(struct queries *q)
{
	pthread_mutex_lock(&q->lock);
	for (size_t i = 0; i < q->count; i++)
		row_forget(&q->rows[i]);
	row_forget(&q->other);
	memset(q->slot, 0, q->slots * sizeof *q->slot);
	cache_clear(q);
	for (size_t i = 0; i <= 2 * GROUP_MAX; i++)
		group_forget(&q->groups[i]);
	__atomic_store_n(&q->count, 0, __ATOMIC_RELEASE);
	__atomic_store_n(&q->group_count, 0, __ATOMIC_RELEASE);
	q->hand = 0;
	q->epoch = q->epoch == UINT32_MAX ? 1 : q->epoch + 1;
	__atomic_store_n(&q->reset_asked, false, __ATOMIC_RELEASE);
	pthread_mutex_unlock(&q->lock);
}

/* --- shapes ----------------------------------------------------------------- */

static size_t home(const struct queries *q, uint64_t shape)
{
	return (size_t)((shape * 0x9E3779B97F4A7C15u) >> 32) & (q->slots - 1);
}

static struct shape_row *row_find(struct queries *q, uint64_t shape)
{
	for (size_t at = home(q, shape); q->slot[at]; at = (at + 1) & (q->slots - 1))
		if (q->rows[q->slot[at] - 1].shape == shape)
			return &q->rows[q->slot[at] - 1];
	return NULL;
}

/* Takes a row out of the slot table; those behind it move up, so that no probe breaks. */
static void slot_remove(struct queries *q, uint64_t shape)
{
	size_t at = home(q, shape), next;

	while (q->rows[q->slot[at] - 1].shape != shape)
		at = (at + 1) & (q->slots - 1);
	for (next = (at + 1) & (q->slots - 1); q->slot[next]; next = (next + 1) & (q->slots - 1)) {
		size_t want = home(q, q->rows[q->slot[next] - 1].shape);
		if (((next - want) & (q->slots - 1)) >= ((next - at) & (q->slots - 1))) {
			q->slot[at] = q->slot[next];
			at = next;
		}
	}
	q->slot[at] = 0;
}

static void fold(struct query_stats *into, struct query_stats *from)
{
	stats_add(&into->calls, from->calls);
	stats_add(&into->rows, from->rows);
	stats_add(&into->errors, from->errors);
	stats_add(&into->bytes_in, from->bytes_in);
	stats_add(&into->bytes_out, from->bytes_out);
	if (from->first && (!into->first || from->first < into->first))
		__atomic_store_n(&into->first, from->first, __ATOMIC_RELAXED);
	if (from->last > into->last)
		__atomic_store_n(&into->last, from->last, __ATOMIC_RELAXED);
	hist_merge(&into->wait, &from->wait);
	hist_merge(&into->server, &from->server);
}

/* The row that a new shape takes when all are used: the first that the hand finds at 0, or the
 * least of those it looked at.  What it had counted goes to "other".  The lock is held. */
static struct shape_row *row_take(struct queries *q)
{
	struct shape_row *least = NULL;

	for (int i = 0; i < HAND_MOST && (!least || least->usage > 0); i++) {
		struct shape_row *r = &q->rows[q->hand];
		q->hand = (q->hand + 1) % q->max;
		if (!least || r->usage < least->usage)
			least = r;
		if (r->usage > 0)
			r->usage--;
	}
	fold(&q->other.s, &least->s);
	stats_add(&q->other.runs, least->runs);
	stats_add(&q->other.run_calls, least->run_calls);
	slot_remove(q, least->shape);
	row_forget(least);
	return least;
}

static void row_name(struct queries *q, struct shape_row *r, const char *text, size_t len)
{
	char norm[TEXT_MAX];
	struct sql_shape s;
	size_t n = sql_lex(text, len, &s, norm, sizeof norm), at;

	r->shape = s.hash;
	r->verb = (uint8_t)s.verb;
	r->traits = s.traits;
	r->text = mem_alloc(n ? n : 1);
	memcpy(r->text, norm, n);
	r->text_len = (uint32_t)n;
	for (at = home(q, s.hash); q->slot[at]; at = (at + 1) & (q->slots - 1))
		;
	q->slot[at] = (uint32_t)(r - q->rows) + 1;
}

struct shape_row *row_learn(struct queries *q, const char *text, size_t len, struct sql_shape *s)
{
	struct shape_row *r;

	sql_lex(text, len, s, NULL, 0);
	r = row_find(q, s->hash);
	if (LIKELY(r))
		return r;
	if (q->count < q->max) { /* nobody looks at it yet */
		r = &q->rows[q->count];
		row_name(q, r, text, len);
		__atomic_store_n(&q->count, q->count + 1, __ATOMIC_RELEASE);
	} else if (pthread_mutex_trylock(&q->lock) == 0) {
		r = row_take(q);
		row_name(q, r, text, len);
		pthread_mutex_unlock(&q->lock);
	}
	return r;
}

/* The row of a key whose own is not, or no more, its shape's. */
static struct shape_row *row_again(struct queries *q, const struct query_sample *s)
{
	struct shape_row *r = row_find(q, s->key.shape);
	struct sql_shape shape;

	return r || !s->text ? r : row_learn(q, s->text, s->text_len, &shape);
}

/* --- groups ----------------------------------------------------------------- */

static uint64_t group_hash(const char *const name[3])
{
	uint64_t hash = 0;

	for (int k = 0; k < 3; k++)
		hash = name[k] ? sql_hash_bytes(name[k], strlen(name[k]), hash) : ~hash;
	return hash;
}

static bool is_group(const struct group_row *g, const char *const name[3], uint64_t hash)
{
	if (g->hash != hash)
		return false;
	for (int k = 0; k < 3; k++)
		if (!g->name[k] != !name[k] || (name[k] && strcmp(g->name[k], name[k]) != 0))
			return false;
	return true;
}

/* The number of the group's row; 0, "other", when there is no room. */
static uint32_t group_of(struct queries *q, const char *const name[3], size_t most)
{
	uint64_t hash = group_hash(name);
	struct group_row *g;

	for (size_t i = 1; i <= q->group_count; i++)
		if (is_group(&q->groups[i], name, hash))
			return (uint32_t)i;
	if (q->group_count >= most)
		return 0;
	g = &q->groups[q->group_count + 1];
	g->hash = hash;
	for (int k = 0; k < 3; k++)
		g->name[k] = name[k] ? mem_strdup(name[k]) : NULL;
	__atomic_store_n(&q->group_count, q->group_count + 1, __ATOMIC_RELEASE);
	return (uint32_t)q->group_count;
}

static void client_group(struct queries *q, const struct query_sample *s)
{
	const char *name[3] = {s->user ? s->user : "", s->database ? s->database : "",
		s->application ? s->application : ""};

	s->client->group = group_of(q, name, GROUP_MAX);
	if (!s->client->group) {
		name[QUERIES_APPLICATIONS - 1] = NULL;
		s->client->group = group_of(q, name, 2 * GROUP_MAX);
	}
	s->client->epoch = q->epoch;
}

/* --- a statement has ended -------------------------------------------------- */

static inline void count(struct query_stats *t, const struct query_sample *s)
{
	stats_add_weighted(&t->rows, s->rows, s->weight);
	if (UNLIKELY(s->error))
		stats_add_weighted(&t->errors, 1, s->weight);
	stats_add_weighted(&t->bytes_in, s->bytes_in, s->weight);
	stats_add_weighted(&t->bytes_out, s->bytes_out, s->weight);
	if (UNLIKELY(!t->first))
		__atomic_store_n(&t->first, s->ended, __ATOMIC_RELAXED);
	__atomic_store_n(&t->last, s->ended, __ATOMIC_RELAXED);
	if (UNLIKELY(s->goes_on)) {
		stats_add_weighted(&t->server.sum, s->server_us, s->weight);
		return;
	}
	stats_add_weighted(&t->calls, 1, s->weight);
	if (LIKELY(s->weight == 1)) {
		hist_add(&t->server, s->server_us);
		if (s->wait_us) /* who did not wait is told by the difference to the calls */
			hist_add(&t->wait, s->wait_us);
	} else {
		hist_add_n(&t->server, s->server_us, s->weight);
		if (s->wait_us)
			hist_add_n(&t->wait, s->wait_us, s->weight);
	}
}

void queries_done(struct queries *q, const struct query_sample *s)
{
	struct shape_row *r = s->key.row;

	if (UNLIKELY(__atomic_load_n(&q->reset_asked, __ATOMIC_ACQUIRE)))
		reset_now(q);
	if (UNLIKELY(s->client->epoch != q->epoch))
		client_group(q, s);
	if (UNLIKELY(!r || r->shape != s->key.shape))
		r = s->key.shape ? row_again(q, s) : NULL;
	count(r ? &r->s : &q->other.s, s);
	count(&q->groups[s->client->group].s, s);
	if (LIKELY(r)) {
		if (r->usage < USAGE_MAX)
			r->usage++;
		if (LIKELY(!s->goes_on))
			burst_note(r, s);
	}
}
