/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/resource.h>

#include "berth-test.h"
#include "sample.h"
#include "sysroot.h"
#include "telemetry/collect/collector.h"
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
	assert_ok(snapshot_init(&bench->snapshot, &bench->root, &bench->tree->hierarchy, NULL));
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
	r = snapshot_take(&bench->snapshot, id, 0, group);
	cgroup_free(group);
	return r;
}

#define PSI(some, full)                                                       \
	"some avg10=1.00 avg60=0.00 avg300=0.00 total=" some "\nfull avg10=0" \
	".00 avg60=0.00 avg300=0.00 total=" full "\n"

struct expected {
	enum sample_value value;
	uint64_t number;
};

/* These and no others are known. */
static void assert_values(const struct workload_sample *sample, const struct expected *expected,
			  size_t count)
{
	unsigned int known = 0;

	assert_non_null(sample);
	for (size_t i = 0; i < count; i++) {
		if (!sample_knows(sample, expected[i].value) ||
		    sample->value[expected[i].value] != expected[i].number)
			fail_msg("%s is %llu, wanted %llu", sample_value_name(expected[i].value),
				 (unsigned long long)sample->value[expected[i].value],
				 (unsigned long long)expected[i].number);
	}
	for (unsigned int i = 0; i < SAMPLE_MAX; i++)
		known += (unsigned int)sample_knows(sample, (enum sample_value)i);
	assert_int_equal(known, count);
}

static void pass(struct bench *bench, uint64_t id, const char *path)
{
	snapshot_begin(&bench->snapshot);
	assert_ok(take(bench, id, path));
	snapshot_end(&bench->snapshot);
}

#define MEMORY_STAT_V2                                                                        \
	"anon 1\nfile 2\nkernel 99\nkernel_stack 3\npagetables 4\nsec_pagetables 0\nsock 5\n" \
	"shmem 6\nfile_mapped 7\nfile_dirty 8\nfile_writeback 9\nswapcached 0\n"              \
	"inactive_anon 10\nactive_anon 11\ninactive_file 1000\nactive_file 13\n"              \
	"unevictable 14\nslab_reclaimable 15\nslab_unreclaimable 16\nslab 31\n"               \
	"workingset_refault_anon 17\nworkingset_refault_file 18\npgscan 19\npgsteal 20\n"     \
	"pgscan_kswapd 9999\npgfault 21\npgmajfault 22\npswpin 23\npswpout 24\n"

