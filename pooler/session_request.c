/* SPDX-License-Identifier: ISC
 *
 * What a client's messages do on their way to the server.  Each is noted in the server's
 * ledger before its bytes go.  Outside of session pooling the names of prepared statements
 * become ours (PGSLUICE_17), statements that this server connection lacks are prepared
 * there first, and texts are read for what they do to the session.
 *
 * A message is looked at when as much of it is here as must be known: the whole of small
 * ones, the names at the head of Bind, the text of Parse.  What is larger passes on as it
 * comes (c->left).
 */
#include "session_request.h"
#include "session.h"
#include "session_gather.h"

#include <strings.h>

/* A message up to this is waited for, so that a server is not held by half a request. */
#define WHOLE_MAX (32U * 1024)
/* Names in Bind, Describe and Close. */
#define NAME_MAX_BYTES 4096U
#define OUR_NAME_SIZE  32

enum step { STEP_DONE, STEP_MORE, STEP_CLOSED };

/* One message and where it goes. */
struct message {
	struct client *c;
	struct server *s;
	struct gather *g;
	char type;
	const char *at;	  /* its header */
	const char *body; /* behind the header */
	size_t have;	  /* bytes here, header included */
	size_t size;	  /* bytes in all, header included */
};

static void our_name(char out[OUR_NAME_SIZE], uint64_t number)
{
	snprintf(out, OUR_NAME_SIZE, "PGSLUICE_%llu", (unsigned long long)number);
}

static bool push(struct client *c, struct server *s, enum entry_kind kind, unsigned flags,
	uint32_t tag)
{
	if (LIKELY(ledger_push(&s->ledger, kind, flags, tag)))
		return true;
	client_close(c, CLOSE_CLIENT_IN_FLIGHT, NULL);
	return false;
}

static void put_parse(struct buf *b, const char *name, const struct prepared *p)
{
	size_t at = wire_begin(b, 'P');

	buf_put_cstr(b, name);
	buf_put(b, p->body, p->body_len);
	wire_end(b, at);
}

static void put_close(struct buf *b, const char *name)
{
	size_t at = wire_begin(b, 'C');

	buf_put_u8(b, 'S');
	buf_put_cstr(b, name);
	wire_end(b, at);
}

/* --- session state ----------------------------------------------------------------- */

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

static void note_effects(struct client *c, struct server *s, unsigned effects, const char *sql,
	size_t len)
{
	if (effects & TEXT_SET)
		audit_learn(s, sql, len);
	if (effects & EFFECTS_LASTING)
		s->dirty_effects |= effects & EFFECTS_LASTING;
	if ((effects & EFFECTS_UNDOING) && s->session_state)
		s->dirty_effects |= effects & EFFECTS_UNDOING;
	if (effects & TEXT_DISCARD_ALL) {
		client_statements_clear(c);
		server_statements_clear(s);
		s->stale_names = true; /* should it fail, they are all still there */
	}
}

/* In place of a statement that may not run: one that fails with our words, so that the
 * transaction fails as PostgreSQL would have made it fail. */
static void put_refusal(struct buf *sql, unsigned effects)
{
	buf_printf(sql,
		"DO 'BEGIN RAISE EXCEPTION USING ERRCODE = ''0A000'', "
		"MESSAGE = ''%s is not available in transaction pooling'', "
		"HINT = ''Use pool_mode = auto or session for this database, "
		"or set on_session_feature = pin.''; END'",
		feature_word(effects));
}

static bool is_refused(const struct lane *l, unsigned effects)
{
	return (effects & EFFECTS_FEATURE) && l->set.mode != POOL_MODE_AUTO &&
	       l->set.on_session_feature == ON_SESSION_FEATURE_ERROR;
}

/* --- DEALLOCATE of a name that we have made ours --------------------------------------- */

/* The name in `DEALLOCATE [PREPARE] name`, when that is the whole statement. */
static bool deallocated_name(const char *sql, size_t len, char *name, size_t cap, bool *all)
{
	char text[256], word[3][80] = {"", "", ""};
	int n;

	*all = false;
	if (len >= sizeof text)
		return false;
	memcpy(text, sql, len);
	text[len] = '\0';
	n = sscanf(text, " %79s %79[^ ;\t\r\n] %79[^ ;\t\r\n]", word[0], word[1], word[2]);
	if (n < 2 || strcasecmp(word[0], "deallocate"))
		return false;
	if (strcasecmp(word[1], "prepare") == 0) {
		if (n < 3)
			return false;
		memmove(word[1], word[2], sizeof word[1]);
	}
	word[1][sizeof word[1] - 1] = '\0';
	*all = strcasecmp(word[1], "all") == 0;
	n = (int)strlen(word[1]);
	if (word[1][0] == '"' && n >= 2 && word[1][n - 1] == '"') {
		word[1][n - 1] = '\0';
		snprintf(name, cap, "%.79s", word[1] + 1);
	} else {
		for (char *w = word[1]; *w; w++)
			if (*w >= 'A' && *w <= 'Z')
				*w = (char)(*w + 32);
		snprintf(name, cap, "%.79s", word[1]);
	}
	return true;
}

