/* SPDX-License-Identifier: ISC
 *
 * The audit: after a transaction in which a statement may have changed the session's state,
 * the server is asked what state there is (sql/state_audit.sql).  Parameters become the
 * client's, to be restored wherever it goes next; other state pins the client to this
 * connection, or is reported and reset, until a later audit finds it gone.
 *
 * What functions do cannot be seen in a statement's text.  For that there is state_audit: the
 * same question after every transaction, or after some, and a line in the log that names the
 * client, what it left, and its statements (without their values).
 */
#include "session.h"
#include "sql_lex.h"
#include "sql_text.h"

#include <strings.h>

struct audit {
	struct params *params; /* what is set in the session */
	struct params *seen;   /* names of reported ones that are, too */
	unsigned state;	       /* TEXT_* */
	unsigned effects;      /* what made us ask */
	struct buf found;      /* in words, what was not there before */
};

/* What a client's parameters may take; more is state that stays where it is. */
#define PARAMS_MAX  (64U * 1024)

#define FOUND_MAX   400U  /* bytes of that */
#define SAID_MAX    1000U /* bytes of statements that are kept for the log */
#define SAMPLE_1_IN 100	  /* transactions, with state_audit = sample */

static struct relay *relay_of(const struct server *s)
{
	return s->lane->relay;
}

void audit_free(struct server *s)
{
	if (!s->audit)
		return;
	params_drop(&relay_of(s)->params, &s->audit->params);
	params_drop(&relay_of(s)->params, &s->audit->seen);
	buf_free(&s->audit->found);
	free(s->audit);
	s->audit = NULL;
}

/* --- every transaction, or some ------------------------------------------------------- */

void audit_hear(struct server *s, const char *sql, size_t len)
{
	struct sql_shape shape;
	char text[240];
	size_t n;

	if (s->said.len >= SAID_MAX)
		return;
	n = sql_lex(sql, strnlen(sql, len), &shape, text, sizeof text);
	if (s->said.len)
		buf_put_str(&s->said, "; ");
	buf_put(&s->said, text, n < sizeof text ? n : sizeof text);
	if (n >= sizeof text || s->said.len >= SAID_MAX)
		buf_put_str(&s->said, "...");
}

void audit_transaction_done(struct server *s)
{
	struct relay *r = relay_of(s);

	/* not every hundredth: applications have rhythms */
	r->sample = r->sample * 1664525U + 1013904223U;
	if (s->lane->set.state_audit == STATE_AUDIT_ALWAYS ||
		r->sample / (UINT32_MAX / SAMPLE_1_IN + 1) == 0)
		s->dirty_effects |= TEXT_LONG;
	else if (!s->ledger.len && !s->dirty_effects)
		s->said.len = 0;
}

/* --- asking ------------------------------------------------------------------------------ */

/* pg_settings does not show parameters of no module (my.tenant); so every dotted name in a
 * text that sets something is remembered and asked for.  One too many does no harm. */
#define LEARNED_MAX  100
#define NAME_MAX_LEN 128

static bool is_name_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '.' || c == '$' || (c & 0x80);
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

bool audit_learn_name(struct relay *r, const char *name)
{
	size_t n = strlen(name);

	return n >= 3 && n < NAME_MAX_LEN && learn(r, name, n);
}

/* A name at p, its quotes taken off; answers the bytes that it takes. */
static size_t read_name(const char *p, const char *end, char name[NAME_MAX_LEN], size_t *len)
{
	const char *at = p;
	bool dotted = false;

	for (*len = 0; at < end && (is_name_byte(*at) || *at == '"'); at++) {
		dotted = *at == '.' || dotted;
		if (*at != '"' && *len < NAME_MAX_LEN)
			name[(*len)++] = *at;
	}
	if (!dotted || *len < 3 || *len == NAME_MAX_LEN)
		*len = 0;
	return (size_t)(at - p);
}

/* What must not be taken for the name of a parameter: what follows no quote and none of the words
 * of SET.  (In a whole block of code most dotted names are others'.) */
static bool follows_set(const char *sql, const char *p)
{
	static const char *const words[] = {"set", "local", "session"};

	if (p > sql && p[-1] == '\'')
		return true;
	while (p > sql && (p[-1] == ' ' || p[-1] == '\t' || p[-1] == '\n'))
		p--;
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		size_t n = strlen(words[i]);

		if ((size_t)(p - sql) >= n && strncasecmp(p - n, words[i], n) == 0)
			return true;
	}
	return false;
}

