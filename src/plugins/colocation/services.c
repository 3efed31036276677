/* SPDX-License-Identifier: Apache-2.0 */
/* services.c - the services of colocation, a row each. */
#include "burst/burst.h"
#include "cache/cache.h"
#include "evict/evict.h"
#include "interference/interference.h"
#include "io/io.h"
#include "network/network.h"
#include "placement/placement.h"
#include "priority/priority.h"
#include "service.h"
#include "shares/shares.h"
#include "suppress/suppress.h"
#include "turbo/turbo.h"

const struct service colocation_services[SERVICES] = {
	[SERVICE_PRIORITY] = {
		.name = "priority",
		.start = priority_start,
		.apply = priority_apply,
		.probe = priority_probe,
		.workload = priority_workload,
		.decide = priority_decide,
		.decided = priority_decided,
		.stop = priority_stop,
	},
	[SERVICE_IO] = {
		.name = "io",
		.check = io_check,
		.start = io_start,
		.apply = io_apply,
		.probe = io_probe,
		.decide = io_decide,
		.stop = io_stop,
	},
	[SERVICE_PLACEMENT] = {
		.name = "placement",
		.check = placement_check,
		.start = placement_start,
		.apply = placement_apply,
		.probe = placement_probe,
		.workload = placement_workload,
		.decide = placement_decide,
		.decided = placement_decided,
		.stop = placement_stop,
	},
	[SERVICE_EVICT] = {
		.name = "evict",
		.check = evict_check_config,
		.start = evict_start,
		.apply = evict_apply,
		.workload = evict_workload,
		.decide = evict_decide,
		.stop = evict_stop,
	},
	[SERVICE_SUPPRESS] = {
		.name = "suppress",
		.check = suppress_check,
		.start = suppress_start,
		.apply = suppress_apply,
		.probe = suppress_probe,
		.workload = suppress_workload,
		.decide = suppress_decide,
		.stop = suppress_stop,
	},

	[SERVICE_TURBO] = {
		.name = "turbo",
		.check = turbo_check,
		.start = turbo_start,
		.apply = turbo_apply,
		.probe = turbo_probe,
		.workload = turbo_workload,
		.decide = turbo_decide,
		.stop = turbo_stop,
	},
	[SERVICE_BURST] = {
		.name = "burst",
		.start = burst_start,
		.apply = burst_apply,
		.probe = burst_probe,
		.workload = burst_workload,
		.decide = burst_decide,
		.stop = burst_stop,
	},

	[SERVICE_SHARES] = {
		.name = "shares",
		.check = shares_check,
		.start = shares_start,
		.apply = shares_apply,
		.probe = shares_probe,
		.workload = shares_workload,
		.decide = shares_decide_one,
		.stop = shares_stop,
	},

	[SERVICE_CACHE] = {
		.name = "cache",
		.check = cache_check,
		.start = cache_start,
		.apply = cache_apply,
		.probe = cache_probe,
		.workload = cache_workload,
		.decide = cache_decide,
		.decided = cache_decided,
		.stop = cache_stop,
	},

	[SERVICE_INTERFERENCE] = {
		.name = "interference",
		.check = interference_check,
		.start = interference_start,
		.apply = interference_apply,
		.probe = interference_probe,
		.workload = interference_workload,
		.decide = interference_decide,
		.stop = interference_stop,
	},

	[SERVICE_NETWORK] = {
		.name = NETWORK_PART,
		.check = network_check,
		.start = network_start,
		.apply = network_apply,
		.probe = network_probe,
		.workload = network_workload,
		.decide = network_decide,
		.stop = network_stop,
	},
};
