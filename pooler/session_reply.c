/* SPDX-License-Identifier: ISC
 *
 * What a server connection says: walked message by message, each asked of the ledger, which
 * says whose answer it is; then it goes to the client, or to nobody.
 */
#include "session.h"
#include "session_express.h"
#include "session_flow.h"
#include "session_gather.h"
#include "session_turn.h"

static struct relay *relay_of(const struct server *s)
{
	return s->lane->relay;
}

/* Both ends are out of step: nobody may get another byte through this connection. */
static void integrity_close(struct server *s, char type)
{
	char detail[160], who[128];
	const struct entry *head = ledger_head(&s->ledger);

	stats_add(&s->lane->stats.integrity_closes, 1);
	snprintf(detail, sizeof detail,
		"message '%c' while %u replies are owed, the next of kind %d",
		type >= 32 && type < 127 ? type : '?', s->ledger.len, head ? head->kind : -1);
	log_line(LOG_PART_SESSION, LOG_LEVEL_ERROR, "%s: %s: %s", server_who(s, who, sizeof who),
		close_rows[CLOSE_INTEGRITY].text, detail);
	server_close(s, CLOSE_INTEGRITY, detail);
}

/* The connection broke. */
static void lost(struct server *s)
{
	if (s->setup && s->client && !s->setup_failed) {
		/* It died before the client's request was sent: nothing is lost, the client
		 * goes to the front of the queue. */
		struct client *c = s->client;

		if (c->state != CLIENT_LOGIN) {
			s->client = NULL;
			c->server = NULL;
		}
		server_close(s, CLOSE_SERVER_CHECK, "it was gone when it was needed");
		if (c->state != CLIENT_LOGIN)
			client_requeue(c);
		return;
	}
	if (s->slot.state == SLOT_DIALING) {
		lane_dial_failed(s->lane, s, "the connection broke while connect_query ran");
		return;
	}
	server_close(s, s->said_fatal ? CLOSE_SERVER_SAID_FATAL : CLOSE_SERVER_EOF, NULL);
}

/* A Parse or Close that the server skipped or failed. */
static void on_dropped(void *ctx, const struct entry *e)
{
	struct server *s = ctx;

	if (e->kind == ENTRY_PARSE && (e->flags & ENTRY_TAGGED)) {
		if (!(e->flags & ENTRY_LOCAL))
			server_statement_remove(s, e->tag);
		if (s->client && !(e->flags & ENTRY_OURS))
			client_statement_forget(s->client, e->tag);
	} else if (e->kind == ENTRY_PARSE && !(e->flags & ENTRY_TAGGED)) {
		prepared_drop(&relay_of(s)->prepared, &s->unnamed);
		if (s->client && !(e->flags & ENTRY_OURS) && e->tag == s->unnamed_parses)
			prepared_drop(&relay_of(s)->prepared, &s->client->unnamed);
	} else if (e->kind == ENTRY_CLOSE && (e->flags & ENTRY_LOCAL)) {
		if (e->flags & ENTRY_TAGGED)
			closing_undo(s, e->tag);
	} else if (e->kind == ENTRY_CLOSE && (e->flags & ENTRY_OURS)) {
		s->stale_names = true; /* it still has what we believe gone */
	} else if (e->kind == ENTRY_DESCRIBE_STATEMENT && (e->flags & ENTRY_OURS)) {
		s->describing = false; /* the error says enough */
	}
}

static bool on_parameter(struct server *s, const char *body, size_t len, bool ours)
{
	struct relay *r = relay_of(s);
	const char *p = body, *end = body + len, *name = wire_cstr(&p, end);
	const char *value = name ? wire_cstr(&p, end) : NULL;
	struct client *c = s->client;
	bool news;

	if (!value)
		return false;
	s->params = params_with(&r->params, s->params, name, value, true);
	if (!c)
		return false;
	news = !params_value(c->params, name) || strcmp(params_value(c->params, name), value) != 0;
	if (ours)
		return false; /* server_setup_done() compares when all is said */
	if (news)
		c->params = params_with(&r->params, c->params, name, value, true);
	if (news && UNLIKELY(strcmp(name, PARAM_WHO) == 0)) {
		const char *login = params_value(s->lane->base, name);

		c->other = !login || strcmp(login, value) != 0;
	}
	return true;
}

