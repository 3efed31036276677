/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cgroup-layout.h - where the values of a sample are in the record that cgroups.bpf.c fills, on the
 * running kernel. Plain functions over what BPF told: nothing here needs BPF.
 */
#pragma once

#include "telemetry/collect/cgroup-record.h"
#include "telemetry/collect/stat-file.h"

/* Indices into the record's arrays; -1: the kernel has no such counter. */
/* One value, or a share of one: counters[at] x unit. Small: all of them are gone through for each
 * group. */
struct layout_counter {
	uint16_t value; /* enum sample_value */
	uint16_t at;
	uint32_t unit;
};

struct layout_counters {
	struct layout_counter list[FACT_STATES + FACT_VM_EVENTS];
	uint32_t count;
};

/* A value that is a word of the record. */
struct layout_word {
	uint16_t value; /* enum sample_value */
	uint16_t at;    /* in the record's array */
};

struct layout_words {
	struct layout_word list[FACT_PRESSURES];
	uint32_t count;
	uint64_t known[2]; /* bits of enum sample_value */
};
_Static_assert((unsigned int)FACT_EVENTS <= FACT_PRESSURES, "both fit");

struct cgroup_layout {
	unsigned int parts; /* enum sample_part, of which records tell all that files do */
	struct layout_words pressures, events;
	struct layout_counters counters; /* one for each value that there is */
	struct layout_counters more;     /* added to what those have set */
	uint32_t counters_bytes;         /* of a record's counters, up to the last of these */
	uint64_t counters_known[2];      /* bits of enum sample_value */
	uint64_t dropped[2];             /* the same: records have them, files have not */
	unsigned int prev_at;
	bool has_swap;
	uint64_t page_bytes;
	char missing[192]; /* why not the other parts; "": all are there */
};

/* One more that the kernel has. */
void layout_word_add(struct layout_words *words, enum sample_value value, unsigned int at);
void cgroup_layout_fill(const struct kernel_facts *facts, struct cgroup_layout *ret);
/* The files do not tell this value: nor does the layout from now on. */
void cgroup_layout_drop(struct cgroup_layout *layout, enum sample_value value);
/* Into the target, of a record that is filled; devices with names. Adjusts CPU time as cpu.stat
 * does, and never back. What the group has no controller for (any more) the target does not know.
 */
void cgroup_layout_apply(const struct cgroup_layout *layout, const struct cgroup_record *record,
			 unsigned int parts, struct device_names *devices, struct target *target);
