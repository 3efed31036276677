/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * probe.bpf.c - why tasks wait for memory, added up by workload. Two ways, chosen before the
 * programs are loaded: with `memstall` the wait is what PSI counts, psi_memstall_enter() to
 * psi_memstall_leave(), and tracepoints in between tell its cause; without (where the kernel
 * attaches nothing to functions) it is the time from a tracepoint to the one that ends it.
 */
#include "telemetry/bpf/task-group.bpf.h"
#include "telemetry/stall/record.h"
#include "telemetry/stall/task.bpf.h"

char LICENSE[] SEC("license") = "GPL";

const volatile bool unified, wall;
/* Changed by user space with the table of workloads: what tasks remember of it is void. */
__u32 table_version;

/* Where a workload's record is, by the number of its directory. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1); /* LIMIT_WORKLOADS, when it is loaded */
	__type(key, __u64);
	__type(value, __u32);
} workloads SEC(".maps");

/* An array is looked into without a call; user space has it mapped. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1); /* LIMIT_WORKLOADS, when it is loaded */
	__type(key, __u32);
	__type(value, struct stall_record);
} records SEC(".maps");

#define NO_RECORD 0xffffffffU

/* The nearest known workload at or above a group. */
static __always_inline void workload_find(struct task_state *state,
					  struct cgroup_subsys_state *group)
{
	state->workload = 0;
	state->index = NO_RECORD;
	for (int i = 0; i < GROUP_DEPTH && group; i++) {
		__u64 id = group_id(group);
		__u32 *index = bpf_map_lookup_elem(&workloads, &id);

		if (index) {
			state->workload = id;
			state->index = *index;
			return;
		}
		group = group->parent;
	}
}

/* That of the current task. Remembered: the walk is for the first wait, not for each. */
static __always_inline void workload_look(struct task_struct *task, struct task_state *state)
{
	struct cgroup_subsys_state *group;
	__u32 which = 0;

	if (!unified)
		which = bpf_core_enum_value(enum cgroup_subsys_id, memory_cgrp_id);
	if (task_group_id(task, unified, which) == state->group && state->version == table_version)
		return;
	/* It may be moved at any time: what is remembered is of one look. */
	group = group_of(task, unified, which);
	state->version = table_version;
	state->group = group_id(group);
	workload_find(state, group);
}

/* The record of a workload, if it is there still. */
static __always_inline struct stall_record *record_of(__u32 index, __u64 key)
{
	struct stall_record *record = bpf_map_lookup_elem(&records, &index);

	return record && record->key == key ? record : 0;
}

/* One more task of the workload waits: the first one notes the time. False: too many CPUs at once
 * changed it, which user space never learns of: this wait is in nsec only. */
static __always_inline bool wall_enter(struct stall_record *record, __u64 now)
{
	__u64 old = record->running;

	for (int i = 0; i < 16; i++) {
		__u64 new = old &STALL_COUNT_MASK
				    ? old + 1
				    : (now >> STALL_UNIT_SHIFT << STALL_COUNT_BITS) + 1;
		__u64 found = __sync_val_compare_and_swap(&record->running, old, new);

		if (found == old)
			return true;
		old = found;
	}
	return false;
}

/* The last one adds the time. What it reads belongs to its own decrement, so that a task that comes
 * at the same instant begins a new wait. */
static __always_inline void wall_leave(struct stall_record *record, __u64 now)
{
	__u64 old = __sync_fetch_and_sub(&record->running, 1), units;

	if ((old & STALL_COUNT_MASK) != 1)
		return;
	units = (now >> STALL_UNIT_SHIFT) - (old >> STALL_COUNT_BITS);
	units &= ~0ULL >> STALL_COUNT_BITS;
	/* Clocks of two CPUs may be a unit apart. */
	if (units >> 40 == 0)
		__sync_fetch_and_add(&record->wall_units, units);
}

static __always_inline void wait_begin(struct task_struct *task, struct task_state *state,
				       __u8 cause)
{
	__u64 now = bpf_ktime_get_ns();

	state->start = now;
	state->cause = cause;
	workload_look(task, state);
	if (wall) {
		struct stall_record *record = record_of(state->index, state->workload);

		state->is_walled = record && wall_enter(record, now);
	}
}

static __always_inline void record_add(struct stall_record *record, __u32 cause, __u64 nsec)
{
	/* It is; the kernel wants to see it. */
	if (cause < STALL_CAUSES)
		__sync_fetch_and_add(&record->nsec[cause], nsec);
}

static __always_inline void wait_end(struct task_state *state)
{
	__u64 now = bpf_ktime_get_ns();
	struct stall_record *record = record_of(state->index, state->workload);

	if (!record)
		return;
	record_add(record, state->cause, now - state->start);
	if (wall && state->is_walled)
		wall_leave(record, now);
}

/* What PSI counts: the outermost enter to its leave. */

SEC("fentry/psi_memstall_enter")
int BPF_PROG(memstall_enter)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct task_state *state;
	__u64 owner;

	state = state_enter(task, IN_MEMSTALL, &owner);
	if (state && memstalls_of(owner) == 0)
		wait_begin(task, state, state->context);
	return 0;
}

SEC("fentry/psi_memstall_leave")
int BPF_PROG(memstall_leave)
{
	struct task_state *state;
	__u64 owner;

	state = state_get(bpf_get_current_task_btf(), &owner);
	/* 0: it was entered before this was attached. */
	if (!state || memstalls_of(owner) == 0)
		return 0;
	if (memstalls_of(owner) == 1)
		wait_end(state);
	state_leave(state, IN_MEMSTALL);
	return 0;
}

