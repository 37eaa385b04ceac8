/* SPDX-License-Identifier: ISC
 *
 * facts_unit: the calls of one transaction, or of one burst of autocommit statements, and the
 * runs of one shape in them.
 *
 * A run is a child shape called again and again, with other values each time, behind a parent:
 * the nearest earlier read of another shape that comes at most once for every RUN_MIN children.
 * Two statements that alternate are no run (one is called as often as the other), nor is the
 * same statement with the same values (that is another rule's business), nor a statement that
 * a session sends alone for ever.  What a run means is for the rules; here it is only counted.
 */
#include "facts_build.h"

#define UNIT_MAX  4096	/* events; a longer unit is looked at in pieces */
#define TEXT_CAP  65536 /* bytes of values kept per unit */
#define GAP_USEC  50000 /* a burst ends where the client thought at least this long */
#define RUN_MIN	  5
#define RUN_MAX	  20000 /* pairs of shapes kept */
#define LOOK_BACK 24	/* distinct shapes a parent is looked for among */

/* --- runs ---------------------------------------------------------------------------- */

struct stretch { /* the child's calls behind one parent's call */
	uint32_t first, count, distinct;
	uint64_t usec, gap;
	int64_t parent_rows;
	struct place parent_at;
};

static bool is_read(const struct facts *f, const struct event *e)
{
	enum sql_verb v = f->shape.at[e->shape]->verb;

	return v == SQL_SELECT || v == SQL_FETCH || v == SQL_VALUES;
}

static bool is_write(const struct facts *f, const struct event *e)
{
	enum sql_verb v = f->shape.at[e->shape]->verb;

	return v == SQL_INSERT || v == SQL_UPDATE || v == SQL_DELETE;
}

/* Does a shape occur more than `most` times in events [from, to)? */
static bool occurs_more(const struct unit *u, uint32_t shape, uint32_t from, uint32_t to,
	uint32_t most)
{
	uint32_t n = 0;

	for (uint32_t i = from; i < to; i++) {
		n += u->event.at[i].shape == shape;
		if (n > most)
			return true;
	}
	return false;
}

