/* SPDX-License-Identifier: ISC
 *
 * The trace of what a server answers: when the answer to a statement begins, how many rows it
 * tells, when it is complete.
 *
 * Most of it is seen in one walk (trace_pass), as untraced answers are (ledger_pass); the rest
 * message by message (trace_reply).
 */
#include "session_traced.h"

static inline void start(struct client *c, struct traced *d)
{
	d->started = true;
	d->first = relay_of(c)->w.now;
}

/* CommandComplete. */
static inline void on_complete(struct traced *d, const char *body, size_t len)
{
	size_t n;

	d->rows += wire_tag_rows(body, len);
	if (!d->logged)
		return;
	n = strnlen(body, len);
	d->has_tag = true;
	n = n < sizeof d->tag - 1 ? n : sizeof d->tag - 1;
	memcpy(d->tag, body, n);
	d->tag[n] = '\0';
}

size_t trace_pass(struct client *c, const char *p, size_t n, uint32_t *left)
{
	struct ledger *l = &c->server->ledger;
	struct trace *t = c->trace;
	struct traced *d = t->current;
	const struct entry *e;
	size_t at = 0, from = 0; /* from: what is behind it is in t->bytes */

	while (n - at >= WIRE_HEADER && (e = ledger_head(l)) && !e->flags) {
		uint64_t parts = ledger_part_types[e->kind];
		bool is_query = e->kind == ENTRY_QUERY;
		uint32_t size;

		/* What answers Parse, Bind and Describe is not yet the statement's answer. */
		if (d && !d->started && (is_query || e->kind == ENTRY_EXECUTE))
			start(c, d);
		if (is_query)
			parts &= ~LEDGER_TYPE_BIT('C');
		for (;;) {
			unsigned bit = (unsigned char)p[at] - 64U;

			size = wire_message_size(p + at);
			if (UNLIKELY(size == 0) || bit > 63 || !(parts >> bit & 1))
				break;
			if (UNLIKELY(size > n - at)) {
				*left = size - (uint32_t)(n - at);
				t->bytes += n - from;
				return n;
			}
			at += size;
			if (n - at < WIRE_HEADER)
				goto end;
		}
		if (UNLIKELY(size == 0 || size > n - at))
			break;
		if (is_query && p[at] == 'C') {
			if (d)
				on_complete(d, p + at + WIRE_HEADER, size - WIRE_HEADER);
			at += size;
			continue;
		}
		if (!ledger_pass_end(l, p[at]))
			break;
		at += size;
		if (p[at - size] == 'C' && LIKELY(d != NULL)) {
			on_complete(d, p + at - size + WIRE_HEADER, size - WIRE_HEADER);
			traced_finish(c, d, at - from);
			d = t->current;
			from = at;
		}
	}
end:
	t->bytes += at - from;
	return at;
}

void trace_passed(struct client *c, size_t bytes)
{
	c->trace->bytes += bytes;
}

/* A Sync was answered: what came before it and is not done never ran. */
static void drop_skipped(struct client *c)
{
	struct trace *t = c->trace;
	struct traced **at = &t->head;

	if (UNLIKELY(t->current && t->current->batch == t->batch_out)) {
		while (*at != t->current)
			at = &(*at)->next;
		while (*at && (*at)->batch == t->batch_out)
			traced_drop_skipped(c, at);
	}
	t->batch_out++;
}

void trace_ready(struct client *c, uint8_t kind, char status)
{
	struct trace *t = c->trace;
	const size_t size = WIRE_HEADER + 1;

	if (kind == ENTRY_QUERY && t->current) {
		traced_finish(c, t->current, size);
	} else if (t->newest) {
		t->newest->bytes_out += size;
	} else {
		t->bytes += size;
	}
	if (kind == ENTRY_SYNC)
		drop_skipped(c);
	t->in_transaction = status != 'I';
	if (UNLIKELY(t->portals && !t->in_transaction))
		portals_clear(c);
}

/* Of a Query, or of an Execute of the batch that failed: the error may be a Parse's or a
 * Bind's, or that of a batch without an Execute. */
static bool is_error_of(const struct trace *t, const struct traced *d,
	const struct ledger_event *ev)
{
	return ev->finished ? d->kind != QLOG_STATEMENT && d->batch == t->batch_out
			    : d->kind == QLOG_STATEMENT;
}

static void on_error(struct traced *d, const char *body, size_t len)
{
	if (d->failed)
		return;
	d->failed = true;
	if (d->logged)
		buf_put(&d->error, body, len);
}

void trace_reply(struct client *c, char type, const char *body, size_t len,
	const struct ledger_event *ev)
{
	struct trace *t = c->trace;
	struct traced *d = t->current;

	if (type == 'Z') {
		if (ev->finished)
			trace_ready(c, ev->done.kind, len == 1 ? body[0] : 'I');
		return;
	}
	if (d && !d->started) {
		const struct entry *head = c->server ? ledger_head(&c->server->ledger) : NULL;

		if ((ev->finished && ev->done.kind == ENTRY_EXECUTE) ||
			(head && (head->kind == ENTRY_EXECUTE || head->kind == ENTRY_QUERY)))
			start(c, d);
	}
	if (UNLIKELY(type == 't'))
		trace_learn_types(c, body, len);
	if (d && type == 'C')
		on_complete(d, body, len);
	else if (d && type == 's')
		d->rows = d->limit; /* that many have come: this is what PortalSuspended means */
	else if (d && type == 'E' && is_error_of(t, d, ev))
		on_error(d, body, len);
	t->bytes += len + WIRE_HEADER;
	if (ev->finished && d &&
		(ev->failed ? is_error_of(t, d, ev) : ev->done.kind == ENTRY_EXECUTE))
		traced_finish(c, d, 0);
}
