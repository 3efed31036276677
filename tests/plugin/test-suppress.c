/* SPDX-License-Identifier: Apache-2.0 */
/* test-suppress.c - suppression as the colocation plugin does it: who is held, at what, and when
 * not. */
#include <math.h>
#include <stdbool.h>

#include "berth-test.h"
#include "cpu-tree.h"
#include "fake-agent.h"
#include "macro.h"
#include "suppress/run.h"

extern const struct berth_plugin berth_plugin;

#define TICK   USEC_PER_SEC
#define CPU    USEC_PER_SEC /* used in a second */
#define ON     "suppress: {enabled: true, by: quota}"
#define PER_MS 100000.0 /* KNOB_CPU_QUOTA_USEC of one CPU */

/* Ten CPUs; what each workload does in a second the test says. */
static struct fake_agent *world_new(const char *settings)
{
	struct fake_agent *fake = fake_agent_new();

	fake->has_node = true;
	fake->node = (struct node_sample){ .cpus = 10, .pressure_known = 0x3f };
	fake->now_usec = 100 * USEC_PER_SEC;
	assert_ok(fake_agent_start(fake, &berth_plugin, settings));
	return fake;
}

static struct workload_sample *sample_of(struct fake_agent *fake, uint64_t id)
{
	struct workload_sample *sample = fake_agent_sample(fake, id);

	sample->known[0] = ~UINT64_C(0);
	sample->known[1] = ~UINT64_C(0);
	return sample;
}

static uint64_t world_add(struct fake_agent *fake, const char *name, enum qos_level level)
{
	uint64_t id = fake_agent_add(fake, "pod", "ns", name, level);

	(void)sample_of(fake, id);
	return id;
}

static void use(struct fake_agent *fake, uint64_t id, uint64_t usec)
{
	sample_of(fake, id)->value[SAMPLE_CPU_USAGE_USEC] += usec;
	fake->node.cpu_busy_usec += usec;
}

static uint64_t held(struct fake_agent *fake, uint64_t id)
{
	const struct fake_claim *claim =
		fake_agent_claim_as(fake, "suppress", id, KNOB_CPU_QUOTA_USEC);

	return claim ? claim->number : 0;
}

/* Offline work that uses what it may. */
static void use_all(struct fake_agent *fake, uint64_t id, uint64_t most)
{
	uint64_t share = held(fake, id) * 10;

	use(fake, id, share == 0 ? most : MIN(share, most));
	sample_of(fake, id)->value[SAMPLE_CPU_THROTTLED_PERIODS] += share != 0 && share < most;
}

static void tick(struct fake_agent *fake)
{
	fake->node.cpu_total_usec += 10 * TICK;
	for (size_t i = 0; i < fake->workload_count; i++) {
		fake->workloads[i]->sample.generation = fake->now_usec / TICK + 1;
		fake->workloads[i]->sample.time_usec = fake->now_usec + TICK;
	}
	assert_ok(fake_agent_advance(fake, TICK));
}

static double metric(const struct fake_agent *fake, const char *name)
{
	double value = -1;

	assert_true(fake_agent_metric(fake, name, 0, &value));
	return value;
}

/* One online pod, one batch pod, a second each. */
static void seconds(struct fake_agent *fake, uint64_t web, uint64_t usec, uint64_t job,
		    unsigned int count)
{
	while (count-- > 0) {
		use(fake, web, usec);
		use_all(fake, job, 8 * CPU);
		tick(fake);
	}
}

static void test_off_by_default(void **state)
{
	struct fake_agent *fake = world_new(NULL);
	size_t others = fake_agent_sources(fake);
	uint64_t web = world_add(fake, "web", QOS_HIGH), job = world_add(fake, "job", QOS_BATCH);

	(void)state;
	seconds(fake, web, CPU, job, 10);
	assert_int_equal(held(fake, job), 0);
	assert_int_equal(fake->node_calls + fake->fresh_calls, 0);
	assert_int_equal(fake_agent_sources(fake), others);
	assert_non_null(strstr(fake_agent_description(fake, 0, "suppress"), "off"));
	assert_true(isinf(metric(fake, "suppress_budget_cores")));
	(void)fake_agent_free(fake);
}