static void test_snapshot_take_v2_reads_every_file(void **state)
{
	static const struct expected expected[] = {
		{ SAMPLE_CPU_USAGE_USEC, 123456 },
		{ SAMPLE_CPU_USER_USEC, 1 },
		{ SAMPLE_CPU_SYSTEM_USEC, 2 },
		{ SAMPLE_CPU_PERIODS, 3 },
		{ SAMPLE_CPU_THROTTLED_PERIODS, 4 },
		{ SAMPLE_CPU_THROTTLED_USEC, 77 },
		{ SAMPLE_MEMORY_BYTES, 4096 },
		{ SAMPLE_MEMORY_WORKING_SET_BYTES, 3096 },
		{ SAMPLE_MEMORY_SWAP_BYTES, 8192 },
		{ SAMPLE_MEMORY_ANON_BYTES, 1 },
		{ SAMPLE_MEMORY_FILE_BYTES, 2 },
		{ SAMPLE_MEMORY_SHMEM_BYTES, 6 },
		{ SAMPLE_MEMORY_FILE_MAPPED_BYTES, 7 },
		{ SAMPLE_MEMORY_FILE_DIRTY_BYTES, 8 },
		{ SAMPLE_MEMORY_FILE_WRITEBACK_BYTES, 9 },
		{ SAMPLE_MEMORY_INACTIVE_ANON_BYTES, 10 },
		{ SAMPLE_MEMORY_ACTIVE_ANON_BYTES, 11 },
		{ SAMPLE_MEMORY_INACTIVE_FILE_BYTES, 1000 },
		{ SAMPLE_MEMORY_ACTIVE_FILE_BYTES, 13 },
		{ SAMPLE_MEMORY_UNEVICTABLE_BYTES, 14 },
		{ SAMPLE_MEMORY_SLAB_RECLAIMABLE_BYTES, 15 },
		{ SAMPLE_MEMORY_SLAB_UNRECLAIMABLE_BYTES, 16 },
		{ SAMPLE_MEMORY_KERNEL_STACK_BYTES, 3 },
		{ SAMPLE_MEMORY_PAGETABLES_BYTES, 4 },
		{ SAMPLE_MEMORY_SOCK_BYTES, 5 },
		{ SAMPLE_MEMORY_EVENT_LOW, 41 },
		{ SAMPLE_MEMORY_EVENT_HIGH, 42 },
		{ SAMPLE_MEMORY_EVENT_MAX, 43 },
		{ SAMPLE_MEMORY_EVENT_OOM, 44 },
		{ SAMPLE_MEMORY_EVENT_OOM_KILL, 45 },
		{ SAMPLE_MEMORY_FAULTS, 21 },
		{ SAMPLE_MEMORY_MAJOR_FAULTS, 22 },
		{ SAMPLE_MEMORY_REFAULT_ANON, 17 },
		{ SAMPLE_MEMORY_REFAULT_FILE, 18 },
		{ SAMPLE_MEMORY_SCANNED, 19 },
		{ SAMPLE_MEMORY_RECLAIMED, 20 },
		{ SAMPLE_MEMORY_SWAPPED_IN, 23 },
		{ SAMPLE_MEMORY_SWAPPED_OUT, 24 },
		{ SAMPLE_PRESSURE_CPU_SOME_USEC, 11 },
		{ SAMPLE_PRESSURE_CPU_FULL_USEC, 12 },
		{ SAMPLE_PRESSURE_MEMORY_SOME_USEC, 21 },
		{ SAMPLE_PRESSURE_MEMORY_FULL_USEC, 22 },
		{ SAMPLE_PRESSURE_IO_SOME_USEC, 31 },
		{ SAMPLE_PRESSURE_IO_FULL_USEC, 32 },
		{ SAMPLE_PRESSURE_IRQ_FULL_USEC, 33 },
	};
	struct bench *bench = *state;
	const struct workload_sample *sample;

	tree_mkdir(bench->tree, 0, "a");
	group_put(bench, 0, "a", "cpu.stat",
		  "usage_usec 123456\nuser_usec 1\nsystem_usec 2\nnr_periods 3\nnr_throttled 4\n"
		  "throttled_usec 77\nnr_bursts 0\nburst_usec 0\n");
	group_put(bench, 0, "a", "memory.current", "4096\n");
	group_put(bench, 0, "a", "memory.swap.current", "8192\n");
	group_put(bench, 0, "a", "memory.stat", MEMORY_STAT_V2);
	group_put(bench, 0, "a", "memory.events",
		  "low 41\nhigh 42\nmax 43\noom 44\noom_kill 45\noom_group_kill 0\n");
	group_put(bench, 0, "a", "cpu.pressure", PSI("11", "12"));
	group_put(bench, 0, "a", "memory.pressure", PSI("21", "22"));
	group_put(bench, 0, "a", "io.pressure", PSI("31", "32"));
	group_put(bench, 0, "a", "irq.pressure",
		  "full avg10=0.00 avg60=0.00 avg300=0.00 total=33\n");
	pass(bench, 7, "a");
	sample = snapshot_get(&bench->snapshot, 7);
	assert_values(sample, expected, ARRAY_SIZE(expected));
	assert_int_equal(sample->size, sizeof(*sample));
	assert_int_equal(sample->generation, 1);
	assert_true(sample->time_usec >= bench->snapshot.time_usec);
	assert_int_equal(sample->device_count, 0);
	assert_int_equal(bench->snapshot.errors, 0);
	assert_null(snapshot_get(&bench->snapshot, 8));
}

