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

#endif
