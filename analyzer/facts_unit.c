/* SPDX-License-Identifier: ISC
 *
 * facts_unit: calls -> units: what one session did in one transaction, or in one burst between
 * two pauses, or for one request where comments name it.
 *
 *	BEGIN … COMMIT      a unit of its own; the burst around it waits
 *	   of one statement or two: they count as the burst's own (an ORM that saves row by row
 *	   outside of a transaction wraps each row in one)
 *	ROLLBACK TO         ends a unit: what test suites do between two tests
 *	another request's tag, another application_name, a pause of GAP_USEC: end it
 *
 * A unit that ends is looked at by facts_run.c and facts_sequence.c and forgotten.
 */
#include "facts_build.h"

#define UNIT_MAX   4096	 /* events; a longer unit is looked at in pieces */
#define UNIT_KEPT  64	 /* of these, the first ones stay for the next piece: parents */
#define TEXT_CAP   65536 /* bytes of values kept per unit */
#define TEXT_CALLS 24	 /* calls of one shape whose values are kept */
#define TEXT_BYTES 1024
#define GAP_USEC   200000 /* a burst ends where the client thought at least this long */
#define TINY_TX	   2

bool unit_reads(const struct facts *f, const struct event *e)
{
	const struct shape *s = f->shape.at[e->shape];
	enum sql_verb v = s->verb;

	return (v == SQL_SELECT && !s->is_aside) || v == SQL_VALUES || v == SQL_TABLE ||
	       v == SQL_DECLARE;
}

bool unit_writes(const struct facts *f, const struct event *e)
{
	enum sql_verb v = f->shape.at[e->shape]->verb;

	return v == SQL_INSERT || v == SQL_UPDATE || v == SQL_DELETE;
}

/* --- the end of one ------------------------------------------------------------------- */

/* Counts every shape of the unit; fills `at` with the first events of those that come `min`
 * times. */
static uint32_t count_shapes(struct facts *f, const struct unit *u, uint32_t *at, uint32_t min)
{
	uint64_t mark = ++f->looks;
	uint32_t n = 0;

	for (uint32_t i = 0; i < u->event.n; i++) {
		struct shape *s = f->shape.at[u->event.at[i].shape];
		if (s->unit_mark != mark) {
			s->unit_mark = mark;
			s->unit_first = i;
			s->unit_count = 0;
		}
		if (++s->unit_count == min)
			at[n++] = s->unit_first;
	}
	return n;
}

static void look(struct facts *f, struct unit *u)
{
	uint32_t at[UNIT_MAX / TRACED_MIN + 1], n;

	if (u->event.n >= TRACED_MIN) {
		n = count_shapes(f, u, at, TRACED_MIN);
		if (n && (u->kind == UNIT_TX || u->trace))
			repeat_look(f, u, at, n);
		if (n)
			run_look(f, u, at, n, u->trace ? TRACED_MIN : LOOP_MIN);
		if (u->kind == UNIT_TX || u->trace)
			cycle_look(f, u);
	}
	if (u->event.n >= 2)
		pair_look(f, u);
	if (u->event.n >= 2 && u->kind == UNIT_TX)
		order_look(f, u);
}

static void clear(struct unit *u)
{
	u->id = 0;
	u->event.n = 0;
	u->kind = UNIT_BURST;
	u->trace = u->pieces = u->calls = 0;
	u->kept = 0;
	u->begun = 0;
	u->rolled_back = u->counted = u->is_script = false;
	text_clear(&u->text);
}

void unit_end(struct facts *f, struct unit *u)
{
	if (u->event.n > u->kept)
		look(f, u);
	if (u->kind == UNIT_TX && !u->counted && u->event.n > 0)
		tx_unit(f, u);
	clear(u);
}

void unit_end_all(struct facts *f, struct session *s)
{
	unit_end(f, &s->unit);
	unit_end(f, &s->burst);
}

void unit_release(struct unit *u)
{
	text_release(&u->text);
	VEC_RELEASE(&u->event);
}

/* --- collecting --------------------------------------------------------------------------- */

