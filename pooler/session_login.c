/* SPDX-License-Identifier: ISC
 *
 * The steps of a login, from the first byte to the question "who must prove what?".
 *
 * What a client learns before it has proved anything: that it must use TLS, that there are too
 * many clients, that its startup packet is wrong.  Whether a database or a user exists, it
 * learns only after.
 */
#include "session_front.h"

#include "session_params.h"
#include "wire.h"

#include <ctype.h>
#include <libpq-fe.h>
#include <strings.h>
#include <unistd.h>

/* --- struct login ---------------------------------------------------------- */

void login_secret_wipe(struct login_secret *s)
{
	secret_free(s->password);
	secret_free(s->md5);
	mem_wipe(s, sizeof *s);
}

void login_free(struct login **l)
{
	struct login *it = *l;

	*l = NULL;
	if (!it)
		return;
	conn_close(&it->conn);
	login_secret_wipe(&it->secret);
	free(it->user);
	free(it->database);
	free(it->params);
	buf_free(&it->out);
	if (it->in.data)
		mem_wipe(it->in.data, it->in.size); /* it may have held a password */
	buf_free(&it->in);
	free(it);
}

const char *login_who(const struct login *l, char *out, size_t size)
{
	char addr[NET_ADDR_TEXT];

	net_addr_text(&l->peer, addr, sizeof addr);
	snprintf(out, size, "C-%llu %s@%s %s", (unsigned long long)l->id,
		l->user ? l->user : "(nouser)", l->database ? l->database : "(nodb)", addr);
	return out;
}

/* --- refusing --------------------------------------------------------------- */

enum step attempt_refuse(struct attempt *a, const char *sqlstate, const char *fmt, ...)
{
	struct buf text = {.cap = 2048};
	char who[512];
	bool proved;
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(&text, fmt, ap);
	va_end(ap);
	front.stats.refused++;
	/* A failed proof was logged, with its reason, when it failed. */
	proved = a->state != ATTEMPT_DELAY;
	if (a->rules->conf->p.log_disconnections || (a->rules->conf->p.log_pooler_errors && proved))
		log_line(LOG_PART_SESSION, proved ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO,
			"%s: closing because: %s (age=%llus)", login_who(a->login, who, sizeof who),
			buf_cstr(&text),
			(unsigned long long)((clock_mono() - a->began) / USEC_SEC));
	a->login->out.len = 0;
	if (a->rules->conf->p.pgbouncer_error_codes)
		sqlstate = "08P01";
	wire_put_error(&a->login->out, 'E', "FATAL", sqlstate, buf_cstr(&text), NULL, NULL);
	buf_free(&text);
	attempt_enter(a, ATTEMPT_LINGER, 2 * USEC_SEC);
	return STEP_GO;
}

/* --- FIRST: packets without a type ------------------------------------------- */

static enum step answer_ssl(struct attempt *a, const struct startup *s)
{
	struct login *l = a->login;
	bool yes = a->rules->tls && l->peer.family != AF_UNIX;

	/* Bytes behind the request came in plaintext from whoever is on the way: a man in the
	 * middle could put them there to be read as if TLS had protected them. */
	if (l->in.len > s->used)
		return attempt_refuse(a, "08P01", "received unencrypted data after SSL request");
	buf_drop_front(&a->login->in, s->used);
	buf_put_u8(&l->out, yes ? 'S' : 'N');
	if (!attempt_flush(a))
		return STEP_END;
	if (!yes)
		return STEP_GO;
	if (!net_tls_start(a->rules->tls, &l->conn, false)) {
		attempt_close(a);
		return STEP_END;
	}
	attempt_enter(a, ATTEMPT_TLS, 0);
	return STEP_GO;
}

static enum step answer_gss(struct attempt *a, const struct startup *s)
{
	if (a->gss_answered)
		return attempt_refuse(a, "08P01", "GSS encryption was already refused");
	if (a->login->in.len > s->used)
		return attempt_refuse(a, "08P01",
			"received unencrypted data after GSSAPI encryption request");
	a->gss_answered = true;
	buf_drop_front(&a->login->in, s->used);
	buf_put_u8(&a->login->out, 'N');
	return attempt_flush(a) ? STEP_GO : STEP_END;
}

