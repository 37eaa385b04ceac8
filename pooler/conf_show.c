/* SPDX-License-Identifier: ISC
 *
 * SHOW CONFIG, and what differs between two snapshots.
 */
#include "conf_own.h"

/* --- SHOW CONFIG ------------------------------------------------------------------ */

struct shown_key {
	const char *key;
	const struct conf_setting *setting;
};

static int shown_compare(const void *a, const void *b)
{
	return strcmp(((const struct shown_key *)a)->key, ((const struct shown_key *)b)->key);
}

static void print_default(const struct conf_setting *s, struct buf *out)
{
	union conf_value v = {0};
	struct buf err = {0};

	if (s->type == CONF_OCTAL || !value_parse(s, s->def, &v, &err))
		buf_put_str(out, s->def);
	else
		value_print(s, &v, out);
	buf_free(&err);
}

static void print_source(const struct conf_line *line, struct buf *out)
{
	if (!line)
		buf_put_str(out, "default");
	else if (line->origin == CONF_FROM_COMMAND_LINE)
		buf_put_str(out, "command line");
	else if (line->origin == CONF_FROM_CONSOLE)
		buf_put_str(out, "console");
	else
		buf_printf(out, "%s:%d", line->file, line->line);
}

static void show_one(const struct conf *c, const struct shown_key *k,
	void (*fn)(void *arg, const struct conf_shown *s), void *arg)
{
	const struct conf_setting *s = k->setting;
	struct buf value = {0}, def = {0}, source = {0};
	union conf_value v;

	value_load(&c->p, s->at[CONF_IN_POOLER], &v);
	value_print(s, &v, &value);
	if (s->def)
		print_default(s, &def);
	print_source(c->own->source[s - conf_settings], &source);
	fn(arg, &(struct conf_shown){
			.key = k->key,
			.value = buf_cstr(&value),
			.def = s->def ? buf_cstr(&def) : NULL,
			.changeable = !s->restart,
			.source = buf_cstr(&source),
			.setting = s,
		});
	buf_free(&value);
	buf_free(&def);
	buf_free(&source);
}

void conf_each_setting(const struct conf *c, void (*fn)(void *arg, const struct conf_shown *s),
	void *arg)
{
	struct shown_key *keys = mem_alloc(2 * conf_settings_count * sizeof *keys);
	size_t n = 0;

	for (size_t i = 0; i < conf_settings_count; i++) {
		const struct conf_setting *s = &conf_settings[i];

		if (s->at[CONF_IN_POOLER].kind == CONF_ABSENT)
			continue;
		keys[n++] = (struct shown_key){s->name, s};
		if (s->pgbouncer)
			keys[n++] = (struct shown_key){s->pgbouncer, s};
	}
	qsort(keys, n, sizeof *keys, shown_compare);
	for (size_t i = 0; i < n; i++)
		show_one(c, &keys[i], fn, arg);
	free(keys);
}

/* --- differences -------------------------------------------------------------------- */

static void print_or_unset(const struct conf_setting *s, struct conf_at at,
	const union conf_value *v, struct buf *out)
{
	if (value_is_unset(at, v))
		buf_put_str(out, "unset");
	else if (at.kind == CONF_KIND_TEXT && !*v->text)
		buf_put_str(out, "empty");
	else
		value_print(s, v, out);
}

/* The settings of one scope in two structs; `who` stands before each line. */
static size_t diff_scope(enum conf_scope scope, const char *kind, const char *who, const void *a,
	const void *b, struct buf *out)
{
	size_t n = 0;

	for (size_t i = 0; i < conf_settings_count; i++) {
		const struct conf_setting *s = &conf_settings[i];
		struct conf_at at = s->at[scope];
		union conf_value va, vb;

		if (at.kind == CONF_ABSENT)
			continue;
		value_load(a, at, &va);
		value_load(b, at, &vb);
		if (value_equal(at, &va, &vb))
			continue;
		if (kind)
			buf_printf(out, "%s %s: ", kind, who);
		buf_printf(out, "%s: ", s->name);
		if (s->type == CONF_SECRET) {
			buf_put_str(out, "changed");
		} else {
			print_or_unset(s, at, &va, out);
			buf_put_str(out, " -> ");
			print_or_unset(s, at, &vb, out);
		}
		if (scope == CONF_IN_POOLER && s->restart)
			buf_put_str(out, " (needs a restart)");
		else if (s->ignored)
			buf_put_str(out, " (has no effect)");
		buf_put_u8(out, '\n');
		n++;
	}
	return n;
}

/* Two sorted arrays side by side: who was added, who removed, who changed. */
struct side {
	const char *items;
	size_t n;
};

static size_t diff_items(enum conf_scope scope, const char *kind, size_t size, struct side a,
	struct side b, const char *(*name)(const void *item),
	int (*compare)(const void *, const void *), struct buf *out)
{
	size_t i = 0, j = 0, n = 0;

	while (i < a.n || j < b.n) {
		const char *x = i < a.n ? a.items + i * size : NULL;
		const char *y = j < b.n ? b.items + j * size : NULL;
		int d = !x ? 1 : !y ? -1 : compare(x, y);

		if (d == 0)
			n += diff_scope(scope, kind, name(x), x, y, out);
		else
			buf_printf(out, "%s %s: %s\n", kind, name(d < 0 ? x : y),
				d < 0 ? "removed" : "added");
		n += d != 0;
		i += d <= 0;
		j += d >= 0;
	}
	return n;
}

static const char *database_name(const void *item)
{
	return ((const struct conf_database *)item)->name;
}

static int database_compare(const void *a, const void *b)
{
	return strcmp(database_name(a), database_name(b));
}

static const char *user_name(const void *item)
{
	return ((const struct conf_user *)item)->name;
}

static int user_compare(const void *a, const void *b)
{
	return strcmp(user_name(a), user_name(b));
}

static const char *peer_name(const void *item)
{
	static _Thread_local char text[12];

	snprintf(text, sizeof text, "%d", ((const struct conf_peer *)item)->id);
	return text;
}

static int peer_compare(const void *a, const void *b)
{
	return ((const struct conf_peer *)a)->id - ((const struct conf_peer *)b)->id;
}

static struct side side_of(const void *items, size_t n)
{
	return (struct side){items, n};
}

size_t conf_diff(const struct conf *old, const struct conf *new_, struct buf *out)
{
	size_t n = diff_scope(CONF_IN_POOLER, NULL, NULL, &old->p, &new_->p, out);

	n += diff_items(CONF_IN_DATABASE, "database", sizeof *old->databases,
		side_of(old->databases, old->n_databases),
		side_of(new_->databases, new_->n_databases), database_name, database_compare, out);
	n += diff_items(CONF_IN_DATABASE, "database", sizeof *old->autodb,
		side_of(old->autodb, old->autodb != NULL),
		side_of(new_->autodb, new_->autodb != NULL), database_name, database_compare, out);
	n += diff_items(CONF_IN_USER, "user", sizeof *old->users, side_of(old->users, old->n_users),
		side_of(new_->users, new_->n_users), user_name, user_compare, out);
	n += diff_items(CONF_IN_PEER, "peer", sizeof *old->peers, side_of(old->peers, old->n_peers),
		side_of(new_->peers, new_->n_peers), peer_name, peer_compare, out);
	return n;
}
