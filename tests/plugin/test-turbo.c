/* SPDX-License-Identifier: Apache-2.0 */
/* test-turbo.c - quota turbo in the plugin: who takes part, what is claimed, when it goes back, and
 * how often it looks. */
#include <stdbool.h>
#include <string.h>

#include "berth-test.h"
#include "fake-agent.h"
#include "macro.h"

#define TICK       (100 * USEC_PER_MSEC)
#define ANNOTATION "volcano.sh/quota-turbo"
#define ON         "{cpu: {enabled: false}, memory: {enabled: false}, turbo: {enabled: true}}"

extern const struct berth_plugin berth_plugin;

struct rig {
	struct fake_agent *fake;
	uint64_t pod, container;
	double use;   /* of the node, percent */
	double wants; /* CPUs that the container would use */
};

static struct rig rig_open(const char *settings)
{
	struct rig rig = { .fake = fake_agent_new(), .use = 20 };
	struct workload_sample *sample;

	rig.fake->has_node = true;
	rig.fake->node.cpus = 4;
	/* So that a counter of 0 is not what it was never. */
	rig.fake->now_usec = USEC_PER_SEC;
	rig.pod = fake_agent_add(rig.fake, "pod", "shop", "web", QOS_NORMAL);
	fake_agent_annotate(rig.fake, rig.pod, ANNOTATION, "true");
	rig.container = fake_agent_add_child(rig.fake, rig.pod, "nginx");
	fake_agent_workload(rig.fake, rig.container)->view.cpu_limit_milli = 500;
	fake_agent_workload(rig.fake, rig.container)->original[KNOB_CPU_QUOTA_USEC] = 50000;
	sample = fake_agent_sample(rig.fake, rig.container);
	for (enum sample_value i = SAMPLE_CPU_USAGE_USEC; i <= SAMPLE_CPU_THROTTLED_USEC; i++)
		sample->known[0] |= UINT64_C(1) << i;
	assert_ok(fake_agent_start(rig.fake, &berth_plugin, settings));
	return rig;
}

static uint64_t quota(const struct rig *rig)
{
	const struct fake_claim *claim =
		fake_agent_claim_of(rig->fake, rig->container, KNOB_CPU_QUOTA_USEC);

	if (claim)
		assert_string_equal(claim->part, "turbo");
	return claim ? claim->number : 0;
}

static size_t timers(const struct rig *rig)
{
	size_t count = 0;

	for (size_t i = 0; i < FAKE_SOURCES; i++)
		count += rig->fake->sources[i].used && rig->fake->sources[i].on_time;
	return count;
}

/* A period of the kernel's, and the tick after it. */
static void step(struct rig *rig)
{
	uint64_t *value = fake_agent_sample(rig->fake, rig->container)->value;
	struct node_sample *node = &rig->fake->node;
	const struct fake_workload *workload = fake_agent_workload(rig->fake, rig->container);
	double has = (double)(quota(rig) ? quota(rig) : workload->original[KNOB_CPU_QUOTA_USEC]) /
		     100000;

	node->cpu_total_usec += 4 * TICK;
	node->cpu_busy_usec += (uint64_t)(4 * TICK * rig->use / 100);
	value[SAMPLE_CPU_PERIODS]++;
	value[SAMPLE_CPU_USAGE_USEC] += (uint64_t)(MIN(has, rig->wants) * TICK);
	if (rig->wants > has) {
		value[SAMPLE_CPU_THROTTLED_PERIODS]++;
		value[SAMPLE_CPU_THROTTLED_USEC] += (uint64_t)((rig->wants - has) * TICK);
	}
	assert_ok(fake_agent_advance(rig->fake, TICK));
}

static void steps(struct rig *rig, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		step(rig);
}

