/* SPDX-License-Identifier: ISC
 *
 * Where the server is, what the pooler before it is set to, and what the command is told.
 *
 * The pooler must not be noticed: session mode, a server connection for each client that ends
 * with it (so DROP DATABASE finds nobody left), any database, any user.  It listens on loopback
 * and asks nobody for a password; towards the server it knows the passwords of the DSN and of
 * DATABASE_URL, and libpq looks into ~/.pgpass for other users.
 */
#include "main_record.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- the server --------------------------------------------------------------------------- */

static const char *word(const PQconninfoOption *o, const char *name)
{
	for (; o && o->keyword; o++)
		if (strcmp(o->keyword, name) == 0)
			return o->val && o->val[0] ? o->val : NULL;
	return NULL;
}

/* libpq reads postgresql://; frameworks have postgis://, postgresql+psycopg:// and others. */
static PQconninfoOption *parse_url(const char *url, char **error)
{
	const char *rest = strstr(url, "://");
	struct buf plain = {0};
	PQconninfoOption *o;

	if (!rest)
		return PQconninfoParse(url, error);
	buf_printf(&plain, "postgresql%s", rest);
	o = PQconninfoParse(buf_cstr(&plain), error);
	buf_free(&plain);
	return o;
}

static bool is_postgres_url(const char *url)
{
	return url && strstr(url, "://") &&
	       (strncmp(url, "postgres", 8) == 0 || strncmp(url, "postgis", 7) == 0);
}

/* What a DSN leaves open, the environment may say, as everywhere with libpq. */
static void fill(PQconninfoOption *o, const PQconninfoOption *from)
{
	for (; o->keyword; o++) {
		const char *v = word(from, o->keyword);
		bool is_place = strcmp(o->keyword, "hostaddr") == 0;
		if ((!o->val || !o->val[0]) && v && !is_place) {
			free(o->val);
			o->val = mem_strdup(v);
		}
	}
}

bool record_server_find(struct record_server *s, const char *dsn)
{
	const char *url = getenv("DATABASE_URL");
	char *error = NULL;
	PQconninfoOption *defaults = PQconndefaults();

	s->url = is_postgres_url(url) ? url : NULL;
	s->url_words = s->url ? parse_url(s->url, &error) : NULL;
	if (s->url && !s->url_words) {
		fprintf(stderr, "pgsluice record: DATABASE_URL: %s", error ? error : "no URL\n");
		PQfreemem(error);
		PQconninfoFree(defaults);
		return false;
	}
	s->words = dsn	    ? parse_url(dsn, &error)
		   : s->url ? parse_url(s->url, &error)
			    : PQconndefaults();
	if (!s->words) {
		fprintf(stderr, "pgsluice record: --dsn: %s", error ? error : "no memory\n");
		PQfreemem(error);
		PQconninfoFree(defaults);
		return false;
	}
	fill(s->words, defaults);
	PQconninfoFree(defaults);
	s->host = word(s->words, "host");
	s->port = word(s->words, "port");
	s->user = word(s->words, "user");
	s->password = word(s->words, "password");
	s->dbname = word(s->words, "dbname");
	return true;
}

void record_server_release(struct record_server *s)
{
	PQconninfoFree(s->words);
	PQconninfoFree(s->url_words);
	s->words = s->url_words = NULL;
}

/* --- the pooler's files ----------------------------------------------------------------------- */

/* A value of a line of [databases], quoted as there. */
static void put_quoted(FILE *f, const char *key, const char *value)
{
	if (!value)
		return;
	fprintf(f, " %s='", key);
	for (const char *p = value; *p; p++) {
		if (*p == '\'')
			fputc('\'', f);
		fputc(*p, f);
	}
	fputc('\'', f);
}

static void put_tls(FILE *f, const PQconninfoOption *o)
{
	static const struct {
		const char *libpq, *ours;
	} names[] = {{"sslmode", "server_tls_sslmode"}, {"sslrootcert", "server_tls_ca_file"},
		{"sslcert", "server_tls_cert_file"}, {"sslkey", "server_tls_key_file"}};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const char *v = word(o, names[i].libpq);
		if (v && strcmp(v, "system") != 0)
			fprintf(f, "%s = %s\n", names[i].ours, v);
	}
}

/* userlist.txt doubles quotes. */
static void put_user(FILE *f, const char *user, const char *password)
{
	const char *parts[] = {user, password};

	if (!user || !password)
		return;
	for (size_t i = 0; i < 2; i++) {
		fputs(i ? " \"" : "\"", f);
		for (const char *p = parts[i]; *p; p++) {
			if (*p == '"')
				fputc('"', f);
			fputc(*p, f);
		}
		fputc('"', f);
	}
	fputc('\n', f);
}

static FILE *create(const char *dir, const char *name)
{
	struct buf path = {0};
	FILE *f;

	buf_printf(&path, "%s/%s", dir, name);
	f = fopen(buf_cstr(&path), "we");
	if (!f)
		fprintf(stderr, "pgsluice record: %s: %s\n", buf_cstr(&path), strerror(errno));
	buf_free(&path);
	return f;
}

/* The directory of the server's socket, where no host is named: Debian's, else loopback. */
static const char *default_host(void)
{
	static const char dir[] = "/var/run/postgresql";

	return access(dir, X_OK) == 0 ? dir : "127.0.0.1";
}

