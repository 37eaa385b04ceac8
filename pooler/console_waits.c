/* SPDX-License-Identifier: ISC
 *
 * What only a pooler knows of its clients: SHOW WAITS (who waits, why, and who has what it
 * waits for), SHOW SESSIONS and SHOW PINS; and of
 * its threads: SHOW WORKERS.  Statements are shown to admins only: they hold
 * values.  Those of clients that run are known while something is observed (query_log or
 * track_queries); of those that wait always: their request is at hand.
 */
#include "console_inner.h"

#include <netinet/in.h>

#define SHOWN_TEXT 300 /* bytes of a statement */

struct ask {
	struct request *q;
	bool texts; /* may see statements */
};

static void done(struct collection *c)
{
	struct ask *a = c->arg;
	struct request *q = a->q;

	for (int i = 0; i < c->n; i++)
		buf_put(&q->answer.rows, c->parts[i].data, c->parts[i].len);
	free(a);
	q->answer.tag = "SHOW";
	request_done(q);
}

static void ask_all(struct request *q, void (*gather)(struct relay *r, struct buf *into, void *arg))
{
	struct ask *a = mem_zalloc(sizeof *a);

	a->q = q;
	a->texts = q->session->login->admin;
	hub_collect(gather, done, a);
}

/* --- cells ------------------------------------------------------------------------------ */

void console_put_peer(struct row *r, const struct client *c)
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
	row_text(r, text);
}

static const char *application_of(const struct client *c)
{
	const char *name = c->state == CLIENT_LOGIN ? c->login->application_name
			   : c->params		    ? params_value(c->params, "application_name")
						    : NULL;

	return name ? name : "";
}

static void put_text(struct row *r, const char *text, size_t len, bool may_see)
{
	if (!text || !may_see) {
		row_text(r, NULL);
		return;
	}
	if (wire_text_effects(text, len) & TEXT_SECRET) {
		row_text(r, "(names a password)");
		return;
	}
	if (len > SHOWN_TEXT)
		for (len = SHOWN_TEXT; len > 0 && (text[len] & 0xC0) == 0x80;)
			len--; /* not inside of a character */
	row_textn(r, text, len);
}

/* The statement of a parked request; NULL: none that can be read. */
static const char *parked_text(const struct client *c, size_t *len)
{
	const char *p, *end, *name;
	const struct prepared *known;
	size_t size;
	char type;

	if (chunk_left(c->in) < WIRE_HEADER)
		return NULL;
	p = c->in->data + c->in->off;
	type = *p;
	size = wire_message_size(p);
	if (size < WIRE_HEADER)
		return NULL;
	end = p + (size < chunk_left(c->in) ? size : chunk_left(c->in));
	p += WIRE_HEADER;
	if (type == 'B' && !wire_cstr(&p, end))
		return NULL;
	if (type == 'P' || type == 'B') {
		name = wire_cstr(&p, end);
		if (!name)
			return NULL;
		if (type == 'B') {
			known = *name ? client_statement_get(c, name) : c->unnamed;
			*len = known ? known->text_len : 0;
			return known ? known->body : NULL;
		}
	} else if (type != 'Q') {
		return NULL;
	}
	*len = strnlen(p, (size_t)(end - p));
	return p;
}

/* --- WAITS --------------------------------------------------------------------------------- */

static void put_reason(struct row *r, const struct lane *l, const struct client *c)
{
	usec_t now = l->relay->w.now;
	char text[300];

	if (l->shard.paused)
		row_text(r, "the database is paused");
	else if (l->relay->suspended)
		row_text(r, "the pooler is suspended");
	else if (l->last_error && now < l->shard.dial_after) {
		snprintf(text, sizeof text, "login to the server failed, next try in %.1f s: %s",
			(double)(l->shard.dial_after - now) / USEC_SEC, l->last_error);
		row_text(r, text);
	} else if (l->shard.n_dialing)
		row_text(r, "a server connection is being opened");
	else if (l->shard.starved == l->pool->db_cap && l->pool->db_cap)
		row_text(r, "max_db_connections is reached");
	else if (l->shard.starved == l->pool->user_cap && l->pool->user_cap)
		row_text(r, "max_user_connections is reached");
	else if (l->shard.starved == l->pool->line_cap && l->pool->line_cap)
		row_text(r,
			"max_open is reached: other users of this database have the connections");
	else if (c->state == CLIENT_LOGIN)
		row_text(r, "it must know the server's parameters to be greeted");
	else
		row_text(r, "max_open is reached: all server connections are in use");
}

