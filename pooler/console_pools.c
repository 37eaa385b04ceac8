/* SPDX-License-Identifier: ISC
 *
 * SHOW POOLS, DATABASES, USERS, LISTS and MEM.  What the relays count comes by
 * hub_collect(); a pool that has lanes on several of them is one row.
 */
#include "console_inner.h"

static void finish(struct request *q)
{
	q->answer.tag = "SHOW";
	request_done(q);
}

static const char *const mode_names[] = {"session", "transaction", "statement", "auto"};

const char *console_mode_name(int mode)
{
	return mode >= 0 && mode < (int)ARRAY_LEN(mode_names) ? mode_names[mode] : NULL;
}

/* --- POOLS ------------------------------------------------------------------------------- */

/* One lane's share of a pool's row; of all lanes together when they have been added up. */
struct pool_counts {
	struct pool *pool;
	int cl_active, cl_waiting, cl_active_cancel;
	int sv_active, sv_active_cancel, sv_being_canceled, sv_idle, sv_used, sv_tested, sv_login;
	usec_t maxwait;
	enum pool_mode mode;
};

static void count_servers(const struct lane *l, struct pool_counts *n)
{
	usec_t now = l->relay->w.now;
	struct list *i;

	n->sv_login = l->shard.n_dialing;
	list_each (i, &l->shard.idle) {
		const struct server *s =
			CONTAINER_OF(list_entry(i, struct slot, link), struct server, slot);

		if (l->set.check_query[0] && now - s->released >= l->set.server_check_delay)
			n->sv_used++; /* will be checked before it is lent */
		else
			n->sv_idle++;
	}
	list_each (i, &l->shard.busy) {
		const struct server *s =
			CONTAINER_OF(list_entry(i, struct slot, link), struct server, slot);
		int asked = s->cancels - (s->asked_cancel && s->cancels ? 1 : 0);

		n->sv_active_cancel += s->cancels;
		n->cl_active_cancel += asked;
		if (s->client)
			n->sv_active++;
		else if (s->cancels)
			n->sv_being_canceled++;
		else
			n->sv_tested++; /* is being brought back to a quiet state */
	}
}

static usec_t longest_wait(const struct lane *l)
{
	usec_t now = l->relay->w.now, since = now;

	if (!list_empty(&l->shard.waiting))
		since = list_first(&l->shard.waiting, struct waiter, link)->since;
	if (!list_empty(&l->logins)) {
		const struct client *c = CONTAINER_OF(list_first(&l->logins, struct waiter, link),
			struct client, waiter);

		if (c->waiter.since < since)
			since = c->waiter.since;
	}
	return now - since;
}

static void gather_pools(struct relay *r, struct buf *into, void *arg)
{
	struct list *i;

	(void)arg;
	list_each (i, &r->lanes) {
		const struct lane *l = list_entry(i, struct lane, link);
		struct pool_counts n = {.pool = l->pool, .mode = l->set.mode};

		n.cl_waiting = l->shard.n_waiting + l->shard.n_greeters;
		n.cl_active = l->n_clients - n.cl_waiting;
		n.maxwait = longest_wait(l);
		count_servers(l, &n);
		buf_put(into, &n, sizeof n);
	}
}

static int by_pool(const void *a, const void *b)
{
	const struct pool *p = ((const struct pool_counts *)a)->pool;
	const struct pool *q = ((const struct pool_counts *)b)->pool;
	int order = strcmp(p->database, q->database);

	return order ? order : strcmp(p->user, q->user);
}

static void add_counts(struct pool_counts *into, const struct pool_counts *n)
{
	into->cl_active += n->cl_active;
	into->cl_waiting += n->cl_waiting;
	into->cl_active_cancel += n->cl_active_cancel;
	into->sv_active += n->sv_active;
	into->sv_active_cancel += n->sv_active_cancel;
	into->sv_being_canceled += n->sv_being_canceled;
	into->sv_idle += n->sv_idle;
	into->sv_used += n->sv_used;
	into->sv_tested += n->sv_tested;
	into->sv_login += n->sv_login;
	if (n->maxwait > into->maxwait)
		into->maxwait = n->maxwait;
}

