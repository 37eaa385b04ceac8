/* SPDX-License-Identifier: ISC
 *
 * Helper threads for jobs that block: dialling a server, sending a cancel request.
 */
#include "worker.h"

#include "auth.h"

#include <errno.h>
#include <time.h>

#define IDLE_SECONDS 10

/* The next job, or NULL when this thread should leave.  The lock is held. */
static struct job *next_job(struct helpers *h)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += IDLE_SECONDS;
	while (list_empty(&h->jobs)) {
		int err;

		if (h->stop || h->threads > h->max)
			return NULL;
		h->idle++;
		err = h->threads > 1 ? pthread_cond_timedwait(&h->more, &h->lock, &until)
				     : pthread_cond_wait(&h->more, &h->lock);
		h->idle--;
		if (err == ETIMEDOUT && list_empty(&h->jobs) && h->threads > 1)
			return NULL;
	}
	return list_first(&h->jobs, struct job, link);
}

static void *helper_main(void *arg)
{
	struct helpers *h = arg;
	struct job *j;

	pthread_mutex_lock(&h->lock);
	while (!h->stop && (j = next_job(h))) {
		struct worker *reply = j->reply;

		list_del(&j->link);
		h->queued--;
		pthread_mutex_unlock(&h->lock);
		j->work(j);
		if (reply)
			worker_post(reply, &j->mail);
		pthread_mutex_lock(&h->lock);
	}
	if (h->stop) {
		/* The process may end as soon as we are counted out: OpenSSL's part first. */
		pthread_mutex_unlock(&h->lock);
		secret_thread_end();
		pthread_mutex_lock(&h->lock);
	}
	h->threads--;
	pthread_cond_broadcast(&h->gone);
	pthread_mutex_unlock(&h->lock);
	return NULL;
}

/* It is counted already.  Answers 0 or an error. */
static int start_thread(struct helpers *h)
{
	pthread_attr_t attr;
	pthread_t thread;
	int err;

	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	err = pthread_create(&thread, &attr, helper_main, h);
	if (!err)
		pthread_setname_np(thread, h->name);
	pthread_attr_destroy(&attr);
	return err;
}

void helpers_init(struct helpers *h, const char *name, int max)
{
	int err;

	memset(h, 0, sizeof *h);
	pthread_mutex_init(&h->lock, NULL);
	pthread_cond_init(&h->more, NULL);
	pthread_cond_init(&h->gone, NULL);
	list_init(&h->jobs);
	h->name = name;
	h->max = max;
	h->threads = 1;
	err = start_thread(h);
	if (err)
		log_die(LOG_PART_MAIN, "cannot start thread %s: %s", name, strerror(err));
}

void helpers_set_max(struct helpers *h, int max)
{
	pthread_mutex_lock(&h->lock);
	h->max = max;
	pthread_cond_broadcast(&h->more);
	pthread_mutex_unlock(&h->lock);
}

void helpers_submit(struct helpers *h, struct job *j)
{
	bool start;
	int err;

	pthread_mutex_lock(&h->lock);
	list_push_back(&h->jobs, &j->link);
	h->queued++;
	start = h->queued > h->idle && h->threads < h->max;
	if (start)
		h->threads++;
	pthread_cond_signal(&h->more);
	pthread_mutex_unlock(&h->lock);
	err = start ? start_thread(h) : 0;
	if (!err)
		return;
	log_line(LOG_PART_MAIN, LOG_LEVEL_ERROR,
		"cannot start one more thread %s: %s; those that run do its work", h->name,
		strerror(err));
	pthread_mutex_lock(&h->lock);
	h->threads--;
	pthread_mutex_unlock(&h->lock);
}

int helpers_queued(struct helpers *h)
{
	int queued;

	pthread_mutex_lock(&h->lock);
	queued = h->queued;
	pthread_mutex_unlock(&h->lock);
	return queued;
}

void helpers_release(struct helpers *h)
{
	pthread_mutex_lock(&h->lock);
	h->stop = true;
	pthread_cond_broadcast(&h->more);
	while (h->threads > 0)
		pthread_cond_wait(&h->gone, &h->lock);
	pthread_mutex_unlock(&h->lock);
	pthread_mutex_destroy(&h->lock);
}
