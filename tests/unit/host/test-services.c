/* SPDX-License-Identifier: Apache-2.0 */
#include "../../plugin/modules/actor.h"
#include "berth-test.h"
#include "host-world.h"
#include "limit.h"
#include "plugin/host-internal.h"

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

/* A world with two batch groups and an online one; the ids. */
static void add_workloads(struct world *world, uint64_t ids[3])
{
	ids[0] = world_add(world, "batch/a");
	ids[1] = world_add(world, "batch/b");
	ids[2] = world_add(world, "online");
}

static void test_host_two_plugins_on_one_knob_the_first_holds_it(void **state)
{
	struct world *world = *state;
	uint64_t ids[3];

	add_workloads(world, ids);
	world_plugin(world, "good");
	world_plugin(world, "rival");
	world_run(world, WORLD_POLICY "plugins:\n"
				      "  good: {weight: 7, quota: 70000}\n"
				      "  rival: {weight: 9, quota: 50000}\n");
	world_settle(world);
	/* An exclusive knob, and one of which the least counts. */
	assert_knob(world, "batch/a", "cpu.weight", "7");
	assert_knob(world, "batch/a", "cpu.max", "50000 100000");
	world_apply(world, WORLD_POLICY "plugins:\n"
					"  good: {weight: 7, quota: 70000, enabled: false}\n"
					"  rival: {weight: 9, quota: 50000}\n");
	world_settle(world);
	assert_knob(world, "batch/a", "cpu.weight", "9");
	assert_knob(world, "batch/a", "cpu.max", "50000 100000");
}

static void test_host_claim_refusals_reach_the_plugin(void **state)
{
	struct world *world = *state;
	struct actor_record *record;
	const struct knob_value value = { .number = 5 };
	const struct agent_api *api;
	uint64_t ids[3];

	add_workloads(world, ids);
	world_plugin(world, "good");
	world_run(world, WORLD_POLICY "plugins:\n  good: {weight: 20000}\n");
	record = world_record(world, "good");
	assert_errno(record->claim_result, ERANGE);
	api = record->agent->api;
	assert_errno(api->claim(record->agent, (struct berth_target){ TARGET_WORKLOAD, 12345 },
				KNOB_CPU_WEIGHT, &value, 0, ""),
		     ENOENT);
	assert_errno(api->claim(record->agent, (struct berth_target){ TARGET_WORKLOAD, ids[0] },
				KNOB_MAX, &value, 0, ""),
		     EOPNOTSUPP);
	assert_errno(api->claim(record->agent, (struct berth_target){ TARGET_WORKLOAD, ids[0] },
				KNOB_CPU_WEIGHT, NULL, 0, ""),
		     EINVAL);
}

static void test_host_claims_not_held_take_no_memory(void **state)
{
	struct world *world = *state;
	const struct knob_value value = { .number = 20000 };
	const struct instance *instance;
	struct agent *agent;
	uint64_t ids[3];

	add_workloads(world, ids);
	world_plugin(world, "good");
	world_run(world, WORLD_POLICY "plugins:\n  good: {weight: 7}\n");
	agent = world_record(world, "good")->agent;
	instance = container_of(agent, struct instance, agent);
	assert_int_equal(instance->claims.count, 2);
	for (uint64_t cpu = 0; cpu < 100; cpu++)
		assert_true(agent->api->claim(agent, (struct berth_target){ TARGET_CPU, cpu },
					      KNOB_CPU_WEIGHT, &value, 0, "") < 0);
	assert_int_equal(instance->claims.count, 2);
	agent->api->unclaim(agent, (struct berth_target){ TARGET_WORKLOAD, ids[0] },
			    KNOB_CPU_WEIGHT);
	assert_int_equal(instance->claims.count, 1);
}

static void history_count_kills(void *data, const struct history_view *view)
{
	unsigned int *count = data;

	*count += strcmp(view->owner, "killer") == 0 && strcmp(view->what, "kill") == 0 &&
		  strcmp(view->label, "a") == 0 && strcmp(view->reason, "a test asked for it") == 0;
}

static void test_host_act_kill_is_recorded_and_told(void **state)
{
	unsigned int kills = 0;
	struct world *world = *state;
	const struct actor_record *record;

	(void)world_add(world, "batch/a");
	world_plugin(world, "killer");
	world_run(world, WORLD_POLICY);
	record = world_record(world, "killer");
	world_until(world, record->acts_done == 1);
	assert_ok(record->act_result);
	assert_ok(record->last_act);
	/* Nobody is in the group: nothing to write, and still an action that was taken. */
	actuator_each_history(world->actuator, history_count_kills, &kills);
	assert_int_equal(kills, 1);
}