void audit_learn(struct server *s, const char *sql, size_t len, bool code)
{
	const char *p = sql, *end = sql + len;
	char name[NAME_MAX_LEN];
	size_t n, took;

	for (; p < end; p += took ? took : 1) {
		took = read_name(p, end, name, &n);
		if (n && (!code || follows_set(sql, p)) && !learn(relay_of(s), name, n))
			s->dirty_effects |= TEXT_LONG; /* it will be nameless */
	}
}

void audit_learn_values(struct server *s, const char *p, const char *end)
{
	char name[NAME_MAX_LEN];
	size_t n, len;

	if (end - p < 2)
		return;
	p += 2 + 2 * (size_t)wire_u16(p); /* the formats: text is the same in both */
	if (end - p < 2)
		return;
	n = wire_u16(p);
	for (p += 2; n > 0 && end - p >= 4; n--) {
		uint32_t size = wire_u32(p);

		p += 4;
		if (size == UINT32_MAX) /* NULL */
			continue;
		if (size > (size_t)(end - p))
			return;
		if (read_name(p, p + size, name, &len) == size && len == size &&
			!learn(relay_of(s), name, len))
			s->dirty_effects |= TEXT_LONG;
		p += size;
	}
}

/* The question, with the names that were learned. */
static void put_question(struct buf *sql, const struct relay *r)
{
	const char *p = r->learned.data, *end = p + r->learned.len;

	buf_put_str(sql, sql_state_audit);
	if (!r->n_learned)
		return;
	buf_put_str(sql,
		" UNION ALL SELECT CASE WHEN pg_catalog.octet_length(v) > 16384 THEN 'b' ELSE 's' "
		"END, n, CASE WHEN pg_catalog.octet_length(v) > 16384 THEN '' ELSE v END"
		" FROM (SELECT n, pg_catalog.current_setting(n, true) AS v"
		" FROM pg_catalog.unnest('{");
	for (; p < end; p += strlen(p) + 1)
		buf_printf(sql, "%s%s", p == r->learned.data ? "" : ",", p);
	buf_put_str(sql, "}'::pg_catalog.text[]) AS n) AS learned WHERE v <> ''");
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
	s->audit->seen = params_empty(&r->params);
	/* Reported parameters stay what the server says they are. */
	for (size_t i = 0; i < s->params->count; i++)
		if (s->params->item[i].reported)
			s->audit->params = params_with(&r->params, s->audit->params,
				s->params->item[i].name, s->params->item[i].value, true);
	s->auditing = true;
	if (s->client && s->client->start) /* what it asks next comes after restore_start() */
		s->settling = s->was_asked = true;
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

static const struct kind {
	char letter; /* in state_audit.sql */
	unsigned effect;
	const char *words;
} kinds[] = {
	{'b', TEXT_SET, "too big to be carried along: parameter"},
	{'p', TEXT_PREPARE, "prepared statement"},
	{'l', TEXT_LISTEN, "LISTEN"},
	{'a', TEXT_ADVISORY, "advisory lock"},
	{'t', TEXT_TEMP, "temporary"},
	{'h', TEXT_HOLD, "cursor WITH HOLD"},
};

static void put_found(struct audit *a, const char *words, const char *name)
{
	if (a->found.len < FOUND_MAX)
		buf_printf(&a->found, "%s%s %.80s", a->found.len ? ", " : "", words, name);
}

static void note_row(struct server *s, char letter, const char *name, const char *value)
{
	struct audit *a = s->audit;
	const char *before = params_value(s->params, name);

	if (letter == 's') {
		if (params_value(a->params, name)) {
			a->seen = params_with(&relay_of(s)->params, a->seen, name, "", false);
			return;
		}
		if (params_bytes(a->params) + strlen(name) + strlen(value) > PARAMS_MAX) {
			note_row(s, 'b', name, "");
			return;
		}
		a->params = params_with(&relay_of(s)->params, a->params, name, value, false);
		if (!before || strcmp(before, value) != 0)
			put_found(a, "parameter", name);
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (kinds[i].letter == letter) {
			a->state |= kinds[i].effect;
			put_found(a, kinds[i].words, name);
		}
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
	if (value)
		note_row(s, kind[0], name, value);
	free(kind);
	free(name);
	free(value);
}

static bool pins(const struct lane *l)
{
	return l->set.mode == POOL_MODE_AUTO || l->set.on_session_feature == ON_SESSION_FEATURE_PIN;
}

/* RESET and DISCARD ALL go back to what the startup packet said, which for the server is one more
 * SET: what of it is not set any more is set again. */
static void restore_start(struct server *s, struct client *c)
{
	struct audit *a = s->audit;
	const struct params *base = s->lane->base;

	for (size_t i = 0; i < c->start->count; i++) {
		const struct param *p = &c->start->item[i];
		const char *usual = base ? params_value(base, p->name) : p->value;

		if (p->reported ? params_value(a->seen, p->name) || !usual ||
					  strcmp(usual, p->value) == 0 ||
					  !param_is_settable(p->name)
				: params_value(a->params, p->name) != NULL)
			continue;
		c->params = params_with(&relay_of(s)->params, c->params, p->name, p->value,
			p->reported);
	}
	if (c->params != s->params)
		server_set_params(s, c, false);
}

/* For state_audit: who left what, and by which statements. */
static void report(struct server *s, struct client *c)
{
	struct audit *a = s->audit;
	bool news = a->state & ~s->session_state;
	/* what its own statements announced is restored, and nothing to worry about */
	bool hidden = news ? (a->state & ~s->session_state & ~a->effects) != 0
			   : a->found.len && !(a->effects & TEXT_SET);
	char who[128];

	if (!news && !hidden && !(a->found.len && (a->effects & TEXT_SET)))
		return;
	log_line(LOG_PART_SESSION, hidden || news ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO,
		"%s: state_audit: left on server process %u%s: %s; its statements: %s",
		client_who(c, who, sizeof who), s->pid,
		hidden ? " by what its statements do not show" : "", buf_cstr(&a->found),
		s->said.len ? buf_cstr(&s->said) : "(not known)");
}

/* State that cannot be restored elsewhere: keeps its client here, or must go. */
static void settle(struct server *s, struct client *c)
{
	struct audit *a = s->audit;
	char who[128];

	s->session_state = a->state;
	if (pins(s->lane)) {
		if (!c->pinned && a->state) {
			s->pinned_since = relay_of(s)->w.now;
			log_line(LOG_PART_SESSION, LOG_LEVEL_DEBUG,
				"%s: pinned to server process %u: it holds session state (%s)",
				client_who(c, who, sizeof who), s->pid, buf_cstr(&a->found));
		}
		c->pinned = a->state != 0;
		return;
	}
	if (!a->state)
		return;
	if (!s->lane->set.reset_query[0] || (a->state & TEXT_LOAD)) {
		s->slot.doomed = true;
		s->doomed_why = CLOSE_SERVER_STATE;
	}
	log_line(LOG_PART_SESSION, LOG_LEVEL_WARNING,
		"%s: left session state on server process %u, which is %s (%s): pool_mode = auto "
		"or "
		"on_session_feature = pin would keep it for this client",
		client_who(c, who, sizeof who), s->pid, s->slot.doomed ? "closed" : "reset",
		a->found.len ? buf_cstr(&a->found) : "LOAD");
}

void audit_done(struct server *s, bool failed)
{
	struct relay *r = relay_of(s);
	struct client *c = s->client;
	struct audit *a = s->audit;

	s->auditing = false;
	if (!a)
		return;
	if (failed) {
		s->slot.doomed = true;
		s->doomed_why = CLOSE_SERVER_STATE;
		audit_free(s);
		return;
	}
	if (a->effects & TEXT_LOAD)
		a->state |= TEXT_LOAD;
	if (c && s->lane->set.state_audit != STATE_AUDIT_OFF)
		report(s, c);
	s->said.len = 0;
	params_drop(&r->params, &s->params);
	s->params = params_ref(a->params);
	if (c && (a->effects & TEXT_LONG)) {
		s->nameless = true;
		s->nameless_of = c->id;
	}
	if (c) {
		params_drop(&r->params, &c->params);
		c->params = params_ref(a->params);
		if (s->lane->set.mode != POOL_MODE_SESSION)
			settle(s, c);
		else
			s->dirty_effects |= a->effects & ~AUDITED_FOR_START;
		if (c->start)
			restore_start(s, c);
	} else {
		s->session_state |= a->state; /* its client is gone: it is reset (wants_reset) */
	}
	audit_free(s);
}
