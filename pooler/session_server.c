/* SPDX-License-Identifier: ISC
 *
 * struct server: one connection to PostgreSQL.  What arrives from it is walked message by
 * message; the ledger says whose answer each one is.  The connection goes back to its pool
 * only when it owes nothing (server_is_quiet), whatever its client did.
 *
 *                        server_link                  ledger empty, status I
 *     IDLE in the pool ──────────────▶ linked to c ─────────────────────────▶ server_release
 *           ▲                             │ c is gone (server_unlink)
 *           │                             ▼
 *           └──── quiet ──── draining: cancel, Sync, ROLLBACK, reset query ──▶ closed if not
 *                                                                       quiet in time
 */
#include "session.h"
#include "session_gather.h"

#include <sys/socket.h>

static void on_io(struct ev_loop *loop, ev_io *io, int revents);
static void on_timer(struct timer *t);

static struct relay *relay_of(const struct server *s)
{
	return s->lane->relay;
}

const char *server_who(const struct server *s, char *out, size_t size)
{
	snprintf(out, size, "S-%llu %s@%s [%u]", (unsigned long long)s->id,
		s->lane->pool->server_user, s->lane->pool->database, s->pid);
	return out;
}

struct server *server_new(struct lane *l)
{
	struct server *s = mem_zalloc(sizeof *s);

	s->lane = l;
	s->id = atomic_fetch_add(&hub.next_id, 1);
	s->conn.fd = -1;
	list_init(&s->reading);
	ledger_init(&s->ledger);
	s->timer.fire = on_timer;
	l->relay->n_servers++;
	return s;
}

/* --- bytes ------------------------------------------------------------------- */

void server_watch(struct server *s)
{
	int events = 0;

	if (s->closed || s->conn.fd < 0)
		return;
	if ((!s->client || !s->client->out) && LIKELY(!relay_of(s)->suspended))
		events |= EV_READ;
	if (s->out)
		events |= EV_WRITE;
	if (ev_is_active(&s->io) && s->io.events == events)
		return;
	ev_io_stop(relay_of(s)->w.loop, &s->io);
	if (!events)
		return;
	ev_io_set(&s->io, s->conn.fd, events);
	ev_io_start(relay_of(s)->w.loop, &s->io);
}

void server_send(struct server *s, const void *p, size_t n)
{
	ssize_t took = 0;

	if (n == 0 || s->closed)
		return;
	if (!s->out) {
		took = conn_send(&s->conn, p, n);
		if (took == CONN_ERROR)
			return; /* the reading side will see it and close */
		if (took == CONN_AGAIN)
			took = 0;
		if ((size_t)took == n)
			return;
	}
	chunk_append(&relay_of(s)->chunks, &s->out, (const char *)p + took, n - (size_t)took);
	server_watch(s);
	if (s->client)
		client_watch(s->client);
}

static void flush(struct server *s)
{
	struct chunk *out = s->out;
	ssize_t took;

	if (!out)
		return;
	took = conn_send(&s->conn, out->data + out->off, chunk_left(out));
	if (took == CONN_AGAIN)
		return;
	if (took == CONN_ERROR)
		took = (ssize_t)chunk_left(out); /* the reading side will see it */
	out->off += (uint32_t)took;
	if (chunk_left(out))
		return;
	chunk_free(&relay_of(s)->chunks, &s->out);
	server_watch(s);
	if (s->client)
		client_continue(s->client);
	else
		server_settle(s);
}

bool server_ask(struct server *s, const char *sql, uint32_t tag)
{
	struct buf b = {0};

	if (!ledger_push(&s->ledger, ENTRY_QUERY, ENTRY_OURS, tag))
		return false;
	wire_put_query(&b, sql);
	server_send(s, b.data, b.len);
	buf_free(&b);
	return true;
}

/* --- the end ----------------------------------------------------------------- */

static void reap(struct worker *w, struct mail *m)
{
	struct server *s = CONTAINER_OF(m, struct server, reap);

	(void)w;
	free(s);
}

void server_reap(struct server *s)
{
	if (!s->closed || s->cancels)
		return;
	s->reap.run = reap;
	worker_defer(&relay_of(s)->w, &s->reap);
}

