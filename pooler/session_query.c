/* SPDX-License-Identifier: ISC
 *
 * Query: a statement as text.  Read for what it does to the session, and passed on.
 */
#include "session_message.h"

/* A text that does something to the session.  *sql: what is sent in its place, if anything.
 * False: the client is closed. */
static bool heed_effects(struct message *m, unsigned effects, size_t len, struct buf *sql)
{
	struct client *c = m->c;
	bool whole = m->have == m->size;

	if ((effects & TEXT_DEALLOCATE) && message_renames(c) && whole &&
		!statement_rewrite_deallocate(m, m->body, len ? len - 1 : 0, sql))
		return false;
	if (whole && effects_are_refused(c->lane, effects))
		effects_put_refusal(sql, effects);
	else
		effects_note(c, m->s, effects, m->body, len);
	return true;
}

bool query_send(struct client *c, const char *p, size_t size)
{
	struct server *s = c->server;
	const struct pool_settings *set = &c->lane->set;

	if (UNLIKELY(c->begin || c->left || s->ledger.state.skipping || set->observed ||
		     set->state_audit != STATE_AUDIT_OFF || hub.conf->p.disable_pqexec ||
		     size > (size_t)hub.conf->p.max_packet_size + 1))
		return false;
	if (LIKELY(!message_has_session(c)) &&
		UNLIKELY(wire_text_effects(p + WIRE_HEADER, size - WIRE_HEADER)))
		return false;
	query_count(c, s);
	if (UNLIKELY(!ledger_push(&s->ledger, ENTRY_QUERY, 0, 0))) {
		client_close(c, CLOSE_CLIENT_IN_FLIGHT, NULL);
		return true;
	}
	s->again.len = 0;
	server_send(s, p, size);
	if (UNLIKELY(set->deadlines))
		client_arm(c); /* it is busy now */
	return true;
}

enum step message_query(struct message *m)
{
	struct client *c = m->c;
	struct server *s = m->s;
	struct lane *l = c->lane;
	struct buf sql = {0};
	unsigned effects = 0;
	size_t len = m->have - WIRE_HEADER;

	if (m->have < m->size &&
		(m->size <= WHOLE_MAX || (UNLIKELY(l->set.observed) && m->have < WHOLE_MAX)))
		return STEP_MORE;
	m->seen = SEEN_OTHER;
	if (LIKELY(!message_has_session(c))) {
		effects = wire_text_effects(m->body, len);
		if (UNLIKELY(m->have < m->size))
			effects |= TEXT_LONG;
		if (UNLIKELY(effects & (TEXT_DEALLOCATE | TEXT_DISCARD_ALL)) &&
			message_must_settle(m))
			return STEP_WAIT;
		if (UNLIKELY(effects & ~(unsigned)TEXT_BEGIN) &&
			!heed_effects(m, effects, len, &sql)) {
			buf_free(&sql);
			return STEP_CLOSED;
		}
		if (UNLIKELY(l->set.state_audit != STATE_AUDIT_OFF))
			audit_hear(s, m->body, len);
	}
	query_count(c, s);
	if (UNLIKELY(l->set.observed))
		trace_query(c, m->body, len, m->size, effects);
	if (!message_push(m, ENTRY_QUERY, 0, 0)) {
		buf_free(&sql);
		return STEP_CLOSED;
	}
	if (LIKELY(!sql.data)) {
		message_pass(m);
		return STEP_DONE;
	}
	wire_put_query(gather_insert(&m->g), buf_cstr(&sql));
	buf_free(&sql);
	return STEP_DONE;
}
