/* SPDX-License-Identifier: ISC
 *
 * The few builders that a login needs, until wire.h is there.
 */
#ifndef POOLER_SESSION_WIRE_H
#define POOLER_SESSION_WIRE_H

#include "base.h"

#include <arpa/inet.h>

#define WIRE_HEADER 5U

static inline uint32_t wire_u32(const char *p)
{
	uint32_t v;

	memcpy(&v, p, 4);
	return ntohl(v);
}

static inline const char *wire_cstr(const char **p, const char *end)
{
	const char *s = *p, *nul = memchr(s, 0, (size_t)(end - s));

	if (!nul)
		return NULL;
	*p = nul + 1;
	return s;
}

static inline size_t wire_begin(struct buf *b, char type)
{
	buf_put_u8(b, (uint8_t)type);
	buf_put_u32(b, 0);
	return b->len;
}

static inline void wire_end(struct buf *b, size_t at)
{
	uint32_t len = htonl((uint32_t)(b->len - at + 4));

	memcpy(b->data + at - 4, &len, 4);
}

static inline void wire_put_error(struct buf *b, char type, const char *severity,
	const char *sqlstate, const char *message, const char *detail, const char *hint)
{
	const char *fields[] = {"S", severity, "V", severity, "C", sqlstate, "M", message};
	size_t at = wire_begin(b, type);

	(void)detail, (void)hint;
	for (size_t i = 0; i < ARRAY_LEN(fields); i += 2) {
		buf_put_str(b, fields[i]);
		buf_put_cstr(b, fields[i + 1]);
	}
	buf_put_u8(b, 0);
	wire_end(b, at);
}

#endif
