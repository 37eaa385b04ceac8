/* SPDX-License-Identifier: ISC
 *
 * console: the operator's database, `pgbouncer` or `pgsluice`.  Its columns, their order
 * and types are PgBouncer's, because exporters and dashboards read them; what is new has
 * SHOW commands of its own.
 *
 *   console_parse.c    text -> statements -> words; pure
 *   console_answer.c   struct answer, struct row: cells -> messages, text or binary; pure
 *   console_session.c  struct console: a session on the front's loop, both protocols
 *   console_request.c  from words to the row of a table; who may; SET and SHOW of parameters
 *   console_show.c     the table of SHOW commands; those about the process
 *   console_pools.c    SHOW POOLS, DATABASES, USERS, LISTS
 *   console_sockets.c  SHOW CLIENTS, SERVERS, SOCKETS
 *   console_queries.c  SHOW QUERIES…, LATENCY; RESET_QUERIES
 *   console_waits.c    SHOW WAITS, SESSIONS, PINS, WORKERS
 *   console_who.c      SHOW WHO
 *   console_stats.c    SHOW STATS…, the averages, the line of log_stats
 *   console_command.c  the table of commands; PAUSE, KILL, SHUTDOWN, …
 *   console_settings.c RELOAD, RELOAD CHECK, SET
 *
 * Everything here runs on the front's thread, but for gatherers (hub_collect), which run on
 * a relay's thread and append rows to a buffer.
 *
 * A request: the session finds its row (console_find), makes a struct request and calls
 * row->run(q).  That fills q->answer and calls request_done(q), at once or when mail has come
 * back; the session takes no further message before.
 */
#ifndef POOLER_CONSOLE_H
#define POOLER_CONSOLE_H

#include "session.h"

/* What we say to those who ask which PgBouncer we are: scrapers choose their columns by it. */
#define CONSOLE_PGBOUNCER_VERSION "1.25.2"

/* --- words ------------------------------------------------------------------ */

enum word_kind {
	WORD_BARE,   /* as written */
	WORD_QUOTED, /* "name", quotes taken off */
	WORD_STRING, /* 'text', quotes taken off */
	WORD_SIGN,   /* one other character: = , ( */
};

#define WORDS_MAX   32
#define WORDS_BYTES 1024
#define WORDS_TEXT  256 /* of a statement, for messages */

/* One statement, taken apart.  Comments are gone. */
struct words {
	int n;
	enum word_kind kind[WORDS_MAX];
	const char *word[WORDS_MAX]; /* in `bytes` */
	size_t used;
	const char *error; /* it cannot be read: why; NULL: it can */
	char bytes[WORDS_BYTES];
	char text[WORDS_TEXT]; /* how it begins, as it was written, comments and all */
};

/* Takes the next statement off *text; false: there is none left.  On w->error the rest of
 * the text is skipped. */
bool words_next(struct words *w, const char **text, const char *end) MUSTCHECK;
/* Is word i a bare one that reads `s`, case ignored? */
bool words_is(const struct words *w, int i, const char *s);

/* --- answers ---------------------------------------------------------------- */

/* Columns as one text: "database s, cl_active i".  Types: i int4, q int8, s text, N numeric,
 * b bytea, T a moment as text. */

/* A DataRow under construction: cells in text format. */
struct row {
	struct buf *b;
	size_t at;
	unsigned cells;
};
struct row row_begin(struct buf *b);
void row_text(struct row *r, const char *s); /* NULL: SQL's NULL */
void row_textn(struct row *r, const char *s, size_t n);
void row_int(struct row *r, int64_t v);
void row_uint(struct row *r, uint64_t v);
/* A moment of the wall clock, "2026-11-21 08:04:12 UTC"; 0: NULL. */
void row_time(struct row *r, usec_t wall);
void row_end(struct row *r);

/* RowDescription.  `formats` (n of them: none, one for all, or one a column) may be NULL. */
void answer_put_description(struct buf *out, const char *columns, const uint16_t *formats,
	unsigned n);
unsigned columns_count(const char *columns);
/* The DataRow at `row` (size bytes) in the wanted formats. */
void answer_put_row(struct buf *out, const char *row, size_t size, const char *columns,
	const uint16_t *formats, unsigned n);

/* What a request is answered with. */
struct answer {
	const char *columns; /* NULL: no rows */
	struct buf rows;     /* DataRows in text format */
	struct buf notices;  /* messages that go before the rows */
	const char *tag;     /* CommandComplete's; static or in `keep` */
	char *keep;
	char status; /* 'T' or 'I': what ReadyForQuery says from now on; 0: as before */
	/* an error instead; message NULL: none */
	const char *sqlstate;
	char *message, *detail, *hint;
};
void answer_release(struct answer *a);

