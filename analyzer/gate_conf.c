/* SPDX-License-Identifier: ISC
 *
 * gate_conf: .pgassay.conf, found and read.  The syntax is that of pooler.conf: sections in
 * brackets, `key = value` to the end of the line, comments that start a line with ; or #.
 * Reading goes on after an error, so that one run names them all.
 */
#include "gate.h"

#include <errno.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAX (1u << 20)

static bool complain(const struct gate *g, int line, const char *text)
{
	fprintf(stderr, "pgassay: %.*s:%d: %s\n", STR_ARGS(g->conf.file), line, text);
	return false;
}

static bool read_line(struct gate *g, struct str line, int number, struct str *section)
{
	struct err why = {""};

	if (line.n == 0 || line.p[0] == ';' || line.p[0] == '#')
		return true;
	if (line.p[0] == '[') {
		if (line.p[line.n - 1] != ']')
			return complain(g, number, "a section is [name]: the ] is missing");
		*section = str_trim(str_before(str_skip(line, 1), line.n - 2));
		if (gate_has_section(*section))
			return true;
		struct str s = *section;
		*section = STR_NONE;
		err_set(&why,
			"no section [%.*s]: there are [gate], [limits], [diff], [rules] and "
			"[suppress]",
			STR_ARGS(s));
		return complain(g, number, why.text);
	}
	size_t eq = str_find(line, "=");
	struct str key = str_trim(str_before(line, eq)), value = str_trim(str_skip(line, eq + 1));
	if (eq == line.n)
		return complain(g, number, "a line is `key = value`: the = is missing");
	if (!section->p)
		return complain(g, number, "this stands before the first section");
	return gate_set(g, *section, key, value, number, &why) || complain(g, number, why.text);
}

static bool read_file(struct gate *g, const char *path)
{
	FILE *f = fopen(path, "re");
	struct text text = {0};
	struct str section = STR_NONE;
	char buf[4096];
	size_t n;
	bool ok = true;

	if (!f) {
		fprintf(stderr, "pgassay: %s: %s\n", path, strerror(errno));
		return false;
	}
	while ((n = fread(buf, 1, sizeof(buf), f)) > 0 && text.n < FILE_MAX)
		text_add(&text, buf, n);
	if (ferror(f)) {
		fprintf(stderr, "pgassay: %s: %s\n", path, strerror(errno));
		ok = false;
	}
	fclose(f);
	if (text.n >= FILE_MAX)
		ok = complain(g, 1, "the file is larger than 1 MB: that is no configuration");
	struct str rest = arena_str(&g->arena, text_slice(&text));
	bool is_readable = ok;
	for (int line = 1; is_readable && rest.n; line++) {
		size_t end = str_find(rest, "\n");
		ok = read_line(g, str_trim(str_before(rest, end)), line, &section) && ok;
		rest = str_skip(rest, end + 1);
	}
	text_release(&text);
	return ok;
}

/* .pgassay.conf of this directory, or the nearest above it that is still in the repository. */
static struct str find_file(struct gate *g)
{
	char here[PATH_MAX];

	if (!getcwd(here, sizeof(here)))
		return STR_NONE;
	for (size_t n = strlen(here);;) {
		struct str path = arena_printf(&g->arena, "%.*s/" GATE_CONF, (int)n, here);
		if (access(path.p, F_OK) == 0)
			return path;
		if (n <= g->root.n)
			return STR_NONE;
		while (n > 0 && here[--n] != '/')
			;
	}
}

bool gate_load(struct gate *g, const char *file)
{
	struct str path = file ? str_of(file) : find_file(g), in_root;
	const char *slash;

	for (int i = 0; i < GATE_LIMITS; i++)
		g->conf.limit[i].value = -1;
	g->conf.slower_ratio = 2;
	g->conf.slower_by = 5000;
	if (!path.n)
		return true;
	g->conf.file = path;
	slash = memrchr(path.p, '/', path.n);
	g->conf.dir = slash ? str_before(path, (size_t)(slash - path.p)) : STR_NONE;
	if (gate_path(g, path, &in_root))
		g->fallback = in_root;
	if (!file) /* messages name it as the user would */
		g->conf.file = in_root.n && str_is(in_root, GATE_CONF) ? STR(GATE_CONF) : path;
	return read_file(g, path.p);
}
