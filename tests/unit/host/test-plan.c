/* SPDX-License-Identifier: Apache-2.0 */
#include "../../plugin/modules/actor.h"
#include "berth-test.h"
#include "host-world.h"

static int world_setup(void **state)
{
	struct world *world = world_new();

	(void)world_add(world, "batch/a");
	(void)world_add(world, "online");
	*state = world;
	return 0;
}

static int world_teardown(void **state)
{
	*state = world_free(*state);
	return 0;
}

struct lines {
	char text[2048];
};

/* "plugin label knob now>then level>level; " */
static void lines_add(void *data, const struct plan_view *view)
{
	struct lines *lines = data;
	size_t length = strlen(lines->text);

	assert_non_null(view->reason);
	(void)snprintf(lines->text + length, sizeof(lines->text) - length, "%s %s %s %s>%s %s>%s; ",
		       view->plugin, view->label, view->knob, view->now ? view->now : "none",
		       view->then ? view->then : "none", view->level_now, view->level_then);
}

static void assert_plan(const struct world *world, const char *policy, const char *expected)
{
	CLEANUP(settings_freep) struct settings *settings = world_settings(world, policy);
	struct lines lines = {};

	assert_ok(host_plan(world->host, settings, lines_add, &lines));
	assert_string_equal(lines.text, expected);
}

#define NOW WORLD_POLICY "plugins:\n  good: {weight: 7}\n"

static void test_host_plan_differences_are_told(void **state)
{
	static const struct {
		const char *policy, *expected;
	} cases[] = {
		{ NOW, "" },
		{ WORLD_POLICY "plugins:\n  good: {weight: 9}\n",
		  "good a cpu.weight 7>9 batch>batch; " },
		{ WORLD_POLICY "plugins:\n  good: {weight: 7, quota: 50000}\n",
		  "good a cpu.quota none>50000 batch>batch; " },
		{ WORLD_POLICY "plugins:\n  good: {quota: 18446744073709551615}\n",
		  "good a cpu.weight 7>none batch>batch; "
		  "good a cpu.quota none>max batch>batch; " },
		{ WORLD_POLICY "plugins:\n  good: {enabled: false}\n",
		  "good a cpu.weight 7>none batch>batch; " },
		{ "plugins:\n  good: {weight: 7}\n", "good a cpu.weight 7>none batch>normal; " },
		{ "default_qos: batch\nplugins:\n  good: {weight: 7}\n",
		  "good online cpu.weight none>7 normal>batch; " },
		{ WORLD_POLICY "default_qos: high\nplugins:\n  good: {weight: 7}\n",
		  " online  none>none normal>high; " },
		{ WORLD_POLICY "plugins:\n  good: {weight: 7, does: fail_start}\n",
		  "good   none>none >; " },
		{ "rules:\n  - {match: {cgroup: 'batch/*'}, qos: batch, ignore: true}\n"
		  "plugins:\n  good: {weight: 7}\n",
		  "good a cpu.weight 7>none batch>batch; " },
	};
	struct world *world = *state;

	world_plugin(world, "good");
	world_run(world, NOW);
	world_settle(world);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_plan(world, cases[i].policy, cases[i].expected);
}

/* What a dry run or a pause keeps back is not there yet, and is what a reader of a plan asks for.
 */
static void test_host_plan_what_is_not_written_is_to_come(void **state)
{
	const struct actuator_options dry = { .dry_run = true };
	struct world *world = *state;

	world_plugin(world, "good");
	world_run(world, NOW);
	world_settle(world);
	assert_ok(actuator_restore_all(world->actuator, true));
	assert_plan(world, NOW, "good a cpu.weight none>7 batch>batch; ");
	assert_plan(world, WORLD_POLICY "plugins:\n  good: {enabled: false}\n", "");
	actuator_resume(world->actuator);
	world_settle(world);
	assert_plan(world, NOW, "");
	assert_ok(actuator_set_options(world->actuator, &dry));
	assert_plan(world, NOW, "good a cpu.weight none>7 batch>batch; ");
	assert_plan(world, WORLD_POLICY "plugins:\n  good: {weight: 9}\n",
		    "good a cpu.weight none>9 batch>batch; ");
	assert_plan(world, WORLD_POLICY "plugins:\n  good: {enabled: false}\n", "");
}

static void test_host_plan_changes_nothing(void **state)
{
	struct world *world = *state;
	struct actor_record before, *record;
	struct actuator_stats stats, after;

	world_plugin(world, "good");
	world_run(world, NOW);
	world_settle(world);
	record = world_record(world, "good");
	before = *record;
	actuator_stats(world->actuator, &stats);
	assert_plan(world, WORLD_POLICY "plugins:\n  good: {weight: 9, jobs: 3}\n",
		    "good a cpu.weight 7>9 batch>batch; ");
	world_settle(world);
	actuator_stats(world->actuator, &after);
	assert_int_equal(after.writes, stats.writes);
	assert_int_equal(after.claims, stats.claims);
	assert_knob(world, "batch/a", "cpu.weight", "7");
	/* The shadow ran, its jobs did not, and it is gone. */
	assert_int_equal(record->starts, before.starts + 1);
	assert_int_equal(record->stops, before.stops + 1);
	assert_int_equal(record->jobs_run, 0);
	assert_int_equal(record->jobs_canceled, 3);
	assert_int_equal(world_view(world, "good").state, PLUGIN_RUNNING);
	assert_int_equal(world_view(world, "good").sources, 1);
}

#define WORLD_TEST(test) cmocka_unit_test_setup_teardown(test, world_setup, world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(test_host_plan_differences_are_told),
		WORLD_TEST(test_host_plan_what_is_not_written_is_to_come),
		WORLD_TEST(test_host_plan_changes_nothing),
	};

	return cmocka_run_group_tests_name("plan", tests, NULL, NULL);
}
