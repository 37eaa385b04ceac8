/* SPDX-License-Identifier: ISC
 *
 * struct client: one application's session, on the worker that is home to its pool.
 *
 *   LOGIN    waits for the pool's first server connection, to know what to be greeted with
 *   IDLE     has no server connection and asks for none; owns no buffer
 *   WAITING  its request is parked in c->in, c->waiter is in the pool's queue
 *   LINKED   has c->server: what it sends goes there (session_request.c), message by message
 *   CLOSED   everything given back; the memory goes at the end of the tick
 */
#include "session.h"
#include "session_express.h"
#include "session_flow.h"
#include "session_turn.h"
#include "wire_startup.h"
#include "session_request.h"

static void on_io(struct ev_loop *loop, ev_io *io, int revents);
static void read_more(struct client *c);

static struct relay *relay_of(const struct client *c)
{
	return c->lane->relay;
}

const char *client_who(const struct client *c, char *out, size_t size)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof ss;
	struct net_addr a = {0};
	char text[NET_ADDR_TEXT] = "";

	if (c->conn.fd >= 0 && getpeername(c->conn.fd, (struct sockaddr *)&ss, &len) == 0) {
		net_addr_set(&a, (struct sockaddr *)&ss, c->conn.fd,
			(uint16_t)hub.conf->p.listen_port);
		net_addr_text(&a, text, sizeof text);
	}
	snprintf(out, size, "C-%llu %s@%s %s", (unsigned long long)c->id, c->lane->pool->user,
		c->lane->pool->database, text);
	return out;
}

bool client_keeps_server(const struct client *c)
{
	return client_owns_session(c) && !(c->server && c->server->dirty_effects && c->pinned);
}

/* --- bytes -------------------------------------------------------------------- */

/* More than this is not read ahead for a client whose requests must wait. */
#define PARKED_MAX (64U * 1024)

/* Must what it sends wait: for a server connection, or for answers to us? */
static bool must_wait(const struct client *c)
{
	return c->state != CLIENT_LINKED || server_is_asked(c->server);
}

/* Is enough kept that cannot be dealt with yet? */
static bool is_full(const struct client *c)
{
	return chunk_left(c->in) >= PARKED_MAX && must_wait(c);
}

void client_watch(struct client *c)
{
	int events = 0;

	if (c->state == CLIENT_CLOSED || c->state == CLIENT_LOGIN)
		return;
	if (!c->out && !is_full(c) && !c->quitting && !(c->server && c->server->out) &&
		LIKELY(!relay_of(c)->suspended))
		events |= EV_READ;
	if (c->out)
		events |= EV_WRITE;
	flow_watch(relay_of(c)->w.loop, &c->io, c->conn.fd, events);
}

void client_blocked(struct client *c)
{
	client_watch(c);
	if (c->server)
		server_watch(c->server);
}

void client_send(struct client *c, const void *p, size_t n)
{
	if (n == 0 || c->state == CLIENT_CLOSED)
		return;
	if (UNLIKELY(!flow_send(&c->conn, &c->out, &relay_of(c)->chunks, p, n)))
		client_blocked(c);
}

static void flush(struct client *c)
{
	if (!flow_flush(&c->conn, &c->out, &relay_of(c)->chunks))
		return;
	client_watch(c);
	trace_drained(c);
	if (c->server)
		server_unblocked(c->server);
	if (c->state != CLIENT_CLOSED)
		client_continue(c);
	if (c->state != CLIENT_CLOSED && c->quitting && c->server)
		server_settle(c->server);
}

void client_send_error(struct client *c, const char *severity, const char *sqlstate,
	const char *message, const char *detail, const char *hint)
{
	struct buf b = {0};

	wire_put_error(&b, 'E', severity, sqlstate, message, detail, hint);
	client_send(c, b.data, b.len);
	buf_free(&b);
}

/* --- its requests ---------------------------------------------------------------- */

