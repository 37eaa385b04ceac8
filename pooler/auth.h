/* SPDX-License-Identifier: ISC
 *
 * auth: who may come in.  Pure tables and state machines over bytes: no socket, no event
 * loop; only auth_helper.c has a thread.
 *
 *   auth_heap.c    memory for secrets, ours and those of libraries
 *   auth_libpq.c   what the running libpq can
 *   auth_patience.c  how long libpq may compute for a server
 *   auth_secret.c  a stored secret: plain, md5 or SCRAM; parsed, derived
 *   auth_users.c   the user list, in PgBouncer's format
 *   auth_scram.c   the server's side of SCRAM-SHA-256 and -PLUS
 *   auth_md5.c     md5 challenge and answer; plain comparison
 *   auth_method.c  the words for the methods
 *   auth_hba.c     who must prove what, in PostgreSQL's pg_hba.conf syntax
 *   auth_ident.c   which system user may be which database user (pg_ident.conf)
 *   auth_token.c   what lines, fields and tokens of those two files are
 *   auth_regex.c   regular expressions in them
 *   auth_rate.c    addresses that fail too often
 *   auth_cache.c   what auth_query answered, with its time to live
 *   auth_helper.c  a thread for what blocks: auth_query, PAM, names, SCRAM derivation
 *
 * Secrets live in memory that stays out of core dumps and is wiped when released.
 */
#ifndef POOLER_AUTH_H
#define POOLER_AUTH_H

#include "base.h"

#include <sys/socket.h>

/* --- methods -------------------------------------------------------------- */

/* One vocabulary for auth_type and the HBA file. */
enum auth_method {
	AUTH_TRUST,
	AUTH_REJECT,
	AUTH_PLAIN, /* "plain", "password" */
	AUTH_MD5,   /* falls forward to SCRAM when that is what is stored, as in PostgreSQL */
	AUTH_SCRAM,
	AUTH_CERT,
	AUTH_PEER,
	AUTH_PAM,
	AUTH_LDAP, /* known by name, refused when configured */
	AUTH_ANY,  /* auth_type only: trust, and the user name does not matter */
	AUTH_HBA,  /* auth_type only: ask the HBA file */
};

/* NULL for an unknown word. */
const char *auth_method_word(enum auth_method m);
bool auth_method_parse(const char *word, enum auth_method *out) MUSTCHECK;

/* --- secrets -------------------------------------------------------------- */

#define SCRAM_KEY_LEN		 32
#define SCRAM_SALT_MAX		 64
#define SCRAM_ITERATIONS_DEFAULT 4096
#define SCRAM_ITERATIONS_MAX	 10000000
#define AUTH_PASSWORD_MAX	 2048 /* bytes; longer ones are refused */

struct scram_keys {
	uint32_t iterations;
	uint8_t salt_len;
	uint8_t salt[SCRAM_SALT_MAX];
	uint8_t stored_key[SCRAM_KEY_LEN];
	uint8_t server_key[SCRAM_KEY_LEN];
};

/* Can one exchange prove either? */
bool scram_keys_same_salt(const struct scram_keys *a, const struct scram_keys *b);

enum secret_kind {
	SECRET_PLAIN,
	SECRET_MD5,   /* text is "md5" and 32 hex digits */
	SECRET_SCRAM, /* keys */
};

struct auth_secret {
	enum secret_kind kind;
	char *text;		/* as stored: in secret memory */
	bool has_keys;		/* keys are whole: always for SCRAM, once derived for PLAIN */
	struct scram_keys keys; /* PLAIN: salt and iterations are set from the beginning */
};

/* Secret memory: out of core dumps, wiped by secret_free(). */
void *secret_alloc(size_t n) MUSTCHECK;
char *secret_strdup(const char *s) MUSTCHECK;
void secret_free(void *p);
/* From now on, or no longer, all that this thread allocates is secret memory, also what libraries
 * do (libpq keeps a password as long as the connection lives); any thread frees it by free().
 * Answers what was set before. */
bool secret_thread(bool on);
/* Bytes that nobody can guess, the kernel's, 256 at the most; false when it has none.  (OpenSSL's
 * generator costs a login twice as much.) */
bool secret_random(void *p, size_t n) MUSTCHECK;

/* What this thread derives in libpq must be done by then (clock_mono; 0: no limit), or fails.
 * Answers what was set before. */
usec_t auth_patience(usec_t until);
bool auth_patience_is_over(void);

/* The last call of a thread that used libpq or OpenSSL and that nobody joins: frees what OpenSSL
 * keeps for it. */
void secret_thread_end(void);

