/* SPDX-License-Identifier: ISC
 *
 * input_stream: one file's bytes, cut into chunks where an entry begins.
 *
 * The format is told from the first HEAD bytes, whatever the size of a chunk is.  A chunk is
 * grown until an entry begins in it, up to ENTRY_MAX; a larger entry is cut there.
 */
#include "input_stream.h"

#include "input_detect.h"
#include "input_state.h"

#include <sys/stat.h>

#define HEAD	  ((size_t)256 << 10)
#define ENTRY_MAX ((size_t)32 << 20)

struct stream *stream_new(struct input_file *f, uint32_t index)
{
	struct stream *s = mem_zalloc(sizeof(*s));

	s->f = f;
	s->file = index;
	s->first_ts = s->key = INT64_MIN;
	return s;
}

void stream_close(struct stream *s)
{
	if (s->source) {
		source_close(s->source);
		mem_free(&s->source);
	}
	mem_free(&s->carry);
	s->carry_n = s->carry_cap = 0;
}

void stream_free(struct stream **ps)
{
	struct stream *s = *ps;

	if (!s)
		return;
	stream_close(s);
	join_free(&s->join);
	free(s);
	*ps = NULL;
}

bool stream_reopens(const struct stream *s)
{
	struct stat st;

	return strcmp(s->f->path, "-") != 0 && stat(s->f->path, &st) == 0 && S_ISREG(st.st_mode);
}

bool stream_is_read(const struct stream *s)
{
	return s->at_end && s->carry_n == 0;
}

static void carry_room(struct stream *s, size_t want)
{
	if (s->carry_cap < want) {
		s->carry = mem_realloc(s->carry, want);
		s->carry_cap = want;
	}
}

/* The user interrupts: what was read is the log.  With --follow what stands in the file is, too. */
static bool is_stopped(struct stream *s, const struct input_options *opt)
{
	if (!opt->follow && opt->stop && *opt->stop)
		s->stopped = s->at_end = true;
	return s->stopped;
}

/* Reads ahead what the format is told from. */
static bool read_head(struct stream *s, const struct input_options *opt, struct err *why,
	bool *fatal)
{
	struct input_file *f = s->f;
	ssize_t n = s->at_end ? 0 : 1;

	carry_room(s, HEAD);
	while (s->carry_n < HEAD && n > 0) {
		n = source_read(s->source, s->carry + s->carry_n, HEAD - s->carry_n, why);
		s->carry_n += n > 0 ? (size_t)n : 0;
	}
	if (n < 0)
		s->failed = s->at_end = true;
	is_stopped(s, opt);
	if (f->skip == 0)
		state_head(f, s->carry, s->carry_n);
	if (!f->detected && s->carry_n > 0) {
		f->detected = true;
		if (!detect_format(f, opt, s->carry, s->carry_n, why)) {
			*fatal = true;
			return false;
		}
	}
	return true;
}

/* "logs.tar:day1/pg.log" */
static void name_member(struct input_file *f, const char *member)
{
	struct text t = {0};

	if (!member || strcmp(f->name, f->path) != 0)
		return;
	text_printf(&t, "%s:%s", f->path, member);
	free(f->name);
	f->name = t.p;
}

bool stream_open(struct stream *s, const struct input_options *opt, struct err *why, bool *fatal)
{
	struct input_file *f = s->f;

	s->source = mem_zalloc(sizeof(*s->source));
	if (!source_open(s->source, f->path, f->skip, opt->stop, why)) {
		mem_free(&s->source);
		return false;
	}
	f->compressed = s->source->archive != NULL;
	if (s->source->archive && f->skip == 0) {
		s->at_end = !source_by_member(s->source, f->member > 0 ? (unsigned)f->member : 0);
		name_member(f, s->source->member_name);
	}
	return read_head(s, opt, why, fatal);
}

bool stream_begin_member(struct stream *s, const struct input_options *opt, struct err *why,
	bool *fatal)
{
	return read_head(s, opt, why, fatal);
}
void stream_date(struct stream *s)
{
	struct chunk c = {.n = s->carry_n, .line = 1};

	if (!s->f->format || !s->carry_n)
		return;
	c.p = c.buf = mem_alloc(c.n);
	memcpy(c.p, s->carry, c.n);
	s->f->format->parse(s->f->format, &c);
	for (size_t i = 0; i < c.entry.n && s->first_ts == INT64_MIN; i++)
		if (c.entry.at[i].ts)
			s->first_ts = c.entry.at[i].ts;
	VEC_RELEASE(&c.entry);
	arena_release(&c.arena);
	free(c.buf);
}

