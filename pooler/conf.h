/* SPDX-License-Identifier: ISC
 *
 * conf: what the operator asked for, as one immutable value.
 *
 * A configuration is read whole (conf_load), checked whole (every error of every file
 * is reported, not the first), and is from then on a snapshot that never changes:
 * threads share it by reference.  RELOAD and SET make a new snapshot; whoever still
 * works by the old one keeps it until it lets go.
 *
 *   conf_table.c     conf_settings[]: one row a setting (rows in conf_rows_*.h)
 *   conf_value.c     text -> value and back: bool, int, size, time, words
 *   conf_check.c     what a text must look like: ports, addresses, lists of words
 *   conf_ini.c       the file's syntax, %include; knows no setting
 *   conf_build.c     lines -> struct conf, with defaults
 *   conf_fit.c       what must fit together across settings and files
 *   conf_load.c      load, reload, SET: the ways to a new snapshot
 *   conf_snapshot.c  references, look-ups, precedence (user > database > pooler)
 *   conf_target.c    where a database's line leads: hosts, TLS versions
 *   conf_report.c    errors and warnings; "did you mean"
 *   conf_show.c      SHOW CONFIG, what changed between two snapshots
 *   conf_print.c     the sample file, docs/settings.md, the man page
 *
 * Reading a setting:          conf->p.query_wait_timeout
 * ... that may be overridden: conf_query_wait_timeout(conf, db, user)
 *
 * Adding a setting: a field in the struct below and a row in conf_table.c; parsing,
 * defaults, ranges, units, the sample, the manual, SHOW CONFIG and SET know it then.
 */
#ifndef POOLER_CONF_H
#define POOLER_CONF_H

#include "base.h"

/* --- words ---------------------------------------------------------------- */

enum pool_mode {
	POOL_MODE_SESSION,
	POOL_MODE_TRANSACTION,
	POOL_MODE_STATEMENT,
	POOL_MODE_AUTO, /* transaction, pinned while the session holds state */
};

enum auth_type {
	AUTH_TYPE_ANY, /* like trust, and the user name is ignored: database's user= serves */
	AUTH_TYPE_TRUST,
	AUTH_TYPE_PLAIN,
	AUTH_TYPE_MD5,
	AUTH_TYPE_SCRAM_SHA_256,
	AUTH_TYPE_CERT,
	AUTH_TYPE_PEER,
	AUTH_TYPE_HBA,
	AUTH_TYPE_LDAP,
	AUTH_TYPE_PAM,
};

enum sslmode {
	SSLMODE_DISABLE,
	SSLMODE_ALLOW,
	SSLMODE_PREFER,
	SSLMODE_REQUIRE,
	SSLMODE_VERIFY_CA,
	SSLMODE_VERIFY_FULL,
};

enum load_balance_hosts { LOAD_BALANCE_HOSTS_ROUND_ROBIN, LOAD_BALANCE_HOSTS_DISABLE };

/* What transaction mode does when a client asks for what only a session can give. */
enum on_session_feature {
	ON_SESSION_FEATURE_PIN,
	ON_SESSION_FEATURE_ERROR,
	ON_SESSION_FEATURE_ALLOW
};

enum state_audit { STATE_AUDIT_OFF, STATE_AUDIT_SAMPLE, STATE_AUDIT_ALWAYS };
enum track_queries { TRACK_QUERIES_OFF, TRACK_QUERIES_SAMPLE, TRACK_QUERIES_ALL };
enum query_log_parameters {
	QUERY_LOG_PARAMETERS_ON,
	QUERY_LOG_PARAMETERS_HASH,
	QUERY_LOG_PARAMETERS_OFF
};
enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };
enum scheduling { SCHEDULING_AUTO, SCHEDULING_NORMAL, SCHEDULING_BATCH };

/* --- the values ----------------------------------------------------------- */

/* "Not said here, ask the next level", in databases, users and peers: -1 for an int or a
 * word, CONF_UNSET_TIME for a time, NULL for a text. */
#define CONF_UNSET	(-1)
#define CONF_UNSET_TIME USEC_NEVER

/* [pooler], alias [pgbouncer].  A field is named as its setting.  Texts are never NULL:
 * what was not set is "".  0 means "no limit" or "off" unless said otherwise. */
struct conf_pooler {
	/* where we listen */
	const char *listen_addr; /* list; "*" all; "" none, unix socket only */
	int listen_port;
	int listen_backlog;
	const char *unix_socket_dir; /* "" none; "@name" abstract */
	int unix_socket_mode;	     /* 0777 */
	const char *unix_socket_group;
	bool so_reuseport;
	bool tcp_defer_accept;
	int64_t tcp_socket_buffer; /* bytes, 0 = the kernel's choice */
	bool tcp_keepalive;
	int tcp_keepcnt;
	usec_t tcp_keepidle, tcp_keepintvl, tcp_user_timeout;

