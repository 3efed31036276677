/* SPDX-License-Identifier: Apache-2.0 */
/* choose.c - the choice among the workloads that are there. */
#include <string.h>

#include "evict/run.h"
#include "macro.h"

#define DEPTH_MAX 64

static const char *annotation_of(struct evict *evict, uint64_t id, const char *key)
{
	return evict->agent->api->annotation(evict->agent, id, key);
}

static bool is_inside_pod(struct evict *evict, const struct berth_workload *workload)
{
	uint64_t id = workload->parent;

	for (int depth = 0; id != 0 && depth < DEPTH_MAX; depth++) {
		const struct berth_workload *above = evict->agent->api->workload(evict->agent, id);

		if (!above)
			return false;
		if (strcmp(above->kind, "pod") == 0)
			return true;
		id = above->parent;
	}
	return false;
}

/* By itself, whatever is below it. */
static const char *protected_alone(struct evict *evict, const struct berth_workload *workload,
				   bool inside_pod)
{
	const struct evict_facts facts = {
		.workload = workload,
		.annotation = annotation_of(evict, workload->id, "berth/evict"),
		.mirror = annotation_of(evict, workload->id, "kubernetes.io/config.mirror") != NULL,
		.inside_pod = inside_pod,
	};

	return evict_protection(evict->config, &facts);
}

static void look_below(void *data, const struct berth_workload *workload)
{
	struct evict *evict = evict_of(data);
	bool is_container = strcmp(workload->kind, "container") == 0;

	if (evict->found)
		return;
	/* A container is what its pod is. Too deep to be looked at is protected. */
	if ((!is_container && protected_alone(evict, workload, false)) ||
	    evict->depth >= DEPTH_MAX) {
		evict->found = true;
		return;
	}
	evict->depth++;
	evict->agent->api->each_child(evict->agent, workload->id, look_below);
	evict->depth--;
}

const char *evict_protected(struct evict *evict, const struct berth_workload *workload)
{
	const char *why = protected_alone(evict, workload, is_inside_pod(evict, workload));
	struct evict_facts facts = { .workload = workload, .shelters = true };

	if (why)
		return why;
	evict->found = false;
	evict->depth = 0;
	evict->agent->api->each_child(evict->agent, workload->id, look_below);
	return evict->found ? evict_protection(evict->config, &facts) : NULL;
}

static bool is_pod(const struct berth_workload *workload)
{
	return strcmp(workload->kind, "pod") == 0;
}

/* ACTION_EVICT or ACTION_KILL; -1: neither is allowed now. */
static int way_of(const struct evict *evict, const struct berth_workload *workload, bool hard)
{
	bool may_kill = evict->config->without_api == WITHOUT_API_KILL;

	if (!is_pod(workload))
		return may_kill ? ACTION_KILL : -1;
	if (hard)
		return ACTION_KILL;
	if (evict->now_usec >= evict->api_usec)
		return ACTION_EVICT;
	return evict->api_down && may_kill ? ACTION_KILL : -1;
}

static bool is_ready(const struct evict *evict, const struct evict_track *track,
		     const struct berth_workload *workload, bool hard)
{
	if (evict->now_usec < track->blocked_usec && !(hard && track->blocked_by_api))
		return false;
	if (hard)
		return true;
	/* Whoever deletes it, it goes: to evict it would change nothing. */
	return !track->leaving && !(workload->flags & WORKLOAD_ENDING) && track->seen_usec > 0 &&
	       evict->now_usec - track->seen_usec >= evict->config->min_run_usec;
}

void evict_choose(struct evict *evict, enum evict_resource resource, bool hard,
		  struct evict_choice *ret)
{
	uint64_t least = evict_least(resource, evict->reading.total_bytes);
	struct evict_track *track;

	*ret = (struct evict_choice){ .way = -1 };
	hashmap_foreach (track, &evict->tracks) {
		const struct berth_workload *workload =
			evict->agent->api->workload(evict->agent, track->id);
		struct evict_candidate candidate = {
			.id = track->id,
			.amount = track->amount[resource],
		};
		const char *annotation;
		int way;

		if (!workload || workload->qos >= QOS_NORMAL)
			continue;
		way = way_of(evict, workload, hard);
		if (way < 0 || !is_ready(evict, track, workload, hard) ||
		    candidate.amount < least || track->generation != evict->generation ||
		    evict_protected(evict, workload)) {
			ret->protected ++;
			continue;
		}
		annotation = annotation_of(evict, track->id, "berth/evict");
		candidate.level = workload->qos;
		candidate.first = annotation && strcmp(annotation, "first") == 0;
		if (ret->count++ > 0 && !evict_before(&candidate, &ret->candidate))
			continue;
		ret->candidate = candidate;
		ret->way = way;
	}
}
