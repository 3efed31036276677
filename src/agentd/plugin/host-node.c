/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "macro.h"
#include "plugin/host-internal.h"
#include "telemetry/perf/perf.h"

/* In the order of enum sample_value, which begins with the six that a node has as well. */
static void pressures_fill(const struct snapshot_node *from, struct node_sample *node)
{
	const struct psi_line *const lines[NODE_PRESSURES] = {
		&from->cpu.some,    &from->cpu.full, &from->memory.some,
		&from->memory.full, &from->io.some,  &from->io.full,
	};

	node->pressure_known = 0;
	for (size_t i = 0; i < NODE_PRESSURES; i++) {
		if (!from->has_psi || !lines[i]->present)
			continue;
		node->pressure_known |= UINT64_C(1) << i;
		node->pressure_usec[i] = lines[i]->total_usec;
	}
}

const struct node_sample *host_node(struct host *host, uint64_t max_age_usec)
{
	struct snapshot *snapshot = host->context.snapshot;
	const struct snapshot_node *from = &snapshot->node;

	if (snapshot_node(snapshot, max_age_usec) < 0)
		return NULL;
	host->node = (struct node_sample){
		.size = sizeof(host->node),
		.cpus = from->cpus,
		.time_usec = snapshot->node_time_usec,
		.cpu_total_usec = from->cpu_total_usec,
		.cpu_busy_usec = from->cpu_busy_usec,
		.memory_total_bytes = from->memory_total_bytes,
		.memory_available_bytes = from->memory_available_bytes,
		.memory_free_bytes = from->memory_free_bytes,
		.swap_total_bytes = from->swap_total_bytes,
		.swap_free_bytes = from->swap_free_bytes,
	};
	pressures_fill(from, &host->node);
	return &host->node;
}

const struct node_sample *api_node(struct agent *agent, uint64_t max_age_usec)
{
	const struct instance *instance = container_of(agent, struct instance, agent);

	return host_node(instance->plugin->host, max_age_usec);
}

int api_count(struct agent *agent, uint64_t id, uint64_t usec)
{
	const struct instance *instance = container_of(agent, struct instance, agent);
	const struct host_context *context = &instance->plugin->host->context;
	const struct workload *workload = registry_get(context->registry, id);
	int r;

	if (instance->ending)
		return -ECANCELED;
	if (!workload)
		return -ENOENT;
	if (workload->view.flags & WORKLOAD_IGNORED)
		return -EPERM;
	r = perf_count(context->snapshot->perf, id, workload->cgroup, usec);
	/* A successor under the same path is another workload. */
	return r == -ESTALE ? -ENOENT : r;
}

int host_can_count(const struct host *host, const char **ret_reason)
{
	return perf_available(host->context.snapshot->perf, ret_reason);
}

int api_can_count(struct agent *agent, const char **ret_reason)
{
	const struct instance *instance = container_of(agent, struct instance, agent);

	return host_can_count(instance->plugin->host, ret_reason);
}
