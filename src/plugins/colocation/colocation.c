/* SPDX-License-Identifier: Apache-2.0 */
/*
 * colocation.c - offline work keeps out of the way of online work. For every workload: decide what
 * it is to get (cpu-priority.c, memory-priority.c), claim that, unclaim the rest. Level triggered:
 * a decision looks at what is, not at what changed.
 */
#include "colocation.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "cleanup.h"
#include "macro.h"

#define DEPTH_MAX 64 /* far beyond any nesting of cgroups */

struct colocation {
	struct agent *agent;
	const struct colocation_config *config;
	struct colocation_host host;
	bool memcg_qos_claimed;
	int depth; /* below the workload that changed, while those below it are decided again */
};

/* Every knob that this plugin ever claims of a workload: what is not wanted is unclaimed. */
static const enum knob cpu_knobs[] = {
	KNOB_CPU_QOS_LEVEL, KNOB_CPU_IDLE, KNOB_CPU_WEIGHT, KNOB_CPU_QUOTA_USEC, KNOB_CORE_SCHED,
};
static const enum knob memory_knobs[] = {
	KNOB_MEMORY_QOS_LEVEL,
	KNOB_MEMORY_MIN_BYTES,
	KNOB_MEMORY_LOW_BYTES,
	KNOB_OOM_SCORE_ADJ,
};

static struct berth_target target_of(const struct berth_workload *workload)
{
	return (struct berth_target){ .kind = TARGET_WORKLOAD, .id = workload->id };
}

static bool colocation_wants_switch(const struct colocation *self)
{
	return self->config->memory_enabled && self->host.memory.way == WAY_VENDOR;
}

static void colocation_probe(struct colocation *self)
{
	struct agent *agent = self->agent;
	const struct agent_api *api = agent->api;
	struct berth_target host = { .kind = TARGET_HOST };
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	way_choose_cpu(agent, self->config, &self->host.cpu);
	way_choose_memory(agent, self->config, &self->host.memory);
	self->host.cpus = cpus > 0 ? (unsigned int)cpus : 1;
	self->host.has_oom_score_adj = api->knob_available(agent, KNOB_OOM_SCORE_ADJ, NULL) > 0;
	self->host.has_core_sched = api->knob_available(agent, KNOB_CORE_SCHED, NULL) > 0;
	self->host.has_memory_low = api->knob_available(agent, KNOB_MEMORY_LOW_BYTES, NULL) > 0;
	self->host.has_memory_min = api->knob_available(agent, KNOB_MEMORY_MIN_BYTES, NULL) > 0;
	api->describe(agent, 0, "cpu", self->config->cpu_enabled ? self->host.cpu.detail : "off");
	api->describe(agent, 0, "memory",
		      self->config->memory_enabled ? self->host.memory.detail : "off");

	/* Once for all and before any level: the kernel refuses levels without it. */
	if (colocation_wants_switch(self)) {
		struct knob_value on = { .number = 1 };

		self->memcg_qos_claimed = api->claim(agent, host, KNOB_MEMCG_QOS_ENABLE, &on, 0,
						     "memory.qos_level needs it") >= 0;
	}
}

/* After the last level: turning the switch off resets every memory.qos_level to 0 and from then on
 * the file answers EACCES (openEuler mm/memcontrol.c), so that no level could be put back. */
static void colocation_release_switch(struct colocation *self)
{
	struct berth_target host = { .kind = TARGET_HOST };

	if (!self->memcg_qos_claimed)
		return;
	self->agent->api->unclaim(self->agent, host, KNOB_MEMCG_QOS_ENABLE);
	self->memcg_qos_claimed = false;
}

/* Is a workload above this one offline? Vendor kernels pass levels down and refuse the child. */
static bool parent_is_offline(struct colocation *self, const struct berth_workload *workload)
{
	uint64_t id = workload->parent;

	for (int depth = 0; id != 0 && depth < DEPTH_MAX; depth++) {
		const struct berth_workload *parent = self->agent->api->workload(self->agent, id);

		if (!parent)
			return false;
		if (parent->qos < QOS_NORMAL && !(parent->flags & WORKLOAD_IGNORED))
			return true;
		id = parent->parent;
	}
	return false;
}

