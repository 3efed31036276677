/* SPDX-License-Identifier: Apache-2.0 */
/* test-turbo-law.c - both laws of quota turbo: vectors worked out by hand, and what always holds.
 */
#include <math.h>
#include <stdbool.h>

#include "berth-test.h"
#include "macro.h"
#include "turbo/law.h"

#define PERIOD     100000.0
#define CONTAINERS 8u
#define ROUNDS     20000u

static const struct turbo_node quiet = {
	.cpus = 4,
	.use = 20,
	.spread = 5,
	.high = 60,
	.alarm = 80,
	.elapsed_usec = 100000,
};

/* Of one CPU, which left enough unused for all of its height. */
static struct turbo_container container_of_quota(double quota)
{
	return (struct turbo_container){
		.limit = 1,
		.quota = quota,
		.period_usec = PERIOD,
		.samples = 6,
		.window_usec = 500000,
	};
}

static bool near(double a, double b)
{
	return fabs(a - b) < 1e-9;
}

#define assert_near(a, b)                                           \
	do {                                                        \
		if (!near((a), (b)))                                \
			fail_msg("%s is %.9f, not %.9f", #a, a, b); \
	} while (0)

static double rubik_one(const struct turbo_node *node, struct turbo_container container)
{
	turbo_rubik(node, &container, 1);
	return container.next;
}

static void test_turbo_rubik_gives_back_slowly_above_high(void **state)
{
	struct turbo_node node = quiet;
	struct turbo_container container = container_of_quota(2);

	(void)state;
	node.use = 59.9;
	assert_near(rubik_one(&node, container), 2.0);
	node.use = 70; /* half way: 0.5 x 0.1 of the CPU that is lent */
	assert_near(rubik_one(&node, container), 1.95);
	container.throttled = 1; /* one that needs it keeps it; the node varies too much to raise */
	node.spread = 11;
	assert_near(rubik_one(&node, container), 2.0);
}

static void test_turbo_rubik_gives_back_fast_above_alarm(void **state)
{
	struct turbo_container two[2] = { container_of_quota(2), container_of_quota(1.5) };
	struct turbo_node node = quiet;

	(void)state;
	node.use = 90; /* 0.4 CPUs over; the slow way gives 0.15 of what is lent besides */
	assert_near(rubik_one(&node, container_of_quota(2)), 2 - 0.15 - 0.4);
	turbo_rubik(&node, two, 2);
	assert_near(two[0].next, 2 - 0.15 - 0.4 * 2 / 3);
	assert_near(two[1].next, 1.5 - 0.075 - 0.4 / 3);
	/* Nothing is lent: nothing to give back. */
	assert_near(rubik_one(&node, container_of_quota(1)), 1.0);
	node.use = 100;
	node.cpus = 64; /* more than all that is lent: down to the limit, not below */
	assert_near(rubik_one(&node, container_of_quota(2)), 1.0);
}

static void test_turbo_rubik_elevates_by_a_percent_of_the_node(void **state)
{
	struct turbo_container two[2] = { container_of_quota(1), container_of_quota(1) };
	struct turbo_node node = quiet;

	(void)state;
	two[0].throttled = 2;
	two[0].throttled_usec = 20000; /* a tenth of each period */
	two[1].throttled = 1;
	two[1].throttled_usec = 30000;
	turbo_rubik(&node, two, 2); /* 0.04 CPUs in all, by what they lack */
	assert_near(two[0].next, 1.01);
	assert_near(two[1].next, 1.03);
	node.cpus = 100; /* a percent is more than all lack */
	turbo_rubik(&node, two, 2);
	assert_near(two[0].next, 1.1);
	assert_near(two[1].next, 1.3);
	node.spread = 10.1;
	turbo_rubik(&node, two, 2);
	assert_near(two[0].next, 1.0);
	node.spread = 10;
	node.use = 79.1; /* less than one percent to the alarm line, and above the high one */
	turbo_rubik(&node, two, 2);
	assert_near(two[1].next, 1.0);
}

static void test_turbo_rubik_keeps_to_the_budget_of_its_window(void **state)
{
	static const struct {
		double used_usec, next;
	} cases[] = {
		{ 500000, 2 },            /* half unused: 6 CPUs of a period, 3 x its height */
		{ 1000000, 1 + 1 / 6.0 }, /* all used */
		{ 1100000, 1 },
		{ 2000000, 1 },
	};
	struct turbo_container container = container_of_quota(2);

	(void)state;
	container.samples = 11;
	container.window_usec = 1000000;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		container.window_use_usec = cases[i].used_usec;
		assert_near(rubik_one(&quiet, container), cases[i].next);
	}
	container.samples = 1;
	assert_near(rubik_one(&quiet, container), 1.0);
	container.samples = 0;
	assert_near(rubik_one(&quiet, container), 1.0);
}

