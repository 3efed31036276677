/* SPDX-License-Identifier: Apache-2.0 */
/*
 * actor.h - what a test reads out of an actor: dlsym(handle, "actor_record").
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "berth-plugin.h"

enum actor_does {
	DOES_NOTHING,
	DOES_FAIL_START,
	DOES_FAIL,  /* every callback that can */
	DOES_CRASH, /* SIGSEGV in its timer */
	DOES_SLOW,  /* 60 ms in its timer */
	DOES_RECLAIM,
	DOES_KILL,
	DOES_FAIL_LATE, /* start(), after it has registered everything */
};

struct actor_record {
	unsigned int starts, stops, applies, ticks, wakes, added, updated, removed, capabilities;
	unsigned int jobs_run, jobs_done, jobs_canceled, acts_done;
	int claim_result, unclaims, act_result, last_act, watch_result, late_result;
	bool job_may_end;
	struct agent *agent; /* of the last start */
	struct agent_source *timer;
	uint64_t tick_usec;
};
