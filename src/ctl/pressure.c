/* SPDX-License-Identifier: Apache-2.0 */
#include "pressure.h"

#include <math.h>

#define ROW(name, resource, words)                                                            \
	{                                                                                     \
		name, "cause_" name "_some_usec", "cause_" name "_full_usec", resource, words \
	}
#define ROW_FULL(name, resource, words)                               \
	{                                                             \
		name, "cause_" name "_full_usec", "", resource, words \
	}
#define ROW_RESOURCE(name, resource, words)                                                   \
	{                                                                                     \
		name, "pressure_" name "_some_usec", "pressure_" name "_full_usec", resource, \
			words                                                                 \
	}

const struct wait_row wait_rows[WAIT_MAX] = {
	[WAIT_CPU] = ROW_RESOURCE("cpu", WAIT_CPU, "a CPU that others use"),
	[WAIT_CFS_BANDWIDTH] = ROW_FULL("cpu_cfs_bandwidth", WAIT_CPU, "its own CPU limit"),
	[WAIT_CPU_QOS] = ROW_FULL("cpu_qos", WAIT_CPU, "a CPU that a higher level has"),
	[WAIT_MEMORY] = ROW_RESOURCE("memory", WAIT_MEMORY, "memory"),
	[WAIT_CGROUP_RECLAIM] = ROW("cgroup_memory_reclaim", WAIT_MEMORY, "its own memory limit"),
	[WAIT_GLOBAL_RECLAIM] =
		ROW("global_memory_reclaim", WAIT_MEMORY, "memory that the node is short of"),
	[WAIT_COMPACT] = ROW("compact", WAIT_MEMORY, "compaction to make huge pages"),
	[WAIT_ASYNC_RECLAIM] = ROW("cgroup_async_memory_reclaim", WAIT_MEMORY,
				   "reclaim in the background of its group"),
	[WAIT_SWAP] = ROW("swap", WAIT_MEMORY, "pages that were swapped out"),
	[WAIT_MEMORY_OTHER] =
		ROW("memory_other", WAIT_MEMORY, "page cache that was evicted and is read again"),
	[WAIT_IO] = ROW_RESOURCE("io", WAIT_IO, "its disks"),
	[WAIT_IRQ] = { "irq", "pressure_irq_full_usec", "", WAIT_IRQ,
		       "interrupts that take its CPU time" },
};

double wait_percent(const struct look *look, enum wait wait)
{
	double percent = look_percent(look, wait_rows[wait].key);

	if (wait != WAIT_MEMORY || !isnan(percent))
		return percent;
	for (enum wait cause = WAIT_MEMORY + 1; cause < WAIT_IO; cause++)
		percent = look_sum(percent, look_percent(look, wait_rows[cause].key));
	return percent;
}

double wait_worst(const struct look *look)
{
	double worst = NAN;

	for (enum wait wait = WAIT_CPU; wait < WAIT_MAX; wait++)
		worst = look_larger(worst, wait_percent(look, wait));
	return worst;
}