#define MEMORY_STAT_V1                                                                          \
	"cache 1\nrss 1\nswap 1\npgfault 1\nhierarchical_memory_limit 9223372036854771712\n"    \
	"total_cache 2\ntotal_rss 3\ntotal_rss_huge 0\ntotal_shmem 4\ntotal_mapped_file 5\n"    \
	"total_dirty 6\ntotal_writeback 7\ntotal_workingset_refault_anon 8\n"                   \
	"total_workingset_refault_file 9\ntotal_swap 10\ntotal_pgpgin 1\ntotal_pgpgout 1\n"     \
	"total_pgfault 11\ntotal_pgmajfault 12\ntotal_inactive_anon 13\ntotal_active_anon 14\n" \
	"total_inactive_file 15\ntotal_active_file 16\ntotal_unevictable 17\n"

static void test_snapshot_take_v1_reads_every_file(void **state)
{
	static const struct expected expected[] = {
		{ SAMPLE_CPU_USAGE_USEC, 5000 },
		{ SAMPLE_CPU_USER_USEC, 30000 },
		{ SAMPLE_CPU_SYSTEM_USEC, 40000 },
		{ SAMPLE_CPU_PERIODS, 1 },
		{ SAMPLE_CPU_THROTTLED_PERIODS, 2 },
		{ SAMPLE_CPU_THROTTLED_USEC, 9 },
		{ SAMPLE_MEMORY_BYTES, 8192 },
		{ SAMPLE_MEMORY_WORKING_SET_BYTES, 8177 },
		{ SAMPLE_MEMORY_SWAP_BYTES, 10 },
		{ SAMPLE_MEMORY_FILE_BYTES, 2 },
		{ SAMPLE_MEMORY_ANON_BYTES, 3 },
		{ SAMPLE_MEMORY_SHMEM_BYTES, 4 },
		{ SAMPLE_MEMORY_FILE_MAPPED_BYTES, 5 },
		{ SAMPLE_MEMORY_FILE_DIRTY_BYTES, 6 },
		{ SAMPLE_MEMORY_FILE_WRITEBACK_BYTES, 7 },
		{ SAMPLE_MEMORY_REFAULT_ANON, 8 },
		{ SAMPLE_MEMORY_REFAULT_FILE, 9 },
		{ SAMPLE_MEMORY_FAULTS, 11 },
		{ SAMPLE_MEMORY_MAJOR_FAULTS, 12 },
		{ SAMPLE_MEMORY_INACTIVE_ANON_BYTES, 13 },
		{ SAMPLE_MEMORY_ACTIVE_ANON_BYTES, 14 },
		{ SAMPLE_MEMORY_INACTIVE_FILE_BYTES, 15 },
		{ SAMPLE_MEMORY_ACTIVE_FILE_BYTES, 16 },
		{ SAMPLE_MEMORY_UNEVICTABLE_BYTES, 17 },
		{ SAMPLE_MEMORY_EVENT_OOM_KILL, 18 },
		{ SAMPLE_PRESSURE_MEMORY_SOME_USEC, 5 },
		{ SAMPLE_PRESSURE_MEMORY_FULL_USEC, 6 },
	};
	struct bench *bench = *state;
	const struct workload_sample *sample;

	for (unsigned int i = 0; i < 3; i++)
		tree_mkdir(bench->tree, i, "a");
	group_put(bench, 0, "a", "cpu.stat", "nr_periods 1\nnr_throttled 2\nthrottled_time 9000\n");
	group_put(bench, 1, "a", "memory.usage_in_bytes", "8192\n");
	group_put(bench, 1, "a", "memory.stat", MEMORY_STAT_V1);
	group_put(bench, 1, "a", "memory.oom_control",
		  "oom_kill_disable 0\nunder_oom 0\noom_kill 18\n");
	group_put(bench, 2, "a", "cpuacct.usage", "5000000\n");
	group_put(bench, 2, "a", "cpuacct.stat", "user 3\nsystem 4\n");
	group_put(bench, 2, "a", "memory.pressure", PSI("5", "6"));
	pass(bench, 1, "a");
	sample = snapshot_get(&bench->snapshot, 1);
	assert_values(sample, expected, ARRAY_SIZE(expected));
	assert_int_equal(bench->snapshot.errors, 0);
}

