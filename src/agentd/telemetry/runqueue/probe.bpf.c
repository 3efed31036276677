/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * probe.bpf.c - how long tasks wait for a CPU, by workload: from when one wakes up or is
 * put off until it runs, whichever run queues it is moved between meanwhile. (What the kernel keeps
 * of a task, sched_info.last_queued, begins anew with each such move.)
 */
#include "telemetry/bpf/task-group.bpf.h"
#include "telemetry/runqueue/record.h"

char LICENSE[] SEC("license") = "GPL";

const volatile bool unified;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1); /* LIMIT_WORKLOADS, when it is loaded */
	__type(key, __u64);
	__type(value, struct runqueue_record);
} workloads SEC(".maps");

/* Who waits and since when: a slot for each pid by its lower bits, in which two of 65536 tasks may
 * meet; the one who is overwritten is not counted. A plain array, because the programs run where
 * nothing may be allocated and nothing may take long. A slot holds the pid (PID_BITS) and the time
 * above it in units of 256 ns, which are written at once. */
#define SLOTS      65536
#define PID_BITS   22 /* PID_MAX_LIMIT */
#define TIME_SHIFT 8

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SLOTS);
	__type(key, __u32);
	__type(value, __u64);
} waiting SEC(".maps");

static __always_inline struct runqueue_record *record_find(struct cgroup_subsys_state *group)
{
	struct runqueue_record *record;

	for (int i = 0; i < GROUP_DEPTH && group; i++) {
		__u64 id = group_id(group);

		record = bpf_map_lookup_elem(&workloads, &id);
		if (record)
			return record;
		group = group->parent;
	}
	return 0;
}

static __always_inline __u32 bucket_of(__u64 nsec)
{
	__u64 usec = nsec / 1000;

	for (__u32 i = 0; i < RUNQUEUE_BUCKETS - 1; i++)
		if (usec <= 8ULL << i)
			return i;
	return RUNQUEUE_BUCKETS - 1;
}

static __always_inline void wait_add(struct task_struct *task, __u64 nsec)
{
	struct runqueue_record *record;
	__u32 which = 0, bucket;

	if (!unified)
		which = bpf_core_enum_value(enum cgroup_subsys_id, cpu_cgrp_id);
	record = record_find(group_of(task, unified, which));
	if (!record)
		return;
	bucket = bucket_of(nsec);
	if (bucket >= RUNQUEUE_BUCKETS)
		return;
	__sync_fetch_and_add(&record->count[bucket], 1);
	__sync_fetch_and_add(&record->sum_nsec, nsec);
}

static __always_inline __u64 task_state(struct task_struct *task)
{
	struct task_struct___before_5_14 *old = (void *)task;

	if (bpf_core_field_exists(task->__state))
		return task->__state;
	return (__u64)BPF_CORE_READ(old, state);
}

/* The slot of a task; the idle task never waits. */
static __always_inline __u64 *slot_of(__u32 pid)
{
	__u32 slot = pid % SLOTS;

	return pid ? bpf_map_lookup_elem(&waiting, &slot) : 0;
}

static __always_inline void wait_note(struct task_struct *task)
{
	__u32 pid = (__u32)task->pid;
	__u64 *slot = slot_of(pid);

	if (slot)
		*slot = (bpf_ktime_get_ns() >> TIME_SHIFT << PID_BITS) | pid;
}

SEC("tp_btf/sched_wakeup")
int BPF_PROG(woken, struct task_struct *task)
{
	wait_note(task);
	return 0;
}

SEC("tp_btf/sched_wakeup_new")
int BPF_PROG(woken_new, struct task_struct *task)
{
	wait_note(task);
	return 0;
}

SEC("tp_btf/sched_switch")
int BPF_PROG(wait_over, bool preempt, struct task_struct *prev, struct task_struct *next)
{
	__u32 pid = (__u32)next->pid;
	__u64 *slot, noted, units;

	/* 0: it could go on. `preempt` is false for who is put off on the way back to user space.
	 */
	if (task_state(prev) == 0)
		wait_note(prev);
	slot = slot_of(pid);
	if (!slot)
		return 0;
	noted = *slot;
	if ((noted & ((1ULL << PID_BITS) - 1)) != pid)
		return 0;
	*slot = 0;
	units = (bpf_ktime_get_ns() >> TIME_SHIFT) - (noted >> PID_BITS);
	/* Of the time only so many bits are noted. */
	wait_add(next, (units & (~0ULL >> PID_BITS)) << TIME_SHIFT);
	return 0;
}
