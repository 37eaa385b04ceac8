/* SPDX-License-Identifier: ISC
 *
 * Pools that nobody uses any more go: those of the "*" line after autodb_idle_timeout without
 * clients and server connections, others after pool_idle_timeout, those of a database that
 * has left the settings at once.
 *
 *   in hub.pools ──leaving──▶ each lane closes what it has and leaves its relay ──all──▶
 *        hub.retired ──a round through all relays, REST, nobody mentions it──▶ freed
 *
 * What a pool has counted is added to its database's statistics and to the process's, so
 * that neither ever falls; a database's go with its last pool, as with PgBouncer.
 */
#include "session.h"

/* The endpoint's thread may hold what it was told of a lane for a few seconds
 * (main_observe.c). */
#define REST (60 * USEC_SEC)

/* The notes of SHOW WHO name pools, as long as they are kept: look again. */
#define LOOK_AGAIN  (60 * USEC_SEC)

#define SWEEP_EVERY 0.5 /* seconds */

/* What pools of a database that are no more have counted. */
struct gone {
	struct list link;
	char *database;
	struct stats stats;
};

/* --- statistics --------------------------------------------------------------------------- */

static struct gone *gone_find(const char *database)
{
	struct list *l;

	list_each (l, &hub.gone) {
		struct gone *g = list_entry(l, struct gone, link);

		if (strcmp(g->database, database) == 0)
			return g;
	}
	return NULL;
}

void hub_stats_of_gone(const char *database, struct stats *into)
{
	const struct gone *g = database ? gone_find(database) : NULL;

	if (!database)
		stats_merge(into, &hub.gone_stats);
	else if (g)
		stats_merge(into, &g->stats);
}

static bool database_has_pool(const char *database)
{
	struct list *l;

	list_each (l, &hub.pools)
		if (strcmp(list_entry(l, struct pool, link)->database, database) == 0)
			return true;
	return false;
}

/* The pool is off hub.pools. */
static void keep_stats(const struct pool *p)
{
	struct gone *g = gone_find(p->database);
	bool last = !database_has_pool(p->database);

	if (!g && !last) {
		g = mem_zalloc(sizeof *g);
		g->database = mem_strdup(p->database);
		list_push_back(&hub.gone, &g->link);
	}
	for (int i = 0; i < p->n_lanes; i++) {
		stats_merge(&hub.gone_stats, &p->lanes[i]->stats);
		if (!last)
			stats_merge(&g->stats, &p->lanes[i]->stats);
	}
	if (g && last) {
		list_del(&g->link);
		free(g->database);
		free(g);
	}
}

/* --- freeing -------------------------------------------------------------------------------- */

static void free_lanes(struct pool *p)
{
	for (int i = 0; i < p->n_lanes; i++) {
		struct lane *l = p->lanes[i];

		conf_release(&l->conf);
		hist_release(&l->wait);
		hist_release(&l->server);
		free(l->last_error);
		free(l);
	}
	free(p->lanes);
	p->lanes = NULL;
	p->n_lanes = 0;
}

static bool cap_is_used(const struct cap *cap)
{
	struct list *lists[] = {&hub.pools, &hub.retired}, *l;

	for (size_t i = 0; i < ARRAY_LEN(lists); i++)
		list_each (l, lists[i]) {
			const struct pool *p = list_entry(l, struct pool, link);

			if (p->db_cap == cap || p->user_cap == cap || p->line_cap == cap)
				return true;
		}
	return false;
}

static void free_pool(struct pool *p)
{
	list_del(&p->link);
	if (!cap_is_used(p->db_cap))
		hub_cap_drop(&hub.db_caps, p->db_cap);
	if (!cap_is_used(p->user_cap))
		hub_cap_drop(&hub.user_caps, p->user_cap);
	if (!cap_is_used(p->line_cap))
		hub_cap_drop(&hub.line_caps, p->line_cap);
	pthread_mutex_destroy(&p->lock);
	free(p->database);
	free(p->user);
	free(p->server_user);
	free(p);
}

/* --- a round through all relays ----------------------------------------------------------------
 */

/* What was posted to them before is done when it comes back. */
struct round {
	struct mail mail;
	struct pool *pool;
	atomic_int left;
	atomic_bool mentioned; /* by a note of SHOW WHO */
};

static void on_round(struct worker *w, struct mail *m)
{
	struct round *r = CONTAINER_OF(m, struct round, mail);

	(void)w;
	r->pool->mentioned = atomic_load(&r->mentioned);
	r->pool->rested_at = clock_mono();
	if (r->pool->lanes && hub.conf->p.metrics_listen[0])
		r->pool->rested_at += REST;
	else if (!r->pool->lanes && r->pool->mentioned)
		r->pool->rested_at += LOOK_AGAIN;
	free(r);
}

