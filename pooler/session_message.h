/* SPDX-License-Identifier: ISC
 *
 * message: one message of a client on its way to the server; shared by the files that deal
 * with requests.
 *
 *   session_request.c    the walk over what a client sent, with and without a server
 *   session_query.c      Query: a statement as text
 *   session_statement.c  Parse, Bind, Describe, Close: statements by name
 *   session_deallocate.c  DEALLOCATE as text
 *   session_naming.c     what names mean while batches are under way
 *   session_effects.c    what a text does to the session, and what may not be done
 *   session_begin.c      BEGIN, answered before there is a server connection
 */
#ifndef POOLER_SESSION_MESSAGE_H
#define POOLER_SESSION_MESSAGE_H

#include "session.h"
#include "session_gather.h"

/* A message up to this is waited for, so that a server is not held by half a request. */
#define WHOLE_MAX (32U * 1024)
/* Names in Bind, Describe and Close. */
#define NAME_MAX_BYTES 4096U

/* What became of a message: dealt with; more of it is needed; its client is closed; it is to
 * be offered again when the server has answered us (server_is_asked). */
enum step { STEP_DONE, STEP_MORE, STEP_CLOSED, STEP_WAIT };

/* One message and where it goes. */
struct message {
	struct client *c;
	struct server *s;
	struct gather g; /* what will be sent; shared by the messages of one walk */
	char type;
	const char *at;	  /* its header */
	const char *body; /* behind the header */
	size_t have;	  /* bytes here, header included */
	size_t size;	  /* bytes in all, header included */
	size_t rest;	  /* bytes here from its header on, those of later messages included */
	unsigned seen;	  /* SEEN_*, of all messages of this read */
	unsigned local;	  /* entries of the ledger that are not of a batch to be sent again */
	bool renames;	  /* message_renames() */
	bool observed;	  /* somebody wants to know of its statements */
};

/* What a read brought: is it a batch that could be sent once more (session_heal.c)? */
enum {
	SEEN_NAMED = 1,	    /* Bind or Describe of a named statement that the server has */
	SEEN_DESCRIBED = 2, /* the client learns what its rows look like */
	SEEN_SYNC = 4,
	SEEN_OTHER = 8, /* what must not be sent twice */
	SEEN_BATCH = SEEN_NAMED | SEEN_DESCRIBED | SEEN_SYNC,
};
#define AGAIN_MAX 8192U /* a larger batch is not kept */

enum step message_query(struct message *m);
/* The same for a whole Query that came alone and that nobody wants to look at, as most do:
 * noted and sent (or the client is closed).  False: nothing was done, it is one for
 * message_query(). */
bool query_send(struct client *c, const char *p, size_t size);
/* A Query is about to be sent. */
static inline void query_count(struct client *c, struct server *s)
{
	struct relay *r = c->lane->relay;

	if (UNLIKELY(s->unnamed != NULL))
		prepared_drop(&r->prepared, &s->unnamed);
	if (UNLIKELY(c->unnamed != NULL)) /* a Query ends it, as the protocol has it */
		prepared_drop(&r->prepared, &c->unnamed);
	s->batch++;
	stats_add(&c->lane->stats.query_count, 1);
	if (s->ledger.len == 0)
		c->waiter.since = r->w.now;
}

enum step message_parse(struct message *m);
enum step message_bind(struct message *m);
enum step message_named(struct message *m); /* Describe and Close */

/* Notes it in the server's ledger.  False: too much is in flight, the client is closed. */
static inline bool message_push(struct message *m, enum entry_kind kind, unsigned flags,
	uint32_t tag)
{
	if (LIKELY(ledger_push(&m->s->ledger, kind, flags, tag)))
		return true;
	client_close(m->c, CLOSE_CLIENT_IN_FLIGHT, NULL);
	return false;
}

/* Goes to the server as it is; what is not here yet follows as it comes. */
static inline void message_pass(struct message *m)
{
	size_t take = m->have < m->size ? m->have : m->size;

	gather_add(&m->g, m->at, take);
	m->c->left = (uint32_t)(m->size - take);
}

