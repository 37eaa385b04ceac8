/* SPDX-License-Identifier: ISC
 *
 * Facts that a login depends on and that must be asked for: a role's secrets (auth_query), its
 * memberships, names of addresses and of system users, keys derived from a password.
 *
 * The answer goes into the cache, or to the attempts that wait; then their step is run again,
 * finds it there and goes on.
 */
#include "session_front.h"

/* How long a wrong password lets a cached secret live that is younger than this. */
#define FORGET_AGE (2 * USEC_SEC)
/* How long an answer "could not be asked" holds. */
#define ERROR_TTL USEC_SEC
struct auth_job *fact_job(enum auth_job_kind kind, const char *topic, const char *user)
{
	struct auth_job *job = mem_zalloc(sizeof *job);

	job->kind = kind;
	job->topic = mem_strdup(topic);
	job->user = mem_strdup(user);
	return job;
}

enum step fact_ask(struct attempt *a, struct auth_job *job)
{
	char *key = mem_printf("%s/%s", job->topic, job->user);
	enum step out = attempt_ask(a, key, job);

	free(key);
	return out;
}

const char *fact_asker(const struct attempt *a)
{
	return conf_auth_user(a->rules->conf, a->db, NULL);
}

/* The [databases] line that auth_query connects through: that of auth_dbname, else the one of
 * the login itself.  The console has none of its own. */
static const struct conf_database *query_database(const struct attempt *a, const char **dbname)
{
	const struct conf *conf = a->rules->conf;
	const char *name = conf_auth_dbname(conf, a->db, NULL);
	const struct conf_database *db = a->db;

	if (name && *name)
		db = conf_database_find(conf, name);
	else
		name = a->login->database;
	*dbname = db && db->dbname ? db->dbname : name;
	return db;
}

/* Where answers belong in the cache: by the server that is asked, not by the login; and by the
 * settings, since what was asked before a reload may be answered behind it. */
static char *query_topic(const struct attempt *a)
{
	const char *dbname;
	const struct conf_database *db = query_database(a, &dbname);

	return mem_printf("query:%u:%s:%s", a->rules->serial, db ? db->name : "", dbname);
}

void fact_forget_user(struct attempt *a)
{
	char *topic = query_topic(a);

	auth_cache_forget(front.cache, topic, a->login->user, clock_mono(), FORGET_AGE);
	free(topic);
}

static void target_add_tls(struct auth_target *t, const struct conf *conf,
	const struct conf_database *db)
{
	static const char *const words[] = {
		"disable", "allow", "prefer", "require", "verify-ca", "verify-full"};

	auth_target_add(t, "sslmode", words[conf_server_tls_sslmode(conf, db, NULL)]);
	auth_target_add(t, "sslrootcert", conf_server_tls_ca_file(conf, db, NULL));
	auth_target_add(t, "sslcert", conf_server_tls_cert_file(conf, db, NULL));
	auth_target_add(t, "sslkey", conf_server_tls_key_file(conf, db, NULL));
	auth_target_add(t, "sslcrl", conf_server_tls_crl_file(conf, db, NULL));
}

/* How to reach the server of auth_query as auth_user. */
static void target_fill(struct attempt *a, struct auth_target *t, const struct conf_database *db,
	const char *dbname)
{
	const struct conf *conf = a->rules->conf;
	const char *user = fact_asker(a);
	const struct auth_user *listed = auth_users_find(a->rules->users, user);
	const char *host = db->host;
	const char *password =
		db->user && db->password && strcmp(db->user, user) == 0 ? db->password : NULL;

	for (size_t i = 0; listed && i < listed->count && !password; i++)
		if (listed->secrets[i].kind == SECRET_PLAIN)
			password = listed->secrets[i].text;
	if (!host && !db->hostaddr && !db->service) /* as session_dial.c */
		host = conf->p.unix_socket_dir[0] && conf->p.unix_socket_dir[0] != '@'
			       ? conf->p.unix_socket_dir
			       : "/var/run/postgresql";
	auth_target_add(t, "host", host);
	auth_target_add(t, "hostaddr", db->hostaddr);
	auth_target_add(t, "port", db->port);
	auth_target_add(t, "service", db->service);
	auth_target_add(t, "passfile", db->passfile);
	auth_target_add(t, "dbname", dbname);
	auth_target_add(t, "user", user);
	auth_target_add(t, "password", password);
	target_add_tls(t, conf, db);
	auth_target_add(t, "target_session_attrs", db->target_session_attrs);
	auth_target_add(t, "gssencmode", "disable");
	auth_target_add(t, "application_name", "pgsluice auth_query");
	auth_target_add(t, "options", "-csearch_path=pg_catalog,pg_temp -cstatement_timeout=10s");
	auth_target_add(t, "connect_timeout", "10");
	auth_target_add(t, "tcp_user_timeout", "10000"); /* of one whose packets get lost */
}

