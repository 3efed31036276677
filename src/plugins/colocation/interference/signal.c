/* SPDX-License-Identifier: Apache-2.0 */
#include "interference/signal.h"

#include <stdio.h>

#include "macro.h"

/* Fewer say nothing. Not a hundred: who waits long waits seldom, and the longest wait will do. */
#define WAITS_LEAST        10u
#define INSTRUCTIONS_LEAST 1000000u
#define BUCKET_FIRST_USEC  8u /* berth-plugin.h: at most 8 << i */

const char *signal_name(enum interference_signal signal)
{
	static const char *const names[] = {
		[SIGNAL_AUTO] = "auto",
		[SIGNAL_CPI] = "CPI",
		[SIGNAL_LATENCY] = "run-queue p99",
		[SIGNAL_PRESSURE] = "CPU pressure",
	};

	return names[signal];
}

void signal_read(const struct workload_sample *sample, struct signal_reading *ret)
{
	*ret = (struct signal_reading){ 0 };
	if (!sample || !sample_knows(sample, SAMPLE_CPU_USAGE_USEC))
		return;
	ret->generation = sample->generation;
	ret->time_usec = sample->time_usec;
	ret->cpu_usec = sample->value[SAMPLE_CPU_USAGE_USEC];
	ret->waited_usec = sample->value[SAMPLE_PRESSURE_CPU_SOME_USEC];
	ret->has_pressure = sample_knows(sample, SAMPLE_PRESSURE_CPU_SOME_USEC);
	/* A quota of its own makes it wait as well, and nobody else is to blame for that. Not the
	 * cause of that name, which is not told while programs load, nor without telemetry.causes.
	 */
	ret->throttled_usec = sample->value[SAMPLE_CPU_THROTTLED_USEC];
	ret->has_counters = sample_knows(sample, SAMPLE_CYCLES);
	ret->cycles = sample->value[SAMPLE_CYCLES];
	ret->instructions = sample->value[SAMPLE_INSTRUCTIONS];
	ret->has_latency = sample->latency != NULL;
	if (sample->latency)
		ret->latency = *sample->latency;
}

bool signal_is_told(enum interference_signal signal, const struct signal_reading *reading)
{
	/* Who is not counted has his turn later. */
	return signal == SIGNAL_CPI ||
	       (signal == SIGNAL_LATENCY ? reading->has_latency : reading->has_pressure);
}

/* Some time passed, and it is the same group: counters of one that was made again start at 0. */
static bool is_pair(const struct signal_reading *before, const struct signal_reading *now)
{
	return before->time_usec > 0 && now->time_usec > before->time_usec &&
	       now->generation != before->generation && now->cpu_usec >= before->cpu_usec;
}

bool signal_use(const struct signal_reading *before, const struct signal_reading *now,
		double *ret_cores)
{
	if (!is_pair(before, now))
		return false;
	*ret_cores = (double)(now->cpu_usec - before->cpu_usec) /
		     (double)(now->time_usec - before->time_usec);
	return true;
}

/* CPI of a workload whose counters were never read before its first window ends. */
static bool value_cpi(const struct signal_reading *before, const struct signal_reading *now,
		      double *ret)
{
	uint64_t cycles = now->cycles - before->cycles;
	uint64_t instructions = now->instructions - before->instructions;

	if (!now->has_counters || now->cycles < before->cycles ||
	    now->instructions < before->instructions || instructions < INSTRUCTIONS_LEAST)
		return false;
	*ret = (double)cycles / (double)instructions;
	return true;
}

static bool value_latency(const struct signal_reading *before, const struct signal_reading *now,
			  double *ret)
{
	uint64_t grown[SAMPLE_LATENCY_BUCKETS], total = 0, rank, seen = 0;

	if (!before->has_latency || !now->has_latency)
		return false;
	for (unsigned int i = 0; i < SAMPLE_LATENCY_BUCKETS; i++) {
		if (now->latency.count[i] < before->latency.count[i])
			return false;
		grown[i] = now->latency.count[i] - before->latency.count[i];
		total += grown[i];
	}
	if (total < WAITS_LEAST)
		return false;
	rank = total - total / 100;
	for (unsigned int i = 0; i < SAMPLE_LATENCY_BUCKETS; i++) {
		double low = i == 0 ? 0 : (double)((uint64_t)BUCKET_FIRST_USEC << (i - 1));
		double high = (double)((uint64_t)BUCKET_FIRST_USEC << i);

		if (seen + grown[i] < rank) {
			seen += grown[i];
			continue;
		}
		/* Buckets double: without a guess within one, every change would be by two. */
		*ret = (low + (high - low) * (double)(rank - seen) / (double)grown[i]) /
		       (double)USEC_PER_SEC;
		return true;
	}
	return false;
}

static bool value_pressure(const struct signal_reading *before, const struct signal_reading *now,
			   double *ret)
{
	uint64_t waited = now->waited_usec - before->waited_usec, own = 0;
	double share;

	if (!before->has_pressure || !now->has_pressure || now->waited_usec < before->waited_usec)
		return false;
	if (now->throttled_usec > before->throttled_usec)
		own = now->throttled_usec - before->throttled_usec;
	share = (double)(waited - MIN(own, waited)) / (double)(now->time_usec - before->time_usec);
	*ret = MIN(share, 1.0);
	return true;
}

bool signal_value(enum interference_signal signal, const struct signal_reading *before,
		  const struct signal_reading *now, double *ret)
{
	if (!is_pair(before, now))
		return false;
	switch (signal) {
	case SIGNAL_CPI:
		return value_cpi(before, now, ret);
	case SIGNAL_LATENCY:
		return value_latency(before, now, ret);
	case SIGNAL_PRESSURE:
		return value_pressure(before, now, ret);
	case SIGNAL_AUTO:
		break;
	}
	return false;
}

void signal_format(enum interference_signal signal, double value, bool only_value, char *text,
		   size_t size)
{
	const char *name = only_value ? "" : signal_name(signal), *space = only_value ? "" : " ";

	switch (signal) {
	case SIGNAL_LATENCY:
		(void)snprintf(text, size, "%s%s%.2f ms", name, space, value * 1000);
		break;
	case SIGNAL_PRESSURE:
		(void)snprintf(text, size, "%s%s%.1f %%", name, space, value * 100);
		break;
	case SIGNAL_CPI:
	case SIGNAL_AUTO:
		(void)snprintf(text, size, "%s%s%.2f", name, space, value);
		break;
	}
}
