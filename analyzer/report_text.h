/* SPDX-License-Identifier: ISC
 *
 * report_text.h: the page report_text.c and report_text_server.c write on; private to them.
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

const char *text_ink(const struct out *o, enum ink i); /* "" where there are no colours */
void text_heading(struct out *o, const char *text);
/* Prints s wrapped at blanks, every line behind `indent` blanks. */
void text_wrapped(struct out *o, struct str s, int indent);
/* "0123456789abcdef  select …", in one line of at most the page's width. */
void text_shape(struct out *o, uint32_t shape, int indent);

/* report_text_server.c: everything that is not about one statement. */
void text_server(struct out *o);

#endif
