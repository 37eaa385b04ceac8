/* SPDX-License-Identifier: ISC
 *
 * The table of commands, and those that act on databases, clients and the process.
 *
 * PAUSE, SUSPEND and WAIT_CLOSE answer when what they ask for has come true.  Such a request
 * is on the list `waiting`; it is looked at again whenever a server connection closes
 * (hub.on_close), SUSPEND by a timer: it waits for buffers, which nobody announces.
 */
#include "console_inner.h"

#include <strings.h>

void console_finish(struct request *q, const char *tag)
{
	char who[160];
	const char *arg = request_arg(q, 0);

	if (q->session)
		log_line(LOG_PART_CONSOLE, LOG_LEVEL_INFO, "%s: %s%s%s command issued",
			login_who(q->session->login, who, sizeof who), tag, *arg ? " " : "", arg);
	q->answer.tag = tag;
	request_done(q);
}

static void refuse(struct request *q, const char *hint, const char *fmt, const char *arg)
{
	struct buf text = {0};

	buf_put_str(&text, fmt);
	if (arg)
		buf_printf(&text, ": %s", arg);
	request_fail(q, NULL, hint, "%s", buf_cstr(&text));
	buf_free(&text);
	request_done(q);
}

/* The database that the command names: NULL when it names none.  false: refused. */
static bool take_database(struct request *q, const char *verb, const char **out)
{
	const char *name = request_arg(q, 0);
	char text[64];

	*out = *name ? name : NULL;
	if (!*name)
		return true;
	if (conf_is_console(name)) {
		snprintf(text, sizeof text, "cannot %s admin db", verb);
		refuse(q, NULL, text, name);
		return false;
	}
	if (conf_database_find(hub.conf, name))
		return true;
	refuse(q, "SHOW DATABASES lists them.", "no such database", name);
	return false;
}

/* Answers when every relay has carried out what it was sent before. */
static void gather_nothing(struct relay *r, struct buf *into, void *arg)
{
	(void)r;
	(void)into;
	(void)arg;
}

static void synced(struct collection *c)
{
	struct request *q = c->arg;

	console_finish(q, q->answer.tag);
}

static void finish_when_done(struct request *q, const char *tag)
{
	q->answer.tag = tag;
	hub_collect(gather_nothing, synced, q);
}

/* --- waiting ------------------------------------------------------------------------------ */

enum wait_kind { WAIT_PAUSE, WAIT_CLOSE, WAIT_SUSPEND };

struct wait {
	struct list link; /* waiting */
	struct request *request;
	enum wait_kind kind;
	char *database; /* NULL: all */
	bool asking;	/* the relays are being asked */
	bool again;	/* ask once more when they have answered */
	bool cancelled;
	usec_t give_up; /* SUSPEND: then who does not flush is closed */
};

static struct list waiting;
static ev_timer suspend_timer;

static const char *const wait_tags[] = {"PAUSE", "WAIT_CLOSE", "SUSPEND"};

static void wait_free(struct wait *w)
{
	list_del(&w->link);
	atomic_fetch_sub(&hub.close_watchers, 1);
	if (list_empty(&waiting))
		ev_timer_stop(hub.front.loop, &suspend_timer);
	free(w->database);
	free(w);
}

static int count_doomed(const struct lane *l)
{
	const struct list *lists[] = {&l->shard.idle, &l->shard.busy, &l->shard.dialing};
	struct list *i;
	int n = 0;

	for (size_t k = 0; k < ARRAY_LEN(lists); k++)
		list_each (i, lists[k])
			n += list_entry(i, struct slot, link)->doomed;
	return n;
}

/* Connections with bytes on their way; when it has lasted too long they are closed. */
static int count_unsent(struct lane *l, bool close)
{
	struct list *lists[] = {&l->shard.idle, &l->shard.busy}, *i;
	struct client *c;
	int n = 0;

	for (uint32_t at = 0; (c = relay_next_client(l->relay, &at));) {
		if (c->lane != l || !c->out)
			continue;
		n++;
		if (close)
			client_close(c, CLOSE_SUSPEND_TIMEOUT, NULL);
	}
	for (size_t k = 0; k < ARRAY_LEN(lists); k++)
		for (i = lists[k]->next; i != lists[k];) {
			struct server *s =
				CONTAINER_OF(list_entry(i, struct slot, link), struct server, slot);

			n += s->out != NULL;
			i = i->next;
			if (!s->out || !close)
				continue;
			server_close(s, CLOSE_SUSPEND_TIMEOUT, NULL);
			i = lists[k]->next; /* it may have been the end of others */
		}
	return n;
}

