/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>
#include <sys/resource.h>

#include "berth-test.h"
#include "world.h"

static void test_actuator_claim_unclaim_restores(void **state)
{
	struct world world;

	(void)state;
	world_open(&world, 2);
	assert_ok(world_claim(&world, "one", WORLD_A, KNOB_CPU_WEIGHT, 20, 0));
	assert_knob(&world, "pods/a", "cpu.weight", "20");
	assert_knob(&world, "pods/b", "cpu.weight", "250");
	assert_int_equal(world_see(&world, WORLD_A, KNOB_CPU_WEIGHT).status, KNOB_WRITTEN);
	assert_string_equal(world_see(&world, WORLD_A, KNOB_CPU_WEIGHT).original, "250");
	assert_true(world_stats(&world).journal_bytes > 0);
	world_unclaim(&world, "one", WORLD_A, KNOB_CPU_WEIGHT);
	assert_knob(&world, "pods/a", "cpu.weight", "250");
	assert_int_equal(world_stats(&world).holdings, 0);
	assert_int_equal(world_stats(&world).claims, 0);
	assert_int_equal(world_stats(&world).restores, 1);
	assert_int_equal(world_stats(&world).journal_bytes, 0);
	world_close(&world);
}

static void test_actuator_claim_again_writes_nothing(void **state)
{
	struct world world;

	(void)state;
	world_open(&world, 1);
	assert_ok(world_claim(&world, "one", WORLD_A, KNOB_CPU_WEIGHT, 20, 0));
	assert_knob(&world, "pods/a", "cpu.shares", "205");

	uint64_t bytes = world_stats(&world).journal_bytes;

	for (int i = 0; i < 10; i++)
		assert_ok(world_claim(&world, "one", WORLD_A, KNOB_CPU_WEIGHT, 20, USEC_PER_SEC));
	assert_int_equal(world_stats(&world).writes, 1);
	assert_int_equal(world_stats(&world).claims, 1);
	assert_int_equal(world_stats(&world).journal_bytes, bytes);
	world_close(&world);
}

static void test_actuator_claim_of_what_is_there_is_held_unwritten(void **state)
{
	struct world world;

	(void)state;
	world_open(&world, 2);
	assert_ok(world_claim(&world, "one", WORLD_A, KNOB_CPU_WEIGHT, 250, 0));
	assert_int_equal(world_stats(&world).writes, 0);
	assert_int_equal(world_see(&world, WORLD_A, KNOB_CPU_WEIGHT).status, KNOB_WRITTEN);
	assert_true(world_stats(&world).journal_bytes > 0);
	world_unclaim(&world, "one", WORLD_A, KNOB_CPU_WEIGHT);
	assert_int_equal(world_stats(&world).restores, 0);
	assert_knob(&world, "pods/a", "cpu.weight", "250");
	world_close(&world);
}

static void test_actuator_claim_bad_argument_fails(void **state)
{
	const struct knob_value value = { .number = 1 };
	struct actuator_target target = { .target = { .kind = TARGET_HOST } };
	struct world world;

	(void)state;
	world_open(&world, 2);
	assert_errno(world_claim(&world, "one", WORLD_A, KNOB_CPU_WEIGHT, 10001, 0), ERANGE);
	assert_errno(world_claim(&world, "one", WORLD_A, KNOB_CPU_WEIGHT, 0, 0), ERANGE);
	assert_errno(world_claim(&world, "one", WORLD_A, KNOB_OOM_SCORE_ADJ, (uint64_t)-1001, 0),
		     ERANGE);
	/* v2 has no such file. */
	assert_errno(world_claim(&world, "one", WORLD_A, KNOB_CPU_QOS_LEVEL, 0, 0), EOPNOTSUPP);
	assert_errno(actuator_claim(world.actuator, "one", &target, KNOB_CPU_IDLE, &value, 0, ""),
		     EINVAL);
	target.target = world_target(1);
	assert_errno(actuator_claim(world.actuator, "one", &target, KNOB_CPU_IDLE, &value, 0, ""),
		     EINVAL);
	target.target.kind = TARGET_CPU;
	assert_errno(actuator_claim(world.actuator, "one", &target, KNOB_CPU_IDLE, &value, 0, ""),
		     EOPNOTSUPP);
	assert_int_equal(world_stats(&world).holdings, 0);
	/* Nothing to do, nothing to fall over. */
	world_unclaim(&world, "two", 99, KNOB_CPU_IDLE);
	actuator_target_gone(world.actuator, world_target(99));
	actuator_drop_owner(world.actuator, "nobody");
	world_close(&world);
}

