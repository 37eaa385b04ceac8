/* SPDX-License-Identifier: ISC
 *
 * facts_sequence: what else the order of statements in a unit tells.
 *
 *	repeats	the same shape with the same values, and what was written in between
 *	cycles	a few shapes one after the other, again and again
 *	pairs	one statement right behind another, with the texts of a few
 *	orders	in which a transaction locks rows of its tables
 *	pauses	a transaction that waits for its client
 *	pages	one shape with a growing OFFSET
 *	kinds	of transactions, by the statement they begin with: how long, how many statements
 *
 * Only counted here; what it means is for the rules.  All tables are bounded.
 */
#include "facts_build.h"

#define KINDS_MAX 4000 /* rows of each table */

static void add_place(struct place *at, uint32_t *n, struct place p)
{
	if (*n < PLACE_MAX)
		at[(*n)++] = p;
}

static int64_t start_of(const struct event *e)
{
	return e->ts ? e->ts - (e->usec > 0 ? e->usec : 0) : 0;
}

/* --- repeats ----------------------------------------------------------------------------- */

struct call {
	uint64_t values;
	uint32_t at;
};

static int by_values(const void *a, const void *b)
{
	const struct call *x = a, *y = b;

	if (x->values != y->values)
		return x->values < y->values ? -1 : 1;
	return (x->at > y->at) - (x->at < y->at);
}

/* Whatever may have changed what a read returns. */
static bool may_change(const struct facts *f, const struct event *e)
{
	enum sql_verb v = f->shape.at[e->shape]->verb;

	return !unit_reads(f, e) && v != SQL_SELECT && v != SQL_SHOW && v != SQL_FETCH &&
	       v != SQL_CLOSE && v != SQL_SAVEPOINT && v != SQL_EXPLAIN;
}

static void note_write(struct repeat *r, uint32_t shape)
{
	for (uint32_t i = 0; i < r->writes && i < WRITES_MAX; i++)
		if (r->write[i] == shape)
			return;
	if (r->writes < WRITES_MAX)
		r->write[r->writes] = shape;
	if (r->writes <= WRITES_MAX)
		r->writes++;
}

static void note_repeat(struct facts *f, const struct unit *u, const struct call *c, uint32_t n)
{
	uint32_t shape = u->event.at[c[0].at].shape, *at = map_put(&f->repeat_of, shape);
	struct repeat *r;

	if (*at == MAP_NONE) {
		if (f->repeat.n >= KINDS_MAX) {
			map_del(&f->repeat_of, shape);
			return;
		}
		*at = (uint32_t)f->repeat.n;
		r = VEC_PUSH(&f->repeat);
		memset(r, 0, sizeof(*r));
		r->shape = shape;
	}
	r = &f->repeat.at[*at];
	r->units++;
	r->traced += u->trace != 0;
	r->calls += n;
	for (uint32_t i = 0; i < n; i++) {
		const struct event *e = &u->event.at[c[i].at];
		r->usec += e->usec > 0 ? (uint64_t)e->usec : 0;
		if (i && start_of(e) > u->event.at[c[i - 1].at].ts)
			r->gap_usec += (uint64_t)(start_of(e) - u->event.at[c[i - 1].at].ts);
	}
	for (uint32_t i = c[0].at; i < c[n - 1].at; i++)
		if (may_change(f, &u->event.at[i]))
			note_write(r, u->event.at[i].shape);
	if (n > r->most) {
		r->most = n;
		r->user = u->user;
		r->db = u->db;
		r->app = u->app;
		r->places = 0;
		for (uint32_t i = 0; i < n; i++)
			add_place(r->place, &r->places, u->event.at[c[i].at].at);
	}
}

void repeat_look(struct facts *f, const struct unit *u, const uint32_t *at, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		const struct event *e = &u->event.at[at[i]];
		const struct sql_shape *lex = &f->shape.at[e->shape]->lex;
		uint32_t calls = 0, best = 0, best_n = 0;
		if (!unit_reads(f, e) || (e->values == 0 && (lex->params || lex->literals)))
			continue;
		struct call *c = mem_alloc(u->event.n * sizeof(*c));
		for (uint32_t k = at[i] > u->kept ? at[i] : u->kept; k < u->event.n; k++)
			if (u->event.at[k].shape == e->shape)
				c[calls++] = (struct call){u->event.at[k].values, k};
		qsort(c, calls, sizeof(*c), by_values);
		for (uint32_t from = 0, to; from < calls; from = to) {
			for (to = from + 1; to < calls && c[to].values == c[from].values;)
				to++;
			if (to - from > best_n) {
				best = from;
				best_n = to - from;
			}
		}
		if (best_n >= TRACED_MIN)
			note_repeat(f, u, c + best, best_n);
		free(c);
	}
}

/* --- cycles ------------------------------------------------------------------------------- */

