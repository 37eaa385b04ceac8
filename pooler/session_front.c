/* SPDX-License-Identifier: ISC
 *
 * The loop of the front: it accepts, watches, times out and frees; what the bytes mean is
 * session_login.c's.
 *
 * Attempts stand on one of three lists, each ordered by deadline, so that one timer serves
 * them all and only heads are looked at.  Nothing is freed under a callback: attempt_close()
 * moves to `dead`, which is emptied before the loop sleeps.
 *
 * A flood of half-open logins cannot lock others out: beyond a limit the oldest one gives way.
 */
#include "session_front.h"

#include <dirent.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <unistd.h>

struct front front = {.armed = USEC_NEVER};

/* The user list for front_secret(), which other threads call. */
static struct {
	pthread_mutex_t lock;
	struct auth_users *users;
} shared = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* Something that the helper thread was asked, and who waits for the answer. */
struct question {
	struct list link, waiters;
	char *key;
};

/* --- deadlines ------------------------------------------------------------------- */

static usec_t head_deadline(const struct list *l)
{
	return list_empty(l) ? USEC_NEVER
			     : list_entry(l->next, struct attempt, by_deadline)->deadline;
}

/* The timer stands at the earliest head of the three lists. */
static void front_arm(void)
{
	usec_t due = head_deadline(&front.logins), d, now;

	if ((d = head_deadline(&front.delays)) < due)
		due = d;
	if ((d = head_deadline(&front.lingers)) < due)
		due = d;
	if (due == front.armed)
		return;
	front.armed = due;
	ev_timer_stop(front.loop, &front.timer);
	if (due == USEC_NEVER)
		return;
	now = clock_mono();
	ev_timer_set(&front.timer, due > now ? (double)(due - now) / USEC_SEC : 0., 0.);
	ev_now_update(front.loop);
	ev_timer_start(front.loop, &front.timer);
}

/* Mostly an append: deadlines of one list come in order, unless a setting changed. */
static void list_by_deadline(struct list *head, struct attempt *a)
{
	struct list *at = head->prev;

	list_del(&a->by_deadline);
	while (at != head && list_entry(at, struct attempt, by_deadline)->deadline > a->deadline)
		at = at->prev;
	list_push_front(at, &a->by_deadline);
}

/* What the watcher should wait for in this state. */
static void attempt_watch(struct attempt *a)
{
	bool reads = a->state != ATTEMPT_WAIT && a->state != ATTEMPT_DELAY;
	int want = (reads ? EV_READ : 0) | (a->login->out.len ? EV_WRITE : 0);

	if (a->state == ATTEMPT_TLS)
		return; /* the handshake sets it */
	if (a->login->conn.ssl && conn_wants_write(&a->login->conn))
		want |= EV_WRITE;
	if (ev_is_active(&a->io) && (a->io.events & (EV_READ | EV_WRITE)) == want)
		return;
	ev_io_stop(front.loop, &a->io);
	if (!want)
		return;
	ev_io_set(&a->io, a->login->conn.fd, want);
	ev_io_start(front.loop, &a->io);
}

void attempt_enter(struct attempt *a, enum attempt_state state, usec_t delay)
{
	a->state = state;
	if (state != ATTEMPT_DELAY && state != ATTEMPT_LINGER)
		return;
	a->deadline = clock_mono() + delay;
	list_by_deadline(state == ATTEMPT_DELAY ? &front.delays : &front.lingers, a);
}

/* --- attempts ---------------------------------------------------------------------- */

static void attempt_free(struct attempt *a)
{
	rules_drop(&a->rules);
	auth_user_drop(&a->kept);
	secret_free(a->password);
	free(a->refusal_text);
	free(a);
}

/* Closes what is left of it; freed when the callbacks are through. */
void attempt_close(struct attempt *a)
{
	if (!a->login && !a->rules)
		return;
	ev_io_stop(front.loop, &a->io);
	if (a->admitted)
		front.ops->dismiss();
	a->admitted = false;
	list_del(&a->waiting);
	list_del(&a->by_deadline);
	if (a->scram_on)
		scram_release(&a->scram);
	a->scram_on = false;
	a->user = NULL;
	login_free(&a->login);
	rules_drop(&a->rules);
	list_push_back(&front.dead, &a->by_deadline);
	ev_prepare_start(front.loop, &front.reaper);
	front.stats.logins--;
}

/* libev leaves a stopped descriptor in the kernel's set, on the assumption that it will be closed
 * soon.  Ours goes to another thread: each of its first bytes would wake the front once more, and
 * libev would then work on a number that may be somebody else's by now.  So it is taken out by
 * hand.  libev has no call for its epoll descriptor: it is the one that has our listener in it. */
