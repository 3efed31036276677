/* SPDX-License-Identifier: Apache-2.0 */
/* test-evict.c - eviction by the colocation plugin: whom, when, and what it makes of the answers.
 */
#include <stdbool.h>

#include "berth-test.h"
#include "fake-agent.h"
#include "macro.h"

extern const struct berth_plugin berth_plugin;

#define GIB   (UINT64_C(1) << 30)
#define MIB   (UINT64_C(1) << 20)
#define TICK  USEC_PER_SEC
#define EVICT "evict: {enabled: true, min_run_time: 0s, cooldown: 20s, memory: {hard: 2}"

static struct fake_agent *world_new(const char *settings)
{
	struct fake_agent *fake = fake_agent_new();

	fake->has_node = true;
	fake->node = (struct node_sample){
		.cpus = 2,
		.memory_total_bytes = 16 * GIB,
		.memory_available_bytes = 8 * GIB,
		.pressure_known = 0x3f,
	};
	fake->now_usec = 100 * USEC_PER_SEC;
	assert_ok(fake_agent_start(fake, &berth_plugin, settings));
	return fake;
}

static uint64_t world_add(struct fake_agent *fake, const char *kind, const char *namespace,
			  const char *name, enum qos_level level, uint64_t bytes)
{
	uint64_t id = fake_agent_add(fake, kind, namespace, name, level);
	struct workload_sample *sample = fake_agent_sample(fake, id);

	sample->value[SAMPLE_MEMORY_BYTES] = bytes;
	sample->known[0] = ~UINT64_C(0);
	sample->known[1] = ~UINT64_C(0);
	sample->generation = fake->now_usec / TICK;
	sample->time_usec = fake->now_usec;
	return id;
}

/* A second passes: the node's CPUs are half busy, every workload is sampled. */
static void tick(struct fake_agent *fake)
{
	fake->node.cpu_total_usec += 2 * TICK;
	fake->node.cpu_busy_usec += TICK;
	for (size_t i = 0; i < fake->workload_count; i++) {
		fake->workloads[i]->sample.generation = fake->now_usec / TICK + 1;
		fake->workloads[i]->sample.time_usec = fake->now_usec + TICK;
	}
	assert_ok(fake_agent_advance(fake, TICK));
}

static void ticks(struct fake_agent *fake, unsigned int count)
{
	while (count-- > 0)
		tick(fake);
}

static void available(struct fake_agent *fake, uint64_t percent)
{
	fake->node.memory_available_bytes = fake->node.memory_total_bytes / 100 * percent;
}

static double counted(const struct fake_agent *fake, const char *resource, const char *result)
{
	char labels[96];
	double value = 0;

	(void)snprintf(labels, sizeof(labels), "resource=\"%s\",result=\"%s\"", resource, result);
	(void)fake_agent_metric_labels(fake, "evictions_total", labels, &value);
	return value;
}

static void assert_acted(const struct fake_agent *fake, size_t index, enum action action,
			 uint64_t id)
{
	assert_true(fake->action_count > index);
	assert_int_equal(fake->actions[index].action, action);
	assert_int_equal(fake->actions[index].target.id, id);
}

static void test_off_nothing_wakes_up(void **state)
{
	struct fake_agent *fake = world_new(NULL);
	uint64_t id = world_add(fake, "pod", "batch", "job", QOS_BATCH, GIB);
	size_t others = fake_agent_sources(fake); /* that a disk comes or goes */

	(void)state;
	assert_null(fake_agent_description(fake, id, "evict"));
	assert_non_null(strstr(fake_agent_description(fake, 0, "evict"), "off"));
	available(fake, 1);
	ticks(fake, 10);
	assert_int_equal(fake->action_count, 0);
	assert_int_equal(fake->node_calls, 0);
	/* On, and off again. */
	assert_ok(fake_agent_apply(fake, EVICT "}"));
	assert_int_equal(fake_agent_sources(fake), others + 1);
	assert_non_null(strstr(fake_agent_description(fake, id, "evict"), "last resort"));
	assert_ok(fake_agent_apply(fake, NULL));
	assert_int_equal(fake_agent_sources(fake), others);
	assert_null(fake_agent_description(fake, id, "evict"));
	(void)fake_agent_free(fake);
}

