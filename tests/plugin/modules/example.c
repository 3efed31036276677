/* SPDX-License-Identifier: Apache-2.0 */
/*
 * example.c - gives offline workloads a small CPU weight. The plugin of docs/plugins.md, which
 * holds the same text.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "berth-plugin.h"

struct example_config {
	uint64_t weight;
};

struct example {
	struct agent *agent;
	const struct example_config *config;
	struct agent_metric *held;
};

static const struct config_field example_fields[] = {
	{
		.key = "weight",
		.type = CONFIG_U64,
		.offset = offsetof(struct example_config, weight),
		.min = 1,
		.max = 100,
		.fallback = 10,
		.help = "The CPU weight of offline workloads; 100 is the kernel's default.",
	},
	{ .type = CONFIG_END },
};

/* One function decides, from what is now; it does not matter what happened to bring it about. */
static void example_decide(struct example *example, const struct berth_workload *workload)
{
	const struct agent_api *api = example->agent->api;
	const struct berth_target target = { TARGET_WORKLOAD, workload->id };
	const struct knob_value value = { .number = example->config->weight };
	char text[64];
	int r;

	if (workload->qos >= QOS_NORMAL) {
		api->unclaim(example->agent, target, KNOB_CPU_WEIGHT);
		api->describe(example->agent, workload->id, "weight", NULL);
		api->metric_set(example->agent, example->held, workload->id, 0);
		return;
	}
	r = api->claim(example->agent, target, KNOB_CPU_WEIGHT, &value, 0, "it is offline");
	if (r < 0 && r != -ENOENT && r != -EPERM)
		api->log(example->agent, LOG_WARNING, "no weight for '%s': %s", workload->name,
			 strerrordesc_np(-r));
	(void)snprintf(text, sizeof(text), "%llu, because it is offline",
		       (unsigned long long)value.number);
	api->describe(example->agent, workload->id, "weight", r < 0 ? NULL : text);
	api->metric_set(example->agent, example->held, workload->id, r >= 0);
}

static void example_workload(void *self, const struct workload_event *event)
{
	/* The claims of a REMOVED one are gone with it. */
	if (event->change != WORKLOAD_REMOVED)
		example_decide(self, event->workload);
}

static int example_start(struct agent *agent, const void *config, void **ret_self)
{
	struct example *example = calloc(1, sizeof(*example));
	int r;

	if (!example)
		return -ENOMEM;
	example->agent = agent;
	example->config = config;
	r = agent->api->metric(agent, "held", "1 while the weight is claimed.", &example->held);
	if (r < 0) {
		free(example);
		return r;
	}
	*ret_self = example;
	return 0; /* what runs here follows as ADDED */
}

static void example_stop(void *self)
{
	free(self); /* berthd drops claims, timers and metrics, and restores the knobs */
}

BERTH_PLUGIN_EXPORT const struct berth_plugin berth_plugin = {
	.abi = BERTH_PLUGIN_ABI,
	.size = sizeof(struct berth_plugin),
	.name = "example",
	.description = "gives offline workloads a small CPU weight",
	.needs = BERTH_NEEDS_CGROUP,
	.fields = example_fields,
	.config_size = sizeof(struct example_config),
	.start = example_start,
	.workload = example_workload,
	.stop = example_stop,
};
