/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test-cache-counted.c - the class dynamic where CPUs count misses and cycles. No PMU is needed:
 * what one would have counted is replayed into the samples, in those windows only in which the
 * service has asked for it.
 */
#include <math.h>
#include <sys/stat.h>

#include "berth-test.h"
#include "cache/cache.h"
#include "fake-agent.h"
#include "fixture-copy.h"
#include "macro.h"
#include "parse.h"

extern const struct berth_plugin berth_plugin;

#define ON     "cache: {enabled: true}"
#define PODS   4u
#define WINDOW (2 * USEC_PER_SEC)
#define EVERY  (10 * USEC_PER_SEC)

static char top[] = "/tmp/berth-counted.XXXXXX";
static const struct berth_target host = { .kind = TARGET_HOST };

/* What an online workload is like, from here on. */
struct load {
	double rate, cpi; /* misses by references; cycles by instruction */
	double waits;     /* share of the time */
	bool idle;
};

struct world {
	struct fake_agent *fake;
	uint64_t ids[PODS], batch;
	struct load load[PODS];
	unsigned int pods;
	uint64_t bytes_per_usec, bytes; /* of memory traffic, for CPU time; 0: not measured */
	bool no_cache_events;
};

static void put(const char *name, const char *text)
{
	char path[256];
	FILE *stream;

	(void)snprintf(path, sizeof(path), "%s/%s", top, name);
	stream = fopen(path, "we");
	assert_non_null(stream);
	(void)fputs(text, stream);
	assert_int_equal(fclose(stream), 0);
}

static int group_setup(void **state)
{
	static const char *const names[] = { "info", "info/L3", "mon_data", "mon_data/mon_L3_00" };
	char path[256];

	(void)state;
	if (!mkdtemp(top))
		return -1;
	cache_resctrl = top;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", top, names[i]);
		assert_int_equal(mkdir(path, 0755), 0);
	}
	put("info/L3/num_closids", "16\n");
	return 0;
}

static int group_teardown(void **state)
{
	(void)state;
	fixture_remove(top);
	return 0;
}

static void world_start(struct world *world, unsigned int pods, bool can_count,
			const char *settings)
{
	static const char *const names[PODS] = { "web", "shop", "mail", "search" };

	*world = (struct world){ .fake = fake_agent_new(), .pods = pods };
	put("mon_data/mon_L3_00/mbm_total_bytes", "Unavailable\n");
	world->fake->can_count = can_count;
	assert_ok(fake_agent_start(world->fake, &berth_plugin, settings));
	for (unsigned int i = 0; i < pods; i++) {
		world->load[i] = (struct load){ .rate = 0.2, .cpi = 1.0 };
		world->ids[i] = fake_agent_add(world->fake, "pod", "ns", names[i], QOS_HIGH);
	}
	world->batch = fake_agent_add(world->fake, "pod", "ns", "job", QOS_BATCH);
}

/* Half a CPU, of what the load is like. */
static void pod_runs(struct world *world, unsigned int i, uint64_t usec)
{
	struct workload_sample *sample = fake_agent_sample(world->fake, world->ids[i]);
	const struct load *load = &world->load[i];
	uint64_t instructions = usec * 1000, references = instructions / 100;

	sample->known[0] = sample->known[1] = UINT64_MAX;
	if (world->no_cache_events)
		sample->known[SAMPLE_CACHE_MISSES / 64] &= ~(1ULL << SAMPLE_CACHE_MISSES % 64);
	sample->generation++;
	sample->time_usec += usec;
	sample->value[SAMPLE_PRESSURE_CPU_SOME_USEC] += (uint64_t)((double)usec * load->waits);
	if (load->idle)
		return;
	sample->value[SAMPLE_CPU_USAGE_USEC] += usec / 2;
	world->bytes += usec / 2 * world->bytes_per_usec;
	if (!fake_agent_counts(world->fake, world->ids[i]))
		return;
	sample->value[SAMPLE_INSTRUCTIONS] += instructions;
	sample->value[SAMPLE_CYCLES] += (uint64_t)((double)instructions * load->cpi);
	sample->value[SAMPLE_CACHE_REFERENCES] += references;
	sample->value[SAMPLE_CACHE_MISSES] += (uint64_t)((double)references * load->rate);
}