static double pressure_one(const struct turbo_node *node, struct turbo_container container)
{
	turbo_pressure(node, &container, 1);
	return container.next;
}

static void test_turbo_pressure_lends_what_is_lacked(void **state)
{
	struct turbo_container container = container_of_quota(1), two[2];
	struct turbo_node node = quiet;

	(void)state;
	container.throttled = 2;
	container.throttled_usec = 60000; /* 0.3 CPUs; half of the room are 0.8 */
	assert_near(pressure_one(&node, container), 1.3);
	container.throttled_usec = 200; /* next to nothing: a step that helps */
	assert_near(pressure_one(&node, container), 1.1);
	container.throttled_usec = 600000; /* 3 CPUs; never more than twice the limit */
	node.use = 0;
	assert_near(pressure_one(&node, container), 2.0);
	node.use = 50; /* half of 0.4 CPUs, for both together */
	two[0] = two[1] = container;
	turbo_pressure(&node, two, 2);
	assert_near(two[0].next, 1.1);
	assert_near(two[1].next, 1.1);
}

static void test_turbo_pressure_lends_nothing_to_a_busy_node(void **state)
{
	struct turbo_container container = container_of_quota(1.5);
	struct turbo_node node = quiet;

	(void)state;
	container.throttled = 1;
	container.throttled_usec = 50000;
	node.use = 60;
	assert_near(pressure_one(&node, container), 1.5);
	node.use = 20;
	node.pressure = 10;
	assert_near(pressure_one(&node, container), 1.5);
	/* Not throttled, and 0.3 CPUs not used: half of that. */
	container.throttled = 0;
	container.use = 1.2;
	assert_near(pressure_one(&node, container), 1.35);
	/* It used less than its limit: that stays its own. */
	container.quota = 1.04;
	container.use = 0.1;
	assert_near(pressure_one(&node, container), 1.0);
}

static void test_turbo_pressure_takes_back_when_short(void **state)
{
	struct turbo_container two[2] = { container_of_quota(2), container_of_quota(1.5) };
	struct turbo_node node = quiet;

	(void)state;
	two[0].throttled = 1;
	two[0].throttled_usec = 50000;
	node.use = 80; /* 0.8 CPUs over the high line, of 1.5 that are lent */
	turbo_pressure(&node, two, 2);
	assert_near(two[0].next, 2 - 0.8 / 1.5);
	assert_near(two[1].next, 1.5 - 0.5 * 0.8 / 1.5);
	node.use = 100; /* 1.6 CPUs: all of it */
	turbo_pressure(&node, two, 2);
	assert_near(two[0].next, 1.0);
	assert_near(two[1].next, 1.0);
	node.use = 20; /* by pressure alone: a quarter a tick */
	node.pressure = 25;
	turbo_pressure(&node, two, 2);
	assert_near(two[0].next, 1.75);
	assert_near(two[1].next, 1.375);
	assert_near(pressure_one(&node, container_of_quota(1.12)), 1.0);
}

static void test_turbo_pressure_takes_back_what_nobody_needs(void **state)
{
	struct turbo_container container = container_of_quota(2);

	(void)state;
	container.quiet_usec = 9.9e6;
	assert_near(pressure_one(&quiet, container), 2.0);
	container.quiet_usec = 10e6;
	assert_near(pressure_one(&quiet, container), 1.0);
	container.throttled = 1;
	assert_near(pressure_one(&quiet, container), 2.0);
}

static uint32_t random_next(uint32_t *seed)
{
	*seed = *seed * 1664525u + 1013904223u;
	return *seed >> 8;
}

static double random_to(uint32_t *seed, double most)
{
	return most * random_next(seed) / (double)(UINT32_MAX >> 8);
}

