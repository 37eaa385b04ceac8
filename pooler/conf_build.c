/* SPDX-License-Identifier: ISC
 *
 * Lines -> struct conf.  Defaults first, then the lines in their order, so that the later
 * of two wins; a database, user or peer given twice is the later line alone, as a whole.
 * Every line is judged, whatever was wrong before it.
 */
#include "conf_own.h"

#include <ctype.h>

static const char *const scope_sections[CONF_SCOPES] = {
	[CONF_IN_POOLER] = "[pooler]",
	[CONF_IN_DATABASE] = "[databases]",
	[CONF_IN_USER] = "[users]",
	[CONF_IN_PEER] = "[peers]",
};

struct builder {
	struct conf *conf;
	struct conf_report *report;
};

/* --- one setting --------------------------------------------------------------- */

static void value_default(const struct conf_setting *s, enum conf_scope scope, union conf_value *v)
{
	struct buf err = {0};

	memset(v, 0, sizeof *v);
	if (scope != CONF_IN_POOLER && (!s->def || s->at[CONF_IN_POOLER].kind != CONF_ABSENT)) {
		value_unset(s->at[scope], v);
	} else if (!s->def) {
		if (s->at[scope].kind == CONF_KIND_TEXT)
			v->text = "";
	} else if (!value_parse(s, s->def, v, &err)) {
		log_die(LOG_PART_CONF, "the table's own default: %s", buf_cstr(&err));
	}
	buf_free(&err);
}

static void defaults(void *base, enum conf_scope scope)
{
	for (size_t i = 0; i < conf_settings_count; i++) {
		const struct conf_setting *s = &conf_settings[i];
		union conf_value v;

		if (s->at[scope].kind == CONF_ABSENT)
			continue;
		value_default(s, scope, &v);
		value_store(base, s->at[scope], &v);
	}
}

/* "no setting x; did you mean y?", or in which section it would be right. */
void conf_say_unknown(enum conf_scope scope, const char *key, struct buf *out)
{
	struct near near = {.word = key};
	const char *sep = " ";
	bool known = false;

	for (int i = 0; i < CONF_SCOPES; i++) {
		if (!conf_setting_find((enum conf_scope)i, key))
			continue;
		if (!known)
			buf_printf(out, "\"%s\" cannot be set in %s, but in", key,
				scope_sections[scope]);
		buf_printf(out, "%s%s", sep, scope_sections[i]);
		sep = " or ";
		known = true;
	}
	if (known)
		return;
	for (size_t i = 0; i < conf_settings_count; i++) {
		const struct conf_setting *s = &conf_settings[i];

		if (s->at[scope].kind == CONF_ABSENT)
			continue;
		near_offer(&near, s->name);
		if (s->pgbouncer)
			near_offer(&near, s->pgbouncer);
		for (size_t a = 0; a < ARRAY_LEN(s->alias) && s->alias[a]; a++)
			near_offer(&near, s->alias[a]);
	}
	buf_printf(out, "no setting \"%s\" in %s", key, scope_sections[scope]);
	near_print(&near, out);
}

/* --- [pooler] -------------------------------------------------------------------- */

static void pooler_line(struct builder *b, const struct conf_line *line)
{
	const struct conf_setting *s = conf_setting_find(CONF_IN_POOLER, line->key);
	const struct conf_line **source;
	union conf_value v = {0};
	struct buf err = {0};

	if (!s) {
		if (!report_is_full(b->report)) /* guessing is dear */
			conf_say_unknown(CONF_IN_POOLER, line->key, &err);
		report_error(b->report, line->file, line->line, "%s", buf_cstr(&err));
	} else if (!value_parse(s, line->value, &v, &err)) {
		report_error(b->report, line->file, line->line, "%s", buf_cstr(&err));
	} else {
		value_store(&b->conf->p, s->at[CONF_IN_POOLER], &v);
		source = &b->conf->own->source[s - conf_settings];
		if (*source && (*source)->file && line->file &&
			strcmp((*source)->key, line->key) != 0)
			report_warning(b->report, line->file, line->line,
				"%s is another word for %s, which %s:%d set to \"%s\": the later "
				"one holds",
				line->key, (*source)->key, (*source)->file, (*source)->line,
				s->type == CONF_SECRET ? "********" : (*source)->value);
		*source = line;
	}
	buf_free(&err);
}

/* --- databases, users, peers -------------------------------------------------------- */

/* One pair of a line's value into the struct of its scope. */
static bool pair_store(struct builder *b, const struct conf_line *line, enum conf_scope scope,
	void *base, const char *key, const char *value)
{
	const struct conf_setting *s = conf_setting_find(scope, key);
	union conf_value v = {0};
	struct buf err = {0};
	bool ok = false;

	if (!s) {
		if (!report_is_full(b->report))
			conf_say_unknown(scope, key, &err);
	} else if (!*value && (s->at[CONF_IN_POOLER].kind != CONF_KIND_TEXT)) {
		buf_printf(&err, "%s='' is empty: leave it out to leave it unset", key);
	} else if (strcmp(value, "-1") == 0 && s->at[scope].kind != CONF_KIND_TEXT) {
		value_unset(s->at[scope], &v); /* PgBouncer's way to say so */
		ok = true;
	} else if (value_parse(s, value, &v, &err)) {
		if (s->zero_inherits && !v.i && !v.time)
			value_unset(s->at[scope], &v);
		ok = true;
	}
	if (ok)
		value_store(base, s->at[scope], &v);
	else
		report_error(b->report, line->file, line->line, "%s: %s", line->key,
			buf_cstr(&err));
	buf_free(&err);
	return ok;
}

