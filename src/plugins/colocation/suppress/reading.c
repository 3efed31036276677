/* SPDX-License-Identifier: Apache-2.0 */
/* reading.c - what a period told: of the node, of offline work, of who waits. */
#include "macro.h"
#include "suppress/run.h"

#define GAP_PERIODS 10u /* a longer one between two readings tells nothing of now */
#define DEPTH_MAX   64

static void take_samples(struct suppress *suppress, uint64_t capacity, uint64_t elapsed_usec)
{
	struct suppress_reading *reading = &suppress->reading;
	struct suppress_track *track;

	reading->offline = suppress->gone_rate;
	reading->has_pressure = false;
	reading->pressure = 0;
	suppress->gone_rate = 0;
	suppress->may_peek = true;
	hashmap_foreach (track, &suppress->tracks) {
		const struct workload_sample *sample =
			suppress->agent->api->sample(suppress->agent, track->id);

		if (!track->offline &&
		    (!sample || sample_knows(sample, SAMPLE_PRESSURE_CPU_SOME_USEC)))
			suppress->may_peek = false;
		if (!sample)
			continue;
		suppress_track_sample(track, sample, capacity, elapsed_usec);
		if (track->offline && track->has_rate)
			reading->offline += track->rate;
		if (track->offline || track->shelters || !track->has_pressure)
			continue;
		reading->has_pressure = true;
		reading->pressure = MAX(reading->pressure, track->pressure);
	}
}

static void shelter_above(struct suppress *suppress, uint64_t id)
{
	const struct agent_api *api = suppress->agent->api;
	const struct berth_workload *workload = api->workload(suppress->agent, id);

	for (int depth = 0; workload && workload->parent != 0 && depth < DEPTH_MAX; depth++) {
		struct suppress_track *above = hashmap_get_u64(&suppress->tracks, workload->parent);

		if (above)
			above->shelters = true;
		workload = api->workload(suppress->agent, workload->parent);
	}
}

static void look_at_nesting(struct suppress *suppress)
{
	struct suppress_track *track;

	if (!suppress->changed)
		return;
	suppress->changed = false;
	hashmap_foreach (track, &suppress->tracks)
		track->shelters = false;
	hashmap_foreach (track, &suppress->tracks)
		if (track->offline)
			shelter_above(suppress, track->id);
}

/* What each one did since the tick before. */
static int take_usage(struct suppress *suppress, uint64_t capacity, uint64_t elapsed_usec)
{
	int r;

	/* Who came since the last pass may tell its pressure. */
	if (suppress->may_peek && !suppress->changed)
		return suppress_peek(suppress, capacity, elapsed_usec);
	r = suppress->agent->api->fresh(suppress->agent, suppress->config->period_usec / 2);
	if (r < 0)
		return r;
	look_at_nesting(suppress);
	take_samples(suppress, capacity, elapsed_usec);
	return 0;
}

static uint64_t idle_usec(const struct node_sample *node)
{
	return node->cpu_total_usec - MIN(node->cpu_busy_usec, node->cpu_total_usec);
}

/* All that was not idle, by the clock. Idle time is exact where the tick stops on idle CPUs, while
 * the times of /proc/stat that are not idle are counted by ticks on most kernels: on two CPUs these
 * are wrong by some percent each second, which would be taken for a load that flickers. */
static uint64_t busy_of(const struct node_sample *before, const struct node_sample *now,
			uint64_t capacity)
{
	/* iowait goes back at times (proc_stat(5)). */
	uint64_t idle = idle_usec(now) - MIN(idle_usec(before), idle_usec(now));
	uint64_t elapsed = now->time_usec - before->time_usec;
	uint64_t rate =
		(uint64_t)((unsigned __int128)idle * USEC_PER_SEC / MAX(elapsed, UINT64_C(1)));

	return capacity - MIN(rate, capacity);
}

bool suppress_read(struct suppress *suppress)
{
	const struct agent_api *api = suppress->agent->api;
	uint64_t period_usec = suppress->config->period_usec;
	const struct node_sample *node = api->node(suppress->agent, period_usec / 2);
	struct node_sample before = suppress->before;
	bool has_before = suppress->has_before;
	uint64_t capacity, elapsed;

	if (!node || node->cpus == 0 || (has_before && node->time_usec == before.time_usec))
		return false;
	suppress->before = *node;
	suppress->has_before = false;
	capacity = node->cpus * USEC_PER_SEC;
	elapsed = has_before ? suppress->before.time_usec - before.time_usec : 0;
	if (take_usage(suppress, capacity, elapsed) < 0)
		return false;
	suppress->has_before = true;
	if (!has_before || elapsed > GAP_PERIODS * period_usec)
		return false;
	suppress->reading.capacity = capacity;
	suppress->reading.busy = busy_of(&before, &suppress->before, capacity);
	return true;
}
