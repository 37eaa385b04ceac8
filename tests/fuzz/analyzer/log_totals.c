/* SPDX-License-Identifier: ISC
 *
 * Any bytes as a CSV of pg_stat_statements.
 */
#include "log_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return fuzz_format("pg_stat_statements", NULL, data, size);
}