static void gather_wait(struct relay *r, struct buf *into, void *arg)
{
	const struct wait *w = arg;
	struct list *i;
	int n = 0;

	list_each (i, &r->lanes) {
		struct lane *l = list_entry(i, struct lane, link);

		if (w->database && strcmp(w->database, l->pool->database) != 0)
			continue;
		switch (w->kind) {
		case WAIT_PAUSE:
			n += pool_open(&l->shard) + atomic_load(&l->pool->moving);
			break;
		case WAIT_CLOSE:
			n += count_doomed(l) + atomic_load(&l->pool->moving);
			break;
		case WAIT_SUSPEND:
			n += count_unsent(l, r->w.now >= w->give_up);
			break;
		}
	}
	buf_put(into, &n, sizeof n);
}

static void ask(struct wait *w);

static void asked(struct collection *c)
{
	struct wait *w = c->arg;
	struct request *q = w->request;
	enum wait_kind kind = w->kind;
	bool cancelled = w->cancelled;
	int left = 0, n;

	w->asking = false;
	for (int i = 0; i < c->n; i++) {
		memcpy(&n, c->parts[i].data, sizeof n);
		left += n;
	}
	if (left > 0 && !cancelled) {
		if (w->again)
			ask(w);
		return;
	}
	wait_free(w);
	if (cancelled && q->session)
		request_fail(q, "57014", NULL, "canceling statement due to user request");
	if (cancelled)
		request_done(q);
	else
		console_finish(q, wait_tags[kind]);
}

static void ask(struct wait *w)
{
	w->again = w->asking;
	if (w->asking)
		return;
	w->asking = true;
	hub_collect(gather_wait, asked, w);
}

static void ask_all(void)
{
	struct list *l;

	list_each (l, &waiting)
		ask(list_entry(l, struct wait, link));
}

static void on_suspend_timer(struct ev_loop *loop, ev_timer *t, int revents)
{
	(void)loop;
	(void)t;
	(void)revents;
	ask_all();
}

/* The client has gone or asks to stop.  As in PgBouncer a cancelled PAUSE is taken back. */
static bool stop_waiting(struct request *q)
{
	struct wait *w = q->job;

	if (w->kind != WAIT_CLOSE && q->session) {
		if (w->database)
			hub_pause(w->database, false);
		else
			hub_resume();
	}
	w->cancelled = true;
	if (w->asking)
		return false; /* asked() sees to it */
	wait_free(w);
	return true;
}

static void wait_for(struct request *q, enum wait_kind kind, const char *database)
{
	struct wait *w = mem_zalloc(sizeof *w);

	w->request = q;
	w->kind = kind;
	w->database = database ? mem_strdup(database) : NULL;
	w->give_up = clock_mono() + hub.conf->p.suspend_timeout;
	list_push_back(&waiting, &w->link);
	atomic_fetch_add(&hub.close_watchers, 1);
	q->job = w;
	q->cancelled = stop_waiting;
	if (kind == WAIT_SUSPEND)
		ev_timer_again(hub.front.loop, &suspend_timer);
	ask(w);
}

void console_commands_start(void)
{
	list_init(&waiting);
	hub.on_close = ask_all;
	ev_timer_init(&suspend_timer, on_suspend_timer, 0.02, 0.02);
}

/* --- PAUSE and its kin --------------------------------------------------------------------------
 */

static bool already_paused(struct request *q)
{
	if (hub.paused == HUB_RUNNING)
		return false;
	refuse(q, "RESUME ends it.", "already suspended/paused", NULL);
	return true;
}

static void run_pause(struct request *q)
{
	const char *database;

	if (already_paused(q) || !take_database(q, "pause", &database))
		return;
	hub_pause(database, true);
	wait_for(q, WAIT_PAUSE, database);
}

static void run_suspend(struct request *q)
{
	if (already_paused(q))
		return;
	if (hub_count_paused()) {
		refuse(q, "RESUME them first: buffers must be flushed.",
			"cannot suspend with paused databases", NULL);
		return;
	}
	hub_suspend(true);
	wait_for(q, WAIT_SUSPEND, NULL);
}

