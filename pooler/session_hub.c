/* SPDX-License-Identifier: ISC
 *
 * struct hub: the process.  Finds or makes the pool of a finished login, chooses the relay
 * that serves it, and hands the client over; passes settings and orders to the relays.
 * Runs on the front's thread; what it wants of a relay it sends by mail, also to the one relay of
 * `workers = 1`, which lives on the same thread.
 */
#include "session.h"

#include <unistd.h>

struct hub hub;

/* --- caps by name: one for each database and each user with a limit --------------- */

struct named_cap {
	struct list link;
	char *name;
	struct cap cap;
};

static struct cap *cap_named(struct list *caps, const char *name, int max)
{
	struct named_cap *n;
	struct list *l;

	list_each (l, caps) {
		n = list_entry(l, struct named_cap, link);
		if (strcmp(n->name, name) == 0)
			return &n->cap;
	}
	n = mem_zalloc(sizeof *n);
	n->name = mem_strdup(name);
	cap_init(&n->cap, max);
	list_push_back(caps, &n->link);
	return &n->cap;
}

const struct cap *hub_cap_find(const struct list *caps, const char *name)
{
	struct list *l;

	list_each (l, caps) {
		const struct named_cap *n = list_entry(l, struct named_cap, link);

		if (strcmp(n->name, name) == 0)
			return &n->cap;
	}
	return NULL;
}

void hub_cap_drop(struct list *caps, struct cap *cap)
{
	struct list *l;

	list_each (l, caps) {
		struct named_cap *n = list_entry(l, struct named_cap, link);

		if (&n->cap != cap)
			continue;
		list_del(&n->link);
		pthread_mutex_destroy(&n->cap.lock);
		free(n->name);
		free(n);
		return;
	}
}

/* --- orders to relays ---------------------------------------------------------------- */

struct order {
	struct mail mail;
	void (*run)(struct relay *r, void *arg);
	void *arg;
};

static void run_order(struct worker *w, struct mail *m)
{
	struct order *o = CONTAINER_OF(m, struct order, mail);

	o->run(CONTAINER_OF(w, struct relay, w), o->arg);
	free(o);
}

void hub_order(int relay, void (*run)(struct relay *r, void *arg), void *arg)
{
	struct order *o = mem_zalloc(sizeof *o);

	o->mail.run = run_order;
	o->run = run;
	o->arg = arg;
	worker_post(&hub.relays[relay].w, &o->mail);
}

/* --- pools ------------------------------------------------------------------------------ */

struct setup {
	struct lane *lane;
	const struct conf *conf;
	const struct conf_database *db;
};

static void run_setup(struct relay *r, void *arg)
{
	struct setup *s = arg;

	struct lane *lane = s->lane;

	if (!lane->link.next)
		list_push_back(&r->lanes, &lane->link);
	lane_configure(lane, s->conf, s->db);
	conf_release(&s->conf);
	free(s);
	lane_tend(lane);
}

static void configure(struct lane *l, const struct conf *conf, const struct conf_database *db)
{
	struct setup *s = mem_zalloc(sizeof *s);

	s->lane = l;
	s->conf = conf_retain(conf);
	s->db = db;
	hub_order(l->relay->w.index, run_setup, s);
}

static const char *server_user(const struct conf_database *db, const char *user)
{
	return db->user ? db->user : user;
}

static int lanes_wanted(const struct conf_database *db, const struct conf_user *user)
{
	int shards = conf_pool_shards(hub.conf, db, user);
	int max_open = conf_pool_max_open(hub.conf, db, user);
	int max_idle = conf_pool_max_idle(hub.conf, db, user);

	/* auto: on as many workers as can have four connections each */
	if (shards == 0)
		shards = max_open ? max_open / 4 : hub.n_relays;
	if (shards > hub.n_relays)
		shards = hub.n_relays;
	if (max_idle && shards > max_idle)
		shards = max_idle; /* each keeps at least one */
	return shards > 0 ? shards : 1;
}

static struct pool *pool_find(const char *database, const char *user)
{
	struct list *l;

