/* SPDX-License-Identifier: ISC
 *
 * input_join: messages that came in pieces (syslog cuts at 1 kB and at line ends), put together.
 *
 * A message is complete when the same process begins the next one, or at the end.  What comes
 * out depends on the order of the lines alone, not on where chunks were cut.
 */
#include "input_formats.h"

struct message {
	struct log_entry head;
	struct text text;
	struct text who; /* the head's texts, one after the other */
	bool open, whole;
};

struct join {
	const struct input_sink *sink;
	struct map of; /* pid -> index */
	VEC(struct message *) message;
	struct chunk out;
};

struct join *join_new(const struct input_sink *sink)
{
	struct join *j = mem_zalloc(sizeof(*j));

	j->sink = sink;
	return j;
}

/* A message that syslog was given whole (syslog_split_messages = off): "#012#011" is a new line. */
static void whole_lines(struct text *t)
{
	char *to = t->p, *end = t->p + t->n;

	for (char *p = t->p; p < end; p++) {
		bool is_line = *p == '#' && end - p >= 8 && memcmp(p, "#012#011", 8) == 0;
		*to++ = is_line ? '\n' : *p;
		p += is_line ? 7 : 0;
	}
	t->n = (size_t)(to - t->p);
}

static void emit(struct join *j, const struct log_format *f, struct message *m)
{
	struct log_entry *e = VEC_PUSH(&j->out.entry);

	whole_lines(&m->text);
	struct str text = arena_str(&j->out.arena, text_slice(&m->text));

	*e = m->head;
	e->raw = STR_NONE;
	e->user = e->db = e->app = e->host = e->vxid = e->sqlstate = STR_NONE;
	e->severity = SEV_NONE;
	e->class = LOG_NOT_UNDERSTOOD;
	wrap_text(f, e, text);
	message_translate(&j->out.arena, e);
	m->open = false;
}

/* syslog escapes the tab PostgreSQL puts in front of a continuing line. */
static struct str plain_piece(struct str raw, bool *new_line)
{
	*new_line = str_starts(raw, "#011");
	if (*new_line)
		return str_skip(raw, 4);
	*new_line = raw.n && raw.p[0] == '\t';
	return *new_line ? str_skip(raw, 1) : raw;
}

static struct message *message_of(struct join *j, uint64_t pid)
{
	uint32_t *at = map_put(&j->of, pid);

	if (*at == MAP_NONE) {
		*at = (uint32_t)j->message.n;
		*VEC_PUSH(&j->message) = mem_zalloc(sizeof(struct message));
	}
	return j->message.at[*at];
}

static void begin(struct join *j)
{
	j->out.entry.n = 0;
	arena_reset(&j->out.arena);
}

static struct chunk *deliver(struct join *j)
{
	if (j->out.entry.n)
		j->sink->prepare(j->sink->ctx, &j->out);
	return &j->out;
}

struct chunk *join_chunk(struct join *j, const struct log_format *f, struct chunk *c)
{
	begin(j);
	for (size_t i = 0; i < c->entry.n; i++) {
		struct log_entry *e = &c->entry.at[i];
		bool new_line;
		if (!e->raw.p)
			continue;
		struct message *m = message_of(j, (uint64_t)(uint32_t)e->pid);
		struct str piece = plain_piece(e->raw, &new_line);
		if (e->piece > 1) {
			if (!m->open)
				continue; /* its beginning is not in the log */
			if (new_line)
				text_char(&m->text, '\n');
			text_str(&m->text, piece);
			continue;
		}
		if (m->open)
			emit(j, f, m);
		m->open = true;
		m->head = *e;
		text_clear(&m->text);
		text_str(&m->text, e->raw);
	}
	return deliver(j);
}

struct chunk *join_flush(struct join *j, const struct log_format *f)
{
	begin(j);
	for (size_t i = 0; i < j->message.n; i++)
		if (j->message.at[i]->open)
			emit(j, f, j->message.at[i]);
	return deliver(j);
}

void join_free(struct join **pj)
{
	struct join *j = *pj;

	if (!j)
		return;
	for (size_t i = 0; i < j->message.n; i++) {
		text_release(&j->message.at[i]->text);
		free(j->message.at[i]);
	}
	VEC_RELEASE(&j->message);
	VEC_RELEASE(&j->out.entry);
	map_release(&j->of);
	arena_release(&j->out.arena);
	free(j);
	*pj = NULL;
}
