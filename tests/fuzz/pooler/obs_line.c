/* SPDX-License-Identifier: ISC
 *
 * Any bytes as statement, Bind and ErrorResponse: the line is valid JSON and shows no
 * masked secret, and no byte beyond the input is read.  Exercises obs_line.c, obs_param.c,
 * obs_value.c and obs_mask.c.
 *
 * Input: a flag byte, two lengths, then text, Bind, ErrorResponse and type oids.
 */
#include "obs_inner.h"

#include <jansson.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The types whose decoders are worth reaching. */
static const uint32_t oids[] = {0, 16, 17, 20, 21, 23, 25, 26, 114, 600, 650, 700, 701, 869, 1082,
	1083, 1114, 1184, 1186, 1266, 1700, 2950, 3802, 1007, 1009, 1016, 1231, 2951, 199, 1185};

/* A copy of exactly n bytes, so that ASan sees what reads behind them. */
static void *exact(const uint8_t *p, size_t n)
{
	void *c = mem_alloc(n);

	memcpy(c, p, n);
	return c;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct line line;
	static struct qlog_session *session;
	struct qlog_statement s = {.start = 1, .tag = "SELECT 1", .name = "n"};
	struct buf out = {0};
	uint32_t types[16];
	size_t text, bind;
	void *copies[3];
	json_t *j;

	if (size < 3)
		return 0;
	if (!session) {
		struct qlog_session_info i = {.user = "u", .dbname = "d"};
		session = qlog_session_new(&i);
	}
	line.o.parameters = data[0] & 1 ? QLOG_PARAMETERS_HASH : QLOG_PARAMETERS_ON;
	line.o.max_text = data[0] & 2 ? 16 : 0;
	text = data[1];
	bind = data[2];
	s.kind = data[0] & 4 ? QLOG_EXECUTE : QLOG_STATEMENT;
	s.session = session;
	for (size_t i = 0; i < ARRAY_LEN(types); i++)
		types[i] = oids[(size_t)data[(i + 3) % size] % ARRAY_LEN(oids)];
	s.types = types;
	s.type_count = ARRAY_LEN(types);
	size -= 3;
	text = text < size ? text : size;
	bind = bind < size - text ? bind : size - text;
	s.text = copies[0] = exact(data + 3, text);
	s.text_len = text;
	s.bind = copies[1] = exact(data + 3 + text, bind);
	s.bind_len = bind;
	copies[2] = exact(data + 3 + text + bind, size - text - bind);
	if (data[0] & 8) {
		s.error = copies[2];
		s.error_len = size - text - bind;
	}
	line_put(&line, &out, &s, 1);
	j = json_loadb(out.data, out.len - 1, JSON_REJECT_DUPLICATES, NULL);
	if (!j || out.data[out.len - 1] != '\n' || memchr(out.data, '\n', out.len - 1))
		abort();
	json_decref(j);
	buf_free(&out);
	for (size_t i = 0; i < ARRAY_LEN(copies); i++)
		free(copies[i]);
	return 0;
}