/* Who has had a connection of this pool for the longest time. */
static const struct server *oldest_lease(const struct lane *l)
{
	const struct server *best = NULL;
	struct list *i;

	list_each (i, &l->shard.busy) {
		const struct server *s =
			CONTAINER_OF(list_entry(i, struct slot, link), struct server, slot);

		if (s->client && (!best || s->lent < best->lent))
			best = s;
	}
	return best;
}

static const char *doing(const struct server *s)
{
	if (s->setup)
		return "being set up";
	if (s->ledger.len)
		return "active";
	return s->ledger.state.status == 'I'   ? s->client->pinned ? "idle, pinned" : "idle"
	       : s->ledger.state.status == 'E' ? "idle in failed transaction"
					       : "idle in transaction";
}

static void put_holder(struct row *r, const struct lane *l, const struct server *s, bool texts)
{
	const char *text;
	size_t len = 0;

	if (!s) {
		for (int i = 0; i < 7; i++)
			row_text(r, NULL);
		return;
	}
	row_uint(r, s->client->id);
	console_put_peer(r, s->client);
	row_text(r, application_of(s->client));
	row_uint(r, s->pid);
	row_text(r, doing(s));
	row_uint(r, l->relay->w.now - s->lent);
	text = trace_text(s->client, &len);
	put_text(r, text, len, texts);
}

static void put_waiter(struct buf *into, const struct lane *l, const struct client *c, int position,
	const struct server *holder, bool texts)
{
	struct row r = row_begin(into);
	usec_t since = c->waiter.since;
	const char *text;
	size_t len = 0;

	row_uint(&r, c->id);
	row_text(&r, l->pool->database);
	row_text(&r, l->pool->user);
	console_put_peer(&r, c);
	row_text(&r, application_of(c));
	row_uint(&r, l->relay->w.now - since);
	row_int(&r, position);
	put_reason(&r, l, c);
	text = parked_text(c, &len);
	put_text(&r, text, len, texts);
	put_holder(&r, l, holder, texts);
	row_end(&r);
}

static void gather_waits(struct relay *r, struct buf *into, void *arg)
{
	const struct ask *a = arg;
	struct list *i, *k;

	list_each (i, &r->lanes) {
		struct lane *l = list_entry(i, struct lane, link);
		struct list *queues[] = {&l->shard.waiting, &l->logins};
		const struct server *holder = NULL;
		int position = 1;

		if (l->shard.n_waiting || l->shard.n_greeters)
			holder = oldest_lease(l);
		for (size_t n = 0; n < ARRAY_LEN(queues); n++)
			list_each (k, queues[n])
				put_waiter(into, l,
					CONTAINER_OF(list_entry(k, struct waiter, link),
						struct client, waiter),
					position++, holder, a->texts);
	}
}

void show_waits(struct request *q)
{
	ask_all(q, gather_waits);
}

/* --- SESSIONS --------------------------------------------------------------------------------- */

static const char *state_of(const struct client *c)
{
	switch ((enum client_state)c->state) {
	case CLIENT_LOGIN:
		return "login";
	case CLIENT_WAITING:
		return "waiting";
	case CLIENT_LINKED:
		return c->server ? doing(c->server) : "active";
	case CLIENT_IDLE:
	case CLIENT_CLOSED:
		break;
	}
	return c->state == CLIENT_IDLE && c->begin ? "idle in transaction" : "idle";
}

