/* SPDX-License-Identifier: ISC
 *
 * Proving who one is.  proof_begin() may run several times for one login: whenever it misses a
 * fact (session_fact.c) it asks for it, and is run again from its beginning with the answer.
 *
 * An unknown user, a user without a usable secret and a wrong password take the same steps and
 * end with the same words after the same delay.
 */
#include "session_front.h"

#include "wire.h"

#include <unistd.h>

/* The largest message of a client that is not handed over yet. */
#define PROOF_MESSAGE_MAX 8192
/* SCRAM secrets of one user that a password is compared with. */
#define SCRAM_TRIES_MAX 8

#define NO_CERTIFICATE	"connection requires a valid client certificate"

/* --- failing ------------------------------------------------------------------ */

static enum step refuse_later(struct attempt *a, const char *sqlstate, char *text)
{
	usec_t now, until;

	snprintf(a->refusal_state, sizeof a->refusal_state, "%s", sqlstate);
	free(a->refusal_text);
	a->refusal_text = text;
	/* From when the proof came, so that the delay covers what it took to judge it. */
	now = clock_mono();
	until = (a->proof_at ? a->proof_at : now) + a->rules->conf->p.auth_delay;
	attempt_enter(a, ATTEMPT_DELAY, until > now ? until - now : 0);
	return STEP_MORE;
}

enum step proof_failed(struct attempt *a, const char *reason)
{
	const struct login *l = a->login;
	char who[512];
	bool password = a->method == AUTH_PLAIN || a->method == AUTH_MD5 || a->method == AUTH_SCRAM;
	const char *what = password		    ? "password"
			   : a->method == AUTH_CERT ? "certificate"
			   : a->method == AUTH_PEER ? "Peer"
			   : a->method == AUTH_PAM  ? "PAM"
						    : "trust";

	log_line(LOG_PART_AUTH, LOG_LEVEL_WARNING,
		"%s: %s authentication failed for user \"%s\": %s", login_who(l, who, sizeof who),
		what, l->user, reason);
	front.stats.auth_failures++;
	if (front.rate && l->peer.family != AF_UNIX)
		auth_rate_failed(front.rate, l->peer.family, l->peer.ip, clock_mono());
	if (a->from_query) /* the role may have got a new password */
		fact_forget_user(a);
	return refuse_later(a, password ? "28P01" : "28000",
		mem_printf("%s authentication failed for user \"%s\"", what, l->user));
}

/* --- messages -------------------------------------------------------------------- */

static void put_request(struct attempt *a, uint32_t code, const void *data, size_t n)
{
	struct buf *out = &a->login->out;
	size_t at = wire_begin(out, 'R');

	buf_put_u32(out, code);
	buf_put(out, data, n);
	wire_end(out, at);
}

/* The client's next 'p' message, as a NUL-terminated copy in secret memory (the body may hold
 * NULs itself).  NULL: *out is the step to return. */
static char *take_message(struct attempt *a, size_t *len, enum step *out)
{
	struct buf *in = &a->login->in;
	uint32_t size;
	char *body;

	*out = STEP_MORE;
	if (in->len >= 1 && in->data[0] != 'p') {
		*out = attempt_refuse(a, "08P01", "expected password response, got message type %u",
			(unsigned)(uint8_t)in->data[0]);
		return NULL;
	}
	if (in->len < WIRE_HEADER)
		return NULL;
	size = wire_u32(in->data + 1);
	if (size < 4 || size > PROOF_MESSAGE_MAX) {
		*out = attempt_refuse(a, "08P01", "invalid password packet size");
		return NULL;
	}
	if (in->len < size + 1)
		return NULL;
	a->proof_at = clock_mono();
	*len = size - 4;
	body = secret_alloc(*len + 1);
	memcpy(body, in->data + WIRE_HEADER, *len);
	body[*len] = '\0';
	mem_wipe(in->data, size + 1);
	buf_drop_front(in, size + 1);
	return body;
}

/* A PasswordMessage: one text, ended by the message's last byte. */
static char *take_password(struct attempt *a, enum step *out)
{
	size_t len;
	char *text = take_message(a, &len, out);

	if (!text)
		return NULL;
	if (len == 0 || strlen(text) + 1 != len) {
		*out = attempt_refuse(a, "08P01", "invalid password packet size");
	} else if (len == 1) {
		*out = attempt_refuse(a, "28P01", "empty password returned by client");
	} else if (len > AUTH_PASSWORD_MAX + 1) {
		*out = attempt_refuse(a, "28P01", "the password is longer than %u bytes",
			AUTH_PASSWORD_MAX);
	} else {
		return text;
	}
	secret_free(text);
	return NULL;
}

