/* SPDX-License-Identifier: ISC
 *
 * The audit: after a transaction in which a statement may have changed the session's state,
 * the server is asked what state there is (sql/state_audit.sql).  Parameters become the
 * client's, to be restored wherever it goes next; other state pins the client to this
 * connection, or is reported, until a later audit finds it gone.
 */
#include "session.h"
#include "sql_text.h"

struct audit {
	struct params *params; /* what is set in the session */
	unsigned state;	       /* TEXT_* */
	unsigned effects;      /* what made us ask */
};

static struct relay *relay_of(const struct server *s)
{
	return s->lane->relay;
}

void audit_free(struct server *s)
{
	if (!s->audit)
		return;
	params_drop(&relay_of(s)->params, &s->audit->params);
	free(s->audit);
	s->audit = NULL;
}

void audit_start(struct server *s)
{
	struct relay *r = relay_of(s);

	audit_free(s);
	s->audit = mem_zalloc(sizeof *s->audit);
	s->audit->effects = s->dirty_effects;
	s->audit->params = params_empty(&r->params);
	/* Reported parameters stay what the server says they are. */
	for (size_t i = 0; i < s->params->count; i++)
		if (s->params->item[i].reported)
			s->audit->params = params_with(&r->params, s->audit->params,
				s->params->item[i].name, s->params->item[i].value, true);
	s->auditing = true;
	if (!server_ask(s, sql_state_audit, OUR_AUDIT))
		server_close(s, CLOSE_SERVER_STATE, NULL);
}

/* A column of a DataRow as a new string, or NULL; *p moves on. */
static char *column(const char **p, const char *end)
{
	uint32_t n;
	char *text;

	if (end - *p < 4)
		return NULL;
	n = wire_u32(*p);
	*p += 4;
	if (n > (uint32_t)(end - *p))
		return NULL;
	text = mem_strndup(*p, n);
	*p += n;
	return text;
}

void audit_row(struct server *s, const char *body, size_t len)
{
	const char *p = body + 2, *end = body + len;
	char *kind, *name, *value;

	if (len < 2 || wire_u16(body) != 3 || !s->audit)
		return;
	kind = column(&p, end);
	name = kind ? column(&p, end) : NULL;
	value = name ? column(&p, end) : NULL;
	if (value) {
		switch (kind[0]) {
		case 's':
			if (!params_value(s->audit->params, name))
				s->audit->params = params_with(
					&relay_of(s)->params, s->audit->params, name, value, false);
			break;
		case 'p':
			s->audit->state |= TEXT_PREPARE;
			break;
		case 'l':
			s->audit->state |= TEXT_LISTEN;
			break;
		case 'a':
			s->audit->state |= TEXT_ADVISORY;
			break;
		case 't':
			s->audit->state |= TEXT_TEMP;
			break;
		case 'h':
			s->audit->state |= TEXT_HOLD;
			break;
		}
	}
	free(kind);
	free(name);
	free(value);
}

static bool pins(const struct lane *l)
{
	return l->set.mode == POOL_MODE_AUTO || l->set.on_session_feature == ON_SESSION_FEATURE_PIN;
}

void audit_done(struct server *s, bool failed)
{
	struct relay *r = relay_of(s);
	struct client *c = s->client;
	struct audit *a = s->audit;
	char who[128];

	s->auditing = false;
	if (!a)
		return;
	if (failed) {
		s->slot.doomed = true;
		s->doomed_why = CLOSE_SERVER_STATE;
		s->dirty_effects = 0;
		audit_free(s);
		return;
	}
	s->dirty_effects = 0;
	s->session_state = a->state;
	if (a->effects & TEXT_LOAD)
		s->session_state |= TEXT_LOAD;
	params_drop(&r->params, &s->params);
	s->params = params_ref(a->params);
	if (c) {
		params_drop(&r->params, &c->params);
		c->params = params_ref(a->params);
		if (pins(s->lane)) {
			if (!c->pinned && s->session_state) {
				s->pinned_since = r->w.now;
				log_line(LOG_PART_SESSION, LOG_LEVEL_DEBUG,
					"%s: pinned to server process %u: it holds session state",
					client_who(c, who, sizeof who), s->pid);
			}
			c->pinned = s->session_state != 0;
		} else if (s->session_state) {
			log_line(LOG_PART_SESSION, LOG_LEVEL_WARNING,
				"%s: leaves session state on server process %u for whoever gets it next (on_session_feature)",
				client_who(c, who, sizeof who), s->pid);
			s->session_state = 0;
		}
	}
	audit_free(s);
}
