/* SPDX-License-Identifier: ISC
 *
 * The ledger: see wire_ledger.h for what an entry expects and for the exceptions that PostgreSQL
 * makes (skipping after an error, Sync inside COPY IN).
 */
#include "wire_ledger.h"

static struct entry *entry_at(const struct ledger *l, uint32_t i)
{
	return &l->ring[(l->head + i) & (l->size - 1)];
}

void ledger_init(struct ledger *l)
{
	memset(l, 0, sizeof *l);
	l->ring = l->small;
	l->size = ARRAY_LEN(l->small);
	l->state.status = 'I';
}

void ledger_release(struct ledger *l)
{
	if (l->ring != l->small)
		free(l->ring);
	l->ring = l->small;
}

static bool grow(struct ledger *l)
{
	struct entry *ring;

	if (l->size >= LEDGER_MAX)
		return false;
	ring = mem_alloc(l->size * 2 * sizeof *ring);
	for (uint32_t i = 0; i < l->len; i++)
		ring[i] = *entry_at(l, i);
	if (l->ring != l->small)
		free(l->ring);
	l->ring = ring;
	l->head = 0;
	l->size *= 2;
	return true;
}

/* COPY_END expects nothing, so it leaves as soon as it is at the head. */
static void drop_copy_ends(struct ledger *l)
{
	while (l->len && entry_at(l, 0)->kind == ENTRY_COPY_END)
		ledger_pop(l);
}

static bool ends_transaction(uint8_t kind)
{
	return kind == ENTRY_SYNC || kind == ENTRY_QUERY || kind == ENTRY_FUNCTION;
}

bool ledger_awaits_end(const struct ledger *l)
{
	for (uint32_t i = 0; i < l->len; i++)
		if (ends_transaction(ledger_at(l, i)->kind))
			return true;
	return false;
}

bool ledger_push_slow(struct ledger *l, enum entry_kind kind, unsigned flags, uint32_t tag)
{
	struct entry *e;

	if (kind == ENTRY_COPY_END) {
		/* Outside of a copy the server ignores it too; before CopyInResponse has
		 * arrived it marks where the copy will have ended. */
		if (l->state.copying_in) {
			l->state.copying_in = false;
			return true;
		}
		if (l->len == 0 || l->state.skipping)
			return true;
	} else if (l->state.copying_in && kind == ENTRY_SYNC) {
		l->state.copied_in = true; /* ignored by the server */
		return true;
	} else if (l->state.copying_in && !(flags & ENTRY_LOCAL)) {
		l->state.ambiguous = true; /* see enter_copy_in() */
	}
	if (ends_transaction((uint8_t)kind)) {
		if (!l->state.skipping || kind == ENTRY_SYNC)
			l->state.unsynced = false;
	} else if (kind >= ENTRY_PARSE && kind <= ENTRY_CLOSE && !(flags & ENTRY_LOCAL)) {
		l->state.unsynced = true;
	}
	if (l->state.skipping && kind != ENTRY_SYNC)
		return true;
	if (kind == ENTRY_SYNC)
		l->state.skipping = false; /* what comes after it is read again */
	if (l->len == l->size && !grow(l))
		return false;
	e = entry_at(l, l->len++);
	e->kind = (uint8_t)kind;
	e->flags = (uint8_t)flags;
	e->note = 0;
	e->tag = tag;
	return true;
}

bool ledger_take_local(struct ledger *l, struct entry *e)
{
	if (l->len == 0 || !(entry_at(l, 0)->flags & ENTRY_LOCAL))
		return false;
	*e = *entry_at(l, 0);
	ledger_pop(l);
	drop_copy_ends(l);
	return true;
}

/* The server has failed an extended message: everything up to Sync is skipped. */
static void skip_to_sync(struct ledger *l, void (*dropped)(void *, const struct entry *), void *ctx)
{
	uint32_t n = 0;

	while (n < l->len && entry_at(l, n)->kind != ENTRY_SYNC)
		n++;
	/* backwards, so that what one has undone the one before it finds as it left it */
	for (uint32_t i = n; dropped && i > 0; i--)
		dropped(ctx, entry_at(l, i - 1));
	while (n-- > 0)
		ledger_pop(l);
	if (l->len == 0)
		l->state.skipping = true;
}

