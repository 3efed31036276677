/* SPDX-License-Identifier: Apache-2.0 */
/*
 * peek.c - where no online workload tells its pressure (cgroup v1), a pass over all groups would
 * bring nothing but what offline workloads used, and those are the fewer: they alone are read.
 */
#include <errno.h>
#include <stdlib.h>

#include "cleanup.h"
#include "monotonic.h"
#include "suppress/run.h"

enum { USED, THROTTLED, VALUES };

static const enum sample_value values_of[VALUES] = {
	[USED] = SAMPLE_CPU_USAGE_USEC,
	[THROTTLED] = SAMPLE_CPU_THROTTLED_PERIODS,
};

static void take(struct suppress *suppress, struct suppress_track *track, const uint64_t *values,
		 uint64_t capacity, uint64_t elapsed_usec)
{
	struct workload_sample sample = { .time_usec = monotonic_usec() };

	/* Its group is gone: what it did last is the best guess. */
	if (values[USED] != UINT64_MAX) {
		sample.value[SAMPLE_CPU_USAGE_USEC] = values[USED];
		if (values[THROTTLED] != UINT64_MAX)
			sample.value[SAMPLE_CPU_THROTTLED_PERIODS] = values[THROTTLED];
		suppress_track_sample(track, &sample, capacity, elapsed_usec);
	}
	if (track->has_rate)
		suppress->reading.offline += track->rate;
}

int suppress_peek(struct suppress *suppress, uint64_t capacity, uint64_t elapsed_usec)
{
	size_t room = suppress->offline, count = 0;
	cleanup_free uint64_t *ids = calloc(room + 1, sizeof(*ids));
	cleanup_free uint64_t *values = calloc((room + 1) * VALUES, sizeof(*values));
	struct suppress_track *track;
	int r;

	if (!ids || !values)
		return -ENOMEM;
	hashmap_foreach (track, &suppress->tracks)
		if (track->offline && count < room)
			ids[count++] = track->id;
	r = suppress->agent->api->peek(suppress->agent, ids, count, values_of, VALUES, values);
	if (r < 0)
		return r;
	suppress->reading.has_pressure = false;
	suppress->reading.pressure = 0;
	suppress->reading.offline = suppress->gone_rate;
	suppress->gone_rate = 0;
	for (size_t i = 0; i < count; i++) {
		track = hashmap_get_u64(&suppress->tracks, ids[i]);
		if (track)
			take(suppress, track, &values[i * VALUES], capacity, elapsed_usec);
	}
	return 0;
}
