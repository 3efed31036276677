/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test-crash.c - a plugin that takes the daemon down: each run of the host is a child process in
 * the same runtime directory, as after Restart=on-failure.
 */
#include <signal.h>
#include <sys/resource.h>

#include "../../plugin/modules/actor.h"
#include "berth-test.h"
#include "host-world.h"
#include "limit.h"
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

/* Runs the host until `good` ticked five times; how it ended. */
static int run_once(struct world *world)
{
	int status = 0;
	pid_t child = fork();

	assert_ok(child);
	if (child == 0) {
		const struct rlimit no_core = {};

		/* The loop and its fds are the parent's: one of its own. */
		(void)setrlimit(RLIMIT_CORE, &no_core);
		if (sd_event_new(&world->event) < 0)
			_exit(1);
		world_run(world, WORLD_POLICY);
		while (world_record(world, "good")->ticks < 5)
			if (sd_event_run(world->event, 100 * USEC_PER_MSEC) < 0)
				_exit(2);
		if (world_view(world, "crashing").state != PLUGIN_QUARANTINED)
			_exit(3);
		if (!strstr(world_view(world, "crashing").detail, "every()"))
			_exit(4);
		(void)host_free(world->host);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return status;
}

static void test_host_crash_twice_quarantines_at_the_next_start(void **state)
{
	struct world *world = *state;
	int status;

	world_plugin(world, "crashing");
	world_plugin(world, "good");
	for (unsigned int i = 0; i < QUARANTINE_CRASHES; i++) {
		status = run_once(world);
		assert_true(WIFSIGNALED(status));
		assert_int_equal(WTERMSIG(status), SIGSEGV);
	}
	status = run_once(world);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_host_crash_forgiven_when_the_settings_change(void **state)
{
	struct world *world = *state;

	world_plugin(world, "crashing");
	world_plugin(world, "good");
	for (unsigned int i = 0; i < QUARANTINE_CRASHES; i++)
		assert_true(WIFSIGNALED(run_once(world)));
	world_run(world, WORLD_POLICY);
	assert_int_equal(world_view(world, "crashing").state, PLUGIN_QUARANTINED);
	assert_true(world_view(world, "crashing").retry_usec > world_now_usec());
	world_apply(world, "plugins:\n  crashing: {does: nothing}\n");
	assert_int_equal(world_view(world, "crashing").state, PLUGIN_RUNNING);
}

#define WORLD_TEST(test) cmocka_unit_test_setup_teardown(test, world_setup, world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(test_host_crash_twice_quarantines_at_the_next_start),
		WORLD_TEST(test_host_crash_forgiven_when_the_settings_change),
	};

	return cmocka_run_group_tests_name("crash", tests, NULL, NULL);
}
