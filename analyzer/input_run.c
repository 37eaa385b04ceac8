/* SPDX-License-Identifier: ISC
 *
 * input_run: files -> chunks -> entries -> commit, on one thread or many.
 *
 * Every worker does the same: under `read_lock` it takes the next chunk of bytes, cut where an
 * entry begins; outside any lock it parses and prepares it; then it waits for its turn and
 * commits.  One worker is the plain loop.  The order of commits is the order of the bytes, so
 * the result does not depend on how many workers there are.
 *
 * A chunk is grown until an entry begins in it, up to ENTRY_MAX; a larger entry is cut there.
 */
#include "input.h"
#include "input_detect.h"
#include "input_formats.h"
#include "input_source.h"
#include "input_state.h"

#include <pthread.h>
#include <time.h>

#define CHUNK	  ((size_t)512 << 10)
#define ENTRY_MAX ((size_t)32 << 20)

struct run {
	struct input *in;
	const struct input_sink *sink;
	struct err *why;
	bool failed;

	pthread_mutex_t read_lock;
	struct source source;
	bool open;
	size_t file; /* the one being read, or to be opened next */
	char *carry; /* bytes read that belong to the next chunk */
	size_t carry_n, carry_cap;
	bool at_end;	      /* of the current file */
	uint64_t offset, seq; /* of the next chunk */
	uint64_t done;	      /* bytes of files read through */

	pthread_mutex_t turn_lock;
	pthread_cond_t turn_cond;
	uint64_t turn; /* seq of the chunk that may commit */
	uint64_t line; /* of the current file, kept by commits */
	uint32_t line_file;
	struct join *join; /* NULL: no file comes in pieces so far */
};

static size_t chunk_size(const struct run *r)
{
	return r->in->opt.chunk ? r->in->opt.chunk : CHUNK;
}

static void chunk_room(struct chunk *c, size_t want)
{
	if (c->cap >= want)
		return;
	c->buf = mem_realloc(c->buf, want);
	c->cap = want;
}

#define FOLLOW_NSEC 200000000L

/* --follow, at the end of the last file: waits until there is more.  false: there will be none
 * (the user interrupted; or the file was rotated, its successor is next). */
static bool wait_for_more(struct run *r)
{
	struct input *in = r->in;

	if (!in->opt.follow || r->file + 1 < in->file.n || r->source.archive)
		return false;
	if (in->opt.stop && *in->opt.stop)
		return false;
	if (source_was_rotated(&r->source)) {
		struct err why;
		char *name = mem_strdup(r->source.name);
		input_add(in, name, &why);
		free(name);
		return false;
	}
	if (!source_was_truncated(&r->source)) {
		struct timespec t = {0, FOLLOW_NSEC};
		nanosleep(&t, NULL);
	}
	return true;
}

/* Fills the chunk up to `want` bytes; false: a read error. */
static bool fill(struct run *r, struct chunk *c, size_t want)
{
	size_t had = c->n;

	while (!r->at_end && c->n < want) {
		ssize_t n = source_read(&r->source, c->buf + c->n, want - c->n, r->why);
		if (n < 0) {
			r->failed = r->at_end = true;
			return false;
		}
		if (n == 0 && c->n > had && r->in->opt.follow)
			break; /* what there is, now */
		if (n == 0 && !wait_for_more(r))
			r->at_end = true;
		c->n += (size_t)n;
	}
	return true;
}

/* Where the last entry of the bytes begins; 0: only one does, at the start. */
static size_t last_start(const struct log_format *f, const char *p, size_t n)
{
	size_t end = n;

	for (;;) {
		const char *nl = end > 0 ? memrchr(p, '\n', end - 1) : NULL;
		if (!nl)
			return 0;
		size_t from = (size_t)(nl - p) + 1;
		const char *stop = memchr(nl + 1, '\n', n - from);
		if (stop && f->starts(f, nl + 1, (size_t)(stop - nl - 1)))
			return from;
		end = from;
	}
}