void server_close(struct server *s, enum close_reason why, const char *detail)
{
	struct relay *r = relay_of(s);
	struct lane *l = s->lane;
	struct client *c = s->client;
	bool clean = server_is_quiet(s) && !s->out && !s->cancels;
	char who[128];

	if (s->closed)
		return;
	s->closed = true;
	s->client = NULL;
	if (s->pg && log_wants(LOG_PART_SESSION, LOG_LEVEL_INFO) && l->set.log_disconnections)
		log_line(LOG_PART_SESSION,
			close_rows[why].is_error ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO,
			"%s: closing because: %s%s%s (age=%llus)", server_who(s, who, sizeof who),
			close_rows[why].text, detail ? ": " : "", detail ? detail : "",
			(unsigned long long)((r->w.wall - s->connected) / USEC_SEC));
	ev_io_stop(r->w.loop, &s->io);
	timer_stop(&r->w.timers, &s->timer);
	list_del(&s->reading);
	if (s->pg) {
		/* Unless it stands at a message boundary, PQfinish's Terminate would land
		 * inside a message that was not sent to its end. */
		if (!clean)
			shutdown(s->conn.fd, SHUT_RDWR);
		PQfinish(s->pg);
		s->pg = NULL;
		stats_add(&l->stats.server_closes, 1);
	}
	s->conn.fd = -1;
	chunk_free(&r->chunks, &s->in);
	chunk_free(&r->chunks, &s->out);
	server_statements_clear(s);
	prepared_drop(&r->prepared, &s->unnamed);
	params_drop(&r->params, &s->params);
	ledger_release(&s->ledger);
	free(s->setup_error);
	s->setup_error = NULL;
	audit_free(s);
	pool_remove(&l->shard, &s->slot);
	l->full = false;
	r->n_servers--;
	if (c) {
		who_note(s, c);
		c->server = NULL;
		client_close(c, why, detail);
	}
	server_reap(s);
	lane_tend(l);
	hub_server_closed();
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

		s->client = NULL;
		c->server = NULL;
		server_close(s, CLOSE_SERVER_CHECK, "it was gone when it was needed");
		client_requeue(c);
		return;
	}
	server_close(s, s->said_fatal ? CLOSE_SERVER_SAID_FATAL : CLOSE_SERVER_EOF, NULL);
}

/* --- what the server says ---------------------------------------------------- */

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
	} else if (e->kind == ENTRY_CLOSE && (e->flags & ENTRY_OURS)) {
		s->stale_names = true; /* it still has what we believe gone */
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
	return true;
}

