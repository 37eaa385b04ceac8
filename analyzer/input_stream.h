/* SPDX-License-Identifier: ISC
 *
 * input_stream.h: one file while it is read: bytes -> chunks; private to the input family.
 *
 *	s = stream_new(f, index);
 *	stream_open(s, &opt, &why)           the format is known now, and how old the file is
 *	while (stream_read(s, c, &opt, &why)) …parse c…
 *	stream_free(&s)
 *
 * A stream is read by one thread at a time (`busy`); what is behind "in order" belongs to the
 * thread that hands entries on (input_run.c).
 */
#ifndef INPUT_STREAM_H
#define INPUT_STREAM_H

#include "input_formats.h"
#include "input_source.h"

struct stream {
	struct input_file *f;
	uint32_t file;	       /* its index in struct input */
	struct source *source; /* NULL: not open */
	char *carry;	       /* bytes read that belong to the next chunk */
	size_t carry_n, carry_cap;
	uint64_t offset;  /* of the next chunk */
	int64_t first_ts; /* of its first entry that has a time; INT64_MIN: none is known */
	bool at_end;	  /* the source has no more bytes */
	bool stopped;	  /* or they are not wanted any more: the user interrupts */
	bool failed;	  /* they could not be read, `why` says it */
	bool idle;	  /* --follow: there was nothing new when it was looked at */
	bool rotated;	  /* --follow: its name has come to mean another file */
	bool busy;	  /* a worker reads it */

	struct chunk *first, *last; /* taken, in order */
	unsigned queued;

	/* in order */
	struct chunk *head; /* the chunk whose entries are handed on; NULL: none */
	struct log_entry *entry;
	size_t n, at;  /* of `entry`: how many, the next one */
	int64_t key;   /* time of the entry handed on last: never goes back */
	uint64_t line; /* lines of the chunks before */
	uint64_t base; /* what an entry's line number lacks */
	struct join *join;
	bool flushed; /* its last pieces are out */
};

struct stream *stream_new(struct input_file *f, uint32_t index);
void stream_free(struct stream **s);
/* Opens the file and detects its format; *fatal: the options are wrong, nothing can be read. */
bool stream_open(struct stream *s, const struct input_options *opt, struct err *why, bool *fatal);
/* The same for a member of an archive that is read in one go: s->source stands there. */
bool stream_begin_member(struct stream *s, const struct input_options *opt, struct err *why,
	bool *fatal);
/* Gives the descriptor back until stream_open() is called again. */
void stream_close(struct stream *s);
/* Can it be closed and opened again? */
bool stream_reopens(const struct stream *s);
/* The next chunk, of about `size` bytes, cut where an entry begins.  false: there is none now
 * (idle) or any more. */
bool stream_read(struct stream *s, struct chunk *c, size_t size, const struct input_options *opt,
	struct err *why);
/* No chunk will come any more. */
bool stream_is_read(const struct stream *s);
/* Looks for the time of the first entry in what was read ahead. */
void stream_date(struct stream *s);

#endif