/* Fills `base` with the scope's defaults and the pairs of the line. */
static void pairs_store(struct builder *b, const struct conf_line *line, enum conf_scope scope,
	void *base)
{
	const char *p = line->value, *key = NULL, *value;
	struct buf err = {0};
	int got;

	defaults(base, scope);
	while ((got = ini_pair_next(&b->conf->own->arena, &p, &key, &value, &err)) > 0)
		pair_store(b, line, scope, base, key, value);
	if (got < 0)
		report_error(b->report, line->file, line->line, "%s: %s", line->key,
			buf_cstr(&err));
	buf_free(&err);
}

static void build_database(struct builder *b, const struct conf_line *line, void *item)
{
	struct conf_database *db = item;

	if (conf_is_console(line->key))
		report_error(b->report, line->file, line->line,
			"the database name \"%s\" is reserved for the console", line->key);
	pairs_store(b, line, CONF_IN_DATABASE, db);
	db->name = line->key;
	db->is_autodb = strcmp(line->key, "*") == 0;
	if (!db->port)
		db->port = db->service ? "" : "5432";
	db->file = line->file;
	db->line = line->line;
	if (db->password && !db->user)
		report_warning(b->report, line->file, line->line,
			"%s: password has no effect without user", line->key);
}

static void build_user(struct builder *b, const struct conf_line *line, void *item)
{
	struct conf_user *user = item;

	pairs_store(b, line, CONF_IN_USER, user);
	user->name = line->key;
	user->file = line->file;
	user->line = line->line;
}

static void build_peer(struct builder *b, const struct conf_line *line, void *item)
{
	struct conf_peer *peer = item;
	const char *p = line->key;

	pairs_store(b, line, CONF_IN_PEER, peer);
	peer->file = line->file;
	peer->line = line->line;
	for (; isdigit((unsigned char)*p) && peer->id <= 65535; p++)
		peer->id = peer->id * 10 + (*p - '0');
	if (*p || peer->id < 1 || peer->id > 65535)
		report_error(b->report, line->file, line->line,
			"\"%s\" is no peer_id: a number from 1 to 65535 is", line->key);
	if (!peer->host) {
		report_error(b->report, line->file, line->line, "%s: a peer needs a host",
			line->key);
		peer->host = "";
	}
}

/* The sorting key of a line: names as they are, peers by number. */
struct entry {
	const struct conf_line *line;
	size_t seq;
};

static int entry_compare(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	int d = strcmp(x->line->key, y->line->key);

	if (d == 0)
		d = (x->seq > y->seq) - (x->seq < y->seq);
	return d;
}

/* Builds the array of one section, sorted by name; of equal names the last. */
static void *build_section(struct builder *b, enum conf_section section, size_t item_size,
	void (*build)(struct builder *, const struct conf_line *, void *), size_t *count)
{
	struct conf_own *own = b->conf->own;
	struct entry *entries = mem_zalloc((own->n_lines + 1) * sizeof *entries);
	size_t n = 0, kept = 0;
	char *items, *spare;

	for (size_t i = 0; i < own->n_lines; i++) {
		if (own->lines[i]->section != section)
			continue;
		entries[n] = (struct entry){own->lines[i], n};
		n++;
	}
	qsort(entries, n, sizeof *entries, entry_compare);
	items = arena_alloc(&own->arena, (n + 1) * item_size);
	spare = items + n * item_size; /* what is overridden is judged all the same */
	for (size_t i = 0; i < n; i++) {
		bool last =
			i + 1 == n || strcmp(entries[i].line->key, entries[i + 1].line->key) != 0;

		build(b, entries[i].line, last ? items + kept++ * item_size : spare);
		memset(spare, 0, item_size);
	}
	free(entries);
	*count = kept;
	return items;
}

static int peer_compare(const void *a, const void *b)
{
	return ((const struct conf_peer *)a)->id - ((const struct conf_peer *)b)->id;
}

/* "*" sorts among the names; it is taken out. */
static void autodb_take(struct conf *c, struct conf_database *databases)
{
	for (size_t i = 0; i < c->n_databases; i++) {
		struct conf_database *db;

		if (!databases[i].is_autodb)
			continue;
		db = arena_alloc(&c->own->arena, sizeof *db);
		*db = databases[i];
		c->autodb = db;
		memmove(&databases[i], &databases[i + 1],
			(c->n_databases - i - 1) * sizeof *databases);
		c->n_databases--;
		return;
	}
}

void conf_build(struct conf *c, struct conf_report *r)
{
	struct builder b = {.conf = c, .report = r};
	struct conf_database *databases;
	struct conf_peer *peers;

	defaults(&c->p, CONF_IN_POOLER);
	for (size_t i = 0; i < c->own->n_lines; i++)
		if (c->own->lines[i]->section == CONF_SECTION_POOLER)
			pooler_line(&b, c->own->lines[i]);
	if (!*c->p.conffile)
		c->p.conffile = c->own->path;

	databases = build_section(&b, CONF_SECTION_DATABASES, sizeof *databases, build_database,
		&c->n_databases);
	autodb_take(c, databases);
	c->databases = databases;
	c->users = build_section(&b, CONF_SECTION_USERS, sizeof *c->users, build_user, &c->n_users);
	peers = build_section(&b, CONF_SECTION_PEERS, sizeof *peers, build_peer, &c->n_peers);
	qsort(peers, c->n_peers, sizeof *peers, peer_compare);
	for (size_t i = 1; i < c->n_peers; i++)
		if (peers[i].id == peers[i - 1].id)
			report_error(r, peers[i].file, peers[i].line,
				"peer %d is given twice, under two spellings", peers[i].id);
	c->peers = peers;
}