static bool is_our_epoll(int fd)
{
	char path[64], line[256];
	bool found = false;
	FILE *f;

	snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
	f = fopen(path, "re");
	while (f && !found && fgets(line, sizeof line, f)) {
		int target;
		found = sscanf(line, "tfd: %d", &target) == 1 &&
			target == front.listeners.items[0].fd;
	}
	if (f)
		fclose(f);
	return found;
}

static void find_epoll(void)
{
	DIR *dir = opendir("/proc/self/fdinfo");
	struct dirent *d;

	front.epoll_fd = -1;
	while (dir && front.epoll_fd < 0 && (d = readdir(dir)) != NULL)
		if (d->d_name[0] != '.' && is_our_epoll((int)strtol(d->d_name, NULL, 10)))
			front.epoll_fd = (int)strtol(d->d_name, NULL, 10);
	if (dir)
		closedir(dir);
}

static void forget_descriptor(int fd)
{
	struct epoll_event none = {0};

	if (front.epoll_fd == 0)
		find_epoll();
	if (front.epoll_fd > 0 && epoll_ctl(front.epoll_fd, EPOLL_CTL_DEL, fd, &none) < 0 &&
		(errno == EBADF || errno == EINVAL))
		front.epoll_fd = 0; /* libev has made itself another one */
}

struct login *attempt_give(struct attempt *a)
{
	struct login *l = a->login;

	ev_io_stop(front.loop, &a->io);
	forget_descriptor(l->conn.fd);
	a->login = NULL;
	a->admitted = false;
	attempt_close(a);
	return l;
}

bool attempt_flush(struct attempt *a)
{
	struct login *l = a->login;

	while (l->out.len) {
		ssize_t n = conn_send(&l->conn, l->out.data, l->out.len);
		if (n == CONN_AGAIN)
			break;
		if (n < 0) {
			attempt_close(a);
			return false;
		}
		buf_drop_front(&l->out, (size_t)n);
	}
	return true;
}

/* Runs steps until one must wait. */
static void attempt_run(struct attempt *a)
{
	enum step out;

	do
		out = attempt_step(a);
	while (out == STEP_GO);
	if (out == STEP_MORE) {
		/* Answers that no step flushed (a challenge, a negotiation) go out here. */
		if (a->state != ATTEMPT_TLS && !attempt_flush(a))
			return;
		attempt_watch(a);
	}
}

/* Reads what there is into login->in.  false: the attempt is closed. */
static bool attempt_read(struct attempt *a)
{
	struct login *l = a->login;
	char sink[ATTEMPT_INPUT_MAX];
	size_t room = ATTEMPT_INPUT_MAX - l->in.len;
	bool before;
	ssize_t n;

	if (!a->read_any && a->rules->tls && l->peer.family != AF_UNIX) {
		/* OpenSSL must read a TLS record from its first byte on. */
		if (recv(l->conn.fd, sink, 1, MSG_PEEK | MSG_DONTWAIT) == 1 && sink[0] == 0x16) {
			a->read_any = a->direct = true;
			buf_put(&l->in, sink, 1);
			return true;
		}
	}
	a->read_any = true;
	do {
		room = a->state == ATTEMPT_LINGER ? sizeof sink : ATTEMPT_INPUT_MAX - l->in.len;
		if (room == 0)
			return true;
		before = secret_thread(l->conn.ssl != NULL); /* OpenSSL's buffer holds it, too */
		n = conn_recv(&l->conn, sink, room);
		secret_thread(before);
		if (n == CONN_AGAIN)
			return true;
		if (n <= 0) {
			attempt_close(a);
			return false;
		}
		if (a->state != ATTEMPT_LINGER)
			buf_put(&l->in, sink, (size_t)n);
		mem_wipe(sink, (size_t)n);
	} while (conn_has_pending(&l->conn));
	return true;
}

static void on_io(struct ev_loop *loop, ev_io *w, int events)
{
	struct attempt *a = w->data;

	(void)loop;
	if (!a->login)
		return;
	if (a->state != ATTEMPT_TLS) {
		if ((events & EV_WRITE) && !attempt_flush(a))
			return;
		if ((events & EV_READ) && !attempt_read(a))
			return;
		if (a->login->in.len == ATTEMPT_INPUT_MAX && a->state == ATTEMPT_FIRST) {
			attempt_close(a); /* cannot be: a startup packet is smaller */
			return;
		}
	}
	attempt_run(a);
	front_arm();
}

