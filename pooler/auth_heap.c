/* SPDX-License-Identifier: ISC
 *
 * Secret memory: one region of addresses that stays out of core dumps, whose blocks are wiped
 * when they are freed.
 *
 * Our own secrets are allocated here by name, secret_alloc().  But libpq, OpenSSL and PAM keep
 * copies of a password of their own, some of them for as long as a connection lives (libpq's
 * SCRAM state, its PGconn, its input buffer), and offer no way to say where.  So malloc itself is
 * replaced: on a thread that has said secret_thread(true), whatever is allocated comes from the
 * region; free() and realloc() know such a block by its address, on every thread.  All else is
 * glibc's malloc, as before.  With a sanitizer, whose malloc cannot be replaced, such copies stay
 * where they are.
 *
 *   region  |block|block|…|not used yet: no memory behind it          |
 *            16 bytes in front of each: its size, and the next one while it is free
 */
#include "auth.h"

#include <openssl/crypto.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#define REGION_MAX ((size_t)4 << 30) /* addresses, not memory */
#define REGION_MIN ((size_t)64 << 20)
#define STEP	   ((size_t)256 << 10) /* made accessible at once */
#define CLASS_MIN  5u		       /* 32 bytes */
#define CLASS_MAX  22u		       /* 4 MB; a larger block gets a mapping of its own */
#define WIPE_MAX   16384u	       /* of larger blocks the kernel takes whole pages back */

union block {
	struct {
		size_t size;	   /* of the whole block */
		union block *next; /* while free */
	} h;
	char align[16];
};

static struct {
	pthread_mutex_t lock;
	char *begin, *end; /* the region; written once */
	char *at, *open;   /* the first byte not given yet; behind the last accessible one */
	union block *free[CLASS_MAX + 1];
} heap = {.lock = PTHREAD_MUTEX_INITIALIZER};

static _Thread_local bool is_secret_thread;

static void *map(size_t n, int access)
{
	void *p = mmap(NULL, n, access, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		return NULL;
	(void)madvise(p, n, MADV_DONTDUMP);
	return p;
}

/* The lock is held. */
static bool region_open(void)
{
	for (size_t n = REGION_MAX; !heap.begin && n >= REGION_MIN; n /= 2) {
		char *p = map(n, PROT_NONE); /* less where addresses are limited (ulimit -v) */

		if (!p)
			continue;
		heap.at = heap.open = p;
		__atomic_store_n(&heap.end, p + n, __ATOMIC_RELAXED);
		__atomic_store_n(&heap.begin, p, __ATOMIC_RELEASE);
	}
	return heap.begin != NULL;
}

static bool in_region(const void *p)
{
	const char *begin = __atomic_load_n(&heap.begin, __ATOMIC_ACQUIRE);

	return begin && (const char *)p >= begin && (const char *)p < heap.end;
}

static unsigned class_of(size_t whole)
{
	unsigned class = CLASS_MIN;

	while ((size_t)1 << class < whole)
		class ++;
	return class;
}

/* Cuts a block off the unused rest.  The lock is held. */
static union block *region_cut(size_t size)
{
	union block *b;

	if (!region_open() || (size_t)(heap.end - heap.at) < size)
		return NULL;
	if ((size_t)(heap.open - heap.at) < size) {
		size_t more = (size - (size_t)(heap.open - heap.at) + STEP - 1) / STEP * STEP;

		if (more > (size_t)(heap.end - heap.open) ||
			mprotect(heap.open, more, PROT_READ | PROT_WRITE) != 0)
			return NULL;
		heap.open += more;
	}
	b = (union block *)(void *)heap.at;
	heap.at += size;
	b->h.size = size;
	return b;
}

/* n bytes of zeros from the region, or NULL. */
static void *region_alloc(size_t n)
{
	union block *b = NULL;
	unsigned class;

	if (n > ((size_t)1 << CLASS_MAX) - sizeof *b)
		return NULL;
	class = class_of(n + sizeof *b);
	pthread_mutex_lock(&heap.lock);
	b = heap.free[class];
	if (b)
		heap.free[class] = b->h.next;
	else
		b = region_cut((size_t)1 << class);
	pthread_mutex_unlock(&heap.lock);
	return b ? b + 1 : NULL;
}

/* Zeros: what a block held, and what the next owner finds. */
static void wipe(char *p, size_t n)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *first = (char *)(((uintptr_t)p + page - 1) / page * page);
	char *last = (char *)(((uintptr_t)p + n) / page * page);

	if (n <= WIPE_MAX || madvise(first, (size_t)(last - first), MADV_DONTNEED) != 0) {
		mem_wipe(p, n);
		return;
	}
	mem_wipe(p, (size_t)(first - p));
	mem_wipe(last, (size_t)(p + n - last));
}

