/* SPDX-License-Identifier: ISC
 *
 * input_formats.h: what the formats share; private to the input family.
 */
#ifndef INPUT_FORMATS_H
#define INPUT_FORMATS_H

#include "input.h"

#include <ctype.h>

/* Puts the text of a whole entry where its part belongs, and classifies it. */
void entry_part(struct log_entry *e, struct str text);
/* A session from the pid, where the log has nothing better. */
void entry_session(struct log_entry *e);
/* The chunk's next entry, which begins in this line; nothing is known of it yet. */
struct log_entry *chunk_entry(struct chunk *c, uint64_t line, size_t bytes);
/* A line no entry can be made of. */
void chunk_orphan(struct chunk *c, uint64_t line, size_t bytes);
enum log_severity severity_of(struct str word); /* "ERROR" */

bool stderr_starts(const struct log_format *f, const char *line, size_t n);
void stderr_parse(const struct log_format *f, struct chunk *c);
int stderr_score(const char *p, size_t n);

bool csv_starts(const struct log_format *f, const char *line, size_t n);
void csv_parse(const struct log_format *f, struct chunk *c);
int csv_score(const char *p, size_t n);

bool json_starts(const struct log_format *f, const char *line, size_t n);
void json_parse(const struct log_format *f, struct chunk *c);
int json_score(const char *p, size_t n);
int pooler_score(const char *p, size_t n);

/* The number at p, hexadecimal or decimal; reads nothing at or behind end. */
static inline int32_t number_at(const char *p, const char *end, bool hexadecimal)
{
	uint32_t v = 0;

	for (; p < end; p++) {
		uint32_t d = *p >= '0' && *p <= '9' ? (uint32_t)(*p - '0')
			     : hexadecimal && (*p | 0x20) >= 'a' && (*p | 0x20) <= 'f'
				     ? (uint32_t)((*p | 0x20) - 'a' + 10)
				     : 99;
		if (d == 99 || v > 0x7ffffff)
			break;
		v = v * (hexadecimal ? 16 : 10) + d;
	}
	return (int32_t)(v & 0x7fffffff);
}

/* input_wrap.c */
bool wrap_starts(const struct log_format *f, const char *line, size_t n);
void wrap_parse(const struct log_format *f, struct chunk *c);
/* Makes the entry of the server's own text: prefix, severity, message. */
void wrap_text(const struct log_format *f, struct log_entry *e, struct str text);
/* Where a severity stands in the head of a line; false: nowhere. */
bool severity_at(const char *line, size_t n, size_t *at);

int syslog_score(const char *p, size_t n);
/* A line with a syslog's head, of whichever program. */
bool syslog_has_header(const char *p, size_t n);
bool syslog_unwrap(struct arena *a, const char *line, size_t n, struct log_entry *e,
	struct str *inner);
int logplex_score(const char *p, size_t n);
bool logplex_unwrap(struct arena *a, const char *line, size_t n, struct log_entry *e,
	struct str *inner);
int cloud_score(const char *p, size_t n);
bool cloud_unwrap(struct arena *a, const char *line, size_t n, struct log_entry *e,
	struct str *inner);

bool journal_starts(const struct log_format *f, const char *line, size_t n);
bool journal_unwrap(struct arena *a, const char *line, size_t n, struct log_entry *e,
	struct str *inner);
void journal_parse(const struct log_format *f, struct chunk *c);
int journal_score(const char *p, size_t n);

bool bouncer_starts(const struct log_format *f, const char *line, size_t n);
void bouncer_parse(const struct log_format *f, struct chunk *c);
int bouncer_score(const char *p, size_t n);

void cloud_parse(const struct log_format *f, struct chunk *c);

bool totals_starts(const struct log_format *f, const char *line, size_t n);
void totals_parse(const struct log_format *f, struct chunk *c);
int totals_score(const char *p, size_t n);

/* input_join.c: pieces of one file -> whole entries, prepared; valid until the next call. */
struct join;
struct join *join_new(const struct input_sink *sink);
struct chunk *join_chunk(struct join *j, const struct log_format *f, struct chunk *c);
struct chunk *join_flush(struct join *j, const struct log_format *f);
void join_free(struct join **j);

#endif