static const char *balance_of(const struct conf_database *db)
{
	if (!db || !db->host || !strchr(db->host, ','))
		return NULL;
	return db->load_balance_hosts == LOAD_BALANCE_HOSTS_DISABLE ? "disable" : "round-robin";
}

static void put_pool(struct buf *rows, const char *database, const char *user,
	const struct pool_counts *n)
{
	struct row r = row_begin(rows);

	row_text(&r, database);
	row_text(&r, user);
	row_int(&r, n->cl_active);
	row_int(&r, n->cl_waiting);
	row_int(&r, n->cl_active_cancel);
	row_int(&r, 0); /* a cancel never waits for a connection */
	row_int(&r, n->sv_active);
	row_int(&r, n->sv_active_cancel);
	row_int(&r, n->sv_being_canceled);
	row_int(&r, n->sv_idle);
	row_int(&r, n->sv_used);
	row_int(&r, n->sv_tested);
	row_int(&r, n->sv_login);
	row_uint(&r, n->maxwait / USEC_SEC);
	row_uint(&r, n->maxwait % USEC_SEC);
	row_text(&r, console_mode_name((int)n->mode));
	row_text(&r, balance_of(conf_database_find(hub.conf, database)));
	row_end(&r);
}

static void pools_done(struct collection *c)
{
	struct request *q = c->arg;
	struct pool_counts own = {.mode = POOL_MODE_STATEMENT, .cl_active = console_session_count};
	struct buf all = {0};
	struct pool_counts *n;
	size_t count;
	bool said_own = false;

	for (int i = 0; i < c->n; i++)
		buf_put(&all, c->parts[i].data, c->parts[i].len);
	n = (struct pool_counts *)(void *)all.data;
	count = all.len / sizeof *n;
	if (count)
		qsort(n, count, sizeof *n, by_pool);
	for (size_t i = 0; i < count;) {
		struct pool_counts sum = n[i];

		while (++i < count && n[i].pool == sum.pool)
			add_counts(&sum, &n[i]);
		if (!said_own && strcmp(sum.pool->database, "pgbouncer") > 0) {
			put_pool(&q->answer.rows, "pgbouncer", "pgbouncer", &own);
			said_own = true;
		}
		put_pool(&q->answer.rows, sum.pool->database, sum.pool->user, &sum);
	}
	if (!said_own)
		put_pool(&q->answer.rows, "pgbouncer", "pgbouncer", &own);
	buf_free(&all);
	finish(q);
}

void show_pools(struct request *q)
{
	hub_collect(gather_pools, pools_done, q);
}

/* --- DATABASES -------------------------------------------------------------------------------- */

static int used_of_caps(const struct list *caps, const char *name)
{
	const struct cap *c = hub_cap_find(caps, name);

	return c ? atomic_load(&c->used) : 0;
}

static int port_of(const char *port)
{
	return port ? (int)strtol(port, NULL, 10) : 0;
}

static void put_database(struct buf *rows, const struct conf_database *db, const char *name)
{
	const struct conf *c = hub.conf;
	const struct hub_database *state = hub_database_find(name);
	struct row r = row_begin(rows);

	row_text(&r, name);
	row_text(&r, db->host);
	row_int(&r, port_of(db->port));
	row_text(&r, db->dbname ? db->dbname : name);
	row_text(&r, db->user);
	row_int(&r, conf_pool_max_open(c, db, NULL));
	row_int(&r, conf_pool_min_open(c, db, NULL));
	row_int(&r, conf_pool_reserve_size(c, db, NULL));
	row_uint(&r, conf_pool_max_lifetime(c, db, NULL) / USEC_SEC);
	row_text(&r, console_mode_name(db->pool_mode));
	row_text(&r, balance_of(db));
	row_int(&r, conf_max_db_connections(c, db, NULL));
	row_int(&r, used_of_caps(&hub.db_caps, name));
	row_int(&r, conf_max_db_client_connections(c, db, NULL));
	row_int(&r, hub_count_clients(name, NULL));
	row_int(&r, state && state->paused);
	row_int(&r, state && state->disabled);
	if (c->p.console_old_columns)
		row_int(&r, conf_pool_reserve_size(c, db, NULL));
	row_end(&r);
}