/* It takes online work and offline work to have something to do. */
static void test_rests_without_online_or_offline_work(void **state)
{
	struct fake_agent *fake = world_new(ON);
	size_t others = fake_agent_sources(fake);
	uint64_t job = world_add(fake, "job", QOS_BATCH), web;

	(void)state;
	assert_int_equal(fake_agent_sources(fake), others);
	assert_non_null(strstr(fake_agent_description(fake, 0, "suppress"), "no online workload"));
	web = world_add(fake, "web", QOS_NORMAL);
	assert_int_equal(fake_agent_sources(fake), others + 1);
	seconds(fake, web, CPU, job, 3);
	assert_true(held(fake, job) > 0);
	fake_agent_remove(fake, web);
	assert_int_equal(fake_agent_sources(fake), others);
	assert_int_equal(held(fake, job), 0);
	assert_null(fake_agent_description(fake, job, "suppress"));
	web = world_add(fake, "web", QOS_NORMAL);
	seconds(fake, web, CPU, job, 3);
	assert_true(held(fake, job) > 0);
	/* A level is no fate. */
	fake_agent_set_level(fake, job, QOS_NORMAL);
	assert_int_equal(held(fake, job), 0);
	assert_int_equal(fake_agent_sources(fake), others);
	(void)fake_agent_free(fake);
}

static void test_follows_the_load(void **state)
{
	struct fake_agent *fake = world_new(ON);
	uint64_t web = world_add(fake, "web", QOS_HIGH), job = world_add(fake, "job", QOS_BATCH);
	const struct fake_claim *claim;

	(void)state;
	seconds(fake, web, CPU, job, 1);
	assert_int_equal(held(fake, job), 0); /* one reading is none */
	seconds(fake, web, CPU, job, 1);
	assert_int_equal(held(fake, job), 5.5 * PER_MS);
	claim = fake_agent_claim_as(fake, "suppress", job, KNOB_CPU_QUOTA_USEC);
	assert_int_equal(claim->lease_usec, 10 * USEC_PER_SEC);
	assert_non_null(strstr(claim->reason, "5.50 CPUs"));
	/* Down at once, up by a tenth of the node a period. */
	seconds(fake, web, 4 * CPU, job, 1);
	assert_int_equal(held(fake, job), 2.5 * PER_MS);
	seconds(fake, web, CPU, job, 2);
	assert_int_equal(held(fake, job), 3.5 * PER_MS);
	seconds(fake, web, CPU, job, 10);
	assert_int_equal(held(fake, job), 5.5 * PER_MS);
	/* What belongs to nobody is online's. */
	fake->node.cpu_busy_usec += 2 * CPU;
	seconds(fake, web, CPU, job, 1);
	assert_int_equal(held(fake, job), 3.5 * PER_MS);
	assert_true(metric(fake, "suppress_budget_cores") == 3.5);
	assert_true(metric(fake, "suppress_online_cores") == 3.0);
	assert_true(metric(fake, "suppress_offline_cores") == 5.5);
	assert_true(metric(fake, "suppress_changes_total") >= 6);
	assert_non_null(strstr(fake_agent_description(fake, job, "suppress"),
			       "held at 3.50 of the 3.50 CPUs"));
	assert_non_null(strstr(fake_agent_description(fake, 0, "suppress"), "node 10.00 x 65 %"));
	(void)fake_agent_free(fake);
}

static void test_a_steady_load_costs_no_claims_but_leases(void **state)
{
	struct fake_agent *fake = world_new(ON);
	uint64_t web = world_add(fake, "web", QOS_HIGH), job = world_add(fake, "job", QOS_BATCH);
	double changes;
	unsigned int calls;

	(void)state;
	seconds(fake, web, CPU, job, 20);
	changes = metric(fake, "suppress_changes_total");
	calls = fake->claim_calls;
	for (int i = 0; i < 60; i++)
		seconds(fake, web, CPU + (i % 2) * CPU / 10, job, 1);
	assert_true(metric(fake, "suppress_changes_total") == changes);
	assert_int_equal(fake->claim_calls - calls, 20); /* of ten periods, each third */
	(void)fake_agent_free(fake);
}

