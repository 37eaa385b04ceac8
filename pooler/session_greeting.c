/* SPDX-License-Identifier: ISC
 *
 * greeting: what a new client is told of its parameters.
 *
 * Its startup packet may set any parameter (options=-c work_mem=8MB, TimeZone=utc).  They are its
 * own: each server connection that serves it is given them.  What the server makes of them
 * ("utc" has become "UTC"), and whether it takes them at all, only a server can say.  So the first
 * client that asks for them is lent an idle connection to try them on; what came of it is
 * remembered for those that ask for the same.
 *
 *   arrives ──known──▶ welcomed
 *      └───unknown──▶ tried on an idle connection ──taken──▶ remembered, welcomed
 *                          │                      └─refused─▶ closed with the server's words
 *                          └ another one is being tried: in line (lane->logins) until it is done
 *
 * When no connection is idle, nobody waits for one: the client is welcomed with its own words, and
 * hears of the server's when it is lent a connection for its first request.
 */
#include "session.h"
#include "session_audit.h"
#include "session_flow.h"
#include "session_turn.h"
#include "wire_startup.h"

#include <strings.h>

/* A longer packet is tried each time. */
#define KNOWN_BYTES 1024U

static struct relay *relay_of(const struct client *c)
{
	return c->lane->relay;
}

/* The server takes every name. */
static bool is_taken_as_it_is(const char *name)
{
	return strcasecmp(name, "application_name") == 0;
}

/* Does its packet set anything that only a server can judge? */
static bool asks(const struct login *login)
{
	const char *name, *value;

	for (size_t pos = 0; params_next(login->params, login->params_len, &pos, &name, &value);)
		if (!is_taken_as_it_is(name))
			return true;
	return false;
}

/* What its packet sets, but for what is taken as it is. */
static void put_asked(struct buf *asked, const struct login *login)
{
	const char *name, *value;

	for (size_t pos = 0; params_next(login->params, login->params_len, &pos, &name, &value);)
		if (!is_taken_as_it_is(name)) {
			buf_put_cstr(asked, name);
			buf_put_cstr(asked, value);
		}
}

/* `p` with what the packet sets, or only with what is taken as it is; takes over `p`. */
static struct params *with_asked(struct client *c, struct params *p, bool all)
{
	const struct login *login = c->login;
	const char *name, *value;

	for (size_t pos = 0; params_next(login->params, login->params_len, &pos, &name, &value);)
		if (all || is_taken_as_it_is(name))
			p = params_with(&relay_of(c)->params, p, name, value, false);
	return p;
}

/* --- what is known ---------------------------------------------------------------------- */

void greeting_forget(struct lane *l)
{
	struct greetings *g = &l->greetings;

	params_drop(&l->relay->params, &g->last);
	buf_free(&g->last_asked);
	for (size_t i = 0; i < ARRAY_LEN(g->known); i++) {
		params_drop(&l->relay->params, &g->known[i].got);
		buf_free(&g->known[i].asked);
	}
}

static bool is_asked(const struct buf *asked, const char *p, size_t n)
{
	return asked->len == n && memcmp(asked->data, p, n) == 0;
}

/* The one before mostly asked for the same. */
static void keep_last(struct client *c, struct params *p)
{
	struct greetings *g = &c->lane->greetings;

	params_drop(&relay_of(c)->params, &g->last);
	buf_free(&g->last_asked);
	g->last = params_ref(p);
	buf_put(&g->last_asked, c->login->params, c->login->params_len);
}

/* The parameters that a client with this packet has; NULL: nobody knows. */
static struct params *known(struct client *c)
{
	struct greetings *g = &c->lane->greetings;
	struct params *p = NULL;
	struct buf asked = {0};

	if (g->last && c->login->params_len &&
		is_asked(&g->last_asked, c->login->params, c->login->params_len))
		return params_ref(g->last);
	put_asked(&asked, c->login);
	if (!asked.len)
		p = params_ref(c->lane->base);
	for (size_t i = 0; i < ARRAY_LEN(g->known) && !p; i++)
		if (g->known[i].got && is_asked(&g->known[i].asked, asked.data, asked.len))
			p = params_ref(g->known[i].got);
	buf_free(&asked);
	if (!p)
		return NULL;
	p = with_asked(c, p, false);
	keep_last(c, p);
	return p;
}