	list_each (l, &hub.pools) {
		struct pool *p = list_entry(l, struct pool, link);

		if (!p->leaving && strcmp(p->database, database) == 0 && strcmp(p->user, user) == 0)
			return p;
	}
	return NULL;
}

/* What all pools of a line with user= may have together; else there is no such limit. */
static int line_max(const struct conf *conf, const struct conf_database *db)
{
	return db->user ? conf_pool_max_open(conf, db, conf_user_find(conf, db->user)) : 0;
}

/* The secret that the pool's servers are told: of a client that has proved one (NULL: none did),
 * else the one in the user list. */
static void keep_secret(struct pool *p, struct login *login)
{
	bool own = login && strcmp(p->server_user, login->user) == 0;

	pthread_mutex_lock(&p->lock);
	if (own && (login->secret.password || login->secret.has_scram_keys)) {
		if (p->has_secret)
			login_secret_wipe(&p->secret);
		p->secret = login->secret;
		memset(&login->secret, 0, sizeof login->secret);
		p->has_secret = true;
	} else if (!p->has_secret) {
		p->has_secret = front_secret(p->server_user, &p->secret);
	}
	pthread_mutex_unlock(&p->lock);
}

/* Finds or makes the pool; `login` is that of its client, or NULL. */
static struct pool *pool_for(const char *database, const char *user, const struct conf_database *db,
	struct login *login)
{
	struct pool *p = pool_find(database, user);
	const struct conf_user *u = conf_user_find(hub.conf, user);
	const struct conf_user *owner = conf_pool_owner(hub.conf, db, user);
	static int next_home;

	if (p) {
		keep_secret(p, login);
		return p;
	}
	p = mem_zalloc(sizeof *p);
	p->database = mem_strdup(database);
	p->user = mem_strdup(user);
	p->server_user = mem_strdup(server_user(db, user));
	pthread_mutex_init(&p->lock, NULL);
	cap_init(&p->open, conf_pool_max_open(hub.conf, db, owner));
	p->db_cap = cap_named(&hub.db_caps, database, conf_max_db_connections(hub.conf, db, u));
	p->user_cap = cap_named(&hub.user_caps, user, conf_max_user_connections(hub.conf, db, u));
	p->line_cap = cap_named(&hub.line_caps, database, line_max(hub.conf, db));
	if (!p->line_cap->reserves) /* relays may be reading it */
		p->line_cap->reserves = true;
	p->n_lanes = lanes_wanted(db, u);
	p->lanes = mem_zalloc((size_t)p->n_lanes * sizeof(struct lane *));
	/* All of them, before the first one's thread hears of it and looks at the others. */
	for (int i = 0; i < p->n_lanes; i++) {
		p->lanes[i] = lane_new(&hub.relays[(next_home + i) % hub.n_relays], p);
		if (i > 0)
			shard_join(&p->lanes[i]->shard, &p->lanes[0]->shard);
	}
	keep_secret(p, login); /* before a lane dials */
	for (int i = 0; i < p->n_lanes; i++)
		configure(p->lanes[i], hub.conf, db);
	next_home = (next_home + p->n_lanes) % hub.n_relays;
	list_push_back(&hub.pools, &p->link);
	hub_pool_obey(p);
	return p;
}

/* The lane with the fewest clients. */
static struct lane *choose_lane(struct pool *p)
{
	struct lane *best = p->lanes[0];

	for (int i = 1; i < p->n_lanes; i++)
		if (atomic_load(&p->lanes[i]->load) < atomic_load(&best->load))
			best = p->lanes[i];
	return best;
}

static void refuse(struct login *login, const char *sqlstate, const char *message)
{
	char who[160];

	wire_put_error(&login->out, 'E', "FATAL",
		hub.conf->p.pgbouncer_error_codes ? "08P01" : sqlstate, message, NULL, NULL);
	if (conn_send(&login->conn, login->out.data, login->out.len) < 0)
		login->out.len = 0; /* it is gone: nothing to say */
	log_line(LOG_PART_SESSION, LOG_LEVEL_WARNING, "%s: closing because: %s (age=%llus)",
		login_who(login, who, sizeof who), message,
		(unsigned long long)(clock_wall() / USEC_SEC - login->connected / USEC_SEC));
	conn_close(&login->conn);
	login_free(&login);
	hub_client_gone();
}

