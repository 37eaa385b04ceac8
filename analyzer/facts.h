/* SPDX-License-Identifier: ISC
 *
 * facts: log entries -> what happened: statements per session and transaction, shapes with
 * their numbers, errors, waits.
 *
 *   facts_sketch.c    a mergeable quantile sketch
 *   facts_shape.c     the table of shapes
 *   facts_draw.c      a few calls that stand for all of a shape
 *   facts_session.c   entries of one session -> events; three durations -> one call
 *   facts_params.c    the values of one call: parameters as logged, a request's tag
 *   facts_unit.c      calls -> units: transactions, bursts, requests
 *   facts_run.c       events of one unit -> runs of one shape (N+1)
 *   facts_sequence.c  events of one unit -> repeats, cycles, pairs; pauses, paging
 *   facts_tag.c       what comments say: the place in the application, marks for the gate
 *   facts_test.c      which test of a suite sent a call; the calls of each test
 *   facts_tx.c        transactions: how long, how much of it idle
 *   facts_server.c    connections, checkpoints, autovacuum, temporary files
 *   facts_counter.c   the figures of the server, as tables of counters
 *   facts_series.c    what happened when: seconds, minutes, hours, days
 *   facts_fault.c     errors by SQLSTATE, cancellations
 *   facts_lock.c      who waited for whom; deadlocks
 *   facts_twin.c      statements that stand in two of the files
 *   facts_log.c       the sink the input layer feeds; groups and time series
 *
 * Life cycle: facts_new(), facts_sink() given to input_run(), facts_finish() once, then only
 * reading.  facts_prepare() runs on any thread; all else belongs to one thread at a time.
 *
 * Memory: O(distinct shapes + live sessions + rows of the
 * time series, which are bounded); texts are capped.
 */
#ifndef ANALYZER_FACTS_H
#define ANALYZER_FACTS_H

#include "base.h"
#include "facts_sequence.h"
#include "input.h"
#include "sql_lex.h"
#include "sql_memo.h"

#include <pthread.h>

#define TEXT_MAX   8192 /* bytes kept of a shape's text or example */
#define SAMPLE_MAX 3	/* slowest calls kept per shape */
#define DRAWN_MAX  12	/* calls drawn from those of a shape */
#define TALLY_MAX  40	/* users, databases, applications, hosts counted per shape */
#define NO_SHAPE   UINT32_MAX
#define NO_ORIGIN  UINT32_MAX
#define NO_TEST	   UINT32_MAX

/* --- sketch ------------------------------------------------------------------------- */

/* Counts of whole microseconds in log-linear buckets: exact below 64 µs, above it the relative
 * error of a quantile is at most 1/128.  Sums and counts are exact.  Merging is exact too: the
 * sketch of a union is the merged sketch, bit for bit. */
struct sketch {
	uint64_t *count; /* of bucket lo, lo + 1, … */
	uint32_t lo, n;
	uint64_t total;		/* values */
	uint64_t sum, min, max; /* µs */
	double sum2;		/* of squares */
};
#define SKETCH_ERROR (1.0 / 128)

void sketch_add_n(struct sketch *s, uint64_t usec, uint64_t times);
void sketch_merge(struct sketch *into, const struct sketch *from);
double sketch_quantile(const struct sketch *s, double q); /* 0 … 1; µs; 0 when empty */
double sketch_mean(const struct sketch *s);
double sketch_stddev(const struct sketch *s);
void sketch_release(struct sketch *s);
uint64_t sketch_bucket_low(uint32_t bucket); /* the least value of a bucket */
#define SKETCH_BITS 6			     /* every power of two is cut into 64 buckets */
static inline uint32_t sketch_bucket(uint64_t v)
{
	if (v < 2u << SKETCH_BITS)
		return (uint32_t)v;
	uint32_t exp = 63 - (uint32_t)__builtin_clzll(v) - SKETCH_BITS;
	return (exp << SKETCH_BITS) + (uint32_t)(v >> exp);
}

static inline void sketch_add(struct sketch *s, uint64_t usec)
{
	uint32_t b = sketch_bucket(usec) - s->lo;

	if (UNLIKELY(b >= s->n || s->total == 0)) {
		sketch_add_n(s, usec, 1);
		return;
	}
	s->count[b]++;
	s->total++;
	s->sum += usec;
	s->sum2 += (double)usec * (double)usec;
	s->min = usec < s->min ? usec : s->min;
	s->max = usec > s->max ? usec : s->max;
}

