/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kill.h - SIGKILL at every step of a daemon's day, one after the other, and a look at every knob
 * after what comes next.
 */
#pragma once

#include <signal.h>

#include "world.h"

/* Claims, changes and drops of every kind, as a daemon's day has them. */
static inline void scenario(struct world *world)
{
	/* So that a quota has two files to write on v1. */
	world->options.quota_period_usec = USEC_PER_SEC;
	(void)actuator_set_options(world->actuator, &world->options);
	(void)world_claim(world, "one", WORLD_A, KNOB_CPU_WEIGHT, 50, 0);
	(void)world_claim(world, "one", WORLD_A, KNOB_CPU_IDLE, 1, 0);
	(void)world_claim(world, "one", WORLD_B, KNOB_CPU_IDLE, 1, 0);
	(void)world_claim(world, "one", WORLD_B, KNOB_CPU_QUOTA_USEC, 50000, 0);
	(void)world_claim(world, "two", WORLD_B, KNOB_CPU_QUOTA_USEC, 20000, 0);
	if (world->version == 2) {
		(void)world_claim(world, "two", WORLD_C, KNOB_MEMORY_MIN_BYTES, 8192, 0);
		(void)world_claim(world, "two", WORLD_B, KNOB_MEMORY_MIN_BYTES, 4096, 0);
		(void)world_claim(world, "two", WORLD_C, KNOB_MEMORY_MIN_BYTES, 4096, 0);
	} else {
		(void)world_claim(world, "two", WORLD_A, KNOB_CPU_QOS_LEVEL, (uint64_t)-1, 0);
		(void)world_claim(world, "two", WORLD_C, KNOB_MEMORY_QOS_LEVEL, (uint64_t)-1, 0);
	}
	(void)world_claim(world, "one", WORLD_A, KNOB_CPU_IDLE, 0, 0);
	(void)world_claim(world, "one", WORLD_A, KNOB_CPU_WEIGHT, 70, 0);
	world_unclaim(world, "two", WORLD_B, KNOB_CPU_QUOTA_USEC);
	(void)world_claim(world, "one", WORLD_A, KNOB_CPU_IDLE, 1, 0);
	(void)actuator_restore_all(world->actuator, true);
	actuator_resume(world->actuator);
	world_unclaim(world, "one", WORLD_B, KNOB_CPU_IDLE);
	(void)actuator_restore_all(world->actuator, false);
}

/* Claims and changes that end in these: what a daemon that is started again has of its plugins. */
static inline void scenario_end(struct world *world)
{
	(void)world_claim(world, "one", WORLD_A, KNOB_CPU_WEIGHT, 70, 0);
	(void)world_claim(world, "one", WORLD_B, KNOB_CPU_IDLE, 1, 0);
	(void)world_claim(world, "one", WORLD_B, KNOB_CPU_QUOTA_USEC, 50000, 0);
	if (world->version == 2) {
		(void)world_claim(world, "two", WORLD_B, KNOB_MEMORY_MIN_BYTES, 4096, 0);
		(void)world_claim(world, "two", WORLD_C, KNOB_MEMORY_MIN_BYTES, 8192, 0);
	} else {
		(void)world_claim(world, "two", WORLD_A, KNOB_CPU_QOS_LEVEL, (uint64_t)-1, 0);
		(void)world_claim(world, "two", WORLD_C, KNOB_MEMORY_QOS_LEVEL, (uint64_t)-1, 0);
	}
}

static inline void scenario_claims(struct world *world)
{
	(void)world_claim(world, "one", WORLD_A, KNOB_CPU_WEIGHT, 50, 0);
	(void)world_claim(world, "one", WORLD_A, KNOB_CPU_IDLE, 1, 0);
	(void)world_claim(world, "one", WORLD_B, KNOB_CPU_QUOTA_USEC, 20000, 0);
	if (world->version == 2)
		(void)world_claim(world, "two", WORLD_C, KNOB_MEMORY_MIN_BYTES, 4096, 0);
	(void)world_claim(world, "one", WORLD_A, KNOB_CPU_WEIGHT, 70, 0);
	world_unclaim(world, "one", WORLD_A, KNOB_CPU_IDLE);
	scenario_end(world);
}

