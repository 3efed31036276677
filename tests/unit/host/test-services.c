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

static struct agent *run_good(struct world *world, uint64_t ids[3])
{
	add_workloads(world, ids);
	world_plugin(world, "good");
	world_run(world, WORLD_POLICY "plugins:\n  good: {weight: 7, quota: 70000}\n");
	return world_record(world, "good")->agent;
}

static int claim_quota(struct agent *agent, const char *part, uint64_t id, uint64_t quota)
{
	const struct knob_value value = { .number = quota };

	return agent->api->claim_as(agent, part, (struct berth_target){ TARGET_WORKLOAD, id },
				    KNOB_CPU_QUOTA_USEC, &value, 0, "a part of it");
}

static void test_host_parts_of_one_plugin_are_owners_of_their_own(void **state)
{
	struct world *world = *state;
	uint64_t ids[3];
	struct agent *agent = run_good(world, ids);
	const struct berth_target target = { TARGET_WORKLOAD, ids[0] };

	assert_ok(claim_quota(agent, "turbo", ids[0], 40000));
	assert_ok(claim_quota(agent, "suppress", ids[0], 30000));
	world_settle(world);
	assert_knob(world, "batch/a", "cpu.max", "30000 100000");
	agent->api->unclaim_as(agent, "suppress", target, KNOB_CPU_QUOTA_USEC);
	agent->api->unclaim_as(agent, "nobody", target, KNOB_CPU_QUOTA_USEC);
	world_settle(world);
	assert_knob(world, "batch/a", "cpu.max", "40000 100000");
	/* The plugin's own goes, and its part's stays. */
	agent->api->unclaim(agent, target, KNOB_CPU_QUOTA_USEC);
	world_settle(world);
	assert_knob(world, "batch/a", "cpu.max", "40000 100000");
	/* All of them end with it. */
	world_apply(world, WORLD_POLICY "plugins:\n  good: {enabled: false}\n");
	world_settle(world);
	assert_knob(world, "batch/a", "cpu.max", "max 100000");
}

/* Kinds of targets that share a number are not taken for each other. */
static void test_host_claims_of_other_kinds_are_kept_apart(void **state)
{
	struct world *world = *state;
	uint64_t ids[3];
	struct agent *agent = run_good(world, ids);

	for (int kind = TARGET_CPU; kind <= TARGET_NET; kind++)
		for (uint64_t id = 0; id <= 2 * ids[2] + 8; id++)
			agent->api->unclaim(agent,
					    (struct berth_target){ (enum target_kind)kind, id },
					    KNOB_CPU_WEIGHT);
	world_settle(world);
	assert_knob(world, "batch/a", "cpu.weight", "7");
	agent->api->unclaim(agent, (struct berth_target){ TARGET_WORKLOAD, ids[0] },
			    KNOB_CPU_WEIGHT);
	world_settle(world);
	assert_knob(world, "batch/a", "cpu.weight", "100");
}