/* Closes the server's least used statements until it has at most `max`. */
static bool evict_statements(struct message *m, size_t max)
{
	struct prepared *old;
	char name[OUR_NAME_SIZE];

	while ((old = server_statement_evict(m->s, max))) {
		our_name(name, old->number);
		prepared_drop(&m->c->lane->relay->prepared, &old);
		if (!push(m->c, m->s, ENTRY_CLOSE, ENTRY_OURS, 0))
			return false;
		put_close(gather_insert(m->g), name);
	}
	return true;
}

/* Is there room for one more text?  What only the server still has may go for it. */
static bool prepared_room(struct message *m, size_t len)
{
	uint64_t max = m->c->lane->set.max_prepared_bytes;
	size_t held = server_statement_count(m->s);

	while (prepared_bytes_total() + len > max && held > 0)
		if (!evict_statements(m, --held))
			return false;
	return prepared_bytes_total() + len <= max;
}

/* Has the server prepare `p` under our name unless it has it; room is made by the LRU. */
static bool ensure_prepared(struct message *m, struct prepared *p)
{
	struct server *s = m->s;
	struct buf *b;
	char name[OUR_NAME_SIZE];

	if (server_statement_has(s, p))
		return true;
	b = gather_insert(m->g);
	our_name(name, p->number);
	if (s->stale_names) {
		if (!push(m->c, s, ENTRY_CLOSE, ENTRY_OURS, 0))
			return false;
		put_close(b, name);
	}
	if (!push(m->c, s, ENTRY_PARSE, ENTRY_OURS | ENTRY_TAGGED, (uint32_t)p->number))
		return false;
	put_parse(b, name, p);
	server_statement_put(s, p);
	stats_add(&m->c->lane->stats.server_parse_count, 1);
	return evict_statements(m, (size_t)m->c->lane->set.max_prepared);
}

/* --- the messages -------------------------------------------------------------------- */

static bool renames(const struct client *c)
{
	const struct pool_settings *set = &c->lane->set;

	return set->mode != POOL_MODE_SESSION && set->max_prepared > 0 && !c->replication;
}

static void pass(struct message *m)
{
	size_t take = m->have < m->size ? m->have : m->size;

	gather_add(m->g, m->at, take);
	m->c->left = (uint32_t)(m->size - take);
}

/* Has the server keep an empty statement under this name.  It cannot fail, not even in a
 * failed transaction. */
static bool put_empty(struct message *m, const char *name)
{
	struct buf *b = gather_insert(m->g);
	size_t at;

	if (!push(m->c, m->s, ENTRY_CLOSE, ENTRY_OURS, 0) ||
		!push(m->c, m->s, ENTRY_PARSE, ENTRY_OURS | ENTRY_TAGGED, 0))
		return false;
	put_close(b, name);
	at = wire_begin(b, 'P');
	buf_put_cstr(b, name);
	buf_put_cstr(b, "");
	buf_put_u16(b, 0);
	wire_end(b, at);
	return true;
}

/* DEALLOCATE in a simple Query, of a statement that was prepared by the protocol. */
static bool rewrite_deallocate(struct message *m, const char *sql, size_t len, struct buf *out)
{
	char name[84], ours[OUR_NAME_SIZE];
	struct prepared *p;
	bool all;

	if (!deallocated_name(sql, len, name, sizeof name, &all))
		return true;
	if (all) {
		client_statements_clear(m->c);
		server_statements_clear(m->s);
		m->s->stale_names = true;
		return true;
	}
	p = client_statement_get(m->c, name);
	if (!p)
		return true;
	our_name(ours, p->number);
	/* Its own text might fail by now (a table is gone), and a Query behind a failed Parse
	 * is skipped. */
	if (!server_statement_has(m->s, p) && !put_empty(m, ours))
		return false;
	buf_printf(out, "DEALLOCATE \"%s\"", ours);
	server_statement_remove(m->s, p->number);
	client_statement_remove(m->c, name);
	return true;
}

/* Nobody else ever has its server connection: what it does to the session is its own. */
static bool has_session(const struct client *c)
{
	return c->lane->set.mode == POOL_MODE_SESSION || c->replication;
}

static enum step on_query(struct message *m)
{
	struct client *c = m->c;
	struct server *s = m->s;
	struct buf sql = {0};
	unsigned effects = 0;
	size_t len = m->have - WIRE_HEADER;

