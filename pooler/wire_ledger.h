/* SPDX-License-Identifier: ISC
 *
 * ledger: what a server connection still owes.
 */
#ifndef POOLER_WIRE_LEDGER_H
#define POOLER_WIRE_LEDGER_H

#include "wire.h"

/* The ledger of a server connection: one entry, in order, for every message that was
 * forwarded to it, added by us, or left out by us (answered in the server's stead), and
 * that has not been answered yet.  A server connection whose ledger is empty and whose
 * last ReadyForQuery said 'I' owes nothing to anybody (ledger_is_quiet).
 *
 *   client or pooler sends            expects
 *   Q   ENTRY_QUERY                   anything, up to Z
 *   F   ENTRY_FUNCTION                V, then Z
 *   P   ENTRY_PARSE                   1
 *   B   ENTRY_BIND                    2
 *   D   ENTRY_DESCRIBE_STATEMENT      t, then T or n
 *   D   ENTRY_DESCRIBE_PORTAL         T or n
 *   E   ENTRY_EXECUTE                 rows or COPY, then C, I or s
 *   C   ENTRY_CLOSE                   3
 *   S   ENTRY_SYNC                    Z
 *   c f ENTRY_COPY_END                nothing; ends the stretch in which Sync is ignored
 *
 * After an ErrorResponse to an extended message the server skips everything up to Sync;
 * so do we, also what is sent later (`skipping`).  During COPY IN it ignores Sync: the
 * CopyInResponse takes back the Syncs that were sent before the copy's end.  If a copy
 * fails while Syncs were sent inside it, nobody can tell which of them the server saw
 * inside and which after it: the ledger is then `ambiguous` for good.  So it is when a
 * client sends inside a copy what does not belong there. */
enum entry_kind {
	ENTRY_QUERY,
	ENTRY_FUNCTION,
	ENTRY_PARSE,
	ENTRY_BIND,
	ENTRY_DESCRIBE_STATEMENT,
	ENTRY_DESCRIBE_PORTAL,
	ENTRY_EXECUTE,
	ENTRY_CLOSE,
	ENTRY_SYNC,
	ENTRY_COPY_END,
};

enum {
	ENTRY_OURS = 1,	 /* the pooler asked: the client must not see the answer */
	ENTRY_LOCAL = 2, /* nothing was sent: we answer when its turn comes */
	ENTRY_TAGGED = 4 /* `tag` means something to whoever pushed it */
};

struct entry {
	uint8_t kind;  /* enum entry_kind */
	uint8_t flags; /* ENTRY_* */
	uint16_t note; /* free for the pusher */
	uint32_t tag;  /* free for the pusher: e.g. which statement a Parse defines */
};

struct ledger {
	struct entry *ring; /* `small` until it overflows */
	uint32_t size;	    /* a power of two */
	uint32_t head, len;
	union ledger_state {
		struct {
			bool skipping; /* an extended message failed; the server skips to Sync */
			/* an extended message was sent since the last Sync, Query or FunctionCall
			 */
			bool unsynced;
			/* between CopyInResponse and the client's CopyDone/CopyFail */
			bool copying_in;
			bool copied_in; /* a Sync was taken back inside the running copy */
			bool ambiguous; /* never to be trusted again */
			char status;	/* of the last ReadyForQuery: 'I', 'T' or 'E' */
		};
		uint64_t all; /* for ledger_is_quiet() */
	} state;
	struct entry small[8];
};

/* The most entries of one connection: what a client may have in flight unanswered. */
#define LEDGER_MAX (1U << 16)

void ledger_init(struct ledger *l);
void ledger_release(struct ledger *l);

/* Notes a message on its way to the server, or left out.  Call it in the order of the
 * stream, before the bytes are sent.  False: too much in flight (LEDGER_MAX). */
bool ledger_push_slow(struct ledger *l, enum entry_kind kind, unsigned flags,
	uint32_t tag) MUSTCHECK;

MUSTCHECK static inline bool ledger_push(struct ledger *l, enum entry_kind kind, unsigned flags,
	uint32_t tag)
{
	const union ledger_state slow = {.copying_in = true, .skipping = true};
	struct entry *e;

	if (UNLIKELY((l->state.all & slow.all) || l->len == l->size || kind == ENTRY_COPY_END))
		return ledger_push_slow(l, kind, flags, tag);
	if (kind == ENTRY_SYNC || kind == ENTRY_QUERY || kind == ENTRY_FUNCTION)
		l->state.unsynced = false;
	else if (kind >= ENTRY_PARSE && kind <= ENTRY_CLOSE && !(flags & ENTRY_LOCAL))
		l->state.unsynced = true;
	e = &l->ring[(l->head + l->len++) & (l->size - 1)];
	*e = (struct entry){(uint8_t)kind, (uint8_t)flags, 0, tag};
	return true;
}

enum ledger_verdict {
	LEDGER_FORWARD,	   /* part of an answer to the client */
	LEDGER_SWALLOW,	   /* part of an answer to us */
	LEDGER_ASYNC,	   /* not an answer: N, S or A */
	LEDGER_FATAL,	   /* an ErrorResponse that answers nothing: the server is leaving */
	LEDGER_UNEXPECTED, /* out of step: both ends must be closed */
};

/* What became of entries by the message just seen. */
struct ledger_event {
	struct entry done; /* valid when `finished`: the entry that this message completed */
	bool finished;
	bool failed; /* an ErrorResponse ended it */
};

/* Accounts for a message from the server: its type and, for Z, the status byte.
 * `dropped` is called for each entry that the server skips because of this error, the last
 * one first. */
enum ledger_verdict ledger_reply(struct ledger *l, char type, char status, struct ledger_event *ev,
	void (*dropped)(void *ctx, const struct entry *e), void *ctx) MUSTCHECK;

