/* SPDX-License-Identifier: ISC
 *
 * What a client has sent, message by message.  Without a server connection: what is wanted,
 * and whether one is needed for it.  With one: each message is noted in the server's ledger
 * before its bytes go.
 *
 * A message is looked at when as much of it is here as must be known: the whole of small
 * ones, the names at the head of Bind, the text of Parse.  What is larger passes on as it
 * comes (c->left).
 */
#include "session_request.h"
#include "session_message.h"

/* Messages that are only noted and passed on. */
static ALWAYS_INLINE enum step on_plain(struct message *m, enum entry_kind kind)
{
	if (!message_push(m, kind, 0, 0))
		return STEP_CLOSED;
	message_pass(m);
	return STEP_DONE;
}

static void begin_batch(struct message *m)
{
	m->seen |= m->seen & SEEN_SYNC ? SEEN_OTHER : SEEN_SYNC;
	m->s->batch++;
	stats_add(&m->c->lane->stats.query_count, 1);
	if (m->s->ledger.len == 0)
		m->c->waiter.since = m->c->lane->relay->w.now;
}

/* Terminate.  What stands before it in this read is noted in the ledger, and so is sent: the
 * connection is brought back to quiet without its client. */
static void goodbye(struct message *m)
{
	const char *out;
	size_t len = gather_end(&m->g, &out);

	m->s->feeding = false;
	server_send(m->s, out, len);
	if (m->c->state != CLIENT_CLOSED)
		client_close(m->c, CLOSE_CLIENT_QUIT, NULL);
}

static enum step on_message(struct message *m)
{
	struct client *c = m->c;

	if (UNLIKELY(m->s->ledger.state.skipping) && strchr("QPBDCEF", m->type)) {
		message_pass(m); /* the server will not look at it: nor must our tables change */
		return STEP_DONE;
	}
	switch (m->type) {
	case 'Q':
		if (UNLIKELY(hub.conf->p.disable_pqexec)) {
			client_close(c, CLOSE_CLIENT_PROTOCOL,
				"simple protocol is disabled (disable_pqexec)");
			return STEP_CLOSED;
		}
		return message_query(m);
	case 'P':
		return message_parse(m);
	case 'B':
		return message_bind(m);
	case 'D':
	case 'C':
		return message_named(m);
	case 'E':
		if (m->have < m->size && m->size <= NAME_MAX_BYTES)
			return STEP_MORE;
		if (m->s->ledger.len == 0)
			c->waiter.since = c->lane->relay->w.now;
		if (UNLIKELY(m->observed))
			trace_execute(c, m->body, m->have - WIRE_HEADER);
		return on_plain(m, ENTRY_EXECUTE);
	case 'S':
		begin_batch(m);
		if (UNLIKELY(m->observed))
			trace_sync(c);
		return on_plain(m, ENTRY_SYNC);
	case 'F':
		begin_batch(m);
		m->seen |= SEEN_OTHER;
		if (!message_push(m, ENTRY_FUNCTION, 0, 0))
			return STEP_CLOSED;
		m->s->dirty_effects |= message_has_session(c) ? 0 : TEXT_LONG;
		message_pass(m);
		return STEP_DONE;
	case 'c':
	case 'f':
		m->seen |= SEEN_OTHER;
		return on_plain(m, ENTRY_COPY_END);
	case 'H':
	case 'd':
		m->seen |= SEEN_OTHER;
		message_pass(m);
		return STEP_DONE;
	case 'X':
		if ((server_owes_answer(m->s) || c->out) && !c->replication) {
			/* what it asked before is still answered, also when it hangs up now; but
			 * a stream has no end */
			c->quitting = true;
			client_watch(c);
			return STEP_MORE;
		}
		goodbye(m);
		return STEP_CLOSED;
	}
	client_close(c, CLOSE_CLIENT_PROTOCOL, "unknown message type");
	return STEP_CLOSED;
}

/* Answers that are ours to give and whose turn it is already. */
static void answer_locally(struct client *c, struct server *s)
{
	struct buf b = {0};
	struct entry e;

	if (s->left)
		return; /* in the middle of an answer: server's feed() goes on with it */
	while (ledger_take_local(&s->ledger, &e)) {
		if (e.kind == ENTRY_CLOSE && (e.flags & ENTRY_TAGGED))
			closing_done(s, e.tag);
		wire_put_bare(&b, e.kind == ENTRY_PARSE ? '1' : '3');
	}
	client_send(c, b.data, b.len);
	buf_free(&b);
}

