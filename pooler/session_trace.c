/* SPDX-License-Identifier: ISC
 *
 * The trace of a client that is observed: the statements it has in flight, in order, each
 * with its text and the moments of its life.  A statement is told to the observers when its
 * last byte has been taken by the client.
 *
 * Structs and their buffers go round: in the steady state nothing is allocated.
 */
#include "session_traced.h"

/* --- memory ------------------------------------------------------------------------------- */

/* Empty; what is large goes back. */
static void buf_rest(struct buf *b)
{
	b->len = 0;
	if (UNLIKELY(b->size > TRACE_KEEP))
		buf_free(b);
}

void bound_clear(struct client *c, struct bound *b)
{
	if (b->p)
		prepared_drop(&relay_of(c)->prepared, &b->p);
	buf_rest(&b->body);
	b->is_set = b->begun = false;
}

static void traced_free(struct client *c, struct traced *d)
{
	struct relay *r = relay_of(c);

	bound_clear(c, &d->bound);
	buf_rest(&d->text);
	buf_rest(&d->error);
	d->next = r->traced;
	r->traced = d;
	if (UNLIKELY(++r->n_traced > TRACE_SPARES)) {
		r->traced = d->next;
		r->n_traced--;
		buf_free(&d->bound.body);
		buf_free(&d->text);
		buf_free(&d->error);
		free(d);
	}
}

static struct traced *traced_new(struct client *c)
{
	struct relay *r = relay_of(c);
	struct traced *d = r->traced;

	if (UNLIKELY(!d))
		return mem_zalloc(sizeof *d);
	r->traced = d->next;
	r->n_traced--;
	memset(&d->key, 0, offsetof(struct traced, tag) - offsetof(struct traced, key));
	return d;
}

struct trace *trace_of(struct client *c)
{
	struct trace *t = c->trace;

	if (LIKELY(t))
		return t;
	t = c->trace = mem_zalloc(sizeof *t);
	t->tail = &t->head;
	return t;
}

/* --- portals ------------------------------------------------------------------------------ */

bool portal_take(struct client *c, uint64_t portal, struct bound *b)
{
	struct trace *t = c->trace;

	for (struct portal **at = &t->portals, *p; (p = *at); at = &p->next) {
		if (p->bound.portal != portal)
			continue;
		bound_clear(c, b);
		buf_free(&b->body);
		*b = p->bound;
		*at = p->next;
		t->n_portals--;
		free(p);
		return true;
	}
	return false;
}

static void portal_free(struct client *c, struct portal *p)
{
	bound_clear(c, &p->bound);
	buf_free(&p->bound.body);
	free(p);
}

void portal_keep(struct client *c, struct bound *b)
{
	struct trace *t = c->trace;
	struct bound old = {0};
	struct portal *p, **at;

	if (portal_take(c, b->portal, &old)) { /* it was bound anew */
		bound_clear(c, &old);
		buf_free(&old.body);
	}
	if (t->n_portals == PORTALS_MAX) { /* the one that was used longest ago */
		for (at = &t->portals; (*at)->next; at = &(*at)->next)
			;
		portal_free(c, *at);
		*at = NULL;
		t->n_portals--;
	}
	p = mem_alloc(sizeof *p);
	p->bound = *b;
	p->next = t->portals;
	t->portals = p;
	t->n_portals++;
	memset(b, 0, sizeof *b);
}

void portals_clear(struct client *c)
{
	struct trace *t = c->trace;

	while (t->portals) {
		struct portal *p = t->portals;
		t->portals = p->next;
		portal_free(c, p);
	}
	t->n_portals = 0;
}

/* --- who ---------------------------------------------------------------------------------- */

const char *trace_app(struct client *c)
{
	struct trace *t = c->trace;
	const char *app;

	if (LIKELY(t->app && (t->params == c->params || !c->params)))
		return t->app;
	app = c->params ? params_value(c->params, "application_name") : NULL;
	if (!app)
		app = "";
	if (t->app && strcmp(app, t->app) != 0) {
		t->renamed = true;
		queries_client_renamed(&t->statistics);
	}
	t->app = app; /* in the set that is kept now, before the old one goes */
	if (t->params)
		params_drop(&relay_of(c)->params, &t->params);
	t->params = c->params ? params_ref(c->params) : NULL;
	return t->app;
}

static void make_session(struct client *c, struct trace *t)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof ss;
	struct net_addr a = {0};
	char host[NET_ADDR_TEXT];
	struct qlog_session_info info = {
		.user = c->lane->pool->user,
		.dbname = c->lane->pool->database,
		.application_name = trace_app(c),
		.pid = client_pid(c),
		.start = c->connected * USEC_SEC,
		.number = c->id,
	};

	if (getpeername(c->conn.fd, (struct sockaddr *)&ss, &len) == 0) {
		net_addr_set(&a, (struct sockaddr *)&ss, c->conn.fd, 0);
		if (a.family != AF_UNIX && a.family) {
			info.remote_host = net_addr_host(&a, host, sizeof host);
			info.remote_port = a.port;
		}
	}
	t->session = qlog_session_new(&info);
}

