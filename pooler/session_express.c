/* SPDX-License-Identifier: ISC
 *
 * The short way of what nearly every transaction is: one Query, or one execution of a prepared
 * statement, that does nothing to its session, from a client that waits for nothing else, on a
 * connection of which nothing is known but that it is quiet.  What this does, session_request.c,
 * session_client.c and session_server.c would do in the same order; here it is straight, with few
 * comparisons in front of each step, which must all hold before anything is done.  Whatever is
 * unusual in the least goes the long way.
 *
 * Settings that rule the short way out make set.express_max 0 (lane_configure).
 */
#include "session_express.h"
#include "session_flow.h"
#include "session_message.h"
#include "session_turn.h"

/* A whole Query and nothing behind it, no longer than may go this way. */
static inline bool is_lone_query(const struct lane *l, const char *p, size_t n)
{
	return n >= WIRE_HEADER && p[0] == 'Q' && wire_u32(p + 1) + 1 == n &&
	       n <= l->set.express_max;
}

/* Is it the client of one transaction after the other that most are? */
static inline bool is_plain_client(const struct client *c)
{
	return !((uintptr_t)c->begin | c->left) && !c->replication && !c->closing &&
	       !c->discarding && !c->quitting && !c->pinned;
}

/* The same of a connection, when a transaction is over: server_is_quiet(), and no question of ours,
 * no state and no errand stands in the way of the next client. */
static inline bool is_plain_server(const struct server *s)
{
	return !(s->errands | s->awaited | s->dirty_effects | s->session_state) &&
	       server_is_quiet(s);
}

/* What goes the short way: one Query; the one batch that drivers send to execute a statement that
 * they have prepared; or a batch that parses the unnamed statement and executes it, once or, in a
 * pipeline, again and again. */
enum parcel { PARCEL_NONE, PARCEL_QUERY, PARCEL_NAMED, PARCEL_UNNAMED };

/* What follows Bind in these batches: Describe of the unnamed portal, Execute without a limit; and
 * at their end Sync. */
#define EXECUTE	       "D\0\0\0\6P\0E\0\0\0\11\0\0\0\0\0"
#define EXECUTE_SIZE   (sizeof EXECUTE - 1)
#define SYNC	       "S\0\0\0\4"
#define SYNC_SIZE      (sizeof SYNC - 1)
#define BATCH_END      EXECUTE SYNC
#define BATCH_END_SIZE (sizeof BATCH_END - 1)
/* Bind's header and the name of the unnamed portal. */
#define BATCH_HEAD_SIZE (WIRE_HEADER + 1)

/* Bind to the unnamed portal, of a statement with a name, and the end of a batch. */
static inline bool is_named_batch(const struct lane *l, const char *p, size_t n)
{
	return n > BATCH_HEAD_SIZE + BATCH_END_SIZE && p[0] == 'B' && p[WIRE_HEADER] == '\0' &&
	       p[BATCH_HEAD_SIZE] != '\0' && wire_u32(p + 1) + 1 + BATCH_END_SIZE == n &&
	       memcmp(p + n - BATCH_END_SIZE, BATCH_END, BATCH_END_SIZE) == 0 &&
	       n <= l->set.express_max && l->set.max_prepared > 0;
}

/* It begins with a Parse of the unnamed statement and, as it seems, ends with Sync. */
static inline bool is_unnamed_batch(const struct lane *l, const char *p, size_t n)
{
	return n > WIRE_HEADER + SYNC_SIZE && p[0] == 'P' && p[WIRE_HEADER] == '\0' &&
	       memcmp(p + n - SYNC_SIZE, SYNC, SYNC_SIZE) == 0 && n <= l->set.express_max &&
	       l->set.max_prepared > 0;
}

static inline enum parcel parcel_of(const struct lane *l, const char *p, size_t n)
{
	if (LIKELY(is_lone_query(l, p, n)))
		return PARCEL_QUERY;
	if (is_named_batch(l, p, n))
		return PARCEL_NAMED;
	return is_unnamed_batch(l, p, n) ? PARCEL_UNNAMED : PARCEL_NONE;
}

