/* SPDX-License-Identifier: Apache-2.0 */
/* cgroup-apply.c - from a record into a target. For each group at each pass: instructions count. */
#include "macro.h"
#include "telemetry/collect/cgroup-layout.h"

/* User and system time are sampled by ticks; their sum is measured. As cputime_adjust() of
 * kernel/sched/cputime.c has it. */
static void cputime_apply(const struct cgroup_layout *layout, const struct cgroup_record *record,
			  struct target *target)
{
	uint64_t system = record->cputime[0], user = record->cputime[1];
	const uint64_t total = record->cputime[2];
	uint64_t prev_user = record->cputime[layout->prev_at];
	uint64_t prev_system = record->cputime[layout->prev_at + 1];

	if (prev_user + prev_system >= total) {
		user = prev_user;
		system = prev_system;
	} else {
		if (system > 0)
			system = (uint64_t)((unsigned __int128)system * total / (system + user));
		system = MAX(MIN(system, total), prev_system);
		user = total - system;
		if (user < prev_user) {
			user = prev_user;
			system = total - user;
		}
	}
	target_set(target, SAMPLE_CPU_USAGE_USEC, total / NSEC_PER_USEC);
	target_raise(target, SAMPLE_CPU_USER_USEC, user / NSEC_PER_USEC);
	target_raise(target, SAMPLE_CPU_SYSTEM_USEC, system / NSEC_PER_USEC);
}

static void cpu_apply(const struct cgroup_layout *layout, const struct cgroup_record *record,
		      struct target *target)
{
	cputime_apply(layout, record, target);
	if (!(record->filled & RECORD_CPU))
		return;
	target_set(target, SAMPLE_CPU_PERIODS, record->periods);
	target_set(target, SAMPLE_CPU_THROTTLED_PERIODS, record->throttled_periods);
	target_set(target, SAMPLE_CPU_THROTTLED_USEC, record->throttled_nsec / NSEC_PER_USEC);
}

static void known_add(struct target *target, const uint64_t known[static 2])
{
	target->sample.known[0] |= known[0];
	target->sample.known[1] |= known[1];
}

/* CPUs' shares are added one after the other; less than nothing is none. */
static uint64_t counter_of(const struct cgroup_record *record, const struct layout_counter *counter)
{
	uint64_t number = record->counters[counter->at];

	return ((int64_t)number < 0 ? 0 : number) * counter->unit;
}

static void memory_stat_apply(const struct cgroup_layout *layout,
			      const struct cgroup_record *record, struct target *target)
{
	const struct layout_counter *end = layout->counters.list + layout->counters.count;
	uint64_t *values = target->sample.value;

	for (const struct layout_counter *i = layout->counters.list; i < end; i++)
		values[i->value] = counter_of(record, i);
	end = layout->more.list + layout->more.count;
	for (const struct layout_counter *i = layout->more.list; i < end; i++)
		values[i->value] += counter_of(record, i);
	known_add(target, layout->counters_known);
}

static void device_fill(const struct record_device *from, struct sample_device *to)
{
	to->value[IO_READ_BYTES] = from->bytes[0];
	to->value[IO_WRITE_BYTES] = from->bytes[1];
	to->value[IO_DISCARD_BYTES] = from->bytes[2];
	to->value[IO_READS] = from->ios[0];
	to->value[IO_WRITES] = from->ios[1];
	to->value[IO_DISCARDS] = from->ios[2];
}

/* Most groups use one device, and the same one as before. A device that takes another's number over
 * was not used in between: its name is looked up. */
static bool io_is_as_before(const struct cgroup_record *record, const struct target *target)
{
	return record->device_count == 1 && target->sample.device_count == 1 &&
	       record->devices[0].major == target->devices[0].major &&
	       record->devices[0].minor == target->devices[0].minor;
}

static void io_apply(const struct cgroup_record *record, struct device_names *names,
		     struct target *target)
{
	struct device_list list;

	if (io_is_as_before(record, target)) {
		device_fill(&record->devices[0], &target->devices[0]);
		return;
	}
	list.count = 0;
	for (uint32_t i = 0; i < MIN(record->device_count, RECORD_DEVICES); i++) {
		const struct record_device *from = &record->devices[i];
		struct sample_device *to = device_list_slot(&list, from->major, from->minor);

		/* Not one that was plugged out and in again under its number meanwhile. */
		if (to && to->value[IO_READS] + to->value[IO_WRITES] == 0)
			device_fill(from, to);
	}
	device_list_apply(&list, names, target);
}

static void events_apply(const struct layout_words *events, const struct cgroup_record *record,
			 struct target *target)
{
	for (uint32_t i = 0; i < events->count; i++)
		target->sample.value[events->list[i].value] = record->events[events->list[i].at];
	known_add(target, events->known);
}

static void memory_apply(const struct cgroup_layout *layout, const struct cgroup_record *record,
			 unsigned int parts, struct target *target)
{
	if (parts & PART_MEMORY) {
		target_set(target, SAMPLE_MEMORY_BYTES, record->memory_pages * layout->page_bytes);
		if (layout->has_swap)
			target_set(target, SAMPLE_MEMORY_SWAP_BYTES,
				   record->swap_pages * layout->page_bytes);
	}
	if (parts & PART_MEMORY_EVENTS)
		events_apply(&layout->events, record, target);
	if (parts & PART_MEMORY_STAT)
		memory_stat_apply(layout, record, target);
}

static void pressure_apply(const struct layout_words *pressures, const struct cgroup_record *record,
			   struct target *target)
{
	for (uint32_t i = 0; i < pressures->count; i++)
		target->sample.value[pressures->list[i].value] =
			record->pressure[pressures->list[i].at] / NSEC_PER_USEC;
	known_add(target, pressures->known);
}

#define PARTS_MEMORY ((unsigned int)PART_MEMORY | PART_MEMORY_STAT | PART_MEMORY_EVENTS)

/* Of the parts that were asked for: a record has nothing of the others. Files that are read for the
 * same group come after this. */
static void absent_forget(const struct cgroup_layout *layout, const struct cgroup_record *record,
			  unsigned int parts, struct target *target)
{
	if (!(record->filled & RECORD_CPU))
		target_unset(target, SAMPLE_CPU_PERIODS, SAMPLE_CPU_THROTTLED_USEC);
	if (!(record->filled & RECORD_PRESSURE))
		target_unset(target, SAMPLE_PRESSURE_CPU_SOME_USEC, SAMPLE_PRESSURE_IRQ_FULL_USEC);
	if ((parts & PARTS_MEMORY) && !(record->filled & RECORD_MEMORY))
		target_unset(target, SAMPLE_MEMORY_BYTES, SAMPLE_MEMORY_SWAPPED_OUT);
	if ((parts & PART_IO) && !(record->filled & RECORD_IO))
		target_unset_devices(target);
	target->sample.known[0] &= ~layout->dropped[0];
	target->sample.known[1] &= ~layout->dropped[1];
}

void cgroup_layout_apply(const struct cgroup_layout *layout, const struct cgroup_record *record,
			 unsigned int parts, struct device_names *devices, struct target *target)
{
	absent_forget(layout, record, parts, target);
	if (parts & PART_CPU)
		cpu_apply(layout, record, target);
	if ((parts & PART_PRESSURE) && (record->filled & RECORD_PRESSURE))
		pressure_apply(&layout->pressures, record, target);
	if (record->filled & RECORD_MEMORY)
		memory_apply(layout, record, parts, target);
	if ((parts & PART_IO) && (record->filled & RECORD_IO) && !(record->filled & RECORD_IO_MORE))
		io_apply(record, devices, target);
}
