/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cores.h - which critical workload gets which whole cores of its own, a law without any I/O. Who
 * has cores keeps them; who comes is given cores of one NUMA node where they fit, and of as few as
 * may be where they do not. The others always keep their share of the CPUs.
 */
#pragma once

#include "placement/topology.h"

struct cores_wish {
	uint64_t id;
	unsigned int cpus;    /* that it asks for */
	struct cpulist given; /* before: what it has; after: whole cores, or empty */
	const char *why_not;  /* after: a sentence where it is empty, else NULL */
};

/* taken: CPUs that somebody else has to himself. keep: so many CPUs are left to the others, and at
 * least one core. In order of the array, so that a longer one does not change what the first ones
 * get. */
void cores_give(const struct topology *topology, const struct cpulist *taken, unsigned int keep,
		struct cores_wish *wishes, size_t count);
