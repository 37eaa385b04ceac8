/* SPDX-License-Identifier: ISC
 *
 * What the observers are told.  A client that is observed has a struct trace: the
 * statements it has in flight, in order, each with its text and the moments of its life.
 * A statement is recorded when its last byte has been taken by the client.
 *
 *   request ──▶ wait ──▶ linked ──▶ first byte ──▶ last byte ──▶ taken by the client
 *           wait_us       server_us         fetch_us         drain_us
 */
#include "session.h"

#define TRACE_MAX 4096 /* statements in flight that are traced; more are counted only */

struct bound {
	char *body;	    /* of Bind, and behind it the name: one allocation */
	char *name;	    /* the statement's, as the client calls it; NULL: none bound */
	struct prepared *p; /* its text, or NULL */
	size_t body_len;
};

struct traced {
	struct traced *next;
	enum qlog_kind kind;
	char *text;
	size_t text_len;
	bool truncated, started, done, failed, secret;
	bool block;	/* a transaction was open before it */
	uint32_t limit; /* rows that Execute asks for; 0: all */
	struct bound bound;
	usec_t wall, asked, linked, first, last;
	uint32_t transaction, batch;
	char tag[64];
	bool has_tag;
	char *error;
	size_t error_len;
	uint64_t rows, bytes_in, bytes_out;
	uint32_t server_pid;
	char room[160]; /* `text`, when it is short */
};

struct trace {
	struct qlog_session *session;
	struct queries_client statistics;
	struct traced *head, **tail;
	struct traced *spare; /* the next one to use; NULL: none */
	unsigned count;
	uint32_t batch_in, batch_out; /* Syncs asked for, and answered */
	usec_t waited_since;	      /* when the wait began that has just ended; 0: none */
	struct params *params;	      /* that `app` was looked up in */
	const char *app;	      /* application_name */
	bool renamed;		      /* since the query log was last told */
	char *before;	      /* inside a transaction: the beginning of its last statement */
	uint64_t bytes_in;    /* of Parse and Bind before the next Execute */
	uint32_t transaction; /* our number of its transactions */
	bool in_transaction;
	struct bound bound;	/* of the last Bind */
	struct bound suspended; /* of the portal whose rows did not come to an end */
	uint64_t bytes;		/* sent since the last statement was done */
	/* Of Describes that the server has not answered; an old one may be overwritten. */
	struct prepared *described[4];
};

static bool is_observed(const struct client *c)
{
	return c->lane->set.observed;
}

static struct relay *relay_of(const struct client *c)
{
	return c->lane->relay;
}

static void bound_clear(struct client *c, struct bound *b)
{
	free(b->body);
	prepared_drop(&relay_of(c)->prepared, &b->p);
	memset(b, 0, sizeof *b);
}

static void bound_set(struct bound *b, const char *name, const char *body, size_t len)
{
	size_t n = strlen(name) + 1;

	b->body = mem_alloc(len + n);
	memcpy(b->body, body, len);
	b->body_len = len;
	b->name = b->body + len;
	memcpy(b->name, name, n);
}

static struct trace *trace_of(struct client *c)
{
	struct trace *t = c->trace;

	if (t)
		return t;
	t = c->trace = mem_zalloc(sizeof *t);
	t->tail = &t->head;
	return t;
}

/* Its application_name; looked up when its parameters have changed. */
static const char *app_of(struct client *c)
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
		.application_name = app_of(c),
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

/* The beginning of a statement. */
static struct traced *begin(struct client *c, enum qlog_kind kind)
{
	struct trace *t = trace_of(c);
	struct worker *w = &relay_of(c)->w;
	struct traced *d;