/* The user's secrets, or NULL.  false: being asked for; return *out. */
bool fact_find_user(struct attempt *a, enum step *out)
{
	struct login *l = a->login;
	const char *asker = fact_asker(a), *dbname;
	const struct conf_database *db;
	struct auth_user *found = NULL;
	struct auth_job *job;
	char *topic;
	bool known = true;

	auth_user_drop(&a->kept);
	a->from_query = false;
	a->user = auth_users_find(a->rules->users, l->user);
	if (a->user || !asker || !*asker)
		return true;
	db = query_database(a, &dbname);
	if (!db)
		return true; /* no such database: it looks like a wrong password */
	topic = query_topic(a);
	switch (auth_cache_get(front.cache, topic, l->user, clock_mono(), &found)) {
	case CACHE_YES:
		a->kept = auth_user_ref(found);
		a->user = found;
		a->from_query = true;
		break;
	case CACHE_NO:
		a->from_query = true;
		break;
	case CACHE_ERROR:
		*out = attempt_refuse(a, "08006",
			"the server of auth_query cannot be asked (see the pooler's log)");
		known = false;
		break;
	case CACHE_MISS:
		job = fact_job(AUTH_JOB_QUERY, topic, l->user);
		job->query = mem_strdup(conf_auth_query(a->rules->conf, a->db, NULL));
		target_fill(a, &job->target, db, dbname);
		*out = fact_ask(a, job);
		known = false;
		break;
	}
	free(topic);
	return known;
}

/* A yes-or-no fact; FACT_UNKNOWN: being asked for, and a->state is WAIT. */
static enum auth_fact ask_fact(struct attempt *a, struct auth_job *job)
{
	struct auth_user *none;

	switch (auth_cache_get(front.cache, job->topic, job->user, clock_mono(), &none)) {
	case CACHE_YES:
		auth_job_free(&job);
		return FACT_YES;
	case CACHE_NO:
		auth_job_free(&job);
		return FACT_NO;
	case CACHE_ERROR:
		auth_job_free(&job);
		return FACT_FAILED;
	case CACHE_MISS:
		break;
	}
	fact_ask(a, job);
	return FACT_UNKNOWN;
}

enum auth_fact fact_is_member(void *arg, const char *user, const char *role)
{
	struct attempt *a = arg;
	const char *asker = fact_asker(a), *dbname;
	const struct conf_database *db = query_database(a, &dbname);
	struct auth_job *job;
	char *topic;

	if (!asker || !*asker || !db)
		return FACT_FAILED; /* nobody to ask */
	topic = mem_printf("member:%u:%s:%s:%s", a->rules->serial, db->name, dbname, role);
	job = fact_job(AUTH_JOB_MEMBER, topic, user);
	free(topic);
	job->arg = mem_strdup(role);
	target_fill(a, &job->target, db, dbname);
	return ask_fact(a, job);
}

enum auth_fact fact_host_is(void *arg, const char *pattern)
{
	struct attempt *a = arg;
	const struct net_addr *peer = &a->login->peer;
	char host[NET_ADDR_TEXT];
	char *topic = mem_printf("host:%s", pattern);
	struct auth_job *job =
		fact_job(AUTH_JOB_HOST, topic, net_addr_host(peer, host, sizeof host));
	enum auth_fact fact;