/* An entry at the head that is ours to answer (ENTRY_LOCAL): takes it off into *e. */
bool ledger_take_local(struct ledger *l, struct entry *e) MUSTCHECK;

/* The entry whose answer is under way, or NULL. */
static inline const struct entry *ledger_head(const struct ledger *l)
{
	return l->len ? &l->ring[l->head] : NULL;
}

/* The i-th of those that wait, 0 the head. */
static inline const struct entry *ledger_at(const struct ledger *l, uint32_t i)
{
	return &l->ring[(l->head + i) & (l->size - 1)];
}

/* Is there a batch (up to its Sync, or a Query) that is not answered to its end? */
bool ledger_awaits_end(const struct ledger *l);

/* The answer that is under way is not for the client any more. */
static inline void ledger_own_head(struct ledger *l)
{
	l->ring[l->head].flags |= ENTRY_OURS;
	l->ring[l->head].tag = 0;
}

/* Writes a note into the entry that was pushed last. */
static inline void ledger_note_last(struct ledger *l, uint16_t note)
{
	l->ring[(l->head + l->len - 1) & (l->size - 1)].note = note;
}

static inline bool ledger_is_local(const struct ledger *l)
{
	return UNLIKELY(l->len && (l->ring[l->head].flags & ENTRY_LOCAL));
}

/* Types that are part of an answer to an entry of this kind and change nothing: bit
 * (type - 64) of the word, for the types from '@' on. */
#define LEDGER_TYPE_BIT(type) (1ULL << ((type)-64))
extern const uint64_t ledger_part_types[];

static inline bool ledger_is_part(const struct entry *e, char type)
{
	unsigned bit = (unsigned char)type - 64U;

	return bit < 64 && (ledger_part_types[e->kind] >> bit & 1);
}

/* The entry at the head is answered, and that is all there is to it. */
static inline void ledger_pop(struct ledger *l)
{
	l->head = (l->head + 1) & (l->size - 1);
	l->len--;
}

/* Is the entry behind the head the mark of a copy's end, which leaves with it? */
static inline bool ledger_has_mark(const struct ledger *l)
{
	return l->len > 1 && l->ring[(l->head + 1) & (l->size - 1)].kind == ENTRY_COPY_END;
}

/* The type that most often ends an answer to an entry of this kind; -1: never so simply. */
extern const int16_t ledger_end_type[];

/* Does this message end an answer to the client, and nothing else?  Then its entry is done.
 * False: use ledger_reply(). */
static inline bool ledger_pass_end(struct ledger *l, char type)
{
	const struct entry *e = ledger_head(l);

	if (UNLIKELY(!e || e->flags || ledger_end_type[e->kind] != (unsigned char)type ||
		     l->state.copying_in || l->state.copied_in || ledger_has_mark(l)))
		return false;
	ledger_pop(l);
	return true;
}

/* The short way for what nearly every answer is made of.  For a stretch of the server's stream
 * that begins with a message: takes what is part of answers to the client and changes nothing,
 * and what ends an answer of which nobody wants to hear; answers where that ends.  A last
 * message that is only begun has *left bytes to come.  What is not taken is for
 * ledger_reply(), which would have made the same of all that was. */
size_t ledger_pass(struct ledger *l, const char *p, size_t n, uint32_t *left);

/* The same for a whole ReadyForQuery that answers a Query or a Sync. */
static inline bool ledger_pass_ready(struct ledger *l, char status)
{
	const struct entry *e = ledger_head(l);

	if (UNLIKELY(!e || e->flags || (e->kind != ENTRY_SYNC && e->kind != ENTRY_QUERY) ||
		     (status != 'I' && status != 'T' && status != 'E')))
		return false;
	if (UNLIKELY(ledger_has_mark(l)))
		return false;
	l->state.status = status;
	l->state.copying_in = l->state.copied_in = false;
	ledger_pop(l);
	return true;
}

/* Shorter still: are these bytes, from the first to the last, the answer to all that is owed, with
 * nothing in it that changes anything but the transaction's status?  Then that is noted.  False:
 * nothing was done. */
bool ledger_pass_batch(struct ledger *l, const char *p, size_t n); /* to any messages */
static inline bool ledger_pass_answer(struct ledger *l, const char *p, size_t n)
{
	const union ledger_state other = {.copying_in = true, .copied_in = true};
	const struct entry *e = &l->ring[l->head];
	const char *at = p, *end = p + n - (WIRE_HEADER + 1); /* where ReadyForQuery begins */

	if (UNLIKELY(n <= WIRE_HEADER + 1 || *end != 'Z' || wire_u32(end + 1) != 5 ||
		     (p[n - 1] != 'I' && p[n - 1] != 'T' && p[n - 1] != 'E') ||
		     (l->state.all & other.all)))
		return false;
	if (l->len != 1 || e->kind != ENTRY_QUERY || e->flags)
		return ledger_pass_batch(l, p, n);
	while (at < end) {
		uint32_t body = wire_u32(at + 1) - 4; /* huge, when there is no such length */

		if (UNLIKELY(!ledger_is_part(e, *at) || body > (size_t)(end - at)))
			return false;
		at += WIRE_HEADER + body;
	}
	if (UNLIKELY(at != end))
		return false;
	l->state.status = p[n - 1];
	ledger_pop(l);
	return true;
}

/* Nothing owed, nothing open, not in a transaction. */
static inline bool ledger_is_quiet(const struct ledger *l)
{
	union ledger_state quiet = {.all = 0};

	quiet.status = 'I';
	return (l->len | (l->state.all ^ quiet.all)) == 0;
}

#endif
