/* SPDX-License-Identifier: Apache-2.0 */
/*
 * host-internal.h - what the files of the host share. A host_plugin is a plugin for the life of the
 * daemon: its state, counters and quarantine. An instance is one start() of it: what it owns dies
 * with it. For the moment of a restart in place two instances of one plugin live side by side.
 *
 *   host.c           lifecycle of the host, the policy, workload events
 *   host-instance.c  start and stop of an instance, every callback's wrapper, failures
 *   host-rest.c      quarantine's timers
 *   host-api.c       struct agent_api: claims, actions, workloads, log
 *   host-sources.c   timers and watches
 *   host-jobs.c      work()
 *   host-shown.c     descriptions and metrics
 *   host-plan.c      what a policy would change; host-shadow.c: the agent that only records
 */
#pragma once

#include "hashmap.h"
#include "list.h"
#include "log.h"
#include "plugin/host.h"
#include "plugin/quarantine.h"
#include "worker/pool.h"

/* Which knobs of one target an instance has claimed. */
struct claimed {
	struct berth_target target;
	uint64_t knobs; /* bit: enum knob */
};

struct instance {
	struct agent agent; /* first: what the plugin holds is this struct */
	struct host_plugin *plugin;
	void *self;
	bool ending; /* being stopped: it gets nothing new */
	struct list sources, actions;
	size_t source_count, job_count;
	struct hashmap claims;       /* struct claimed by claim_key() */
	struct hashmap descriptions; /* struct described by workload id */
};

struct agent_metric {
	struct list link;
	struct metric_family *family;
	struct instance *instance; /* which registered it last */
	char name[128];
};

struct host_plugin {
	const struct plugin *plugin;
	struct host *host;
	enum plugin_state state;
	char detail[256];
	void *config; /* what it runs with, or will; NULL while off */
	struct instance *running;
	struct quarantine quarantine;
	sd_event_source *timer; /* end of its rest, or of its crashes' memory; NULL: none */
	struct list metrics;
	size_t metric_count;
	uint64_t failures, overruns, callbacks, busy_usec;
	struct log_limit failure_log, overrun_log, own_log;
};

struct host {
	struct host_context context;
	struct host_plugin *plugins;
	size_t count;
	struct breadcrumb *breadcrumb; /* NULL: no page could be made */
	struct worker_pool *pool;
	struct list jobs; /* of all instances */
	const char *marked_plugin, *marked_callback;
	struct hashmap metric_levels; /* workload id to 1 + level - QOS_SCAVENGER of its series */
	sd_event_source *probe;
};

/* Every workload that was announced, as ADDED; also what each_workload() walks. */
#define host_foreach_workload(entry, host) \
	list_foreach (entry, &(host)->context.registry->workloads, link)

/* Start it if it may: not when the host lacks something or it crashed the daemon too often. */
void plugin_try(struct host_plugin *plugin);

/* ---- host-instance.c ---- */

/* Around every callback: breadcrumb, clock, budget. They nest: a callback may act and be told at
 * once. */
struct call {
	uint64_t begin_usec;
	const char *outer_plugin, *outer_callback;
};
struct call call_begin(struct host_plugin *plugin, const char *callback);
void call_end(struct host_plugin *plugin, const char *callback, const struct call *call);
/* error < 0 counts; one too many and the plugin is stopped: the instance is gone after this. */
void plugin_result(struct host_plugin *plugin, const char *callback, int error);

/* Start with plugin->config, beside the running instance if there is one, which then ends and
 * leaves behind what the new one claimed as well. A failure quarantines. */
void plugin_start(struct host_plugin *plugin);
/* Stop, drop everything; `state` and `detail` (printf) are what it is afterwards. */
void plugin_stop(struct host_plugin *plugin, enum plugin_state state, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void instance_workload(struct instance *instance, enum workload_change change,
		       const struct berth_workload *workload);
/* NULL, or what the host lacks, in text. */
const char *plugin_lacks(const struct host_plugin *plugin, char *text, size_t size);

/* ---- host-rest.c ---- */

void plugin_rest(struct host_plugin *plugin, const char *why);
/* The timer, if any, of a plugin that has just started. */
void plugin_watch_crashes(struct host_plugin *plugin);
/* True: it crashed the daemon too often and was put to rest. */
bool plugin_is_blamed(struct host_plugin *plugin);
void plugin_timer_clear(struct host_plugin *plugin);

/* ---- host-api.c ---- */

extern const struct agent_api host_api;
/* 0, -ENOENT, -EPERM or -EINVAL; label is written to and referred to. */
int host_target(const struct host *host, struct berth_target target, char *label, size_t size,
		struct actuator_target *ret);
int host_knob_available(const struct host *host, enum knob knob, const char **ret_reason);
void instance_drop_claims(struct instance *instance, const struct instance *successor);
void instance_forget_workload(struct instance *instance, uint64_t id);
void instance_unclaim_workload(struct instance *instance, uint64_t id);
void instance_drop_actions(struct instance *instance);
void host_log(const struct host_plugin *plugin, int level, const char *format, va_list arguments)
	__attribute__((format(printf, 3, 0)));

/* ---- host-sources.c ---- */

int api_every(struct agent *agent, uint64_t period_usec, int (*fn)(void *self),
	      struct agent_source **ret);
int api_watch(struct agent *agent, int fd, uint32_t epoll_events,
	      int (*fn)(void *self, uint32_t epoll_events), struct agent_source **ret);
void api_forget(struct agent *agent, struct agent_source *source);
void instance_drop_sources(struct instance *instance);
/* When a timer of this period expires first, so that all plugins share ticks. */
uint64_t timer_first_usec(uint64_t now_usec, uint64_t period_usec);

/* ---- host-jobs.c ---- */

int api_work(struct agent *agent, int (*fn)(void *job),
	     void (*done)(void *self, void *job, int result), void *job);
void instance_cancel_jobs(struct instance *instance);

/* ---- host-shown.c ---- */

void api_describe(struct agent *agent, uint64_t workload, const char *key, const char *value);
int api_metric(struct agent *agent, const char *name, const char *help, struct agent_metric **ret);
void api_metric_set(struct agent *agent, struct agent_metric *metric, uint64_t workload,
		    double value);
void instance_drop_descriptions(struct instance *instance);
void instance_drop_described(struct instance *instance, uint64_t workload);
/* heir: NULL, or who takes them over. */
void instance_drop_metrics(struct instance *instance, struct instance *heir);
/* Its level changed or it went: series with the labels of before go. */
void host_metrics_changed(struct host *host, const struct berth_workload *view, bool gone);
