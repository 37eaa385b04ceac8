/* SPDX-License-Identifier: ISC
 *
 * wire: the PostgreSQL protocol, version 3, as values.  No sockets, no events, no clock.
 *
 *   wire_startup.h  the first packets of a client
 *   (here)          message headers, the walk over a byte stream
 *   wire_ledger.c   what a server connection still owes
 *   wire_build.c    messages that the pooler itself sends
 *   wire_text.c     what a statement's text may do to the session
 *
 * A message is  type(1) length(4, counts itself)  body(length - 4).
 */
#ifndef POOLER_WIRE_H
#define POOLER_WIRE_H

#include "base.h"

#include <arpa/inet.h>

#define WIRE_HEADER 5U
/* PostgreSQL refuses messages from 1 GB on (MaxAllocSize); nobody honest sends them. */
#define WIRE_LENGTH_MAX 0x3fffffffU

static inline uint32_t wire_u32(const char *p)
{
	uint32_t v;

	memcpy(&v, p, 4);
	return ntohl(v);
}

static inline uint16_t wire_u16(const char *p)
{
	uint16_t v;

	memcpy(&v, p, 2);
	return ntohs(v);
}

/* The whole length of the message whose header is at p (header included), or 0 when the
 * length field cannot be right. */
static inline uint32_t wire_message_size(const char *p)
{
	uint32_t len = wire_u32(p + 1);

	return UNLIKELY(len < 4 || len > WIRE_LENGTH_MAX) ? 0 : len + 1;
}

/* Reads a NUL-terminated string of a body.  *p moves behind the NUL; NULL when there is
 * none before `end`. */
static inline const char *wire_cstr(const char **p, const char *end)
{
	const char *s = *p, *nul = memchr(s, 0, (size_t)(end - s));

	if (!nul)
		return NULL;
	*p = nul + 1;
	return s;
}

/* --- ledger --------------------------------------------------------------- */

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
	struct entry *e;

	if (UNLIKELY(l->state.copying_in || l->state.skipping || l->len == l->size ||
		     kind == ENTRY_COPY_END))
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
 * `dropped` is called for each entry that the server skips because of this error. */
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
extern const uint64_t ledger_part_types[];

static inline bool ledger_is_part(const struct entry *e, char type)
{
	unsigned bit = (unsigned char)type - 64U;

	return bit < 64 && (ledger_part_types[e->kind] >> bit & 1);
}

/* The type that most often ends an answer to an entry of this kind; 0: never so simply. */
extern const char ledger_end_type[];

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

/* The short way for what is most frequent: does this message end an answer to the client of
 * which nobody wants to hear?  Then its entry is done.  False: use ledger_reply(). */
static inline bool ledger_pass_end(struct ledger *l, char type)
{
	const struct entry *e = ledger_head(l);

	if (UNLIKELY(!e || e->flags || !type || ledger_end_type[e->kind] != type ||
		     l->state.copying_in || l->state.copied_in || ledger_has_mark(l)))
		return false;
	ledger_pop(l);
	return true;
}

/* For a stretch of the server's stream that begins with a message: takes what is part of
 * answers to the client and changes nothing, and answers where that ends.  A last message
 * that is only begun has *left bytes to come. */
static inline size_t ledger_pass(struct ledger *l, const char *p, size_t n, uint32_t *left)
{
	const struct entry *e;
	size_t at = 0;
	uint32_t size;

	while ((e = ledger_head(l)) && !e->flags) {
		uint64_t parts = ledger_part_types[e->kind];
		unsigned bit;

		for (;;) {
			if (n - at < WIRE_HEADER)
				return at;
			bit = (unsigned char)p[at] - 64U;
			size = wire_message_size(p + at);
			if (UNLIKELY(size == 0))
				return at;
			if (bit > 63 || !(parts >> bit & 1))
				break;
			if (UNLIKELY(size > n - at)) {
				*left = size - (uint32_t)(n - at);
				return n;
			}
			at += size;
		}
		if (size > n - at || !ledger_pass_end(l, p[at]))
			break;
		at += size;
	}
	return at;
}

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

