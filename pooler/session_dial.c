/* SPDX-License-Identifier: ISC
 *
 * Opening a server connection.  libpq does it, on a helper thread: names are looked up,
 * files read and passwords hashed there.  When libpq is through, a Sync of our own makes
 * sure that nothing of the stream is left inside of libpq (the fence); from then on the
 * descriptor is ours and libpq is only asked to cancel and to finish.
 */
#include "auth.h"
#include "session.h"
#include "wire_startup.h"

#include <poll.h>
#include <unistd.h>

#define DIAL_PARAMS 48

struct dial {
	struct job job;
	struct server *server;
	const char *key[DIAL_PARAMS + 1];
	char *value[DIAL_PARAMS + 1];
	int n;
	usec_t timeout;
	char *track; /* track_extra_parameters */
	PGconn *pg;
	struct buf reported; /* name NUL value NUL … */
	char error[512];
};

static void add(struct dial *d, const char *key, const char *value)
{
	if (!value || !value[0] || d->n >= DIAL_PARAMS)
		return;
	d->key[d->n] = key;
	d->value[d->n++] = secret_strdup(value); /* one of them is a password */
}

static void add_number(struct dial *d, const char *key, uint64_t value)
{
	char text[24];

	if (!value)
		return;
	snprintf(text, sizeof text, "%llu", (unsigned long long)value);
	add(d, key, text);
}

static const char *const sslmode_word[] = {
	"disable", "allow", "prefer", "require", "verify-ca", "verify-full"};

static void put_option(struct buf *b, const char *name, const char *value)
{
	if (!value)
		return;
	buf_printf(b, "%s-c %s=", b->len ? " " : "", name);
	for (const char *c = value; *c; c++) {
		if (*c == ' ' || *c == '\\')
			buf_put_u8(b, '\\');
		buf_put_u8(b, (uint8_t)*c);
	}
}

/* The settings that the database line gives its sessions, as `options`; behind them those of
 * the client whose own connection it will be. */
static void add_options(struct dial *d, const struct conf_database *db, const struct login *own)
{
	const char *name, *value;
	struct buf b = {0};
	size_t pos = 0;

	if (db->options)
		buf_put_str(&b, db->options);
	put_option(&b, "datestyle", db->datestyle);
	put_option(&b, "timezone", db->timezone);
	while (own && params_next(own->params, own->params_len, &pos, &name, &value))
		if (strcasecmp(name, "application_name") != 0)
			put_option(&b, name, value);
	if (b.len)
		add(d, "options", buf_cstr(&b));
	buf_free(&b);
}

/* What the server may be told to believe that we are this user: a password; else, where the
 * client proved itself by SCRAM and libpq is new enough (18), the keys of that proof. */
static void add_secret(struct dial *d, const struct conf_database *db, const struct pool *pool)
{
	const struct login_secret *s = &pool->secret;
	struct buf key = {0};

	if (db->password || !pool->has_secret || s->password) {
		add(d, "password",
			db->password	   ? db->password
			: pool->has_secret ? s->password
					   : NULL);
		return;
	}
	if (!s->has_scram_keys || !auth_libpq_takes_keys())
		return;
	secret_put_base64(&key, s->client_key, sizeof s->client_key);
	add(d, "scram_client_key", buf_cstr(&key));
	mem_wipe(key.data, key.size);
	key.len = 0;
	secret_put_base64(&key, s->server_key, sizeof s->server_key);
	add(d, "scram_server_key", buf_cstr(&key));
	mem_wipe(key.data, key.size);
	buf_free(&key);
}

