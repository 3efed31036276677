/* SPDX-License-Identifier: Apache-2.0 */
/*
 * law.h - how much more than its limit a container may have of the CPU for now. Two laws, pure: the
 * node and the containers of one tick in, the next quota of each out. Everything is in CPUs: a
 * quota of 0.5 is half of each period.
 *
 * Whatever goes in, the next quota is between the limit and TURBO_HEIGHT times the limit.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* No quota is ever more than that many times the container's limit. */
#define TURBO_HEIGHT 2.0

struct turbo_node {
	double cpus;
	double use;          /* of all CPUs, percent, in the last tick */
	double spread;       /* the largest less the smallest use of the last minute, percent */
	double high, alarm;  /* percent; high < alarm */
	double pressure;     /* share of time, percent, that online work which is not throttled
				waited for a CPU; 0 where the host does not tell */
	double elapsed_usec; /* since the tick before */
};

struct turbo_container {
	double limit;          /* CPUs; > 0 */
	double quota;          /* now, CPUs */
	double period_usec;    /* of its group */
	uint64_t throttled;    /* periods in which it was held back, since the tick before */
	double throttled_usec; /* how long, in the same time, summed over its CPUs */
	double use;            /* CPUs, since the tick before */
	/* Of the window of samples that is kept of it: how many, over which time, and what it used
	 * in that time. */
	unsigned int samples;
	double window_usec, window_use_usec;
	double quiet_usec; /* since it was held back last, or used more than its limit */
	double next;       /* out: its next quota */
};

/* As rubik's quotaTurbo does it, step by step. */
void turbo_rubik(const struct turbo_node *node, struct turbo_container *containers, size_t count);
/* By what a container lacks, as far as the node has it and nobody online waits for it. */
void turbo_pressure(const struct turbo_node *node, struct turbo_container *containers,
		    size_t count);
