/* SPDX-License-Identifier: ISC
 *
 * wire: the PostgreSQL protocol, version 3, as values.  No sockets, no events, no clock.
 *
 *   wire_startup.h  the first packets of a client
 *   (here)          message headers, the walk over a byte stream
 *   (here)          and messages that the pooler itself sends (wire_build.c)
 *   wire_ledger.h   what a server connection still owes
 *   wire_text.h     what a statement's text may do to the session
 *
 * A message is  type(1) length(4, counts itself)  body(length - 4).
 */
#ifndef POOLER_WIRE_H
#define POOLER_WIRE_H

#include "base.h"

#include <arpa/inet.h>

#define WIRE_HEADER 5U
/* PostgreSQL refuses messages from 1 GB on (MaxAllocSize); nobody honest sends them. */
#define WIRE_LENGTH_MAX 0x3fffffffU

static inline uint32_t wire_u32(const char *p)
{
	uint32_t v;

	memcpy(&v, p, 4);
	return ntohl(v);
}

static inline uint16_t wire_u16(const char *p)
{
	uint16_t v;

	memcpy(&v, p, 2);
	return ntohs(v);
}

/* The whole length of the message whose header is at p (header included), or 0 when the
 * length field cannot be right. */
static inline uint32_t wire_message_size(const char *p)
{
	uint32_t len = wire_u32(p + 1);

	return UNLIKELY(len < 4 || len > WIRE_LENGTH_MAX) ? 0 : len + 1;
}

/* Reads a NUL-terminated string of a body.  *p moves behind the NUL; NULL when there is
 * none before `end`. */
static inline const char *wire_cstr(const char **p, const char *end)
{
	const char *s = *p, *nul;

	if (LIKELY(s < end && *s == '\0')) { /* as most names in messages are */
		*p = s + 1;
		return s;
	}
	nul = memchr(s, 0, (size_t)(end - s));
	if (!nul)
		return NULL;
	*p = nul + 1;
	return s;
}

/* --- building messages ------------------------------------------------------ */

/* ErrorResponse or NoticeResponse.  severity: "ERROR", "FATAL", "NOTICE"…; detail and
 * hint may be NULL. */
void wire_put_error(struct buf *b, char type, const char *severity, const char *sqlstate,
	const char *message, const char *detail, const char *hint);
void wire_put_ready(struct buf *b, char status);
void wire_put_parameter(struct buf *b, const char *name, const char *value);
void wire_put_key(struct buf *b, uint32_t pid, uint32_t secret);
void wire_put_auth_ok(struct buf *b);
void wire_put_query(struct buf *b, const char *sql);
void wire_put_complete(struct buf *b, const char *tag);
/* A message of only a header: '1' '2' '3' 'n' 'I' 'S' 'H' 'c'… */
void wire_put_bare(struct buf *b, char type);
/* Opens a message whose length wire_end() fills in; at = wire_begin(…). */
size_t wire_begin(struct buf *b, char type);
void wire_end(struct buf *b, size_t at);

/* The fields of an ErrorResponse or NoticeResponse body; pointers into it, or NULL. */
struct wire_error {
	const char *severity, *sqlstate, *message, *detail, *hint, *routine;
};
/* Puts the message with the number in its position field made larger by `shift`. */
void wire_put_shifted_error(struct buf *b, const char *body, size_t len, unsigned shift);
/* False: not a well-formed body. */
bool wire_read_error(const char *body, size_t len, struct wire_error *e) MUSTCHECK;

/* The number of rows that a CommandComplete tag tells, or 0. */
uint64_t wire_tag_rows(const char *tag, size_t len);

#endif
