/* SPDX-License-Identifier: ISC
 *
 * Cancel requests: whose relay one is for (hub_cancel), and what is asked of the server there
 * (cancel_server).  PQcancel blocks for milliseconds (the postmaster forks), so a helper
 * thread calls it.  While one is under way its server is not lent to anybody else: the
 * signal has been sent when PQcancel returns, so a later statement cannot be hit by it.
 */
#include "session.h"

struct cancel {
	struct job job;
	struct server *server; /* stays allocated while server->cancels > 0 */
	PGcancel *request;
	struct conn asker; /* closed when the cancel is through, as PostgreSQL does */
	usec_t since;	   /* cancel_pipelined: when its client's request began; else 0 */
	unsigned tries;	   /* how often it may be repeated */
	char error[256];
};

static void work(struct job *j)
{
	struct cancel *c = CONTAINER_OF(j, struct cancel, job);

	if (!PQcancel(c->request, c->error, sizeof c->error))
		log_line(LOG_PART_SESSION, LOG_LEVEL_WARNING, "cancel request failed: %s",
			c->error);
	PQfreeCancel(c->request);
	conn_close(&c->asker);
}

static void done(struct worker *w, struct mail *m);

static bool submit(struct server *s, struct cancel *c)
{
	PGcancel *request = s->closed ? NULL : PQgetCancel(s->pg);

	if (!request)
		return false;
	c->server = s;
	c->request = request;
	s->cancels++;
	c->job.work = work;
	c->job.reply = &s->lane->relay->w;
	c->job.mail.run = done;
	helpers_submit(&hub.cancellers, &c->job);
	return true;
}

/* Has the server still to answer the request for which this cancel came? */
static bool is_unanswered(const struct server *s, usec_t since)
{
	return s->client && s->client->waiter.since == since && s->ledger.len &&
	       !(ledger_head(&s->ledger)->flags & ENTRY_OURS);
}

static void done(struct worker *w, struct mail *m)
{
	struct cancel *c = CONTAINER_OF(CONTAINER_OF(m, struct job, mail), struct cancel, job);
	struct server *s = c->server;

	(void)w;
	s->cancels--;
	if (c->tries && is_unanswered(s, c->since)) {
		c->tries--;
		if (submit(s, c))
			return;
	}
	free(c);
	if (s->closed)
		server_reap(s);
	else
		server_settle(s);
}

static struct cancel *new_cancel(void)
{
	struct cancel *c = mem_zalloc(sizeof *c);

	c->asker.fd = -1;
	return c;
}

void cancel_server(struct server *s, struct conn *asker)
{
	struct cancel *c = new_cancel();

	if (asker) {
		c->asker = *asker;
		asker->fd = -1;
		asker->ssl = NULL;
	}
	if (submit(s, c))
		return;
	conn_close(&c->asker);
	free(c);
}

void cancel_pipelined(struct server *s)
{
	struct cancel *c = new_cancel();

	c->since = s->client->waiter.since;
	c->tries = 50;
	if (!submit(s, c))
		free(c);
}

/* --- from the front to the relay ---------------------------------------------------------- */

struct cancel_order {
	struct conn asker;
	uint32_t slot, secret;
};

static void run_cancel(struct relay *r, void *arg)
{
	struct cancel_order *o = arg;
	struct client *c = o->slot < r->n_slots ? r->slots[o->slot] : NULL;

	if (c && mem_equal_ct(&c->secret, &o->secret, sizeof o->secret))
		client_cancel(c, &o->asker);
	else
		conn_close(&o->asker);
	free(o);
}

void hub_cancel(struct conn *asker, uint32_t pid, const void *secret, size_t len)
{
	uint32_t places = (uint32_t)hub.n_relays + 1, place, number;
	struct cancel_order *o;
	struct cancel_key k;
	uint8_t key[8];

	worker_forget(&hub.front, asker->fd);
	if (len != 4) {
		conn_close(asker);
		return;
	}
	pid = htonl(pid);
	memcpy(key, &pid, 4);
	memcpy(key + 4, secret, 4);
	cancel_key_unpack(key, hub.peer_id != 0, &k);
	if (k.peer != hub.peer_id) {
		peer_forward(asker, key);
		return;
	}
	if (k.number == 0) {
		conn_close(asker);
		return;
	}
	place = (k.number - 1) % places;
	number = (k.number - 1) / places;
	if (place == places - 1) {
		if (hub.on_front_cancel)
			hub.on_front_cancel(number, k.secret);
		conn_close(asker);
		return;
	}
	o = mem_zalloc(sizeof *o);
	o->asker = *asker;
	o->slot = number;
	o->secret = k.secret;
	hub_order((int)place, run_cancel, o);
}

uint32_t hub_front_pid(uint32_t number)
{
	return number * ((uint32_t)hub.n_relays + 1) + (uint32_t)hub.n_relays + 1;
}