	/* the process */
	int workers; /* 0 = half as many as CPUs, up to 8 */
	enum scheduling scheduling;
	int shards; /* of one pool; 0 = auto */
	const char *logfile, *pidfile, *user, *conffile;
	int64_t max_memory;
	usec_t shutdown_timeout; /* after this a graceful shutdown becomes a fast one */
	usec_t suspend_timeout;
	int peer_id; /* 0 = no peers */

	/* pools and their limits */
	enum pool_mode pool_mode;
	int max_client_conn;
	int max_open;	      /* default_pool_size */
	int min_open;	      /* min_pool_size */
	int max_idle;	      /* 0 = all */
	usec_t max_idle_time; /* server_idle_timeout */
	usec_t max_lifetime;  /* server_lifetime; 0 = used once */
	int reserve_pool_size;
	usec_t reserve_pool_timeout;
	int queue_limit;
	int max_db_connections, max_db_client_connections;
	int max_user_connections, max_user_client_connections;
	int max_dialing; /* server logins under way at one time */
	bool server_round_robin;
	usec_t autodb_idle_timeout, pool_idle_timeout;

	/* how long */
	usec_t query_wait_timeout, query_wait_notify;
	usec_t query_timeout, transaction_timeout, idle_transaction_timeout;
	usec_t client_idle_timeout, client_login_timeout;
	usec_t cancel_wait_timeout;
	usec_t server_connect_timeout, server_login_retry;

	/* server connections */
	const char *server_reset_query; /* "" none */
	bool server_reset_query_always;
	const char *server_check_query; /* "" off; CONF_CHECK_EMPTY = an empty Query */
	usec_t server_check_delay;	/* idle this long: check before use */
	bool server_fast_close;

	/* sessions */
	enum on_session_feature on_session_feature;
	enum state_audit state_audit;
	bool deferred_begin;
	int max_prepared_statements;	       /* a server connection; 0 = not tracked */
	int64_t max_prepared_bytes;	       /* the process */
	int64_t max_client_prepared_bytes;     /* one client */
	const char *track_extra_parameters;    /* list */
	const char *ignore_startup_parameters; /* list */
	bool application_name_add_host;
	bool disable_pqexec;
	const char *login_notify_message;
	int64_t max_packet_size;

	/* who may enter */
	enum auth_type auth_type;
	const char *auth_file, *auth_hba_file, *auth_ident_file;
	const char *auth_user, *auth_query, *auth_dbname;
	const char *auth_ldap_options, *auth_pam_service;
	usec_t auth_delay;	/* a failed login waits this long for its answer */
	int auth_failure_limit; /* failed logins a minute from one address */
	usec_t auth_cache_ttl, auth_negative_ttl;
	int scram_iterations;
	const char *admin_users, *stats_users; /* lists */

	/* TLS */
	enum sslmode client_tls_sslmode;
	const char *client_tls_key_file, *client_tls_cert_file, *client_tls_ca_file;
	const char *client_tls_crl_file;
	const char *client_tls_protocols, *client_tls_ciphers, *client_tls13_ciphers;
	const char *client_tls_ecdhcurve, *client_tls_dheparams;
	enum sslmode server_tls_sslmode;
	const char *server_tls_key_file, *server_tls_cert_file, *server_tls_ca_file;
	const char *server_tls_crl_file;
	const char *server_tls_protocols, *server_tls_ciphers, *server_tls13_ciphers;

	/* the operator's log */
	int verbose;
	enum log_format log_format;
	const char *log_levels; /* list of part=level */
	bool log_connections, log_disconnections, log_pooler_errors, log_stats;
	usec_t stats_period;
	bool console_old_columns;
	bool pgbouncer_error_codes;
	bool syslog;
	const char *syslog_ident, *syslog_facility;

	/* what is observed */
	const char *query_log; /* file; "" off */
	usec_t query_log_min_duration;
	double query_log_sample_rate;
	enum query_log_parameters query_log_parameters;
	int64_t query_log_max_text;
	int64_t query_log_buffer; /* between the workers and the writer */
	enum track_queries track_queries;
	int track_queries_max;	    /* shapes kept */
	const char *metrics_listen; /* ADDRESS:PORT; "" off */
	const char *metrics_tls_cert_file, *metrics_tls_key_file;
	const char *metrics_user, *metrics_password;

