/* SPDX-License-Identifier: ISC
 *
 * pg_ident.conf, as in PostgreSQL 16: a line is  MAP  SYSTEM-USER  DATABASE-USER.
 *
 *   system user     /expression      a regular expression (auth_regex.c)
 *   database user   all              fits every one; unquoted, as the next
 *                   +role            fits who is a member of that role
 *                   /expression      fits whom it matches
 *                   … \1 …          the first group of the system user's expression, once
 */
#include "auth.h"
#include "auth_token.h"

#include <stdatomic.h>

enum user_kind { USER_PLAIN, USER_ALL, USER_ROLE, USER_REGEX };

struct mapping {
	char *map, *system, *user; /* user: without the + of a role */
	bool system_is_regex;
	enum user_kind kind;
	regex_t system_re, user_re;
	unsigned group; /* \1 of system_re */
};

struct auth_ident {
	atomic_int refs;
	struct mapping *items;
	size_t count;
};

static bool read_regex(const struct token_line *l, const char *text, regex_t *re, unsigned *group,
	struct buf *err)
{
	char why[128];

	if (regex_compile(re, text + 1, group, why, sizeof why))
		return true;
	token_error(err, l->path, l->line, "invalid regular expression \"%s\": %s", text + 1, why);
	return false;
}

static bool read_mapping(const struct token_line *l, struct mapping *m, struct buf *err)
{
	const struct token *user;

	memset(m, 0, sizeof *m);
	if (l->count != 3 || l->fields[1].count != 1 || l->fields[2].count != 1 ||
		l->fields[0].count != 1) {
		token_error(err, l->path, l->line,
			"a line has three fields: map, system user, database user");
		return false;
	}
	user = &l->fields[2].tokens[0];
	m->map = mem_strdup(l->fields[0].tokens[0].text);
	m->system = mem_strdup(l->fields[1].tokens[0].text);
	m->user = mem_strdup(user->text + (!user->quoted && user->text[0] == '+'));
	if (m->system[0] == '/') {
		if (!read_regex(l, m->system, &m->system_re, &m->group, err))
			return false;
		m->system_is_regex = true;
	}
	if (user->text[0] == '/') {
		if (!read_regex(l, m->user, &m->user_re, NULL, err))
			return false;
		m->kind = USER_REGEX;
	} else if (!user->quoted && user->text[0] == '+') {
		m->kind = USER_ROLE;
	} else if (!user->quoted && strcmp(m->user, "all") == 0) {
		m->kind = USER_ALL;
	}
	if (m->system_is_regex && m->kind == USER_PLAIN && strstr(m->user, "\\1") && !m->group) {
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
		if (m->system_is_regex)
			regfree(&m->system_re);
		if (m->kind == USER_REGEX)
			regfree(&m->user_re);
		free(m->map);
		free(m->system);
		free(m->user);
	}
	free(it->items);
	free(it);
}

/* Is `user` the mapping's, with its first \1 replaced by that part of the system user? */
static bool is_named(const struct mapping *m, const char *system_user, const regmatch_t *part,
	const char *user)
{
	const char *at = m->system_is_regex ? strstr(m->user, "\\1") : NULL;
	struct buf want = {0};
	bool same;

	if (!at)
		return strcmp(m->user, user) == 0;
	buf_put(&want, m->user, (size_t)(at - m->user));
	if (part->rm_so >= 0)
		buf_put(&want, system_user + part->rm_so, (size_t)(part->rm_eo - part->rm_so));
	buf_put_str(&want, at + 2);
	same = strcmp(buf_cstr(&want), user) == 0;
	buf_free(&want);
	return same;
}

static enum auth_fact mapping_allows(const struct mapping *m, const char *system_user,
	const char *user, auth_member_fn *is_member, void *arg)
{
	regmatch_t at[REGEX_GROUPS + 1];
	bool yes = false;

	if (m->system_is_regex ? regexec(&m->system_re, system_user, REGEX_GROUPS + 1, at, 0) != 0
			       : strcmp(m->system, system_user) != 0)
		return FACT_NO;
	switch (m->kind) {
	case USER_ALL:
		yes = true;
		break;
	case USER_ROLE:
		if (strcmp(m->user, user) != 0)
			return is_member ? is_member(arg, user, m->user) : FACT_FAILED;
		yes = true;
		break;
	case USER_REGEX:
		yes = regexec(&m->user_re, user, 0, NULL, 0) == 0;
		break;
	case USER_PLAIN:
		yes = is_named(m, system_user, &at[m->group], user);
		break;
	}
	return yes ? FACT_YES : FACT_NO;
}

enum auth_fact auth_ident_allows(const struct auth_ident *i, const char *map,
	const char *system_user, const char *user, auth_member_fn *is_member, void *arg)
{
	if (!map || !*map)
		return strcmp(system_user, user) == 0 ? FACT_YES : FACT_NO;
	for (size_t k = 0; i && k < i->count; k++) {
		enum auth_fact allows;
		if (strcmp(i->items[k].map, map) != 0)
			continue;
		allows = mapping_allows(&i->items[k], system_user, user, is_member, arg);
		if (allows != FACT_NO)
			return allows;
	}
	return FACT_NO;
}

bool auth_ident_has(const struct auth_ident *i, const char *map)
{
	for (size_t k = 0; i && k < i->count; k++)
		if (strcmp(i->items[k].map, map) == 0)
			return true;
	return false;
}
