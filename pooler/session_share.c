/* SPDX-License-Identifier: ISC
 *
 * The lanes of a pool share what they have: an idle connection, with its place, goes to the
 * lane where a client waits, on another thread.
 *
 *   this lane (a client waits)                 the other lane (has an idle connection)
 *
 *   share_ask() ── mail `ask` ────────────────▶ on_ask(): those that rest go over
 *   on_arrival() ◀──────── mail, one each ───── server_leave()
 *   on_answer() ◀───────── mail `ask` ─────────
 *                                               share_offer(): one came free, and somebody
 *   on_arrival() ◀──────── mail ─────────────── claims a place (pool_cap.c)
 *
 * Each lane shows the others two moments: since when its client waits (waits_since), and since
 * when its longest idle connection rests (idle_since).  They are hints: what is old in them costs
 * a question in vain, or a connection too many here and too few there, which the next wait puts
 * right.  A connection goes over only when it has rested for SHARE_AFTER: where all lanes are
 * busy each has nobody waiting for an instant now and then, and to give away what is idle in that
 * instant moved a connection with every seventh transaction, each for two wake-ups and for the
 * prepared statements that its relay knew.  Pools with one lane come here never.
 */
#include "session.h"

#define SHARE_AFTER (USEC_MSEC / 2)

struct transit {
	struct mail mail;
	struct server *server;
	struct lane *to;
	unsigned emptied;  /* of the lane it comes from */
	struct buf params; /* as name, value, and 'r' when it is reported: texts with their NUL */
};

/* --- what the other lanes see ----------------------------------------------------------- */

static void show(usec_t _Atomic *hint, usec_t value)
{
	if (atomic_load_explicit(hint, memory_order_relaxed) != value)
		atomic_store_explicit(hint, value, memory_order_relaxed);
}

void share_show(struct lane *l)
{
	const struct shard *sh = &l->shard;
	usec_t waits = 0, idle = 0;

	if (sh->n_waiting)
		waits = list_first(&sh->waiting, struct waiter, link)->since;
	else if (sh->n_idle && !sh->paused && !l->stopped)
		idle = list_last(&sh->idle, struct slot, link)->since;
	show(&l->waits_since, waits);
	show(&l->idle_since, idle);
}

/* The lane of the pool whose hint (at this offset) is the oldest and older than `than`. */
static struct lane *sibling(const struct lane *l, size_t offset, usec_t than)
{
	const struct pool *p = l->pool;
	struct lane *found = NULL;

	for (int i = 0; i < p->n_lanes; i++) {
		usec_t _Atomic *hint = (usec_t _Atomic *)((char *)p->lanes[i] + offset);
		usec_t since = atomic_load_explicit(hint, memory_order_relaxed);

		if (p->lanes[i] == l || since == 0 || since > than)
			continue;
		than = since;
		found = p->lanes[i];
	}
	return found;
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
	pool_arrive(&l->shard, &s->slot, w->now);
	/* RECONNECT or KILL came to one of the two lanes while it was on its way; or this one does
	 * not know yet what it will greet with. */
	if (t->emptied != l->emptied || !l->base)
		s->slot.doomed = true;
	atomic_fetch_sub(&l->pool->moving, 1);
	stats_add(&r->taken_over, 1);
	buf_free(&t->params);
	free(t);
	server_rewatch(s);
	if (l->stopped)
		server_close(s, CLOSE_SERVER_SURPLUS, NULL);
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
	s->foreign_names = s->foreign_names || s->stale_names || server_statement_count(s);
	server_statements_clear(s);
	prepared_drop(&r->prepared, &s->unnamed);
	audit_free(s);
	ev_io_stop(r->w.loop, &s->io);
	worker_forget(&r->w, s->conn.fd);
	timer_stop(&r->w.timers, &s->timer);
	list_del(&s->reading);
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
	usec_t now = l->relay->w.now;
	struct lane *to = sibling(l, offsetof(struct lane, waits_since), now - SHARE_AFTER);

	if (!to || s->slot.doomed || l->stopped)
		return false;
	/* The next one that comes free is not for the same client. */
	atomic_store_explicit(&to->waits_since, 0, memory_order_relaxed);
	hand_over(s, to);
	return true;
}

static void on_answer(struct worker *w, struct mail *m)
{
	struct lane *l = CONTAINER_OF(m, struct lane, ask);

	l->asked = NULL;
	l->shard.n_coming = 0;
	if (l->wanted > 0) /* it had not as many as its hint said: do not ask in circles */
		l->ask_after = w->now + SHARE_AFTER;
	if (UNLIKELY(l->stopped))
		lane_leave(l);
	else
		lane_tend(l);
}

static void on_ask(struct worker *w, struct mail *m)
{
	struct lane *asker = CONTAINER_OF(m, struct lane, ask), *l = asker->asked;
	struct slot *slot;

	while (asker->wanted > 0 && !l->stopped && (slot = pool_surplus(&l->shard, w->now))) {
		struct server *s = CONTAINER_OF(slot, struct server, slot);

		if (slot->since > w->now - SHARE_AFTER || !server_is_quiet(s))
			break;
		hand_over(s, asker);
		asker->wanted--;
	}
	share_show(l);
	m->run = on_answer;
	worker_post(&asker->relay->w, m);
}

void share_ask(struct lane *l)
{
	struct shard *sh = &l->shard;
	usec_t now = l->relay->w.now;
	struct lane *other;

	share_show(l);
	if (sh->n_waiting == 0 || sh->paused || l->asked || l->stopped)
		return;
	timer_ensure(&l->relay->w.timers, &l->check, now + SHARE_AFTER);
	if (now < l->ask_after)
		return;
	other = sibling(l, offsetof(struct lane, idle_since), now - SHARE_AFTER);
	if (!other)
		return;
	l->asked = other;
	l->wanted = sh->n_coming = sh->n_waiting;
	l->ask.run = on_ask;
	worker_post(&other->relay->w, &l->ask);
}
