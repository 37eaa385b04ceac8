/* SPDX-License-Identifier: ISC
 *
 * Any bytes as a statement: nothing is read outside, and the quick pass never says less
 * than the full scan (which an EXPLAIN in front enforces).
 */
#include "wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char before[] = "explain 1;";
	char *alone = mem_alloc(size), *behind = mem_alloc(size + sizeof before);
	unsigned quick, full;

	memcpy(alone, data, size);
	memcpy(behind, before, sizeof before - 1);
	memcpy(behind + sizeof before - 1, data, size);
	quick = wire_text_effects(alone, size) & ~(unsigned)TEXT_BEGIN;
	full = wire_text_effects(behind, size + sizeof before - 1);
	if (full & ~quick)
		abort();
	free(alone);
	free(behind);
	return 0;
}