/* --- plain ------------------------------------------------------------------------ */

static enum step ask_match(struct attempt *a, const struct auth_secret *s)
{
	struct auth_job *job = fact_job(AUTH_JOB_MATCH, "match", a->login->user);
	char *key = mem_printf("match:%llu", (unsigned long long)a->login->id);
	enum step out;

	job->password = secret_strdup(a->password);
	job->keys = s->keys;
	out = attempt_ask(a, key, job);
	free(key);
	return out;
}

static enum step ask_pam(struct attempt *a)
{
	struct auth_job *job = fact_job(AUTH_JOB_PAM, "pam", a->login->user);
	char *key = mem_printf("pam:%llu", (unsigned long long)a->login->id);
	char host[NET_ADDR_TEXT];
	const char *service = a->hba && a->hba->pam_service ? a->hba->pam_service
							    : a->rules->conf->p.auth_pam_service;
	enum step out;

	job->password = secret_strdup(a->password);
	job->arg = mem_strdup(service);
	job->name = mem_strdup(net_addr_host(&a->login->peer, host, sizeof host));
	out = attempt_ask(a, key, job);
	free(key);
	return out;
}

/* The n-th SCRAM secret of the user, or NULL. */
static const struct auth_secret *nth_scram(const struct auth_user *u, unsigned n)
{
	for (size_t i = 0; u && i < u->count; i++)
		if (u->secrets[i].kind == SECRET_SCRAM && n-- == 0)
			return &u->secrets[i];
	return NULL;
}

/* The first of the secrets that can be compared with at once and is the password. */
static const struct auth_secret *find_plain(const struct attempt *a)
{
	for (size_t i = 0; a->user && i < a->user->count; i++)
		if (a->user->secrets[i].kind != SECRET_SCRAM &&
			secret_matches(&a->user->secrets[i], a->login->user, a->password))
			return &a->user->secrets[i];
	return NULL;
}

/* With the password at hand: compare it with each secret.  SCRAM ones cost milliseconds, so the
 * helper does it, one by one, a few at the most: a client is not to buy CPU time.  For nobody it
 * does the same once. */
static enum step judge_plain(struct attempt *a)
{
	static const struct auth_secret nobody = {
		.keys = {.iterations = SCRAM_ITERATIONS_DEFAULT, .salt_len = 16}};
	const struct auth_secret *s = NULL;
	enum step out;

	if (a->match_known) {
		s = nth_scram(a->user, a->tried++);
		a->match_known = false;
		a->proven = a->match ? s : NULL;
	} else {
		if (!fact_find_user(a, &out))
			return out;
		a->proven = find_plain(a);
	}
	if (a->proven)
		return attempt_finish(a);
	s = nth_scram(a->user, a->tried);
	if (!s && !a->tried && a->rules->has_scram && !(a->user && a->user->count))
		s = &nobody;
	if (s && a->tried < SCRAM_TRIES_MAX)
		return ask_match(a, s);
	return proof_failed(a, a->user ? "wrong password" : "no such user");
}

static enum step judge_pam(struct attempt *a)
{
	if (!a->match_known)
		return ask_pam(a);
	return a->match ? attempt_finish(a) : proof_failed(a, "PAM said no");
}

enum step proof_plain(struct attempt *a)
{
	enum step out;

	if (!a->password) {
		a->password = take_password(a, &out);
		if (!a->password)
			return out;
	}
	return a->method == AUTH_PAM ? judge_pam(a) : judge_plain(a);
}

/* --- md5 ---------------------------------------------------------------------------- */

static enum step begin_md5(struct attempt *a)
{
	if (!secret_random(a->md5_salt, sizeof a->md5_salt))
		return attempt_refuse(a, "XX000", "no random numbers");
	put_request(a, 5, a->md5_salt, sizeof a->md5_salt);
	attempt_enter(a, ATTEMPT_MD5, 0);
	return STEP_GO;
}

