/* SPDX-License-Identifier: Apache-2.0 */
/*
 * topology.h - the CPUs of the host that are online: which are threads of one core, and which
 * NUMA node has them. Read from /sys/devices/system; Documentation/admin-guide/cputopology.rst.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "cpulist.h"

struct topology_core {
	struct cpulist cpus; /* its threads that are online */
	unsigned int first, threads;
	unsigned int node; /* index of its NUMA node; 0 where the host has none */
};

struct topology {
	struct topology_core *cores; /* by first CPU */
	size_t core_count;
	unsigned int nodes, cpus;
	bool smt; /* some core has two threads or more */
	struct cpulist online;
};

/* sys_fd: of /sys. A CPU whose siblings cannot be read is a core of its own. 0 or -errno. */
int topology_read(int sys_fd, struct topology *ret);
void topology_done(struct topology *topology);
/* Are the CPUs that are online still those? Unless it can be read that they are not. */
bool topology_is_current(int sys_fd, const struct topology *topology);

/* The last `count` CPUs of those allowed, by whole cores, in turn from each node: the core of CPU 0
 * comes last. Rounded down to whole cores, but at least one core; what is chosen for a count is
 * part of what is chosen for a larger one. Nothing allowed: empty. */
void topology_last(const struct topology *topology, const struct cpulist *allowed,
		   unsigned int count, struct cpulist *ret);
