/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exporter.h - settings and families of the exporter. A family belongs to a group that is switched
 * as one; names, labels and their meaning are a promise to dashboards: docs/metrics.md.
 */
#pragma once

#include <stddef.h>

#include "berth-plugin.h"

enum exporter_group {
	GROUP_CPU,
	GROUP_MEMORY,
	GROUP_MEMORY_STAT,
	GROUP_IO,
	GROUP_PRESSURE,
	GROUP_CAUSES,
	GROUP_LATENCY,
	GROUP_MAX
};

struct exporter_config {
	uint64_t containers, averages;
	uint64_t groups[GROUP_MAX]; /* on or off */
	char **namespaces;          /* globs; empty: all */
};

extern const struct config_field exporter_fields[];

/* Of a struct exporter_config; the plugin's check(). */
int exporter_check(const void *data, struct berth_error *reterr);

#define EXPORTER_FAMILIES 19u

/* All of them, in the order of the page. */
extern const struct metric_table exporter_families[EXPORTER_FAMILIES];

/* Those that are on, copied to `tables` (room for all). How many. */
size_t exporter_choose(const struct exporter_config *config, struct metric_table *tables);
