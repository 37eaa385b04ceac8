/* SPDX-License-Identifier: ISC
 *
 * SHOW CLIENTS, SERVERS, SOCKETS, ACTIVE_SOCKETS and FDS: one row a connection.  Each relay
 * writes the rows of its own; addresses are asked of the kernel, so that an idle connection
 * need not remember them.
 */
#include "console_inner.h"

#include <netinet/in.h>

/* What is asked for, by kind of SHOW. */
enum {
	WANT_CLIENTS = 1,
	WANT_SERVERS = 2,
	WANT_DEBUG = 4,	 /* buffers too; states with cl_ and sv_ before them */
	WANT_ACTIVE = 8, /* only those with something in their buffers */
	WANT_FDS = 16
};

struct sockets {
	struct request *q;
	unsigned want;
};

/* A row before it is written. */
struct socket_row {
	const char *type, *user, *database, *replication, *state, *application;
	int fd;
	usec_t connected, requested; /* wall */
	usec_t waits;
	bool doomed;
	const void *self, *link;
	uint32_t pid; /* 0: from the unix socket's peer */
	const struct conn *conn;
	size_t statements;
	uint64_t id;
	size_t in, out;
	uint32_t left;
};

static void put_end(struct row *r, int fd, bool peer, uint32_t *pid)
{
	struct sockaddr_storage ss = {0};
	socklen_t len = sizeof ss;
	struct net_addr a = {0};
	char text[NET_ADDR_TEXT] = "";
	int failed = peer ? getpeername(fd, (struct sockaddr *)&ss, &len)
			  : getsockname(fd, (struct sockaddr *)&ss, &len);

	if (fd >= 0 && failed == 0) {
		net_addr_set(&a, (struct sockaddr *)&ss, peer ? fd : -1,
			(uint16_t)hub.conf->p.listen_port);
		net_addr_host(&a, text, sizeof text);
	}
	if (pid && !*pid && a.family == AF_UNIX)
		*pid = (uint32_t)a.pid;
	row_text(r, text);
	row_int(r, a.port);
}

static void put_socket(struct buf *into, const struct socket_row *s, unsigned want)
{
	struct row r = row_begin(into);
	char text[96];
	uint32_t pid = s->pid;

	row_text(&r, s->type);
	row_text(&r, s->user);
	row_text(&r, s->database);
	row_text(&r, s->replication);
	if (want & WANT_DEBUG) {
		snprintf(text, sizeof text, "%s_%s", s->type[0] == 'C' ? "cl" : "sv", s->state);
		row_text(&r, text);
	} else {
		row_text(&r, s->state);
	}
	put_end(&r, s->fd, true, &pid);
	put_end(&r, s->fd, false, NULL);
	row_time(&r, s->connected);
	row_time(&r, s->requested);
	row_uint(&r, s->waits / USEC_SEC);
	row_uint(&r, s->waits % USEC_SEC);
	row_int(&r, s->doomed);
	snprintf(text, sizeof text, "%p", s->self);
	row_text(&r, text);
	if (s->link)
		snprintf(text, sizeof text, "%p", s->link);
	row_text(&r, s->link ? text : "");
	row_uint(&r, pid);
	conn_tls_text(s->conn, text, sizeof text);
	row_text(&r, text);
	row_text(&r, s->application);
	row_uint(&r, s->statements);
	row_uint(&r, s->id);
	if (want & WANT_DEBUG) {
		row_uint(&r, s->in);
		row_uint(&r, 0);
		row_uint(&r, s->left);
		row_uint(&r, s->out);
		row_uint(&r, s->out);
		row_uint(&r, s->in);
		row_uint(&r, s->out);
	}
	row_end(&r);
}

static void put_fd(struct buf *into, const struct socket_row *s, const struct params *p)
{
	struct row r = row_begin(into);

	row_int(&r, s->fd);
	row_text(&r, s->type[0] == 'C' ? "client" : "server");
	row_text(&r, s->user);
	row_text(&r, s->database);
	put_end(&r, s->fd, true, NULL);
	row_int(&r, 0); /* cancel keys, passwords and SCRAM keys are nobody's business */
	row_int(&r, 0);
	row_text(&r, p ? params_value(p, "client_encoding") : NULL);
	row_text(&r, p ? params_value(p, "standard_conforming_strings") : NULL);
	row_text(&r, p ? params_value(p, "DateStyle") : NULL);
	row_text(&r, p ? params_value(p, "TimeZone") : NULL);
	for (int i = 0; i < 3; i++)
		row_text(&r, NULL);
	row_end(&r);
}

static void put(struct buf *into, const struct socket_row *s, const struct params *p, unsigned want)
{
	if ((want & WANT_ACTIVE) && !s->in && !s->out && !s->left)
		return;
	if (want & WANT_FDS)
		put_fd(into, s, p);
	else
		put_socket(into, s, want);
}

static const char *replication_name(unsigned r)
{
	static const char *const names[] = {"none", "physical", "logical"};

	return r < ARRAY_LEN(names) ? names[r] : "none";
}

static const char *application_of(const struct params *p)
{
	const char *name = p ? params_value(p, "application_name") : NULL;

	return name ? name : "";
}

