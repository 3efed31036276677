/* SPDX-License-Identifier: Apache-2.0 */
/*
 * internal.h - between action.c (limits, records, the life of an action) and action/run.c
 * and action/evict.c (what each of them does).
 */
#pragma once

#include "actuator/action/action.h"
#include "hashmap.h"
#include "limit.h"
#include "list.h"

struct action_owner {
	uint64_t window_start_usec;
	uint64_t started, limited; /* in this window */
	char name[];
};

struct actions {
	struct action_context context;
	uint64_t per_minute;
	struct hashmap owners;
	struct list runs;
	struct action_evictor evictor; /* start NULL: nobody */
	uint64_t started, limited;
};

/* One action under way. */
struct action_run {
	struct list link;
	struct actions *actions;
	enum action action;
	struct berth_target target;
	struct cgroup group; /* path and inodes are ours */
	char *owner, *label, *reason;
	uint64_t argument;
	uint64_t history_id;
	void (*done)(void *data, struct berth_target target, int result);
	void *data;
	bool stop; /* forgotten: end at the next step */

	sd_event_source *timer;               /* the next round, or the end */
	uint64_t step_bytes, reclaimed_bytes; /* of a reclaim */
	unsigned int round, left;             /* of a kill */
	int result;
	bool asked; /* an evictor that will answer */
	char outcome[160];
};

/* 0: under way; -errno: it cannot be. */
int reclaim_start(struct action_run *run);
int kill_start(struct action_run *run);
int evict_start(struct action_run *run);
/* The answer is not waited for. */
void evict_forget(struct action_run *run);

/* Record the result, tell done() and free the run. */
void action_finish(struct action_run *run, int result);
/* The same from the loop, so that done() does not come before action_start() returns. */
int action_finish_later(struct action_run *run, int result);
/* on_timer(run) after `usec`. */
int action_arm(struct action_run *run, uint64_t usec, sd_event_time_handler_t on_timer);