/* Where a value is counted, to be prefetched: there are thousands of buckets, and memory is slow.
 * (A function that does nothing but prefetch is one that GCC leaves out.) */
static inline const uint64_t *sketch_place(const struct sketch *s, uint64_t usec)
{
	uint32_t b = sketch_bucket(usec) - s->lo;

	return b < s->n ? &s->count[b] : s->count;
}

/* --- shapes -------------------------------------------------------------------------- */

struct sample {
	int64_t usec, ts;
	struct place at;
	uint32_t user, db, app; /* names of struct facts */
	char *sql, *params;	/* owned, capped; params may be NULL */
};

struct drawn {	       /* a call that stands for others */
	double key;    /* its place in the draw: the least stay */
	uint64_t usec; /* 0: not known */
	uint64_t times;
	char *sql, *params; /* owned, whole; params may be NULL */
};

struct draw {
	struct drawn at[DRAWN_MAX]; /* ascending by key */
	uint32_t n;
};

struct shape_hour {
	int64_t hour; /* hours since 1970: where the row begins, which is hour_step long */
	uint64_t calls, usec, max;
};

struct tally { /* how often a name occurs with a shape */
	uint32_t name;
	uint32_t kind; /* enum group_kind */
	uint64_t calls;
	uint64_t usec;
};

/* Where in the application a statement was sent from, as its comment says. */
struct origin {
	uint32_t file; /* name; 0: only the action is known */
	uint32_t line;
	uint32_t action; /* name: "orders#index"; 0: not known */
};

struct sent { /* how often a shape came from a source */
	uint32_t origin;
	uint64_t calls;
};

/* `pgassay:ignore …` in a comment: what stands behind the word. */
struct mark {
	struct str text;
	struct place at;
	uint64_t calls; /* that carried it */
};

struct shape {
	uint64_t hash;
	char id[17];	    /* hash as 16 hex digits: "id" and "shape" of the reports */
	bool is_cut;	    /* the example is not whole */
	struct str norm;    /* the shape's text */
	struct str example; /* the first text seen, as logged; capped */

	/* What every call reads or counts stands together: a log has more shapes than the
	 * processor's nearest cache has room for. */
	enum sql_verb verb;
	bool counts;	      /* its text says count( somewhere */
	bool is_aside;	      /* reads nothing of the application: no FROM, or the catalogs */
	bool is_mutex;	      /* takes an advisory lock, or that of a whole table */
	uint64_t locks;	      /* hash of the table whose rows it locks; 0: of none */
	struct sql_shape lex; /* of the first text seen */
	int64_t max_limit, max_offset; /* of literals and parameters seen; SQL_ABSENT: none */
	uint32_t longest_list;
	uint32_t places, samples; /* of place and slow */
	uint64_t calls;		  /* with or without a duration */
	struct sketch time;	  /* of calls whose duration is known */
	uint64_t plan_usec;	  /* parse and bind, part of time */
	int64_t first_ts, last_ts;
	VEC(struct tally) tally;
	unsigned char tally_at[16];  /* by a hash of kind and name: where its row may be */
	VEC(struct shape_hour) hour; /* in the order they were seen in */
	int64_t hour_step;	     /* hours of a row of it; 0: it has none */
	/* Scratch of facts_unit.c: where and how often it occurs in the unit looked at. */
	uint64_t unit_mark;
	uint32_t unit_first, unit_count;
	uint64_t stretch_mark;
	uint32_t stretch_count;
	uint32_t text_count; /* texts of how many of its calls the unit keeps so far */
	uint64_t text_unit;
	struct sample slow[SAMPLE_MAX]; /* slowest first */
	struct draw *draw;		/* NULL: nothing was drawn */

