/* SPDX-License-Identifier: ISC
 *
 * BEGIN, answered before there is a server connection (deferred_begin): many a transaction
 * begins long before its first statement comes.
 */
#include "session_meaning.h"
#include "session_message.h"

/* Stands behind a BEGIN whose transaction has failed before any server saw it: the server that
 * comes to know of it fails it too. */
#define FAILED "\n;rollback to \"cancelled while waiting for a connection\""

char begin_status(const struct client *c)
{
	if (LIKELY(!c->begin))
		return 'I';
	return strstr(c->begin, FAILED) ? 'E' : 'T';
}

void begin_fail(struct client *c)
{
	char *text;

	if (begin_status(c) != 'T')
		return;
	text = mem_printf("%s" FAILED, c->begin);
	free(c->begin);
	c->begin = text;
}

/* What counts a statement that no server has seen. */
static void count_answered(struct client *c, const struct buf *answer)
{
	struct stats *st = &c->lane->stats;

	stats_add(&st->query_count, 1);
	stats_add(&st->bytes_sent, answer->len);
}

static bool defer_begin(struct client *c, const char *p, size_t size)
{
	struct buf b = {0};
	const char *tag;

	if (!c->lane->set.deferred_begin || c->begin || c->lane->set.mode == POOL_MODE_SESSION ||
		c->lane->set.mode == POOL_MODE_STATEMENT || p[0] != 'Q' || size > 128 ||
		size < WIRE_HEADER + 6)
		return false;
	if (!(wire_text_effects(p + WIRE_HEADER, size - WIRE_HEADER) & TEXT_BEGIN))
		return false;
	c->begin = mem_strndup(p + WIRE_HEADER, size - WIRE_HEADER);
	tag = strcasestr(c->begin, "start") ? "START TRANSACTION" : "BEGIN";
	trace_answered(c, c->begin, tag);
	wire_put_complete(&b, tag);
	wire_put_ready(&b, 'T');
	c->xact_since = c->waiter.since = c->lane->relay->w.now;
	client_arm(c);
	count_answered(c, &b);
	client_send(c, b.data, b.len);
	buf_free(&b);
	return true;
}

/* The same by the extended protocol: an unnamed Parse, Bind, perhaps Describe, Execute and
 * Sync, and nothing else.  Answers the bytes dealt with, or 0. */
static size_t defer_begin_extended(struct client *c, const char *p, size_t n)
{
	const struct pool_settings *set = &c->lane->set;
	size_t size = wire_message_size(p), at = size;
	bool described = false;
	struct buf b = {0};
	const char *text = p + WIRE_HEADER + 1, *tag;

	if (!set->deferred_begin || c->begin || !message_renames(c) ||
		set->mode == POOL_MODE_STATEMENT || p[0] != 'P' || size < WIRE_HEADER + 9 ||
		size > 128 || size > n || p[WIRE_HEADER] ||
		!memchr(text, 0, size - WIRE_HEADER - 1))
		return 0;
	if (!(wire_text_effects(text, strlen(text)) & TEXT_BEGIN) ||
		text + strlen(text) + 3 != p + size)
		return 0;
	/* Bind: unnamed to unnamed, no parameters */
	if (n - at < 13 || p[at] != 'B' || memcmp(p + at + WIRE_HEADER, "\0\0\0\0", 4) != 0 ||
		wire_message_size(p + at) < 13 || wire_message_size(p + at) > 15 ||
		n - at < wire_message_size(p + at) || wire_u16(p + at + 9) != 0)
		return 0;
	at += wire_message_size(p + at);
	if (n - at >= 7 && memcmp(p + at, "D\0\0\0\6P", 7) == 0) {
		described = true;
		at += 7;
	}
	if (n - at < 15 || p[at] != 'E' || wire_message_size(p + at) != 10 || p[at + 5] ||
		memcmp(p + at + 10, "S\0\0\0\4", 5) != 0)
		return 0;
	at += 15;
	prepared_drop(&c->lane->relay->prepared, &c->unnamed);
	c->unnamed = prepared_intern(&c->lane->relay->prepared, text, size - WIRE_HEADER - 1,
		meaning_usual(c));
	c->begin = mem_strdup(text);
	tag = strcasestr(text, "start") ? "START TRANSACTION" : "BEGIN";
	c->xact_since = c->waiter.since = c->lane->relay->w.now;
	client_arm(c);
	trace_answered(c, c->begin, tag);
	wire_put_bare(&b, '1');
	wire_put_bare(&b, '2');
	if (described)
		wire_put_bare(&b, 'n');
	wire_put_complete(&b, tag);
	wire_put_ready(&b, 'T');
	count_answered(c, &b);
	client_send(c, b.data, b.len);
	buf_free(&b);
	return at;
}

size_t begin_defer(struct client *c, const char *p, size_t n)
{
	size_t size = wire_message_size(p);

	if (p[0] == 'Q')
		return n >= size && defer_begin(c, p, size) ? size : 0;
	return p[0] == 'P' ? defer_begin_extended(c, p, n) : 0;
}

bool begin_send(struct message *m)
{
	struct client *c = m->c;

	if (!message_push(m, ENTRY_QUERY, ENTRY_OURS, OUR_BEGIN))
		return false;
	wire_put_query(gather_insert(&m->g), c->begin);
	free(c->begin);
	c->begin = NULL;
	prepared_drop(&c->lane->relay->prepared, &m->s->unnamed);
	return true;
}
