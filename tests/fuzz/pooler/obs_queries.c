/* SPDX-License-Identifier: ISC
 *
 * The statistics' shortcut for literals never takes two shapes for one: a text, and the same
 * with other digits, letters or pieces, have the shapes that the lexer gives them.  Exercises
 * obs_shape.c, obs_queries.c, obs_burst.c and obs_report.c.
 */
#include "obs_queries_inner.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(struct queries *q, struct queries_client *c, const char *text, size_t len)
{
	struct query_sample s = {
		.client = c, .text = text, .text_len = len, .ended = 1, .weight = 1};
	struct sql_shape shape;

	sql_lex(text, len, &shape, NULL, 0);
	queries_key(q, text, len, &s.key);
	if (s.key.shape != shape.hash)
		abort();
	queries_done(q, &s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct queries *q;
	static unsigned runs;
	struct queries_client c = {0};
	struct query_table t;
	char *text = mem_alloc(size);

	if (!q)
		q = queries_new(10);
	if (size)
		memcpy(text, data, size);
	for (size_t turn = 0; turn < 10; turn++) {
		check(q, &c, text, size);
		for (size_t i = 0; i < size; i++) {
			if (text[i] >= '0' && text[i] <= '9')
				text[i] = (char)('0' + (text[i] - '0' + 3) % 10);
			else if (turn > 3 && i % (turn + 3) == 0 && text[i] >= 'a' &&
				 text[i] <= 'z')
				text[i] = "'\"-/*$%&ex"[(i + turn) % 11];
		}
	}
	if (++runs % 1000 == 0) {
		uint64_t calls = 0;
		queries_report(&q, 1, QUERIES_SHAPES, &t);
		for (size_t i = 0; i < t.count; i++)
			calls += t.row[i].s.calls;
		if (calls != 10000)
			abort();
		query_table_release(&t);
		queries_reset(q);
	}
	free(text);
	return 0;
}