	if (m->have < m->size && m->size <= WHOLE_MAX)
		return STEP_MORE;
	if (!has_session(c)) {
		effects = wire_text_effects(m->body, len);
		if (m->have < m->size)
			effects |= TEXT_LONG;
		if (UNLIKELY(effects & TEXT_DEALLOCATE) && renames(c) && m->have == m->size &&
			!rewrite_deallocate(m, m->body, len ? len - 1 : 0, &sql)) {
			buf_free(&sql);
			return STEP_CLOSED;
		}
		if (UNLIKELY(is_refused(c->lane, effects)) && m->have == m->size)
			put_refusal(&sql, effects);
		else if (UNLIKELY(effects & ~(unsigned)TEXT_BEGIN))
			note_effects(c, s, effects, m->body, len);
	}
	if (UNLIKELY(s->unnamed != NULL))
		prepared_drop(&c->lane->relay->prepared, &s->unnamed);
	stats_add(&c->lane->stats.query_count, 1);
	if (s->ledger.len == 0)
		c->since = c->lane->relay->w.now;
	trace_query(c, m->body, len, m->size, effects);
	if (!push(c, s, ENTRY_QUERY, 0, 0)) {
		buf_free(&sql);
		return STEP_CLOSED;
	}
	if (UNLIKELY(sql.len > 0))
		wire_put_query(gather_insert(m->g), buf_cstr(&sql));
	else
		pass(m);
	buf_free(&sql);
	return STEP_DONE;
}

/* A name that the client has given already: PostgreSQL's own error comes of it when the
 * server has a statement of that very name. */
static bool provoke_duplicate(struct message *m, const char *name)
{
	m->s->litter = true;
	return put_empty(m, name);
}

static enum step on_parse_unnamed(struct message *m, const char *rest, size_t rest_len)
{
	struct client *c = m->c;
	struct server *s = m->s;
	struct relay *r = c->lane->relay;
	struct buf sql = {0};
	struct prepared *p;

	prepared_drop(&r->prepared, &c->unnamed);
	prepared_drop(&r->prepared, &s->unnamed);
	p = c->unnamed = prepared_intern(&r->prepared, rest, rest_len);
	if (UNLIKELY(p->effects & TEXT_DEALLOCATE) &&
		!rewrite_deallocate(m, p->body, p->text_len, &sql)) {
		buf_free(&sql);
		return STEP_CLOSED;
	}
	if (UNLIKELY(is_refused(c->lane, p->effects)))
		put_refusal(&sql, p->effects);
	if (!push(c, s, ENTRY_PARSE, 0, 0)) {
		buf_free(&sql);
		return STEP_CLOSED;
	}
	if (UNLIKELY(sql.len > 0)) {
		struct buf *b = gather_insert(m->g);
		size_t at = wire_begin(b, 'P');

		buf_put_u8(b, 0);
		buf_put_cstr(b, buf_cstr(&sql));
		buf_put(b, p->body + p->text_len + 1, p->body_len - p->text_len - 1);
		wire_end(b, at);
		buf_free(&sql);
	} else {
		s->unnamed = p;
		p->refs++;
		pass(m);
	}
	return STEP_DONE;
}

static enum step on_parse(struct message *m)
{
	struct client *c = m->c;
	struct server *s = m->s;
	struct prepared_table *table = &c->lane->relay->prepared;
	const char *end = m->body + (m->size - WIRE_HEADER), *rest = m->body, *name;
	struct prepared *p;
	char ours[OUR_NAME_SIZE];
	size_t at, rest_len;
	bool known;

