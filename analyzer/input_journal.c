/* SPDX-License-Identifier: ISC
 *
 * input_journal: `journalctl -o export`: blocks of KEY=VALUE lines, a blank line between them.
 *
 * Values that are not plain text are written in a binary form (KEY, newline, a 64-bit length,
 * the bytes): multi-line messages are.
 */
#include "input_formats.h"

bool journal_starts(const struct log_format *f, const char *line, size_t n)
{
	(void)f;
	return n > 9 && memcmp(line, "__CURSOR=", 9) == 0;
}

/* What the prefix is inferred from. */
bool journal_unwrap(struct arena *a, const char *line, size_t n, struct log_entry *e,
	struct str *inner)
{
	(void)a;
	(void)e;
	*inner = (struct str){line + 8, n > 8 ? n - 8 : 0};
	return n > 8 && memcmp(line, "MESSAGE=", 8) == 0;
}

static uint64_t little_endian(const char *p)
{
	uint64_t v = 0;

	for (int i = 7; i >= 0; i--)
		v = v << 8 | (unsigned char)p[i];
	return v;
}

static void field(struct log_entry *e, struct str key, struct str value, struct str *message)
{
	int64_t v = 0;

	if (str_is(key, "MESSAGE"))
		*message = value;
	else if (str_is(key, "_PID") && str_to_i64(value, &v))
		e->pid = (int32_t)v;
	else if (str_is(key, "__REALTIME_TIMESTAMP") && str_to_i64(value, &v))
		e->ts = v;
}

/* One field at p; returns where the next begins. */
static char *next_field(char *p, char *end, struct str *key, struct str *value)
{
	char *nl = memchr(p, '\n', (size_t)(end - p)), *eq;

	nl = nl ? nl : end;
	eq = memchr(p, '=', (size_t)(nl - p));
	if (eq) {
		*key = (struct str){p, (size_t)(eq - p)};
		*value = (struct str){eq + 1, (size_t)(nl - eq - 1)};
		return nl < end ? nl + 1 : end;
	}
	*key = (struct str){p, (size_t)(nl - p)};
	*value = STR_NONE;
	if (end - nl < 9 || nl == p)
		return nl < end ? nl + 1 : end;
	uint64_t n = little_endian(nl + 1);
	if (n > (uint64_t)(end - nl - 9))
		return nl + 1;
	*value = (struct str){nl + 9, (size_t)n};
	return nl + 9 + n < end ? nl + 10 + n : end;
}

static void block(const struct log_format *f, struct chunk *c, char *p, char *end, uint64_t line)
{
	struct log_entry *e = chunk_entry(c, line, (size_t)(end - p));
	struct str key, value, message = STR_NONE;

	while (p < end) {
		p = next_field(p, end, &key, &value);
		field(e, key, value, &message);
	}
	e->raw = message;
	if (message.n && message.p[0] == '\t') { /* a server that writes to the journal's pipe */
		e->piece = 2;
		e->class = LOG_CONTINUATION;
	} else if (message.n) {
		int32_t pid = e->pid;
		wrap_text(f, e, message);
		e->pid = pid; /* its pieces are found by the journal's, not by the prefix's */
	}
}

void journal_parse(const struct log_format *f, struct chunk *c)
{
	char *p = c->p, *end = c->p + c->n, *from = NULL;
	uint64_t line = c->line, first = line;

	while (p < end) {
		char *nl = memchr(p, '\n', (size_t)(end - p));
		char *next = nl ? nl + 1 : end;
		if (journal_starts(f, p, (size_t)(next - p))) {
			if (from)
				block(f, c, from, p, first);
			from = p;
			first = line;
		} else if (!from) {
			chunk_orphan(c, line, (size_t)(next - p));
		}
		p = next;
		line++;
	}
	if (from)
		block(f, c, from, end, first);
	c->lines = line - c->line;
}

int journal_score(const char *p, size_t n)
{
	return journal_starts(NULL, p, n) ? 97 : 0;
}
