/* SPDX-License-Identifier: Apache-2.0 */
/* file.c - where a knob is, by its row. */
#include "actuator/knob/table.h"

enum target_kind knob_target_kind(enum knob knob)
{
	uint32_t flags = knob_table[knob].flags;

	if (flags & KNOB_NET)
		return TARGET_NET;
	if (flags & KNOB_ROOT)
		return TARGET_DEVICE;
	return flags & KNOB_HOST ? TARGET_HOST : TARGET_WORKLOAD;
}

bool knob_has_line(enum knob knob)
{
	if (knob_table[knob].flags & KNOB_NET)
		return false;
	return (knob_table[knob].flags & (KNOB_DEVICE | KNOB_DEFAULT)) ||
	       knob == KNOB_MEMORY_WB_BLKIO;
}

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
