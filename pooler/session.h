/* SPDX-License-Identifier: ISC
 *
 * session: clients and servers, and the relay between them.
 *
 *   session_login.h    how a client comes in (the front's thread); then, on a worker:
 *   session_hub.c      struct hub: the process; pools by (database, user), settings, start, stop
 *   session_relay.c    struct relay: one worker's share; struct lane: one pool's share of it
 *   session_client.c   struct client: waiting, linked, closing
 *   session_deadline.c   when its patience, or ours with it, is over
 *   session_request.c  what it sends, message by message (session_message.h)
 *   session_server.c   struct server: dialled, idle, linked, closing
 *   session_reply.c    what it says, message by message
 *   session_drain.c    getting it quiet again when its client is gone
 *   session_flow.h     what both share: bytes out, and what a descriptor is watched for
 *   session_dial.c     opening a server connection with libpq, on a helper thread
 *   session_cancel.c   cancel requests
 *   session_peer.c     cancel keys, and requests for clients of other processes
 *   session_who.c      which client had which server connection
 *   session_retire.c   pools that nobody uses any more
 *   session_orders.c   what the operator orders: PAUSE, KILL, …
 *   session_params.c   struct params: the parameters of a session, as one shared value
 *   session_prepare.c  prepared statements whose names are the client's and whose place is
 *                      whichever server connection serves it
 *   session_heal.c     plans that have gone stale
 *   session_collect.c  what all relays know, gathered for the front
 *   session_chunk.c    the buffers that connections borrow
 *   session_trace.c    what the query log and the statistics are told of a statement
 *   session_close.c    the reasons why connections end, as one table
 *
 * Threads: a relay and all that hangs on it belong to one worker's thread.  The hub belongs
 * to the front's thread; what workers read of it is immutable, atomic, or comes by mail.
 *
 *   client   LOGIN ──welcome──▶ IDLE ──request──▶ WAITING ──leased──▶ LINKED ──quiet──▶ IDLE
 *                                 └──────────leased at once──────────▶┘
 *            any state ──client_close()──▶ CLOSED, freed at the end of the tick
 *
 *   server   DIALING ──▶ IDLE ──leased──▶ SETUP ──▶ LINKED ──▶ quiet? ──▶ IDLE or next client
 *                                          (parameters, check)   │
 *                                                  client gone ──▶ DRAIN ──▶ IDLE or closed
 */
#ifndef POOLER_SESSION_H
#define POOLER_SESSION_H

#include "conf.h"
#include "net.h"
#include "obs.h"
#include "obs_queries.h"
#include "pool.h"
#include "session_close.h"
#include "session_login.h"
#include "wire.h"
#include "worker.h"

#include <libpq-fe.h>

struct client;
struct server;
struct lane;
struct relay;
struct hub;
struct pool;

/* --- chunks ----------------------------------------------------------------- */

/* A borrowed buffer: bytes received and not yet processed, or not yet sent.  Size classes
 * of 512 B, 4 KB and 64 KB come from the relay's free lists; beyond that from malloc. */
struct chunk {
	uint32_t size; /* of data */
	uint32_t off;  /* bytes already taken from the front */
	uint32_t len;  /* bytes valid, counted from data */
	char data[];
};

#define CHUNK_CLASSES 3
struct chunk_store {
	void *free[CHUNK_CLASSES]; /* singly linked */
	unsigned count[CHUNK_CLASSES];
	uint64_t lent;	   /* bytes that connections hold */
	uint64_t *process; /* the same for the process, shared by all relays */
	int64_t untold;	   /* of it, what *process does not hold yet */
	/* Bytes given back to malloc, which keeps them, since chunk_trim(); at CHUNK_SURPLUS
	 * of them on_surplus is called (NULL: nobody cares). */
	uint64_t surplus;
	void (*on_surplus)(struct chunk_store *st);
};

/* Appends to *c (NULL: none yet), growing it class by class. */
void chunk_append(struct chunk_store *st, struct chunk **c, const void *p, size_t n);
/* At least `room` writable bytes behind len. */
void chunk_reserve(struct chunk_store *st, struct chunk **c, size_t room);
void chunk_free(struct chunk_store *st, struct chunk **c);
/* Gives what the free lists hold, and what malloc keeps of earlier times, back to the
 * kernel.  May take milliseconds: for when a crowd has left. */
