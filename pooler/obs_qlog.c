/* SPDX-License-Identifier: ISC
 *
 * The query log's plumbing: a ring of bytes for each worker, one thread that empties them.
 *
 *        worker 0 --> ring ---\                           (poll, 10 .. 100 ms)
 *        worker 1 --> ring ----+--> writer: line_put() --> 256 KB --> write(2)
 *        worker N --> ring ---/
 *
 * A ring has one producer and one consumer.  `head` is what was ever put in, `tail` what
 * was ever taken out; head - tail <= size always.  A record lies in one piece: what does
 * not fit before the end of the memory is preceded by a record of kind PAD.
 *
 *   0 ..... tail ===== head ..... size        (both modulo size)
 *
 * The loop never wakes the writer, as that would be a system call: the writer looks by
 * itself, more often while there is something.  A full ring drops the statement and counts
 * it.  Sessions end through the ring too, behind their last statement, so that nobody needs
 * a reference count; one that finds the ring full waits on the ring's list.
 *
 * A write that fails loses its lines (counted), is said once, and tried again with the next
 * lines: a full disk heals by itself and never holds up anything.  A line of which the file has
 * the beginning is finished first, so that every line is whole.
 */
#include "obs_inner.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define WRITE_SIZE (256u << 10) /* write when this much is formatted */
#define NAP_MIN	   (10 * USEC_MSEC)
#define NAP_MAX	   (100 * USEC_MSEC)
#define LOOK_EVERY (2 * USEC_SEC) /* was the file renamed? */

/* Where the lines go and how: handed to the writer as a whole. */
struct target {
	int fd; /* -1: nowhere */
	char *file;
	struct qlog_options options;
};

struct qlog {
	struct qlog_gate gate;
	uint64_t lines, bytes, write_dropped, write_errors;
	/* --- under the lock, which nobody holds for long */
	pthread_mutex_t lock;
	pthread_cond_t wake;
	pthread_t thread;
	bool running, stop;
	struct qlog_ring *rings; /* only ever grows, at its front */
	struct target *next;	 /* what reload wants the writer to take */
	/* --- the writer's own */
	uint64_t dropped_before; /* write_dropped when writing began to fail */
	struct target now;
	struct line line;
	struct buf out;
	uint64_t out_lines;
	bool failing; /* said already */
	bool torn;    /* `out` begins with the rest of a line that the file has the front of */
	usec_t looked;
};

/* --- the writer ----------------------------------------------------------- */

/* Waits for a pipe that is full, but not for long and not when the process ends. */
static bool wait_writable(struct qlog *q)
{
	struct pollfd p = {.fd = q->now.fd, .events = POLLOUT};

	for (int i = 0; i < 10; i++) {
		if (poll(&p, 1, 100) > 0)
			return true;
		if (__atomic_load_n(&q->stop, __ATOMIC_RELAXED))
			return false;
	}
	return false;
}

/* What is behind out.data[done] could not be written and is lost, but for the rest of a line
 * that has begun in the file: it comes first in the next write, so that no line is torn. */
static void lose(struct qlog *q, size_t done, int error)
{
	const char *out = q->out.data, *end = out + q->out.len, *from = out + done;
	uint64_t lost = 0;

	if (done > 0 ? from[-1] != '\n' : q->torn)
		from = (const char *)memchr(from, '\n', (size_t)(end - from)) + 1;
	q->torn = from > out + done;
	for (const char *p = from; p < end; p++)
		lost += *p == '\n';
	stats_add(&q->lines, q->out_lines - lost - q->torn);
	if (!q->failing)
		q->dropped_before = stats_get(&q->write_dropped);
	stats_add(&q->write_dropped, lost);
	stats_add(&q->write_errors, 1);
	q->out.len = (size_t)(from - out);
	q->out_lines = q->torn;
	buf_drop_front(&q->out, done);
	if (!q->failing)
		log_line(LOG_PART_OBS, LOG_LEVEL_ERROR,
			"query log: cannot write to %s, statements are lost until it works again: "
			"%s",
			q->now.file, strerror(error));
	q->failing = true;
}

/* Another file follows: a line that was begun in this one stays torn. */
static void leave_file(struct qlog *q)
{
	stats_add(&q->write_dropped, q->out_lines);
	q->out.len = 0;
	q->out_lines = 0;
	q->torn = false;
}

/* Writes out what is formatted. */
static void flush(struct qlog *q)
{
	size_t done = 0;
	int error = 0;

	if (q->out.len == 0)
		return;
	while (done < q->out.len && !error) {
		ssize_t n = write(q->now.fd, q->out.data + done, q->out.len - done);
		if (n >= 0)
			done += (size_t)n;
		else if (errno != EINTR && !(errno == EAGAIN && wait_writable(q)))
			error = errno;
	}
	stats_add(&q->bytes, done);
	if (error) {
		lose(q, done, error);
		return;
	}
	stats_add(&q->lines, q->out_lines);
	if (q->failing)
		log_line(LOG_PART_OBS, LOG_LEVEL_INFO,
			"query log: writing to %s again; %llu statements are lost", q->now.file,
			(unsigned long long)(stats_get(&q->write_dropped) - q->dropped_before));
	q->failing = q->torn = false;
	q->out.len = 0;
	q->out_lines = 0;
}

