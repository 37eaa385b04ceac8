/* SPDX-License-Identifier: ISC
 *
 * Questions to the helper thread: what a login must know and what takes time (auth_query, PAM,
 * names, deriving SCRAM keys).  The same question is asked once, however many logins wait for it.
 */
#include "session_front.h"

/* Something that the helper thread was asked, and who waits for the answer. */
struct question {
	struct list link, waiters;
	char *key;
};

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
	attempts_arm();
}
/* Begins to derive the keys of the list's plain secrets, where clients may be asked for SCRAM. */
void questions_derive(void)
{
	enum auth_type type = front.rules->conf->p.auth_type;

	front.next_derived = 0;
	if (type == AUTH_TYPE_SCRAM_SHA_256 || type == AUTH_TYPE_HBA)
		derive_next();
}

void questions_init(void)
{
	for (size_t i = 0; i < ARRAY_LEN(front.questions); i++)
		list_init(&front.questions[i]);
	ev_async_init(&front.helped, on_helped);
	ev_async_start(front.loop, &front.helped);
}

void questions_end(void)
{
	struct auth_job *job = NULL;

	ev_async_stop(front.loop, &front.helped);
	if (front.helper)
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