void chunk_trim(struct chunk_store *st);
#define CHUNK_SURPLUS (1U << 20)
static inline size_t chunk_left(const struct chunk *c)
{
	return c ? c->len - c->off : 0;
}

/* --- parameters --------------------------------------------------------------- */

/* The parameters of a session: a sorted, immutable, shared set of name and value.  Equal
 * sets are the same pointer within one relay, so "does this server connection suit that
 * client" is one comparison.
 *
 * Names that the server reports (ParameterStatus) are always in the set; others are in it
 * when the client has set them, and are at the server's default when they are not. */
struct param {
	const char *name, *value;
	uint32_t hash; /* of both texts */
	bool reported;
};

struct params {
	uint32_t refs, hash; /* hash: the sum of the items' */
	struct params *next; /* in the relay's table */
	struct buf greeting; /* ParameterStatus of the reported ones, once it was needed */
	size_t count;
	struct param item[]; /* sorted by name, case ignored; texts behind it */
};

struct param_table {
	struct params **slot;
	size_t size, count;
};

struct params *params_empty(struct param_table *t);
/* The set with one value changed or added; takes over the reference to `p`. */
struct params *params_with(struct param_table *t, struct params *p, const char *name,
	const char *value, bool reported);
struct params *params_without(struct param_table *t, struct params *p, const char *name);
struct params *params_ref(struct params *p);
void params_drop(struct param_table *t, struct params **p);
const char *params_value(const struct params *p, const char *name);
/* Statements that turn `from` into `to`, as one simple Query's text; false: nothing to do. */
bool params_put_change(struct buf *sql, const struct params *from, const struct params *to);
/* The ParameterStatus messages that tell a client all that is reported. */
const struct buf *params_greeting(struct params *p);
/* Can a client choose it at all?  (server_version and its kin cannot be set.) */
bool param_is_settable(const char *name);

/* --- prepared statements -------------------------------------------------------- */

/* One statement text with its parameter types, shared by all clients of a relay that
 * prepared the same; `number` names it on servers: PGSLUICE_17.
 *
 * What servers are given may be another one (prepared_served): the same text without the
 * comments around it, so that each traceparent of sqlcommenter's does not make a statement
 * of its own; or a newer copy under a new number, when plans of the old one have gone stale
 * (session_heal.c). */
struct prepared {
	uint32_t refs;
	uint32_t hash;
	uint64_t number;
	struct prepared *next;	  /* in the relay's table */
	struct prepared *served;  /* nearer to what servers are given; NULL: this itself */
	uint16_t shift;		  /* characters in front of the text that is served */
	bool stale;		  /* replaced by `served`, and not to be found any more */
	uint64_t columns;	  /* hash of its RowDescription; 0: nobody was told yet */
	const struct lane *valid; /* whose servers have accepted it; NULL: none yet */
	unsigned effects;	  /* wire_text_effects of its text */
	size_t text_len;	  /* of the statement, without its NUL */
	size_t body_len;	  /* of what follows the name in Parse: text NUL types */
	uint32_t *types; /* as the server described them; NULL: not asked, or not observed */
	size_t n_types;
	char body[];
};

struct prepared_table {
	struct prepared **slot;
	size_t size, count;
	uint64_t last_number;
	uint64_t bytes;
};

/* name -> statement, of one client. */
struct client_statements;
/* statement -> present, in order of use, of one server connection. */
struct server_statements;

struct prepared *prepared_intern(struct prepared_table *t, const char *body, size_t len);
/* The one that is known already, without a new reference; or NULL. */
struct prepared *prepared_find(const struct prepared_table *t, const char *body, size_t len);
/* What servers would be given for it, when that is known already; or NULL. */
struct prepared *prepared_find_served(struct prepared_table *t, const char *body, size_t len);
struct prepared *prepared_served_far(struct prepared_table *t, struct prepared *p);
static inline struct prepared *prepared_served(struct prepared_table *t, struct prepared *p)
{
	return LIKELY(!p->served) ? p : prepared_served_far(t, p);
}
/* Was it prepared when its columns were other ones than now? */
static inline bool prepared_is_stale(const struct prepared *p)
{
	return UNLIKELY(p->stale || (p->served && p->served->stale));
}
/* From now on servers are given it under a new number.  Answers what they are given. */
struct prepared *prepared_renew(struct prepared_table *t, struct prepared *p);
void prepared_drop(struct prepared_table *t, struct prepared **p);
/* The lane goes: its address may soon be another's. */
void prepared_forget_lane(struct prepared_table *t, const struct lane *l);
unsigned long long prepared_bytes_total(void); /* of the whole process */
#define PREPARED_NAME 32
/* Answers its length. */
size_t prepared_name(char out[PREPARED_NAME], uint64_t number);
/* A Parse of it under that name. */
void prepared_put_parse(struct buf *b, const char *name, const struct prepared *p);

