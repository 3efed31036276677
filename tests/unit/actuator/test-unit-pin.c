/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/resource.h>

#include "berth-test.h"
#include "unit-world.h"

static void test_pin_idle_survives_daemon_reload(void **state)
{
	struct rig rig;

	(void)state;
	rig_open_or_skip(&rig, 2);
	world_set(&rig.world, BATCH, "cpu.max", "12500 100000");
	rig_claim(&rig, KNOB_CPU_IDLE, 1);
	/* The file does not wait for the bus. */
	assert_knob(&rig.world, BATCH, "cpu.idle", "1");
	assert_int_equal(rig.manager.state->sets, 0);
	rig_run(&rig);
	assert_int_equal(rig_unit(&rig)->weight, 0);
	assert_string_equal(rig_setting(&rig), "CPUWeight=idle of batch.slice");
	assert_int_equal(world_stats(&rig.world).unit_pins, 1);
	/* What systemd wrote in passing is as it was, and nobody's fault. */
	assert_knob(&rig.world, BATCH, "cpu.max", "12500 100000");
	rig_daemon_reload(&rig);
	assert_knob(&rig.world, BATCH, "cpu.idle", "1");
	rig_run(&rig);
	assert_int_equal(world_stats(&rig.world).foreign_writes, 0);
	assert_int_equal(rig.manager.state->sets, 1);
	rig_close(&rig);
}

/* The kubelet has memory.oom.group set in the file alone; systemd writes it with its limits. */
static void test_pin_limit_takes_nothing_else_of_memory(void **state)
{
	struct rig rig;

	(void)state;
	rig_open_or_skip(&rig, 2);
	world_set(&rig.world, BATCH, "memory.oom.group", "1");
	world_set(&rig.world, BATCH, "memory.high", "65536");
	rig_claim(&rig, KNOB_MEMORY_LOW_BYTES, 8192);
	rig_run(&rig);
	assert_int_equal(rig_unit(&rig)->low, 8192);
	assert_knob(&rig.world, BATCH, "memory.oom.group", "1");
	assert_knob(&rig.world, BATCH, "memory.high", "65536");
	rig_unclaim(&rig, KNOB_MEMORY_LOW_BYTES);
	rig_run(&rig);
	assert_int_equal(rig_unit(&rig)->low, 0);
	assert_knob(&rig.world, BATCH, "memory.oom.group", "1");
	assert_knob(&rig.world, BATCH, "memory.high", "65536");
	rig_close(&rig);
}

static void test_pin_unclaimed_gets_property_and_file_back(void **state)
{
	struct rig rig;

	(void)state;
	rig_open_or_skip(&rig, 2);
	rig_claim(&rig, KNOB_CPU_IDLE, 1);
	rig_run(&rig);
	rig_unclaim(&rig, KNOB_CPU_IDLE);
	rig_run(&rig);
	assert_int_equal(rig_unit(&rig)->weight, BATCH_WANTS);
	assert_knob(&rig.world, BATCH, "cpu.idle", "0");
	/* Not the property's, which systemd wrote: the one that was in the file. */
	assert_knob(&rig.world, BATCH, "cpu.weight", "250");
	assert_int_equal(world_stats(&rig.world).journal_bytes, 0);
	assert_int_equal(world_stats(&rig.world).holdings, 0);
	rig_close(&rig);
}

static void test_pin_restore_all_puts_back_without_the_loop(void **state)
{
	struct rig rig;

	(void)state;
	rig_open_or_skip(&rig, 2);
	rig_claim(&rig, KNOB_CPU_IDLE, 1);
	rig_claim(&rig, KNOB_MEMORY_LOW_BYTES, 8192);
	rig_run(&rig);
	assert_int_equal(rig_unit(&rig)->low, 8192);
	assert_int_equal(actuator_restore_all(rig.world.actuator, false), 0);
	assert_int_equal(rig_unit(&rig)->weight, BATCH_WANTS);
	assert_int_equal(rig_unit(&rig)->low, 0);
	assert_knob(&rig.world, BATCH, "cpu.weight", "250");
	assert_int_equal(world_stats(&rig.world).journal_bytes, 0);
	rig_close(&rig);
}

