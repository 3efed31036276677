/* SPDX-License-Identifier: Apache-2.0 */
/*
 * law.c - down at once, up slowly, as rubik has it: the steps and the numbers of the lines are its
 * own. But rubik's are lines of the miss rate, which alone says little: who streams through memory
 * misses always, whoever is beside it. Here they are lines of what is more than usual, and more
 * misses count only with what they do: instructions that take longer, or tasks that wait. Many more
 * misses and some harm, or some more misses and much harm, shrink the class; between the lines it
 * stays as it is.
 */
#include "cache/cache.h"
#include "macro.h"

#define STEP_DOWN            50u
#define STEP_UP              5u
#define OF_A_PERCENT         (CACHE_WHOLE / 100)
#define over(share, percent) ((share) >= (percent)*OF_A_PERCENT)

enum cache_step cache_judge(const struct cache_config *config, const struct cache_reading *reading)
{
	bool knows_harm = reading->has_cpi || reading->has_pressure;
	bool many = reading->has_miss && over(reading->miss, config->max_miss);
	bool some = reading->has_miss && over(reading->miss, config->min_miss);
	bool suffers = (reading->has_cpi && over(reading->cpi, config->max_cpi)) ||
		       (reading->has_pressure && over(reading->pressure, config->max_pressure));
	bool worsens = (reading->has_cpi && over(reading->cpi, config->min_cpi)) ||
		       (reading->has_pressure && over(reading->pressure, config->min_pressure));

	/* Nothing is known: the safe share. */
	if (!reading->has_miss && !knows_harm)
		return CACHE_SHRINK;
	if (many && (worsens || !knows_harm))
		return CACHE_SHRINK;
	if (suffers && (some || !reading->has_miss))
		return CACHE_SHRINK;
	return some || worsens ? CACHE_HOLD : CACHE_GROW;
}

void cache_move(const struct cache_config *config, enum cache_step step,
		uint64_t percent[CACHE_KINDS])
{
	for (size_t kind = 0; kind < CACHE_KINDS; kind++) {
		uint64_t low = config->percent[kind][CACHE_LOW];
		uint64_t high = config->percent[kind][CACHE_HIGH];
		uint64_t next = percent[kind];

		if (step == CACHE_SHRINK)
			next -= MIN(next, STEP_DOWN);
		else if (step == CACHE_GROW)
			next += STEP_UP;
		percent[kind] = MAX(low, MIN(next, high));
	}
}
