/* SPDX-License-Identifier: Apache-2.0 */
/*
 * service.h - what colocation is made of: services, each with a directory and a section of the
 * policy of its own, that know nothing of each other. One row each in services.c. colocation.c
 * starts them, hands them workloads, and stops them the other way round. One that cannot start is
 * off and says so, and is started at the next reload; the others go on.
 */
#pragma once

#include <stdbool.h>

#include "berth-plugin.h"
#include "colocation.h"

/* Started, and asked, in this order; stopped from the last to the first. */
enum service_id {
	SERVICE_PRIORITY,
	SERVICE_IO,
	SERVICE_PLACEMENT,
	SERVICE_EVICT,
	SERVICE_SUPPRESS,
	SERVICE_TURBO,
	SERVICE_BURST,
	SERVICE_SHARES,
	SERVICE_CACHE,
	SERVICE_INTERFERENCE,
	SERVICE_NETWORK,
	SERVICES,
};

/* Every callback but start may be NULL. */
struct service {
	const char *name; /* what messages call it, and the part that claims for it */
	/* Pure. reterr->key names the setting at fault. */
	int (*check)(const struct colocation_config *config, struct berth_error *reterr);
	/* self is what callbacks of the agent are handed: service_state() finds the way back. The
	 * configuration is good until the next apply() returns. */
	int (*start)(struct agent *agent, void *self, const struct colocation_config *config,
		     void **ret_state);
	/* Another configuration; every workload is decided again after it. A failure is logged. */
	int (*apply)(void *state, const struct colocation_config *config);
	/* The host's capabilities are others; every workload is decided again after it. */
	void (*probe)(void *state);
	/* Someone went, and nothing else: of who comes or changes decide() tells, which one that
	 * starts late is asked as well about all that were there before. */
	void (*workload)(void *state, const struct workload_event *event);
	/* What this workload is to get, now: asked whenever it, something above it, the policy or
	 * the host changed. below_offline: a workload above it is offline. Ignored ones (see
	 * WORKLOAD_IGNORED) are asked about as well: what was claimed of them goes. */
	void (*decide)(void *state, const struct berth_workload *workload, bool below_offline);
	/* After the last decide() of such a round over all workloads. */
	void (*decided)(void *state);
	/* Frees state. Claims, timers and descriptions end with the plugin anyway. */
	void (*stop)(void *state);
};

extern const struct service colocation_services[SERVICES];

/* NULL: it is not running. */
void *service_state(void *self, enum service_id id);
/* Have one service decide about every workload again: something that it alone goes by changed. */
void colocation_decide_service(void *self, enum service_id id);