static void begin(struct facts *f, const struct session *s, struct unit *u, int64_t start)
{
	u->id = ++f->units;
	u->begun = start;
	u->user = s->user;
	u->db = s->db;
	u->app = s->app;
}

static void keep_text(struct shape *sh, struct unit *u, struct event *e, struct str text)
{
	if (sh->text_unit != u->id) {
		sh->text_unit = u->id;
		sh->text_count = 0;
	}
	text = str_before(text, TEXT_BYTES);
	if (!text.n || sh->text_count >= TEXT_CALLS || u->text.n + text.n >= TEXT_CAP)
		return;
	sh->text_count++;
	e->text = (uint32_t)u->text.n;
	e->text_n = (uint32_t)text.n;
	text_str(&u->text, text);
}

static void next_piece(struct facts *f, struct unit *u)
{
	if (u->event.n < UNIT_MAX)
		return;
	look(f, u);
	u->event.n = u->kept = UNIT_KEPT;
	u->pieces++;
}

/* A transaction so small that it is but a statement of the burst around it. */
static void take_tiny(struct facts *f, struct unit *burst, const struct unit *tx)
{
	burst->test = tx->test;
	for (size_t i = 0; i < tx->event.n; i++) {
		next_piece(f, burst);
		struct event *e = VEC_PUSH(&burst->event);
		struct str text = {tx->text.p + tx->event.at[i].text, tx->event.at[i].text_n};
		*e = tx->event.at[i];
		e->own_tx = true;
		e->text_n = 0;
		keep_text(f->shape.at[e->shape], burst, e, text);
		burst->calls++;
	}
}

static bool is_rollback_to(const struct shape *sh)
{
	return sh->verb == SQL_SAVEPOINT && str_starts(sh->norm, "rollback");
}

static void enter_tx(struct facts *f, struct session *s, const struct open *o, int64_t start)
{
	struct unit held = s->burst;

	s->burst = s->unit;
	s->unit = held;
	clear(&s->unit);
	begin(f, s, &s->unit, start);
	s->unit.kind = UNIT_TX;
	s->unit.counted = true;
	s->in_tx = true;
	tx_begin(s, o);
	s->pause_shape = NO_SHAPE;
	s->pause_from = 0;
	s->pause_wrote = false;
	f->has_tx = true;
}

/* `o`: what ended it; NULL: that was not logged. */
static void leave_tx(struct facts *f, struct session *s, const struct open *o, bool rolled_back)
{
	bool tiny = s->unit.counted && s->unit.event.n <= TINY_TX && s->unit.pieces == 0 &&
		    !rolled_back;

	if (s->in_tx)
		tx_end(f, s, o, rolled_back);
	s->unit.rolled_back = rolled_back;
	tx_kind_look(f, &s->unit, o ? o->ts : 0);
	if (tiny && s->unit.event.n) {
		order_look(f, &s->unit);
		if (s->burst.event.n == 0)
			begin(f, s, &s->burst, s->unit.begun);
		take_tiny(f, &s->burst, &s->unit);
		clear(&s->unit);
	} else {
		unit_end(f, &s->unit);
	}
	struct unit spare = s->unit;
	s->unit = s->burst;
	s->burst = spare;
	s->in_tx = false;
	s->pause_shape = NO_SHAPE;
}

/* Did the client think before this call? */
static bool was_idle(const struct unit *u, int64_t start)
{
	const struct event *last = u->event.n ? &u->event.at[u->event.n - 1] : NULL;

	return last && start && last->ts && start - last->ts > GAP_USEC;
}

/* Is this call another unit's than those before it? */
static bool is_other_unit(const struct session *s, const struct open *o, int64_t start)
{
	const struct unit *u = &s->unit;

	if (u->event.n == 0)
		return false;
	if (o->trace && u->trace && o->trace != u->trace)
		return true;
	if (s->in_tx || u->kind == UNIT_TX)
		return o->vxid && s->vxid && o->vxid != s->vxid;
	if (o->vxid && o->vxid == s->vxid)
		return false;
	return was_idle(u, start);
}

