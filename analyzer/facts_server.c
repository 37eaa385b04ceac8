/* SPDX-License-Identifier: ISC
 *
 * facts_server: what a log says besides statements: errors, connections, checkpoints,
 * autovacuum, lock waits, temporary files.
 *
 * A note that belongs to a statement (an error, a wait, a file) is given to the statement's
 * shape when the session's next message closes it: the STATEMENT line comes after it.
 */
#include "facts_build.h"

#include <ctype.h>

/* The message with numbers and quoted parts taken out, so that equal faults count together. */
static struct str fault_text(struct arena *a, struct str m)
{
	size_t n = m.n < 300 ? m.n : 300, to = 0;
	char *out = arena_alloc(a, 2 * n + 8);

	for (size_t i = 0; i < n && m.p[i] != '\n'; i++) {
		char c = m.p[i];
		if (c == '"' || c == '\'') {
			const char *e = memchr(m.p + i + 1, c, m.n - i - 1);
			out[to++] = c;
			if (e) {
				out[to++] = '?';
				out[to++] = c;
				i = (size_t)(e - m.p);
			}
		} else if (isdigit((unsigned char)c) &&
			   (to == 0 || !isalpha((unsigned char)out[to - 1]))) {
			if (to == 0 || out[to - 1] != '?')
				out[to++] = '?';
		} else {
			out[to++] = c;
		}
	}
	out[to] = '\0';
	return (struct str){out, to};
}

static void note_fault(struct facts *f, struct session *s, struct log_entry *e)
{
	struct arena scratch = {0};
	struct str text = fault_text(&scratch, e->message);
	uint64_t key = sql_hash_bytes(text.p, text.n, str_hash(e->sqlstate) + e->severity);
	uint32_t *at = map_put(&f->fault_of, key);

	if (*at == MAP_NONE) {
		*at = (uint32_t)f->fault.n;
		struct fault *x = VEC_PUSH(&f->fault);
		memset(x, 0, sizeof(*x));
		if (e->sqlstate.n == 5)
			memcpy(x->state, e->sqlstate.p, 5);
		x->text = arena_str(&f->arena, text);
		x->severity = e->severity;
		x->shape = NO_SHAPE;
		x->at = (struct place){e->file, e->line};
		x->first_ts = e->ts;
	}
	struct fault *x = &f->fault.at[*at];
	x->count++;
	x->last_ts = e->ts;
	s->open.fault = *at;
	facts_minute(f, e->ts)->errors++;
	if (s->user)
		facts_group(f, GROUP_USER, s->user)->errors++;
	if (s->db)
		facts_group(f, GROUP_DB, s->db)->errors++;
	if (s->app)
		facts_group(f, GROUP_APP, s->app)->errors++;
	if (str_is(e->sqlstate, "57014") || str_starts(e->message, "canceling statement"))
		f->server.cancels++;
	if (str_is(e->sqlstate, "40P01") || str_starts(e->message, "deadlock detected"))
		f->server.deadlocks++;
	arena_release(&scratch);
}

void server_attribute(struct facts *f, const struct open *o, uint32_t shape)
{
	struct shape *s = f->shape.at[shape];

	if (o->fault != UINT32_MAX) {
		struct fault *x = &f->fault.at[o->fault];
		s->errors++;
		s->cancels += strcmp(x->state, "57014") == 0;
		if (x->shape == NO_SHAPE)
			x->shape = shape;
	} else if (o->class == LOG_TEMP_FILE) {
		s->temp_files++;
		s->temp_bytes += (uint64_t)o->amount;
	} else if (o->class == LOG_LOCK) {
		s->lock_waits++;
		s->lock_usec += (uint64_t)o->amount;
	}
}

