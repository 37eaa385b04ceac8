/* SPDX-License-Identifier: ISC
 *
 * What the metrics endpoint is told, and by whom.
 *
 *   endpoint's thread ──order──▶ the front, and every relay: a few words for each lane
 *          ▲                         │
 *          └────── all have answered, or PATIENCE is over ──┘
 *
 * Counters and histograms of lanes are read here, beside their writers; a lane that goes is
 * freed long after PATIENCE (session_retire.c).  A thread that does not answer is what makes the
 * process unwell.
 */
#include "main.h"
#include "obs_http.h"

#include <errno.h>
#include <pthread.h>
#include <time.h>

#define PATIENCE 5 /* seconds */

/* What only the lane's own thread may read of it. */
struct gauges {
	struct lane *lane;
	uint32_t clients, waiting, busy, idle, dialing, max_open;
	usec_t maxwait;
	enum pool_mode mode;
	bool paused, failing;
	char error[240]; /* of the last login to the server, when failing */
};

struct relay_answer {
	struct gauges *lane;
	size_t count;
	struct obs_worker_row row;
	bool there;
};

/* Shared by the asker and those asked; the last one frees it. */
struct question {
	struct mail to_front;
	struct front_stats front;
	int refs, left;
	bool front_there;
	struct relay_answer answer[];
};

static struct {
	struct obs_http *endpoint;
	pthread_mutex_t lock; /* refs and left of questions; closing */
	pthread_cond_t answered;
	bool closing; /* nobody answers any more */
} observe = {.lock = PTHREAD_MUTEX_INITIALIZER, .answered = PTHREAD_COND_INITIALIZER};

static void question_drop(struct question *q)
{
	int left;

	pthread_mutex_lock(&observe.lock);
	left = --q->refs;
	pthread_mutex_unlock(&observe.lock);
	if (left)
		return;
	for (int i = 0; i < hub.n_relays; i++)
		free(q->answer[i].lane);
	free(q);
}

static void wait_since(struct gauges *g, const struct lane *l, const struct list *waiters)
{
	usec_t since = list_first(waiters, struct waiter, link)->since, now = l->relay->w.now;

	if (now > since && now - since > g->maxwait)
		g->maxwait = now - since;
}

static void look_at(struct gauges *g, struct lane *l)
{
	const struct shard *s = &l->shard;

	g->lane = l;
	g->clients = (uint32_t)l->n_clients;
	g->waiting = (uint32_t)(s->n_waiting + s->n_greeters);
	g->busy = (uint32_t)s->n_busy;
	g->idle = (uint32_t)s->n_idle;
	g->dialing = (uint32_t)s->n_dialing;
	g->max_open = (uint32_t)l->set.limits.max_open;
	g->mode = l->set.mode;
	g->paused = s->paused;
	g->failing = l->last_error != NULL;
	if (g->failing)
		snprintf(g->error, sizeof g->error, "%s", l->last_error);
	if (s->n_waiting)
		wait_since(g, l, &s->waiting);
	if (!list_empty(&l->logins))
		wait_since(g, l, &l->logins);
}

/* On a relay's thread. */
static void run_answer(struct relay *r, void *arg)
{
	struct question *q = arg;
	struct relay_answer *a = &q->answer[r->w.index];
	struct list *l;
	size_t n = 0;

	list_each (l, &r->lanes)
		n++;
	a->lane = mem_zalloc(n * sizeof *a->lane);
	list_each (l, &r->lanes)
		look_at(&a->lane[a->count++], list_entry(l, struct lane, link));
	a->row.clients = (uint32_t)r->n_clients;
	a->row.servers = (uint32_t)r->n_servers;
	a->row.ticks = r->w.ticks;
	a->row.lag_max_us = worker_lag(&r->w);
	pthread_mutex_lock(&observe.lock);
	a->there = true;
	q->left--;
	pthread_cond_signal(&observe.answered);
	pthread_mutex_unlock(&observe.lock);
	question_drop(q);
}

/* On the front's thread. */
static void run_front(struct worker *w, struct mail *m)
{
	struct question *q = CONTAINER_OF(m, struct question, to_front);

	(void)w;
	q->front = *front_stats();
	pthread_mutex_lock(&observe.lock);
	q->front_there = true;
	q->left--;
	pthread_cond_signal(&observe.answered);
	pthread_mutex_unlock(&observe.lock);
	question_drop(q);
}

/* True when all have answered in time. */
static bool ask(struct question *q)
{
	struct timespec until;
	bool closing, all;

	pthread_mutex_lock(&observe.lock);
	closing = observe.closing;
	pthread_mutex_unlock(&observe.lock);
	q->refs = 1;
	if (closing)
		return false;
	q->refs = hub.n_relays + 2;
	q->left = hub.n_relays + 1;
	q->to_front.run = run_front;
	worker_post(&hub.front, &q->to_front);
	for (int i = 0; i < hub.n_relays; i++)
		hub_order(i, run_answer, q);
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += PATIENCE;
	pthread_mutex_lock(&observe.lock);
	while (q->left && !observe.closing &&
		pthread_cond_timedwait(&observe.answered, &observe.lock, &until) != ETIMEDOUT)
		;
	all = q->left == 0;
	pthread_mutex_unlock(&observe.lock);
	return all;
}

