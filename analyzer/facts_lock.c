/* SPDX-License-Identifier: ISC
 *
 * facts_lock: who waited for whom.
 *
 * log_lock_waits says that a process waits, and in the DETAIL which process holds the lock; the
 * line that it "acquired" the lock has how long that took.  The statement that took the lock is
 * not logged with it: the holder's latest statement stands for it.  A deadlock's DETAIL names
 * every process, what it waited for, and its statement.
 */
#include "facts_build.h"

#include <ctype.h>

#define EDGES_MAX     5000
#define DEADLOCKS_MAX 500

struct wait_edge *facts_wait(struct facts *f, uint32_t waiter, uint32_t holder)
{
	uint32_t *at = map_put(&f->wait_of, (uint64_t)waiter << 32 | holder);

	if (*at == MAP_NONE) {
		if (f->wait.n >= EDGES_MAX) { /* the rest goes together */
			*at = (uint32_t)EDGES_MAX - 1;
			return &f->wait.at[*at];
		}
		*at = (uint32_t)f->wait.n;
		struct wait_edge *w = VEC_PUSH(&f->wait);
		memset(w, 0, sizeof(*w));
		w->waiter = waiter;
		w->holder = holder;
	}
	return &f->wait.at[*at];
}

struct deadlock *facts_deadlock(struct facts *f, const struct deadlock *d)
{
	uint32_t *at = map_put(&f->deadlock_of, d->key);

	if (*at == MAP_NONE) {
		*at = f->deadlock.n < DEADLOCKS_MAX ? (uint32_t)f->deadlock.n : DEADLOCKS_MAX - 1;
		if (*at == f->deadlock.n) {
			*VEC_PUSH(&f->deadlock) = *d;
			return &f->deadlock.at[*at];
		}
	}
	struct deadlock *x = &f->deadlock.at[*at];
	x->count += d->count;
	x->first_ts = d->first_ts && d->first_ts < x->first_ts ? d->first_ts : x->first_ts;
	x->last_ts = d->last_ts > x->last_ts ? d->last_ts : x->last_ts;
	return x;
}

/* --- deadlocks --------------------------------------------------------------------------- */

static int64_t number(struct str *s)
{
	int64_t v = 0;
	size_t i = 0;

	for (; i < s->n && i < 15 && isdigit((unsigned char)s->p[i]); i++)
		v = v * 10 + (s->p[i] - '0');
	*s = str_skip(*s, i);
	return v;
}

/* "ShareLock on transaction 1234" and "ShareLock on tuple (0,1) of relation 5 of database 6":
 * numbers differ each time and tell nobody anything. */
static struct str lock_name(struct arena *a, struct str s)
{
	char *out = arena_alloc(a, s.n + 1);
	size_t n = 0;

	for (size_t i = 0; i < s.n && i < 120; i++) {
		if (isdigit((unsigned char)s.p[i]) && n > 0 &&
			(out[n - 1] == ' ' || out[n - 1] == '?' || out[n - 1] == '(' ||
				out[n - 1] == ',')) {
			if (out[n - 1] != '?')
				out[n++] = '?';
			continue;
		}
		out[n++] = s.p[i];
	}
	out[n] = '\0';
	return (struct str){out, n};
}

static struct deadlock_side *side_of(struct deadlock *d, int64_t pid)
{
	for (uint32_t i = 0; i < d->sides; i++)
		if (d->side[i].pid == pid)
			return &d->side[i];
	if (d->sides == DEADLOCK_SIDES)
		return NULL;
	d->side[d->sides] = (struct deadlock_side){.pid = pid, .shape = NO_SHAPE};
	return &d->side[d->sides++];
}

/* Where the next "Process N" stands at the beginning of a line; d.n: nowhere. */
static size_t next_process(struct str d)
{
	for (size_t i = 0; i < d.n; i++) {
		struct str rest = str_skip(d, i);
		if ((i == 0 || d.p[i - 1] == '\n') && str_starts(rest, "Process ") && rest.n > 8 &&
			isdigit((unsigned char)rest.p[8]))
			return i;
	}
	return d.n;
}

/* "waits for ShareLock on transaction 5; blocked by process 42." or ": UPDATE …" */
static void read_side(struct facts *f, struct deadlock *d, struct str s)
{
	s = str_skip(s, strlen("Process "));
	struct deadlock_side *side = side_of(d, number(&s));

	if (!side)
		return;
	if (str_starts(s, " waits for ")) {
		struct str lock = str_skip(s, strlen(" waits for "));
		size_t at = str_find(lock, "; blocked by process ");
		struct str by = str_skip(lock, at + strlen("; blocked by process "));
		side->lock = lock_name(&f->arena, str_before(lock, at));
		side->blocked_by = number(&by);
	} else if (str_starts(s, ": ")) {
		struct sql_shape lex;
		struct str sql = str_trim(str_skip(s, 2));
		sql_lex(sql.p, sql.n, &lex, NULL, 0);
		if (lex.verb != SQL_EMPTY && lex.verb != SQL_OTHER)
			side->shape = shape_index(f, sql, &lex, false);
	}
}