/* Everything libpq is told, copied: the snapshot may go while the thread works. */
static void add_all(struct dial *d, const struct server *s)
{
	const struct lane *l = s->lane;
	const struct login *own = s->slot.own && s->client ? s->client->login : NULL;
	const struct conf *conf = l->conf;
	const struct conf_pooler *p = &conf->p;
	const struct conf_database *db = l->db;
	struct pool *pool = l->pool;
	const char *host = db->host, *tls_min, *tls_max;
	struct conf_hosts hosts = {0};
	static atomic_uint turn; /* which of several hosts comes first */

	conf_database_hosts(db, atomic_fetch_add_explicit(&turn, 1, memory_order_relaxed), &hosts);
	if (!host && !db->hostaddr && !db->service)
		host = p->unix_socket_dir[0] && p->unix_socket_dir[0] != '@'
			       ? p->unix_socket_dir
			       : "/var/run/postgresql";
	add(d, "host", db->host ? buf_cstr(&hosts.host) : host);
	add(d, "hostaddr", buf_cstr(&hosts.hostaddr));
	add(d, "port", buf_cstr(&hosts.port));
	conf_hosts_release(&hosts);
	add(d, "dbname", db->dbname ? db->dbname : pool->database);
	add(d, "user", pool->server_user);
	pthread_mutex_lock(&pool->lock);
	add_secret(d, db, pool);
	pthread_mutex_unlock(&pool->lock);
	add(d, "service", db->service);
	add(d, "passfile", db->passfile);
	add(d, "target_session_attrs", db->target_session_attrs);
	add(d, "channel_binding", db->channel_binding);
	add(d, "krbsrvname", db->krbsrvname);
	add(d, "client_encoding", db->client_encoding);
	add(d, "application_name",
		own && own->application_name[0] ? own->application_name : db->application_name);
	add_options(d, db, own);
	add(d, "sslmode", sslmode_word[conf_server_tls_sslmode(conf, db, NULL)]);
	add(d, "sslrootcert", conf_server_tls_ca_file(conf, db, NULL));
	add(d, "sslcert", conf_server_tls_cert_file(conf, db, NULL));
	add(d, "sslkey", conf_server_tls_key_file(conf, db, NULL));
	add(d, "sslcrl", conf_server_tls_crl_file(conf, db, NULL));
	conf_tls_range(p->server_tls_protocols, &tls_min, &tls_max);
	add(d, "ssl_min_protocol_version", tls_min);
	add(d, "ssl_max_protocol_version", tls_max);
	/* an encrypted GSS stream could not be passed on as it is */
	add(d, "gssencmode", "disable");
	add(d, "keepalives", p->tcp_keepalive ? "1" : "0");
	add_number(d, "keepalives_idle", p->tcp_keepidle / USEC_SEC);
	add_number(d, "keepalives_interval", p->tcp_keepintvl / USEC_SEC);
	add_number(d, "keepalives_count", (uint64_t)p->tcp_keepcnt);
	add_number(d, "tcp_user_timeout", p->tcp_user_timeout / USEC_MSEC);
	if (s->replication)
		add(d, "replication", s->replication == LOGIN_LOGICAL ? "database" : "true");
}

static void dial_free(struct dial *d)
{
	for (int i = 0; i < d->n; i++)
		secret_free(d->value[i]);
	free(d->track);
	buf_free(&d->reported);
	free(d);
}

/* --- on the helper thread ----------------------------------------------------- */

static void ignore_notice(void *arg, const char *message)
{
	(void)arg;
	(void)message;
}

/* As libpq says what failed. */
static void say_timeout(struct dial *d)
{
	const char *host = PQhost(d->pg), *port = PQport(d->pg);

	snprintf(d->error, sizeof d->error,
		"connection to server at \"%s\", port %s failed: the login did not end within "
		"server_connect_timeout (%.3g s)",
		host ? host : "?", port ? port : "?", (double)d->timeout / USEC_SEC);
}

static bool connect_server(struct dial *d, usec_t deadline)
{
	const char *values[DIAL_PARAMS + 1] = {0};

	for (int i = 0; i < d->n; i++)
		values[i] = d->value[i];
	d->pg = PQconnectStartParams(d->key, values, 0);
	if (!d->pg) {
		snprintf(d->error, sizeof d->error, "out of memory");
		return false;
	}
	PQsetNoticeProcessor(d->pg, ignore_notice, NULL);
	if (PQstatus(d->pg) == CONNECTION_BAD)
		return false;
	for (PostgresPollingStatusType st = PGRES_POLLING_WRITING; st != PGRES_POLLING_OK;
		st = PQconnectPoll(d->pg)) {
		if (st == PGRES_POLLING_FAILED)
			return false;
		if (!conn_wait(PQsocket(d->pg), st == PGRES_POLLING_READING ? POLLIN : POLLOUT,
			    deadline)) {
			say_timeout(d);
			return false;
		}
	}
	return true;
}

static void note_parameter(struct dial *d, const char *name, const char *value)
{
	if (!value)
		return;
	buf_put_cstr(&d->reported, name);
	buf_put_cstr(&d->reported, value);
}

static void note_parameters(struct dial *d)
{
	static const char *const names[] = {"server_version", "server_encoding", "client_encoding",
		"application_name", "default_transaction_read_only", "in_hot_standby",
		"is_superuser", "session_authorization", "DateStyle", "IntervalStyle", "TimeZone",
		"integer_datetimes", "standard_conforming_strings", "scram_iterations",
		"search_path"};
	const char *list = d->track, *word;
	size_t n;

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		note_parameter(d, names[i], PQparameterStatus(d->pg, names[i]));
	while ((word = conf_list_next(&list, &n))) {
		char *name = mem_strndup(word, n);
		bool known = false;

		for (size_t i = 0; i < ARRAY_LEN(names); i++)
			known = known || strcasecmp(names[i], name) == 0;
		if (!known)
			note_parameter(d, name, PQparameterStatus(d->pg, name));
		free(name);
	}
}

