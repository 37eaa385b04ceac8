/* SPDX-License-Identifier: ISC
 *
 * facts_build.h: what the files of the facts family share; private to it.
 */
#ifndef FACTS_BUILD_H
#define FACTS_BUILD_H

#include "facts.h"

/* A call, before it is closed: what came in may still be completed by later entries. */
struct open {
	bool is_call; /* else a note: error, lock wait, temporary file */
	uint32_t shape;
	enum log_class class;
	enum log_phase phase;
	int64_t ts, usec, plan_usec, rows;
	uint64_t values;
	int64_t amount; /* note: bytes or µs */
	uint32_t fault; /* note: index of the fault; UINT32_MAX */
	bool deadlock;	/* note: its DETAIL tells who waited for whom */
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
	bool has_open, in_tx, has_plan;
	struct open open;
	struct text sql;    /* of the open call, capped */
	struct text params; /* of the open call, capped */
	/* Parse and bind, waiting for their execute. */
	uint32_t wait_shape;
	int64_t wait_usec;
	/* auto_explain's plan, waiting for its statement. */
	uint32_t plan_shape;
	int64_t plan_usec;
	uint64_t vxid;	       /* of the unit; 0: none */
	uint32_t test, marker; /* the test it is in; the one a marker named; NO_TEST */
	int64_t last_ts;
	struct tx tx; /* the transaction it is in (in_tx) */
	uint64_t tx_dearest;
	uint32_t last_shape;  /* of its latest statement; NO_SHAPE */
	uint32_t lock_holder; /* it waits for a lock: the holder's latest statement; NO_SHAPE */
	struct unit unit;
};

/* facts_session.c */
void session_feed(struct facts *f, struct log_entry *e);
void session_flush_all(struct facts *f);
void session_free(struct session *s);
void session_close(struct facts *f, struct session *s);

/* facts_shape.c */
uint32_t shape_index(struct facts *f, struct str sql, const struct sql_shape *lex, bool cut);
void shape_sample(struct shape *s, const struct session *who, const struct open *o);
void shape_place(struct shape *s, struct place at);
void shape_limits(struct shape *s, const struct sql_shape *lex, struct str params);
void shape_release(struct shape *s);

/* facts_unit.c */
void unit_add(struct facts *f, struct session *s, const struct open *o);
void unit_end(struct facts *f, struct unit *u);

/* facts_tag.c: reads the comments of one call; the source it was sent from, or NO_ORIGIN. */
uint32_t tags_note(struct facts *f, struct shape *s, struct str sql, const struct sql_shape *lex,
	struct place at, bool is_file);

/* facts_test.c */
bool test_begin(struct facts *f, struct session *s, struct str sql, const struct sql_shape *lex);
void test_count(struct facts *f, struct session *s, uint32_t shape, int64_t usec);
void test_leave(struct facts *f, struct session *s);

/* facts_tx.c */
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
