/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cgroup-record.h - what cgroups.bpf.c and its loader share: one group's counters as the kernel has
 * them, and what the kernel's tables and enums are.
 */
#pragma once

#ifdef __bpf__
#include "telemetry/bpf/kernel.bpf.h"
#else
#include <linux/types.h>
#endif

#define RECORD_COUNT     128u /* of one chunk: a pass costs no more memory than this */
#define RECORD_SUBSYS    16u
#define RECORD_CPUTIMES  8u
#define RECORD_PRESSURES 16u
#define RECORD_EVENTS    16u
#define RECORD_COUNTERS  128u
#define RECORD_DEVICES   4u  /* SAMPLE_DEVICES; more are read from the file */
#define RECORD_BLKGS     24u /* of one group that are looked at */

enum record_fill {
	RECORD_THERE = 1 << 0, /* the group; nothing else is meant without */
	RECORD_PRESSURE = 1 << 1,
	RECORD_CPU = 1 << 2, /* the controller: periods, throttled */
	RECORD_MEMORY = 1 << 3,
	RECORD_IO = 1 << 4,
	RECORD_IO_MORE = 1 << 5, /* there are more devices than fit */
};

struct record_device {
	__u32 major, minor;
	__u64 bytes[3], ios[3]; /* read, write, discard: enum blkg_iostat_type */
};

struct cgroup_record {
	/* In: the group's, as find() told them. */
	__u64 address, serial, psi;
	/* Out. */
	__u32 filled; /* enum record_fill */
	__u32 device_count;
	/* Nanoseconds: system, user and all, not adjusted to each other; from prev_at on user and
	 * system as cpu.stat last said. */
	__u64 cputime[RECORD_CPUTIMES];
	__u64 pressure[RECORD_PRESSURES];                  /* by enum psi_states, nanoseconds */
	__u32 periods, throttled_periods, bursts, padding; /* as struct cfs_bandwidth has them */
	__u64 throttled_nsec;
	__u64 memory_pages, swap_pages;
	__u64 vmstats;                   /* where counters are; before events as in the kernel */
	__u64 events[RECORD_EVENTS];     /* by enum memcg_memory_event, those that are told */
	__u64 counters[RECORD_COUNTERS]; /* memcg_vmstats.state, behind it memcg_vmstats.events */
	struct record_device devices[RECORD_DEVICES];
};

/* A directory of cgroup v2 that the thread has open: its inode, its struct cgroup, the number in it
 * that no other group is given, and its struct psi_group, which it keeps as long as it lives. */
struct found_group {
	__u64 id, address, serial, psi;
};

#define FOUND_GROUPS 128u /* of one look */

/* Enumerators of this kernel; -1: it has none of that name. */
enum fact_pressure {
	FACT_CPU_SOME,
	FACT_CPU_FULL,
	FACT_MEMORY_SOME,
	FACT_MEMORY_FULL,
	FACT_IO_SOME,
	FACT_IO_FULL,
	FACT_IRQ_FULL,
	FACT_PRESSURES
};

enum fact_event { FACT_LOW, FACT_HIGH, FACT_MAX, FACT_OOM, FACT_OOM_KILL, FACT_EVENTS };

enum fact_state {
	FACT_ANON,
	FACT_FILE,
	FACT_SHMEM,
	FACT_FILE_MAPPED,
	FACT_FILE_DIRTY,
	FACT_FILE_WRITEBACK,
	FACT_INACTIVE_ANON,
	FACT_ACTIVE_ANON,
	FACT_INACTIVE_FILE,
	FACT_ACTIVE_FILE,
	FACT_UNEVICTABLE,
	FACT_SLAB_RECLAIMABLE,
	FACT_SLAB_UNRECLAIMABLE,
	FACT_KERNEL_STACK,
	FACT_PAGETABLES,
	FACT_SOCK,
	FACT_REFAULT_ANON,
	FACT_REFAULT_FILE,
	FACT_STATES
};

enum fact_vm_event {
	FACT_FAULTS,
	FACT_MAJOR_FAULTS,
	FACT_SCAN_KSWAPD,
	FACT_SCAN_DIRECT,
	FACT_SCAN_KHUGEPAGED,
	FACT_SCAN_PROACTIVE,
	FACT_STEAL_KSWAPD,
	FACT_STEAL_DIRECT,
	FACT_STEAL_KHUGEPAGED,
	FACT_STEAL_PROACTIVE,
	FACT_SWAP_IN,
	FACT_SWAP_OUT,
	FACT_VM_EVENTS
};

#define FACT_TABLE_BYTES 1024u /* enough for NR_VM_EVENT_ITEMS ints */

struct kernel_facts {
	__s32 pressure[FACT_PRESSURES], event[FACT_EVENTS];
	__s32 state[FACT_STATES], vm_event[FACT_VM_EVENTS];
	__u32 state_size, vm_event_size;   /* bytes of both in a record's counters; 0: not there */
	__u32 state_items, vm_event_items; /* how many enumerators the tables below are for */
	__u32 has_pressure, has_cputime, has_throttling, has_memory, has_swap, has_events, has_io;
	__u32 prev_at;            /* in a record's cputime */
	__u32 flush_by_subsystem; /* cpu.stat does not bring memory and io up to date */
	/* mem_cgroup_stats_index[], mem_cgroup_events_index[]; not read: error < 0, or there is
	 * none: -ENOENT, states are where their enumerators say. */
	__s32 state_table_error, vm_event_table_error;
	unsigned char state_table[FACT_TABLE_BYTES], vm_event_table[FACT_TABLE_BYTES];
};