	struct str unparsed; /* why libpg_query refused the example; STR_NONE: it did not */
	uint64_t errors, cancels;
	uint64_t rows, rows_calls, max_rows; /* where the log has them */
	uint64_t bytes_in, bytes_out;
	uint64_t wait_usec; /* in the pooler's queue */
	uint64_t temp_files, temp_bytes, temp_largest;
	uint64_t lock_waits, lock_usec, lock_longest;
	uint64_t params_seen; /* calls whose parameters were logged */
	uint64_t arities[4];  /* bit n: a list of n + 1 elements was seen */
	struct place place[PLACE_MAX];
	VEC(struct sent) sent;
	VEC(struct mark) mark;
	uint32_t test_call; /* the last of facts.test_call that is of this shape, + 1; 0: none */
	char *plan;	    /* the slowest plan auto_explain logged, text as it was; owned */
	int64_t plan_time;
	struct place plan_at;
	uint64_t plans;
	uint64_t loose_calls; /* in bursts that had many of it, and no parent before them */
	/* Of what locks rows: the session of the last call, a bit of each session so far, and
	 * whether one came again behind another: several are at work at once. */
	uint64_t worker, workers;
	bool is_shared;
	/* The parameter that LIMIT and OFFSET name; 0: none. */
	uint32_t limit_param, offset_param;
	uint64_t pages;	     /* the most pages of it that a session turned one after the other */
	int64_t page_offset; /* the OFFSET it came to */
	struct place page_at;
};

#define SHAPE_HOT offsetof(struct shape, unparsed) /* bytes that every call looks at */

/* One text of a SQL file, and where it stands.  What a rule says may hang on a literal (5 or 5.0,
 * 'a%' or '%a'), so a linter looks at every text and not at one of each shape. */
struct variant {
	uint32_t shape;
	struct str text;
	uint64_t calls;
	struct place place[PLACE_MAX];
	uint32_t places;
};

/* A statement of a SQL file, in the file's order. */
struct listed {
	struct str text;
	uint32_t shape; /* NO_SHAPE: it has not changed, and only tells about those behind it */
	struct place at;
};

/* --- tests ------------------------------------------------------------------------------ */

/* One test of a suite, named by a marker, a tag or the application name.  A test that runs again
 * (a retry) is the same one: its figures are those of its fullest run. */
struct test {
	uint32_t name;
	uint32_t live;	   /* sessions that are in it now */
	uint64_t runs;	   /* how often it was begun */
	uint64_t now;	   /* queries of the run going on */
	uint64_t now_usec; /* their time */
	uint64_t queries, usec;
	uint32_t first; /* of its calls by shape: index in facts.test_call, or UINT32_MAX */
};

struct test_call { /* how often a test calls a shape */
	uint32_t test, shape;
	uint32_t next;	   /* of the test */
	uint32_t of_shape; /* the next one of the shape, + 1; 0: none */
	uint64_t now, calls;
};

/* --- the server --------------------------------------------------------------------------- */

struct fault {		     /* errors of one kind */
	char state[6];	     /* SQLSTATE */
	bool state_inferred; /* the log has none: told from the message */
	struct str text;     /* numbers and quoted parts taken out */
	enum log_severity severity;
	uint32_t shape; /* the statement's; NO_SHAPE */
	uint64_t count;
	struct place at;
	int64_t first_ts, last_ts;
};

/* What a SQLSTATE is called in PostgreSQL's manual; "" when it is none of the common ones. */
const char *sqlstate_name(const char *state);

/* Is the message PostgreSQL's own?  Others (RAISE, extensions) may hold anything. */
bool fault_is_known(const struct fault *f);

/* Why statements were cancelled. */
enum cancel_cause {
	CANCEL_USER = 0,
	CANCEL_STATEMENT_TIMEOUT,
	CANCEL_LOCK_TIMEOUT,
	CANCEL_RECOVERY,
	CANCEL_AUTOVACUUM,
	CANCEL_OTHER,
	CANCEL_CAUSES
};
const char *cancel_cause_name(enum cancel_cause c); /* "statement_timeout", … */

/* GROUP_KINDS: a row that was put together with others. */
enum group_kind { GROUP_USER = 0, GROUP_DB, GROUP_APP, GROUP_HOST, GROUP_HOUR, GROUP_KINDS };
const char *group_kind_name(enum group_kind k); /* "users", "databases", … */

struct group {
	enum group_kind kind;
	uint32_t name; /* GROUP_HOUR: hours since 1970, where the row begins */
	struct sketch time;
	uint64_t calls, errors, sessions;
	uint64_t ended, session_usec; /* sessions that ended, and how long they lasted */
};