static enum step begin_direct_tls(struct attempt *a)
{
	struct login *l = a->login;
	char who[512];

	if (!a->direct) {
		log_line(LOG_PART_SESSION, LOG_LEVEL_WARNING,
			"%s: refused: the client began with TLS, which is not possible here",
			login_who(l, who, sizeof who));
		attempt_close(a);
		return STEP_END;
	}
	l->in.len = 0; /* the byte was only peeked at */
	if (!net_tls_start(a->rules->tls, &l->conn, true)) {
		attempt_close(a);
		return STEP_END;
	}
	attempt_enter(a, ATTEMPT_TLS, 0);
	return STEP_GO;
}

static enum step pass_cancel(struct attempt *a, const struct startup *s)
{
	struct login *l = a->login;
	uint8_t key[STARTUP_CANCEL_KEY_MAX];
	struct conn conn = l->conn;

	memcpy(key, s->cancel_key, s->cancel_key_len);
	front.stats.cancels++;
	l = attempt_give(a);
	l->conn = (struct conn){.fd = -1};
	login_free(&l);
	front.ops->on_cancel(&conn, s->cancel_pid, key, s->cancel_key_len);
	return STEP_END;
}

/* What PgBouncer keeps of options=… when ignore_startup_parameters names it. */
static bool is_tracked(const struct conf_pooler *p, const char *name)
{
	return conf_list_has_nocase("client_encoding, datestyle, timezone, "
				    "standard_conforming_strings, application_name",
		       name) ||
	       conf_list_has_nocase(p->track_extra_parameters, name);
}

/* The encoding's own name, as PostgreSQL words it in its answer; NULL: there is none. */
static const char *encoding_name(const char *value)
{
	int encoding = pg_char_to_encoding(value);

	return encoding < 0 ? NULL : pg_encoding_to_char(encoding);
}

/* A name that can be in the question for session state as it is (session_audit.c).  PostgreSQL
 * takes no others since 15. */
static bool is_name_of_module(const char *name)
{
	const char *p = name;

	for (; isalnum((unsigned char)*p) || *p == '_' || *p == '$' || *p == '.'; p++)
		;
	return !*p && strchr(name, '$') == NULL;
}

/* Keeps a startup parameter, drops it, or says no. */
static bool keep_param(struct attempt *a, struct buf *kept, const char *name, const char *value,
	enum step *out)
{
	const struct conf_pooler *p = &a->rules->conf->p;

	if (conf_list_has_nocase(p->ignore_startup_parameters, name) ||
		conf_is_console(a->login->database))
		return true;
	if (strcasecmp(name, "session_authorization") == 0)
		return true; /* PostgreSQL, too, gives a session the user's own at its start */
	if (!a->login->replication && !param_is_settable(name)) {
		*out = attempt_refuse(a, "55P02", "parameter \"%s\" cannot be changed", name);
		return false;
	}
	if (strchr(name, '.') && !is_name_of_module(name)) {
		*out = attempt_refuse(a, "42602", "invalid configuration parameter name \"%s\"",
			name);
		return false;
	}
	if (strcasecmp(name, "client_encoding") == 0 && encoding_name(value))
		value = encoding_name(value);
	buf_put_cstr(kept, name);
	buf_put_cstr(kept, value);
	return true;
}

/* Unfolds options='-c a=b --c=d' into the block.  false: refused, *out set. */
static bool keep_options(struct attempt *a, struct buf *kept, const char *options, enum step *out)
{
	struct buf name = {0}, value = {0};
	const struct conf_pooler *p = &a->rules->conf->p;
	bool ignored = conf_list_has_nocase(p->ignore_startup_parameters, "options");
	bool ok = true;
	int rc;

	while (ok && (rc = startup_option_next(&options, &name, &value)) != 0) {
		if (rc < 0 && ignored)
			break;
		if (ignored && !is_tracked(p, name.data))
			continue;
		if (rc < 0)
			*out = attempt_refuse(a, "08P01",
				"unsupported options startup parameter: only \"-c name=value\" and "
				"\"--name=value\" are allowed");
		ok = rc > 0 && keep_param(a, kept, name.data, value.data, out);
	}
	buf_free(&name);
	buf_free(&value);
	return ok;
}

