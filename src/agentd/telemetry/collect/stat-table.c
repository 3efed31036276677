/* SPDX-License-Identifier: Apache-2.0 */
#include "macro.h"
#include "telemetry/collect/stat-file.h"

#define KEYS(table) (table), ARRAY_SIZE(table)

static const struct stat_key cpu_v2[] = {
	{ "usage_usec", SAMPLE_CPU_USAGE_USEC, UNIT_ONE },
	{ "user_usec", SAMPLE_CPU_USER_USEC, UNIT_ONE },
	{ "system_usec", SAMPLE_CPU_SYSTEM_USEC, UNIT_ONE },
	{ "nr_periods", SAMPLE_CPU_PERIODS, UNIT_ONE },
	{ "nr_throttled", SAMPLE_CPU_THROTTLED_PERIODS, UNIT_ONE },
	{ "throttled_usec", SAMPLE_CPU_THROTTLED_USEC, UNIT_ONE },
};
static const struct stat_key cpu_v1[] = {
	{ "nr_periods", SAMPLE_CPU_PERIODS, UNIT_ONE },
	{ "nr_throttled", SAMPLE_CPU_THROTTLED_PERIODS, UNIT_ONE },
	{ "throttled_time", SAMPLE_CPU_THROTTLED_USEC, UNIT_NSEC },
};
static const struct stat_key cpuacct_usage[] = {
	{ "", SAMPLE_CPU_USAGE_USEC, UNIT_NSEC },
};
static const struct stat_key cpuacct_stat[] = {
	{ "user", SAMPLE_CPU_USER_USEC, UNIT_TICK },
	{ "system", SAMPLE_CPU_SYSTEM_USEC, UNIT_TICK },
};

static const struct stat_key pressure_cpu[] = {
	{ "some", SAMPLE_PRESSURE_CPU_SOME_USEC, UNIT_ONE },
	{ "full", SAMPLE_PRESSURE_CPU_FULL_USEC, UNIT_ONE },
};
static const struct stat_key pressure_memory[] = {
	{ "some", SAMPLE_PRESSURE_MEMORY_SOME_USEC, UNIT_ONE },
	{ "full", SAMPLE_PRESSURE_MEMORY_FULL_USEC, UNIT_ONE },
};
static const struct stat_key pressure_io[] = {
	{ "some", SAMPLE_PRESSURE_IO_SOME_USEC, UNIT_ONE },
	{ "full", SAMPLE_PRESSURE_IO_FULL_USEC, UNIT_ONE },
};
static const struct stat_key pressure_irq[] = {
	{ "full", SAMPLE_PRESSURE_IRQ_FULL_USEC, UNIT_ONE },
};