	/* read, checked and shown, but without effect here (their rows say why) */
	int pkt_buf, sbuf_loopcnt;
	usec_t dns_max_ttl, dns_nxdomain_ttl, dns_zone_check_period;
	const char *resolv_conf, *job_name;
};

/* PgBouncer's word for "an empty query does": the default of server_check_query. */
#define CONF_CHECK_EMPTY "<empty>"

/* One line of [databases].  host, port, dbname, user and password say whom to call; what
 * else is not unset overrides the pooler's setting of that name. */
struct conf_database {
	const char *name;
	bool is_autodb; /* "*": serves every name without a line of its own */

	const char *host;   /* list; NULL = unix_socket_dir */
	const char *port;   /* list; never NULL, "" where a service says it */
	const char *dbname; /* NULL = the name the client gave */
	const char *user;   /* NULL = the client's own; else the pool is this user's */
	const char *password;
	const char *hostaddr, *service, *passfile, *options, *target_session_attrs;
	const char *channel_binding, *krbsrvname;
	const char *client_encoding, *datestyle, *timezone, *application_name;
	const char *connect_query; /* run once on each new server connection */
	int load_balance_hosts;	   /* enum; never unset */

	const char *auth_user, *auth_query, *auth_dbname;
	int server_tls_sslmode; /* enum sslmode */
	const char *server_tls_key_file, *server_tls_cert_file, *server_tls_ca_file;
	const char *server_tls_crl_file;

	int pool_mode; /* enum pool_mode */
	int shards;
	int max_open, min_open, max_idle;
	usec_t max_idle_time, max_lifetime;
	int reserve_pool_size;
	int queue_limit;
	int max_db_connections, max_db_client_connections;
	usec_t query_wait_timeout;
	usec_t query_timeout, transaction_timeout, idle_transaction_timeout;
	usec_t client_idle_timeout;
	const char *server_reset_query, *server_check_query;
	int on_session_feature, state_audit; /* enums */

	const char *file; /* where the line stands, for messages */
	int line;
};

/* One line of [users]: overrides, for this user, of databases and pooler alike. */
struct conf_user {
	const char *name;
	int pool_mode; /* enum pool_mode */
	int max_open, max_idle;
	int reserve_pool_size;
	int queue_limit;
	int max_user_connections, max_user_client_connections;
	usec_t query_wait_timeout;
	usec_t query_timeout, transaction_timeout, idle_transaction_timeout;
	usec_t client_idle_timeout;
	int on_session_feature; /* enum */

	const char *file;
	int line;
};

/* One line of [peers]: a process that shares our port, to which cancels are passed on. */
struct conf_peer {
	int id;		  /* 1..16383 */
	const char *host; /* never NULL; a directory means its unix socket */
	int port;
	int pool_size; /* cancels passed on at one time; CONF_UNSET = max_open */

	const char *file;
	int line;
};

struct conf {
	struct conf_pooler p;
	const struct conf_database *databases; /* sorted by name; "*" not among them */
	size_t n_databases;
	const struct conf_database *autodb; /* "*", or NULL */
	const struct conf_user *users;	    /* sorted by name */
	size_t n_users;
	const struct conf_peer *peers; /* sorted by id */
	size_t n_peers;
	struct conf_own *own; /* reference count, memory, sources: conf_*.c only */
};

/* --- reports -------------------------------------------------------------- */

/* What a load found.  A zeroed struct is an empty report; the caller releases it. */
struct conf_note {
	char *file; /* may be NULL: the command line, the console */
	int line;   /* 0: the file as a whole */
	char *text; /* what was found; what is allowed; "did you mean" */
};

struct conf_report {
	struct conf_note *errors, *warnings;
	size_t n_errors, n_warnings;
};

void conf_report_release(struct conf_report *r);
/* Appends `FILE:LINE: TEXT`, without what there is none of. */
void conf_note_print(const struct conf_note *note, struct buf *out);
/* One line each, `FILE:LINE: error: TEXT`, errors first. */
void conf_report_print(const struct conf_report *r, FILE *to);
/* The same into the operator's log, at ERROR and WARNING. */
void conf_report_log(const struct conf_report *r);

/* --- life ----------------------------------------------------------------- */

/* Reads `path` and what it includes.  NULL when there was any error; the report then has
 * them all.  Warnings (settings without effect, readable secrets) may come with success.
 * The caller owns one reference.  Relative paths count from the working directory. */
const struct conf *conf_load(const char *path, struct conf_report *r) MUSTCHECK;

/* As conf_load, for RELOAD: settings that need a restart keep the value of `running`
 * (each is a warning), and what conf_override() set stays set. */
