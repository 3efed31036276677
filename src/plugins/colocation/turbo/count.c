/* SPDX-License-Identifier: Apache-2.0 */
/* count.c - what the counters of one container say of the time since the last look. */
#include "macro.h"
#include "turbo/run.h"

#define PERIOD_MIN_USEC 1000.0

static void window_add(struct turbo_item *item, uint64_t usec, uint64_t use_usec)
{
	unsigned int at = (item->first + item->samples) % TURBO_SAMPLES;

	item->window[at] = (struct turbo_sample){ usec, use_usec };
	if (item->samples < TURBO_SAMPLES)
		item->samples++;
	else
		item->first = (item->first + 1) % TURBO_SAMPLES;
}

/* Periods are counted while the group runs: never more than there were. */
static void period_learn(struct turbo_item *item, uint64_t now, uint64_t periods)
{
	uint64_t elapsed = now - item->periods_usec;

	if (item->periods_usec && elapsed < USEC_PER_SEC)
		return;
	if (item->periods_usec && periods > item->periods) {
		double seen = (double)elapsed / (double)(periods - item->periods);

		/* One more or less at the ends is not another period. */
		if (seen < 0.8 * item->period_usec)
			item->period_usec = MAX(seen, PERIOD_MIN_USEC);
	}
	item->periods = periods;
	item->periods_usec = now;
}

/* CPUs since the tick before; 0 where that is not told. */
static double use_count(struct turbo_item *item, uint64_t now, uint64_t used,
			struct turbo_container *ret)
{
	const struct turbo_sample *oldest;
	double use = 0;

	if (used == UINT64_MAX) {
		item->used_usec = 0;
		return 0;
	}
	/* Its counter began anew, or it was not looked at all the time. */
	if (!item->used_usec || used < item->use_usec)
		item->samples = item->first = 0;
	else if (now > item->used_usec)
		use = (double)(used - item->use_usec) / (double)(now - item->used_usec);
	item->use_usec = used;
	item->used_usec = now;
	window_add(item, now, used);
	oldest = &item->window[item->first];
	ret->samples = item->samples;
	ret->window_usec = (double)(now - oldest->usec);
	ret->window_use_usec = (double)(used - oldest->use_usec);
	return use;
}

bool turbo_item_count(struct turbo *turbo, struct turbo_item *item, const uint64_t *values,
		      struct turbo_container *ret)
{
	uint64_t now = turbo->now_usec;
	double limit = turbo_cpus(item->original);
	bool counted = item->counted;

	item->counted =
		values[TURBO_THROTTLED] != UINT64_MAX && values[TURBO_THROTTLED_USEC] != UINT64_MAX;
	if (!item->counted)
		return false;
	counted = counted && values[TURBO_THROTTLED] >= item->throttled &&
		  values[TURBO_THROTTLED_USEC] >= item->throttled_usec && now > item->counted_usec;
	*ret = (struct turbo_container){
		.limit = limit,
		.quota = item->claimed ? turbo_cpus(item->claimed) : limit,
		.throttled = values[TURBO_THROTTLED] - item->throttled,
		.throttled_usec = (double)(values[TURBO_THROTTLED_USEC] - item->throttled_usec),
	};
	ret->use = use_count(item, now, values[TURBO_USED], ret);
	item->throttled = values[TURBO_THROTTLED];
	item->throttled_usec = values[TURBO_THROTTLED_USEC];
	item->counted_usec = now;
	if (values[TURBO_PERIODS] != UINT64_MAX)
		period_learn(item, now, values[TURBO_PERIODS]);
	ret->period_usec = item->period_usec;
	if (!counted || ret->throttled > 0 || ret->use > limit)
		item->quiet_usec = now;
	ret->quiet_usec = (double)(now - item->quiet_usec);
	return counted;
}
