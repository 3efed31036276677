/* SPDX-License-Identifier: Apache-2.0 */
/*
 * While systemd is asked and told, and writes all of a unit's knobs: what is claimed, changed and
 * ended meanwhile, and a systemd that does not answer in time.
 */
#include "berth-test.h"
#include "unit-world.h"

/* It did as it was told after all: what it wrote over in passing is put back with the next answer.
 */
static void test_pin_systemd_that_is_late_takes_no_text_of_others(void **state)
{
	struct rig rig;

	(void)state;
	rig_open_or_skip(&rig, 2);
	world_set(&rig.world, BATCH, "cpu.max", "12500 100000");
	rig.manager.state->late = true;
	rig_claim(&rig, KNOB_CPU_WEIGHT, 20);
	rig_run(&rig);
	rig.manager.state->late = false;
	actuator_reconcile(rig.world.actuator);
	rig_run(&rig);
	assert_int_equal(rig_unit(&rig)->weight, 20);
	assert_knob(&rig.world, BATCH, "cpu.max", "12500 100000");
	rig.manager.state->late = true;
	rig_unclaim(&rig, KNOB_CPU_WEIGHT);
	rig_run(&rig);
	/* Wanted again: that it was set once says nothing. */
	rig_claim(&rig, KNOB_CPU_WEIGHT, 20);
	rig.manager.state->late = false;
	actuator_reconcile(rig.world.actuator);
	rig_run(&rig);
	assert_int_equal(rig_unit(&rig)->weight, 20);
	rig.manager.state->late = true;
	rig_unclaim(&rig, KNOB_CPU_WEIGHT);
	rig_run(&rig);
	rig.manager.state->late = false;
	actuator_reconcile(rig.world.actuator);
	rig_run(&rig);
	assert_int_equal(rig_unit(&rig)->weight, BATCH_WANTS);
	assert_knob(&rig.world, BATCH, "cpu.weight", "250");
	assert_knob(&rig.world, BATCH, "cpu.max", "12500 100000");
	assert_int_equal(world_stats(&rig.world).journal_bytes, 0);
	rig_close(&rig);
}

/* systemd comes back, and does what it had said that it would. */
static void wake(struct rig *rig)
{
	rig->manager.state->hangs = rig->manager.state->hung = false;
	rig_daemon_reload(rig);
	actuator_reconcile(rig->world.actuator);
	rig_run(rig);
}

/* That it was set is no answer to what follows: only then do the files hold what they will. */
static void test_pin_systemd_that_hangs_before_it_writes_takes_no_text_of_others(void **state)
{
	struct rig rig;

	(void)state;
	rig_open_or_skip(&rig, 2);
	world_set(&rig.world, BATCH, "cpu.max", "12500 100000");
	rig.manager.state->hangs = true;
	rig_claim(&rig, KNOB_CPU_WEIGHT, 20);
	rig_run(&rig);
	wake(&rig);
	assert_int_equal(rig_unit(&rig)->weight, 20);
	assert_knob(&rig.world, BATCH, "cpu.max", "12500 100000");
	assert_string_equal(rig_setting(&rig), "CPUWeight=20 of batch.slice");
	rig.manager.state->hangs = true;
	rig_unclaim(&rig, KNOB_CPU_WEIGHT);
	rig_run(&rig);
	wake(&rig);
	assert_int_equal(rig_unit(&rig)->weight, BATCH_WANTS);
	assert_knob(&rig.world, BATCH, "cpu.max", "12500 100000");
	assert_knob(&rig.world, BATCH, "cpu.weight", "250");
	assert_int_equal(world_stats(&rig.world).journal_bytes, 0);
	rig_close(&rig);
}

/* And something else is to be set by then: what it wrote over is put back before the files are
 * read.
 */
