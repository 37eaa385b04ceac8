/* SPDX-License-Identifier: ISC
 *
 * struct lane: a pool's share of one worker.  Carries out what the policy (pool.h) decides:
 * dials, pairs waiters with idle connections, closes what is too old, tells those who wait
 * when the server cannot be reached.
 */
#include "session.h"
#include "session_meaning.h"
#include "session_express.h"

static void on_check(struct timer *t)
{
	lane_tend(CONTAINER_OF(t, struct lane, check));
}

static void on_claim(struct worker *w, struct mail *m)
{
	struct lane *l = CONTAINER_OF(m, struct lane, claim_mail);

	(void)w;
	atomic_store(&l->claim_posted, false);
	atomic_store(&l->claim_wanted, false);
	l->shard.claimed = NULL;
	lane_tend(l);
}

/* A place came free under a cap that had refused us.  Any thread. */
static void on_place(struct cap_claim *claim)
{
	struct lane *l = CONTAINER_OF(claim, struct lane, claim);

	if (!atomic_exchange(&l->claim_posted, true))
		worker_post(&l->relay->w, &l->claim_mail);
}

struct lane *lane_new(struct relay *r, struct pool *pool)
{
	struct lane *l = mem_zalloc(sizeof *l);
	struct pool_limits none = {0};

	l->relay = r;
	l->pool = pool;
	l->shared = pool->n_lanes > 1;
	shard_init(&l->shard, &none, (uint64_t)(uintptr_t)l * 0x9E3779B97F4A7C15u);
	l->shard.caps[l->shard.n_caps++] = &pool->open;
	if (pool->db_cap)
		l->shard.caps[l->shard.n_caps++] = pool->db_cap;
	if (pool->user_cap)
		l->shard.caps[l->shard.n_caps++] = pool->user_cap;
	if (pool->line_cap)
		l->shard.caps[l->shard.n_caps++] = pool->line_cap;
	list_init(&l->logins);
	list_init(&l->claim.link);
	l->claim.wake = on_place;
	l->claim_mail.run = on_claim;
	l->check.fire = on_check;
	return l;
}

/* This lane's part of a number that the pool's lanes share: the parts add up to it. */
static int part_of(const struct lane *l, int total)
{
	int n = l->pool->n_lanes, k = 0;

	while (k < n - 1 && l->pool->lanes[k] != l)
		k++;
	return total / n + (k < total % n);
}

/* Do these settings let every plain Query go the short way (session_express.c)? */
static uint32_t express_max(const struct pool_settings *set, const struct conf_pooler *p)
{
	bool checks = set->check_query[0] && set->server_check_delay == 0;

	if ((set->mode != POOL_MODE_TRANSACTION && set->mode != POOL_MODE_AUTO) || checks ||
		(set->reset_always && set->reset_query[0]) || set->deadlines ||
		set->state_audit != STATE_AUDIT_OFF || p->disable_pqexec)
		return 0;
	return p->max_packet_size < EXPRESS_MAX ? (uint32_t)p->max_packet_size : EXPRESS_MAX;
}

/* The next login is tried as soon as somebody asks. */
static void forget_failure(struct lane *l)
{
	l->shard.dial_after = 0;
	free(l->last_error);
	l->last_error = NULL;
}

