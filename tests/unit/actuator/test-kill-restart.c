/* SPDX-License-Identifier: Apache-2.0 */
/* Killed anywhere, started again, and stopped in order; or asked for the same again. */
#include "berth-test.h"
#include "kill.h"

static void test_actuator_new_after_every_kill_v2_restores(void **state)
{
	(void)state;
	kill_everywhere(2, true);
}

static void test_actuator_new_after_every_kill_v1_restores(void **state)
{
	(void)state;
	kill_everywhere(1, true);
}

static void test_actuator_new_after_every_kill_v2_gives_what_is_claimed_again(void **state)
{
	(void)state;
	kill_everywhere_and_claim_again(2);
}

static void test_actuator_new_after_every_kill_v1_gives_what_is_claimed_again(void **state)
{
	(void)state;
	kill_everywhere_and_claim_again(1);
}

static unsigned int compaction_steps;

/* From the first compaction on. */
static void compaction_step_or_die(const char *step)
{
	if (compaction_steps > 0 || strcmp(step, "journal-compact") == 0)
		compaction_steps++;
	if (steps_left > 0 && compaction_steps == steps_left)
		(void)raise(SIGKILL);
}

static void many_changes(struct world *world)
{
	(void)world_claim(world, "one", WORLD_B, KNOB_CPU_QUOTA_USEC, 50000, 0);
	for (uint64_t i = 0; i < 1200; i++)
		(void)world_claim(world, "one", WORLD_A, KNOB_CPU_WEIGHT, 20 + i % 2, 0);
}

static void test_actuator_new_after_a_kill_around_a_compaction(void **state)
{
	struct world world;

	(void)state;
	world_open(&world, 2);
	world_stop(&world);
	for (unsigned int step = 1; step <= 16; step++) {
		char weight[8];
		int status = 0;
		pid_t pid = fork();

		assert_true(pid >= 0);
		if (pid == 0) {
			if (sd_event_new(&world.event) < 0)
				_exit(1);
			world_start(&world);
			steps_left = step;
			compaction_steps = 0;
			actuator_failpoint = compaction_step_or_die;
			many_changes(&world);
			_exit(0);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
		world_start(&world);
		/* The one that was under way and the one before it, in turn. */
		(void)snprintf(weight, sizeof(weight), "%u", 20 + step / 8 % 2);
		assert_ok(
			world_claim(&world, "one", WORLD_A, KNOB_CPU_WEIGHT, 20 + step / 8 % 2, 0));
		assert_knob(&world, "pods/a", "cpu.weight", weight);
		(void)snprintf(weight, sizeof(weight), "%u", 21 - step / 8 % 2);
		assert_ok(
			world_claim(&world, "one", WORLD_A, KNOB_CPU_WEIGHT, 21 - step / 8 % 2, 0));
		assert_knob(&world, "pods/a", "cpu.weight", weight);
		assert_knob(&world, "pods/b", "cpu.max", "50000 100000");
		assert_int_equal(actuator_restore_all(world.actuator, false), 0);
		world_stop(&world);
		assert_knob(&world, "pods/a", "cpu.weight", "250");
		assert_knob(&world, "pods/b", "cpu.max", "max 100000");
	}
	world_close(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_actuator_new_after_every_kill_v2_restores),
		cmocka_unit_test(test_actuator_new_after_every_kill_v1_restores),
		cmocka_unit_test(test_actuator_new_after_every_kill_v2_gives_what_is_claimed_again),
		cmocka_unit_test(test_actuator_new_after_every_kill_v1_gives_what_is_claimed_again),
		cmocka_unit_test(test_actuator_new_after_a_kill_around_a_compaction),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
