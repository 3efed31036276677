/* SPDX-License-Identifier: Apache-2.0 */
/*
 * io-model.c - six loads, one after the other. Each is kept up by threads with one request each: as
 * many requests are in flight as a disk's own queue likes, on any kernel and file system.
 */
#include "io-model/io-model.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "cleanup.h"
#include "macro.h"
#include "monotonic.h"

#define THREADS     16u
#define LARGE_BYTES (1u << 20)
#define SMALL_BYTES 4096u
#define LEAST_BYTES (16u << 20) /* below that it is a cache that is measured */
#define FILL_STEPS  10u
#define LOOK_USEC   200000u

const char *const io_model_names[IO_MODEL_VALUES] = { "rbps", "rseqiops", "rrandiops",
						      "wbps", "wseqiops", "wrandiops" };

struct load {
	size_t block;
	bool is_write, is_random;
};

/* Large ones for bytes a second, small ones for requests. */
static const struct load loads[IO_MODEL_VALUES] = {
	[IO_MODEL_RBPS] = { LARGE_BYTES, false, false },
	[IO_MODEL_RSEQIOPS] = { SMALL_BYTES, false, false },
	[IO_MODEL_RRANDIOPS] = { SMALL_BYTES, false, true },
	[IO_MODEL_WBPS] = { LARGE_BYTES, true, false },
	[IO_MODEL_WSEQIOPS] = { SMALL_BYTES, true, false },
	[IO_MODEL_WRANDIOPS] = { SMALL_BYTES, true, true },
};

struct run {
	const struct load *load;
	int fd;
	uint64_t blocks; /* of the place; a load that comes to the end begins again */
	uint64_t most;   /* requests, 0: until told to stop */
	atomic_uint_least64_t next, done;
	atomic_bool stop;
	atomic_int error;
};

struct worker {
	pthread_t thread;
	struct run *run;
	char *buffer;
	uint64_t seed;
	bool started;
};

