/* SPDX-License-Identifier: Apache-2.0 */
#include "monotonic.h"

#include <time.h>

#include "macro.h"

uint64_t monotonic_usec(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * USEC_PER_SEC + (uint64_t)now.tv_nsec / NSEC_PER_USEC;
}
