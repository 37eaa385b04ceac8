/* SPDX-License-Identifier: ISC
 *
 * input_memory: a log that is in memory already, as one chunk.
 *
 * For readers that must see the text first, since it may be no log at all.
 */
#include "input_detect.h"
#include "input_formats.h"

/* A log whose entries do not stand in the text as they are: quoted, escaped or cut in pieces. */
static bool is_packed(const char *p, size_t n)
{
	for (const struct log_format *k = log_formats; k->name; k++)
		if (k->parse != stderr_parse && k->parse != bouncer_parse &&
			k->parse != totals_parse && k->score(p, n) >= 50)
			return true;
	return false;
}

bool input_memory(struct input *in, uint32_t file, struct text *t, const struct input_sink *sink,
	struct err *why)
{
	struct input_file *f = in->file.at[file];
	struct chunk c = {.p = t->p, .n = t->n, .file = file, .line = 1};
	struct join *join = NULL;
	size_t head = t->n < 262144 ? t->n : 262144;

	if (t->n == 0 || !is_packed(t->p, head) || !detect_format(f, &in->opt, t->p, head, why) ||
		f->format == NULL)
		return false;
	f->format->parse(f->format, &c);
	if (f->format->pieces) {
		struct chunk *whole;

		join = join_new(sink);
		whole = join_chunk(join, f->format, &c);
		sink->commit(sink->ctx, whole->entry.at, whole->entry.n);
		whole = join_flush(join, f->format);
		sink->commit(sink->ctx, whole->entry.at, whole->entry.n);
		join_free(&join);
	} else {
		sink->commit(sink->ctx, c.entry.at, c.entry.n);
	}
	VEC_RELEASE(&c.entry);
	arena_release(&c.arena);
	return true;
}