static void test_nothing_short_costs_few_passes(void **state)
{
	struct fake_agent *fake = world_new(EVICT "}");

	(void)state;
	(void)world_add(fake, "pod", "batch", "job", QOS_BATCH, GIB);
	ticks(fake, 60);
	assert_int_equal(fake->node_calls, 60);
	/* But for what keeps the collectors ready. */
	assert_int_equal(fake->fresh_calls, 2);
	assert_int_equal(fake->action_count, 0);
	assert_string_equal(fake_agent_description(fake, 0, "evict"), "on; nothing is short");
	(void)fake_agent_free(fake);
}

static void test_memory_short_in_n_of_m_evicts_the_largest_of_the_lowest(void **state)
{
	struct fake_agent *fake = world_new(EVICT "}");
	uint64_t small, cached, batch;

	(void)state;
	(void)world_add(fake, "pod", "shop", "web", QOS_HIGH, 8 * GIB);
	batch = world_add(fake, "pod", "batch", "big", QOS_BATCH, 4 * GIB);
	small = world_add(fake, "pod", "batch", "small", QOS_SCAVENGER, 300 * MIB);
	/* Most of what it is charged for is page cache, which is no reason. */
	cached = world_add(fake, "pod", "batch", "cached", QOS_SCAVENGER, 5 * GIB);
	fake_agent_sample(fake, cached)->value[SAMPLE_MEMORY_INACTIVE_FILE_BYTES] = 4 * GIB;
	fake_agent_sample(fake, cached)->value[SAMPLE_MEMORY_ACTIVE_FILE_BYTES] = GIB - 200 * MIB;
	tick(fake);
	available(fake, 9);
	ticks(fake, 2);
	assert_int_equal(fake->action_count, 0);
	assert_non_null(strstr(fake_agent_description(fake, 0, "evict"), "2 of 5"));
	available(fake, 50);
	tick(fake);
	available(fake, 9);
	tick(fake);
	assert_int_equal(fake->action_count, 1);
	assert_acted(fake, 0, ACTION_EVICT, small);
	assert_non_null(strstr(fake->actions[0].reason, "3 of 5 samples"));
	assert_non_null(strstr(fake->actions[0].reason, "it held 300 MiB, 1 of 3 offline"));
	/* One at a time: no second one while the first is not answered, or in the cool-down. */
	ticks(fake, 5);
	assert_int_equal(fake->action_count, 1);
	fake_agent_finish(fake, 0, 0);
	assert_int_equal((int)counted(fake, "memory", "evicted"), 1);
	assert_non_null(strstr(fake_agent_description(fake, small, "evict"), "evicted: memory"));
	fake_agent_remove(fake, small);
	ticks(fake, 19);
	assert_int_equal(fake->action_count, 1);
	ticks(fake, 2);
	assert_acted(fake, 1, ACTION_EVICT, cached);
	fake_agent_finish(fake, 1, 0);
	fake_agent_remove(fake, cached);
	ticks(fake, 21);
	assert_acted(fake, 2, ACTION_EVICT, batch);
	(void)fake_agent_free(fake);
}

/* rubik's cool-down also begins when nothing was evicted. */
static void test_cooldown_counts_only_what_was_evicted(void **state)
{
	struct fake_agent *fake = world_new(EVICT "}");
	uint64_t first, second;

	(void)state;
	second = world_add(fake, "pod", "batch", "second", QOS_BATCH, GIB);
	first = world_add(fake, "pod", "batch", "first", QOS_BATCH, 2 * GIB);
	available(fake, 9);
	ticks(fake, 4);
	assert_acted(fake, 0, ACTION_EVICT, first);
	fake_agent_finish(fake, 0, -EBUSY);
	assert_int_equal((int)counted(fake, "memory", "budget"), 1);
	tick(fake);
	assert_acted(fake, 1, ACTION_EVICT, second);
	fake_agent_finish(fake, 1, -EBUSY);
	/* Both wait, each for longer than before. */
	ticks(fake, 20);
	assert_int_equal(fake->action_count, 2);
	assert_non_null(strstr(fake_agent_description(fake, 0, "evict"), "none of 2"));
	ticks(fake, 12);
	assert_int_equal(fake->action_count, 3);
	fake_agent_finish(fake, 2, -EBUSY);
	tick(fake);
	assert_int_equal(fake->action_count, 4);
	fake_agent_finish(fake, 3, -EBUSY);
	ticks(fake, 50);
	assert_int_equal(fake->action_count, 4);
	(void)fake_agent_free(fake);
}

