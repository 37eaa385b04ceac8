/* SPDX-License-Identifier: ISC
 *
 * struct hist: a log-linear histogram.
 *
 *   octave 0    values 0..63, one each
 *   octave 1    64..127, one each
 *   octave k    2^(k+5) .. 2^(k+6)-1 in 64 buckets of 2^(k-1)
 *
 * A bucket of octave k is 1/64 of its lower edge wide, and its middle is what it answers,
 * so an answer is off by at most 1/128.  An octave is published with release order after
 * it was zeroed; it lives as long as the histogram, so that readers need no lock.
 */
#include "obs.h"

#include <math.h>

/* The middle of a bucket: what stands for all its values. */
static uint64_t value_of(unsigned octave, unsigned slot)
{
	uint64_t low, width;

	if (octave == 0)
		return slot;
	width = (uint64_t)1 << (octave - 1);
	low = (HIST_SLOTS + (uint64_t)slot) << (octave - 1);
	return low + (width - 1) / 2;
}

static uint64_t *octave_get(const struct hist *h, unsigned octave)
{
	return __atomic_load_n(&h->octave[octave], __ATOMIC_ACQUIRE);
}

static uint64_t *octave_need(struct hist *h, unsigned octave)
{
	uint64_t *o = h->octave[octave];

	if (UNLIKELY(!o)) {
		o = mem_zalloc(HIST_SLOTS * sizeof *o);
		__atomic_store_n(&h->octave[octave], o, __ATOMIC_RELEASE);
	}
	return o;
}

void hist_add_n(struct hist *h, uint64_t value, uint64_t n)
{
	uint64_t v = value >> 40 ? ((uint64_t)1 << 40) - 1 : value;
	unsigned octave = hist_octave(v);

	stats_add(&octave_need(h, octave)[hist_slot(v, octave)], n);
	stats_add(&h->count, n);
	stats_add(&h->sum, value * n);
	if (value > h->max)
		__atomic_store_n(&h->max, value, __ATOMIC_RELAXED);
}

void hist_merge(struct hist *into, const struct hist *from)
{
	uint64_t max = stats_get(&from->max), added = 0;

	for (unsigned k = 0; k < HIST_OCTAVES; k++) {
		const uint64_t *src = octave_get(from, k);
		uint64_t *dst;

		if (!src)
			continue;
		dst = octave_need(into, k);
		for (unsigned i = 0; i < HIST_SLOTS; i++) {
			uint64_t n = stats_get(&src[i]);
			stats_add(&dst[i], n);
			added += n;
		}
	}
	/* The sum of the buckets, not from->count: they were read at one moment and the
	 * count of a busy writer at another, and readers rely on the two being equal. */
	stats_add(&into->count, added);
	stats_add(&into->sum, stats_get(&from->sum));
	if (max > into->max)
		__atomic_store_n(&into->max, max, __ATOMIC_RELAXED);
}

void hist_subtract(struct hist *h, const struct hist *earlier)
{
	uint64_t count = 0, max = 0, sum = earlier->sum < h->sum ? h->sum - earlier->sum : 0;

	for (unsigned k = 0; k < HIST_OCTAVES; k++) {
		uint64_t *o = h->octave[k];
		const uint64_t *e = octave_get(earlier, k);
		for (unsigned i = 0; o && i < HIST_SLOTS; i++) {
			uint64_t gone = e ? e[i] : 0;
			o[i] = o[i] > gone ? o[i] - gone : 0;
			count += o[i];
			if (o[i])
				max = value_of(k, i);
		}
	}
	h->count = count;
	h->sum = count ? sum : 0;
	if (max < h->max)
		h->max = max;
}

static uint64_t total(const struct hist *h)
{
	uint64_t n = 0;

	for (unsigned k = 0; k < HIST_OCTAVES; k++) {
		const uint64_t *o = octave_get(h, k);
		for (unsigned i = 0; o && i < HIST_SLOTS; i++)
			n += stats_get(&o[i]);
	}
	return n;
}

uint64_t hist_quantile(const struct hist *h, double q)
{
	uint64_t all = total(h), want, seen = 0, max = stats_get(&h->max);

	if (all == 0)
		return 0;
	if (q >= 1.0)
		return max;
	want = q <= 0.0 ? 1 : (uint64_t)ceil(q * (double)all);
	if (want == 0)
		want = 1;
	for (unsigned k = 0; k < HIST_OCTAVES; k++) {
		const uint64_t *o = octave_get(h, k);
		for (unsigned i = 0; o && i < HIST_SLOTS; i++) {
			seen += stats_get(&o[i]);
			if (seen >= want) {
				uint64_t v = value_of(k, i);
				return v < max ? v : max;
			}
		}
	}
	return max;
}

uint64_t hist_count_below(const struct hist *h, uint64_t bound)
{
	uint64_t n = 0;

	for (unsigned k = 0; k < HIST_OCTAVES; k++) {
		const uint64_t *o = octave_get(h, k);
		for (unsigned i = 0; o && i < HIST_SLOTS && value_of(k, i) <= bound; i++)
			n += stats_get(&o[i]);
	}
	return n;
}

void hist_reset(struct hist *h)
{
	for (unsigned k = 0; k < HIST_OCTAVES; k++) {
		uint64_t *o = h->octave[k];
		for (unsigned i = 0; o && i < HIST_SLOTS; i++)
			__atomic_store_n(&o[i], 0, __ATOMIC_RELAXED);
	}
	__atomic_store_n(&h->count, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&h->sum, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&h->max, 0, __ATOMIC_RELAXED);
}

void hist_release(struct hist *h)
{
	for (unsigned k = 0; k < HIST_OCTAVES; k++)
		free(h->octave[k]);
	memset(h, 0, sizeof *h);
}
