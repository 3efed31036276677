/* SPDX-License-Identifier: Apache-2.0 */
/* The collector over groups of plain files, and a kernel of BPF programs that is made up here. */
#include <semaphore.h>
#include <sys/syscall.h>
#include <time.h>

#include "berth-test.h"
#include "limit.h"
#include "sysroot.h"
#include "telemetry/bpf/loader.h"
#include "telemetry/collect/bpf-cgroups.h"
#include "telemetry/collect/collector.h"
#include "worker/pool.h"
#include "workload/tree.h"

#define GROUPS   3u
#define USAGE_AT 2 /* of a record's cputime */

/* Instead of bpf-cgroups.c. */
struct bpf_cgroups {
	struct cgroup_layout layout;
	struct cgroup_record records[RECORD_COUNT];
};

static struct kernel {
	struct bpf_cgroups bpf;
	struct cgroup_record groups[GROUPS]; /* what is read at address i + 1 */
	struct found_group found[GROUPS];
	int find_error;
	unsigned int finds, reads;
	bool cpu_only;                /* of the last read */
	unsigned int writeback_reads; /* so many of the group 0 see pages under writeback */
	sem_t loading, go_on;         /* of a load on a thread: it began; it may go on */
	bool waits;
	int load_error;
	unsigned int loads, frees;
} kernel;

int bpf_cgroups_new(int root, struct bpf_cgroups **ret, char *ret_detail, size_t size)
{
	(void)root;
	if (kernel.waits) {
		assert_ok(sem_post(&kernel.loading));
		assert_ok(sem_wait(&kernel.go_on));
	}
	kernel.loads++;
	if (kernel.load_error < 0) {
		(void)snprintf(ret_detail, size, "this kernel is made up");
		return kernel.load_error;
	}
	kernel.bpf.layout = (struct cgroup_layout){
		.parts = PART_ALL,
		.counters = { { { SAMPLE_MEMORY_FILE_WRITEBACK_BYTES, 0, 4096 } }, 1 },
		.page_bytes = 4096,
		.prev_at = 4,
	};
	kernel.bpf.layout.counters_known[SAMPLE_MEMORY_FILE_WRITEBACK_BYTES / 64] |=
		UINT64_C(1) << (SAMPLE_MEMORY_FILE_WRITEBACK_BYTES % 64);
	layout_word_add(&kernel.bpf.layout.pressures, SAMPLE_PRESSURE_CPU_SOME_USEC, 0);
	layout_word_add(&kernel.bpf.layout.events, SAMPLE_MEMORY_EVENT_LOW, 0);
	*ret = &kernel.bpf;
	return 0;
}

struct bpf_cgroups *bpf_cgroups_free(struct bpf_cgroups *bpf)
{
	kernel.frees += bpf != NULL;
	return NULL;
}

struct cgroup_layout *bpf_cgroups_layout(struct bpf_cgroups *bpf)
{
	return &bpf->layout;
}

bool bpf_cgroups_flush_by_subsystem(const struct bpf_cgroups *bpf)
{
	(void)bpf;
	return false;
}

struct cgroup_record *bpf_cgroups_records(struct bpf_cgroups *bpf)
{
	return bpf->records;
}

int bpf_cgroups_read(struct bpf_cgroups *bpf, uint32_t count, bool cpu_only)
{
	kernel.cpu_only = cpu_only;
	for (uint32_t i = 0; i < count; i++) {
		struct cgroup_record *record = &bpf->records[i];
		uint64_t address = record->address;

		record->filled = 0;
		if (address == 0)
			continue;
		*record = kernel.groups[address - 1];
		record->address = address;
		if (cpu_only)
			record->filled &= ~(unsigned int)(RECORD_MEMORY | RECORD_IO);
		if (address == 1 && kernel.writeback_reads > 0) {
			record->counters[0] = 512;
			kernel.writeback_reads--;
		}
	}
	kernel.reads++;
	return 0;
}

int bpf_cgroups_find(struct bpf_cgroups *bpf, const struct found_group **ret, size_t *ret_count)
{
	(void)bpf;
	kernel.finds++;
	if (kernel.find_error < 0)
		return kernel.find_error;
	*ret = kernel.found;
	*ret_count = GROUPS;
	return 0;
}

static uint64_t skipped_usec;

/* Instead of the C library's: time that nobody has to wait for. */
int clock_gettime(clockid_t clock, struct timespec *ret)
{
	if (syscall(SYS_clock_gettime, clock, ret) < 0)
		return -1;
	ret->tv_sec += (time_t)(skipped_usec / USEC_PER_SEC);
	return 0;
}