/* Mounted where cpu is, as on cgroup v2. */
static void io_mount(struct bench *bench, int version)
{
	struct hierarchy_mount *mount = &bench->tree->hierarchy.mounts[CONTROLLER_IO];

	*mount = bench->tree->hierarchy.mounts[CONTROLLER_CPU];
	mount->path = NULL;
	mount->version = version;
	mount->fd = dup(mount->fd);
	snapshot_done(&bench->snapshot);
	assert_ok(snapshot_init(&bench->snapshot, &bench->root, &bench->tree->hierarchy, NULL));
}

static void device_link(const struct bench *bench, const char *number, const char *target)
{
	char path[256];

	(void)snprintf(path, sizeof(path), "%s/sys/dev/block/%s", bench->tree->path, number);
	assert_ok(symlink(target, path));
}

static void sys_make(struct bench *bench)
{
	static const char *const parts[] = { "sys", "sys/dev", "sys/dev/block" };
	char path[256];

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", bench->tree->path, parts[i]);
		assert_ok(mkdir(path, 0700));
	}
	sysroot_done(&bench->root);
	assert_ok(sysroot_open(bench->tree->path, &bench->root));
}

static void test_snapshot_take_v2_devices_by_number_with_names(void **state)
{
	struct bench *bench = *state;
	const struct workload_sample *sample;

	sys_make(bench);
	device_link(bench, "8:0", "../../devices/pci0000:00/block/sda");
	device_link(bench, "259:0",
		    "../../devices/a-name-that-is-longer-than-a-sample-has-room-for");
	io_mount(bench, 2);
	tree_mkdir(bench->tree, 0, "a");
	group_put(
		bench, 0, "a", "io.stat",
		"259:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6 cost.usage=7\n"
		"253:9 \n7:0 rbytes=0 wbytes=0 rios=0 wios=0 dbytes=0 dios=0\n"
		"(unknown) rbytes=9\n8:0 rbytes=11 wbytes=12 rios=13 wios=14 dbytes=15 dios=16\n");
	pass(bench, 1, "a");
	sample = snapshot_get(&bench->snapshot, 1);
	assert_int_equal(sample->device_count, 2);
	assert_string_equal(sample->devices[0].name, "sda");
	assert_string_equal(sample->devices[1].name, "259:0");
	for (unsigned int i = 0; i < 2; i++) {
		const uint64_t *value = sample->devices[i].value;
		uint64_t base = i == 0 ? 10 : 0;

		assert_int_equal(value[IO_READ_BYTES], base + 1);
		assert_int_equal(value[IO_WRITE_BYTES], base + 2);
		assert_int_equal(value[IO_READS], base + 3);
		assert_int_equal(value[IO_WRITES], base + 4);
		assert_int_equal(value[IO_DISCARD_BYTES], base + 5);
		assert_int_equal(value[IO_DISCARDS], base + 6);
	}
	/* Nothing was done on these, so that they take no place. */
	group_put(bench, 0, "a", "io.stat",
		  "7:0 \n7:1 rbytes=0 rios=0\n7:2 rbytes=0\n7:3 rbytes=0\n7:4 rbytes=0\n"
		  "8:0 rbytes=3 rios=1\n");
	pass(bench, 1, "a");
	sample = snapshot_get(&bench->snapshot, 1);
	assert_int_equal(sample->device_count, 1);
	assert_string_equal(sample->devices[0].name, "sda");
	/* As kernel 5.15 prints them. */
	group_put(bench, 0, "a", "io.stat", "7:1 7:0 8:0 rbytes=7 rios=1\n7:9 7:8 ");
	pass(bench, 1, "a");
	sample = snapshot_get(&bench->snapshot, 1);
	assert_int_equal(sample->device_count, 1);
	assert_string_equal(sample->devices[0].name, "sda");
	assert_int_equal(sample->devices[0].value[IO_READ_BYTES], 7);
	/* More than there is room for: the lowest numbers. */
	group_put(bench, 0, "a", "io.stat",
		  "9:5 rbytes=1\n9:3 rbytes=2\n8:0 rbytes=3\n9:1 rbytes=4\n9:4 rbytes=5\n9:2 "
		  "rbytes=6\n");
	pass(bench, 1, "a");
	sample = snapshot_get(&bench->snapshot, 1);
	assert_int_equal(sample->device_count, SAMPLE_DEVICES);
	assert_int_equal(sample->devices[0].value[IO_READ_BYTES], 3);
	assert_int_equal(sample->devices[1].value[IO_READ_BYTES], 4);
	assert_int_equal(sample->devices[2].value[IO_READ_BYTES], 6);
	assert_int_equal(sample->devices[3].value[IO_READ_BYTES], 2);
	assert_int_equal(bench->snapshot.errors, 0);
}

