/* SPDX-License-Identifier: Apache-2.0 */
#include "telemetry/stall/average.h"

#include <math.h>
#include <stdbool.h>

#include "macro.h"

static const float window_usec[SAMPLE_WINDOWS] = {
	[WINDOW_10S] = 10e6F,
	[WINDOW_60S] = 60e6F,
	[WINDOW_300S] = 300e6F,
};

void average_decay_set(struct average_decay *decay, uint64_t elapsed_usec)
{
	if (decay->elapsed_usec == elapsed_usec)
		return;
	decay->elapsed_usec = elapsed_usec;
	for (unsigned int window = 0; window < SAMPLE_WINDOWS; window++)
		decay->keep[window] = expf(-(float)elapsed_usec / window_usec[window]);
}

void average_step(float share[static SAMPLE_WINDOWS], const struct average_decay *decay,
		  uint64_t usec)
{
	float now = (float)usec / (float)decay->elapsed_usec;

	for (unsigned int window = 0; window < SAMPLE_WINDOWS; window++)
		share[window] =
			share[window] * decay->keep[window] + now * (1 - decay->keep[window]);
}

/* Nothing was waited for, and what was before has faded below what is shown. (Left alone it would
 * fade into numbers that a CPU is slow with.) */
static bool is_faded(float share[static SAMPLE_WINDOWS])
{
	for (unsigned int window = 0; window < SAMPLE_WINDOWS; window++)
		if (share[window] >= 0.00005F)
			return false;
	for (unsigned int window = 0; window < SAMPLE_WINDOWS; window++)
		share[window] = 0;
	return true;
}

/* Hundredths of a percent; never more than all of the time. */
static uint32_t hundredths(float share)
{
	return (uint32_t)(MIN(share, 1.0F) * 10000.0F + 0.5F);
}

/* It grew, or has not faded yet. */
static void value_update(struct averages *averages, const struct average_decay *decay,
			 unsigned int i, struct workload_sample *sample)
{
	uint64_t total = sample->value[SAMPLE_PRESSURE_FIRST + i], last = averages->total[i];
	uint32_t bit = UINT32_C(1) << i;

	averages->total[i] = MAX(total, last);
	if (total <= last && is_faded(averages->share[i])) {
		averages->moving &= ~bit;
		for (unsigned int window = 0; window < SAMPLE_WINDOWS; window++)
			sample->averages[i][window] = 0;
		return;
	}
	averages->moving |= bit;
	average_step(averages->share[i], decay, total > last ? total - last : 0);
	for (unsigned int window = 0; window < SAMPLE_WINDOWS; window++)
		sample->averages[i][window] = hundredths(averages->share[i][window]);
}

/* A bit for each pressure that is known. */
static uint32_t pressures_known(const struct workload_sample *sample)
{
	uint64_t known = sample->known[SAMPLE_PRESSURE_FIRST / 64];

	return (uint32_t)(known >> SAMPLE_PRESSURE_FIRST % 64) &
	       ((UINT32_C(1) << SAMPLE_PRESSURE_COUNT) - 1);
}
_Static_assert(SAMPLE_PRESSURE_COUNT < 32 &&
		       SAMPLE_PRESSURE_FIRST % 64 + SAMPLE_PRESSURE_COUNT <= 64,
	       "the pressures are in one word");

void averages_update(struct averages *averages, struct average_decay *decay, uint64_t now_usec,
		     struct workload_sample *sample)
{
	const uint64_t *totals = &sample->value[SAMPLE_PRESSURE_FIRST];
	uint32_t known = pressures_known(sample);

	/* Two passes in one microsecond. */
	if (now_usec <= averages->time_usec)
		return;
	average_decay_set(decay, now_usec - averages->time_usec);
	averages->time_usec = now_usec;
	for (uint32_t bits = known & ~averages->begun; bits; bits &= bits - 1)
		averages->total[__builtin_ctz(bits)] = totals[__builtin_ctz(bits)];
	averages->begun = known;
	/* Most values of most workloads stand still, at each pass. */
	for (uint32_t bits = known; bits; bits &= bits - 1) {
		unsigned int i = (unsigned int)__builtin_ctz(bits);

		if (totals[i] > averages->total[i] || averages->moving & (UINT32_C(1) << i))
			value_update(averages, decay, i, sample);
	}
}
