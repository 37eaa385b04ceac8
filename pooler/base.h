/* SPDX-License-Identifier: ISC
 *
 * base: what every layer of the pooler stands on.
 *
 *   base_buf.c    struct buf: a growable byte buffer with a hard cap
 *   base_clock.c  two clocks: monotonic for deadlines, wall for what people read
 *   base_hash.c   a keyed hash: equal bytes, equal numbers, within one run of the program
 *   base_timer.c  struct timers: deadlines in order of time
 *   base_utf8.c   UTF-8: what is a character
 *   base_log.c    the operator's log (stderr, file, syslog; text or JSON lines)
 *   (here)        struct list: an intrusive doubly linked ring
 *
 * Nothing here knows PostgreSQL, sockets or the event loop.  Everything is usable
 * from any thread unless the section says otherwise.
 */
#ifndef POOLER_BASE_H
#define POOLER_BASE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The result of a function so marked must not be ignored. */
#define MUSTCHECK    __attribute__((warn_unused_result))
#define PRINTF(f, a) __attribute__((format(printf, f, a)))
#define LIKELY(x)    __builtin_expect(!!(x), 1)
#define UNLIKELY(x)  __builtin_expect(!!(x), 0)
/* For the few places where the compiler weighs a call's price wrongly. */
#define ALWAYS_INLINE inline __attribute__((always_inline))
/* Keeps what is seldom needed from making its caller's common way longer. */
#define NOINLINE			__attribute__((noinline))
#define ARRAY_LEN(a)			(sizeof(a) / sizeof((a)[0]))
#define CONTAINER_OF(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

/* --- clock ---------------------------------------------------------------- */

typedef uint64_t usec_t; /* microseconds: a span, or a point on the monotonic clock */

#define USEC_MSEC  1000ULL
#define USEC_SEC   1000000ULL
#define USEC_NEVER UINT64_MAX

usec_t clock_mono(void); /* now, for deadlines and durations */
usec_t clock_wall(void); /* now, microseconds since 1970-01-01 UTC */

/* --- memory --------------------------------------------------------------- */

/* Allocation that cannot fail: out of memory ends the process with a message, after
 * the log was written through.  Sizes given by a peer never reach these unchecked. */
void *mem_alloc(size_t size) MUSTCHECK;	 /* uninitialised */
void *mem_zalloc(size_t size) MUSTCHECK; /* zeroed */
void *mem_realloc(void *p, size_t size) MUSTCHECK;
char *mem_strdup(const char *s) MUSTCHECK;
char *mem_strndup(const char *s, size_t n) MUSTCHECK;
char *mem_printf(const char *fmt, ...) PRINTF(1, 2) MUSTCHECK;
/* Overwrites what the compiler must not optimise away: passwords, keys. */
void mem_wipe(void *p, size_t n);
/* memcmp for secrets: time depends on n only. */
bool mem_equal_ct(const void *a, const void *b, size_t n) MUSTCHECK;

/* --- keyed hash ----------------------------------------------------------- */

/* SipHash under a random key of this process: whoever sees the number cannot find the
 * value by trying.  About a microsecond; for hash tables take something cheaper. */
uint64_t hash_keyed(const void *p, size_t n) MUSTCHECK;

/* --- list ----------------------------------------------------------------- */

/* An intrusive ring.  A head is a struct list initialised with list_init(); a member
 * that is on no list points at itself after list_init() or list_del(). */
struct list {
	struct list *prev, *next;
};

static inline void list_init(struct list *l)
{
	l->prev = l->next = l;
}

static inline bool list_empty(const struct list *head)
{
	return head->next == head;
}

static inline void list_push_back(struct list *head, struct list *item)
{
	item->prev = head->prev;
	item->next = head;
	head->prev->next = item;
	head->prev = item;
}

static inline void list_push_front(struct list *head, struct list *item)
{
	item->next = head->next;
	item->prev = head;
	head->next->prev = item;
	head->next = item;
}

static inline void list_del(struct list *item)
{
	item->prev->next = item->next;
	item->next->prev = item->prev;
	item->prev = item->next = item;
}

#define list_entry(ptr, type, member)  CONTAINER_OF(ptr, type, member)
#define list_first(head, type, member) list_entry((head)->next, type, member)
#define list_last(head, type, member)  list_entry((head)->prev, type, member)
/* `n` holds the next element, so the current one may be unlinked in the body. */
#define list_each_safe(pos, n, head)                                                               \
	for ((pos) = (head)->next, (n) = (pos)->next; (pos) != (head);                             \
		(pos) = (n), (n) = (pos)->next)
#define list_each(pos, head) for ((pos) = (head)->next; (pos) != (head); (pos) = (pos)->next)

/* --- buf ------------------------------------------------------------------ */

