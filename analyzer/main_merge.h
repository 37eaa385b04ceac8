/* SPDX-License-Identifier: ISC
 *
 * main_merge.h: reports read back; private to main_merge.c and main_merge_server.c.
 */
#ifndef MAIN_MERGE_H
#define MAIN_MERGE_H

#include "facts.h"
#include "report.h"
#include "rule.h"

#include <jansson.h>

struct merger {
	struct facts *facts;
	struct findings *found;
	struct input *in;
	size_t unparsed;
};

uint64_t merge_usec(const json_t *o, const char *key); /* of milliseconds */
int64_t merge_time(const json_t *o, const char *key);  /* 0: none */
void merge_widen(int64_t *first, int64_t *last, const json_t *o);
/* The shape with this id; o: where its text is, NULL: it came or comes elsewhere. */
uint32_t merge_shape(struct merger *m, struct str id, const json_t *o);
struct place merge_place(struct merger *m, const json_t *list);

void merge_server(struct merger *m, const json_t *report);

#endif
