/* SPDX-License-Identifier: ISC
 *
 * facts_tx: explicit transactions: how many statements, how long, how much of that the client
 * left it idle while it held its snapshot and locks.
 *
 * A transaction begins when its BEGIN began and ends with COMMIT or ROLLBACK; what is between
 * its statements is idle.  Where BEGIN is not logged, the transaction is known by its vxid alone
 * and lasts from its first statement to its last.
 */
#include "facts_build.h"

const char *tx_order_name(enum tx_order o)
{
	static const char *const names[TX_ORDERS] = {"busiest", "longest", "idlest"};

	return names[o];
}

static uint64_t idle(const struct tx *t)
{
	return t->usec > t->busy ? t->usec - t->busy : 0;
}

static uint64_t weight(enum tx_order o, const struct tx *t)
{
	switch (o) {
	case TX_BUSIEST:
		return t->statements;
	case TX_LONGEST:
		return t->usec;
	case TX_IDLEST:
		return idle(t);
	case TX_ORDERS:
		break;
	}
	return 0;
}

/* Keeps the greatest; of equals the first. */
void facts_add_tx(struct facts *f, enum tx_order o, const struct tx *t)
{
	struct tx *top = f->tx.top[o];
	uint32_t n = f->tx.tops[o], at = n;
	uint64_t own = weight(o, t);

	if (own == 0)
		return;
	while (at > 0 && weight(o, &top[at - 1]) < own)
		at--;
	if (at >= TX_TOP)
		return;
	n = n < TX_TOP ? n + 1 : TX_TOP;
	memmove(&top[at + 1], &top[at], (n - 1 - at) * sizeof(*top));
	top[at] = *t;
	f->tx.tops[o] = n;
}

static void count(struct facts *f, const struct tx *t)
{
	f->tx.count++;
	f->tx.rollbacks += t->rolled_back;
	f->tx.statements += t->statements;
	sketch_add(&f->tx.time, t->usec);
	sketch_add(&f->tx.idle, idle(t));
	for (int o = 0; o < TX_ORDERS; o++)
		facts_add_tx(f, (enum tx_order)o, t);
}

static uint64_t took(const struct open *o)
{
	return o->usec > 0 ? (uint64_t)o->usec : 0;
}

static bool says(struct str text, const char *word)
{
	size_t n = strlen(word);

	for (size_t i = 0; i + n <= text.n; i++)
		if (strncasecmp(text.p + i, word, n) == 0)
			return true;
	return false;
}

static enum isolation level_in(struct str text, enum isolation other)
{
	return says(text, "serializable")      ? ISOLATION_SERIALIZABLE
	       : says(text, "repeatable read") ? ISOLATION_REPEATABLE
	       : says(text, "read committed")  ? ISOLATION_COMMITTED
					       : other;
}

/* BEGIN ISOLATION LEVEL, SET TRANSACTION, SET default_transaction_isolation and their kin. */
void isolation_note(struct session *s, enum sql_verb verb, struct str text)
{
	if (verb == SQL_DISCARD)
		s->isolation = ISOLATION_COMMITTED;
	else if (verb == SQL_BEGIN)
		s->tx_isolation = level_in(text, s->isolation);
	else if (says(text, "default_transaction_isolation") || says(text, "characteristics"))
		s->isolation = level_in(text, ISOLATION_COMMITTED);
	else if (says(text, "isolation"))
		s->tx_isolation = level_in(text, s->tx_isolation);
}

/* pg_advisory_lock(), LOCK TABLE: who took it first has what follows to himself, until the
 * transaction's end or until it is given back. */
void mutex_note(struct session *s, const struct shape *sh)
{
	bool back = says(sh->norm, "unlock"),
	     whole = !says(sh->norm, "xact") && sh->verb != SQL_LOCK;
	enum isolation level = back ? ISOLATION_COMMITTED : ISOLATION_SERIALIZABLE;

	if (s->in_tx)
		s->tx_isolation = level;
	if (whole)
		s->isolation = level;
}

void tx_begin(struct session *s, const struct open *o)
{
	s->tx = (struct tx){.begin = o->ts ? o->ts - (int64_t)took(o) : 0,
		.busy = took(o),
		.user = s->user,
		.db = s->db,
		.app = s->app,
		.shape = NO_SHAPE,
		.at = o->at};
	s->tx_dearest = 0;
}

void tx_call(struct session *s, const struct open *o)
{
	s->tx.statements++;
	s->tx.busy += took(o);
	if (s->tx.shape == NO_SHAPE || took(o) > s->tx_dearest) {
		s->tx.shape = o->shape;
		s->tx_dearest = took(o);
	}
}

void tx_end(struct facts *f, struct session *s, const struct open *o, bool rolled_back)
{
	int64_t end = o ? o->ts : s->last_ts;

	s->tx.busy += o ? took(o) : 0;
	s->tx.usec = end > s->tx.begin && s->tx.begin ? (uint64_t)(end - s->tx.begin) : s->tx.busy;
	s->tx.rolled_back = rolled_back;
	count(f, &s->tx);
}

void tx_unit(struct facts *f, const struct unit *u)
{
	const struct event *a = &u->event.at[0], *b = &u->event.at[u->event.n - 1];
	struct tx t = {.begin = a->ts ? a->ts - (a->usec > 0 ? a->usec : 0) : 0,
		.statements = u->event.n,
		.user = u->user,
		.db = u->db,
		.app = u->app,
		.shape = a->shape,
		.at = a->at};
	int64_t dearest = 0;

	for (size_t i = 0; i < u->event.n; i++) {
		int64_t usec = u->event.at[i].usec;
		t.busy += usec > 0 ? (uint64_t)usec : 0;
		if (usec > dearest) {
			dearest = usec;
			t.shape = u->event.at[i].shape;
		}
	}
	t.usec = b->ts > t.begin && t.begin ? (uint64_t)(b->ts - t.begin) : t.busy;
	count(f, &t);
}