bool client_statement_put(struct client *c, const char *name, struct prepared *p);
struct prepared *client_statement_get(const struct client *c, const char *name);
bool client_statement_remove(struct client *c, const char *name);
/* A Parse of statement `number` failed: its newest name is not there. */
void client_statement_forget(struct client *c, uint64_t number);
/* Its newest name for that is one for `fresh` from now on. */
void client_statement_move(struct client *c, uint64_t number, struct prepared *fresh);
void client_statements_clear(struct client *c);
size_t client_statement_count(const struct client *c);
size_t client_statement_bytes(const struct client *c);

/* Has it, or will have when what is sent now is reached; marks it used. */
bool server_statement_has(struct server *s, const struct prepared *p);
/* Was it sent in an earlier batch that may yet fail?  Only the answer tells. */
bool server_statement_is_pending(const struct server *s, const struct prepared *p);
struct prepared *server_statement_find(const struct server *s, uint64_t number);
void server_statement_put(struct server *s, struct prepared *p);
void server_statement_accepted(struct server *s, uint64_t number);
bool server_statement_remove(struct server *s, uint64_t number);
void server_statements_clear(struct server *s);
size_t server_statement_count(const struct server *s);
/* The least recently used one when there are more than `max`, taken off; else NULL.  The
 * caller drops it. */
struct prepared *server_statement_evict(struct server *s, size_t max);

/* --- pools ------------------------------------------------------------------------ */

/* The settings of a pool as its lanes use them; plain values, copied to each. */
struct pool_settings {
	enum pool_mode mode;
	struct pool_limits limits;
	usec_t query_wait_timeout, query_wait_notify;
	usec_t patience; /* the shorter of the two that are set */
	usec_t query_timeout, transaction_timeout, idle_transaction_timeout, client_idle_timeout;
	usec_t cancel_wait_timeout, server_check_delay;
	const char *reset_query, *check_query; /* in the snapshot */
	bool reset_always, fast_close, deferred_begin;
	enum on_session_feature on_session_feature;
	enum state_audit state_audit;
	int max_prepared;
	uint64_t max_client_prepared_bytes, max_prepared_bytes; /* UINT64_MAX: no limit */
	bool log_connections, log_disconnections, log_pooler_errors;
	bool deadlines; /* some deadline holds for clients that do not wait */
	bool observed;	/* the query log or the query statistics want every statement */
	enum track_queries track_queries;
};

/* A pool: the server connections for one (database, user) pair.  Belongs to the front, but
 * for the atomics.  Goes when it was empty for long enough (session_retire.c). */
struct pool {
	struct list link;	   /* hub->pools, or hub->retired */
	char *database, *user;	   /* as the client names them */
	char *_Atomic server_user; /* who logs in at the server; a reload may change it */
	struct cap open;	   /* max_open over all its lanes */
	struct cap *db_cap, *user_cap;
	struct lane **lanes; /* one for each shard, each on another relay */
	int n_lanes;
	atomic_int clients;
	struct login_secret secret; /* of the client that came first, for dialling */
	bool has_secret;
	bool paused, disabled;
	bool gone;	      /* its database is no longer configured */
	bool leaving;	      /* takes no client any more, its lanes go */
	bool mentioned;	      /* retired, but SHOW WHO still has its name */
	int lanes_left;	      /* of a leaving one: those that have not gone yet */
	usec_t empty_since;   /* without clients and servers; 0: it has some */
	usec_t rested_at;     /* of a retired one: it may be freed then */
	pthread_mutex_t lock; /* secret: relays read it when they dial */
};

