/* SPDX-License-Identifier: Apache-2.0 */
/*
 * snapshot.h - what every workload uses and suffers, taken in one pass, read by many. A pass is
 * taken only when somebody asks and the last one is too old; nothing polls.
 */
#pragma once

#include <systemd/sd-event.h>

#include "berth-plugin.h"
#include "cgroup.h"
#include "hashmap.h"
#include "psi.h"

struct collector;
struct collector_status;
struct loader;
struct perf;
struct runqueue;
struct stall;
struct target;
struct worker_pool;

/* As telemetry.collector of the policy names them. */
enum snapshot_collector { COLLECT_AUTO, COLLECT_BPF, COLLECT_FILES };

struct snapshot_options {
	sd_event *event; /* NULL: what is kept for the next pass is kept for ever */
	enum snapshot_collector collector;
	struct worker_pool
		*pool; /* one thread, which loads BPF; NULL: the pass that needs it does */
};

struct snapshot_node {
	uint64_t cpu_total_usec, cpu_busy_usec;  /* of all CPUs, from /proc/stat; they only grow */
	uint64_t seen_busy_usec, seen_idle_usec; /* as it was read last */
	unsigned int cpus;
	uint64_t memory_total_bytes, memory_available_bytes, memory_free_bytes;
	uint64_t swap_total_bytes, swap_free_bytes;
	bool has_psi;
	struct psi cpu, memory, io;
};

struct snapshot {
	const struct sysroot *root;
	const struct hierarchy *hierarchy;
	uint64_t generation, time_usec, duration_usec, errors;
	struct snapshot_node node;
	struct collector *collector;
	struct stall *stall;       /* pressure by cause */
	struct runqueue *runqueue; /* latency */
	struct perf *perf;         /* cycles and instructions, in windows */
	struct loader *loader;     /* of BPF, for all of them */
	struct hashmap by_id;      /* struct target, keyed by workload id */
	uint64_t clock_ticks;      /* sysconf(_SC_CLK_TCK) */
	struct snapshot_options options;
	sd_event_source *rest;   /* once, when no pass was taken for a while */
	uint64_t node_time_usec; /* when node was read last; 0: never, or not wholly */
};

/* options NULL: by files, kept for ever. 0 or -ENOMEM. */
int snapshot_init(struct snapshot *snapshot, const struct sysroot *root,
		  const struct hierarchy *hierarchy, const struct snapshot_options *options);
/* The policy was read again. 0 or -ENOMEM, which leaves everything as it was. */
int snapshot_apply(struct snapshot *snapshot, enum snapshot_collector collector);
/* How passes are taken now; the texts are valid until the next pass. */
void snapshot_status(const struct snapshot *snapshot, struct collector_status *ret);
/* Something of BPF is on its way, for a pass to come. */
bool snapshot_is_loading(const struct snapshot *snapshot);
void snapshot_done(struct snapshot *snapshot);

/* Is the last pass at most max_age_usec old? */
bool snapshot_is_fresh(const struct snapshot *snapshot, uint64_t now_usec, uint64_t max_age_usec);
/* One pass: begin, each group (which stays where it is until the end), end; records of workloads
 * that were not named are dropped. parent: the id of the workload that it is part of, 0 for none.
 * take: 0; -ENOENT the group is gone, and so is its record; -ENOMEM. */
void snapshot_begin(struct snapshot *snapshot);
int snapshot_take(struct snapshot *snapshot, uint64_t id, uint64_t parent,
		  const struct cgroup *group);
/* After take: the level of this workload is below normal. */
void snapshot_mark_offline(struct snapshot *snapshot, uint64_t id);
void snapshot_end(struct snapshot *snapshot);
/* Read the node again, and nothing else, unless it is at most that old. 0; -EIO: some of it cannot
 * be read. */
int snapshot_node(struct snapshot *snapshot, uint64_t max_age_usec);
/* The group of a workload whose counters are looked at between passes. */
struct snapshot_peek {
	uint64_t id;
	const struct cgroup *group; /* valid for the call; NULL: there is no such workload */
};

/* Read these values (of CPU and pressure) of a few groups, and change nothing that snapshot_get()
 * tells. ret: value_count numbers for each group in turn; UINT64_MAX: not told. Throttling is that
 * of the group's own quota alone. 0; -EINVAL a value of another kind; -ENOMEM. */
int snapshot_peek(struct snapshot *snapshot, const struct snapshot_peek *peeks, size_t count,
		  const enum sample_value *values, size_t value_count, uint64_t *ret);
/* For peek.c: made if there is none; and what is open stays so for a while from now on. */
void snapshot_keep(struct snapshot *snapshot);
int snapshot_target(struct snapshot *snapshot, uint64_t id, struct target **ret);
/* NULL: never sampled. */
const struct workload_sample *snapshot_get(const struct snapshot *snapshot, uint64_t id);