struct world {
	struct tree *tree;
	struct sysroot root;
	sd_event *event; /* with the pool: BPF is loaded on a thread */
	struct worker_pool *pool;
	struct loader *loader;
	struct collector *collector;
	struct cgroup *groups[GROUPS];
	struct target targets[GROUPS];
};

static void file_put(const struct world *world, unsigned int group, const char *name,
		     const char *text)
{
	char path[256];
	FILE *file;

	(void)snprintf(path, sizeof(path), "%s/0/%u/%s", world->tree->path, group, name);
	file = fopen(path, "we");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_ok(fclose(file));
}

/* Group i uses i + 1 pages less than the one before, and its files say so. */
static void group_make(struct world *world, unsigned int i)
{
	uint64_t pages = 100 - i;
	char text[64];

	(void)snprintf(text, sizeof(text), "%u", i);
	tree_mkdir(world->tree, 0, text);
	assert_ok(cgroup_new(&world->tree->hierarchy, text, &world->groups[i]));
	file_put(world, i, "cpu.stat", "usage_usec 8\nuser_usec 8\nsystem_usec 0\n");
	(void)snprintf(text, sizeof(text), "%llu\n", (unsigned long long)pages * 4096);
	file_put(world, i, "memory.current", text);
	file_put(world, i, "memory.stat", "file_writeback 0\n");
	file_put(world, i, "memory.events", "low 0\n");
	file_put(world, i, "cpu.pressure", "some avg10=0.00 avg60=0.00 avg300=0.00 total=0\n");
	file_put(world, i, "io.stat", "8:0 rbytes=1 wbytes=0 rios=1 wios=0 dbytes=0 dios=0\n");
	kernel.found[i] = (struct found_group){ world->groups[i]->inode[CONTROLLER_CPU], i + 1, 1 };
	kernel.groups[i] = (struct cgroup_record){
		.filled = RECORD_THERE | RECORD_PRESSURE | RECORD_MEMORY | RECORD_IO,
		.cputime = { 0, 8000, 8000 },
		.memory_pages = pages,
		.device_count = 1,
		.devices[0] = { 8, 0, { 1 }, { 1 } },
	};
	world->targets[i] = (struct target){ .id = i + 1, .group = world->groups[i] };
}

static int setup_with(void **state, bool with_thread)
{
	struct world *world = calloc(1, sizeof(*world));

	kernel = (struct kernel){ 0 };
	world->tree = tree_new(1);
	world->tree->hierarchy.mounts[CONTROLLER_IO] =
		world->tree->hierarchy.mounts[CONTROLLER_CPU];
	world->tree->hierarchy.mounts[CONTROLLER_IO].path = NULL;
	assert_ok(sysroot_open(world->tree->path, &world->root));
	for (unsigned int i = 0; i < GROUPS; i++)
		group_make(world, i);
	if (with_thread) {
		kernel.waits = true;
		assert_ok(sem_init(&kernel.loading, 0, 0));
		assert_ok(sem_init(&kernel.go_on, 0, 0));
		assert_ok(sd_event_new(&world->event));
		assert_ok(worker_pool_new(world->event, 1, 2, &world->pool));
	}
	assert_ok(loader_new(world->pool, &world->loader));
	assert_ok(collector_bpf_new(&world->root, &world->tree->hierarchy, world->loader,
				    &world->collector));
	*state = world;
	return 0;
}

static int setup(void **state)
{
	return setup_with(state, false);
}

static int setup_thread(void **state)
{
	return setup_with(state, true);
}

static int teardown(void **state)
{
	struct world *world = *state;

	for (unsigned int i = 0; i < GROUPS; i++) {
		if (world->collector)
			world->collector->ops->forget(world->collector, &world->targets[i]);
		cgroup_free(world->groups[i]);
	}
	if (world->collector)
		(void)world->collector->ops->free(world->collector);
	(void)loader_free(world->loader);
	(void)worker_pool_free(world->pool);
	(void)sd_event_unref(world->event);
	sysroot_done(&world->root);
	tree_free(world->tree);
	free(world);
	return 0;
}

static void pass(struct world *world)
{
	for (unsigned int i = 0; i < GROUPS; i++)
		assert_ok(world->collector->ops->take(world->collector, &world->targets[i]));
	assert_ok(world->collector->ops->finish(world->collector));
}

static struct collector_status status(const struct world *world)
{
	struct collector_status got;

	world->collector->ops->status(world->collector, &got);
	return got;
}

