/* SPDX-License-Identifier: ISC
 *
 * The lanes of a pool share what they have: an idle connection, with its place, goes to the
 * lane where a client waits, on another thread.
 *
 *   this lane (a client waits)                 the other lane (has an idle connection)
 *
 *   share_tend() ─── mail `ask` ───────────────▶ on_ask(): those that rest go over
 *   on_arrival() ◀──────── mail, one each ───── server_leave()
 *   on_answer() ◀───────── mail `ask` ─────────
 *                                               share_tend(): one has come to rest, and a
 *   on_arrival() ◀──────── mail ─────────────── client waits
 *                                               share_offer(): one came free, and somebody
 *   on_arrival() ◀──────── mail ─────────────── claims a place (pool_cap.c)
 *
 * Who gets which is pool_share.c's.  A connection brings along what it has: its parameters, the
 * statements prepared on it, whose numbers mean the same on every relay (session_number.c).  Pools
 * with one lane come here never.
 */
#include "session.h"

struct transit {
	struct mail mail;
	struct server *server;
	struct lane *to;
	unsigned emptied;  /* of the lane it comes from */
	struct buf params; /* as name, value, and 'r' when it is reported: texts with their NUL */
	struct buf statements; /* server_statements_pack() */
};

static struct lane *lane_of(struct shard *sh)
{
	return CONTAINER_OF(sh, struct lane, shard);
}

/* --- going over --------------------------------------------------------------------------- */

static void put_params(struct buf *b, const struct params *p)
{
	for (size_t i = 0; i < p->count; i++) {
		buf_put_cstr(b, p->item[i].name);
		buf_put_cstr(b, p->item[i].value);
		buf_put_cstr(b, p->item[i].reported ? "r" : "");
	}
}

/* The set again, among this relay's; `near`: one that is much like it, or NULL. */
static struct params *read_params(struct relay *r, struct params *near, const struct buf *b)
{
	struct params *p = near ? params_ref(near) : params_empty(&r->params);
	const char *at = b->data, *end = b->data + b->len;
	size_t n = 0;

	while (at < end) {
		const char *name = at, *value = name + strlen(name) + 1;
		const char *reported = value + strlen(value) + 1;

		p = params_with(&r->params, p, name, value, *reported != '\0');
		at = reported + strlen(reported) + 1;
		n++;
	}
	if (p->count == n)
		return p;
	/* `near` had others, too */
	params_drop(&r->params, &p);
	return read_params(r, NULL, b);
}

static void on_arrival(struct worker *w, struct mail *m)
{
	struct transit *t = CONTAINER_OF(m, struct transit, mail);
	struct relay *r = CONTAINER_OF(w, struct relay, w);
	struct server *s = t->server;
	struct lane *l = t->to;

	s->lane = l;
	l->n_servers++;
	r->n_servers++;
	s->params = read_params(r, l->base, &t->params);
	server_statements_unpack(s, &t->statements);
	pool_arrive(&l->shard, &s->slot, w->now);
	/* RECONNECT or KILL came to one of the two lanes while it was on its way; or this one does
	 * not know yet what it will greet with. */
	if (t->emptied != l->emptied || !l->base)
		s->slot.doomed = true;
	atomic_fetch_sub(&l->pool->moving, 1);
	stats_add(&r->taken_over, 1);
	buf_free(&t->params);
	buf_free(&t->statements);
	free(t);
	server_rewatch(s);
	if (l->stopped)
		server_close(s, CLOSE_SERVER_SURPLUS, NULL);
	else if (s->slot.doomed)
		server_close(s, CLOSE_SERVER_RECYCLED, NULL);
	else
		lane_tend(l);
}

/* Takes the connection off this thread. */
static void server_leave(struct server *s, struct lane *to)
{
	struct transit *t = mem_zalloc(sizeof *t);
	struct lane *l = s->lane;
	struct relay *r = l->relay;

	t->mail.run = on_arrival;
	t->server = s;
	t->to = to;
	t->emptied = l->emptied;
	put_params(&t->params, s->params);
	params_drop(&r->params, &s->params);
	server_statements_pack(s, &t->statements);
	audit_free(s);
	ev_io_stop(r->w.loop, &s->io);
	worker_forget(&r->w, s->conn.fd);
	timer_stop(&r->w.timers, &s->timer);
	pool_leave(&l->shard, &s->slot);
	l->n_servers--;
	r->n_servers--;
	s->lane = NULL;
	atomic_fetch_add(&l->pool->moving, 1);
	worker_post(&to->relay->w, &t->mail);
}

