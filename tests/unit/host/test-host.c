/* SPDX-License-Identifier: Apache-2.0 */
#include "../../plugin/modules/actor.h"
#include "berth-test.h"
#include "host-world.h"
#include "plugin/quarantine.h"

static int world_setup(void **state)
{
	*state = world_new();
	return 0;
}

static int world_teardown(void **state)
{
	*state = world_free(*state);
	return 0;
}

#define GOOD_WEIGHT_7 WORLD_POLICY "plugins:\n  good: {weight: 7}\n"

/* A world with two batch groups and an online one; the ids. */
static void add_workloads(struct world *world, uint64_t ids[3])
{
	ids[0] = world_add(world, "batch/a");
	ids[1] = world_add(world, "batch/b");
	ids[2] = world_add(world, "online");
}

static void test_host_apply_claims_are_written_and_restored_at_the_end(void **state)
{
	struct world *world = *state;
	uint64_t ids[3];

	add_workloads(world, ids);
	world_plugin(world, "good");
	world_run(world, GOOD_WEIGHT_7);
	world_settle(world);
	assert_int_equal(world_view(world, "good").state, PLUGIN_RUNNING);
	assert_int_equal(world_record(world, "good")->added, 3);
	assert_knob(world, "batch/a", "cpu.weight", "7");
	assert_knob(world, "batch/b", "cpu.weight", "7");
	assert_knob(world, "online", "cpu.weight", "100");
	world->host = host_free(world->host);
	world_settle(world);
	assert_knob(world, "batch/a", "cpu.weight", "100");
	assert_knob(world, "batch/b", "cpu.weight", "100");
}

/* The new instance has taken the old one's metric over when it fails; the old one sets it in its
 * stop(). */
static void test_host_apply_late_failure_leaves_the_old_metrics_usable(void **state)
{
	struct world *world = *state;

	world_plugin(world, "good");
	world_run(world, GOOD_WEIGHT_7);
	world_apply(world, WORLD_POLICY "plugins: {good: {weight: 7, does: fail_late}}\n");
	assert_int_equal(world_view(world, "good").state, PLUGIN_QUARANTINED);
	assert_int_equal(world_record(world, "good")->stops, 1);
	world_apply(world, GOOD_WEIGHT_7);
	assert_int_equal(world_view(world, "good").state, PLUGIN_RUNNING);
}

static void test_host_apply_same_settings_do_nothing(void **state)
{
	struct world *world = *state;

	world_plugin(world, "good");
	world_run(world, GOOD_WEIGHT_7);
	world_apply(world, "# nothing else\n" GOOD_WEIGHT_7);
	assert_int_equal(world_record(world, "good")->starts, 1);
	assert_int_equal(world_record(world, "good")->stops, 0);
}

static void test_host_apply_without_apply_restarts_and_writes_only_what_differs(void **state)
{
	struct world *world = *state;
	struct actuator_stats before, after;
	uint64_t ids[3];

	add_workloads(world, ids);
	world_plugin(world, "good");
	world_run(world, WORLD_POLICY "plugins:\n  good: {weight: 7, quota: 50000}\n");
	world_settle(world);
	assert_knob(world, "batch/a", "cpu.max", "50000 100000");
	actuator_stats(world->actuator, &before);
	world_apply(world,
		    WORLD_POLICY "plugins:\n  good: {weight: 7, quota: 50000, period: 30ms}\n");
	world_settle(world);
	actuator_stats(world->actuator, &after);
	assert_int_equal(world_record(world, "good")->starts, 2);
	assert_int_equal(world_record(world, "good")->stops, 1);
	assert_int_equal(after.writes, before.writes);
	assert_int_equal(after.restores, before.restores);
	/* What the new one does not claim is put back, the rest stays. */
	world_apply(world, WORLD_POLICY "plugins:\n  good: {weight: 7, period: 30ms}\n");
	world_settle(world);
	assert_knob(world, "batch/a", "cpu.max", "max 100000");
	assert_knob(world, "batch/a", "cpu.weight", "7");
	assert_int_equal(world_view(world, "good").sources, 1);
}

static void test_host_apply_with_apply_keeps_the_instance(void **state)
{
	struct world *world = *state;
	uint64_t ids[3];

	add_workloads(world, ids);
	world_plugin(world, "adaptive");
	world_run(world, WORLD_POLICY "plugins:\n  adaptive: {weight: 7}\n");
	world_apply(world, WORLD_POLICY "plugins:\n  adaptive: {weight: 9}\n");
	world_settle(world);
	assert_int_equal(world_record(world, "adaptive")->starts, 1);
	assert_int_equal(world_record(world, "adaptive")->applies, 1);
	assert_knob(world, "batch/a", "cpu.weight", "9");
}

