/* SPDX-License-Identifier: Apache-2.0 */
/*
 * burst.c - between a group's burst and its quota: the kernel refuses a quota below the burst, and
 * a burst above the quota (tg_set_cfs_bandwidth() in kernel/sched/core.c). So a burst of ours goes
 * down ahead of the quota, and up after it.
 */
#include <errno.h>

#include "actuator/claim/internal.h"
#include "parse.h"

static struct holding *burst_of(const struct holding *quota)
{
	struct holding *burst = quota->knob == KNOB_CPU_QUOTA_USEC
					? holding_find(quota->group, KNOB_CPU_BURST_USEC)
					: NULL;

	return burst && burst->written ? burst : NULL;
}

bool burst_yield(struct actuator *actuator, const struct holding *quota, uint64_t number)
{
	struct holding *burst = burst_of(quota);
	cleanup_close int dirfd = -EBADF;
	uint64_t written, most;

	if (!burst || parse_u64(burst->written, &written) < 0)
		return false;
	dirfd = cgroup_open(actuator->context.hierarchy, &quota->group->cgroup, CONTROLLER_CPU);
	if (dirfd < 0)
		return false;
	most = knob_quota_in(dirfd, holding_version(actuator, quota), number);
	return written > most && holding_write(actuator, burst, most) == 0;
}

void burst_follow(struct actuator *actuator, const struct holding *quota)
{
	struct holding *burst = burst_of(quota);
	uint64_t written;

	if (!burst || !actuator_writes(actuator) || !holding_is_claimed(burst) ||
	    parse_u64(burst->written, &written) < 0 || written >= burst->number)
		return;
	holding_unsettle(burst);
	holding_settle(actuator, burst);
}
