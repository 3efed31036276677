/* SPDX-License-Identifier: Apache-2.0 */
/* act.c - act on the one that was chosen, and take the answer in. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>

#include "evict/run.h"
#include "macro.h"

#define BLOCK_FIRST_USEC                                                        \
	(30 * USEC_PER_SEC) /* one that could not be evicted is not asked again \
			     */
#define BLOCK_MAX_USEC (600 * USEC_PER_SEC)
#define API_FIRST_USEC (10 * USEC_PER_SEC)
#define API_MAX_USEC   (300 * USEC_PER_SEC)
#define WAIT_USEC      (10 * USEC_PER_SEC)
#define DEPTH_MAX      64

static const char *const result_names[EVICT_RESULTS] = {
	[RESULT_EVICTED] = "evicted", [RESULT_KILLED] = "killed", [RESULT_DRY_RUN] = "dry_run",
	[RESULT_BUDGET] = "budget",   [RESULT_NO_API] = "no_api", [RESULT_FORBIDDEN] = "forbidden",
	[RESULT_GONE] = "gone",       [RESULT_FAILED] = "failed",
};

/* ---- what becomes of it ---- */

static void show_count(struct evict *evict, enum evict_resource resource, enum evict_result result)
{
	char labels[96];

	(void)snprintf(labels, sizeof(labels), "resource=\"%s\",result=\"%s\"",
		       evict_resource_name(resource), result_names[result]);
	evict->agent->api->metric_set_labels(evict->agent, evict->metric, labels,
					     (double)evict->results[resource][result]);
}

static void count_result(struct evict *evict, enum evict_result result)
{
	evict->results[evict->resource][result]++;
	show_count(evict, evict->resource, result);
}

void evict_show_counts(struct evict *evict)
{
	for (int i = 0; i < EVICT_RESOURCES; i++) {
		show_count(evict, (enum evict_resource)i, RESULT_EVICTED);
		show_count(evict, (enum evict_resource)i, RESULT_KILLED);
	}
}

static void describe_victim(struct evict *evict, uint64_t id, const char *what)
{
	char text[EVICT_REASON + 64];

	(void)snprintf(text, sizeof(text), "%s: %s", what, evict->reason);
	evict->agent->api->describe(evict->agent, id, "evict", text);
}

/* Longer each time; somebody else may be tried meanwhile. */
static void block(struct evict *evict, struct evict_track *track, bool by_api)
{
	if (!track)
		return;
	track->backoff_usec = track->backoff_usec == 0
				      ? BLOCK_FIRST_USEC
				      : MIN(track->backoff_usec * 2, BLOCK_MAX_USEC);
	track->blocked_usec = evict->now_usec + track->backoff_usec;
	track->blocked_by_api = by_api;
}

static void block_api(struct evict *evict, bool down)
{
	evict->api_backoff_usec = evict->api_backoff_usec == 0
					  ? API_FIRST_USEC
					  : MIN(evict->api_backoff_usec * 2, API_MAX_USEC);
	evict->api_usec = evict->now_usec + evict->api_backoff_usec;
	evict->api_down = down;
}

/* What was over its line has to be so N times more before the next one goes. */
static void cool_down(struct evict *evict)
{
	evict->cooldown_usec = evict->now_usec + evict->config->cooldown_usec;
	evict->history = (struct evict_history){ 0 };
}

static void ended(struct evict *evict)
{
	if (!evict->asked && !evict->killing)
		evict->victim = 0;
}

static void on_killed(void *data, struct berth_target target, int result)
{
	struct evict *evict = evict_of(data);
	struct evict_track *track = evict_track_get(evict, target.id);

	evict->killing = false;
	if (result >= 0) {
		count_result(evict, result == ACTION_DRY_RUN ? RESULT_DRY_RUN : RESULT_KILLED);
		describe_victim(evict, target.id,
				result == ACTION_DRY_RUN ? "would be killed" : "killed");
		evict->leaving = 0;
		cool_down(evict);
	} else {
		bool gone = result == -ENOENT || result == -ESTALE;

		count_result(evict, gone ? RESULT_GONE : RESULT_FAILED);
		describe_victim(evict, target.id, "could not be killed");
		block(evict, track, false);
	}
	ended(evict);
}

/* Over actions.per_minute, which is nobody's fault but ours. */
static void over_limit(struct evict *evict, bool *under_way)
{
	evict->wait_usec = evict->now_usec + WAIT_USEC;
	*under_way = false;
	ended(evict);
}

static void act_kill(struct evict *evict, uint64_t id)
{
	const struct berth_target target = { .kind = TARGET_WORKLOAD, .id = id };
	int r;

	evict->victim = id;
	evict->killing = true;
	r = evict->agent->api->act(evict->agent, target, ACTION_KILL, 0, evict->reason, on_killed);
	if (r == -EAGAIN)
		over_limit(evict, &evict->killing);
	else if (r < 0)
		on_killed(evict->self, target, r);
}

/* Nobody can be asked: what then, the policy says. */
static void on_no_api(struct evict *evict, uint64_t id)
{
	const struct berth_workload *workload = evict->agent->api->workload(evict->agent, id);

	block_api(evict, true);
	/* What was over its line when it was asked for may be under it by now. */
	if (evict->config->without_api != WITHOUT_API_KILL || evict->killing || !evict->timer ||
	    evict_fires(&evict->history, evict->config, &evict->reading) < 0 || !workload ||
	    evict_protected(evict, workload)) {
		describe_victim(evict, id, "not evicted, no API is up");
		return;
	}
	act_kill(evict, id);
}