/* The number behind `word` in the message; 0: it is not there. */
static double number_after(struct str m, const char *word)
{
	size_t at = str_find(m, word);
	char buf[32];
	size_t n = 0;

	if (at == m.n)
		return 0;
	for (at += strlen(word); at < m.n && n < sizeof(buf) - 1; at++) {
		if (!isdigit((unsigned char)m.p[at]) && m.p[at] != '.')
			break;
		buf[n++] = m.p[at];
	}
	buf[n] = '\0';
	return strtod(buf, NULL);
}

/* "session time: 0:00:01.234" */
static uint64_t session_time(struct str m)
{
	size_t at = str_find(m, "session time: ");
	uint64_t v[3] = {0, 0, 0};
	int k = 0;

	if (at == m.n)
		return 0;
	m = str_skip(m, at + strlen("session time: "));
	for (size_t i = 0; i < m.n && k < 3; i++) {
		if (m.p[i] == ':')
			k++;
		else if (isdigit((unsigned char)m.p[i]))
			v[k] = v[k] * 10 + (uint64_t)(m.p[i] - '0');
		else
			break;
	}
	return ((v[0] * 60 + v[1]) * 60 + v[2]) * 1000000;
}

static void note_connection(struct facts *f, struct session *s, struct log_entry *e)
{
	if (str_starts(e->message, "connection received")) {
		f->server.connections++;
		facts_minute(f, e->ts)->connections++;
	} else if (str_starts(e->message, "connection authorized")) {
		if (s->user)
			facts_group(f, GROUP_USER, s->user)->sessions++;
		if (s->db)
			facts_group(f, GROUP_DB, s->db)->sessions++;
	} else if (str_starts(e->message, "disconnection:")) {
		f->server.disconnections++;
		f->server.session_usec += session_time(e->message);
	}
}

static void note_lock(struct facts *f, struct session *s, struct log_entry *e)
{
	bool acquired = str_find(e->message, " acquired ") < e->message.n;

	/* "acquired" repeats the wait that "still waiting" announced: only it has the whole. */
	s->open.amount = (int64_t)(number_after(e->message, " after ") * 1000);
	if (acquired) {
		f->server.lock_waits++;
		f->server.lock_usec += (uint64_t)s->open.amount;
	} else {
		s->open.shape = NO_SHAPE;
		s->open.class = LOG_OTHER;
	}
}

static void note_checkpoint(struct facts *f, struct log_entry *e)
{
	if (str_starts(e->message, "checkpoint complete") ||
		str_starts(e->message, "restartpoint complete")) {
		f->server.checkpoints++;
		f->server.checkpoint_buffers += (uint64_t)number_after(e->message, "wrote ");
		f->server.checkpoint_usec += (uint64_t)(number_after(e->message, "total=") * 1e6);
	} else if (str_starts(e->message, "checkpoints are occurring")) {
		f->server.checkpoint_warnings++;
	}
}

static void note_vacuum(struct facts *f, struct log_entry *e)
{
	if (str_starts(e->message, "automatic analyze"))
		f->server.analyzes++;
	else
		f->server.vacuums++;
	f->server.vacuum_usec += (uint64_t)(number_after(e->message, "elapsed: ") * 1e6);
}

void server_note(struct facts *f, struct session *s, struct log_entry *e)
{
	switch (e->class) {
	case LOG_ERROR:
		note_fault(f, s, e);
		break;
	case LOG_CONNECTION:
		note_connection(f, s, e);
		break;
	case LOG_CHECKPOINT:
		note_checkpoint(f, e);
		break;
	case LOG_AUTOVACUUM:
		note_vacuum(f, e);
		break;
	case LOG_LOCK:
		note_lock(f, s, e);
		break;
	case LOG_TEMP_FILE:
		s->open.amount = (int64_t)number_after(e->message, "size ");
		f->server.temp_files++;
		f->server.temp_bytes += (uint64_t)s->open.amount;
		break;
	case LOG_NOT_UNDERSTOOD:
	case LOG_STATEMENT:
	case LOG_PLAN:
	case LOG_DETAIL:
	case LOG_OTHER:
	case LOG_CONTINUATION:
	case LOG_CLASSES:
		break;
	}
}
