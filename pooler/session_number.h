/* SPDX-License-Identifier: ISC
 *
 * number: what a statement's text is called on servers, PGSLUICE_17: one number for a text in the
 * whole process, so that a connection that goes to another relay has there what it had here.
 */
#ifndef POOLER_SESSION_NUMBER_H
#define POOLER_SESSION_NUMBER_H

#include "base.h"

/* The number of a text, with its types and its meaning, and a reference to it; any thread. `stale`:
 * plans under that number have gone stale, it is the next one (which another relay may have now);
 * or 0. */
uint64_t number_take(uint32_t hash, const char *body, size_t len, uint64_t meaning, uint64_t stale);
/* Gives back a reference. */
void number_drop(uint32_t hash, const char *body, size_t len, uint64_t meaning);
uint64_t number_bytes(size_t len); /* what one costs in memory, for its share of the caps */

#endif
