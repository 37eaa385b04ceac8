/* SPDX-License-Identifier: ISC
 *
 * input_state: --state FILE: a JSON list of {name, device, inode, offset}.
 *
 * A file is its inode, not its name: logrotate renames it and the server goes on writing, so the
 * tail of the old file is still to be read when the name means a new one.  A file that is
 * shorter than what was read was truncated (copytruncate): it begins anew.  A line that is not
 * complete yet is left for the next run.  The state is written to a new file that takes the
 * old one's place, so that a crash leaves one or the other.
 */
#include "input_state.h"

#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <sys/stat.h>
#include <unistd.h>

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

static json_t *find(json_t *list, const struct stat *st)
{
	size_t i;
	json_t *x;

	json_array_foreach(list, i, x) if (js_get_int(x, "device") == (int64_t)st->st_dev &&
					   js_get_int(x, "inode") == (int64_t)st->st_ino) return x;
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

/* Where the file with this inode is now: beside the name it had.  NULL: gone. */
static char *find_moved(const char *name, int64_t device, int64_t inode)
{
	const char *slash = strrchr(name, '/');
	struct text dir = {0}, path = {0};
	struct dirent *d;
	char *found = NULL;

	text_str(&dir, slash ? (struct str){name, (size_t)(slash - name) + 1} : STR("./"));
	DIR *h = opendir(dir.p);
	while (h && !found && (d = readdir(h)) != NULL) {
		struct stat st;
		if ((int64_t)d->d_ino != inode)
			continue;
		text_clear(&path);
		text_printf(&path, "%s%s", dir.p, d->d_name);
		if (stat(path.p, &st) == 0 && (int64_t)st.st_dev == device)
			found = mem_strdup(path.p);
	}
	if (h)
		closedir(h);
	text_release(&dir);
	text_release(&path);
	return found;
}

static void know(struct input_file *f, const json_t *x)
{
	struct str format = js_get_str(x, "format"), prefix = js_get_str(x, "prefix");

	f->skip = (uint64_t)js_get_int(x, "offset");
	f->known_format = format.p ? str_dup(format) : NULL;
	f->known_prefix = prefix.p ? str_dup(prefix) : NULL;
}

/* Puts the rotated file in front of position `at`. */
static void insert(struct input *in, size_t at, char *name, const json_t *x)
{
	struct input_file *f = mem_zalloc(sizeof(*f));

	f->name = name;
	know(f, x);
	*VEC_PUSH(&in->file) = f;
	for (size_t i = in->file.n - 1; i > at; i--)
		in->file.at[i] = in->file.at[i - 1];
	in->file.at[at] = f;
}

/* Files that had this name when they were read, and have it no more. */
static size_t add_rotated(struct input *in, size_t at, json_t *list)
{
	const char *name = in->file.at[at]->name;
	size_t i, added = 0;
	json_t *x;

	json_array_foreach(list, i, x)
	{
		struct stat st;
		int64_t device = js_get_int(x, "device"), inode = js_get_int(x, "inode");
		if (!str_is(js_get_str(x, "name"), name))
			continue;
		char *moved = find_moved(name, device, inode);
		if (moved && stat(moved, &st) == 0 && !is_listed(in, &st) &&
			st.st_size > js_get_int(x, "offset")) {
			insert(in, at + added, moved, x);
			added++;
			continue;
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
		struct stat st;
		json_t *x;
		if (strcmp(in->file.at[i]->name, "-") == 0 || stat(in->file.at[i]->name, &st) != 0)
			continue;
		x = find(list, &st);
		if (x && js_get_int(x, "offset") <= (int64_t)st.st_size)
			know(in->file.at[i], x);
		if (!in->file.at[i]->skip || !x)
			i += add_rotated(in, i, list);
	}
	json_decref(list);
	return true;
}

bool state_save(const struct input *in, const char *path, struct err *why)
{
	json_t *list = json_array();
	struct text fresh = {0};

	for (size_t i = 0; i < in->file.n; i++) {
		const struct input_file *f = in->file.at[i];
		struct stat st;
		if (strcmp(f->name, "-") == 0 || stat(f->name, &st) != 0)
			continue;
		json_t *o = json_object();
		js_set(o, "name", js_str(str_of(f->name)));
		js_set(o, "device", js_int((int64_t)st.st_dev));
		js_set(o, "inode", js_int((int64_t)st.st_ino));
		if (f->format) {
			js_set(o, "format", js_str(str_of(f->format->name)));
			if (f->format->prefix)
				js_set(o, "prefix", js_str(str_of(prefix_text(f->format->prefix))));
		} else if (f->known_format) {
			js_set(o, "format", js_str(str_of(f->known_format)));
			if (f->known_prefix)
				js_set(o, "prefix", js_str(str_of(f->known_prefix)));
		}
		js_set(o, "offset",
			js_int(f->compressed ? (int64_t)st.st_size
					     : (int64_t)(f->skip + f->bytes)));
		js_add(list, o);
	}
	text_printf(&fresh, "%s.new", path);
	bool ok = json_dump_file(list, fresh.p, JSON_INDENT(1)) == 0 && rename(fresh.p, path) == 0;
	if (!ok)
		err_set(why, "%s: %s", path, strerror(errno));
	text_release(&fresh);
	json_decref(list);
	return ok;
}