static void test_pin_pause_and_dry_run_pin_nothing(void **state)
{
	struct rig rig;

	(void)state;
	rig_open_or_skip(&rig, 2);
	rig_claim(&rig, KNOB_CPU_IDLE, 1);
	rig_run(&rig);
	assert_int_equal(actuator_restore_all(rig.world.actuator, true), 0);
	rig_run(&rig);
	assert_int_equal(rig_unit(&rig)->weight, BATCH_WANTS);
	assert_knob(&rig.world, BATCH, "cpu.idle", "0");
	actuator_resume(rig.world.actuator);
	rig_run(&rig);
	assert_int_equal(rig_unit(&rig)->weight, 0);
	rig.world.options.dry_run = true;
	assert_ok(actuator_set_options(rig.world.actuator, &rig.world.options));
	rig_run(&rig);
	assert_int_equal(rig_unit(&rig)->weight, BATCH_WANTS);
	rig.world.options.dry_run = false;
	assert_ok(actuator_set_options(rig.world.actuator, &rig.world.options));
	rig_run(&rig);
	assert_int_equal(rig_unit(&rig)->weight, 0);
	rig_close(&rig);
}

static void test_pin_option_off_undoes_it(void **state)
{
	struct rig rig;

	(void)state;
	rig_open_or_skip(&rig, 2);
	rig_claim(&rig, KNOB_CPU_IDLE, 1);
	rig_run(&rig);
	rig.world.options.pin_units = false;
	assert_ok(actuator_set_options(rig.world.actuator, &rig.world.options));
	rig_run(&rig);
	assert_int_equal(rig_unit(&rig)->weight, BATCH_WANTS);
	/* The knob itself stays. */
	assert_knob(&rig.world, BATCH, "cpu.idle", "1");
	assert_string_equal(rig_setting(&rig), "");
	rig.world.options.pin_units = true;
	assert_ok(actuator_set_options(rig.world.actuator, &rig.world.options));
	rig_run(&rig);
	assert_int_equal(rig_unit(&rig)->weight, 0);
	rig_close(&rig);
}

static void test_pin_each_knob_has_its_property(void **state)
{
	struct rig rig;

	(void)state;
	rig_open_or_skip(&rig, 2);
	rig_claim(&rig, KNOB_CPU_WEIGHT, 20);
	rig_claim(&rig, KNOB_CPU_QUOTA_USEC, 50000);
	rig_claim(&rig, KNOB_MEMORY_MIN_BYTES, 4096);
	rig_run(&rig);
	assert_int_equal(rig_unit(&rig)->weight, 20);
	assert_int_equal(rig_unit(&rig)->quota, 500000);
	assert_int_equal(rig_unit(&rig)->min, 4096);
	/* A part of a percent would be lost at the next reload. */
	rig_claim(&rig, KNOB_CPU_QUOTA_USEC, 12345);
	rig_run(&rig);
	assert_int_equal(rig_unit(&rig)->quota, UNSET);
	assert_knob(&rig.world, BATCH, "cpu.max", "12345 100000");
	/* The two share a property: what is in effect counts. */
	rig_claim(&rig, KNOB_CPU_IDLE, 1);
	rig_run(&rig);
	assert_int_equal(rig_unit(&rig)->weight, 0);
	rig_unclaim(&rig, KNOB_CPU_IDLE);
	rig_run(&rig);
	assert_int_equal(rig_unit(&rig)->weight, 20);
	assert_int_equal(world_stats(&rig.world).foreign_writes, 0);
	assert_int_equal(actuator_restore_all(rig.world.actuator, false), 0);
	assert_int_equal(rig_unit(&rig)->weight, BATCH_WANTS);
	assert_int_equal(rig_unit(&rig)->min, 0);
	assert_knob(&rig.world, BATCH, "cpu.max", "max 100000");
	rig_close(&rig);
}

static void test_pin_v1_shares(void **state)
{
	struct rig rig;

	(void)state;
	rig_open_or_skip(&rig, 1);
	rig_claim(&rig, KNOB_CPU_WEIGHT, 50);
	rig_run(&rig);
	assert_int_equal(rig_unit(&rig)->shares, 512);
	rig_unclaim(&rig, KNOB_CPU_WEIGHT);
	/* systemd leaves cpu.idle of v1 alone. */
	rig_claim(&rig, KNOB_CPU_IDLE, 1);
	rig_run(&rig);
	assert_int_equal(rig_unit(&rig)->shares, UNSET);
	assert_int_equal(rig_unit(&rig)->weight, BATCH_WANTS);
	rig_close(&rig);
}

