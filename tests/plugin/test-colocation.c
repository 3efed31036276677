/* SPDX-License-Identifier: Apache-2.0 */
/* test-colocation.c - what the colocation plugin wants for each level, on each kind of host. */
#include <string.h>
#include <unistd.h>

#include "berth-test.h"
#include "fake-agent.h"

extern const struct berth_plugin berth_plugin;

enum host_kind { HOST_VENDOR, HOST_UPSTREAM_V2, HOST_UPSTREAM_V1, HOST_OLD, HOST_BARE };

#define S64(value) ((uint64_t)(int64_t)(value))
#define NOTHING    UINT64_MAX

static struct fake_agent *host_new(enum host_kind kind)
{
	struct fake_agent *fake = fake_agent_new();

	fake_agent_knob(fake, KNOB_CORE_SCHED, false, "not built");
	if (kind != HOST_VENDOR) {
		fake_agent_knob(fake, KNOB_CPU_QOS_LEVEL, false, "no cpu.qos_level");
		fake_agent_knob(fake, KNOB_MEMORY_QOS_LEVEL, false, "no memory.qos_level");
		fake_agent_knob(fake, KNOB_MEMCG_QOS_ENABLE, false, "no vm.memcg_qos_enable");
	}
	if (kind == HOST_UPSTREAM_V1 || kind == HOST_OLD || kind == HOST_BARE) {
		fake_agent_knob(fake, KNOB_MEMORY_LOW_BYTES, false, "no memory.low");
		fake_agent_knob(fake, KNOB_MEMORY_MIN_BYTES, false, "no memory.min");
	}
	if (kind == HOST_OLD || kind == HOST_BARE)
		fake_agent_knob(fake, KNOB_CPU_IDLE, false, "no cpu.idle");
	if (kind == HOST_BARE) {
		fake_agent_knob(fake, KNOB_CPU_WEIGHT, false, "no cpu controller");
		fake_agent_knob(fake, KNOB_OOM_SCORE_ADJ, false, "not root");
	}
	return fake;
}

static uint64_t claimed(struct fake_agent *fake, uint64_t id, enum knob knob)
{
	const struct fake_claim *claim = fake_agent_claim_of(fake, id, knob);

	return claim ? claim->number : NOTHING;
}

struct level_case {
	enum host_kind host;
	enum qos_level level;
	uint64_t qos_level, idle, weight, memory_qos, oom;
};

static const struct level_case level_cases[] = {
	{ HOST_VENDOR, QOS_CRITICAL, S64(2), NOTHING, NOTHING, NOTHING, NOTHING },
	{ HOST_VENDOR, QOS_HIGH, S64(1), NOTHING, NOTHING, NOTHING, NOTHING },
	{ HOST_VENDOR, QOS_NORMAL, NOTHING, NOTHING, NOTHING, NOTHING, NOTHING },
	{ HOST_VENDOR, QOS_BATCH, S64(-1), NOTHING, NOTHING, S64(-1), NOTHING },
	{ HOST_VENDOR, QOS_SCAVENGER, S64(-2), NOTHING, NOTHING, S64(-1), NOTHING },
	{ HOST_UPSTREAM_V2, QOS_CRITICAL, NOTHING, NOTHING, NOTHING, NOTHING, NOTHING },
	{ HOST_UPSTREAM_V2, QOS_NORMAL, NOTHING, NOTHING, NOTHING, NOTHING, NOTHING },
	{ HOST_UPSTREAM_V2, QOS_BATCH, NOTHING, 1, NOTHING, NOTHING, 950 },
	{ HOST_UPSTREAM_V2, QOS_SCAVENGER, NOTHING, 1, NOTHING, NOTHING, 1000 },
	{ HOST_UPSTREAM_V1, QOS_BATCH, NOTHING, 1, NOTHING, NOTHING, 950 },
	{ HOST_OLD, QOS_HIGH, NOTHING, NOTHING, NOTHING, NOTHING, NOTHING },
	{ HOST_OLD, QOS_BATCH, NOTHING, NOTHING, 2, NOTHING, 950 },
	{ HOST_OLD, QOS_SCAVENGER, NOTHING, NOTHING, 1, NOTHING, 1000 },
	{ HOST_BARE, QOS_BATCH, NOTHING, NOTHING, NOTHING, NOTHING, NOTHING },
};

