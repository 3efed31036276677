/* SPDX-License-Identifier: Apache-2.0 */
/* test-placement.c - which lists of CPUs the plugin claims, on hosts that the test makes up. */
#include "berth-test.h"
#include "cpu-tree.h"
#include "fake-agent.h"
#include "macro.h"
#include "placement/placement.h"

extern const struct berth_plugin berth_plugin;

static const struct cpu_tree smt = { "1 socket, SMT", 1, 4, 2, NULL };
static const struct cpu_tree flat = { "no SMT", 1, 8, 1, NULL };

#define TIDAL "placement: {tidal: {enabled: true, way: cpuset}}"
#define CORES "cpu: {smt_protect: cpuset}"

struct rig {
	char dir[32];
	struct fake_agent *fake;
};

static void rig_open(struct rig *rig, const struct cpu_tree *tree, int version)
{
	*rig = (struct rig){ .dir = "/tmp/berth-place.XXXXXX" };
	cpu_tree_make(tree, rig->dir);
	tree_write(rig->dir, "proc/self/mounts",
		   version == 2 ? "cgroup2 /sys/fs/cgroup cgroup2 rw 0 0"
				: "cgroup /sys/fs/cgroup/cpuset cgroup rw,cpuset 0 0");
	tree_write(rig->dir, "sys/fs/cgroup/cpuset/x", "");
	tree_write(rig->dir, "sys/fs/cgroup/cgroup.controllers", "cpuset cpu");
	placement_root = rig->dir;
	rig->fake = fake_agent_new();
	fake_agent_knob(rig->fake, KNOB_CORE_SCHED, false, "not built");
	fake_agent_knob(rig->fake, KNOB_CPU_QOS_LEVEL, false, "no cpu.qos_level");
}

static void rig_close(struct rig *rig)
{
	rig->fake = fake_agent_free(rig->fake);
	cpu_tree_remove(rig->dir);
	placement_root = NULL;
}

static const char *list_of(struct rig *rig, uint64_t id, enum knob knob)
{
	const struct fake_claim *claim = fake_agent_claim_as(rig->fake, "placement", id, knob);

	return claim ? claim->text : "";
}

#define assert_cpus(rig, id, text) assert_string_equal(list_of((rig), (id), KNOB_CPUSET_CPUS), text)

/* The next sample of a workload: it waited for that share of the time. */
static void suffer(struct rig *rig, uint64_t id, uint64_t usec, unsigned int percent)
{
	struct workload_sample *sample = fake_agent_sample(rig->fake, id);

	sample->time_usec += usec;
	sample->known[SAMPLE_PRESSURE_CPU_SOME_USEC / 64] |=
		1ull << (SAMPLE_PRESSURE_CPU_SOME_USEC % 64);
	sample->value[SAMPLE_PRESSURE_CPU_SOME_USEC] += usec * percent / 100;
}

/* So many looks, 2 s apart. */
static void looks(struct rig *rig, uint64_t id, unsigned int count, unsigned int percent)
{
	for (unsigned int i = 0; i < count; i++) {
		if (id)
			suffer(rig, id, 2 * USEC_PER_SEC, percent);
		assert_ok(fake_agent_advance(rig->fake, 2 * USEC_PER_SEC));
	}
}

