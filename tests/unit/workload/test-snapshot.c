/* SPDX-License-Identifier: Apache-2.0 */
#include "berth-test.h"
#include "sysroot.h"
#include "telemetry/snapshot.h"
#include "tree.h"

struct bench {
	struct tree *tree;
	struct sysroot root;
	struct snapshot snapshot;
};

static void file_put(const char *directory, const char *name, const char *text)
{
	char path[256];
	FILE *file;

	(void)snprintf(path, sizeof(path), "%s/%s", directory, name);
	file = fopen(path, "we");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_ok(fclose(file));
}

/* A group's file in hierarchy `mount` of the tree. */
static void group_put(const struct bench *bench, unsigned int mount, const char *group,
		      const char *name, const char *text)
{
	char path[256];

	(void)snprintf(path, sizeof(path), "%s/%u/%s", bench->tree->path, mount, group);
	file_put(path, name, text);
}

static void proc_put(const struct bench *bench, const char *name, const char *text)
{
	char path[256];

	(void)snprintf(path, sizeof(path), "%s/proc", bench->tree->path);
	file_put(path, name, text);
}

static struct bench *bench_new(unsigned int mounts)
{
	struct bench *bench = calloc(1, sizeof(*bench));
	char path[128];

	bench->tree = tree_new(mounts);
	(void)snprintf(path, sizeof(path), "%s/proc", bench->tree->path);
	assert_ok(mkdir(path, 0700));
	(void)snprintf(path, sizeof(path), "%s/proc/pressure", bench->tree->path);
	assert_ok(mkdir(path, 0700));
	assert_ok(sysroot_open(bench->tree->path, &bench->root));
	assert_ok(snapshot_init(&bench->snapshot, &bench->root, &bench->tree->hierarchy));
	return bench;
}

static int setup_v1(void **state)
{
	*state = bench_new(3);
	return 0;
}

static int setup_v2(void **state)
{
	*state = bench_new(1);
	return 0;
}

static int teardown(void **state)
{
	struct bench *bench = *state;

	snapshot_done(&bench->snapshot);
	sysroot_done(&bench->root);
	tree_free(bench->tree);
	free(bench);
	return 0;
}

static int take(struct bench *bench, uint64_t id, const char *path)
{
	struct cgroup *group;
	int r;

	assert_ok(cgroup_new(&bench->tree->hierarchy, path, &group));
	r = snapshot_take(&bench->snapshot, id, group);
	cgroup_free(group);
	return r;
}

#define PSI(some, full)                                                       \
	"some avg10=1.00 avg60=0.00 avg300=0.00 total=" some "\nfull avg10=0" \
	".00 avg60=0.00 avg300=0.00 total=" full "\n"

static void test_snapshot_take_v2_reads_every_file(void **state)
{
	struct bench *bench = *state;
	const struct workload_sample *sample;

	tree_mkdir(bench->tree, 0, "a");
	group_put(
		bench, 0, "a", "cpu.stat",
		"usage_usec 123456\nuser_usec 1\nsystem_usec 2\nnr_periods 3\nthrottled_usec 77\n");
	group_put(bench, 0, "a", "memory.current", "4096\n");
	group_put(bench, 0, "a", "cpu.pressure", PSI("11", "12"));
	group_put(bench, 0, "a", "memory.pressure", PSI("21", "22"));
	group_put(bench, 0, "a", "io.pressure", PSI("31", "32"));
	snapshot_begin(&bench->snapshot);
	assert_ok(take(bench, 7, "a"));
	snapshot_end(&bench->snapshot);
	sample = snapshot_get(&bench->snapshot, 7);
	assert_non_null(sample);
	assert_int_equal(sample->size, sizeof(*sample));
	assert_int_equal(sample->generation, 1);
	assert_true(sample->time_usec >= bench->snapshot.time_usec);
	assert_int_equal(sample->cpu_usage_usec, 123456);
	assert_int_equal(sample->cpu_throttled_usec, 77);
	assert_int_equal(sample->memory_bytes, 4096);
	assert_int_equal(sample->cpu_some_usec, 11);
	assert_int_equal(sample->memory_some_usec, 21);
	assert_int_equal(sample->memory_full_usec, 22);
	assert_int_equal(sample->io_some_usec, 31);
	assert_int_equal(bench->snapshot.errors, 0);
	assert_null(snapshot_get(&bench->snapshot, 8));
}