static void run_resume(struct request *q)
{
	const char *database;

	if (!take_database(q, "resume", &database))
		return;
	if (hub.stopping) {
		refuse(q, NULL, "pooler is shutting down", NULL);
		return;
	}
	if (database) {
		const struct hub_database *d = hub_database_find(database);

		if (!d || !d->paused) {
			request_fail(q, NULL,
				hub.paused ? "All databases are: RESUME without a name." : NULL,
				"database %s is not paused", database);
			request_done(q);
			return;
		}
		hub_pause(database, false);
	} else if (hub.paused != HUB_RUNNING) {
		hub_resume();
	} else if (hub_count_paused()) {
		request_notice(q, "all %d databases that were paused by name are resumed",
			hub_count_paused());
		hub_resume_named();
	} else {
		refuse(q, NULL, "pooler is not paused/suspended", NULL);
		return;
	}
	finish_when_done(q, "RESUME");
}

static void disable(struct request *q, bool on)
{
	const char *database;

	if (!take_database(q, on ? "disable" : "enable", &database))
		return;
	if (!database) {
		refuse(q, on ? "Write DISABLE <db>." : "Write ENABLE <db>.",
			"a database is required", NULL);
		return;
	}
	hub_disable(database, on);
	console_finish(q, on ? "DISABLE" : "ENABLE");
}

static void run_disable(struct request *q)
{
	disable(q, true);
}

static void run_enable(struct request *q)
{
	disable(q, false);
}

static void run_reconnect(struct request *q)
{
	const char *database;

	if (!take_database(q, "reconnect", &database))
		return;
	hub_reconnect(database);
	finish_when_done(q, "RECONNECT");
}

static void run_kill(struct request *q)
{
	const char *database;

	if (already_paused(q) || !take_database(q, "kill", &database))
		return;
	hub_kill(database);
	finish_when_done(q, "KILL");
}

static void run_wait_close(struct request *q)
{
	const char *database;

	if (!take_database(q, "wait in", &database))
		return;
	wait_for(q, WAIT_CLOSE, database);
}

/* --- one client
 * ------------------------------------------------------------------------------------ */

struct client_order {
	struct request *q;
	uint64_t id;
	bool cancel;
};

static void gather_client(struct relay *r, struct buf *into, void *arg)
{
	const struct client_order *o = arg;
	struct client *c = relay_client(r, o->id);
	struct conn nobody = {.fd = -1};

	if (!c)
		return;
	buf_put_u8(into, c->state == CLIENT_WAITING || c->server);
	if (o->cancel)
		client_cancel(c, &nobody);
	else
		client_close(c, CLOSE_KILLED, NULL);
}

static void client_done_with(struct collection *c)
{
	struct client_order *o = c->arg;
	struct request *q = o->q;
	bool cancel = o->cancel, found = false, busy = false;

	free(o);
	for (int i = 0; i < c->n; i++)
		if (c->parts[i].len) {
			found = true;
			busy = c->parts[i].data[0];
		}
	if (!found) {
		refuse(q, "SHOW CLIENTS has the ids in its last column.", "client not found", NULL);
		return;
	}
	if (cancel && !busy)
		request_notice(q, "the client has no statement running or waiting");
	console_finish(q, cancel ? "CANCEL" : "KILL_CLIENT");
}

/* "17" and "C-17", as the log has it. */
static void order_client(struct request *q, bool cancel)
{
	const char *text = request_arg(q, 0);
	struct client_order *o;
	char *end;
	uint64_t id;

	if (strncasecmp(text, "C-", 2) == 0)
		text += 2;
	id = strtoull(text, &end, 10);
	if (!*text || *end || *text == '-' || *text == '+') {
		refuse(q, "Write its id, as SHOW CLIENTS has it in the last column: 17 or C-17.",
			"invalid client pointer supplied", NULL);
		return;
	}
	o = mem_zalloc(sizeof *o);
	o->q = q;
	o->id = id;
	o->cancel = cancel;
	hub_collect(gather_client, client_done_with, o);
}

