/* SPDX-License-Identifier: Apache-2.0 */
#include "berth-test.h"
#include "world.h"

static void test_actuator_new_adopts_without_a_write(void **state)
{
	struct world world;

	(void)state;
	world_open(&world, 2);
	world_look_at_idle(&world);
	assert_ok(world_claim(&world, "one", WORLD_A, KNOB_CPU_IDLE, 1, 0));
	assert_ok(world_claim(&world, "one", WORLD_B, KNOB_CPU_WEIGHT, 20, 0));
	assert_ok(world_claim(&world, "one", WORLD_C, KNOB_MEMORY_MIN_BYTES, 4096, 0));
	world_stop(&world);
	assert_knob(&world, "pods/b", "cpu.weight", "20");
	world_start(&world);
	assert_string_equal(world_see(&world, 0, KNOB_CPU_IDLE).owner, "previous run");
	/* The ids of the next run are others. */
	assert_ok(world_claim_at(&world, "one", 101, "pods/a", KNOB_CPU_IDLE, 1, 0));
	assert_ok(world_claim_at(&world, "one", 102, "pods/b", KNOB_CPU_WEIGHT, 20, 0));
	assert_ok(world_claim_at(&world, "one", 103, "pods/a/c", KNOB_MEMORY_MIN_BYTES, 4096, 0));
	assert_int_equal(world_stats(&world).writes, 0);
	assert_string_equal(world_see(&world, 102, KNOB_CPU_WEIGHT).owner, "one");
	assert_int_equal(world_see(&world, 102, KNOB_CPU_WEIGHT).claims, 1);
	assert_string_equal(world_see(&world, 102, KNOB_CPU_WEIGHT).original, "250");
	assert_knob(&world, "pods", "memory.min", "4096");
	actuator_drop_owner(world.actuator, "one");
	assert_knob(&world, "pods/a", "cpu.idle", "0");
	assert_knob(&world, "pods/a", "cpu.weight", "250");
	assert_knob(&world, "pods/b", "cpu.weight", "250");
	assert_knob(&world, "pods/a", "memory.min", "0");
	assert_knob(&world, "pods", "memory.min", "0");
	assert_int_equal(world_stats(&world).holdings, 0);
	world_close(&world);
}

/* A weight under cpu.idle reads as the kernel's stand-in, which is nobody's write. */
static void test_actuator_new_locked_weight_is_not_foreign(void **state)
{
	struct world world;

	(void)state;
	world_open(&world, 2);
	world_look_at_idle(&world);
	assert_ok(world_claim(&world, "one", WORLD_A, KNOB_CPU_WEIGHT, 50, 0));
	assert_ok(world_claim(&world, "one", WORLD_A, KNOB_CPU_IDLE, 1, 0));
	world_stop(&world);
	world_start(&world);
	actuator_reconcile(world.actuator);
	assert_int_equal(world_see(&world, 0, KNOB_CPU_WEIGHT).status, KNOB_SHADOWED);
	assert_int_equal(world_stats(&world).foreign_writes, 0);
	assert_ok(world_claim(&world, "one", WORLD_A, KNOB_CPU_IDLE, 0, 0));
	assert_knob(&world, "pods/a", "cpu.weight", "50");
	assert_int_equal(actuator_restore_all(world.actuator, false), 0);
	assert_knob(&world, "pods/a", "cpu.weight", "250");
	world_close(&world);
}

static void test_actuator_new_lease_of_previous_run_ends(void **state)
{
	struct world world;

	(void)state;
	world_open(&world, 2);
	world_look_at_idle(&world);
	assert_ok(world_claim(&world, "one", WORLD_A, KNOB_CPU_IDLE, 1, 0));
	assert_ok(world_claim(&world, "one", WORLD_C, KNOB_MEMORY_MIN_BYTES, 4096, 0));
	world_stop(&world);
	world.options.previous_lease_usec = 100 * USEC_PER_MSEC;
	world_start(&world);
	assert_knob(&world, "pods/a", "cpu.idle", "1");
	world_run(&world, 400 * USEC_PER_MSEC);
	assert_knob(&world, "pods/a", "cpu.idle", "0");
	assert_knob(&world, "pods/a", "cpu.weight", "250");
	assert_knob(&world, "pods", "memory.min", "0");
	assert_int_equal(world_stats(&world).holdings, 0);
	world_close(&world);
}

