/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exporter.c - what each workload costs and suffers, as families at /metrics. It only says which
 * families and of whom: berthd reads them off its samples when somebody scrapes.
 */
#include "exporter.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

struct exporter {
	const struct exporter_config *config;
	struct metric_table tables[EXPORTER_FAMILIES];
};

/* Only pods and containers have a namespace: the rest of the node is never left out by it. */
static int namespace_matches(char *const *globs, const char *namespace)
{
	if (!*globs || *namespace == '\0')
		return 1;
	for (; *globs; globs++)
		if (fnmatch(*globs, namespace, 0) == 0)
			return 1;
	return 0;
}

static int exporter_wants(void *data, const struct berth_workload *workload)
{
	const struct exporter *self = data;

	if (strcmp(workload->kind, "container") == 0 && !self->config->containers)
		return 0;
	return namespace_matches(self->config->namespaces, workload->namespace);
}

static int exporter_start(struct agent *agent, const void *config, void **ret_self)
{
	struct exporter *self = calloc(1, sizeof(*self));
	int r;

	if (!self)
		return -ENOMEM;
	self->config = config;
	r = agent->api->publish(agent, self->tables, exporter_choose(config, self->tables),
				exporter_wants);
	if (r < 0) {
		free(self);
		return r;
	}
	*ret_self = self;
	return 0;
}

static void exporter_stop(void *data)
{
	free(data);
}

BERTH_PLUGIN_EXPORT extern const struct berth_plugin berth_plugin;
BERTH_PLUGIN_EXPORT const struct berth_plugin berth_plugin = {
	.abi = BERTH_PLUGIN_ABI,
	.size = sizeof(struct berth_plugin),
	.name = "exporter",
	.description = "what each workload costs and suffers, at /metrics",
	.needs = BERTH_NEEDS_CGROUP,
	.fields = exporter_fields,
	.config_size = sizeof(struct exporter_config),
	.check = exporter_check,
	/* New settings are a new start beside the old one: no scrape sees neither. */
	.start = exporter_start,
	.stop = exporter_stop,
	.metrics = exporter_families,
	.metric_count = EXPORTER_FAMILIES,
};