/* Nobody else ever has its server connection: what it does to the session is its own.  (But RESET
 * must go back to the parameters that its startup packet set.) */
static inline bool message_has_session(const struct client *c)
{
	return (c->lane->set.mode == POOL_MODE_SESSION && !c->start) || c->replication;
}

/* Does the client call prepared statements by names that become ours (PGSLUICE_17)? */
static inline bool message_renames(const struct client *c)
{
	const struct pool_settings *set = &c->lane->set;

	return set->mode != POOL_MODE_SESSION && set->max_prepared > 0 && !c->replication;
}

/* --- effects ------------------------------------------------------------------------- */

/* A text with these effects is sent: what must be asked about later is remembered. */
void effects_note(struct client *c, struct server *s, unsigned effects, const char *sql,
	size_t len);
/* Is a text with these effects forbidden here (on_session_feature = error)? */
bool effects_are_refused(const struct lane *l, unsigned effects);
/* In place of a Query that may not run: one that fails with our words, so that the
 * transaction fails as PostgreSQL would have made it fail. */
void effects_put_refusal(struct buf *sql, unsigned effects);
/* What a name means hangs on batches that are still under way: had one of them failed, its
 * Parse or Close was skipped, or DEALLOCATE will fail.  True: the message waits for their
 * answers (STEP_WAIT). */
bool message_must_settle(struct message *m);
/* A Parse gives a name to its client, from now on; should it fail, it has not. */
void naming_put(struct message *m, const char *name);
/* Is it a name whose Parse, in an earlier batch, is not answered yet?  Then the message waits. */
bool naming_is_unsettled(struct message *m, const char *name);
/* Close of a statement that the server keeps for others. */
enum step naming_close(struct message *m, const char *name, struct prepared *p);
/* DEALLOCATE in a text, of a statement that was prepared by the protocol: *out becomes the
 * text that does it, when another one is needed.  False: the client is closed. */
bool statement_rewrite_deallocate(struct message *m, const char *sql, size_t len, struct buf *out);
/* The same for a Bind of `p`, which does that: *number becomes that of a statement that does it. */
enum step deallocate_bind(struct message *m, const struct prepared *p, uint64_t *number);

/* --- statements ------------------------------------------------------------------------ */

/* Has the server prepare `p` under our name unless it has it.  False: the client is closed. */
bool statement_ensure(struct message *m, struct prepared *p);
/* Has the server keep an empty statement under this name.  It cannot fail, not even in a
 * failed transaction. */
bool statement_put_empty(struct message *m, const char *name);
/* Parse and Sync of a statement that servers of this pool have accepted before, or Close
 * and Sync of one that the client has: nobody is needed to answer that.  Answers the bytes
 * dealt with, or 0. */
size_t statement_answer(struct client *c, const char *p, size_t n);

/* --- BEGIN ------------------------------------------------------------------------------- */

/* BEGIN needs no server connection before there is something to do.  Answers the bytes that
 * were dealt with, or 0 when they hold something else. */
size_t begin_defer(struct client *c, const char *p, size_t n);
/* What a client without a server connection is told by ReadyForQuery: I, T or E. */
char begin_status(const struct client *c);
/* A statement of the deferred transaction, if there is one, was cancelled: it has failed. */
void begin_fail(struct client *c);

/* Can this be a BEGIN, as Query or as unnamed Parse?  A look at its first letters spares
 * nearly all others the rest. */
static inline bool begin_is_likely(const char *p, size_t n)
{
	const char *text = p + WIRE_HEADER + (p[0] == 'P');
	char a, b;

	if (n < WIRE_HEADER + 3 || (p[0] != 'Q' && p[0] != 'P'))
		return false;
	a = (char)(text[0] | 0x20);
	b = (char)(text[1] | 0x20);
	if (LIKELY(a == 's')) /* START, unless it is SELECT or SET */
		return b == 't';
	return a == 'b' || a < 'a' || a > 'z';
}

/* Now there is a server connection: what was answered is sent.  False: the client is closed. */
bool begin_send(struct message *m);

#endif