	if (!renames(c)) {
		if (c->lane->set.mode == POOL_MODE_SESSION && m->have < m->size &&
			m->size <= WHOLE_MAX)
			return STEP_MORE;
		trace_parse_raw(c, m->body, m->have - WIRE_HEADER);
		if (!push(c, s, ENTRY_PARSE, 0, 0))
			return STEP_CLOSED;
		pass(m);
		return STEP_DONE;
	}
	if (m->size > c->lane->set.max_client_prepared_bytes) {
		client_close(c, CLOSE_CLIENT_TOO_LARGE,
			"Parse is larger than max_client_prepared_bytes");
		return STEP_CLOSED;
	}
	if (m->have < m->size)
		return STEP_MORE;
	name = wire_cstr(&rest, end);
	rest_len = name ? (size_t)(end - rest) : 0;
	if (!name || rest_len < 3 || !memchr(rest, 0, rest_len - 2)) {
		client_close(c, CLOSE_CLIENT_PROTOCOL, "Parse without its strings");
		return STEP_CLOSED;
	}
	stats_add(&c->lane->stats.client_parse_count, 1);
	if (*name == '\0')
		return on_parse_unnamed(m, rest, rest_len);
	if (client_statement_get(c, name)) {
		if (!provoke_duplicate(m, name) || !push(c, s, ENTRY_PARSE, 0, 0))
			return STEP_CLOSED;
		pass(m);
		return STEP_DONE;
	}
	if (client_statement_bytes(c) + rest_len > c->lane->set.max_client_prepared_bytes) {
		client_close(c, CLOSE_CLIENT_TOO_LARGE,
			"prepared statements exceed max_client_prepared_bytes");
		return STEP_CLOSED;
	}
	if (!prepared_find(table, rest, rest_len) && !prepared_room(m, rest_len)) {
		client_close(c, CLOSE_CLIENT_TOO_LARGE,
			"prepared statements of all clients exceed max_prepared_bytes");
		return STEP_CLOSED;
	}
	p = prepared_intern(table, rest, rest_len);
	client_statement_put(c, name, p);
	known = server_statement_has(s, p);
	if (known) {
		if (!push(c, s, ENTRY_PARSE, ENTRY_LOCAL | ENTRY_TAGGED, (uint32_t)p->number))
			return STEP_CLOSED;
		return STEP_DONE;
	}
	our_name(ours, p->number);
	if (s->stale_names) {
		if (!push(c, s, ENTRY_CLOSE, ENTRY_OURS, 0))
			return STEP_CLOSED;
		put_close(gather_insert(m->g), ours);
	}
	if (!push(c, s, ENTRY_PARSE, ENTRY_TAGGED, (uint32_t)p->number))
		return STEP_CLOSED;
	server_statement_put(s, p);
	stats_add(&c->lane->stats.server_parse_count, 1);
	at = wire_begin(gather_insert(m->g), 'P');
	buf_put_cstr(m->g->copy, ours);
	buf_put(m->g->copy, rest, rest_len);
	wire_end(m->g->copy, at);
	return STEP_DONE;
}

/* The unnamed statement that this client means must be the one that the server has. */
static bool ensure_unnamed(struct message *m)
{
	struct client *c = m->c;
	struct server *s = m->s;
	struct buf *b;

	if (LIKELY(c->unnamed == s->unnamed && c->unnamed))
		return true;
	b = gather_insert(m->g);
	if (!c->unnamed) {
		/* It has none: nor must it find another client's. */
		prepared_drop(&c->lane->relay->prepared, &s->unnamed);
		if (!push(c, s, ENTRY_CLOSE, ENTRY_OURS, 0))
			return false;
		put_close(b, "");
		return true;
	}
	if (!push(c, s, ENTRY_PARSE, ENTRY_OURS, 0))
		return false;
	put_parse(b, "", c->unnamed);
	prepared_drop(&c->lane->relay->prepared, &s->unnamed);
	s->unnamed = c->unnamed;
	s->unnamed->refs++;
	return true;
}

/* A message that names a statement: the name of ours in its place.  `before` is what
 * precedes the name in the body, `name` the client's, `after` what follows it. */
static void put_renamed(struct message *m, const char *name, const char *after,
	const struct prepared *p)
{
	struct buf *b = gather_insert(m->g);
	size_t have_after = (size_t)(m->at + m->have - after);
	char ours[OUR_NAME_SIZE];
	uint32_t size;

	our_name(ours, p->number);
	size = (uint32_t)(m->size - (size_t)(after - name) + strlen(ours) + 1);
	buf_put_u8(b, (uint8_t)m->type);
	buf_put_u32(b, size - 1);
	buf_put(b, m->body, (size_t)(name - m->body));
	buf_put_cstr(b, ours);
	gather_add(m->g, after, have_after);
	m->c->left = (uint32_t)(m->size - m->have);
}

static enum step on_bind(struct message *m)
{
	struct client *c = m->c;
	const char *end = m->at + m->have, *rest = m->body, *portal, *name = NULL;
	struct prepared *p = NULL;

	portal = wire_cstr(&rest, end);
	if (portal)
		name = wire_cstr(&rest, end);
	if (!name) {
		if (m->have == m->size || m->have > NAME_MAX_BYTES) {
			client_close(c, CLOSE_CLIENT_PROTOCOL, "Bind without its names");
			return STEP_CLOSED;
		}
		return STEP_MORE;
	}
	if (UNLIKELY(c->lane->set.observed) && m->have < m->size && m->size <= WHOLE_MAX)
		return STEP_MORE;
	stats_add(&c->lane->stats.bind_count, 1);
	if (renames(c)) {
		if (*name == '\0') {
			if (!ensure_unnamed(m))
				return STEP_CLOSED;
			p = c->unnamed;
			if (p && UNLIKELY(p->effects & ~(unsigned)TEXT_BEGIN) &&
				!is_refused(c->lane, p->effects))
				note_effects(c, m->s, p->effects & ~(unsigned)TEXT_DEALLOCATE,
					p->body, p->text_len);
			p = NULL;
		} else if ((p = client_statement_get(c, name))) {
			if (!ensure_prepared(m, p))
				return STEP_CLOSED;
			if (UNLIKELY(p->effects & ~(unsigned)TEXT_BEGIN))
				note_effects(c, m->s, p->effects, p->body, p->text_len);
		}
	}
	trace_bind(c, name, m->body, m->have - WIRE_HEADER);
	if (!push(c, m->s, ENTRY_BIND, 0, 0))
		return STEP_CLOSED;
	if (p)
		put_renamed(m, name, rest, p);
	else
		pass(m);
	return STEP_DONE;
}

