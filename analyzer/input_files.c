/* SPDX-License-Identifier: ISC
 *
 * input_files: which files a command line names: files, directories, members of archives.
 */
#include "input.h"
#include "input_source.h"
#include "input_state.h"

#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>

#define SOLID_MAX 8 /* members of a packed tar that are read each by themselves */

static struct input_file *new_file(const char *name, const char *path)
{
	struct input_file *f = mem_zalloc(sizeof(*f));
	const char *slash = path ? strrchr(path, '/') : NULL;

	f->name = mem_strdup(name);
	f->path = path ? mem_strdup(path) : NULL;
	f->member = -1;
	if (slash)
		f->salt = str_hash((struct str){path, (size_t)(slash - path)}) << 1;
	return f;
}

static void add_file(struct input *in, const char *name, uint64_t size)
{
	*VEC_PUSH(&in->file) = new_file(name, name);
	in->total += size;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static bool add_directory(struct input *in, const char *path, struct err *why)
{
	struct dirent **list;
	int n = scandir(path, &list, NULL, by_name);
	bool ok = n >= 0;

	if (n < 0)
		return err_set(why, "%s: %s", path, strerror(errno));
	for (int i = 0; i < n; i++) {
		struct text t = {0};
		struct stat st;
		text_printf(&t, "%s/%s", path, list[i]->d_name);
		if (list[i]->d_name[0] != '.' && stat(t.p, &st) == 0 && S_ISREG(st.st_mode)) {
			add_file(in, t.p, (uint64_t)st.st_size);
			in->file.at[in->file.n - 1]->by_directory = true;
		}
		text_release(&t);
		free(list[i]);
	}
	free(list);
	*VEC_PUSH(&in->dir) = mem_strdup(path);
	return ok;
}

bool input_add(struct input *in, const char *path, struct err *why)
{
	struct stat st;

	if (strcmp(path, "-") == 0) {
		add_file(in, path, 0);
		return true;
	}
	if (stat(path, &st) != 0)
		return err_set(why, "%s: %s", path, strerror(errno));
	if (S_ISDIR(st.st_mode))
		return add_directory(in, path, why);
	add_file(in, path, S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0);
	return true;
}

/* --- members of archives -------------------------------------------------------------- */

struct input_file *input_file_insert(struct input *in, size_t at, const char *name,
	const char *path)
{
	*VEC_PUSH(&in->file) = NULL;
	memmove(&in->file.at[at + 1], &in->file.at[at],
		(in->file.n - 1 - at) * sizeof(*in->file.at));
	return in->file.at[at] = new_file(name, path);
}

struct input_file *input_file_member(struct input *in, const struct input_file *of,
	const char *member)
{
	struct text t = {0};
	const char *archive = of->path ? of->path : of->name;
	size_t n = of->path ? strlen(archive) : strcspn(archive, ":");

	text_printf(&t, "%.*s:%s", (int)n, archive, member ? member : "?");
	struct input_file *f = new_file(t.p, NULL);
	f->salt = of->salt;
	f->compressed = true;
	*VEC_PUSH(&in->file) = f;
	text_release(&t);
	return f;
}

/* How many members the archive has, when each may be read by itself; 0: it is none, or one
 * that had to be unpacked again for each. */
static unsigned members(const char *path)
{
	struct source s;
	struct stat st;
	unsigned n = 0;

	if (strcmp(path, "-") == 0 || stat(path, &st) != 0 || !S_ISREG(st.st_mode) ||
		!source_open(&s, path, 0, NULL, NULL))
		return 0;
	while (s.archive && n < 10000 && source_next(&s) && !s.is_raw)
		if (++n > SOLID_MAX && s.is_solid)
			break;
	if (n > SOLID_MAX && s.is_solid)
		n = 0;
	source_close(&s);
	return n;
}

void input_list_members(struct input *in)
{
	for (size_t i = 0; i < in->file.n; i++) {
		char *path = in->file.at[i]->path;
		unsigned n = path && !in->file.at[i]->is_read ? members(path) : 0;
		for (unsigned k = 0; n > 1 && k < n; k++) {
			if (k > 0)
				input_file_insert(in, ++i, path, path);
			in->file.at[i]->member = (int)k;
		}
	}
}

void input_release(struct input *in)
{
	for (size_t i = 0; i < in->file.n; i++) {
		struct input_file *f = in->file.at[i];
		struct log_prefix *p = NULL;
		memcpy(&p, &f->own.prefix, sizeof(p));
		prefix_free(&p);
		free(f->name);
		free(f->path);
		free(f->known_format);
		free(f->known_prefix);
		free(f->prefix_seen);
		free(f->prefix_doubt);
		free(f);
	}
	for (size_t i = 0; i < in->dir.n; i++)
		free(in->dir.at[i]);
	VEC_RELEASE(&in->dir);
	VEC_RELEASE(&in->file);
}
