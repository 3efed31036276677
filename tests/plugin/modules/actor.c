/* SPDX-License-Identifier: Apache-2.0 */
/*
 * actor.c - a plugin that does what its settings say, for tests of the host. Built under several
 * names: ACTOR_NAME, ACTOR_DOES (its default), ACTOR_NEEDS, ACTOR_APPLY (has apply()).
 */
#include "actor.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "config/bind.h"

#ifndef ACTOR_DOES
#define ACTOR_DOES DOES_NOTHING
#endif
#ifndef ACTOR_NEEDS
#define ACTOR_NEEDS 0
#endif

struct actor_config {
	uint64_t does, weight, quota_usec, period_usec, jobs;
	int64_t watch_fd;
	uint64_t refuse;
};

struct actor {
	struct agent *agent;
	const struct actor_config *config;
	struct agent_metric *metric;
	struct agent_source *timer;
};

BERTH_PLUGIN_EXPORT struct actor_record actor_record = { .job_may_end = true };

static const char *const does_names[] = { "nothing", "fail_start", "fail",      "crash", "slow",
					  "reclaim", "kill",       "fail_late", NULL };

static const struct config_field actor_fields[] = {
	FIELD_ENUM(struct actor_config, "does", does, does_names, ACTOR_DOES, "What it does."),
	FIELD_U64(struct actor_config, "weight", weight, 0, 20000, 0, "Claimed for offline."),
	FIELD_U64(struct actor_config, "quota", quota_usec, 0, UINT64_MAX, 0, "Same."),
	FIELD_USEC(struct actor_config, "period", period_usec, 10000, 60000000, 20000, "Its tick."),
	FIELD_U64(struct actor_config, "jobs", jobs, 0, 100, 0, "Jobs at each start."),
	FIELD_S64(struct actor_config, "watch", watch_fd, -1, 1 << 20, -1, "A file descriptor."),
	FIELD_BOOL(struct actor_config, "refuse", refuse, 0, "check() refuses it."),
	FIELD_END,
};

static int fails(const struct actor *actor)
{
	return actor->config->does == DOES_FAIL ? -EIO : 0;
}

static int actor_check(const void *config, struct berth_error *reterr)
{
	static const char text[] = "must be false";
	const struct actor_config *wanted = config;

	if (!wanted->refuse)
		return 0;
	reterr->key = "refuse";
	for (size_t i = 0; i < sizeof(text); i++)
		reterr->text[i] = text[i];
	return -EINVAL;
}

static void claim(struct actor *actor, const struct berth_workload *workload, enum knob knob,
		  uint64_t number)
{
	const struct berth_target target = { TARGET_WORKLOAD, workload->id };
	const struct knob_value value = { .number = number };

	if (number > 0 && workload->qos < QOS_NORMAL) {
		actor_record.claim_result = actor->agent->api->claim(actor->agent, target, knob,
								     &value, 0, "it is offline");
		return;
	}
	actor->agent->api->unclaim(actor->agent, target, knob);
	actor_record.unclaims++;
}

static void decide(struct actor *actor, const struct berth_workload *workload)
{
	claim(actor, workload, KNOB_CPU_WEIGHT, actor->config->weight);
	claim(actor, workload, KNOB_CPU_QUOTA_USEC, actor->config->quota_usec);
	actor->agent->api->describe(actor->agent, workload->id, "seen", ACTOR_NAME);
	actor->agent->api->metric_set(actor->agent, actor->metric, workload->id, 1);
}

static void on_acted(void *self, struct berth_target target, int result)
{
	(void)self;
	(void)target;
	actor_record.acts_done++;
	actor_record.last_act = result;
}

static void act(void *self, const struct berth_workload *workload)
{
	const struct actor *actor = self;
	enum action action = actor->config->does == DOES_KILL ? ACTION_KILL : ACTION_RECLAIM;

	if (workload->qos < QOS_NORMAL)
		actor_record.act_result = actor->agent->api->act(
			actor->agent, (struct berth_target){ TARGET_WORKLOAD, workload->id },
			action, 4096, "a test asked for it", on_acted);
}

