/* SPDX-License-Identifier: Apache-2.0 */
/*
 * record.h - what the program of runqueue/probe.bpf.c keeps of one workload, for both
 * sides.
 */
#pragma once

#define RUNQUEUE_BUCKETS     17 /* SAMPLE_LATENCY_BUCKETS */
#define RUNQUEUE_FIRST_SHIFT 3  /* the first one ends at 8 us */

struct runqueue_record {
	unsigned long long workload; /* its id */
	unsigned long long count[RUNQUEUE_BUCKETS];
	unsigned long long sum_nsec;
};
