/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * kernel.bpf.h - the few fields of kernel structures that BPF programs read. Their offsets are
 * filled in for the running kernel when a program is loaded (CO-RE), so that a name and a type are
 * all that must be right; what a kernel may lack is asked for with bpf_core_field_exists().
 */
#pragma once

typedef unsigned char __u8;
typedef unsigned short __u16;
typedef unsigned int __u32;
typedef unsigned long long __u64;
typedef signed char __s8;
typedef short __s16;
typedef int __s32;
typedef long long __s64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u32 __wsum;

enum {
	BPF_MAP_TYPE_HASH = 1,
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_TASK_STORAGE = 29,
};
enum { BPF_F_NO_PREALLOC = 1, BPF_F_MMAPABLE = 1 << 10 };
enum { BPF_LOCAL_STORAGE_GET_F_CREATE = 1 };

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <stdbool.h>

#define KERNEL __attribute__((preserve_access_index))

typedef struct {
	long counter;
} atomic_long_t;

struct kernfs_node {
	__u64 id;
	void *priv;
} KERNEL;

struct super_block {
	unsigned long s_magic;
} KERNEL;

struct inode {
	__u16 i_mode;
	struct super_block *i_sb;
	unsigned long i_ino;
	void *i_private;
} KERNEL;

struct file {
	struct inode *f_inode;
} KERNEL;

struct css_rstat_cpu;

struct cgroup_subsys_state {
	struct cgroup *cgroup;
	struct cgroup_subsys_state *parent;
	unsigned int flags;
	__u64 serial_nr;
	struct css_rstat_cpu *rstat_cpu;
} KERNEL;

struct task_cputime {
	__u64 stime, utime, sum_exec_runtime;
} KERNEL;

struct cgroup_base_stat {
	struct task_cputime cputime;
} KERNEL;

struct prev_cputime {
	__u64 utime, stime;
} KERNEL;

struct psi_group {
	bool enabled;
	/* [NR_PSI_AGGREGATORS][NR_PSI_STATES - 1], which BTF has flattened; averages come first. */
	__u64 total[12];
} KERNEL;

struct cgroup {
	struct cgroup_subsys_state self;
	struct kernfs_node *kn;
	struct cgroup_subsys_state *subsys[16];
	struct cgroup_base_stat bstat;
	struct prev_cputime prev_cputime;
	struct psi_group *psi;
} KERNEL;

struct css_set {
	struct cgroup_subsys_state *subsys[16];
	struct cgroup *dfl_cgrp;
} KERNEL;

struct task_struct {
	unsigned int __state;
	int pid;
	struct css_set *cgroups;
} KERNEL;

struct task_struct___before_5_14 {
	long state;
} KERNEL;

struct work_struct {
	__u64 data;
} KERNEL;

struct cfs_bandwidth {
	int nr_periods, nr_throttled;
	__u64 throttled_time;
} KERNEL;

struct task_group {
	struct cgroup_subsys_state css;
	struct cfs_bandwidth cfs_bandwidth;
} KERNEL;

struct page_counter {
	atomic_long_t usage;
} KERNEL;

struct memcg_vmstats {
	long state[64];
	unsigned long events[32];
} KERNEL;

struct mem_cgroup {
	struct cgroup_subsys_state css;
	struct page_counter memory, swap;
	struct memcg_vmstats *vmstats;
	atomic_long_t memory_events[9];
	struct work_struct high_work;
} KERNEL;

struct hlist_node {
	struct hlist_node *next;
} KERNEL;

struct hlist_head {
	struct hlist_node *first;
} KERNEL;

struct blkg_iostat {
	__u64 bytes[3], ios[3];
} KERNEL;

struct blkg_iostat_set {
	struct blkg_iostat cur;
} KERNEL;

struct gendisk {
	int major, first_minor;
} KERNEL;

struct request_queue {
	struct gendisk *disk;
} KERNEL;

struct blkcg_gq {
	struct request_queue *q;
	struct hlist_node blkcg_node;
	struct blkg_iostat_set iostat;
} KERNEL;

struct blkcg {
	struct cgroup_subsys_state css;
	struct hlist_head blkg_list;
} KERNEL;

struct bpf_iter_meta {
	__u64 session_id;
} KERNEL;

struct bpf_iter__task_file {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	__u32 fd;
	struct file *file;
} KERNEL;

/* Enumerators have the running kernel's values, too; those here mean nothing. */
enum cgroup_subsys_id { cpu_cgrp_id = 1, memory_cgrp_id, io_cgrp_id };
enum psi_states {
	PSI_IO_SOME = 1,
	PSI_IO_FULL,
	PSI_MEM_SOME,
	PSI_MEM_FULL,
	PSI_CPU_SOME,
	PSI_CPU_FULL,
	PSI_IRQ_FULL,
};
enum memcg_memory_event { MEMCG_LOW = 1, MEMCG_HIGH, MEMCG_MAX, MEMCG_OOM, MEMCG_OOM_KILL };
enum node_stat_item {
	NR_ANON_MAPPED = 1,
	NR_FILE_PAGES,
	NR_SHMEM,
	NR_FILE_MAPPED,
	NR_FILE_DIRTY,
	NR_WRITEBACK,
	NR_INACTIVE_ANON,
	NR_ACTIVE_ANON,
	NR_INACTIVE_FILE,
	NR_ACTIVE_FILE,
	NR_UNEVICTABLE,
	NR_SLAB_RECLAIMABLE_B,
	NR_SLAB_UNRECLAIMABLE_B,
	NR_KERNEL_STACK_KB,
	NR_PAGETABLE,
	WORKINGSET_REFAULT_ANON,
	WORKINGSET_REFAULT_FILE,
};
enum memcg_stat_item { MEMCG_SOCK = 1, MEMCG_NR_STAT };
enum vm_event_item {
	PGFAULT = 1,
	PGMAJFAULT,
	PGSCAN_KSWAPD,
	PGSCAN_DIRECT,
	PGSCAN_KHUGEPAGED,
	PGSCAN_PROACTIVE,
	PGSTEAL_KSWAPD,
	PGSTEAL_DIRECT,
	PGSTEAL_KHUGEPAGED,
	PGSTEAL_PROACTIVE,
	PSWPIN,
	PSWPOUT,
	NR_VM_EVENT_ITEMS,
};