static void on_deadline(struct ev_loop *loop, ev_timer *w, int events)
{
	usec_t now = clock_mono() + USEC_MSEC; /* timers fire a little early, too */
	struct attempt *a;

	(void)loop, (void)w, (void)events;
	front.armed = USEC_NEVER;
	while (head_deadline(&front.logins) <= now) {
		a = list_first(&front.logins, struct attempt, by_deadline);
		front.stats.timeouts++;
		if (a->state == ATTEMPT_TLS) {
			attempt_close(a);
			continue;
		}
		list_del(&a->waiting);
		attempt_refuse(a, "08P01", "client_login_timeout");
		attempt_run(a);
	}
	while (head_deadline(&front.delays) <= now) {
		a = list_first(&front.delays, struct attempt, by_deadline);
		attempt_refuse(a, a->refusal_state, "%s", a->refusal_text);
		attempt_run(a);
	}
	while (head_deadline(&front.lingers) <= now)
		attempt_close(list_first(&front.lingers, struct attempt, by_deadline));
	front_arm();
}

static void on_reap(struct ev_loop *loop, ev_prepare *w, int events)
{
	(void)loop, (void)w, (void)events;
	while (!list_empty(&front.dead)) {
		struct attempt *a = list_first(&front.dead, struct attempt, by_deadline);
		list_del(&a->by_deadline);
		attempt_free(a);
	}
	ev_prepare_stop(front.loop, &front.reaper);
}

/* --- accepting ------------------------------------------------------------------------ */

uint64_t front_next_id(void)
{
	static atomic_uint_least64_t last;

	return atomic_fetch_add(&last, 1) + 1;
}

static void attempt_new(int fd, const struct net_listener *from, const struct net_addr *peer)
{
	struct attempt *a = mem_zalloc(sizeof *a);
	struct login *l = mem_zalloc(sizeof *l);
	usec_t timeout = front.rules->conf->p.client_login_timeout;

	a->rules = front.rules;
	a->rules->refs++;
	a->login = l;
	l->conn = (struct conn){.fd = fd};
	l->id = front_next_id();
	l->peer = *peer;
	l->local = from->local;
	l->connected = clock_wall();
	l->in.cap = ATTEMPT_INPUT_MAX;
	a->began = clock_mono();
	a->deadline = timeout ? a->began + timeout : USEC_NEVER;
	list_init(&a->by_deadline);
	list_init(&a->waiting);
	list_by_deadline(&front.logins, a);
	net_tcp_tune(fd, peer, &a->rules->tcp);
	front.stats.accepted++;
	front.stats.logins++;
	ev_io_init(&a->io, on_io, fd, EV_READ);
	a->io.data = a;
	ev_io_start(front.loop, &a->io);
	/* The startup packet has often come already: tcp_defer_accept sees to that. */
	on_io(front.loop, &a->io, EV_READ);
}

static void accepting_set(bool on)
{
	for (size_t i = 0; i < front.listeners.count; i++)
		if (on)
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

	(void)events;
	for (int i = 0; i < 64; i++) {
		int fd = net_listen_accept(from, &peer);
		if (fd < 0) {
			if (errno == EAGAIN || errno == EWOULDBLOCK)
				return;
			log_line(LOG_PART_NET, LOG_LEVEL_ERROR, "accept on %s: %s", from->name,
				strerror(errno));
			accepting_set(false); /* out of descriptors: do not spin */
			ev_timer_set(&front.breather, 0.1, 0.);
			ev_timer_start(loop, &front.breather);
			return;
		}
		if (front.stats.logins >= most && !list_empty(&front.logins)) {
			front.stats.timeouts++;
			attempt_close(list_first(&front.logins, struct attempt, by_deadline));
		}
		attempt_new(fd, from, &peer);
	}
}

/* --- questions ---------------------------------------------------------------------------- */

static void on_helper_wake(void *arg)
{
	(void)arg;
	ev_async_send(front.loop, &front.helped);
}

static struct list *question_bucket(const char *key)
{
	return &front.questions[hash_keyed(key, strlen(key)) % ARRAY_LEN(front.questions)];
}

static void post(struct auth_job *job)
{
	if (!front.helper)
		front.helper = auth_helper_start(on_helper_wake, NULL);
	auth_helper_post(front.helper, job);
}

/* One at a time, so that jobs of logins do not queue behind the whole list. */
static void derive_next(void)
{
	struct auth_job *job = fact_next_derivation();

	if (job)
		post(job);
}

enum step attempt_ask(struct attempt *a, const char *key, struct auth_job *job)
{
	struct list *bucket = question_bucket(key), *it;
	struct question *q = NULL;

	list_each (it, bucket)
		if (strcmp(list_entry(it, struct question, link)->key, key) == 0)
			q = list_entry(it, struct question, link);
	if (q) {
		auth_job_free(&job);
	} else {
		q = mem_zalloc(sizeof *q);
		q->key = mem_strdup(key);
		list_init(&q->waiters);
		list_push_back(bucket, &q->link);
		job->owner = q;
		post(job);
	}
	a->resume = a->state;
	attempt_enter(a, ATTEMPT_WAIT, 0);
	list_push_back(&q->waiters, &a->waiting);
	return STEP_MORE;
}