static void test_workload_of_each_level_claims_what_the_host_offers(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(level_cases) / sizeof(level_cases[0]); i++) {
		const struct level_case *c = &level_cases[i];
		struct fake_agent *fake = host_new(c->host);
		uint64_t id;

		assert_ok(fake_agent_start(fake, &berth_plugin, NULL));
		id = fake_agent_add(fake, "pod", "shop", "job", c->level);
		assert_int_equal(claimed(fake, id, KNOB_CPU_QOS_LEVEL), c->qos_level);
		assert_int_equal(claimed(fake, id, KNOB_CPU_IDLE), c->idle);
		assert_int_equal(claimed(fake, id, KNOB_CPU_WEIGHT), c->weight);
		assert_int_equal(claimed(fake, id, KNOB_MEMORY_QOS_LEVEL), c->memory_qos);
		assert_int_equal(claimed(fake, id, KNOB_OOM_SCORE_ADJ), c->oom);
		assert_non_null(fake_agent_description(fake, id, "cpu"));
		assert_non_null(fake_agent_description(fake, id, "memory"));
		(void)fake_agent_free(fake);
	}
}

static void test_critical_with_a_request_is_protected(void **state)
{
	struct fake_agent *fake = host_new(HOST_UPSTREAM_V2);
	uint64_t id;

	(void)state;
	assert_ok(fake_agent_start(fake, &berth_plugin, NULL));
	id = fake_agent_add(fake, "pod", "shop", "db", QOS_CRITICAL);
	assert_int_equal(claimed(fake, id, KNOB_MEMORY_LOW_BYTES), NOTHING);
	fake_agent_workload(fake, id)->view.memory_request_bytes = 64 << 20;
	fake_agent_update(fake, id);
	assert_int_equal(claimed(fake, id, KNOB_MEMORY_LOW_BYTES), 64 << 20);
	assert_ok(fake_agent_apply(fake, "memory: {protect: min}"));
	assert_int_equal(claimed(fake, id, KNOB_MEMORY_LOW_BYTES), NOTHING);
	assert_int_equal(claimed(fake, id, KNOB_MEMORY_MIN_BYTES), 64 << 20);
	assert_ok(fake_agent_apply(fake, "memory: {protect: off}"));
	assert_int_equal(claimed(fake, id, KNOB_MEMORY_MIN_BYTES), NOTHING);
	(void)fake_agent_free(fake);
}

static uint64_t requesting(struct fake_agent *fake, const char *name, enum qos_level level,
			   uint64_t bytes)
{
	uint64_t id = fake_agent_add(fake, "pod", "shop", name, level);

	fake_agent_workload(fake, id)->view.memory_request_bytes = bytes;
	fake_agent_update(fake, id);
	return id;
}

