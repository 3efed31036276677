/* SPDX-License-Identifier: Apache-2.0 */
/* config.c - the settings of plugins.colocation; `berthd --dump-fields` prints them. */
#include "colocation.h"
#include "config-bind.h"

static const char *const way_names[] = { "auto", "vendor", "upstream", "emulation", NULL };
static const char *const smt_names[] = { "auto", "off", NULL };
static const char *const protect_names[] = { "off", "low", "min", NULL };

#define T struct colocation_config

const struct config_field colocation_fields[] = {
	FIELD_BOOL(T, "cpu.enabled", cpu_enabled, 1, "give online workloads the CPU first"),
	FIELD_ENUM(T, "cpu.way", cpu_way, way_names, WAY_AUTO,
		   "how: vendor is cpu.qos_level, upstream is cpu.idle, emulation is weights"),
	FIELD_PERCENT(
		T, "cpu.quota_percent", cpu_quota_percent, 0,
		"emulation only: cap of one offline workload, in percent of the node; 0 none"),
	FIELD_ENUM(T, "cpu.smt_protect", cpu_smt_protect, smt_names, 0,
		   "critical workloads share an SMT core with none, where the kernel can"),
	FIELD_BOOL(T, "memory.enabled", memory_enabled, 1,
		   "protect the memory of online workloads"),
	FIELD_ENUM(
		T, "memory.way", memory_way, way_names, WAY_AUTO,
		"how: vendor is memory.qos_level, upstream is memory.low, emulation is OOM order"),
	FIELD_U64(T, "memory.oom_score_adj", memory_oom_score_adj, 0, 1000, 1000,
		  "oom_score_adj of offline processes; 0 leaves it alone"),
	FIELD_ENUM(
		T, "memory.protect", memory_protect, protect_names, PROTECT_LOW,
		"protect the requested memory of critical workloads by memory.low or memory.min"),
	FIELD_END,
};
