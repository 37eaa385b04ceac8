/* SPDX-License-Identifier: ISC
 *
 * What a text does to the session it runs in (wire_text_effects says what), and what of that
 * is not allowed.  Lasting effects are remembered on the server connection, whose state is
 * asked for before anybody else gets it (session_audit.c).
 */
#include "session_meaning.h"
#include "session_message.h"

/* Effects after which somebody must ask the server what state there is. */
#define EFFECTS_LASTING                                                                            \
	(TEXT_SET | TEXT_PREPARE | TEXT_LISTEN | TEXT_TEMP | TEXT_ADVISORY | TEXT_HOLD |           \
		TEXT_LOAD | TEXT_LONG | TEXT_DISCARD_ALL)
/* Effects that may take state back. */
#define EFFECTS_UNDOING                                                                            \
	(TEXT_DEALLOCATE | TEXT_UNLISTEN | TEXT_CLOSE | TEXT_DROP_TEMP | TEXT_UNLOCK |             \
		TEXT_DISCARD_ALL | TEXT_SET)
/* What only a session can give. */
#define EFFECTS_FEATURE                                                                            \
	(TEXT_PREPARE | TEXT_LISTEN | TEXT_TEMP | TEXT_ADVISORY | TEXT_HOLD | TEXT_LOAD)

static const char *feature_word(unsigned effects)
{
	return effects & TEXT_LISTEN	 ? "LISTEN"
	       : effects & TEXT_PREPARE	 ? "PREPARE"
	       : effects & TEXT_TEMP	 ? "a temporary table"
	       : effects & TEXT_ADVISORY ? "a session-level advisory lock"
	       : effects & TEXT_HOLD	 ? "a cursor WITH HOLD"
					 : "LOAD";
}

void effects_note(struct client *c, struct server *s, unsigned effects, const char *sql, size_t len)
{
	meaning_note(s, effects);
	if (effects & TEXT_SET)
		s->dirty_effects |= effects & TEXT_READING; /* until the server was asked */
	if (effects & (TEXT_SET | TEXT_LONG))
		audit_learn(s, sql, len, !(effects & TEXT_SET));
	if (effects & EFFECTS_LASTING)
		s->dirty_effects |= effects & EFFECTS_LASTING;
	if ((effects & EFFECTS_UNDOING) && s->session_state)
		s->dirty_effects |= effects & EFFECTS_UNDOING;
	if ((effects & TEXT_DISCARD_ALL) && s->ledger.state.status == 'I') {
		/* in a transaction it fails */
		client_statements_clear(c);
		server_statements_clear(s);
		s->stale_names = true; /* should it fail, they are all still there */
	}
}

#define REFUSED_HINT                                                                               \
	"Use pool_mode = auto or session for this database, or set on_session_feature = pin."

void effects_put_refusal(struct buf *sql, unsigned effects)
{
	buf_printf(sql,
		"DO 'BEGIN RAISE EXCEPTION USING ERRCODE = ''0A000'', "
		"MESSAGE = ''%s is not available in transaction pooling'', HINT = ''" REFUSED_HINT
		"''; END'",
		feature_word(effects));
}

void effects_put_error(struct buf *b, unsigned effects)
{
	char message[120];

	snprintf(message, sizeof message, "%s is not available in transaction pooling",
		feature_word(effects));
	wire_put_error(b, 'E', "ERROR", "0A000", message, NULL, REFUSED_HINT);
}

bool effects_are_refused(const struct lane *l, unsigned effects)
{
	return (effects & EFFECTS_FEATURE) && l->set.mode != POOL_MODE_AUTO &&
	       l->set.mode != POOL_MODE_SESSION &&
	       l->set.on_session_feature == ON_SESSION_FEATURE_ERROR;
}