/* With a server connection: whatever it is. */
static size_t feed_messages(struct client *c, const char *p, size_t n)
{
	struct server *s = c->server;
	struct worker *w = &c->lane->relay->w;
	struct message m = {.c = c,
		.s = s,
		.g.copy = &w->scratch,
		.renames = message_renames(c),
		.observed = c->lane->set.observed};
	const char *out;
	size_t at = 0, len, limit = (size_t)hub.conf->p.max_packet_size + 1;
	enum step step = STEP_DONE;

	s->again.len = 0;
	m.local = s->ledger.len; /* none, or the audit's */
	if (m.local != s->auditing || c->begin || s->ledger.state.unsynced ||
		s->ledger.state.status != 'I')
		m.seen = SEEN_OTHER;
	s->feeding = true;
	if (UNLIKELY(c->begin != NULL) && !begin_send(&m))
		return n;
	if (UNLIKELY(c->left)) {
		at = n < c->left ? n : c->left;
		gather_add(&m.g, p, at);
		c->left -= (uint32_t)at;
	}
	while (n - at >= WIRE_HEADER) {
		size_t have = n - at;

		m.type = p[at];
		m.size = wire_message_size(p + at);
		if (UNLIKELY(m.size == 0 || m.size > limit)) {
			client_close(c, m.size ? CLOSE_CLIENT_TOO_LARGE : CLOSE_CLIENT_PROTOCOL,
				m.size ? "max_packet_size" : "length out of range");
			break;
		}
		m.have = have < m.size ? have : m.size;
		m.rest = have;
		m.at = p + at;
		m.body = m.at + WIRE_HEADER;
		step = on_message(&m);
		if (step != STEP_DONE)
			break;
		at += m.have;
	}
	if (step == STEP_CLOSED || c->state == CLIENT_CLOSED) {
		w->scratch.len = 0;
		return n;
	}
	s->feeding = false;
	len = gather_end(&m.g, &out);
	if (m.seen == SEEN_BATCH && m.type == 'S' && len <= AGAIN_MAX) {
		/* should it have to be sent once more */
		buf_put(&s->again, out, len);
		s->again_entries = s->ledger.len - m.local;
	}
	if (len)
		server_send(s, out, len);
	w->scratch.len = 0;
	if (UNLIKELY(c->lane->set.deadlines))
		client_arm(c); /* it is busy now */
	if (ledger_is_local(&s->ledger))
		answer_locally(c, s);
	return at;
}

/* Is it one Query and nothing else, as most often? */
static inline bool is_one_query(const char *p, size_t n)
{
	return n >= WIRE_HEADER && p[0] == 'Q' && wire_message_size(p) == n;
}

/* With a server connection. */
static inline size_t feed_linked(struct client *c, const char *p, size_t n)
{
	if (is_one_query(p, n) && LIKELY(query_send(c, p, n)))
		return n;
	return feed_messages(c, p, n);
}

/* --- without a server connection -------------------------------------------------------- */

/* Parse, Bind, Describe, Close, Execute: nothing is answered before Sync or Flush. */
static inline bool is_of_batch(char type)
{
	const uint64_t types = 1ULL << ('P' - 64) | 1ULL << ('B' - 64) | 1ULL << ('D' - 64) |
			       1ULL << ('C' - 64) | 1ULL << ('E' - 64);
	unsigned bit = (unsigned char)type - 64U;

	return bit < 64 && (types >> bit & 1);
}

enum want { WANT_MORE, WANT_SERVER, WANT_SKIP, WANT_QUIT, WANT_BAD };

/* What does a client want that has no server connection?  *skip: bytes at the front that
 * need none (a Sync or Flush with nothing before it, copy data after a failed copy). */
static enum want look(const char *p, size_t n, size_t *skip)
{
	size_t at = 0;

	*skip = 0;
	while (n - at >= WIRE_HEADER) {
		size_t size = wire_message_size(p + at);

		if (size == 0)
			return WANT_BAD;
		if (is_of_batch(p[at])) {
			if (at + size > WHOLE_MAX)
				return WANT_SERVER;
			if (n - at < size)
				return WANT_MORE;
			at += size;
			continue;
		}
		switch (p[at]) {
		case 'X':
			return at == 0 ? WANT_QUIT : WANT_SERVER;
		case 'S':
		case 'H':
		case 'd':
		case 'c':
		case 'f':
			if (at > 0)
				return WANT_SERVER;
			if (n < size)
				return WANT_MORE;
			*skip = size;
			return WANT_SKIP;
		case 'Q':
		case 'F':
			if (n - at >= size || size > WHOLE_MAX)
				return WANT_SERVER;
			return WANT_MORE;
		}
		return WANT_BAD;
	}
	return WANT_MORE;
}

