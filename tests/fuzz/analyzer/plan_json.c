/* SPDX-License-Identifier: ISC
 *
 * Any bytes as a plan in JSON.
 * Exercises plan_find.c and plan_tree.c, plan_time.c, plan_rule*.c and plan_print.c.
 */
#include "plan_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return fuzz_plan("[{", data, size);
}
