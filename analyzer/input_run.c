/* SPDX-License-Identifier: ISC
 *
 * input_run: files -> chunks -> entries in the order of their time, on one thread or many.
 *
 *	         take (any stream, one worker each)   parse, prepare     in order
 *	 file A ──▶ chunk ─────────────────────────────▶ entries ──┐
 *	 file B ──▶ chunk ─────────────────────────────▶ entries ──┼─▶ oldest first ─▶ commit()
 *	 file C      … not opened before its first entry's turn ───┘
 *
 * Every worker does what is to be done next: hand entries on when nobody else does, else read
 * and parse a chunk of the stream that has the fewest waiting.  Entries of one file keep their
 * order; between files the older goes first, at the same time the file named first.  None of it
 * depends on where chunks were cut or on how many workers there are: the result is the same,
 * byte for byte.
 *
 * Memory: of each file that overlaps another in time, a few chunks.
 */
#include "input.h"
#include "input_follow.h"
#include "input_state.h"
#include "input_stream.h"

#include <pthread.h>
#include <sys/stat.h>
#include <time.h>

#define KEEP_OPEN   16 /* files that stay open between being dated and being read */
#define FOLLOW_NSEC 200000000L
#define CHUNK	    ((size_t)128 << 10) /* its text and entries fit the second cache */
#define CHUNKS	    ((size_t)8 << 20)	/* shared by the files that are read at once */

struct run {
	struct input *in;
	const struct input_sink *sink;
	struct err *why; /* of the first failure */
	bool failed, fatal;
	unsigned jobs;

	pthread_mutex_t lock; /* of all that follows; not held while reading, parsing, committing */
	pthread_cond_t work;
	VEC(struct stream *) active;  /* being read or handed on */
	VEC(struct stream *) pending; /* oldest first; opened when their time has come */
	size_t opened;		      /* of pending: begun */
	struct chunk *spare;
	unsigned chunks;       /* in streams' queues, or about to be */
	bool merging;	       /* somebody hands entries on */
	uint64_t done;	       /* bytes of files that are read through */
	struct follow *follow; /* NULL: without --follow */
	bool looked_last;
};

static bool is_stopped(const struct run *r)
{
	return r->fatal || (r->in->opt.stop && *r->in->opt.stop);
}

static size_t chunk_size(const struct run *r)
{
	size_t share = CHUNKS / (r->active.n + 1);

	if (r->in->opt.chunk)
		return r->in->opt.chunk;
	return share >= CHUNK ? CHUNK : share < 32768 ? 32768 : share;
}

static void fail(struct run *r, const struct err *why)
{
	if (!r->failed && r->why)
		*r->why = *why;
	r->failed = true;
}

static void report_progress(struct run *r)
{
	struct input_options *o = &r->in->opt;
	uint64_t done = r->done;

	if (!o->progress)
		return;
	for (size_t i = 0; i < r->active.n; i++)
		done += r->active.at[i]->source ? r->active.at[i]->source->taken : 0;
	o->progress(o->progress_ctx, done, r->in->total);
}

/* --- a chunk's work, on any thread ------------------------------------------------------ */

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

static void work_on(struct run *r, const struct stream *s, struct chunk *c)
{
	const struct log_format *f = s->f->format;

	c->entry.n = 0;
	arena_reset(&c->arena);
	memset(c->bytes, 0, sizeof(c->bytes));
	memset(c->entries, 0, sizeof(c->entries));
	c->line = 1; /* made absolute when the chunk's turn comes */
	if (!f) {
		c->lines = count_lines(c->p, c->n);
		c->bytes[LOG_NOT_UNDERSTOOD] = c->n;
		return;
	}
	f->parse(f, c);
	for (size_t i = 0; i < c->entry.n; i++) {
		struct log_entry *e = &c->entry.at[i];
		if (e->class != LOG_STATEMENT)
			message_translate(&c->arena, e);
		c->bytes[e->class] += e->bytes;
		c->bytes[LOG_CONTINUATION] += e->cont;
		c->entries[e->class]++;
		if (e->session)
			e->session ^= s->f->salt;
	}
	if (!f->pieces)
		r->sink->prepare(r->sink->ctx, c);
}

/* --- in order --------------------------------------------------------------------------- */

static void account(struct input *in, struct stream *s, struct chunk *c)
{
	for (int k = 0; k < LOG_CLASSES; k++) {
		in->bytes[k] += c->bytes[k];
		in->entries[k] += c->entries[k];
	}
	s->f->bytes += c->n;
	s->f->lines += c->lines;
	s->base = s->line;
	s->line += c->lines;
}

