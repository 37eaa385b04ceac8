/* SPDX-License-Identifier: ISC
 *
 * text: what a statement's text may do to the session.
 */
#ifndef POOLER_WIRE_TEXT_H
#define POOLER_WIRE_TEXT_H

#include "base.h"

/* Found by reading the text's words outside of quotes and comments; several statements of
 * one Query give the union.  A bit too many costs a little time, a bit too few would leak
 * state, so that what cannot be read counts as TEXT_LONG. */
enum {
	TEXT_SET = 1 << 0,     /* SET/RESET, set_config(): parameters may change for the session */
	TEXT_PREPARE = 1 << 1, /* PREPARE: a statement by SQL */
	TEXT_DEALLOCATE = 1 << 2,  /* DEALLOCATE, also ALL */
	TEXT_DISCARD_ALL = 1 << 3, /* DISCARD ALL */
	TEXT_LISTEN = 1 << 4,	   /* LISTEN */
	TEXT_UNLISTEN = 1 << 5,
	TEXT_TEMP = 1 << 6,	/* creates something in pg_temp */
	TEXT_ADVISORY = 1 << 7, /* pg_advisory_lock and its kin that outlive the transaction */
	TEXT_HOLD = 1 << 8,	/* DECLARE … WITH HOLD */
	TEXT_LOAD = 1 << 9,	/* LOAD, and other state that nothing takes back */
	TEXT_BEGIN = 1 << 10,	/* the whole text is a plain BEGIN or START TRANSACTION */
	TEXT_EXECUTE = 1 << 11, /* EXECUTE of a statement by SQL */
	TEXT_CLOSE = 1 << 12,	/* CLOSE of a cursor, also ALL */
	TEXT_LONG =
		1
		<< 13, /* too long to be read to its end; DO, CALL; a parameter without its name */
	TEXT_SECRET = 1 << 14,	  /* names a password: not for logs */
	TEXT_DROP_TEMP = 1 << 15, /* DROP TABLE: a temporary one may be gone */
	TEXT_UNLOCK = 1 << 16,	  /* pg_advisory_unlock… */
	TEXT_READING = 1 << 17,	  /* sets what texts are read under, if only for this transaction */
	TEXT_SCHEMA = 1 << 18,	  /* CREATE, ALTER, DROP: what names mean */
};

unsigned wire_text_effects(const char *sql, size_t len);

/* Does PostgreSQL look at this parameter when it reads a statement: for names, literals, strings?
 */
bool wire_text_is_read_under(const char *parameter);

/* How long the first statement of a text is, without the semicolon behind it. */
size_t wire_text_statement(const char *sql, size_t len);
/* What does DEALLOCATE, if this one statement is that, name?  As identifiers are read: "A b", a_b.
 */
enum text_deallocates { TEXT_DEALLOCATES_NOTHING, TEXT_DEALLOCATES_ONE, TEXT_DEALLOCATES_ALL };
#define WIRE_TEXT_NAME 256
enum text_deallocates wire_text_deallocates(const char *sql, size_t len, char name[WIRE_TEXT_NAME]);

/* Where the statement itself begins and ends, without the comments before and behind it.
 * False: there are none, or one is a hint to the planner (begins with a plus sign), or the
 * text is not understood; then it must stay as it is. */
bool wire_text_core(const char *sql, size_t len, size_t *from, size_t *to);

#endif
