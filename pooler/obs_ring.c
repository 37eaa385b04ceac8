/* SPDX-License-Identifier: ISC
 *
 * The worker's side of the query log: a ring of bytes with one producer and one consumer.
 *
 *   0 ..... tail ===== head ..... size        (both modulo size)
 *
 * `head` is what was ever put in, `tail` what was ever taken out; head - tail <= size
 * always.  A record lies in one piece: what does not fit before the end of the memory is
 * preceded by a record of kind PAD.  A full ring drops the statement and counts it.
 *
 * Sessions end through the ring too, behind their last statement, so that nobody needs a
 * reference count; one that finds the ring full waits on the ring's list.
 */
#include "obs_inner.h"

/* --- the ring ------------------------------------------------------------- */

const struct qlog_gate *qlog_gate(const struct qlog_ring *r)
{
	return r->gate;
}

/* Room for n bytes (a multiple of 8) in one piece, NULL when there is none now. */
static struct record *ring_room(struct qlog_ring *r, size_t n)
{
	size_t at = r->head & (r->size - 1), to_end = r->size - at;
	size_t need = n <= to_end ? n : to_end + n;

	if (r->size - (size_t)(r->head - r->tail_seen) < need) {
		r->tail_seen = __atomic_load_n(&r->tail, __ATOMIC_ACQUIRE);
		if (r->size - (size_t)(r->head - r->tail_seen) < need)
			return NULL;
	}
	if (n > to_end) {
		struct record *pad = (struct record *)(void *)(r->data + at);
		pad->size = (uint32_t)to_end;
		pad->kind = RECORD_PAD;
		/* The writer may see it at once: it only skips it. */
		__atomic_store_n(&r->head, r->head + to_end, __ATOMIC_RELEASE);
		at = 0;
	}
	return (struct record *)(void *)(r->data + at);
}

static void ring_commit(struct qlog_ring *r, const struct record *rec)
{
	__atomic_store_n(&r->head, r->head + rec->size, __ATOMIC_RELEASE);
}

static size_t round_up(size_t n)
{
	return (n + 7) & ~(size_t)7;
}

/* Tries to put the end of a session into the ring. */
static bool retire(struct qlog_ring *r, struct qlog_session *s)
{
	struct record *rec = ring_room(r, round_up(sizeof *rec));

	if (!rec)
		return false;
	rec->size = (uint32_t)round_up(sizeof *rec);
	rec->kind = RECORD_RETIRE;
	rec->s.session = s;
	ring_commit(r, rec);
	return true;
}

static void retire_waiting(struct qlog_ring *r)
{
	while (r->retired) {
		struct qlog_session *s = r->retired;
		struct qlog_session *next = s->next; /* the writer may free s at once */
		if (!retire(r, s))
			return;
		r->retired = next;
	}
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

static char *put_piece(char *at, const void *p, size_t n)
{
	if (n)
		memcpy(at, p, n);
	return at + n;
}

bool qlog_record(struct qlog_ring *r, const struct qlog_statement *s)
{
	/* No record is larger than a quarter of the ring: what is longer is cut. */
	size_t max_text = (size_t)__atomic_load_n(&r->gate->max_text, __ATOMIC_RELAXED);
	size_t max = r->size / 4, piece = (max - sizeof(struct record)) / 4;
	size_t text_max = max_text && max_text < piece ? max_text : piece;
	size_t name = s->name ? least(strlen(s->name), 255) : 0,
	       tag = s->tag ? least(strlen(s->tag), 63) : 0;
	size_t text = utf8_clip(s->text, s->text_len, text_max), bind = least(s->bind_len, piece);
	size_t types = least(s->type_count, piece / 4 / sizeof *s->types);
	size_t error = least(s->error_len, piece / 4);
	uint64_t number = s->session->lines + 1;
	struct record *rec;
	size_t size;
	char *at;

	size = round_up(sizeof *rec + types * sizeof *s->types + name + 1 + tag + 1 + text + bind +
			error);
	if (UNLIKELY(r->retired != NULL))
		retire_waiting(r);
	s->session->lines = number;
	rec = ring_room(r, size);
	if (UNLIKELY(!rec)) {
		stats_add(&r->dropped, 1);
		return false;
	}
	rec->size = (uint32_t)size;
	rec->kind = RECORD_STATEMENT;
	rec->number = number;
	rec->name_len = (uint32_t)name;
	rec->tag_len = (uint32_t)tag;
	rec->text_len = (uint32_t)text;
	rec->bind_len = (uint32_t)bind;
	rec->type_count = (uint32_t)types;
	rec->error_len = (uint32_t)error;
	rec->has_name = s->name != NULL;
	rec->has_tag = s->tag != NULL;
	rec->has_bind = s->bind != NULL;
	rec->has_error = s->error != NULL;
	rec->s = *s;
	rec->s.text_truncated |= text < s->text_len;
	at = put_piece((char *)(rec + 1), s->types, types * sizeof *s->types);
	at = put_piece(at, s->name, name);
	*at++ = '\0';
	at = put_piece(at, s->tag, tag);
	*at++ = '\0';
	at = put_piece(at, s->text, text);
	at = put_piece(at, s->bind, bind);
	put_piece(at, s->error, error);
	ring_commit(r, rec);
	return true;
}

/* --- sessions ------------------------------------------------------------- */

struct qlog_session *qlog_session_new(const struct qlog_session_info *i)
{
	const char *text[4] = {i->user ? i->user : "", i->dbname ? i->dbname : "",
		i->application_name ? i->application_name : "",
		i->remote_host ? i->remote_host : "[local]"};
	const char **to[4];
	size_t size = 0;
	struct qlog_session *s;
	char *at;

	for (int k = 0; k < 4; k++)
		size += strlen(text[k]) + 1;
	s = mem_zalloc(sizeof *s + size);
	s->number = i->number;
	s->pid = i->pid;
	s->remote_port = i->remote_host ? i->remote_port : 0;
	s->start = i->start;
	to[0] = &s->user;
	to[1] = &s->dbname;
	to[2] = &s->application_name;
	to[3] = &s->remote_host;
	at = s->strings;
	for (int k = 0; k < 4; k++) {
		*to[k] = at;
		at = put_piece(at, text[k], strlen(text[k]) + 1);
	}
	return s;
}

void session_drop(struct qlog_session *s)
{
	free(s->head);
	free(s->mid);
	free(s->tail);
	free(s);
}

void qlog_session_release(struct qlog_ring *r, struct qlog_session **s)
{
	if (!*s)
		return;
	retire_waiting(r);
	if (r->retired || !retire(r, *s)) {
		(*s)->next = r->retired;
		r->retired = *s;
	}
	*s = NULL;
}

void qlog_session_rename(struct qlog_ring *r, struct qlog_session **s, const char *app)
{
	const struct qlog_session *old = *s;
	struct qlog_session_info i = {.user = old->user,
		.dbname = old->dbname,
		.application_name = app,
		.remote_host = strcmp(old->remote_host, "[local]") == 0 ? NULL : old->remote_host,
		.remote_port = old->remote_port,
		.pid = old->pid,
		.start = old->start,
		.number = old->number};
	struct qlog_session *new = qlog_session_new(&i);

	new->lines = old->lines;
	qlog_session_release(r, s);
	*s = new;
}
