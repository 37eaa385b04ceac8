/* SPDX-License-Identifier: ISC
 *
 * prepared: statements whose names are the client's and whose place is whichever server
 * connection serves it.  A text is one object per relay; clients and servers have tables of
 * those that they know.
 */
#ifndef POOLER_SESSION_PREPARE_H
#define POOLER_SESSION_PREPARE_H

#include "base.h"
#include "obs_queries.h"

struct client;
struct lane;
struct server;

/* One statement text with its parameter types, shared by all clients of a relay that
 * prepared the same; `number` names it on servers: PGSLUICE_17.
 *
 * What servers are given may be another one (prepared_served): the same text without the
 * comments around it, so that each traceparent of sqlcommenter's does not make a statement
 * of its own; or a newer copy under a new number, when plans of the old one have gone stale
 * (session_heal.c). */
struct prepared {
	uint32_t refs;
	uint32_t hash;
	uint64_t number;
	uint64_t meaning;	 /* what it was parsed under (session_meaning.h) */
	struct prepared *next;	 /* in the relay's table */
	struct prepared *served; /* nearer to what servers are given; NULL: this itself */
	uint16_t shift;		 /* characters in front of the text that is served */
	bool stale;		 /* replaced by `served`, and not to be found any more */
	bool doubted;	  /* not to be found either: an execution failed as if types had changed */
	uint64_t columns; /* hash of its RowDescription, PREPARED_NO_ROWS; 0: nobody was told yet */
	const struct lane *valid; /* whose servers have accepted it; NULL: none yet */
	unsigned effects;	  /* wire_text_effects of its text */
	struct query_key key;	  /* of its text, once it was asked for */
	size_t text_len;	  /* of the statement, without its NUL */
	size_t body_len;	  /* of what follows the name in Parse: text NUL types */
	uint32_t *types;	  /* as the server described them; NULL: none, or not asked */
	size_t n_types;
	char body[];
};
#define PREPARED_NO_ROWS 1

struct prepared_table {
	struct prepared **slot;
	size_t size, count;
	uint64_t last_number;
	bool together; /* other relays have such tables: numbers are the process's */
	uint64_t bytes;
};

/* name -> statement, of one client. */
struct client_statements;
/* statement -> present, in order of use, of one server connection. */
struct server_statements;

struct prepared *prepared_intern(struct prepared_table *t, const char *body, size_t len,
	uint64_t meaning);
/* The one that is known already, without a new reference; or NULL. */
struct prepared *prepared_find(const struct prepared_table *t, const char *body, size_t len,
	uint64_t meaning);
/* What servers would be given for it, when that is known already; or NULL. */
struct prepared *prepared_find_served(struct prepared_table *t, const char *body, size_t len,
	uint64_t meaning);
struct prepared *prepared_served_far(struct prepared_table *t, struct prepared *p);
static inline struct prepared *prepared_served(struct prepared_table *t, struct prepared *p)
{
	return LIKELY(!p->served) ? p : prepared_served_far(t, p);
}
/* Was it prepared when its columns were other ones than now? */
static inline bool prepared_is_stale(const struct prepared *p)
{
	return UNLIKELY(p->stale || (p->served && p->served->stale));
}
/* From now on servers are given it under a new number.  Answers what they are given. */
struct prepared *prepared_renew(struct prepared_table *t, struct prepared *p);
void prepared_drop(struct prepared_table *t, struct prepared **p);
/* A Bind of it failed with this: does it look as if the types of its parameters, which stay what
 * they were at its Parse, were not those that a Parse would find now?  Who prepares it later gets
 * one of his own. */
void prepared_doubt(struct prepared *p, const char *sqlstate);
/* The body of a ParameterDescription of it. */
void prepared_learn_types(struct prepared *p, const char *body, size_t len);
/* The lane goes: its address may soon be another's. */
void prepared_forget_lane(struct prepared_table *t, const struct lane *l);
unsigned long long prepared_bytes_total(void); /* of the whole process */
#define PREPARED_NAME 32
/* Answers its length. */
size_t prepared_name(char out[PREPARED_NAME], uint64_t number);
/* A Parse of it under that name. */
void prepared_put_parse(struct buf *b, const char *name, const struct prepared *p);

bool client_statement_put(struct client *c, const char *name, struct prepared *p);
struct prepared *client_statement_get(const struct client *c, const char *name);
bool client_statement_remove(struct client *c, const char *name);
/* Its newest name for statement `number`, or NULL. */
const char *client_statement_name(const struct client *c, uint64_t number);
/* Counts what a client prepares: which of its names is the newest. */
uint32_t client_statement_serial(const struct client *c, const char *name);
/* What it closed, as if it had not.  False: the name is another's by now. */
bool client_statement_restore(struct client *c, const char *name, struct prepared *p,
	uint32_t serial);
/* A Parse of statement `number` failed: its newest name is not there. */
void client_statement_forget(struct client *c, uint64_t number);
/* Its newest name for that is one for `fresh` from now on. */
void client_statement_move(struct client *c, uint64_t number, struct prepared *fresh);
void client_statements_clear(struct client *c);
size_t client_statement_count(const struct client *c);
size_t client_statement_bytes(const struct client *c);

/* A Close whose turn has not come, and which the server would skip if what precedes it fails
 * (session_naming.c); `tag` is that of its entry in the ledger. */
void closing_done(struct server *s, uint32_t tag); /* its turn has come */
void closing_undo(struct server *s, uint32_t tag); /* it is skipped: its client has it again */
void closing_clear(struct server *s);

/* Under which servers get a Parse of a name that is taken; they have an empty statement so. */
#define RENAME_TAKEN "PGSLUICE_taken"
/* And what they describe in place of a statement that they cannot prepare. */
#define RENAME_KNOWN "PGSLUICE_known"
/* Does an ErrorResponse have a name of ours in it? */
bool rename_concerns(const char *body, size_t len);
/* It, with the client's names in place of ours. */
void rename_put_error(const struct server *s, struct buf *b, const char *body, size_t len);

/* Has it, or will have when what is sent now is reached; marks it used. */
bool server_statement_has(struct server *s, const struct prepared *p);
/* Was it sent in an earlier batch that may yet fail?  Only the answer tells. */
bool server_statement_is_pending(const struct server *s, const struct prepared *p);
struct prepared *server_statement_find(const struct server *s, uint64_t number);
void server_statement_put(struct server *s, struct prepared *p);
void server_statement_accepted(struct server *s, uint64_t number);
bool server_statement_remove(struct server *s, uint64_t number);
void server_statements_clear(struct server *s);
size_t server_statement_count(const struct server *s);
/* The least recently used one when there are more than `max`, taken off; else NULL.  The
 * caller drops it. */
struct prepared *server_statement_evict(struct server *s, size_t max);

/* It goes to another relay: what it has, least recently used first, is taken off this one, and is
 * had there but for what that relay knows otherwise. */
void server_statements_pack(struct server *s, struct buf *b);
void server_statements_unpack(struct server *s, const struct buf *b);

#endif
