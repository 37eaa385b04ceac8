/* SPDX-License-Identifier: ISC
 *
 * Lines, fields and tokens of pg_hba.conf and pg_ident.conf.
 */
#include "auth_token.h"

#include <dirent.h>
#include <errno.h>

#define DEPTH_MAX     10 /* of files that include files */
#define FILE_MAX_SIZE (16u << 20)
#define TOKENS_MAX    1000000 /* of one file and all it includes */

struct tokenizer {
	struct token_file *out;
	struct buf *err;
	size_t tokens;
};

static void read_text(struct tokenizer *t, const char *text, size_t len, const char *path,
	int depth);

void token_error(struct buf *err, const char *path, unsigned line, const char *fmt, ...)
{
	va_list ap;

	if (err->len)
		buf_put_u8(err, '\n');
	buf_printf(err, "%s:%u: ", path, line);
	va_start(ap, fmt);
	buf_vprintf(err, fmt, ap);
	va_end(ap);
}

/* NULL with errno. */
static char *read_file(const char *path, size_t *len)
{
	FILE *f = fopen(path, "re");
	struct buf b = {0};
	char chunk[8192];
	size_t n;

	if (!f)
		return NULL;
	while ((n = fread(chunk, 1, sizeof chunk, f)) > 0 && b.len <= FILE_MAX_SIZE)
		buf_put(&b, chunk, n);
	if (ferror(f) || b.len > FILE_MAX_SIZE) {
		int saved = ferror(f) ? errno : EFBIG;
		fclose(f);
		buf_free(&b);
		errno = saved ? saved : EIO;
		return NULL;
	}
	fclose(f);
	*len = b.len;
	buf_cstr(&b);
	return b.data;
}

