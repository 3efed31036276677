/* SPDX-License-Identifier: Apache-2.0 */
/* The vendor's rung and the counters, on fixture trees; the others need a kernel. */
#include "berth-test.h"
#include "fixture-copy.h"
#include "macro.h"
#include "sysroot.h"
#include "telemetry/snapshot.h"
#include "telemetry/stall/stall.h"

#define COUNTERS                                                                 \
	"pgscan_direct %u\nworkingset_refault_anon %u\nworkingset_refault_file " \
	"%u\n"

struct bench {
	char dir[64];
	struct sysroot root;
	struct hierarchy hierarchy;
	struct snapshot snapshot;
	const char *group; /* its directory of pressure.stat, below dir */
	const struct workload_sample *sample;
};

static void file_put(const struct bench *bench, const char *name, const char *text)
{
	char path[256];
	FILE *file;

	(void)snprintf(path, sizeof(path), "%s/%s/%s", bench->dir, bench->group, name);
	file = fopen(path, "we");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_ok(fclose(file));
}

static struct bench *bench_new(const char *fixture, const char *group)
{
	struct bench *bench = calloc(1, sizeof(*bench));

	assert_non_null(bench);
	(void)snprintf(bench->dir, sizeof(bench->dir), "/tmp/berth-test.XXXXXX");
	assert_ok(fixture_copy(fixture, bench->dir));
	bench->group = group;
	assert_ok(sysroot_open(bench->dir, &bench->root));
	assert_ok(hierarchy_open(&bench->root, &bench->hierarchy));
	assert_ok(snapshot_init(&bench->snapshot, &bench->root, &bench->hierarchy, NULL));
	return bench;
}

static int setup_v1(void **state)
{
	*state = bench_new("openeuler-v1", "sys/fs/cgroup/cpu,cpuacct/pod");
	return 0;
}

static int setup_v2(void **state)
{
	*state = bench_new("openeuler-v2", "sys/fs/cgroup/pod");
	return 0;
}

static int teardown(void **state)
{
	struct bench *bench = *state;

	snapshot_done(&bench->snapshot);
	hierarchy_done(&bench->hierarchy);
	sysroot_done(&bench->root);
	fixture_remove(bench->dir);
	free(bench);
	return 0;
}

static const struct workload_sample *pass_with(struct bench *bench, bool offline)
{
	struct cgroup *group;

	assert_ok(cgroup_new(&bench->hierarchy, "pod", &group));
	snapshot_begin(&bench->snapshot);
	assert_ok(snapshot_take(&bench->snapshot, 1, 0, group));
	if (offline)
		snapshot_mark_offline(&bench->snapshot, 1);
	snapshot_end(&bench->snapshot);
	cgroup_free(group);
	bench->sample = snapshot_get(&bench->snapshot, 1);
	assert_non_null(bench->sample);
	return bench->sample;
}

static const struct workload_sample *pass(struct bench *bench)
{
	return pass_with(bench, false);
}

static void assert_value(const struct bench *bench, enum sample_value value, uint64_t wanted)
{
	assert_true(sample_knows(bench->sample, value));
	assert_int_equal(bench->sample->value[value], wanted);
}

static void assert_unknown(const struct bench *bench, enum sample_value value)
{
	assert_false(sample_knows(bench->sample, value));
}

static const uint32_t *averages_of(const struct bench *bench, enum sample_value value)
{
	return bench->sample->averages[value - SAMPLE_PRESSURE_FIRST];
}

static void test_stall_vendor_numbers_are_its_own(void **state)
{
	struct bench *bench = *state;

	stall_apply(bench->snapshot.stall, STALL_VENDOR);
	assert_int_equal(stall_way(bench->snapshot.stall), STALL_UNUSED);
	pass(bench);
	assert_int_equal(stall_way(bench->snapshot.stall), STALL_VENDOR);
	for (unsigned int cause = 0; cause < 5; cause++) {
		enum sample_value some = (enum sample_value)(SAMPLE_CAUSE_FIRST + 2 * cause);

		assert_value(bench, some, (cause + 1) * 100);
		assert_value(bench, (enum sample_value)(some + 1), cause + 1);
		assert_int_equal(averages_of(bench, some)[WINDOW_10S], (cause + 1) * 100 + 10);
		assert_int_equal(averages_of(bench, some)[WINDOW_300S], 30);
	}
	assert_value(bench, SAMPLE_CAUSE_CPU_CFS_BANDWIDTH_FULL_USEC, 600);
	assert_value(bench, SAMPLE_CAUSE_CPU_QOS_FULL_USEC, 700);
	/* memory.pressure has 2000 and 20. */
	assert_value(bench, SAMPLE_CAUSE_MEMORY_OTHER_SOME_USEC, 500);
	assert_value(bench, SAMPLE_CAUSE_MEMORY_OTHER_FULL_USEC, 5);
}

