/* SPDX-License-Identifier: ISC
 *
 * What the operator orders about databases: PAUSE, RESUME, DISABLE, ENABLE, RECONNECT, KILL,
 * SUSPEND.  Kept by name on the hub, so that it also holds for a pool that comes later, and
 * passed on to the lanes by mail.
 */
#include "session.h"

/* --- what was said of a database ------------------------------------------------------ */

struct hub_database *hub_database_find(const char *name)
{
	struct list *l;

	list_each (l, &hub.databases) {
		struct hub_database *d = list_entry(l, struct hub_database, link);

		if (strcmp(d->name, name) == 0)
			return d;
	}
	return NULL;
}

static struct hub_database *database_of(const char *name)
{
	struct hub_database *d = hub_database_find(name);

	if (d)
		return d;
	d = mem_zalloc(sizeof *d);
	d->name = mem_strdup(name);
	list_push_back(&hub.databases, &d->link);
	return d;
}

/* --- pools obey -------------------------------------------------------------------------- */

struct lane_order {
	struct lane *lane;
	bool paused;
};

static void run_pause(struct relay *r, void *arg)
{
	struct lane_order *o = arg;
	struct lane *l = o->lane;

	(void)r;
	l->shard.paused = o->paused;
	free(o);
	if (!l->shard.paused && l->base)
		lane_greet(l);
	lane_tend(l);
}

void hub_pool_obey(struct pool *p)
{
	const struct hub_database *d = hub_database_find(p->database);
	bool paused = hub.paused == HUB_PAUSED || (d && d->paused);

	p->disabled = d && d->disabled;
	if (p->paused == paused)
		return;
	p->paused = paused;
	for (int i = 0; i < p->n_lanes; i++) {
		struct lane_order *o = mem_zalloc(sizeof *o);

		o->lane = p->lanes[i];
		o->paused = paused;
		hub_order(p->lanes[i]->relay->w.index, run_pause, o);
	}
}

static void all_obey(void)
{
	struct list *l;

	list_each (l, &hub.pools)
		hub_pool_obey(list_entry(l, struct pool, link));
}

void hub_pause(const char *database, bool pause)
{
	if (database)
		database_of(database)->paused = pause;
	else
		hub.paused = pause ? HUB_PAUSED : HUB_RUNNING;
	all_obey();
}

void hub_disable(const char *database, bool disable)
{
	database_of(database)->disabled = disable;
	all_obey();
}

void hub_resume(void)
{
	if (hub.paused == HUB_SUSPENDED)
		hub_suspend(false);
	else if (hub.paused == HUB_PAUSED)
		hub_pause(NULL, false);
}

void hub_resume_named(void)
{
	struct list *l;

	list_each (l, &hub.databases)
		list_entry(l, struct hub_database, link)->paused = false;
	all_obey();
}

int hub_count_paused(void)
{
	struct list *l;
	int n = 0;

	list_each (l, &hub.databases)
		n += list_entry(l, struct hub_database, link)->paused;
	return n;
}

/* --- each lane of a database ----------------------------------------------------------------- */

static void order_lanes(const char *database, void (*run)(struct relay *r, void *lane))
{
	struct list *l;

	list_each (l, &hub.pools) {
		struct pool *p = list_entry(l, struct pool, link);

		if (database && strcmp(p->database, database) != 0)
			continue;
		for (int i = 0; i < p->n_lanes; i++)
			hub_order(p->lanes[i]->relay->w.index, run, p->lanes[i]);
	}
}

static void run_recycle(struct relay *r, void *lane)
{
	(void)r;
	lane_recycle(lane);
}

void hub_reconnect(const char *database)
{
	order_lanes(database, run_recycle);
}

static void empty_lane(struct lane *l, enum close_reason why)
{
	struct list *lists[] = {&l->shard.busy, &l->shard.idle}, *i;
	struct client *c;

	l->emptied++;
	for (uint32_t at = 0; (c = relay_next_client(l->relay, &at));)
		if (c->lane == l)
			client_close(c, why, NULL);
	for (size_t k = 0; k < ARRAY_LEN(lists); k++)
		while (!list_empty(lists[k])) /* one close may be the end of others */
			server_close(CONTAINER_OF(list_first(lists[k], struct slot, link),
					     struct server, slot),
				CLOSE_SERVER_KILLED, NULL);
	list_each (i, &l->shard.dialing)
		list_entry(i, struct slot, link)->doomed = true;
}

static void run_kill(struct relay *r, void *lane)
{
	(void)r;
	empty_lane(lane, CLOSE_KILLED);
}

static void run_drop(struct relay *r, void *lane)
{
	struct lane *l = lane;

	(void)r;
	l->shard.lim.min_open = l->shard.lim.min_together = 0; /* nothing is kept warm any more */
	empty_lane(l, CLOSE_DATABASE_GONE);
}

void hub_drop(struct pool *p)
{
	for (int i = 0; i < p->n_lanes; i++)
		hub_order(p->lanes[i]->relay->w.index, run_drop, p->lanes[i]);
}

void hub_kill(const char *database)
{
	struct list *l;

	if (database)
		hub_pause(database, true);
	else
		list_each (l, &hub.pools)
			hub_pause(list_entry(l, struct pool, link)->database, true);
	order_lanes(database, run_kill);
}

/* --- SUSPEND ------------------------------------------------------------------------------------
 */

static void watch_servers(struct lane *l)
{
	struct list *slots[] = {&l->shard.busy, &l->shard.idle}, *i;

	for (size_t k = 0; k < ARRAY_LEN(slots); k++)
		list_each (i, slots[k])
			server_watch(CONTAINER_OF(list_entry(i, struct slot, link), struct server,
				slot));
}

static void run_suspend(struct relay *r, void *arg)
{
	struct list *l;
	struct client *c;

	r->suspended = arg != NULL;
	for (uint32_t at = 0; (c = relay_next_client(r, &at));)
		if (c->state != CLIENT_LOGIN)
			client_watch(c);
	list_each (l, &r->lanes)
		watch_servers(list_entry(l, struct lane, link));
}

void hub_suspend(bool suspend)
{
	hub.paused = suspend ? HUB_SUSPENDED : HUB_RUNNING;
	if (suspend)
		front_pause();
	else if (!hub.stopping)
		front_resume();
	for (int i = 0; i < hub.n_relays; i++)
		hub_order(i, run_suspend, suspend ? &hub : NULL);
}

/* --- one client
 * ------------------------------------------------------------------------------------ */

struct client *relay_client(struct relay *r, uint64_t id)
{
	struct client *c;

	for (uint32_t at = 0; (c = relay_next_client(r, &at));)
		if (c->id == id)
			return c;
	return NULL;
}

/* --- closes that somebody waits for
 * ------------------------------------------------------------------ */

static void on_closed(struct worker *w, struct mail *m)
{
	(void)w;
	free(m);
	atomic_store(&hub.close_posted, false);
	if (hub.on_close)
		hub.on_close();
}

void hub_server_closed(void)
{
	struct mail *m;

	if (LIKELY(atomic_load(&hub.close_watchers) == 0) ||
		atomic_exchange(&hub.close_posted, true))
		return;
	m = mem_zalloc(sizeof *m);
	m->run = on_closed;
	worker_post(&hub.front, m);
}
