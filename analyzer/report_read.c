/* SPDX-License-Identifier: ISC
 *
 * report_read: what is read back from a JSON report by those who combine or compare reports.
 */
#include "report.h"

#include <jansson.h>
#include <math.h>

static uint64_t usec_of(const json_t *o, const char *key)
{
	double ms = js_get_real(o, key);

	return ms > 0 && ms < 1e15 ? (uint64_t)llround(ms * 1000) : 0;
}

/* Rebuilds a sketch from its buckets and the exact figures beside it. */
void report_read_sketch(const json_t *o, struct sketch *out)
{
	const json_t *buckets = json_object_get(o, "sketch");
	double mean, dev;

	for (size_t i = 0; i + 1 < json_array_size(buckets); i += 2) {
		int64_t b = json_integer_value(json_array_get(buckets, i));
		int64_t n = json_integer_value(json_array_get(buckets, i + 1));
		if (b < 0 || b > 8000 || n < 1)
			continue;
		sketch_add_n(out, sketch_bucket_low((uint32_t)b), (uint64_t)n);
	}
	if (out->total == 0)
		return;
	out->sum = usec_of(o, "total_ms");
	out->min = usec_of(o, "min_ms");
	out->max = usec_of(o, "max_ms");
	mean = (double)out->sum / (double)out->total;
	dev = js_get_real(o, "stddev_ms") * 1000;
	out->sum2 = (double)out->total * (dev * dev + mean * mean);
}
