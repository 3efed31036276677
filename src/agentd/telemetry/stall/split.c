/* SPDX-License-Identifier: Apache-2.0 */
#include "telemetry/stall/split.h"

#include <math.h>
#include <string.h>

#include "macro.h"

#define LAG_USEC  (2.0 * 1000000) /* psi_avgs_work() updates totals every 2 s */
#define LEFT_OVER 0.001 /* of weights that a number came for: the shares of the last seconds */
#define LEAST     1.0   /* microseconds; less than that is no weight */

static double sum_of(const double weights[STALL_CAUSES])
{
	double sum = 0;

	for (unsigned int i = 0; i < STALL_CAUSES; i++)
		sum += weights[i];
	return sum;
}

static void share(uint64_t parts[STALL_CAUSES], const double weights[STALL_CAUSES], uint64_t delta)
{
	double sum = sum_of(weights);
	unsigned int largest = STALL_OTHER;
	uint64_t left = delta;

	if (sum >= LEAST) {
		for (unsigned int i = 0; i < STALL_CAUSES; i++) {
			uint64_t part = (uint64_t)((double)delta * (weights[i] / sum));

			/* A double may round up. */
			part = MIN(part, left);
			parts[i] += part;
			left -= part;
			if (weights[i] > weights[largest])
				largest = i;
		}
	}
	parts[largest] += left;
}

static void age(struct split *split, uint64_t elapsed_usec)
{
	double keep = exp(-(double)elapsed_usec / LAG_USEC);

	for (unsigned int i = 0; i < STALL_CAUSES; i++)
		split->pending[i] *= keep;
}

/* A number came for `delta` microseconds of what waits. */
static void consume(struct split *split, uint64_t delta)
{
	double sum = sum_of(split->pending), keep;

	if (sum < LEAST)
		return;
	keep = MAX(LEFT_OVER, 1 - (double)delta / sum);
	for (unsigned int i = 0; i < STALL_CAUSES; i++)
		split->pending[i] *= keep;
}

void split_begin(struct split *split, const uint64_t number[SPLIT_KINDS])
{
	memcpy(split->seen, number, sizeof(split->seen));
}

bool split_has_weights(const struct split *split, const struct split_input *input)
{
	double sum = sum_of(split->pending);

	for (unsigned int i = 0; i < STALL_CAUSES; i++)
		sum += (double)input->weight[i];
	return sum >= LEAST;
}

void split_pass(struct split *split, const struct split_input *input)
{
	double weights[STALL_CAUSES];
	uint64_t delta[SPLIT_KINDS];

	for (unsigned int kind = 0; kind < SPLIT_KINDS; kind++) {
		uint64_t seen = split->seen[kind], number = MAX(seen, input->number[kind]);

		delta[kind] = number - seen;
		split->seen[kind] = number;
	}
	age(split, input->elapsed_usec);
	for (unsigned int i = 0; i < STALL_CAUSES; i++)
		split->pending[i] += (double)input->weight[i];
	memcpy(weights, split->pending, sizeof(weights));
	if (input->is_partial && sum_of(weights) < (double)delta[SPLIT_SOME])
		weights[STALL_OTHER] += (double)delta[SPLIT_SOME] - sum_of(weights);
	for (unsigned int kind = 0; kind < SPLIT_KINDS; kind++)
		share(split->parts[kind], weights, delta[kind]);
	consume(split, delta[SPLIT_SOME]);
}