static void on_our_answer(struct server *s, const struct ledger_event *ev, bool failed)
{
	switch ((enum our_tag)ev->done.tag) {
	case OUR_PARAMS:
		if (!failed && !s->client)
			server_adopt_params(s);
		/* fall through */
	case OUR_CHECK:
	case OUR_CONNECT:
		if (failed && s->setup) {
			s->setup_failed = true;
			s->setup_refused = ev->done.tag == OUR_PARAMS;
		} else if (failed) { /* and the client is gone that would hear of it */
			s->doomed_why = CLOSE_SETUP_FAILED;
			s->slot.doomed = true;
		}
		break;
	case OUR_RESET:
		s->resetting = false;
		if (failed) {
			s->doomed_why = CLOSE_SERVER_RESET;
			s->slot.doomed = true;
		}
		break;
	case OUR_ROLLBACK:
		if (failed) {
			s->doomed_why = CLOSE_SERVER_DRAIN;
			s->slot.doomed = true;
		}
		break;
	case OUR_AUDIT:
		audit_done(s, failed);
		break;
	case OUR_BEGIN:
	case OUR_NOTHING:
		break;
	}
}

/* ErrorResponse: counted, and looked at for what it means to us.  `bound`: the prepared statement
 * whose Bind or Describe it answers; or NULL. */
static void on_error(struct server *s, const char *body, size_t len, enum ledger_verdict v,
	struct prepared *bound)
{
	struct wire_error e;
	char who[128];

	s->our_failed = v == LEDGER_SWALLOW; /* also when there is too much of it to be read */
	if (!wire_read_error(body, len, &e))
		return;
	if (e.sqlstate && strlen(e.sqlstate) == 5)
		stats_error(&s->lane->stats, e.sqlstate);
	if (bound && e.sqlstate)
		prepared_doubt(bound, e.sqlstate);
	if (v == LEDGER_SWALLOW)
		log_line(LOG_PART_SESSION, LOG_LEVEL_WARNING, "%s: answered us: %s: %s %s",
			server_who(s, who, sizeof who), e.severity ? e.severity : "ERROR",
			e.sqlstate ? e.sqlstate : "", e.message ? e.message : "");
	if (e.severity && (strcmp(e.severity, "FATAL") == 0 || strcmp(e.severity, "PANIC") == 0)) {
		s->said_fatal = true;
		log_line(LOG_PART_SESSION, LOG_LEVEL_WARNING, "%s: server said: %s: %s %s",
			server_who(s, who, sizeof who), e.severity, e.sqlstate ? e.sqlstate : "",
			e.message ? e.message : "");
	}
	if (s->setup && v == LEDGER_SWALLOW) {
		free(s->setup_error);
		s->setup_error = mem_printf("%s", e.message ? e.message : "");
	}
}

/* What the client has notified itself of: drivers know it by the number that they were given. */
static void put_own_notification(const struct client *c, struct buf *b, const char *body,
	size_t len)
{
	size_t at = wire_begin(b, 'A');

	buf_put_u32(b, client_pid(c));
	buf_put(b, body + 4, len - 4);
	wire_end(b, at);
}

/* ReadyForQuery for the client. */
static void on_client_ready(struct server *s)
{
	struct client *c = s->client;

	if (!c)
		return;
	client_ready(c, s->ledger.state.status);
	if (UNLIKELY(s->lane->set.state_audit != STATE_AUDIT_OFF) &&
		s->ledger.state.status == 'I' && s->lane->set.mode != POOL_MODE_SESSION &&
		!c->replication)
		audit_transaction_done(s);
	if (s->lane->set.mode == POOL_MODE_STATEMENT && s->ledger.state.status != 'I' &&
		!c->replication)
		c->closing = true;
}

