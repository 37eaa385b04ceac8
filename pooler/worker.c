/* SPDX-License-Identifier: ISC
 *
 * struct worker: see worker.h for what happens in one tick.
 */
#include "worker.h"

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

static void on_alarm(struct ev_loop *loop, ev_timer *t, int revents)
{
	struct worker *w = t->data;
	struct timer *due;

	(void)loop;
	(void)revents;
	w->alarm_at = USEC_NEVER;
	/* Each once: one that is armed again for a moment that is over waits for the next tick. */
	for (uint32_t n = w->timers.len; n > 0 && (due = timers_pop(&w->timers, w->now)); n--)
		due->fire(due);
}

/* Before the loop sleeps: what was put off, and the next deadline. */
static void on_before(struct ev_loop *loop, ev_prepare *p, int revents)
{
	struct worker *w = p->data;
	usec_t next, busy = clock_mono() - w->now;

	(void)revents;
	if (busy > w->lag_max_usec)
		__atomic_store_n(&w->lag_max_usec, busy, __ATOMIC_RELAXED);
	run_mails(w, &w->deferred);
	next = timers_next(&w->timers);
	if (next < w->alarm_at) {
		usec_t wait = next > w->now ? next - w->now : 0;

		w->alarm_at = next;
		ev_timer_stop(loop, &w->alarm);
		/* A millisecond late rather than a tick too early. */
		ev_timer_set(&w->alarm, (double)wait / USEC_SEC + 0.0005, 0.);
		ev_timer_start(loop, &w->alarm);
	}
}

/* Right after it woke: the one clock reading of the tick. */
static void on_after(struct ev_loop *loop, ev_check *c, int revents)
{
	struct worker *w = c->data;

	(void)revents;
	w->now = clock_mono();
	w->wall = (usec_t)(ev_now(loop) * 1e6);
	__atomic_store_n(&w->ticks, w->ticks + 1, __ATOMIC_RELAXED);
}

void worker_init(struct worker *w, int index)
{
	memset(w, 0, sizeof *w);
	w->index = index;
	w->loop = ev_loop_new(EVBACKEND_EPOLL | EVFLAG_NOENV);
	if (!w->loop)
		log_die(LOG_PART_MAIN, "cannot make an event loop (epoll): out of descriptors?");
	w->now = clock_mono();
	w->wall = clock_wall();
	w->alarm_at = USEC_NEVER;
	w->buffer = mem_alloc(WORKER_MARGIN + WORKER_BUFFER);
	pthread_mutex_init(&w->lock, NULL);
	list_init(&w->inbox);
	list_init(&w->deferred);
	ev_async_init(&w->wake, on_wake);
	ev_prepare_init(&w->before, on_before);
	ev_check_init(&w->after, on_after);
	ev_timer_init(&w->alarm, on_alarm, 0., 0.);
	ev_set_priority(&w->after, EV_MAXPRI);
	w->wake.data = w->before.data = w->after.data = w->alarm.data = w;
	ev_async_start(w->loop, &w->wake);
	ev_prepare_start(w->loop, &w->before);
	ev_check_start(w->loop, &w->after);
}

void worker_run(struct worker *w)
{
	w->thread = pthread_self();
	while (!w->stop)
		ev_run(w->loop, EVRUN_ONCE);
	run_mails(w, &w->deferred);
}

static void *thread_main(void *arg)
{
	struct worker *w = arg;

	while (!w->stop)
		ev_run(w->loop, EVRUN_ONCE);
	run_mails(w, &w->deferred);
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
	on_wake(w->loop, &w->wake, 0); /* mails that came too late still own memory */
	run_mails(w, &w->deferred);
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

void worker_defer(struct worker *w, struct mail *m)
{
	list_push_back(&w->deferred, &m->link);
}