/* Sends a Query.  False: nothing was done, its text has an effect. */
static ALWAYS_INLINE bool send_query(struct client *c, struct server *s, const char *p, size_t n)
{
	if (UNLIKELY(wire_text_effects(p + WIRE_HEADER, n - WIRE_HEADER)) ||
		!ledger_push(&s->ledger, ENTRY_QUERY, 0, 0))
		return false;
	query_count(c, s);
	if (UNLIKELY(c->lane->set.observed))
		trace_query(c, p + WIRE_HEADER, n - WIRE_HEADER, n, 0);
	s->again.len = 0;
	if (UNLIKELY(!flow_send(&s->conn, &s->out, &c->lane->relay->chunks, p, n)))
		server_blocked(s);
	return true;
}

/* The batch with our name of the statement in place of the client's, where a batch stays that may
 * have to be sent once more (session_heal.c). */
static inline void put_batch(struct buf *b, const char *p, size_t n, size_t name_size,
	uint64_t number)
{
	const char *after = p + BATCH_HEAD_SIZE + name_size;
	size_t rest = (size_t)(p + n - after), ours;
	uint32_t size;

	buf_reserve(b, BATCH_HEAD_SIZE + PREPARED_NAME + rest);
	ours = prepared_name(b->data + BATCH_HEAD_SIZE, number) + 1;
	size = htonl(wire_u32(p + 1) - (uint32_t)name_size + (uint32_t)ours);
	b->data[0] = 'B';
	memcpy(b->data + 1, &size, 4);
	b->data[WIRE_HEADER] = '\0';
	memcpy(b->data + BATCH_HEAD_SIZE + ours, after, rest);
	b->len = BATCH_HEAD_SIZE + ours + rest;
}

/* The observers are told of the messages of a batch that is on its way: Parses of the unnamed
 * statement, Binds with what follows each, Sync. */
static NOINLINE void trace_batch(struct client *c, struct prepared *known, const char *p, size_t n)
{
	const char *at = p, *end = p + n - SYNC_SIZE;

	while (at < end) {
		size_t size = wire_message_size(at), len = size - WIRE_HEADER;
		const char *body = at + WIRE_HEADER;

		if (*at == 'P') {
			trace_parse(c, size);
		} else if (*at == 'B') {
			trace_bind(c, body + 1, known, body, len, size);
		} else if (*at == 'E') {
			trace_execute(c, body, len);
		}
		at += size;
	}
	trace_sync(c);
}

/* Sends a batch with a named statement.  False: nothing was done, since the statement is not one
 * that the server has and that does nothing to its session. */
static bool send_named(struct client *c, struct server *s, const char *p, size_t n)
{
	const char *name = p + BATCH_HEAD_SIZE,
		   *nul = memchr(name, 0, n - BATCH_END_SIZE - BATCH_HEAD_SIZE);
	struct ledger *l = &s->ledger;
	struct prepared *known;

	if (!nul || s->naming || s->closing || n > AGAIN_MAX ||
		!(known = client_statement_get(c, name)) || known->served || known->stale ||
		known->effects || !server_statement_has(s, known))
		return false;
	if (!ledger_push(l, ENTRY_BIND, 0, (uint32_t)known->number) ||
		!ledger_push(l, ENTRY_DESCRIBE_PORTAL, 0, 0) ||
		!ledger_push(l, ENTRY_EXECUTE, 0, 0) || !ledger_push(l, ENTRY_SYNC, 0, 0))
		abort(); /* cannot be: the smallest ledger has room for eight */
	s->batch++;
	stats_add(&c->lane->stats.bind_count, 1);
	stats_add(&c->lane->stats.query_count, 1);
	if (UNLIKELY(c->lane->set.observed))
		trace_batch(c, known, p, n);
	put_batch(&s->again, p, n, (size_t)(nul + 1 - name), known->number);
	s->again_entries = l->len;
	if (UNLIKELY(!flow_send(&s->conn, &s->out, &c->lane->relay->chunks, s->again.data,
		    s->again.len)))
		server_blocked(s);
	return true;
}

