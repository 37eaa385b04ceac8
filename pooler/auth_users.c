/* SPDX-License-Identifier: ISC
 *
 * The user list, in PgBouncer's format: a line is  "user" "secret"  and whatever follows is
 * ignored; a double quote inside is doubled; lines that begin with ; or # are comments.
 * A user may have several lines.
 *
 * Users are sorted by name; each has its secrets in the order of the file.
 */
#include "auth.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <unistd.h>

#define USER_NAME_MAX  128 /* bytes, as in PgBouncer */
#define USERS_FILE_MAX (256u << 20)

struct auth_users {
	atomic_int refs;
	struct auth_user *items;
	size_t count;
};

/* --- one user ------------------------------------------------------------- */

static void user_add_secret(struct auth_user *u, const struct auth_secret *secret)
{
	struct auth_secret *more = secret_alloc((u->count + 1) * sizeof *more);

	if (u->count)
		memcpy(more, u->secrets, u->count * sizeof *more);
	secret_free(u->secrets);
	more[u->count++] = *secret;
	u->secrets = more;
}

/* Gives the plain secrets of a user their salt: that of the first SCRAM secret, so that one
 * exchange can prove either, else a random one. */
static void user_salt(struct auth_user *u, uint32_t iterations)
{
	struct scram_keys base = {.iterations = iterations, .salt_len = 16};
	bool found = false;

	for (size_t i = 0; i < u->count && !found; i++)
		if (u->secrets[i].kind == SECRET_SCRAM) {
			base = u->secrets[i].keys;
			found = true;
		}
	if (!found && !secret_random(base.salt, 16))
		log_die(LOG_PART_AUTH, "no random numbers from OpenSSL");
	for (size_t i = 0; i < u->count; i++) {
		struct scram_keys *k = &u->secrets[i].keys;
		if (u->secrets[i].kind != SECRET_PLAIN)
			continue;
		k->iterations = base.iterations;
		k->salt_len = base.salt_len;
		memcpy(k->salt, base.salt, base.salt_len);
	}
}

static void user_release(struct auth_user *u)
{
	for (size_t i = 0; i < u->count; i++)
		secret_release(&u->secrets[i]);
	secret_free(u->secrets);
	free(u->name);
}

struct auth_user *auth_user_new(const char *name, const char *secret, uint32_t iterations)
{
	struct auth_user *u = mem_zalloc(sizeof *u);

	u->refs = 1;
	u->name = mem_strdup(name);
	if (secret && !auth_user_add(u, secret, iterations))
		auth_user_drop(&u);
	return u;
}

bool auth_user_add(struct auth_user *u, const char *secret, uint32_t iterations)
{
	struct auth_secret s;
	const char *why;

	if (!secret_parse(secret, &s, &why))
		return false;
	user_add_secret(u, &s);
	user_salt(u, iterations);
	return true;
}

struct auth_user *auth_user_ref(struct auth_user *u)
{
	u->refs++;
	return u;
}

void auth_user_drop(struct auth_user **u)
{
	if (*u && --(*u)->refs == 0) {
		user_release(*u);
		free(*u);
	}
	*u = NULL;
}

struct auth_secret *auth_user_underived(const struct auth_user *u)
{
	for (size_t i = 0; i < u->count; i++)
		if (u->secrets[i].kind == SECRET_PLAIN && !u->secrets[i].has_keys)
			return &u->secrets[i];
	return NULL;
}

unsigned auth_user_salts(const struct auth_user *u)
{
	unsigned sets = 0;

	for (size_t i = 0; i < u->count; i++) {
		bool first = u->secrets[i].kind != SECRET_MD5;
		for (size_t j = 0; j < i && first; j++)
			first = u->secrets[j].kind == SECRET_MD5 ||
				!scram_keys_same_salt(&u->secrets[j].keys, &u->secrets[i].keys);
		sets += first;
	}
	return sets;
}

/* --- the file ------------------------------------------------------------- */

