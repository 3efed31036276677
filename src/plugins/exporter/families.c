/* SPDX-License-Identifier: Apache-2.0 */
/* families.c - what is published of a workload: names, labels and where each value is from. */
#include <stdbool.h>

#include "exporter.h"
#include "macro.h"

#define PRESSURE_LABELS(resource, stall) "resource=\"" resource "\",stall=\"" stall "\""
#define CAUSE_LABELS(resource, cause, stall) \
	"resource=\"" resource "\",cause=\"" cause "\",stall=\"" stall "\""

#define PRESSURE(resource, stall, value)                                  \
	{                                                                 \
		PRESSURE_LABELS(resource, stall), SAMPLE_PRESSURE_##value \
	}
#define CAUSE(resource, cause, stall, value)                               \
	{                                                                  \
		CAUSE_LABELS(resource, cause, stall), SAMPLE_CAUSE_##value \
	}
/* The averages of a total: a column for each window. */
#define WINDOW(labels, value, name, window)                                         \
	{                                                                           \
		labels ",window=\"" name "\"",                                      \
			((value)-SAMPLE_PRESSURE_FIRST) * SAMPLE_WINDOWS + (window) \
	}
#define WINDOWS(labels, value)                                                              \
	WINDOW(labels, value, "10s", WINDOW_10S), WINDOW(labels, value, "60s", WINDOW_60S), \
		WINDOW(labels, value, "300s", WINDOW_300S)
