/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache.c - classes to claims: what each class gets is a claim on the host, which class a workload
 * is in one on the workload. A class has a group as long as the service is on and one workload was
 * in it, unless another one needs the group: making and removing groups costs monitoring ids, which
 * the hardware gives back late.
 */
#include "cache/cache.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "cache/run.h"
#include "colocation.h"
#include "macro.h"
#include "service.h"
#include "strbuf.h"

#define PART       "cache"
#define RETRY_USEC (30 * USEC_PER_SEC) /* until somebody may have given a group back */

static const struct berth_target host_target = { .kind = TARGET_HOST };

static enum knob class_knob(unsigned int class)
{
	return (enum knob)(KNOB_CACHE_LOW + class);
}

static void share_text(const struct cache *cache, unsigned int class, char *text, size_t size)
{
	uint64_t percent[CACHE_KINDS];

	for (size_t kind = 0; kind < CACHE_KINDS; kind++)
		percent[kind] = class == CACHE_DYNAMIC ? cache->percent[kind]
						       : cache->config->percent[kind][class];
	(void)snprintf(text, size, "l3=%" PRIu64 " l2=%" PRIu64 " mb=%" PRIu64, percent[CACHE_L3],
		       percent[CACHE_L2], percent[CACHE_BANDWIDTH]);
	if (cache->config->bandwidth_mbps) {
		size_t length = strlen(text);

		(void)snprintf(text + length, size - length, " full_mbps=%" PRIu64,
			       cache->config->bandwidth_mbps);
	}
}

int cache_class_claim(struct cache *cache, unsigned int class, const char *reason)
{
	char text[128];
	struct knob_value value = { .text = text };
	int r;

	share_text(cache, class, text, sizeof(text));
	r = cache->agent->api->claim_as(cache->agent, PART, host_target, class_knob(class), &value,
					0, reason);
	if (r >= 0)
		cache->claimed |= 1u << class;
	return r;
}

static void class_unclaim(struct cache *cache, unsigned int class)
{
	if (!(cache->claimed & (1u << class)))
		return;
	cache->agent->api->unclaim_as(cache->agent, PART, host_target, class_knob(class));
	cache->claimed &= ~(1u << class);
}

static void workload_unclaim(struct cache *cache, uint64_t id)
{
	struct berth_target target = { TARGET_WORKLOAD, id };

	cache->agent->api->unclaim_as(cache->agent, PART, target, KNOB_CACHE_CLASS);
}

static void track_claim(struct cache *cache, const struct track *track)
{
	struct berth_target target = { TARGET_WORKLOAD, track->id };
	unsigned int group =
		track->choice < CACHE_CLASSES ? cache->plan.group[track->choice] : CACHE_MAX;
	struct knob_value value = { .number = group };
	char text[320];
	int r = 0;

	if (group < CACHE_CLASSES)
		r = cache->agent->api->claim_as(cache->agent, PART, target, KNOB_CACHE_CLASS,
						&value, 0, track->why);
	else
		workload_unclaim(cache, track->id);
	if (group == track->choice)
		(void)snprintf(text, sizeof(text), "%s%s%s", track->why, r < 0 ? "; refused: " : "",
			       r < 0 ? strerrordesc_np(-r) : "");
	else
		(void)snprintf(text, sizeof(text),
			       "%s; in the group of %s, as there is none for it (num_closids of "
			       "resctrl, or see `berthctl knobs`)",
			       track->why,
			       group < CACHE_CLASSES ? cache_choice_names[group] : "none");
	cache->agent->api->describe(cache->agent, track->id, "cache", text);
}

/* ---- classes ---- */

static unsigned int classes_wanted(const struct cache *cache)
{
	unsigned int wanted = 0;

	for (unsigned int class = 0; class < CACHE_CLASSES; class ++)
		if (cache->users[class] > 0)
			wanted |= 1u << class;
	return wanted;
}

void cache_describe(struct cache *cache, const char *step)
{
	cleanup_strbuf struct strbuf text = { 0 };
	char share[128];

	for (size_t i = 0; i < CACHE_CLASSES; i++) {
		unsigned int class = cache_order[i];

		if (!(cache->claimed & (1u << class)))
			continue;
		share_text(cache, class, share, sizeof(share));
		strbuf_addf(&text, "%s%s %s", text.length > 0 ? "; " : "",
			    cache_choice_names[class], share);
	}
	if (step)
		strbuf_addf(&text, " (%s)", step);
	cache->agent->api->describe(cache->agent, 0, "cache",
				    text.length > 0 ? strbuf_text(&text)
						    : "no workload has a class");
}

