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

#include "kube-cgroup.h"
#include "priority/priority.h"

/* cpu.weight; as cpu.shares 20 and 10. Enough apart that scavenger work yields to batch work. */
#define WEIGHT_BATCH     2u
#define WEIGHT_SCAVENGER 1u

#define QUOTA_PERIOD_USEC 100000ULL /* the unit of KNOB_CPU_QUOTA_USEC */

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

static void want_weight(const struct berth_workload *workload, struct wants *ret)
{
	wants_add(ret, KNOB_CPU_WEIGHT,
		  workload->qos == QOS_BATCH ? WEIGHT_BATCH : WEIGHT_SCAVENGER);
}

/* While cpu.idle is 1 the kernel answers EINVAL to a write of the weight. Where the kubelet writes
 * weights again and again, it would fail:
 * - the root and the QoS classes: at its start, which then ends ("failed to initialize top level
 * QOS containers", koordinator issue 2732), and each minute;
 * - a container: its runtime writes all of its values at each update, cpu.shares or cpu.weight
 * before cpuset.cpus, and the static CPU manager has containers updated whenever CPUs are handed
 * out. A pod's own group is written when it is made, and after that only when the pod is resized in
 * place (1.27 and later). */
static bool cpu_decide_kube(const struct berth_workload *workload, bool parent_is_offline,
			    struct wants *ret)
{
	struct kube_cgroup kube;

	kube_cgroup_parse(workload->cgroup, &kube);
	switch (kube.kind) {
	case KUBE_ROOT:
	case KUBE_CLASS:
		want_weight(workload, ret);
		(void)snprintf(ret->why, sizeof(ret->why),
			       "smallest weight: the kubelet writes this group and fails under "
			       "cpu.idle; classify the pods in it");
		return true;
	case KUBE_CONTAINER:
	case KUBE_HELPER:
		if (parent_is_offline) {
			(void)snprintf(ret->why, sizeof(ret->why),
				       "as the pod above it, which is cpu.idle; updates of a "
				       "container fail under a cpu.idle of its own");
			return true;
		}
		want_weight(workload, ret);
		(void)snprintf(ret->why, sizeof(ret->why),
			       "smallest weight in its pod: updates of a container fail under "
			       "cpu.idle; classify the pod");
		return true;
	case KUBE_POD:
		wants_add(ret, KNOB_CPU_IDLE, 1);
		(void)snprintf(ret->why, sizeof(ret->why),
			       "cpu.idle=1: runs when no online task wants to; without the systemd "
			       "driver, its CPU cannot be resized in place meanwhile");
		return true;
	case KUBE_NOT:
		break;
	}
	return false;
}

static void cpu_decide_upstream(const struct berth_workload *workload, bool parent_is_offline,
				struct wants *ret)
{
	if (workload->qos >= QOS_NORMAL) {
		(void)snprintf(ret->why, sizeof(ret->why),
			       "online: keeps its weight; offline groups are cpu.idle");
		return;
	}
	if (cpu_decide_kube(workload, parent_is_offline, ret))
		return;
	wants_add(ret, KNOB_CPU_IDLE, 1);
	(void)snprintf(ret->why, sizeof(ret->why), "cpu.idle=1: runs when no online task wants to");
}

static void cpu_decide_emulation(const struct colocation_config *config,
				 const struct priority_host *host,
				 const struct berth_workload *workload, struct wants *ret)
{
	if (workload->qos >= QOS_NORMAL) {
		(void)snprintf(ret->why, sizeof(ret->why), "online: keeps its weight");
		return;
	}
	want_weight(workload, ret);
	(void)snprintf(ret->why, sizeof(ret->why),
		       "smallest weight; this kernel has neither cpu.qos_level nor cpu.idle");
	if (config->cpu_quota_percent > 0 && config->cpu_quota_percent < 100)
		wants_add(ret, KNOB_CPU_QUOTA_USEC,
			  config->cpu_quota_percent * QUOTA_PERIOD_USEC * host->cpus / 100);
}

void cpu_decide(const struct colocation_config *config, const struct priority_host *host,
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
		cpu_decide_upstream(workload, parent_is_offline, ret);
		break;
	case WAY_EMULATION:
		cpu_decide_emulation(config, host, workload, ret);
		break;
	case WAY_AUTO:
	case WAY_NONE:
		(void)snprintf(ret->why, sizeof(ret->why), "%.150s", host->cpu.detail);
		break;
	}
	if (host->has_core_sched && config->cpu_smt_protect <= SMT_CORE_SCHED &&
	    workload->qos == QOS_CRITICAL)
		wants_add(ret, KNOB_CORE_SCHED, 1);
}
