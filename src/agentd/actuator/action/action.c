/* SPDX-License-Identifier: Apache-2.0 */
#include "actuator/action/action.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "actuator/action/internal.h"
#include "actuator/actuator.h"
#include "actuator/history.h"
#include "actuator/slow/writer.h"
#include "cleanup.h"
#include "log.h"
#include "macro.h"
#include "monotonic.h"

#define OWNERS_MAX  ((size_t)2 * LIMIT_PLUGINS)
#define WINDOW_USEC (60 * USEC_PER_SEC)

static const char *action_name(enum action action)
{
	static const char *const names[ACTION_MAX] = {
		[ACTION_RECLAIM] = "reclaim",
		[ACTION_KILL] = "kill",
		[ACTION_EVICT] = "evict",
	};

	return (unsigned int)action < ACTION_MAX ? names[action] : "unknown";
}

int actions_new(const struct action_context *context, struct actions **ret)
{
	struct actions *actions = calloc(1, sizeof(*actions));

	if (!actions)
		return -ENOMEM;
	actions->context = *context;
	actions->per_minute = LIMIT_ACTIONS_PER_MINUTE;
	list_init(&actions->runs);
	*ret = actions;
	return 0;
}

static void run_free(struct action_run *run)
{
	list_unlink(&run->link);
	sd_event_source_disable_unref(run->timer);
	free(run->group.path);
	free(run->owner);
	free(run->label);
	free(run->reason);
	free(run);
}

DEFINE_CLEANUP(struct action_run *, run_free);

struct actions *actions_free(struct actions *actions)
{
	struct action_owner *owner;
	struct action_run *run, *next;

	if (!actions)
		return NULL;
	list_foreach_safe (run, next, &actions->runs, link) {
		slow_writer_forget(actions->context.slow_writer, run);
		evict_forget(run);
		run_free(run);
	}
	hashmap_foreach (owner, &actions->owners)
		free(owner);
	hashmap_done(&actions->owners);
	free(actions);
	return NULL;
}

void actions_set_evictor(struct actions *actions, const struct action_evictor *evictor)
{
	struct action_run *run, *next;

	/* Those that the old one was asked for would wait for ever. */
	list_foreach_safe (run, next, &actions->runs, link) {
		if (!run->asked)
			continue;
		evict_forget(run);
		(void)snprintf(run->outcome, sizeof(run->outcome), "nobody is left to answer");
		action_finish(run, -ECANCELED);
	}
	actions->evictor = evictor ? *evictor : (struct action_evictor){ 0 };
}

void actions_set_limit(struct actions *actions, uint64_t per_minute)
{
	actions->per_minute = per_minute;
}

static int owner_find(struct actions *actions, const char *name, struct action_owner **ret)
{
	struct action_owner *owner = hashmap_get(&actions->owners, name);
	size_t length = strlen(name);
	int r;

	if (owner) {
		*ret = owner;
		return 0;
	}
	if (actions->owners.count >= OWNERS_MAX)
		return -EAGAIN;
	owner = calloc(1, sizeof(*owner) + length + 1);
	if (!owner)
		return -ENOMEM;
	memcpy(owner->name, name, length + 1);
	r = hashmap_put(&actions->owners, owner->name, owner);
	if (r < 0) {
		free(owner);
		return r;
	}
	*ret = owner;
	return 0;
}

/* A window of a minute from the owner's first action in it. */
static int limit_pass(struct actions *actions, const char *name)
{
	const struct log_context context = { .plugin = name };
	struct action_owner *owner;
	uint64_t now = monotonic_usec();
	int r = owner_find(actions, name, &owner);

	if (r < 0) {
		actions->limited++;
		return r;
	}
	if (now - owner->window_start_usec >= WINDOW_USEC) {
		owner->window_start_usec = now;
		owner->started = owner->limited = 0;
	}
	if (owner->started < actions->per_minute) {
		owner->started++;
		return 0;
	}
	actions->limited++;
	if (owner->limited++ == 0)
		log_full(LOG_WARNING, &context,
			 "actions of '%s' are over the limit of %" PRIu64
			 " a minute: refused until the minute is over",
			 name, actions->per_minute);
	return -EAGAIN;
}

static int run_new(struct actions *actions, const struct action_request *request,
		   struct action_run **ret)
{
	CLEANUP(run_freep) struct action_run *run = calloc(1, sizeof(*run));