/* One pool's share of one relay. */
struct lane {
	struct shard shard;
	struct list link; /* relay->lanes */
	struct pool *pool;
	struct relay *relay;
	struct list clients; /* of struct client.all */
	struct list logins;  /* of struct client.waiter.link: wait for the first server */
	int n_clients;
	int n_servers;		 /* whose memory is in use, also by a cancel request */
	atomic_int load;	 /* n_clients for whoever chooses a lane */
	const struct conf *conf; /* snapshot that `set` points into */
	const struct conf_database *db;
	struct pool_settings set;
	struct params *base; /* what servers report after login; NULL: none yet */
	/* What the last client asked for and got: the next one mostly asks for the same. */
	struct {
		struct params *base, *got; /* NULL: nobody yet */
		struct buf asked;
	} first;
	struct stats stats;
	struct hist wait;   /* microseconds until lent, of those who had to wait */
	struct hist server; /* microseconds until the answer was complete */
	struct timer check; /* idle expiry, dialling again */
	struct cap_claim claim;
	struct mail claim_mail; /* posted by claim.wake */
	atomic_bool claim_posted, claim_wanted;
	char *last_error; /* why the last login to the server failed; NULL: it did not */
	bool full;	  /* every place is taken, and nobody else has any: see lane_tend() */
	bool tending;	  /* lane_tend() is on the stack */
	bool stopped;	  /* it, or the process, is leaving: dials nothing */
	bool left;	  /* it is not on its relay any more */
	struct mail left_mail;
};

/* Who had which server connection (session_who.c). */
#define WHO_LONG  (10 * USEC_MSEC)
#define WHO_NOTES 8192U

struct who_note {
	usec_t from, until; /* wall clock */
	uint64_t client;
	struct pool *pool;
	uint32_t pid; /* of the server process */
};

struct who_book {
	struct who_note *ring[2]; /* short and long; NULL: nothing was noted */
	uint64_t count[2];
};

/* One worker's share of everything. */
struct relay {
	struct worker w;
	struct hub *hub;
	struct list lanes;
	struct chunk_store chunks;
	struct timer trim; /* some seconds after a crowd has given its buffers back */
	struct param_table params;
	struct prepared_table prepared;
	struct client **slots; /* by the cancel key's process id */
	uint32_t n_slots, free_slot;
	int n_clients, n_servers;
	struct qlog_ring *ring;
	struct queries *queries; /* statistics by shape; hub.queries holds it too */
	struct buf learned;	 /* names of parameters that no module has, each with its NUL */
	unsigned n_learned;
	uint32_t sample;     /* state_audit = sample: pseudo-random */
	struct list reading; /* servers with bytes inside their SSL */
	struct who_book who;
	bool suspended; /* reads nothing */
	bool draining;	/* shutdown: clients leave when they are between transactions */
};

/* --- clients ---------------------------------------------------------------------- */

enum client_state { CLIENT_LOGIN, CLIENT_IDLE, CLIENT_WAITING, CLIENT_LINKED, CLIENT_CLOSED };

struct trace; /* session_trace.c */

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