/* CopyInResponse: Syncs that were sent before the end of the copy will be ignored. */
static void enter_copy_in(struct ledger *l)
{
	uint32_t end = 1, kept;
	bool unsynced = entry_at(l, 0)->kind == ENTRY_EXECUTE;

	while (end < l->len && entry_at(l, end)->kind != ENTRY_COPY_END)
		end++;
	kept = 1;
	for (uint32_t i = 1; i < l->len; i++) {
		if (i < end && entry_at(l, i)->kind == ENTRY_SYNC) {
			l->state.copied_in = true;
			continue;
		}
		if (i == end)
			continue; /* the mark itself has done its work */
		/* The server dies of anything else inside a copy, unless that failed early:
		 * then the marks mean other copies than they seem to. */
		if (i < end && !(entry_at(l, i)->flags & ENTRY_LOCAL))
			l->state.ambiguous = true;
		unsynced = unsynced && !ends_transaction(entry_at(l, i)->kind);
		*entry_at(l, kept++) = *entry_at(l, i);
	}
	l->state.unsynced = l->state.unsynced || unsynced;
	if (end == l->len)
		l->state.copying_in = true;
	l->len = kept;
}

static bool is_extended(uint8_t kind)
{
	return kind >= ENTRY_PARSE && kind <= ENTRY_CLOSE;
}

static enum ledger_verdict on_error(struct ledger *l, struct ledger_event *ev,
	void (*dropped)(void *, const struct entry *), void *ctx)
{
	struct entry head;

	if (l->len == 0)
		return LEDGER_FATAL;
	head = *entry_at(l, 0);
	if (l->state.copying_in || l->state.copied_in) {
		if (l->state.copied_in)
			l->state.ambiguous = true;
		l->state.copying_in = l->state.copied_in = false;
	}
	if (is_extended(head.kind)) {
		ev->done = head;
		ev->finished = ev->failed = true;
		ledger_pop(l);
		skip_to_sync(l, dropped, ctx);
		/* Also when it was ours (a Parse for the Bind behind it): what the client sent
		 * is skipped because of it, so that this is the only answer he will get. */
		return LEDGER_FORWARD;
	}
	ev->failed = true;
	return head.flags & ENTRY_OURS ? LEDGER_SWALLOW : LEDGER_FORWARD;
}

const uint64_t ledger_part_types[] = {
	[ENTRY_QUERY] = LEDGER_TYPE_BIT('T') | LEDGER_TYPE_BIT('D') | LEDGER_TYPE_BIT('C') |
			LEDGER_TYPE_BIT('I') | LEDGER_TYPE_BIT('H') | LEDGER_TYPE_BIT('d') |
			LEDGER_TYPE_BIT('c'),
	[ENTRY_FUNCTION] = 0,
	[ENTRY_PARSE] = 0,
	[ENTRY_BIND] = 0,
	[ENTRY_DESCRIBE_STATEMENT] = 0,
	[ENTRY_DESCRIBE_PORTAL] = 0,
	[ENTRY_EXECUTE] = LEDGER_TYPE_BIT('D') | LEDGER_TYPE_BIT('H') | LEDGER_TYPE_BIT('d') |
			  LEDGER_TYPE_BIT('c'),
	[ENTRY_CLOSE] = 0,
	[ENTRY_SYNC] = 0,
	[ENTRY_COPY_END] = 0,
};

const int16_t ledger_end_type[] = {
	[ENTRY_QUERY] = -1,
	[ENTRY_FUNCTION] = -1,
	[ENTRY_PARSE] = '1',
	[ENTRY_BIND] = '2',
	[ENTRY_DESCRIBE_STATEMENT] = -1,
	[ENTRY_DESCRIBE_PORTAL] = 'T',
	[ENTRY_EXECUTE] = 'C',
	[ENTRY_CLOSE] = '3',
	[ENTRY_SYNC] = -1,
	[ENTRY_COPY_END] = -1,
};

/* Behind the rows (DataRow) that begin at `at`: up to what is something else, or is not wholly
 * here, or has a length that cannot be.  `last`: where the last header can begin. */
static inline const char *skip_rows(const char *at, const char *last)
{
	while (at <= last && *at == 'D') {
		uint32_t body = wire_u32(at + 1) - 4; /* huge, when there is no such length */

		if (body > (size_t)(last - at))
			break;
		at += WIRE_HEADER + body;
	}
	return at;
}

size_t ledger_pass(struct ledger *l, const char *p, size_t n, uint32_t *left)
{
	const char *at = p, *last = p + n - WIRE_HEADER;
	const struct entry *ring = l->ring;
	const uint32_t mask = l->size - 1;
	uint32_t head = l->head, owed = l->len, body;

	if (UNLIKELY(n < WIRE_HEADER || l->state.copying_in || l->state.copied_in))
		return 0;
	while (owed && at <= last) {
		const struct entry *e = &ring[head];

		if (UNLIKELY(e->flags))
			break;
		body = wire_u32(at + 1) - 4;
		if ((unsigned char)*at == ledger_end_type[e->kind]) {
			if (UNLIKELY(body > (size_t)(last - at)))
				break;
			at += WIRE_HEADER + body;
			head = (head + 1) & mask;
			owed--;
		} else if (!ledger_is_part(e, *at)) {
			break;
		} else if (UNLIKELY(body > (size_t)(last - at))) {
			if (body <= WIRE_LENGTH_MAX - 4) {
				*left = body - (uint32_t)(last - at);
				at = last + WIRE_HEADER;
			}
			break;
		} else { /* whatever has parts has rows */
			at = skip_rows(at + WIRE_HEADER + body, last);
		}
	}
	l->head = head;
	l->len = owed;
	drop_copy_ends(l);
	return (size_t)(at - p);
}