static void test_pin_no_bus_nothing_happens(void **state)
{
	struct rig rig;

	(void)state;
	assert_true(rig_open(&rig, 2, false));
	rig_claim(&rig, KNOB_CPU_IDLE, 1);
	rig_run(&rig);
	assert_knob(&rig.world, BATCH, "cpu.idle", "1");
	assert_string_equal(rig_setting(&rig), "");
	assert_int_equal(world_stats(&rig.world).unit_pins, 0);
	assert_int_equal(world_stats(&rig.world).unit_pin_errors, 0);
	/* It comes later: found when the interval is over, or on request. */
	if (manager_bus_start(&rig.manager) == 0) {
		manager_start(&rig.manager);
		rig_run(&rig);
		assert_int_equal(rig.manager.state->asked, 0);
		actuator_reconcile(rig.world.actuator);
		rig_run(&rig);
		assert_int_equal(rig_unit(&rig)->weight, 0);
	}
	rig_close(&rig);
}

static void test_pin_bus_without_systemd_is_no_error(void **state)
{
	struct rig rig;

	(void)state;
	rig_open_or_skip(&rig, 2);
	manager_stop(&rig.manager);
	rig_claim(&rig, KNOB_CPU_IDLE, 1);
	rig_run(&rig);
	assert_knob(&rig.world, BATCH, "cpu.idle", "1");
	assert_int_equal(world_stats(&rig.world).unit_pin_errors, 0);
	manager_start(&rig.manager);
	actuator_reconcile(rig.world.actuator);
	rig_run(&rig);
	assert_int_equal(rig_unit(&rig)->weight, 0);
	rig_close(&rig);
}

/* dbus-daemon is started again while several units are being asked for. */
static void test_pin_bus_that_hangs_up_is_an_answer_to_all(void **state)
{
	static const char *const names[] = { "batch.slice", "two.slice", "three.slice" };
	static const char *const groups[] = { BATCH, "pods/two.slice", "pods/three.slice" };
	struct rig rig;

	(void)state;
	rig_open_or_skip(&rig, 2);
	for (size_t i = 1; i < ARRAY_SIZE(groups); i++) {
		struct manager_unit *unit = &rig.manager.state->units[i];

		rig_group(&rig.world, groups[i]);
		*unit = (struct manager_unit){ .weight = BATCH_WANTS, .quota = UNSET };
		(void)snprintf(unit->name, sizeof(unit->name), "%s", names[i]);
		(void)snprintf(unit->group, sizeof(unit->group), "%s", groups[i]);
	}
	rig.manager.state->mute = true;
	for (size_t i = 0; i < ARRAY_SIZE(groups); i++)
		assert_ok(world_claim_at(&rig.world, "one", BATCH_ID + i, groups[i],
					 KNOB_CPU_WEIGHT, 20, 0));
	while (rig.manager.state->asked < ARRAY_SIZE(groups))
		world_run(&rig.world, 10 * USEC_PER_MSEC);
	assert_int_equal(rig.world.actuator->pins->in_flight, ARRAY_SIZE(groups));
	manager_bus_stop(&rig.manager);
	manager_stop(&rig.manager);
	rig_run(&rig);
	assert_int_equal(rig.world.actuator->pins->in_flight, 0);

	rig.manager.state->mute = false;
	assert_ok(manager_bus_start(&rig.manager));
	manager_start(&rig.manager);
	actuator_reconcile(rig.world.actuator);
	rig_run(&rig);
	for (size_t i = 0; i < ARRAY_SIZE(groups); i++)
		assert_int_equal(rig.manager.state->units[i].weight, 20);
	assert_int_equal(actuator_restore_all(rig.world.actuator, false), 0);
	assert_int_equal(world_stats(&rig.world).journal_bytes, 0);
	rig_close(&rig);
}

static void test_pin_change_that_failed_is_tried_again(void **state)
{
	struct rig rig;

	(void)state;
	rig_open_or_skip(&rig, 2);
	rig_claim(&rig, KNOB_CPU_WEIGHT, 20);
	rig_run(&rig);
	assert_int_equal(rig_unit(&rig)->weight, 20);
	rig.manager.state->stuck = true;
	rig_claim(&rig, KNOB_CPU_WEIGHT, 30);
	rig_run(&rig);
	assert_int_equal(rig_unit(&rig)->weight, 20);
	assert_int_equal(world_stats(&rig.world).unit_pin_errors, 1);
	rig.manager.state->stuck = false;
	actuator_reconcile(rig.world.actuator);
	rig_run(&rig);
	assert_int_equal(rig_unit(&rig)->weight, 30);
	rig_close(&rig);
}

