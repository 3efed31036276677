/* SPDX-License-Identifier: Apache-2.0 */
/*
 * publisher.c - a plugin that publishes one family of workloads and counts how often it is asked
 * about one. `family` chooses which, `offline` publishes offline ones only.
 */
#include <errno.h>
#include <stdlib.h>

#include "berth-plugin.h"

enum family { FAMILY_MEMORY, FAMILY_CPU, FAMILY_WRONG, FAMILY_TAKEN };

struct config {
	uint64_t family, offline;
};

struct publisher {
	const struct config *config;
};

BERTH_PLUGIN_EXPORT extern unsigned int publisher_asked;
BERTH_PLUGIN_EXPORT unsigned int publisher_asked;

static const struct metric_column memory[] = { { "", SAMPLE_MEMORY_BYTES } };
static const struct metric_column cpu[] = { { "", SAMPLE_CPU_USAGE_USEC } };

static const struct metric_table tables[] = {
	[FAMILY_MEMORY] = { "berth_p_memory_bytes", "Memory.", METRIC_FROM_VALUE, 1, memory, 1 },
	[FAMILY_CPU] = { "berth_p_cpu_seconds_total", "CPU.", METRIC_FROM_VALUE, 1000000, cpu, 1 },
	[FAMILY_WRONG] = { "p-memory", "Memory.", METRIC_FROM_VALUE, 1, memory, 1 },
	[FAMILY_TAKEN] = { "berth_taken", "Memory.", METRIC_FROM_VALUE, 1, memory, 1 },
};

static const char *const family_names[] = { "memory", "cpu", "wrong", "taken", NULL };

static const struct config_field fields[] = {
	{ "family", CONFIG_ENUM, offsetof(struct config, family), 0, 0, 0, NULL, family_names,
	  "which" },
	{ "offline", CONFIG_BOOL, offsetof(struct config, offline), 0, 1, 0, NULL, NULL,
	  "only of offline workloads" },
	{ .type = CONFIG_END },
};

static int publisher_wants(void *data, const struct berth_workload *workload)
{
	const struct publisher *self = data;

	publisher_asked++;
	return !self->config->offline || workload->qos < QOS_NORMAL;
}

static int publisher_start(struct agent *agent, const void *config, void **ret_self)
{
	struct publisher *self = calloc(1, sizeof(*self));
	int r;

	if (!self)
		return -ENOMEM;
	self->config = config;
	r = agent->api->publish(agent, &tables[self->config->family], 1, publisher_wants);
	if (r < 0) {
		free(self);
		return r;
	}
	*ret_self = self;
	return 0;
}

static void publisher_stop(void *data)
{
	free(data);
}

BERTH_PLUGIN_EXPORT extern const struct berth_plugin berth_plugin;
BERTH_PLUGIN_EXPORT const struct berth_plugin berth_plugin = {
	.abi = BERTH_PLUGIN_ABI,
	.size = sizeof(struct berth_plugin),
	.name = PUBLISHER_NAME,
	.description = "publishes",
	.fields = fields,
	.config_size = sizeof(struct config),
	.start = publisher_start,
	.stop = publisher_stop,
};
