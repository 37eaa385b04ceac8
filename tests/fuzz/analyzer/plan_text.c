/* SPDX-License-Identifier: ISC
 *
 * Any bytes as a pasted plan in the text format.
 * Exercises plan_frame.c, plan_text.c, plan_title.c and plan_field.c, plan_time.c, plan_rule*.c and
 * plan_print.c.
 */
#include "plan_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return fuzz_plan("", data, size);
}
