/* SPDX-License-Identifier: ISC
 *
 * input_source: files, stdin, and what libarchive unpacks (gz, bz2, xz, zst, lz4, zip, tar).
 *
 * A file is told from its first bytes, not from its name: plain bytes go straight from read()
 * to the caller, everything else through libarchive, the members of an archive one after the
 * other.
 */
#include "input_source.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOOK_MSEC 100

static const struct {
	const char *bytes;
	size_t at, n;
} magics[] = {
	{"\x1f\x8b", 0, 2}, /* gzip */
	{"BZh", 0, 3},	    /* bzip2 */
	{"\xfd"
	 "7zXZ",
		0, 5},		    /* xz */
	{"\x28\xb5\x2f\xfd", 0, 4}, /* zstd */
	{"\x04\x22\x4d\x18", 0, 4}, /* lz4 */
	{"PK\x03\x04", 0, 4},	    /* zip */
	{"ustar", 257, 5},	    /* tar */
	{"LZIP", 0, 4},		    /* lzip */
};

static bool is_packed(const char *p, size_t n)
{
	for (size_t i = 0; i < ARRAY_LEN(magics); i++)
		if (n >= magics[i].at + magics[i].n &&
			memcmp(p + magics[i].at, magics[i].bytes, magics[i].n) == 0)
			return true;
	return false;
}

/* read(2), but an interrupt is the end of a pipe that has nothing: the signal may come to another
 * thread, or just before we wait, so we look at `stop` now and then. */
static ssize_t read_now(const struct source *s, void *buf, size_t n)
{
	struct pollfd p = {.fd = s->fd, .events = POLLIN};
	ssize_t r;

	while (s->stop && !s->size && poll(&p, 1, LOOK_MSEC) == 0)
		if (*s->stop)
			return 0;
	do
		r = read(s->fd, buf, n);
	while (r < 0 && errno == EINTR);
	return r;
}

static ssize_t read_fd(struct source *s, void *buf, size_t n)
{
	ssize_t r;

	if (s->head_at < s->head_n) {
		size_t left = s->head_n - s->head_at, take = left < n ? left : n;
		memcpy(buf, s->head + s->head_at, take);
		s->head_at += take;
		return (ssize_t)take;
	}
	r = read_now(s, buf, n);
	if (r > 0)
		s->taken += (uint64_t)r;
	return r;
}

static la_ssize_t feed(struct archive *a, void *ctx, const void **block)
{
	struct source *s = ctx;
	ssize_t n = read_fd(s, s->block, sizeof(s->block));

	if (n < 0)
		archive_set_error(a, errno, "%s", strerror(errno));
	*block = s->block;
	return n;
}

static bool open_archive(struct source *s, struct err *why)
{
	s->archive = archive_read_new();
	archive_read_support_filter_all(s->archive);
	archive_read_support_format_tar(s->archive);
	archive_read_support_format_zip(s->archive);
	archive_read_support_format_raw(s->archive);
	if (archive_read_open(s->archive, s, NULL, feed, NULL) != ARCHIVE_OK)
		return err_set(why, "%s: cannot unpack: %s", s->name,
			archive_error_string(s->archive));
	return true;
}

/* Steps to the next member that is a file: 1, 0 at the end, -1 on error. */
static int next_member(struct source *s)
{
	struct archive_entry *entry;

	for (;;) {
		int h = s->ended ? ARCHIVE_EOF : archive_read_next_header(s->archive, &entry);
		s->ended = h == ARCHIVE_EOF;
		if (s->ended)
			return 0;
		if (h < ARCHIVE_WARN)
			return -1;
		if (archive_entry_filetype(entry) != AE_IFREG &&
			archive_format(s->archive) != ARCHIVE_FORMAT_RAW)
			continue;
		s->member = true;
		s->is_raw = archive_format(s->archive) == ARCHIVE_FORMAT_RAW;
		s->is_solid = archive_filter_code(s->archive, 0) != ARCHIVE_FILTER_NONE;
		mem_free(&s->member_name);
		if (!s->is_raw && archive_entry_pathname(entry))
			s->member_name = mem_strdup(archive_entry_pathname(entry));
		return 1;
	}
}

/* By blocks: archive_read_data() forgets what it has when it meets the end of a file that was cut.
 */
static ssize_t read_archive(struct source *s, char *buf, size_t n, struct err *why)
{
	for (;;) {
		if (s->unpacked_n > 0) {
			size_t take = n < s->unpacked_n ? n : s->unpacked_n;
			memcpy(buf, s->unpacked, take);
			s->unpacked = (const char *)s->unpacked + take;
			s->unpacked_n -= take;
			return (ssize_t)take;
		}
		if (s->member) {
			la_int64_t at;
			int r = archive_read_data_block(s->archive, &s->unpacked, &s->unpacked_n,
				&at);
			if (r < ARCHIVE_WARN) {
				s->unpacked_n = 0;
				break;
			}
			if (r != ARCHIVE_EOF)
				continue;
			s->unpacked_n = 0;
			s->member = false;
		}
		if (s->by_member)
			return 0;
		int h = next_member(s);
		if (h == 0)
			return 0;
		if (h < 0)
			break;
	}
	err_set(why, "%s: cannot unpack: %s", s->name, archive_error_string(s->archive));
	return -1;
}

bool source_next(struct source *s)
{
	return s->archive && next_member(s) > 0;
}

bool source_by_member(struct source *s, unsigned first)
{
	s->by_member = true;
	for (unsigned i = 0; i <= first; i++)
		if (!source_next(s))
			return false;
	return true;
}