static void test_host_apply_failing_apply_starts_again(void **state)
{
	struct world *world = *state;

	world_plugin(world, "adaptive");
	world_run(world, WORLD_POLICY);
	world_apply(world, "plugins:\n  adaptive: {does: fail}\n");
	assert_int_equal(world_record(world, "adaptive")->applies, 1);
	assert_int_equal(world_record(world, "adaptive")->starts, 2);
	assert_int_equal(world_record(world, "adaptive")->stops, 1);
	assert_int_equal(world_view(world, "adaptive").state, PLUGIN_RUNNING);
}

static void test_host_apply_disabled_stops_and_restores(void **state)
{
	struct world *world = *state;
	uint64_t ids[3];

	add_workloads(world, ids);
	world_plugin(world, "good");
	world_run(world, GOOD_WEIGHT_7);
	world_settle(world);
	world_apply(world, WORLD_POLICY "plugins:\n  good: {enabled: false, weight: 7}\n");
	world_settle(world);
	assert_int_equal(world_view(world, "good").state, PLUGIN_OFF);
	assert_knob(world, "batch/a", "cpu.weight", "100");
	world_apply(world, GOOD_WEIGHT_7);
	world_settle(world);
	assert_knob(world, "batch/a", "cpu.weight", "7");
}

static void test_host_apply_needs_missing_is_unavailable_and_says_why(void **state)
{
	struct world *world = *state;
	struct plugin_view view;

	world_plugin(world, "good");
	world_plugin(world, "needy");
	world_run(world, WORLD_POLICY);
	view = world_view(world, "needy");
	assert_int_equal(view.state, PLUGIN_UNAVAILABLE);
	assert_non_null(strstr(view.detail, "needs resctrl"));
	assert_int_equal(world_record(world, "needy")->starts, 0);
	assert_int_equal(world_view(world, "good").state, PLUGIN_RUNNING);
}

static void test_host_capabilities_changed_tells_and_tries_again(void **state)
{
	struct world *world = *state;

	world_plugin(world, "good");
	world_plugin(world, "needy");
	world_run(world, WORLD_POLICY);
	host_capabilities_changed(world->host);
	host_capabilities_changed(world->host);
	world_until(world, world_record(world, "good")->capabilities > 0);
	world_settle(world);
	assert_int_equal(world_record(world, "good")->capabilities, 1);
	assert_int_equal(world_view(world, "needy").state, PLUGIN_UNAVAILABLE);
}

static void test_host_workload_changes_reach_plugins_and_claims_follow(void **state)
{
	struct world *world = *state;
	const struct actor_record *record;

	world_plugin(world, "good");
	world_run(world, GOOD_WEIGHT_7);
	record = world_record(world, "good");
	(void)world_add(world, "batch/a");
	world_settle(world);
	assert_knob(world, "batch/a", "cpu.weight", "7");
	/* Another rule, another level. */
	world_apply(world, "default_qos: normal\nplugins:\n  good: {weight: 7}\n");
	world_settle(world);
	assert_int_equal(record->added, 1);
	assert_int_equal(record->updated, 1);
	assert_knob(world, "batch/a", "cpu.weight", "100");
}

static void test_host_workload_ignored_is_let_go_and_refused(void **state)
{
	struct world *world = *state;
	const struct actor_record *record;

	world_plugin(world, "adaptive");
	world_run(world, WORLD_POLICY "plugins:\n  adaptive: {weight: 7}\n");
	record = world_record(world, "adaptive");
	(void)world_add(world, "batch/a");
	world_settle(world);
	assert_knob(world, "batch/a", "cpu.weight", "7");
	world_apply(world, "rules:\n"
			   "  - {match: {cgroup: 'batch/*'}, qos: batch, ignore: true}\n"
			   "plugins:\n  adaptive: {weight: 8}\n");
	world_settle(world);
	assert_errno(record->claim_result, EPERM);
	assert_knob(world, "batch/a", "cpu.weight", "100");
}

static void test_host_workload_removed_with_its_group_lives_is_restored(void **state)
{
	struct world *world = *state;
	uint64_t ids[3];

	add_workloads(world, ids);
	world_plugin(world, "good");
	world_run(world, GOOD_WEIGHT_7);
	world_settle(world);
	registry_drop(&world->registry, "test", "batch/a");
	world_settle(world);
	assert_int_equal(world_record(world, "good")->removed, 1);
	assert_knob(world, "batch/a", "cpu.weight", "100");
	assert_knob(world, "batch/b", "cpu.weight", "7");
	world_group_remove(world, "batch/b");
	registry_drop(&world->registry, "test", "batch/b");
	world_settle(world);
	assert_int_equal(world_record(world, "good")->removed, 2);
}

