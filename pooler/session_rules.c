/* SPDX-License-Identifier: ISC
 *
 * struct front_rules: the settings and tables that logins go by, as one value with counted
 * references.  A reload builds the next one; an attempt keeps the one it began with.
 *
 * What cannot work together is found here, when it is configured, not by each client later.
 */
#include "session_front.h"

void rules_drop(struct front_rules **r)
{
	struct front_rules *it = *r;

	*r = NULL;
	if (!it || --it->refs > 0)
		return;
	auth_users_drop(&it->users);
	auth_hba_drop(&it->hba);
	auth_ident_drop(&it->ident);
	net_tls_drop(&it->tls);
	conf_release(&it->conf);
	free(it);
}

static void rules_note(struct buf *err, const struct buf *what)
{
	if (what->len == 0)
		return;
	if (err->len)
		buf_put_u8(err, '\n');
	buf_put(err, what->data, what->len);
}

static void rules_load_tables(struct front_rules *r, const struct front_rules *old, struct buf *err)
{
	const struct conf_pooler *p = &r->conf->p;
	struct buf what = {0};

	if (p->auth_file[0]) {
		r->users = auth_users_load(p->auth_file, (uint32_t)p->scram_iterations, &what);
		if (!r->users && old && old->users)
			r->users = auth_users_ref(old->users);
		rules_note(err, &what);
	}
	what.len = 0;
	if (p->auth_hba_file[0] || p->auth_type == AUTH_TYPE_HBA) {
		r->hba = auth_hba_load(p->auth_hba_file, &what);
		if (!r->hba && old && old->hba)
			r->hba = auth_hba_ref(old->hba);
		rules_note(err, &what);
	}
	what.len = 0;
	if (p->auth_ident_file[0]) {
		r->ident = auth_ident_load(p->auth_ident_file, &what);
		if (!r->ident && old && old->ident)
			r->ident = auth_ident_ref(old->ident);
		rules_note(err, &what);
	}
	buf_free(&what);
	r->has_md5 = auth_users_have_md5(r->users);
	if (r->users && old && old->users && r->users != old->users &&
		p->scram_iterations == old->conf->p.scram_iterations)
		auth_users_inherit(r->users, old->users);
}

_Static_assert((int)SSLMODE_VERIFY_FULL == (int)TLS_VERIFY_FULL, "both have PgBouncer's six words");

static void rules_load_tls(struct front_rules *r, const struct front_rules *old, struct buf *err)
{
	const struct conf_pooler *p = &r->conf->p;
	struct net_tls_options o = {
		.mode = (enum tls_mode)p->client_tls_sslmode,
		.key_file = p->client_tls_key_file,
		.cert_file = p->client_tls_cert_file,
		.ca_file = p->client_tls_ca_file,
		.crl_file = p->client_tls_crl_file,
		.protocols = p->client_tls_protocols,
		.ciphers = p->client_tls_ciphers,
		.tls13_ciphers = p->client_tls13_ciphers,
		.ecdh_curves = p->client_tls_ecdhcurve,
		.dh_params = p->client_tls_dheparams,
	};
	struct buf what = {0};
	bool before;

	if (o.mode == TLS_DISABLE)
		return;
	before = secret_thread(true); /* the private key */
	r->tls = net_tls_new(&o, &what);
	secret_thread(before);
	if (!r->tls && old && old->tls)
		r->tls = net_tls_ref(old->tls);
	rules_note(err, &what);
	buf_free(&what);
}

/* May any login ask a server? */
static bool rules_have_asker(const struct conf *conf)
{
	for (size_t i = 0; i <= conf->n_databases; i++) {
		const struct conf_database *db =
			i < conf->n_databases ? &conf->databases[i] : conf->autodb;
		const char *asker = conf_auth_user(conf, db, NULL);
		if (asker && *asker)
			return true;
	}
	return false;
}

/* What lines of the HBA file depend on. */
static void rules_check_hba(const struct front_rules *r, struct buf *err)
{
	const struct hba_line *line = auth_hba_group_line(r->hba);

	if (line && !rules_have_asker(r->conf))
		buf_printf(err,
			"%s:%u: +group and samerole are memberships on the server, and there is "
			"no auth_user to ask it as: set auth_user, or name the users",
			line->file, line->line);
	for (size_t i = 0; (line = auth_hba_line(r->hba, i)) != NULL; i++)
		if (line->ident_map && !(r->ident && auth_ident_has(r->ident, line->ident_map)))
			log_line(LOG_PART_AUTH, LOG_LEVEL_WARNING,
				"%s:%u: there is no map \"%s\" in auth_ident_file: nobody can "
				"log in by this line",
				line->file, line->line, line->ident_map);
}

