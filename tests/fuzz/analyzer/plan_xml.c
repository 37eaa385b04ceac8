/* SPDX-License-Identifier: ISC
 *
 * Any bytes as a plan in XML.
 * Exercises plan_xml.c, plan_time.c, plan_rule*.c and plan_print.c.
 */
#include "plan_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return fuzz_plan("<explain>", data, size);
}
