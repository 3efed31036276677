/* SPDX-License-Identifier: Apache-2.0 */
/*
 * interference.c - the life of the service, and who takes part. Nothing wakes up while it is off,
 * or while there is nobody to suffer or nobody to blame.
 */
#include "interference/interference.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "colocation.h"
#include "interference/run.h"
#include "macro.h"
#include "service.h"

#define ANNOTATION "volcano.sh/cpi" /* rubik's */

struct interference *interference_of(void *self)
{
	return service_state(self, SERVICE_INTERFERENCE);
}

struct track *track_get(const struct interference *service, uint64_t id)
{
	return hashmap_get_u64(&service->tracks, id);
}

void interference_say(struct interference *service, const char *text)
{
	service->agent->api->describe(service->agent, 0, "interference", text);
}

static void say_state(struct interference *service)
{
	char text[200];

	if (!service->timer)
		(void)snprintf(text, sizeof(text),
			       "on; rests while there are not both online and offline workloads");
	else if (service->untold)
		(void)snprintf(
			text, sizeof(text),
			"on, but nobody is found: this host tells %s of no online workload (%s)",
			signal_name(service->signal),
			service->signal == SIGNAL_LATENCY ? "telemetry.runqueue_latency"
							  : "PSI of groups");
	else
		(void)snprintf(text, sizeof(text), "on, by %s; %zu may suffer, %zu may be to blame",
			       signal_name(service->signal), service->roles[ROLE_VICTIM],
			       service->roles[ROLE_SUSPECT]);
	interference_say(service, text);
}

/* ---- timers ---- */

static void window_forget(struct interference *service)
{
	if (service->window)
		service->agent->api->forget(service->agent, service->window);
	service->window = NULL;
}

static void timer_forget(struct interference *service)
{
	window_forget(service);
	if (service->timer)
		service->agent->api->forget(service->agent, service->timer);
	service->timer = NULL;
	service->measuring = false;
}

/* Nobody looks from now on, so nobody would end them. */
static void service_rest(struct interference *service)
{
	struct track *track;

	timer_forget(service);
	hashmap_foreach (track, &service->tracks)
		throttle_end(service, track, THROTTLE_ENDED);
}

static int on_window(void *self)
{
	struct interference *service = interference_of(self);

	window_forget(service);
	round_end(service);
	return 0;
}

static int on_tick(void *self)
{
	struct interference *service = interference_of(self);
	int r = 0;

	if (!round_choose_signal(service)) {
		service_rest(service);
		return 0;
	}
	if (service->window || service->signal != SIGNAL_CPI)
		on_window(self);
	if (!service->measuring)
		round_begin(service);
	if (service->measuring && service->signal == SIGNAL_CPI)
		r = service->agent->api->every(service->agent, service->config->window_usec,
					       on_window, &service->window);
	say_state(service);
	return r;
}

/* As it should be now: a timer, or none. */
static int timer_settle(struct interference *service)
{
	bool wanted = service->config->enabled && service->roles[ROLE_VICTIM] > 0 &&
		      service->roles[ROLE_SUSPECT] > 0;
	int r;

	if (service->timer && !wanted) {
		service_rest(service);
		say_state(service);
	} else if (service->timer_usec != service->config->every_usec) {
		timer_forget(service);
	}
	if (!wanted || service->timer || !round_choose_signal(service))
		return 0;
	r = service->agent->api->every(service->agent, service->config->every_usec, on_tick,
				       &service->timer);
	if (r < 0)
		return r;
	service->timer_usec = service->config->every_usec;
	say_state(service);
	return 0;
}

/* ---- who takes part ---- */

static void track_drop(struct interference *service, struct track *track)
{
	service->roles[track->role]--;
	(void)hashmap_remove_u64(&service->tracks, track->id);
	free(track);
}

static bool is_part_of_pod(struct interference *service, const struct berth_workload *workload)
{
	const struct berth_workload *parent =
		workload->parent ? service->agent->api->workload(service->agent, workload->parent)
				 : NULL;

	/* The pod has the numbers and the quota of all that is in it, also of what starts later. */
	return strcmp(workload->kind, "container") == 0 || (parent && !strcmp(parent->kind, "pod"));
}

/* *ret_note: what is wrong with the annotation, else "". */
static enum role role_of(struct interference *service, const struct berth_workload *workload,
			 bool below_offline, const char **ret_note)
{
	const char *says;

	*ret_note = "";
	if ((workload->flags & WORKLOAD_IGNORED) || is_part_of_pod(service, workload))
		return ROLE_NONE;
	says = service->agent->api->annotation(service->agent, workload->id, ANNOTATION);
	if (says && strcmp(says, "online") == 0)
		return ROLE_VICTIM;
	/* Below an offline one, it is that one's CPU that is taken. */
	if (below_offline)
		return ROLE_NONE;
	if (says && strcmp(says, "offline") == 0)
		return ROLE_SUSPECT;
	if (says)
		*ret_note = "; " ANNOTATION " is neither online nor offline: ignored";
	return workload->qos >= QOS_NORMAL ? ROLE_VICTIM : ROLE_SUSPECT;
}

/* Without memory, or with too many, it is left alone. */
static struct track *track_make(struct interference *service, uint64_t id)
{
	struct track *track;