static void test_levels_that_are_protected_are_policy(void **state)
{
	static const struct {
		const char *settings;
		bool critical_min, high, normal;
	} cases[] = {
		{ NULL, false, false, false },
		{ "memory: {protect_from: high}", false, true, false },
		{ "memory: {protect_from: normal}", false, true, true },
		{ "memory: {protect_from: normal, protect: min}", true, true, true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fake_agent *fake = host_new(i % 2 ? HOST_UPSTREAM_V2 : HOST_VENDOR);
		uint64_t critical, high, normal, batch;

		assert_ok(fake_agent_start(fake, &berth_plugin, cases[i].settings));
		critical = requesting(fake, "db", QOS_CRITICAL, 64 << 20);
		high = requesting(fake, "web", QOS_HIGH, 32 << 20);
		normal = requesting(fake, "cron", QOS_NORMAL, 16 << 20);
		batch = requesting(fake, "job", QOS_BATCH, 8 << 20);
		assert_int_equal(claimed(fake, critical, KNOB_MEMORY_LOW_BYTES),
				 cases[i].critical_min ? NOTHING : 64 << 20);
		assert_int_equal(claimed(fake, critical, KNOB_MEMORY_MIN_BYTES),
				 cases[i].critical_min ? 64 << 20 : NOTHING);
		assert_int_equal(claimed(fake, high, KNOB_MEMORY_LOW_BYTES),
				 cases[i].high ? 32 << 20 : NOTHING);
		assert_int_equal(claimed(fake, normal, KNOB_MEMORY_LOW_BYTES),
				 cases[i].normal ? 16 << 20 : NOTHING);
		assert_int_equal(claimed(fake, normal, KNOB_MEMORY_MIN_BYTES), NOTHING);
		assert_int_equal(claimed(fake, batch, KNOB_MEMORY_LOW_BYTES), NOTHING);
		/* And back. */
		assert_ok(fake_agent_apply(fake, "memory: {protect: off}"));
		assert_int_equal(claimed(fake, high, KNOB_MEMORY_LOW_BYTES), NOTHING);
		assert_int_equal(claimed(fake, critical, KNOB_MEMORY_LOW_BYTES), NOTHING);
		(void)fake_agent_free(fake);
	}
}

#define GIB (UINT64_C(1) << 30)

static void test_requests_that_are_too_much_are_scaled(void **state)
{
	struct fake_agent *fake = host_new(HOST_UPSTREAM_V2);
	uint64_t critical, high, other, container;
	size_t sources;

	(void)state;
	fake->has_node = true;
	fake->node.memory_total_bytes = 10 * GIB;
	assert_ok(fake_agent_start(fake, &berth_plugin,
				   "memory: {protect_from: high, protect_percent: 50}"));
	critical = requesting(fake, "db", QOS_CRITICAL, 3 * GIB);
	container = fake_agent_add_child(fake, critical, "main");
	fake_agent_workload(fake, container)->view.memory_request_bytes = 3 * GIB;
	fake_agent_set_level(fake, container, QOS_CRITICAL);
	high = requesting(fake, "web", QOS_HIGH, GIB);
	sources = fake_agent_sources(fake);
	/* All of it: the container is in its pod. */
	assert_int_equal(claimed(fake, high, KNOB_MEMORY_LOW_BYTES), GIB);
	/* The critical one keeps its 3; the 2 that are left are for 8 that the others want. */
	other = requesting(fake, "api", QOS_HIGH, 7 * GIB);
	assert_int_equal(fake_agent_sources(fake), sources + 1);
	assert_int_equal(claimed(fake, other, KNOB_MEMORY_LOW_BYTES) >> 20, 1791);
	assert_ok(fake_agent_advance(fake, 1000000));
	assert_int_equal(fake_agent_sources(fake), sources);
	assert_int_equal(claimed(fake, high, KNOB_MEMORY_LOW_BYTES) >> 20, 255);
	assert_int_equal(claimed(fake, critical, KNOB_MEMORY_LOW_BYTES), 3 * GIB);
	assert_int_equal(claimed(fake, container, KNOB_MEMORY_LOW_BYTES), 3 * GIB);
	assert_non_null(strstr(fake_agent_description(fake, high, "memory"),
			       "24.99 % of its request of 1073741824, are protected"));
	/* It leaves: soon all is as before. */
	fake_agent_remove(fake, other);
	assert_ok(fake_agent_advance(fake, 1000000));
	assert_int_equal(claimed(fake, high, KNOB_MEMORY_LOW_BYTES), GIB);
	assert_int_equal(fake_agent_sources(fake), sources);
	/* More than the node has: not even the critical one gets all of it. */
	fake_agent_workload(fake, critical)->view.memory_request_bytes = 20 * GIB;
	fake_agent_update(fake, critical);
	assert_ok(fake_agent_advance(fake, 1000000));
	assert_in_range(claimed(fake, critical, KNOB_MEMORY_LOW_BYTES), 5 * GIB - (4 << 20),
			5 * GIB);
	assert_int_equal(claimed(fake, high, KNOB_MEMORY_LOW_BYTES), NOTHING);
	(void)fake_agent_free(fake);
}

static void test_oom_order_is_policy(void **state)
{
	static const struct {
		const char *settings;
		uint64_t scavenger, batch;
	} cases[] = {
		{ NULL, 1000, 950 },
		{ "memory: {oom_score_adj: 700}", 700, 700 },
		{ "memory: {oom_score_adj: 700, oom_score_adj_batch: 300}", 700, 300 },
		{ "memory: {oom_score_adj_batch: 0}", 1000, NOTHING },
		{ "memory: {oom_score_adj: 0}", NOTHING, NOTHING },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fake_agent *fake = host_new(HOST_UPSTREAM_V2);
		uint64_t scavenger, batch, normal;

		assert_ok(fake_agent_start(fake, &berth_plugin, cases[i].settings));
		scavenger = fake_agent_add(fake, "pod", "shop", "one", QOS_SCAVENGER);
		batch = fake_agent_add(fake, "pod", "shop", "two", QOS_BATCH);
		normal = fake_agent_add(fake, "pod", "shop", "three", QOS_NORMAL);
		assert_int_equal(claimed(fake, scavenger, KNOB_OOM_SCORE_ADJ), cases[i].scavenger);
		assert_int_equal(claimed(fake, batch, KNOB_OOM_SCORE_ADJ), cases[i].batch);
		assert_int_equal(claimed(fake, normal, KNOB_OOM_SCORE_ADJ), NOTHING);
		(void)fake_agent_free(fake);
	}
}

static void test_offline_pods_die_whole_if_the_policy_says_so(void **state)
{
	struct fake_agent *fake = host_new(HOST_UPSTREAM_V2);
	uint64_t pod, container, slice, online;

	(void)state;
	assert_ok(fake_agent_start(fake, &berth_plugin, NULL));
	pod = fake_agent_add(fake, "pod", "shop", "job", QOS_BATCH);
	container = fake_agent_add_child(fake, pod, "main");
	fake_agent_set_level(fake, container, QOS_BATCH);
	slice = fake_agent_add(fake, "unit", "", "batch.slice", QOS_BATCH);
	online = fake_agent_add(fake, "pod", "shop", "web", QOS_NORMAL);
	assert_int_equal(claimed(fake, pod, KNOB_MEMORY_OOM_GROUP), NOTHING);
	assert_ok(fake_agent_apply(fake, "memory: {oom_group: true}"));
	assert_int_equal(claimed(fake, pod, KNOB_MEMORY_OOM_GROUP), 1);
	assert_int_equal(claimed(fake, container, KNOB_MEMORY_OOM_GROUP), NOTHING);
	assert_int_equal(claimed(fake, slice, KNOB_MEMORY_OOM_GROUP), NOTHING);
	assert_int_equal(claimed(fake, online, KNOB_MEMORY_OOM_GROUP), NOTHING);
	assert_string_equal(fake_agent_description(fake, pod, "memory"),
			    "oom_score_adj=950: killed before online work, and as a whole");
	fake_agent_set_level(fake, pod, QOS_HIGH);
	assert_int_equal(claimed(fake, pod, KNOB_MEMORY_OOM_GROUP), NOTHING);
	fake_agent_set_level(fake, pod, QOS_SCAVENGER);
	assert_int_equal(claimed(fake, pod, KNOB_MEMORY_OOM_GROUP), 1);
	assert_ok(fake_agent_apply(fake, NULL));
	assert_int_equal(claimed(fake, pod, KNOB_MEMORY_OOM_GROUP), NOTHING);
	(void)fake_agent_free(fake);
}

static void test_level_change_unclaims_what_is_not_wanted(void **state)
{
	struct fake_agent *fake = host_new(HOST_UPSTREAM_V2);
	uint64_t id;

	(void)state;
	assert_ok(fake_agent_start(fake, &berth_plugin, NULL));
	id = fake_agent_add(fake, "pod", "shop", "job", QOS_BATCH);
	assert_int_equal(claimed(fake, id, KNOB_CPU_IDLE), 1);
	fake_agent_set_level(fake, id, QOS_HIGH);
	assert_int_equal(claimed(fake, id, KNOB_CPU_IDLE), NOTHING);
	assert_int_equal(claimed(fake, id, KNOB_OOM_SCORE_ADJ), NOTHING);
	fake_agent_workload(fake, id)->view.flags |= WORKLOAD_IGNORED;
	fake_agent_set_level(fake, id, QOS_BATCH);
	assert_int_equal(claimed(fake, id, KNOB_CPU_IDLE), NOTHING);
	assert_string_equal(fake_agent_description(fake, id, "cpu"), "left alone: berth/ignore");
	(void)fake_agent_free(fake);
}

static void test_kubelet_slices_are_never_idle(void **state)
{
	static const char *const slices[] = {
		"kubepods.slice",
		"kubepods.slice/kubepods-besteffort.slice",
		"kubepods/besteffort",
		"kubelet.slice/kubepods/burstable",
	};
	struct fake_agent *fake = host_new(HOST_UPSTREAM_V1);

	(void)state;
	assert_ok(fake_agent_start(fake, &berth_plugin, "cpu: {quota_percent: 50}"));
	for (size_t i = 0; i < sizeof(slices) / sizeof(slices[0]); i++) {
		uint64_t id = fake_agent_add(fake, "cgroup", "", slices[i], QOS_NORMAL);

		fake_agent_workload(fake, id)->view.cgroup = slices[i];
		fake_agent_set_level(fake, id, QOS_BATCH);
		assert_int_equal(claimed(fake, id, KNOB_CPU_IDLE), NOTHING);
		assert_int_equal(claimed(fake, id, KNOB_CPU_WEIGHT), 2);
		assert_int_equal(claimed(fake, id, KNOB_CPU_QUOTA_USEC), NOTHING);
		assert_non_null(strstr(fake_agent_description(fake, id, "cpu"), "kubelet"));
	}
	(void)fake_agent_free(fake);
}

#define POD       "kubepods/burstable/pod81091155-cf2d-465d-b40b-1ee79f213f61"
#define CONTAINER POD "/7d3a5c1f6b0e4d2c9a8b7c6d5e4f3a2b1c0d9e8f7a6b5c4d3e2f1a0b9c8d7e6f"

/* `runc update` writes the weight of a container; that of a pod is left alone once it is made. */
static void test_pod_is_idle_and_its_containers_are_not(void **state)
{
	struct fake_agent *fake = host_new(HOST_UPSTREAM_V2);
	uint64_t pod, container;

	(void)state;
	assert_ok(fake_agent_start(fake, &berth_plugin, NULL));
	pod = fake_agent_add(fake, "pod", "batch", "job", QOS_NORMAL);
	fake_agent_workload(fake, pod)->view.cgroup = POD;
	container = fake_agent_add_child(fake, pod, "main");
	fake_agent_workload(fake, container)->view.cgroup = CONTAINER;
	fake_agent_set_level(fake, container, QOS_BATCH);
	/* Alone in an online pod. */
	assert_int_equal(claimed(fake, container, KNOB_CPU_IDLE), NOTHING);
	assert_int_equal(claimed(fake, container, KNOB_CPU_WEIGHT), 2);
	fake_agent_set_level(fake, pod, QOS_BATCH);
	assert_int_equal(claimed(fake, pod, KNOB_CPU_IDLE), 1);
	assert_non_null(strstr(fake_agent_description(fake, pod, "cpu"), "resized"));
	assert_int_equal(claimed(fake, container, KNOB_CPU_IDLE), NOTHING);
	assert_int_equal(claimed(fake, container, KNOB_CPU_WEIGHT), NOTHING);
	assert_non_null(strstr(fake_agent_description(fake, container, "cpu"), "the pod above"));
	/* Its processes are its own all the same. */
	assert_int_equal(claimed(fake, container, KNOB_OOM_SCORE_ADJ), 950);
	(void)fake_agent_free(fake);
}

static void test_vendor_child_of_offline_parent_is_left_to_inherit(void **state)
{
	struct fake_agent *fake = host_new(HOST_VENDOR);
	struct berth_target host = { .kind = TARGET_HOST };
	uint64_t pod, container;

	(void)state;
	assert_ok(fake_agent_start(fake, &berth_plugin, NULL));
	assert_non_null(fake_agent_claim(fake, host, KNOB_MEMCG_QOS_ENABLE));
	pod = fake_agent_add(fake, "pod", "batch", "job", QOS_BATCH);
	container = fake_agent_add_child(fake, pod, "main");
	fake_agent_set_level(fake, container, QOS_BATCH);
	assert_int_equal(claimed(fake, pod, KNOB_CPU_QOS_LEVEL), S64(-1));
	assert_int_equal(claimed(fake, container, KNOB_CPU_QOS_LEVEL), NOTHING);
	assert_int_equal(claimed(fake, container, KNOB_MEMORY_QOS_LEVEL), NOTHING);
	/* The pod turns online: the container, still batch by its own word, claims for itself. */
	fake_agent_set_level(fake, pod, QOS_HIGH);
	assert_int_equal(claimed(fake, container, KNOB_CPU_QOS_LEVEL), S64(-1));
	assert_ok(fake_agent_apply(fake, "memory: {enabled: false}"));
	assert_null(fake_agent_claim(fake, host, KNOB_MEMCG_QOS_ENABLE));
	(void)fake_agent_free(fake);
}

/* The kernel passes a level on to all that is below, not only to the next. */
static void test_vendor_level_reaches_all_depths(void **state)
{
	struct fake_agent *fake = host_new(HOST_VENDOR);
	uint64_t slice, pod, container;

	(void)state;
	assert_ok(fake_agent_start(fake, &berth_plugin, NULL));
	slice = fake_agent_add(fake, "cgroup", "", "slice", QOS_NORMAL);
	pod = fake_agent_add_child(fake, slice, "pod");
	container = fake_agent_add_child(fake, pod, "main");
	fake_agent_set_level(fake, container, QOS_HIGH);
	assert_int_equal(claimed(fake, container, KNOB_CPU_QOS_LEVEL), S64(1));
	fake_agent_set_level(fake, slice, QOS_BATCH);
	assert_int_equal(claimed(fake, container, KNOB_CPU_QOS_LEVEL), NOTHING);
	fake_agent_set_level(fake, slice, QOS_NORMAL);
	assert_int_equal(claimed(fake, container, KNOB_CPU_QOS_LEVEL), S64(1));
	(void)fake_agent_free(fake);
}

/* With the switch off the kernel refuses to have a level put back. */
static void test_vendor_switch_goes_after_the_last_level(void **state)
{
	struct berth_target host = { .kind = TARGET_HOST };

	(void)state;
	for (int stop = 0; stop < 2; stop++) {
		struct fake_agent *fake = host_new(HOST_VENDOR);

		assert_ok(fake_agent_start(fake, &berth_plugin, NULL));
		(void)fake_agent_add(fake, "pod", "batch", "one", QOS_BATCH);
		(void)fake_agent_add(fake, "pod", "batch", "two", QOS_SCAVENGER);
		assert_non_null(fake_agent_claim(fake, host, KNOB_MEMCG_QOS_ENABLE));
		if (stop)
			fake_agent_stop(fake);
		else
			assert_ok(fake_agent_apply(fake, "memory: {enabled: false}"));
		assert_int_not_equal(fake->unclaimed_at[KNOB_MEMORY_QOS_LEVEL], 0);
		assert_true(fake->unclaimed_at[KNOB_MEMCG_QOS_ENABLE] >
			    fake->unclaimed_at[KNOB_MEMORY_QOS_LEVEL]);
		assert_null(fake_agent_claim(fake, host, KNOB_MEMCG_QOS_ENABLE));
		(void)fake_agent_free(fake);
	}
}

static void test_configured_way_is_taken_or_said_to_be_missing(void **state)
{
	struct fake_agent *fake = host_new(HOST_UPSTREAM_V2);
	uint64_t id;

	(void)state;
	assert_ok(
		fake_agent_start(fake, &berth_plugin, "cpu: {way: emulation, quota_percent: 50}"));
	id = fake_agent_add(fake, "unit", "", "job.service", QOS_BATCH);
	assert_int_equal(claimed(fake, id, KNOB_CPU_IDLE), NOTHING);
	assert_int_equal(claimed(fake, id, KNOB_CPU_WEIGHT), 2);
	assert_int_equal(claimed(fake, id, KNOB_CPU_QUOTA_USEC),
			 50000ULL * (unsigned long long)sysconf(_SC_NPROCESSORS_ONLN));
	assert_ok(fake_agent_apply(fake, "cpu: {way: vendor}"));
	assert_int_equal(claimed(fake, id, KNOB_CPU_WEIGHT), NOTHING);
	assert_int_equal(claimed(fake, id, KNOB_CPU_QUOTA_USEC), NOTHING);
	assert_string_equal(fake_agent_description(fake, 0, "cpu"),
			    "none: vendor: no cpu.qos_level");
	(void)fake_agent_free(fake);
}

static void test_capabilities_that_appear_are_used(void **state)
{
	struct fake_agent *fake = host_new(HOST_BARE);
	uint64_t id;

	(void)state;
	assert_ok(fake_agent_start(fake, &berth_plugin, NULL));
	id = fake_agent_add(fake, "cgroup", "", "job", QOS_BATCH);
	assert_int_equal(claimed(fake, id, KNOB_CPU_IDLE), NOTHING);
	fake_agent_knob(fake, KNOB_CPU_IDLE, true, NULL);
	fake_agent_capabilities(fake);
	assert_int_equal(claimed(fake, id, KNOB_CPU_IDLE), 1);
	(void)fake_agent_free(fake);
}

static void test_refused_claim_is_described_and_stops_nothing_else(void **state)
{
	struct fake_agent *fake = host_new(HOST_UPSTREAM_V2);
	uint64_t id;

	(void)state;
	fake->claim_error[KNOB_CPU_IDLE] = -ENOSPC;
	assert_ok(fake_agent_start(fake, &berth_plugin, NULL));
	id = fake_agent_add(fake, "pod", "shop", "job", QOS_BATCH);
	assert_non_null(strstr(fake_agent_description(fake, id, "cpu"), "refused"));
	assert_int_equal(claimed(fake, id, KNOB_OOM_SCORE_ADJ), 950);
	(void)fake_agent_free(fake);
}

static void test_smt_protection_is_for_critical_where_the_kernel_can(void **state)
{
	struct fake_agent *fake = host_new(HOST_UPSTREAM_V2);
	uint64_t critical, high;

	(void)state;
	fake_agent_knob(fake, KNOB_CORE_SCHED, true, NULL);
	assert_ok(fake_agent_start(fake, &berth_plugin, NULL));
	critical = fake_agent_add(fake, "pod", "shop", "db", QOS_CRITICAL);
	high = fake_agent_add(fake, "pod", "shop", "web", QOS_HIGH);
	assert_int_equal(claimed(fake, critical, KNOB_CORE_SCHED), 1);
	assert_int_equal(claimed(fake, high, KNOB_CORE_SCHED), NOTHING);
	assert_ok(fake_agent_apply(fake, "cpu: {smt_protect: off}"));
	assert_int_equal(claimed(fake, critical, KNOB_CORE_SCHED), NOTHING);
	(void)fake_agent_free(fake);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_workload_of_each_level_claims_what_the_host_offers),
		cmocka_unit_test(test_critical_with_a_request_is_protected),
		cmocka_unit_test(test_levels_that_are_protected_are_policy),
		cmocka_unit_test(test_requests_that_are_too_much_are_scaled),
		cmocka_unit_test(test_oom_order_is_policy),
		cmocka_unit_test(test_offline_pods_die_whole_if_the_policy_says_so),
		cmocka_unit_test(test_level_change_unclaims_what_is_not_wanted),
		cmocka_unit_test(test_kubelet_slices_are_never_idle),
		cmocka_unit_test(test_pod_is_idle_and_its_containers_are_not),
		cmocka_unit_test(test_vendor_child_of_offline_parent_is_left_to_inherit),
		cmocka_unit_test(test_vendor_level_reaches_all_depths),
		cmocka_unit_test(test_vendor_switch_goes_after_the_last_level),
		cmocka_unit_test(test_configured_way_is_taken_or_said_to_be_missing),
		cmocka_unit_test(test_capabilities_that_appear_are_used),
		cmocka_unit_test(test_refused_claim_is_described_and_stops_nothing_else),
		cmocka_unit_test(test_smt_protection_is_for_critical_where_the_kernel_can),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
