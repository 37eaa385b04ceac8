/* SPDX-License-Identifier: ISC
 *
 * server: a connection to PostgreSQL, from its dial to its end.
 *
 *   DIALING ──▶ IDLE ──leased──▶ SETUP ──▶ LINKED ──▶ quiet? ──▶ IDLE or next client
 *                                (parameters, check)   │
 *                                        client gone ──▶ DRAIN ──▶ IDLE or closed
 *
 * What it says is session_reply.c's, opening it session_dial.c's, bringing it back when its
 * client is gone session_drain.c's.
 */
#ifndef POOLER_SESSION_SERVER_H
#define POOLER_SESSION_SERVER_H

#include "session_client.h"
#include "wire_ledger.h"

#include <libpq-fe.h>

struct audit;

struct server {
	struct slot slot;
	ev_io io;
	struct conn conn; /* of the PGconn: closed by PQfinish */
	PGconn *pg;
	struct lane *lane;
	struct client *client;
	struct ledger ledger;
	struct chunk *in;  /* the beginning of a message */
	struct chunk *out; /* to be sent to it */
	struct params *params;
	struct params *setting; /* what OUR_PARAMS is to make of them; NULL: nothing */
	struct server_statements *statements;
	char *taken;				/* a name that its client gave twice, last */
	uint32_t taken_batch;			/* in which */
	struct closing *closing, *closing_last; /* Closes whose turn has not come, in order */
	struct prepared *unnamed;		/* its unnamed statement, NULL: none or not known */
	struct buf again;	/* what it was sent last, should that have to be sent anew */
	uint32_t again_entries; /* of the ledger, for that */
	uint64_t parameters;	/* hash of the last ParameterDescription, for that, too */
	struct audit *audit;
	struct buf said;    /* the statements of this transaction, for state_audit */
	struct timer timer; /* lifetime; drain limit; more to be read (FLOW_TURNS) */
	struct mail reap;
	uint64_t id;
	usec_t connected;   /* wall clock */
	usec_t lent;	    /* when the client got it */
	usec_t released;    /* when it was last given back */
	usec_t drain_until; /* give up then: on bringing it back, or on connect_query */
	uint64_t rows;	    /* sent to clients; a running count */
	char *setup_error;  /* what the server said to our questions */
	uint32_t pid;
	uint32_t left;		      /* rest of a message that is passed on as it comes */
	unsigned dirty_effects;	      /* TEXT_* seen since the state was last known */
	unsigned session_state;	      /* TEXT_* of the state that is known to live in it */
	usec_t pinned_since;	      /* when that state pinned its client to it */
	int cancels;		      /* cancel requests under way against it */
	enum close_reason doomed_why; /* beside slot.doomed; 0: recycled */
	union {
		struct {
			bool setup;	 /* our questions come first; the client waits, linked */
			bool auditing;	 /* the audit's rows are coming */
			bool settling;	 /* its client's next message waits for earlier batches */
			bool describing; /* its client's next message waits for what it says */
			bool was_asked;	 /* and has not been looked at again since */
			bool said_fatal; /* it announced its end */
			bool foreign_names : 1; /* it has statements by numbers that are over */
			bool nameless : 1; /* it may have parameters whose names nobody knows */
			bool closed;
		};
		uint64_t errands; /* any of them */
	};
	bool left_forward; /* the rest goes to the client, or to nobody */
	bool setup_failed;
	bool setup_refused;	 /* it was parameters that the server does not take */
	bool our_failed;	 /* an answer to us was an error */
	bool resetting;		 /* the reset query runs */
	uint64_t nameless_of;	 /* the client that may have set them */
	uint64_t awaited;	 /* its client's next message waits for this Parse; or 0 */
	uint32_t batch;		 /* counts the ends of batches: Sync, Query, FunctionCall */
	uint32_t unnamed_parses; /* counts its clients' Parses of the unnamed statement */
	uint32_t naming_first;	 /* the batch with the first of the Parses below */
	uint32_t naming_last;	 /* and with the last */
	uint32_t naming_serial;	 /* of the first one's name */
	bool naming;		 /* Parses of named statements may not be answered yet */
	uint8_t alters;		 /* ALTERS_*: by its client's open transaction */
	bool stale_names;	 /* it may have statements that we believe gone */
	bool feeding;		 /* its client's messages are noted and not yet sent */
	bool half_sent;		 /* the client left in the middle of a message */
	bool was_pinned, asked_cancel, asked_reset;
	/* of the reset query that was asked: it is not DISCARD ALL; says DEALLOCATE; RESET ALL */
	bool reset_keeps, reset_deallocates, reset_sets;
	bool tls, was_used;
	uint8_t replication; /* enum login_replication */
};

