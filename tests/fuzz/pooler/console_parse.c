/* SPDX-License-Identifier: ISC
 *
 * Fuzzes the console's language: console_parse.c, the look-ups of console_request.c, and the
 * moments of console_who.c.  Whatever is read, words stay inside of their bytes and the text
 * is used up.
 */
#include "console.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = mem_strndup((const char *)data, size);
	const char *at = text, *end = text + strlen(text), *before = at;
	struct words w;
	const char *columns;

	while (words_next(&w, &at, end)) {
		if (at <= before)
			abort();
		before = at;
		if (w.error)
			continue;
		for (int i = 0; i < w.n; i++)
			if (w.word[i] < w.bytes ||
				w.word[i] + strlen(w.word[i]) >= w.bytes + w.used)
				abort();
		columns = request_columns(&w);
		if (columns && columns_count(columns) == 0)
			abort();
		if (w.n > 1)
			(void)who_moment(w.word[w.n - 1], clock_wall());
	}
	free(text);
	return 0;
}
