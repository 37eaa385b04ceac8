/* SPDX-License-Identifier: ISC
 *
 * Any bytes as a plan that a client or a program has drawn.
 * Exercises plan_markup.c, plan_literal.c, plan_typeset.c and plan_psql.c, plan_time.c,
 * plan_rule*.c and plan_print.c.
 */
#include "plan_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return fuzz_plan("", data, size);
}