/* What was received goes to session_request.c; what that leaves is kept. */
static void process(struct client *c, const char *p, size_t n)
{
	struct lane *l = c->lane;
	bool waited = c->state == CLIENT_WAITING;
	size_t used = request_feed(c, p, n);

	if (c->state == CLIENT_CLOSED)
		return;
	if (used < n)
		chunk_append(&relay_of(c)->chunks, &c->in, p + used, n - used);
	if (c->state == CLIENT_WAITING) {
		if (UNLIKELY(chunk_left(c->in) >= PARKED_MAX))
			client_watch(c);
		if (!waited && UNLIKELY(!l->full))
			lane_tend(l);
	}
}

/* The same for what is kept already. */
static void process_kept(struct client *c)
{
	struct lane *l = c->lane;
	struct chunk *in;
	size_t used;

	if (!c->in || c->state == CLIENT_WAITING || c->state == CLIENT_LOGIN)
		return;
	in = c->in;
	c->in = NULL; /* request_feed may close the client */
	used = request_feed(c, in->data + in->off, chunk_left(in));
	in->off += (uint32_t)used;
	if (c->state == CLIENT_CLOSED || !chunk_left(in)) {
		chunk_free(&l->relay->chunks, &in);
	} else if (c->in) { /* cannot be: only reading fills it */
		chunk_append(&l->relay->chunks, &in, c->in->data + c->in->off, chunk_left(c->in));
		chunk_free(&l->relay->chunks, &c->in);
		c->in = in;
	} else {
		c->in = in;
	}
	if (c->state == CLIENT_WAITING && !l->full)
		lane_tend(l);
}

/* Is there more inside the SSL, for which there is room? */
static bool may_read_on(const struct client *c)
{
	return UNLIKELY(c->conn.ssl != NULL) && c->state != CLIENT_CLOSED && !c->out &&
	       !c->quitting && !(c->server && c->server->out) && !is_full(c) &&
	       conn_has_pending(&c->conn);
}

/* What waits inside the SSL makes no descriptor readable. */
static void read_pending(struct client *c)
{
	if (may_read_on(c))
		read_more(c);
}

void client_continue(struct client *c)
{
	if (c->state == CLIENT_CLOSED || c->out || (c->server && server_is_asked(c->server)))
		return;
	process_kept(c);
	if (c->state != CLIENT_CLOSED)
		client_watch(c);
	read_pending(c);
}

void client_resume(struct client *c)
{
	process_kept(c);
	if (c->state == CLIENT_LINKED && UNLIKELY(!flow_is_reading(&c->io)))
		client_watch(c);
	if (c->state == CLIENT_LINKED && UNLIKELY(c->conn.ssl != NULL))
		read_pending(c);
	/* Nothing came of it (a request that was withdrawn): do not sit on the server. */
	if (c->state == CLIENT_LINKED && UNLIKELY(c->server && !c->server->ledger.len))
		server_settle(c->server);
}

/* Nothing was kept before these bytes. */
static void received(struct client *c, const char *p, size_t n)
{
	if (c->state == CLIENT_LOGIN || c->state == CLIENT_WAITING ||
		(c->server && server_is_asked(c->server))) {
		chunk_append(&relay_of(c)->chunks, &c->in, p, n);
		client_watch(c);
	} else {
		process(c, p, n);
	}
}

/* Something is kept already, or may come from inside the SSL. */
static NOINLINE void read_more(struct client *c)
{
	struct relay *r = relay_of(c);
	char *base = r->w.buffer + WORKER_MARGIN;
	unsigned turns = 0;
	ssize_t got;

	do {
		if (UNLIKELY(++turns > FLOW_TURNS)) {
			timer_ensure(&r->w.timers, &c->timer, r->w.now);
			return;
		}
		if (LIKELY(!c->in)) {
			got = conn_recv(&c->conn, base, WORKER_BUFFER);
		} else {
			chunk_reserve(&r->chunks, &c->in,
				c->in->len > 2048 ? WORKER_BUFFER / 4 : 2048);
			got = conn_recv(&c->conn, c->in->data + c->in->len,
				c->in->size - c->in->len);
		}
		if (got == CONN_AGAIN)
			return;
		if (got == CONN_EOF || got == CONN_ERROR) {
			client_close(c, CLOSE_CLIENT_EOF, NULL);
			return;
		}
		c->saw_request = true;
		stats_add(&c->lane->stats.bytes_received, (uint64_t)got);
		if (!c->in) {
			received(c, base, (size_t)got);
		} else {
			c->in->len += (uint32_t)got;
			if (c->state == CLIENT_WAITING || (c->server && server_is_asked(c->server)))
				client_watch(c);
			else
				process_kept(c);
		}
		if (UNLIKELY(chunk_left(c->in) > 4096) && hub_memory_is_used_up()) {
			client_close(c, CLOSE_MEMORY, NULL);
			return;
		}
	} while (may_read_on(c));
}

