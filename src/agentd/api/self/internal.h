/* SPDX-License-Identifier: Apache-2.0 */
/*
 * internal.h - shared by self.c (the table), self/daemon.c (the daemon's parts), self/node.c
 * (the node and the process), self/workload.c and self/workload-knob.c.
 */
#pragma once

#include "api/self/self.h"

enum self_family {
	SELF_BUILD_INFO,
	SELF_CONFIG_VALID,
	SELF_CONFIG_RELOADS,
	SELF_WEB_CONFIG_VALID,
	SELF_WEB_CERTIFICATE,
	SELF_PAUSED,
	SELF_SOURCE_UP,
	SELF_PLUGIN_STATE,
	SELF_PLUGIN_FAILURES,
	SELF_PLUGIN_OVERRUNS,
	SELF_PLUGIN_BUSY,
	SELF_CLAIMS,
	SELF_KNOBS,
	SELF_KNOB_WRITES,
	SELF_KNOB_WRITE_ERRORS,
	SELF_FOREIGN_WRITES,
	SELF_WORKLOAD_KNOB,
	SELF_RESTORES,
	SELF_RESTORE_ERRORS,
	SELF_UNIT_PINS,
	SELF_UNIT_PIN_ERRORS,
	SELF_ACTIONS,
	SELF_ACTIONS_LIMITED,
	SELF_JOURNAL_BYTES,
	SELF_JOURNAL_ERRORS,
	SELF_METRICS_DROPPED,
	SELF_LIMIT_HITS,
	SELF_LOG_WARNINGS,
	SELF_KERNEL_FEATURE,
	SELF_TELEMETRY,
	SELF_TELEMETRY_PASSES,
	SELF_TELEMETRY_PASS,
	SELF_TELEMETRY_ERRORS,
	SELF_NODE_CPU,
	SELF_NODE_CPU_BUSY,
	SELF_NODE_MEMORY,
	SELF_NODE_MEMORY_AVAILABLE,
	SELF_NODE_PRESSURE,
	SELF_PROCESS_CPU,
	SELF_PROCESS_RESIDENT,
	SELF_PROCESS_FDS,
	SELF_WORKLOADS,
	SELF_WORKLOAD_CONFLICTS,
	SELF_WORKLOADS_STALE,
	SELF_MAX,
};

struct self_page {
	struct metrics *metrics;
	struct metric_family *families[SELF_MAX];
	int error; /* the first -errno of self_set(); a full page is better than none */
};

/* values: as many as the row of the table has labels. scope 0: no workload's. */
void self_set(struct self_page *page, enum self_family family, const char *const *values,
	      double value);
void self_set_plain(struct self_page *page, enum self_family family, double value);
void self_set_one(struct self_page *page, enum self_family family, const char *label, double value);

void self_fill_daemon(struct self_page *page, const struct self_state *state);
void self_fill_node(struct self_page *page, const struct self_state *state);
void self_fill_process(struct self_page *page, const struct self_state *state);
void self_fill_workloads(struct self_page *page, const struct self_state *state);
void self_fill_knobs(struct self_page *page, const struct self_state *state);
