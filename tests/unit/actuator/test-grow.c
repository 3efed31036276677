/* SPDX-License-Identifier: Apache-2.0 */
/* test-grow.c - quotas go up through the tree: ancestors grow by what is given below them. */
#include "berth-test.h"
#include "world.h"

#define POD    "kubepods/burstable/podc8eb2b1a-1a2b-4c3d-8e4f-5a6b7c8d9e0f"
#define ONE    POD "/0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define TWO    POD "/fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"
#define ONE_ID 101u
#define TWO_ID 102u
#define POD_ID 100u

static const char *const tree[] = { "kubepods", "kubepods/burstable", POD, ONE, TWO };

static const char *quota_file(const struct world *world)
{
	return world->version == 1 ? "cpu.cfs_quota_us" : "cpu.max";
}

/* "50000" in the form of the version. */
static const char *quota_text(const struct world *world, const char *usec)
{
	static char text[4][48];
	static unsigned int turn;
	char *line = text[turn++ % 4];

	if (world->version == 1)
		(void)snprintf(line, 48, "%s", strcmp(usec, "max") == 0 ? "-1" : usec);
	else
		(void)snprintf(line, 48, "%s 100000", usec);
	return line;
}

static void set_quota(const struct world *world, const char *group, const char *usec)
{
	world_set(world, group, quota_file(world), quota_text(world, usec));
}

static void check_quota(const struct world *world, const char *group, const char *usec, int line)
{
	const char *found = world_get(world, group, quota_file(world));

	if (strcmp(found, quota_text(world, usec)) != 0)
		fail_msg("line %d: %s of '%s' is \"%s\", not \"%s\"", line, quota_file(world),
			 group, found, quota_text(world, usec));
}

#define assert_quota(world, group, usec) check_quota(world, group, usec, __LINE__)

static uint64_t quota_number(const struct world *world, const char *group)
{
	const char *text = world_get(world, group, quota_file(world));

	return text[0] == '-' || text[0] == 'm' ? UINT64_MAX : strtoull(text, NULL, 10);
}

/* v1's kernel refuses a child with more than its parent, so at no instant may there be one. */
static void order_step(const char *step)
{
	if (strcmp(step, "knob-written") != 0 && strcmp(step, "knob-restored") != 0)
		return;
	for (size_t i = 3; i < ARRAY_SIZE(tree); i++)
		assert_true(quota_number(world_kernel, tree[i]) <= quota_number(world_kernel, POD));
}

static void tree_make(struct world *world)
{
	char path[PATH_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(tree); i++) {
		world_path(world, tree[i], "", path, sizeof(path));
		assert_int_equal(mkdir(path, 0755), 0);
		set_quota(world, tree[i], "max");
		if (world->version == 1)
			world_set(world, tree[i], "cpu.cfs_period_us", "100000");
	}
	set_quota(world, POD, "150000");
	set_quota(world, ONE, "50000");
	set_quota(world, TWO, "100000");
	world_kernel = world;
	actuator_failpoint = order_step;
}

static int claim(struct world *world, uint64_t id, uint64_t usec)
{
	const char *path = id == ONE_ID ? ONE : id == TWO_ID ? TWO : POD;

	return world_claim_at(world, "turbo", id, path, KNOB_CPU_QUOTA_USEC, usec, 0);
}

static void check_raise_and_return(int version)
{
	struct world world;

	world_open(&world, version);
	tree_make(&world);
	assert_ok(claim(&world, ONE_ID, 80000));
	assert_quota(&world, ONE, "80000");
	assert_quota(&world, POD, "180000");
	assert_ok(claim(&world, TWO_ID, 200000));
	assert_quota(&world, POD, "280000");
	assert_ok(claim(&world, ONE_ID, 60000));
	assert_quota(&world, ONE, "60000");
	assert_quota(&world, POD, "260000");
	/* What has no quota gets none. */
	assert_quota(&world, "kubepods/burstable", "max");
	assert_quota(&world, "kubepods", "max");
	world_unclaim(&world, "turbo", TWO_ID, KNOB_CPU_QUOTA_USEC);
	assert_quota(&world, TWO, "100000");
	assert_quota(&world, POD, "160000");
	world_unclaim(&world, "turbo", ONE_ID, KNOB_CPU_QUOTA_USEC);
	assert_quota(&world, ONE, "50000");
	assert_quota(&world, POD, "150000");
	assert_int_equal(world_stats(&world).holdings, 0);
	assert_int_equal(world_stats(&world).write_errors, 0);
	world_close(&world);
}

static void test_actuator_grow_raises_and_returns_v1(void **state)
{
	(void)state;
	check_raise_and_return(1);
}

static void test_actuator_grow_raises_and_returns_v2(void **state)
{
	(void)state;
	check_raise_and_return(2);
}

