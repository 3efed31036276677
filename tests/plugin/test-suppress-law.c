/* SPDX-License-Identifier: Apache-2.0 */
/* test-suppress-law.c - the pure parts of suppression: the budget and its division. */
#include "berth-test.h"
#include "macro.h"
#include "suppress/law.h"
#include "suppress/share.h"

#define CPU USEC_PER_SEC

static const struct suppress_config defaults = {
	.enabled = 1,
	.target_percent = 65,
	.min_percent = 5,
	.step_percent = 10,
	.dead_band_percent = 2,
	.pressure_percent = 20,
	.period_usec = USEC_PER_SEC,
};

/* xorshift64*: the same draws in each run. */
static uint64_t draw(uint64_t *state, uint64_t below)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return (*state * UINT64_C(2685821657736338717) >> 32) % below;
}

/* 10 CPUs, so that a percent is a tenth of a CPU. Offline work uses all that it has. */
static struct suppress_reading reading_of(const struct suppress_law *law, uint64_t online)
{
	uint64_t offline = law->began ? law->budget : 8 * CPU;

	return (struct suppress_reading){
		.capacity = 10 * CPU,
		.busy = online + offline,
		.offline = offline,
	};
}

static bool step(struct suppress_law *law, uint64_t online)
{
	struct suppress_reading reading = reading_of(law, online);

	return suppress_law_step(law, &defaults, &reading);
}

static bool step_waiting(struct suppress_law *law, uint64_t online, uint32_t pressure)
{
	struct suppress_reading reading = reading_of(law, online);

	reading.has_pressure = true;
	reading.pressure = pressure;
	return suppress_law_step(law, &defaults, &reading);
}

static void steps(struct suppress_law *law, uint64_t online, unsigned int count)
{
	while (count-- > 0)
		(void)step(law, online);
}

static void test_law_begins_with_what_is_left(void **state)
{
	struct suppress_law law = { 0 };

	(void)state;
	assert_true(step(&law, 2 * CPU));
	assert_int_equal(law.budget, 6.5 * CPU - 2 * CPU);
	assert_int_equal(law.reason, SUPPRESS_BEGAN);
	/* What the system uses is online: busy that is not offline's. */
	assert_int_equal(law.online, 2 * CPU);
	assert_false(step(&law, 2 * CPU));
}

static void test_law_cuts_at_once_and_raises_slowly(void **state)
{
	struct suppress_law law = { 0 };
	uint64_t before;

	(void)state;
	steps(&law, CPU, 5);
	assert_int_equal(law.budget, 5.5 * CPU);
	assert_true(step(&law, 5 * CPU));
	assert_int_equal(law.budget, 1.5 * CPU);
	assert_int_equal(law.reason, SUPPRESS_USE_CUT);
	/* Two steps have to agree, then a tenth of the node each. */
	assert_false(step(&law, CPU));
	for (before = law.budget; step(&law, CPU); before = law.budget) {
		assert_int_equal(law.reason, SUPPRESS_RAISED);
		assert_true(law.budget - before <= CPU);
	}
	assert_int_equal(law.budget, 5.5 * CPU);
}

static void test_law_keeps_the_floor_and_the_target(void **state)
{
	struct suppress_law law = { 0 };

	(void)state;
	(void)step(&law, 99 * CPU / 10);
	assert_int_equal(law.budget, 0.5 * CPU);
	steps(&law, 0, 60);
	assert_int_equal(law.budget, 6.5 * CPU);
}

static void test_law_holds_within_the_dead_band(void **state)
{
	struct suppress_law law = { 0 };

	(void)state;
	(void)step(&law, 2 * CPU);
	for (int i = 0; i < 100; i++)
		assert_false(step(&law, 2 * CPU + (i % 2 ? CPU / 5 : 0) - CPU / 10));
}

/* An offline job that is idle leaves the budget as it is: nothing is raised for being unused. */
static void test_law_does_not_look_at_what_offline_uses(void **state)
{
	struct suppress_law law = { 0 };
	struct suppress_reading reading = { .capacity = 10 * CPU, .busy = 2 * CPU };

	(void)state;
	(void)step(&law, 2 * CPU);
	for (int i = 0; i < 60; i++)
		assert_false(suppress_law_step(&law, &defaults, &reading));
}