/* Describe and Close: 'S' or 'P', then a name. */
static enum step on_named(struct message *m)
{
	struct client *c = m->c;
	const char *end = m->at + m->size, *rest = m->body + 1, *name;
	struct prepared *p = NULL;
	bool statement;

	if (m->size > NAME_MAX_BYTES) {
		client_close(c, CLOSE_CLIENT_PROTOCOL, "a name of more than 4 kB");
		return STEP_CLOSED;
	}
	if (m->have < m->size)
		return STEP_MORE;
	name = m->size > WIRE_HEADER + 1 ? wire_cstr(&rest, end) : NULL;
	statement = m->size > WIRE_HEADER && m->body[0] == 'S';
	if (!name || rest != end) {
		client_close(c, CLOSE_CLIENT_PROTOCOL, "Describe or Close without its name");
		return STEP_CLOSED;
	}
	if (statement && renames(c)) {
		if (m->type == 'C' && client_statement_remove(c, name)) {
			/* The server keeps it for others. */
			return push(c, m->s, ENTRY_CLOSE, ENTRY_LOCAL, 0) ? STEP_DONE : STEP_CLOSED;
		}
		if (m->type == 'C' && *name == '\0') {
			prepared_drop(&c->lane->relay->prepared, &c->unnamed);
			prepared_drop(&c->lane->relay->prepared, &m->s->unnamed);
		} else if (m->type == 'D' && *name == '\0') {
			if (!ensure_unnamed(m))
				return STEP_CLOSED;
		} else if (m->type == 'D' && (p = client_statement_get(c, name))) {
			if (!ensure_prepared(m, p))
				return STEP_CLOSED;
		}
	}
	if (!push(c, m->s,
		    m->type == 'C' ? ENTRY_CLOSE
		    : statement	   ? ENTRY_DESCRIBE_STATEMENT
				   : ENTRY_DESCRIBE_PORTAL,
		    0, m->type == 'D' && statement ? trace_describe(c, name) : 0))
		return STEP_CLOSED;
	if (p)
		put_renamed(m, name, rest, p);
	else
		pass(m);
	return STEP_DONE;
}

/* Messages that are only noted and passed on. */
static enum step on_plain(struct message *m, enum entry_kind kind)
{
	if (!push(m->c, m->s, kind, 0, 0))
		return STEP_CLOSED;
	pass(m);
	return STEP_DONE;
}

static void begin_batch(struct message *m)
{
	stats_add(&m->c->lane->stats.query_count, 1);
	if (m->s->ledger.len == 0)
		m->c->since = m->c->lane->relay->w.now;
}

static enum step on_message(struct message *m)
{
	struct client *c = m->c;

	if (UNLIKELY(m->s->ledger.skipping) && strchr("QPBDCEF", m->type)) {
		pass(m); /* the server will not look at it: nor must our tables change */
		return STEP_DONE;
	}
	switch (m->type) {
	case 'Q':
		if (UNLIKELY(hub.conf->p.disable_pqexec)) {
			client_close(c, CLOSE_CLIENT_PROTOCOL,
				"simple protocol is disabled (disable_pqexec)");
			return STEP_CLOSED;
		}
		return on_query(m);
	case 'P':
		return on_parse(m);
	case 'B':
		return on_bind(m);
	case 'D':
	case 'C':
		return on_named(m);
	case 'E':
		if (m->have < m->size && m->size <= NAME_MAX_BYTES)
			return STEP_MORE;
		if (m->s->ledger.len == 0)
			c->since = c->lane->relay->w.now;
		trace_execute(c, m->body, m->have - WIRE_HEADER);
		return on_plain(m, ENTRY_EXECUTE);
	case 'S':
		begin_batch(m);
		trace_sync(c);
		return on_plain(m, ENTRY_SYNC);
	case 'F':
		begin_batch(m);
		if (!push(c, m->s, ENTRY_FUNCTION, 0, 0))
			return STEP_CLOSED;
		m->s->dirty_effects |= has_session(c) ? 0 : TEXT_LONG;
		pass(m);
		return STEP_DONE;
	case 'c':
	case 'f':
		return on_plain(m, ENTRY_COPY_END);
	case 'H':
	case 'd':
		pass(m);
		return STEP_DONE;
	case 'X':
		if ((m->s->ledger.len || c->out) && !c->replication) {
			/* what it asked before is still answered; but a stream has no end */
			c->quitting = true;
			return STEP_MORE;
		}
		m->s->feeding = false; /* there is nothing that was not sent */
		client_close(c, CLOSE_CLIENT_QUIT, NULL);
		return STEP_CLOSED;
	}
	client_close(c, CLOSE_CLIENT_PROTOCOL, "unknown message type");
	return STEP_CLOSED;
}

