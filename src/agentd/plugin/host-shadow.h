/* SPDX-License-Identifier: Apache-2.0 */
/*
 * host-shadow.h - a second instance of a plugin whose agent records claims and does nothing else,
 * over workloads as another policy would see them.
 */
#pragma once

#include "limit.h"
#include "plugin/host-internal.h"

struct plan_workload {
	struct berth_workload view; /* by the new settings */
	const struct workload *workload;
	char *detail; /* why that level */
	bool reported;
};

/* The node by the new settings. */
struct plan {
	struct host *host;
	struct plan_workload *workloads;
	size_t count;
	struct hashmap by_id;
	void (*fn)(void *data, const struct plan_view *view);
	void *data;
};

struct plan_claim {
	struct list link;
	struct plan_claim *next; /* of the same target and knob, for another device or part */
	struct berth_target target;
	uint64_t device;
	unsigned int part; /* as in struct claimed */
	enum knob knob;
	uint64_t number;  /* of a text: its hash */
	char text[256];   /* of a knob that takes one, else "" */
	char reason[192]; /* LIMIT_REASON */
	bool compared;
};

struct shadow_job {
	void (*done)(void *self, void *job, int result);
	void *job;
};

struct shadow {
	struct agent agent; /* first */
	struct host_plugin *plugin;
	const struct plan *plan;
	void *self;
	bool ending;
	struct list claims;
	struct shadow_job jobs[LIMIT_PLUGIN_JOBS];
	size_t job_count;
	struct hashmap by_key; /* to claims, the first of each target and knob */
	size_t claim_count;
	struct agent_metric metric; /* all metrics are this one */
};

/* Start, feed, stop; what it claimed is in shadow->claims then. 0 or what start() returned. */
int shadow_run(struct shadow *shadow, struct host_plugin *plugin, const struct plan *plan,
	       const void *config);
void shadow_done(struct shadow *shadow);
struct plan_claim *shadow_claim(const struct shadow *shadow, unsigned int part,
				struct berth_target target, uint64_t device, enum knob knob);
struct plan_workload *plan_workload_get(const struct plan *plan, uint64_t id);