bool hub_memory_is_used_up(void)
{
	int64_t max = hub.conf->p.max_memory;

	return max > 0 &&
	       __atomic_load_n(&hub.lent_bytes, __ATOMIC_RELAXED) + prepared_bytes_total() >
		       (uint64_t)max;
}

void hub_admit(struct login *login)
{
	const struct conf_database *db = conf_database_find(hub.conf, login->database);
	const struct conf_user *user = conf_user_find(hub.conf, login->user);
	struct arrival *a;
	struct pool *p;
	int max;

	if (hub.stopping >= 2) { /* its login was under way when the others were sent home */
		refuse(login, "57P01", "the pooler is shutting down");
		return;
	}
	if (!db) {
		refuse(login, "08P01", "no such database");
		return;
	}
	p = pool_for(login->database, login->user, db, login);
	if (p->disabled) {
		char text[160];

		snprintf(text, sizeof text, "database \"%s\" is disabled", login->database);
		refuse(login, "08P01", text);
		return;
	}
	if (hub_memory_is_used_up()) {
		refuse(login, "53200", "clients hold as much as they may (max_memory)");
		return;
	}
	max = conf_max_db_client_connections(hub.conf, db, user);
	if (max > 0 && hub_count_clients(login->database, NULL) >= max) {
		refuse(login, "08P01", "client connections exceeded (max_db_client_connections)");
		return;
	}
	max = conf_max_user_client_connections(hub.conf, db, user);
	if (max > 0 && hub_count_clients(NULL, login->user) >= max) {
		refuse(login, "08P01", "client connections exceeded (max_user_client_connections)");
		return;
	}
	a = mem_zalloc(sizeof *a);
	a->mail.run = client_arrive;
	a->login = login;
	a->lane = choose_lane(p);
	atomic_fetch_add(&a->lane->load, 1);
	atomic_fetch_add(&p->clients, 1);
	if (a->lane->relay->w.host) {
		worker_hand(&a->lane->relay->w, &a->mail);
	} else {
		worker_forget(&hub.front, login->conn.fd);
		worker_post(&a->lane->relay->w, &a->mail);
	}
}

int hub_count_clients(const char *database, const char *user)
{
	struct list *l;
	int n = 0;

	list_each (l, &hub.pools) {
		struct pool *p = list_entry(l, struct pool, link);

		if ((!database || strcmp(p->database, database) == 0) &&
			(!user || strcmp(p->user, user) == 0))
			n += atomic_load(&p->clients);
	}
	return n;
}

/* --- capacity ------------------------------------------------------------------------------ */

static bool share_a_cap(const struct lane *a, const struct lane *b)
{
	for (int i = 0; i < a->shard.n_caps; i++)
		for (int j = 0; j < b->shard.n_caps; j++)
			if (a->shard.caps[i] == b->shard.caps[j])
				return true;
	return false;
}

static void run_spare(struct relay *r, void *arg)
{
	struct lane *asker = arg;
	struct list *l;

	list_each (l, &r->lanes) {
		struct lane *lane = list_entry(l, struct lane, link);

		/* lanes of one pool give each other what is idle: session_share.c */
		if (lane->pool != asker->pool && share_a_cap(lane, asker)) {
			if (!atomic_load(&asker->claim_wanted))
				return;
			lane_spare(lane);
		}
	}
}

void hub_ask_spare(struct lane *l)
{
	/* The asker's own relay can be asked at once; the others by mail. */
	for (int i = 0; i < hub.n_relays; i++)
		hub_order(i, run_spare, l);
}

/* --- settings --------------------------------------------------------------------------------- */

/* A snapshot goes when every relay has come back from whatever it was doing with it. */
struct retired {
	const struct conf *conf;
	atomic_int left;
};

static void run_retire(struct relay *relay, void *arg)
{
	struct retired *r = arg;

	(void)relay;
	if (atomic_fetch_sub(&r->left, 1) > 1)
		return;
	conf_release(&r->conf);
	free(r);
}