const struct conf *conf_reload(const char *path, const struct conf *running,
	struct conf_report *r) MUSTCHECK;

/* As conf_load, of text in memory; `path` is only a name.  %include still reads files. */
const struct conf *conf_load_text(const char *path, const char *text, size_t len,
	struct conf_report *r) MUSTCHECK;

/* SET key = value: a new snapshot that differs in one setting of [pooler], or NULL with
 * the reason in `err` (unknown key, bad value, needs a restart). */
const struct conf *conf_set(const struct conf *c, const char *key, const char *value,
	struct buf *err) MUSTCHECK;

/* The command line's word: as conf_set, for any setting, and it survives conf_reload. */
const struct conf *conf_override(const struct conf *c, const char *key, const char *value,
	struct buf *err) MUSTCHECK;

const struct conf *conf_retain(const struct conf *c);
/* Lets go of the caller's reference and sets it to NULL; the last one frees (and wipes). */
void conf_release(const struct conf **c);

/* --- look-ups ------------------------------------------------------------- */

/* The line that serves this name: its own, else "*", else NULL.  The reserved names
 * pgbouncer and pgsluice (the console) are never found. */
const struct conf_database *conf_database_find(const struct conf *c, const char *name);
const struct conf_user *conf_user_find(const struct conf *c, const char *name);
/* Whose sizes a pool has: with user= in the database's line all its clients are one user to
 * the server, whose line of [users] holds.  NULL: nobody's. */
const struct conf_user *conf_pool_owner(const struct conf *c, const struct conf_database *db,
	const char *user);
const struct conf_peer *conf_peer_find(const struct conf *c, int id);
bool conf_is_console(const char *database);

/* Do two lines, each of its snapshot, lead to the same server in the same way?  If not,
 * connections made by the one must not be kept for the other (RELOAD). */
bool conf_same_target(const struct conf *ca, const struct conf_database *a, const struct conf *cb,
	const struct conf_database *b);

/* host, hostaddr and port of a line as libpq is to have them for its nth connection: with
 * load_balance_hosts = round-robin the lists start at another host each time, and libpq
 * goes on with the next when one does not answer.  Zeroed at first; may be used again. */
struct conf_hosts {
	struct buf host, hostaddr, port;
};
void conf_database_hosts(const struct conf_database *db, unsigned n, struct conf_hosts *h);
void conf_hosts_release(struct conf_hosts *h);

/* The versions that a list of client_tls_protocols or server_tls_protocols leaves; 0 when
 * it is none.  PgBouncer's words; ',', ':' or blanks between them. */
enum {
	CONF_TLS_1_0 = 1,
	CONF_TLS_1_1 = 2,
	CONF_TLS_1_2 = 4,
	CONF_TLS_1_3 = 8,
	CONF_TLS_ALL = 15,
};
unsigned conf_tls_versions(const char *list);
/* ... as libpq's ssl_min_protocol_version and ssl_max_protocol_version. */
void conf_tls_range(const char *list, const char **min, const char **max);

/* Lists are comma separated, blanks around words do not count.  Case is respected by
 * conf_list_has and not by conf_list_has_nocase. */
bool conf_list_has(const char *list, const char *word);
bool conf_list_has_nocase(const char *list, const char *word);
/* Walks: the next word of *list, its length in *n, or NULL at the end. */
const char *conf_list_next(const char **list, size_t *n);

/* The value that holds for this pool: the user's, else the database's, else the pooler's
 * (PgBouncer's order).  `db` and `user` may be NULL. */
enum pool_mode conf_pool_mode(const struct conf *c, const struct conf_database *db,
	const struct conf_user *user);
#define CONF_GETTER(type, name)                                                                    \
	type conf_##name(const struct conf *c, const struct conf_database *db,                     \
		const struct conf_user *user)