static void test_snapshot_take_v1_converts_nanoseconds(void **state)
{
	struct bench *bench = *state;
	const struct workload_sample *sample;

	for (unsigned int i = 0; i < 3; i++)
		tree_mkdir(bench->tree, i, "a");
	group_put(bench, 0, "a", "cpu.stat", "nr_periods 1\nnr_throttled 1\nthrottled_time 9000\n");
	group_put(bench, 1, "a", "memory.usage_in_bytes", "8192\n");
	group_put(bench, 2, "a", "cpuacct.usage", "5000000\n");
	group_put(bench, 2, "a", "memory.pressure", PSI("5", "6"));
	snapshot_begin(&bench->snapshot);
	assert_ok(take(bench, 1, "a"));
	snapshot_end(&bench->snapshot);
	sample = snapshot_get(&bench->snapshot, 1);
	assert_int_equal(sample->cpu_usage_usec, 5000);
	assert_int_equal(sample->cpu_throttled_usec, 9);
	assert_int_equal(sample->memory_bytes, 8192);
	assert_int_equal(sample->memory_full_usec, 6);
	assert_int_equal(sample->cpu_some_usec, 0);
	assert_int_equal(bench->snapshot.errors, 0);
}

static void test_snapshot_take_malformed_file_keeps_the_last_value(void **state)
{
	struct bench *bench = *state;
	const struct workload_sample *sample;

	tree_mkdir(bench->tree, 0, "a");
	group_put(bench, 0, "a", "cpu.stat", "usage_usec 10\n");
	group_put(bench, 0, "a", "memory.current", "4096\n");
	snapshot_begin(&bench->snapshot);
	assert_ok(take(bench, 1, "a"));
	snapshot_end(&bench->snapshot);
	group_put(bench, 0, "a", "cpu.stat", "usage_usec 1x\n\nnonsense\n");
	group_put(bench, 0, "a", "memory.current", "much\n");
	group_put(bench, 0, "a", "cpu.pressure", "some avg10=x\n");
	snapshot_begin(&bench->snapshot);
	assert_ok(take(bench, 1, "a"));
	snapshot_end(&bench->snapshot);
	sample = snapshot_get(&bench->snapshot, 1);
	assert_int_equal(sample->generation, 2);
	assert_int_equal(sample->cpu_usage_usec, 10);
	assert_int_equal(sample->memory_bytes, 4096);
	assert_int_equal(bench->snapshot.errors, 2);
}

static void test_snapshot_vanished_and_unnamed_groups_lose_their_sample(void **state)
{
	struct bench *bench = *state;
	struct cgroup *group;

	tree_mkdir(bench->tree, 0, "a");
	tree_mkdir(bench->tree, 0, "b");
	snapshot_begin(&bench->snapshot);
	assert_ok(take(bench, 1, "a"));
	assert_ok(take(bench, 2, "b"));
	snapshot_end(&bench->snapshot);
	assert_non_null(snapshot_get(&bench->snapshot, 1));
	assert_non_null(snapshot_get(&bench->snapshot, 2));

	assert_ok(cgroup_new(&bench->tree->hierarchy, "a", &group));
	tree_rmdir(bench->tree, 0, "a");
	snapshot_begin(&bench->snapshot);
	assert_errno(snapshot_take(&bench->snapshot, 1, group), ENOENT);
	cgroup_free(group);
	assert_null(snapshot_get(&bench->snapshot, 1));
	snapshot_end(&bench->snapshot);
	/* The other one was not named in this pass. */
	assert_null(snapshot_get(&bench->snapshot, 2));
	assert_int_equal(bench->snapshot.errors, 0);
	assert_int_equal(bench->snapshot.by_id.count, 0);
}