static void view(struct stream *s, struct log_entry *e, size_t n)
{
	s->entry = e;
	s->n = n;
	s->at = 0;
}

/* The chunk's turn: it is counted, and its entries are the stream's next ones. */
static void stage(struct run *r, struct stream *s, struct chunk *c)
{
	account(r->in, s, c);
	s->head = c;
	if (!s->f->format || !s->f->format->pieces) {
		view(s, c->entry.at, c->entry.n);
		return;
	}
	for (size_t i = 0; i < c->entry.n; i++)
		c->entry.at[i].line += s->base;
	if (!s->join)
		s->join = join_new(r->sink);
	s->base = 0;
	struct chunk *whole = join_chunk(s->join, s->f->format, c);
	view(s, whole->entry.at, whole->entry.n);
}

/* The last pieces of a stream. */
static void flush(struct stream *s)
{
	s->flushed = true;
	if (s->join) {
		struct chunk *whole = join_flush(s->join, s->f->format);
		view(s, whole->entry.at, whole->entry.n);
	}
}

static int64_t key_of(const struct stream *s)
{
	int64_t ts = s->entry[s->at].ts;

	return ts > s->key ? ts : s->key;
}

/* Hands on the entries of s that are not younger than `until`, nor, at that very time, of a
 * file named later than `file`. */
static void hand_on(struct run *r, struct stream *s, int64_t until, uint32_t file)
{
	size_t from = s->at;

	while (s->at < s->n) {
		int64_t key = key_of(s);
		if (key > until || (key == until && s->file > file))
			break;
		s->key = key;
		s->entry[s->at].line += s->base;
		s->at++;
	}
	r->sink->commit(r->sink->ctx, s->entry + from, s->at - from);
}

/* The stream with the oldest next entry, and until when it stays that; NULL: some stream's next
 * entry is not known yet, or no stream has any. */
static struct stream *oldest(const struct run *r, int64_t *until, uint32_t *file)
{
	struct stream *best = NULL;
	int64_t low = 0;

	*until = INT64_MAX;
	*file = UINT32_MAX;
	for (size_t i = 0; i < r->active.n; i++) {
		struct stream *s = r->active.at[i];
		if (s->at == s->n) {
			if (s->idle && !s->first)
				continue;
			return NULL;
		}
		int64_t key = key_of(s);
		if (best && (key > low || (key == low && s->file > best->file))) {
			if (key < *until || (key == *until && s->file < *file)) {
				*until = key;
				*file = s->file;
			}
			continue;
		}
		if (best) {
			*until = low;
			*file = best->file;
		}
		best = s;
		low = key;
	}
	return best;
}

/* --- streams come and go ------------------------------------------------------------------ */

static void add_pending(struct run *r, struct input_file *f, uint32_t index)
{
	*VEC_PUSH(&r->pending) = stream_new(f, index);
}

/* Is it the file that came, or has that been renamed meanwhile? */
static bool is_still(const struct stream *s)
{
	struct stat st;

	return fstat(s->source->fd, &st) == 0 && st.st_ino == s->f->inode &&
	       st.st_dev == s->f->device;
}

static void begin_next(struct run *r)
{
	struct stream *s = r->pending.at[r->opened++];
	struct err why = {""};

	r->pending.at[r->opened - 1] = NULL;
	bool ok = s->source || stream_open(s, &r->in->opt, &why, &r->fatal);
	if (s->f->inode && !(ok && is_still(s))) {
		follow_missed(r->follow, s->f);
		stream_free(&s);
		return;
	}
	if (!ok) {
		fail(r, &why);
		stream_free(&s);
		return;
	}
	if (s->failed)
		fail(r, &why);
	follow_hold(r->follow, s->source->fd, true);
	*VEC_PUSH(&r->active) = s;
}

/* --follow: files that have come. */
static void add_fresh(struct run *r)
{
	size_t n = r->follow && !r->fatal ? follow_look(r->follow, r->in) : 0;

	for (size_t i = r->in->file.n - n; i < r->in->file.n; i++)
		add_pending(r, r->in->file.at[i], (uint32_t)i);
}

/* A stream is handed on to its end: what follows it?  The next member of its archive, or what
 * a rotation made. */
