/* SPDX-License-Identifier: ISC
 *
 * facts_server: what a log says besides statements: connections, checkpoints, autovacuum,
 * temporary files (errors: facts_fault.c; locks: facts_lock.c).
 *
 * A note that belongs to a statement (an error, a wait, a file) is given to the statement's
 * shape when the session's next message closes it: the STATEMENT line comes after it.
 */
#include "facts_build.h"

#include <ctype.h>

static uint64_t most(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

void server_attribute(struct facts *f, struct session *who, const struct open *o, uint32_t shape)
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
		s->temp_largest = most(s->temp_largest, (uint64_t)o->amount);
	} else if (o->class == LOG_LOCK) {
		lock_attribute(f, who, o, shape);
	}
}

double number_after(struct str m, const char *word)
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

/* The whole number right before `word`; 0: it is not there. */
static uint64_t number_before(struct str m, const char *word)
{
	size_t at = str_find(m, word);
	uint64_t v = 0, unit = 1;

	for (; at < m.n && at > 0 && isdigit((unsigned char)m.p[at - 1]); at--, unit *= 10)
		v += (uint64_t)(m.p[at - 1] - '0') * unit;
	return v;
}

/* "session time: 0:00:01.234" */
static uint64_t session_time(struct str m)
{
	size_t at = str_find(m, "session time: "), i = 0;
	uint64_t v[3] = {0, 0, 0}, unit = 100000, part = 0;
	int k = 0;

	if (at == m.n)
		return 0;
	m = str_skip(m, at + strlen("session time: "));
	for (; i < m.n && k < 3; i++) {
		if (m.p[i] == ':')
			k++;
		else if (isdigit((unsigned char)m.p[i]))
			v[k] = v[k] * 10 + (uint64_t)(m.p[i] - '0');
		else
			break;
	}
	if (i < m.n && m.p[i] == '.')
		for (i++; i < m.n && isdigit((unsigned char)m.p[i]); i++, unit /= 10)
			part += (uint64_t)(m.p[i] - '0') * unit;
	return ((v[0] * 60 + v[1]) * 60 + v[2]) * 1000000 + part;
}

/* The word behind `key`; empty: it is not there. */
static struct str text_after(struct str m, const char *key)
{
	struct str rest = str_skip(m, str_find(m, key) + strlen(key));

	return str_before(rest, str_find(rest, " "));
}

/* "connection authorized: user=app database=shop application_name=web": the prefix may lack it. */
static void who_from(struct facts *f, struct session *s, struct str m)
{
	struct str user = text_after(m, "user="), db = text_after(m, "database="),
		   app = text_after(m, "application_name="), host = text_after(m, "host=");

	if (!s->user && user.n)
		s->user = names_id(&f->names, user);
	if (!s->db && db.n)
		s->db = names_id(&f->names, db);
	if (!s->app && app.n)
		s->app = names_id(&f->names, app);
	if (!s->host && host.n)
		s->host = names_id(&f->names, host);
}

static void note_connection(struct facts *f, struct session *s, struct log_entry *e)
{
	if (str_starts(e->message, "connection received")) {
		struct str host = text_after(e->message, "host=");
		f->server.connections++;
		facts_slot(f, e->ts)->connections++;
		if (host.n)
			facts_group(f, GROUP_HOST, names_id(&f->names, host))->sessions++;
	} else if (str_starts(e->message, "connection authorized")) {
		who_from(f, s, e->message);
		if (s->user)
			facts_group(f, GROUP_USER, s->user)->sessions++;
		if (s->db)
			facts_group(f, GROUP_DB, s->db)->sessions++;
		if (s->app)
			facts_group(f, GROUP_APP, s->app)->sessions++;
	} else if (str_starts(e->message, "disconnection:")) {
		uint64_t lasted = session_time(e->message);
		f->server.disconnections++;
		f->server.session_usec += lasted;
		sketch_add(&f->server.sessions, lasted);
		facts_slot(f, e->ts)->disconnections++;
		who_from(f, s, e->message);
		const uint32_t who[] = {s->user, s->db, s->app, s->host};
		for (int k = GROUP_USER; k <= GROUP_HOST; k++) {
			if (!who[k])
				continue;
			struct group *g = facts_group(f, (enum group_kind)k, who[k]);
			g->ended++;
			g->session_usec += lasted;
		}
	}
}

