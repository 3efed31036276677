/* SPDX-License-Identifier: Apache-2.0 */
/*
 * colocation.h - what the decisions of this plugin share: its configuration, the way that each
 * resource goes on this host, and a small set of wanted knob values. Decisions are pure functions
 * from (way, workload) to wants; colocation.c turns wants into claims.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "berth-plugin.h"

/* How a resource's priority is brought about. Found by probing the knobs, never by version. */
enum way {
	WAY_AUTO, /* configuration only */
	WAY_VENDOR,
	WAY_UPSTREAM,
	WAY_EMULATION,
	WAY_NONE, /* the host offers nothing: the resource is left alone, and explain says so */
};

enum protect { PROTECT_OFF, PROTECT_LOW, PROTECT_MIN };

struct colocation_config {
	uint64_t cpu_enabled;
	uint64_t cpu_way; /* WAY_AUTO to WAY_EMULATION */
	uint64_t cpu_quota_percent;
	uint64_t cpu_smt_protect; /* 0 auto, 1 off */
	uint64_t memory_enabled;
	uint64_t memory_way;
	uint64_t memory_oom_score_adj;
	uint64_t memory_protect; /* enum protect */
};

extern const struct config_field colocation_fields[];

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

/* What a decision may look at besides the workload; all of it read when capabilities change. */
struct colocation_host {
	struct way_choice cpu, memory;
	bool has_oom_score_adj, has_core_sched, has_memory_low, has_memory_min;
	unsigned int cpus;
};

/* parent_is_offline: a workload above this one in the tree already made the whole tree offline. */
void cpu_decide(const struct colocation_config *config, const struct colocation_host *host,
		const struct berth_workload *workload, bool parent_is_offline, struct wants *ret);
void memory_decide(const struct colocation_config *config, const struct colocation_host *host,
		   const struct berth_workload *workload, bool parent_is_offline,
		   struct wants *ret);
