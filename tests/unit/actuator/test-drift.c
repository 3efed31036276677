/* SPDX-License-Identifier: Apache-2.0 */
#include "berth-test.h"
#include "world.h"

/* The loop, as long as something is ready. */
static void settle(struct world *world)
{
	world_run(world, 20 * USEC_PER_MSEC);
}

static void test_drift_own_write_is_nothing(void **state)
{
	struct world world;

	(void)state;
	world_open(&world, 2);
	assert_ok(world_claim(&world, "one", WORLD_A, KNOB_CPU_WEIGHT, 20, 0));
	assert_ok(world_claim(&world, "one", WORLD_A, KNOB_CPU_WEIGHT, 30, 0));
	assert_int_equal(world_stats(&world).watches, 1);
	settle(&world);
	assert_int_equal(world_stats(&world).foreign_writes, 0);
	assert_int_equal(world_stats(&world).writes, 2);
	world_close(&world);
}

/* The weight: what the kubelet writes is the new original, and ours is written again. */
static void test_drift_original_is_taken_over(void **state)
{
	struct world world;

	(void)state;
	world_open(&world, 2);
	assert_ok(world_claim(&world, "one", WORLD_A, KNOB_CPU_WEIGHT, 20, 0));
	settle(&world);
	world_set(&world, "pods/a", "cpu.weight", "300");
	settle(&world);
	assert_knob(&world, "pods/a", "cpu.weight", "20");
	assert_string_equal(world_see(&world, WORLD_A, KNOB_CPU_WEIGHT).original, "300");
	assert_int_equal(world_see(&world, WORLD_A, KNOB_CPU_WEIGHT).foreign, 1);
	assert_int_equal(world_stats(&world).foreign_writes, 1);
	world_unclaim(&world, "one", WORLD_A, KNOB_CPU_WEIGHT);
	assert_knob(&world, "pods/a", "cpu.weight", "300");
	world_close(&world);
}

/* cpu.idle: written again at once, then after a second, after two, and then left. */
static void test_drift_rewrite_ends_in_yield(void **state)
{
	struct world world;

	(void)state;
	world_open(&world, 2);
	assert_ok(world_claim(&world, "one", WORLD_A, KNOB_CPU_IDLE, 1, 0));
	settle(&world);
	for (int i = 0; i < 3; i++) {
		world_set(&world, "pods/a", "cpu.idle", "0");
		world_run(&world, (i == 2 ? 2300 : 1300) * USEC_PER_MSEC);
		assert_knob(&world, "pods/a", "cpu.idle", "1");
		assert_int_equal(world_see(&world, WORLD_A, KNOB_CPU_IDLE).status, KNOB_WRITTEN);
	}
	world_set(&world, "pods/a", "cpu.idle", "0");
	settle(&world);
	assert_int_equal(world_see(&world, WORLD_A, KNOB_CPU_IDLE).status, KNOB_YIELDED);
	assert_int_equal(world_see(&world, WORLD_A, KNOB_CPU_IDLE).foreign, 4);
	/* The same claim again changes nothing, another one does. */
	assert_ok(world_claim(&world, "one", WORLD_A, KNOB_CPU_IDLE, 1, 0));
	assert_knob(&world, "pods/a", "cpu.idle", "0");
	actuator_reconcile(world.actuator);
	assert_knob(&world, "pods/a", "cpu.idle", "0");
	assert_int_equal(world_see(&world, WORLD_A, KNOB_CPU_IDLE).foreign, 4);
	assert_ok(world_claim(&world, "one", WORLD_A, KNOB_CPU_IDLE, 0, 0));
	assert_ok(world_claim(&world, "one", WORLD_A, KNOB_CPU_IDLE, 1, 0));
	assert_knob(&world, "pods/a", "cpu.idle", "1");
	world_close(&world);
}

/* An ancestor that somebody raises further stays there. */
static void test_drift_larger_ancestor_stays(void **state)
{
	struct world world;

	(void)state;
	world_open(&world, 2);
	assert_ok(world_claim(&world, "one", WORLD_A, KNOB_MEMORY_MIN_BYTES, 8192, 0));
	settle(&world);
	world_set(&world, "pods", "memory.min", "65536");
	settle(&world);
	assert_knob(&world, "pods", "memory.min", "65536");
	world_set(&world, "pods", "memory.min", "4096");
	settle(&world);
	assert_knob(&world, "pods", "memory.min", "8192");
	world_unclaim(&world, "one", WORLD_A, KNOB_MEMORY_MIN_BYTES);
	assert_knob(&world, "pods", "memory.min", "4096");
	world_close(&world);
}