struct qlog_session *trace_session(struct client *c)
{
	struct trace *t = c->trace;
	const char *app = trace_app(c);

	if (UNLIKELY(!t->session))
		make_session(c, t);
	else if (UNLIKELY(t->renamed))
		qlog_session_rename(relay_of(c)->ring, &t->session, app);
	t->renamed = false;
	return t->session;
}

/* --- a statement's life ------------------------------------------------------------------- */

struct traced *traced_begin(struct client *c, enum qlog_kind kind)
{
	const struct relay *r = relay_of(c);
	enum queries_track track = (enum queries_track)c->lane->set.track_queries;
	struct trace *t = trace_of(c);
	struct traced *d;

	if (UNLIKELY(t->count >= TRACE_MAX))
		return NULL;
	d = traced_new(c);
	d->next = NULL;
	d->kind = kind;
	d->wall = r->w.wall;
	d->asked = d->linked = r->w.now;
	if (t->waited_since && !t->head) {
		/* the first one after waiting for a server connection */
		d->asked = t->waited_since;
		d->wall -= r->w.now - t->waited_since;
	}
	t->waited_since = 0;
	d->block = t->in_transaction;
	if (!t->in_transaction) {
		t->transaction++;
		t->in_transaction = true;
	}
	d->transaction = t->transaction;
	d->batch = t->batch_in;
	d->server_pid = c->server ? c->server->pid : 0;
	d->logged = r->ring && qlog_is_on(qlog_gate(r->ring));
	d->counted = queries_wants(track, c->id, d->transaction);
	*t->tail = d;
	t->tail = &d->next;
	t->count++;
	if (!t->current)
		t->current = d;
	return d;
}

void traced_finish(struct client *c, struct traced *d, size_t bytes)
{
	struct trace *t = c->trace;

	d->last = relay_of(c)->w.now;
	/* It stood behind another one; but of answers that came together (a driver's BEGIN and its
	 * query, which PostgreSQL answers at their Sync) nobody knows which took the time: each
	 * counts all of it. */
	if (UNLIKELY(d->asked < t->ended) && t->ended < d->last) {
		usec_t later = t->ended - d->asked;

		d->wall += later;
		d->asked = t->ended;
		if (d->linked < d->asked)
			d->linked = d->asked;
	}
	if (!d->started || d->first < d->linked)
		d->first = d->started ? d->linked : d->last;
	d->done = true;
	d->bytes_out = t->bytes + bytes;
	t->bytes = 0;
	t->ended = d->last;
	t->newest = d;
	t->current = d->next;
}

static void last_clear(struct client *c)
{
	struct trace *t = c->trace;

	if (t->last)
		traced_free(c, t->last);
	t->last = NULL;
}

void traced_drop_head(struct client *c)
{
	struct trace *t = c->trace;
	struct traced *d = t->head;

	t->head = d->next;
	if (!t->head)
		t->tail = &t->head;
	t->count--;
	if (t->newest == d)
		t->newest = NULL;
	if (t->current == d)
		t->current = d->next;
	last_clear(c);
	if (t->in_transaction)
		t->last = d;
	else
		traced_free(c, d);
}

void traced_drop_skipped(struct client *c, struct traced **at)
{
	struct trace *t = c->trace;
	struct traced *d = *at;

	*at = d->next;
	if (t->tail == &d->next)
		t->tail = at;
	if (t->current == d)
		t->current = d->next;
	t->count--;
	traced_free(c, d);
}

void trace_linked(struct client *c, usec_t waited_since)
{
	if (UNLIKELY(is_observed(c)))
		trace_of(c)->waited_since = waited_since;
}

const char *trace_text(const struct client *c, size_t *len)
{
	const struct trace *t = c->trace;
	const struct traced *d = t ? t->current ? t->current : t->head : NULL;

	if (!d && t && t->in_transaction)
		d = t->last;
	if (!d || d->secret || (!d->bound.p && !d->text.len))
		return NULL;
	*len = d->bound.p ? d->bound.p->text_len : d->text.len;
	return d->bound.p ? d->bound.p->body : d->text.data;
}

void trace_gone(struct client *c)
{
	struct trace *t = c->trace;
	struct relay *r = relay_of(c);

	if (!t)
		return;
	trace_tell(c);
	while (t->head)
		traced_drop_head(c);
	last_clear(c);
	portals_clear(c);
	bound_clear(c, &t->bound);
	buf_free(&t->bound.body);
	for (size_t i = 0; i < ARRAY_LEN(t->described); i++)
		prepared_drop(&r->prepared, &t->described[i]);
	if (r->ring)
		qlog_session_release(r->ring, &t->session);
	params_drop(&r->params, &t->params);
	free(t);
	c->trace = NULL;
}
