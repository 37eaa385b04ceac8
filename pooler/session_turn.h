/* SPDX-License-Identifier: ISC
 *
 * turn: what is noted when a client gets a server connection, when it has its answer, and when the
 * connection leaves it.  Every transaction comes here, by the long way or by the short one
 * (session_express.c).
 */
#ifndef POOLER_SESSION_TURN_H
#define POOLER_SESSION_TURN_H

#include "session.h"
#include "session_meaning.h"

/* It has a server now; its request is not yet sent. */
static inline void client_linked(struct client *c)
{
	struct lane *l = c->lane;
	usec_t now = l->relay->w.now;

	if (c->state == CLIENT_WAITING) {
		stats_add(&l->stats.wait_time, now - c->waiter.since);
		hist_add(&l->wait, now - c->waiter.since);
		if (UNLIKELY(l->set.observed))
			trace_linked(c, c->waiter.since);
	}
	stats_add(&l->stats.server_assignment_count, 1);
	c->state = CLIENT_LINKED;
	c->notified = false;
	c->waiter.since = now;
	if (!c->xact_since)
		c->xact_since = now;
	client_arm(c);
}

/* ReadyForQuery is on its way to it. */
static inline void client_ready(struct client *c, char status)
{
	struct lane *l = c->lane;
	usec_t now = l->relay->w.now;

	stats_add(&l->stats.query_time, now - c->waiter.since);
	hist_add(&l->server, now - c->waiter.since);
	c->waiter.since = now;
	if (status == 'I') {
		stats_add(&l->stats.xact_count, 1);
		if (c->xact_since)
			stats_add(&l->stats.xact_time, now - c->xact_since);
		c->xact_since = 0;
		if (UNLIKELY(c->server->alters) && !c->server->ledger.len)
			meaning_settle(c->server);
	}
	client_arm(c);
}

/* The two belong together from now on. */
static inline void server_lend(struct server *s, struct client *c)
{
	s->client = c;
	c->server = s;
	s->lent = s->lane->relay->w.now;
	client_linked(c);
}

/* The server comes back from the client. */
static inline void who_note(struct server *s, const struct client *c)
{
	struct relay *r = s->lane->relay;
	usec_t span = r->w.now - s->lent;
	int which = span >= WHO_LONG;
	struct who_note *n = r->who.ring[which];

	if (UNLIKELY(!n))
		n = who_open(&r->who, which);
	n += r->who.count[which]++ % WHO_NOTES;
	n->from = r->w.wall - span;
	n->until = r->w.wall;
	n->client = c->id;
	n->pool = s->lane->pool;
	n->pid = s->pid;
}

#endif
