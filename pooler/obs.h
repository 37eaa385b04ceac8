/* SPDX-License-Identifier: ISC
 *
 * obs: what the pooler tells about its work.  It stands on base only: whoever has
 * something to tell fills the structs of this page.
 *
 *   obs_hist.c     struct hist: a mergeable histogram of microseconds
 *   obs_stats.c    struct stats: the counters of a pool, all from one table
 *   obs_ring.c     the query log on the loop: a ring for each worker
 *   obs_qlog.c     the query log's writer: a thread, rotation, failing disks
 *   obs_line.c     one statement -> one JSON line
 *   obs_param.c    a Bind message -> "$1 = '42', $2 = NULL"
 *   obs_value.c    one binary value -> its text
 *   obs_mask.c     passwords out of statement texts
 *   obs_queries.h  a door of its own: per-shape statistics and the N+1 counter
 *   obs_http.h     a door of its own: /metrics, /healthz, /readyz and the status page
 *   obs_inner.h    what the files of the query log share among themselves and with tests
 *
 * Threads: a thing marked (worker) belongs to one worker's loop: only that thread calls
 * it, and it neither locks, nor enters the kernel, nor allocates unless it says so.  What
 * it counts may be read by any thread at any time (relaxed atomics: each number is right,
 * two numbers may be a moment apart).
 */
#ifndef POOLER_OBS_H
#define POOLER_OBS_H

#include "base.h"

/* --- histogram ------------------------------------------------------------ */

/* Log-linear: values below 128 are exact, then 64 buckets per power of two, so a quantile
 * is off by at most 1/128 (0.8 %) of itself.  Values from 2^40 (12 days) on share the last
 * bucket.  An octave's buckets are allocated when first hit (at most 34 times 512 bytes).
 * A zeroed struct is empty.  One writer; readers may run beside it. */
#define HIST_OCTAVES 35
#define HIST_SLOTS   64

struct hist {
	uint64_t count, sum, max; /* sum and max are exact */
	uint64_t *octave[HIST_OCTAVES];
};

/* (worker) O(1); may allocate an octave.  hist_add(), below, counts it once. */
void hist_add_n(struct hist *h, uint64_t value, uint64_t n);
void hist_merge(struct hist *into, const struct hist *from);
/* Takes out what `earlier`, an older copy of the same histogram, had.  The maximum is then
 * that of the highest bucket left. */
void hist_subtract(struct hist *h, const struct hist *earlier);
/* The value that `q` (0..1) of all values do not exceed; 0 when empty. */
uint64_t hist_quantile(const struct hist *h, double q) MUSTCHECK;
/* How many values were <= bound (exact where bound is an edge, else within 0.8 %). */
uint64_t hist_count_below(const struct hist *h, uint64_t bound) MUSTCHECK;
void hist_reset(struct hist *h); /* empties, keeps the memory; the writer's thread only */
void hist_release(struct hist *h);

/* --- counters ------------------------------------------------------------- */

/* Every counter of a pool: field (PgBouncer's word where it has one), metric name without
 * prefix, unit, help.  The table gives the struct, the names, the metrics and the docs. */
#define STATS_TABLE(X)                                                                             \
	X(xact_count, "transactions", "", "Transactions that ended")                               \
	X(query_count, "queries", "", "Statements that clients sent")                              \
	X(server_assignment_count, "server_assignments", "",                                       \
		"Times a server was lent to a client")                                             \
	X(bytes_received, "received", "bytes", "Bytes from clients")                               \
	X(bytes_sent, "sent", "bytes", "Bytes to clients")                                         \
	X(xact_time, "transaction", "seconds", "Time in transactions, from the first byte on")     \
	X(query_time, "query", "seconds", "Time that servers worked on statements")                \
	X(wait_time, "wait", "seconds", "Time that clients waited for a server")                   \
	X(client_parse_count, "client_parses", "", "Prepared statements that clients made")        \
	X(server_parse_count, "server_parses", "", "Prepared statements that we made on servers")  \
	X(bind_count, "binds", "", "Prepared statements that were bound")                          \
	X(client_login_count, "client_logins", "", "Clients that logged in")                       \
	X(server_connects, "server_connects", "", "Server connections opened")                     \
	X(server_connect_failures, "server_connect_failures", "",                                  \
		"Server connections that failed")                                                  \
	X(server_closes, "server_closes", "", "Server connections closed, for whatever reason")    \
	X(integrity_closes, "integrity_closes", "",                                                \
		"Pairs closed because a reply was not expected")                                   \
	X(cancels, "cancels", "", "Cancel requests sent to servers")                               \
	X(queue_refusals, "queue_refusals", "", "Clients turned away by queue_limit")              \
	X(query_wait_timeouts, "query_wait_timeouts", "", "Clients that waited too long")          \
	X(query_timeouts, "query_timeouts", "", "Statements ended by query_timeout")               \
	X(idle_transaction_timeouts, "idle_transaction_timeouts", "",                              \
		"Clients ended by idle_transaction_timeout")                                       \
	X(transaction_timeouts, "transaction_timeouts", "",                                        \
		"Clients ended by transaction_timeout")                                            \
	X(client_idle_timeouts, "client_idle_timeouts", "", "Clients ended by client_idle_timeout")

