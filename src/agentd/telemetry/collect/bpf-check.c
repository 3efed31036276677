/* SPDX-License-Identifier: Apache-2.0 */
#include "telemetry/collect/bpf-check.h"

#include "limit.h"
#include "macro.h"

/* Each CPU keeps a share of what is charged, and the shares of counters are added up one by one. */
#define SLACK_BYTES (1024u * 1024)

static bool is_bytes(enum sample_value value)
{
	return value >= SAMPLE_MEMORY_BYTES && value <= SAMPLE_MEMORY_SOCK_BYTES;
}

/* User and system time are shares of a sum, estimated anew by each who looks. */
static bool is_estimate(enum sample_value value)
{
	return value == SAMPLE_CPU_USER_USEC || value == SAMPLE_CPU_SYSTEM_USEC;
}

/* Its bit stands for all devices: values from here on are in no file. */
#define ALL_DEVICES SAMPLE_CAUSE_FIRST
/* A gauge that moves goes further between two looks than it did between two others. */
#define MOVES 4u

enum verdict { AGREES, MOVED, DIFFERS };

static bool is_between(uint64_t value, uint64_t a, uint64_t b, uint64_t slack)
{
	uint64_t low = MIN(a, b), high = MAX(a, b);

	return value + slack >= low && value <= high + slack;
}

static bool bit_is_set(const uint64_t bits[static 2], unsigned int bit)
{
	return bits[bit / 64] & (UINT64_C(1) << (bit % 64));
}

static void bit_set(uint64_t bits[static 2], unsigned int bit)
{
	bits[bit / 64] |= UINT64_C(1) << (bit % 64);
}

/* What only grows must be between the two; a gauge may have been elsewhere in between. */
static enum verdict value_compare(enum sample_value value, const struct workload_sample *before,
				  const struct workload_sample *records,
				  const struct workload_sample *after)
{
	uint64_t low = MIN(before->value[value], after->value[value]);
	uint64_t high = MAX(before->value[value], after->value[value]);
	uint64_t slack = 0;

	if (is_bytes(value))
		slack = MIN(high / 8, SLACK_BYTES);
	else if (is_estimate(value))
		slack = after->value[SAMPLE_CPU_USAGE_USEC] / 8;
	if (is_between(records->value[value], low, high, slack))
		return AGREES;
	if (is_bytes(value) &&
	    is_between(records->value[value], low, high, slack + MOVES * (high - low)))
		return MOVED;
	return DIFFERS;
}

static bool is_same_device(const struct sample_device *a, const struct sample_device *b)
{
	return a->major == b->major && a->minor == b->minor;
}

static enum verdict devices_compare(const struct workload_sample *before,
				    const struct workload_sample *records,
				    const struct workload_sample *after)
{
	/* One was used for the first time, or unplugged. */
	if (before->device_count != after->device_count)
		return MOVED;
	if (records->device_count != before->device_count)
		return DIFFERS;
	for (uint32_t i = 0; i < records->device_count; i++) {
		const struct sample_device *device = &records->devices[i];

		if (!is_same_device(device, &before->devices[i]) ||
		    !is_same_device(device, &after->devices[i]))
			return DIFFERS;
		for (unsigned int io = 0; io < SAMPLE_IO_MAX; io++)
			if (!is_between(device->value[io], before->devices[i].value[io],
					after->devices[i].value[io], 0))
				return DIFFERS;
	}
	return AGREES;
}

static enum sample_part part_of(enum sample_value value)
{
	if (value == ALL_DEVICES)
		return PART_IO;
	if (value <= SAMPLE_CPU_THROTTLED_USEC)
		return PART_CPU;
	if (value == SAMPLE_MEMORY_BYTES || value == SAMPLE_MEMORY_SWAP_BYTES)
		return PART_MEMORY;
	if (value >= SAMPLE_MEMORY_EVENT_LOW && value <= SAMPLE_MEMORY_EVENT_OOM_KILL)
		return PART_MEMORY_EVENTS;
	return value >= SAMPLE_PRESSURE_FIRST ? PART_PRESSURE : PART_MEMORY_STAT;
}

