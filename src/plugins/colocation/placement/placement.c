/* SPDX-License-Identifier: Apache-2.0 */
#include "placement/placement.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "macro.h"
#include "placement/state.h"
#include "service.h"

/* CPUs come and go, and the kubelet's CPU manager looks after its containers as often. */
#define HOST_USEC (10 * USEC_PER_SEC)

static int on_tick(void *self);

/* ---- what the policy and the host allow ---- */

static void configure(struct placement *placement)
{
	const struct placement_config *config = &placement->config->placement;

	placement_host_read(placement);
	tidal_choose(placement);
	cores_choose(placement);
	placement->tide_config = (struct tide_config){
		.high_percent = config->high_percent,
		.low_percent = config->low_percent,
		.floor_percent = config->floor_percent,
		.share_percent = config->share_percent,
		.step_percent = config->step_percent,
		.calm_usec = config->calm_usec,
		.stale_usec = 5 * config->period_usec,
	};
	sysctls_claim(placement->agent, config);
}

static bool is_on(const struct placement *placement)
{
	return placement->tidal || placement->whole_cores;
}

/* ---- bringing it together ---- */

/* Of all CPUs those that may be shared between online and offline work. */
static void shared_cpus(const struct placement *placement, struct cpulist *ret)
{
	*ret = placement->topology.online;
	cpulist_subtract(ret, &placement->given);
	cpulist_subtract(ret, &placement->exclusive);
	if (cpulist_is_empty(ret))
		*ret = placement->topology.online;
}

/* input: what the look found; NULL: nobody looked, but the CPUs may be others. Did it move? */
static bool tide_settle(struct placement *placement, struct tide_input *input)
{
	struct tide_input none = { .now_usec = placement->now_usec };
	struct cpulist before = placement->offline_cpus, shared;
	bool looked = input != NULL;

	shared_cpus(placement, &shared);
	if (!looked)
		input = &none;
	input->cpus = cpulist_count(&shared);
	if (placement->preferred) {
		topology_last(&placement->topology, &shared,
			      tide_share(&placement->tide_config, input->cpus),
			      &placement->offline_cpus);
	} else {
		/* Calm goes on where nothing changed. */
		if (looked || placement->tide.cpus != input->cpus)
			tide_step(&placement->tide, &placement->tide_config, input);
		topology_last(&placement->topology, &shared, placement->tide.allowed,
			      &placement->offline_cpus);
		if (placement->tide.allowed >= input->cpus)
			placement->offline_cpus = placement->topology.online;
	}
	return !cpulist_equals(&before, &placement->offline_cpus);
}

/* Lists that nobody would move any more are worse than none: until a reload, or another probe. */
static void timer_failed(struct placement *placement, int error)
{
	(void)snprintf(placement->why_tidal, sizeof(placement->why_tidal), "off: no timer: %.100s",
		       strerror(-error));
	placement->tidal = placement->preferred = false;
	placement->tide = (struct tide){ 0 };
	placement->agent->api->log(placement->agent, LOG_ERR, "placement: no timer: %s",
				   strerror(-error));
}

static void timer_set(struct placement *placement)
{
	uint64_t period = 0;
	int r;
	bool tide = placement->tidal && !placement->preferred && placement->offline_count > 0;
	struct agent *agent = placement->agent;

	if (tide)
		period = placement->config->placement.period_usec;
	else if (placement->wish_count > 0 || (placement->tidal && placement->offline_count > 0))
		period = HOST_USEC;
	if (!tide)
		placement->tide = (struct tide){ 0 };
	if (period == placement->timer_usec)
		return;
	if (placement->timer)
		agent->api->forget(agent, placement->timer);
	placement->timer = NULL;
	placement->timer_usec = 0;
	if (period == 0)
		return;
	r = agent->api->every(agent, period, on_tick, &placement->timer);
	if (r >= 0)
		placement->timer_usec = period;
	else
		timer_failed(placement, r);
}

/* Everything, from what is. */
static void settle(struct placement *placement)
{
	(void)pins_judge(placement);
	(void)cores_settle(placement);
	members_relate(placement);
	timer_set(placement);
	if (placement->tidal && placement->topology.cpus > 0)
		(void)tide_settle(placement, NULL);
	placement_claim_all(placement);
	placement_tell(placement);
}

static void pins_read(struct placement *placement)
{
	struct member *member;

	hashmap_foreach (member, &placement->members)
		pin_read(placement, member);
}

