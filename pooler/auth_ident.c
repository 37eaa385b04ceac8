/* SPDX-License-Identifier: ISC
 *
 * pg_ident.conf: a line is  MAP  SYSTEM-USER  DATABASE-USER.  A system user that begins with a
 * slash is a regular expression (POSIX extended); \1 in the database user stands for its first
 * group.  A database user that is the word all, unquoted, fits every one.
 */
#include "auth.h"
#include "auth_token.h"

#include <stdatomic.h>

struct mapping {
	char *map, *system, *user;
	bool is_regex, any_user;
	regex_t re;
};

struct auth_ident {
	atomic_int refs;
	struct mapping *items;
	size_t count;
};

static bool read_mapping(const struct token_line *l, struct mapping *m, struct buf *err)
{
	char why[128];

	memset(m, 0, sizeof *m);
	if (l->count != 3 || l->fields[1].count != 1 || l->fields[2].count != 1 ||
		l->fields[0].count != 1) {
		token_error(err, l->path, l->line,
			"a line has three fields: map, system user, database user");
		return false;
	}
	m->map = mem_strdup(l->fields[0].tokens[0].text);
	m->system = mem_strdup(l->fields[1].tokens[0].text);
	m->user = mem_strdup(l->fields[2].tokens[0].text);
	m->any_user = !l->fields[2].tokens[0].quoted && strcmp(m->user, "all") == 0;
	if (m->system[0] != '/')
		return true;
	if (!regex_compile(&m->re, m->system + 1, REG_EXTENDED, why, sizeof why)) {
		token_error(err, l->path, l->line, "invalid regular expression \"%s\": %s",
			m->system + 1, why);
		return false;
	}
	m->is_regex = true;
	if (strstr(m->user, "\\1") && m->re.re_nsub < 1) {
		token_error(err, l->path, l->line,
			"regular expression \"%s\" has no subexpressions as requested by "
			"backreference in \"%s\"",
			m->system + 1, m->user);
		return false;
	}
	return true;
}

static struct auth_ident *ident_build(struct token_file *f, bool ok, struct buf *err)
{
	struct auth_ident *id = mem_zalloc(sizeof *id);

	id->refs = 1;
	id->items = mem_zalloc((f->count ? f->count : 1) * sizeof *id->items);
	for (size_t i = 0; i < f->count; i++)
		if (!read_mapping(&f->lines[i], &id->items[id->count++], err))
			ok = false;
	token_release(f);
	if (!ok)
		auth_ident_drop(&id);
	return id;
}

struct auth_ident *auth_ident_parse(const char *text, size_t len, const char *path, struct buf *err)
{
	struct token_file f;
	bool ok = token_parse(&f, text, len, path, err);

	return ident_build(&f, ok, err);
}

struct auth_ident *auth_ident_load(const char *path, struct buf *err)
{
	struct token_file f;
	bool ok = token_load(&f, path, "auth_ident_file", err);

	return ident_build(&f, ok, err);
}

struct auth_ident *auth_ident_ref(struct auth_ident *i)
{
	atomic_fetch_add(&i->refs, 1);
	return i;
}

void auth_ident_drop(struct auth_ident **i)
{
	struct auth_ident *it = *i;

	*i = NULL;
	if (!it || atomic_fetch_sub(&it->refs, 1) != 1)
		return;
	for (size_t k = 0; k < it->count; k++) {
		struct mapping *m = &it->items[k];
		if (m->is_regex)
			regfree(&m->re);
		free(m->map);
		free(m->system);
		free(m->user);
	}
	free(it->items);
	free(it);
}

/* The database user with every \1 replaced by the first group. */
static bool regex_allows(const struct mapping *m, const char *system_user, const char *user)
{
	regmatch_t at[2];
	struct buf want = {0};
	bool same;

	if (regexec(&m->re, system_user, 2, at, 0) != 0)
		return false;
	if (m->any_user)
		return true;
	for (const char *p = m->user; *p; p++) {
		if (p[0] == '\\' && p[1] == '1') {
			if (at[1].rm_so >= 0)
				buf_put(&want, system_user + at[1].rm_so,
					(size_t)(at[1].rm_eo - at[1].rm_so));
			p++;
		} else {
			buf_put_u8(&want, (uint8_t)*p);
		}
	}
	same = strcmp(buf_cstr(&want), user) == 0;
	buf_free(&want);
	return same;
}

bool auth_ident_allows(const struct auth_ident *i, const char *map, const char *system_user,
	const char *user)
{
	if (!map || !*map)
		return strcmp(system_user, user) == 0;
	for (size_t k = 0; i && k < i->count; k++) {
		const struct mapping *m = &i->items[k];
		if (strcmp(m->map, map) != 0)
			continue;
		if (m->is_regex ? regex_allows(m, system_user, user)
				: strcmp(m->system, system_user) == 0 &&
					  (m->any_user || strcmp(m->user, user) == 0))
			return true;
	}
	return false;
}

bool auth_ident_has(const struct auth_ident *i, const char *map)
{
	for (size_t k = 0; i && k < i->count; k++)
		if (strcmp(i->items[k].map, map) == 0)
			return true;
	return false;
}