static void test_law_cuts_for_those_who_wait(void **state)
{
	struct suppress_law law = { 0 };
	uint64_t before;

	(void)state;
	steps(&law, CPU, 5);
	before = law.budget;
	assert_false(step_waiting(&law, CPU, 2000));
	assert_true(step_waiting(&law, CPU, 2100));
	assert_int_equal(law.reason, SUPPRESS_WAIT_CUT);
	assert_int_equal(before - law.budget, CPU / 4);
	/* The longer, the more, but never more than a step. */
	before = law.budget;
	assert_true(step_waiting(&law, CPU, 9000));
	assert_int_equal(before - law.budget, CPU);
	/* Given back when nobody waits. */
	steps(&law, CPU, 60);
	assert_int_equal(law.budget, 5.5 * CPU);
}

/* Online work that waits for itself. */
static void test_law_does_not_starve_offline_work_for_nothing(void **state)
{
	struct suppress_law law = { 0 };

	(void)state;
	steps(&law, CPU, 5);
	for (int i = 0; i < 30; i++)
		(void)step_waiting(&law, CPU, 6000);
	assert_int_equal(law.budget, 0.5 * CPU);
	for (int i = 0; i < 120; i++)
		(void)step_waiting(&law, CPU, 6000);
	assert_true(law.innocent);
	assert_int_equal(law.budget, 5.5 * CPU);
	/* It ended, and what comes now is another matter. */
	(void)step_waiting(&law, CPU, 500);
	assert_false(law.innocent);
	assert_true(step_waiting(&law, CPU, 6000));
	assert_true(law.budget < 5.5 * CPU);
}

static void test_law_blind_goes_to_the_floor_after_three_periods(void **state)
{
	struct suppress_law law = { 0 };

	(void)state;
	steps(&law, CPU, 5);
	assert_false(suppress_law_blind(&law, &defaults, 10 * CPU));
	assert_false(suppress_law_blind(&law, &defaults, 10 * CPU));
	assert_true(suppress_law_blind(&law, &defaults, 10 * CPU));
	assert_int_equal(law.budget, 0.5 * CPU);
	assert_int_equal(law.reason, SUPPRESS_BLIND);
	assert_false(suppress_law_blind(&law, &defaults, 10 * CPU));
	/* It sees again: slowly. */
	assert_false(step(&law, CPU));
	assert_true(step(&law, CPU));
	assert_int_equal(law.budget, 1.5 * CPU);
	/* Two periods without do not matter. */
	steps(&law, CPU, 20);
	assert_false(suppress_law_blind(&law, &defaults, 10 * CPU));
	assert_false(suppress_law_blind(&law, &defaults, 10 * CPU));
	assert_false(step(&law, CPU));
	/* Nothing was ever seen: the floor. */
	law = (struct suppress_law){ 0 };
	for (unsigned int i = 1; i < SUPPRESS_STALE; i++)
		assert_false(suppress_law_blind(&law, &defaults, 10 * CPU));
	assert_true(suppress_law_blind(&law, &defaults, 10 * CPU));
	assert_int_equal(law.budget, 0.5 * CPU);
}

static void test_law_cpus_that_went_away_leave_no_budget(void **state)
{
	struct suppress_law law = { 0 };
	struct suppress_reading reading = { .capacity = 2 * CPU };

	(void)state;
	steps(&law, 0, 3);
	assert_int_equal(law.budget, 6.5 * CPU);
	assert_true(suppress_law_step(&law, &defaults, &reading));
	assert_int_equal(law.budget, 1.3 * CPU);
}

/* Whatever the load and the settings: between floor and target, a cut never leaves more than there
 * is but for the dead band, a raise is at most a step and never above what there is. */
