/* SPDX-License-Identifier: ISC
 *
 * lane: a pool, which is the server connections for one (database, user) pair, and its share of
 * one relay.  The policy (who gets which connection) is pool.h's.
 */
#ifndef POOLER_SESSION_LANE_H
#define POOLER_SESSION_LANE_H

#include "conf.h"
#include "obs.h"
#include "pool.h"
#include "session_close.h"
#include "session_login.h"
#include "session_params.h"
#include "worker.h"

struct client;
struct relay;
struct server;

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
	/* The longest request that goes the short way (session_express.c); 0: none does. */
	uint32_t express_max;
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
	/* Shared with other pools: by database; by user; where the database's line names the
	 * user (user=), max_open once more: all clients of the line together. */
	struct cap *db_cap, *user_cap, *line_cap;
	struct lane **lanes; /* one for each shard, each on another relay */
	int n_lanes;
	atomic_int clients;
	atomic_int moving;	    /* connections on their way from one lane to another */
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

/* What startup packets asked for, and what the server made of it (session_greeting.c). */
struct greetings {
	struct params *last; /* of the last client; NULL: nobody yet */
	struct buf last_asked;
	struct {
		struct params *got; /* NULL: free */
		struct buf asked;
	} known[32];
	size_t next;	      /* gives way to the next one */
	struct client *tried; /* its parameters are being tried; NULL: nobody's */
};

/* One pool's share of one relay. */
struct lane {
	struct shard shard;
	struct list link; /* relay->lanes */
	struct pool *pool;
	struct relay *relay;
	struct list logins; /* of struct client.waiter.link: wait for the first server, or for
			     * another's parameters to be tried */
	int n_clients;
	int n_servers;		 /* whose memory is in use, also by a cancel request */
	atomic_int load;	 /* n_clients for whoever chooses a lane */
	const struct conf *conf; /* snapshot that `set` points into */
	const struct conf_database *db;
	struct pool_settings set;
	struct params *base; /* what servers report after login; NULL: none yet */
	struct greetings greetings;
	struct stats stats;
	struct hist wait;   /* microseconds until lent, of those who had to wait */
	struct hist server; /* microseconds until the answer was complete */
	struct timer check; /* idle expiry, dialling again */
	struct cap_claim claim;
	struct mail claim_mail; /* posted by claim.wake */
	atomic_bool claim_posted, claim_wanted;
	usec_t spare_asked; /* when the others were asked last to spare a place */
	char *last_error;   /* why the last login to the server failed; NULL: it did not */
	bool shared;	    /* the pool has other lanes: session_share.c */
	struct lane *asked; /* for a connection to spare; NULL: none */
	struct mail ask;    /* on its way while `asked`: */
	int wanted;	    /* how many more would be taken */
	usec_t ask_after;   /* not before: they had none */
	atomic_uint *age;   /* of its database's schema (session_meaning.h) */
	unsigned emptied;   /* how often all its connections were told to go */
	bool full;	    /* every place is taken: see lane_tend() */
	bool tending;	    /* lane_tend() is on the stack */
	bool greeting;	    /* and lane_greet() */
	bool stopped;	    /* it, or the process, is leaving: dials nothing */
	bool left;	    /* it is not on its relay any more */
	struct mail left_mail;
};

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

/* Lanes of one pool help each other out (session_share.c).  For lanes that are `shared`. */
/* Shows the others who waits here and what is idle: after each change of either. */
void share_show(struct lane *l);
/* Asks for another lane's idle connection when a client waits here; gives one away that rests when
 * a client waits there. */
void share_tend(struct lane *l);
/* A connection came free while another lane claims a place: true, it has gone there. */
bool share_offer(struct server *s);

/* Arms the lane's timer for what the pool wants to look at next. */
void lane_arm(struct lane *l);
void lane_dial_failed(struct lane *l, struct server *s, const char *text);

#endif