	if (!run)
		return -ENOMEM;
	list_init(&run->link);
	run->actions = actions;
	run->action = request->action;
	run->target = request->target;
	run->argument = request->argument;
	run->done = request->done;
	run->data = request->data;
	memcpy(run->group.inode, request->group->inode, sizeof(run->group.inode));
	run->group.path = strdup(request->group->path);
	run->owner = strdup(request->owner);
	run->label = strdup(request->label ? request->label : request->group->path);
	run->reason = strdup(request->reason ? request->reason : "");
	if (!run->group.path || !run->owner || !run->label || !run->reason)
		return -ENOMEM;
	*ret = TAKE_PTR(run);
	return 0;
}

static void argument_format(const struct action_run *run, char *text, size_t size)
{
	if (run->action == ACTION_RECLAIM)
		(void)snprintf(text, size, "%" PRIu64 " bytes", run->argument);
	else
		text[0] = '\0';
}

static void audit(const struct action_run *run, int level, const char *outcome)
{
	const struct log_context context = {
		.plugin = run->owner,
		.workload = run->label,
		.action = action_name(run->action),
		.reason = run->reason,
	};
	char argument[48];

	argument_format(run, argument, sizeof(argument));
	log_full(level, &context, "action %s %s%s'%s' for '%s': %s (%s)", action_name(run->action),
		 argument, argument[0] ? " of " : "", run->label, run->owner, outcome, run->reason);
}

static void run_record(struct action_run *run, const char *outcome)
{
	char argument[48];
	struct history_view view = {
		.target = run->target,
		.owner = run->owner,
		.label = run->label,
		.what = action_name(run->action),
		.argument = argument,
		.reason = run->reason,
		.outcome = outcome,
	};

	argument_format(run, argument, sizeof(argument));
	run->history_id = history_add(run->actions->context.history, &view);
	audit(run, LOG_NOTICE, outcome);
}

void action_finish(struct action_run *run, int result)
{
	void (*done)(void *data, struct berth_target target, int result) = run->done;
	struct berth_target target = run->target;
	void *data = run->data;

	if (!run->outcome[0])
		(void)snprintf(run->outcome, sizeof(run->outcome), "%s",
			       result < 0 ? strerrordesc_np(-result) : "done");
	history_finish(run->actions->context.history, run->history_id, run->outcome, result);
	audit(run, result < 0 ? LOG_WARNING : LOG_NOTICE, run->outcome);
	run_free(run);
	if (done)
		done(data, target, result);
}

int action_arm(struct action_run *run, uint64_t usec, sd_event_time_handler_t on_timer)
{
	run->timer = sd_event_source_disable_unref(run->timer);
	return sd_event_add_time_relative(run->actions->context.event, &run->timer, CLOCK_MONOTONIC,
					  usec, 1 * USEC_PER_MSEC, on_timer, run);
}

static int on_finish(sd_event_source *source, uint64_t usec, void *data)
{
	struct action_run *run = data;

	(void)source;
	(void)usec;
	action_finish(run, run->result);
	return 0;
}

int action_finish_later(struct action_run *run, int result)
{
	run->result = result;
	return action_arm(run, 0, on_finish);
}

static int run_start(struct action_run *run, bool dry_run)
{
	if (dry_run) {
		(void)snprintf(run->outcome, sizeof(run->outcome), "dry run: nothing was done");
		return action_finish_later(run, ACTION_DRY_RUN);
	}
	switch (run->action) {
	case ACTION_KILL:
		return kill_start(run);
	case ACTION_EVICT:
		return evict_start(run);
	default:
		return reclaim_start(run);
	}
}

int action_start(struct actions *actions, const struct action_request *request)
{
	CLEANUP(run_freep) struct action_run *run = NULL;
	int r;

	if ((unsigned int)request->action >= ACTION_MAX || !request->group || !request->owner ||
	    request->target.kind != TARGET_WORKLOAD)
		return -EINVAL;
	r = limit_pass(actions, request->owner);
	if (r < 0)
		return r;
	r = run_new(actions, request, &run);
	if (r < 0)
		return r;
	/* Before it starts: a daemon that is killed by what it does has said what it was. */
	run_record(run, request->dry_run ? "dry run" : "started");
	r = run_start(run, request->dry_run);
	if (r < 0) {
		const char *outcome = run->outcome[0] ? run->outcome : strerrordesc_np(-r);

		history_finish(actions->context.history, run->history_id, outcome, r);
		audit(run, LOG_WARNING, outcome);
		return r;
	}
	actions->started++;
	list_append(&actions->runs, &TAKE_PTR(run)->link);
	return 0;
}

void actions_forget(struct actions *actions, const void *data)
{
	struct action_run *run;

	list_foreach (run, &actions->runs, link) {
		if (run->data != data)
			continue;
		run->done = NULL;
		run->stop = true;
	}
}

void actions_stats(const struct actions *actions, uint64_t *ret_actions, uint64_t *ret_limited)
{
	*ret_actions = actions->started;
	*ret_limited = actions->limited;
}