bool record_write_settings(const struct record_server *s, const char *dir, int port,
	const char *query_log)
{
	FILE *f = create(dir, "users");

	if (!f)
		return false;
	put_user(f, s->user, s->password);
	if (s->url_words && !(s->user && word(s->url_words, "user") &&
				    strcmp(s->user, word(s->url_words, "user")) == 0))
		put_user(f, word(s->url_words, "user"), word(s->url_words, "password"));
	if (fclose(f) != 0 || (f = create(dir, "pooler.conf")) == NULL)
		return false;
	fputs("; written by pgsluice record\n[databases]\n* =", f);
	put_quoted(f, "host", s->host ? s->host : default_host());
	put_quoted(f, "hostaddr", word(s->words, "hostaddr"));
	put_quoted(f, "port", s->port);
	put_quoted(f, "passfile", word(s->words, "passfile"));
	fprintf(f,
		"\n[pooler]\nlisten_addr = 127.0.0.1\nlisten_port = %d\nunix_socket_dir =\n"
		"auth_type = any\nauth_file = %s/users\nlogfile = %s/pooler.log\n"
		"pool_mode = session\nmax_lifetime = 0\nserver_reset_query =\n"
		"max_open = 2000\nmax_client_conn = 2000\nquery_wait_timeout = 15\n"
		"shutdown_timeout = 5\nserver_login_retry = 1\nworkers = 1\n"
		"query_log = %s\nquery_log_max_text = 1MB\n",
		port, dir, dir, query_log);
	put_tls(f, s->words);
	return fclose(f) == 0;
}

/* --- the command's environment -----------------------------------------------------------------
 */

/* Is this parameter of a URL about where and how to connect, which is ours to say? */
static bool is_ours(const char *p, size_t n)
{
	static const char *const names[] = {"host", "hostaddr", "port"};

	if (n > 3 && strncmp(p, "ssl", 3) == 0)
		return true;
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strlen(names[i]) == n && strncmp(p, names[i], n) == 0)
			return true;
	return false;
}

/* The parameters that stay. */
static void put_parameters(struct buf *out, const char *query)
{
	char sep = '?';

	while (*query) {
		size_t n = strcspn(query, "&"), name = strcspn(query, "=&");
		if (n > 0 && !is_ours(query, name < n ? name : n)) {
			buf_put_u8(out, (uint8_t)sep);
			buf_put(out, query, n);
			sep = '&';
		}
		query += n + (query[n] == '&');
	}
}

char *record_url(const char *url, int port)
{
	const char *rest = strstr(url, "://"), *at;
	struct buf out = {0};
	size_t authority;
	char *text;

	if (!rest)
		return NULL;
	rest += 3;
	authority = strcspn(rest, "/?#");
	at = memrchr(rest, '@', authority);
	buf_put(&out, url, (size_t)((at ? at + 1 : rest) - url));
	buf_printf(&out, "127.0.0.1:%d", port);
	rest += authority;
	buf_put(&out, rest, strcspn(rest, "?"));
	rest += strcspn(rest, "?");
	if (*rest == '?')
		put_parameters(&out, rest + 1);
	text = mem_strdup(buf_cstr(&out));
	buf_free(&out);
	return text;
}

static void put_escaped(struct buf *out, const char *text)
{
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;
		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
			strchr("-._~", c))
			buf_put_u8(out, c);
		else
			buf_printf(out, "%%%02X", c);
	}
}

static char *make_url(const struct record_server *s, int port)
{
	struct buf out = {0};
	char *text;

	buf_put_str(&out, "postgresql://");
	if (s->user)
		put_escaped(&out, s->user);
	if (s->user && s->password) {
		buf_put_u8(&out, ':');
		put_escaped(&out, s->password);
	}
	buf_printf(&out, "%s127.0.0.1:%d/", s->user ? "@" : "", port);
	if (s->dbname)
		put_escaped(&out, s->dbname);
	text = mem_strdup(buf_cstr(&out));
	buf_free(&out);
	return text;
}

void record_set_environment(const struct record_server *s, int port)
{
	static const char *const gone[] = {"PGHOSTADDR", "PGSERVICE", "PGSERVICEFILE",
		"PGSSLROOTCERT", "PGSSLCERT", "PGSSLKEY", "PGSSLNEGOTIATION", "PGREQUIRESSL",
		"PGREQUIREAUTH", "PGCHANNELBINDING", "PGTARGETSESSIONATTRS", "PGGSSENCMODE"};
	char *url = s->url ? record_url(s->url, port) : make_url(s, port);
	char number[16];

	for (size_t i = 0; i < ARRAY_LEN(gone); i++)
		unsetenv(gone[i]);
	snprintf(number, sizeof number, "%d", port);
	setenv("PGHOST", "127.0.0.1", 1);
	setenv("PGPORT", number, 1);
	setenv("PGSSLMODE", "disable", 1);
	if (s->user)
		setenv("PGUSER", s->user, 1);
	if (s->password)
		setenv("PGPASSWORD", s->password, 1);
	if (s->dbname)
		setenv("PGDATABASE", s->dbname, 1);
	setenv("DATABASE_URL", url, 1);
	free(url);
}