static void random_fill(uint32_t *seed, struct turbo_node *node, struct turbo_container *containers)
{
	*node = (struct turbo_node){
		.cpus = 1 + random_next(seed) % 256,
		.use = random_to(seed, 100),
		.spread = random_to(seed, 40),
		.high = random_to(seed, 90),
		.pressure = random_to(seed, 40),
		.elapsed_usec = random_to(seed, 2e6),
	};
	node->alarm = node->high + 1 + random_to(seed, 9);
	for (size_t i = 0; i < CONTAINERS; i++) {
		double limit = 0.01 + random_to(seed, node->cpus);

		containers[i] = (struct turbo_container){
			.limit = limit,
			/* Also more than any law gives: the limit was lowered. */
			.quota = limit * (1 + random_to(seed, 2)),
			.period_usec = 1000 + random_to(seed, 999000),
			.throttled = random_next(seed) % 3,
			.throttled_usec = random_to(seed, 1e7),
			.use = random_to(seed, 3 * limit),
			.samples = random_next(seed) % 60,
			.window_usec = random_to(seed, 6e6),
			.window_use_usec = random_to(seed, 6e6 * limit),
			.quiet_usec = random_to(seed, 2e7),
		};
	}
}

static double lent(const struct turbo_container *containers, bool next)
{
	double sum = 0;

	for (size_t i = 0; i < CONTAINERS; i++)
		sum += MAX((next ? containers[i].next : containers[i].quota) - containers[i].limit,
			   0.0);
	return sum;
}

static void check_always(const struct turbo_node *node, const struct turbo_container *containers)
{
	for (size_t i = 0; i < CONTAINERS; i++) {
		const struct turbo_container *container = &containers[i];

		assert_true(isfinite(container->next));
		assert_true(container->next >= container->limit);
		assert_true(container->next <= TURBO_HEIGHT * container->limit + 1e-9);
		/* Nobody is raised who is not throttled, and nobody on a node that is short. */
		if (container->next > container->quota + 1e-9) {
			assert_true(container->throttled > 0);
			assert_true(node->use < node->alarm);
		}
	}
	if (node->use >= node->alarm)
		assert_true(lent(containers, true) <= lent(containers, false) + 1e-9);
}

static void test_turbo_always(void **state)
{
	void (*const laws[])(const struct turbo_node *, struct turbo_container *,
			     size_t) = { turbo_rubik, turbo_pressure };
	struct turbo_container containers[CONTAINERS];
	struct turbo_node node;
	uint32_t seed = 7;

	(void)state;
	for (unsigned int round = 0; round < ROUNDS; round++) {
		random_fill(&seed, &node, containers);
		for (size_t i = 0; i < ARRAY_SIZE(laws); i++) {
			laws[i](&node, containers, CONTAINERS);
			check_always(&node, containers);
		}
		/* The last one was `pressure`: what is lent anew fits below the high line. */
		if (node.use < node.high)
			assert_true(lent(containers, true) - lent(containers, false) <=
				    (node.high - node.use) / 100 * node.cpus / 2 + 1e-9);
	}
}

/* A node that stays as it is: lending ends, and taking back ends at the limit. */
static void test_turbo_pressure_comes_to_rest(void **state)
{
	struct turbo_container container = container_of_quota(1);
	struct turbo_node node = quiet;
	unsigned int changes = 0;

	(void)state;
	container.throttled = 1;
	container.throttled_usec = 20000;
	for (unsigned int tick = 0; tick < 100; tick++) {
		turbo_pressure(&node, &container, 1);
		changes += !near(container.next, container.quota);
		container.quota = container.next;
	}
	assert_near(container.quota, 2.0);
	assert_true(changes <= 5);
	node.use = 85;
	container.throttled = 0;
	for (unsigned int tick = 0; tick < 12; tick++) {
		turbo_pressure(&node, &container, 1);
		container.quota = container.next;
	}
	assert_near(container.quota, 1.0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_turbo_rubik_gives_back_slowly_above_high),
		cmocka_unit_test(test_turbo_rubik_gives_back_fast_above_alarm),
		cmocka_unit_test(test_turbo_rubik_elevates_by_a_percent_of_the_node),
		cmocka_unit_test(test_turbo_rubik_keeps_to_the_budget_of_its_window),
		cmocka_unit_test(test_turbo_pressure_lends_what_is_lacked),
		cmocka_unit_test(test_turbo_pressure_lends_nothing_to_a_busy_node),
		cmocka_unit_test(test_turbo_pressure_takes_back_when_short),
		cmocka_unit_test(test_turbo_pressure_takes_back_what_nobody_needs),
		cmocka_unit_test(test_turbo_always),
		cmocka_unit_test(test_turbo_pressure_comes_to_rest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
