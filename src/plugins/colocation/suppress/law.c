/* SPDX-License-Identifier: Apache-2.0 */
#include "suppress/law.h"

#include "macro.h"

#define PATIENCE_MIN 2u
#define PATIENCE_MAX SUPPRESS_HISTORY
#define FLAP_STEPS   20u /* a cut so soon after a raise says that the raise was wrong */
#define FORGET_STEPS 60u /* without such a cut, patience is halved */
#define OTHER_STEPS  3u
#define FUTILE_STEPS 30u /* at the floor; then the pressure is of online work's own making */

static uint64_t percent_of(uint64_t percent, uint64_t capacity)
{
	return capacity / 100 * percent;
}

uint64_t suppress_floor(const struct suppress_config *config, uint64_t capacity)
{
	return percent_of(config->min_percent, capacity);
}

uint64_t suppress_target(const struct suppress_config *config, uint64_t capacity)
{
	return MAX(percent_of(config->target_percent, capacity), suppress_floor(config, capacity));
}

static void history_add(struct suppress_law *law, uint64_t left)
{
	law->history[law->next] = left;
	law->next = (law->next + 1) % SUPPRESS_HISTORY;
	law->count = MIN(law->count + 1, SUPPRESS_HISTORY);
}

/* What may be given after so many steps: half a dead band above the least of them, so that what
 * flickers by less is not lost to offline work (a cut takes a whole one below), but not above their
 * mean. 0 when there were fewer. */
static uint64_t history_goal(const struct suppress_law *law, unsigned int steps, uint64_t band)
{
	uint64_t least = UINT64_MAX, sum = 0;

	if (steps == 0 || law->count < steps)
		return 0;
	for (unsigned int i = 1; i <= steps; i++) {
		unsigned int at = (law->next + SUPPRESS_HISTORY - i) % SUPPRESS_HISTORY;

		least = MIN(least, law->history[at]);
		sum += law->history[at];
	}
	return MIN(least + band / 2, sum / steps);
}

static void patience_pass(struct suppress_law *law)
{
	law->since_raise = MIN(law->since_raise + 1, FLAP_STEPS + 1);
	if (++law->since_flap < FORGET_STEPS)
		return;
	law->since_flap = 0;
	law->patience = MAX(law->patience / 2, PATIENCE_MIN);
}

/* A cut by more than so much is another load, not one that flickers. */
static bool law_cut(struct suppress_law *law, uint64_t budget, uint64_t flicker,
		    enum suppress_reason reason)
{
	if (law->since_raise <= FLAP_STEPS && law->budget - budget <= flicker) {
		law->patience = MIN(law->patience * 2, PATIENCE_MAX);
		law->since_flap = 0;
		/* One raise is wrong once, however deep the fall. */
		law->since_raise = FLAP_STEPS + 1;
	}
	law->reason = reason;
	if (budget == law->budget)
		return false;
	law->budget = budget;
	return true;
}

/* What is to be taken away for the sake of those who wait; 0: nothing. */
static uint64_t pressure_cut(struct suppress_law *law, const struct suppress_config *config,
			     const struct suppress_reading *reading, uint64_t floor)
{
	uint64_t line = config->pressure_percent * 100;
	uint64_t step = percent_of(config->step_percent, reading->capacity);
	uint64_t over;

	if (line == 0 || !reading->has_pressure || reading->pressure <= line) {
		law->futile = 0;
		law->innocent = false;
		return 0;
	}
	/* Threads of one workload that wait for each other, say: offline work at its floor for so
	 * long, and no better, has nothing to do with it and need not starve. */
	if (law->budget <= floor && ++law->futile >= FUTILE_STEPS)
		law->innocent = true;
	if (law->innocent)
		return 0;
	over = MIN(reading->pressure - line, line);
	return MAX(step * over / line, step / 4);
}

static bool law_raise(struct suppress_law *law, const struct suppress_config *config,
		      uint64_t capacity, uint64_t ceiling)
{
	uint64_t band = percent_of(config->dead_band_percent, capacity);
	uint64_t step = MAX(percent_of(config->step_percent, capacity), UINT64_C(1));
	uint64_t goal = history_goal(law, law->patience, band);
	uint64_t soon = history_goal(law, PATIENCE_MIN, band);

	/* So much more is another load, not the same one that flickers. */
	if (soon > law->budget + OTHER_STEPS * step)
		goal = soon;
	goal = MIN(goal, ceiling);
	law->reason = SUPPRESS_HOLDS;
	if (goal <= law->budget + band / 2)
		return false;
	law->budget = MIN(goal, law->budget + step);
	law->since_raise = 0;
	law->reason = SUPPRESS_RAISED;
	return true;
}

bool suppress_law_step(struct suppress_law *law, const struct suppress_config *config,
		       const struct suppress_reading *reading)
{
	uint64_t target = suppress_target(config, reading->capacity);
	uint64_t floor = suppress_floor(config, reading->capacity);
	uint64_t band = percent_of(config->dead_band_percent, reading->capacity);
	uint64_t step = percent_of(config->step_percent, reading->capacity);
	uint64_t cut, wanted;

	law->missing = 0;
	law->online = reading->busy - MIN(reading->offline, reading->busy);
	law->left = MAX(target - MIN(law->online, target), floor);
	history_add(law, law->left);
	if (!law->began) {
		law->began = true;
		law->patience = PATIENCE_MIN;
		law->since_raise = FLAP_STEPS + 1;
		law->budget = law->left;
		law->reason = SUPPRESS_BEGAN;
		return true;
	}
	patience_pass(law);
	/* CPUs that went away leave no budget above the target. */
	if (law->budget > target || law->left + band < law->budget)
		return law_cut(law, MIN(law->left, target), step + step / 2, SUPPRESS_USE_CUT);
	cut = pressure_cut(law, config, reading, floor);
	if (cut == 0)
		return law_raise(law, config, reading->capacity, target);
	wanted = MAX(law->budget - MIN(cut, law->budget), floor);
	/* What was there to give was there at somebody's cost. */
	law->count = 0;
	return law_cut(law, MIN(wanted, law->budget), step, SUPPRESS_WAIT_CUT);
}

bool suppress_law_blind(struct suppress_law *law, const struct suppress_config *config,
			uint64_t capacity)
{
	uint64_t floor = suppress_floor(config, capacity);

	law->missing = MIN(law->missing + 1, SUPPRESS_STALE);
	if (law->missing < SUPPRESS_STALE)
		return false;
	law->count = 0;
	law->reason = SUPPRESS_BLIND;
	if (law->began && law->budget == floor)
		return false;
	if (!law->began) {
		law->began = true;
		law->patience = PATIENCE_MIN;
		law->since_raise = FLAP_STEPS + 1;
	}
	law->budget = floor;
	return true;
}
