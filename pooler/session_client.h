/* SPDX-License-Identifier: ISC
 *
 * client: a session of somebody else's program, from its greeting to its end.
 *
 *   LOGIN ──welcome──▶ IDLE ──request──▶ WAITING ──leased──▶ LINKED ──quiet──▶ IDLE
 *                        └──────────leased at once──────────▶┘
 *   any state ──client_close()──▶ CLOSED, freed at the end of the tick
 *
 * What it sends is session_request.c's, its deadlines are session_deadline.c's.
 */
#ifndef POOLER_SESSION_CLIENT_H
#define POOLER_SESSION_CLIENT_H

#include "net.h"
#include "session_lane.h"

struct chunk;
struct trace;

enum client_state { CLIENT_LOGIN, CLIENT_IDLE, CLIENT_WAITING, CLIENT_LINKED, CLIENT_CLOSED };

/* An idle client is nothing but this struct, so that each byte of it counts ten thousand
 * times: what few clients need is allocated when they do. */
struct client {
	ev_io io;
	struct conn conn;
	union {
		struct waiter waiter; /* .since: when it came into this state, or its last
				       * request began */
		struct mail reap;     /* CLOSED: frees it at the end of the tick */
	};
	struct timer timer; /* whichever of its deadlines comes first */
	struct lane *lane;
	struct server *server;
	struct chunk *in;  /* received, not yet processed */
	struct chunk *out; /* to be sent to it */
	struct params *params;
	struct params *start; /* as its startup packet set them: what RESET goes back to; NULL: it
			       * set nothing but its name */
	struct client_statements *statements; /* NULL: none */
	struct trace *trace;		      /* NULL: nothing is observed */
	struct prepared *unnamed;	      /* its unnamed statement; NULL: none */
	union {
		struct login *login; /* LOGIN: until it is greeted */
		char *begin;	     /* then: a BEGIN answered by us and not yet sent; or NULL */
	};
	usec_t xact_since;     /* when its transaction began; 0: none */
	uint32_t connected;    /* wall clock, in seconds */
	uint32_t left;	       /* rest of a message that is passed on as it comes */
	uint32_t slot, secret; /* its cancel key */
	uint64_t id : 44;
	uint64_t replication : 2;      /* enum login_replication */
	uint64_t state : 8;	       /* enum client_state */
	uint64_t tls : 1, closing : 1; /* closing: ends when it is given its answer */
	uint64_t discarding : 1;       /* an extended message failed here; skip to Sync */
	uint64_t quitting : 1;	  /* said Terminate while answers were owed: closed after them */
	uint64_t pinned : 1;	  /* keeps its server: session state lives there */
	uint64_t notified : 1;	  /* was told that it waits */
	uint64_t saw_request : 1; /* sends; for client_idle_timeout */
	uint64_t cancelled : 1;	  /* as soon as its server has answered what we asked */
	uint64_t other : 1;	  /* SET SESSION AUTHORIZATION: not who logged in at the server */
	uint64_t cut : 1;	  /* its server left in the middle of a message to it */
};
/* malloc's next class begins above */
_Static_assert(sizeof(struct client) <= 232 || sizeof(void *) != 8, "an idle client has grown");

/* What a lane is given of a finished login; made on the front, used on the relay. */
struct arrival {
	struct mail mail;
	struct login *login;
	struct lane *lane;
};
void client_arrive(struct worker *w, struct mail *m);
/* The clients of a relay one after the other, *at = 0 for the first; NULL: no more.  Each may be
 * closed before the next is asked for. */
struct client *relay_next_client(const struct relay *r, uint32_t *at);

void client_close(struct client *c, enum close_reason why, const char *detail);
/* A server connection has become ready for it: go on with what it asked. */
void client_resume(struct client *c);
/* Its parameters are known: finish its login. */
void client_welcome(struct client *c);

/* session_greeting.c.  A server connection of its pool was there, so that a login can be finished:
 * welcomes the client, or tries its parameters.  False: it must stand in line. */
bool greeting_try(struct client *c);
/* The server has answered; `refusal`: in its words, when s->setup_failed. */
void greeting_tried(struct server *s, const char *refusal);
/* It waits in lane->logins; or no more, nor for its parameters to be tried. */
void greeting_line_up(struct client *c);
void greeting_gone(struct client *c);
/* The server may be another one now: what is known of parameters is not. */
void greeting_forget(struct lane *l);
/* This server connection is being opened for it alone (replication). */
void client_take_own(struct client *c, struct server *s);
/* Bytes for it.  Keeps what it cannot take now. */
void client_send(struct client *c, const void *p, size_t n);
/* It did not take all: it is watched for when it can, and its server not read until then. */
void client_blocked(struct client *c);
void client_send_error(struct client *c, const char *severity, const char *sqlstate,
	const char *message, const char *detail, const char *hint);
/* How log lines about it begin: "C-17 app@shop 10.0.0.4:5521". */
const char *client_who(const struct client *c, char *out, size_t size);
/* Its server owes it nothing more: give it back, or find out what state is left there. */
void client_done(struct client *c);
/* Its server vanished before anything was sent: first in the queue again. */
void client_requeue(struct client *c);
/* Session pooling, replication or pinned: nobody else uses its server connection. */
static inline bool client_owns_session(const struct client *c)
{
	return c->lane->set.mode == POOL_MODE_SESSION || c->pinned || c->replication;
}
/* The process number that it was given at login. */
uint32_t client_pid(const struct client *c);
/* Its timer looks no later than at its next deadline. */
void client_arm_timer(struct client *c);
static inline void client_arm(struct client *c)
{
	/* Most clients have deadlines only while they wait, and who waits often has a timer
	 * that will look in time. */
	if (LIKELY(c->state == CLIENT_WAITING)) {
		if (LIKELY(c->timer.pos && c->timer.at <= c->waiter.since + c->lane->set.patience))
			return;
	} else if (LIKELY(!c->lane->set.deadlines && c->state != CLIENT_LOGIN)) {
		return;
	}
	client_arm_timer(c);
}
void client_deadline(struct timer *t);
/* May its server not be given back although it is quiet? */
bool client_keeps_server(const struct client *c);
/* Reading from it stops or goes on: back-pressure. */
void client_watch(struct client *c);
/* Looks at its buffered requests again (a reply was drained, a deadline passed). */
void client_continue(struct client *c);
/* A cancel request with its key has come. */
void client_cancel(struct client *c, struct conn *asker);

#endif