static void test_snapshot_take_v1_devices_from_two_files(void **state)
{
	struct bench *bench = *state;
	const struct workload_sample *sample;

	io_mount(bench, 1);
	for (unsigned int i = 0; i < 3; i++)
		tree_mkdir(bench->tree, i, "a");
	group_put(bench, 0, "a", "blkio.throttle.io_service_bytes",
		  "8:0 Read 4096\n8:0 Write 8192\n8:0 Sync 1\n8:0 Async 2\n8:0 Discard 3\n"
		  "8:0 Total 4\nTotal 5\n");
	group_put(bench, 0, "a", "blkio.throttle.io_serviced_recursive",
		  "8:0 Read 1\n8:0 Write 2\n8:0 Discard 4\n8:0 Total 3\nTotal 3\n");
	pass(bench, 1, "a");
	sample = snapshot_get(&bench->snapshot, 1);
	assert_int_equal(sample->device_count, 1);
	assert_string_equal(sample->devices[0].name, "8:0");
	assert_int_equal(sample->devices[0].value[IO_READ_BYTES], 4096);
	assert_int_equal(sample->devices[0].value[IO_WRITE_BYTES], 8192);
	assert_int_equal(sample->devices[0].value[IO_DISCARD_BYTES], 3);
	assert_int_equal(sample->devices[0].value[IO_READS], 1);
	assert_int_equal(sample->devices[0].value[IO_WRITES], 2);
	assert_int_equal(sample->devices[0].value[IO_DISCARDS], 4);
}

static uint64_t kept_files(struct bench *bench)
{
	struct collector_status status;

	snapshot_status(&bench->snapshot, &status);
	return status.kept_files;
}

static void test_snapshot_keeps_files_until_nobody_asks(void **state)
{
	struct bench *bench = *state;
	struct collector *collector = bench->snapshot.collector;

	tree_mkdir(bench->tree, 0, "a");
	tree_mkdir(bench->tree, 0, "b");
	group_put(bench, 0, "a", "memory.current", "4096\n");
	group_put(bench, 0, "a", "cpu.stat", "usage_usec 1\n");
	group_put(bench, 0, "b", "memory.current", "4096\n");
	snapshot_begin(&bench->snapshot);
	assert_ok(take(bench, 1, "a"));
	assert_ok(take(bench, 2, "b"));
	snapshot_end(&bench->snapshot);
	assert_int_equal(kept_files(bench), 3);
	/* Those of a workload that is not named any more are closed. */
	pass(bench, 1, "a");
	assert_int_equal(kept_files(bench), 2);
	collector->ops->rest(collector);
	assert_int_equal(kept_files(bench), 0);
	group_put(bench, 0, "a", "memory.current", "8192\n");
	pass(bench, 1, "a");
	assert_int_equal(kept_files(bench), 2);
	assert_int_equal(snapshot_get(&bench->snapshot, 1)->value[SAMPLE_MEMORY_BYTES], 8192);
}