static void test_actuator_grow_never_lowers_an_ancestor(void **state)
{
	struct world world;

	(void)state;
	world_open(&world, 2);
	tree_make(&world);
	assert_ok(claim(&world, ONE_ID, 20000));
	assert_quota(&world, ONE, "20000");
	assert_quota(&world, POD, "150000");
	assert_ok(claim(&world, TWO_ID, 110000));
	assert_quota(&world, POD, "160000");
	actuator_drop_owner(world.actuator, "turbo");
	assert_quota(&world, POD, "150000");
	assert_quota(&world, ONE, "50000");
	assert_int_equal(world_stats(&world).holdings, 0);
	world_close(&world);
}

static void test_actuator_grow_ends_at_the_root_of_pods(void **state)
{
	struct world world;

	(void)state;
	world_open(&world, 2);
	tree_make(&world);
	set_quota(&world, "kubepods", "400000");
	set_quota(&world, "kubepods/burstable", "300000");
	assert_ok(claim(&world, ONE_ID, 80000));
	assert_quota(&world, POD, "180000");
	assert_quota(&world, "kubepods/burstable", "330000");
	assert_quota(&world, "kubepods", "400000");
	world_unclaim(&world, "turbo", ONE_ID, KNOB_CPU_QUOTA_USEC);
	assert_quota(&world, "kubepods/burstable", "300000");
	assert_int_equal(world_stats(&world).holdings, 0);
	world_close(&world);
}

static void test_actuator_grow_goes_by_periods(void **state)
{
	struct world world;

	(void)state;
	world_open(&world, 1);
	tree_make(&world);
	/* Half a CPU of each 10 ms; the pod goes by 100 ms. */
	world_set(&world, ONE, "cpu.cfs_period_us", "10000");
	set_quota(&world, ONE, "5000");
	assert_ok(claim(&world, ONE_ID, 70000));
	assert_quota(&world, ONE, "7000");
	assert_quota(&world, POD, "170000");
	world_unclaim(&world, "turbo", ONE_ID, KNOB_CPU_QUOTA_USEC);
	assert_quota(&world, ONE, "5000");
	assert_quota(&world, POD, "150000");
	world_close(&world);
}

/* Resized in place: what somebody writes is the new original, of the pod as of the container. */
static void test_actuator_grow_takes_what_others_write_for_the_original(void **state)
{
	struct world world;

	(void)state;
	world_open(&world, 2);
	tree_make(&world);
	assert_ok(claim(&world, ONE_ID, 80000));
	set_quota(&world, POD, "250000");
	set_quota(&world, ONE, "60000");
	actuator_reconcile(world.actuator);
	assert_quota(&world, ONE, "80000");
	assert_quota(&world, POD, "270000");
	world_unclaim(&world, "turbo", ONE_ID, KNOB_CPU_QUOTA_USEC);
	assert_quota(&world, ONE, "60000");
	assert_quota(&world, POD, "250000");
	world_close(&world);
}

static void test_actuator_grow_claimed_ancestor_stands(void **state)
{
	struct world world;

	(void)state;
	world_open(&world, 2);
	tree_make(&world);
	actuator_failpoint = NULL;
	assert_ok(claim(&world, POD_ID, 90000));
	assert_ok(claim(&world, ONE_ID, 80000));
	assert_quota(&world, POD, "90000");
	world_unclaim(&world, "turbo", POD_ID, KNOB_CPU_QUOTA_USEC);
	assert_quota(&world, POD, "180000");
	world_unclaim(&world, "turbo", ONE_ID, KNOB_CPU_QUOTA_USEC);
	assert_quota(&world, POD, "150000");
	world_close(&world);
}

static void check_restart(int version)
{
	struct world world;

	world_open(&world, version);
	tree_make(&world);
	assert_ok(claim(&world, ONE_ID, 80000));
	assert_ok(claim(&world, TWO_ID, 200000));
	/* Killed, and started again. */
	world_stop(&world);
	world_start(&world);
	assert_quota(&world, POD, "280000");
	assert_ok(claim(&world, TWO_ID, 200000));
	assert_int_equal(world_stats(&world).writes, 0);
	actuator_drop_owner(world.actuator, "previous run");
	assert_quota(&world, ONE, "50000");
	assert_quota(&world, POD, "250000");
	/* Stopped. */
	assert_int_equal(actuator_restore_all(world.actuator, false), 0);
	assert_quota(&world, TWO, "100000");
	assert_quota(&world, POD, "150000");
	world_close(&world);
}