/* Notes the messages of a batch with the unnamed statement in the empty ledger, all but Sync, and
 * how many there are of each.  False: there is something else in it. */
static bool note_unnamed(const struct client *c, struct server *s, const char *at, const char *end,
	uint32_t *parses, uint32_t *binds)
{
	const struct prepared *known = c->unnamed;
	struct ledger *l = &s->ledger;
	bool there = s->unnamed == known;

	while (at < end) {
		size_t left = (size_t)(end - at), size = wire_u32(at + 1) + (size_t)1;

		if (*at == 'P') { /* the same text as before: nothing about it is new */
			if (size != WIRE_HEADER + 1 + known->body_len || size > left ||
				at[WIRE_HEADER] ||
				memcmp(at + WIRE_HEADER + 1, known->body, known->body_len) != 0 ||
				!ledger_push(l, ENTRY_PARSE, 0, s->unnamed_parses + ++*parses))
				return false;
			there = true;
		} else if (*at == 'B') {
			if (!there || size < WIRE_HEADER + 2 || size + EXECUTE_SIZE > left ||
				at[WIRE_HEADER] || at[WIRE_HEADER + 1] ||
				memcmp(at + size, EXECUTE, EXECUTE_SIZE) != 0 ||
				!ledger_push(l, ENTRY_BIND, 0, 0) ||
				!ledger_push(l, ENTRY_DESCRIBE_PORTAL, 0, 0) ||
				!ledger_push(l, ENTRY_EXECUTE, 0, 0))
				return false;
			size += EXECUTE_SIZE;
			++*binds;
		} else {
			return false;
		}
		at += size;
	}
	return true;
}

/* Sends a batch with the unnamed statement.  False: nothing was done, since it is not only about
 * the text that the client's unnamed statement has already, which has no effect. */
static bool send_unnamed(struct client *c, struct server *s, const char *p, size_t n)
{
	struct relay *r = c->lane->relay;
	struct prepared *known = c->unnamed;
	uint32_t parses = 0, binds = 0;

	if (!known || known->effects || prepared_is_stale(known) ||
		UNLIKELY(known->meaning != meaning_usual(c) || s->alters))
		return false;
	if (!note_unnamed(c, s, p, p + n - SYNC_SIZE, &parses, &binds) ||
		!ledger_push(&s->ledger, ENTRY_SYNC, 0, 0)) {
		s->ledger.len = 0; /* as it was */
		s->ledger.state.unsynced = false;
		return false;
	}
	if (UNLIKELY(s->unnamed != known)) {
		prepared_drop(&r->prepared, &s->unnamed);
		s->unnamed = known;
		known->refs++;
	}
	s->unnamed_parses += parses;
	s->batch++;
	s->again.len = 0;
	stats_add(&c->lane->stats.client_parse_count, parses);
	stats_add(&c->lane->stats.bind_count, binds);
	stats_add(&c->lane->stats.query_count, 1);
	if (UNLIKELY(c->lane->set.observed))
		trace_batch(c, known, p, n);
	if (UNLIKELY(!flow_send(&s->conn, &s->out, &r->chunks, p, n)))
		server_blocked(s);
	return true;
}

/* False: nothing was done. */
static ALWAYS_INLINE bool send_parcel(enum parcel parcel, struct client *c, struct server *s,
	const char *p, size_t n)
{
	if (LIKELY(parcel == PARCEL_QUERY))
		return send_query(c, s, p, n);
	return parcel == PARCEL_NAMED ? send_named(c, s, p, n) : send_unnamed(c, s, p, n);
}

/* Is what looks like the end of a batch one, so that no server connection waits for the rest of a
 * message? */
static bool is_whole(const char *at, const char *end)
{
	while (at < end) {
		size_t size = wire_u32(at + 1) + (size_t)1;

		if (size <= 4 || size > (size_t)(end - at))
			return false;
		at += size;
	}
	return true;
}