static void test_host_parts_bad_names_and_too_many_are_refused(void **state)
{
	static const char *const bad[] = { "", "Turbo", "a/b", "a b", "a-name-of-four-and-twenty" };
	struct world *world = *state;
	uint64_t ids[3];
	struct agent *agent = run_good(world, ids);
	char name[] = "a";

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_errno(claim_quota(agent, bad[i], ids[0], 40000), EINVAL);
	assert_errno(claim_quota(agent, NULL, ids[0], 40000), EINVAL);
	for (unsigned int i = 1; i < LIMIT_PLUGIN_PARTS; i++, name[0]++)
		assert_ok(claim_quota(agent, name, ids[0], 40000));
	assert_errno(claim_quota(agent, name, ids[0], 40000), ENOSPC);
	/* A name that is known has its place. */
	assert_ok(claim_quota(agent, "a", ids[0], 50000));
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

struct noted {
	unsigned int count;
	char owner[32], label[32], what[64], reason[64], outcome[32];
};

static void history_take_notes(void *data, const struct history_view *view)
{
	struct noted *noted = data;

	if (strncmp(view->what, "throttled", strlen("throttled")) != 0)
		return;
	noted->count++;
	(void)snprintf(noted->owner, sizeof(noted->owner), "%s", view->owner);
	(void)snprintf(noted->label, sizeof(noted->label), "%s", view->label);
	(void)snprintf(noted->what, sizeof(noted->what), "%s", view->what);
	(void)snprintf(noted->reason, sizeof(noted->reason), "%s", view->reason);
	(void)snprintf(noted->outcome, sizeof(noted->outcome), "%s", view->outcome);
}

static struct noted notes(const struct world *world)
{
	struct noted noted = { 0 };

	actuator_each_history(world->actuator, history_take_notes, &noted);
	return noted;
}

static void test_host_tell_is_in_the_history_and_is_passed_on(void **state)
{
	struct world *world = *state;
	char expected[64];
	struct noted noted;
	uint64_t ids[3];
	struct agent *agent = run_good(world, ids);

	agent->api->tell(agent, "interference", ids[0], "throttled to 0.10 CPU", "web: CPI 2.31");
	noted = notes(world);
	assert_int_equal(noted.count, 1);
	assert_string_equal(noted.owner, "good/interference");
	assert_string_equal(noted.label, "a");
	assert_string_equal(noted.what, "throttled to 0.10 CPU");
	assert_string_equal(noted.reason, "web: CPI 2.31");
	assert_string_equal(noted.outcome, "done");
	assert_int_equal(world->told_count, 1);
	(void)snprintf(expected, sizeof(expected),
		       "good/interference %llu throttled to 0.10 CPU: web: CPI 2.31",
		       (unsigned long long)ids[0]);
	assert_string_equal(world->told, expected);
	/* By none of its parts, and without a reason. */
	agent->api->tell(agent, NULL, ids[1], "throttled", NULL);
	assert_int_equal(world->told_count, 2);
	assert_string_equal(notes(world).owner, "good");
	assert_string_equal(notes(world).label, "b");
	assert_string_equal(notes(world).reason, "");
}

static void test_host_tell_of_nobody_or_nothing_is_not(void **state)
{
	char key[] = "berth/ignore", value[] = "true";
	const struct label ignore = { key, value };
	const struct workload_record record = {
		.kind = "cgroup",
		.namespace = "",
		.name = "b",
		.cgroup = "batch/b",
		.annotations = &ignore,
		.annotation_count = 1,
	};
	struct world *world = *state;
	uint64_t ids[3];
	struct agent *agent = run_good(world, ids);

	agent->api->tell(agent, NULL, 12345, "throttled", "there is none of this id");
	agent->api->tell(agent, NULL, 0, "throttled", "nor of this one");
	agent->api->tell(agent, NULL, ids[0], NULL, "nothing was done");
	agent->api->tell(agent, "No part", ids[0], "throttled", "by whom?");
	assert_ok(registry_put(&world->registry, "test", 0, &record));
	agent->api->tell(agent, NULL, ids[1], "throttled", "it is to be ignored");
	assert_int_equal(world->told_count, 0);
	assert_int_equal(notes(world).count, 0);
}

/* The history says what would have been done; people of the workload hear nothing. */
static void test_host_tell_in_a_dry_run_is_only_recorded(void **state)
{
	const struct actuator_options options = {
		.dry_run = true,
		.reconcile_interval_usec = 3600 * USEC_PER_SEC,
		.actions_per_minute = 60,
		.previous_lease_usec = 60 * USEC_PER_SEC,
	};
	struct world *world = *state;
	uint64_t ids[3];
	struct agent *agent = run_good(world, ids);

	assert_ok(actuator_set_options(world->actuator, &options));
	agent->api->tell(agent, "interference", ids[0], "throttled", "web: CPI 2.31");
	assert_int_equal(world->told_count, 0);
	assert_int_equal(notes(world).count, 1);
	assert_string_equal(notes(world).outcome, "nothing is written");
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
		{ 10500000, 20000, 10520000 },   { 10512345, 100000, 10600000 },
		{ 10500000, 300000, 10800000 },
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
	uint64_t past = USEC_PER_SEC;

	world_plugin(world, "good");
	world_run(world, "plugins:\n  good: {period: 1s}\n");
	/* The accuracy, and as much again. One tick may be late on a busy machine; a timer that
	 * goes by another time would always be. */
	for (unsigned int tick = 1; tick <= 10 && past >= 500 * USEC_PER_MSEC; tick++) {
		world_until(world, world_record(world, "good")->ticks == tick);
		past = world_record(world, "good")->tick_usec % USEC_PER_SEC;
	}
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
	assert_int_equal(sample->value[SAMPLE_MEMORY_BYTES], 4096);
}

static void test_host_metric_series_with_labels_of_their_own(void **state)
{
	static const char *const refused[] = { "result",
					       "result=ok",
					       "result=\"ok",
					       "=\"ok\"",
					       "a=\"1\" b=\"2\"",
					       "a=\"1\",a=\"2\"",
					       "a=\"\",b=\"\",c=\"\",d=\"\",e=\"\"" };
	struct world *world = *state;
	struct agent_metric *metric;
	struct actor_record *record;
	struct agent *agent;

	world_plugin(world, "good");
	world_run(world, WORLD_POLICY);
	record = world_record(world, "good");
	agent = record->agent;
	assert_ok(agent->api->metric(agent, "ends_total", "Ends.", &metric));
	agent->api->metric_set_labels(agent, metric, "resource=\"cpu\",result=\"ok\"", 2);
	agent->api->metric_set_labels(agent, metric, "resource=\"io\",result=\"ok\"", 1);
	agent->api->metric_set_labels(agent, metric, "resource=\"cpu\",result=\"ok\"", 3);
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
		agent->api->metric_set_labels(agent, metric, refused[i], 9);
	assert_true(page_has(world, "berth_good_ends_total{resource=\"cpu\",result=\"ok\"} 3\n"));
	assert_true(page_has(world, "berth_good_ends_total{resource=\"io\",result=\"ok\"} 1\n"));
	assert_false(page_has(world, "} 9\n"));
	world_apply(world, "plugins:\n  good: {enabled: false}\n");
	assert_false(page_has(world, "berth_good_ends_total"));
}

static void test_host_node_is_read_without_a_pass(void **state)
{
	struct world *world = *state;
	const struct node_sample *node;
	struct actor_record *record;
	uint64_t generation, time_usec;
	struct agent *agent;

	world_plugin(world, "good");
	world_run(world, WORLD_POLICY);
	record = world_record(world, "good");
	agent = record->agent;
	generation = world->snapshot.generation;
	node = agent->api->node(agent, 0);
	assert_non_null(node);
	assert_int_equal(node->memory_total_bytes, 1 << 20);
	assert_int_equal(node->memory_available_bytes, 1 << 19);
	assert_true(node->cpu_total_usec > node->cpu_busy_usec);
	assert_int_equal(node->pressure_known, 0); /* it has no such files */
	time_usec = node->time_usec;
	node = agent->api->node(agent, 60 * USEC_PER_SEC);
	assert_int_equal(node->time_usec, time_usec);
	(void)usleep(2000);
	node = agent->api->node(agent, 0);
	assert_true(node->time_usec > time_usec);
	assert_int_equal(world->snapshot.generation, generation);
}

#define WORLD_TEST(test) cmocka_unit_test_setup_teardown(test, world_setup, world_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD_TEST(test_host_two_plugins_on_one_knob_the_first_holds_it),
		WORLD_TEST(test_host_claim_refusals_reach_the_plugin),
		WORLD_TEST(test_host_parts_of_one_plugin_are_owners_of_their_own),
		WORLD_TEST(test_host_claims_of_other_kinds_are_kept_apart),
		WORLD_TEST(test_host_parts_bad_names_and_too_many_are_refused),
		WORLD_TEST(test_host_claims_not_held_take_no_memory),
		WORLD_TEST(test_host_act_kill_is_recorded_and_told),
		WORLD_TEST(test_host_tell_is_in_the_history_and_is_passed_on),
		WORLD_TEST(test_host_tell_of_nobody_or_nothing_is_not),
		WORLD_TEST(test_host_tell_in_a_dry_run_is_only_recorded),
		WORLD_TEST(test_host_act_reclaim_reaches_the_group_and_is_told),
		WORLD_TEST(test_host_work_results_come_back_on_the_loop),
		WORLD_TEST(test_host_work_stopped_plugin_hears_of_every_job_first),
		WORLD_TEST(test_host_watch_wakes_and_is_forgotten_with_the_plugin),
		WORLD_TEST(test_host_watch_regular_file_is_refused),
		cmocka_unit_test(test_timer_first_usec_shares_ticks),
		WORLD_TEST(test_host_timer_expires_near_the_whole_second),
		WORLD_TEST(test_host_describe_is_shown_and_goes_with_the_workload),
		WORLD_TEST(test_host_metric_series_follow_level_workload_and_plugin),
		WORLD_TEST(test_host_metric_series_with_labels_of_their_own),
		WORLD_TEST(test_host_node_is_read_without_a_pass),
		WORLD_TEST(test_host_fresh_takes_a_pass_only_when_old),
	};

	return cmocka_run_group_tests_name("services", tests, NULL, NULL);
}
