/* SPDX-License-Identifier: ISC
 *
 * heal: plans that have gone stale: "cached plan must not change result type".
 */
#ifndef POOLER_SESSION_HEAL_H
#define POOLER_SESSION_HEAL_H

#include "base.h"
#include "wire_ledger.h"

struct server;

/* An ErrorResponse has come.  True: it said that a statement's plan is out of date, the
 * statement was prepared anew and sent again, and the client must not see the error. */
bool heal_stale_plan(struct server *s, const char *body, size_t len);
/* What the server says about a statement: its parameters (false: not for the client, who
 * has been told already), and its columns. */
bool heal_sees_parameters(struct server *s, const char *body, size_t len);
void heal_sees_columns(struct server *s, const struct entry *e, char type, const char *body,
	size_t len);
/* Note of a Bind that must fail: its client knows the statement by columns that it no longer
 * has.  The server is given a name that it lacks, the client the error that it expects. */
#define HEAL_REFUSED 2
void heal_put_refusal(struct buf *b);

#endif
