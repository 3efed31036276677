/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cache.h - shares of the last-level cache and of the memory bandwidth for offline workloads, by
 * level and by annotation. Its parts: choose.c says which class a workload is in and, where the
 * hardware has too few, which classes share one (pure); law.c what the dynamic class gets, usual.c
 * what is worse than usual (pure); monitor.c what resctrl measures; count.c has the CPUs count
 * online workloads; dynamic.c what those suffer; cache.c claims.
 *
 * Shares in percent; measured ones in hundredths of a percent.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "berth-plugin.h"

struct colocation_config;

#define CACHE_ANNOTATION "volcano.sh/cache-limit"
#define CACHE_WHOLE      10000u
#define CACHE_TRAFFICS   60u /* readings whose lowest is what online workloads need alone */

/* What a policy or an annotation may say: a class, or no limit. */
enum cache_choice { CACHE_MAX = CACHE_CLASSES, CACHE_CHOICES };

enum cache_kind { CACHE_L3, CACHE_L2, CACHE_BANDWIDTH, CACHE_KINDS };

struct cache_config {
	uint64_t enabled, annotations;
	uint64_t batch, scavenger; /* enum cache_class or CACHE_MAX */
	uint64_t period_usec;
	uint64_t counters, window_usec, every_usec;
	uint64_t percent[CACHE_KINDS][CACHE_DYNAMIC]; /* of low, middle, high */
	uint64_t max_miss, min_miss, max_cpi, min_cpi, max_pressure, min_pressure;
	uint64_t bandwidth_mbps;
};

extern const char *const cache_choice_names[CACHE_CHOICES + 1];

/* ---- choose.c ---- */

/* The class of a workload, CACHE_MAX for no limit. why: a phrase for explain. */
unsigned int cache_choose(const struct cache_config *config, const struct berth_workload *workload,
			  bool below_offline, const char *annotation, char *why, size_t size);

/* Which class's group each wanted class is in, with so many groups to be had, which go to the
 * strictest classes: its own, or where there is none for it that of the next stricter one.
 * CACHE_MAX: there is none at all. */
struct cache_plan {
	unsigned int group[CACHE_CLASSES];
	unsigned int made; /* a bit for each class that has a group */
};
void cache_plan(unsigned int wanted, unsigned int slots, struct cache_plan *ret);
/* Groups of these classes could not be made: nor is any class in them. One without a stricter one
 * joins the next generous. */
void cache_plan_without(struct cache_plan *plan, unsigned int failed);
/* Strictest first: low, dynamic, middle, high. */
extern const enum cache_class cache_order[CACHE_CLASSES];

/* 0, or -EINVAL: what contradicts what. */
int cache_check(const struct colocation_config *config, struct berth_error *reterr);

/* ---- law.c ---- */

/* What is known of an online workload since the last step. */
struct cache_reading {
	bool has_miss, has_cpi, has_pressure;
	uint32_t miss;     /* so much more than usual it misses the cache */
	uint32_t cpi;      /* so much more than usual an instruction takes */
	uint32_t pressure; /* share in which it waited for a CPU, or by how much more than usual */
};

/* The worst first. */
enum cache_step { CACHE_SHRINK, CACHE_HOLD, CACHE_GROW };

/* What one workload calls for. */
enum cache_step cache_judge(const struct cache_config *config, const struct cache_reading *reading);
/* The next shares of the dynamic class, each between those of low and high. */
void cache_move(const struct cache_config *config, enum cache_step step,
		uint64_t percent[CACHE_KINDS]);

/* ---- usual.c ---- */

/* What CPUs have counted of a workload, and what of that there is. */
struct cache_counters {
	bool has_cycles, has_cache;
	uint64_t cycles, instructions, references, misses;
};

/* Between two of them. False: not counted, counted anew, or too little to say anything. */
bool cache_miss_rate(const struct cache_counters *before, const struct cache_counters *now,
		     double *ret);
bool cache_cpi(const struct cache_counters *before, const struct cache_counters *now, double *ret);

/* What is usual of something of which more is worse. */
struct cache_usual {
	unsigned int count;
	double value;
};
#define CACHE_LEARN 3u /* values, before it is known what is usual */

bool cache_usual_known(const struct cache_usual *usual);
/* is_low: the dynamic class has its least, so that what there is of harm is not its doing. Then
 * what is usual follows; else it follows what is better, and hardly what is worse. */
void cache_usual_learn(struct cache_usual *usual, double value, bool is_low);
/* By how much the value is more than usual; least: what is usual is taken for this much. */
uint32_t cache_usual_growth(const struct cache_usual *usual, double value, double least);

/* ---- monitor.c ---- */

extern const char *cache_resctrl; /* "/sys/fs/resctrl"; tests have another */

/* How many groups Berth may have: those that it has, and what is free. CACHE_CLASSES at most. */
unsigned int cache_slots(void);
/* A bit for each class that has a group of ours. */
unsigned int cache_present(void);
/* Bytes to and from memory of what is in the default group, since the mount. -ENODATA: the host
 * does not measure that. */
int cache_traffic_read(uint64_t *ret, unsigned int *ret_domains);

/* Memory traffic for each CPU microsecond against the lowest of the last readings: more of it is
 * what cache misses look like from outside. */
struct cache_traffic {
	unsigned int domains;     /* that bytes are of: with others it begins anew */
	uint64_t bytes, cpu_usec; /* totals of the last reading */
	uint64_t rate;            /* of the last step: bytes in a thousand microseconds */
	uint64_t rates[CACHE_TRAFFICS];
	size_t count, next;
	bool begun;
};
/* True: *ret_growth is known. */
bool cache_traffic_step(struct cache_traffic *traffic, uint64_t bytes, uint64_t cpu_usec,
			uint32_t *ret_growth);

/* ---- cache.c: the service ---- */

int cache_start(struct agent *agent, void *self, const struct colocation_config *config,
		void **ret_state);
int cache_apply(void *state, const struct colocation_config *config);
void cache_probe(void *state);
void cache_workload(void *state, const struct workload_event *event);
void cache_decide(void *state, const struct berth_workload *workload, bool below_offline);
void cache_decided(void *state);
void cache_stop(void *state);
