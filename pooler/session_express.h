/* SPDX-License-Identifier: ISC
 *
 * express: the short way of what nearly every transaction is.
 */
#ifndef POOLER_SESSION_EXPRESS_H
#define POOLER_SESSION_EXPRESS_H

#include <stdbool.h>
#include <stddef.h>

/* What is longer takes the long way, where max_memory is asked before so much is kept. */
#define EXPRESS_MAX 4096U

struct client;
struct server;

/* A client that waits for nothing has sent these bytes: if they are one plain Query or
 * the execution of a prepared statement, it is sent, or parked until a server connection is free.
 * False: nothing was done. */
bool express_query(struct client *c, const char *p, size_t n);

/* These bytes came from a server: if they are the whole answer to what was asked, it goes to the
 * client, and the connection to whom it belongs then.  False: nothing was done. */
bool express_answer(struct server *s, const char *p, size_t n);

/* The server has nothing to answer any more: if all about the connection is as usual it is given
 * back, or goes to the client that waits for it, and its request to the server.  False: nothing was
 * done. */
bool express_turn(struct server *s);

#endif