enum step proof_md5(struct attempt *a)
{
	enum step out;
	char *answer = take_password(a, &out);
	bool any = false;

	if (!answer)
		return out;
	for (size_t i = 0; a->user && i < a->user->count; i++)
		if (md5_check(&a->user->secrets[i], a->login->user, a->md5_salt, answer)) {
			a->proven = &a->user->secrets[i];
			any = true;
			break;
		}
	if (!a->user) { /* the same work for nobody; its answer does not count */
		struct auth_secret nobody = {.kind = SECRET_PLAIN, .text = (char[]){""}};
		any = md5_check(&nobody, a->login->user, a->md5_salt, answer) && a->user;
	}
	secret_free(answer);
	if (any)
		return attempt_finish(a);
	return proof_failed(a, a->user ? "wrong password" : "no such user");
}

/* --- SCRAM ---------------------------------------------------------------------------- */

/* Which set of salts to try for this name from this address, where there are several. */
static uint8_t *scram_hint(struct attempt *a)
{
	static uint8_t first;
	const struct login *l = a->login;
	uint64_t h;

	if (!a->user || auth_user_salts(a->user) <= 1)
		return &first;
	h = hash_keyed(l->user, strlen(l->user)) + hash_keyed(l->peer.ip, sizeof l->peer.ip);

	return &front.scram_hint[h % ARRAY_LEN(front.scram_hint)];
}

static enum step begin_scram(struct attempt *a)
{
	const struct auth_secret *s = a->user ? auth_user_underived(a->user) : NULL;
	struct buf list = {0};
	size_t n;

	if (s) {
		struct auth_job *job = fact_job(AUTH_JOB_DERIVE, "derive", a->login->user);
		char *key = mem_printf("derive:%p", (const void *)s);
		enum step out;
		job->password = secret_strdup(s->text);
		job->keys = s->keys;
		out = attempt_ask(a, key, job);
		free(key);
		return out;
	}
	n = net_tls_end_point(&a->login->conn, a->end_point);
	scram_begin(&a->scram, a->user, a->login->user, *scram_hint(a),
		(uint32_t)a->rules->conf->p.scram_iterations, a->end_point, n);
	a->scram_on = true;
	scram_put_mechanisms(&list, n > 0);
	put_request(a, 10, list.data, list.len);
	buf_free(&list);
	attempt_enter(a, ATTEMPT_SASL_FIRST, 0);
	return STEP_GO;
}

static enum step scram_refuse(struct attempt *a, enum scram_verdict v, const char *why)
{
	if (v == SCRAM_DENIED) {
		if (a->user && auth_user_salts(a->user) > 1)
			++*scram_hint(a);
		return proof_failed(a,
			a->user ? "wrong password" : "no such user, or no secret for SCRAM");
	}
	return attempt_refuse(a, "08P01", "%s", why);
}

enum step proof_sasl_first(struct attempt *a)
{
	enum step out;
	enum scram_verdict v = SCRAM_BROKEN;
	const char *why = "malformed SASLInitialResponse message", *p, *mechanism, *end;
	struct buf answer = {0};
	size_t len;
	char *body = take_message(a, &len, &out);

	if (!body)
		return out;
	p = body;
	end = body + len;
	mechanism = wire_cstr(&p, end);
	if (mechanism && end - p >= 4 && wire_u32(p) == (uint32_t)(end - p - 4))
		v = scram_first(&a->scram, mechanism, p + 4, (size_t)(end - p - 4), &answer, &why);
	if (v == SCRAM_OK) {
		put_request(a, 11, answer.data, answer.len);
		attempt_enter(a, ATTEMPT_SASL_FINAL, 0);
		out = STEP_GO;
	} else {
		out = scram_refuse(a, v, why);
	}
	buf_free(&answer);
	secret_free(body);
	return out;
}

enum step proof_sasl_final(struct attempt *a)
{
	enum step out;
	enum scram_verdict v;
	const char *why = NULL;
	struct buf answer = {0};
	size_t len;
	char *body = take_message(a, &len, &out);

	if (!body)
		return out;
	v = scram_final(&a->scram, body, len, &answer, &why);
	if (v == SCRAM_OK) {
		put_request(a, 12, answer.data, answer.len);
		a->proven = a->scram.proven;
		out = attempt_finish(a);
	} else {
		out = scram_refuse(a, v, why);
	}
	buf_free(&answer);
	secret_free(body);
	return out;
}

