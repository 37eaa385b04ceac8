/* SPDX-License-Identifier: ISC
 *
 * Any log_line_prefix (the first line) before any log: it is refused, or matched in bounded time;
 * and one is inferred from the log.
 */
#include "log_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *nl = memchr(data, '\n', size);
	char text[256];
	struct err why;
	int fit;

	if (!nl || (size_t)(nl - data) >= sizeof(text))
		return 0;
	memcpy(text, data, (size_t)(nl - data));
	text[nl - data] = '\0';
	size_t n = size - (size_t)(nl + 1 - data);
	char *log = mem_alloc(n ? n : 1);
	memcpy(log, nl + 1, n);
	struct log_prefix *given = prefix_new(text, &why), *seen = prefix_infer(log, n, &fit);
	if (given)
		fuzz_format("stderr", text, nl + 1, n);
	prefix_free(&given);
	prefix_free(&seen);
	free(log);
	return 0;
}
