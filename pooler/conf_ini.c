/* SPDX-License-Identifier: ISC
 *
 * The syntax of the file, as PgBouncer's: sections in brackets, `key = value` to the end
 * of the line, comments that start a line with ; or #, and `%include FILE`, which acts as
 * if the file stood there, section and all.  Knows sections, but no setting.
 *
 * Reading goes on after an error, so that one run names them all.  Bounds: nesting of
 * includes, files in all, bytes of a file; a file that includes itself is found at once.
 */
#include "conf_own.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define INCLUDE_DEPTH 10 /* PgBouncer's */
#define FILES_MAX     1000
#define FILE_MAX      (16u << 20)

struct reader {
	struct conf *conf;
	struct conf_report *report;
	/* PgBouncer lets the section of an included file go on behind it; so do we. */
	bool in_section, known_section;
	enum conf_section section;
	const char *seen_file[4]; /* where each section was first opened, by enum */
	int seen_line[4];
	struct {
		dev_t dev;
		ino_t ino;
	} stack[INCLUDE_DEPTH + 1];
	int depth; /* files that are open now */
};

/* A position in one file. */
struct cursor {
	struct reader *reader;
	const char *file;
	const char *p, *end; /* end is the NUL behind the text */
	int line;
};

static void read_file(struct reader *r, const char *path, const char *from, int line);

static const struct {
	const char *name;
	enum conf_section section;
} section_names[] = {
	{"pooler", CONF_SECTION_POOLER},
	{"pgbouncer", CONF_SECTION_POOLER},
	{"databases", CONF_SECTION_DATABASES},
	{"users", CONF_SECTION_USERS},
	{"peers", CONF_SECTION_PEERS},
};

/* An operator of PgBouncer's finds its SQLSTATEs. */
#define CODES "pgbouncer_error_codes"

static void section_open(struct cursor *c, const char *name, size_t n)
{
	struct reader *r = c->reader;
	char *word = mem_strndup(name, n);
	struct near near = {.word = word};
	struct buf text = {0};

	r->in_section = true;
	r->known_section = false;
	for (size_t i = 0; i < ARRAY_LEN(section_names); i++) {
		near_offer(&near, section_names[i].name);
		if (strcmp(section_names[i].name, word) == 0) {
			r->known_section = true;
			r->section = section_names[i].section;
		}
	}
	if (!r->known_section) {
		near_print(&near, &text);
		report_error(r->report, c->file, c->line,
			"no section [%s]: there are [databases], [users], [pooler] "
			"(PgBouncer's [pgbouncer]) and [peers]%s",
			word, buf_cstr(&text));
	} else if (r->section == CONF_SECTION_POOLER && r->seen_file[r->section]) {
		report_warning(r->report, c->file, c->line,
			"[%s] was opened before (%s:%d): both count, the later value of a setting "
			"wins",
			word, r->seen_file[r->section], r->seen_line[r->section]);
	} else {
		r->seen_file[r->section] = c->file;
		r->seen_line[r->section] = c->line;
		if (strcmp(word, "pgbouncer") == 0) {
			/* what is written below it is later, and wins */
			struct conf_line *line =
				conf_line_add(r->conf, r->section, CODES, strlen(CODES), "1", 1);

			line->file = c->file;
			line->line = c->line;
		}
	}
	buf_free(&text);
	free(word);
}

static void skip_blanks(struct cursor *c)
{
	while (*c->p == ' ' || *c->p == '\t')
		c->p++;
}

static void skip_line(struct cursor *c)
{
	while (c->p < c->end && *c->p != '\n')
		c->p++;
}

static bool is_key_char(char ch)
{
	return isalnum((unsigned char)ch) || (unsigned char)ch >= 0x80 ||
	       (ch && strchr("_.-*", ch));
}

/* A key: bare, or quoted as SQL does ("a ""b""") or as PgBouncer's older files ('a').
 * Appends it to `key`; false: malformed, and said so. */
