/* SPDX-License-Identifier: ISC
 *
 * The audit: after a transaction in which a statement may have changed the session's state,
 * the server is asked what state there is (sql/state_audit.sql).  Parameters become the
 * client's, to be restored wherever it goes next; other state pins the client to this
 * connection, or is reported, until a later audit finds it gone.
 */
#include "session.h"
#include "sql_text.h"

#include <strings.h>

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

/* pg_settings does not show parameters of no module (my.tenant); so every dotted name in a
 * text that sets something is remembered and asked for.  One too many does no harm. */
#define LEARNED_MAX  100
#define NAME_MAX_LEN 128

static bool is_name_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '.';
}

/* False: there are too many. */
static bool learn(struct relay *r, const char *name, size_t len)
{
	const char *p = r->learned.data, *end = p + r->learned.len;

	if (name[0] == '.' || name[len - 1] == '.' || (name[0] >= '0' && name[0] <= '9') ||
		(len == 21 && strncasecmp(name, "pg_catalog.set_config", len) == 0))
		return true;
	for (; p && p < end; p += strlen(p) + 1)
		if (strlen(p) == len && strncasecmp(p, name, len) == 0)
			return true;
	if (r->n_learned >= LEARNED_MAX)
		return false;
	r->n_learned++;
	buf_put(&r->learned, name, len);
	buf_put_u8(&r->learned, 0);
	return true;
}

void audit_learn(struct server *s, const char *sql, size_t len)
{
	size_t i = 0;

	while (i < len) {
		size_t from = i;
		bool dotted = false;

		while (i < len && is_name_byte(sql[i]))
			dotted = sql[i++] == '.' || dotted;
		if (dotted && i - from >= 3 && i - from < NAME_MAX_LEN &&
			!learn(relay_of(s), sql + from, i - from)) {
			s->slot.doomed = true; /* what it will hold cannot be found out */
			s->doomed_why = CLOSE_SERVER_STATE;
		}
		if (i == from)
			i++;
	}
}

/* The question, with the names that were learned. */
static void put_question(struct buf *sql, const struct relay *r)
{
	const char *p = r->learned.data, *end = p + r->learned.len;

	buf_put_str(sql, sql_state_audit);
	if (!r->n_learned)
		return;
	buf_put_str(sql, " UNION ALL SELECT 's', n, pg_catalog.current_setting(n, true)"
			 " FROM pg_catalog.unnest('{");
	for (; p < end; p += strlen(p) + 1)
		buf_printf(sql, "%s%s", p == r->learned.data ? "" : ",", p);
	buf_put_str(sql, "}'::pg_catalog.text[]) AS n"
			 " WHERE pg_catalog.current_setting(n, true) <> ''");
}

void audit_start(struct server *s)
{
	struct buf sql = {0};
	struct relay *r = relay_of(s);

	audit_free(s);
	s->audit = mem_zalloc(sizeof *s->audit);
	s->audit->effects = s->dirty_effects;
	s->dirty_effects = 0; /* what the client does meanwhile takes another audit */
	s->audit->params = params_empty(&r->params);
	/* Reported parameters stay what the server says they are. */
	for (size_t i = 0; i < s->params->count; i++)
		if (s->params->item[i].reported)
			s->audit->params = params_with(&r->params, s->audit->params,
				s->params->item[i].name, s->params->item[i].value, true);
	s->auditing = true;
	put_question(&sql, r);
	if (!server_ask(s, buf_cstr(&sql), OUR_AUDIT))
		server_close(s, CLOSE_SERVER_STATE, NULL);
	buf_free(&sql);
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
				s->audit->params = params_with(&relay_of(s)->params,
					s->audit->params, name, value, false);
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
		audit_free(s);
		return;
	}
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
				"%s: leaves session state on server process %u for whoever gets it "
				"next (on_session_feature)",
				client_who(c, who, sizeof who), s->pid);
			s->session_state = 0;
		}
	}
	audit_free(s);
}