/* CPUs that came or went, and containers that a CPU manager moved. */
static bool host_check(struct placement *placement)
{
	if (placement->now_usec - placement->host_usec < HOST_USEC)
		return false;
	placement->host_usec = placement->now_usec;
	if (!placement_host_is_current(placement)) {
		placement_host_read(placement);
		tidal_choose(placement);
		cores_choose(placement);
		/* Who wishes for what depends on it: with SMT off nobody has cores of his own. */
		placement->in_round = true;
		colocation_decide_service(placement->self, SERVICE_PLACEMENT);
		return false;
	}
	pins_read(placement);
	return pins_judge(placement);
}

static int on_tick(void *self)
{
	struct placement *placement = service_state(self, SERVICE_PLACEMENT);
	struct tide_input input = { 0 };
	bool all;

	placement->now_usec += placement->timer_usec;
	all = host_check(placement);
	if (!all && placement->tidal && !placement->preferred) {
		input.now_usec = placement->now_usec;
		placement_look(placement, &input);
		all = tide_settle(placement, &input);
		if (all)
			placement_claim_all(placement);
		placement_tell(placement);
		return 0;
	}
	if (all)
		settle(placement);
	return 0;
}

/* ---- the callbacks of struct service ---- */

int placement_start(struct agent *agent, void *self, const struct colocation_config *config,
		    void **ret_state)
{
	struct placement *placement = calloc(1, sizeof(*placement));

	if (!placement)
		return -ENOMEM;
	placement->agent = agent;
	placement->self = self;
	placement->config = config;
	/* Not 0, which is "never" to the law. */
	placement->now_usec = placement->host_usec = USEC_PER_SEC;
	(void)agent->api->metric(agent, "placement_offline_cpus",
				 "CPUs that offline workloads may run on",
				 &placement->offline_metric);
	(void)agent->api->metric(agent, "placement_given_cpus",
				 "CPUs of whole cores that critical workloads have to themselves",
				 &placement->given_metric);
	configure(placement);
	placement_tell(placement);
	*ret_state = placement;
	return 0;
}

int placement_apply(void *state, const struct colocation_config *config)
{
	struct placement *placement = state;

	placement->config = config;
	configure(placement);
	placement->in_round = true;
	return 0;
}

void placement_probe(void *state)
{
	struct placement *placement = state;

	configure(placement);
	placement->in_round = true;
}

void placement_decided(void *state)
{
	struct placement *placement = state;

	placement->in_round = false;
	settle(placement);
}

void placement_workload(void *state, const struct workload_event *event)
{
	struct placement *placement = state;
	struct member *member = member_get(placement, event->workload->id);
	bool gave, marked, was_offline;

	if (event->change != WORKLOAD_REMOVED || !member)
		return;
	gave = member->given || member->exclusive;
	marked = member->offline && member->parent;
	was_offline = member->top_offline;
	placement->offline_count -= member->top_offline;
	placement->wish_count -= member->cpus > 0;
	member_drop(placement, event->workload->id);
	if (marked)
		members_relate(placement);
	/* Without offline work there is nothing that online work would leave to it. */
	if (gave || (was_offline && placement->preferred && placement->offline_count == 0)) {
		settle(placement);
	} else if (is_on(placement)) {
		timer_set(placement);
		placement_tell(placement);
	}
}

static void decide_one(struct placement *placement, struct member *member,
		       const struct member *before)
{
	bool held = member->exclusive;

	placement->offline_count += (unsigned int)member->top_offline - before->top_offline;
	placement->wish_count +=
		(unsigned int)(member->cpus > 0) - (unsigned int)(before->cpus > 0);
	if (member->is_container) {
		pin_read(placement, member);
		pin_judge(placement, member);
	}
	/* Whole cores of somebody, or the first offline workload: it concerns others, too. */
	if (member->cpus != before->cpus || (member->cpus && member->ignored != before->ignored) ||
	    member->exclusive != held ||
	    (member->top_offline != before->top_offline && placement->offline_count <= 1)) {
		settle(placement);
		return;
	}
	if (before->offline && (!member->offline || member->parent != before->parent))
		members_relate(placement);
	else if (member->offline)
		member_mark_above(placement, member);
	member_claim(placement, member);
}

void placement_decide(void *state, const struct berth_workload *workload, bool below_offline)
{
	struct placement *placement = state;
	struct member *member = member_get(placement, workload->id);
	struct member before = { 0 };

	if (!member)
		member = member_make(placement, workload);
	if (!member || placement->topology.cpus == 0)
		return;
	before = *member;
	member_fill(member, placement, workload, below_offline);
	placement->may_peek = false;
	if (placement->in_round) {
		if (is_on(placement))
			pin_read(placement, member);
		else
			(void)member_keep(&member->own, NULL);
		return;
	}
	if (is_on(placement) || member->claimed || member->described)
		decide_one(placement, member, &before);
}

void placement_stop(void *state)
{
	struct placement *placement = state;

	members_free(placement);
	topology_done(&placement->topology);
	free(placement);
}