static void test_nobody_protected_goes(void **state)
{
	struct fake_agent *fake =
		world_new("evict: {enabled: true, without_api: kill, min_run_time: 0s, "
			  "protect_namespaces: [\"infra-*\"]}");
	uint64_t kube, infra, told, static_pod, ignored, odd, slice, pod, machine;

	(void)state;
	kube = world_add(fake, "pod", "kube-system", "dns", QOS_BATCH, GIB);
	infra = world_add(fake, "pod", "infra-logs", "shipper", QOS_SCAVENGER, GIB);
	told = world_add(fake, "pod", "batch", "told", QOS_SCAVENGER, GIB);
	fake_agent_annotate(fake, told, "berth/evict", "false");
	fake_agent_update(fake, told);
	/* A pod of the tree alone: nobody knows its namespace. */
	(void)world_add(fake, "pod", "", "pod4711", QOS_SCAVENGER, GIB);
	odd = world_add(fake, "pod", "batch", "odd", QOS_SCAVENGER, GIB);
	fake_agent_annotate(fake, odd, "berth/evict", "never");
	static_pod = world_add(fake, "pod", "batch", "static", QOS_SCAVENGER, GIB);
	fake_agent_annotate(fake, static_pod, "kubernetes.io/config.mirror", "0123");
	ignored = world_add(fake, "pod", "batch", "ignored", QOS_SCAVENGER, GIB);
	fake_agent_workload(fake, ignored)->view.flags = WORKLOAD_IGNORED;
	/* Below an offline slice is an online unit. */
	slice = world_add(fake, "cgroup", "", "slice", QOS_SCAVENGER, 4 * GIB);
	pod = world_add(fake, "cgroup", "", "slice/web", QOS_NORMAL, GIB);
	fake_agent_workload(fake, pod)->view.parent = slice;
	/* A machine in a pod goes with it. */
	machine = world_add(fake, "vm", "", "vm", QOS_BATCH, GIB);
	fake_agent_workload(fake, machine)->view.parent = told;
	available(fake, 1);
	ticks(fake, 60);
	assert_int_equal(fake->action_count, 0);
	fake_agent_update(fake, kube);
	assert_non_null(strstr(fake_agent_description(fake, kube, "evict"), "kube-system"));
	assert_non_null(strstr(fake_agent_description(fake, infra, "evict"), "namespace"));
	assert_non_null(strstr(fake_agent_description(fake, told, "evict"), "berth/evict"));
	fake_agent_update(fake, slice);
	assert_non_null(strstr(fake_agent_description(fake, slice, "evict"), "below"));
	/* And once it is not any more. */
	fake_agent_annotate(fake, odd, "berth/evict", "true");
	tick(fake);
	assert_acted(fake, 0, ACTION_KILL, odd);
	(void)fake_agent_free(fake);
}

static void test_marked_ones_and_the_younger_go_first(void **state)
{
	struct fake_agent *fake = world_new(EVICT "}");
	uint64_t marked, younger;

	(void)state;
	marked = world_add(fake, "pod", "batch", "marked", QOS_BATCH, 200 * MIB);
	(void)world_add(fake, "pod", "batch", "old", QOS_BATCH, 2 * GIB);
	younger = world_add(fake, "pod", "batch", "young", QOS_BATCH, 2 * GIB);
	fake_agent_annotate(fake, marked, "berth/evict", "first");
	available(fake, 9);
	ticks(fake, 4);
	assert_acted(fake, 0, ACTION_EVICT, marked);
	fake_agent_finish(fake, 0, -EBUSY);
	tick(fake);
	assert_acted(fake, 1, ACTION_EVICT, younger);
	(void)fake_agent_free(fake);
}