/* How many statements from `at` on repeat those k before them. */
static uint32_t repeats_of(const struct unit *u, uint32_t at, uint32_t k)
{
	uint32_t i = at;

	while (i + k < u->event.n && u->event.at[i].shape == u->event.at[i + k].shape)
		i++;
	return i - at;
}

static bool all_same(const struct unit *u, uint32_t at, uint32_t k)
{
	for (uint32_t i = 1; i < k; i++)
		if (u->event.at[at + i].shape != u->event.at[at].shape)
			return false;
	return true;
}

/* One key for all rotations of a cycle: that which begins with the least shape. */
static uint32_t rotation(const struct unit *u, uint32_t at, uint32_t k)
{
	uint32_t best = 0;

	for (uint32_t i = 1; i < k; i++)
		if (u->event.at[at + i].shape < u->event.at[at + best].shape)
			best = i;
	return best;
}

static void note_cycle(struct facts *f, const struct unit *u, uint32_t at, uint32_t k,
	uint32_t times)
{
	struct cycle fresh = {.length = k}, *c;
	uint32_t turn = rotation(u, at, k);
	uint64_t *values = mem_alloc(times * sizeof(*values));

	for (uint32_t i = 0; i < k; i++) {
		uint32_t from = at + (turn + i) % k;
		for (uint32_t t = 0; t < times; t++)
			values[t] = u->event.at[from + t * k].values;
		fresh.shape[i] = u->event.at[from].shape;
		if (count_distinct(values, times) * 10 >= times * 8)
			fresh.varies |= 1u << i;
	}
	free(values);
	uint64_t key = sql_hash_bytes(fresh.shape, k * sizeof(fresh.shape[0]), k);
	uint32_t *row = map_put(&f->cycle_of, key);
	if (*row == MAP_NONE) {
		if (f->cycle.n >= KINDS_MAX) {
			map_del(&f->cycle_of, key);
			return;
		}
		*row = (uint32_t)f->cycle.n;
		*VEC_PUSH(&f->cycle) = fresh;
	}
	c = &f->cycle.at[*row];
	c->units++;
	c->traced += u->trace != 0;
	c->varies &= fresh.varies;
	c->calls += (uint64_t)k * times;
	for (uint32_t i = at; i < at + k * times; i++) {
		const struct event *e = &u->event.at[i];
		c->usec += e->usec > 0 ? (uint64_t)e->usec : 0;
		if (i > at && start_of(e) > e[-1].ts && e[-1].ts)
			c->gap_usec += (uint64_t)(start_of(e) - e[-1].ts);
	}
	if (times > c->most) {
		c->most = times;
		c->user = u->user;
		c->db = u->db;
		c->app = u->app;
		c->places = 0;
		for (uint32_t i = at; i < at + k * times; i++)
			add_place(c->place, &c->places, u->event.at[i].at);
	}
}

void cycle_look(struct facts *f, const struct unit *u)
{
	uint32_t at = u->kept, n = (uint32_t)u->event.n;

	if (u->rolled_back && !u->trace)
		return; /* what tests do with their fixtures */
	while (at + 2 * TRACED_MIN <= n) {
		uint32_t k = 2, len = 0;
		for (; k <= CYCLE_MAX && at + k * TRACED_MIN <= n; k++) {
			len = repeats_of(u, at, k);
			if (len >= k * (TRACED_MIN - 1))
				break;
			len = 0;
		}
		if (len == 0) {
			at++;
			continue;
		}
		if (!all_same(u, at, k))
			note_cycle(f, u, at, k, len / k + 1);
		at += len + k;
	}
}

/* --- pairs ---------------------------------------------------------------------------------- */

/* The pairs that some rule asks about: a read before a write of what was read, a write before a
 * read of what was written, two reads of which one counts or that were both slow. */
static bool is_asked_for(const struct facts *f, const struct event *a, const struct event *b)
{
	enum sql_verb va = f->shape.at[a->shape]->verb, vb = f->shape.at[b->shape]->verb;

	if (a->shape == b->shape)
		return false;
	if (va == SQL_SELECT && vb == SQL_SELECT)
		return (a->usec >= SLOW_PAIR_USEC && b->usec >= SLOW_PAIR_USEC) ||
		       f->shape.at[a->shape]->counts != f->shape.at[b->shape]->counts;
	return (va == SQL_SELECT && (vb == SQL_INSERT || vb == SQL_UPDATE)) ||
	       (va == SQL_INSERT && vb == SQL_SELECT);
}

static char *kept_text(const struct unit *u, const struct event *e)
{
	return e->text_n ? str_dup((struct str){u->text.p + e->text, e->text_n}) : NULL;
}

