/* SPDX-License-Identifier: Apache-2.0 */
#include "berth-test.h"
#include "world.h"

struct merge_case {
	enum knob knob;
	const char *file;
	uint64_t first, second;
	const char *only_first, *both, *only_second;
};

static void test_actuator_claim_two_owners_are_merged(void **state)
{
	static const struct merge_case cases[] = {
		/* max */
		{ KNOB_CPU_IDLE, "cpu.idle", 0, 1, "0", "1", "1" },
		{ KNOB_MEMORY_LOW_BYTES, "memory.low", 8192, 4096, "8192", "8192", "4096" },
		/* min */
		{ KNOB_CPU_QUOTA_USEC, "cpu.max", 50000, 20000, "50000 100000", "20000 100000",
		  "20000 100000" },
		{ KNOB_CPU_QUOTA_USEC, "cpu.max", 50000, UINT64_MAX, "50000 100000", "50000 100000",
		  "max 100000" },
		/* the first */
		{ KNOB_CPU_WEIGHT, "cpu.weight", 30, 10, "30", "30", "10" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct merge_case *c = &cases[i];
		struct world world;
		char original[128];

		world_open(&world, 2);
		(void)snprintf(original, sizeof(original), "%s",
			       world_get(&world, "pods/a", c->file));
		assert_ok(world_claim(&world, "one", WORLD_A, c->knob, c->first, 0));
		assert_knob(&world, "pods/a", c->file, c->only_first);
		assert_ok(world_claim(&world, "two", WORLD_A, c->knob, c->second, 0));
		assert_knob(&world, "pods/a", c->file, c->both);
		assert_int_equal(world_stats(&world).claims, 2);
		actuator_drop_owner(world.actuator, "one");
		assert_knob(&world, "pods/a", c->file, c->only_second);
		actuator_drop_owner(world.actuator, "two");
		assert_knob(&world, "pods/a", c->file, original);
		assert_int_equal(world_stats(&world).claims, 0);
		world_close(&world);
	}
}

static void set_quota(struct world *world, const char *quota, const char *period)
{
	char text[64];

	if (world->hierarchy.mounts[CONTROLLER_CPU].version == 1) {
		world_set(world, "pods/a", "cpu.cfs_quota_us", quota);
		world_set(world, "pods/a", "cpu.cfs_period_us", period);
		return;
	}
	(void)snprintf(text, sizeof(text), "%s %s", quota, period);
	world_set(world, "pods/a", "cpu.max", text);
}

static void assert_quota(struct world *world, const char *quota, const char *period)
{
	char text[64];

	if (world->hierarchy.mounts[CONTROLLER_CPU].version == 1) {
		assert_knob(world, "pods/a", "cpu.cfs_quota_us", quota);
		assert_knob(world, "pods/a", "cpu.cfs_period_us", period);
		return;
	}
	(void)snprintf(text, sizeof(text), "%s %s", quota, period);
	assert_knob(world, "pods/a", "cpu.max", text);
}

/* A group that had no quota gets one of a long period, and its own period back; one that had keeps
 * it. What systemd writes of the same quota in a period of its own is the same. */
static void test_actuator_claim_a_quota_of_a_long_period(void **state)
{
	(void)state;
	for (int version = 1; version <= 2; version++) {
		const char *none = version == 1 ? "-1" : "max";
		struct world world;

		world_open(&world, version);
		world.options.quota_period_usec = USEC_PER_SEC;
		assert_ok(actuator_set_options(world.actuator, &world.options));
		assert_ok(world_claim(&world, "one", WORLD_A, KNOB_CPU_QUOTA_USEC, 50000, 0));
		assert_quota(&world, "500000", "1000000");
		assert_ok(world_claim(&world, "one", WORLD_A, KNOB_CPU_QUOTA_USEC, 20000, 0));
		assert_quota(&world, "200000", "1000000");
		set_quota(&world, "20000", "100000");
		actuator_reconcile(world.actuator);
		assert_int_equal(world_stats(&world).foreign_writes, 0);
		assert_ok(world_claim(&world, "one", WORLD_A, KNOB_CPU_QUOTA_USEC, 30000, 0));
		assert_quota(&world, "30000", "100000");
		actuator_drop_owner(world.actuator, "one");
		assert_quota(&world, none, "100000");
		set_quota(&world, "20000", "50000");
		assert_ok(world_claim(&world, "one", WORLD_A, KNOB_CPU_QUOTA_USEC, 10000, 0));
		assert_quota(&world, "5000", "50000");
		actuator_drop_owner(world.actuator, "one");
		assert_quota(&world, "20000", "50000");
		world_close(&world);
	}
}

static uint64_t original_of(struct world *world, uint64_t id, const char *path, enum knob knob)
{
	struct actuator_target target = { .target = { TARGET_WORKLOAD, id } };
	struct cgroup *group = NULL;
	uint64_t number = 0;

	assert_ok(cgroup_new(&world->hierarchy, path, &group));
	target.group = group;
	assert_ok(actuator_knob_value(world->actuator, &target, knob, &number, NULL));
	(void)cgroup_free(group);
	return number;
}

/* Before, under and after claims, and when somebody else writes. */
static void test_actuator_original_is_what_claims_hide(void **state)
{
	(void)state;
	for (int version = 1; version <= 2; version++) {
		const char *file = version == 2 ? "cpu.max" : "cpu.cfs_quota_us";
		struct world world;

		world_open(&world, version);
		assert_true(original_of(&world, WORLD_A, "pods/a", KNOB_CPU_QUOTA_USEC) ==
			    UINT64_MAX);
		if (version == 1)
			world_set(&world, "pods/a", "cpu.cfs_period_us", "50000");
		world_set(&world, "pods/a", file, version == 2 ? "20000 50000" : "20000");
		assert_int_equal(original_of(&world, WORLD_A, "pods/a", KNOB_CPU_QUOTA_USEC),
				 40000);
		assert_ok(world_claim(&world, "one", WORLD_A, KNOB_CPU_QUOTA_USEC, 10000, 0));
		assert_knob(&world, "pods/a", file, version == 2 ? "5000 50000" : "5000");
		assert_int_equal(original_of(&world, WORLD_A, "pods/a", KNOB_CPU_QUOTA_USEC),
				 40000);
		actuator_drop_owner(world.actuator, "one");
		assert_int_equal(original_of(&world, WORLD_A, "pods/a", KNOB_CPU_QUOTA_USEC),
				 40000);
		world_close(&world);
	}
}

static void test_actuator_original_refuses_what_has_none(void **state)
{
	struct actuator_target host = { .target = { TARGET_HOST, 0 } };
	struct actuator_target target = { .target = { TARGET_WORKLOAD, WORLD_A } };
	struct cgroup *group = NULL;
	struct world world;
	uint64_t number;

	(void)state;
	world_open(&world, 2);
	assert_ok(cgroup_new(&world.hierarchy, "pods/a", &group));
	target.group = group;
	assert_errno(
		actuator_knob_value(world.actuator, &host, KNOB_MEMCG_QOS_ENABLE, &number, NULL),
		EINVAL);
	assert_errno(
		actuator_knob_value(world.actuator, &target, KNOB_OOM_SCORE_ADJ, &number, NULL),
		EINVAL);
	assert_errno(actuator_knob_value(world.actuator, &target, KNOB_IO_READ_BPS, &number, NULL),
		     EINVAL);
	assert_errno(
		actuator_knob_value(world.actuator, &target, KNOB_CPU_QOS_LEVEL, &number, NULL),
		EOPNOTSUPP);
	(void)cgroup_free(group);
	world_close(&world);
}

static void find_conflict(void *data, const struct history_view *view)
{
	unsigned int *count = data;

	if (strstr(view->what, "conflict"))
		(*count)++;
}

static void test_actuator_claim_exclusive_conflict_is_shown(void **state)
{
	unsigned int conflicts = 0;
	struct world world;

	(void)state;
	world_open(&world, 2);
	assert_ok(world_claim(&world, "one", WORLD_A, KNOB_CPU_WEIGHT, 30, 0));
	assert_ok(world_claim(&world, "two", WORLD_A, KNOB_CPU_WEIGHT, 10, 0));
	actuator_each_history(world.actuator, find_conflict, &conflicts);
	assert_int_equal(conflicts, 1);
	world_close(&world);
}

static void test_actuator_claim_lease_over_restores(void **state)
{
	struct world world;

	(void)state;
	world_open(&world, 2);
	assert_ok(world_claim(&world, "one", WORLD_A, KNOB_CPU_WEIGHT, 20, 50 * USEC_PER_MSEC));
	assert_ok(world_claim(&world, "one", WORLD_B, KNOB_CPU_WEIGHT, 20, 0));
	assert_knob(&world, "pods/a", "cpu.weight", "20");
	world_run(&world, 300 * USEC_PER_MSEC);
	assert_knob(&world, "pods/a", "cpu.weight", "250");
	assert_knob(&world, "pods/b", "cpu.weight", "20");
	assert_int_equal(world_stats(&world).claims, 1);
	world_close(&world);
}

static void test_actuator_claim_long_reason_is_cut_at_a_character(void **state)
{
	char reason[512];
	struct cgroup *group = NULL;
	struct knob_value value = { .number = 20 };
	struct world world;

	(void)state;
	world_open(&world, 2);
	for (size_t i = 0; i + 1 < sizeof(reason); i += 2)
		memcpy(reason + i, "\xc3\xbc", 2);
	reason[sizeof(reason) - 2] = '\0';
	assert_ok(cgroup_new(&world.hierarchy, "pods/a", &group));

	struct actuator_target target = { .target = world_target(WORLD_A), .group = group };

	assert_ok(
		actuator_claim(world.actuator, "one", &target, KNOB_CPU_WEIGHT, &value, 0, reason));
	assert_ok(actuator_claim(world.actuator, "two", &target, KNOB_CPU_WEIGHT, &value, 0, NULL));
	(void)cgroup_free(group);
	world_close(&world);
}

/* cpu.idle makes the weight unreachable and resets it; it comes back as claimed or as it was. */
static void test_actuator_lock_keeps_the_weight(void **state)
{
	for (int version = 1; version <= 2; version++) {
		const char *file = version == 1 ? "cpu.shares" : "cpu.weight";
		const char *original = version == 1 ? "2048" : "250";
		struct world world;

		(void)state;
		world_open(&world, version);
		world_look_at_idle(&world);
		assert_ok(world_claim(&world, "one", WORLD_A, KNOB_CPU_IDLE, 1, 0));
		assert_knob(&world, "pods/a", "cpu.idle", "1");
		assert_int_equal(world_see(&world, WORLD_A, KNOB_CPU_WEIGHT).status, KNOB_SHADOWED);
		assert_string_equal(world_see(&world, WORLD_A, KNOB_CPU_WEIGHT).original, original);
		world_unclaim(&world, "one", WORLD_A, KNOB_CPU_IDLE);
		assert_knob(&world, "pods/a", "cpu.idle", "0");
		assert_knob(&world, "pods/a", file, original);
		assert_int_equal(world_stats(&world).holdings, 0);
		world_close(&world);
	}
}

static void test_actuator_lock_weight_claimed_meanwhile_is_written_after(void **state)
{
	struct world world;

	(void)state;
	world_open(&world, 2);
	world_look_at_idle(&world);
	assert_ok(world_claim(&world, "one", WORLD_A, KNOB_CPU_WEIGHT, 50, 0));
	assert_ok(world_claim(&world, "one", WORLD_A, KNOB_CPU_IDLE, 1, 0));
	assert_ok(world_claim(&world, "one", WORLD_A, KNOB_CPU_WEIGHT, 60, 0));
	assert_int_equal(world_see(&world, WORLD_A, KNOB_CPU_WEIGHT).status, KNOB_SHADOWED);
	assert_int_equal(world_stats(&world).write_errors, 0);
	assert_ok(world_claim(&world, "one", WORLD_A, KNOB_CPU_IDLE, 0, 0));
	assert_knob(&world, "pods/a", "cpu.weight", "60");
	assert_int_equal(world_see(&world, WORLD_A, KNOB_CPU_WEIGHT).status, KNOB_WRITTEN);
	assert_ok(world_claim(&world, "one", WORLD_A, KNOB_CPU_IDLE, 1, 0));
	actuator_drop_owner(world.actuator, "one");
	assert_knob(&world, "pods/a", "cpu.weight", "250");
	assert_knob(&world, "pods/a", "cpu.idle", "0");
	assert_int_equal(world_stats(&world).holdings, 0);
	assert_int_equal(world_stats(&world).foreign_writes, 0);
	world_close(&world);
}

static void test_actuator_sum_raises_ancestors(void **state)
{
	struct world world;

	(void)state;
	world_open(&world, 2);
	assert_ok(world_claim(&world, "one", WORLD_A, KNOB_MEMORY_MIN_BYTES, 8192, 0));
	assert_ok(world_claim(&world, "one", WORLD_B, KNOB_MEMORY_MIN_BYTES, 4096, 0));
	assert_knob(&world, "pods", "memory.min", "12288");
	/* A container with more than its pod asks for itself. */
	assert_ok(world_claim(&world, "one", WORLD_C, KNOB_MEMORY_MIN_BYTES, 16384, 0));
	assert_knob(&world, "pods/a", "memory.min", "16384");
	assert_knob(&world, "pods", "memory.min", "20480");
	assert_ok(world_claim(&world, "one", WORLD_C, KNOB_MEMORY_MIN_BYTES, UINT64_MAX, 0));
	assert_knob(&world, "pods/a/c", "memory.min", "max");
	assert_knob(&world, "pods", "memory.min", "max");
	actuator_target_gone(world.actuator, world_target(WORLD_C));
	assert_knob(&world, "pods", "memory.min", "12288");
	assert_knob(&world, "pods/a", "memory.min", "8192");
	actuator_drop_owner(world.actuator, "one");
	assert_knob(&world, "pods", "memory.min", "0");
	assert_knob(&world, "pods/a", "memory.min", "0");
	assert_knob(&world, "pods/b", "memory.min", "0");
	assert_int_equal(world_stats(&world).holdings, 0);
	world_close(&world);
}

static void test_actuator_sum_never_lowers_an_ancestor(void **state)
{
	struct world world;

	(void)state;
	world_open(&world, 2);
	world_set(&world, "pods", "memory.low", "1048576");
	assert_ok(world_claim(&world, "one", WORLD_A, KNOB_MEMORY_LOW_BYTES, 8192, 0));
	assert_knob(&world, "pods", "memory.low", "1048576");
	assert_ok(world_claim(&world, "one", WORLD_A, KNOB_MEMORY_LOW_BYTES, 2097152, 0));
	assert_knob(&world, "pods", "memory.low", "2097152");
	world_unclaim(&world, "one", WORLD_A, KNOB_MEMORY_LOW_BYTES);
	assert_knob(&world, "pods", "memory.low", "1048576");
	world_close(&world);
}

/* openEuler's kernel hands a parent's level down. */
static void propagate_step(const char *step)
{
	char level[128];

	if (strcmp(step, "knob-written") != 0)
		return;
	(void)snprintf(level, sizeof(level), "%s",
		       world_get(world_kernel, "pods/a", "cpu.qos_level"));
	if (world_was_idle[0] == (strcmp(level, "-1") == 0))
		return;
	world_was_idle[0] = !world_was_idle[0];
	world_set(world_kernel, "pods/a/c", "cpu.qos_level", level);
}

static void test_actuator_top_down_child_is_restored_to_its_own(void **state)
{
	struct world world;

	(void)state;
	world_open(&world, 1);
	world_kernel = &world;
	world_was_idle[0] = false;
	actuator_failpoint = propagate_step;
	assert_ok(world_claim(&world, "one", WORLD_A, KNOB_CPU_QOS_LEVEL, (uint64_t)-1, 0));
	assert_knob(&world, "pods/a/c", "cpu.qos_level", "-1");
	assert_ok(world_claim(&world, "one", WORLD_C, KNOB_CPU_QOS_LEVEL, (uint64_t)-1, 0));
	assert_string_equal(world_see(&world, WORLD_C, KNOB_CPU_QOS_LEVEL).original, "0");
	actuator_drop_owner(world.actuator, "one");
	assert_knob(&world, "pods/a", "cpu.qos_level", "0");
	assert_knob(&world, "pods/a/c", "cpu.qos_level", "0");
	assert_int_equal(world_stats(&world).holdings, 0);
	assert_int_equal(world_stats(&world).foreign_writes, 0);
	world_close(&world);
}

static void test_actuator_target_gone_writes_nothing(void **state)
{
	struct world world;

	(void)state;
	world_open(&world, 2);
	assert_ok(world_claim(&world, "one", WORLD_A, KNOB_CPU_WEIGHT, 20, 0));
	actuator_target_gone(world.actuator, world_target(WORLD_A));
	assert_knob(&world, "pods/a", "cpu.weight", "20");
	assert_int_equal(world_stats(&world).holdings, 0);
	assert_int_equal(world_stats(&world).claims, 0);
	assert_int_equal(world_stats(&world).watches, 0);
	assert_int_equal(world_stats(&world).journal_bytes, 0);
	world_close(&world);
}

/* Whoever asks: the kubelet does not start when it cannot write the weights of its own groups. */
static void test_actuator_claim_idle_of_the_kubelets_groups_is_refused(void **state)
{
	static const char *const paths[] = { "pods/kubepods.slice",
					     "pods/kubepods.slice/kubepods-besteffort.slice" };
	struct actuator_stats stats;
	struct world world;

	(void)state;
	world_open(&world, 2);
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		char path[PATH_MAX];

		world_path(&world, paths[i], "", path, sizeof(path));
		assert_int_equal(mkdir(path, 0755), 0);
		world_set(&world, paths[i], "cpu.idle", "0");
		world_set(&world, paths[i], "cpu.weight", "100");
		assert_errno(world_claim_at(&world, "one", 30 + i, paths[i], KNOB_CPU_IDLE, 1, 0),
			     EPERM);
		assert_knob(&world, paths[i], "cpu.idle", "0");
		/* What they can write over is theirs to claim. */
		assert_ok(world_claim_at(&world, "one", 30 + i, paths[i], KNOB_CPU_WEIGHT, 2, 0));
		assert_knob(&world, paths[i], "cpu.weight", "2");
	}
	stats = world_stats(&world);
	assert_int_equal(stats.claims, ARRAY_SIZE(paths));
	world_close(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_actuator_claim_two_owners_are_merged),
		cmocka_unit_test(test_actuator_claim_a_quota_of_a_long_period),
		cmocka_unit_test(test_actuator_original_is_what_claims_hide),
		cmocka_unit_test(test_actuator_original_refuses_what_has_none),
		cmocka_unit_test(test_actuator_claim_exclusive_conflict_is_shown),
		cmocka_unit_test(test_actuator_claim_lease_over_restores),
		cmocka_unit_test(test_actuator_claim_long_reason_is_cut_at_a_character),
		cmocka_unit_test(test_actuator_lock_keeps_the_weight),
		cmocka_unit_test(test_actuator_lock_weight_claimed_meanwhile_is_written_after),
		cmocka_unit_test(test_actuator_sum_raises_ancestors),
		cmocka_unit_test(test_actuator_sum_never_lowers_an_ancestor),
		cmocka_unit_test(test_actuator_top_down_child_is_restored_to_its_own),
		cmocka_unit_test(test_actuator_target_gone_writes_nothing),
		cmocka_unit_test(test_actuator_claim_idle_of_the_kubelets_groups_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
