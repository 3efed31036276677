/* SPDX-License-Identifier: Apache-2.0 */
/* choose.c - which class a workload is in, and which classes there are groups for. Pure. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cache/cache.h"
#include "colocation.h"
#include "macro.h"

const char *const cache_choice_names[CACHE_CHOICES + 1] = {
	[CACHE_LOW] = "low",         [CACHE_MIDDLE] = "middle", [CACHE_HIGH] = "high",
	[CACHE_DYNAMIC] = "dynamic", [CACHE_MAX] = "max",       [CACHE_CHOICES] = NULL,
};

const enum cache_class cache_order[CACHE_CLASSES] = { CACHE_LOW, CACHE_DYNAMIC, CACHE_MIDDLE,
						      CACHE_HIGH };

static int choice_parse(const char *text, unsigned int *ret)
{
	for (unsigned int i = 0; i < CACHE_CHOICES; i++) {
		if (strcmp(cache_choice_names[i], text) == 0) {
			*ret = i;
			return 0;
		}
	}
	return -EINVAL;
}

unsigned int cache_choose(const struct cache_config *config, const struct berth_workload *workload,
			  bool below_offline, const char *annotation, char *why, size_t size)
{
	uint64_t by_level = workload->qos == QOS_SCAVENGER ? config->scavenger : config->batch;
	unsigned int choice;

	if (workload->flags & WORKLOAD_IGNORED) {
		(void)snprintf(why, size, "left alone: berth/ignore");
		return CACHE_MAX;
	}
	/* Its threads are the offline workload's above it, which has them all. */
	if (below_offline) {
		(void)snprintf(why, size, "goes with what is above it");
		return CACHE_MAX;
	}
	if (workload->qos >= QOS_NORMAL) {
		(void)snprintf(why, size, "online: not limited%s",
			       annotation ? ", " CACHE_ANNOTATION " is for offline ones" : "");
		return CACHE_MAX;
	}
	if (annotation && config->annotations && choice_parse(annotation, &choice) == 0) {
		(void)snprintf(why, size, "%s, by %s", cache_choice_names[choice],
			       CACHE_ANNOTATION);
		return choice;
	}
	choice = (unsigned int)by_level;
	(void)snprintf(why, size, "%s, by its level%s%.32s%s", cache_choice_names[choice],
		       annotation && config->annotations ? "; " CACHE_ANNOTATION " is none of "
							   "low, middle, high, dynamic, max: '"
							 : "",
		       annotation && config->annotations ? annotation : "",
		       annotation && config->annotations ? "'" : "");
	return choice;
}

/* The group of each class: its own, that of the next stricter one, or else of the next generous. */
static void plan_place(struct cache_plan *plan)
{
	unsigned int group = CACHE_MAX;

	for (size_t i = CACHE_CLASSES; i-- > 0;) {
		if (plan->made & (1u << cache_order[i]))
			group = cache_order[i];
		plan->group[cache_order[i]] = group;
	}
	group = CACHE_MAX;
	for (size_t i = 0; i < CACHE_CLASSES; i++) {
		if (plan->made & (1u << cache_order[i]))
			group = cache_order[i];
		if (group != CACHE_MAX)
			plan->group[cache_order[i]] = group;
	}
}

void cache_plan(unsigned int wanted, unsigned int slots, struct cache_plan *ret)
{
	ret->made = 0;
	for (size_t i = 0; i < CACHE_CLASSES; i++) {
		unsigned int bit = 1u << cache_order[i];

		if (!(wanted & bit) || slots == 0)
			continue;
		slots--;
		ret->made |= bit;
	}
	plan_place(ret);
}

void cache_plan_without(struct cache_plan *plan, unsigned int failed)
{
	plan->made &= ~failed;
	plan_place(plan);
}

static int check_rising(const uint64_t percent[CACHE_DYNAMIC], const char *key,
			struct berth_error *reterr)
{
	if (percent[CACHE_LOW] <= percent[CACHE_MIDDLE] &&
	    percent[CACHE_MIDDLE] <= percent[CACHE_HIGH])
		return 0;
	reterr->key = key;
	(void)snprintf(reterr->text, sizeof(reterr->text),
		       "low may not be more than middle, nor middle more than high");
	return -EINVAL;
}

static int check_lines(const struct cache_config *cache, struct berth_error *reterr)
{
	const struct {
		const char *key;
		uint64_t min, max;
	} lines[] = {
		{ "cache.min_miss", cache->min_miss, cache->max_miss },
		{ "cache.min_cpi", cache->min_cpi, cache->max_cpi },
		{ "cache.min_pressure", cache->min_pressure, cache->max_pressure },
	};

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		if (lines[i].min <= lines[i].max)
			continue;
		reterr->key = lines[i].key;
		(void)snprintf(reterr->text, sizeof(reterr->text),
			       "may not be more than the line at which dynamic shrinks");
		return -EINVAL;
	}
	return 0;
}

int cache_check(const struct colocation_config *config, struct berth_error *reterr)
{
	const struct cache_config *cache = &config->cache;
	static const char *const keys[CACHE_KINDS] = {
		[CACHE_L3] = "cache.l3_percent.low",
		[CACHE_L2] = "cache.l2_percent.low",
		[CACHE_BANDWIDTH] = "cache.mb_percent.low",
	};

	for (size_t kind = 0; kind < CACHE_KINDS; kind++) {
		int r = check_rising(cache->percent[kind], keys[kind], reterr);

		if (r < 0)
			return r;
	}
	if (cache->window_usec >= cache->every_usec) {
		reterr->key = "cache.window";
		(void)snprintf(reterr->text, sizeof(reterr->text),
			       "has to be less than cache.every");
		return -EINVAL;
	}
	return check_lines(cache, reterr);
}