static void end_stream(struct run *r, size_t i)
{
	struct stream *s = r->active.at[i];

	r->done += s->source->taken;
	if (s->source->archive && !s->failed && s->f->member < 0 && source_next(s->source)) {
		struct input_file *f = input_file_member(r->in, s->f, s->source->member_name);
		struct stream *next = stream_new(f, (uint32_t)r->in->file.n - 1);
		struct err why = {""};
		r->done -= s->source->taken;
		next->source = s->source;
		s->source = NULL;
		if (!stream_begin_member(next, &r->in->opt, &why, &r->fatal))
			fail(r, &why);
		next->key = s->key;
		r->active.at[i] = next;
		stream_free(&s);
		return;
	}
	follow_hold(r->follow, s->source->fd, false);
	if (s->rotated)
		add_fresh(r);
	stream_free(&s);
	r->active.at[i] = r->active.at[--r->active.n];
}

/* --- the workers ---------------------------------------------------------------------------- */

static struct chunk *spare_chunk(struct run *r)
{
	struct chunk *c = r->spare;

	if (c)
		r->spare = c->next;
	else
		c = mem_zalloc(sizeof(*c));
	c->next = NULL;
	c->is_ready = false;
	return c;
}

static void give_back(struct run *r, struct chunk *c)
{
	c->next = r->spare;
	r->spare = c;
	r->chunks--;
	pthread_cond_broadcast(&r->work); /* there is room to read on */
}

/* --follow: may files come while none is read? */
static bool waits(const struct run *r)
{
	return follow_waits(r->follow) && !is_stopped(r);
}

/* --follow: is there nothing to do but wait? */
static bool all_idle(const struct run *r)
{
	for (size_t i = 0; i < r->active.n; i++)
		if (!r->active.at[i]->idle || r->active.at[i]->busy || r->active.at[i]->first)
			return false;
	return r->active.n > 0 || waits(r);
}

/* One step of handing on, the lock given up in between; false: there is nothing to do now. */
static bool merge_step(struct run *r)
{
	int64_t until;
	uint32_t file;
	struct stream *s;

	for (size_t i = 0; i < r->active.n; i++) {
		s = r->active.at[i];
		if (s->at < s->n)
			continue;
		if (s->head) {
			give_back(r, s->head);
			s->head = NULL;
		}
		if (s->first && s->first->is_ready) {
			struct chunk *c = s->first;
			s->first = c->next;
			s->queued--;
			pthread_mutex_unlock(&r->lock);
			stage(r, s, c);
			pthread_mutex_lock(&r->lock);
			return true;
		}
		if (s->first || s->busy || !(stream_is_read(s) || r->fatal))
			continue;
		if (s->flushed)
			end_stream(r, i);
		else
			flush(s);
		return true;
	}
	s = oldest(r, &until, &file);
	if (r->opened < r->pending.n && (!is_stopped(r) || (r->follow && !r->fatal)) &&
		(r->active.n == 0 || (!s && all_idle(r)) ||
			(s && (r->pending.at[r->opened]->first_ts <= key_of(s))))) {
		begin_next(r);
		return true;
	}
	if (!s)
		return false;
	if (r->opened < r->pending.n && r->pending.at[r->opened]->first_ts <= until) {
		until = r->pending.at[r->opened]->first_ts - 1;
		file = UINT32_MAX;
	}
	pthread_mutex_unlock(&r->lock);
	hand_on(r, s, until, file);
	pthread_mutex_lock(&r->lock);
	return true;
}

/* The stream whose next chunk is wanted most; NULL: none now. */
static struct stream *wanting(const struct run *r)
{
	struct stream *best = NULL;
	unsigned most = r->jobs * 2 + 1;

	for (size_t i = 0; i < r->active.n; i++) {
		struct stream *s = r->active.at[i];
		if (s->busy || s->idle || stream_is_read(s) || r->fatal)
			continue;
		if (s->queued > 0 && (r->chunks >= most + (unsigned)r->active.n))
			continue;
		if (!best || s->queued < best->queued)
			best = s;
	}
	return best;
}

static void read_chunk(struct run *r, struct stream *s)
{
	struct chunk *c = spare_chunk(r);
	struct err why = {""};
	bool got;

	s->busy = true;
	r->chunks++;
	size_t size = chunk_size(r);
	pthread_mutex_unlock(&r->lock);
	got = stream_read(s, c, size, &r->in->opt, &why);
	pthread_mutex_lock(&r->lock);
	s->busy = false;
	if (s->failed)
		fail(r, &why);
	if (!got) {
		give_back(r, c);
		pthread_cond_broadcast(&r->work);
		return;
	}
	if (s->first)
		s->last->next = c;
	else
		s->first = c;
	s->last = c;
	s->queued++;
	report_progress(r);
	pthread_cond_broadcast(&r->work); /* the stream can be read on */
	pthread_mutex_unlock(&r->lock);
	work_on(r, s, c);
	pthread_mutex_lock(&r->lock);
	c->is_ready = true;
	pthread_cond_broadcast(&r->work);
}

