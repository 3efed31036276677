/* SPDX-License-Identifier: Apache-2.0 */
/* give.c - whole cores to critical workloads: between the members and the law of cores.h. */
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "placement/state.h"

static int wish_compare(const void *a, const void *b)
{
	const struct cores_wish *x = a, *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

static size_t wishes_collect(struct placement *placement, struct cores_wish *wishes)
{
	struct member *member;
	size_t count = 0;

	hashmap_foreach (member, &placement->members) {
		/* Its containers are where a CPU manager wants them; or it is part of one that
		 * wishes for cores. */
		if (member->cpus == 0 || member->holds || member_wish_above(placement, member))
			continue;
		wishes[count] = (struct cores_wish){ .id = member->id, .cpus = member->cpus };
		if (member->given)
			wishes[count].given = *member->given;
		count++;
	}
	/* Whoever came first is served first, whatever the order of the table. */
	qsort(wishes, count, sizeof(*wishes), wish_compare);
	return count;
}

bool cores_settle(struct placement *placement)
{
	unsigned int cpus = placement->topology.cpus;
	uint64_t keep = (cpus * placement->config->placement.shared_percent + 99) / 100;
	cleanup_free struct cores_wish *wishes =
		calloc(placement->members.count + 1, sizeof(*wishes));
	struct cpulist given = { 0 };
	struct member *member;
	size_t count;
	bool changed;

	/* As it was: the next event tries again. */
	if (!wishes)
		return false;
	count = placement->whole_cores ? wishes_collect(placement, wishes) : 0;
	if (count > 0)
		cores_give(&placement->topology, &placement->exclusive, (unsigned int)keep, wishes,
			   count);
	hashmap_foreach (member, &placement->members) {
		bool part = member->cpus > 0 && member_wish_above(placement, member) != NULL;

		if (member->given && (member->cpus == 0 || member->holds || part))
			(void)member_keep(&member->given, NULL);
		member->why_not = member->holds ? "the kubelet's CPU manager has placed it"
				  : part ? "it is part of a group above it that asks for some"
					 : NULL;
	}
	for (size_t i = 0; i < count; i++) {
		member = member_get(placement, wishes[i].id);
		member->why_not = wishes[i].why_not;
		if (member_keep(&member->given, &wishes[i].given))
			cpulist_unite(&given, &wishes[i].given);
	}
	changed = !cpulist_equals(&given, &placement->given);
	placement->given = given;
	return changed;
}