static void test_turbo_raises_who_is_throttled_and_gives_back(void **state)
{
	struct rig rig = rig_open(ON);
	double value = 0;

	(void)state;
	rig.wants = 0.2;
	steps(&rig, 30);
	assert_int_equal(quota(&rig), 0);
	rig.wants = 0.8;
	steps(&rig, 30);
	assert_true(quota(&rig) >= 80000);
	assert_true(quota(&rig) <= 100000);
	assert_true(fake_agent_metric(rig.fake, "turbo_raised", 0, &value) && value == 1);
	/* Nobody needs it for ten seconds. */
	rig.wants = 0.2;
	steps(&rig, 90);
	assert_true(quota(&rig) >= 80000);
	steps(&rig, 20);
	assert_int_equal(quota(&rig), 0);
	assert_true(fake_agent_metric(rig.fake, "turbo_raised", 0, &value) && value == 0);
	fake_agent_free(rig.fake);
}

static void test_turbo_never_more_than_twice_the_limit(void **state)
{
	struct rig rig = rig_open(ON);

	(void)state;
	rig.wants = 4;
	rig.use = 5;
	steps(&rig, 60);
	assert_int_equal(quota(&rig), 100000);
	fake_agent_free(rig.fake);
}

static void test_turbo_busy_node_takes_it_back(void **state)
{
	struct rig rig = rig_open(ON);

	(void)state;
	rig.wants = 0.8;
	steps(&rig, 30);
	assert_true(quota(&rig) > 0);
	rig.use = 90;
	steps(&rig, 30);
	assert_int_equal(quota(&rig), 0);
	fake_agent_free(rig.fake);
}

static void test_turbo_law_rubik_is_the_policy_s(void **state)
{
	struct rig rig = rig_open("{turbo: {enabled: true, law: rubik}}");

	(void)state;
	rig.wants = 0.1;
	steps(&rig, 20);
	rig.wants = 0.8;
	steps(&rig, 11);
	assert_true(quota(&rig) > 50000);
	/* A percent of four CPUs a tick. */
	assert_true(quota(&rig) <= 50000 + 11 * 4000);
	fake_agent_free(rig.fake);
}

static void test_turbo_only_pods_that_opted_in(void **state)
{
	static const char *const values[] = { NULL, "false", "True", "yes", "" };
	struct rig rig = rig_open(ON);

	(void)state;
	rig.wants = 0.8;
	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		unsigned int calls;

		fake_agent_annotate(rig.fake, rig.pod, ANNOTATION, "true");
		fake_agent_update(rig.fake, rig.pod);
		steps(&rig, 40);
		assert_true(quota(&rig) > 50000);
		fake_agent_annotate(rig.fake, rig.pod, ANNOTATION, values[i]);
		fake_agent_update(rig.fake, rig.pod);
		/* At once, and from then on nothing is looked at. */
		assert_int_equal(quota(&rig), 0);
		calls = rig.fake->peek_calls;
		assert_int_equal(timers(&rig), 0);
		steps(&rig, 20);
		assert_int_equal(quota(&rig), 0);
		assert_int_equal(rig.fake->peek_calls, calls);
	}
	assert_string_equal(fake_agent_description(rig.fake, rig.container, "turbo"),
			    "left alone: volcano.sh/quota-turbo is \"\", not \"true\"");
	fake_agent_free(rig.fake);
}

static void test_turbo_ignored_pod_is_left_alone(void **state)
{
	struct rig rig = rig_open(ON);

	(void)state;
	rig.wants = 0.8;
	steps(&rig, 30);
	fake_agent_workload(rig.fake, rig.container)->view.flags |= WORKLOAD_IGNORED;
	fake_agent_update(rig.fake, rig.container);
	assert_int_equal(quota(&rig), 0);
	assert_int_equal(timers(&rig), 0);
	fake_agent_free(rig.fake);
}

static void test_turbo_says_once_why_not(void **state)
{
	static const struct {
		uint64_t milli;
		const char *why;
	} cases[] = {
		{ 0, "left alone: it has no CPU limit to go above" },
		{ 4000, "left alone: its CPU limit is all of the node's 4 CPUs" },
	};
	struct rig rig = rig_open(ON);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		unsigned int lines = 0;

		fake_agent_workload(rig.fake, rig.container)->view.cpu_limit_milli = cases[i].milli;
		fake_agent_update(rig.fake, rig.container);
		rig.wants = 2;
		steps(&rig, 30);
		assert_string_equal(fake_agent_description(rig.fake, rig.container, "turbo"),
				    cases[i].why);
		assert_int_equal(quota(&rig), 0);
		for (size_t level = 0; level < ARRAY_SIZE(rig.fake->log_lines); level++)
			lines += rig.fake->log_lines[level];
		assert_int_equal(lines, 0);
	}
	fake_agent_free(rig.fake);
}

