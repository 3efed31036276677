/* SPDX-License-Identifier: Apache-2.0 */
/* test-evict-law.c - the pure parts of eviction: readings, N of M, the order of victims, texts. */
#include "berth-test.h"
#include "evict/evict.h"
#include "macro.h"

#define GIB (UINT64_C(1) << 30)

static const struct evict_config defaults = {
	.enabled = 1,
	.period_usec = USEC_PER_SEC,
	.window = 5,
	.samples = 3,
	.memory_available_percent = 10,
	.memory_hard_percent = 3,
	.pressure_percent = { [EVICT_MEMORY] = 20 },
};

static struct node_sample node_at(uint64_t usec, uint64_t available_percent)
{
	return (struct node_sample){
		.time_usec = usec,
		.cpu_total_usec = usec * 2,
		.cpu_busy_usec = usec,
		.memory_total_bytes = 10 * GIB,
		.memory_available_bytes = 10 * GIB / 100 * available_percent,
		.pressure_known = 0x3f,
	};
}

static void test_evict_read_takes_the_larger_line(void **state)
{
	struct evict_config config = defaults;
	struct node_sample before = node_at(USEC_PER_SEC, 9), now = node_at(2 * USEC_PER_SEC, 9);
	struct evict_reading reading;

	(void)state;
	assert_true(evict_read(&config, &before, &now, &reading));
	assert_int_equal(reading.line_bytes, 10 * GIB / 100 * 10);
	assert_int_equal(reading.cpu_share, 5000);
	assert_false(reading.hard);
	assert_true(evict_worth_a_look(&config, &reading));
	config.memory_available_bytes = 5 * GIB;
	assert_true(evict_read(&config, &before, &now, &reading));
	assert_int_equal(reading.line_bytes, 5 * GIB);
	now = node_at(2 * USEC_PER_SEC, 2);
	assert_true(evict_read(&config, &before, &now, &reading));
	assert_true(reading.hard);
	now = node_at(2 * USEC_PER_SEC, 60);
	assert_true(evict_read(&config, &before, &now, &reading));
	assert_false(evict_worth_a_look(&config, &reading));
	now.pressure_usec[SAMPLE_PRESSURE_MEMORY_SOME_USEC - SAMPLE_PRESSURE_FIRST] = 300000;
	assert_true(evict_read(&config, &before, &now, &reading));
	assert_int_equal(reading.stalled[EVICT_MEMORY], 3000);
	assert_true(evict_worth_a_look(&config, &reading));
	now.pressure_known = 0; /* a kernel without PSI */
	assert_true(evict_read(&config, &before, &now, &reading));
	assert_false(evict_worth_a_look(&config, &reading));
}

static void test_evict_read_refuses_what_says_nothing(void **state)
{
	struct node_sample before = node_at(20 * USEC_PER_SEC, 50), now;
	struct evict_reading reading;

	(void)state;
	now = before;
	assert_false(evict_read(&defaults, &before, &now, &reading));
	now = node_at(19 * USEC_PER_SEC, 50);
	assert_false(evict_read(&defaults, &before, &now, &reading));
	now = node_at(31 * USEC_PER_SEC, 50);
	assert_false(evict_read(&defaults, &before, &now, &reading));
	now = node_at(21 * USEC_PER_SEC, 50);
	now.memory_total_bytes = 0;
	assert_false(evict_read(&defaults, &before, &now, &reading));
	now = node_at(21 * USEC_PER_SEC, 50);
	now.cpu_busy_usec = 0;
	assert_false(evict_read(&defaults, &before, &now, &reading));
}

/* Of all histories of eight samples and all N of M: it fires exactly when it should. */
static void test_evict_fires_is_n_of_m(void **state)
{
	static const uint32_t none[EVICT_RESOURCES];
	struct evict_reading over = { .available_bytes = 1, .line_bytes = 2 };
	struct evict_reading under = { .available_bytes = 2, .line_bytes = 2 };
	struct evict_config config = defaults;

	(void)state;
	for (config.window = 1; config.window <= 8; config.window++)
		for (config.samples = 1; config.samples <= config.window; config.samples++)
			for (unsigned int bits = 0; bits < 256; bits++) {
				struct evict_history history = { 0 };
				unsigned int mask = (1u << config.window) - 1;
				bool wanted = (bits & 1) && (uint64_t)__builtin_popcount(
								    bits & mask) >= config.samples;

				for (int i = 7; i >= 0; i--)
					evict_note(&history, &config,
						   bits >> i & 1 ? &over : &under, none);
				assert_int_equal(evict_fires(&history, &config, &under),
						 wanted ? TRIGGER_MEMORY_AVAILABLE : -1);
			}
}

static void test_evict_fires_by_what_online_suffered(void **state)
{
	const uint32_t suffered[EVICT_RESOURCES] = { [EVICT_MEMORY] = 2000, [EVICT_IO] = 10000 };
	const struct evict_reading reading = { .available_bytes = 5, .line_bytes = 1 };
	struct evict_config config = defaults;
	struct evict_history history = { 0 };

	(void)state;
	for (int i = 0; i < 3; i++)
		evict_note(&history, &config, &reading, suffered);
	assert_int_equal(evict_fires(&history, &config, &reading), TRIGGER_MEMORY_PRESSURE);
	/* No line for IO was given. */
	config.pressure_percent[EVICT_MEMORY] = 21;
	history = (struct evict_history){ 0 };
	for (int i = 0; i < 5; i++)
		evict_note(&history, &config, &reading, suffered);
	assert_int_equal(evict_fires(&history, &config, &reading), -1);
}

