/* SPDX-License-Identifier: Apache-2.0 */
/* The laws of placement: vectors by hand, and what must hold for whatever comes. */
#include "berth-test.h"
#include "cpu-tree.h"
#include "macro.h"
#include "placement/cores.h"
#include "placement/tide.h"
#include "placement/topology.h"

static const struct cpu_tree trees[] = {
	{ "1 socket, SMT", 1, 4, 2, NULL },
	{ "2 sockets, SMT", 2, 8, 2, NULL },
	{ "no SMT", 1, 6, 1, NULL },
	{ "2 nodes, no SMT", 2, 3, 1, NULL },
	{ "threads offline", 1, 4, 2, ",3,5," },
	{ "4 threads a core", 2, 2, 4, NULL },
	{ "one CPU", 1, 1, 1, NULL },
	{ "one core", 1, 1, 2, NULL },
};

static void topology_of(const struct cpu_tree *tree, struct topology *ret)
{
	char dir[] = "/tmp/berth-cpus.XXXXXX", path[64];
	int fd;

	cpu_tree_make(tree, dir);
	(void)snprintf(path, sizeof(path), "%s/sys", dir);
	fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_ok(topology_read(fd, ret));
	assert_int_equal(close(fd), 0);
	cpu_tree_remove(dir);
}

static struct cpulist list_of(const char *text)
{
	struct cpulist list;

	assert_ok(cpulist_parse(text, &list));
	return list;
}

#define assert_list(list, expected)                                 \
	do {                                                        \
		char list_text[1024];                               \
		assert_ok(cpulist_format((list), list_text, 1024)); \
		assert_string_equal(list_text, (expected));         \
	} while (0)

static void test_topology_is_read_with_offline_threads(void **state)
{
	struct topology topology;

	(void)state;
	topology_of(&trees[1], &topology);
	assert_int_equal(topology.core_count, 16);
	assert_int_equal(topology.nodes, 2);
	assert_int_equal(topology.cpus, 32);
	assert_true(topology.smt);
	assert_list(&topology.cores[9].cpus, "9,25");
	assert_int_equal(topology.cores[9].node, 1);
	topology_done(&topology);
	topology_of(&trees[4], &topology);
	/* 3 is gone: its core has 7 alone; 5 is gone: its core has 1 alone. */
	assert_int_equal(topology.core_count, 4);
	assert_list(&topology.cores[1].cpus, "1");
	assert_list(&topology.cores[3].cpus, "7");
	assert_int_equal(topology.cpus, 6);
	topology_done(&topology);
}

static void test_topology_of_this_host_has_every_online_cpu_once(void **state)
{
	int fd = open("/sys", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct cpulist all = { 0 };
	struct topology topology;
	unsigned int threads = 0;

	(void)state;
	assert_true(fd >= 0);
	assert_ok(topology_read(fd, &topology));
	for (size_t i = 0; i < topology.core_count; i++) {
		threads += topology.cores[i].threads;
		cpulist_unite(&all, &topology.cores[i].cpus);
	}
	assert_true(cpulist_equals(&all, &topology.online));
	assert_int_equal(threads, sysconf(_SC_NPROCESSORS_ONLN));
	topology_done(&topology);
	assert_int_equal(close(fd), 0);
}

static void test_topology_last_takes_whole_cores_from_each_node(void **state)
{
	struct topology topology;
	struct cpulist list;

	(void)state;
	topology_of(&trees[1], &topology);
	topology_last(&topology, &topology.online, 4, &list);
	assert_list(&list, "7,15,23,31");
	topology_last(&topology, &topology.online, 7, &list);
	assert_list(&list, "7,14-15,23,30-31");
	topology_last(&topology, &topology.online, 31, &list);
	assert_list(&list, "1-15,17-31");
	topology_last(&topology, &topology.online, 32, &list);
	assert_list(&list, "0-31");
	topology_done(&topology);
}

static void test_topology_last_grows_without_moving(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(trees); i++) {
		struct cpulist before = { 0 };
		struct topology topology;

		topology_of(&trees[i], &topology);
		for (unsigned int count = 1; count <= topology.cpus; count++) {
			struct cpulist list;

			topology_last(&topology, &topology.online, count, &list);
			assert_false(cpulist_is_empty(&list));
			assert_true(cpulist_is_within(&before, &list));
			assert_true(cpulist_is_within(&list, &topology.online));
			/* Whole cores, and no more than was asked for but for the first one. */
			assert_true(cpulist_count(&list) <= MAX(count, 4u));
			for (size_t j = 0; j < topology.core_count; j++) {
				struct cpulist both = topology.cores[j].cpus;

				cpulist_intersect(&both, &list);
				assert_true(cpulist_is_empty(&both) ||
					    cpulist_equals(&both, &topology.cores[j].cpus));
			}
			before = list;
		}
		assert_true(cpulist_equals(&before, &topology.online));
		topology_done(&topology);
	}
}

