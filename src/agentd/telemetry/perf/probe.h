/* SPDX-License-Identifier: Apache-2.0 */
/* probe.h - which events this host's CPUs count by group of control, and how many at once. */
#pragma once

#include "telemetry/perf/group.h"

/* The PMU's own. */
extern const struct perf_kind perf_hardware;

/* How these events can be opened on that CPU, of the group at directory: together if possible, else
 * without those of the cache. 0 or -errno as perf_group_open(). */
int perf_probe(const struct perf_kind *kind, int directory, unsigned int cpu,
	       enum perf_layout *ret);
/* What such an error means, and what to do. */
const char *perf_error_text(int error);
/* A phrase to be put behind what is said of a host that can. */
const char *perf_layout_text(enum perf_layout layout);
