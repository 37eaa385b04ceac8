/* SPDX-License-Identifier: ISC
 *
 * report_json.h: what the files that make the JSON report share; private to them.
 */
#ifndef REPORT_JSON_H
#define REPORT_JSON_H

#include "report.h"

#include <jansson.h>

double json_ms(double usec);
json_t *json_time(int64_t ts);				/* null for 0 */
void json_quantiles(json_t *o, const struct sketch *s); /* total_ms … max_ms */
json_t *json_sketch(const struct sketch *s);
json_t *json_places(struct report *r, const struct place *p, uint32_t n);
json_t *json_counter(const struct counter *c, const void *of);
void json_set_if(json_t *o, const char *key, uint64_t v); /* unless it is 0 */

/* report_json_server.c: errors, by, server, minutes, transactions, waits, … */
void json_add_server(struct report *r, json_t *report);

#endif