static bool next_file(struct run *r)
{
	struct input *in = r->in;

	while (r->file < in->file.n) {
		if (source_open(&r->source, in->file.at[r->file]->name, in->file.at[r->file]->skip,
			    r->why)) {
			r->open = true;
			r->at_end = false;
			r->offset = 0;
			in->file.at[r->file]->compressed = r->source.archive != NULL;
			return true;
		}
		r->failed = true;
		r->file++;
	}
	return false;
}

static void end_file(struct run *r)
{
	r->done += r->source.taken;
	source_close(&r->source);
	r->open = false;
	r->file++;
}

static void report_progress(struct run *r)
{
	struct input_options *o = &r->in->opt;

	if (o->progress)
		o->progress(o->progress_ctx, r->done + r->source.taken, r->in->total);
}

/* Cuts the chunk at an entry's start; what is behind is carried over. */
static void cut(struct run *r, struct chunk *c, const struct log_format *f)
{
	size_t keep = c->n;

	while (f && !r->at_end) {
		if (r->in->opt.follow && c->n < chunk_size(r)) {
			keep = last_start(f, c->p, c->n);
			break;
		}
		keep = last_start(f, c->p, c->n);
		if (keep > 0)
			break;
		if (c->n >= ENTRY_MAX) {
			const char *nl = memrchr(c->p, '\n', c->n);
			keep = nl ? (size_t)(nl - c->p) + 1 : c->n;
			break;
		}
		chunk_room(c, c->n * 2);
		c->p = c->buf;
		if (!fill(r, c, c->n * 2))
			break;
		keep = c->n;
	}
	if (r->at_end && r->in->opt.state) { /* an incomplete line is the next run's */
		const char *nl = c->n ? memrchr(c->p, '\n', c->n) : NULL;
		keep = c->n = nl ? (size_t)(nl - c->p) + 1 : 0;
	}
	r->carry_n = c->n - keep;
	if (r->carry_n > r->carry_cap) {
		r->carry_cap = r->carry_n * 2;
		r->carry = mem_realloc(r->carry, r->carry_cap);
	}
	if (r->carry_n)
		memcpy(r->carry, c->p + keep, r->carry_n);
	c->n = keep;
}

/* Takes the next chunk; false: there is none. */
static bool take(struct run *r, struct chunk *c)
{
	for (;;) {
		if (r->in->opt.stop && *r->in->opt.stop)
			return false;
		if (!r->open && !next_file(r))
			return false;
		size_t want = chunk_size(r) > r->carry_n * 2 ? chunk_size(r) : r->carry_n * 2;
		chunk_room(c, want);
		c->n = r->carry_n;
		if (c->n)
			memcpy(c->buf, r->carry, c->n);
		r->carry_n = 0;
		c->p = c->buf;
		if (!fill(r, c, want) && c->n == 0)
			return false;
		if (c->n > 0)
			break;
		end_file(r);
	}
	struct input_file *f = r->in->file.at[r->file];
	if (r->offset == 0 &&
		!detect_format(f, &r->in->opt, c->p, c->n < 262144 ? c->n : 262144, r->why)) {
		r->failed = true;
		return false;
	}
	cut(r, c, f->format);
	c->file = (uint32_t)r->file;
	c->offset = r->offset;
	c->seq = r->seq++;
	r->offset += c->n;
	report_progress(r);
	if (r->at_end && r->carry_n == 0)
		end_file(r);
	return true;
}

/* --- accounting and commit ------------------------------------------------------------ */

static void account(struct input *in, struct chunk *c)
{
	uint64_t base = c->line - 1;

	for (size_t i = 0; i < c->entry.n; i++) {
		struct log_entry *e = &c->entry.at[i];
		e->line += base;
		in->bytes[e->class] += e->bytes;
		in->bytes[LOG_CONTINUATION] += e->cont;
		in->entries[e->class]++;
	}
	in->file.at[c->file]->bytes += c->n;
	in->file.at[c->file]->lines += c->lines;
}