static void runs(struct world *world, uint64_t usec)
{
	char text[32];

	for (unsigned int i = 0; i < world->pods; i++)
		pod_runs(world, i, usec);
	if (world->bytes_per_usec) {
		(void)snprintf(text, sizeof(text), "%llu\n", (unsigned long long)world->bytes);
		put("mon_data/mon_L3_00/mbm_total_bytes", text);
	}
	assert_ok(fake_agent_advance(world->fake, usec));
}

/* Until a window begins, and that window; the step is done at its end. The fake's timers begin when
 * they are made, berthd's are aligned: there a round is EVERY. */
static void round_pass(struct world *world)
{
	runs(world, EVERY);
	runs(world, WINDOW + 1);
}

static void rounds_pass(struct world *world, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		round_pass(world);
}

static unsigned int share(const struct world *world)
{
	const struct fake_claim *claim = fake_agent_claim(world->fake, host, KNOB_CACHE_DYNAMIC);
	uint64_t l3 = 0;

	if (claim) {
		assert_int_equal(strncmp(claim->text, "l3=", 3), 0);
		assert_ok(parse_u64_span(claim->text + 3, strcspn(claim->text + 3, " "), &l3));
	}
	return (unsigned int)l3;
}

#define assert_said(world, text)                                                       \
	do {                                                                           \
		const char *said_ = fake_agent_description((world)->fake, 0, "cache"); \
                                                                                       \
		if (!strstr(said_, text))                                              \
			print_message("# %s\n", said_);                                \
		assert_non_null(strstr(said_, text));                                  \
	} while (0)

/* At high, with everybody as usual. */
static void grown(struct world *world, unsigned int pods)
{
	world_start(world, pods, true, ON);
	rounds_pass(world, 16);
	assert_int_equal(share(world), 50);
}

static void test_usual_is_learned_before_it_grows_slowly(void **state)
{
	struct world world;

	(void)state;
	world_start(&world, 1, true, ON);
	assert_int_equal(share(&world), 20);
	for (unsigned int i = 0; i < CACHE_LEARN; i++) {
		round_pass(&world);
		assert_int_equal(share(&world), 20);
	}
	assert_said(&world, "of 1 is not known yet what is usual");
	for (unsigned int i = 1; i <= 6; i++) {
		round_pass(&world);
		assert_int_equal(share(&world), 20 + 5 * i);
	}
	assert_said(&world, "worst off is web: CPI 1.00, 0.00 % more than usual");
	assert_said(&world, "misses 20.0 % of its cache references");
	assert_said(&world, "grows");
	round_pass(&world);
	assert_int_equal(share(&world), 50);
	(void)fake_agent_free(world.fake);
}

static void test_misses_and_cpi_together_shrink_it_at_once(void **state)
{
	struct world world;

	(void)state;
	grown(&world, 2);
	/* Misses more, and no instruction takes longer: it streams. Then the other way round. */
	world.load[1].rate = 0.26;
	round_pass(&world);
	assert_int_equal(share(&world), 50);
	assert_said(&world, "stays");
	world.load[1] = (struct load){ .rate = 0.2, .cpi = 1.3 };
	round_pass(&world);
	assert_int_equal(share(&world), 50);
	world.load[1] = (struct load){ .rate = 0.26, .cpi = 1.06 };
	round_pass(&world);
	assert_int_equal(share(&world), 20);
	assert_said(&world, "shrinks: worst off is shop: CPI 1.06, ");
	assert_said(&world, "2 online counted");
	(void)fake_agent_free(world.fake);
}

