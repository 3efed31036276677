/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run.c - looks at the node at each tick, at the workloads only when something may be short,
 * and takes one of them off the node when it is. Off, there is no timer.
 */
#include "evict/run.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "cleanup.h"
#include "macro.h"
#include "service.h"

/* The daemon lets go of what passes need when nobody asked for one in a minute, and the first pass
 * after that may take seconds: BPF programs are loaded. Not when memory is short. */
#define WARM_USEC (30 * USEC_PER_SEC)

void evict_say(struct evict *evict, const char *text)
{
	evict->agent->api->describe(evict->agent, 0, "evict", text);
}

static void track_drop(struct evict *evict, uint64_t id)
{
	free(hashmap_remove_u64(&evict->tracks, id));
}

struct evict_track *evict_track_get(const struct evict *evict, uint64_t id)
{
	return hashmap_get_u64(&evict->tracks, id);
}

/* Without memory it is as if it had come later. */
static void track_make(struct evict *evict, uint64_t id)
{
	struct evict_track *track = calloc(1, sizeof(*track));

	if (!track)
		return;
	track->id = id;
	if (hashmap_put_u64(&evict->tracks, id, track) < 0)
		free(track);
	else
		evict->unseen = true;
}

static bool is_container(const struct berth_workload *workload)
{
	return strcmp(workload->kind, "container") == 0;
}

static void describe_one(struct evict *evict, const struct berth_workload *workload)
{
	const struct evict_track *track = evict_track_get(evict, workload->id);
	const char *why = evict_protected(evict, workload);
	char text[160];

	/* Why it was evicted is said already. */
	if (track && track->leaving)
		return;
	if (why && !why[0]) {
		evict->agent->api->describe(evict->agent, workload->id, "evict", NULL);
		return;
	}
	if (why)
		(void)snprintf(text, sizeof(text), "never: %s", why);
	else if (workload->flags & WORKLOAD_ENDING)
		(void)snprintf(text, sizeof(text),
			       "not now: it is being deleted; killed past the hard line");
	else if (strcmp(workload->kind, "pod") != 0 &&
		 evict->config->without_api == WITHOUT_API_REFUSE)
		(void)snprintf(text, sizeof(text),
			       "never: no API evicts a %s, and evict.without_api is refuse",
			       workload->kind);
	else
		(void)snprintf(text, sizeof(text), "as the last resort, by %s",
			       strcmp(workload->kind, "pod") == 0 ? "the API" : "killing it");
	evict->agent->api->describe(evict->agent, workload->id, "evict", text);
}

void evict_decide(void *state, const struct berth_workload *workload, bool below_offline)
{
	struct evict *evict = state;

	(void)below_offline;
	if (!evict->timer || is_container(workload))
		return;
	if (!evict_track_get(evict, workload->id))
		track_make(evict, workload->id);
	describe_one(evict, workload);
}

void evict_workload(void *state, const struct workload_event *event)
{
	if (event->change == WORKLOAD_REMOVED)
		track_drop(state, event->workload->id);
}

/* ---- a tick ---- */

/* Whoever is new was not there at the tick before. */
static void tracks_see(struct evict *evict, uint64_t now_usec)
{
	struct evict_track *track;

	if (!evict->unseen)
		return;
	evict->unseen = false;
	hashmap_foreach (track, &evict->tracks)
		if (track->seen_usec == 0)
			track->seen_usec = now_usec;
}

/* The workloads' numbers; the online one that waits most, for each resource. */
static int take_pass(struct evict *evict)
{
	struct agent *agent = evict->agent;
	struct evict_track *track;
	int r = agent->api->fresh(agent, evict->config->period_usec / 2);

	evict->pass_usec = evict->now_usec;
	memset(evict->suffered, 0, sizeof(evict->suffered));
	memset(evict->sufferer, 0, sizeof(evict->sufferer));
	if (r < 0)
		return r;
	evict->generation = 0;
	hashmap_foreach (track, &evict->tracks) {
		const struct berth_workload *workload = agent->api->workload(agent, track->id);
		const struct workload_sample *sample = agent->api->sample(agent, track->id);

		if (!workload || !sample) {
			track->has_rates = false;
			continue;
		}
		evict->generation = MAX(evict->generation, sample->generation);
		(void)evict_track_sample(track, evict->config, sample,
					 evict_gap_usec(evict->config));
		if (workload->qos < QOS_NORMAL || (workload->flags & WORKLOAD_IGNORED))
			continue;
		for (size_t i = 0; i < EVICT_RESOURCES; i++) {
			if (!track->has_rates || track->suffered[i] <= evict->suffered[i])
				continue;
			evict->suffered[i] = track->suffered[i];
			evict->sufferer[i] = track->id;
		}
	}
	return 0;
}