static const struct stat_key memory_usage[] = {
	{ "", SAMPLE_MEMORY_BYTES, UNIT_ONE },
};
static const struct stat_key memory_swap[] = {
	{ "", SAMPLE_MEMORY_SWAP_BYTES, UNIT_ONE },
};
/* In the kernel's order (mm/memcontrol.c, memory_stats[]). */
static const struct stat_key memory_stat_v2[] = {
	{ "anon", SAMPLE_MEMORY_ANON_BYTES, UNIT_ONE },
	{ "file", SAMPLE_MEMORY_FILE_BYTES, UNIT_ONE },
	{ "kernel_stack", SAMPLE_MEMORY_KERNEL_STACK_BYTES, UNIT_ONE },
	{ "pagetables", SAMPLE_MEMORY_PAGETABLES_BYTES, UNIT_ONE },
	{ "sock", SAMPLE_MEMORY_SOCK_BYTES, UNIT_ONE },
	{ "shmem", SAMPLE_MEMORY_SHMEM_BYTES, UNIT_ONE },
	{ "file_mapped", SAMPLE_MEMORY_FILE_MAPPED_BYTES, UNIT_ONE },
	{ "file_dirty", SAMPLE_MEMORY_FILE_DIRTY_BYTES, UNIT_ONE },
	{ "file_writeback", SAMPLE_MEMORY_FILE_WRITEBACK_BYTES, UNIT_ONE },
	{ "inactive_anon", SAMPLE_MEMORY_INACTIVE_ANON_BYTES, UNIT_ONE },
	{ "active_anon", SAMPLE_MEMORY_ACTIVE_ANON_BYTES, UNIT_ONE },
	{ "inactive_file", SAMPLE_MEMORY_INACTIVE_FILE_BYTES, UNIT_ONE },
	{ "active_file", SAMPLE_MEMORY_ACTIVE_FILE_BYTES, UNIT_ONE },
	{ "unevictable", SAMPLE_MEMORY_UNEVICTABLE_BYTES, UNIT_ONE },
	{ "slab_reclaimable", SAMPLE_MEMORY_SLAB_RECLAIMABLE_BYTES, UNIT_ONE },
	{ "slab_unreclaimable", SAMPLE_MEMORY_SLAB_UNRECLAIMABLE_BYTES, UNIT_ONE },
	{ "workingset_refault_anon", SAMPLE_MEMORY_REFAULT_ANON, UNIT_ONE },
	{ "workingset_refault_file", SAMPLE_MEMORY_REFAULT_FILE, UNIT_ONE },
	{ "pswpin", SAMPLE_MEMORY_SWAPPED_IN, UNIT_ONE },
	{ "pswpout", SAMPLE_MEMORY_SWAPPED_OUT, UNIT_ONE },
	{ "pgscan", SAMPLE_MEMORY_SCANNED, UNIT_ONE },
	{ "pgsteal", SAMPLE_MEMORY_RECLAIMED, UNIT_ONE },
	{ "pgfault", SAMPLE_MEMORY_FAULTS, UNIT_ONE },
	{ "pgmajfault", SAMPLE_MEMORY_MAJOR_FAULTS, UNIT_ONE },
};
/* The sums with children; v1 has no kernel memory, sockets and scans in it. */
static const struct stat_key memory_stat_v1[] = {
	{ "total_cache", SAMPLE_MEMORY_FILE_BYTES, UNIT_ONE },
	{ "total_rss", SAMPLE_MEMORY_ANON_BYTES, UNIT_ONE },
	{ "total_shmem", SAMPLE_MEMORY_SHMEM_BYTES, UNIT_ONE },
	{ "total_mapped_file", SAMPLE_MEMORY_FILE_MAPPED_BYTES, UNIT_ONE },
	{ "total_dirty", SAMPLE_MEMORY_FILE_DIRTY_BYTES, UNIT_ONE },
	{ "total_writeback", SAMPLE_MEMORY_FILE_WRITEBACK_BYTES, UNIT_ONE },
	{ "total_workingset_refault_anon", SAMPLE_MEMORY_REFAULT_ANON, UNIT_ONE },
	{ "total_workingset_refault_file", SAMPLE_MEMORY_REFAULT_FILE, UNIT_ONE },
	/* Only where swap is accounted. */
	{ "total_swap", SAMPLE_MEMORY_SWAP_BYTES, UNIT_ONE },
	{ "total_pgfault", SAMPLE_MEMORY_FAULTS, UNIT_ONE },
	{ "total_pgmajfault", SAMPLE_MEMORY_MAJOR_FAULTS, UNIT_ONE },
	{ "total_inactive_anon", SAMPLE_MEMORY_INACTIVE_ANON_BYTES, UNIT_ONE },
	{ "total_active_anon", SAMPLE_MEMORY_ACTIVE_ANON_BYTES, UNIT_ONE },
	{ "total_inactive_file", SAMPLE_MEMORY_INACTIVE_FILE_BYTES, UNIT_ONE },
	{ "total_active_file", SAMPLE_MEMORY_ACTIVE_FILE_BYTES, UNIT_ONE },
	{ "total_unevictable", SAMPLE_MEMORY_UNEVICTABLE_BYTES, UNIT_ONE },
};
static const struct stat_key memory_events[] = {
	{ "low", SAMPLE_MEMORY_EVENT_LOW, UNIT_ONE },
	{ "high", SAMPLE_MEMORY_EVENT_HIGH, UNIT_ONE },
	{ "max", SAMPLE_MEMORY_EVENT_MAX, UNIT_ONE },
	{ "oom", SAMPLE_MEMORY_EVENT_OOM, UNIT_ONE },
	{ "oom_kill", SAMPLE_MEMORY_EVENT_OOM_KILL, UNIT_ONE },
};
static const struct stat_key oom_control[] = {
	{ "oom_kill", SAMPLE_MEMORY_EVENT_OOM_KILL, UNIT_ONE },
};