static void run_round(struct relay *relay, void *arg)
{
	struct round *r = arg;

	if (who_mentions(&relay->who, r->pool))
		atomic_store(&r->mentioned, true);
	if (atomic_fetch_sub(&r->left, 1) == 1)
		worker_post(&hub.front, &r->mail);
}

static void begin_round(struct pool *p)
{
	struct round *r = mem_zalloc(sizeof *r);

	p->rested_at = USEC_NEVER;
	r->mail.run = on_round;
	r->pool = p;
	atomic_init(&r->left, hub.n_relays);
	for (int i = 0; i < hub.n_relays; i++)
		hub_order(i, run_round, r);
}

/* --- leaving ------------------------------------------------------------------------------------
 */

/* The last lane of a pool has left its relay. */
static void pool_left(struct pool *p)
{
	list_del(&p->link);
	keep_stats(p);
	list_push_back(&hub.retired, &p->link);
	if (p->has_secret)
		login_secret_wipe(&p->secret);
	p->has_secret = false;
	log_line(LOG_PART_SESSION, LOG_LEVEL_INFO, "pool %s@%s: no longer used, and gone", p->user,
		p->database);
	begin_round(p);
}

static void on_lane_left(struct worker *w, struct mail *m)
{
	struct lane *l = CONTAINER_OF(m, struct lane, left_mail);

	(void)w;
	if (--l->pool->lanes_left == 0)
		pool_left(l->pool);
}

void lane_leave(struct lane *l)
{
	struct relay *r = l->relay;

	if (l->n_servers || l->left || l->asked)
		return;
	l->left = true;
	lane_drop_claim(l);
	timer_stop(&r->w.timers, &l->check);
	list_del(&l->link);
	params_drop(&r->params, &l->base);
	greeting_forget(l);
	prepared_forget_lane(&r->prepared, l);
	l->left_mail.run = on_lane_left;
	worker_post(&hub.front, &l->left_mail);
}

static void run_leave(struct relay *r, void *arg)
{
	struct lane *l = arg;
	struct list *i;

	(void)r;
	l->stopped = true;
	while (!list_empty(&l->shard.idle))
		server_close(CONTAINER_OF(list_first(&l->shard.idle, struct slot, link),
				     struct server, slot),
			CLOSE_SERVER_IDLE, NULL);
	list_each (i, &l->shard.dialing)
		list_entry(i, struct slot, link)->doomed = true;
	lane_leave(l);
}

static void leave(struct pool *p)
{
	p->leaving = true;
	p->lanes_left = p->n_lanes;
	for (int i = 0; i < p->n_lanes; i++)
		hub_order(p->lanes[i]->relay->w.index, run_leave, p->lanes[i]);
}

/* --- the sweep
 * ------------------------------------------------------------------------------------ */

/* How long may it stay empty? */
static usec_t patience(const struct pool *p)
{
	const struct conf_database *db = conf_database_find(hub.conf, p->database);
	usec_t span = db && db->is_autodb ? hub.conf->p.autodb_idle_timeout
					  : hub.conf->p.pool_idle_timeout;

	return !db ? 0 : span ? span : USEC_NEVER;
}

static void sweep_pool(struct pool *p, usec_t now)
{
	usec_t span;

	if (atomic_load(&p->clients) || atomic_load(&p->open.used)) {
		p->empty_since = 0;
		return;
	}
	if (!p->empty_since)
		p->empty_since = now;
	span = patience(p);
	if (span != USEC_NEVER && now - p->empty_since >= span)
		leave(p);
}

static void on_sweep(struct ev_loop *loop, ev_timer *t, int revents)
{
	usec_t now = clock_mono();
	struct list *l, *next;

	(void)loop;
	(void)t;
	(void)revents;
	if (hub.stopping)
		return;
	list_each_safe (l, next, &hub.pools) {
		struct pool *p = list_entry(l, struct pool, link);

		if (!p->leaving)
			sweep_pool(p, now);
	}
	list_each_safe (l, next, &hub.retired) {
		struct pool *p = list_entry(l, struct pool, link);

		if (now < p->rested_at)
			continue;
		free_lanes(p);
		if (p->mentioned)
			begin_round(p); /* and look again when it comes back */
		else
			free_pool(p);
	}
}

void hub_retire_start(void)
{
	static ev_timer timer;

	list_init(&hub.retired);
	list_init(&hub.gone);
	ev_timer_init(&timer, on_sweep, SWEEP_EVERY, SWEEP_EVERY);
	ev_timer_start(hub.front.loop, &timer);
}
