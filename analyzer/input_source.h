/* SPDX-License-Identifier: ISC
 *
 * input_source.h: the bytes of one file after the other, unpacked; private to the input family.
 *
 *	struct source s;
 *	if (source_open(&s, "postgresql.log.gz", &why))
 *		while ((n = source_read(&s, buf, size, &why)) > 0) …
 *	source_close(&s);
 */
#ifndef INPUT_SOURCE_H
#define INPUT_SOURCE_H

#include "input.h"

#include <sys/types.h>

struct archive;

struct source {
	int fd;
	const char *name;
	struct archive *archive; /* NULL: the bytes are the file's own */
	char head[512];		 /* read ahead to see what it is */
	size_t head_n, head_at;
	char block[65536]; /* what libarchive is fed from */
	uint64_t taken;	   /* bytes of the file itself, for the progress */
	uint64_t size;	   /* 0: not known */
	bool member;	   /* inside a member of an archive */
};

/* Begins `skip` bytes into the file, unless it is packed. */
bool source_open(struct source *s, const char *name, uint64_t skip, struct err *why);
/* A plain file: has its name come to mean another file, or was it cut shorter? */
bool source_was_rotated(const struct source *s);
bool source_was_truncated(struct source *s);
/* Up to n bytes; 0 at the end; -1 on error. */
ssize_t source_read(struct source *s, char *buf, size_t n, struct err *why);
void source_close(struct source *s);

#endif
