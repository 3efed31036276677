/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Windows of counters over real groups of this machine, with events of the kernel instead of a
 * PMU's: they are opened, scheduled by group, read and closed in the same way, and are everywhere.
 * What is counted can be foreseen: nanoseconds on a CPU, and switches.
 */
#include <fcntl.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "berth-test.h"
#include "cleanup.h"
#include "limit.h"
#include "macro.h"
#include "monotonic.h"
#include "telemetry/perf/group.h"
#include "telemetry/perf/perf.h"
#include "telemetry/perf/probe.h"
#include "telemetry/target.h"

#define SPIN_USEC    (200 * USEC_PER_MSEC)
#define GROUPS       4u
#define FILES(bench) (PERF_VALUES * (bench)->cpus) /* of one window */

#define SOFTWARE(event)                                   \
	{                                                 \
		PERF_TYPE_SOFTWARE, PERF_COUNT_SW_##event \
	}
#define NO_SUCH                          \
	{                                \
		PERF_TYPE_SOFTWARE, 9999 \
	}

static const struct perf_kind software = {
	.events = { SOFTWARE(TASK_CLOCK), SOFTWARE(CONTEXT_SWITCHES), SOFTWARE(PAGE_FAULTS),
		    SOFTWARE(TASK_CLOCK) },
};
/* A PMU that counts no cache. */
static const struct perf_kind without_cache = {
	.events = { SOFTWARE(TASK_CLOCK), SOFTWARE(CONTEXT_SWITCHES), SOFTWARE(PAGE_FAULTS),
		    NO_SUCH },
};

struct bench {
	struct sysroot root;
	struct hierarchy hierarchy;
	sd_event *event;
	struct perf *perf;
	struct hashmap targets;
	struct target target[GROUPS];
	struct cgroup *groups[GROUPS];
	int top; /* where perf_event is */
	int dirs[GROUPS];
	char names[GROUPS][64];
	unsigned int cpus;
};

