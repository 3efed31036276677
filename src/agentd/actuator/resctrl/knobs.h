/* SPDX-License-Identifier: Apache-2.0 */
/* knobs.h - the rows of resctrl in knob/table.c, and nobody else's. */
#pragma once

#define RESCTRL_MEMBERS                                                                       \
	{                                                                                     \
		.name = "resctrl.class", .controller = CONTROLLER_CPU, .file_v1 = "resctrl",  \
		.file_v2 = "resctrl", .type = KNOB_TYPE_U64, .max = CACHE_CLASSES - 1,        \
		.merge = MERGE_EXCLUSIVE, .drift = DRIFT_YIELD,                               \
		.flags = KNOB_PROCESSES | KNOB_RESCTRL, .locks = LOCKS_NOTHING,               \
		.help = "Every thread of the group is in this class of cache and bandwidth, " \
			"by number: low, middle, high, dynamic.",                             \
		.source = "Documentation/filesystems/resctrl.rst",                            \
	}

#define RESCTRL_CLASS(class)                                                                  \
	{                                                                                     \
		.name = "resctrl." class, .controller = CONTROLLER_CPU,                       \
		.file_v1 = "berth_" class "/schemata", .file_v2 = "berth_" class "/schemata", \
		.type = KNOB_TYPE_TEXT, .merge = MERGE_EXCLUSIVE, .drift = DRIFT_REWRITE,     \
		.flags = KNOB_HOST | KNOB_RESCTRL, .locks = LOCKS_NOTHING,                    \
		.help = "What the class " class " gets of caches and memory bandwidth.",      \
		.source = "Documentation/filesystems/resctrl.rst",                            \
	}
