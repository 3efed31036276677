/* SPDX-License-Identifier: Apache-2.0 */
/*
 * network.h - what leaves this host: online traffic first. Offline workloads share a line of their
 * own on each device, as wide as the water line leaves, between low and high; pace-law.h has the
 * law and pace.bpf.c applies it, packet by packet, with no timer. docs/network.md says how.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "berth-plugin.h"

#define NETWORK_PART "network" /* claims as colocation/network */

enum network_law { NETWORK_SMOOTH, NETWORK_STEP };
enum network_by { NETWORK_AUTO, NETWORK_BPF, NETWORK_BWM };

struct network_config {
	uint64_t enabled;
	char **devices;                 /* globs; none: that of the default route */
	uint64_t water_line, low, high; /* bytes a second */
	uint64_t law;                   /* enum network_law; bwm has the step only */
	uint64_t by;                    /* enum network_by; auto: bwm where it is in use */
};

struct colocation_config;

int network_check(const struct colocation_config *config, struct berth_error *reterr);
int network_start(struct agent *agent, void *self, const struct colocation_config *config,
		  void **ret_state);
int network_apply(void *state, const struct colocation_config *config);
void network_probe(void *state);
void network_workload(void *state, const struct workload_event *event);
void network_decide(void *state, const struct berth_workload *workload, bool below_offline);
void network_stop(void *state);