static void test_drift_change_without_event_is_found_by_reconcile(void **state)
{
	struct world world;

	(void)state;
	world_open(&world, 2);
	assert_ok(world_claim(&world, "one", WORLD_A, KNOB_CPU_WEIGHT, 20, 0));
	world_set(&world, "pods/a", "cpu.weight", "300");
	actuator_reconcile(world.actuator);
	assert_knob(&world, "pods/a", "cpu.weight", "20");
	assert_int_equal(world_stats(&world).foreign_writes, 1);
	world_close(&world);
}

static void test_drift_released_knob_is_left_to_its_new_owner(void **state)
{
	struct world world;

	(void)state;
	world_open(&world, 2);
	assert_ok(world_claim(&world, "one", WORLD_A, KNOB_CPU_IDLE, 1, 0));
	assert_ok(world_claim(&world, "one", WORLD_A, KNOB_CPU_QUOTA_USEC, 50000, 0));
	/* Before the loop runs: the release is what finds it. */
	world_set(&world, "pods/a", "cpu.max", "70000 100000");
	actuator_drop_owner(world.actuator, "one");
	assert_knob(&world, "pods/a", "cpu.max", "70000 100000");
	assert_knob(&world, "pods/a", "cpu.idle", "0");
	assert_int_equal(world_stats(&world).foreign_writes, 1);
	assert_int_equal(world_stats(&world).holdings, 0);
	world_close(&world);
}

static void test_drift_reconcile_timer_is_armed_only_while_something_is_held(void **state)
{
	struct world world;

	(void)state;
	world_open(&world, 2);
	/* Nothing is due in a loop with nothing held. */
	assert_int_equal(sd_event_run(world.event, 20 * USEC_PER_MSEC), 0);
	world.options.reconcile_interval_usec = 100 * USEC_PER_MSEC;
	assert_ok(actuator_set_options(world.actuator, &world.options));
	assert_ok(world_claim(&world, "one", WORLD_A, KNOB_CPU_WEIGHT, 20, 0));

	int events = 0;

	for (int i = 0; i < 5; i++)
		events += sd_event_run(world.event, USEC_PER_SEC) > 0;
	assert_int_equal(events, 5);
	world_unclaim(&world, "one", WORLD_A, KNOB_CPU_WEIGHT);
	world_run(&world, 300 * USEC_PER_MSEC);
	assert_int_equal(sd_event_run(world.event, 300 * USEC_PER_MSEC), 0);
	world_close(&world);
}

/* Idle by its owner, who takes that back while we hold it, too: the kernel's stand-in for the
 * weight was never the weight. */
static void test_drift_idle_by_its_owner_has_no_stand_in_as_its_weight(void **state)
{
	struct world world;

	(void)state;
	world_open(&world, 2);
	world_set(&world, "pods/a", "cpu.idle", "1");
	world_set(&world, "pods/a", "cpu.weight", "1");
	assert_ok(world_claim(&world, "one", WORLD_A, KNOB_CPU_IDLE, 1, 0));
	world_set(&world, "pods/a", "cpu.idle", "0");
	world_set(&world, "pods/a", "cpu.weight", "100");
	world_unclaim(&world, "one", WORLD_A, KNOB_CPU_IDLE);
	assert_knob(&world, "pods/a", "cpu.idle", "0");
	assert_knob(&world, "pods/a", "cpu.weight", "100");
	assert_int_equal(world_stats(&world).holdings, 0);
	assert_int_equal(world_stats(&world).journal_bytes, 0);
	/* And when it stays idle, nothing is to be put back. */
	world_set(&world, "pods/a", "cpu.idle", "1");
	world_set(&world, "pods/a", "cpu.weight", "1");
	assert_ok(world_claim(&world, "one", WORLD_A, KNOB_CPU_IDLE, 1, 0));
	world_unclaim(&world, "one", WORLD_A, KNOB_CPU_IDLE);
	assert_knob(&world, "pods/a", "cpu.idle", "1");
	assert_int_equal(world_stats(&world).holdings, 0);
	assert_int_equal(world_stats(&world).journal_bytes, 0);
	world_close(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_drift_own_write_is_nothing),
		cmocka_unit_test(test_drift_original_is_taken_over),
		cmocka_unit_test(test_drift_rewrite_ends_in_yield),
		cmocka_unit_test(test_drift_larger_ancestor_stays),
		cmocka_unit_test(test_drift_change_without_event_is_found_by_reconcile),
		cmocka_unit_test(test_drift_idle_by_its_owner_has_no_stand_in_as_its_weight),
		cmocka_unit_test(test_drift_released_knob_is_left_to_its_new_owner),
		cmocka_unit_test(test_drift_reconcile_timer_is_armed_only_while_something_is_held),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