static void group_remove(const struct bench *bench, unsigned int mount, const char *group,
			 const char *name)
{
	char path[256];

	(void)snprintf(path, sizeof(path), "%s/%u/%s/%s", bench->tree->path, mount, group, name);
	assert_ok(unlink(path));
}

/* A controller that is taken from a group takes its files: what they told is not told for ever. */
static void test_snapshot_forgets_values_of_files_that_went(void **state)
{
	struct bench *bench = *state;
	struct collector *collector;
	const struct workload_sample *sample;

	io_mount(bench, 2);
	collector = bench->snapshot.collector;
	tree_mkdir(bench->tree, 0, "a");
	group_put(bench, 0, "a", "cpu.stat", "usage_usec 1\n");
	group_put(bench, 0, "a", "memory.current", "4096\n");
	group_put(bench, 0, "a", "memory.stat", "inactive_file 1\n");
	group_put(bench, 0, "a", "io.stat", "8:0 rbytes=1 rios=1\n");
	pass(bench, 1, "a");
	sample = snapshot_get(&bench->snapshot, 1);
	assert_true(sample_knows(sample, SAMPLE_MEMORY_WORKING_SET_BYTES));
	assert_int_equal(sample->device_count, 1);
	group_remove(bench, 0, "a", "memory.current");
	group_remove(bench, 0, "a", "memory.stat");
	group_remove(bench, 0, "a", "io.stat");
	collector->ops->rest(collector);
	pass(bench, 1, "a");
	sample = snapshot_get(&bench->snapshot, 1);
	assert_values(sample, (struct expected[]){ { SAMPLE_CPU_USAGE_USEC, 1 } }, 1);
	assert_int_equal(sample->device_count, 0);
}

/* systemd takes groups of v1 out of hierarchies that a unit does not need any more. */
static void leave_a_hierarchy(struct bench *bench)
{
	struct collector *collector = bench->snapshot.collector;
	struct cgroup *group;

	for (unsigned int i = 0; i < 3; i++)
		tree_mkdir(bench->tree, i, "a");
	group_put(bench, 0, "a", "cpu.stat", "nr_periods 1\n");
	group_put(bench, 1, "a", "memory.usage_in_bytes", "8192\n");
	assert_ok(cgroup_new(&bench->tree->hierarchy, "a", &group));
	for (unsigned int turn = 0; turn < 3; turn++) {
		snapshot_begin(&bench->snapshot);
		if (turn < 2)
			assert_ok(snapshot_take(&bench->snapshot, 1, 0, group));
		else
			assert_errno(snapshot_take(&bench->snapshot, 1, 0, group), ENOENT);
		snapshot_end(&bench->snapshot);
		if (turn == 0) {
			group_remove(bench, 1, "a", "memory.usage_in_bytes");
			tree_rmdir(bench->tree, 1, "a");
		}
		if (turn == 1) {
			assert_values(snapshot_get(&bench->snapshot, 1),
				      (struct expected[]){ { SAMPLE_CPU_PERIODS, 1 } }, 1);
			group_remove(bench, 0, "a", "cpu.stat");
			tree_rmdir(bench->tree, 0, "a");
			tree_rmdir(bench->tree, 2, "a");
		}
		collector->ops->rest(collector);
	}
	assert_int_equal(bench->snapshot.errors, 0);
	cgroup_free(group);
}