static void test_min_run_time_is_waited_for(void **state)
{
	struct fake_agent *fake = world_new("evict: {enabled: true, min_run_time: 30s}");
	uint64_t id;

	(void)state;
	ticks(fake, 5);
	id = world_add(fake, "pod", "batch", "job", QOS_BATCH, GIB);
	available(fake, 9);
	ticks(fake, 30);
	assert_int_equal(fake->action_count, 0);
	ticks(fake, 2);
	assert_acted(fake, 0, ACTION_EVICT, id);
	(void)fake_agent_free(fake);
}

static void test_pressure_of_online_is_what_counts(void **state)
{
	struct fake_agent *fake = world_new(EVICT ", pressure: {memory: 20, cpu: 40}}");
	uint64_t web, heavy, busy;

	(void)state;
	web = world_add(fake, "pod", "shop", "web", QOS_HIGH, GIB);
	heavy = world_add(fake, "pod", "batch", "heavy", QOS_BATCH, 3 * GIB);
	busy = world_add(fake, "pod", "batch", "busy", QOS_BATCH, GIB);
	tick(fake);
	/* An offline one that waits for itself is no reason. */
	for (int i = 0; i < 8; i++) {
		fake->node.pressure_usec[2] += TICK / 2;
		fake_agent_sample(fake, heavy)->value[SAMPLE_PRESSURE_MEMORY_SOME_USEC] += TICK / 2;
		tick(fake);
	}
	assert_int_equal(fake->action_count, 0);
	for (int i = 0; i < 4 && fake->action_count == 0; i++) {
		fake->node.pressure_usec[2] += TICK / 2;
		fake_agent_sample(fake, web)->value[SAMPLE_PRESSURE_MEMORY_SOME_USEC] +=
			TICK * 43 / 100;
		tick(fake);
		assert_int_equal(fake->action_count, i == 2);
	}
	assert_acted(fake, 0, ACTION_EVICT, heavy);
	assert_non_null(
		strstr(fake->actions[0].reason, "shop/web waited 43.0 % of the last 1.0 s"));
	fake_agent_finish(fake, 0, 0);
	ticks(fake, 25);
	/* CPU: who uses most of it. */
	for (int i = 0; i < 4; i++) {
		fake->node.pressure_usec[0] += TICK;
		fake_agent_sample(fake, web)->value[SAMPLE_PRESSURE_CPU_SOME_USEC] += TICK / 2;
		fake_agent_sample(fake, busy)->value[SAMPLE_CPU_USAGE_USEC] += 3 * TICK / 2;
		tick(fake);
	}
	assert_acted(fake, 1, ACTION_EVICT, busy);
	assert_non_null(strstr(fake->actions[1].reason, "it used 1.50 CPUs"));
	(void)fake_agent_free(fake);
}

static void test_past_the_hard_line_the_first_sample_kills(void **state)
{
	struct fake_agent *fake = world_new(EVICT "}");
	uint64_t pod, group;

	(void)state;
	pod = world_add(fake, "pod", "batch", "job", QOS_BATCH, GIB);
	group = world_add(fake, "cgroup", "", "own", QOS_SCAVENGER, 4 * GIB);
	ticks(fake, 2);
	available(fake, 1);
	tick(fake);
	/* A group is not killed unless the policy says so. */
	assert_acted(fake, 0, ACTION_KILL, pod);
	assert_non_null(strstr(fake->actions[0].reason, "past the hard line of 2 %"));
	fake_agent_finish(fake, 0, 0);
	assert_int_equal((int)counted(fake, "memory", "killed"), 1);
	ticks(fake, 19);
	assert_int_equal(fake->action_count, 1);
	assert_ok(fake_agent_apply(fake, "evict: {enabled: true, without_api: kill, "
					 "min_run_time: 0s, cooldown: 20s, memory: {hard: 2}}"));
	ticks(fake, 3);
	assert_acted(fake, 1, ACTION_KILL, group);
	(void)fake_agent_free(fake);
}

