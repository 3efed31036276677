/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run.h - the state of suppression, between suppress.c (ticks, life), track.c (what each workload
 * uses and wants), quota.c and cpuset.c (claims) and tell.c (texts and metrics).
 */
#pragma once

#include <stddef.h>

#include "hashmap.h"
#include "placement/topology.h"
#include "suppress/share.h"
#include "suppress/suppress.h"

#define SUPPRESS_PART "suppress"
#define SUPPRESS_CPUS 1024u /* bytes of a list of CPUs; half of what a knob takes */

/* A workload that counts: a top-most offline one, or an online one that is no container. */
struct suppress_track {
	uint64_t id;
	bool offline;
	bool shelters; /* online, and offline work is below it: its pressure is theirs as well */
	int level;
	uint64_t weight;
	/* Totals of the last sample, and what they grew by, a second; time 0: no sample yet. */
	uint64_t time_usec, cpu_usec, throttled_periods, throttled_usec, waited_usec;
	bool has_rate;
	uint64_t rate;
	bool has_pressure;
	uint32_t pressure;
	/* Offline: what it would use. */
	uint64_t peak;
	unsigned int hungry; /* steps for which it is taken to want all that it gets */
	/* What it is held at, and its own limit; a share of 0: nothing is claimed. */
	uint64_t share, most;
	bool pinned; /* a set of CPUs is claimed */
};

struct suppress {
	struct agent *agent;
	void *self;
	const struct suppress_config *config;
	struct hashmap tracks; /* id to struct suppress_track */
	size_t offline, online;
	bool changed; /* who is above whom is to be looked at again */
	struct agent_source *timer;
	uint64_t period_usec; /* of the timer */
	enum suppress_by by;  /* what the claims are of: never SUPPRESS_AUTO once there are some */
	bool quotas;          /* are claimed */
	bool tidal;           /* placement moves the CPUs of offline work */
	char way_text[160];   /* why there is no way here */
	bool apply_due;       /* whatever the law says */
	struct suppress_law law;
	struct suppress_reading reading;
	struct node_sample before;
	bool has_before;
	bool may_peek;      /* a pass told of no pressure of online work, nor can another */
	uint64_t gone_rate; /* of offline work that ended since the last tick */
	bool told_blind;
	/* How often shares may be divided anew while the budget stays. */
	unsigned int tokens, token_steps;
	unsigned int steps;   /* ticks since claims were renewed */
	struct share *shares; /* of the offline tracks, in the order of the map */
	size_t share_room;
	uint64_t changes;
	char off[160];   /* why there is no timer */
	char reason[96]; /* of the claims */
	/* By cpuset: the CPUs, as they were with that capacity, and those that are claimed. */
	struct topology topology;
	uint64_t topology_capacity;
	char cpus[SUPPRESS_CPUS];
	unsigned int cpu_count;
	/* For the callback that looks at what is below a workload. */
	uint64_t below_number;
	int below_depth;
	struct agent_metric *metric_budget, *metric_online, *metric_offline, *metric_changes;
};

struct suppress *suppress_of(void *self);

/* ---- reading.c ---- */

/* What the period told, into `reading`. False: nothing. */
bool suppress_read(struct suppress *suppress);

/* ---- way.c ---- */

/* By what offline work is to be held on this host, into `by`. -EOPNOTSUPP: by nothing; `way_text`
 * says why. */
int suppress_way_choose(struct suppress *suppress);
/* By how much of CPU a second a set may be too small or too large. */
uint64_t suppress_way_slack(const struct suppress *suppress);
/* Whether there have to be quotas, with the budget and the set of CPUs that there are. */
bool suppress_way_quotas(const struct suppress *suppress);

/* ---- peek.c ---- */

/* Take in what offline workloads used, without a pass. 0 or -errno: nothing is changed. */
int suppress_peek(struct suppress *suppress, uint64_t capacity, uint64_t elapsed_usec);

/* ---- track.c ---- */

/* Take in a sample; elapsed_usec: between the last two ticks. */
void suppress_track_sample(struct suppress_track *track, const struct workload_sample *sample,
			   uint64_t capacity, uint64_t elapsed_usec);
/* What it would use; UINT64_MAX: all that it gets. */
uint64_t suppress_track_demand(const struct suppress_track *track);

/* ---- quota.c ---- */

/* Divide the budget and claim. changed: the budget did; else only where it is worth it. True: some
 * claim is another one. */
bool suppress_quota_apply(struct suppress *suppress, bool changed);
void suppress_quota_renew(struct suppress *suppress);
void suppress_quota_release(struct suppress *suppress, struct suppress_track *track);
uint64_t suppress_lease(const struct suppress *suppress);

/* ---- cpuset.c ---- */

/* Where sysfs is; tests have one of their own. */
extern const char *suppress_sys;

int suppress_cpuset_look(struct suppress *suppress);
bool suppress_cpuset_apply(struct suppress *suppress);
void suppress_cpuset_renew(struct suppress *suppress);
void suppress_cpuset_release(struct suppress *suppress, struct suppress_track *track);

/* ---- tell.c ---- */

void suppress_tell(struct suppress *suppress, const char *text);
void suppress_tell_state(struct suppress *suppress);
void suppress_tell_workloads(struct suppress *suppress);
void suppress_tell_off(struct suppress *suppress, const char *why);
int suppress_metrics(struct suppress *suppress);
