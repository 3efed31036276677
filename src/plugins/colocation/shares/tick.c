/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tick.c - a tick: the node, then, if memory is short, each offline workload, then the law and
 * claims. Claims have a lease: a limit that nobody looks after ends.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "cleanup.h"
#include "macro.h"
#include "shares/run.h"

static struct berth_target target_of(uint64_t id)
{
	return (struct berth_target){ .kind = TARGET_WORKLOAD, .id = id };
}

void shares_say(struct shares *shares, const char *text)
{
	shares->agent->api->describe(shares->agent, 0, SHARES_PART, text);
}

/* ---- claims ---- */

void shares_release(struct shares *shares, struct shares_track *track)
{
	const struct agent_api *api = shares->agent->api;

	api->unclaim_as(shares->agent, SHARES_PART, target_of(track->id), KNOB_MEMORY_HIGH_BYTES);
	api->unclaim_as(shares->agent, SHARES_PART, target_of(track->id),
			KNOB_MEMORY_HIGH_ASYNC_RATIO);
	track->high = SHARES_NONE;
	track->has_events = false;
}

static int claim(struct shares *shares, struct shares_track *track, uint64_t high, uint64_t ratio,
		 const char *reason)
{
	const struct agent_api *api = shares->agent->api;
	struct knob_value value = { .number = high };
	int r = api->claim_as(shares->agent, SHARES_PART, target_of(track->id),
			      KNOB_MEMORY_HIGH_BYTES, &value, SHARES_LEASE_USEC, reason);

	track->high = r < 0 ? SHARES_NONE : high;
	if (r < 0 || ratio == 0 ||
	    api->knob_available(shares->agent, KNOB_MEMORY_HIGH_ASYNC_RATIO, NULL) <= 0)
		return r;
	value.number = ratio;
	/* Without it the group is only slowed down where it would not have been. */
	(void)api->claim_as(shares->agent, SHARES_PART, target_of(track->id),
			    KNOB_MEMORY_HIGH_ASYNC_RATIO, &value, SHARES_LEASE_USEC,
			    "reclaim before memory.high is reached");
	return 0;
}

void shares_show(struct shares *shares, uint64_t budget, size_t at_high, size_t refused)
{
	const struct agent_api *api = shares->agent->api;

	api->metric_set(shares->agent, shares->budget, 0, (double)budget);
	api->metric_set(shares->agent, shares->at_high, 0, (double)at_high);
	api->metric_set(shares->agent, shares->refused, 0, (double)refused);
}

void shares_release_all(struct shares *shares, const char *text)
{
	const struct agent_api *api = shares->agent->api;
	struct shares_track *track;

	hashmap_foreach (track, &shares->tracks) {
		shares_release(shares, track);
		api->describe(shares->agent, track->id, SHARES_PART, text);
		api->metric_set(shares->agent, shares->share, track->id, 0);
	}
	shares_show(shares, 0, 0, 0);
}

/* ---- what is there ---- */

static void law_of(const struct shares_config *config, const struct node_sample *node,
		   struct shares_law *ret)
{
	uint64_t total = node->memory_total_bytes;

	*ret = (struct shares_law){
		.total = total,
		.reserve = total / 100 * config->reserve_percent,
		.release = total / 100 * config->release_percent,
		.step = total / 100 * config->step_percent,
	};
}

static bool member_read(struct shares *shares, const struct node_sample *node,
			struct shares_track *track, struct shares_member *ret)
{
	const struct agent_api *api = shares->agent->api;
	const struct workload_sample *sample = api->sample(shares->agent, track->id);
	const struct berth_workload *workload = api->workload(shares->agent, track->id);
	const uint64_t *value;
	uint64_t room;