/* ---- the tide ---- */

static const struct tide_config tide_config = {
	.high_percent = 10,
	.low_percent = 3,
	.floor_percent = 10,
	.share_percent = 50,
	.step_percent = 10,
	.calm_usec = 30 * USEC_PER_SEC,
	.stale_usec = 10 * USEC_PER_SEC,
};

static struct tide_input pressure(uint64_t seconds, unsigned int hundredths)
{
	return (struct tide_input){ .now_usec = (1000 + seconds) * USEC_PER_SEC,
				    .cpus = 20,
				    .signal = TIDE_PRESSURE,
				    .pressure = hundredths };
}

static void test_tide_vectors(void **state)
{
	static const struct {
		uint64_t seconds;
		unsigned int hundredths, allowed;
	} steps[] = {
		{ 0, 0, 10 },                      /* half of 20 CPUs, until something is known */
		{ 29, 100, 10 },                   /* calm, but not for long enough */
		{ 30, 0, 12 },                     /* a step */
		{ 59, 0, 12 },    { 60, 300, 14 }, /* up to the lower line it is calm */
		{ 61, 301, 14 }, /* between the lines nothing moves, but calm begins again */
		{ 90, 0, 14 },    { 119, 0, 14 },   { 120, 0, 16 },
		{ 121, 999, 16 }, { 122, 1000, 8 }, /* at once */
		{ 123, 1000, 4 }, { 124, 2000, 2 }, /* to the floor */
		{ 125, 9999, 2 }, { 10000, 0, 2 },  /* however long nobody looked: calm begins */
		{ 20000, 0, 4 },                    /* and one step only */
	};
	struct tide tide = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		struct tide_input input = pressure(steps[i].seconds, steps[i].hundredths);

		tide_step(&tide, &tide_config, &input);
		if (tide.allowed != steps[i].allowed)
			fail_msg("step %zu: %u, not %u", i, tide.allowed, steps[i].allowed);
	}
}

static void test_tide_without_news_falls_to_the_safe_share(void **state)
{
	struct tide tide = { 0 };
	struct tide_input input;

	(void)state;
	for (uint64_t i = 0; i < 400; i += 10) {
		input = pressure(i, 0);
		tide_step(&tide, &tide_config, &input);
	}
	assert_int_equal(tide.allowed, 20);
	input = pressure(395, 0);
	input.signal = TIDE_NOTHING;
	tide_step(&tide, &tide_config, &input);
	assert_int_equal(tide.allowed, 20);
	input.now_usec += 10 * USEC_PER_SEC;
	tide_step(&tide, &tide_config, &input);
	assert_int_equal(tide.allowed, 10);
	assert_true(tide.stale);
	/* It never gives: who has less keeps less. */
	input = pressure(500, 2000);
	tide_step(&tide, &tide_config, &input);
	assert_int_equal(tide.allowed, 2);
	input.signal = TIDE_NOTHING;
	input.now_usec += 3600 * USEC_PER_SEC;
	tide_step(&tide, &tide_config, &input);
	assert_int_equal(tide.allowed, 2);
}

static void test_tide_by_use_leaves_what_is_used_and_a_quarter(void **state)
{
	static const struct {
		uint64_t seconds;
		unsigned int used, allowed;
	} steps[] = {
		{ 0, 0, 10 },       { 30, 0, 12 },
		{ 31, 8000, 10 }, /* 8 and 2 more */
		{ 32, 20000, 2 },   { 33, 4000, 2 },
		{ 63, 4000, 4 },    { 1000, 14000, 2 }, /* 18 kept (17.5), 2 left */
		{ 1001, 13600, 2 }, /* 17 kept, 3 left: one more is no reason to move */
		{ 2000, 13600, 2 }, { 3000, 300, 2 },
		{ 3100, 300, 4 }, /* next to nothing is none */
		{ 3200, 300, 6 },   { 3300, 300, 8 },
		{ 3400, 300, 10 },  { 3500, 300, 12 },
		{ 3600, 300, 14 },  { 3700, 300, 16 },
		{ 3800, 300, 18 },  { 3900, 300, 20 },
	};
	struct tide tide = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		struct tide_input input = pressure(steps[i].seconds, 0);

		input.signal = TIDE_USE;
		input.used_milli = steps[i].used;
		tide_step(&tide, &tide_config, &input);
		if (tide.allowed != steps[i].allowed)
			fail_msg("step %zu: %u, not %u", i, tide.allowed, steps[i].allowed);
	}
}