static void test_law_properties(void **state)
{
	uint64_t random = 0x9e3779b97f4a7c15;

	(void)state;
	for (int round = 0; round < 300; round++) {
		struct suppress_law law = { 0 };
		struct suppress_config config = {
			.target_percent = 10 + draw(&random, 91),
			.min_percent = draw(&random, 10),
			.step_percent = 1 + draw(&random, 50),
			.dead_band_percent = draw(&random, 10),
			.pressure_percent = draw(&random, 50),
		};
		uint64_t capacity = (1 + draw(&random, 256)) * CPU;
		uint64_t band = capacity / 100 * config.dead_band_percent;
		uint64_t target = suppress_target(&config, capacity);
		uint64_t floor = suppress_floor(&config, capacity);

		for (int i = 0; i < 300; i++) {
			uint64_t online = draw(&random, capacity), before = law.budget;
			bool began = law.began, changed;
			struct suppress_reading reading = {
				.capacity = capacity,
				.busy = online + law.budget,
				.offline = law.budget,
				.has_pressure = draw(&random, 2),
				.pressure = (uint32_t)draw(&random, 10001),
			};

			if (draw(&random, 20) == 0)
				changed = suppress_law_blind(&law, &config, capacity);
			else
				changed = suppress_law_step(&law, &config, &reading);
			if (!law.began)
				continue;
			assert_true(law.budget >= floor && law.budget <= target);
			assert_int_equal(changed, !began || law.budget != before);
			if (law.missing == 0 && online <= target - floor)
				assert_true(law.budget + online <= target + band);
			if (law.missing == 0 && began && law.budget > before) {
				assert_true(law.budget - before <=
					    capacity / 100 * config.step_percent);
				assert_true(law.budget <=
					    MAX(target - MIN(online, target), floor) + band / 2);
			}
		}
	}
}

/* A steady load with noise of up to a tenth of the node either way: after it has settled, no more
 * than ten changes in any minute, and most of what there is on average is given. */
static void test_law_settles_under_noise(void **state)
{
	uint64_t random = 88172645463325252;

	(void)state;
	for (uint64_t noise = 0; noise <= CPU; noise += CPU / 10) {
		struct suppress_law law = { 0 };
		uint64_t given = 0;
		int changes = 0, worst = 0;
		bool changed[600];

		for (int i = 0; i < 600; i++) {
			changed[i] = step(&law, 2 * CPU - noise + draw(&random, 2 * noise + 1));
			given += law.budget;
			changes += changed[i];
			changes -= i >= 60 && changed[i - 60];
			if (i >= 120)
				worst = MAX(worst, changes);
		}
		assert_true(worst <= 10);
		/* Never more than the least of what there was lately, so the noise is lost. */
		assert_true(given / 600 >= 45 * CPU / 10 - noise - CPU / 5);
	}
}

/* The trace of the benchmark: up and down each half minute. */
static void test_law_gives_most_of_what_is_left(void **state)
{
	static const uint64_t loads[] = { 1, 3, 5, 2, 4, 1 };
	struct suppress_law law = { 0 };
	uint64_t given = 0, left = 0;

	(void)state;
	for (int round = 0; round < 10; round++) {
		for (size_t i = 0; i < ARRAY_SIZE(loads); i++) {
			for (int second = 0; second < 30; second++) {
				left += 65 * CPU / 10 - loads[i] * CPU;
				(void)step(&law, loads[i] * CPU);
				given += law.budget;
			}
		}
	}
	assert_true(given * 100 >= left * 90);
	assert_true(given <= left);
}

/* ---- shares ---- */

static void test_share_unused_goes_to_those_that_want_it(void **state)
{
	struct share shares[] = {
		{ .weight = 1, .demand = CPU / 2, .most = UINT64_MAX, .level = -1 },
		{ .weight = 1, .demand = UINT64_MAX, .most = UINT64_MAX, .level = -1 },
		{ .weight = 3, .demand = UINT64_MAX, .most = UINT64_MAX, .level = -1 },
	};

	(void)state;
	share_fill(shares, ARRAY_SIZE(shares), 4 * CPU + CPU / 2);
	assert_int_equal(shares[0].amount, CPU / 2);
	assert_in_range(shares[1].amount, CPU - 20000, CPU + 20000);
	assert_in_range(shares[2].amount, 3 * CPU - 20000, 3 * CPU + 20000);
}

static void test_share_scavengers_get_what_batch_leaves(void **state)
{
	struct share shares[] = {
		{ .weight = 100, .demand = UINT64_MAX, .most = UINT64_MAX, .level = -2 },
		{ .weight = 1, .demand = UINT64_MAX, .most = UINT64_MAX, .level = -1 },
		{ .weight = 1, .demand = CPU, .most = UINT64_MAX, .level = -1 },
	};

	(void)state;
	share_fill(shares, ARRAY_SIZE(shares), 3 * CPU);
	assert_int_equal(shares[0].amount, SHARE_MIN);
	assert_int_equal(shares[2].amount, CPU);
	assert_int_equal(shares[1].amount, 2 * CPU - SHARE_MIN);
	shares[1].demand = CPU / 2;
	share_fill(shares, ARRAY_SIZE(shares), 3 * CPU);
	assert_int_equal(shares[1].amount, CPU / 2);
	assert_int_equal(shares[0].amount, 3 * CPU / 2);
}

