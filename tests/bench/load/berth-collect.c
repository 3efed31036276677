/* SPDX-License-Identifier: Apache-2.0 */
/*
 * berth-collect - passes of the daemon's own snapshot over groups, one way or the other: what each
 * way says, and what it costs. For benchmarks and VM scenarios; never installed.
 *
 *   berth-collect [--cost PASSES] [--active FILE] [--peek FIFO] bpf|kept|opened <PATHS
 *
 * PATHS are groups below the hierarchy's root, one a line. Prints "GROUP VALUE NUMBER" lines of all
 * that is known, or with --cost what a pass took. --active FILE: a process in each group runs,
 * touches pages and reads FILE past the page cache before each pass. --peek FIFO: after the passes,
 * and when who writes to FIFO has closed it, the values that a peek can tell, by one.
 */
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <linux/futex.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>

#include "cleanup.h"
#include "hierarchy.h"
#include "macro.h"
#include "parse.h"
#include "sample.h"
#include "sysroot.h"
#include "telemetry/collect/collector.h"
#include "telemetry/snapshot.h"

#define GROUPS_MAX   16384u
#define PASSES_MAX   256u
#define PAGES        16u
#define READ_BYTES   4096u
#define OPENED_FILES 32u /* RLIMIT_NOFILE under which none are kept open for long */

struct shared {
	uint32_t round; /* goes up: work once */
	uint32_t done;  /* how many have */
};

struct run {
	struct sysroot root;
	struct hierarchy hierarchy;
	struct snapshot snapshot;
	struct cgroup *groups[GROUPS_MAX];
	size_t count;
	struct shared *shared; /* with the processes in the groups; NULL: there are none */
};

static void fail(const char *what, int error)
{
	(void)fprintf(stderr, "berth-collect: %s: %s\n", what, strerror(error));
	exit(1);
}

static void groups_read(struct run *run)
{
	char line[CGROUP_PATH_MAX + 1];

	while (fgets(line, sizeof(line), stdin)) {
		int r;

		line[strcspn(line, "\n")] = '\0';
		if (run->count == GROUPS_MAX)
			fail("too many groups", E2BIG);
		r = cgroup_new(&run->hierarchy, line, &run->groups[run->count]);
		if (r < 0 && r != -ENOENT)
			fail(line, -r);
		/* One that is not there is no problem, here as in the daemon. */
		run->count += r == 0;
	}
}

static void pass_take(struct run *run)
{
	snapshot_begin(&run->snapshot);
	for (size_t i = 0; i < run->count; i++)
		(void)snapshot_take(&run->snapshot, i + 1, 0, run->groups[i]);
	snapshot_end(&run->snapshot);
}

static void device_print(const char *group, const struct sample_device *device)
{
	for (unsigned int io = 0; io < SAMPLE_IO_MAX; io++)
		(void)printf("%s io.%s.%s %" PRIu64 "\n", group, device->name,
			     sample_io_name((enum sample_io)io), device->value[io]);
}

static void samples_print(const struct run *run)
{
	for (size_t i = 0; i < run->count; i++) {
		const struct workload_sample *sample = snapshot_get(&run->snapshot, i + 1);
		const char *path = run->groups[i]->path;

		if (!sample) {
			(void)printf("%s gone 1\n", path);
			continue;
		}
		for (unsigned int value = 0; value < SAMPLE_MAX; value++)
			if (sample_knows(sample, (enum sample_value)value))
				(void)printf("%s %s %" PRIu64 "\n", path,
					     sample_value_name((enum sample_value)value),
					     sample->value[value]);
		for (uint32_t device = 0; device < sample->device_count; device++)
			device_print(path, &sample->devices[device]);
	}
}

