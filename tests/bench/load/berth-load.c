/* SPDX-License-Identifier: Apache-2.0 */
/*
 * berth-load - a latency-sensitive request server with its own open-loop load generator.
 *
 * One thread draws arrivals and sleeps until each; worker threads take requests and do a fixed
 * amount of work. Latency runs from the instant at which a request was meant to arrive, so that a
 * generator or a queue that is held up counts against the machine instead of vanishing
 * (coordinated omission). Each phase repeats the same arrivals.
 *
 * Commands on stdin, one answer a line on stdout:
 *   phase LABEL MILLISECONDS [UTILISATION]
 *                               load for so long, then one JSON object
 *   quit                        (or end of input)
 */
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <time.h>
#include <unistd.h>

#include "cleanup.h"
#include "histogram.h"
#include "macro.h"
#include "parse.h"
#include "work.h"

#define QUEUE_SLOTS    (1u << 16) /* more than a phase of seconds can leave waiting */
#define NSEC_PER_SEC   1000000000ULL
#define WORKERS_MAX    1024u
#define PHASE_MSEC_MAX 3600000ULL

struct server {
	atomic_uint_fast64_t due_nsec[QUEUE_SLOTS]; /* when each request was meant to arrive */
	atomic_uint_fast64_t head;                  /* next to take */
	uint64_t tail;                              /* next to put; of the generator alone */
	atomic_uint_fast64_t done;
	sem_t waiting;
	struct histogram latency;
	uint64_t rounds;      /* of work for one request */
	uint64_t settle_nsec; /* at the start of a phase: load that is not recorded */
	atomic_uint_fast64_t record_from_nsec;
};

struct load_options {
	uint64_t utilisation_percent, work_usec, workers, settle_msec;
	bool constant;
};

static struct server server;

static uint64_t monotonic_nsec(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NSEC_PER_SEC + (uint64_t)now.tv_nsec;
}

static void sleep_until(uint64_t nsec)
{
	struct timespec until = {
		.tv_sec = (time_t)(nsec / NSEC_PER_SEC),
		.tv_nsec = (long)(nsec % NSEC_PER_SEC),
	};

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR)
		;
}

