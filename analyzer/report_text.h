/* SPDX-License-Identifier: ISC
 *
 * report_text.h: the page the files report_text*.c write on; private to them.
 */
#ifndef REPORT_TEXT_H
#define REPORT_TEXT_H

#include "report.h"

struct out {
	struct report *r;
	FILE *to;
	int width;
};

enum ink { INK_NONE = 0, INK_BOLD, INK_DIM, INK_RED, INK_YELLOW, INK_BLUE, INK_GREEN };

/* report_text_page.c */
const char *text_ink(const struct out *o, enum ink i); /* "" where there are no colours */
void text_heading(struct out *o, const char *text);
int text_columns(struct str s); /* that s takes on a terminal */
/* Prints s wrapped at blanks, every line behind `indent` blanks. */
void text_wrapped(struct out *o, struct str s, int indent);
/* The same, behind `head` in the first line and as many blanks in the others. */
void text_hanging(struct out *o, struct str head, struct str s);
/* Prints s in one line, cut to the page's width. */
void text_line(struct out *o, struct str s, int indent);
/* "0123456789abcdef  select …", in one line of at most the page's width. */
void text_shape(struct out *o, uint32_t shape, int indent);

/* A table:
 *
 *	struct table t = {.column = columns, .columns = ARRAY_LEN(columns)};
 *	table_cell(&t, …);      as often as there are columns, row by row
 *	table_note(&t, …);      wrapped below the row whose cell was the last
 *	table_end(&t, o);       prints and releases it
 */
#define TABLE_COLUMNS 16
struct table_column {
	const char *head;
	bool right; /* numbers */
	int rank;   /* what does not fit: the highest goes first; 0: it stays */
	int least;  /* it may be cut to so many columns; 0: never */
};
struct table {
	const struct table_column *column;
	int columns;
	VEC(struct str) cell;
	VEC(struct str) note; /* one for each row */
};
void table_cell(struct table *t, struct str s);
void table_note(struct table *t, struct str s);
void table_end(struct table *t, struct out *o);

/* report_text_server.c: everything that is not about one statement. */
void text_server(struct out *o);

#endif
