/* SPDX-License-Identifier: Apache-2.0 */
/*
 * host.h - runs plugins: hands them the agent_api, owns their event sources, jobs, claims and
 * metrics, times every callback, and takes a plugin that fails out of service without taking the
 * daemon down.
 */
#pragma once

#include <systemd/sd-event.h>

#include "actuator/actuator.h"
#include "metrics/registry.h"
#include "plugin/loader.h"
#include "telemetry/snapshot.h"
#include "workload/registry.h"

struct host;

struct host_context {
	sd_event *event;
	struct registry *registry;
	struct actuator *actuator;
	struct snapshot *snapshot;
	struct metrics *metrics;
	int runtime_fd; /* the breadcrumb page lives there; borrowed */
	/* A plugin's action on a workload has ended, or was only recorded (dry run). May be NULL.
	 */
	void (*acted)(void *data, const char *plugin, uint64_t workload, enum action kind,
		      const char *reason, int result);
	/* A plugin told what it does to a workload. May be NULL. */
	void (*told)(void *data, const char *owner, uint64_t workload, const char *what,
		     const char *reason);
	void *acted_data; /* of both */
};

enum plugin_state {
	PLUGIN_OFF,         /* enabled: false */
	PLUGIN_UNAVAILABLE, /* the host lacks what it needs; detail says what */
	PLUGIN_RUNNING,
	PLUGIN_QUARANTINED, /* failed too often or crashed the daemon; retry_usec tells when again
			     */
};
const char *plugin_state_name(enum plugin_state state);

struct plugin_view {
	const char *name, *description, *path;
	enum plugin_state state;
	const char *detail; /* why it is not running, or "" */
	uint64_t failures, overruns, callbacks, busy_usec, longest_usec, retry_usec;
	uint64_t longest_cpu_usec; /* of one callback, on a CPU; longest_usec is by the clock */
	size_t sources;
};

int host_new(const struct host_context *context, const struct plugin_list *plugins,
	     struct host **ret);
/* Stops all in reverse order; their claims are dropped, so the actuator restores. */
struct host *host_free(struct host *host);

/* Start, apply or stop each plugin for this policy, which plugin_check_all() accepted. A plugin
 * that fails to start is quarantined; the others go on. -ENOMEM only. */
int host_apply(struct host *host, const struct settings *settings);

/* The registry's listener: tells running plugins, and drops claims and metrics of one REMOVED. */
void host_workload(void *data, enum workload_change change, struct workload *workload);
void host_capabilities_changed(struct host *host);

void host_each_plugin(const struct host *host,
		      void (*fn)(void *data, const struct plugin_view *view), void *data);
/* describe() of plugins; workload 0: of the plugin as a whole. */
void host_each_description(const struct host *host, uint64_t workload,
			   void (*fn)(void *data, const char *plugin, const char *key,
				      const char *value),
			   void *data);
#define WORKLOAD_METRIC_LABELS 4u
/* Those of its series; a container is told by its pod. How many. */
size_t workload_metric_labels(const struct host *host, const struct berth_workload *view,
			      struct metric_label labels[WORKLOAD_METRIC_LABELS]);
/* Take a telemetry pass over all workloads unless fresh. */
int host_fresh(struct host *host, uint64_t max_age_usec);

/* What would this policy claim? Runs a second instance of every plugin with an agent that records.
 * fn is told each difference, as if the policy were no dry run: `now` and `then` are values or NULL
 * for none, as what a dry run or a pause of now keeps back is. A workload of which
 * only the level changes comes with plugin and knob ""; a plugin that could not start in the new
 * policy with label and knob "", and the reason. */
struct plan_view {
	const char *plugin, *label, *knob, *now, *then, *reason;
	const char *level_now, *level_then; /* of the workload; equal when it stays */
};
int host_plan(struct host *host, const struct settings *settings,
	      void (*fn)(void *data, const struct plan_view *view), void *data);