static void test_pin_systemd_that_hangs_is_told_something_else(void **state)
{
	struct rig rig;

	(void)state;
	rig_open_or_skip(&rig, 2);
	world_set(&rig.world, BATCH, "cpu.max", "12500 100000");
	rig.manager.state->hangs = true;
	rig_claim(&rig, KNOB_CPU_WEIGHT, 20);
	rig_run(&rig);
	rig_claim(&rig, KNOB_CPU_WEIGHT, 30);
	wake(&rig);
	assert_int_equal(rig_unit(&rig)->weight, 30);
	assert_knob(&rig.world, BATCH, "cpu.max", "12500 100000");
	rig.manager.state->hangs = true;
	rig_claim(&rig, KNOB_CPU_WEIGHT, 40);
	rig_run(&rig);
	rig_unclaim(&rig, KNOB_CPU_WEIGHT);
	wake(&rig);
	assert_int_equal(rig_unit(&rig)->weight, BATCH_WANTS);
	assert_knob(&rig.world, BATCH, "cpu.max", "12500 100000");
	assert_knob(&rig.world, BATCH, "cpu.weight", "250");
	/* Of another property. */
	rig.manager.state->hangs = true;
	rig_claim(&rig, KNOB_MEMORY_LOW_BYTES, 8192);
	rig_run(&rig);
	rig_claim(&rig, KNOB_CPU_WEIGHT, 20);
	wake(&rig);
	assert_int_equal(rig_unit(&rig)->weight, 20);
	assert_int_equal(rig_unit(&rig)->low, 8192);
	assert_knob(&rig.world, BATCH, "cpu.max", "12500 100000");
	assert_int_equal(actuator_restore_all(rig.world.actuator, false), 0);
	assert_knob(&rig.world, BATCH, "cpu.max", "12500 100000");
	assert_knob(&rig.world, BATCH, "cpu.weight", "250");
	assert_int_equal(world_stats(&rig.world).journal_bytes, 0);
	rig_close(&rig);
}

/* systemd left the bus between the question and the order: daemon-reexec. */
static void test_pin_systemd_that_is_gone_when_told_is_told_later(void **state)
{
	struct rig rig;

	(void)state;
	rig_open_or_skip(&rig, 2);
	rig_claim(&rig, KNOB_CPU_WEIGHT, 20);
	rig_run(&rig);
	rig.manager.state->gone = true;
	rig_claim(&rig, KNOB_CPU_WEIGHT, 30);
	rig_run(&rig);
	assert_int_equal(rig_unit(&rig)->weight, 20);
	rig.manager.state->gone = false;
	actuator_reconcile(rig.world.actuator);
	rig_run(&rig);
	assert_int_equal(rig_unit(&rig)->weight, 30);
	rig_unclaim(&rig, KNOB_CPU_WEIGHT);
	rig_run(&rig);
	assert_int_equal(rig_unit(&rig)->weight, BATCH_WANTS);
	assert_knob(&rig.world, BATCH, "cpu.weight", "250");
	assert_int_equal(world_stats(&rig.world).unit_pin_errors, 0);
	rig_close(&rig);
}

static struct rig *meanwhile_rig;
static uint64_t meanwhile_quota;

/* Once, when what the files hold was read and systemd is about to be told. */
static void meanwhile(const char *step)
{
	struct rig *rig = meanwhile_rig;

	if (!rig || strcmp(step, "unit-property-set") != 0)
		return;
	meanwhile_rig = NULL;
	if (meanwhile_quota)
		rig_claim(rig, KNOB_CPU_QUOTA_USEC, meanwhile_quota);
	else
		rig_unclaim(rig, KNOB_CPU_QUOTA_USEC);
}

static void changed_meanwhile(uint64_t quota, bool undo, const char *expected)
{
	struct rig rig;

	rig_open_or_skip(&rig, 2);
	rig_claim(&rig, KNOB_CPU_QUOTA_USEC, 12345);
	rig_claim(&rig, KNOB_CPU_WEIGHT, 20);
	rig_run(&rig);
	meanwhile_rig = &rig;
	meanwhile_quota = quota;
	actuator_failpoint = meanwhile;
	if (undo)
		rig_unclaim(&rig, KNOB_CPU_WEIGHT);
	else
		rig_claim(&rig, KNOB_CPU_WEIGHT, 30);
	rig_run(&rig);
	actuator_failpoint = NULL;
	assert_null(meanwhile_rig);
	assert_int_equal(rig_unit(&rig)->weight, undo ? BATCH_WANTS : 30);
	assert_knob(&rig.world, BATCH, "cpu.max", expected);
	assert_int_equal(world_stats(&rig.world).foreign_writes, 0);
	assert_int_equal(actuator_restore_all(rig.world.actuator, false), 0);
	assert_knob(&rig.world, BATCH, "cpu.max", "max 100000");
	assert_knob(&rig.world, BATCH, "cpu.weight", "250");
	rig_close(&rig);
}

/* systemd writes all of the unit's knobs: what is put back after is what we wrote last, and not
 * what was there when systemd was told. */
static void test_pin_knob_changed_meanwhile_keeps_the_new_value(void **state)
{
	(void)state;
	changed_meanwhile(23456, false, "23456 100000");
	changed_meanwhile(23456, true, "23456 100000");
}

static void test_pin_knob_put_back_meanwhile_stays_so(void **state)
{
	(void)state;
	changed_meanwhile(0, false, "max 100000");
	changed_meanwhile(0, true, "max 100000");
}