/* Answers that are ours to give and whose turn it is already. */
static void answer_locally(struct client *c, struct server *s)
{
	struct buf b = {0};
	struct entry e;

	if (s->left)
		return; /* in the middle of an answer: server's feed() goes on with it */
	while (ledger_take_local(&s->ledger, &e))
		wire_put_bare(&b, e.kind == ENTRY_PARSE ? '1' : '3');
	client_send(c, b.data, b.len);
	buf_free(&b);
}

/* The BEGIN that was answered before there was a server connection. */
static bool send_begin(struct client *c, struct server *s, struct gather *g)
{
	if (!push(c, s, ENTRY_QUERY, ENTRY_OURS, OUR_BEGIN))
		return false;
	wire_put_query(gather_insert(g), c->begin);
	free(c->begin);
	c->begin = NULL;
	prepared_drop(&c->lane->relay->prepared, &s->unnamed);
	return true;
}

/* With a server connection. */
static size_t feed_linked(struct client *c, const char *p, size_t n)
{
	struct server *s = c->server;
	struct worker *w = &c->lane->relay->w;
	struct gather g = {.copy = &w->scratch};
	struct message m = {.c = c, .s = s, .g = &g};
	const char *out;
	size_t at = 0, len;
	enum step step = STEP_DONE;

	s->feeding = true;
	if (UNLIKELY(c->begin != NULL) && !send_begin(c, s, &g))
		return n;
	while (at < n) {
		size_t have = n - at;

		if (c->left) {
			size_t take = have < c->left ? have : c->left;

			gather_add(&g, p + at, take);
			c->left -= (uint32_t)take;
			at += take;
			continue;
		}
		if (have < WIRE_HEADER)
			break;
		m.type = p[at];
		m.size = wire_message_size(p + at);
		if (UNLIKELY(m.size == 0 || m.size > (uint64_t)hub.conf->p.max_packet_size + 1)) {
			client_close(c, m.size ? CLOSE_CLIENT_TOO_LARGE : CLOSE_CLIENT_PROTOCOL,
				m.size ? "max_packet_size" : "length out of range");
			break;
		}
		m.have = have < m.size ? have : m.size;
		m.at = p + at;
		m.body = m.at + WIRE_HEADER;
		step = on_message(&m);
		if (step != STEP_DONE)
			break;
		at += m.have;
	}
	if (step == STEP_CLOSED || c->state == CLIENT_CLOSED) {
		w->scratch.len = 0;
		return n;
	}
	s->feeding = false;
	len = gather_end(&g, &out);
	if (len)
		server_send(s, out, len);
	w->scratch.len = 0;
	if (ledger_is_local(&s->ledger))
		answer_locally(c, s);
	return at;
}

/* --- without a server connection -------------------------------------------------------- */

enum want { WANT_MORE, WANT_SERVER, WANT_SKIP, WANT_QUIT, WANT_BAD };

/* What does a client want that has no server connection?  *skip: bytes at the front that
 * need none (a Sync or Flush with nothing before it, copy data after a failed copy). */
static enum want look(const char *p, size_t n, size_t *skip)
{
	size_t at = 0;

	*skip = 0;
	while (n - at >= WIRE_HEADER) {
		size_t size = wire_message_size(p + at);

		if (size == 0)
			return WANT_BAD;
		switch (p[at]) {
		case 'X':
			return at == 0 ? WANT_QUIT : WANT_SERVER;
		case 'S':
		case 'H':
		case 'd':
		case 'c':
		case 'f':
			if (at > 0)
				return WANT_SERVER;
			if (n < size)
				return WANT_MORE;
			*skip = size;
			return WANT_SKIP;
		case 'Q':
		case 'F':
			if (n - at >= size || size > WHOLE_MAX)
				return WANT_SERVER;
			return WANT_MORE;
		case 'P':
		case 'B':
		case 'D':
		case 'C':
		case 'E':
			break; /* nothing is answered before Sync or Flush */
		default:
			return WANT_BAD;
		}
		if (size > WHOLE_MAX || at + size > WHOLE_MAX)
			return WANT_SERVER;
		if (n - at < size)
			return WANT_MORE;
		at += size;
	}
	return WANT_MORE;
}

/* Takes what a failed extended message makes the server skip. */
static size_t skip_to_sync(struct client *c, const char *p, size_t n)
{
	struct buf b = {0};
	size_t at = 0;

	while (c->discarding && n - at >= WIRE_HEADER) {
		size_t size = wire_message_size(p + at);

		if (size == 0) {
			client_close(c, CLOSE_CLIENT_PROTOCOL, "length out of range");
			return n;
		}
		if (n - at < size) {
			if (size <= WHOLE_MAX)
				break;
			c->left = (uint32_t)(size - (n - at)); /* eaten below, as it comes */
			return n;
		}
		if (p[at] == 'S') {
			c->discarding = false;
			wire_put_ready(&b, 'I');
			client_send(c, b.data, b.len);
			buf_free(&b);
		}
		at += size;
	}
	return at;
}