/* ReadyForQuery reached the head of the ledger. */
static void on_ready(struct server *s, const struct ledger_event *ev)
{
	if (ev->done.flags & ENTRY_OURS) {
		on_our_answer(s, ev, s->our_failed);
		s->our_failed = false;
	} else {
		on_client_ready(s);
	}
}

/* An error that the client is told in other words: the position in a text of which the
 * server got less than the client wrote, what we refuse, and names of statements.  `e` is whose
 * answer it is. */
static bool put_error(const struct server *s, const struct entry *e, struct gather *g,
	const char *body, size_t len)
{
	if (LIKELY(!e->note)) {
		if (LIKELY(!rename_concerns(body, len)))
			return false;
		rename_put_error(s, gather_insert(g), body, len);
		return true;
	}
	if (e->kind == ENTRY_PARSE && e->note == NOTE_REFUSED)
		effects_put_error(gather_insert(g), e->tag);
	else if (e->kind == ENTRY_PARSE)
		wire_put_shifted_error(gather_insert(g), body, len, e->note);
	else if (e->note == HEAL_REFUSED)
		heal_put_refusal(gather_insert(g));
	else
		return false;
	return true;
}

/* One message that is wholly there (or of which only the header matters).  Answers whether
 * the client gets it. */
enum fate { FATE_FORWARD, FATE_SWALLOW, FATE_CLOSED };

static enum fate on_message(struct server *s, struct gather *g, char type, const char *body,
	size_t len)
{
	struct ledger_event ev;
	struct entry whose = {0};
	enum ledger_verdict v;
	const struct entry *head;

	if (UNLIKELY(type == 'E')) {
		if (heal_stale_plan(s, body, len))
			return s->closed ? FATE_CLOSED : FATE_SWALLOW;
		if (s->ledger.len)
			whose = *ledger_head(&s->ledger);
	}
	if (UNLIKELY(type == 't') && !heal_sees_parameters(s, body, len))
		return s->closed ? FATE_CLOSED : FATE_SWALLOW;
	v = ledger_reply(&s->ledger, type, type == 'Z' && len == 1 ? body[0] : '?', &ev, on_dropped,
		s);
	switch (v) {
	case LEDGER_UNEXPECTED:
		integrity_close(s, type);
		return FATE_CLOSED;
	case LEDGER_FATAL:
		on_error(s, body, len, v, NULL);
		/* before its request was sent a client loses nothing: lost() queues it again */
		return s->setup ? FATE_SWALLOW : FATE_FORWARD;
	case LEDGER_ASYNC:
		head = ledger_head(&s->ledger);
		if (type == 'S')
			return on_parameter(s, body, len, s->setup) ? FATE_FORWARD : FATE_SWALLOW;
		if (type == 'A') { /* only who holds the connection can have asked for it */
			bool asked = s->client && (client_owns_session(s->client) ||
							  s->dirty_effects || s->auditing);

			if (!asked || len < 4 || wire_u32(body) != s->pid)
				return asked ? FATE_FORWARD : FATE_SWALLOW;
			put_own_notification(s->client, gather_insert(g), body, len);
			return FATE_SWALLOW;
		}
		return s->setup || (head && head->flags & ENTRY_OURS) ? FATE_SWALLOW : FATE_FORWARD;
	case LEDGER_FORWARD:
	case LEDGER_SWALLOW:
		break;
	}
	if (type == 'E') {
		on_error(s, body, len, v,
			whose.kind == ENTRY_BIND || whose.kind == ENTRY_DESCRIBE_STATEMENT
				? server_statement_find(s, whose.tag)
				: NULL);
		if (ev.finished)
			on_dropped(s, &ev.done);
	}
	if (type == 'Z')
		on_ready(s, &ev);
	else if (type == '1' && (ev.done.flags & ENTRY_TAGGED))
		server_statement_accepted(s, ev.done.tag);
	else if (UNLIKELY(ev.finished && ev.done.kind == ENTRY_DESCRIBE_STATEMENT))
		heal_sees_columns(s, &ev.done, type, body, len);
	else if (UNLIKELY(v == LEDGER_SWALLOW && s->auditing && type == 'D'))
		audit_row(s, body, len);
	if (UNLIKELY(s->client && s->client->trace && v == LEDGER_FORWARD))
		trace_reply(s->client, type, body, len, &ev);
	if (UNLIKELY(type == 'E') && v == LEDGER_FORWARD && s->client &&
		put_error(s, &whose, g, body, len))
		return FATE_SWALLOW;
	return v == LEDGER_FORWARD ? FATE_FORWARD : FATE_SWALLOW;
}