bool ledger_pass_batch(struct ledger *l, const char *p, size_t n)
{
	const char *at = p, *end = p + n - (WIRE_HEADER + 1);
	const struct entry *ring = l->ring, *e;
	const uint32_t mask = l->size - 1;
	uint32_t head = l->head, owed = l->len;

	while (owed && at < end) {
		uint32_t body = wire_u32(at + 1) - 4;

		e = &ring[head];
		if (UNLIKELY(e->flags || body > (size_t)(end - at)))
			return false;
		if ((unsigned char)*at == ledger_end_type[e->kind]) {
			head = (head + 1) & mask;
			owed--;
		} else if (UNLIKELY(!ledger_is_part(e, *at))) {
			return false;
		}
		at += WIRE_HEADER + body;
	}
	e = &ring[head];
	if (at != end || owed != 1 || e->flags || (e->kind != ENTRY_SYNC && e->kind != ENTRY_QUERY))
		return false;
	l->state.status = p[n - 1];
	l->head = (head + 1) & mask;
	l->len = 0;
	return true;
}

/* Does `type` belong to the answer of an entry of this kind, and does it end it? */
enum fit { FIT_NOT, FIT_PART, FIT_END };

static enum fit fit_of(uint8_t kind, char type)
{
	switch ((enum entry_kind)kind) {
	case ENTRY_QUERY:
		return type == 'Z' ? FIT_END : type == 'G' || type == 'W' ? FIT_PART : FIT_NOT;
	case ENTRY_FUNCTION:
		return type == 'V' ? FIT_PART : type == 'Z' ? FIT_END : FIT_NOT;
	case ENTRY_PARSE:
		return type == '1' ? FIT_END : FIT_NOT;
	case ENTRY_BIND:
		return type == '2' ? FIT_END : FIT_NOT;
	case ENTRY_DESCRIBE_STATEMENT:
		return type == 't' ? FIT_PART : type == 'T' || type == 'n' ? FIT_END : FIT_NOT;
	case ENTRY_DESCRIBE_PORTAL:
		return type == 'T' || type == 'n' ? FIT_END : FIT_NOT;
	case ENTRY_EXECUTE:
		return type == 'C' || type == 'I' || type == 's' ? FIT_END
		       : type == 'G' || type == 'W'		 ? FIT_PART
								 : FIT_NOT;
	case ENTRY_CLOSE:
		return type == '3' ? FIT_END : FIT_NOT;
	case ENTRY_SYNC:
		return type == 'Z' ? FIT_END : FIT_NOT;
	case ENTRY_COPY_END:
		return FIT_NOT;
	}
	return FIT_NOT;
}

enum ledger_verdict ledger_reply(struct ledger *l, char type, char status, struct ledger_event *ev,
	void (*dropped)(void *, const struct entry *), void *ctx)
{
	struct entry *head;
	enum ledger_verdict v;

	ev->finished = ev->failed = false;
	if (type == 'N' || type == 'S' || type == 'A')
		return LEDGER_ASYNC;
	if (type == 'E')
		return on_error(l, ev, dropped, ctx);
	if (UNLIKELY(l->len == 0 || type == '\0'))
		return LEDGER_UNEXPECTED;
	head = entry_at(l, 0);
	if (UNLIKELY(head->flags & ENTRY_LOCAL))
		return LEDGER_UNEXPECTED;
	v = head->flags & ENTRY_OURS ? LEDGER_SWALLOW : LEDGER_FORWARD;
	if (ledger_is_part(head, type))
		return v;
	switch (fit_of(head->kind, type)) {
	case FIT_NOT:
		return LEDGER_UNEXPECTED;
	case FIT_PART:
		if (type == 'G')
			enter_copy_in(l);
		return v;
	case FIT_END:
		break;
	}
	if (type == 'Z') {
		if (status != 'I' && status != 'T' && status != 'E')
			return LEDGER_UNEXPECTED;
		l->state.status = status;
	}
	if (head->kind == ENTRY_EXECUTE || type == 'Z')
		l->state.copying_in = l->state.copied_in = false;
	ev->done = *head;
	ev->finished = true;
	ledger_pop(l);
	drop_copy_ends(l);
	return v;
}