static uint64_t seed = 88172645463325252u;

static unsigned int random_below(unsigned int limit)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (unsigned int)(seed % limit);
}

static struct tide_config random_config(void)
{
	struct tide_config config = tide_config;

	config.high_percent = 1 + random_below(100);
	config.low_percent = random_below((unsigned int)config.high_percent);
	config.floor_percent = random_below(101);
	config.share_percent = random_below(101);
	config.step_percent = 1 + random_below(100);
	config.calm_usec = (1 + random_below(60)) * USEC_PER_SEC;
	return config;
}

static void test_tide_holds_whatever_comes(void **state)
{
	(void)state;
	for (unsigned int run = 0; run < 400; run++) {
		struct tide_config config = random_config();
		unsigned int cpus = 1 + random_below(256);
		uint64_t now = 1000 * USEC_PER_SEC, widened = 0;
		struct tide tide = { 0 };

		for (unsigned int i = 0; i < 300; i++) {
			unsigned int before = tide.allowed;
			struct tide_input input = {
				.now_usec = now += random_below(5000000),
				.cpus = cpus,
				.signal = (enum tide_signal)random_below(3),
				.pressure = random_below(10001),
				.used_milli = random_below(2000 * cpus),
			};

			tide_step(&tide, &config, &input);
			assert_true(tide.allowed >= tide_floor(&config, cpus));
			assert_true(tide.allowed >= 1 && tide.allowed <= cpus);
			if (before == 0)
				continue;
			/* Never wider without news, never twice within a span of calm, never by
			 * more than a step. */
			if (tide.allowed > before) {
				assert_true(input.signal != TIDE_NOTHING);
				assert_true(widened == 0 || now - widened >= config.calm_usec);
				assert_true(
					tide.allowed - before <=
					MAX(1u, (unsigned int)((cpus * config.step_percent + 50) /
							       100)));
				widened = now;
			}
			/* Over the upper line it is narrowed at once, unless at the floor. */
			if (input.signal == TIDE_PRESSURE &&
			    input.pressure >= config.high_percent * 100)
				assert_true(tide.allowed < before ||
					    tide.allowed == tide_floor(&config, cpus));
		}
	}
}

/* A load that stays: it settles, or moves at most once in a span of calm each way. */
static void test_tide_is_quiet_under_a_steady_load(void **state)
{
	(void)state;
	for (unsigned int hundredths = 0; hundredths <= 10000; hundredths += 50) {
		unsigned int changes = 0;
		struct tide tide = { 0 };

		for (uint64_t second = 0; second < 1200; second++) {
			unsigned int before = tide.allowed;
			struct tide_input input = pressure(second, hundredths);

			tide_step(&tide, &tide_config, &input);
			changes += second >= 600 && tide.allowed != before;
		}
		assert_int_equal(changes, 0);
	}
}

/* ---- whole cores ---- */

static void test_cores_vectors(void **state)
{
	struct cpulist none = { 0 }, taken = list_of("1,17");
	struct cores_wish wishes[4] = { { .id = 1, .cpus = 2 },
					{ .id = 2, .cpus = 3 },
					{ .id = 3, .cpus = 14 },
					{ .id = 4, .cpus = 20 } };
	struct topology topology;

	(void)state;
	topology_of(&trees[1], &topology); /* 0-7,16-23 and 8-15,24-31 */
	cores_give(&topology, &none, 2, wishes, 4);
	/* Equal nodes: the first; CPU 0 is left to the end. */
	assert_list(&wishes[0].given, "1,17");
	assert_list(&wishes[1].given, "2-3,18-19");
	/* Does not fit beside these. */
	assert_list(&wishes[2].given, "8-14,24-30");
	assert_true(cpulist_is_empty(&wishes[3].given));
	assert_non_null(wishes[3].why_not);
	/* Kept as they are when one goes; what is taken moves. */
	wishes[1] = (struct cores_wish){ .id = 5, .cpus = 6 };
	cores_give(&topology, &taken, 2, wishes, 3);
	assert_list(&wishes[2].given, "8-14,24-30");
	/* Where it leaves least over. */
	assert_list(&wishes[0].given, "15,31");
	assert_list(&wishes[1].given, "2-4,18-20");
	/* Resized in place: another number of cores. */
	wishes[1].cpus = 4;
	cores_give(&topology, &taken, 2, wishes, 3);
	assert_int_equal(cpulist_count(&wishes[1].given), 4);
	/* Larger than a node: as few nodes as may be. */
	wishes[0] = (struct cores_wish){ .id = 9, .cpus = 20 };
	cores_give(&topology, &none, 2, wishes, 1);
	assert_int_equal(cpulist_count(&wishes[0].given), 20);
	topology_done(&topology);
}

