/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bpf.h - what collect/bpf.c and collect/check.c share; nobody else includes it.
 */
#pragma once

#include "telemetry/collect/bpf-cgroups.h"
#include "telemetry/collect/bpf-check.h"
#include "telemetry/collect/collector.h"
#include "telemetry/collect/flush.h"

enum bpf_state {
	BPF_UNTRIED,
	BPF_LOADING, /* on a thread; everything is read from files meanwhile */
	BPF_USED,
	BPF_FAILED, /* everything is read from files */
};

struct bpf_loading;

struct bpf_collector {
	struct collector base;
	struct collector *files;
	enum bpf_state state;
	struct loader *loader;
	struct bpf_loading *loading; /* while the state says so */
	struct bpf_cgroups *bpf;
	struct flush flush, peek_flush; /* of passes; of peeks, which need cpu.stat alone */
	unsigned int available;         /* enum sample_part: that BPF has on this host */
	unsigned int parts;             /* the same: by BPF now, as far as they agree with files */
	struct bpf_judge judge;         /* since the start or the last reload */
	size_t check_from;              /* of the groups by size: the next one to compare */
	uint64_t check_after_usec;      /* not before */
	uint64_t find_after_usec;       /* groups are not looked for before; 0: at each pass */
	unsigned int asked;             /* enum sample_part: of this pass or peek */
	struct target **targets;        /* of this pass */
	size_t count, capacity;
	char detail[320]; /* why not everything */
};

/* Compare what is not judged yet with files, after a pass. What differs is the files' until it
 * agrees, or for good after a few passes. True: targets must be read again. */
bool collect_bpf_check(struct bpf_collector *collector);
/* Why this host does not have all by BPF, into detail. */
void collect_bpf_explain(struct bpf_collector *collector);
