/* SPDX-License-Identifier: ISC
 *
 * base: what every layer of the analyzer stands on.
 *
 *   base_mem.c    allocation that ends the process when it fails; arenas
 *   base_text.c   struct text: growable bytes; struct str: a slice; names -> ids
 *   base_roff.c   text in manual pages
 *   base_json.c   the few steps between our values and jansson's
 *   (here)        vectors, a hash map of 64-bit keys, errors
 *
 * Nothing here knows SQL, logs or PostgreSQL.  Nothing is shared between threads: an object
 * belongs to one thread at a time.
 */
#ifndef ANALYZER_BASE_H
#define ANALYZER_BASE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MUSTCHECK    __attribute__((warn_unused_result))
#define PRINTF(f, a) __attribute__((format(printf, f, a)))
#define LIKELY(x)    __builtin_expect(!!(x), 1)
#define UNLIKELY(x)  __builtin_expect(!!(x), 0)
#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/* --- memory ---------------------------------------------------------------- */

/* Out of memory ends the process with a message: no caller checks. */
void *mem_alloc(size_t size) MUSTCHECK;	 /* uninitialised */
void *mem_zalloc(size_t size) MUSTCHECK; /* zeroed */
void *mem_realloc(void *p, size_t size) MUSTCHECK;
char *mem_strdup(const char *s) MUSTCHECK;
void mem_free(void *pp); /* takes the address of a pointer; frees, leaves NULL */

/* An arena hands out memory that is given back all at once.  Zeroed is a valid empty arena. */
struct arena_block;
struct arena {
	struct arena_block *block; /* newest first */
	char *free, *end;	   /* what is left of the newest */
	size_t total;		   /* bytes asked from the system */
};

void *arena_alloc(struct arena *a, size_t size) MUSTCHECK;  /* 16-byte aligned, uninitialised */
void *arena_zalloc(struct arena *a, size_t size) MUSTCHECK; /* zeroed */
void arena_reset(struct arena *a);   /* everything handed out is gone; one block is kept */
void arena_release(struct arena *a); /* the same, and the memory goes back */

#define ARENA_NEW(a, type)	((type *)arena_zalloc((a), sizeof(type)))
#define ARENA_ARRAY(a, type, n) ((type *)arena_zalloc((a), sizeof(type) * (n)))

/* --- slices ----------------------------------------------------------------- */

/* Bytes that belong to somebody else; not NUL-terminated.  {NULL, 0}: absent. */
struct str {
	const char *p;
	size_t n;
};

#define STR(lit)    ((struct str){"" lit, sizeof(lit) - 1})
#define STR_NONE    ((struct str){NULL, 0})
#define STR_ARGS(s) (int)(s).n, (s).p ? (s).p : "" /* for "%.*s" */

/* NULL gives STR_NONE.  These are inline so that comparing with a literal costs no call. */
static inline struct str str_of(const char *s)
{
	return s ? (struct str){s, strlen(s)} : STR_NONE;
}