/* Can this text be a BEGIN?  A look at its first letters spares reading nearly all others. */
static bool may_begin(const char *sql)
{
	char a = (char)(sql[0] | 0x20), b = (char)(sql[1] | 0x20);

	return a == 'b' || (a == 's' && b == 't') || !((a >= 'a' && a <= 'z'));
}

/* BEGIN needs no server connection before there is something to do. */
static bool defer_begin(struct client *c, const char *p, size_t size)
{
	struct buf b = {0};
	const char *tag;

	if (!c->lane->set.deferred_begin || c->begin || c->lane->set.mode == POOL_MODE_SESSION ||
		c->lane->set.mode == POOL_MODE_STATEMENT || p[0] != 'Q' || size > 128 ||
		size < WIRE_HEADER + 6 || !may_begin(p + WIRE_HEADER))
		return false;
	if (!(wire_text_effects(p + WIRE_HEADER, size - WIRE_HEADER) & TEXT_BEGIN))
		return false;
	c->begin = mem_strndup(p + WIRE_HEADER, size - WIRE_HEADER);
	tag = strcasestr(c->begin, "start") ? "START TRANSACTION" : "BEGIN";
	trace_answered(c, c->begin, tag);
	wire_put_complete(&b, tag);
	wire_put_ready(&b, 'T');
	c->xact_since = c->since = c->lane->relay->w.now;
	client_send(c, b.data, b.len);
	buf_free(&b);
	return true;
}

/* The same by the extended protocol: an unnamed Parse, Bind, perhaps Describe, Execute and
 * Sync, and nothing else.  Answers the bytes dealt with, or 0. */
static size_t defer_begin_extended(struct client *c, const char *p, size_t n)
{
	const struct pool_settings *set = &c->lane->set;
	size_t size = wire_message_size(p), at = size;
	bool described = false;
	struct buf b = {0};
	const char *text = p + WIRE_HEADER + 1, *tag;

	if (!set->deferred_begin || c->begin || !renames(c) || set->mode == POOL_MODE_STATEMENT ||
		p[0] != 'P' || size < WIRE_HEADER + 9 || size > 128 || size > n || p[WIRE_HEADER] ||
		!may_begin(text) || !memchr(text, 0, size - WIRE_HEADER - 1))
		return 0;
	if (!(wire_text_effects(text, strlen(text)) & TEXT_BEGIN) ||
		text + strlen(text) + 3 != p + size)
		return 0;
	/* Bind: unnamed to unnamed, no parameters */
	if (n - at < 13 || p[at] != 'B' || memcmp(p + at + WIRE_HEADER, "\0\0\0\0", 4) != 0 ||
		wire_message_size(p + at) < 13 || wire_message_size(p + at) > 15 ||
		n - at < wire_message_size(p + at) || wire_u16(p + at + 9) != 0)
		return 0;
	at += wire_message_size(p + at);
	if (n - at >= 7 && memcmp(p + at, "D\0\0\0\6P", 7) == 0) {
		described = true;
		at += 7;
	}
	if (n - at < 15 || p[at] != 'E' || wire_message_size(p + at) != 10 || p[at + 5] ||
		memcmp(p + at + 10, "S\0\0\0\4", 5) != 0)
		return 0;
	at += 15;
	prepared_drop(&c->lane->relay->prepared, &c->unnamed);
	c->unnamed = prepared_intern(&c->lane->relay->prepared, text, size - WIRE_HEADER - 1);
	c->begin = mem_strdup(text);
	tag = strcasestr(text, "start") ? "START TRANSACTION" : "BEGIN";
	c->xact_since = c->since = c->lane->relay->w.now;
	trace_answered(c, c->begin, tag);
	wire_put_bare(&b, '1');
	wire_put_bare(&b, '2');
	if (described)
		wire_put_bare(&b, 'n');
	wire_put_complete(&b, tag);
	wire_put_ready(&b, 'T');
	client_send(c, b.data, b.len);
	buf_free(&b);
	return at;
}

/* Parse and Sync of a statement that servers of this pool have accepted before, or Close
 * and Sync of one that the client has: nobody is needed to answer that.  Answers the bytes
 * dealt with, or 0. */