/* --- servers ---------------------------------------------------------------------- */

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
	struct server_statements *statements;
	struct prepared *unnamed; /* its unnamed statement, NULL: none or not known */
	struct buf again;	  /* what it was sent last, should that have to be sent anew */
	uint32_t again_entries;	  /* of the ledger, for that */
	uint64_t parameters;	  /* hash of the last ParameterDescription, for that, too */
	struct audit *audit;
	struct buf said;    /* the statements of this transaction, for state_audit */
	struct timer timer; /* lifetime; drain limit */
	struct mail reap;
	struct list reading; /* relay->reading */
	uint64_t id;
	usec_t connected;   /* wall clock */
	usec_t lent;	    /* when the client got it */
	usec_t released;    /* when it was last given back */
	usec_t drain_until; /* give up then */
	uint64_t rows;	    /* sent to clients; a running count */
	char *setup_error;  /* what the server said to our questions */
	uint32_t pid;
	uint32_t left;		      /* rest of a message that is passed on as it comes */
	unsigned dirty_effects;	      /* TEXT_* seen since the state was last known */
	unsigned session_state;	      /* TEXT_* of the state that is known to live in it */
	usec_t pinned_since;	      /* when that state pinned its client to it */
	int cancels;		      /* cancel requests under way against it */
	enum close_reason doomed_why; /* beside slot.doomed; 0: recycled */
	bool litter;		      /* a statement under a client's own name was left there */
	bool left_forward;	      /* the rest goes to the client, or to nobody */
	bool setup, setup_failed;     /* our questions come first; the client waits, linked */
	bool our_failed;	      /* an answer to us was an error */
	bool resetting;		      /* the reset query runs */
	bool auditing;		      /* the audit's rows are coming */
	uint64_t awaited;	      /* its client's next message waits for this Parse; or 0 */
	uint32_t batch;		      /* counts the ends of batches: Sync, Query, FunctionCall */
	bool describing;	      /* its client's next message waits for what it says */
	bool was_asked;		      /* and has not been looked at again since */
	bool said_fatal;	      /* it announced its end */
	bool stale_names;	      /* it may have statements that we believe gone */
	bool feeding;		      /* its client's messages are noted and not yet sent */
	bool half_sent;		      /* the client left in the middle of a message */
	bool was_pinned, asked_cancel, asked_reset;
	bool closed, tls, was_used;
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
/* Gives it to a client and sets up what the client needs; then comes client_resume(). */
/* True: it can go on at once. */
bool server_link(struct server *s, struct client *c);
void server_setup_done(struct server *s);
/* The client is gone: cancel, drain, roll back, reset; then give it back. */
void server_unlink(struct server *s);
void server_drain(struct server *s); /* the next step of that */
/* Is nothing owed in either direction? */
static inline bool server_is_quiet(const struct server *s)
{
	return ledger_is_quiet(&s->ledger) && !s->left && !s->in && !s->out && !s->cancels &&
	       (!s->client || s->client->left == 0) &&
	       LIKELY(!(s->conn.ssl && conn_has_pending(&s->conn)));
}
/* Gives back a quiet server; the pool decides who gets it. */
void server_release(struct server *s);
void server_watch(struct server *s);
/* Frees a closed server that no cancel request needs any more. */
void server_reap(struct server *s);
/* Its client has taken what was held back. */
void server_unblocked(struct server *s);
/* Its descriptor is readable: what it says goes where it belongs. */
void server_read(struct server *s);
/* Must what its client sends wait for answers to us? */
static inline bool server_is_asked(const struct server *s)
{
	return s->setup || s->describing || s->awaited;
}
/* After an event that was not a read: is it quiet now? */
void server_settle(struct server *s);
const char *server_who(const struct server *s, char *out, size_t size);
/* A question of ours: `sql` as a simple Query whose answer nobody sees. */
bool server_ask(struct server *s, const char *sql, uint32_t tag);

/* An ErrorResponse has come.  True: it said that a statement's plan is out of date, the
 * statement was prepared anew and sent again, and the client must not see the error. */
bool heal_stale_plan(struct server *s, const char *body, size_t len);
/* What the server says about a statement: its parameters (false: not for the client, who
 * has been told already), and its columns. */
bool heal_sees_parameters(struct server *s, const char *body, size_t len);
void heal_sees_columns(struct server *s, const struct entry *e, char type, const char *body,
	size_t len);
/* Note of a Bind that must fail: its client knows the statement by columns that it no longer
 * has.  The server is given a name that it lacks, the client the error that it expects. */
#define HEAL_REFUSED 2
void heal_put_refusal(struct buf *b);

/* Note of a Parse that must fail, its tag the effects for which: the error in our words. */
#define NOTE_REFUSED UINT16_MAX
void effects_put_error(struct buf *b, unsigned effects);

/* The audit: asks the server what state the session holds (sql/state_audit.sql). */
void audit_start(struct server *s);
/* A text that sets parameters was sent: remembers the dotted names in it. */
void audit_learn(struct server *s, const char *sql, size_t len);
/* With state_audit: a statement was sent; a transaction is over. */
void audit_hear(struct server *s, const char *sql, size_t len);
void audit_transaction_done(struct server *s);
void audit_row(struct server *s, const char *body, size_t len);
void audit_done(struct server *s, bool failed);
void audit_free(struct server *s);

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

/* --- who ------------------------------------------------------------------------------- */

/* The server comes back from the client. */
void who_note(struct server *s, const struct client *c);
/* The notes of a ring, i = 0 the latest. */
bool who_mentions(const struct who_book *b, const struct pool *p);
uint64_t who_kept(const struct who_book *b, int which);
const struct who_note *who_at(const struct who_book *b, int which, uint64_t i);
void who_release(struct who_book *b);

