/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fssr.h - rubik's dynMemory policy "fssr", for those who want just that: one memory.high for every
 * offline workload, of the whole host's memory, that follows MemFree. A busy host has hardly any
 * free memory whatever it does, since the page cache takes it, and then each workload has 30 % of
 * the host: law.h is what Berth does unless asked.
 */
#pragma once

#include <stdint.h>

#define FSSR_PERIOD_USEC (5 * UINT64_C(1000000))
#define FSSR_ASYNC_RATIO 80u

struct fssr {
	uint64_t high; /* 0: not begun */
	unsigned int calm;
};

/* One period: a tenth of the memory is to be free. With less the limit goes down by a tenth of the
 * memory, to 30 % at least; with more than twice as much for 12 periods the 13th raises it by a
 * hundredth, to 80 % at most. */
uint64_t fssr_tick(struct fssr *fssr, uint64_t total, uint64_t free);