static void test_tidal_is_narrowed_and_widened_by_pressure(void **state)
{
	struct rig rig;
	uint64_t web, job, late;
	size_t others;

	(void)state;
	rig_open(&rig, &smt, 2);
	assert_ok(fake_agent_start(rig.fake, &berth_plugin, NULL));
	web = fake_agent_add(rig.fake, "pod", "shop", "web", QOS_HIGH);
	others = fake_agent_sources(rig.fake);
	assert_ok(fake_agent_apply(rig.fake, TIDAL));
	/* Nobody to place: no timer. */
	assert_int_equal(fake_agent_sources(rig.fake), others);
	job = fake_agent_add(rig.fake, "pod", "batch", "job", QOS_BATCH);
	/* Half of 8 CPUs, by whole cores from the end. */
	assert_cpus(&rig, job, "2-3,6-7");
	assert_cpus(&rig, web, "");
	looks(&rig, web, 40, 0);
	assert_cpus(&rig, job, "1-3,5-7");
	looks(&rig, web, 200, 0);
	assert_cpus(&rig, job, "");
	looks(&rig, web, 1, 12);
	assert_cpus(&rig, job, "2-3,6-7");
	looks(&rig, web, 1, 50);
	assert_cpus(&rig, job, "3,7");
	/* Whoever comes now has what the others have. */
	late = fake_agent_add(rig.fake, "pod", "batch", "late", QOS_SCAVENGER);
	assert_cpus(&rig, late, "3,7");
	assert_non_null(strstr(fake_agent_description(rig.fake, late, "placement"), "3,7"));
	assert_non_null(strstr(fake_agent_description(rig.fake, 0, "tidal"), "floor"));
	/* Between the lines: as it is. */
	looks(&rig, web, 100, 6);
	assert_cpus(&rig, job, "3,7");
	/* No longer offline; off; gone. */
	fake_agent_set_level(rig.fake, late, QOS_NORMAL);
	assert_cpus(&rig, late, "");
	assert_ok(fake_agent_apply(rig.fake, NULL));
	assert_cpus(&rig, job, "");
	assert_int_equal(fake_agent_sources(rig.fake), others);
	assert_ok(fake_agent_apply(rig.fake, TIDAL));
	assert_cpus(&rig, job, "2-3,6-7");
	fake_agent_remove(rig.fake, job);
	assert_int_equal(fake_agent_sources(rig.fake), others);
	rig_close(&rig);
}

static void test_tidal_without_news_has_the_safe_share(void **state)
{
	struct rig rig;
	uint64_t web, job;

	(void)state;
	rig_open(&rig, &smt, 2);
	assert_ok(fake_agent_start(rig.fake, &berth_plugin, TIDAL));
	web = fake_agent_add(rig.fake, "pod", "shop", "web", QOS_HIGH);
	job = fake_agent_add(rig.fake, "pod", "batch", "job", QOS_BATCH);
	looks(&rig, web, 200, 0);
	assert_cpus(&rig, job, "");
	rig.fake->fresh_error = -EIO;
	looks(&rig, 0, 4, 0);
	assert_cpus(&rig, job, "");
	looks(&rig, 0, 2, 0);
	assert_cpus(&rig, job, "2-3,6-7");
	assert_non_null(strstr(fake_agent_description(rig.fake, 0, "tidal"), "stale"));
	rig_close(&rig);
}

static void test_tidal_who_waits_for_its_own_quota_narrows_nobody(void **state)
{
	struct rig rig;
	uint64_t web, job;

	(void)state;
	rig_open(&rig, &smt, 2);
	assert_ok(fake_agent_start(rig.fake, &berth_plugin, TIDAL));
	web = fake_agent_add(rig.fake, "pod", "shop", "web", QOS_HIGH);
	job = fake_agent_add(rig.fake, "pod", "batch", "job", QOS_BATCH);
	looks(&rig, web, 2, 0);
	for (unsigned int i = 0; i < 5; i++) {
		fake_agent_sample(rig.fake, web)->value[SAMPLE_CPU_THROTTLED_USEC] += USEC_PER_SEC;
		looks(&rig, web, 1, 52);
		assert_cpus(&rig, job, "2-3,6-7");
	}
	/* What is beyond that counts. */
	fake_agent_sample(rig.fake, web)->value[SAMPLE_CPU_THROTTLED_USEC] += USEC_PER_SEC;
	looks(&rig, web, 1, 75);
	assert_cpus(&rig, job, "3,7");
	rig_close(&rig);
}

static void test_tidal_without_a_timer_says_so_and_tries_again(void **state)
{
	struct rig rig;
	uint64_t web, job;

	(void)state;
	rig_open(&rig, &smt, 2);
	assert_ok(fake_agent_start(rig.fake, &berth_plugin, TIDAL));
	web = fake_agent_add(rig.fake, "pod", "shop", "web", QOS_HIGH);
	rig.fake->every_error = -ENOSPC;
	job = fake_agent_add(rig.fake, "pod", "batch", "job", QOS_BATCH);
	/* The safe share, which nothing would move: so it has none. */
	assert_cpus(&rig, job, "");
	assert_non_null(strstr(fake_agent_description(rig.fake, 0, "tidal"),
			       "off: no timer: No space left"));
	rig.fake->every_error = 0;
	fake_agent_capabilities(rig.fake);
	assert_cpus(&rig, job, "2-3,6-7");
	looks(&rig, web, 2, 50);
	assert_cpus(&rig, job, "3,7");
	rig_close(&rig);
}

