/* SPDX-License-Identifier: Apache-2.0 */
#include "telemetry/rollup.h"

#include "macro.h"

#define DEPTH_MAX                                                                       \
	8u /* a container in a pod is one; two that name each other as parents end here \
	    */

static const enum sample_value rolled[ROLLUP_VALUES] = {
	SAMPLE_CPU_PERIODS,
	SAMPLE_CPU_THROTTLED_PERIODS,
	SAMPLE_CPU_THROTTLED_USEC,
};

void rollup_begin(struct target *target)
{
	for (size_t i = 0; i < ROLLUP_VALUES; i++)
		if (sample_knows(&target->sample, rolled[i]))
			target->sample.value[rolled[i]] = target->rollup.own[i];
}

static bool is_live(const struct target *target, uint64_t generation)
{
	return !target->gone && target->sample.generation == generation;
}

static void add_above(const struct hashmap *by_id, const struct target *target, size_t i,
		      uint64_t increase)
{
	uint64_t id = target->parent;

	for (unsigned int depth = 0; id != 0 && depth < DEPTH_MAX; depth++) {
		struct target *above = hashmap_get_u64(by_id, id);

		if (!above)
			return;
		above->rollup.below[i] += increase;
		id = above->parent;
	}
}

static void target_count(const struct hashmap *by_id, struct target *target)
{
	for (size_t i = 0; i < ROLLUP_VALUES; i++) {
		uint64_t now = target->sample.value[rolled[i]], before = target->rollup.own[i];

		if (!sample_knows(&target->sample, rolled[i]))
			continue;
		if (now > before)
			add_above(by_id, target, i, now - before);
		target->rollup.own[i] = now;
	}
}

static bool has_below(const struct target *target)
{
	uint64_t any = 0;

	for (size_t i = 0; i < ROLLUP_VALUES; i++)
		any |= target->rollup.below[i];
	return any != 0;
}

static void below_set(struct target *target)
{
	for (size_t i = 0; i < ROLLUP_VALUES; i++)
		if (sample_knows(&target->sample, rolled[i]))
			target_set(target, rolled[i],
				   target->rollup.own[i] + target->rollup.below[i]);
}

void rollup_end(const struct hashmap *by_id, uint64_t generation)
{
	struct target *target;

	hashmap_foreach (target, by_id)
		if (is_live(target, generation))
			target_count(by_id, target);
	hashmap_foreach (target, by_id)
		if (has_below(target) && is_live(target, generation))
			below_set(target);
}