static void test_actuator_new_dry_run_puts_back_what_was_left(void **state)
{
	struct world world;

	(void)state;
	world_open(&world, 2);
	assert_ok(world_claim(&world, "one", WORLD_A, KNOB_CPU_WEIGHT, 20, 0));
	world_stop(&world);
	world.options.dry_run = true;
	world_start(&world);
	assert_knob(&world, "pods/a", "cpu.weight", "250");
	assert_int_equal(world_stats(&world).holdings, 0);
	world_close(&world);
}

static void test_actuator_restore_journal_leaves_foreign_values(void **state)
{
	struct world world;

	(void)state;
	world_open(&world, 2);
	assert_ok(world_claim(&world, "one", WORLD_A, KNOB_CPU_WEIGHT, 20, 0));
	assert_ok(world_claim(&world, "one", WORLD_B, KNOB_CPU_WEIGHT, 20, 0));
	world_stop(&world);
	world_set(&world, "pods/a", "cpu.weight", "777");
	assert_int_equal(actuator_restore_journal(&world.root, &world.hierarchy, world.runtime_fd,
						  NULL, NULL),
			 0);
	assert_knob(&world, "pods/a", "cpu.weight", "777");
	assert_knob(&world, "pods/b", "cpu.weight", "250");
	world_close(&world);
}

struct told {
	unsigned int restored, nothing, failed;
};

static void tell(void *data, const char *path, const char *knob, int result)
{
	struct told *told = data;

	assert_non_null(path);
	assert_non_null(knob);
	if (result == 1)
		told->restored++;
	else if (result == 0)
		told->nothing++;
	else
		told->failed++;
}

static void test_actuator_restore_journal_failure_is_kept_for_later(void **state)
{
	struct told told = { 0 };
	struct world world;
	char path[PATH_MAX], gone[PATH_MAX];

	(void)state;
	world_open(&world, 2);
	assert_ok(world_claim(&world, "one", WORLD_A, KNOB_CPU_WEIGHT, 20, 0));
	assert_ok(world_claim(&world, "one", WORLD_B, KNOB_CPU_WEIGHT, 20, 0));
	assert_ok(world_claim(&world, "one", WORLD_C, KNOB_CPU_WEIGHT, 20, 0));
	world_stop(&world);
	/* One refuses, one is gone. */
	world_path(&world, "pods/a", "cpu.weight", path, sizeof(path));
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkdir(path, 0700), 0);
	world_path(&world, "pods/b", "", gone, sizeof(gone));
	gone[strlen(gone) - 1] = '\0';
	world_path(&world, "elsewhere", "", path, sizeof(path));
	path[strlen(path) - 1] = '\0';
	assert_int_equal(rename(gone, path), 0);
	assert_int_equal(actuator_restore_journal(&world.root, &world.hierarchy, world.runtime_fd,
						  tell, &told),
			 1);
	assert_int_equal(told.restored, 1);
	assert_int_equal(told.nothing, 1);
	assert_int_equal(told.failed, 1);
	assert_knob(&world, "pods/a/c", "cpu.weight", "250");
	world_path(&world, "pods/a", "cpu.weight", path, sizeof(path));
	assert_int_equal(rmdir(path), 0);
	world_set(&world, "pods/a", "cpu.weight", "20");
	assert_int_equal(actuator_restore_journal(&world.root, &world.hierarchy, world.runtime_fd,
						  NULL, NULL),
			 0);
	assert_knob(&world, "pods/a", "cpu.weight", "250");
	world_close(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_actuator_new_adopts_without_a_write),
		cmocka_unit_test(test_actuator_new_locked_weight_is_not_foreign),
		cmocka_unit_test(test_actuator_new_lease_of_previous_run_ends),
		cmocka_unit_test(test_actuator_new_dry_run_puts_back_what_was_left),
		cmocka_unit_test(test_actuator_restore_journal_leaves_foreign_values),
		cmocka_unit_test(test_actuator_restore_journal_failure_is_kept_for_later),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