static void test_tidal_on_v1_narrows_containers_and_leaves_pods(void **state)
{
	struct rig rig;
	uint64_t job, container, unit;

	(void)state;
	rig_open(&rig, &smt, 1);
	assert_ok(fake_agent_start(rig.fake, &berth_plugin, TIDAL));
	job = fake_agent_add(rig.fake, "pod", "batch", "job", QOS_BATCH);
	container = fake_agent_add_child(rig.fake, job, "main");
	unit = fake_agent_add(rig.fake, "unit", "", "backup.service", QOS_BATCH);
	assert_cpus(&rig, job, "");
	assert_cpus(&rig, container, "2-3,6-7");
	assert_cpus(&rig, unit, "2-3,6-7");
	fake_agent_set_level(rig.fake, job, QOS_HIGH);
	fake_agent_set_level(rig.fake, container, QOS_HIGH);
	assert_cpus(&rig, container, "");
	rig_close(&rig);
}

/* Pressure of groups is not told on v1: by use. */
static void test_tidal_without_pressure_goes_by_use(void **state)
{
	struct rig rig;
	uint64_t web, job;

	(void)state;
	rig_open(&rig, &flat, 2);
	assert_ok(fake_agent_start(rig.fake, &berth_plugin, TIDAL));
	rig.fake->has_node = true;
	web = fake_agent_add(rig.fake, "pod", "shop", "web", QOS_HIGH);
	job = fake_agent_add(rig.fake, "pod", "batch", "job", QOS_BATCH);
	fake_agent_sample(rig.fake, job)->known[SAMPLE_CPU_USAGE_USEC / 64] |=
		UINT64_C(1) << (SAMPLE_CPU_USAGE_USEC % 64);
	for (unsigned int i = 0; i < 4; i++) {
		fake_agent_sample(rig.fake, web)->time_usec += 2 * USEC_PER_SEC;
		fake_agent_sample(rig.fake, job)->time_usec += 2 * USEC_PER_SEC;
		/* Offline work is busy on one CPU, everything on six: five are online work's. */
		fake_agent_sample(rig.fake, job)->value[SAMPLE_CPU_USAGE_USEC] += 2 * USEC_PER_SEC;
		rig.fake->node.cpu_busy_usec += 12 * USEC_PER_SEC;
		assert_ok(fake_agent_advance(rig.fake, 2 * USEC_PER_SEC));
	}
	/* Five and a quarter more: six. */
	assert_cpus(&rig, job, "6-7");
	/* Nobody told pressure: after that offline work alone is read. */
	assert_true(rig.fake->peek_calls > 0);
	assert_int_equal(rig.fake->peeked, rig.fake->peek_calls);
	rig_close(&rig);
}

static void test_tidal_prefers_where_the_kernel_can(void **state)
{
	struct rig rig;
	uint64_t web, job, container;

	(void)state;
	rig_open(&rig, &smt, 1);
	assert_ok(fake_agent_start(rig.fake, &berth_plugin, "placement: {tidal: {enabled: true}}"));
	web = fake_agent_add(rig.fake, "unit", "", "web.service", QOS_HIGH);
	job = fake_agent_add(rig.fake, "pod", "batch", "job", QOS_BATCH);
	container = fake_agent_add_child(rig.fake, job, "main");
	assert_string_equal(list_of(&rig, container, KNOB_CPUSET_PREFERRED), "2-3,6-7");
	assert_string_equal(list_of(&rig, web, KNOB_CPUSET_PREFERRED), "0-1,4-5");
	assert_cpus(&rig, container, "");
	/* Nobody offline is left: online work prefers none of the CPUs that it has. */
	fake_agent_remove(rig.fake, container);
	fake_agent_remove(rig.fake, job);
	assert_string_equal(list_of(&rig, web, KNOB_CPUSET_PREFERRED), "");
	job = fake_agent_add(rig.fake, "pod", "batch", "job", QOS_BATCH);
	container = fake_agent_add_child(rig.fake, job, "main");
	assert_string_equal(list_of(&rig, web, KNOB_CPUSET_PREFERRED), "0-1,4-5");
	/* The kernel lost it: hard lists instead. */
	fake_agent_knob(rig.fake, KNOB_CPUSET_PREFERRED, false, "gone");
	fake_agent_capabilities(rig.fake);
	assert_string_equal(list_of(&rig, container, KNOB_CPUSET_PREFERRED), "");
	assert_string_equal(list_of(&rig, web, KNOB_CPUSET_PREFERRED), "");
	assert_cpus(&rig, container, "2-3,6-7");
	assert_ok(
		fake_agent_apply(rig.fake, "placement: {tidal: {enabled: true, way: preferred}}"));
	assert_cpus(&rig, container, "");
	assert_non_null(strstr(fake_agent_description(rig.fake, 0, "tidal"), "gone"));
	rig_close(&rig);
}

