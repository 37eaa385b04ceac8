/* SPDX-License-Identifier: ISC
 *
 * struct collection: asks every relay for what it knows, without a lock.  Each relay's
 * thread appends to a buffer of its own; when the last has answered, the front goes on.
 */
#include "session.h"

struct collection_part {
	struct collection *whole;
	struct buf *into;
};

static void on_done(struct worker *w, struct mail *m)
{
	struct collection *c = CONTAINER_OF(m, struct collection, mail);

	(void)w;
	c->done(c);
	for (int i = 0; i < c->n; i++)
		buf_free(&c->parts[i]);
	free(c->parts);
	free(c);
}

static void run_part(struct relay *r, void *arg)
{
	struct collection_part *p = arg;
	struct collection *c = p->whole;

	c->gather(r, p->into, c->arg);
	free(p);
	if (atomic_fetch_sub(&c->left, 1) == 1)
		worker_post(&hub.front, &c->mail);
}

void hub_collect(void (*gather)(struct relay *r, struct buf *into, void *arg),
	void (*done)(struct collection *c), void *arg)
{
	struct collection *c = mem_zalloc(sizeof *c);

	c->gather = gather;
	c->done = done;
	c->arg = arg;
	c->n = hub.n_relays;
	c->parts = mem_zalloc((size_t)c->n * sizeof *c->parts);
	c->mail.run = on_done;
	atomic_init(&c->left, c->n);
	for (int i = 0; i < c->n; i++) {
		struct collection_part *p = mem_zalloc(sizeof *p);

		p->whole = c;
		p->into = &c->parts[i];
		hub_order(i, run_part, p);
	}
}