static void on_our_answer(struct server *s, const struct ledger_event *ev, bool failed)
{
	switch ((enum our_tag)ev->done.tag) {
	case OUR_PARAMS:
	case OUR_CHECK:
	case OUR_CONNECT:
		if (failed)
			s->setup_failed = true;
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

/* ErrorResponse: counted, and looked at for what it means to us. */
static void on_error(struct server *s, const char *body, size_t len, enum ledger_verdict v)
{
	struct wire_error e;
	char who[128];

	if (!wire_read_error(body, len, &e))
		return;
	if (e.sqlstate && strlen(e.sqlstate) == 5)
		stats_error(&s->lane->stats, e.sqlstate);
	s->our_failed = v == LEDGER_SWALLOW;
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
	if (s->setup && v == LEDGER_SWALLOW && s->client) {
		free(s->setup_error);
		s->setup_error = mem_printf("%s", e.message ? e.message : "");
	}
}

/* ReadyForQuery reached the head of the ledger. */
static void on_ready(struct server *s, const struct ledger_event *ev)
{
	struct client *c = s->client;
	struct lane *l = s->lane;

	if (ev->done.flags & ENTRY_OURS) {
		on_our_answer(s, ev, s->our_failed);
		s->our_failed = false;
		return;
	}
	if (!c)
		return;
	client_ready(c, s->ledger.status);
	if (l->set.mode == POOL_MODE_STATEMENT && s->ledger.status != 'I' && !c->replication)
		c->closing = true;
}

/* One message that is wholly there (or of which only the header matters).  Answers whether
 * the client gets it. */
enum fate { FATE_FORWARD, FATE_SWALLOW, FATE_CLOSED };

static enum fate on_message(struct server *s, char type, const char *body, size_t len)
{
	struct ledger_event ev;
	enum ledger_verdict v = ledger_reply(&s->ledger, type,
		type == 'Z' && len == 1 ? body[0] : '?', &ev, on_dropped, s);
	const struct entry *head;

	switch (v) {
	case LEDGER_UNEXPECTED:
		integrity_close(s, type);
		return FATE_CLOSED;
	case LEDGER_FATAL:
		on_error(s, body, len, v);
		return FATE_FORWARD;
	case LEDGER_ASYNC:
		head = ledger_head(&s->ledger);
		if (type == 'S')
			return on_parameter(s, body, len, s->setup) ? FATE_FORWARD : FATE_SWALLOW;
		if (type == 'A') { /* only who holds the connection can have asked for it */
			bool asked = s->client && (client_owns_session(s->client) ||
							  s->dirty_effects || s->auditing);

			return asked ? FATE_FORWARD : FATE_SWALLOW;
		}
		return s->setup || (head && head->flags & ENTRY_OURS) ? FATE_SWALLOW : FATE_FORWARD;
	case LEDGER_FORWARD:
	case LEDGER_SWALLOW:
		break;
	}
	if (type == 'E') {
		on_error(s, body, len, v);
		if (ev.finished)
			on_dropped(s, &ev.done);
	}
	if (type == 'Z')
		on_ready(s, &ev);
	else if (type == '1' && (ev.done.flags & ENTRY_TAGGED))
		server_statement_accepted(s, ev.done.tag);
	else if (UNLIKELY(v == LEDGER_SWALLOW && s->auditing && type == 'D'))
		audit_row(s, body, len);
	if (UNLIKELY(s->client && s->client->trace && v == LEDGER_FORWARD))
		trace_reply(s->client, type, body, len, &ev);
	return v == LEDGER_FORWARD ? FATE_FORWARD : FATE_SWALLOW;
}

/* Answers that are ours to give, when their turn has come. */
static void put_local_answers(struct server *s, struct gather *g)
{
	struct entry e;

	while (UNLIKELY(ledger_take_local(&s->ledger, &e)))
		if (s->client)
			wire_put_bare(gather_insert(g), e.kind == ENTRY_PARSE ? '1' : '3');
}

/* Messages whose body we must see whole; the others pass as they come. */
static bool needs_body(char type)
{
	return type == 'Z' || type == 'S' || type == 'E' || type == 'K' || type == 'R';
}

/* Walks what has arrived.  Answers how much of it was dealt with; the rest is the
 * beginning of a message. */
static size_t feed(struct server *s, const char *p, size_t n)
{
	struct gather g = {.copy = &relay_of(s)->w.scratch};
	const char *out;
	size_t at = 0, len;
	bool plain = !(s->client && s->client->trace);
	enum fate fate;

	while (at < n) {
		size_t have = n - at, size, take;
		char type;

		if (s->left) {
			take = have < s->left ? have : s->left;
			if (s->left_forward && s->client)
				gather_add(&g, p + at, take);
			s->left -= (uint32_t)take;
			at += take;
			if (s->left == 0 && ledger_is_local(&s->ledger))
				put_local_answers(s, &g);
			continue;
		}
		if (have < WIRE_HEADER)
			break;
		type = p[at];
		size = wire_message_size(p + at);
		if (UNLIKELY(size == 0)) {
			server_close(s, CLOSE_SERVER_PROTOCOL, "length out of range");
			return n;
		}
		if (size > have && (needs_body(type) || (type == 'D' && s->auditing)) &&
			size <= WORKER_BUFFER)
			break;
		take = size < have ? size : have;
		/* Nearly everything is part of an answer and changes nothing. */
		if (LIKELY(plain && ledger_pass(&s->ledger, type))) {
			fate = FATE_FORWARD;
		} else {
			fate = on_message(s, type, p + at + WIRE_HEADER, take - WIRE_HEADER);
			if (fate == FATE_CLOSED || s->closed) {
				relay_of(s)->w.scratch.len = 0;
				return n;
			}
		}
		if (!s->client)
			fate = FATE_SWALLOW;
		if (fate == FATE_FORWARD)
			gather_add(&g, p + at, take);
		s->left = (uint32_t)(size - take);
		s->left_forward = fate == FATE_FORWARD;
		at += take;
		if (s->left == 0 && ledger_is_local(&s->ledger))
			put_local_answers(s, &g);
	}
	len = gather_end(&g, &out);
	if (len && s->client) {
		stats_add(&s->lane->stats.bytes_sent, len);
		client_send(s->client, out, len);
		if (UNLIKELY(s->client && s->client->trace))
			trace_sent(s->client, len);
	}
	relay_of(s)->w.scratch.len = 0;
	return at;
}

/* Is there something to do now that the dust has settled? */
void server_settle(struct server *s)
{
	struct client *c = s->client;

	if (s->closed || s->said_fatal)
		return; /* what is left of it will come with the next read */
	if (!c && !s->setup) {
		server_drain(s);
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
	if (UNLIKELY(c->quitting) && !c->out) {
		client_close(c, CLOSE_CLIENT_QUIT, NULL);
		return;
	}
	if (server_is_quiet(s) && !client_keeps_server(c))
		client_done(c);
}

static void read_some(struct server *s)
{
	struct worker *w = &relay_of(s)->w;
	char *base = w->buffer + WORKER_MARGIN, *p;
	size_t kept, used, n;
	ssize_t got;

	do {
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

void server_unblocked(struct server *s)
{
	server_watch(s);
	/* what waits inside the SSL makes no descriptor readable */
	if (!s->closed && s->conn.ssl && conn_has_pending(&s->conn))
		read_some(s);
}

static void on_io(struct ev_loop *loop, ev_io *io, int revents)
{
	struct server *s = CONTAINER_OF(io, struct server, io);

	(void)loop;
	if (revents & EV_WRITE)
		flush(s);
	if ((revents & EV_READ) && !s->closed)
		read_some(s);
}

/* --- lending it ---------------------------------------------------------------- */

bool server_is_quiet(const struct server *s)
{
	return ledger_is_quiet(&s->ledger) && !s->left && !s->in && !s->out && !s->cancels &&
	       (!s->client || s->client->left == 0) && !(s->conn.ssl && conn_has_pending(&s->conn));
}

/* Asks what must be asked before the client's own request may be sent. */
static void begin_setup(struct server *s, struct client *c)
{
	struct lane *l = s->lane;
	usec_t now = l->relay->w.now;
	struct buf sql = {0};

	s->setup_failed = false;
	if (l->set.check_query[0] && s->was_used &&
		now - s->released >= l->set.server_check_delay) {
		const char *q = l->set.check_query;

		s->setup = server_ask(s, strcmp(q, CONF_CHECK_EMPTY) ? q : "", OUR_CHECK);
	}
	if (s->params != c->params && params_put_change(&sql, s->params, c->params)) {
		s->setup = true;
		if (!server_ask(s, buf_cstr(&sql), OUR_PARAMS))
			s->setup_failed = true;
	}
	buf_free(&sql);
}

bool server_link(struct server *s, struct client *c)
{
	struct lane *l = s->lane;
	usec_t now = l->relay->w.now;

	s->client = c;
	c->server = s;
	s->lent = now;
	client_linked(c);
	begin_setup(s, c);
	s->was_used = true;
	return !s->setup;
}

/* What the client believes its parameters to be, against what the server made of them
 * ("utc" has become "UTC"): it is told what is different. */
static void reconcile(struct server *s, struct client *c)
{
	struct relay *r = relay_of(s);
	struct buf b = {0};

	for (size_t i = 0; i < s->params->count; i++) {
		const struct param *p = &s->params->item[i];
		const char *believed = params_value(c->params, p->name);

		if (!p->reported || (believed && strcmp(believed, p->value) == 0))
			continue;
		wire_put_parameter(&b, p->name, p->value);
		c->params = params_with(&r->params, c->params, p->name, p->value, true);
	}
	if (b.len)
		client_send(c, b.data, b.len);
	buf_free(&b);
	params_drop(&r->params, &s->params);
	s->params = params_ref(c->params);
}

void server_setup_done(struct server *s)
{
	struct client *c = s->client;
	char *text = s->setup_error;

	s->setup = false;
	s->setup_error = NULL;
	if (!c) {
		/* connect_query of a new connection */
		if (s->slot.state != SLOT_DIALING)
			server_drain(s);
		else if (s->setup_failed)
			server_close(s, CLOSE_SETUP_FAILED, text);
		else
			server_ready(s);
	} else if (s->setup_failed) {
		s->slot.doomed = true; /* nobody knows how far it got */
		client_close(c, CLOSE_SETUP_FAILED, text);
	} else {
		if (s->params != c->params)
			reconcile(s, c);
		client_resume(c);
	}
	free(text);
}

/* --- taking it back -------------------------------------------------------------- */

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
	s->setup = false;
	s->asked_cancel = s->asked_reset = false;
	s->drain_until = relay_of(s)->w.now + s->lane->set.cancel_wait_timeout;
	timer_ensure(&relay_of(s)->w.timers, &s->timer, s->drain_until);
	server_watch(s);
	server_drain(s);
}

static bool wants_reset(const struct server *s)
{
	const struct pool_settings *set = &s->lane->set;

	if (s->asked_reset || !set->reset_query[0])
		return false;
	return set->mode == POOL_MODE_SESSION || set->reset_always || s->was_pinned ||
	       s->dirty_effects || s->session_state;
}

/* DISCARD ALL and its like: what the client had set is gone. */
static void forget_session(struct server *s)
{
	struct relay *r = relay_of(s);
	struct params *p = params_empty(&r->params);

	for (size_t i = 0; i < s->params->count; i++)
		if (s->params->item[i].reported)
			p = params_with(&r->params, p, s->params->item[i].name,
				s->params->item[i].value, true);
	params_drop(&r->params, &s->params);
	s->params = p;
	server_statements_clear(s);
	prepared_drop(&r->prepared, &s->unnamed);
	s->session_state = s->dirty_effects = 0;
	s->was_pinned = false;
}

/* One step of bringing a connection without a client back to a quiet state. */
void server_drain(struct server *s)
{
	struct buf b = {0};

	if (s->closed || s->slot.state != SLOT_BUSY)
		return;
	if (s->half_sent || s->ledger.ambiguous) {
		server_close(s, CLOSE_SERVER_CLIENT_GONE, NULL);
	} else if (s->ledger.copying_in) {
		/* A cancel request does not reach a server that reads copy data. */
		size_t at = wire_begin(&b, 'f');

		buf_put_cstr(&b, "the client is gone");
		wire_end(&b, at);
		if (ledger_push(&s->ledger, ENTRY_COPY_END, ENTRY_OURS, 0))
			server_send(s, b.data, b.len);
		buf_free(&b);
	} else if (s->ledger.len || s->left || s->in) {
		if (!s->asked_cancel && s->ledger.len && !s->resetting) {
			s->asked_cancel = true;
			cancel_server(s, NULL);
		}
	} else if (s->ledger.unsynced || s->ledger.skipping) {
		if (!ledger_push(&s->ledger, ENTRY_SYNC, ENTRY_OURS, OUR_NOTHING))
			return;
		wire_put_bare(&b, 'S');
		server_send(s, b.data, b.len);
		buf_free(&b);
	} else if (s->ledger.status != 'I') {
		if (!server_ask(s, "ROLLBACK", OUR_ROLLBACK))
			server_close(s, CLOSE_SERVER_DRAIN, NULL);
	} else if (s->cancels || s->out) {
		return; /* cancel_done() or flush() comes back */
	} else if (wants_reset(s)) {
		s->asked_reset = s->resetting = true;
		if (!server_ask(s, s->lane->set.reset_query, OUR_RESET))
			server_close(s, CLOSE_SERVER_DRAIN, NULL);
	} else {
		if (s->asked_reset && !s->slot.doomed)
			forget_session(s);
		server_release(s);
	}
}

void server_release(struct server *s)
{
	struct lane *l = s->lane;
	struct waiter *next;

	s->released = l->relay->w.now;
	s->asked_cancel = s->asked_reset = false;
	if (UNLIKELY(!server_is_quiet(s))) {
		server_close(s, CLOSE_INTEGRITY, "about to be lent while not quiet");
		return;
	}
	switch (pool_give_back(&l->shard, &s->slot, l->relay->w.now, &next)) {
	case POOL_KEEP:
		if (UNLIKELY(l->shard.paused)) {
			server_close(s, CLOSE_SERVER_PAUSED, NULL);
			return;
		}
		server_watch(s);
		lane_arm(l);
		return;
	case POOL_HAND_ON:
		if (server_link(s, CONTAINER_OF(next, struct client, waiter)))
			client_resume(s->client);
		return;
	case POOL_CLOSE_DOOMED:
		server_close(s, s->doomed_why ? s->doomed_why : CLOSE_SERVER_RECYCLED, NULL);
		return;
	case POOL_CLOSE_LIFETIME:
		server_close(s, CLOSE_SERVER_LIFETIME, NULL);
		return;
	case POOL_CLOSE_IDLE_MAX:
		server_close(s, CLOSE_SERVER_IDLE_MAX, NULL);
		return;
	case POOL_CLOSE_FOR_OTHERS:
		server_close(s, CLOSE_SERVER_FOR_OTHERS, NULL);
		return;
	}
}

static void on_timer(struct timer *t)
{
	struct server *s = CONTAINER_OF(t, struct server, timer);
	struct worker *w = &relay_of(s)->w;

	if (s->closed)
		return;
	if (s->slot.state == SLOT_IDLE && w->now >= s->slot.die_at) {
		server_close(s, CLOSE_SERVER_LIFETIME, NULL);
		return;
	}
	if (s->slot.state == SLOT_BUSY && !s->client) {
		if (w->now >= s->drain_until) {
			server_close(s, CLOSE_SERVER_DRAIN, NULL);
			return;
		}
		timer_ensure(&w->timers, t, s->drain_until);
	}
	if (s->slot.die_at > w->now)
		timer_ensure(&w->timers, t, s->slot.die_at);
}

/* --- coming to life ---------------------------------------------------------------- */

/* The new connection may serve. */
void server_ready(struct server *s)
{
	struct lane *l = s->lane;
	struct worker *w = &l->relay->w;

	if (UNLIKELY(s->slot.doomed)) {
		/* RECONNECT or RELOAD came while it was dialled: it may be the wrong server */
		server_close(s, CLOSE_SERVER_RECYCLED, NULL);
		return;
	}
	if (!l->base) {
		l->base = params_ref(s->params);
	}
	pool_dialed(&l->shard, &s->slot, w->now);
	s->released = w->now;
	timer_ensure(&w->timers, &s->timer, s->slot.die_at);
	lane_greet(l);
	lane_tend(l);
}

void server_adopt(struct server *s, int fd, void *ssl, struct params *reported)
{
	struct relay *r = relay_of(s);

	s->conn.fd = fd;
	s->conn.ssl = ssl;
	s->tls = ssl != NULL;
	if (s->tls)
		conn_adopt_tls(&s->conn);
	s->connected = r->w.wall;
	s->params = reported;
	ev_io_init(&s->io, on_io, fd, EV_READ);
	ev_io_start(r->w.loop, &s->io);
}

void server_dialed(struct server *s, PGconn *pg, struct params *reported)
{
	struct lane *l = s->lane;
	char who[128];

	s->pg = pg;
	s->pid = (uint32_t)PQbackendPID(pg);
	server_adopt(s, PQsocket(pg), PQsslStruct(pg, "OpenSSL"), reported);
	stats_add(&l->stats.server_connects, 1);
	if (l->set.log_connections)
		log_line(LOG_PART_SESSION, LOG_LEVEL_INFO, "%s: new connection to server",
			server_who(s, who, sizeof who));
	if (s->slot.own) {
		pool_dialed(&l->shard, &s->slot, l->relay->w.now);
		if (s->client)
			client_welcome(s->client);
		else
			server_close(s, CLOSE_SERVER_CLIENT_GONE, NULL);
		return;
	}
	if (l->db && l->db->connect_query && l->db->connect_query[0]) {
		s->setup = true;
		if (!server_ask(s, l->db->connect_query, OUR_CONNECT))
			server_close(s, CLOSE_SETUP_FAILED, NULL);
		return;
	}
	server_ready(s);
}