/* The group as perf_event finds it, which need not be where a registry would. */
static bool group_make(struct bench *bench, unsigned int i)
{
	(void)snprintf(bench->names[i], sizeof(bench->names[i]), "berth.perf.%d.%u", (int)getpid(),
		       i);
	if (mkdirat(bench->top, bench->names[i], 0755) < 0)
		return false;
	bench->dirs[i] = openat(bench->top, bench->names[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bench->groups[i] = calloc(1, sizeof(*bench->groups[i]));
	bench->groups[i]->path = strdup(bench->names[i]);
	if (bench->hierarchy.mounts[CONTROLLER_CPU].version == 2) {
		struct stat st;

		assert_int_equal(fstat(bench->dirs[i], &st), 0);
		bench->groups[i]->inode[CONTROLLER_CPU] = st.st_ino;
	}
	bench->target[i].id = i + 1;
	assert_ok(hashmap_put_u64(&bench->targets, i + 1, &bench->target[i]));
	return true;
}

static void bench_free(struct bench *bench)
{
	bench->perf = perf_free(bench->perf);
	sd_event_unref(bench->event);
	for (unsigned int i = 0; i < GROUPS; i++) {
		if (!bench->groups[i])
			continue;
		(void)close(bench->dirs[i]);
		(void)unlinkat(bench->top, bench->names[i], AT_REMOVEDIR);
		(void)cgroup_free(bench->groups[i]);
	}
	hashmap_done(&bench->targets);
	(void)close_keep_errno(bench->top);
	hierarchy_done(&bench->hierarchy);
	sysroot_done(&bench->root);
	free(bench);
}

static struct bench *bench_new(const struct perf_kind *kind, const char **ret_why)
{
	static char reason[192]; /* it outlives the bench */
	struct bench *bench = calloc(1, sizeof(*bench));
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	bool available;

	assert_non_null(bench);
	bench->cpus = (unsigned int)cpus;
	assert_ok(sysroot_open(NULL, &bench->root));
	assert_ok(hierarchy_open(&bench->root, &bench->hierarchy));
	bench->top = hierarchy_open_perf_event(&bench->hierarchy, &bench->root, "");
	assert_ok(sd_event_new(&bench->event));
	assert_ok(perf_new(&bench->root, &bench->hierarchy, bench->event, kind, &bench->perf));
	available = perf_available(bench->perf, ret_why);
	(void)snprintf(reason, sizeof(reason), "%s", *ret_why);
	*ret_why = reason;
	if (!available)
		goto none;
	for (unsigned int i = 0; i < GROUPS; i++) {
		*ret_why = "no group can be made where perf_event finds it";
		if (!group_make(bench, i))
			goto none;
	}
	return bench;
none:
	bench_free(bench);
	return NULL;
}

#define BENCH(bench)                                      \
	const char *why = "";                             \
	struct bench *bench = bench_new(&software, &why); \
	(void)state;                                      \
	if (!(bench)) {                                   \
		print_message("# skipped: %s\n", why);    \
		skip();                                   \
	}

/* The loop, until that time. */
static void run_until(const struct bench *bench, uint64_t end_usec)
{
	for (uint64_t now = monotonic_usec(); now < end_usec; now = monotonic_usec())
		assert_ok(sd_event_run(bench->event, end_usec - now));
}

/* Until no window is open. */
static void run_out(const struct bench *bench, uint64_t most_usec)
{
	uint64_t end = monotonic_usec() + most_usec;

	while (perf_files(bench->perf) > 0 && monotonic_usec() < end)
		assert_ok(sd_event_run(bench->event, 10 * USEC_PER_MSEC));
	assert_int_equal(perf_files(bench->perf), 0);
}

/* Everything that was asked for is open. */
static void run_open(const struct bench *bench, unsigned int files)
{
	for (unsigned int i = 0; i < 1000 && perf_files(bench->perf) < files; i++)
		assert_ok(sd_event_run(bench->event, USEC_PER_MSEC));
	assert_int_equal(perf_files(bench->perf), files);
}

static void into_group(int dir)
{
	int fd = openat(dir, "cgroup.procs", O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, "0", 1) != 1)
		_exit(2);
	(void)close(fd);
}

static uint64_t cpu_usec(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * USEC_PER_SEC + (uint64_t)now.tv_nsec / NSEC_PER_USEC;
}

/* A process of the group that uses so much of the CPU and ends. How long that took: its start and
 * its end are counted as well, and it cannot have used more. */
static uint64_t spin_in(int dir, uint64_t usec)
{
	uint64_t start = monotonic_usec();
	pid_t child = fork();
	int status;

	if (child == 0) {
		uint64_t begin;

		into_group(dir);
		begin = cpu_usec();
		while (cpu_usec() - begin < usec)
			;
		_exit(0);
	}
	assert_true(child > 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	return monotonic_usec() - start;
}

static uint64_t value_of(struct bench *bench, unsigned int i, enum sample_value value)
{
	perf_pass(bench->perf, &bench->targets);
	return sample_knows(&bench->target[i].sample, value) ? bench->target[i].sample.value[value]
							     : 0;
}

static void test_window_counts_its_group_and_no_other(void **state)
{
	BENCH(bench);
	uint64_t counted, took;

	assert_ok(perf_count(bench->perf, 1, bench->groups[0], 30 * USEC_PER_SEC));
	assert_ok(perf_count(bench->perf, 2, bench->groups[1], 30 * USEC_PER_SEC));
	run_open(bench, 2 * FILES(bench));
	took = spin_in(bench->dirs[0], SPIN_USEC);
	counted = value_of(bench, 0, SAMPLE_CYCLES) / NSEC_PER_USEC;
	assert_in_range(counted, SPIN_USEC * 95 / 100, took);
	assert_int_equal(value_of(bench, 1, SAMPLE_CYCLES), 0);
	assert_true(value_of(bench, 0, SAMPLE_INSTRUCTIONS) > 0);
	assert_true(value_of(bench, 0, SAMPLE_CACHE_REFERENCES) > 0);
	/* The same event twice, in one group: it cannot have been counted for another time. */
	counted = value_of(bench, 0, SAMPLE_CYCLES);
	assert_in_range(value_of(bench, 0, SAMPLE_CACHE_MISSES), counted - counted / 100,
			counted + counted / 100);
	assert_int_equal(value_of(bench, 1, SAMPLE_CACHE_MISSES), 0);
	assert_false(sample_knows(&bench->target[2].sample, SAMPLE_CYCLES));
	bench_free(bench);
}

/* Such a host goes on as before: cycles and instructions, in half of the files. */
static void test_host_without_cache_events_counts_cycles(void **state)
{
	const char *why = "";
	struct bench *bench = bench_new(&without_cache, &why);

	(void)state;
	if (!bench) {
		print_message("# skipped: %s\n", why);
		skip();
		return;
	}
	assert_true(perf_available(bench->perf, &why));
	assert_non_null(strstr(why, "not the cache"));
	assert_ok(perf_count(bench->perf, 1, bench->groups[0], 30 * USEC_PER_SEC));
	run_open(bench, 2 * bench->cpus);
	(void)spin_in(bench->dirs[0], SPIN_USEC);
	assert_true(value_of(bench, 0, SAMPLE_CYCLES) > SPIN_USEC * 900);
	assert_true(sample_knows(&bench->target[0].sample, SAMPLE_INSTRUCTIONS));
	assert_false(sample_knows(&bench->target[0].sample, SAMPLE_CACHE_REFERENCES));
	assert_false(sample_knows(&bench->target[0].sample, SAMPLE_CACHE_MISSES));
	perf_forget(bench->perf, 1);
	assert_int_equal(perf_files(bench->perf), 0);
	bench_free(bench);
}

/* Two and two count what four count. */
static void test_pairs_count_the_same(void **state)
{
	BENCH(bench);
	struct perf_group groups[64];
	uint64_t total[PERF_VALUES] = { 0 }, took;
	unsigned int cpus = MIN(bench->cpus, (unsigned int)ARRAY_SIZE(groups));

	for (unsigned int i = 0; i < cpus; i++) {
		groups[i] = (struct perf_group){ .cpu = i, .layout = PERF_PAIRS };
		assert_ok(perf_group_open(&groups[i], &software, bench->dirs[0]));
		for (size_t k = 0; k < PERF_VALUES; k++)
			assert_true(groups[i].fds[k] >= 0);
	}
	took = spin_in(bench->dirs[0], SPIN_USEC);
	for (unsigned int i = 0; i < cpus; i++) {
		assert_ok(perf_group_read(&groups[i], total));
		perf_group_close(&groups[i]);
		assert_errno(perf_group_read(&groups[i], total), EBADF);
	}
	assert_in_range(total[0] / NSEC_PER_USEC, SPIN_USEC * 95 / 100, took);
	assert_in_range(total[3] / NSEC_PER_USEC, SPIN_USEC * 95 / 100, took);
	assert_true(total[2] > 0);
	bench_free(bench);
}

/* ---- readings of a PMU, replayed: this machine has none ---- */

/* What read(2) of a leader gives: count, enabled, running, values. */
static void replay(const int *end, const uint64_t *reading, size_t values)
{
	ssize_t size = (ssize_t)((3 + values) * sizeof(uint64_t));

	assert_int_equal(write(*end, reading, (size_t)size), size);
}

struct replayed {
	struct perf_group group;
	int ends[PERF_VALUES];
};

static struct replayed replayed_new(enum perf_layout layout)
{
	struct replayed made = { .group = { .layout = layout, .fds = { -1, -1, -1, -1 } } };

	for (size_t i = 0; i < PERF_VALUES; i += PERF_PAIR) {
		int ends[2];

		if (i > 0 && layout != PERF_PAIRS)
			break;
		assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
		made.group.fds[i] = ends[0];
		made.ends[i] = ends[1];
	}
	return made;
}

static void replayed_done(struct replayed *made)
{
	for (size_t i = 0; i < PERF_VALUES; i++)
		if (made->group.fds[i] >= 0)
			(void)close(made->ends[i]);
	perf_group_close(&made->group);
}

static void test_four_are_scaled_by_the_time_they_ran(void **state)
{
	struct replayed made = replayed_new(PERF_TOGETHER);
	uint64_t total[PERF_VALUES] = { 0 };

	(void)state;
	replay(&made.ends[0], (uint64_t[]){ 4, 1000, 1000, 3000, 2000, 100, 20 }, 4);
	assert_ok(perf_group_read(&made.group, total));
	assert_int_equal(total[0], 3000);
	assert_int_equal(total[3], 20);
	/* A quarter of the next 2000 ns. */
	replay(&made.ends[0], (uint64_t[]){ 4, 3000, 1500, 4000, 2600, 130, 27 }, 4);
	assert_ok(perf_group_read(&made.group, total));
	assert_int_equal(total[0], 3000 + 4 * 1000);
	assert_int_equal(total[1], 2000 + 4 * 600);
	assert_int_equal(total[2], 100 + 4 * 30);
	assert_int_equal(total[3], 20 + 4 * 7);
	/* No turn, then one: nothing is lost. */
	replay(&made.ends[0], (uint64_t[]){ 4, 4000, 1500, 4000, 2600, 130, 27 }, 4);
	assert_ok(perf_group_read(&made.group, total));
	assert_int_equal(total[0], 7000);
	replay(&made.ends[0], (uint64_t[]){ 4, 5000, 2500, 5000, 2700, 140, 28 }, 4);
	assert_ok(perf_group_read(&made.group, total));
	assert_int_equal(total[0], 9000);
	/* A reading that is none adds nothing. */
	replay(&made.ends[0], (uint64_t[]){ 2, 6000, 3500, 9000, 9000 }, 2);
	assert_errno(perf_group_read(&made.group, total), EIO);
	assert_errno(perf_group_read(&made.group, total), EAGAIN);
	assert_int_equal(total[0], 9000);
	replayed_done(&made);
}

static void test_pairs_are_scaled_each_by_its_own_time(void **state)
{
	struct replayed made = replayed_new(PERF_PAIRS);
	uint64_t total[PERF_VALUES] = { 0 };

	(void)state;
	replay(&made.ends[0], (uint64_t[]){ 2, 1000, 1000, 3000, 2000 }, 2);
	replay(&made.ends[2], (uint64_t[]){ 2, 1000, 500, 100, 20 }, 2);
	assert_ok(perf_group_read(&made.group, total));
	assert_int_equal(total[0], 3000);
	assert_int_equal(total[1], 2000);
	assert_int_equal(total[2], 200);
	assert_int_equal(total[3], 40);
	/* One that cannot be read takes nothing from the other. */
	replay(&made.ends[0], (uint64_t[]){ 2, 2000, 2000, 4000, 2500 }, 2);
	assert_errno(perf_group_read(&made.group, total), EAGAIN);
	assert_int_equal(total[0], 4000);
	assert_int_equal(total[2], 200);
	replayed_done(&made);
}

/* Somebody (the watchdog of the kernel) keeps a counter: four at once never have their turn. */
static void test_four_that_never_have_their_turn_starve(void **state)
{
	struct replayed made[2] = { replayed_new(PERF_TOGETHER), replayed_new(PERF_TOGETHER) };
	struct perf_group groups[2];
	uint64_t total[PERF_VALUES] = { 0 };
	uint64_t half = LIMIT_PERF_STARVED_NSEC / 2;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		replay(&made[i].ends[0], (uint64_t[]){ 4, half - i, 0, 0, 0, 0, 0 }, 4);
		assert_ok(perf_group_read(&made[i].group, total));
		groups[i] = made[i].group;
	}
	assert_false(perf_groups_starve(groups, 2)); /* a nanosecond less than it takes */
	replay(&made[1].ends[0], (uint64_t[]){ 4, half, 0, 0, 0, 0, 0 }, 4);
	assert_ok(perf_group_read(&made[1].group, total));
	groups[1] = made[1].group;
	assert_true(perf_groups_starve(groups, 2));
	assert_int_equal(total[0], 0);
	/* One CPU had its turn: they can be scheduled. */
	replay(&made[0].ends[0], (uint64_t[]){ 4, 4 * half, 1, 1, 1, 1, 1 }, 4);
	assert_ok(perf_group_read(&made[0].group, total));
	groups[0] = made[0].group;
	assert_false(perf_groups_starve(groups, 2));
	for (size_t i = 0; i < 2; i++)
		replayed_done(&made[i]);
}

static void test_window_ends_by_itself_and_totals_go_on(void **state)
{
	BENCH(bench);
	uint64_t first, second, took, end = monotonic_usec() + 5 * USEC_PER_SEC;
	bool whole;

	assert_ok(perf_count(bench->perf, 1, bench->groups[0], 5 * USEC_PER_SEC));
	run_open(bench, FILES(bench));
	took = spin_in(bench->dirs[0], SPIN_USEC);
	/* Unless that took longer than the window, where many others run. */
	whole = monotonic_usec() < end;
	/* No pass is taken while it is open: the end reads what there is. */
	run_out(bench, 30 * USEC_PER_SEC);
	first = value_of(bench, 0, SAMPLE_CYCLES) / NSEC_PER_USEC;
	assert_in_range(first, whole ? SPIN_USEC * 95 / 100 : 0, took);
	/* Nobody counts now. */
	(void)spin_in(bench->dirs[0], SPIN_USEC);
	assert_int_equal(value_of(bench, 0, SAMPLE_CYCLES) / NSEC_PER_USEC, first);
	assert_ok(perf_count(bench->perf, 1, bench->groups[0], 30 * USEC_PER_SEC));
	run_open(bench, FILES(bench));
	took = spin_in(bench->dirs[0], SPIN_USEC);
	second = value_of(bench, 0, SAMPLE_CYCLES) / NSEC_PER_USEC;
	assert_in_range(second - first, SPIN_USEC * 95 / 100, took);
	bench_free(bench);
}

static void test_count_again_makes_it_longer_and_never_shorter(void **state)
{
	BENCH(bench);
	uint64_t begin = monotonic_usec();
	unsigned int files;

	assert_ok(perf_count(bench->perf, 1, bench->groups[0], USEC_PER_SEC));
	assert_ok(perf_count(bench->perf, 1, bench->groups[0], 2 * USEC_PER_SEC));
	assert_ok(perf_count(bench->perf, 1, bench->groups[0], 500 * USEC_PER_MSEC));
	run_open(bench, FILES(bench));
	run_until(bench, begin + 1500 * USEC_PER_MSEC);
	files = perf_files(bench->perf);
	/* Unless a machine that stood still is already beyond the end. */
	if (monotonic_usec() < begin + 2 * USEC_PER_SEC)
		assert_int_equal(files, FILES(bench));
	run_out(bench, 20 * USEC_PER_SEC);
	assert_true(monotonic_usec() >= begin + 2 * USEC_PER_SEC);
	bench_free(bench);
}

static void test_bad_windows_are_refused(void **state)
{
	BENCH(bench);
	struct cgroup gone = { .path = bench->names[0] };

	assert_errno(perf_count(bench->perf, 1, bench->groups[0], 0), ERANGE);
	assert_errno(perf_count(bench->perf, 1, bench->groups[0], LIMIT_PERF_USEC + 1ULL), ERANGE);
	gone.path = (char[]){ "berth.perf.nobody" };
	gone.inode[CONTROLLER_CPU] = 1;
	assert_errno(perf_count(bench->perf, 9, &gone, USEC_PER_SEC), ENOENT);
	assert_int_equal(perf_files(bench->perf), 0);
	bench_free(bench);
}

static void test_group_that_goes_is_forgotten_with_its_files(void **state)
{
	BENCH(bench);

	assert_ok(perf_count(bench->perf, 1, bench->groups[0], 30 * USEC_PER_SEC));
	assert_ok(perf_count(bench->perf, 2, bench->groups[1], 30 * USEC_PER_SEC));
	run_open(bench, 2 * FILES(bench));
	assert_int_equal(unlinkat(bench->top, bench->names[0], AT_REMOVEDIR), 0);
	perf_pass(bench->perf, &bench->targets); /* reads of a dead group do no harm */
	perf_forget(bench->perf, 1);
	assert_int_equal(perf_files(bench->perf), FILES(bench));
	perf_forget(bench->perf, 1);
	perf_forget(bench->perf, 7);
	bench_free(bench);
}

/* As many as RLIMIT_NOFILE lets; the others get their turn when those have ended. */
static void test_room_is_bounded_and_comes_back(void **state)
{
	struct rlimit before, small;
	const char *why = "";
	unsigned int room, taken = 0;
	struct bench *bench;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	small = before;
	small.rlim_cur = MIN(before.rlim_cur,
			     (rlim_t)(2 * PERF_VALUES * (rlim_t)sysconf(_SC_NPROCESSORS_ONLN) *
				      100 / LIMIT_PERF_FDS_PERCENT));
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &small), 0);
	bench = bench_new(&software, &why);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	if (!bench) {
		print_message("# skipped: %s\n", why);
		skip();
		return;
	}
	room = perf_room(bench->perf);
	assert_int_equal(room, 2);
	for (unsigned int i = 0; i < GROUPS; i++) {
		int r = perf_count(bench->perf, i + 1, bench->groups[i], 3 * USEC_PER_SEC);

		if (i < room)
			assert_ok(r);
		else
			assert_errno(r, ENOSPC);
		taken += r >= 0;
	}
	run_open(bench, room * FILES(bench));
	assert_int_equal(taken, room);
	run_out(bench, 20 * USEC_PER_SEC);
	assert_ok(perf_count(bench->perf, 3, bench->groups[2], 30 * USEC_PER_SEC));
	assert_ok(perf_count(bench->perf, 4, bench->groups[3], 30 * USEC_PER_SEC));
	run_open(bench, room * FILES(bench));
	bench_free(bench);
}

