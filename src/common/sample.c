/* SPDX-License-Identifier: Apache-2.0 */
#include "sample.h"

#include "macro.h"

static const char *const value_names[SAMPLE_MAX] = {
	[SAMPLE_CPU_USAGE_USEC] = "cpu_usage_usec",
	[SAMPLE_CPU_USER_USEC] = "cpu_user_usec",
	[SAMPLE_CPU_SYSTEM_USEC] = "cpu_system_usec",
	[SAMPLE_CPU_PERIODS] = "cpu_periods",
	[SAMPLE_CPU_THROTTLED_PERIODS] = "cpu_throttled_periods",
	[SAMPLE_CPU_THROTTLED_USEC] = "cpu_throttled_usec",
	[SAMPLE_MEMORY_BYTES] = "memory_bytes",
	[SAMPLE_MEMORY_WORKING_SET_BYTES] = "memory_working_set_bytes",
	[SAMPLE_MEMORY_SWAP_BYTES] = "memory_swap_bytes",
	[SAMPLE_MEMORY_ANON_BYTES] = "memory_anon_bytes",
	[SAMPLE_MEMORY_FILE_BYTES] = "memory_file_bytes",
	[SAMPLE_MEMORY_SHMEM_BYTES] = "memory_shmem_bytes",
	[SAMPLE_MEMORY_FILE_MAPPED_BYTES] = "memory_file_mapped_bytes",
	[SAMPLE_MEMORY_FILE_DIRTY_BYTES] = "memory_file_dirty_bytes",
	[SAMPLE_MEMORY_FILE_WRITEBACK_BYTES] = "memory_file_writeback_bytes",
	[SAMPLE_MEMORY_INACTIVE_ANON_BYTES] = "memory_inactive_anon_bytes",
	[SAMPLE_MEMORY_ACTIVE_ANON_BYTES] = "memory_active_anon_bytes",
	[SAMPLE_MEMORY_INACTIVE_FILE_BYTES] = "memory_inactive_file_bytes",
	[SAMPLE_MEMORY_ACTIVE_FILE_BYTES] = "memory_active_file_bytes",
	[SAMPLE_MEMORY_UNEVICTABLE_BYTES] = "memory_unevictable_bytes",
	[SAMPLE_MEMORY_SLAB_RECLAIMABLE_BYTES] = "memory_slab_reclaimable_bytes",
	[SAMPLE_MEMORY_SLAB_UNRECLAIMABLE_BYTES] = "memory_slab_unreclaimable_bytes",
	[SAMPLE_MEMORY_KERNEL_STACK_BYTES] = "memory_kernel_stack_bytes",
	[SAMPLE_MEMORY_PAGETABLES_BYTES] = "memory_pagetables_bytes",
	[SAMPLE_MEMORY_SOCK_BYTES] = "memory_sock_bytes",
	[SAMPLE_MEMORY_EVENT_LOW] = "memory_event_low",
	[SAMPLE_MEMORY_EVENT_HIGH] = "memory_event_high",
	[SAMPLE_MEMORY_EVENT_MAX] = "memory_event_max",
	[SAMPLE_MEMORY_EVENT_OOM] = "memory_event_oom",
	[SAMPLE_MEMORY_EVENT_OOM_KILL] = "memory_event_oom_kill",
	[SAMPLE_MEMORY_FAULTS] = "memory_faults",
	[SAMPLE_MEMORY_MAJOR_FAULTS] = "memory_major_faults",
	[SAMPLE_MEMORY_REFAULT_ANON] = "memory_refault_anon",
	[SAMPLE_MEMORY_REFAULT_FILE] = "memory_refault_file",
	[SAMPLE_MEMORY_SCANNED] = "memory_scanned",
	[SAMPLE_MEMORY_RECLAIMED] = "memory_reclaimed",
	[SAMPLE_MEMORY_SWAPPED_IN] = "memory_swapped_in",
	[SAMPLE_MEMORY_SWAPPED_OUT] = "memory_swapped_out",
	[SAMPLE_PRESSURE_CPU_SOME_USEC] = "pressure_cpu_some_usec",
	[SAMPLE_PRESSURE_CPU_FULL_USEC] = "pressure_cpu_full_usec",
	[SAMPLE_PRESSURE_MEMORY_SOME_USEC] = "pressure_memory_some_usec",
	[SAMPLE_PRESSURE_MEMORY_FULL_USEC] = "pressure_memory_full_usec",
	[SAMPLE_PRESSURE_IO_SOME_USEC] = "pressure_io_some_usec",
	[SAMPLE_PRESSURE_IO_FULL_USEC] = "pressure_io_full_usec",
	[SAMPLE_PRESSURE_IRQ_FULL_USEC] = "pressure_irq_full_usec",
	[SAMPLE_CAUSE_CGROUP_MEMORY_RECLAIM_SOME_USEC] = "cause_cgroup_memory_reclaim_some_usec",
	[SAMPLE_CAUSE_CGROUP_MEMORY_RECLAIM_FULL_USEC] = "cause_cgroup_memory_reclaim_full_usec",
	[SAMPLE_CAUSE_GLOBAL_MEMORY_RECLAIM_SOME_USEC] = "cause_global_memory_reclaim_some_usec",
	[SAMPLE_CAUSE_GLOBAL_MEMORY_RECLAIM_FULL_USEC] = "cause_global_memory_reclaim_full_usec",
	[SAMPLE_CAUSE_COMPACT_SOME_USEC] = "cause_compact_some_usec",
	[SAMPLE_CAUSE_COMPACT_FULL_USEC] = "cause_compact_full_usec",
	[SAMPLE_CAUSE_CGROUP_ASYNC_MEMORY_RECLAIM_SOME_USEC] =
		"cause_cgroup_async_memory_reclaim_some_usec",
	[SAMPLE_CAUSE_CGROUP_ASYNC_MEMORY_RECLAIM_FULL_USEC] =
		"cause_cgroup_async_memory_reclaim_full_usec",
	[SAMPLE_CAUSE_SWAP_SOME_USEC] = "cause_swap_some_usec",
	[SAMPLE_CAUSE_SWAP_FULL_USEC] = "cause_swap_full_usec",
	[SAMPLE_CAUSE_MEMORY_OTHER_SOME_USEC] = "cause_memory_other_some_usec",
	[SAMPLE_CAUSE_MEMORY_OTHER_FULL_USEC] = "cause_memory_other_full_usec",
	[SAMPLE_CAUSE_CPU_CFS_BANDWIDTH_FULL_USEC] = "cause_cpu_cfs_bandwidth_full_usec",
	[SAMPLE_CAUSE_CPU_QOS_FULL_USEC] = "cause_cpu_qos_full_usec",
	[SAMPLE_CYCLES] = "cycles",
	[SAMPLE_INSTRUCTIONS] = "instructions",
	[SAMPLE_CACHE_REFERENCES] = "cache_references",
	[SAMPLE_CACHE_MISSES] = "cache_misses",
};

static const char *const io_names[SAMPLE_IO_MAX] = {
	[IO_READ_BYTES] = "read_bytes",
	[IO_WRITE_BYTES] = "write_bytes",
	[IO_DISCARD_BYTES] = "discard_bytes",
	[IO_READS] = "reads",
	[IO_WRITES] = "writes",
	[IO_DISCARDS] = "discards",
};

const char *sample_value_name(enum sample_value value)
{
	return (unsigned int)value < ARRAY_SIZE(value_names) ? value_names[value] : "";
}

const char *sample_io_name(enum sample_io io)
{
	return (unsigned int)io < ARRAY_SIZE(io_names) ? io_names[io] : "";
}
