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
void trace_parse_raw(struct client *c, const char *body, size_t len);
void trace_bind(struct client *c, const char *name, const char *body, size_t len);
void trace_execute(struct client *c, const char *body, size_t len);
/* A statement that the pooler answered itself. */
void trace_answered(struct client *c, const char *text, const char *tag);
void trace_sync(struct client *c);
/* Describe of a statement, whose ledger entry has its number as tag. */
void trace_describe(struct client *c, struct prepared *p);
void trace_linked(struct client *c, usec_t waited_since);
void trace_reply(struct client *c, char type, const char *body, size_t len,
	const struct ledger_event *ev);
/* Has the answer to the statement it runs begun? */
bool trace_has_begun(const struct client *c);
void trace_sent(struct client *c, size_t bytes);
void trace_drained(struct client *c);
void trace_gone(struct client *c, enum close_reason why);
/* The statement it runs, or in a transaction the one before; NULL: not known (nothing is
 * observed).  Not NUL-terminated. */
const char *trace_text(const struct client *c, size_t *len);

#endif
