/* SPDX-License-Identifier: ISC
 *
 * The short way of what nearly every transaction is: one Query that does nothing to its session,
 * from a client that waits for nothing else, on a connection of which nothing is known but that it
 * is quiet.  What this does, session_request.c, session_client.c and session_server.c would do in
 * the same order; here it is straight, with few comparisons in front of each step, which must all
 * hold before anything is done.  Whatever is unusual in the least goes the long way.
 *
 * Settings that rule the short way out make set.express_max 0 (lane_configure).
 */
#include "session_express.h"
#include "session_flow.h"
#include "session_message.h"
#include "session_turn.h"

/* A whole Query and nothing behind it, no longer than may go this way. */
static inline bool is_lone_query(const struct lane *l, const char *p, size_t n)
{
	return n >= WIRE_HEADER && p[0] == 'Q' && wire_u32(p + 1) + 1 == n &&
	       n <= l->set.express_max;
}

/* Is it the client of one transaction after the other that most are? */
static inline bool is_plain_client(const struct client *c)
{
	return !((uintptr_t)c->trace | (uintptr_t)c->begin | c->left) && !c->replication &&
	       !c->closing && !c->discarding && !c->quitting && !c->pinned;
}

/* The same of a connection, when a transaction is over: server_is_quiet(), and no question of ours,
 * no state and no errand stands in the way of the next client. */
static inline bool is_plain_server(const struct server *s)
{
	return !(s->errands | s->awaited | s->dirty_effects | s->session_state) &&
	       server_is_quiet(s);
}

/* The only thing that the ledger knows, and the only one that is sent. */
static ALWAYS_INLINE void send_query(struct client *c, struct server *s, const char *p, size_t n)
{
	query_count(c, s);
	if (!ledger_push(&s->ledger, ENTRY_QUERY, 0, 0))
		abort(); /* cannot be: it was empty */
	s->again.len = 0;
	if (UNLIKELY(!flow_send(&s->conn, &s->out, &c->lane->relay->chunks, p, n)))
		server_blocked(s);
}

bool express_query(struct client *c, const char *p, size_t n)
{
	struct lane *l = c->lane;
	struct shard *sh = &l->shard;
	struct slot *slot;
	struct server *s;

	if (UNLIKELY(c->state != CLIENT_IDLE || !is_lone_query(l, p, n) || begin_is_likely(p, n) ||
		     !is_plain_client(c)))
		return false;
	if (LIKELY(pool_would_queue(sh))) {
		pool_queue(sh, &c->waiter, l->relay->w.now);
		c->state = CLIENT_WAITING;
		client_arm(c);
		c->in = chunk_keep_small(&l->relay->chunks, p, n);
		if (UNLIKELY(!l->full))
			lane_tend(l);
		return true;
	}
	if (wire_text_effects(p + WIRE_HEADER, n - WIRE_HEADER) ||
		pool_ask(sh, &c->waiter, l->relay->w.now, &slot) != POOL_LEASED)
		return false;
	s = CONTAINER_OF(slot, struct server, slot);
	if (LIKELY(server_link(s, c)))
		send_query(c, s, p, n);
	else
		chunk_append(&l->relay->chunks, &c->in, p, n);
	return true;
}

/* What a client that has waited asked for. */
static ALWAYS_INLINE void send_parked(struct client *c, struct server *s)
{
	struct lane *l = c->lane;
	struct chunk *in = c->in;
	const char *p = in->data + in->off;
	size_t n = chunk_left(in);

	if (UNLIKELY(!is_lone_query(l, p, n) || !is_plain_client(c) || s->ledger.len ||
		     wire_text_effects(p + WIRE_HEADER, n - WIRE_HEADER))) {
		client_resume(c);
		return;
	}
	c->in = NULL;
	send_query(c, s, p, n);
	chunk_give_small(&l->relay->chunks, in);
	if (UNLIKELY(!flow_is_reading(&c->io)))
		client_watch(c);
}

/* express_turn(), for both ways that lead there. */
static ALWAYS_INLINE bool turn(struct server *s)
{
	struct lane *l = s->lane;
	struct client *c = s->client;
	usec_t now = l->relay->w.now;
	struct waiter *w;

	if (UNLIKELY(!l->set.express_max || !c || c->in || !is_plain_client(c) ||
		     !is_plain_server(s) || l->relay->draining))
		return false;
	who_note(s, c);
	c->server = NULL;
	c->state = CLIENT_IDLE;
	c->waiter.since = now;
	w = pool_hand_on(&l->shard, &s->slot, now);
	if (!w) {
		s->client = NULL;
		server_release(s);
		return true;
	}
	s->released = now;
	s->asked_cancel = s->asked_reset = s->setup_failed = false;
	if (UNLIKELY(l->shared))
		share_show(l);
	c = CONTAINER_OF(w, struct client, waiter);
	server_lend(s, c);
	if (UNLIKELY(s->params != c->params)) {
		if (server_set_up(s, c))
			client_resume(c);
		return true;
	}
	send_parked(c, s);
	return true;
}

bool express_answer(struct server *s, const char *p, size_t n)
{
	struct lane *l = s->lane;
	struct client *c = s->client;

	if (UNLIKELY(!l->set.express_max || !c || c->trace || s->left || s->errands) ||
		!ledger_pass_answer(&s->ledger, p, n))
		return false;
	client_ready(c, s->ledger.state.status);
	stats_add(&l->stats.bytes_sent, n);
	if (UNLIKELY(!flow_send(&c->conn, &c->out, &l->relay->chunks, p, n)))
		client_blocked(c);
	if (!turn(s))
		server_settle(s);
	return true;
}

bool express_turn(struct server *s)
{
	return turn(s);
}
