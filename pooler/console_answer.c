/* SPDX-License-Identifier: ISC
 *
 * What the console answers with, as messages.  Rows are made in text format; whoever asked
 * for binary (asyncpg does, for every column) gets int4, int8 and numeric converted on the
 * way out; text is the same in both.  Pure.
 */
#include "console.h"

#include <arpa/inet.h>
#include <time.h>

/* --- rows ----------------------------------------------------------------------- */

struct row row_begin(struct buf *b)
{
	struct row r = {.b = b, .at = wire_begin(b, 'D')};

	buf_put_u16(b, 0);
	return r;
}

void row_textn(struct row *r, const char *s, size_t n)
{
	r->cells++;
	buf_put_u32(r->b, (uint32_t)n);
	buf_put(r->b, s, n);
}

void row_text(struct row *r, const char *s)
{
	if (s) {
		row_textn(r, s, strlen(s));
		return;
	}
	r->cells++;
	buf_put_u32(r->b, UINT32_MAX);
}

void row_int(struct row *r, int64_t v)
{
	char text[24];

	row_textn(r, text, (size_t)snprintf(text, sizeof text, "%lld", (long long)v));
}

void row_uint(struct row *r, uint64_t v)
{
	char text[24];

	row_textn(r, text, (size_t)snprintf(text, sizeof text, "%llu", (unsigned long long)v));
}

void row_time(struct row *r, usec_t wall)
{
	time_t seconds = (time_t)(wall / USEC_SEC);
	struct tm tm;
	char text[48];

	if (!wall || !gmtime_r(&seconds, &tm)) {
		row_text(r, NULL);
		return;
	}
	row_textn(r, text, strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", &tm));
}

void row_end(struct row *r)
{
	uint16_t n = htons((uint16_t)r->cells);

	memcpy(r->b->data + r->at, &n, sizeof n);
	wire_end(r->b, r->at);
}

/* --- columns ---------------------------------------------------------------------- */

/* Takes the next "name t" off *columns; its type letter, or 0 at the end. */
static char next_column(const char **columns, const char **name, size_t *len)
{
	const char *p = *columns, *space;

	while (*p == ',' || *p == ' ')
		p++;
	if (!*p)
		return 0;
	space = strchr(p, ' ');
	if (!space || !space[1])
		return 0;
	*name = p;
	*len = (size_t)(space - p);
	*columns = space + 2;
	return space[1];
}

unsigned columns_count(const char *columns)
{
	const char *name;
	unsigned n = 0;
	size_t len;

	while (columns && next_column(&columns, &name, &len))
		n++;
	return n;
}

struct type {
	char letter;
	uint32_t oid;
	int16_t size;
};

static const struct type *type_of(char letter)
{
	static const struct type types[] = {
		{'s', 25, -1},
		{'i', 23, 4},
		{'q', 20, 8},
		{'N', 1700, -1},
		{'b', 17, -1},
		{'T', 25, -1},
	};

	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		if (types[i].letter == letter)
			return &types[i];
	return &types[0];
}

static uint16_t format_of(const uint16_t *formats, unsigned n, unsigned column)
{
	return n == 0 ? 0 : n == 1 ? formats[0] : column < n ? formats[column] : 0;
}

void answer_put_description(struct buf *out, const char *columns, const uint16_t *formats,
	unsigned n)
{
	size_t at = wire_begin(out, 'T'), len;
	const char *name;
	unsigned i = 0;
	char letter;

	buf_put_u16(out, (uint16_t)columns_count(columns));
	while ((letter = next_column(&columns, &name, &len))) {
		const struct type *t = type_of(letter);

		buf_put(out, name, len);
		buf_put_u8(out, 0);
		buf_put_u32(out, 0); /* no table */
		buf_put_u16(out, 0);
		buf_put_u32(out, t->oid);
		buf_put_u16(out, (uint16_t)t->size);
		buf_put_u32(out, UINT32_MAX); /* no modifier */
		buf_put_u16(out, format_of(formats, n, i++));
	}
	wire_end(out, at);
}

/* --- binary -------------------------------------------------------------------------- */

/* PostgreSQL's binary numeric: digits of base 10000. */
static void put_numeric(struct buf *out, int64_t v)
{
	uint64_t u = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
	uint16_t digit[6];
	unsigned n = 0, skip = 0;

	for (; u; u /= 10000)
		digit[n++] = (uint16_t)(u % 10000);
	while (skip < n && digit[skip] == 0)
		skip++;
	buf_put_u32(out, 8 + 2 * (n - skip));
	buf_put_u16(out, (uint16_t)(n - skip));
	buf_put_u16(out, (uint16_t)(n ? n - 1 : 0)); /* weight of the first */
	buf_put_u16(out, v < 0 ? 0x4000 : 0);
	buf_put_u16(out, 0); /* scale */
	while (n > skip)
		buf_put_u16(out, digit[--n]);
}

static void put_binary(struct buf *out, char letter, const char *text, uint32_t len)
{
	char digits[32];
	long long v;

	if ((letter != 'i' && letter != 'q' && letter != 'N') || len >= sizeof digits) {
		buf_put_u32(out, len);
		buf_put(out, text, len);
		return;
	}
	memcpy(digits, text, len);
	digits[len] = '\0';
	v = strtoll(digits, NULL, 10);
	if (letter == 'N') {
		put_numeric(out, v);
		return;
	}
	buf_put_u32(out, letter == 'i' ? 4 : 8);
	if (letter == 'q')
		buf_put_u32(out, (uint32_t)((uint64_t)v >> 32));
	buf_put_u32(out, (uint32_t)v);
}

void answer_put_row(struct buf *out, const char *row, size_t size, const char *columns,
	const uint16_t *formats, unsigned n)
{
	const char *p = row + WIRE_HEADER + 2, *name;
	bool any = false;
	unsigned i = 0;
	size_t at, len;
	char letter;

	for (unsigned k = 0; k < n; k++)
		any |= formats[k] != 0;
	if (!any) {
		buf_put(out, row, size);
		return;
	}
	at = wire_begin(out, 'D');
	buf_put(out, row + WIRE_HEADER, 2);
	while (p < row + size && (letter = next_column(&columns, &name, &len))) {
		uint32_t bytes;

		memcpy(&bytes, p, sizeof bytes);
		bytes = ntohl(bytes);
		p += 4;
		if (bytes == UINT32_MAX) {
			buf_put_u32(out, bytes);
		} else if (format_of(formats, n, i)) {
			put_binary(out, letter, p, bytes);
			p += bytes;
		} else {
			buf_put_u32(out, bytes);
			buf_put(out, p, bytes);
			p += bytes;
		}
		i++;
	}
	wire_end(out, at);
}

void answer_release(struct answer *a)
{
	buf_free(&a->rows);
	buf_free(&a->notices);
	free(a->keep);
	free(a->message);
	free(a->detail);
	free(a->hint);
	memset(a, 0, sizeof *a);
}