/* Names that relays may still be reading.  There are few: a name is replaced when the
 * operator changes a database's user=. */
struct old_name {
	struct old_name *next;
	char *name;
};

static struct old_name *old_names;

/* The database's line has another user=. */
static void change_server_user(struct pool *p, const char *name)
{
	struct old_name *old = mem_zalloc(sizeof *old);

	old->name = p->server_user;
	old->next = old_names;
	old_names = old;
	pthread_mutex_lock(&p->lock);
	p->server_user = mem_strdup(name);
	if (p->has_secret)
		login_secret_wipe(&p->secret);
	p->has_secret = front_secret(name, &p->secret);
	pthread_mutex_unlock(&p->lock);
}

/* Pools that are kept warm before anybody asks: databases with a forced user. */
static void warm_up(void)
{
	for (size_t i = 0; i < hub.conf->n_databases; i++) {
		const struct conf_database *db = &hub.conf->databases[i];

		if (db->user && conf_pool_min_open(hub.conf, db, NULL) > 0)
			pool_for(db->name, db->user, db, NULL);
	}
}

void hub_reload(const struct conf *conf)
{
	const struct conf *old = hub.conf;
	struct retired *r;
	struct list *l;

	hub.conf = conf_retain(conf);
	atomic_store(&hub.max_client_conn, conf->p.max_client_conn);
	helpers_set_max(&hub.dialers, conf->p.max_dialing > 0 ? conf->p.max_dialing : 64);
	list_each (l, &hub.pools) {
		struct pool *p = list_entry(l, struct pool, link);
		const struct conf_database *db = conf_database_find(conf, p->database);
		const struct conf_user *u = conf_user_find(conf, p->user);

		if (p->leaving)
			continue;
		if (!db && !p->gone)
			hub_drop(p);
		p->gone = db == NULL;
		if (!db)
			continue;
		if (strcmp(p->server_user, server_user(db, p->user)) != 0)
			change_server_user(p, server_user(db, p->user));
		cap_set_max(&p->open,
			conf_pool_max_open(conf, db, conf_pool_owner(conf, db, p->user)));
		cap_set_max(p->line_cap, line_max(conf, db));
		cap_set_max(p->db_cap, conf_max_db_connections(conf, db, u));
		cap_set_max(p->user_cap, conf_max_user_connections(conf, db, u));
		for (int i = 0; i < p->n_lanes; i++)
			configure(p->lanes[i], conf, db);
	}
	r = mem_zalloc(sizeof *r);
	r->conf = old;
	atomic_init(&r->left, hub.n_relays);
	for (int i = 0; i < hub.n_relays; i++)
		hub_order(i, run_retire, r);
	warm_up();
}

/* --- start and stop -----------------------------------------------------------------------------
 */

/* A crowd that falls quiet gives its memory back, not at once, for it may come again. */
#define TRIM_AFTER (5 * USEC_SEC)

static void on_surplus(struct chunk_store *st)
{
	struct relay *r = CONTAINER_OF(st, struct relay, chunks);

	timer_ensure(&r->w.timers, &r->trim, r->w.now + TRIM_AFTER);
}

static void on_trim(struct timer *t)
{
	chunk_trim(&CONTAINER_OF(t, struct relay, trim)->chunks);
}