static uint64_t value(const struct world *world, unsigned int group, enum sample_value value)
{
	assert_true(sample_knows(&world->targets[group].sample, value));
	return world->targets[group].sample.value[value];
}

static void test_all_by_bpf(void **state)
{
	struct world *world = *state;

	pass(world);
	assert_string_equal(status(world).way, "bpf");
	assert_string_equal(status(world).detail, "");
	kernel.groups[1].cputime[USAGE_AT] = 9000;
	kernel.groups[1].memory_pages = 7;
	pass(world);
	assert_int_equal(value(world, 1, SAMPLE_CPU_USAGE_USEC), 9);
	assert_int_equal(value(world, 1, SAMPLE_MEMORY_BYTES), 7 * 4096);
}

static void file_remove(const struct world *world, unsigned int group, const char *name)
{
	char path[256];

	(void)snprintf(path, sizeof(path), "%s/0/%u/%s", world->tree->path, group, name);
	assert_ok(unlink(path));
}

/* The controller is out of sight in the biggest group, where another one needs it. */
static void test_candidate_without_files(void **state)
{
	struct world *world = *state;

	file_remove(world, 0, "memory.current");
	file_remove(world, 0, "memory.stat");
	pass(world);
	assert_string_equal(status(world).way, "bpf");
	assert_int_equal(value(world, 1, SAMPLE_MEMORY_BYTES), 99 * 4096);
	assert_true(sample_knows(&world->targets[1].sample, SAMPLE_MEMORY_FILE_WRITEBACK_BYTES));
	/* The part was compared nevertheless, with the next one's. */
	kernel.groups[1].memory_pages = 5000;
	world->collector->ops->recheck(world->collector);
	pass(world);
	assert_int_equal(status(world).by_files, PART_MEMORY);
	assert_non_null(strstr(status(world).detail, "files of '1' on memory"));
}

static void test_no_candidate_has_files(void **state)
{
	struct world *world = *state;

	for (unsigned int i = 0; i < GROUPS; i++) {
		file_remove(world, i, "memory.current");
		file_remove(world, i, "memory.stat");
	}
	pass(world);
	pass(world);
	assert_string_equal(status(world).way, "bpf");
	/* Nothing was said of it: when there is something to compare, it is, if not at once. */
	file_put(world, 2, "memory.current", "4096\n");
	pass(world);
	assert_string_equal(status(world).way, "bpf");
	skipped_usec += LIMIT_BPF_CHECK_USEC;
	pass(world);
	assert_int_equal(status(world).by_files, PART_MEMORY);
	assert_int_equal(value(world, 2, SAMPLE_MEMORY_BYTES), 4096);
}

/* Pages are under writeback whenever records are read, and never when files are. */
static void test_busy_group_agrees_in_a_later_pass(void **state)
{
	struct world *world = *state;

	kernel.writeback_reads = 1 + 2 * LIMIT_BPF_ATTEMPTS;
	pass(world);
	assert_int_equal(status(world).by_files, PART_MEMORY_STAT);
	/* Not a value that was not confirmed, meanwhile. */
	assert_int_equal(value(world, 0, SAMPLE_MEMORY_FILE_WRITEBACK_BYTES), 0);
	for (unsigned int i = 0; i < LIMIT_BPF_PASSES; i++)
		pass(world);
	assert_string_equal(status(world).way, "bpf");
	assert_string_equal(status(world).detail, "");
}

static void test_what_differs_is_lost_until_a_reload(void **state)
{
	struct world *world = *state;

	for (unsigned int i = 0; i < GROUPS; i++)
		kernel.groups[i].memory_pages = 5000;
	for (unsigned int i = 0; i < LIMIT_BPF_PASSES; i++) {
		pass(world);
		assert_int_equal(status(world).by_files, PART_MEMORY);
		assert_int_equal(value(world, 0, SAMPLE_MEMORY_BYTES), 100 * 4096);
	}
	/* It is not looked at again, were it right. */
	for (unsigned int i = 0; i < GROUPS; i++)
		kernel.groups[i].memory_pages = 100 - i;
	kernel.reads = 0;
	pass(world);
	assert_int_equal(kernel.reads, 1);
	assert_int_equal(status(world).by_files, PART_MEMORY);
	world->collector->ops->recheck(world->collector);
	pass(world);
	assert_string_equal(status(world).way, "bpf");
}

