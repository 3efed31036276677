/* SPDX-License-Identifier: Apache-2.0 */
/*
 * count.c - which online workloads the CPUs count next. It costs them something, and files: so for
 * a window now and then, and as many as there is room for; those that were counted longest ago
 * first.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "cache/run.h"
#include "cleanup.h"

bool cache_count_look(struct cache *cache)
{
	const char *why = "";
	bool counts = false;

	if (!cache->config->counters)
		why = "off in the policy";
	else
		counts = cache->agent->api->can_count(cache->agent, &why) > 0;
	(void)snprintf(cache->uncounted_why, sizeof(cache->uncounted_why), "%s", why);
	cache->counts = counts;
	return counts;
}

static int by_turn(const void *left, const void *right)
{
	const struct track *a = *(const struct track *const *)left;
	const struct track *b = *(const struct track *const *)right;

	if (a->turn != b->turn)
		return a->turn < b->turn ? -1 : 1;
	return a->id < b->id ? -1 : a->id > b->id;
}

void cache_count_begin(struct cache *cache)
{
	cleanup_free struct track **online =
		calloc(cache->tracks.count + 1, sizeof(struct track *));
	struct track *track;
	size_t count = 0;

	/* Without memory nobody is counted in this round. */
	hashmap_foreach (track, &cache->tracks)
		if (online && track->is_online)
			online[count++] = track;
	if (count > 1)
		qsort(online, count, sizeof(struct track *), by_turn);
	cache->turn++;
	for (size_t i = 0; i < count; i++) {
		int r = cache->agent->api->count(cache->agent, online[i]->id,
						 cache->config->window_usec);

		if (r == -ENOSPC)
			break;
		if (r >= 0)
			online[i]->turn = cache->turn;
	}
}
