/* SPDX-License-Identifier: ISC
 *
 * gate_excuse: findings that somebody has decided to live with, and says why.
 *
 * An excuse stands in [suppress], or in a comment of the statement it is about.  A shape that is
 * sent from many places is excused as a whole only when every one of its calls carries the
 * comment; else the excused places are left out and the rest counts.
 *
 * An excuse without a reason, or for a rule that does not exist, excuses nothing and is a finding
 * itself; so is one whose date has passed.  One that met nothing is reported, too: what it was
 * written for is gone.
 */
#include "gate.h"

#include <fnmatch.h>
#include <time.h>

/* --- reading ------------------------------------------------------------------------------ */

int64_t excuse_today(void)
{
	return (int64_t)time(NULL) / 86400;
}

static struct str next_word(struct str *rest)
{
	size_t n = 0;

	while (n < rest->n && rest->p[n] != ' ' && rest->p[n] != '\t' && rest->p[n] != '\n')
		n++;
	struct str word = str_before(*rest, n);
	*rest = str_trim(str_skip(*rest, n));
	return word;
}

static bool parse_rules(struct gate *g, struct str ids, struct excuse *x, struct err *why)
{
	if (str_is(ids, "*") || str_is_nocase(ids, "all"))
		return true;
	while (ids.n) {
		size_t n = str_find(ids, ",");
		struct str id = str_trim(str_before(ids, n));
		const struct rule *r = rule_by_id(arena_cstr(&g->arena, id));
		if (!r)
			return err_set(why, "there is no rule \"%.*s\"; `pgassay rules` lists them",
				STR_ARGS(id));
		*VEC_PUSH(&x->rule) = r;
		ids = str_skip(ids, n + 1);
	}
	return x->rule.n > 0 || err_set(why, "it names no rule");
}

static bool parse_date(struct str v, int64_t *days)
{
	int64_t usec = 0;
	char full[24];

	if (v.n != 10)
		return false;
	snprintf(full, sizeof(full), "%.*s 00:00:00", (int)v.n, v.p);
	if (!time_parse(full, strlen(full), &usec))
		return false;
	*days = usec / 86400000000LL;
	return true;
}

bool excuse_parse(struct gate *g, struct str ids, struct str text, struct excuse *out,
	struct err *why)
{
	struct str rest = str_trim(text), before;

	*out = (struct excuse){.until = -1};
	if (!parse_rules(g, ids, out, why))
		return false;
	for (;;) {
		before = rest;
		struct str word = next_word(&rest);
		size_t eq = str_find(word, "=");
		struct str key = str_before(word, eq), v = str_skip(word, eq + 1);
		if (eq == word.n) {
			rest = before;
			break;
		}
		if (str_is(key, "until")) {
			if (!parse_date(v, &out->until))
				return err_set(why,
					"until is a date such as 2027-01-31, not \"%.*s\"",
					STR_ARGS(v));
		} else if (str_is(key, "shape")) {
			out->shape = arena_str(&g->arena, v);
			if (v.n != 16)
				return err_set(why, "shape is 16 hex digits, not \"%.*s\"",
					STR_ARGS(v));
		} else if (str_is(key, "file")) {
			out->file = arena_str(&g->arena, v);
		} else if (str_is(key, "test")) {
			out->test = arena_str(&g->arena, v);
		} else { /* a reason may hold an = */
			rest = before;
			break;
		}
	}
	out->reason = arena_str(&g->arena, rest);
	out->is_expired = out->until >= 0 && out->until < excuse_today();
	return rest.n > 0 || err_set(why, "it gives no reason");
}

/* --- matching ----------------------------------------------------------------------------- */

static bool fits_rule(const struct excuse *x, const struct rule *r)
{
	if (x->rule.n == 0)
		return r->scope != SCOPE_GATE;
	for (size_t i = 0; i < x->rule.n; i++)
		if (x->rule.at[i] == r)
			return true;
	return false;
}

/* A pattern, or a directory that the path lies in. */
static bool fits_path(struct arena *a, struct str pattern, struct str path)
{
	while (pattern.n > 1 && pattern.p[pattern.n - 1] == '/')
		pattern.n--;
	if (str_starts(pattern, "./"))
		pattern = str_skip(pattern, 2);
	if (path.n > pattern.n && path.p[pattern.n] == '/' &&
		memcmp(path.p, pattern.p, pattern.n) == 0)
		return true;
	return fnmatch(arena_cstr(a, pattern), arena_cstr(a, path), 0) == 0;
}