/* A group in between has no quota, and so no record. */
static void test_actuator_grow_restart_goes_on_over_a_gap(void **state)
{
	struct world world;

	(void)state;
	world_open(&world, 2);
	tree_make(&world);
	set_quota(&world, POD, "max");
	set_quota(&world, "kubepods/burstable", "300000");
	assert_ok(claim(&world, ONE_ID, 80000));
	assert_quota(&world, POD, "max");
	assert_quota(&world, "kubepods/burstable", "330000");
	world_stop(&world);
	world_start(&world);
	assert_quota(&world, "kubepods/burstable", "330000");
	assert_quota(&world, ONE, "80000");
	actuator_drop_owner(world.actuator, "previous run");
	assert_quota(&world, "kubepods/burstable", "300000");
	assert_quota(&world, ONE, "50000");
	world_close(&world);
}

static void test_actuator_grow_restart_goes_on(void **state)
{
	(void)state;
	check_restart(1);
	check_restart(2);
}

static void test_actuator_grow_restore_puts_all_back(void **state)
{
	struct world world;

	(void)state;
	for (int version = 1; version <= 2; version++) {
		world_open(&world, version);
		tree_make(&world);
		assert_ok(claim(&world, ONE_ID, 80000));
		/* One up, one down. */
		assert_ok(claim(&world, TWO_ID, 40000));
		world_stop(&world);
		assert_int_equal(actuator_restore_journal(&world.root, &world.hierarchy,
							  world.runtime_fd, NULL, NULL),
				 0);
		assert_quota(&world, ONE, "50000");
		assert_quota(&world, TWO, "100000");
		assert_quota(&world, POD, "150000");
		world_close(&world);
	}
}

static void test_actuator_grow_pause_and_resume(void **state)
{
	struct world world;

	(void)state;
	world_open(&world, 1);
	tree_make(&world);
	assert_ok(claim(&world, ONE_ID, 80000));
	assert_ok(claim(&world, TWO_ID, 200000));
	assert_int_equal(actuator_restore_all(world.actuator, true), 0);
	assert_quota(&world, TWO, "100000");
	assert_quota(&world, POD, "150000");
	actuator_resume(world.actuator);
	assert_quota(&world, TWO, "200000");
	assert_quota(&world, ONE, "80000");
	assert_quota(&world, POD, "280000");
	world_close(&world);
}

static void test_actuator_grow_group_that_goes_gives_back(void **state)
{
	struct world world;

	(void)state;
	world_open(&world, 2);
	tree_make(&world);
	assert_ok(claim(&world, ONE_ID, 80000));
	assert_ok(claim(&world, TWO_ID, 200000));
	actuator_failpoint = NULL; /* its file stays here, and is no child any more */
	actuator_target_gone(world.actuator, world_target(TWO_ID));
	assert_quota(&world, POD, "180000");
	world_close(&world);
}

static void test_actuator_knob_value_tells_both(void **state)
{
	struct actuator_target target = { .target = world_target(ONE_ID), .label = "" };
	uint64_t original = 0, now = 0;
	struct cgroup *group = NULL;
	struct world world;

	(void)state;
	world_open(&world, 1);
	tree_make(&world);
	assert_ok(cgroup_new(&world.hierarchy, ONE, &group));
	target.group = group;
	world_set(&world, ONE, "cpu.cfs_period_us", "50000");
	set_quota(&world, ONE, "25000");
	assert_ok(
		actuator_knob_value(world.actuator, &target, KNOB_CPU_QUOTA_USEC, &original, &now));
	assert_int_equal(original, 50000);
	assert_int_equal(now, 50000);
	assert_ok(claim(&world, ONE_ID, 80000));
	assert_ok(
		actuator_knob_value(world.actuator, &target, KNOB_CPU_QUOTA_USEC, &original, &now));
	assert_int_equal(original, 50000);
	assert_int_equal(now, 80000);
	assert_errno(
		actuator_knob_value(world.actuator, &target, KNOB_OOM_SCORE_ADJ, &original, &now),
		EINVAL);
	(void)cgroup_free(group);
	world_close(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_actuator_grow_raises_and_returns_v1),
		cmocka_unit_test(test_actuator_grow_raises_and_returns_v2),
		cmocka_unit_test(test_actuator_grow_never_lowers_an_ancestor),
		cmocka_unit_test(test_actuator_grow_ends_at_the_root_of_pods),
		cmocka_unit_test(test_actuator_grow_goes_by_periods),
		cmocka_unit_test(test_actuator_grow_takes_what_others_write_for_the_original),
		cmocka_unit_test(test_actuator_grow_claimed_ancestor_stands),
		cmocka_unit_test(test_actuator_grow_restart_goes_on),
		cmocka_unit_test(test_actuator_grow_restart_goes_on_over_a_gap),
		cmocka_unit_test(test_actuator_grow_restore_puts_all_back),
		cmocka_unit_test(test_actuator_grow_pause_and_resume),
		cmocka_unit_test(test_actuator_grow_group_that_goes_gives_back),
		cmocka_unit_test(test_actuator_knob_value_tells_both),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
