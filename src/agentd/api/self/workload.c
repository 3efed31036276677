/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "api/self/internal.h"
#include "macro.h"
#include "workload/registry.h"

static const char *const kinds[] = { "pod", "container", "vm", "unit", "cgroup" };

#define LEVELS (QOS_CRITICAL - QOS_SCAVENGER + 1)

void self_fill_workloads(struct self_page *page, const struct self_state *state)
{
	uint64_t counts[ARRAY_SIZE(kinds)][LEVELS] = {}, conflicts = 0, stale = 0;
	const struct workload *workload;

	list_foreach (workload, &state->registry->workloads, link) {
		conflicts += workload->decision.conflict || workload->decision.malformed;
		stale += workload->stale;
		for (size_t kind = 0; kind < ARRAY_SIZE(kinds); kind++)
			if (strcmp(workload->kind, kinds[kind]) == 0)
				counts[kind][workload->view.qos - QOS_SCAVENGER]++;
	}

	for (size_t kind = 0; kind < ARRAY_SIZE(kinds); kind++)
		for (int level = 0; level < LEVELS; level++) {
			const char *values[] = { kinds[kind], qos_name((enum qos_level)(
								      level + QOS_SCAVENGER)) };

			if (counts[kind][level])
				self_set(page, SELF_WORKLOADS, values, (double)counts[kind][level]);
		}
	self_set_plain(page, SELF_WORKLOAD_CONFLICTS, (double)conflicts);
	self_set_plain(page, SELF_WORKLOADS_STALE, (double)stale);
}