static bool fits_test(struct gate *g, struct str pattern, const struct facts *f,
	const struct finding *x)
{
	for (uint32_t i = 0; i < x->tests; i++)
		if (fnmatch(arena_cstr(&g->arena, pattern),
			    arena_cstr(&g->arena, facts_name(f, x->test[i])), 0) != 0)
			return false;
	return x->tests > 0;
}

static bool fits(struct gate *g, const struct excuse *e, const struct facts *f,
	const struct finding *x, const struct gate_place *at)
{
	if (!fits_rule(e, x->rule))
		return false;
	if (e->shape.n && !str_is(e->shape, x->fingerprint) &&
		!(x->shape != NO_SHAPE && str_is(e->shape, f->shape.at[x->shape]->id)))
		return false;
	if (e->file.n && !fits_path(&g->arena, e->file, at->path))
		return false;
	return !e->test.n || fits_test(g, e->test, f, x);
}

static void suppress(struct finding *x, struct str reason)
{
	if (x->suppressed)
		return;
	x->suppressed = true;
	x->suppress_reason = reason;
}

/* --- comments ------------------------------------------------------------------------------ */

/* Marks of the same statement that say the same are one excuse. */
struct marked {
	struct excuse excuse;
	const struct mark *mark;
	uint32_t shape; /* NO_SHAPE: the whole file */
};

struct marks {
	VEC(struct marked) at;
};

static void place_of(struct gate *g, const struct facts *f, const struct mark *m, struct str *path,
	uint32_t *line)
{
	const char *name =
		f->in && m->at.file < f->in->file.n ? f->in->file.at[m->at.file]->name : "";

	*line = m->at.line && m->at.line < UINT32_MAX ? (uint32_t)m->at.line : 1;
	if (!gate_path(g, str_of(name), path))
		*path = str_of(*name ? name : "stdin");
}

static void read_mark(struct gate *g, struct facts *f, struct findings *fs,
	const enum severity *severity, const struct mark *m, uint32_t shape, struct marks *out)
{
	struct str rest = m->text, path;
	struct err why = {""};
	struct marked x = {.mark = m, .shape = shape};
	struct str ids = next_word(&rest);
	uint32_t line;

	place_of(g, f, m, &path, &line);
	if (excuse_parse(g, ids, rest, &x.excuse, &why)) {
		x.excuse.at = path;
		x.excuse.line = line;
		*VEC_PUSH(&out->at) = x;
		return;
	}
	VEC_RELEASE(&x.excuse.rule);
	struct finding *said = gate_find(fs, f, severity, "GT012",
		"`pgassay:ignore %.*s` excuses nothing: %s", STR_ARGS(m->text), why.text);
	if (said) {
		said->at = path;
		said->at_line = line;
		said->key = arena_str(&fs->arena, m->text);
	}
}

static void read_marks(struct gate *g, struct facts *f, struct findings *fs,
	const enum severity *severity, struct marks *out)
{
	for (uint32_t i = 0; i < f->shape.n; i++)
		for (size_t k = 0; k < f->shape.at[i]->mark.n; k++)
			read_mark(g, f, fs, severity, &f->shape.at[i]->mark.at[k], i, out);
	for (size_t i = 0; i < f->file_mark.n; i++)
		read_mark(g, f, fs, severity, &f->file_mark.at[i], NO_SHAPE, out);
}

/* Leaves out the places a comment excuses. */
static void drop_place(struct finding *x, const struct place *p)
{
	for (uint32_t i = 0; i < x->places; i++)
		if (x->place[i].file == p->file && x->place[i].line == p->line) {
			memmove(&x->place[i], &x->place[i + 1],
				(x->places - 1 - i) * sizeof(*x->place));
			x->places--;
			return;
		}
}

static void excuse_by_marks(struct facts *f, struct finding *x, struct marks *marks)
{
	uint64_t calls = 0, all = x->shape != NO_SHAPE ? f->shape.at[x->shape]->calls : 0;
	struct str reason = STR_NONE;

	for (size_t i = 0; i < marks->at.n; i++) {
		struct marked *m = &marks->at.at[i];
		if (m->shape == NO_SHAPE || m->shape != x->shape || !fits_rule(&m->excuse, x->rule))
			continue;
		m->excuse.is_used = true;
		if (m->excuse.is_expired)
			continue;
		calls += m->mark->calls;
		reason = m->excuse.reason;
	}
	if (reason.p && calls >= all) {
		suppress(x, reason);
		return;
	}
	for (size_t i = 0; reason.p && i < marks->at.n; i++) {
		const struct marked *m = &marks->at.at[i];
		if (m->shape == x->shape && fits_rule(&m->excuse, x->rule) && !m->excuse.is_expired)
			drop_place(x, &m->mark->at);
	}
	x->count -= calls < x->count ? calls : 0;
}

