/* SPDX-License-Identifier: ISC
 *
 * Threads for what blocks or costs milliseconds.  Each lane is one thread with a queue of its
 * own, started by its first job, so that a slow PAM module does not hold up a key derivation:
 *
 *   cpu    DERIVE, MATCH    PBKDF2, a few milliseconds each
 *   query  QUERY, MEMBER    blocking libpq connections, kept for the next question; several
 *                           lanes, by server, so that one that does not answer holds up few
 *   name   HOST, UID        resolver and name service
 *   pam    PAM
 *
 * Finished jobs of all lanes meet in one list; `wake` is called when it was empty.
 */
#include "auth.h"

#include "sql_text.h"

#include <libpq-fe.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <pwd.h>
#include <security/pam_appl.h>
#include <signal.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

enum lane_kind { LANE_CPU, LANE_NAME, LANE_PAM, LANE_QUERY, LANES = 11 /* 8 for queries */ };

/* Connections of the query lane: one a target, the least lately used gives way. */
#define LINES_MAX    16
#define LINE_IDLE    (60 * USEC_SEC)
#define CONNECT_TIME (10 * USEC_SEC)

#define REFUSED_TIME USEC_SEC /* a server that could not be reached is not tried again so long */

struct line {
	PGconn *conn; /* NULL: it could not be opened, as `why` says */
	char *target; /* what it was opened with; secret memory */
	char *why;
	usec_t used;
};

struct lane {
	struct auth_helper *helper;
	pthread_t thread;
	pthread_cond_t more;
	bool started;
	struct auth_job *first, **last;
	unsigned jobs;	 /* posted and not done */
	uint64_t server; /* of the last job of a query lane */
	struct line lines[LINES_MAX];
};

struct auth_helper {
	pthread_mutex_t lock;
	bool stopping;
	struct lane lanes[LANES];
	struct auth_job *done, **done_last;
	void (*wake)(void *arg);
	void *wake_arg;
};

/* --- targets and jobs ------------------------------------------------------------ */

void auth_target_add(struct auth_target *t, const char *key, const char *value)
{
	if (!value || !*value || t->count + 1 >= ARRAY_LEN(t->keys))
		return;
	t->keys[t->count] = mem_strdup(key);
	t->values[t->count++] = secret_strdup(value);
}

void auth_target_release(struct auth_target *t)
{
	for (size_t i = 0; i < t->count; i++) {
		free(t->keys[i]);
		secret_free(t->values[i]);
	}
	memset(t, 0, sizeof *t);
}

void auth_job_free(struct auth_job **job)
{
	struct auth_job *j = *job;

	*job = NULL;
	if (!j)
		return;
	auth_target_release(&j->target);
	for (size_t i = 0; j->secrets && j->secrets[i]; i++)
		secret_free(j->secrets[i]);
	free(j->secrets);
	secret_free(j->password);
	free(j->topic);
	free(j->user);
	free(j->arg);
	free(j->query);
	free(j->name);
	free(j->error);
	mem_wipe(j, sizeof *j);
	free(j);
}

static void job_fail(struct auth_job *job, const char *what, const char *why)
{
	size_t n;

	free(job->error);
	job->failed = true;
	job->error = mem_printf("%s: %s", what, why);
	for (n = strlen(job->error); n && job->error[n - 1] == '\n'; n--)
		job->error[n - 1] = '\0';
}

/* --- cpu ------------------------------------------------------------------------- */

static void do_derive(struct auth_job *job)
{
	struct scram_keys k;

	job->ok = secret_derive(job->password, job->keys.iterations, job->keys.salt,
		job->keys.salt_len, &k);
	if (!job->ok) {
		job_fail(job, "SCRAM keys", "OpenSSL could not derive them");
		return;
	}
	if (job->kind == AUTH_JOB_MATCH)
		job->ok = mem_equal_ct(k.stored_key, job->keys.stored_key, SCRAM_KEY_LEN);
	else
		job->keys = k;
	mem_wipe(&k, sizeof k);
}

/* --- query ------------------------------------------------------------------------ */