static void test_misses_and_waits_together_shrink_it(void **state)
{
	struct world world;

	(void)state;
	grown(&world, 1);
	world.load[0].waits = 0.2;
	round_pass(&world);
	assert_int_equal(share(&world), 50);
	world.load[0] = (struct load){ .rate = 0.23, .cpi = 1.0, .waits = 0.3 };
	round_pass(&world);
	assert_int_equal(share(&world), 20);
	assert_said(&world, "waits 29.99 % for a CPU");
	(void)fake_agent_free(world.fake);
}

/* Who always waits does not keep the class small. */
static void test_waits_that_are_usual_are_no_sign(void **state)
{
	struct world world;

	(void)state;
	world_start(&world, 1, true, ON);
	world.load[0].waits = 0.4;
	rounds_pass(&world, 12);
	assert_int_equal(share(&world), 50);
	world.load[0].rate = 0.26;
	round_pass(&world);
	assert_int_equal(share(&world), 50);
	(void)fake_agent_free(world.fake);
}

static void test_misses_of_one_and_cpi_of_another_are_no_sign(void **state)
{
	struct world world;

	(void)state;
	grown(&world, 2);
	world.load[0].rate = 0.3;
	world.load[1].cpi = 1.4;
	round_pass(&world);
	assert_int_equal(share(&world), 50);
	assert_said(&world, "stays");
	(void)fake_agent_free(world.fake);
}

/* The online workload does something else now: at low that cannot be the class' doing, and so it
 * becomes what is usual. */
static void test_another_usual_is_learned_at_low(void **state)
{
	struct world world;

	(void)state;
	grown(&world, 1);
	world.load[0] = (struct load){ .rate = 0.5, .cpi = 1.8 };
	round_pass(&world);
	assert_int_equal(share(&world), 20);
	round_pass(&world);
	assert_int_equal(share(&world), 20);
	rounds_pass(&world, 30);
	assert_int_equal(share(&world), 50);
	/* And what was usual before is better than usual. */
	world.load[0] = (struct load){ .rate = 0.2, .cpi = 1.0 };
	round_pass(&world);
	assert_int_equal(share(&world), 50);
	(void)fake_agent_free(world.fake);
}

static void test_it_counts_in_windows_only(void **state)
{
	struct world world;
	unsigned int calls, counted = 0;

	(void)state;
	grown(&world, 2);
	calls = world.fake->count_calls;
	for (unsigned int i = 0; i < 100; i++) {
		counted += fake_agent_counts(world.fake, world.ids[0]);
		assert_false(fake_agent_counts(world.fake, world.batch));
		runs(&world, USEC_PER_SEC);
	}
	assert_in_range(counted, 100 * WINDOW / (EVERY + WINDOW) - 3,
			100 * WINDOW / (EVERY + WINDOW) + 3);
	assert_in_range(world.fake->count_calls - calls, 2 * 7, 2 * 9);
	/* Nobody is in the class: nobody is counted. */
	fake_agent_remove(world.fake, world.batch);
	calls = world.fake->count_calls;
	runs(&world, 60 * USEC_PER_SEC);
	assert_int_equal(world.fake->count_calls, calls);
	(void)fake_agent_free(world.fake);
}

/* Room for one: everybody gets his turn, and is found. */
static void test_they_take_turns_when_there_is_no_room(void **state)
{
	struct world world;
	unsigned int counted[PODS] = { 0 };

	(void)state;
	world_start(&world, PODS, true, ON);
	world.fake->count_room = 1;
	for (unsigned int i = 0; i < 6 * PODS; i++) {
		runs(&world, EVERY);
		for (unsigned int k = 0; k < PODS; k++)
			counted[k] += fake_agent_counts(world.fake, world.ids[k]);
		runs(&world, WINDOW + 1);
	}
	for (unsigned int k = 0; k < PODS; k++)
		assert_int_equal(counted[k], 6);
	rounds_pass(&world, 2 * PODS);
	assert_int_equal(share(&world), 50);
	world.load[2] = (struct load){ .rate = 0.5, .cpi = 2 };
	rounds_pass(&world, PODS);
	assert_true(share(&world) < 50);
	(void)fake_agent_free(world.fake);
}