static void put_record(struct qlog *q, struct record *rec)
{
	struct qlog_statement s = rec->s;
	const char *at = (const char *)(rec + 1);

	s.types = (const uint32_t *)(const void *)at;
	s.type_count = rec->type_count;
	at += rec->type_count * sizeof *s.types;
	s.name = rec->has_name ? at : NULL;
	at += rec->name_len + 1;
	s.tag = rec->has_tag ? at : NULL;
	at += rec->tag_len + 1;
	s.text = at;
	s.text_len = rec->text_len;
	at += rec->text_len;
	s.bind = rec->has_bind ? at : NULL;
	s.bind_len = rec->bind_len;
	at += rec->bind_len;
	s.error = rec->has_error ? at : NULL;
	s.error_len = rec->error_len;
	line_put(&q->line, &q->out, &s, rec->number);
	q->out_lines++;
}

/* Empties one ring; true when there was something. */
static bool drain(struct qlog *q, struct qlog_ring *r)
{
	uint64_t head = __atomic_load_n(&r->head, __ATOMIC_ACQUIRE);
	bool any = r->tail != head;

	while (r->tail != head) {
		struct record *rec = (struct record *)(void *)(r->data + (r->tail & (r->size - 1)));
		uint32_t size = rec->size;

		if (rec->kind == RECORD_RETIRE)
			session_drop(rec->s.session);
		else if (rec->kind == RECORD_STATEMENT && q->now.fd >= 0)
			put_record(q, rec);
		__atomic_store_n(&r->tail, r->tail + size, __ATOMIC_RELEASE);
		if (q->out.len >= WRITE_SIZE)
			flush(q);
	}
	return any;
}

static bool drain_all(struct qlog *q, struct qlog_ring *rings)
{
	bool any = false;

	for (struct qlog_ring *r = rings; r; r = r->next)
		any |= drain(q, r);
	flush(q);
	return any;
}

static int open_file(const char *file)
{
	/* O_NONBLOCK: a pipe that nobody reads must not hold up anything. */
	return open(file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK, 0640);
}

/* Was the file renamed or removed under us?  Then a new one is begun, as a rotation that
 * sends no signal expects. */
static void look_after_file(struct qlog *q)
{
	struct stat ours, there;
	usec_t now = clock_mono();
	int new;

	if (q->now.fd < 0 || now - q->looked < LOOK_EVERY)
		return;
	q->looked = now;
	if (fstat(q->now.fd, &ours) != 0 || !S_ISREG(ours.st_mode))
		return;
	if (stat(q->now.file, &there) == 0 && there.st_dev == ours.st_dev &&
		there.st_ino == ours.st_ino)
		return;
	new = open_file(q->now.file);
	if (new < 0)
		return; /* tried again in two seconds; the old one still takes the lines */
	leave_file(q);
	close(q->now.fd);
	q->now.fd = new;
	log_line(LOG_PART_OBS, LOG_LEVEL_INFO, "query log: %s was moved, begun anew", q->now.file);
}

static void target_release(struct target *t)
{
	if (t->fd >= 0)
		close(t->fd);
	free(t->file);
	t->fd = -1;
	t->file = NULL;
}

static void take_target(struct qlog *q, struct target **t)
{
	leave_file(q);
	target_release(&q->now);
	q->now = **t;
	q->line.o = q->now.options;
	q->failing = false;
	free(*t);
	*t = NULL;
}

static void nap(struct qlog *q, usec_t us)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += (long)(us * 1000);
	until.tv_sec += until.tv_nsec / 1000000000L;
	until.tv_nsec %= 1000000000L;
	pthread_mutex_lock(&q->lock);
	if (!q->stop && !q->next)
		pthread_cond_timedwait(&q->wake, &q->lock, &until);
	pthread_mutex_unlock(&q->lock);
}

static void *writer(void *arg)
{
	struct qlog *q = arg;
	usec_t sleep = NAP_MIN;

	pthread_setname_np(pthread_self(), "query-log");
	for (;;) {
		struct qlog_ring *rings;
		struct target *next;
		bool stop, any;

		pthread_mutex_lock(&q->lock);
		rings = q->rings;
		next = q->next;
		q->next = NULL;
		stop = q->stop;
		pthread_mutex_unlock(&q->lock);

		if (next && q->now.fd < 0)
			take_target(q, &next);
		any = drain_all(q, rings);
		if (next) /* what was logged before belongs to the file of before */
			take_target(q, &next);
		if (stop)
			return NULL;
		look_after_file(q);
		sleep = any ? NAP_MIN : sleep * 2 < NAP_MAX ? sleep * 2 : NAP_MAX;
		nap(q, sleep);
	}
}

