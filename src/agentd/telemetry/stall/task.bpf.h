/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * task.bpf.h - what stall/probe.bpf.c knows of a task, and where it is kept.
 */
#pragma once

#include "telemetry/bpf/kernel.bpf.h"
#include "telemetry/stall/record.h"

const volatile bool memstall; /* see stall/probe.bpf.c */

struct task_state {
	__u64 owner;       /* with memstall: see below */
	__u64 start;       /* of the wait; without memstall 0: none */
	__u64 group;       /* that the task was in */
	__u64 workload;    /* the group's workload: key of the table; 0: none */
	__u64 async_start; /* of a worker: reclaim on behalf of async_group */
	__u64 async_group;
	__u32 index;    /* of workload's record; both stay what they are while a wait goes on */
	__u32 version;  /* of the table when workload was found */
	__u8 cause;     /* of the wait */
	__u8 context;   /* what the task is in: the cause of a wait that nothing else explains */
	__u8 compacts;  /* in try_to_compact_pages(), not for kcompactd or a sysctl */
	__u8 is_walled; /* it is counted in `running` */
};

/* Who is in a wait, with memstall: a slot for each pid by its lower bits. It is the task's until
 * another one takes it, which none can while the task is in something. So `owner` is all in one,
 * for one compare-and-swap to take it: the pid (0 in the storage below), above it how often the
 * task is between psi_memstall_enter() and _leave(), and above that in other functions that matter.
 * The kernel's task storage would do alone, but a look into it is 110 instructions, and into an
 * array a dozen: it is for those who find their slot taken, and for the way in which nothing tells
 * that a task needs its state no longer. */
#define SLOTS       8192u
#define IN_MEMSTALL (1ULL << 32)
#define IN_FUNCTION (1ULL << 48)

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

static __always_inline struct task_state *storage_get(struct task_struct *task, __u64 flags)
{
	return bpf_task_storage_get(&tasks, task, 0, flags);
}

/* A zeroed state waits for cause 0, which is one. */
static __always_inline void state_begin(struct task_state *state)
{
	state->cause = STALL_OTHER;
	state->context = STALL_OTHER;
}

static __always_inline struct task_state *storage_make(struct task_struct *task)
{
	struct task_state *state = storage_get(task, 0);

	if (state)
		return state;
	state = storage_get(task, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (state)
		state_begin(state);
	return state;
}

static __always_inline struct task_state *slot_of(__u32 pid)
{
	__u32 at = pid % SLOTS;

	return bpf_map_lookup_elem(&slots, &at);
}

/* Of an owner: how often in the one, in the other. */
static __always_inline __u32 memstalls_of(__u64 owner)
{
	return owner / IN_MEMSTALL % (IN_FUNCTION / IN_MEMSTALL);
}

static __always_inline __u32 functions_of(__u64 owner)
{
	return owner / IN_FUNCTION;
}

/* With memstall: the current task is in one more, until state_leave(). `ret`: of the owner before
 * that, what it was in. */
static __always_inline struct task_state *state_enter(struct task_struct *task, __u64 in,
						      __u64 *ret)
{
	__u32 pid = task->pid;
	struct task_state *state;
	__u64 owner;

	/* One who entered without a slot goes on without, even if it is free meanwhile. */
	if (without_slot) {
		state = storage_get(task, 0);
		if (state && state->owner)
			goto add;
	}
	state = slot_of(pid);
	if (state) {
		*ret = 0;
		owner = __sync_val_compare_and_swap(&state->owner, pid, pid + in);
		if (owner == pid)
			return state;
		if ((__u32)owner == pid)
			goto add;
		/* What the other one remembers of its group is checked at each wait. */
		if (owner < IN_MEMSTALL &&
		    __sync_val_compare_and_swap(&state->owner, owner, pid + in) == owner) {
			state_begin(state);
			return state;
		}
	}
	state = storage_make(task);
	if (!state)
		return 0;
	if (!state->owner)
		__sync_fetch_and_add(&without_slot, 1);
add:
	*ret = state->owner;
	state->owner += in;
	return state;
}

/* With memstall: the current task's, if it is in something, and its owner. */
static __always_inline struct task_state *state_get(struct task_struct *task, __u64 *ret)
{
	__u32 pid = task->pid;
	struct task_state *state = slot_of(pid);

	if (state) {
		*ret = state->owner;
		if ((__u32)*ret == pid && *ret != pid)
			return state;
	}
	state = without_slot ? storage_get(task, 0) : 0;
	if (!state || !state->owner)
		return 0;
	*ret = state->owner;
	return state;
}

static __always_inline void state_leave(struct task_state *state, __u64 in)
{
	/* After everything before it: an atomic operation whose result is used is a barrier. */
	if (__sync_fetch_and_sub(&state->owner, in) == in)
		__sync_fetch_and_sub(&without_slot, 1);
}