static void test_host_act_reclaim_reaches_the_group_and_is_told(void **state)
{
	struct world *world = *state;
	const struct actor_record *record;

	(void)world_add(world, "batch/a");
	world_plugin(world, "good");
	world_run(world, WORLD_POLICY "plugins:\n  good: {does: reclaim}\n");
	record = world_record(world, "good");
	world_until(world, record->acts_done == 1);
	assert_ok(record->last_act);
	assert_knob(world, "batch/a", "memory.reclaim", "4096");
}

static void test_host_work_results_come_back_on_the_loop(void **state)
{
	struct world *world = *state;

	world_plugin(world, "good");
	world_run(world, WORLD_POLICY "plugins:\n  good: {jobs: 10}\n");
	world_until(world, world_record(world, "good")->jobs_done == 10);
	assert_int_equal(world_record(world, "good")->jobs_canceled, 0);
}

static void test_host_work_stopped_plugin_hears_of_every_job_first(void **state)
{
	struct world *world = *state;
	struct actor_record *record;

	world_plugin(world, "good");
	/* Over the limit of one plugin: the rest was refused with -EAGAIN. */
	world_run(world, WORLD_POLICY "plugins:\n  good: {jobs: 100}\n");
	record = world_record(world, "good");
	world_apply(world, WORLD_POLICY "plugins:\n  good: {enabled: false}\n");
	assert_int_equal(record->stops, 1);
	assert_int_equal(record->jobs_canceled + record->jobs_done, LIMIT_PLUGIN_JOBS);
	assert_int_equal(record->jobs_done, 0);
	assert_errno(record->late_result, ECANCELED);
	world_settle(world);
	assert_int_equal(record->jobs_canceled, LIMIT_PLUGIN_JOBS);
}

static void test_host_watch_wakes_and_is_forgotten_with_the_plugin(void **state)
{
	struct world *world = *state;
	const struct actor_record *record;
	char policy[128];
	int ends[2];

	assert_ok(pipe2(ends, O_CLOEXEC));
	world_plugin(world, "good");
	(void)snprintf(policy, sizeof(policy), "plugins:\n  good: {watch: %d, period: 1min}\n",
		       ends[0]);
	world_run(world, policy);
	record = world_record(world, "good");
	assert_ok(record->watch_result);
	assert_int_equal(write(ends[1], "x", 1), 1);
	world_until(world, record->wakes > 0);
	world_apply(world, "plugins:\n  good: {enabled: false}\n");
	world_settle(world);
	assert_int_equal(world_view(world, "good").sources, 0);
	(void)close(ends[0]);
	(void)close(ends[1]);
}

static void test_host_watch_regular_file_is_refused(void **state)
{
	struct world *world = *state;
	char policy[128];
	int fd = openat(world->runtime_fd, "plain", O_RDONLY | O_CREAT | O_CLOEXEC, 0600);

	assert_ok(fd);
	world_plugin(world, "good");
	(void)snprintf(policy, sizeof(policy), "plugins:\n  good: {watch: %d}\n", fd);
	world_run(world, policy);
	assert_errno(world_record(world, "good")->watch_result, EPERM);
	(void)close(fd);
}