static void test_no_files_left_is_no_window(void **state)
{
	struct rlimit before, small;
	BENCH(bench);
	int lowest = dup(0);

	assert_true(lowest >= 0);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	small = before;
	/* Room for the directory and one event. */
	small.rlim_cur = (rlim_t)lowest + 2;
	(void)close(lowest);
	assert_ok(perf_count(bench->perf, 1, bench->groups[0], 30 * USEC_PER_SEC));
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &small), 0);
	run_until(bench, monotonic_usec() + 100 * USEC_PER_MSEC);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_int_equal(perf_files(bench->perf), 0);
	assert_int_equal(value_of(bench, 0, SAMPLE_CYCLES), 0);
	/* And again, now that there are some. */
	assert_ok(perf_count(bench->perf, 1, bench->groups[0], 30 * USEC_PER_SEC));
	run_open(bench, FILES(bench));
	bench_free(bench);
}

/* A PMU where there is one; else a reason that says what is missing. */
static void test_hardware_is_there_or_says_why_not(void **state)
{
	const char *why = NULL;
	struct bench *bench = bench_new(NULL, &why);

	(void)state;
	assert_non_null(why);
	print_message("# %s\n", why);
	if (!bench) {
		assert_true(strlen(why) > 10);
		return;
	}
	assert_ok(perf_count(bench->perf, 1, bench->groups[0], 30 * USEC_PER_SEC));
	run_open(bench, FILES(bench));
	(void)spin_in(bench->dirs[0], SPIN_USEC);
	assert_true(value_of(bench, 0, SAMPLE_CYCLES) > 1000000);
	assert_true(value_of(bench, 0, SAMPLE_INSTRUCTIONS) > 1000000);
	bench_free(bench);
}

