/* SPDX-License-Identifier: ISC
 *
 * A snapshot's life, and the questions that are asked of it.  After conf_build() nothing
 * in it changes but the reference count, so that any thread may ask without a lock.
 */
#include "conf_own.h"

#include <ctype.h>
#include <strings.h>
#include <sys/mman.h>
#include <syslog.h>

/* --- memory ------------------------------------------------------------------ */

/* Blocks come from mmap: MADV_DONTDUMP keeps the passwords among the texts out of core
 * dumps, and works on whole pages. */
#define BLOCK_SIZE 65536

static struct arena_block *block_new(size_t room)
{
	size_t size =
		(sizeof(struct arena_block) + room + BLOCK_SIZE - 1) & ~(size_t)(BLOCK_SIZE - 1);
	struct arena_block *b =
		mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (b == MAP_FAILED)
		log_die(LOG_PART_CONF, "out of memory");
	(void)madvise(b, size, MADV_DONTDUMP);
	b->size = size - sizeof *b;
	return b;
}

void *arena_alloc(struct arena *a, size_t size)
{
	struct arena_block *b = a->blocks;
	void *p;

	size = (size + 15) & ~(size_t)15;
	if (!b || b->size - b->used < size) {
		b = block_new(size);
		b->next = a->blocks;
		a->blocks = b;
	}
	p = b->data + b->used;
	b->used += size;
	return p;
}

char *arena_strndup(struct arena *a, const char *s, size_t n)
{
	char *p = arena_alloc(a, n + 1);

	memcpy(p, s, n);
	return p;
}

char *arena_strdup(struct arena *a, const char *s)
{
	return arena_strndup(a, s, strlen(s));
}

void arena_free(struct arena *a)
{
	while (a->blocks) {
		struct arena_block *b = a->blocks;

		a->blocks = b->next;
		mem_wipe(b->data, b->used);
		munmap(b, sizeof *b + b->size);
	}
}

struct conf *conf_new(void)
{
	struct conf *c = mem_zalloc(sizeof *c);

	c->own = mem_zalloc(sizeof *c->own);
	atomic_init(&c->own->refs, 1);
	c->own->source = arena_alloc(&c->own->arena, conf_settings_count * sizeof *c->own->source);
	c->own->conf = c;
	c->own->path = "";
	return c;
}

void conf_line_take(struct conf *c, struct conf_line *line)
{
	struct conf_own *own = c->own;

	if (own->n_lines == own->lines_size) {
		own->lines_size = own->lines_size ? 2 * own->lines_size : 64;
		own->lines = mem_realloc(own->lines, own->lines_size * sizeof *own->lines);
	}
	own->lines[own->n_lines++] = line;
}

struct conf_line *conf_line_add(struct conf *c, enum conf_section section, const char *key,
	size_t key_len, const char *value, size_t value_len)
{
	struct arena *a = &c->own->arena;
	struct conf_line *line = arena_alloc(a, sizeof *line);

	line->section = section;
	line->key = arena_strndup(a, key, key_len);
	line->value = arena_strndup(a, value, value_len);
	conf_line_take(c, line);
	return line;
}

const char *conf_file_add(struct conf *c, const char *path)
{
	struct conf_own *own = c->own;

	own->files = mem_realloc(own->files, (own->n_files + 1) * sizeof *own->files);
	own->files[own->n_files] = arena_strdup(&own->arena, path);
	return own->files[own->n_files++];
}

const struct conf *conf_retain(const struct conf *c)
{
	atomic_fetch_add_explicit(&c->own->refs, 1, memory_order_relaxed);
	return c;
}

void conf_release(const struct conf **conf)
{
	const struct conf *c = *conf;
	struct conf_own *own;

	*conf = NULL;
	if (!c)
		return;
	own = c->own;
	if (atomic_fetch_sub_explicit(&own->refs, 1, memory_order_acq_rel) != 1)
		return;
	arena_free(&own->arena);
	free(own->lines);
	free(own->files);
	free(own->conf);
	free(own);
}

/* --- look-ups ------------------------------------------------------------------ */

bool conf_is_console(const char *database)
{
	return strcmp(database, "pgbouncer") == 0 || strcmp(database, "pgsluice") == 0;
}

static int database_by_name(const void *key, const void *item)
{
	return strcmp(key, ((const struct conf_database *)item)->name);
}

static int user_by_name(const void *key, const void *item)
{
	return strcmp(key, ((const struct conf_user *)item)->name);
}

static int peer_by_id(const void *key, const void *item)
{
	return *(const int *)key - ((const struct conf_peer *)item)->id;
}

const struct conf_database *conf_database_find(const struct conf *c, const char *name)
{
	const struct conf_database *db = NULL;

	if (conf_is_console(name))
		return NULL;
	if (c->n_databases)
		db = bsearch(name, c->databases, c->n_databases, sizeof *c->databases,
			database_by_name);
	return db ? db : c->autodb;
}

const struct conf_user *conf_user_find(const struct conf *c, const char *name)
{
	if (!c->n_users)
		return NULL;
	return bsearch(name, c->users, c->n_users, sizeof *c->users, user_by_name);
}

const struct conf_user *conf_pool_owner(const struct conf *c, const struct conf_database *db,
	const char *user)
{
	return conf_user_find(c, db && db->user ? db->user : user);
}

const struct conf_peer *conf_peer_find(const struct conf *c, int id)
{
	if (!c->n_peers)
		return NULL;
	return bsearch(&id, c->peers, c->n_peers, sizeof *c->peers, peer_by_id);
}

/* --- lists ----------------------------------------------------------------------- */