/* Answers that are ours to give, when their turn has come. */
static void put_local_answers(struct server *s, struct gather *g)
{
	struct entry e;

	while (UNLIKELY(ledger_take_local(&s->ledger, &e))) {
		if (e.kind == ENTRY_CLOSE && (e.flags & ENTRY_TAGGED))
			closing_done(s, e.tag);
		if (s->client)
			wire_put_bare(gather_insert(g), e.kind == ENTRY_PARSE ? '1' : '3');
	}
}

/* Messages whose body we must see whole; the others pass as they come. */
static bool needs_body(char type)
{
	return type == 'Z' || type == 'S' || type == 'E' || type == 'K' || type == 'R' ||
	       type == 't' || type == 'A';
}

static bool describes_statement(const struct server *s)
{
	const struct entry *head = ledger_head(&s->ledger);

	return head && head->kind == ENTRY_DESCRIBE_STATEMENT;
}

/* Goes on with a message whose beginning was dealt with. */
static size_t feed_rest(struct server *s, struct gather *g, const char *p, size_t have)
{
	size_t take = have < s->left ? have : s->left;

	if (s->left_forward && s->client) {
		gather_add(g, p, take);
		if (UNLIKELY(s->client->trace != NULL))
			trace_passed(s->client, take);
	}
	s->left -= (uint32_t)take;
	return take;
}

/* The message that begins here.  Answers how much of it was dealt with; 0: more of it must
 * be here, or (s->closed) there is nothing more to do. */
static size_t feed_message(struct server *s, struct gather *g, const char *p, size_t have)
{
	size_t size = wire_message_size(p), take;
	enum fate fate;

	if (UNLIKELY(size == 0)) {
		server_close(s, CLOSE_SERVER_PROTOCOL, "length out of range");
		return 0;
	}
	if (size > have &&
		(needs_body(*p) || (*p == 'D' && s->auditing) ||
			(*p == 'C' && s->client && s->client->trace) ||
			(*p == 'T' && describes_statement(s))) &&
		size <= WORKER_BUFFER)
		return 0;
	take = size < have ? size : have;
	fate = on_message(s, g, *p, p + WIRE_HEADER, take - WIRE_HEADER);
	if (fate == FATE_CLOSED || s->closed)
		return 0;
	if (!s->client)
		fate = FATE_SWALLOW;
	if (fate == FATE_FORWARD)
		gather_add(g, p, take);
	s->left = (uint32_t)(size - take);
	s->left_forward = fate == FATE_FORWARD;
	return take;
}

/* What nearly every answer is made of: messages for the client that change nothing, and
 * ReadyForQuery.  Answers how far that goes. */
static size_t feed_plain(struct server *s, const char *p, size_t n)
{
	size_t at = ledger_pass(&s->ledger, p, n, &s->left);

	s->left_forward = true;
	if (n - at >= WIRE_HEADER + 1 && p[at] == 'Z' &&
		wire_message_size(p + at) == WIRE_HEADER + 1 &&
		ledger_pass_ready(&s->ledger, p[at + WIRE_HEADER])) {
		on_client_ready(s);
		at += WIRE_HEADER + 1;
	}
	return at;
}