static void remember(struct client *c)
{
	struct greetings *g = &c->lane->greetings;
	const char *name = params_value(c->lane->base, "application_name");
	struct buf asked = {0};
	size_t i = g->next;

	put_asked(&asked, c->login);
	if (asked.len > KNOWN_BYTES || !c->lane->base) {
		buf_free(&asked);
		return;
	}
	params_drop(&relay_of(c)->params, &g->known[i].got);
	buf_free(&g->known[i].asked);
	g->known[i].asked = asked;
	g->known[i].got = params_with(&relay_of(c)->params, params_ref(c->params),
		"application_name", name ? name : "", true);
	g->next = (i + 1) % ARRAY_LEN(g->known);
}

/* --- trying --------------------------------------------------------------------------------- */

static void detach(struct client *c)
{
	if (c->lane->greetings.tried == c)
		c->lane->greetings.tried = NULL;
}

void greeting_line_up(struct client *c)
{
	struct lane *l = c->lane;

	detach(c);
	params_drop(&l->relay->params, &c->params); /* they are tried anew */
	list_push_back(&l->logins, &c->waiter.link);
	l->shard.n_greeters++;
}

void greeting_gone(struct client *c)
{
	struct lane *l = c->lane;

	detach(c);
	if (waiter_is_queued(&c->waiter)) {
		list_del(&c->waiter.link);
		l->shard.n_greeters--;
	}
}

/* Parameters of modules are asked for by name when session state is (session_audit.c). */
static bool learn_names(struct client *c)
{
	const char *name, *value;
	bool ok = true;

	for (size_t pos = 0;
		ok && params_next(c->login->params, c->login->params_len, &pos, &name, &value);)
		ok = !strchr(name, '.') || audit_learn_name(relay_of(c), name);
	return ok;
}

/* An idle connection for it, which the policy need not be asked twice for. */
static struct server *borrow(struct client *c)
{
	struct shard *sh = &c->lane->shard;
	struct slot *slot;

	if (sh->n_waiting || !sh->n_idle || sh->paused ||
		pool_ask(sh, &c->waiter, relay_of(c)->w.now, &slot) != POOL_LEASED)
		return NULL;
	return CONTAINER_OF(slot, struct server, slot);
}

static void welcome(struct client *c)
{
	if (asks(c->login))
		c->start = params_ref(c->params);
	client_welcome(c);
}

bool greeting_try(struct client *c)
{
	struct lane *l = c->lane;
	struct params *p = known(c);
	struct server *s;

	if (!p && l->greetings.tried)
		return false;
	greeting_gone(c);
	if (p) {
		c->params = p;
		welcome(c);
		return true;
	}
	if (!learn_names(c)) {
		client_close(c, CLOSE_SETUP_FAILED,
			"too many different parameters with a dot in their name are in use");
		return true;
	}
	c->params = with_asked(c, params_ref(l->base), true);
	s = borrow(c);
	if (!s) {
		welcome(c);
		return true;
	}
	l->greetings.tried = c;
	s->client = c;
	c->server = s;
	s->lent = relay_of(c)->w.now;
	client_arm(c);
	if (server_set_up(s, c))
		greeting_tried(s, NULL);
	return true;
}

void greeting_tried(struct server *s, const char *refusal)
{
	struct client *c = s->client;
	struct lane *l = c->lane;

	detach(c);
	s->client = NULL;
	c->server = NULL;
	if (s->setup_failed && s->setup_refused) {
		/* all of it, as if it had not been asked */
		client_close(c, CLOSE_SETUP_FAILED, refusal);
	} else if (s->setup_failed) {
		s->slot.doomed = true;
		s->doomed_why = CLOSE_SETUP_FAILED;
		greeting_line_up(c);
	} else {
		server_use_params(s, c);
		remember(c);
		welcome(c);
	}
	server_release(s);
	lane_greet(l);
}

void lane_greet(struct lane *l)
{
	struct list *i, *next;

	if (l->greeting)
		return; /* its connection came back at once: the loop below goes on with it */
	l->greeting = true;
	for (i = l->logins.next; i != &l->logins && l->base && !l->shard.paused; i = next) {
		struct client *c =
			CONTAINER_OF(list_entry(i, struct waiter, link), struct client, waiter);
		usec_t waited = l->relay->w.now - c->waiter.since;

		next = i->next;
		if (!greeting_try(c))
			continue;
		stats_add(&l->stats.wait_time, waited);
		next = l->logins.next;
	}
	l->greeting = false;
}