static void colocation_claim(struct colocation *self, const struct berth_workload *workload,
			     const struct wants *wants, const enum knob *knobs, size_t count,
			     const char *key)
{
	struct agent *agent = self->agent;
	char why[sizeof(wants->why) + 64];

	(void)snprintf(why, sizeof(why), "%s", wants->why);
	for (size_t i = 0; i < count; i++)
		if (!wants_has(wants, knobs[i]))
			agent->api->unclaim(agent, target_of(workload), knobs[i]);
	for (size_t i = 0; i < wants->count; i++) {
		struct knob_value value = { .number = wants->items[i].number };
		int r = agent->api->claim(agent, target_of(workload), wants->items[i].knob, &value,
					  0, wants->why);

		/* -ENOENT: it went in the meantime. The rest is for people: what was wanted and why
		 * it cannot be is in explain; other knobs of the workload go on. */
		if (r < 0 && r != -ENOENT) {
			(void)snprintf(why, sizeof(why), "%s (refused: %s)", wants->why,
				       strerror(-r));
			if (workload->flags & WORKLOAD_EXPLAIN)
				agent->api->log(agent, LOG_INFO, "%s: %s: %s", workload->name, key,
						why);
		}
	}
	agent->api->describe(agent, workload->id, key, why);
}

static void colocation_decide(struct colocation *self, const struct berth_workload *workload)
{
	struct wants wants = { .why = "left alone: berth/ignore" };
	bool ignored = workload->flags & WORKLOAD_IGNORED;
	bool below_offline = !ignored && parent_is_offline(self, workload);

	if (!ignored)
		cpu_decide(self->config, &self->host, workload, below_offline, &wants);
	colocation_claim(self, workload, &wants, cpu_knobs, ARRAY_SIZE(cpu_knobs), "cpu");
	if (!ignored)
		memory_decide(self->config, &self->host, workload, below_offline, &wants);
	colocation_claim(self, workload, &wants, memory_knobs, ARRAY_SIZE(memory_knobs), "memory");
	if (workload->flags & WORKLOAD_EXPLAIN)
		self->agent->api->log(self->agent, LOG_INFO, "%s is %d: memory: %s", workload->name,
				      (int)workload->qos, wants.why);
}

static void colocation_decide_each(void *data, const struct berth_workload *workload)
{
	colocation_decide(data, workload);
}

static void colocation_decide_all(struct colocation *self)
{
	colocation_probe(self);
	self->agent->api->each_workload(self->agent, colocation_decide_each);
	if (!colocation_wants_switch(self))
		colocation_release_switch(self);
}

static int colocation_start(struct agent *agent, const void *config, void **ret_self)
{
	struct colocation *self = calloc(1, sizeof(*self));

	if (!self)
		return -ENOMEM;
	self->agent = agent;
	self->config = config;
	colocation_probe(self);
	*ret_self = self;
	return 0;
}

static int colocation_apply(void *data, const void *config)
{
	struct colocation *self = data;

	self->config = config;
	colocation_decide_all(self);
	return 0;
}

static void colocation_capabilities(void *data)
{
	colocation_decide_all(data);
}

/* Below the one that changed, however deep: the kernel passes a level on to all of them. */
static void colocation_decide_below(void *data, const struct berth_workload *workload)
{
	struct colocation *self = data;

	colocation_decide(self, workload);
	/* Two that name each other as parents would go on for ever. */
	if (self->depth >= DEPTH_MAX)
		return;
	self->depth++;
	self->agent->api->each_child(self->agent, workload->id, colocation_decide_below);
	self->depth--;
}

static void colocation_workload(void *data, const struct workload_event *event)
{
	struct colocation *self = data;

	/* The host drops claims and descriptions of one that is gone. */
	if (event->change == WORKLOAD_REMOVED)
		return;
	colocation_decide(self, event->workload);
	/* The vendor's knobs are inherited, and containers go by the cpu.idle of their pod. */
	if (event->change == WORKLOAD_UPDATED &&
	    (self->host.cpu.way == WAY_VENDOR || self->host.cpu.way == WAY_UPSTREAM ||
	     self->host.memory.way == WAY_VENDOR))
		self->agent->api->each_child(self->agent, event->workload->id,
					     colocation_decide_below);
}

static void colocation_forget_level(void *data, const struct berth_workload *workload)
{
	const struct colocation *self = data;

	self->agent->api->unclaim(self->agent, target_of(workload), KNOB_MEMORY_QOS_LEVEL);
}

static void colocation_stop(void *data)
{
	struct colocation *self = data;

	if (self->memcg_qos_claimed)
		self->agent->api->each_workload(self->agent, colocation_forget_level);
	colocation_release_switch(self);
	free(self);
}

BERTH_PLUGIN_EXPORT extern const struct berth_plugin berth_plugin;
BERTH_PLUGIN_EXPORT const struct berth_plugin berth_plugin = {
	.abi = BERTH_PLUGIN_ABI,
	.size = sizeof(struct berth_plugin),
	.name = "colocation",
	.description = "offline work keeps out of the way of online work",
	.needs = BERTH_NEEDS_CGROUP,
	.fields = colocation_fields,
	.config_size = sizeof(struct colocation_config),
	.start = colocation_start,
	.apply = colocation_apply,
	.workload = colocation_workload,
	.stop = colocation_stop,
	.capabilities = colocation_capabilities,
};
