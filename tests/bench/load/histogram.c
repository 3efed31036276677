/* SPDX-License-Identifier: Apache-2.0 */
#include "histogram.h"

#include <stddef.h>

#define SUB_COUNT (1u << HISTOGRAM_SUB_BITS)

/* Values below SUB_COUNT have a bucket each; above, an octave has SUB_COUNT buckets. */
static size_t bucket_of(uint64_t value)
{
	unsigned int octave;

	if (value < SUB_COUNT)
		return (size_t)value;
	octave = 63u - (unsigned int)__builtin_clzll(value) - HISTOGRAM_SUB_BITS;
	return ((size_t)(octave + 1) << HISTOGRAM_SUB_BITS) +
	       (size_t)((value >> octave) - SUB_COUNT);
}

static uint64_t bucket_end(size_t bucket)
{
	size_t octave = bucket >> HISTOGRAM_SUB_BITS;

	if (octave == 0)
		return bucket;
	return (((bucket & (SUB_COUNT - 1)) + SUB_COUNT + 1) << (octave - 1)) - 1;
}

void histogram_reset(struct histogram *histogram)
{
	for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++)
		atomic_store_explicit(&histogram->counts[i], 0, memory_order_relaxed);
	atomic_store(&histogram->total, 0);
	atomic_store(&histogram->sum, 0);
}

void histogram_add(struct histogram *histogram, uint64_t value)
{
	atomic_fetch_add_explicit(&histogram->counts[bucket_of(value)], 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&histogram->sum, value, memory_order_relaxed);
	/* Last and ordered: whoever has seen the total sees the counts. */
	atomic_fetch_add(&histogram->total, 1);
}

uint64_t histogram_quantile(const struct histogram *histogram, double fraction)
{
	uint64_t total = atomic_load(&histogram->total), seen = 0;
	uint64_t wanted = (uint64_t)((double)total * fraction);

	if (total == 0)
		return 0;
	for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
		seen += atomic_load_explicit(&histogram->counts[i], memory_order_relaxed);
		if (seen > wanted || seen == total)
			return bucket_end(i);
	}
	return bucket_end(HISTOGRAM_BUCKETS - 1);
}
