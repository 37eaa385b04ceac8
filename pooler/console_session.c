/* SPDX-License-Identifier: ISC
 *
 * struct console: one operator's session, on the front's loop.  Nothing here blocks: a
 * request that must ask the relays leaves the session `running` until mail comes back, and
 * meanwhile only the end of the connection is listened for.  Not a byte is read while an
 * answer waits to be sent, so a client that does not read costs one answer's memory.
 *
 *   read ─▶ in ─▶ console_message.c, message by message ─▶ request_run() ─▶ answer ─▶ out
 *             ▲                                                            │
 *             └─────────────────── the next message when out is sent ◀─────┘
 */
#include "console_inner.h"

#define CONSOLE_SESSIONS_MAX 200

struct list console_sessions;
int console_session_count;
static uint32_t last_number;

/* --- the end ---------------------------------------------------------------------- */

static void reap(struct worker *w, struct mail *m)
{
	struct console *c = CONTAINER_OF(m, struct console, reap);

	(void)w;
	message_release(c);
	buf_free(&c->in);
	buf_free(&c->out);
	login_free(&c->login);
	free(c->query);
	free(c);
}

void console_close(struct console *c, const char *why)
{
	char who[160];

	if (c->closed)
		return;
	c->closed = true;
	if (why && hub.conf->p.log_disconnections)
		log_line(LOG_PART_CONSOLE, LOG_LEVEL_INFO, "%s: closing because: %s (age=%llus)",
			login_who(c->login, who, sizeof who), why,
			(unsigned long long)((clock_wall() - c->login->connected) / USEC_SEC));
	ev_io_stop(hub.front.loop, &c->io);
	conn_close(&c->conn);
	list_del(&c->link);
	console_session_count--;
	if (console_session_count == 0 && hub.paused == HUB_SUSPENDED && !hub.stopping) {
		/* Nobody could log in to say RESUME. */
		log_line(LOG_PART_CONSOLE, LOG_LEVEL_INFO,
			"admin disappeared when suspended, doing RESUME");
		hub_resume();
	}
	if (c->running) {
		struct request *q = c->running;

		c->running = NULL;
		q->session = NULL;
		if (q->cancelled && q->cancelled(q))
			request_free(q);
	}
	c->reap.run = reap;
	worker_defer(&hub.front, &c->reap);
}

/* --- bytes ------------------------------------------------------------------------- */

static bool has_output(const struct console *c)
{
	return c->sent < c->out.len;
}

static void watch(struct console *c)
{
	int events = has_output(c) ? EV_WRITE : EV_READ;

	if (c->closed)
		return;
	/* while it waits the client may only go away */
	if (c->running && c->in.len >= CONSOLE_INPUT_MAX)
		events &= ~EV_READ;
	if (ev_is_active(&c->io) && c->io.events == events)
		return;
	ev_io_stop(hub.front.loop, &c->io);
	if (!events)
		return;
	ev_io_set(&c->io, c->conn.fd, events);
	ev_io_start(hub.front.loop, &c->io);
}

static void flush(struct console *c)
{
	while (has_output(c)) {
		ssize_t took = conn_send(&c->conn, c->out.data + c->sent, c->out.len - c->sent);

		if (took == CONN_AGAIN)
			break;
		if (took == CONN_ERROR) {
			console_close(c, "client unexpected eof");
			return;
		}
		c->sent += (size_t)took;
	}
	if (!has_output(c)) {
		c->sent = 0;
		c->out.len = 0;
		if (c->out.size > CONSOLE_INPUT_MAX)
			buf_free(&c->out);
	}
}

/* Deals with what was received, until something must be waited for. */
void console_advance(struct console *c)
{
	if (c->advancing)
		return; /* a request that was done at once: the loop below goes on */
	c->advancing = true;
	while (!c->closed && !c->running) {
		if (c->out.len - c->sent < CONSOLE_OUTPUT_HIGH && message_next(c))
			continue;
		if (!has_output(c))
			break;
		flush(c);
		if (c->closed || has_output(c))
			break;
	}
	c->advancing = false;
	if (!c->closed)
		flush(c);
	watch(c);
}

