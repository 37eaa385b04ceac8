/* SPDX-License-Identifier: ISC
 *
 * What the files of the query log share: obs_ring.c is the worker's side; obs_qlog.c (the
 * writer thread) takes from the rings and calls
 * obs_line.c (a statement as a line), which calls obs_param.c (Bind), obs_value.c (one binary
 * value) and obs_mask.c (secrets).
 * Everything here runs on the writer's thread, or on a test's.
 */
#ifndef POOLER_OBS_INNER_H
#define POOLER_OBS_INNER_H

#include "obs.h"

#include <time.h>

/* The session block: strings are copied behind the struct in one allocation. */
struct qlog_session {
	struct qlog_session *next; /* on the ring's list of those it had no room to retire */
	uint64_t number;
	uint64_t lines; /* the worker counts */
	uint32_t pid;
	int remote_port;
	usec_t start;
	const char *user, *dbname, *application_name, *remote_host; /* into strings[] */
	/* The constant parts of every line of this session, JSON already; the writer makes them
	 * at the first line.  head: user … "line_num":   start: session_start … "vxid":"W/
	 * tail: application_name … "query_id": */
	char *head, *mid, *tail;
	size_t head_len, mid_len, tail_len;
	char strings[];
};

void session_drop(struct qlog_session *s); /* frees the block */

enum record_kind { RECORD_PAD = 0, RECORD_STATEMENT, RECORD_RETIRE };

/* What lies in the ring: this, then the pieces in the order of their lengths. */
struct record {
	uint32_t size; /* of the whole record, a multiple of 8 */
	uint32_t kind;
	uint64_t number; /* line_num */
	uint32_t name_len, tag_len, text_len, bind_len, type_count, error_len;
	bool has_name, has_tag, has_bind, has_error;
	struct qlog_statement s; /* its pointers are set anew when it is read */
};

/* `head` is what was ever put in, `tail` what was ever taken out: obs_ring.c has the rules. */
struct qlog_ring {
	/* --- the worker's line */
	uint64_t head __attribute__((aligned(64)));
	uint64_t tail_seen; /* its last look at tail */
	uint64_t dropped;
	struct qlog_session *retired; /* those that found the ring full */
	const struct qlog_gate *gate;
	/* --- the writer's line */
	uint64_t tail __attribute__((aligned(64)));
	/* --- constant */
	size_t size __attribute__((aligned(64))); /* a power of two */
	char *data;
	struct qlog_ring *next;
};

/* The writer's state: options, caches, scratch space. */
struct line {
	struct qlog_options o; /* o.file is not used here */
	time_t second;	       /* what stamp/zone show */
	char stamp[32], zone[16];
	size_t stamp_len, zone_len;
	struct buf scratch, value;
};

/* buf_put() for where there is room, as there nearly always is: a line is put together from
 * forty pieces. */
static inline void put_raw(struct buf *out, const void *p, size_t n)
{
	if (LIKELY(n && out->size - out->len >= n && out->cap == 0)) {
		memcpy(out->data + out->len, p, n);
		out->len += n;
	} else {
		buf_put(out, p, n);
	}
}

/* A string constant, without its NUL. */
#define put_lit(b, s) put_raw((b), (s), sizeof(s) - 1)

void put_u64(struct buf *out, uint64_t v);
void line_release(struct line *l);
/* Appends the statement as one JSON line.  `number` is its line_num. */
void line_put(struct line *l, struct buf *out, const struct qlog_statement *s, uint64_t number);
/* The inside of a JSON string: escapes, and replaces what is not UTF-8 by U+FFFD. */
void json_put(struct buf *out, const char *s, size_t len);
/* Appends "$1 = '42', $2 = NULL" as PostgreSQL writes it (nothing for a Bind without
 * parameters).  False when the Bind ends early or makes no sense; what stood before that
 * was appended. */
bool param_put(struct line *l, struct buf *out, const void *bind, size_t len, const uint32_t *types,
	size_t type_count) MUSTCHECK;
/* One binary value of type `oid` as its text form; false (and nothing appended) when the
 * type is not known or the bytes are no value of it. */
bool param_text(struct buf *out, uint32_t oid, const void *value, size_t len) MUSTCHECK;
bool param_is_array(uint32_t oid) MUSTCHECK;
void param_hex(struct buf *out, const void *value, size_t len); /* \x0102 */

/* Copies the text with the secrets of role statements and connection strings as ***.
 * `inside`: the text is a value, not a statement (it begins inside a literal, so to say). */
void mask_put(struct buf *out, const char *text, size_t len, bool inside);
/* Could there be something to mask?  (Cheap; says yes to every "passw".) */
bool mask_wants(const char *text, size_t len) MUSTCHECK;

#endif