static uint64_t critical(struct rig *rig, const char *name, uint64_t milli)
{
	uint64_t id = fake_agent_add(rig->fake, "pod", "shop", name, QOS_CRITICAL);

	fake_agent_workload(rig->fake, id)->view.cpu_request_milli = milli;
	fake_agent_update(rig->fake, id);
	return id;
}

static void test_cores_are_given_to_whole_requests(void **state)
{
	struct rig rig;
	uint64_t db, web, part, big;

	(void)state;
	rig_open(&rig, &smt, 2);
	assert_ok(fake_agent_start(rig.fake, &berth_plugin, CORES));
	web = fake_agent_add(rig.fake, "pod", "shop", "web", QOS_NORMAL);
	assert_cpus(&rig, web, "");
	db = critical(&rig, "db", 1000);
	assert_cpus(&rig, db, "1,5");
	assert_cpus(&rig, web, "0,2-4,6-7");
	part = critical(&rig, "part", 1500);
	assert_cpus(&rig, part, "0,2-4,6-7");
	/* Half of the CPUs stay the others'. */
	big = critical(&rig, "big", 4000);
	assert_cpus(&rig, big, "0,2-4,6-7");
	/* Both, why it is narrowed and why it has none of its own. */
	assert_non_null(strstr(fake_agent_description(rig.fake, big, "placement"),
			       "critical workloads have 2 CPUs to themselves"));
	assert_non_null(strstr(fake_agent_description(rig.fake, big, "placement"),
			       "no cores of its own: the others would have too few CPUs left"));
	fake_agent_workload(rig.fake, big)->view.cpu_request_milli = 2000;
	fake_agent_update(rig.fake, big);
	assert_cpus(&rig, big, "2,6");
	assert_cpus(&rig, web, "0,3-4,7");
	/* Who is left keeps its cores. */
	fake_agent_remove(rig.fake, db);
	assert_cpus(&rig, big, "2,6");
	assert_cpus(&rig, web, "0-1,3-5,7");
	assert_ok(fake_agent_apply(rig.fake, NULL));
	assert_cpus(&rig, big, "");
	assert_cpus(&rig, web, "");
	assert_cpus(&rig, part, "");
	assert_null(fake_agent_description(rig.fake, web, "placement"));
	rig_close(&rig);
}

static void test_cores_too_many_are_refused_and_told(void **state)
{
	struct rig rig;
	uint64_t big;

	(void)state;
	rig_open(&rig, &smt, 2);
	assert_ok(fake_agent_start(rig.fake, &berth_plugin, CORES));
	big = critical(&rig, "big", 5000);
	assert_cpus(&rig, big, "");
	assert_non_null(strstr(fake_agent_description(rig.fake, big, "placement"), "too few"));
	rig_close(&rig);
}

static void test_cores_without_smt_are_nobodys_and_it_says_so(void **state)
{
	struct rig rig;
	uint64_t db;

	(void)state;
	rig_open(&rig, &flat, 2);
	assert_ok(fake_agent_start(rig.fake, &berth_plugin, CORES));
	db = critical(&rig, "db", 2000);
	assert_cpus(&rig, db, "");
	assert_non_null(strstr(fake_agent_description(rig.fake, 0, "smt"), "no SMT"));
	rig_close(&rig);
}