static void test_past_the_hard_line_a_grace_period_is_cut_short(void **state)
{
	struct fake_agent *fake = world_new(EVICT "}");
	uint64_t pod;

	(void)state;
	(void)world_add(fake, "pod", "batch", "other", QOS_BATCH, GIB);
	pod = world_add(fake, "pod", "batch", "job", QOS_BATCH, 2 * GIB);
	available(fake, 9);
	ticks(fake, 4);
	assert_acted(fake, 0, ACTION_EVICT, pod);
	/* Not even answered yet. */
	available(fake, 1);
	tick(fake);
	assert_acted(fake, 1, ACTION_KILL, pod);
	ticks(fake, 3);
	assert_int_equal(fake->action_count, 2);
	fake_agent_finish(fake, 0, 0);
	fake_agent_finish(fake, 1, 0);
	/* It is what one cool-down is for. */
	ticks(fake, 15);
	assert_int_equal(fake->action_count, 2);
	(void)fake_agent_free(fake);
}

static void set_ending(struct fake_agent *fake, uint64_t id)
{
	fake_agent_workload(fake, id)->view.flags |= WORKLOAD_ENDING;
	fake_agent_update(fake, id);
}

static void test_who_is_being_deleted_is_not_evicted(void **state)
{
	struct fake_agent *fake = world_new(EVICT "}");
	uint64_t other, ending;

	(void)state;
	other = world_add(fake, "pod", "batch", "other", QOS_BATCH, GIB);
	ending = world_add(fake, "pod", "batch", "ending", QOS_BATCH, 4 * GIB);
	set_ending(fake, ending);
	assert_non_null(strstr(fake_agent_description(fake, ending, "evict"), "being deleted"));
	available(fake, 9);
	ticks(fake, 4);
	assert_acted(fake, 0, ACTION_EVICT, other);
	fake_agent_finish(fake, 0, 0);
	/* That is what the API makes of it, and why it goes is still said. */
	set_ending(fake, other);
	assert_non_null(strstr(fake_agent_description(fake, other, "evict"), "evicted: memory"));
	ticks(fake, 40);
	assert_int_equal(fake->action_count, 1);
	/* Its grace period is over when memory is. */
	fake_agent_remove(fake, other);
	available(fake, 1);
	tick(fake);
	assert_acted(fake, 1, ACTION_KILL, ending);
	(void)fake_agent_free(fake);
}

static void test_another_period_forgets_nobody(void **state)
{
	struct fake_agent *fake = world_new(EVICT "}");
	uint64_t pod;

	(void)state;
	pod = world_add(fake, "pod", "batch", "job", QOS_BATCH, 2 * GIB);
	available(fake, 9);
	ticks(fake, 4);
	assert_acted(fake, 0, ACTION_EVICT, pod);
	fake_agent_finish(fake, 0, -EBUSY);
	assert_ok(fake_agent_apply(fake, EVICT ", period: 2s}"));
	/* A budget said no: it is asked again in 30 s, not at once. */
	ticks(fake, 20);
	assert_int_equal(fake->action_count, 1);
	ticks(fake, 20);
	assert_int_equal(fake->action_count, 2);
	(void)fake_agent_free(fake);
}

/* How long it is left alone is by how often it failed in a row. */
static void test_an_answer_of_the_api_ends_its_backoff(void **state)
{
	struct fake_agent *fake = world_new(EVICT "}");
	size_t asked;

	(void)state;
	(void)world_add(fake, "pod", "batch", "a", QOS_BATCH, 2 * GIB);
	(void)world_add(fake, "pod", "batch", "b", QOS_BATCH, 3 * GIB);
	available(fake, 9);
	ticks(fake, 4);
	for (unsigned int i = 0; i < 4; i++) {
		asked = fake->action_count;
		fake_agent_finish(fake, asked - 1, -EHOSTDOWN);
		for (unsigned int wait = 0; wait < 100 && fake->action_count == asked; wait++)
			tick(fake);
		assert_int_equal(fake->action_count, asked + 1);
	}
	/* It is up again, and a budget says no; then it is down again. */
	fake_agent_finish(fake, fake->action_count - 1, -EBUSY);
	tick(fake);
	asked = fake->action_count;
	fake_agent_finish(fake, asked - 1, -EHOSTDOWN);
	ticks(fake, 12);
	assert_int_equal(fake->action_count, asked + 1);
	(void)fake_agent_free(fake);
}