static bool read_key(struct cursor *c, struct buf *key)
{
	char quote = *c->p;

	if (quote != '"' && quote != '\'') {
		const char *start = c->p;

		while (is_key_char(*c->p))
			c->p++;
		buf_put(key, start, (size_t)(c->p - start));
		return true;
	}
	for (c->p++; *c->p && *c->p != '\n'; c->p++) {
		if (*c->p == quote && c->p[1] != quote)
			break;
		if (*c->p == quote)
			c->p++;
		buf_put_u8(key, (uint8_t)*c->p);
	}
	if (*c->p != quote) {
		report_error(c->reader->report, c->file, c->line,
			"a quoted name without its closing %c", quote);
		return false;
	}
	c->p++;
	return true;
}

static size_t rest_of_line(struct cursor *c, const char **start)
{
	const char *stop;

	skip_blanks(c);
	*start = c->p;
	skip_line(c);
	for (stop = c->p; stop > *start && isspace((unsigned char)stop[-1]);)
		stop--;
	return (size_t)(stop - *start);
}

static void read_pair(struct cursor *c)
{
	struct reader *r = c->reader;
	struct buf key = {0};
	const char *start = c->p, *value;
	size_t value_len;
	struct conf_line *line;

	if (!read_key(c, &key)) {
		skip_line(c);
		goto out;
	}
	skip_blanks(c);
	if (key.len == 0 || *c->p != '=') {
		const char *secret = strcasestr(start, "pass");
		size_t shown;

		skip_line(c);
		shown = (size_t)(c->p - start);
		if (secret && secret < c->p)
			shown = (size_t)(secret - start);
		report_error(r->report, c->file, c->line,
			"expected `key = value`, [section], %%include or a comment; found \"%.*s\"",
			(int)(shown < 40 ? shown : 40), start);
		goto out;
	}
	c->p++;
	value_len = rest_of_line(c, &value);
	if (!r->in_section) {
		report_error(r->report, c->file, c->line,
			"\"%s\" stands before any section: it needs a [databases], [users], "
			"[pooler] "
			"or [peers] above it",
			buf_cstr(&key));
		goto out;
	}
	if (!r->known_section)
		goto out; /* said at its head */
	line = conf_line_add(r->conf, r->section, buf_cstr(&key), key.len, value, value_len);
	line->file = c->file;
	line->line = c->line;
out:
	buf_free(&key);
}

static void read_section(struct cursor *c)
{
	const char *start = ++c->p;

	while (*c->p && *c->p != ']' && *c->p != '\n')
		c->p++;
	if (*c->p != ']') {
		report_error(c->reader->report, c->file, c->line, "a [section] without its ]");
		c->reader->in_section = true;
		c->reader->known_section = false; /* what follows was said with this */
		return;
	}
	section_open(c, start, (size_t)(c->p - start));
	c->p++;
}

static void read_include(struct cursor *c)
{
	const char *start;
	char *path;
	size_t n;

	c->p += strlen("%include");
	n = rest_of_line(c, &start);
	if (n == 0) {
		report_error(c->reader->report, c->file, c->line, "%%include without a file");
		return;
	}
	path = mem_strndup(start, n);
	read_file(c->reader, path, c->file, c->line);
	free(path);
}

static void read_text(struct reader *r, const char *file, const char *text, size_t len)
{
	struct cursor c = {.reader = r, .file = file, .p = text, .end = text + len, .line = 1};

	if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		c.p += 3;
	while (c.p < c.end) {
		if (isspace((unsigned char)*c.p)) {
			c.line += *c.p == '\n';
			c.p++;
		} else if (*c.p == '#' || *c.p == ';') {
			skip_line(&c);
		} else if (*c.p == '[') {
			read_section(&c);
		} else if (strncmp(c.p, "%include", 8) == 0 &&
			   (isspace((unsigned char)c.p[8]) || !c.p[8])) {
			read_include(&c);
		} else {
			read_pair(&c);
		}
	}
}

/* The whole file, NUL-terminated; NULL with errno. */
static char *slurp(const char *path, struct stat *st, size_t *len)
{
	struct buf b = {.cap = FILE_MAX};
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = -1;

	if (fd < 0 || fstat(fd, st) != 0)
		goto out;
	if (S_ISDIR(st->st_mode)) {
		errno = EISDIR;
		goto out;
	}
	if (st->st_size > 0 && st->st_size < FILE_MAX)
		buf_reserve(&b, (size_t)st->st_size + 1); /* no copies left behind by growing */
	for (;;) {
		char chunk[8192];

		n = read(fd, chunk, sizeof chunk);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		buf_put(&b, chunk, (size_t)n);
		mem_wipe(chunk, (size_t)n); /* it may hold a password */
		if (b.overflow) {
			errno = EFBIG;
			n = -1;
			break;
		}
	}
out:
	if (fd >= 0) {
		int e = errno;

		close(fd);
		errno = e;
	}
	if (n < 0) {
		buf_free(&b);
		return NULL;
	}
	*len = b.len;
	b.cap = 0;
	buf_cstr(&b);
	return b.data;
}