static inline void read_some(struct client *c)
{
	char *base = relay_of(c)->w.buffer + WORKER_MARGIN;
	ssize_t got;

	if (UNLIKELY(c->in != NULL || c->conn.ssl != NULL)) {
		read_more(c);
		return;
	}
	got = conn_recv(&c->conn, base, WORKER_BUFFER);
	if (UNLIKELY(got <= 0)) {
		if (got != CONN_AGAIN)
			client_close(c, CLOSE_CLIENT_EOF, NULL);
		return;
	}
	c->saw_request = true;
	stats_add(&c->lane->stats.bytes_received, (uint64_t)got);
	if (LIKELY(express_query(c, base, (size_t)got)))
		return;
	received(c, base, (size_t)got);
	if (UNLIKELY(chunk_left(c->in) > 4096) && c->state != CLIENT_CLOSED &&
		hub_memory_is_used_up())
		client_close(c, CLOSE_MEMORY, NULL);
}

static void on_io(struct ev_loop *loop, ev_io *io, int revents)
{
	struct client *c = CONTAINER_OF(io, struct client, io);

	(void)loop;
	if (UNLIKELY(revents & EV_WRITE))
		flush(c);
	if (LIKELY(revents & EV_READ) && c->state != CLIENT_CLOSED)
		read_some(c);
}

/* --- getting and leaving a server -------------------------------------------------- */

void client_done(struct client *c)
{
	struct server *s = c->server;

	if (UNLIKELY(s->dirty_effects && !client_owns_session(c)) ||
		UNLIKELY(s->dirty_effects && c->pinned)) {
		if (!s->auditing)
			audit_start(s);
		return;
	}
	who_note(s, c);
	c->server = NULL;
	c->state = CLIENT_IDLE;
	c->waiter.since = relay_of(c)->w.now;
	if (UNLIKELY(s->session_state ||
		     (c->lane->set.reset_always && c->lane->set.reset_query[0]))) {
		server_unlink(s);
	} else {
		s->client = NULL;
		server_release(s);
	}
	if (UNLIKELY(relay_of(c)->draining)) {
		client_close(c, CLOSE_SHUTDOWN, NULL);
		return;
	}
	client_arm(c);
	if (UNLIKELY(c->in != NULL))
		client_continue(c);
}

void client_requeue(struct client *c)
{
	c->state = CLIENT_WAITING;
	pool_requeue(&c->lane->shard, &c->waiter, relay_of(c)->w.now);
	client_arm(c);
	lane_tend(c->lane);
}

/* --- cancel ------------------------------------------------------------------------- */

/* A request that no server has seen yet is taken back; this tells why it was waiting. */
static void cancel_here(struct client *c, const char *detail)
{
	c->state = CLIENT_IDLE;
	c->waiter.since = relay_of(c)->w.now;
	client_send_error(c, "ERROR", "57014", "canceling statement due to user request", detail,
		NULL);
	request_withdraw(c);
}

/* Has it sent what a server is to answer, or what we are still to pass on? */
static bool awaits_answer(const struct client *c)
{
	const struct ledger *l = &c->server->ledger;
	bool awaits = c->in != NULL;

	for (uint32_t i = 0; i < l->len && !awaits; i++)
		awaits = !(ledger_at(l, i)->flags & ENTRY_OURS);
	return awaits;
}