/* --- reading -------------------------------------------------------------------------- */

static void chunk_room(struct chunk *c, size_t want)
{
	if (c->cap < want) {
		c->buf = mem_realloc(c->buf, want);
		c->cap = want;
	}
	c->p = c->buf;
}

/* --follow, where there is nothing more just now: was the file cut, or did its name go to
 * another one?  true: it is worth reading again. */
static bool look_again(struct stream *s, const struct input_options *opt)
{
	if (!s->source->archive && source_was_truncated(s->source))
		return true;
	if (s->source->archive || (opt->stop && *opt->stop)) {
		s->at_end = true;
		return false;
	}
	/* what was written until then is read; a directory's next log comes under its own name */
	if (s->rotated || (s->f->by_directory && source_is_deleted(s->source))) {
		s->at_end = true;
		return false;
	}
	s->rotated = source_was_rotated(s->source);
	s->idle = !s->rotated;
	return s->rotated;
}

/* Fills the chunk up to `want` bytes. */
static void fill(struct stream *s, struct chunk *c, size_t want, const struct input_options *opt,
	struct err *why)
{
	while (!s->at_end && c->n < want && !is_stopped(s, opt)) {
		if (opt->follow && !s->source->archive)
			source_was_truncated(s->source); /* and filled beyond where we are */
		ssize_t n = source_read(s->source, c->buf + c->n, want - c->n, why);
		if (n < 0)
			s->failed = s->at_end = true;
		else if (n == 0 && is_stopped(s, opt))
			return;
		else if (n == 0 && (!opt->follow || strcmp(s->f->path, "-") == 0))
			s->at_end = true;
		else if (n == 0 && !look_again(s, opt))
			return;
		else
			c->n += (size_t)n;
	}
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

/* How many bytes of the chunk are whole entries; it is grown until there are some. */
static size_t whole(struct stream *s, struct chunk *c, const struct input_options *opt,
	struct err *why)
{
	const struct log_format *f = s->f->format;

	while (f && !s->at_end) {
		size_t keep = last_start(f, c->p, c->n);
		if (keep > 0 || (s->idle && c->n < ENTRY_MAX))
			return keep;
		if (c->n >= ENTRY_MAX) {
			const char *nl = memrchr(c->p, '\n', c->n);
			return nl ? (size_t)(nl - c->p) + 1 : c->n;
		}
		chunk_room(c, c->n * 2);
		fill(s, c, c->n * 2, opt, why);
	}
	return c->n;
}

bool stream_read(struct stream *s, struct chunk *c, size_t size, const struct input_options *opt,
	struct err *why)
{
	size_t want = size > s->carry_n * 2 ? size : s->carry_n * 2, keep;

	chunk_room(c, want);
	c->n = s->carry_n;
	if (c->n)
		memcpy(c->buf, s->carry, c->n);
	s->carry_n = 0;
	s->idle = false;
	fill(s, c, want, opt, why);
	if (!s->f->detected && c->n > 0) { /* --follow: it was empty when it was opened */
		s->f->detected = true;
		s->failed |= !detect_format(s->f, opt, c->p, c->n, why);
	}
	keep = whole(s, c, opt, why);
	bool may_grow = !s->f->compressed && s->f->path && strcmp(s->f->path, "-") != 0;
	if (s->stopped || (s->at_end && opt->state && may_grow)) {
		/* an incomplete line is the next run's */
		const char *nl = c->n ? memrchr(c->p, '\n', c->n) : NULL;
		keep = c->n = nl ? (size_t)(nl - c->p) + 1 : 0;
	}
	carry_room(s, c->n - keep);
	if (c->n > keep)
		memcpy(s->carry, c->p + keep, c->n - keep);
	s->carry_n = c->n - keep;
	c->n = keep;
	c->file = s->file;
	c->offset = s->offset;
	s->offset += keep;
	return keep > 0;
}