static void line_close(struct line *l)
{
	PQfinish(l->conn);
	secret_free(l->target);
	free(l->why);
	memset(l, 0, sizeof *l);
}

static char *target_text(const struct auth_target *t)
{
	struct buf b = {0};
	char *text;

	for (size_t i = 0; i < t->count; i++)
		buf_printf(&b, "%s=%zu:%s ", t->keys[i], strlen(t->values[i]), t->values[i]);
	text = secret_strdup(buf_cstr(&b));
	mem_wipe(b.data, b.size);
	buf_free(&b);
	return text;
}

static void drop_notice(void *arg, const char *message)
{
	(void)arg, (void)message;
}

/* The target's place; an empty one, of whoever was used least lately, when it has none. */
static struct line *line_find(struct lane *lane, const char *target)
{
	struct line *oldest = &lane->lines[0];

	for (int i = 0; i < LINES_MAX; i++) {
		struct line *l = &lane->lines[i];
		if (l->target && strcmp(l->target, target) == 0)
			return l;
		if (l->used < oldest->used)
			oldest = l;
	}
	line_close(oldest);
	oldest->target = secret_strdup(target);
	return oldest;
}

static void line_connect(struct line *l, const struct auth_target *t)
{
	const char *keys[ARRAY_LEN(t->keys)] = {0}, *values[ARRAY_LEN(t->keys)] = {0};

	for (size_t i = 0; i < t->count; i++) {
		keys[i] = t->keys[i];
		values[i] = t->values[i];
	}
	auth_patience(clock_mono() + CONNECT_TIME); /* as connect_timeout, for what it derives */
	l->conn = PQconnectdbParams(keys, values, 0);
	auth_patience(0);
	if (l->conn && PQstatus(l->conn) == CONNECTION_OK) {
		PQsetNoticeProcessor(l->conn, drop_notice, NULL);
		return;
	}
	free(l->why);
	l->why = mem_strdup(l->conn ? PQerrorMessage(l->conn) : "out of memory");
	PQfinish(l->conn);
	l->conn = NULL;
	l->used = clock_mono();
}

/* An open connection to the target; NULL: job has failed. */
static struct line *line_open(struct lane *lane, struct auth_job *job)
{
	char *target = target_text(&job->target);
	struct line *l = line_find(lane, target);

	secret_free(target);
	if (!l->conn && (!l->why || l->used + REFUSED_TIME <= clock_mono())) {
		l->used = 0;
		line_connect(l, &job->target);
	}
	if (l->conn)
		return l;
	job_fail(job, "cannot connect as auth_user", l->why);
	return NULL;
}

/* The name was no text in the server's encoding, so nobody can have it. */
static bool is_no_name(const PGresult *res)
{
	const char *state = PQresultErrorField(res, PG_DIAG_SQLSTATE);

	return state && (strcmp(state, "22021") == 0 || strcmp(state, "22P05") == 0);
}

/* What does not exist may be in a schema that the fixed search_path leaves out. */
static const char *why_refused(const PGresult *res)
{
	const char *state = PQresultErrorField(res, PG_DIAG_SQLSTATE);

	if (state && (strcmp(state, "42883") == 0 || strcmp(state, "42P01") == 0))
		return "the query failed (it sees pg_catalog only: name the schema, as in "
		       "public.user_lookup($1))";
	return "the query failed";
}

/* Asks, on a new connection when the kept one has died.  NULL: job has failed, or there is nobody
 * of that name. */
static PGresult *ask(struct lane *lane, struct auth_job *job, const char *sql, int n,
	const char *const *args)
{
	for (int try = 0;; try++) {
		struct line *l = line_open(lane, job);
		bool kept = l && l->used;
		PGresult *res;

		if (!l)
			return NULL;
		l->used = clock_mono();
		res = PQexecParams(l->conn, sql, n, NULL, args, NULL, NULL, 0);
		if (PQresultStatus(res) == PGRES_TUPLES_OK)
			return res;
		if (PQstatus(l->conn) != CONNECTION_OK && kept && try == 0) {
			PQclear(res);
			line_close(l);
			continue;
		}
		if (PQstatus(l->conn) == CONNECTION_OK && is_no_name(res)) {
			PQclear(res);
			return NULL; /* job->ok is false */
		}
		job_fail(job, why_refused(res), PQresultErrorMessage(res));
		PQclear(res);
		line_close(l);
		return NULL;
	}
}