static void test_cores_by_auto_only_without_core_scheduling(void **state)
{
	struct rig rig;
	uint64_t db;

	(void)state;
	rig_open(&rig, &smt, 2);
	assert_ok(fake_agent_start(rig.fake, &berth_plugin, NULL));
	db = critical(&rig, "db", 1000);
	assert_cpus(&rig, db, "");
	assert_ok(fake_agent_apply(rig.fake, "cpu: {smt_protect: auto}"));
	assert_cpus(&rig, db, "1,5");
	fake_agent_knob(rig.fake, KNOB_CORE_SCHED, true, "prctl");
	fake_agent_capabilities(rig.fake);
	assert_cpus(&rig, db, "");
	assert_non_null(fake_agent_claim_of(rig.fake, db, KNOB_CORE_SCHED));
	assert_ok(fake_agent_apply(rig.fake, CORES));
	assert_cpus(&rig, db, "1,5");
	assert_null(fake_agent_claim_of(rig.fake, db, KNOB_CORE_SCHED));
	rig_close(&rig);
}

/* The kubelet's static CPU manager: every container has a list, that of whole CPUs is its own. */
static void test_containers_of_a_cpu_manager_are_left_alone(void **state)
{
	struct rig rig;
	uint64_t db, job, web, main, other, third;

	(void)state;
	rig_open(&rig, &smt, 2);
	assert_ok(fake_agent_start(rig.fake, &berth_plugin, "cpu: {smt_protect: cpuset}\n" TIDAL));
	db = critical(&rig, "db", 1000);
	web = fake_agent_add(rig.fake, "pod", "shop", "web", QOS_NORMAL);
	job = fake_agent_add(rig.fake, "pod", "batch", "job", QOS_BATCH);
	assert_cpus(&rig, db, "1,5");
	assert_cpus(&rig, web, "0,2-4,6-7");
	main = fake_agent_add_child(rig.fake, db, "main");
	other = fake_agent_add_child(rig.fake, web, "main");
	third = fake_agent_add_child(rig.fake, job, "main");
	fake_agent_annotate(rig.fake, main, "original", "3,7");
	fake_agent_annotate(rig.fake, other, "original", "0-2,4-6");
	fake_agent_annotate(rig.fake, third, "original", "0-2,4-6");
	fake_agent_update(rig.fake, other);
	fake_agent_update(rig.fake, third);
	fake_agent_update(rig.fake, main);
	/* It has cores of its own, and nobody takes them or gives it others. */
	assert_cpus(&rig, db, "");
	assert_cpus(&rig, main, "");
	assert_non_null(strstr(fake_agent_description(rig.fake, db, "placement"), "CPU manager"));
	assert_cpus(&rig, web, "");
	/* Half of the other six: two cores are four, one is two. */
	assert_cpus(&rig, job, "2,6");
	/* The manager took it back; it is seen within ten seconds. */
	fake_agent_annotate(rig.fake, main, "original", "0-7");
	assert_ok(fake_agent_advance(rig.fake, 12 * USEC_PER_SEC));
	assert_cpus(&rig, db, "1,5");
	/* Switched off, it says nothing of a manager either. */
	fake_agent_annotate(rig.fake, main, "original", "3,7");
	fake_agent_update(rig.fake, main);
	assert_non_null(fake_agent_description(rig.fake, db, "placement"));
	assert_ok(fake_agent_apply(rig.fake, NULL));
	assert_null(fake_agent_description(rig.fake, db, "placement"));
	rig_close(&rig);
}

static void test_group_above_whole_cores_is_not_narrowed(void **state)
{
	struct rig rig;
	uint64_t slice, db, web;

	(void)state;
	rig_open(&rig, &smt, 2);
	assert_ok(fake_agent_start(rig.fake, &berth_plugin, CORES));
	slice = fake_agent_add(rig.fake, "cgroup", "", "machine.slice", QOS_NORMAL);
	db = critical(&rig, "db", 1000);
	fake_agent_workload(rig.fake, db)->view.parent = slice;
	fake_agent_update(rig.fake, db);
	web = fake_agent_add(rig.fake, "pod", "shop", "web", QOS_NORMAL);
	assert_ok(fake_agent_apply(rig.fake, CORES));
	assert_cpus(&rig, slice, "");
	assert_cpus(&rig, db, "1,5");
	assert_cpus(&rig, web, "0,2-4,6-7");
	rig_close(&rig);
}

