/* SPDX-License-Identifier: ISC
 *
 * What a server connection has prepared, by the numbers that our names for it are made of, latest
 * used first; and how that goes with the connection to another relay, whose texts are other
 * objects.
 */
#include "session.h"

struct held {
	struct list use; /* front: most recently used */
	struct held *next;
	struct prepared *p;
	uint32_t batch; /* server->batch in which its Parse was sent */
	bool pending;	/* and that has not been answered */
};

#define HELD_SLOTS 64

struct server_statements {
	size_t count;
	struct list use;
	struct held *slot[HELD_SLOTS];
};

/* By the part of the number that an entry of the ledger has room for. */
static struct held **held_at(struct server_statements *m, uint64_t number)
{
	struct held **at = &m->slot[number % HELD_SLOTS];

	while (*at && (uint32_t)(*at)->p->number != (uint32_t)number)
		at = &(*at)->next;
	return at;
}

bool server_statement_has(struct server *s, const struct prepared *p)
{
	struct held *h;

	if (!s->statements || !(h = *held_at(s->statements, p->number)))
		return false;
	if (UNLIKELY(h->pending) && h->batch != s->batch)
		return false; /* in its own batch it fails together with what needs it */
	if (s->statements->use.next != &h->use) {
		list_del(&h->use);
		list_push_front(&s->statements->use, &h->use);
	}
	return true;
}

bool server_statement_is_pending(const struct server *s, const struct prepared *p)
{
	const struct held *h = s->statements ? *held_at(s->statements, p->number) : NULL;

	return h && h->pending && h->batch != s->batch;
}

struct prepared *server_statement_find(const struct server *s, uint64_t number)
{
	struct held *h = s->statements ? *held_at(s->statements, number) : NULL;

	return h ? h->p : NULL;
}

void server_statement_put(struct server *s, struct prepared *p)
{
	struct held **at, *h;

	if (!s->statements) {
		s->statements = mem_zalloc(sizeof *s->statements);
		list_init(&s->statements->use);
	}
	at = held_at(s->statements, p->number);
	if (*at)
		return;
	h = mem_zalloc(sizeof *h);
	h->p = p;
	h->batch = s->batch;
	h->pending = true;
	p->refs++;
	*at = h;
	list_push_front(&s->statements->use, &h->use);
	s->statements->count++;
}

void server_statement_accepted(struct server *s, uint64_t number)
{
	struct held *h = s->statements ? *held_at(s->statements, number) : NULL;

	if ((uint32_t)number == (uint32_t)s->awaited)
		s->awaited = 0;
	if (!h)
		return;
	h->pending = false;
	h->p->valid = s->lane;
}

static struct prepared *held_take(struct server_statements *m, struct held **at)
{
	struct held *h = *at;
	struct prepared *p = h->p;

	*at = h->next;
	list_del(&h->use);
	m->count--;
	free(h);
	return p;
}

bool server_statement_remove(struct server *s, uint64_t number)
{
	struct held **at;
	struct prepared *p;

	if ((uint32_t)number == (uint32_t)s->awaited)
		s->awaited = 0;
	if (!s->statements || !*(at = held_at(s->statements, number)))
		return false;
	p = held_take(s->statements, at);
	prepared_drop(&s->lane->relay->prepared, &p);
	return true;
}

struct prepared *server_statement_evict(struct server *s, size_t max)
{
	struct held *last;

	if (!s->statements || s->statements->count <= max)
		return NULL;
	last = list_last(&s->statements->use, struct held, use);
	return held_take(s->statements, held_at(s->statements, last->p->number));
}

size_t server_statement_count(const struct server *s)
{
	return s->statements ? s->statements->count : 0;
}

void server_statements_clear(struct server *s)
{
	struct prepared *p;

	if (!s->statements)
		return;
	while ((p = server_statement_evict(s, 0)))
		prepared_drop(&s->lane->relay->prepared, &p);
	free(s->statements);
	s->statements = NULL;
}

/* --- on its way to another relay -------------------------------------------------- */

/* One statement; its text follows. */
struct packed {
	uint64_t number; /* 0: the unnamed one */
	uint64_t meaning, columns;
	size_t len;
};

static void pack(struct buf *b, const struct prepared *p, uint64_t number)
{
	struct packed head = {number, p->meaning, p->columns, p->body_len};

	buf_put(b, &head, sizeof head);
	buf_put(b, p->body, p->body_len);
}

void server_statements_pack(struct server *s, struct buf *b)
{
	struct server_statements *m = s->statements;

	for (struct list *l = m ? m->use.prev : NULL; l && l != &m->use; l = l->prev) {
		const struct prepared *p = list_entry(l, struct held, use)->p;

		pack(b, p, p->number);
	}
	if (s->unnamed)
		pack(b, s->unnamed, 0);
	server_statements_clear(s);
	prepared_drop(&s->lane->relay->prepared, &s->unnamed);
}

void server_statements_unpack(struct server *s, const struct buf *b)
{
	struct prepared_table *t = &s->lane->relay->prepared;
	const char *at = b->data, *end = b->data + b->len;
	struct packed head;

	for (; at < end; at += head.len) {
		struct prepared *p;

		memcpy(&head, at, sizeof head);
		at += sizeof head;
		p = prepared_intern(t, at, head.len, head.meaning);
		if (head.number == 0) {
			s->unnamed = p;
			continue;
		}
		if (p->number != head.number) {
			s->foreign_names = true; /* one of the relays has renewed it */
		} else if (p->columns && p->columns != head.columns) {
			s->stale_names = true; /* clients here were told other columns */
		} else {
			server_statement_put(s, p);
			server_statement_accepted(s, head.number);
		}
		prepared_drop(t, &p);
	}
	if (s->foreign_names) /* everything is deallocated before the next client's request */
		server_statements_clear(s);
}