static bool read_replication(const char *value, enum login_replication *out)
{
	static const char *const yes[] = {"true", "on", "yes", "1", "t", "y"};
	static const char *const no[] = {"false", "off", "no", "0", "f", "n"};

	*out = LOGIN_NORMAL;
	if (!value)
		return true;
	for (size_t i = 0; i < ARRAY_LEN(yes); i++) {
		if (strcasecmp(value, yes[i]) == 0) {
			*out = LOGIN_PHYSICAL;
			return true;
		}
		if (strcasecmp(value, no[i]) == 0)
			return true;
	}
	*out = LOGIN_LOGICAL;
	return strcasecmp(value, "database") == 0;
}

/* application_name_add_host: "NAME - ADDRESS:PORT", in the place of what the client said. */
static void add_host_to_name(const struct login *l, struct buf *kept)
{
	const char *app = params_get(kept->data, kept->len, "application_name"), *name, *value;
	char addr[NET_ADDR_TEXT];
	struct buf out = {0};

	for (size_t pos = 0; params_next(kept->data, kept->len, &pos, &name, &value);) {
		if (strcasecmp(name, "application_name") == 0)
			continue;
		buf_put_cstr(&out, name);
		buf_put_cstr(&out, value);
	}
	net_addr_text(&l->peer, addr, sizeof addr);
	buf_put_cstr(&out, "application_name");
	buf_printf(&out, "%s - %s", app ? app : "app", addr);
	buf_put_u8(&out, '\0');
	buf_free(kept);
	*kept = out;
}

/* Walks the parameters once; those that are kept land in login->params. */
static enum step take_params(struct attempt *a, const struct startup *s)
{
	static const char *const own[] = {"user", "database", "replication", "options"};
	struct login *l = a->login;
	const char *block = s->params, *name, *value;
	struct buf kept = {0};
	enum step out = STEP_GO;

	value = params_get(block, s->params_len, "user");
	if (!value || !*value)
		return attempt_refuse(a, "28000",
			"no PostgreSQL user name specified in startup packet");
	l->user = mem_strdup(value);
	name = params_get(block, s->params_len, "database");
	l->database = mem_strdup(name && *name ? name : value);
	if (strlen(l->user) > 127 || strlen(l->database) > 127)
		return attempt_refuse(a, "08P01", "user or database name is longer than 127 bytes");
	if (!read_replication(params_get(block, s->params_len, "replication"), &l->replication))
		return attempt_refuse(a, "08P01", "invalid value for parameter \"replication\"");
	for (size_t pos = 0; params_next(block, s->params_len, &pos, &name, &value);) {
		bool mine = strncmp(name, "_pq_.", 5) == 0;
		for (size_t i = 0; i < ARRAY_LEN(own) && !mine; i++)
			mine = strcmp(name, own[i]) == 0;
		if (strcmp(name, "options") == 0 && !keep_options(a, &kept, value, &out))
			goto refused;
		if (!mine && !keep_param(a, &kept, name, value, &out))
			goto refused;
	}
	if (a->rules->conf->p.application_name_add_host && !conf_is_console(l->database))
		add_host_to_name(l, &kept);
	l->params = kept.data;
	l->params_len = kept.len;
	l->application_name = params_get(l->params, l->params_len, "application_name");
	if (!l->application_name)
		l->application_name = "";
	return STEP_GO;
refused:
	buf_free(&kept);
	return out;
}

static enum step take_session(struct attempt *a, const struct startup *s)
{
	struct login *l = a->login;
	enum step out = take_params(a, s);

	if (a->state != ATTEMPT_FIRST)
		return out;
	startup_put_negotiation(&l->out, s);
	buf_drop_front(&a->login->in, s->used);
	if (a->rules->conf->p.log_connections) {
		char who[512];
		log_line(LOG_PART_SESSION, LOG_LEVEL_INFO,
			"%s: login attempt: db=%s user=%s tls=%s%s", login_who(l, who, sizeof who),
			l->database, l->user, l->tls[0] ? l->tls : "no",
			l->replication ? " replication=yes" : "");
	}
	attempt_enter(a, ATTEMPT_DECIDE, 0);
	return STEP_GO;
}