/* Tells the kind by its form; false with a reason when it has the form of none. */
bool secret_parse(const char *text, struct auth_secret *out, const char **why) MUSTCHECK;
void secret_release(struct auth_secret *s);
/* PBKDF2: milliseconds of CPU.  Password is normalised with SASLprep where it can be. */
bool secret_derive(const char *password, uint32_t iterations, const uint8_t *salt, size_t salt_len,
	struct scram_keys *out) MUSTCHECK;
/* Strict base64 (no blanks, right padding): the length, or -1.  out has (len / 4) * 3 bytes. */
int secret_unbase64(const char *text, size_t len, uint8_t *out) MUSTCHECK;
void secret_put_base64(struct buf *out, const uint8_t *p, size_t n);
/* "SCRAM-SHA-256$4096:salt$stored:server" */
void secret_format_scram(const struct scram_keys *k, struct buf *out);
/* out: "md5" + 32 hex digits + NUL */
bool secret_md5(const char *password, const char *user, char out[36]) MUSTCHECK;
/* Is `password` the one that is stored?  Constant time in the secret. */
bool secret_matches(const struct auth_secret *s, const char *user, const char *password) MUSTCHECK;

/* Can the libpq that is running log in with SCRAM keys instead of a password (18 and later)? */
bool auth_libpq_takes_keys(void);
int auth_libpq_version(void); /* 15 */
/* Does it use the same OpenSSL as we do?  Else its SSL objects are not ours to read. */
bool auth_libpq_shares_openssl(void);

/* --- user list ------------------------------------------------------------ */

/* "user" "secret" per line; a user may have several lines: each secret is alive.  Immutable
 * once loaded but for the derived keys of plain secrets; counted references, any thread. */
struct auth_user {
	int refs; /* only of those made by auth_user_new() */
	char *name;
	unsigned line;		     /* of its first secret in the file */
	struct auth_secret *secrets; /* in the order of the file; the name may have none */
	size_t count;
};
struct auth_users;

/* NULL with *err (one line an error, all errors of the file) when it cannot be used. */
struct auth_users *auth_users_parse(const char *text, size_t len, const char *path,
	uint32_t iterations, struct buf *err) MUSTCHECK;
struct auth_users *auth_users_load(const char *path, uint32_t iterations,
	struct buf *err) MUSTCHECK;
struct auth_users *auth_users_ref(struct auth_users *u);
void auth_users_drop(struct auth_users **u);
const struct auth_user *auth_users_find(const struct auth_users *u, const char *name);
size_t auth_users_count(const struct auth_users *u);
/* Keys that `old` has derived already and that still fit (same name, same plain secret). */
void auth_users_inherit(struct auth_users *u, const struct auth_users *old);
const struct auth_user *auth_users_at(const struct auth_users *u, size_t i); /* i < count */
/* Is there a secret that can answer an md5 challenge? */
bool auth_users_have_md5(const struct auth_users *u);
/* How many users have SCRAM secrets and nothing that a server would take as a password? */
unsigned auth_users_scram_only(const struct auth_users *u);
/* A user outside of any list (a role's rolpassword), counted references, one thread.  NULL when
 * the secret has no known form; with secret = NULL a user who has none. */
struct auth_user *auth_user_new(const char *name, const char *secret, uint32_t iterations);
bool auth_user_add(struct auth_user *u, const char *secret, uint32_t iterations) MUSTCHECK;
struct auth_user *auth_user_ref(struct auth_user *u);
void auth_user_drop(struct auth_user **u);
/* The next plain secret whose keys are still to be derived (by secret_derive, on a thread that
 * may take milliseconds), or NULL. */
struct auth_secret *auth_user_underived(const struct auth_user *u);
/* Do its SCRAM secrets have more than one salt (scram_begin's `prefer`)? */
unsigned auth_user_salts(const struct auth_user *u);

/* --- md5 ------------------------------------------------------------------ */

/* Is `answer` ("md5" + 32 hex) right for this salt?  Only plain and md5 secrets can say yes. */
bool md5_check(const struct auth_secret *s, const char *user, const uint8_t salt[4],
	const char *answer) MUSTCHECK;

/* --- SCRAM ---------------------------------------------------------------- */

/* One exchange.
 *
 *     scram_begin ─▶ scram_first() ─▶ scram_final() ─▶ proven, or denied
 *
 * The salt is shown before the client proves anything, so an exchange can accept only secrets
 * that share one salt and iteration count.  Plain secrets always do (auth_users.c gives those
 * of a user one salt, that of its first SCRAM secret if there is one); of SCRAM secrets with
 * different salts an exchange tries one set, and `prefer` counts through the sets.
 *
 * An unknown user, or one without a usable secret, is begun with user = NULL: the exchange
 * looks the same, with a salt that stays the same for that name, and is denied at its end. */
#define SCRAM_MESSAGE_MAX 4096 /* bytes of one message of a client; they have about 150 */

