/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rollup.h - throttling of a pod is that of its containers, too. The kernel counts nr_periods,
 * nr_throttled and throttled_time of one group's own quota (cpu_cfs_stat_show() in
 * kernel/sched/core.c), and a container's limit is the quota of the container's group: the pod's
 * own cpu.stat does not show it. Of workloads that are gone the share stays, so that a pod's
 * counters do not go back when a container ends.
 */
#pragma once

#include "hashmap.h"
#include "telemetry/target.h"

/* Before the group is read: its own numbers stand in the record again. */
void rollup_begin(struct target *target);
/* After all were read: add to each what those below it have had since the last pass. by_id: struct
 * target by id; those that are gone or of another generation count nothing. */
void rollup_end(const struct hashmap *by_id, uint64_t generation);