static enum step step_first(struct attempt *a)
{
	struct login *l = a->login;
	struct startup s;

	switch (startup_parse(l->in.data, l->in.len, &s)) {
	case STARTUP_MORE:
		return STEP_MORE;
	case STARTUP_SSL:
		if (l->conn.ssl)
			break;
		return answer_ssl(a, &s);
	case STARTUP_GSSENC:
		if (l->conn.ssl)
			break;
		return answer_gss(a, &s);
	case STARTUP_TLS:
		if (l->conn.ssl)
			break;
		return begin_direct_tls(a);
	case STARTUP_CANCEL:
		return pass_cancel(a, &s);
	case STARTUP_SESSION:
		return take_session(a, &s);
	case STARTUP_BAD:
		return attempt_refuse(a, "08P01", "%s", s.error);
	}
	return attempt_refuse(a, "08P01", "unsupported frontend protocol");
}

/* --- TLS ---------------------------------------------------------------------- */

static enum step step_tls(struct attempt *a)
{
	struct login *l = a->login;
	char why[256], who[512];
	bool before = secret_thread(true); /* OpenSSL derives parts of the private key */
	enum tls_verdict verdict = net_tls_handshake(&l->conn, why, sizeof why);

	secret_thread(before);
	switch (verdict) {
	case TLS_WANT_READ:
		ev_io_stop(front.loop, &a->io);
		ev_io_set(&a->io, l->conn.fd, EV_READ);
		ev_io_start(front.loop, &a->io);
		return STEP_MORE;
	case TLS_WANT_WRITE:
		ev_io_stop(front.loop, &a->io);
		ev_io_set(&a->io, l->conn.fd, EV_WRITE);
		ev_io_start(front.loop, &a->io);
		return STEP_MORE;
	case TLS_FAILED:
		front.stats.tls_failures++;
		if (a->rules->conf->p.log_pooler_errors)
			log_line(LOG_PART_SESSION, LOG_LEVEL_WARNING,
				"%s: TLS handshake failed: %s", login_who(l, who, sizeof who), why);
		attempt_close(a);
		return STEP_END;
	case TLS_DONE:
		break;
	}
	front.stats.tls_handshakes++;
	conn_tls_text(&l->conn, l->tls, sizeof l->tls);
	ev_io_stop(front.loop, &a->io);
	ev_io_set(&a->io, l->conn.fd, EV_READ);
	ev_io_start(front.loop, &a->io);
	attempt_enter(a, ATTEMPT_FIRST, 0);
	/* The startup packet may have come with the last flight, into the SSL. */
	ev_feed_event(front.loop, &a->io, EV_READ);
	return STEP_MORE;
}

/* --- DECIDE ------------------------------------------------------------------- */

static const enum auth_method method_of[] = {
	[AUTH_TYPE_ANY] = AUTH_ANY,
	[AUTH_TYPE_TRUST] = AUTH_TRUST,
	[AUTH_TYPE_PLAIN] = AUTH_PLAIN,
	[AUTH_TYPE_MD5] = AUTH_MD5,
	[AUTH_TYPE_SCRAM_SHA_256] = AUTH_SCRAM,
	[AUTH_TYPE_CERT] = AUTH_CERT,
	[AUTH_TYPE_PEER] = AUTH_PEER,
	[AUTH_TYPE_HBA] = AUTH_HBA,
	[AUTH_TYPE_LDAP] = AUTH_LDAP,
	[AUTH_TYPE_PAM] = AUTH_PAM,
};

/* The daemon's own system user may always enter the console by the unix socket, as user
 * pgbouncer or pgsluice: that is how an operator whose passwords are lost gets in. */
static bool is_own_operator(const struct login *l)
{
	return l->peer.family == AF_UNIX && l->peer.uid == geteuid() && conf_is_console(l->user);
}

static enum step decide_console(struct attempt *a)
{
	struct login *l = a->login;
	const struct conf_pooler *p = &a->rules->conf->p;

	if (l->replication)
		return attempt_refuse(a, "08P01",
			"replication connections are not possible to the console");
	if (is_own_operator(l)) {
		l->admin = l->stats = true;
		return attempt_finish(a);
	}
	l->admin = conf_list_has(p->admin_users, l->user);
	l->stats = l->admin || conf_list_has(p->stats_users, l->user);
	return STEP_GO;
}