static uint64_t random_next(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

static void *worker_main(void *data)
{
	struct worker *worker = data;
	struct run *run = worker->run;
	size_t block = run->load->block;

	while (!atomic_load(&run->stop)) {
		uint64_t turn = atomic_fetch_add(&run->next, 1);
		uint64_t place = run->load->is_random ? random_next(&worker->seed) : turn;
		off_t offset = (off_t)(place % run->blocks * block);
		ssize_t n;

		if (run->most && turn >= run->most)
			break;
		n = run->load->is_write ? pwrite(run->fd, worker->buffer, block, offset)
					: pread(run->fd, worker->buffer, block, offset);
		if (n != (ssize_t)block) {
			atomic_store(&run->error, n < 0 ? errno : EIO);
			atomic_store(&run->stop, true);
			break;
		}
		atomic_fetch_add(&run->done, 1);
	}
	return NULL;
}

static int workers_start(struct worker *workers, struct run *run)
{
	for (unsigned int i = 0; i < THREADS; i++) {
		struct worker *worker = &workers[i];
		void *buffer = NULL;
		int r = posix_memalign(&buffer, SMALL_BYTES, run->load->block);

		if (r != 0)
			return -r;
		*worker = (struct worker){ .run = run, .buffer = buffer };
		worker->seed = 0x9e3779b97f4a7c15u * (i + 1);
		/* Zeros would be no load for a disk that compresses. */
		for (size_t at = 0; at + 8 <= run->load->block; at += 8) {
			uint64_t word = random_next(&worker->seed);

			memcpy(worker->buffer + at, &word, sizeof(word));
		}
		r = pthread_create(&worker->thread, NULL, worker_main, worker);
		if (r != 0)
			return -r;
		worker->started = true;
	}
	return 0;
}

static void workers_end(struct worker *workers)
{
	for (unsigned int i = 0; i < THREADS; i++) {
		if (workers[i].started)
			(void)pthread_join(workers[i].thread, NULL);
		free(workers[i].buffer);
	}
}

static void pause_usec(uint64_t usec)
{
	struct timespec time = { .tv_sec = (time_t)(usec / 1000000),
				 .tv_nsec = (long)(usec % 1000000) * 1000 };

	(void)nanosleep(&time, NULL);
}

struct phase {
	const char *what;
	unsigned int from, to; /* hundredths of all of it */
	uint64_t usec;
};

/* Requests done, and in *ret_usec how long they took. */
static int run_load(struct run *run, const struct phase *phase,
		    const struct io_model_options *options, uint64_t *ret_done, uint64_t *ret_usec)
{
	struct worker workers[THREADS] = {};
	uint64_t begin = monotonic_usec(), now = begin;
	bool stopped = false;
	int r = workers_start(workers, run);

	while (r == 0 && !atomic_load(&run->stop)) {
		uint64_t part = MIN((now - begin) * (phase->to - phase->from) / phase->usec,
				    (uint64_t)(phase->to - phase->from));

		if (options->progress)
			options->progress(phase->what, phase->from + (unsigned int)part);
		if (options->stop && *options->stop)
			stopped = true;
		if (stopped || now - begin >= phase->usec ||
		    (run->most && atomic_load(&run->done) >= run->most))
			break;
		pause_usec(MIN((uint64_t)LOOK_USEC, phase->usec - (now - begin)));
		now = monotonic_usec();
	}
	*ret_done = atomic_load(&run->done);
	*ret_usec = MAX(monotonic_usec() - begin, (uint64_t)1);
	atomic_store(&run->stop, true);
	workers_end(workers);
	if (r == 0 && stopped)
		r = -ECANCELED;
	return r < 0 ? r : -atomic_load(&run->error);
}

static int check_room(const struct io_model_place *place, uint64_t bytes)
{
	struct statvfs fs;

	if (place->bytes)
		return place->bytes < LEAST_BYTES ? -ENOSPC : 0;
	if (fstatvfs(place->fd, &fs) < 0)
		return -errno;
	/* The file system's owner wants room, too. */
	return (uint64_t)fs.f_bavail * fs.f_frsize / 10 * 9 < bytes ? -ENOSPC : 0;
}

/* A read of what was never written is no IO. How much there is, in *ret: a slow disk gets less. */
static int fill(const struct io_model_place *place, const struct io_model_options *options,
		uint64_t bytes, uint64_t *ret)
{
	static const struct load load = { LARGE_BYTES, true, false };
	const struct phase phase = { "filling", 0, 16, options->step_usec * FILL_STEPS };
	struct run run = { .load = &load,
			   .fd = place->fd,
			   .blocks = bytes / LARGE_BYTES,
			   .most = bytes / LARGE_BYTES };
	uint64_t done = 0, usec;
	int r = run_load(&run, &phase, options, &done, &usec);

	if (r < 0)
		return r;
	/* Requests end out of order: the last ones of those that were begun may have holes. */
	if (done < run.most)
		done -= MIN(done, (uint64_t)THREADS);
	if (done * LARGE_BYTES < LEAST_BYTES)
		return -ETIME;
	*ret = done * LARGE_BYTES;
	return fdatasync(place->fd) < 0 ? -errno : 0;
}

int io_model_measure(const struct io_model_place *place, const struct io_model_options *options,
		     uint64_t ret[static IO_MODEL_VALUES])
{
	uint64_t bytes = options->file_bytes / LARGE_BYTES * LARGE_BYTES;
	int r;

	if (place->bytes)
		bytes = MIN(bytes, place->bytes / LARGE_BYTES * LARGE_BYTES);
	r = check_room(place, bytes);
	if (r == 0)
		r = fill(place, options, bytes, &bytes);
	for (unsigned int i = 0; r == 0 && i < IO_MODEL_VALUES; i++) {
		const struct phase phase = { io_model_names[i], 16 + i * 14, 30 + i * 14,
					     options->step_usec };
		struct run run = { .load = &loads[i],
				   .fd = place->fd,
				   .blocks = bytes / loads[i].block };
		uint64_t done = 0, usec = 1;

		r = run_load(&run, &phase, options, &done, &usec);
		if (loads[i].block == LARGE_BYTES)
			done *= LARGE_BYTES;
		/* The kernel takes nothing below 1. */
		ret[i] = MAX((uint64_t)((double)done * 1e6 / (double)usec), (uint64_t)1);
	}
	return r;
}