	if (!sample || !workload || !sample_knows(sample, SAMPLE_MEMORY_BYTES))
		return false;
	value = sample->value;
	room = shares->has_host ? shares_swap_room(&shares->host, workload->cgroup) : 0;
	*ret = (struct shares_member){
		.weight = shares->config->by == SHARES_EQUAL ? 1 : track->weight,
		.use = value[SAMPLE_MEMORY_BYTES],
		.working_set = value[SAMPLE_MEMORY_WORKING_SET_BYTES],
		.cache = value[SAMPLE_MEMORY_INACTIVE_FILE_BYTES] +
			 value[SAMPLE_MEMORY_ACTIVE_FILE_BYTES],
		.swappable = MIN(MIN(room, node->swap_free_bytes),
				 value[SAMPLE_MEMORY_INACTIVE_ANON_BYTES] +
					 value[SAMPLE_MEMORY_ACTIVE_ANON_BYTES]),
		.limit = track->limit ? track->limit : SHARES_NONE,
		.high = track->high,
	};
	if (track->high != SHARES_NONE)
		ret->hungry =
			ret->use >= track->high ||
			(track->has_events && value[SAMPLE_MEMORY_EVENT_HIGH] > track->events);
	track->has_events = sample_knows(sample, SAMPLE_MEMORY_EVENT_HIGH) != 0;
	track->events = value[SAMPLE_MEMORY_EVENT_HIGH];
	return true;
}

struct party {
	struct shares_member *members;
	struct shares_track **tracks;
	size_t count;
};

static void party_done(struct party *party)
{
	free(party->members);
	free(party->tracks);
}

/* Whoever requests nothing has as much as the one that requests least. */
static void party_weigh(struct party *party)
{
	uint64_t least = UINT64_MAX;

	for (size_t i = 0; i < party->count; i++)
		if (party->members[i].weight > 0)
			least = MIN(least, party->members[i].weight);
	for (size_t i = 0; i < party->count && least != UINT64_MAX; i++)
		if (party->members[i].weight == 0)
			party->members[i].weight = least;
}

/* Each could have all of what is free; together they have it once. */
static void party_swap(struct party *party, uint64_t free_bytes)
{
	unsigned __int128 wanted = 0;

	for (size_t i = 0; i < party->count; i++)
		wanted += party->members[i].swappable;
	for (size_t i = 0; i < party->count && wanted > free_bytes; i++) {
		uint64_t *swappable = &party->members[i].swappable;

		*swappable = (uint64_t)((unsigned __int128)*swappable * free_bytes / wanted);
	}
}

/* Those without a sample are left out: what they were given ends with its lease. */
static int party_read(struct shares *shares, const struct node_sample *node, struct party *party)
{
	size_t room = shares->tracks.count + 1;
	struct shares_track *track;
	int r = shares->agent->api->fresh(shares->agent, SHARES_PERIOD_USEC / 2);

	if (r < 0)
		return r;
	party->members = calloc(room, sizeof(*party->members));
	party->tracks = calloc(room, sizeof(struct shares_track *));
	if (!party->members || !party->tracks)
		return -ENOMEM;
	hashmap_foreach (track, &shares->tracks) {
		if (!member_read(shares, node, track, &party->members[party->count]))
			continue;
		party->tracks[party->count++] = track;
	}
	party_weigh(party);
	party_swap(party, node->swap_free_bytes);
	return 0;
}

/* ---- a tick ---- */

/* Returns how many cannot be limited. */
static size_t party_show(struct shares *shares, const struct party *party, uint64_t budget)
{
	size_t at_high = 0, refused = 0;

	for (size_t i = 0; i < party->count; i++) {
		at_high += party->members[i].hungry;
		refused += party->members[i].refusal == SHARES_NOTHING_TO_RECLAIM;
	}
	shares_show(shares, budget, at_high, refused);
	return refused;
}

