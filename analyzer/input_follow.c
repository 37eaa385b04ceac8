/* SPDX-License-Identifier: ISC
 *
 * input_follow: --follow: which files have come since we looked last?
 *
 * A file is its inode, not its name: a log may be renamed twice between two looks, and the file
 * between has a name of its own by then.  So the directories of what is followed are looked
 * through: in one that was named itself every file counts, else the log's name and what rotations
 * make of it (postgresql.log.1, postgresql.log-20240105, postgresql-20240105.log).  A file that
 * begins like one that is known is its copy, or was packed from it: it is not read again.
 */
#include "input_follow.h"
#include "input_source.h"

#include <dirent.h>
#include <sys/stat.h>

#define HEAD	 1024
#define HEAD_MIN 64 /* fewer bytes do not tell files apart */
#define RESTS	 5  /* looks at which a packed file must not have grown: it is whole */

struct known {
	dev_t device;
	ino_t inode;
	size_t head_n; /* 0: nothing was in it yet */
	off_t size;
	unsigned rests;
	bool is_taken; /* it is read, or was there when we began */
	bool is_held;  /* it is being read: the inode is the same file's */
	char head[HEAD];
};

struct watch {
	char *dir, *name; /* name: of the log; NULL: every file */
};

struct follow {
	VEC(struct watch) watch;
	VEC(struct known *) known;
};

struct fresh {
	char *path;
	struct stat st;
	bool by_directory;
};
struct freshes {
	VEC(struct fresh) at;
};

/* --- names ------------------------------------------------------------------------------- */

static bool is_date(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!(s.p[i] >= '0' && s.p[i] <= '9') && !strchr("-._T", s.p[i]))
			return false;
	return s.n > 0;
}

/* Is this what a rotation calls the log `name`, or the log itself? */
static bool is_kin(const char *name, const char *other)
{
	struct str log = str_of(name), o = str_of(other);
	const char *dot = strrchr(name, '.');
	struct str ext = dot ? str_of(dot) : STR_NONE, stem = {name, log.n - ext.n};

	if (str_starts(o, name))
		return o.n == log.n || strchr(".-_~", o.p[log.n]) != NULL;
	return dot && o.n > log.n && memcmp(o.p, stem.p, stem.n) == 0 && str_ends(o, dot) &&
	       is_date((struct str){o.p + stem.n, o.n - log.n});
}

/* --- what is known -------------------------------------------------------------------------- */

static size_t read_head(const char *path, char head[HEAD], bool *is_packed)
{
	struct source *s = mem_zalloc(sizeof(*s));
	size_t got = 0;
	ssize_t n = 1;

	*is_packed = false;
	if (source_open(s, path, 0, NULL, NULL)) {
		*is_packed = s->archive != NULL;
		while (got < HEAD && n > 0) {
			n = source_read(s, head + got, HEAD - got, NULL);
			got += n > 0 ? (size_t)n : 0;
		}
		source_close(s);
	}
	free(s);
	return got;
}

static struct known *known_at(const struct follow *w, const struct stat *st)
{
	for (size_t i = 0; i < w->known.n; i++)
		if (w->known.at[i]->inode == st->st_ino && w->known.at[i]->device == st->st_dev)
			return w->known.at[i];
	return NULL;
}

/* Does one that is taken begin like this one? */
static bool is_copy(const struct follow *w, const struct known *x)
{
	for (size_t i = 0; i < w->known.n; i++) {
		const struct known *k = w->known.at[i];
		size_t n = k->head_n < x->head_n ? k->head_n : x->head_n;
		if (k != x && k->is_taken && n >= HEAD_MIN && memcmp(k->head, x->head, n) == 0)
			return true;
	}
	return false;
}

static bool begins_so(const struct known *k, const char *head, size_t n)
{
	return k->head_n <= n && memcmp(k->head, head, k->head_n) == 0;
}

/* What a file began with that begins otherwise now: its copy may still come. */
static void keep_head(struct follow *w, const struct known *k)
{
	struct known *was = *VEC_PUSH(&w->known) = mem_zalloc(sizeof(*was));

	memcpy(was->head, k->head, k->head_n);
	was->head_n = k->head_n;
	was->is_taken = true;
}

/* Has the file come since, and can it be read? */
static bool is_new(struct follow *w, const char *path, const struct stat *st)
{
	struct known *k = known_at(w, st);
	char head[HEAD];
	bool is_packed;

	if (!k) {
		k = *VEC_PUSH(&w->known) = mem_zalloc(sizeof(*k));
		k->device = st->st_dev;
		k->inode = st->st_ino;
	}
	if (k->is_taken && st->st_size == k->size)
		return false;
	k->rests = st->st_size == k->size ? k->rests + 1 : 0;
	k->size = st->st_size;
	size_t n = read_head(path, head, &is_packed);
	bool is_same = k->is_taken && begins_so(k, head, n);
	if (k->is_taken && !is_same) { /* cut and filled again, or the inode is another file's */
		keep_head(w, k);
		k->is_taken = k->is_held;
	}
	memcpy(k->head, head, n);
	k->head_n = n;
	if (k->is_taken || n == 0 || (is_packed && k->rests < RESTS))
		return false;
	k->is_taken = true;
	return !is_copy(w, k);
}