/* Takes what a failed extended message makes the server skip. */
static size_t skip_to_sync(struct client *c, const char *p, size_t n)
{
	struct buf b = {0};
	size_t at = 0;

	while (c->discarding && n - at >= WIRE_HEADER) {
		size_t size = wire_message_size(p + at);

		if (size == 0) {
			client_close(c, CLOSE_CLIENT_PROTOCOL, "length out of range");
			return n;
		}
		if (n - at < size) {
			if (size <= WHOLE_MAX)
				break;
			c->left = (uint32_t)(size - (n - at)); /* eaten below, as it comes */
			return n;
		}
		if (p[at] == 'S') {
			c->discarding = false;
			wire_put_ready(&b, begin_status(c));
			client_send(c, b.data, b.len);
			buf_free(&b);
		}
		at += size;
	}
	return at;
}

/* Asks the pool.  True: linked and ready for the request. */
static bool acquire(struct client *c)
{
	struct lane *l = c->lane;
	struct slot *slot;

	switch (pool_ask(&l->shard, &c->waiter, l->relay->w.now, &slot)) {
	case POOL_LEASED:
		return server_link(CONTAINER_OF(slot, struct server, slot), c);
	case POOL_QUEUED:
		c->state = CLIENT_WAITING;
		if (pool_is_down(&l->shard, l->relay->w.now))
			client_close(c, CLOSE_SERVER_LOGIN, l->last_error);
		else
			client_arm(c);
		return false;
	case POOL_REFUSED:
		stats_add(&l->stats.queue_refusals, 1);
		client_close(c, CLOSE_QUEUE_FULL, NULL);
		return false;
	}
	return false;
}

/* Without a server connection: what can be answered is, for the rest one is asked for. */
static size_t feed_unlinked(struct client *c, const char *p, size_t n)
{
	struct buf b = {0};
	size_t at = 0, skip, size;

	if (LIKELY(is_one_query(p, n) && !c->left && !c->discarding && !begin_is_likely(p, n)))
		return acquire(c) ? feed_linked(c, p, n) : c->state == CLIENT_CLOSED ? n : 0;
	for (;;) {
		if (c->left) {
			size_t take = n - at < c->left ? n - at : c->left;

			c->left -= (uint32_t)take;
			at += take;
		}
		if (UNLIKELY(c->discarding)) {
			at += skip_to_sync(c, p + at, n - at);
			if (c->discarding || c->state == CLIENT_CLOSED)
				return at;
		}
		switch (look(p + at, n - at, &skip)) {
		case WANT_MORE:
			return at;
		case WANT_QUIT:
			client_close(c, CLOSE_CLIENT_QUIT, NULL);
			return n;
		case WANT_BAD:
			client_close(c, CLOSE_CLIENT_PROTOCOL,
				"unknown message type or length out of range");
			return n;
		case WANT_SKIP:
			if (p[at] == 'S') {
				b.len = 0;
				wire_put_ready(&b, begin_status(c));
				client_send(c, b.data, b.len);
				buf_free(&b);
			}
			at += skip;
			continue;
		case WANT_SERVER:
			break;
		}
		size = UNLIKELY(begin_is_likely(p + at, n - at)) ? begin_defer(c, p + at, n - at)
								 : 0;
		if (!size && (p[at] == 'P' || p[at] == 'C'))
			size = statement_answer(c, p + at, n - at);
		if (UNLIKELY(size)) {
			at += size;
			continue;
		}
		if (acquire(c))
			return at + feed_linked(c, p + at, n - at);
		return c->state == CLIENT_CLOSED ? n : at;
	}
}

size_t request_feed(struct client *c, const char *p, size_t n)
{
	if (c->state == CLIENT_LINKED)
		return server_is_asked(c->server) ? 0 : feed_linked(c, p, n);
	return c->state == CLIENT_IDLE ? feed_unlinked(c, p, n) : 0;
}

void request_withdraw(struct client *c)
{
	struct chunk *in = c->in;
	struct buf b = {0};
	const char *p;
	size_t size;

	if (!in || chunk_left(in) < WIRE_HEADER)
		return;
	begin_fail(c);
	p = in->data + in->off;
	size = wire_message_size(p);
	if ((p[0] == 'Q' || p[0] == 'F') && size && size <= chunk_left(in)) {
		in->off += (uint32_t)size;
		wire_put_ready(&b, begin_status(c));
		client_send(c, b.data, b.len);
		buf_free(&b);
		if (!chunk_left(in))
			chunk_free(&c->lane->relay->chunks, &c->in);
	} else if (p[0] == 'Q' || p[0] == 'F') {
		client_close(c, CLOSE_CLIENT_QUIT, NULL); /* a request too large to take back */
		return;
	} else {
		c->discarding = true;
	}
	client_continue(c);
}
