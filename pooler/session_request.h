/* SPDX-License-Identifier: ISC
 *
 * request: the messages of a client, one by one, on their way to a server.
 */
#ifndef POOLER_SESSION_REQUEST_H
#define POOLER_SESSION_REQUEST_H

#include <stddef.h>

struct client;

/* Deals with what a client has sent, in order: asks for a server connection when there is
 * a request to send, rewrites, notes in the ledger, sends.  Answers how many bytes were
 * dealt with; the rest must be offered again, with more behind it or when the client's
 * state has changed.  May close the client. */
size_t request_feed(struct client *c, const char *p, size_t n);

/* The request that waits in c->in was answered with an error: takes it off, up to where a
 * server would have read on, and says ReadyForQuery there. */
void request_withdraw(struct client *c);

#endif