static void test_unused_shares_go_to_those_that_want_them(void **state)
{
	struct fake_agent *fake = world_new(ON);
	uint64_t web = world_add(fake, "web", QOS_HIGH), a = world_add(fake, "a", QOS_BATCH),
		 b = world_add(fake, "b", QOS_BATCH);

	(void)state;
	fake_agent_workload(fake, b)->view.cpu_request_milli = 300;
	fake_agent_update(fake, b);
	for (int i = 0; i < 5; i++) {
		use(fake, web, CPU);
		use_all(fake, a, 9 * CPU / 2);
		use_all(fake, b, 9 * CPU / 2);
		tick(fake);
	}
	/* 5.5 CPUs by weights of 100 and 300. */
	assert_in_range(held(fake, a), 1.37 * PER_MS, 1.39 * PER_MS);
	assert_in_range(held(fake, b), 4.11 * PER_MS, 4.13 * PER_MS);
	/* b wants half a CPU: a gets what it leaves. */
	for (int i = 0; i < 40; i++) {
		use(fake, web, CPU);
		use_all(fake, a, 8 * CPU);
		use(fake, b, CPU / 2);
		tick(fake);
	}
	assert_in_range(held(fake, a), 4.7 * PER_MS, 4.95 * PER_MS);
	assert_true(held(fake, a) + held(fake, b) <= 5.5 * PER_MS);
	/* And back. */
	for (int i = 0; i < 20; i++) {
		use(fake, web, CPU);
		use_all(fake, a, 8 * CPU);
		use_all(fake, b, 8 * CPU);
		tick(fake);
	}
	assert_in_range(held(fake, b), 4.0 * PER_MS, 4.13 * PER_MS);
	(void)fake_agent_free(fake);
}

static void test_a_scavenger_gets_what_batch_leaves(void **state)
{
	struct fake_agent *fake = world_new(ON);
	uint64_t web = world_add(fake, "web", QOS_HIGH), job = world_add(fake, "job", QOS_BATCH),
		 crumbs = world_add(fake, "crumbs", QOS_SCAVENGER);

	(void)state;
	for (int i = 0; i < 30; i++) {
		use(fake, web, CPU);
		use_all(fake, job, i < 5 ? 8 * CPU : 2 * CPU);
		use_all(fake, crumbs, 8 * CPU);
		tick(fake);
		if (i == 4)
			assert_in_range(held(fake, crumbs), 1000, 1100);
	}
	assert_in_range(held(fake, crumbs), 2.9 * PER_MS, 3.1 * PER_MS);
	(void)fake_agent_free(fake);
}

/* The quota that a pod has anyway is never lifted; containers with more than their pod now has are
 * held with it, as v1 refuses the pod otherwise. */
static void test_limits_of_their_own_stay(void **state)
{
	struct fake_agent *fake = world_new(ON);
	uint64_t web = world_add(fake, "web", QOS_HIGH),
		 small = world_add(fake, "small", QOS_BATCH),
		 big = world_add(fake, "big", QOS_BATCH);
	uint64_t inner = fake_agent_add_child(fake, big, "inner"),
		 free_inner = fake_agent_add_child(fake, big, "free");

	(void)state;
	fake_agent_workload(fake, small)->original[KNOB_CPU_QUOTA_USEC] = 50000;
	fake_agent_workload(fake, inner)->original[KNOB_CPU_QUOTA_USEC] = 450000;
	for (int i = 0; i < 4; i++) {
		use(fake, web, 3 * CPU);
		use_all(fake, small, CPU / 2);
		use_all(fake, big, 6 * CPU);
		tick(fake);
	}
	assert_int_equal(held(fake, small), 50000);
	assert_int_equal(held(fake, big), 3 * PER_MS);
	assert_int_equal(held(fake, inner), 3 * PER_MS);
	assert_int_equal(held(fake, free_inner), 0);
	for (int i = 0; i < 20; i++) {
		use(fake, web, CPU);
		use_all(fake, small, CPU / 2);
		use_all(fake, big, 8 * CPU);
		tick(fake);
	}
	assert_int_equal(held(fake, big), 5 * PER_MS);
	assert_int_equal(held(fake, inner), 0);
	/* A limit that no quota can be below is left alone. */
	fake_agent_workload(fake, small)->original[KNOB_CPU_QUOTA_USEC] = 500;
	(void)fake_agent_free(fake);
}