CONF_GETTER(int, pool_max_open);
CONF_GETTER(int, pool_min_open); /* never above max_open */
CONF_GETTER(int, pool_max_idle);
CONF_GETTER(usec_t, pool_max_idle_time);
CONF_GETTER(usec_t, pool_max_lifetime);
CONF_GETTER(int, pool_reserve_size);
CONF_GETTER(int, pool_queue_limit);
CONF_GETTER(int, pool_shards);
CONF_GETTER(int, max_db_connections);
CONF_GETTER(int, max_db_client_connections);
CONF_GETTER(int, max_user_connections);
CONF_GETTER(int, max_user_client_connections);
CONF_GETTER(usec_t, query_wait_timeout);
CONF_GETTER(usec_t, query_timeout);
CONF_GETTER(usec_t, transaction_timeout);
CONF_GETTER(usec_t, idle_transaction_timeout);
CONF_GETTER(usec_t, client_idle_timeout);
CONF_GETTER(const char *, server_reset_query);
CONF_GETTER(const char *, server_check_query);
CONF_GETTER(enum on_session_feature, on_session_feature);
CONF_GETTER(enum state_audit, state_audit);
CONF_GETTER(const char *, auth_user);
CONF_GETTER(const char *, auth_query);
CONF_GETTER(const char *, auth_dbname);
CONF_GETTER(enum sslmode, server_tls_sslmode);
CONF_GETTER(const char *, server_tls_key_file);
CONF_GETTER(const char *, server_tls_cert_file);
CONF_GETTER(const char *, server_tls_ca_file);
CONF_GETTER(const char *, server_tls_crl_file);

/* --- the table ------------------------------------------------------------ */

enum conf_type {
	CONF_BOOL,   /* bool */
	CONF_INT,    /* int */
	CONF_OCTAL,  /* int, written in octal */
	CONF_NUMBER, /* double */
	CONF_SIZE,   /* int64_t, bytes */
	CONF_TIME,   /* usec_t */
	CONF_WORD,   /* enum, or int where it may be unset */
	CONF_STRING, /* const char *, as are the rest */
	CONF_LIST,
	CONF_FILE,
	CONF_SECRET, /* never printed */
};

enum conf_scope { CONF_IN_POOLER, CONF_IN_DATABASE, CONF_IN_USER, CONF_IN_PEER, CONF_SCOPES };

/* Where a setting lives in the struct of one scope.  `kind` 0: it is not known there. */
enum conf_kind {
	CONF_ABSENT,
	CONF_KIND_BOOL,
	CONF_KIND_INT,
	CONF_KIND_SIZE,
	CONF_KIND_TIME,
	CONF_KIND_NUMBER,
	CONF_KIND_TEXT,
};
struct conf_at {
	unsigned short offset;
	unsigned short kind; /* enum conf_kind: the C type of the field, from the compiler */
};

/* One row of the table. */
struct conf_setting {
	const char *section; /* heading in the sample and the manuals; NULL: as the row above */
	const char *name;
	const char *pgbouncer; /* its word in [pgbouncer], where it is another; SHOW CONFIG */
	const char *alias[3];  /* further words, e.g. those of [databases] */
	enum conf_type type;
	struct conf_at at[CONF_SCOPES];
	const char *def;	  /* as text; NULL = unset, which is "" for a text */
	double min, max;	  /* in the unit; max 0 = as the type allows */
	const char *unit;	  /* of a bare number: "s", "ms" */
	const char *zero;	  /* a word for 0 ("auto") */
	const char *const *words; /* CONF_WORD: the index is the value; NULL ends */
	bool restart;		  /* cannot change while running */
	bool zero_inherits;	  /* 0 in a database or user means unset, as PgBouncer has it */
	const char *ignored;	  /* without effect, and why */
	/* What else a text must satisfy; if it does not, says what is allowed. */
	bool (*check)(const char *text, struct buf *allowed);
	const char *example; /* for the sample file, where the default says little */
	const char *help;    /* a paragraph */
};

extern const struct conf_setting conf_settings[];
extern const size_t conf_settings_count;

/* By name or alias, in a scope; NULL when there is none. */
const struct conf_setting *conf_setting_find(enum conf_scope scope, const char *key);

/* The operator's log as the settings want it; `to_stderr` is left to the caller. */
struct log_options conf_log_options(const struct conf *c);

/* SHOW CONFIG: every setting of [pooler] in alphabetical order.  A setting that PgBouncer
 * knows under another word comes under both.  Secrets are masked. */
struct conf_shown {
	const char *key, *value, *def; /* as PgBouncer prints them; def may be NULL */
	bool changeable;
	const char *source; /* FILE:LINE, "default", "command line", "console" */
	const struct conf_setting *setting;
};
void conf_each_setting(const struct conf *c, void (*fn)(void *arg, const struct conf_shown *s),
	void *arg);

/* What differs, one line each (`max_open: 20 -> 40`, `database shop: added`), with
 * "(needs a restart)" where it does.  Answers how many lines there are. */
size_t conf_diff(const struct conf *old, const struct conf *new_, struct buf *out);

void conf_print_sample(FILE *to);      /* pooler.conf.sample */
void conf_print_settings_md(FILE *to); /* docs/settings.md */
void conf_print_man(FILE *to);	       /* docs/pooler.conf.5 */
void conf_print_help(FILE *to);	       /* one line a setting, for --help=settings */

#endif