struct scram {
	const struct auth_user *user;  /* borrowed; NULL: doomed */
	const struct scram_keys *keys; /* salt and iterations of the exchange */
	struct scram_keys mock;
	const uint8_t *end_point; /* channel binding data, borrowed; NULL without TLS */
	size_t end_point_len;
	bool plus;	  /* SCRAM-SHA-256-PLUS was chosen */
	char *gs2_header; /* as the client sent it */
	char *nonce;	  /* the client's and ours */
	char *first_bare, *server_first;
	uint8_t client_key[SCRAM_KEY_LEN]; /* after SCRAM_OK of scram_final: for pass-through */
	uint8_t server_key[SCRAM_KEY_LEN];
	const struct auth_secret *proven; /* after SCRAM_OK of scram_final */
};

enum scram_verdict {
	SCRAM_OK,     /* *out holds the next message for the client */
	SCRAM_DENIED, /* wrong password, or doomed: say 28P01, nothing more */
	SCRAM_BROKEN, /* the client broke the protocol: *why, 08P01 */
};

/* The random secret of this process that invented salts come from, and what OpenSSL needs.  At the
 * start, so that what is missing is said there. */
bool scram_setup(void) MUSTCHECK;
/* Every secret of `user` that should count must have its keys (auth_user_underived). */
void scram_begin(struct scram *s, const struct auth_user *user, const char *name, unsigned prefer,
	uint32_t mock_iterations, const uint8_t *end_point, size_t end_point_len);
void scram_release(struct scram *s);
/* Appends the names of the mechanisms, NUL-terminated, and the empty one that ends them. */
void scram_put_mechanisms(struct buf *out, bool plus);
enum scram_verdict scram_first(struct scram *s, const char *mechanism, const char *msg, size_t len,
	struct buf *out, const char **why) MUSTCHECK;
enum scram_verdict scram_final(struct scram *s, const char *msg, size_t len, struct buf *out,
	const char **why) MUSTCHECK;
/* For tests: scram_first() uses this as our part of the nonce (NULL: random again). */
void scram_fix_nonce(const char *nonce);

/* --- HBA ------------------------------------------------------------------ */

/* What only others know (the server, the resolver), as far as it is known. */
enum auth_fact {
	FACT_FAILED = -2,  /* nobody can be asked, or the question failed: refuse */
	FACT_UNKNOWN = -1, /* being asked for: try again when it is known */
	FACT_NO = 0,
	FACT_YES = 1,
};
/* Is `user` a member of `role`, directly or through others? */
typedef enum auth_fact auth_member_fn(void *arg, const char *user, const char *role);

struct hba_query {
	bool local; /* unix socket */
	bool tls;
	sa_family_t family; /* AF_INET, AF_INET6; else 0 */
	uint8_t ip[16];
	const char *user, *database;
	bool replication; /* physical replication */
	/* Asked for only when a line depends on it. */
	auth_member_fn *is_member;
	enum auth_fact (*host_is)(void *arg, const char *pattern);
	void *arg;
};

struct hba_line {
	enum auth_method method;
	unsigned line; /* number in the file */
	char *file;
	char *ident_map;	/* map=…, or NULL */
	bool clientcert_verify; /* clientcert=verify-ca|verify-full: a verified certificate as well
				 */
	bool clientcert_full;	/* … whose name is the user's */
	bool cert_dn;		/* clientname=DN */
	char *pam_service;	/* pamservice=…, or NULL */
};
struct auth_hba;

enum hba_verdict {
	HBA_FOUND,   /* *out */
	HBA_NONE,    /* no line matches: refused */
	HBA_UNKNOWN, /* a callback said FACT_UNKNOWN: ask again when it knows */
	HBA_FAILED,  /* *out depends on what cannot be known: refused */
};

struct auth_hba *auth_hba_parse(const char *text, size_t len, const char *path,
	struct buf *err) MUSTCHECK;
struct auth_hba *auth_hba_load(const char *path, struct buf *err) MUSTCHECK;
struct auth_hba *auth_hba_ref(struct auth_hba *h);
void auth_hba_drop(struct auth_hba **h);
enum hba_verdict auth_hba_match(const struct auth_hba *h, const struct hba_query *q,
	const struct hba_line **out);
/* Does any line use that method (to check at configuration time)? */
bool auth_hba_uses(const struct auth_hba *h, enum auth_method m);
/* The first line that names a group (+role, samerole), or NULL. */
const struct hba_line *auth_hba_group_line(const struct auth_hba *h);
/* Each line, in the order of the file; NULL behind the last one. */
const struct hba_line *auth_hba_line(const struct auth_hba *h, size_t i);

/* --- ident maps ----------------------------------------------------------- */

