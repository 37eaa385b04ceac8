/* SPDX-License-Identifier: ISC
 *
 * facts_twin: statements that stand in two of the files: a server that writes stderr and csvlog,
 * both of them given; or a file and its copy.  They are counted, so that the report can say so.
 *
 * The same process, text, values and duration make a twin.  Only the latest SLOTS statements are
 * remembered: files are read side by side in the order of their time.
 */
#include "facts_build.h"

#define SLOTS 65536

struct twin {
	uint64_t key;
	uint32_t file;
};

void twin_note(struct facts *f, const struct log_entry *e)
{
	if (!f->in || f->in->file.n < 2 || e->usec < 0 || !e->pid)
		return;
	if (!f->twin)
		f->twin = mem_zalloc(SLOTS * sizeof(*f->twin));
	const uint64_t what[] = {(uint64_t)e->pid, (uint64_t)e->usec, e->shape->hash,
		e->shape->lit_hash, (uint64_t)e->phase};
	uint64_t key = sql_hash_bytes(what, sizeof(what), 5);
	struct twin *t = &f->twin[key % SLOTS];
	if (t->key == key && t->file != e->file) {
		f->twins++;
		f->twin_file[0] = t->file;
		f->twin_file[1] = e->file;
		t->key = 0;
		return;
	}
	*t = (struct twin){key, e->file};
}

bool facts_has_twins(const struct facts *f)
{
	return f->twins >= 3 && f->twins * 20 > f->statements;
}