#define CPU     CONTROLLER_CPU
#define CPUACCT CONTROLLER_CPUACCT
#define MEMORY  CONTROLLER_MEMORY
#define IO      CONTROLLER_IO

/* clang-format off */
static const struct stat_file table[] = {
	{ 2, CPU, PART_CPU, "cpu.stat", NULL, FORM_STAT, KEYS(cpu_v2) },
	{ 2, CPU, PART_PRESSURE, "cpu.pressure", NULL, FORM_PRESSURE, KEYS(pressure_cpu) },
	{ 2, CPU, PART_PRESSURE, "memory.pressure", NULL, FORM_PRESSURE, KEYS(pressure_memory) },
	{ 2, CPU, PART_PRESSURE, "io.pressure", NULL, FORM_PRESSURE, KEYS(pressure_io) },
	{ 2, CPU, PART_PRESSURE, "irq.pressure", NULL, FORM_PRESSURE, KEYS(pressure_irq) },
	{ 2, MEMORY, PART_MEMORY, "memory.current", NULL, FORM_NUMBER, KEYS(memory_usage) },
	{ 2, MEMORY, PART_MEMORY, "memory.swap.current", NULL, FORM_NUMBER, KEYS(memory_swap) },
	{ 2, MEMORY, PART_MEMORY_STAT, "memory.stat", NULL, FORM_STAT, KEYS(memory_stat_v2) },
	{ 2, MEMORY, PART_MEMORY_EVENTS, "memory.events", NULL, FORM_STAT, KEYS(memory_events) },
	{ 2, IO, PART_IO, "io.stat", NULL, FORM_IO, NULL, 0 },
	{ 1, CPU, PART_CPU, "cpu.stat", NULL, FORM_STAT, KEYS(cpu_v1) },
	{ 1, CPUACCT, PART_CPU, "cpuacct.usage", NULL, FORM_NUMBER, KEYS(cpuacct_usage) },
	{ 1, CPUACCT, PART_CPU, "cpuacct.stat", NULL, FORM_STAT, KEYS(cpuacct_stat) },
	/* openEuler and Kylin with psi_v1=1 put the pressure of all into cpuacct. */
	{ 1, CPUACCT, PART_PRESSURE, "cpu.pressure", NULL, FORM_PRESSURE, KEYS(pressure_cpu) },
	{ 1, CPUACCT, PART_PRESSURE, "memory.pressure", NULL, FORM_PRESSURE, KEYS(pressure_memory) },
	{ 1, CPUACCT, PART_PRESSURE, "io.pressure", NULL, FORM_PRESSURE, KEYS(pressure_io) },
	{ 1, CPUACCT, PART_PRESSURE, "irq.pressure", NULL, FORM_PRESSURE, KEYS(pressure_irq) },
	{ 1, MEMORY, PART_MEMORY, "memory.usage_in_bytes", NULL, FORM_NUMBER, KEYS(memory_usage) },
	{ 1, MEMORY, PART_MEMORY_STAT, "memory.stat", NULL, FORM_STAT, KEYS(memory_stat_v1) },
	{ 1, MEMORY, PART_MEMORY_EVENTS, "memory.oom_control", NULL, FORM_STAT, KEYS(oom_control) },
	{ 1, IO, PART_IO, "blkio.throttle.io_service_bytes_recursive",
	  "blkio.throttle.io_service_bytes", FORM_IO_BYTES, NULL, 0 },
	{ 1, IO, PART_IO, "blkio.throttle.io_serviced_recursive",
	  "blkio.throttle.io_serviced", FORM_IO_COUNT, NULL, 0 },
};
/* clang-format on */

_Static_assert(ARRAY_SIZE(table) <= STAT_FILES_MAX, "STAT_FILES_MAX");
_Static_assert(ARRAY_SIZE(memory_stat_v2) < 64, "a bit for each key of a file");

const struct stat_file *stat_files(size_t *ret_count)
{
	*ret_count = ARRAY_SIZE(table);
	return table;
}