static void test_stall_vendor_is_seen_at_a_group_alone(void **state)
{
	struct bench *bench = *state;
	char path[128];

	(void)snprintf(path, sizeof(path), "%s/proc/pressure/stat", bench->dir);
	assert_ok(unlink(path));
	stall_apply(bench->snapshot.stall, STALL_VENDOR);
	pass(bench);
	assert_int_equal(stall_way(bench->snapshot.stall), STALL_VENDOR);
	assert_value(bench, SAMPLE_CAUSE_SWAP_SOME_USEC, 500);
}

static void test_stall_vendor_total_never_goes_back(void **state)
{
	struct bench *bench = *state;

	stall_apply(bench->snapshot.stall, STALL_VENDOR);
	pass(bench);
	file_put(bench, "pressure.stat",
		 "swap\nsome avg10=0.00 avg60=0.00 avg300=0.00 total=499\n");
	pass(bench);
	assert_value(bench, SAMPLE_CAUSE_SWAP_SOME_USEC, 500);
	/* Lines that are no longer there are not known. */
	assert_unknown(bench, SAMPLE_CAUSE_COMPACT_SOME_USEC);
	assert_unknown(bench, SAMPLE_CAUSE_CPU_QOS_FULL_USEC);
	file_put(bench, "pressure.stat", "nonsense\n");
	pass(bench);
	assert_unknown(bench, SAMPLE_CAUSE_SWAP_SOME_USEC);
}

static void counters_put(const struct bench *bench, unsigned int scanned, unsigned int anon,
			 unsigned int file, unsigned int max, unsigned int some, unsigned int full)
{
	char text[256];

	(void)snprintf(text, sizeof(text), COUNTERS, scanned, anon, file);
	file_put(bench, "memory.stat", text);
	(void)snprintf(text, sizeof(text), "low 0\nhigh 0\nmax %u\noom 0\noom_kill 0\n", max);
	file_put(bench, "memory.events", text);
	(void)snprintf(text, sizeof(text),
		       "some avg10=0.00 avg60=0.00 avg300=0.00 total=%u\n"
		       "full avg10=0.00 avg60=0.00 avg300=0.00 total=%u\n",
		       some, full);
	file_put(bench, "memory.pressure", text);
}

static void test_stall_counters_share_what_the_kernel_says(void **state)
{
	struct bench *bench = *state;

	stall_apply(bench->snapshot.stall, STALL_COUNTERS);
	counters_put(bench, 500, 5, 5, 1, 10000, 1000);
	pass(bench);
	assert_int_equal(stall_way(bench->snapshot.stall), STALL_COUNTERS);
	/* What was before anybody looked has no cause. */
	assert_value(bench, SAMPLE_CAUSE_CGROUP_MEMORY_RECLAIM_SOME_USEC, 0);
	assert_value(bench, SAMPLE_CAUSE_MEMORY_OTHER_SOME_USEC, 0);
	/* 3000 pages at the limit, 10 from swap: 3 to 1. */
	counters_put(bench, 3500, 15, 5, 2, 14000, 1400);
	pass(bench);
	assert_value(bench, SAMPLE_CAUSE_CGROUP_MEMORY_RECLAIM_SOME_USEC, 3000);
	assert_value(bench, SAMPLE_CAUSE_CGROUP_MEMORY_RECLAIM_FULL_USEC, 300);
	assert_value(bench, SAMPLE_CAUSE_SWAP_SOME_USEC, 1000);
	assert_value(bench, SAMPLE_CAUSE_SWAP_FULL_USEC, 100);
	assert_value(bench, SAMPLE_CAUSE_GLOBAL_MEMORY_RECLAIM_SOME_USEC, 0);
	assert_value(bench, SAMPLE_CAUSE_CPU_CFS_BANDWIDTH_FULL_USEC, 9000);
	assert_unknown(bench, SAMPLE_CAUSE_CPU_QOS_FULL_USEC);
}

