/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of CPUs where groups are not held to each other, and the sysctls that go with them. */
#include "berth-test.h"
#include "world.h"

static void cpus_make(struct world *world)
{
	for (size_t i = 0; i < ARRAY_SIZE(world_groups); i++)
		world_set(world, world_groups[i], "cpuset.cpus", "");
}

static int claim(struct world *world, const char *owner, const char *cpus)
{
	struct cgroup *group = NULL;
	int r = cgroup_new(&world->hierarchy, "pods/a", &group);
	struct actuator_target target = { .target = world_target(WORLD_A),
					  .group = group,
					  .label = "test/pod" };
	const struct knob_value value = { .text = cpus };

	if (r == 0)
		r = actuator_claim(world->actuator, owner, &target, KNOB_CPUSET_CPUS, &value, 0,
				   "a reason");
	(void)cgroup_free(group);
	return r;
}

static void test_cpuset_v2_inherited_list_comes_back_empty(void **state)
{
	struct world world;

	(void)state;
	world_open(&world, 2);
	cpus_make(&world);
	assert_ok(claim(&world, "one", "1,0,2-3"));
	assert_knob(&world, "pods/a", "cpuset.cpus", "0-3");
	/* Nobody below is touched: the kernel has it follow. */
	assert_knob(&world, "pods/a/c", "cpuset.cpus", "");
	assert_ok(claim(&world, "one", "0-3"));
	assert_int_equal(world_stats(&world).writes, 1);
	assert_ok(claim(&world, "one", "2"));
	assert_knob(&world, "pods/a", "cpuset.cpus", "2");
	world_unclaim(&world, "one", WORLD_A, KNOB_CPUSET_CPUS);
	assert_knob(&world, "pods/a", "cpuset.cpus", "");
	/* And after a kill. */
	assert_ok(claim(&world, "one", "2"));
	world_stop(&world);
	assert_int_equal(actuator_restore_journal(&world.root, &world.hierarchy, world.runtime_fd,
						  NULL, NULL),
			 0);
	assert_knob(&world, "pods/a", "cpuset.cpus", "");
	world_start(&world);
	world_close(&world);
}

static void test_cpuset_v2_claims_intersect_within_the_original(void **state)
{
	struct world world;

	(void)state;
	world_open(&world, 2);
	cpus_make(&world);
	world_set(&world, "pods/a", "cpuset.cpus", "0-5");
	assert_ok(claim(&world, "one", "2-7"));
	assert_knob(&world, "pods/a", "cpuset.cpus", "2-5");
	assert_ok(claim(&world, "two", "0-3"));
	assert_knob(&world, "pods/a", "cpuset.cpus", "2-3");
	assert_ok(claim(&world, "three", "7"));
	assert_knob(&world, "pods/a", "cpuset.cpus", "2-3");
	actuator_drop_owner(world.actuator, "one");
	assert_knob(&world, "pods/a", "cpuset.cpus", "0-3");
	actuator_drop_owner(world.actuator, "two");
	/* Of what three asks for the group never had any. */
	assert_knob(&world, "pods/a", "cpuset.cpus", "0-5");
	actuator_drop_owner(world.actuator, "three");
	assert_knob(&world, "pods/a", "cpuset.cpus", "0-5");
	assert_int_equal(world_stats(&world).holdings, 0);
	world_close(&world);
}

static void find_conflict(void *data, const struct history_view *view)
{
	*(unsigned int *)data += strstr(view->what, "conflict") != NULL;
}

static void test_cpuset_v2_claim_that_leaves_nothing_is_told(void **state)
{
	unsigned int conflicts = 0;
	struct world world;

	(void)state;
	world_open(&world, 2);
	cpus_make(&world);
	assert_ok(claim(&world, "one", "0-1"));
	assert_ok(claim(&world, "two", "1-2"));
	actuator_each_history(world.actuator, find_conflict, &conflicts);
	assert_int_equal(conflicts, 0);
	assert_ok(claim(&world, "three", "5"));
	actuator_each_history(world.actuator, find_conflict, &conflicts);
	assert_int_equal(conflicts, 1);
	world_close(&world);
}

static void sysctl_set(const struct world *world, const char *name, const char *text)
{
	char path[PATH_MAX];
	FILE *stream;

	(void)snprintf(path, sizeof(path), "%s/proc/sys/kernel/%s", world->dir, name);
	stream = fopen(path, "we");
	assert_non_null(stream);
	(void)fputs(text, stream);
	assert_int_equal(fclose(stream), 0);
}

static void assert_sysctl(const struct world *world, const char *name, const char *text)
{
	char path[PATH_MAX], now[128] = "";
	FILE *stream;

	(void)snprintf(path, sizeof(path), "%s/proc/sys/kernel/%s", world->dir, name);
	stream = fopen(path, "re");
	assert_non_null(stream);
	assert_non_null(fgets(now, sizeof(now), stream));
	assert_int_equal(fclose(stream), 0);
	now[strcspn(now, "\n")] = '\0';
	assert_string_equal(now, text);
}

static int claim_host(struct world *world, enum knob knob, uint64_t number, const char *text)
{
	const struct actuator_target target = { .target = { .kind = TARGET_HOST } };
	const struct knob_value value = { .number = number, .text = text };

	return actuator_claim(world->actuator, "one", &target, knob, &value, 0, "a reason");
}

static void test_sysctl_is_claimed_and_put_back(void **state)
{
	struct world world;

	(void)state;
	world_open(&world, 2);
	world_make(world.dir, "proc/sys/kernel");
	sysctl_set(&world, "qos_overload_detect_period_ms", "5000\n");
	sysctl_set(&world, "qos_level_weights", "1\t10\t100\t1000\t10000\n");
	assert_ok(claim_host(&world, KNOB_QOS_OVERLOAD_MSEC, 100, NULL));
	assert_errno(claim_host(&world, KNOB_QOS_OVERLOAD_MSEC, 99, NULL), ERANGE);
	assert_errno(claim_host(&world, KNOB_QOS_WAIT_MSEC, 1001, NULL), ERANGE);
	assert_sysctl(&world, "qos_overload_detect_period_ms", "100");
	/* The same with blanks is the same. */
	assert_ok(claim_host(&world, KNOB_QOS_LEVEL_WEIGHTS, 0, "1 10 100 1000 10000"));
	assert_int_equal(world_stats(&world).writes, 1);
	assert_ok(claim_host(&world, KNOB_QOS_LEVEL_WEIGHTS, 0, "1 5 100 200 400"));
	assert_sysctl(&world, "qos_level_weights", "1 5 100 200 400");
	actuator_drop_owner(world.actuator, "one");
	assert_sysctl(&world, "qos_overload_detect_period_ms", "5000");
	assert_sysctl(&world, "qos_level_weights", "1\t10\t100\t1000\t10000");
	world_close(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cpuset_v2_inherited_list_comes_back_empty),
		cmocka_unit_test(test_cpuset_v2_claims_intersect_within_the_original),
		cmocka_unit_test(test_cpuset_v2_claim_that_leaves_nothing_is_told),
		cmocka_unit_test(test_sysctl_is_claimed_and_put_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