static void test_blind_it_holds_the_floor(void **state)
{
	struct fake_agent *fake = world_new(ON);
	uint64_t web = world_add(fake, "web", QOS_HIGH), job = world_add(fake, "job", QOS_BATCH);

	(void)state;
	seconds(fake, web, CPU, job, 5);
	fake->fresh_error = -EIO;
	seconds(fake, web, CPU, job, 2);
	assert_int_equal(held(fake, job), 5.5 * PER_MS);
	assert_int_equal(fake->log_lines[4], 0);
	seconds(fake, web, CPU, job, 30);
	assert_int_equal(held(fake, job), 0.5 * PER_MS);
	assert_int_equal(fake->log_lines[4], 1);
	assert_non_null(strstr(fake_agent_description(fake, 0, "suppress"), "no telemetry"));
	fake->fresh_error = 0;
	seconds(fake, web, CPU, job, 20);
	assert_int_equal(held(fake, job), 5.5 * PER_MS);
	fake->has_node = false;
	seconds(fake, web, CPU, job, 3);
	assert_int_equal(held(fake, job), 0.5 * PER_MS);
	assert_int_equal(fake->log_lines[4], 2);
	(void)fake_agent_free(fake);
}

/* Jobs that begin and end are not taken for online load. */
static void test_jobs_come_and_go(void **state)
{
	struct fake_agent *fake = world_new(ON);
	uint64_t web = world_add(fake, "web", QOS_HIGH), job = world_add(fake, "job", QOS_BATCH);

	(void)state;
	seconds(fake, web, CPU, job, 5);
	for (int i = 0; i < 20; i++) {
		uint64_t brief = world_add(fake, "brief", QOS_BATCH);

		use(fake, brief, CPU);
		seconds(fake, web, CPU, job, 1);
		use(fake, brief, CPU / 2);
		fake_agent_remove(fake, brief);
		seconds(fake, web, CPU, job, 1);
	}
	assert_true(metric(fake, "suppress_budget_cores") == 5.5);
	(void)fake_agent_free(fake);
}

static void test_pressure_of_online_work_cuts(void **state)
{
	struct fake_agent *fake = world_new(ON);
	uint64_t web = world_add(fake, "web", QOS_HIGH), job = world_add(fake, "job", QOS_BATCH),
		 slice = world_add(fake, "slice", QOS_NORMAL);
	uint64_t nested = fake_agent_add_child(fake, slice, "nested");

	(void)state;
	fake_agent_set_level(fake, nested, QOS_BATCH);
	(void)sample_of(fake, nested);
	seconds(fake, web, CPU, job, 5);
	/* Of a group above offline work, and of one at its own limit: not counted. */
	for (int i = 0; i < 5; i++) {
		sample_of(fake, slice)->value[SAMPLE_PRESSURE_CPU_SOME_USEC] += TICK / 2;
		sample_of(fake, web)->value[SAMPLE_PRESSURE_CPU_SOME_USEC] += TICK / 2;
		sample_of(fake, web)->value[SAMPLE_CPU_THROTTLED_USEC] += TICK / 2;
		seconds(fake, web, CPU, job, 1);
	}
	assert_true(metric(fake, "suppress_budget_cores") == 5.5);
	for (int i = 0; i < 3; i++) {
		sample_of(fake, web)->value[SAMPLE_PRESSURE_CPU_SOME_USEC] += TICK / 2;
		seconds(fake, web, CPU, job, 1);
	}
	assert_true(metric(fake, "suppress_budget_cores") == 2.5);
	assert_non_null(strstr(fake_agent_description(fake, 0, "suppress"),
			       "online waits 50.00 %, line 20 %"));
	(void)fake_agent_free(fake);
}