static void test_actuator_host_knob_is_restored(void **state)
{
	const struct knob_value value = { .number = 1 };
	struct actuator_target target = { .target = { .kind = TARGET_HOST } };
	struct world world;
	char path[PATH_MAX];
	char text[8] = "";

	(void)state;
	world_open(&world, 1);
	(void)snprintf(path, sizeof(path), "%s/proc/sys/vm/memcg_qos_enable", world.dir);

	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);

	assert_int_equal(pwrite(fd, "0\n", 2, 0), 2);
	assert_ok(actuator_claim(world.actuator, "one", &target, KNOB_MEMCG_QOS_ENABLE, &value, 0,
				 ""));
	assert_int_equal(pread(fd, text, sizeof(text), 0), 2);
	assert_string_equal(text, "1\n");
	actuator_unclaim(world.actuator, "one", target.target, KNOB_MEMCG_QOS_ENABLE);
	assert_int_equal(pread(fd, text, sizeof(text), 0), 2);
	assert_string_equal(text, "0\n");
	(void)close(fd);
	world_close(&world);
}

/* A write that the file system cuts off is a record that is not there. */
static void test_actuator_journal_full_knob_is_not_written(void **state)
{
	struct rlimit before, limit = { .rlim_cur = 40, .rlim_max = RLIM_INFINITY };
	struct world world;

	(void)state;
	world_open(&world, 2);
	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	limit.rlim_max = before.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	assert_ok(world_claim(&world, "one", WORLD_A, KNOB_CPU_WEIGHT, 20, 0));
	assert_knob(&world, "pods/a", "cpu.weight", "250");
	assert_int_equal(world_see(&world, WORLD_A, KNOB_CPU_WEIGHT).status, KNOB_FAILED);
	assert_int_equal(world_stats(&world).journal_bytes, 0);
	assert_true(world_stats(&world).journal_errors > 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	actuator_reconcile(world.actuator);
	assert_knob(&world, "pods/a", "cpu.weight", "20");
	assert_int_equal(world_see(&world, WORLD_A, KNOB_CPU_WEIGHT).status, KNOB_WRITTEN);
	world_close(&world);
}

/* What stands in the file's place must neither stop the loop nor the other knobs. */
static void test_actuator_refused_write_stops_nothing_else(void **state)
{
	struct world world;
	char path[PATH_MAX];

	(void)state;
	world_open(&world, 2);
	world_path(&world, "pods/a", "cpu.weight", path, sizeof(path));
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_ok(world_claim(&world, "one", WORLD_A, KNOB_CPU_WEIGHT, 20, 0));
	assert_ok(world_claim(&world, "one", WORLD_B, KNOB_CPU_WEIGHT, 20, 0));
	assert_int_equal(world_see(&world, WORLD_A, KNOB_CPU_WEIGHT).status, KNOB_FAILED);
	assert_true(world_see(&world, WORLD_A, KNOB_CPU_WEIGHT).error < 0);
	assert_knob(&world, "pods/b", "cpu.weight", "20");
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkdir(path, 0700), 0);
	actuator_reconcile(world.actuator);
	assert_int_equal(world_see(&world, WORLD_A, KNOB_CPU_WEIGHT).status, KNOB_FAILED);
	assert_int_equal(rmdir(path), 0);
	/* Not there (yet): waits. */
	actuator_reconcile(world.actuator);
	assert_int_equal(world_see(&world, WORLD_A, KNOB_CPU_WEIGHT).status, KNOB_PENDING);
	world_set(&world, "pods/a", "cpu.weight", "77");
	actuator_reconcile(world.actuator);
	assert_knob(&world, "pods/a", "cpu.weight", "20");
	world_unclaim(&world, "one", WORLD_A, KNOB_CPU_WEIGHT);
	assert_knob(&world, "pods/a", "cpu.weight", "77");
	world_close(&world);
}