static inline bool str_eq(struct str a, struct str b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static inline bool str_is(struct str a, const char *s)
{
	size_t n = strlen(s);

	return a.n == n && (n == 0 || memcmp(a.p, s, n) == 0);
}

static inline bool str_starts(struct str a, const char *prefix)
{
	size_t n = strlen(prefix);

	return a.n >= n && (n == 0 || memcmp(a.p, prefix, n) == 0);
}

static inline bool str_ends(struct str a, const char *suffix)
{
	size_t n = strlen(suffix);

	return a.n >= n && (n == 0 || memcmp(a.p + a.n - n, suffix, n) == 0);
}

static inline struct str str_skip(struct str a, size_t n)
{
	n = n < a.n ? n : a.n;
	return (struct str){a.p ? a.p + n : NULL, a.n - n};
}

bool str_is_nocase(struct str a, const char *s);
int str_cmp(struct str a, struct str b); /* by bytes, shorter first when equal */
struct str str_trim(struct str a);	 /* blanks of both ends */
struct str str_before(struct str a, size_t n);
/* The same, but no character of UTF-8 is cut into. */
struct str utf8_before(struct str a, size_t n);
/* Where `needle` begins in a, or a.n when it is not there. */
size_t str_find(struct str a, const char *needle);
uint64_t str_hash(struct str a);
bool str_to_i64(struct str a, int64_t *v); /* the whole slice, decimal */
/* Copies, NUL-terminated behind the slice. */
struct str arena_str(struct arena *a, struct str s);
char *arena_cstr(struct arena *a, struct str s);
struct str arena_printf(struct arena *a, const char *fmt, ...) PRINTF(2, 3);
char *str_dup(struct str s) MUSTCHECK; /* on the heap */

/* --- growable bytes ----------------------------------------------------------- */

/* Always NUL-terminated behind n once something was added.  Zeroed is a valid empty text. */
struct text {
	char *p;
	size_t n, cap;
};

void text_add(struct text *t, const void *p, size_t n);
void text_str(struct text *t, struct str s);
void text_puts(struct text *t, const char *s);
void text_char(struct text *t, char c);
void text_printf(struct text *t, const char *fmt, ...) PRINTF(2, 3);
void text_vprintf(struct text *t, const char *fmt, va_list ap);
void text_pad(struct text *t, char c, size_t n); /* n times c */
void text_clear(struct text *t);		 /* keeps the memory */
void text_release(struct text *t);
struct str text_slice(const struct text *t);

/* Makes valid UTF-8 without control characters but \t and \n: what is not becomes U+FFFD.
 * Returns s itself when nothing had to be changed, else a copy in the arena. */
struct str utf8_clean(struct arena *a, struct str s);

/* --- vectors ------------------------------------------------------------------ */

/*	VEC(struct item) items = {0};
 *	*VEC_PUSH(&items) = (struct item){…};
 *	for (size_t i = 0; i < items.n; i++) … items.at[i] …
 *	VEC_RELEASE(&items); */
#define VEC(type)                                                                                  \
	struct {                                                                                   \
		type *at;                                                                          \
		size_t n, cap;                                                                     \
	}
void *vec_grow(void *at, size_t *cap, size_t want, size_t size) MUSTCHECK;
#define VEC_ROOM(v, want)                                                                          \
	((v)->cap >= (want) ? (void)0                                                              \
			    : (void)((v)->at = vec_grow((v)->at, &(v)->cap, (want),                \
					     sizeof(*(v)->at))))
/* A new element at the end, uninitialised: its address. */
#define VEC_PUSH(v)    (VEC_ROOM(v, (v)->n + 1), &(v)->at[(v)->n++])
#define VEC_RELEASE(v) (free((v)->at), (v)->at = NULL, (v)->n = (v)->cap = 0)

/* --- maps ----------------------------------------------------------------------- */

/* 64-bit key (0 is allowed) -> 32-bit value.  Open addressing; never shrinks. */
struct map {
	uint64_t *key;
	uint32_t *value; /* MAP_NONE: the slot is empty */
	size_t n, cap;
};
#define MAP_NONE UINT32_MAX

uint32_t map_get(const struct map *m, uint64_t key); /* MAP_NONE when it is not there */
/* The value's place, made with MAP_NONE when the key is new.  Valid until the next call. */
uint32_t *map_put(struct map *m, uint64_t key);
void map_del(struct map *m, uint64_t key);
void map_release(struct map *m);

/* Names -> dense ids 0, 1, 2 …, and back. */
struct names {
	struct arena arena;
	struct map map;
	VEC(struct str) name;
};

uint32_t names_id(struct names *t, struct str name);	     /* adds it when it is new */
uint32_t names_find(const struct names *t, struct str name); /* MAP_NONE: it is not there */
void names_release(struct names *t);

/* --- errors --------------------------------------------------------------------- */

/* What went wrong, in words for the user: lower case, no full stop. */
struct err {
	char text[600];
};

/* Always false, so that a caller may write `return err_set(e, …)`.  e may be NULL. */
bool err_set(struct err *e, const char *fmt, ...) PRINTF(2, 3);

/* --- JSON ------------------------------------------------------------------------ */

struct json_t;
/* Values for jansson that cannot fail: invalid UTF-8 is cleaned, NaN becomes null. */
struct json_t *js_str(struct str s);
struct json_t *js_int(int64_t v);
struct json_t *js_real(double v); /* rounded to six significant decimals behind the point */
void js_set(struct json_t *object, const char *key, struct json_t *value); /* takes value */
void js_add(struct json_t *array, struct json_t *value);		   /* takes value */
struct str js_get_str(const struct json_t *object, const char *key);	   /* borrowed; STR_NONE */
/* The text of a number or string member, or 0 / 0.0 when it is neither. */
int64_t js_get_int(const struct json_t *object, const char *key);
double js_get_real(const struct json_t *object, const char *key);

/* Writes text into a manual page, what roff would take for its own escaped. */
void roff_put(FILE *to, const char *text);

#endif