static void test_snapshot_v1_group_leaves_one_hierarchy(void **state)
{
	leave_a_hierarchy(*state);
}

static void test_snapshot_v1_group_leaves_one_hierarchy_opened(void **state)
{
	struct bench *bench = *state;
	struct rlimit limit, few;

	assert_ok(getrlimit(RLIMIT_NOFILE, &limit));
	few = (struct rlimit){ 24, limit.rlim_max };
	assert_ok(setrlimit(RLIMIT_NOFILE, &few));
	snapshot_done(&bench->snapshot);
	assert_ok(snapshot_init(&bench->snapshot, &bench->root, &bench->tree->hierarchy, NULL));
	leave_a_hierarchy(bench);
	assert_ok(setrlimit(RLIMIT_NOFILE, &limit));
}

/* BPF's collector, which read before, estimates these two: a step back is a reset to Prometheus. */
static void test_snapshot_cpu_shares_do_not_go_back(void **state)
{
	struct bench *bench = *state;
	const struct workload_sample *sample;

	tree_mkdir(bench->tree, 0, "a");
	group_put(bench, 0, "a", "cpu.stat", "usage_usec 100\nuser_usec 60\nsystem_usec 40\n");
	pass(bench, 1, "a");
	group_put(bench, 0, "a", "cpu.stat", "usage_usec 102\nuser_usec 57\nsystem_usec 45\n");
	pass(bench, 1, "a");
	sample = snapshot_get(&bench->snapshot, 1);
	assert_int_equal(sample->value[SAMPLE_CPU_USAGE_USEC], 102);
	assert_int_equal(sample->value[SAMPLE_CPU_USER_USEC], 60);
	assert_int_equal(sample->value[SAMPLE_CPU_SYSTEM_USEC], 45);
}

static void test_snapshot_opens_files_where_few_may_be_open(void **state)
{
	struct bench *bench = *state;
	struct rlimit limit, few;
	struct collector_status status;

	assert_ok(getrlimit(RLIMIT_NOFILE, &limit));
	few = (struct rlimit){ 24, limit.rlim_max };
	assert_ok(setrlimit(RLIMIT_NOFILE, &few));
	snapshot_done(&bench->snapshot);
	assert_ok(snapshot_init(&bench->snapshot, &bench->root, &bench->tree->hierarchy, NULL));
	for (char name[2] = "a"; name[0] <= 'h'; name[0]++) {
		tree_mkdir(bench->tree, 0, name);
		group_put(bench, 0, name, "memory.current", "4096\n");
		group_put(bench, 0, name, "memory.events", "low 1\n");
	}
	for (unsigned int turn = 0; turn < 2; turn++) {
		snapshot_begin(&bench->snapshot);
		for (char name[2] = "a"; name[0] <= 'h'; name[0]++)
			assert_ok(take(bench, (uint64_t)name[0], name));
		snapshot_end(&bench->snapshot);
	}
	for (char name = 'a'; name <= 'h'; name++) {
		const struct workload_sample *sample =
			snapshot_get(&bench->snapshot, (uint64_t)name);

		assert_int_equal(sample->value[SAMPLE_MEMORY_BYTES], 4096);
		assert_int_equal(sample->value[SAMPLE_MEMORY_EVENT_LOW], 1);
	}
	snapshot_status(&bench->snapshot, &status);
	assert_true(status.kept_files <= 12);
	assert_string_equal(status.way, "opened files");
	assert_int_equal(bench->snapshot.errors, 0);
	assert_ok(setrlimit(RLIMIT_NOFILE, &limit));
}

