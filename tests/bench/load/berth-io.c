/* SPDX-License-Identifier: Apache-2.0 */
/*
 * berth-io - random direct reads of a disk or file: as fast as THREADS of them go, or one each
 * INTERVAL microseconds in each thread (open loop: latency runs from the instant at which a request
 * was due, so that a queue that is held up counts; the threads' instants are spread evenly).
 *
 *   berth-io PATH THREADS BLOCK-BYTES MILLISECONDS INTERVAL-USEC
 *
 * One JSON object at the end.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cleanup.h"
#include "histogram.h"
#include "parse.h"

#define NSEC_PER_SEC UINT64_C(1000000000)
#define THREADS_MAX  64u
#define BLOCK_ALIGN  4096u

struct options {
	uint64_t threads, block, milliseconds, interval_usec;
};

static struct options options;
static struct histogram latency;
static int fd = -EBADF;
static uint64_t blocks, begin_nsec, end_nsec;
static atomic_uint_fast64_t done;
static atomic_int failure;

static uint64_t now_nsec(void)
{
	struct timespec time;

	(void)clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * NSEC_PER_SEC + (uint64_t)time.tv_nsec;
}

static void sleep_until(uint64_t nsec)
{
	const struct timespec until = { .tv_sec = (time_t)(nsec / NSEC_PER_SEC),
					.tv_nsec = (long)(nsec % NSEC_PER_SEC) };

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR)
		continue;
}

static void *read_on(void *data)
{
	uint64_t seed = 0x9e3779b97f4a7c15u * ((uint64_t)(uintptr_t)data + 1);
	uint64_t number = (uint64_t)(uintptr_t)data;
	uint64_t due = begin_nsec + number * options.interval_usec * 1000 / options.threads;
	void *buffer = NULL;

	if (posix_memalign(&buffer, BLOCK_ALIGN, options.block) != 0)
		return NULL;
	while (due < end_nsec) {
		ssize_t n;

		if (options.interval_usec)
			sleep_until(due);
		else
			due = now_nsec();
		seed ^= seed << 13;
		seed ^= seed >> 7;
		seed ^= seed << 17;
		n = pread(fd, buffer, options.block, (off_t)(seed % blocks * options.block));
		if (n != (ssize_t)options.block) {
			atomic_store(&failure, n < 0 ? errno : EIO);
			break;
		}
		histogram_add(&latency, (now_nsec() - due) / 1000);
		atomic_fetch_add(&done, 1);
		due += options.interval_usec * 1000;
	}
	free(buffer);
	return NULL;
}

static int options_read(char **argv)
{
	if (parse_u64(argv[2], &options.threads) < 0 || options.threads < 1 ||
	    options.threads > THREADS_MAX || parse_u64(argv[3], &options.block) < 0 ||
	    options.block < BLOCK_ALIGN || options.block > 1u << 20 ||
	    options.block % BLOCK_ALIGN != 0 || parse_u64(argv[4], &options.milliseconds) < 0 ||
	    options.milliseconds < 1 || options.milliseconds > 3600000 ||
	    parse_u64(argv[5], &options.interval_usec) < 0 ||
	    options.interval_usec > 60 * UINT64_C(1000000))
		return -EINVAL;
	return 0;
}

int main(int argc, char **argv)
{
	pthread_t threads[THREADS_MAX];
	uint64_t started = 0, elapsed;
	off_t size;

	if (argc != 6 || options_read(argv) < 0) {
		(void)fputs("berth-io PATH THREADS BLOCK-BYTES MILLISECONDS INTERVAL-USEC\n",
			    stderr);
		return 2;
	}
	fd = open(argv[1], O_RDONLY | O_DIRECT | O_CLOEXEC);
	size = fd < 0 ? -1 : lseek(fd, 0, SEEK_END);
	if (size < (off_t)options.block) {
		perror(argv[1]);
		return 1;
	}
	blocks = (uint64_t)size / options.block;
	begin_nsec = now_nsec();
	end_nsec = begin_nsec + options.milliseconds * 1000000;
	while (started < options.threads &&
	       pthread_create(&threads[started], NULL, read_on, (void *)(uintptr_t)started) == 0)
		started++;
	for (uint64_t i = 0; i < started; i++)
		(void)pthread_join(threads[i], NULL);
	elapsed = now_nsec() - begin_nsec;
	(void)close(fd);
	if (started < options.threads || atomic_load(&failure)) {
		(void)fprintf(stderr, "berth-io: %s\n", strerrordesc_np(atomic_load(&failure)));
		return 1;
	}
	(void)printf("{\"requests\": %" PRIu64 ", \"per_second\": %.1f, \"p50_usec\": %" PRIu64
		     ", \"p99_usec\": %" PRIu64 "}\n",
		     (uint64_t)done, (double)done * 1e9 / (double)elapsed,
		     histogram_quantile(&latency, 0.5), histogram_quantile(&latency, 0.99));
	return 0;
}