/* Between the question what systemd has and its answer: nothing is set for a claim that is over, as
 * one is when somebody who insists has his way. */
static void test_pin_unclaimed_while_systemd_is_asked_sets_nothing(void **state)
{
	struct rig rig;

	(void)state;
	rig_open_or_skip(&rig, 2);
	rig_claim(&rig, KNOB_CPU_IDLE, 1);
	unit_pins_dispatch(rig.world.actuator->pins);
	assert_int_equal(rig.world.actuator->pins->in_flight, 1);
	rig_unclaim(&rig, KNOB_CPU_IDLE);
	rig_run(&rig);
	assert_int_equal(rig.manager.state->sets, 0);
	assert_int_equal(rig_unit(&rig)->weight, BATCH_WANTS);
	assert_knob(&rig.world, BATCH, "cpu.idle", "0");
	assert_knob(&rig.world, BATCH, "cpu.weight", "250");
	assert_int_equal(world_stats(&rig.world).journal_bytes, 0);
	rig_close(&rig);
}

static void test_pin_claimed_again_while_systemd_is_asked_undoes_nothing(void **state)
{
	struct rig rig;

	(void)state;
	rig_open_or_skip(&rig, 2);
	rig_claim(&rig, KNOB_MEMORY_LOW_BYTES, 4096);
	rig_run(&rig);
	assert_int_equal(rig.manager.state->sets, 1);
	rig_unclaim(&rig, KNOB_MEMORY_LOW_BYTES);
	unit_pins_dispatch(rig.world.actuator->pins);
	assert_int_equal(rig.world.actuator->pins->in_flight, 1);
	rig_claim(&rig, KNOB_MEMORY_LOW_BYTES, 4096);
	rig_run(&rig);
	assert_int_equal(rig.manager.state->sets, 1);
	assert_int_equal(rig_unit(&rig)->low, 4096);
	rig_unclaim(&rig, KNOB_MEMORY_LOW_BYTES);
	rig_run(&rig);
	assert_int_equal(rig_unit(&rig)->low, 0);
	assert_int_equal(world_stats(&rig.world).journal_bytes, 0);
	rig_close(&rig);
}

/* The kernel, with the stand-in that 6.12 shows for the weight under cpu.idle (tg_weight(),
 * sched_weight_to_cgroup()). */
static struct rig *idle_rig;
static bool idle_was;

static void idle_kernel(const char *step)
{
	bool is = strcmp(world_get(&idle_rig->world, BATCH, "cpu.idle"), "1") == 0;

	if (strcmp(step, "knob-written") == 0 && (is || idle_was))
		world_set(&idle_rig->world, BATCH, "cpu.weight", is ? "1" : "100");
	idle_was = is;
}

static bool idle_ends;

/* And once, when systemd is about to be told of cpu.idle, its claim ends. */
static void idle_meanwhile(const char *step)
{
	if (idle_ends && strcmp(step, "unit-property-set") == 0) {
		idle_ends = false;
		rig_unclaim(idle_rig, KNOB_CPU_IDLE);
	}
	idle_kernel(step);
}

static void test_pin_idle_unclaimed_meanwhile_has_the_weight_back(void **state)
{
	struct rig rig;

	(void)state;
	rig_open_or_skip(&rig, 2);
	idle_rig = &rig;
	idle_was = false;
	idle_ends = true;
	actuator_failpoint = idle_meanwhile;
	rig_claim(&rig, KNOB_CPU_IDLE, 1);
	rig_run(&rig);
	actuator_failpoint = NULL;
	assert_false(idle_ends);
	assert_int_equal(rig_unit(&rig)->weight, BATCH_WANTS);
	assert_knob(&rig.world, BATCH, "cpu.idle", "0");
	assert_knob(&rig.world, BATCH, "cpu.weight", "250");
	assert_int_equal(world_stats(&rig.world).journal_bytes, 0);
	rig_close(&rig);
}

/* The property of before is not undone yet: the weight that was found is the group's own again. */
static void test_pin_idle_claimed_again_at_once_has_the_true_weight(void **state)
{
	struct rig rig;

	(void)state;
	rig_open_or_skip(&rig, 2);
	rig_claim(&rig, KNOB_CPU_IDLE, 1);
	rig_run(&rig);
	rig_unclaim(&rig, KNOB_CPU_IDLE);
	rig_claim(&rig, KNOB_CPU_IDLE, 1);
	assert_string_equal(world_see(&rig.world, BATCH_ID, KNOB_CPU_WEIGHT).original, "250");
	rig_run(&rig);
	assert_int_equal(rig_unit(&rig)->weight, 0);
	rig_unclaim(&rig, KNOB_CPU_IDLE);
	rig_run(&rig);
	assert_int_equal(rig_unit(&rig)->weight, BATCH_WANTS);
	assert_knob(&rig.world, BATCH, "cpu.idle", "0");
	assert_knob(&rig.world, BATCH, "cpu.weight", "250");
	assert_int_equal(world_stats(&rig.world).journal_bytes, 0);
	rig_close(&rig);
}