static void on_helped(struct ev_loop *loop, ev_async *w, int events)
{
	struct auth_job *job;

	(void)loop, (void)w, (void)events;
	while ((job = auth_helper_take(front.helper)) != NULL) {
		struct question *q = job->owner;
		struct list waiters;

		fact_answered(job);
		if (!q) { /* the user list's turn */
			auth_job_free(&job);
			derive_next();
			continue;
		}
		/* A step may ask again: the waiters leave the question before they run. */
		list_init(&waiters);
		list_push_back(&q->waiters, &waiters);
		list_del(&q->waiters);
		list_del(&q->link);
		while (!list_empty(&waiters)) {
			struct attempt *a = list_first(&waiters, struct attempt, waiting);
			list_del(&a->waiting);
			attempt_enter(a, a->resume, 0);
			fact_apply(a, job);
			attempt_run(a);
		}
		free(q->key);
		free(q);
		auth_job_free(&job);
	}
	front_arm();
}

/* --- the door -------------------------------------------------------------------------------- */

/* Begins to derive the keys of the list's plain secrets, where clients may be asked for SCRAM. */
static void front_derive(void)
{
	enum auth_type type = front.rules->conf->p.auth_type;

	front.next_derived = 0;
	if (type == AUTH_TYPE_SCRAM_SHA_256 || type == AUTH_TYPE_HBA)
		derive_next();
}

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

bool front_init(struct ev_loop *loop, const struct conf *conf, const struct front_ops *ops,
	struct buf *err)
{
	size_t before = err->len;

	front.loop = loop;
	front.ops = ops;
	list_init(&front.logins);
	list_init(&front.delays);
	list_init(&front.lingers);
	list_init(&front.dead);
	for (size_t i = 0; i < ARRAY_LEN(front.questions); i++)
		list_init(&front.questions[i]);
	if (!scram_setup()) {
		buf_put_str(err, "no random numbers from OpenSSL");
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
	ev_timer_init(&front.timer, on_deadline, 0., 0.);
	ev_timer_init(&front.breather, on_breath, 0., 0.);
	ev_prepare_init(&front.reaper, on_reap);
	ev_async_init(&front.helped, on_helped);
	ev_async_start(loop, &front.helped);
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
	front_derive();
	auth_cache_clear(front.cache);
	set_rate(&conf->p);
	return err->len == before;
}

void front_resume(void)
{
	if (!front.accepting_on)
		front_derive();
	front.accepting_on = true;
	accepting_set(true);
}

void front_pause(void)
{
	front.accepting_on = false;
	accepting_set(false);
}

void front_chown(uid_t uid, gid_t gid)
{
	for (size_t i = 0; i < front.listeners.count; i++)
		if (front.listeners.items[i].path &&
			chown(front.listeners.items[i].path, uid, gid) < 0)
			log_line(LOG_PART_NET, LOG_LEVEL_WARNING, "cannot give %s to user %u: %s",
				front.listeners.items[i].path, (unsigned)uid, strerror(errno));
}

static void refuse_all(struct list *attempts)
{
	while (!list_empty(attempts)) {
		struct attempt *a = list_first(attempts, struct attempt, by_deadline);
		if (a->state != ATTEMPT_TLS && a->state != ATTEMPT_LINGER) {
			attempt_refuse(a, "57P01", "the pooler is shutting down");
			if (!attempt_flush(a))
				continue;
		}
		attempt_close(a);
	}
}

void front_shutdown(void)
{
	if (!front.rules)
		return;
	front_pause();
	refuse_all(&front.logins);
	refuse_all(&front.delays);
	refuse_all(&front.lingers);
	on_reap(front.loop, &front.reaper, 0);
	net_listen_close(&front.listeners, true);
	free(front.accepting);
	front.accepting = NULL;
	if (front.helper) {
		struct auth_job *job;
		auth_helper_stop(&front.helper, &job);
		while (job) {
			struct auth_job *next = job->next;
			struct question *q = job->owner;
			if (q)
				free(q->key);
			free(q);
			auth_job_free(&job);
			job = next;
		}
	}
	ev_timer_stop(front.loop, &front.timer);
	ev_timer_stop(front.loop, &front.breather);
	ev_async_stop(front.loop, &front.helped);
	auth_cache_free(&front.cache);
	auth_rate_free(&front.rate);
	share_users(NULL);
	rules_drop(&front.rules);
}

const struct front_stats *front_stats(void)
{
	return &front.stats;
}