static void test_actuator_failed_write_is_retried_by_the_timer(void **state)
{
	struct world world;
	char path[PATH_MAX];

	(void)state;
	world_open(&world, 2);
	world_path(&world, "pods/a", "cpu.weight", path, sizeof(path));
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_ok(world_claim(&world, "one", WORLD_A, KNOB_CPU_WEIGHT, 20, 0));
	assert_int_equal(rmdir(path), 0);
	world_set(&world, "pods/a", "cpu.weight", "77");
	/* The first retry is due after one second. */
	world_run(&world, 2 * USEC_PER_SEC);
	assert_knob(&world, "pods/a", "cpu.weight", "20");
	assert_int_equal(world_see(&world, WORLD_A, KNOB_CPU_WEIGHT).status, KNOB_WRITTEN);
	world_close(&world);
}

static struct world *vanish_world;

static void vanish_step(const char *step)
{
	char from[PATH_MAX], to[PATH_MAX];

	if (strcmp(step, "knob-write") != 0)
		return;
	world_path(vanish_world, "pods/a", "", from, sizeof(from));
	from[strlen(from) - 1] = '\0';
	(void)snprintf(to, sizeof(to), "%s/gone", vanish_world->dir);
	(void)rename(from, to);
}

static void test_actuator_group_vanishes_mid_write_is_survived(void **state)
{
	struct world world;

	(void)state;
	world_open(&world, 2);
	vanish_world = &world;
	actuator_failpoint = vanish_step;
	assert_ok(world_claim(&world, "one", WORLD_A, KNOB_CPU_WEIGHT, 20, 0));
	actuator_failpoint = NULL;
	actuator_reconcile(world.actuator);
	world_unclaim(&world, "one", WORLD_A, KNOB_CPU_WEIGHT);
	assert_int_equal(world_stats(&world).holdings, 0);
	assert_int_equal(world_stats(&world).restore_errors, 0);
	world_close(&world);
}

static void test_actuator_recreated_group_is_another_one(void **state)
{
	struct cgroup *group = NULL;
	struct knob_value value = { .number = 20 };
	struct world world;
	char from[PATH_MAX], to[PATH_MAX];

	(void)state;
	world_open(&world, 2);
	assert_ok(cgroup_new(&world.hierarchy, "pods/a", &group));
	world_path(&world, "pods/a", "", from, sizeof(from));
	from[strlen(from) - 1] = '\0';
	(void)snprintf(to, sizeof(to), "%s/old", world.dir);
	assert_int_equal(rename(from, to), 0);
	assert_int_equal(mkdir(from, 0755), 0);
	world_set(&world, "pods/a", "cpu.weight", "400");

	struct actuator_target target = { .target = world_target(WORLD_A), .group = group };

	assert_ok(actuator_claim(world.actuator, "one", &target, KNOB_CPU_WEIGHT, &value, 0, ""));
	assert_knob(&world, "pods/a", "cpu.weight", "400");
	assert_int_equal(world_see(&world, WORLD_A, KNOB_CPU_WEIGHT).status, KNOB_PENDING);
	assert_int_equal(world_see(&world, WORLD_A, KNOB_CPU_WEIGHT).error, -ESTALE);
	/* The successor is claimed before anybody told of the end of the first. */
	assert_ok(world_claim_at(&world, "one", 99, "pods/a", KNOB_CPU_WEIGHT, 30, 0));
	assert_knob(&world, "pods/a", "cpu.weight", "30");
	assert_int_equal(world_stats(&world).holdings, 1);
	/* What comes too late for the first is not for the second. */
	assert_errno(actuator_claim(world.actuator, "one", &target, KNOB_CPU_WEIGHT, &value, 0, ""),
		     ESTALE);
	actuator_target_gone(world.actuator, world_target(WORLD_A));
	assert_knob(&world, "pods/a", "cpu.weight", "30");
	world_unclaim(&world, "one", 99, KNOB_CPU_WEIGHT);
	assert_knob(&world, "pods/a", "cpu.weight", "400");
	(void)cgroup_free(group);
	world_close(&world);
}