static void test_cores_hold_whatever_comes(void **state)
{
	(void)state;
	for (unsigned int run = 0; run < 2000; run++) {
		struct cores_wish wishes[12];
		struct topology topology;
		unsigned int count, keep;
		static struct topology kept[ARRAY_SIZE(trees)];
		static bool has[ARRAY_SIZE(trees)];
		size_t tree = random_below(ARRAY_SIZE(trees));
		struct cpulist taken = { 0 }, given = { 0 };

		if (!has[tree])
			topology_of(&trees[tree], &kept[tree]);
		has[tree] = true;
		topology = kept[tree];
		keep = random_below(topology.cpus + 1);
		count = random_below(ARRAY_SIZE(wishes) + 1);
		for (unsigned int i = 0; i < random_below(3); i++)
			cpulist_add(&taken, random_below(topology.cpus));
		for (unsigned int i = 0; i < count; i++)
			wishes[i] = (struct cores_wish){ .id = i + 1, .cpus = 1 + random_below(8) };
		for (unsigned int round = 0; round < 3; round++) {
			struct cores_wish before[12];

			memcpy(before, wishes, sizeof(before[0]) * count);
			cores_give(&topology, &taken, keep, wishes, count);
			given = (struct cpulist){ 0 };
			for (unsigned int i = 0; i < count; i++) {
				struct cpulist both = given;

				/* Either cores or a reason. */
				assert_true(cpulist_is_empty(&wishes[i].given) ==
					    (wishes[i].why_not != NULL));
				cpulist_intersect(&both, &wishes[i].given);
				assert_true(cpulist_is_empty(&both));
				cpulist_unite(&given, &wishes[i].given);
				if (!wishes[i].why_not)
					assert_true(cpulist_count(&wishes[i].given) >=
						    wishes[i].cpus);
				/* The same question has the same answer. */
				if (round > 0 && !cpulist_is_empty(&before[i].given))
					assert_true(
						cpulist_equals(&before[i].given, &wishes[i].given));
			}
			struct cpulist both = given, rest = topology.online;

			cpulist_intersect(&both, &taken);
			assert_true(cpulist_is_empty(&both));
			/* No thread of a core that is given is anybody else's. */
			for (size_t i = 0; i < topology.core_count; i++) {
				both = topology.cores[i].cpus;
				cpulist_intersect(&both, &given);
				assert_true(cpulist_is_empty(&both) ||
					    cpulist_equals(&both, &topology.cores[i].cpus));
			}
			cpulist_subtract(&rest, &given);
			cpulist_subtract(&rest, &taken);
			if (!cpulist_is_empty(&given))
				assert_true(cpulist_count(&rest) >= MAX(keep, 1u));
		}
		if (run == 1999)
			for (size_t i = 0; i < ARRAY_SIZE(trees); i++)
				topology_done(&kept[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_topology_is_read_with_offline_threads),
		cmocka_unit_test(test_topology_of_this_host_has_every_online_cpu_once),
		cmocka_unit_test(test_topology_last_takes_whole_cores_from_each_node),
		cmocka_unit_test(test_topology_last_grows_without_moving),
		cmocka_unit_test(test_tide_vectors),
		cmocka_unit_test(test_tide_without_news_falls_to_the_safe_share),
		cmocka_unit_test(test_tide_by_use_leaves_what_is_used_and_a_quarter),
		cmocka_unit_test(test_tide_holds_whatever_comes),
		cmocka_unit_test(test_tide_is_quiet_under_a_steady_load),
		cmocka_unit_test(test_cores_vectors),
		cmocka_unit_test(test_cores_hold_whatever_comes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
