/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memory-priority.c - memory priority by QoS level: whose memory is kept, and who dies first.
 *
 * vendor     memory.qos_level=-1: the OOM killer of openEuler and Kylin takes victims there first.
 * upstream   oom_score_adj on offline processes: the scavengers' is the highest.
 * emulation  the same, where cgroup v1 of upstream kernels has no protection.
 *
 * memory.low or memory.min protect what online workloads request, wherever the kernel has them. No
 * request, no protection: protecting whatever a workload happens to use would let one leak push
 * everybody else out.
 */
#include <stdio.h>
#include <string.h>

#include "macro.h"
#include "priority/priority.h"

/* A pod that loses one process and lives on with the others is of no use to anybody. Not for groups
 * and slices: whatever is in there would go. */
static void memory_decide_oom_group(const struct colocation_config *config,
				    const struct priority_host *host,
				    const struct berth_workload *workload, bool parent_is_offline,
				    struct wants *ret)
{
	size_t length = strlen(ret->why);

	if (!config->memory_oom_group || !host->has_oom_group || parent_is_offline ||
	    strcmp(workload->kind, "pod") != 0)
		return;
	wants_add(ret, KNOB_MEMORY_OOM_GROUP, 1);
	(void)snprintf(ret->why + length, sizeof(ret->why) - length, ", and as a whole");
}

static uint64_t oom_score_of(const struct colocation_config *config, enum qos_level level)
{
	return level <= QOS_SCAVENGER
		       ? config->memory_oom_score_adj
		       : MIN(config->memory_oom_score_adj, config->memory_oom_score_adj_batch);
}

static void memory_decide_oom(const struct colocation_config *config,
			      const struct priority_host *host,
			      const struct berth_workload *workload, struct wants *ret)
{
	uint64_t score = oom_score_of(config, workload->qos);

	if (score == 0 || !host->has_oom_score_adj)
		return;
	wants_add(ret, KNOB_OOM_SCORE_ADJ, score);
	(void)snprintf(ret->why, sizeof(ret->why), "oom_score_adj=%llu: killed %s",
		       (unsigned long long)score,
		       workload->qos <= QOS_SCAVENGER ? "first" : "before online work");
}

static void memory_explain_protection(const struct berth_workload *workload, const char *file,
				      uint64_t amount, uint32_t share, char *text, size_t size)
{
	if (share == PROTECT_WHOLE)
		(void)snprintf(text, size, "%s: its request of %llu bytes is protected", file,
			       (unsigned long long)amount);
	else
		(void)snprintf(
			text, size,
			"%s: %llu bytes, %u.%02u %% of its request of %llu, are protected: all "
			"requests are more than memory.protect_percent of the node",
			file, (unsigned long long)amount, share / 100, share % 100,
			(unsigned long long)workload->memory_request_bytes);
}

/* memory.min is for the critical ones only: what it holds the kernel rather kills for. */
static void memory_decide_protection(const struct colocation_config *config,
				     const struct priority_host *host,
				     const struct berth_workload *workload, struct wants *ret)
{
	bool hard = config->memory_protect == PROTECT_MIN && workload->qos >= QOS_CRITICAL;
	enum knob knob = hard ? KNOB_MEMORY_MIN_BYTES : KNOB_MEMORY_LOW_BYTES;
	uint64_t amount;

	if (!protect_wants(config, workload) ||
	    !(hard ? host->has_memory_min : host->has_memory_low))
		return;
	if (workload->memory_request_bytes == 0) {
		(void)snprintf(
			ret->why, sizeof(ret->why),
			"not protected: it requests no memory (rules: requests: {memory: …})");
		return;
	}
	amount = protect_amount(host, workload);
	if (amount > 0)
		wants_add(ret, knob, amount);
	memory_explain_protection(workload, hard ? "memory.min" : "memory.low", amount,
				  host->protect_shares[QOS_CRITICAL - workload->qos], ret->why,
				  sizeof(ret->why));
}

void memory_decide(const struct colocation_config *config, const struct priority_host *host,
		   const struct berth_workload *workload, bool parent_is_offline, struct wants *ret)
{
	*ret = (struct wants){ 0 };
	if (!config->memory_enabled) {
		(void)snprintf(ret->why, sizeof(ret->why), "off: memory.enabled is false");
		return;
	}
	(void)snprintf(ret->why, sizeof(ret->why), "%s: nothing to do",
		       workload->qos >= QOS_NORMAL ? "online" : "offline");
	if (host->memory.way == WAY_NONE) {
		(void)snprintf(ret->why, sizeof(ret->why), "%.150s", host->memory.detail);
		return;
	}
	if (workload->qos >= QOS_NORMAL) {
		if (host->memory.way != WAY_EMULATION)
			memory_decide_protection(config, host, workload, ret);
		return;
	}
	if (host->memory.way != WAY_VENDOR) {
		memory_decide_oom(config, host, workload, ret);
	} else if (parent_is_offline) {
		(void)snprintf(ret->why, sizeof(ret->why),
			       "inherits memory.qos_level from the offline group above it");
	} else {
		wants_add(ret, KNOB_MEMORY_QOS_LEVEL, (uint64_t)(int64_t)-1);
		(void)snprintf(ret->why, sizeof(ret->why), "memory.qos_level=-1: killed first");
	}
	memory_decide_oom_group(config, host, workload, parent_is_offline, ret);
}
