/* SPDX-License-Identifier: ISC
 *
 * meaning: what a text means hangs on more than its letters: on the parameters that it is read
 * under (search_path says which table, DateStyle what day) and on the schema.  Statements are
 * shared only among those who mean the same (session_prepare.c), so that each text is kept with a
 * number that stands for all that.
 *
 *   the client's parameters   params.meaning: of those that matter to who reads a text
 *   the database's schema     its age: counts the transactions that changed it, as far as we saw
 *
 * Inside of a transaction that has set such a parameter, and wherever else nobody knows what is
 * set, a text means something that nobody else's does.  What other programs do to the schema is
 * seen by its effects: a plan whose columns have changed (session_heal.c), a Bind that fails as it
 * would after a change of types (prepared_doubt).
 */
#ifndef POOLER_SESSION_MEANING_H
#define POOLER_SESSION_MEANING_H

#include "session_client.h"

struct server;

/* What its client's open transaction has altered (server.alters). */
enum { ALTERS_PARAMETERS = 1, ALTERS_SCHEMA = 2 };
/* A text with these effects is sent. */
void meaning_note(struct server *s, unsigned effects);
/* The transaction is over. */
void meaning_settle(struct server *s);

/* The schemas' ages, by database; several share one where their names fall together. */
atomic_uint *meaning_age(const char *database);
void meaning_schema_changed(const struct lane *l);

/* Of a client that has no server connection, or that has set nothing lately. */
static inline uint64_t meaning_usual(const struct client *c)
{
	uint64_t age = atomic_load_explicit(c->lane->age, memory_order_relaxed);

	return (c->params->meaning ^ age * 0x9E3779B97F4A7C15u) >> 1;
}

/* Of a text that is parsed on this connection now. */
uint64_t meaning_now(const struct client *c, const struct server *s);
/* Can nobody else mean the same? */
static inline bool meaning_is_lone(uint64_t meaning)
{
	return meaning >> 63;
}

#endif
