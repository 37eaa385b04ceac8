/* SPDX-License-Identifier: ISC
 *
 * The counters' table in memory: names for the console and the metrics, and the two
 * operations that go over all counters.
 */
#include "obs.h"

const struct stats_row stats_rows[] = {
#define STATS_ROW(field, metric, unit, help)                                                       \
	{#field, metric, unit, help, offsetof(struct stats, field)},
	STATS_TABLE(STATS_ROW)
#undef STATS_ROW
};
const size_t stats_row_count = ARRAY_LEN(stats_rows);

const char *const stats_error_class[] = {
#define STATS_CLASS(class) class,
	STATS_ERROR_TABLE(STATS_CLASS)
#undef STATS_CLASS
};
const size_t stats_error_count = ARRAY_LEN(stats_error_class);

/* struct stats is nothing but counters: the loops below rely on it. */
_Static_assert(sizeof(struct stats) ==
		       sizeof(uint64_t) * (ARRAY_LEN(stats_rows) + ARRAY_LEN(stats_error_class)),
	"a counter that is not in the table");

void stats_error(struct stats *s, const char sqlstate[5])
{
	size_t i = 0;

	while (i < stats_error_count - 1 && memcmp(stats_error_class[i], sqlstate, 2) != 0)
		i++;
	stats_add(&s->errors[i], 1);
}

void stats_merge(struct stats *into, const struct stats *from)
{
	uint64_t *dst = (uint64_t *)(void *)into;
	const uint64_t *src = (const uint64_t *)(const void *)from;

	for (size_t i = 0; i < sizeof *into / sizeof *dst; i++)
		stats_add(&dst[i], stats_get(&src[i]));
}
