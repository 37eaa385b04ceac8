/* SPDX-License-Identifier: ISC
 *
 * facts_run: the runs of one shape in a unit.
 *
 * A run is a child shape called again and again, with other values each time, behind a parent:
 * the nearest earlier read of another shape that comes at most once for every LOOP_MIN children.
 * Two statements that alternate are no run (one is called as often as the other), nor is the
 * same statement with the same values (a repeat), nor a read that a session sends alone for
 * ever.  What a run means is for the rules; here it is only counted.
 */
#include "facts_build.h"

#define RUN_MAX	  20000 /* pairs of shapes kept */
#define LOOK_BACK 24	/* reads among which a parent is looked for */
#define LEFT	  4	/* strange statements in a row that end a stretch */

struct stretch { /* the child's calls behind one parent's call */
	uint32_t first, count, distinct, strays, others;
	uint64_t usec, gap;
	int64_t parent_rows, other_rows, limit;
	bool known; /* its values were logged */
	const struct event *parent;
};

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

uint32_t count_distinct(uint64_t *v, uint32_t n)
{
	uint32_t d = n > 0;

	qsort(v, n, sizeof(*v), by_value);
	for (uint32_t i = 1; i < n; i++)
		d += v[i] != v[i - 1];
	return d;
}

static void keep_values(struct run *r, const struct unit *u, const struct stretch *s)
{
	uint32_t child = u->event.at[s->first].shape;

	for (uint32_t i = 0; i < r->nvalues; i++)
		free(r->values[i]);
	r->nvalues = r->places = 0;
	for (uint32_t i = s->first; i < u->event.n && r->places < PLACE_MAX; i++) {
		const struct event *e = &u->event.at[i];
		if (e->shape != child)
			continue;
		r->place[r->places++] = e->at;
		if (e->text_n && r->nvalues < ARRAY_LEN(r->values))
			r->values[r->nvalues++] =
				str_dup((struct str){u->text.p + e->text, e->text_n});
	}
	free(r->parent_values);
	r->parent_values = NULL;
	if (s->parent) {
		r->parent_at = s->parent->at;
		if (s->parent->text_n)
			r->parent_values = str_dup((struct str){
				u->text.p + s->parent->text, s->parent->text_n});
	}
}

static struct run *find_run(struct facts *f, uint32_t parent, uint32_t child)
{
	uint32_t *at = map_put(&f->run_of, (uint64_t)parent << 32 | child);

	if (*at == MAP_NONE) {
		*at = (uint32_t)f->run.n;
		struct run *fresh = VEC_PUSH(&f->run);
		memset(fresh, 0, sizeof(*fresh));
		fresh->parent = parent;
		fresh->child = child;
		fresh->origin = NO_ORIGIN;
	}
	return &f->run.at[*at];
}

static bool is_about(int64_t a, int64_t b)
{
	return a >= b - 1 && a <= b + 1;
}

/* What the parent's rows and its LIMIT say about the number of children. */
static void note_bounds(struct run *r, const struct stretch *s)
{
	int64_t rows = s->parent_rows > s->other_rows ? s->parent_rows : s->other_rows;
	int64_t all = (int64_t)s->count + s->others;

	if (s->parent_rows >= 0) {
		r->parent_rows_known++;
		r->parent_rows_match += is_about(s->count, rows) || is_about(all, rows) ||
					is_about(s->count, s->parent_rows);
		r->parent_rows_over += rows + 1 < (int64_t)s->distinct;
	}
	if (s->limit >= 0) {
		r->limit_known++;
		r->limit_match += is_about(s->count, s->limit) || is_about(all, s->limit);
		r->limit_over += s->others == 0 && (int64_t)s->count > s->limit + 1;
	}
}

