/* SPDX-License-Identifier: Apache-2.0 */
/* suppress.c - the tick, and the life of the service. */
#include "suppress/suppress.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "colocation.h"
#include "macro.h"
#include "service.h"
#include "suppress/run.h"

#define RENEW_STEPS  3u /* of the lease's ten periods */
#define WEIGHT_MIN   100u
#define TOKENS_FIRST 4u

struct suppress *suppress_of(void *self)
{
	return service_state(self, SERVICE_SUPPRESS);
}

/* ---- a tick ---- */

static bool tick_blind(struct suppress *suppress)
{
	bool changed;

	if (suppress->reading.capacity == 0)
		suppress->reading.capacity = suppress->before.cpus * USEC_PER_SEC;
	if (suppress->reading.capacity == 0)
		return false;
	changed = suppress_law_blind(&suppress->law, suppress->config, suppress->reading.capacity);
	if (suppress->law.reason == SUPPRESS_BLIND && !suppress->told_blind) {
		suppress->told_blind = true;
		suppress->agent->api->log(
			suppress->agent, LOG_WARNING,
			"no telemetry for %u periods: offline work is held at its "
			"floor (suppress.min_percent) until there is",
			SUPPRESS_STALE);
	}
	return changed;
}

static void renew_claims(struct suppress *suppress)
{
	suppress->steps = 0;
	suppress_cpuset_renew(suppress);
	suppress_quota_renew(suppress);
}

static void release_quotas(struct suppress *suppress)
{
	struct suppress_track *track;

	hashmap_foreach (track, &suppress->tracks)
		suppress_quota_release(suppress, track);
}

/* After the set: where that has become small enough, quotas are needless. */
static bool divide(struct suppress *suppress, bool changed)
{
	bool had = suppress->quotas;

	suppress->quotas = suppress_way_quotas(suppress);
	if (suppress->quotas)
		return suppress_quota_apply(suppress, changed || !had);
	if (had)
		release_quotas(suppress);
	return had;
}

static void carry_out(struct suppress *suppress, bool changed)
{
	bool renew = ++suppress->steps >= RENEW_STEPS, moved = false;

	if (suppress->by != SUPPRESS_QUOTA)
		moved = suppress_cpuset_apply(suppress);
	changed = divide(suppress, changed) || moved;
	suppress->changes += changed;
	if (renew)
		renew_claims(suppress);
	if (changed || renew)
		suppress_tell_workloads(suppress);
}

static int on_tick(void *self)
{
	struct suppress *suppress = suppress_of(self);
	bool changed;

	if (suppress_read(suppress)) {
		changed = suppress_law_step(&suppress->law, suppress->config, &suppress->reading);
		suppress->told_blind = false;
	} else {
		changed = tick_blind(suppress);
	}
	if (!suppress->law.began)
		return 0;
	carry_out(suppress, changed || suppress->apply_due);
	suppress->apply_due = false;
	suppress_tell_state(suppress);
	return 0;
}

/* ---- on and off ---- */

static void release(struct suppress *suppress, struct suppress_track *track)
{
	suppress_quota_release(suppress, track);
	suppress_cpuset_release(suppress, track);
}

static void release_all(struct suppress *suppress)
{
	struct suppress_track *track;

	hashmap_foreach (track, &suppress->tracks)
		release(suppress, track);
	suppress->cpus[0] = '\0';
	suppress->quotas = false;
}

static void pause(struct suppress *suppress, const char *why)
{
	/* Asked at each workload that comes or changes. */
	if (!suppress->timer && strcmp(suppress->off, why) == 0)
		return;
	if (suppress->timer) {
		suppress->agent->api->forget(suppress->agent, suppress->timer);
		release_all(suppress);
	}
	suppress->timer = NULL;
	suppress->law = (struct suppress_law){ 0 };
	suppress->reading = (struct suppress_reading){ 0 };
	suppress->has_before = false;
	suppress->told_blind = false;
	(void)snprintf(suppress->off, sizeof(suppress->off), "%s", why);
	suppress_tell_off(suppress, why);
}

static const char *why_off(struct suppress *suppress)
{
	if (!suppress->config->enabled)
		return "off: on only by suppress.enabled";
	if (suppress_way_choose(suppress) < 0)
		return suppress->way_text;
	if (suppress->offline == 0)
		return "rests: no offline workload is here";
	if (suppress->online == 0)
		return "rests: no online workload is here, so offline work may use the node";
	return NULL;
}

/* Begin, go on or end, by what there is. */
static int look(struct suppress *suppress)
{
	enum suppress_by before = suppress->by;
	const char *why = why_off(suppress);
	int r;

	if (why) {
		pause(suppress, why);
		return 0;
	}
	if (suppress->by != before)
		release_all(suppress);
	if (suppress->timer && suppress->period_usec == suppress->config->period_usec)
		return 0;
	if (suppress->timer)
		suppress->agent->api->forget(suppress->agent, suppress->timer);
	suppress->timer = NULL;
	r = suppress->agent->api->every(suppress->agent, suppress->config->period_usec, on_tick,
					&suppress->timer);
	if (r < 0) {
		release_all(suppress);
		return r;
	}
	suppress->period_usec = suppress->config->period_usec;
	/* Their leases are of the period before, and the first tick is a period away. */
	if (suppress->law.began)
		renew_claims(suppress);
	suppress->tokens = TOKENS_FIRST;
	suppress_tell(suppress, "on: the first reading is to come");
	return 0;
}

