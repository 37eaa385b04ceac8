/* SPDX-License-Identifier: ISC
 *
 * struct worker: see worker.h for what happens in one tick.
 */
#include "worker.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

static void run_mails(struct worker *w, struct list *mails)
{
	while (!list_empty(mails)) {
		struct mail *m = list_first(mails, struct mail, link);

		list_del(&m->link);
		m->run(w, m);
	}
}

/* Moves all of `from` behind `to`. */
static void splice(struct list *to, struct list *from)
{
	while (!list_empty(from)) {
		struct list *l = from->next;

		list_del(l);
		list_push_back(to, l);
	}
}

static void on_wake(struct ev_loop *loop, ev_async *a, int revents)
{
	struct worker *w = a->data;
	struct list mails;

	(void)loop;
	(void)revents;
	list_init(&mails);
	pthread_mutex_lock(&w->lock);
	splice(&mails, &w->inbox);
	pthread_mutex_unlock(&w->lock);
	run_mails(w, &mails);
}

static void fire_due(struct worker *w)
{
	struct timer *due;

	w->alarm_at = USEC_NEVER;
	/* Each once: one that is armed again for a moment that is over waits for the next tick. */
	for (uint32_t n = w->timers.len; n > 0 && (due = timers_pop(&w->timers, w->now)); n--)
		due->fire(due);
}

static void on_alarm(struct ev_loop *loop, ev_timer *t, int revents)
{
	(void)loop;
	(void)revents;
	fire_due(t->data);
}

static void on_fine(struct ev_loop *loop, ev_io *io, int revents)
{
	struct worker *w = io->data;
	uint64_t times;

	(void)loop;
	(void)revents;
	if (read(w->fine_fd, &times, sizeof times) > 0)
		fire_due(w);
}

/* libev's timers are as fine as epoll's timeouts, which are whole milliseconds: what is due within
 * this time a timer of the kernel's tells, which costs two system calls. */
#define FINE (2 * USEC_MSEC)

static bool set_fine(struct worker *w, usec_t at)
{
	struct itimerspec when = {
		.it_value = {(time_t)(at / USEC_SEC), (long)(at % USEC_SEC) * 1000}};

	if (w->fine_fd < 0) {
		w->fine_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
		if (w->fine_fd < 0)
			return false;
		ev_io_init(&w->fine, on_fine, w->fine_fd, EV_READ);
		w->fine.data = w;
		ev_io_start(w->loop, &w->fine);
	}
	return timerfd_settime(w->fine_fd, TFD_TIMER_ABSTIME, &when, NULL) == 0;
}

/* The end of a tick: what was put off, and the next deadline. */
static void end_tick(struct worker *w)
{
	usec_t next;

	if (UNLIKELY(!list_empty(&w->deferred)))
		run_mails(w, &w->deferred);
	next = timers_next(&w->timers);
	if (UNLIKELY(next < w->alarm_at)) {
		usec_t wait = next > w->now ? next - w->now : 0;

		w->alarm_at = next;
		ev_timer_stop(w->loop, &w->alarm);
		if (wait < FINE && wait > 0 && set_fine(w, next))
			return;
		/* A millisecond late rather than a tick too early. */
		ev_timer_set(&w->alarm, (double)wait / USEC_SEC + 0.0005, 0.);
		ev_timer_start(w->loop, &w->alarm);
	}
}

/* In place of libev's own step: the watchers of this tick, then its end.  A prepare watcher
 * would do the same for three times the instructions. */
static void on_pending(struct ev_loop *loop)
{
	struct worker *w = ev_userdata(loop);

	w->woke = ev_now(loop);
	ev_invoke_pending(loop);
	end_tick(w);
	if (w->guest)
		end_tick(w->guest);
}

/* Before the kernel waits.  libev has just looked at the clock, so that the length of a tick
 * costs nothing; only one that looks like a record is measured by a clock that cannot jump. */
static void on_sleep(struct ev_loop *loop) EV_NOEXCEPT
{
	struct worker *w = ev_userdata(loop);

	if (UNLIKELY((ev_now(loop) - w->woke) * USEC_SEC > (double)w->lag_max_usec)) {
		usec_t busy = clock_mono() - w->now;

		for (; w; w = w->guest)
			if (busy > w->lag_max_usec)
				__atomic_store_n(&w->lag_max_usec, busy, __ATOMIC_RELAXED);
	}
}

#define LAG_SPAN (30 * USEC_SEC)

/* Nobody who looks takes it from another who does: what is old goes by itself. */
static void age_lag(struct worker *w)
{
	usec_t age = w->now - w->lag_since;

	if (age < LAG_SPAN)
		return;
	w->lag_before = age < 2 * LAG_SPAN ? w->lag_max_usec : 0;
	w->lag_since = w->now;
	__atomic_store_n(&w->lag_max_usec, 0, __ATOMIC_RELAXED);
}

uint64_t worker_lag(const struct worker *w)
{
	return w->lag_max_usec > w->lag_before ? w->lag_max_usec : w->lag_before;
}

