/* SPDX-License-Identifier: Apache-2.0 */
/* cpu.c - the two causes of waiting for a CPU, from what the kernel counts anyway. */
#include "cgroup.h"
#include "cleanup.h"
#include "file.h"
#include "macro.h"
#include "telemetry/stall/internal.h"

/* One small file for each offline workload and pass. Who is online is not asked, and neither is one
 * whose parent is offline: a container goes by its pod. */
void stall_cpu_look(const struct stall *stall, const struct hashmap *targets, struct target *target)
{
	const struct target *parent =
		target->parent ? hashmap_get_u64(targets, target->parent) : NULL;
	cleanup_close int fd = -EBADF;
	uint64_t idle = 0;

	target->stall->is_idle = false;
	if (!target->offline || (parent && parent->offline) ||
	    !sample_knows(&target->sample, SAMPLE_PRESSURE_CPU_FULL_USEC))
		return;
	fd = cgroup_open(stall->hierarchy, target->group, CONTROLLER_CPU);
	if (fd >= 0 && file_read_u64(fd, "cpu.idle", &idle) == 0)
		target->stall->is_idle = idle == 1;
}

/* Its own group or one above. */
static bool is_under_idle(const struct hashmap *targets, const struct target *target)
{
	for (unsigned int i = 0; target && i < STALL_DEPTH; i++) {
		if (target->stall && target->stall->is_idle)
			return true;
		target = target->parent ? hashmap_get_u64(targets, target->parent) : NULL;
	}
	return false;
}

static uint64_t grown(uint64_t *last, uint64_t now)
{
	uint64_t delta = now > *last ? now - *last : 0;

	*last = now > *last ? now : *last;
	return delta;
}

static void qos_set(const struct hashmap *targets, struct target *target)
{
	const struct workload_sample *sample = &target->sample;
	struct stall_target *state = target->stall;
	bool was_begun = state->qos_begun;
	uint64_t full, throttled;

	state->qos_begun = sample_knows(sample, SAMPLE_PRESSURE_CPU_FULL_USEC);
	if (!state->qos_begun)
		return;
	full = grown(&state->cpu_full_usec, sample->value[SAMPLE_PRESSURE_CPU_FULL_USEC]);
	throttled = grown(&state->throttled_usec, sample->value[SAMPLE_CPU_THROTTLED_USEC]);
	if (!is_under_idle(targets, target))
		return;
	if (was_begun && full > throttled)
		state->qos_told_usec += full - throttled;
	target_set(target, SAMPLE_CAUSE_CPU_QOS_FULL_USEC, state->qos_told_usec);
}

void stall_cpu(const struct hashmap *targets, struct target *target)
{
	const struct workload_sample *sample = &target->sample;
	struct stall_target *state = target->stall;

	if (sample_knows(sample, SAMPLE_CPU_THROTTLED_USEC)) {
		state->cfs_told_usec =
			MAX(state->cfs_told_usec, sample->value[SAMPLE_CPU_THROTTLED_USEC]);
		target_set(target, SAMPLE_CAUSE_CPU_CFS_BANDWIDTH_FULL_USEC, state->cfs_told_usec);
	}
	qos_set(targets, target);
}
