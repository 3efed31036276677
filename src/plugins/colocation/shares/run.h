/* SPDX-License-Identifier: Apache-2.0 */
/* run.h - the state of the service, between shares.c (life) and tick.c (decisions and claims). */
#pragma once

#include "hashmap.h"
#include "shares/fssr.h"
#include "shares/shares.h"

#define SHARES_PART        "shares"
#define SHARES_PERIOD_USEC FSSR_PERIOD_USEC
#define SHARES_LEASE_USEC  (6 * SHARES_PERIOD_USEC)

struct shares_track {
	uint64_t id, weight, limit;
	uint64_t high;   /* claimed; SHARES_NONE */
	uint64_t events; /* memory.events high, of the sample before */
	bool has_events;
};

struct shares {
	struct agent *agent;
	const struct shares_config *config;
	struct agent_source *timer; /* NULL: off, or no offline workload */
	struct shares_host host;
	bool has_host;
	bool begun;            /* it was on, once */
	struct hashmap tracks; /* struct shares_track by workload id */
	struct shares_gate gate;
	struct fssr fssr;
	struct agent_metric *budget, *share, *at_high, *refused;
};

/* No limit any more. */
void shares_release(struct shares *shares, struct shares_track *track);
/* Of all that there are; text: what explain says of each, NULL for nothing. */
void shares_release_all(struct shares *shares, const char *text);
/* The series of the service. */
void shares_show(struct shares *shares, uint64_t budget, size_t at_high, size_t refused);
/* One period. -errno: the numbers cannot be read, and nothing is decided. */
int shares_tick(struct shares *shares);
/* What explain says of the service. */
void shares_say(struct shares *shares, const char *text);
