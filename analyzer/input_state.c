/* SPDX-License-Identifier: ISC
 *
 * input_state: --state FILE: a JSON list of {name, device, inode, size, offset, head}.
 *
 * A file is its inode, not its name: logrotate renames it and the server goes on writing, so the
 * tail of the old file is still to be read when the name means a new one.  When it was packed or
 * copied it has another inode, and is known by what it begins with (`head`, a hash of its first
 * HEAD bytes, unpacked).  An inode whose file begins differently, or that is shorter than what
 * was read, holds another file: it begins anew.  A line that is not complete yet is left for the
 * next run.  The state is written to a new file that takes the old one's place, so that a crash
 * leaves one or the other.
 */
#include "input_state.h"
#include "input_source.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEAD	 1024
#define HEAD_MIN 64   /* fewer bytes do not tell files apart */
#define KEEP	 2000 /* files remembered that no run named again */

static json_t *load(const char *path, struct err *why)
{
	json_error_t e;
	json_t *list = json_load_file(path, 0, &e);

	if (!list && access(path, F_OK) != 0)
		return json_array();
	if (!json_is_array(list)) {
		json_decref(list);
		err_set(why, "%s is not a state file of pgassay", path);
		return NULL;
	}
	return list;
}

/* --- what a file begins with ------------------------------------------------------------ */

static void hash_head(const char *p, size_t n, char out[17])
{
	snprintf(out, 17, "%016llx", (unsigned long long)str_hash((struct str){p, n}));
}

void state_head(struct input_file *f, const char *p, size_t n)
{
	f->head_n = n < HEAD ? n : HEAD;
	hash_head(p, f->head_n, f->head);
}

/* The first bytes of a file, unpacked. */
static size_t read_head(const char *path, char out[HEAD])
{
	struct source s;
	ssize_t n = 1;
	size_t got = 0;

	if (!source_open(&s, path, 0, NULL, NULL))
		return 0;
	while (got < HEAD && n > 0) {
		n = source_read(&s, out + got, HEAD - got, NULL);
		got += n > 0 ? (size_t)n : 0;
	}
	source_close(&s);
	return got;
}

/* Does the file begin as it did when it was read? */
static bool begins_so(const json_t *x, const char *head, size_t n)
{
	size_t want = (size_t)js_get_int(x, "head_bytes");
	char now[17];

	if (want > n)
		return false;
	hash_head(head, want, now);
	return str_is(js_get_str(x, "head"), now);
}

/* --- finding files again ------------------------------------------------------------------ */

static bool is_inode(const json_t *x, const struct stat *st)
{
	return js_get_int(x, "device") == (int64_t)st->st_dev &&
	       js_get_int(x, "inode") == (int64_t)st->st_ino;
}

/* What is known of the file at this path; NULL: it is new. */
static json_t *find(json_t *list, const char *path, const struct stat *st)
{
	char head[HEAD];
	size_t i, n = read_head(path, head);
	json_t *x;

	json_array_foreach(list, i, x) if (is_inode(x, st) && begins_so(x, head, n)) return x;
	json_array_foreach(list, i,
		x) if (js_get_int(x, "head_bytes") >= HEAD_MIN && begins_so(x, head, n)) return x;
	return NULL;
}

static bool is_listed(const struct input *in, const struct stat *st)
{
	for (size_t i = 0; i < in->file.n; i++) {
		struct stat own;
		if (stat(in->file.at[i]->name, &own) == 0 && own.st_ino == st->st_ino &&
			own.st_dev == st->st_dev)
			return true;
	}
	return false;
}

/* Where the file that x tells of is now: renamed, or packed, beside the name it had.  NULL:
 * gone. */
static char *find_moved(const char *name, const json_t *x)
{
	const char *slash = strrchr(name, '/'), *base = slash ? slash + 1 : name;
	struct text dir = {0}, path = {0};
	struct dirent *d;
	char *found = NULL, head[HEAD];

	text_str(&dir, slash ? (struct str){name, (size_t)(slash - name) + 1} : STR("./"));
	DIR *h = opendir(dir.p);
	while (h && !found && (d = readdir(h)) != NULL) {
		struct stat st;
		bool kin = strncmp(d->d_name, base, strlen(base)) == 0 && d->d_name[strlen(base)];
		text_clear(&path);
		text_printf(&path, "%s%s", dir.p, d->d_name);
		if (stat(path.p, &st) != 0 || !S_ISREG(st.st_mode))
			continue;
		if (is_inode(x, &st) || (kin && js_get_int(x, "head_bytes") >= HEAD_MIN))
			if (begins_so(x, head, read_head(path.p, head)))
				found = mem_strdup(path.p);
	}
	if (h)
		closedir(h);
	text_release(&dir);
	text_release(&path);
	return found;
}