/* A PMU whose misses are of another level (AMD) shows none that are more; the traffic does. */
static void test_traffic_stands_for_misses_of_another_level(void **state)
{
	struct world world;

	(void)state;
	world_start(&world, 1, true, ON);
	world.bytes_per_usec = 100;
	rounds_pass(&world, 16);
	assert_int_equal(share(&world), 50);
	world.load[0].cpi = 1.2;
	round_pass(&world);
	assert_int_equal(share(&world), 50);
	world.bytes_per_usec = 150;
	round_pass(&world);
	assert_int_equal(share(&world), 20);
	assert_said(&world, "memory traffic for their CPU time ");
	(void)fake_agent_free(world.fake);
}

/* Cycles only, and no traffic either: CPI alone has to do. */
static void test_cpi_alone_where_no_misses_are_counted(void **state)
{
	struct world world;

	(void)state;
	world_start(&world, 1, true, ON);
	world.no_cache_events = true;
	rounds_pass(&world, 16);
	assert_int_equal(share(&world), 50);
	world.load[0].cpi = 1.07;
	round_pass(&world);
	assert_int_equal(share(&world), 50);
	world.load[0].cpi = 1.12;
	round_pass(&world);
	assert_int_equal(share(&world), 20);
	(void)fake_agent_free(world.fake);
}

static void test_without_a_pmu_it_is_said_and_goes_by_waits(void **state)
{
	struct world world;

	(void)state;
	world_start(&world, 1, false, ON);
	for (unsigned int i = 0; i < 10; i++)
		runs(&world, USEC_PER_SEC);
	assert_int_equal(share(&world), 50);
	assert_int_equal(world.fake->count_calls, 0);
	assert_said(&world, "misses not counted: the fake has no PMU");
	/* One comes, as after a reload of the policy that tries again. */
	world.fake->can_count = true;
	for (unsigned int i = 0; i < 25; i++)
		runs(&world, USEC_PER_SEC);
	assert_in_range(world.fake->count_calls, 2, 3);
	assert_said(&world, "1 online counted");
	/* And goes. */
	world.fake->can_count = false;
	for (unsigned int i = 0; i < 25; i++)
		runs(&world, USEC_PER_SEC);
	assert_said(&world, "misses not counted: the fake has no PMU");
	(void)fake_agent_free(world.fake);
}

static void test_counters_may_be_off(void **state)
{
	struct world world;

	(void)state;
	world_start(&world, 1, true, "cache: {enabled: true, counters: false}");
	for (unsigned int i = 0; i < 10; i++)
		runs(&world, USEC_PER_SEC);
	assert_int_equal(world.fake->count_calls, 0);
	assert_said(&world, "off in the policy");
	assert_ok(fake_agent_apply(world.fake, ON));
	rounds_pass(&world, 2);
	assert_true(world.fake->count_calls > 0);
	assert_ok(fake_agent_apply(world.fake, NULL));
	world.fake->count_calls = 0;
	rounds_pass(&world, 2);
	assert_int_equal(world.fake->count_calls, 0);
	assert_int_equal(share(&world), 0);
	(void)fake_agent_free(world.fake);
}

static void test_idle_workloads_do_not_hold_it(void **state)
{
	struct world world;

	(void)state;
	world_start(&world, 2, true, ON);
	world.load[0].idle = world.load[1].idle = true;
	rounds_pass(&world, 10);
	assert_int_equal(share(&world), 50);
	assert_said(&world, "0 online counted");
	(void)fake_agent_free(world.fake);
}

