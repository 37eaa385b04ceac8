/* SPDX-License-Identifier: ISC
 *
 * net: sockets, TLS and listeners.  Bytes in, bytes out; what they mean is wire's matter.
 *
 *   net_conn.c    struct conn: one socket, plain or TLS, behind the same two verbs
 *   net_addr.c    struct net_addr: who is at the other end, compact, with its texts
 *   net_listen.c  listening sockets: TCP v4/v6, unix (also abstract), systemd's
 *   net_tls.c     the SSL_CTX for clients, built from settings and replaced by a reload
 *
 * Nothing here keeps global state.  A conn belongs to one thread at a time: whoever runs
 * the loop that watches its descriptor.
 */
#ifndef POOLER_NET_H
#define POOLER_NET_H

#include "base.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

/* --- conn ----------------------------------------------------------------- */

/* One stream.  `ssl` is an SSL *, or NULL for plaintext.  For a client the conn owns both
 * (conn_close); for a server both belong to libpq's PGconn: fill the conn with PQsocket()
 * and PQsslStruct(), use the verbs below, never conn_close(), and call conn_adopt_tls()
 * once.  The descriptor is non-blocking. */
struct conn {
	int fd; /* -1 when closed or given away */
	void *ssl;
};

#define CONN_EOF   0  /* orderly end of the stream (also: TLS close_notify) */
#define CONN_AGAIN -1 /* nothing now; wait for the descriptor */
#define CONN_ERROR -2 /* broken; close it */

/* The TLS halves of the two verbs; call conn_recv() and conn_send(). */
ssize_t conn_tls_recv(struct conn *c, void *p, size_t n);
ssize_t conn_tls_send(struct conn *c, const void *p, size_t n);

/* recv(2) and send(2) are called past glibc's wrappers: as points of thread cancellation,
 * which nobody uses here, they cost more than the rest of a small transaction. */

/* At most n bytes into p: > 0 their number, else CONN_EOF, CONN_AGAIN or CONN_ERROR.
 * Level-triggered readiness cannot see bytes that wait inside the SSL: after a TLS read,
 * go on while conn_has_pending(). */
static inline ssize_t conn_recv(struct conn *c, void *p, size_t n)
{
	ssize_t got;

	if (UNLIKELY(c->ssl != NULL))
		return conn_tls_recv(c, p, n);
	do
		got = syscall(SYS_recvfrom, c->fd, p, n, MSG_DONTWAIT, NULL, NULL);
	while (UNLIKELY(got < 0 && errno == EINTR));
	if (LIKELY(got >= 0))
		return got;
	return errno == EAGAIN || errno == EWOULDBLOCK ? CONN_AGAIN : CONN_ERROR;
}

/* Offers n > 0 bytes: > 0 how many were taken (fewer than n: the pipe is full), CONN_AGAIN
 * when none, or CONN_ERROR.  With TLS the bytes offered after CONN_AGAIN must begin with
 * those offered before (they may have moved in memory, and more may follow). */
static inline ssize_t conn_send(struct conn *c, const void *p, size_t n)
{
	ssize_t took;

	if (UNLIKELY(c->ssl != NULL))
		return conn_tls_send(c, p, n);
	do
		took = syscall(SYS_sendto, c->fd, p, n, MSG_NOSIGNAL | MSG_DONTWAIT, NULL, 0);
	while (UNLIKELY(took < 0 && errno == EINTR));
	if (LIKELY(took >= 0))
		return took;
	return errno == EAGAIN || errno == EWOULDBLOCK ? CONN_AGAIN : CONN_ERROR;
}

/* Are there received bytes inside the SSL that the descriptor's readiness cannot show? */
bool conn_has_pending(const struct conn *c);
/* After CONN_AGAIN from conn_recv(): true when the TLS layer must write before it can read
 * (a KeyUpdate to answer while the pipe is full): watch for writability as well. */
bool conn_wants_write(const struct conn *c);
/* A server's SSL, fresh from libpq: partial writes, released buffers, read-ahead. */
void conn_adopt_tls(struct conn *c);
/* "TLSv1.3/TLS_AES_256_GCM_SHA384"; "" for plaintext. */
void conn_tls_text(const struct conn *c, char *out, size_t size);
/* No more will be sent: close_notify, then FIN.  Reading goes on. */
void conn_finish(struct conn *c);
/* For threads that may block: waits until poll(2) sees one of `events` on the descriptor.  False:
 * not before `deadline` (of clock_mono). */
bool conn_wait(int fd, short events, usec_t deadline);
/* Ends a client's conn: close_notify if it can be sent at once, free, close; fd becomes -1.
 * Harmless on a closed conn. */
void conn_close(struct conn *c);

/* --- addr ----------------------------------------------------------------- */

#define NET_ADDR_TEXT 80 /* enough for every text below */

/* Who is at the other end.  28 bytes, no pointers: copy it freely. */
struct net_addr {
	sa_family_t family; /* AF_INET, AF_INET6 or AF_UNIX; 0: unknown */
	uint16_t port;	    /* host byte order; for AF_UNIX the listener's port */
	uint8_t ip[16];	    /* network byte order; 4 bytes used for AF_INET */
	pid_t pid;	    /* AF_UNIX: the peer's, from the kernel; else 0 */
	uid_t uid;	    /* AF_UNIX: the peer's; else (uid_t)-1 */
};

