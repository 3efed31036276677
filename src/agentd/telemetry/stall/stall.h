/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stall.h - pressure by cause. After the collector has filled the records of a pass this adds, for
 * each workload, why it waited, and the averages of every pressure.
 *
 * How it is found out is a ladder; each rung is tried on this kernel, never looked up by version:
 *   vendor       pressure.stat (openEuler, Kylin): the kernel's own numbers, averages included
 *   bpf          programs on what PSI counts (psi_memstall_enter and _leave), with the cause from
 *                tracepoints and functions around: every wait is seen
 *   tracepoints  the time between tracepoints of reclaim and compaction, where the kernel attaches
 *                nothing to functions; swap-ins and refaults are not seen and are in "other"
 *   counters     pages scanned, refaulted and swapped in as memory.stat counts them: an estimate
 *
 * On cgroup v2 the kernel's own memory pressure is split (stall/split.h), so that the parts sum to
 * it; they count from the first pass that sees a workload, or from its beginning where it came
 * later than that pass. On v1 upstream kernels have no pressure of a group: there "some" is the
 * time in which at least one task of the workload waited, and memory pressure itself is told from
 * it; a pod's is its containers' together, at most the time that passed; "full" is not known, and
 * without BPF nothing is. By tracepoints "swap" is not known, and on v1 neither is "other".
 *
 * cpu_cfs_bandwidth is the throttled time of cpu.stat, summed over CPUs. cpu_qos is known for
 * offline workloads whose group, or that of the pod around, has cpu.idle: the part of "cpu full"
 * that throttling does not explain.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "hashmap.h"
#include "hierarchy.h"

struct loader;
struct stall;
struct target;

enum stall_way {
	STALL_VENDOR,
	STALL_BPF,
	STALL_TRACEPOINTS,
	STALL_COUNTERS,
	STALL_OFF,
	STALL_UNUSED,  /* no pass was taken since it was applied */
	STALL_LOADING, /* programs of BPF, for a later pass */
};

/* "vendor", "bpf", "tracepoints", "counters", "off", "unused", "loading" */
const char *stall_way_name(enum stall_way way);

/* Off until applied. 0 or -ENOMEM. All that it is given is borrowed. */
int stall_new(const struct sysroot *root, const struct hierarchy *hierarchy, struct loader *loader,
	      struct stall **ret);
struct stall *stall_free(struct stall *stall);

/* Use the best rung of the ladder that is not above this one; STALL_VENDOR: the best there is. It
 * is climbed from the next pass on, so that who is never asked costs nothing and starts at once;
 * while programs are loaded for a rung, passes tell no causes. What is in use is let go now. The
 * same as before changes nothing, and totals go on whatever is in use. */
void stall_apply(struct stall *stall, enum stall_way best);
enum stall_way stall_way(const struct stall *stall);
/* Why not a better one, or what the one in use does not see; "" for nothing to say. */
const char *stall_detail(const struct stall *stall);

/* Fill what belongs to pressure in the targets (struct target by id) of this pass, while their
 * groups are there. */
void stall_pass(struct stall *stall, const struct hashmap *targets, uint64_t generation,
		uint64_t now_usec);
/* The target goes. */
void stall_forget(struct stall *stall, struct target *target);