static void test_host_failing_plugin_rests_and_the_good_one_goes_on(void **state)
{
	struct world *world = *state;
	struct plugin_view view;
	unsigned int ticks;
	uint64_t ids[3];

	add_workloads(world, ids);
	world_plugin(world, "failing");
	world_plugin(world, "good");
	world_run(world, WORLD_POLICY "plugins:\n  failing: {quota: 50000}\n  good: {weight: 7}\n");
	world_settle(world);
	assert_knob(world, "batch/a", "cpu.max", "50000 100000");
	world_until(world, world_view(world, "failing").state == PLUGIN_QUARANTINED);
	world_settle(world);
	view = world_view(world, "failing");
	assert_int_equal(view.failures, QUARANTINE_FAILURES);
	assert_int_equal(view.sources, 0);
	assert_true(view.retry_usec > world_now_usec() + 50 * USEC_PER_SEC);
	assert_non_null(strstr(view.detail, "every()"));
	assert_int_equal(world_record(world, "failing")->stops, 1);
	assert_knob(world, "batch/a", "cpu.max", "max 100000");
	assert_knob(world, "batch/a", "cpu.weight", "7");
	ticks = world_record(world, "good")->ticks;
	world_until(world, world_record(world, "good")->ticks > ticks + 2);
	assert_int_equal(world_view(world, "good").failures, 0);
}

static void test_host_apply_changed_settings_end_the_rest(void **state)
{
	struct world *world = *state;

	world_plugin(world, "failing");
	world_run(world, WORLD_POLICY);
	world_until(world, world_view(world, "failing").state == PLUGIN_QUARANTINED);
	world_apply(world, "# the same\n" WORLD_POLICY);
	assert_int_equal(world_view(world, "failing").state, PLUGIN_QUARANTINED);
	world_apply(world, "plugins:\n  failing: {does: nothing}\n");
	assert_int_equal(world_view(world, "failing").state, PLUGIN_RUNNING);
}

static void test_host_apply_failing_start_rests_alone(void **state)
{
	struct world *world = *state;

	world_plugin(world, "good");
	world_plugin(world, "unable");
	world_run(world, WORLD_POLICY);
	assert_int_equal(world_view(world, "unable").state, PLUGIN_QUARANTINED);
	assert_non_null(strstr(world_view(world, "unable").detail, "could not start"));
	assert_int_equal(world_record(world, "unable")->stops, 0);
	assert_int_equal(world_view(world, "good").state, PLUGIN_RUNNING);
}

static void test_host_slow_callback_is_an_overrun(void **state)
{
	struct world *world = *state;

	world_plugin(world, "slow");
	world_run(world, WORLD_POLICY);
	world_until(world, world_record(world, "slow")->ticks >= 2);
	assert_true(world_view(world, "slow").overruns >= 2);
	assert_true(world_view(world, "slow").busy_usec >= 120 * USEC_PER_MSEC);
	/* It sleeps: that is time, and no work. */
	assert_true(world_view(world, "slow").longest_cpu_usec <
		    world_view(world, "slow").longest_usec);
	assert_int_equal(world_view(world, "slow").failures, 0);
}

#define WORLD_TEST(test) cmocka_unit_test_setup_teardown(test, world_setup, world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(test_host_apply_claims_are_written_and_restored_at_the_end),
		WORLD_TEST(test_host_apply_late_failure_leaves_the_old_metrics_usable),
		WORLD_TEST(test_host_apply_same_settings_do_nothing),
		WORLD_TEST(test_host_apply_without_apply_restarts_and_writes_only_what_differs),
		WORLD_TEST(test_host_apply_with_apply_keeps_the_instance),
		WORLD_TEST(test_host_apply_failing_apply_starts_again),
		WORLD_TEST(test_host_apply_disabled_stops_and_restores),
		WORLD_TEST(test_host_apply_needs_missing_is_unavailable_and_says_why),
		WORLD_TEST(test_host_capabilities_changed_tells_and_tries_again),
		WORLD_TEST(test_host_workload_changes_reach_plugins_and_claims_follow),
		WORLD_TEST(test_host_workload_ignored_is_let_go_and_refused),
		WORLD_TEST(test_host_workload_removed_with_its_group_lives_is_restored),
		WORLD_TEST(test_host_failing_plugin_rests_and_the_good_one_goes_on),
		WORLD_TEST(test_host_apply_changed_settings_end_the_rest),
		WORLD_TEST(test_host_apply_failing_start_rests_alone),
		WORLD_TEST(test_host_slow_callback_is_an_overrun),
	};

	return cmocka_run_group_tests_name("host", tests, NULL, NULL);
}