	if (service->tracks.count >= INTERFERENCE_TRACKS)
		return NULL;
	track = calloc(1, sizeof(*track));
	if (!track)
		return NULL;
	track->id = id;
	if (hashmap_put_u64(&service->tracks, id, track) < 0) {
		free(track);
		return NULL;
	}
	service->roles[ROLE_NONE]++;
	return track;
}

static void role_set(struct interference *service, struct track *track, enum role role)
{
	if (track->role == role)
		return;
	throttle_end(service, track, THROTTLE_ENDED);
	if (track->role == ROLE_VICTIM)
		service->agent->api->metric_set(service->agent, service->suffering, track->id, 0);
	service->roles[track->role]--;
	service->roles[role]++;
	track->role = role;
	/* What it used is no past of what it suffers. */
	track->spec = (struct law_spec){ 0 };
	track->series.count = 0;
	track->before = (struct signal_reading){ 0 };
	track->suffers = false;
	track->reason[0] = '\0';
}

void interference_decide(void *state, const struct berth_workload *workload, bool below_offline)
{
	struct interference *service = state;
	struct track *track = track_get(service, workload->id);
	const char *note;
	enum role role;
	char text[160];

	if (!service->config->enabled)
		return;
	role = role_of(service, workload, below_offline, &note);
	if (role == ROLE_NONE && !track)
		return;
	if (!track)
		track = track_make(service, workload->id);
	if (!track)
		return;
	if (track->role != role || track->noted != (note[0] != '\0')) {
		role_set(service, track, role);
		track->noted = note[0] != '\0';
		(void)snprintf(text, sizeof(text), "%s%s",
			       role == ROLE_VICTIM ? "may suffer" : "may be to blame", note);
		if (!track->until_usec)
			service->agent->api->describe(service->agent, workload->id, "interference",
						      role == ROLE_NONE ? NULL : text);
	}
	if (role == ROLE_NONE)
		track_drop(service, track);
	if (timer_settle(service) < 0)
		interference_say(service, "off: no timer");
}

void interference_workload(void *state, const struct workload_event *event)
{
	struct interference *service = state;
	struct track *track;

	if (event->change != WORKLOAD_REMOVED)
		return;
	track = track_get(service, event->workload->id);
	if (!track)
		return;
	throttle_gone(service, track);
	track_drop(service, track);
	(void)timer_settle(service);
}

/* ---- life ---- */

static void service_off(struct interference *service)
{
	const struct agent_api *api = service->agent->api;
	struct track *track;

	timer_forget(service);
	hashmap_foreach (track, &service->tracks) {
		role_set(service, track, ROLE_NONE);
		api->describe(service->agent, track->id, "interference", NULL);
		track_drop(service, track);
	}
	interference_say(service, "off: on only by interference.enabled");
}

static int metrics_make(struct interference *service)
{
	const struct agent_api *api = service->agent->api;
	int r = 0;

	if (service->throttles)
		return 0;
	r = api->metric(service->agent, "interference_throttled",
			"1 while the offline workload is throttled for what an online one suffers.",
			&service->throttled);
	if (r >= 0)
		r = api->metric(service->agent, "interference_suffering",
				"1 while the online workload is worse than it usually is.",
				&service->suffering);
	if (r >= 0)
		r = api->metric(service->agent, "interference_throttles_total",
				"Throttles of offline workloads by what became of them.",
				&service->throttles);
	if (r >= 0)
		judge_show_counts(service);
	return r;
}

int interference_apply(void *state, const struct colocation_config *config)
{
	struct interference *service = state;
	int r;

	service->config = &config->interference;
	if (!service->config->enabled) {
		service_off(service);
		return 0;
	}
	r = metrics_make(service);
	if (r >= 0)
		r = timer_settle(service);
	if (!service->timer && r >= 0)
		say_state(service);
	return r;
}

/* Whether the CPUs can count is looked at when the next round begins, or when one may begin. */
void interference_probe(void *state)
{
	(void)timer_settle(state);
}

int interference_check(const struct colocation_config *config, struct berth_error *reterr)
{
	const struct interference_config *own = &config->interference;

	if (own->window_usec > own->every_usec &&
	    (own->signal == SIGNAL_AUTO || own->signal == SIGNAL_CPI)) {
		reterr->key = "interference.window";
		(void)snprintf(reterr->text, sizeof(reterr->text),
			       "a window (%llu ms) must fit into interference.every (%llu ms)",
			       own->window_usec / USEC_PER_MSEC, own->every_usec / USEC_PER_MSEC);
		return -EINVAL;
	}
	return 0;
}

int interference_start(struct agent *agent, void *self, const struct colocation_config *config,
		       void **ret_state)
{
	struct interference *service = calloc(1, sizeof(*service));
	int r;

	if (!service)
		return -ENOMEM;
	service->agent = agent;
	service->self = self;
	service->turns = 1;
	r = interference_apply(service, config);
	if (r < 0) {
		interference_stop(service);
		return r;
	}
	*ret_state = service;
	return 0;
}

void interference_stop(void *state)
{
	struct interference *service = state;
	struct track *track;

	timer_forget(service);
	hashmap_foreach (track, &service->tracks)
		track_drop(service, track);
	hashmap_done(&service->tracks);
	free(service);
}
