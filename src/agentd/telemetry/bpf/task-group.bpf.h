/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * task-group.bpf.h - from a task to the group that pressure and the run queue count it for.
 */
#pragma once

#include "telemetry/bpf/kernel.bpf.h"

#define GROUP_DEPTH 8 /* how far above a task's own group a workload is looked for */

/* The group of a task. On v2 the one of the unified hierarchy, whichever controllers it has: it is
 * what PSI goes by. On v1 the one of that controller; `which` is its place in css_set.subsys. */
static __always_inline struct cgroup_subsys_state *group_of(struct task_struct *task, bool unified,
							    __u32 which)
{
	struct css_set *set = task->cgroups;

	if (unified)
		return &set->dfl_cgrp->self;
	return set->subsys[which];
}

/* The inode number of its directory. */
static __always_inline __u64 group_id(struct cgroup_subsys_state *group)
{
	return group->cgroup->kn->id;
}

/* That of a task's group, in fewer steps where there are: each is checked in the kernel. */
static __always_inline __u64 task_group_id(struct task_struct *task, bool unified, __u32 which)
{
	if (unified)
		return task->cgroups->dfl_cgrp->kn->id;
	return group_id(group_of(task, unified, which));
}