static void test_turbo_waits_for_a_quota_to_be_written(void **state)
{
	struct rig rig = rig_open(ON);

	(void)state;
	fake_agent_annotate(rig.fake, rig.pod, ANNOTATION, NULL);
	fake_agent_update(rig.fake, rig.pod);
	/* A group is there before its runtime has written to it. */
	fake_agent_workload(rig.fake, rig.container)->original[KNOB_CPU_QUOTA_USEC] = 0;
	fake_agent_annotate(rig.fake, rig.pod, ANNOTATION, "true");
	fake_agent_update(rig.fake, rig.pod);
	rig.wants = 0.8;
	steps(&rig, 20);
	assert_int_equal(quota(&rig), 0);
	assert_string_equal(fake_agent_description(rig.fake, rig.container, "turbo"),
			    "left alone: its group has no quota");
	fake_agent_workload(rig.fake, rig.container)->original[KNOB_CPU_QUOTA_USEC] = 50000;
	steps(&rig, 50);
	assert_true(quota(&rig) > 50000);
	fake_agent_free(rig.fake);
}

static void test_turbo_resize_gives_back_and_takes_the_new_limit(void **state)
{
	struct rig rig = rig_open(ON);

	(void)state;
	rig.wants = 2;
	steps(&rig, 40);
	assert_int_equal(quota(&rig), 100000);
	fake_agent_workload(rig.fake, rig.container)->view.cpu_limit_milli = 300;
	fake_agent_update(rig.fake, rig.container);
	assert_int_equal(quota(&rig), 0);
	fake_agent_workload(rig.fake, rig.container)->original[KNOB_CPU_QUOTA_USEC] = 30000;
	/* The kubelet has its time. */
	steps(&rig, 40);
	assert_int_equal(quota(&rig), 0);
	steps(&rig, 60);
	assert_int_equal(quota(&rig), 60000);
	fake_agent_free(rig.fake);
}

/* Never cut by what was read of it before. */
static void step_not_below(struct rig *rig, uint64_t limit)
{
	step(rig);
	assert_true(quota(rig) == 0 || quota(rig) > limit);
}

static void test_turbo_limit_that_others_raise_is_the_limit(void **state)
{
	struct rig rig = rig_open(ON);
	uint64_t *limit =
		&fake_agent_workload(rig.fake, rig.container)->original[KNOB_CPU_QUOTA_USEC];

	(void)state;
	/* Resized late, or by somebody who does not tell the API: while it is raised, */
	rig.wants = 2;
	steps(&rig, 40);
	assert_int_equal(quota(&rig), 100000);
	*limit = 150000;
	step(&rig);
	for (unsigned int i = 0; i < 40; i++)
		step_not_below(&rig, *limit);
	assert_true(quota(&rig) > 150000);
	/* and while it is not. */
	rig.wants = 0.2;
	steps(&rig, 120);
	assert_int_equal(quota(&rig), 0);
	*limit = 350000;
	rig.wants = 8;
	rig.use = 5;
	for (unsigned int i = 0; i < 40; i++)
		step_not_below(&rig, *limit);
	assert_true(quota(&rig) > 350000);
	fake_agent_free(rig.fake);
}

static void test_turbo_limit_that_others_take_away_is_none(void **state)
{
	struct rig rig = rig_open(ON);

	(void)state;
	rig.wants = 2;
	steps(&rig, 40);
	fake_agent_workload(rig.fake, rig.container)->original[KNOB_CPU_QUOTA_USEC] = 0;
	steps(&rig, 2);
	assert_int_equal(quota(&rig), 0);
	assert_string_equal(fake_agent_description(rig.fake, rig.container, "turbo"),
			    "left alone: its group has no quota");
	fake_agent_free(rig.fake);
}

