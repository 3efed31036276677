/* SPDX-License-Identifier: Apache-2.0 */
/*
 * average.h - the averages of PSI over totals that are read whenever somebody asks. The kernel's
 * are a sum over steps of 2 s (kernel/sched/psi.c, calc_avgs()); these are the same for steps of
 * any length, so that no timer is needed.
 */
#pragma once

#include "berth-plugin.h"

struct averages {
	uint64_t time_usec;                                 /* of the last update; 0: none yet */
	uint64_t total[SAMPLE_PRESSURE_COUNT];              /* then */
	float share[SAMPLE_PRESSURE_COUNT][SAMPLE_WINDOWS]; /* 1: all of the time */
	uint32_t begun;                                     /* bit: a total is known */
	uint32_t moving; /* bit: the sample or a share may have more than 0 */
};

/* How much of an average is left after a time; the same for all workloads of a pass. */
struct average_decay {
	uint64_t elapsed_usec;
	float keep[SAMPLE_WINDOWS];
};

void average_decay_set(struct average_decay *decay, uint64_t elapsed_usec);
/* One step of an average: `usec` of the elapsed time were stalled. More than all of it is carried
 * over by the arithmetic: the kernel's totals come late, and then at once. */
void average_step(float share[static SAMPLE_WINDOWS], const struct average_decay *decay,
		  uint64_t usec);
/* Bring every pressure that the sample knows up to date and put it there. A value that is seen for
 * the first time begins at 0, as the kernel's do. */
void averages_update(struct averages *averages, struct average_decay *decay, uint64_t now_usec,
		     struct workload_sample *sample);