static void test_nowhere_mounted_says_so(void **state)
{
	struct sysroot root = SYSROOT_NULL;
	struct hierarchy hierarchy = { 0 };
	struct perf *perf;
	const char *why;

	(void)state;
	assert_ok(perf_new(&root, &hierarchy, NULL, NULL, &perf));
	assert_false(perf_available(perf, &why));
	assert_non_null(strstr(why, "mounted nowhere"));
	assert_errno(perf_count(perf, 1, NULL, USEC_PER_SEC), EOPNOTSUPP);
	assert_int_equal(perf_room(perf), 0);
	perf_free(perf);
	assert_null(perf_free(NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_window_counts_its_group_and_no_other),
		cmocka_unit_test(test_host_without_cache_events_counts_cycles),
		cmocka_unit_test(test_pairs_count_the_same),
		cmocka_unit_test(test_four_are_scaled_by_the_time_they_ran),
		cmocka_unit_test(test_pairs_are_scaled_each_by_its_own_time),
		cmocka_unit_test(test_four_that_never_have_their_turn_starve),
		cmocka_unit_test(test_window_ends_by_itself_and_totals_go_on),
		cmocka_unit_test(test_count_again_makes_it_longer_and_never_shorter),
		cmocka_unit_test(test_bad_windows_are_refused),
		cmocka_unit_test(test_group_that_goes_is_forgotten_with_its_files),
		cmocka_unit_test(test_room_is_bounded_and_comes_back),
		cmocka_unit_test(test_no_files_left_is_no_window),
		cmocka_unit_test(test_hardware_is_there_or_says_why_not),
		cmocka_unit_test(test_nowhere_mounted_says_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
