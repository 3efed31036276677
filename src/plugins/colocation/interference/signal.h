/* SPDX-License-Identifier: Apache-2.0 */
/*
 * signal.h - what a workload suffers between two samples, as one number, larger is worse. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "berth-plugin.h"

enum interference_signal {
	SIGNAL_AUTO,     /* configuration only */
	SIGNAL_CPI,      /* cycles per instruction: caches and memory bandwidth as well */
	SIGNAL_LATENCY,  /* seconds on a run queue that 99 of 100 waits do not exceed */
	SIGNAL_PRESSURE, /* share of time in which a task waited for a CPU: 0 to 1 */
};

/* What is kept of a sample. */
struct signal_reading {
	uint64_t generation, time_usec; /* 0: nothing was read */
	uint64_t cpu_usec, waited_usec, throttled_usec;
	uint64_t cycles, instructions;
	bool has_pressure, has_latency, has_counters;
	struct sample_latency latency;
};

const char *signal_name(enum interference_signal signal);

/* sample NULL: nothing. */
void signal_read(const struct workload_sample *sample, struct signal_reading *ret);

/* The host tells it of this workload at all. */
bool signal_is_told(enum interference_signal signal, const struct signal_reading *reading);

/* Cores that were used between the two. False: they say nothing. */
bool signal_use(const struct signal_reading *before, const struct signal_reading *now,
		double *ret_cores);
/* False: the host did not tell, or too little happened to tell. */
bool signal_value(enum interference_signal signal, const struct signal_reading *before,
		  const struct signal_reading *now, double *ret);

/* "CPI 2.31", "run-queue p99 4.2 ms", "CPU pressure 12.5 %"; only_value: without the name. */
void signal_format(enum interference_signal signal, double value, bool only_value, char *text,
		   size_t size);
