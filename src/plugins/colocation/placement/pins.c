/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pins.c - containers that a CPU manager has placed. The kubelet's static one gives each container
 * of whole CPUs a list that no other container has, and all others what is left: every container
 * has a list that is not its pod's then. Those whose CPUs are nobody else's are exclusive: neither
 * they nor their pod are narrowed, and their CPUs are given to nobody.
 */
#include <string.h>

#include "placement/state.h"

#define TEXT_BYTES 2048u

static bool original_read(struct placement *placement, uint64_t id, struct cpulist *ret)
{
	struct agent *agent = placement->agent;
	const struct berth_target target = { .kind = TARGET_WORKLOAD, .id = id };
	char text[TEXT_BYTES];

	return agent->api->original_text(agent, target, KNOB_CPUSET_CPUS, text, sizeof(text)) >=
		       0 &&
	       cpulist_parse(text, ret) == 0;
}

void pin_read(struct placement *placement, struct member *member)
{
	struct cpulist list, pod;

	if (!member->is_container)
		return;
	/* None of its own: it has what its pod has. */
	if (!original_read(placement, member->id, &list) || cpulist_is_empty(&list) ||
	    cpulist_is_within(&placement->topology.online, &list)) {
		(void)member_keep(&member->own, NULL);
		return;
	}
	if (original_read(placement, member->pod, &pod) && cpulist_equals(&pod, &list))
		memset(&list, 0, sizeof(list));
	(void)member_keep(&member->own, &list);
}

void pin_judge(struct placement *placement, struct member *member)
{
	const struct member *other;
	struct member *pod;

	member->exclusive = member->own != NULL;
	if (!member->own)
		return;
	hashmap_foreach (other, &placement->members) {
		struct cpulist both;

		if (other == member || !other->own)
			continue;
		both = *other->own;
		cpulist_intersect(&both, member->own);
		if (!cpulist_is_empty(&both)) {
			member->exclusive = false;
			return;
		}
	}
	cpulist_unite(&placement->exclusive, member->own);
	pod = member_get(placement, member->pod);
	if (pod)
		pod->holds = true;
}

bool pins_judge(struct placement *placement)
{
	struct cpulist once = { 0 }, often = { 0 }, exclusive = { 0 };
	struct member *member;
	bool changed;

	hashmap_foreach (member, &placement->members) {
		struct cpulist again;

		if (!member->own)
			continue;
		again = *member->own;
		cpulist_intersect(&again, &once);
		cpulist_unite(&often, &again);
		cpulist_unite(&once, member->own);
	}
	hashmap_foreach (member, &placement->members)
		member->exclusive = member->holds = false;
	hashmap_foreach (member, &placement->members) {
		struct cpulist shared;
		struct member *pod;

		if (!member->own)
			continue;
		shared = *member->own;
		cpulist_intersect(&shared, &often);
		if (!cpulist_is_empty(&shared))
			continue;
		member->exclusive = true;
		pod = member_get(placement, member->pod);
		if (pod)
			pod->holds = true;
		cpulist_unite(&exclusive, member->own);
	}
	changed = !cpulist_equals(&exclusive, &placement->exclusive);
	placement->exclusive = exclusive;
	return changed;
}