/* The same statements deadlock again and again: they are one row, whoever began. */
uint64_t facts_deadlock_key(const struct facts *f, const struct deadlock *d)
{
	uint64_t key = d->sides;

	for (uint32_t i = 0; i < d->sides; i++)
		key += d->side[i].shape == NO_SHAPE ? 1 : f->shape.at[d->side[i].shape]->hash;
	return key;
}

static void read_deadlock(struct facts *f, const struct session *s, struct str detail)
{
	struct deadlock d = {
		.count = 1, .first_ts = s->open.ts, .last_ts = s->open.ts, .at = s->open.at};
	size_t at = next_process(detail);

	while (at < detail.n) {
		struct str rest = str_skip(detail, at);
		size_t next = next_process(str_skip(rest, 1)) + 1;
		read_side(f, &d, str_before(rest, next));
		at += next;
	}
	if (d.sides == 0)
		return;
	d.key = facts_deadlock_key(f, &d);
	facts_deadlock(f, &d);
	for (uint32_t i = 0; i < d.sides; i++) {
		struct deadlock_side *by = side_of(&d, d.side[i].blocked_by);
		struct wait_edge *w = facts_wait(f, d.side[i].shape, by ? by->shape : NO_SHAPE);
		if (!w->lock.p) {
			w->lock = d.side[i].lock;
			w->at = d.at;
		}
		w->deadlocks++;
	}
}

/* --- waits ------------------------------------------------------------------------------- */

/* A process of the server whose log the entry is in. */
uint64_t lock_pid(const struct facts *f, const struct log_entry *e, int64_t pid)
{
	uint64_t salt = f->in && e->file < f->in->file.n ? f->in->file.at[e->file]->salt : 0;

	return (uint64_t)pid ^ salt;
}

/* "Process holding the lock: 42. Wait queue: 43." */
static void read_holder(struct facts *f, struct session *s, const struct log_entry *e)
{
	size_t at = str_find(e->detail, "holding the lock: ");

	if (at == e->detail.n) {
		at = str_find(e->detail, "holding the lock"); /* several: take the first */
		at = at < e->detail.n ? at + str_find(str_skip(e->detail, at), ": ") : at;
	}
	struct str rest = str_skip(e->detail, at);
	rest = str_skip(rest, str_find(rest, ": ") + 2);
	uint32_t i = map_get(&f->pid_of, lock_pid(f, e, number(&rest)));
	struct session *holder = i < f->session.n ? f->session.at[i] : NULL;
	s->lock_holder = NO_SHAPE;
	if (holder && holder != s)
		s->lock_holder = holder->has_open && holder->open.is_call ? holder->open.shape
									  : holder->last_shape;
}

/* DETAIL of the note that is open. */
void lock_detail(struct facts *f, struct session *s, const struct log_entry *e)
{
	if (s->open.deadlock)
		read_deadlock(f, s, e->detail);
	else if (s->open.class == LOG_LOCK || s->open.class == LOG_OTHER)
		if (str_find(e->detail, "holding the lock") < e->detail.n)
			read_holder(f, s, e);
}

/* "process 5 acquired ShareLock on transaction 42 after 55.8 ms": by the kind of lock. */
static void count_kind(struct facts *f, struct str m, uint64_t usec)
{
	struct str lock = str_skip(m, str_find(m, " acquired ") + strlen(" acquired "));
	size_t on = str_find(lock, " on ");
	struct str object = str_skip(lock, on + strlen(" on "));
	struct arena scratch = {0};

	on += str_before(object, str_find(object, " ")).n + strlen(" on ");
	struct kind_count *k = facts_kind(f, KIND_LOCK, lock_name(&scratch, str_before(lock, on)));
	k->count++;
	k->usec += usec;
	arena_release(&scratch);
}

void lock_note(struct facts *f, struct session *s, struct log_entry *e)
{
	bool acquired = str_find(e->message, " acquired ") < e->message.n;

	/* "acquired" repeats the wait that "still waiting" announced: only it has the whole. */
	s->open.amount = (int64_t)(number_after(e->message, " after ") * 1000);
	if (acquired) {
		f->server.lock_waits++;
		f->server.lock_usec += (uint64_t)s->open.amount;
		if ((uint64_t)s->open.amount > f->server.lock_longest)
			f->server.lock_longest = (uint64_t)s->open.amount;
		count_kind(f, e->message, (uint64_t)s->open.amount);
		facts_slot(f, e->ts)->lock_usec += (uint64_t)s->open.amount;
	} else {
		s->lock_holder = NO_SHAPE;
		s->open.shape = NO_SHAPE;
		s->open.class = LOG_OTHER;
	}
	if (e->detail.n)
		lock_detail(f, s, e);
}

/* The waiting statement is known. */
void lock_attribute(struct facts *f, struct session *s, const struct open *o, uint32_t shape)
{
	struct shape *x = f->shape.at[shape];
	struct wait_edge *w = facts_wait(f, shape, s->lock_holder);

	x->lock_waits++;
	x->lock_usec += (uint64_t)o->amount;
	if ((uint64_t)o->amount > x->lock_longest)
		x->lock_longest = (uint64_t)o->amount;
	if (w->waits++ == 0 && !w->at.line)
		w->at = o->at;
	w->usec += (uint64_t)o->amount;
	s->lock_holder = NO_SHAPE;
}