static void test_turbo_without_the_node_s_numbers_gives_back(void **state)
{
	struct rig rig = rig_open(ON);

	(void)state;
	rig.wants = 2;
	steps(&rig, 40);
	assert_true(quota(&rig) > 0);
	rig.fake->has_node = false;
	steps(&rig, 10);
	assert_true(quota(&rig) > 0);
	steps(&rig, 20);
	assert_int_equal(quota(&rig), 0);
	assert_int_equal(rig.fake->log_lines[4], 1);
	rig.fake->has_node = true;
	steps(&rig, 40);
	assert_true(quota(&rig) > 0);
	fake_agent_free(rig.fake);
}

/* Nor is it a failure of the plugin: ten of those would end all services. */
static void test_turbo_without_counters_gives_back(void **state)
{
	struct rig rig = rig_open(ON);
	struct workload_sample *sample = fake_agent_sample(rig.fake, rig.container);
	uint64_t known = sample->known[0];

	(void)state;
	rig.wants = 2;
	steps(&rig, 40);
	rig.fake->peek_error = -EIO;
	steps(&rig, 30);
	assert_int_equal(quota(&rig), 0);
	rig.fake->peek_error = 0;
	steps(&rig, 40);
	assert_true(quota(&rig) > 0);
	/* Of this one alone. */
	sample->known[0] = 0;
	steps(&rig, 30);
	assert_int_equal(quota(&rig), 0);
	sample->known[0] = known;
	steps(&rig, 40);
	assert_true(quota(&rig) > 0);
	fake_agent_free(rig.fake);
}

static void test_turbo_without_a_timer_gives_back(void **state)
{
	struct rig rig = rig_open(ON);

	(void)state;
	rig.wants = 2;
	steps(&rig, 40);
	assert_true(quota(&rig) > 0);
	rig.fake->every_error = -ENOSPC;
	assert_ok(fake_agent_apply(rig.fake, "{turbo: {enabled: true, period: 200ms}}"));
	assert_int_equal(quota(&rig), 0);
	fake_agent_free(rig.fake);
}

static void test_turbo_metrics_go_back_with_the_last_one(void **state)
{
	struct rig rig = rig_open(ON);
	double value = 0;

	(void)state;
	rig.wants = 2;
	steps(&rig, 40);
	assert_true(fake_agent_metric(rig.fake, "turbo_raised", 0, &value) && value == 1);
	fake_agent_remove(rig.fake, rig.container);
	assert_true(fake_agent_metric(rig.fake, "turbo_raised", 0, &value) && value == 0);
	assert_true(fake_agent_metric(rig.fake, "turbo_lent_cpus", 0, &value) && value == 0);
	fake_agent_free(rig.fake);
}

static void test_turbo_goes_on_after_a_restart(void **state)
{
	struct rig rig = rig_open(ON);

	(void)state;
	fake_agent_stop(rig.fake);
	fake_agent_workload(rig.fake, rig.container)->quota_left = 90000;
	assert_ok(fake_agent_start(rig.fake, &berth_plugin, ON));
	steps(&rig, 11);
	assert_int_equal(quota(&rig), 90000);
	fake_agent_free(rig.fake);
}

static void test_turbo_looks_rarely_while_there_is_no_reason(void **state)
{
	struct rig rig = rig_open(ON);
	unsigned int calls;

	(void)state;
	rig.wants = 0.2;
	steps(&rig, 50);
	calls = rig.fake->peek_calls;
	steps(&rig, 100);
	assert_in_range(rig.fake->peek_calls - calls, 9, 11);
	assert_int_equal(timers(&rig), 1);
	rig.wants = 0.8;
	steps(&rig, 50);
	calls = rig.fake->peek_calls;
	steps(&rig, 50);
	assert_in_range(rig.fake->peek_calls - calls, 49, 51);
	fake_agent_free(rig.fake);
}

static void test_turbo_claims_nothing_that_did_not_change(void **state)
{
	struct rig rig = rig_open(ON);
	unsigned int claims;

	(void)state;
	rig.wants = 0.8;
	steps(&rig, 40);
	claims = rig.fake->claim_calls + rig.fake->unclaim_calls;
	steps(&rig, 50);
	assert_int_equal(rig.fake->claim_calls + rig.fake->unclaim_calls, claims);
	fake_agent_free(rig.fake);
}