static void test_what_is_below_whole_cores_is_part_of_them(void **state)
{
	struct rig rig;
	uint64_t slice, db, log, job, web;
	double given = -1;

	(void)state;
	rig_open(&rig, &smt, 2);
	assert_ok(fake_agent_start(rig.fake, &berth_plugin, "cpu: {smt_protect: cpuset}\n" TIDAL));
	slice = fake_agent_add(rig.fake, "cgroup", "", "trade.slice", QOS_CRITICAL);
	fake_agent_workload(rig.fake, slice)->view.cpu_request_milli = 4000;
	db = critical(&rig, "db", 1000);
	fake_agent_workload(rig.fake, db)->view.parent = slice;
	log = fake_agent_add(rig.fake, "unit", "", "log.service", QOS_NORMAL);
	fake_agent_workload(rig.fake, log)->view.parent = slice;
	job = fake_agent_add(rig.fake, "unit", "", "pack.service", QOS_BATCH);
	fake_agent_workload(rig.fake, job)->view.parent = slice;
	web = fake_agent_add(rig.fake, "pod", "shop", "web", QOS_NORMAL);
	assert_ok(fake_agent_apply(rig.fake, "cpu: {smt_protect: cpuset}\n" TIDAL));
	assert_cpus(&rig, slice, "1-2,5-6");
	assert_cpus(&rig, web, "0,3-4,7");
	/* Its group has these cores: no others, and no less for the one that wishes as well. */
	assert_cpus(&rig, db, "");
	assert_non_null(strstr(fake_agent_description(rig.fake, db, "placement"), "above it"));
	assert_cpus(&rig, log, "");
	assert_cpus(&rig, job, "");
	assert_true(fake_agent_metric(rig.fake, "placement_given_cpus", 0, &given));
	assert_true(given == 4);
	/* The slice wishes for none: its part may. */
	fake_agent_workload(rig.fake, slice)->view.cpu_request_milli = 0;
	fake_agent_update(rig.fake, slice);
	assert_cpus(&rig, slice, "");
	assert_cpus(&rig, db, "1,5");
	assert_cpus(&rig, web, "0,2-4,6-7");
	assert_cpus(&rig, log, "0,2-4,6-7");
	rig_close(&rig);
}

static void test_cpu_that_goes_offline_is_seen(void **state)
{
	struct rig rig;
	uint64_t db, job;

	(void)state;
	rig_open(&rig, &smt, 2);
	assert_ok(fake_agent_start(rig.fake, &berth_plugin, "cpu: {smt_protect: cpuset}\n" TIDAL));
	db = critical(&rig, "db", 1000);
	job = fake_agent_add(rig.fake, "pod", "batch", "job", QOS_BATCH);
	assert_cpus(&rig, db, "1,5");
	assert_cpus(&rig, job, "3,7");
	tree_write(rig.dir, "sys/devices/system/cpu/online", "0-4,6");
	assert_ok(fake_agent_advance(rig.fake, 12 * USEC_PER_SEC));
	/* Their threads are cores of one CPU now, and one of these is enough. */
	assert_cpus(&rig, db, "1");
	assert_cpus(&rig, job, "2-3,6");
	rig_close(&rig);
}

/* The threads of all cores go, as by /sys/devices/system/cpu/smt/control, and come back. */
static void test_smt_that_is_switched_off_takes_whole_cores_with_it(void **state)
{
	struct rig rig;
	uint64_t db, web, job;
	double given = -1;

	(void)state;
	rig_open(&rig, &smt, 2);
	assert_ok(fake_agent_start(rig.fake, &berth_plugin, "cpu: {smt_protect: cpuset}\n" TIDAL));
	db = critical(&rig, "db", 1000);
	web = fake_agent_add(rig.fake, "pod", "shop", "web", QOS_NORMAL);
	job = fake_agent_add(rig.fake, "pod", "batch", "job", QOS_BATCH);
	assert_cpus(&rig, db, "1,5");
	assert_cpus(&rig, web, "0,2-4,6-7");
	tree_write(rig.dir, "sys/devices/system/cpu/online", "0-3");
	assert_ok(fake_agent_advance(rig.fake, 12 * USEC_PER_SEC));
	assert_cpus(&rig, db, "");
	assert_cpus(&rig, web, "");
	assert_cpus(&rig, job, "2-3");
	assert_null(fake_agent_description(rig.fake, db, "placement"));
	assert_non_null(strstr(fake_agent_description(rig.fake, 0, "smt"), "no SMT"));
	assert_true(fake_agent_metric(rig.fake, "placement_given_cpus", 0, &given));
	assert_true(given == 0);
	tree_write(rig.dir, "sys/devices/system/cpu/online", "0-7");
	assert_ok(fake_agent_advance(rig.fake, 12 * USEC_PER_SEC));
	assert_cpus(&rig, db, "1,5");
	assert_cpus(&rig, web, "0,2-4,6-7");
	rig_close(&rig);
}

