/* SPDX-License-Identifier: Apache-2.0 */
/* check.c - settings of placement that cannot be together. */
#include <errno.h>
#include <stdio.h>

#include "macro.h"
#include "placement/state.h"

#define SYSCTL_LEAST_USEC (100 * USEC_PER_MSEC)

static int fault(struct berth_error *reterr, const char *key, const char *text)
{
	reterr->key = key;
	(void)snprintf(reterr->text, sizeof(reterr->text), "%s", text);
	return -EINVAL;
}

int placement_check(const struct colocation_config *config, struct berth_error *reterr)
{
	const struct placement_config *own = &config->placement;

	if (own->low_percent >= own->high_percent)
		return fault(reterr, "placement.tidal.low_percent",
			     "must be below placement.tidal.high_percent: between the two nothing "
			     "moves");
	if (own->share_percent < own->floor_percent)
		return fault(reterr, "placement.tidal.share_percent",
			     "must not be below placement.tidal.floor_percent, which offline work "
			     "always has");
	if (own->tidal_enabled && own->tidal_way != TIDAL_PREFERRED && config->suppress.enabled &&
	    (config->suppress.by == SUPPRESS_CPUSET || config->suppress.by == SUPPRESS_BOTH))
		return fault(reterr, "placement.tidal.enabled",
			     "and suppress.by: cpuset or both would both move the CPUs of offline "
			     "work: choose one, or suppress.by: quota");
	if (own->overload_usec > 0 && own->overload_usec < SYSCTL_LEAST_USEC)
		return fault(reterr, "cpu.overload_detect",
			     "the kernel takes 100ms to 100s; 0 leaves it alone");
	if (own->wait_usec > 0 && own->wait_usec < SYSCTL_LEAST_USEC)
		return fault(reterr, "cpu.overload_wait",
			     "the kernel takes 100ms to 1s; 0 leaves it alone");
	if (own->level_weights && own->level_weights[0] &&
	    level_weights_check(own->level_weights) < 0)
		return fault(reterr, "cpu.level_weights",
			     "five numbers of 1 or more, for the levels -2, -1, 0, 1 and 2");
	return 0;
}
