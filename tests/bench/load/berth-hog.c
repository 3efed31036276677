/* SPDX-License-Identifier: Apache-2.0 */
/*
 * berth-hog - batch work that takes every CPU it gets, of one kind:
 *   compute   one thread a CPU, arithmetic over a small working set
 *   memory    one thread a CPU, streams over a buffer larger than the caches and touches new pages
 *   syscall   one thread a CPU, small reads and writes through the kernel
 *   threads   eight runnable threads a CPU
 *   polite    like compute, with a `pause` each 200 rounds: where one host thread emulates all CPUs
 *             in turn, it goes on to the next one there, so that they hardly slow each other down
 *   grab MEBIBYTES MILLISECONDS   takes that much memory, evenly over that time, and keeps it
 * It runs until SIGTERM or SIGINT, then prints what it used as one JSON object.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "cleanup.h"
#include "macro.h"
#include "monotonic.h"
#include "parse.h"
#include "work.h"

#define STREAM_BYTES (48u << 20)
#define FRESH_BYTES  (4u << 20) /* mapped, touched and unmapped again in each turn */
#define PAGE_BYTES   4096u
#define ROUNDS       20000u
#define SHORT_ROUNDS 200u

static void compute(void)
{
	struct work_set *set = calloc(1, sizeof(*set));

	if (!set)
		abort();
	for (;;)
		work_do(set, ROUNDS);
}

static void polite(void)
{
	struct work_set *set = calloc(1, sizeof(*set));

	if (!set)
		abort();
	for (;;) {
		work_do(set, SHORT_ROUNDS);
#if defined(__x86_64__)
		__builtin_ia32_pause();
#endif
	}
}

static void *map_pages(size_t size)
{
	void *pages = mmap(NULL, size, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (pages == MAP_FAILED)
		abort();
	return pages;
}

static void memory(void)
{
	volatile uint64_t *stream = map_pages(STREAM_BYTES);

	for (;;) {
		volatile char *fresh = map_pages(FRESH_BYTES);

		for (size_t i = 0; i < STREAM_BYTES / sizeof(*stream); i++)
			stream[i] += i;
		for (size_t i = 0; i < FRESH_BYTES; i += PAGE_BYTES)
			fresh[i] = 1;
		(void)munmap((void *)(uintptr_t)fresh, FRESH_BYTES);
	}
}

static void syscalls(void)
{
	char buffer[PAGE_BYTES];
	int zero = open("/dev/zero", O_RDONLY | O_CLOEXEC), pipes[2];

	if (zero < 0 || pipe2(pipes, O_CLOEXEC) < 0)
		abort();
	for (;;) {
		if (read(zero, buffer, sizeof(buffer)) < 0 || write(pipes[1], buffer, 512) < 0 ||
		    read(pipes[0], buffer, 512) < 0)
			abort();
		(void)getppid();
	}
}

/* Behind its time it takes more at once, ahead of it it waits. */
static int grab(const char *mebibytes, const char *milliseconds)
{
	uint64_t size, usec, taken = 0, begin = monotonic_usec();
	volatile char *pages;

	if (parse_u64(mebibytes, &size) < 0 || parse_u64(milliseconds, &usec) < 0 || usec == 0 ||
	    size > (1u << 20)) {
		fprintf(stderr, "Usage: berth-hog grab MEBIBYTES MILLISECONDS\n");
		return 2;
	}
	size <<= 20;
	usec *= USEC_PER_MSEC;
	pages = map_pages(size);
	while (taken < size) {
		uint64_t spent = MIN(monotonic_usec() - begin, usec);
		uint64_t due = size / usec * spent + size % usec * spent / usec;

		for (; taken < due; taken += PAGE_BYTES)
			pages[taken] = 1;
		(void)usleep(2000);
	}
	printf("{\"kind\": \"grab\", \"bytes\": %llu}\n", (unsigned long long)taken);
	(void)fflush(stdout);
	for (;;)
		(void)pause();
}

static const struct hog_kind {
	const char *name;
	int threads_per_cpu;
	void (*run)(void);
} kinds[] = {
	{ "compute", 1, compute }, { "memory", 1, memory }, { "syscall", 1, syscalls },
	{ "threads", 8, compute }, { "polite", 1, polite },
};

static void *hog_run(void *data)
{
	const struct hog_kind *kind = data;

	kind->run();
	return NULL;
}

static int start_threads(const struct hog_kind *kind, int count)
{
	for (int i = 0; i < count; i++) {
		pthread_t thread;
		int r = pthread_create(&thread, NULL, hog_run, (void *)(uintptr_t)kind);

		if (r != 0)
			return -r;
	}
	return 0;
}

static const struct hog_kind *kind_by_name(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (strcmp(kinds[i].name, name) == 0)
			return &kinds[i];
	return NULL;
}

int main(int argc, char **argv)
{
	const struct hog_kind *kind = argc == 2 ? kind_by_name(argv[1]) : NULL;
	struct rusage usage;
	sigset_t ending;
	int signal, count, r;

	if (argc == 4 && strcmp(argv[1], "grab") == 0)
		return grab(argv[2], argv[3]);
	if (!kind) {
		fprintf(stderr, "Usage: berth-hog grab MEBIBYTES MILLISECONDS | "
				"compute|memory|syscall|threads\n");
		return 2;
	}
	/* Blocked before the threads start, so that the signal waits for sigwait() below. */
	(void)sigemptyset(&ending);
	(void)sigaddset(&ending, SIGTERM);
	(void)sigaddset(&ending, SIGINT);
	(void)pthread_sigmask(SIG_BLOCK, &ending, NULL);
	count = kind->threads_per_cpu * get_nprocs();
	r = start_threads(kind, count);
	if (r < 0) {
		fprintf(stderr, "berth-hog: cannot start %d threads: %s\n", count, strerror(-r));
		return EXIT_FAILURE;
	}
	(void)sigwait(&ending, &signal);
	(void)getrusage(RUSAGE_SELF, &usage);
	printf("{\"kind\": \"%s\", \"threads\": %d, \"cpu_seconds\": %.3f}\n", kind->name, count,
	       (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
		       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6);
	(void)fflush(stdout);
	_exit(EXIT_SUCCESS);
}