static void do_query(struct lane *lane, struct auth_job *job)
{
	const char *args[1] = {job->user};
	PGresult *res = ask(lane, job, job->query, 1, args);
	int rows, kept = 0;

	if (!res)
		return;
	rows = PQntuples(res);
	if (PQnfields(res) < 2) {
		job_fail(job, "auth_query", "it must return two columns, user name and secret");
		PQclear(res);
		return;
	}
	job->secrets = mem_zalloc(((size_t)rows + 1) * sizeof *job->secrets);
	for (int i = 0; i < rows; i++) {
		char *secret = PQgetvalue(res, i, 1);
		/* The answer must be about the one who was asked for. */
		if (PQgetisnull(res, i, 0) || strcmp(PQgetvalue(res, i, 0), job->user) != 0)
			continue;
		job->ok = true;
		if (PQgetisnull(res, i, 1) || !*secret)
			continue; /* no password, or it has expired */
		job->secrets[kept++] = secret_strdup(secret);
		mem_wipe(secret, strlen(secret));
	}
	PQclear(res);
}

static void do_member(struct lane *lane, struct auth_job *job)
{
	const char *args[2] = {job->user, job->arg};
	PGresult *res = ask(lane, job, sql_auth_member, 2, args);

	if (!res)
		return;
	job->ok = PQntuples(res) == 1 && strcmp(PQgetvalue(res, 0, 0), "t") == 0;
	PQclear(res);
}

/* Connections that nobody used for a while are closed.  Answers when to look again. */
static usec_t lines_expire(struct lane *lane, bool all)
{
	usec_t now = clock_mono(), next = USEC_NEVER;

	for (int i = 0; i < LINES_MAX; i++) {
		struct line *l = &lane->lines[i];
		if (!l->target)
			continue;
		if (all || l->used + LINE_IDLE <= now)
			line_close(l);
		else if (l->used + LINE_IDLE < next)
			next = l->used + LINE_IDLE;
	}
	return next;
}

/* --- names ------------------------------------------------------------------------- */

static bool name_fits(const char *name, const char *pattern)
{
	size_t n = strlen(name), p = strlen(pattern);

	if (pattern[0] == '.')
		return n > p && strcasecmp(name + n - p, pattern) == 0;
	return strcasecmp(name, pattern) == 0;
}

/* The address has a name that fits, and the name has that address: as PostgreSQL does it. */
static void do_host(struct auth_job *job)
{
	struct sockaddr_in in = {.sin_family = AF_INET};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
	struct addrinfo hints = {.ai_family = job->family, .ai_socktype = SOCK_STREAM}, *all, *ai;
	bool v4 = job->family == AF_INET;
	char name[NI_MAXHOST];
	int rc;

	memcpy(&in.sin_addr, job->ip, 4);
	memcpy(&in6.sin6_addr, job->ip, 16);
	rc = getnameinfo(v4 ? (struct sockaddr *)&in : (struct sockaddr *)&in6,
		v4 ? sizeof in : sizeof in6, name, sizeof name, NULL, 0, NI_NAMEREQD);
	if (rc != 0 || !name_fits(name, job->arg))
		return;
	if (getaddrinfo(name, NULL, &hints, &all) != 0)
		return;
	for (ai = all; ai && !job->ok; ai = ai->ai_next) {
		if (v4 && ai->ai_addrlen >= sizeof in) {
			memcpy(&in, ai->ai_addr, sizeof in);
			job->ok = memcmp(&in.sin_addr, job->ip, 4) == 0;
		} else if (!v4 && ai->ai_addrlen >= sizeof in6) {
			memcpy(&in6, ai->ai_addr, sizeof in6);
			job->ok = memcmp(&in6.sin6_addr, job->ip, 16) == 0;
		}
	}
	freeaddrinfo(all);
}