static uint64_t count_lines(const char *p, size_t n)
{
	uint64_t lines = 0;
	const char *end = p + n;

	while (p < end && (p = memchr(p, '\n', (size_t)(end - p))) != NULL) {
		lines++;
		p++;
	}
	return lines;
}

static void work_on(struct run *r, struct chunk *c)
{
	const struct log_format *f = r->in->file.at[c->file]->format;

	c->entry.n = 0;
	arena_reset(&c->arena);
	c->line = 1; /* made absolute when the chunk's turn comes */
	if (f) {
		f->parse(f, c);
		if (!f->pieces)
			r->sink->prepare(r->sink->ctx, c);
	} else {
		c->lines = count_lines(c->p, c->n);
	}
}

/* The pieces of the file that was read so far are complete. */
static void flush_pieces(struct run *r)
{
	const struct log_format *f =
		r->line_file < r->in->file.n ? r->in->file.at[r->line_file]->format : NULL;

	if (r->join && f && f->pieces)
		join_flush(r->join, f);
}

static void commit(struct run *r, struct chunk *c)
{
	struct input *in = r->in;

	pthread_mutex_lock(&r->turn_lock);
	while (r->turn != c->seq)
		pthread_cond_wait(&r->turn_cond, &r->turn_lock);
	pthread_mutex_unlock(&r->turn_lock);
	if (c->file != r->line_file) {
		flush_pieces(r);
		r->line_file = c->file;
		r->line = 0;
	}
	c->line = r->line + 1;
	account(in, c);
	r->line += c->lines;
	const struct log_format *f = in->file.at[c->file]->format;
	if (f && f->pieces) {
		if (!r->join)
			r->join = join_new(r->sink);
		join_commit(r->join, f, c);
	} else if (f) {
		r->sink->commit(r->sink->ctx, c);
	} else {
		in->bytes[LOG_NOT_UNDERSTOOD] += c->n;
	}
	pthread_mutex_lock(&r->turn_lock);
	r->turn++;
	pthread_cond_broadcast(&r->turn_cond);
	pthread_mutex_unlock(&r->turn_lock);
}

static void *worker(void *arg)
{
	struct run *r = arg;
	struct chunk c = {0};
	bool more;

	for (;;) {
		pthread_mutex_lock(&r->read_lock);
		more = take(r, &c);
		pthread_mutex_unlock(&r->read_lock);
		if (!more)
			break;
		work_on(r, &c);
		commit(r, &c);
	}
	VEC_RELEASE(&c.entry);
	arena_release(&c.arena);
	free(c.scratch);
	free(c.buf);
	return NULL;
}

bool input_run(struct input *in, const struct input_sink *sink, struct err *why)
{
	struct run r = {.in = in, .sink = sink, .why = why, .line_file = UINT32_MAX};
	int jobs = in->opt.jobs > 1 ? in->opt.jobs : 1;
	pthread_t *thread = mem_zalloc(sizeof(*thread) * (size_t)jobs);
	int started = 0;

	if (in->opt.state && !state_apply(in, in->opt.state, why)) {
		free(thread);
		return false;
	}
	pthread_mutex_init(&r.read_lock, NULL);
	pthread_mutex_init(&r.turn_lock, NULL);
	pthread_cond_init(&r.turn_cond, NULL);
	for (int i = 1; i < jobs; i++)
		if (pthread_create(&thread[started], NULL, worker, &r) == 0)
			started++;
	worker(&r);
	for (int i = 0; i < started; i++)
		pthread_join(thread[i], NULL);
	flush_pieces(&r);
	join_free(&r.join);
	if (r.open)
		source_close(&r.source);
	free(r.carry);
	free(thread);
	pthread_cond_destroy(&r.turn_cond);
	pthread_mutex_destroy(&r.turn_lock);
	pthread_mutex_destroy(&r.read_lock);
	if (in->opt.state && !r.failed && !state_save(in, in->opt.state, why))
		r.failed = true;
	return !r.failed;
}
