/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/clock.h"

#include <sys/random.h>

#include "monotonic.h"

uint64_t kube_random(uint64_t bound)
{
	uint64_t value = 0;

	/* Early in a boot it may not be seeded, and nothing here may wait: the clock is as good
	 * between machines. */
	if (getrandom(&value, sizeof(value), GRND_NONBLOCK) != (ssize_t)sizeof(value))
		value = monotonic_usec();
	return bound == UINT64_MAX ? value : value % (bound + 1);
}
