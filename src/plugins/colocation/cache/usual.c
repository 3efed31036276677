/* SPDX-License-Identifier: Apache-2.0 */
/* usual.c - what counters say of a workload, and what of that is worse than usual. Pure. */
#include "cache/cache.h"
#include "macro.h"

/* Fewer say nothing: a timer that goes off in a workload that sleeps. */
#define INSTRUCTIONS_LEAST 1000000u
#define REFERENCES_LEAST   10000u
#define FOLLOW             4.0  /* a quarter of the way: the noise of one window is not believed */
#define FOLLOW_WORSE       64.0 /* ten minutes of windows, so that no line is held for ever */

bool cache_miss_rate(const struct cache_counters *before, const struct cache_counters *now,
		     double *ret)
{
	uint64_t references = now->references - before->references;
	uint64_t misses = now->misses - before->misses;

	if (!now->has_cache || now->references < before->references ||
	    now->misses < before->misses || references < REFERENCES_LEAST)
		return false;
	/* Two events are not read in the same instant, and some count what was fetched ahead. */
	*ret = MIN((double)misses / (double)references, 1.0);
	return true;
}

bool cache_cpi(const struct cache_counters *before, const struct cache_counters *now, double *ret)
{
	uint64_t instructions = now->instructions - before->instructions;

	if (!now->has_cycles || now->instructions < before->instructions ||
	    now->cycles < before->cycles || instructions < INSTRUCTIONS_LEAST)
		return false;
	*ret = (double)(now->cycles - before->cycles) / (double)instructions;
	return true;
}

bool cache_usual_known(const struct cache_usual *usual)
{
	return usual->count >= CACHE_LEARN;
}

void cache_usual_learn(struct cache_usual *usual, double value, bool is_low)
{
	double part = is_low || value < usual->value ? FOLLOW : FOLLOW_WORSE;

	/* At first their mean. */
	if (usual->count < CACHE_LEARN)
		part = ++usual->count;
	usual->value += (value - usual->value) / part;
}

uint32_t cache_usual_growth(const struct cache_usual *usual, double value, double least)
{
	double from = MAX(usual->value, least), growth;

	if (value <= usual->value)
		return 0;
	if (from <= 0)
		return CACHE_WHOLE;
	growth = (value - usual->value) / from;
	return growth >= 1 ? CACHE_WHOLE : (uint32_t)(growth * CACHE_WHOLE);
}