#define PRESSURE_RATIO(resource, stall, value) \
	WINDOWS(PRESSURE_LABELS(resource, stall), SAMPLE_PRESSURE_##value)
#define CAUSE_RATIO(resource, cause, stall, value) \
	WINDOWS(CAUSE_LABELS(resource, cause, stall), SAMPLE_CAUSE_##value)

static const struct metric_column cpu_usage[] = {
	{ "", SAMPLE_CPU_USAGE_USEC },
};

static const struct metric_column cpu_mode[] = {
	{ "mode=\"user\"", SAMPLE_CPU_USER_USEC },
	{ "mode=\"system\"", SAMPLE_CPU_SYSTEM_USEC },
};

static const struct metric_column cpu_periods[] = {
	{ "", SAMPLE_CPU_PERIODS },
};

static const struct metric_column cpu_throttled_periods[] = {
	{ "", SAMPLE_CPU_THROTTLED_PERIODS },
};

static const struct metric_column cpu_throttled[] = {
	{ "", SAMPLE_CPU_THROTTLED_USEC },
};

static const struct metric_column cpu_events[] = {
	{ "event=\"cycles\"", SAMPLE_CYCLES },
	{ "event=\"instructions\"", SAMPLE_INSTRUCTIONS },
	{ "event=\"cache_references\"", SAMPLE_CACHE_REFERENCES },
	{ "event=\"cache_misses\"", SAMPLE_CACHE_MISSES },
};

static const struct metric_column memory[] = {
	{ "", SAMPLE_MEMORY_BYTES },
};

static const struct metric_column working_set[] = {
	{ "", SAMPLE_MEMORY_WORKING_SET_BYTES },
};

static const struct metric_column swap[] = {
	{ "", SAMPLE_MEMORY_SWAP_BYTES },
};

static const struct metric_column memory_events[] = {
	{ "event=\"low\"", SAMPLE_MEMORY_EVENT_LOW },
	{ "event=\"high\"", SAMPLE_MEMORY_EVENT_HIGH },
	{ "event=\"max\"", SAMPLE_MEMORY_EVENT_MAX },
	{ "event=\"oom\"", SAMPLE_MEMORY_EVENT_OOM },
	{ "event=\"oom_kill\"", SAMPLE_MEMORY_EVENT_OOM_KILL },
};

static const struct metric_column memory_stat[] = {
	{ "stat=\"anon\"", SAMPLE_MEMORY_ANON_BYTES },
	{ "stat=\"file\"", SAMPLE_MEMORY_FILE_BYTES },
	{ "stat=\"shmem\"", SAMPLE_MEMORY_SHMEM_BYTES },
	{ "stat=\"file_mapped\"", SAMPLE_MEMORY_FILE_MAPPED_BYTES },
	{ "stat=\"file_dirty\"", SAMPLE_MEMORY_FILE_DIRTY_BYTES },
	{ "stat=\"file_writeback\"", SAMPLE_MEMORY_FILE_WRITEBACK_BYTES },
	{ "stat=\"inactive_anon\"", SAMPLE_MEMORY_INACTIVE_ANON_BYTES },
	{ "stat=\"active_anon\"", SAMPLE_MEMORY_ACTIVE_ANON_BYTES },
	{ "stat=\"inactive_file\"", SAMPLE_MEMORY_INACTIVE_FILE_BYTES },
	{ "stat=\"active_file\"", SAMPLE_MEMORY_ACTIVE_FILE_BYTES },
	{ "stat=\"unevictable\"", SAMPLE_MEMORY_UNEVICTABLE_BYTES },
	{ "stat=\"slab_reclaimable\"", SAMPLE_MEMORY_SLAB_RECLAIMABLE_BYTES },
	{ "stat=\"slab_unreclaimable\"", SAMPLE_MEMORY_SLAB_UNRECLAIMABLE_BYTES },
	{ "stat=\"kernel_stack\"", SAMPLE_MEMORY_KERNEL_STACK_BYTES },
	{ "stat=\"pagetables\"", SAMPLE_MEMORY_PAGETABLES_BYTES },
	{ "stat=\"sock\"", SAMPLE_MEMORY_SOCK_BYTES },
};

static const struct metric_column memory_activity[] = {
	{ "event=\"fault\"", SAMPLE_MEMORY_FAULTS },
	{ "event=\"major_fault\"", SAMPLE_MEMORY_MAJOR_FAULTS },
	{ "event=\"refault_anon\"", SAMPLE_MEMORY_REFAULT_ANON },
	{ "event=\"refault_file\"", SAMPLE_MEMORY_REFAULT_FILE },
	{ "event=\"scan\"", SAMPLE_MEMORY_SCANNED },
	{ "event=\"reclaim\"", SAMPLE_MEMORY_RECLAIMED },
	{ "event=\"swap_in\"", SAMPLE_MEMORY_SWAPPED_IN },
	{ "event=\"swap_out\"", SAMPLE_MEMORY_SWAPPED_OUT },
};

static const struct metric_column io_bytes[] = {
	{ "operation=\"read\"", IO_READ_BYTES },
	{ "operation=\"write\"", IO_WRITE_BYTES },
	{ "operation=\"discard\"", IO_DISCARD_BYTES },
};

static const struct metric_column io_operations[] = {
	{ "operation=\"read\"", IO_READS },
	{ "operation=\"write\"", IO_WRITES },
	{ "operation=\"discard\"", IO_DISCARDS },
};

static const struct metric_column pressure[] = {
	PRESSURE("cpu", "some", CPU_SOME_USEC),       PRESSURE("cpu", "full", CPU_FULL_USEC),
	PRESSURE("memory", "some", MEMORY_SOME_USEC), PRESSURE("memory", "full", MEMORY_FULL_USEC),
	PRESSURE("io", "some", IO_SOME_USEC),         PRESSURE("io", "full", IO_FULL_USEC),
	PRESSURE("irq", "full", IRQ_FULL_USEC),
};

static const struct metric_column causes[] = {
	CAUSE("memory", "cgroup_memory_reclaim", "some", CGROUP_MEMORY_RECLAIM_SOME_USEC),
	CAUSE("memory", "cgroup_memory_reclaim", "full", CGROUP_MEMORY_RECLAIM_FULL_USEC),
	CAUSE("memory", "global_memory_reclaim", "some", GLOBAL_MEMORY_RECLAIM_SOME_USEC),
	CAUSE("memory", "global_memory_reclaim", "full", GLOBAL_MEMORY_RECLAIM_FULL_USEC),
	CAUSE("memory", "compact", "some", COMPACT_SOME_USEC),
	CAUSE("memory", "compact", "full", COMPACT_FULL_USEC),
	CAUSE("memory", "cgroup_async_memory_reclaim", "some",
	      CGROUP_ASYNC_MEMORY_RECLAIM_SOME_USEC),
	CAUSE("memory", "cgroup_async_memory_reclaim", "full",
	      CGROUP_ASYNC_MEMORY_RECLAIM_FULL_USEC),
	CAUSE("memory", "swap", "some", SWAP_SOME_USEC),
	CAUSE("memory", "swap", "full", SWAP_FULL_USEC),
	CAUSE("memory", "memory_other", "some", MEMORY_OTHER_SOME_USEC),
	CAUSE("memory", "memory_other", "full", MEMORY_OTHER_FULL_USEC),
	CAUSE("cpu", "cpu_cfs_bandwidth", "full", CPU_CFS_BANDWIDTH_FULL_USEC),
	CAUSE("cpu", "cpu_qos", "full", CPU_QOS_FULL_USEC),
};

static const struct metric_column pressure_ratio[] = {
	PRESSURE_RATIO("cpu", "some", CPU_SOME_USEC),
	PRESSURE_RATIO("cpu", "full", CPU_FULL_USEC),
	PRESSURE_RATIO("memory", "some", MEMORY_SOME_USEC),
	PRESSURE_RATIO("memory", "full", MEMORY_FULL_USEC),
	PRESSURE_RATIO("io", "some", IO_SOME_USEC),
	PRESSURE_RATIO("io", "full", IO_FULL_USEC),
	PRESSURE_RATIO("irq", "full", IRQ_FULL_USEC),
};

static const struct metric_column cause_ratio[] = {
	CAUSE_RATIO("memory", "cgroup_memory_reclaim", "some", CGROUP_MEMORY_RECLAIM_SOME_USEC),
	CAUSE_RATIO("memory", "cgroup_memory_reclaim", "full", CGROUP_MEMORY_RECLAIM_FULL_USEC),
	CAUSE_RATIO("memory", "global_memory_reclaim", "some", GLOBAL_MEMORY_RECLAIM_SOME_USEC),
	CAUSE_RATIO("memory", "global_memory_reclaim", "full", GLOBAL_MEMORY_RECLAIM_FULL_USEC),
	CAUSE_RATIO("memory", "compact", "some", COMPACT_SOME_USEC),
	CAUSE_RATIO("memory", "compact", "full", COMPACT_FULL_USEC),
	CAUSE_RATIO("memory", "cgroup_async_memory_reclaim", "some",
		    CGROUP_ASYNC_MEMORY_RECLAIM_SOME_USEC),
	CAUSE_RATIO("memory", "cgroup_async_memory_reclaim", "full",
		    CGROUP_ASYNC_MEMORY_RECLAIM_FULL_USEC),
	CAUSE_RATIO("memory", "swap", "some", SWAP_SOME_USEC),
	CAUSE_RATIO("memory", "swap", "full", SWAP_FULL_USEC),
	CAUSE_RATIO("memory", "memory_other", "some", MEMORY_OTHER_SOME_USEC),
	CAUSE_RATIO("memory", "memory_other", "full", MEMORY_OTHER_FULL_USEC),
	CAUSE_RATIO("cpu", "cpu_cfs_bandwidth", "full", CPU_CFS_BANDWIDTH_FULL_USEC),
	CAUSE_RATIO("cpu", "cpu_qos", "full", CPU_QOS_FULL_USEC),
};

static const struct metric_column latency[] = {
	{ "", 0 },
};

#define FAMILY(name, source, divisor, columns, help)                                  \
	{                                                                             \
		"berth_workload_" name, help, METRIC_FROM_##source, divisor, columns, \
			ARRAY_SIZE(columns)                                           \
	}

const struct metric_table exporter_families[EXPORTER_FAMILIES] = {
	FAMILY("cpu_usage_seconds_total", VALUE, 1000000, cpu_usage, "CPU time of the workload."),
	FAMILY("cpu_mode_seconds_total", VALUE, 1000000, cpu_mode, "CPU time by mode."),
	FAMILY("cpu_periods_total", VALUE, 1, cpu_periods,
	       "Periods of the CPU quota in which a task of the workload ran; of a pod with its "
	       "containers'."),
	FAMILY("cpu_throttled_periods_total", VALUE, 1, cpu_throttled_periods,
	       "Periods in which the quota was used up; of a pod with its containers'."),
	FAMILY("cpu_throttled_seconds_total", VALUE, 1000000, cpu_throttled,
	       "Time that the quota kept tasks from running, summed over CPUs; of a pod with its "
	       "containers'."),
	FAMILY("cpu_events_total", VALUE, 1, cpu_events,
	       "What the CPUs counted of the workload while a plugin had it counted: of samples, "
	       "not of all time; cycles by instructions are the CPI, cache misses by references "
	       "the miss rate of the last-level cache (of the second level on AMD)."),
	FAMILY("memory_bytes", VALUE, 1, memory,
	       "Memory that is charged to the workload, page cache included."),
	FAMILY("memory_working_set_bytes", VALUE, 1, working_set,
	       "Memory without the inactive page cache, as the kubelet counts."),
	FAMILY("memory_swap_bytes", VALUE, 1, swap, "Swap that the workload uses."),
	FAMILY("memory_events_total", VALUE, 1, memory_events,
	       "Times that a limit or protection of memory came into play, and OOM kills."),
	FAMILY("memory_stat_bytes", VALUE, 1, memory_stat,
	       "Memory by kind, as memory.stat names it."),
	FAMILY("memory_activity_total", VALUE, 1, memory_activity,
	       "Page faults, and pages that were refaulted, scanned, reclaimed or swapped."),
	FAMILY("io_bytes_total", DEVICE, 1, io_bytes, "Bytes of block IO by device."),
	FAMILY("io_operations_total", DEVICE, 1, io_operations, "Requests of block IO by device."),
	FAMILY("pressure_seconds_total", VALUE, 1000000, pressure,
	       "Time in which some or all tasks of the workload waited for the resource."),
	FAMILY("pressure_cause_seconds_total", VALUE, 1000000, causes,
	       "Time in which some or all tasks waited, by cause; the causes of memory sum to its "
	       "pressure."),
	FAMILY("pressure_ratio", AVERAGE, 1, pressure_ratio,
	       "Share of time in which some or all tasks waited, averaged over a window."),
	FAMILY("pressure_cause_ratio", AVERAGE, 1, cause_ratio,
	       "Share of time in which some or all tasks waited, by cause, averaged over a "
	       "window."),
	FAMILY("runqueue_latency_seconds", LATENCY, 1000000, latency,
	       "How long tasks of the workload waited on a run queue before they ran."),
};

/* What a family is switched by. */
static const struct {
	enum exporter_group group;
	bool average;
} switches[EXPORTER_FAMILIES] = {
	{ GROUP_CPU, false },         /* cpu_usage_seconds_total */
	{ GROUP_CPU, false },         /* cpu_mode_seconds_total */
	{ GROUP_CPU, false },         /* cpu_periods_total */
	{ GROUP_CPU, false },         /* cpu_throttled_periods_total */
	{ GROUP_CPU, false },         /* cpu_throttled_seconds_total */
	{ GROUP_CPU, false },         /* cpu_events_total */
	{ GROUP_MEMORY, false },      /* memory_bytes */
	{ GROUP_MEMORY, false },      /* memory_working_set_bytes */
	{ GROUP_MEMORY, false },      /* memory_swap_bytes */
	{ GROUP_MEMORY, false },      /* memory_events_total */
	{ GROUP_MEMORY_STAT, false }, /* memory_stat_bytes */
	{ GROUP_MEMORY_STAT, false }, /* memory_activity_total */
	{ GROUP_IO, false },          /* io_bytes_total */
	{ GROUP_IO, false },          /* io_operations_total */
	{ GROUP_PRESSURE, false },    /* pressure_seconds_total */
	{ GROUP_CAUSES, false },      /* pressure_cause_seconds_total */
	{ GROUP_PRESSURE, true },     /* pressure_ratio */
	{ GROUP_CAUSES, true },       /* pressure_cause_ratio */
	{ GROUP_LATENCY, false },     /* runqueue_latency_seconds */
};

size_t exporter_choose(const struct exporter_config *config, struct metric_table *tables)
{
	size_t count = 0;

	for (size_t i = 0; i < EXPORTER_FAMILIES; i++)
		if (config->groups[switches[i].group] && (config->averages || !switches[i].average))
			tables[count++] = exporter_families[i];
	return count;
}