/* Two changes that never came to systemd: what it has is of the one before, and ours. */
static void test_pin_changes_that_failed_leave_it_ours(void **state)
{
	struct rig rig;

	(void)state;
	rig_open_or_skip(&rig, 2);
	rig_claim(&rig, KNOB_CPU_WEIGHT, 20);
	rig_run(&rig);
	rig.manager.state->stuck = true;
	for (uint64_t weight = 30; weight < 60; weight += 10) {
		rig_claim(&rig, KNOB_CPU_WEIGHT, weight);
		actuator_reconcile(rig.world.actuator);
		rig_run(&rig);
	}
	assert_int_equal(world_stats(&rig.world).unit_pin_errors, 3);
	assert_int_equal(rig_unit(&rig)->weight, 20);
	rig.manager.state->stuck = false;
	rig_unclaim(&rig, KNOB_CPU_WEIGHT);
	actuator_reconcile(rig.world.actuator);
	rig_run(&rig);
	assert_int_equal(rig_told(&rig, "systemd", "left"), 0);
	assert_int_equal(rig_unit(&rig)->weight, BATCH_WANTS);
	assert_knob(&rig.world, BATCH, "cpu.weight", "250");
	assert_int_equal(world_stats(&rig.world).journal_bytes, 0);
	rig_close(&rig);
}

/* Nothing can be added to the journal; what is in it is enough to undo. */
static void test_pin_full_journal_is_undone_at_the_end(void **state)
{
	void (*before)(int) = signal(SIGXFSZ, SIG_IGN);
	struct rlimit whole, limit;
	struct rig rig;

	(void)state;
	rig_open_or_skip(&rig, 2);
	rig_claim(&rig, KNOB_CPU_WEIGHT, 20);
	rig_claim(&rig, KNOB_MEMORY_LOW_BYTES, 8192);
	rig_run(&rig);
	assert_int_equal(rig_unit(&rig)->weight, 20);
	assert_int_equal(rig_unit(&rig)->low, 8192);
	assert_ok(getrlimit(RLIMIT_FSIZE, &whole));
	limit = whole;
	limit.rlim_cur = world_stats(&rig.world).journal_bytes;
	assert_ok(setrlimit(RLIMIT_FSIZE, &limit));
	assert_int_equal(actuator_restore_all(rig.world.actuator, false), 0);
	assert_ok(setrlimit(RLIMIT_FSIZE, &whole));
	(void)signal(SIGXFSZ, before);
	assert_int_equal(rig_unit(&rig)->weight, BATCH_WANTS);
	assert_int_equal(rig_unit(&rig)->low, 0);
	assert_knob(&rig.world, BATCH, "cpu.weight", "250");
	assert_int_equal(world_stats(&rig.world).journal_bytes, 0);
	rig_close(&rig);
}

static void test_pin_no_systemd_asks_nobody(void **state)
{
	char path[PATH_MAX];
	struct rig rig;

	(void)state;
	rig_open_or_skip(&rig, 2);
	world_stop(&rig.world);
	(void)snprintf(path, sizeof(path), "%s/run/systemd/system", rig.world.dir);
	assert_int_equal(rmdir(path), 0);
	world_start(&rig.world);
	rig_claim(&rig, KNOB_CPU_IDLE, 1);
	actuator_reconcile(rig.world.actuator);
	rig_run(&rig);
	assert_int_equal(rig.manager.state->asked, 0);
	rig_close(&rig);
}

static void test_pin_what_is_no_unit_is_asked_for_once(void **state)
{
	struct rig rig;

	(void)state;
	rig_open_or_skip(&rig, 2);
	rig_group(&rig.world, "pods/none.slice");
	for (uint64_t weight = 10; weight < 13; weight++) {
		assert_ok(world_claim_at(&rig.world, "one", 22, "pods/none.slice", KNOB_CPU_WEIGHT,
					 weight, 0));
		assert_ok(world_claim(&rig.world, "one", WORLD_A, KNOB_CPU_WEIGHT, weight, 0));
		rig_run(&rig);
		actuator_reconcile(rig.world.actuator);
		rig_run(&rig);
	}
	assert_int_equal(rig.manager.state->asked, 1);
	assert_int_equal(rig.manager.state->sets, 0);
	rig_close(&rig);
}