/* --- requests ---------------------------------------------------------------- */

struct console;
struct request;

enum console_right { RIGHT_STATS, RIGHT_ADMIN };

/* One row of the tables: a SHOW or a command. */
struct console_row {
	const char *name;	 /* SHOW's second word, or the command */
	const char *args;	 /* for people: "[<db>]"; NULL: none */
	const char *columns;	 /* NULL: no rows */
	const char *old_columns; /* instead, with console_old_columns; NULL: the same */
	enum console_right right;
	int min_args, max_args;
	void (*run)(struct request *q);
	const char *help;
};
extern const struct console_row console_shows[], console_commands[];

struct request {
	struct console *session;       /* NULL: it has gone meanwhile */
	const struct console_row *row; /* NULL: a parameter, or nothing to do */
	struct words words;
	int first; /* index of the first argument in words */
	struct answer answer;
	struct list link;		      /* commands that wait: console_command.c */
	void *job;			      /* what the runner keeps */
	bool (*cancelled)(struct request *q); /* the client asks to stop waiting; NULL: cannot */
};

/* Makes the answer for q->words; ends in request_done(), perhaps later. */
void request_run(struct request *q);
/* The columns that the statement will answer with; NULL: none, or not understood. */
const char *request_columns(const struct words *w);
/* The answer is complete. */
void request_done(struct request *q);
void request_fail(struct request *q, const char *sqlstate, const char *hint, const char *fmt, ...)
	PRINTF(4, 5);
void request_notice(struct request *q, const char *fmt, ...) PRINTF(2, 3);
/* Argument i as text, "" when there is none. */
const char *request_arg(const struct request *q, int i);

/* --- the session --------------------------------------------------------------- */

struct console {
	struct list link; /* console_sessions */
	struct conn conn;
	ev_io io;
	struct mail reap;
	struct login *login; /* who: user, addresses, rights */
	struct buf in, out;
	size_t sent;		 /* of out */
	struct request *running; /* NULL: none */
	char *query;		 /* the simple Query whose statements run; NULL: none */
	const char *query_at, *query_end;
	bool query_any; /* it had a statement */
	struct list statements, portals;
	struct portal *executing;
	usec_t last_request;	 /* wall clock */
	uint32_t number, secret; /* cancel key */
	char status;		 /* of ReadyForQuery */
	bool skipping;		 /* an extended message failed: to Sync */
	bool closed, advancing;
};
extern struct list console_sessions;
extern int console_session_count;

/* What the console asks of the process as a whole; from main. */
struct console_ops {
	bool (*reload)(struct buf *err);
	/* Settings that were made from the running ones, put in force.  Does not keep the
	 * caller's reference. */
	bool (*apply)(const struct conf *fresh, struct buf *err);
	void (*shutdown)(int how); /* 1 clients gone, 2 transactions done, 3 now */
};
extern struct console_ops console_ops;

/* Before the front accepts: the period of averages begins. */
void console_init(const struct console_ops *ops);
/* A finished login; takes it.  front_ops.on_console. */
void console_accept(struct login *login);
/* The settings have changed. */
void console_reload(void);
/* At the end: every session is closed. */
void console_shutdown(void);

/* --- statistics ------------------------------------------------------------------ */

void console_stats_start(void);
void console_stats_reload(void);

/* --- runners ------------------------------------------------------------------------ */

void show_queries(struct request *q);
void show_queries_users(struct request *q);
void show_queries_databases(struct request *q);
void show_queries_applications(struct request *q);
void show_latency(struct request *q);
void run_reset_queries(struct request *q);
void show_stats(struct request *q);
void show_stats_totals(struct request *q);
void show_stats_averages(struct request *q);
void show_totals(struct request *q);
void show_pools(struct request *q);
void show_databases(struct request *q);
void show_users(struct request *q);
void show_lists(struct request *q);
void show_mem(struct request *q);
void show_clients(struct request *q);
void show_servers(struct request *q);
void show_sockets(struct request *q);
void show_active_sockets(struct request *q);
void show_fds(struct request *q);
void show_waits(struct request *q);
void show_sessions(struct request *q);
void show_pins(struct request *q);
void show_workers(struct request *q);
void show_who(struct request *q);
/* AT's moment: microseconds of the wall clock; 0: not understood. */
usec_t who_moment(const char *text, usec_t now);

#endif
