/* SPDX-License-Identifier: ISC
 *
 * The trace of what a client asks: Query, and the messages of the extended protocol up to
 * Execute, which is where a statement begins.  Texts and parameters are copied for the query
 * log alone; the statistics take a text's shape, which a prepared statement keeps.
 */
#include "session_message.h"
#include "session_traced.h"

#include "sql_lex.h"

static void keep_text(struct client *c, struct traced *d, const char *text, size_t len)
{
	size_t most = TRACE_SHOWN;

	if (d->logged) {
		most = (size_t)__atomic_load_n(&qlog_gate(relay_of(c)->ring)->max_text,
			__ATOMIC_RELAXED);
		if (!most)
			most = len;
		d->truncated |= len > most;
	}
	d->whole = len <= most && !d->truncated;
	buf_put(&d->text, text, len < most ? len : most);
}

void trace_query(struct client *c, const char *text, size_t have, size_t size, unsigned effects)
{
	struct traced *d;
	size_t len;

	if (LIKELY(!is_observed(c)))
		return;
	d = traced_begin(c, QLOG_STATEMENT);
	if (!d)
		return;
	/* Of a long one the same bytes each time, however many came with the first read. */
	d->truncated = size > WHOLE_MAX && have + WIRE_HEADER < size;
	if (UNLIKELY(d->truncated && have > WHOLE_MAX - WIRE_HEADER))
		have = WHOLE_MAX - WIRE_HEADER;
	len = have && text[have - 1] == '\0' ? have - 1 : have;
	d->secret = (effects & TEXT_SECRET) != 0;
	d->bytes_in = c->trace->bytes_in + size;
	c->trace->bytes_in = 0;
	if (d->counted)
		queries_key(relay_of(c)->queries, text, len, &d->key);
	keep_text(c, d, text, len);
}

void trace_parse(struct client *c, size_t size)
{
	if (UNLIKELY(is_observed(c)))
		trace_of(c)->bytes_in += size;
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
	/* Names are the client's own on its own connection: remember text by name.  Its server's
	 * memory is not ours to limit, but what we remember is. */
	client_statement_remove(c, name);
	if (client_statement_bytes(c) + (size_t)(end - text) >
			c->lane->set.max_client_prepared_bytes ||
		prepared_bytes_total() + (size_t)(end - text) > c->lane->set.max_prepared_bytes)
		return;
	client_statement_put(c, name,
		prepared_intern(&relay_of(c)->prepared, text, (size_t)(end - text), 0));
}

void trace_close_raw(struct client *c, const char *name)
{
	if (UNLIKELY(is_observed(c)))
		client_statement_remove(c, name);
}

void trace_bind(struct client *c, const char *name, struct prepared *p, const char *body,
	size_t have, size_t size)
{
	const char *values = name + strlen(name) + 1;
	struct trace *t;
	struct bound *b;

	if (LIKELY(!is_observed(c)))
		return;
	t = trace_of(c);
	b = &t->bound;
	if (UNLIKELY(b->is_set)) /* it was not executed yet */
		portal_keep(c, b);
	if (!p)
		p = client_statement_get(c, name);
	if (!p && *name == '\0')
		p = c->unnamed;
	b->p = p;
	if (p)
		p->refs++;
	b->portal = sql_hash_bytes(body, strlen(body), 0);
	b->values = sql_hash_bytes(values, (size_t)(body + have - values), 0);
	b->is_set = true;
	b->begun = false;
	if (relay_of(c)->ring && qlog_is_on(qlog_gate(relay_of(c)->ring))) {
		b->body_len = have;
		buf_put(&b->body, body, have);
		buf_put(&b->body, name, (size_t)(values - name));
	}
	t->bytes_in += size;
}

void trace_describe(struct client *c, struct prepared *p, size_t size)
{
	struct trace *t;
	size_t i;

	if (LIKELY(!is_observed(c)))
		return;
	t = trace_of(c);
	t->bytes_in += size;
	if (!p || p->types)
		return;
	i = p->number % ARRAY_LEN(t->described);
	p->refs++;
	prepared_drop(&relay_of(c)->prepared, &t->described[i]);
	t->described[i] = p;
}

void trace_learn_types(struct client *c, const char *body, size_t len)
{
	const struct entry *head = c->server ? ledger_head(&c->server->ledger) : NULL;
	struct trace *t = c->trace;
	struct prepared *p;
	size_t i;

	if (!head || head->kind != ENTRY_DESCRIBE_STATEMENT || !head->tag)
		return;
	i = head->tag % ARRAY_LEN(t->described);
	p = t->described[i];
	if (p && (uint32_t)p->number == head->tag)
		prepared_learn_types(p, body, len);
	prepared_drop(&relay_of(c)->prepared, &t->described[i]);
}

/* The portal that an Execute names becomes the statement's own.  False: nobody knows it. */
static bool take_portal(struct client *c, struct traced *d, uint64_t portal)
{
	struct trace *t = c->trace;
	struct bound old = d->bound; /* empty, with its memory */

	if (UNLIKELY(!t->bound.is_set || t->bound.portal != portal))
		return portal_take(c, portal, &d->bound);
	d->bound = t->bound;
	t->bound = old;
	return true;
}

/* Another Execute may go on with its portal, and may be on its way before we know. */
static void keep_portal(struct client *c, const struct bound *of)
{
	struct bound b = *of;

	b.body = (struct buf){0};
	buf_put(&b.body, of->body.data, of->body.len);
	b.begun = true;
	if (b.p)
		b.p->refs++;
	portal_keep(c, &b);
}

void trace_execute(struct client *c, const char *body, size_t len)
{
	const char *at = body, *end = body + len, *portal;
	struct traced *d;
	struct prepared *p;

	if (LIKELY(!is_observed(c)))
		return;
	d = traced_begin(c, QLOG_EXECUTE);
	if (!d)
		return;
	d->bytes_in = c->trace->bytes_in + len + WIRE_HEADER;
	c->trace->bytes_in = 0;
	portal = wire_cstr(&at, end);
	if (!portal || !take_portal(c, d, sql_hash_bytes(portal, (size_t)(at - portal) - 1, 0))) {
		d->kind = QLOG_FETCH;
		return;
	}
	if (end - at >= 4)
		d->limit = wire_u32(at);
	if (d->bound.begun)
		d->kind = QLOG_FETCH;
	if (UNLIKELY(d->limit))
		keep_portal(c, &d->bound);
	p = d->bound.p;
	if (!p)
		return;
	d->secret = (p->effects & TEXT_SECRET) != 0;
	if (d->counted) {
		queries_rekey(relay_of(c)->queries, p->body, p->text_len, &p->key);
		d->key = p->key;
		d->key.values ^= d->bound.values;
	}
}

void trace_sync(struct client *c)
{
	struct trace *t;

	if (LIKELY(!is_observed(c)))
		return;
	t = trace_of(c);
	t->batch_in++;
	t->bytes_in += WIRE_HEADER;
}