void lane_configure(struct lane *l, const struct conf *conf, const struct conf_database *db)
{
	const struct conf_user *user = conf_user_find(conf, l->pool->user);
	const struct conf_user *owner = conf_pool_owner(conf, db, l->pool->user);
	struct pool_settings *set = &l->set;
	const struct conf_pooler *p = &conf->p;
	bool same = l->conf && l->db && conf_same_target(l->conf, l->db, conf, db);

	if (l->conf)
		conf_release(&l->conf);
	l->conf = conf_retain(conf);
	l->db = db;
	l->age = meaning_age(db && db->dbname ? db->dbname : l->pool->database);
	set->mode = conf_pool_mode(conf, db, user);
	set->limits = (struct pool_limits){
		.max_open = conf_pool_max_open(conf, db, owner),
		.max_idle = conf_pool_max_idle(conf, db, user),
		.min_open = part_of(l, conf_pool_min_open(conf, db, user)),
		.min_together = l->shared ? conf_pool_min_open(conf, db, user) : 0,
		.reserve = conf_pool_reserve_size(conf, db, owner),
		.queue_limit = conf_pool_queue_limit(conf, db, user),
		.max_dialing = p->max_dialing,
		.reserve_timeout = p->reserve_pool_timeout,
		.max_idle_time = conf_pool_max_idle_time(conf, db, user),
		.max_lifetime = conf_pool_max_lifetime(conf, db, user),
		.retry = p->server_login_retry,
		.round_robin = p->server_round_robin,
	};
	/* 0 is the setting's word for all */
	set->limits.max_idle = set->limits.max_idle ? part_of(l, set->limits.max_idle) : -1;
	if (set->limits.max_lifetime == 0)
		set->limits.max_lifetime = 1; /* used once */
	l->shard.lim = set->limits;
	l->shard.limits_are_new = true;
	set->query_wait_timeout = conf_query_wait_timeout(conf, db, user);
	set->query_wait_notify = p->query_wait_notify;
	set->patience = USEC_NEVER / 2;
	if (set->query_wait_timeout)
		set->patience = set->query_wait_timeout;
	if (set->query_wait_notify && set->query_wait_notify < set->patience)
		set->patience = set->query_wait_notify;
	set->query_timeout = conf_query_timeout(conf, db, user);
	set->transaction_timeout = conf_transaction_timeout(conf, db, user);
	set->idle_transaction_timeout = conf_idle_transaction_timeout(conf, db, user);
	set->client_idle_timeout = conf_client_idle_timeout(conf, db, user);
	set->deadlines = set->query_timeout || set->transaction_timeout ||
			 set->idle_transaction_timeout || set->client_idle_timeout;
	set->cancel_wait_timeout = p->cancel_wait_timeout ? p->cancel_wait_timeout : 10 * USEC_SEC;
	set->server_check_delay = p->server_check_delay;
	set->reset_query = conf_server_reset_query(conf, db, user);
	set->check_query = conf_server_check_query(conf, db, user);
	set->reset_always = p->server_reset_query_always;
	set->fast_close = p->server_fast_close;
	set->deferred_begin = p->deferred_begin;
	set->on_session_feature = conf_on_session_feature(conf, db, user);
	set->state_audit = conf_state_audit(conf, db, user);
	set->max_prepared = p->max_prepared_statements;
	set->max_client_prepared_bytes = UINT64_MAX;
	if (p->max_client_prepared_bytes)
		set->max_client_prepared_bytes = (uint64_t)p->max_client_prepared_bytes;
	set->max_prepared_bytes = UINT64_MAX;
	if (p->max_prepared_bytes)
		set->max_prepared_bytes = (uint64_t)p->max_prepared_bytes;
	set->log_connections = p->log_connections;
	set->log_disconnections = p->log_disconnections;
	set->log_pooler_errors = p->log_pooler_errors;
	set->track_queries = p->track_queries;
	set->observed = p->query_log[0] || p->track_queries != TRACK_QUERIES_OFF;
	set->express_max = express_max(set, p);
	l->full = false;
	/* what failed with the old settings, or another secret, may not fail now */
	forget_failure(l);
	if (!same)
		lane_recycle(l);
}

void lane_recycle(struct lane *l)
{
	struct list *lists[] = {&l->shard.idle, &l->shard.busy, &l->shard.dialing}, *i, *next;

	l->emptied++;
	for (size_t k = 0; k < ARRAY_LEN(lists); k++)
		list_each (i, lists[k])
			list_entry(i, struct slot, link)->doomed = true;
	if (l->set.fast_close)
		list_each_safe (i, next, &l->shard.busy) {
			struct server *s =
				CONTAINER_OF(list_entry(i, struct slot, link), struct server, slot);

			if (s->client && !s->setup)
				server_settle(s);
		}
	forget_failure(l);
	params_drop(&l->relay->params, &l->base);
	greeting_forget(l);
	lane_tend(l);
}

static enum close_reason reason_of(enum pool_fate fate)
{
	return fate == POOL_CLOSE_LIFETIME     ? CLOSE_SERVER_LIFETIME
	       : fate == POOL_CLOSE_DOOMED     ? CLOSE_SERVER_RECYCLED
	       : fate == POOL_CLOSE_FOR_OTHERS ? CLOSE_SERVER_FOR_OTHERS
	       : fate == POOL_CLOSE_SURPLUS    ? CLOSE_SERVER_SURPLUS
					       : CLOSE_SERVER_IDLE;
}

void lane_arm(struct lane *l)
{
	timer_ensure(&l->relay->w.timers, &l->check, pool_next_check(&l->shard, l->relay->w.now));
}

/* A cap is full: wait for a place, and ask whoever has an idle connection to spare it; again and
 * again, since who has used it a moment ago does not spare it yet. */
static void claim_place(struct lane *l)
{
	usec_t now = l->relay->w.now;
	bool first;

	if (l->shard.starved == &l->pool->open && l->pool->n_lanes == 1)
		return; /* all of them are ours already */
	if (now < pool_claim_at(&l->shard)) {
		timer_ensure(&l->relay->w.timers, &l->check, pool_claim_at(&l->shard));
		return;
	}
	cap_claim_add(l->shard.starved, &l->claim, pool_open(&l->shard));
	l->shard.claimed = l->shard.starved;
	first = !atomic_exchange(&l->claim_wanted, true);
	if (first || now - l->spare_asked >= POOL_CLAIM_AFTER) {
		l->spare_asked = now;
		hub_ask_spare(l);
	}
	timer_ensure(&l->relay->w.timers, &l->check, now + POOL_CLAIM_AFTER);
}

/* A paused database has no server connections: the operator may want to restart it. */
static void close_idle(struct lane *l)
{
	while (!list_empty(&l->shard.idle))
		server_close(CONTAINER_OF(list_first(&l->shard.idle, struct slot, link),
				     struct server, slot),
			CLOSE_SERVER_PAUSED, NULL);
}