/* The same for a client that is observed. */
static size_t feed_traced(struct server *s, const char *p, size_t n)
{
	size_t at = trace_pass(s->client, p, n, &s->left);
	const struct entry *head = ledger_head(&s->ledger);
	uint8_t kind = head ? head->kind : 0;

	s->left_forward = true;
	if (n - at >= WIRE_HEADER + 1 && p[at] == 'Z' &&
		wire_message_size(p + at) == WIRE_HEADER + 1 &&
		ledger_pass_ready(&s->ledger, p[at + WIRE_HEADER])) {
		on_client_ready(s);
		trace_ready(s->client, kind, p[at + WIRE_HEADER]);
		at += WIRE_HEADER + 1;
	}
	return at;
}

static void forward(struct server *s, const char *p, size_t n)
{
	stats_add(&s->lane->stats.bytes_sent, n);
	client_send(s->client, p, n);
	if (UNLIKELY(s->client && s->client->trace))
		trace_sent(s->client);
}

/* Walks on from `at`; what is before that was dealt with and goes to the client.  Answers
 * how far that came. */
static size_t feed_mixed(struct server *s, const char *p, size_t n, size_t at)
{
	struct gather g = {.copy = &relay_of(s)->w.scratch};
	const char *out;
	size_t len;

	if (at)
		gather_add(&g, p, at);
	while (at < n) {
		size_t took = 0;

		if (s->left == 0 && ledger_is_local(&s->ledger))
			put_local_answers(s, &g);
		if (s->left) {
			took = feed_rest(s, &g, p + at, n - at);
		} else if (s->client && (took = s->client->trace ? feed_traced(s, p + at, n - at)
								 : feed_plain(s, p + at, n - at))) {
			gather_add(&g, p + at, took);
		} else if (n - at >= WIRE_HEADER) {
			took = feed_message(s, &g, p + at, n - at);
			if (UNLIKELY(s->closed)) {
				relay_of(s)->w.scratch.len = 0;
				return n;
			}
		}
		if (!took)
			break;
		at += took;
	}
	if (s->left == 0 && ledger_is_local(&s->ledger))
		put_local_answers(s, &g);
	len = gather_end(&g, &out);
	if (len && s->client)
		forward(s, out, len);
	relay_of(s)->w.scratch.len = 0;
	return at;
}

/* Walks what has arrived.  Answers how much of it was dealt with; the rest is the
 * beginning of a message. */
static size_t feed(struct server *s, const char *p, size_t n)
{
	size_t at = 0;

	if (LIKELY(s->client && !s->left))
		at = LIKELY(!s->client->trace) ? feed_plain(s, p, n) : feed_traced(s, p, n);
	if (UNLIKELY(at < n || (!s->left && ledger_is_local(&s->ledger))))
		return feed_mixed(s, p, n, at);
	forward(s, p, n);
	return n;
}

/* Shall it go before its client does?  (server_fast_close) */
static bool server_is_replaced(const struct server *s)
{
	return s->slot.doomed && !s->doomed_why && s->lane->set.fast_close &&
	       s->lane->set.mode == POOL_MODE_SESSION && !s->client->replication;
}

