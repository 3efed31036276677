/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * task.bpf.h - what stall/probe.bpf.c knows of a task, and where it is kept.
 */
#pragma once

#include "telemetry/bpf/kernel.bpf.h"
#include "telemetry/stall/record.h"

const volatile bool memstall; /* see stall/probe.bpf.c */

struct task_state {
	__u64 start;       /* of the wait; 0: none */
	__u64 group;       /* that the task was in */
	__u64 workload;    /* the group's workload: key of the table; 0: none */
	__u64 waits_in;    /* workload of the wait that goes on: the task may be moved meanwhile */
	__u64 async_start; /* of a worker: reclaim on behalf of async_group */
	__u64 async_group;
	__u64 owner;   /* a slot's: whose it is */
	__u32 version; /* of the table when workload was found */
	__u32 depth;   /* of psi_memstall_enter() */
	__u32 held;    /* how many functions, one in the other, the task is in for which it is */
	__u32 index;   /* of workload's record */
	__u32 waits_index; /* of the record of waits_in, unless that is another's meanwhile */
	__u8 cause;        /* of the wait */
	__u8 context;      /* what the task is in: the cause of a wait that nothing else explains */
	__u8 compacts;     /* in try_to_compact_pages(), not for kcompactd or a sysctl */
	__u8 is_walled;    /* it is counted in `running` */
};

/* Who is in a wait, with memstall: a slot for each pid by its lower bits. It is the task's until
 * another one takes it, which none can while it is BUSY. The kernel's task storage would do alone,
 * but a look into it is 110 instructions, and into an array a dozen: it is for those who find their
 * slot taken, and for the way in which nothing tells that a task needs its state no longer. */
#define SLOTS 8192u
#define BUSY  (1ULL << 32)

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SLOTS);
	__type(key, __u32);
	__type(value, struct task_state);
} slots SEC(".maps");

/* Made when a task first waits, freed by the kernel with the task. */
struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct task_state);
} tasks SEC(".maps");

/* Tasks in a wait whose slot was taken. */
static __u64 without_slot;

static __always_inline struct task_state *storage_get(__u64 flags)
{
	return bpf_task_storage_get(&tasks, bpf_get_current_task_btf(), 0, flags);
}

/* A zeroed state waits for cause 0, which is one: NONE is set when a state begins. */
static __always_inline void state_begin(struct task_state *state)
{
	state->cause = STALL_NONE;
	state->context = STALL_NONE;
}

static __always_inline struct task_state *storage_make(void)
{
	struct task_state *state = storage_get(0);

	if (state)
		return state;
	state = storage_get(BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (state)
		state_begin(state);
	return state;
}

static __always_inline struct task_state *slot_of(__u64 pid)
{
	__u32 at = pid % SLOTS;

	return bpf_map_lookup_elem(&slots, &at);
}

/* The current task's slot, busy from now on; NULL: another task is in a wait that has it. */
static __always_inline struct task_state *slot_take(__u64 pid)
{
	struct task_state *slot = slot_of(pid);
	__u64 owner;

	if (!slot)
		return 0;
	owner = slot->owner;
	if (owner == (pid | BUSY))
		return slot;
	if (owner & BUSY || __sync_val_compare_and_swap(&slot->owner, owner, pid | BUSY) != owner)
		return 0;
	/* What it remembers of its group is checked at each wait, but for what 0 would mean. */
	if (owner != pid)
		state_begin(slot);
	return slot;
}

/* That of the current task, if it has one; with memstall: if it is in something. */
static __always_inline struct task_state *state_get(void)
{
	__u64 pid = (__u32)bpf_get_current_pid_tgid();
	struct task_state *slot;

	if (!memstall)
		return storage_get(0);
	slot = slot_of(pid);
	if (slot && slot->owner == (pid | BUSY))
		return slot;
	return without_slot ? storage_get(0) : 0;
}

/* With memstall: until state_leave(), which must follow. One who entered without a slot goes on
 * without, even if it is free meanwhile. */
static __always_inline struct task_state *state_enter(void)
{
	__u64 pid = (__u32)bpf_get_current_pid_tgid();
	struct task_state *state = without_slot ? storage_get(0) : 0;

	if (!state || !state->held)
		state = slot_take(pid);
	if (!state) {
		state = storage_make();
		if (state && !state->held)
			__sync_fetch_and_add(&without_slot, 1);
	}
	if (state)
		state->held++;
	return state;
}

static __always_inline void state_leave(struct task_state *state)
{
	__u64 owner = state->owner;

	if (--state->held)
		return;
	/* After everything before it. */
	if (owner)
		(void)__sync_val_compare_and_swap(&state->owner, owner, owner & ~BUSY);
	else
		__sync_fetch_and_sub(&without_slot, 1);
}
