/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cpuset.c - the budget as a set of CPUs, the same for every offline workload: whole cores, in turn
 * from each NUMA node, from the end of the list. What a smaller budget gives is part of what a
 * larger one gives, so that nobody moves without need. The actuator gives no group a CPU that it
 * did not have, and takes the groups below along.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "macro.h"
#include "suppress/run.h"

#define CPUS_MIN 2u

const char *suppress_sys = "/sys";

int suppress_cpuset_look(struct suppress *suppress)
{
	cleanup_close int fd = open(suppress_sys, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	topology_done(&suppress->topology);
	suppress->topology = (struct topology){ 0 };
	suppress->topology_capacity = suppress->reading.capacity;
	return fd < 0 ? -errno : topology_read(fd, &suppress->topology);
}

/* Alone: rounded down, so that the target holds; with quotas: up, but for less than half a dead
 * band. Work with one CPU alone is hardly work, and on a small node half of it is enough. */
static unsigned int count_of(const struct suppress *suppress)
{
	unsigned int cpus = suppress->topology.cpus;
	unsigned int least = MAX(MIN(CPUS_MIN, cpus / 2), 1u);
	uint64_t budget = suppress->law.budget;

	if (suppress->by == SUPPRESS_BOTH)
		budget += USEC_PER_SEC - 1 - MIN(suppress_way_slack(suppress), USEC_PER_SEC - 1);
	return MIN(MAX((unsigned int)(budget / USEC_PER_SEC), least), cpus);
}

static void claim(const struct suppress *suppress, struct suppress_track *track)
{
	const struct berth_target target = { .kind = TARGET_WORKLOAD, .id = track->id };
	const struct knob_value value = { .text = suppress->cpus };

	(void)suppress->agent->api->claim_as(suppress->agent, SUPPRESS_PART, target,
					     KNOB_CPUSET_CPUS, &value, suppress_lease(suppress),
					     suppress->reason);
	track->pinned = true;
}

void suppress_cpuset_release(struct suppress *suppress, struct suppress_track *track)
{
	const struct berth_target target = { .kind = TARGET_WORKLOAD, .id = track->id };

	if (!track->pinned)
		return;
	track->pinned = false;
	suppress->agent->api->unclaim_as(suppress->agent, SUPPRESS_PART, target, KNOB_CPUSET_CPUS);
	suppress->agent->api->describe(suppress->agent, track->id, "suppress", NULL);
}

void suppress_cpuset_renew(struct suppress *suppress)
{
	struct suppress_track *track;

	hashmap_foreach (track, &suppress->tracks)
		if (track->pinned)
			claim(suppress, track);
}

bool suppress_cpuset_apply(struct suppress *suppress)
{
	char cpus[sizeof(suppress->cpus)];
	struct suppress_track *track;
	struct cpulist chosen;
	bool changed;

	/* CPUs came or went. */
	if (suppress->topology_capacity != suppress->reading.capacity &&
	    suppress_cpuset_look(suppress) < 0)
		return false;
	if (suppress->topology.core_count == 0)
		return false;
	suppress->cpu_count = count_of(suppress);
	topology_last(&suppress->topology, &suppress->topology.online, suppress->cpu_count,
		      &chosen);
	if (cpulist_format(&chosen, cpus, sizeof(cpus)) <= 0)
		return false;
	changed = strcmp(cpus, suppress->cpus) != 0;
	if (changed) {
		(void)snprintf(suppress->cpus, sizeof(suppress->cpus), "%s", cpus);
		(void)snprintf(suppress->reason, sizeof(suppress->reason),
			       "%u CPUs for offline work, of %.2f that are left",
			       cpulist_count(&chosen),
			       (double)suppress->law.budget / (double)USEC_PER_SEC);
	}
	hashmap_foreach (track, &suppress->tracks)
		if (track->offline && (changed || !track->pinned))
			claim(suppress, track);
	return changed;
}
