/* SPDX-License-Identifier: ISC
 *
 * The messages that the pooler itself sends, and the few bodies it reads.
 */
#include "wire.h"

size_t wire_begin(struct buf *b, char type)
{
	buf_put_u8(b, (uint8_t)type);
	buf_put_u32(b, 0);
	return b->len;
}

void wire_end(struct buf *b, size_t at)
{
	uint32_t len = htonl((uint32_t)(b->len - at + 4));

	if (!b->overflow)
		memcpy(b->data + at - 4, &len, 4);
}

static void put_field(struct buf *b, char code, const char *text)
{
	if (!text)
		return;
	buf_put_u8(b, (uint8_t)code);
	buf_put_cstr(b, text);
}

void wire_put_error(struct buf *b, char type, const char *severity, const char *sqlstate,
	const char *message, const char *detail, const char *hint)
{
	size_t at = wire_begin(b, type);

	put_field(b, 'S', severity);
	put_field(b, 'V', severity);
	put_field(b, 'C', sqlstate);
	put_field(b, 'M', message);
	put_field(b, 'D', detail);
	put_field(b, 'H', hint);
	buf_put_u8(b, 0);
	wire_end(b, at);
}

void wire_put_ready(struct buf *b, char status)
{
	size_t at = wire_begin(b, 'Z');

	buf_put_u8(b, (uint8_t)status);
	wire_end(b, at);
}

void wire_put_parameter(struct buf *b, const char *name, const char *value)
{
	size_t at = wire_begin(b, 'S');

	buf_put_cstr(b, name);
	buf_put_cstr(b, value);
	wire_end(b, at);
}

void wire_put_key(struct buf *b, uint32_t pid, uint32_t secret)
{
	size_t at = wire_begin(b, 'K');

	buf_put_u32(b, pid);
	buf_put_u32(b, secret);
	wire_end(b, at);
}

void wire_put_auth_ok(struct buf *b)
{
	size_t at = wire_begin(b, 'R');

	buf_put_u32(b, 0);
	wire_end(b, at);
}

void wire_put_query(struct buf *b, const char *sql)
{
	size_t at = wire_begin(b, 'Q');

	buf_put_cstr(b, sql);
	wire_end(b, at);
}

void wire_put_complete(struct buf *b, const char *tag)
{
	size_t at = wire_begin(b, 'C');

	buf_put_cstr(b, tag);
	wire_end(b, at);
}

void wire_put_bare(struct buf *b, char type)
{
	wire_end(b, wire_begin(b, type));
}

bool wire_read_error(const char *body, size_t len, struct wire_error *e)
{
	const char *p = body, *end = body + len;

	memset(e, 0, sizeof *e);
	while (p < end && *p) {
		char code = *p++;
		const char *text = wire_cstr(&p, end);

		if (!text)
			return false;
		switch (code) {
		case 'S':
			if (!e->severity)
				e->severity = text;
			break;
		case 'V':
			e->severity = text;
			break;
		case 'C':
			e->sqlstate = text;
			break;
		case 'M':
			e->message = text;
			break;
		case 'D':
			e->detail = text;
			break;
		case 'H':
			e->hint = text;
			break;
		case 'R':
			e->routine = text;
			break;
		}
	}
	return p < end;
}

void wire_put_shifted_error(struct buf *b, const char *body, size_t len, unsigned shift)
{
	const char *p = body, *end = body + len, *text;
	size_t at = wire_begin(b, 'E');

	while (p < end && *p) {
		char code = *p++;

		text = wire_cstr(&p, end);
		if (!text)
			break;
		buf_put_u8(b, (uint8_t)code);
		if (code == 'P')
			buf_printf(b, "%lu", strtoul(text, NULL, 10) + shift);
		else
			buf_put_str(b, text);
		buf_put_u8(b, 0);
	}
	buf_put_u8(b, 0);
	wire_end(b, at);
}

uint64_t wire_tag_rows(const char *tag, size_t len)
{
	uint64_t rows = 0;
	size_t i = len;

	/* "SELECT 5", "INSERT 0 1": the digits at the end, behind a blank */
	while (i > 0 && tag[i - 1] == '\0')
		i--;
	len = i;
	while (i > 0 && tag[i - 1] >= '0' && tag[i - 1] <= '9')
		i--;
	if (i == len || i == 0 || tag[i - 1] != ' ' || len - i > 19)
		return 0;
	for (; i < len; i++)
		rows = rows * 10 + (uint64_t)(tag[i] - '0');
	return rows;
}