/* Errors that servers sent, by the class of their SQLSTATE ("other" is the last). */
#define STATS_ERROR_TABLE(X)                                                                       \
	X("08")                                                                                    \
	X("0A")                                                                                    \
	X("21")                                                                                    \
	X("22")                                                                                    \
	X("23")                                                                                    \
	X("25")                                                                                    \
	X("26")                                                                                    \
	X("28")                                                                                    \
	X("34") X("3D") X("40") X("42") X("53") X("54") X("55") X("57") X("58") X("XX") X("other")

struct stats {
#define STATS_FIELD(field, metric, unit, help) uint64_t field;
	STATS_TABLE(STATS_FIELD)
#undef STATS_FIELD
#define STATS_ONE(class) +1
	uint64_t errors[0 STATS_ERROR_TABLE(STATS_ONE)];
#undef STATS_ONE
};

struct stats_row { /* one row of the table, for who prints it */
	const char *field, *metric, *unit, *help;
	size_t offset; /* of the counter in struct stats */
};
extern const struct stats_row stats_rows[];
extern const size_t stats_row_count;
extern const char *const stats_error_class[]; /* beside struct stats.errors */
extern const size_t stats_error_count;

/* (worker) One writer per counter, so that an addition is a plain add, never torn. */
static inline void stats_add(uint64_t *counter, uint64_t n)
{
	__atomic_store_n(counter, __atomic_load_n(counter, __ATOMIC_RELAXED) + n, __ATOMIC_RELAXED);
}