/* BEGIN, COMMIT and their kin; false: it is none. */
static bool boundary(struct facts *f, struct session *s, const struct open *o, int64_t start)
{
	enum sql_verb v = f->shape.at[o->shape]->verb;

	if (v != SQL_BEGIN && v != SQL_COMMIT && v != SQL_ROLLBACK && v != SQL_DISCARD)
		return false;
	if (v == SQL_DISCARD) {
		if (s->in_tx)
			tx_end(f, s, o, false);
		unit_end_all(f, s);
		s->in_tx = false;
	} else if (v == SQL_BEGIN) {
		f->begins++;
		f->unpaired += s->in_tx;
		if (s->in_tx || s->unit.kind == UNIT_TX)
			leave_tx(f, s, NULL, false); /* its COMMIT was not logged */
		if (was_idle(&s->unit, start))
			unit_end(f, &s->unit);
		enter_tx(f, s, o, start);
	} else {
		/* many a pool sends ROLLBACK before it lends a connection: that has no BEGIN */
		f->ends += s->in_tx || v != SQL_ROLLBACK;
		f->unpaired += !s->in_tx && v != SQL_ROLLBACK;
		pause_note(f, s, o->shape, o);
		if (s->in_tx || s->unit.kind == UNIT_TX)
			leave_tx(f, s, o, v == SQL_ROLLBACK);
	}
	s->vxid = 0;
	return true;
}

void unit_add(struct facts *f, struct session *s, const struct open *o)
{
	struct shape *sh = f->shape.at[o->shape];
	int64_t wait = o->has_pooler && o->pooler.wait_us > 0 ? o->pooler.wait_us : 0;
	int64_t start = o->ts ? o->ts - (o->usec > 0 ? o->usec : 0) - wait : 0;

	if (sh->verb == SQL_BEGIN || sh->verb == SQL_SET || sh->verb == SQL_DISCARD)
		isolation_note(s, sh->verb, text_slice(&s->sql));
	if (boundary(f, s, o, start))
		return;
	if (sh->is_mutex)
		mutex_note(s, sh);
	if (is_other_unit(s, o, start) || is_rollback_to(sh)) {
		s->pause_shape = NO_SHAPE;
		bool other_tx = s->in_tx && o->vxid && s->vxid && o->vxid != s->vxid;
		bool tx = s->unit.kind == UNIT_TX && (s->in_tx || is_rollback_to(sh));
		if (other_tx) { /* COMMIT was not logged */
			tx_end(f, s, NULL, false);
			tx = s->in_tx = false;
		}
		s->unit.rolled_back = is_rollback_to(sh);
		unit_end(f, &s->unit);
		s->unit.kind = tx ? UNIT_TX : UNIT_BURST;
		s->unit.counted = s->in_tx;
	}
	if (s->in_tx)
		tx_call(s, o);
	if (s->unit.id == 0)
		begin(f, s, &s->unit, start);
	if (o->vxid && o->vxid == s->vxid && !s->in_tx && s->unit.event.n > 0)
		s->unit.kind = UNIT_TX; /* BEGIN was not logged */
	if (o->vxid)
		s->vxid = o->vxid;
	pause_note(f, s, o->shape, o);
	if (sh->lex.traits & SQL_HAS_OFFSET)
		page_note(f, s, o);
	next_piece(f, &s->unit);
	if (o->trace)
		s->unit.trace = o->trace;
	struct event *e = VEC_PUSH(&s->unit.event);
	*e = (struct event){.shape = o->shape,
		.ts = o->ts,
		.usec = o->usec,
		.rows = sh->verb == SQL_DECLARE ? -1 : o->rows,
		.limit = o->limit,
		.origin = o->origin,
		.values = o->values,
		.isolation = s->in_tx ? s->tx_isolation : s->isolation,
		.at = o->at};
	s->unit.calls++;
	s->unit.is_script |=
		sh->verb == SQL_DDL || sh->verb == SQL_COPY || sh->verb == SQL_TRUNCATE;
	keep_text(sh, &s->unit, e, s->params.n ? text_slice(&s->params) : text_slice(&s->sql));
}
