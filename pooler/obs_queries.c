/* SPDX-License-Identifier: ISC
 *
 * The query statistics of one worker.
 *
 *   text --(cache: exact text, or skeleton)--> key --(slot table)--> shape_row
 *             miss: sql_lex()                        miss: a free row, or one that the
 *                                                    clock hand finds unused; its counts
 *                                                    go to "other"
 *
 * A text that was seen before, as those of prepared statements and of simple queries
 * without literals are, costs one hash; one that differs in numbers compared with costs a
 * copy and another hash; any other costs the lexer (about 2 ns a byte).
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
	for (int k = 0; k < GROUP_KINDS; k++)
		q->groups[k] = mem_zalloc((GROUP_MAX + 1) * sizeof *q->groups[k]);
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
	r->used = false;
}

void queries_free(struct queries **qp)
{
	struct queries *q = *qp;

	if (!q)
		return;
	for (size_t i = 0; i <= q->max; i++) {
		struct shape_row *r = i < q->max ? &q->rows[i] : &q->other;
		free(r->text);
		hist_release(&r->s.wait);
		hist_release(&r->s.server);
	}
	for (int k = 0; k < GROUP_KINDS; k++) {
		for (size_t i = 0; i <= GROUP_MAX; i++) {
			free(q->groups[k][i].name);
			hist_release(&q->groups[k][i].s.wait);
			hist_release(&q->groups[k][i].s.server);
		}
		free(q->groups[k]);
	}
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
	for (size_t i = 0; i < q->max; i++)
		if (q->rows[i].used)
			row_forget(&q->rows[i]);
	row_forget(&q->other);
	memset(q->slot, 0, q->slots * sizeof *q->slot);
	memset(q->cache, 0, sizeof q->cache);
	q->count = q->hand = 0;
	for (int k = 0; k < GROUP_KINDS; k++) {
		for (size_t i = 0; i <= q->group_count[k]; i++) {
			free(q->groups[k][i].name);
			q->groups[k][i].name = NULL;
			stats_forget(&q->groups[k][i].s);
		}
		q->group_count[k] = 0;
	}
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

/* A row for a new shape: the next free one, or the first that the hand finds at 0, or the
 * least of those it looked at.  The lock is held. */
static struct shape_row *row_take(struct queries *q)
{
	struct shape_row *least = NULL;

	if (q->count < q->max)
		return &q->rows[q->count++];
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

static struct shape_row *row_add(struct queries *q, const struct sql_shape *s, const char *text,
	size_t len)
{
	struct shape_row *r;
	size_t at;

	if (pthread_mutex_trylock(&q->lock) != 0)
		return NULL;
	r = row_take(q);
	r->shape = s->hash;
	r->verb = (uint8_t)s->verb;
	r->traits = s->traits;
	r->text = mem_alloc(len ? len : 1);
	memcpy(r->text, text, len);
	r->text_len = (uint32_t)len;
	r->used = true;
	for (at = home(q, s->hash); q->slot[at]; at = (at + 1) & (q->slots - 1))
		;
	q->slot[at] = (uint32_t)(r - q->rows) + 1;
	pthread_mutex_unlock(&q->lock);
	return r;
}

/* The shape of a text by the lexer, and a row for it. */
static struct shape_row *row_learn(struct queries *q, const char *text, size_t len,
	struct query_key *key)
{
	struct sql_shape s;
	struct shape_row *r;

	sql_lex(text, len, &s, NULL, 0);
	key->shape = s.hash;
	key->values = s.literals;
	r = row_find(q, s.hash);
	if (UNLIKELY(!r)) {
		char norm[TEXT_MAX];
		size_t n = sql_lex(text, len, &s, norm, sizeof norm);
		r = row_add(q, &s, norm, n);
	}
	return r;
}

/* --- the skeleton ----------------------------------------------------------- */

#define SKELETON_MAX 512 /* longer texts go to the lexer unless seen before */

/* What a byte means to the skeleton. */
enum { PLAIN = 0, DIGIT, QUOTE, STOP, COMMENT };

static const uint8_t meaning[256] = {
	['0'] = DIGIT,
	['1'] = DIGIT,
	['2'] = DIGIT,
	['3'] = DIGIT,
	['4'] = DIGIT,
	['5'] = DIGIT,
	['6'] = DIGIT,
	['7'] = DIGIT,
	['8'] = DIGIT,
	['9'] = DIGIT,
	['\''] = QUOTE,
	['"'] = QUOTE,
	['\\'] = STOP,
	['$'] = STOP,
	['/'] = COMMENT,
	['-'] = COMMENT,
};

static bool is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '.' || c == '$' || (unsigned char)c >= 0x80;
}

/* Does a comparison end before text[at]: = < > <= >= <> != and blanks?  No other operator. */
static bool is_compared(const char *text, size_t at)
{
	size_t n = 0;

	while (at > 0 && text[at - 1] == ' ')
		at--;
	while (at > 0 && strchr("=<>!+-*/~@#%^&|`?", text[at - 1]) && text[at - 1]) {
		at--;
		if (++n > 2)
			return false;
	}
	switch (n) {
	case 1:
		return text[at] == '=' || text[at] == '<' || text[at] == '>';
	case 2:
		return memcmp(text + at, "<=", 2) == 0 || memcmp(text + at, ">=", 2) == 0 ||
		       memcmp(text + at, "<>", 2) == 0 || memcmp(text + at, "!=", 2) == 0;
	default:
		return false;
	}
}

