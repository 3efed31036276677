/* SPDX-License-Identifier: Apache-2.0 */
/*
 * suppress.h - the service that keeps the node's CPUs at most so busy: what online work leaves of
 * the target is what offline work may use, all of it together. The parts: law.c how much that is,
 * share.c and cpus.c its division (pure); track.c what each workload uses and wants; quota.c and
 * cpuset.c carry it out; tell.c says it; suppress.c runs them. Off, or with only online or only
 * offline work on the node, there is no timer.
 */
#pragma once

#include <stdbool.h>

#include "berth-plugin.h"
#include "suppress/law.h"

struct colocation_config;

/* The callbacks of struct service. */
int suppress_check(const struct colocation_config *config, struct berth_error *reterr);
int suppress_start(struct agent *agent, void *self, const struct colocation_config *config,
		   void **ret_state);
int suppress_apply(void *state, const struct colocation_config *config);
void suppress_probe(void *state);
void suppress_workload(void *state, const struct workload_event *event);
void suppress_decide(void *state, const struct berth_workload *workload, bool below_offline);
void suppress_stop(void *state);