static void put_session(struct buf *into, const struct client *c, bool texts)
{
	const struct worker *w = &c->lane->relay->w;
	usec_t since = c->waiter.since;
	struct row r = row_begin(into);
	const char *text;
	size_t len = 0;

	row_uint(&r, c->id);
	row_text(&r, c->lane->pool->database);
	row_text(&r, c->lane->pool->user);
	row_text(&r, application_of(c));
	console_put_peer(&r, c);
	row_int(&r, c->lane->relay->w.index);
	row_text(&r, console_mode_name((int)c->lane->set.mode));
	row_text(&r, state_of(c));
	row_uint(&r, w->now - since);
	row_uint(&r, c->xact_since ? w->now - c->xact_since : 0);
	row_time(&r, c->connected * USEC_SEC);
	row_uint(&r, c->server ? c->server->pid : 0);
	row_uint(&r, client_pid(c));
	row_int(&r, c->pinned);
	row_uint(&r, client_statement_count(c));
	row_uint(&r, client_statement_bytes(c));
	row_uint(&r, chunk_left(c->in) + chunk_left(c->out));
	text = c->state == CLIENT_WAITING ? parked_text(c, &len) : trace_text(c, &len);
	put_text(&r, text, len, texts);
	row_end(&r);
}

static void gather_sessions(struct relay *r, struct buf *into, void *arg)
{
	const struct ask *a = arg;
	struct client *c;

	for (uint32_t at = 0; (c = relay_next_client(r, &at));)
		put_session(into, c, a->texts);
}

void show_sessions(struct request *q)
{
	ask_all(q, gather_sessions);
}

/* --- PINS ----------------------------------------------------------------------------------------
 */

static void put_pin_reasons(struct row *r, unsigned effects)
{
	static const struct {
		unsigned bit;
		const char *word;
	} words[] = {
		{TEXT_SET, "settings"},
		{TEXT_PREPARE, "PREPARE"},
		{TEXT_LISTEN, "LISTEN"},
		{TEXT_TEMP, "temporary tables"},
		{TEXT_ADVISORY, "advisory locks"},
		{TEXT_HOLD, "cursors WITH HOLD"},
		{TEXT_LOAD, "LOAD"},
	};
	struct buf text = {0};

	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (effects & words[i].bit)
			buf_printf(&text, "%s%s", text.len ? ", " : "", words[i].word);
	row_text(r, text.len ? buf_cstr(&text) : "session state");
	buf_free(&text);
}

static void gather_pins(struct relay *r, struct buf *into, void *arg)
{
	const struct client *c;

	(void)arg;
	for (uint32_t at = 0; (c = relay_next_client(r, &at));) {
		struct row row;

		if (!c->pinned || !c->server)
			continue;
		row = row_begin(into);
		row_uint(&row, c->id);
		row_text(&row, c->lane->pool->database);
		row_text(&row, c->lane->pool->user);
		row_text(&row, application_of(c));
		console_put_peer(&row, c);
		row_uint(&row, c->server->pid);
		row_uint(&row, r->w.now - c->server->pinned_since);
		row_uint(&row, !c->server->ledger.len ? r->w.now - c->waiter.since : 0);
		put_pin_reasons(&row, c->server->session_state);
		row_end(&row);
	}
}

void show_pins(struct request *q)
{
	ask_all(q, gather_pins);
}
/* --- WORKERS ------------------------------------------------------------------------------ */

static void put_worker(struct buf *into, const char *name, struct worker *w, int clients,
	int servers, int lanes, uint64_t lent, uint64_t taken_over)
{
	struct row r = row_begin(into);

	row_text(&r, name);
	row_int(&r, clients);
	row_int(&r, servers);
	row_int(&r, lanes);
	row_uint(&r, w->ticks);
	row_uint(&r, worker_lag(w));
	row_uint(&r, lent);
	row_uint(&r, taken_over);
	row_end(&r);
}

static void gather_worker(struct relay *r, struct buf *into, void *arg)
{
	struct list *l;
	char name[32];
	int lanes = 0;

	(void)arg;
	list_each (l, &r->lanes)
		lanes++;
	snprintf(name, sizeof name, "relay-%d", r->w.index);
	put_worker(into, name, &r->w, r->n_clients, r->n_servers, lanes, r->chunks.lent,
		r->taken_over);
}

void show_workers(struct request *q)
{
	put_worker(&q->answer.rows, "front", &hub.front, console_session_count, 0, 0, 0, 0);
	ask_all(q, gather_worker);
}
