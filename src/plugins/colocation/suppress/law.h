/* SPDX-License-Identifier: Apache-2.0 */
/*
 * law.h - how much CPU offline work may have, all of it together: the node's target minus what
 * online work uses. What is over that is taken away at once, what is under it is given back slowly,
 * and only when it was there for a while. Pure: no clock, no files; a step is a period.
 *
 * CPU is in microseconds a second: USEC_PER_SEC is one CPU. Shares are in hundredths of a percent.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define SUPPRESS_WHOLE   10000u
#define SUPPRESS_HISTORY 32u /* steps that are looked back at before something is given back */
/* Steps without a reading after which the floor holds. The last budget is no safe value: what
 * online work does meanwhile is not known, and the floor alone is safe whatever it does. */
#define SUPPRESS_STALE 3u

struct suppress_config {
	uint64_t enabled;
	uint64_t target_percent;
	uint64_t by; /* enum suppress_by */
	uint64_t min_percent, step_percent, dead_band_percent;
	uint64_t pressure_percent; /* 0: not looked at */
	uint64_t period_usec;
};

enum suppress_by {
	SUPPRESS_AUTO, /* BOTH where the node has CPUs enough, else QUOTA */
	SUPPRESS_QUOTA,
	SUPPRESS_CPUSET, /* rounded down */
	SUPPRESS_BOTH,   /* a set that is rounded up, and quotas for what is too much of it */
};

/* What one period told. */
struct suppress_reading {
	uint64_t capacity; /* of the node: its CPUs */
	uint64_t busy;     /* of the node, all that was not idle */
	uint64_t offline;  /* of it what offline workloads used */
	bool has_pressure;
	uint32_t pressure; /* share of time in which the online workload worst off waited */
};

/* What a step did, for explain. */
enum suppress_reason {
	SUPPRESS_HOLDS,    /* within the dead band, or not yet long enough above it */
	SUPPRESS_USE_CUT,  /* online work wants more */
	SUPPRESS_WAIT_CUT, /* online work waits for CPUs */
	SUPPRESS_RAISED,
	SUPPRESS_BEGAN,
	SUPPRESS_BLIND, /* no reading: the floor */
};

struct suppress_law {
	uint64_t budget; /* what offline work may use; meaningless before the first step */
	uint64_t online; /* as of the last reading */
	uint64_t left;   /* target minus that: what there is to give */
	enum suppress_reason reason;
	bool began;
	unsigned int missing; /* steps without a reading */
	/* What there was to give in the last steps, the newest at `next` - 1. */
	uint64_t history[SUPPRESS_HISTORY];
	unsigned int count, next;
	/* How many steps in a row must have more to give before any is given back: doubled by each
	 * cut that follows a raise closely, halved by time without one. So a load that only
	 * flickers costs few changes. */
	unsigned int patience;
	unsigned int since_raise, since_flap;
	/* Steps at the floor under pressure: it is not offline work's doing then. */
	unsigned int futile;
	bool innocent;
};

uint64_t suppress_target(const struct suppress_config *config, uint64_t capacity);
uint64_t suppress_floor(const struct suppress_config *config, uint64_t capacity);

/* A period passed. True: `budget` is another one. */
bool suppress_law_step(struct suppress_law *law, const struct suppress_config *config,
		       const struct suppress_reading *reading);
/* A period passed that told nothing; capacity is the last one known. */
bool suppress_law_blind(struct suppress_law *law, const struct suppress_config *config,
			uint64_t capacity);
