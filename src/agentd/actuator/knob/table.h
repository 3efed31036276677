/* SPDX-License-Identifier: Apache-2.0 */
/*
 * table.h - one row for each knob of berth-plugin.h: where it is, what it takes, how claims
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

/* 1000 CPUs of which every other one is listed. */
#define KNOB_TEXT_MAX 2048u

enum knob_type { KNOB_TYPE_U64, KNOB_TYPE_S64, KNOB_TYPE_TEXT };

enum knob_merge {
	MERGE_MIN,
	MERGE_MAX,
	MERGE_EXCLUSIVE, /* the first claimant holds it; another value is a conflict, shown */
	MERGE_INTERSECT, /* lists of CPUs: what all have; one that would leave none is passed over
			  */
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
	KNOB_DEVICE = 1u << 6,  /* a value for each block device: a line of the file, knob/line.h */
	KNOB_ROOT = 1u << 7,    /* of the device itself: in the root group, TARGET_DEVICE */
	KNOB_DEFAULT = 1u << 8, /* the file's line "default N"; lines of devices are left alone */
	KNOB_CPULIST = 1u << 9, /* a list of CPUs */
	KNOB_NESTED = 1u << 10, /* on v1 it contains those of the groups below: nested.h */
	KNOB_GROW_UP = 1u << 11, /* ancestors that have a value get what is given below them above
				   the original on top of theirs: grow.c */
	KNOB_LOWER_ONLY = 1u << 12, /* a limit: the original is one too, and never exceeded */
	KNOB_RESCTRL = 1u << 13,    /* below /sys/fs/resctrl, made by the first write: resctrl.h */
	KNOB_NET = 1u << 14, /* of a network device, TARGET_NET: no file, knob/net.h. Always with
			       KNOB_DEVICE and KNOB_ROOT */
	KNOB_NET_CLS = 1u << 15, /* in v1's hierarchy net_cls, by the group's path */
	KNOB_BWM = 1u << 16,     /* below /proc/qos: knob/bwm.h. Always with KNOB_HOST */
};

struct knob_row {
	const char *name; /* as users read it: "cpu.idle" */
	enum controller controller;
	enum knob_type type;
	const char *file_v1, *file_v2; /* NULL: no such file in that version */
	const char *key;               /* of the value in a device's line on v2: "rbps" */
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

/* What it is claimed of. */
enum target_kind knob_target_kind(enum knob knob);

/* A file of more than the value: what is written and read goes through knob/line.h. */
bool knob_has_line(enum knob knob);

/* Value to the text that is written, given what the file holds now (a quota keeps its period), and
 * back. -EINVAL when the text is not such a value. The number of a text is a hash of it, and
 * knob_format() refuses it. */
int knob_format(enum knob knob, int version, uint64_t number, const char *current, char *text,
		size_t size);
int knob_parse(enum knob knob, int version, const char *text, uint64_t *ret);
/* Do both texts mean the same to the kernel (page rounding, "max")? */
bool knob_same(enum knob knob, int version, const char *a, const char *b);

/* The text of the quota's file or files, with this period where there is no quota: nobody minds. 0:
 * the one found. */
int knob_quota_base(int dirfd, int version, uint64_t period_usec, char *text, size_t size);
/* Between the two writes of v1 from `original` to `written`, or back: the quota of the one and the
 * period of the other. */
bool quota_is_part(const char *current, const char *original, const char *written);
/* The burst that the kernel takes beside this group's quota, of the same period: the quota.
 * UINT64_MAX: it has none. 0 or -errno. */
int knob_burst_most(int dirfd, int version, uint64_t *ret);
/* What a quota (of 100 ms) is in this group's period. */
uint64_t knob_quota_in(int dirfd, int version, uint64_t number);
/* knob_parse() of what the file holds or held: a quota of v1 without a period, as journals of
 * before have it, goes by the one beside it. */
int knob_parse_in(int dirfd, enum knob knob, int version, const char *text, uint64_t *ret);

/* One tab-separated line a knob, as the table in docs/knobs.md has it. */
void knob_table_dump(FILE *out);