static void hand_over(struct server *s, struct lane *to)
{
	struct lane *l = s->lane;

	server_leave(s, to);
	l->full = false;
	share_show(l);
}

/* --- asking and offering -------------------------------------------------------------------- */

bool share_offer(struct server *s)
{
	struct lane *l = s->lane;
	struct shard *to = pool_needy_for(&l->shard, l->relay->w.now - POOL_REST);

	if (!to || s->slot.doomed || l->stopped)
		return false;
	pool_served(to);
	hand_over(s, lane_of(to));
	return true;
}

/* The one that has rested longest, to be given away; NULL: none. */
static struct server *to_spare(struct lane *l)
{
	struct slot *slot = l->stopped ? NULL : pool_surplus(&l->shard, l->relay->w.now);
	struct server *s = slot ? CONTAINER_OF(slot, struct server, slot) : NULL;

	return s && server_is_quiet(s) ? s : NULL;
}

static void on_answer(struct worker *w, struct mail *m)
{
	struct lane *l = CONTAINER_OF(m, struct lane, ask);

	l->asked = NULL;
	l->shard.n_coming = 0;
	if (l->wanted > 0) /* it had not as many as its hint said: do not ask in circles */
		l->ask_after = w->now + POOL_REST;
	if (UNLIKELY(l->stopped))
		lane_leave(l);
	else
		lane_tend(l);
}

static void on_ask(struct worker *w, struct mail *m)
{
	struct lane *asker = CONTAINER_OF(m, struct lane, ask), *l = asker->asked;
	struct server *s;

	(void)w;
	for (; asker->wanted > 0 && (s = to_spare(l)); asker->wanted--)
		hand_over(s, asker);
	share_show(l);
	m->run = on_answer;
	worker_post(&asker->relay->w, m);
}

static void ask(struct lane *l, struct lane *other)
{
	l->asked = other;
	l->wanted = l->shard.n_coming = l->shard.n_waiting;
	l->ask.run = on_ask;
	worker_post(&other->relay->w, &l->ask);
}

/* Asks for what rests elsewhere, when a client waits here. */
static void look_for_one(struct lane *l)
{
	usec_t now = l->relay->w.now, again;
	struct shard *other = pool_rested(&l->shard, now, &again);

	if (other && now >= l->ask_after)
		ask(l, lane_of(other));
	else
		timer_ensure(&l->relay->w.timers, &l->check, other ? l->ask_after : again);
}

void share_tend(struct lane *l)
{
	usec_t now = l->relay->w.now, again;
	struct shard *to;
	struct server *s;

	share_show(l);
	if (l->asked || l->stopped)
		return;
	if (l->shard.n_waiting) {
		look_for_one(l);
		return;
	}
	while ((to = pool_needy(&l->shard, now, &again)) && (s = to_spare(l))) {
		pool_served(to);
		hand_over(s, lane_of(to));
	}
	/* `to`: what rests cannot go now */
	timer_ensure(&l->relay->w.timers, &l->check, to ? now + POOL_REST : again);
}

void share_show(struct lane *l)
{
	usec_t again = USEC_NEVER;

	if (UNLIKELY(l->stopped)) {
		pool_hide(&l->shard);
		return;
	}
	if (l->shard.n_waiting == 0)
		l->full = false; /* the next one that waits is something to look at */
	if (LIKELY(!pool_show(&l->shard)))
		return;
	if (l->shard.n_waiting) {
		if (!l->asked)
			look_for_one(l);
	} else if (pool_needy(&l->shard, l->relay->w.now, &again)) {
		again = l->relay->w.now;
	}
	timer_ensure(&l->relay->w.timers, &l->check, again);
}