static void note_run(struct facts *f, const struct unit *u, uint32_t child, const struct stretch *s)
{
	struct run *r = find_run(f, s->parent ? s->parent->shape : NO_SHAPE, child);
	bool more = u->pieces && r->unit == u->id; /* goes on from an earlier piece */

	r->runs += !more;
	r->tx_runs += !more && u->kind == UNIT_TX;
	r->traced_runs += !more && u->trace;
	r->rolled_runs += !more && u->rolled_back;
	r->script_runs += !more && u->is_script;
	r->calls += s->count;
	r->usec += s->usec;
	r->gap_usec += s->gap;
	if (u->test != NO_TEST)
		names_least(f, r->test, &r->tests, TESTS_MAX, f->test.at[u->test].name);
	r->here = more ? r->here + s->count : s->count;
	r->unit = u->id;
	if (!more)
		note_bounds(r, s);
	if (r->here > r->longest) {
		r->longest = r->here;
		if (!more) {
			r->distinct = s->known ? s->distinct : 0;
			r->strays = s->strays;
			r->others = s->others;
			r->user = u->user;
			r->db = u->db;
			r->app = u->app;
			r->origin = u->event.at[s->first].origin;
			keep_values(r, u, s);
		} else if (s->known) {
			r->distinct += s->distinct;
		}
	}
}

/* How often each shape comes in [from, to). */
static void count_stretch(struct facts *f, const struct unit *u, uint32_t from, uint32_t to)
{
	uint64_t mark = ++f->looks;

	for (uint32_t i = from; i < to; i++) {
		struct shape *sh = f->shape.at[u->event.at[i].shape];
		if (sh->stretch_mark != mark) {
			sh->stretch_mark = mark;
			sh->stretch_count = 0;
		}
		sh->stretch_count++;
	}
}

static void add_child(struct stretch *s, const struct event *e, uint32_t i, int64_t *before)
{
	int64_t start = e->ts - (e->usec > 0 ? e->usec : 0);

	s->usec += e->usec > 0 ? (uint64_t)e->usec : 0;
	if (s->first == UINT32_MAX)
		s->first = i;
	else if (e->ts && *before && start > *before)
		s->gap += (uint64_t)(start - *before);
	*before = e->ts;
}

/* The child's calls in [from, to) as one stretch; it ends where LEFT statements in a row have
 * nothing to do with them. */
static struct stretch measure(struct facts *f, const struct unit *u, uint32_t child, uint32_t from,
	uint32_t to, uint32_t min)
{
	struct stretch s = {.first = UINT32_MAX, .parent_rows = -1, .other_rows = -1, .limit = -1};
	const struct sql_shape *lex = &f->shape.at[child]->lex;
	uint64_t *values = mem_alloc((to - from + 1) * sizeof(*values));
	uint32_t others = 0, strays = 0, row = 0;
	int64_t before = 0;

	count_stretch(f, u, from, to);
	uint32_t calls = f->shape.at[child]->stretch_count;
	for (uint32_t i = from; i < to && !(s.count && row >= LEFT); i++) {
		const struct event *e = &u->event.at[i];
		if (i < u->kept || (!unit_reads(f, e) && !unit_writes(f, e)))
			continue;
		if (e->shape == child) {
			s.known |= e->values != 0 || (lex->params == 0 && lex->literals == 0);
			values[s.count++] = e->values;
			strays = s.count == 1 ? 0 : strays;
			s.strays = strays;
			s.others = others;
			row = 0;
			add_child(&s, e, i, &before);
			continue;
		}
		/* another part of the loop, or something else? */
		uint32_t times = f->shape.at[e->shape]->stretch_count;
		bool loops = times >= min && times * 4 >= calls;
		others += loops;
		strays += !loops;
		row = loops ? 0 : row + 1;
		if (loops && e->rows >= 0)
			s.other_rows = (s.other_rows > 0 ? s.other_rows : 0) + e->rows;
	}
	s.distinct = count_distinct(values, s.count);
	free(values);
	return s;
}

/* Rows often name the same few others (twenty posts by three authors), so behind a parent two
 * values are enough; whether that is one query per row is the rule's to judge. */
static bool is_varied(const struct stretch *s)
{
	if (!s->known)
		return s->parent != NULL;
	return s->distinct >= 2 && (s->parent || s->distinct * 10 >= s->count * 8);
}