static enum step step_decide(struct attempt *a)
{
	struct login *l = a->login;
	const struct conf *conf = a->rules->conf;

	if (conf->p.client_tls_sslmode >= SSLMODE_REQUIRE && !l->conn.ssl &&
		l->peer.family != AF_UNIX)
		return attempt_refuse(a, "28000", "SSL required");
	a->console = conf_is_console(l->database);
	if (a->console) {
		enum step out = decide_console(a);
		if (out == STEP_END || a->state != ATTEMPT_DECIDE)
			return out;
	} else {
		a->db = conf_database_find(conf, l->database);
		if (front.leaving)
			return attempt_refuse(a, "57P01", "the pooler is shutting down");
		if (!a->admitted && !front.ops->admit())
			return attempt_refuse(a, "53300",
				"no more connections allowed (max_client_conn)");
		a->admitted = true;
	}
	a->method = method_of[conf->p.auth_type];
	return proof_begin(a);
}

/* --- the end -------------------------------------------------------------------- */

/* What the server may ask of this client: the password it gave, else the secret that it proved,
 * else (trust, cert, peer) what the user list has under its name. */
static void take_secret(struct attempt *a, const struct auth_secret *s)
{
	struct login *l = a->login;
	const struct auth_user *u = a->user ? a->user : auth_users_find(a->rules->users, l->user);

	for (size_t i = 0; !s && !a->password && u && i < u->count; i++)
		if (u->secrets[i].kind != SECRET_SCRAM)
			s = &u->secrets[i];
	if (a->password) {
		l->secret.password = a->password;
		a->password = NULL;
	} else if (s && s->kind == SECRET_PLAIN) {
		l->secret.password = secret_strdup(s->text);
	} else if (s && s->kind == SECRET_MD5) {
		l->secret.md5 = secret_strdup(s->text);
	}
}

enum step attempt_finish(struct attempt *a)
{
	struct login *l = a->login;
	const struct auth_secret *s = a->proven;

	if (a->console && !l->stats)
		return attempt_refuse(a, "42501", "not allowed");
	if (!a->console && !a->db)
		return attempt_refuse(a, "3D000", "no such database: %s%s", l->database,
			l->replication != LOGIN_PHYSICAL ? ""
							 : " (a physical replication client "
							   "names the line of [databases] "
							   "whose server it means)");
	take_secret(a, s);
	if (a->scram_on && s) {
		l->secret.has_scram_keys = true;
		memcpy(l->secret.client_key, a->scram.client_key, SCRAM_KEY_LEN);
		memcpy(l->secret.server_key, a->scram.server_key, SCRAM_KEY_LEN);
	}
	front.stats.finished++;
	l = attempt_give(a);
	if (conf_is_console(l->database))
		front.ops->on_console(l);
	else
		front.ops->on_session(l);
	return STEP_END;
}

/* LINGER: the refusal goes out; then we listen for the end without caring what comes. */
static enum step step_linger(struct attempt *a)
{
	struct login *l = a->login;

	if (!attempt_flush(a))
		return STEP_END;
	if (l->out.len == 0 && !a->sent_fin) {
		a->sent_fin = true;
		conn_finish(&l->conn);
	}
	l->in.len = 0;
	return STEP_MORE;
}

static enum step step_nothing(struct attempt *a)
{
	(void)a;
	return STEP_MORE;
}

enum step attempt_step(struct attempt *a)
{
	static enum step (*const steps[ATTEMPT_STATES])(struct attempt *) = {
		[ATTEMPT_FIRST] = step_first,
		[ATTEMPT_TLS] = step_tls,
		[ATTEMPT_DECIDE] = step_decide,
		[ATTEMPT_PLAIN] = proof_plain,
		[ATTEMPT_MD5] = proof_md5,
		[ATTEMPT_SASL_FIRST] = proof_sasl_first,
		[ATTEMPT_SASL_FINAL] = proof_sasl_final,
		[ATTEMPT_WAIT] = step_nothing,
		[ATTEMPT_DELAY] = step_nothing,
		[ATTEMPT_LINGER] = step_linger,
	};

	return steps[a->state](a);
}
