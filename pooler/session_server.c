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
#include "session_flow.h"
#include "session_turn.h"

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
	s->id = front_next_id();
	s->conn.fd = -1;
	ledger_init(&s->ledger);
	s->timer.fire = on_timer;
	l->relay->n_servers++;
	l->n_servers++;
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
	flow_watch(relay_of(s)->w.loop, &s->io, s->conn.fd, events);
}

void server_blocked(struct server *s)
{
	server_watch(s);
	if (s->client)
		client_watch(s->client);
}

void server_send(struct server *s, const void *p, size_t n)
{
	if (n == 0 || s->closed)
		return;
	if (UNLIKELY(!flow_send(&s->conn, &s->out, &relay_of(s)->chunks, p, n)))
		server_blocked(s);
}

static void flush(struct server *s)
{
	if (!flow_flush(&s->conn, &s->out, &relay_of(s)->chunks))
		return;
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
	struct lane *l = s->lane;

	(void)w;
	l->n_servers--;
	free(s);
	if (UNLIKELY(l->stopped))
		lane_leave(l);
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
	char who[128];
	bool clean;

	if (s->closed)
		return;
	clean = server_is_quiet(s);
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
	if (s->pg) {
		/* Unless it stands at a message boundary, PQfinish's Terminate would land
		 * inside a message that was not sent to its end. */
		if (!clean)
			shutdown(s->conn.fd, SHUT_RDWR);
		PQfinish(s->pg);
		s->pg = NULL;
		stats_add(&l->stats.server_closes, 1);
	}
	s->conn = (struct conn){.fd = -1}; /* libpq has freed its SSL, too */
	chunk_free(&r->chunks, &s->in);
	chunk_free(&r->chunks, &s->out);
	server_statements_clear(s);
	closing_clear(s);
	prepared_drop(&r->prepared, &s->unnamed);
	buf_free(&s->again);
	buf_free(&s->said);
	params_drop(&r->params, &s->params);
	params_drop(&r->params, &s->setting);
	ledger_release(&s->ledger);
	free(s->taken);
	s->taken = NULL;
	free(s->setup_error);
	s->setup_error = NULL;
	audit_free(s);
	pool_remove(&l->shard, &s->slot);
	l->full = false;
	r->n_servers--;
	if (c) {
		who_note(s, c);
		c->server = NULL;
		c->cut = s->left && s->left_forward;
		if (c->state == CLIENT_LOGIN && !c->replication) /* its parameters: on another */
			greeting_line_up(c);
		else
			client_close(c, why, detail);
	}
	server_reap(s);
	lane_tend(l);
	hub_server_closed();
}

void server_unblocked(struct server *s)
{
	server_watch(s);
	/* what waits inside the SSL makes no descriptor readable */
	if (!s->closed && s->conn.ssl && conn_has_pending(&s->conn))
		server_read(s);
}

static void on_io(struct ev_loop *loop, ev_io *io, int revents)
{
	struct server *s = CONTAINER_OF(io, struct server, io);

	(void)loop;
	if (revents & EV_WRITE)
		flush(s);
	if ((revents & EV_READ) && !s->closed)
		server_read(s);
}

/* --- lending it ---------------------------------------------------------------- */

/* Asks what must be asked before the client's own request may be sent. */
static void ask_check(struct server *s)
{
	const char *q = s->lane->set.check_query;

	s->setup = server_ask(s, strcmp(q, CONF_CHECK_EMPTY) ? q : "", OUR_CHECK);
}

void server_set_params(struct server *s, const struct client *c, bool anew)
{
	struct buf sql = {0};
	const struct params *who = c->other ? c->params : s->lane->base;

	if (params_put_change(&sql, s->params, c->params, params_value(who, PARAM_WHO), anew)) {
		s->setup = true;
		params_drop(&relay_of(s)->params, &s->setting);
		s->setting = params_ref(c->params);
		if (!server_ask(s, buf_cstr(&sql), OUR_PARAMS))
			s->setup_failed = true;
	}
	buf_free(&sql);
}

/* What another relay had it prepare is known by other numbers here. */
static void ask_deallocate(struct server *s)
{
	s->foreign_names = s->stale_names = false;
	s->setup = server_ask(s, "DEALLOCATE ALL", OUR_CHECK);
}

