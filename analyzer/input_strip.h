/* SPDX-License-Identifier: ISC
 *
 * input_strip.h: what carries a log line by line, taken off; private to the input family.
 *
 *	if (strip_detect(head, n)) strip = strip_new(head, n);
 *	strip_feed(strip, p, n, &out)      appends to out what has become complete
 *	strip_end(strip, &out)             and the rest, at the end of the file
 */
#ifndef INPUT_STRIP_H
#define INPUT_STRIP_H

#include "input.h"

struct strip;
bool strip_detect(const char *head, size_t n);
struct strip *strip_new(const char *head, size_t n);
void strip_feed(struct strip *s, const char *p, size_t n, struct text *out);
void strip_end(struct strip *s, struct text *out);
void strip_free(struct strip **s);

#endif
