/* SPDX-License-Identifier: Apache-2.0 */
/* look.c - one online workload: what its sample says since the last look. */
#include <string.h>

#include "cache/run.h"
#include "macro.h"

#define RATE_LEAST 0.02 /* a rate of misses of less is as good as none */

void cache_look_forget(struct track *track)
{
	track->usual_rate = track->usual_cpi = track->usual_pressure = (struct cache_usual){ 0 };
	track->has_sample = false;
}

uint32_t cache_look_growth(struct cache_usual *usual, double value, double least, bool is_low)
{
	uint32_t growth = cache_usual_growth(usual, value, least);

	cache_usual_learn(usual, value, is_low);
	return growth;
}

static struct cache_counters counters_of(const struct workload_sample *sample)
{
	return (struct cache_counters){
		.has_cycles = sample_knows(sample, SAMPLE_CYCLES),
		.has_cache = sample_knows(sample, SAMPLE_CACHE_MISSES),
		.cycles = sample->value[SAMPLE_CYCLES],
		.instructions = sample->value[SAMPLE_INSTRUCTIONS],
		.references = sample->value[SAMPLE_CACHE_REFERENCES],
		.misses = sample->value[SAMPLE_CACHE_MISSES],
	};
}

/* They stand still between windows: it does not matter how long ago the last look was. */
static void look_at_counters(struct track *track, const struct cache_counters *now, bool is_low)
{
	struct look *look = &track->look;
	struct cache_reading *reading = &look->reading;

	look->counted = cache_cpi(&track->counters, now, &look->cpi);
	if (!look->counted)
		return;
	reading->has_cpi = cache_usual_known(&track->usual_cpi);
	reading->cpi = cache_look_growth(&track->usual_cpi, look->cpi, 0, is_low);
	look->learning = !reading->has_cpi;
	look->has_rate = cache_miss_rate(&track->counters, now, &look->rate);
	if (!look->has_rate)
		return;
	reading->has_miss = cache_usual_known(&track->usual_rate);
	reading->miss = cache_look_growth(&track->usual_rate, look->rate, RATE_LEAST, is_low);
	look->learning |= !reading->has_miss;
}

/* Where the CPUs count there is time to learn what is usual; else it is the share itself. */
static void look_at_pressure(struct track *track, bool counts, bool is_low)
{
	struct cache_usual *usual = &track->usual_pressure;
	double value = track->look.pressure;

	if (counts) {
		if (cache_usual_known(usual))
			value -= MIN(value, usual->value);
		cache_usual_learn(usual, track->look.pressure, is_low);
	}
	track->look.reading.has_pressure = true;
	track->look.reading.pressure = (uint32_t)value;
}

void cache_look(struct track *track, const struct workload_sample *sample, bool counts, bool is_low)
{
	uint64_t stalled = sample->value[SAMPLE_PRESSURE_CPU_SOME_USEC];
	uint64_t cpu = sample->value[SAMPLE_CPU_USAGE_USEC];
	uint64_t usec = sample->time_usec - track->time_usec;
	bool known = track->has_sample && sample->time_usec > track->time_usec &&
		     stalled >= track->stalled_usec && cpu >= track->cpu_usec;
	struct cache_counters counters = counters_of(sample);

	track->look = (struct look){
		.is_old = track->has_sample && sample->generation == track->generation,
	};
	if (track->look.is_old)
		return;
	if (counts)
		look_at_counters(track, &counters, is_low);
	track->look.has_use = known;
	if (known)
		track->look.used_usec = cpu - track->cpu_usec;
	if (known && sample_knows(sample, SAMPLE_PRESSURE_CPU_SOME_USEC)) {
		track->look.pressure =
			(uint32_t)MIN((stalled - track->stalled_usec) * CACHE_WHOLE / usec,
				      (uint64_t)CACHE_WHOLE);
		look_at_pressure(track, counts, is_low);
	}
	track->has_sample = true;
	track->generation = sample->generation;
	track->time_usec = sample->time_usec;
	track->stalled_usec = stalled;
	track->cpu_usec = cpu;
	track->counters = counters;
}
