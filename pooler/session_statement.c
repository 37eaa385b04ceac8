/* SPDX-License-Identifier: ISC
 *
 * Parse, Bind, Describe and Close: prepared statements.  Outside of session pooling their
 * names become ours (PGSLUICE_17), and what the server connection at hand lacks is prepared
 * there first.
 */
#include "session_meaning.h"
#include "session_message.h"

static void put_close(struct buf *b, const char *name)
{
	size_t at = wire_begin(b, 'C');

	buf_put_u8(b, 'S');
	buf_put_cstr(b, name);
	wire_end(b, at);
}

/* Closes the server's least used statements until it has at most `max`. */
static bool evict_statements(struct message *m, size_t max)
{
	struct prepared *old;
	char name[PREPARED_NAME];

	while ((old = server_statement_evict(m->s, max))) {
		prepared_name(name, old->number);
		prepared_drop(&m->c->lane->relay->prepared, &old);
		if (!message_push(m, ENTRY_CLOSE, ENTRY_OURS, 0))
			return false;
		put_close(gather_insert(&m->g), name);
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

/* Was `p` sent to the server in an earlier batch, of which nobody knows yet whether it got
 * that far?  Then what needs it waits for the answer. */
static bool must_wait(struct message *m, const struct prepared *p)
{
	if (LIKELY(!server_statement_is_pending(m->s, p)))
		return false;
	m->seen |= SEEN_OTHER;
	m->s->awaited = p->number;
	m->s->was_asked = true;
	return true;
}

/* Room is made by the LRU. */
bool statement_ensure(struct message *m, struct prepared *p)
{
	struct server *s = m->s;
	struct buf *b;
	char name[PREPARED_NAME];

	if (server_statement_has(s, p))
		return true;
	m->seen |= SEEN_OTHER;
	b = gather_insert(&m->g);
	prepared_name(name, p->number);
	if (s->stale_names) {
		if (!message_push(m, ENTRY_CLOSE, ENTRY_OURS, 0))
			return false;
		put_close(b, name);
	}
	if (!message_push(m, ENTRY_PARSE, ENTRY_OURS | ENTRY_TAGGED, (uint32_t)p->number))
		return false;
	prepared_put_parse(b, name, p);
	server_statement_put(s, p);
	stats_add(&m->c->lane->stats.server_parse_count, 1);
	return evict_statements(m, (size_t)m->c->lane->set.max_prepared);
}

/* The same, with the parameters of `like`, if that is not NULL. */
static bool put_empty(struct message *m, const char *name, const struct prepared *like)
{
	struct buf *b = gather_insert(&m->g);
	size_t at, n = like ? like->n_types : 0;

	if (!message_push(m, ENTRY_CLOSE, ENTRY_OURS, 0) ||
		!message_push(m, ENTRY_PARSE, ENTRY_OURS | ENTRY_TAGGED, 0))
		return false;
	put_close(b, name);
	at = wire_begin(b, 'P');
	buf_put_cstr(b, name);
	buf_put_cstr(b, "");
	buf_put_u16(b, (uint16_t)n);
	for (size_t i = 0; i < n; i++)
		buf_put_u32(b, like->types[i]);
	wire_end(b, at);
	return true;
}

bool statement_put_empty(struct message *m, const char *name)
{
	return put_empty(m, name, NULL);
}

/* A Parse under a name that the client has given already.  PostgreSQL's own error, or an earlier
 * one, comes of it when it goes to a name that the server has (rename_put_error). */
static enum step parse_taken(struct message *m, const char *name, const char *rest, size_t rest_len)
{
	struct buf *b;
	size_t at;

	m->seen |= SEEN_OTHER;
	if (!m->s->taken || m->s->taken_batch != m->s->batch) {
		free(m->s->taken); /* the first of a batch is the one whose error comes */
		m->s->taken = mem_strdup(name);
		m->s->taken_batch = m->s->batch;
	}
	if (!statement_put_empty(m, RENAME_TAKEN) || !message_push(m, ENTRY_PARSE, 0, 0))
		return STEP_CLOSED;
	b = gather_insert(&m->g);
	at = wire_begin(b, 'P');
	buf_put_cstr(b, RENAME_TAKEN);
	buf_put(b, rest, rest_len);
	wire_end(b, at);
	return STEP_DONE;
}

/* A statement that may not be had here: the server is given a text that fails, in place and
 * at the moment where it would have failed, and the client is told why (put_error). */
static enum step refuse_parse(struct message *m, unsigned effects)
{
	struct buf *b = gather_insert(&m->g);
	size_t at;

	m->seen |= SEEN_OTHER;
	prepared_drop(&m->c->lane->relay->prepared, &m->c->unnamed);
	prepared_drop(&m->c->lane->relay->prepared, &m->s->unnamed);
	if (!message_push(m, ENTRY_PARSE, 0, effects))
		return STEP_CLOSED;
	ledger_note_last(&m->s->ledger, NOTE_REFUSED);
	at = wire_begin(b, 'P');
	buf_put_cstr(b, "");
	buf_put_cstr(b, "PGSLUICE refuses a statement (on_session_feature)");
	buf_put_u16(b, 0);
	wire_end(b, at);
	return STEP_DONE;
}

/* Is it the text that the client's unnamed statement has already, and one that does nothing
 * to the session?  Drivers send the same one again and again. */
static inline bool is_unnamed_again(const struct message *m, const char *rest, size_t len)
{
	const struct prepared *p = m->c->unnamed;

	return p && p->body_len == len && !p->effects && !prepared_is_stale(p) &&
	       p->meaning == meaning_now(m->c, m->s) && memcmp(p->body, rest, len) == 0;
}

static enum step parse_unnamed_again(struct message *m)
{
	struct prepared *p = m->c->unnamed;

	m->seen |= SEEN_OTHER;
	stats_add(&m->c->lane->stats.client_parse_count, 1);
	if (UNLIKELY(m->observed))
		trace_parse(m->c, m->size);
	if (UNLIKELY(m->s->unnamed != p)) {
		prepared_drop(&m->c->lane->relay->prepared, &m->s->unnamed);
		m->s->unnamed = p;
		p->refs++;
	}
	if (!message_push(m, ENTRY_PARSE, 0, ++m->s->unnamed_parses))
		return STEP_CLOSED;
	message_pass(m);
	return STEP_DONE;
}

static enum step on_parse_unnamed(struct message *m, const char *rest, size_t rest_len)
{
	struct client *c = m->c;
	struct server *s = m->s;
	struct relay *r = c->lane->relay;
	struct prepared *p;

	m->seen |= SEEN_OTHER;
	/* before the old ones go: often it is the same text again */
	p = prepared_intern(&r->prepared, rest, rest_len, meaning_now(c, s));
	stats_add(&c->lane->stats.client_parse_count, 1);
	trace_parse(c, m->size);
	prepared_drop(&r->prepared, &c->unnamed);
	prepared_drop(&r->prepared, &s->unnamed);
	c->unnamed = p;
	if (UNLIKELY(effects_are_refused(c->lane, p->effects)))
		return refuse_parse(m, p->effects);
	if (!message_push(m, ENTRY_PARSE, 0, ++s->unnamed_parses))
		return STEP_CLOSED;
	message_pass(m);
	s->unnamed = p;
	p->refs++;
	return STEP_DONE;
}

/* Does what this Parse comes to hang on batches that are still under way?  Then it waits for them.
 * What the server has is answered by us, but not in a transaction that an earlier batch may yet
 * fail: there PostgreSQL refuses.  And whether a name is given already, an earlier Close says. */
static bool parse_must_wait(struct message *m, const char *name, const struct prepared *served)
{
	if (served && must_wait(m, served))
		return true;
	return ((served && server_statement_find(m->s, served->number)) || m->s->closing ||
		       client_statement_get(m->c, name)) &&
	       message_must_settle(m);
}

/* May the client have one more text?  False: it is closed. */
static bool text_is_granted(struct message *m, size_t len, bool is_known)
{
	struct client *c = m->c;
	const char *why = NULL;

	if (client_statement_bytes(c) + len > c->lane->set.max_client_prepared_bytes)
		why = "prepared statements exceed max_client_prepared_bytes";
	else if (!is_known && !prepared_room(m, len))
		why = "prepared statements of all clients exceed max_prepared_bytes";
	if (why)
		client_close(c, CLOSE_CLIENT_TOO_LARGE, why);
	return !why;
}

/* The client has this statement from now on; the server is asked for it, unless it has it, too. */
static enum step prepare_named(struct message *m, struct prepared *said)
{
	struct server *s = m->s;
	struct prepared *p = prepared_served(&m->c->lane->relay->prepared, said);
	char ours[PREPARED_NAME];
	/* In a failed transaction the server refuses what does not end it, and the client must
	 * not believe that it has a statement: the server is asked again. */
	bool again = server_statement_has(s, p);

	if (LIKELY(again && s->ledger.state.status != 'E')) {
		m->local++;
		return message_push(m, ENTRY_PARSE, ENTRY_LOCAL | ENTRY_TAGGED, (uint32_t)p->number)
			       ? STEP_DONE
			       : STEP_CLOSED;
	}
	m->seen |= SEEN_OTHER;
	prepared_name(ours, p->number);
	if (again)
		server_statement_remove(s, p->number);
	if (again || s->stale_names) {
		if (!message_push(m, ENTRY_CLOSE, ENTRY_OURS, 0))
			return STEP_CLOSED;
		put_close(gather_insert(&m->g), ours);
	}
	/* the Close goes in front: behind a Parse that fails it would be skipped */
	if (!evict_statements(m, (size_t)m->c->lane->set.max_prepared - 1))
		return STEP_CLOSED;
	if (!message_push(m, ENTRY_PARSE, ENTRY_TAGGED, (uint32_t)p->number))
		return STEP_CLOSED;
	if (UNLIKELY(said->shift))
		ledger_note_last(&s->ledger, said->shift);
	server_statement_put(s, p);
	stats_add(&m->c->lane->stats.server_parse_count, 1);
	prepared_put_parse(gather_insert(&m->g), ours, p);
	return STEP_DONE;
}

static enum step on_parse_named(struct message *m, const char *name, const char *rest,
	size_t rest_len)
{
	struct client *c = m->c;
	struct prepared_table *table = &c->lane->relay->prepared;
	uint64_t meaning = meaning_now(c, m->s);
	struct prepared *p = prepared_find(table, rest, rest_len, meaning);

	if (parse_must_wait(m, name, p ? prepared_served(table, p) : NULL))
		return STEP_WAIT;
	stats_add(&c->lane->stats.client_parse_count, 1);
	trace_parse(c, m->size);
	if (client_statement_get(c, name))
		return parse_taken(m, name, rest, rest_len);
	if (!text_is_granted(m, rest_len, p != NULL))
		return STEP_CLOSED;
	p = prepared_intern(table, rest, rest_len, meaning);
	if (UNLIKELY(effects_are_refused(c->lane, p->effects))) {
		unsigned effects = p->effects;

		prepared_drop(table, &p);
		return refuse_parse(m, effects);
	}
	client_statement_put(c, name, p);
	naming_put(m, name);
	return prepare_named(m, p);
}

enum step message_parse(struct message *m)
{
	struct client *c = m->c;
	const char *end = m->body + (m->size - WIRE_HEADER), *rest = m->body, *name;
	size_t rest_len;

	if (!m->renames) {
		if (c->lane->set.mode == POOL_MODE_SESSION && m->have < m->size &&
			m->size <= WHOLE_MAX)
			return STEP_MORE;
		trace_parse(c, m->size);
		trace_parse_raw(c, m->body, m->have - WIRE_HEADER);
		if (!message_push(m, ENTRY_PARSE, 0, 0))
			return STEP_CLOSED;
		message_pass(m);
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
	if (name && !*name && is_unnamed_again(m, rest, rest_len))
		return parse_unnamed_again(m);
	if (!name || rest_len < 3 || !memchr(rest, 0, rest_len - 2)) {
		client_close(c, CLOSE_CLIENT_PROTOCOL, "Parse without its strings");
		return STEP_CLOSED;
	}
	return *name ? on_parse_named(m, name, rest, rest_len)
		     : on_parse_unnamed(m, rest, rest_len);
}

/* The unnamed statement that this client means must be the one that the server has. */
static inline bool ensure_unnamed(struct message *m)
{
	struct client *c = m->c;
	struct server *s = m->s;
	struct buf *b;

	if (LIKELY(c->unnamed == s->unnamed && c->unnamed))
		return true;
	m->seen |= SEEN_OTHER;
	b = gather_insert(&m->g);
	if (!c->unnamed) {
		/* It has none: nor must it find another client's. */
		prepared_drop(&c->lane->relay->prepared, &s->unnamed);
		if (!message_push(m, ENTRY_CLOSE, ENTRY_OURS, 0))
			return false;
		put_close(b, "");
		return true;
	}
	if (!message_push(m, ENTRY_PARSE, ENTRY_OURS, 0))
		return false;
	prepared_put_parse(b, "", c->unnamed);
	prepared_drop(&c->lane->relay->prepared, &s->unnamed);
	s->unnamed = c->unnamed;
	s->unnamed->refs++;
	return true;
}

/* A message that names a statement: the name of ours in its place.  `before` is what
 * precedes the name in the body, `name` the client's, `after` what follows it. */
static void put_renamed(struct message *m, const char *name, const char *after, uint64_t number)
{
	struct buf *b = gather_insert(&m->g);
	size_t have_after = (size_t)(m->at + m->have - after);
	size_t before = (size_t)(name - m->body), n;
	char ours[PREPARED_NAME], *to;
	uint32_t len;

	n = prepared_name(ours, number) + 1;
	len = htonl((uint32_t)(m->size - (size_t)(after - name) + n - 1));
	buf_reserve(b, WIRE_HEADER + before + n);
	to = b->data + b->len;
	*to = m->type;
	memcpy(to + 1, &len, 4);
	memcpy(to + WIRE_HEADER, m->body, before);
	memcpy(to + WIRE_HEADER + before, ours, n);
	b->len += WIRE_HEADER + before + n;
	gather_add(&m->g, after, have_after);
	m->c->left = (uint32_t)(m->size - m->have);
}

/* Does the client ask what the rows of this Bind look like?  (As far as it can be seen.) */
static bool is_described(const struct message *m)
{
	return m->rest > m->size && m->at[m->size] == 'D';
}

static void put_describe(struct buf *b, const char *name)
{
	size_t at = wire_begin(b, 'D');

	buf_put_u8(b, 'S');
	buf_put_cstr(b, name);
	wire_end(b, at);
}

/* Has the server prepare it and say what it is, before the Bind that uses it goes on. */
static enum step describe_first(struct message *m, struct prepared *p)
{
	struct server *s = m->s;
	struct buf *b;
	char name[PREPARED_NAME];

	if (!statement_ensure(m, p) ||
		!message_push(m, ENTRY_DESCRIBE_STATEMENT, ENTRY_OURS, (uint32_t)p->number))
		return STEP_CLOSED;
	prepared_name(name, p->number);
	b = gather_insert(&m->g);
	put_describe(b, name);
	wire_put_bare(b, 'H');
	s->describing = s->was_asked = true;
	return STEP_WAIT;
}

/* Bind of a statement that the client prepared: what the server shall bind, in *number. */
static enum step bind_named(struct message *m, struct prepared *said, uint64_t *number)
{
	struct client *c = m->c;
	struct prepared *p = prepared_served(&c->lane->relay->prepared, said);

	if (UNLIKELY(prepared_is_stale(said)) && !is_described(m)) {
		m->seen |= SEEN_OTHER;
		*number = 0; /* which no statement has */
		return STEP_DONE;
	}
	if (UNLIKELY(!server_statement_has(m->s, p))) {
		if (must_wait(m, p))
			return STEP_WAIT;
		if (p->columns && !is_described(m))
			return describe_first(m, p);
		if (!statement_ensure(m, p))
			return STEP_CLOSED;
	}
	m->seen |= m->seen & SEEN_NAMED ? SEEN_OTHER : SEEN_NAMED;
	if (UNLIKELY(p->effects & ~(unsigned)TEXT_BEGIN))
		effects_note(c, m->s, p->effects, p->body, p->text_len);
	if (UNLIKELY(c->lane->set.state_audit != STATE_AUDIT_OFF))
		audit_hear(m->s, p->body, p->text_len);
	*number = p->number;
	return STEP_DONE;
}

/* Its values may name a parameter (set_config($1, $2, false)): they must be here. */
static inline bool lacks_values(const struct message *m, const struct prepared *p)
{
	return UNLIKELY(p->effects & TEXT_SET) && m->have < m->size && m->size <= WHOLE_MAX;
}

/* *held: the client's statement, which DISCARD ALL (it may be one) takes from it. */
static enum step bind_held(struct message *m, struct prepared **held)
{
	struct client *c = m->c;
	const char *end = m->at + m->have, *rest = m->body, *portal, *name = NULL;
	struct prepared *p = NULL;
	uint64_t number = 0;
	enum step step;

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
	if (UNLIKELY(m->observed) && m->have < m->size && m->size <= WHOLE_MAX)
		return STEP_MORE;
	if (m->renames) {
		if (*name == '\0') {
			if (c->unnamed && lacks_values(m, c->unnamed))
				return STEP_MORE;
			if (c->unnamed && UNLIKELY(c->unnamed->effects & TEXT_DEALLOCATE) &&
				message_must_settle(m))
				return STEP_WAIT;
			if (!ensure_unnamed(m))
				return STEP_CLOSED;
			p = c->unnamed;
			if (p && UNLIKELY(p->effects & ~(unsigned)TEXT_BEGIN))
				effects_note(c, m->s, p->effects, p->body, p->text_len);
			if (p && UNLIKELY(p->effects & TEXT_SET))
				audit_learn_values(m->s, rest, end);
			if (p && UNLIKELY(c->lane->set.state_audit != STATE_AUDIT_OFF))
				audit_hear(m->s, p->body, p->text_len);
			if (p && UNLIKELY(p->effects & TEXT_DEALLOCATE)) {
				p->refs++;
				*held = p;
				if (deallocate_bind(m, p, &number) != STEP_DONE)
					return STEP_CLOSED;
			}
			if (LIKELY(!number))
				p = NULL;
		} else if ((p = client_statement_get(c, name))) {
			if (naming_is_unsettled(m, name))
				return STEP_WAIT;
			if (lacks_values(m, p))
				return STEP_MORE;
			if (UNLIKELY(p->effects & TEXT_DEALLOCATE) && message_must_settle(m))
				return STEP_WAIT;
			p->refs++;
			*held = p;
			step = bind_named(m, p, &number);
			if (step == STEP_DONE && UNLIKELY(p->effects & TEXT_DEALLOCATE))
				step = deallocate_bind(m, p, &number);
			if (step != STEP_DONE)
				return step;
			if (UNLIKELY(p->effects & TEXT_SET))
				audit_learn_values(m->s, rest, end);
		} else if (m->s->closing && message_must_settle(m)) {
			return STEP_WAIT;
		}
	}
	stats_add(&c->lane->stats.bind_count, 1);
	if (UNLIKELY(m->observed))
		trace_bind(c, name, p, m->body, m->have - WIRE_HEADER, m->size);
	if (!message_push(m, ENTRY_BIND, 0, (uint32_t)number))
		return STEP_CLOSED;
	if (UNLIKELY(p && number == 0))
		ledger_note_last(&m->s->ledger, HEAL_REFUSED);
	if (p)
		put_renamed(m, name, rest, number);
	else
		message_pass(m);
	return STEP_DONE;
}

enum step message_bind(struct message *m)
{
	struct prepared_table *t = &m->c->lane->relay->prepared;
	struct prepared *held = NULL;
	enum step step = bind_held(m, &held);

	prepared_drop(t, &held);
	return step;
}

/* The statement that a Describe is about, as far as it is known. */
static struct prepared *described(struct client *c, const char *name)
{
	struct prepared *p = client_statement_get(c, name);

	if (!p && *name == '\0')
		p = c->unnamed;
	return p ? prepared_served(&c->lane->relay->prepared, p) : NULL;
}

/* In a failed transaction PostgreSQL describes a statement that returns no rows, but prepares none.
 * Where it lacks this one, and somebody was told before what it is, it is given an empty statement
 * with the same parameters, and describes that. */
static enum step describe_as_known(struct message *m, const struct prepared *p)
{
	m->seen |= SEEN_OTHER;
	if (!put_empty(m, RENAME_KNOWN, p) || !message_push(m, ENTRY_DESCRIBE_STATEMENT, 0, 0))
		return STEP_CLOSED;
	put_describe(gather_insert(&m->g), RENAME_KNOWN);
	trace_describe(m->c, NULL, m->size);
	return STEP_DONE;
}

/* Is that how it must be described, or will be if a batch that is under way fails? */
static bool is_only_known(const struct message *m, const struct prepared *p)
{
	return UNLIKELY(p->columns == PREPARED_NO_ROWS) && !server_statement_has(m->s, p) &&
	       (m->s->ledger.state.status == 'E' || ledger_awaits_end(&m->s->ledger));
}

enum step message_named(struct message *m)
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
	if (statement && m->renames) {
		if (*name &&
			(m->type == 'C' || (m->s->closing && !client_statement_get(c, name))) &&
			message_must_settle(m))
			return STEP_WAIT;
		if (m->type == 'C' && *name && (p = client_statement_get(c, name)))
			return naming_close(m, name, p);
		if (m->type == 'C' && *name == '\0') {
			prepared_drop(&c->lane->relay->prepared, &c->unnamed);
			prepared_drop(&c->lane->relay->prepared, &m->s->unnamed);
		} else if (m->type == 'D' && *name == '\0') {
			if (!ensure_unnamed(m))
				return STEP_CLOSED;
		} else if (m->type == 'D' && (p = client_statement_get(c, name))) {
			p = prepared_served(&c->lane->relay->prepared, p);
			if (naming_is_unsettled(m, name) || must_wait(m, p))
				return STEP_WAIT;
			if (is_only_known(m, p))
				return message_must_settle(m) ? STEP_WAIT : describe_as_known(m, p);
			if (!statement_ensure(m, p))
				return STEP_CLOSED;
			m->seen |= SEEN_NAMED;
		}
	}
	if (m->type == 'C') {
		if (statement && !m->renames)
			trace_close_raw(c, name);
		m->seen |= SEEN_OTHER;
		if (!message_push(m, ENTRY_CLOSE, 0, 0))
			return STEP_CLOSED;
	} else if (!statement) {
		m->seen |= SEEN_DESCRIBED;
		if (!message_push(m, ENTRY_DESCRIBE_PORTAL, 0, 0))
			return STEP_CLOSED;
	} else {
		struct prepared *said = described(c, name);

		m->seen |= SEEN_DESCRIBED;
		if (!message_push(m, ENTRY_DESCRIBE_STATEMENT, 0,
			    said ? (uint32_t)said->number : 0))
			return STEP_CLOSED;
		trace_describe(c, said, m->size);
	}
	if (p)
		put_renamed(m, name, rest, p->number);
	else
		message_pass(m);
	return STEP_DONE;
}

size_t statement_answer(struct client *c, const char *p, size_t n)
{
	struct relay *r = c->lane->relay;
	size_t size = wire_message_size(p);
	const char *at = p + WIRE_HEADER, *end = p + size, *name;
	struct prepared *known;
	struct buf b = {0};

	if ((p[0] != 'P' && p[0] != 'C') || n < size + WIRE_HEADER || p[size] != 'S' ||
		!message_renames(c) || wire_message_size(p + size) != WIRE_HEADER ||
		begin_status(c) == 'E')
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
		known = prepared_find_served(&r->prepared, at, (size_t)(end - at),
			meaning_usual(c));
		if (!known || known->valid != c->lane ||
			client_statement_bytes(c) + (size_t)(end - at) >
				c->lane->set.max_client_prepared_bytes ||
			prepared_bytes_total() + (size_t)(end - at) >
				c->lane->set.max_prepared_bytes)
			return 0;
		client_statement_put(c, name,
			prepared_intern(&r->prepared, at, (size_t)(end - at), meaning_usual(c)));
		stats_add(&c->lane->stats.client_parse_count, 1);
		wire_put_bare(&b, '1');
	}
	wire_put_ready(&b, begin_status(c));
	client_send(c, b.data, b.len);
	buf_free(&b);
	return size + WIRE_HEADER;
}
