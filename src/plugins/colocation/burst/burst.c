/* SPDX-License-Identifier: Apache-2.0 */
/*
 * burst.c - a container's burst is what the annotation says, at most its quota: the kernel refuses
 * more (tg_set_cfs_bandwidth() in kernel/sched/core.c). That of its pod is the sum of its
 * containers', or the pod's quota would end what they saved. Both go by the limits, which quota
 * turbo never goes below: the two do not meet.
 */
#include "burst/burst.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "macro.h"
#include "parse.h"
#include "service.h"

#define BURST_PART     "burst"
#define USEC_PER_MILLI 100u /* of a CPU, in a period of 100 ms */

struct burst {
	struct agent *agent;
	const struct burst_config *config;
	bool available;
	uint64_t sum;  /* while children of a pod are added up */
	uint64_t gone; /* a workload that is told to be gone; 0 none */
};

void burst_read(const char *time, const char *enable, struct burst_wish *ret)
{
	*ret = (struct burst_wish){ .usec = UINT64_MAX };
	if (!time && !enable)
		return;
	if (enable && strcmp(enable, "true") != 0 && strcmp(enable, "false") != 0) {
		(void)snprintf(ret->why, sizeof(ret->why),
			       "left alone: " BURST_ENABLE_ANNOTATION
			       " is \"%.30s\", not \"true\" or \"false\"",
			       enable);
		return;
	}
	if (time && parse_u64(time, &ret->usec) < 0) {
		(void)snprintf(ret->why, sizeof(ret->why),
			       "left alone: " BURST_ANNOTATION " is \"%.30s\", no microseconds",
			       time);
		return;
	}
	ret->wanted = (!enable || enable[0] == 't') && ret->usec > 0;
}

static struct berth_target target_of(const struct berth_workload *workload)
{
	return (struct berth_target){ .kind = TARGET_WORKLOAD, .id = workload->id };
}

static bool is_of_pod(const struct berth_workload *workload)
{
	return strcmp(workload->kind, "container") == 0;
}

static void wish_of_pod(const struct burst *burst, uint64_t pod, struct burst_wish *ret)
{
	const struct agent_api *api = burst->agent->api;

	burst_read(api->annotation(burst->agent, pod, BURST_ANNOTATION),
		   api->annotation(burst->agent, pod, BURST_ENABLE_ANNOTATION), ret);
}

/* 0: none; ret_why: why, or what. */
static uint64_t container_burst(const struct burst *burst, const struct berth_workload *workload,
				const struct burst_wish *wish, char *ret_why, size_t size)
{
	uint64_t quota = workload->cpu_limit_milli * USEC_PER_MILLI, usec;

	(void)snprintf(ret_why, size, "%s", wish->why);
	if (!wish->wanted || (workload->flags & WORKLOAD_IGNORED))
		return 0;
	if (!burst->available) {
		(void)snprintf(ret_why, size, "left alone: this kernel has no CPU burst");
		return 0;
	}
	if (quota == 0) {
		(void)snprintf(ret_why, size, "left alone: without a CPU limit there is no burst");
		return 0;
	}
	usec = MIN(wish->usec, quota);
	(void)snprintf(ret_why, size, "%llu us%s", (unsigned long long)usec,
		       wish->usec > quota && wish->usec != UINT64_MAX
			       ? ": not more than the quota, which the kernel refuses"
			       : "");
	return usec;
}

static void burst_claim(const struct burst *burst, const struct berth_workload *workload,
			uint64_t usec, const char *text)
{
	const struct agent_api *api = burst->agent->api;
	const struct knob_value value = { .number = usec };
	char refused[192];
	int r = 0;

	if (usec == 0)
		api->unclaim_as(burst->agent, BURST_PART, target_of(workload), KNOB_CPU_BURST_USEC);
	else
		r = api->claim_as(burst->agent, BURST_PART, target_of(workload),
				  KNOB_CPU_BURST_USEC, &value, 0, "the pod's annotations");
	if (r < 0 && r != -ENOENT) {
		(void)snprintf(refused, sizeof(refused), "%s (refused: %s)", text, strerror(-r));
		text = refused;
	}
	api->describe(burst->agent, workload->id, "burst", text[0] ? text : NULL);
}