#define HEAT_ROWS 28 /* powers of two of a microsecond */

/* What happened in one step of a series. */
struct slot {
	int64_t at; /* the step it is: seconds since 1970 divided by the series' step */
	uint64_t calls, usec, errors, connections, disconnections;
	uint64_t reads, writes, cancels;
	uint64_t temp_files, temp_bytes, lock_usec, checkpoints;
	uint32_t heat[HEAT_ROWS];
};

struct series {
	int64_t step;	     /* seconds of a row; 0: nothing was added yet */
	int64_t first, last; /* steps */
	int64_t from, to;    /* µs: of the row found last */
	uint32_t recent;     /* it */
	VEC(struct slot) row;
	struct map row_of;
};

/* --- transactions --------------------------------------------------------------------------- */

/* One explicit transaction.  Where BEGIN and COMMIT are not logged: from its first statement to
 * its last. */
struct tx {
	int64_t begin; /* 0: the log has no time */
	uint64_t usec; /* from BEGIN to COMMIT */
	uint64_t busy; /* of this in statements; the rest it was idle in transaction */
	uint64_t statements;
	bool rolled_back;
	uint32_t user, db, app;
	uint32_t shape; /* that took most of its time; NO_SHAPE */
	struct place at;
};

#define TX_TOP 10
enum tx_order { TX_BUSIEST = 0, TX_LONGEST, TX_IDLEST, TX_ORDERS };
const char *tx_order_name(enum tx_order o); /* "busiest", … */

struct tx_facts {
	uint64_t count, rollbacks, statements;
	struct sketch time, idle;
	struct tx top[TX_ORDERS][TX_TOP]; /* greatest first */
	uint32_t tops[TX_ORDERS];
};

/* --- locks ------------------------------------------------------------------------------------ */

/* Statements of one shape waited for locks that statements of another one held. */
struct wait_edge {
	uint32_t waiter, holder; /* shapes; NO_SHAPE: not known */
	uint64_t waits, usec, deadlocks;
	struct str lock; /* "ShareLock on transaction", of the first */
	struct place at;
};

#define DEADLOCK_SIDES 6
struct deadlock_side {
	int64_t pid, blocked_by;
	struct str lock; /* what it waited for */
	uint32_t shape;	 /* of its statement; NO_SHAPE */
};

/* Deadlocks between the same statements. */
struct deadlock {
	uint64_t key, count;
	int64_t first_ts, last_ts;
	struct place at;
	struct deadlock_side side[DEADLOCK_SIDES]; /* of the first */
	uint32_t sides;
};

/* --- the server's own work ----------------------------------------------------------------------
 */

/* One figure: where it is, and how every format calls and prints it. */
enum counter_unit { UNIT_COUNT = 0, UNIT_BYTES, UNIT_TIME, UNIT_MS };
struct counter {
	const char *key;   /* of JSON and CSV; UNIT_TIME: seconds there, microseconds here */
	const char *group; /* the heading it stands under; NULL: a column of its table */
	const char *what;  /* for people */
	size_t at;	   /* of its uint64_t in the struct */
	enum counter_unit unit;
	bool is_max; /* reports are merged by the greatest, not the sum */
};
extern const struct counter server_counters[]; /* of struct server_facts; ends with a NULL key */
extern const struct counter vacuum_counters[]; /* of struct vacuumed; so does this */
uint64_t counter_get(const struct counter *c, const void *of);
void counter_add(const struct counter *c, void *to, uint64_t v);

/* What autovacuum did to one table. */
struct vacuumed {
	struct str table;
	uint64_t vacuums, analyzes, usec, tuples;
	uint64_t dead, pages, index_scans, hits, misses, dirtied, wal;
};