static void do_uid(struct auth_job *job)
{
	struct passwd pw, *found = NULL;
	char room[16384];
	int rc = getpwuid_r((uid_t)strtoul(job->user, NULL, 10), &pw, room, sizeof room, &found);

	if (rc != 0 || !found) {
		job_fail(job, "system user", rc ? strerror(rc) : "has no name");
		return;
	}
	job->ok = true;
	job->name = mem_strdup(pw.pw_name);
}

/* --- PAM ---------------------------------------------------------------------------- */

/* PAM's conversation: every hidden question is answered with the password. */
static int converse(int n, const struct pam_message **messages, struct pam_response **out,
	void *arg)
{
	struct auth_job *job = arg;
	struct pam_response *answers;

	if (n <= 0 || n > PAM_MAX_NUM_MSG || !(answers = calloc((size_t)n, sizeof *answers)))
		return PAM_CONV_ERR;
	for (int i = 0; i < n; i++) {
		int style = messages[i]->msg_style;
		if (style == PAM_PROMPT_ECHO_OFF) {
			answers[i].resp = strdup(job->password); /* PAM frees it */
		} else if (style != PAM_TEXT_INFO && style != PAM_ERROR_MSG) {
			free(answers);
			return PAM_CONV_ERR;
		}
	}
	*out = answers;
	return PAM_SUCCESS;
}

static void do_pam(struct auth_job *job)
{
	struct pam_conv conv = {.conv = converse, .appdata_ptr = job};
	pam_handle_t *pam = NULL;
	int rc = pam_start(job->arg, job->user, &conv, &pam);

	if (rc == PAM_SUCCESS)
		rc = pam_set_item(pam, PAM_RHOST, job->name);
	if (rc == PAM_SUCCESS)
		rc = pam_authenticate(pam, PAM_SILENT);
	if (rc == PAM_SUCCESS)
		rc = pam_acct_mgmt(pam, PAM_SILENT);
	job->ok = rc == PAM_SUCCESS;
	if (pam)
		pam_end(pam, rc);
}

/* --- threads -------------------------------------------------------------------------- */

static void do_job(struct lane *lane, struct auth_job *job)
{
	switch (job->kind) {
	case AUTH_JOB_DERIVE:
	case AUTH_JOB_MATCH:
		do_derive(job);
		break;
	case AUTH_JOB_QUERY:
		do_query(lane, job);
		break;
	case AUTH_JOB_MEMBER:
		do_member(lane, job);
		break;
	case AUTH_JOB_HOST:
		do_host(job);
		break;
	case AUTH_JOB_UID:
		do_uid(job);
		break;
	case AUTH_JOB_PAM:
		do_pam(job);
		break;
	}
}

/* The query lane of the job's server; for another server the one that has least to do.  The lock
 * is held. */
static struct lane *query_lane(struct auth_helper *h, const struct auth_job *job)
{
	struct lane *best = &h->lanes[LANE_QUERY];
	uint64_t server = 0;

	for (size_t i = 0; i < job->target.count; i++)
		server = server * 31 +
			 hash_keyed(job->target.values[i], strlen(job->target.values[i]));
	for (int i = LANE_QUERY; i < LANES; i++) {
		struct lane *lane = &h->lanes[i];
		if (lane->server == server)
			return lane;
		if (lane->jobs < best->jobs)
			best = lane;
	}
	best->server = server;
	return best;
}

static struct lane *lane_of(struct auth_helper *h, const struct auth_job *job)
{
	switch (job->kind) {
	case AUTH_JOB_QUERY:
	case AUTH_JOB_MEMBER:
		return query_lane(h, job);
	case AUTH_JOB_HOST:
	case AUTH_JOB_UID:
		return &h->lanes[LANE_NAME];
	case AUTH_JOB_PAM:
		return &h->lanes[LANE_PAM];
	case AUTH_JOB_DERIVE:
	case AUTH_JOB_MATCH:
		break;
	}
	return &h->lanes[LANE_CPU];
}

/* The next job, or NULL to end.  The lock is held. */
static struct auth_job *lane_wait(struct lane *lane)
{
	struct auth_helper *h = lane->helper;
	struct auth_job *job;

