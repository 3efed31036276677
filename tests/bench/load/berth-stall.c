/* SPDX-License-Identifier: Apache-2.0 */
/*
 * berth-stall - work that waits for memory, of one kind:
 *   read PATH MIB      through the page cache: reclaim of clean pages
 *   touch MIB PASSES   writes to every page of private memory, in order: swap
 *   fragment MIB       takes memory, gives every other page back, says "ready" and stays
 *   cycle MIB PASSES GROUP
 *                      lets the group's memory.reclaim push its memory out, and times how long it
 *                      takes to touch it again
 *   switch COUNT       passes a token to another process and back
 * But for "fragment" it ends when that is done and prints how long it took as one JSON object;
 * "stalls" are the pages whose return the kernel counts as a wait for memory.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "cleanup.h"
#include "file.h"
#include "macro.h"
#include "parse.h"

#define MIB        (1ULL << 20)
#define PAGE_BYTES 4096u

static uint64_t now_usec(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * USEC_PER_SEC + (uint64_t)now.tv_nsec / NSEC_PER_USEC;
}

static int run_read(const char *path, uint64_t bytes)
{
	cleanup_free char *buffer = malloc(MIB);
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (!buffer || fd < 0)
		return -errno;
	while (bytes > 0) {
		ssize_t length = read(fd, buffer, MIB);

		if (length < 0)
			return -errno;
		if (length == 0 && lseek(fd, 0, SEEK_SET) < 0)
			return -errno;
		bytes -= MIN((uint64_t)length, bytes);
	}
	return 0;
}

static char *map(uint64_t bytes)
{
	char *pages = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return pages == MAP_FAILED ? NULL : pages;
}

static int run_touch(uint64_t bytes, uint64_t passes)
{
	volatile char *pages = map(bytes);

	if (!pages)
		return -errno;
	for (uint64_t pass = 0; pass < passes; pass++)
		/* Not zero: a page of zeros is not written to swap. */
		for (uint64_t at = 0; at < bytes; at += PAGE_BYTES)
			*(volatile uint64_t *)(pages + at) = (pass << 40) + at + 1;
	return 0;
}

static int run_fragment(uint64_t bytes)
{
	char *pages = map(bytes);

	if (!pages)
		return -errno;
	(void)madvise(pages, bytes, MADV_NOHUGEPAGE);
	for (uint64_t at = 0; at < bytes; at += PAGE_BYTES)
		((volatile char *)pages)[at] = 1;
	for (uint64_t at = 0; at < bytes; at += PAGE_BYTES * 2ULL)
		(void)madvise(pages + at, PAGE_BYTES, MADV_DONTNEED);
	(void)puts("ready");
	(void)fflush(stdout);
	(void)pause();
	return 0;
}

#define WARM_PASSES 4u /* until pages that come back count as a part of the working set */

/* workingset_restore_anon of memory.stat: pages whose return counts as memory pressure. */
static int restored(int group, uint64_t *ret)
{
	static const char key[] = "workingset_restore_anon ";
	cleanup_free char *text = NULL;
	const char *at;
	int r = file_read_all(group, "memory.stat", &text, NULL);

	if (r < 0)
		return r;
	at = strstr(text, key);
	if (!at)
		return -ENODATA;
	at += strlen(key);
	return parse_u64_span(at, strspn(at, "0123456789"), ret);
}

static void push_out(int group, uint64_t bytes)
{
	cleanup_close int fd = openat(group, "memory.reclaim", O_WRONLY | O_CLOEXEC);
	char text[32];
	int length = snprintf(text, sizeof(text), "%llu", (unsigned long long)bytes);

	/* EAGAIN: it was less. */
	if (fd >= 0)
		(void)!write(fd, text, (size_t)length);
}

static int run_cycle(uint64_t bytes, uint64_t passes, const char *path)
{
	cleanup_close int group = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	volatile char *pages = map(bytes);
	uint64_t before = 0, after = 0, usec = 0;
	int r;

	if (group < 0 || !pages)
		return -errno;
	for (uint64_t pass = 0; pass < WARM_PASSES + passes; pass++) {
		uint64_t start;

		if (pass == WARM_PASSES) {
			r = restored(group, &before);
			if (r < 0)
				return r;
		}
		push_out(group, bytes);
		start = now_usec();
		for (uint64_t at = 0; at < bytes; at += PAGE_BYTES)
			*(volatile uint64_t *)(pages + at) = (pass << 40) + at + 1;
		if (pass >= WARM_PASSES)
			usec += now_usec() - start;
	}
	r = restored(group, &after);
	if (r < 0)
		return r;
	printf("{\"kind\": \"cycle\", \"usec\": %llu, \"stalls\": %llu}\n",
	       (unsigned long long)usec, (unsigned long long)(after - before));
	return 0;
}

/* Passes what comes on until there is no more. */
static void echo_bytes(int from, int to)
{
	char byte;

	while (read(from, &byte, 1) == 1)
		if (write(to, &byte, 1) != 1)
			break;
	_exit(EXIT_SUCCESS);
}

static int run_switch(uint64_t count)
{
	int there[2], back[2];
	char byte = 0;

	if (pipe2(there, O_CLOEXEC) < 0 || pipe2(back, O_CLOEXEC) < 0)
		return -errno;
	switch (fork()) {
	case -1:
		return -errno;
	case 0:
		(void)close(there[1]);
		echo_bytes(there[0], back[1]);
		break;
	default:
		break;
	}
	for (uint64_t i = 0; i < count; i++)
		if (write(there[1], &byte, 1) != 1 || read(back[0], &byte, 1) != 1)
			return -errno;
	return 0;
}

static int run(int argc, char **argv)
{
	uint64_t number, passes;

	if (argc == 4 && strcmp(argv[1], "read") == 0 && parse_u64(argv[3], &number) == 0)
		return run_read(argv[2], number * MIB);
	if (argc == 4 && strcmp(argv[1], "touch") == 0 && parse_u64(argv[2], &number) == 0 &&
	    parse_u64(argv[3], &passes) == 0)
		return run_touch(number * MIB, passes);
	if (argc == 5 && strcmp(argv[1], "cycle") == 0 && parse_u64(argv[2], &number) == 0 &&
	    parse_u64(argv[3], &passes) == 0)
		return run_cycle(number * MIB, passes, argv[4]);
	if (argc == 3 && strcmp(argv[1], "switch") == 0 && parse_u64(argv[2], &number) == 0)
		return run_switch(number);
	if (argc == 3 && strcmp(argv[1], "fragment") == 0 && parse_u64(argv[2], &number) == 0)
		return run_fragment(number * MIB);
	return -EINVAL;
}

int main(int argc, char **argv)
{
	uint64_t start = now_usec();
	int r = run(argc, argv);

	if (r == -EINVAL) {
		fprintf(stderr,
			"Usage: berth-stall read PATH MIB | touch MIB PASSES | fragment MIB | "
			"cycle MIB PASSES GROUP | switch COUNT\n");
		return 2;
	}
	if (r < 0) {
		fprintf(stderr, "berth-stall %s: %s\n", argv[1], strerror(-r));
		return EXIT_FAILURE;
	}
	if (strcmp(argv[1], "cycle") == 0)
		return EXIT_SUCCESS;
	printf("{\"kind\": \"%s\", \"usec\": %llu}\n", argv[1],
	       (unsigned long long)(now_usec() - start));
	return EXIT_SUCCESS;
}