/* An ignored one is online's use, and nothing of it is claimed. */
static void test_ignored_and_nested_are_not_held(void **state)
{
	struct fake_agent *fake = world_new(ON);
	uint64_t web = world_add(fake, "web", QOS_HIGH), job = world_add(fake, "job", QOS_BATCH),
		 left = world_add(fake, "left", QOS_BATCH);
	uint64_t inner = fake_agent_add_child(fake, job, "inner");

	(void)state;
	fake_agent_workload(fake, left)->view.flags = WORKLOAD_IGNORED;
	fake_agent_update(fake, left);
	for (int i = 0; i < 5; i++) {
		use(fake, left, CPU);
		seconds(fake, web, CPU, job, 1);
	}
	assert_int_equal(held(fake, left), 0);
	assert_int_equal(held(fake, inner), 0);
	assert_int_equal(held(fake, job), 4.5 * PER_MS);
	(void)fake_agent_free(fake);
}

static void test_reload_changes_and_ends(void **state)
{
	struct fake_agent *fake = world_new(ON);
	uint64_t web = world_add(fake, "web", QOS_HIGH), job = world_add(fake, "job", QOS_BATCH);
	size_t sources = fake_agent_sources(fake);

	(void)state;
	seconds(fake, web, CPU, job, 5);
	assert_ok(fake_agent_apply(fake,
				   "suppress: {enabled: true, target_percent: 40, period: 2s}"));
	assert_int_equal(fake_agent_sources(fake), sources);
	seconds(fake, web, CPU, job, 2);
	assert_int_equal(held(fake, job), 3 * PER_MS);
	/* What is held is held until the first tick of a longer period, too. */
	assert_ok(fake_agent_apply(fake,
				   "suppress: {enabled: true, target_percent: 40, period: 1min}"));
	assert_int_equal(
		fake_agent_claim_as(fake, "suppress", job, KNOB_CPU_QUOTA_USEC)->lease_usec,
		600 * USEC_PER_SEC);
	assert_ok(fake_agent_apply(fake, NULL));
	assert_int_equal(fake_agent_sources(fake), sources - 1);
	assert_int_equal(held(fake, job), 0);
	assert_null(fake_agent_description(fake, job, "suppress"));
	(void)fake_agent_free(fake);
}

static const char *pinned(struct fake_agent *fake, uint64_t id)
{
	const struct fake_claim *claim =
		fake_agent_claim_as(fake, "suppress", id, KNOB_CPUSET_CPUS);

	return claim ? claim->text : NULL;
}

/* Offline work on its CPUs: three of them, or two, that is near enough. */
static void pinned_seconds(struct fake_agent *fake, uint64_t web, uint64_t usec, uint64_t job,
			   unsigned int count)
{
	while (count-- > 0) {
		use(fake, web, usec);
		use(fake, job, 3 * CPU - CPU / 100);
		tick(fake);
	}
}

static void test_by_cpuset_all_get_the_same_cpus(void **state)
{
	static const struct cpu_tree tree = { .nodes = 2, .cores = 5, .threads = 1 };
	char dir[] = "/tmp/berth-cpus-XXXXXX", sys[64];
	struct fake_agent *fake;
	uint64_t web, job, other;

	(void)state;
	cpu_tree_make(&tree, dir);
	(void)snprintf(sys, sizeof(sys), "%s/sys", dir);
	suppress_sys = sys;
	fake = world_new("suppress: {enabled: true, by: cpuset}");
	web = world_add(fake, "web", QOS_HIGH);
	job = world_add(fake, "job", QOS_BATCH);
	pinned_seconds(fake, web, CPU, job, 3);
	assert_string_equal(pinned(fake, job), "3-4,7-9"); /* 5.5 CPUs, in turn from each node */
	assert_int_equal(held(fake, job), 0);
	assert_non_null(strstr(fake_agent_description(fake, job, "suppress"), "CPUs 3-4,7-9"));
	/* Down at once, to two at the least. */
	pinned_seconds(fake, web, 7 * CPU, job, 1);
	assert_string_equal(pinned(fake, job), "4,9");
	/* Who comes gets the same. */
	other = world_add(fake, "other", QOS_SCAVENGER);
	pinned_seconds(fake, web, 7 * CPU, job, 1);
	assert_string_equal(pinned(fake, other), "4,9");
	pinned_seconds(fake, web, 3 * CPU, job, 2);
	assert_string_equal(pinned(fake, other), "4,9");
	pinned_seconds(fake, web, 3 * CPU, job, 10);
	assert_string_equal(pinned(fake, other), "4,8-9");
	/* The other way by a reload, and nothing of this one is left. */
	assert_ok(fake_agent_apply(fake, ON));
	pinned_seconds(fake, web, 3 * CPU, job, 1);
	assert_null(pinned(fake, job));
	assert_true(held(fake, job) > 0);
	assert_ok(fake_agent_apply(fake, "suppress: {enabled: true, by: cpuset}"));
	pinned_seconds(fake, web, 3 * CPU, job, 1);
	assert_int_equal(held(fake, job), 0);
	assert_string_equal(pinned(fake, job), "4,8-9");
	/* Without cpusets it is off, and says so. */
	fake_agent_knob(fake, KNOB_CPUSET_CPUS, false, "not enabled");
	fake_agent_capabilities(fake);
	assert_null(pinned(fake, job));
	assert_non_null(strstr(fake_agent_description(fake, 0, "suppress"), "no cpusets here"));
	(void)fake_agent_free(fake);
	suppress_sys = "/sys";
	cpu_tree_remove(dir);
}