static void note_pair(struct facts *f, const struct unit *u, const struct event *a,
	const struct event *b)
{
	uint64_t key = (uint64_t)a->shape << 32 | b->shape;
	uint32_t *at = map_put(&f->pair_of, key);
	struct pair *p;

	if (*at == MAP_NONE) {
		if (f->pair.n >= KINDS_MAX) {
			map_del(&f->pair_of, key);
			return;
		}
		*at = (uint32_t)f->pair.n;
		p = VEC_PUSH(&f->pair);
		memset(p, 0, sizeof(*p));
		p->first = a->shape;
		p->second = b->shape;
		p->user = u->user;
		p->db = u->db;
		p->app = u->app;
	}
	p = &f->pair.at[*at];
	p->count++;
	p->tx += u->kind == UNIT_TX;
	p->rolled_back += u->rolled_back;
	p->at[b->isolation]++;
	p->both_slow += a->usec >= SLOW_PAIR_USEC && b->usec >= SLOW_PAIR_USEC;
	p->rows_known += a->rows >= 0;
	p->empty += a->rows == 0;
	p->usec += (uint64_t)((a->usec > 0 ? a->usec : 0) + (b->usec > 0 ? b->usec : 0));
	add_place(p->place, &p->places, b->at);
	if (p->samples < ARRAY_LEN(p->sample) && (a->text_n || !a->values) &&
		(b->text_n || !b->values)) {
		p->sample[p->samples].first = kept_text(u, a);
		p->sample[p->samples++].second = kept_text(u, b);
	}
}

void pair_look(struct facts *f, const struct unit *u)
{
	const struct event *before = NULL;

	for (uint32_t i = u->kept; i < u->event.n; i++) {
		const struct event *e = &u->event.at[i];
		if (!unit_reads(f, e) && !unit_writes(f, e))
			continue; /* SAVEPOINT, SET: what an ORM puts in between */
		if (before && is_asked_for(f, before, e))
			note_pair(f, u, before, e);
		before = e;
	}
}

/* --- orders of locks ---------------------------------------------------------------------------
 */

#define LOCKED_MAX 8 /* tables of one transaction */

static void note_order(struct facts *f, const struct unit *u, const struct event *a,
	const struct event *b, uint64_t lead)
{
	uint64_t from = f->shape.at[a->shape]->locks, to = f->shape.at[b->shape]->locks;
	uint64_t key = from * 31 + to;
	uint32_t *at = map_put(&f->lock_order_of, key);

	if (*at == MAP_NONE) {
		if (f->lock_order.n >= KINDS_MAX) {
			map_del(&f->lock_order_of, key);
			return;
		}
		*at = (uint32_t)f->lock_order.n;
		*VEC_PUSH(&f->lock_order) = (struct lock_order){.first = a->shape,
			.second = b->shape,
			.from = from,
			.to = to,
			.lead = lead,
			.at = b->at,
			.user = u->user,
			.db = u->db,
			.app = u->app};
	}
	struct lock_order *o = &f->lock_order.at[*at];
	o->count++;
	o->lead = o->lead == lead ? lead : 0;
}

/* Of each table only the first lock counts: what comes behind it has it already. */
void order_look(struct facts *f, const struct unit *u)
{
	const struct event *held[LOCKED_MAX];
	uint32_t n = 0;

	for (uint32_t i = 0; i < u->event.n && n < LOCKED_MAX; i++) {
		uint64_t table = f->shape.at[u->event.at[i].shape]->locks;
		bool again = table == 0;
		for (uint32_t k = 0; k < n && !again; k++)
			again = f->shape.at[held[k]->shape]->locks == table;
		if (!again)
			held[n++] = &u->event.at[i];
	}
	for (uint32_t i = 0; i < n && !u->pieces; i++)
		for (uint32_t k = i + 1; k < n; k++)
			note_order(f, u, held[i], held[k],
				i ? f->shape.at[held[0]->shape]->locks : 0);
}

/* --- pauses ----------------------------------------------------------------------------------- */

static void put_pause(struct facts *f, const struct session *s, uint32_t after, int64_t usec,
	struct place at)
{
	uint64_t key = (uint64_t)s->pause_shape << 32 | after;
	uint32_t *row = map_put(&f->pause_of, key);
	struct pause *p;

	if (*row == MAP_NONE) {
		if (f->pause.n >= KINDS_MAX) {
			map_del(&f->pause_of, key);
			return;
		}
		*row = (uint32_t)f->pause.n;
		p = VEC_PUSH(&f->pause);
		memset(p, 0, sizeof(*p));
		p->before = s->pause_shape;
		p->after = after;
	}
	p = &f->pause.at[*row];
	p->count++;
	p->usec += (uint64_t)usec;
	p->wrote += s->pause_wrote;
	if ((uint64_t)usec > p->most) {
		p->most = (uint64_t)usec;
		p->at = at;
		p->user = s->user;
		p->db = s->db;
		p->app = s->app;
	}
}