/* --- certificates, peers --------------------------------------------------------------- */

/* A line depends on what cannot be asked for: refused, since it may be one that rejects. */
static enum step refuse_unknown(struct attempt *a, const char *place)
{
	const struct login *l = a->login;
	const char *asker = fact_asker(a);
	char who[512];

	log_line(LOG_PART_AUTH, LOG_LEVEL_WARNING,
		"%s: %s asks for a membership of user \"%s\", which cannot be known: %s",
		login_who(l, who, sizeof who), place, l->user,
		asker && *asker ? "the server did not answer"
				: "this login has no auth_user to ask the server as");
	return attempt_refuse(a, "08006",
		"the server cannot be asked for memberships (see the pooler's log)");
}

/* What a name proves: map says whom it may be. */
static enum step prove_name(struct attempt *a, const char *name, const char *reason)
{
	const struct front_rules *r = a->rules;
	const char *map = a->hba ? a->hba->ident_map : NULL;

	switch (auth_ident_allows(r->ident, map, name, a->login->user, fact_is_member, a)) {
	case FACT_YES:
		return attempt_finish(a);
	case FACT_UNKNOWN:
		return STEP_MORE;
	case FACT_FAILED:
		return refuse_unknown(a, r->conf->p.auth_ident_file);
	case FACT_NO:
		break;
	}
	return proof_failed(a, reason);
}

/* The name in the client's certificate that counts, or NULL; the caller frees. */
static char *certificate_name(const struct attempt *a)
{
	return a->hba && a->hba->cert_dn ? net_tls_peer_dn(&a->login->conn)
					 : net_tls_peer_cn(&a->login->conn);
}

static enum step prove_cert(struct attempt *a)
{
	char *name = certificate_name(a), *reason;
	enum step out;

	if (!name)
		return attempt_refuse(a, "28000", NO_CERTIFICATE);
	reason = mem_printf("the certificate is for \"%s\"", name);
	out = prove_name(a, name, reason);
	free(reason);
	free(name);
	return out;
}

static enum step prove_peer(struct attempt *a)
{
	const struct login *l = a->login;
	struct auth_user *sys = NULL;
	struct auth_job *job;
	char uid[24];

	if (l->peer.family != AF_UNIX || l->peer.uid == (uid_t)-1)
		return proof_failed(a, "the peer method works on unix sockets only");
	snprintf(uid, sizeof uid, "%u", (unsigned)l->peer.uid);
	switch (auth_cache_get(front.cache, "uid", uid, clock_mono(), &sys)) {
	case CACHE_YES:
		return prove_name(a, sys->name, "the system user is another one");
	case CACHE_NO:
	case CACHE_ERROR:
		return proof_failed(a, "the system user has no name");
	case CACHE_MISS:
		break;
	}
	job = fact_job(AUTH_JOB_UID, "uid", uid);
	return fact_ask(a, job);
}

/* --- which proof ------------------------------------------------------------------------ */

static enum step refuse_by_hba(struct attempt *a, bool found)
{
	const struct login *l = a->login;
	char host[NET_ADDR_TEXT];

	net_addr_host(&l->peer, host, sizeof host);
	return attempt_refuse(a, "28000", "%s host \"%s\", user \"%s\", %s%s%s%s",
		found ? "pg_hba.conf rejects connection for" : "no pg_hba.conf entry for",
		l->peer.family == AF_UNIX ? "[local]" : host, l->user,
		l->replication == LOGIN_PHYSICAL ? "replication" : "database \"",
		l->replication == LOGIN_PHYSICAL ? "" : l->database,
		l->replication == LOGIN_PHYSICAL ? "" : "\"",
		l->peer.family == AF_UNIX ? ""
		: l->conn.ssl		  ? ", SSL encryption"
					  : ", no encryption");
}