/* Groups for the classes that workloads are in. Those that none is in stay as long as there are
 * enough. True: somebody's group is another one now. */
static bool cache_replan(struct cache *cache)
{
	struct cache_plan before = cache->plan;
	unsigned int wanted = classes_wanted(cache), slots = cache_slots(), made = 0, present;

	cache_plan(wanted, slots, &cache->plan);
	for (unsigned int class = 0; class < CACHE_CLASSES; class ++)
		made += (cache->plan.made >> class) & 1;
	/* Away first: their groups are needed. */
	for (unsigned int class = 0; class < CACHE_CLASSES; class ++) {
		bool idle = (cache->claimed & (1u << class)) && !(cache->plan.made & (1u << class));

		if (idle && (wanted & (1u << class) || made + 1 > slots))
			class_unclaim(cache, class);
		else if (idle)
			made++;
	}
	for (size_t i = 0; i < CACHE_CLASSES; i++) {
		unsigned int class = cache_order[i];

		if (!(cache->plan.made & (1u << class)))
			continue;
		if (class == CACHE_DYNAMIC && !(cache->claimed & (1u << class)))
			cache_dynamic_begin(cache);
		(void)cache_class_claim(cache, class, "a workload is in it");
	}
	/* Out of monitoring ids, or the name is somebody else's. berthd goes on trying. In a dry
	 * run there is none of them, and that is no failure. */
	present = cache_present();
	if (present & cache->plan.made)
		cache_plan_without(&cache->plan, ~present);
	return memcmp(before.group, cache->plan.group, sizeof(before.group)) != 0;
}

static bool is_folded(const struct cache *cache)
{
	return classes_wanted(cache) & ~cache->plan.made;
}

/* ---- the timer: for the class dynamic, and while groups are lacking ---- */

static void cache_settle(struct cache *cache);

static int on_timer(void *self)
{
	struct cache *cache = service_state(self, SERVICE_CACHE);

	if (!cache)
		return 0;
	if (is_folded(cache) && cache_replan(cache))
		cache->changed = true;
	if (cache->claimed & (1u << CACHE_DYNAMIC) && cache->users[CACHE_DYNAMIC] > 0)
		cache_dynamic_step(cache);
	cache_settle(cache);
	return 0;
}

static void timer_set(struct cache *cache, uint64_t usec)
{
	if (usec == cache->timer_usec)
		return;
	if (cache->timer)
		cache->agent->api->forget(cache->agent, cache->timer);
	cache->timer = NULL;
	cache->timer_usec = 0;
	if (usec == 0)
		return;
	if (cache->agent->api->every(cache->agent, usec, on_timer, &cache->timer) < 0)
		cache->agent->api->log(cache->agent, LOG_WARNING,
				       "cache: no timer: the class dynamic stays as it is");
	else
		cache->timer_usec = usec;
}

/* After anything changed: whose group is another one is claimed again. */
static void cache_settle(struct cache *cache)
{
	const struct track *track;
	uint64_t period = 0;

	if (cache->changed) {
		cache->changed = false;
		hashmap_foreach (track, &cache->tracks)
			if (!track->is_online)
				track_claim(cache, track);
	}
	if (cache->users[CACHE_DYNAMIC] > 0 && cache->claimed & (1u << CACHE_DYNAMIC))
		period = cache_dynamic_wait(cache);
	else if (is_folded(cache))
		period = RETRY_USEC;
	timer_set(cache, period);
}

/* ---- workloads ---- */

static void track_set_choice(struct cache *cache, struct track *track, unsigned int choice)
{
	cache->users[track->choice]--;
	cache->users[choice]++;
	track->choice = choice;
}

static struct track *track_get(struct cache *cache, uint64_t id)
{
	struct track *track = hashmap_get_u64(&cache->tracks, id);

	if (track)
		return track;
	track = calloc(1, sizeof(*track));
	if (!track)
		return NULL;
	track->id = id;
	track->choice = CACHE_MAX;
	if (hashmap_put_u64(&cache->tracks, id, track) < 0) {
		free(track);
		return NULL;
	}
	cache->users[CACHE_MAX]++;
	return track;
}