static void rules_check(const struct front_rules *r, struct buf *err)
{
	const struct conf_pooler *p = &r->conf->p;
	struct buf what = {0};
	bool cert = p->auth_type == AUTH_TYPE_CERT || (r->hba && auth_hba_uses(r->hba, AUTH_CERT));
	bool ldap = p->auth_type == AUTH_TYPE_LDAP || (r->hba && auth_hba_uses(r->hba, AUTH_LDAP));

	if (cert && (p->client_tls_sslmode == SSLMODE_DISABLE || !p->client_tls_ca_file[0]))
		buf_put_str(&what, "authentication by certificate needs client_tls_sslmode and "
				   "client_tls_ca_file to be set");
	else if (ldap)
		buf_put_str(&what,
			"authentication by LDAP is not built in; use pam with a PAM service "
			"that asks LDAP (pam_ldap, sssd)");
	rules_note(err, &what);
	what.len = 0;
	if (p->auth_type == AUTH_TYPE_HBA && r->hba)
		rules_check_hba(r, &what);
	rules_note(err, &what);
	buf_free(&what);
}

/* Clients that prove themselves by a SCRAM secret leave us nothing to log in to the server with,
 * unless libpq takes the keys of the proof.  That may be meant (the server trusts us, or knows
 * our certificate), so it is said once and not refused. */
static void rules_warn(const struct front_rules *r)
{
	const struct conf *conf = r->conf;
	unsigned users = auth_users_scram_only(r->users);

	if (auth_libpq_takes_keys())
		return;
	for (size_t i = 0; i <= conf->n_databases; i++) {
		const struct conf_database *db =
			i < conf->n_databases ? &conf->databases[i] : conf->autodb;
		const char *asker;
		if (!db || db->user || db->password || db->passfile || db->service)
			continue;
		asker = conf_auth_user(conf, db, NULL);
		if (!users && !(asker && *asker))
			continue;
		log_line(LOG_PART_AUTH, LOG_LEVEL_WARNING,
			"database \"%s\": clients whose secret is known only as a SCRAM secret (%u "
			"in "
			"auth_file%s) can be checked, but libpq %d cannot log in to the server "
			"with it; "
			"this works where the server asks for no password (trust, cert, peer), "
			"with user= "
			"and password= in the database's line, with auth_type = plain over TLS, "
			"with plain "
			"passwords in auth_file, or with libpq 18 and later",
			db->name, users, asker && *asker ? ", and what auth_query finds" : "",
			auth_libpq_version());
	}
}

/* Two SCRAM secrets of a user have two salts, of which an exchange shows one. */
static void rules_warn_salts(const struct front_rules *r)
{
	unsigned users = 0, line = 0;

	for (size_t i = 0; i < auth_users_count(r->users); i++) {
		const struct auth_user *u = auth_users_at(r->users, i);
		if (auth_user_salts(u) > 1 && users++ == 0)
			line = u->line;
	}
	if (users)
		log_line(LOG_PART_AUTH, LOG_LEVEL_WARNING,
			"%s:%u: %u user%s with several SCRAM secrets of different salts: of these "
			"one is tried at a time, so a client may be refused once before it is let "
			"in; while a password is changed write the new one in plain",
			r->conf->p.auth_file, line, users, users == 1 ? "" : "s");
}

struct front_rules *rules_new(const struct conf *conf, const struct front_rules *old,
	struct buf *err)
{
	struct front_rules *r = mem_zalloc(sizeof *r);
	const struct conf_pooler *p = &conf->p;

	static unsigned serial;

	r->refs = 1;
	r->serial = ++serial;
	r->conf = conf_retain(conf);
	r->tcp = (struct net_tcp_options){
		.keepalive = p->tcp_keepalive,
		.keepidle = (int)(p->tcp_keepidle / USEC_SEC),
		.keepintvl = (int)(p->tcp_keepintvl / USEC_SEC),
		.keepcnt = p->tcp_keepcnt,
		.user_timeout_ms = (unsigned)(p->tcp_user_timeout / USEC_MSEC),
		.socket_buffer = (int)p->tcp_socket_buffer,
	};
	rules_load_tables(r, old, err);
	rules_load_tls(r, old, err);
	r->has_scram = rules_have_asker(conf) || auth_users_scram_only(r->users);
	rules_check(r, err);
	rules_warn(r);
	rules_warn_salts(r);
	return r;
}

bool front_check(const struct conf *conf, struct buf *err)
{
	size_t before = err->len;
	struct front_rules *r = rules_new(conf, NULL, err);

	rules_drop(&r);
	return err->len == before;
}
