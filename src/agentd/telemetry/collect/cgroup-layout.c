/* SPDX-License-Identifier: Apache-2.0 */
#include "telemetry/collect/cgroup-layout.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "macro.h"

static const enum sample_value pressure_values[FACT_PRESSURES] = {
	[FACT_CPU_SOME] = SAMPLE_PRESSURE_CPU_SOME_USEC,
	[FACT_CPU_FULL] = SAMPLE_PRESSURE_CPU_FULL_USEC,
	[FACT_MEMORY_SOME] = SAMPLE_PRESSURE_MEMORY_SOME_USEC,
	[FACT_MEMORY_FULL] = SAMPLE_PRESSURE_MEMORY_FULL_USEC,
	[FACT_IO_SOME] = SAMPLE_PRESSURE_IO_SOME_USEC,
	[FACT_IO_FULL] = SAMPLE_PRESSURE_IO_FULL_USEC,
	[FACT_IRQ_FULL] = SAMPLE_PRESSURE_IRQ_FULL_USEC,
};

static const enum sample_value event_values[FACT_EVENTS] = {
	[FACT_LOW] = SAMPLE_MEMORY_EVENT_LOW,           [FACT_HIGH] = SAMPLE_MEMORY_EVENT_HIGH,
	[FACT_MAX] = SAMPLE_MEMORY_EVENT_MAX,           [FACT_OOM] = SAMPLE_MEMORY_EVENT_OOM,
	[FACT_OOM_KILL] = SAMPLE_MEMORY_EVENT_OOM_KILL,
};

enum state_unit { STATE_PAGES = 0, STATE_ONE = 1, STATE_KIB = 1024 };

static const struct {
	enum sample_value value;
	enum state_unit unit;
} state_values[FACT_STATES] = {
	[FACT_ANON] = { SAMPLE_MEMORY_ANON_BYTES, STATE_PAGES },
	[FACT_FILE] = { SAMPLE_MEMORY_FILE_BYTES, STATE_PAGES },
	[FACT_SHMEM] = { SAMPLE_MEMORY_SHMEM_BYTES, STATE_PAGES },
	[FACT_FILE_MAPPED] = { SAMPLE_MEMORY_FILE_MAPPED_BYTES, STATE_PAGES },
	[FACT_FILE_DIRTY] = { SAMPLE_MEMORY_FILE_DIRTY_BYTES, STATE_PAGES },
	[FACT_FILE_WRITEBACK] = { SAMPLE_MEMORY_FILE_WRITEBACK_BYTES, STATE_PAGES },
	[FACT_INACTIVE_ANON] = { SAMPLE_MEMORY_INACTIVE_ANON_BYTES, STATE_PAGES },
	[FACT_ACTIVE_ANON] = { SAMPLE_MEMORY_ACTIVE_ANON_BYTES, STATE_PAGES },
	[FACT_INACTIVE_FILE] = { SAMPLE_MEMORY_INACTIVE_FILE_BYTES, STATE_PAGES },
	[FACT_ACTIVE_FILE] = { SAMPLE_MEMORY_ACTIVE_FILE_BYTES, STATE_PAGES },
	[FACT_UNEVICTABLE] = { SAMPLE_MEMORY_UNEVICTABLE_BYTES, STATE_PAGES },
	[FACT_SLAB_RECLAIMABLE] = { SAMPLE_MEMORY_SLAB_RECLAIMABLE_BYTES, STATE_ONE },
	[FACT_SLAB_UNRECLAIMABLE] = { SAMPLE_MEMORY_SLAB_UNRECLAIMABLE_BYTES, STATE_ONE },
	[FACT_KERNEL_STACK] = { SAMPLE_MEMORY_KERNEL_STACK_BYTES, STATE_KIB },
	[FACT_PAGETABLES] = { SAMPLE_MEMORY_PAGETABLES_BYTES, STATE_PAGES },
	[FACT_SOCK] = { SAMPLE_MEMORY_SOCK_BYTES, STATE_PAGES },
	[FACT_REFAULT_ANON] = { SAMPLE_MEMORY_REFAULT_ANON, STATE_ONE },
	[FACT_REFAULT_FILE] = { SAMPLE_MEMORY_REFAULT_FILE, STATE_ONE },
};

