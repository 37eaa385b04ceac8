/* SPDX-License-Identifier: ISC
 *
 * facts_sketch: counts in log-linear buckets.
 *
 * A value below 2 * SUB has a bucket of its own; above, every power of two is cut into SUB
 * equal buckets.  A quantile is the middle of its bucket, kept within the least and the
 * greatest value seen, so it is off by at most half a bucket: 1 / (2 * SUB) of itself.
 */
#include "facts.h"

#include <math.h>

#define SUB_BITS SKETCH_BITS
#define SUB	 (1u << SUB_BITS)

uint64_t sketch_bucket_low(uint32_t b)
{
	if (b < 2 * SUB)
		return b;
	uint32_t exp = (b >> SUB_BITS) - 1;
	return (uint64_t)(b - (exp << SUB_BITS)) << exp;
}

/* Makes buckets lo … hi part of the array. */
static void widen(struct sketch *s, uint32_t lo, uint32_t hi)
{
	if (s->n && lo >= s->lo && hi < s->lo + s->n)
		return;
	uint32_t from = s->n && s->lo < lo ? s->lo : lo;
	uint32_t to = s->n && s->lo + s->n > hi + 1 ? s->lo + s->n : hi + 1;
	if (s->n && from < s->lo) /* grow by a margin: latencies come in every order */
		from = from > 32 ? from - 32 : 0;
	to += 32;
	uint64_t *count = mem_zalloc((to - from) * sizeof(*count));
	if (s->n)
		memcpy(count + (s->lo - from), s->count, s->n * sizeof(*count));
	free(s->count);
	s->count = count;
	s->lo = from;
	s->n = to - from;
}

void sketch_add_n(struct sketch *s, uint64_t usec, uint64_t times)
{
	uint32_t b = sketch_bucket(usec);

	widen(s, b, b);
	s->count[b - s->lo] += times;
	if (s->total == 0 || usec < s->min)
		s->min = usec;
	if (usec > s->max)
		s->max = usec;
	s->total += times;
	s->sum += usec * times;
	s->sum2 += (double)usec * (double)usec * (double)times;
}

void sketch_merge(struct sketch *into, const struct sketch *from)
{
	if (from->total == 0)
		return;
	widen(into, from->lo, from->lo + from->n - 1);
	for (uint32_t i = 0; i < from->n; i++)
		into->count[from->lo + i - into->lo] += from->count[i];
	if (into->total == 0 || from->min < into->min)
		into->min = from->min;
	if (from->max > into->max)
		into->max = from->max;
	into->total += from->total;
	into->sum += from->sum;
	into->sum2 += from->sum2;
}

double sketch_quantile(const struct sketch *s, double q)
{
	uint64_t rank = (uint64_t)ceil(q * (double)s->total), seen = 0;

	if (s->total == 0)
		return 0;
	rank = rank < 1 ? 1 : rank;
	for (uint32_t i = 0; i < s->n; i++) {
		seen += s->count[i];
		if (seen < rank)
			continue;
		uint64_t lo = sketch_bucket_low(s->lo + i), hi = sketch_bucket_low(s->lo + i + 1);
		double v = (double)lo + (double)(hi - lo - 1) / 2;
		return v < (double)s->min   ? (double)s->min
		       : v > (double)s->max ? (double)s->max
					    : v;
	}
	return (double)s->max;
}

double sketch_mean(const struct sketch *s)
{
	return s->total ? (double)s->sum / (double)s->total : 0;
}

double sketch_stddev(const struct sketch *s)
{
	double mean = sketch_mean(s), var;

	if (s->total < 2)
		return 0;
	var = s->sum2 / (double)s->total - mean * mean;
	return var > 0 ? sqrt(var) : 0;
}

void sketch_release(struct sketch *s)
{
	free(s->count);
	memset(s, 0, sizeof(*s));
}
