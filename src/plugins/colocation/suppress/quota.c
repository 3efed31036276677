/* SPDX-License-Identifier: Apache-2.0 */
/*
 * quota.c - the budget as CPU quotas of the offline workloads. The order of writes matters: what
 * goes down goes first, so that all of them together are never above the budget; and v1 refuses a
 * group a quota below that of a group in it (sched/core.c, tg_cfs_schedulable_down()), so that
 * containers with a limit of their own are lowered before their pod and raised after it.
 */
#include <stdio.h>
#include <stdlib.h>

#include "macro.h"
#include "suppress/run.h"

#define QUOTAS_A_SECOND 10u   /* KNOB_CPU_QUOTA_USEC is of 100 ms */
#define QUOTA_MIN_USEC  1000u /* that the knob takes */
#define LEASE_PERIODS   10u
#define TOKENS_MAX      4u
#define TOKEN_STEPS     15u
#define GAIN_MIN        50000u /* CPU a second; for less it is not worth dividing anew */
#define DEPTH_MAX       64

static struct berth_target target_of(uint64_t id)
{
	return (struct berth_target){ .kind = TARGET_WORKLOAD, .id = id };
}

uint64_t suppress_lease(const struct suppress *suppress)
{
	return LEASE_PERIODS * suppress->config->period_usec;
}

/* A limit that it has anyway, in the knob's unit; UINT64_MAX: none, or it cannot be told. */
static uint64_t own_limit(const struct suppress *suppress, uint64_t id)
{
	const struct agent_api *api = suppress->agent->api;
	uint64_t limit;

	return api->knob_value(suppress->agent, target_of(id), KNOB_CPU_QUOTA_USEC, &limit, NULL) <
			       0
		       ? UINT64_MAX
		       : limit;
}

/* Refusals are the host's to show; the others go on. */
static void claim(const struct suppress *suppress, uint64_t id, uint64_t number)
{
	const struct knob_value value = { .number = number };

	(void)suppress->agent->api->claim_as(suppress->agent, SUPPRESS_PART, target_of(id),
					     KNOB_CPU_QUOTA_USEC, &value, suppress_lease(suppress),
					     suppress->reason);
}

static void unclaim(const struct suppress *suppress, uint64_t id)
{
	suppress->agent->api->unclaim_as(suppress->agent, SUPPRESS_PART, target_of(id),
					 KNOB_CPU_QUOTA_USEC);
}

static void cap_below(void *self, const struct berth_workload *workload)
{
	struct suppress *suppress = suppress_of(self);
	uint64_t number = suppress->below_number, limit = UINT64_MAX;

	if (number != UINT64_MAX)
		limit = own_limit(suppress, workload->id);
	if (limit != UINT64_MAX && limit > number)
		claim(suppress, workload->id, number);
	else
		unclaim(suppress, workload->id);
	/* Two that name each other as parents would go on for ever. */
	if (suppress->below_depth >= DEPTH_MAX)
		return;
	suppress->below_depth++;
	suppress->agent->api->each_child(suppress->agent, workload->id, cap_below);
	suppress->below_depth--;
}

/* UINT64_MAX: nothing is held there any more. */
static void hold_below(struct suppress *suppress, uint64_t id, uint64_t number)
{
	suppress->below_number = number;
	suppress->below_depth = 0;
	suppress->agent->api->each_child(suppress->agent, id, cap_below);
}

static uint64_t number_of(uint64_t amount)
{
	return amount / QUOTAS_A_SECOND;
}

static void hold(struct suppress *suppress, struct suppress_track *track, uint64_t amount)
{
	uint64_t number = number_of(amount);
	bool down = track->share == 0 || amount < track->share;

	if (down)
		hold_below(suppress, track->id, number);
	claim(suppress, track->id, number);
	if (!down)
		hold_below(suppress, track->id, number);
	track->share = amount;
}

void suppress_quota_release(struct suppress *suppress, struct suppress_track *track)
{
	if (track->share == 0)
		return;
	track->share = 0;
	unclaim(suppress, track->id);
	hold_below(suppress, track->id, UINT64_MAX);
	suppress->agent->api->describe(suppress->agent, track->id, "suppress", NULL);
}

