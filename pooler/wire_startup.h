/* SPDX-License-Identifier: ISC
 *
 * The first packets of a connection, which have no type byte: SSLRequest, GSSENCRequest,
 * CancelRequest and StartupMessage.  Bytes in, a value or "more" out; no socket, no memory
 * of its own.
 *
 * Call startup_parse() with all bytes received so far.  It looks at nothing beyond them, and
 * its answer points into them, so use it before they move.  A packet may have at most
 * STARTUP_MAX bytes, as in PostgreSQL; lengths are judged before they are used.
 */
#ifndef POOLER_WIRE_STARTUP_H
#define POOLER_WIRE_STARTUP_H

#include "base.h"

#define STARTUP_MAX	       10000 /* PostgreSQL's MAX_STARTUP_PACKET_LENGTH */
#define STARTUP_CANCEL_KEY_MAX 256

enum startup_kind {
	STARTUP_MORE,	 /* not all there yet */
	STARTUP_SSL,	 /* wants TLS: answer 'S' or 'N' */
	STARTUP_GSSENC,	 /* wants GSS encryption: answer 'N' */
	STARTUP_CANCEL,	 /* cancel_pid, cancel_key, cancel_key_len */
	STARTUP_SESSION, /* minor, params, params_len, pq_options */
	STARTUP_TLS,	 /* the first byte of a TLS handshake: nothing consumed */
	STARTUP_BAD,	 /* error says why: close, after an ErrorResponse 08P01 */
};

struct startup {
	size_t used; /* bytes of the packet; what lies behind them came too early or is next */
	const char *error;

	uint32_t cancel_pid;
	const uint8_t *cancel_key;
	size_t cancel_key_len;

	unsigned minor;	     /* of protocol 3: 0, or what the client asked for */
	const char *params;  /* name NUL value NUL …, without the closing NUL */
	size_t params_len;   /* every name and value in it is NUL-terminated */
	unsigned pq_options; /* how many names begin with "_pq_." */
};

enum startup_kind startup_parse(const void *data, size_t len, struct startup *out) MUSTCHECK;

/* --- parameter blocks ----------------------------------------------------- */
/* name NUL value NUL …; this is also the form in which a login hands its parameters over. */

/* The value of `name` (ASCII case ignored), or NULL. */
const char *params_get(const char *block, size_t len, const char *name);
/* Walks: *pos = 0 at first; false at the end. */
bool params_next(const char *block, size_t len, size_t *pos, const char **name, const char **value);

/* --- answers -------------------------------------------------------------- */

/* Appends NegotiateProtocolVersion when the client asked for more than 3.0 or for options we
 * do not know; nothing otherwise. */
void startup_put_negotiation(struct buf *out, const struct startup *s);

/* A startup value `options`, "-c name=value --name=value": takes the next setting off the
 * front of *text into name and value (heap buffers that are reused; free with buf_free).
 * 1: one taken, 0: the end, -1: it is not of that form. */
int startup_option_next(const char **text, struct buf *name, struct buf *value);

#endif
