/* SPDX-License-Identifier: Apache-2.0 */
#include "suppress/share.h"

#include <stdbool.h>

#include "macro.h"

enum round { ROUND_DEMAND, ROUND_REST };

static uint64_t goal_of(const struct share *share, enum round round)
{
	return round == ROUND_DEMAND ? MIN(share->demand, share->most) : share->most;
}

/* a * b / c without overflow; b <= c. */
static uint64_t scale(uint64_t a, uint64_t b, uint64_t c)
{
	return (uint64_t)((unsigned __int128)a * b / c);
}

static bool takes_part(const struct share *share, enum round round, int level)
{
	return (round == ROUND_REST || share->level == level) &&
	       share->amount < goal_of(share, round);
}

/* One pour: who wants less than its part of what is left is filled up and leaves the round; when
 * there is nobody like that, all get their parts. How much is left. */
static uint64_t pour(struct share *shares, size_t count, uint64_t left, enum round round, int level,
		     bool *ret_filled)
{
	uint64_t weights = 0, before = left;

	*ret_filled = false;
	for (size_t i = 0; i < count; i++)
		if (takes_part(&shares[i], round, level))
			weights += shares[i].weight;
	if (weights == 0)
		return left;
	for (size_t i = 0; i < count; i++) {
		struct share *share = &shares[i];
		uint64_t missing =
			goal_of(share, round) - MIN(share->amount, goal_of(share, round));

		if (!takes_part(share, round, level) ||
		    missing > scale(before, share->weight, weights))
			continue;
		share->amount += missing;
		left -= MIN(missing, left);
		*ret_filled = true;
	}
	if (*ret_filled)
		return left;
	for (size_t i = 0; i < count; i++) {
		uint64_t part = scale(before, shares[i].weight, weights);

		if (!takes_part(&shares[i], round, level))
			continue;
		shares[i].amount += part;
		left -= part;
	}
	return left;
}

static uint64_t fill_round(struct share *shares, size_t count, uint64_t left, enum round round,
			   int level)
{
	bool filled = true;

	/* Each pour but the last takes at least one out of the round. */
	while (filled && left > 0)
		left = pour(shares, count, left, round, level, &filled);
	return left;
}

/* The next level below that one; false: there is none. */
static bool next_level(const struct share *shares, size_t count, int below, int *ret)
{
	bool found = false;

	for (size_t i = 0; i < count; i++) {
		if (shares[i].level >= below || (found && shares[i].level <= *ret))
			continue;
		*ret = shares[i].level;
		found = true;
	}
	return found;
}

void share_fill(struct share *shares, size_t count, uint64_t budget)
{
	uint64_t left = budget;
	int level = INT32_MAX;

	for (size_t i = 0; i < count; i++) {
		shares[i].amount = MIN((uint64_t)SHARE_MIN, shares[i].most);
		left -= MIN(shares[i].amount, left);
	}
	while (left > 0 && next_level(shares, count, level, &level))
		left = fill_round(shares, count, left, ROUND_DEMAND, level);
	if (left > 0)
		(void)fill_round(shares, count, left, ROUND_REST, 0);
}