/* Asks the HBA file.  false: *out is the step to return. */
static bool consult_hba(struct attempt *a, enum step *out)
{
	const struct login *l = a->login;
	char *place;
	struct hba_query q = {
		.local = l->peer.family == AF_UNIX,
		.tls = l->conn.ssl != NULL,
		.family = l->peer.family == AF_UNIX ? 0 : l->peer.family,
		.user = l->user,
		.database = l->database,
		.replication = l->replication == LOGIN_PHYSICAL,
		.is_member = fact_is_member,
		.host_is = fact_host_is,
		.arg = a,
	};

	memcpy(q.ip, l->peer.ip, 16);
	a->hba = NULL;
	switch (a->rules->hba ? auth_hba_match(a->rules->hba, &q, &a->hba) : HBA_NONE) {
	case HBA_FOUND:
		a->method = a->hba->method;
		return true;
	case HBA_NONE:
		*out = refuse_by_hba(a, false);
		return false;
	case HBA_UNKNOWN: /* a question is under way */
		*out = STEP_MORE;
		return false;
	case HBA_FAILED:
		place = mem_printf("%s:%u", a->hba->file, a->hba->line);
		*out = refuse_unknown(a, place);
		free(place);
		return false;
	}
	return true;
}

/* clientcert=verify-ca|verify-full: a certificate on top of the method.  false: *out is the step
 * to return. */
static bool has_client_cert(struct attempt *a, enum step *out)
{
	const struct front_rules *r = a->rules;
	enum auth_fact allowed = FACT_NO;
	char *name;

	*out = STEP_MORE;
	if (!a->hba || !a->hba->clientcert_verify)
		return true;
	name = certificate_name(a);
	if (name)
		allowed = !a->hba->clientcert_full
				  ? FACT_YES
				  : auth_ident_allows(r->ident, a->hba->ident_map, name,
					    a->login->user, fact_is_member, a);
	if (!name)
		*out = attempt_refuse(a, "28000", NO_CERTIFICATE);
	else if (allowed == FACT_NO)
		*out = proof_failed(a, "the certificate is for another name");
	else if (allowed == FACT_FAILED)
		*out = refuse_unknown(a, r->conf->p.auth_ident_file);
	free(name);
	return allowed == FACT_YES;
}

static enum step begin_trust(struct attempt *a)
{
	enum step out;
	const char *asker = fact_asker(a);

	if (!fact_find_user(a, &out))
		return out;
	/* Where names are listed, the name must be one of them, as in PgBouncer. */
	if (!a->user && (a->rules->users || (asker && *asker)))
		return proof_failed(a, "no such user");
	return attempt_finish(a);
}

static enum step begin_password(struct attempt *a)
{
	bool md5 = false;
	enum step out;

	if (!fact_find_user(a, &out))
		return out;
	if (a->method == AUTH_MD5) {
		/* As in PostgreSQL: md5 also takes SCRAM where that is what is stored.  For an
		 * unknown name the kind that the list has. */
		md5 = a->user ? false : a->rules->has_md5;
		for (size_t i = 0; a->user && i < a->user->count; i++)
			md5 = md5 || a->user->secrets[i].kind != SECRET_SCRAM;
	}
	return md5 ? begin_md5(a) : begin_scram(a);
}

enum step proof_begin(struct attempt *a)
{
	const struct login *l = a->login;
	enum step out;

	if (front.rate && l->peer.family != AF_UNIX &&
		!auth_rate_allows(front.rate, l->peer.family, l->peer.ip, clock_mono())) {
		char who[512];
		front.stats.rate_limited++;
		log_line(LOG_PART_AUTH, LOG_LEVEL_WARNING,
			"%s: not heard: too many failed logins from this address",
			login_who(l, who, sizeof who));
		return refuse_later(a, "28000",
			mem_strdup(
				"too many failed logins from this address; try again in a minute"));
	}
	if (a->method == AUTH_HBA && !consult_hba(a, &out))
		return out;
	if (!has_client_cert(a, &out))
		return out;
	switch (a->method) {
	case AUTH_ANY:
		return attempt_finish(a);
	case AUTH_TRUST:
		return begin_trust(a);
	case AUTH_REJECT:
		return refuse_by_hba(a, true);
	case AUTH_PLAIN:
	case AUTH_PAM:
		put_request(a, 3, NULL, 0);
		attempt_enter(a, ATTEMPT_PLAIN, 0);
		return STEP_GO;
	case AUTH_MD5:
	case AUTH_SCRAM:
		return begin_password(a);
	case AUTH_CERT:
		return prove_cert(a);
	case AUTH_PEER:
		return prove_peer(a);
	case AUTH_LDAP:
	case AUTH_HBA:
		break;
	}
	return attempt_refuse(a, "28000",
		"the authentication method of this login is not available");
}