/* What was to be set, in the words of the server that did ("utc" has become "UTC"): takes `wanted`,
 * answers what the server has.  *news: ParameterStatus of what is different; or NULL. */
static struct params *in_its_words(const struct server *s, struct params *wanted, struct buf *news)
{
	for (size_t i = 0; i < s->params->count; i++) {
		const struct param *p = &s->params->item[i];
		const char *believed = params_value(wanted, p->name);

		if (!p->reported)
			continue;
		if (news && !(believed && strcmp(believed, p->value) == 0))
			wire_put_parameter(news, p->name, p->value);
		wanted = params_with(&relay_of(s)->params, wanted, p->name, p->value, true);
	}
	return wanted;
}

static void has_params(struct server *s, struct params *p)
{
	params_drop(&relay_of(s)->params, &s->params);
	s->params = p;
}

void server_use_params(struct server *s, struct client *c)
{
	struct buf news = {0};

	c->params = in_its_words(s, c->params, &news);
	has_params(s, params_ref(c->params));
	if (news.len && c->state != CLIENT_LOGIN) /* who is greeted hears all of them */
		client_send(c, news.data, news.len);
	buf_free(&news);
}

bool server_set_up(struct server *s, struct client *c)
{
	struct lane *l = s->lane;
	usec_t now = l->relay->w.now;

	bool anew = UNLIKELY(s->nameless) && s->nameless_of != c->id;

	s->setup_failed = s->setup_refused = false;
	if (UNLIKELY(s->foreign_names))
		ask_deallocate(s);
	if (UNLIKELY(now - s->released >= l->set.server_check_delay) && l->set.check_query[0] &&
		s->was_used)
		ask_check(s);
	if (UNLIKELY(s->params != c->params || anew))
		server_set_params(s, c, anew);
	if (UNLIKELY(anew))
		s->nameless = false;
	if (UNLIKELY(s->params != c->params) && !s->setup) /* only what nobody can set differs */
		server_use_params(s, c);
	s->was_used = true;
	return !s->setup;
}

bool server_link(struct server *s, struct client *c)
{
	server_lend(s, c);
	if (LIKELY(server_set_up(s, c)))
		return true;
	client_arm_timer(c); /* it waits on */
	return false;
}

void server_adopt_params(struct server *s)
{
	if (!s->setting)
		return;
	has_params(s, in_its_words(s, s->setting, NULL));
	s->setting = NULL;
}

/* As a login that failed: the next is tried after server_login_retry, who waits is told. */
static void connect_query_failed(struct server *s, const char *why)
{
	char *text = mem_printf("connect_query: %s", why);

	lane_dial_failed(s->lane, s, text);
	free(text);
}

void server_setup_done(struct server *s)
{
	struct client *c = s->client;
	char *text = s->setup_error;

	s->setup = false;
	s->setup_error = NULL;
	params_drop(&relay_of(s)->params, &s->setting);
	if (!c) {
		/* connect_query of a new connection */
		if (s->slot.state != SLOT_DIALING)
			server_drain(s);
		else if (s->setup_failed)
			connect_query_failed(s, text ? text : "it failed");
		else
			server_ready(s);
	} else if (c->state == CLIENT_LOGIN) {
		greeting_tried(s, text);
	} else if (s->setup_failed) {
		s->slot.doomed = true; /* nobody knows how far it got */
		client_close(c, CLOSE_SETUP_FAILED, text);
	} else {
		if (s->params != c->params)
			server_use_params(s, c);
		client_resume(c);
	}
	free(text);
}

/* --- taking it back -------------------------------------------------------------- */

static bool only_siblings_are_hungry(const struct lane *l)
{
	const struct shard *sh = &l->shard;

	for (int i = 1; i < sh->n_caps; i++)
		if (cap_is_hungry(sh->caps[i], sh))
			return false;
	return list_empty(&sh->own_waiting);
}

/* A client whose request we can answer ourselves gives the connection back at once, and so may the
 * next one: the stack would be as deep as the queue.  After so many the rest is for the next tick.
 */
#define HANDS_ON_MAX 32