static uint64_t usec_after(struct str m, const char *word)
{
	return (uint64_t)(number_after(m, word) * 1e6);
}

/* checkpoint complete: wrote 5 buffers (0.1%); 0 WAL file(s) added, 1 removed, 2 recycled;
 * write=0.4 s, sync=0.1 s, total=0.6 s; sync files=3, longest=0.1 s, average=0.1 s;
 * distance=1176 kB, estimate=8873 kB */
static void checkpoint_done(struct server_facts *s, struct str m)
{
	uint64_t buffers = (uint64_t)number_after(m, "wrote "),
		 distance = (uint64_t)number_after(m, "distance=") * 1024;

	s->checkpoints++;
	s->restartpoints += str_starts(m, "restartpoint");
	s->checkpoint_buffers += buffers;
	s->checkpoint_most_buffers = most(s->checkpoint_most_buffers, buffers);
	s->checkpoint_usec += usec_after(m, "total=");
	s->checkpoint_write_usec += usec_after(m, "write=");
	s->checkpoint_sync_usec += usec_after(m, "sync=");
	s->checkpoint_longest_sync = most(s->checkpoint_longest_sync, usec_after(m, "longest="));
	s->checkpoint_sync_files += (uint64_t)number_after(m, "sync files=");
	s->wal_added += number_before(m, " WAL file(s) added") +
			number_before(m, " transaction log file(s) added");
	s->wal_removed += number_before(m, " removed, ");
	s->wal_recycled += number_before(m, " recycled; ");
	s->checkpoint_distance += distance;
	s->checkpoint_longest_distance = most(s->checkpoint_longest_distance, distance);
}

/* What PostgreSQL says of a checkpoint's cause, in its own words alone: another message may begin
 * in the same way. */
static bool is_cause(struct str why)
{
	static const char *const words[] = {"shutdown", "end-of-recovery", "immediate", "force",
		"wait", "wal", "time", "flush-all", "fast", "cause", "xlog"};

	while (why.n) {
		struct str word = str_before(why, str_find(why, " "));
		size_t k = 0;
		while (k < ARRAY_LEN(words) && !str_is(word, words[k]))
			k++;
		if (k == ARRAY_LEN(words))
			return false;
		why = str_trim(str_skip(why, word.n));
	}
	return true;
}

static void note_checkpoint(struct facts *f, struct log_entry *e)
{
	size_t starting = str_find(e->message, " starting: ");

	if (str_starts(e->message, "checkpoint complete") ||
		str_starts(e->message, "restartpoint complete")) {
		checkpoint_done(&f->server, e->message);
		facts_slot(f, e->ts)->checkpoints++;
	} else if (str_starts(e->message, "checkpoints are occurring")) {
		f->server.checkpoint_warnings++;
	} else if (starting < e->message.n) {
		struct str why = str_skip(e->message, starting + strlen(" starting: "));
		why = str_trim(str_before(why, str_find(why, "\n")));
		facts_kind(f, KIND_CHECKPOINT_CAUSE, is_cause(why) ? why : STR("other"))->count++;
	}
}

struct vacuumed *facts_vacuumed(struct facts *f, struct str table)
{
	uint32_t *at = map_put(&f->vacuum_of, str_hash(table));

	if (*at == MAP_NONE) {
		*at = (uint32_t)f->vacuum.n;
		*VEC_PUSH(&f->vacuum) = (struct vacuumed){.table = arena_str(&f->arena, table)};
	}
	return &f->vacuum.at[*at];
}

