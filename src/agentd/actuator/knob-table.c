/* SPDX-License-Identifier: Apache-2.0 */
#include "actuator/knob-table.h"

#include <inttypes.h>

#include "macro.h"
#include "strbuf.h"

#define S64(value)    ((uint64_t)(int64_t)(value))
#define LOCKS_NOTHING (-1)
/* The kernel refuses less: min_cfs_quota_period, kernel/sched/core.c. */
#define QUOTA_MIN_USEC 1000

const struct knob_row knob_table[KNOB_MAX] = {
	[KNOB_CPU_QOS_LEVEL] = {
		.name = "cpu.qos_level",
		.controller = CONTROLLER_CPU,
		.file_v1 = "cpu.qos_level",
		.type = KNOB_TYPE_S64,
		.min = S64(-2),
		.max = 2,
		.merge = MERGE_MIN,
		.drift = DRIFT_REWRITE,
		.flags = KNOB_ONE_WAY | KNOB_TOP_DOWN,
		.locks = LOCKS_NOTHING,
		.help = "The level of the group in the scheduler: a group below 0 runs only while "
			"no group at 0 or above wants the CPU.",
		.source = "openEuler CONFIG_QOS_SCHED; -2 to 2 with CONFIG_QOS_SCHED_MULTILEVEL",
	},
	[KNOB_CPU_IDLE] = {
		.name = "cpu.idle",
		.controller = CONTROLLER_CPU,
		.file_v1 = "cpu.idle",
		.file_v2 = "cpu.idle",
		.type = KNOB_TYPE_U64,
		.max = 1,
		.merge = MERGE_MAX,
		.drift = DRIFT_REWRITE,
		.locks = KNOB_CPU_WEIGHT,
		.help = "Treats the whole group like SCHED_IDLE: it gets what the others leave.",
		.source = "Documentation/admin-guide/cgroup-v2.rst, since 5.15",
	},
	[KNOB_CPU_WEIGHT] = {
		.name = "cpu.weight",
		.controller = CONTROLLER_CPU,
		.file_v1 = "cpu.shares",
		.file_v2 = "cpu.weight",
		.type = KNOB_TYPE_U64,
		.min = 1,
		.max = 10000,
		.merge = MERGE_EXCLUSIVE,
		.drift = DRIFT_ORIGINAL,
		.locks = LOCKS_NOTHING,
		.help = "The group's share against its siblings; cpu.shares is the weight x 10.24.",
		.source = "Documentation/admin-guide/cgroup-v2.rst; scheduler/sched-design-CFS.rst",
	},
	[KNOB_CPU_QUOTA_USEC] = {
		.name = "cpu.quota",
		.controller = CONTROLLER_CPU,
		.file_v1 = "cpu.cfs_quota_us",
		.file_v2 = "cpu.max",
		.type = KNOB_TYPE_U64,
		.min = QUOTA_MIN_USEC,
		.max = UINT64_MAX,
		.merge = MERGE_MIN,
		.drift = DRIFT_ORIGINAL,
		.locks = LOCKS_NOTHING,
		.help = "CPU microseconds that the group may use in 100 ms, over all CPUs; the "
			"period found is kept and the quota scaled to it.",
		.source = "Documentation/admin-guide/cgroup-v2.rst; scheduler/sched-bwc.rst",
	},
	[KNOB_MEMORY_QOS_LEVEL] = {
		.name = "memory.qos_level",
		.controller = CONTROLLER_MEMORY,
		.file_v1 = "memory.qos_level",
		.type = KNOB_TYPE_S64,
		.min = S64(-1),
		.max = 0,
		.merge = MERGE_MIN,
		.drift = DRIFT_REWRITE,
		.flags = KNOB_TOP_DOWN,
		.locks = LOCKS_NOTHING,
		.help = "Groups at -1 are the OOM killer's first victims; the kernel wipes it when "
			"vm.memcg_qos_enable is turned off.",
		.source = "openEuler CONFIG_MEMCG_QOS, CONFIG_MEMCG_OOM_PRIORITY",
	},
	[KNOB_MEMORY_MIN_BYTES] = {
		.name = "memory.min",
		.controller = CONTROLLER_MEMORY,
		.file_v1 = "memory.min",
		.file_v2 = "memory.min",
		.type = KNOB_TYPE_U64,
		.max = UINT64_MAX,
		.merge = MERGE_MAX,
		.drift = DRIFT_ORIGINAL,
		.flags = KNOB_SUM_UP,
		.locks = LOCKS_NOTHING,
		.help = "Memory that is never reclaimed from the group, in bytes, whole pages.",
		.source = "Documentation/admin-guide/cgroup-v2.rst; v1: openEuler "
			  "CONFIG_MEMCG_V1_THRESHOLD_QOS",
	},
	[KNOB_MEMORY_LOW_BYTES] = {
		.name = "memory.low",
		.controller = CONTROLLER_MEMORY,
		.file_v1 = "memory.low",
		.file_v2 = "memory.low",
		.type = KNOB_TYPE_U64,
		.max = UINT64_MAX,
		.merge = MERGE_MAX,
		.drift = DRIFT_ORIGINAL,
		.flags = KNOB_SUM_UP,
		.locks = LOCKS_NOTHING,
		.help = "Memory that is reclaimed from the group only when nothing unprotected is "
			"left, in bytes, whole pages.",
		.source = "Documentation/admin-guide/cgroup-v2.rst; v1: openEuler "
			  "CONFIG_MEMCG_V1_THRESHOLD_QOS",
	},
	[KNOB_MEMCG_QOS_ENABLE] = {
		.name = "vm.memcg_qos_enable",
		.controller = CONTROLLER_MEMORY,
		.file_v1 = "vm/memcg_qos_enable",
		.file_v2 = "vm/memcg_qos_enable",
		.type = KNOB_TYPE_U64,
		.max = 1,
		.merge = MERGE_MAX,
		.drift = DRIFT_REWRITE,
		.flags = KNOB_HOST,
		.locks = LOCKS_NOTHING,
		.help = "The gate of memory.qos_level, a sysctl of the host.",
		.source = "openEuler CONFIG_MEMCG_QOS, CONFIG_MEMCG_OOM_PRIORITY",
	},
	[KNOB_OOM_SCORE_ADJ] = {
		.name = "oom_score_adj",
		.controller = CONTROLLER_MEMORY,
		.file_v1 = "oom_score_adj",
		.file_v2 = "oom_score_adj",
		.type = KNOB_TYPE_S64,
		.min = S64(-1000),
		.max = 1000,
		.merge = MERGE_MAX,
		.drift = DRIFT_YIELD,
		.flags = KNOB_PROCESSES,
		.locks = LOCKS_NOTHING,
		.help = "How gladly the OOM killer takes each process of the group.",
		.source = "Documentation/filesystems/proc.rst, 3.1",
	},
	[KNOB_CORE_SCHED] = {
		.name = "core_sched",
		.controller = CONTROLLER_CPU,
		.type = KNOB_TYPE_U64,
		.max = 1,
		.merge = MERGE_MAX,
		.drift = DRIFT_YIELD,
		.flags = KNOB_PROCESSES,
		.locks = LOCKS_NOTHING,
		.help = "The group's processes get a core scheduling cookie of their own, so that "
			"no other shares an SMT core with them.",
		.source = "Documentation/admin-guide/hw-vuln/core-scheduling.rst, since 5.14",
	},
};

