/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tide.h - how many CPUs offline work has while online work goes up and down, a law without any
 * I/O. Online groups that wait for the CPU take CPUs back at once: half of them, or with twice the
 * pressure all but the floor. Calm gives them back slowly: a step after each span of it. Between
 * the two lines nothing happens. While nothing is known there is a safe share, which never gives.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct tide_config {
	uint64_t high_percent, low_percent; /* of time in which an online workload waits */
	uint64_t floor_percent, share_percent, step_percent; /* of the CPUs */
	uint64_t calm_usec;                                  /* before each step */
	uint64_t stale_usec; /* nothing known for so long: the safe share */
};

enum tide_signal {
	TIDE_NOTHING, /* no news */
	TIDE_PRESSURE,
	TIDE_USE, /* this host does not tell the pressure of groups */
};

struct tide_input {
	uint64_t now_usec;
	unsigned int cpus; /* of all that there are to share */
	enum tide_signal signal;
	unsigned int pressure;   /* TIDE_PRESSURE: of the online workload that waits most, in
				    hundredths of a percent */
	unsigned int used_milli; /* TIDE_USE: thousandths of CPUs that online work is busy on */
};

/* Zero: nothing was decided yet. */
struct tide {
	unsigned int allowed, cpus;
	uint64_t known_usec; /* when something was known last, or it began */
	uint64_t calm_usec;  /* since when it is calm; 0: it is not */
	bool stale;
	const char *why; /* of the last change, or of none */
};

unsigned int tide_floor(const struct tide_config *config, unsigned int cpus);
unsigned int tide_share(const struct tide_config *config, unsigned int cpus);
/* Sets tide->allowed: floor to cpus. */
void tide_step(struct tide *tide, const struct tide_config *config, const struct tide_input *input);