struct reader {
	const char *p, *end;
	const char *path;
	unsigned line;
	struct buf *err;
};

static void complain(struct reader *r, unsigned line, const char *what)
{
	buf_printf(r->err, "%s%s:%u: %s", r->err->len ? "\n" : "", r->path, line, what);
}

static void skip_line(struct reader *r)
{
	while (r->p < r->end && *r->p != '\n')
		r->p++;
}

static void skip_blanks(struct reader *r)
{
	while (r->p < r->end && (*r->p == ' ' || *r->p == '\t' || *r->p == '\r'))
		r->p++;
}

/* A quoted text on one line.  false: there is none, or it has no end. */
static bool read_quoted(struct reader *r, struct buf *out)
{
	out->len = 0;
	if (r->p >= r->end || *r->p != '"')
		return false;
	for (r->p++; r->p < r->end && *r->p != '\n' && *r->p != '\0'; r->p++) {
		if (*r->p == '"') {
			r->p++;
			if (r->p >= r->end || *r->p != '"')
				return true;
		}
		buf_put_u8(out, (uint8_t)*r->p);
	}
	return false;
}

static int by_name(const void *a, const void *b)
{
	const struct auth_user *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static int by_name_and_line(const void *a, const void *b)
{
	const struct auth_user *x = a, *y = b;
	int order = by_name(a, b);

	return order ? order : (x->line > y->line) - (x->line < y->line);
}

/* Merges users of the same name, which stand together, in file order. */
static void merge_users(struct auth_users *users)
{
	size_t kept = 0;

	for (size_t i = 0; i < users->count; i++) {
		struct auth_user *u = &users->items[i];
		if (kept && strcmp(users->items[kept - 1].name, u->name) == 0) {
			if (u->count)
				user_add_secret(&users->items[kept - 1], &u->secrets[0]);
			secret_free(u->secrets);
			free(u->name);
		} else {
			users->items[kept++] = *u;
		}
	}
	users->count = kept;
}

static void read_entry(struct reader *r, struct auth_users *users, size_t *room, struct buf *text)
{
	struct auth_user u = {.line = r->line};
	struct auth_secret secret;
	const char *why = NULL;
	unsigned line = r->line;

	if (!read_quoted(r, text)) {
		complain(r, line, "expected \"user\" \"secret\", each in double quotes");
		return;
	}
	if (text->len == 0 || text->len >= USER_NAME_MAX) {
		complain(r, line,
			text->len ? "the user name is longer than 127 bytes"
				  : "the user name is empty");
		return;
	}
	u.name = mem_strdup(buf_cstr(text));
	skip_blanks(r);
	if (!read_quoted(r, text)) {
		why = "expected a secret in double quotes behind the user name";
	} else if (text->len == 0 || secret_parse(buf_cstr(text), &secret, &why)) {
		if (text->len) /* an empty secret is none: nobody enters with an empty password */
			user_add_secret(&u, &secret);
		if (users->count == *room) {
			*room = *room ? *room * 2 : 16;
			users->items = mem_realloc(users->items, *room * sizeof *users->items);
		}
		users->items[users->count++] = u;
		return;
	}
	complain(r, line, why);
	free(u.name);
}

struct auth_users *auth_users_parse(const char *text, size_t len, const char *path,
	uint32_t iterations, struct buf *err)
{
	struct reader r = {.p = text, .end = text + len, .path = path, .line = 1, .err = err};
	struct auth_users *users = mem_zalloc(sizeof *users);
	struct buf word = {0};
	size_t room = 0, before = err->len;

	users->refs = 1;
	for (; r.p < r.end; r.p++, r.line++) {
		skip_blanks(&r);
		if (r.p < r.end && *r.p != '\n' && *r.p != ';' && *r.p != '#')
			read_entry(&r, users, &room, &word);
		skip_line(&r);
	}
	if (word.data)
		mem_wipe(word.data, word.size);
	buf_free(&word);
	if (users->count > 1)
		qsort(users->items, users->count, sizeof *users->items, by_name_and_line);
	merge_users(users);
	for (size_t i = 0; i < users->count; i++)
		user_salt(&users->items[i], iterations);
	if (err->len > before)
		auth_users_drop(&users);
	return users;
}

/* Reads a whole file into secret memory; NULL with errno. */
static char *read_secret_file(const char *path, size_t *len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *text = NULL;
	struct stat st;
	size_t have = 0;
	ssize_t n = -1;

	if (fd < 0)
		return NULL;
	if (fstat(fd, &st) == 0 && st.st_size <= USERS_FILE_MAX) {
		size_t room = (size_t)st.st_size + 1;
		text = secret_alloc(room);
		while (have < room && (n = read(fd, text + have, room - have)) > 0)
			have += (size_t)n;
	} else {
		errno = EFBIG;
	}
	if (n < 0) {
		secret_free(text);
		text = NULL;
	}
	close(fd);
	*len = have;
	return text;
}

struct auth_users *auth_users_load(const char *path, uint32_t iterations, struct buf *err)
{
	struct auth_users *users;
	size_t len;
	char *text = read_secret_file(path, &len);

	if (!text) {
		buf_printf(err, "cannot read auth_file \"%s\": %s", path, strerror(errno));
		return NULL;
	}
	users = auth_users_parse(text, len, path, iterations, err);
	secret_free(text);
	return users;
}

struct auth_users *auth_users_ref(struct auth_users *u)
{
	atomic_fetch_add(&u->refs, 1);
	return u;
}

void auth_users_drop(struct auth_users **u)
{
	struct auth_users *users = *u;

	*u = NULL;
	if (!users || atomic_fetch_sub(&users->refs, 1) != 1)
		return;
	for (size_t i = 0; i < users->count; i++)
		user_release(&users->items[i]);
	free(users->items);
	free(users);
}

const struct auth_user *auth_users_find(const struct auth_users *u, const char *name)
{
	struct auth_user key = {.name = NULL};
	char *copy;
	const struct auth_user *found;

	if (!u || u->count == 0)
		return NULL;
	copy = mem_strdup(name);
	key.name = copy;
	found = bsearch(&key, u->items, u->count, sizeof *u->items, by_name);
	free(copy);
	return found;
}

size_t auth_users_count(const struct auth_users *u)
{
	return u ? u->count : 0;
}

const struct auth_user *auth_users_at(const struct auth_users *u, size_t i)
{
	return &u->items[i];
}

bool auth_users_have_md5(const struct auth_users *u)
{
	for (size_t i = 0; u && i < u->count; i++)
		for (size_t j = 0; j < u->items[i].count; j++)
			if (u->items[i].secrets[j].kind != SECRET_SCRAM)
				return true;
	return false;
}

unsigned auth_users_scram_only(const struct auth_users *u)
{
	unsigned n = 0;

	for (size_t i = 0; u && i < u->count; i++) {
		bool scram = false, plain = false;
		for (size_t j = 0; j < u->items[i].count; j++) {
			scram = scram || u->items[i].secrets[j].kind == SECRET_SCRAM;
			plain = plain || u->items[i].secrets[j].kind == SECRET_PLAIN;
		}
		n += scram && !plain;
	}
	return n;
}

/* Takes over salt and keys where every secret is the same as before: a user's plain secrets
 * share one salt, so it is all of them or none. */
static void user_inherit(struct auth_user *u, const struct auth_user *old)
{
	if (!old || old->count != u->count)
		return;
	for (size_t i = 0; i < u->count; i++)
		if (strcmp(u->secrets[i].text, old->secrets[i].text) != 0)
			return;
	for (size_t i = 0; i < u->count; i++) {
		u->secrets[i].keys = old->secrets[i].keys;
		u->secrets[i].has_keys = old->secrets[i].has_keys;
	}
}

void auth_users_inherit(struct auth_users *u, const struct auth_users *old)
{
	for (size_t i = 0; i < u->count; i++)
		user_inherit(&u->items[i], auth_users_find(old, u->items[i].name));
}
