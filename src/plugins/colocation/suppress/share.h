/* SPDX-License-Identifier: Apache-2.0 */
/*
 * share.h - the budget divided over the offline workloads (water filling): each gets by weight,
 * what one does not want goes to those that do, and scavengers get what batch work leaves. Pure.
 * CPU is in microseconds a second.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* The kernel takes no quota below 1 ms; in periods of 100 ms that is this. */
#define SHARE_MIN 10000u

struct share {
	uint64_t weight; /* at least 1 */
	uint64_t demand; /* what it would use; UINT64_MAX: all that it gets */
	uint64_t most;   /* its own limit; UINT64_MAX: none */
	int level;       /* the higher is served first */
	uint64_t amount; /* the result */
};

/* Everyone gets SHARE_MIN first, whether the budget has that or not: nobody can get less. The rest
 * goes to demands, level by level; and what is left over when all are satisfied by weight over all,
 * so that one that wakes up finds something. Amounts sum up to the budget as long as limits and
 * minima let them; never above it but for the minima. */
void share_fill(struct share *shares, size_t count, uint64_t budget);