	if (t->count >= TRACE_MAX)
		return NULL;
	d = t->spare ? t->spare : mem_alloc(sizeof *d);
	t->spare = NULL;
	memset(d, 0, offsetof(struct traced, room));
	d->kind = kind;
	d->wall = w->wall;
	d->asked = d->linked = w->now;
	if (t->waited_since && !t->head) {
		/* the first one after waiting for a server connection */
		d->asked = t->waited_since;
		d->wall -= w->now - t->waited_since;
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
	*t->tail = d;
	t->tail = &d->next;
	t->count++;
	return d;
}

void trace_linked(struct client *c, usec_t waited_since)
{
	if (UNLIKELY(is_observed(c)))
		trace_of(c)->waited_since = waited_since;
}

void trace_sync(struct client *c)
{
	if (UNLIKELY(is_observed(c)))
		trace_of(c)->batch_in++;
}

void trace_query(struct client *c, const char *text, size_t have, size_t size, unsigned effects)
{
	const struct qlog_gate *gate;
	struct traced *d;
	size_t keep;

	if (LIKELY(!is_observed(c)))
		return;
	d = begin(c, QLOG_STATEMENT);
	if (!d)
		return;
	gate = relay_of(c)->ring ? qlog_gate(relay_of(c)->ring) : NULL;
	keep = have && text[have - 1] == '\0' ? have - 1 : have;
	d->truncated = have + WIRE_HEADER < size;
	if (gate && gate->max_text && keep > gate->max_text) {
		keep = gate->max_text;
		d->truncated = true;
	}
	d->text = keep < sizeof d->room ? d->room : mem_alloc(keep + 1);
	memcpy(d->text, text, keep);
	d->text[keep] = '\0';
	d->text_len = keep;
	d->secret = (effects & TEXT_SECRET) != 0;
	d->bytes_in = size;
}

void trace_parse_raw(struct client *c, const char *body, size_t len)
{
	const char *p = body, *end = body + len, *name, *text;

	if (LIKELY(!is_observed(c)))
		return;
	name = wire_cstr(&p, end);
	text = name ? wire_cstr(&p, end) : NULL;
	if (!text)
		return;
	/* Names are the client's own on its own connection: remember text by name. */
	client_statement_remove(c, name);
	client_statement_put(c, name,
		prepared_intern(&relay_of(c)->prepared, text, (size_t)(end - text)));
}

void trace_bind(struct client *c, const char *name, const char *body, size_t len)
{
	struct trace *t;
	struct prepared *p;

	if (LIKELY(!is_observed(c)))
		return;
	t = trace_of(c);
	bound_clear(c, &t->bound);
	bound_set(&t->bound, name, body, len);
	p = client_statement_get(c, name);
	if (!p && *name == '\0')
		p = c->unnamed;
	if (p) {
		p->refs++;
		t->bound.p = p;
	}
	t->bytes_in += len + WIRE_HEADER;
}

void trace_describe(struct client *c, struct prepared *p)
{
	struct trace *t;
	size_t i;

	if (LIKELY(!is_observed(c)) || !p || p->types)
		return;
	t = trace_of(c);
	i = p->number % ARRAY_LEN(t->described);
	p->refs++;
	prepared_drop(&relay_of(c)->prepared, &t->described[i]);
	t->described[i] = p;
}

/* ParameterDescription: what types the parameters of a statement have. */
static void learn_types(struct client *c, const char *body, size_t len)
{
	const struct entry *head = c->server ? ledger_head(&c->server->ledger) : NULL;
	struct trace *t = c->trace;
	struct prepared *p;
	size_t i, n;

	if (!head || head->kind != ENTRY_DESCRIBE_STATEMENT || !head->tag || len < 2)
		return;
	i = head->tag % ARRAY_LEN(t->described);
	p = t->described[i];
	n = wire_u16(body);
	if (p && (uint32_t)p->number == head->tag && !p->types && n && len == 2 + 4 * n) {
		p->types = mem_alloc(n * sizeof *p->types);
		for (p->n_types = 0; p->n_types < n; p->n_types++)
			p->types[p->n_types] = wire_u32(body + 2 + 4 * p->n_types);
	}
	prepared_drop(&relay_of(c)->prepared, &t->described[i]);
}

void trace_execute(struct client *c, const char *body, size_t len)
{
	const char *at = body, *end = body + len;
	struct traced *d;
	struct trace *t;

	if (LIKELY(!is_observed(c)))
		return;
	t = trace_of(c);
	d = begin(c, t->bound.name ? QLOG_EXECUTE : QLOG_FETCH);
	if (!d)
		return;
	d->bytes_in = t->bytes_in + len + WIRE_HEADER;
	t->bytes_in = 0;
	if (wire_cstr(&at, end) && end - at >= 4)
		d->limit = wire_u32(at);
	if (!t->bound.name && t->suspended.name) {
		d->bound = t->suspended;
		memset(&t->suspended, 0, sizeof t->suspended);
	} else {
		d->bound = t->bound;
		memset(&t->bound, 0, sizeof t->bound);
	}
	if (d->bound.p)
		d->secret = (d->bound.p->effects & TEXT_SECRET) != 0;
}

/* The parameter types as the server told them, else those that Parse named. */
static size_t types_of(const struct prepared *p, uint32_t *types, size_t max)
{
	const char *at = p->body + p->text_len + 1, *end = p->body + p->body_len;
	size_t n, i;

	if (p->types) {
		n = p->n_types < max ? p->n_types : max;
		memcpy(types, p->types, n * sizeof *types);
		return n;
	}
	if (end - at < 2)
		return 0;
	n = wire_u16(at);
	at += 2;
	for (i = 0; i < n && i < max && end - at >= 4; i++, at += 4)
		types[i] = wire_u32(at);
	return i;
}

static uint32_t span(usec_t from, usec_t to)
{
	usec_t us = to > from ? to - from : 0;

	return us > UINT32_MAX ? UINT32_MAX : (uint32_t)us;
}

static const char *mode_word(const struct client *c)
{
	static const char *const words[] = {"session", "transaction", "statement", "auto"};

	return words[c->lane->set.mode];
}

/* For SHOW QUERIES. */
static void count(struct client *c, struct traced *d)
{
	struct queries *q = relay_of(c)->queries;
	enum queries_track track = (enum queries_track)c->lane->set.track_queries;
	struct trace *t = c->trace;
	struct query_sample s = {
		.client = &t->statistics,
		.user = c->lane->pool->user,
		.database = c->lane->pool->database,
		.application = app_of(c),
		.text = d->bound.p ? d->bound.p->body : d->text,
		.text_len = d->bound.p ? d->bound.p->text_len : d->text_len,
		.transaction = d->transaction,
		.in_transaction =
			d->block || (t->in_transaction && t->transaction == d->transaction),
		.error = d->failed,
		.weight = track == QUERIES_SAMPLE ? QUERIES_SAMPLE_WEIGHT : 1,
		.wait_us = span(d->asked, d->linked),
		.server_us = span(d->linked, d->last),
		.rows = d->rows,
		.bytes_in = d->bytes_in,
		.bytes_out = d->bytes_out,
	};

	if (!queries_wants(track, c->id, d->transaction))
		return;
	s.ended = d->wall + s.wait_us + s.server_us;
	if (s.text)
		queries_key(q, s.text, s.text_len, &s.key);
	queries_done(q, &s);
}

static void record(struct client *c, struct traced *d, usec_t taken)
{
	struct qlog_ring *ring = relay_of(c)->ring;
	struct trace *t = c->trace;
	const char *app;
	uint32_t types[64];
	struct qlog_statement q = {
		.start = d->wall,
		.transaction = d->transaction,
		.kind = d->kind,
		.text_truncated = d->truncated,
		.name = d->bound.name,
		.tag = d->has_tag ? d->tag : NULL,
		.bind = d->bound.body,
		.bind_len = d->bound.body_len,
		.error = d->error,
		.error_len = d->error_len,
		.wait_us = span(d->asked, d->linked),
		.server_us = span(d->linked, d->first),
		.fetch_us = span(d->first, d->last),
		.drain_us = span(d->last, taken),
		.rows = d->rows,
		.bytes_in = d->bytes_in,
		.bytes_out = d->bytes_out,
		.server_pid = d->server_pid,
		.mode = mode_word(c),
	};

	if (!ring || !qlog_wants(qlog_gate(ring), c->id, d->transaction,
			     (uint64_t)q.wait_us + q.server_us + q.fetch_us, d->error != NULL))
		return;
	if (d->bound.p) {
		q.text = d->bound.p->body;
		q.text_len = d->bound.p->text_len;
		q.types = types;
		q.type_count = types_of(prepared_served(&relay_of(c)->prepared, d->bound.p), types,
			ARRAY_LEN(types));
	} else {
		q.text = d->text ? d->text : "";
		q.text_len = d->text_len;
	}
	app = app_of(c);
	if (!t->session)
		make_session(c, t);
	else if (t->renamed)
		qlog_session_rename(ring, &t->session, app);
	t->renamed = false;
	q.session = t->session;
	(void)!qlog_record(ring, &q); /* what does not fit is counted there */
}

static void traced_free(struct client *c, struct traced *d)
{
	bound_clear(c, &d->bound);
	if (d->text != d->room)
		free(d->text);
	free(d->error);
	if (c->trace->spare)
		free(d);
	else
		c->trace->spare = d;
}

/* What a transaction that does nothing did last, for SHOW WAITS. */
static void remember(struct trace *t, const struct traced *d)
{
	const char *text = d->bound.p ? d->bound.p->body : d->text;
	size_t len = d->bound.p ? d->bound.p->text_len : d->text_len;

	free(t->before);
	t->before = text && t->in_transaction && !d->secret
			    ? mem_strndup(text, len < 500 ? len : 500)
			    : NULL;
}

const char *trace_text(const struct client *c, size_t *len)
{
	const struct traced *d = c->trace ? c->trace->head : NULL;
	const char *text = d ? d->bound.p ? d->bound.p->body : d->text : NULL;

	if (text && !d->secret) {
		*len = d->bound.p ? d->bound.p->text_len : d->text_len;
		return text;
	}
	if (d || !c->trace || !c->trace->in_transaction || !c->trace->before)
		return NULL;
	*len = strlen(c->trace->before);
	return c->trace->before;
}

static void drop_head(struct client *c)
{
	struct trace *t = c->trace;
	struct traced *d = t->head;

	t->head = d->next;
	if (!t->head)
		t->tail = &t->head;
	t->count--;
	remember(t, d);
	traced_free(c, d);
}

/* A Sync was answered: what came before it and is not done never ran. */
static void drop_skipped(struct client *c)
{
	struct trace *t = c->trace;
	struct traced **at = &t->head, *d;

	while ((d = *at) && d->batch == t->batch_out) {
		if (d->done || d->kind == QLOG_STATEMENT) {
			at = &d->next;
			continue;
		}
		*at = d->next;
		if (t->tail == &d->next)
			t->tail = at;
		t->count--;
		traced_free(c, d);
	}
	t->batch_out++;
}

/* The oldest one that is not done: whose answer is under way. */
static struct traced *current(struct trace *t)
{
	struct traced *d = t->head;