struct auth_ident;
struct auth_ident *auth_ident_parse(const char *text, size_t len, const char *path,
	struct buf *err) MUSTCHECK;
struct auth_ident *auth_ident_load(const char *path, struct buf *err) MUSTCHECK;
struct auth_ident *auth_ident_ref(struct auth_ident *i);
void auth_ident_drop(struct auth_ident **i);
/* May the system user (OS user, certificate name) be this database user?  Without a map the
 * two names must be equal. */
enum auth_fact auth_ident_allows(const struct auth_ident *i, const char *map,
	const char *system_user, const char *user, auth_member_fn *is_member, void *arg) MUSTCHECK;
bool auth_ident_has(const struct auth_ident *i, const char *map);

/* --- rate limit ----------------------------------------------------------- */

/* Failed logins per address (a /64 for v6): `burst` at once, then `per_minute`.  A fixed
 * table: a flood of addresses replaces the oldest entries and costs no memory. */
struct auth_rate;
struct auth_rate *auth_rate_new(unsigned burst, unsigned per_minute);
void auth_rate_free(struct auth_rate **r);
bool auth_rate_allows(struct auth_rate *r, sa_family_t family, const uint8_t ip[16],
	usec_t now) MUSTCHECK;
void auth_rate_failed(struct auth_rate *r, sa_family_t family, const uint8_t ip[16], usec_t now);

/* --- auth_query's cache ---------------------------------------------------- */

/* What was learned by asking: bounded, forgets by time.  `topic` and `name` together are the
 * key ("query:shop" and a user; "member:+admins" and a user).  One thread. */
struct auth_cache;
enum cache_verdict {
	CACHE_MISS,
	CACHE_YES,   /* with a user where the topic has one: borrowed until the cache changes */
	CACHE_NO,    /* there is none; it is not so */
	CACHE_ERROR, /* could not be asked a moment ago */
};
struct auth_cache *auth_cache_new(void);
void auth_cache_free(struct auth_cache **c);
enum cache_verdict auth_cache_get(struct auth_cache *c, const char *topic, const char *name,
	usec_t now, struct auth_user **out);
/* Takes the reference to user (which may be NULL). */
void auth_cache_put(struct auth_cache *c, const char *topic, const char *name,
	enum cache_verdict verdict, struct auth_user *user, usec_t now, usec_t ttl);
/* After a failed login: what is older than `min_age` is forgotten and asked for anew. */
void auth_cache_forget(struct auth_cache *c, const char *topic, const char *name, usec_t now,
	usec_t min_age);
void auth_cache_clear(struct auth_cache *c);

/* --- helper thread --------------------------------------------------------- */

/* What may block or costs milliseconds.  A job is made and freed by the caller, posted once,
 * and comes back through auth_helper_take() after `wake` was called (on a helper's thread). */
enum auth_job_kind {
	AUTH_JOB_DERIVE, /* keys (in: salt and iterations) of `password` */
	AUTH_JOB_MATCH,	 /* is `password` the one of `keys`? */
	AUTH_JOB_QUERY,	 /* secrets of `user`, by `query` on the server of `target` */
	AUTH_JOB_MEMBER, /* is `user` a member of role `arg` on the server of `target`? */
	AUTH_JOB_HOST,	 /* has the address `ip` the name `arg` (".suffix" too), both ways? */
	AUTH_JOB_PAM,	 /* does PAM service `arg` take user and password? */
	AUTH_JOB_UID,	 /* the name of the system user with number `arg`: into `name` */
};

/* libpq's words for the server of auth_query: pairs, NULL-terminated. */
struct auth_target {
	char *keys[24], *values[24];
	size_t count;
};
void auth_target_add(struct auth_target *t, const char *key, const char *value);
void auth_target_release(struct auth_target *t);

struct auth_job {
	struct auth_job *next;
	enum auth_job_kind kind;
	void *owner; /* the caller's */
	char *topic; /* the caller's: where the answer belongs in the cache */
	char *user, *arg, *query;
	char *password; /* secret memory */
	struct auth_target target;
	struct scram_keys keys;
	sa_family_t family;
	uint8_t ip[16];
	/* the answer */
	bool ok;	/* proven, member, host matches, user found */
	bool failed;	/* could not be done; error says why */
	char **secrets; /* QUERY: secret memory; NULL-terminated */
	char *name;
	char *error;
};
struct auth_helper;
struct auth_helper *auth_helper_start(void (*wake)(void *arg), void *arg);
void auth_helper_post(struct auth_helper *h, struct auth_job *job);
struct auth_job *auth_helper_take(struct auth_helper *h);
/* Waits for the jobs under way and gives back all that were not taken, as a list. */
void auth_helper_stop(struct auth_helper **h, struct auth_job **jobs);
void auth_job_free(struct auth_job **job);

#endif