	free(topic);
	job->arg = mem_strdup(pattern);
	job->family = peer->family;
	memcpy(job->ip, peer->ip, 16);
	fact = ask_fact(a, job);
	return fact == FACT_FAILED ? FACT_NO : fact; /* as PostgreSQL when it finds no name */
}

/* --- what the helper answers ------------------------------------------------------ */

static void query_answered(const struct auth_job *job, const struct conf_pooler *p)
{
	/* A role without a password, or with an expired one, is a user without secrets. */
	struct auth_user *u = job->ok ? auth_user_new(job->user, NULL, 0) : NULL;

	for (size_t i = 0; u && job->secrets && job->secrets[i]; i++)
		if (!auth_user_add(u, job->secrets[i], (uint32_t)p->scram_iterations))
			log_line(LOG_PART_AUTH, LOG_LEVEL_WARNING,
				"auth_query: user \"%s\": a secret of unknown form is left out",
				job->user);
	auth_cache_put(front.cache, job->topic, job->user, u ? CACHE_YES : CACHE_NO, u,
		clock_mono(), u && u->count ? p->auth_cache_ttl : p->auth_negative_ttl);
}

/* Keys derived from a plain secret go to that secret, if it is still the one. */
static void apply_keys(const struct auth_user *u, const struct auth_job *job)
{
	for (size_t i = 0; u && i < u->count; i++) {
		struct auth_secret *s = &u->secrets[i];
		if (s->kind == SECRET_PLAIN && !s->has_keys &&
			scram_keys_same_salt(&s->keys, &job->keys) &&
			strcmp(s->text, job->password) == 0) {
			s->keys = job->keys;
			s->has_keys = true;
		}
	}
}

void fact_answered(const struct auth_job *job)
{
	const struct conf_pooler *p = &front.rules->conf->p;
	struct auth_user *u;

	if (job->failed)
		log_line(LOG_PART_AUTH, LOG_LEVEL_ERROR, "%s: %s", job->topic, job->error);
	if (strcmp(job->topic, "list") == 0) {
		if (job->failed)
			front.next_derived++;
		else
			apply_keys(auth_users_find(front.rules->users, job->user), job);
	}
	if (job->kind == AUTH_JOB_DERIVE || job->kind == AUTH_JOB_MATCH ||
		job->kind == AUTH_JOB_PAM)
		return; /* for one attempt, not for the tables */
	if (job->failed) {
		auth_cache_put(front.cache, job->topic, job->user, CACHE_ERROR, NULL, clock_mono(),
			ERROR_TTL);
		return;
	}
	switch (job->kind) {
	case AUTH_JOB_QUERY:
		query_answered(job, p);
		break;
	case AUTH_JOB_UID:
		u = auth_user_new(job->name, NULL, 0);
		auth_cache_put(front.cache, job->topic, job->user, CACHE_YES, u, clock_mono(),
			p->auth_cache_ttl);
		break;
	default:
		auth_cache_put(front.cache, job->topic, job->user, job->ok ? CACHE_YES : CACHE_NO,
			NULL, clock_mono(), job->ok ? p->auth_cache_ttl : p->auth_negative_ttl);
		break;
	}
}

void fact_apply(struct attempt *a, struct auth_job *job)
{
	switch (job->kind) {
	case AUTH_JOB_DERIVE:
		if (!job->failed)
			apply_keys(a->user, job);
		break;
	case AUTH_JOB_MATCH:
	case AUTH_JOB_PAM:
		a->match_known = true;
		a->match = job->ok && !job->failed;
		break;
	default:
		break;
	}
}

struct auth_job *fact_next_derivation(void)
{
	const struct front_rules *r = front.rules;
	size_t n = auth_users_count(r->users);

	for (; front.next_derived < n; front.next_derived++) {
		const struct auth_user *u = auth_users_at(r->users, front.next_derived);
		const struct auth_secret *s = auth_user_underived(u);
		struct auth_job *job;
		if (!s)
			continue;
		job = fact_job(AUTH_JOB_DERIVE, "list", u->name);
		job->password = secret_strdup(s->text);
		job->keys = s->keys;
		return job;
	}
	return NULL;
}
