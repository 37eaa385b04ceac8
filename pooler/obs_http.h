/* SPDX-License-Identifier: ISC
 *
 * http: the endpoint for machines and for a quick look.
 *
 *   /metrics       OpenMetrics, or Prometheus' older text for who asks for that
 *   /healthz       200 while the process is well; /readyz: 200 while it takes clients
 *   /              the status page: one file, no external address
 *   /status.json   what the page polls
 *
 *   obs_http.c      the daemon (libmicrohttpd), routes, basic authentication
 *   obs_snapshot.c  struct obs_snapshot
 *   obs_metrics.c   snapshot -> metrics
 *   obs_status.c    snapshot -> JSON, with what changed since the last look
 *   obs_status.html the page
 *
 * It has a thread of its own that sleeps in epoll while nobody asks: TLS handshakes and
 * reports of thousands of shapes take milliseconds, which no loop with clients has to give.
 * The thread touches nothing of the pooler but through obs_collect, which the main program
 * gives; that function may ask the workers by mail and wait for the answer.
 */
#ifndef POOLER_OBS_HTTP_H
#define POOLER_OBS_HTTP_H

#include "obs.h"
#include "obs_queries.h"

/* --- what is shown ---------------------------------------------------------- */

/* One pool; lanes of it on several workers are added up in the same row. */
struct obs_pool_row {
	char *database, *user;
	const char *mode; /* static storage */
	uint32_t cl_active, cl_waiting, cl_idle, cl_cancel;
	uint32_t sv_active, sv_idle, sv_used, sv_tested, sv_login, sv_cancel;
	uint32_t max_open;
	bool paused, disabled;
	char *error;	     /* why the last login to the server failed; NULL: it did not */
	uint64_t maxwait_us; /* how long the first in the queue has waited */
	struct stats stats;
	struct hist wait, server; /* per transaction: wait; per statement: server */
};

struct obs_worker_row {
	uint32_t clients, servers;
	uint64_t ticks, lag_max_us; /* worker_lag() */
};

struct obs_process {
	const char *version; /* static storage */
	usec_t started;	     /* wall clock */
	bool healthy, ready;
	const char *reason; /* static storage: why not; NULL: all is well */
	uint32_t clients, max_client_conn, clients_login;
	/* of clients, before they have a pool; auth_failures are among the login_failures */
	uint64_t login_failures, auth_failures, tls_handshakes, tls_failures;
	struct qlog_counts qlog;
	uint64_t integrity_closes;
};

struct obs_snapshot {
	usec_t taken; /* monotonic */
	struct obs_process process;
	struct obs_pool_row *pool;
	size_t pool_count, pool_size;
	struct obs_worker_row *worker;
	size_t worker_count;
	struct queries *const *queries; /* borrowed: live as long as the process */
	size_t query_count;
};

/* The row of a pool, new and zeroed when it has none yet.  Valid until the next call. */
struct obs_pool_row *obs_snapshot_pool(struct obs_snapshot *s, const char *database,
	const char *user);
struct obs_worker_row *obs_snapshot_workers(struct obs_snapshot *s, size_t n);
void obs_snapshot_release(struct obs_snapshot *s);

/* --- the endpoint ----------------------------------------------------------- */

struct obs_http_options {
	const char *listen;		  /* metrics_listen: ADDRESS:PORT, [v6]:PORT, :PORT */
	const char *cert_file, *key_file; /* both: HTTPS */
	const char *user, *password;	  /* basic authentication; NULL or "": none */
	/* Fills a zeroed snapshot; on the endpoint's thread. */
	void (*collect)(void *arg, struct obs_snapshot *s);
	void *arg;
};

struct obs_http;

/* Starts the thread (after daemonising).  NULL: *error says why (free it). */
struct obs_http *obs_http_start(const struct obs_http_options *o, char **error) MUSTCHECK;
/* New user and password. */
void obs_http_reload(struct obs_http *h, const char *user, const char *password);
uint16_t obs_http_port(const struct obs_http *h); /* where it listens: for port 0 */
/* Stops and frees.  A collect that is under way is waited for: call it while the workers
 * still answer. */
void obs_http_stop(struct obs_http **h);

/* --- inner, and for tests --------------------------------------------------- */

/* The metrics as text; openmetrics: version 1.0.0, else Prometheus' 0.0.4. */
void metrics_put(struct buf *out, const struct obs_snapshot *s, bool openmetrics);
/* The page's JSON: `now`, and rates and quantiles of the time since `before` (NULL: since
 * the start). */
void status_put(struct buf *out, const struct obs_snapshot *now, const struct obs_snapshot *before);
extern const char obs_status_html[];

#endif
