/* SPDX-License-Identifier: Apache-2.0 */
/*
 * knob-table.h - one row for each knob of berth-plugin.h: where it is, what it takes, how claims
 * merge, in which order it is written, how it is put back. docs/knobs.md is held to this table by a
 * test.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "berth-plugin.h"
#include "hierarchy.h"

enum knob_type { KNOB_TYPE_U64, KNOB_TYPE_S64, KNOB_TYPE_TEXT };

enum knob_merge {
	MERGE_MIN,
	MERGE_MAX,
	MERGE_EXCLUSIVE, /* the first claimant holds it; another value is a conflict, shown */
};

/* A value that is not ours is found while we hold a claim. */
enum knob_drift {
	DRIFT_REWRITE,  /* write again, with back-off; after a few times yield */
	DRIFT_ORIGINAL, /* it is the new original; write again */
	DRIFT_YIELD,    /* leave it until the claim changes */
};

enum knob_flags {
	KNOB_SUM_UP = 1u << 0,    /* ancestors are raised to the sum of what is below them */
	KNOB_MAY_BLOCK = 1u << 1, /* goes through the slow writer */
	KNOB_ONE_WAY = 1u << 2,   /* the kernel may refuse the way back (cpu.qos_level on two-level
				     kernels): EINVAL at restore is final and told, not retried */
	KNOB_PROCESSES = 1u << 3, /* not a cgroup file: applied to each process of the group */
	KNOB_HOST = 1u << 4,      /* a file below /proc/sys */
	KNOB_TOP_DOWN = 1u << 5,  /* the kernel propagates to descendants: parents first */
};

struct knob_row {
	const char *name; /* as users read it: "cpu.idle" */
	enum controller controller;
	enum knob_type type;
	const char *file_v1, *file_v2; /* NULL: no such file in that version */
	uint64_t min, max;
	enum knob_merge merge;
	enum knob_drift drift;
	uint32_t flags;
	int locks; /* enum knob that this one locks and resets while it is set (cpu.idle: the
		      weight), or -1: journaled first, written again after */
	const char *help, *source; /* one sentence; where the behaviour is documented */
};

extern const struct knob_row knob_table[KNOB_MAX];

/* NULL when this version of the controller's hierarchy has no such file. */
const char *knob_file(enum knob knob, int version);

/* Value to the bytes that the file takes, given what it holds now (a quota keeps its period), and
 * back. -EINVAL when the text is not such a value. */
int knob_format(enum knob knob, int version, uint64_t number, const char *current, char *text,
		size_t size);
int knob_parse(enum knob knob, int version, const char *text, uint64_t *ret);
/* Do both texts mean the same to the kernel (page rounding, "max")? */
bool knob_same(enum knob knob, int version, const char *a, const char *b);

/* What knob_format() wants as `current`: the text of the knob's file below the group's directory,
 * and for the quota on v1 a blank and the period of cpu.cfs_period_us behind it. That text is not
 * what a restore writes: the original is the file's own text. 0 or -errno. */
int knob_read_current(int dirfd, enum knob knob, int version, char *text, size_t size);

/* One tab-separated line a knob, as the table in docs/knobs.md has it. */
void knob_table_dump(FILE *out);
