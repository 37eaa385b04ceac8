/* SPDX-License-Identifier: ISC
 *
 * struct attempt: a login that is going on, as its loop sees it: bytes in and out, what its
 * descriptor is watched for, when its time is over.  What the bytes mean is session_login.c's.
 *
 * Attempts stand on one of three lists, each ordered by deadline, so that one timer serves
 * them all and only heads are looked at.  Nothing is freed under a callback: attempt_close()
 * moves to `dead`, which is emptied at the end of the tick.
 */
#include "session_front.h"

#include <errno.h>
#include <stdatomic.h>

/* --- deadlines ------------------------------------------------------------------- */

static usec_t head_deadline(const struct list *l)
{
	return list_empty(l) ? USEC_NEVER
			     : list_entry(l->next, struct attempt, by_deadline)->deadline;
}

/* The timer stands at the earliest head of the three lists. */
void attempts_arm(void)
{
	usec_t due = head_deadline(&front.logins), d, now;

	if ((d = head_deadline(&front.delays)) < due)
		due = d;
	if ((d = head_deadline(&front.lingers)) < due)
		due = d;
	if (due >= front.armed)
		return; /* it will look again when it fires */
	front.armed = due;
	ev_timer_stop(front.loop, &front.timer);
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
	if (list_empty(&front.dead))
		worker_defer(front.worker, &front.reaper);
	list_push_back(&front.dead, &a->by_deadline);
	front.stats.logins--;
}
struct login *attempt_give(struct attempt *a)
{
	struct login *l = a->login;

	ev_io_stop(front.loop, &a->io);
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
void attempt_run(struct attempt *a)
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
		n = recv(l->conn.fd, sink, 1, MSG_PEEK | MSG_DONTWAIT);
		if (n < 0 && errno == EAGAIN)
			return true;
		if (n == 1 && sink[0] == 0x16) {
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
	} while (a->state != ATTEMPT_LINGER && conn_has_pending(&l->conn));
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
	attempts_arm();
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
	attempts_arm();
}

void attempts_give_way(void)
{
	struct list *lists[] = {&front.lingers, &front.logins, &front.delays};

	for (size_t i = 0; i < ARRAY_LEN(lists); i++)
		if (!list_empty(lists[i])) {
			front.stats.timeouts += lists[i] == &front.logins;
			attempt_close(list_first(lists[i], struct attempt, by_deadline));
			return;
		}
}

static void on_reap(struct worker *w, struct mail *m)
{
	(void)w, (void)m;
	while (!list_empty(&front.dead)) {
		struct attempt *a = list_first(&front.dead, struct attempt, by_deadline);
		list_del(&a->by_deadline);
		attempt_free(a);
	}
}
/* --- the beginning and the end of all ---------------------------------------------------- */

uint64_t front_next_id(void)
{
	static atomic_uint_least64_t last;

	return atomic_fetch_add(&last, 1) + 1;
}

void attempt_new(int fd, const struct net_listener *from, const struct net_addr *peer)
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
	l->connected = front.worker->wall;
	l->in.cap = ATTEMPT_INPUT_MAX;
	a->began = front.worker->now;
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

void attempts_init(void)
{
	list_init(&front.logins);
	list_init(&front.delays);
	list_init(&front.lingers);
	list_init(&front.dead);
	ev_timer_init(&front.timer, on_deadline, 0., 0.);
	front.reaper.run = on_reap;
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

void attempts_end(void)
{
	refuse_all(&front.logins);
	refuse_all(&front.delays);
	refuse_all(&front.lingers);
	on_reap(front.worker, &front.reaper);
	ev_timer_stop(front.loop, &front.timer);
}