static void test_no_telemetry_is_the_safe_share(void **state)
{
	struct world world;

	(void)state;
	grown(&world, 1);
	world.fake->fresh_error = -EIO;
	round_pass(&world);
	assert_int_equal(share(&world), 20);
	(void)fake_agent_free(world.fake);
}

/* A group that was made again has counters that begin anew. */
static void test_counters_that_go_back_say_nothing(void **state)
{
	struct world world;
	struct workload_sample *sample;

	(void)state;
	grown(&world, 1);
	sample = fake_agent_sample(world.fake, world.ids[0]);
	for (int value = SAMPLE_CYCLES; value <= SAMPLE_CACHE_MISSES; value++)
		sample->value[value] = 0;
	round_pass(&world);
	assert_int_equal(share(&world), 50);
	assert_said(&world, "0 online counted");
	round_pass(&world);
	assert_said(&world, "1 online counted");
	(void)fake_agent_free(world.fake);
}

/* ---- laws ---- */

static const struct cache_config defaults = {
	.max_miss = 20,
	.min_miss = 10,
	.max_cpi = 10,
	.min_cpi = 5,
	.max_pressure = 10,
	.min_pressure = 5,
};

static uint64_t random_next(uint64_t *random)
{
	*random ^= *random << 13;
	*random ^= *random >> 7;
	*random ^= *random << 17;
	return *random;
}

/* Nobody loses cache to misses that harm nobody, nor to harm that is not of the cache; between the
 * lines nothing moves. */
static void test_law_takes_both_signs_to_shrink(void **state)
{
	uint64_t random = 88172645463325252ULL;
	unsigned int steps[CACHE_GROW + 1] = { 0 };

	(void)state;
	for (unsigned int i = 0; i < 200000; i++) {
		struct cache_reading reading = {
			.has_miss = true,
			.has_cpi = random_next(&random) % 2,
			.has_pressure = random_next(&random) % 2,
			.miss = (uint32_t)(random_next(&random) % 3000),
			.cpi = (uint32_t)(random_next(&random) % 1500),
			.pressure = (uint32_t)(random_next(&random) % 1500),
		};
		enum cache_step step = cache_judge(&defaults, &reading);
		bool harm = (reading.has_cpi && reading.cpi >= 500) ||
			    (reading.has_pressure && reading.pressure >= 500);

		steps[step]++;
		if (!reading.has_cpi && !reading.has_pressure)
			continue;
		if (step == CACHE_SHRINK)
			assert_true(harm && reading.miss >= 1000);
		if (step == CACHE_GROW)
			assert_true(!harm && reading.miss < 1000);
		if (harm && reading.miss >= 2000)
			assert_int_equal(step, CACHE_SHRINK);
	}
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++)
		assert_true(steps[i] > 1000);
}

static void test_usual_is_between_what_was_seen_and_follows(void **state)
{
	uint64_t random = 2463534242ULL;

	(void)state;
	for (unsigned int run = 0; run < 2000; run++) {
		struct cache_usual usual = { 0 };
		double least = INFINITY, most = 0, value = 1, before;

		for (unsigned int i = 0; i < 50; i++) {
			value = 0.1 + (double)(random_next(&random) % 1000) / 100;
			least = MIN(least, value);
			most = MAX(most, value);
			before = usual.value;
			cache_usual_learn(&usual, value, random_next(&random) % 2);
			assert_true(usual.value >= least - 1e-9 && usual.value <= most + 1e-9);
			assert_int_equal(cache_usual_known(&usual), i + 1 >= CACHE_LEARN);
			if (i >= CACHE_LEARN)
				assert_true((usual.value - before) * (value - before) >= 0);
		}
		/* At low it gets there, from above and from below; above low it hardly gets up. */
		for (unsigned int i = 0; i < 30; i++)
			cache_usual_learn(&usual, value, true);
		assert_true(fabs(usual.value - value) < 0.01 * value);
		before = usual.value;
		cache_usual_learn(&usual, value * 2, false);
		assert_true(usual.value < before * 1.02);
		cache_usual_learn(&usual, value / 2, false);
		assert_true(usual.value < before * 0.9);
	}
}