static void know(struct input_file *f, const json_t *x, const struct stat *st)
{
	struct str format = js_get_str(x, "format"), prefix = js_get_str(x, "prefix");
	struct str head = js_get_str(x, "head");

	f->skip = (uint64_t)js_get_int(x, "offset");
	f->known_format = format.p ? str_dup(format) : NULL;
	f->known_prefix = prefix.p ? str_dup(prefix) : NULL;
	f->head_n = (size_t)js_get_int(x, "head_bytes");
	if (head.n == 16)
		memcpy(f->head, head.p, 17);
	/* the same bytes on disk: not even a packed file has to be unpacked to see it */
	f->is_read = is_inode(x, st) && js_get_int(x, "size") == (int64_t)st->st_size;
}

/* Files that had this name when they were read, and have it no more: they go in front. */
static size_t add_rotated(struct input *in, size_t at, json_t *list)
{
	const char *name = in->file.at[at]->path;
	size_t i, added = 0;
	json_t *x;

	json_array_foreach(list, i, x)
	{
		struct stat st;
		if (!str_is(js_get_str(x, "name"), name))
			continue;
		char *moved = find_moved(name, x);
		if (moved && stat(moved, &st) == 0 && !is_listed(in, &st)) {
			know(input_file_insert(in, at + added, moved, moved), x, &st);
			added++;
		}
		free(moved);
	}
	return added;
}

bool state_apply(struct input *in, const char *path, struct err *why)
{
	json_t *list = load(path, why);

	if (!list)
		return false;
	for (size_t i = 0; i < in->file.n; i++) {
		struct input_file *f = in->file.at[i];
		struct stat st;
		if (stat(f->path, &st) != 0 || !S_ISREG(st.st_mode))
			continue;
		json_t *x = find(list, f->path, &st);
		bool same = x && is_inode(x, &st);
		if (x && (!same || js_get_int(x, "size") <= (int64_t)st.st_size))
			know(f, x, &st);
		if (!same)
			i += add_rotated(in, i, list);
	}
	json_decref(list);
	return true;
}

/* --- saving ------------------------------------------------------------------------------- */

static json_t *entry_of(const struct input_file *f, const struct stat *st)
{
	json_t *o = json_object();

	js_set(o, "name", js_str(str_of(f->path)));
	js_set(o, "device", js_int((int64_t)st->st_dev));
	js_set(o, "inode", js_int((int64_t)st->st_ino));
	if (f->format) {
		js_set(o, "format", js_str(str_of(f->format->name)));
		if (f->format->prefix)
			js_set(o, "prefix", js_str(str_of(prefix_text(f->format->prefix))));
	} else if (f->known_format) {
		js_set(o, "format", js_str(str_of(f->known_format)));
		if (f->known_prefix)
			js_set(o, "prefix", js_str(str_of(f->known_prefix)));
	}
	js_set(o, "size",
		js_int(f->compressed || f->is_read ? (int64_t)st->st_size
						   : (int64_t)(f->skip + f->bytes)));
	js_set(o, "offset", js_int((int64_t)(f->skip + f->bytes)));
	js_set(o, "head", js_str(str_of(f->head)));
	js_set(o, "head_bytes", js_int((int64_t)f->head_n));
	return o;
}

/* Is x the file of an entry that is already in the list, perhaps under another inode? */
static bool is_known(const json_t *list, const json_t *x)
{
	size_t i;
	json_t *y;

	json_array_foreach(list, i, y)
	{
		if (js_get_int(x, "inode") == js_get_int(y, "inode") &&
			js_get_int(x, "device") == js_get_int(y, "device"))
			return true;
		if (js_get_int(x, "head_bytes") == js_get_int(y, "head_bytes") &&
			str_eq(js_get_str(x, "head"), js_get_str(y, "head")))
			return true;
	}
	return false;
}

/* Written beside the file and put in its place, so that a crash leaves the one or the other. */
static bool put_in_place(const json_t *list, const char *path, struct err *why)
{
	struct text fresh = {0};
	int fd;

	text_printf(&fresh, "%s.new", path);
	fd = open(fresh.p, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	bool ok = fd >= 0 && json_dumpfd(list, fd, JSON_INDENT(1)) == 0 && fsync(fd) == 0;
	ok = fd >= 0 && close(fd) == 0 && ok;
	ok = ok && rename(fresh.p, path) == 0;
	if (!ok)
		err_set(why, "%s: %s", path, strerror(errno));
	text_release(&fresh);
	return ok;
}

static bool save(const struct input *in, const char *path, struct err *why)
{
	json_t *list = json_array(), *before = load(path, NULL), *x;
	size_t i;

	for (i = 0; i < in->file.n; i++) {
		const struct input_file *f = in->file.at[i];
		struct stat st;
		if (f->path && f->member <= 0 && stat(f->path, &st) == 0 && S_ISREG(st.st_mode))
			js_add(list, entry_of(f, &st));
	}
	json_array_foreach(before, i, x) if (json_array_size(list) < in->file.n + KEEP &&
					     !is_known(list, x)) js_add(list, json_incref(x));
	json_decref(before);
	bool ok = put_in_place(list, path, why);
	json_decref(list);
	return ok;
}

bool input_remember(const struct input *in, struct err *why)
{
	return !in->opt.state || save(in, in->opt.state, why);
}