static void on_refused(struct evict *evict, uint64_t id, int result)
{
	struct evict_track *track = evict_track_get(evict, id);

	switch (result) {
	case -EBUSY:
		count_result(evict, RESULT_BUDGET);
		describe_victim(evict, id, "not evicted, a PodDisruptionBudget does not allow it");
		block(evict, track, true);
		return;
	case -EACCES:
		count_result(evict, RESULT_FORBIDDEN);
		if (!evict->told_forbidden)
			evict->agent->api->log(evict->agent, LOG_WARNING,
					       "pods cannot be evicted: the API does not let us: "
					       "RBAC: create on pods/eviction: docs/eviction.md");
		evict->told_forbidden = true;
		describe_victim(evict, id, "not evicted, the API does not let us");
		block_api(evict, false);
		return;
	case -ENOENT:
	case -ESTALE:
		count_result(evict, RESULT_GONE);
		block(evict, track, true);
		return;
	default:
		count_result(evict, RESULT_FAILED);
		describe_victim(evict, id, "not evicted, the API failed");
		block(evict, track, true);
	}
}

static void on_evicted(void *data, struct berth_target target, int result)
{
	struct evict *evict = evict_of(data);
	struct evict_track *track = evict_track_get(evict, target.id);

	evict->asked = false;
	/* Whatever it says, it is up and lets us ask: the next time begins with a short wait. */
	if (result != -EHOSTDOWN && result != -EACCES)
		evict->api_backoff_usec = 0;
	if (result == -EHOSTDOWN) {
		count_result(evict, RESULT_NO_API);
		on_no_api(evict, target.id);
	} else if (result < 0) {
		on_refused(evict, target.id, result);
	} else {
		bool dry = result == ACTION_DRY_RUN;

		count_result(evict, dry ? RESULT_DRY_RUN : RESULT_EVICTED);
		describe_victim(evict, target.id, dry ? "would be evicted" : "evicted");
		evict->told_forbidden = false;
		if (track && !dry)
			track->leaving = true;
		evict->leaving = dry ? 0 : target.id;
		cool_down(evict);
	}
	ended(evict);
}

static void act_evict(struct evict *evict, uint64_t id)
{
	const struct berth_target target = { .kind = TARGET_WORKLOAD, .id = id };
	int r;

	evict->victim = id;
	evict->asked = true;
	r = evict->agent->api->act(evict->agent, target, ACTION_EVICT, 0, evict->reason,
				   on_evicted);
	if (r == -EAGAIN)
		over_limit(evict, &evict->asked);
	else if (r < 0)
		on_evicted(evict->self, target, r);
}

/* ---- the decision ---- */

static void reason_make(struct evict *evict, int trigger, const struct evict_choice *choice)
{
	enum evict_resource resource = evict->resource;
	struct evict_evidence evidence = {
		.trigger = trigger,
		.reading = &evict->reading,
		.sufferer = evict->agent->api->workload(evict->agent, evict->sufferer[resource]),
		.suffered = evict->suffered[resource],
		.amount = choice->candidate.amount,
		.candidates = choice->count,
	};

	if (trigger < EVICT_TRIGGERS)
		evidence.count =
			evict_count(&evict->history, evict->config, (enum evict_trigger)trigger);
	evict_describe(evict->config, &evidence, evict->reason, sizeof(evict->reason));
}

/* Past the hard line, of one that was evicted and is still there: its grace period is over. */
static bool finish_off(struct evict *evict, int trigger)
{
	uint64_t id = evict->victim ? evict->victim : evict->leaving;
	const struct berth_workload *workload =
		id ? evict->agent->api->workload(evict->agent, id) : NULL;
	const struct evict_track *track = evict_track_get(evict, id);
	struct evict_choice choice = { .count = 1 };

	if (!workload || !track || evict->killing || evict->now_usec < evict->wait_usec ||
	    evict_protected(evict, workload))
		return false;
	if (evict->now_usec < track->blocked_usec && !track->blocked_by_api)
		return false;
	choice.candidate.amount = track->amount[EVICT_MEMORY];
	if (choice.candidate.amount < evict_least(EVICT_MEMORY, evict->reading.total_bytes))
		return false;
	reason_make(evict, trigger, &choice);
	act_kill(evict, id);
	return true;
}

static void say_nobody(struct evict *evict, const struct evict_choice *choice)
{
	char text[160];

	(void)snprintf(text, sizeof(text),
		       "%s is short, and none of %zu offline workloads may be evicted now",
		       evict_resource_name(evict->resource), choice->protected);
	evict_say(evict, text);
}

void evict_act(struct evict *evict, int trigger)
{
	bool hard = trigger == TRIGGER_MEMORY_HARD;
	struct evict_choice choice;

	evict->resource = evict_trigger_resource((enum evict_trigger)trigger);
	if (hard && finish_off(evict, trigger))
		return;
	if (evict->victim) {
		evict_say(evict, "waits for the end of an eviction");
		return;
	}
	if (evict->now_usec < evict->cooldown_usec || evict->now_usec < evict->wait_usec) {
		evict_say(evict, evict->now_usec < evict->wait_usec
					 ? "waits: over actions.per_minute"
					 : "waits: evict.cooldown after the last eviction");
		return;
	}
	evict_choose(evict, evict->resource, hard, &choice);
	if (choice.way < 0) {
		say_nobody(evict, &choice);
		return;
	}
	reason_make(evict, trigger, &choice);
	evict_say(evict, evict->reason);
	if (choice.way == ACTION_KILL)
		act_kill(evict, choice.candidate.id);
	else
		act_evict(evict, choice.candidate.id);
}