static void describe_short(struct evict *evict, const struct evict_reading *reading)
{
	char text[200];
	size_t length = 0;

	for (int i = 0; i < EVICT_TRIGGERS; i++) {
		enum evict_trigger trigger = (enum evict_trigger)i;
		unsigned int count = evict_count(&evict->history, evict->config, trigger);

		if (count == 0)
			continue;
		length +=
			(size_t)snprintf(text + length, sizeof(text) - length,
					 "%s%s over its line in %u of %" PRIu64, length ? ", " : "",
					 evict_trigger_name(trigger), count, evict->config->window);
		if (length >= sizeof(text))
			break;
	}
	if (length == 0)
		(void)snprintf(text, sizeof(text), "on; nothing is short");
	else if (reading->hard && length < sizeof(text))
		(void)snprintf(text + length, sizeof(text) - length, ", past the hard line");
	evict_say(evict, text);
}

static void forget_samples(struct evict *evict, const char *why)
{
	evict->has_before = false;
	evict->history = (struct evict_history){ 0 };
	evict->reading = (struct evict_reading){ 0 };
	evict_say(evict, why);
}

static int on_tick(void *data)
{
	struct evict *evict = evict_of(data);
	const struct agent_api *api = evict->agent->api;
	const struct node_sample *node = api->node(evict->agent, evict->config->period_usec / 2);
	struct node_sample before = evict->before;
	bool has_before = evict->has_before;
	int trigger;

	if (!node) {
		forget_samples(evict, "no decision: the node's numbers cannot be read");
		return 0;
	}
	evict->before = *node;
	evict->has_before = true;
	evict->now_usec = node->time_usec;
	tracks_see(evict, evict->now_usec);
	if (evict->pass_usec == 0 || evict->now_usec - evict->pass_usec >= WARM_USEC)
		(void)take_pass(evict);
	if (has_before && node->time_usec == before.time_usec)
		return 0;
	if (!has_before || !evict_read(evict->config, &before, node, &evict->reading)) {
		evict->history = (struct evict_history){ 0 };
		return 0;
	}
	memset(evict->suffered, 0, sizeof(evict->suffered));
	if (evict_worth_a_look(evict->config, &evict->reading) && take_pass(evict) < 0) {
		forget_samples(evict, "no decision: the workloads' numbers cannot be read");
		return 0;
	}
	evict_note(&evict->history, evict->config, &evict->reading, evict->suffered);
	trigger = evict_fires(&evict->history, evict->config, &evict->reading);
	if (trigger < 0)
		describe_short(evict, &evict->reading);
	else
		evict_act(evict, trigger);
	return 0;
}

/* ---- life ---- */

static void forget_each(void *data, const struct berth_workload *workload)
{
	struct evict *evict = evict_of(data);

	evict->agent->api->describe(evict->agent, workload->id, "evict", NULL);
}

static void evict_off(struct evict *evict)
{
	struct evict_track *track;

	if (evict->timer)
		evict->agent->api->forget(evict->agent, evict->timer);
	if (evict->period_usec)
		evict->agent->api->each_workload(evict->agent, forget_each);
	evict->timer = NULL;
	evict->period_usec = 0;
	hashmap_foreach (track, &evict->tracks)
		free(track);
	hashmap_done(&evict->tracks);
	evict->has_before = false;
	evict->history = (struct evict_history){ 0 };
	evict_say(evict, "off: the last resort, on only by evict.enabled");
}

/* By another period samples are others; who is there, and who said no, is the same. */
static int timer_make(struct evict *evict)
{
	const struct agent_api *api = evict->agent->api;
	int r;

	if (evict->timer && evict->period_usec == evict->config->period_usec)
		return 0;
	if (evict->timer)
		api->forget(evict->agent, evict->timer);
	evict->timer = NULL;
	r = api->every(evict->agent, evict->config->period_usec, on_tick, &evict->timer);
	if (r < 0) {
		evict_off(evict);
		return r;
	}
	evict->period_usec = evict->config->period_usec;
	forget_samples(evict, "on; nothing is short");
	return 0;
}

static int evict_on(struct evict *evict)
{
	const struct agent_api *api = evict->agent->api;
	int r;

	if (!evict->metric) {
		r = api->metric(
			evict->agent, "evictions_total",
			"Evictions of offline workloads by what was short and how each ended.",
			&evict->metric);
		if (r < 0)
			return r;
		evict_show_counts(evict);
	}
	return timer_make(evict);
}

int evict_check_config(const struct colocation_config *config, struct berth_error *reterr)
{
	return evict_check(&config->evict, reterr);
}

int evict_apply(void *state, const struct colocation_config *config)
{
	struct evict *evict = state;

	evict->config = &config->evict;
	if (config->evict.enabled)
		return evict_on(evict);
	evict_off(evict);
	return 0;
}

int evict_start(struct agent *agent, void *self, const struct colocation_config *config,
		void **ret_state)
{
	struct evict *evict = calloc(1, sizeof(*evict));
	int r;

	if (!evict)
		return -ENOMEM;
	evict->agent = agent;
	evict->self = self;
	r = evict_apply(evict, config);
	if (r < 0) {
		free(evict);
		return r;
	}
	*ret_state = evict;
	return 0;
}

void evict_stop(void *state)
{
	struct evict *evict = state;
	struct evict_track *track;

	hashmap_foreach (track, &evict->tracks)
		free(track);
	hashmap_done(&evict->tracks);
	free(evict);
}

struct evict *evict_of(void *self)
{
	return service_state(self, SERVICE_EVICT);
}