/* A finished dial, on the relay's thread.  Takes the reference to `reported`. */
void server_dialed(struct server *s, PGconn *pg, struct params *reported);
/* The part of it that needs no PGconn: the stream is on this descriptor from now on. */
void server_adopt(struct server *s, int fd, void *ssl, struct params *reported);
void server_ready(struct server *s);

void server_close(struct server *s, enum close_reason why, const char *detail);
/* Bytes for it; keeps what it cannot take now. */
void server_send(struct server *s, const void *p, size_t n);
/* It did not take all: the same as client_blocked(). */
void server_blocked(struct server *s);
/* Gives it to a client and sets up what the client needs; then comes client_resume().  True: it can
 * go on at once. */
bool server_link(struct server *s, struct client *c);
bool server_set_up(struct server *s, struct client *c); /* the second half of that */
void server_setup_done(struct server *s);
/* Asks it to set the client's parameters; `anew`: whatever is set in it. */
void server_set_params(struct server *s, const struct client *c, bool anew);
/* OUR_PARAMS was done, and its client is gone: the connection has what was to be set. */
void server_adopt_params(struct server *s);
/* It was given the client's parameters: both have them now, as the server words them,
 * and the client is told of what it believed otherwise. */
void server_use_params(struct server *s, struct client *c);
/* The client is gone: cancel, drain, roll back, reset; then give it back. */
void server_unlink(struct server *s);
void server_drain(struct server *s); /* the next step of that */
/* Is nothing owed in either direction? */
static inline bool server_is_quiet(const struct server *s)
{
	return ledger_is_quiet(&s->ledger) &&
	       !((uintptr_t)s->in | (uintptr_t)s->out | s->left | (unsigned)s->cancels) &&
	       (!s->client || s->client->left == 0) &&
	       LIKELY(!(s->conn.ssl && conn_has_pending(&s->conn)));
}
/* Gives back a quiet server; the pool decides who gets it. */
void server_release(struct server *s);
void server_watch(struct server *s);
/* It has come to this relay from another one. */
void server_rewatch(struct server *s);
/* Frees a closed server that no cancel request needs any more. */
void server_reap(struct server *s);
/* Its client has taken what was held back. */
void server_unblocked(struct server *s);
/* Its descriptor is readable: what it says goes where it belongs. */
void server_read(struct server *s);
/* Must what its client sends wait for answers to us? */
static inline bool server_is_asked(const struct server *s)
{
	return s->setup || s->describing || s->awaited || s->settling;
}
/* Is there an answer that comes without anything more from its client?  (A batch without its Sync,
 * or a copy, has none.) */
static inline bool server_owes_answer(const struct server *s)
{
	return ledger_awaits_end(&s->ledger) && !s->ledger.state.copying_in;
}
/* After an event that was not a read: is it quiet now? */
void server_settle(struct server *s);
const char *server_who(const struct server *s, char *out, size_t size);
/* A question of ours: `sql` as a simple Query whose answer nobody sees. */
bool server_ask(struct server *s, const char *sql, uint32_t tag);

/* What the tags of ENTRY_OURS entries mean. */
enum our_tag {
	OUR_NOTHING,
	OUR_PARAMS,   /* the client's parameters */
	OUR_CHECK,    /* server_check_query */
	OUR_RESET,    /* server_reset_query */
	OUR_ROLLBACK, /* a transaction whose client is gone */
	OUR_BEGIN,    /* a BEGIN that was answered before there was a server */
	OUR_AUDIT,    /* what state does the session hold */
	OUR_CONNECT,  /* connect_query */
};

struct server *server_new(struct lane *l);
void dial_start(struct server *s);
/* Asks the server to cancel what it does for its client; answers by clearing s->cancels. */
void cancel_server(struct server *s, struct conn *asker);
/* The same for its client's request that stood behind a question of ours.  The server may not
 * have begun with it, and a cancel that finds it between two statements is lost: so again, until
 * the request is answered (each takes the postmaster a millisecond; fifty are enough). */
void cancel_pipelined(struct server *s);

#endif
