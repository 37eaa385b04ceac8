/* SPDX-License-Identifier: ISC
 *
 * The front of the house: accept, TLS, startup packet, authentication; then the connection
 * is handed over, once, and the front forgets it.
 *
 *   session_login.c  one login: a state machine over a struct conn
 *   session_front.c  listeners and limits; session_attempt.c  watchers and deadlines
 *
 *     accept ──▶ FIRST ──SSLRequest──▶ TLS ──▶ FIRST ──StartupMessage──▶ AUTH ──▶ on_session
 *                  │                                                │            on_console
 *                  └── CancelRequest ──▶ on_cancel                  └─ refused ─▶ LINGER ─▶ closed
 *
 * Everything here runs on the thread of the worker given to front_init(), and nothing blocks it:
 * what may block (auth_query, PAM, names, deriving SCRAM keys) is done by a helper thread.
 */
#ifndef POOLER_SESSION_LOGIN_H
#define POOLER_SESSION_LOGIN_H

#include "net.h"

struct worker;
struct conf;
struct auth_users;

/* What is known of a client's secret, to log in to the server as that client. */
struct login_secret {
	char *password;	     /* plain text, or NULL */
	char *md5;	     /* "md5…" as stored, when that is all there is; or NULL */
	bool has_scram_keys; /* pass-through is possible where libpq takes keys (18) */
	uint8_t client_key[32];
	uint8_t server_key[32];
};

enum login_replication {
	LOGIN_NORMAL,
	LOGIN_PHYSICAL, /* replication=true */
	LOGIN_LOGICAL,	/* replication=database */
};

/* A finished login.  Whoever gets it in a callback owns it and ends with login_free(), before
 * that taking what it keeps: set conn.fd = -1 and conn.ssl = NULL, NULL the strings taken, and
 * zero the bufs. */
struct login {
	struct conn conn;
	uint64_t id; /* "C-17": unique in the process */
	struct net_addr peer, local;
	char *user, *database; /* never NULL */
	char *params;	       /* parameter block (wire_startup.h): settings to apply, without */
	size_t params_len;     /*   user, database, replication, options (which is unfolded) */
	const char *application_name; /* points into params; "" when not given */
	enum login_replication replication;
	char tls[64];	  /* "TLSv1.3/TLS_AES_256_GCM_SHA384"; "" for plaintext */
	usec_t connected; /* wall clock: when accepted */
	struct login_secret secret;
	bool admin, stats; /* console: what it may do (admin includes stats) */
	struct buf out;	   /* to be sent before anything else.  Append AuthenticationOk,
			    * ParameterStatus…, BackendKeyData, ReadyForQuery: one send */
	struct buf in;	   /* received behind the last login message: the session's first bytes */
};

void login_free(struct login **l);
/* "C-17 app@shop 10.0.0.4:5521": how log lines about it begin. */
const char *login_who(const struct login *l, char *out, size_t size);

/* What the front needs from the session layer.  Called on the front's thread; no watcher of
 * the front is on the descriptor any more, but the kernel may still hold it for the front's loop:
 * worker_forget() before another thread watches it. */
struct front_ops {
	bool (*admit)(void);   /* count one more client, or say no (max_client_conn) */
	void (*dismiss)(void); /* an admitted login ended without on_session/on_console */
	void (*on_session)(struct login *l); /* takes l */
	void (*on_console)(struct login *l); /* takes l; database is pgbouncer or pgsluice */
	/* Takes the conn (copy it: conn_close(), on any thread, when the cancel is through). */
	void (*on_cancel)(struct conn *c, uint32_t pid, const void *key, size_t keylen);
};

/* Opens listeners, loads user list, HBA, ident and TLS; nothing is accepted before
 * front_resume().  `conf` is borrowed until front_reload() or front_shutdown(). */
bool front_init(struct worker *w, const struct conf *conf, const struct front_ops *ops,
	struct buf *err) MUSTCHECK;
/* New settings and files.  On an error (in *err) the old ones of that part stay in force;
 * `conf` is borrowed in any case.  Running logins end with what they began with. */
bool front_reload(const struct conf *conf, struct buf *err) MUSTCHECK;
/* Would these settings and the files they name do?  Opens no socket, changes nothing. */
bool front_check(const struct conf *conf, struct buf *err) MUSTCHECK;
/* Ids of clients and servers are one sequence: SHOW SOCKETS has them in one column. */
uint64_t front_next_id(void);
void front_resume(void); /* start, or go on, accepting */
void front_pause(void);	 /* new connections wait in the kernel's backlog */
/* A graceful end begins: TCP listeners are closed, so that with so_reuseport new clients go to
 * the other processes.  Unix sockets stay for the console and for cancel requests of peers;
 * who wants a database is refused. */
void front_leave(void);
/* Closes the listeners and every unfinished login (57P01).  The helper thread is joined. */
void front_shutdown(void);
/* Drops privileges happen between front_init() and front_resume(): gives the unix sockets'
 * files to that user. */
void front_chown(uid_t uid, gid_t gid);

/* The secret stored for `user` in the user list (not from auth_query), for dialling without
 * a client.  Any thread.  false: none.  The caller frees with login_secret_wipe(). */
bool front_secret(const char *user, struct login_secret *out);
void login_secret_wipe(struct login_secret *s);
/* The names of the user list, until the next reload.  The front's thread. */
void front_each_user(void (*fn)(void *arg, const char *name), void *arg);

struct front_stats {
	uint64_t accepted, finished, refused, cancels;
	uint64_t tls_handshakes, tls_failures, auth_failures, rate_limited, timeouts;
	unsigned logins; /* going on now */
};
const struct front_stats *front_stats(void);

#endif