/* Is there something to do now that the dust has settled? */
void server_settle(struct server *s)
{
	struct client *c = s->client;

	if (s->closed)
		return;
	if (UNLIKELY(s->said_fatal)) { /* what is left of it will come with the next read */
		if (s->slot.state == SLOT_IDLE) /* and nobody is to get it before */
			server_close(s, CLOSE_SERVER_SAID_FATAL, NULL);
		return;
	}
	if (!c && !s->setup) {
		server_drain(s);
		return;
	}
	if (UNLIKELY(s->settling) && !ledger_awaits_end(&s->ledger))
		s->settling = false;
	if (UNLIKELY(s->was_asked) && !s->setup && !s->describing && !s->awaited && !s->settling &&
		!(c->cancelled && s->ledger.len && ledger_head(&s->ledger)->flags & ENTRY_OURS)) {
		bool cancelled = c->cancelled;

		s->was_asked = false;
		c->cancelled = 0;
		client_resume(c);
		if (cancelled && c->server && c->server->ledger.len && !c->server->setup)
			cancel_pipelined(c->server);
		else if (cancelled && c->state != CLIENT_CLOSED)
			client_cancel(c, NULL);
		return;
	}
	if (UNLIKELY(c && c->quitting) && !c->out && !s->setup && !server_owes_answer(s)) {
		client_close(c, CLOSE_CLIENT_QUIT, NULL);
		return;
	}
	if (s->ledger.len)
		return;
	if (s->setup) {
		if (server_is_quiet(s))
			server_setup_done(s);
		return;
	}
	if (c && c->closing) {
		client_close(c, CLOSE_STATEMENT_MODE, NULL);
		return;
	}
	if (!server_is_quiet(s))
		return;
	if (UNLIKELY(server_is_replaced(s)))
		client_close(c, CLOSE_REPLACED, NULL);
	else if (!client_keeps_server(c))
		client_done(c);
	else if (UNLIKELY(s->dirty_effects & AUDITED_FOR_START) && c->start && !c->pinned &&
		 server_is_quiet(s) && !s->auditing)
		audit_start(s);
}

/* The beginning of a message is kept already, or something may come from inside the SSL. */
static NOINLINE void read_more(struct server *s)
{
	struct worker *w = &relay_of(s)->w;
	char *base = w->buffer + WORKER_MARGIN, *p;
	unsigned turns = 0;
	size_t kept, used, n;
	ssize_t got;

	do {
		if (UNLIKELY(++turns > FLOW_TURNS)) {
			timer_ensure(&w->timers, &s->timer, w->now);
			break;
		}
		kept = chunk_left(s->in);
		if (LIKELY(kept <= WORKER_MARGIN)) {
			got = conn_recv(&s->conn, base, WORKER_BUFFER);
		} else {
			chunk_reserve(&relay_of(s)->chunks, &s->in, WORKER_BUFFER / 2);
			got = conn_recv(&s->conn, s->in->data + s->in->len, WORKER_BUFFER / 2);
		}
		if (got == CONN_AGAIN)
			return;
		if (got == CONN_EOF || got == CONN_ERROR) {
			lost(s);
			return;
		}
		if (LIKELY(kept <= WORKER_MARGIN)) {
			p = base - kept;
			if (kept) {
				memcpy(p, s->in->data + s->in->off, kept);
				chunk_free(&relay_of(s)->chunks, &s->in);
			}
			n = kept + (size_t)got;
			used = feed(s, p, n);
			if (s->closed)
				return;
			if (used < n)
				chunk_append(&relay_of(s)->chunks, &s->in, p + used, n - used);
		} else {
			s->in->len += (uint32_t)got;
			used = feed(s, s->in->data + s->in->off, chunk_left(s->in));
			if (s->closed)
				return;
			s->in->off += (uint32_t)used;
			if (!chunk_left(s->in))
				chunk_free(&relay_of(s)->chunks, &s->in);
		}
	} while (UNLIKELY(s->conn.ssl && conn_has_pending(&s->conn) &&
			  (!s->client || !s->client->out)));
	server_settle(s);
}

void server_read(struct server *s)
{
	struct relay *r = relay_of(s);
	char *base = r->w.buffer + WORKER_MARGIN;
	size_t used;
	ssize_t got;

	if (UNLIKELY(s->in != NULL || s->conn.ssl != NULL)) {
		read_more(s);
		return;
	}
	got = conn_recv(&s->conn, base, WORKER_BUFFER);
	if (UNLIKELY(got <= 0)) {
		if (got != CONN_AGAIN)
			lost(s);
		return;
	}
	if (LIKELY(express_answer(s, base, (size_t)got)))
		return;
	used = feed(s, base, (size_t)got);
	if (UNLIKELY(s->closed))
		return;
	if (UNLIKELY(used < (size_t)got))
		chunk_append(&r->chunks, &s->in, base + used, (size_t)got - used);
	if (LIKELY(s->ledger.len == 0) && LIKELY(express_turn(s)))
		return;
	server_settle(s);
}
