/* SPDX-License-Identifier: Apache-2.0 */
/*
 * way.c - by what offline work is held. A quota is exact, but each time that a throttled group may
 * go on, CFS lets it run ahead of online work for up to a tick; a set of CPUs never does, but
 * counts in whole CPUs. Both together keep that to as many CPUs as offline work needs, and from
 * being throttled at all while the budget is whole CPUs.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "colocation.h"
#include "macro.h"
#include "suppress/run.h"

#define CPUS_MIN 4u /* with less, the least set is half of the node or more */

static bool available(struct suppress *suppress, enum knob knob, const char *what)
{
	const char *reason = NULL;

	if (suppress->agent->api->knob_available(suppress->agent, knob, &reason) > 0)
		return true;
	(void)snprintf(suppress->way_text, sizeof(suppress->way_text), "off: no %s here: %.120s",
		       what, reason ? reason : "");
	return false;
}

/* Tidal affinity moves the CPUs of offline work as well. */
static bool cpus_enough(struct suppress *suppress)
{
	if (suppress->tidal)
		return false;
	if (suppress->topology.core_count == 0 && suppress_cpuset_look(suppress) < 0)
		return false;
	return suppress->topology.cpus >= CPUS_MIN;
}

int suppress_way_choose(struct suppress *suppress)
{
	enum suppress_by by = (enum suppress_by)suppress->config->by;
	bool quota, cpuset;

	quota = by != SUPPRESS_CPUSET && available(suppress, KNOB_CPU_QUOTA_USEC, "CPU quotas");
	if (by == SUPPRESS_AUTO && !quota)
		by = suppress->tidal ? SUPPRESS_QUOTA : SUPPRESS_CPUSET;
	cpuset = by != SUPPRESS_QUOTA && available(suppress, KNOB_CPUSET_CPUS, "cpusets");
	if (by == SUPPRESS_AUTO)
		by = cpuset && cpus_enough(suppress) ? SUPPRESS_BOTH : SUPPRESS_QUOTA;
	if ((by != SUPPRESS_QUOTA && !cpuset) || (by != SUPPRESS_CPUSET && !quota))
		return -EOPNOTSUPP;
	suppress->by = by;
	return 0;
}

uint64_t suppress_way_slack(const struct suppress *suppress)
{
	return suppress->reading.capacity / 200 * suppress->config->dead_band_percent;
}

bool suppress_way_quotas(const struct suppress *suppress)
{
	uint64_t whole = suppress->cpu_count * USEC_PER_SEC, slack = suppress_way_slack(suppress);

	if (suppress->by != SUPPRESS_BOTH)
		return suppress->by == SUPPRESS_QUOTA;
	if (suppress->cpus[0] == '\0')
		return true; /* the CPUs cannot be read: there is no set */
	/* Those that are there stay a little longer, so that they do not come and go. */
	return suppress->law.budget + (suppress->quotas ? slack / 2 : slack) < whole;
}
