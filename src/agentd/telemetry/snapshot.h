/* SPDX-License-Identifier: Apache-2.0 */
/*
 * snapshot.h - what every workload uses and suffers, taken in one pass, read by many. A pass is
 * taken only when somebody asks and the last one is too old; nothing polls.
 */
#pragma once

#include "berth-plugin.h"
#include "cgroup.h"
#include "hashmap.h"
#include "psi.h"

struct snapshot_node {
	uint64_t cpu_total_usec, cpu_busy_usec; /* of all CPUs, from /proc/stat */
	unsigned int cpus;
	uint64_t memory_total_bytes, memory_available_bytes;
	bool has_psi;
	struct psi cpu, memory, io;
};

struct snapshot {
	const struct sysroot *root;
	const struct hierarchy *hierarchy;
	uint64_t generation, time_usec, duration_usec, errors;
	struct snapshot_node node;
	struct hashmap by_id; /* struct workload_sample, keyed by workload id */
	uint64_t clock_ticks; /* sysconf(_SC_CLK_TCK) */
};

int snapshot_init(struct snapshot *snapshot, const struct sysroot *root,
		  const struct hierarchy *hierarchy);
void snapshot_done(struct snapshot *snapshot);

/* Is the last pass at most max_age_usec old? */
bool snapshot_is_fresh(const struct snapshot *snapshot, uint64_t now_usec, uint64_t max_age_usec);
/* One pass: begin, each group, end (samples of workloads that were not named are dropped). */
void snapshot_begin(struct snapshot *snapshot);
int snapshot_take(struct snapshot *snapshot, uint64_t id, const struct cgroup *group);
void snapshot_end(struct snapshot *snapshot);
const struct workload_sample *snapshot_get(const struct snapshot *snapshot, uint64_t id);