static void look_again(struct suppress *suppress)
{
	int r = look(suppress);

	if (r < 0)
		suppress->agent->api->log(suppress->agent, LOG_ERR,
					  "offline work is not held back: %s", strerror(-r));
}

/* ---- who is there ---- */

static void track_drop(struct suppress *suppress, uint64_t id)
{
	struct suppress_track *track = hashmap_remove_u64(&suppress->tracks, id);

	if (!track)
		return;
	*(track->offline ? &suppress->offline : &suppress->online) -= 1;
	suppress->changed = true;
	free(track);
}

/* Without memory it is as if it had come later. */
static struct suppress_track *track_make(struct suppress *suppress, uint64_t id, bool offline)
{
	struct suppress_track *track = calloc(1, sizeof(*track));

	if (!track)
		return NULL;
	track->id = id;
	track->offline = offline;
	track->most = UINT64_MAX;
	if (hashmap_put_u64(&suppress->tracks, id, track) < 0) {
		free(track);
		return NULL;
	}
	*(offline ? &suppress->offline : &suppress->online) += 1;
	suppress->changed = true;
	return track;
}

void suppress_decide(void *state, const struct berth_workload *workload, bool below_offline)
{
	struct suppress *suppress = state;
	bool ignored = workload->flags & WORKLOAD_IGNORED;
	bool offline = !ignored && !below_offline && workload->qos < QOS_NORMAL;
	bool online = !below_offline && workload->qos >= QOS_NORMAL &&
		      strcmp(workload->kind, "container") != 0;
	struct suppress_track *track = hashmap_get_u64(&suppress->tracks, workload->id);

	if (track && (track->offline ? !offline : !online)) {
		release(suppress, track);
		track_drop(suppress, workload->id);
		track = NULL;
	}
	if (!track && (offline || online))
		track = track_make(suppress, workload->id, offline);
	if (track) {
		track->level = (int)workload->qos;
		track->weight = MAX(workload->cpu_request_milli, (uint64_t)WEIGHT_MIN);
	}
	look_again(suppress);
}

void suppress_workload(void *state, const struct workload_event *event)
{
	struct suppress *suppress = state;
	const struct suppress_track *track;

	if (event->change != WORKLOAD_REMOVED)
		return;
	track = hashmap_get_u64(&suppress->tracks, event->workload->id);
	if (!track)
		return;
	/* What it used since the last tick is in what the node used, and no sample will tell. */
	if (track->offline && track->has_rate)
		suppress->gone_rate += track->rate;
	track_drop(suppress, event->workload->id);
	look_again(suppress);
}

/* ---- life ---- */

int suppress_check(const struct colocation_config *config, struct berth_error *reterr)
{
	const struct suppress_config *suppress = &config->suppress;

	if (suppress->min_percent >= suppress->target_percent) {
		reterr->key = "suppress.min_percent";
		(void)snprintf(reterr->text, sizeof(reterr->text),
			       "must be less than suppress.target_percent (%d)",
			       (int)suppress->target_percent);
		return -EINVAL;
	}
	if (suppress->dead_band_percent >= suppress->target_percent - suppress->min_percent) {
		reterr->key = "suppress.dead_band_percent";
		(void)snprintf(reterr->text, sizeof(reterr->text),
			       "leaves nothing between suppress.min_percent (%d) and "
			       "suppress.target_percent (%d)",
			       (int)suppress->min_percent, (int)suppress->target_percent);
		return -EINVAL;
	}
	return 0;
}

static void configure(struct suppress *suppress, const struct colocation_config *config)
{
	suppress->config = &config->suppress;
	suppress->tidal =
		config->placement.tidal_enabled && config->placement.tidal_way != TIDAL_PREFERRED;
}

int suppress_apply(void *state, const struct colocation_config *config)
{
	struct suppress *suppress = state;

	configure(suppress, config);
	suppress->apply_due = true;
	return look(suppress);
}

void suppress_probe(void *state)
{
	struct suppress *suppress = state;

	suppress->topology_capacity = 0; /* it is read again */
	suppress->may_peek = false;
	look_again(state);
}

int suppress_start(struct agent *agent, void *self, const struct colocation_config *config,
		   void **ret_state)
{
	struct suppress *suppress = calloc(1, sizeof(*suppress));
	int r;

	if (!suppress)
		return -ENOMEM;
	suppress->agent = agent;
	suppress->self = self;
	configure(suppress, config);
	r = suppress_metrics(suppress);
	if (r == 0)
		r = look(suppress);
	if (r < 0) {
		free(suppress);
		return r;
	}
	*ret_state = suppress;
	return 0;
}

void suppress_stop(void *state)
{
	struct suppress *suppress = state;
	struct suppress_track *track;

	release_all(suppress);
	hashmap_foreach (track, &suppress->tracks)
		free(track);
	hashmap_done(&suppress->tracks);
	topology_done(&suppress->topology);
	free(suppress->shares);
	free(suppress);
}