static size_t answer_prepare(struct client *c, const char *p, size_t n)
{
	struct relay *r = c->lane->relay;
	size_t size = wire_message_size(p);
	const char *at = p + WIRE_HEADER, *end = p + size, *name;
	struct prepared *known;
	struct buf b = {0};

	if ((p[0] != 'P' && p[0] != 'C') || n < size + WIRE_HEADER || p[size] != 'S' ||
		!renames(c) || wire_message_size(p + size) != WIRE_HEADER)
		return 0;
	if (p[0] == 'C') {
		if (size < WIRE_HEADER + 2 || *at++ != 'S' || !(name = wire_cstr(&at, end)) ||
			!*name || !client_statement_remove(c, name))
			return 0;
		wire_put_bare(&b, '3');
	} else {
		name = wire_cstr(&at, end);
		if (!name || !*name || client_statement_get(c, name))
			return 0;
		known = prepared_find(&r->prepared, at, (size_t)(end - at));
		if (!known || known->valid != c->lane ||
			client_statement_bytes(c) + known->body_len >
				c->lane->set.max_client_prepared_bytes)
			return 0;
		known->refs++;
		client_statement_put(c, name, known);
		stats_add(&c->lane->stats.client_parse_count, 1);
		wire_put_bare(&b, '1');
	}
	wire_put_ready(&b, c->begin ? 'T' : 'I');
	client_send(c, b.data, b.len);
	buf_free(&b);
	return size + WIRE_HEADER;
}

/* Asks the pool.  True: linked and ready for the request. */
static bool acquire(struct client *c)
{
	struct lane *l = c->lane;
	struct slot *slot;

	switch (pool_ask(&l->shard, &c->waiter, l->relay->w.now, &slot)) {
	case POOL_LEASED:
		return server_link(CONTAINER_OF(slot, struct server, slot), c);
	case POOL_QUEUED:
		c->state = CLIENT_WAITING;
		client_arm(c);
		return false;
	case POOL_REFUSED:
		stats_add(&l->stats.queue_refusals, 1);
		client_close(c, CLOSE_QUEUE_FULL, NULL);
		return false;
	}
	return false;
}

/* Offers what there is to say while no server connection is needed.  *linked: go on with
 * feed_linked(). */
static size_t feed_unlinked(struct client *c, const char *p, size_t n, bool *linked)
{
	struct buf b = {0};
	size_t at = 0, skip, size;

	for (;;) {
		if (c->left) {
			size_t take = n - at < c->left ? n - at : c->left;

			c->left -= (uint32_t)take;
			at += take;
		}
		if (UNLIKELY(c->discarding)) {
			at += skip_to_sync(c, p + at, n - at);
			if (c->discarding || c->state == CLIENT_CLOSED)
				return at;
		}
		switch (look(p + at, n - at, &skip)) {
		case WANT_MORE:
			return at;
		case WANT_QUIT:
			client_close(c, CLOSE_CLIENT_QUIT, NULL);
			return n;
		case WANT_BAD:
			client_close(c, CLOSE_CLIENT_PROTOCOL,
				"unknown message type or length out of range");
			return n;
		case WANT_SKIP:
			if (p[at] == 'S') {
				b.len = 0;
				wire_put_ready(&b, c->begin ? 'T' : 'I');
				client_send(c, b.data, b.len);
				buf_free(&b);
			}
			at += skip;
			continue;
		case WANT_SERVER:
			break;
		}
		size = wire_message_size(p + at);
		if (n - at >= size && defer_begin(c, p + at, size)) {
			at += size;
			continue;
		}
		size = defer_begin_extended(c, p + at, n - at);
		if (!size)
			size = answer_prepare(c, p + at, n - at);
		if (size) {
			at += size;
			continue;
		}
		*linked = acquire(c);
		return c->state == CLIENT_CLOSED ? n : at;
	}
}

size_t request_feed(struct client *c, const char *p, size_t n)
{
	size_t at = 0;
	bool linked = c->state == CLIENT_LINKED;

	if (!linked) {
		if (c->state != CLIENT_IDLE)
			return 0;
		at = feed_unlinked(c, p, n, &linked);
		if (!linked)
			return at;
	}
	if (c->server->setup)
		return at;
	return at + feed_linked(c, p + at, n - at);
}

void request_withdraw(struct client *c)
{
	struct chunk *in = c->in;
	struct buf b = {0};
	const char *p;
	size_t size;

	if (!in || chunk_left(in) < WIRE_HEADER)
		return;
	p = in->data + in->off;
	size = wire_message_size(p);
	if ((p[0] == 'Q' || p[0] == 'F') && size && size <= chunk_left(in)) {
		in->off += (uint32_t)size;
		wire_put_ready(&b, 'I');
		client_send(c, b.data, b.len);
		buf_free(&b);
		if (!chunk_left(in))
			chunk_free(&c->lane->relay->chunks, &c->in);
	} else if (p[0] == 'Q' || p[0] == 'F') {
		client_close(c, CLOSE_CLIENT_QUIT, NULL); /* a request too large to take back */
		return;
	} else {
		c->discarding = true;
	}
	client_continue(c);
}