/* automatic vacuum of table "shop.public.orders": index scans: 1 … */
static void note_vacuum(struct facts *f, struct log_entry *e)
{
	struct str table = str_skip(e->message, str_find(e->message, " of table \"") + 11);
	struct vacuumed *v = facts_vacuumed(f, str_before(table, str_find(table, "\"")));
	struct str m = e->message;
	uint64_t usec = usec_after(m, "elapsed: ");
	bool analyze = str_starts(m, "automatic analyze");

	f->server.analyzes += analyze;
	f->server.vacuums += !analyze;
	f->server.vacuum_usec += usec;
	f->server.vacuum_longest = most(f->server.vacuum_longest, usec);
	v->analyzes += analyze;
	v->vacuums += !analyze;
	v->usec += usec;
	v->tuples += (uint64_t)number_after(m, "tuples: ");
	v->dead += number_before(m, " are dead but not yet removable");
	v->pages += (uint64_t)number_after(m, "pages: ");
	v->index_scans += (uint64_t)number_after(m, "index scans: ");
	v->hits += number_before(m, " hits, ");
	v->misses += number_before(m, " misses, ") + number_before(m, " reads, ");
	v->dirtied += number_before(m, " dirtied");
	v->wal += number_before(m, " bytes");
}

/* parameter "log_statement_sample_rate" changed to "0.1": what was logged since is a part. */
static void note_setting(struct facts *f, const struct log_entry *e)
{
	const struct {
		const char *name;
		char *to;
	} known[] = {{"log_min_duration_statement\"", f->min_duration},
		{"log_min_duration_sample\"", f->min_sample},
		{"log_statement_sample_rate\"", f->sample_rate},
		{"log_transaction_sample_rate\"", f->tx_sample_rate}};
	struct str rest = str_skip(e->message, strlen("parameter \""));

	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		if (!str_starts(rest, known[i].name))
			continue;
		struct str value = str_skip(rest, str_find(rest, " changed to \"") + 13);
		value = str_before(value, str_find(value, "\""));
		snprintf(known[i].to, sizeof(f->min_duration), "%.*s", STR_ARGS(value));
	}
}

bool facts_has_threshold(const struct facts *f)
{
	if (f->min_duration[0])
		return strtod(f->min_duration, NULL) > 0;
	return f->statements > 100 && !f->has_totals && f->min_usec >= 1000 &&
	       f->min_usec != UINT64_MAX;
}

#define PAIRS_MIN 40 /* fewer BEGIN and COMMIT prove nothing */

bool facts_is_sampled(const struct facts *f)
{
	if ((f->sample_rate[0] && strtod(f->sample_rate, NULL) < 1) ||
		(f->tx_sample_rate[0] && strtod(f->tx_sample_rate, NULL) > 0))
		return true;
	return f->begins + f->ends >= PAIRS_MIN && f->unpaired * 4 > f->begins + f->ends;
}

void server_note(struct facts *f, struct session *s, struct log_entry *e)
{
	switch (e->class) {
	case LOG_ERROR:
		fault_note(f, s, e);
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
		lock_note(f, s, e);
		break;
	case LOG_TEMP_FILE:
		s->open.amount = (int64_t)number_after(e->message, "size ");
		f->server.temp_files++;
		f->server.temp_bytes += (uint64_t)s->open.amount;
		f->server.temp_largest = most(f->server.temp_largest, (uint64_t)s->open.amount);
		facts_slot(f, e->ts)->temp_files++;
		facts_slot(f, e->ts)->temp_bytes += (uint64_t)s->open.amount;
		break;
	case LOG_NOT_UNDERSTOOD:
	case LOG_STATEMENT:
	case LOG_PLAN:
	case LOG_DETAIL:
		break;
	case LOG_OTHER:
		if (str_starts(e->message, "parameter \"log_"))
			note_setting(f, e);
		break;
	case LOG_CONTINUATION:
	case LOG_CLASSES:
		break;
	}
}