static void run_kill_client(struct request *q)
{
	struct list *l;
	const char *text = request_arg(q, 0);
	uint64_t id = strtoull(strncasecmp(text, "C-", 2) ? text : text + 2, NULL, 10);

	list_each (l, &console_sessions) {
		struct console *c = list_entry(l, struct console, link);

		if (c->login->id != id || c == q->session)
			continue;
		console_close(c, "admin forced disconnect");
		console_finish(q, "KILL_CLIENT");
		return;
	}
	order_client(q, false);
}

static void run_cancel(struct request *q)
{
	order_client(q, true);
}

/* --- SHUTDOWN
 * ---------------------------------------------------------------------------------------- */

static bool nothing_to_stop(struct request *q)
{
	(void)q;
	return true;
}

static void run_shutdown(struct request *q)
{
	const char *how = request_arg(q, 0);
	int mode = 3;

	if (strcasecmp(how, "wait_for_clients") == 0) {
		mode = 1;
	} else if (strcasecmp(how, "wait_for_servers") == 0) {
		mode = 2;
	} else if (how[0]) {
		request_invalid(q,
			"Write SHUTDOWN, SHUTDOWN WAIT_FOR_SERVERS or SHUTDOWN WAIT_FOR_CLIENTS.");
		request_done(q);
		return;
	}
	if (mode == 3) {
		/* The connection stays open until the process has gone: that is the answer. */
		q->cancelled = nothing_to_stop;
		console_ops.shutdown(mode);
		return;
	}
	console_finish(q, "SHUTDOWN");
	console_ops.shutdown(mode);
}

/* --- the table
 * ----------------------------------------------------------------------------------------- */

const struct console_row console_commands[] = {
	{.name = "set",
		.args = "key = value",
		.right = RIGHT_ADMIN,
		.min_args = 3,
		.max_args = WORDS_MAX,
		.run = run_set,
		.help = "change a setting until the next RELOAD"},
	{.name = "reset_queries",
		.right = RIGHT_ADMIN,
		.run = run_reset_queries,
		.help = "begin SHOW QUERIES anew"},
	{.name = "reload",
		.args = "[CHECK]",
		.right = RIGHT_ADMIN,
		.max_args = 1,
		.run = run_reload,
		.help = "read the settings again; CHECK: only say what would change"},
	{.name = "pause",
		.args = "[<db>]",
		.right = RIGHT_ADMIN,
		.max_args = 1,
		.run = run_pause,
		.help = "let transactions end, close server connections, hold clients"},
	{.name = "resume",
		.args = "[<db>]",
		.right = RIGHT_ADMIN,
		.max_args = 1,
		.run = run_resume,
		.help = "end PAUSE, KILL or SUSPEND"},
	{.name = "disable",
		.args = "<db>",
		.right = RIGHT_ADMIN,
		.max_args = 1,
		.run = run_disable,
		.help = "turn new clients away"},
	{.name = "enable",
		.args = "<db>",
		.right = RIGHT_ADMIN,
		.max_args = 1,
		.run = run_enable,
		.help = "end DISABLE"},
	{.name = "reconnect",
		.args = "[<db>]",
		.right = RIGHT_ADMIN,
		.max_args = 1,
		.run = run_reconnect,
		.help = "replace server connections as they come free"},
	{.name = "kill",
		.args = "[<db>]",
		.right = RIGHT_ADMIN,
		.max_args = 1,
		.run = run_kill,
		.help = "drop clients and servers at once, and pause"},
	{.name = "kill_client",
		.args = "<client_id>",
		.right = RIGHT_ADMIN,
		.min_args = 1,
		.max_args = 1,
		.run = run_kill_client,
		.help = "drop one client"},
	{.name = "cancel",
		.args = "<client_id>",
		.right = RIGHT_ADMIN,
		.min_args = 1,
		.max_args = 1,
		.run = run_cancel,
		.help = "cancel the statement of one client"},
	{.name = "suspend",
		.right = RIGHT_ADMIN,
		.run = run_suspend,
		.help = "flush buffers, then read nothing"},
	{.name = "shutdown",
		.args = "[WAIT_FOR_SERVERS|WAIT_FOR_CLIENTS]",
		.right = RIGHT_ADMIN,
		.max_args = 1,
		.run = run_shutdown,
		.help = "leave"},
	{.name = "wait_close",
		.args = "[<db>]",
		.right = RIGHT_ADMIN,
		.max_args = 1,
		.run = run_wait_close,
		.help = "wait until RECONNECT or RELOAD is through"},
	{0},
};
