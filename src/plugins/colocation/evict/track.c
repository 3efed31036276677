/* SPDX-License-Identifier: Apache-2.0 */
/* track.c - from the samples of a workload to what it uses and suffers. Pure. */
#include "evict/evict.h"
#include "macro.h"

/* What goes when the workload goes. Page cache is left out: the kernel takes that back by itself,
 * and who has much of it has done no harm. tmpfs is counted, as it cannot be dropped. */
static uint64_t memory_held(const struct workload_sample *sample)
{
	const uint64_t *value = sample->value;
	uint64_t cache =
		value[SAMPLE_MEMORY_INACTIVE_FILE_BYTES] + value[SAMPLE_MEMORY_ACTIVE_FILE_BYTES];

	if (sample_knows(sample, SAMPLE_MEMORY_INACTIVE_FILE_BYTES) &&
	    sample_knows(sample, SAMPLE_MEMORY_ACTIVE_FILE_BYTES))
		return value[SAMPLE_MEMORY_BYTES] - MIN(cache, value[SAMPLE_MEMORY_BYTES]);
	if (sample_knows(sample, SAMPLE_MEMORY_WORKING_SET_BYTES))
		return value[SAMPLE_MEMORY_WORKING_SET_BYTES];
	return value[SAMPLE_MEMORY_BYTES];
}

static uint64_t io_bytes(const struct workload_sample *sample)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; sample->devices && i < sample->device_count; i++)
		sum += sample->devices[i].value[IO_READ_BYTES] +
		       sample->devices[i].value[IO_WRITE_BYTES];
	return sum;
}

static uint64_t grown(uint64_t before, uint64_t now)
{
	return now > before ? now - before : 0;
}

static uint64_t a_second(uint64_t difference, uint64_t usec)
{
	return usec == 0 ? 0 : difference * USEC_PER_SEC / usec;
}

static enum sample_value pressure_of(const struct evict_config *config,
				     enum evict_resource resource)
{
	static const enum sample_value values[EVICT_RESOURCES][2] = {
		[EVICT_MEMORY] = { SAMPLE_PRESSURE_MEMORY_SOME_USEC,
				   SAMPLE_PRESSURE_MEMORY_FULL_USEC },
		[EVICT_CPU] = { SAMPLE_PRESSURE_CPU_SOME_USEC, SAMPLE_PRESSURE_CPU_FULL_USEC },
		[EVICT_IO] = { SAMPLE_PRESSURE_IO_SOME_USEC, SAMPLE_PRESSURE_IO_FULL_USEC },
	};

	return values[resource][config->pressure_kind == EVICT_FULL];
}

bool evict_track_sample(struct evict_track *track, const struct evict_config *config,
			const struct workload_sample *sample, uint64_t gap_max_usec)
{
	uint64_t cpu = sample->value[SAMPLE_CPU_USAGE_USEC], io = io_bytes(sample);
	uint64_t usec = grown(track->time_usec, sample->time_usec);

	/* A group that could not be read this time keeps its old record. */
	if (sample->generation == track->generation && track->time_usec > 0)
		return false;
	track->has_rates = track->time_usec > 0 && usec > 0 && usec <= gap_max_usec;
	track->amount[EVICT_MEMORY] = memory_held(sample);
	track->amount[EVICT_CPU] =
		track->has_rates ? a_second(grown(track->cpu_usec, cpu), usec) : 0;
	track->amount[EVICT_IO] = track->has_rates ? a_second(grown(track->io_bytes, io), usec) : 0;
	for (size_t i = 0; i < EVICT_RESOURCES; i++) {
		enum sample_value value = pressure_of(config, (enum evict_resource)i);
		uint64_t total = sample->value[value];
		uint64_t waited = grown(track->stalled_usec[i], total);

		track->suffered[i] = 0;
		if (track->has_rates && sample_knows(sample, value))
			track->suffered[i] =
				(uint32_t)MIN(waited * EVICT_WHOLE / usec, (uint64_t)EVICT_WHOLE);
		track->stalled_usec[i] = total;
	}
	track->cpu_usec = cpu;
	track->io_bytes = io;
	track->time_usec = sample->time_usec;
	track->generation = sample->generation;
	return true;
}
