/* SPDX-License-Identifier: ISC
 *
 * Any bytes as a client's first packet, whole and at every split, then the walks and answers
 * that follow from it.  Exercises wire_startup.c.
 */
#include "wire_startup.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void walk(const struct startup *s)
{
	struct buf out = {0}, name = {0}, value = {0};
	const char *n, *v, *options;
	size_t pos = 0;

	while (params_next(s->params, s->params_len, &pos, &n, &v))
		if (strlen(n) + strlen(v) + 2 > s->params_len)
			abort();
	startup_put_negotiation(&out, s);
	options = params_get(s->params, s->params_len, "options");
	while (options && startup_option_next(&options, &name, &value) > 0)
		if (strlen(name.data) == 0)
			abort();
	buf_free(&out);
	buf_free(&name);
	buf_free(&value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct startup s, part;
	uint8_t *copy = mem_alloc(size);
	enum startup_kind whole;

	memcpy(copy, data, size);
	whole = startup_parse(copy, size, &s);
	if (whole == STARTUP_SESSION)
		walk(&s);
	if (whole != STARTUP_MORE && whole != STARTUP_BAD && s.used > size)
		abort();
	free(copy);
	/* no prefix may be judged otherwise than the whole */
	for (size_t n = 0; n < size && n < 64; n++) {
		uint8_t *prefix = mem_alloc(n);
		enum startup_kind kind;
		memcpy(prefix, data, n);
		kind = startup_parse(prefix, n, &part);
		if (kind != STARTUP_MORE && kind != whole)
			abort();
		free(prefix);
	}
	return 0;
}