/* Nothing owed, nothing open, not in a transaction. */
static inline bool ledger_is_quiet(const struct ledger *l)
{
	union ledger_state quiet = {.all = 0};

	quiet.status = 'I';
	return l->len == 0 && l->state.all == quiet.all;
}

/* --- building messages ------------------------------------------------------ */

/* ErrorResponse or NoticeResponse.  severity: "ERROR", "FATAL", "NOTICE"…; detail and
 * hint may be NULL. */
void wire_put_error(struct buf *b, char type, const char *severity, const char *sqlstate,
	const char *message, const char *detail, const char *hint);
void wire_put_ready(struct buf *b, char status);
void wire_put_parameter(struct buf *b, const char *name, const char *value);
void wire_put_key(struct buf *b, uint32_t pid, uint32_t secret);
void wire_put_auth_ok(struct buf *b);
void wire_put_query(struct buf *b, const char *sql);
void wire_put_complete(struct buf *b, const char *tag);
/* A message of only a header: '1' '2' '3' 'n' 'I' 'S' 'H' 'c'… */
void wire_put_bare(struct buf *b, char type);
/* Opens a message whose length wire_end() fills in; at = wire_begin(…). */
size_t wire_begin(struct buf *b, char type);
void wire_end(struct buf *b, size_t at);

/* The fields of an ErrorResponse or NoticeResponse body; pointers into it, or NULL. */
struct wire_error {
	const char *severity, *sqlstate, *message, *detail, *hint, *routine;
};
/* Puts the message with the number in its position field made larger by `shift`. */
void wire_put_shifted_error(struct buf *b, const char *body, size_t len, unsigned shift);
/* False: not a well-formed body. */
bool wire_read_error(const char *body, size_t len, struct wire_error *e) MUSTCHECK;

/* The number of rows that a CommandComplete tag tells, or 0. */
uint64_t wire_tag_rows(const char *tag, size_t len);

/* --- what a statement does to the session --------------------------------- */

/* Found by reading the text's words outside of quotes and comments; several statements of
 * one Query give the union.  A bit too many costs a little time, a bit too few would leak
 * state, so that what is not understood counts as TEXT_UNKNOWN. */
enum {
	TEXT_SET = 1 << 0,     /* SET/RESET, set_config(): parameters may change for the session */
	TEXT_PREPARE = 1 << 1, /* PREPARE: a statement by SQL */
	TEXT_DEALLOCATE = 1 << 2,  /* DEALLOCATE, also ALL */
	TEXT_DISCARD_ALL = 1 << 3, /* DISCARD ALL */
	TEXT_LISTEN = 1 << 4,	   /* LISTEN */
	TEXT_UNLISTEN = 1 << 5,
	TEXT_TEMP = 1 << 6,	  /* creates something in pg_temp */
	TEXT_ADVISORY = 1 << 7,	  /* pg_advisory_lock and its kin that outlive the transaction */
	TEXT_HOLD = 1 << 8,	  /* DECLARE … WITH HOLD */
	TEXT_LOAD = 1 << 9,	  /* LOAD, and other state that nothing takes back */
	TEXT_BEGIN = 1 << 10,	  /* the whole text is a plain BEGIN or START TRANSACTION */
	TEXT_EXECUTE = 1 << 11,	  /* EXECUTE of a statement by SQL */
	TEXT_CLOSE = 1 << 12,	  /* CLOSE of a cursor, also ALL */
	TEXT_LONG = 1 << 13,	  /* too long to be read to its end, or DO */
	TEXT_SECRET = 1 << 14,	  /* names a password: not for logs */
	TEXT_DROP_TEMP = 1 << 15, /* DROP TABLE: a temporary one may be gone */
	TEXT_UNLOCK = 1 << 16,	  /* pg_advisory_unlock… */
};

unsigned wire_text_effects(const char *sql, size_t len);

/* Where the statement itself begins and ends, without the comments before and behind it.
 * False: there are none, or one is a hint to the planner (begins with a plus sign), or the
 * text is not understood; then it must stay as it is. */
bool wire_text_core(const char *sql, size_t len, size_t *from, size_t *to);

#endif
