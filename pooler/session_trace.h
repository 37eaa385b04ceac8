/* SPDX-License-Identifier: ISC
 *
 * trace: what the query log and the statistics are told of a statement.
 */
#ifndef POOLER_SESSION_TRACE_H
#define POOLER_SESSION_TRACE_H

#include "session_client.h"
#include "wire_ledger.h"

/* What the observers are told.  All of them may be called with tracing off. */
void trace_query(struct client *c, const char *text, size_t have, size_t size, unsigned effects);
void trace_parse(struct client *c, size_t size);
/* Parse, and Close of a statement, by a client whose names go to the server as they are. */
void trace_parse_raw(struct client *c, const char *body, size_t len);
void trace_close_raw(struct client *c, const char *name);
/* Bind of `p` (NULL: look for it by its name); `have` of its `size` bytes are here. */
void trace_bind(struct client *c, const char *name, struct prepared *p, const char *body,
	size_t have, size_t size);
void trace_execute(struct client *c, const char *body, size_t len);
/* A statement that the pooler answered itself. */
void trace_answered(struct client *c, const char *text, const char *tag);
void trace_sync(struct client *c);
/* Describe of a statement, whose ledger entry has its number as tag. */
void trace_describe(struct client *c, struct prepared *p, size_t size);
void trace_linked(struct client *c, usec_t waited_since);
/* These four: of clients that have a trace.  trace_pass() is ledger_pass() for them. */
size_t trace_pass(struct client *c, const char *p, size_t n, uint32_t *left);
/* ReadyForQuery for an entry of this kind. */
void trace_ready(struct client *c, uint8_t kind, char status);
/* Any other message that is for the client, after the ledger saw it. */
void trace_reply(struct client *c, char type, const char *body, size_t len,
	const struct ledger_event *ev);
/* The rest of a message that was seen. */
void trace_passed(struct client *c, size_t bytes);
/* All that was seen was sent, or is kept in c->out. */
void trace_sent(struct client *c);
void trace_drained(struct client *c);
void trace_gone(struct client *c);
/* The statement it runs, or in a transaction the one before; NULL: not known (nothing is
 * observed).  Not NUL-terminated. */
const char *trace_text(const struct client *c, size_t *len);

#endif
