/* SPDX-License-Identifier: ISC
 *
 * Between session_front.c, session_login.c and session_proof.c; nobody else includes it.
 *
 *   session_front.c  the door: listeners, start, reload, end
 *   session_attempt.c  one login on its loop: reads, sends, watches, times out, frees
 *   session_question.c  what the helper thread is asked
 *   session_rules.c  the settings and tables that logins go by
 *   session_login.c  the steps of a login up to the question "who must prove what?"
 *   session_proof.c  the steps that prove it: passwords, md5, SCRAM, certificates, peers
 *   session_fact.c   what must be asked for on the way: auth_query, memberships, names
 *
 * An attempt is a login that is not finished.  Its state names the step that runs next:
 *
 *   FIRST ─▶ TLS ─▶ FIRST ─▶ DECIDE ─▶ PLAIN | MD5 | SASL_FIRST ─▶ SASL_FINAL ─▶ (given away)
 *                              ▲  │            │
 *                      WAIT ◀──┴──┴────────────┴──▶ DELAY ─▶ LINGER ─▶ (closed)
 *
 *   WAIT    the helper thread works for it; then the step in `resume` runs
 *   DELAY   a failed proof waits out auth_delay before it is told so
 *   LINGER  the refusal is being sent; then we wait for the client to hang up, so that
 *           closing with unread bytes does not destroy the message on its way
 *
 * A step returns STEP_GO (run the step of the new state at once), STEP_MORE (wait for bytes,
 * or for the helper), or STEP_END (the attempt is given away or closed: do not touch it).
 */
#ifndef POOLER_SESSION_FRONT_H
#define POOLER_SESSION_FRONT_H

#include "auth.h"
#include "conf.h"
#include "session_login.h"
#include "wire_startup.h"
#include "worker.h"

/* What an attempt may hold of unread input. */
#define ATTEMPT_INPUT_MAX 16384

enum attempt_state {
	ATTEMPT_FIRST,
	ATTEMPT_TLS,
	ATTEMPT_DECIDE,
	ATTEMPT_PLAIN,
	ATTEMPT_MD5,
	ATTEMPT_SASL_FIRST,
	ATTEMPT_SASL_FINAL,
	ATTEMPT_WAIT,
	ATTEMPT_DELAY,
	ATTEMPT_LINGER,
	ATTEMPT_STATES
};

enum step { STEP_MORE, STEP_GO, STEP_END };

/* The settings and tables that an attempt began with; kept while it lasts. */
struct front_rules {
	int refs;
	unsigned serial; /* answers of auth_query belong to the settings they were asked by */
	const struct conf *conf;
	struct auth_users *users; /* NULL: no auth_file */
	struct auth_hba *hba;	  /* NULL: auth_type is not hba */
	struct auth_ident *ident; /* NULL: none */
	bool has_md5;		  /* some listed secret can answer an md5 challenge */
	bool has_scram;		  /* some secret is a SCRAM one, or may be */
	struct net_tls *tls;	  /* NULL: client_tls_sslmode = disable */
	struct net_tcp_options tcp;
};

struct attempt {
	struct login *login;
	struct front_rules *rules;
	ev_io io;
	enum attempt_state state, resume;
	bool admitted;	   /* counted by the session layer */
	bool gss_answered; /* GSSENCRequest came: once is enough */
	bool read_any;	   /* something was read from the socket */
	bool direct;   /* the byte in login->in begins a TLS record, and is still in the socket */
	bool sent_fin; /* LINGER: the refusal is through */
	struct list by_deadline;
	usec_t deadline;
	usec_t began;	     /* monotonic */
	struct list waiting; /* WAIT: on the question's list */

	/* DECIDE and after */
	const struct conf_database *db; /* NULL: console, or unknown */
	bool console;
	enum auth_method method;
	const struct hba_line *hba;   /* valid while rules lives; NULL: not by HBA */
	const struct auth_user *user; /* NULL: unknown */
	struct auth_user *kept;	      /* a reference that keeps `user` alive, or NULL */
	bool from_query;	      /* user came from auth_query */
	struct scram scram;
	bool scram_on;
	uint8_t md5_salt[4];
	uint8_t end_point[64];
	char *password;		 /* what the client sent in plain; secret memory */
	bool match_known, match; /* the helper's answer */
	unsigned tried;		 /* PLAIN: so many SCRAM secrets are not it */
	usec_t proof_at;	 /* when the last message of the proof came; 0: none did */
	const struct auth_secret *proven;
	char refusal_state[6]; /* DELAY: what will be said */
	char *refusal_text;
};

/* --- session_front.c ------------------------------------------------------- */

