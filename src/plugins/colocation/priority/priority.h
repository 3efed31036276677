/* SPDX-License-Identifier: Apache-2.0 */
/*
 * priority.h - CPU and memory priority by level. Decisions are pure functions from (way, workload)
 * to a small set of wanted knob values (cpu-priority.c, memory-priority.c); priority.c, the
 * service, turns wants into claims. way.c finds the way that each resource goes on this host.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "colocation.h"
#include "hashmap.h"

/* How a resource's priority is brought about. Found by probing the knobs, never by version. */
enum way {
	WAY_AUTO, /* configuration only */
	WAY_VENDOR,
	WAY_UPSTREAM,
	WAY_EMULATION,
	WAY_NONE, /* the host offers nothing: the resource is left alone, and explain says so */
};

enum protect { PROTECT_OFF, PROTECT_LOW, PROTECT_MIN };

struct want {
	enum knob knob;
	uint64_t number;
};

#define WANTS_MAX 6u

/* What one workload is to get, and a sentence for `berthctl explain`. */
struct wants {
	struct want items[WANTS_MAX];
	size_t count;
	char why[192];
};

void wants_add(struct wants *wants, enum knob knob, uint64_t number);
bool wants_has(const struct wants *wants, enum knob knob);

/* The way for a resource: the configured one if the host has it, with auto the best that it has.
 * detail says why, for people. */
struct way_choice {
	enum way way;
	char detail[200];
};
void way_choose_cpu(struct agent *agent, const struct colocation_config *config,
		    struct way_choice *ret);
void way_choose_memory(struct agent *agent, const struct colocation_config *config,
		       struct way_choice *ret);

/* Of the levels that may be protected: critical, high, normal. */
#define PROTECT_LEVELS 3u
#define PROTECT_WHOLE  10000u

/* What a decision may look at besides the workload; all of it read when capabilities change. */
struct priority_host {
	struct way_choice cpu, memory;
	bool has_oom_score_adj, has_core_sched, has_memory_low, has_memory_min, has_oom_group;
	uint32_t protect_shares[PROTECT_LEVELS]; /* of each request, in parts of PROTECT_WHOLE */
	unsigned int cpus;
};

/* parent_is_offline: a workload above this one in the tree already made the whole tree offline. */
void cpu_decide(const struct colocation_config *config, const struct priority_host *host,
		const struct berth_workload *workload, bool parent_is_offline, struct wants *ret);
void memory_decide(const struct colocation_config *config, const struct priority_host *host,
		   const struct berth_workload *workload, bool parent_is_offline,
		   struct wants *ret);

/* ---- protect.c: a bound for protection ---- */

/* sums: requests of each level. Together no more than `most` is protected: a level has what the
 * ones before it leave, and within a level each the same share of its request. */
void protect_scale(const uint64_t sums[PROTECT_LEVELS], uint64_t most,
		   uint32_t ret_shares[PROTECT_LEVELS]);
/* By its level; it may still request nothing. */
bool protect_wants(const struct colocation_config *config, const struct berth_workload *workload);
uint64_t protect_amount(const struct priority_host *host, const struct berth_workload *workload);

struct protect_entry {
	size_t level;
	uint64_t bytes;
};

/* Who requests how much, without those below another one that counts. */
struct protect_sums {
	struct hashmap entries; /* struct protect_entry by workload id */
	uint64_t bytes[PROTECT_LEVELS];
};

void protect_note(struct protect_sums *sums, const struct berth_workload *workload);
void protect_forget(struct protect_sums *sums, uint64_t id);
void protect_done(struct protect_sums *sums);

/* The service: see service.h. */
int priority_start(struct agent *agent, void *self, const struct colocation_config *config,
		   void **ret_state);
int priority_apply(void *state, const struct colocation_config *config);
void priority_probe(void *state);
void priority_workload(void *state, const struct workload_event *event);
void priority_decide(void *state, const struct berth_workload *workload, bool below_offline);
void priority_decided(void *state);
void priority_stop(void *state);
