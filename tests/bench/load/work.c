/* SPDX-License-Identifier: Apache-2.0 */
#include "work.h"

#include <time.h>

#include "macro.h"

#define CALIBRATE_TRIES  15
#define CALIBRATE_ROUNDS 200000ULL

void work_do(struct work_set *set, uint64_t rounds)
{
	uint64_t state = set->words[0] | 1;

	for (uint64_t i = 0; i < rounds; i++) {
		state = state * 6364136223846793005ULL + 1442695040888963407ULL;
		set->words[(state >> 40) % WORK_SET_WORDS] += state;
	}
	/* Carried over, so that the compiler cannot drop the loop. */
	set->words[0] = state;
}

static uint64_t thread_cpu_nsec(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000000ULL + (uint64_t)now.tv_nsec;
}

uint64_t work_calibrate(struct work_set *set, uint64_t usec)
{
	uint64_t best_nsec = UINT64_MAX;

	for (int i = 0; i < CALIBRATE_TRIES; i++) {
		uint64_t begin = thread_cpu_nsec();

		work_do(set, CALIBRATE_ROUNDS);
		best_nsec = MIN(best_nsec, thread_cpu_nsec() - begin);
	}
	return MAX(usec * NSEC_PER_USEC * CALIBRATE_ROUNDS / MAX(best_nsec, 1ULL), 1ULL);
}