	while (!lane->first && !h->stopping) {
		usec_t next = lines_expire(lane, false);
		if (next == USEC_NEVER) {
			pthread_cond_wait(&lane->more, &h->lock);
		} else {
			struct timespec ts = {.tv_sec = (time_t)(next / USEC_SEC) + 1};
			pthread_cond_timedwait(&lane->more, &h->lock, &ts);
		}
	}
	if (h->stopping)
		return NULL;
	job = lane->first;
	lane->first = job->next;
	if (!lane->first)
		lane->last = &lane->first;
	job->next = NULL;
	return job;
}

static void *lane_run(void *arg)
{
	struct lane *lane = arg;
	struct auth_helper *h = lane->helper;
	struct auth_job *job;

	secret_thread(true); /* libpq, PAM and OpenSSL copy what they are told */
	pthread_mutex_lock(&h->lock);
	while ((job = lane_wait(lane)) != NULL) {
		bool first;
		pthread_mutex_unlock(&h->lock);
		do_job(lane, job);
		pthread_mutex_lock(&h->lock);
		lane->jobs--;
		first = h->done == NULL;
		*h->done_last = job;
		h->done_last = &job->next;
		if (first)
			h->wake(h->wake_arg);
	}
	pthread_mutex_unlock(&h->lock);
	lines_expire(lane, true);
	return NULL;
}

/* Signals are the main thread's: helpers are started with all of them blocked. */
static bool lane_start(struct lane *lane)
{
	sigset_t all, before;
	bool ok;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	ok = pthread_create(&lane->thread, NULL, lane_run, lane) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return ok;
}

struct auth_helper *auth_helper_start(void (*wake)(void *arg), void *arg)
{
	struct auth_helper *h = mem_zalloc(sizeof *h);
	pthread_condattr_t mono;

	pthread_mutex_init(&h->lock, NULL);
	pthread_condattr_init(&mono);
	pthread_condattr_setclock(&mono, CLOCK_MONOTONIC);
	h->done_last = &h->done;
	h->wake = wake;
	h->wake_arg = arg;
	for (int i = 0; i < LANES; i++) {
		struct lane *lane = &h->lanes[i];
		lane->helper = h;
		lane->last = &lane->first;
		pthread_cond_init(&lane->more, &mono);
	}
	pthread_condattr_destroy(&mono);
	return h;
}

void auth_helper_post(struct auth_helper *h, struct auth_job *job)
{
	struct lane *lane;

	pthread_mutex_lock(&h->lock);
	lane = lane_of(h, job);
	if (!lane->started)
		lane->started = lane_start(lane);
	if (lane->started) {
		lane->jobs++;
		*lane->last = job;
		lane->last = &job->next;
		pthread_cond_signal(&lane->more);
	} else {
		job_fail(job, "helper thread", "cannot be started");
		*h->done_last = job;
		h->done_last = &job->next;
		h->wake(h->wake_arg);
	}
	pthread_mutex_unlock(&h->lock);
}

struct auth_job *auth_helper_take(struct auth_helper *h)
{
	struct auth_job *job;

	pthread_mutex_lock(&h->lock);
	job = h->done;
	if (job) {
		h->done = job->next;
		if (!h->done)
			h->done_last = &h->done;
		job->next = NULL;
	}
	pthread_mutex_unlock(&h->lock);
	return job;
}

void auth_helper_stop(struct auth_helper **helper, struct auth_job **jobs)
{
	struct auth_helper *h = *helper;

	*helper = NULL;
	*jobs = NULL;
	if (!h)
		return;
	pthread_mutex_lock(&h->lock);
	h->stopping = true;
	for (int i = 0; i < LANES; i++)
		pthread_cond_signal(&h->lanes[i].more);
	pthread_mutex_unlock(&h->lock);
	for (int i = 0; i < LANES; i++) {
		struct lane *lane = &h->lanes[i];
		if (lane->started)
			pthread_join(lane->thread, NULL);
		pthread_cond_destroy(&lane->more);
		*h->done_last = lane->first;
		if (lane->first)
			h->done_last = lane->last;
	}
	*jobs = h->done;
	pthread_mutex_destroy(&h->lock);
	free(h);
}
