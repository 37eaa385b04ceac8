/* SPDX-License-Identifier: ISC
 *
 * facts_build.h: what the files of the facts family share; private to it.
 */
#ifndef FACTS_BUILD_H
#define FACTS_BUILD_H

#include "facts.h"

/* A call, before it is closed: what came in may still be completed by later entries. */
struct open {
	bool is_call;	       /* else a note: error, lock wait, temporary file */
	bool is_timed_by_plan; /* by auto_explain, for want of its own duration */
	uint32_t shape;
	enum log_class class;
	enum log_phase phase;
	int64_t ts, usec, plan_usec, rows;
	uint64_t values;
	int64_t amount;	       /* note: bytes or µs */
	uint32_t fault;	       /* note: index of the fault; UINT32_MAX */
	bool deadlock;	       /* note: its DETAIL tells who waited for whom */
	int64_t limit, offset; /* as in the call; -1: none, or not known */
	uint64_t trace;	       /* facts_params.c; 0: none */
	struct place at;
	uint64_t vxid;
	uint32_t origin; /* facts_tag.c; NO_ORIGIN */
	bool has_pooler;
	struct log_pooler pooler;
};

struct session {
	uint64_t key, pid_key; /* pid_key: of facts.pid_of; 0: not known */
	uint32_t user, db, app, host;
	uint32_t group[GROUP_KINDS]; /* rows of facts.group, MAP_NONE: not looked up */
	bool has_open, in_tx;
	struct open open;
	struct text sql;    /* of the open call, capped */
	struct text params; /* of the open call, capped */
	/* Parse and bind, waiting for their execute. */
	uint32_t wait_shape;
	int64_t wait_usec;
	/* auto_explain's plan, waiting for its statement. */
	uint32_t plan_shape;
	int64_t plan_usec;
	/* The call whose plan may still come, behind it, and its own time; NO_SHAPE: none. */
	uint32_t ran_shape;
	int64_t ran_usec;			/* -1: not known */
	enum isolation isolation, tx_isolation; /* what BEGIN gives; of the transaction it is in */
	uint64_t vxid;				/* of the unit; 0: none */
	uint32_t test, marker; /* the test it is in; the one a marker named; NO_TEST */
	uint32_t app_asked;    /* the application facts_test.c has looked at, and its finding */
	bool app_is_test;
	int64_t last_ts;
	struct tx tx; /* the transaction it is in (in_tx) */
	uint64_t tx_dearest;
	uint32_t last_shape;  /* of its latest statement; NO_SHAPE */
	uint32_t lock_holder; /* it waits for a lock: the holder's latest statement; NO_SHAPE */
	struct unit unit;
	struct unit burst; /* the one that a transaction interrupts */
	/* The statement before this one in the same transaction, for the pauses in it. */
	uint32_t pause_shape; /* NO_SHAPE: none */
	int64_t pause_from;   /* when it ended */
	bool pause_wrote;     /* the transaction has written, or locked */
	/* Pages of one shape turned one after the other. */
	uint32_t page_shape;
	int64_t page_offset;
	uint64_t pages;
};

/* facts_session.c */
void session_feed(struct facts *f, struct log_entry *e);
void session_flush_all(struct facts *f);
void session_free(struct session *s);
void session_close(struct facts *f, struct session *s);
void session_fetch(const struct session *s); /* it is on its way from memory */

/* facts_shape.c */
uint32_t shape_index(struct facts *f, struct str sql, const struct sql_shape *lex, bool cut);
void shape_sample(struct shape *s, const struct session *who, const struct open *o);
void shape_place(struct shape *s, struct place at);
void shape_limits(struct shape *s, const struct sql_shape *lex, struct str params);
void shape_release(struct shape *s);

/* facts_draw.c */
void shape_draw(struct shape *s, const struct session *who, const struct open *o);
void draw_free(struct draw **d);

/* facts_params.c */
int64_t params_int(struct str params, uint32_t n); /* -1: not a number, or not there */
/* The parameter that stands behind a word: LIMIT $2; 0: none does. */
uint32_t params_behind(struct str sql, const char *word);
/* What tells one request from the next in a statement's comments: the trace of `traceparent`, a
 * request_id.  0: nothing does. */
uint64_t request_trace(struct str sql, const struct sql_shape *lex);

/* facts_unit.c */
void unit_add(struct facts *f, struct session *s, const struct open *o);
void unit_end(struct facts *f, struct unit *u);
/* All of a session's, when it ends. */
void unit_end_all(struct facts *f, struct session *s);
void unit_release(struct unit *u);
bool unit_reads(const struct facts *f, const struct event *e);
bool unit_writes(const struct facts *f, const struct event *e);

/* facts_run.c, facts_sequence.c: look at a unit that ended.  `at` are the first events of shapes
 * that occur `min` times or more, n of them. */
void run_look(struct facts *f, const struct unit *u, const uint32_t *at, uint32_t n, uint32_t min);
void repeat_look(struct facts *f, const struct unit *u, const uint32_t *at, uint32_t n);
void cycle_look(struct facts *f, const struct unit *u);
void pair_look(struct facts *f, const struct unit *u);
void order_look(struct facts *f, const struct unit *u);
void tx_kind_look(struct facts *f, const struct unit *u, int64_t end);
void pause_note(struct facts *f, struct session *s, uint32_t after, const struct open *o);
void page_note(struct facts *f, struct session *s, const struct open *o);
void run_release(struct facts *f);
void sequence_release(struct facts *f);
uint32_t count_distinct(uint64_t *v, uint32_t n);

/* facts_tag.c: reads the comments of one call; the source it was sent from, or NO_ORIGIN. */
uint32_t tags_note(struct facts *f, struct shape *s, struct str sql, const struct sql_shape *lex,
	struct place at, bool is_file);

/* facts_test.c */
bool test_begin(struct facts *f, struct session *s, struct str sql, const struct sql_shape *lex);
void test_count(struct facts *f, struct session *s, uint32_t shape, int64_t usec);
void test_leave(struct facts *f, struct session *s);

/* facts_twin.c */
void twin_note(struct facts *f, const struct log_entry *e);

/* facts_tx.c */
void isolation_note(struct session *s, enum sql_verb verb, struct str text);
void mutex_note(struct session *s, const struct shape *sh);
void tx_begin(struct session *s, const struct open *o);
void tx_call(struct session *s, const struct open *o);
void tx_end(struct facts *f, struct session *s, const struct open *o, bool rolled_back);
void tx_unit(struct facts *f, const struct unit *u); /* its BEGIN was not logged */

/* facts_server.c: notes about the server. */
void server_note(struct facts *f, struct session *s, struct log_entry *e);
void server_attribute(struct facts *f, struct session *s, const struct open *o, uint32_t shape);
/* The number behind `word` in the message; 0: it is not there. */
double number_after(struct str m, const char *word);

/* facts_fault.c */
void fault_note(struct facts *f, struct session *s, struct log_entry *e);

/* facts_lock.c */
uint64_t lock_pid(const struct facts *f, const struct log_entry *e, int64_t pid);
void lock_note(struct facts *f, struct session *s, struct log_entry *e);
void lock_detail(struct facts *f, struct session *s, const struct log_entry *e);
void lock_attribute(struct facts *f, struct session *s, const struct open *o, uint32_t shape);

#endif