void follow_hold(struct follow *w, int fd, bool is_held)
{
	struct stat st;
	struct known *k = w && fstat(fd, &st) == 0 ? known_at(w, &st) : NULL;

	if (k)
		k->is_held = is_held;
}

void follow_missed(struct follow *w, const struct input_file *f)
{
	struct stat st = {.st_dev = f->device, .st_ino = f->inode};
	struct known *k = known_at(w, &st);

	if (k) {
		k->is_taken = false;
		k->size = -1;
	}
}

/* --- looking --------------------------------------------------------------------------------- */

static void look_into(struct follow *w, const struct watch *x, struct freshes *fresh)
{
	DIR *h = opendir(x->dir);
	struct text path = {0};
	struct dirent *d;

	while (h && (d = readdir(h)) != NULL) {
		struct stat st;
		if (d->d_name[0] == '.' || (x->name && !is_kin(x->name, d->d_name)))
			continue;
		text_clear(&path);
		if (x->name && strcmp(x->dir, ".") == 0)
			text_puts(&path, d->d_name);
		else
			text_printf(&path, "%s/%s", x->dir, d->d_name);
		if (stat(path.p, &st) == 0 && S_ISREG(st.st_mode) && is_new(w, path.p, &st))
			*VEC_PUSH(&fresh->at) = (struct fresh){mem_strdup(path.p), st, !x->name};
	}
	if (h)
		closedir(h);
	text_release(&path);
}

static int by_time(const void *pa, const void *pb)
{
	const struct timespec a = ((const struct fresh *)pa)->st.st_mtim,
			      b = ((const struct fresh *)pb)->st.st_mtim;

	if (a.tv_sec != b.tv_sec)
		return a.tv_sec < b.tv_sec ? -1 : 1;
	return (a.tv_nsec > b.tv_nsec) - (a.tv_nsec < b.tv_nsec);
}

size_t follow_look(struct follow *w, struct input *in)
{
	struct freshes fresh = {0};
	size_t added;

	for (size_t i = 0; i < w->watch.n; i++)
		look_into(w, &w->watch.at[i], &fresh);
	if (fresh.at.n)
		qsort(fresh.at.at, fresh.at.n, sizeof(*fresh.at.at), by_time);
	for (size_t i = 0; i < fresh.at.n; i++) {
		const struct fresh *x = &fresh.at.at[i];
		struct input_file *f = input_file_insert(in, in->file.n, x->path, x->path);
		f->by_directory = x->by_directory;
		f->device = x->st.st_dev;
		f->inode = x->st.st_ino;
		in->total += (uint64_t)x->st.st_size;
		free(x->path);
	}
	added = fresh.at.n;
	VEC_RELEASE(&fresh.at);
	return added;
}

static void watch(struct follow *w, struct str dir, const char *name)
{
	for (size_t i = 0; i < w->watch.n; i++)
		if (str_is(dir, w->watch.at[i].dir) && !w->watch.at[i].name == !name &&
			(!name || strcmp(w->watch.at[i].name, name) == 0))
			return;
	*VEC_PUSH(&w->watch) = (struct watch){str_dup(dir), name ? mem_strdup(name) : NULL};
}

struct follow *follow_new(const struct input *in)
{
	struct follow *w = mem_zalloc(sizeof(*w));
	struct freshes there = {0};

	for (size_t i = 0; i < in->dir.n; i++)
		watch(w, str_of(in->dir.at[i]), NULL);
	for (size_t i = 0; i < in->file.n; i++) {
		const struct input_file *f = in->file.at[i];
		const char *slash = f->path ? strrchr(f->path, '/') : NULL;
		if (!f->path || strcmp(f->path, "-") == 0 || f->by_directory)
			continue;
		struct str dir = slash > f->path ? (struct str){f->path, (size_t)(slash - f->path)}
				 : slash	 ? STR("/")
						 : STR(".");
		watch(w, dir, slash ? slash + 1 : f->path);
	}
	for (size_t i = 0; i < w->watch.n; i++)
		look_into(w, &w->watch.at[i], &there);
	for (size_t i = 0; i < there.at.n; i++)
		free(there.at.at[i].path);
	VEC_RELEASE(&there.at);
	for (size_t i = 0; i < w->known.n; i++)
		w->known.at[i]->is_taken = true;
	return w;
}

bool follow_waits(const struct follow *w)
{
	return w && w->watch.n > 0;
}

void follow_free(struct follow **pw)
{
	struct follow *w = *pw;

	if (!w)
		return;
	for (size_t i = 0; i < w->watch.n; i++) {
		free(w->watch.at[i].dir);
		free(w->watch.at[i].name);
	}
	for (size_t i = 0; i < w->known.n; i++)
		free(w->known.at[i]);
	VEC_RELEASE(&w->watch);
	VEC_RELEASE(&w->known);
	free(w);
	*pw = NULL;
}