void client_cancel(struct client *c, struct conn *asker)
{
	struct server *s = c->server;

	if (c->state == CLIENT_WAITING) {
		lane_forget(c->lane, c);
		cancel_here(c, "It was still waiting for a server connection.");
	} else if (s && s->setup && !s->slot.own && !c->pinned) {
		c->server = NULL;
		server_unlink(s);
		cancel_here(c, "Its server connection was still being prepared for it.");
	} else if (s && s->ledger.len && ledger_head(&s->ledger)->flags & ENTRY_OURS) {
		/* Would hit our question: once that is answered (server_settle). */
		stats_add(&c->lane->stats.cancels, 1);
		c->cancelled = awaits_answer(c);
		s->was_asked |= c->cancelled;
	} else if (s && s->ledger.len) {
		stats_add(&c->lane->stats.cancels, 1);
		cancel_server(s, asker);
		return;
	}
	if (asker)
		conn_close(asker);
}

/* --- all of a relay --------------------------------------------------------------------- */

struct client *relay_next_client(const struct relay *r, uint32_t *at)
{
	while (*at < r->n_slots) {
		struct client *c = r->slots[(*at)++];

		if (c)
			return c;
	}
	return NULL;
}

/* --- coming and going ------------------------------------------------------------------ */

static void take_slot(struct relay *r, struct client *c)
{
	uint32_t i = r->free_slot;

	while (i < r->n_slots && r->slots[i])
		i++;
	if (i == r->n_slots) {
		uint32_t more = r->n_slots ? r->n_slots * 2 : 64;

		r->slots = mem_realloc(r->slots, more * sizeof(struct client *));
		memset(r->slots + r->n_slots, 0, (more - r->n_slots) * sizeof(struct client *));
		r->n_slots = more;
	}
	r->slots[i] = c;
	r->free_slot = i + 1;
	c->slot = i;
	c->secret = cancel_secret();
}

/* Tells which relay (or the front, see hub_front_pid) and which slot. */
static uint32_t number_of(const struct client *c)
{
	return c->slot * ((uint32_t)hub.n_relays + 1) + (uint32_t)relay_of(c)->w.index + 1;
}

uint32_t client_pid(const struct client *c)
{
	return cancel_key_pid(number_of(c), c->secret);
}

void client_welcome(struct client *c)
{
	struct relay *r = relay_of(c);
	struct login *login = c->login;
	struct buf *b = &login->out;
	char who[128], note[200];

	if (c->server) {
		c->params = params_ref(c->server->params);
		client_linked(c);
	} else {
		c->state = CLIENT_IDLE;
		c->waiter.since = r->w.now;
	}
	c->begin = NULL; /* in the place of the login */
	ev_io_init(&c->io, on_io, c->conn.fd, EV_READ);
	wire_put_auth_ok(b);
	buf_put(b, params_greeting(c->params)->data, params_greeting(c->params)->len);
	cancel_key_put(b, number_of(c), c->secret);
	if (hub.conf->p.login_notify_message[0]) {
		snprintf(note, sizeof note, "%s", hub.conf->p.login_notify_message);
		wire_put_error(b, 'N', "NOTICE", "00000", note, NULL, NULL);
	}
	wire_put_ready(b, 'I');
	client_send(c, b->data, b->len);
	if (c->lane->set.log_connections)
		log_line(LOG_PART_SESSION, LOG_LEVEL_DEBUG, "%s: greeted",
			client_who(c, who, sizeof who));
	if (login->in.len)
		chunk_append(&r->chunks, &c->in, login->in.data, login->in.len);
	login_free(&login);
	client_watch(c);
	client_arm(c);
	client_continue(c);
}

void client_take_own(struct client *c, struct server *s)
{
	c->server = s;
	s->client = c;
	s->replication = c->replication;
	s->lent = relay_of(c)->w.now;
}

void client_arrive(struct worker *w, struct mail *m)
{
	struct arrival *a = CONTAINER_OF(m, struct arrival, mail);
	struct relay *r = CONTAINER_OF(w, struct relay, w);
	struct client *c = mem_zalloc(sizeof *c);
	struct lane *l = a->lane;

	c->lane = l;
	c->login = a->login;
	c->conn = a->login->conn;
	a->login->conn.fd = -1;
	a->login->conn.ssl = NULL;
	c->id = a->login->id;
	c->connected = (uint32_t)(a->login->connected / USEC_SEC);
	c->replication = a->login->replication;
	c->tls = c->conn.ssl != NULL;
	c->timer.fire = client_deadline;
	c->waiter.since = w->now;
	free(a);
	take_slot(r, c);
	l->n_clients++;
	r->n_clients++;
	stats_add(&l->stats.client_login_count, 1);
	if (c->replication) {
		pool_own_wait(&l->shard, &c->waiter, w->now);
		client_arm(c);
		lane_tend(l);
		return;
	}
	if (l->base && !l->shard.paused && greeting_try(c))
		return;
	greeting_line_up(c);
	if (pool_is_down(&l->shard, w->now)) {
		client_close(c, CLOSE_SERVER_LOGIN, l->last_error);
		return;
	}
	client_arm(c);
	lane_tend(l);
}