/* A copy of the text in which whole numbers behind a comparison are one 0: texts with equal
 * skeletons have one shape, so that `id = 17` costs the lexer once and not for each id.  Other
 * literals stay: where the shape keeps them, or what they are, only the lexer knows.  Behind
 * a comment and what might be an escape or a dollar quote nothing is changed any more. */
static size_t skeleton(const char *text, size_t len, char *out)
{
	size_t at = 0, from = 0, n = 0, first;

	while (at < len) {
		char c = text[at];
		switch (meaning[(unsigned char)c]) {
		case DIGIT:
			for (first = at; at < len && meaning[(unsigned char)text[at]] == DIGIT;
				at++)
				;
			if ((at == len || !is_word(text[at])) && is_compared(text, first)) {
				memcpy(out + n, text + from, first - from);
				n += first - from;
				out[n++] = '0';
				from = at;
			}
			break;
		case QUOTE:
			for (at++; at < len && text[at] != c && text[at] != '\\'; at++)
				;
			if (at == len || text[at] == '\\')
				at = len;
			else
				at++;
			break;
		case COMMENT: /* it may have quotes that are none */
			at++;
			if (at < len && text[at] == (c == '/' ? '*' : '-'))
				at = len;
			break;
		case STOP:
			at = len;
			break;
		default:
			at++;
		}
	}
	memcpy(out + n, text + from, len - from);
	return n + len - from;
}

static struct cached_text *cached(struct queries *q, uint64_t hash)
{
	return &q->cache[hash & (CACHE_SIZE - 1)];
}

/* Whether two texts differ in their values is seen by the texts themselves. */
void queries_key(struct queries *q, const char *text, size_t len, struct query_key *out)
{
	uint64_t exact = sql_hash_bytes(text, len, len), bare;
	struct cached_text *c = cached(q, exact);
	char copy[SKELETON_MAX];

	if (c->text != exact || c->key.shape == 0) {
		size_t n = len <= sizeof copy ? skeleton(text, len, copy) : len;
		if (n != len || (len <= sizeof copy && memcmp(copy, text, len) != 0)) {
			bare = sql_hash_bytes(copy, n, ~n);
			c = cached(q, bare);
			if (c->text != bare || c->key.shape == 0) {
				row_learn(q, text, len, &c->key);
				c->text = bare;
			}
		} else {
			row_learn(q, text, len, &c->key);
			c->text = exact;
		}
	}
	out->shape = c->key.shape;
	out->values = c->key.values ? exact : 0;
}

/* --- groups ----------------------------------------------------------------- */

/* The number of the group's row; 0, "other", when there is no room. */
static uint32_t group_of(struct queries *q, int kind, const char *name)
{
	struct group_row *g = q->groups[kind];
	size_t n = q->group_count[kind], len = name ? strlen(name) : 0;
	uint64_t hash;

	if (len == 0)
		name = "";
	hash = sql_hash_bytes(name, len, 0);
	for (size_t i = 1; i <= n; i++)
		if (g[i].hash == hash && strcmp(g[i].name, name) == 0)
			return (uint32_t)i;
	if (n == GROUP_MAX || pthread_mutex_trylock(&q->lock) != 0)
		return 0;
	g[n + 1].name = mem_strdup(name);
	g[n + 1].hash = hash;
	q->group_count[kind] = n + 1;
	pthread_mutex_unlock(&q->lock);
	return (uint32_t)n + 1;
}

static void client_groups(struct queries *q, const struct query_sample *s)
{
	const char *name[GROUP_KINDS] = {s->user, s->database, s->application};

	for (int k = 0; k < GROUP_KINDS; k++)
		s->client->group[k] = group_of(q, k, name[k]);
	s->client->epoch = q->epoch;
}

/* --- a statement has ended -------------------------------------------------- */

static void count(struct query_stats *t, const struct query_sample *s, uint32_t weight)
{
	stats_add_weighted(&t->calls, 1, weight);
	stats_add_weighted(&t->rows, s->rows, weight);
	stats_add_weighted(&t->errors, s->error, weight);
	stats_add_weighted(&t->bytes_in, s->bytes_in, weight);
	stats_add_weighted(&t->bytes_out, s->bytes_out, weight);
	if (UNLIKELY(!t->first))
		__atomic_store_n(&t->first, s->ended, __ATOMIC_RELAXED);
	__atomic_store_n(&t->last, s->ended, __ATOMIC_RELAXED);
	hist_add_n(&t->wait, s->wait_us, weight);
	hist_add_n(&t->server, s->server_us, weight);
}

void queries_done(struct queries *q, const struct query_sample *s)
{
	uint32_t weight = s->weight ? s->weight : 1;
	struct shape_row *r;

	if (UNLIKELY(__atomic_load_n(&q->reset_asked, __ATOMIC_ACQUIRE)))
		reset_now(q);
	if (UNLIKELY(s->client->epoch != q->epoch))
		client_groups(q, s);
	r = s->key.shape ? row_find(q, s->key.shape) : NULL;
	if (UNLIKELY(!r && s->key.shape && s->text)) {
		struct query_key key;
		r = row_learn(q, s->text, s->text_len, &key);
	}
	count(r ? &r->s : &q->other.s, s, weight);
	for (int k = 0; k < GROUP_KINDS; k++)
		count(&q->groups[k][s->client->group[k]].s, s, weight);
	if (r) {
		if (r->usage < USAGE_MAX)
			r->usage++;
		burst_note(r, s);
	}
}
