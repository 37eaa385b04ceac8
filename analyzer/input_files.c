/* SPDX-License-Identifier: ISC
 *
 * input_files: which files a command line names, in the order of their time.
 */
#include "input.h"
#include "input_source.h"

#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>

static void add_file(struct input *in, const char *name, uint64_t size)
{
	struct input_file *f = mem_zalloc(sizeof(*f));

	f->name = mem_strdup(name);
	*VEC_PUSH(&in->file) = f;
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
		if (list[i]->d_name[0] != '.' && stat(t.p, &st) == 0 && S_ISREG(st.st_mode))
			add_file(in, t.p, (uint64_t)st.st_size);
		text_release(&t);
		free(list[i]);
	}
	free(list);
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

void input_release(struct input *in)
{
	for (size_t i = 0; i < in->file.n; i++) {
		struct input_file *f = in->file.at[i];
		struct log_prefix *p = NULL;
		memcpy(&p, &f->own.prefix, sizeof(p));
		prefix_free(&p);
		free(f->name);
		free(f->known_format);
		free(f->known_prefix);
		free(f);
	}
	VEC_RELEASE(&in->file);
}
