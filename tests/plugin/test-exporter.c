/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "berth-test.h"
#include "fake-agent.h"

extern const struct berth_plugin berth_plugin;

static int setup(void **state)
{
	*state = fake_agent_new();
	return 0;
}

static int teardown(void **state)
{
	(void)fake_agent_free(*state);
	return 0;
}

static bool publishes(struct fake_agent *fake, const char *name)
{
	char whole[128];

	(void)snprintf(whole, sizeof(whole), "berth_workload_%s", name);
	return fake_agent_publishes(fake, whole, 0);
}

static size_t columns(const struct fake_agent *fake)
{
	size_t count = 0;

	for (size_t i = 0; i < fake->published_count; i++)
		if (fake->published[i].source == METRIC_FROM_VALUE)
			count += fake->published[i].column_count;
	return count;
}

static void test_start_defaults_publish_all_but_averages(void **state)
{
	struct fake_agent *fake = *state;

	assert_ok(fake_agent_start(fake, &berth_plugin, NULL));
	assert_true(publishes(fake, "cpu_usage_seconds_total"));
	assert_true(publishes(fake, "io_bytes_total"));
	assert_true(publishes(fake, "pressure_cause_seconds_total"));
	assert_true(publishes(fake, "runqueue_latency_seconds"));
	assert_false(publishes(fake, "pressure_ratio"));
	assert_false(publishes(fake, "pressure_cause_ratio"));
	assert_in_range(columns(fake), 50, 64);
}

static void test_start_every_value_is_told_once(void **state)
{
	struct fake_agent *fake = *state;
	unsigned int told[SAMPLE_MAX] = { 0 };

	assert_ok(fake_agent_start(fake, &berth_plugin, NULL));
	for (size_t i = 0; i < fake->published_count; i++)
		for (uint32_t c = 0; c < fake->published[i].column_count; c++)
			if (fake->published[i].source == METRIC_FROM_VALUE)
				told[fake->published[i].columns[c].value]++;
	for (size_t i = 0; i < SAMPLE_MAX; i++)
		assert_int_equal(told[i], 1);
}

static void test_start_groups_table(void **state)
{
	static const struct {
		const char *settings, *gone, *stays;
	} rows[] = {
		{ "cpu: false", "cpu_usage_seconds_total", "memory_bytes" },
		{ "cpu: false", "cpu_throttled_seconds_total", "pressure_seconds_total" },
		{ "memory: false", "memory_events_total", "memory_stat_bytes" },
		{ "memory_stat: false", "memory_activity_total", "memory_bytes" },
		{ "io: false", "io_operations_total", "memory_bytes" },
		{ "pressure: false", "pressure_seconds_total", "pressure_cause_seconds_total" },
		{ "causes: false", "pressure_cause_seconds_total", "pressure_seconds_total" },
		{ "latency: false", "runqueue_latency_seconds", "cpu_usage_seconds_total" },
		{ "{averages: true, causes: false}", "pressure_cause_ratio", "pressure_ratio" },
		{ "{averages: true, pressure: false}", "pressure_ratio", "pressure_cause_ratio" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fake_agent *fake = fake_agent_new();

		assert_ok(fake_agent_start(fake, &berth_plugin, rows[i].settings));
		if (publishes(fake, rows[i].gone) || !publishes(fake, rows[i].stays))
			fail_msg("%s: %s is there or %s is not", rows[i].settings, rows[i].gone,
				 rows[i].stays);
		(void)fake_agent_free(fake);
	}
	(void)state;
}

static void test_wants_containers_only_when_asked(void **state)
{
	struct fake_agent *fake = *state;
	const char *name = "berth_workload_memory_bytes";
	uint64_t pod = fake_agent_add(fake, "pod", "shop", "web", QOS_NORMAL);
	uint64_t container = fake_agent_add_child(fake, pod, "main");
	uint64_t unit = fake_agent_add(fake, "unit", "", "a.service", QOS_NORMAL);

	assert_ok(fake_agent_start(fake, &berth_plugin, NULL));
	assert_true(fake_agent_publishes(fake, name, pod));
	assert_false(fake_agent_publishes(fake, name, container));
	assert_true(fake_agent_publishes(fake, name, unit));
	assert_ok(fake_agent_apply(fake, "containers: true"));
	assert_true(fake_agent_publishes(fake, name, container));
}

static void test_wants_namespaces_by_glob(void **state)
{
	struct fake_agent *fake = *state;
	const char *name = "berth_workload_memory_bytes";
	uint64_t shop = fake_agent_add(fake, "pod", "shop", "web", QOS_NORMAL);
	uint64_t batch = fake_agent_add(fake, "pod", "batch-7", "job", QOS_BATCH);
	uint64_t unit = fake_agent_add(fake, "unit", "", "a.service", QOS_NORMAL);

	assert_ok(fake_agent_start(fake, &berth_plugin, "namespaces: [\"batch-*\", other]"));
	assert_false(fake_agent_publishes(fake, name, shop));
	assert_true(fake_agent_publishes(fake, name, batch));
	assert_true(fake_agent_publishes(fake, name, unit));
}

static void test_check_refuses_globs_that_match_nothing(void **state)
{
	static const struct {
		const char *settings, *says; /* NULL: it is one */
	} table[] = {
		{ "namespaces: [\"\"]", "'' names no namespace" },
		{ "namespaces: [shop, \"\"]", "'' names no namespace" },
		{ "namespaces: [\"[a\"]", "'[a' has a '[' without its ']'" },
		{ "namespaces: [\"a[]\"]", "'a[]' has a '['" },
		{ "namespaces: [\"[!]\"]", "'[!]' has a '['" },
		{ "namespaces: [\"[[:alpha:]\"]", "'[[:alpha:]' has a '['" },
		{ "namespaces: ['[a\\]']", "'[a\\]' has a '['" },
		{ "namespaces: ['a\\']", "'a\\' ends in a '\\'" },
		{ "namespaces: [\"[a-c]*\", \"[!x]?\", \"[]a]\", \"[^]a]\"]", NULL },
		{ "namespaces: [\"[[:alpha:]]*\", '\\[a', 'a]', '[\\]a]']", NULL },
		{ "namespaces: []", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct fake_agent *fake = fake_agent_new();
		int r = fake_agent_start(fake, &berth_plugin, table[i].settings);

		assert_int_equal(r, table[i].says ? -EINVAL : 0);
		if (table[i].says && !strstr(fake->error, table[i].says))
			fail_msg("'%s': '%s' lacks '%s'", table[i].settings, fake->error,
				 table[i].says);
		fake_agent_free(fake);
	}
}

static void test_start_fails_when_another_publishes(void **state)
{
	struct fake_agent *fake = *state;

	fake->publish_error = -EBUSY;
	assert_errno(fake_agent_start(fake, &berth_plugin, NULL), EBUSY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_start_defaults_publish_all_but_averages, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_start_every_value_is_told_once, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_start_groups_table, setup, teardown),
		cmocka_unit_test_setup_teardown(test_wants_containers_only_when_asked, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_wants_namespaces_by_glob, setup, teardown),
		cmocka_unit_test(test_check_refuses_globs_that_match_nothing),
		cmocka_unit_test_setup_teardown(test_start_fails_when_another_publishes, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
