/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fake-agent.h - berthd as a plugin sees it, in memory and without a daemon: workloads that a test
 * makes up, claims and actions that are recorded instead of done, a clock that moves by hand. The
 * plugin runs its real callbacks; the test asks afterwards what it wanted.
 *
 * It enforces the contract of berth-plugin.h where a plugin could get away with breaking it:
 * unknown workloads, ranges, unavailable knobs, sources left behind. Runs out of memory by abort().
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "berth-plugin.h"

struct fake_claim {
	char part[24]; /* of claim_as(), else "" */
	struct berth_target target;
	uint64_t device; /* of claim_device(), else 0 */
	enum knob knob;
	uint64_t number, lease_usec;
	char text[256], reason[192]; /* text "" where the knob takes a number */
};

struct fake_action {
	struct berth_target target;
	enum action action;
	uint64_t argument;
	char reason[192];
	void (*done)(void *self, struct berth_target target, int result);
	bool finished;
};

struct fake_label {
	uint64_t workload;
	char key[128], value[512];
};

struct fake_workload {
	struct berth_workload view; /* a test may change it, then fake_agent_update() */
	struct workload_sample sample;
	bool sampled;
	uint64_t original[KNOB_MAX]; /* 0: none, UINT64_MAX */
	uint64_t quota_left;         /* of cpu.quota: what a run before left; 0: nothing */
	char *strings[4];
};

struct fake_job {
	int (*fn)(void *job);
	void (*done)(void *self, void *job, int result);
	void *job;
};

struct agent_source {
	bool used;
	uint64_t period_usec, next_usec; /* of a timer */
	int fd;                          /* of a watch, else -1 */
	uint32_t epoll_events;
	int (*on_time)(void *self);
	int (*on_event)(void *self, uint32_t epoll_events);
};

/* A test that needs more ends in abort(). */
#define FAKE_SOURCES   64u
#define FAKE_METRICS   64u
#define FAKE_WORKLOADS 256u
#define FAKE_CLAIMS    2048u
#define FAKE_ACTIONS   256u
#define FAKE_LABELS    2048u
#define FAKE_JOBS      256u
#define FAKE_SERIES    2048u

struct agent_metric {
	char name[64], help[256];
};

struct fake_series {
	size_t metric;
	uint64_t workload;
	char labels[128]; /* of metric_set_labels(), else "" */
	double value;
};

struct fake_agent {
	struct agent agent; /* first: what the plugin holds is this struct */
	const struct berth_plugin *plugin;
	void *self, *config;
	bool running;
	char error[192]; /* of the last fake_agent_start() or _apply() that refused its settings */
	uint64_t now_usec; /* moved by fake_agent_advance() */

	struct fake_workload *workloads[FAKE_WORKLOADS];
	struct fake_claim claims[FAKE_CLAIMS];
	struct fake_action actions[FAKE_ACTIONS];
	struct fake_label annotations[FAKE_LABELS], descriptions[FAKE_LABELS];
	struct fake_job jobs[FAKE_JOBS];
	struct fake_series series[FAKE_SERIES];
	size_t workload_count, claim_count, action_count, annotation_count, description_count,
		job_count, series_count, metric_count;
	/* What publish() was told last; borrowed, as berthd does. */
	const struct metric_table *published;
	size_t published_count;
	int (*wants)(void *self, const struct berth_workload *workload);
	struct agent_source sources[FAKE_SOURCES];
	struct agent_metric metrics[FAKE_METRICS];
	uint64_t last_id;

	bool knob_off[KNOB_MAX]; /* all are there until a test says otherwise */
	const char *knob_reason[KNOB_MAX];
	int claim_error[KNOB_MAX]; /* what claim() of this knob returns instead of 0 */
	int act_error, work_error, every_error, watch_error, fresh_error, publish_error;
	struct node_sample node; /* node() gives it while has_node; its time is the fake's clock */
	bool has_node;
	unsigned int node_calls;
	unsigned int told; /* calls of tell(), and the last one: "PART ID WHAT: REASON" */
	char last_told[320];
	bool can_count;          /* off until a test says otherwise */
	unsigned int count_room; /* so many workloads at once; 0: any number */
	unsigned int count_calls, counted;
	uint64_t counted_ids[FAKE_WORKLOADS], counted_until[FAKE_WORKLOADS];

	/* How often the plugin called. */
	int peek_error;
	unsigned int peek_calls;
	size_t peeked; /* workloads, by all of them */
	unsigned int claim_calls, unclaim_calls, fresh_calls, log_lines[8];
	/* Of each knob, the number of the last unclaim() that took a claim of it away; 0: none. */
	unsigned int unclaimed_at[KNOB_MAX];
	char last_log[256];
};

