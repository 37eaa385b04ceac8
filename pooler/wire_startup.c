/* SPDX-License-Identifier: ISC
 *
 * The first packets, parsed.  Every length is compared before anything is added to it; a
 * packet's end is where its own length says, never where the buffer ends.
 */
#include "wire_startup.h"

#include <strings.h>

#define CODE_CANCEL  80877102u
#define CODE_SSL     80877103u
#define CODE_GSSENC  80877104u

#define NAME_MAX_LEN 63 /* of user and database: NAMEDATALEN - 1; longer ones cannot exist */

static uint32_t u32_at(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static enum startup_kind bad(struct startup *out, const char *error)
{
	out->error = error;
	return STARTUP_BAD;
}

/* name NUL value NUL … NUL: the last NUL stands alone and is the packet's last byte. */
static enum startup_kind parse_params(const uint8_t *p, size_t len, struct startup *out)
{
	size_t pos = 0;

	out->params = (const char *)p;
	while (pos < len && p[pos] != '\0') {
		const uint8_t *name = p + pos;
		const uint8_t *nul = memchr(name, '\0', len - pos);
		size_t value_at;

		if (!nul)
			return bad(out,
				"invalid startup packet layout: expected terminator as last byte");
		value_at = (size_t)(nul - p) + 1;
		if (value_at >= len || !(nul = memchr(p + value_at, '\0', len - value_at)))
			return bad(out,
				"invalid startup packet layout: expected terminator as last byte");
		if (strncmp((const char *)name, "_pq_.", 5) == 0)
			out->pq_options++;
		pos = (size_t)(nul - p) + 1;
	}
	if (pos + 1 != len)
		return bad(out, "invalid startup packet layout: expected terminator as last byte");
	out->params_len = pos;
	return STARTUP_SESSION;
}

static enum startup_kind parse_cancel(const uint8_t *p, size_t len, struct startup *out)
{
	if (len < 16 || len - 12 > STARTUP_CANCEL_KEY_MAX)
		return bad(out, "invalid length of cancel request packet");
	out->cancel_pid = u32_at(p + 8);
	out->cancel_key = p + 12;
	out->cancel_key_len = len - 12;
	return STARTUP_CANCEL;
}

enum startup_kind startup_parse(const void *data, size_t len, struct startup *out)
{
	const uint8_t *p = data;
	uint32_t size, code;

	memset(out, 0, sizeof *out);
	if (len == 0)
		return STARTUP_MORE;
	/* A TLS handshake record: as a length it would be 360 MB, which no startup packet has. */
	if (p[0] == 0x16)
		return STARTUP_TLS;
	/* As soon as a byte of the length is too large, waiting for more cannot help. */
	if (p[0] != 0 || (len > 1 && p[1] != 0))
		return bad(out, "invalid length of startup packet");
	if (len < 4)
		return STARTUP_MORE;
	size = u32_at(p);
	if (size < 8 || size > STARTUP_MAX)
		return bad(out, "invalid length of startup packet");
	if (len < size)
		return STARTUP_MORE;
	out->used = size;
	code = u32_at(p + 4);
	switch (code) {
	case CODE_SSL:
		return size == 8 ? STARTUP_SSL : bad(out, "invalid length of SSL request packet");
	case CODE_GSSENC:
		return size == 8 ? STARTUP_GSSENC
				 : bad(out, "invalid length of GSS request packet");
	case CODE_CANCEL:
		return parse_cancel(p, size, out);
	default:
		break;
	}
	if (code >> 16 != 3)
		return bad(out, code >> 16 == 2 ? "old V2 protocol not supported"
						: "unsupported frontend protocol");
	out->minor = code & 0xffff;
	return parse_params(p + 8, size - 8, out);
}

bool params_next(const char *block, size_t len, size_t *pos, const char **name, const char **value)
{
	if (*pos >= len)
		return false;
	*name = block + *pos;
	*value = *name + strlen(*name) + 1;
	*pos = (size_t)(*value - block) + strlen(*value) + 1;
	return true;
}

const char *params_get(const char *block, size_t len, const char *name)
{
	const char *found = NULL, *n, *v;

	/* The last one counts, as in PostgreSQL. */
	for (size_t pos = 0; params_next(block, len, &pos, &n, &v);)
		if (strcasecmp(n, name) == 0)
			found = v;
	return found;
}

void startup_put_negotiation(struct buf *out, const struct startup *s)
{
	const char *n, *v;
	size_t at;
	uint32_t total;

	if (s->minor == 0 && s->pq_options == 0)
		return;
	buf_put_u8(out, 'v');
	at = out->len;
	buf_put_u32(out, 0);
	buf_put_u32(out, 3u << 16); /* 3.0 is what we speak */
	buf_put_u32(out, s->pq_options);
	for (size_t pos = 0; params_next(s->params, s->params_len, &pos, &n, &v);)
		if (strncmp(n, "_pq_.", 5) == 0)
			buf_put_cstr(out, n);
	total = (uint32_t)(out->len - at);
	for (int i = 0; i < 4; i++)
		out->data[at + (size_t)i] = (char)(total >> (24 - 8 * i));
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v';
}

/* One word: white space ends it, a backslash takes the next byte as it is. */
static void option_word(const char **text, struct buf *word)
{
	const char *p = *text;

	word->len = 0;
	while (is_space(*p))
		p++;
	for (; *p && !is_space(*p); p++) {
		if (*p == '\\' && p[1])
			p++;
		buf_put_u8(word, (uint8_t)*p);
	}
	*text = p;
}

int startup_option_next(const char **text, struct buf *name, struct buf *value)
{
	const char *setting, *eq;

	value->len = 0;
	option_word(text, name);
	if (name->len == 0)
		return 0;
	setting = buf_cstr(name);
	if (strncmp(setting, "--", 2) == 0) {
		setting += 2;
	} else if (strncmp(setting, "-c", 2) == 0) {
		if (setting[2] == '\0') {
			option_word(text, name);
			setting = buf_cstr(name);
		} else {
			setting += 2;
		}
	} else {
		return -1;
	}
	eq = strchr(setting, '=');
	if (!eq || eq == setting)
		return -1;
	buf_put_str(value, eq + 1);
	buf_cstr(value);
	name->len = (size_t)(eq - name->data);
	buf_drop_front(name, (size_t)(setting - name->data));
	buf_cstr(name);
	for (char *c = name->data; *c; c++) /* --search-path=x is search_path */
		if (*c == '-')
			*c = '_';
	return 1;
}
