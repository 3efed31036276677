/* SPDX-License-Identifier: Apache-2.0 */
/* shares.c - the life of the service: whom it looks after, and when it wakes up. */
#include "shares/shares.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "macro.h"
#include "service.h"
#include "shares/run.h"

static struct shares *shares_of(void *self)
{
	return service_state(self, SERVICE_SHARES);
}

static int on_tick(void *self)
{
	struct shares *shares = shares_of(self);

	if (shares_tick(shares) < 0)
		shares_say(shares,
			   "no decision: the numbers cannot be read; limits end with their lease");
	return 0;
}

/* What it needs while it is on, once. */
static int shares_begin(struct shares *shares)
{
	const struct {
		const char *name, *help;
		struct agent_metric **metric;
	} metrics[] = {
		{ "shares_budget_bytes",
		  "Memory that all offline workloads may hold together; 0: nobody is limited.",
		  &shares->budget },
		{ "share_bytes", "Of it, the share of the workload; 0: it has no limit.",
		  &shares->share },
		{ "shares_at_high",
		  "Offline workloads that are at their memory.high and want more.",
		  &shares->at_high },
		{ "shares_refused",
		  "Offline workloads without memory.high, because they could give nothing back.",
		  &shares->refused },
	};

	if (!shares->config->enabled || shares->begun)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(metrics); i++) {
		int r = *metrics[i].metric
				? 0
				: shares->agent->api->metric(shares->agent, metrics[i].name,
							     metrics[i].help, metrics[i].metric);

		if (r < 0)
			return r;
	}
	/* Without it nothing counts as swappable. */
	shares->has_host = shares_host_open(&shares->host) >= 0;
	shares->begun = true;
	return 0;
}

static int timer_look(struct shares *shares)
{
	const struct agent_api *api = shares->agent->api;
	bool wanted = shares->config->enabled && shares->tracks.count > 0;

	if (wanted && !shares->timer)
		return api->every(shares->agent, SHARES_PERIOD_USEC, on_tick, &shares->timer);
	if (!wanted && shares->timer) {
		api->forget(shares->agent, shares->timer);
		shares->timer = NULL;
		shares->gate = (struct shares_gate){ 0 };
		shares->fssr = (struct fssr){ 0 };
		shares_show(shares, 0, 0, 0);
	}
	return 0;
}

static bool is_ours(const struct shares *shares, const struct berth_workload *workload,
		    bool below_offline)
{
	return shares->begun && shares->config->enabled && workload->qos < QOS_NORMAL &&
	       !below_offline && !(workload->flags & WORKLOAD_IGNORED) &&
	       shares->agent->api->knob_available(shares->agent, KNOB_MEMORY_HIGH_BYTES, NULL) > 0;
}

static struct shares_track *track_make(struct shares *shares, uint64_t id)
{
	struct shares_track *track = calloc(1, sizeof(*track));

	if (!track)
		return NULL;
	track->id = id;
	track->high = SHARES_NONE;
	if (hashmap_put_u64(&shares->tracks, id, track) < 0) {
		free(track);
		return NULL;
	}
	return track;
}

void shares_decide_one(void *state, const struct berth_workload *workload, bool below_offline)
{
	struct shares *shares = state;
	struct shares_track *track = hashmap_get_u64(&shares->tracks, workload->id);
	int r;

	if (!is_ours(shares, workload, below_offline)) {
		if (!track)
			return;
		shares_release(shares, track);
		shares->agent->api->describe(shares->agent, workload->id, SHARES_PART, NULL);
		shares->agent->api->metric_set(shares->agent, shares->share, workload->id, 0);
		free(hashmap_remove_u64(&shares->tracks, workload->id));
	} else {
		/* Without memory it is looked at when it changes again. */
		if (!track)
			track = track_make(shares, workload->id);
		if (track) {
			track->weight = workload->memory_request_bytes;
			track->limit = workload->memory_limit_bytes;
		}
	}
	r = timer_look(shares);
	if (r < 0)
		shares->agent->api->log(shares->agent, LOG_ERR, "no shares of memory: no timer: %s",
					strerror(-r));
}

void shares_workload(void *state, const struct workload_event *event)
{
	struct shares *shares = state;

	if (event->change != WORKLOAD_REMOVED)
		return;
	free(hashmap_remove_u64(&shares->tracks, event->workload->id));
	(void)timer_look(shares);
}

void shares_probe(void *state)
{
	struct shares *shares = state;
	struct agent *agent = shares->agent;
	const char *reason = NULL;
	char text[SHARES_TEXT];

	if (!shares->config->enabled) {
		shares_say(shares, "off: on only by shares.enabled");
	} else if (agent->api->knob_available(agent, KNOB_MEMORY_HIGH_BYTES, &reason) <= 0) {
		(void)snprintf(text, sizeof(text), "off: no memory.high here: %.120s",
			       reason ? reason : "unknown");
		shares_say(shares, text);
	} else if (!shares->timer) {
		shares_say(shares, "on; no offline workload");
	}
}

int shares_check(const struct colocation_config *config, struct berth_error *reterr)
{
	const struct shares_config *shares = &config->shares;

	if (shares->release_percent > shares->reserve_percent)
		return 0;
	reterr->key = "shares.release_percent";
	(void)snprintf(reterr->text, sizeof(reterr->text),
		       "limits must begin (%llu %% available) before the reserve is touched: more "
		       "than shares.reserve_percent, %llu %%",
		       (unsigned long long)shares->release_percent,
		       (unsigned long long)shares->reserve_percent);
	return -EINVAL;
}

int shares_apply(void *state, const struct colocation_config *config)
{
	struct shares *shares = state;
	bool other_law = shares->config->law != config->shares.law;

	shares->config = &config->shares;
	if (other_law && shares->begun) {
		shares_release_all(shares, NULL);
		shares->gate = (struct shares_gate){ 0 };
		shares->fssr = (struct fssr){ 0 };
	}
	/* Those that are not wanted any more go as they are decided again. */
	shares_probe(shares);
	return shares_begin(shares);
}

int shares_start(struct agent *agent, void *self, const struct colocation_config *config,
		 void **ret_state)
{
	struct shares *shares = calloc(1, sizeof(*shares));
	int r;

	(void)self;
	if (!shares)
		return -ENOMEM;
	shares->agent = agent;
	shares->config = &config->shares;
	r = shares_begin(shares);
	if (r < 0) {
		free(shares);
		return r;
	}
	shares_probe(shares);
	*ret_state = shares;
	return 0;
}

void shares_stop(void *state)
{
	struct shares *shares = state;
	struct shares_track *track;

	hashmap_foreach (track, &shares->tracks)
		free(track);
	hashmap_done(&shares->tracks);
	if (shares->has_host)
		shares_host_done(&shares->host);
	free(shares);
}