static void test_snapshot_take_successor_of_the_path_is_not_read(void **state)
{
	struct bench *bench = *state;
	struct cgroup *group;

	tree_mkdir(bench->tree, 0, "a");
	assert_ok(cgroup_new(&bench->tree->hierarchy, "a", &group));
	tree_make_again(bench->tree, 0, "a");
	group_put(bench, 0, "a", "memory.current", "1\n");
	snapshot_begin(&bench->snapshot);
	assert_errno(snapshot_take(&bench->snapshot, 1, group), ENOENT);
	snapshot_end(&bench->snapshot);
	assert_null(snapshot_get(&bench->snapshot, 1));
	cgroup_free(group);
}

static void test_snapshot_begin_reads_the_node(void **state)
{
	struct bench *bench = *state;
	const struct snapshot_node *node = &bench->snapshot.node;

	bench->snapshot.clock_ticks = 100;
	proc_put(bench, "stat",
		 "cpu  100 20 30 400 50 6 7 8 90 0\ncpu0 1 1 1 1 1 1 1 1 1 0\n"
		 "cpu1 1 1 1 1 1 1 1 1 1 0\nintr 12345 0 0\nctxt 1\n");
	proc_put(bench, "meminfo",
		 "MemTotal:       16 kB\nMemFree:  1 kB\nMemAvailable:    8 kB\n");
	proc_put(bench, "pressure/cpu", PSI("1", "2"));
	proc_put(bench, "pressure/memory", PSI("3", "4"));
	snapshot_begin(&bench->snapshot);
	snapshot_end(&bench->snapshot);
	assert_int_equal(node->cpu_total_usec, 6210000);
	assert_int_equal(node->cpu_busy_usec, 1710000);
	assert_int_equal(node->cpus, 2);
	assert_int_equal(node->memory_total_bytes, 16384);
	assert_int_equal(node->memory_available_bytes, 8192);
	/* One of the three is missing. */
	assert_false(node->has_psi);
	assert_int_equal(node->memory.full.total_usec, 4);
	assert_int_equal(bench->snapshot.errors, 0);
	proc_put(bench, "pressure/io", PSI("5", "6"));
	proc_put(bench, "stat", "cpu  1 two 3\n");
	snapshot_begin(&bench->snapshot);
	assert_true(node->has_psi);
	assert_int_equal(node->cpu_total_usec, 6210000);
	assert_int_equal(bench->snapshot.errors, 1);
}

static void test_snapshot_is_fresh_only_within_its_age(void **state)
{
	struct bench *bench = *state;
	struct snapshot *snapshot = &bench->snapshot;

	assert_false(snapshot_is_fresh(snapshot, 0, UINT64_MAX));
	snapshot_begin(snapshot);
	snapshot_end(snapshot);
	assert_true(snapshot_is_fresh(snapshot, snapshot->time_usec, 0));
	assert_true(snapshot_is_fresh(snapshot, snapshot->time_usec + 100, 100));
	assert_false(snapshot_is_fresh(snapshot, snapshot->time_usec + 101, 100));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define V1(name) cmocka_unit_test_setup_teardown(name, setup_v1, teardown)
#define V2(name) cmocka_unit_test_setup_teardown(name, setup_v2, teardown)
		V2(test_snapshot_take_v2_reads_every_file),
		V1(test_snapshot_take_v1_converts_nanoseconds),
		V2(test_snapshot_take_malformed_file_keeps_the_last_value),
		V2(test_snapshot_vanished_and_unnamed_groups_lose_their_sample),
		V1(test_snapshot_take_successor_of_the_path_is_not_read),
		V2(test_snapshot_begin_reads_the_node),
		V2(test_snapshot_is_fresh_only_within_its_age),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
