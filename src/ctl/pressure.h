/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pressure.h - what a workload can wait for: each resource, and behind it the causes that are told
 * apart, with the words that a person needs.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "look.h"

enum wait {
	WAIT_CPU,
	WAIT_CFS_BANDWIDTH,
	WAIT_CPU_QOS,
	WAIT_MEMORY,
	WAIT_CGROUP_RECLAIM,
	WAIT_GLOBAL_RECLAIM,
	WAIT_COMPACT,
	WAIT_ASYNC_RECLAIM,
	WAIT_SWAP,
	WAIT_MEMORY_OTHER,
	WAIT_IO,
	WAIT_IRQ,
	WAIT_MAX,
};

struct wait_row {
	const char *name, *key; /* "cpu_cfs_bandwidth"; of the sample: some, or full alone */
	const char *full_key;   /* "" none */
	enum wait resource;     /* itself, or the resource that it is a cause of */
	const char *words;      /* after "waits for" */
};

extern const struct wait_row wait_rows[WAIT_MAX];

/* Percent of the time between two looks in which something of it waited. For memory the sum of the
 * causes where the kernel tells no pressure of the group. */
double wait_percent(const struct look *look, enum wait wait);
/* The largest of all. */
double wait_worst(const struct look *look);
