/* SPDX-License-Identifier: ISC
 *
 * The ways to a new snapshot: read the files (start), read them again (RELOAD), change
 * one setting (SET, command line).  Each builds a whole new one, checks it whole, and
 * leaves the old one as it was.
 */
#include "conf_own.h"

/* A line of another snapshot, in this one's memory but not among its lines. */
static struct conf_line *line_dup(struct conf *c, const struct conf_line *from)
{
	struct arena *a = &c->own->arena;
	struct conf_line *line = arena_alloc(a, sizeof *line);

	*line = *from;
	line->key = arena_strdup(a, from->key);
	line->value = arena_strdup(a, from->value);
	line->file = from->file ? arena_strdup(a, from->file) : NULL;
	return line;
}

static void line_copy(struct conf *c, const struct conf_line *from)
{
	conf_line_take(c, line_dup(c, from));
}

/* Settings that need a restart keep the value they have in `running`, but for `changing`
 * (may be NULL).  With a report, each difference is said. */
static void restart_settings_keep(struct conf *c, const struct conf *running,
	const struct conf_setting *changing, struct conf_report *r)
{
	for (size_t i = 0; i < conf_settings_count; i++) {
		const struct conf_setting *s = &conf_settings[i];
		struct conf_at at = s->at[CONF_IN_POOLER];
		const struct conf_line *line = c->own->source[i];
		union conf_value now, want;
		struct buf a = {0}, b = {0};

		if (!s->restart || s == changing || at.kind == CONF_ABSENT)
			continue;
		value_load(&running->p, at, &now);
		value_load(&c->p, at, &want);
		if (value_equal(at, &now, &want))
			continue;
		value_print(s, &now, &a);
		value_print(s, &want, &b);
		if (r)
			report_warning(r, line ? line->file : NULL, line ? line->line : 0,
				"%s = \"%s\" needs a restart: \"%s\" stays in effect", s->name,
				buf_cstr(&b), buf_cstr(&a));
		if (at.kind == CONF_KIND_TEXT)
			now.text = arena_strdup(&c->own->arena, now.text);
		value_store(&c->p, at, &now);
		c->own->source[i] = NULL;
		if (running->own->source[i])
			c->own->source[i] = line_dup(c, running->own->source[i]);
		buf_free(&a);
		buf_free(&b);
	}
}

static const struct conf *load(const char *path, const char *text, size_t len,
	const struct conf *running, struct conf_report *r)
{
	struct conf *c = conf_new();
	const struct conf *loaded = c;
	size_t errors_before = r->n_errors;

	c->own->path = arena_strdup(&c->own->arena, path);
	ini_read(c, path, text, len, r);
	for (size_t i = 0; running && i < running->own->n_lines; i++)
		if (running->own->lines[i]->origin == CONF_FROM_COMMAND_LINE)
			line_copy(c, running->own->lines[i]);
	conf_build(c, r);
	if (r->n_errors == errors_before) {
		if (running)
			restart_settings_keep(c, running, NULL, r);
		conf_fit(c, running, r);
	}
	report_sort(r, c->own->files, c->own->n_files);
	if (r->n_errors != errors_before)
		conf_release(&loaded);
	return loaded;
}

const struct conf *conf_load(const char *path, struct conf_report *r)
{
	return load(path, NULL, 0, NULL, r);
}

const struct conf *conf_load_text(const char *path, const char *text, size_t len,
	struct conf_report *r)
{
	return load(path, text, len, NULL, r);
}

const struct conf *conf_reload(const char *path, const struct conf *running, struct conf_report *r)
{
	return load(path, NULL, 0, running, r);
}

/* --- one setting ----------------------------------------------------------------- */

static const struct conf *change(const struct conf *c, const struct conf_setting *s,
	enum conf_origin origin, const char *key, const char *value, struct buf *err)
{
	struct conf *changed = conf_new();
	const struct conf *result = changed;
	struct conf_report report = {0};
	struct conf_line *line;

	changed->own->path = arena_strdup(&changed->own->arena, c->own->path);
	for (size_t i = 0; i < c->own->n_lines; i++)
		line_copy(changed, c->own->lines[i]);
	for (size_t i = 0; i < c->own->n_files; i++)
		conf_file_add(changed, c->own->files[i]);
	line = conf_line_add(changed, CONF_SECTION_POOLER, key, strlen(key), value, strlen(value));
	line->origin = origin;
	conf_build(changed, &report);
	restart_settings_keep(changed, c, s, NULL);
	conf_fit(changed, c, &report);
	if (report.n_errors) {
		buf_put_str(err, report.errors[0].text);
		conf_release(&result);
	}
	conf_report_release(&report);
	return result;
}

static const struct conf_setting *setting_of(const char *key, struct buf *err)
{
	const struct conf_setting *s = conf_setting_find(CONF_IN_POOLER, key);

	if (!s)
		conf_say_unknown(CONF_IN_POOLER, key, err);
	return s;
}

const struct conf *conf_set(const struct conf *c, const char *key, const char *value,
	struct buf *err)
{
	const struct conf_setting *s = setting_of(key, err);

	if (!s)
		return NULL;
	if (s->restart) {
		buf_printf(err, "%s cannot be changed while running: it needs a restart", key);
		return NULL;
	}
	return change(c, s, CONF_FROM_CONSOLE, key, value, err);
}

const struct conf *conf_override(const struct conf *c, const char *key, const char *value,
	struct buf *err)
{
	const struct conf_setting *s = setting_of(key, err);

	return s ? change(c, s, CONF_FROM_COMMAND_LINE, key, value, err) : NULL;
}