/* Several counters of the kernel's make one of memory.stat. */
static const enum sample_value vm_event_values[FACT_VM_EVENTS] = {
	[FACT_FAULTS] = SAMPLE_MEMORY_FAULTS,
	[FACT_MAJOR_FAULTS] = SAMPLE_MEMORY_MAJOR_FAULTS,
	[FACT_SCAN_KSWAPD] = SAMPLE_MEMORY_SCANNED,
	[FACT_SCAN_DIRECT] = SAMPLE_MEMORY_SCANNED,
	[FACT_SCAN_KHUGEPAGED] = SAMPLE_MEMORY_SCANNED,
	[FACT_SCAN_PROACTIVE] = SAMPLE_MEMORY_SCANNED,
	[FACT_STEAL_KSWAPD] = SAMPLE_MEMORY_RECLAIMED,
	[FACT_STEAL_DIRECT] = SAMPLE_MEMORY_RECLAIMED,
	[FACT_STEAL_KHUGEPAGED] = SAMPLE_MEMORY_RECLAIMED,
	[FACT_STEAL_PROACTIVE] = SAMPLE_MEMORY_RECLAIMED,
	[FACT_SWAP_IN] = SAMPLE_MEMORY_SWAPPED_IN,
	[FACT_SWAP_OUT] = SAMPLE_MEMORY_SWAPPED_OUT,
};

/* mem_cgroup_events_index[] and mem_cgroup_stats_index[]: ints that are 0 where there is no counter
 * and else one more than its index (to 6.10), or bytes that are negative there (since 6.11). */
struct index_table {
	const unsigned char *bytes;
	uint32_t items;
	bool is_wide, has_negative;
};

static int table_item(const struct index_table *table, uint32_t at)
{
	int32_t wide;

	if (!table->is_wide)
		return (int8_t)table->bytes[at];
	memcpy(&wide, table->bytes + (size_t)at * sizeof(wide), sizeof(wide));
	return wide;
}

/* Which of the two it is shows: bytes that are read as ints are no small numbers. */
static int table_open(const unsigned char *bytes, uint32_t items, struct index_table *ret)
{
	struct index_table table = { .bytes = bytes, .items = items, .is_wide = true };

	if (items == 0 || items > FACT_TABLE_BYTES / sizeof(int32_t))
		return -EINVAL;
	for (uint32_t i = 0; i < items && table.is_wide; i++) {
		int item = table_item(&table, i);

		table.is_wide = item >= -1 && item <= (int)items;
	}
	for (uint32_t i = 0; i < items; i++)
		table.has_negative |= table_item(&table, i) < 0;
	*ret = table;
	return 0;
}

static int table_index(const struct index_table *table, int item)
{
	if (item < 0 || (uint32_t)item >= table->items)
		return -1;
	return table_item(table, (uint32_t)item) - !table->has_negative;
}

/* Where the enumerators' counters are among `count`. */
static int indices_fill(const int *enumerators, size_t wanted, const unsigned char *bytes,
			int error, uint32_t items, size_t count, int *ret)
{
	struct index_table table;
	bool is_packed = error == 0;

	/* No table: one counter for each enumerator. */
	if (!is_packed && (error != -ENOENT || count < items || items == 0))
		return error < 0 ? error : -EINVAL;
	if (is_packed && table_open(bytes, items, &table) < 0)
		return -EINVAL;
	for (size_t i = 0; i < wanted; i++) {
		ret[i] = is_packed ? table_index(&table, enumerators[i]) : enumerators[i];
		if (ret[i] >= (int)count)
			ret[i] = -1;
	}
	return 0;
}

static uint64_t bit_of(unsigned int value)
{
	return UINT64_C(1) << (value % 64);
}

static void counter_add(struct cgroup_layout *layout, enum sample_value value, int at,
			uint64_t unit)
{
	struct layout_counters *counters = &layout->counters;

	if (at < 0)
		return;
	if (layout->counters_known[value / 64] & bit_of(value))
		counters = &layout->more;
	counters->list[counters->count++] = (struct layout_counter){
		.value = (uint16_t)value,
		.at = (uint16_t)at,
		.unit = (uint32_t)(unit == STATE_PAGES ? layout->page_bytes : unit),
	};
	layout->counters_known[value / 64] |= bit_of(value);
	layout->counters_bytes = MAX(layout->counters_bytes, (uint32_t)(at + 1) * 8);
}

