/* SPDX-License-Identifier: ISC
 *
 * Any bytes as a statement: nothing is read outside, and the quick pass never says less
 * than the full scan (which an EXPLAIN in front enforces); a statement without the comments
 * around it does to the session what it does with them.
 */
#include "wire_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char before[] = "explain 1;";
	char *alone = mem_alloc(size), *behind = mem_alloc(size + sizeof before);
	unsigned quick, full;
	size_t from, to;

	memcpy(alone, data, size);
	memcpy(behind, before, sizeof before - 1);
	memcpy(behind + sizeof before - 1, data, size);
	quick = wire_text_effects(alone, size) & ~(unsigned)TEXT_BEGIN;
	full = wire_text_effects(behind, size + sizeof before - 1);
	if (full & ~quick)
		abort();
	if (wire_text_core(alone, size, &from, &to)) {
		if (from >= to || to > size)
			abort();
		full = wire_text_effects(alone, size) & ~(unsigned)TEXT_BEGIN;
		quick = wire_text_effects(alone + from, to - from) & ~(unsigned)TEXT_BEGIN;
		if (full != quick)
			abort();
	}
	free(alone);
	free(behind);
	return 0;
}