/* berth/explain: told when it changes. */
static void tell(struct shares *shares, const struct shares_track *track, uint64_t before,
		 const char *text)
{
	const struct agent_api *api = shares->agent->api;
	const struct berth_workload *workload = api->workload(shares->agent, track->id);

	if (workload && (workload->flags & WORKLOAD_EXPLAIN) && track->high != before)
		api->log(shares->agent, LOG_INFO, "%s: shares: %s", workload->name, text);
}

static void give(struct shares *shares, struct shares_track *track,
		 const struct shares_member *member, uint64_t ratio, const char *text)
{
	const struct agent_api *api = shares->agent->api;
	bool has_limit = member->refusal == SHARES_OK;
	uint64_t before = track->high;
	char refused[SHARES_TEXT];
	int r = 0;

	if (has_limit)
		r = claim(shares, track, member->high, ratio, text);
	else
		shares_release(shares, track);
	if (r < 0) {
		has_limit = false;
		(void)snprintf(refused, sizeof(refused), "no memory.high: refused: %s",
			       strerror(-r));
		text = refused;
	}
	api->describe(shares->agent, track->id, SHARES_PART, text);
	api->metric_set(shares->agent, shares->share, track->id,
			has_limit ? (double)member->share : 0);
	tell(shares, track, before, text);
}

static int tick_by_law(struct shares *shares, const struct node_sample *node)
{
	CLEANUP(party_done) struct party party = { 0 };
	uint64_t budget = 0, available = node->memory_available_bytes;
	char text[SHARES_TEXT];
	struct shares_law law;
	size_t refused;
	bool limited = shares->gate.limits;
	int r;

	law_of(shares->config, node, &law);
	if (!shares_gate(&shares->gate, &law, available)) {
		shares_explain_node(&law, false, available, 0, 0, 0, text, sizeof(text));
		if (limited)
			shares_release_all(shares, "no memory.high: memory is plentiful");
		shares_say(shares, text);
		return 0;
	}
	r = party_read(shares, node, &party);
	if (r < 0)
		return r;
	budget = shares_budget(&law, party.members, party.count, available);
	shares_decide(&law, party.members, party.count, budget);
	for (size_t i = 0; i < party.count; i++) {
		shares_explain(&party.members[i], budget, party.count, text, sizeof(text));
		give(shares, party.tracks[i], &party.members[i], shares->config->async_ratio, text);
	}
	refused = party_show(shares, &party, budget);
	shares_explain_node(&law, true, available, budget, party.count, refused, text,
			    sizeof(text));
	shares_say(shares, text);
	return 0;
}

static int tick_fssr(struct shares *shares, const struct node_sample *node)
{
	CLEANUP(party_done) struct party party = { 0 };
	uint64_t high = fssr_tick(&shares->fssr, node->memory_total_bytes, node->memory_free_bytes);
	char text[SHARES_TEXT];
	int r = party_read(shares, node, &party);

	if (r < 0)
		return r;
	for (size_t i = 0; i < party.count; i++) {
		struct shares_member *member = &party.members[i];

		if (!shares_can_give_back(member) || shares_floor(member) > high)
			member->refusal = SHARES_NOTHING_TO_RECLAIM;
		member->high = member->share = high;
		shares_explain_fssr(member, high, text, sizeof(text));
		give(shares, party.tracks[i], member, FSSR_ASYNC_RATIO, text);
	}
	(void)party_show(shares, &party, high * party.count);
	(void)snprintf(text, sizeof(text), "fssr: memory.high of each offline workload is %llu MiB",
		       (unsigned long long)high >> 20);
	shares_say(shares, text);
	return 0;
}

int shares_tick(struct shares *shares)
{
	struct agent *agent = shares->agent;
	const struct node_sample *node = agent->api->node(agent, SHARES_PERIOD_USEC / 2);
	struct node_sample now;

	if (!node || node->memory_total_bytes == 0)
		return -ENODATA;
	now = *node;
	return shares->config->law == SHARES_FSSR ? tick_fssr(shares, &now)
						  : tick_by_law(shares, &now);
}