static void test_evict_before_is_a_strict_order(void **state)
{
	struct evict_candidate all[36];
	size_t count = 0;

	(void)state;
	for (int level = -2; level <= 0; level++)
		for (int first = 0; first < 2; first++)
			for (uint64_t amount = 1; amount <= 2; amount++)
				for (uint64_t id = 1; id <= 3; id++)
					all[count++] = (struct evict_candidate){
						.id = id + 3 * count,
						.level = (enum qos_level)level,
						.first = first,
						.amount = amount,
					};
	assert_int_equal(count, ARRAY_SIZE(all));
	for (size_t i = 0; i < count; i++)
		for (size_t j = 0; j < count; j++) {
			bool before = evict_before(&all[i], &all[j]);

			assert_int_equal(before, i != j && !evict_before(&all[j], &all[i]));
			for (size_t k = 0; before && k < count; k++)
				if (evict_before(&all[j], &all[k]))
					assert_true(evict_before(&all[i], &all[k]));
			if (all[i].level < all[j].level)
				assert_true(before);
		}
}

static void test_evict_describe_fits_and_has_the_numbers(void **state)
{
	const struct evict_reading reading = {
		.available_bytes = GIB / 2,
		.line_bytes = GIB,
		.total_bytes = 10 * GIB,
		.period_usec = 1100000,
	};
	char name[300], text[192];
	const struct berth_workload web = { .namespace = name, .name = name };
	struct evict_evidence evidence = {
		.trigger = TRIGGER_MEMORY_AVAILABLE,
		.reading = &reading,
		.count = 4,
		.sufferer = &web,
		.suffered = 4321,
		.amount = 3 * GIB / 2,
		.candidates = 17,
	};

	(void)state;
	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	for (evidence.trigger = 0; evidence.trigger <= TRIGGER_MEMORY_HARD; evidence.trigger++) {
		evict_describe(&defaults, &evidence, text, sizeof(text));
		assert_true(strlen(text) < sizeof(text) - 1);
		assert_non_null(strstr(text, "waited 43.2 % of the last 1.1 s"));
		assert_non_null(strstr(text, "1 of 17 offline"));
	}
	evidence.trigger = TRIGGER_MEMORY_AVAILABLE;
	evidence.sufferer = NULL;
	evict_describe(&defaults, &evidence, text, sizeof(text));
	assert_string_equal(text, "memory: 5.0 % of 10.0 GiB left, line 1.0 GiB, 4 of 5 samples; "
				  "it held 1.5 GiB, 1 of 17 offline");
}

static void test_evict_track_sample_needs_two_that_are_near(void **state)
{
	const struct sample_device disk = { .value = { [IO_READ_BYTES] = 4 << 20 } };
	struct workload_sample sample = {
		.generation = 1,
		.time_usec = USEC_PER_SEC,
		.known = { ~UINT64_C(0), ~UINT64_C(0) },
	};
	struct evict_track track = { .id = 1 };

	(void)state;
	sample.value[SAMPLE_MEMORY_BYTES] = 100;
	sample.value[SAMPLE_MEMORY_INACTIVE_FILE_BYTES] = 300; /* read a moment later */
	assert_true(evict_track_sample(&track, &defaults, &sample, 3 * USEC_PER_SEC));
	assert_false(track.has_rates);
	assert_int_equal(track.amount[EVICT_MEMORY], 0);
	assert_false(evict_track_sample(&track, &defaults, &sample, 3 * USEC_PER_SEC));
	sample.generation++;
	sample.time_usec += 2 * USEC_PER_SEC;
	sample.value[SAMPLE_MEMORY_INACTIVE_FILE_BYTES] = 60;
	sample.value[SAMPLE_CPU_USAGE_USEC] = 3 * USEC_PER_SEC;
	sample.value[SAMPLE_PRESSURE_MEMORY_SOME_USEC] = USEC_PER_SEC;
	sample.devices = &disk;
	sample.device_count = 1;
	assert_true(evict_track_sample(&track, &defaults, &sample, 3 * USEC_PER_SEC));
	assert_true(track.has_rates);
	assert_int_equal(track.amount[EVICT_MEMORY], 40);
	assert_int_equal(track.amount[EVICT_CPU], 3 * USEC_PER_SEC / 2);
	assert_int_equal(track.amount[EVICT_IO], 2 << 20);
	assert_int_equal(track.suffered[EVICT_MEMORY], 5000);
	sample.generation++;
	sample.time_usec += 4 * USEC_PER_SEC;
	assert_true(evict_track_sample(&track, &defaults, &sample, 3 * USEC_PER_SEC));
	assert_false(track.has_rates);
	assert_int_equal(track.suffered[EVICT_MEMORY], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_evict_read_takes_the_larger_line),
		cmocka_unit_test(test_evict_read_refuses_what_says_nothing),
		cmocka_unit_test(test_evict_fires_is_n_of_m),
		cmocka_unit_test(test_evict_fires_by_what_online_suffered),
		cmocka_unit_test(test_evict_before_is_a_strict_order),
		cmocka_unit_test(test_evict_describe_fits_and_has_the_numbers),
		cmocka_unit_test(test_evict_track_sample_needs_two_that_are_near),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
