/* SPDX-License-Identifier: Apache-2.0 */
/* SIGKILL at every step of claims on devices; put back by --restore, and by the next start. */
#include <signal.h>

#include "berth-test.h"
#include "disks.h"

static unsigned int steps_left, steps_seen;

static void step_or_die(const char *step)
{
	disk_kernel_step(step);
	steps_seen++;
	if (steps_left > 0 && --steps_left == 0)
		(void)raise(SIGKILL);
}

static void day(struct world *world)
{
	(void)disk_claim(world, "one", WORLD_A, DISK_SDA, KNOB_IO_READ_BPS, 1000000);
	(void)disk_claim(world, "one", WORLD_A, DISK_SDB, KNOB_IO_READ_BPS, 2000000);
	(void)disk_claim(world, "one", WORLD_A, DISK_SDA, KNOB_IO_WRITE_IOPS, 300);
	(void)disk_claim(world, "two", WORLD_A, DISK_SDA, KNOB_IO_READ_BPS, 500000);
	(void)disk_claim(world, "one", WORLD_B, DISK_SDB, KNOB_IO_WRITE_BPS, 700000);
	if (world->version == 2)
		(void)disk_claim_text(world, "one", DISK_SDA, KNOB_DEVICE_COST_QOS,
				      "enable=1 ctrl=user rpct=95");
	actuator_unclaim_device(world->actuator, "two", world_target(WORLD_A), DISK_SDA,
				KNOB_IO_READ_BPS);
	(void)disk_claim(world, "one", WORLD_A, DISK_SDB, KNOB_IO_READ_BPS, 2500000);
	(void)actuator_restore_all(world->actuator, true);
	actuator_resume(world->actuator);
	actuator_unclaim_device(world->actuator, "one", world_target(WORLD_B), DISK_SDB,
				KNOB_IO_WRITE_BPS);
	(void)actuator_restore_all(world->actuator, false);
}

static void texts(struct world *world, char *text, size_t size)
{
	size_t length = 0;

	disk_world = world;
	disk_look();
	for (unsigned int g = 0; g < 2; g++)
		for (unsigned int d = 0; d < DISKS; d++)
			for (unsigned int k = 0; k < KEYS; k++)
				length += (size_t)snprintf(text + length, size - length,
							   "%s %s %s=%s\n", disk_groups[g],
							   disk_names[d], disk_keys[k],
							   disk_get(g, d, k));
	/* What is left of an io.cost that nobody had: off, and the kernel's own parameters. */
	(void)snprintf(text + length, size - length, "qos is %s\n",
		       strstr(disk_qos, "enable=1") || strstr(disk_qos, "ctrl=user") ? "on"
										     : "off");
}

/* Somebody's own limits, which are to come back. */
static void originals(void)
{
	disk_set(0, 0, 0, "9000000");
	disk_set(0, 0, 3, "77");
	disk_set(1, 1, 1, "8000000");
	for (unsigned int g = 0; g < 2; g++) {
		char shown[512];

		for (unsigned int k = 0; k < (disk_world->version == 1 ? KEYS : 1u); k++) {
			if (disk_world->version == 1)
				disk_show_v1(g, k, shown, sizeof(shown));
			else
				disk_show_v2(g, shown, sizeof(shown));
			disk_put(disk_groups[g],
				 disk_world->version == 1 ? disk_files[k] : "io.max", shown);
		}
	}
}

static unsigned int day_steps(int version)
{
	struct world world;

	disk_open(&world, version);
	originals();
	actuator_failpoint = step_or_die;
	steps_left = steps_seen = 0;
	day(&world);
	world_close(&world);
	return steps_seen;
}

static void child_dies_at(struct world *world, unsigned int step)
{
	int status = 0;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		if (sd_event_new(&world->event) < 0)
			_exit(1);
		disk_look();
		actuator_failpoint = step_or_die;
		world_start(world);
		steps_left = step;
		day(world);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void kill_everywhere(int version, bool restart)
{
	unsigned int steps = day_steps(version);
	char before[2048], after[2048];
	struct world world;

	assert_true(steps > 50);
	disk_open(&world, version);
	originals();
	world_stop(&world);
	texts(&world, before, sizeof(before));
	for (unsigned int step = 1; step <= steps; step++) {
		child_dies_at(&world, step);
		disk_look();
		actuator_failpoint = disk_kernel_step;
		if (restart) {
			world_start(&world);
			assert_int_equal(actuator_restore_all(world.actuator, false), 0);
			world_stop(&world);
		} else {
			assert_int_equal(actuator_restore_journal(&world.root, &world.hierarchy,
								  world.runtime_fd, NULL, NULL),
					 0);
		}
		texts(&world, after, sizeof(after));
		if (strcmp(before, after) != 0)
			fail_msg("killed at step %u of %u:\n%sbecame\n%s", step, steps, before,
				 after);
	}
	assert_int_equal(disk_lost, 0);
	world_close(&world);
}

static void test_restore_journal_after_every_kill_v2_restores_devices(void **state)
{
	(void)state;
	kill_everywhere(2, false);
}

static void test_restore_journal_after_every_kill_v1_restores_devices(void **state)
{
	(void)state;
	kill_everywhere(1, false);
}

static void test_actuator_new_after_every_kill_restores_devices(void **state)
{
	(void)state;
	kill_everywhere(2, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_restore_journal_after_every_kill_v2_restores_devices),
		cmocka_unit_test(test_restore_journal_after_every_kill_v1_restores_devices),
		cmocka_unit_test(test_actuator_new_after_every_kill_restores_devices),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
