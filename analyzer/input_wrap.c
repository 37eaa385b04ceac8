/* SPDX-License-Identifier: ISC
 *
 * input_wrap: a server's line inside a line of somebody else's log (syslog, logplex, a cloud's
 * JSON).  What is around it gives the time and the process; what is inside is the plain format,
 * whose log_line_prefix is inferred from the unwrapped lines.
 */
#include "input_formats.h"

/* `[5-2]` in front of the text: message 5, piece 2. */
static struct str strip_number(struct log_entry *e, struct str t)
{
	size_t i = 1;
	uint64_t seq = 0, piece = 0;

	if (t.n < 5 || t.p[0] != '[')
		return t;
	for (; i < t.n && isdigit((unsigned char)t.p[i]); i++)
		seq = seq * 10 + (uint64_t)(t.p[i] - '0');
	if (i == 1 || i >= t.n || t.p[i] != '-')
		return t;
	size_t from = ++i;
	for (; i < t.n && isdigit((unsigned char)t.p[i]); i++)
		piece = piece * 10 + (uint64_t)(t.p[i] - '0');
	if (i == from || i >= t.n || t.p[i] != ']')
		return t;
	e->piece = (uint32_t)piece;
	e->line_num = (int64_t)seq;
	t = str_skip(t, i + 1);
	return t.n && t.p[0] == ' ' ? str_skip(t, 1) : t;
}

void wrap_text(const struct log_format *f, struct log_entry *e, struct str text)
{
	struct log_entry inner = *e;
	size_t at;
	int len = f->prefix ? prefix_match(f->prefix, text.p, text.n, &inner) : -1;

	if (len >= 0) {
		if (!inner.ts)
			inner.ts = e->ts;
		*e = inner;
		entry_session(e);
		entry_part(e, str_skip(text, (size_t)len));
	} else if (text.n && severity_at(text.p, text.n, &at)) {
		size_t skip = message_severity(text.p + at, text.n - at, &e->severity, &e->part);
		entry_session(e);
		entry_part(e, str_skip(text, at + skip));
	} else {
		e->class = LOG_NOT_UNDERSTOOD;
	}
}

bool wrap_starts(const struct log_format *f, const char *line, size_t n)
{
	struct arena scratch = {0};
	struct log_entry e;
	struct str inner;

	memset(&e, 0, sizeof(e));
	bool ok = f->unwrap(&scratch, line, n, &e, &inner);
	arena_release(&scratch);
	return ok;
}

void wrap_parse(const struct log_format *f, struct chunk *c)
{
	char *p = c->p, *end = c->p + c->n, *nl, *next;
	uint64_t line = c->line;

	for (; p < end; p = next, line++) {
		struct str inner;
		nl = memchr(p, '\n', (size_t)(end - p));
		next = nl ? nl + 1 : end;
		size_t n = (size_t)((nl ? nl : end) - p);
		n -= n > 0 && p[n - 1] == '\r';
		struct log_entry *e = chunk_entry(c, line, (size_t)(next - p));
		if (!f->unwrap(&c->arena, p, n, e, &inner)) {
			e->class = syslog_has_header(p, n) ? LOG_OTHER : LOG_NOT_UNDERSTOOD;
			continue;
		}
		if (e->class == LOG_OTHER)
			continue; /* a known line of the wrapping log's own */
		if (f->pieces) {
			inner = strip_number(e, inner);
			e->raw = inner;
			if (e->piece > 1) {
				entry_session(e);
				e->class = LOG_CONTINUATION;
				continue;
			}
		} else {
			inner = strip_number(e, inner);
		}
		wrap_text(f, e, inner);
		if (e->class == LOG_NOT_UNDERSTOOD && f->pieces && e->line_num == 0)
			e->class = LOG_OTHER; /* another program's */
	}
	c->lines = line - c->line;
}
