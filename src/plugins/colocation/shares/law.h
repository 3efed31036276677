/* SPDX-License-Identifier: Apache-2.0 */
/*
 * law.h - how much memory each offline workload may use, so that online ones find memory when they
 * want it. Pure functions of what was read; all in bytes.
 *
 *   budget  what all of them may hold: what they hold beyond page cache, and what is available,
 * less the reserve. Their page cache is not added: MemAvailable counts it already. share   of each:
 * the budget by weights. Who wants less leaves the rest to those who want more. high    the share,
 * approached in steps: down fast, up slowly, and not at all for what is less than a dead band.
 * Never below what the kernel can bring the group to: a group over its memory.high that has nothing
 * to give back makes no progress at all.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SHARES_NONE UINT64_MAX /* no limit */
/* Smaller is not worth a step, nor a limit. */
#define SHARES_STEP_MIN ((uint64_t)4 << 20)
#define SHARES_KEEP_MIN ((uint64_t)16 << 20)
/* Periods of plenty before the limits go. */
#define SHARES_CALM 12u

struct shares_law {
	uint64_t total;   /* of the node */
	uint64_t reserve; /* is to stay available for online workloads */
	uint64_t release; /* with more than that available nobody is limited */
	uint64_t step;    /* the largest step down in one period */
};

/* Is memory short enough for limits? Zero-initialised: no. */
struct shares_gate {
	bool limits;
	unsigned int calm;
};

/* True while there are to be limits: from the moment that less than `release` is available until
 * an eighth more than that has been, for SHARES_CALM periods. */
bool shares_gate(struct shares_gate *gate, const struct shares_law *law, uint64_t available);

enum shares_refusal {
	SHARES_OK,
	SHARES_NOTHING_TO_RECLAIM, /* no swap for it, and hardly any page cache */
	SHARES_OWN_LIMIT,          /* its own limit (memory.max) is lower than the share */
};

/* One offline workload. */
struct shares_member {
	uint64_t weight;      /* its request, or the same for all; 0 counts as 1 */
	uint64_t use;         /* memory.current */
	uint64_t working_set; /* without the inactive page cache */
	uint64_t cache;       /* page cache that can be dropped or written back */
	uint64_t swappable;   /* anonymous memory that there is swap for */
	uint64_t limit;       /* memory.max; SHARES_NONE */
	bool hungry;          /* it is at its limit and wants more */
	uint64_t high;        /* what was claimed last; SHARES_NONE */
	/* Set by shares_decide(), as is high. */
	uint64_t share;
	enum shares_refusal refusal;
	uint64_t brim; /* its own */
};

/* What may be taken of the group's memory in one period, and how much less than that is no reason
 * to write. */
uint64_t shares_step(const struct shares_law *law, const struct shares_member *member);
uint64_t shares_dead_band(const struct shares_law *law, const struct shares_member *member);
/* Below that the group stands still. */
uint64_t shares_floor(const struct shares_member *member);

/* Without that it gets no limit. Twice as much is asked of one that has none yet, so that none
 * comes and goes. */
bool shares_can_give_back(const struct shares_member *member);

uint64_t shares_budget(const struct shares_law *law, const struct shares_member *members,
		       size_t count, uint64_t available);
/* budget into members[].share, then one step of members[].high towards it. */
void shares_decide(const struct shares_law *law, struct shares_member *members, size_t count,
		   uint64_t budget);