void suppress_quota_renew(struct suppress *suppress)
{
	struct suppress_track *track;

	hashmap_foreach (track, &suppress->tracks) {
		if (track->share == 0)
			continue;
		claim(suppress, track->id, number_of(track->share));
		hold_below(suppress, track->id, number_of(track->share));
	}
}

/* ---- who gets what ---- */

static int shares_reserve(struct suppress *suppress)
{
	size_t room = MAX(suppress->offline, (size_t)16);
	void *grown;

	if (suppress->share_room >= suppress->offline)
		return 0;
	grown = reallocarray(suppress->shares, room * 2, sizeof(*suppress->shares));
	if (!grown)
		return -1;
	suppress->shares = grown;
	suppress->share_room = room * 2;
	return 0;
}

/* In the order of the map, which does not change meanwhile. */
static void divide(struct suppress *suppress)
{
	struct suppress_track *track;
	size_t count = 0;

	hashmap_foreach (track, &suppress->tracks) {
		if (!track->offline)
			continue;
		suppress->shares[count++] = (struct share){
			.weight = track->weight,
			.demand = suppress_track_demand(track),
			.most = track->most,
			.level = track->level,
		};
	}
	share_fill(suppress->shares, count, suppress->law.budget);
}

/* With the same budget: does anybody who wants more get so much more that it is worth the writes?
 * A new one is held at once. */
static bool worth_it(struct suppress *suppress)
{
	uint64_t band = suppress->reading.capacity / 100 * suppress->config->dead_band_percent;
	struct suppress_track *track;
	bool gains = false;
	size_t i = 0;

	hashmap_foreach (track, &suppress->tracks) {
		const struct share *share;

		if (!track->offline)
			continue;
		share = &suppress->shares[i++];
		if (track->share == 0 && track->most >= SHARE_MIN)
			return true;
		if (suppress_track_demand(track) > track->share &&
		    share->amount > track->share + MIN(band, MAX(track->share / 4, GAIN_MIN)))
			gains = true;
	}
	if (!gains || suppress->tokens == 0)
		return false;
	suppress->tokens--;
	return true;
}

static void tokens_pass(struct suppress *suppress)
{
	if (++suppress->token_steps < TOKEN_STEPS)
		return;
	suppress->token_steps = 0;
	suppress->tokens = MIN(suppress->tokens + 1, TOKENS_MAX);
}

static void limits_look(struct suppress *suppress)
{
	struct suppress_track *track;

	hashmap_foreach (track, &suppress->tracks) {
		uint64_t limit;

		if (!track->offline)
			continue;
		limit = own_limit(suppress, track->id);
		track->most =
			limit > UINT64_MAX / QUOTAS_A_SECOND ? UINT64_MAX : limit * QUOTAS_A_SECOND;
	}
}

/* One direction: what goes down, then what goes up. */
static void hold_all(struct suppress *suppress, bool down)
{
	struct suppress_track *track;
	size_t i = 0;

	hashmap_foreach (track, &suppress->tracks) {
		uint64_t amount;

		if (!track->offline)
			continue;
		amount = suppress->shares[i++].amount;
		/* A limit below what the knob takes is below any share. */
		if (number_of(amount) < QUOTA_MIN_USEC)
			continue;
		if (down == (track->share == 0 || amount < track->share))
			hold(suppress, track, amount);
	}
}

bool suppress_quota_apply(struct suppress *suppress, bool changed)
{
	tokens_pass(suppress);
	if (suppress->offline == 0 || shares_reserve(suppress) < 0)
		return false;
	divide(suppress);
	if (!changed && !worth_it(suppress))
		return false;
	/* Rarely enough to read files for it. */
	limits_look(suppress);
	divide(suppress);
	(void)snprintf(suppress->reason, sizeof(suppress->reason),
		       "its share of %.2f CPUs that are left for offline work",
		       (double)suppress->law.budget / (double)USEC_PER_SEC);
	hold_all(suppress, true);
	hold_all(suppress, false);
	return true;
}