static void test_actuator_group_in_another_hierarchy_waits(void **state)
{
	struct cgroup *group = NULL;
	struct knob_value value = { .number = (uint64_t)-1 };
	struct world world;

	(void)state;
	world_open(&world, 1);
	assert_ok(cgroup_new(&world.hierarchy, "pods/a", &group));

	uint64_t inode = group->inode[CONTROLLER_MEMORY];
	struct actuator_target target = { .target = world_target(WORLD_A), .group = group };

	group->inode[CONTROLLER_MEMORY] = 0;
	assert_ok(actuator_claim(world.actuator, "one", &target, KNOB_MEMORY_QOS_LEVEL, &value, 0,
				 ""));
	assert_int_equal(world_see(&world, WORLD_A, KNOB_MEMORY_QOS_LEVEL).status, KNOB_PENDING);
	group->inode[CONTROLLER_MEMORY] = inode;
	actuator_target_changed(world.actuator, &target);
	assert_knob(&world, "pods/a", "memory.qos_level", "-1");
	assert_int_equal(world_see(&world, WORLD_A, KNOB_MEMORY_QOS_LEVEL).status, KNOB_WRITTEN);
	(void)cgroup_free(group);
	world_close(&world);
}

/* libvirt makes a group and enables its controllers after that; the reconcile pass comes far later.
 */
static void test_actuator_controller_enabled_after_the_claim_is_found(void **state)
{
	char path[PATH_MAX];
	struct world world;

	(void)state;
	world_open(&world, 2);
	world.options.reconcile_interval_usec = 3600 * USEC_PER_SEC;
	assert_ok(actuator_set_options(world.actuator, &world.options));
	world_path(&world, "pods/a", "cpu.idle", path, sizeof(path));
	assert_int_equal(unlink(path), 0);
	assert_ok(world_claim(&world, "one", WORLD_A, KNOB_CPU_IDLE, 1, 0));
	assert_int_equal(world_see(&world, WORLD_A, KNOB_CPU_IDLE).status, KNOB_PENDING);
	/* What its files tell once does not end it. */
	assert_true(sd_event_run(world.event, 10 * USEC_PER_SEC) > 0);
	assert_int_equal(world_see(&world, WORLD_A, KNOB_CPU_IDLE).status, KNOB_PENDING);
	world_set(&world, "pods/a", "cpu.idle", "0");
	assert_true(sd_event_run(world.event, 10 * USEC_PER_SEC) > 0);
	assert_knob(&world, "pods/a", "cpu.idle", "1");
	assert_int_equal(world_see(&world, WORLD_A, KNOB_CPU_IDLE).status, KNOB_WRITTEN);
	assert_int_equal(world_stats(&world).write_errors, 0);
	world_close(&world);
}