static void region_free(void *p)
{
	union block *b = (union block *)p - 1;
	unsigned class = class_of(b->h.size);

	wipe(p, b->h.size - sizeof *b);
	pthread_mutex_lock(&heap.lock);
	b->h.next = heap.free[class];
	heap.free[class] = b;
	pthread_mutex_unlock(&heap.lock);
}

/* --- ours ------------------------------------------------------------------ */

void *secret_alloc(size_t n)
{
	union block *b;
	void *p = region_alloc(n);

	if (p)
		return p;
	b = map(n + sizeof *b, PROT_READ | PROT_WRITE);
	if (!b)
		log_die(LOG_PART_AUTH, "out of memory (%zu bytes asked for)", n);
	b->h.size = n + sizeof *b;
	return b + 1;
}

void secret_free(void *p)
{
	union block *b = p;

	if (!p)
		return;
	if (in_region(p)) {
		region_free(p);
		return;
	}
	b--;
	mem_wipe(p, b->h.size - sizeof *b);
	munmap(b, b->h.size);
}

char *secret_strdup(const char *s)
{
	size_t n = strlen(s) + 1;

	return memcpy(secret_alloc(n), s, n);
}

bool secret_thread(bool on)
{
	bool before = is_secret_thread;

	is_secret_thread = on;
	return before;
}

bool secret_random(void *p, size_t n)
{
	return n <= 256 && getrandom(p, n, 0) == (ssize_t)n; /* so few come whole */
}

void secret_thread_end(void)
{
	OPENSSL_thread_stop();
}

/* --- libraries' -------------------------------------------------------------- */

#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)

#define EXPORT __attribute__((visibility("default"), used))

/* glibc's own, under the names it has for whoever replaces malloc */
void *__libc_malloc(size_t n);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *p, size_t n);
void __libc_free(void *p);

EXPORT void *malloc(size_t n)
{
	void *p = is_secret_thread ? region_alloc(n) : NULL;

	return p ? p : __libc_malloc(n);
}

EXPORT void *calloc(size_t count, size_t size)
{
	size_t n;
	void *p = is_secret_thread && !__builtin_mul_overflow(count, size, &n) ? region_alloc(n)
									       : NULL;

	return p ? p : __libc_calloc(count, size);
}

EXPORT void free(void *p)
{
	if (in_region(p))
		region_free(p);
	else
		__libc_free(p);
}

EXPORT void *realloc(void *p, size_t n)
{
	size_t room;
	void *q;

	if (!in_region(p)) {
		/* What is not secret yet moves, if this thread's memory is to be. */
		return p || !is_secret_thread ? __libc_realloc(p, n) : malloc(n);
	}
	room = ((union block *)p - 1)->h.size - sizeof(union block);
	if (n <= room && n > room / 4)
		return p;
	q = region_alloc(n ? n : 1);
	if (!q)
		q = __libc_malloc(n);
	if (!q)
		return NULL;
	memcpy(q, p, n < room ? n : room);
	region_free(p);
	return q;
}

#endif