/* The index of the parent's first call, UINT32_MAX when there is none. */
static uint32_t find_parent(const struct facts *f, const struct unit *u, uint32_t first,
	uint32_t last, uint32_t calls)
{
	uint32_t looked = 0;

	for (uint32_t i = first; i-- > 0 && looked < LOOK_BACK;) {
		const struct event *e = &u->event.at[i];
		if (e->shape == u->event.at[first].shape || !is_read(f, e))
			continue;
		looked++;
		if (!occurs_more(u, e->shape, i, last + 1, calls / RUN_MIN))
			return i;
	}
	return UINT32_MAX;
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static uint32_t count_distinct(uint64_t *v, uint32_t n)
{
	uint32_t d = n > 0;

	qsort(v, n, sizeof(*v), by_value);
	for (uint32_t i = 1; i < n; i++)
		d += v[i] != v[i - 1];
	return d;
}

static void keep_values(struct run *r, const struct unit *u, uint32_t shape, uint32_t from)
{
	for (uint32_t i = 0; i < r->nvalues; i++)
		free(r->values[i]);
	r->nvalues = r->places = 0;
	for (uint32_t i = from; i < u->event.n && r->places < PLACE_MAX; i++) {
		const struct event *e = &u->event.at[i];
		if (e->shape != shape)
			continue;
		r->place[r->places++] = e->at;
		if (e->text_n && r->nvalues < ARRAY_LEN(r->values))
			r->values[r->nvalues++] =
				str_dup((struct str){u->text.p + e->text, e->text_n});
	}
}

static void note_run(struct facts *f, const struct unit *u, uint32_t parent, uint32_t child,
	const struct stretch *s)
{
	uint64_t key = (uint64_t)parent << 32 | child;
	uint32_t *at = map_put(&f->run_of, key);

	if (*at == MAP_NONE) {
		*at = (uint32_t)f->run.n;
		struct run *fresh = VEC_PUSH(&f->run);
		memset(fresh, 0, sizeof(*fresh));
		fresh->parent = parent;
		fresh->child = child;
		fresh->origin = NO_ORIGIN;
	}
	struct run *r = &f->run.at[*at];
	r->runs++;
	r->tx_runs += u->kind == UNIT_TX;
	r->calls += s->count;
	r->usec += s->usec;
	r->gap_usec += s->gap;
	if (u->test != NO_TEST)
		names_least(f, r->test, &r->tests, TESTS_MAX, f->test.at[u->test].name);
	if (s->parent_rows >= 0) {
		r->parent_rows_known++;
		r->parent_rows_match += s->parent_rows + 1 >= (int64_t)s->distinct;
	}
	if (s->count > r->longest) {
		r->longest = s->count;
		r->distinct = s->distinct;
		r->parent_at = s->parent_at;
		r->user = u->user;
		r->db = u->db;
		r->app = u->app;
		r->origin = u->event.at[s->first].origin;
		keep_values(r, u, child, s->first);
	}
}

/* The child's calls in [from, to) as one stretch; noted when it is long and varied enough. */
static void look_at(struct facts *f, const struct unit *u, uint32_t parent_at, uint32_t child,
	uint32_t from, uint32_t to)
{
	struct stretch s = {.first = UINT32_MAX, .parent_rows = -1};
	uint64_t *values = mem_alloc((to - from + 1) * sizeof(*values));
	int64_t before = 0;

	for (uint32_t i = from; i < to; i++) {
		const struct event *e = &u->event.at[i];
		if (e->shape != child)
			continue;
		values[s.count++] = e->values;
		s.usec += e->usec > 0 ? (uint64_t)e->usec : 0;
		if (s.first == UINT32_MAX)
			s.first = i;
		else if (e->ts && before && e->ts - (e->usec > 0 ? e->usec : 0) > before)
			s.gap += (uint64_t)(e->ts - (e->usec > 0 ? e->usec : 0) - before);
		before = e->ts;
	}
	s.distinct = count_distinct(values, s.count);
	free(values);
	/* Rows often name the same few others (twenty posts by three authors), so behind a parent
	 * two values are enough; whether that is one query per row is the rule's to judge. */
	if (s.count < RUN_MIN || s.distinct < 2 ||
		(parent_at == UINT32_MAX && s.distinct * 10 < s.count * 8))
		return;
	uint32_t parent = NO_SHAPE;
	if (parent_at != UINT32_MAX) {
		parent = u->event.at[parent_at].shape;
		s.parent_rows = u->event.at[parent_at].rows;
		s.parent_at = u->event.at[parent_at].at;
	}
	if (f->run.n < RUN_MAX)
		note_run(f, u, parent, child, &s);
}

/* One child shape: cut its calls at each call of the parent. */
static void look_for_runs(struct facts *f, const struct unit *u, uint32_t first, uint32_t calls)
{
	uint32_t child = u->event.at[first].shape, n = (uint32_t)u->event.n, last = first;

	for (uint32_t i = first; i < n; i++)
		if (u->event.at[i].shape == child)
			last = i;
	uint32_t p = find_parent(f, u, first, last, calls);
	if (p == UINT32_MAX) {
		if (u->kind == UNIT_TX || is_write(f, &u->event.at[first]))
			look_at(f, u, p, child, first, n);
		return;
	}
	uint32_t parent = u->event.at[p].shape;
	for (uint32_t from = p, to; from < n; from = to) {
		for (to = from + 1; to < n && u->event.at[to].shape != parent;)
			to++;
		look_at(f, u, from, child, from, to);
	}
}

/* Counts every shape of the unit; fills `at` with the first events of those that repeat. */
static uint32_t count_shapes(struct facts *f, const struct unit *u, uint32_t *at)
{
	uint64_t mark = ++f->units;
	uint32_t n = 0, kept = 0;

	for (uint32_t i = 0; i < u->event.n; i++) {
		struct shape *s = f->shape.at[u->event.at[i].shape];
		if (s->unit_mark != mark) {
			s->unit_mark = mark;
			s->unit_first = i;
			s->unit_count = 0;
		}
		if (++s->unit_count == RUN_MIN)
			at[n++] = s->unit_first;
	}
	for (uint32_t i = 0; i < n; i++) {
		const struct event *e = &u->event.at[at[i]];
		if (is_read(f, e) || is_write(f, e))
			at[kept++] = at[i];
	}
	return kept;
}

void unit_end(struct facts *f, struct unit *u)
{
	uint32_t at[UNIT_MAX / RUN_MIN + 1], n = 0;

	if (u->event.n >= RUN_MIN)
		n = count_shapes(f, u, at);
	for (uint32_t i = 0; i < n; i++)
		look_for_runs(f, u, at[i], f->shape.at[u->event.at[at[i]].shape]->unit_count);
	if (u->kind == UNIT_TX && !u->counted && u->event.n > 0)
		tx_unit(f, u);
	u->counted = false;
	u->event.n = 0;
	u->dropped = 0;
	u->kind = UNIT_BURST;
	text_clear(&u->text);
}

/* --- collecting --------------------------------------------------------------------------- */

static bool is_boundary(enum sql_verb v)
{
	return v == SQL_BEGIN || v == SQL_COMMIT || v == SQL_ROLLBACK || v == SQL_DISCARD;
}

static void push_event(struct session *s, const struct open *o)
{
	struct unit *u = &s->unit;
	struct event *e = VEC_PUSH(&u->event);
	struct str text = s->params.n ? text_slice(&s->params) : text_slice(&s->sql);

	*e = (struct event){.shape = o->shape,
		.ts = o->ts,
		.usec = o->usec,
		.rows = o->rows,
		.origin = o->origin,
		.values = o->values,
		.at = o->at,
		.text = (uint32_t)u->text.n};
	text = str_before(text, 200);
	if (text.n && u->text.n + text.n < TEXT_CAP) {
		e->text_n = (uint32_t)text.n;
		text_str(&u->text, text);
	}
	u->user = s->user;
	u->db = s->db;
	u->app = s->app;
}

/* Did the client think before this call, or does the server say it is another transaction? */
static bool new_unit(const struct session *s, const struct open *o)
{
	const struct unit *u = &s->unit;

	if (u->event.n == 0)
		return false;
	if (s->in_tx)
		return o->vxid && s->vxid && o->vxid != s->vxid;
	if (o->vxid && o->vxid == s->vxid)
		return false;
	const struct event *last = &u->event.at[u->event.n - 1];
	int64_t start = o->ts - (o->usec > 0 ? o->usec : 0);
	return o->ts && last->ts && start - last->ts > GAP_USEC;
}

void unit_add(struct facts *f, struct session *s, const struct open *o)
{
	enum sql_verb v = f->shape.at[o->shape]->verb;

	if (is_boundary(v)) {
		if (s->in_tx)
			tx_end(f, s, o, v == SQL_ROLLBACK);
		unit_end(f, &s->unit);
		s->in_tx = s->unit.counted = v == SQL_BEGIN;
		s->unit.kind = s->in_tx ? UNIT_TX : UNIT_BURST;
		s->vxid = 0;
		f->has_tx |= s->in_tx;
		if (s->in_tx)
			tx_begin(s, o);
		return;
	}
	if (new_unit(s, o)) {
		if (s->in_tx)
			tx_end(f, s, NULL, false);
		unit_end(f, &s->unit);
		s->in_tx = false;
	}
	if (s->in_tx)
		tx_call(s, o);
	if (o->vxid && o->vxid == s->vxid && !s->in_tx && s->unit.event.n > 0)
		s->unit.kind = UNIT_TX; /* BEGIN was not logged */
	if (o->vxid)
		s->vxid = o->vxid;
	if (s->unit.event.n >= UNIT_MAX) {
		bool tx = s->unit.kind == UNIT_TX, counted = s->unit.counted;
		unit_end(f, &s->unit);
		s->unit.kind = tx ? UNIT_TX : UNIT_BURST;
		s->unit.counted = counted;
	}
	push_event(s, o);
}
