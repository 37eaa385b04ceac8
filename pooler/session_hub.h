/* SPDX-License-Identifier: ISC
 *
 * hub: the process: pools by (database, user), settings, start and stop, what the operator
 * orders, and what all relays know.  It belongs to the front's thread; what workers read of it is
 * immutable, atomic, or comes by mail.
 */
#ifndef POOLER_SESSION_HUB_H
#define POOLER_SESSION_HUB_H

#include "conf.h"
#include "obs_queries.h"
#include "session_lane.h"
#include "worker.h"

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
	struct list db_caps, user_caps, line_caps;
	struct list databases; /* of struct hub_database */
	enum hub_pause paused;
	atomic_int close_watchers; /* who wants to know of server connections that close */
	atomic_bool close_posted;
	void (*on_close)(void);
	/* a cancel request for what the front gave hub_front_pid(number) */
	void (*on_front_cancel)(uint32_t number, uint32_t secret);
	struct helpers dialers, cancellers, forwarders; /* the last: of a process with peers */
	struct qlog *qlog;
	struct queries **queries; /* of each relay */
	atomic_int max_client_conn;
	atomic_int clients;
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
/* Do clients make the process hold more than max_memory?  Any thread. */
bool hub_memory_is_used_up(void);
/* Clients of a database, of a user, or (NULL) of any. */
int hub_count_clients(const char *database, const char *user);
/* A lane was refused by a cap: the lanes that share it spare an idle connection. */
void hub_ask_spare(struct lane *l);
/* One client less is counted; the last one ends a process that is waiting for that.  Any thread. */
void hub_client_gone(void);
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
