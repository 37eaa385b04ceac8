/* SPDX-License-Identifier: ISC
 *
 * The door: listeners, and what logins go by from one reload to the next.
 *
 * A flood of half-open logins cannot lock others out: beyond a limit the oldest one gives way.
 */
#include "session_front.h"

#include <pthread.h>
#include <unistd.h>

struct front front = {.armed = USEC_NEVER, .accept_at_once = 1};

/* The user list for front_secret(), which other threads call. */
static struct {
	pthread_mutex_t lock;
	struct auth_users *users;
} shared = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* --- accepting ------------------------------------------------------------------------ */

static void accepting_set(bool on)
{
	for (size_t i = 0; i < front.listeners.count; i++)
		if (on && front.listeners.items[i].fd >= 0)
			ev_io_start(front.loop, &front.accepting[i]);
		else
			ev_io_stop(front.loop, &front.accepting[i]);
}

static void on_breath(struct ev_loop *loop, ev_timer *w, int events)
{
	(void)loop, (void)w, (void)events;
	if (front.accepting_on)
		accepting_set(true);
}

static void on_accept(struct ev_loop *loop, ev_io *w, int events)
{
	const struct net_listener *from = w->data;
	unsigned most = (unsigned)front.rules->conf->p.max_client_conn + 100;
	struct net_addr peer;
	int n = 0;

	(void)events;
	for (; n < front.accept_at_once; n++) {
		int fd = net_listen_accept(from, &peer);
		if (fd < 0) {
			if (errno == EAGAIN || errno == EWOULDBLOCK)
				break;
			log_line(LOG_PART_NET, LOG_LEVEL_ERROR, "accept on %s: %s%s", from->name,
				strerror(errno),
				errno == EMFILE || errno == ENFILE
					? ": new clients wait; raise the limit of descriptors "
					  "(ulimit -n, LimitNOFILE) or lower max_client_conn"
					: "");
			accepting_set(false); /* out of descriptors: do not spin */
			ev_timer_set(&front.breather, 0.1, 0.);
			ev_timer_start(loop, &front.breather);
			return;
		}
		if (front.stats.logins >= most)
			attempts_give_way();
		attempt_new(fd, from, &peer);
	}
	/* Where they come one by one none costs a second look; in a crowd more are taken at once.
	 */
	if (n < front.accept_at_once)
		front.accept_at_once = n > 0 ? n : 1;
	else if (front.worker->ticks == front.accepted_at + 1 && n <= 32)
		front.accept_at_once = 2 * n;
	front.accepted_at = front.worker->ticks;
}
/* --- the door -------------------------------------------------------------------------------- */
static void share_users(struct auth_users *users)
{
	struct auth_users *old;

	pthread_mutex_lock(&shared.lock);
	old = shared.users;
	shared.users = users ? auth_users_ref(users) : NULL;
	pthread_mutex_unlock(&shared.lock);
	auth_users_drop(&old);
}

bool front_secret(const char *user, struct login_secret *out)
{
	struct auth_users *users;
	const struct auth_user *u;

	memset(out, 0, sizeof *out);
	pthread_mutex_lock(&shared.lock);
	users = shared.users ? auth_users_ref(shared.users) : NULL;
	pthread_mutex_unlock(&shared.lock);
	u = auth_users_find(users, user);
	for (size_t i = 0; u && i < u->count; i++) {
		const struct auth_secret *s = &u->secrets[i];
		if (s->kind == SECRET_PLAIN && !out->password)
			out->password = secret_strdup(s->text);
		else if (s->kind == SECRET_MD5 && !out->md5)
			out->md5 = secret_strdup(s->text);
	}
	auth_users_drop(&users);
	return out->password || out->md5;
}

void front_each_user(void (*fn)(void *arg, const char *name), void *arg)
{
	const struct auth_users *users = front.rules ? front.rules->users : NULL;

	for (size_t i = 0; i < auth_users_count(users); i++)
		fn(arg, auth_users_at(users, i)->name);
}