static void test_share_nobody_wants_all_of_it(void **state)
{
	struct share shares[] = {
		{ .weight = 1, .demand = 0, .most = UINT64_MAX, .level = -1 },
		{ .weight = 1, .demand = 0, .most = CPU / 4, .level = -1 },
		{ .weight = 1, .demand = 0, .most = UINT64_MAX, .level = -2 },
	};

	(void)state;
	share_fill(shares, ARRAY_SIZE(shares), CPU);
	assert_int_equal(shares[1].amount, CPU / 4);
	assert_in_range(shares[0].amount, 3 * CPU / 8 - 10, 3 * CPU / 8);
	assert_in_range(shares[2].amount, 3 * CPU / 8 - 10, 3 * CPU / 8);
	share_fill(shares, ARRAY_SIZE(shares), 0);
	for (size_t i = 0; i < ARRAY_SIZE(shares); i++)
		assert_int_equal(shares[i].amount, SHARE_MIN);
	share_fill(NULL, 0, CPU);
}

#define MANY 40

static size_t shares_draw(struct share *shares, uint64_t *random)
{
	size_t count = 1 + draw(random, MANY);

	for (size_t i = 0; i < count; i++)
		shares[i] = (struct share){
			.weight = 1 + draw(random, 1000),
			.demand = draw(random, 3) ? draw(random, 4 * CPU) : UINT64_MAX,
			.most = draw(random, 3) ? UINT64_MAX : 5000 + draw(random, CPU),
			.level = draw(random, 3) ? -1 : -2,
		};
	return count;
}

static void assert_sums(const struct share *shares, size_t count, uint64_t budget)
{
	uint64_t sum = 0, most = 0, least = 0;

	for (size_t i = 0; i < count; i++) {
		assert_true(shares[i].amount <= shares[i].most);
		assert_true(shares[i].amount >= MIN((uint64_t)SHARE_MIN, shares[i].most));
		sum += shares[i].amount;
		least += MIN((uint64_t)SHARE_MIN, shares[i].most);
		most += MIN(shares[i].most, 64 * CPU);
	}
	assert_true(sum <= MAX(budget, least));
	assert_true(sum + count >= MIN(MAX(budget, least), most));
}

/* Nobody else has more by weight than one that is short, but for minima and rounding. */
static void assert_fair(const struct share *shares, size_t count, const struct share *one)
{
	for (size_t j = 0; j < count; j++) {
		if (shares[j].amount <= SHARE_MIN + count)
			continue;
		assert_true(shares[j].level >= one->level);
		if (shares[j].level == one->level)
			assert_true((shares[j].amount - SHARE_MIN) / shares[j].weight <=
				    one->amount / one->weight + 1);
	}
}

static void test_share_properties(void **state)
{
	uint64_t random = 0x2545f4914f6cdd1d;

	(void)state;
	for (int round = 0; round < 3000; round++) {
		struct share shares[MANY];
		size_t count = shares_draw(shares, &random);
		uint64_t budget = draw(&random, 64 * CPU);

		share_fill(shares, count, budget);
		assert_sums(shares, count, budget);
		for (size_t i = 0; i < count; i++)
			if (shares[i].amount < MIN(shares[i].demand, shares[i].most))
				assert_fair(shares, count, &shares[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_law_begins_with_what_is_left),
		cmocka_unit_test(test_law_cuts_at_once_and_raises_slowly),
		cmocka_unit_test(test_law_keeps_the_floor_and_the_target),
		cmocka_unit_test(test_law_holds_within_the_dead_band),
		cmocka_unit_test(test_law_does_not_look_at_what_offline_uses),
		cmocka_unit_test(test_law_cuts_for_those_who_wait),
		cmocka_unit_test(test_law_does_not_starve_offline_work_for_nothing),
		cmocka_unit_test(test_law_blind_goes_to_the_floor_after_three_periods),
		cmocka_unit_test(test_law_cpus_that_went_away_leave_no_budget),
		cmocka_unit_test(test_law_properties),
		cmocka_unit_test(test_law_settles_under_noise),
		cmocka_unit_test(test_law_gives_most_of_what_is_left),
		cmocka_unit_test(test_share_unused_goes_to_those_that_want_it),
		cmocka_unit_test(test_share_scavengers_get_what_batch_leaves),
		cmocka_unit_test(test_share_nobody_wants_all_of_it),
		cmocka_unit_test(test_share_properties),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
