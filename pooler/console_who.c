/* SPDX-License-Identifier: ISC
 *
 * SHOW WHO <backend pid> [AT 'time']: which client used that server process, now or then.
 * A DBA who sees a pid in pg_stat_activity, pg_locks or the server's log finds the
 * application behind the pooler.
 */
#include "console_inner.h"

#include <strings.h>
#include <time.h>

#define RECENT 20U /* rows without AT */

struct who {
	struct request *q;
	uint32_t pid;
	usec_t at; /* 0: now */
};

/* One finding of a relay; the client's address is there when it is still connected. */
struct found {
	struct who_note note;
	bool now; /* it has it now */
	char peer[NET_ADDR_TEXT + 8], app[64];
};

static void describe(struct found *f, const struct client *c)
{
	const char *app = c->params ? params_value(c->params, "application_name") : NULL;
	const char *space;
	char who[200];

	client_who(c, who, sizeof who);
	space = strrchr(who, ' ');
	snprintf(f->peer, sizeof f->peer, "%s", space ? space + 1 : "");
	snprintf(f->app, sizeof f->app, "%s", app ? app : "");
}

static void put(struct relay *r, struct buf *into, struct found *f)
{
	const struct client *c = relay_client(r, f->note.client);

	if (c)
		describe(f, c);
	buf_put(into, f, sizeof *f);
}

static void gather_now(struct relay *r, struct buf *into, const struct who *w)
{
	struct list *i, *k;

	list_each (i, &r->lanes)
		list_each (k, &list_entry(i, struct lane, link)->shard.busy) {
			const struct server *s =
				CONTAINER_OF(list_entry(k, struct slot, link), struct server, slot);
			struct found f = {.now = true};

			if (s->pid != w->pid || !s->client)
				continue;
			f.note.from = r->w.wall - (r->w.now - s->lent);
			f.note.client = s->client->id;
			f.note.pool = s->lane->pool;
			f.note.pid = s->pid;
			if (!w->at || w->at >= f.note.from)
				put(r, into, &f);
		}
}

static void gather(struct relay *r, struct buf *into, void *arg)
{
	const struct who *w = arg;
	unsigned n = 0;

	gather_now(r, into, w);
	for (int which = 0; which < 2; which++)
		for (uint64_t i = 0; i < who_kept(&r->who, which); i++) {
			const struct who_note *note = who_at(&r->who, which, i);
			struct found f = {.note = *note};

			if (note->pid != w->pid)
				continue;
			if (w->at ? note->from <= w->at && w->at <= note->until : n++ < 2 * RECENT)
				put(r, into, &f);
		}
}

static int latest_first(const void *a, const void *b)
{
	const struct found *x = a, *y = b;

	return x->note.from < y->note.from ? 1 : x->note.from > y->note.from ? -1 : 0;
}

static void put_moment(struct row *r, usec_t wall)
{
	time_t seconds = (time_t)(wall / USEC_SEC);
	struct tm tm;
	char text[64];
	size_t n;

	if (!wall || !gmtime_r(&seconds, &tm)) {
		row_text(r, NULL);
		return;
	}
	n = strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &tm);
	snprintf(text + n, sizeof text - n, ".%06u UTC", (unsigned)(wall % USEC_SEC));
	row_text(r, text);
}

static void done(struct collection *c)
{
	struct who *w = c->arg;
	struct request *q = w->q;
	struct buf all = {0};
	struct found *f;
	size_t n;

	for (int i = 0; i < c->n; i++)
		buf_put(&all, c->parts[i].data, c->parts[i].len);
	f = (struct found *)(void *)all.data;
	n = all.len / sizeof *f;
	if (n)
		qsort(f, n, sizeof *f, latest_first);
	for (size_t i = 0; i < n && i < RECENT; i++) {
		struct row r = row_begin(&q->answer.rows);

		row_uint(&r, f[i].note.client);
		row_text(&r, f[i].note.pool->database);
		row_text(&r, f[i].note.pool->user);
		row_text(&r, f[i].peer[0] ? f[i].app : NULL);
		row_text(&r, f[i].peer[0] ? f[i].peer : NULL);
		put_moment(&r, f[i].note.from);
		put_moment(&r, f[i].now ? 0 : f[i].note.until);
		row_end(&r);
	}
	if (!n)
		request_notice(q,
			"nothing is known of server process %u%s; the log has the "
			"addresses of clients (C-ID), the query log every statement's server_pid",
			w->pid, w->at ? " at that time" : "");
	buf_free(&all);
	free(w);
	q->answer.tag = "SHOW";
	request_done(q);
}

/* "2026-11-21 09:15:00.5", "2026-11-21T09:15:00Z", "09:15:00" (today), with UTC, Z or +hh:mm
 * behind; without: UTC.  0: not understood. */
usec_t who_moment(const char *text, usec_t now)
{
	time_t today = (time_t)(now / USEC_SEC), seconds;
	struct tm tm = {0};
	const char *rest = strptime(text, "%Y-%m-%d", &tm);
	double fraction = 0;
	char *end;
	int hours, minutes = 0, n = 0;

	if (rest) {
		if (*rest != ' ' && *rest != 'T')
			return 0;
		rest++;
	} else {
		gmtime_r(&today, &tm);
		rest = text;
	}
	rest = strptime(rest, "%H:%M:%S", &tm);
	if (!rest)
		return 0;
	if (*rest == '.') {
		fraction = strtod(rest, &end);
		if (!(fraction >= 0 && fraction < 1))
			return 0;
		rest = end;
	}
	while (*rest == ' ')
		rest++;
	seconds = timegm(&tm);
	if (*rest == '+' || *rest == '-') {
		if (sscanf(rest + 1, "%2d%n:%2d%n", &hours, &n, &minutes, &n) < 1 || rest[1 + n])
			return 0;
		seconds -= (*rest == '-' ? -1 : 1) * (hours * 3600 + minutes * 60);
	} else if (*rest && strcasecmp(rest, "utc") && strcasecmp(rest, "gmt") &&
		   strcasecmp(rest, "z")) {
		return 0;
	}
	return seconds <= 0 ? 0 : (usec_t)seconds * USEC_SEC + (usec_t)(fraction * USEC_SEC);
}

void show_who(struct request *q)
{
	struct who *w;
	char *end, moment[100] = "";
	unsigned long pid = strtoul(request_arg(q, 0), &end, 10);
	usec_t at = 0;

	if (*request_arg(q, 1)) {
		snprintf(moment, sizeof moment, "%s%s%s", request_arg(q, 2),
			*request_arg(q, 3) ? " " : "", request_arg(q, 3));
		at = strcasecmp(request_arg(q, 1), "at") == 0 ? who_moment(moment, clock_wall())
							      : 0;
	}
	if (*end || !pid || pid > UINT32_MAX || (*request_arg(q, 1) && !at)) {
		request_fail(q, NULL,
			"SERVERS and pg_stat_activity have the pids; times are UTC unless they say "
			"otherwise.",
			"write SHOW WHO <backend pid> or SHOW WHO <backend pid> AT '2026-11-21 "
			"09:15:00'");
		request_done(q);
		return;
	}
	w = mem_zalloc(sizeof *w);
	w->q = q;
	w->pid = (uint32_t)pid;
	w->at = at;
	hub_collect(gather, done, w);
}