static void test_cpus_that_cannot_be_read_change_nothing(void **state)
{
	struct rig rig;
	uint64_t job, container;

	(void)state;
	rig_open(&rig, &smt, 1);
	tree_write(rig.dir, "sys/devices/system/cpu/online", "nonsense");
	assert_ok(fake_agent_start(rig.fake, &berth_plugin, TIDAL));
	job = fake_agent_add(rig.fake, "pod", "batch", "job", QOS_BATCH);
	container = fake_agent_add_child(rig.fake, job, "main");
	assert_cpus(&rig, container, "");
	assert_non_null(strstr(fake_agent_description(rig.fake, 0, "tidal"), "cannot be read"));
	tree_write(rig.dir, "sys/devices/system/cpu/online", "0-7");
	assert_ok(fake_agent_apply(rig.fake, TIDAL));
	assert_cpus(&rig, container, "2-3,6-7");
	/* They are those that they were, and this is still v1, where a pod stays wide. */
	tree_write(rig.dir, "sys/devices/system/cpu/online", "nonsense");
	assert_ok(fake_agent_apply(rig.fake, TIDAL));
	assert_cpus(&rig, container, "2-3,6-7");
	assert_cpus(&rig, job, "");
	rig_close(&rig);
}

/* A slice is no victim while offline work is in it; after that it is. */
static void test_group_without_offline_work_below_counts_again(void **state)
{
	for (int way = 0; way < 2; way++) {
		struct rig rig;
		uint64_t slice, job, other;

		(void)state;
		rig_open(&rig, &smt, 2);
		assert_ok(fake_agent_start(rig.fake, &berth_plugin, TIDAL));
		slice = fake_agent_add(rig.fake, "cgroup", "", "machine.slice", QOS_NORMAL);
		other = fake_agent_add(rig.fake, "pod", "batch", "other", QOS_BATCH);
		job = fake_agent_add(rig.fake, "pod", "batch", "job", QOS_BATCH);
		fake_agent_workload(rig.fake, job)->view.parent = slice;
		fake_agent_update(rig.fake, job);
		looks(&rig, slice, 3, 50);
		assert_cpus(&rig, other, "2-3,6-7");
		if (way == 0)
			fake_agent_remove(rig.fake, job);
		else
			fake_agent_set_level(rig.fake, job, QOS_NORMAL);
		looks(&rig, slice, 1, 50);
		assert_cpus(&rig, other, "3,7");
		rig_close(&rig);
	}
}

static void test_ignored_workload_is_left_alone(void **state)
{
	struct rig rig;
	uint64_t job;

	(void)state;
	rig_open(&rig, &smt, 2);
	assert_ok(fake_agent_start(rig.fake, &berth_plugin, TIDAL));
	job = fake_agent_add(rig.fake, "pod", "batch", "job", QOS_BATCH);
	assert_cpus(&rig, job, "2-3,6-7");
	fake_agent_workload(rig.fake, job)->view.flags |= WORKLOAD_IGNORED;
	fake_agent_update(rig.fake, job);
	assert_cpus(&rig, job, "");
	rig_close(&rig);
}

static const struct fake_claim *host_claim(struct rig *rig, enum knob knob)
{
	return fake_agent_claim(rig->fake, (struct berth_target){ .kind = TARGET_HOST }, knob);
}