/* v4-mapped v6 addresses become AF_INET.  For AF_UNIX asks the kernel about fd's peer. */
void net_addr_set(struct net_addr *a, const struct sockaddr *sa, int fd, uint16_t unix_port);
/* "10.0.0.4:5521", "[::1]:5521", "unix:6432@1234" */
const char *net_addr_text(const struct net_addr *a, char *out, size_t size);
/* "10.0.0.4", "::1", "unix": as PgBouncer's SHOW CLIENTS shows it */
const char *net_addr_host(const struct net_addr *a, char *out, size_t size);

/* --- listen --------------------------------------------------------------- */

struct net_listen_options {
	const char *addresses; /* "*", or comma-separated names and numbers; "" or NULL: no TCP */
	uint16_t port;
	const char *unix_dir; /* "" or NULL: no unix socket; "@name": abstract */
	unsigned unix_mode;
	const char *unix_group; /* "" or NULL: leave it */
	int backlog;
	bool reuseport;
	int defer_accept; /* seconds; 0: off */
	bool systemd;	  /* take sockets handed over by systemd, if there are any */
};

struct net_tcp_options {
	bool keepalive;
	int keepidle, keepintvl, keepcnt; /* 0: the kernel's */
	unsigned user_timeout_ms;	  /* 0: the kernel's */
	int socket_buffer;		  /* bytes; 0: the kernel's */
};

struct net_listener {
	int fd; /* -1: closed before the others */
	struct net_addr local;
	char *path; /* unix socket in the file system, unlinked on close; or NULL */
	char *name; /* for people: "127.0.0.1:6432", "/tmp/.s.PGSQL.6432" */
};

struct net_listeners {
	struct net_listener *items;
	size_t count;
};

/* Opens everything the options name, or nothing: on failure false and *err says why.
 * Names are resolved here, blocking: call it before the service runs. */
bool net_listen_open(struct net_listeners *l, const struct net_listen_options *o,
	struct buf *err) MUSTCHECK;
/* Closes; `unlink_paths` also removes the unix sockets' files. */
void net_listen_close(struct net_listeners *l, bool unlink_paths);
/* The next connection, non-blocking and close-on-exec, or -1 with errno (EAGAIN: none). */
int net_listen_accept(const struct net_listener *l, struct net_addr *peer);
/* What every connection has that is accepted from now on: TCP_NODELAY, SO_KEEPALIVE.  They
 * inherit it, so that it costs no system call for each. */
void net_listen_tune(const struct net_listeners *l, const struct net_tcp_options *o);
/* Applies the other TCP options; nothing to do for a unix socket. */
void net_tcp_tune(int fd, const struct net_addr *peer, const struct net_tcp_options *o);

/* --- tls ------------------------------------------------------------------ */

/* PgBouncer's six words.  For clients: allow and prefer are the same (the client chooses),
 * verify-ca and verify-full both demand a certificate signed by the CA. */
enum tls_mode {
	TLS_DISABLE,
	TLS_ALLOW,
	TLS_PREFER,
	TLS_REQUIRE,
	TLS_VERIFY_CA,
	TLS_VERIFY_FULL,
};

struct net_tls_options {
	enum tls_mode mode;
	const char *key_file, *cert_file, *ca_file, *crl_file;
	const char *protocols; /* "secure", "all", "tlsv1.2,tlsv1.3", … */
	const char *ciphers;   /* up to TLS 1.2: "default", "secure", … or OpenSSL's list */
	const char *tls13_ciphers;
	const char *ecdh_curves; /* "auto", "none" or a list */
	const char *dh_params;	 /* "auto", "none" or a file */
};

struct net_tls; /* an SSL_CTX; counted references, see net_tls_drop() */

/* NULL with *err when the options cannot work (a missing file, a key that does not fit its
 * certificate, an unknown word).  Connections already accepted keep the one they began with,
 * so a reload is: build new, on success drop the old. */
struct net_tls *net_tls_new(const struct net_tls_options *o, struct buf *err) MUSTCHECK;
struct net_tls *net_tls_ref(struct net_tls *t);
void net_tls_drop(struct net_tls **t);

enum tls_verdict {
	TLS_DONE,
	TLS_WANT_READ,
	TLS_WANT_WRITE,
	TLS_FAILED, /* errtext says why, for the log */
};

/* Makes c a TLS server end.  `direct`: the client began with TLS at once (PostgreSQL 17's
 * sslnegotiation=direct) and must name ALPN "postgresql". */
bool net_tls_start(const struct net_tls *t, struct conn *c, bool direct) MUSTCHECK;
enum tls_verdict net_tls_handshake(struct conn *c, char *errtext, size_t size);
/* Common name of the verified client certificate, or its whole subject in RFC 2253 form;
 * NULL when there is none or it holds a NUL.  Heap; the caller frees. */
char *net_tls_peer_cn(const struct conn *c);
char *net_tls_peer_dn(const struct conn *c);
/* tls-server-end-point channel binding (RFC 5929): hash of the certificate this connection
 * was answered with.  Returns its length, or 0. */
size_t net_tls_end_point(const struct conn *c, uint8_t out[64]);

#endif