/* Those of CPU and pressure, between passes. fail() ends the process. */
ANALYZER_LEAK_IGNORE_BEGIN
static void peek_print(struct run *run, const char *fifo, bool by_bpf)
{
	cleanup_close int fd = open(fifo, O_RDONLY | O_CLOEXEC);
	cleanup_free struct snapshot_peek *peeks = calloc(run->count + 1, sizeof(*peeks));
	cleanup_free uint64_t *numbers = calloc((run->count + 1) * SAMPLE_MAX, sizeof(*numbers));
	enum sample_value values[SAMPLE_MAX];
	struct collector_status status;
	size_t count = 0;
	char byte;
	int r;

	/* What could not be loaded would be peeked at by files. */
	snapshot_status(&run->snapshot, &status);
	if (by_bpf && strcmp(status.way, "bpf") != 0)
		fail(status.detail, EOPNOTSUPP);
	if (fd < 0 || read(fd, &byte, 1) < 0)
		fail(fifo, errno);
	if (!peeks || !numbers)
		fail("peek", ENOMEM);
	for (unsigned int value = 0; value < SAMPLE_CAUSE_FIRST; value++)
		if (value <= SAMPLE_CPU_THROTTLED_USEC || value >= SAMPLE_PRESSURE_FIRST)
			values[count++] = (enum sample_value)value;
	for (size_t i = 0; i < run->count; i++)
		peeks[i] = (struct snapshot_peek){ i + 1, run->groups[i] };
	r = snapshot_peek(&run->snapshot, peeks, run->count, values, count, numbers);
	if (r < 0)
		fail("peek", -r);
	for (size_t i = 0; i < run->count * count; i++)
		if (numbers[i] != UINT64_MAX)
			(void)printf("%s %s %" PRIu64 "\n", run->groups[i / count]->path,
				     sample_value_name(values[i % count]), numbers[i]);
}
ANALYZER_LEAK_IGNORE_END

static void group_enter(const struct run *run, const struct cgroup *group)
{
	for (int i = 0; i < CONTROLLER_MAX; i++) {
		cleanup_close int directory = -EBADF, fd = -EBADF;

		if (run->hierarchy.mounts[i].same_as != i || group->inode[i] == 0)
			continue;
		directory = cgroup_open(&run->hierarchy, group, (enum controller)i);
		fd = openat(directory, "cgroup.procs", O_WRONLY | O_CLOEXEC);
		if (fd < 0 || write(fd, "0", 1) != 1)
			fail(group->path, errno);
	}
}

static void futex(uint32_t *word, int operation, uint32_t value)
{
	(void)syscall(SYS_futex, word, operation, value, NULL, NULL, 0);
}

