/* SPDX-License-Identifier: Apache-2.0 */
/*
 * work.h - a fixed amount of work for one request: so many rounds over a small working set, counted
 * and not timed, so that a request that is disturbed takes longer instead of doing less.
 */
#pragma once

#include <stdint.h>

#define WORK_SET_WORDS 2048u /* 16 KiB: stays in the caches nearest to a core */

struct work_set {
	uint64_t words[WORK_SET_WORDS];
};

void work_do(struct work_set *set, uint64_t rounds);
/* Rounds that take `usec` of CPU time when nobody disturbs: the quickest of several tries. */
uint64_t work_calibrate(struct work_set *set, uint64_t usec);
