/* SPDX-License-Identifier: ISC
 *
 * The syntax that pg_hba.conf and pg_ident.conf share; auth_hba.c, auth_ident.c and
 * auth_regex.c include it, nobody else.
 *
 * A file is lines (a backslash at a line's end joins the next one, # begins a comment), a line
 * is fields separated by blanks, a field is tokens separated by commas.  A token may be quoted,
 * wholly or in part; one that begins with @ is replaced by the tokens of that file.
 */
#ifndef POOLER_AUTH_TOKEN_H
#define POOLER_AUTH_TOKEN_H

#include "base.h"

#include <regex.h>

struct token {
	char *text;
	bool quoted; /* began with a quote: keywords lose their meaning */
};

struct token_field {
	struct token *tokens;
	size_t count;
};

struct token_line {
	struct token_field *fields;
	size_t count; /* > 0 */
	unsigned line;
	const char *path;
};

struct token_file {
	struct token_line *lines;
	size_t count;
	char **paths; /* of this file and those it includes */
	size_t path_count;
};

/* Appends "PATH:LINE: TEXT" to err, one line an error. */
void token_error(struct buf *err, const char *path, unsigned line, const char *fmt, ...)
	PRINTF(4, 5);

/* Reads all lines, with include, include_if_exists and include_dir followed.  false: errors
 * (the lines are those that could be read). */
bool token_parse(struct token_file *f, const char *text, size_t len, const char *path,
	struct buf *err) MUSTCHECK;
/* As token_parse, of a file; `what` names the setting in an error. */
bool token_load(struct token_file *f, const char *path, const char *what,
	struct buf *err) MUSTCHECK;
void token_release(struct token_file *f);

/* Compiles a regular expression of such a file; false: it is invalid, cannot be said here or
 * would take too much memory, as `why` says.  *group: which group is the first that captures, for
 * \1 (at most REGEX_GROUPS; 0: there is none); NULL: nobody wants to know. */
#define REGEX_GROUPS 9
bool regex_compile(regex_t *re, const char *pattern, unsigned *group, char *why, size_t size);

#endif
