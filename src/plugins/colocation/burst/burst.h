/* SPDX-License-Identifier: Apache-2.0 */
/*
 * burst.h - quota burst: what a container leaves unused of its CPU quota is kept for later, up to
 * what its pod's annotation says (kernel 5.14: cpu.max.burst, on v1 cpu.cfs_burst_us). See
 * docs/turbo.md.
 */
#pragma once

#include <stdbool.h>

#include "berth-plugin.h"

#define BURST_ANNOTATION        "volcano.sh/quota-burst-time"
#define BURST_ENABLE_ANNOTATION "volcano.sh/enable-quota-burst"

struct burst_config {
	uint64_t enabled;
};

/* What the two annotations ask for. */
struct burst_wish {
	bool wanted;
	uint64_t usec; /* UINT64_MAX: as much as there can be */
	char why[128]; /* not, or ""; for people */
};

/* Pure. NULL: the annotation is not there. */
void burst_read(const char *time, const char *enable, struct burst_wish *ret);

struct colocation_config;

/* A service: service.h. */
int burst_start(struct agent *agent, void *self, const struct colocation_config *config,
		void **ret_state);
int burst_apply(void *state, const struct colocation_config *config);
void burst_probe(void *state);
void burst_workload(void *state, const struct workload_event *event);
void burst_decide(void *state, const struct berth_workload *workload, bool below_offline);
void burst_stop(void *state);