void pause_note(struct facts *f, struct session *s, uint32_t after, const struct open *o)
{
	int64_t wait = o->has_pooler && o->pooler.wait_us > 0 ? o->pooler.wait_us : 0;
	int64_t start = o->ts ? o->ts - (o->usec > 0 ? o->usec : 0) - wait : 0;
	enum sql_verb v = f->shape.at[after]->verb;

	if (s->unit.kind == UNIT_TX && s->pause_shape != NO_SHAPE && s->pause_from &&
		start - s->pause_from >= PAUSE_USEC)
		put_pause(f, s, after, start - s->pause_from, o->at);
	s->pause_shape = after;
	s->pause_from = o->ts;
	s->pause_wrote |= v == SQL_INSERT || v == SQL_UPDATE || v == SQL_DELETE || v == SQL_DDL ||
			  v == SQL_LOCK || v == SQL_MERGE || v == SQL_TRUNCATE ||
			  (f->shape.at[after]->lex.traits & SQL_HAS_FOR_UPDATE);
}

/* --- pages --------------------------------------------------------------------------------------
 */

void page_note(struct facts *f, struct session *s, const struct open *o)
{
	struct shape *sh = f->shape.at[o->shape];

	if (o->offset < 0)
		return;
	if (s->page_shape != o->shape || o->offset <= s->page_offset) {
		s->page_shape = o->shape;
		s->pages = 0;
	}
	s->page_offset = o->offset;
	if (++s->pages > sh->pages) {
		sh->pages = s->pages;
		sh->page_offset = o->offset;
		sh->page_at = o->at;
	}
}

/* --- kinds of transactions -----------------------------------------------------------------------
 */

static bool is_alone(const struct facts *f, const struct unit *u)
{
	const struct shape *sh = f->shape.at[u->event.at[0].shape];

	return u->calls == 1 && u->event.n == 1 && sh->verb == SQL_SELECT &&
	       !(sh->lex.traits & SQL_HAS_FOR_UPDATE);
}

static void count_most(struct facts *f, const struct unit *u, struct tx_kind *t)
{
	uint64_t mark = ++f->looks;

	t->most_calls = u->calls;
	t->most_shapes = t->most_same = 0;
	t->most_at = u->event.at[0].at;
	for (uint32_t i = 0; i < u->event.n; i++) {
		struct shape *sh = f->shape.at[u->event.at[i].shape];
		if (sh->stretch_mark != mark) {
			sh->stretch_mark = mark;
			sh->stretch_count = 0;
			t->most_shapes++;
		}
		if (++sh->stretch_count > t->most_same)
			t->most_same = sh->stretch_count;
		t->has_ddl |= sh->verb == SQL_DDL || sh->verb == SQL_COPY ||
			      sh->verb == SQL_MAINTAIN || sh->verb == SQL_LOCK;
	}
}

void tx_kind_look(struct facts *f, const struct unit *u, int64_t end)
{
	struct tx_kind *t;

	if (u->event.n == 0)
		return;
	uint32_t first = u->event.at[0].shape, *row = map_put(&f->tx_kind_of, first);
	if (*row == MAP_NONE) {
		if (f->tx_kind.n >= KINDS_MAX) {
			map_del(&f->tx_kind_of, first);
			return;
		}
		*row = (uint32_t)f->tx_kind.n;
		t = VEC_PUSH(&f->tx_kind);
		memset(t, 0, sizeof(*t));
		t->first = first;
	}
	t = &f->tx_kind.at[*row];
	t->count++;
	t->alone += is_alone(f, u);
	if (end && u->begun && end > u->begun) {
		t->usec += (uint64_t)(end - u->begun);
		if ((uint64_t)(end - u->begun) > t->longest) {
			t->longest = (uint64_t)(end - u->begun);
			t->at = u->event.at[0].at;
			t->user = u->user;
			t->db = u->db;
			t->app = u->app;
		}
	}
	if (u->calls > t->most_calls && u->calls >= 50)
		count_most(f, u, t);
}

void sequence_release(struct facts *f)
{
	for (size_t i = 0; i < f->pair.n; i++)
		for (uint32_t k = 0; k < f->pair.at[i].samples; k++) {
			free(f->pair.at[i].sample[k].first);
			free(f->pair.at[i].sample[k].second);
		}
	VEC_RELEASE(&f->repeat);
	VEC_RELEASE(&f->cycle);
	VEC_RELEASE(&f->pair);
	VEC_RELEASE(&f->pause);
	VEC_RELEASE(&f->lock_order);
	VEC_RELEASE(&f->tx_kind);
	map_release(&f->repeat_of);
	map_release(&f->cycle_of);
	map_release(&f->pair_of);
	map_release(&f->pause_of);
	map_release(&f->lock_order_of);
	map_release(&f->tx_kind_of);
}