/* A growable byte buffer.  Invariant: data[0..len) is valid, len <= size; data is NULL
 * when size is 0.  A zeroed struct buf is an empty buffer.  The buf_put_* family never
 * fails and sets `overflow` instead when `cap` (0 = none) would be exceeded, so that a
 * builder checks once, at the end. */
struct buf {
	char *data;
	size_t len, size;
	size_t cap;
	bool overflow;
};

void buf_reserve(struct buf *b, size_t more); /* room for `more` bytes behind len */
void buf_put(struct buf *b, const void *p, size_t n);
void buf_put_str(struct buf *b, const char *s);	 /* without its NUL */
void buf_put_cstr(struct buf *b, const char *s); /* with its NUL, as the protocol wants */
void buf_put_u8(struct buf *b, uint8_t v);
void buf_put_u16(struct buf *b, uint16_t v); /* network byte order */
void buf_put_u32(struct buf *b, uint32_t v); /* network byte order */
void buf_printf(struct buf *b, const char *fmt, ...) PRINTF(2, 3);
void buf_vprintf(struct buf *b, const char *fmt, va_list ap);
const char *buf_cstr(struct buf *b);	      /* NUL-terminated view; valid until the next put */
void buf_drop_front(struct buf *b, size_t n); /* forget the first n bytes */
void buf_free(struct buf *b);		      /* releases the memory; b is empty again */

/* --- UTF-8 ------------------------------------------------------------------ */

/* The length of the character that s[0..len), of at least one byte, begins with; 0 when it is none
 * (overlong forms, surrogates and what is above U+10FFFF are none). */
size_t utf8_len(const char *s, size_t len) MUSTCHECK;
#define UTF8_INSTEAD "\xEF\xBF\xBD" /* U+FFFD, for a byte that belongs to none */
/* How much of s[0..len) fits into max bytes without cutting a character. */
size_t utf8_clip(const char *s, size_t len, size_t max) MUSTCHECK;

/* --- timers ---------------------------------------------------------------- */

/* Deadlines.  They are meant to be lazy: a timer that is armed for an earlier moment than
 * asked for is left alone, and whoever is woken looks whether there is anything to do and
 * arms it again.  So a deadline that moves on with every transaction costs nothing.
 * A zeroed struct timer is not armed; a zeroed struct timers is empty. */
struct timer {
	usec_t at;
	void (*fire)(struct timer *t); /* set by the owner; called by whoever pops it */
	uint32_t pos;		       /* 1 + its place in the heap; 0: not armed */
	uint32_t note;		       /* free for the owner */
};

struct timers {
	struct timer **heap;
	uint32_t len, size;
};

void timer_ensure(struct timers *h, struct timer *t, usec_t at); /* fires at `at` or before */
void timer_stop(struct timers *h, struct timer *t);
usec_t timers_next(const struct timers *h);			  /* USEC_NEVER: none */
struct timer *timers_pop(struct timers *h, usec_t now) MUSTCHECK; /* a due one, or NULL */
void timers_release(struct timers *h);

/* --- log ------------------------------------------------------------------ */

enum log_level {
	LOG_LEVEL_FATAL,
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARNING,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG, /* verbose = 1 */
	LOG_LEVEL_NOISE, /* verbose = 2 and more */
};

/* What part of the program speaks: levels can be set for each (log_levels). */
enum log_part {
	LOG_PART_MAIN,
	LOG_PART_CONF,
	LOG_PART_NET,
	LOG_PART_AUTH,
	LOG_PART_POOL,
	LOG_PART_SESSION,
	LOG_PART_DIAL,
	LOG_PART_CONSOLE,
	LOG_PART_OBS,
	LOG_PART_COUNT
};

struct log_options {
	const char *file;	  /* NULL or "": none */
	bool to_stderr;		  /* off once daemonised */
	bool json;		  /* one JSON object a line instead of text */
	bool syslog;		  /* also to syslog(3) */
	const char *syslog_ident; /* borrowed until the next log_setup() */
	int syslog_facility;
	enum log_level level[LOG_PART_COUNT];
};

/* Opens what the options name; on failure nothing changes and errno says why.  Called at
 * start, by RELOAD (which thereby reopens the file, as log rotation wants) and by SET. */
bool log_setup(const struct log_options *o) MUSTCHECK;

/* Is this line wanted?  Guard the building of costly arguments with it. */
bool log_wants(enum log_part part, enum log_level level);

/* One line; fmt without a newline, lower case, no function names, who first.  A line
 * equal to the one before it is counted instead and said once ("repeated N times").
 * Values of a peer are cleaned of control characters here, whatever the caller forgot. */
void log_line(enum log_part part, enum log_level level, const char *fmt, ...) PRINTF(3, 4);

/* The last words: logs at FATAL, also to standard error whatever log_setup() said, and exits with
 * status 1.  Only before the service runs. */
_Noreturn void log_die(enum log_part part, const char *fmt, ...) PRINTF(2, 3);

#endif