/* --- trace ------------------------------------------------------------------------------ */

/* What the observers are told.  All of them may be called with tracing off. */
void trace_query(struct client *c, const char *text, size_t have, size_t size, unsigned effects);
void trace_parse_raw(struct client *c, const char *body, size_t len);
void trace_bind(struct client *c, const char *name, const char *body, size_t len);
void trace_execute(struct client *c, const char *body, size_t len);
/* A statement that the pooler answered itself. */
void trace_answered(struct client *c, const char *text, const char *tag);
void trace_sync(struct client *c);
/* Describe of a statement, whose ledger entry has its number as tag. */
void trace_describe(struct client *c, struct prepared *p);
void trace_linked(struct client *c, usec_t waited_since);
void trace_reply(struct client *c, char type, const char *body, size_t len,
	const struct ledger_event *ev);
/* Has the answer to the statement it runs begun? */
bool trace_has_begun(const struct client *c);
void trace_sent(struct client *c, size_t bytes);
void trace_drained(struct client *c);
void trace_gone(struct client *c, enum close_reason why);
/* The statement it runs, or in a transaction the one before; NULL: not known (nothing is
 * observed).  Not NUL-terminated. */
const char *trace_text(const struct client *c, size_t *len);

/* --- lanes and dialling -------------------------------------------------------------- */

/* Adds how long everybody waited who was lent a server; most do not wait, and nobody has to
 * count that on the way of each.  Any thread. */
static inline void lane_waits(const struct lane *l, struct hist *into)
{
	uint64_t lent = stats_get(&l->stats.server_assignment_count);
	uint64_t waited = stats_get(&l->wait.count);

	hist_merge(into, &l->wait);
	if (lent > waited)
		hist_add_n(into, 0, lent - waited);
}

struct lane *lane_new(struct relay *r, struct pool *pool);
/* Dials what the pool wants, hands idle servers to waiters, closes the expired. */
void lane_tend(struct lane *l);
void lane_configure(struct lane *l, const struct conf *conf, const struct conf_database *db);
/* The first server is there, or none can be had: the clients that wait for it. */
void lane_greet(struct lane *l);
void lane_fail_waiters(struct lane *l, const char *why);
/* Every connection is replaced when its client is done with it. */
void lane_recycle(struct lane *l);
void lane_drop_claim(struct lane *l);
/* Its pool goes: leaves the relay as soon as its last server is freed. */
void lane_leave(struct lane *l);
void lane_spare(struct lane *l);
/* Takes the client off whatever it waits for. */
void lane_forget(struct lane *l, struct client *c);

/* Arms the lane's timer for what the pool wants to look at next. */
void lane_arm(struct lane *l);
void lane_dial_failed(struct lane *l, struct server *s, const char *text);

struct server *server_new(struct lane *l);
void dial_start(struct server *s);
/* Asks the server to cancel what it does for its client; answers by clearing s->cancels. */
void cancel_server(struct server *s, struct conn *asker);

/* A cancel key in its parts (session_peer.c says where they lie). */
struct cancel_key {
	int peer; /* 0 unless among peers */
	uint32_t number, secret;
	unsigned hops; /* how often it may still be passed on */
};
void cancel_key_pack(uint8_t key[8], int peer, uint32_t number, uint32_t secret);
void cancel_key_unpack(const uint8_t key[8], bool among_peers, struct cancel_key *k);
/* BackendKeyData, with our peer_id in it. */
void cancel_key_put(struct buf *b, uint32_t number, uint32_t secret);
uint32_t cancel_secret(void);
/* To the process whose key this is; takes the asker's connection. */
void peer_forward(struct conn *asker, const uint8_t key[8]);

/* --- the hub --------------------------------------------------------------------------- */

/* PAUSE and SUSPEND of everything. */
enum hub_pause { HUB_RUNNING, HUB_PAUSED, HUB_SUSPENDED };

/* What the operator said of a database by name; there is one when something was said. */
struct hub_database {
	struct list link;
	char *name;
	bool paused, disabled;
};