void hub_start(const struct conf *conf)
{
	int n = conf->p.workers;
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	char name[32];

	hub.conf = conf_retain(conf);
	list_init(&hub.pools);
	list_init(&hub.databases);
	list_init(&hub.db_caps);
	list_init(&hub.user_caps);
	list_init(&hub.line_caps);
	if (n == 0)
		n = cpus < 4 ? 1 : cpus > 16 ? 8 : (int)cpus / 2;
	hub.n_relays = n;
	hub.peer_id = conf->p.peer_id;
	hub.relays = mem_zalloc((size_t)n * sizeof *hub.relays);
	hub.queries = mem_zalloc((size_t)n * sizeof *hub.queries);
	atomic_store(&hub.max_client_conn, conf->p.max_client_conn);
	hub.started = clock_wall();
	helpers_init(&hub.dialers, "dial", conf->p.max_dialing > 0 ? conf->p.max_dialing : 64);
	helpers_init(&hub.cancellers, "cancel", 8);
	if (hub.peer_id)
		helpers_init(&hub.forwarders, "peer", 8);
	for (int i = 0; i < n; i++) {
		struct relay *r = &hub.relays[i];

		/* Where each CPU has its relay, the first one shares the front's thread: a third
		 * thread would only be one more to wake. */
		if (i == 0 && (n == 1 || n >= cpus))
			worker_share(&r->w, i, &hub.front);
		else
			worker_init(&r->w, i);
		r->hub = &hub;
		r->prepared.together = n > 1;
		r->chunks.process = &hub.lent_bytes;
		r->chunks.on_surplus = on_surplus;
		r->trim.fire = on_trim;
		list_init(&r->lanes);
		if (hub.qlog)
			r->ring = qlog_ring_new(hub.qlog, (size_t)conf->p.query_log_buffer);
		r->queries = hub.queries[i] = queries_new((size_t)conf->p.track_queries_max);
	}
	for (int i = 0; i < n; i++) {
		snprintf(name, sizeof name, "relay-%d", i);
		if (!hub.relays[i].w.host)
			worker_start(&hub.relays[i].w, name);
	}
	hub_retire_start();
	warm_up();
}

/* --- leaving ---------------------------------------------------------------------------- */

static void run_drain(struct relay *r, void *arg)
{
	bool now = arg != NULL;
	struct client *c;

	r->draining = true;
	for (uint32_t at = 0; (c = relay_next_client(r, &at));)
		if (now || c->state == CLIENT_IDLE || c->state == CLIENT_LOGIN ||
			c->state == CLIENT_WAITING)
			client_close(c, CLOSE_SHUTDOWN, NULL);
}

static void run_stop(struct relay *r, void *arg)
{
	struct list *l;
	struct client *c;

	(void)arg;
	list_each (l, &r->lanes)
		list_entry(l, struct lane, link)->stopped = true;
	for (uint32_t at = 0; (c = relay_next_client(r, &at));)
		client_close(c, CLOSE_SHUTDOWN, NULL);
	list_each (l, &r->lanes) {
		struct lane *lane = list_entry(l, struct lane, link);
		struct list *lists[] = {&lane->shard.idle, &lane->shard.busy};

		for (size_t k = 0; k < ARRAY_LEN(lists); k++)
			while (!list_empty(lists[k])) /* one close may be the end of others */
				server_close(CONTAINER_OF(list_first(lists[k], struct slot, link),
						     struct server, slot),
					CLOSE_SERVER_SURPLUS, NULL);
	}
	worker_stop(&r->w);
}

static void on_gone(struct worker *w, struct mail *m)
{
	(void)w;
	free(m);
	if (hub.stopping && atomic_load(&hub.clients) == 0 && hub.on_empty)
		hub.on_empty();
}

void hub_client_gone(void)
{
	struct mail *m;

	atomic_fetch_sub(&hub.clients, 1);
	if (!hub.stopping || atomic_load(&hub.clients) > 0)
		return;
	m = mem_zalloc(sizeof *m);
	m->run = on_gone;
	worker_post(&hub.front, m);
}

void hub_stop(int how)
{
	hub.stopping = how;
	if (how >= 2)
		for (int i = 0; i < hub.n_relays; i++)
			hub_order(i, run_drain, how >= 3 ? &hub : NULL);
	if (atomic_load(&hub.clients) == 0 && hub.on_empty)
		hub.on_empty();
}

void hub_join(void)
{
	for (int i = 0; i < hub.n_relays; i++)
		hub_order(i, run_stop, NULL);
	for (int i = 0; i < hub.n_relays; i++)
		if (!hub.relays[i].w.host)
			pthread_join(hub.relays[i].w.thread, NULL);
	/* What one has sent to another that had ended before. */
	for (int i = 0; i < hub.n_relays; i++)
		worker_finish(&hub.relays[i].w);
	worker_finish(&hub.front);
	helpers_release(&hub.dialers);
	helpers_release(&hub.cancellers);
	if (hub.peer_id)
		helpers_release(&hub.forwarders);
}