static unsigned int steps_left, steps_seen;

/* The kernel finishes its write; then the daemon is gone without a word. */
static inline void step_or_die(const char *step)
{
	world_kernel_step(step);
	steps_seen++;
	if (steps_left > 0 && --steps_left == 0)
		(void)raise(SIGKILL);
}

static inline void world_texts(const struct world *world, char *text, size_t size)
{
	static const char *const v2[] = { "cpu.idle", "cpu.weight", "cpu.max", "memory.min" };
	static const char *const v1[] = {
		"cpu.idle",          "cpu.shares",    "cpu.cfs_quota_us",
		"cpu.cfs_period_us", "cpu.qos_level", "memory.qos_level"
	};
	const char *const *files = world->version == 1 ? v1 : v2;
	size_t count = world->version == 1 ? ARRAY_SIZE(v1) : ARRAY_SIZE(v2);
	size_t length = 0;

	text[0] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(world_groups); i++)
		for (size_t j = 0; j < count; j++)
			length += (size_t)snprintf(text + length, size - length, "%s/%s=%s\n",
						   world_groups[i], files[j],
						   world_get(world, world_groups[i], files[j]));
}

/* How many steps, and what the files hold at the end. */
static inline unsigned int scenario_steps(int version, void (*run)(struct world *world), char *text,
					  size_t size)
{
	struct world world;

	world_open(&world, version);
	world_look_at_idle(&world);
	actuator_failpoint = step_or_die;
	steps_left = steps_seen = 0;
	run(&world);
	world_texts(&world, text, size);
	world_close(&world);
	return steps_seen;
}

static inline void child_dies_at(struct world *world, void (*run)(struct world *world),
				 unsigned int step)
{
	int status = 0;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		/* A loop is of the process that made it. */
		if (sd_event_new(&world->event) < 0)
			_exit(1);
		world_start(world);
		world_look_at_idle(world);
		actuator_failpoint = step_or_die;
		steps_left = step;
		run(world);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static inline void kill_everywhere(int version, bool restart)
{
	char before[4096], after[4096];
	unsigned int steps = scenario_steps(version, scenario, after, sizeof(after));
	struct world world;

	/* A scenario that became short would prove little. */
	assert_true(steps > 50);
	world_open(&world, version);
	world_stop(&world);
	world_texts(&world, before, sizeof(before));
	for (unsigned int step = 1; step <= steps; step++) {
		child_dies_at(&world, scenario, step);
		world_look_at_idle(&world);
		if (restart) {
			world_start(&world);
			assert_int_equal(actuator_restore_all(world.actuator, false), 0);
			world_stop(&world);
		} else {
			assert_int_equal(actuator_restore_journal(&world.root, &world.hierarchy,
								  world.runtime_fd, NULL, NULL),
					 0);
		}
		actuator_failpoint = NULL;
		world_texts(&world, after, sizeof(after));
		if (strcmp(before, after) != 0)
			fail_msg("killed at step %u of %u:\n%sbecame\n%s", step, steps, before,
				 after);
	}
	world_close(&world);
}

/* The next daemon is asked for what the one that was killed had come to, or was on its way to. */
static inline void kill_everywhere_and_claim_again(int version)
{
	char wanted[4096], after[4096];
	unsigned int steps = scenario_steps(version, scenario_claims, wanted, sizeof(wanted));
	struct world world;

	assert_true(steps > 30);
	world_open(&world, version);
	world_stop(&world);
	for (unsigned int step = 1; step <= steps; step++) {
		child_dies_at(&world, scenario_claims, step);
		world_look_at_idle(&world);
		world_start(&world);
		scenario_end(&world);
		actuator_drop_owner(world.actuator, "previous run");
		world_texts(&world, after, sizeof(after));
		if (strcmp(wanted, after) != 0)
			fail_msg("killed at step %u of %u:\n%sis wanted, and there is\n%s", step,
				 steps, wanted, after);
		assert_int_equal(actuator_restore_all(world.actuator, false), 0);
		world_stop(&world);
		actuator_failpoint = NULL;
	}
	world_close(&world);
}