const char *knob_file(enum knob knob, int version)
{
	const struct knob_row *row;

	if ((unsigned int)knob >= KNOB_MAX)
		return NULL;
	row = &knob_table[knob];
	switch (version) {
	case 1:
		return row->file_v1;
	case 2:
		return row->file_v2;
	default:
		/* A sysctl and a process are there without any cgroup mount. */
		return row->flags & (KNOB_HOST | KNOB_PROCESSES) ? row->file_v2 : NULL;
	}
}

static void range_add(struct strbuf *text, const struct knob_row *row)
{
	if (row->type == KNOB_TYPE_S64)
		strbuf_addf(text, "%" PRId64 " to %" PRId64, (int64_t)row->min, (int64_t)row->max);
	else if (row->max == UINT64_MAX)
		strbuf_addf(text, "%" PRIu64 " to max", row->min);
	else
		strbuf_addf(text, "%" PRIu64 " to %" PRIu64, row->min, row->max);
}

static void flags_add(struct strbuf *text, uint32_t flags)
{
	static const struct {
		uint32_t flag;
		const char *name;
	} names[] = {
		{ KNOB_SUM_UP, "sum-up" },   { KNOB_MAY_BLOCK, "may-block" },
		{ KNOB_ONE_WAY, "one-way" }, { KNOB_PROCESSES, "processes" },
		{ KNOB_HOST, "host" },       { KNOB_TOP_DOWN, "top-down" },
	};
	bool any = false;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (!(flags & names[i].flag))
			continue;
		strbuf_addf(text, "%s%s", any ? ", " : "", names[i].name);
		any = true;
	}
	if (!any)
		strbuf_add(text, "-");
}

void knob_table_dump(FILE *out)
{
	static const char *const types[] = { "u64", "s64", "text" };
	static const char *const merges[] = { "min", "max", "exclusive" };
	static const char *const drifts[] = { "rewrite", "original", "yield" };

	for (size_t i = 0; i < KNOB_MAX; i++) {
		const struct knob_row *row = &knob_table[i];
		cleanup_strbuf struct strbuf range = { 0 };
		cleanup_strbuf struct strbuf flags = { 0 };

		range_add(&range, row);
		flags_add(&flags, row->flags);
		(void)fprintf(
			out, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", row->name,
			controller_name(row->controller), row->file_v1 ? row->file_v1 : "-",
			row->file_v2 ? row->file_v2 : "-", types[row->type], strbuf_text(&range),
			merges[row->merge], drifts[row->drift], strbuf_text(&flags),
			row->locks < 0 ? "-" : knob_table[row->locks].name, row->help, row->source);
	}
}