static void test_timer_first_usec_shares_ticks(void **state)
{
	static const struct {
		uint64_t now, period, first;
	} cases[] = {
		{ 10500000, 1000000, 11000000 }, { 10500000, 2000000, 12000000 },
		{ 12000000, 2000000, 14000000 }, { 11999999, 2000000, 12000000 },
		{ 10500000, 1500000, 12000000 }, { 10600000, 1500000, 13000000 },
		{ 10500000, 20000, 10520000 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		if (timer_first_usec(cases[i].now, cases[i].period) != cases[i].first)
			fail_msg("case %zu: %llu", i,
				 (unsigned long long)timer_first_usec(cases[i].now,
								      cases[i].period));
}

static void test_host_timer_expires_near_the_whole_second(void **state)
{
	struct world *world = *state;
	uint64_t past;

	world_plugin(world, "good");
	world_run(world, "plugins:\n  good: {period: 1s}\n");
	world_until(world, world_record(world, "good")->ticks == 1);
	past = world_record(world, "good")->tick_usec % USEC_PER_SEC;
	/* The accuracy, and as much again for a busy machine. */
	assert_true(past < 500 * USEC_PER_MSEC);
}

struct seen {
	char text[512];
	size_t count;
};

static void seen_add(void *data, const char *plugin, const char *key, const char *value)
{
	struct seen *seen = data;
	size_t length = strlen(seen->text);

	(void)snprintf(seen->text + length, sizeof(seen->text) - length, "%s %s=%s;", plugin, key,
		       value);
	seen->count++;
}

static void test_host_describe_is_shown_and_goes_with_the_workload(void **state)
{
	struct world *world = *state;
	struct seen seen = {};
	uint64_t ids[3];

	add_workloads(world, ids);
	world_plugin(world, "good");
	world_plugin(world, "rival");
	world_run(world, WORLD_POLICY);
	host_each_description(world->host, ids[0], seen_add, &seen);
	assert_string_equal(seen.text, "good seen=good;rival seen=rival;");
	registry_drop(&world->registry, "test", "batch/a");
	seen = (struct seen){};
	host_each_description(world->host, ids[0], seen_add, &seen);
	assert_int_equal(seen.count, 0);
	host_each_description(world->host, 0, seen_add, &seen);
	assert_string_equal(seen.text, "good way=test;rival way=test;");
}

static bool page_has(const struct world *world, const char *text)
{
	struct strbuf page = {};
	bool found;

	assert_ok(metrics_render(world->metrics, EXPOSITION_TEXT_0_0_4, &page));
	found = strstr(strbuf_text(&page), text) != NULL;
	strbuf_done(&page);
	return found;
}

static void test_host_metric_series_follow_level_workload_and_plugin(void **state)
{
	struct world *world = *state;

	world_plugin(world, "good");
	world_run(world, WORLD_POLICY);
	(void)world_add(world, "batch/a");
	assert_true(page_has(world,
			     "berth_good_workloads{kind=\"cgroup\",name=\"a\",qos=\"batch\"} 1"));
	world_apply(world, "default_qos: high\n");
	assert_true(page_has(world, "name=\"a\",qos=\"high\"} 1"));
	assert_false(page_has(world, "qos=\"batch\""));
	world_apply(world, "default_qos: high\nplugins:\n  good: {period: 30ms}\n");
	assert_true(page_has(world, "name=\"a\",qos=\"high\"} 1"));
	registry_drop(&world->registry, "test", "batch/a");
	assert_false(page_has(world, "name=\"a\""));
	world_apply(world, "plugins:\n  good: {enabled: false}\n");
	assert_false(page_has(world, "berth_good_workloads"));
}

static void test_host_fresh_takes_a_pass_only_when_old(void **state)
{
	struct world *world = *state;
	const struct workload_sample *sample;
	struct actor_record *record;
	uint64_t ids[3], generation;

	add_workloads(world, ids);
	world_plugin(world, "good");
	world_run(world, WORLD_POLICY);
	record = world_record(world, "good");
	assert_null(record->agent->api->sample(record->agent, ids[0]));
	assert_ok(record->agent->api->fresh(record->agent, 0));
	generation = world->snapshot.generation;
	assert_ok(record->agent->api->fresh(record->agent, 60 * USEC_PER_SEC));
	assert_int_equal(world->snapshot.generation, generation);
	sample = record->agent->api->sample(record->agent, ids[0]);
	assert_non_null(sample);
	assert_int_equal(sample->memory_bytes, 4096);
}

#define WORLD_TEST(test) cmocka_unit_test_setup_teardown(test, world_setup, world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(test_host_two_plugins_on_one_knob_the_first_holds_it),
		WORLD_TEST(test_host_claim_refusals_reach_the_plugin),
		WORLD_TEST(test_host_claims_not_held_take_no_memory),
		WORLD_TEST(test_host_act_kill_is_recorded_and_told),
		WORLD_TEST(test_host_act_reclaim_reaches_the_group_and_is_told),
		WORLD_TEST(test_host_work_results_come_back_on_the_loop),
		WORLD_TEST(test_host_work_stopped_plugin_hears_of_every_job_first),
		WORLD_TEST(test_host_watch_wakes_and_is_forgotten_with_the_plugin),
		WORLD_TEST(test_host_watch_regular_file_is_refused),
		cmocka_unit_test(test_timer_first_usec_shares_ticks),
		WORLD_TEST(test_host_timer_expires_near_the_whole_second),
		WORLD_TEST(test_host_describe_is_shown_and_goes_with_the_workload),
		WORLD_TEST(test_host_metric_series_follow_level_workload_and_plugin),
		WORLD_TEST(test_host_fresh_takes_a_pass_only_when_old),
	};

	return cmocka_run_group_tests_name("services", tests, NULL, NULL);
}
