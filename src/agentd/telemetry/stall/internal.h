/* SPDX-License-Identifier: Apache-2.0 */
/*
 * internal.h - between stall.c and the rungs of its ladder. A rung has a take(), which is
 * told of every target of a pass, a finish() after all, and fills target->stall->weight, or for the
 * vendor's the sample itself.
 */
#pragma once

#include "psi-stat.h"
#include "sysroot.h"
#include "telemetry/stall/average.h"
#include "telemetry/stall/split.h"
#include "telemetry/stall/stall.h"
#include "telemetry/target.h"

/* The counters of memory.stat and memory.events that weigh. */
enum stall_counter {
	COUNTER_SCANNED,
	COUNTER_REFAULT_ANON, /* pages that came back: from swap, from a file */
	COUNTER_REFAULT_FILE,
	COUNTER_RESTORE_ANON, /* of them, those that were in use when they went */
	COUNTER_RESTORE_FILE,
	COUNTER_SWAPPED_IN,
	COUNTER_LIMIT, /* events high and max */
	COUNTER_MAX
};

struct load;

/* What is kept of one target. */
struct stall_target {
	bool seen, was_split; /* by a pass; by the last one */
	bool told_some;       /* "memory some" is ours: the kernel has none */
	uint32_t epoch;       /* of the way that the readings below belong to */
	struct split split;
	/* This pass: of its own tasks, and of those of the workloads below it. */
	uint64_t weight[STALL_CAUSES], wall_usec;
	uint64_t below_weight[STALL_CAUSES], below_wall_usec;
	uint64_t wall_total_usec; /* where the kernel has no "memory some" */
	/* Readings of the last pass: of the programs' table, of counters, of the vendor's file. */
	uint64_t key;   /* in the table; 0: not there */
	uint32_t index; /* of its record */
	uint64_t record_nsec[STALL_CAUSES], record_wall_usec;
	uint64_t counter[COUNTER_MAX];
	bool counted;            /* counter is set */
	struct psi_stat *vendor; /* owned; NULL until one was read */
	uint64_t vendor_total[PSI_CAUSES][SPLIT_KINDS];
	bool vendor_seen[PSI_CAUSES][SPLIT_KINDS];
	/* CPU */
	bool is_idle, qos_begun;
	uint64_t cpu_full_usec, throttled_usec;
	uint64_t cfs_told_usec, qos_told_usec;
	struct averages averages;
};

struct stall_ops {
	bool is_vendor;    /* it fills the sample itself */
	bool is_partial;   /* there are waits that it does not see */
	bool sees_swap;    /* else "swap" is not known */
	bool has_wall;     /* it tells "some" where the kernel has none */
	bool weighs_below; /* what it says of a workload contains those below it */
	/* 0: it is in use, or stall->load was started and is what it needs; then loaded() takes it
	 * once it is done: 0 or -errno. */
	int (*open)(struct stall *stall);
	int (*loaded)(struct stall *stall, struct load *load);
	void (*close)(struct stall *stall);
	/* These may be NULL. */
	void (*take)(struct stall *stall, struct target *target);
	void (*finish)(struct stall *stall, const struct hashmap *targets);
	void (*forget)(struct stall *stall, struct stall_target *target);
};

extern const struct stall_ops stall_vendor_ops, stall_bpf_ops, stall_tracepoint_ops,
	stall_counter_ops;

#define STALL_DEPTH 8u /* workloads that are above one another */

struct stall_programs;

struct stall {
	const struct sysroot *root;
	const struct hierarchy *hierarchy;
	struct loader *loader;
	enum stall_way best, way;
	enum stall_way loading;       /* the rung for which load is */
	struct load *load;            /* NULL: none */
	const struct stall_ops *ops;  /* NULL: off */
	bool looked;                  /* a workload's group was looked at for pressure.stat */
	bool passed;                  /* there was a pass since the start, or since it is loaded */
	uint32_t epoch;               /* of the way; a target's readings of another one are void */
	uint64_t now_usec, last_usec; /* of this pass and the one before */
	struct average_decay decay;
	struct stall_programs *programs;
	char detail[512];
};

/* Add to what stall_detail() says. */
void stall_say(struct stall *stall, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Is there a pressure.stat in this directory, or at "pressure/stat" below it? */
bool stall_vendor_is_at(int fd, const char *name);
/* The vendor's averages of this target replace those that were computed. */
void stall_vendor_averages(struct target *target);
/* Waits for pages that come back, which are all in STALL_OTHER: STALL_SWAP's share is moved. */
void stall_refault_split(const struct stall *stall, struct target *target);
/* Is its group idle? Once a pass, before stall_cpu() of any. */
void stall_cpu_look(const struct stall *stall, const struct hashmap *targets,
		    struct target *target);
/* cpu_cfs_bandwidth and cpu_qos, where no vendor tells them. */
void stall_cpu(const struct hashmap *targets, struct target *target);
