/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bpf-check.h - do the records of BPF say what the files say? Pure functions.
 */
#pragma once

#include "telemetry/collect/cgroup-layout.h"

/* One group that is read both ways a few times; zeroed at first. Bits of enum sample_value. */
struct bpf_comparison {
	uint64_t told[2];   /* by files */
	uint64_t agreed[2]; /* once at least: another time it was elsewhere between two looks */
	uint64_t moved[2];  /* once at least it moved so much that it may well have been there */
};

/* Parts, enum sample_part; of those in none files do not tell. */
struct bpf_verdict {
	unsigned int agree, differ;
	unsigned int moved;      /* and so say nothing */
	enum sample_value value; /* one that differs, or SAMPLE_MAX */
};

/* What is not judged yet, over passes. */
struct bpf_judge {
	unsigned int open;                 /* enum sample_part */
	unsigned int misses[SAMPLE_PARTS]; /* passes in which it differed */
};

/* The same group by files, by records, and by files again: these parts. Values that its files do
 * not tell of, while they tell of others of the part, are dropped from the layout. */
void bpf_check(struct cgroup_layout *layout, unsigned int parts, const struct target *before,
	       const struct target *records, const struct target *after,
	       struct bpf_comparison *comparison);
void bpf_verdict(const struct bpf_comparison *comparison, struct bpf_verdict *ret);

void bpf_judge_start(struct bpf_judge *judge, unsigned int parts);
/* After a pass; the parts that differed in LIMIT_BPF_PASSES of them: judged, and lost. */
unsigned int bpf_judge_pass(struct bpf_judge *judge, const struct bpf_verdict *verdict);