/* Files of a group that BPF does not see (any more) are no evidence for BPF. */
static void test_group_that_went_tells_nothing(void **state)
{
	struct world *world = *state;

	pass(world);
	for (unsigned int i = 1; i < GROUPS; i++)
		kernel.groups[i].memory_pages = 5000 - i;
	kernel.groups[0].filled = 0;
	world->collector->ops->recheck(world->collector);
	pass(world);
	assert_int_equal(status(world).by_files, PART_MEMORY);
}

static void test_shortage_while_groups_are_looked_for(void **state)
{
	static const int errors[] = { -EMFILE, -ENFILE, -ENOMEM };
	struct world *world = *state;

	kernel.find_error = errors[0];
	pass(world);
	assert_string_equal(status(world).way, "bpf");
	assert_int_equal(value(world, 0, SAMPLE_MEMORY_BYTES), 100 * 4096);
	assert_int_equal(kernel.finds, 1);
	/* Not at each pass. */
	pass(world);
	assert_int_equal(kernel.finds, 1);
	for (size_t i = 1; i < ARRAY_SIZE(errors); i++) {
		kernel.find_error = errors[i];
		skipped_usec += LIMIT_BPF_FIND_USEC;
		pass(world);
		assert_int_equal(kernel.finds, i + 1);
		assert_string_equal(status(world).way, "bpf");
	}
	kernel.find_error = 0;
	skipped_usec += LIMIT_BPF_FIND_USEC;
	pass(world);
	kernel.groups[0].cputime[USAGE_AT] = 9000;
	pass(world);
	assert_int_equal(value(world, 0, SAMPLE_CPU_USAGE_USEC), 9);
}

static void test_other_errors_end_it(void **state)
{
	struct world *world = *state;

	kernel.find_error = -EPERM;
	pass(world);
	assert_string_equal(status(world).way, "kept files");
	assert_int_equal(value(world, 0, SAMPLE_MEMORY_BYTES), 100 * 4096);
}

static void test_io_on_v1(void **state)
{
	struct world *world = *state;

	world->tree->hierarchy.mounts[CONTROLLER_IO].version = 1;
	pass(world);
	assert_int_equal(status(world).by_files, PART_IO);
	assert_non_null(strstr(status(world).detail, "blkio is on v1"));
	world->collector->ops->recheck(world->collector);
	pass(world);
	assert_int_equal(status(world).by_files, PART_IO);
}

/* One part is read from files, and a group has nothing of it: it is there all the same. */
static void test_group_without_what_files_tell(void **state)
{
	struct world *world = *state;

	file_remove(world, 2, "memory.current");
	for (unsigned int i = 0; i < 2; i++)
		kernel.groups[i].memory_pages = 5000;
	for (unsigned int i = 0; i < 3; i++) {
		pass(world);
		assert_int_equal(status(world).by_files, PART_MEMORY);
		assert_false(world->targets[2].gone);
	}
}

/* What is not asked for stays as the last pass told it. */
static void test_peek_leaves_the_rest(void **state)
{
	struct world *world = *state;
	struct target *targets[] = { &world->targets[1] };
	struct peek_ask ask = { .parts = PART_CPU };

	ask.values[SAMPLE_CPU_USAGE_USEC / 64] |= UINT64_C(1) << SAMPLE_CPU_USAGE_USEC % 64;
	pass(world);
	kernel.groups[1].cputime[USAGE_AT] = 9000;
	world->collector->ops->peek(world->collector, targets, 1, &ask);
	assert_true(kernel.cpu_only);
	assert_int_equal(value(world, 1, SAMPLE_CPU_USAGE_USEC), 9);
	assert_int_equal(value(world, 1, SAMPLE_MEMORY_BYTES), 99 * 4096);
	assert_int_equal(world->targets[1].sample.device_count, 1);
	assert_ptr_equal(world->targets[1].sample.devices, world->targets[1].devices);
}

/* The loop takes what a thread has done. */
static void load_finish(const struct world *world)
{
	assert_ok(sem_post(&kernel.go_on));
	assert_true(sd_event_run(world->event, 30 * USEC_PER_SEC) > 0);
}

static void test_files_while_it_loads(void **state)
{
	struct world *world = *state;

	kernel.groups[1].cputime[USAGE_AT] = 9000;
	pass(world);
	assert_ok(sem_wait(&kernel.loading));
	pass(world);
	assert_int_equal(kernel.reads, 0);
	assert_true(status(world).is_loading);
	assert_string_equal(status(world).way, "kept files");
	assert_non_null(strstr(status(world).detail, "being loaded"));
	assert_int_equal(value(world, 1, SAMPLE_CPU_USAGE_USEC), 8);
	assert_true(status(world).kept_files > 0);
	load_finish(world);
	/* Not between passes. */
	assert_int_equal(kernel.reads, 0);
	pass(world);
	assert_string_equal(status(world).way, "bpf");
	assert_string_equal(status(world).detail, "");
	assert_false(status(world).is_loading);
	assert_int_equal(status(world).kept_files, 0);
	pass(world);
	assert_int_equal(kernel.loads, 1);
	kernel.groups[1].cputime[USAGE_AT] = 10000;
	pass(world);
	assert_int_equal(value(world, 1, SAMPLE_CPU_USAGE_USEC), 10);
}

