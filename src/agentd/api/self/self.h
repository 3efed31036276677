/* SPDX-License-Identifier: Apache-2.0 */
/*
 * self.h - what the daemon tells of itself and of its node: filled at each scrape from the state
 * that is there anyway, so that nothing counts twice and nothing is updated when nobody looks.
 * docs/metrics.md is held to the table in self.c by a test.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "metrics/registry.h"

struct actuator;
struct config_errors;
struct hierarchy;
struct host;
struct plugin_list;
struct registry;
struct snapshot;
struct source;
struct sysroot;
struct web_state;

/* Everything that can be looked at; owned by daemon.c, which keeps it up to date in place. Only
 * const functions of these are called here, and host_fresh(). */
struct self_state {
	const struct sysroot *root;
	const struct hierarchy *hierarchy;
	struct registry *registry;
	struct actuator *actuator;
	struct host *host;
	struct snapshot *snapshot;
	struct source *const *sources;
	size_t source_count;
	/* Errors of the last reload that failed; count 0: what runs is what the files say. */
	const struct config_errors *config_errors;
	const struct web_state *web; /* the TCP listener; NULL in tests: there is none */
	uint64_t reloads, reload_failures;
	uint64_t start_usec;      /* CLOCK_MONOTONIC */
	uint64_t last_apply_usec; /* end of the last host_apply() that worked; 0: none yet */
};

/* Make the daemon's own families, so that no plugin can take their names. 0 or -ENOMEM. */
int self_metrics_make(struct metrics *metrics);
/* Fill them. 0 or -ENOMEM. */
int self_metrics_fill(struct metrics *metrics, const struct self_state *state);

/* One row of the table, for the test that holds docs/metrics.md to it; NULL past the end. */
struct self_metric {
	const char *name, *labels, *help; /* labels: "kind,qos", or "" */
	enum metric_type type;
};
const struct self_metric *self_metric_at(size_t index);

/* A line for each family of the daemon and of what plugins may publish, columns by tabs: name,
 * type, labels (NAME or NAME=VALUE|VALUE, by commas; of plugins without those of the workload),
 * help, and the plugin, "" for the daemon's own. */
void self_metrics_dump(FILE *out, const struct plugin_list *plugins);