static void put_client(struct buf *into, const struct client *c, unsigned want)
{
	const struct worker *w = &c->lane->relay->w;
	bool waits = c->state == CLIENT_WAITING || c->state == CLIENT_LOGIN;
	usec_t since = c->waiter.since;
	struct socket_row s = {
		.type = "C",
		.user = c->lane->pool->user,
		.database = c->lane->pool->database,
		.replication = replication_name(c->replication),
		.state = waits	     ? "waiting"
			 : c->server ? "active"
				     : "idle",
		.application = c->state == CLIENT_LOGIN ? c->login->application_name
							: application_of(c->params),
		.fd = c->conn.fd,
		.connected = c->connected * USEC_SEC,
		.requested = w->wall - (w->now - since),
		.waits = waits ? w->now - since : 0,
		.doomed = c->closing,
		.self = c,
		.link = c->server,
		.conn = &c->conn,
		.statements = client_statement_count(c),
		.id = c->id,
		.in = chunk_left(c->in),
		.out = chunk_left(c->out),
		.left = c->left,
	};

	if ((want & WANT_DEBUG) && !waits)
		s.state = "active";
	put(into, &s, c->params, want);
}

static const char *server_state(const struct server *s, unsigned want)
{
	const struct lane *l = s->lane;

	if (s->slot.state == SLOT_DIALING)
		return want & WANT_DEBUG ? "login" : "new";
	if (s->slot.state == SLOT_IDLE)
		return l->set.check_query[0] &&
				       l->relay->w.now - s->released >= l->set.server_check_delay
			       ? "used"
			       : "idle";
	return s->client ? "active" : s->cancels ? "being_canceled" : "tested";
}

static void put_server(struct buf *into, const struct server *v, unsigned want)
{
	const struct worker *w = &v->lane->relay->w;
	struct socket_row s = {
		.type = "S",
		.user = v->lane->pool->server_user,
		.database = v->lane->pool->database,
		.replication = replication_name(v->replication),
		.state = server_state(v, want),
		.application = application_of(v->params),
		.fd = v->conn.fd,
		.connected = v->connected,
		.requested = v->lent ? w->wall - (w->now - v->lent) : 0,
		.doomed = v->slot.doomed,
		.self = v,
		.link = v->client,
		.pid = v->pid,
		.conn = &v->conn,
		.statements = server_statement_count(v),
		.id = v->id,
		.in = chunk_left(v->in),
		.out = chunk_left(v->out),
		.left = v->left,
	};

	put(into, &s, v->params, want);
}

static void gather(struct relay *r, struct buf *into, void *arg)
{
	const struct sockets *ask = arg;
	struct list *i, *k;
	struct client *c;

	if (ask->want & WANT_CLIENTS)
		for (uint32_t at = 0; (c = relay_next_client(r, &at));)
			put_client(into, c, ask->want);
	list_each (i, &r->lanes) {
		struct lane *l = list_entry(i, struct lane, link);
		struct list *slots[] = {&l->shard.busy, &l->shard.idle, &l->shard.dialing};

		for (size_t n = 0; n < ARRAY_LEN(slots) && ask->want & WANT_SERVERS; n++)
			list_each (k, slots[n])
				put_server(into,
					CONTAINER_OF(list_entry(k, struct slot, link),
						struct server, slot),
					ask->want);
	}
}

static void put_console(struct buf *into, const struct console *c, unsigned want)
{
	struct socket_row s = {
		.type = "C",
		.user = c->login->user,
		.database = "pgbouncer",
		.replication = "none",
		.state = c->running ? "active" : "idle",
		.application = c->login->application_name,
		.fd = c->conn.fd,
		.connected = c->login->connected,
		.requested = c->last_request,
		.self = c,
		.conn = &c->conn,
		.id = c->login->id,
		.in = c->in.len,
		.out = c->out.len - c->sent,
	};

	if (want & WANT_DEBUG)
		s.state = "active";
	put(into, &s, NULL, want);
}

static void done(struct collection *c)
{
	struct sockets *ask = c->arg;
	struct request *q = ask->q;
	struct list *l;

	for (int i = 0; i < c->n; i++)
		buf_put(&q->answer.rows, c->parts[i].data, c->parts[i].len);
	if (ask->want & WANT_CLIENTS && !(ask->want & WANT_FDS))
		list_each (l, &console_sessions)
			put_console(&q->answer.rows, list_entry(l, struct console, link),
				ask->want);
	free(ask);
	q->answer.tag = "SHOW";
	request_done(q);
}

static void ask_for(struct request *q, unsigned want)
{
	struct sockets *ask = mem_zalloc(sizeof *ask);

	ask->q = q;
	ask->want = want;
	hub_collect(gather, done, ask);
}

void show_clients(struct request *q)
{
	ask_for(q, WANT_CLIENTS);
}

void show_servers(struct request *q)
{
	ask_for(q, WANT_SERVERS);
}

void show_sockets(struct request *q)
{
	ask_for(q, WANT_CLIENTS | WANT_SERVERS | WANT_DEBUG);
}

void show_active_sockets(struct request *q)
{
	ask_for(q, WANT_CLIENTS | WANT_SERVERS | WANT_DEBUG | WANT_ACTIVE);
}

void show_fds(struct request *q)
{
	ask_for(q, WANT_CLIENTS | WANT_SERVERS | WANT_FDS);
}