static void test_pin_unit_of_another_group_is_left_alone(void **state)
{
	struct rig rig;

	(void)state;
	rig_open_or_skip(&rig, 2);
	(void)snprintf(rig_unit(&rig)->group, sizeof(rig_unit(&rig)->group), "batch.slice");
	rig_claim(&rig, KNOB_CPU_IDLE, 1);
	rig_run(&rig);
	actuator_reconcile(rig.world.actuator);
	rig_run(&rig);
	assert_int_equal(rig.manager.state->asked, 1);
	assert_int_equal(rig.manager.state->sets, 0);
	assert_int_equal(rig_unit(&rig)->weight, BATCH_WANTS);
	rig_close(&rig);
}

static void test_pin_refused_is_told_once(void **state)
{
	struct rig rig;

	(void)state;
	rig_open_or_skip(&rig, 2);
	rig.manager.state->old = true;
	rig_claim(&rig, KNOB_CPU_IDLE, 1);
	rig_run(&rig);
	actuator_reconcile(rig.world.actuator);
	rig_run(&rig);
	assert_knob(&rig.world, BATCH, "cpu.idle", "1");
	assert_int_equal(world_see(&rig.world, BATCH_ID, KNOB_CPU_IDLE).status, KNOB_WRITTEN);
	assert_int_equal(world_stats(&rig.world).unit_pin_errors, 1);
	assert_int_equal(rig_told(&rig, "systemd", "refuses"), 1);
	assert_string_equal(rig_setting(&rig), "");
	/* Another value may be taken. */
	rig_unclaim(&rig, KNOB_CPU_IDLE);
	rig_claim(&rig, KNOB_CPU_WEIGHT, 20);
	rig_run(&rig);
	assert_int_equal(rig_unit(&rig)->weight, 20);
	rig_close(&rig);
}

/* The kubelet resizes a pod: runc tells systemd, then writes the file itself. */
static void test_pin_somebody_sets_the_property_is_the_new_original(void **state)
{
	struct rig rig;

	(void)state;
	rig_open_or_skip(&rig, 2);
	rig_claim(&rig, KNOB_CPU_IDLE, 1);
	rig_run(&rig);
	rig_unit(&rig)->weight = 300;
	rig_daemon_reload(&rig);
	assert_int_equal(sd_event_run(rig.world.event, 100 * USEC_PER_MSEC) > 0, true);
	/* Time for the second step, which cpu.idle would refuse. */
	assert_knob(&rig.world, BATCH, "cpu.idle", "0");
	world_set(&rig.world, BATCH, "cpu.weight", "300");
	/* The manager writes the file when it comes to it. */
	world_until(&rig.world, strcmp(world_get(&rig.world, BATCH, "cpu.idle"), "1") == 0);
	rig_run(&rig);
	assert_knob(&rig.world, BATCH, "cpu.idle", "1");
	assert_int_equal(rig_unit(&rig)->weight, 0);
	assert_int_equal(world_see(&rig.world, BATCH_ID, KNOB_CPU_IDLE).foreign, 1);
	rig_unclaim(&rig, KNOB_CPU_IDLE);
	rig_run(&rig);
	assert_int_equal(rig_unit(&rig)->weight, 300);
	assert_knob(&rig.world, BATCH, "cpu.weight", "300");
	assert_int_equal(world_stats(&rig.world).journal_bytes, 0);
	rig_close(&rig);
}

static void test_pin_somebody_elses_property_is_left_at_the_end(void **state)
{
	struct rig rig;

	(void)state;
	rig_open_or_skip(&rig, 2);
	rig_claim(&rig, KNOB_CPU_IDLE, 1);
	rig_run(&rig);
	rig_unit(&rig)->weight = 300;
	rig_unclaim(&rig, KNOB_CPU_IDLE);
	rig_run(&rig);
	assert_int_equal(rig_unit(&rig)->weight, 300);
	assert_int_equal(rig.manager.state->sets, 1);
	assert_int_equal(rig_told(&rig, "systemd", "left"), 1);
	assert_int_equal(world_stats(&rig.world).journal_bytes, 0);
	rig_close(&rig);
}

