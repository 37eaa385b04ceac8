/* SPDX-License-Identifier: ISC
 *
 * worker: a thread with an event loop, its mailbox and its deadlines; and the helper
 * threads for what blocks.
 *
 *   worker.c         struct worker: loop, clock, mailbox, timers, end of the tick
 *   worker_pace.c    how it gets its CPU where all are busy
 *   worker_helper.c  struct helpers: threads that run blocking jobs
 *
 * One tick: the loop sleeps, wakes, reads the clock once (worker->now), runs the mails and
 * the watchers, fires the due timers, and at its end runs what was put off (worker_defer):
 * memory that watchers of the same tick may still point to is freed there.
 *
 * A worker's data belongs to its thread.  Others reach it only by mail.  Two workers may share one
 * thread and loop (worker_share): each keeps its own mailbox and deadlines.
 */
#ifndef POOLER_WORKER_H
#define POOLER_WORKER_H

#include "base.h"
#include "worker_pace.h"

#include <ev.h>
#include <pthread.h>
#include <stdatomic.h>

/* One read buffer for all connections of a loop. */
#define WORKER_BUFFER (64U * 1024)
/* Room before it, for the end of an earlier read. */
#define WORKER_MARGIN (4U * 1024)

struct worker;

/* Something to be done on the thread of a worker.  Usually embedded in what it is about;
 * `run` may free it. */
struct mail {
	struct list link;
	void (*run)(struct worker *w, struct mail *m);
};

struct worker {
	int index; /* 0…; -1: the front */
	pthread_t thread;
	struct ev_loop *loop;
	usec_t now;  /* monotonic, read once a tick */
	usec_t wall; /* wall clock of the same moment */
	struct timers timers;
	char *buffer;	    /* WORKER_MARGIN + WORKER_BUFFER bytes */
	struct buf scratch; /* for messages that are put together; empty between callbacks */

	/* how busy it is, for SHOW WORKERS; read by others */
	uint64_t ticks;
	uint64_t lag_max_usec; /* longest tick of this half minute; see worker_lag() */
	uint64_t lag_before;   /* and of the one before */
	usec_t lag_since;      /* when this one began */

	/* inner */
	int epoll_fd; /* what the loop waits on; -1: not found */
	ev_async wake;
	ev_timer alarm;
	ev_io fine; /* a timerfd, for deadlines that are nearer than libev's timers are fine */
	int fine_fd;
	usec_t alarm_at;
	usec_t compared;   /* when the two clocks were last read together */
	usec_t wall_ahead; /* wall - now, then */
	ev_tstamp woke;	   /* libev's clock at the beginning of the tick */
	pthread_mutex_t lock;
	struct list inbox;    /* of struct mail; under lock */
	struct list deferred; /* of struct mail: run at the end of the tick */
	bool stop;
	struct pace pace;
	struct worker *host, *guest; /* whose loop it shares; who shares its loop */
};

/* worker_init makes the loop (while no other thread opens descriptors); worker_start runs it on a
 * thread of its own, worker_run on the caller's until worker_stop() is called (on that thread, e.g.
 * by mail). */
void worker_init(struct worker *w, int index);
/* Instead of worker_init and worker_start: w lives on the thread of `host`, which has one guest at
 * most.  After worker_run(host), worker_finish(w) runs what still waits in its mailbox. */
void worker_share(struct worker *w, int index, struct worker *host);
void worker_finish(struct worker *w);
void worker_start(struct worker *w, const char *name);
void worker_run(struct worker *w);
void worker_stop(struct worker *w);
void worker_release(struct worker *w); /* after its thread was joined */

/* Any thread: has m->run(w, m) called on w's thread, in order of posting. */
void worker_post(struct worker *w, struct mail *m);
/* w's thread, not under a mail of w's: at once, unless other mails are before it. */
void worker_hand(struct worker *w, struct mail *m);
/* w's thread: another thread goes on with this descriptor, whose watchers here are stopped.  libev
 * leaves it in the kernel's set, on the assumption that it will be closed soon: each of its next
 * bytes would wake this loop once more. */
void worker_forget(struct worker *w, int fd);
/* w's thread: its longest tick of the last 30 to 60 seconds, in microseconds: for so long
 * something that was ready had to wait. */
uint64_t worker_lag(const struct worker *w);
/* w's thread: at the end of this tick. */
void worker_defer(struct worker *w, struct mail *m);

/* --- helpers ---------------------------------------------------------------- */

/* A blocking piece of work.  `work` runs on a helper thread; then `mail` is posted to
 * `reply` (unless NULL: then work frees the job itself). */
struct job {
	struct list link;
	void (*work)(struct job *j);
	struct worker *reply;
	struct mail mail;
};

/* Threads are started when there are jobs and none is free, up to `max`, and leave when they had
 * nothing to do for ten seconds; but for one, so that jobs are done, if slowly, also when the
 * system gives no more threads. */
struct helpers {
	pthread_mutex_t lock;
	pthread_cond_t more, gone;
	struct list jobs;
	const char *name;
	int threads, idle, max, queued;
	bool stop;
};

void helpers_init(struct helpers *h, const char *name, int max);
void helpers_set_max(struct helpers *h, int max);
void helpers_submit(struct helpers *h, struct job *j);
int helpers_queued(struct helpers *h); /* jobs that did not start */
/* Waits for the jobs that run; those that did not start are dropped (their mail never
 * comes).  A job that blocks for long delays this. */
void helpers_release(struct helpers *h);

#endif