/* A file's name in another file counts from that file's directory. */
static char *beside(const char *path, const char *name)
{
	const char *slash = strrchr(path, '/');

	if (name[0] == '/' || !slash)
		return mem_strdup(name);
	return mem_printf("%.*s/%s", (int)(slash - path), path, name);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* The next token of a line.  false: none is left.  *comma: another one follows in this field. */
static bool next_token(const char **p, const char *end, struct buf *out, bool *quoted, bool *comma)
{
	bool in_quote = false, any = false;

	out->len = 0;
	*quoted = *comma = false;
	while (*p < end && (is_blank(**p) || **p == ','))
		++*p;
	for (; *p < end; ++*p) {
		char c = **p;
		if (!in_quote && (is_blank(c) || c == '#'))
			break;
		if (!in_quote && c == ',') {
			++*p;
			*comma = true;
			break;
		}
		if (c == '"') {
			if (!any)
				*quoted = true;
			any = true;
			if (in_quote && *p + 1 < end && (*p)[1] == '"') {
				buf_put_u8(out, '"');
				++*p;
			} else {
				in_quote = !in_quote;
			}
			continue;
		}
		any = true;
		buf_put_u8(out, (uint8_t)c);
	}
	if (*p < end && **p == '#')
		*p = end;
	return any;
}

static void field_add(struct tokenizer *t, struct token_field *f, const char *text, bool quoted)
{
	if (++t->tokens > TOKENS_MAX)
		return;
	f->tokens = mem_realloc(f->tokens, (f->count + 1) * sizeof *f->tokens);
	f->tokens[f->count++] = (struct token){.text = mem_strdup(text), .quoted = quoted};
}

/* The tokens of an @file go into the field as if they stood there. */
static void expand_file(struct tokenizer *t, struct token_field *f, const char *name,
	const char *path, unsigned line, int depth)
{
	char *file = beside(path, name), *text = NULL;
	size_t len = 0;
	struct buf word = {0};
	bool quoted, comma;

	if (depth >= DEPTH_MAX)
		token_error(t->err, path, line, "@%s: files include each other more than %d deep",
			name, DEPTH_MAX);
	else if (!(text = read_file(file, &len)))
		token_error(t->err, path, line, "cannot read \"%s\": %s", file, strerror(errno));
	for (const char *p = text, *end = text + len; text && p < end;) {
		const char *eol = memchr(p, '\n', (size_t)(end - p));
		if (!eol)
			eol = end;
		while (next_token(&p, eol, &word, &quoted, &comma)) {
			const char *w = buf_cstr(&word);
			if (!quoted && w[0] == '@' && w[1]) {
				char *inner = mem_strdup(w + 1);
				expand_file(t, f, inner, file, line, depth + 1);
				free(inner);
			} else {
				field_add(t, f, w, quoted);
			}
		}
		p = eol + 1;
	}
	buf_free(&word);
	free(text);
	free(file);
}

static void line_release(struct token_line *l)
{
	for (size_t i = 0; i < l->count; i++) {
		for (size_t j = 0; j < l->fields[i].count; j++)
			free(l->fields[i].tokens[j].text);
		free(l->fields[i].tokens);
	}
	free(l->fields);
}

static void include_file(struct tokenizer *t, const char *file, const struct token_line *l,
	bool must, int depth)
{
	size_t len;
	char *text;

	if (depth >= DEPTH_MAX) {
		token_error(t->err, l->path, l->line, "files include each other more than %d deep",
			DEPTH_MAX);
		return;
	}
	text = read_file(file, &len);
	if (text)
		read_text(t, text, len, file, depth + 1);
	else if (must || errno != ENOENT)
		token_error(t->err, l->path, l->line, "cannot read \"%s\": %s", file,
			strerror(errno));
	free(text);
}

static int wants_conf(const struct dirent *d)
{
	size_t n = strlen(d->d_name);

	return d->d_name[0] != '.' && n > 5 && strcmp(d->d_name + n - 5, ".conf") == 0;
}

static void include_dir(struct tokenizer *t, const char *dir, const struct token_line *l, int depth)
{
	struct dirent **names;
	int n = scandir(dir, &names, wants_conf, alphasort);

	if (n < 0) {
		token_error(t->err, l->path, l->line, "cannot read directory \"%s\": %s", dir,
			strerror(errno));
		return;
	}
	for (int i = 0; i < n; i++) {
		char *file = mem_printf("%s/%s", dir, names[i]->d_name);
		include_file(t, file, l, true, depth);
		free(file);
		free(names[i]);
	}
	free(names);
}

/* Follows the line if it is an include.  true: it was one. */
static bool follow_include(struct tokenizer *t, const struct token_line *l, int depth)
{
	const struct token *first = &l->fields[0].tokens[0];
	bool file = strcmp(first->text, "include") == 0;
	bool maybe = strcmp(first->text, "include_if_exists") == 0;
	char *name;

	if (first->quoted || l->fields[0].count != 1 ||
		!(file || maybe || strcmp(first->text, "include_dir") == 0))
		return false;
	if (l->count != 2 || l->fields[1].count != 1) {
		token_error(t->err, l->path, l->line, "%s is followed by one name", first->text);
		return true;
	}
	name = beside(l->path, l->fields[1].tokens[0].text);
	if (file || maybe)
		include_file(t, name, l, file, depth);
	else
		include_dir(t, name, l, depth);
	free(name);
	return true;
}

static void read_line(struct tokenizer *t, const char *p, const char *end, const char *path,
	unsigned line, int depth)
{
	struct token_line l = {.line = line, .path = path};
	struct buf word = {0};
	bool quoted, comma;

	while (next_token(&p, end, &word, &quoted, &comma)) {
		struct token_field f = {0};
		do {
			const char *w = buf_cstr(&word);
			if (!quoted && w[0] == '@' && w[1]) {
				char *name = mem_strdup(w + 1);
				expand_file(t, &f, name, path, line, depth);
				free(name);
			} else {
				field_add(t, &f, w, quoted);
			}
		} while (comma && next_token(&p, end, &word, &quoted, &comma));
		l.fields = mem_realloc(l.fields, (l.count + 1) * sizeof *l.fields);
		l.fields[l.count++] = f;
	}
	buf_free(&word);
	if (l.count == 0)
		return;
	if (l.fields[0].count == 0 || follow_include(t, &l, depth)) {
		line_release(&l);
		return;
	}
	t->out->lines = mem_realloc(t->out->lines, (t->out->count + 1) * sizeof *t->out->lines);
	t->out->lines[t->out->count++] = l;
}

static void read_text(struct tokenizer *t, const char *text, size_t len, const char *path,
	int depth)
{
	const char *p = text, *end = text + len;
	struct token_file *out = t->out;
	struct buf joined = {0};
	unsigned line = 1;
	char *own_path = mem_strdup(path);

	out->paths = mem_realloc(out->paths, (out->path_count + 1) * sizeof *out->paths);
	out->paths[out->path_count++] = own_path;
	if (memchr(text, '\0', len))
		token_error(t->err, path, 1, "there is a NUL byte in the file");
	while (p < end && t->tokens <= TOKENS_MAX) {
		unsigned first = line;
		joined.len = 0;
		for (bool more = true; more && p < end; line++) {
			const char *eol = memchr(p, '\n', (size_t)(end - p));
			size_t n;
			if (!eol)
				eol = end;
			n = (size_t)(eol - p);
			if (n && p[n - 1] == '\r')
				n--;
			more = n && p[n - 1] == '\\';
			buf_put(&joined, p, n - more);
			p = eol + 1;
		}
		if (joined.len)
			read_line(t, joined.data, joined.data + joined.len, own_path, first, depth);
	}
	if (t->tokens > TOKENS_MAX)
		token_error(t->err, path, line, "more than %d words", TOKENS_MAX);
	buf_free(&joined);
}

bool token_parse(struct token_file *f, const char *text, size_t len, const char *path,
	struct buf *err)
{
	struct tokenizer t = {.out = f, .err = err};
	size_t before = err->len;

	memset(f, 0, sizeof *f);
	read_text(&t, text, len, path, 0);
	return err->len == before;
}

bool token_load(struct token_file *f, const char *path, const char *what, struct buf *err)
{
	size_t len;
	char *text = read_file(path, &len);
	bool ok;

	memset(f, 0, sizeof *f);
	if (!text) {
		if (err->len)
			buf_put_u8(err, '\n');
		buf_printf(err, "%s: cannot read \"%s\": %s", what, path, strerror(errno));
		return false;
	}
	ok = token_parse(f, text, len, path, err);
	free(text);
	return ok;
}

void token_release(struct token_file *f)
{
	for (size_t i = 0; i < f->count; i++)
		line_release(&f->lines[i]);
	for (size_t i = 0; i < f->path_count; i++)
		free(f->paths[i]);
	free(f->lines);
	free(f->paths);
	memset(f, 0, sizeof *f);
}
