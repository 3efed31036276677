/* SPDX-License-Identifier: Apache-2.0 */
/*
 * record.h - what the programs of stall/probe.bpf.c keep of one workload, for both sides.
 */
#pragma once

enum stall_cause {
	STALL_CGROUP_RECLAIM, /* at a limit of its own: memory.max, memory.high */
	STALL_GLOBAL_RECLAIM, /* the machine is short of memory */
	STALL_COMPACT,        /* for a huge page or another large block */
	STALL_ASYNC_RECLAIM,  /* a kernel worker reclaims on behalf of the group */
	STALL_SWAP,           /* a page comes back from swap */
	STALL_OTHER,          /* none of these: refaults of page cache */
	STALL_CAUSES
};

/* Put there by user space, counted by the kernel. */
struct stall_record {
	unsigned long long key;                /* the number of the workload's directory */
	unsigned long long nsec[STALL_CAUSES]; /* of its tasks, added up */
	/* Time with at least one task stalled, in units of 256 ns, where wall is asked for: what is
	 * over, and the stall that goes on: how many tasks (STALL_COUNT_BITS) and since when. */
	unsigned long long wall_units, running;
};

#define STALL_UNIT_SHIFT 8 /* 256 ns: 48 bits last for two years */
#define STALL_COUNT_BITS                                                          \
	16 /* at most 65535 tasks of a workload stall at once: pid_max is higher, \
	    * memory.max is not */
#define STALL_COUNT_MASK ((1ULL << STALL_COUNT_BITS) - 1)