bool express_query(struct client *c, const char *p, size_t n)
{
	struct lane *l = c->lane;
	struct shard *sh = &l->shard;
	enum parcel parcel = parcel_of(l, p, n);
	struct slot *slot;
	struct server *s;

	if (UNLIKELY(c->state != CLIENT_IDLE || parcel == PARCEL_NONE || begin_is_likely(p, n) ||
		     !is_plain_client(c)) ||
		(parcel == PARCEL_UNNAMED && !is_whole(p, p + n - SYNC_SIZE)))
		return false;
	if (LIKELY(pool_would_queue(sh))) {
		if (UNLIKELY(pool_is_down(sh, l->relay->w.now)))
			return false;
		pool_queue(sh, &c->waiter, l->relay->w.now);
		c->state = CLIENT_WAITING;
		client_arm(c);
		c->in = chunk_keep_small(&l->relay->chunks, p, n);
		if (UNLIKELY(!l->full))
			lane_tend(l);
		return true;
	}
	if (UNLIKELY(pool_ask(sh, &c->waiter, l->relay->w.now, &slot) != POOL_LEASED))
		return false;
	s = CONTAINER_OF(slot, struct server, slot);
	if (LIKELY(server_link(s, c)) && LIKELY(s->ledger.len == 0) &&
		LIKELY(send_parcel(parcel, c, s, p, n)))
		return true;
	chunk_append(&l->relay->chunks, &c->in, p, n);
	if (!server_is_asked(s))
		client_resume(c); /* the long way */
	return true;
}

/* What a client that has waited asked for. */
static ALWAYS_INLINE void send_parked(struct client *c, struct server *s)
{
	struct lane *l = c->lane;
	struct chunk *in = c->in;
	const char *p = in->data + in->off;
	size_t n = chunk_left(in);
	enum parcel parcel = parcel_of(l, p, n);

	if (UNLIKELY(parcel == PARCEL_NONE || !is_plain_client(c) || s->ledger.len) ||
		UNLIKELY(!send_parcel(parcel, c, s, p, n))) {
		client_resume(c);
		return;
	}
	c->in = NULL;
	chunk_give_small(&l->relay->chunks, in);
	if (UNLIKELY(!flow_is_reading(&c->io)))
		client_watch(c);
}

/* express_turn(), for both ways that lead there. */
static ALWAYS_INLINE bool turn(struct server *s)
{
	struct lane *l = s->lane;
	struct client *c = s->client;
	usec_t now = l->relay->w.now;
	struct waiter *w;

	if (UNLIKELY(!l->set.express_max || !c || c->in || !is_plain_client(c) ||
		     !is_plain_server(s) || l->relay->draining))
		return false;
	who_note(s, c);
	c->server = NULL;
	c->state = CLIENT_IDLE;
	c->waiter.since = now;
	w = pool_hand_on(&l->shard, &s->slot, now);
	if (!w) {
		s->client = NULL;
		server_release(s);
		return true;
	}
	s->released = now;
	s->asked_cancel = s->asked_reset = s->setup_failed = false;
	if (UNLIKELY(l->shared))
		share_show(l);
	c = CONTAINER_OF(w, struct client, waiter);
	server_lend(s, c);
	if (UNLIKELY(s->params != c->params)) {
		if (server_set_up(s, c))
			client_resume(c);
		else
			client_arm_timer(c); /* it waits on */
		return true;
	}
	send_parked(c, s);
	return true;
}

bool express_answer(struct server *s, const char *p, size_t n)
{
	struct lane *l = s->lane;
	struct client *c = s->client;

	if (UNLIKELY(!l->set.express_max || !c || c->trace || s->left || s->errands) ||
		!ledger_pass_answer(&s->ledger, p, n))
		return false;
	client_ready(c, s->ledger.state.status);
	stats_add(&l->stats.bytes_sent, n);
	if (UNLIKELY(!flow_send(&c->conn, &c->out, &l->relay->chunks, p, n)))
		client_blocked(c);
	if (!turn(s))
		server_settle(s);
	return true;
}

bool express_turn(struct server *s)
{
	return turn(s);
}
