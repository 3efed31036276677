/* SPDX-License-Identifier: Apache-2.0 */
#include "shares/law.h"

#include "macro.h"

/* Parts of a group's use. */
#define STEP_PART 8u  /* a step down is an eighth of it, at most */
#define KEEP_PART 16u /* of what can be reclaimed so much is left */
#define UP_PART   4u  /* a step up is a quarter of one down */
#define BAND_PART 4u  /* and as much is not worth a write */

#define PAGE_MASK (~UINT64_C(4095))

static uint64_t minus(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

static uint64_t plus(uint64_t a, uint64_t b)
{
	return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

/* value * part / whole without overflow; part <= whole, whole > 0. */
static uint64_t portion(uint64_t value, uint64_t part, uint64_t whole)
{
	return (uint64_t)((unsigned __int128)value * part / whole);
}

bool shares_gate(struct shares_gate *gate, const struct shares_law *law, uint64_t available)
{
	if (!gate->limits) {
		gate->limits = available < law->release;
		gate->calm = 0;
		return gate->limits;
	}
	gate->calm = available >= plus(law->release, law->release / 8) ? gate->calm + 1 : 0;
	if (gate->calm >= SHARES_CALM)
		gate->limits = false;
	return gate->limits;
}

uint64_t shares_step(const struct shares_law *law, const struct shares_member *member)
{
	return MAX(MIN(member->use / STEP_PART, law->step), SHARES_STEP_MIN);
}

uint64_t shares_dead_band(const struct shares_law *law, const struct shares_member *member)
{
	return shares_step(law, member) / BAND_PART;
}

static uint64_t reclaimable(const struct shares_member *member)
{
	return MIN(plus(member->cache, member->swappable), member->use);
}

/* Of what can be reclaimed, so much stays: programs are page cache, too. */
static uint64_t to_keep(const struct shares_member *member)
{
	return MAX(member->use / KEEP_PART, SHARES_KEEP_MIN);
}

uint64_t shares_floor(const struct shares_member *member)
{
	return member->use - minus(reclaimable(member), to_keep(member));
}

uint64_t shares_budget(const struct shares_law *law, const struct shares_member *members,
		       size_t count, uint64_t available)
{
	uint64_t held = 0;

	for (size_t i = 0; i < count; i++)
		held = plus(held, minus(members[i].use, members[i].cache));
	return minus(plus(held, available), law->reserve);
}

bool shares_can_give_back(const struct shares_member *member)
{
	uint64_t least = to_keep(member);

	if (member->high == SHARES_NONE)
		least = plus(least, least);
	return reclaimable(member) >= least;
}

static uint64_t weight_of(const struct shares_member *member)
{
	return MAX(member->weight, UINT64_C(1));
}

/* What it would take now; more than that is room to grow, which comes after everybody's wants. */
static uint64_t demand_of(const struct shares_law *law, const struct shares_member *member)
{
	if (member->hungry)
		return member->limit;
	return MIN(plus(member->use, shares_step(law, member)), member->limit);
}

static bool is_full(const struct shares_member *member)
{
	return member->refusal == SHARES_NOTHING_TO_RECLAIM || member->share >= member->brim;
}

/* One round of water: each that is not full gets its part of it, up to its brim. Returns what is
 * left. */
static uint64_t pour(struct shares_member *members, size_t count, uint64_t water)
{
	uint64_t weights = 0, left = water;

	for (size_t i = 0; i < count; i++)
		if (!is_full(&members[i]))
			weights = plus(weights, weight_of(&members[i]));
	for (size_t i = 0; i < count; i++) {
		struct shares_member *member = &members[i];
		uint64_t part;

		if (is_full(member))
			continue;
		part = portion(water, MIN(weight_of(member), weights), weights);
		part = MIN(MIN(part, member->brim - member->share), left);
		member->share += part;
		left -= part;
	}
	return left;
}

/* Each round fills somebody, or leaves but what division does. */
static uint64_t fill(struct shares_member *members, size_t count, uint64_t water)
{
	for (size_t round = 0; round < count && water > 0; round++) {
		uint64_t left = pour(members, count, water);

		if (left == water)
			break;
		water = left;
	}
	return water;
}

static void divide(const struct shares_law *law, struct shares_member *members, size_t count,
		   uint64_t budget)
{
	for (size_t i = 0; i < count; i++) {
		struct shares_member *member = &members[i];
		bool gives = shares_can_give_back(member);

		member->refusal = gives ? SHARES_OK : SHARES_NOTHING_TO_RECLAIM;
		member->share = gives ? 0 : member->use;
		member->brim = demand_of(law, member);
		/* It stays as it is, and the others have so much less. */
		if (!gives)
			budget = minus(budget, member->use);
	}
	budget = fill(members, count, budget);
	for (size_t i = 0; i < count; i++)
		members[i].brim = members[i].limit;
	(void)fill(members, count, budget);
}

/* target: at least the floor. */
static uint64_t high_next(const struct shares_law *law, const struct shares_member *member,
			  uint64_t target)
{
	uint64_t step = shares_step(law, member), band = shares_dead_band(law, member);
	uint64_t lowest = minus(member->use, step), high = member->high;

	if (high == SHARES_NONE)
		return MAX(target, lowest);
	if (plus(target, band) < high)
		high = MIN(high, MAX(target, lowest));
	else if (target > plus(high, band))
		high = MIN(target, plus(high, step / UP_PART));
	/* It could not be brought down so far, or what could be reclaimed is gone: not one period
	 * in which it stands still. */
	return MAX(high, MAX(lowest, shares_floor(member)));
}

void shares_decide(const struct shares_law *law, struct shares_member *members, size_t count,
		   uint64_t budget)
{
	divide(law, members, count, budget);
	for (size_t i = 0; i < count; i++) {
		struct shares_member *member = &members[i];

		if (member->refusal == SHARES_OK) {
			uint64_t high =
				high_next(law, member, MAX(member->share, shares_floor(member)));

			member->high = plus(high, ~PAGE_MASK) & PAGE_MASK;
			if (member->high >= member->limit)
				member->refusal = SHARES_OWN_LIMIT;
		}
		if (member->refusal != SHARES_OK)
			member->high = SHARES_NONE;
	}
}