struct server_facts {
	uint64_t connections, disconnections, session_usec;
	struct sketch sessions; /* how long they lasted */
	uint64_t checkpoints, restartpoints, checkpoint_warnings;
	uint64_t checkpoint_buffers, checkpoint_most_buffers, checkpoint_sync_files;
	uint64_t checkpoint_usec, checkpoint_write_usec, checkpoint_sync_usec;
	uint64_t checkpoint_longest_sync;
	uint64_t wal_added, wal_removed, wal_recycled;
	uint64_t checkpoint_distance, checkpoint_longest_distance; /* bytes */
	uint64_t vacuums, analyzes, vacuum_usec, vacuum_longest;
	uint64_t temp_files, temp_bytes, temp_largest;
	uint64_t lock_waits, lock_usec, lock_longest, deadlocks, cancels;
	uint64_t cancel_by[CANCEL_CAUSES];
	uint64_t idle_timeouts; /* terminated for idling in a transaction */
	uint64_t parses, binds, executes, parse_usec, bind_usec;
	uint64_t messages[SEV_PANIC + 1]; /* by enum log_severity */
};

/* How often something of several kinds was seen. */
enum kind_of { KIND_CHECKPOINT_CAUSE = 0, KIND_LOCK };
struct kind_count {
	enum kind_of of;
	struct str name; /* "immediate force wait"; "ShareLock on transaction" */
	uint64_t count, usec;
};

struct session;

/* Is the application name a test's name? */
enum test_names { TEST_NAMES_AUTO = 0, TEST_NAMES_ALWAYS, TEST_NAMES_NEVER };

struct facts {
	struct arena arena;
	pthread_mutex_t memo_lock;
	VEC(struct sql_memo *) memo; /* facts_prepare(): those that no thread uses now */
	struct names names;	     /* users, databases, applications, hosts */
	VEC(struct shape *) shape;
	struct map shape_of;	     /* hash -> index */
	VEC(struct variant) variant; /* of SQL files only */
	struct map variant_of;	     /* hash of the text -> index */
	VEC(struct listed) listed; /* every statement of the SQL files, one file after the other */
	VEC(struct run) run;
	struct map run_of;
	VEC(struct repeat) repeat;
	struct map repeat_of;
	VEC(struct cycle) cycle;
	struct map cycle_of;
	VEC(struct pair) pair;
	struct map pair_of;
	VEC(struct pause) pause;
	struct map pause_of;
	VEC(struct lock_order) lock_order;
	struct map lock_order_of;
	VEC(struct tx_kind) tx_kind;
	struct map tx_kind_of;
	VEC(struct fault) fault;
	struct map fault_of;
	VEC(struct group) group;
	struct map group_of;
	struct series series;  /* while reading: of the finest step there is room for */
	struct series minutes; /* facts_finish(): minutes, or longer; what `series` holds, too */
	struct slot timeless;  /* what the log gives no time for */
	VEC(struct origin) origin;
	struct map origin_of;
	VEC(struct mark) file_mark; /* `pgassay:ignore-file …` */
	VEC(struct test) test;
	struct map test_of; /* name -> index */
	VEC(struct test_call) test_call;
	struct map test_call_of;
	enum test_names test_names;
	struct server_facts server;
	struct tx_facts tx;
	VEC(struct wait_edge) wait;
	struct map wait_of;
	VEC(struct deadlock) deadlock;
	struct map deadlock_of;
	VEC(struct kind_count) kind;
	VEC(struct vacuumed) vacuum;
	struct map vacuum_of;
	struct map pid_of; /* process id of a server -> index in session */
	struct twin *twin; /* facts_twin.c */
	uint64_t twins;
	uint32_t twin_file[2];
	uint32_t hour_group; /* row of the hour counted last */
	int64_t hour;	     /* it */
	int64_t hour_step;   /* hours of a row of GROUP_HOUR; 0: there is none */
	int64_t first_hour, last_hour;
	struct map session_of;
	size_t sweep_at; /* sessions at which silent ones are looked for; 0: the default */
	VEC(struct session *) session;
	uint64_t statements;  /* calls */
	uint64_t no_duration; /* of these, without a duration */
	uint64_t units;	      /* begun so far */
	uint64_t looks;	      /* unit_end() calls: the mark of shapes' scratch */
	uint64_t live;	      /* sessions now */
	int64_t first_ts, last_ts;
	uint64_t min_usec;		 /* least duration seen: tells log_min_duration_statement */
	uint64_t begins, ends, unpaired; /* BEGIN, COMMIT or ROLLBACK; those without the other */
	/* What the log says of the server's settings, the latest; "": nothing. */
	char min_duration[24], min_sample[24], sample_rate[24], tx_sample_rate[24];
	bool lower_bounds; /* a report that was merged said so */
	const char *lang;  /* of the server's messages; NULL: English */
	bool has_totals;   /* some calls are known by their totals only: no quantiles */
	bool has_params, has_session, has_vxid, has_rows, has_tx;
	bool draws_calls;     /* set before the first entry: someone will ask for shape.draw */
	int64_t since, until; /* filters; 0: none */
	struct str only_db, only_user, only_app; /* filters; n 0: none */
	struct input *in;
};