static void add_lane(struct obs_snapshot *s, const struct gauges *g)
{
	static const char *const modes[] = {"session", "transaction", "statement", "auto"};
	const struct pool *p = g->lane->pool;
	struct obs_pool_row *row = obs_snapshot_pool(s, p->database, p->user);

	row->mode = modes[g->mode];
	row->max_open = g->max_open; /* of the pool, whichever lane tells it */
	row->cl_active += g->busy;
	row->cl_waiting += g->waiting;
	if (g->clients > g->busy + g->waiting)
		row->cl_idle += g->clients - g->busy - g->waiting;
	row->sv_active += g->busy;
	row->sv_idle += g->idle;
	row->sv_login += g->dialing;
	row->paused |= g->paused;
	row->disabled = p->disabled;
	if (g->failing && !row->error)
		row->error = mem_strdup(g->error);
	if (g->maxwait > row->maxwait_us)
		row->maxwait_us = g->maxwait;
	stats_merge(&row->stats, &g->lane->stats);
	lane_waits(g->lane, &row->wait);
	hist_merge(&row->server, &g->lane->server);
}

/* Pools there are, and none of them has a connection or gets one.  A server that refuses a
 * login (FATAL: wrong password, no such database) is one that answers. */
static bool nothing_answers(const struct obs_snapshot *s)
{
	for (size_t i = 0; i < s->pool_count; i++) {
		const struct obs_pool_row *p = &s->pool[i];

		if (!p->error || strstr(p->error, "FATAL:") || p->sv_active || p->sv_idle)
			return false;
	}
	return s->pool_count > 0;
}

static void collect(void *arg, struct obs_snapshot *s)
{
	struct question *q = mem_zalloc(sizeof *q + (size_t)hub.n_relays * sizeof q->answer[0]);
	struct obs_worker_row *workers = obs_snapshot_workers(s, (size_t)hub.n_relays);
	struct obs_process *p = &s->process;

	(void)arg;
	p->healthy = ask(q);
	pthread_mutex_lock(&observe.lock);
	for (int i = 0; i < hub.n_relays; i++) {
		const struct relay_answer *a = &q->answer[i];
		if (!a->there)
			continue;
		workers[i] = a->row;
		for (size_t k = 0; k < a->count; k++)
			add_lane(s, &a->lane[k]);
	}
	if (q->front_there) {
		p->clients_login = q->front.logins;
		p->login_failures = q->front.refused + q->front.timeouts;
		p->auth_failures = q->front.auth_failures;
		p->tls_handshakes = q->front.tls_handshakes;
		p->tls_failures = q->front.tls_failures;
	}
	pthread_mutex_unlock(&observe.lock);
	question_drop(q);
	p->version = PGSLUICE_VERSION;
	p->started = hub.started;
	p->clients = (uint32_t)atomic_load(&hub.clients);
	p->max_client_conn = (uint32_t)atomic_load(&hub.max_client_conn);
	p->reason = !p->healthy			 ? "a thread does not answer"
		    : atomic_load(&hub.stopping) ? "shutting down"
		    : nothing_answers(s)	 ? "no server answers"
						 : NULL;
	p->ready = !p->reason;
	if (hub.qlog)
		qlog_counts(hub.qlog, &p->qlog);
	p->integrity_closes = stats_get(&hub.gone_stats.integrity_closes);
	for (size_t i = 0; i < s->pool_count; i++)
		p->integrity_closes += s->pool[i].stats.integrity_closes;
	s->queries = hub.queries;
	s->query_count = (size_t)hub.n_relays;
}

void observe_start(const struct conf *conf)
{
	struct obs_http_options o = {
		.listen = conf->p.metrics_listen,
		.cert_file = conf->p.metrics_tls_cert_file,
		.key_file = conf->p.metrics_tls_key_file,
		.user = conf->p.metrics_user,
		.password = conf->p.metrics_password,
		.collect = collect,
	};
	char *error;

	if (!conf->p.metrics_listen[0])
		return;
	observe.endpoint = obs_http_start(&o, &error);
	if (!observe.endpoint)
		log_die(LOG_PART_OBS, "cannot serve metrics at %s", error);
	log_line(LOG_PART_OBS, LOG_LEVEL_INFO, "metrics and status page at %s://%s/",
		o.cert_file[0] ? "https" : "http", o.listen);
}

void observe_reload(const struct conf *conf)
{
	if (observe.endpoint)
		obs_http_reload(observe.endpoint, conf->p.metrics_user, conf->p.metrics_password);
}

void observe_stop(void)
{
	pthread_mutex_lock(&observe.lock);
	observe.closing = true;
	pthread_cond_signal(&observe.answered);
	pthread_mutex_unlock(&observe.lock);
	obs_http_stop(&observe.endpoint);
}