static void test_actuator_set_options_dry_run_puts_back(void **state)
{
	struct world world;

	(void)state;
	world_open(&world, 2);
	world_look_at_idle(&world);
	assert_ok(world_claim(&world, "one", WORLD_A, KNOB_CPU_IDLE, 1, 0));
	assert_knob(&world, "pods/a", "cpu.idle", "1");
	world.options.dry_run = true;
	assert_ok(actuator_set_options(world.actuator, &world.options));
	assert_knob(&world, "pods/a", "cpu.idle", "0");
	assert_knob(&world, "pods/a", "cpu.weight", "250");
	assert_int_equal(world_see(&world, WORLD_A, KNOB_CPU_IDLE).status, KNOB_DRY_RUN);
	assert_ok(world_claim(&world, "one", WORLD_B, KNOB_CPU_IDLE, 1, 0));
	assert_knob(&world, "pods/b", "cpu.idle", "0");
	assert_int_equal(world_stats(&world).journal_bytes, 0);
	world.options.dry_run = false;
	assert_ok(actuator_set_options(world.actuator, &world.options));
	assert_knob(&world, "pods/a", "cpu.idle", "1");
	assert_knob(&world, "pods/b", "cpu.idle", "1");
	world_close(&world);
}

static void test_actuator_restore_all_pause_resume(void **state)
{
	struct world world;

	(void)state;
	world_open(&world, 2);
	world_look_at_idle(&world);
	assert_ok(world_claim(&world, "one", WORLD_A, KNOB_CPU_WEIGHT, 40, 0));
	assert_ok(world_claim(&world, "one", WORLD_A, KNOB_CPU_IDLE, 1, 0));
	assert_ok(world_claim(&world, "one", WORLD_B, KNOB_CPU_WEIGHT, 40, 0));
	assert_int_equal(actuator_restore_all(world.actuator, true), 0);
	assert_true(actuator_is_paused(world.actuator));
	assert_knob(&world, "pods/a", "cpu.idle", "0");
	assert_knob(&world, "pods/a", "cpu.weight", "250");
	assert_knob(&world, "pods/b", "cpu.weight", "250");
	assert_int_equal(world_see(&world, WORLD_A, KNOB_CPU_IDLE).status, KNOB_PAUSED);
	assert_ok(world_claim(&world, "one", WORLD_B, KNOB_CPU_WEIGHT, 50, 0));
	assert_knob(&world, "pods/b", "cpu.weight", "250");
	actuator_resume(world.actuator);
	assert_knob(&world, "pods/a", "cpu.idle", "1");
	assert_knob(&world, "pods/b", "cpu.weight", "50");
	assert_int_equal(world_see(&world, WORLD_A, KNOB_CPU_WEIGHT).status, KNOB_SHADOWED);
	assert_int_equal(actuator_restore_all(world.actuator, false), 0);
	assert_knob(&world, "pods/a", "cpu.weight", "250");
	assert_knob(&world, "pods/b", "cpu.weight", "250");
	assert_int_equal(world_stats(&world).holdings, 0);
	assert_int_equal(world_stats(&world).journal_bytes, 0);
	world_close(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_actuator_claim_unclaim_restores),
		cmocka_unit_test(test_actuator_claim_again_writes_nothing),
		cmocka_unit_test(test_actuator_claim_of_what_is_there_is_held_unwritten),
		cmocka_unit_test(test_actuator_claim_bad_argument_fails),
		cmocka_unit_test(test_actuator_host_knob_is_restored),
		cmocka_unit_test(test_actuator_journal_full_knob_is_not_written),
		cmocka_unit_test(test_actuator_refused_write_stops_nothing_else),
		cmocka_unit_test(test_actuator_failed_write_is_retried_by_the_timer),
		cmocka_unit_test(test_actuator_group_vanishes_mid_write_is_survived),
		cmocka_unit_test(test_actuator_recreated_group_is_another_one),
		cmocka_unit_test(test_actuator_group_in_another_hierarchy_waits),
		cmocka_unit_test(test_actuator_controller_enabled_after_the_claim_is_found),
		cmocka_unit_test(test_actuator_set_options_dry_run_puts_back),
		cmocka_unit_test(test_actuator_restore_all_pause_resume),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
