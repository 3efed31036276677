/* SPDX-License-Identifier: Apache-2.0 */
/* priority.c - what cpu-priority.c and memory-priority.c want, to claims. */
#include "priority/priority.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "macro.h"
#include "service.h"

#define DEPTH_MAX     64
#define NODE_AGE_USEC (600 * USEC_PER_SEC) /* memory is rarely added */
#define RESCALE_USEC  USEC_PER_SEC

struct priority {
	struct agent *agent;
	const struct colocation_config *config;
	struct priority_host host;
	bool memcg_qos_claimed;
	struct protect_sums sums;
	struct agent_source *rescale; /* once, when the shares that are protected are others */
};

/* Every knob that is ever claimed here of a workload: what is not wanted is unclaimed. */
static const enum knob cpu_knobs[] = {
	KNOB_CPU_QOS_LEVEL, KNOB_CPU_IDLE, KNOB_CPU_WEIGHT, KNOB_CPU_QUOTA_USEC, KNOB_CORE_SCHED,
};
static const enum knob memory_knobs[] = {
	KNOB_MEMORY_QOS_LEVEL, KNOB_MEMORY_MIN_BYTES, KNOB_MEMORY_LOW_BYTES,
	KNOB_OOM_SCORE_ADJ,    KNOB_MEMORY_OOM_GROUP,
};

static struct berth_target target_of(const struct berth_workload *workload)
{
	return (struct berth_target){ .kind = TARGET_WORKLOAD, .id = workload->id };
}

static bool priority_wants_switch(const struct priority *priority)
{
	return priority->config->memory_enabled && priority->host.memory.way == WAY_VENDOR;
}

static uint64_t protect_most(const struct priority *priority)
{
	const struct agent *agent = priority->agent;
	const struct node_sample *node;

	/* Nobody requests anything: nothing is read for it. */
	if (priority->sums.entries.count == 0)
		return UINT64_MAX;
	node = agent->api->node(priority->agent, NODE_AGE_USEC);
	if (!node || node->memory_total_bytes == 0)
		return UINT64_MAX;
	return node->memory_total_bytes / 100 * priority->config->memory_protect_percent;
}

/* True: they are others than before. */
static bool protect_shares_look(struct priority *priority)
{
	uint32_t shares[PROTECT_LEVELS];

	protect_scale(priority->sums.bytes, protect_most(priority), shares);
	if (memcmp(shares, priority->host.protect_shares, sizeof(shares)) == 0)
		return false;
	memcpy(priority->host.protect_shares, shares, sizeof(shares));
	return true;
}

void priority_probe(void *state)
{
	struct priority *priority = state;
	struct agent *agent = priority->agent;
	const struct agent_api *api = agent->api;
	struct berth_target host = { .kind = TARGET_HOST };
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	way_choose_cpu(agent, priority->config, &priority->host.cpu);
	way_choose_memory(agent, priority->config, &priority->host.memory);
	priority->host.cpus = cpus > 0 ? (unsigned int)cpus : 1;
	priority->host.has_oom_score_adj = api->knob_available(agent, KNOB_OOM_SCORE_ADJ, NULL) > 0;
	priority->host.has_core_sched = api->knob_available(agent, KNOB_CORE_SCHED, NULL) > 0;
	priority->host.has_memory_low = api->knob_available(agent, KNOB_MEMORY_LOW_BYTES, NULL) > 0;
	priority->host.has_memory_min = api->knob_available(agent, KNOB_MEMORY_MIN_BYTES, NULL) > 0;
	priority->host.has_oom_group = api->knob_available(agent, KNOB_MEMORY_OOM_GROUP, NULL) > 0;
	(void)protect_shares_look(priority);
	api->describe(agent, 0, "cpu",
		      priority->config->cpu_enabled ? priority->host.cpu.detail : "off");
	api->describe(agent, 0, "memory",
		      priority->config->memory_enabled ? priority->host.memory.detail : "off");

	/* Once for all and before any level: the kernel refuses levels without it. */
	if (priority_wants_switch(priority)) {
		struct knob_value on = { .number = 1 };

		priority->memcg_qos_claimed = api->claim(agent, host, KNOB_MEMCG_QOS_ENABLE, &on, 0,
							 "memory.qos_level needs it") >= 0;
	}
}

/* After the last level: turning the switch off resets every memory.qos_level to 0 and from then on
 * the file answers EACCES (openEuler mm/memcontrol.c), so that no level could be put back. */
static void priority_release_switch(struct priority *priority)
{
	struct berth_target host = { .kind = TARGET_HOST };

	if (!priority->memcg_qos_claimed)
		return;
	priority->agent->api->unclaim(priority->agent, host, KNOB_MEMCG_QOS_ENABLE);
	priority->memcg_qos_claimed = false;
}