static void test_snapshot_take_malformed_file_keeps_the_last_value(void **state)
{
	struct bench *bench = *state;
	const struct workload_sample *sample;

	tree_mkdir(bench->tree, 0, "a");
	group_put(bench, 0, "a", "cpu.stat", "usage_usec 10\n");
	group_put(bench, 0, "a", "memory.current", "4096\n");
	group_put(bench, 0, "a", "cpu.pressure", PSI("7", "8"));
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
	assert_int_equal(sample->value[SAMPLE_CPU_USAGE_USEC], 10);
	assert_int_equal(sample->value[SAMPLE_MEMORY_BYTES], 4096);
	assert_int_equal(sample->value[SAMPLE_PRESSURE_CPU_SOME_USEC], 7);
	assert_int_equal(bench->snapshot.errors, 3);
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
	assert_errno(snapshot_take(&bench->snapshot, 1, 0, group), ENOENT);
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
	assert_errno(snapshot_take(&bench->snapshot, 1, 0, group), ENOENT);
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
	assert_int_equal(node->memory_free_bytes, 1024);
	assert_int_equal(node->swap_total_bytes, 0);
	/* One of the three is missing. */
	assert_false(node->has_psi);
	assert_int_equal(node->memory.full.total_usec, 4);
	assert_int_equal(bench->snapshot.errors, 0);
	proc_put(bench, "meminfo",
		 "MemTotal:       16 kB\nMemFree:  1 kB\nMemAvailable:    8 kB\n"
		 "SwapCached:  9 kB\nSwapTotal:  4 kB\nSwapFree:  3 kB\n");
	proc_put(bench, "pressure/io", PSI("5", "6"));
	proc_put(bench, "stat", "cpu  1 two 3\n");
	snapshot_begin(&bench->snapshot);
	assert_true(node->has_psi);
	assert_int_equal(node->cpu_total_usec, 6210000);
	assert_int_equal(node->swap_total_bytes, 4096);
	assert_int_equal(node->swap_free_bytes, 3072);
	assert_int_equal(bench->snapshot.errors, 1);
}

/* A CPU that is taken away takes idle time with it, and iowait goes down now and then. A counter
 * that did would read as one that began anew: weeks of work in one interval. */
static void test_snapshot_node_time_never_goes_back(void **state)
{
	static const struct {
		const char *line;
		uint64_t total, busy;
	} rows[] = {
		{ "cpu  100 0 0 800 100 0 0 0 0 0\n", 10000000, 1000000 },
		{ "cpu  110 0 0 500 100 0 0 0 0 0\n", 10100000, 1100000 },
		{ "cpu  120 0 0 540 100 0 0 0 0 0\n", 10600000, 1200000 },
		{ "cpu  115 0 0 550 110 0 0 0 0 0\n", 10800000, 1200000 },
	};
	struct bench *bench = *state;
	const struct snapshot_node *node = &bench->snapshot.node;

	bench->snapshot.clock_ticks = 100;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		proc_put(bench, "stat", rows[i].line);
		assert_ok(snapshot_node(&bench->snapshot, 0));
		assert_int_equal(node->cpu_total_usec, rows[i].total);
		assert_int_equal(node->cpu_busy_usec, rows[i].busy);
	}
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
		V1(test_snapshot_take_v1_reads_every_file),
		V2(test_snapshot_take_v2_devices_by_number_with_names),
		V1(test_snapshot_take_v1_devices_from_two_files),
		V2(test_snapshot_keeps_files_until_nobody_asks),
		V2(test_snapshot_forgets_values_of_files_that_went),
		V2(test_snapshot_cpu_shares_do_not_go_back),
		V1(test_snapshot_v1_group_leaves_one_hierarchy),
		V1(test_snapshot_v1_group_leaves_one_hierarchy_opened),
		V2(test_snapshot_opens_files_where_few_may_be_open),
		V2(test_snapshot_take_malformed_file_keeps_the_last_value),
		V2(test_snapshot_vanished_and_unnamed_groups_lose_their_sample),
		V1(test_snapshot_take_successor_of_the_path_is_not_read),
		V2(test_snapshot_begin_reads_the_node),
		V2(test_snapshot_node_time_never_goes_back),
		V2(test_snapshot_is_fresh_only_within_its_age),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
