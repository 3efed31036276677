/* SPDX-License-Identifier: Apache-2.0 */
/* way.c - which way a resource goes on this host. */
#include <stdio.h>

#include "macro.h"
#include "priority/priority.h"

static const char *way_name(enum way way)
{
	static const char *const names[] = { "auto", "vendor", "upstream", "emulation", "none" };

	return names[way];
}

struct way_candidate {
	enum way way;
	enum knob knob; /* having it means that the host can go this way */
};

static const struct way_candidate cpu_ways[] = {
	{ WAY_VENDOR, KNOB_CPU_QOS_LEVEL },
	{ WAY_UPSTREAM, KNOB_CPU_IDLE },
	{ WAY_EMULATION, KNOB_CPU_WEIGHT },
};

/* memory.qos_level answers EACCES until vm.memcg_qos_enable is 1 (openEuler mm/memcontrol.c), and
 * that switch is a knob of ours: having the switch is having the way. */
static const struct way_candidate memory_ways[] = {
	{ WAY_VENDOR, KNOB_MEMCG_QOS_ENABLE },
	{ WAY_UPSTREAM, KNOB_MEMORY_LOW_BYTES },
	{ WAY_EMULATION, KNOB_OOM_SCORE_ADJ },
};

static void way_choose(struct agent *agent, const struct way_candidate *candidates, size_t count,
		       enum way wanted, struct way_choice *ret)
{
	const char *reason = "";

	ret->way = WAY_NONE;
	for (size_t i = 0; i < count; i++) {
		if (wanted != WAY_AUTO && wanted != candidates[i].way)
			continue;
		if (agent->api->knob_available(agent, candidates[i].knob, &reason) > 0) {
			ret->way = candidates[i].way;
			break;
		}
	}
	if (ret->way == WAY_NONE)
		(void)snprintf(ret->detail, sizeof(ret->detail), "none: %s: %s",
			       wanted == WAY_AUTO ? "the host offers no way" : way_name(wanted),
			       reason ? reason : "");
	else
		(void)snprintf(ret->detail, sizeof(ret->detail), "%s%s", way_name(ret->way),
			       wanted == WAY_AUTO ? "" : " (configured)");
}

void way_choose_cpu(struct agent *agent, const struct colocation_config *config,
		    struct way_choice *ret)
{
	way_choose(agent, cpu_ways, ARRAY_SIZE(cpu_ways), (enum way)config->cpu_way, ret);
}

void way_choose_memory(struct agent *agent, const struct colocation_config *config,
		       struct way_choice *ret)
{
	way_choose(agent, memory_ways, ARRAY_SIZE(memory_ways), (enum way)config->memory_way, ret);
}
