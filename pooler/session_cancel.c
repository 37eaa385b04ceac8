/* SPDX-License-Identifier: ISC
 *
 * Cancel requests.  PQcancel blocks for milliseconds (the postmaster forks), so a helper
 * thread calls it.  While one is under way its server is not lent to anybody else: the
 * signal has been sent when PQcancel returns, so a later statement cannot be hit by it.
 */
#include "session.h"

struct cancel {
	struct job job;
	struct server *server; /* stays allocated while server->cancels > 0 */
	PGcancel *request;
	struct conn asker; /* closed when the cancel is through, as PostgreSQL does */
	char error[256];
};

static void work(struct job *j)
{
	struct cancel *c = CONTAINER_OF(j, struct cancel, job);

	if (!PQcancel(c->request, c->error, sizeof c->error))
		log_line(LOG_PART_SESSION, LOG_LEVEL_WARNING, "cancel request failed: %s",
			c->error);
	PQfreeCancel(c->request);
	conn_close(&c->asker);
}

static void done(struct worker *w, struct mail *m)
{
	struct cancel *c = CONTAINER_OF(CONTAINER_OF(m, struct job, mail), struct cancel, job);
	struct server *s = c->server;

	(void)w;
	s->cancels--;
	free(c);
	if (s->closed)
		server_reap(s);
	else
		server_settle(s);
}

void cancel_server(struct server *s, struct conn *asker)
{
	struct cancel *c;
	PGcancel *request = s->closed ? NULL : PQgetCancel(s->pg);

	if (!request) {
		if (asker)
			conn_close(asker);
		return;
	}
	c = mem_zalloc(sizeof *c);
	c->server = s;
	c->request = request;
	c->asker.fd = -1;
	if (asker) {
		c->asker = *asker;
		asker->fd = -1;
		asker->ssl = NULL;
	}
	s->cancels++;
	c->job.work = work;
	c->job.reply = &s->lane->relay->w;
	c->job.mail.run = done;
	helpers_submit(&hub.cancellers, &c->job);
}