/* --- life ----------------------------------------------------------------- */

struct qlog_ring *qlog_ring_new(struct qlog *q, size_t bytes)
{
	struct qlog_ring *r;
	size_t size = 4096;

	while (size < bytes)
		size *= 2;
	r = aligned_alloc(64, sizeof *r);
	if (!r)
		log_die(LOG_PART_OBS, "out of memory");
	memset(r, 0, sizeof *r);
	r->size = size;
	/* Pages come into being when they are written to: a log that is off costs none. */
	r->data = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (r->data == MAP_FAILED)
		log_die(LOG_PART_OBS, "out of memory (%zu bytes asked for)", size);
	r->gate = &q->gate;
	pthread_mutex_lock(&q->lock);
	r->next = q->rings;
	q->rings = r;
	pthread_mutex_unlock(&q->lock);
	return r;
}

/* The lock is held. */
static void start_writer(struct qlog *q)
{
	sigset_t all, old;

	if (q->running)
		return;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	if (pthread_create(&q->thread, NULL, writer, q) != 0)
		log_die(LOG_PART_OBS, "cannot start the query log's thread");
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	q->running = true;
}

static void set_gate(struct qlog_gate *g, const struct qlog_options *o, bool on)
{
	uint32_t below = UINT32_MAX;

	if (o->sample_rate < 1.0)
		below = o->sample_rate > 0.0 ? (uint32_t)(o->sample_rate * 4294967295.0) : 0;
	__atomic_store_n(&g->sample_below, below, __ATOMIC_RELAXED);
	__atomic_store_n(&g->min_us, o->min_duration, __ATOMIC_RELAXED);
	__atomic_store_n(&g->max_text, o->max_text, __ATOMIC_RELAXED);
	__atomic_store_n(&g->on, on, __ATOMIC_RELAXED);
}

bool qlog_reload(struct qlog *q, const struct qlog_options *o)
{
	struct target *t, *unseen;
	int fd = -1;

	if (o->file && o->file[0]) {
		fd = open_file(o->file);
		if (fd < 0)
			return false;
	}
	t = mem_zalloc(sizeof *t);
	t->fd = fd;
	t->file = fd >= 0 ? mem_strdup(o->file) : NULL;
	t->options = *o;
	t->options.file = NULL;
	pthread_mutex_lock(&q->lock);
	unseen = q->next;
	q->next = t;
	set_gate(&q->gate, o, fd >= 0);
	if (fd >= 0)
		start_writer(q);
	pthread_cond_signal(&q->wake);
	pthread_mutex_unlock(&q->lock);
	if (unseen) {
		target_release(unseen);
		free(unseen);
	}
	return true;
}

struct qlog *qlog_new(const struct qlog_options *o)
{
	struct qlog *q = mem_zalloc(sizeof *q);
	pthread_condattr_t attr;

	q->now.fd = -1;
	pthread_mutex_init(&q->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&q->wake, &attr);
	pthread_condattr_destroy(&attr);
	if (!qlog_reload(q, o)) {
		int saved = errno;
		qlog_free(&q);
		errno = saved;
	}
	return q;
}

void qlog_counts(struct qlog *q, struct qlog_counts *out)
{
	out->lines = stats_get(&q->lines);
	out->bytes = stats_get(&q->bytes);
	out->dropped = stats_get(&q->write_dropped);
	out->write_errors = stats_get(&q->write_errors);
	for (struct qlog_ring *r = q->rings; /* complete before the workers start */
		r; r = r->next)
		out->dropped += stats_get(&r->dropped);
}

/* The workers are gone, the writer too. */
static void ring_free(struct qlog *q, struct qlog_ring *r)
{
	drain(q, r);
	while (r->retired) {
		struct qlog_session *s = r->retired;
		r->retired = s->next;
		session_drop(s);
	}
	munmap(r->data, r->size);
	free(r);
}

void qlog_free(struct qlog **qp)
{
	struct qlog *q = *qp;

	if (!q)
		return;
	if (q->running) {
		pthread_mutex_lock(&q->lock);
		__atomic_store_n(&q->stop, true, __ATOMIC_RELAXED);
		pthread_cond_signal(&q->wake);
		pthread_mutex_unlock(&q->lock);
		pthread_join(q->thread, NULL);
	}
	target_release(&q->now);
	if (q->next) {
		target_release(q->next);
		free(q->next);
	}
	while (q->rings) {
		struct qlog_ring *r = q->rings;
		q->rings = r->next;
		ring_free(q, r);
	}
	line_release(&q->line);
	buf_free(&q->out);
	pthread_mutex_destroy(&q->lock);
	pthread_cond_destroy(&q->wake);
	free(q);
	*qp = NULL;
}