/* What was read before of a file that is packed, or wrapped. */
static bool discard(struct source *s, uint64_t skip, struct err *why)
{
	char buf[16384];

	while (skip > 0) {
		ssize_t n = source_read(s, buf, skip < sizeof(buf) ? skip : sizeof(buf), why);
		if (n < 0)
			return false;
		if (n == 0)
			break;
		skip -= (uint64_t)n;
	}
	return true;
}

bool source_open(struct source *s, const char *name, uint64_t skip, volatile int *stop,
	struct err *why)
{
	struct stat st;
	ssize_t n;

	memset(s, 0, offsetof(struct source, block));
	s->taken = s->size = 0;
	s->is_looked = false;
	s->strip = NULL;
	s->stripped = (struct text){0};
	s->stripped_at = 0;
	s->member = s->ended = s->by_member = s->is_raw = s->is_solid = false;
	s->member_name = NULL;
	s->unpacked_n = 0;
	s->name = name;
	s->stop = stop;
	s->fd = strcmp(name, "-") == 0 ? 0 : open(name, O_RDONLY | O_CLOEXEC);
	if (s->fd < 0)
		return err_set(why, "%s: %s", name, strerror(errno));
	if (fstat(s->fd, &st) == 0 && S_ISREG(st.st_mode))
		s->size = (uint64_t)st.st_size;
	while (s->head_n < sizeof(s->head)) {
		n = read_now(s, s->head + s->head_n, sizeof(s->head) - s->head_n);
		if (n < 0) {
			err_set(why, "%s: %s", name, strerror(errno));
			source_close(s);
			return false;
		}
		if (n == 0)
			break;
		s->head_n += (size_t)n;
	}
	s->taken = s->head_n;
	s->begin_n = s->head_n < sizeof(s->begin) ? s->head_n : sizeof(s->begin);
	memcpy(s->begin, s->head, s->begin_n);
	if (is_packed(s->head, s->head_n)) {
		bool ok = open_archive(s, why) && discard(s, skip, why);
		if (!ok)
			source_close(s);
		return ok;
	}
	if (skip > 0 && strip_detect(s->head, s->head_n))
		return discard(s, skip, why);
	if (skip > 0 && lseek(s->fd, (off_t)skip, SEEK_SET) == (off_t)skip) {
		s->head_n = s->head_at = 0;
		s->taken = skip;
	}
	return true;
}

bool source_was_rotated(const struct source *s)
{
	struct stat own, named;

	return fstat(s->fd, &own) == 0 && stat(s->name, &named) == 0 &&
	       (own.st_ino != named.st_ino || own.st_dev != named.st_dev) && named.st_size > 0;
}

bool source_is_deleted(const struct source *s)
{
	struct stat own;

	return fstat(s->fd, &own) == 0 && own.st_nlink == 0;
}

bool source_was_truncated(struct source *s)
{
	struct stat st;
	off_t at = lseek(s->fd, 0, SEEK_CUR);
	char now[sizeof(s->begin)];

	if (at < 0 || fstat(s->fd, &st) != 0)
		return false;
	size_t want = at < (off_t)sizeof(now) ? (size_t)at : sizeof(now);
	ssize_t n = pread(s->fd, now, want, 0);
	bool other = st.st_size < at ||
		     (n >= (ssize_t)s->begin_n && memcmp(now, s->begin, s->begin_n) != 0);
	s->begin_n = other || n < 0 ? 0 : (size_t)n;
	memcpy(s->begin, now, s->begin_n);
	return other && lseek(s->fd, 0, SEEK_SET) == 0;
}

void source_as_is(struct source *s)
{
	s->is_looked = true;
}

/* As they stand in the file, unpacked. */
static ssize_t read_bytes(struct source *s, char *buf, size_t n, struct err *why)
{
	ssize_t r;

	if (s->archive)
		return read_archive(s, buf, n, why);
	r = read_fd(s, buf, n);
	if (r < 0)
		err_set(why, "%s: %s", s->name, strerror(errno));
	return r;
}

/* Gives up to n bytes of what the wrapping leaves; 0: there is none. */
static size_t take_stripped(struct source *s, char *buf, size_t n)
{
	size_t left = s->stripped.n - s->stripped_at, take = left < n ? left : n;

	if (take)
		memcpy(buf, s->stripped.p + s->stripped_at, take);
	s->stripped_at += take;
	if (s->stripped_at == s->stripped.n) {
		text_clear(&s->stripped);
		s->stripped_at = 0;
	}
	return take;
}

ssize_t source_read(struct source *s, char *buf, size_t n, struct err *why)
{
	size_t take = take_stripped(s, buf, n);
	ssize_t r;

	while (take == 0) {
		r = read_bytes(s, buf, n, why);
		if (!s->is_looked && r > 0) {
			s->is_looked = true;
			if (strip_detect(buf, (size_t)r))
				s->strip = strip_new(buf, (size_t)r);
		}
		if (!s->strip || r < 0)
			return r;
		if (r > 0)
			strip_feed(s->strip, buf, (size_t)r, &s->stripped);
		else
			strip_end(s->strip, &s->stripped);
		take = take_stripped(s, buf, n);
		if (r == 0)
			return (ssize_t)take;
	}
	return (ssize_t)take;
}

void source_close(struct source *s)
{
	if (s->archive)
		archive_read_free(s->archive);
	s->archive = NULL;
	mem_free(&s->member_name);
	strip_free(&s->strip);
	text_release(&s->stripped);
	if (s->fd > 0)
		close(s->fd);
	s->fd = -1;
}
