/* SPDX-License-Identifier: Apache-2.0 */
#include "placement/topology.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "file.h"
#include "macro.h"

#define NODES_MAX  1024u /* MAX_NUMNODES of the largest configuration */
#define LIST_BYTES 4096u

static int list_read(int sys_fd, const char *path, struct cpulist *ret)
{
	char text[LIST_BYTES];
	int r = file_read(sys_fd, path, text, sizeof(text));

	return r < 0 ? r : cpulist_parse(text, ret);
}

/* core_cpus_list since 5.3, thread_siblings_list before. */
static void siblings_read(int sys_fd, unsigned int cpu, struct cpulist *ret)
{
	static const char *const files[] = { "core_cpus_list", "thread_siblings_list" };
	char path[96];

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		(void)snprintf(path, sizeof(path), "devices/system/cpu/cpu%u/topology/%s", cpu,
			       files[i]);
		if (list_read(sys_fd, path, ret) == 0 && cpulist_has(ret, cpu))
			return;
	}
	memset(ret, 0, sizeof(*ret));
	cpulist_add(ret, cpu);
}

static void cores_read(int sys_fd, struct topology *topology)
{
	struct cpulist seen = { 0 };

	for (unsigned int cpu = 0; cpu < CPULIST_MAX; cpu++) {
		struct topology_core *core = &topology->cores[topology->core_count];

		if (!cpulist_has(&topology->online, cpu) || cpulist_has(&seen, cpu))
			continue;
		*core = (struct topology_core){ .first = cpu };
		siblings_read(sys_fd, cpu, &core->cpus);
		cpulist_intersect(&core->cpus, &topology->online);
		/* Of two that contradict each other the first one's word counts. */
		cpulist_subtract(&core->cpus, &seen);
		cpulist_unite(&seen, &core->cpus);
		core->threads = cpulist_count(&core->cpus);
		topology->smt |= core->threads > 1;
		topology->core_count++;
	}
}

static void nodes_read(int sys_fd, struct topology *topology)
{
	struct cpulist nodes = { 0 }, cpus;
	char path[64];

	topology->nodes = 1;
	if (list_read(sys_fd, "devices/system/node/online", &nodes) < 0)
		return;
	topology->nodes = 0;
	for (unsigned int node = 0; node < NODES_MAX; node++) {
		bool any = false;

		if (!cpulist_has(&nodes, node))
			continue;
		(void)snprintf(path, sizeof(path), "devices/system/node/node%u/cpulist", node);
		/* Some have memory only. */
		if (list_read(sys_fd, path, &cpus) < 0)
			continue;
		for (size_t i = 0; i < topology->core_count; i++) {
			if (!cpulist_has(&cpus, topology->cores[i].first))
				continue;
			topology->cores[i].node = topology->nodes;
			any = true;
		}
		topology->nodes += any;
	}
	topology->nodes = MAX(topology->nodes, 1u);
}

int topology_read(int sys_fd, struct topology *ret)
{
	struct topology topology = { 0 };
	int r = list_read(sys_fd, "devices/system/cpu/online", &topology.online);

	if (r < 0)
		return r;
	topology.cpus = cpulist_count(&topology.online);
	if (topology.cpus == 0)
		return -ENODATA;
	topology.cores = calloc(topology.cpus + 1, sizeof(*topology.cores));
	if (!topology.cores)
		return -ENOMEM;
	cores_read(sys_fd, &topology);
	nodes_read(sys_fd, &topology);
	*ret = topology;
	return 0;
}

void topology_done(struct topology *topology)
{
	free(topology->cores);
	*topology = (struct topology){ 0 };
}

bool topology_is_current(int sys_fd, const struct topology *topology)
{
	struct cpulist online;

	return list_read(sys_fd, "devices/system/cpu/online", &online) < 0 ||
	       cpulist_equals(&online, &topology->online);
}

/* The last core of the node that is allowed and not yet taken; NULL: none. The first core of the
 * host is left to the end: interrupts and the kernel's own work favour CPU 0. */
static const struct topology_core *last_core(const struct topology *topology, unsigned int node,
					     const struct cpulist *left)
{
	for (size_t i = topology->core_count; i-- > 1;) {
		const struct topology_core *core = &topology->cores[i];

		if (core->node == node && cpulist_is_within(&core->cpus, left))
			return core;
	}
	return NULL;
}

void topology_last(const struct topology *topology, const struct cpulist *allowed,
		   unsigned int count, struct cpulist *ret)
{
	struct cpulist left = *allowed, list = { 0 };
	unsigned int node = topology->nodes, empty = 0, taken = 0;

	cpulist_intersect(&left, &topology->online);
	while (empty < topology->nodes) {
		const struct topology_core *core;

		node = node ? node - 1 : topology->nodes - 1;
		core = last_core(topology, node, &left);
		if (!core) {
			empty++;
			continue;
		}
		empty = 0;
		if (taken > 0 && taken + core->threads > count)
			break;
		cpulist_unite(&list, &core->cpus);
		cpulist_subtract(&left, &core->cpus);
		taken += core->threads;
	}
	/* The first core, and cores that are allowed in part, when all is asked for. */
	if (taken == 0 || count >= taken + cpulist_count(&left))
		cpulist_unite(&list, &left);
	*ret = list;
}
