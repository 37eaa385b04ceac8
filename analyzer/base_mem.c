/* SPDX-License-Identifier: ISC
 *
 * base_mem: allocation that cannot fail, arenas, vectors, the hash map.
 */
#include "base.h"

#define ARENA_BLOCK ((size_t)64 << 10)

static void mem_exhausted(size_t size)
{
	fprintf(stderr, "pgassay: out of memory (%zu bytes asked)\n", size);
	_Exit(75);
}

void *mem_alloc(size_t size)
{
	void *p = malloc(size ? size : 1);

	if (!p)
		mem_exhausted(size);
	return p;
}

void *mem_zalloc(size_t size)
{
	void *p = calloc(1, size ? size : 1);

	if (!p)
		mem_exhausted(size);
	return p;
}

void *mem_realloc(void *old, size_t size)
{
	void *p = realloc(old, size ? size : 1);

	if (!p)
		mem_exhausted(size);
	return p;
}

char *mem_strdup(const char *s)
{
	size_t n = strlen(s) + 1;

	return memcpy(mem_alloc(n), s, n);
}

void mem_free(void *pp)
{
	void *p;

	memcpy(&p, pp, sizeof(p));
	free(p);
	p = NULL;
	memcpy(pp, &p, sizeof(p));
}

/* --- arenas ------------------------------------------------------------------ */

struct arena_block {
	struct arena_block *next;
	size_t size;
};

#define BLOCK_HEAD ((sizeof(struct arena_block) + 15) & ~(size_t)15)

static void *arena_more(struct arena *a, size_t size)
{
	size_t want = size + BLOCK_HEAD > ARENA_BLOCK ? size + BLOCK_HEAD : ARENA_BLOCK;
	struct arena_block *b = mem_alloc(want);

	b->size = want;
	a->total += want;
	if (want > ARENA_BLOCK && a->block) { /* a large one stands behind the current */
		b->next = a->block->next;
		a->block->next = b;
		return (char *)b + BLOCK_HEAD;
	}
	b->next = a->block;
	a->block = b;
	a->free = (char *)b + BLOCK_HEAD + size;
	a->end = (char *)b + want;
	return (char *)b + BLOCK_HEAD;
}

void *arena_alloc(struct arena *a, size_t size)
{
	size = (size + 15) & ~(size_t)15;
	if (UNLIKELY((size_t)(a->end - a->free) < size))
		return arena_more(a, size);
	void *p = a->free;
	a->free += size;
	return p;
}

void *arena_zalloc(struct arena *a, size_t size)
{
	return memset(arena_alloc(a, size), 0, size);
}

void arena_reset(struct arena *a)
{
	struct arena_block *keep = NULL, *next;

	for (struct arena_block *b = a->block; b; b = next) {
		next = b->next;
		if (!keep && b->size == ARENA_BLOCK)
			keep = b;
		else
			free(b);
	}
	memset(a, 0, sizeof(*a));
	if (keep) {
		keep->next = NULL;
		a->block = keep;
		a->total = keep->size;
		a->free = (char *)keep + BLOCK_HEAD;
		a->end = (char *)keep + keep->size;
	}
}

void arena_release(struct arena *a)
{
	struct arena_block *next;

	for (struct arena_block *b = a->block; b; b = next) {
		next = b->next;
		free(b);
	}
	memset(a, 0, sizeof(*a));
}

/* --- vectors and maps --------------------------------------------------------- */

void *vec_grow(void *at, size_t *cap, size_t want, size_t size)
{
	size_t c = *cap ? *cap * 2 : 8;

	while (c < want)
		c *= 2;
	*cap = c;
	return mem_realloc(at, c * size);
}

static inline size_t map_slot(const struct map *m, uint64_t key)
{
	uint64_t h = key * 0x9e3779b97f4a7c15ULL;
	size_t i = (size_t)(h >> 20) & (m->cap - 1);

	while (m->value[i] != MAP_NONE && m->key[i] != key)
		i = (i + 1) & (m->cap - 1);
	return i;
}

static void map_grow(struct map *m)
{
	struct map old = *m;

	m->cap = old.cap ? old.cap * 2 : 64;
	m->key = mem_alloc(m->cap * sizeof(*m->key));
	m->value = mem_alloc(m->cap * sizeof(*m->value));
	memset(m->value, 0xff, m->cap * sizeof(*m->value));
	for (size_t i = 0; i < old.cap; i++)
		if (old.value[i] != MAP_NONE) {
			size_t j = map_slot(m, old.key[i]);
			m->key[j] = old.key[i];
			m->value[j] = old.value[i];
		}
	free(old.key);
	free(old.value);
}

uint32_t map_get(const struct map *m, uint64_t key)
{
	return m->cap ? m->value[map_slot(m, key)] : MAP_NONE;
}

/* A slot handed out with MAP_NONE counts as taken: the caller writes a value at once. */
uint32_t *map_put(struct map *m, uint64_t key)
{
	if ((m->n + 1) * 4 > m->cap * 3)
		map_grow(m);
	size_t i = map_slot(m, key);
	if (m->value[i] == MAP_NONE) {
		m->key[i] = key;
		m->n++;
	}
	return &m->value[i];
}

void map_del(struct map *m, uint64_t key)
{
	if (!m->cap)
		return;
	size_t i = map_slot(m, key), mask = m->cap - 1;
	if (m->value[i] == MAP_NONE)
		return;
	m->n--;
	for (size_t j = i;;) { /* close the gap, so that no search stops short */
		m->value[i] = MAP_NONE;
		size_t home;
		do {
			j = (j + 1) & mask;
			if (m->value[j] == MAP_NONE)
				return;
			home = (size_t)((m->key[j] * 0x9e3779b97f4a7c15ULL) >> 20) & mask;
		} while (i <= j ? (i < home && home <= j) : (i < home || home <= j));
		m->key[i] = m->key[j];
		m->value[i] = m->value[j];
		i = j;
	}
}

void map_release(struct map *m)
{
	free(m->key);
	free(m->value);
	memset(m, 0, sizeof(*m));
}