static void track_drop(struct cache *cache, uint64_t id)
{
	struct track *track = hashmap_remove_u64(&cache->tracks, id);

	if (!track)
		return;
	cache->users[track->choice]--;
	free(track);
}

static bool cache_is_on(const struct cache *cache)
{
	return cache->config->enabled && cache->available;
}

void cache_decide(void *state, const struct berth_workload *workload, bool below_offline)
{
	struct cache *cache = state;
	const char *annotation;
	unsigned int wanted = classes_wanted(cache);
	struct track *track;

	if (!cache_is_on(cache) || strcmp(workload->kind, "container") == 0) {
		/* A container that has no pod here goes without: its pod is always here. */
		track_drop(cache, workload->id);
		workload_unclaim(cache, workload->id);
		cache->agent->api->describe(cache->agent, workload->id, "cache", NULL);
		return;
	}
	track = track_get(cache, workload->id);
	if (!track)
		return;
	annotation = cache->agent->api->annotation(cache->agent, workload->id, CACHE_ANNOTATION);
	track_set_choice(cache, track,
			 cache_choose(cache->config, workload, below_offline, annotation,
				      track->why, sizeof(track->why)));
	track->is_online = workload->qos >= QOS_NORMAL && !below_offline &&
			   !(workload->flags & WORKLOAD_IGNORED);
	if (classes_wanted(cache) != wanted && cache_replan(cache))
		cache->changed = true;
	track_claim(cache, track);
	cache_settle(cache);
}

void cache_workload(void *state, const struct workload_event *event)
{
	struct cache *cache = state;

	if (event->change != WORKLOAD_REMOVED)
		return;
	track_drop(cache, event->workload->id);
	if (cache_is_on(cache) && is_folded(cache) && cache_replan(cache))
		cache->changed = true;
	cache_settle(cache);
}

/* After the last workload has left its class: nothing is in it that would be moved twice. */
void cache_decided(void *state)
{
	struct cache *cache = state;

	if (!cache_is_on(cache))
		for (unsigned int class = 0; class < CACHE_CLASSES; class ++)
			class_unclaim(cache, class);
	cache_settle(cache);
}

/* ---- life ---- */

void cache_probe(void *state)
{
	struct cache *cache = state;
	const char *why = "";

	cache->available =
		cache->agent->api->knob_available(cache->agent, KNOB_CACHE_CLASS, &why) > 0;
	if (!cache->config->enabled)
		cache->agent->api->describe(cache->agent, 0, "cache", "off");
	else if (!cache->available)
		cache->agent->api->describe(cache->agent, 0, "cache", why);
	else
		cache_describe(cache, NULL);
}

int cache_start(struct agent *agent, void *self, const struct colocation_config *config,
		void **ret_state)
{
	struct cache *cache = calloc(1, sizeof(*cache));

	if (!cache)
		return -ENOMEM;
	*cache = (struct cache){ .agent = agent, .self = self, .config = &config->cache };
	cache_plan(0, 0, &cache->plan);
	if (agent->api->metric(agent, "cache_dynamic_ratio",
			       "Share of each resource that the class dynamic may use.",
			       &cache->metric) < 0)
		cache->metric = NULL;
	cache_probe(cache);
	*ret_state = cache;
	return 0;
}

int cache_apply(void *state, const struct colocation_config *config)
{
	struct cache *cache = state;
	/* The one before is good until this returns; it has no padding. */
	bool same = memcmp(cache->config, &config->cache, sizeof(config->cache)) == 0;

	cache->config = &config->cache;
	if (same)
		return 0;
	cache_probe(cache);
	if (!cache_is_on(cache))
		return 0;
	/* Other lines: from the safe side again. */
	cache_dynamic_begin(cache);
	for (unsigned int class = 0; class < CACHE_CLASSES; class ++)
		if (cache->claimed & (1u << class))
			(void)cache_class_claim(cache, class, "a workload is in it");
	return 0;
}

void cache_stop(void *state)
{
	struct cache *cache = state;
	struct track *track;

	timer_set(cache, 0);
	hashmap_foreach (track, &cache->tracks)
		free(track);
	hashmap_done(&cache->tracks);
	free(cache);
}