static void test_sysctls_are_claimed_where_they_are(void **state)
{
	static const char settings[] = "cpu: {prio_load_balance: true, overload_detect: 2s, "
				       "overload_wait: 200ms, level_weights: \"1 10 100 200 400\"}";
	struct rig rig;

	(void)state;
	rig_open(&rig, &smt, 1);
	assert_ok(fake_agent_start(rig.fake, &berth_plugin, settings));
	assert_int_equal(host_claim(&rig, KNOB_SCHED_PRIO_BALANCE)->number, 1);
	assert_int_equal(host_claim(&rig, KNOB_QOS_OVERLOAD_MSEC)->number, 2000);
	assert_int_equal(host_claim(&rig, KNOB_QOS_WAIT_MSEC)->number, 200);
	assert_string_equal(host_claim(&rig, KNOB_QOS_LEVEL_WEIGHTS)->text, "1 10 100 200 400");
	assert_null(host_claim(&rig, KNOB_SCHED_UTIL_LOW));
	assert_ok(fake_agent_apply(rig.fake, NULL));
	assert_null(host_claim(&rig, KNOB_QOS_OVERLOAD_MSEC));
	assert_null(fake_agent_description(rig.fake, 0, "cpu.overload_detect"));
	/* A kernel without them: off, and why. */
	fake_agent_knob(rig.fake, KNOB_QOS_OVERLOAD_MSEC, false, "this kernel has no such sysctl");
	assert_ok(fake_agent_apply(rig.fake, settings));
	assert_null(host_claim(&rig, KNOB_QOS_OVERLOAD_MSEC));
	assert_non_null(strstr(fake_agent_description(rig.fake, 0, "cpu.overload_detect"),
			       "off: this kernel has no such sysctl"));
	rig_close(&rig);
}

static void test_settings_that_cannot_be_are_refused(void **state)
{
	static const char *const bad[] = {
		"placement: {tidal: {low_percent: 10, high_percent: 10}}",
		"placement: {tidal: {share_percent: 5}}",
		"cpu: {overload_detect: 99ms}",
		"cpu: {overload_wait: 1ms}",
		"cpu: {level_weights: \"1 2 3 4\"}",
		"cpu: {level_weights: \"1 2 3 4 x\"}",
		"cpu: {level_weights: \"0 2 3 4 5\"}",
		"cpu: {smt_protect: yes}",
		"placement: {tidal: {enabled: true}}\nsuppress: {enabled: true, by: cpuset}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct rig rig;

		rig_open(&rig, &smt, 2);
		assert_errno(fake_agent_start(rig.fake, &berth_plugin, bad[i]), EINVAL);
		rig_close(&rig);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tidal_is_narrowed_and_widened_by_pressure),
		cmocka_unit_test(test_tidal_without_news_has_the_safe_share),
		cmocka_unit_test(test_tidal_who_waits_for_its_own_quota_narrows_nobody),
		cmocka_unit_test(test_tidal_without_a_timer_says_so_and_tries_again),
		cmocka_unit_test(test_tidal_on_v1_narrows_containers_and_leaves_pods),
		cmocka_unit_test(test_tidal_without_pressure_goes_by_use),
		cmocka_unit_test(test_tidal_prefers_where_the_kernel_can),
		cmocka_unit_test(test_cores_are_given_to_whole_requests),
		cmocka_unit_test(test_cores_too_many_are_refused_and_told),
		cmocka_unit_test(test_cores_without_smt_are_nobodys_and_it_says_so),
		cmocka_unit_test(test_cores_by_auto_only_without_core_scheduling),
		cmocka_unit_test(test_containers_of_a_cpu_manager_are_left_alone),
		cmocka_unit_test(test_group_above_whole_cores_is_not_narrowed),
		cmocka_unit_test(test_what_is_below_whole_cores_is_part_of_them),
		cmocka_unit_test(test_cpu_that_goes_offline_is_seen),
		cmocka_unit_test(test_smt_that_is_switched_off_takes_whole_cores_with_it),
		cmocka_unit_test(test_cpus_that_cannot_be_read_change_nothing),
		cmocka_unit_test(test_group_without_offline_work_below_counts_again),
		cmocka_unit_test(test_ignored_workload_is_left_alone),
		cmocka_unit_test(test_sysctls_are_claimed_where_they_are),
		cmocka_unit_test(test_settings_that_cannot_be_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