static void test_auto_is_both_where_there_are_cpus_enough(void **state)
{
	static const struct cpu_tree tree = { .nodes = 2, .cores = 5, .threads = 1 };
	char dir[] = "/tmp/berth-cpus-XXXXXX", sys[64];
	struct fake_agent *fake;
	uint64_t web, job;

	(void)state;
	cpu_tree_make(&tree, dir);
	(void)snprintf(sys, sizeof(sys), "%s/sys", dir);
	suppress_sys = sys;
	fake = world_new("suppress: {enabled: true}");
	web = world_add(fake, "web", QOS_HIGH);
	job = world_add(fake, "job", QOS_BATCH);
	/* 5.5 CPUs: six, and a quota. */
	pinned_seconds(fake, web, CPU, job, 3);
	assert_string_equal(pinned(fake, job), "2-4,7-9");
	assert_int_equal(held(fake, job), (uint64_t)(5.5 * PER_MS));
	assert_non_null(strstr(fake_agent_description(fake, job, "suppress"), "on CPUs 2-4,7-9"));
	/* Whole CPUs but for less than half a dead band (0.1 here): no quota. */
	pinned_seconds(fake, web, CPU * 155 / 100, job, 20);
	assert_string_equal(pinned(fake, job), "3-4,7-9");
	assert_int_equal(held(fake, job), 0);
	assert_non_null(strstr(fake_agent_description(fake, job, "suppress"), "on CPUs 3-4,7-9"));
	/* Below the least set the quota alone holds. */
	pinned_seconds(fake, web, 6 * CPU, job, 1);
	assert_string_equal(pinned(fake, job), "4,9");
	assert_int_equal(held(fake, job), (uint64_t)(0.5 * PER_MS));
	/* One of the two alone, and none; and tidal affinity keeps the CPUs to itself. */
	assert_ok(fake_agent_apply(fake, ON));
	pinned_seconds(fake, web, 3 * CPU, job, 1);
	assert_null(pinned(fake, job));
	assert_true(held(fake, job) > 0);
	assert_ok(fake_agent_apply(fake, "suppress: {enabled: true, by: both}"));
	pinned_seconds(fake, web, 3 * CPU, job, 1);
	assert_non_null(pinned(fake, job));
	assert_ok(fake_agent_apply(fake, "{suppress: {enabled: true}, "
					 "placement: {tidal: {enabled: true, way: cpuset}}}"));
	pinned_seconds(fake, web, 3 * CPU, job, 1);
	assert_null(pinned(fake, job));
	assert_true(held(fake, job) > 0);
	assert_ok(fake_agent_apply(fake, "suppress: {enabled: true}"));
	pinned_seconds(fake, web, 3 * CPU, job, 1);
	assert_non_null(pinned(fake, job));
	/* What the host has not is done without. */
	fake_agent_knob(fake, KNOB_CPUSET_CPUS, false, "not enabled");
	fake_agent_capabilities(fake);
	pinned_seconds(fake, web, 3 * CPU, job, 1);
	assert_true(held(fake, job) > 0);
	fake_agent_knob(fake, KNOB_CPUSET_CPUS, true, NULL);
	fake_agent_knob(fake, KNOB_CPU_QUOTA_USEC, false, "no CFS bandwidth");
	fake_agent_capabilities(fake);
	pinned_seconds(fake, web, 3 * CPU, job, 1);
	assert_non_null(pinned(fake, job));
	assert_int_equal(held(fake, job), 0);
	fake_agent_knob(fake, KNOB_CPUSET_CPUS, false, "not enabled");
	fake_agent_capabilities(fake);
	assert_non_null(strstr(fake_agent_description(fake, 0, "suppress"), "off: no cpusets"));
	(void)fake_agent_free(fake);
	suppress_sys = "/sys";
	cpu_tree_remove(dir);
}