static void test_without_api_the_policy_says(void **state)
{
	struct fake_agent *fake = world_new(EVICT "}");
	uint64_t pod;

	(void)state;
	pod = world_add(fake, "pod", "batch", "job", QOS_BATCH, 2 * GIB);
	(void)world_add(fake, "vm", "", "machine", QOS_BATCH, 4 * GIB);
	available(fake, 9);
	ticks(fake, 4);
	assert_acted(fake, 0, ACTION_EVICT, pod);
	fake_agent_finish(fake, 0, -EHOSTDOWN);
	assert_int_equal((int)counted(fake, "memory", "no_api"), 1);
	ticks(fake, 9);
	assert_int_equal(fake->action_count, 1); /* refused, and asked again later */
	assert_non_null(strstr(fake_agent_description(fake, pod, "evict"), "no API"));
	ticks(fake, 3);
	assert_acted(fake, 1, ACTION_EVICT, pod);
	assert_ok(fake_agent_apply(fake, "evict: {enabled: true, without_api: kill, "
					 "min_run_time: 0s, cooldown: 20s}"));
	fake_agent_finish(fake, 1, -EHOSTDOWN);
	assert_acted(fake, 2, ACTION_KILL, pod);
	fake_agent_finish(fake, 2, 0);
	assert_int_equal(fake->action_count, 3);
	(void)fake_agent_free(fake);
}

static void test_refusals_are_told_once_and_backed_off(void **state)
{
	struct fake_agent *fake = world_new(EVICT "}");
	uint64_t pod;

	(void)state;
	pod = world_add(fake, "pod", "batch", "job", QOS_BATCH, 2 * GIB);
	available(fake, 9);
	ticks(fake, 4);
	assert_acted(fake, 0, ACTION_EVICT, pod);
	fake_agent_finish(fake, 0, -EACCES);
	assert_int_equal(fake->log_lines[4], 1);
	assert_non_null(strstr(fake->last_log, "pods/eviction"));
	ticks(fake, 12);
	assert_int_equal(fake->action_count, 2);
	fake_agent_finish(fake, 1, -EACCES);
	assert_int_equal(fake->log_lines[4], 1);
	ticks(fake, 15);
	assert_int_equal(fake->action_count, 2);
	/* Over actions.per_minute: a pause, and no count of anything. */
	fake->act_error = -EAGAIN;
	ticks(fake, 10);
	assert_int_equal(fake->action_count, 2);
	fake->act_error = 0;
	ticks(fake, 12);
	assert_int_equal(fake->action_count, 3);
	fake_agent_finish(fake, 2, -EIO);
	assert_int_equal((int)counted(fake, "memory", "failed"), 1);
	ticks(fake, 20);
	assert_int_equal(fake->action_count, 3);
	(void)fake_agent_free(fake);
}

static void test_dry_run_cools_down_and_says_so(void **state)
{
	struct fake_agent *fake = world_new(EVICT "}");
	uint64_t pod;

	(void)state;
	pod = world_add(fake, "pod", "batch", "job", QOS_BATCH, 2 * GIB);
	available(fake, 9);
	ticks(fake, 4);
	fake_agent_finish(fake, 0, ACTION_DRY_RUN);
	assert_int_equal((int)counted(fake, "memory", "dry_run"), 1);
	assert_int_equal((int)counted(fake, "memory", "evicted"), 0);
	assert_non_null(strstr(fake_agent_description(fake, pod, "evict"), "would be evicted"));
	ticks(fake, 19);
	assert_int_equal(fake->action_count, 1);
	ticks(fake, 3);
	assert_acted(fake, 1, ACTION_EVICT, pod); /* it is still there */
	(void)fake_agent_free(fake);
}

