/* SPDX-License-Identifier: ISC
 *
 * gate_interval: where a quantile lies, by order statistics.
 *
 * How many of n values lie below the true q-quantile follows the binomial distribution with n and
 * q, whatever the values' own distribution is.  So the quantile lies between the values of two
 * ranks with the probability that the count lies between them.  With few values the upper end is
 * open: of twenty values the largest is no bound for the 95th percentile.
 */
#include "gate.h"

#include <math.h>

/* The least or the largest value that may have a rank, 1 … total. */
static double value_at(const struct sketch *s, uint64_t rank, bool largest)
{
	uint64_t seen = 0;

	if (rank >= s->total)
		return (double)s->max;
	for (uint32_t i = 0; i < s->n; i++) {
		seen += s->count[i];
		if (seen >= rank) {
			double v = largest ? (double)sketch_bucket_low(s->lo + i + 1) - 1
					   : (double)sketch_bucket_low(s->lo + i);
			return fmin(fmax(v, (double)s->min), (double)s->max);
		}
	}
	return (double)s->max;
}

/* The least k with P(count <= k) > p, or >= p within rounding. */
static uint64_t binomial_quantile(uint64_t n, double q, double p, bool beyond)
{
	double sum = 0, mean = (double)n * q, dev = sqrt(mean * (1 - q));
	uint64_t from = mean > 12 * dev ? (uint64_t)(mean - 12 * dev) : 0;

	for (uint64_t k = from; k < n; k++) {
		sum += exp(lgamma((double)n + 1) - lgamma((double)k + 1) -
			   lgamma((double)(n - k) + 1) + (double)k * log(q) +
			   (double)(n - k) * log1p(-q));
		if (beyond ? sum > p + 1e-9 : sum >= p - 1e-9)
			return k;
	}
	return n;
}

void sketch_interval(const struct sketch *s, double q, double sure, double *low, double *high)
{
	double tail = (1 - sure) / 2;
	uint64_t k;

	*low = 0;
	*high = INFINITY;
	if (s->total == 0)
		return;
	/* At least k values lie below the quantile but for the tail: the k-th is no larger. */
	k = binomial_quantile(s->total, q, tail, true);
	if (k > 0)
		*low = value_at(s, k, false);
	/* At most k do: the one behind is no smaller. */
	k = binomial_quantile(s->total, q, 1 - tail, false);
	if (k < s->total)
		*high = value_at(s, k + 1, true);
}
