/* SPDX-License-Identifier: Apache-2.0 */
#include "berth-test.h"
#include "fake-agent.h"

extern const struct berth_plugin berth_plugin;

static int fake_setup(void **state)
{
	*state = fake_agent_new();
	return 0;
}

static int fake_teardown(void **state)
{
	*state = fake_agent_free(*state);
	return 0;
}

static void test_example_offline_workload_gets_the_weight(void **state)
{
	struct fake_agent *fake = *state;
	uint64_t job = fake_agent_add(fake, "pod", "batch", "job-1", QOS_BATCH);
	uint64_t web = fake_agent_add(fake, "pod", "default", "web", QOS_NORMAL);
	double held = -1;

	assert_ok(fake_agent_start(fake, &berth_plugin, "weight: 20"));
	assert_int_equal(fake_agent_claim_of(fake, job, KNOB_CPU_WEIGHT)->number, 20);
	assert_null(fake_agent_claim_of(fake, web, KNOB_CPU_WEIGHT));
	assert_string_equal(fake_agent_description(fake, job, "weight"),
			    "20, because it is offline");
	assert_true(fake_agent_metric(fake, "held", job, &held));
	assert_true(held == 1);
}

static void test_example_level_raised_lets_go(void **state)
{
	struct fake_agent *fake = *state;
	uint64_t job = fake_agent_add(fake, "pod", "batch", "job-1", QOS_BATCH);

	assert_ok(fake_agent_start(fake, &berth_plugin, NULL));
	assert_int_equal(fake_agent_claim_of(fake, job, KNOB_CPU_WEIGHT)->number, 10);
	fake_agent_set_level(fake, job, QOS_NORMAL);
	assert_null(fake_agent_claim_of(fake, job, KNOB_CPU_WEIGHT));
	assert_null(fake_agent_description(fake, job, "weight"));
}

static void test_example_no_such_knob_is_told_and_claims_nothing(void **state)
{
	struct fake_agent *fake = *state;

	fake_agent_knob(fake, KNOB_CPU_WEIGHT, false, "no cpu controller");
	(void)fake_agent_add(fake, "pod", "batch", "job-1", QOS_BATCH);
	assert_ok(fake_agent_start(fake, &berth_plugin, NULL));
	assert_int_equal(fake->claim_count, 0);
	assert_int_equal(fake->log_lines[4], 1);
}

static void test_example_settings_out_of_range_are_refused(void **state)
{
	struct fake_agent *fake = *state;

	assert_errno(fake_agent_start(fake, &berth_plugin, "weight: 101"), EINVAL);
	assert_non_null(strstr(fake->error, "weight"));
}

#define FAKE_TEST(test) cmocka_unit_test_setup_teardown(test, fake_setup, fake_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		FAKE_TEST(test_example_offline_workload_gets_the_weight),
		FAKE_TEST(test_example_level_raised_lets_go),
		FAKE_TEST(test_example_no_such_knob_is_told_and_claims_nothing),
		FAKE_TEST(test_example_settings_out_of_range_are_refused),
	};

	return cmocka_run_group_tests_name("example", tests, NULL, NULL);
}