static double cpu_seconds(void)
{
	struct rusage usage;

	(void)getrusage(RUSAGE_SELF, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void *worker_run(void *unused)
{
	struct work_set *set = calloc(1, sizeof(*set));

	(void)unused;
	if (!set)
		abort();
	for (;;) {
		uint64_t slot, due;

		while (sem_wait(&server.waiting) < 0)
			;
		slot = atomic_fetch_add(&server.head, 1);
		due = atomic_load(&server.due_nsec[slot % QUEUE_SLOTS]);
		work_do(set, server.rounds);
		if (due >= atomic_load(&server.record_from_nsec))
			histogram_add(&server.latency, monotonic_nsec() - due);
		atomic_fetch_add(&server.done, 1);
	}
}

/* xorshift64*: quick, and the same draws in each phase. */
static double draw_uniform(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return ((double)((*state * 2685821657736338717ULL) >> 11) + 0.5) / 9007199254740992.0;
}

static uint64_t next_gap(uint64_t *state, double mean_nsec, bool constant)
{
	return (uint64_t)(constant ? mean_nsec : -log(draw_uniform(state)) * mean_nsec);
}

/* Put every request whose time has come; false when the queue is full: the machine is overrun and
 * latencies have no meaning any more. */
static bool put_request(uint64_t due)
{
	if (server.tail - atomic_load(&server.done) >= QUEUE_SLOTS)
		return false;
	atomic_store(&server.due_nsec[server.tail % QUEUE_SLOTS], due);
	server.tail++;
	(void)sem_post(&server.waiting);
	return true;
}

/* Returns the requests dropped. */
static uint64_t generate(uint64_t begin, uint64_t end, double mean_nsec, bool constant)
{
	uint64_t state = 0x9e3779b97f4a7c15ULL, dropped = 0, due = begin;

	for (;;) {
		due += next_gap(&state, mean_nsec, constant);
		if (due >= end)
			return dropped;
		if (due > monotonic_nsec())
			sleep_until(due);
		if (!put_request(due))
			dropped++;
	}
}

static void run_phase(const struct load_options *options, const char *label, uint64_t msec,
		      uint64_t utilisation_percent)
{
	double cpus = (double)get_nprocs();
	double mean_nsec = (double)(options->work_usec * NSEC_PER_USEC) * 100.0 /
			   ((double)utilisation_percent * cpus);
	uint64_t begin = monotonic_nsec(), dropped;
	uint64_t record_from = begin + server.settle_nsec;
	uint64_t end = record_from + msec * 1000000ULL;
	double cpu_begin = cpu_seconds(), seconds;
	const struct histogram *latency = &server.latency;

	histogram_reset(&server.latency);
	atomic_store(&server.record_from_nsec, record_from);
	dropped = generate(begin, end, mean_nsec, options->constant);
	/* What is still queued belongs to the phase: wait for it. */
	while (atomic_load(&server.done) < server.tail)
		sleep_until(monotonic_nsec() + 200000);
	seconds = (double)(monotonic_nsec() - begin) / 1e9;
	printf("{\"label\": \"%s\", \"seconds\": %.3f, \"count\": %llu, \"dropped\": %llu, "
	       "\"p50_usec\": %.1f, \"p99_usec\": %.1f, \"p999_usec\": %.1f, \"max_usec\": %.1f, "
	       "\"mean_usec\": %.1f, \"cpu_seconds\": %.3f}\n",
	       label, seconds, (unsigned long long)atomic_load(&latency->total),
	       (unsigned long long)dropped, (double)histogram_quantile(latency, 0.5) / 1e3,
	       (double)histogram_quantile(latency, 0.99) / 1e3,
	       (double)histogram_quantile(latency, 0.999) / 1e3,
	       (double)histogram_quantile(latency, 1.0) / 1e3,
	       (double)atomic_load(&latency->sum) /
		       (double)MAX((uint64_t)atomic_load(&latency->total), 1ULL) / 1e3,
	       cpu_seconds() - cpu_begin);
	(void)fflush(stdout);
}

static int command_loop(const struct load_options *options)
{
	cleanup_free char *line = NULL;
	size_t size = 0;

	while (getline(&line, &size, stdin) > 0) {
		char *save = NULL;
		const char *verb = strtok_r(line, " \n", &save);
		const char *label = strtok_r(NULL, " \n", &save);
		const char *duration = strtok_r(NULL, " \n", &save);
		const char *utilisation = strtok_r(NULL, " \n", &save);
		uint64_t msec, percent = options->utilisation_percent;

		if (!verb)
			continue;
		if (strcmp(verb, "quit") == 0)
			return EXIT_SUCCESS;
		if (strcmp(verb, "phase") != 0 || !duration || strpbrk(label, "\"\\") ||
		    parse_u64(duration, &msec) < 0 || msec == 0 || msec > PHASE_MSEC_MAX ||
		    (utilisation && parse_u64(utilisation, &percent) < 0) || percent == 0 ||
		    percent > 100) {
			fprintf(stderr, "berth-load: expected "
					"\"phase LABEL MILLISECONDS [UTILISATION]\"\n");
			return 2;
		}
		run_phase(options, label, msec, percent);
	}
	return EXIT_SUCCESS;
}

static int start_server(const struct load_options *options)
{
	cleanup_free struct work_set *set = calloc(1, sizeof(*set));

	if (!set)
		return -ENOMEM;
	/* The default slack of 50 us would be part of every latency. */
	(void)prctl(PR_SET_TIMERSLACK, 1);
	server.settle_nsec = options->settle_msec * 1000000ULL;
	server.rounds = work_calibrate(set, options->work_usec);
	if (sem_init(&server.waiting, 0, 0) < 0)
		return -errno;
	for (uint64_t i = 0; i < options->workers; i++) {
		pthread_t thread;
		int r = pthread_create(&thread, NULL, worker_run, NULL);

		if (r != 0)
			return -r;
	}
	printf("{\"ready\": true, \"rounds\": %llu, \"work_usec\": %llu, \"workers\": %llu}\n",
	       (unsigned long long)server.rounds, (unsigned long long)options->work_usec,
	       (unsigned long long)options->workers);
	(void)fflush(stdout);
	return 0;
}

static int parse_options(int argc, char **argv, struct load_options *options)
{
	static const struct option table[] = {
		{ "utilisation", required_argument, NULL, 'u' },
		{ "work-usec", required_argument, NULL, 'w' },
		{ "workers", required_argument, NULL, 'n' },
		{ "settle-msec", required_argument, NULL, 's' },
		{ "constant", no_argument, NULL, 'c' },
		{ 0 },
	};
	int option;

	while ((option = getopt_long(argc, argv, "", table, NULL)) != -1) {
		uint64_t *slot = option == 'u'   ? &options->utilisation_percent
				 : option == 'w' ? &options->work_usec
				 : option == 'n' ? &options->workers
				 : option == 's' ? &options->settle_msec
						 : NULL;

		if (option == 'c')
			options->constant = true;
		else if (!slot || parse_u64(optarg, slot) < 0)
			return -EINVAL;
	}
	if (optind != argc || options->utilisation_percent == 0 ||
	    options->utilisation_percent > 100 || options->work_usec == 0 ||
	    options->work_usec > USEC_PER_SEC || options->workers == 0 ||
	    options->workers > WORKERS_MAX || options->settle_msec > PHASE_MSEC_MAX)
		return -EINVAL;
	return 0;
}

int main(int argc, char **argv)
{
	struct load_options options = {
		.utilisation_percent = 30,
		.work_usec = 300,
		.workers = (uint64_t)get_nprocs(),
		.settle_msec = 200,
	};
	int r;

	if (parse_options(argc, argv, &options) < 0) {
		fprintf(stderr, "Usage: berth-load [--utilisation=PERCENT] [--work-usec=N] "
				"[--workers=N] [--settle-msec=N] [--constant]\n");
		return 2;
	}
	r = start_server(&options);
	if (r < 0) {
		fprintf(stderr, "berth-load: cannot start: %s\n", strerror(-r));
		return EXIT_FAILURE;
	}
	return command_loop(&options);
}