static void add_container(void *self, const struct berth_workload *workload)
{
	struct burst *burst = service_state(self, SERVICE_BURST);
	struct burst_wish wish;
	char why[192];

	if (!is_of_pod(workload) || workload->id == burst->gone)
		return;
	wish_of_pod(burst, workload->parent, &wish);
	burst->sum += container_burst(burst, workload, &wish, why, sizeof(why));
}

/* A pod without a limit has no quota that a burst could be for. */
static void decide_pod(struct burst *burst, const struct berth_workload *pod)
{
	uint64_t quota = pod->cpu_limit_milli * USEC_PER_MILLI;
	char text[64] = "";

	burst->sum = 0;
	if (burst->config->enabled && !(pod->flags & WORKLOAD_IGNORED))
		burst->agent->api->each_child(burst->agent, pod->id, add_container);
	burst->sum = MIN(burst->sum, quota);
	if (burst->sum > 0)
		(void)snprintf(text, sizeof(text), "%llu us, the sum of its containers'",
			       (unsigned long long)burst->sum);
	burst_claim(burst, pod, burst->sum, text);
}

static void decide_pod_of(struct burst *burst, const struct berth_workload *container)
{
	const struct berth_workload *pod =
		burst->agent->api->workload(burst->agent, container->parent);

	if (pod)
		decide_pod(burst, pod);
}

void burst_decide(void *state, const struct berth_workload *workload, bool below_offline)
{
	struct burst *burst = state;
	struct burst_wish wish = { 0 };
	uint64_t usec = 0;
	char why[192] = "";

	(void)below_offline;
	if (strcmp(workload->kind, "pod") == 0) {
		decide_pod(burst, workload);
		return;
	}
	if (!is_of_pod(workload))
		return;
	if (burst->config->enabled) {
		wish_of_pod(burst, workload->parent, &wish);
		usec = container_burst(burst, workload, &wish, why, sizeof(why));
	}
	burst_claim(burst, workload, usec, why);
	decide_pod_of(burst, workload);
}

void burst_workload(void *state, const struct workload_event *event)
{
	struct burst *burst = state;

	if (event->change != WORKLOAD_REMOVED || !is_of_pod(event->workload))
		return;
	burst->gone = event->workload->id;
	decide_pod_of(burst, event->workload);
	burst->gone = 0;
}

void burst_probe(void *state)
{
	struct burst *burst = state;
	const struct agent_api *api = burst->agent->api;
	const char *reason = "";
	char text[192];

	burst->available = api->knob_available(burst->agent, KNOB_CPU_BURST_USEC, &reason) > 0;
	(void)snprintf(text, sizeof(text), "%s%.150s",
		       !burst->config->enabled ? "off"
		       : burst->available      ? "of pods with " BURST_ANNOTATION
					       : "none: ",
		       burst->available || !burst->config->enabled || !reason ? "" : reason);
	api->describe(burst->agent, 0, "burst", text);
}

int burst_start(struct agent *agent, void *self, const struct colocation_config *config,
		void **ret_state)
{
	struct burst *burst = calloc(1, sizeof(*burst));

	(void)self;
	if (!burst)
		return -ENOMEM;
	burst->agent = agent;
	burst->config = &config->burst;
	burst_probe(burst);
	*ret_state = burst;
	return 0;
}

int burst_apply(void *state, const struct colocation_config *config)
{
	struct burst *burst = state;

	burst->config = &config->burst;
	burst_probe(burst);
	return 0;
}

void burst_stop(void *state)
{
	free(state);
}