/* Once, when systemd has written all of the unit's knobs and they are not put back yet. */
static void (*realized_act)(struct rig *rig);

static void realized(const char *step)
{
	void (*act)(struct rig * rig) = realized_act;

	idle_kernel(step);
	if (!act || strcmp(step, "unit-property-realized") != 0)
		return;
	realized_act = NULL;
	act(idle_rig);
}

static void run_realized(struct rig *rig, void (*act)(struct rig *rig))
{
	realized_act = act;
	rig_run(rig);
	assert_null(realized_act);
}

#define BY_HAND "12500 100000"

static void realized_begin(struct rig *rig)
{
	idle_rig = rig;
	idle_was = false;
	actuator_failpoint = realized;
}

static void claim_idle(struct rig *rig)
{
	assert_knob(&rig->world, BATCH, "cpu.weight", "77");
	rig_claim(rig, KNOB_CPU_IDLE, 1);
}

static void claim_quota(struct rig *rig)
{
	assert_knob(&rig->world, BATCH, "cpu.max", "max 100000");
	rig_claim(rig, KNOB_CPU_QUOTA_USEC, 23456);
}

static void unclaim_quota(struct rig *rig)
{
	assert_knob(&rig->world, BATCH, "cpu.max", "max 100000");
	rig_unclaim(rig, KNOB_CPU_QUOTA_USEC);
}

static void unclaim_idle(struct rig *rig)
{
	assert_knob(&rig->world, BATCH, "cpu.weight", "77");
	rig_unclaim(rig, KNOB_CPU_IDLE);
}

static void test_pin_idle_claimed_while_systemd_writes_has_the_true_weight(void **state)
{
	struct rig rig;

	(void)state;
	rig_open_or_skip(&rig, 2);
	realized_begin(&rig);
	rig_claim(&rig, KNOB_CPU_IDLE, 1);
	rig_run(&rig);
	rig_unclaim(&rig, KNOB_CPU_IDLE);
	run_realized(&rig, claim_idle);
	assert_string_equal(world_see(&rig.world, BATCH_ID, KNOB_CPU_WEIGHT).original, "250");
	assert_knob(&rig.world, BATCH, "cpu.idle", "1");
	assert_int_equal(rig_unit(&rig)->weight, 0);
	rig_unclaim(&rig, KNOB_CPU_IDLE);
	rig_run(&rig);
	assert_knob(&rig.world, BATCH, "cpu.weight", "250");
	assert_int_equal(world_stats(&rig.world).journal_bytes, 0);
	rig_close(&rig);
}

static void test_pin_knob_claimed_while_systemd_writes_has_the_true_original(void **state)
{
	struct rig rig;

	(void)state;
	rig_open_or_skip(&rig, 2);
	realized_begin(&rig);
	world_set(&rig.world, BATCH, "cpu.max", BY_HAND);
	rig_claim(&rig, KNOB_CPU_WEIGHT, 20);
	run_realized(&rig, claim_quota);
	assert_string_equal(world_see(&rig.world, BATCH_ID, KNOB_CPU_QUOTA_USEC).original, BY_HAND);
	assert_knob(&rig.world, BATCH, "cpu.max", "23456 100000");
	rig_unclaim(&rig, KNOB_CPU_QUOTA_USEC);
	assert_knob(&rig.world, BATCH, "cpu.max", BY_HAND);
	rig_close(&rig);
}

static void quota_while_systemd_writes(void (*act)(struct rig *rig), const char *expected)
{
	struct rig rig;

	rig_open_or_skip(&rig, 2);
	realized_begin(&rig);
	world_set(&rig.world, BATCH, "cpu.max", BY_HAND);
	rig_claim(&rig, KNOB_CPU_QUOTA_USEC, 12345);
	rig_claim(&rig, KNOB_CPU_WEIGHT, 20);
	run_realized(&rig, act);
	assert_knob(&rig.world, BATCH, "cpu.max", expected);
	assert_int_equal(world_stats(&rig.world).foreign_writes, 0);
	assert_int_equal(actuator_restore_all(rig.world.actuator, false), 0);
	assert_knob(&rig.world, BATCH, "cpu.max", BY_HAND);
	assert_knob(&rig.world, BATCH, "cpu.weight", "250");
	rig_close(&rig);
}