struct front {
	struct worker *worker;
	struct ev_loop *loop; /* the worker's */
	const struct front_ops *ops;
	struct front_rules *rules;
	struct net_listeners listeners;
	ev_io *accepting; /* one a listener */
	bool accepting_on;
	int accept_at_once;   /* how many, at the most, before others have their turn */
	uint64_t accepted_at; /* the tick in which the last one came */
	bool leaving;	      /* see front_leave() */
	ev_timer timer, breather;
	ev_async helped;
	struct mail reaper;	    /* of `dead` */
	usec_t armed;		    /* what the timer waits for; USEC_NEVER: nothing */
	struct list logins;	    /* by deadline: client_login_timeout */
	struct list delays;	    /* by deadline: auth_delay */
	struct list lingers;	    /* by deadline */
	struct list dead;	    /* to be freed when no callback runs */
	struct list questions[256]; /* under way at the helper, by hash of their key */
	struct auth_helper *helper; /* started by the first question */
	size_t next_derived;	    /* plain secrets of the list before this user have their keys */
	struct auth_cache *cache;
	struct auth_rate *rate;
	uint8_t scram_hint[4096]; /* which set of salts to try for a name and address */
	struct front_stats stats;
};
extern struct front front;

/* --- session_attempt.c ----------------------------------------------------- */

void attempts_init(void);
void attempts_end(void); /* refuses and closes all */
/* The timer stands at the earliest deadline. */
void attempts_arm(void);
/* Somebody has come in by this listener. */
void attempt_new(int fd, const struct net_listener *from, const struct net_addr *peer);
/* There are too many: one ends, if possible one that was refused already. */
void attempts_give_way(void);
/* Runs steps until one must wait. */
void attempt_run(struct attempt *a);
/* Moves the attempt to `state`; for DELAY and LINGER with the deadline that belongs to it. */
void attempt_enter(struct attempt *a, enum attempt_state state, usec_t delay);
/* Sends what is in login->out.  false: broken, the attempt is closed. */
bool attempt_flush(struct attempt *a) MUSTCHECK;
void attempt_close(struct attempt *a);
/* Takes the login out, watchers off; the attempt is then closed as an empty shell. */
struct login *attempt_give(struct attempt *a);

/* --- session_question.c ---------------------------------------------------- */

void questions_init(void);
void questions_end(void);
/* Begins to derive the keys of the list's plain secrets, where clients may be asked for SCRAM. */
void questions_derive(void);
/* Posts the job, unless the same question (`key`) is already under way, and waits: when it is
 * answered the step of `resume` runs.  Takes the job. */
enum step attempt_ask(struct attempt *a, const char *key, struct auth_job *job);

/* --- session_rules.c ------------------------------------------------------- */

/* Errors go to err; what could be read of the old tables stays in force then. */
struct front_rules *rules_new(const struct conf *conf, const struct front_rules *old,
	struct buf *err);
void rules_drop(struct front_rules **r);

/* --- session_login.c ------------------------------------------------------- */

enum step attempt_step(struct attempt *a);
/* Refuses: log line, ErrorResponse, LINGER.  fmt is what the client reads. */
enum step attempt_refuse(struct attempt *a, const char *sqlstate, const char *fmt, ...)
	PRINTF(3, 4);
/* Proven: hands the login over. */
enum step attempt_finish(struct attempt *a);

/* --- session_proof.c ------------------------------------------------------- */

/* Begins the proof that a->method asks for. */
enum step proof_begin(struct attempt *a);
enum step proof_plain(struct attempt *a);
enum step proof_md5(struct attempt *a);
enum step proof_sasl_first(struct attempt *a);
enum step proof_sasl_final(struct attempt *a);
/* A wrong password or an unknown user: the same words, after auth_delay.  `reason` is logged. */
enum step proof_failed(struct attempt *a, const char *reason);
/* --- session_fact.c -------------------------------------------------------- */

/* Sets a->user: from the user list, else by auth_query; NULL: there is none.  false: being
 * asked for; *out is the step to return. */
bool fact_find_user(struct attempt *a, enum step *out) MUSTCHECK;
/* After a failed login: the next one asks auth_query again. */
void fact_forget_user(struct attempt *a);
/* auth_user of this login; NULL or "": there is nobody to ask as. */
const char *fact_asker(const struct attempt *a);
/* For auth_hba_match(); arg is the attempt. */
enum auth_fact fact_is_member(void *arg, const char *user, const char *role);
enum auth_fact fact_host_is(void *arg, const char *pattern);
struct auth_job *fact_job(enum auth_job_kind kind, const char *topic, const char *user);
/* Asks what belongs into the cache under the job's topic and user. */
enum step fact_ask(struct attempt *a, struct auth_job *job);
/* An answer of the helper: what it means for the cache, then for each attempt that waits. */
void fact_answered(const struct auth_job *job);
void fact_apply(struct attempt *a, struct auth_job *job);
/* The next plain secret of the user list without keys, as a job with topic "list"; NULL when all
 * have them.  Logins are not to show by their time which names are listed. */
struct auth_job *fact_next_derivation(void);

#endif
