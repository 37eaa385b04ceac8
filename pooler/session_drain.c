/* SPDX-License-Identifier: ISC
 *
 * Bringing a server connection back to a quiet state when its client is gone: cancel, Sync,
 * ROLLBACK, the reset query; step by step, each when the server has answered the one before.
 */
#include "session_turn.h"

static struct relay *relay_of(const struct server *s)
{
	return s->lane->relay;
}

void server_unlink(struct server *s)
{
	struct client *c = s->client;

	if (s->slot.own) {
		s->client = NULL;
		if (s->pg)
			server_close(s, CLOSE_SERVER_CLIENT_GONE, NULL);
		return; /* else server_dialed() finds nobody */
	}
	if (c->state == CLIENT_CLOSED)
		who_note(s, c); /* client_done() has done it otherwise */
	s->client = NULL;
	s->was_pinned = c->pinned;
	s->half_sent = c->left > 0 || s->feeding;
	if (s->feeding)
		relay_of(s)->w.scratch.len = 0; /* what was not sent must not go with another's */
	s->feeding = false;
	s->setup = s->describing = s->settling = s->was_asked = false;
	s->awaited = 0;
	s->asked_cancel = s->asked_reset = false;
	s->drain_until = relay_of(s)->w.now + s->lane->set.cancel_wait_timeout;
	timer_ensure(&relay_of(s)->w.timers, &s->timer, s->drain_until);
	server_watch(s);
	server_drain(s);
}

/* Has it, outside of session pooling, what the next client must not find? */
static bool is_soiled(const struct server *s)
{
	return s->lane->set.mode != POOL_MODE_SESSION &&
	       (s->was_pinned || s->dirty_effects || s->session_state);
}

/* And cannot be cleaned: LOAD is for good. */
static bool is_spoilt(const struct server *s)
{
	return is_soiled(s) && (!s->lane->set.reset_query[0] ||
				       ((s->dirty_effects | s->session_state) & TEXT_LOAD));
}

static bool wants_reset(const struct server *s)
{
	const struct pool_settings *set = &s->lane->set;

	if (s->asked_reset || !set->reset_query[0])
		return false;
	return set->mode == POOL_MODE_SESSION || set->reset_always || is_soiled(s);
}

/* server_reset_query may be anything.  What it does not discard is still there: our prepared
 * statements and the parameters that we have set. */
static void note_reset(struct server *s, const char *query)
{
	unsigned effects = wire_text_effects(query, strlen(query));

	s->reset_keeps = !(effects & TEXT_DISCARD_ALL);
	s->reset_deallocates = effects & TEXT_DEALLOCATE;
	s->reset_sets = strcasestr(query, "reset all") != NULL;
}

/* DISCARD ALL and its like: what the client had set is gone. */
static void forget_session(struct server *s)
{
	struct relay *r = relay_of(s);
	struct params *p;

	if (!s->reset_keeps || s->reset_deallocates) {
		server_statements_clear(s);
		prepared_drop(&r->prepared, &s->unnamed);
		s->stale_names |= s->reset_keeps; /* it may have been DEALLOCATE of one */
	}
	if (s->reset_keeps && s->lane->set.mode != POOL_MODE_SESSION &&
		(s->session_state || s->dirty_effects || s->was_pinned)) {
		s->slot.doomed = true; /* nobody else may see it */
		s->doomed_why = CLOSE_SERVER_STATE;
	}
	s->session_state = s->dirty_effects = 0;
	s->said.len = 0;
	s->was_pinned = false;
	if (s->reset_keeps && !s->reset_sets)
		return;
	s->nameless = false;
	p = params_empty(&r->params);
	for (size_t i = 0; i < s->params->count; i++)
		if (s->params->item[i].reported)
			p = params_with(&r->params, p, s->params->item[i].name,
				s->params->item[i].value, true);
	params_drop(&r->params, &s->params);
	s->params = p;
}

/* The Sync that its client owes. */
static void put_sync(struct server *s)
{
	struct buf b = {0};

	if (!ledger_push(&s->ledger, ENTRY_SYNC, ENTRY_OURS, OUR_NOTHING))
		return;
	wire_put_bare(&b, 'S');
	server_send(s, b.data, b.len);
	buf_free(&b);
}

/* One step of bringing a connection without a client back to a quiet state. */
void server_drain(struct server *s)
{
	struct lane *l = s->lane; /* which outlives it */
	struct buf b = {0};

	if (s->closed || s->slot.state != SLOT_BUSY)
		return;
	if (s->half_sent || s->ledger.state.ambiguous) {
		server_close(s, CLOSE_SERVER_CLIENT_GONE, NULL);
	} else if (s->ledger.state.copying_in) {
		/* A cancel request does not reach a server that reads copy data. */
		size_t at = wire_begin(&b, 'f');

		buf_put_cstr(&b, "the client is gone");
		wire_end(&b, at);
		if (ledger_push(&s->ledger, ENTRY_COPY_END, ENTRY_OURS, 0))
			server_send(s, b.data, b.len);
		buf_free(&b);
	} else if (s->ledger.len || s->left || s->in) {
		/* What we asked ends by itself; and it may be just what sets the connection right.
		 */
		if (!s->asked_cancel && s->ledger.len && !s->resetting &&
			!(ledger_head(&s->ledger)->flags & ENTRY_OURS)) {
			s->asked_cancel = true;
			cancel_server(s, NULL);
			if (s->ledger.state.unsynced)
				put_sync(s); /* it says nothing of a batch before that */
		}
	} else if (s->ledger.state.unsynced || s->ledger.state.skipping) {
		put_sync(s);
	} else if (s->ledger.state.status != 'I') {
		if (!server_ask(s, "ROLLBACK", OUR_ROLLBACK))
			server_close(s, CLOSE_SERVER_DRAIN, NULL);
	} else if (s->cancels || s->out) {
		return; /* the cancel's end, or flush(), comes back */
	} else if (is_spoilt(s)) {
		server_close(s, CLOSE_SERVER_STATE, NULL);
	} else if (wants_reset(s)) {
		s->asked_reset = s->resetting = true;
		note_reset(s, s->lane->set.reset_query);
		if (!server_ask(s, s->lane->set.reset_query, OUR_RESET))
			server_close(s, CLOSE_SERVER_DRAIN, NULL);
	} else {
		if (s->asked_reset && !s->slot.doomed)
			forget_session(s);
		server_release(s);
		if (UNLIKELY(!list_empty(&l->logins)))
			lane_greet(l);
	}
}