static void wait_for_more(struct run *r)
{
	struct timespec t = {0, FOLLOW_NSEC};

	r->merging = true; /* nobody else needs to wake */
	pthread_mutex_unlock(&r->lock);
	nanosleep(&t, NULL);
	pthread_mutex_lock(&r->lock);
	r->merging = false;
	for (size_t i = 0; i < r->active.n; i++)
		r->active.at[i]->idle = false;
	add_fresh(r);
	pthread_cond_broadcast(&r->work);
}

static void *worker(void *arg)
{
	struct run *r = arg;

	pthread_mutex_lock(&r->lock);
	for (;;) {
		struct stream *s;
		bool did = false;
		if (!r->merging) {
			r->merging = true;
			while (merge_step(r))
				did = true;
			r->merging = false;
			if (did)
				pthread_cond_broadcast(&r->work);
		}
		if (!r->merging && r->active.n == 0 && !waits(r)) {
			if (r->looked_last)
				break;
			r->looked_last = true; /* what has come until the interrupt counts */
			add_fresh(r);
			continue;
		}
		if ((s = wanting(r)) != NULL)
			read_chunk(r, s);
		else if (did)
			continue;
		else if (!r->merging && all_idle(r))
			wait_for_more(r);
		else
			pthread_cond_wait(&r->work, &r->lock);
	}
	pthread_cond_broadcast(&r->work);
	pthread_mutex_unlock(&r->lock);
	return NULL;
}

/* --- beginning and end ------------------------------------------------------------------------ */

static int by_age(const void *pa, const void *pb)
{
	const struct stream *a = *(struct stream *const *)pa, *b = *(struct stream *const *)pb;

	if (a->first_ts != b->first_ts)
		return a->first_ts < b->first_ts ? -1 : 1;
	return (a->file > b->file) - (a->file < b->file);
}

/* Opens every file once, to know its format and in which order they begin. */
static void date_all(struct run *r)
{
	size_t open = 0;

	input_list_members(r->in);
	for (size_t i = 0; i < r->in->file.n; i++)
		if (!r->in->file.at[i]->is_read)
			add_pending(r, r->in->file.at[i], (uint32_t)i);
	for (size_t i = 0; i < r->pending.n && r->pending.n > 1 && !is_stopped(r); i++) {
		struct stream *s = r->pending.at[i];
		struct err why = {""};
		if (!stream_open(s, &r->in->opt, &why, &r->fatal)) {
			fail(r, &why);
			stream_free(&s);
			r->pending.at[i--] = r->pending.at[--r->pending.n];
			continue;
		}
		if (s->failed)
			fail(r, &why);
		stream_date(s);
		if (open >= KEEP_OPEN && stream_reopens(s))
			stream_close(s);
		else
			open++;
	}
	if (r->pending.n)
		qsort(r->pending.at, r->pending.n, sizeof(*r->pending.at), by_age);
}

static void release(struct run *r)
{
	struct chunk *next;

	for (size_t i = 0; i < r->active.n; i++)
		stream_free(&r->active.at[i]);
	for (size_t i = r->opened; i < r->pending.n; i++)
		stream_free(&r->pending.at[i]);
	for (struct chunk *c = r->spare; c; c = next) {
		next = c->next;
		VEC_RELEASE(&c->entry);
		arena_release(&c->arena);
		free(c->buf);
		free(c);
	}
	follow_free(&r->follow);
	VEC_RELEASE(&r->active);
	VEC_RELEASE(&r->pending);
	pthread_cond_destroy(&r->work);
	pthread_mutex_destroy(&r->lock);
}

bool input_run(struct input *in, const struct input_sink *sink, struct err *why)
{
	struct run r = {.in = in, .sink = sink, .why = why};
	pthread_t *thread;
	int started = 0;

	r.jobs = in->opt.jobs > 1 ? (unsigned)in->opt.jobs : 1;
	if (in->opt.state && !state_apply(in, in->opt.state, why))
		return false;
	pthread_mutex_init(&r.lock, NULL);
	pthread_cond_init(&r.work, NULL);
	if (in->opt.follow)
		r.follow = follow_new(in);
	date_all(&r);
	thread = mem_zalloc(sizeof(*thread) * r.jobs);
	for (unsigned i = 1; i < r.jobs; i++)
		if (pthread_create(&thread[started], NULL, worker, &r) == 0)
			started++;
	worker(&r);
	for (int i = 0; i < started; i++)
		pthread_join(thread[i], NULL);
	free(thread);
	release(&r);
	return !r.failed;
}
