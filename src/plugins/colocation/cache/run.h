/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run.h - the state of the service, between cache.c (classes and workloads), dynamic.c (what the
 * class dynamic gets), look.c (by what one workload says) and count.c (what CPUs count of it).
 * Nobody else's.
 */
#pragma once

#include "cache/cache.h"
#include "hashmap.h"

/* What an online workload did since the last look, and how much of that is more than usual. */
struct look {
	struct cache_reading reading;
	bool counted;  /* by the CPUs, since the last look */
	bool learning; /* so, but what is usual of it is not known yet */
	bool has_rate;
	double rate, cpi;  /* of misses; cycles per instruction */
	uint32_t pressure; /* the share itself */
	bool is_old;       /* it is the sample that was looked at before */
	bool has_use;
	uint64_t used_usec;
};

struct track {
	uint64_t id;
	unsigned int choice;
	bool is_online, has_sample;
	uint64_t generation, time_usec, stalled_usec, cpu_usec;
	struct cache_counters counters;
	struct cache_usual usual_rate, usual_cpi, usual_pressure;
	uint64_t turn; /* in which it was counted last */
	struct look look;
	char why[160];
};

struct cache {
	struct agent *agent;
	void *self;
	const struct cache_config *config;
	struct hashmap tracks; /* of workloads but containers, by id */
	unsigned int users[CACHE_CHOICES];
	struct cache_plan plan;
	unsigned int claimed; /* classes whose share is claimed of the host */
	bool available, changed;
	uint64_t percent[CACHE_KINDS]; /* of the class dynamic */
	struct cache_traffic traffic;
	struct cache_usual usual_traffic;
	uint64_t online_cpu_usec; /* that online workloads have used since the start, added up */
	struct agent_source *timer;
	uint64_t timer_usec;
	bool counts, window_open;
	char uncounted_why[128]; /* why counts is false */
	uint64_t turn;
	struct agent_metric *metric;
};

/* cache.c */
/* Claim what the class is to get now. 0 or -errno. */
int cache_class_claim(struct cache *cache, unsigned int class, const char *reason);
/* What explain shows of the service: what each class gets. step: what dynamic did last, or NULL. */
void cache_describe(struct cache *cache, const char *step);

/* dynamic.c */
/* From the safe side, and with nothing known. */
void cache_dynamic_begin(struct cache *cache);
/* Look at what online workloads suffer, and claim what follows from it; or have them counted until
 * the next step. */
void cache_dynamic_step(struct cache *cache);
/* Until the next step. */
uint64_t cache_dynamic_wait(const struct cache *cache);

/* look.c */
/* Fills track->look. is_low: as of cache_usual_learn(). */
void cache_look(struct track *track, const struct workload_sample *sample, bool counts,
		bool is_low);
void cache_look_forget(struct track *track);
/* The value judged by what was usual before it. */
uint32_t cache_look_growth(struct cache_usual *usual, double value, double least, bool is_low);

/* count.c */
/* Do the CPUs count, and may they? */
bool cache_count_look(struct cache *cache);
void cache_count_begin(struct cache *cache);