/* The fence: Sync, and nothing but (notices, parameters and) ReadyForQuery behind it. */
static bool fence(struct dial *d, usec_t deadline)
{
	struct conn conn = {.fd = PQsocket(d->pg), .ssl = PQsslStruct(d->pg, "OpenSSL")};
	char data[16384];
	size_t len = 0, at = 0;

	if (conn.ssl && !auth_libpq_shares_openssl()) {
		snprintf(d->error, sizeof d->error,
			"libpq was built with another OpenSSL than pgsluice, which cannot relay "
			"its "
			"TLS connections: use the system's libpq, or server_tls_sslmode = disable");
		return false;
	}
	if (conn.ssl)
		conn_adopt_tls(&conn);
	if (conn_send(&conn, "S\0\0\0\4", 5) != 5) {
		snprintf(d->error, sizeof d->error, "connection lost after login");
		return false;
	}
	for (;;) {
		ssize_t got = conn_recv(&conn, data + len, sizeof data - len);

		if (got == CONN_AGAIN) {
			if (!conn_wait(conn.fd, POLLIN, deadline)) {
				say_timeout(d);
				return false;
			}
			continue;
		}
		if (got <= 0) {
			snprintf(d->error, sizeof d->error,
				"server closed the connection after login");
			return false;
		}
		len += (size_t)got;
		while (len - at >= WIRE_HEADER) {
			size_t size = wire_message_size(data + at);
			const char *p = data + at + WIRE_HEADER, *end = data + at + size;

			if (size == 0 || size > sizeof data || !strchr("SNAZ", data[at])) {
				snprintf(d->error, sizeof d->error,
					"unexpected message after login (type '%c')", data[at]);
				return false;
			}
			if (len - at < size)
				break;
			if (data[at] == 'S') {
				const char *name = wire_cstr(&p, end);
				const char *value = name ? wire_cstr(&p, end) : NULL;

				if (value)
					note_parameter(d, name, value);
			} else if (data[at] == 'Z') {
				if (size == 6 && *p == 'I' && at + size == len)
					return true;
				snprintf(d->error, sizeof d->error, "not idle after login");
				return false;
			}
			at += size;
		}
		if (len == sizeof data) {
			memmove(data, data + at, len - at);
			len -= at;
			at = 0;
			if (len == sizeof data)
				return false;
		}
	}
}

static void work(struct job *j)
{
	struct dial *d = CONTAINER_OF(j, struct dial, job);
	usec_t deadline = d->timeout ? clock_mono() + d->timeout : USEC_NEVER / 2;
	bool before = secret_thread(true); /* libpq keeps what it was told */

	auth_patience(deadline);
	if (connect_server(d, deadline)) {
		note_parameters(d);
		if (fence(d, deadline)) {
			PQsetnonblocking(d->pg, 1);
			auth_patience(0);
			secret_thread(before);
			return;
		}
	}
	if (auth_patience_is_over())
		say_timeout(d);
	auth_patience(0);
	if (!d->error[0] && d->pg)
		snprintf(d->error, sizeof d->error, "%s", PQerrorMessage(d->pg));
	if (d->pg)
		PQfinish(d->pg);
	d->pg = NULL;
	secret_thread(before);
}

/* --- back on the relay's thread -------------------------------------------------- */

static void done(struct worker *w, struct mail *m)
{
	struct dial *d = CONTAINER_OF(CONTAINER_OF(m, struct job, mail), struct dial, job);
	struct server *s = d->server;
	struct relay *r = CONTAINER_OF(w, struct relay, w);

	if (d->pg) {
		struct params *p = params_empty(&r->params);
		const char *name, *value;
		size_t pos = 0;

		while (params_next(d->reported.data, d->reported.len, &pos, &name, &value))
			p = params_with(&r->params, p, name, value, true);
		server_dialed(s, d->pg, p);
	} else {
		/* one line, as libpq ends each with a newline */
		for (char *c = d->error; *c; c++)
			if (*c == '\n')
				*c = c[1] ? ' ' : '\0';
		lane_dial_failed(s->lane, s, d->error);
	}
	dial_free(d);
}

void dial_start(struct server *s)
{
	struct dial *d = mem_zalloc(sizeof *d);
	struct lane *l = s->lane;

	d->server = s;
	d->timeout = l->conf->p.server_connect_timeout;
	d->track = mem_strdup(l->conf->p.track_extra_parameters);
	add_all(d, s);
	d->job.work = work;
	d->job.reply = &l->relay->w;
	d->job.mail.run = done;
	helpers_submit(&hub.dialers, &d->job);
}
