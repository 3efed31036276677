/* SPDX-License-Identifier: Apache-2.0 */
/* colocation.h - the settings of plugins.colocation; config.c has a row for each. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "berth-plugin.h"
#include "burst/burst.h"
#include "cache/cache.h"
#include "evict/evict.h"
#include "interference/interference.h"
#include "network/network.h"
#include "placement/placement.h"
#include "shares/shares.h"
#include "suppress/law.h"
#include "turbo/turbo.h"

/* How critical workloads are kept from sharing a core. */
enum smt_protect { SMT_AUTO, SMT_CORE_SCHED, SMT_CPUSET, SMT_OFF };

struct colocation_config {
	uint64_t cpu_enabled;
	uint64_t cpu_way; /* WAY_AUTO to WAY_EMULATION */
	uint64_t cpu_quota_percent;
	uint64_t cpu_smt_protect; /* enum smt_protect */
	uint64_t memory_enabled;
	uint64_t memory_way;
	uint64_t memory_oom_score_adj;
	uint64_t memory_oom_score_adj_batch;
	uint64_t memory_oom_group;
	uint64_t memory_protect;      /* enum protect */
	uint64_t memory_protect_from; /* 0 critical, 1 high, 2 normal: that one and those above */
	uint64_t memory_protect_percent;
	uint64_t io_enabled;
	uint64_t io_annotations;
	char **io_limits_batch, **io_limits_scavenger;
	uint64_t io_weights;
	uint64_t io_prio_class;
	uint64_t io_writeback;
	char **io_latency;
	char **io_cost;
	struct evict_config evict;
	struct suppress_config suppress;
	struct placement_config placement;
	struct turbo_config turbo;
	struct burst_config burst;
	struct shares_config shares;
	struct cache_config cache;
	struct interference_config interference;
	struct network_config network;
};

extern const struct config_field colocation_fields[];