void server_release(struct server *s)
{
	struct lane *l = s->lane;
	struct waiter *next;
	enum pool_fate fate;

	s->released = l->relay->w.now;
	s->asked_cancel = s->asked_reset = false;
	if (UNLIKELY(s->alters)) /* its client left in the middle */
		meaning_settle(s);
	if (UNLIKELY(!server_is_quiet(s))) {
		stats_add(&l->stats.integrity_closes, 1);
		server_close(s, CLOSE_INTEGRITY, "about to be lent while not quiet");
		return;
	}
	fate = pool_give_back(&l->shard, &s->slot, l->relay->w.now, &next);
	if (UNLIKELY(fate == POOL_CLOSE_FOR_OTHERS) && l->shared && only_siblings_are_hungry(l)) {
		/* it need not be closed for another lane of this pool */
		if (share_offer(s))
			return;
		fate = pool_keep(&l->shard, &s->slot, l->relay->w.now, &next);
	}
	switch (fate) {
	case POOL_KEEP:
		if (UNLIKELY(l->shard.paused)) {
			server_close(s, CLOSE_SERVER_PAUSED, NULL);
			return;
		}
		if (UNLIKELY(!flow_is_reading(&s->io)))
			server_watch(s);
		if (UNLIKELY(!l->check.pos)) /* else it looks in time at the older ones */
			lane_arm(l);
		if (UNLIKELY(l->shared))
			share_show(l);
		return;
	case POOL_HAND_ON:
		if (UNLIKELY(l->relay->hands_on >= HANDS_ON_MAX)) {
			pool_put_off(&l->shard, &s->slot, next, l->relay->w.now);
			timer_ensure(&l->relay->w.timers, &l->check, l->relay->w.now);
			return;
		}
		if (UNLIKELY(l->shared))
			share_show(l);
		l->relay->hands_on++;
		if (server_link(s, CONTAINER_OF(next, struct client, waiter)))
			client_resume(s->client);
		l->relay->hands_on--;
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
	case POOL_CLOSE_SURPLUS:
		server_close(s, CLOSE_SERVER_SURPLUS, NULL);
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
	if (s->slot.state == SLOT_DIALING && s->drain_until && w->now >= s->drain_until) {
		connect_query_failed(s, "server_connect_timeout");
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
	if (UNLIKELY(conn_has_pending(&s->conn)) && !(s->client && s->client->out))
		server_read(s); /* others had their turn */
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
	free(l->last_error);
	l->last_error = NULL;
	lane_greet(l);
	lane_tend(l);
}

void server_rewatch(struct server *s)
{
	ev_io_init(&s->io, on_io, s->conn.fd, EV_READ);
	timer_ensure(&relay_of(s)->w.timers, &s->timer, s->slot.die_at);
	server_watch(s);
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

/* Our own end, for who looks into the server's pg_stat_activity or a firewall's log. */
static const char *local_end(const struct server *s, char *out, size_t size)
{
	struct sockaddr_storage ss = {0};
	socklen_t len = sizeof ss;
	struct net_addr a = {0};

	if (getsockname(s->conn.fd, (struct sockaddr *)&ss, &len) == 0)
		net_addr_set(&a, (struct sockaddr *)&ss, -1, 0);
	return a.family == AF_UNIX ? "unix" : net_addr_text(&a, out, size);
}

void server_dialed(struct server *s, PGconn *pg, struct params *reported)
{
	struct lane *l = s->lane;
	char who[128], from[NET_ADDR_TEXT];

	s->pg = pg;
	s->pid = (uint32_t)PQbackendPID(pg);
	server_adopt(s, PQsocket(pg), PQsslStruct(pg, "OpenSSL"), reported);
	stats_add(&l->stats.server_connects, 1);
	if (l->set.log_connections)
		log_line(LOG_PART_SESSION, LOG_LEVEL_INFO, "%s: new connection to server (from %s)",
			server_who(s, who, sizeof who), local_end(s, from, sizeof from));
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
		s->drain_until = 0;
		if (l->conf->p.server_connect_timeout)
			s->drain_until = l->relay->w.now + l->conf->p.server_connect_timeout;
		if (!server_ask(s, l->db->connect_query, OUR_CONNECT))
			server_close(s, CLOSE_SETUP_FAILED, NULL);
		else if (s->drain_until)
			timer_ensure(&l->relay->w.timers, &s->timer, s->drain_until);
		return;
	}
	server_ready(s);
}