/* Right after it woke: the one clock reading of the tick. */
static void on_awake(struct ev_loop *loop) EV_NOEXCEPT
{
	struct worker *w = ev_userdata(loop);

	w->now = clock_mono();
	if (UNLIKELY(w->now >= w->compared + USEC_SEC)) {
		w->compared = w->now;
		w->wall_ahead = clock_wall() - w->now;
		age_lag(w);
		pace_look(&w->pace, w->now, w->index);
	}
	w->wall = w->now + w->wall_ahead;
	__atomic_store_n(&w->ticks, w->ticks + 1, __ATOMIC_RELAXED);
	if (w->guest) {
		w->guest->now = w->now;
		w->guest->wall = w->wall;
		if (UNLIKELY(w->compared == w->now))
			age_lag(w->guest);
		__atomic_store_n(&w->guest->ticks, w->ticks, __ATOMIC_RELAXED);
	}
}

/* What each has, on a loop of its own or not. */
static void set_up(struct worker *w, int index, struct ev_loop *loop)
{
	memset(w, 0, sizeof *w);
	w->index = index;
	w->loop = loop;
	w->now = w->compared = w->lag_since = clock_mono();
	w->wall = clock_wall();
	w->wall_ahead = w->wall - w->now;
	w->woke = ev_now(w->loop);
	w->alarm_at = USEC_NEVER;
	w->fine_fd = w->pace.fd = -1;
	w->buffer = mem_alloc(WORKER_MARGIN + WORKER_BUFFER);
	pthread_mutex_init(&w->lock, NULL);
	list_init(&w->inbox);
	list_init(&w->deferred);
	ev_async_init(&w->wake, on_wake);
	ev_timer_init(&w->alarm, on_alarm, 0., 0.);
	w->wake.data = w->alarm.data = w;
	ev_async_start(w->loop, &w->wake);
}

/* libev has no call for its epoll descriptor, but a new one gets the lowest free number.  Asked to
 * take out what is not in it, an epoll descriptor says ENOENT, another one EINVAL. */
static struct ev_loop *new_loop(int *epoll_fd)
{
	int probe = eventfd(0, EFD_CLOEXEC), lowest = dup(probe);
	struct ev_loop *loop;
	struct epoll_event none = {0};

	close(lowest);
	loop = ev_loop_new(EVBACKEND_EPOLL | EVFLAG_NOENV);
	*epoll_fd = loop && epoll_ctl(lowest, EPOLL_CTL_DEL, probe, &none) < 0 && errno == ENOENT
			    ? lowest
			    : -1;
	close(probe);
	return loop;
}

void worker_init(struct worker *w, int index)
{
	int epoll_fd;
	struct ev_loop *loop = new_loop(&epoll_fd);

	if (!loop)
		log_die(LOG_PART_MAIN, "cannot make an event loop (epoll): out of descriptors?");
	set_up(w, index, loop);
	w->epoll_fd = epoll_fd;
	ev_set_userdata(loop, w);
	ev_set_invoke_pending_cb(loop, on_pending);
	ev_set_loop_release_cb(loop, on_sleep, on_awake);
}

void worker_share(struct worker *w, int index, struct worker *host)
{
	set_up(w, index, host->loop);
	w->epoll_fd = host->epoll_fd;
	w->host = host;
	host->guest = w;
}

void worker_finish(struct worker *w)
{
	on_wake(w->loop, &w->wake, 0);
	run_mails(w, &w->deferred);
}

/* On its own thread, to its end. */
static void run(struct worker *w)
{
	pace_begin(&w->pace, w->now);
	while (!w->stop)
		ev_run(w->loop, 0);
	run_mails(w, &w->deferred);
	pace_end(&w->pace);
}

void worker_run(struct worker *w)
{
	w->thread = pthread_self();
	run(w);
}

static void *thread_main(void *arg)
{
	run(arg);
	return NULL;
}

void worker_start(struct worker *w, const char *name)
{
	int err = pthread_create(&w->thread, NULL, thread_main, w);

	if (err)
		log_die(LOG_PART_MAIN, "cannot start thread %s: %s", name, strerror(err));
	pthread_setname_np(w->thread, name);
}

void worker_stop(struct worker *w)
{
	w->stop = true;
	ev_break(w->loop, EVBREAK_ALL);
}

void worker_release(struct worker *w)
{
	worker_finish(w); /* mails that came too late still own memory */
	if (w->fine_fd >= 0)
		close(w->fine_fd);
	if (!w->host)
		ev_loop_destroy(w->loop);
	timers_release(&w->timers);
	buf_free(&w->scratch);
	free(w->buffer);
	pthread_mutex_destroy(&w->lock);
}

void worker_post(struct worker *w, struct mail *m)
{
	bool first;

	pthread_mutex_lock(&w->lock);
	first = list_empty(&w->inbox);
	list_push_back(&w->inbox, &m->link);
	pthread_mutex_unlock(&w->lock);
	if (first)
		ev_async_send(w->loop, &w->wake);
}

void worker_hand(struct worker *w, struct mail *m)
{
	bool first;

	pthread_mutex_lock(&w->lock);
	first = list_empty(&w->inbox);
	if (!first)
		list_push_back(&w->inbox, &m->link);
	pthread_mutex_unlock(&w->lock);
	if (first)
		m->run(w, m);
}

void worker_forget(struct worker *w, int fd)
{
	struct epoll_event none = {0};

	if (w->epoll_fd >= 0)
		epoll_ctl(w->epoll_fd, EPOLL_CTL_DEL, fd, &none); /* ENOENT: it was not in it yet */
}

void worker_defer(struct worker *w, struct mail *m)
{
	list_push_back(&w->deferred, &m->link);
}