static void put_own_database(struct buf *rows)
{
	struct row r = row_begin(rows);

	row_text(&r, "pgbouncer");
	row_text(&r, NULL);
	row_int(&r, hub.conf->p.listen_port);
	row_text(&r, "pgbouncer");
	row_text(&r, "pgbouncer");
	row_int(&r, 2);
	row_int(&r, 0);
	row_int(&r, 0);
	row_uint(&r, hub.conf->p.max_lifetime / USEC_SEC);
	row_text(&r, "statement");
	row_text(&r, NULL);
	row_int(&r, 0);
	row_int(&r, 0);
	row_int(&r, 0);
	row_int(&r, console_session_count);
	row_int(&r, 0);
	row_int(&r, 0);
	if (hub.conf->p.console_old_columns)
		row_int(&r, 0);
	row_end(&r);
}

/* The configured ones, ours, and those that "*" serves now. */
void show_databases(struct request *q)
{
	struct buf *rows = &q->answer.rows;
	bool said_own = false;
	struct list *l;

	for (size_t i = 0; i < hub.conf->n_databases; i++) {
		const struct conf_database *db = &hub.conf->databases[i];

		if (!said_own && strcmp(db->name, "pgbouncer") > 0) {
			put_own_database(rows);
			said_own = true;
		}
		put_database(rows, db, db->name);
	}
	if (!said_own)
		put_own_database(rows);
	list_each (l, &hub.pools) {
		const struct pool *p = list_entry(l, struct pool, link);
		const struct conf_database *db = conf_database_find(hub.conf, p->database);
		bool seen = !db || !db->is_autodb;

		for (struct list *k = hub.pools.next; !seen && k != l; k = k->next)
			seen = strcmp(list_entry(k, struct pool, link)->database, p->database) == 0;
		if (!seen)
			put_database(rows, db, p->database);
	}
	finish(q);
}

/* --- USERS -------------------------------------------------------------------------------------
 */

static void put_user(struct buf *rows, const char *name)
{
	const struct conf_user *u = conf_user_find(hub.conf, name);
	struct row r = row_begin(rows);
	char size[16] = "", reserve[16] = "";

	if (u && u->max_open != CONF_UNSET)
		snprintf(size, sizeof size, "%9d", u->max_open);
	if (u && u->reserve_pool_size != CONF_UNSET)
		snprintf(reserve, sizeof reserve, "%9d", u->reserve_pool_size);
	row_text(&r, name);
	row_text(&r, size);
	row_text(&r, reserve);
	row_text(&r, u ? console_mode_name(u->pool_mode) : NULL);
	row_int(&r, conf_max_user_connections(hub.conf, NULL, u));
	row_int(&r, used_of_caps(&hub.user_caps, name));
	row_int(&r, conf_max_user_client_connections(hub.conf, NULL, u));
	row_int(&r, hub_count_clients(NULL, name));
	row_end(&r);
}

struct names {
	const char **name;
	size_t count, size;
};

