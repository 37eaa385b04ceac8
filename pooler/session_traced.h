/* SPDX-License-Identifier: ISC
 *
 * traced: what the files of the trace share among themselves.
 *
 *   session_trace.c         statements in flight: their beginning and end, and who sends them
 *   session_trace_ask.c     what the client asks
 *   session_trace_answer.c  what the server answers
 *   session_trace_tell.c    the finished ones, told to the query log and to the statistics
 *
 *   request ──▶ wait ──▶ linked ──▶ first byte ──▶ last byte ──▶ taken by the client
 *           wait_us       server_us         fetch_us         drain_us
 *
 * In a pipeline a statement begins when the one before it has ended.
 */
#ifndef POOLER_SESSION_TRACED_H
#define POOLER_SESSION_TRACED_H

#include "session.h"

#define TRACE_MAX    4096 /* statements in flight that are traced; more are counted only */
#define TRACE_SPARES 64	  /* structs that a relay keeps for the next ones */
#define TRACE_KEEP   4096 /* bytes of a buffer that is kept with its struct */
#define TRACE_SHOWN  512  /* bytes of a text that SHOW WAITS has when nothing is logged */
#define PORTALS_MAX  64	  /* portals of a client that are known at a time */

/* A portal: a statement and its parameters. */
struct bound {
	struct buf body;    /* of Bind, and behind it the statement's name; empty: not logged */
	size_t body_len;    /* of the Bind alone */
	struct prepared *p; /* its text, or NULL */
	uint64_t portal;    /* hash of its name */
	uint64_t values;    /* hash of its parameters */
	bool is_set;
	bool begun; /* an Execute of it was suspended */
};

struct traced {
	struct traced *next;
	struct buf text;    /* of a Query: all of it for the log, else the beginning */
	struct bound bound; /* of an Execute */
	struct buf error;   /* body of the ErrorResponse, for the log */
	/* --- from here on zero in a new one */
	struct query_key key; /* when it is `counted` */
	enum qlog_kind kind;
	bool logged;	/* the query log may want it */
	bool counted;	/* the statistics want it */
	bool truncated; /* there is more text than was here */
	bool whole;	/* `text` is all of it */
	bool started, done, failed, secret, has_tag;
	bool block;	/* a transaction was open before it */
	uint32_t limit; /* rows that Execute asks for; 0: all */
	uint32_t transaction, batch, server_pid;
	usec_t wall, asked, linked, first, last;
	uint64_t rows, bytes_in, bytes_out;
	/* --- set when has_tag */
	char tag[64];
};

struct portal {
	struct portal *next;
	struct bound bound;
};

struct trace {
	struct qlog_session *session;
	struct queries_client statistics;
	struct traced *head, **tail;
	struct traced *current;	      /* the oldest one whose answer is not complete; NULL: none */
	struct traced *newest;	      /* the latest complete one that was not told; NULL: none */
	struct traced *last;	      /* inside a transaction: the one before; NULL: none */
	unsigned count;		      /* from head on */
	uint32_t batch_in, batch_out; /* Syncs asked for, and answered */
	usec_t waited_since;	      /* when the wait began that has just ended; 0: none */
	usec_t ended;		      /* when the last one was complete */
	struct params *params;	      /* that `app` was looked up in */
	const char *app;	      /* application_name */
	bool renamed;		      /* since the query log was last told */
	bool in_transaction;
	uint32_t transaction;	/* our number of its transactions */
	struct bound bound;	/* of the last Bind, when nothing was executed since */
	struct portal *portals; /* the others; they end with the transaction */
	unsigned n_portals;
	uint64_t bytes_in; /* of what came since the last statement began */
	uint64_t bytes;	   /* sent since the last statement was complete */
	/* Of Describes that the server has not answered; an old one may be overwritten. */
	struct prepared *described[4];
};

static inline bool is_observed(const struct client *c)
{
	return c->lane->set.observed;
}

static inline struct relay *relay_of(const struct client *c)
{
	return c->lane->relay;
}

struct trace *trace_of(struct client *c);
/* Its application_name; looked up when its parameters have changed. */
const char *trace_app(struct client *c);
/* What the query log calls its session. */
struct qlog_session *trace_session(struct client *c);
/* The beginning of a statement; NULL: too many are in flight. */
struct traced *traced_begin(struct client *c, enum qlog_kind kind);
/* Its answer is complete; `bytes` of it are not yet in trace.bytes. */
void traced_finish(struct client *c, struct traced *d, size_t bytes);
/* The first one leaves; the second is one that never ran, `at` points at it. */
void traced_drop_head(struct client *c);
void traced_drop_skipped(struct client *c, struct traced **at);
/* Empties it; its memory stays for the next one. */
void bound_clear(struct client *c, struct bound *b);
/* Takes the portal of that name out of the list into *b; false: it is not known. */
bool portal_take(struct client *c, uint64_t portal, struct bound *b);
/* Remembers it, and empties *b. */
void portal_keep(struct client *c, struct bound *b);
void portals_clear(struct client *c);
/* ParameterDescription: what types the parameters of a statement have. */
void trace_learn_types(struct client *c, const char *body, size_t len);
/* Tells of all that are complete, and lets them go. */
void trace_tell(struct client *c);

#endif