static bool is_compared(unsigned int parts, enum sample_value value)
{
	return (part_of(value) & parts) && value != SAMPLE_MEMORY_WORKING_SET_BYTES;
}

static void note(struct bpf_comparison *comparison, enum sample_value value, enum verdict verdict)
{
	bit_set(comparison->told, value);
	if (verdict == AGREES)
		bit_set(comparison->agreed, value);
	else if (verdict == MOVED)
		bit_set(comparison->moved, value);
}

/* Files of the same group tell others of this part, both times. */
static bool part_is_told(unsigned int part, const struct workload_sample *before,
			 const struct workload_sample *after)
{
	for (unsigned int i = 0; i < SAMPLE_CAUSE_FIRST; i++)
		if (is_compared(part, (enum sample_value)i) &&
		    sample_knows(before, (enum sample_value)i) &&
		    sample_knows(after, (enum sample_value)i))
			return true;
	return false;
}

static void value_check(struct cgroup_layout *layout, enum sample_value value,
			const struct workload_sample *before, const struct workload_sample *records,
			const struct workload_sample *after, struct bpf_comparison *comparison)
{
	bool in_before = sample_knows(before, value), in_after = sample_knows(after, value);

	if (in_before && in_after)
		note(comparison, value,
		     sample_knows(records, value) ? value_compare(value, before, records, after)
						  : DIFFERS);
	/* A group without the controller's files says nothing of what other groups' files have: the
	 * kernel keeps a controller out of sight where another one needs it. */
	else if (!in_before && !in_after && sample_knows(records, value) &&
		 part_is_told(part_of(value), before, after))
		cgroup_layout_drop(layout, value);
}

void bpf_check(struct cgroup_layout *layout, unsigned int parts, const struct target *before,
	       const struct target *records, const struct target *after,
	       struct bpf_comparison *comparison)
{
	for (unsigned int i = 0; i < SAMPLE_CAUSE_FIRST; i++)
		if (is_compared(parts, (enum sample_value)i))
			value_check(layout, (enum sample_value)i, &before->sample, &records->sample,
				    &after->sample, comparison);
	/* No device anywhere: nothing to compare. */
	if ((parts & PART_IO) && before->sample.device_count + records->sample.device_count +
						 after->sample.device_count >
					 0)
		note(comparison, ALL_DEVICES,
		     devices_compare(&before->sample, &records->sample, &after->sample));
}

void bpf_verdict(const struct bpf_comparison *comparison, struct bpf_verdict *ret)
{
	unsigned int told = 0, open = 0;

	*ret = (struct bpf_verdict){ .value = SAMPLE_MAX };
	for (unsigned int i = 0; i <= ALL_DEVICES; i++) {
		enum sample_value value = (enum sample_value)i;

		if (!bit_is_set(comparison->told, i))
			continue;
		told |= part_of(value);
		if (bit_is_set(comparison->agreed, i))
			continue;
		open |= part_of(value);
		if (bit_is_set(comparison->moved, i))
			continue;
		ret->differ |= part_of(value);
		if (value != ALL_DEVICES)
			ret->value = value;
	}
	ret->agree = told & ~open;
	ret->moved = open & ~ret->differ;
}

void bpf_judge_start(struct bpf_judge *judge, unsigned int parts)
{
	*judge = (struct bpf_judge){ .open = parts };
}

unsigned int bpf_judge_pass(struct bpf_judge *judge, const struct bpf_verdict *verdict)
{
	unsigned int lost = 0;

	judge->open &= ~verdict->agree;
	for (unsigned int i = 0; i < SAMPLE_PARTS; i++)
		if ((verdict->differ & judge->open & (1u << i)) &&
		    ++judge->misses[i] >= LIMIT_BPF_PASSES)
			lost |= 1u << i;
	judge->open &= ~lost;
	return lost;
}
