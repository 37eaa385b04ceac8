/* SPDX-License-Identifier: ISC
 *
 * input_source.h: the bytes of one file after the other, unpacked; private to the input family.
 *
 *	struct source s;
 *	if (source_open(&s, "postgresql.log.gz", &why))
 *		while ((n = source_read(&s, buf, size, &why)) > 0) …
 *	source_close(&s);
 *
 * The members of an archive are read one after the other as if they were one; after
 * source_by_member() reading ends at the end of each, and source_next() goes to the next one.
 */
#ifndef INPUT_SOURCE_H
#define INPUT_SOURCE_H

#include "input.h"
#include "input_strip.h"

#include <sys/types.h>

struct archive;

struct source {
	int fd;
	const char *name;
	struct archive *archive; /* NULL: the bytes are the file's own */
	char head[512];		 /* read ahead to see what it is */
	size_t head_n, head_at;
	char begin[64]; /* --follow: the file's first bytes, other ones when it was cut and refilled
			 */
	size_t begin_n;
	char block[65536];    /* what libarchive is fed from */
	bool is_looked;	      /* `strip` is the outcome */
	struct strip *strip;  /* NULL: nothing is around its lines */
	struct text stripped; /* what it gave and is not handed on yet, from `stripped_at` */
	size_t stripped_at;
	uint64_t taken;	      /* bytes of the file itself, for the progress */
	uint64_t size;	      /* 0: not known */
	bool member;	      /* inside a member of an archive */
	const void *unpacked; /* of it, owned by libarchive: what is not handed on yet */
	size_t unpacked_n;
	bool ended;	    /* there is no further member */
	bool by_member;	    /* reading ends with it */
	bool is_raw;	    /* one packed file, no members */
	bool is_solid;	    /* members can be reached only through those before */
	char *member_name;  /* owned; NULL: not an archive of members */
	volatile int *stop; /* true: what has not come yet is not waited for; NULL */
};

/* Begins `skip` bytes into the file, unpacked. */
bool source_open(struct source *s, const char *name, uint64_t skip, volatile int *stop,
	struct err *why);
/* A plain file: has its name come to mean another file that is not empty, or was it cut and begun
 * anew (then reading goes on at its start)? */
bool source_was_rotated(const struct source *s);
bool source_is_deleted(const struct source *s); /* it has no name any more */
bool source_was_truncated(struct source *s);
/* Nothing is taken off its lines: a plan may stand in an array. */
void source_as_is(struct source *s);
/* Up to n bytes; 0 at the end; -1 on error. */
ssize_t source_read(struct source *s, char *buf, size_t n, struct err *why);
/* Goes to member `first` (from 0); false: there are fewer. */
bool source_by_member(struct source *s, unsigned first);
bool source_next(struct source *s); /* false: there is no further member */
void source_close(struct source *s);

/* input_files.c */
/* A file more, in front of position `at`. */
struct input_file *input_file_insert(struct input *in, size_t at, const char *name,
	const char *path);
/* A file more, at the end: the next member of an archive that is read in one go. */
struct input_file *input_file_member(struct input *in, const struct input_file *of,
	const char *member);
/* Archives become one file for each member, where each can be reached by itself. */
void input_list_members(struct input *in);

#endif
