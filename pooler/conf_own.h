/* SPDX-License-Identifier: ISC
 *
 * conf_own: what the files of the conf layer share with each other and with nobody else.
 *
 * A load runs ini_read() -> lines -> conf_build() -> struct conf.  The lines are kept in
 * the snapshot: SET builds the next one from the same lines and one more.
 */
#ifndef POOLER_CONF_OWN_H
#define POOLER_CONF_OWN_H

#include "conf.h"

#include <stdatomic.h>

/* --- lines: what the files say, before it means anything ------------------- */

enum conf_section {
	CONF_SECTION_POOLER,
	CONF_SECTION_DATABASES,
	CONF_SECTION_USERS,
	CONF_SECTION_PEERS,
};

enum conf_origin { CONF_FROM_FILE, CONF_FROM_COMMAND_LINE, CONF_FROM_CONSOLE };

/* One `key = value`.  All texts live in the arena of the snapshot. */
struct conf_line {
	enum conf_section section;
	enum conf_origin origin;
	const char *key, *value;
	const char *file; /* NULL unless CONF_FROM_FILE */
	int line;
};

/* --- memory ---------------------------------------------------------------- */

/* Blocks that are freed together, and wiped first: passwords lie among the texts. */
struct arena_block {
	struct arena_block *next;
	size_t size, used;
	char data[];
};

struct arena {
	struct arena_block *blocks;
};

void *arena_alloc(struct arena *a, size_t size) MUSTCHECK; /* zeroed, aligned */
char *arena_strndup(struct arena *a, const char *s, size_t n) MUSTCHECK;
char *arena_strdup(struct arena *a, const char *s) MUSTCHECK;
void arena_free(struct arena *a);

/* The part of a snapshot that only this layer touches. */
struct conf_own {
	atomic_int refs;
	struct arena arena;
	struct conf *conf;	  /* whose part this is */
	struct conf_line **lines; /* in the order of the files; later wins */
	size_t n_lines, lines_size;
	/* For each row of conf_settings[]: the line that set it, or NULL: the default. */
	const struct conf_line **source;
	const char *path;
	const char **files; /* every file that was read, once for each time */
	size_t n_files;
};

struct conf *conf_new(void) MUSTCHECK; /* one reference, nothing set */
struct conf_line *conf_line_add(struct conf *c, enum conf_section section, const char *key,
	size_t key_len, const char *value, size_t value_len);
void conf_line_take(struct conf *c, struct conf_line *line); /* of its own arena */
const char *conf_file_add(struct conf *c, const char *path); /* the name, in the arena */

/* --- reading (conf_ini.c) --------------------------------------------------- */

/* Reads a file, or `text` when it is not NULL, into lines of `c`.  Errors go to `r`. */
void ini_read(struct conf *c, const char *path, const char *text, size_t len,
	struct conf_report *r);

/* Walks `key=value key='value'` of a database, user or peer line.  1: a pair, texts into
 * the arena; 0: the end; -1: malformed, `err` says how.  *key is NULL
 * before the first call, and left alone between calls. */
int ini_pair_next(struct arena *a, const char **p, const char **key, const char **value,
	struct buf *err) MUSTCHECK;

/* --- values (conf_value.c) -------------------------------------------------- */

union conf_value {
	bool b;
	int i;
	int64_t size;
	usec_t time;
	double number;
	const char *text; /* borrowed from what was parsed */
};

/* Text to value.  On failure `err` gets what was found and what is allowed. */
bool value_parse(const struct conf_setting *s, const char *text, union conf_value *v,
	struct buf *err) MUSTCHECK;
/* Value to text, as PgBouncer prints it: seconds, bytes, 0 and 1. */
void value_print(const struct conf_setting *s, const union conf_value *v, struct buf *out);
void value_print_allowed(const struct conf_setting *s, struct buf *out);

/* A field of a scope's struct. */
void value_load(const void *base, struct conf_at at, union conf_value *v);
void value_store(void *base, struct conf_at at, const union conf_value *v);
void value_unset(struct conf_at at, union conf_value *v); /* the "ask the next level" */
bool value_equal(struct conf_at at, const union conf_value *a, const union conf_value *b);
bool value_is_unset(struct conf_at at, const union conf_value *v);

/* --- checks a row may name (conf_check.c) ------------------------------------ */

bool check_ports(const char *text, struct buf *allowed);
bool check_host_port(const char *text, struct buf *allowed);
bool check_log_levels(const char *text, struct buf *allowed);
bool check_syslog_facility(const char *text, struct buf *allowed);
bool check_tls_protocols(const char *text, struct buf *allowed);
bool check_no_console(const char *text, struct buf *allowed);
bool check_session_attrs(const char *text, struct buf *allowed);
bool check_channel_binding(const char *text, struct buf *allowed);
int syslog_facility_number(const char *word); /* -1: no such facility */
void log_levels_apply(const char *list, enum log_level level[LOG_PART_COUNT]);

/* --- building (conf_build.c, conf_fit.c) -------------------------------------- */

/* "no setting x; did you mean y?" */
void conf_say_unknown(enum conf_scope scope, const char *key, struct buf *out);

/* Defaults, then the lines in their order, then databases, users and peers. */
void conf_build(struct conf *c, struct conf_report *r);
/* What must fit together, and what an operator should know: unreadable files, secrets
 * open to others, settings without effect (those that `running`, which may be NULL, does not
 * have yet). */
void conf_fit(const struct conf *c, const struct conf *running, struct conf_report *r);

/* --- reports (conf_report.c) --------------------------------------------------- */

void report_error(struct conf_report *r, const char *file, int line, const char *fmt, ...)
	PRINTF(4, 5);
void report_warning(struct conf_report *r, const char *file, int line, const char *fmt, ...)
	PRINTF(4, 5);

/* No further error will be kept. */
bool report_is_full(const struct conf_report *r);
/* By file in this order, then by line. */
void report_sort(struct conf_report *r, const char *const *files, size_t n_files);

/* Appends `; did you mean "x"?` when one of the words is near, and answers whether. */
struct near {
	const char *word; /* what was written */
	const char *best;
	size_t best_distance;
};
void near_offer(struct near *n, const char *candidate);
bool near_print(const struct near *n, struct buf *out);

#endif
