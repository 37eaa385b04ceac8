/* SPDX-License-Identifier: ISC
 *
 * Any text as an ident map, then questions, whose names come from the text's end as well.
 * Exercises auth_ident.c and auth_token.c; files that the text names are not read here.
 */
#include "auth.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf err = {0};
	char *text = mem_alloc(size), name[64];
	size_t n = size < sizeof name - 1 ? size : sizeof name - 1;
	struct auth_ident *i;

	memcpy(text, data, size);
	if (memchr(text, '@', size) || memmem(text, size, "include", 7)) {
		free(text);
		return 0;
	}
	memcpy(name, data + size - n, n);
	name[n] = '\0';
	i = auth_ident_parse(text, size, "ident", &err);
	if (!i == (err.len == 0))
		abort();
	if (i) {
		static const char *const maps[] = {"staff", "robots", "", NULL};

		for (size_t m = 0; m < ARRAY_LEN(maps); m++) {
			(void)auth_ident_allows(i, maps[m], name, "app", NULL, NULL);
			(void)auth_ident_allows(i, maps[m], "anna@shop.example", name, NULL, NULL);
			/* without a map a name is itself and nobody else */
			if (!maps[m] &&
				auth_ident_allows(i, NULL, "app", "app", NULL, NULL) != FACT_YES)
				abort();
			(void)auth_ident_has(i, maps[m] ? maps[m] : "");
		}
	}
	auth_ident_drop(&i);
	buf_free(&err);
	free(text);
	return 0;
}
