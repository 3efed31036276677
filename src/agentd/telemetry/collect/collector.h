/* SPDX-License-Identifier: Apache-2.0 */
/*
 * collector.h - one way to read the counters of groups. snapshot.c drives it: take() for each
 * target of a pass, finish() once, then the records of all targets that are not gone are filled.
 */
#pragma once

#include "telemetry/collect/device.h"
#include "telemetry/target.h"

struct hierarchy;
struct loader;
struct sysroot;
struct collector;

/* For `berthctl status`. */
struct collector_status {
	const char *way;       /* "bpf", "bpf and files", "kept files", "opened files" */
	const char *detail;    /* why it is none that costs less; "": nothing does */
	unsigned int by_files; /* enum sample_part: what BPF was not used for, where it is used */
	uint64_t kept_files;   /* open now */
	bool is_loading;       /* BPF: what is said here is of the time until it is there */
};

/* Of CPU and pressure. */
struct peek_ask {
	unsigned int parts; /* enum sample_part: where the values are */
	uint64_t values[2]; /* bit: enum sample_value */
};

struct collector_ops {
	const char *name; /* as berthctl shows it */
	/* Read the group, or remember it for finish(). -ENOENT: it is gone. Sets the sample's time,
	 * as finish() does. */
	int (*take)(struct collector *collector, struct target *target);
	/* NULL: everything was read by take(). 0 or -errno: the pass failed. */
	int (*finish)(struct collector *collector);
	/* Read a few values of a few groups at once, between passes; what is read of others on the
	 * way is the caller's to put back. A target that is gone is marked so. */
	void (*peek)(struct collector *collector, struct target *const *targets, size_t count,
		     const struct peek_ask *ask);
	/* The workload goes: drop what is kept of it. May be NULL. */
	void (*forget)(struct collector *collector, struct target *target);
	/* Nobody asks: drop what is kept for the next pass. May be NULL. */
	void (*rest)(struct collector *collector);
	/* The policy was read again: so check again what was found out at the start. May be NULL.
	 */
	void (*recheck)(struct collector *collector);
	void (*status)(struct collector *collector, struct collector_status *ret);
	struct collector *(*free)(struct collector *collector);
};

struct collector {
	const struct collector_ops *ops;
	const struct sysroot *root;
	const struct hierarchy *hierarchy;
	uint64_t errors; /* reads that failed although the group is there */
};

/* By files: kept open as far as the process may have that many, else opened at each pass. Works
 * everywhere. 0 or -ENOMEM. */
int collector_files_new(const struct sysroot *root, const struct hierarchy *hierarchy,
			struct collector **ret);
/* Read these parts of one group (enum sample_part); -ENOENT: it is gone. */
int collector_files_read(struct collector *collector, struct target *target, unsigned int parts);
struct device_names *collector_files_devices(struct collector *collector);

/* By BPF what can be had so, the rest by files. The first pass starts the loader and is all from
 * files, as are those after it until there is one that finds it done. 0 or -ENOMEM. */
int collector_bpf_new(const struct sysroot *root, const struct hierarchy *hierarchy,
		      struct loader *loader, struct collector **ret);
