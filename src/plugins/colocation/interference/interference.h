/* SPDX-License-Identifier: Apache-2.0 */
/*
 * interference.h - the service "interference": an online workload that runs worse than it usually
 * does is a victim; the offline one whose use of the CPU goes with that is throttled for a time.
 * The parts: law.c who suffers and from whom (pure), signal.c what from samples (pure), round.c
 * when it is measured, judge.c what is done about it, evidence.c why (texts), interference.c the
 * service's life and who takes part.
 */
#pragma once

#include <stdbool.h>

#include "berth-plugin.h"

struct colocation_config;

struct interference_config {
	uint64_t enabled;
	uint64_t signal; /* enum interference_signal */
	uint64_t window_usec, every_usec;
	uint64_t learn, threshold_sigma, correlation_percent;
	uint64_t throttle_milli, first_percent, throttle_usec;
};

/* The service: see service.h. */
int interference_check(const struct colocation_config *config, struct berth_error *reterr);
int interference_start(struct agent *agent, void *self, const struct colocation_config *config,
		       void **ret_state);
int interference_apply(void *state, const struct colocation_config *config);
void interference_probe(void *state);
void interference_workload(void *state, const struct workload_event *event);
void interference_decide(void *state, const struct berth_workload *workload, bool below_offline);
void interference_stop(void *state);