static void priority_claim(struct priority *priority, const struct berth_workload *workload,
			   const struct wants *wants, const enum knob *knobs, size_t count,
			   const char *key)
{
	struct agent *agent = priority->agent;
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

/* What is below one that counts is part of its request. */
static bool counts(const struct priority *priority, const struct berth_workload *workload)
{
	const struct agent *agent = priority->agent;
	const struct berth_workload *above = workload;

	if (!protect_wants(priority->config, workload) || workload->memory_request_bytes == 0)
		return false;
	for (int depth = 0; above->parent != 0 && depth < DEPTH_MAX; depth++) {
		above = agent->api->workload(priority->agent, above->parent);
		if (!above)
			break;
		if (protect_wants(priority->config, above) && above->memory_request_bytes > 0)
			return false;
	}
	return true;
}

static void decide_memory_of(void *self, const struct berth_workload *workload)
{
	struct priority *priority = service_state(self, SERVICE_PRIORITY);
	struct wants wants = { 0 };

	if (!protect_wants(priority->config, workload))
		return;
	memory_decide(priority->config, &priority->host, workload, false, &wants);
	priority_claim(priority, workload, &wants, memory_knobs, ARRAY_SIZE(memory_knobs),
		       "memory");
}

static int on_rescale(void *self)
{
	struct priority *priority = service_state(self, SERVICE_PRIORITY);

	priority->agent->api->forget(priority->agent, priority->rescale);
	priority->rescale = NULL;
	priority->agent->api->each_workload(priority->agent, decide_memory_of);
	return 0;
}

/* Requests changed: of all, soon and once. A thousand pods that come together would otherwise each
 * have all that were there before written again. */
static void rescale_soon(struct priority *priority)
{
	const struct agent_api *api = priority->agent->api;

	if (!protect_shares_look(priority) || priority->rescale)
		return;
	if (api->every(priority->agent, RESCALE_USEC, on_rescale, &priority->rescale) < 0)
		api->log(priority->agent, LOG_WARNING,
			 "memory protection of other workloads is as it was: no timer");
}

static void protect_count(struct priority *priority, const struct berth_workload *workload)
{
	if (counts(priority, workload))
		protect_note(&priority->sums, workload);
	else
		protect_forget(&priority->sums, workload->id);
	rescale_soon(priority);
}

void priority_workload(void *state, const struct workload_event *event)
{
	struct priority *priority = state;

	if (event->change != WORKLOAD_REMOVED)
		return;
	protect_forget(&priority->sums, event->workload->id);
	rescale_soon(priority);
}

void priority_decide(void *state, const struct berth_workload *workload, bool below_offline)
{
	struct priority *priority = state;
	struct wants wants = { .why = "left alone: berth/ignore" };
	bool ignored = workload->flags & WORKLOAD_IGNORED;

	protect_count(priority, workload);
	if (!ignored)
		cpu_decide(priority->config, &priority->host, workload, below_offline, &wants);
	priority_claim(priority, workload, &wants, cpu_knobs, ARRAY_SIZE(cpu_knobs), "cpu");
	if (!ignored)
		memory_decide(priority->config, &priority->host, workload, below_offline, &wants);
	priority_claim(priority, workload, &wants, memory_knobs, ARRAY_SIZE(memory_knobs),
		       "memory");
	if (workload->flags & WORKLOAD_EXPLAIN)
		priority->agent->api->log(priority->agent, LOG_INFO, "%s is %d: memory: %s",
					  workload->name, (int)workload->qos, wants.why);
}

void priority_decided(void *state)
{
	struct priority *priority = state;

	if (!priority_wants_switch(priority))
		priority_release_switch(priority);
}

int priority_start(struct agent *agent, void *self, const struct colocation_config *config,
		   void **ret_state)
{
	struct priority *priority = calloc(1, sizeof(*priority));

	(void)self;
	if (!priority)
		return -ENOMEM;
	priority->agent = agent;
	priority->config = config;
	priority_probe(priority);
	*ret_state = priority;
	return 0;
}

int priority_apply(void *state, const struct colocation_config *config)
{
	struct priority *priority = state;

	priority->config = config;
	priority_probe(priority);
	return 0;
}

static void forget_level(void *self, const struct berth_workload *workload)
{
	const struct priority *priority = service_state(self, SERVICE_PRIORITY);

	priority->agent->api->unclaim(priority->agent, target_of(workload), KNOB_MEMORY_QOS_LEVEL);
}

void priority_stop(void *state)
{
	struct priority *priority = state;

	if (priority->memcg_qos_claimed)
		priority->agent->api->each_workload(priority->agent, forget_level);
	priority_release_switch(priority);
	protect_done(&priority->sums);
	free(priority);
}
