/* SPDX-License-Identifier: ISC
 *
 * naming: what a client's names of statements mean while batches of it are under way.
 *
 * Its tables change as its messages are read.  But the server skips what follows an error, up to
 * Sync: a Parse that was skipped has named nothing, and a Close that was skipped has closed
 * nothing.  So what is closed in the middle of a batch is kept until its turn comes, and a
 * message whose meaning hangs on an earlier batch waits until that is answered.  (What hangs on
 * the same batch need not: had that failed, the message would be skipped as well.)
 */
#include "session_message.h"

bool message_must_settle(struct message *m)
{
	if (LIKELY(!ledger_awaits_end(&m->s->ledger)))
		return false;
	m->seen |= SEEN_OTHER;
	m->s->settling = m->s->was_asked = true;
	return true;
}

void naming_put(struct message *m, const char *name)
{
	struct server *s = m->s;

	if (!s->naming || (s->naming_first != s->batch && !ledger_awaits_end(&s->ledger))) {
		s->naming = true;
		s->naming_first = s->batch;
		s->naming_serial = client_statement_serial(m->c, name);
	}
	s->naming_last = s->batch;
}

bool naming_is_unsettled(struct message *m, const char *name)
{
	struct server *s = m->s;

	if (LIKELY(!s->naming) || s->naming_first == s->batch)
		return false;
	if (!ledger_awaits_end(&s->ledger)) {
		s->naming = s->naming_last == s->batch;
		s->naming_first = s->batch;
		return false;
	}
	return client_statement_serial(m->c, name) >= s->naming_serial && message_must_settle(m);
}

struct closing {
	struct closing *next;
	struct client *client;
	struct prepared *p;
	uint32_t tag;
	uint32_t serial; /* of the name */
	char name[];
};

/* Answers the tag of its entry in the ledger. */
static uint32_t closing_put(struct server *s, struct client *c, const char *name,
	struct prepared *p)
{
	size_t len = strlen(name) + 1;
	struct closing *x = mem_zalloc(sizeof *x + len);

	x->client = c;
	x->p = p;
	p->refs++;
	x->serial = client_statement_serial(c, name);
	memcpy(x->name, name, len);
	x->tag = s->closing ? s->closing_last->tag + 1 : 1;
	if (s->closing)
		s->closing_last->next = x;
	else
		s->closing = x;
	s->closing_last = x;
	return x->tag;
}

/* Takes it out of the list.  It is near the front: their turns come in order. */
static struct closing *take(struct server *s, uint32_t tag)
{
	struct closing **at = &s->closing, *before = NULL, *x;

	for (; *at && (*at)->tag != tag; at = &(*at)->next)
		before = *at;
	x = *at;
	if (!x)
		return NULL;
	*at = x->next;
	if (x == s->closing_last)
		s->closing_last = before;
	return x;
}

static void release(struct server *s, struct closing *x)
{
	if (!x)
		return;
	prepared_drop(&s->lane->relay->prepared, &x->p);
	free(x);
}

void closing_done(struct server *s, uint32_t tag)
{
	release(s, take(s, tag));
}

void closing_undo(struct server *s, uint32_t tag)
{
	struct closing *x = take(s, tag);

	if (x && s->client == x->client &&
		client_statement_restore(x->client, x->name, x->p, x->serial))
		x->p = NULL;
	release(s, x);
}

void closing_clear(struct server *s)
{
	while (s->closing)
		closing_done(s, s->closing->tag);
}

enum step naming_close(struct message *m, const char *name, struct prepared *p)
{
	unsigned flags = ENTRY_LOCAL;
	uint32_t tag = 0;

	if (m->s->ledger.len > 0) {
		flags |= ENTRY_TAGGED;
		tag = closing_put(m->s, m->c, name, p);
	}
	client_statement_remove(m->c, name);
	m->local++;
	return message_push(m, ENTRY_CLOSE, flags, tag) ? STEP_DONE : STEP_CLOSED;
}