/* A service keeps its property when it is started again, and so begins with our value. */
static void test_pin_group_made_again_has_the_true_original(void **state)
{
	struct rig rig;

	(void)state;
	rig_open_or_skip(&rig, 2);
	rig_claim(&rig, KNOB_CPU_IDLE, 1);
	rig_run(&rig);
	actuator_target_gone(rig.world.actuator, world_target(BATCH_ID));
	rig_group_renew(&rig.world, BATCH);
	rig_claim(&rig, KNOB_CPU_IDLE, 1);
	assert_string_equal(world_see(&rig.world, BATCH_ID, KNOB_CPU_IDLE).original, "0");
	assert_string_equal(world_see(&rig.world, BATCH_ID, KNOB_CPU_WEIGHT).original, "77");
	rig_run(&rig);
	rig_unclaim(&rig, KNOB_CPU_IDLE);
	rig_run(&rig);
	assert_int_equal(rig_unit(&rig)->weight, BATCH_WANTS);
	assert_knob(&rig.world, BATCH, "cpu.idle", "0");
	rig_close(&rig);
}

/* And when nobody claims it at once: what came with the property goes with it. */
static void test_pin_group_made_again_is_not_kept_as_it_was(void **state)
{
	struct rig rig;

	(void)state;
	rig_open_or_skip(&rig, 2);
	rig_claim(&rig, KNOB_CPU_IDLE, 1);
	rig_run(&rig);
	actuator_target_gone(rig.world.actuator, world_target(BATCH_ID));
	rig_group_renew(&rig.world, BATCH);
	rig_run(&rig);
	assert_int_equal(rig_unit(&rig)->weight, BATCH_WANTS);
	assert_knob(&rig.world, BATCH, "cpu.idle", "0");
	assert_knob(&rig.world, BATCH, "cpu.weight", "77");
	assert_int_equal(world_stats(&rig.world).journal_bytes, 0);
	rig_close(&rig);
}

static void test_pin_unit_is_gone_is_forgotten(void **state)
{
	struct rig rig;

	(void)state;
	rig_open_or_skip(&rig, 2);
	rig_claim(&rig, KNOB_CPU_IDLE, 1);
	rig_run(&rig);
	rig_group_remove(&rig.world, BATCH);
	rig_unit(&rig)->name[0] = '\0';
	actuator_target_gone(rig.world.actuator, world_target(BATCH_ID));
	rig_run(&rig);
	assert_int_equal(world_stats(&rig.world).journal_bytes, 0);
	assert_int_equal(world_stats(&rig.world).unit_pin_errors, 0);
	rig_close(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pin_idle_survives_daemon_reload),
		cmocka_unit_test(test_pin_limit_takes_nothing_else_of_memory),
		cmocka_unit_test(test_pin_unclaimed_gets_property_and_file_back),
		cmocka_unit_test(test_pin_restore_all_puts_back_without_the_loop),
		cmocka_unit_test(test_pin_pause_and_dry_run_pin_nothing),
		cmocka_unit_test(test_pin_option_off_undoes_it),
		cmocka_unit_test(test_pin_each_knob_has_its_property),
		cmocka_unit_test(test_pin_v1_shares),
		cmocka_unit_test(test_pin_no_bus_nothing_happens),
		cmocka_unit_test(test_pin_bus_without_systemd_is_no_error),
		cmocka_unit_test(test_pin_bus_that_hangs_up_is_an_answer_to_all),
		cmocka_unit_test(test_pin_change_that_failed_is_tried_again),
		cmocka_unit_test(test_pin_changes_that_failed_leave_it_ours),
		cmocka_unit_test(test_pin_full_journal_is_undone_at_the_end),
		cmocka_unit_test(test_pin_no_systemd_asks_nobody),
		cmocka_unit_test(test_pin_what_is_no_unit_is_asked_for_once),
		cmocka_unit_test(test_pin_unit_of_another_group_is_left_alone),
		cmocka_unit_test(test_pin_refused_is_told_once),
		cmocka_unit_test(test_pin_somebody_sets_the_property_is_the_new_original),
		cmocka_unit_test(test_pin_somebody_elses_property_is_left_at_the_end),
		cmocka_unit_test(test_pin_group_made_again_has_the_true_original),
		cmocka_unit_test(test_pin_group_made_again_is_not_kept_as_it_was),
		cmocka_unit_test(test_pin_unit_is_gone_is_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
