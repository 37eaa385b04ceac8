/* SPDX-License-Identifier: ISC
 *
 * input_stderr: the plain log: a prefix, a severity, a text; lines that continue it follow.
 *
 * PostgreSQL puts a tab in front of every continuing line.  An entry of several lines is made
 * one text again by closing the gaps in place: the chunk is ours.
 */
#include "input_formats.h"

/* A byte order mark, and the zeros that a crash of the machine leaves in a file. */
static size_t junk(const char *line, size_t n)
{
	size_t i = n >= 3 && memcmp(line, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;

	while (i < n && line[i] == '\0')
		i++;
	return i;
}

/* A line of another program that writes into the same log (Patroni): PostgreSQL puts a tab in
 * front of what continues an entry, and never a time. */
static bool is_foreign(const char *line, size_t n)
{
	int64_t ts;

	return n > 19 && line[0] >= '0' && line[0] <= '9' && time_parse(line, n, &ts) > 0;
}

/* Or the server's under another prefix?  It puts two blanks behind the severity. */
static bool is_servers(const char *line, size_t n)
{
	enum log_severity severity;
	enum log_part part;
	size_t at;

	return severity_at(line, n, &at) &&
	       line[at + message_severity(line + at, n - at, &severity, &part) - 2] == ' ';
}

bool stderr_starts(const struct log_format *f, const char *line, size_t n)
{
	struct log_entry e;

	if (n == 0 || line[0] == '\t')
		return false;
	memset(&e, 0, sizeof(e));
	size_t at = junk(line, n);
	return prefix_match(f->prefix, line + at, n - at, &e) >= 0 || is_foreign(line, n);
}

/* Where the text of a DETAIL and the like goes, when it stands in an entry of its own. */
void entry_part(struct log_entry *e, struct str text)
{
	switch (e->part) {
	case PART_MESSAGE:
		e->message = text;
		message_classify(e);
		return;
	case PART_DETAIL:
		e->detail = text;
		break;
	case PART_HINT:
		e->hint = text;
		break;
	case PART_CONTEXT:
		e->context = text;
		break;
	case PART_STATEMENT:
		e->query = text;
		e->sql = text;
		break;
	case PART_QUERY:
		e->internal = text;
		break;
	case PART_LOCATION:
	case PART_BACKTRACE:
		break;
	}
	e->class = LOG_DETAIL;
	e->usec = -1;
}

void entry_session(struct log_entry *e)
{
	if (!e->session && e->pid)
		e->session = (uint64_t)(uint32_t)e->pid * 0x9e3779b97f4a7c15ULL | 1;
}

/* Bytes no entry begins with: the head of a file, or a file cut in the middle. */
struct log_entry *chunk_entry(struct chunk *c, uint64_t line, size_t bytes)
{
	struct log_entry *e = VEC_PUSH(&c->entry);

	memset(e, 0, sizeof(*e));
	e->line = line;
	e->file = c->file;
	e->bytes = (uint32_t)bytes;
	e->usec = -1;
	return e;
}

void chunk_orphan(struct chunk *c, uint64_t line, size_t bytes)
{
	chunk_entry(c, line, bytes)->class = LOG_NOT_UNDERSTOOD;
}

/* Appends a continuing line to the text that ends at *tail. */
static void continue_text(char **tail, const char *line, size_t n)
{
	if (n > 0 && line[0] == '\t') {
		line++;
		n--;
	}
	*(*tail)++ = '\n';
	memmove(*tail, line, n);
	*tail += n;
}

/* The entry that begins with this line becomes the chunk's last one; returns where its text is.
 * -1: none does. */
static int begin_entry(const struct log_format *f, struct chunk *c, const char *line, size_t n)
{
	struct log_entry *e;
	int text;

	if (n == 0 || line[0] == '\t')
		return -1;
	VEC_ROOM(&c->entry, c->entry.n + 1);
	e = &c->entry.at[c->entry.n];
	memset(e, 0, sizeof(*e));
	size_t at = junk(line, n);
	text = prefix_match(f->prefix, line + at, n - at, e);
	c->entry.n += text >= 0;
	return text < 0 ? -1 : (int)at + text;
}

void stderr_parse(const struct log_format *f, struct chunk *c)
{
	char *p = c->p, *end = c->p + c->n, *text = NULL, *tail = NULL, *nl, *next;
	uint64_t line = c->line;

	/* `text` up to `tail` is the last entry's, which is open; NULL: there is none yet. */
	for (; p < end; p = next, line++) {
		nl = memchr(p, '\n', (size_t)(end - p));
		next = nl ? nl + 1 : end;
		size_t n = (size_t)((nl ? nl : end) - p);
		if (n > 0 && p[n - 1] == '\r')
			n--;
		int len = begin_entry(f, c, p, n);
		if (len < 0 && is_foreign(p, n)) {
			if (text)
				entry_part(&c->entry.at[c->entry.n - 1],
					(struct str){text, (size_t)(tail - text)});
			text = NULL;
			chunk_orphan(c, line, (size_t)(next - p));
			if (!is_servers(p, n))
				c->entry.at[c->entry.n - 1].class = LOG_OTHER;
			continue;
		}
		if (len < 0 && !text) {
			chunk_orphan(c, line, (size_t)(next - p));
			continue;
		}
		struct log_entry *last = &c->entry.at[c->entry.n - 1];
		if (len < 0) {
			last->cont += (uint32_t)(next - p);
			continue_text(&tail, p, n);
			continue;
		}
		if (text)
			entry_part(last - 1, (struct str){text, (size_t)(tail - text)});
		last->line = line;
		last->file = c->file;
		last->bytes = (uint32_t)(next - p);
		entry_session(last);
		text = p + len;
		tail = p + n;
	}
	if (text)
		entry_part(&c->entry.at[c->entry.n - 1], (struct str){text, (size_t)(tail - text)});
	c->lines = line - c->line;
}

int stderr_score(const char *p, size_t n)
{
	int fit = 0;
	struct log_prefix *prefix = prefix_infer(p, n, &fit);

	prefix_free(&prefix);
	return fit > 60 ? 60 : fit; /* any other format that fits goes first */
}