/* Without a list of CPUs to give, quotas hold all of the budget. */
static void test_both_where_cpus_cannot_be_read(void **state)
{
	struct fake_agent *fake;
	uint64_t web, job;

	(void)state;
	suppress_sys = "/nonexistent";
	fake = world_new("suppress: {enabled: true, by: both}");
	web = world_add(fake, "web", QOS_HIGH);
	job = world_add(fake, "job", QOS_BATCH);
	pinned_seconds(fake, web, CPU, job, 3);
	assert_null(pinned(fake, job));
	assert_int_equal(held(fake, job), (uint64_t)(5.5 * PER_MS));
	(void)fake_agent_free(fake);
	suppress_sys = "/sys";
}

static void test_a_host_without_quotas(void **state)
{
	struct fake_agent *fake = fake_agent_new();

	(void)state;
	fake_agent_knob(fake, KNOB_CPU_QUOTA_USEC, false, "no CFS bandwidth");
	assert_ok(fake_agent_start(fake, &berth_plugin, ON));
	(void)world_add(fake, "web", QOS_HIGH);
	(void)world_add(fake, "job", QOS_BATCH);
	assert_non_null(strstr(fake_agent_description(fake, 0, "suppress"),
			       "off: no CPU quotas here: no CFS"));
	fake_agent_knob(fake, KNOB_CPU_QUOTA_USEC, true, NULL);
	fake_agent_capabilities(fake);
	assert_non_null(strstr(fake_agent_description(fake, 0, "suppress"), "on:"));
	(void)fake_agent_free(fake);
}

static void test_settings_that_contradict_are_refused(void **state)
{
	static const struct {
		const char *settings, *error;
	} cases[] = {
		{ "suppress: {target_percent: 20, min_percent: 20}", "target_percent (20)" },
		{ "suppress: {target_percent: 10, dead_band_percent: 5}", "leaves nothing" },
		{ "suppress: {target_percent: 0}", "target_percent" },
		{ "suppress: {target_percent: 101}", "target_percent" },
		{ "suppress: {step_percent: 0}", "step_percent" },
		{ "suppress: {period: 100ms}", "period" },
		{ "suppress: {by: weight}", "by" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct fake_agent *fake = fake_agent_new();

		assert_errno(fake_agent_start(fake, &berth_plugin, cases[i].settings), EINVAL);
		if (!strstr(fake->error, cases[i].error))
			fail_msg("%s: %s", cases[i].settings, fake->error);
		(void)fake_agent_free(fake);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_off_by_default),
		cmocka_unit_test(test_rests_without_online_or_offline_work),
		cmocka_unit_test(test_follows_the_load),
		cmocka_unit_test(test_a_steady_load_costs_no_claims_but_leases),
		cmocka_unit_test(test_unused_shares_go_to_those_that_want_them),
		cmocka_unit_test(test_a_scavenger_gets_what_batch_leaves),
		cmocka_unit_test(test_limits_of_their_own_stay),
		cmocka_unit_test(test_blind_it_holds_the_floor),
		cmocka_unit_test(test_jobs_come_and_go),
		cmocka_unit_test(test_pressure_of_online_work_cuts),
		cmocka_unit_test(test_ignored_and_nested_are_not_held),
		cmocka_unit_test(test_reload_changes_and_ends),
		cmocka_unit_test(test_by_cpuset_all_get_the_same_cpus),
		cmocka_unit_test(test_auto_is_both_where_there_are_cpus_enough),
		cmocka_unit_test(test_both_where_cpus_cannot_be_read),
		cmocka_unit_test(test_a_host_without_quotas),
		cmocka_unit_test(test_settings_that_contradict_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