const char *conf_list_next(const char **list, size_t *n)
{
	const char *start = *list + strspn(*list, " \t,"), *end;

	if (!*start) {
		*list = start;
		return NULL;
	}
	end = start + strcspn(start, ",");
	*list = end;
	while (end > start && isspace((unsigned char)end[-1]))
		end--;
	*n = (size_t)(end - start);
	return start;
}

bool conf_list_has(const char *list, const char *word)
{
	const char *item;
	size_t n, len = strlen(word);

	while ((item = conf_list_next(&list, &n)))
		if (n == len && memcmp(item, word, n) == 0)
			return true;
	return false;
}

bool conf_list_has_nocase(const char *list, const char *word)
{
	const char *item;
	size_t n, len = strlen(word);

	while ((item = conf_list_next(&list, &n)))
		if (n == len && strncasecmp(item, word, n) == 0)
			return true;
	return false;
}

/* --- precedence -------------------------------------------------------------------- */

/* PgBouncer's order: the user's word, else the database's, else the pooler's. */
#define SET_INT(x)  ((x) != CONF_UNSET)
#define SET_TIME(x) ((x) != CONF_UNSET_TIME)
#define SET_TEXT(x) ((x) != NULL)

#define OF_ALL(type, name, field, is_set)                                                          \
	CONF_GETTER(type, name)                                                                    \
	{                                                                                          \
		if (user && is_set(user->field))                                                   \
			return (type)user->field;                                                  \
		if (db && is_set(db->field))                                                       \
			return (type)db->field;                                                    \
		return c->p.field;                                                                 \
	}
#define OF_DATABASE(type, name, field, is_set)                                                     \
	CONF_GETTER(type, name)                                                                    \
	{                                                                                          \
		(void)user;                                                                        \
		return db && is_set(db->field) ? (type)db->field : c->p.field;                     \
	}
#define OF_USER(type, name, field, is_set)                                                         \
	CONF_GETTER(type, name)                                                                    \
	{                                                                                          \
		(void)db;                                                                          \
		return user && is_set(user->field) ? (type)user->field : c->p.field;               \
	}

OF_ALL(enum pool_mode, pool_mode, pool_mode, SET_INT)
OF_ALL(int, pool_max_open, max_open, SET_INT)
OF_ALL(int, pool_max_idle, max_idle, SET_INT)
OF_ALL(int, pool_reserve_size, reserve_pool_size, SET_INT)
OF_ALL(int, pool_queue_limit, queue_limit, SET_INT)
OF_ALL(usec_t, query_wait_timeout, query_wait_timeout, SET_TIME)
OF_ALL(usec_t, query_timeout, query_timeout, SET_TIME)
OF_ALL(usec_t, transaction_timeout, transaction_timeout, SET_TIME)
OF_ALL(usec_t, idle_transaction_timeout, idle_transaction_timeout, SET_TIME)
OF_ALL(usec_t, client_idle_timeout, client_idle_timeout, SET_TIME)
OF_ALL(enum on_session_feature, on_session_feature, on_session_feature, SET_INT)

OF_DATABASE(int, pool_shards, shards, SET_INT)
OF_DATABASE(usec_t, pool_max_idle_time, max_idle_time, SET_TIME)
OF_DATABASE(usec_t, pool_max_lifetime, max_lifetime, SET_TIME)
OF_DATABASE(int, max_db_connections, max_db_connections, SET_INT)
OF_DATABASE(int, max_db_client_connections, max_db_client_connections, SET_INT)
OF_DATABASE(const char *, server_reset_query, server_reset_query, SET_TEXT)
OF_DATABASE(const char *, server_check_query, server_check_query, SET_TEXT)
OF_DATABASE(enum state_audit, state_audit, state_audit, SET_INT)
OF_DATABASE(const char *, auth_user, auth_user, SET_TEXT)
OF_DATABASE(const char *, auth_query, auth_query, SET_TEXT)
OF_DATABASE(const char *, auth_dbname, auth_dbname, SET_TEXT)
OF_DATABASE(enum sslmode, server_tls_sslmode, server_tls_sslmode, SET_INT)
OF_DATABASE(const char *, server_tls_key_file, server_tls_key_file, SET_TEXT)
OF_DATABASE(const char *, server_tls_cert_file, server_tls_cert_file, SET_TEXT)
OF_DATABASE(const char *, server_tls_ca_file, server_tls_ca_file, SET_TEXT)
OF_DATABASE(const char *, server_tls_crl_file, server_tls_crl_file, SET_TEXT)

OF_USER(int, max_user_connections, max_user_connections, SET_INT)
OF_USER(int, max_user_client_connections, max_user_client_connections, SET_INT)

CONF_GETTER(int, pool_min_open)
{
	int min = db && db->min_open != CONF_UNSET ? db->min_open : c->p.min_open;
	int max = conf_pool_max_open(c, db, user);

	return max > 0 && min > max ? max : min;
}

/* --- the operator's log --------------------------------------------------------------- */

struct log_options conf_log_options(const struct conf *c)
{
	struct log_options o = {
		.file = c->p.logfile,
		.json = c->p.log_format == LOG_FORMAT_JSON,
		.syslog = c->p.syslog,
		.syslog_ident = c->p.syslog_ident,
		.syslog_facility = syslog_facility_number(c->p.syslog_facility),
	};
	enum log_level level = LOG_LEVEL_INFO;

	if (o.syslog_facility < 0)
		o.syslog_facility = LOG_DAEMON;
	if (c->p.verbose > 0)
		level = c->p.verbose > 1 ? LOG_LEVEL_NOISE : LOG_LEVEL_DEBUG;
	for (int i = 0; i < LOG_PART_COUNT; i++)
		o.level[i] = level;
	log_levels_apply(c->p.log_levels, o.level);
	return o;
}