static void read_some(struct console *c)
{
	char bytes[8192];
	ssize_t got;

	do {
		got = conn_recv(&c->conn, bytes, sizeof bytes);
		if (got == CONN_AGAIN)
			break;
		if (got == CONN_EOF || got == CONN_ERROR) {
			console_close(c, "client unexpected eof");
			return;
		}
		buf_put(&c->in, bytes, (size_t)got);
	} while (c->in.len < CONSOLE_INPUT_MAX && c->conn.ssl && conn_has_pending(&c->conn));
	console_advance(c);
}

static void on_io(struct ev_loop *loop, ev_io *io, int revents)
{
	struct console *c = CONTAINER_OF(io, struct console, io);

	(void)loop;
	if (revents & EV_WRITE) {
		flush(c);
		if (!c->closed && !has_output(c) && c->conn.ssl && conn_has_pending(&c->conn))
			read_some(c);
		else
			console_advance(c);
	} else if (revents & EV_READ) {
		read_some(c);
	}
}

/* --- coming in --------------------------------------------------------------------- */

/* The settings that clients look at before they speak. */
static void greet(struct console *c)
{
	static const char *const told[][2] = {
		{"server_version", CONSOLE_PGBOUNCER_VERSION "/bouncer"},
		{"client_encoding", "UTF8"},
		{"server_encoding", "UTF8"},
		{"DateStyle", "ISO"},
		{"TimeZone", "GMT"},
		{"standard_conforming_strings", "on"},
		{"is_superuser", "on"},
	};

	wire_put_auth_ok(&c->out);
	for (size_t i = 0; i < ARRAY_LEN(told); i++)
		wire_put_parameter(&c->out, told[i][0], told[i][1]);
	cancel_key_put(&c->out, hub_front_pid(c->number), c->secret);
	wire_put_ready(&c->out, c->status);
}

void console_accept(struct login *login)
{
	struct console *c = mem_zalloc(sizeof *c);
	char who[160];

	c->login = login;
	c->conn = login->conn;
	login->conn.fd = -1;
	login->conn.ssl = NULL;
	c->out = login->out;
	c->in = login->in;
	memset(&login->out, 0, sizeof login->out);
	memset(&login->in, 0, sizeof login->in);
	c->status = 'I';
	c->last_request = clock_wall();
	c->number = last_number++ & 0xffff;
	c->secret = cancel_secret();
	message_init(c);
	ev_io_init(&c->io, on_io, c->conn.fd, EV_READ);
	list_push_back(&console_sessions, &c->link);
	if (++console_session_count > CONSOLE_SESSIONS_MAX) {
		wire_put_error(&c->out, 'E', "FATAL", "53300", "too many sessions of the console",
			NULL, "Close some: SHOW CLIENTS lists them.");
		flush(c);
		console_close(c, "too many sessions of the console");
		return;
	}
	if (hub.conf->p.log_connections)
		log_line(LOG_PART_CONSOLE, LOG_LEVEL_INFO, "%s: the console is entered (%s)",
			login_who(login, who, sizeof who), login->admin ? "admin" : "stats");
	greet(c);
	console_advance(c);
}

/* The cancel request of a session: ends what it waits for. */
static void on_cancel(uint32_t number, uint32_t secret)
{
	struct list *l;

	list_each (l, &console_sessions) {
		struct console *c = list_entry(l, struct console, link);

		if (c->number != number || !mem_equal_ct(&c->secret, &secret, sizeof secret))
			continue;
		if (c->running && c->running->cancelled && c->running->cancelled(c->running)) {
			request_fail(c->running, "57014", NULL,
				"canceling statement due to user request");
			request_done(c->running);
		}
		return;
	}
}

void console_init(const struct console_ops *ops)
{
	console_ops = *ops;
	list_init(&console_sessions);
	hub.on_front_cancel = on_cancel;
	console_stats_start();
	console_commands_start();
}

void console_reload(void)
{
	console_stats_reload();
}

void console_shutdown(void)
{
	while (!list_empty(&console_sessions)) {
		struct console *c = list_first(&console_sessions, struct console, link);

		wire_put_error(&c->out, 'E', "FATAL", "57P01", "the pooler is shutting down", NULL,
			NULL);
		flush(c);
		console_close(c, "the pooler is shutting down");
	}
}