	while (d && d->done)
		d = d->next;
	return d;
}

static void finish(struct client *c, struct traced *d)
{
	struct trace *t = c->trace;

	d->last = relay_of(c)->w.now;
	if (!d->started)
		d->first = d->last;
	d->done = true;
	d->bytes_out = t->bytes;
	t->bytes = 0;
}

/* PortalSuspended: the next Execute without a Bind goes on with it. */
static void keep_suspended(struct client *c, const struct bound *b)
{
	struct bound *s = &c->trace->suspended;

	bound_clear(c, s);
	if (!b->name)
		return;
	bound_set(s, b->name, b->body, b->body_len);
	s->p = b->p;
	if (s->p)
		s->p->refs++;
}

bool trace_has_begun(const struct client *c)
{
	const struct traced *d = current(c->trace);

	return d && d->started;
}

void trace_reply(struct client *c, char type, const char *body, size_t len,
	const struct ledger_event *ev)
{
	struct trace *t = c->trace;
	struct traced *d = current(t);
	bool ends = false;

	if (d && !d->started) {
		const struct entry *head = c->server ? ledger_head(&c->server->ledger) : NULL;

		/* What answers Parse, Bind and Describe is not yet the statement's answer. */
		if ((ev->finished &&
			    (ev->done.kind == ENTRY_EXECUTE || ev->done.kind == ENTRY_QUERY)) ||
			(head && (head->kind == ENTRY_EXECUTE || head->kind == ENTRY_QUERY))) {
			d->started = true;
			d->first = relay_of(c)->w.now;
		}
	}
	if (UNLIKELY(type == 't'))
		learn_types(c, body, len);
	if (type == 'C' && d) {
		size_t n = strnlen(body, len);

		d->has_tag = true;
		n = n < sizeof d->tag - 1 ? n : sizeof d->tag - 1;
		memcpy(d->tag, body, n);
		d->tag[n] = '\0';
		d->rows += wire_tag_rows(body, len);
	} else if (type == 's' && d) {
		keep_suspended(c, &d->bound);
		d->rows = d->limit; /* that many have come: this is what it means */
	} else if (type == 'E' && d && !d->error) {
		d->failed = true;
		d->error = mem_alloc(len ? len : 1);
		memcpy(d->error, body, len);
		d->error_len = len;
	}
	if (ev->finished && d)
		ends = d->kind == QLOG_STATEMENT ? ev->done.kind == ENTRY_QUERY
						 : ev->done.kind == ENTRY_EXECUTE ||
							   (ev->failed && d->batch == t->batch_out);
	if (ends)
		finish(c, d);
	if (type == 'Z') {
		/* what an error made the server skip never ran */
		if (ev->finished && ev->done.kind == ENTRY_SYNC)
			drop_skipped(c);
		t->in_transaction = len == 1 && body[0] != 'I';
	}
}

static void take_done(struct client *c)
{
	usec_t now = relay_of(c)->w.now;

	while (c->trace->head && c->trace->head->done) {
		record(c, c->trace->head, now);
		count(c, c->trace->head);
		drop_head(c);
	}
}

void trace_sent(struct client *c, size_t bytes)
{
	c->trace->bytes += bytes;
	if (c->trace->head && c->trace->head->done) {
		c->trace->head->bytes_out += c->trace->bytes;
		c->trace->bytes = 0;
	}
	if (!c->out)
		take_done(c);
}

void trace_drained(struct client *c)
{
	if (c->trace)
		take_done(c);
}

void trace_gone(struct client *c, enum close_reason why)
{
	struct trace *t = c->trace;

	(void)why;
	if (!t)
		return;
	take_done(c);
	while (t->head)
		drop_head(c);
	bound_clear(c, &t->bound);
	bound_clear(c, &t->suspended);
	for (size_t i = 0; i < ARRAY_LEN(t->described); i++)
		prepared_drop(&relay_of(c)->prepared, &t->described[i]);
	if (relay_of(c)->ring)
		qlog_session_release(relay_of(c)->ring, &t->session);
	params_drop(&relay_of(c)->params, &t->params);
	free(t->before);
	free(t->spare);
	free(t);
	c->trace = NULL;
}

void trace_answered(struct client *c, const char *text, const char *tag)
{
	struct traced *d;

	if (LIKELY(!is_observed(c)))
		return;
	trace_query(c, text, strlen(text), strlen(text) + WIRE_HEADER + 1, 0);
	d = c->trace ? current(c->trace) : NULL;
	if (!d)
		return;
	d->has_tag = true;
	snprintf(d->tag, sizeof d->tag, "%s", tag);
	finish(c, d);
	take_done(c);
}
