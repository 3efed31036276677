/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cpu-priority.c - CPU priority by QoS level.
 *
 * vendor     cpu.qos_level. The kernel clamps nothing: a two-level kernel takes 0 and -1 only, so
 *            the actuator's probe tells multi-level apart and its range refuses what cannot be.
 * upstream   cpu.idle=1 for offline: its tasks are preempted at once by any wake-up of an online
 *            one and get a weight of 3 (kernel 5.15, sched/fair.c). All offline levels are equal
 *            there: the weight of an idle group is locked.
 * emulation  the smallest weights, and a quota if configured. No preemption comes with it.
 *
 * Online workloads keep the weight that they have: it is what the kubelet computed from their
 * requests, and a level is no better reason for shares than a request.
 */
#include <stdio.h>
#include <string.h>

#include "colocation.h"

/* cpu.weight; as cpu.shares 20 and 10. Enough apart that scavenger work yields to batch work. */
#define WEIGHT_BATCH     2u
#define WEIGHT_SCAVENGER 1u

#define QUOTA_PERIOD_USEC 100000ULL /* the unit of KNOB_CPU_QUOTA_USEC */

/* Is this path one that the kubelet itself keeps writing: the kubepods root or a QoS class? */
static bool is_kubelet_slice(const char *cgroup)
{
	static const char *const names[] = {
		"kubepods",   "kubepods.slice",           "burstable",
		"besteffort", "kubepods-burstable.slice", "kubepods-besteffort.slice",
	};
	const char *base = strrchr(cgroup, '/');

	base = base ? base + 1 : cgroup;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(base, names[i]) == 0 && strstr(cgroup, "kubepods"))
			return true;
	return false;
}

static void cpu_decide_vendor(const struct berth_workload *workload, bool parent_is_offline,
			      struct wants *ret)
{
	/* The kernel passes the level on to descendants and refuses to change a child of an offline
	 * group (openEuler 22.03 and later). */
	if (parent_is_offline) {
		(void)snprintf(ret->why, sizeof(ret->why),
			       "inherits cpu.qos_level from the offline group above it");
		return;
	}
	if (workload->qos == QOS_NORMAL) {
		(void)snprintf(ret->why, sizeof(ret->why), "normal: the kernel's default");
		return;
	}
	wants_add(ret, KNOB_CPU_QOS_LEVEL, (uint64_t)(int64_t)workload->qos);
	(void)snprintf(ret->why, sizeof(ret->why), "cpu.qos_level=%d", (int)workload->qos);
}

static void cpu_decide_upstream(const struct berth_workload *workload, struct wants *ret)
{
	if (workload->qos >= QOS_NORMAL) {
		(void)snprintf(ret->why, sizeof(ret->why),
			       "online: keeps its weight; offline groups are cpu.idle");
		return;
	}
	/* The kubelet writes cpu.shares or cpu.weight of these at its start and then each minute;
	 * the kernel refuses that under cpu.idle and the kubelet gives up (koordinator issue 2732).
	 */
	if (is_kubelet_slice(workload->cgroup)) {
		(void)snprintf(
			ret->why, sizeof(ret->why),
			"left alone: the kubelet writes this group and fails under cpu.idle; "
			"classify the pods in it");
		return;
	}
	wants_add(ret, KNOB_CPU_IDLE, 1);
	(void)snprintf(ret->why, sizeof(ret->why), "cpu.idle=1: runs when no online task wants to");
}

static void cpu_decide_emulation(const struct colocation_config *config,
				 const struct colocation_host *host,
				 const struct berth_workload *workload, struct wants *ret)
{
	if (workload->qos >= QOS_NORMAL) {
		(void)snprintf(ret->why, sizeof(ret->why), "online: keeps its weight");
		return;
	}
	wants_add(ret, KNOB_CPU_WEIGHT,
		  workload->qos == QOS_BATCH ? WEIGHT_BATCH : WEIGHT_SCAVENGER);
	(void)snprintf(ret->why, sizeof(ret->why),
		       "smallest weight; this kernel has neither cpu.qos_level nor cpu.idle");
	if (config->cpu_quota_percent > 0 && config->cpu_quota_percent < 100)
		wants_add(ret, KNOB_CPU_QUOTA_USEC,
			  config->cpu_quota_percent * QUOTA_PERIOD_USEC * host->cpus / 100);
}

void cpu_decide(const struct colocation_config *config, const struct colocation_host *host,
		const struct berth_workload *workload, bool parent_is_offline, struct wants *ret)
{
	*ret = (struct wants){ 0 };
	if (!config->cpu_enabled) {
		(void)snprintf(ret->why, sizeof(ret->why), "off: cpu.enabled is false");
		return;
	}
	switch (host->cpu.way) {
	case WAY_VENDOR:
		cpu_decide_vendor(workload, parent_is_offline, ret);
		break;
	case WAY_UPSTREAM:
		cpu_decide_upstream(workload, ret);
		break;
	case WAY_EMULATION:
		cpu_decide_emulation(config, host, workload, ret);
		break;
	case WAY_AUTO:
	case WAY_NONE:
		(void)snprintf(ret->why, sizeof(ret->why), "%.150s", host->cpu.detail);
		break;
	}
	if (host->has_core_sched && config->cpu_smt_protect == 0 && workload->qos == QOS_CRITICAL)
		wants_add(ret, KNOB_CORE_SCHED, 1);
}