struct fake_agent *fake_agent_new(void);
/* Stops the plugin if it runs. */
struct fake_agent *fake_agent_free(struct fake_agent *fake);

/* settings: the plugin's section as YAML, NULL for all defaults. Binds it, runs check() and start()
 * and sends ADDED for what is there. -EINVAL with `error` set: settings refused. */
int fake_agent_start(struct fake_agent *fake, const struct berth_plugin *plugin,
		     const char *settings);
/* apply(); a plugin without one is stopped and started, as berthd does. */
int fake_agent_apply(struct fake_agent *fake, const char *settings);
/* stop(), then drop its claims, sources and descriptions as berthd does. */
void fake_agent_stop(struct fake_agent *fake);
void fake_agent_capabilities(struct fake_agent *fake);

/* Returns the id. cgroup is "fake/NAME". ADDED is sent when the plugin runs. */
uint64_t fake_agent_add(struct fake_agent *fake, const char *kind, const char *namespace,
			const char *name, enum qos_level level);
uint64_t fake_agent_add_child(struct fake_agent *fake, uint64_t parent, const char *name);
struct fake_workload *fake_agent_workload(struct fake_agent *fake, uint64_t id);
void fake_agent_update(struct fake_agent *fake, uint64_t id); /* UPDATED */
void fake_agent_set_level(struct fake_agent *fake, uint64_t id, enum qos_level level);
void fake_agent_remove(struct fake_agent *fake, uint64_t id); /* REMOVED, and its claims go */
/* value NULL removes. Sends nothing: fake_agent_update() does. */
void fake_agent_annotate(struct fake_agent *fake, uint64_t id, const char *key, const char *value);
/* The annotation "original" is what original_text() says of the workload. */
/* The record that sample() gives; the test fills it. */
struct workload_sample *fake_agent_sample(struct fake_agent *fake, uint64_t id);

void fake_agent_knob(struct fake_agent *fake, enum knob knob, bool available, const char *reason);

/* Move the clock; timers that are due fire in order. The lowest return of a callback. */
int fake_agent_advance(struct fake_agent *fake, uint64_t usec);
/* The watch on fd reports epoll_events; -ENOENT when there is none. */
int fake_agent_event(struct fake_agent *fake, int fd, uint32_t epoll_events);
/* Run queued jobs and their done(). How many. */
size_t fake_agent_run_jobs(struct fake_agent *fake);
/* Finish the action in that place of `actions`. */
void fake_agent_finish(struct fake_agent *fake, size_t index, int result);

/* What the plugin wants, or the first part of it that does; NULL: nothing. */
const struct fake_claim *fake_agent_claim(struct fake_agent *fake, struct berth_target target,
					  enum knob knob);
const struct fake_claim *fake_agent_claim_of(struct fake_agent *fake, uint64_t workload,
					     enum knob knob);
const struct fake_claim *fake_agent_claim_of_device(struct fake_agent *fake, uint64_t workload,
						    uint64_t device, enum knob knob);
const struct fake_claim *fake_agent_claim_as(struct fake_agent *fake, const char *part,
					     uint64_t workload, enum knob knob);
size_t fake_agent_sources(const struct fake_agent *fake);
/* NULL: not described. workload 0: of the plugin. */
const char *fake_agent_description(const struct fake_agent *fake, uint64_t workload,
				   const char *key);
/* False: never set. */
bool fake_agent_metric(const struct fake_agent *fake, const char *name, uint64_t workload,
		       double *ret);

/* The same of a series that was set with labels of its own. */
bool fake_agent_metric_labels(const struct fake_agent *fake, const char *name, const char *labels,
			      double *ret);

/* Does the plugin publish this family of this workload? workload 0: of any. */
bool fake_agent_publishes(const struct fake_agent *fake, const char *name, uint64_t workload);

/* The service; fake-agent-publish.c. */
int fake_agent_publish(struct agent *agent, const struct metric_table *tables, size_t count,
		       int (*wants)(void *self, const struct berth_workload *workload));

/* The services count(), can_count() and tell(); fake-agent-count.c. Is this workload being counted
 * now? */
int fake_agent_count(struct agent *agent, uint64_t workload, uint64_t usec);
int fake_agent_can_count(struct agent *agent, const char **ret_reason);
void fake_agent_tell(struct agent *agent, const char *part, uint64_t workload, const char *what,
		     const char *reason);
bool fake_agent_counts(const struct fake_agent *fake, uint64_t workload);

/* The table of services; fake-agent.c. */
extern const struct agent_api fake_agent_api;
/* Forget everything the plugin asked for about a workload, or all of it with all == true. */
void fake_agent_drop(struct fake_agent *fake, uint64_t workload, bool all);