static void test_stale_numbers_decide_nothing(void **state)
{
	struct fake_agent *fake = world_new(EVICT "}");

	(void)state;
	(void)world_add(fake, "pod", "batch", "job", QOS_BATCH, 2 * GIB);
	available(fake, 9);
	ticks(fake, 3);
	fake->has_node = false;
	ticks(fake, 5);
	assert_non_null(strstr(fake_agent_description(fake, 0, "evict"), "no decision"));
	fake->has_node = true;
	ticks(fake, 3); /* one that begins, two that are over */
	assert_int_equal(fake->action_count, 0);
	fake->fresh_error = -EIO;
	ticks(fake, 10);
	assert_int_equal(fake->action_count, 0);
	fake->fresh_error = 0;
	ticks(fake, 4);
	assert_int_equal(fake->action_count, 1);
	(void)fake_agent_free(fake);
}

static void test_wrong_settings_are_refused(void **state)
{
	static const struct {
		const char *settings, *key;
	} cases[] = {
		{ "evict: {samples: 6}", "evict.samples" },
		{ "evict: {memory: {hard: 10}}", "evict.memory.hard" },
		{ "evict: {memory: {hard: 30, available_percent: 20}}", "evict.memory.hard" },
		{ "evict: {memory: {available_percent: 0}}", "evict.memory.hard" },
		{ "evict: {enabled: true, memory: {available_percent: 0, hard: 0}, "
		  "pressure: {memory: 0}}",
		  "evict.enabled" },
		{ "evict: {period: 10ms}", "evict.period" },
		{ "evict: {cooldown: 0s}", "evict.cooldown" },
		{ "evict: {without_api: maybe}", "evict.without_api" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct fake_agent *fake = fake_agent_new();

		assert_errno(fake_agent_start(fake, &berth_plugin, cases[i].settings), EINVAL);
		assert_non_null(strstr(fake->error, cases[i].key));
		(void)fake_agent_free(fake);
	}
}

/* ---- properties, over worlds made up by chance ---- */

static uint64_t seed;

static uint64_t chance(uint64_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed % below;
}

#define WINDOW        5
#define SAMPLES       3
#define COOLDOWN_SECS 20

struct story {
	struct fake_agent *fake;
	unsigned int over[WINDOW]; /* were the last ones over the line? */
	bool hard;
	uint64_t victim, victim_usec; /* the last that really went */
	size_t acted;
};

static bool is_protected(struct fake_agent *fake, uint64_t id)
{
	const struct berth_workload *view = &fake_agent_workload(fake, id)->view;
	const char *annotation = fake->agent.api->annotation(&fake->agent, id, "berth/evict");

	return view->qos >= QOS_NORMAL || (view->flags & WORKLOAD_IGNORED) ||
	       strcmp(view->namespace, "kube-system") == 0 ||
	       (annotation && strcmp(annotation, "false") == 0);
}

static void world_churn(struct story *story)
{
	static const char *const namespaces[] = { "kube-system", "shop", "batch" };
	static const char *const kinds[] = { "pod", "pod", "vm", "cgroup" };
	static const char *const marks[] = { "false", "true", "first" };
	struct fake_agent *fake = story->fake;
	char name[32];
	uint64_t id;

	if (fake->workload_count > 30 || (fake->workload_count > 3 && chance(3) == 0)) {
		fake_agent_remove(fake, fake->workloads[chance(fake->workload_count)]->view.id);
		return;
	}
	(void)snprintf(name, sizeof(name), "w%llu", (unsigned long long)fake->last_id + 1);
	id = world_add(fake, kinds[chance(4)], namespaces[chance(3)], name,
		       (enum qos_level)((int)chance(5) - 2), chance(4 * GIB));
	if (chance(3) == 0)
		fake_agent_annotate(fake, id, "berth/evict", marks[chance(3)]);
	if (chance(6) == 0)
		fake_agent_workload(fake, id)->view.flags = WORKLOAD_IGNORED;
	fake_agent_update(fake, id);
	if (chance(4) == 0)
		fake_agent_set_level(fake, fake->workloads[chance(fake->workload_count)]->view.id,
				     (enum qos_level)((int)chance(5) - 2));
}

static void check_new_actions(struct story *story)
{
	struct fake_agent *fake = story->fake;
	unsigned int over = 0;

	for (int i = 0; i < WINDOW; i++)
		over += story->over[i];
	for (; story->acted < fake->action_count; story->acted++) {
		const struct fake_action *action = &fake->actions[story->acted];
		uint64_t id = action->target.id;

		assert_false(is_protected(fake, id));
		assert_true(story->hard || over >= SAMPLES);
		if (action->action == ACTION_EVICT)
			assert_string_equal(fake_agent_workload(fake, id)->view.kind, "pod");
		if (story->victim && id != story->victim)
			assert_true(fake->now_usec - story->victim_usec >=
				    COOLDOWN_SECS * USEC_PER_SEC);
		assert_true(strlen(action->reason) > 20);
	}
}

static void answer_some(struct story *story)
{
	static const int answers[] = { 0,       0,       0,    -EBUSY, -EHOSTDOWN, -EACCES,
				       -ENOENT, -ESTALE, -EIO, -EPERM, -ETIMEDOUT, 0 };
	struct fake_agent *fake = story->fake;

	for (size_t i = 0; i < fake->action_count; i++) {
		int result = answers[chance(ARRAY_SIZE(answers))];
		uint64_t id = fake->actions[i].target.id;

		if (fake->actions[i].finished || chance(2) == 0)
			continue;
		if (result == 0) {
			story->victim = id;
			story->victim_usec = fake->now_usec;
		}
		fake_agent_finish(fake, i, result);
		/* An answer may lead to a kill at once, without a sample between. */
		check_new_actions(story);
	}
}

static void one_story(uint64_t start, bool kills)
{
	char settings[256];
	struct story story = { 0 };

	seed = start;
	(void)snprintf(settings, sizeof(settings),
		       "evict: {enabled: true, min_run_time: 0s, cooldown: %us, samples: %d, "
		       "window: %d, without_api: %s, memory: {available_percent: 10, hard: 2}}",
		       COOLDOWN_SECS, SAMPLES, WINDOW, kills ? "kill" : "refuse");
	story.fake = world_new(settings);
	tick(story.fake);
	for (unsigned int turn = 0; turn < 400 && story.fake->action_count < 200; turn++) {
		uint64_t percent = chance(3) == 0 ? chance(100) : chance(12);

		if (chance(3) == 0)
			world_churn(&story);
		memmove(&story.over[1], &story.over[0], (WINDOW - 1) * sizeof(story.over[0]));
		story.over[0] = percent < 10;
		story.hard = percent < 2;
		available(story.fake, percent);
		tick(story.fake);
		check_new_actions(&story);
		answer_some(&story);
	}
	if (story.fake->action_count == 0)
		fail_msg("nothing happens with seed %llx: %s", (unsigned long long)start,
			 fake_agent_description(story.fake, 0, "evict"));
	(void)fake_agent_free(story.fake);
}

static void test_properties_hold_in_any_story(void **state)
{
	(void)state;
	for (uint64_t i = 1; i <= 60; i++)
		one_story(i * 0x9e3779b97f4a7c15u, i % 2 == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_off_nothing_wakes_up),
		cmocka_unit_test(test_nothing_short_costs_few_passes),
		cmocka_unit_test(test_memory_short_in_n_of_m_evicts_the_largest_of_the_lowest),
		cmocka_unit_test(test_cooldown_counts_only_what_was_evicted),
		cmocka_unit_test(test_nobody_protected_goes),
		cmocka_unit_test(test_marked_ones_and_the_younger_go_first),
		cmocka_unit_test(test_min_run_time_is_waited_for),
		cmocka_unit_test(test_pressure_of_online_is_what_counts),
		cmocka_unit_test(test_past_the_hard_line_the_first_sample_kills),
		cmocka_unit_test(test_past_the_hard_line_a_grace_period_is_cut_short),
		cmocka_unit_test(test_who_is_being_deleted_is_not_evicted),
		cmocka_unit_test(test_another_period_forgets_nobody),
		cmocka_unit_test(test_an_answer_of_the_api_ends_its_backoff),
		cmocka_unit_test(test_without_api_the_policy_says),
		cmocka_unit_test(test_refusals_are_told_once_and_backed_off),
		cmocka_unit_test(test_dry_run_cools_down_and_says_so),
		cmocka_unit_test(test_stale_numbers_decide_nothing),
		cmocka_unit_test(test_wrong_settings_are_refused),
		cmocka_unit_test(test_properties_hold_in_any_story),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