static void test_growth_is_of_what_is_usual_and_bounded(void **state)
{
	struct cache_usual usual = { .count = CACHE_LEARN, .value = 0.2 }, none = { 0 };

	(void)state;
	assert_int_equal(cache_usual_growth(&usual, 0.2, 0), 0);
	assert_int_equal(cache_usual_growth(&usual, 0.1, 0), 0);
	assert_in_range(cache_usual_growth(&usual, 0.25, 0), 2499, 2500);
	assert_int_equal(cache_usual_growth(&usual, 1e300, 0), CACHE_WHOLE);
	assert_int_equal(cache_usual_growth(&none, 0, 0), 0);
	assert_int_equal(cache_usual_growth(&none, 1e-9, 0), CACHE_WHOLE);
	/* Twice next to nothing is next to nothing. */
	usual.value = 0.001;
	assert_in_range(cache_usual_growth(&usual, 0.002, 0.02), 499, 500);
}

static void test_little_says_nothing(void **state)
{
	struct cache_counters none = { 0 };
	struct cache_counters some = {
		.has_cycles = true,
		.has_cache = true,
		.cycles = 3000000,
		.instructions = 2000000,
		.references = 20000,
		.misses = 5000,
	};
	struct cache_counters little = some, odd = some, without = some;
	double value = -1;

	(void)state;
	assert_true(cache_cpi(&none, &some, &value));
	assert_true(value == 1.5);
	assert_true(cache_miss_rate(&none, &some, &value));
	assert_true(value == 0.25);
	little.instructions = 999999;
	little.references = 9999;
	assert_false(cache_cpi(&none, &little, &value));
	assert_false(cache_miss_rate(&none, &little, &value));
	assert_false(cache_cpi(&some, &some, &value));
	assert_false(cache_cpi(&some, &none, &value));
	assert_false(cache_miss_rate(&some, &none, &value));
	/* More misses than references: what was fetched ahead is one and not the other. */
	odd.misses = 30000;
	assert_true(cache_miss_rate(&none, &odd, &value));
	assert_true(value == 1.0);
	without.has_cycles = without.has_cache = false;
	assert_false(cache_cpi(&none, &without, &value));
	assert_false(cache_miss_rate(&none, &without, &value));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_usual_is_learned_before_it_grows_slowly),
		cmocka_unit_test(test_misses_and_cpi_together_shrink_it_at_once),
		cmocka_unit_test(test_misses_and_waits_together_shrink_it),
		cmocka_unit_test(test_waits_that_are_usual_are_no_sign),
		cmocka_unit_test(test_misses_of_one_and_cpi_of_another_are_no_sign),
		cmocka_unit_test(test_another_usual_is_learned_at_low),
		cmocka_unit_test(test_it_counts_in_windows_only),
		cmocka_unit_test(test_they_take_turns_when_there_is_no_room),
		cmocka_unit_test(test_traffic_stands_for_misses_of_another_level),
		cmocka_unit_test(test_cpi_alone_where_no_misses_are_counted),
		cmocka_unit_test(test_without_a_pmu_it_is_said_and_goes_by_waits),
		cmocka_unit_test(test_counters_may_be_off),
		cmocka_unit_test(test_idle_workloads_do_not_hold_it),
		cmocka_unit_test(test_no_telemetry_is_the_safe_share),
		cmocka_unit_test(test_counters_that_go_back_say_nothing),
		cmocka_unit_test(test_law_takes_both_signs_to_shrink),
		cmocka_unit_test(test_usual_is_between_what_was_seen_and_follows),
		cmocka_unit_test(test_growth_is_of_what_is_usual_and_bounded),
		cmocka_unit_test(test_little_says_nothing),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
