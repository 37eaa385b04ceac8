/* SPDX-License-Identifier: ISC
 *
 * Any bytes as a statement: the lexer, the mask and the splitter; the shape does not depend on
 * how much of its text is asked for, nor on whether a memo is asked instead.
 */
#include "sql.h"
#include "sql_memo.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a = {0};
	struct sql_shape s, t;
	char norm[300];
	const char *p = (const char *)data;

	static struct sql_memo *memo; /* lives on: what was seen before must not matter */
	if (!memo)
		memo = memo_new();
	sql_lex(p, size, &s, NULL, 0);
	memo_lex(memo, p, size, &t);
	if (memcmp(&s, &t, offsetof(struct sql_shape, chain) + sizeof(s.chain)) != 0)
		abort();
	size_t n = sql_lex(p, size, &t, norm, sizeof(norm));
	if (s.hash != t.hash || n > sizeof(norm))
		abort();
	struct str masked = sql_mask(&a, (struct str){p, size});
	if (masked.n > size + s.literals + 1)
		abort();
	if (size && sql_statement_end(p, size) > size)
		abort();
	arena_release(&a);
	return 0;
}
