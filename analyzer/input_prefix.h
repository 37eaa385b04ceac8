/* SPDX-License-Identifier: ISC
 *
 * input_prefix.h: log_line_prefix, taken apart; private to the input family.
 *
 *   input_prefix.c   the prefix, compiled; the way that nearly every line goes
 *   input_search.c   every way in which a line may be read, and which is the likeliest
 *   input_field.c    what an escape prints: is this text such a field, and how likely?
 *   input_infer.c    the prefix, inferred from a log
 *   input_doubt.c    what a prefix leaves open in a log
 */
#ifndef INPUT_PREFIX_H
#define INPUT_PREFIX_H

#include "input_formats.h"

#define MAX_ITEMS 64
#define MAX_FIELD 256 /* free text is looked for no further than this */

struct prefix_item {
	char kind; /* the escape's letter; 0: literal */
	char stop; /* of a text in front of a literal: where that begins; 0: another kind of item */
	uint16_t to;	/* of a text: offset of the entry's field; 0: it is not kept */
	uint16_t width; /* at least so many bytes; 0: none is given */
	bool is_left;	/* of a width: the blanks are behind the text */
	struct str lit;
};

struct log_prefix {
	char *text;
	struct prefix_item item[MAX_ITEMS];
	int items;
	int q;	       /* index of the item behind %q; -1: there is none */
	bool is_plain; /* where a field ends is told from its bytes alone, in nearly every line */
};

/* What a line's prefix says, as far as it is read. */
struct prefix_fields {
	int64_t ts, line_num;
	uint64_t session;
	int32_t pid;
	struct str user, db, app, host, vxid, sqlstate;
};

/* How unlikely what was read is; 0: nothing speaks against it. */
enum { ODD_SLIGHT = 1, ODD = 2, ODD_VERY = 4 };

/* How many bytes of s may belong to such a field, at most and at least. */
size_t field_most(char kind, const char *s, size_t n);
size_t field_least(char kind);
/* Is v, all of it, such a field?  Its value goes into *f, and what is unlikely in it into *odd. */
bool field_value(char kind, struct str v, struct prefix_fields *f, unsigned *odd);
bool field_is_client(char kind); /* background processes print nothing for it */
bool field_is_text(char kind);	 /* its bytes do not tell where it ends */
bool field_is_name_like(struct str v, const char *marks);
size_t field_host(const char *s, size_t n, bool port, struct str *host);
bool field_is_vocabulary(char kind, struct str v); /* of %b and %i: known words */

/* The likeliest way to read the line: as prefix_match().  *rival: the item whose extent another
 * way, as likely, sees differently; -1: there is none; NULL: the caller does not ask. */
int prefix_search(const struct log_prefix *p, const char *line, size_t n, struct log_entry *e,
	int *rival);

#endif
