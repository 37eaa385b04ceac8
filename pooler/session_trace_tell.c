/* SPDX-License-Identifier: ISC
 *
 * Finished statements, as they are told to the statistics and to the query log.
 */
#include "session_traced.h"

static uint32_t span(usec_t from, usec_t to)
{
	usec_t us = to > from ? to - from : 0;

	return us > UINT32_MAX ? UINT32_MAX : (uint32_t)us;
}

/* For SHOW QUERIES. */
static void count(struct client *c, const struct traced *d)
{
	struct trace *t = c->trace;
	const struct prepared *p = d->bound.p;
	struct query_sample s = {
		.key = d->key,
		.client = &t->statistics,
		.user = c->lane->pool->user,
		.database = c->lane->pool->database,
		.application = trace_app(c),
		.text = p	   ? p->body
			: d->whole ? d->text.data
				   : NULL,
		.text_len = p ? p->text_len : d->text.len,
		.transaction = d->transaction,
		.in_transaction =
			d->block || (t->in_transaction && t->transaction == d->transaction),
		.goes_on = d->kind == QLOG_FETCH,
		.error = d->failed,
		.weight = c->lane->set.track_queries == TRACK_QUERIES_SAMPLE ? QUERIES_SAMPLE_WEIGHT
									     : 1,
		.wait_us = span(d->asked, d->linked),
		.server_us = span(d->linked, d->last),
		.rows = d->rows,
		.bytes_in = d->bytes_in,
		.bytes_out = d->bytes_out,
	};

	s.ended = d->wall + s.wait_us + s.server_us;
	queries_done(relay_of(c)->queries, &s);
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

static const char *mode_word(const struct client *c)
{
	static const char *const words[] = {"session", "transaction", "statement", "auto"};

	return words[c->lane->set.mode];
}

static void record(struct client *c, const struct traced *d, usec_t taken)
{
	struct qlog_ring *ring = relay_of(c)->ring;
	const struct bound *b = &d->bound;
	uint32_t types[64];
	struct qlog_statement q = {
		.start = d->wall,
		.transaction = d->transaction,
		.kind = d->kind,
		.text_truncated = d->truncated,
		.tag = d->has_tag ? d->tag : NULL,
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

	if (!qlog_wants(qlog_gate(ring), c->id, d->transaction,
		    (uint64_t)q.wait_us + q.server_us + q.fetch_us, d->failed))
		return;
	if (d->failed) {
		q.error = d->error.data ? d->error.data : "";
		q.error_len = d->error.len;
	}
	if (b->body.len) {
		q.bind = b->body.data;
		q.bind_len = b->body_len;
		q.name = b->body.data + b->body_len;
	}
	if (b->p) {
		q.text = b->p->body;
		q.text_len = b->p->text_len;
		q.types = types;
		q.type_count = types_of(prepared_served(&relay_of(c)->prepared, b->p), types,
			ARRAY_LEN(types));
	} else {
		q.text = d->text.len ? d->text.data : "";
		q.text_len = d->text.len;
	}
	q.session = trace_session(c);
	(void)!qlog_record(ring, &q); /* what does not fit is counted there */
}

void trace_tell(struct client *c)
{
	usec_t now = relay_of(c)->w.now;
	struct traced *d;

	while ((d = c->trace->head) && d->done) {
		if (d->logged)
			record(c, d, now);
		if (d->counted)
			count(c, d);
		traced_drop_head(c);
	}
}

void trace_sent(struct client *c)
{
	if (!c->out)
		trace_tell(c);
}

void trace_drained(struct client *c)
{
	if (c->trace)
		trace_tell(c);
}

void trace_answered(struct client *c, const char *text, const char *tag)
{
	struct traced *d;

	if (LIKELY(!is_observed(c)))
		return;
	trace_query(c, text, strlen(text), strlen(text) + WIRE_HEADER + 1, 0);
	d = c->trace ? c->trace->current : NULL;
	if (!d)
		return;
	d->has_tag = true;
	snprintf(d->tag, sizeof d->tag, "%s", tag);
	traced_finish(c, d, 0);
	trace_tell(c);
}