static void test_turbo_online_pressure_stops_lending(void **state)
{
	struct rig rig = rig_open(ON);
	uint64_t other = fake_agent_add(rig.fake, "pod", "shop", "db", QOS_NORMAL), peer;
	struct workload_sample *sample;

	(void)state;
	peer = fake_agent_add_child(rig.fake, other, "mysql");
	sample = fake_agent_sample(rig.fake, peer);
	sample->known[SAMPLE_CPU_USAGE_USEC / 64] |= UINT64_C(1) << SAMPLE_CPU_USAGE_USEC;
	sample->known[SAMPLE_PRESSURE_CPU_SOME_USEC / 64] |=
		UINT64_C(1) << (SAMPLE_PRESSURE_CPU_SOME_USEC % 64);
	rig.wants = 0.8;
	steps(&rig, 30);
	assert_true(quota(&rig) > 50000);
	for (unsigned int i = 0; i < 40; i++) {
		sample->value[SAMPLE_CPU_USAGE_USEC] += TICK / 2;
		sample->value[SAMPLE_PRESSURE_CPU_SOME_USEC] += TICK * 3 / 10;
		step(&rig);
	}
	assert_int_equal(quota(&rig), 0);
	fake_agent_free(rig.fake);
}

static void test_turbo_off_at_reload_gives_back(void **state)
{
	struct rig rig = rig_open(ON);

	(void)state;
	rig.wants = 0.8;
	steps(&rig, 30);
	assert_true(quota(&rig) > 0);
	assert_ok(fake_agent_apply(rig.fake, "{turbo: {enabled: false}}"));
	assert_int_equal(quota(&rig), 0);
	assert_int_equal(timers(&rig), 0);
	assert_ok(fake_agent_apply(rig.fake, ON));
	steps(&rig, 40);
	assert_true(quota(&rig) > 0);
	fake_agent_remove(rig.fake, rig.container);
	assert_int_equal(timers(&rig), 0);
	fake_agent_free(rig.fake);
}

static void test_turbo_check_wants_high_below_alarm(void **state)
{
	struct fake_agent *fake = fake_agent_new();

	(void)state;
	assert_errno(fake_agent_start(fake, &berth_plugin, "{turbo: {high_percent: 80}}"), EINVAL);
	assert_non_null(strstr(fake->error, "turbo.alarm_percent"));
	assert_errno(fake_agent_start(fake, &berth_plugin, "{turbo: {period: 99ms}}"), EINVAL);
	assert_ok(
		fake_agent_start(fake, &berth_plugin, "{turbo: {high_percent: 79, period: 10s}}"));
	fake_agent_free(fake);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_turbo_raises_who_is_throttled_and_gives_back),
		cmocka_unit_test(test_turbo_never_more_than_twice_the_limit),
		cmocka_unit_test(test_turbo_busy_node_takes_it_back),
		cmocka_unit_test(test_turbo_law_rubik_is_the_policy_s),
		cmocka_unit_test(test_turbo_only_pods_that_opted_in),
		cmocka_unit_test(test_turbo_ignored_pod_is_left_alone),
		cmocka_unit_test(test_turbo_says_once_why_not),
		cmocka_unit_test(test_turbo_waits_for_a_quota_to_be_written),
		cmocka_unit_test(test_turbo_resize_gives_back_and_takes_the_new_limit),
		cmocka_unit_test(test_turbo_limit_that_others_raise_is_the_limit),
		cmocka_unit_test(test_turbo_limit_that_others_take_away_is_none),
		cmocka_unit_test(test_turbo_without_the_node_s_numbers_gives_back),
		cmocka_unit_test(test_turbo_without_counters_gives_back),
		cmocka_unit_test(test_turbo_without_a_timer_gives_back),
		cmocka_unit_test(test_turbo_metrics_go_back_with_the_last_one),
		cmocka_unit_test(test_turbo_goes_on_after_a_restart),
		cmocka_unit_test(test_turbo_looks_rarely_while_there_is_no_reason),
		cmocka_unit_test(test_turbo_claims_nothing_that_did_not_change),
		cmocka_unit_test(test_turbo_online_pressure_stops_lending),
		cmocka_unit_test(test_turbo_off_at_reload_gives_back),
		cmocka_unit_test(test_turbo_check_wants_high_below_alarm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