static inline uint64_t stats_get(const uint64_t *counter)
{
	return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

/* Where a histogram counts a value. */
static inline unsigned hist_octave(uint64_t v)
{
	return 63 - (unsigned)__builtin_clzll(v | (HIST_SLOTS - 1)) - 5;
}

static inline unsigned hist_slot(uint64_t v, unsigned octave)
{
	return (unsigned)(v >> (octave - (octave > 0))) & (HIST_SLOTS - 1);
}

/* (worker) The short way for nearly every value: its octave is there. */
static inline void hist_add(struct hist *h, uint64_t value)
{
	unsigned octave = hist_octave(value);

	if (UNLIKELY(octave >= HIST_OCTAVES || value > h->max || !h->octave[octave])) {
		hist_add_n(h, value, 1);
		return;
	}
	stats_add(&h->octave[octave][hist_slot(value, octave)], 1);
	stats_add(&h->count, 1);
	stats_add(&h->sum, value);
}

void stats_error(struct stats *s, const char sqlstate[5]); /* (worker) counts by class */
void stats_merge(struct stats *into, const struct stats *from);

/* --- query log ------------------------------------------------------------ */

/* The query log of the process.  Life: qlog_new() at start, one qlog_ring_new() for each
 * worker, qlog_reload() at RELOAD, qlog_free() when the workers have been joined (it writes
 * what the rings still hold).  A log without a file costs nothing but the rings' address
 * space: a ring's memory is touched when it is first written to. */
enum qlog_parameters { QLOG_PARAMETERS_ON = 0, QLOG_PARAMETERS_HASH, QLOG_PARAMETERS_OFF };

struct qlog_options {
	const char *file;    /* query_log; NULL or "": off */
	usec_t min_duration; /* query_log_min_duration; of wait + server + fetch */
	double sample_rate;  /* query_log_sample_rate, 0..1: share of the transactions */
	enum qlog_parameters parameters;
	size_t max_text; /* query_log_max_text: bytes of statement and of each parameter; 0: all */
};

struct qlog;
struct qlog_ring;
struct qlog_session;

/* NULL with errno when the file cannot be opened. */
struct qlog *qlog_new(const struct qlog_options *o) MUSTCHECK;
/* Takes new options and reopens the file (log rotation); on failure, errno says why and
 * nothing changes.  A file that was renamed or removed is also noticed within seconds. */
bool qlog_reload(struct qlog *q, const struct qlog_options *o) MUSTCHECK;
void qlog_free(struct qlog **q);

struct qlog_counts {
	uint64_t lines, bytes; /* written */
	uint64_t dropped;      /* statements lost because a ring was full or a write failed */
	uint64_t write_errors; /* failed write(2)s; said once in the log, until one succeeds */
};
void qlog_counts(struct qlog *q, struct qlog_counts *out); /* any thread */

#define QLOG_RING_DEFAULT (4u << 20)
/* Before the worker starts, by the thread that made the qlog.  Freed by qlog_free(). */
struct qlog_ring *qlog_ring_new(struct qlog *q, size_t bytes) MUSTCHECK;

/* Who speaks: an immutable copy, made when a client's first statement is to be logged, so
 * that idle clients have none.  Released through the ring, behind its last statement. */
struct qlog_session_info {
	const char *user, *dbname, *application_name;
	const char *remote_host; /* NULL: unix socket */
	int remote_port;	 /* 0: none */
	uint32_t pid;		 /* the process id that the client was given */
	usec_t start;		 /* wall clock of its connection */
	uint64_t number;	 /* W of vxid: our number of the client */
};
/* (worker) These two allocate and free. */
struct qlog_session *qlog_session_new(const struct qlog_session_info *i) MUSTCHECK;
/* The client renamed itself: *s becomes a new block that goes on counting lines. */
void qlog_session_rename(struct qlog_ring *r, struct qlog_session **s, const char *app);
void qlog_session_release(struct qlog_ring *r, struct qlog_session **s); /* NULL is fine */

enum qlog_kind {
	QLOG_STATEMENT = 0, /* simple protocol: "statement: …" */
	QLOG_EXECUTE,	    /* extended: "execute NAME: …", "execute NAME/PORTAL: …" */
	QLOG_FETCH,	    /* Execute that goes on with a suspended portal */
};

/* One finished statement.  All pointers are borrowed for the call; text and messages are
 * raw bytes.  Zero what is not known. */
struct qlog_statement {
	struct qlog_session *session;
	usec_t start;	      /* wall clock: its first byte was here */
	uint32_t transaction; /* N of vxid: same for all statements of one transaction */
	enum qlog_kind kind;
	bool text_truncated; /* the caller had no more of it than this */
	const char *name;    /* prepared statement, as the client calls it; NULL or "": unnamed */
	const char *text;    /* not NUL-terminated */
	size_t text_len;
	const char *tag;  /* CommandComplete's ("SELECT 5"); NULL: none came */
	const void *bind; /* Bind's body (behind the length), or its beginning; NULL: none */
	size_t bind_len;
	const uint32_t *types; /* type oids of the parameters, as far as known */
	size_t type_count;
	const void *error; /* ErrorResponse's body: the line is an ERROR line; else NULL */
	size_t error_len;
	uint32_t wait_us;   /* until a server was lent */
	uint32_t server_us; /* from there to the first byte of the answer */
	uint32_t fetch_us;  /* from there to its last byte */
	uint32_t drain_us;  /* from there until the client had taken it */
	uint64_t rows, bytes_in, bytes_out;
	uint32_t server_pid;
	const char *mode;  /* "session", …: static storage */
	uint64_t query_id; /* the shape's hash when known */
};

/* What a loop asks before it gathers a statement (all inline, two loads). */
struct qlog_gate {
	uint32_t on;	       /* 0: off */
	uint32_t sample_below; /* log a transaction whose hash is below; UINT32_MAX: all */
	uint64_t min_us;
	uint64_t max_text;
};
const struct qlog_gate *qlog_gate(const struct qlog_ring *r) MUSTCHECK;

static inline bool qlog_is_on(const struct qlog_gate *g)
{
	return __atomic_load_n(&g->on, __ATOMIC_RELAXED) != 0;
}

/* Sampling is by transaction (client number, transaction number), so that a loop of
 * statements in one is there as a whole or not at all; errors are always wanted. */
static inline bool qlog_wants(const struct qlog_gate *g, uint64_t client, uint32_t transaction,
	uint64_t total_us, bool error)
{
	uint32_t below = __atomic_load_n(&g->sample_below, __ATOMIC_RELAXED);
	uint64_t h = (client * 0x9E3779B97F4A7C15u) ^ ((uint64_t)transaction * 0xC2B2AE3D27D4EB4Fu);

	if (!qlog_is_on(g))
		return false;
	if (error)
		return true;
	if (total_us < __atomic_load_n(&g->min_us, __ATOMIC_RELAXED))
		return false;
	h = (h ^ (h >> 29)) * 0xBF58476D1CE4E5B9u;
	return below == UINT32_MAX || (uint32_t)(h >> 32) < below;
}

/* (worker) Copies the pieces into the ring; false when it was full (counted). */
bool qlog_record(struct qlog_ring *r, const struct qlog_statement *s);

#endif
