/* SPDX-License-Identifier: Apache-2.0 */
/*
 * peek.c - a few counters of a few groups, for what is decided many times a second. They are read
 * by the ways of a pass, through the targets of the snapshot; but what the snapshot tells of a
 * workload is of one time, so all of it is put back as it was.
 */
#include <errno.h>
#include <string.h>

#include "limit.h"
#include "macro.h"
#include "telemetry/collect/collector.h"
#include "telemetry/collect/stat-file.h"
#include "telemetry/rollup.h"
#include "telemetry/snapshot.h"

struct peeked {
	struct target *target;
	uint64_t time_usec, known[2], value[SAMPLE_MAX];
};

/* enum sample_part, or 0. */
static unsigned int part_of(enum sample_value value)
{
	if (value <= SAMPLE_CPU_THROTTLED_USEC)
		return PART_CPU;
	return value >= SAMPLE_PRESSURE_FIRST && value < SAMPLE_CAUSE_FIRST ? PART_PRESSURE : 0;
}

static void peeked_begin(struct peeked *peeked, struct target *target, const struct cgroup *group)
{
	const struct workload_sample *sample = &target->sample;

	peeked->target = target;
	peeked->time_usec = sample->time_usec;
	memcpy(peeked->known, sample->known, sizeof(peeked->known));
	memcpy(peeked->value, sample->value, sizeof(peeked->value));
	target->group = group;
	rollup_begin(target);
}

static void peeked_end(struct peeked *peeked, const enum sample_value *values, size_t count,
		       uint64_t *ret)
{
	struct target *target = peeked->target;
	struct workload_sample *sample = &target->sample;

	for (size_t i = 0; i < count; i++)
		ret[i] = !target->gone && sample_knows(sample, values[i]) ? sample->value[values[i]]
									  : UINT64_MAX;
	/* The next pass finds out for itself. */
	target->gone = false;
	target->group = NULL;
	sample->time_usec = peeked->time_usec;
	memcpy(sample->known, peeked->known, sizeof(peeked->known));
	memcpy(sample->value, peeked->value, sizeof(peeked->value));
}

/* Up to LIMIT_PEEK_GROUPS, those that are there. */
static int peek_chunk(struct snapshot *snapshot, const struct snapshot_peek *peeks, size_t count,
		      const struct peek_ask *ask, const enum sample_value *values,
		      size_t value_count, uint64_t *ret)
{
	struct collector *collector = snapshot->collector;
	struct peeked peeked[LIMIT_PEEK_GROUPS];
	struct target *targets[LIMIT_PEEK_GROUPS];
	size_t place[LIMIT_PEEK_GROUPS], found = 0;
	int r = 0;

	for (size_t i = 0; i < count && r == 0; i++) {
		for (size_t j = 0; j < value_count; j++)
			ret[i * value_count + j] = UINT64_MAX;
		if (!peeks[i].group)
			continue;
		r = snapshot_target(snapshot, peeks[i].id, &targets[found]);
		if (r < 0)
			break;
		/* Twice the same: the second time it would be put back as it is in between. */
		if (targets[found]->group)
			continue;
		peeked_begin(&peeked[found], targets[found], peeks[i].group);
		place[found++] = i;
	}
	if (found > 0)
		collector->ops->peek(collector, targets, found, ask);
	for (size_t i = 0; i < found; i++)
		peeked_end(&peeked[i], values, value_count, &ret[place[i] * value_count]);
	return r;
}

int snapshot_peek(struct snapshot *snapshot, const struct snapshot_peek *peeks, size_t count,
		  const enum sample_value *values, size_t value_count, uint64_t *ret)
{
	struct peek_ask ask = { 0 };
	int r = 0;

	for (size_t i = 0; i < value_count; i++) {
		unsigned int part = (unsigned int)values[i] < SAMPLE_MAX ? part_of(values[i]) : 0;

		if (part == 0)
			return -EINVAL;
		ask.parts |= part;
		ask.values[values[i] / 64] |= UINT64_C(1) << (values[i] % 64);
	}
	for (size_t i = 0; i < count && r == 0 && ask.parts; i += LIMIT_PEEK_GROUPS)
		r = peek_chunk(snapshot, peeks + i, MIN(count - i, (size_t)LIMIT_PEEK_GROUPS), &ask,
			       values, value_count, ret + i * value_count);
	if (ask.parts)
		snapshot_keep(snapshot);
	return r;
}
