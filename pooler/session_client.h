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

struct client {
	ev_io io;
	struct conn conn;
	struct list all; /* lane->clients */
	union {
		struct waiter waiter;
		struct mail reap; /* CLOSED: frees it at the end of the tick */
	};
	struct timer timer; /* whichever of its deadlines comes first */
	struct lane *lane;
	struct server *server;
	struct chunk *in;  /* received, not yet processed */
	struct chunk *out; /* to be sent to it */
	struct params *params;
	struct client_statements *statements; /* NULL: none */
	struct login *login;		      /* until it is greeted; then NULL */
	struct trace *trace;		      /* NULL: nothing is observed */
	struct prepared *unnamed;	      /* its unnamed statement; NULL: none */
	char *begin; /* the text of a BEGIN answered by us and not yet sent; or NULL */
	uint64_t id;
	usec_t connected;      /* wall clock */
	usec_t since;	       /* when it came into this state, or its last request began */
	usec_t xact_since;     /* when its transaction began; 0: none */
	uint32_t left;	       /* rest of a message that is passed on as it comes */
	uint32_t slot, secret; /* its cancel key */
	uint8_t state;	       /* enum client_state */
	uint8_t replication;   /* enum login_replication */
	bool tls, closing,
		discarding; /* discarding: an extended message failed here; skip to Sync */
	bool quitting;	    /* said Terminate while answers were owed: closed when they are given */
	bool pinned;	    /* keeps its server: session state lives there */
	bool notified;	    /* was told that it waits */
	bool saw_request;   /* sends; for client_idle_timeout */
	bool cut;	    /* its server left in the middle of a message to it */
};

/* What a lane is given of a finished login; made on the front, used on the relay. */
struct arrival {
	struct mail mail;
	struct login *login;
	struct lane *lane;
};
void client_arrive(struct worker *w, struct mail *m);

void client_close(struct client *c, enum close_reason why, const char *detail);
/* A server connection has become ready for it: go on with what it asked. */
void client_resume(struct client *c);
/* The first server connection is there: finish its login. */
void client_welcome(struct client *c);
/* What a lane remembers of the client before. */
void client_forget_first(struct lane *l);
/* This server connection is being opened for it alone (replication). */
void client_take_own(struct client *c, struct server *s);
/* Bytes for it.  Keeps what it cannot take now. */
void client_send(struct client *c, const void *p, size_t n);
void client_send_error(struct client *c, const char *severity, const char *sqlstate,
	const char *message, const char *detail, const char *hint);
/* How log lines about it begin: "C-17 app@shop 10.0.0.4:5521". */
const char *client_who(const struct client *c, char *out, size_t size);
/* It has a server now; its request is not yet sent. */
void client_linked(struct client *c);
/* Its server owes it nothing more: give it back, or find out what state is left there. */
void client_done(struct client *c);
/* ReadyForQuery is on its way to it. */
void client_ready(struct client *c, char status);
/* Its server vanished before anything was sent: first in the queue again. */
void client_requeue(struct client *c);
/* Session pooling, replication or pinned: nobody else uses its server connection. */
static inline bool client_owns_session(const struct client *c)
{
	return c->lane->set.mode == POOL_MODE_SESSION || c->pinned || c->replication;
}
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