static void test_load_fails(void **state)
{
	struct world *world = *state;

	kernel.load_error = -EPERM;
	pass(world);
	load_finish(world);
	pass(world);
	assert_string_equal(status(world).way, "kept files");
	assert_string_equal(status(world).detail, "this kernel is made up");
	assert_false(status(world).is_loading);
	assert_int_equal(value(world, 0, SAMPLE_MEMORY_BYTES), 100 * 4096);
	pass(world);
	assert_int_equal(kernel.loads, 1);
}

static void collector_end(struct world *world)
{
	for (unsigned int i = 0; i < GROUPS; i++)
		world->collector->ops->forget(world->collector, &world->targets[i]);
	world->collector = world->collector->ops->free(world->collector);
}

/* A reload that wants another collector: nobody waits, and the loop frees what comes. */
static void test_ends_while_it_loads(void **state)
{
	struct world *world = *state;

	pass(world);
	assert_ok(sem_wait(&kernel.loading));
	collector_end(world);
	assert_int_equal(kernel.loads, 0);
	load_finish(world);
	assert_int_equal(kernel.loads, 1);
	assert_int_equal(kernel.frees, 1);
}

/* The daemon stops: what runs is waited for, what has not begun never does. */
static void test_stop_while_it_loads(void **state)
{
	struct world *world = *state;

	pass(world);
	assert_ok(sem_wait(&kernel.loading));
	collector_end(world);
	assert_ok(collector_bpf_new(&world->root, &world->tree->hierarchy, world->loader,
				    &world->collector));
	pass(world);
	collector_end(world);
	assert_ok(sem_post(&kernel.go_on));
	world->loader = loader_free(world->loader);
	assert_int_equal(kernel.loads, 1);
	assert_int_equal(kernel.frees, 1);
}

/* Loads that were dropped fill the queue: the pass after has room. */
static void test_no_room_for_a_load(void **state)
{
	struct world *world = *state;

	for (unsigned int i = 0; i < 3; i++) {
		pass(world);
		if (i == 0)
			assert_ok(sem_wait(&kernel.loading));
		collector_end(world);
		assert_ok(collector_bpf_new(&world->root, &world->tree->hierarchy, world->loader,
					    &world->collector));
	}
	pass(world);
	assert_false(status(world).is_loading);
	assert_non_null(strstr(status(world).detail, "no thread to load the BPF programs with"));
	assert_int_equal(value(world, 0, SAMPLE_MEMORY_BYTES), 100 * 4096);
	load_finish(world);
	kernel.waits = false;
	for (pass(world); strcmp(status(world).way, "bpf") != 0; pass(world))
		assert_true(sd_event_run(world->event, 30 * USEC_PER_SEC) > 0);
	assert_string_equal(status(world).way, "bpf");
	assert_int_equal(kernel.loads, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_all_by_bpf, setup, teardown),
		cmocka_unit_test_setup_teardown(test_candidate_without_files, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_candidate_has_files, setup, teardown),
		cmocka_unit_test_setup_teardown(test_busy_group_agrees_in_a_later_pass, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_what_differs_is_lost_until_a_reload, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_group_that_went_tells_nothing, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_shortage_while_groups_are_looked_for, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_other_errors_end_it, setup, teardown),
		cmocka_unit_test_setup_teardown(test_io_on_v1, setup, teardown),
		cmocka_unit_test_setup_teardown(test_group_without_what_files_tell, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_peek_leaves_the_rest, setup, teardown),
		cmocka_unit_test_setup_teardown(test_files_while_it_loads, setup_thread, teardown),
		cmocka_unit_test_setup_teardown(test_load_fails, setup_thread, teardown),
		cmocka_unit_test_setup_teardown(test_ends_while_it_loads, setup_thread, teardown),
		cmocka_unit_test_setup_teardown(test_stop_while_it_loads, setup_thread, teardown),
		cmocka_unit_test_setup_teardown(test_no_room_for_a_load, setup_thread, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
