/* SPDX-License-Identifier: ISC
 *
 * Query: a statement as text.  Read for what it does to the session, and passed on.
 */
#include "session_message.h"

enum step message_query(struct message *m)
{
	struct client *c = m->c;
	struct server *s = m->s;
	struct buf sql = {0};
	unsigned effects = 0;
	size_t len = m->have - WIRE_HEADER;

	if (m->have < m->size && m->size <= WHOLE_MAX)
		return STEP_MORE;
	m->seen = SEEN_OTHER;
	if (!message_has_session(c)) {
		effects = wire_text_effects(m->body, len);
		if (m->have < m->size)
			effects |= TEXT_LONG;
		if (UNLIKELY(effects & TEXT_DEALLOCATE) && message_renames(c) &&
			m->have == m->size &&
			!statement_rewrite_deallocate(m, m->body, len ? len - 1 : 0, &sql)) {
			buf_free(&sql);
			return STEP_CLOSED;
		}
		if (UNLIKELY(effects_are_refused(c->lane, effects)) && m->have == m->size)
			effects_put_refusal(&sql, effects);
		else if (UNLIKELY(effects & ~(unsigned)TEXT_BEGIN))
			effects_note(c, s, effects, m->body, len);
		if (UNLIKELY(c->lane->set.state_audit != STATE_AUDIT_OFF))
			audit_hear(s, m->body, len);
	}
	if (UNLIKELY(s->unnamed != NULL))
		prepared_drop(&c->lane->relay->prepared, &s->unnamed);
	stats_add(&c->lane->stats.query_count, 1);
	if (s->ledger.len == 0)
		c->since = c->lane->relay->w.now;
	trace_query(c, m->body, len, m->size, effects);
	if (!message_push(m, ENTRY_QUERY, 0, 0)) {
		buf_free(&sql);
		return STEP_CLOSED;
	}
	if (UNLIKELY(sql.len > 0))
		wire_put_query(gather_insert(m->g), buf_cstr(&sql));
	else
		message_pass(m);
	buf_free(&sql);
	return STEP_DONE;
}
