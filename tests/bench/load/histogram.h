/* SPDX-License-Identifier: Apache-2.0 */
/*
 * histogram.h - latencies in logarithmic buckets of 1/64 of an octave's start (error under 1.6 %),
 * as HdrHistogram has them. Adding is one atomic increment: many threads share one.
 */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

#define HISTOGRAM_SUB_BITS 6u
#define HISTOGRAM_BUCKETS  ((65u - HISTOGRAM_SUB_BITS) << HISTOGRAM_SUB_BITS)

struct histogram {
	atomic_uint_fast64_t counts[HISTOGRAM_BUCKETS];
	atomic_uint_fast64_t total, sum;
};

void histogram_reset(struct histogram *histogram);
void histogram_add(struct histogram *histogram, uint64_t value);
/* The upper edge of the bucket in which `fraction` (0.99) of all values is reached; 0 if empty. */
uint64_t histogram_quantile(const struct histogram *histogram, double fraction);
