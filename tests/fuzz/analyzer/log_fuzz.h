/* SPDX-License-Identifier: ISC
 *
 * log_fuzz.h: any bytes as a chunk of a log.  Whatever they are, every byte is accounted for,
 * every slice lies inside the chunk or its arena (ASan sees it when it is read), and the facts
 * made of them are whole.
 */
#ifndef LOG_FUZZ_H
#define LOG_FUZZ_H

#include "facts.h"
#include "input.h"

static uint64_t sum_of(struct str s)
{
	uint64_t v = 0;

	for (size_t i = 0; i < s.n; i++)
		v += (unsigned char)s.p[i];
	return v;
}

static inline int fuzz_format(const char *name, const char *prefix, const uint8_t *data,
	size_t size)
{
	struct log_format format = *log_format_find(name);
	struct input in = {0};
	struct facts *f = facts_new(&in);
	struct input_sink sink = facts_sink(f);
	struct chunk c = {.n = size, .line = 1};
	uint64_t bytes = 0, read = 0;

	format.prefix = prefix ? prefix_new(prefix, NULL) : NULL;
	c.p = c.buf = mem_alloc(size);
	memcpy(c.p, data, size);
	format.parse(&format, &c);
	for (size_t i = 0; i < c.entry.n; i++) {
		const struct log_entry *e = &c.entry.at[i];
		bytes += e->bytes + e->cont;
		read += sum_of(e->message) + sum_of(e->detail) + sum_of(e->sql) + sum_of(e->user) +
			sum_of(e->params) + sum_of(e->plan) + sum_of(e->raw) + sum_of(e->query);
	}
	if (bytes != size || read == UINT64_MAX)
		abort();
	if (!format.pieces) {
		sink.prepare(sink.ctx, &c);
		sink.commit(sink.ctx, c.entry.at, c.entry.n);
	}
	facts_finish(f);
	facts_free(&f);
	VEC_RELEASE(&c.entry);
	arena_release(&c.arena);
	free(c.buf);
	struct log_prefix *p = NULL;
	memcpy(&p, &format.prefix, sizeof(p));
	prefix_free(&p);
	return 0;
}

#endif