/* Is `i` a parent of the child: do `min` of its calls follow before i's shape comes again?  *to
 * is where it comes again. */
static bool is_parent(const struct unit *u, uint32_t i, uint32_t child, uint32_t min, uint32_t *to,
	uint32_t *budget)
{
	uint32_t n = 0, k = i + 1;

	for (; k < u->event.n && u->event.at[k].shape != u->event.at[i].shape && *budget; k++) {
		n += u->event.at[k].shape == child;
		--*budget;
	}
	*to = k;
	return n >= min;
}

/* The nearest parent of the child's call at `first`; its index, UINT32_MAX: there is none. */
static uint32_t find_parent(const struct facts *f, const struct unit *u, uint32_t first,
	uint32_t min, uint32_t *to, uint32_t *budget)
{
	uint32_t child = u->event.at[first].shape, looked = 0;

	for (uint32_t i = first; i-- > 0 && looked < LOOK_BACK;) {
		const struct event *e = &u->event.at[i];
		if (e->shape == child || !unit_reads(f, e))
			continue;
		looked++;
		if (is_parent(u, i, child, min, to, budget) && *to > first)
			return i;
	}
	return UINT32_MAX;
}

static uint32_t next_call(const struct unit *u, uint32_t shape, uint32_t from)
{
	while (from < u->event.n && u->event.at[from].shape != shape)
		from++;
	return from;
}

#define STRETCHES 64 /* of one child in one unit */

static bool is_pure(const struct stretch *s)
{
	return s->strays * 5 <= s->count;
}

/* A burst may be many clients' behind another pooler, or one that works without a pause: then the
 * child comes alone as often as behind its parent, and what looks like runs is chance.
 * There a run must be pure, and most of the child's calls in runs. */
/* One child shape: each of its stretches behind a parent's call. */
static void look_for_runs(struct facts *f, const struct unit *u, uint32_t first, uint32_t min)
{
	uint32_t child = u->event.at[first].shape, n = (uint32_t)u->event.n, to = 0, parent;
	uint32_t budget = 64 * n, found = 0;
	uint64_t in_runs = 0, loose = 0;
	bool one = u->kind == UNIT_TX || u->trace;
	struct stretch s[STRETCHES];

	for (uint32_t i = first; i < n && found < STRETCHES; i = next_call(u, child, to)) {
		struct stretch *t = &s[found];
		parent = find_parent(f, u, i, min, &to, &budget);
		if (parent == UINT32_MAX) {
			loose++;
			to = i + 1;
			continue;
		}
		*t = measure(f, u, child, parent + 1, to, min);
		t->parent = &u->event.at[parent];
		t->parent_rows = t->parent->rows;
		t->limit = t->parent->limit;
		if (t->count >= min && is_varied(t) && (one || is_pure(t))) {
			in_runs += t->count;
			found++;
		} else {
			loose += t->count;
		}
	}
	if (found == 0 && one) {
		s[0] = measure(f, u, child, 0, n, min);
		found = s[0].count >= min && is_varied(&s[0]);
	}
	if (!one && loose > in_runs) {
		loose += in_runs;
		found = 0;
	}
	for (uint32_t i = 0; i < found; i++)
		note_run(f, u, child, &s[i]);
	if (!one)
		f->shape.at[child]->loose_calls += loose;
}

void run_look(struct facts *f, const struct unit *u, const uint32_t *at, uint32_t n, uint32_t min)
{
	for (uint32_t i = 0; i < n && f->run.n < RUN_MAX; i++) {
		const struct event *e = &u->event.at[at[i]];
		if (f->shape.at[e->shape]->unit_count >= min &&
			(unit_reads(f, e) || unit_writes(f, e)))
			look_for_runs(f, u, at[i], min);
	}
}

void run_release(struct facts *f)
{
	for (size_t i = 0; i < f->run.n; i++) {
		for (uint32_t k = 0; k < f->run.at[i].nvalues; k++)
			free(f->run.at[i].values[k]);
		free(f->run.at[i].parent_values);
	}
	VEC_RELEASE(&f->run);
	map_release(&f->run_of);
}