static uint64_t now_usec(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static int on_tick(void *self)
{
	struct actor *actor = self;

	actor_record.ticks++;
	actor_record.tick_usec = now_usec();
	switch ((enum actor_does)actor->config->does) {
	case DOES_CRASH:
		(void)raise(SIGSEGV);
		break;
	case DOES_SLOW:
		while (now_usec() < actor_record.tick_usec + 60000)
			(void)usleep(1000);
		break;
	case DOES_RECLAIM:
	case DOES_KILL:
		if (actor_record.ticks == 1)
			actor->agent->api->each_workload(actor->agent, act);
		break;
	case DOES_NOTHING:
	case DOES_FAIL_START:
	case DOES_FAIL:
	case DOES_FAIL_LATE:
		break;
	}
	return fails(actor);
}

static int on_watch(void *self, uint32_t epoll_events)
{
	(void)epoll_events;
	actor_record.wakes++;
	return fails(self);
}

/* Waits until the test lets it go: a job that runs while its plugin is stopped. */
static int job_run(void *job)
{
	const struct timespec pause = { .tv_nsec = 1000000 };

	(void)job;
	(void)__atomic_add_fetch(&actor_record.jobs_run, 1, __ATOMIC_SEQ_CST);
	while (!__atomic_load_n(&actor_record.job_may_end, __ATOMIC_SEQ_CST))
		(void)nanosleep(&pause, NULL);
	return 7;
}

static void job_done(void *self, void *job, int result)
{
	struct actor *actor = self;

	free(job);
	if (result == 7)
		actor_record.jobs_done++;
	if (result == -ECANCELED)
		actor_record.jobs_canceled++;
	/* While it is being stopped nothing new begins. */
	if (result == -ECANCELED && actor)
		actor_record.late_result =
			actor->agent->api->every(actor->agent, 20000, on_tick, NULL);
}

static int actor_begin(struct actor *actor)
{
	const struct agent_api *api = actor->agent->api;
	const struct actor_config *config = actor->config;
	int r;

	r = api->metric(actor->agent, "workloads", "Workloads that it sees.", &actor->metric);
	if (r < 0)
		return r;
	r = api->every(actor->agent, config->period_usec, on_tick, &actor->timer);
	if (r < 0)
		return r;
	if (config->watch_fd >= 0)
		actor_record.watch_result =
			api->watch(actor->agent, (int)config->watch_fd, EPOLLIN, on_watch, NULL);
	for (uint64_t i = 0; i < config->jobs; i++) {
		void *job = malloc(16);

		if (!job || api->work(actor->agent, job_run, job_done, job) < 0)
			free(job);
	}
	return 0;
}

static int actor_start(struct agent *agent, const void *config, void **ret_self)
{
	struct actor *actor;
	int r;

	actor_record.starts++;
	actor_record.agent = agent;
	actor = calloc(1, sizeof(*actor));
	if (!actor)
		return -ENOMEM;
	actor->agent = agent;
	actor->config = config;
	r = actor->config->does == DOES_FAIL_START ? -EIO : actor_begin(actor);
	if (r >= 0 && actor->config->does == DOES_FAIL_LATE)
		r = -EIO;
	if (r < 0) {
		free(actor);
		return r;
	}
	agent->api->describe(agent, 0, "way", "test");
	actor_record.timer = actor->timer;
	*ret_self = actor;
	return 0;
}

static void again(void *self, const struct berth_workload *workload)
{
	decide(self, workload);
}

#ifdef ACTOR_APPLY
static int actor_apply(void *self, const void *config)
{
	struct actor *actor = self;

	actor_record.applies++;
	actor->config = config;
	actor->agent->api->each_workload(actor->agent, again);
	return fails(actor);
}
#else
#define actor_apply NULL
#endif

static void actor_workload(void *self, const struct workload_event *event)
{
	struct actor *actor = self;

	switch (event->change) {
	case WORKLOAD_ADDED:
		actor_record.added++;
		break;
	case WORKLOAD_UPDATED:
		actor_record.updated++;
		break;
	case WORKLOAD_REMOVED:
		actor_record.removed++;
		return;
	}
	decide(actor, event->workload);
}

static void actor_stop(void *self)
{
	struct actor *actor = self;

	actor_record.stops++;
	/* A tidy plugin takes its own things back, which must not disturb a successor. */
	actor->agent->api->forget(actor->agent, actor->timer);
	actor->agent->api->metric_set(actor->agent, actor->metric, 0, 0);
	free(actor);
}

static void actor_capabilities(void *self)
{
	struct actor *actor = self;

	actor_record.capabilities++;
	actor->agent->api->each_workload(actor->agent, again);
}

BERTH_PLUGIN_EXPORT const struct berth_plugin berth_plugin = {
	.abi = BERTH_PLUGIN_ABI,
	.size = sizeof(struct berth_plugin),
	.name = ACTOR_NAME,
	.description = "acts for tests of the host",
	.needs = ACTOR_NEEDS,
	.fields = actor_fields,
	.config_size = sizeof(struct actor_config),
	.check = actor_check,
	.start = actor_start,
	.apply = actor_apply,
	.workload = actor_workload,
	.stop = actor_stop,
	.capabilities = actor_capabilities,
};
