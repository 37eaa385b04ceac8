/* SPDX-License-Identifier: ISC
 *
 * The numbers of statement texts: a table of the process's, under a lock.  A relay asks it once
 * for each text that it did not know; with one relay nobody does.
 */
#include "session_number.h"

#include <pthread.h>

struct numbered {
	struct numbered *next;
	uint64_t number, meaning;
	uint32_t hash, refs;
	size_t len;
	char body[];
};

static struct {
	pthread_mutex_t lock;
	struct numbered **slot;
	size_t size, count;
	uint64_t last;
} numbers = {.lock = PTHREAD_MUTEX_INITIALIZER};

uint64_t number_bytes(size_t len)
{
	return sizeof(struct numbered) + len;
}

static void grow(void)
{
	size_t size = numbers.size ? numbers.size * 2 : 256;
	struct numbered **slot = mem_zalloc(size * sizeof(struct numbered *));

	for (size_t i = 0; i < numbers.size; i++) {
		struct numbered *n = numbers.slot[i], *next;

		for (; n; n = next) {
			next = n->next;
			n->next = slot[n->hash & (size - 1)];
			slot[n->hash & (size - 1)] = n;
		}
	}
	free(numbers.slot);
	numbers.slot = slot;
	numbers.size = size;
}

/* Where its entry is, or would be. */
static struct numbered **find(uint32_t hash, const char *body, size_t len, uint64_t meaning)
{
	struct numbered **at = &numbers.slot[hash & (numbers.size - 1)];

	while (*at && ((*at)->hash != hash || (*at)->len != len || (*at)->meaning != meaning ||
			      memcmp((*at)->body, body, len) != 0))
		at = &(*at)->next;
	return at;
}

uint64_t number_take(uint32_t hash, const char *body, size_t len, uint64_t meaning, uint64_t stale)
{
	struct numbered **at, *n;
	uint64_t number;

	pthread_mutex_lock(&numbers.lock);
	if (numbers.count >= numbers.size)
		grow();
	at = find(hash, body, len, meaning);
	n = *at;
	if (!n) {
		n = *at = mem_zalloc(sizeof *n + len);
		n->hash = hash;
		n->len = len;
		n->meaning = meaning;
		memcpy(n->body, body, len);
		numbers.count++;
	}
	if (n->number == stale)
		n->number = ++numbers.last;
	number = n->number;
	n->refs++;
	pthread_mutex_unlock(&numbers.lock);
	return number;
}

void number_drop(uint32_t hash, const char *body, size_t len, uint64_t meaning)
{
	struct numbered **at, *n;

	pthread_mutex_lock(&numbers.lock);
	at = find(hash, body, len, meaning);
	n = *at;
	if (--n->refs == 0) {
		*at = n->next;
		numbers.count--;
		free(n);
	}
	pthread_mutex_unlock(&numbers.lock);
}
