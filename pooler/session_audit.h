/* SPDX-License-Identifier: ISC
 *
 * audit: what a statement does to its session, and asking the server what state a session holds.
 */
#ifndef POOLER_SESSION_AUDIT_H
#define POOLER_SESSION_AUDIT_H

#include "base.h"

struct relay;
struct server;

/* Note of a Parse that must fail, its tag the effects for which: the error in our words. */
#define NOTE_REFUSED UINT16_MAX
void effects_put_error(struct buf *b, unsigned effects);

/* After these a client that its startup packet gave parameters of its own may have lost them. */
#define AUDITED_FOR_START (TEXT_SET | TEXT_DISCARD_ALL)
/* The audit: asks the server what state the session holds (sql/state_audit.sql). */
void audit_start(struct server *s);
/* This one is asked for from now on.  False: there are too many. */
bool audit_learn_name(struct relay *r, const char *name);
/* A text that sets parameters was sent: remembers the dotted names in it.  `code`: it is a block of
 * code, and most are not parameters'. */
void audit_learn(struct server *s, const char *sql, size_t len, bool code);
/* The same for the values of a Bind, which begin with their formats. */
void audit_learn_values(struct server *s, const char *p, const char *end);
/* With state_audit: a statement was sent; a transaction is over. */
void audit_hear(struct server *s, const char *sql, size_t len);
void audit_transaction_done(struct server *s);
void audit_row(struct server *s, const char *body, size_t len);
void audit_done(struct server *s, bool failed);
void audit_free(struct server *s);

#endif
