/* SPDX-License-Identifier: Apache-2.0 */
/*
 * split.h - one number into parts: how long the kernel says that a workload was stalled, by
 * how long its tasks were seen to wait for each cause. Nothing but arithmetic.
 *
 * The parts always sum to the number, as far as it was seen: they are integers, and what division
 * leaves over goes to the largest. The kernel's number comes up to 2 s late: weights wait for it,
 * at most a few seconds. A wait that has not ended has no weight yet; it is shared like those of
 * the last seconds before it, and goes to STALL_OTHER where there were none.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "telemetry/stall/record.h"

enum { SPLIT_SOME, SPLIT_FULL, SPLIT_KINDS };

struct split {
	uint64_t parts[SPLIT_KINDS][STALL_CAUSES];
	uint64_t seen[SPLIT_KINDS];
	double pending[STALL_CAUSES]; /* weights that no number came for, in microseconds */
};

/* What one pass found. */
struct split_input {
	uint64_t number[SPLIT_KINDS]; /* the kernel's totals; one that went back counts as unchanged
				       */
	uint64_t weight[STALL_CAUSES]; /* microseconds of task time since the last pass */
	uint64_t elapsed_usec;
	/* Waits exist that have no weight: what is more than the weights is STALL_OTHER's. */
	bool is_partial;
};

/* The numbers from which it counts: what was before is in no part. */
void split_begin(struct split *split, const uint64_t number[SPLIT_KINDS]);
void split_pass(struct split *split, const struct split_input *input);
/* Is there anything by which a number could be shared? */
bool split_has_weights(const struct split *split, const struct split_input *input);
