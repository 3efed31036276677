/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memory-priority.c - memory priority by QoS level: whose memory is kept, and who dies first.
 *
 * vendor     memory.qos_level=-1: the OOM killer of openEuler and Kylin takes victims there first.
 * upstream   memory.low or memory.min on critical workloads, of the size of their request, and
 *            oom_score_adj on offline processes.
 * emulation  oom_score_adj alone (cgroup v1 of upstream kernels has no protection).
 *
 * No request, no protection: protecting whatever a workload happens to use would let one leak push
 * everybody else out.
 */
#include <stdio.h>

#include "colocation.h"

static void memory_decide_oom(const struct colocation_config *config,
			      const struct colocation_host *host,
			      const struct berth_workload *workload, struct wants *ret)
{
	if (workload->qos >= QOS_NORMAL || config->memory_oom_score_adj == 0 ||
	    !host->has_oom_score_adj)
		return;
	wants_add(ret, KNOB_OOM_SCORE_ADJ, config->memory_oom_score_adj);
	(void)snprintf(ret->why, sizeof(ret->why), "oom_score_adj=%llu: killed first",
		       (unsigned long long)config->memory_oom_score_adj);
}

static void memory_decide_protection(const struct colocation_config *config,
				     const struct colocation_host *host,
				     const struct berth_workload *workload, struct wants *ret)
{
	enum knob knob = config->memory_protect == PROTECT_MIN ? KNOB_MEMORY_MIN_BYTES
							       : KNOB_MEMORY_LOW_BYTES;
	bool has = knob == KNOB_MEMORY_MIN_BYTES ? host->has_memory_min : host->has_memory_low;

	if (workload->qos < QOS_CRITICAL || config->memory_protect == PROTECT_OFF || !has)
		return;
	if (workload->memory_request_bytes == 0) {
		(void)snprintf(
			ret->why, sizeof(ret->why),
			"not protected: it requests no memory (rules: requests: {memory: …})");
		return;
	}
	wants_add(ret, knob, workload->memory_request_bytes);
	(void)snprintf(ret->why, sizeof(ret->why), "%s: its request of %llu bytes is protected",
		       knob == KNOB_MEMORY_MIN_BYTES ? "memory.min" : "memory.low",
		       (unsigned long long)workload->memory_request_bytes);
}

void memory_decide(const struct colocation_config *config, const struct colocation_host *host,
		   const struct berth_workload *workload, bool parent_is_offline, struct wants *ret)
{
	*ret = (struct wants){ 0 };
	if (!config->memory_enabled) {
		(void)snprintf(ret->why, sizeof(ret->why), "off: memory.enabled is false");
		return;
	}
	(void)snprintf(ret->why, sizeof(ret->why), "%s: nothing to do",
		       workload->qos >= QOS_NORMAL ? "online" : "offline");
	switch (host->memory.way) {
	case WAY_VENDOR:
		if (workload->qos >= QOS_NORMAL)
			break;
		if (parent_is_offline) {
			(void)snprintf(ret->why, sizeof(ret->why),
				       "inherits memory.qos_level from the offline group above it");
			break;
		}
		wants_add(ret, KNOB_MEMORY_QOS_LEVEL, (uint64_t)(int64_t)-1);
		(void)snprintf(ret->why, sizeof(ret->why), "memory.qos_level=-1: killed first");
		break;
	case WAY_UPSTREAM:
		memory_decide_protection(config, host, workload, ret);
		memory_decide_oom(config, host, workload, ret);
		break;
	case WAY_EMULATION:
		memory_decide_oom(config, host, workload, ret);
		break;
	case WAY_AUTO:
	case WAY_NONE:
		(void)snprintf(ret->why, sizeof(ret->why), "%.150s", host->memory.detail);
		break;
	}
}
