/* SPDX-License-Identifier: ISC
 *
 * Any bytes as a log in the format "pgbouncer".
 */
#include "log_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return fuzz_format("pgbouncer", NULL, data, size);
}
