/* SPDX-License-Identifier: Apache-2.0 */
/*
 * placement.h - which CPUs who runs on. The service brings together what is asked (the policy,
 * levels, requests), what is (topology.h, pins.c), and two laws (tide.h, cores.h), and claims a
 * list of CPUs for each group that is not to have all of them. Off, or with nothing to place, there
 * is no timer and no claim.
 */
#pragma once

#include <stdbool.h>

#include "berth-plugin.h"

struct colocation_config;

enum tidal_way { TIDAL_AUTO, TIDAL_PREFERRED, TIDAL_CPUSET };

struct placement_config {
	uint64_t tidal_enabled, tidal_way, period_usec, high_percent, low_percent;
	uint64_t floor_percent, share_percent, step_percent, calm_usec;
	uint64_t util_low_percent; /* 0: as it is */
	uint64_t shared_percent;
	/* openEuler's scheduler; 0 and "": as it is */
	uint64_t prio_balance, overload_usec, wait_usec;
	char *level_weights;
};

/* The callbacks of struct service. */
int placement_check(const struct colocation_config *config, struct berth_error *reterr);
int placement_start(struct agent *agent, void *self, const struct colocation_config *config,
		    void **ret_state);
int placement_apply(void *state, const struct colocation_config *config);
void placement_probe(void *state);
void placement_workload(void *state, const struct workload_event *event);
void placement_decide(void *state, const struct berth_workload *workload, bool below_offline);
void placement_decided(void *state);
void placement_stop(void *state);

/* Where /sys is looked for: a prefix, NULL on a host. Tests have a tree of their own. */
extern const char *placement_root;
