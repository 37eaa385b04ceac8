/* SPDX-License-Identifier: ISC
 *
 * A Bind message's parameters as PostgreSQL logs them: $1 = '42', $2 = NULL.
 *
 *   portal\0 statement\0  int16 formats, int16[]  int16 parameters, {int32 length, bytes}[]
 *
 * Values in text format are quoted as they are; binary ones go through obs_value.c and,
 * when their type is not known, are shown like a bytea: '\x0102'.  The message comes from
 * a client and is not trusted: every length is checked against what is there.
 */
#include "obs_inner.h"

struct reader {
	const unsigned char *p, *end;
};

static bool read_u16(struct reader *r, uint32_t *v)
{
	if (r->end - r->p < 2)
		return false;
	*v = (uint32_t)r->p[0] << 8 | r->p[1];
	r->p += 2;
	return true;
}

static bool read_u32(struct reader *r, uint32_t *v)
{
	if (r->end - r->p < 4)
		return false;
	*v = (uint32_t)r->p[0] << 24 | (uint32_t)r->p[1] << 16 | (uint32_t)r->p[2] << 8 | r->p[3];
	r->p += 4;
	return true;
}

static bool skip_string(struct reader *r)
{
	const unsigned char *z = memchr(r->p, 0, (size_t)(r->end - r->p));

	if (!z)
		return false;
	r->p = z + 1;
	return true;
}

/* 'value' with its quotes doubled; a value that was clipped ends in … as PostgreSQL's do. */
static void put_quoted(struct buf *out, const char *s, size_t len, bool clipped)
{
	const char *end = s + len;

	put_lit(out, "'");
	while (s < end) {
		const char *q = memchr(s, '\'', (size_t)(end - s));
		if (!q) {
			put_raw(out, s, (size_t)(end - s));
			break;
		}
		put_raw(out, s, (size_t)(q + 1 - s));
		put_lit(out, "'");
		s = q + 1;
	}
	if (clipped)
		put_lit(out, "...");
	put_lit(out, "'");
}

/* '#0123456789abcdef': tells which values are equal and nothing else of them. */
static void put_hash(struct buf *out, const void *value, size_t len)
{
	buf_printf(out, "'#%016llx'", (unsigned long long)hash_keyed(value, len));
}

static void put_value(struct line *l, struct buf *out, uint32_t oid, bool binary, const char *v,
	size_t len)
{
	size_t max = l->o.max_text ? l->o.max_text : len, n;
	struct buf *text = &l->value;

	text->len = 0;
	if (binary && !param_text(text, oid, v, len))
		param_hex(text, v, len > max ? max : len); /* twice as long: clipped below */
	if (binary) {
		v = text->data;
		len = text->len;
	}
	if (l->o.parameters == QLOG_PARAMETERS_HASH) {
		put_hash(out, v, len);
		return;
	}
	n = l->o.max_text ? utf8_clip(v, len, max) : len;
	if (UNLIKELY(mask_wants(v, n))) {
		struct buf masked = {0};
		mask_put(&masked, v, n, true);
		put_quoted(out, masked.data, masked.len, n < len);
		buf_free(&masked);
	} else {
		put_quoted(out, v, n, n < len);
	}
}

bool param_put(struct line *l, struct buf *out, const void *bind, size_t len, const uint32_t *types,
	size_t type_count)
{
	struct reader r = {bind, (const unsigned char *)bind + len};
	const unsigned char *formats;
	uint32_t format_count, count;

	if (!skip_string(&r) || !skip_string(&r) || !read_u16(&r, &format_count))
		return false;
	formats = r.p;
	if ((size_t)(r.end - r.p) < 2 * (size_t)format_count)
		return false;
	r.p += 2 * (size_t)format_count;
	if (!read_u16(&r, &count))
		return false;
	for (uint32_t i = 0; i < count; i++) {
		uint32_t size, f = format_count == 1 ? 0 : i;
		bool binary = f < format_count && formats[2 * f + 1] == 1;

		if (!read_u32(&r, &size) || (size != UINT32_MAX && (size_t)(r.end - r.p) < size))
			return false;
		if (i)
			put_lit(out, ", ");
		put_lit(out, "$");
		put_u64(out, i + 1);
		put_lit(out, " = ");
		if (size == UINT32_MAX) {
			put_lit(out, "NULL");
			continue;
		}
		put_value(l, out, i < type_count ? types[i] : 0, binary, (const char *)r.p, size);
		r.p += size;
	}
	return true;
}