/* Dials for those who want a connection of their own. */
static void dial_own(struct lane *l)
{
	struct slot *spare;
	struct waiter *w;

	while (!l->stopped) {
		if (pool_own_dial(&l->shard, &w, &spare)) {
			struct server *s = server_new(l);

			pool_own_begin(&l->shard, &s->slot, l->relay->w.now);
			client_take_own(CONTAINER_OF(w, struct client, waiter), s);
			dial_start(s);
		} else if (spare) {
			server_close(CONTAINER_OF(spare, struct server, slot),
				CLOSE_SERVER_FOR_OTHERS, NULL);
		} else {
			break;
		}
	}
}

void lane_tend(struct lane *l)
{
	struct shard *sh = &l->shard;
	usec_t now = l->relay->w.now;
	struct slot *slot;
	struct waiter *next;
	enum pool_fate why;

	sh->greets = l->base != NULL;
	if (l->tending || l->left)
		return; /* a close on the way came back here: the loop below sees to it */
	l->tending = true;
	while (pool_pair(sh, now, &slot, &next)) {
		struct server *s = CONTAINER_OF(slot, struct server, slot);

		if (server_link(s, CONTAINER_OF(next, struct client, waiter)))
			client_resume(s->client);
	}
	while ((slot = pool_expired(sh, now, &why)))
		server_close(CONTAINER_OF(slot, struct server, slot), reason_of(why), NULL);
	if (UNLIKELY(sh->paused))
		close_idle(l);
	if (UNLIKELY(l->shared))
		share_tend(l);
	while (!l->stopped && pool_dial_needed(sh, now)) {
		struct server *s = server_new(l);

		pool_dial_begin(sh, &s->slot, now);
		dial_start(s);
	}
	if (UNLIKELY(!list_empty(&sh->own_waiting)))
		dial_own(l);
	l->tending = false;
	if (UNLIKELY(!list_empty(&l->logins)) && l->base)
		lane_greet(l);
	/* Until it changes, one client more that waits is nothing to look at: all places are ours,
	 * or share_tend() has set the timer that asks for those of other lanes. */
	l->full = sh->starved == &l->pool->open && sh->lim.reserve <= 0 && sh->n_dialing == 0 &&
		  (l->shared || !sh->claimed);
	if (UNLIKELY(sh->starved != NULL))
		claim_place(l);
	else if (UNLIKELY(l->shard.claimed != NULL) && sh->n_waiting == 0 &&
		 list_empty(&sh->own_waiting))
		lane_drop_claim(l);
	lane_arm(l);
}

void lane_drop_claim(struct lane *l)
{
	if (l->shard.claimed)
		cap_claim_drop(l->shard.claimed, &l->claim);
	l->shard.claimed = NULL;
	atomic_store(&l->claim_wanted, false);
}

/* Another lane needs a place: close an idle connection if one can be spared. */
void lane_spare(struct lane *l)
{
	struct slot *slot = pool_spare(&l->shard, l->relay->w.now);

	if (slot)
		server_close(CONTAINER_OF(slot, struct server, slot), CLOSE_SERVER_FOR_OTHERS,
			NULL);
}

void lane_forget(struct lane *l, struct client *c)
{
	if (c->state != CLIENT_LOGIN) {
		pool_forget(&l->shard, &c->waiter);
		if (UNLIKELY(l->shared))
			share_show(l);
	} else if (c->replication) {
		pool_own_forget(&c->waiter);
	} else {
		greeting_gone(c);
	}
}

void lane_fail_waiters(struct lane *l, const char *why)
{
	while (!list_empty(&l->logins))
		client_close(CONTAINER_OF(list_first(&l->logins, struct waiter, link),
				     struct client, waiter),
			CLOSE_SERVER_LOGIN, why);
	while (!list_empty(&l->shard.waiting))
		client_close(CONTAINER_OF(list_first(&l->shard.waiting, struct waiter, link),
				     struct client, waiter),
			CLOSE_SERVER_LOGIN, why);
}

void lane_dial_failed(struct lane *l, struct server *s, const char *text)
{
	usec_t now = l->relay->w.now;

	log_line(LOG_PART_DIAL, LOG_LEVEL_WARNING, "S-%llu %s@%s: login to the server failed: %s",
		(unsigned long long)s->id, l->pool->server_user, l->pool->database, text);
	stats_add(&l->stats.server_connect_failures, 1);
	if (s->slot.own) { /* says nothing about connections for others */
		server_close(s, CLOSE_SERVER_LOGIN, text);
		return;
	}
	free(l->last_error);
	l->last_error = mem_strdup(text);
	pool_dial_failed(&l->shard, &s->slot, now);
	server_close(s, CLOSE_SERVER_LOGIN, text);
	/* With no connection at all, waiting is pointless: say why now. */
	if (pool_shared(&l->shard) == 0)
		lane_fail_waiters(l, l->last_error);
	lane_tend(l);
}