/* What is there is nobody's foreign write, and no original. */
static void test_pin_knob_changed_while_systemd_writes_is_no_foreign_write(void **state)
{
	(void)state;
	quota_while_systemd_writes(claim_quota, "23456 100000");
	quota_while_systemd_writes(unclaim_quota, BY_HAND);
}

/* cpu.idle stays and its property goes: systemd writes its own weight over the stand-in. */
static void test_pin_idle_unclaimed_while_systemd_writes_has_the_weight_back(void **state)
{
	struct rig rig;

	(void)state;
	rig_open_or_skip(&rig, 2);
	realized_begin(&rig);
	rig_claim(&rig, KNOB_CPU_IDLE, 1);
	rig_run(&rig);
	rig.world.options.pin_units = false;
	assert_ok(actuator_set_options(rig.world.actuator, &rig.world.options));
	run_realized(&rig, unclaim_idle);
	assert_knob(&rig.world, BATCH, "cpu.idle", "0");
	assert_knob(&rig.world, BATCH, "cpu.weight", "250");
	assert_int_equal(rig_unit(&rig)->weight, BATCH_WANTS);
	assert_int_equal(world_stats(&rig.world).foreign_writes, 0);
	assert_int_equal(world_stats(&rig.world).journal_bytes, 0);
	rig_close(&rig);
}

static struct rig *renew_rig;

/* Once, when what the files hold was read and systemd is about to be told. */
static void renew_meanwhile(const char *step)
{
	struct rig *rig = renew_rig;

	if (!rig || strcmp(step, "unit-property-set") != 0)
		return;
	renew_rig = NULL;
	actuator_target_gone(rig->world.actuator, world_target(BATCH_ID));
	rig_group_renew(&rig->world, BATCH);
	world_set(&rig->world, BATCH, "cpu.idle", "0");
	world_set(&rig->world, BATCH, "cpu.weight", "77");
	rig_claim(rig, KNOB_CPU_WEIGHT, 20);
}

/* What the group before it held is none of its business. */
static void test_pin_group_made_again_meanwhile_gets_no_text_of_the_one_before(void **state)
{
	struct rig rig;

	(void)state;
	rig_open_or_skip(&rig, 2);
	world_set(&rig.world, BATCH, "cpu.max", "12500 100000");
	renew_rig = &rig;
	actuator_failpoint = renew_meanwhile;
	rig_claim(&rig, KNOB_CPU_WEIGHT, 20);
	rig_run(&rig);
	assert_null(renew_rig);
	assert_knob(&rig.world, BATCH, "cpu.max", "max 100000");
	rig_unclaim(&rig, KNOB_CPU_WEIGHT);
	rig_run(&rig);
	assert_knob(&rig.world, BATCH, "cpu.max", "max 100000");
	assert_knob(&rig.world, BATCH, "cpu.weight", "77");
	assert_int_equal(rig_unit(&rig)->weight, BATCH_WANTS);
	assert_int_equal(world_stats(&rig.world).journal_bytes, 0);
	rig_close(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pin_systemd_that_is_late_takes_no_text_of_others),
		cmocka_unit_test(
			test_pin_systemd_that_hangs_before_it_writes_takes_no_text_of_others),
		cmocka_unit_test(test_pin_systemd_that_hangs_is_told_something_else),
		cmocka_unit_test(test_pin_systemd_that_is_gone_when_told_is_told_later),
		cmocka_unit_test(test_pin_knob_changed_meanwhile_keeps_the_new_value),
		cmocka_unit_test(test_pin_knob_put_back_meanwhile_stays_so),
		cmocka_unit_test(test_pin_unclaimed_while_systemd_is_asked_sets_nothing),
		cmocka_unit_test(test_pin_claimed_again_while_systemd_is_asked_undoes_nothing),
		cmocka_unit_test(test_pin_idle_unclaimed_meanwhile_has_the_weight_back),
		cmocka_unit_test(test_pin_idle_claimed_again_at_once_has_the_true_weight),
		cmocka_unit_test(test_pin_idle_claimed_while_systemd_writes_has_the_true_weight),
		cmocka_unit_test(test_pin_knob_claimed_while_systemd_writes_has_the_true_original),
		cmocka_unit_test(test_pin_knob_changed_while_systemd_writes_is_no_foreign_write),
		cmocka_unit_test(test_pin_idle_unclaimed_while_systemd_writes_has_the_weight_back),
		cmocka_unit_test(
			test_pin_group_made_again_meanwhile_gets_no_text_of_the_one_before),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