static int memory_stat_fill(const struct kernel_facts *facts, struct cgroup_layout *layout)
{
	size_t states = facts->state_size / sizeof(__u64);
	size_t events = facts->vm_event_size / sizeof(__u64);
	int state[FACT_STATES], event[FACT_VM_EVENTS], r;

	if (states == 0 || events == 0 || states + events > RECORD_COUNTERS)
		return -EOPNOTSUPP;
	r = indices_fill(facts->state, FACT_STATES, facts->state_table, facts->state_table_error,
			 facts->state_items, states, state);
	if (r < 0)
		return r;
	r = indices_fill(facts->vm_event, FACT_VM_EVENTS, facts->vm_event_table,
			 facts->vm_event_table_error, facts->vm_event_items, events, event);
	if (r < 0)
		return r;
	for (size_t i = 0; i < FACT_STATES; i++)
		counter_add(layout, state_values[i].value, state[i], state_values[i].unit);
	for (size_t i = 0; i < FACT_VM_EVENTS; i++)
		counter_add(layout, vm_event_values[i], event[i] < 0 ? -1 : event[i] + (int)states,
			    STATE_ONE);
	return 0;
}

void layout_word_add(struct layout_words *words, enum sample_value value, unsigned int at)
{
	words->list[words->count++] = (struct layout_word){
		.value = (uint16_t)value,
		.at = (uint16_t)at,
	};
	words->known[value / 64] |= bit_of(value);
}

/* Those whose enumerator this kernel has, and has among `limit`. */
static void words_fill(const int *enumerators, const enum sample_value *values, size_t count,
		       size_t limit, struct layout_words *ret)
{
	for (size_t i = 0; i < count; i++)
		if (enumerators[i] >= 0 && enumerators[i] < (int)limit)
			layout_word_add(ret, values[i], (unsigned int)enumerators[i]);
}

static void missing_add(struct cgroup_layout *layout, const char *what)
{
	size_t length = strlen(layout->missing);

	(void)snprintf(layout->missing + length, sizeof(layout->missing) - length, "%s%s",
		       length > 0 ? "; " : "", what);
}

static void part_add(struct cgroup_layout *layout, enum sample_part part, bool available)
{
	char text[64];

	if (available) {
		layout->parts |= part;
		return;
	}
	(void)snprintf(text, sizeof(text), "%s: not where this kernel is known to have it",
		       sample_part_name(part));
	missing_add(layout, text);
}

void cgroup_layout_fill(const struct kernel_facts *facts, struct cgroup_layout *ret)
{
	long page = sysconf(_SC_PAGESIZE);
	int r;

	*ret = (struct cgroup_layout){
		.page_bytes = page > 0 ? (uint64_t)page : 4096,
		.has_swap = facts->has_swap,
		.prev_at = MIN(facts->prev_at, RECORD_CPUTIMES - 2),
	};
	words_fill(facts->pressure, pressure_values, FACT_PRESSURES, RECORD_PRESSURES,
		   &ret->pressures);
	words_fill(facts->event, event_values, FACT_EVENTS, RECORD_EVENTS, &ret->events);
	part_add(ret, PART_CPU, facts->has_cputime && facts->has_throttling);
	part_add(ret, PART_PRESSURE, facts->has_pressure);
	part_add(ret, PART_MEMORY, facts->has_memory);
	part_add(ret, PART_MEMORY_EVENTS, facts->has_events);
	part_add(ret, PART_IO, facts->has_io);
	r = memory_stat_fill(facts, ret);
	if (r == -EPERM)
		missing_add(ret, "memory.stat: where its counters are is the kernel's secret "
				 "without CAP_SYSLOG");
	else
		part_add(ret, PART_MEMORY_STAT, r == 0);
}

static void words_drop(struct layout_words *words, enum sample_value value)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < words->count; i++)
		if (words->list[i].value != value)
			words->list[kept++] = words->list[i];
	words->count = kept;
	words->known[value / 64] &= ~bit_of(value);
}

static void counters_drop(struct layout_counters *counters, enum sample_value value)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < counters->count; i++)
		if (counters->list[i].value != value)
			counters->list[kept++] = counters->list[i];
	counters->count = kept;
}

void cgroup_layout_drop(struct cgroup_layout *layout, enum sample_value value)
{
	words_drop(&layout->pressures, value);
	words_drop(&layout->events, value);
	counters_drop(&layout->counters, value);
	counters_drop(&layout->more, value);
	layout->counters_known[value / 64] &= ~bit_of(value);
	layout->dropped[value / 64] |= bit_of(value);
	if (value == SAMPLE_MEMORY_SWAP_BYTES)
		layout->has_swap = false;
}
