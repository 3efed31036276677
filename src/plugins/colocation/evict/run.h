/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run.h - the state of eviction, between run.c (ticks, life), choose.c (who of
 * those that are there) and act.c (actions and their ends).
 */
#pragma once

#include "evict/evict.h"

#define EVICT_REASON 192u /* LIMIT_REASON of berthd */

/* How one ended; a label of evictions_total. */
enum evict_result {
	RESULT_EVICTED,
	RESULT_KILLED,
	RESULT_DRY_RUN,
	RESULT_BUDGET, /* a PodDisruptionBudget said no */
	RESULT_NO_API,
	RESULT_FORBIDDEN,
	RESULT_GONE,
	RESULT_FAILED,
	EVICT_RESULTS,
};

struct evict {
	struct agent *agent;
	void *self;                        /* what the plugin's callbacks are handed */
	const struct evict_config *config; /* while the timer is there */
	struct agent_source *timer;        /* NULL: off */
	uint64_t period_usec;              /* of the timer */
	struct agent_metric *metric;
	struct hashmap tracks; /* struct evict_track by workload id */
	bool unseen;           /* some track has no seen_usec yet */

	struct node_sample before;
	bool has_before;
	uint64_t now_usec;            /* of the last tick */
	struct evict_reading reading; /* the last one */
	struct evict_history history;
	uint32_t suffered[EVICT_RESOURCES];
	uint64_t sufferer[EVICT_RESOURCES]; /* workload id; 0: none */

	/* One at a time. */
	uint64_t victim;     /* 0: none is under way */
	bool asked, killing; /* which actions of it are; past the hard line both may be */
	enum evict_resource resource;
	char reason[EVICT_REASON];

	uint64_t cooldown_usec; /* until then: something was really evicted */
	uint64_t leaving;       /* what that was, while it has its grace period; 0: nothing */
	uint64_t api_usec;      /* until then the API is not asked */
	uint64_t api_backoff_usec;
	bool api_down;      /* rather than unwilling */
	uint64_t wait_usec; /* until then nothing is tried, for want of something of our own */
	bool told_forbidden;

	uint64_t results[EVICT_RESOURCES][EVICT_RESULTS];

	uint64_t generation; /* of the last pass */
	uint64_t pass_usec;  /* when it was taken; 0: never */

	/* While evict_protected() walks. */
	bool found;
	int depth;
};

/* What callbacks are handed is the plugin's self. */
struct evict *evict_of(void *self);

struct evict_track *evict_track_get(const struct evict *evict, uint64_t id);
/* What `berthctl explain` says of the whole. */
void evict_say(struct evict *evict, const char *text);

/* evict_protection() of what is there now. */
const char *evict_protected(struct evict *evict, const struct berth_workload *workload);

struct evict_choice {
	struct evict_candidate candidate;
	int way;                 /* ACTION_EVICT, ACTION_KILL; -1: there is nobody */
	size_t count, protected; /* who may go now, and the other offline ones */
};

void evict_choose(struct evict *evict, enum evict_resource resource, bool hard,
		  struct evict_choice *ret);
/* Those that people wait for, as 0 from the start: the first one is then seen to come. */
void evict_show_counts(struct evict *evict);
/* This trigger has fired: choose, and act. */
void evict_act(struct evict *evict, int trigger);
