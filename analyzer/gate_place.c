/* SPDX-License-Identifier: ISC
 *
 * gate_place: where in the repository a finding is shown.
 *
 * Reviewers see only what lies in the repository.  A comment's path may be another machine's
 * (/app/shop/views.py in a container): the longest end of it that exists below the root is
 * taken.  What has no place, because nothing tells who sent the statement, stands at the
 * configuration or the baseline, which is where one would excuse it.
 */
#include "gate.h"

#include <limits.h>
#include <unistd.h>

static bool exists_below(struct gate *g, struct str path)
{
	struct str full = arena_printf(&g->arena, "%.*s/%.*s", STR_ARGS(g->root), STR_ARGS(path));

	return access(full.p, F_OK) == 0;
}

void gate_init(struct gate *g)
{
	char here[PATH_MAX], probe[PATH_MAX + 8];

	if (!getcwd(here, sizeof(here)))
		snprintf(here, sizeof(here), "/");
	g->root = arena_str(&g->arena, str_of(here));
	for (size_t n = strlen(here); n > 0;) {
		snprintf(probe, sizeof(probe), "%.*s/.git", (int)n, here);
		if (access(probe, F_OK) == 0) {
			g->root = arena_str(&g->arena, (struct str){here, n});
			break;
		}
		while (n > 0 && here[--n] != '/')
			;
	}
}

void gate_release(struct gate *g)
{
	for (size_t i = 0; i < g->conf.excuse.n; i++)
		VEC_RELEASE(&g->conf.excuse.at[i].rule);
	VEC_RELEASE(&g->conf.excuse);
	VEC_RELEASE(&g->conf.rule);
	VEC_RELEASE(&g->conf.paths);
	VEC_RELEASE(&g->conf.exclude);
	VEC_RELEASE(&g->known);
	VEC_RELEASE(&g->changed);
	arena_release(&g->arena);
}

/* Without "./", "//" and "x/..": as far as the text alone can tell. */
static struct str squeeze(struct gate *g, struct str path)
{
	char *out = arena_alloc(&g->arena, path.n + 2);
	size_t n = 0;
	bool absolute = path.n && path.p[0] == '/';

	while (path.n) {
		size_t k = str_find(path, "/");
		struct str part = str_before(path, k);
		path = str_skip(path, k + 1);
		if (part.n == 0 || str_is(part, "."))
			continue;
		if (str_is(part, "..") && n > 0 &&
			!(n >= 2 && out[n - 1] == '.' && out[n - 2] == '.')) {
			while (n > 0 && out[--n] != '/')
				;
			continue;
		}
		if (n > 0 || absolute)
			out[n++] = '/';
		memcpy(out + n, part.p, part.n);
		n += part.n;
	}
	out[n] = '\0';
	return (struct str){out, n};
}

static struct str absolute(struct gate *g, struct str path)
{
	char here[PATH_MAX];

	if (path.n && path.p[0] == '/')
		return squeeze(g, path);
	if (!getcwd(here, sizeof(here)))
		return squeeze(g, path);
	return squeeze(g, arena_printf(&g->arena, "%s/%.*s", here, STR_ARGS(path)));
}

bool gate_path(struct gate *g, struct str path, struct str *out)
{
	struct str full = absolute(g, path);

	if (g->root.n == 0 || str_is(g->root, "/")) {
		*out = str_skip(full, 1);
		return out->n > 0;
	}
	if (full.n <= g->root.n + 1 || memcmp(full.p, g->root.p, g->root.n) != 0 ||
		full.p[g->root.n] != '/')
		return false;
	*out = str_skip(full, g->root.n + 1);
	return true;
}

/* A comment's path: below the root, or the longest end of it that is, or, when it is relative,
 * what it says (the checkout may be another one). */
static bool source_path(struct gate *g, struct str path, struct str *out)
{
	struct str rest = squeeze(g, path);
	bool is_absolute = rest.n && rest.p[0] == '/';

	if (is_absolute && gate_path(g, rest, out) && exists_below(g, *out))
		return true;
	for (struct str end = is_absolute ? str_skip(rest, 1) : rest; end.n;
		end = str_skip(end, str_find(end, "/") + 1))
		if (!str_starts(end, "../") && exists_below(g, end)) {
			*out = end;
			return true;
		}
	*out = rest;
	return !is_absolute && rest.n && !str_starts(rest, "..");
}

struct gate_place gate_place(struct gate *g, const struct facts *f, const struct finding *x)
{
	struct gate_place p = {.where = WHERE_INPUT, .line = 1};
	const struct input *in = f->in;
	const char *name = NULL;

	if (x->at.n) {
		p.where = WHERE_GATE;
		p.path = x->at;
		p.line = x->at_line ? x->at_line : 1;
		return p;
	}
	if (x->source_file.n && source_path(g, x->source_file, &p.path)) {
		p.where = WHERE_SOURCE;
		p.line = x->source_line ? x->source_line : 1;
		return p;
	}
	if (x->places && in && x->place[0].file < in->file.n) {
		name = in->file.at[x->place[0].file]->name;
		p.line = x->place[0].line > 0 && x->place[0].line < UINT32_MAX
				 ? (uint32_t)x->place[0].line
				 : 1;
	}
	bool is_sql = name && strcmp(name, "-") != 0 && !in->file.at[x->place[0].file]->format &&
		      gate_path(g, str_of(name), &p.path);
	if (is_sql) {
		p.where = WHERE_SQL;
		return p;
	}
	if (g->fallback.n) {
		p.where = WHERE_GATE;
		p.path = g->fallback;
		p.line = g->fallback_line ? g->fallback_line : 1;
		return p;
	}
	if (!name || strcmp(name, "-") == 0)
		p.path = STR("stdin");
	else if (!gate_path(g, str_of(name), &p.path))
		p.path = squeeze(g, str_of(name));
	while (p.path.n && p.path.p[0] == '/')
		p.path = str_skip(p.path, 1);
	return p;
}