static void test_stall_totals_go_on_over_a_change_of_way(void **state)
{
	struct bench *bench = *state;

	stall_apply(bench->snapshot.stall, STALL_VENDOR);
	pass(bench);
	counters_put(bench, 0, 0, 0, 0, 100000, 1000);
	stall_apply(bench->snapshot.stall, STALL_COUNTERS);
	pass(bench);
	assert_value(bench, SAMPLE_CAUSE_SWAP_SOME_USEC, 500);
	assert_value(bench, SAMPLE_CAUSE_MEMORY_OTHER_SOME_USEC, 500);
	counters_put(bench, 0, 10, 0, 0, 100400, 1000);
	pass(bench);
	assert_value(bench, SAMPLE_CAUSE_SWAP_SOME_USEC, 900);
	stall_apply(bench->snapshot.stall, STALL_OFF);
	pass(bench);
	assert_unknown(bench, SAMPLE_CAUSE_SWAP_SOME_USEC);
	assert_unknown(bench, SAMPLE_CAUSE_CPU_CFS_BANDWIDTH_FULL_USEC);
	assert_value(bench, SAMPLE_PRESSURE_MEMORY_SOME_USEC, 100400);
	stall_apply(bench->snapshot.stall, STALL_VENDOR);
	pass(bench);
	assert_value(bench, SAMPLE_CAUSE_SWAP_SOME_USEC, 900);
	assert_value(bench, SAMPLE_CAUSE_CPU_CFS_BANDWIDTH_FULL_USEC, 9000);
}

static void cpu_put(const struct bench *bench, unsigned int full, unsigned int throttled)
{
	char text[256];

	(void)snprintf(text, sizeof(text),
		       "some avg10=0.00 avg60=0.00 avg300=0.00 total=%u\n"
		       "full avg10=0.00 avg60=0.00 avg300=0.00 total=%u\n",
		       full + 100, full);
	file_put(bench, "cpu.pressure", text);
	(void)snprintf(text, sizeof(text), "usage_usec 10\nthrottled_usec %u\n", throttled);
	file_put(bench, "cpu.stat", text);
}

static void test_stall_qos_is_what_throttling_does_not_explain(void **state)
{
	struct bench *bench = *state;

	stall_apply(bench->snapshot.stall, STALL_COUNTERS);
	file_put(bench, "cpu.idle", "1\n");
	cpu_put(bench, 1000, 100);
	pass_with(bench, true);
	assert_value(bench, SAMPLE_CAUSE_CPU_QOS_FULL_USEC, 0);
	cpu_put(bench, 1500, 300);
	pass_with(bench, true);
	assert_value(bench, SAMPLE_CAUSE_CPU_QOS_FULL_USEC, 300);
	assert_value(bench, SAMPLE_CAUSE_CPU_CFS_BANDWIDTH_FULL_USEC, 300);
	cpu_put(bench, 1600, 900);
	pass_with(bench, true);
	assert_value(bench, SAMPLE_CAUSE_CPU_QOS_FULL_USEC, 300);
	/* Online, or not idle: what it waits for is not its level. */
	cpu_put(bench, 2600, 900);
	pass_with(bench, false);
	assert_unknown(bench, SAMPLE_CAUSE_CPU_QOS_FULL_USEC);
	file_put(bench, "cpu.idle", "0\n");
	cpu_put(bench, 3600, 900);
	pass_with(bench, true);
	assert_unknown(bench, SAMPLE_CAUSE_CPU_QOS_FULL_USEC);
	file_put(bench, "cpu.idle", "1\n");
	cpu_put(bench, 3700, 900);
	pass_with(bench, true);
	assert_value(bench, SAMPLE_CAUSE_CPU_QOS_FULL_USEC, 400);
}

static void test_stall_v1_counters_have_nothing_to_share(void **state)
{
	struct bench *bench = *state;

	stall_apply(bench->snapshot.stall, STALL_COUNTERS);
	pass(bench);
	assert_int_equal(stall_way(bench->snapshot.stall), STALL_OFF);
	assert_non_null(strstr(stall_detail(bench->snapshot.stall), "cgroup v1"));
	assert_unknown(bench, SAMPLE_CAUSE_SWAP_SOME_USEC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_stall_vendor_numbers_are_its_own, setup_v1,
						teardown),
		cmocka_unit_test_setup_teardown(test_stall_vendor_numbers_are_its_own, setup_v2,
						teardown),
		cmocka_unit_test_setup_teardown(test_stall_vendor_is_seen_at_a_group_alone,
						setup_v1, teardown),
		cmocka_unit_test_setup_teardown(test_stall_vendor_is_seen_at_a_group_alone,
						setup_v2, teardown),
		cmocka_unit_test_setup_teardown(test_stall_vendor_total_never_goes_back, setup_v2,
						teardown),
		cmocka_unit_test_setup_teardown(test_stall_counters_share_what_the_kernel_says,
						setup_v2, teardown),
		cmocka_unit_test_setup_teardown(test_stall_totals_go_on_over_a_change_of_way,
						setup_v2, teardown),
		cmocka_unit_test_setup_teardown(test_stall_qos_is_what_throttling_does_not_explain,
						setup_v2, teardown),
		cmocka_unit_test_setup_teardown(test_stall_v1_counters_have_nothing_to_share,
						setup_v1, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
