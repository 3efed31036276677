/* SPDX-License-Identifier: Apache-2.0 */
/* rows.h - rows of the table that have all but a few words in common. */
#pragma once

#include "actuator/knob/table.h"

#define S64(value)    ((uint64_t)(int64_t)(value))
#define LOCKS_NOTHING (-1)
/* The kernel refuses less: min_cfs_quota_period, kernel/sched/core.c. */
#define QUOTA_MIN_USEC 1000
/* Less stops a group for good: the kernel takes it, and every allocation waits. */
#define MEMORY_HIGH_MIN (UINT64_C(1) << 20)

/* 0 is not a limit of 0, which the kernel refuses, but none on v1. */
#define IO_LIMIT(knob_name, v1, v2_key, text)                                                      \
	{                                                                                          \
		.name = (knob_name), .controller = CONTROLLER_IO, .file_v1 = (v1),                 \
		.file_v2 = "io.max", .key = (v2_key), .type = KNOB_TYPE_U64, .min = 1,             \
		.max = UINT64_MAX, .merge = MERGE_MIN, .drift = DRIFT_ORIGINAL,                    \
		.flags = KNOB_DEVICE, .locks = LOCKS_NOTHING, .help = (text),                      \
		.source =                                                                          \
			"Documentation/admin-guide/cgroup-v2.rst; cgroup-v1/blkio-controller.rst", \
	}
/* What stands there is looked at and left: others have reasons, too. */
#define NET_KNOB(knob_name, text, where)                                                   \
	{                                                                                  \
		.name = (knob_name), .controller = CONTROLLER_CPU, .type = KNOB_TYPE_TEXT, \
		.merge = MERGE_EXCLUSIVE, .drift = DRIFT_YIELD,                            \
		.flags = KNOB_DEVICE | KNOB_ROOT | KNOB_NET, .locks = LOCKS_NOTHING,       \
		.help = (text), .source = (where),                                         \
	}
/* The module has a shell run bwmcli, and its write returns when that has ended. */
#define BWM_KNOB(knob_name, file, text)                                                         \
	{                                                                                       \
		.name = (knob_name), .controller = CONTROLLER_CPU, .file_v1 = (file),           \
		.file_v2 = (file), .type = KNOB_TYPE_TEXT, .merge = MERGE_EXCLUSIVE,            \
		.drift = DRIFT_YIELD, .flags = KNOB_HOST | KNOB_BWM | KNOB_MAY_BLOCK,           \
		.locks = LOCKS_NOTHING, .help = (text), .source = "openEuler oncn-bwm, bwm.ko", \
	}
#define IO_COST(file, v1, text)                                                                  \
	{                                                                                        \
		.name = (file), .controller = CONTROLLER_IO, .file_v1 = (v1), .file_v2 = (file), \
		.type = KNOB_TYPE_TEXT, .merge = MERGE_EXCLUSIVE, .drift = DRIFT_ORIGINAL,       \
		.flags = KNOB_DEVICE | KNOB_ROOT, .locks = LOCKS_NOTHING, .help = (text),        \
		.source = "Documentation/admin-guide/cgroup-v2.rst, since 5.4; v1: openEuler",   \
	}
#define QOS_SYSCTL(sysctl, file, low, high, merge_rule, drift_rule, text, from)        \
	{                                                                              \
		.name = (sysctl), .controller = CONTROLLER_CPU, .file_v1 = (file),     \
		.file_v2 = (file), .type = KNOB_TYPE_U64, .min = (low), .max = (high), \
		.merge = (merge_rule), .drift = (drift_rule), .flags = KNOB_HOST,      \
		.locks = LOCKS_NOTHING, .help = (text), .source = "openEuler " from,   \
	}