static bool is_open(const struct reader *r, const struct stat *st)
{
	for (int i = 0; i < r->depth; i++)
		if (r->stack[i].dev == st->st_dev && r->stack[i].ino == st->st_ino)
			return true;
	return false;
}

/* `from` and `line` are the %include's, or NULL and 0 for the first file. */
static void read_file(struct reader *r, const char *path, const char *from, int line)
{
	struct stat st;
	size_t len;
	char *text;
	const char *name;

	if (r->depth > INCLUDE_DEPTH) {
		report_error(r->report, from, line, "%%include nested deeper than %d files",
			INCLUDE_DEPTH);
		return;
	}
	if (r->conf->own->n_files >= FILES_MAX) {
		report_error(r->report, from, line, "more than %d files included", FILES_MAX);
		return;
	}
	text = slurp(path, &st, &len);
	if (!text) {
		report_error(r->report, from ? from : path, line, "cannot read \"%s\": %s", path,
			strerror(errno));
		return;
	}
	if (is_open(r, &st)) {
		report_error(r->report, from, line, "\"%s\" includes itself", path);
	} else if (memchr(text, '\0', len)) {
		report_error(r->report, path, 0, "holds a NUL byte: this is not a text file");
	} else {
		name = conf_file_add(r->conf, path);
		r->stack[r->depth].dev = st.st_dev;
		r->stack[r->depth].ino = st.st_ino;
		r->depth++;
		read_text(r, name, text, len);
		r->depth--;
	}
	mem_wipe(text, len);
	free(text);
}

void ini_read(struct conf *c, const char *path, const char *text, size_t len, struct conf_report *r)
{
	struct reader reader = {.conf = c, .report = r};
	char *copy;

	if (!text) {
		read_file(&reader, path, NULL, 0);
		return;
	}
	if (memchr(text, '\0', len)) {
		report_error(r, path, 0, "holds a NUL byte: this is not a text file");
		return;
	}
	copy = mem_strndup(text, len);
	reader.depth = 1; /* dev and ino 0: no file's */
	read_text(&reader, arena_strdup(&c->own->arena, path), copy, len);
	mem_wipe(copy, len);
	free(copy);
}

/* --- the connection string of a line ------------------------------------------- */

int ini_pair_next(struct arena *a, const char **p, const char **key, const char **value,
	struct buf *err)
{
	const char *s = *p + strspn(*p, " \t"), *start = s, *before = *key;
	char *out;

	if (!*s)
		return 0;
	s += strcspn(s, "= \t");
	*key = arena_strndup(a, start, (size_t)(s - start));
	s += strspn(s, " \t");
	if (*s != '=' || !**key) {
		if (before && strcasestr(before, "pass")) /* may be the rest of it */
			buf_printf(err,
				"the value of %s ends too early: put it in single quotes, "
				"with '' for each ' in it",
				before);
		else
			buf_printf(err, "expected key=value, found \"%.30s\"", start);
		return -1;
	}
	s++;
	s += strspn(s, " \t");
	if (*s != '\'') {
		start = s;
		s += strcspn(s, " \t");
		*value = arena_strndup(a, start, (size_t)(s - start));
	} else {
		out = arena_alloc(a, strlen(s) + 1);
		*value = out;
		for (s++; *s && (*s != '\'' || s[1] == '\''); s++) {
			if (*s == '\'')
				s++;
			*out++ = *s;
		}
		if (!*s) {
			buf_printf(err, "the value of %s lacks its closing '", *key);
			return -1;
		}
		s++;
	}
	if (!**value && s[-1] != '\'') {
		buf_printf(err, "%s= has no value: leave it out to leave it unset", *key);
		return -1;
	}
	*p = s;
	return 1;
}