/* A whole file: places in it are left out; a finding that has no others is excused. */
static void excuse_by_files(struct finding *x, struct marks *marks)
{
	for (size_t i = 0; i < marks->at.n; i++) {
		struct marked *m = &marks->at.at[i];
		if (m->shape != NO_SHAPE || !fits_rule(&m->excuse, x->rule) || x->suppressed)
			continue;
		uint32_t kept = 0, dropped = 0;
		for (uint32_t k = 0; k < x->places; k++)
			if (x->place[k].file == m->mark->at.file)
				dropped++;
			else
				x->place[kept++] = x->place[k];
		m->excuse.is_used |= dropped > 0;
		if (m->excuse.is_expired) {
			x->places = kept + dropped;
			continue;
		}
		if (dropped > 0 && kept == 0)
			suppress(x, m->excuse.reason);
		else
			x->places = kept;
	}
}

/* --- what is said of the excuses ------------------------------------------------------------- */

static struct str rules_of(struct arena *a, const struct excuse *e)
{
	struct str s = STR("*");

	for (size_t i = 0; i < e->rule.n; i++)
		s = i ? arena_printf(a, "%.*s,%s", STR_ARGS(s), e->rule.at[i]->id)
		      : str_of(e->rule.at[i]->id);
	return s;
}

static void judge(struct gate *g, struct facts *f, struct findings *fs,
	const enum severity *severity, const struct excuse *e)
{
	struct str ids = rules_of(&g->arena, e);
	struct finding *said = NULL;

	if (e->is_expired && e->is_used)
		said = gate_find(fs, f, severity, "GT010", "the excuse for %.*s has expired: %.*s",
			STR_ARGS(ids), STR_ARGS(e->reason));
	else if (!e->is_used && !g->is_partial)
		said = gate_find(fs, f, severity, "GT011",
			"the excuse for %.*s meets nothing any more: %.*s", STR_ARGS(ids),
			STR_ARGS(e->reason));
	if (!said)
		return;
	said->at = e->at;
	said->at_line = e->line;
	said->key = arena_printf(&fs->arena, "%.*s %.*s", STR_ARGS(ids), STR_ARGS(e->reason));
}

/* Directories that count, and those that do not. */
static void by_paths(struct gate *g, struct finding *x, const struct gate_place *at)
{
	bool inside = g->conf.paths.n == 0;

	if (at->where != WHERE_SOURCE && at->where != WHERE_SQL)
		return;
	for (size_t i = 0; i < g->conf.paths.n && !inside; i++)
		inside = fits_path(&g->arena, g->conf.paths.at[i], at->path);
	if (!inside)
		suppress(x, STR("outside of paths"));
	for (size_t i = 0; i < g->conf.exclude.n; i++)
		if (fits_path(&g->arena, g->conf.exclude.at[i], at->path))
			suppress(x, STR("excluded"));
}

void excuses_apply(struct gate *g, struct facts *f, struct findings *fs,
	const enum severity *severity)
{
	struct marks marks = {0};
	size_t n = fs->at.n;

	read_marks(g, f, fs, severity, &marks);
	for (size_t i = 0; i < n; i++) {
		struct finding *x = &fs->at.at[i];
		excuse_by_marks(f, x, &marks);
		excuse_by_files(x, &marks);
		struct gate_place at = gate_place(g, f, x);
		for (size_t k = 0; k < g->conf.excuse.n; k++) {
			struct excuse *e = &g->conf.excuse.at[k];
			if (!fits(g, e, f, x, &at))
				continue;
			e->is_used = true;
			if (!e->is_expired)
				suppress(x, e->reason);
		}
		by_paths(g, x, &at);
	}
	for (size_t k = 0; k < g->conf.excuse.n; k++)
		judge(g, f, fs, severity, &g->conf.excuse.at[k]);
	for (size_t i = 0; i < marks.at.n; i++) {
		judge(g, f, fs, severity, &marks.at.at[i].excuse);
		VEC_RELEASE(&marks.at.at[i].excuse.rule);
	}
	VEC_RELEASE(&marks.at);
}