/* Which kind of wait it is. None is a wait for a page that comes back, from swap or from a file:
 * user space tells them apart. (A program on do_swap_page() would cost 550 instructions a page.) A
 * tracepoint inside knows better than the function around it. */
static __always_inline void cause_begin(__u8 cause)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct task_state *state;
	__u64 owner;

	if (memstall) {
		state = state_get(task, &owner);
		if (state && memstalls_of(owner) && state->cause == state->context)
			state->cause = cause;
		return;
	}
	state = storage_make(task);
	if (state && !state->start)
		wait_begin(task, state, cause);
}

static __always_inline void cause_end(__u8 cause)
{
	struct task_state *state;

	if (memstall)
		return;
	state = storage_get(bpf_get_current_task_btf(), 0);
	if (!state || !state->start || state->cause != cause)
		return;
	wait_end(state);
	state->start = 0;
}

SEC("tp_btf/mm_vmscan_direct_reclaim_begin")
int BPF_PROG(direct_reclaim_begin)
{
	cause_begin(STALL_GLOBAL_RECLAIM);
	return 0;
}

SEC("tp_btf/mm_vmscan_direct_reclaim_end")
int BPF_PROG(direct_reclaim_end)
{
	cause_end(STALL_GLOBAL_RECLAIM);
	return 0;
}

SEC("tp_btf/mm_vmscan_memcg_reclaim_begin")
int BPF_PROG(memcg_reclaim_begin)
{
	cause_begin(STALL_CGROUP_RECLAIM);
	return 0;
}

SEC("tp_btf/mm_vmscan_memcg_reclaim_end")
int BPF_PROG(memcg_reclaim_end)
{
	cause_end(STALL_CGROUP_RECLAIM);
	return 0;
}

SEC("tp_btf/mm_compaction_try_to_compact_pages")
int BPF_PROG(compact_try)
{
	struct task_state *state;

	if (memstall) {
		cause_begin(STALL_COMPACT);
		return 0;
	}
	state = storage_make(bpf_get_current_task_btf());
	if (state)
		state->compacts = 1;
	return 0;
}

SEC("tp_btf/mm_compaction_begin")
int BPF_PROG(compact_begin)
{
	struct task_state *state;

	if (memstall)
		return 0;
	state = storage_get(bpf_get_current_task_btf(), 0);
	if (state && state->compacts)
		cause_begin(STALL_COMPACT);
	return 0;
}

SEC("tp_btf/mm_compaction_end")
int BPF_PROG(compact_end)
{
	cause_end(STALL_COMPACT);
	return 0;
}

/* A function in which waits have a cause that no tracepoint tells. */
static __always_inline void context_enter(__u8 context)
{
	struct task_state *state;
	__u64 owner;

	state = state_enter(bpf_get_current_task_btf(), IN_FUNCTION, &owner);
	if (state && functions_of(owner) == 0)
		state->context = context;
}

static __always_inline void context_leave(void)
{
	struct task_state *state;
	__u64 owner;

	state = state_get(bpf_get_current_task_btf(), &owner);
	if (!state || functions_of(owner) == 0)
		return;
	if (functions_of(owner) == 1)
		state->context = STALL_OTHER;
	state_leave(state, IN_FUNCTION);
}

/* Over memory.high: the task is put to sleep. Its name before 6.7, and since. */
SEC("fentry/mem_cgroup_handle_over_high")
int BPF_PROG(high_enter)
{
	context_enter(STALL_CGROUP_RECLAIM);
	return 0;
}

SEC("fexit/mem_cgroup_handle_over_high")
int BPF_PROG(high_leave)
{
	context_leave();
	return 0;
}

SEC("fentry/__mem_cgroup_handle_over_high")
int BPF_PROG(high_enter_inner)
{
	context_enter(STALL_CGROUP_RECLAIM);
	return 0;
}

SEC("fexit/__mem_cgroup_handle_over_high")
int BPF_PROG(high_leave_inner)
{
	context_leave();
	return 0;
}

/* A kernel worker's reclaim for a group over memory.high; the group is that of the work. */
SEC("fentry/high_work_func")
int BPF_PROG(async_enter, struct work_struct *work)
{
	struct task_state *state;
	struct mem_cgroup *memcg;
	__u64 owner;

	state = state_enter(bpf_get_current_task_btf(), IN_FUNCTION, &owner);
	if (!state)
		return 0;
	memcg = (void *)work - bpf_core_field_offset(struct mem_cgroup, high_work);
	state->async_group = BPF_CORE_READ(memcg, css.cgroup, kn, id);
	state->async_start = bpf_ktime_get_ns();
	return 0;
}

SEC("fexit/high_work_func")
int BPF_PROG(async_leave)
{
	struct task_state *state;
	struct stall_record *record;
	__u64 owner;
	__u32 *index;

	state = state_get(bpf_get_current_task_btf(), &owner);
	if (!state || functions_of(owner) == 0)
		return 0;
	index = bpf_map_lookup_elem(&workloads, &state->async_group);
	record = index ? record_of(*index, state->async_group) : 0;
	if (record)
		record_add(record, STALL_ASYNC_RECLAIM, bpf_ktime_get_ns() - state->async_start);
	state_leave(state, IN_FUNCTION);
	return 0;
}