static void reap(struct worker *w, struct mail *m)
{
	(void)w;
	free(CONTAINER_OF(m, struct client, reap));
}

/* Of what a client has sent and nobody will look at, 1 MB. */
#define SINK_READS 256

/* The last words to a client, unless it would find them inside of another message. */
static void say_goodbye(struct client *c, enum close_reason why, const char *detail)
{
	const struct close_row *row = &close_rows[why];
	struct buf b = {0};
	char *message;
	ssize_t took;

	if (c->state == CLIENT_LOGIN)
		buf_put(&b, c->login->out.data, c->login->out.len);
	if (c->cut || (c->server && c->server->left && c->server->left_forward)) {
		buf_free(&b);
		return;
	}
	/* the reason is what people search for, so it is in the message itself */
	message = detail ? mem_printf("%s: %s", row->text, detail) : mem_strdup(row->text);
	wire_put_error(&b, 'E', "FATAL",
		hub.conf->p.pgbouncer_error_codes ? "08P01" : row->sqlstate, message, NULL, NULL);
	free(message);
	if (c->out) {
		took = conn_send(&c->conn, c->out->data + c->out->off, chunk_left(c->out));
		if (took != (ssize_t)chunk_left(c->out)) {
			buf_free(&b);
			return;
		}
	}
	took = conn_send(&c->conn, b.data, b.len);
	buf_free(&b);
	/* Unread input would turn the close into a reset that overtakes the message.  But one that
	 * sends on and on is not waited for. */
	for (int i = 0; i < SINK_READS && took > 0 && !c->conn.ssl; i++) {
		char sink[4096];

		took = conn_recv(&c->conn, sink, sizeof sink);
	}
}

void client_close(struct client *c, enum close_reason why, const char *detail)
{
	struct lane *l = c->lane;
	struct relay *r = l->relay;
	struct server *s = c->server;
	const struct close_row *row = &close_rows[why];
	char who[128];

	if (c->state == CLIENT_CLOSED)
		return;
	if (row->is_error ? l->set.log_pooler_errors : l->set.log_disconnections)
		log_line(LOG_PART_SESSION, row->is_error ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO,
			"%s: closing because: %s%s%s (age=%llus)", client_who(c, who, sizeof who),
			row->text, detail ? ": " : "", detail ? detail : "",
			(unsigned long long)(r->w.wall / USEC_SEC - c->connected));
	if (row->sqlstate && c->conn.fd >= 0)
		say_goodbye(c, why, detail);
	lane_forget(l, c); /* the last use of c->waiter: c->reap takes its place */
	if (c->state == CLIENT_LOGIN)
		login_free(&c->login);
	else
		free(c->begin);
	c->begin = NULL;
	c->state = CLIENT_CLOSED;
	trace_gone(c);
	ev_io_stop(r->w.loop, &c->io);
	timer_stop(&r->w.timers, &c->timer);
	conn_close(&c->conn);
	if (s) {
		c->server = NULL;
		server_unlink(s);
	}
	chunk_free(&r->chunks, &c->in);
	chunk_free(&r->chunks, &c->out);
	client_statements_clear(c);
	prepared_drop(&r->prepared, &c->unnamed);
	params_drop(&r->params, &c->params);
	params_drop(&r->params, &c->start);
	l->n_clients--;
	atomic_fetch_sub(&l->load, 1);
	atomic_fetch_sub(&l->pool->clients, 1);
	r->n_clients--;
	r->slots[c->slot] = NULL;
	if (c->slot < r->free_slot)
		r->free_slot = c->slot;
	c->reap.run = reap;
	worker_defer(&r->w, &c->reap);
	hub_client_gone();
}
