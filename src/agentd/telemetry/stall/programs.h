/* SPDX-License-Identifier: Apache-2.0 */
/*
 * programs.h - the programs of stall/probe.bpf.c in the kernel: which of them this one takes,
 * loaded and attached.
 */
#pragma once

#include "telemetry/bpf/loader.h"
#include "telemetry/stall/internal.h"
#include "telemetry/stall/table.h"

struct bpf_link;
struct stall_probe;

/* What belongs together: an enter without its leave would never end. */
enum group {
	GROUP_MEMSTALL,
	GROUP_MEMCG,
	GROUP_DIRECT,
	GROUP_COMPACT,
	GROUP_HIGH,
	GROUP_HIGH_INNER,
	GROUP_ASYNC,
	GROUP_MAX
};

#define PROGRAMS_MAX 24u

enum { FOR_MEMSTALL = 1, FOR_TRACEPOINTS = 2 };

struct stall_programs {
	struct load load;
	unsigned int way;
	bool unified; /* the groups of memory are v2's */
	bool taken[GROUP_MAX];
	struct stall_probe *probe;
	struct bpf_link *links[PROGRAMS_MAX];
	struct stall_table table;
	uint32_t *table_version; /* the programs': what they remember of the table is void */
	bool changed;            /* records came or went since it was changed */
};

/* Begin to load and attach those for a way: stall->load. -errno: stall_say() said why not. */
int programs_start(struct stall *stall, unsigned int way);
/* It is done: stall->programs are set, or it was refused, and stall_say() said why. */
int programs_loaded(struct stall *stall, struct load *load);
struct stall_programs *programs_free(struct stall_programs *programs);
