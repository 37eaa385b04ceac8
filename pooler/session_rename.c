/* SPDX-License-Identifier: ISC
 *
 * rename: errors that name a statement.  On servers it has a name of ours (PGSLUICE_17); the
 * client is told its own.
 */
#include "session.h"

#include <ctype.h>

static const char prefix[] = "PGSLUICE_";

/* What the client calls the statement whose name of ours begins at `p`; NULL: it is none.
 * *len: of the name. */
static const char *name_of(const struct server *s, const char *p, size_t *len)
{
	const char *digits = p + sizeof prefix - 1;
	char *end;
	unsigned long long number;

	if (strncmp(p, prefix, sizeof prefix - 1) != 0)
		return NULL;
	if (strncmp(p, RENAME_TAKEN, sizeof RENAME_TAKEN - 1) == 0) {
		*len = sizeof RENAME_TAKEN - 1;
		return s->taken;
	}
	if (!isdigit((unsigned char)*digits))
		return NULL;
	number = strtoull(digits, &end, 10);
	*len = (size_t)(end - p);
	return client_statement_name(s->client, number);
}

static void put_renamed(const struct server *s, struct buf *b, const char *text)
{
	const char *name;
	size_t len;

	while (*text) {
		name = name_of(s, text, &len);
		if (name) {
			buf_put_str(b, name);
			text += len;
		} else {
			buf_put_u8(b, (uint8_t)*text++);
		}
	}
}

bool rename_concerns(const char *body, size_t len)
{
	return memmem(body, len, prefix, sizeof prefix - 1) != NULL;
}

void rename_put_error(const struct server *s, struct buf *b, const char *body, size_t len)
{
	const char *p = body, *end = body + len, *text;
	size_t at;

	at = wire_begin(b, 'E');
	while (p < end && *p) {
		char code = *p++;

		text = wire_cstr(&p, end);
		if (!text)
			break;
		buf_put_u8(b, (uint8_t)code);
		put_renamed(s, b, text);
		buf_put_u8(b, 0);
	}
	buf_put_u8(b, 0);
	wire_end(b, at);
}