struct hub {
	struct worker front;
	struct relay *relays;
	int n_relays;
	int peer_id; /* of this process; 0: it has no peers */
	const struct conf
		*_Atomic conf; /* relays read it; an old one lives until all have gone on */
	struct list pools;
	struct list retired;	 /* of struct pool, to be freed */
	struct list gone;	 /* what they have counted, by database */
	struct stats gone_stats; /* and all together */
	struct list db_caps, user_caps;
	struct list databases; /* of struct hub_database */
	enum hub_pause paused;
	atomic_int close_watchers; /* who wants to know of server connections that close */
	atomic_bool close_posted;
	void (*on_close)(void);
	/* a cancel request for what the front gave hub_front_pid(number) */
	void (*on_front_cancel)(uint32_t number, uint32_t secret);
	struct helpers dialers, cancellers;
	struct qlog *qlog;
	struct queries **queries; /* of each relay */
	atomic_int max_client_conn;
	atomic_int clients;
	atomic_uint_least64_t next_id;
	uint64_t lent_bytes;	/* by all chunk stores; atomic */
	atomic_int stopping;	/* 0 no, 1 when clients have gone, 2 between transactions, 3 now */
	void (*on_empty)(void); /* the last client has gone while stopping */
	usec_t started;
};

extern struct hub hub;

void hub_start(const struct conf *conf);
void hub_admit(struct login *login); /* front_ops.on_session */
void hub_cancel(struct conn *asker, uint32_t pid, const void *key, size_t len);
void hub_reload(const struct conf *conf);
void hub_stop(int how);
void hub_join(void);
/* Has run(relay, arg) called on that relay's thread. */
void hub_order(int relay, void (*run)(struct relay *r, void *arg), void *arg);
struct pool *hub_pool(const char *database, const char *user, const struct conf_database *db);
/* Clients of a database, of a user, or (NULL) of any. */
int hub_count_clients(const char *database, const char *user);
/* A lane was refused by a cap: the lanes that share it spare an idle connection. */
void hub_ask_spare(struct lane *l);
void hub_client_gone(struct relay *r);
/* The cap of a database (of hub.db_caps) or a user; NULL: it has none yet. */
const struct cap *hub_cap_find(const struct list *caps, const char *name);
void hub_cap_drop(struct list *caps, struct cap *cap);
/* What pools that are gone had counted: of a database, or (NULL) of all. */
void hub_stats_of_gone(const char *database, struct stats *into);
void hub_retire_start(void);
/* A process id for cancel requests to something on the front. */
uint32_t hub_front_pid(uint32_t number);

/* --- what the operator orders (session_orders.c) ---------------------------------------- */

/* PAUSE and RESUME of a database, or (NULL) of all. */
void hub_pause(const char *database, bool pause);
void hub_disable(const char *database, bool disable);
/* Its server connections are replaced when they come free. */
void hub_reconnect(const char *database);
/* PAUSE, and its clients and servers are closed. */
void hub_kill(const char *database);
/* Its line is gone from the settings: its clients and servers are closed. */
void hub_drop(struct pool *p);
/* The end of hub_pause(NULL, true) and hub_suspend(true); of all pauses by name. */
void hub_resume(void);
void hub_resume_named(void);
/* Nothing more is read from clients and servers; what is on its way is sent. */
void hub_suspend(bool suspend);
/* Databases that were paused by name. */
int hub_count_paused(void);
/* Passes on to a pool's lanes what holds for its database. */
void hub_pool_obey(struct pool *p);
/* The relay's thread: the client of that id; NULL: not here. */
struct client *relay_client(struct relay *r, uint64_t id);
/* Any thread: a server connection is gone.  While hub.close_watchers > 0 the front has
 * hub.on_close() called soon. */
void hub_server_closed(void);
/* What was said of it; NULL: nothing. */
struct hub_database *hub_database_find(const char *name);

/* --- collecting ------------------------------------------------------------------------ */

/* What all relays know.  gather(relay, into, arg) runs on each relay's thread, appends to
 * `into` and may read what the front set up in *arg; when all have, done() runs on the
 * front's thread with one buffer a relay in `parts`.  The parts are freed behind it. */
struct collection {
	void (*gather)(struct relay *r, struct buf *into, void *arg);
	void (*done)(struct collection *c);
	void *arg;
	struct buf *parts;
	int n; /* parts: one a relay */
	atomic_int left;
	struct mail mail;
};
void hub_collect(void (*gather)(struct relay *r, struct buf *into, void *arg),
	void (*done)(struct collection *c), void *arg);

#endif