/* Is every count a lower bound?  Statements were left out by a threshold or by sampling. */
bool facts_has_threshold(const struct facts *f);
bool facts_is_sampled(const struct facts *f);
/* Are many statements in two of the files, twin_file? */
bool facts_has_twins(const struct facts *f);
struct facts *facts_new(struct input *in);
struct input_sink facts_sink(struct facts *f);
/* Closes what is open; sorts nothing. */
void facts_finish(struct facts *f);
void facts_free(struct facts **f);

/* Counts one statement that no log brought: from SQL files, from pg_stat_statements. */
struct shape *facts_statement(struct facts *f, struct str sql, struct place at);
/* The same, and its text is kept whole to be looked at by itself. */
struct shape *facts_text(struct facts *f, struct str sql, struct place at);
/* A statement that is not to be looked at, only seen by those behind it in its file. */
void facts_unchanged(struct facts *f, struct str sql, struct place at);
/* Many calls of which only the totals are known (pg_stat_statements). */
void facts_totals(struct facts *f, struct str sql, const struct log_totals *t, struct place at);
struct shape *facts_shape(struct facts *f, struct str sql, const struct sql_shape *lex);
/* The logged text of parameter n, as PostgreSQL writes it between the quotes; STR_NONE: NULL, or
 * not there. */
struct str params_value(struct str params, uint32_t n);
struct str facts_name(const struct facts *f, uint32_t name);
/* A mark (`pgassay:ignore …`) that belongs to a shape. */
void shape_mark(struct facts *f, struct shape *s, struct str text, struct place at, bool is_file);
/* The source a shape was sent from most often; NULL: none is known. */
const struct origin *shape_origin(const struct facts *f, const struct shape *s);
/* The names of at most TESTS_MAX tests that call a shape, the least by name; how many. */
uint32_t shape_tests(const struct facts *f, uint32_t shape, uint32_t *set);
/* Keeps a name in a set of at most cap, the least by name: the same set in whatever order. */
void names_least(const struct facts *f, uint32_t *set, uint32_t *n, uint32_t cap, uint32_t name);
struct group *facts_group(struct facts *f, enum group_kind kind, uint32_t name);
/* The row of a time; made when it is new.  Valid until the next one is asked for. */
struct slot *facts_slot(struct facts *f, int64_t ts);
struct group *facts_hour(struct facts *f, int64_t ts);
void slot_add(struct slot *into, const struct slot *from);
/* Rows that a merged report has no finer: at least so many seconds, hours. */
void series_coarsen(struct series *s, int64_t seconds);
void facts_hours_coarsen(struct facts *f, int64_t step);
void shape_hours_coarsen(struct shape *s, int64_t step);
/* Sorts the rows and makes the minutes; facts_finish() does it. */
void series_finish(struct facts *f);
void series_release(struct series *s);
struct shape_hour *facts_shape_hour(struct shape *s, int64_t hour);
/* These add to what is there: for merging reports. */
void facts_add_tx(struct facts *f, enum tx_order o, const struct tx *t);
struct wait_edge *facts_wait(struct facts *f, uint32_t waiter, uint32_t holder);
struct deadlock *facts_deadlock(struct facts *f, const struct deadlock *d);
uint64_t facts_deadlock_key(const struct facts *f, const struct deadlock *d);
struct vacuumed *facts_vacuumed(struct facts *f, struct str table);
/* The row of a kind; made when it is new. */
struct kind_count *facts_kind(struct facts *f, enum kind_of of, struct str name);
void facts_tally(struct shape *s, enum group_kind kind, uint32_t name, uint64_t calls,
	uint64_t usec);
struct fault *facts_fault(struct facts *f, struct str state, struct str text,
	enum log_severity severity);

#endif
