/* SPDX-License-Identifier: Apache-2.0 */
/*
 * action.h - one-shot changes that are not undone: reclaim memory, kill a workload. Each one passes
 * the rate limit of its owner, is recorded in the history and the audit record (a log line with
 * BERTH_ACTION= and BERTH_REASON= fields) before it starts, and again with its result.
 */
#pragma once

#include <stdbool.h>
#include <systemd/sd-event.h>

#include "berth-plugin.h"
#include "cgroup.h"

struct actions;
struct history;
struct slow_writer;

/* Who can ask an orchestrator to take a workload off this node. The daemon lends one: what a pod
 * or an API is, is not known here. */
struct action_evictor {
	/* 0: it is being asked, and done(call, ...) follows once, never from inside; outcome is a
	 * phrase for people. -errno as ACTION_EVICT has it, with why. */
	int (*start)(void *data, struct berth_target target,
		     void (*done)(void *call, int result, const char *outcome), void *call,
		     char *why, size_t size);
	/* Nobody waits for the answer any more. */
	void (*forget)(void *data, void *call);
	void *data;
};

struct action_context {
	sd_event *event;
	const struct sysroot *root;
	const struct hierarchy *hierarchy;
	struct history *history;         /* borrowed, as are the others */
	struct slow_writer *slow_writer; /* must be freed after the actions */
};

struct action_request {
	const char *owner, *label, *reason; /* copied */
	struct berth_target target;
	const struct cgroup *group; /* of TARGET_WORKLOAD; path and inodes are copied */
	enum action action;
	uint64_t argument;
	bool dry_run;
	/* May be NULL. result: 0; ACTION_DRY_RUN; of a reclaim 0 also when less than asked could be
	 * reclaimed (the kernel's EAGAIN is an answer, the history says how much); -errno else.
	 * Never called before action_start() returns. */
	void (*done)(void *data, struct berth_target target, int result);
	void *data;
};

int actions_new(const struct action_context *context, struct actions **ret);
/* What is under way ends unheard. */
struct actions *actions_free(struct actions *actions);
/* Copied; NULL: nobody evicts. Before the evictor goes. */
void actions_set_evictor(struct actions *actions, const struct action_evictor *evictor);
void actions_set_limit(struct actions *actions,
		       uint64_t per_minute); /* of one owner; 0: none may */

/* 0: it is under way (or only recorded: dry run), done() follows. -EAGAIN over the rate limit or
 * the queue is full; -EOPNOTSUPP the host cannot; -EINVAL not such an action or target; -ENOENT,
 * -ESTALE the group is gone. */
int action_start(struct actions *actions, const struct action_request *request);
/* Actions in flight with this data will not call done any more; a reclaim stops at its next step.
 */
void actions_forget(struct actions *actions, const void *data);

/* ret_actions: started, dry ones included. ret_limited: refused by the rate limit. */
void actions_stats(const struct actions *actions, uint64_t *ret_actions, uint64_t *ret_limited);
