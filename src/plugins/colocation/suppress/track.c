/* SPDX-License-Identifier: Apache-2.0 */
/* track.c - from the samples of a workload to what it uses, wants and waits. Pure. */
#include "macro.h"
#include "suppress/run.h"

#define HUNGRY_STEPS 10u /* wants all for so long after it last ran into its share */

static uint64_t grown(uint64_t before, uint64_t now)
{
	return now > before ? now - before : 0;
}

static uint64_t a_second(uint64_t difference, uint64_t usec)
{
	return usec == 0 ? 0 : (uint64_t)((unsigned __int128)difference * USEC_PER_SEC / usec);
}

/* Who is throttled by a limit of its own waits for that, and no CPU that offline work gives up
 * would help. The kernel adds throttled time up over CPUs: when in doubt it is not offline's. */
static void track_pressure(struct suppress_track *track, const struct workload_sample *sample,
			   uint64_t usec)
{
	uint64_t waited = grown(track->waited_usec, sample->value[SAMPLE_PRESSURE_CPU_SOME_USEC]);
	uint64_t throttled = grown(track->throttled_usec, sample->value[SAMPLE_CPU_THROTTLED_USEC]);

	track->has_pressure = sample_knows(sample, SAMPLE_PRESSURE_CPU_SOME_USEC) != 0;
	if (track->has_pressure)
		track->pressure = (uint32_t)MIN(a_second(grown(throttled, waited), usec) *
							SUPPRESS_WHOLE / USEC_PER_SEC,
						(uint64_t)SUPPRESS_WHOLE);
}

/* Throttled says that it ran into its share, but in bursts perhaps, or into a smaller limit that a
 * container of it has: then it does not use the share. */
static bool track_wants_more(const struct suppress_track *track, bool throttled)
{
	if (track->share == 0)
		return false;
	return track->rate >= track->share / 10 * 9 ||
	       (throttled && track->rate >= track->share / 2);
}

static void track_demand(struct suppress_track *track, const struct workload_sample *sample)
{
	bool throttled = sample->value[SAMPLE_CPU_THROTTLED_PERIODS] > track->throttled_periods;

	track->peak = MAX(track->rate, track->peak - track->peak / 8);
	if (track_wants_more(track, throttled))
		track->hungry = HUNGRY_STEPS;
	else if (track->hungry > 0)
		track->hungry--;
}

static void track_remember(struct suppress_track *track, const struct workload_sample *sample)
{
	track->time_usec = sample->time_usec;
	track->cpu_usec = sample->value[SAMPLE_CPU_USAGE_USEC];
	track->throttled_periods = sample->value[SAMPLE_CPU_THROTTLED_PERIODS];
	track->throttled_usec = sample->value[SAMPLE_CPU_THROTTLED_USEC];
	track->waited_usec = sample->value[SAMPLE_PRESSURE_CPU_SOME_USEC];
}

/* Of one that was not there before: what it has used since its group was made, if that can have
 * been since the last tick; else it is older than our knowledge of it. */
static void track_first(struct suppress_track *track, const struct workload_sample *sample,
			uint64_t capacity, uint64_t elapsed_usec)
{
	uint64_t rate = a_second(sample->value[SAMPLE_CPU_USAGE_USEC], elapsed_usec);

	track->has_rate = elapsed_usec > 0 && rate <= capacity;
	track->rate = track->has_rate ? rate : 0;
	track->peak = track->rate;
	track->hungry = HUNGRY_STEPS;
	track_remember(track, sample);
}

void suppress_track_sample(struct suppress_track *track, const struct workload_sample *sample,
			   uint64_t capacity, uint64_t elapsed_usec)
{
	uint64_t cpu = sample->value[SAMPLE_CPU_USAGE_USEC], usec;

	if (track->time_usec == 0 || cpu < track->cpu_usec) {
		track_first(track, sample, capacity, elapsed_usec);
		return;
	}
	/* No new pass covered it: what it did last is the best guess. */
	if (sample->time_usec <= track->time_usec)
		return;
	usec = sample->time_usec - track->time_usec;
	track->rate = a_second(cpu - track->cpu_usec, usec);
	track->has_rate = true;
	track_pressure(track, sample, usec);
	if (track->offline)
		track_demand(track, sample);
	track_remember(track, sample);
}

uint64_t suppress_track_demand(const struct suppress_track *track)
{
	return track->hungry > 0 ? UINT64_MAX : track->peak + track->peak / 4;
}
