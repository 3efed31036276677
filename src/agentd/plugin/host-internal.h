/* SPDX-License-Identifier: Apache-2.0 */
/*
 * host-internal.h - what the files of the host share. A host_plugin is a plugin for the life of the
 * daemon: its state, counters and quarantine. An instance is one start() of it: what it owns dies
 * with it. For the moment of a restart in place two instances of one plugin live side by side.
 *
 *   host.c           lifecycle of the host, the policy, workload events
 *   host-instance.c  start and stop of an instance, every callback's wrapper, failures
 *   host-rest.c      quarantine's timers
 *   host-api.c       struct agent_api: actions, workloads, log
 *   host-claims.c    claims; host-parts.c: the names of those who hold them
 *   host-sources.c   timers and watches
 *   host-node.c      the host's own numbers, and what CPUs count
 *   host-jobs.c      work()
 *   host-shown.c     descriptions and metrics
 *   host-publish.c   families of all workloads, read off their samples
 *   host-plan.c      what a policy would change; host-shadow.c: the agent that only records
 */
#pragma once

#include "hashmap.h"
#include "limit.h"
#include "list.h"
#include "log.h"
#include "plugin/host.h"
#include "plugin/quarantine.h"
#include "worker/pool.h"

/* Which knobs of one target, and one device of it, a part of an instance has claimed. */
struct claimed {
	struct claimed *next; /* of the same target, for another device or part */
	struct berth_target target;
	uint64_t device;
	unsigned int part;
	uint64_t knobs; /* bit: enum knob */
};

/* What publish() was told last; count 0: nothing. */
struct published {
	const struct metric_table *tables;
	size_t count;
	int (*wants)(void *self, const struct berth_workload *workload);
};

struct instance {
	struct agent agent; /* first: what the plugin holds is this struct */
	struct host_plugin *plugin;
	void *self;
	bool ending; /* being stopped: it gets nothing new */
	struct list sources, actions;
	size_t source_count, job_count;
	struct hashmap claims;       /* struct claimed, the first of each target by claim_key() */
	struct hashmap descriptions; /* struct described by workload id */
	struct published published;
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
	/* Owners of claims: the plugin itself, then "PLUGIN/PART" in the order of first use. */
	const char *parts[LIMIT_PLUGIN_PARTS];
	struct instance *running;
	struct quarantine quarantine;
	sd_event_source *timer; /* end of its rest, or of its crashes' memory; NULL: none */
	struct list metrics;
	size_t metric_count;
	uint64_t failures, overruns, callbacks, busy_usec, longest_usec, longest_cpu_usec;
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
	struct instance *publisher;   /* whose families the page has; NULL: nobody's */
	struct hashmap metric_levels; /* workload id to 1 + level - QOS_SCAVENGER of its series */
	sd_event_source *probe;
	struct node_sample node; /* what node() gave out last */
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
	uint64_t begin_usec, begin_cpu_usec;
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
/* As agent_api.original_text says. */
int host_original_text(const struct host *host, struct berth_target target, enum knob knob,
		       char *text, size_t size);
/* 0, -ENOENT, -EPERM or -EINVAL; label is written to and referred to. */
int host_target(const struct host *host, struct berth_target target, char *label, size_t size,
		struct actuator_target *ret);
int host_peek(const struct host *host, const uint64_t *workloads, size_t count,
	      const enum sample_value *values, size_t value_count, uint64_t *ret);
int host_knob_value(const struct host *host, struct berth_target target, enum knob knob,
		    uint64_t *ret_original, uint64_t *ret_now);
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

/* ---- host-node.c ---- */

const struct node_sample *host_node(struct host *host, uint64_t max_age_usec);
const struct node_sample *api_node(struct agent *agent, uint64_t max_age_usec);
int api_count(struct agent *agent, uint64_t id, uint64_t usec);
int host_can_count(const struct host *host, const char **ret_reason);
int api_can_count(struct agent *agent, const char **ret_reason);

/* ---- host-jobs.c ---- */

int api_work(struct agent *agent, int (*fn)(void *job),
	     void (*done)(void *self, void *job, int result), void *job);
void instance_cancel_jobs(struct instance *instance);

/* ---- host-shown.c ---- */

void api_describe(struct agent *agent, uint64_t workload, const char *key, const char *value);
int api_metric(struct agent *agent, const char *name, const char *help, struct agent_metric **ret);
void api_metric_set(struct agent *agent, struct agent_metric *metric, uint64_t workload,
		    double value);
void api_metric_set_labels(struct agent *agent, struct agent_metric *metric, const char *labels,
			   double value);
void api_tell(struct agent *agent, const char *part, uint64_t id, const char *what,
	      const char *reason);
void instance_drop_descriptions(struct instance *instance);
void instance_drop_described(struct instance *instance, uint64_t workload);
/* heir: NULL, or who takes them over. */
void instance_drop_metrics(struct instance *instance, struct instance *heir);
/* Its level changed or it went: series with the labels of before go. */
void host_metrics_changed(struct host *host, const struct berth_workload *view, bool gone);

/* ---- host-publish.c ---- */

int api_publish(struct agent *agent, const struct metric_table *tables, size_t count,
		int (*wants)(void *self, const struct berth_workload *workload));
/* What this running instance publishes is what the page has from now on. */
void instance_publish(struct instance *instance);
void instance_unpublish(struct instance *instance);
void host_publish_workload(struct host *host, enum workload_change change,
			   const struct workload *workload);

/* Of a key that is made of a target's id and its kind, and, in a plan, a knob. */
#define TARGET_BITS 3u
#define KNOB_BITS   6u

/* ---- host-parts.c ---- */

/* The owner of this part's claims; part 0 is the plugin itself. */
const char *plugin_owner(const struct host_plugin *plugin, unsigned int part);
/* The number of a part, -EINVAL for no name, -ENOSPC; or -ENOENT if it is only looked for. */
int plugin_part(struct host_plugin *plugin, const char *name, bool make);
/* Is this owner the plugin or a part of it? The part's number, or -ENOENT. */
int plugin_part_of_owner(const struct host_plugin *plugin, const char *owner);
void plugin_parts_free(struct host_plugin *plugin);

/* The services of that name; host-claims.c. */
int host_claim(struct agent *agent, struct berth_target target, enum knob knob,
	       const struct knob_value *value, uint64_t lease_usec, const char *reason);
void host_unclaim(struct agent *agent, struct berth_target target, enum knob knob);
int host_claim_device(struct agent *agent, struct berth_target target, uint64_t device,
		      enum knob knob, const struct knob_value *value, uint64_t lease_usec,
		      const char *reason);
void host_unclaim_device(struct agent *agent, struct berth_target target, uint64_t device,
			 enum knob knob);
int host_claim_as(struct agent *agent, const char *part, struct berth_target target, enum knob knob,
		  const struct knob_value *value, uint64_t lease_usec, const char *reason);
void host_unclaim_as(struct agent *agent, const char *part, struct berth_target target,
		     enum knob knob);