/* A process in the group: works once a round, ends with its parent. */
static _Noreturn void worker_run(const struct run *run, const struct cgroup *group,
				 const char *file)
{
	int fd = open(file, O_RDONLY | O_DIRECT | O_CLOEXEC);
	char *pages = mmap(NULL, (size_t)PAGES * READ_BYTES, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (fd < 0 || pages == MAP_FAILED)
		fail(file, errno);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	group_enter(run, group);
	for (uint32_t round = 0;; round++) {
		/* The first round is to have entered. */
		for (unsigned int i = 0; round > 0 && i < PAGES; i++)
			pages[(size_t)i * READ_BYTES] = 1;
		if (round > 0 && pread(fd, pages, READ_BYTES, 0) < 0)
			fail(file, errno);
		(void)madvise(pages, (size_t)PAGES * READ_BYTES, MADV_DONTNEED);
		if (__atomic_add_fetch(&run->shared->done, 1, __ATOMIC_SEQ_CST) == run->count)
			futex(&run->shared->done, FUTEX_WAKE, 1);
		while (__atomic_load_n(&run->shared->round, __ATOMIC_SEQ_CST) == round)
			futex(&run->shared->round, FUTEX_WAIT, round);
	}
}

static void workers_wait(const struct run *run)
{
	uint32_t done;

	while ((done = __atomic_load_n(&run->shared->done, __ATOMIC_SEQ_CST)) != run->count)
		futex(&run->shared->done, FUTEX_WAIT, done);
}

static void workers_start(struct run *run, const char *file)
{
	run->shared = mmap(NULL, sizeof(*run->shared), PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (run->shared == MAP_FAILED)
		fail("mmap", errno);
	for (size_t i = 0; i < run->count; i++) {
		pid_t pid = fork();

		if (pid < 0)
			fail("fork", errno);
		if (pid == 0)
			worker_run(run, run->groups[i], file);
	}
	workers_wait(run);
}

/* All work once. */
static void workers_work(const struct run *run)
{
	if (!run->shared)
		return;
	__atomic_store_n(&run->shared->done, 0, __ATOMIC_SEQ_CST);
	(void)__atomic_add_fetch(&run->shared->round, 1, __ATOMIC_SEQ_CST);
	futex(&run->shared->round, FUTEX_WAKE, INT32_MAX);
	workers_wait(run);
}

static uint64_t now_nsec(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NSEC_PER_USEC * USEC_PER_SEC + (uint64_t)now.tv_nsec;
}

static int compare(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

	return (left > right) - (left < right);
}

/* The first two passes find groups, open files and check. */
static void cost_print(struct run *run, unsigned int passes)
{
	uint64_t took[PASSES_MAX], empty[PASSES_MAX];
	struct collector_status status;
	size_t count = run->count;

	for (unsigned int i = 0; i < passes + 2; i++) {
		uint64_t start;

		workers_work(run);
		start = now_nsec();
		pass_take(run);
		if (i >= 2)
			took[i - 2] = now_nsec() - start;
	}
	snapshot_status(&run->snapshot, &status);
	/* What a pass costs without any group: the node's own files. */
	run->count = 0;
	for (unsigned int i = 0; i < passes; i++) {
		uint64_t start = now_nsec();

		pass_take(run);
		empty[i] = now_nsec() - start;
	}
	qsort(took, passes, sizeof(took[0]), compare);
	qsort(empty, passes, sizeof(empty[0]), compare);
	(void)printf("COST {\"groups\": %zu, \"pass_nsec\": %" PRIu64 ", \"empty_nsec\": %" PRIu64
		     ", \"errors\": %" PRIu64 ", \"kept_files\": %" PRIu64
		     ", \"way\": \"%s\", \"detail\": \"%s\"}\n",
		     count, took[passes / 2], empty[passes / 2], run->snapshot.errors,
		     status.kept_files, status.way, status.detail);
}

/* Of the three, the way that is asked for. */
static void way_set(const char *way, struct snapshot_options *options)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		fail("getrlimit", errno);
	options->collector = strcmp(way, "bpf") == 0 ? COLLECT_BPF : COLLECT_FILES;
	limit.rlim_cur = strcmp(way, "opened") == 0 ? OPENED_FILES : limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		fail("setrlimit", errno);
}

static uint64_t number_of(const char *text, uint64_t max)
{
	uint64_t number = 0;

	if (parse_u64(text, &number) < 0 || number == 0 || number > max)
		fail(text, EINVAL);
	return number;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "cost", required_argument, NULL, 'c' },
		{ "active", required_argument, NULL, 'a' },
		{ "peek", required_argument, NULL, 'p' },
		{ NULL, 0, NULL, 0 },
	};
	static struct run run = { .root = SYSROOT_NULL };
	struct snapshot_options how = { 0 };
	const char *active = NULL, *fifo = NULL;
	uint64_t passes = 0;
	int option, r;

	while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		if (option == 'c')
			passes = number_of(optarg, PASSES_MAX);
		else if (option == 'a')
			active = optarg;
		else if (option == 'p')
			fifo = optarg;
		else
			return 2;
	}
	if (argc != optind + 1)
		fail("bpf, kept or opened?", EINVAL);
	way_set(argv[optind], &how);
	r = sysroot_open(NULL, &run.root);
	if (r >= 0)
		r = hierarchy_open(&run.root, &run.hierarchy);
	if (r >= 0)
		r = snapshot_init(&run.snapshot, &run.root, &run.hierarchy, &how);
	if (r < 0)
		fail("cannot start", -r);
	groups_read(&run);
	if (active)
		workers_start(&run, active);
	if (passes > 0) {
		cost_print(&run, (unsigned int)passes);
	} else {
		/* The second one is the steady state. */
		pass_take(&run);
		pass_take(&run);
		if (fifo)
			peek_print(&run, fifo, how.collector == COLLECT_BPF);
		else
			samples_print(&run);
	}
	snapshot_done(&run.snapshot);
	return 0;
}
