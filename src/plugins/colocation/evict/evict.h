/* SPDX-License-Identifier: Apache-2.0 */
/*
 * evict.h - the last resort: when memory, CPU or IO is short for online workloads in N of M
 * samples, one offline workload is taken off the node. The parts: evict.c says when (pure),
 * victim.c who (pure), evidence.c why (texts), track.c what each workload uses
 * and suffers, run.c does it.
 *
 * Shares are in hundredths of a percent: 10000 is all.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "berth-plugin.h"
#include "hashmap.h"

#define EVICT_WHOLE   10000u
#define EVICT_SAMPLES 60u /* bits of a history that are used */

enum evict_without_api { WITHOUT_API_REFUSE, WITHOUT_API_KILL };
enum evict_kind { EVICT_SOME, EVICT_FULL };

enum evict_resource { EVICT_MEMORY, EVICT_CPU, EVICT_IO, EVICT_RESOURCES };

/* In the order in which they are heeded. */
enum evict_trigger {
	TRIGGER_MEMORY_AVAILABLE,
	TRIGGER_MEMORY_PRESSURE,
	TRIGGER_CPU_PRESSURE,
	TRIGGER_IO_PRESSURE,
	TRIGGER_CPU_USE,
	EVICT_TRIGGERS,
	TRIGGER_MEMORY_HARD = EVICT_TRIGGERS, /* counts no samples */
};

struct evict_config {
	uint64_t enabled;
	uint64_t period_usec, cooldown_usec, min_run_usec;
	uint64_t window, samples;
	uint64_t without_api; /* enum evict_without_api */
	char **protect_namespaces;
	uint64_t memory_available_percent, memory_available_bytes, memory_hard_percent;
	uint64_t cpu_use_percent;
	uint64_t pressure_kind; /* enum evict_kind */
	uint64_t pressure_percent[EVICT_RESOURCES];
};

/* 0, or -EINVAL with what contradicts what. */
int evict_check(const struct evict_config *config, struct berth_error *reterr);

const char *evict_resource_name(enum evict_resource resource);
const char *evict_trigger_name(enum evict_trigger trigger);
enum evict_resource evict_trigger_resource(enum evict_trigger trigger);

/* ---- evict.c: when ---- */

/* One sample of the node, against the one before. */
struct evict_reading {
	uint64_t available_bytes, line_bytes, hard_bytes, total_bytes;
	uint32_t cpu_share;                /* of the time of all CPUs that was used */
	uint32_t stalled[EVICT_RESOURCES]; /* share in which something on the node waited */
	uint64_t period_usec;              /* between the two samples */
	bool hard;                         /* past evict.memory.hard */
};

/* The longest time between two samples that still tell a story: a host in trouble is late. After a
 * longer one it begins anew. */
uint64_t evict_gap_usec(const struct evict_config *config);
/* False: the two say nothing (no time between them, too much, or counters that went back). */
bool evict_read(const struct evict_config *config, const struct node_sample *before,
		const struct node_sample *now, struct evict_reading *ret);
/* May online workloads be short of something, so that a look at each of them is worth it? Nothing
 * stalls in a workload that does not stall on the node. */
bool evict_worth_a_look(const struct evict_config *config, const struct evict_reading *reading);

/* The last samples of each trigger, the newest in bit 0. */
struct evict_history {
	uint64_t over[EVICT_TRIGGERS];
};

/* suffered: the largest share in which an online workload waited, by resource. */
void evict_note(struct evict_history *history, const struct evict_config *config,
		const struct evict_reading *reading, const uint32_t suffered[EVICT_RESOURCES]);
unsigned int evict_count(const struct evict_history *history, const struct evict_config *config,
			 enum evict_trigger trigger);
/* The first trigger that was over its line in N of M samples; TRIGGER_MEMORY_HARD; -1: none. */
int evict_fires(const struct evict_history *history, const struct evict_config *config,
		const struct evict_reading *reading);

/* ---- victim.c: who ---- */

struct evict_facts {
	const struct berth_workload *workload;
	const char *annotation; /* berth/evict; NULL: none */
	bool mirror;            /* a static pod: the API has only its image */
	bool inside_pod;        /* goes with its pod */
	bool shelters;          /* something below it is protected or online */
};

/* NULL: it may be evicted. "": it is online, which goes without saying. Else a phrase for explain.
 */
const char *evict_protection(const struct evict_config *config, const struct evict_facts *facts);

struct evict_candidate {
	uint64_t id; /* the younger, the larger */
	enum qos_level level;
	bool first;      /* berth/evict: first */
	uint64_t amount; /* of what is short: bytes, or microseconds of CPU in a second */
};

/* Less than this would not help: memory in bytes, CPU in microseconds a second, IO in bytes a
 * second. */
uint64_t evict_least(enum evict_resource resource, uint64_t memory_total_bytes);
/* Is a to go before b? Lowest level, then those marked first, then who has most of what is short,
 * then the younger. */
bool evict_before(const struct evict_candidate *a, const struct evict_candidate *b);

/* ---- track.c: what each uses and suffers ---- */

struct evict_track {
	uint64_t id;
	uint64_t seen_usec; /* by the first tick that found it; 0: none has yet */
	uint64_t time_usec; /* of the sample that the totals are from; 0: none */
	uint64_t generation;
	uint64_t cpu_usec, io_bytes, stalled_usec[EVICT_RESOURCES];
	bool has_rates; /* the following is from two samples not far apart */
	uint64_t amount[EVICT_RESOURCES];
	uint32_t suffered[EVICT_RESOURCES];
	uint64_t blocked_usec, backoff_usec; /* until when it is not to be asked for again */
	bool blocked_by_api;                 /* which past the hard line is not heeded */
	bool leaving;                        /* was evicted and is still here */
};

/* Take in a sample. False: it is not from this pass, or too long after the one before. */
bool evict_track_sample(struct evict_track *track, const struct evict_config *config,
			const struct workload_sample *sample, uint64_t gap_max_usec);

/* ---- evidence.c: why ---- */

struct evict_evidence {
	int trigger; /* as of evict_fires() */
	const struct evict_reading *reading;
	unsigned int count;                    /* samples over the line */
	const struct berth_workload *sufferer; /* online; NULL: none is known to wait */
	uint32_t suffered;
	uint64_t amount; /* of the victim */
	size_t candidates;
};

/* For the history, the log and the Event: LIMIT_REASON bytes with NUL. */
void evict_describe(const struct evict_config *config, const struct evict_evidence *evidence,
		    char *text, size_t size);

/* ---- run.c ---- */

struct colocation_config;

/* The service: see service.h. Off, nothing wakes up. */
int evict_check_config(const struct colocation_config *config, struct berth_error *reterr);
int evict_start(struct agent *agent, void *self, const struct colocation_config *config,
		void **ret_state);
int evict_apply(void *state, const struct colocation_config *config);
void evict_workload(void *state, const struct workload_event *event);
void evict_decide(void *state, const struct berth_workload *workload, bool below_offline);
void evict_stop(void *state);