static bool open_listeners(const struct conf_pooler *p, struct buf *err)
{
	struct net_listen_options o = {
		.addresses = p->listen_addr,
		.port = (uint16_t)p->listen_port,
		.unix_dir = p->unix_socket_dir,
		.unix_mode = (unsigned)p->unix_socket_mode,
		.unix_group = p->unix_socket_group,
		.backlog = p->listen_backlog,
		.reuseport = p->so_reuseport,
		.defer_accept = p->tcp_defer_accept ? 45 : 0,
		.systemd = true,
	};

	if (!net_listen_open(&front.listeners, &o, err))
		return false;
	front.accepting = mem_zalloc(front.listeners.count * sizeof *front.accepting);
	for (size_t i = 0; i < front.listeners.count; i++) {
		struct net_listener *l = &front.listeners.items[i];
		ev_io_init(&front.accepting[i], on_accept, l->fd, EV_READ);
		front.accepting[i].data = l;
		log_line(LOG_PART_NET, LOG_LEVEL_INFO, "listening on %s", l->name);
	}
	return true;
}

static void set_rate(const struct conf_pooler *p)
{
	auth_rate_free(&front.rate);
	if (p->auth_failure_limit > 0)
		front.rate = auth_rate_new((unsigned)p->auth_failure_limit,
			(unsigned)p->auth_failure_limit);
}

bool front_init(struct worker *w, const struct conf *conf, const struct front_ops *ops,
	struct buf *err)
{
	size_t before = err->len;

	front.worker = w;
	front.loop = w->loop;
	front.ops = ops;
	attempts_init();
	if (!scram_setup()) {
		buf_put_str(err,
			"no random numbers from the kernel, or no HMAC and SHA-256 from OpenSSL");
		return false;
	}
	front.rules = rules_new(conf, NULL, err);
	if (err->len > before || !open_listeners(&conf->p, err)) {
		rules_drop(&front.rules);
		return false;
	}
	share_users(front.rules->users);
	front.cache = auth_cache_new();
	net_listen_tune(&front.listeners, &front.rules->tcp);
	set_rate(&conf->p);
	ev_timer_init(&front.breather, on_breath, 0., 0.);
	questions_init();
	return true;
}

bool front_reload(const struct conf *conf, struct buf *err)
{
	size_t before = err->len;
	struct front_rules *rules = rules_new(conf, front.rules, err);

	rules_drop(&front.rules);
	front.rules = rules;
	net_listen_tune(&front.listeners, &rules->tcp);
	share_users(rules->users);
	questions_derive();
	auth_cache_clear(front.cache);
	set_rate(&conf->p);
	return err->len == before;
}

void front_resume(void)
{
	if (!front.accepting_on)
		questions_derive();
	front.accepting_on = true;
	accepting_set(true);
}

void front_pause(void)
{
	front.accepting_on = false;
	accepting_set(false);
}

void front_leave(void)
{
	front.leaving = true;
	for (size_t i = 0; i < front.listeners.count; i++) {
		struct net_listener *l = &front.listeners.items[i];

		if (l->local.family == AF_UNIX || l->fd < 0)
			continue;
		ev_io_stop(front.loop, &front.accepting[i]);
		close(l->fd);
		l->fd = -1;
	}
}

void front_chown(uid_t uid, gid_t gid)
{
	for (size_t i = 0; i < front.listeners.count; i++)
		if (front.listeners.items[i].path &&
			chown(front.listeners.items[i].path, uid, gid) < 0)
			log_line(LOG_PART_NET, LOG_LEVEL_WARNING, "cannot give %s to user %u: %s",
				front.listeners.items[i].path, (unsigned)uid, strerror(errno));
}

void front_shutdown(void)
{
	if (!front.rules)
		return;
	front_pause();
	attempts_end();
	net_listen_close(&front.listeners, true);
	free(front.accepting);
	front.accepting = NULL;
	questions_end();
	ev_timer_stop(front.loop, &front.breather);
	auth_cache_free(&front.cache);
	auth_rate_free(&front.rate);
	share_users(NULL);
	rules_drop(&front.rules);
}

const struct front_stats *front_stats(void)
{
	return &front.stats;
}
