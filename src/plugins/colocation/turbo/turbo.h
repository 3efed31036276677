/* SPDX-License-Identifier: Apache-2.0 */
/*
 * turbo.h - quota turbo: containers of pods that opted in may have more than their CPU limit while
 * the node has it. What a law (law.h) asks for is claimed of the container's cpu.quota; that its
 * pod's follows is the actuator's. See docs/turbo.md.
 */
#pragma once

#include <stdbool.h>

#include "berth-plugin.h"

#define TURBO_ANNOTATION "volcano.sh/quota-turbo"

enum turbo_law { TURBO_LAW_PRESSURE, TURBO_LAW_RUBIK };

struct turbo_config {
	uint64_t enabled;
	uint64_t law; /* enum turbo_law */
	uint64_t high_percent, alarm_percent;
	uint64_t period_usec;
};

struct colocation_config;

/* A service: service.h. */
int turbo_check(const struct colocation_config *config, struct berth_error *reterr);
int turbo_start(struct agent *agent, void *self, const struct colocation_config *config,
		void **ret_state);
int turbo_apply(void *state, const struct colocation_config *config);
void turbo_probe(void *state);
void turbo_workload(void *state, const struct workload_event *event);
void turbo_decide(void *state, const struct berth_workload *workload, bool below_offline);
void turbo_stop(void *state);