static void add_name(void *arg, const char *name)
{
	struct names *n = arg;

	if (n->count == n->size) {
		n->size = n->size ? 2 * n->size : 64;
		n->name = mem_realloc(n->name, n->size * sizeof *n->name);
	}
	n->name[n->count++] = name;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Who has a pool, a line in [users] or a secret, by name, each once. */
static void user_names(struct names *n)
{
	struct list *l;
	size_t kept = 0;

	add_name(n, "pgbouncer");
	for (size_t i = 0; i < hub.conf->n_users; i++)
		add_name(n, hub.conf->users[i].name);
	front_each_user(add_name, n);
	list_each (l, &hub.pools)
		add_name(n, list_entry(l, struct pool, link)->user);
	qsort(n->name, n->count, sizeof *n->name, by_name);
	for (size_t i = 0; i < n->count; i++)
		if (kept == 0 || strcmp(n->name[i], n->name[kept - 1]) != 0)
			n->name[kept++] = n->name[i];
	n->count = kept;
}

void show_users(struct request *q)
{
	struct names n = {0};

	user_names(&n);
	for (size_t i = 0; i < n.count; i++)
		put_user(&q->answer.rows, n.name[i]);
	free(n.name);
	finish(q);
}

/* --- LISTS, MEM ----------------------------------------------------------------------------------
 */

/* What a relay holds, for both. */
struct holdings {
	int clients, servers;
	unsigned free_chunks[CHUNK_CLASSES];
	uint64_t lent;
	size_t prepared, params;
};

static void gather_holdings(struct relay *r, struct buf *into, void *arg)
{
	struct holdings h = {
		.clients = r->n_clients,
		.servers = r->n_servers,
		.lent = r->chunks.lent,
		.prepared = r->prepared.count,
		.params = r->params.count,
	};

	(void)arg;
	memcpy(h.free_chunks, r->chunks.count, sizeof h.free_chunks);
	buf_put(into, &h, sizeof h);
}

static struct holdings sum_holdings(const struct collection *c)
{
	struct holdings sum = {0}, h;

	for (int i = 0; i < c->n; i++) {
		memcpy(&h, c->parts[i].data, sizeof h);
		sum.clients += h.clients;
		sum.servers += h.servers;
		sum.lent += h.lent;
		sum.prepared += h.prepared;
		sum.params += h.params;
		for (int k = 0; k < CHUNK_CLASSES; k++)
			sum.free_chunks[k] += h.free_chunks[k];
	}
	return sum;
}

static void put_item(struct request *q, const char *list, int64_t items)
{
	struct row r = row_begin(&q->answer.rows);

	row_text(&r, list);
	row_int(&r, items);
	row_end(&r);
}

static void lists_done(struct collection *c)
{
	struct request *q = c->arg;
	struct holdings h = sum_holdings(c);
	struct names users = {0};
	struct list *l;
	int pools = 1;

	list_each (l, &hub.pools)
		pools++;
	user_names(&users);
	put_item(q, "databases", (int64_t)hub.conf->n_databases + 1);
	put_item(q, "users", (int64_t)users.count);
	put_item(q, "peers", (int64_t)hub.conf->n_peers);
	put_item(q, "pools", pools);
	put_item(q, "peer_pools", (int64_t)hub.conf->n_peers);
	put_item(q, "free_clients", 0); /* no memory is kept for clients that may come */
	put_item(q, "used_clients", h.clients + console_session_count);
	put_item(q, "login_clients", front_stats()->logins);
	put_item(q, "free_servers", 0);
	put_item(q, "used_servers", h.servers);
	put_item(q, "dns_names", 0);
	put_item(q, "dns_zones", 0);
	put_item(q, "dns_queries", 0);
	put_item(q, "dns_pending", 0);
	free(users.name);
	finish(q);
}

void show_lists(struct request *q)
{
	hub_collect(gather_holdings, lists_done, q);
}

static void put_mem(struct request *q, const char *name, uint64_t size, uint64_t used,
	uint64_t spare)
{
	struct row r = row_begin(&q->answer.rows);

	row_text(&r, name);
	row_uint(&r, size);
	row_uint(&r, used);
	row_uint(&r, spare);
	row_uint(&r, size * (used + spare));
	row_end(&r);
}

static void mem_done(struct collection *c)
{
	static const unsigned sizes[CHUNK_CLASSES] = {512, 4096, 65536};
	struct request *q = c->arg;
	struct holdings h = sum_holdings(c);
	char name[32];

	put_mem(q, "client_cache", sizeof(struct client), (uint64_t)h.clients, 0);
	put_mem(q, "server_cache", sizeof(struct server), (uint64_t)h.servers, 0);
	put_mem(q, "console_cache", sizeof(struct console), (uint64_t)console_session_count, 0);
	put_mem(q, "lent_buffers", 1024, (h.lent + 1023) / 1024, 0);
	for (int k = 0; k < CHUNK_CLASSES; k++) {
		snprintf(name, sizeof name, "spare_buffers_%u", sizes[k]);
		put_mem(q, name, sizes[k], 0, h.free_chunks[k]);
	}
	put_mem(q, "prepared_cache", sizeof(struct prepared), h.prepared, 0);
	put_mem(q, "params_cache", sizeof(struct params), h.params, 0);
	finish(q);
}

void show_mem(struct request *q)
{
	hub_collect(gather_holdings, mem_done, q);
}
